"""Figures of sentiment as a number equal slow, literal definitions of each convention, and the known mistakes show."""

import warnings

import numpy as np
import pytest
import sklearn.metrics
import torch

from mmsa_utils.learning.regression import CONVENTIONS, classification_figures, regression_figures, weighted_f1

#: Every place where a figure may turn: halves, cuts, ends, zero from either side, and one step beyond each.
STEPS = (0.0, 1e-9, 0.1, 0.2, 0.5, 0.7, 1.0, 1.005, 1.5, 2.5, 3.0, 3.2, 3.5, 9.0)
EDGES = [sign * step for step in STEPS for sign in (1, -1)]
#: Seven posts with five accuracies: the example of the module.
LABELS, ANSWERS = [-3.0, -2.0, 0.0, 0.0, 0.0, 1.0, 3.0], [-1.6, -0.6, -0.2, -0.3, -0.4, 0.4, 1.7]


def half_to_even(x: float) -> int:
    below = int(np.floor(x))
    return below + int(x - below > 0.5 or (x - below == 0.5 and below % 2 == 1))


def clipped(x: float, end: float) -> float:
    return -end if x < -end else end if x > end else x


def share(pairs: list[tuple]) -> float:
    return sum(answer == label for answer, label in pairs) / len(pairs) if pairs else float("nan")


def f1_by_hand(pairs: list[tuple]) -> float:
    total = 0.0
    for name in {label for _, label in pairs}:
        hits = sum(answer == label == name for answer, label in pairs)
        precision = hits / max(1, sum(answer == name for answer, _ in pairs))
        recall = hits / sum(label == name for _, label in pairs)
        total += 2 * precision * recall / ((precision + recall) or 1) * sum(label == name for _, label in pairs)
    return total / len(pairs) if pairs else float("nan")


def pearson(pairs: list[tuple]) -> float:
    a, b = (np.array(side, dtype=np.float64) for side in zip(*pairs))
    a, b = a - a.mean(), b - b.mean()
    return float((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum()))


def rounded(pairs: list[tuple], end: float) -> float:
    return share([(half_to_even(clipped(p, end)), half_to_even(clipped(y, end))) for p, y in pairs])


def binned(pairs: list[tuple], cuts: tuple[float, ...]) -> float:
    """Which bin, each closed above: as many as cuts lie below the number, in the number's own precision."""
    return share([tuple(sum(x > type(x)(cut) for cut in cuts) for x in pair) for pair in pairs])


def literally(values: np.ndarray, labels: np.ndarray, convention: str) -> dict[str, float]:
    """The definition in the simplest words: post by post."""
    pairs = list(zip(values, labels))
    if convention == "sims":
        one = [tuple(type(x)(clipped(x, 1)) for x in pair) for pair in pairs]
        classes = [(p > 0, y > 0) for p, y in one]
        return {"mae": np.mean([abs(p - y) for p, y in one]), "correlation": pearson(one),
                "acc_5": binned(one, (-0.7, -0.1, 0.1, 0.7)), "acc_3": binned(one, (-0.1, 0.1)),
                "acc_2": share(classes), "f1": f1_by_hand(classes)}
    figures = {"mae": np.mean([abs(p - y) for p, y in pairs]), "correlation": pearson(pairs)}
    with_neutral = [(p >= 0, y >= 0) for p, y in pairs]
    without = [(p > 0, y > 0) for p, y in pairs if y != 0]
    if convention == "cmu-before-2019":
        return {**figures, "acc_7": rounded(pairs, 1e9), "acc_2": share(with_neutral), "f1": f1_by_hand(with_neutral)}
    figures |= {"acc_7": rounded(pairs, 3), "acc_5": rounded(pairs, 2)}
    if convention == "cmu-since-2019":
        return {**figures, "acc_2": share(without), "f1": f1_by_hand(without)}
    return {**figures, "acc_3": rounded(pairs, 1), "acc_2_has0": share(with_neutral),
            "f1_has0": f1_by_hand(with_neutral), "acc_2_non0": share(without), "f1_non0": f1_by_hand(without)}


