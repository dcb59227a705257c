"""Sentiment as a number, and the figures that the field makes of it: each convention by its name.

An annotator said 0, a model says -0.2. Is that right? It depends on whom you ask, and so the same answers have five
accuracies. Take seven posts and what a model says of them:

    labels    -3.0  -2.0   0.0   0.0   0.0   1.0   3.0
    answers   -1.6  -0.6  -0.2  -0.3  -0.4   0.4   1.7

- **Acc-7** rounds both to the whole numbers from -3 to 3: three of the seven agree, 0.43.
- **Acc-5** clips both to -2 to 2 before, so that -3 and -1.6 are the same class: 5/7, 0.71.
- **Acc-3** clips to -1 to 1: negative, neutral and positive, where neutral reaches from -0.5 to 0.5: 6/7, 0.86.
- **Acc-2, has-0** asks whether a number is negative. A neutral post counts as *not negative*, and an answer of -0.2 to
  it is wrong: 4/7, 0.57.
- **Acc-2, non-0** leaves neutral posts out and asks whether the rest is positive: 4/4, 1.00.

None is wrong, and none can be compared with another. CMU's tables before 2019 are has-0 and later ones non-0, two to
three points apart with nothing learned. SIMS, whose labels lie between -1 and 1, has bins of its own, and there zero
counts as negative. So a figure comes with the name of its convention, or it says nothing.

Mistakes that were published, and that no figure here makes:

- *F1 with its arguments swapped.* The weighted F1 weighs each class by how many posts have it as their label. With
  answers in the labels' place it weighs by the answers, which hides a class that the model forgot. So it was in MulT's
  code, and in MMSA's until 2021; its older tables have that figure. (The F1 of a single class does not change.)
- *Non-0 of classes that compares {0, 2} with {0, 1}.* Of three classes 0, 1, 2 the neutral 1 is left out; what remains
  is labelled 0 and 2, while the larger of two probabilities is number 0 or 1. A positive post can never be right: see
  `classification_figures`.
- *The best epoch picked on the test posts.* The best of many is good by luck too. Validation posts choose; the test
  posts are looked at once.
- *A mean of batch means.* The last batch is smaller and counts as much as the others, and the F1 or the correlation of
  a whole is not the mean of those of its parts. Collect all answers first.

Sources: thuiar/MMSA, src/MMSA/utils/metricsTop.py; yaohungt/Multimodal-Transformer (MulT), src/eval_metrics.py;
pliang279/MFN, test_mosi.py; Justin1904/Low-rank-Multimodal-Fusion (LMF), train_mosi.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from .metrics import accuracy, macro_f1

#: The conventions of `regression_figures`: name -> what it means.
CONVENTIONS: dict[str, str] = {
    "mosi": "MOSI and MOSEI as MMSA computes them: Acc-7, 5 and 3 by clipping and rounding (half to even); two classes "
            "twice: negative against not negative (has0), and negative against positive without neutral posts (non0)",
    "cmu-before-2019": "MOSI in CMU's tables up to 2018 (MFN, LMF): Acc-7 by rounding without clipping; two classes: "
                       "negative against not negative",
    "cmu-since-2019": "MOSI and MOSEI in CMU's tables from MulT (2019) on: Acc-7 and 5 by clipping and rounding; two "
                      "classes: negative against positive, neutral posts left out",
    "sims": "CH-SIMS as MMSA computes it: all is clipped to -1 to 1 first; bins are closed above: two classes cut at 0 "
            "(zero is negative), three at -0.1 and 0.1, five at -0.7, -0.1, 0.1 and 0.7",
}


def regression_figures(values: Tensor | np.ndarray | Sequence[float], labels: Tensor | np.ndarray | Sequence[float],
                       convention: str) -> dict[str, float]:
    """All figures of a convention, counted over posts at once.

    Numbers are compared in their own precision, as the sources do: a float32 of 0.1 lies on the cut at 0.1, and a mean
    of float32 is float32. What is neither float32 nor float64 becomes float64.

    Args:
        values: the model's answers, (n,) or (n, 1), in the labels' unit.
        labels: (n,) or (n, 1): -3 to 3 for MOSI and MOSEI, -1 to 1 for SIMS.
        convention: a name in `CONVENTIONS`.

    Returns:
        "mae" (mean absolute error) and "correlation" (Pearson's); the shares of right classes and the weighted F1 of
        two classes: "acc_7", "acc_5", "acc_3", "acc_2_has0", "f1_has0", "acc_2_non0", "f1_non0" for ``"mosi"``;
        "acc_7", "acc_2", "f1" for ``"cmu-before-2019"``; "acc_7", "acc_5", "acc_2", "f1" for ``"cmu-since-2019"``;
        "acc_5", "acc_3", "acc_2", "f1" for ``"sims"``. Correlation is NaN where either side is constant, and the
        figures without neutral posts are NaN where all are neutral. An answer that is NaN makes every figure NaN.

    Raises:
        ValueError: for an unknown convention, no posts, other shapes, and labels that are NaN or infinite.
    """
    if convention not in _FIGURES:
        raise ValueError(f"there is no convention {str(convention)[:60]!r}: expected one of {', '.join(CONVENTIONS)}.")
    values, labels = _numbers(values), _numbers(labels)
    if len(values) != len(labels) or not len(labels):
        raise ValueError(f"there are {len(values)} answers and {len(labels)} labels: expected one of each for each "
                         "post, and at least one post.")
    if wrong := np.count_nonzero(~np.isfinite(labels)):
        raise ValueError(f"{wrong} of {len(labels)} labels are NaN or infinite: expected numbers. Leave these posts "
                         "out, and say so.")
    figures = _FIGURES[convention](values, labels)
    return dict.fromkeys(figures, float("nan")) if np.isnan(values).any() else figures


def weighted_f1(answers: np.ndarray | Tensor | Sequence, labels: np.ndarray | Tensor | Sequence) -> float:
    """F1 of each class (2 TP / (2 TP + FP + FN)), weighted by how many posts have it as their label. (n,) classes.

    The order matters: swapped, it weighs by the answers. Equal to scikit-learn's f1_score(labels, answers,
    average="weighted"), in a fiftieth of its time: an interval asks for it thousands of times.

    Raises:
        ValueError: for no posts, or not a class for each.
    """
    answers, labels = np.asarray(answers), np.asarray(labels)
    if answers.shape != labels.shape or labels.ndim != 1 or not len(labels):
        raise ValueError(f"the answers have the shape {answers.shape} and the labels {labels.shape}: expected (n,) "
                         "classes each, and at least one post.")
    classes = np.unique(labels)[:, None]  # a class that is no label weighs nothing
    wanted, given = labels == classes, answers == classes
    f1 = 2 * (wanted & given).sum(1) / (wanted.sum(1) + given.sum(1))
    return float(f1 @ wanted.sum(1) / len(labels))


def classification_figures(probabilities: Tensor, labels: Tensor) -> dict[str, float]:
    """Figures of classes, and for three of them, in the order of `LABELS`, those of two that MMSA reports beside.

    For two classes the neutral probability is left out and the larger of the others is the answer. With neutral posts
    (has0) these count as negative, unlike in has-0 of numbers; without them (non0) a positive label is class 1 of 2, as
    its answer is. MMSA leaves it at 2, so its own non-0 counts every positive post wrong.

    Args:
        probabilities: (n, classes).
        labels: (n,).

    Returns:
        "accuracy", "macro_f1", "weighted_f1"; of three classes also "acc_2_has0", "f1_has0", "acc_2_non0", "f1_non0",
        where the last two are NaN if all posts are neutral. A probability that is NaN makes every figure NaN.

    Raises:
        ValueError: for no posts.
    """
    if not len(labels):
        raise ValueError("there are no posts: expected at least one.")
    answers = probabilities.argmax(-1)
    figures = {"accuracy": accuracy(probabilities, labels), "macro_f1": macro_f1(probabilities, labels),
               "weighted_f1": weighted_f1(answers.numpy(force=True), labels.numpy(force=True))}
    if probabilities.shape[-1] == 3:
        sides, positive = probabilities[:, [0, 2]].argmax(-1).numpy(force=True) == 1, labels.numpy(force=True) == 2
        figures |= _two_classes(sides, positive, "has0")
        kept = labels.numpy(force=True) != 1
        figures |= _two_classes(sides[kept], positive[kept], "non0")
    return dict.fromkeys(figures, float("nan")) if probabilities.isnan().any() else figures


def _numbers(numbers: Tensor | np.ndarray | Sequence[float]) -> np.ndarray:
    """(n,) of float32 or float64."""
    if isinstance(numbers, Tensor):
        exact = numbers if numbers.dtype in (torch.float32, torch.float64) else numbers.double()
        array = exact.numpy(force=True)
    else:
        array = np.asarray(numbers)
        array = array if array.dtype in (np.float32, np.float64) else array.astype(np.float64)
    if array.ndim != 1 and array.shape[1:] != (1,):
        raise ValueError(f"the numbers have the shape {array.shape}: expected (n,) or (n, 1), one for each post.")
    return array.reshape(-1)


def _distances(values: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Mean absolute error, and Pearson's correlation."""
    constant = any((side == side[0]).all() for side in (values, labels))  # rounding would give it some variance
    with np.errstate(invalid="ignore"):  # an infinite answer correlates with nothing: NaN
        correlation = np.nan if constant else np.corrcoef(values, labels)[0, 1]
    return {"mae": float(np.mean(np.abs(values - labels))), "correlation": float(correlation)}


