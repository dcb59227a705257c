"""Intervals hold the truth as often as they say, and two models are compared on the same posts."""

import numpy as np
import pytest
import scipy.stats
import sklearn.metrics

from mmsa_utils.learning.metrics import over_posts_and_seeds
from mmsa_utils.learning.paired import bootstrap, paired_difference
from mmsa_utils.learning.regression import weighted_f1


def answers_of_two(draw: np.random.Generator, n: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Right or wrong, both at 0.7 in truth; what is hard for one is hard for the other."""
    hard = draw.normal(size=n)
    right = [np.sqrt(0.5) * hard + np.sqrt(0.5) * draw.normal(size=n) < scipy.stats.norm.ppf(0.7) for _ in range(2)]
    return right[0], right[1]


def test_the_interval_of_a_mean_is_scipys():
    values = np.random.default_rng(0).exponential(size=300)
    found = bootstrap(values)
    expected = scipy.stats.bootstrap((values,), np.mean, method="percentile", n_resamples=4000).confidence_interval
    assert found["mean"] == values.mean()
    assert (found["low"], found["high"]) == pytest.approx((expected.low, expected.high), abs=0.02)
    assert bootstrap(values) == found
    assert bootstrap(values, seed=1)["low"] != found["low"]


def test_any_figure_of_rows_has_an_interval():
    draw = np.random.default_rng(0)
    answers, labels = draw.integers(3, size=(2, 200))
    answers = np.where(draw.random(200) < 0.6, labels, answers)
    ours = bootstrap(np.arange(200), lambda rows: weighted_f1(answers[rows], labels[rows]), draws=60)
    theirs = bootstrap(np.stack([answers, labels], 1), lambda both: sklearn.metrics.f1_score(
        both[:, 1], both[:, 0], average="weighted"), draws=60)
    assert ours == pytest.approx(theirs)
    assert 0.08 < ours["high"] - ours["low"] < 0.18


def test_the_interval_of_a_correlation_holds_the_truth():
    held = 0
    for seed in range(80):
        draw = np.random.default_rng(seed)
        x = draw.normal(size=200)
        both = np.stack([x, 0.6 * x + 0.8 * draw.normal(size=200)], 1)
        found = bootstrap(both, lambda rows: np.corrcoef(rows.T)[0, 1], draws=150, seed=seed)
        held += found["low"] <= 0.6 <= found["high"]
    assert 0.86 <= held / 80 < 1


def test_a_draw_without_a_figure_leaves_no_interval():
    found = bootstrap(np.array([1.0, 0.0]), lambda drawn: drawn.mean() if len(set(drawn)) > 1 else np.nan)
    assert found["mean"] == 0.5
    assert np.isnan([found["low"], found["high"]]).all()


def test_the_difference_is_held_as_often_as_said():
    found = [paired_difference(*answers_of_two(np.random.default_rng(seed)), draws=300, seed=seed)
             for seed in range(200)]
    assert 0.91 <= np.mean([one["low"] <= 0 <= one["high"] for one in found]) <= 0.98
    assert np.mean([one["p"] < 0.05 for one in found]) <= 0.07  # exact: never more than 5 % in the long run


def test_the_same_posts_make_the_interval_narrower():
    a, b = answers_of_two(np.random.default_rng(0), 1000)
    paired = paired_difference(a, b)
    apart = np.sqrt(sum((one["high"] - one["low"])**2 for one in (over_posts_and_seeds(a[None]),
                                                                  over_posts_and_seeds(b[None]))))
    assert paired["difference"] == pytest.approx(a.mean() - b.mean())
    assert 0.6 < (paired["high"] - paired["low"]) / apart < 0.9  # by their correlation of about 1/3: 0.82
    # by the formula for the mean of the differences
    half = 1.96 * (a.astype(float) - b).std() / np.sqrt(1000)
    assert (paired["high"] - paired["low"]) / 2 == pytest.approx(half, rel=0.06)


def test_mcnemar_by_hand():
    # b is right alone on 1 post, a on 7: of 8 coins at most one or at least seven, 2 * (1 + 8) / 256
    a, b = np.array([True] * 7 + [False] + [True] * 30), np.array([False] * 7 + [True] + [True] * 30)
    assert paired_difference(a, b)["p"] == pytest.approx(18 / 256)
    assert paired_difference(b, a)["p"] == pytest.approx(18 / 256)


def test_two_that_never_differ():
    right = np.array([True, False, True])
    assert paired_difference(right, right) == {"difference": 0, "low": 0, "high": 0, "p": 1}


def test_seeds_are_drawn_for_each_by_itself():
    steady = np.tile(np.arange(300) % 2 == 0, (1, 1))  # one run, half right
    lucky = np.stack([np.ones(300, bool), np.zeros(300, bool)])  # two runs: all right, and nothing
    found = paired_difference(lucky, steady)
    assert found["difference"] == 0
    assert (found["low"], found["high"]) == pytest.approx((-0.5, 0.5), abs=0.07)
    assert np.isnan(found["p"])
    both = paired_difference(lucky, lucky)  # with draws in common it would be 0 to 0
    assert (both["low"], both["high"]) == (-1, 1)


def test_several_alike_runs_are_as_one():
    a, b = answers_of_two(np.random.default_rng(1))
    one, five = paired_difference(a, b), paired_difference(np.tile(a, (5, 1)), np.tile(b, (3, 1)))
    assert five["difference"] == pytest.approx(one["difference"])
    assert (five["low"], five["high"]) == pytest.approx((one["low"], one["high"]), abs=0.02)


def test_errors_can_be_compared_too():
    draw = np.random.default_rng(0)
    a, b = np.abs(draw.normal(size=(2, 500)))
    found = paired_difference(a, b)
    assert found["difference"] == pytest.approx(a.mean() - b.mean())
    assert np.isnan(found["p"])
    assert found["low"] < found["difference"] < found["high"]


@pytest.mark.parametrize("call", [
    lambda: bootstrap(np.zeros(0)), lambda: bootstrap(np.float64(1)),
    lambda: paired_difference(np.zeros(0, bool), np.zeros(0, bool)),
    lambda: paired_difference(np.ones(3, bool), np.ones(4, bool)),
    lambda: paired_difference(np.ones((1, 2, 3), bool), np.ones(3, bool)),
])
def test_no_posts_and_other_posts_are_refused(call):
    with pytest.raises(ValueError, match="at least one"):
        call()
