"""Train a `MultimodalSentimentModel` end to end."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence, Sized
from pathlib import Path
from typing import Any, NamedTuple

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
from .together import Team, start

#: What of a step is computed in half precision, by its name: all in single precision, or matrix products in one of two
#: kinds of halves. "auto": float16 on a CUDA card, where it is faster, and single precision elsewhere.
PRECISIONS = {"auto": None, "fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


def train(model: MultimodalSentimentModel, loader: Iterable[dict[str, Tensor]],
          validation: Iterable[dict[str, Tensor]], *, epochs: int = 5, encoder_lr: float = 1e-3, lr: float = 2e-3,
          weight_decay: float = 0.01, warmup: float = 0.1, clip: float = 1.0,
          class_weights: Sequence[float] | Tensor | None = None, modality_dropout: float = 0.0, seed: int = 0,
          precision: str = "auto", accumulate: int = 1, checkpoint: str | Path | None = None,
          on_epoch: Callable[[MultimodalSentimentModel], Any] | None = None, accelerator: Any = None,
          show_progress: bool = True) -> list[dict[str, float]]:
    """Train with AdamW and keep the epoch with the lowest validation loss.

    Started by torchrun or `accelerate launch`, the processes share each batch, and all end with the same model and
    history, as one process would have: but for dropout, whose random numbers differ, and batch normalisation, which
    sees a process's part alone. The first one writes the checkpoint; another number of processes may go on with it.

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
        precision: "fp32", "fp16", "bf16" or "auto": float16 on a CUDA card, single precision elsewhere, or what the
            accelerator was made with. Weights, the loss and the validation are in single precision always.
        accumulate: go through each batch in so many parts and add their gradients up: less memory, the same step.
        checkpoint: a file to keep the run in after each epoch. A start that finds it goes on there, and ends with the
            same bits as if nothing had happened; it stays when the run is over.
        on_epoch: called with the model after each epoch, so that the run can be recorded. What random numbers it
            draws changes nothing in the run. Of several processes the first calls it.
        accelerator: an `accelerate.Accelerator`; None: one is made where this process was started as one of several.

    Returns:
        The history: one row an epoch with train_loss, train_accuracy, loss, accuracy, macro_f1 (validation). The
        training figures are counted while the epoch runs, over every example. For a model without classes: train_loss,
        loss, mae, correlation.

    Raises:
        ValueError: for a label that is no class, no epochs, a loss that is never a number, a checkpoint of another
            run, or `on_epoch` for a run whose first epochs are over: they cannot be shown to it again; for posts that
            lack a side if the model was not made with absent=True; for a batch that processes cannot share evenly.
        OSError: if the checkpoint cannot be written.
    """
    if epochs < 1 or accumulate < 1:
        raise ValueError(f"epochs is {epochs} and accumulate {accumulate}: expected at least 1.")
    check_absence(model.fusion, modality_dropout)
    team = Team(start() if accelerator is None else accelerator)
    net = team.wrap(_Forward(model, modality_dropout))
    given, (loader, validation) = (loader, validation), (team.loader(loader), team.loader(validation))
    steps = epochs * _length(loader)
    _length(validation)
    device, classes = model.device, class_count(model.classes)
    weights = checked_weights(class_weights, classes)
    weighted: dict[str, Any] = {} if weights is None else {"class_weights": weights}
    if modality_dropout:
        weighted["modality_dropout"] = modality_dropout
    if team.gather is not None:
        weighted["gather"] = team.gather
    dtype, usual = _dtype(precision, device, team.accelerator), _dtype("auto", device)
    optimizer = torch.optim.AdamW(_parameter_groups(model, encoder_lr, lr, weight_decay), fused=True)
    schedule = _warmed_up(optimizer, steps, warmup)
    # Small gradients vanish in float16, unless they are scaled up.
    scaler = torch.amp.GradScaler(device.type, enabled=dtype == torch.float16)
    learning = _Learning(net, optimizer, schedule, scaler, weights, classes, clip, dtype, accumulate, team)
    with seeded(seed, device):
        # Frozen encoders are what they were: they need not be kept after each epoch.
        learner = nn.ModuleList([model.fusion, model.head]) if model.encoders_fixed else model
        shuffles = [getattr(batches, "generator", None) or torch.Generator() for batches in given]
        kept = checkpoint if team.first else None
        run = Run(learner, [optimizer, schedule, scaler, *shuffles], kept, None if kept is None else {
            "epochs": epochs, "warm-up or clipping": [warmup, clip],
            **({} if weights is None else {"class weights": weights.tolist()}),
            **({"modality dropout": modality_dropout} if modality_dropout else {}),
            **({} if dtype == usual else {"precision": str(dtype)}),
            "encoders": digest(*model.encoders.state_dict().values()), **_posts_of(*given),
            "batch size": getattr(loader, "total_batch_size", getattr(loader, "batch_size", None))},
            on_epoch is not None, None if checkpoint is None else team.share)
        for epoch in range(len(run.history) + 1, epochs + 1):
            team.reseed(seed, epoch, device)
            model.train()
            train_figures = learning.epoch(progress(loader, f"epoch {epoch}/{epochs}", show_progress and team.first))
            team.level(model)
            checked = evaluate(model, validation, **weighted)
            run.end_epoch({"epoch": epoch, **train_figures,
                           **{name: value for name, value in checked.items() if name != "calibration_error"}})
            if on_epoch is not None and team.first:
                with apart(device):
                    on_epoch(model)
    run.load_best()
    model.eval()
    return run.history


class _Forward(nn.Module):
    """Posts → logits, some sides left out on purpose: what of a step the processes share."""

    def __init__(self, model: MultimodalSentimentModel, modality_dropout: float):
        super().__init__()
        self.model, self.modality_dropout = model, modality_dropout

    def forward(self, **batch: Tensor) -> Tensor:
        sides = self.model.encode(**batch)
        refuse_missing(self.model.fusion, sides)
        return self.model.classify(self.model.fuse(
            drop_sides(sides, self.modality_dropout) if self.modality_dropout else sides))


class _Learning(NamedTuple):
    """All that a step of training takes."""

    net: nn.Module
    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LambdaLR
    scaler: torch.amp.GradScaler
    weights: Tensor | None
    classes: int | None
    clip: float
    dtype: torch.dtype
    accumulate: int
    team: Team

    def epoch(self, batches: Iterable[dict[str, Tensor]]) -> dict[str, float]:
        """A step for each batch; → the figures of the epoch, counted over every example."""
        trained = [p for p in self.net.parameters() if p.requires_grad]
        total_loss, right, count = 0.0, 0.0, 0.0
        for batch in batches:
            check_labels(batch["labels"], self.classes)
            self.optimizer.zero_grad()
            parts = self.gradients(batch)
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(trained, self.clip)
            self.scaler.step(self.optimizer)
            self.scaler.update()
            self.schedule.step()
            for loss, hits, posts in parts:
                total_loss, right, count = total_loss + loss.item() * posts, right + hits.item(), count + posts
        total_loss, right, count = self.team.total(total_loss, right, count)
        return {"train_loss": total_loss / count, **({} if self.classes is None else {"train_accuracy": right / count})}

    def gradients(self, batch: dict[str, Tensor]) -> list[tuple[Tensor, Tensor, int]]:
        """The gradient of the mean loss over a batch, wherever its posts are; → loss, hits, posts of each part here."""
        device, rows, found = next(self.net.parameters()).device, len(batch["labels"]), []
        real, whole = self.team.part(rows)
        parts = torch.arange(rows).chunk(self.accumulate)
        for part in parts:
            places = slice(int(part[0]), int(part[-1]) + 1)
            own = {name: (tensor if len(parts) == 1 else tensor[places]).to(device) for name, tensor in batch.items()}
            posts = min(len(part), max(0, real - places.start))
            labels = own.pop("labels")[:posts]
            with contextlib.nullcontext() if part is parts[-1] else self.team.unsynced(self.net):
                with torch.autocast(device.type, self.dtype, enabled=self.dtype != torch.float32):
                    logits = self.net(**own)
                    # Rows that fill a process's part up count nothing, but every process takes part in every step.
                    loss = weighted_loss(logits[:posts].float(), labels, self.weights) if posts else 0 * logits.sum()
                # The processes' gradients are averaged, whatever their share of the batch.
                self.scaler.scale(loss * (posts * self.team.number / whole)).backward()
            guesses = logits[:posts].detach() if self.classes is None else probabilities_of(
                logits[:posts].detach()).argmax(-1)
            found.append((loss.detach(), (guesses.reshape(-1) == labels).sum(), posts))
        return found


def _dtype(precision: str, device: torch.device, accelerator: Any = None) -> torch.dtype:
    """What a precision means on a device; "auto" asks the accelerator, if there is one that has been told."""
    if precision not in PRECISIONS:
        raise ValueError(f"precision is {precision!r}: expected one of {', '.join(PRECISIONS)}.")
    if precision == "auto" and accelerator is not None and accelerator.mixed_precision in PRECISIONS:
        precision = accelerator.mixed_precision
    return PRECISIONS[precision] or (torch.float16 if device.type == "cuda" else torch.float32)


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
    return {"posts": identity(loader.dataset),  # type: ignore[arg-type]
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