def _rounded(values: np.ndarray, labels: np.ndarray, end: float) -> float:
    """Share of posts whose answer and label are the same whole number, both clipped to -end to end."""
    return float(np.mean(np.round(values.clip(-end, end)) == np.round(labels.clip(-end, end))))


def _two_classes(answers: np.ndarray, labels: np.ndarray, name: str = "") -> dict[str, float]:
    """Accuracy and weighted F1 of yes or no; NaN of nothing."""
    share, f1 = (float(np.mean(answers == labels)), weighted_f1(answers, labels)) if len(labels) else (np.nan, np.nan)
    return {f"acc_2_{name}".rstrip("_"): share, f"f1_{name}".rstrip("_"): f1}


def _mosi(values: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    kept = labels != 0
    return {**_distances(values, labels), **{f"acc_{2 * end + 1}": _rounded(values, labels, end) for end in (3, 2, 1)},
            **_two_classes(values >= 0, labels >= 0, "has0"),
            **_two_classes(values[kept] > 0, labels[kept] > 0, "non0")}


def _cmu_before_2019(values: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    return {**_distances(values, labels), "acc_7": _rounded(values, labels, np.inf),
            **_two_classes(values >= 0, labels >= 0)}


def _cmu_since_2019(values: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    kept = labels != 0
    return {**_distances(values, labels), **{f"acc_{2 * end + 1}": _rounded(values, labels, end) for end in (3, 2)},
            **_two_classes(values[kept] > 0, labels[kept] > 0)}


def _sims(values: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    values, labels = values.clip(-1, 1), labels.clip(-1, 1)

    def binned(*cuts: float) -> float:
        # The cuts in the numbers' own precision: else a float32 of 0.1, which is a little more, falls above the cut.
        bins = [np.digitize(side, np.array(cuts, side.dtype), right=True) for side in (values, labels)]
        return float(np.mean(bins[0] == bins[1]))

    return {**_distances(values, labels), "acc_5": binned(-0.7, -0.1, 0.1, 0.7), "acc_3": binned(-0.1, 0.1),
            **_two_classes(values > 0, labels > 0)}


_FIGURES: dict[str, Callable[[np.ndarray, np.ndarray], dict[str, float]]] = {
    "mosi": _mosi, "cmu-before-2019": _cmu_before_2019, "cmu-since-2019": _cmu_since_2019, "sims": _sims}
