"""Attention between the sides: each token of one looks at all tokens of the other."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..encoders.base import Encoded
from .base import Fusion, entered, entrance


class Look(nn.Module):
    """Cross-attention: what each token of one side finds among the tokens of another, with several heads."""

    def __init__(self, width: int, heads: int = 2):
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))

    def split(self, tokens: Tensor) -> Tensor:
        """(batch, n, width) → (batch, heads, n, width / heads)."""
        return tokens.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def weights(self, ours: Tensor, theirs: Encoded) -> Tensor:
        """(batch, n, width) and (batch, m, width) → (batch, heads, n, m): how each of ours spreads its look, 1 in all.

        What is masked gets nothing; where all of it is, every weight is 0.
        """
        query, key = self.split(self.query(ours)), self.split(self.key(theirs.tokens))
        scores = query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5
        return masked_softmax(scores, theirs.mask[:, None, None])

    def forward(self, ours: Tensor, theirs: Encoded) -> Tensor:
        """(batch, n, width) and (batch, m, width) → (batch, n, width): the values, each as much as its weight.

        PyTorch computes both in one go and keeps no table of weights: a fifth of the time for hundreds of frames.
        """
        query, key, value = map(self.split, (self.query(ours), self.key(theirs.tokens), self.value(theirs.tokens)))
        real = theirs.mask.bool()[:, None, None]
        barred = torch.zeros_like(real, dtype=ours.dtype).masked_fill(~real, -1e4)
        found = F.scaled_dot_product_attention(query, key, value, attn_mask=barred)
        return (found * real.any(-1, keepdim=True)).transpose(1, 2).flatten(2)


def masked_softmax(scores: Tensor, mask: Tensor) -> Tensor:
    """Softmax over the last axis among what is real; zeros for the rest, and everywhere where nothing is real."""
    return torch.softmax(scores.masked_fill(~mask.bool(), -1e4), -1) * mask


class Attention(Fusion):
    """Words look at the picture's regions, and regions at the words: x + softmax(Q K' / sqrt(d)) V, both ways.

    Cross-attention (Vaswani et al. 2017, arXiv:1706.03762) between streams, as in ViLBERT (Lu et al. 2019,
    arXiv:1908.02265) and MulT (Tsai et al. 2019, arXiv:1906.00295). Every token adds what it found in each other side
    and thinks it over (a feed-forward layer); of its side's tokens a weighted mean is taken, whose weights are learned
    too (Yang et al. 2016, doi:10.18653/v1/N16-1174). So *which* region counts may depend on a word: that is what pooled
    vectors cannot do. Over a side of a single token there is nothing to choose, and attention is a linear layer.

    Cost: for sides of n and m tokens, n x m weights each way and head, and 38,000 numbers a side of 128 where
    there are two; it reads sequences, which take n times the room of a vector.
    """

    sequences = True

    def __init__(self, widths: Mapping[str, int], inner: int = 64):
        super().__init__(widths)
        self.width = inner * len(self.widths)
        self.enter = entrance(widths, inner)
        self.looks = nn.ModuleDict({f"{one}_at_{other}": Look(inner) for one in self.widths for other in self.widths
                                    if one != other})
        self.think = nn.ModuleDict({side: nn.Sequential(nn.LayerNorm(inner), nn.Linear(inner, 2 * inner), nn.ReLU(),
                                                        nn.Linear(2 * inner, inner)) for side in self.widths})
        self.choose = nn.ModuleDict({side: nn.Linear(inner, 1, bias=False) for side in self.widths})

    def look(self, sides: Mapping[str, Encoded]) -> dict[str, Encoded]:
        """Side → its tokens (batch, tokens, 64), each with what it found in the other sides, thought over."""
        self.chosen(sides)
        start, found = entered(self.enter, sides), {}
        for one, (tokens, mask) in start.items():
            for other, theirs in start.items():
                if other != one:
                    tokens = tokens + self.looks[f"{one}_at_{other}"](start[one].tokens, theirs)
            found[one] = Encoded(tokens + self.think[one](tokens), mask)
        return found

    def weights(self, sides: Mapping[str, Encoded], one: str = "text", other: str = "image") -> Tensor:
        """Where the tokens of one side look in another: (batch, its tokens, the other's tokens), mean of the heads."""
        start, look = entered(self.enter, sides), self.looks[f"{one}_at_{other}"]
        assert isinstance(look, Look)  # for the type checker
        return look.weights(start[one].tokens, start[other]).mean(1)

    def gaze(self, sides: Mapping[str, Encoded], one: str = "text", other: str = "image") -> Tensor:
        """Where a side as a whole looks in another, each of its tokens as far as it counts: (batch, other's tokens)."""
        counts = self.choice(self.look(sides))[one]
        return (counts.unsqueeze(1) @ self.weights(sides, one, other)).squeeze(1)

    def choice(self, found: Mapping[str, Encoded]) -> dict[str, Tensor]:
        """Side → how much each of its tokens counts, (batch, tokens), 1 in all."""
        return {name: masked_softmax(self.choose[name](side.tokens).squeeze(-1), side.mask)
                for name, side in found.items()}

    def forward(self, sides: Mapping[str, Encoded]) -> Tensor:
        """Side → (batch, tokens, width) with its mask; → (batch, 64 a side)."""
        found = self.look(sides)
        counts = self.choice(found)
        return torch.cat([(counts[name].unsqueeze(1) @ side.tokens).squeeze(1) for name, side in found.items()], -1)
