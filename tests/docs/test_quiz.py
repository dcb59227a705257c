"""The quiz bank as learning platforms get it, read again by readers of GIFT and QTI that know their rules alone."""

import re
import zipfile
from xml.etree import ElementTree

import pytest
import quiz
from qti import item, write_package
from quiz import BANK, CHOICE, CHOICES, OPEN, TRUTH, gift, gift_bank, read_bank

SOURCE = BANK.read_text(encoding="utf8")
PARTS = read_bank(SOURCE)
QUESTIONS = [question for part in PARTS for question in part.questions]


# --- the bank ---

HEAD = "# Quiz\n\n## 01 Synthetic data\n\nFor [01_synthetic_data](../notebooks/01_synthetic_data.ipynb).\n\n"
FOLD = "<details>\n<summary>Answer</summary>\n\n{}\n\n</details>\n\n"
OPTIONS = "- a) `x = 1`\n- b) {2: 3}\n- c) never,\n  or late\n\n"


def test_every_question_of_the_page_is_read():
    assert len(QUESTIONS) == SOURCE.count("<summary>Answer</summary>") > 100
    assert {question.form for question in QUESTIONS} == {CHOICE, CHOICES, TRUTH, OPEN}
    assert sum(bool(question.number) for question in QUESTIONS) >= 6
    for question in QUESTIONS:  # no letter is left: platforms shuffle the options
        left = re.search(r"<(em|strong)>[a-e](, [a-e])*\.?</\1>", question.feedback)
        assert not question.options or not left, question


def test_a_question_in_its_form():
    (part,) = read_bank(HEAD + "**1. Choose all that apply.** Which?\n\n" + OPTIONS
                        + FOLD.format("**a, c.** As said. *b* tempts."))
    (question,) = part.questions
    assert question == ("01.1", "Choose all that apply.", "<p>Which?</p>",
                        {"a": "<code>x = 1</code>", "b": "{2: 3}", "c": "never, or late"}, ("a", "c"), None,
                        "<p>“<code>x = 1</code>”, “never, or late”. As said. “{2: 3}” tempts.</p>")
    (number,) = read_bank(HEAD + "**1. Work out.** How many?\n\n" + FOLD.format("**1,089 ± 2**, about."))[0].questions
    assert number.number == (1089, 2)


@pytest.mark.parametrize(("blocks", "words"), [
    ("**1. Choose one.** Which?\n\n" + OPTIONS + FOLD.format("**d.** No."), r"01\.1: the answer begins '\*\*d"),
    ("**1. Choose one.** Which?\n\n" + OPTIONS + FOLD.format("**a, b.** Two."), "expected one of a, b, c"),
    ("**1. Choose one.** Which?\n\n" + OPTIONS + FOLD.format("It is a."), r"01\.1: the answer begins 'It is a"),
    ("**1. Choose one.** Which?\n\n- a) x\n- c) y\n\n" + FOLD.format("**a.** Yes."), "options .* expected a, b, c"),
    ("**1. Choose one.** Which?\n\n" + FOLD.format("**a.** Yes."), "with 0 options"),
    ("**1. True or false?** So?\n\n" + OPTIONS + FOLD.format("**True.** Yes."), "with 3 options"),
    ("**1. True or false?** So?\n\n" + FOLD.format("Perhaps."), r"expected \*\*True\*\* or \*\*False\*\*"),
    ("**1. Guess.** So?\n\n" + FOLD.format("Yes."), "the kind is 'Guess.'"),
    ("**1. Work out.** So?\n\nIt is 3.\n", r"01\.1: this is not"),
    ("**2. Work out.** So?\n\n" + FOLD.format("3"), r"01\.1: this is not"),
    ("**1. Work out.** So?\n\n" + FOLD.format("3") + "And a sentence.\n\n", r"01\.1: this is not"),
    ("A sentence.\n\n**1. Work out.** So?\n\n" + FOLD.format("3"), "something that is no question"),
    ("**1. Work out.** [So](x.md)?\n\n" + FOLD.format("3"), r"01\.1: link_close, link_open in"),
    ("**1. Work out.** <b>So</b>?\n\n" + FOLD.format("3"), r"01\.1: html_inline"),
])
def test_what_does_not_fit_is_refused_by_its_number(blocks, words):
    with pytest.raises(ValueError, match=words):
        read_bank(HEAD + blocks)


# --- GIFT, by docs.moodle.org/en/GIFT_format ---

GRADES = {100, 90, 83.33333, 80, 75, 70, 66.66667, 60, 50, 40, 33.33333, 30, 25, 20, 16.66667, 14.28571, 12.5, 11.11111,
          10, 5}


def bare(text: str) -> str:
    """Text without its escapes; AssertionError where a sign that rules is not escaped, or another one is."""
    assert not re.search(r"[~=#{}:]", re.sub(r"\\[~=#{}:\\]", "", text)), text
    assert not re.search(r"\\", re.sub(r"\\[~=#{}:\\]", "", text)), text
    return re.sub(r"\\(.)", r"\1", text)


