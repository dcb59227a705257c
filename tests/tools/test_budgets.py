"""What a notebook costs: its card, README.md and the list in notebook 00 say what was measured; outgrowing it fails."""

import json
import os
import re
import subprocess
import sys

import budgets
import execute
import nbformat
import pytest
from prose import NOTEBOOKS, ROOT, name_of, read_book

ROW = {"seconds": 25, "memory_mb": 1019, "words": 1500, "code_lines": 100, "exercise_minutes": 45}
CARD = "| Time | Memory | Downloads | Before | After |\n|---|---|---|---|---|\n| {} | {} | none | – | [next](b.ipynb) |"


def tiny(path, *sources, card=("5 minutes to read, under 10 s to run", "about 0.3 GB")):
    new = nbformat.v4
    cells = [new.new_markdown_cell(f"# 00 · Tiny\n\n{CARD.format(*card)}", id="a")]
    cells += [new.new_code_cell(source, id=f"c{place}") for place, source in enumerate(sources)]
    nbformat.write(new.new_notebook(cells=cells), path)
    return path


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name_of)
def test_a_card_tells_what_was_measured(path):
    row = budgets.read()[path.stem]
    assert set(row) == set(ROW)
    told = [budgets.CARD.search(cell.source) for cell in read_book(path).cells if cell.cell_type == "markdown"]
    (found,) = filter(None, told)
    assert found.groups()[1:] == budgets.card(row | budgets.contents(read_book(path)))
    assert budgets.promise(read_book(path)) == (budgets.seconds_told(row["seconds"]),
                                                1000 * budgets.gigabytes_told(row["memory_mb"]))


def test_every_page_says_what_budgets_json_says():
    stale = [name_of(path) for path, text in budgets.pages().items()
             if path.suffix != ".json" and path.read_text(encoding="utf8") != text]
    assert not stale, "run `python tools/notebooks/budgets.py`"


def test_readme_and_notebook_00_list_every_notebook():
    rows = budgets.read()
    readme = (ROOT / "README.md").read_text(encoding="utf8")
    listing = "\n".join(cell.source for cell in read_book(NOTEBOOKS[0]).cells if "| Minutes |" in cell.source)
    for path in NOTEBOOKS:
        row = rows[path.stem]
        numbers = re.search(rf"notebooks/{path.name}\) \|[^|]*\| (\d+) \| (\d+|–) \| (\d+) \|", readme)
        minutes, seconds = int(numbers[1]), int(numbers[3])
        assert (minutes, seconds) == (budgets.minutes_told(row), budgets.seconds_told(row["seconds"]))
        assert re.search(rf"\| (\[[^|]*{path.name}\)|\*\*{path.stem[:2]} [^|]*) \|[^|]*\| {minutes} \|", listing)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name_of)
def test_a_notebook_is_as_cheap_as_the_course_promises(path):
    row = budgets.read()[path.stem]
    assert row["seconds"] <= 90
    assert row["memory_mb"] <= 2000


def test_the_words_of_a_card():
    assert budgets.card(ROW) == ("20 minutes to read, 45 for the exercises, under 40 s to run", "about 1.1 GB")
    assert budgets.card(ROW | {"exercise_minutes": 0, "memory_mb": 1900}) == (
        "20 minutes to read, under 40 s to run", "about 2.0 GB")


def test_small_drifts_change_nothing_and_large_ones_do():
    def kept(**changes):
        return budgets.measured_anew(ROW, ROW | changes)

    assert kept(seconds=30, memory_mb=1090) == ROW
    assert kept(seconds=18, memory_mb=700) == ROW
    assert kept(seconds=41)["seconds"] == 41, "it outgrew its card"
    assert kept(seconds=12)["seconds"] == 12, "it became much quicker"
    assert kept(memory_mb=1101)["memory_mb"] == 1101
    assert kept(words=1501) == ROW | {"words": 1501}
    assert budgets.measured_anew({}, ROW) == ROW


def test_reading_counts_prose_and_code_but_no_exercise():
    new = nbformat.v4
    cells = [new.new_markdown_cell(CARD.format("x", "y") + "\n\nFour words are here."),
             new.new_code_cell("a = 1\n\nprint(a)"), new.new_code_cell("ignored = 1", id="colab-setup"),
             new.new_markdown_cell("### Exercise 1.1 · T\n\n**Difficulty** ●○○ · **15 minutes** · "
                                   "**Why it matters:** so."),
             new.new_code_cell("...", metadata={"tags": ["exercise"]}),
             new.new_markdown_cell("hidden words", metadata={"tags": ["solution"]})]
    counted = budgets.contents(new.new_notebook(cells=cells))
    assert (counted["code_lines"], counted["exercise_minutes"]) == (2, 15)
    more = budgets.contents(new.new_notebook(cells=[*cells, new.new_markdown_cell("two [more](there/or_not.md)")]))
    assert more["words"] == counted["words"] + 2
    other = budgets.with_card(new.new_notebook(cells=cells), ROW)
    assert budgets.contents(other)["words"] == counted["words"], "what the card says must not change what it says"


def test_storing_measures_and_tells_and_repeats_to_the_byte(tmp_path):
    folder = tmp_path / "notebooks"
    folder.mkdir()
    readme = tmp_path / "README.md"
    readme.write_text("| [00](notebooks/00_tiny.ipynb) | all | 1 | 2 |\n\nnone needs more than 9 GB\n", encoding="utf8")
    path = tiny(folder / "00_tiny.ipynb", "x = sum(range(10_000_000))", card=("soon", "little"))
    files = []
    for _ in range(2):
        assert execute.main(["store", str(path)]) == 0
        files.append([file.read_bytes() for file in (path, folder / "budgets.json", readme)])
    assert files[0] == files[1]
    row = json.loads((folder / "budgets.json").read_text(encoding="utf8"))["00_tiny"]
    assert 30 < row["memory_mb"] < 300
    assert re.search(r"to run \| about 0\.\d GB \| none \|", path.read_text(encoding="utf8"))
    assert re.fullmatch(r"\| \[00\]\(notebooks/00_tiny.ipynb\) \| all \| 5 \| – \| \d+ \|\n\nnone needs more than "
                        r"0\.\d GB\n", readme.read_text(encoding="utf8"))


def test_a_notebook_that_outgrows_its_card_fails(tmp_path):
    """Three tiny notebooks under nbval: one keeps to its card, one is too slow, one too large."""
    tiny(tmp_path / "fits.ipynb", "1")
    tiny(tmp_path / "large.ipynb", "much = bytearray(500_000_000)")
    tiny(tmp_path / "slow.ipynb", "import time", "while time.process_time() < 2: pass",
         card=("5 minutes to read, under 1 s to run", "about 0.3 GB"))
    environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tools' / 'notebooks'}"}
    command = [sys.executable, "-m", "pytest", "-p", "conftest", "-p", "no:cacheprovider", "--nbval-lax",
               "--nbval-current-env", "-v", str(tmp_path)]
    said = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120).stdout
    cards = dict(re.findall(r"^(\w+)\.ipynb::card (\w+)", said, flags=re.MULTILINE))
    assert cards == {"fits": "PASSED", "large": "FAILED", "slow": "FAILED"}, said
    assert re.search(r"it took [2-9] s of processor time, and its card says under 1 s", said)
    assert re.search(r"it took \d{3} MB of memory, and its card says about 300", said)
    assert "2 failed, 5 passed" in said
