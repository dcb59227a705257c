"""Recordings of people who say what they think of something: MOSI, MOSEI, SIMS and their kin, as features per frame.

What is off in a file is named and counted, and never mended in silence. See `layouts` for the files that are read, and
`frames` for which frames are real.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .arrays import shown
from .frames import Frames, look, masked, sequences
from .layouts import KEYS, Table, side_labels, tables, text_of
from .pickles import read_pickle
from .stored import read_folder


@dataclass(frozen=True)
class Split:
    """The posts of one split, in the order of the file."""

    sides: Mapping[str, Frames]  #: text, image, voice: those that the file has
    labels: np.ndarray  #: (n,), numbers, mostly from -3 to 3; NaN where there is none
    ids: tuple[str, ...] = ()  #: such as "video$_$clip"; empty if the file has none
    texts: tuple[str, ...] = ()  #: what was said; empty if the file has none
    side_labels: Mapping[str, np.ndarray] = field(default_factory=dict)  #: side → (n,), what was said of it alone
    annotations: tuple[str, ...] = ()  #: the label as a word; empty if the file has none
    faults: Mapping[str, tuple[int, ...]] = field(default_factory=dict)  #: kind → places of the posts

    def __len__(self) -> int:
        return len(self.labels)


def read_mmsa(source: str | Path) -> dict[str, Split]:
    """Split → its posts, of a file in one of the layouts of `layouts`, or a folder that `convert` has written.

    Tokens stay in the file until they are taken out (`Frames.rows`); each was looked at once.

    Raises:
        FileNotFoundError: if there is neither.
        UnsafePickle: a ValueError, if the file would do more than hold data.
        ValueError: if it is in none of the layouts, or its keys have different numbers of posts.
    """
    return {name: split_of(table, f"{Path(source).name}, {name}") for name, table in read_tables(source).items()}


def read_tables(source: str | Path) -> dict[str, Table]:
    """Split → key → a value for each post, as the file has it; see `read_mmsa`."""
    path = Path(source)
    return read_folder(path) if path.is_dir() else tables(read_pickle(path), path.name)


def split_of(table: Table, name: str) -> Split:
    """The posts of a table, looked at one by one.

    Args:
        name: of its file and split, for messages.

    Raises:
        ValueError: if the keys have different numbers of posts, or hold what they should not.
    """
    try:
        arrays = {side: sequences(table[key], key) for side, key in KEYS.items() if key in table}
        labels = _numbers(table["regression_labels"], "regression_labels")
        own = {side: _numbers(table[key], key) for side, key in side_labels(table).items()}
        _check_counts(table, {key: len(arrays[side][0]) for side, key in KEYS.items() if side in arrays}, len(labels))
        attention, faults = _attention(table)
        sides = {}
        for side, (tokens, lengths) in arrays.items():
            key = f"{KEYS[side]}_lengths"
            if key in table:
                lengths = _numbers(table[key], key)
            fits = attention is not None and attention.shape[1] == tokens.shape[1]
            seen = look(tokens)
            mask, found = masked(seen, side, lengths, attention if fits else None)
            sides[side] = Frames(tokens, mask, seen.bad)
            faults |= found
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    most = 1 if own else 3  # SIMS and SIMSv2, the sets with labels of each side, go from -1 to 1
    faults |= {"no label": ~np.isfinite(labels), f"label outside -{most} to {most}": np.abs(labels) > most}
    words = {key: tuple(text_of(value, between) for value in table.get(key, ()))
             for key, between in (("id", "_"), ("raw_text", " "), ("annotations", " "))}
    if words["raw_text"]:
        faults["no words"] = np.array([not text.strip() for text in words["raw_text"]], bool)
    return Split(sides, labels, words["id"], words["raw_text"], own, words["annotations"],
                 {kind: tuple(np.flatnonzero(posts).tolist()) for kind, posts in faults.items() if posts.any()})


def repeats(splits: Mapping[str, Split]) -> tuple[dict[str, int], dict[str, np.ndarray]]:
    """Posts that stand in a file more than once, by their ids.

    Returns:
        Where → how many: "train and test", "within train"; and split → (n,), True for the posts that are left when each
        is kept once: in test rather than in validation, there rather than in train, and the first within a split.
    """
    counts: dict[str, int] = {}
    order = list(splits)
    for place, name in enumerate(order):
        own = splits[name].ids
        counts[f"within {name}"] = len(own) - len(set(own))
        for other in order[place + 1:]:
            there = set(splits[other].ids)
            counts[f"{name} and {other}"] = sum(one in there for one in own)
    keep, seen = {}, set()
    for name in reversed(order):
        split = splits[name]
        keep[name] = np.ones(len(split), bool)
        for place, one in enumerate(split.ids):
            keep[name][place] = one not in seen
            seen.add(one)
    return {where: count for where, count in counts.items() if count}, {name: keep[name] for name in order}


def _numbers(value: Any, what: str) -> np.ndarray:
    """(n,) numbers; NaN for None."""
    try:
        with np.errstate(over="ignore"):
            found = np.asarray(value, np.float64)
    except (ValueError, TypeError, OverflowError):
        raise ValueError(f"{what} is {shown(value)}: expected one number for each post.") from None
    if found.ndim == 0 or found.size != len(found):
        raise ValueError(f"{what} has the shape {found.shape}: expected one number for each post.")
    return found.reshape(-1)


def _check_counts(table: Table, counts: dict[str, int], n: int) -> None:
    """Raise ValueError where keys have different numbers of posts: nobody knows which belong together."""
    counts = {"regression_labels": n, **counts}
    for key in ("id", "raw_text", "annotations", "text_bert", *(f"{key}_lengths" for key in KEYS.values()),
                *side_labels(table).values()):
        if key in table:
            if not isinstance(table[key], (list, tuple, np.ndarray)) or np.ndim(table[key]) == 0:
                raise ValueError(f"{key} is {shown(table[key])}: expected a list with an item for each post.")
            counts[key] = len(table[key])
    if len(set(counts.values())) > 1:
        said = ", ".join(f"{count} in {key}" for key, count in counts.items())
        raise ValueError(f"the keys have different numbers of posts ({said}), and nobody can tell which belong "
                         "together: make the file anew.")


def _attention(table: Table) -> tuple[np.ndarray | None, dict[str, np.ndarray]]:
    """Which word pieces are real, (n, t), where the file says so; and for which posts it says something else."""
    if "text_bert" not in table:
        return None, {}
    found = np.asarray(table["text_bert"])
    if found.ndim != 3 or found.shape[1] != 3 or found.dtype.kind not in "fiub":
        raise ValueError(f"text_bert has the shape {found.shape}: expected numbers (posts, 3, word pieces).")
    mask = found[:, 1]
    odd = ((mask != 0) & (mask != 1)).any(1)
    return (None if odd.any() else mask), {"attention mask other than 0 and 1": odd}