def read_gift(source: str) -> tuple[list[str], dict[str, tuple]]:
    """Categories, and title → (stem, form, answers, feedback)."""
    categories, found = [], {}
    for block in re.split(r"\n\s*\n", source.strip()):
        if block.startswith("$CATEGORY: "):
            categories.append(block.removeprefix("$CATEGORY: "))
            continue
        name, stem, inside = re.fullmatch(r"::(.+?)::\[html\](.+?)(?<!\\)\{(.*)(?<!\\)\}", block, re.DOTALL).groups()
        answers, feedback = re.split(r"(?<!\\)####", inside)
        answers = answers.strip()
        if answers in ("", "TRUE", "FALSE"):
            form, told = (TRUTH, answers) if answers else (OPEN, None)
        elif answers.startswith("#"):
            form, told = OPEN, tuple(map(float, answers[1:].split(":")))
        else:
            rows = [re.fullmatch(r"([=~])(?:%(-?[\d.]+)%)?(.+?)\s*", row, re.DOTALL).groups()
                    for row in re.split(r"(?<!\\)(?=[=~])", answers)[1:]]
            form = CHOICE if any(sign == "=" for sign, *_ in rows) else CHOICES
            told = [(100 if sign == "=" else float(weight or 0), bare(text)) for sign, weight, text in rows]
        assert found.setdefault(bare(name), (bare(stem), form, told, bare(feedback.strip()))) is found[bare(name)]
    return categories, found


def test_gift_says_what_the_bank_says():
    categories, found = read_gift(gift_bank(PARTS))
    assert [category.split("/")[1] for category in categories] == [part.title for part in PARTS]
    assert len(found) == len(QUESTIONS)
    for question in QUESTIONS:
        stem, form, told, feedback = found[f"{question.name} {question.kind}"]
        assert (stem, form, feedback) == (question.prompt, question.form, question.feedback)
        if form == TRUTH:
            assert told.lower() == question.right[0]
        elif question.options:
            assert [text for _, text in told] == list(question.options.values())
            assert [weight > 0 for weight, _ in told] == [letter in question.right for letter in question.options]
            assert sum(weight for weight, _ in told if weight > 0) == pytest.approx(100, abs=0.001)
            assert {abs(weight) for weight, _ in told} - {0} <= GRADES
            if form == CHOICES and len(question.right) < len(told):  # whoever ticks everything gets nothing
                assert sum(weight for weight, _ in told) == pytest.approx(0, abs=0.001)
        else:
            assert told == question.number


def test_the_reader_of_gift_sees_what_is_not_escaped():
    text = gift(next(question for question in QUESTIONS if question.name == "05.2"))
    assert read_gift(text)
    for sign in ("~", "#", "\\", ":", "= "):
        with pytest.raises((AssertionError, ValueError)):
            read_gift(text.replace("probabilities", f"probabilities {sign} "))


# --- QTI 2.1, by its information model: element → attributes that it must have, children in their order ---

BLOCKS, INLINE = "(p )+", "((em|strong|code|textEntryInteraction) )*"
RULES = {
    "assessmentItem": ("identifier title adaptive timeDependent",
                       "(responseDeclaration )(outcomeDeclaration )*itemBody responseProcessing (modalFeedback )*"),
    "responseDeclaration": ("identifier cardinality baseType", "(correctResponse )?(mapping )?"),
    "outcomeDeclaration": ("identifier cardinality baseType", "(defaultValue )?"),
    "correctResponse": ("", "(value )+"), "defaultValue": ("", "(value )+"), "value": ("", ""),
    "mapping": ("defaultValue", "(mapEntry )+"), "mapEntry": ("mapKey mappedValue", ""),
    "itemBody": ("", f"{BLOCKS}(choiceInteraction |extendedTextInteraction rubricBlock )?"),
    "choiceInteraction": ("responseIdentifier shuffle maxChoices", "(simpleChoice )+"),
    "simpleChoice": ("identifier", INLINE), "extendedTextInteraction": ("responseIdentifier", ""),
    "textEntryInteraction": ("responseIdentifier", ""), "rubricBlock": ("view", BLOCKS),
    "responseProcessing": ("", "(responseCondition |setOutcomeValue )+"), "responseCondition": ("", "responseIf "),
    "responseIf": ("", "(match |equal )(setOutcomeValue )+"), "match": ("", "variable correct "),
    "equal": ("toleranceMode tolerance", "variable correct "), "variable": ("identifier", ""),
    "correct": ("identifier", ""), "mapResponse": ("identifier", ""), "baseValue": ("baseType", ""),
    "setOutcomeValue": ("identifier", "(baseValue |mapResponse )"),
    "modalFeedback": ("outcomeIdentifier identifier showHide", BLOCKS),
    "p": ("", INLINE), "em": ("", INLINE), "strong": ("", INLINE), "code": ("", ""),
    "assessmentTest": ("identifier title", "(testPart )+"),
    "testPart": ("identifier navigationMode submissionMode", "(assessmentSection )+"),
    "assessmentSection": ("identifier title visible", "(assessmentItemRef )+"),
    "assessmentItemRef": ("identifier href", ""),
    "manifest": ("identifier", "metadata organizations resources "), "metadata": ("", "schema schemaversion "),
    "schema": ("", ""), "schemaversion": ("", ""), "organizations": ("", ""), "resources": ("", "(resource )+"),
    "resource": ("identifier type href", "(file )+(dependency )*"), "file": ("href", ""),
    "dependency": ("identifierref", ""),
}


