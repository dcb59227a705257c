"""Train a `MultimodalSentimentModel` end to end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence, Sized
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from ..bars import progress
from ..fusion.absent import drop_sides
from ..model.head import probabilities_of
from ..model.model import MultimodalSentimentModel
from ..posts.identity import identity
from ..seeds import apart, seeded
from .alignment import check_absence, refuse_missing
from .evaluation import evaluate
from .losses import check_labels, checked_weights, class_count, weighted_loss
from .runs import Run, digest


def train(model: MultimodalSentimentModel, loader: Iterable[dict[str, Tensor]],
          validation: Iterable[dict[str, Tensor]], *, epochs: int = 5, encoder_lr: float = 1e-3, lr: float = 2e-3,
          weight_decay: float = 0.01, warmup: float = 0.1, clip: float = 1.0,
          class_weights: Sequence[float] | Tensor | None = None, modality_dropout: float = 0.0, seed: int = 0,
          checkpoint: str | Path | None = None, on_epoch: Callable[[MultimodalSentimentModel], Any] | None = None,
          show_progress: bool = True) -> list[dict[str, float]]:
    """Train with AdamW and keep the epoch with the lowest validation loss.

    Args:
        model: trained in place, on the device it is on; ``model.freeze()`` first to train fusion and head alone.
        loader, validation: from `make_loader`, or any list of batches; the validation posts choose the epoch and
            nothing else.
        epochs: passes over the data.
        encoder_lr: learning rate of the pretrained encoders (small: they know something already; 2e-5 is usual for
            full-size BERT).
        lr: of everything else: fusion and head.
        weight_decay: of AdamW, on matrices only.
        warmup: share of the steps over which the rates rise from zero; then they fall linearly to zero.
        clip: largest norm of the gradient.
        class_weights: how much an example of each class counts in the loss, such as `balanced_weights` of the training
            labels, so that a rare class is not passed over. The validation loss, which chooses the epoch, is weighted
            alike.
        modality_dropout: the probability with which each side of a post is left out, so that a model made with
            absent=True learns to do without (`drop_sides`): in training anew each time, of the validation posts the
            same ones in each epoch.
        seed: of dropout.
        checkpoint: a file to keep the run in after each epoch. A start that finds it goes on there, and ends with the
            same bits as if nothing had happened; it stays when the run is over.
        on_epoch: called with the model after each epoch, so that the run can be recorded. What random numbers it
            draws changes nothing in the run.

    Returns:
        The history: one row an epoch with train_loss, train_accuracy, loss, accuracy, macro_f1 (validation). The
        training figures are counted while the epoch runs, over every example. For a model without classes: train_loss,
        loss, mae, correlation.

    Raises:
        ValueError: for a label that is no class, no epochs, a loss that is never a number, a checkpoint of another
            run, or `on_epoch` for a run whose first epochs are over: they cannot be shown to it again; for posts that
            lack a side if the model was not made with absent=True.
        OSError: if the checkpoint cannot be written.
    """
    if epochs < 1:
        raise ValueError(f"epochs is {epochs}: expected at least 1.")
    steps = epochs * _length(loader)
    _length(validation)
    check_absence(model.fusion, modality_dropout)
    device, classes = model.device, class_count(model.classes)
    weights = checked_weights(class_weights, classes)
    weighted: dict[str, Any] = {} if weights is None else {"class_weights": weights}
    if modality_dropout:
        weighted["modality_dropout"] = modality_dropout
    optimizer = torch.optim.AdamW(_parameter_groups(model, encoder_lr, lr, weight_decay), fused=True)
    schedule = _warmed_up(optimizer, steps, warmup)
    mixed = device.type == "cuda"  # half precision is faster there; the scaler keeps small gradients from vanishing
    scaler = torch.amp.GradScaler(device.type, enabled=mixed)
    trained = [p for p in model.parameters() if p.requires_grad]
    with seeded(seed, device):
        # Frozen encoders are what they were: they need not be kept after each epoch.
        learner = nn.ModuleList([model.fusion, model.head]) if model.encoders_fixed else model
        shuffles = [getattr(batches, "generator", None) or torch.Generator() for batches in (loader, validation)]
        run = Run(learner, [optimizer, schedule, scaler, *shuffles], checkpoint, None if checkpoint is None else {
            "epochs": epochs, "warm-up or clipping": [warmup, clip],
            **({} if weights is None else {"class weights": weights.tolist()}),
            **({"modality dropout": modality_dropout} if modality_dropout else {}),
            "encoders": digest(*model.encoders.state_dict().values()), **_posts_of(loader, validation)},
            on_epoch is not None)
        for epoch in range(len(run.history) + 1, epochs + 1):
            model.train()
            total_loss, right, count = 0.0, 0, 0
            for batch in progress(loader, f"epoch {epoch}/{epochs}", show_progress):
                check_labels(batch["labels"], classes)
                labels = batch["labels"].to(device)
                with torch.autocast(device.type, torch.float16, enabled=mixed):
                    sides = model.encode(**{name: x.to(device) for name, x in batch.items() if name != "labels"})
                    refuse_missing(model.fusion, sides)
                    logits = model.classify(model.fuse(
                        drop_sides(sides, modality_dropout) if modality_dropout else sides))
                    loss = weighted_loss(logits.float(), labels, weights)
                optimizer.zero_grad()
                scaler.scale(loss).backward()
                scaler.unscale_(optimizer)
                nn.utils.clip_grad_norm_(trained, clip)
                scaler.step(optimizer)
                scaler.update()
                schedule.step()
                total_loss += loss.item() * len(labels)
                right += 0 if classes is None else (
                    probabilities_of(logits.detach()).argmax(-1) == labels).sum().item()
                count += len(labels)
            train_figures = {"train_loss": total_loss / count}
            if classes is not None:
                train_figures["train_accuracy"] = right / count
            checked = evaluate(model, validation, **weighted)
            run.end_epoch({"epoch": epoch, **train_figures,
                           **{name: value for name, value in checked.items() if name != "calibration_error"}})
            if on_epoch is not None:
                with apart(device):
                    on_epoch(model)
    run.load_best()
    model.eval()
    return run.history


def _length(batches: Iterable[dict[str, Tensor]]) -> int:
    """How many batches there are."""
    if not isinstance(batches, Sized) or not len(batches):
        raise ValueError(f"a loader is a {type(batches).__name__} without a length, or empty: expected one from "
                         "make_loader, or a list of batches.")
    return len(batches)


def _warmed_up(optimizer: torch.optim.Optimizer, steps: int, warmup: float) -> torch.optim.lr_scheduler.LambdaLR:
    """Rates that rise linearly over a share of the steps, and then fall to zero."""
    rising = max(1, round(warmup * steps))
    return torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / rising, max(0.0, (steps - step) / max(1, steps - rising))))


def _posts_of(loader: Any, validation: Any) -> dict[str, Any]:
    """What of the data makes a run the same as an earlier one."""
    if not isinstance(loader, DataLoader) or not isinstance(validation, DataLoader):
        raise ValueError("a checkpoint needs loaders from make_loader: whether a list of batches is that of an earlier "
                         "run cannot be told.")
    return {"batch size": loader.batch_size, "posts": identity(loader.dataset),  # type: ignore[arg-type]
            "validation posts": identity(validation.dataset)}  # type: ignore[arg-type]


def history_table(history: list[dict[str, float]]) -> str:
    """A training history as a small table of text."""
    names = list(history[0])
    lines = ["  ".join(f"{name:>14}" for name in names)]
    for row in history:
        lines.append("  ".join(f"{row[name]:>14.3f}" if isinstance(row[name], float) else f"{row[name]:>14}"
                               for name in names))
    return "\n".join(lines)


def _parameter_groups(model: MultimodalSentimentModel, encoder_lr: float, lr: float, weight_decay: float) -> list:
    """Four groups: encoders or the rest, and matrices with weight decay or vectors (biases, norms) without."""
    groups = []
    for encoders, rate in ((True, encoder_lr), (False, lr)):
        chosen = [p for name, p in model.named_parameters()
                  if p.requires_grad and name.startswith("encoders.") == encoders]
        groups += [{"params": [p for p in chosen if p.dim() > 1], "lr": rate, "weight_decay": weight_decay},
                   {"params": [p for p in chosen if p.dim() <= 1], "lr": rate, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]
