"""What every fusion is: the encoded sides of a batch go in, one vector a post comes out."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn
from torch.nn import functional as F

from ..encoders.base import Encoded


class Fusion(nn.Module):
    """A way for the sides to meet. A new one sets `width`, says whether it reads sequences, and writes `forward`.

    It reads the sides that it was made for, in their order, and passes over any others: one that was made for the
    text alone gives the text alone, whatever else there is.

    Args:
        widths: side → width of its tokens, in the fixed order of the sides.

    Attributes:
        width: of the vector that comes out.
        sequences: whether it looks at every token of a side (True), or at one vector for each (False); what it does
            not look at is neither computed nor kept.
        linear_head: whether nothing but a linear head may stand on it: a deeper one would do what this fusion says
            that it does not.
    """

    sequences = False
    linear_head = False
    width: int

    def __init__(self, widths: Mapping[str, int]):
        super().__init__()
        if not widths:
            raise ValueError("there are no sides to fuse: expected the width of at least one.")
        self.widths = dict(widths)

    def chosen(self, sides: Mapping[str, Encoded]) -> list[Encoded]:
        """The sides that this fusion reads, in its order.

        Raises:
            ValueError: for a side that is not there, or is of another width; the message names it.
        """
        for name, width in self.widths.items():
            if name not in sides:
                raise ValueError(f"the side {name!r} is not there: expected {', '.join(self.widths)}, got "
                                 f"{', '.join(sides) or 'none'}.")
            if sides[name].width != width:
                raise ValueError(f"the side {name!r} is {sides[name].width} wide: expected {width}, as this fusion was "
                                 "made for.")
        return [sides[name] for name in self.widths]

    def forward(self, sides: Mapping[str, Encoded]) -> Tensor:
        """Side → (batch, tokens, width) with its mask; → (batch, `width`)."""
        raise NotImplementedError


def normed(vectors: Tensor) -> Tensor:
    """(..., width), each brought to mean 0 and variance 1 within itself (Ba et al. 2016); zeros stay zeros.

    A vector of a single number has no variance within itself, and stays as it is.
    """
    return vectors if vectors.shape[-1] == 1 else F.layer_norm(vectors, vectors.shape[-1:])


def entrance(widths: Mapping[str, int], inner: int) -> nn.ModuleDict:
    """Side → a layer that normalises its tokens and brings them to one width: (..., its width) → (..., inner)."""
    return nn.ModuleDict({side: nn.Sequential(nn.LayerNorm(width) if width > 1 else nn.Identity(), nn.Dropout(0.1),
                                              nn.Linear(width, inner)) for side, width in widths.items()})


def entered(layers: nn.ModuleDict, sides: Mapping[str, Encoded]) -> dict[str, Encoded]:
    """Every side through its layer of `entrance`. Whatever is masked enters as zeros, NaN too."""
    return {name: Encoded(layer(sides[name].tokens.masked_fill(~sides[name].mask.bool().unsqueeze(-1), 0)),
                          sides[name].mask.bool()) for name, layer in layers.items()}


def present(side: Encoded) -> Tensor:
    """Which posts have this side: (batch, 1), 1 or 0, to multiply with."""
    there = side.mask if side.mask.shape[1] == 1 else side.mask.any(1, keepdim=True)
    return there.to(side.tokens.dtype)
