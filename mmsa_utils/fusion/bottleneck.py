"""Fusion through a bottleneck: the sides read on side by side, and tell each other only what fits into a few tokens."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ..encoders.base import Encoded
from .base import Fusion, entered, entrance


class Bottleneck(Fusion):
    """Attention bottlenecks (Nagrani et al. 2021, arXiv:2107.00135): two transformer layers a side, four tokens shared.

    In each layer every side attends to its own tokens and to the four shared ones, which then are the average of what
    the sides made of them. So all that passes between the sides passes through four vectors. A missing side has no
    part in the average.

    Cost: two layers of 33,000 numbers for each side; (tokens + 4)^2 weights a head, layer and side, where a joint
    transformer over all tokens has the square of their sum.
    """

    sequences = True

    def __init__(self, widths: Mapping[str, int], inner: int = 64, layers: int = 2, shared: int = 4):
        super().__init__(widths)
        self.width = inner * len(self.widths)
        self.shared = nn.Parameter(0.02 * torch.randn(1, shared, inner))
        self.enter = entrance(widths, inner)
        self.layers = nn.ModuleList(nn.ModuleDict({side: nn.TransformerEncoderLayer(
            inner, 4, 2 * inner, dropout=0.0, batch_first=True, norm_first=True) for side in self.widths})
            for _ in range(layers))

    def forward(self, sides: Mapping[str, Encoded]) -> Tensor:
        """Side → (batch, tokens, width) with its mask; → (batch, 64 a side)."""
        self.chosen(sides)
        own = entered(self.enter, sides)
        there = torch.stack([side.mask.any(1) for side in own.values()]).to(self.shared.dtype)  # (sides, batch)
        share = (there / there.sum(0).clamp(min=1))[..., None, None]
        shared = self.shared.expand(there.shape[1], -1, -1)
        for layer in self.layers:
            assert isinstance(layer, nn.ModuleDict)  # for the type checker
            told = []
            for name, (tokens, real) in own.items():
                padding = torch.cat([~real, real.new_zeros(len(real), shared.shape[1])], 1)
                both = layer[name](torch.cat([tokens, shared], 1), src_key_padding_mask=padding)
                own[name] = Encoded(both[:, :real.shape[1]], real)
                told.append(both[:, real.shape[1]:])
            shared = (share * torch.stack(told)).sum(0)
        return torch.cat([side.pooled for side in own.values()], -1)
