"""A model that is to be looked at, and what is needed for it: copies, batches, labels, answers."""

from __future__ import annotations

import contextlib
import inspect
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedParameter

from ..seeds import seeded
from .inputs import LABELS, Batch, digests, joined, marks_of, mask_of, rows, sides_of, size_of
from .keeping import State, copied, put_back, state_of

#: Posts that a check tries the model with where a few are enough.
PROBE = 16


@dataclass(frozen=True)
class Case:
    """A model, kept as it was, and posts to try it with. Made by `case_of`; every check takes one.

    Attributes:
        model: the model as it was given. Checks work on copies of it.
        batches: inputs by name, on the model's device; labels only where the model cannot be called without.
        labels: (n,) of all posts in their order, on the CPU; None if nobody knows them.
        train: side → digests of the training posts, as `marks_of` gives them; None if they were not given.
        make: makes the model anew, as it was before it learned.
        before: the weights before the training, as `state_dict` gives them.
        accuracy: what somebody has measured on these posts.
        seed: of all that is drawn.
        state: of a model of which no copy can be made, to be put back; None for any other.
    """

    model: nn.Module
    batches: list[dict[str, Tensor]]
    labels: Tensor | None = None
    train: dict[str, list[bytes]] | None = None
    make: Callable[[], nn.Module] | None = None
    before: Mapping[str, Tensor] | None = None
    accuracy: float | None = None
    seed: int = 0
    state: State | None = None

    def copy(self) -> nn.Module:
        """A copy of the model, in evaluation mode and without gradients, to do anything to.

        Of a model that cannot be copied it is the model itself, brought back to what it was: one "copy" at a time; and
        `restore` has to be called in the end, as `looked_at` does.
        """
        if self.state is None:
            return copied(self.model)
        self.restore()
        self.model.zero_grad(set_to_none=True)
        return self.model.eval()

    def restore(self) -> None:
        """Bring the model back to what it was, if checks had to work on itself."""
        if self.state is not None:
            put_back(self.state)

    @property
    def probe(self) -> dict[str, Tensor]:
        """The first posts as one batch, at most `PROBE`."""
        return joined(self.batches, PROBE)

    @property
    def sides(self) -> dict[str, tuple[str, ...]]:
        """Side → the names of its tensors."""
        return sides_of(self.probe)

    def distinct(self, n: int) -> dict[str, Tensor]:
        """Up to `n` posts of the first ones, no two of them alike in all their sides."""
        probe = self.probe
        marks = list(zip(*(digests(probe, names) for names in self.sides.values())))
        first = [i for i, mark in enumerate(marks) if mark not in marks[:i]][:n]
        return rows(probe, torch.tensor(first))

    def generator(self) -> torch.Generator:
        """Of the random numbers of a check."""
        return torch.Generator().manual_seed(self.seed)


def case_of(model: nn.Module, loader: Iterable[Mapping[str, Any]], *, train: Iterable[Mapping[str, Any]] | None = None,
            labels: Sequence[int] | Sequence[float] | Tensor | None = None,
            make: Callable[[], nn.Module] | None = None, before: Mapping[str, Tensor] | None = None,
            accuracy: float | None = None, seed: int = 0) -> Case:
    """A model and posts, ready for checks. Neither the model nor the loader is changed; see `inspect_model`.

    Raises:
        ValueError: for batches that are no named tensors, no batches, labels that do not fit, or a model that cannot
            answer the first batch, or whose weights have no values yet.
    """
    for name, p in model.named_parameters():
        if isinstance(p, UninitializedParameter) or p.is_meta:
            raise ValueError(f"the weight {name} has no values yet: expected a model whose weights are there. Answer a "
                             "batch once, if it has lazy layers; load its weights, if it is on 'meta'.")
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    with undisturbed(seed, device):
        needs = needed_labels(model)
        read = list(_read(loader, device, "loader", needs))
        batches = [inputs for inputs, _ in read]
        found = _together([own for _, own in read]) if labels is None else torch.as_tensor(labels).cpu()
        ready = None if train is None else marks_of(
            inputs for inputs, _ in _read(train, device, "loader of the training posts", needs))
        n = sum(map(size_of, batches))
        if found is not None and found.shape != (n,):
            raise ValueError(f"the labels have the shape {tuple(found.shape)}: expected ({n},), one for each post.")
        case = Case(model, batches, found, ready, make, before, accuracy, seed)
        try:
            alone = not leans_on(case.copy(), model, case.probe)
        except Exception:  # whatever a stranger's part raises when it is copied, or a copy of it when it is called
            alone = False
        if not alone:
            case = replace(case, state=state_of(model))
        try:
            outputs = answer(case.copy(), case.probe).shape[-1]
            case = replace(case, labels=None if found is None else classed(found, outputs))
        except Exception as error:  # whatever a stranger's model raises, its own asserts too
            raise ValueError(f"the model cannot answer the first batch, with the tensors {', '.join(case.probe)}: "
                             f"{type(error).__name__}: {str(error)[:200]}. Expected a loader whose batches hold what "
                             "the model's forward takes.") from error
        finally:
            case.restore()
    found = case.labels
    if found is not None and not found.is_floating_point() and not 0 <= int(found.min()) <= int(found.max()) < max(
            2, outputs):
        raise ValueError(f"the labels go from {int(found.min())} to {int(found.max())}, and the model gives {outputs} "
                         f"logits: expected 0 to {max(2, outputs) - 1}.")
    return case


