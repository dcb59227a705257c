"""Variants: the same exercises with other numbers, shapes or rules, drawn by a number, and checks that follow them.

`changes` and `changes_further` say which exercises can vary, and what then changes in their words and in their checks.
An exercise that is not named there is the same in every variant. Variant 0 is the course as it stands.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from . import changes, changes_further

#: Number of an exercise → its choices: (what its check is given, words of the exercise → those in their place).
CHOICES: dict[str, list[tuple[dict[str, Any], dict[str, str]]]] = {**changes.CHOICES, **changes_further.CHOICES}
#: Exercises that build on another one, and so are drawn together with it.
_TOGETHER = {"1.4": "1.2"}
_CHECK = re.compile(r"^(check\.\w+\(.*)\)\s*\Z", re.MULTILINE)


def drawn(number: str, variant: int) -> tuple[dict[str, Any], dict[str, str]]:
    """What an exercise's check is given in a variant, and its words → those that stand in their place.

    Both are empty in variant 0, and of an exercise that does not vary.

    Raises:
        ValueError: if the variant is no whole number from 0 on.
    """
    if isinstance(variant, bool) or not isinstance(variant, int) or variant < 0:
        raise ValueError(f"the variant is {variant!r}: expected a whole number from 0, the course as it stands, on.")
    if not variant or number not in CHOICES:
        return {}, {}
    notebook, _, place = _TOGETHER.get(number, number).partition(".")
    choices = CHOICES[number]
    return choices[int(np.random.default_rng([variant, int(notebook), int(place)]).integers(len(choices)))]


def varied(number: str, variant: int, sources: Sequence[str]) -> list[str]:
    """The sources of an exercise's three cells (card, stub, folds) in a variant; its check is called with the variant.

    Raises:
        ValueError: if words that should be replaced are no longer there.
    """
    _, words = drawn(number, variant)
    if not words:
        return list(sources)
    # All at once, so that nothing is replaced twice; a line may be broken at any blank.
    patterns = {r"\s+".join(map(re.escape, old.split())): new for old, new in words.items()}
    found: set[str] = set()

    def instead(match: re.Match) -> str:
        pattern = next(pattern for pattern in patterns if re.fullmatch(pattern, match[0]))
        found.add(pattern)
        return patterns[pattern]

    every = re.compile("|".join(sorted(patterns, key=len, reverse=True)))
    card, stub, folds = (every.sub(instead, source) for source in sources)
    lost = [old for old, pattern in zip(words, patterns) if pattern not in found]
    if lost:
        raise ValueError(f"exercise {number} no longer says {lost[0]!r}, which its variants replace: bring "
                         "mmsa_utils/exercises/changes*.py in step with the notebook.")
    return [card, _CHECK.sub(rf"\1, variant={variant})", stub), folds]
