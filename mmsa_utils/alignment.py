"""The correction phase: align a random fusion head with the truth, on features that are extracted once.

With frozen encoders a post's features never change. So they are computed a single time (`extract_features`), and
the head is trained on the cached tensors in seconds (`align`); correction.py repeats it over seeds and controls.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from . import metrics
from .data import check_text, make_loader
from .model import MultimodalSentimentModel, evaluating, join, mlp_head, probabilities_of
from .runs import Run
from .seeds import seeded
from .training import check_labels, loss_of, progress

BOTH = ("text", "image")


_CHUNK = 16  # batches whose posts are held at once, to be sorted by the length of their texts


@dataclass(frozen=True)
class Features:
    """Cached features of n posts, on the CPU.

    Raises:
        ValueError: if the sides and the labels differ in length, or labels are not whole numbers.
    """

    text: Tensor  # (n, text width)
    image: Tensor  # (n, image width)
    labels: Tensor  # (n,)
    relations: tuple[str, ...] = ()  # these three as in `Post`, for the slices
    text_kinds: tuple = ()
    picture_levels: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.labels, Tensor) or self.labels.is_floating_point() or self.labels.is_complex():
            raise ValueError(f"the labels are {getattr(self.labels, 'dtype', type(self.labels).__name__)}: expected a "
                             "tensor of class indices, whole numbers.")
        if not len(self.text) == len(self.image) == len(self.labels):
            raise ValueError(f"{len(self.text)} text features, {len(self.image)} image features and {len(self.labels)} "
                             "labels: expected as many of each.")

    def __len__(self) -> int:
        return len(self.labels)

    def fused(self, modalities: tuple[str, ...] = BOTH) -> Tensor:
        """What the head sees: both sides joined, (n, text width + image width), or one side alone.

        Raises:
            ValueError: for a feature that is NaN or infinite; the message names its post.
        """
        for name in modalities:
            side = getattr(self, name)
            if side.sum().isfinite():
                continue
            odd = (~side.isfinite()).any(1).nonzero()  # none where finite numbers had an infinite sum
            if len(odd):
                raise ValueError(f"the {name} features of post {int(odd[0])} hold NaN or infinity: extract "
                                 "them anew, or leave that post out.")
        return join(*(getattr(self, name) for name in modalities))


@torch.no_grad()
def extract_features(model: MultimodalSentimentModel, posts, batch_size: int = 64, show_progress: bool = True,
                     folder: str | Path | None = None) -> Features:
    """Encode every post once.

    Posts are drawn a thousand at a time and batched with texts of about their own length, so that little padding is
    computed and memory does not grow with the pictures.

    Args:
        model: its encoders are used, on the device it is on; its head is not.
        posts: a data set or list of `Post`.
        folder: write the features into text.npy and image.npy there and leave them on the disk (memory-mapped): a
            million posts then need little more memory than a thousand. `cached_features` keeps such a folder.

    Returns:
        The features, in the order of the posts.

    Raises:
        ValueError: for an empty data set or an empty text.
    """
    device = next(model.parameters()).device
    n = len(posts)
    sides = [_empty(folder, name, n, encoder.width)
             for name, encoder in (("text", model.text_encoder), ("image", model.image_encoder))]
    labels = torch.empty(n, dtype=torch.long)
    known: list[tuple] = [()] * n
    batches = progress(_sorted_batches(model, posts, batch_size, known), "encode", show_progress,
                       math.ceil(n / batch_size))
    with evaluating(model):
        for rows, batch in batches:
            labels[rows] = batch.pop("labels")
            encoded = model.encode(**{name: tensor.to(device) for name, tensor in batch.items()})
            for side, features in zip(sides, encoded):
                side[rows.numpy()] = features.float().cpu().numpy()
    return Features(*map(torch.from_numpy, sides), labels, *zip(*known))


def _sorted_batches(model: MultimodalSentimentModel, posts, batch_size: int, known: list) -> Iterator[tuple]:
    """(places of the posts, their batch), chunk by chunk; what else is known of each post is put into `known`."""
    for start in range(0, max(len(posts), 1), _CHUNK * batch_size):
        chunk = [posts[i] for i in range(start, min(len(posts), start + _CHUNK * batch_size))]
        for i, post in enumerate(chunk, start):
            check_text(post.text, f"the text of post {i}")
            known[i] = (post.relation, post.text_kind, post.picture_level)
        order = sorted(range(len(chunk)), key=lambda i: len(chunk[i].text))
        places = torch.tensor(order, dtype=torch.long).add(start).split(batch_size)
        yield from zip(places, make_loader([chunk[i] for i in order], model, batch_size))


def _empty(folder: str | Path | None, name: str, *shape: int) -> np.ndarray:
    """An array to fill, in memory or as a file that is mapped into it."""
    if folder is None:
        return np.empty(shape, np.float32)
    return np.lib.format.open_memmap(Path(folder) / f"{name}.npy", "w+", np.float32, shape)


def align(train: Features, validation: Features, *, modalities: tuple[str, ...] = BOTH, num_outputs: int = 3,
          hidden: int = 256, dropout: float = 0.2, epochs: int = 30, lr: float = 2e-3, weight_decay: float = 0.01,
          batch_size: int = 256, seed: int = 0, checkpoint: str | Path | None = None,
          on_epoch: Callable[[nn.Module], None] | None = None) -> tuple[nn.Module, list[dict[str, float]]]:
    """Train a fusion head on cached features with AdamW; keep the epoch with the lowest validation loss.

    Args:
        train, validation: from `extract_features`; the validation posts choose the epoch and nothing else.
        modalities: ``("text", "image")``, or one of them for a head that sees one side only.
        num_outputs, hidden, dropout: of the head, see `mlp_head`.
        epochs: passes over the cached features.
        seed: of the head's first weights, the order of the posts and dropout.
        checkpoint: a file to keep the run in after each epoch, as in `train`.
        on_epoch: called with a copy of the head after each epoch, the random one of epoch 0 included, so that the
            run can be recorded.

    Returns:
        The head, dropout off, and a history: epoch 0 (the random head), then one row an epoch with train_loss, and
        loss and accuracy on the validation posts.

    Raises:
        ValueError: for a label that is no class, features that are NaN or infinite, or a checkpoint of another run.
        OSError: if the checkpoint cannot be written.
    """
    check_labels(train.labels, num_outputs)
    check_labels(validation.labels, num_outputs)
    inputs, held_out = train.fused(modalities), validation.fused(modalities)
    mean = inputs.mean(0)
    std = inputs.sub_(mean).square().mean(0).sqrt().clamp(min=1e-6)
    inputs, held_out = inputs.div_(std), held_out.sub_(mean).div_(std)  # columns on one scale are learned faster
    with seeded(seed):
        head = mlp_head(inputs.shape[-1], num_outputs, hidden, dropout)
        optimizer = torch.optim.AdamW(head.parameters(), lr=lr, weight_decay=weight_decay, fused=True)
        run = Run(head, [optimizer], checkpoint, {"epochs": epochs, "batch size": batch_size, "features": [
            inputs, train.labels, held_out, validation.labels]})
        for epoch in range(len(run.history), epochs + 1):
            total = 0.0
            if epoch:  # epoch 0 only measures the random head
                head.train()
                for rows in torch.randperm(len(train)).split(batch_size):
                    loss = loss_of(head(inputs[rows]), train.labels[rows])
                    optimizer.zero_grad()
                    loss.backward()
                    optimizer.step()
                    total += loss.item() * len(rows)
            probabilities = probabilities_of(_logits(head, held_out))
            row = {"epoch": epoch, "train_loss": total / len(train) if epoch else float("nan"),
                   "loss": metrics.log_loss(probabilities, validation.labels),
                   "accuracy": metrics.accuracy(probabilities, validation.labels)}
            run.end_epoch(row)
            if on_epoch is not None:
                on_epoch(fold_scaling(copy.deepcopy(head), mean, std))
    run.load_best()
    return fold_scaling(head, mean, std), run.history


@torch.no_grad()
def fold_scaling(head: nn.Module, mean: Tensor, std: Tensor) -> nn.Module:
    """Build (x - mean) / std into the first linear layer of a head, which then reads the features as they come."""
    first = next(layer for layer in head.modules() if isinstance(layer, nn.Linear))
    first.weight /= std
    first.bias -= first.weight @ mean
    return head


@torch.no_grad()
def _logits(head: nn.Module, inputs: Tensor) -> Tensor:
    head.eval()
    return head(inputs)


def head_answers(head: nn.Module, features: Features, modalities: tuple[str, ...] = BOTH,
                 temperature: float = 1.0) -> Tensor:
    """A head's probabilities for cached features, dropout off: (n, classes)."""
    return probabilities_of(_logits(head, features.fused(modalities)) / temperature)