def classed(labels: Tensor, outputs: int) -> Tensor:
    """Labels of classes as whole numbers of 64 bits, whatever they came in; numbers on a scale as they are.

    For a single logit they come as 0.0 and 1.0, as torch's binary loss wants them: these are classes, too.
    """
    binary = outputs == 1 and bool(((labels == 0) | (labels == 1)).all()) and len(labels.unique()) == 2
    return labels if labels.is_floating_point() and not binary else labels.long()


def single(case: Case) -> str:
    """Why attention cannot be judged: no text of these posts has a second token. "" where some text has."""
    names = case.sides.get("text", ())
    mask = mask_of(names)
    tensors = [case.probe[mask or name] for name in names if case.probe[name].dim() > 1]
    if not tensors or int((tensors[0] != 0).sum(1).max() if mask else tensors[0].shape[1]) > 1:
        return ""
    return "Every text is a single token, and attention has nothing to choose among: give longer texts."


def anew(case: Case) -> tuple[nn.Module | None, bool]:
    """The model as it was before it learned, in evaluation mode: made by `make`; else by drawing its weights anew.

    Returns:
        The model, and whether all of its weights are new: what belongs to no part that can do that
        (``reset_parameters``) stays as it is. None if that is more than a tenth.
    """
    if case.make is not None:
        device = next((p.device for p in case.model.parameters()), torch.device("cpu"))
        return copied(case.make()).to(device), True
    model, new = case.copy(), 0
    for part in model.modules():
        reset = getattr(part, "reset_parameters", None) or getattr(part, "_reset_parameters", None)
        own = sum(p.numel() for p in part.parameters(recurse=False))
        if callable(reset) and own:
            reset()
            new += own
    every = sum(p.numel() for p in model.parameters())
    return (model if new >= 0.9 * every else None), new >= every


def needed_labels(model: nn.Module) -> tuple[str, ...]:
    """The names of labels without which a model cannot be called: these stay in the batches."""
    taken = inspect.signature(model.forward).parameters
    return tuple(name for name in LABELS if name in taken and taken[name].default is inspect.Parameter.empty)


def _read(loader: Iterable[Mapping[str, Any]], device: torch.device, what: str, needs: tuple[str, ...]
          ) -> Iterator[tuple[dict[str, Tensor], Tensor | None]]:
    """Each batch of a loader without its labels, and these, if it has any; its own generators are left as they were."""
    sources = [getattr(holder, "generator", None) for holder in (loader, getattr(loader, "sampler", None))]
    states = [(source, source.get_state()) for source in sources if isinstance(source, torch.Generator)]
    empty = True
    for batch in loader:
        empty = False
        if not isinstance(batch, Mapping) or not batch or not all(isinstance(x, Tensor) for x in batch.values()):
            held = {k: type(x).__name__ for k, x in batch.items()} if isinstance(batch, Mapping) else type(batch)
            raise ValueError(f"a batch of the {what} holds {str(held)[:120]}: expected tensors by name, such as "
                             "input_ids, attention_mask, pixel_values and labels.")
        inputs = {name: x.to(device) for name, x in batch.items() if name not in LABELS or name in needs}
        if not inputs:
            raise ValueError(f"a batch of the {what} holds nothing but labels: expected input_ids, pixel_values, ...")
        labels = next((batch[name].cpu() for name in LABELS if name in batch), None)
        yield inputs, None if labels is None else labels.reshape(len(labels), -1).squeeze(-1)
    for source, state in states:
        source.set_state(state)
    if empty:
        raise ValueError(f"the {what} has no batches: expected at least one.")


