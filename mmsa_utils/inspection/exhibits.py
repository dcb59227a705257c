"""Exhibits of the museum of bugs (notebook 13): a small model, and the same as people have written it by mistake.

`FOUND` holds the exhibits by number, without their names, for they are to be found out. Each is `SmallModel` with one
mistake of somebody's, in its smallest form; notebook 13 names the public source of each.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..encoders.base import masked_mean

WIDE = 64  # numbers a token
PLACES = 64  # tokens at most


class SmallModel(nn.Module):
    """A text looks at a picture, small enough to learn in seconds: attention among words, attention to regions, a head.

    Args:
        said: numbers a word.
        seen: numbers a region of the picture.
        classes: logits.
    """

    def __init__(self, said: int = 128, seen: int = 128, classes: int = 3):
        super().__init__()
        self.enter = nn.Linear(said, WIDE)
        self.places = nn.Embedding(PLACES, WIDE)
        nn.init.normal_(self.places.weight, std=0.02)
        self.attend = nn.MultiheadAttention(WIDE, 4, batch_first=True)
        self.cross = nn.MultiheadAttention(WIDE, 4, kdim=seen, vdim=seen, batch_first=True)
        self.project = nn.Linear(WIDE, WIDE)
        self.norms = nn.ModuleList([nn.LayerNorm(WIDE), nn.LayerNorm(WIDE)])
        self.hidden, self.last = nn.Linear(2 * WIDE, 128), nn.Linear(128, classes)
        self.drop = nn.Dropout(0.2)

    def read(self, words: Tensor, real: Tensor) -> Tensor:
        """Words look at words: (batch, words, WIDE), and which are real, (batch, words) → (batch, words, WIDE)."""
        real = real | ~real.any(1, keepdim=True)  # a text without words looks at anything: nobody reads what it finds
        return words + self.attend(words, words, words, key_padding_mask=~real, need_weights=False)[0]

    def pool(self, words: Tensor, real: Tensor) -> Tensor:
        """One vector for a text: (batch, words, WIDE) → (batch, WIDE)."""
        return masked_mean(words, real)

    def look(self, text: Tensor, regions: Tensor) -> Tensor:
        """What a text finds in its picture: (batch, WIDE) and (batch, regions, seen) → (batch, WIDE)."""
        return self.cross(text[:, None], regions, regions)[0].squeeze(1)

    def carry(self, picture: Tensor) -> Tensor:
        """(batch, WIDE) → (batch, WIDE)."""
        return self.project(picture)

    def join(self, text: Tensor, picture: Tensor) -> Tensor:
        """Both sides in one vector, (batch, 2 WIDE)."""
        return self.drop(torch.cat([self.norms[0](text), self.norms[1](picture)], 1))

    def head(self, both: Tensor) -> Tensor:
        """(batch, 2 WIDE) → logits (batch, classes)."""
        return self.last(F.gelu(self.hidden(both)))

    def forward(self, inputs_embeds: Tensor, attention_mask: Tensor, patches: Tensor) -> Tensor:
        """Logits (batch, classes).

        Args:
            inputs_embeds: vectors of words, (batch, words, said), at most `PLACES` words.
            attention_mask: (batch, words), 1 for a real one.
            patches: (batch, regions, seen).
        """
        real = attention_mask.bool()
        words = self.enter(inputs_embeds) + self.places.weight[:inputs_embeds.shape[1]]
        text = self.pool(self.read(words, real), real)
        return self.head(self.join(text, self.carry(self.look(text, patches))))


class NoMask(SmallModel):
    """Attention that was not given its mask."""

    def read(self, words: Tensor, real: Tensor) -> Tensor:
        """Looks at padding, too."""
        return words + self.attend(words, words, words, need_weights=False)[0]


class MeanOverPadding(SmallModel):
    """The mask was given to attention, and forgotten in the mean."""

    def pool(self, words: Tensor, real: Tensor) -> Tensor:
        """Counts padding."""
        return words.mean(dim=1)


class NoGradient(SmallModel):
    """A projection under no_grad."""

    def carry(self, picture: Tensor) -> Tensor:
        """Is never learned, nor is anything before it on this way."""
        with torch.no_grad():
            return self.project(picture)


class SoftmaxTwice(SmallModel):
    """Probabilities where the loss expects logits: it takes a softmax of its own."""

    def head(self, both: Tensor) -> Tensor:
        """Gives probabilities."""
        return torch.softmax(self.last(F.gelu(self.hidden(both))), dim=-1)


class OneToken(SmallModel):
    """Attention to a picture that is a single vector."""

    def look(self, text: Tensor, regions: Tensor) -> Tensor:
        """Has nothing to choose among."""
        picture = regions.mean(dim=1, keepdim=True)
        return self.cross(text[:, None], picture, picture)[0].squeeze(1)


class BatchForTime(SmallModel):
    """batch_first was forgotten: posts look at posts."""

    def __init__(self, said: int = 128, seen: int = 128, classes: int = 3):
        super().__init__(said, seen, classes)
        self.attend = nn.MultiheadAttention(WIDE, 4)

    def read(self, words: Tensor, real: Tensor) -> Tensor:
        """Among the words in the same place of all posts."""
        return words + self.attend(words, words, words, need_weights=False)[0]


class StillDreaming(SmallModel):
    """Functional dropout, which no eval() reaches."""

    def join(self, text: Tensor, picture: Tensor) -> Tensor:
        """Drops, whatever the mode."""
        return F.dropout(torch.cat([self.norms[0](text), self.norms[1](picture)], 1))


class EmptyRow(SmallModel):
    """A text without a word: a softmax over nothing."""

    def read(self, words: Tensor, real: Tensor) -> Tensor:
        """Keeps the weights, to draw them."""
        found, self.weights = self.attend(words, words, words, key_padding_mask=~real)
        return words + found


class Hung(NamedTuple):
    """An exhibit."""

    kind: type[SmallModel]  #: the model as it was found
    check: str  #: which check of `CHECKS` finds it


#: Number in notebook 13 → the exhibit, of those that are a model.
FOUND: dict[int, Hung] = {
    1: Hung(NoMask, "padding"), 2: Hung(MeanOverPadding, "padding"), 3: Hung(NoGradient, "gradients"),
    5: Hung(SoftmaxTwice, "by_heart"), 6: Hung(OneToken, "attention"), 8: Hung(BatchForTime, "company"),
    9: Hung(StillDreaming, "twice"), 10: Hung(EmptyRow, "missing"),
}


def code_of(kind: type) -> str:
    """What a class writes itself, its methods without their docstrings: the lines in which a mistake has to be."""
    source = textwrap.dedent(inspect.getsource(kind))
    lines, (found,) = source.splitlines(), ast.parse(source).body
    methods = [node for node in getattr(found, "body", []) if isinstance(node, ast.FunctionDef)]
    said = {number for node in methods if ast.get_docstring(node)
            for number in range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1)}
    parts = ["\n".join(lines[i - 1] for i in range(node.lineno, (node.end_lineno or 0) + 1) if i not in said)
             for node in methods]
    return textwrap.dedent("\n".join(parts))
