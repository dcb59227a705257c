"""Look a model over: every check, on copies of it, with a finding each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from ..bars import progress
from ..errors import in_short
from . import answers, attention, frozen, sides, start, steadiness, weights
from .case import Case, case_of, undisturbed
from .finding import Finding, not_asked

#: Name → check, a function of a `Case`, in the order in which they are made.
CHECKS: dict[str, Callable[[Case], Finding]] = {
    "padding": steadiness.padding, "order": steadiness.order, "company": steadiness.company,
    "twice": steadiness.twice, "left_on": steadiness.left_on,
    "ignored": sides.ignored, "overwhelmed": sides.overwhelmed, "word_order": sides.word_order,
    "missing": sides.missing, "attention": attention.attention,
    "gradients": weights.gradients, "exploding": weights.exploding, "frozen": frozen.frozen, "step": weights.step,
    "trained": weights.trained, "first_loss": start.first_loss, "by_heart": start.by_heart,
    "label_order": answers.label_order, "saturation": answers.saturation, "calibration": answers.calibration,
    "counted": answers.counted, "leak": answers.leak,
    "repeated": answers.repeated}


#: Checks that say nothing of a model which answers at random: there everything moves.
_STEADY = ("padding", "order", "company", "ignored", "overwhelmed", "word_order", "attention", "leak",
           "saturation", "calibration")


def inspect_model(model: nn.Module, loader: Iterable[Mapping[str, Any]], *,
                  train: Iterable[Mapping[str, Any]] | None = None,
                  labels: Sequence[int] | Sequence[float] | Tensor | None = None,
                  make: Callable[[], nn.Module] | None = None, before: Mapping[str, Tensor] | None = None,
                  accuracy: float | None = None, seed: int = 0, show_progress: bool = False) -> list[Finding]:
    """Try a model with posts, and say what is wrong with it: every check of `CHECKS`, in order.

    Each check works on a copy of the model; on the model itself, which is then put back, only if it cannot be copied.
    Weights, modes, gradients, and the global generators are as they were.

    Args:
        model: any that takes the tensors of a batch by their names and gives logits (batch, classes), a single logit
            for two classes, or a number; as a tensor, or in an object that has them as ``.logits``.
        loader: batches, dictionaries of tensors with Hugging Face's names (``input_ids``, ``attention_mask``,
            ``pixel_values``, ...); ``labels`` in them are taken out before the model gets them. Posts that the model
            did not learn from; 64 are enough, and a few checks read all.
        train: batches of the training posts, to see whether any of the others stand there too.
        labels: (posts,), in the order of the loader, if they are not in the batches: class indices, or floating-point
            numbers.
        make: makes the model anew, as it was before it learned.
        before: a copy of its ``state_dict()`` from before the training.
        accuracy: what you have measured on these very posts, to see how it was counted.
        seed: of all that is drawn.

    Returns:
        A finding for each check: "sound", "ill", or "not asked" with the reason. `as_text` makes a table of them.

    Raises:
        ValueError: for batches that are no named tensors, no posts, labels that do not fit, or a model that cannot
            answer the first batch.
    """
    case = case_of(model, loader, train=train, labels=labels, make=make, before=before, accuracy=accuracy, seed=seed)
    return [looked_at(name, case) for name in progress(CHECKS, "inspect", show_progress)]


def looked_at(name: str, case: Case) -> Finding:
    """One check by its name. One that cannot be carried through is "not asked", with the error.

    Raises:
        ValueError: for a name that is none.
    """
    if name not in CHECKS:
        raise ValueError(f"no check is called {str(name)[:60]!r}: expected one of {', '.join(CHECKS)}.")
    device = next((p.device for p in case.model.parameters()), "cpu")
    with undisturbed(case.seed, device):
        try:
            if name in _STEADY and steadiness.twice(case).verdict == "ill":
                return not_asked(name, "nothing", "The model does not give the same answer twice, or gives none: mend "
                                 "that first, see the check 'twice'.")
            return CHECKS[name](case)
        except Exception as error:  # whatever a stranger's model raises, its own asserts too
            return not_asked(name, "tried", f"The check could not be carried through: {in_short(error)}")
        finally:
            case.restore()
