"""Agreement beyond luck is what its authors worked out by hand."""

import warnings

import numpy as np
import pytest
import torch

from mmsa_utils.learning.agreement import cohen_kappa, fleiss_kappa, percent_agreement, vote_counts

MOODS = ("negative", "neutral", "positive")
#: Ten subjects, five categories, fourteen raters: the worked example known with Fleiss' kappa, 0.210.
FLEISS = np.array([[0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
                   [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7]])


def pairs(table: list[list[int]]) -> tuple[list[str], list[str]]:
    """Labels of two annotators with these counts."""
    rows = [(MOODS[a], MOODS[b]) for a, row in enumerate(table) for b, n in enumerate(row) for _ in range(n)]
    return [a for a, _ in rows], [b for _, b in rows]


def test_fleiss_example():
    assert percent_agreement(FLEISS) == pytest.approx(0.378, abs=5e-4)
    assert fleiss_kappa(FLEISS) == pytest.approx(0.210, abs=5e-4)
    # once more by the formula: the columns sum to 20, 28, 39, 21 and 32 of 140 votes
    luck = (20**2 + 28**2 + 39**2 + 21**2 + 32**2) / 140**2
    agreeing = sum(n * (n - 1) for row in FLEISS.tolist() for n in row) / (10 * 14 * 13)
    assert fleiss_kappa(FLEISS) == pytest.approx((agreeing - luck) / (1 - luck), abs=1e-12)


def test_cohens_by_hand():
    first, second = pairs([[20, 5, 0], [10, 15, 0], [0, 0, 0]])
    # they agree on 35 of 50; luck: 25/50 * 30/50 + 25/50 * 20/50 = 0.5
    assert cohen_kappa(first, second) == pytest.approx((0.7 - 0.5) / (1 - 0.5))
    assert cohen_kappa(first, second, MOODS) == pytest.approx(0.4)
    assert percent_agreement(vote_counts(list(zip(first, second)))) == pytest.approx(0.7)


@pytest.mark.parametrize(("weights", "distance"), [("linear", lambda d: d), ("quadratic", lambda d: d * d),
                                                   (None, lambda d: int(d > 0))])
def test_weights_count_how_far_two_labels_are_apart(weights, distance):
    table = np.array([[11, 4, 1], [3, 7, 2], [2, 5, 15]])
    first, second = pairs(table.tolist())
    luck = np.outer(table.sum(1), table.sum(0)) / table.sum()
    apart = np.array([[distance(abs(a - b)) for b in range(3)] for a in range(3)])
    expected = 1 - (apart * table).sum() / (apart * luck).sum()
    assert cohen_kappa(first, second, MOODS, weights) == pytest.approx(expected, abs=1e-12)


def test_a_class_that_nobody_gave_keeps_its_place_among_the_weights():
    # of five classes the second does not occur: 0 and 2 are still two apart
    first, second = [0, 2, 2, 3, 0, 4], [2, 2, 0, 3, 0, 3]
    apart = sum(abs(a - b) for a, b in zip(first, second)) / 6
    luck = np.mean([abs(a - b) for a in first for b in second])
    assert cohen_kappa(first, second, range(5), "linear") == pytest.approx(1 - apart / luck)


def test_ends_of_the_scale():
    assert cohen_kappa([0, 1, 0, 1], [0, 1, 0, 1]) == 1
    assert cohen_kappa([0, 1, 0, 1], [1, 0, 1, 0]) == -1
    assert fleiss_kappa(np.array([[3, 0], [0, 3], [3, 0]])) == 1
    draw = np.random.default_rng(0)
    assert abs(cohen_kappa(*draw.integers(3, size=(2, 4000)))) < 0.04
    assert abs(fleiss_kappa(vote_counts(draw.integers(3, size=(4000, 3))))) < 0.04


def test_agreement_often_no_better_than_luck():
    # nine of ten posts are positive to both, and each finds other exceptions: they agree on 80 %, and kappa is below 0
    first, second = [1] * 8 + [0, 1], [1] * 8 + [1, 0]
    assert percent_agreement(vote_counts(list(zip(first, second)))) == pytest.approx(0.8)
    assert cohen_kappa(first, second) == pytest.approx((0.8 - 0.82) / 0.18)


def test_one_label_for_everything_says_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isnan(cohen_kappa(["positive"] * 3, ["positive"] * 3))
        assert np.isnan(cohen_kappa(["positive"] * 3, ["positive"] * 3, MOODS, "linear"))
        assert np.isnan(fleiss_kappa(np.array([[3, 0], [3, 0]])))
    assert percent_agreement(np.array([[3, 0], [3, 0]])) == 1
    assert cohen_kappa([1, 1, 1], [1, 1, 0]) == 0  # one who never differs agrees by luck alone


def test_votes_are_counted_in_the_order_of_the_classes():
    votes = [("positive", "neutral", "positive"), ("negative", "negative", "negative")]
    assert vote_counts(votes, MOODS).tolist() == [[0, 1, 2], [3, 0, 0]]
    assert vote_counts(votes).tolist() == [[2, 1, 0], [0, 0, 3]]  # as they occur
    assert vote_counts(torch.tensor([[0, 2], [1, 1]]), range(3)).tolist() == [[1, 0, 1], [0, 2, 0]]
    assert cohen_kappa(np.array([0, 1, 1]), torch.tensor([0, 1, 0])) == cohen_kappa([0, 1, 1], [0, 1, 0])


@pytest.mark.parametrize(("call", "says"), [
    (lambda: cohen_kappa([0], [0, 1]), "1 labels and 2"),
    (lambda: cohen_kappa([], []), "at least one post"),
    (lambda: cohen_kappa([0, None], [0, 1]), "1 labels are missing"),
    (lambda: cohen_kappa([0, float("nan")], [0, 1]), "1 labels are missing"),
    (lambda: cohen_kappa(["positive", "happy"], ["positive"] * 2, MOODS), "happy"),
    (lambda: cohen_kappa([0, 1], [0, 1], weights="linear"), "classes in their order"),
    (lambda: cohen_kappa([0, 1], [0, 1], [0, 1], "cubic"), "'linear' or 'quadratic'"),
    (lambda: vote_counts(["positive", "neutral"]), "one label for each post"),
    (lambda: vote_counts([1, 2]), "one label for each post"),
    (lambda: fleiss_kappa(np.array([[3, 0], [1, 1]])), "between 2 and 3 votes"),
    (lambda: fleiss_kappa(np.array([[1, 0], [0, 1]])), "at least two"),
    (lambda: fleiss_kappa(np.array([[1.5, 1.5]])), "whole numbers"),
    (lambda: percent_agreement(np.array([2, 1])), "whole numbers"),
    (lambda: percent_agreement(np.zeros((0, 3), int)), "whole numbers"),
])
def test_what_is_no_agreement_is_refused(call, says):
    with pytest.raises(ValueError, match=says):
        call()
