"""What must not change an answer: padding, the order of a batch, the other posts in it, being asked twice."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from .case import Case, answer, furthest, moved, own, spread
from .finding import Finding, judged, not_asked
from .inputs import Batch, longer, mask_of, rows, shorter, size_of

#: Answers that move by more than this share of their spread among posts have moved. What rounding does to sound models
#: is under a tenth of it (1.3e-5 in 140 of them); padding that counts moves answers of new models by 2e-3, of trained
#: ones by much more. Numbers of 16 bits round more coarsely: for them it is `COARSE`.
STILL, COARSE = 2e-4, 0.05
_MODAL = (nn.modules.dropout._DropoutNd, nn.modules.batchnorm._NormBase)  # parts for which the mode counts
_MORE = (24, 5)  # tokens or frames of padding: as many as a model has places for


def padding(case: Case) -> Finding:
    """Does padding change the answer? Each side that has some gets more of it behind, and loses what it need not have.

    The number: how far an answer moves at most, in units of their spread; ill above `STILL`. The mistake: a transformer
    that is not given its ``attention_mask``, or a mean over all tokens instead of the real ones; then a post's answer
    hangs on the longest text of its batch.
    """
    did = "put more padding behind each text or sound, and took away what a batch had of it"
    probe, model = case.probe, case.copy()
    before, told = answer(model, probe), dict[str, tuple[float, int]]()
    for side, names in case.sides.items():
        if not _padded(probe, names):
            continue
        found = []
        mask = mask_of(names)
        on_cpu = probe[names[0]].device.type == "cpu"
        for by in _MORE if on_cpu else ():  # on a graphics card, one place too many ends everything, or says nothing
            with contextlib.suppress(Exception):  # whatever it raises, it has no more places
                after = answer(model, longer(probe, names, by, pad_id(case, probe, names)))
                found.append((moved(before, after), furthest(before, after)))
                break
        less = shorter(probe, names, mask) if mask is not None else None
        if less is not None:
            own, after = answer(model, rows(probe, less[0])), answer(model, less[1])
            found.append((moved(own, after, spread(before)), int(less[0][furthest(own, after)])))
        if found:
            told[side] = max(found)
    if not told:
        return not_asked("padding", did, "No side of these posts is padded behind: give posts of different lengths, "
                         "with their attention_mask. (Padding in front is not tried.)")
    number, post = max(told.values())
    return judged("padding", did, "; ".join(f"{side}: answers moved by up to {much:.3g} of their spread"
                                            for side, (much, _) in told.items()), number, still(case),
                  "A post's answer hangs on how long the others of its batch are: hand the mask to every layer that "
                  "attends, and take means over real tokens only.", post=post)


def still(case: Case) -> float:
    """How far answers may move by rounding alone, for a model of such numbers."""
    halves = any(p.dtype in (torch.float16, torch.bfloat16) for p in case.model.parameters())
    return COARSE if halves else STILL


def _padded(batch: Batch, names: tuple[str, ...]) -> bool:
    """Whether a side is a sequence that can be padded behind: it has a mask of tokens, or token ids that end in zeros.

    A batch that is padded in front is not: its model may read the last place, and rightly.
    """
    mask = mask_of(names)
    if mask is not None:
        real = batch[mask].bool()
        return real.dim() == 2 and not (bool(real[:, -1].all()) and not bool(real[:, 0].all()))
    ids = batch[names[0]]
    return ids.dim() == 2 and not ids.is_floating_point() and bool((ids[:, -1] == 0).any())


def pad_id(case: Case, batch: Batch, names: tuple[str, ...]) -> int:
    """The token id that stands for padding: what lies under the mask, else what the model's config says, else 0."""
    mask = mask_of(names)
    if mask is not None and "input_ids" in names and not batch[mask].bool().all():
        return int(batch["input_ids"][~batch[mask].bool()][-1])
    told = getattr(getattr(case.model, "config", None), "pad_token_id", None)
    return told if isinstance(told, int) else 0


def order(case: Case) -> Finding:
    """Does the order of the posts in a batch change their answers? The batch is turned round.

    The number: how far an answer moves at most, in units of their spread; ill above `STILL`. The mistake: a recurrent
    layer or a transformer without ``batch_first=True``, which reads the posts of a batch as the words of one text.
    """
    did = "turned the batch round"
    probe, model = case.probe, case.copy()
    if size_of(probe) < 2:
        return not_asked("order", did, "There is one post alone: give at least two.")
    before, after = answer(model, probe), answer(model, rows(probe, _back(probe))).flip(0)
    number = moved(before, after)
    return judged("order", did, f"answers moved by up to {number:.3g} of their spread", number, still(case),
                  "The model takes the posts of a batch for a sequence: look for a layer without batch_first=True, a "
                  "sum or a state that runs along the first axis.", post=furthest(before, after))


