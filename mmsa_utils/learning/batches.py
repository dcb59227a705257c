"""Posts in batches, as tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from ..posts.post import LABELS, Post, Posts


class Collate:
    """Makes a batch of posts. Can be pickled, and holds no weights: a loader's workers get it at little cost."""

    def __init__(self, prepare: Callable[..., dict[str, Tensor]], sides: Sequence[str], classes: int | None):
        self.prepare, self.sides, self.classes = prepare, tuple(sides), classes

    def __call__(self, posts: list[Post]) -> dict[str, Tensor]:
        """→ the tensors of the sides, and ``labels`` (batch,)."""
        tensors = self.prepare(*([getattr(post, side) for post in posts] for side in self.sides))
        labels = [checked_label(post, self.classes) for post in posts]
        return {**tensors, "labels": torch.tensor(labels, dtype=torch.float if self.classes is None else torch.long)}


def make_loader(posts: Posts, model: Any, batch_size: int = 32, shuffle: bool = False, seed: int = 0,
                num_workers: int = 0) -> DataLoader:
    """Batches of posts as tensors, ready for `model`.

    Args:
        posts: a data set or list of `Post`.
        model: anything with ``prepare(texts, images) -> dict`` (tokenises and resizes), such as a
            `MultimodalSentimentModel`. Its `sides` say which fields of a post it is given, text and image if it has
            none; its `classes` which labels fit.
        batch_size: posts a batch; the last one may be smaller.
        shuffle: new order in each epoch, from `seed`.
        num_workers: processes that prepare batches beside this one, however they are started (fork, spawn or
            forkserver); the batches are the same.

    Yields:
        ``input_ids`` and ``attention_mask`` (batch, tokens), ``pixel_values`` (batch, 3, height, width), ``labels``
        (batch,).

    Raises:
        ValueError: for no posts, and, when it comes up, for a post whose label is no class of the model.
    """
    if len(posts) == 0:
        raise ValueError("the data set is empty: expected at least one post.")
    classes, named = getattr(model, "classes", LABELS), getattr(posts, "classes", None)
    if classes and named and classes != named and set(classes) == set(named):
        raise ValueError(f"the labels of the posts count {', '.join(named)}, and the model's classes are "
                         f"{', '.join(classes)}: expected the same order.")
    collate = Collate(model.prepare, getattr(model, "sides", ("text", "image")), classes and len(classes))
    generator = torch.Generator().manual_seed(seed)
    return DataLoader(posts, batch_size, shuffle=shuffle, collate_fn=collate, generator=generator,  # type: ignore
                      num_workers=num_workers)


def checked_label(post: Post, classes: int | None) -> int | float:
    """The label of a post, if it is one of so many classes (None: a finite number); else ValueError."""
    given = f"the label of the post {str(post.text)[:60]!r} is {post.label!r}"
    if classes is None:
        if not isinstance(post.label, (int, float, np.integer, np.floating)) or not np.isfinite(post.label):
            raise ValueError(f"{given}: expected a finite number for a model without classes.")
        return float(post.label)
    if not isinstance(post.label, (int, np.integer)) or not 0 <= post.label < classes:
        raise ValueError(f"{given}: expected 0 to {classes - 1} for a model with {classes} classes.")
    return int(post.label)
