"""What is to become small: the loss, for classes and for numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F


def check_labels(labels: Tensor, classes: int | None) -> None:
    """Raise ValueError unless every label is one that the model can learn.

    Args:
        labels: (batch,).
        classes: how many there are: whole numbers from 0 are expected. None: finite numbers with a point.
    """
    if labels.dim() != 1:
        raise ValueError(f"the labels have the shape {tuple(labels.shape)}: expected (n,), one for each example; "
                         "labels.squeeze(-1) makes it of (n, 1).")
    if classes is None:
        if not labels.is_floating_point() or not labels.isfinite().all():
            raise ValueError(f"the labels are {labels.dtype}, {int((~labels.isfinite()).sum())} of them not finite: "
                             "expected finite floating-point numbers for a model without classes.")
        return
    if labels.is_floating_point() or labels.is_complex():
        raise ValueError(f"the labels are {labels.dtype}: expected a tensor of class indices, whole numbers (or, for a "
                         "model that gives a number, floating-point ones).")
    wrong = (labels < 0) | (labels >= classes)
    if wrong.any():
        index = int(wrong.nonzero()[0])
        raise ValueError(f"the label of example {index} is {labels[index].item()}: expected 0 to {classes - 1} for a "
                         f"model with {classes} classes.")


def class_count(classes: Sequence[str] | None) -> int | None:
    """How many classes a model has, for `check_labels`."""
    return None if classes is None else len(classes)


def balanced_weights(labels: Iterable[int], classes: int) -> list[float]:
    """A weight for each class, n / (classes x its posts), with which rare classes count as much as frequent ones.

    Args:
        labels: of the training posts, and of no others.
        classes: how many there are. One without posts gets the weight 1, which nothing comes of.
    """
    counts = Counter(int(label) for label in labels)
    n = sum(counts.values())
    return [n / (classes * counts[label]) if counts[label] else 1.0 for label in range(classes)]


def weighted_loss(logits: Tensor, labels: Tensor, weights: Tensor | None = None) -> Tensor:
    """`loss_of`, in which an example counts as much as its class: the sum of weight x loss, by the count of examples.

    Args:
        logits, labels: as in `loss_of`, for classes.
        weights: (classes,); None: `loss_of` itself.
    """
    if weights is None:
        return loss_of(logits, labels)
    if logits.shape[-1] == 1:  # of two classes: the same as two logits, the first of them 0
        logits = torch.cat([torch.zeros_like(logits), logits], -1)
    return F.cross_entropy(logits, labels, weights.to(logits), reduction="sum") / len(labels)


def checked_weights(weights: Sequence[float] | Tensor | None, classes: int | None) -> Tensor | None:
    """Weights of classes as a tensor (classes,).

    Raises:
        ValueError: unless there is one for each class, finite and above 0.
    """
    if weights is None:
        return None
    tensor = torch.as_tensor(weights, dtype=torch.float)
    if classes is None or tensor.shape != (classes,) or not (tensor.isfinite() & (tensor > 0)).all():
        raise ValueError(f"the class weights are {str(weights)[:60]}: expected " + (
            "none for a model without classes." if classes is None else
            f"{classes} numbers above 0, one for each class; balanced_weights(labels, {classes}) makes them."))
    return tensor


def loss_of(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean loss over the examples.

    Cross-entropy; for a single logit binary cross-entropy; for labels that are numbers with a point the mean squared
    error. It is exact however large a logit is, as no probability is computed on the way.

    Args:
        logits: (batch, 1) or (batch, classes).
        labels: (batch,) of class indices, or of floating-point numbers.
    """
    if labels.is_floating_point():
        return F.mse_loss(logits.squeeze(-1), labels.to(logits.dtype))
    if logits.shape[-1] == 1:
        return F.binary_cross_entropy_with_logits(logits.squeeze(-1), labels.to(logits.dtype))
    return F.cross_entropy(logits, labels)
