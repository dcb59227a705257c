"""Train and evaluate a `MultimodalSentimentModel` end to end."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

from .files import identity
from .metrics import summary
from .model import MultimodalSentimentModel, evaluating, probabilities_of
from .runs import Run
from .seeds import seeded


def best_device() -> torch.device:
    """The fastest device here: CUDA, else Apple's MPS, else the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def progress(items: Iterable, label: str, show: bool = True, total: int | None = None) -> Iterable:
    """Wrap a loop in a progress bar with the time left, or not (`show`); `total` is how many items a generator has."""
    from tqdm.auto import tqdm

    return tqdm(items, desc=label, total=total, disable=not show, leave=False)


def check_labels(labels: Tensor, num_outputs: int) -> None:
    """Raise ValueError unless every label is a class: 0 or 1 for one output, else 0 to num_outputs - 1."""
    classes = max(num_outputs, 2)
    wrong = (labels < 0) | (labels >= classes)
    if wrong.any():
        index = int(wrong.nonzero()[0])
        raise ValueError(f"the label of example {index} is {labels[index].item()}: expected 0 to {classes - 1} for a "
                         f"model with {num_outputs} output{'s' * (num_outputs > 1)}.")


def loss_of(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean loss over the examples: binary cross-entropy for a single logit, else cross-entropy.

    Args:
        logits: (batch, 1) or (batch, classes).
        labels: (batch,) of class indices.
    """
    if logits.shape[-1] == 1:
        return F.binary_cross_entropy_with_logits(logits.squeeze(-1), labels.to(logits.dtype))
    return F.cross_entropy(logits, labels)


@torch.no_grad()
def answers(model: MultimodalSentimentModel, loader: DataLoader, show_progress: bool = False) -> tuple[Tensor, Tensor]:
    """The model's probabilities (n, classes) and the labels (n,) of all examples, with dropout off."""
    device = next(model.parameters()).device
    probabilities, labels = [], []
    with evaluating(model):
        for batch in progress(loader, "evaluate", show_progress):
            check_labels(batch["labels"], model.num_outputs)
            inputs = {name: tensor.to(device) for name, tensor in batch.items() if name != "labels"}
            probabilities.append(probabilities_of(model(**inputs)).float().cpu())
            labels.append(batch["labels"])
    return torch.cat(probabilities), torch.cat(labels)


def evaluate(model: MultimodalSentimentModel, loader: DataLoader, show_progress: bool = False) -> dict[str, float]:
    """Loss, accuracy, macro-F1 and calibration error, counted over the examples of a loader."""
    return summary(*answers(model, loader, show_progress))


def train(model: MultimodalSentimentModel, loader: DataLoader, validation: DataLoader, *, epochs: int = 5,
          encoder_lr: float = 1e-3, head_lr: float = 2e-3, weight_decay: float = 0.01, warmup: float = 0.1,
          clip: float = 1.0, seed: int = 0, checkpoint: str | Path | None = None,
          on_epoch: Callable[[MultimodalSentimentModel], None] | None = None,
          show_progress: bool = True) -> list[dict[str, float]]:
    """Train with AdamW and keep the epoch with the lowest validation loss.

    Args:
        model: trained in place, on the device it is on; ``model.freeze()`` first to train the head alone.
        loader, validation: from `make_loader`; the validation posts choose the epoch and nothing else.
        epochs: passes over the data.
        encoder_lr, head_lr: learning rates of the pretrained encoders (small: they know something already; 2e-5 is
            usual for full-size BERT) and of the new head.
        weight_decay: of AdamW, on matrices only.
        warmup: share of the steps over which the rates rise from zero; then they fall linearly to zero.
        clip: largest norm of the gradient.
        seed: of dropout.
        checkpoint: a file to keep the run in after each epoch. A start that finds it goes on there, and ends with the
            same bits as if nothing had happened; it stays when the run is over.
        on_epoch: called with the model after each epoch, so that the run can be recorded.

    Returns:
        The history: one row an epoch with train_loss, train_accuracy, loss, accuracy, macro_f1 (validation). The
        training figures are counted while the epoch runs, over every example.

    Raises:
        ValueError: for a label that is no class, no epochs, a loss that is never a number, or a checkpoint of another
            run.
        OSError: if the checkpoint cannot be written.
    """
    if epochs < 1:
        raise ValueError(f"epochs is {epochs}: expected at least 1.")
    device = next(model.parameters()).device
    optimizer = torch.optim.AdamW(_parameter_groups(model, encoder_lr, head_lr, weight_decay), fused=True)
    steps = epochs * len(loader)
    rising = max(1, round(warmup * steps))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / rising, max(0.0, (steps - step) / max(1, steps - rising))))
    mixed = device.type == "cuda"  # half precision is faster there; the scaler keeps small gradients from vanishing
    scaler = torch.amp.GradScaler(device.type, enabled=mixed)
    trained = [p for p in model.parameters() if p.requires_grad]
    with seeded(seed, device):
        run = Run(model, [optimizer, schedule, scaler, loader.generator or torch.Generator()], checkpoint,
                  checkpoint and {"epochs": epochs, "warm-up or clipping": [warmup, clip],
                                  "batch size": loader.batch_size, "posts": identity(loader.dataset),
                                  "validation posts": identity(validation.dataset)})
        for epoch in range(len(run.history) + 1, epochs + 1):
            model.train()
            total_loss = right = count = 0
            for batch in progress(loader, f"epoch {epoch}/{epochs}", show_progress):
                labels = batch.pop("labels")
                check_labels(labels, model.num_outputs)
                labels = labels.to(device)
                with torch.autocast(device.type, torch.float16, enabled=mixed):
                    logits = model(**{name: tensor.to(device) for name, tensor in batch.items()})
                    loss = loss_of(logits.float(), labels)
                optimizer.zero_grad()
                scaler.scale(loss).backward()
                scaler.unscale_(optimizer)
                nn.utils.clip_grad_norm_(trained, clip)
                scaler.step(optimizer)
                scaler.update()
                schedule.step()
                total_loss += loss.item() * len(labels)
                right += (probabilities_of(logits.detach()).argmax(-1) == labels).sum().item()
                count += len(labels)
            checked = evaluate(model, validation)
            run.end_epoch({"epoch": epoch, "train_loss": total_loss / count, "train_accuracy": right / count,
                           "loss": checked["loss"], "accuracy": checked["accuracy"],
                           "macro_f1": checked["macro_f1"]})
            if on_epoch is not None:
                on_epoch(model)
    run.load_best()
    return run.history


def history_table(history: list[dict[str, float]]) -> str:
    """A training history as a small table of text."""
    names = list(history[0])
    lines = ["  ".join(f"{name:>14}" for name in names)]
    for row in history:
        lines.append("  ".join(f"{row[name]:>14.3f}" if isinstance(row[name], float) else f"{row[name]:>14}"
                               for name in names))
    return "\n".join(lines)


def _parameter_groups(model: MultimodalSentimentModel, encoder_lr: float, head_lr: float, weight_decay: float) -> list:
    """Four groups: encoder or head, and matrices with weight decay or vectors (biases, norms) without."""
    groups = []
    for is_head, lr in ((False, encoder_lr), (True, head_lr)):
        chosen = [p for name, p in model.named_parameters() if p.requires_grad and name.startswith("head.") == is_head]
        groups += [{"params": [p for p in chosen if p.dim() > 1], "lr": lr, "weight_decay": weight_decay},
                   {"params": [p for p in chosen if p.dim() <= 1], "lr": lr, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]
