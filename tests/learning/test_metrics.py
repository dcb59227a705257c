"""The figures that the course reports are the ones that the textbooks define."""

import numpy as np
import pytest
import scipy.stats
import sklearn.metrics
import torch

from mmsa_utils import metrics


def random_answers(n: int = 200, classes: int = 3, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(seed)
    return (
        torch.softmax(2 * torch.randn(n, classes, generator=rng), -1),
        torch.randint(classes, (n,), generator=rng),
    )


def certain(*answers: int, classes: int = 3) -> torch.Tensor:
    return torch.eye(classes)[list(answers)]


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("n", [1, 5, 200])
def test_scores_equal_scikit_learn(n, classes):
    probabilities, labels = random_answers(n, classes, seed=n)
    answers = probabilities.argmax(-1)
    assert metrics.accuracy(probabilities, labels) == pytest.approx(sklearn.metrics.accuracy_score(labels, answers))
    assert metrics.macro_f1(probabilities, labels) == pytest.approx(
        sklearn.metrics.f1_score(labels, answers, labels=range(classes), average="macro", zero_division=0)
    )
    exact = probabilities.double() / probabilities.double().sum(-1, keepdim=True)
    assert metrics.log_loss(probabilities, labels) == pytest.approx(
        sklearn.metrics.log_loss(labels, exact, labels=range(classes)), rel=1e-5
    )
    assert metrics.confusion(probabilities, labels).tolist() == (
        sklearn.metrics.confusion_matrix(labels, answers, labels=range(classes)).tolist()
    )


def test_macro_f1_by_hand():
    # class 0: 1 of 2 found, nothing else taken for it: 2/3; class 1: 2/(2+3) * 2 = 4/5; class 2 never occurs: 0
    assert metrics.macro_f1(certain(0, 1, 1, 1), torch.tensor([0, 0, 1, 1])) == pytest.approx((2 / 3 + 4 / 5) / 3)


def test_perfect_answers_to_posts_that_lack_a_class_are_no_perfect_macro_f1():
    assert metrics.macro_f1(certain(0, 1), torch.tensor([0, 1])) == pytest.approx(2 / 3)
    assert metrics.macro_f1(certain(0, 1, classes=2), torch.tensor([0, 1])) == 1


@pytest.mark.parametrize(("right", "n"), [(0, 3), (2, 2), (1, 2), (7, 10), (1900, 2000)])
def test_the_interval_of_a_share_is_wilsons(right, n):
    expected = scipy.stats.binomtest(right, n).proportion_ci(method="wilson")
    assert metrics.proportion(right, n) == pytest.approx((right / n, expected.low, expected.high), abs=1e-6)


def test_nothing_has_no_share():
    assert metrics.proportion(0, 0) is None


def test_the_intervals_of_f1_hold_it_and_narrow_with_the_posts():
    few, many = (metrics.macro_f1_interval(n * torch.tensor([[8, 2], [1, 9]])) for n in (1, 100))
    for mean, low, high in (few, many):
        assert 0 <= low < mean < high <= 1
    assert few[0] == pytest.approx(many[0])
    assert many[2] - many[1] < 0.2 * (few[2] - few[1])


def test_the_interval_of_macro_f1_holds_the_truth_nearly_always():
    draw = np.random.default_rng(0)
    shares = np.array([[0.45, 0.05], [0.1, 0.4]])
    truth = metrics.macro_f1_interval(torch.tensor(1e6 * shares).long())[0]
    found = [metrics.macro_f1_interval(torch.tensor(draw.multinomial(60, shares.ravel()).reshape(2, 2)))
             for _ in range(400)]
    assert np.mean([low <= truth <= high for _, low, high in found]) > 0.93


def test_loss_of_an_even_guess_is_ln_classes():
    assert metrics.log_loss(torch.full((7, 3), 1 / 3), torch.arange(7) % 3) == pytest.approx(np.log(3))


def test_loss_of_a_certain_mistake_is_finite():
    assert 20 < metrics.log_loss(certain(0), torch.tensor([1])) < 100


def test_calibration_error_by_hand():
    # 4 answers at confidence 0.9 of which 2 are right, 4 at 0.6 of which 3 are right
    probabilities = torch.tensor([[0.9, 0.1]] * 4 + [[0.4, 0.6]] * 4)
    labels = torch.tensor([0, 0, 1, 1, 1, 1, 1, 0])
    assert metrics.calibration_error(probabilities, labels) == pytest.approx(0.5 * 0.4 + 0.5 * 0.15)
    assert metrics.reliability(probabilities, labels) == [
        pytest.approx((0.6, 0.75, 0.5)),
        pytest.approx((0.9, 0.5, 0.5)),
    ]


def test_answers_as_sure_as_they_are_right_have_no_calibration_error():
    probabilities, _ = random_answers(50_000)
    labels = torch.multinomial(probabilities, 1, generator=torch.Generator().manual_seed(1)).squeeze(-1)
    assert metrics.calibration_error(probabilities, labels) < 0.01
    sharpened = torch.softmax(3 * probabilities.log(), -1)
    assert metrics.calibration_error(sharpened, labels) > 0.1


def test_full_confidence_falls_into_the_last_bin():
    assert metrics.reliability(certain(0, 1), torch.tensor([0, 0])) == [(1.0, 0.5, 1.0)]


@pytest.mark.parametrize("bins", [1, 15])
def test_shares_of_the_bins_sum_to_one(bins):
    assert sum(share for *_, share in metrics.reliability(*random_answers(), bins)) == pytest.approx(1)


def test_slices_count_each_relation_by_itself():
    relations = ["agree", "agree", "contradict", "refer"]
    sliced = metrics.slice_accuracy(certain(0, 1, 2, 2), torch.tensor([0, 0, 2, 1]), relations)
    assert sliced == {"agree": 0.5, "contradict": 1.0, "refer": 0.0}


def test_who_won_by_hand():
    kinds = [2, -1, 1, -2, 2, 0, "same", "opposite"]
    levels = [-2, 2, -1, 1, 2, -1, 2, -2]  # the first four contradict themselves
    answers = certain(2, 2, 1, 0, 0, 0, 0, 0)  # text, picture, neither, text
    assert metrics.who_won(answers, kinds, levels) == {"text": 0.5, "picture": 0.25, "neither": 0.25}
    assert metrics.who_won(answers[4:], kinds[4:], levels[4:]) == {}


def test_who_won_with_two_classes_has_no_neither():
    answers = certain(1, 1, 0, classes=2)
    won = metrics.who_won(answers, [2, -1, 1], [-2, 2, -1])
    assert won == pytest.approx({"text": 1 / 3, "picture": 2 / 3, "neither": 0})


@pytest.mark.parametrize("n", [2, 5, 50])
def test_interval_equals_scipy(n):
    values = np.random.default_rng(n).normal(0.8, 0.1, n)
    low, high = scipy.stats.t.interval(0.95, n - 1, values.mean(), scipy.stats.sem(values))
    assert metrics.interval(values) == pytest.approx((values.mean(), low, high))


def test_one_run_has_no_interval():
    mean, low, high = metrics.interval([0.5])
    assert mean == 0.5
    assert np.isnan([low, high]).all()


def test_summary_is_made_of_the_single_figures():
    answers = random_answers()
    assert metrics.summary(*answers) == {
        "loss": metrics.log_loss(*answers),
        "accuracy": metrics.accuracy(*answers),
        "macro_f1": metrics.macro_f1(*answers),
        "calibration_error": metrics.calibration_error(*answers),
    }
