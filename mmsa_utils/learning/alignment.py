"""The correction phase: align a random fusion and head with the truth, on features that are extracted once.

With frozen encoders a post's features never change. So they are computed a single time (`extract_features`), and
fusion and head are trained on the cached tensors in seconds (`align`); correction.py repeats it over seeds and
controls.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..encoders.base import Encoded
from ..fusion.absent import Absent, drop_sides, missing
from ..fusion.base import Fusion
from ..fusion.concat import Concat
from ..model.head import Scale, probabilities_of
from ..model.modes import evaluating
from ..posts.post import SUBJECTS
from ..seeds import apart, seeded
from . import metrics
from .device import device_of
from .evaluation import loss_and_accuracy, measured
from .features import Features
from .losses import check_labels, loss_of
from .runs import Run


def align(fusion: Fusion, head: nn.Module, train: Features, validation: Features, *, epochs: int = 30,
          lr: float = 2e-3, weight_decay: float = 0.01, batch_size: int = 256, modality_dropout: float = 0.0,
          seed: int = 0, checkpoint: str | Path | None = None, on_epoch: Callable[[nn.Module], Any] | None = None
          ) -> list[dict[str, float]]:
    """Train a fusion and a head on cached features with AdamW; keep the epoch with the lowest validation loss.

    Args:
        fusion, head: trained in place, on the device that they are on. The fusion reads the sides that it was made
            for; a `Scale` in the head takes its measure of the training posts first.
        train, validation: from `extract_features`; the validation posts choose the epoch and nothing else.
        epochs: passes over the data.
        lr, weight_decay: of AdamW.
        batch_size: posts a step.
        modality_dropout: the probability with which each side of a training post is left out, anew in each epoch, so
            that an `Absent` fusion learns to do without (`drop_sides`). The validation posts lose theirs once.
        seed: of the order of the posts, of dropout, and of what is left out.
        checkpoint: a file to keep the run in after each epoch, as in `train`.
        on_epoch: called with the head before the first epoch and after each; the fusion is at the same epoch.

    Returns:
        The history: one row an epoch with train_loss, and loss and accuracy on the validation posts (mean absolute
        error where labels are numbers). Row 0 is the start, before anything was learned.

    Raises:
        ValueError: for epochs below 0, a loss that is never a number, a label that is no class, features that are NaN
            or infinite, a checkpoint of another run, `on_epoch` for a run whose first epochs are over, and for posts
            that lack a side if the fusion is not `Absent`.
        OSError: if the checkpoint cannot be written.
    """
    if epochs < 0:
        raise ValueError(f"epochs is {epochs}: expected 0 or more.")
    check_features(head, train, validation)
    check_absence(fusion, modality_dropout, train, validation)
    if modality_dropout:
        generator = torch.Generator().manual_seed(seed)
        validation = replace(validation, sides=drop_sides(validation.sides, modality_dropout, generator))
    fixed = type(fusion) is Concat  # it makes the same vectors in every epoch
    device = device_of(head)
    inputs, held_out = fused(fusion, train).to(device), fused(fusion, validation)
    for layer in head.modules():
        if isinstance(layer, Scale):
            layer.measure(inputs)
    both = nn.ModuleList([fusion, head])
    with seeded(seed, device):
        optimizer = torch.optim.AdamW(both.parameters(), lr=lr, weight_decay=weight_decay, fused=True)
        run = Run(both, [optimizer], checkpoint, {
            "epochs": epochs, "batch size": batch_size,
            **({"modality dropout": modality_dropout} if modality_dropout else {}),
            "features": [*train.tensors(fusion.widths), *validation.tensors(fusion.widths)]}, on_epoch is not None)
        for epoch in range(len(run.history), epochs + 1):
            total = 0.0
            if epoch:  # epoch 0 only measures the start
                both.train()
                for rows in torch.randperm(len(train)).split(batch_size):
                    if fixed:
                        vectors = inputs[rows]
                    else:
                        sides = train.batch(rows, fusion.widths, device)
                        vectors = fusion(drop_sides(sides, modality_dropout) if modality_dropout else sides)
                    loss = loss_of(head(vectors), train.labels[rows].to(device))
                    optimizer.zero_grad()
                    loss.backward()
                    optimizer.step()
                    total += loss.item() * len(rows)
            logits = logits_of(head, held_out if fixed else fused(fusion, validation))
            run.end_epoch({"epoch": epoch, "train_loss": total / len(train) if epoch else float("nan"),
                           **loss_and_accuracy(logits, validation.labels)})
            if on_epoch is not None:
                with apart(device):
                    on_epoch(head)
    run.load_best()
    return run.history


def check_absence(fusion: Fusion, modality_dropout: float, *sets: Features) -> None:
    """Raise ValueError if a fusion is to do without a side, by dropout or in these posts, and cannot learn it."""
    if not 0 <= modality_dropout < 1:
        raise ValueError(f"modality_dropout is {modality_dropout}: expected a share from 0 on, below 1.")
    if modality_dropout and not isinstance(fusion, Absent):
        raise ValueError(f"modality_dropout is {modality_dropout}, and a {type(fusion).__name__} has nothing that "
                         "stands for a missing side: expected Absent(fusion), or a model made with absent=True.")
    if isinstance(fusion, Absent):
        return
    lacking = [missing({side: features.sides[side] for side in fusion.widths if side in features.sides})
               for features in sets]
    nowhere = {side for side in fusion.widths if all(gone[side].all() for gone in lacking if side in gone)}
    for features in sets:  # a side that no post has is a constant, and teaches nothing wrong
        refuse_missing(fusion, {side: features.sides[side] for side in fusion.widths if side in features.sides
                                and side not in nowhere})


def refuse_missing(fusion: Fusion, sides: Mapping[str, Encoded]) -> None:
    """Raise ValueError for posts that lack a side, unless the fusion learns what stands for it."""
    if isinstance(fusion, Absent):
        return
    for name, gone in missing(sides).items():
        if gone.any():
            raise ValueError(f"{int(gone.sum())} of {len(gone)} posts have no {SUBJECTS.get(name, name)}, and a "
                             f"{type(fusion).__name__} has nothing that stands for it: expected Absent(fusion), or a "
                             "model made with absent=True; or leave those posts out.")


def check_features(head: nn.Module, *sets: Features) -> None:
    """Raise ValueError for features that are NaN or infinite, and for labels that a head cannot give.

    What it can give, its last layer tells: so many classes; two, or a number, if it has a single output.
    """
    outputs = [layer.out_features for layer in head.modules() if isinstance(layer, nn.Linear)]
    for features in sets:
        features.check()
        if not len(features) or not outputs:
            raise ValueError(f"there are {len(features)} posts, and the head has {len(outputs)} linear layers: "
                             "expected at least one of each.")
        number = outputs[-1] == 1 and features.labels.is_floating_point()
        check_labels(features.labels, None if number else max(2, outputs[-1]))


@torch.no_grad()
def fused(fusion: Fusion, features: Features) -> Tensor:
    """What the head sees of cached features, dropout off: (n, width of the fusion), where the fusion is."""
    device = device_of(fusion)
    with evaluating(fusion):  # some posts at a time: sequences of all of them need not fit into memory
        return torch.cat([fusion(features.batch(slice(start, start + 4096), fusion.widths, device))
                          for start in range(0, len(features), 4096)])


@torch.no_grad()
def logits_of(head: nn.Module, vectors: Tensor) -> Tensor:
    """A head's logits for fused vectors, dropout off, on the CPU: (n, outputs)."""
    with evaluating(head):
        return head(vectors.to(device_of(head))).cpu()


