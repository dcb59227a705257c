"""Measure a model on posts that it did not learn from."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from ..bars import progress
from ..fusion.absent import drop_sides
from ..model.head import probabilities_of
from ..model.model import MultimodalSentimentModel
from ..model.modes import evaluating
from .losses import check_labels, class_count, loss_of, weighted_loss
from .metrics import accuracy, regression_summary, summary


@torch.no_grad()
def outputs(model: MultimodalSentimentModel, loader: Iterable[dict[str, Tensor]], show_progress: bool = False,
            modality_dropout: float = 0.0, gather: Callable[[Any], Any] | None = None) -> tuple[Tensor, Tensor]:
    """The model's logits (n, outputs) and the labels (n,) of all examples, with dropout off.

    With `modality_dropout` each side of each post is left out with that probability, the same ones each time. Where
    several processes have a part of each batch, `gather` makes whole batches of parts (`Team.gather`).
    """
    logits: list[Tensor] = []
    labels: list[Tensor] = []
    generator = torch.Generator().manual_seed(0)
    with evaluating(model):
        for batch in progress(loader, "evaluate", show_progress):
            check_labels(batch["labels"], class_count(model.classes))
            inputs = {name: tensor.to(model.device) for name, tensor in batch.items() if name != "labels"}
            if modality_dropout:
                sides = drop_sides(model.encode(**inputs), modality_dropout, generator)
                said = model.classify(model.fuse(sides))
            else:
                said = model(**inputs)
            part = (said.float(), batch["labels"])
            for kept, rows in zip((logits, labels), part if gather is None else gather(part)):
                kept.append(rows.cpu())
    if not logits:
        raise ValueError("there are no batches: expected at least one.")
    return torch.cat(logits), torch.cat(labels)


def answers(model: MultimodalSentimentModel, loader: Iterable[dict[str, Tensor]],
            show_progress: bool = False) -> tuple[Tensor, Tensor]:
    """The model's probabilities (n, classes) and the labels (n,) of all examples, with dropout off."""
    logits, labels = outputs(model, loader, show_progress)
    return model.answers_of(logits), labels


def evaluate(model: MultimodalSentimentModel, loader: Iterable[dict[str, Tensor]],
             show_progress: bool = False, class_weights: Tensor | None = None,
             modality_dropout: float = 0.0, gather: Callable[[Any], Any] | None = None) -> dict[str, float]:
    """Loss, accuracy, macro-F1 and calibration error, counted over the examples of a loader.

    For a model without classes: loss (mean squared error), mean absolute error and correlation. With `class_weights`
    (classes,) the loss is `weighted_loss`; all else is as it would be without. For `modality_dropout` and `gather` see
    `outputs`.
    """
    return measured(*outputs(model, loader, show_progress, modality_dropout, gather), class_weights)


def measured(logits: Tensor, labels: Tensor, class_weights: Tensor | None = None) -> dict[str, float]:
    """The figures of logits (n, outputs) beside their labels (n,). The loss is that of the logits, so it is exact."""
    figures = regression_summary(logits, labels) if labels.is_floating_point() else summary(
        probabilities_of(logits), labels)
    return {**figures, "loss": weighted_loss(logits.double(), labels, class_weights).item()}


def loss_and_accuracy(logits: Tensor, labels: Tensor) -> dict[str, float]:
    """Loss and accuracy, and nothing that takes longer; where labels are numbers, loss and mean absolute error."""
    loss = loss_of(logits.double(), labels).item()
    if labels.is_floating_point():
        return {"loss": loss, "mae": (logits.reshape(len(labels)) - labels).abs().mean().item()}
    return {"loss": loss, "accuracy": accuracy(probabilities_of(logits), labels)}
