"""Attention that has nothing to choose among."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from .case import Case, answer, single
from .finding import Finding, judged, not_asked
from .sides import NOTHING, awake
from .watching import Softmaxes

_QUERIES = ("q", "query", "q_proj", "q_lin", "wq", "w_q", "to_q", "linear_q", "queries", "query_proj", "in_proj_q")
_KEYS = ("k", "key", "k_proj", "k_lin", "wk", "w_k", "to_k", "linear_k", "keys", "key_proj", "in_proj_k")


def looks(model: nn.Module) -> Iterator[tuple[str, list[Tensor]]]:
    """Every attention of a model, by name, and the weights of which its queries and keys are made.

    They are told by their names: parts or weights called ``query`` and ``key``, ``q_proj`` and ``k_proj``, ``wq`` and
    ``wk`` and their like; of ``in_proj_weight`` (3 width, width), as in `nn.MultiheadAttention`, the first two thirds;
    its ``q_proj_weight`` and ``k_proj_weight``.
    """
    for name, part in model.named_modules():
        held: dict[str, Tensor] = {}
        for child, module in part.named_children():
            if isinstance(getattr(module, "weight", None), Tensor):
                held[child.lower()] = module.weight.detach()
        held |= {own.lower().removesuffix("_weight"): weight.detach()
                 for own, weight in part.named_parameters(recurse=False)}
        if "in_proj" in held and len(held["in_proj"]) % 3 == 0:
            yield name, [held["in_proj"][:len(held["in_proj"]) * 2 // 3]]
        found = [[held[own] for own in names if own in held and held[own].dim() == 2] for names in (_QUERIES, _KEYS)]
        if all(found):
            yield name, [*found[0], *found[1]]


def attention(case: Case) -> Finding:
    """Does attention choose? Its queries and keys are made at random, one attention at a time; answers must move.

    The number: attentions that move no answer by more than `NOTHING` of the largest logit, and softmaxes over a single
    number; ill above 0. The mistake: "attention fusion" over pooled vectors. Over a sequence of one the softmax is 1
    whatever the scores are, so that all that is left is a linear layer.
    """
    did = "made the queries and keys of each attention at random, one at a time, and counted softmaxes over one number"
    if single(case):
        return not_asked("attention", did, single(case))
    with Softmaxes() as softmaxes:
        answer(case.copy(), case.probe)
    idle, count = _idle(case, case.copy())
    if idle and (model := awake(case)) is not None:
        still_idle = _idle(case, model)[0]
        idle = [name for name in idle if name in still_idle]
    alone = sum(own == 1 for _, own in softmaxes.shapes)
    if not count and not softmaxes.shapes:
        return not_asked("attention", did, "The model has no attention: nothing in it is called query and key, and "
                         "there is no softmax.")
    return judged("attention", did, f"{len(idle)} of {count} move no answer" + f": {', '.join(idle[:3])}" * bool(idle)
                  + f"; {alone} of {len(softmaxes.shapes)} softmaxes are over a single number", max(len(idle), alone),
                  0, "An attention over a single token has nothing to choose among: give it the tokens, not their "
                  "mean, or call it a linear layer.")


def _idle(case: Case, model: nn.Module) -> tuple[list[str], int]:
    """The attentions whose queries and keys move no answer, and how many attentions there are."""
    probe, generator, idle, count = case.probe, case.generator(), [], 0
    before = answer(model, probe)
    largest = max(before.abs().max().item(), 1e-12)
    for name, weights in looks(model):
        count += 1
        kept = [weight.clone() for weight in weights]
        with torch.no_grad():
            for weight in weights:  # large enough for scores that choose
                weight.copy_(3 * torch.randn(weight.shape, generator=generator) / weight.shape[-1] ** 0.5)
            change = (answer(model, probe) - before).abs().max().item() / largest
            for weight, old in zip(weights, kept):
                weight.copy_(old)
        if change < NOTHING:
            idle.append(name or "the model")
    return idle, count
