"""What a model is given: for each side a list, of any kind; checked, and taken a few at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence, Set
from itertools import islice
from typing import Any

from PIL import Image

from ..posts.post import MANY, SUBJECTS, check_text
from ..posts.sound import Sound


def check_lists(raw: Sequence[Any], sides: Sequence[str]) -> None:
    """Raise ValueError unless there is something to walk through for each side: a list, tuple, array, column of a
    table or generator; or None, for a side that all posts lack. Those with a length must be as long as each other.
    """
    names = [MANY[side] for side in sides]
    if any(isinstance(items, (str, bytes, os.PathLike, Image.Image, Sound)) for items in raw):
        one, many = " or ".join(SUBJECTS[side] for side in sides), " and ".join(f"a list of {name}" for name in names)
        raise ValueError(f"got a single {one}: expected {many}, such as "
                         f"{' and '.join(f'[{side}]' for side in sides)} for one post.")
    if len(raw) != len(names):
        raise ValueError(f"got {len(raw)} list{'s' * (len(raw) != 1)}: this model reads {len(names)}, "
                         f"{' and '.join(names)}.")
    for name, items in zip(names, raw):
        if items is None:
            continue
        if isinstance(items, (Mapping, Set)) or not hasattr(items, "__iter__"):
            raise ValueError(f"the {name} are of the kind {type(items).__name__}: expected a list, in the order of the "
                             "posts.")
        shape = getattr(items, "shape", (0,))  # a frame would be walked through by the names of its columns
        if len(shape) != 1:
            kind = f"in one {type(items).__name__} with {len(shape)} dimensions {tuple(shape)}"
            raise ValueError(f"the {name} are {kind}: expected a list with one a post, such as "
                             + ("a single column." if name != "pictures" else "[Image.fromarray(a) for a in arrays]."))
    counts = {name: len(items) for name, items in zip(names, raw) if hasattr(items, "__len__")}
    if len(set(counts.values())) > 1:
        raise ValueError(f"got {' and '.join(f'{n} {name}' for name, n in counts.items())}: expected as many of "
                         "each, one a post; None where one is missing.")


def check_posts(lists: Sequence[Sequence[Any] | None], sides: Sequence[str], first: int | None = 0) -> None:
    """Raise ValueError for a post without any side, or with a text that is none.

    Args:
        lists: a list for each side, equally long; None for a side that all posts lack.
        first: the number of the first post, for messages; None if it is the only one.
    """
    for i in range(max(len(items) for items in lists if items is not None)):
        given = {side: None if items is None else items[i] for side, items in zip(sides, lists)}
        if all(item is None for item in given.values()):
            raise ValueError(f"{'the post' if first is None else f'post {first + i}'} has neither "
                             f"{' nor '.join(sides)}: expected at least one.")
        if given.get("text") is not None:
            check_text(given["text"], "the text" if first is None else f"text {first + i}")


def in_batches(raw: Sequence[Any], sides: Sequence[str], size: int) -> Iterator[list[list[Any] | None]]:
    """The posts, so many at a time: for each side a list, or None. A generator is asked for no more than that.

    Raises:
        ValueError: as `check_lists` and `check_posts`, and for no posts; for generators when it comes up.
    """
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        raise ValueError(f"batch_size is {size!r}: expected a whole number from 1 on.")
    check_lists(raw, sides)
    walks = [None if items is None else iter(items) for items in raw]
    first = 0
    while True:
        lists = [None if walk is None else list(islice(walk, size)) for walk in walks]
        lengths = {len(items) for items in lists if items is not None}
        if len(lengths) > 1:
            counts = (f"{first + len(items)} {MANY[side]}" + " or more" * (len(items) == size)
                      for side, items in zip(sides, lists) if items is not None)
            raise ValueError(f"got {' and '.join(counts)}: expected as many of each, one a post.")
        if lengths <= {0}:
            if first == 0:
                raise ValueError("got no posts: expected at least one.")
            return
        n, = lengths
        check_posts(lists, sides, None if first == 0 and n == 1 < size else first)
        yield lists
        first += n
        if n < size:  # they are at their end
            return
