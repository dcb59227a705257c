"""What learns: do gradients reach every weight, and does a step change it?"""

from __future__ import annotations

import inspect
import math
from collections.abc import Collection, Mapping

import torch
from torch import Tensor, nn

from ..errors import in_short
from ..learning.losses import loss_of
from ..seeds import seeded
from .case import Case, answer, logits_in, own, single
from .finding import Finding, judged, not_asked
from .inputs import Batch, mask_of, size_of
from .sides import NOTHING, can_lack, lacking

#: A gradient whose norm, over all weights, is above this at the first batch explodes.
EXPLODING = 1000.0
_ATTEMPTS = 12


def targets(case: Case, outputs: int, n: int) -> Tensor:
    """Labels for `n` posts, whatever theirs are: the classes in turn; for a model that gives numbers, -1 to 1."""
    if case.labels is not None and case.labels.is_floating_point():
        return torch.linspace(-1, 1, n)
    return torch.arange(n) % max(2, outputs)


def probe_targets(case: Case) -> Tensor:
    """`targets` for the probe. Ask before a copy is made: of a model that cannot be copied there is one at a time."""
    probe = case.probe
    return targets(case, answer(case.copy(), probe).shape[-1], size_of(probe))


def loss_on(model: nn.Module, batch: Batch, labels: Tensor) -> Tensor:
    """The loss of a batch, with its graph."""
    logits = logits_in(model(**own(batch))).float()
    return loss_of(logits, labels.to(logits.device))


def part_of(name: str, model: nn.Module) -> str:
    """The part of a model that a weight belongs to: its first name; in a dictionary or list of parts, two.

    Where one part holds all weights, as in a model that only wraps another (`DataParallel`), it is taken apart.
    """
    first, _, rest = name.partition(".")
    held = getattr(model, first, None)
    if isinstance(held, nn.Module) and len(list(held.parameters())) == len(list(model.parameters())):
        return f"{first}.{part_of(rest, held)}"
    return f"{first}.{rest.partition('.')[0]}" if rest and isinstance(
        held, (nn.ModuleDict, nn.ModuleList, nn.ParameterDict)) else first


def gradients_of(case: Case) -> tuple[nn.Module, dict[str, Tensor]]:
    """A copy in training mode, and name → the gradient of each weight that learns, zeros where none came.

    Where weights got none, posts that lack a side are tried too: what stands for a missing side learns from these.
    """
    probe = case.probe
    labels = probe_targets(case)
    model = case.copy().train()
    loss_on(model, probe, labels).backward()
    found = {name: torch.zeros_like(p) if p.grad is None else p.grad.detach().clone()
             for name, p in model.named_parameters() if p.requires_grad}
    if not all(bool(gradient.any()) for gradient in found.values()):
        for side, names in can_lack(case).items():
            if set(names) - {mask_of(names)} and side in case.sides:
                model.zero_grad(set_to_none=True)
                _try_backward(model, lacking(case, side, names), labels)
                for name, p in model.named_parameters():
                    if p.grad is not None and name in found and not found[name].any() and p.grad.isfinite().all():
                        found[name] = p.grad.detach().clone()
    return model, found


def _try_backward(model: nn.Module, batch: Batch, labels: Tensor) -> None:
    try:
        loss_on(model, batch, labels).backward()
    except Exception:  # it refuses such posts, in words of its own: it has nothing to learn from them
        model.zero_grad(set_to_none=True)


def asleep(case: Case, names: Collection[str]) -> set[str]:
    """Weights that get no gradient as the model is, and would get one if other weights were others.

    So it is behind a matrix or a gate that begins as zeros (an adapter, a residual branch), and for an expert to whom
    no post was sent. What is all zeros is changed a little; for weights that the pass does not meet at all, every
    weight, farther each time.
    """
    probe, generator = case.probe, case.generator()
    labels = probe_targets(case)
    quiet, unmet, woken = set[str](), set[str](), set[str]()
    for attempt in range(_ATTEMPTS):
        model = case.copy().train()
        with torch.no_grad():
            for p in model.parameters() if attempt else ():
                if p.requires_grad and (attempt > 1 or not p.any()):
                    size = attempt * (p.abs().mean().item() + 0.1)
                    p.add_((size * torch.randn(p.shape, generator=generator)).to(p))
        _try_backward(model, probe, labels)
        for name, p in model.named_parameters():
            moves = p.grad is not None and bool(p.grad.any())
            if not attempt and name in names and not moves:
                quiet.add(name)
                unmet |= {name} if p.grad is None else set()
            elif moves and name in (quiet if attempt == 1 else unmet):
                woken.add(name)
        if woken == quiet or attempt and not unmet - woken:
            break
    return woken


