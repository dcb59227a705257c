"""An exam of a variant is graded by that variant, whatever a notebook says of itself."""

import nbformat
import pytest

from mmsa_utils.exercises.variants import drawn
from mmsa_utils.grading import grade as grading

SETUP = "from mmsa_utils import checks as check"
BAND = """def chance_band(posts, classes):
    chance = 1 / classes
    spread = (chance * (1 - chance) / posts) ** 0.5
    return chance - {z} * spread, chance + {z} * spread

check.chance_band(chance_band{call})"""
NEW = drawn("1.2", 7)[1]["1.96"]
TITLE = "# 01 · Synthetic data"


@pytest.fixture
def graded(tmp_path):
    """Grade notebooks, name → (title, z, what the check's call says besides); name → row."""
    def run(variant: int, **books: tuple[str, str, str]) -> dict[str, dict]:
        for name, (title, z, call) in books.items():
            cells = [nbformat.v4.new_markdown_cell(title), nbformat.v4.new_code_cell(SETUP),
                     nbformat.v4.new_code_cell(BAND.format(z=z, call=call))]
            (tmp_path / "in" / name).mkdir(parents=True)
            nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "in" / name / "01_exam.ipynb")
        rows = grading.grade(tmp_path / "in", tmp_path / "out.csv", seconds=60, variant=variant)["rows"]
        return {row["file"].partition("/")[0]: row for row in rows}
    return run


def test_the_teachers_variant_judges(graded):
    exam = f"{TITLE} · variant 7"
    rows = graded(7, honest=(exam, NEW, ", variant=7"), folds=(exam, "1.96", ", variant=7"),
                  easier=(exam, "1.96", ", variant=0"), bare=(exam, NEW, ""))
    found = {name: row["exercises"]["1.2"] for name, row in rows.items()}
    assert found == {"honest": "right", "folds": "wrong", "easier": "wrong", "bare": "right"}


@pytest.mark.parametrize(("title", "asked", "words"), [
    (f"{TITLE} · variant 3", 7, "is of variant 3, and variant 7 is graded here"),
    (TITLE, 7, "is of the course itself, and variant 7 is graded here"),
    (f"{TITLE} · variant 7", 0, "is of variant 7, and the course itself is graded here")])
def test_a_notebook_of_another_variant_is_not_run(graded, title, asked, words):
    row = graded(asked, other=(title, "1.96", ""))["other"]
    assert words in row["remark"]
    assert (row["solved"], row["seconds"]) == (0, 0)
