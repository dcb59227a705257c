"""Partial credit: what holds of a wrong answer counts in part, and a stub, a constant or nonsense never does."""

import importlib

import pytest

from mmsa_utils import checks
from mmsa_utils.exercises.compare import Refused, after, compare
from mmsa_utils.exercises.table import EXERCISES, MODULES

#: Exercises whose checks have parts → the shares that their wrong answers can earn.
PARTS = {"2.2": {1 / 2}, "2.3": {1 / 2}, "4.2": {1 / 2}, "4.3": {1 / 2}, "5.2": {1 / 3, 2 / 3}, "6.1": {1 / 3, 2 / 3},
         "6.2": {1 / 2}, "8.1": {1 / 2}, "9.2": {1 / 2}, "9.3": {1 / 4, 1 / 2, 3 / 4}, "10.2": {1 / 2}, "11.1": {1 / 2},
         "12.3": {1 / 2}}


@pytest.mark.parametrize("number", PARTS)
def test_what_holds_of_a_wrong_answer_counts_in_part(number):
    name = EXERCISES[number]
    wrong = importlib.import_module(f"answers_{MODULES[number.partition('.')[0]]}").WRONG[name]
    shares = [getattr(checks, name)(answer).share for answer, _ in wrong]
    assert set(shares) == {0, *PARTS[number]}


@pytest.mark.parametrize("number", PARTS)
def test_a_stub_a_constant_or_nonsense_earns_nothing(number):
    check = getattr(checks, EXERCISES[number])
    for answer in (..., None, 0, [], lambda *x: ..., lambda *x: 0, lambda *x: 0.5, lambda *x: (0, 0), lambda *x: (1, 1),
                   lambda *x: x[0], lambda *x: x[0] * 0, lambda *x: (x[0], x[0]), lambda *x: 1 / 0, lambda *x: "text"):
        verdict = check(answer)
        assert verdict.status != "right"
        assert verdict.share == 0


def test_parts_of_a_result_count_where_they_are_right_on_every_case():
    def share(answer, parts=True):
        with pytest.raises(Refused) as caught:
            compare(answer, lambda x: (x, 2 * x, 3 * x, 4 * x), [(1.0,), (2.0,)], parts=parts)
        return caught.value.share

    assert share(lambda x: (x, 2 * x, 3 * x, 0)) == 0.75
    assert share(lambda x: [x, 2, 3, 4]) == 0.25  # right on one case is not right
    assert share(lambda x: (x, 2 * x, 3 * x)) == 0
    assert share(lambda x: "text") == 0
    assert share(lambda x: (x, 2 * x, 3 * x, 0), parts=False) == 0


def test_the_later_part_counts_where_blocks_lie_in_each_other():
    with pytest.raises(Refused) as caught, after(1, of=3), after(2, of=3):
        raise Refused("no")
    assert caught.value.share == pytest.approx(2 / 3)
