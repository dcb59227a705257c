"""Copies of a model; and for one that cannot be copied, its state, which is put back."""

from __future__ import annotations

import copy
from typing import NamedTuple

import torch
from torch import Tensor, nn


def copied(model: nn.Module) -> nn.Module:
    """A copy of a model in evaluation mode, without gradients.

    Tensors that a module keeps from its last pass cannot be copied by Python; their values are.
    """
    kept = {id(x): x.detach().clone() for part in model.modules() for x in vars(part).values()
            if isinstance(x, Tensor) and not x.is_leaf}
    made = copy.deepcopy(model, kept)
    made.zero_grad(set_to_none=True)
    return made.eval()


class State(NamedTuple):
    """All of a model that checks may change."""

    weights: list[tuple[nn.Parameter, Tensor, Tensor | None]]  #: each with its values and its gradient
    buffers: list[tuple[nn.Module, str, Tensor, Tensor]]  #: of which part, its name, the tensor and its values
    modes: list[tuple[nn.Module, bool]]  #: each part, and whether it is in training mode


def state_of(model: nn.Module) -> State:
    """The state of a model, values copied."""
    return State([(p, p.detach().clone(), p.grad) for p in model.parameters()],
                 [(part, name, x, x.detach().clone()) for part in model.modules()
                  for name, x in part.named_buffers(recurse=False)],
                 [(part, part.training) for part in model.modules()])


@torch.no_grad()
def put_back(state: State) -> None:
    """Bring a model back into a state: values, gradients and modes."""
    for p, values, gradient in state.weights:
        p.data.copy_(values)
        p.grad = gradient
    for part, name, buffer, values in state.buffers:
        buffer.data.copy_(values)
        part._buffers[name] = buffer
    for part, mode in state.modes:
        part.training = mode
