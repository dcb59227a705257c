"""Batches as they come to a model: which tensor belongs to which side, and batches changed on purpose."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

#: Side → the names of its tensors, Hugging Face's and this package's; any other name is a side of its own.
SIDES: dict[str, tuple[str, ...]] = {
    "text": ("input_ids", "inputs_embeds", "attention_mask", "token_type_ids", "position_ids"),
    "image": ("pixel_values", "pixel_mask", "image_present"),
    "voice": ("input_features", "input_values", "voice_mask")}
#: What the labels are called, where a batch has them.
LABELS = ("labels", "label")
_MASKS = ("_mask", "_present")  # how names of masks end

Batch = Mapping[str, Tensor]


def sides_of(batch: Batch) -> dict[str, tuple[str, ...]]:
    """Side → the names of its tensors in a batch.

    A mask belongs to the side whose name it begins with; ``attention_mask`` to the text, or, in a batch without one, to
    the voice. A mask of nothing belongs nowhere, and labels are no side.
    """
    found: dict[str, list[str]] = {}
    batch = {name: tensor for name, tensor in batch.items() if name not in LABELS}
    masks = [name for name in batch if name.endswith(_MASKS)]
    for name in batch:
        if name not in masks:
            side = next((side for side, names in SIDES.items() if name in names), name)
            found.setdefault(side, []).append(name)
    for mask in masks:
        side = next((side for side, names in SIDES.items() if mask in names), "")
        if side not in found:
            stem = mask.rpartition("_")[0]
            side = next((name for name in found if name.startswith(stem)), "")
        if not side and mask == "attention_mask" and "voice" in found:
            side = "voice"
        if side:
            found[side].append(mask)
    return {side: tuple(names) for side, names in found.items()}


def mask_of(names: Sequence[str]) -> str | None:
    """Which of a side's tensors says what is real, if one does."""
    return next((name for name in names if name.endswith(_MASKS)), None)


def size_of(batch: Batch) -> int:
    """Posts in a batch."""
    return len(next(iter(batch.values())))


def rows(batch: Batch, index: Tensor | slice, names: Sequence[str] | None = None) -> dict[str, Tensor]:
    """Some of the posts, in any order; with `names` only these tensors are taken from there, the others stay."""
    return {name: tensor[index] if names is None or name in names else tensor for name, tensor in batch.items()}


def joined(batches: Sequence[Batch], n: int) -> dict[str, Tensor]:
    """The first `n` posts of batches as one batch, shorter tensors padded with zeros behind.

    Batches are taken whole until there are enough; the names are those that all of them have.
    """
    taken: list[Batch] = []
    while len(taken) < len(batches) and sum(map(size_of, taken)) < n:
        taken.append(batches[len(taken)])
    if len(taken) == 1:
        return rows(taken[0], slice(n))
    made = {}
    for name in taken[0]:
        if all(name in batch for batch in taken):
            parts = [batch[name] for batch in taken]
            shape = [max(sizes) for sizes in zip(*(part.shape[1:] for part in parts))]
            made[name] = torch.cat([_grown(part, shape) for part in parts])[:n]
    return made


def _grown(tensor: Tensor, shape: Sequence[int]) -> Tensor:
    """(batch, ...) with zeros behind on every axis but the first, up to a shape."""
    return F.pad(tensor, [x for own, to in zip(reversed(tensor.shape[1:]), reversed(shape)) for x in (0, to - own)])


def longer(batch: Batch, names: Sequence[str], by: int, pad_id: int = 0) -> dict[str, Tensor]:
    """A side's sequences with so much padding more behind: `pad_id` for token ids, zeros for anything else.

    The last axis is time: (batch, tokens), (batch, bands, frames) or (batch, samples). `inputs_embeds` has it before
    the last.
    """
    return {name: tensor if name not in names else F.pad(tensor, (0, 0, 0, by)) if name == "inputs_embeds" else
            F.pad(tensor, (0, by), value=pad_id if name == "input_ids" else 0) for name, tensor in batch.items()}


def shorter(batch: Batch, names: Sequence[str], mask: str) -> tuple[Tensor, dict[str, Tensor]] | None:
    """The posts that have padding behind, without what all of them have of it: their places, and they as a batch.

    None if no post has any.
    """
    real = batch[mask].bool()
    length = real.shape[1] - real.flip(1).long().argmax(1)  # up to the last real token
    index = ((length < length.max()) & real.any(1)).nonzero().flatten()
    if not len(index):
        return None
    n = int(length[index].max())
    return index, {name: tensor[index] if name not in names or tensor.dim() < 2 else
                   tensor[index][:, :n] if name == "inputs_embeds" else tensor[index][..., :n]
                   for name, tensor in batch.items()}


def without_side(batch: Batch, names: Sequence[str], gone: Tensor) -> dict[str, Tensor]:
    """A batch in which some posts (`gone`: (batch,) of booleans) lack a side: their rows of its mask are all 0."""
    mask = mask_of(names)
    assert mask is not None  # the caller has looked
    real = batch[mask]
    return {**batch, mask: real.masked_fill(gone.view(-1, *[1] * (real.dim() - 1)), 0)}


def digests(batch: Batch, names: Sequence[str]) -> list[bytes]:
    """A digest of a side of each post: equal for equal tensors, however much padding there is behind them."""
    mask = mask_of(names)
    content = [name for name in names if name != mask and name not in ("token_type_ids", "position_ids")]
    made = []
    for i in range(size_of(batch)):
        digest = hashlib.sha256()
        for name in content:
            tensor = batch[name][i]
            real = None if mask is None else batch[mask][i].bool()
            if real is not None and real.dim() == 1 and len(real) == tensor.shape[-1]:
                tensor = tensor[..., real]
            digest.update(repr(tuple(tensor.shape)).encode())
            digest.update(tensor.detach().cpu().contiguous().float().numpy().tobytes())
        made.append(digest.digest())
    return made


def marks_of(batches: Iterable[Batch]) -> dict[str, list[bytes]]:
    """Side → the digest of each post, over all batches."""
    found: dict[str, list[bytes]] = {}
    for batch in batches:
        for side, names in sides_of(batch).items():
            found.setdefault(side, []).extend(digests(batch, names))
    return found
