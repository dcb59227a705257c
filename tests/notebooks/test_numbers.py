"""Every number that a notebook's prose quotes is printed near it."""

import re

import nbformat
from prose import NOTEBOOKS, name_of, outputs_of, prose, read_book

WORDS = {word: value for value, word in enumerate(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen".split())}
WORDS |= {word: 10 * value for value, word in enumerate(
    "twenty thirty forty fifty sixty seventy eighty ninety".split(), start=2)}
WORD = "|".join([*WORDS, "hundred", "thousand"])
IN_WORDS = re.compile(rf"\b(?:{WORD})(?:[- ](?:{WORD}))*\b", flags=re.IGNORECASE)
NUMBER = r"[-−]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:e-?\d+)?"
IN_DIGITS = re.compile(rf"(?<![\w.,])(?<!\w[-–])({NUMBER})(?!\w|[.,]\d)(\s?%)?")
REFERRED = re.compile(r"\b(?i:sections?|notebooks?|exercises?)\s+\d[\d.]*(?:(?:, | and | to )\d[\d.]*)*|"  # a place
                      r"\([^()]*[A-Z][^()]*\b(?:19|20)\d\d\)")  # a work, with its year


def value_of(number: str) -> float:
    return float(number.replace(",", "").replace("−", "-"))


def value_in_words(run: str) -> int:
    total = rest = 0
    for word in re.split("[- ]", run.lower()):
        if word == "thousand":
            total, rest = total + 1000 * max(rest, 1), 0
        elif word == "hundred":
            rest = 100 * max(rest, 1)
        else:
            rest += WORDS[word]
    return total + rest


def values_in(text: str) -> set[float]:
    return {value_of(number) for number in re.findall(NUMBER, text.replace("_", ""))}


def sections(book) -> list[list]:
    """The cells from each heading of the second level to the next."""
    parts = [[]]
    for cell in book.cells:
        if cell.cell_type == "markdown" and cell.source.startswith("## "):
            parts.append([])
        parts[-1].append(cell)
    return parts


def quotes(cell) -> bool:
    """Whether the rule of numbers holds for a cell: Markdown, but no card, no list of the course, no exercise."""
    return (cell.cell_type == "markdown" and "solution" not in cell.metadata.get("tags", []) and
            not re.search(r"\| (Downloads|Minutes) \|", cell.source) and
            not cell.source.startswith(("### Exercise", "**Further", "## Try this")))


def unprinted(book) -> list[tuple[str, str]]:
    """(id of the cell, number) for each number in a notebook's prose that no cell near it prints.

    Prose: Markdown outside code, formulas, links, headings, numbers of lists, cards and list of the notebooks (whose
    figures tests/tools/test_budgets.py holds), exercises and ideas to try. A number is not held to it where it refers
    to a place (section 3, notebook 06), is the year of a cited work, or is part of a name (ResNet-18).

    In digits: it must stand in an output (text, HTML, alt text) of a cell of the same numbered section, with
    the same value; with decimals or as a percentage, rounded to the digits that it is written with. In words, from
    thirteen on: in an output or in the code of that section; not where it says how long a cell takes. Smaller ones
    can be counted at a glance. Outside the numbered sections any cell of the notebook counts as near.
    """
    missing = []
    for part in sections(book):
        near = part if re.match(r"## \d", part[0].source) else book.cells
        code = [cell for cell in near if cell.cell_type == "code"]
        printed = values_in("\n".join(outputs_of(cell) for cell in code))
        shown = printed | values_in("\n".join(cell.source for cell in code))
        for cell in filter(quotes, part):
            text = REFERRED.sub(" ", prose(cell.source, headings=False, links=False))
            for found in IN_DIGITS.finditer(text):
                number, percent = found[1], bool(found[2])
                value, digits = value_of(number), len(number.partition(".")[2])
                wanted = {value} | ({value / 100} if percent else set())
                if not wanted & printed and not ((digits or percent) and any(
                        round(x, digits) == value or percent and round(100 * x, digits) == value for x in printed)):
                    missing.append((cell.id, found[0]))
            for found in IN_WORDS.finditer(text):
                if value_in_words(found[0]) >= 13 and value_in_words(found[0]) not in shown and not re.match(
                        r" (?:seconds|minutes)", text[found.end():]):
                    missing.append((cell.id, found[0]))
    return missing


def test_every_number_in_the_prose_is_printed_near_it():
    assert len(NOTEBOOKS) >= 9
    missing = {name_of(path): found for path in NOTEBOOKS if (found := unprinted(read_book(path)))}
    assert not missing, "print it in a cell of that section, or say it without the number"


def test_the_check_of_numbers():
    new = nbformat.v4
    printing = new.new_code_cell("len(posts)", outputs=[new.new_output("stream", text="1500 posts, 0.931, level -2")])
    later = new.new_code_cell("1", outputs=[new.new_output("stream", text="12 0.94 1600 45%")])
    for text, missing in (
            ("It is right on 0.93 of them.", []), ("It is right on 93 % of them, 93.1%.", []), ("on 0.94", ["0.94"]),
            ("There are 1,500 posts.", []), ("There are 1,600 posts.", ["1,600"]), ("fifteen hundred posts", []),
            ("sixteen hundred posts", ["sixteen hundred"]), ("It takes twenty seconds.", []),
            ("1. first\n2. second", []), ("### 77 things", []), ("`n = 77`, [77](a.md)", []), ("3e-5", ["3e-5"]),
            ("See section 7 and notebooks 02, 03 and 04; ResNet-18 (Niu et al. 2016).", []), ("some 45%", ["45%"]),
            ("Of 12 posts, 1,500 in all", ["12"]), ("a level of -2", []), ("a level of −3", ["−3"]),
            ("0.931, -2", [])):
        book = new.new_notebook(cells=[
            new.new_markdown_cell("# Title"), new.new_markdown_cell("## 1. One"), printing,
            new.new_markdown_cell(text), new.new_markdown_cell("## 2. Two"), later])
        assert [number for _, number in unprinted(book)] == missing, text
