"""Late fusion: each side makes up its mind by itself, and the votes are added."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce

import torch
from torch import Tensor, nn

from ..encoders.base import Encoded
from .base import Fusion, normed, present


class Additive(Fusion):
    """h = f_1(x_1) + f_2(x_2) + ...: a network of its own for each side and a sum, under a linear head.

    What one side is worth never depends on another, so sides can outvote each other and nothing else: there is no
    sarcasm, and no "nothing like the photo". The best that such a reader can do is the *additive* ceiling. Late fusion
    by averaged scores is of this kind (Snoek et al. 2005, doi:10.1145/1101149.1101236), and so are generalised additive
    models (Hastie and Tibshirani 1986). A missing side adds nothing.

    Cost: 256 numbers for each number of each side, and 256 x 128 a side; one pass.
    """

    linear_head = True
    width = 128

    def __init__(self, widths: Mapping[str, int]):
        super().__init__(widths)
        self.says = nn.ModuleDict({side: nn.Sequential(
            nn.Dropout(0.2), nn.Linear(width, 256), nn.ReLU(), nn.Dropout(0.2), nn.Linear(256, self.width))
            for side, width in self.widths.items()})

    def forward(self, sides: Mapping[str, Encoded]) -> Tensor:
        """Side → (batch, tokens, width), averaged over tokens; → (batch, 128)."""
        votes = (self.says[name](normed(side.pooled)) * present(side)
                 for name, side in zip(self.widths, self.chosen(sides)))
        return reduce(torch.add, votes)
