"""Where to compute."""

from __future__ import annotations

import torch
from torch import nn


def best_device() -> torch.device:
    """The fastest device here: CUDA, else Apple's MPS, else the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def device_of(net: nn.Module) -> torch.device:
    """Where a network's weights are; the CPU if it has none."""
    return next((weights.device for weights in net.parameters()), torch.device("cpu"))
