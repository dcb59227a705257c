"""Concatenation: the sides, each normalised, one behind the other."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from ..encoders.base import Encoded
from .base import Fusion, normed


def join(*sides: Tensor) -> Tensor:
    """Concatenation fusion: (batch, text width) and (batch, image width) → (batch, text width + image width).

    Each side is first brought to mean 0 and variance 1 within its own vector (layer normalisation without
    parameters, Ba et al. 2016), so that neither shouts the other down. One side alone is only normalised.
    """
    return torch.cat([F.layer_norm(side, side.shape[-1:]) for side in sides], dim=-1)


class Concat(Fusion):
    """`join` over the vectors of any number of sides: nothing to learn, and nothing lost.

    A side that is missing leaves zeros, as would a vector whose numbers are all equal. A side that is one number
    wide is passed on as it is: within itself it has no variance.

    Cost: one pass over the numbers. `width` is the sum of all widths.
    """

    def __init__(self, widths: Mapping[str, int]):
        super().__init__(widths)
        self.width = sum(self.widths.values())

    def forward(self, sides: Mapping[str, Encoded]) -> Tensor:
        """Side → (batch, tokens, width), averaged over tokens if there are several; → (batch, sum of widths)."""
        return torch.cat([normed(side.pooled) for side in self.chosen(sides)], dim=-1)
