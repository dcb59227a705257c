"""The last step: a small network that makes an answer of the fused vector."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ..fusion.base import Fusion
from ..seeds import seeded


class Dropout(nn.Dropout):
    """torch's dropout with cheaper random numbers on the CPU: 16 random bits for a unit, a quarter of the time."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Any shape; the units that are kept are scaled by 1 / (1 - p). The share p is exact to 1 / 65,536."""
        plain = inputs.device.type == "cpu" and inputs.dtype == torch.float32 and not _transformed(inputs)
        if not (self.training and 0 < self.p < 1 and plain):
            return super().forward(inputs)
        n = inputs.numel()
        bits = torch.empty(-(-n // 4), dtype=torch.int64).random_(-(2**63), None).view(torch.int16)[:n]
        kept = bits.float().ge_(int(65536 * self.p) - 32768).mul_(1 / (1 - self.p)).view(inputs.shape)
        return kept * inputs if inputs.requires_grad else kept.mul_(inputs)


def _transformed(inputs: Tensor) -> bool:
    """Whether torch.compile or torch.func looks on: they have random numbers of their own."""
    return torch.compiler.is_compiling() or torch._C._functorch.is_functorch_wrapped_tensor(inputs)


class Scale(nn.Module):
    """Brings each column to mean 0 and spread 1, as far as `measure` has seen it; before, it changes nothing.

    Columns on one scale are learned faster. The two numbers a column are kept with the weights, so a head that was
    trained on scaled columns reads the features as they come.
    """

    factor: Tensor
    shift: Tensor

    def __init__(self, width: int):
        super().__init__()
        self.register_buffer("factor", torch.ones(width))
        self.register_buffer("shift", torch.zeros(width))

    @torch.no_grad()
    def measure(self, inputs: Tensor) -> None:
        """Take mean and spread of each column from training posts (n, width). A constant column keeps its spread."""
        mean = inputs.mean(0)
        std = (inputs - mean).square().mean(0).sqrt()
        std[std <= 1e-5 * mean.abs()] = 1  # no more than rounding: to divide by it would make noise of nothing
        self.factor.copy_(1 / std)
        self.shift.copy_(-mean / std)

    def forward(self, inputs: Tensor) -> Tensor:
        """(batch, width) → (batch, width)."""
        return torch.addcmul(self.shift, inputs, self.factor)


def mlp_head(width: int, num_outputs: int, hidden: int = 256, dropout: float = 0.2) -> nn.Sequential:
    """A feed-forward classifier: (batch, width) → (batch, num_outputs) logits.

    Args:
        width: of the fused vector.
        num_outputs: classes, or 1 for a single logit (two classes) or number.
        hidden: units of each of the two hidden layers; 0 for a linear head, which over laid side by side
            vectors can only add up what the sides say.
        dropout: share of the inputs and of the hidden units that are silenced at random while training, so that the
            head leans on many of them and on none too much.
    """
    if hidden == 0:
        return nn.Sequential(Scale(width), nn.Linear(width, num_outputs))
    return nn.Sequential(Scale(width),
                         Dropout(dropout), nn.Linear(width, hidden), nn.ReLU(),
                         Dropout(dropout), nn.Linear(hidden, hidden), nn.ReLU(),
                         Dropout(dropout), nn.Linear(hidden, num_outputs))


def head_for(fusion: Fusion, num_outputs: int, hidden: int = 256, dropout: float = 0.2) -> nn.Sequential:
    """`mlp_head` for what a fusion makes; without hidden layers where it allows of none."""
    return mlp_head(fusion.width, num_outputs, 0 if fusion.linear_head else hidden, dropout)


def fresh(make: Callable[[], Fusion], num_outputs: int, seed: int = 0, hidden: int = 256,
          device: torch.device | str = "cpu") -> tuple[Fusion, nn.Module]:
    """A new fusion and the head on it, with the first weights of a seed."""
    with seeded(seed):
        fusion = make()
        return fusion.to(device), head_for(fusion, num_outputs, hidden).to(device)


def random_head(width: int, num_outputs: int = 3, hidden: int = 256, dropout: float = 0.2,
                seed: int = 0) -> nn.Sequential:
    """A head that never learned anything. Over many seeds its accuracy is 1 / classes and its loss ln(classes)."""
    with seeded(seed):
        return mlp_head(width, num_outputs, hidden, dropout)


def probabilities_of(logits: Tensor) -> Tensor:
    """Logits → probabilities that sum to 1: (batch, classes); a single logit becomes two columns."""
    if logits.shape[-1] == 1:
        return torch.sigmoid(torch.cat([-logits, logits], dim=-1))
    return torch.softmax(logits, dim=-1)
