"""What must change an answer: each side of a post, the order of its words; and what a missing side must not do."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from .case import Case, anew, answer, moved
from .finding import Finding, judged, not_asked
from .inputs import Batch, mask_of, rows, sides_of, size_of, without_side
from .watching import Softmaxes

#: An answer that moves by less than this share of the largest logit has not moved: so much is rounding.
NOTHING = 1e-6
#: A side that moves the answers by less than this share of what the other one does is overwhelmed.
OVERWHELMED = 0.01
#: Turned words must move an answer by more than this share of their spread; a sum in another order does not.
ORDERLESS = 1e-4
_AMONG = "an attention among the words"


def swaps(case: Case, model: nn.Module | None = None) -> dict[str, tuple[float, float]]:
    """Side → how far answers move when the posts exchange it: at most, and on average; in logits.

    A side that is the same in all posts is left out. Another `model` may stand for the case's own.
    """
    probe, model = case.probe, model or case.copy()
    before, found = answer(model, probe), {}
    for side, names in case.sides.items():
        if all(bool((probe[name] == probe[name][:1]).all()) for name in names):
            continue
        shifts = sorted({1, size_of(probe) // 2})
        changes = torch.stack([(answer(model, rows(probe, torch.arange(size_of(probe)).roll(by), names)) - before).abs()
                               for by in shifts])
        found[side] = (changes.max().item(), changes.mean().item())
    return found


def awake(case: Case) -> nn.Module | None:
    """A copy as it may be after its first steps: zeros that learn are a little more, batch norms have measured.

    For what begins closed (Flamingo's gates, adaLN-zero), and for deep networks whose fresh normalisations let a signal
    fade. None where there is nothing of the kind.
    """
    model, generator = case.copy(), case.generator()
    closed = [p for name, p in model.named_parameters()
              if p.requires_grad and not name.endswith("bias") and not p.any()]
    fresh = [part for part in model.modules() if isinstance(part, nn.modules.batchnorm._BatchNorm)
             and part.num_batches_tracked is not None and not part.num_batches_tracked]
    if not closed and not fresh:
        return None
    with torch.no_grad():
        for p in closed:
            p.copy_(0.1 * torch.randn(p.shape, generator=generator))
    model.train()
    for _ in range(10 if fresh else 0):
        answer(model, case.probe)
    return model.eval()


def _shares(case: Case, model: nn.Module) -> dict[str, float]:
    """Side → how far answers move at most when the posts exchange it, as a share of the largest logit."""
    largest = max(answer(model, case.probe).abs().max().item(), 1e-12)
    return {side: most / largest for side, (most, _) in swaps(case, model).items()}


def ignored(case: Case) -> Finding:
    """Is a side ignored? The posts exchange it, each side in turn, and the answers must move.

    The number: how far the side that says least moves an answer at most, as a share of the largest logit; ill below
    `NOTHING`. Sound models move a thousand times as much. The mistake: a slice or a name in the fusion that takes the
    same side twice, a weight that is 0.
    """
    did = "let the posts exchange one side, each in turn"
    found = _shares(case, case.copy())
    if not found:
        return not_asked("ignored", did, "No side differs between the posts: give at least two posts that differ.")
    if min(found.values()) < NOTHING and (model := awake(case)) is not None:
        found = {side: max(found[side], share) for side, share in _shares(case, model).items()}
    number = min(found.values())
    gone = [side for side, share in found.items() if not share >= NOTHING]
    return judged("ignored", did, "; ".join(f"{side}: answers moved by up to {share:.3g} of the largest logit"
                                            for side, share in found.items()), number, NOTHING,
                  f"No answer hangs on {' or '.join(gone)}: look at what the fusion is given, and at the slice that "
                  "the head reads.", least=True)


def overwhelmed(case: Case) -> Finding:
    """Does one side shout the others down? The posts exchange it, each side in turn; the answers must move alike.

    The number: how far the weakest side moves answers on average, as a share of what the strongest does; ill below
    `OVERWHELMED`. Where it is, the same is asked of the model made anew, and the larger share counts: a model may have
    learned that one side says all there is to know, and then it did not come so. The mistake: numbers of different
    size laid side by side, such as pixels from 0 to 255 or features that nobody normalised beside a sentence's vector.
    """
    did = "let the posts exchange one side, each in turn"
    found = {side: mean for side, (_, mean) in swaps(case).items()}
    if len(found) < 2:
        return not_asked("overwhelmed", did, "There are not two sides that differ between the posts.")
    weak, strong = min(found, key=found.__getitem__), max(found, key=found.__getitem__)
    if found[weak] == 0:
        return not_asked("overwhelmed", did, f"The side {weak} is ignored altogether: see the check 'ignored'.")
    number = found[weak] / found[strong]
    saw = f"{weak} moves answers {number:.3g} times as far as {strong}"
    new = anew(case)[0] if number < OVERWHELMED else None
    if new is not None:
        first = {side: mean for side, (_, mean) in swaps(case, new).items()}
        number = max(number, first[weak] / max(first[strong], 1e-12))
        saw += f", and {first[weak] / max(first[strong], 1e-12):.3g} times in a new model"
    return judged("overwhelmed", did, saw, number,
                  OVERWHELMED, f"The side {weak} has next to no say beside {strong}: normalise both before "
                  "they meet, or look whether its encoder has learned anything.", least=True)


def word_order(case: Case) -> Finding:
    """Does the order of the words count? All but the first and the last real token of each text are turned round.

    The number: how far an answer moves at most, in units of their spread; ill below `ORDERLESS`. The mistake: a
    transformer without positions, which reads "not good, but bad" and "not bad, but good" alike. A model that has
    nothing to read order with (a mean of word vectors) was meant so: it is not asked.
    """
    did = "turned the words of each text round, between the first and the last"
    probe, model = case.probe, case.copy()
    names = case.sides.get("text", ())
    ids = next((name for name in names if name in ("input_ids", "inputs_embeds")), None)
    if ids is None:
        return not_asked("word_order", did, "The posts have no text that this check knows: expected input_ids.")
    turned = _turned(probe, ids, mask_of(names))
    if torch.equal(turned, probe[ids]):
        return not_asked("word_order", did, "No text has three words that could be turned.")
    number = moved(answer(model, probe), answer(model, {**probe, ids: turned}))
    if number < ORDERLESS and (woken := awake(case)) is not None:
        number = max(number, moved(answer(woken, probe), answer(woken, {**probe, ids: turned})))
    readers = list(order_readers(model, probe, names)) if number < ORDERLESS else []
    if number < ORDERLESS and not readers:
        return not_asked("word_order", did, "The words' order moves nothing, and no part of the model could read it: a "
                         "bag of words.")
    return judged("word_order", did, f"answers moved by up to {number:.3g} of their spread", number,
                  ORDERLESS, f"The model reads a bag of words, though {', '.join(readers[:2])} could do more: "
                  "add positions to the words' vectors.", least=True)


def _turned(batch: Batch, ids: str, mask: str | None) -> Tensor:
    """Token ids or vectors with all but the first and last real ones in reverse."""
    turned = batch[ids].clone()
    for i, row in enumerate(batch[ids]):
        real = torch.arange(len(row)) if mask is None else batch[mask][i].nonzero().flatten()
        if mask is None and row.dim() == 1:
            real = row.nonzero().flatten()
        if len(real) > 3:
            turned[i, real[1:-1]] = row[real[1:-1]].flip(0)
    return turned


def order_readers(model: nn.Module, batch: Batch, names: Sequence[str]) -> Iterator[str]:
    """What in a model could read the order of words: layers and attention whose sequence is shorter in a shorter text.

    So a sequence is known by whatever else stands in it: a token of the model's own, the patches of a picture.

    Args:
        names: the tensors of the text; the last token of each is taken away.
    """
    one_less = {name: x[:, :-1] if name in names and x.dim() > 1 else x for name, x in batch.items()}
    full, cut = _sequences(model, batch), _sequences(model, one_less)
    for name, shapes in full.items():
        if name in cut and any(min(a) > min(b) if name == _AMONG else a != b for a, b in zip(shapes, cut[name])):
            yield name


def _sequences(model: nn.Module, batch: Batch) -> dict[str, list[tuple[int, ...]]]:
    """Each layer that could read order → the shapes that it was given; and (queries, keys) of each attention."""
    seen: dict[str, list[tuple[int, ...]]] = {}

    def look(name: str):
        def hook(part: nn.Module, args: tuple, kwargs: dict, output: object) -> None:
            seen.setdefault(name, []).extend(tuple(x.shape) for x in (*args, *kwargs.values()) if isinstance(x, Tensor))
        return hook

    kinds = (nn.RNNBase, nn.Conv1d, nn.MultiheadAttention, nn.TransformerEncoderLayer)
    hooks = [part.register_forward_hook(look(name), with_kwargs=True) for name, part in model.named_modules()
             if isinstance(part, kinds)]
    with Softmaxes() as softmaxes:
        answer(model, batch)
    for hook in hooks:
        hook.remove()
    return seen | {_AMONG: softmaxes.shapes}


def can_lack(case: Case) -> dict[str, tuple[str, ...]]:
    """Side → its tensors and its mask, for each side that a post can be without, in this model and these batches.

    ``image_present`` comes up only in batches where a picture is missing: it is added where the model takes it.
    """
    found = {side: names for side, names in case.sides.items()
             if (mask := mask_of(names)) is not None and mask != "pixel_mask"}
    takes = "image_present" in inspect.signature(case.model.forward).parameters or any(
        "image_present" in (getattr(part, "inputs", None) or ()) for part in case.model.modules())
    if takes and "image" in case.sides:
        found["image"] = tuple(dict.fromkeys([name for name in case.sides["image"] if name != "pixel_mask"]
                                             + ["image_present"]))
    return found


def lacking(case: Case, side: str, names: tuple[str, ...]) -> dict[str, Tensor]:
    """The probe without a side of every second post."""
    probe = case.probe
    gone = torch.arange(size_of(probe)) % 2 == 0
    if "image_present" in names and "image_present" not in probe:
        probe["image_present"] = torch.ones(len(gone), dtype=torch.bool, device=probe["pixel_values"].device)
    return without_side(probe, names, gone.to(probe[names[0]].device))


def missing(case: Case) -> Finding:
    """Does a missing side give NaN? Every second post loses a side, its row of the mask is all 0; each side in turn.

    The number: answers that are not finite; ill above 0. The mistake: attention over a row that is masked altogether
    (``nn.MultiheadAttention`` gives NaN), and a mean that divides by the count of real tokens, which is 0.
    """
    did = "took a side from every second post, each side in turn"
    found, refused, model = {}, [], case.copy()
    for side, names in can_lack(case).items():
        if not set(names) - {mask_of(names)} or side not in sides_of(case.probe):
            continue
        try:
            logits = answer(model, lacking(case, side, names))
        except Exception as error:  # a model may refuse posts that lack a side, in words of its own
            refused.append(f"{side}: {type(error).__name__}: {str(error)[:80]}")
            continue
        found[side] = int((~logits.isfinite().all(1)).sum())
    if not found:
        return not_asked("missing", did, "; ".join(refused) or "No side has a mask that could say that it is missing.")
    number = sum(found.values())
    return judged("missing", did, "; ".join(f"without {side}: {count} answers are NaN"
                                            for side, count in found.items() if count) or
                  f"all answers are numbers without {' or '.join(found)}", number, 0,
                  "A post without a side spoils its answer, and in training all weights: let no softmax run over "
                  "nothing, and divide by no less than 1.")