def _together(labels: list[Tensor | None]) -> Tensor | None:
    """The labels of all batches; None if there are none."""
    known = [x for x in labels if x is not None]
    if known and len(known) < len(labels):
        raise ValueError(f"{len(labels) - len(known)} of {len(labels)} batches have no labels: expected labels in all "
                         "of them, or in none.")
    return torch.cat(known) if known else None


@contextlib.contextmanager
def undisturbed(seed: int, device: torch.device | str = "cpu") -> Iterator[None]:
    """Draw from a seed, whoever draws; then Python's, NumPy's and torch's generators are as they were."""
    states = random.getstate(), np.random.get_state()  # noqa: NPY002  # a model may draw from the global one
    try:
        with seeded(seed, device):
            random.seed(seed)
            np.random.seed(seed % 2**32)  # noqa: NPY002
            yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002


def leans_on(made: nn.Module, model: nn.Module, batch: Batch) -> bool:
    """Whether a copy computes with the weights of the model that it was copied from.

    So it is where somebody has put a function of his own into a part, which holds the part itself: functions are not
    copied.
    """
    weights = [p for p in model.parameters() if p.requires_grad]
    logits = logits_in(made(**own(batch)))
    if not weights or not logits.requires_grad:
        return False
    return any(x is not None for x in torch.autograd.grad(logits.float().sum(), weights, allow_unused=True))


def logits_in(output: Any) -> Tensor:
    """The logits (batch, outputs) of what a model gives: a tensor, or an object, dictionary or tuple with them.

    Raises:
        TypeError: if there are none.
    """
    if isinstance(output, Mapping):
        if "logits" not in output:
            raise TypeError(f"the model gives {', '.join(map(str, output))[:100]}: expected 'logits' among them.")
        output = output["logits"]
    elif isinstance(output, tuple) and not hasattr(output, "logits"):  # a loss may stand in front of them, or None
        output = next((x for x in output if x is not None and (not isinstance(x, Tensor) or x.dim())), None)
    else:
        output = getattr(output, "logits", output)
    if not isinstance(output, Tensor) or output.dim() not in (1, 2):
        shape = f" of shape {tuple(output.shape)}" if isinstance(output, Tensor) else ""
        raise TypeError(f"the model gives a {type(output).__name__}{shape}: expected logits (batch, classes), or an "
                        "object with them as .logits.")
    return output.unsqueeze(-1) if output.dim() == 1 else output


def answer(model: nn.Module, batch: Batch) -> Tensor:
    """The logits of a batch, (batch, outputs), on the CPU, without gradients; in the mode in which the model is."""
    with torch.no_grad():
        return logits_in(model(**own(batch))).detach().float().cpu()


def own(batch: Batch) -> dict[str, Tensor]:
    """A batch to be spoiled: a model may write into what it is given."""
    return {name: x.clone() for name, x in batch.items()}


def answers_to(model: nn.Module, batches: Iterable[Batch]) -> Tensor:
    """The logits of all posts, (n, outputs)."""
    return torch.cat([answer(model, batch) for batch in batches])


def spread(logits: Tensor) -> float:
    """How far the answers to several posts lie apart: the deviation of the column in which it is largest.

    Where they are all alike, a thousandth of the largest logit, below which is nothing but rounding.
    """
    deviation = (logits - logits.mean(0)).square().mean(0).sqrt().max().item()
    return max(deviation, 1e-3 * logits.abs().max().item(), 1e-12)


def moved(before: Tensor, after: Tensor, unit: float | None = None) -> float:
    """How far the answer that moved most has moved, in units of the `spread` among posts (or another). inf for NaN."""
    change = (after - before).abs().max().item() / (unit or spread(before))
    return change if np.isfinite(change) else float("inf")


def furthest(before: Tensor, after: Tensor) -> int:
    """The place of the post whose answer moved most."""
    return int((after - before).abs().amax(1).nan_to_num(float("inf")).argmax())
