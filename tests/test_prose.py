"""What is written: the spelling of every text, and the numbers that notebooks quote."""

import io
import re
import tokenize
from functools import cache
from pathlib import Path

import codespell_lib
import nbformat
import pytest
from prose import MODULES, NOTEBOOKS, PAGES, ROOT, name_of, outputs_of, prose, read_book, texts_of
from spellchecker import SpellChecker

# --- spelling ---

REFERENCE = re.compile(r"^[A-Z]\S+, [A-Z]\..*\(\d{4}\)", flags=re.MULTILINE)  # others' names and titles


@cache
def dictionary() -> tuple[SpellChecker, set[str], set[str]]:
    """English words, those that only British English has or this project, and American forms of British words."""
    file = Path(codespell_lib.__file__).parent / "data" / "dictionary_en-GB_to_en-US.txt"
    pairs = [line.split("->") for line in file.read_text(encoding="utf8").split()]
    own = {line for line in (ROOT / "tests" / "words.txt").read_text(encoding="utf8").splitlines()
           if line and not line.startswith("#")}
    british = {pair[0] for pair in pairs}
    american = {word for pair in pairs for word in pair[1].split(",")}
    return SpellChecker(), british | own, american - british - own


def misspelt(text: str, names: frozenset[str] = frozenset()) -> set[str]:
    """Words of a text that British English does not have, nor tests/words.txt, nor `names`.

    Not looked at: what is no plain word (code, addresses, abbreviations in capitals, names with capitals inside), and
    words of fewer than three letters.
    """
    english, british, american = dictionary()
    wrong = set()
    for token in text.replace("’", "'").split():
        token = token.strip(".,;:!?()[]{}\"'*…–—“”‘’|")
        if re.search(r"[^A-Za-z'/–-]", token):
            continue
        for word in re.split(r"[-–/]", token):
            word = re.sub(r"'s?$", "", word).strip("'")
            if len(word) < 3 or word in names or not (word.islower() or word.istitle()):
                continue
            low = word.lower()
            if not {word, word.removesuffix("s"), low, low.removesuffix("s")} & british and (
                    low in american or low not in english):
                wrong.add(word)
    return wrong


def comments(source: str) -> str:
    """The comments of a piece of Python, without what they quote as code."""
    source = "\n".join("" if line.lstrip().startswith(("%", "!")) else line for line in source.splitlines())
    found = [token.string for token in tokenize.generate_tokens(io.StringIO(source).readline)
             if token.type == tokenize.COMMENT]
    return "\n".join(re.sub(r"`[^`]*`|# noqa.*", " ", text).lstrip("#") for text in found)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name_of)
def test_spelling_of_notebooks(path):
    wrong = {cell.id: bad for cell in read_book(path).cells
             if (bad := misspelt(prose(cell.source) if cell.cell_type == "markdown" else comments(cell.source)))}
    assert not wrong, "mend them, or add terms to tests/words.txt"


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_spelling_of_pages(path):
    lines = prose(path.read_text(encoding="utf8")).splitlines()
    assert not misspelt("\n".join(line for line in lines if not REFERENCE.match(line)))


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_spelling_of_code(path):
    texts, names = texts_of(path)
    assert not misspelt("\n".join([*texts, comments(path.read_text(encoding="utf8"))]), names)


@pytest.mark.parametrize(("text", "wrong"), [
    ("You will recieve a post.", {"recieve"}), ("Its **colour** is known.", set()), ("Its color is.", {"color"}),
    ("## A seperate heading", {"seperate"}), ("we normalize them", {"normalize"}), ("normalised, labelled", set()),
    ("<details>\n<summary>Hint</summary>\n\nIt occured to me.\n\n</details>", {"occured"}),
    ("Run `teh_code` and [click](http://wich.example)", set()), ("| teh | posts |\n|---|---|", {"teh"}),
    ("```python\nteh = 1\n```", set()), ("the model's logits, the readers' marks", set()),
    ("its wieghts'", {"wieghts"}), ("---\nlicence: mitt\ntgas: x\n---\n# Card", set()),
    ("Niu wrote, niu did not", {"niu"})])
def test_the_check_of_spelling(text, wrong):
    assert misspelt(prose(text)) == wrong


# --- numbers ---

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
    figures tests/test_budgets.py holds), exercises and ideas to try. A number is not held to it where it refers to a
    place (section 3, notebook 06), is the year of a cited work, or is part of a name (ResNet-18).

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


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name_of)
def test_every_number_in_the_prose_is_printed_near_it(path):
    missing = unprinted(read_book(path))
    assert not missing, "print it in a cell of that section, or say it without the number"


@pytest.mark.parametrize(("prose", "missing"), [
    ("It is right on 0.93 of them.", []), ("It is right on 93 % of them, 93.1%.", []), ("on 0.94", ["0.94"]),
    ("There are 1,500 posts.", []), ("There are 1,600 posts.", ["1,600"]), ("fifteen hundred posts", []),
    ("sixteen hundred posts", ["sixteen hundred"]), ("It takes twenty seconds.", []), ("1. first\n2. second", []),
    ("See section 7 and notebooks 02, 03 and 04; ResNet-18 (Niu et al. 2016).", []), ("`n = 77`, [77](a.md)", []),
    ("### 77 things", []), ("Of 12 posts, 1,500 in all", ["12"]), ("some 45%", ["45%"]), ("a level of -2", []),
    ("a level of −3", ["−3"]), ("0.931, -2", []), ("3e-5", ["3e-5"])])
def test_the_check_of_numbers(prose, missing):
    new = nbformat.v4
    printing = new.new_code_cell("len(posts)", outputs=[new.new_output("stream", text="1500 posts, 0.931, level -2")])
    book = new.new_notebook(cells=[new.new_markdown_cell("# Title"), new.new_markdown_cell("## 1. One"), printing,
                                   new.new_markdown_cell(prose), new.new_markdown_cell("## 2. Two"),
                                   new.new_code_cell("1", outputs=[new.new_output("stream", text="12 0.94 1600 45%")])])
    assert [number for _, number in unprinted(book)] == missing
