"""Answers held against a reference: what differs is refused, in words that name the likely mistake.

An answer's numbers may come as a tensor, an array or a list: what counts is what they say. The mistakes of an exercise
are named by its own check; slips that can happen in any, such as per cent for a share, are told apart here.
"""

from __future__ import annotations

import contextlib
import copy
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np

# Results of up to so many numbers are told of number by number.
_PLACES = ("the first", "the second", "the third", "the fourth", "the fifth", "the sixth")
# What is said → what has become of every number that was asked for.
_SLIPS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "All your numbers are 100 times as large: per cent, where a share is asked for.": lambda y: 100 * y,
    "Your numbers have the right size and the wrong sign. What is taken from what?": lambda y: -y,
    "Your numbers and those asked for add up to 1: do you count the others, or the wrong ones?": lambda y: 1 - y,
    "The signs are lost: none of your numbers is negative, and some should be.": np.abs,
    "Your numbers are the squares of those asked for: is a root still to be taken?": np.square,
    "Your numbers are the roots of those asked for: has a root been taken too many?": np.sqrt,
    "Your numbers are the logarithms of those asked for.": np.log,
    "What stands behind the decimal point is cut off: has a share become a whole number?": np.trunc,
    "Your numbers are rounded to whole ones. Give back what you have computed.": lambda y: y.round(),
    "Your numbers are rounded to one decimal. Give back what you have computed.": lambda y: y.round(1),
    "Your numbers are rounded to two decimals. Give back what you have computed.": lambda y: y.round(2),
    "Your numbers are rounded to three decimals. Give back what you have computed.": lambda y: y.round(3)}


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
            every case, is named; where none does, shapes are compared, then numbers, for a slip that explains them.
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
    for place, name in zip(range(len(cases[0])), _PLACES):
        if all(alike(a, case[place]) for a, case in zip(given, cases)):
            raise Refused(f"Yours gives back what it was handed, {name} of its inputs, as it came.", share)
    for a, b in zip(given, wanted):
        expect_kind(a, b)
    a, case = next((a, case) for a, b, case in zip(given, wanted, cases) if not alike(a, b, tolerance))
    said = f"Called with {called_with(case)}, yours gives {describe(a)}"
    slip = slip_in(given, wanted, tolerance)
    raise Refused(f"{slip} {said}." if slip else
                  f"{said}: not what the task asks for.{_right_so_far(given, wanted, tolerance)}", share)


def told_by(answer: Callable, holds: Callable[..., bool]) -> Callable:
    """A mistake for `compare` that is known by what comes back: `holds(numbers of it, *inputs)`."""
    def mistake(*case: Any) -> Any:
        given = answer(*case)
        values = numbers(given)
        return given if values is not None and holds(values, *case) else None
    return mistake


def combined(make: Callable[..., Callable], *parts: Mapping[str, Callable]) -> dict[str, Callable]:
    """Mistakes for `compare` in one part of a result or in several, fewest first.

    Args:
        make: of one function from each part, the function that makes these mistakes.
        parts: message → function; the right function comes under an empty message.
    """
    chosen = sorted(product(*(part.items() for part in parts)), key=lambda some: sum(bool(said) for said, _ in some))
    return {" ".join(said for said, _ in some if said): make(*(function for _, function in some))
            for some in chosen[1:]}


def slip_in(given: Sequence, wanted: Sequence, tolerance: float) -> str:
    """What has been done to the wanted results, where one slip explains all that is given; else an empty text.

    Args:
        given, wanted: the results of the same calls, in the same order.
    """
    found, due = _parts(given), _parts(wanted)
    if len(given) > 1 and all(alike(a, given[0]) for a in given) and not np.size(numbers(given[0])) > len(_PLACES):
        return f"Yours gives {describe(given[0])} whatever it is called with."
    if not found or not due or any(_shapes(a) != _shapes(b) for a, b in zip(found, due)):
        return ""
    calls = [[np.concatenate([some[name].ravel() for name in names]) for some, names in zip(side, due)]
             for side in (found, due)]
    x, y = map(np.concatenate, calls)

    def close(a: np.ndarray, b: np.ndarray) -> bool:
        return bool(np.allclose(a, b, tolerance, tolerance))

    if x.size < 2 or close(y, y[:1]):
        return ""
    if close(x, x[:1]):
        return f"Each of your numbers is {x[0] + 0.0:.4g}, whatever yours is called with."
    with np.errstate(all="ignore"):
        for message, become in _SLIPS.items():
            if close(x, become(y)):
                return message
        shift, factor = np.mean(x - y), np.median(x[y != 0] / y[y != 0])
        if close(x, y + shift):
            return f"Every number is too {'large' if shift > 0 else 'small'} by {abs(shift):.4g}: a slip in counting?"
        if abs(factor) > tolerance and close(x / factor, y):
            return (f"Every number is {factor:.4g} times the one asked for. What is multiplied or divided by once too "
                    "often, or not at all?")
    if all(a.size > 1 and close(np.sort(a), np.sort(b)) for a, b in zip(*calls)):
        return "The right numbers are all there, in other places. In which order, along which axis, are they due?"
    return ""


