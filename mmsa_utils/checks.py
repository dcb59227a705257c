"""Checks for the exercises: `check.token_average(answer)` says at once whether an answer is right, and if not, why.

In a notebook: `from mmsa_utils import checks as check`. The checks of each notebook live in a module of their own
(`_MODULES`); this one has what they share. A check hands an answer random inputs, compares what comes back with a
reference, and, where they differ, looks for a known mistake that gives the same, to name it. Answers are values, or
functions from values to values, made of numbers, texts, arrays, tensors, lists and dictionaries.
"""

from __future__ import annotations

import copy
import dis
import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib import import_module
from typing import Any

import numpy as np

from .panels import GREEN, GREY, ORANGE

# Number of the exercise -> name of its check, in the order of the course.
EXERCISES: dict[str, str] = {
    "1.1": "optimist_label",
    "1.2": "chance_band",
    "1.3": "highest_accuracy",
    "1.4": "peeking",
    "2.1": "token_average",
    "2.2": "pad_batch",
    "2.3": "nearest_rows",
    "2.4": "unknown_words",
    "3.1": "map_size",
    "3.2": "patch_rows",
    "3.3": "cover_and_measure",
    "3.4": "food_or_table",
    "4.1": "head_parameters",
    "4.2": "head_input",
    "4.3": "steady_softmax",
    "4.4": "sum_can",
    "4.5": "meet_or_add",
    "5.1": "epoch_accuracy",
    "5.2": "binary_loss",
    "5.3": "chosen_run",
    "5.4": "learning_curve",
    "6.1": "softened",
    "6.2": "calibration_gap",
    "6.3": "seed_interval",
    "6.4": "four_readers",
    "7.1": "relation_between",
    "7.2": "slice_scores",
    "7.3": "deal_pictures",
    "7.4": "heads_compared",
}
_MODULES = {"1": "posts", "2": "text", "3": "picture", "4": "fusion", "5": "training", "6": "alignment",
            "7": "conflict"}
MARKS = {"right": ("✓", GREEN), "wrong": ("✗", ORANGE), "not yet": ("…", GREY)}

# Set by `grading` in the process that runs a handed-in notebook: (name, answer) -> Verdict, asked in a check's place.
referee: Callable[[str, Any], Verdict] | None = None


@dataclass(frozen=True)
class Verdict:
    """What a check says: the exercise's number, "right", "wrong" or "not yet", and why."""

    number: str
    status: str
    message: str

    def __repr__(self) -> str:
        return f"{MARKS[self.status][0]} Exercise {self.number}, {self.status}: {self.message}"

    def _repr_html_(self) -> str:
        mark, colour = MARKS[self.status]
        return (f'<div role="status" style="border-left:4px solid {colour};padding:4px 10px;max-width:44em;'
                f'line-height:1.4"><b><span aria-hidden="true">{mark}</span> Exercise {self.number}, {self.status}'
                f"</b><br>{escape(self.message)}</div>")


class Refused(Exception):
    """The answer is wrong; the message names the likely misconception."""


class NotYet(Exception):
    """The stub has not been filled in."""


class Answer:
    """A reader's function as the checks call it: its inputs are copies, and what goes wrong in it is a `Refused`."""

    def __init__(self, function: Callable):
        self.function = function
        self.blank = is_blank(function)

    def __call__(self, *inputs: Any) -> Any:
        if self.blank:
            raise NotYet
        try:
            result = self.function(*copy.deepcopy(inputs))
        except Exception as error:
            if "ellipsis" in str(error):  # a ... that still stands in the middle of the stub
                raise NotYet from None
            raise Refused(f"Your function stopped with {type(error).__name__}: {str(error).rstrip('.')}. It was called "
                          f"with {called_with(inputs)}.") from None
        if _has_dots(result):
            raise NotYet
        if result is None:
            raise Refused("Your function gives back None. Does its last line say `return`?")
        return result


def _has_dots(value: Any) -> bool:
    """Whether a ... stands in a value, or anywhere inside of it."""
    if isinstance(value, dict):
        value = list(value.values())
    return value is ... or isinstance(value, (list, tuple)) and any(map(_has_dots, value))


def is_blank(answer: Any) -> bool:
    """Whether a stub is as it came: `...`, None, or a function that does nothing."""
    if isinstance(answer, Answer):
        return answer.blank
    if answer is None or _has_dots(answer):
        return True
    code = getattr(answer, "__code__", None)
    return code is not None and all(
        step.opname in ("RESUME", "NOP", "RETURN_VALUE") or
        step.opname in ("LOAD_CONST", "RETURN_CONST") and step.argval in (None, ...)
        for step in dis.get_instructions(code))


