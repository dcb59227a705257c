"""Answers held against a reference: what differs is refused, in words that name the likely mistake.

An answer's numbers may come as a tensor, an array or a list: what counts is what they say.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np


class Refused(Exception):
    """The answer is wrong; the message names the likely misconception. `share`: how much of it holds, below 1."""

    def __init__(self, message: str, share: float = 0.0):
        super().__init__(message)
        self.share = share


@contextlib.contextmanager
def after(parts: int, of: int) -> Iterator[None]:
    """Where a check has parts, one after the other: what is refused in this block has so many of them behind it."""
    try:
        yield
    except Refused as refusal:
        refusal.share = max(refusal.share, parts / of)
        raise


def compare(answer: Callable, reference: Callable, cases: Sequence[tuple],
            mistakes: Mapping[str, Callable] | None = None, tolerance: float = 1e-4, parts: bool = False) -> None:
    """Refuse an answer that differs from the reference on any of the cases.

    Args:
        cases: the inputs of one call each.
        mistakes: message → a function that makes this mistake. The first one that gives what the answer gives, on
            every case, is named; where none does, shapes are compared, then numbers.
        tolerance: of numbers, absolute and relative.
        parts: each number of a result is a task of its own, and counts where it is right on every case.
    """
    given = [answer(*case) for case in cases]
    wanted = [reference(*copy.deepcopy(case)) for case in cases]
    if all(alike(a, b, tolerance) for a, b in zip(given, wanted)):
        return
    share = _share_right(given, wanted, tolerance) if parts else 0.0
    for message, mistake in (mistakes or {}).items():
        if all(alike(a, mistake(*copy.deepcopy(case)), tolerance) for a, case in zip(given, cases)):
            raise Refused(message, share)
    for a, b, case in zip(given, wanted, cases):
        expect_kind(a, b)
        if not alike(a, b, tolerance):
            raise Refused(f"Called with {called_with(case)}, yours gives {describe(a)}: not what the task asks for.",
                          share)


def _share_right(given: Sequence, wanted: Sequence, tolerance: float) -> float:
    """The share of a result's numbers that are right on every case; 0 where they are not as many."""
    values = [(numbers(a), numbers(b)) for a, b in zip(given, wanted)]
    if any(a is None or b is None or a.shape != b.shape for a, b in values):
        return 0.0
    return float(np.mean(np.all([np.isclose(a, b, tolerance, tolerance) for a, b in values], axis=0)))


def expect_kind(given: Any, wanted: Any) -> None:
    """Refuse a result that is of another kind or shape than the wanted one, or not a number."""
    if isinstance(wanted, (str, dict)) or numbers(wanted) is None:
        if not isinstance(given, type(wanted)):
            raise Refused(f"Expected {kind_of(wanted)}, got {kind_of(given)}.")
        return
    values = numbers(given)
    if values is None:
        raise Refused(f"Expected {kind_of(wanted)}, got {kind_of(given)}.")
    if values.shape != numbers(wanted).shape:
        raise Refused(f"Expected the shape {numbers(wanted).shape}, got {values.shape}.")
    if not np.isfinite(values).all():
        raise Refused("There is a NaN or an infinity in the result. Is something divided by zero, or its logarithm "
                      "taken?")


def expect_keys(given: Any, keys: Sequence) -> None:
    """Refuse what is no dictionary, or lacks one of these keys."""
    if not isinstance(given, Mapping) or not set(keys) <= set(given):
        found = f"one with {', '.join(map(repr, given))}" if isinstance(given, Mapping) and given else kind_of(given)
        raise Refused(f"Expected a dictionary with the keys {', '.join(map(repr, keys))}; got {found}.")


def expect_shares(given: Any, keys: Sequence) -> dict[Any, float]:
    """The accuracies that an experiment gives back, by name; refuses anything else than shares between 0 and 1."""
    expect_keys(given, keys)
    found = {}
    for key in keys:
        value = numbers(given[key])
        if value is None or value.ndim:
            raise Refused(f'"{key}" should be one number, an accuracy; it is {kind_of(given[key])}.')
        if not 0 <= value <= 1:
            raise Refused(f'"{key}" is {value:.4g}. An accuracy is a share, between 0 and 1.')
        found[key] = float(value)
    return found


def numbers(value: Any) -> np.ndarray | None:
    """A number, tensor, array or list of numbers as a float array; None for anything else."""
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    try:
        array = np.asarray(value)
        return array.astype(float) if array.dtype.kind in "biuf" else None
    except (ValueError, TypeError):  # of uneven lengths, or no numbers at all
        return None


def alike(given: Any, wanted: Any, tolerance: float = 1e-4) -> bool:
    """Whether two results say the same: a tensor, an array and a list of the same numbers do."""
    if isinstance(wanted, Mapping):
        return (isinstance(given, Mapping) and given.keys() == wanted.keys() and
                all(alike(given[key], wanted[key], tolerance) for key in wanted))
    a, b = numbers(given), numbers(wanted)
    if a is not None and b is not None:
        return a.shape == b.shape and bool(np.allclose(a, b, rtol=tolerance, atol=tolerance, equal_nan=False))
    if isinstance(wanted, (list, tuple)) and isinstance(given, (list, tuple)):
        return len(given) == len(wanted) and all(alike(a, b, tolerance) for a, b in zip(given, wanted))
    return isinstance(given, type(wanted)) and given == wanted  # NumPy's texts are texts


def called_with(inputs: tuple) -> str:
    """The inputs of a call in short."""
    return " and ".join(describe(item) for item in inputs) or "nothing"


def describe(value: Any) -> str:
    """A value in short: its number, or its kind and shape."""
    if isinstance(value, tuple):
        parts = ", ".join(describe(part) for part in value)
        if len(parts) <= 60:
            return f"({parts}{',' * (len(value) == 1)})"
    array = numbers(value)
    if array is not None and array.ndim == 0:
        return f"{array.item():.4g}" if array.item() % 1 else f"{value.item() if hasattr(value, 'item') else value!r}"
    if array is not None and array.ndim == 1 and array.size <= 6:
        return f"{value if isinstance(value, list) and set(map(type, value)) == {int} else array.round(4).tolist()}"
    text = repr(value)
    return text if array is None and len(text) <= 60 else kind_of(value)


def kind_of(value: Any) -> str:
    """The kind of a value in words, with the shape of an array."""
    array = numbers(value)
    name = "array" if isinstance(value, np.ndarray) else type(value).__name__
    shape = f" of shape {array.shape}" if array is not None and array.ndim else ""
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}{shape}"
