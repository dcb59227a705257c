"""Every softmax of a pass, whoever computes it: the layers of a library, or a line in somebody's forward."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

_SOFTMAX = {torch.softmax, F.softmax, Tensor.softmax, torch.special.softmax}


class Softmaxes(TorchFunctionMode):
    """Within it, each softmax is noted: over how many, and for how many.

    Attributes:
        shapes: (queries, keys) of each attention, or of each softmax (the axis before its own, its own), in their
            order. The axis before is 0 where there is none.
    """

    def __init__(self) -> None:
        super().__init__()
        self.shapes: list[tuple[int, int]] = []

    def __torch_function__(self, func: Callable[..., Any], types: Iterable[type], args: tuple = (),
                           kwargs: Mapping[str, Any] | None = None) -> Any:
        """Note it, then do it."""
        kwargs = dict(kwargs or {})
        if func in _SOFTMAX:
            scores = args[0] if args else kwargs["input"]
            axis = args[1] if len(args) > 1 else kwargs.get("dim")
            if isinstance(axis, int) and scores.dim():
                sizes = list(scores.shape)
                own = sizes.pop(axis)
                self.shapes.append((sizes[-1] if sizes else 0, own))
        elif func is F.scaled_dot_product_attention:
            query, key = (args[i] if len(args) > i else kwargs[name] for i, name in enumerate(("query", "key")))
            self.shapes.append((query.shape[-2], key.shape[-2]))
        elif func is F.multi_head_attention_forward:  # (tokens, batch, width)
            query, key = (args[i] if len(args) > i else kwargs[name] for i, name in enumerate(("query", "key")))
            self.shapes.append((query.shape[0], key.shape[0]))
        return func(*args, **kwargs)
