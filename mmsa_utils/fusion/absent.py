"""A side that is missing: what stands in its place, and how a fusion learns to do without it."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ..encoders.base import Encoded
from .base import Fusion


class Absent(Fusion):
    """A fusion that knows absence: where a post lacks a side, a vector stands there that was learned for it.

    A fusion alone has no word for "there is none": what it makes of a missing side (zeros, most of them) is what it
    also makes of a side that says nothing in particular. Here the absence of each side is a token of its own, as an
    unknown word has one, learned on posts whose sides were left out on purpose (`drop_sides`; Neverova et al. 2016,
    arXiv:1501.00102, call it ModDrop).

    Args:
        fusion: any; it is given the sides complete.

    Cost: one vector for each side.
    """

    def __init__(self, fusion: Fusion):
        super().__init__(fusion.widths)
        self.fusion = fusion
        self.width, self.sequences, self.linear_head = fusion.width, fusion.sequences, fusion.linear_head
        self.absent = nn.ParameterDict({side: nn.Parameter(torch.randn(width)) for side, width in self.widths.items()})

    def filled(self, sides: Mapping[str, Encoded]) -> dict[str, Encoded]:
        """Side → (batch, tokens, width) with its mask; the same, with one token where a post had none of a side."""
        return {name: self._filled(side, self.absent[name]) for name, side in zip(self.widths, self.chosen(sides))}

    @staticmethod
    def _filled(side: Encoded, vector: Tensor) -> Encoded:
        gone = ~side.mask.bool().any(1)
        first = torch.zeros_like(side.mask, dtype=torch.bool)
        first[:, 0] = gone
        tokens = torch.where(first.unsqueeze(-1), vector.to(side.tokens.dtype), side.tokens)
        return Encoded(tokens, side.mask.bool() | first)

    def forward(self, sides: Mapping[str, Encoded]) -> Tensor:
        """Side → (batch, tokens, width) with its mask; → (batch, width of the fusion)."""
        return self.fusion(self.filled(sides))


def missing(sides: Mapping[str, Encoded]) -> dict[str, Tensor]:
    """Side → which posts lack it, (batch,)."""
    return {name: ~side.mask.bool().any(1) for name, side in sides.items()}


def without(sides: Mapping[str, Encoded], gone: Mapping[str, Tensor]) -> dict[str, Encoded]:
    """The same posts without some of their sides.

    Args:
        gone: side → which posts are to lose it, (batch,) of booleans.
    """
    return {name: Encoded(side.tokens, side.mask.bool() & ~gone[name].unsqueeze(1)) if name in gone else side
            for name, side in sides.items()}


def drop_sides(sides: Mapping[str, Encoded], share: float, generator: torch.Generator | None = None
               ) -> dict[str, Encoded]:
    """Leave each side out of each post with a probability of `share`, but never all that a post has (ModDrop).

    A post that would lose all keeps one of its sides, each as likely as the others.

    Args:
        sides: side → (batch, tokens, width) with its mask.
        generator: of the random numbers, on the CPU; torch's own if there is none.
    """
    there = torch.stack([side.mask.bool().any(1) for side in sides.values()], 1).cpu()  # (batch, sides)
    draws = torch.rand(there.shape, generator=generator).masked_fill(~there, -1)
    kept = there & (draws >= share)
    luckiest = nn.functional.one_hot(draws.argmax(1), len(sides)).bool()  # all draws are alike: each as often
    kept = torch.where(kept.any(1, keepdim=True), kept, there & luckiest)
    return without(sides, {name: ~kept[:, i].to(side.mask.device) for i, (name, side) in enumerate(sides.items())})
