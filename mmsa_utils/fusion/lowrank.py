"""Low-rank fusion: what tensor fusion and a layer behind it can say, without the tensor."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce

import torch
from torch import Tensor, nn

from ..encoders.base import Encoded
from .base import Fusion, normed


class LowRank(Fusion):
    """Low-rank multimodal fusion (Liu et al. 2018, arXiv:1806.00064): h = sum over r of (W_r [x_1; 1]) * (V_r [x_2; 1])

    A layer on the tensor of all products has a weight for each product and output. If these weights are of rank 8, the
    tensor need never be made: each side goes through 8 maps of its own, and only their results are multiplied. A
    missing side's factor is what its maps make of the 1 alone.

    Cost: 8 x 128 numbers for each number of each side: it grows with the sum of the sides, not with their product.
    """

    width, rank = 128, 8

    def __init__(self, widths: Mapping[str, int]):
        super().__init__(widths)
        self.says = nn.ModuleDict({side: nn.Linear(width, self.rank * self.width)  # its bias is the 1's weight
                                   for side, width in self.widths.items()})

    def forward(self, sides: Mapping[str, Encoded]) -> Tensor:
        """Side → (batch, tokens, width), averaged over tokens; → (batch, 128)."""
        factors = (self.says[name](normed(side.pooled)) for name, side in zip(self.widths, self.chosen(sides)))
        return reduce(torch.mul, factors).unflatten(-1, (self.rank, self.width)).sum(1)
