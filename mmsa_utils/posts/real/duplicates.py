"""Posts that stand in two parts of a set: what a model has seen in training, it need not understand in the test.

People post the same again, and retweet. Where a set was split at random, its test holds texts and pictures that
training had. How many is counted here, and what they are worth is measured by leaving them out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ..identity import digests_of
from ..likeness import picture_kinds
from ..own import FilePosts


class _Alike(NamedTuple):
    """For each post of all splits, one after the other: a number, equal for those that are alike; < 0 for no side."""

    text: np.ndarray
    picture: np.ndarray
    both: np.ndarray
    split: np.ndarray  # which split it stands in
    label: np.ndarray  # -1 where nobody knows it


def across(splits: Mapping[str, FilePosts]) -> dict[str, dict[str, int]]:
    """How many posts of each split stand in another split too, or more than once in their own.

    A text is the same in any case and white space, a picture also when it was saved anew (`likeness`).

    Args:
        splits: name → posts. Pictures that were opened when the posts were loaded are not opened again.

    Returns:
        For each split: its "posts"; those whose "text", "picture", or both together ("both") another split has; those
        that share it with a post of their own split ("text within", "picture within", "both within"); and those that
        share both with a post anywhere that has another label ("labelled otherwise").
    """
    alike = _alike(splits)
    counts = {name: {"posts": len(posts)} for name, posts in splits.items()}
    for what in ("text", "picture", "both"):
        keys = getattr(alike, what)
        where: dict[Hashable, Counter[int]] = {}
        for key, split in zip(keys.tolist(), alike.split.tolist()):
            if key >= 0:
                where.setdefault(key, Counter())[split] += 1
        for number, name in enumerate(splits):
            own = [where[key] for key in keys[alike.split == number].tolist() if key >= 0]
            counts[name][what] = sum(len(found) > 1 for found in own)
            counts[name][f"{what} within"] = sum(found[number] > 1 for found in own)
    labels: dict[int, set[int]] = {}
    for key, label in zip(alike.both.tolist(), alike.label.tolist()):
        labels.setdefault(key, set()).update({label} - {-1})
    torn = np.array([key >= 0 and len(labels[key]) > 1 for key in alike.both.tolist()], bool)
    for number, name in enumerate(splits):
        counts[name]["labelled otherwise"] = int(torn[alike.split == number].sum())
    return counts


def without_duplicates(splits: Mapping[str, FilePosts]) -> tuple[dict[str, FilePosts], dict[str, int]]:
    """The splits without what a later one has too: train loses what is in validation or test, validation what is in
    test.

    A post goes if its text or its picture is there, so the last split stays whole, and nothing in it is known from the
    others.

    Args:
        splits: name → posts, in the order train, validation, test.

    Returns:
        The splits, and how many posts each has lost.
    """
    alike = _alike(splits)
    kept: dict[str, FilePosts] = {}
    dropped = {}
    for number, (name, posts) in enumerate(splits.items()):
        gone = np.zeros(len(posts), bool)
        for keys in (alike.text, alike.picture):
            later = keys[alike.split > number]
            gone |= np.isin(keys[alike.split == number], later[later >= 0])
        kept[name] = posts.part(np.flatnonzero(~gone).tolist()) if gone.any() else posts
        dropped[name] = int(gone.sum())
    return kept, dropped


def _alike(splits: Mapping[str, FilePosts]) -> _Alike:
    if not splits:
        raise ValueError("there are no splits: expected a dictionary of names and posts, such as load_twitter gives.")
    digests = [digests_of(posts) for posts in splits.values()]
    texts = _numbered([row.tobytes() if row.any() else None for found in digests for row in found.texts])
    stacked = np.concatenate([found.pictures for found in digests])
    there = stacked.any(1)
    pictures = np.full(len(stacked), -1)
    pictures[there] = picture_kinds(stacked[there])
    both = _numbered([(text, picture) if text >= 0 and picture >= 0 else None
                      for text, picture in zip(texts.tolist(), pictures.tolist())])
    return _Alike(texts, pictures, both, np.repeat(np.arange(len(splits)), [len(posts) for posts in splits.values()]),
                  np.array([-1 if row.label is None else row.label for posts in splits.values() for row in posts.rows]))


def _numbered(keys: Sequence[Hashable | None]) -> np.ndarray:
    """A number for each key, equal for equal ones; -1 for None."""
    numbers: dict[Hashable, int] = {}
    return np.array([-1 if key is None else numbers.setdefault(key, len(numbers)) for key in keys], int)