def read_qti(source: str, space: str) -> ElementTree.Element:
    """The document without its namespace, each element held against RULES."""
    root = ElementTree.fromstring(source)
    for element in root.iter():
        assert element.tag.startswith(f"{{{space}}}"), element.tag
        element.tag = element.tag.removeprefix(f"{{{space}}}")
    for element in root.iter():
        needs, children = RULES[element.tag]
        assert set(needs.split()) <= set(element.keys()), element.tag
        assert re.fullmatch(children, "".join(f"{child.tag} " for child in element)), (element.tag, [*element])
    return root


def score(root: ElementTree.Element, answer) -> float:
    """What the responseProcessing of an item gives an answer: a letter, a set of letters, or a number."""
    declared = root.find("responseDeclaration")
    kept = [value.text for value in declared.iterfind("correctResponse/value")]
    points = 0.0
    for rule in root.find("responseProcessing"):
        if rule.tag == "responseCondition":
            test = rule.find("responseIf")[0]
            correct = float(kept[0]) if declared.get("baseType") == "float" else kept[0]
            off = float(test.get("tolerance", 0))
            points += answer == correct if test.tag == "match" else abs(answer - correct) <= off * 1.0000001
        elif rule.find("mapResponse") is not None:
            mapping = declared.find("mapping")
            total = sum(float(entry.get("mappedValue")) for entry in mapping if entry.get("mapKey") in answer)
            points += min(max(total, float(mapping.get("lowerBound"))), float(mapping.get("upperBound")))
    return points


ITEMS, PACKAGE = "http://www.imsglobal.org/xsd/imsqti_v2p1", "http://www.imsglobal.org/xsd/imscp_v1p1"


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.notebook)
def test_each_package_of_qti_holds_together(part, tmp_path):
    for name in ("one.zip", "again.zip"):
        write_package(part, tmp_path / name)
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "again.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "one.zip") as package:
        files = {name: package.read(name).decode() for name in package.namelist()}
    resources = read_qti(files.pop("imsmanifest.xml"), PACKAGE).findall("resources/resource")
    assert {one.get("href") for one in resources} == set(files)
    whole, *items = resources
    assert [one.get("identifierref") for one in whole.iter("dependency")] == [one.get("identifier") for one in items]
    test = read_qti(files.pop("test.xml"), ITEMS)
    assert [one.get("href") for one in test.iter("assessmentItemRef")] == list(files)
    titles = [read_qti(source, ITEMS).get("title") for source in files.values()]
    assert titles == [f"{question.name} {question.kind}" for question in part.questions]


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.name)
def test_qti_scores_right_and_wrong(question):
    root = read_qti(item(question), ITEMS)
    declared, body = root.find("responseDeclaration"), root.find("itemBody")
    offered = [choice.get("identifier") for choice in body.iter("simpleChoice")]
    assert body.findtext("p", "") in "".join(root.find("itemBody").itertext())
    feedback = "".join(root.find("modalFeedback").itertext())
    assert feedback == "".join(ElementTree.fromstring(f"<x>{question.feedback}</x>").itertext())
    (always,) = root.findall("responseProcessing/setOutcomeValue[@identifier='FEEDBACK']/baseValue")
    assert always.text == root.find("modalFeedback").get("identifier")
    if question.number:
        value, off = question.number
        assert [score(root, value + way * off) for way in (-1, 0, 1)] == [1, 1, 1]
        assert score(root, value + 1.1 * off + 0.001) == 0
    elif question.form == OPEN:
        assert score(root, "anything") == 0
        assert body.find("rubricBlock").get("view") == "scorer"
    elif question.form == CHOICES:
        assert declared.get("cardinality") == "multiple"
        assert score(root, set(question.right)) == pytest.approx(1, abs=1e-4)
        assert len(question.right) == len(offered) or score(root, set(offered)) == pytest.approx(0, abs=1e-4)
        assert score(root, set(offered) - set(question.right)) == 0
    else:
        assert {letter: score(root, letter) for letter in offered} == {
            letter: letter in question.right for letter in offered}


def test_make_quiz_writes_all_of_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(quiz, "ROOT", tmp_path)
    monkeypatch.setattr(quiz, "QUIZ", tmp_path / "build" / "quiz")
    assert quiz.main() == 0
    assert f"{len(QUESTIONS)} questions on {len(PARTS)} notebooks" in capsys.readouterr().out
    assert (tmp_path / "build" / "quiz" / "quiz.gift").read_text(encoding="utf8") == gift_bank(PARTS)
    assert sorted(path.stem for path in tmp_path.rglob("*.zip")) == [part.notebook for part in PARTS]
