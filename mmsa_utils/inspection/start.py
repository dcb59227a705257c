"""What a model does before it has learned, and whether it can learn at all."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ..learning.losses import loss_of
from .case import Case, anew, answer, answers_to
from .finding import Finding, judged, not_asked
from .inputs import Batch, size_of
from .weights import loss_on, targets

#: A new model's loss, in units of ln(classes), above which it starts with an opinion.
OPINION = 2.0
#: What is left of the loss of an even guess when a few posts are known by heart. A softmax before the loss leaves half.
BY_HEART = 0.4
_KNOWN = 0.15  # less need not be shown
_POSTS, _STEPS, _RATES = 8, 120, (1e-3, 1e-2, 1e-4)


def first_loss(case: Case) -> Finding:
    """Is a new model's loss that of an even guess? It is ln(classes) for logits near 0.

    The number: the loss, over ln(classes), made anew by `make`; without it, the larger one of the model as it is and of
    one whose parts have drawn their weights anew; ill above `OPINION`, or where it is no number. Sound models start
    between 1 and 1.5, and one that has learned is better than that. The mistake: first weights that are too large, sums
    instead of means, logits multiplied for no reason; the training then begins with forgetting.
    """
    did = "made the model anew, and measured its loss"
    if case.labels is not None and case.labels.is_floating_point():
        return not_asked("first_loss", did, "The labels are numbers: an even guess has no loss of its own.")
    losses = {}

    def measure(how: str, model: nn.Module) -> None:
        logits = answers_to(model, case.batches)
        labels = targets(case, logits.shape[-1], len(logits)) if case.labels is None else case.labels
        loss = loss_of(logits.double(), labels).item() / math.log(max(2, logits.shape[-1]))
        losses[how] = loss if math.isfinite(loss) else math.inf

    new, whole = anew(case)
    if new is not None:
        measure("made anew", new)
    if case.make is None:
        measure("as it is", case.copy())
    number = max(losses.values())
    if losses.get("as it is", math.inf) <= OPINION and (new is None or number > OPINION and not whole):
        return not_asked("first_loss", did, "The model cannot be made anew from itself, or not all of it: give make=a "
                         "function that makes it.")
    return judged("first_loss", did, "; ".join(f"{how}, the loss is {loss:.3g} times ln(classes)"
                                               for how, loss in losses.items()), number, OPINION,
                  "The model is far worse than an even guess before it has seen anything: look at the size of the "
                  "logits, and of what goes into the head.")


def by_heart(case: Case) -> Finding:
    """Can the model learn a few posts by heart? Eight of them, with the classes in turn as their labels, dropout off.

    The number: the loss that is left after 120 steps of Adam, as a share of that of an even guess (for numbers: of the
    labels' variance), at the best of three rates; ill above `BY_HEART`. The training ends at 0.15, which most sound
    models come to. The mistake: a softmax before the loss, cut gradients, a side that never arrives, units that are all
    dead. It is the quickest test of a whole training loop.
    """
    did = f"let it learn up to {_POSTS} posts by heart, with any labels"
    if not any(p.requires_grad for p in case.model.parameters()):
        return not_asked("by_heart", did, "No weight of the model learns: all are frozen.")
    if any(p.requires_grad and p.dtype == torch.float16 for p in case.model.parameters()):
        return not_asked("by_heart", did, "Weights in float16 cannot be trained by Adam as they are, which divides by "
                         "0 there: give the model in float32 or bfloat16.")
    batch = case.distinct(_POSTS)
    n = size_of(batch)
    if n < 4:
        return not_asked("by_heart", did, f"There are {n} posts that differ: expected at least 4.")
    outputs = answer(case.copy(), batch).shape[-1]
    labels = targets(case, outputs, n)
    even = labels.var(correction=0).item() if labels.is_floating_point() else math.log(max(2, outputs))
    number = math.inf
    for rate in _RATES:
        number = min(number, learned(case.copy(), batch, labels, rate, goal=_KNOWN * even) / even)
        if number < _KNOWN:
            break
    return judged("by_heart", did, f"{number:.3g} of an even guess's loss is left", number, BY_HEART,
                  "It cannot even learn these: look for a softmax before the loss, for gradients that are cut off, and "
                  "for units that are all 0.")


def learned(model: nn.Module, batch: Batch, labels: Tensor, rate: float, goal: float, steps: int = _STEPS) -> float:
    """Train a model on one batch with Adam until the loss is below `goal`, in the mode in which it is; the least loss.

    inf if there is no way back.
    """
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], rate)
    least = math.inf
    for _ in range(steps):
        loss = loss_on(model, batch, labels)
        least = min(least, loss.item()) if math.isfinite(loss.item()) else least
        if least < goal or not loss.requires_grad:
            return least if least < goal else math.inf
        optimizer.zero_grad()
        try:
            loss.backward()
        except RuntimeError:  # there is no way back
            return math.inf
        optimizer.step()
    return least
