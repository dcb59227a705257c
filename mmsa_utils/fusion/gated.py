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
        says = [torch.tanh(self.says[name](normed(side.pooled)))
                for name, side in zip(self.widths, self.chosen(sides))]
        return (self.shares(sides) * torch.stack(says, 1)).sum(1)

    def shares(self, sides: Mapping[str, Encoded]) -> Tensor:
        """How much of each number comes from which side: (batch, sides, 128), 1 in all over those that are there."""
        chosen = self.chosen(sides)
        gates = self.gates(torch.cat([normed(side.pooled) for side in chosen], -1))
        there = torch.stack([present(side) for side in chosen], 1)
        shut = gates.unflatten(-1, (len(chosen), self.width)).masked_fill(there == 0, -1e4)
        return torch.softmax(shut, 1) * there
