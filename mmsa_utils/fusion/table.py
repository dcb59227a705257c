"""Every fusion of the course by its name. A new one is a file in this room, and a line here."""

from __future__ import annotations

from collections.abc import Mapping

from .additive import Additive
from .attention import Attention
from .base import Fusion
from .bottleneck import Bottleneck
from .concat import Concat
from .gated import Gated
from .lowrank import LowRank
from .tensor import TensorFusion

#: Name → fusion.
FUSIONS: dict[str, type[Fusion]] = {
    "additive": Additive, "concat": Concat, "gated": Gated, "lowrank": LowRank, "tensor": TensorFusion,
    "attention": Attention, "bottleneck": Bottleneck}


def make_fusion(name: str, widths: Mapping[str, int]) -> Fusion:
    """A new fusion for sides of these widths.

    Raises:
        ValueError: for an unknown name.
    """
    if name not in FUSIONS:
        raise ValueError(f"no fusion is called {str(name)[:60]!r}: expected one of {', '.join(FUSIONS)}.")
    return FUSIONS[name](widths)