def random_head(width: int, num_outputs: int = 3, hidden: int = 256, dropout: float = 0.2, seed: int = 0) -> nn.Module:
    """A head that never learned anything. Over many seeds its accuracy is 1 / classes and its loss ln(classes)."""
    with seeded(seed):
        return mlp_head(width, num_outputs, hidden, dropout)


def fit_temperature(head: nn.Module, features: Features, modalities: tuple[str, ...] = BOTH) -> float:
    """Temperature scaling (Guo et al. 2017): the one number that logits are divided by, fitted on validation posts.

    It never changes an answer, only how sure the head is of it. Above 1 the head was too sure.
    """
    from scipy.optimize import minimize_scalar

    logits = _logits(head, features.fused(modalities)).double()

    def loss(log_temperature: float) -> float:
        return loss_of(logits / torch.tensor(log_temperature).exp(), features.labels).item()

    return float(torch.tensor(minimize_scalar(loss, bounds=(-3, 3), method="bounded").x).exp())


def shuffled(features: Features, seed: int = 0) -> Features:
    """The same features with their labels dealt out at random: a control from which nothing can be learned."""
    order = torch.randperm(len(features), generator=torch.Generator().manual_seed(seed))
    return replace(features, labels=features.labels[order])


def measure(head: nn.Module, features: Features, modalities: tuple[str, ...] = BOTH, temperature: float = 1.0) -> dict:
    """All figures of a head on cached features: `summary`, accuracy by relation, and who won the contradictions."""
    probabilities = head_answers(head, features, modalities, temperature)
    return {**metrics.summary(probabilities, features.labels),
            "slices": metrics.slice_accuracy(probabilities, features.labels, features.relations),
            "who_won": metrics.who_won(probabilities, features.text_kinds, features.picture_levels)}
