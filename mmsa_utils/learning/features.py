"""Features: what frozen encoders make of posts, computed once and kept."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..bars import progress
from ..encoders.base import Encoded, Encoder
from ..fusion.absent import without
from ..model.model import MultimodalSentimentModel
from ..model.modes import evaluating
from ..posts.post import Post, Posts, check_text
from .batches import make_loader

#: What features say of each post besides its label: fields of `Features`, in their order.
KNOWN = ("relations", "text_kinds", "picture_levels", "two_sided", "tones")
_OF_REAL = ("ids", "texts", "side_labels")
_CHUNK = 16  # batches whose posts are held at once, to be sorted by the length of their texts


@dataclass(frozen=True)
class Features:
    """The encoded sides of n posts, on the CPU, in memory or mapped from files.

    Vectors or sequences that were computed elsewhere fit as they are: `Encoded.of(vectors)`,
    `Encoded(tokens, mask)`.

    Raises:
        ValueError: if the sides and the labels differ in length.
    """

    sides: Mapping[str, Encoded]  # side → tokens (n, tokens, width) and mask (n, tokens), in the order of the sides
    labels: Tensor  # (n,) of class indices, or of numbers
    relations: tuple[str, ...] = ()  # these five as in `Post`, for the slices
    text_kinds: tuple[Any, ...] = ()
    picture_levels: tuple[int, ...] = ()
    two_sided: tuple[bool, ...] = ()
    tones: tuple[Any, ...] = ()
    ids: tuple[str, ...] = ()  # what is known of real posts: their names in their set,
    texts: tuple[str, ...] = ()  # their words, "" where there are none,
    side_labels: tuple[tuple[float, ...], ...] = ()  # and what each side alone was labelled, in the order of the sides

    def __post_init__(self) -> None:
        if not isinstance(self.labels, Tensor) or self.labels.is_complex():
            raise ValueError(f"the labels are {getattr(self.labels, 'dtype', type(self.labels).__name__)}: expected a "
                             "tensor of class indices, or of numbers.")
        for name, side in self.sides.items():
            if not isinstance(side, Encoded) or side.tokens.dim() != 3 or side.mask.shape != side.tokens.shape[:2]:
                raise ValueError(f"the {name} side is no Encoded with tokens (n, tokens, width) and a mask (n, "
                                 "tokens): make it of one vector a post, (n, width), with Encoded.of(vectors).")
        if self.labels.dtype in (torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool):
            object.__setattr__(self, "labels", self.labels.long())  # frozen for everybody else
        lengths = {name: len(side.tokens) for name, side in self.sides.items()}
        if set(lengths.values()) != {len(self.labels)}:
            counts = ", ".join(f"{n} {name} features" for name, n in lengths.items())
            raise ValueError(f"{counts} and {len(self.labels)} labels: expected as many of each.")

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: slice | Tensor) -> Features:
        """Some of the posts: ``features[:600]``, or their places as a tensor."""
        if isinstance(index, (int, np.integer)):
            raise TypeError(f"features[{index}] is a single post: expected a slice, such as [{index}:{index + 1}], or "
                            "a tensor of places.")
        places = torch.arange(len(self))[index].tolist()
        return replace(self, sides={name: side.rows(index) for name, side in self.sides.items()},
                       labels=self.labels[index],
                       **{name: tuple(getattr(self, name)[i] for i in places) if getattr(self, name) else ()
                          for name in (*KNOWN, *_OF_REAL)})

    @property
    def widths(self) -> dict[str, int]:
        """Side → width of its tokens: what a fusion is made for."""
        return {name: side.width for name, side in self.sides.items()}

    def batch(self, index: slice | Tensor, sides: Iterable[str] | None = None,
              device: torch.device | str = "cpu") -> dict[str, Encoded]:
        """Some sides (all of them) of some of the posts in single precision on a device, as a fusion reads them."""
        missing = [name for name in sides or () if name not in self.sides]
        if missing:
            raise ValueError(f"there are no {missing[0]} features: expected some of {', '.join(self.sides)}.")
        chosen = ((name, self.sides[name].rows(index)) for name in sides or self.sides)
        return {name: Encoded(side.tokens.to(device).float(), side.mask.to(device)) for name, side in chosen}

    def tensors(self, sides: Iterable[str]) -> list[Tensor]:
        """The labels, and tokens and mask of some sides: what a run depends on."""
        return [self.labels, *(tensor for name in sides for tensor in self.sides[name])]

    def check(self) -> Features:
        """These features, if all their numbers are finite.

        Raises:
            ValueError: for a feature that is NaN or infinite; the message names its side and post.
        """
        for name, side in self.sides.items():
            if side.tokens.sum(dtype=torch.float32).isfinite():  # quick; a finite sum has finite parts
                continue
            real = side.tokens.float().masked_fill(~side.mask.bool().unsqueeze(-1), 0)
            odd = (~real.isfinite()).flatten(1).any(1).nonzero()  # none where finite numbers summed up too high
            if len(odd):
                raise ValueError(f"the {name} features of post {int(odd[0])} hold NaN or infinity: extract "
                                 "them anew, or leave that post out.")
        return self


@torch.no_grad()
def extract_features(model: MultimodalSentimentModel, posts: Posts, batch_size: int = 64, show_progress: bool = True,
                     folder: str | Path | None = None) -> Features:
    """Encode every post once, as far as the model's fusion looks: vectors, or sequences of tokens.

    Posts are drawn a thousand at a time and batched with texts of about their own length, so that little padding is
    computed and memory does not grow with the pictures.

    Args:
        model: its encoders are used, on the device it is on; its head is not.
        posts: a data set or list of `Post`.
        folder: write the features into files there (a side's text.npy, text-mask.npy) and leave them on the disk
            (memory-mapped): a million posts then need little more memory than a thousand. `cached_features` keeps
            such a folder.

    Returns:
        The features, in the order of the posts. Vectors are kept in single precision, sequences in half.

    Raises:
        ValueError: for an empty data set or an empty text.
    """
    n = len(posts)
    labels = torch.empty(n, dtype=torch.float if model.classes is None else torch.long)
    known: list[tuple] = [()] * n
    stores = {side: _Store(n, encoder.max_tokens if model.fusion.sequences else 1, side, folder)
              for side, encoder in model.encoders.items()}
    batches = progress(_sorted_batches(model, posts, batch_size, known), "encode", show_progress,
                       math.ceil(n / batch_size))
    with evaluating(model):
        for rows, batch in batches:
            labels[rows] = batch.pop("labels")
            encoded = model.encode(**{name: tensor.to(model.device) for name, tensor in batch.items()})
            for name, side in encoded.items():
                stores[name].put(rows.numpy(), side)
    return Features({name: store.features() for name, store in stores.items()}, labels, *zip(*known))


def _sorted_batches(model: MultimodalSentimentModel, posts: Posts, batch_size: int, known: list) -> Iterator[tuple]:
    """(places of the posts, their batch), chunk by chunk; what else is known of each post is put into `known`."""
    for start in range(0, max(len(posts), 1), _CHUNK * batch_size):
        chunk: list[Post] = [posts[i] for i in range(start, min(len(posts), start + _CHUNK * batch_size))]
        for i, post in enumerate(chunk, start):
            if post.text is not None and "text" in model.sides:
                check_text(post.text, f"the text of post {i}")
            known[i] = (post.relation, post.text_kind, post.picture_level, post.two_sided, post.tone)
        order = sorted(range(len(chunk)), key=lambda i: len(chunk[i].text or ""))
        places = torch.tensor(order, dtype=torch.long).add(start).split(batch_size)
        yield from zip(places, make_loader([chunk[i] for i in order], model, batch_size))


class _Store:
    """One side's features while they come in: arrays in memory, or files that are mapped into it.

    Sequences have room for the longest that may come, as far as that is known (zeros that are never written take no
    place on most disks); what nobody needed is cut off in the end.
    """

    def __init__(self, n: int, tokens: int | None, side: str, folder: str | Path | None):
        self.n, self.room, self.longest = n, tokens or 1, 1
        self.files = None if folder is None else (Path(folder) / f"{side}.npy", Path(folder) / f"{side}-mask.npy")
        self.arrays: list[np.ndarray] = []  # tokens and mask

    def put(self, rows: np.ndarray, side: Encoded) -> None:
        """Keep the features (batch, tokens, width) of the posts at these places."""
        length = side.tokens.shape[1]
        if not self.arrays or length > self.room:
            self._make_room(max(length, self.room), side.width)
        self.longest = max(self.longest, length)
        for array, tensor in zip(self.arrays, (side.tokens.float(), side.mask)):
            array[rows, :length] = tensor.cpu().numpy()

    def _make_room(self, length: int, width: int) -> None:
        """Arrays for sequences of this length, with what was kept so far."""
        kinds = ((np.float32 if length == 1 else np.float16, (self.n, length, width)), (np.bool_, (self.n, length)))
        for i, (dtype, shape) in enumerate(kinds):
            larger: np.ndarray
            if self.files is None:
                larger = np.zeros(shape, dtype)
            else:
                larger = np.lib.format.open_memmap(self.files[i].with_suffix(".part"), "w+", dtype, shape)
            if len(self.arrays) > i:
                larger[:, :self.room] = self.arrays[i]
                self.arrays[i] = larger
            else:
                self.arrays.append(larger)
            if self.files is not None:
                os.replace(self.files[i].with_suffix(".part"), self.files[i])
        self.room = length

    def features(self) -> Encoded:
        """All of them, as long as the longest."""
        return Encoded(*(torch.from_numpy(array[:, :self.longest]) for array in self.arrays))


def vectors_of(model: MultimodalSentimentModel, features: Features) -> Features:
    """Sequences → the vector of each side, as the model's encoders pool them: the same features, shorter."""
    def pooled(name: str, encoder: Encoder) -> Encoded:
        parts = (features.batch(slice(start, start + 4096), [name])[name] for start in range(0, len(features), 4096))
        return Encoded.cat([Encoded.of(encoder.pool(part), part.mask.any(1)) for part in parts])

    return replace(features, sides={name: pooled(name, model.encoders[name]) for name in features.sides})


def given(features: Features, sides: Iterable[str]) -> Features:
    """The same posts of which some sides alone are there; the others are missing, and not zeros."""
    gone = torch.ones(len(features), dtype=torch.bool)
    return replace(features, sides=without(features.sides, {side: gone for side in features.sides
                                                            if side not in set(sides)}))


def shuffled(features: Features, seed: int = 0) -> Features:
    """The same features with their labels dealt out at random: a control from which nothing can be learned."""
    order = torch.randperm(len(features), generator=torch.Generator().manual_seed(seed))
    return replace(features, labels=features.labels[order])
