"""Tensor fusion: every number of one side times every number of the other."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..encoders.base import Encoded
from .base import Fusion, normed, present


class TensorFusion(Fusion):
    """The tensor fusion network (Zadeh et al. 2017, arXiv:1707.07250): [x_1; 1] ⊗ [x_2; 1] ⊗ ...

    Each side is first made small, then all products of its numbers with all numbers of the others are taken. The 1 that
    is added to each keeps what a side says alone among the products, so a missing side, all zeros but for its 1,
    leaves the others as they are.

    Cost: grows with the product of the sides: 33 x 33 = 1,089 numbers for two, 17 x 17 x 17 = 4,913 for three, where a
    side is made only 16 wide; and the head's first layer with it.
    """

    def __init__(self, widths: Mapping[str, int]):
        super().__init__(widths)
        self.small = {1: 128, 2: 32}.get(len(self.widths), 16)
        self.says = nn.ModuleDict({side: nn.Linear(width, self.small) for side, width in self.widths.items()})
        self.width = (self.small + 1) ** len(self.widths)

    def forward(self, sides: Mapping[str, Encoded]) -> Tensor:
        """Side → (batch, tokens, width), averaged over tokens; → (batch, product of the sides)."""
        factors = (F.pad(torch.relu(self.says[name](normed(side.pooled))) * present(side), (0, 1), value=1.0)
                   for name, side in zip(self.widths, self.chosen(sides)))
        return reduce(lambda one, two: torch.bmm(one.unsqueeze(2), two.unsqueeze(1)).flatten(1), factors)
