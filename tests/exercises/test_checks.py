"""The exercises' checks, tested by mutation: right answers in several styles pass, each known mistake is named.

The answers are in answers_*.py beside this file, a module for each notebook: RIGHT, check → answers, and WRONG, check →
(answer, words that its message holds).
"""

import importlib
import re
from pathlib import Path

import nbformat
import numpy as np
import pytest
import solutions
import torch
from helpers import generators

from mmsa_utils import checks
from mmsa_utils.exercises.cells import folds_of
from mmsa_utils.exercises.checks import Answer, NotYet, Verdict, exercise
from mmsa_utils.exercises.compare import Refused, alike, combined, compare, expect_kind, slip_in, told_by
from mmsa_utils.exercises.table import EXERCISES, MODULES

TOPICS = {key: importlib.import_module(f"answers_{module}") for key, module in MODULES.items()}
RIGHT = {name: answers for topic in TOPICS.values() for name, answers in topic.RIGHT.items()}
WRONG = {name: answers for topic in TOPICS.values() for name, answers in topic.WRONG.items()}
NAMES = list(EXERCISES.values())
PATHS = {str(int(path.stem[:2])): path for path in solutions.NOTEBOOKS.glob("[0-9]*.ipynb")}
BOOKS = {key: nbformat.read(path, as_version=4) for key, path in PATHS.items() if key != "0"}


def is_code(text: str) -> bool:
    """Whether a message hands out code to copy."""
    return bool(re.search(r"\b(torch|np|F|math)\.\w+\(|\bsum\(|\blambda\b|\*\*|//", text))


# --- the machinery ---


@exercise("0.0")
def doubled(answer, rng):
    compare(answer, lambda x: 2 * x, [(torch.from_numpy(rng.normal(size=3)),) for _ in range(3)],
            {"This squares.": lambda x: x * x})
    return "Doubled."


def stub(x):
    """What to do."""
    ...


def half_filled(x):
    factor = ...
    return factor * x


def forgot_to_return(x):
    2 * x


@pytest.mark.parametrize("answer", [stub, half_filled, ..., None, lambda x: None if False else ...])
def test_an_unsolved_stub_is_not_yet(answer):
    assert doubled(answer).status == "not yet"


@pytest.mark.parametrize(("answer", "words"), [
    (lambda x: x * x, "This squares."), (forgot_to_return, "`return`"), (lambda x: x @ "a", "TypeError"),
    (lambda x: x[:2], "shape (3,), got (2,)"), (lambda x: x * float("nan"), "NaN"), (lambda x: "a", "got a str"),
    (lambda x: 2 * x + x ** 3, "not what the task asks for"), (7, "an int"), ("x", "a str"), (lambda: 1, "TypeError")])
def test_a_wrong_answer_is_told_why(answer, words):
    verdict = doubled(answer)
    assert verdict.status == "wrong"
    assert words in verdict.message


@pytest.mark.parametrize(("made", "words"), [
    (lambda y: 100 * y, "per cent"), (lambda y: -y, "the wrong sign"), (lambda y: 1 - y, "add up to 1"),
    (np.abs, "The signs are lost"), (np.square, "are the squares"), (np.trunc, "is cut off"),
    (lambda y: y.round(), "whole ones"), (lambda y: y.round(1), "one decimal"), (lambda y: y.round(2), "two decimals"),
    (lambda y: y.round(3), "three decimals"), (lambda y: y + 1, "too large by 1"), (lambda y: y - 0.5, "small by 0.5"),
    (lambda y: 3 * y, "3 times the one asked for"), (lambda y: y[::-1], "in other places"),
    (lambda y: 0 * y, "whatever"), (lambda y: np.tanh(y), "")])
def test_a_slip_that_explains_all_numbers_is_named(made, words):
    wanted = [np.random.default_rng(seed).normal(0, 2, (4, 3)) for seed in range(3)]
    for given, due in (([made(y) for y in wanted], wanted),
                       ([{"a": made(y), "b": made(y)} for y in wanted], [{"a": y, "b": y} for y in wanted])):
        said = slip_in(given, due, 1e-4)
        assert said == "" if not words else words in said


def test_a_slip_needs_more_than_one_number_to_be_known_by():
    assert slip_in([2.0], [1.0], 1e-4) == ""
    assert slip_in([3, 3], [3, 3], 1e-4).startswith("Yours gives 3")
    assert slip_in([np.exp([1.0, 2.0]), [1.0, 2.0]], [np.exp(np.exp([1.0, 2.0])), np.exp([1.0, 2.0])], 1e-4) == (
        "Your numbers are the logarithms of those asked for.")


