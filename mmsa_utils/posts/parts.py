"""A reader's posts in three parts, so that nothing in one of them is known from another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .identity import digests_of
from .likeness import picture_kinds
from .own import FilePosts
from .post import listed

NAMES = ("train", "validation", "test")
_SHARES = np.array([0.7, 0.15, 0.15])
_LARGEST = 0.8  # of the posts that hang together: with more the other two parts would be too small to say anything


class Parts(NamedTuple):
    """The parts, and what is to be said of them."""

    train: FilePosts
    validation: FilePosts
    test: FilePosts
    alike: dict[str, int]  # how many posts have a text, a picture or a voice that another one has
    remarks: list[str]


def three_parts(posts: FilePosts, seed: int = 0) -> Parts:
    """70 % of the posts for training, 15 % for validation and 15 % for the test, each class by itself as far as can be.

    Posts with the same text, the same picture (saved anew too) or the same recording stay in one part, and so do those
    that hang together through others. Two that lack a side are not alike by that. None of the pictures is held in
    memory: photos take some 40 MB each.

    Raises:
        ValueError: for fewer than ten posts, for one class alone, and where too many posts hang together.
    """
    if len(posts) < 10:
        raise ValueError(f"{len(posts)} posts are too few to split into three parts: expected at least 10.")
    counts = posts.counts()
    there = [name for name, number in counts.items() if number]
    if len(there) == 1:
        raise ValueError(f"all {len(posts)} posts are {there[0]}: a model can only learn to tell classes apart. Add "
                         f"posts that are {' or '.join(name for name in counts if name != there[0])}.")
    digests = digests_of(posts)
    kinds = {"text": _kinds(digests.texts, _equal), "picture": _kinds(digests.pictures, picture_kinds)}
    if len(digests.voices):
        kinds["voice"] = _kinds(digests.voices, _equal)
    groups = _together(*kinds.values())
    largest, number = Counter(groups.tolist()).most_common(1)[0]
    if number > _LARGEST * len(posts):
        raise ValueError(_one_heap(posts, kinds, number))
    labels = np.array([row.label for row in posts.rows])
    where = _dealt(groups, labels, len(posts.classes), seed)
    parts = [posts.part(np.flatnonzero(where == part)) for part in range(3)]
    alike = {f"{what}s": _shared(found) for what, found in kinds.items()}
    some, own = listed(list(alike), "or"), listed(list(alike), "and")
    held = {name: len(part) for name, part in zip(NAMES, parts)}
    if not all(held.values()):
        raise ValueError(f"{len(posts)} posts hang together in {len(set(groups.tolist()))} groups, since they share "
                         f"{some}: too few for three parts. Add posts with {own} of their own.")
    if np.count_nonzero(list(parts[0].counts().values())) < 2:
        raise ValueError("the posts hang together so that only one class is left for training, since they share "
                         f"{some}: add posts with {own} of their own.")
    return Parts(parts[0], parts[1], parts[2], alike, _remarks(parts, alike, there))


def _kinds(digests: np.ndarray, kinds_of: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Digests (posts, bytes) → a number for each, equal for those that are alike; a missing side has one of its own."""
    there = digests.any(1)
    kinds = -1 - np.arange(len(digests))
    kinds[there] = kinds_of(digests[there])
    return kinds


def _equal(digests: np.ndarray) -> np.ndarray:
    """Digests (posts, bytes) → a number for each, equal for equal ones."""
    return np.unique(digests, axis=0, return_inverse=True)[1].reshape(-1)


def _together(*keys: np.ndarray) -> np.ndarray:
    """A number for each post, equal for those that are joined by an equal key, or by a chain of them."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    n, links = len(keys[0]), []
    for key in keys:
        _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
        links.append(first[inverse.reshape(-1)])
    rows, columns = np.tile(np.arange(n), len(links)), np.concatenate(links)
    return connected_components(coo_matrix((np.ones(len(rows)), (rows, columns)), (n, n)), directed=False)[1]


def _dealt(groups: np.ndarray, labels: np.ndarray, classes: int, seed: int) -> np.ndarray:
    """The part of each post: 0, 1 or 2. Large groups come first; each goes where it brings the parts nearest to their
    shares, and a class that a part has none of yet has the right of way there.
    """
    order = np.argsort(groups, kind="stable")
    members = np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)
    rng = np.random.default_rng(seed)
    members = [members[i] for i in rng.permutation(len(members))]
    members.sort(key=len, reverse=True)
    totals = np.bincount(labels, minlength=classes).astype(float)
    targets = np.outer(_SHARES, np.append(totals, totals.sum())) + 1e-9  # (part, class and all)
    have = np.zeros_like(targets)
    where = np.zeros(len(groups), int)
    for group in members:
        adds = np.bincount(labels[group], minlength=classes).astype(float)
        adds = np.append(adds, adds.sum())
        worse = ((have + adds - targets) ** 2 - (have - targets) ** 2) / targets
        new = ((have[:, :-1] == 0) & (adds[:-1] > 0)).sum(1)
        part = int(np.argmin(worse.sum(1) - new))
        where[group] = part
        have[part] += adds
    return where


def _shared(keys: np.ndarray) -> int:
    """How many posts have a key that another has."""
    number = np.unique(keys, return_counts=True)[1]
    return int(number[number > 1].sum())


def _remarks(parts: list[FilePosts], alike: dict[str, int], there: list[str]) -> list[str]:
    said = []
    absent = [name for name in parts[0].classes if name not in there]
    if absent:
        said.append(f"no post of the table is {' or '.join(absent)}: the model has an answer that it never learns"
                    + (" (--binary makes one for negative and positive alone)." if absent == ["neutral"] else "."))
    if any(alike.values()):
        others = ", ".join(f"{count} a {what[:-1]}" for what, count in alike.items() if what != "texts")
        said.append(f"{alike['texts']} posts have a text that another one has, {others}: such "
                    "posts stay together in one part, so that none is known from another.")
    for name, part in zip(NAMES, parts):
        missing = [label for label in there if not part.counts()[label]]
        if missing:
            said.append(f"the {name} part has no post that is {' or '.join(missing)}: " + (
                "it cannot be learned." if name == "train" else "no figure says how well such posts are read."))
    return said


def _one_heap(posts: FilePosts, kinds: dict[str, np.ndarray], number: int) -> str:
    """What to say where nearly all posts share something."""
    reasons = []
    for what, keys in kinds.items():
        values, first, counts = np.unique(keys, return_index=True, return_counts=True)
        at = int(counts.argmax())
        row = posts.rows[int(first[at])]
        if counts[at] > 1:
            stored = row.voice if what == "voice" else row.image
            shown = repr((row.text or "")[:40]) if what == "text" else str(stored).replace("\\", "/").rsplit(
                "/", 1)[-1][:60]
            reasons.append(f"the {what} {shown} stands in {counts[at]}")
    shared = listed([f"a {what}" for what in kinds], "or")
    return (f"{number} of {len(posts)} posts hang together, since they share {shared} with one another "
            f"({' and '.join(reasons)}): posts of a test would be known from training, and the figures would say "
            f"nothing. Keep one post of each {listed(list(kinds), 'and')}, or add posts with their own.")

