"""What the words of an option may be, and what they mean: functions of a word for argparse.

This module must be quick, as `options` is: it imports nothing heavy.
"""

from __future__ import annotations

import argparse
from datetime import datetime

#: The names in fusion.table, which imports torch: this module must be quick. A test holds them together.
FUSIONS = ("additive", "concat", "gated", "lowrank", "tensor", "attention", "bottleneck")


def fusion(word: str) -> str:
    """The name of a fusion."""
    if word not in FUSIONS:
        raise argparse.ArgumentTypeError(f"no fusion is called {word!r}: expected one of {', '.join(FUSIONS)}")
    return word


def fusions(words: str) -> tuple[str, ...]:
    """Names of fusions with commas between them, each once."""
    names = tuple(dict.fromkeys(fusion(word.strip()) for word in words.split(",")))
    return names


def is_parquet(out: str | None) -> bool:
    """Whether --out is a folder of answers as Parquet, with or without a slash behind it."""
    return (out or "").rstrip("/\\").lower().endswith(".parquet")


def count(word: str) -> int:
    """A whole number from 0 on."""
    number = int(word)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{number} are too few: expected a whole number from 0 on")
    return number


def moment(word: str) -> datetime:
    """A day and a time of day, in local time."""
    try:
        when = datetime.fromisoformat(word)
    except ValueError:
        when = None
    if when is None or len(word) < len("2026-12-01T23:59"):
        raise argparse.ArgumentTypeError(f"{word!r} is no day with a time: expected one such as 2026-12-01T23:59")
    return when.astimezone().replace(tzinfo=None) if when.tzinfo else when


def numbers(words: str) -> tuple[int, ...]:
    """Whole numbers with commas between them, such as 02,04."""
    try:
        return tuple(count(word.strip()) for word in words.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{words!r} are no numbers: expected some with commas between them, such as "
                                         "02,03,04") from None


def seed(word: str) -> int:
    """A whole number that a generator takes."""
    number = int(word)
    if not 0 <= number < 2**32:
        raise argparse.ArgumentTypeError(f"{number} is no seed: expected a whole number from 0 to {2**32 - 1}")
    return number
