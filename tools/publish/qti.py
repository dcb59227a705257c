"""Questions of quiz.py as packages of QTI 2.1 (IMS Question and Test Interoperability, 2012), a test for each notebook.

A package is a zip file: imsmanifest.xml, test.xml, and a file for each question. An answer that is given brings the
feedback, right or wrong. Open questions are scored by people, who see the model answer.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

if TYPE_CHECKING:
    from quiz import Part, Question

ITEMS, PACKAGE = "http://www.imsglobal.org/xsd/imsqti_v2p1", "http://www.imsglobal.org/xsd/imscp_v1p1"
SHOW_FEEDBACK = ('<setOutcomeValue identifier="FEEDBACK"><baseValue baseType="identifier">answer</baseValue>'
                 '</setOutcomeValue>')


def scored(test: str) -> str:
    """One point if `test`, an expression of QTI's, holds."""
    return ('<responseCondition><responseIf>' + test + '<setOutcomeValue identifier="SCORE">'
            '<baseValue baseType="float">1</baseValue></setOutcomeValue></responseIf></responseCondition>')


RIGHT = scored('<match><variable identifier="RESPONSE"/><correct identifier="RESPONSE"/></match>')
MAPPED = '<setOutcomeValue identifier="SCORE"><mapResponse identifier="RESPONSE"/></setOutcomeValue>'


def declared(cardinality: str, base: str, values: tuple = (), mapping: str = "") -> str:
    correct = "".join(f"<value>{value}</value>" for value in values)
    correct = f"<correctResponse>{correct}</correctResponse>" if values else ""
    return (f'<responseDeclaration identifier="RESPONSE" cardinality="{cardinality}" baseType="{base}">'
            f'{correct}{mapping}</responseDeclaration>')


def choices(options: dict[str, str], most: int) -> str:
    """A list to choose from, at most `most` of it; 0: any number."""
    rows = "".join(f'<simpleChoice identifier="{name}">{text}</simpleChoice>' for name, text in options.items())
    return ('<choiceInteraction responseIdentifier="RESPONSE" shuffle="false" '
            f'maxChoices="{most}">{rows}</choiceInteraction>')


def weights(question: Question) -> str:
    """Right choices share one point, wrong ones take the same sum away; never below 0."""
    wrong = len(question.options) - len(question.right)
    shares = {letter: 1 / len(question.right) if letter in question.right else -1 / wrong
              for letter in question.options}
    entries = "".join(f'<mapEntry mapKey="{letter}" mappedValue="{share:.6g}"/>' for letter, share in shares.items())
    return f'<mapping lowerBound="0" upperBound="1" defaultValue="0">{entries}</mapping>'


def parts_of(question: Question) -> tuple[str, str, str]:
    """The declaration of the answer, what the reader works with, and how it is scored."""
    if question.number:
        value, tolerance = question.number
        test = (f'<equal toleranceMode="absolute" tolerance="{tolerance:g}">'
                '<variable identifier="RESPONSE"/><correct identifier="RESPONSE"/></equal>')
        return (declared("single", "float", (f"{value:g}",)),
                '<p><textEntryInteraction responseIdentifier="RESPONSE" expectedLength="10"/></p>', scored(test))
    if question.form == "open":
        return (declared("single", "string"),
                '<extendedTextInteraction responseIdentifier="RESPONSE" expectedLines="5"/>'
                f'<rubricBlock view="scorer">{question.feedback}</rubricBlock>', "")
    if question.form == "truth":
        return declared("single", "identifier", question.right), choices({"true": "True", "false": "False"}, 1), RIGHT
    if question.form == "choice":
        return declared("single", "identifier", question.right), choices(question.options, 1), RIGHT
    return declared("multiple", "identifier", question.right, weights(question)), choices(question.options, 0), MAPPED


def identifier(question: Question) -> str:
    return f"q_{question.name.replace('.', '_')}"


def item(question: Question) -> str:
    """One question as an assessmentItem."""
    declaration, interaction, scoring = parts_of(question)
    return (f'<assessmentItem xmlns="{ITEMS}" identifier="{identifier(question)}" '
            f'title={quoteattr(f"{question.name} {question.kind}")} adaptive="false" timeDependent="false">'
            f'{declaration}'
            '<outcomeDeclaration identifier="SCORE" cardinality="single" baseType="float">'
            '<defaultValue><value>0</value></defaultValue></outcomeDeclaration>'
            '<outcomeDeclaration identifier="FEEDBACK" cardinality="single" baseType="identifier"/>'
            f'<itemBody>{question.prompt}{interaction}</itemBody>'
            f'<responseProcessing>{scoring}{SHOW_FEEDBACK}</responseProcessing>'
            '<modalFeedback outcomeIdentifier="FEEDBACK" identifier="answer" showHide="show">'
            f'{question.feedback}</modalFeedback></assessmentItem>')


def whole_test(part: Part) -> str:
    """The questions of one notebook, in their order, as an assessmentTest."""
    items = "".join(f'<assessmentItemRef identifier="{identifier(question)}" href="items/{identifier(question)}.xml"/>'
                    for question in part.questions)
    return (f'<assessmentTest xmlns="{ITEMS}" identifier="t_{part.notebook}" title={quoteattr(part.title)}>'
            '<testPart identifier="part" navigationMode="nonlinear" submissionMode="individual">'
            f'<assessmentSection identifier="section" title={quoteattr(part.title)} visible="true">{items}'
            '</assessmentSection></testPart></assessmentTest>')


def manifest(part: Part) -> str:
    """What lies in the package."""
    names = [identifier(question) for question in part.questions]
    needs = "".join(f'<dependency identifierref="{name}"/>' for name in names)
    items = "".join(f'<resource identifier="{name}" type="imsqti_item_xmlv2p1" href="items/{name}.xml">'
                    f'<file href="items/{name}.xml"/></resource>' for name in names)
    return (f'<manifest xmlns="{PACKAGE}" identifier="m_{escape(part.notebook)}">'
            '<metadata><schema>QTIv2.1 Package</schema><schemaversion>1.0.0</schemaversion></metadata><organizations/>'
            f'<resources><resource identifier="t_{part.notebook}" type="imsqti_test_xmlv2p1" href="test.xml">'
            f'<file href="test.xml"/>{needs}</resource>{items}</resources></manifest>')


def write_package(part: Part, path: Path) -> None:
    """The zip file of one notebook's questions; the same bytes each time."""
    files = {"imsmanifest.xml": manifest(part), "test.xml": whole_test(part),
             **{f"items/{identifier(question)}.xml": item(question) for question in part.questions}}
    with zipfile.ZipFile(path, "w") as package:
        for name, content in files.items():
            ElementTree.fromstring(content)  # what is no XML is noticed here, not on the platform
            info = zipfile.ZipInfo(name)  # its date is 1980, whenever it is made
            info.compress_type = zipfile.ZIP_DEFLATED
            package.writestr(info, '<?xml version="1.0" encoding="UTF-8"?>\n' + content + "\n")