def _back(batch: Batch) -> Tensor:
    return torch.arange(size_of(batch) - 1, -1, -1)


def company(case: Case) -> Finding:
    """Do the other posts of a batch change an answer? The batch is answered in two halves, padded as before.

    The number: how far an answer moves at most, in units of their spread; ill above `STILL`. The mistake: batch
    normalisation that still measures in evaluation, attention among the posts, a softmax or a norm over the first axis.
    """
    did = "answered the batch in two halves"
    probe, model = case.probe, case.copy()
    half = size_of(probe) // 2
    if half < 2:
        return not_asked("company", did, "There are fewer than four posts: give more.")
    halves = [answer(model, rows(probe, part)) for part in (slice(half), slice(half, None))]
    before, after = answer(case.copy(), probe), torch.cat(halves)
    number = moved(before, after)
    return judged("company", did, f"answers moved by up to {number:.3g} of their spread", number, still(case),
                  "A post is answered by what else is in its batch: look for batch normalisation in training mode, and "
                  "for softmax, mean or attention over the first axis.", post=furthest(before, after))


def twice(case: Case) -> Finding:
    """Does the same batch get the same answers when it is asked for twice? In evaluation mode, one after the other.

    The number: how far an answer moves at most, in units of their spread; ill above `STILL`, or where answers are NaN:
    then nothing else can be asked. Sound models do not move, but for what rounding does where patches are drawn in
    another order (ViLT). The mistake: ``F.dropout(x)``, which is on unless it is told ``training=self.training``; a
    mask that is turned round.
    """
    did = "asked for the same batch twice, in evaluation mode"
    probe, model = case.probe, case.copy()
    before = answer(model, probe)
    if not before.isfinite().all():
        bad = int((~before.isfinite().all(1)).sum())
        return judged("twice", did, f"{bad} of {len(before)} answers are NaN or infinite", math.inf, still(case),
                      "In a whole batch without any missing side: look for a mask that is turned round "
                      "(key_padding_mask is True where there is padding), a division by 0, the logarithm of 0.")
    number = moved(before, answer(model, probe))
    return judged("twice", did, f"answers moved by up to {number:.3g} of their spread", number, still(case),
                  "Something is drawn anew at each answer: F.dropout needs training=self.training, and noise belongs "
                  "into training alone.")


def left_on(case: Case) -> Finding:
    """Does ``model.eval()`` reach every part, and does an answer leave everything as it was?

    The number: parts that stay in training mode, parts in a plain list, where neither ``eval`` nor an optimiser finds
    them, and buffers and inputs that an answer changes; ill above 0. The mistake: layers in a plain list, a
    ``train`` of one's own that forgets its argument, ``pixel_values.mul_(0.5)``.
    """
    did = "called eval() and answered a batch"
    model, given = case.copy(), own(case.probe)
    hidden = [f"{name} ({type(part).__name__})" for name, part in unregistered(model)]
    on = [f"{name or 'the model'} ({type(part).__name__})" for name, part in model.named_modules() if part.training]
    kept = {name: buffer.clone() for name, buffer in model.named_buffers()}
    with torch.no_grad():
        model(**given)
    changed = [name for name, buffer in model.named_buffers() if name in kept and not _same(buffer, kept[name])]
    changed += [name for name, x in case.probe.items() if not _same(x, given[name])]
    saw = [f"{what}: {', '.join(names[:3])}" for what, names in (
        ("in a plain list", hidden), ("in training mode still", on), ("changed by an answer", changed)) if names]
    return judged("left_on", did, "; ".join(saw) or "every part is in evaluation mode, and nothing was changed",
                  len(hidden) + len(on) + len(changed), 0,
                  "Answers hang on what was drawn, or on what was asked before: let train(mode) hand its argument to "
                  "every part, and keep parts in nn.ModuleList.")


def unregistered(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Parts in plain lists and dictionaries that learn or are in training mode, and that the model does not know of."""
    known = set(model.modules())

    def within(held: object, name: str, depth: int = 3) -> Iterator[tuple[str, nn.Module]]:
        if isinstance(held, nn.Module):
            parts = [part for part in held.modules() if part not in known]
            if any(p.requires_grad for part in parts for p in part.parameters(recurse=False)) or any(
                    part.training and isinstance(part, _MODAL) for part in parts):
                yield name, held
        elif isinstance(held, (list, tuple, dict)) and depth:
            for key, one in held.items() if isinstance(held, dict) else enumerate(held):
                yield from within(one, f"{name}.{key}", depth - 1)

    for name, part in model.named_modules():
        for key, held in vars(part).items():
            if isinstance(held, (list, tuple, dict)) and key != "_modules":
                yield from within(held, f"{name}.{key}".strip("."))


def _same(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and bool(torch.equal(one.nan_to_num(), other.nan_to_num()))
