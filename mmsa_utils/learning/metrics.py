"""How good are the answers: every figure is counted over examples, never averaged over batches.

An answer that is NaN is neither right nor wrong: then the figure is NaN too.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ..posts.rules import RELATIONS


def accuracy(probabilities: Tensor, labels: Tensor) -> float:
    """Share of examples whose most probable class is the label. (n, classes) and (n,)."""
    if probabilities.isnan().any():
        return float("nan")
    return (probabilities.argmax(-1) == labels).double().mean().item()


def macro_f1(probabilities: Tensor, labels: Tensor) -> float:
    """F1 of each class (2 TP / (2 TP + FP + FN)), averaged over the classes that occur. (n, classes) and (n,)."""
    if probabilities.isnan().any():
        return float("nan")
    predictions = probabilities.argmax(-1)
    scores = []
    for label in range(probabilities.shape[-1]):
        predicted, true = predictions == label, labels == label
        if predicted.any() or true.any():
            scores.append(2 * (predicted & true).sum().item() / (predicted.sum() + true.sum()).item())
    return float(np.mean(scores))


def log_loss(probabilities: Tensor, labels: Tensor) -> float:
    """Mean negative log-likelihood in nats: ln(classes) for an even guess. (n, classes) and (n,)."""
    chosen = probabilities.double().gather(-1, labels.unsqueeze(-1))
    return -chosen.clamp(min=1e-12).log().mean().item()


def reliability(probabilities: Tensor, labels: Tensor, bins: int = 15) -> list[tuple[float, float, float]]:
    """Confidence against accuracy, in bins of equal width (DeGroot & Fienberg 1983).

    Args:
        probabilities: (n, classes); the confidence of an answer is its largest probability.
        labels: (n,).
        bins: between confidence 0 and 1; empty ones are left out.

    Returns:
        For each bin: mean confidence, accuracy, share of the examples.
    """
    if probabilities.isnan().any():
        return [(float("nan"),) * 3]
    confidence, predictions = probabilities.double().max(-1)
    right = (predictions == labels).double()
    index = (confidence * bins).long().clamp(max=bins - 1)
    return [(confidence[index == b].mean().item(), right[index == b].mean().item(),
             (index == b).double().mean().item()) for b in range(bins) if (index == b).any()]


def calibration_error(probabilities: Tensor, labels: Tensor, bins: int = 15) -> float:
    """Expected calibration error (Naeini et al. 2015): mean gap between confidence and accuracy, 0 at best."""
    return sum(share * abs(confidence - right) for confidence, right, share in reliability(probabilities, labels, bins))


def summary(probabilities: Tensor, labels: Tensor) -> dict[str, float]:
    """Loss, accuracy, macro-F1 and calibration error of (n, classes) probabilities against (n,) labels."""
    return {"loss": log_loss(probabilities, labels), "accuracy": accuracy(probabilities, labels),
            "macro_f1": macro_f1(probabilities, labels),
            "calibration_error": calibration_error(probabilities, labels)}


def regression_summary(values: Tensor, labels: Tensor) -> dict[str, float]:
    """Mean squared error ("loss"), mean absolute error and Pearson's correlation of (n,) or (n, 1) numbers with labels.

    The correlation is NaN where either side is constant.
    """
    values, labels = values.reshape(len(labels)).double(), labels.double()
    error = values - labels
    return {"loss": error.square().mean().item(), "mae": error.abs().mean().item(),
            "correlation": torch.corrcoef(torch.stack([values, labels]))[0, 1].item() if len(labels) > 1
            else float("nan")}


def confusion(probabilities: Tensor, labels: Tensor) -> Tensor:
    """Counts (classes, classes): rows are true labels, columns predictions.

    Raises:
        ValueError: for probabilities that are NaN: they are no prediction.
    """
    if probabilities.isnan().any():
        raise ValueError("there are probabilities that are NaN: the model's weights are damaged, or its training went "
                         "astray.")
    classes = probabilities.shape[-1]
    return torch.bincount(labels * classes + probabilities.argmax(-1), minlength=classes**2).reshape(classes, classes)


def slice_accuracy(probabilities: Tensor, labels: Tensor, relations: Sequence[str]) -> dict[str, float]:
    """Accuracy on agreeing, soft, contradicting and referring posts, for those that occur."""
    relations = np.asarray(relations)  # type: ignore[assignment]
    chosen = {name: torch.from_numpy(relations == name) for name in RELATIONS}  # type: ignore[arg-type]
    return {name: accuracy(probabilities[mask], labels[mask]) for name, mask in chosen.items() if mask.any()}


def who_won(probabilities: Tensor, text_kinds: Sequence, picture_levels: Sequence[int]) -> dict[str, float]:
    """On posts whose text and picture contradict each other: whose side did the answer take?

    Args:
        probabilities: (n, 3) or, without the neutral class, (n, 2), of any posts.
        text_kinds, picture_levels: (n,), as in `Post`; posts that do not contradict themselves are passed over.

    Returns:
        Shares of ``"text"``, ``"picture"`` and ``"neither"`` (the answer was neutral), which sum to 1; empty if no
        post contradicts itself.
    """
    valences = (-1, 0, 1) if probabilities.shape[-1] == 3 else (-1, 1)
    sides = [(int(np.sign(kind)), int(np.sign(level)), valences[answer])
             for kind, level, answer in zip(text_kinds, picture_levels, probabilities.argmax(-1).tolist())
             if isinstance(kind, (int, np.integer)) and np.sign(kind) * np.sign(level) == -1]
    if not sides:
        return {}
    winners = ["text" if answer == text else "picture" if answer == picture else "neither"
               for text, picture, answer in sides]
    return {name: winners.count(name) / len(winners) for name in ("text", "picture", "neither")}


def interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Mean of repeated runs with its 95 % interval (Student's t): mean, low, high. One run has no interval: NaN."""
    from scipy.stats import t

    mean = float(np.mean(values))
    if len(values) < 2:
        return mean, float("nan"), float("nan")
    half = float(t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values)))
    return mean, mean - half, mean + half
