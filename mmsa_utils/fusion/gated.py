"""Gated fusion: for each number of the result, how much of it comes from which side."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ..encoders.base import Encoded
from .base import Fusion, normed, present


class Gated(Fusion):
    """The gated multimodal unit (Arevalo et al. 2017, arXiv:1702.01992): h = z * tanh(W t) + (1 - z) * tanh(V v).

    The gates z see all sides at once and lie between 0 and 1, one for each number of h. Here they are a softmax over
    the sides, which for two of them is the paper's formula. A missing side's gate is shut, and the others share its
    part.

    Cost: 128 numbers for each number of each side, and 128 more a side for the gates; one pass.
    """

    width = 128

    def __init__(self, widths: Mapping[str, int]):
        super().__init__(widths)
        self.says = nn.ModuleDict({side: nn.Linear(width, self.width) for side, width in self.widths.items()})
        self.gates = nn.Linear(sum(self.widths.values()), self.width * len(self.widths))

    def forward(self, sides: Mapping[str, Encoded]) -> Tensor:
        """Side → (batch, tokens, width), averaged over tokens; → (batch, 128)."""
        vectors = [normed(side.pooled) for side in self.chosen(sides)]
        says = [torch.tanh(self.says[name](vector)) for name, vector in zip(self.widths, vectors)]
        return (self._shares(vectors, sides) * torch.stack(says, 1)).sum(1)

    def shares(self, sides: Mapping[str, Encoded]) -> Tensor:
        """How much of each number comes from which side: (batch, sides, 128), 1 in all over those that are there."""
        return self._shares([normed(side.pooled) for side in self.chosen(sides)], sides)

    def _shares(self, vectors: list[Tensor], sides: Mapping[str, Encoded]) -> Tensor:
        gates = self.gates(torch.cat(vectors, -1)).unflatten(-1, (len(vectors), self.width))
        there = torch.stack([present(side) for side in self.chosen(sides)], 1)
        return torch.softmax(gates.masked_fill(there == 0, -1e4), 1) * there
