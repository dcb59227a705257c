"""What a mistake costs: posts as tensors, small models that learn from them in seconds, and both held side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from ..bars import progress
from ..learning.metrics import over_posts_and_seeds
from ..model.model import MultimodalSentimentModel
from ..posts.post import Post
from ..seeds import seeded
from .case import answer
from .inputs import longer, rows

_CHUNK = 64  # pictures encoded at once
_BATCH = 50
_SIDE = 4  # regions down and across


@torch.no_grad()
def regions_of(encoders: MultimodalSentimentModel, images: Sequence[Image.Image | None],
               prepare: Callable[[Sequence], Mapping[str, Tensor]] | None = None, show_progress: bool = False
               ) -> Tensor:
    """What a model's picture side says of 16 regions of each picture, (pictures, 16, width).

    Args:
        encoders: a model whose picture side gives a square of regions, with a [CLS] before them: "vit".
        prepare: pictures to what the network wants; its own preparation unless given.
    """
    side: Any = encoders.encoders["image"]
    made = []
    for start in progress(range(0, len(images), _CHUNK), "encode", show_progress):
        tokens = side.encode(**(prepare or side.prepare)(images[start:start + _CHUNK])).tokens[:, 1:]
        across = int(tokens.shape[1] ** 0.5)
        made.append(F.adaptive_avg_pool2d(tokens.transpose(1, 2).unflatten(2, (across, across)), _SIDE)
                    .flatten(2).transpose(1, 2).float().contiguous())
    return torch.cat(made)


def as_tensors(encoders: MultimodalSentimentModel, posts: Sequence[Post], show_progress: bool = False
               ) -> dict[str, Tensor]:
    """Posts as a small model takes them.

    Returns:
        "inputs_embeds" (posts, words, width): the vectors of word pieces before the text side's first layer, zeros for
        padding; "attention_mask" (posts, words); "patches" (posts, 16, width); "labels" (posts,).
    """
    side: Any = encoders.encoders["text"]
    text = side.prepare([post.text for post in posts])
    vectors = side.net.get_input_embeddings().weight.detach()[text["input_ids"]]
    mask = text["attention_mask"]
    return {"inputs_embeds": vectors * mask[..., None], "attention_mask": mask,
            "patches": regions_of(encoders, [post.image for post in posts], show_progress=show_progress),
            "labels": torch.tensor([post.label for post in posts])}


def in_batches(posts: Mapping[str, Tensor], size: int = _BATCH, longest: int = 0, order: Tensor | None = None
               ) -> Iterator[dict[str, Tensor]]:
    """Batches, each padded to its longest text, or to `longest` tokens if that is more.

    Args:
        size: posts in a batch; the last one has what is left.
        order: (posts,) of places; as they come unless given.
    """
    order = torch.arange(len(posts["labels"])) if order is None else order
    for places in order.split(size):
        batch = rows(posts, places)
        yield padded(batch, max(1, int(batch["attention_mask"].sum(1).max()), longest))


def without_labels(posts: Mapping[str, Tensor], size: int = _BATCH) -> Iterator[dict[str, Tensor]]:
    """Batches as `in_batches` makes them, for a model to be called with."""
    for batch in in_batches(posts, size):
        yield {name: tensor for name, tensor in batch.items() if name != "labels"}


def padded(batch: Mapping[str, Tensor], longest: int) -> dict[str, Tensor]:
    """A batch whose texts are padded, or cut, to so many tokens."""
    return longer(batch, ("inputs_embeds", "attention_mask"), longest - batch["attention_mask"].shape[1])


def taught(make: Callable[[int, int], nn.Module], posts: Mapping[str, Tensor],
           watch: Mapping[str, Tensor] | None = None, *, epochs: int = 8, lr: float = 6e-3, seed: int = 0
           ) -> tuple[nn.Module, list[dict[str, float]]]:
    """A model that has learned from posts, in evaluation mode, and its history: the loss, and how often it was right.

    Args:
        make: makes the model, whose weights are drawn from the seed; called with how wide words and regions are.
        watch: posts to be answered after each epoch, beside those that it learns from.
    """
    history, generator = [], torch.Generator().manual_seed(seed)
    with seeded(seed):
        model = make(posts["inputs_embeds"].shape[-1], posts["patches"].shape[-1]).train()
        optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr)
        steps = epochs * -(-len(posts["labels"]) // _BATCH)
        fading = torch.optim.lr_scheduler.LinearLR(optimizer, 1, 0, total_iters=steps)
        for epoch in range(epochs):
            losses, order = [], torch.randperm(len(posts["labels"]), generator=generator)
            for batch in in_batches(posts, order=order):
                labels = batch.pop("labels")
                loss = F.cross_entropy(model(**batch), labels)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                fading.step()
                losses += [loss.item()] * len(labels)
            history.append({"epoch": epoch + 1, "loss": float(np.mean(losses))})
            if watch is not None:
                history[-1]["accuracy"] = float(right(model.eval(), watch).mean())
                model.train()
    return model.eval(), history


def taught_often(make: Callable[[int, int], nn.Module], posts: Mapping[str, Tensor], seeds: Sequence[int] = (0, 1),
                 show_progress: bool = False, **options: Any) -> list[nn.Module]:
    """One model a seed, taught alike; the options are those of `taught`."""
    return [taught(make, posts, seed=seed, **options)[0] for seed in progress(seeds, "teach", show_progress)]


def right(model: nn.Module, posts: Mapping[str, Tensor], size: int = _BATCH, longest: int = 0) -> np.ndarray:
    """Whether each answer is right, (posts,) of booleans; an answer that is NaN is not. Dropout draws from seed 0."""
    found = []
    with seeded(0):
        for batch in in_batches(posts, size, longest):
            labels = batch.pop("labels")
            logits = answer(model, batch)
            found.append((logits.argmax(-1) == labels) & logits.isfinite().all(-1))
    return torch.cat(found).numpy()


def hits(models: Sequence[nn.Module], posts: Mapping[str, Tensor], **how: int) -> np.ndarray:
    """`right` of each of several models, (models, posts)."""
    return np.stack([right(model, posts, **how) for model in models])


def cost(found: np.ndarray, mended: np.ndarray) -> dict[str, dict[str, float]]:
    """What a mistake costs: accuracy as found, mended, and the difference, each with its 95 % interval.

    Args:
        found, mended: (seeds, posts), whether an answer was right; of the same seeds and posts.

    Returns:
        "found", "mended" and "cost" → "mean", "low" and "high", over posts and seeds; the cost is mended less found.

    Raises:
        ValueError: for answers to other posts.
    """
    if found.shape != mended.shape:
        raise ValueError(f"the answers as found have the shape {found.shape}, the mended ones {mended.shape}: expected "
                         "the same seeds and posts.")
    return {"found": over_posts_and_seeds(found), "mended": over_posts_and_seeds(mended),
            "cost": over_posts_and_seeds(mended.astype(float) - found.astype(float))}
