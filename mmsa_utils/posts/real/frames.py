"""Sequences of features: which frames are real, and which hold what is no number.

The file of a data set is padded: every post has as many frames as the longest. A mean over the padding is no mean, so
each frame is looked at once, a few million numbers at a time, and nothing is copied but that piece.
"""

from __future__ import annotations

import math
import mmap
from dataclasses import dataclass
from typing import Any

import numpy as np

from .arrays import shown

_PIECE = 2**18  # numbers that are looked at at a time: they stay in the processor's cache
_HELD = 32  # pieces after which memory is given back


@dataclass(frozen=True)
class Frames:
    """One side of n posts, as a file holds it.

    A frame with a number that is NaN or infinite is not real: it is masked, and set to zeros where it is taken out.
    """

    tokens: np.ndarray  #: (n, t, width), numbers of any kind, perhaps a view into a file
    mask: np.ndarray  #: (n, t), True for a real frame; a row that is all False: the side is missing
    bad: np.ndarray  #: (n, t), True for a frame with a number that is none

    def rows(self, keep: np.ndarray) -> np.ndarray:
        """The tokens of some posts in single precision, (posts, t, width), bad frames set to 0.

        Args:
            keep: (n,), True for those to take.

        Returns:
            An array of its own; or, where all are asked for and they are mapped from a converted file, that map (whose
            changes stay in memory).
        """
        tokens = self.tokens
        if keep.all() and _is_plain(tokens) and tokens.flags.writeable:
            taken = tokens
        else:
            taken = np.empty((int(keep.sum()), *tokens.shape[1:]), np.float32)
            step = max(1, _HELD * _PIECE // max(1, math.prod(tokens.shape[1:])))
            with np.errstate(over="ignore", invalid="ignore"):
                for first, last, place in _runs(keep):
                    for start in range(first, last, step):
                        part = tokens[start:min(last, start + step)]
                        goes = place + start - first
                        np.copyto(taken[goes:goes + len(part)], part, casting="same_kind")
                        let_go(tokens)
        bad = self.bad[keep]
        if bad.any():
            taken[bad] = 0
        return taken


@dataclass(frozen=True)
class Seen:
    """What a look at every frame has found."""

    some: np.ndarray  #: (n, t), True where a number is not 0
    nan: np.ndarray  #: (n, t), True where one is NaN
    infinite: np.ndarray  #: (n, t), True where one is infinite, or is in single precision

    @property
    def bad(self) -> np.ndarray:
        """(n, t), True where a number is none."""
        return self.nan | self.infinite


def look(tokens: np.ndarray) -> Seen:
    """Look at every frame of (n, t, width) once, in pieces.

    A frame counts as empty where the squares of its numbers are 0 in single precision: numbers below 1e-23 are none.
    """
    n, length, width = tokens.shape
    seen = Seen(*(np.zeros((n, length), bool) for _ in range(3)))
    posts = max(1, _PIECE // max(1, length * width))
    piece = np.empty((min(posts, n), length, width), np.float32)
    for number, start in enumerate(range(0, n if length * width else 0, posts)):
        if number % _HELD == 0:
            let_go(tokens)
        part = tokens[start:start + posts]
        with np.errstate(over="ignore", invalid="ignore"):
            if not _is_plain(tokens):
                np.copyto(piece[:len(part)], part, casting="same_kind")
                part = piece[:len(part)]
            flat = part.reshape(-1, width)
            squares = np.einsum("ij,ij->i", flat, flat)
        rows = slice(start, start + len(part))
        seen.some[rows] = (squares != 0).reshape(-1, length)
        for place in np.flatnonzero(~np.isfinite(squares)):  # few; squares of large numbers are infinite, too
            post, frame = start + place // length, place % length
            seen.nan[post, frame] = np.isnan(flat[place]).any()
            seen.infinite[post, frame] = np.isinf(flat[place]).any()
    let_go(tokens)
    return seen


def masked(seen: Seen, side: str, lengths: np.ndarray | None = None,
           attention: np.ndarray | None = None) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Which frames are real, and what is odd about them.

    Where lengths are given, a post's first frames; its last, where the padding stands in front. Else those that the
    tokenizer's attention names. Else, and where a length cannot be right, from the first to the last that has a number.

    Args:
        side: whose frames they are, to name the faults.
        lengths: (n,), NaN where one is missing.
        attention: (n, t) of 0 and 1.

    Returns:
        The mask (n, t), bad frames and sides without any number left out of it; and kind of fault → which posts (n,).
    """
    n, length = seen.some.shape
    places = np.arange(length)
    there, nan, infinite = (np.asarray(found.any(axis=1)) for found in (seen.some, seen.nan, seen.infinite))
    first = np.where(there, seen.some.argmax(1) if length else 0, 0)
    end = np.where(there, length - seen.some[:, ::-1].argmax(1) if length else 0, 0)
    faults = {f"nothing in {side}": ~there, f"NaN in {side}": nan, f"infinity in {side}": infinite}
    if lengths is not None:
        right = (lengths >= 1) & (lengths <= length) & (lengths == np.floor(lengths))
        told = np.where(right, lengths, 0).astype(np.int64)
        behind = right & there & (end > told) & (end - first <= told)
        beyond = right & (end > told) & ~behind
        first = np.where(right, np.where(behind, end - told, 0), first)
        end = np.where(right, np.where(behind, end, told), end)
        faults |= {f"wrong length of {side}": ~right, f"padding in front of {side}": behind,
                   f"numbers beyond the length of {side}": beyond}
    mask: np.ndarray = (places >= first[:, None]) & (places < end[:, None])
    if lengths is None and attention is not None:
        mask = attention.astype(bool)
    return mask & ~seen.bad & there[:, None], faults


def sequences(value: Any, what: str) -> tuple[np.ndarray, np.ndarray | None]:
    """A side as an array (n, t, width), and the true lengths (n,) where its posts had different ones.

    Args:
        value: an array (n, t, width), or (n, width) with a vector for each post; a list, or array of objects, of n
            arrays or lists (t, width), which are then padded with zeros behind.
        what: it is, for messages.

    Raises:
        ValueError: for anything else.
    """
    if isinstance(value, np.ndarray) and value.dtype != object:
        if value.ndim not in (2, 3) or value.dtype.kind not in "fiub":
            raise ValueError(f"{what} has the shape {value.shape} and holds {value.dtype}: expected numbers (posts, "
                             "frames, width).")
        return (value if value.ndim == 3 else value[:, None]), None
    if not isinstance(value, (list, tuple, np.ndarray)):
        raise ValueError(f"{what} is {shown(value)}: expected an array of numbers (posts, frames, width).")
    parts = [_matrix(part, f"{what} of post {place}") for place, part in enumerate(value)]
    widths = sorted({part.shape[1] for part in parts if part.size})
    if len(widths) > 1:
        raise ValueError(f"{what} has frames of {widths[0]} and of {widths[1]} numbers: expected one width.")
    lengths = np.array([len(part) if part.size else 0 for part in parts], np.int64)
    padded = np.zeros((len(parts), max(lengths, default=0), widths[0] if widths else 0), np.float32)
    for row, part, length in zip(padded, parts, lengths):
        row[:length] = part[:length]
    return padded, (lengths if len(set(lengths.tolist())) > 1 else None)


def let_go(array: np.ndarray) -> None:
    """Give back the memory that a mapped file takes after it was read; what is looked at again is mapped anew."""
    base: Any = array
    while isinstance(base, np.ndarray):
        base = base.base
    found = base.obj if isinstance(base, memoryview) else base
    if isinstance(found, mmap.mmap) and hasattr(found, "madvise"):
        found.madvise(mmap.MADV_DONTNEED)


def _matrix(part: Any, what: str) -> np.ndarray:
    """(t, width) in single precision."""
    try:
        with np.errstate(over="ignore"):
            found = np.asarray(part, np.float32)
    except (ValueError, TypeError):
        raise ValueError(f"{what} is {shown(part)}: expected numbers (frames, width).") from None
    if found.ndim > 2:
        raise ValueError(f"{what} has the shape {found.shape}: expected (frames, width).")
    return np.atleast_2d(found)


def _is_plain(tokens: np.ndarray) -> bool:
    """Whether they can be read as they lie: single precision, one after the other, at an address that is aligned."""
    return tokens.dtype == np.float32 and tokens.dtype.isnative and tokens.flags.c_contiguous and tokens.flags.aligned


def _runs(keep: np.ndarray) -> list[tuple[int, int, int]]:
    """Stretches of rows that are kept: first, one past the last, and where they go."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], keep, [False]]).astype(np.int8)))
    starts, stops = edges[::2], edges[1::2]
    return list(zip(starts.tolist(), stops.tolist(), (np.cumsum(stops - starts) - (stops - starts)).tolist()))