def drawn(kind: str, draw: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    if kind == "edges":
        return draw.choice(EDGES, n), draw.choice(EDGES, n)
    if kind == "fifths":  # the labels of SIMS
        return draw.normal(0, 1, n), draw.integers(-5, 6, n) / 5
    return draw.normal(0, 1.5, n), draw.normal(0, 1.5, n)


@pytest.mark.parametrize("labelled", ["edges", "fifths", "any"])
@pytest.mark.parametrize("convention", CONVENTIONS)
def test_figures_equal_the_literal_definition(convention, labelled):
    for seed in range(25):
        draw = np.random.default_rng(seed)
        values, labels = drawn(labelled, draw, int(draw.integers(3, 120)))
        expected = literally(values, labels, convention)
        assert regression_figures(values, labels, convention) == pytest.approx(expected, abs=1e-9, rel=0, nan_ok=True)


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("kinds", [("float32", "float32"), ("float32", "float64"), ("float64", "float32")])
def test_each_side_is_compared_in_its_own_precision(convention, kinds):
    draw = np.random.default_rng(0)
    values, labels = (draw.choice(EDGES, 500).astype(kind) for kind in kinds)
    expected = literally(values, labels, convention)
    found = regression_figures(torch.tensor(values), torch.tensor(labels)[:, None], convention)
    assert found.pop("mae") == pytest.approx(expected.pop("mae"), rel=1e-6)  # a mean of float32, in whatever order
    assert found == pytest.approx(expected, abs=1e-9, rel=0)


def test_a_float32_on_a_cut_of_sims_stays_on_it():
    # 0.1 as float32 is 0.100000001: in float64 it would be above the cut, in the next bin
    cut = np.float32([0.1, -0.1, 0.7, -0.7])
    found = regression_figures(cut, [0.05, -0.5, 0.5, -0.9], "sims")
    assert (found["acc_5"], found["acc_3"]) == (1, 1)
    assert regression_figures(cut, [0.15, -0.05, 0.75, -0.65], "sims")["acc_5"] == 0


def test_seven_posts_have_five_accuracies():
    found = regression_figures(ANSWERS, LABELS, "mosi")
    names = ("acc_7", "acc_5", "acc_3", "acc_2_has0", "acc_2_non0")
    assert [found[name] for name in names] == pytest.approx([3 / 7, 5 / 7, 6 / 7, 4 / 7, 1])
    assert found["mae"] == pytest.approx((1.4 + 1.4 + 0.2 + 0.3 + 0.4 + 0.6 + 1.3) / 7)
    assert regression_figures(ANSWERS, LABELS, "cmu-before-2019")["acc_2"] == pytest.approx(4 / 7)
    assert regression_figures(ANSWERS, LABELS, "cmu-since-2019")["acc_2"] == 1
    assert regression_figures(ANSWERS, LABELS, "sims")["acc_2"] == 1  # zero is negative, and so are their answers


def test_an_answer_beyond_the_scale_is_clipped_or_not():
    assert regression_figures([4.2, -1.0], [3.0, -1.0], "cmu-since-2019")["acc_7"] == 1
    assert regression_figures([4.2, -1.0], [3.0, -1.0], "cmu-before-2019")["acc_7"] == 0.5
    assert regression_figures([4.2, -1.5], [1.0, -1.0], "sims")["mae"] == 0


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("values", [[0.1] * 7, [0.3] * 7])  # the mean of seven times 0.1 is not 0.1
def test_constant_answers_correlate_with_nothing_and_warn_of_nothing(convention, values):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = regression_figures(values, LABELS, convention)
    assert [name for name, figure in found.items() if np.isnan(figure)] == ["correlation"]


def test_only_neutral_posts_have_no_figure_without_them():
    found = regression_figures([0.3, -0.2], [0.0, 0.0], "mosi")
    assert {name for name, figure in found.items() if np.isnan(figure)} == {"correlation", "acc_2_non0", "f1_non0"}
    assert found["acc_2_has0"] == 0.5


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_an_answer_that_is_nan_makes_every_figure_nan(convention):
    assert np.isnan(list(regression_figures([0.1, np.nan, 1], [0, 1, 2], convention).values())).all()


def test_an_infinite_answer_is_infinitely_wrong():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = regression_figures([np.inf, 1, -1], [3, 1, -1], "mosi")
    assert found["mae"] == np.inf
    assert np.isnan(found["correlation"])
    assert found["acc_7"] == 1


@pytest.mark.parametrize(("values", "labels", "convention", "says"), [
    ([], [], "mosi", "at least one post"),
    ([1, 2], [1], "mosi", "2 answers and 1 labels"),
    ([[1, 2]], [1], "mosi", r"shape \(1, 2\)"),
    ([1, 2, 3], [1, np.nan, np.inf], "sims", "2 of 3 labels"),
    ([1], [1], "mosei", "expected one of mosi"),
])
def test_what_cannot_be_measured_is_refused(values, labels, convention, says):
    with pytest.raises(ValueError, match=says):
        regression_figures(values, labels, convention)


@pytest.mark.parametrize("classes", [1, 2, 3, 7])
def test_weighted_f1_equals_scikit_learn(classes):
    for seed in range(20):
        draw = np.random.default_rng(seed)
        answers, labels = draw.integers(classes, size=(2, int(draw.integers(1, 50))))
        expected = sklearn.metrics.f1_score(labels, answers, average="weighted", zero_division=0)
        assert weighted_f1(answers, labels) == pytest.approx(expected, abs=1e-12)
    with pytest.raises(ValueError, match="at least one post"):
        weighted_f1([], [])


def probabilities(answers: np.ndarray, sides: np.ndarray) -> torch.Tensor:
    """Of three classes: the answer is the most probable, and of negative and positive the one that `sides` says."""
    made = torch.full((len(answers), 3), 0.1)
    made[range(len(answers)), 2 * torch.as_tensor(sides)] += 0.1
    made[range(len(answers)), torch.as_tensor(answers)] += 0.5
    return made


def test_figures_of_classes():
    answers, labels = np.array([0, 1, 1, 2, 2, 0]), np.array([0, 1, 2, 1, 2, 2])
    sides = np.array([0, 1, 1, 1, 1, 0])
    found = classification_figures(probabilities(answers, sides), torch.as_tensor(labels))
    assert found == pytest.approx({
        "accuracy": 3 / 6, "macro_f1": sklearn.metrics.f1_score(labels, answers, average="macro"),
        "weighted_f1": sklearn.metrics.f1_score(labels, answers, average="weighted"),
        "acc_2_has0": 3 / 6, "f1_has0": sklearn.metrics.f1_score(labels == 2, sides, average="weighted"),
        "acc_2_non0": 3 / 4, "f1_non0": sklearn.metrics.f1_score([0, 1, 1, 1], [0, 1, 1, 0], average="weighted")})
    assert set(classification_figures(torch.eye(2), torch.tensor([0, 1])).values()) == {1}
    assert "acc_2_has0" not in classification_figures(torch.eye(2), torch.tensor([0, 1]))
    assert np.isnan(list(classification_figures(torch.tensor([[np.nan, 0.5, 0.5]]), torch.tensor([1])).values())).all()
    with pytest.raises(ValueError, match="no posts"):
        classification_figures(torch.zeros(0, 3), torch.zeros(0, dtype=torch.long))


# What the known mistakes do to a figure.

def test_swapped_arguments_hide_a_class_that_was_forgotten():
    labels, answers = np.array([-1.0] * 5 + [1.0] * 5), np.array([0.5] * 4 + [-0.5] + [0.5] * 5)
    right = regression_figures(answers, labels, "mosi")["f1_non0"]
    assert right == pytest.approx((2 / 6 + 10 / 14) / 2)
    swapped = weighted_f1(labels > 0, answers > 0)
    assert swapped == pytest.approx((2 / 6 * 1 + 10 / 14 * 9) / 10)
    assert swapped > right + 0.15


def test_classes_0_and_2_compared_with_0_and_1_count_every_positive_post_wrong():
    labels = np.array([0, 0, 1, 2, 2, 2])
    perfect = torch.eye(3)[torch.as_tensor(labels)]
    assert classification_figures(perfect, torch.as_tensor(labels))["acc_2_non0"] == 1
    kept = labels != 1
    assert (perfect[:, [0, 2]].argmax(-1).numpy()[kept] == labels[kept]).mean() == pytest.approx(2 / 5)


def test_the_best_epoch_on_the_test_posts_is_luck():
    draw = np.random.default_rng(0)
    labels = draw.choice([-1.0, 1.0], (2, 100))  # validation, test
    epochs = draw.normal(size=(50, 2, 100))  # nothing was learned
    shares = [[regression_figures(epoch[split], labels[split], "mosi")["acc_2_non0"] for split in (0, 1)]
              for epoch in epochs]
    assert max(test for _, test in shares) > 0.57
    assert abs(max(shares)[1] - 0.5) < 0.08  # the epoch that validation chose, looked at once


def test_a_mean_of_batch_means_is_not_the_figure_of_all():
    labels, answers = np.array([-2.0, -1.0, -1.5, -1.0, 1.0, 2.0]), np.array([-1.0, -2.0, -1.5, -1.2, 2.0, 1.0])
    whole = regression_figures(answers, labels, "mosi")
    batches = [regression_figures(answers[rows], labels[rows], "mosi") for rows in (slice(4), slice(4, 6))]
    assert np.mean([batch["correlation"] for batch in batches]) < -0.5 < 0.8 < whole["correlation"]
    assert whole["mae"] == pytest.approx(4.2 / 6)
    assert np.mean([batch["mae"] for batch in batches]) == pytest.approx((2.2 / 4 + 2 / 2) / 2)