@pytest.mark.parametrize(("answer", "words"), [
    (lambda x: (x, x), "Right in every call: the first. Not right: the second."),
    (lambda x: (x if x < 3 else 0, 2 * x if x < 3 else 0), "2 of 3 calls come out right."),
    (lambda x: (x + x ** 2, 1), "not what the task asks for.")])
def test_what_is_right_of_a_wrong_answer_is_said(answer, words):
    with pytest.raises(Refused) as caught:
        compare(answer, lambda x: (x, 2 * x), [(1.0,), (2.0,), (3.0,)])
    assert str(caught.value).endswith(words)


def test_what_is_handed_back_as_it_came_is_named():
    with pytest.raises(Refused, match="the second of its inputs, as it came"):
        compare(lambda x, y: y, lambda x, y: x + y, [(1.0, 2.0), (3.0, 5.0)])


@pytest.mark.parametrize(("given", "words"), [
    ({"a": 1.0, "b": [2.0]}, "Under 'b': Expected one number, got a list of shape"),
    ({"a": 1.0, "b": 2.0, "c": 3.0}, "an entry under 'c', which nobody asked for")])
def test_entries_of_a_dictionary_are_looked_at_one_by_one(given, words):
    with pytest.raises(Refused, match=words):
        expect_kind(given, {"a": 1.0, "b": 2.0})


def test_places_of_a_wrong_array_are_counted():
    def answer(x):
        return x + (np.arange(12).reshape(3, 4) == 6)

    with pytest.raises(Refused, match=r"11 of its 12 numbers are right; .* at \[1, 2\]"):
        compare(answer, lambda x: x, [(np.random.default_rng(0).normal(size=(3, 4)),)])


def test_mistakes_in_two_parts_are_named_together():
    table = combined(lambda *parts: lambda x: [part(x) for part in parts], {"": abs, "A.": float}, {"": int, "B.": abs})
    assert list(table) == ["B.", "A.", "A. B."]
    assert table["A. B."](-1) == [-1.0, 1]


def test_a_mistake_can_be_told_by_its_result():
    mistake = told_by(lambda x: 3 * x, lambda given, x: given > x)
    assert (mistake(2), mistake(-2)) == (6, None)
    assert told_by(lambda x: "text", lambda given, x: True)(1) is None


@pytest.mark.parametrize("answer", [
    lambda x: x + x, lambda x: (2 * x).tolist(), lambda x: (2 * x).numpy(), lambda x: [2 * v for v in x],
    lambda x: x.mul_(2)])
def test_any_style_is_right(answer):
    assert doubled(answer) == Verdict("0.0", "right", "Doubled.")


def test_an_answer_cannot_change_the_inputs_of_the_reference():
    def vandal(x):
        x.zero_()
        return x

    assert doubled(vandal).status == "wrong"


def test_an_ellipsis_inside_an_index_is_no_unsolved_stub():
    assert doubled(lambda x: 2 * x[..., :]).status == "right"


def test_a_verdict_is_text_and_html():
    verdict = doubled(lambda x: x * x)
    assert repr(verdict) == "✗ Exercise 0.0, wrong: This squares."
    assert "This squares." in verdict._repr_html_()
    assert "&lt;b&gt;" in Verdict("0.0", "wrong", "<b>")._repr_html_()


def test_values_are_alike_whatever_holds_them():
    assert alike(3.00001, 3)
    assert alike({"a": [1, 2]}, {"a": torch.tensor([1, 2])})
    assert not alike(1, "1")
    assert not alike({"a": 1}, {"b": 1})
    assert not alike(float("nan"), float("nan"))


@pytest.mark.parametrize(("given", "wanted", "words"), [
    ([1, 2, 3], [1, 2], "shape"), ([[1], [2, 3]], [1, 2], "got a list"), ([1, 2], 1, "Expected one number"),
    (np.ones((2, 3)), np.ones((3, 2)), "Are the two axes exchanged"), ([[1, 2]], [1, 2], "on other axes"),
    (1, {"a": 1}, "Expected a dict"),
    ([1, float("inf")], [1, 2], "infinity")])
def test_a_result_of_another_kind_is_refused(given, wanted, words):
    with pytest.raises(Refused, match=words):
        expect_kind(given, wanted)


def test_answer_hands_over_copies_and_says_not_yet():
    with pytest.raises(NotYet):
        Answer(stub)(1)
    inputs = [1, 2]
    Answer(lambda x: x.append(3) or x)(inputs)
    assert inputs == [1, 2]