def learns_elsewhere(case: Case) -> set[str]:
    """Weights that get a gradient from something else that the model gives, in training mode: a loss or logits beside.

    So it is with heads for each side alone, and with the temperature of a contrastive loss.
    """
    batch = own(case.probe)
    if "labels" in inspect.signature(case.model.forward).parameters and "labels" not in batch:
        batch["labels"] = probe_targets(case).to(next(iter(batch.values())).device)
    model = case.copy().train()
    try:
        given = model(**batch)
        values = given.values() if isinstance(given, Mapping) else given if isinstance(given, tuple) else ()
        for x in [x for x in values if isinstance(x, Tensor) and x.requires_grad]:
            x.float().square().sum().backward(retain_graph=True)
    except Exception:  # it cannot be called so, or not gone back
        return set()
    return {name for name, p in model.named_parameters() if p.grad is not None and bool(p.grad.any())}


def gradients(case: Case) -> Finding:
    """Do gradients reach each part? One pass back, in training mode; each weight that gets none is then changed.

    The number: weights (tensors) that get no gradient though the answers hang on them, and whole parts that get none at
    all; ill above 0. What is `asleep` is let be, and what no answer hangs on and is only a piece of a part: BERT's
    pooler, the bias of keys. The mistake: a projection computed under ``no_grad`` or through ``detach``, ``numpy``,
    ``argmax`` or new tensors of old values; a layer made in ``__init__`` and forgotten in ``forward``.
    """
    did = "computed a loss, went back, and changed each weight that got no gradient"
    if not any(p.requires_grad for p in case.model.parameters()):
        return not_asked("gradients", did, "No weight of the model learns: all are frozen.")
    if single(case):
        return not_asked("gradients", did, single(case))
    try:
        model, found = gradients_of(case)
    except RuntimeError as error:
        return judged("gradients", did, "there is no way back: " + in_short(error), math.inf, 0,
                      "Nothing can be learned: the logits were cut off from the weights by no_grad, detach or a way "
                      "through NumPy, or forward changes what it has read already.")
    idle = [name for name, gradient in found.items() if not gradient.any()]
    sleeping = asleep(case, idle) if idle else set()
    idle = [name for name in idle if name not in sleeping]
    cut = [name for name in idle if matters(case, name)]
    elsewhere = learns_elsewhere(case) if len(idle) > len(cut) else set()
    idle = [name for name in idle if name in cut or name not in elsewhere]
    parts: dict[str, list[str]] = {}
    for name in found:
        parts.setdefault(part_of(name, model), []).append(name)
    unused = [part for part, names in parts.items() if set(names) <= set(idle) - set(cut)]
    saw = [f"cut off: {', '.join(cut[:3])}"] * bool(cut) + [f"unused: {', '.join(unused[:3])}"] * bool(unused)
    later = f"; only once others have moved: {', '.join(sorted(sleeping)[:3])}" * bool(sleeping)
    return judged("gradients", did, "; ".join(saw) or f"all {len(parts)} parts get gradients{later}",
                  len(cut) + len(unused), 0, "These weights stay as they are for ever: look for no_grad, detach, "
                  "argmax and new tensors on the way from them to the loss, and for layers that forward does not call.")


def matters(case: Case, name: str) -> bool:
    """Whether answers hang on a weight: it is changed, in evaluation mode."""
    model, probe = case.copy(), case.probe
    with seeded(case.seed):
        before = answer(model, probe)
    with torch.no_grad():
        weight = model.get_parameter(name)
        noise = torch.randn(weight.shape, generator=case.generator()).to(weight)
        weight.add_(noise * (weight.abs().mean() + 0.1))
    with seeded(case.seed):
        change = (answer(model, probe) - before).abs().max().item()
    return not change <= 10 * NOTHING * max(before.abs().max().item(), 1e-12)


def exploding(case: Case) -> Finding:
    """Do gradients explode? One pass back, in training mode.

    The number: the norm of the gradient over all weights; ill above `EXPLODING`, or where it is no number. Those of
    sound models, new or trained, stay below a tenth of that. The mistake: sums over tokens instead of means, features
    that nobody normalised, first weights that are too large, a square root of 0.
    """
    did = "computed a loss and went back"
    try:
        _, found = gradients_of(case)
    except RuntimeError:
        return not_asked("exploding", did, "There are no gradients: see the check 'gradients'.")
    if not found:
        return not_asked("exploding", did, "No weight of the model learns: all are frozen.")
    number = _norm(found)
    if EXPLODING < number < math.inf:  # a new network's first gradient may be large, and all is well after a step
        number = min(number, _norm(_after_a_step(case)))
    worst = max(found, key=lambda name: found[name].nan_to_num(math.inf).abs().max().item())
    return judged("exploding", did, f"the gradient's norm is {number:.3g}; the largest is that of {worst}", number,
                  EXPLODING, "A step would throw the weights away: look for sums where means belong, for "
                  "features that were not normalised, for divisions and roots of 0.")