def _parts(results: Sequence) -> list[dict[str, np.ndarray]]:
    """The numbers of each result by name: the entries of a dictionary, the places of a short list, else one array.

    Empty where something else than numbers is in one of them.
    """
    def named(result: Any) -> dict[str, Any]:
        array = numbers(result)
        if isinstance(result, Mapping):
            return {repr(key): value for key, value in result.items()}
        several = isinstance(result, (tuple, list)) if array is None else array.ndim == 1
        return dict(zip(_PLACES, result)) if several and len(result) <= len(_PLACES) else {"": result}

    values = [{name: numbers(part) for name, part in named(result).items()} for result in results]
    return [] if any(part is None for parts in values for part in parts.values()) else values  # type: ignore[return-value]


def _shapes(parts: Mapping[str, np.ndarray]) -> dict[str, tuple[int, ...]]:
    """The shape of each part, by name."""
    return {name: part.shape for name, part in parts.items()}


def _right_so_far(given: Sequence, wanted: Sequence, tolerance: float) -> str:
    """Which parts of wrong results are right on every call, or how many places, or calls; empty where none is."""
    right = [alike(a, b, tolerance) for a, b in zip(given, wanted)]
    found, due = _parts(given), _parts(wanted)
    if found and due and all(a.keys() == b.keys() for a, b in zip(found, due)):
        holds = {name: all(alike(a[name], b[name], tolerance) for a, b in zip(found, due) if name in b)
                 for parts in due for name in parts}
        if any(holds.values()):
            good, bad = (", ".join(name for name in holds if holds[name] is which) for which in (True, False))
            return f" Right in every call: {good}. Not right: {bad}."
        a, b = next((a, b) for a, b, well in zip(found, due, right) if not well)
        if list(holds) == [""] and _shapes(a) == _shapes(b):
            same = np.isclose(a[""], b[""], tolerance, tolerance)
            if same.any():
                return (f" {same.sum()} of its {same.size} numbers are right; the first that is not stands at "
                        f"{np.argwhere(~same)[0].tolist()}, counted from 0.")
    return f" {sum(right)} of {len(right)} calls come out right." if any(right) else ""


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
        for key in given if isinstance(wanted, dict) else ():
            if key not in wanted:
                raise Refused(f"There is an entry under {key!r}, which nobody asked for.")
            try:
                expect_kind(given[key], wanted[key])
            except Refused as refusal:
                raise Refused(f"Under {key!r}: {refusal}") from None
        return
    values = numbers(given)
    if values is None:
        raise Refused(f"Expected {kind_of(wanted)}, got {kind_of(given)}.")
    shape = numbers(wanted).shape
    if values.shape != shape:
        about = ("" if not shape or math.prod(values.shape) != math.prod(shape) else
                 " Are the two axes exchanged?" if len(shape) == 2 and values.shape == shape[::-1] else
                 " It has as many numbers as are due, on other axes.")
        raise Refused(f"Expected the shape {shape}, got {values.shape}.{about}" if shape else
                      f"Expected one number, got {kind_of(given)}.")
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
    return isinstance(given, type(wanted)) and b is None and bool(given == wanted)  # NumPy's texts are texts


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
    shape += {"U": " of texts", "c": " of complex numbers"}.get(getattr(getattr(value, "dtype", None), "kind", ""), "")
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}{shape}"
