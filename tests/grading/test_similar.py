"""Answers that are alike are pointed out whatever their names and order; short, given and usual ones are not."""

import ast
from dataclasses import replace
from pathlib import Path

import pytest

from mmsa_utils.exercises.table import EXERCISES
from mmsa_utils.grading.answers import MOST_SIGNS, parsed, written
from mmsa_utils.grading.hand_ins import HandIn, read
from mmsa_utils.grading.similar import similar

ROOT = Path(__file__).resolve().parents[2]
ANSWER = """
def chance_band(posts, classes):
    chance = 1 / classes
    spread = (chance * (1 - chance) / posts) ** 0.5
    lowest = chance - 1.96 * spread
    highest = chance + 1.96 * spread
    return max(0, lowest), min(1, highest)

check.chance_band(chance_band)
"""
COPY = """
# all my own work
def chance_band(n: int, k: int) -> tuple:
    '''What luck can do.'''
    p = 1 / k
    wobble = (p * (1 - p) / n) ** .5
    top = 1.960 * wobble + p
    bottom = p - 1.96e0 * wobble
    return max(0.0, bottom), min(1, top)
check.chance_band(chance_band)
"""
OTHER = """
def chance_band(posts, classes):
    rng = np.random.default_rng(0)
    guesses = rng.integers(0, classes, size=(4000, posts)) == 0
    return np.quantile(guesses.mean(axis=1), [0.025, 0.975]).tolist()

check.chance_band(chance_band)
"""
STYLES = [f"""
def chance_band(posts, classes):
    total = 0
    for step in range({n}):
        total += step * classes {sign} posts
        if total > {n} and {call}(total) {sign} {n}:
            total = {call}(total) {sign} {n}
    return [total {sign} {n}] * {n}

check.chance_band(chance_band)
""" for n, (sign, call) in enumerate([("+", "abs"), ("-", "round"), ("*", "int"), ("/", "float"), ("//", "bool")])]


def compared(*cells: str, students: list[str] | None = None, folds: tuple[str, ...] = ()) -> tuple:
    """Pairs of students and what was left out, of a class in which each handed in one of these cells."""
    names = students or [f"s{place}" for place in range(len(cells))]
    items = [HandIn(f"{name}.ipynb", "01", (cell,), student=name, folds=folds) for name, cell in zip(names, cells)]
    pairs, left_out = similar([(item, written(item.cells)) for item in items])
    return [(pair["student"], pair["other student"], pair["exercise"], pair["alike"]) for pair in pairs], left_out


def test_a_copy_with_other_names_words_and_order_is_pointed_out():
    pairs, left_out = compared(ANSWER, OTHER, COPY)
    assert pairs == [("s0", "s2", "1.2", 1.0)]
    assert left_out == {}


def test_one_student_is_never_beside_themselves():
    assert compared(ANSWER, COPY, students=["ann", "ann"]) == ([], {})
    assert compared(ANSWER, COPY, OTHER, students=["ann", "ann", "ben"])[0] == []


def test_short_answers_say_nothing():
    short = "check.chance_band(lambda posts, classes: (1 / classes, 1 / classes))"
    assert compared(short, short) == ([], {"1.2": "of 2: 2 too short to tell"})


def test_the_notebooks_own_solution_says_nothing():
    fold = ANSWER.replace("check.chance_band(chance_band)", "")
    assert compared(ANSWER, COPY, OTHER, folds=(fold,)) == ([], {"1.2": "of 3: 2 as in the notebook's own solution"})
    items = [HandIn(f"{n}.ipynb", "01", (cell,), student=str(n), folds=(fold,) * (n == 0))
             for n, cell in enumerate((ANSWER, COPY, OTHER))]  # a solution that one of three has is the student's own
    assert len(similar([(item, written(item.cells)) for item in items])[0]) == 1


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks" / "solutions").glob("*.ipynb")), ids=lambda path: path.stem)
def test_the_courses_own_notebooks_are_read_rightly(path):
    """Each answer is found by its check, and known as the fold's where the fold stands in what was handed in."""
    answers, book = written(read(path, path.name).cells), read(ROOT / "notebooks" / path.name, path.name)
    assert set(answers) == {number for number in EXERCISES if number.partition(".")[0] == book.notebook.lstrip("0")}
    pairs, left_out = similar([(replace(book, student=name), answers) for name in ("ann", "ben")])
    assert pairs == []
    assert set(left_out) == set(answers)
    assert sum("own solution" in why for why in left_out.values()) >= len(answers) / 2


def test_helpers_that_stand_in_the_fold_do_not_make_answers_alike():
    helper = "\n".join(["def helper(x, y, z):", *(f"    x = x + y * {n} - z[{n}]" for n in range(20)), "    return x"])
    one, other = helper + STYLES[0], helper + OTHER
    assert len(compared(one, one)[0]) == 1
    assert compared(one, other, folds=(helper + STYLES[3],))[0] == []


def test_what_much_of_the_class_wrote_says_nothing():
    pairs, left_out = compared(*[ANSWER] * 5, *STYLES)
    assert pairs == []
    assert left_out == {"1.2": "of 10: 5 as many others wrote it"}
    assert len(compared(*[ANSWER] * 3, *STYLES)[0]) == 3


def test_helpers_that_came_with_the_task_do_not_make_answers_alike():
    helper = "\n".join(["def helper(x, y, z):", *(f"    x = x + y * {n} - z[{n}]" for n in range(20)), "    return x"])
    assert compared(*(helper + style for style in STYLES))[0] == []
    assert compared(*(helper + style for style in STYLES), helper + STYLES[0])[0] == [("s0", "s5", "1.2", 1.0)]


def test_an_answer_is_found_wherever_its_check_is_called():
    cells = ["def f(x):\n    return 1", "check.pad_batch(f)", "%time 1\nverdict = c.kappa(lambda t: 0); print(verdict)",
             "check.gate(f)\ncheck.gate(g)", "def f(x):\n    return 2\ncheck.pad_batch(f)", "def look(:", "!ls"]
    found = written(cells)
    assert set(found) == {"2.2", "12.2", "9.1"}
    assert found["2.2"].text == cells[4]  # the last call counts
    assert "return 2" in ast.unparse(ast.Module(list(found["2.2"].statements), []))
    assert written(cells[:2])["2.2"].text == "\n\n".join(cells[:2])
    assert ast.unparse(found["12.2"].statements[-1]) == "lambda t: 0"


@pytest.mark.parametrize("source", [
    "(" * 15_000, "-" * 15_000 + "1", "a" + ".a" * 9000, "f(" * 6000, "lambda:" * 2500 + "1", "x = \0", "é" * 30_000,
    "'" * 9999, "if 1:0\n" + "elif 1:0\n" * 2000, "1" * 9000, "1 if 1 else " * 1600 + "1", "\ud800",
    "9" * 400 + ".0e999"])
def test_code_made_to_break_a_parser_breaks_nothing(source):
    assert isinstance(parsed(source), list)
    compared(source + "\ncheck.chance_band(1)", f"def f():\n    return {source}\ncheck.chance_band(f)")


def test_a_cell_that_is_too_large_is_left_alone():
    assert parsed("x = 1\n" * (MOST_SIGNS // 6)) != []
    assert parsed("x = 1\n" * MOST_SIGNS) == []
