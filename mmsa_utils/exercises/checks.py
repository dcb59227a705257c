"""Checks for the exercises: `check.token_average(answer)` says at once whether an answer is right, and if not, why.

In a notebook: `from mmsa_utils import checks as check`. The checks of each notebook live in a module of their own
(`table.MODULES`), which is imported when one of them is first asked for; this one has what makes a check of a judge.
A judge hands an answer random inputs, and `compare` holds what comes back against a reference. Answers are values, or
functions from values to values, made of numbers, texts, arrays, tensors, lists and dictionaries.
"""

from __future__ import annotations

import contextlib
import copy
import dis
import functools
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from importlib import import_module
from typing import Any

import numpy as np

from . import progress
from .compare import Refused, called_with, kind_of
from .table import EXERCISES, MARKS, MODULES
from .variants import drawn

# Set by `grading.child`, where a handed-in notebook runs: (name, answer) -> Verdict, asked in a check's place.
referee: Callable[[str, Any], Verdict] | None = None


@dataclass(frozen=True)
class Verdict:
    """What a check says: the exercise's number, "right", "wrong" or "not yet", why, and what of a wrong one holds."""

    number: str
    status: str
    message: str
    share: float = 0.0

    def __repr__(self) -> str:
        return f"{MARKS[self.status][0]} Exercise {self.number}, {self.status}: {self.message}"

    def _repr_html_(self) -> str:
        mark, colour = MARKS[self.status]
        return (f'<div role="status" style="border-left:4px solid {colour};padding:4px 10px;max-width:44em;'
                f'line-height:1.4"><b><span aria-hidden="true">{mark}</span> Exercise {self.number}, {self.status}'
                f"</b><br>{escape(self.message)}</div>")


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
    random inputs, so that a message that was seen can be seen again; `seed=` gives others. `variant=` is for an
    exam: where the exercise has other numbers or rules in that variant (`variants`), the judge is given them. What is
    right or wrong goes into the reader's own progress card (`progress`).
    """
    def decorate(judge: Callable) -> Callable[[Any], Verdict]:
        @functools.wraps(judge)
        def check(answer: Any, *, seed: int = 0, variant: int = 0) -> Verdict:
            given, _ = drawn(number, variant)
            if referee is not None:
                return referee(judge.__name__, answer)
            try:
                if is_blank(answer):
                    raise NotYet
                if callable(answer) and not isinstance(answer, Answer):
                    answer = Answer(answer)
                verdict = Verdict(number, "right", judge(answer, np.random.default_rng(seed), **given))
            except Refused as refusal:
                verdict = Verdict(number, "wrong", _said(refusal, judge, answer, seed, given), refusal.share)
            except NotYet:
                return Verdict(number, "not yet", "fill in the dots above and run this cell again. The hint below "
                                                  "helps.")
            except Exception as error:  # an answer of a kind that the judge did not think of
                what = "What your function gives back" if callable(answer) else f"This answer, {kind_of(answer)},"
                verdict = Verdict(number, "wrong", f"{what} is not of the kind that the task asks for "
                                                   f"({type(error).__name__}: {error}).")
            progress.record(number, verdict.status)
            return verdict

        check.number = number  # type: ignore[attr-defined]
        return check

    return decorate


def _said(refusal: Refused, judge: Callable, answer: Any, seed: int, given: dict[str, Any]) -> str:
    """Why an answer is refused: the commonest reason in a variant is that it was written for the course's exercise."""
    if given:
        with contextlib.suppress(Exception):
            judge(answer, np.random.default_rng(seed))
            return ("This is right for the exercise as it stands in the course. Here a number or a rule is another "
                    "one: read the task again.")
    return str(refusal)


def __getattr__(name: str) -> Any:
    for number, known in EXERCISES.items():
        if known == name:
            return getattr(import_module(f".{MODULES[number.partition('.')[0]]}", __package__), name)
    raise AttributeError(f"there is no check named {name!r}; there are: {', '.join(EXERCISES.values())}")


def __dir__() -> list[str]:
    return sorted({*globals(), *EXERCISES.values()})
