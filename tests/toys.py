"""A new encoder and a new fusion, each as CONTRIBUTING tells it: one file, one line in a table."""

import re
import zlib
from collections.abc import Mapping

import torch
from torch import nn

from mmsa_utils import Encoded, Encoder, Fusion

BUCKETS = 64


def words_of(texts: list) -> dict[str, torch.Tensor]:
    """A number for each word, 0 behind the last one; a missing text has none."""
    numbers = [[1 + zlib.crc32(word.encode()) % BUCKETS for word in re.findall(r"\w+", (text or "").lower())]
               for text in texts]
    longest = max(1, *map(len, numbers))
    return {"word_ids": torch.tensor([row + [0] * (longest - len(row)) for row in numbers])}


class Words(Encoder):
    """A vector a word, learned from nothing."""

    inputs = ("word_ids",)
    width = 16
    prepare = staticmethod(words_of)

    def __init__(self, seed: int):
        super().__init__()
        self.table = nn.Embedding(BUCKETS + 1, self.width)
        nn.init.normal_(self.table.weight, generator=torch.Generator().manual_seed(seed))

    def encode(self, word_ids: torch.Tensor) -> Encoded:
        """(batch, words) → (batch, words, 16)."""
        return Encoded(self.table(word_ids), word_ids > 0)


def load_words(size: str, pretrained: bool, seed: int) -> Words:
    """As the table of encoders asks for it."""
    return Words(seed)


class Gate(Fusion):
    """A sum of the sides, each first brought to one width and weighed by what it says itself."""

    sequences = True
    width = 32

    def __init__(self, widths: Mapping[str, int]):
        super().__init__(widths)
        self.values = nn.ModuleDict({side: nn.Linear(width, self.width) for side, width in self.widths.items()})
        self.gates = nn.ModuleDict({side: nn.Linear(width, 1) for side, width in self.widths.items()})

    def forward(self, sides: Mapping[str, Encoded]) -> torch.Tensor:
        """Each token has its weight; what is masked has none."""
        total = torch.zeros(())
        for name, side in zip(self.widths, self.chosen(sides)):
            weight = torch.sigmoid(self.gates[name](side.tokens)) * side.mask.unsqueeze(-1)
            total = total + (weight * self.values[name](side.tokens)).sum(1)
        return total
