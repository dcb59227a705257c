"""Several processes that do one job: how many there are, and which of them this is.

torchrun and `accelerate launch` start them, and say so in the environment. Who was started alone is the first of one.
"""

from __future__ import annotations

import os


def number() -> int:
    """How many processes work together; 1 for one that was started alone."""
    return max(1, int(os.environ.get("WORLD_SIZE") or 1)) if os.environ.get("RANK") else 1


def place() -> int:
    """Which of them this is, counted from 0."""
    return int(os.environ["RANK"]) if number() > 1 else 0


def is_first() -> bool:
    """Whether this is the one that writes files, speaks and draws bars."""
    return place() == 0
