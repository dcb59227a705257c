"""Spelling: one call of codespell for all that is written, as in `make lint`; and prose has British forms."""

import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import codespell_lib
from prose import MODULES, NOTEBOOKS, PAGES, ROOT, SOLUTIONS, name_of, prose, read_book

REFERENCE = re.compile(r"^[A-Z]\S+, [A-Z]\..*\(\d{4}\)", flags=re.MULTILINE)  # others' names and titles
TITLE = re.compile(r"\[\*[^*\]]+\*\]\(https?://[^)]*\)")  # of a work, linked
# Spelt like American forms of other words, or the field's and the law's own.
ALLOWED = {"biased", "donut", "license", "optimizer", "practice", "program", "story"}


def complaints(*names: str) -> list[str]:
    """What codespell says of these files, with the settings of pyproject.toml."""
    done = subprocess.run([sys.executable, "-m", "codespell_lib", *names], cwd=ROOT, capture_output=True, text=True)
    assert not done.stderr, done.stderr
    return done.stdout.splitlines()


def test_everything_is_spelt_correctly():
    files = [*MODULES, *PAGES, *NOTEBOOKS, *SOLUTIONS, ROOT / "pyproject.toml", ROOT / "Makefile"]
    assert len(MODULES) > 100
    assert len(PAGES) > 15
    assert len(NOTEBOOKS) + len(SOLUTIONS) > 15
    assert not complaints(*map(name_of, files)), "mend it, or add the word to ignore-words-list in pyproject.toml"


def test_the_check_of_spelling(tmp_path):
    planted = {"a.py": "# You will reci" "eve a post.\n", "b.md": "## A sep" "erate heading\n",
               "c.ipynb": '{"image/png": "te' 'h", "source": "It occ' 'ured to me."}\n',
               "d.md": "Its colour is known; nothing is wrong.\n"}
    for name, text in planted.items():
        (tmp_path / name).write_text(text, encoding="utf8")
    found = complaints(*(str(tmp_path / name) for name in planted))
    assert [line.rpartition(" ==> ")[2] for line in found] == ["receive", "separate", "occurred"]


@cache
def american() -> set[str]:
    """American forms of British words, as codespell knows them."""
    file = Path(codespell_lib.__file__).parent / "data" / "dictionary_en-GB_to_en-US.txt"
    pairs = [line.split("->") for line in file.read_text(encoding="utf8").split()]
    british = {pair[0] for pair in pairs}
    return {word for pair in pairs for word in pair[1].split(",") if word} - british - ALLOWED


def american_words(markdown: str) -> set[str]:
    own = TITLE.sub("", markdown)
    lines = (line for line in prose(own).splitlines() if not REFERENCE.match(line))
    words = re.findall(r"\b[a-z]+", "\n".join(lines))  # with a capital they may be names
    return american().intersection(words) | {word for word in words if word.removesuffix("s") in american()}


def test_prose_has_british_forms():
    wrong = {name_of(path): american_words(path.read_text(encoding="utf8")) for path in PAGES}
    for path in NOTEBOOKS:
        wrong[name_of(path)] = american_words("\n\n".join(
            cell.source for cell in read_book(path).cells if cell.cell_type == "markdown"))
    assert {name: words for name, words in wrong.items() if words} == {}


def test_the_check_of_british_forms():
    assert len(american()) > 400
    assert american_words("We normalize its color. `normalize` [favorites](x.md)") == {
        "normalize", "color", "favorites"}
    assert american_words("Read [*On modeling*](https://x.org/1) on color.") == {"color"}
    assert american_words("We normalise the flavour of a favourite; the optimizer's license") == set()