def test_an_unknown_check_says_which_there_are():
    with pytest.raises(AttributeError, match="token_average"):
        checks.no_such_check  # noqa: B018


# --- every exercise ---


def test_the_table_matches_the_checks():
    assert list(EXERCISES) == sorted(EXERCISES, key=lambda number: [int(part) for part in number.split(".")])
    assert len(set(NAMES)) == len(NAMES)
    for number, name in EXERCISES.items():
        assert getattr(checks, name).number == number


@pytest.mark.parametrize("key", MODULES)
def test_the_table_matches_the_notebooks(key):
    found = solutions.exercises(BOOKS[key])
    listed = [number for number in EXERCISES if number.startswith(f"{key}.")]
    assert [re.match(r"### Exercise ([\d.]+) · \S", card.source)[1] for card, _, _ in found] == listed
    for number, (_, stub, folds) in zip(listed, found):
        assert stub.source.splitlines()[-1].startswith(f"check.{EXERCISES[number]}(")
        assert "```" not in folds_of(folds)["Hint"]
        (shown,) = [output for output in stub.outputs if output.output_type == "execute_result"]
        assert f"Exercise {number}, not yet" in shown.data["text/plain"]


@pytest.mark.parametrize("name", NAMES)
def test_right_answers_pass(name):
    answers = RIGHT[name]
    assert len(answers) >= 2, "one style alone does not show that others pass"
    for place, answer in enumerate(answers, start=1):
        for seed in (0, place):
            verdict = getattr(checks, name)(answer, seed=seed)
            assert verdict.status == "right", verdict.message


@pytest.mark.parametrize("name", NAMES)
def test_wrong_answers_are_refused_each_with_its_own_message(name):
    answers = WRONG[name]
    assert len(answers) >= 3
    messages = []
    for answer, words in answers:
        verdict = getattr(checks, name)(answer)
        assert verdict.status == "wrong", f"taken for {verdict.status}: the answer that should hear {words!r}"
        assert words in verdict.message
        assert 0 <= verdict.share < 1
        assert getattr(checks, name)(answer, seed=1).status == "wrong"
        assert not is_code(verdict.message), "a message that hands out code gives the answer away"
        messages.append(verdict.message)
    assert len(set(messages)) == len(messages)


@pytest.mark.parametrize("name", NAMES)
def test_a_check_survives_anything(name):
    for answer in (3, -1.5, "text", [], {}, [1, "a"], {"a": None}, np.zeros((2, 2)), torch.zeros(0), lambda *x: x,
                   lambda *x: None, lambda *x: 1 / 0, lambda *x: "text", lambda *x: [], float("nan"), object(), max):
        assert getattr(checks, name)(answer).status != "right"
    assert getattr(checks, name)(...).status == "not yet"


@pytest.mark.parametrize("name", NAMES)
def test_a_check_is_repeatable_and_leaves_global_seeds_alone(name):
    before = generators()
    wrong = WRONG[name][0][0]
    assert repr(getattr(checks, name)(wrong)) == repr(getattr(checks, name)(wrong))
    getattr(checks, name)(RIGHT[name][0])
    assert generators() == before


# --- one source for stubs and solutions ---


@pytest.mark.parametrize("key", MODULES)
def test_solutions_are_in_step_and_right(key):
    path = PATHS[key]
    stored = nbformat.read(solutions.SOLUTIONS / path.name, as_version=4)
    made = solutions.solution_of(BOOKS[key], path.stem)
    assert solutions.sources(stored) == solutions.sources(made), "run `make notebooks`"
    verdicts = [output.data["text/plain"] for cell in stored.cells for output in cell.get("outputs", [])
                if output.get("data", {}).get("text/plain", "").startswith(tuple("✓✗…"))]
    assert len(verdicts) == len(solutions.exercises(BOOKS[key]))
    assert all(verdict.startswith("✓") for verdict in verdicts)


def test_a_changed_solution_is_noticed():
    made = solutions.solution_of(BOOKS["2"], "02_text_encoders")
    other = nbformat.from_dict(BOOKS["2"])
    _, _, folds = solutions.exercises(other)[0]
    folds.source = folds.source.replace("```python\n", "```python\n# another way\n")
    assert solutions.sources(made) != solutions.sources(solutions.solution_of(other, "02_text_encoders"))


def test_no_solutions_without_exercises():
    names = {path.name for path in solutions.SOLUTIONS.glob("*.ipynb")}
    assert names == {PATHS[key].name for key in BOOKS}
    assert Path(solutions.SOLUTIONS).is_relative_to(solutions.NOTEBOOKS)
