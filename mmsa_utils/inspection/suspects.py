"""Suspects for the exercises of notebook 13: small models and posts by number, most with a mistake that is not told."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..seeds import seeded

#: Kind of a suspect → the check that finds its mistake (the first of several in the order of the doctor's table);
#: "nothing" for those that are sound, whatever they look like.
KINDS: dict[str, str] = {
    "sound": "nothing", "no mask": "padding", "mean over padding": "padding", "posts as words": "company",
    "dropout on": "twice", "text twice": "ignored", "no places": "word_order", "divides by no words": "missing",
    "two mistakes": "padding", "attends to one": "attention", "no_grad": "gradients",
    "picture times zero": "ignored", "text times zero": "ignored", "sees that it is there": "ignored",
    "whispers": "ignored", "softly": "nothing", "quiet": "nothing", "one class": "nothing", "certain": "nothing",
    "long texts look": "nothing", "pictures twice": "nothing"}

POSTS, WORDS, WIDE, LONGEST, PIXELS = 16, 40, 16, 12, 8
_PLACES = 2 * LONGEST
_SOFTLY = {"picture times zero": 0.0, "whispers": 1e-7, "softly": 1e-4}  # how much of the picture comes through
_SURE = {"one class": 4.0, "certain": 200.0}  # the bias of a class


def suspect(number: int) -> tuple[nn.Module, dict[str, Tensor]]:
    """A model and a batch of 16 posts for it. The same number gives the same; most models have a mistake.

    Returns:
        The model, as a new one comes (in training mode), called with the batch's tensors by name, gives logits
        (16, 3). The batch: ``input_ids`` (16, words), ``attention_mask`` (16, words), ``pixel_values`` (16, 3, 8, 8);
        the order of the posts is random.

    Raises:
        ValueError: for what is no number from 0.
    """
    if isinstance(number, bool) or not isinstance(number, int) or number < 0:
        raise ValueError(f"the number of the suspect is {str(number)[:40]!r}: expected a whole number from 0.")
    kind = kind_of(number)
    return Suspect(kind, seed=number % 2**32), _posts(kind, seed=number % 2**32)


def kind_of(number: int) -> str:
    """Which of `KINDS` a suspect is. A digest decides, so that nobody reads it off the number."""
    return list(KINDS)[int(hashlib.sha256(f"suspect {number}".encode()).hexdigest(), 16) % len(KINDS)]


class Suspect(nn.Module):
    """An attention among words, one from the text to the picture's patches, their vectors laid side by side, a head.

    Args:
        kind: one of `KINDS`.
        seed: of its weights.
    """

    def __init__(self, kind: str = "sound", seed: int = 0):
        super().__init__()
        self.kind = kind
        with seeded(seed):
            self.words, self.places = nn.Embedding(WORDS, WIDE), nn.Embedding(_PLACES, WIDE)
            self.among, self.across = _Attention(), _Attention()
            self.patches, self.project = nn.Conv2d(3, WIDE, 4, 4), nn.Linear(WIDE, WIDE)
            self.text_norm, self.image_norm = nn.LayerNorm(WIDE), nn.LayerNorm(WIDE)
            self.dropout = nn.Dropout(0.2)
            self.hidden, self.last = nn.Linear(2 * WIDE, 24), nn.Linear(24, 3)
        with torch.no_grad():
            self.last.bias[seed % 3] += _SURE.get(kind, 0.0)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, pixel_values: Tensor) -> Tensor:
        """Logits (batch, 3)."""
        real = attention_mask.bool()
        text = self.text_norm(self.read(input_ids, real))
        if self.kind == "text times zero":
            text = text * 0
        picture = self.image_norm(self.look(text, pixel_values)) * _SOFTLY.get(self.kind, 1.0)
        if self.kind == "long texts look":
            picture = picture * (real.sum(1, keepdim=True) > LONGEST // 2)
        both = torch.cat([text, text if self.kind == "text twice" else picture], 1)
        both = F.dropout(both, 0.2) if self.kind == "dropout on" else self.dropout(both)
        return self.last(torch.tanh(self.hidden(both))) * (1e-8 if self.kind == "quiet" else 1)

    def read(self, input_ids: Tensor, real: Tensor) -> Tensor:
        """Token ids (batch, words) → (batch, WIDE)."""
        words = self.words(input_ids)
        if self.kind == "two mistakes":
            words = words + self.places.weight.mean(0)
        elif self.kind != "no places":
            words = words + self.places.weight[:words.shape[1]]
        if self.kind == "posts as words":
            words = words + self.among(words.transpose(0, 1), words.transpose(0, 1)).transpose(0, 1)
        else:
            words = words + self.among(words, words, torch.ones_like(real) if self.kind == "no mask" else real)
        if self.kind in ("mean over padding", "two mistakes"):
            return words.mean(1)
        count = real.sum(1, keepdim=True)
        return (words * real[..., None]).sum(1) / (count if self.kind == "divides by no words" else count.clamp(min=1))

    def look(self, text: Tensor, pixel_values: Tensor) -> Tensor:
        """What the text (batch, WIDE) finds in the picture → (batch, WIDE)."""
        if self.kind == "sees that it is there":
            pixel_values = pixel_values.ne(0).any(1, keepdim=True).expand_as(pixel_values).to(pixel_values)
        patches = self.patches(pixel_values).flatten(2).transpose(1, 2)
        if self.kind == "attends to one":
            patches = patches.mean(1, keepdim=True)
        found = self.across(text[:, None], patches).squeeze(1)
        if self.kind == "no_grad":
            with torch.no_grad():
                return self.project(found)
        return self.project(found)


class _Attention(nn.Module):
    """One head: (batch, from, WIDE) looks at (batch, to, WIDE), of which `real` (batch, to) count."""

    def __init__(self) -> None:
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(WIDE, WIDE) for _ in range(3))

    def forward(self, ours: Tensor, theirs: Tensor, real: Tensor | None = None) -> Tensor:
        """(batch, from, WIDE)."""
        scores = self.query(ours) @ self.key(theirs).transpose(1, 2) / WIDE**0.5
        if real is not None:
            scores = scores.masked_fill(~real[:, None], -1e4)
        return scores.softmax(-1) @ self.value(theirs)


def _posts(kind: str, seed: int) -> dict[str, Tensor]:
    """Random posts: texts of 4 to 12 words, the first one short, and pictures of four colours with noise."""
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(4, LONGEST + 1, (POSTS,), generator=generator)
    lengths[0], lengths[-1] = LONGEST // 2, LONGEST
    mask = (torch.arange(LONGEST) < lengths[:, None]).long()
    ids = torch.randint(1, WORDS, mask.shape, generator=generator) * mask
    colours = torch.randn(POSTS, 3, 2, 2, generator=generator)
    pixels = F.interpolate(colours, size=PIXELS) + 0.3 * torch.randn(POSTS, 3, PIXELS, PIXELS, generator=generator)
    if kind == "pictures twice":
        pixels = pixels[[0, 1, 2, 3, 3, 2, 1, 0] * 2]  # the same by half a batch, and from behind
    return {"input_ids": ids, "attention_mask": mask, "pixel_values": pixels}