def _norm(gradients: Mapping[str, Tensor]) -> float:
    norm = math.sqrt(sum(gradient.cpu().double().square().sum().item() for gradient in gradients.values()))
    return norm if math.isfinite(norm) else math.inf


def _after_a_step(case: Case) -> dict[str, Tensor]:
    """The gradients after a step of AdamW along clipped ones."""
    probe, labels = case.probe, probe_targets(case)
    model = case.copy().train()
    learns = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(learns, 1e-3)
    for last in (False, True):
        optimizer.zero_grad()
        loss_on(model, probe, labels).backward()
        if not last:
            nn.utils.clip_grad_norm_(learns, 1.0)
            optimizer.step()
    return {str(i): p.grad for i, p in enumerate(learns) if p.grad is not None}


def step(case: Case) -> Finding:
    """Does a step change every part that learns? One step of AdamW, in training mode, and one answer after it.

    The number: parts of which no weight has changed; ill above 0. The mistake: weights that ``forward`` sets anew, a
    weight that was replaced by another object after the optimiser was made, and all that `gradients` finds.
    """
    did = "made one training step and answered a batch after it"
    probe = case.probe
    labels = probe_targets(case)
    model = case.copy().train()
    learns = {name: p for name, p in model.named_parameters() if p.requires_grad}
    if not learns or single(case):
        return not_asked("step", did, single(case) or "No weight of the model learns: all are frozen.")
    old = {name: p.detach().clone() for name, p in learns.items()}
    batches = [probe] + [lacking(case, side, names) for side, names in can_lack(case).items()
                         if set(names) - {mask_of(names)} and side in case.sides]
    optimizer = torch.optim.AdamW(learns.values(), 1e-3, weight_decay=0.0)
    for batch in batches:
        optimizer.zero_grad()
        _try_backward(model, batch, labels)
        for p in learns.values():
            if p.grad is not None:
                p.grad.nan_to_num_(0.0, 0.0, 0.0)
        optimizer.step()
    answer(model, probe)
    stuck = untouched(old, model.state_dict(keep_vars=True), model)
    if stuck:
        sleeping = {part_of(name, model) for name in asleep(case, old)}
        beside = {part_of(name, model) for name in learns_elsewhere(case)}
        stuck = [part for part in stuck if part not in sleeping | beside]
    return judged("step", did, f"unchanged: {', '.join(stuck[:3])}" if stuck else "every part has changed", len(stuck),
                  0, "The optimiser never gets at these weights: make it last, of model.parameters(), and "
                  "let forward set no weight.")


def untouched(before: Mapping[str, Tensor], after: Mapping[str, Tensor], model: nn.Module) -> list[str]:
    """The parts of a model of which no weight differs between two of its states.

    Args:
        before, after: name → weight, as `state_dict` gives them; only names that both have are looked at.
    """
    parts: dict[str, bool] = {}
    for name, weight in before.items():
        if name in after and weight.is_floating_point():
            part = part_of(name, model)
            parts[part] = parts.get(part, False) or not torch.equal(weight.cpu(), after[name].detach().cpu())
    return [part for part, changed in parts.items() if not changed]


def trained(case: Case) -> Finding:
    """Has every part that learns learned something? Its weights are compared with those before the training.

    The number: parts of which no weight has changed; ill above 0. The mistake: an optimiser that was given some of the
    parts alone; weights that were never loaded, since ``load_state_dict(strict=False)`` says nothing.
    """
    did = "compared the weights with those before the training"
    if case.before is None:
        return not_asked("trained", did, "The weights before the training were not given: before=a copy of "
                         "model.state_dict(), made then.")
    learns = {name for name, p in case.model.named_parameters() if p.requires_grad}
    stuck = untouched({name: weight for name, weight in case.before.items() if name in learns},
                      case.model.state_dict(), case.model)
    return judged("trained", did, f"unchanged: {', '.join(stuck[:3])}" if stuck else "every part has changed",
                  len(stuck), 0, "The training has passed these parts over: make the optimiser last, of "
                  "model.parameters(), and look at what load_state_dict returns.")
