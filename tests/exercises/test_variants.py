"""Variants of exercises: the words fit the notebook, the check follows, and the answer from the folds is refused."""

import re
from functools import cache

import pytest
from prose import NOTEBOOKS, ROOT

from mmsa_utils import checks
from mmsa_utils.exercises import sheets
from mmsa_utils.exercises.cells import exercises, number_of
from mmsa_utils.exercises.table import EXERCISES
from mmsa_utils.exercises.variants import CHOICES, drawn, varied

PATHS = {str(int(path.name[:2])): path for path in NOTEBOOKS}
SLOW = {"1.4"}  # each call takes a second: one of its choices is tried
EVERY = [(number, place) for number in CHOICES for place in range(1 if number in SLOW else len(CHOICES[number]))]


@cache
def book_of(number: str) -> dict:
    return sheets.read(PATHS[number.partition(".")[0]])


def variant_of(number: str, place: int) -> int:
    """A variant that draws this choice."""
    return next(variant for variant in range(1, 500) if drawn(number, variant) == CHOICES[number][place])


@cache
def setup_of(number: str) -> dict:
    """What a notebook's setup cells define."""
    names: dict = {}
    for cell in sheets.key(book_of(number))["cells"]:
        if cell["cell_type"] == "code":
            exec(cell["source"], names)
            if "SIZE = " in cell["source"]:
                return names
    raise AssertionError("no setup cell")


def answer_of(number: str, variant: int, of_key: bool = True):
    """What the key's cell, or the stub on the class's sheet, hands to its check."""
    made = sheets.key(book_of(number), variant) if of_key else sheets.sheet(book_of(number), variant, False)
    name = EXERCISES[number]
    (source,) = [cell["source"] for cell in made["cells"]
                 if cell["cell_type"] == "code" and f"check.{name}(" in cell["source"]]
    body, _, call = source.rpartition("\n")
    assert call.endswith(f", variant={variant})" if variant else ")")
    names = dict(setup_of(number))
    exec(body, names)
    return eval(re.fullmatch(r"check\.\w+\((.*?)(?:, variant=\d+)?\)", call)[1], names)


def test_some_vary_in_every_notebook_of_exercises():
    assert len(CHOICES) >= 17
    assert {number.partition(".")[0] for number in CHOICES} >= set(map(str, range(1, 13)))
    assert set(CHOICES) <= set(EXERCISES)
    for choices in CHOICES.values():
        assert len(choices) >= 2
        assert all(given and words for given, words in choices)
        assert len({str(given) for given, _ in choices}) == len(choices)


@pytest.mark.parametrize(("number", "place"), EVERY)
def test_the_key_is_right_and_the_folds_are_not(number, place):
    variant = variant_of(number, place)
    check = getattr(checks, EXERCISES[number])
    verdict = check(answer_of(number, variant), variant=variant)
    assert verdict.status == "right", verdict.message
    assert check(answer_of(number, variant), seed=1, variant=variant).status == "right"
    old = check(answer_of(number, 0), variant=variant)
    assert old.status == "wrong"
    assert "as it stands in the course" in old.message
    assert check(answer_of(number, 0), seed=1, variant=variant).status == "wrong"
    assert check(answer_of(number, variant, of_key=False), variant=variant).status == "not yet"


@pytest.mark.parametrize("number", [number for number in CHOICES if number not in SLOW])
def test_a_variant_is_another_exercise(number):
    check = getattr(checks, EXERCISES[number])
    for place in range(len(CHOICES[number])):
        answer = answer_of(number, variant_of(number, place))
        assert check(answer).status == "wrong", "the course's own check takes it"
        for other in range(len(CHOICES[number])):
            assert check(answer, variant=variant_of(number, other)).status == ("right" if other == place else "wrong")


def test_a_wrong_answer_still_hears_what_is_wrong():
    def coin(logits):
        return logits.softmax(0)

    assert "columns" in checks.steady_softmax(coin).message
    wrong = checks.hit_rate(lambda gaze, boxes: 2.0, variant=variant_of("9.4", 0))
    assert (wrong.status, "as it stands" in wrong.message) == ("wrong", False)


def test_what_does_not_vary_is_the_same_in_every_variant():
    assert drawn("2.3", 7) == ({}, {})
    assert drawn("4.1", 0) == ({}, {})
    card, stub, folds = (cell["source"] for cell in exercises(book_of("2.3"))[2])
    assert varied("2.3", 7, [card, stub, folds]) == [card, stub, folds]
    assert varied("4.1", 0, [card]) == [card]


def test_the_guide_names_those_that_vary():
    guide = (ROOT / "docs" / "teaching.md").read_text(encoding="utf8")
    table = guide[guide.index("| exercise | what varies |"):]
    table = table[:table.index("\n\n")]
    assert sorted(re.findall(r"\d+\.\d+", table)) == sorted(CHOICES)
    assert f"gives {len(CHOICES)} exercises other numbers" in guide


def test_a_variant_is_the_same_every_time_and_others_differ():
    def exam(variant):
        return [drawn(number, variant)[0] for number in CHOICES]

    assert exam(7) == exam(7)
    assert len({str(exam(variant)) for variant in range(1, 21)}) == 20


@pytest.mark.parametrize("variant", range(1, 30))
def test_exercises_that_lean_on_each_other_are_drawn_together(variant):
    place = [CHOICES[number].index(drawn(number, variant)) for number in ("1.2", "1.4")]
    assert place[0] == place[1]


@pytest.mark.parametrize("variant", [-1, 1.5, "7", True, None])
def test_a_variant_is_a_whole_number(variant):
    with pytest.raises(ValueError, match="expected a whole number"):
        checks.gate(None, variant=variant)


def test_words_that_are_gone_are_missed():
    sources = [cell["source"] for cell in exercises(book_of("11.4"))[3]]
    assert number_of({"source": sources[0]}) == "11.4"
    with pytest.raises(ValueError, match=r"11\.4 no longer says"):
        varied("11.4", 7, [sources[0], sources[1], sources[2].replace("compare it with 5.991", "compare")])


def test_a_line_may_be_broken_anywhere():
    sources = [cell["source"] for cell in exercises(book_of("3.3"))[2]]
    broken = [sources[0].replace("covered with grey, `0.5`", "covered\nwith grey, `0.5`"), *sources[1:]]
    assert broken != sources
    variant = variant_of("3.3", 2)
    assert varied("3.3", variant, broken)[2] == varied("3.3", variant, sources)[2]