def head_outputs(fusion: Fusion, head: nn.Module, features: Features) -> Tensor:
    """Logits for cached features, dropout off: (n, outputs)."""
    return logits_of(head, fused(fusion, features.check()))


def head_answers(fusion: Fusion, head: nn.Module, features: Features, temperature: float = 1.0) -> Tensor:
    """Probabilities for cached features, dropout off: (n, classes)."""
    return probabilities_of(head_outputs(fusion, head, features) / temperature)


def fit_temperature(fusion: Fusion, head: nn.Module, features: Features) -> float:
    """Temperature scaling (Guo et al. 2017): the one number that logits are divided by, fitted on validation posts.

    It never changes an answer, only how sure the head is of it. Above 1 the head was too sure.
    """
    from scipy.optimize import minimize_scalar

    check_features(head, features)
    if features.labels.is_floating_point():
        raise ValueError("the labels are numbers: a temperature is for the probabilities of classes.")
    logits = head_outputs(fusion, head, features).double()

    def loss(log_temperature: float) -> float:
        return loss_of(logits / torch.tensor(log_temperature).exp(), features.labels).item()

    return float(torch.tensor(minimize_scalar(loss, bounds=(-3, 3), method="bounded").x).exp())


def measure(fusion: Fusion, head: nn.Module, features: Features, temperature: float = 1.0) -> dict[str, Any]:
    """All figures of a head on cached features: `summary`, accuracy by relation, and who won the contradictions.

    The last two are for classes, and who won for two or three moods, alone; else they are left out.
    """
    check_features(head, features)
    logits = head_outputs(fusion, head, features) / temperature
    figures: dict[str, Any] = measured(logits, features.labels)
    if not features.labels.is_floating_point():
        probabilities = probabilities_of(logits)
        figures["slices"] = metrics.slice_accuracy(probabilities, features.labels, features.relations)
        if probabilities.shape[-1] in (2, 3) and tuple(features.sides) == ("text", "image"):
            figures["who_won"] = metrics.who_won(probabilities, features.text_kinds, features.picture_levels)
    return figures
