"""What everybody says when something fails."""

from __future__ import annotations


class EncoderUnavailable(OSError):
    """Pretrained weights were asked for and cannot be had."""


def in_short(error: Exception) -> str:
    """An error in one line: its kind and the start of what it says."""
    return f"{type(error).__name__}: {error}".splitlines()[0][:160]