def exercise(number: str) -> Callable[[Callable], Callable[[Any], Verdict]]:
    """Make a check of a judge: a function of (answer, random generator) that returns praise or raises `Refused`.

    The check takes the reader's answer alone and gives a `Verdict`, which a notebook shows. Every call has the same
    random inputs, so that a message that was seen can be seen again; `seed=` gives others. What is right or wrong
    goes into the reader's own progress card (`progress`).
    """
    def decorate(judge: Callable) -> Callable[[Any], Verdict]:
        @functools.wraps(judge)
        def check(answer: Any, *, seed: int = 0) -> Verdict:
            from . import progress

            if referee is not None:
                return referee(judge.__name__, answer)
            try:
                if is_blank(answer):
                    raise NotYet
                if callable(answer) and not isinstance(answer, Answer):
                    answer = Answer(answer)
                verdict = Verdict(number, "right", judge(answer, np.random.default_rng(seed)))
            except Refused as refusal:
                verdict = Verdict(number, "wrong", str(refusal))
            except NotYet:
                return Verdict(number, "not yet", "fill in the dots above and run this cell again. The hint below "
                                                  "helps.")
            except Exception as error:  # an answer of a kind that the judge did not think of
                verdict = Verdict(number, "wrong", f"This answer is not of the kind that the task asks for: "
                                                   f"{kind_of(answer)} ({type(error).__name__}: {error}).")
            progress.record(number, verdict.status)
            return verdict

        check.number = number
        return check

    return decorate


def compare(answer: Callable, reference: Callable, cases: Sequence[tuple],
            mistakes: Mapping[str, Callable] | None = None, tolerance: float = 1e-4) -> None:
    """Refuse an answer that differs from the reference on any of the cases.

    Args:
        cases: the inputs of one call each.
        mistakes: message → a function that makes this mistake. The first one that gives what the answer gives, on
            every case, is named; where none does, shapes are compared, then numbers.
        tolerance: of numbers, absolute and relative.
    """
    given = [answer(*case) for case in cases]
    wanted = [reference(*copy.deepcopy(case)) for case in cases]
    if all(alike(a, b, tolerance) for a, b in zip(given, wanted)):
        return
    for message, mistake in (mistakes or {}).items():
        if all(alike(a, mistake(*copy.deepcopy(case)), tolerance) for a, case in zip(given, cases)):
            raise Refused(message)
    for a, b, case in zip(given, wanted, cases):
        expect_kind(a, b)
        if not alike(a, b, tolerance):
            raise Refused(f"Called with {called_with(case)}, yours gives {describe(a)}: not what the task asks for.")


def expect_value(given: Any, wanted: Any, mistakes: Mapping[str, Any] | None = None, tolerance: float = 1e-4) -> None:
    """Refuse a value other than the wanted one; `mistakes`: message → the value that this mistake leads to."""
    if alike(given, wanted, tolerance):
        return
    for message, value in (mistakes or {}).items():
        if alike(given, value, tolerance):
            raise Refused(message)
    expect_kind(given, wanted)
    raise Refused(f"{describe(given)} is not what the task asks for.")


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
    return type(given) is type(wanted) and given == wanted


def called_with(inputs: tuple) -> str:
    """The inputs of a call in short."""
    return " and ".join(describe(item) for item in inputs) or "nothing"


def describe(value: Any) -> str:
    """A value in short: its number, or its kind and shape."""
    if isinstance(value, tuple) and len(repr(value)) <= 60:
        return repr(value)
    array = numbers(value)
    if array is not None and array.ndim == 0:
        return f"{array.item():.4g}" if array.item() % 1 else f"{value.item() if hasattr(value, 'item') else value!r}"
    if array is not None and array.ndim == 1 and array.size <= 6:
        return f"{np.asarray(array).round(4).tolist()}"
    text = repr(value)
    return text if array is None and len(text) <= 60 else kind_of(value)


def kind_of(value: Any) -> str:
    """The kind of a value in words, with the shape of an array."""
    array = numbers(value)
    name = type(value).__name__
    if array is not None and array.ndim:
        return f"a {name} of shape {array.shape}"
    return f"{'an' if name[0].lower() in 'aeiou' or name == 'ndarray' else 'a'} {name}"


def __getattr__(name: str) -> Any:
    for number, known in EXERCISES.items():
        if known == name:
            return getattr(import_module(f".checks_{_MODULES[number.partition('.')[0]]}", __package__), name)
    raise AttributeError(f"there is no check named {name!r}; there are: {', '.join(EXERCISES.values())}")


def __dir__() -> list[str]:
    return sorted({*globals(), *EXERCISES.values()})
