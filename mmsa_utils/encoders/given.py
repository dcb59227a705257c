"""An encoder for a side that comes encoded: data sets of videos are often given as features, not as pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from .base import Encoded, Encoder

#: Its name on every side.
GIVEN = "given"


def refused(items: Sequence[Any]) -> dict[str, Tensor]:
    """Raise ValueError: what comes encoded is not made of texts and pictures."""
    raise ValueError("this model was trained on features that came encoded, and nobody here can make such of a text, a "
                     "picture or a voice: give it features of the same kind, as load_mmsa reads them.")


class GivenEncoder(Encoder):
    """Passes on what was encoded elsewhere; it learns nothing. Its vector is the mean over the real tokens.

    Args:
        side: of a post.
        width: of its tokens; 0 for one that is about to be loaded.
    """

    prepare = staticmethod(refused)
    known_width: Tensor

    def __init__(self, side: str, width: int = 0):
        super().__init__()
        self.name, self.size = GIVEN, "mini"
        self.inputs = (f"{side}_tokens", f"{side}_mask")
        self.width = width
        self.register_buffer("known_width", torch.tensor(width))

    def encode(self, **inputs: Tensor) -> Encoded:
        """``SIDE_tokens`` (batch, tokens, width) and ``SIDE_mask`` (batch, tokens), as they are."""
        tokens, mask = (inputs[name] for name in self.inputs)
        return Encoded(tokens, mask.bool())

    def load(self, folder: Path) -> None:
        """Take over the width that `save` wrote."""
        self.load_state_dict(load_file(folder / "weights.safetensors"))
        self.width = int(self.known_width)
