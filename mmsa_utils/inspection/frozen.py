"""What is kept from learning: on purpose, or by accident?"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from .case import Case, own
from .finding import Finding, judged, not_asked
from .inputs import Batch
from .weights import matters

#: Weights that somebody froze on purpose though what is before them learns: small ones are trained beside them.
_BESIDE = ("lora", "adapter", "prompt")
_NORMS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm)


def frozen(case: Case) -> Finding:
    """Is a part frozen by accident? One pass forward: what is frozen should stand before what learns, never behind.

    The number: frozen layers whose input comes from weights that learn, frozen layers that hold torch's own first
    random weights, and sides of which nothing learns while another's encoder does; ill above 0. To freeze all
    encoders is no mistake, nor to freeze all of a model; nor is a frozen network behind a few weights that learn
    (adapters, a bridge between two networks), or a normalisation that is kept as it was, or word vectors that are.
    The mistake: a loop over ``parameters()`` that comes after the new head was added or goes by half of the names, a
    projection that was frozen before it learned.
    """
    did = "looked which frozen layers stand behind what learns, hold random weights, or read one side alone"
    model = case.copy()
    if not any(p.requires_grad for p in model.parameters()):
        return not_asked("frozen", did, "No weight of the model learns: all are frozen.")
    if any(word in name for name, _ in model.named_parameters() for word in _BESIDE):
        return not_asked("frozen", did, "Small weights are trained beside frozen ones (adapters): that is meant so.")
    still = [name for name, part in model.named_modules() if (own := list(part.parameters(recurse=False)))
             and not any(p.requires_grad for p in own)]
    given = _inputs_of(model, case.probe)
    sizes = {learns: sum(p.numel() for p in model.parameters() if p.requires_grad is learns)
             for learns in (True, False)}
    behind = [name for name in still if any(x.requires_grad for x in given.get(name, ()))
              and not isinstance(model.get_submodule(name), _NORMS)] if sizes[True] > sizes[False] else []
    raw = [name for name in still if name not in behind and as_made(model.get_submodule(name))
           and matters(case, f"{name}.weight")]  # a slow copy that teaches (MoCo) answers nobody
    learns = _sides_that_learn(model, case, given)
    alone = [side for side, some in learns.items() if not some] if any(learns.values()) else []
    told = {"behind what learns": behind, "never learned": raw, "frozen, while the other side learns": alone}
    saw = [f"{what}: {', '.join(names[:3])}" for what, names in told.items() if names]
    return judged("frozen", did, "; ".join(saw) or f"{len(still)} frozen layers, all before what learns",
                  len(behind) + len(raw) + len(alone), 0, "If that is not meant so: set requires_grad_ before "
                  "new layers are added, and look at it again just before the training.")


def _inputs_of(model: nn.Module, batch: Batch) -> dict[str, list[Tensor]]:
    """Part → the tensors that it is called with in one pass."""
    given: dict[str, list[Tensor]] = {}

    def look(name: str):
        def hook(part: nn.Module, args: tuple, kwargs: dict) -> None:
            given.setdefault(name, []).extend(x for x in (*args, *kwargs.values()) if isinstance(x, Tensor))
        return hook

    hooks = [part.register_forward_pre_hook(look(name), with_kwargs=True)
             for name, part in model.named_modules() if name]
    model(**own(batch))
    for hook in hooks:
        hook.remove()
    return given


def _sides_that_learn(model: nn.Module, case: Case, given: Mapping[str, list[Tensor]]) -> dict[str, bool]:
    """Side → whether any weight learns in the parts that hear this side and no other: its encoder, a layer behind it.

    Word vectors by themselves tell nothing: what reads them may learn.
    """
    heard: dict[str, set[str]] = {}
    for side, names in case.sides.items():
        turned = _inputs_of(model, {**case.probe, **{name: case.probe[name].roll(1, 0) for name in names}})
        for part, tensors in given.items():
            if any(not torch.equal(x, y) for x, y in zip(tensors, turned.get(part, ()))):
                heard.setdefault(part, set()).add(side)
    book = {id(p) for part in model.modules() if isinstance(part, nn.Embedding) for p in part.parameters()}
    found: dict[str, bool] = {}
    for part, sides in heard.items():
        held = model.get_submodule(part)
        weights = [p for p in held.parameters(recurse=False) if p.requires_grad or id(p) not in book]
        if len(sides) == 1 and weights:
            side = min(sides)
            found[side] = found.get(side, False) or any(p.requires_grad for p in weights)
    return found


def as_made(part: nn.Module) -> bool:
    """Whether a linear or convolution layer holds the weights that torch gave it: even within 1 / sqrt(inputs)."""
    weight = getattr(part, "weight", None)
    if not isinstance(part, (nn.Linear, nn.Conv1d, nn.Conv2d)) or not isinstance(weight, Tensor):
        return False
    scaled, n = weight.detach().cpu().double() * math.sqrt(weight[0].numel()), weight.numel()
    return n >= 256 and scaled.abs().max().item() <= 1 + 1e-6 and scaled.abs().max().item() > 1 - 20 / n and abs(
        scaled.square().mean().item() - 1 / 3) < 5 * math.sqrt(4 / 45 / n)
