"""The outline of the slides: every part that it names is in its notebook, and gets onto the slides."""

import json
import re

import pytest
import slides
from outline import OUTLINE, named_parts, read_outline, stored_parts
from prose import ROOT, SERIES
from slides import pages, whole

SOURCE = OUTLINE.read_text(encoding="utf8")
DECKS = read_outline(SOURCE)
PARTS = [part for deck in DECKS for slide in deck.slides for _, part in slide.steps if part]


# --- the outline ---

def test_a_deck_for_each_notebook():
    assert [deck.notebook for deck in DECKS] == [path.stem for path in SERIES]
    for deck in DECKS:
        assert len(deck.slides) >= 3
        assert min(len(deck.aims), len(deck.done)) >= 4, deck.notebook
        assert len(deck.exercises) == (0 if deck.notebook.startswith("00") else len(re.findall(
            r'"### Exercise ', (ROOT / "notebooks" / f"{deck.notebook}.ipynb").read_text(encoding="utf8"))))
        assert deck.lead
        assert deck.following


def test_every_show_names_what_is_stored():
    """Whoever writes "section 3" in a Show says which figure, table, output or code, or shows nothing."""
    shows = [words for deck in DECKS for slide in deck.slides for what, words in slide.notes if what == "Show"]
    bare = [words for words in shows if "section" in words and not re.search(r"(figure|table|output|code) \d", words)]
    assert all(words.startswith("nothing") for words in bare), bare
    assert len(PARTS) > 90
    assert sum(part.kind == "figure" for part in PARTS) > 50
    assert all(part.alt for part in PARTS if part.kind == "figure")


@pytest.mark.parametrize("path", SERIES, ids=lambda path: path.stem)
def test_all_figures_of_a_notebook_are_counted(path):
    cells = json.loads(path.read_text(encoding="utf8"))["cells"]
    data = [output.get("data", {}) for cell in cells for output in cell.get("outputs", ())]
    drawn = ["".join(one["image/png"]).replace("\n", "") for one in data if "image/png" in one]
    found = [part.content for section in stored_parts(cells).values() for part in section["figure"]]
    assert found == drawn


CELLS = [{"cell_type": "markdown", "source": ["## 1. First\n", "\n", "| a |\n", "|---|\n", "| [b](c.md) |\n"]},
         {"cell_type": "code", "source": ["1 + 1"], "outputs": [{"data": {"text/plain": ["2"]}}]},
         {"cell_type": "code", "source": ["draw()"], "outputs": [
             {"text": ["drawn\n"]}, {"data": {"image/png": "PNG\n", "text/plain": "<Figure>"},
                                     "metadata": {"image/png": {"alt": "a line"}}}]},
         {"cell_type": "markdown", "source": ["## 2. Second"]},
         {"cell_type": "code", "source": ["pass"], "outputs": []},
         {"cell_type": "markdown", "source": ["## Exercises"]},
         {"cell_type": "code", "source": ["..."], "outputs": []}]


def test_parts_are_counted_within_their_section():
    stored = stored_parts(CELLS)
    assert {section: {kind: len(parts) for kind, parts in kinds.items()} for section, kinds in stored.items()} == {
        1: {"figure": 1, "table": 1, "output": 2, "code": 2}, 2: {"figure": 0, "table": 0, "output": 0, "code": 1}}
    named = named_parts("it (x, section 1, output 2\nand figure 1), then (section 2,\ncode 1)", stored, "here")
    assert named == [("output", "drawn", ""), ("figure", "PNG", "a line"), ("code", "pass", "")]
    assert "c.md" not in stored[1]["table"][0].content


@pytest.mark.parametrize("names", ["section 2, figure 1", "section 1, output 3", "section 3, code 1",
                                   "section 1, code 0", "figure 1", "section 1: code 1"])
def test_a_part_that_is_not_there_is_refused(names):
    with pytest.raises(ValueError, match=r"here: .* (is named, and the section has \d|a part without its section)"):
        named_parts(f"this ({names})", stored_parts(CELLS), "here")


def test_an_outline_that_does_not_fit_is_refused():
    head = "## 00 Start here\n\nFor [00_start_here](../notebooks/00_start_here.ipynb).\n\n"
    for source, words in (("## Start\n\n### A\n\n**Say** so.\n", "a part begins '## Start"),
                          (head + "### A\n\nA sentence. **Say** so.\n", "00_start_here, A: expected"),
                          (head + "### A\n\n**Show** nothing.\n", "00_start_here, A: expected"),
                          (head + "### A\n\n**Show** (section 1, figure 9). **Say** so.\n", "figure 9 of section 1")):
        with pytest.raises(ValueError, match=words):
            read_outline("# Slides\n\n" + source)


def test_a_question_stands_where_it_was_asked():
    head = "## 00 Start here\n\nFor [00_start_here](../notebooks/00_start_here.ipynb).\n\n### ● A\n\n"
    show, ask = "**Show** it (section 1, figure 1, live).", "**Ask** *What\nis it?* before."
    kinds = {}
    for name, body in (("first", f"{ask} {show}"), ("after", f"{show} {ask}"), ("alone", ask),
                       ("for hands", "**Ask** for hands.")):
        (slide,) = read_outline(head + body + " **Say** so.\n")[0].slides
        kinds[name] = [(question, part and part.kind) for question, part in slide.steps]
    assert kinds == {"first": [("What is it?", None), ("", "figure")], "after": [("What is it?", "figure")],
                     "alone": [("What is it?", None)], "for hands": [("", None)]}


def test_a_slide_says_what_it_shows():
    for deck in DECKS:
        html = whole(deck)
        assert html.count("<section ") == len(pages(deck))
        assert not re.search(r"""(?:src|href)=["'](?!data:)|url\(|@import""", html)
        for slide in deck.slides:
            for question, part in slide.steps:
                assert re.sub(r"[*`].*", "", question) in html
                assert not part or part.kind != "figure" or f'base64,{part.content}" alt="' in html
        assert not re.search(r'alt="\s*"', html)


def test_without_a_browser_the_pages_are_made_all_the_same(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(slides, "ROOT", tmp_path)
    monkeypatch.setattr(slides, "SLIDES", tmp_path / "build" / "slides")
    monkeypatch.setattr(slides, "find_chromium", lambda: None)
    assert slides.main() == 0
    said = capsys.readouterr().out
    assert f"{sum(len(pages(deck)) for deck in DECKS)} slides in {len(DECKS)} decks" in said
    assert "The PDFs were left out: no Chromium" in said
    assert sorted(path.name for path in tmp_path.rglob("*.*")) == [f"{deck.notebook}.html" for deck in DECKS]
