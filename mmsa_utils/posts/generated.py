"""What every set of generated posts does alike: its length, and a post by its place, drawn when it is asked for."""

from __future__ import annotations

import operator
import sys
from typing import overload

import numpy as np
from torch.utils.data import Dataset

from .post import Post

SPLITS = ("train", "validation", "test", "unseen")


class GeneratedPosts(Dataset):
    """Posts that depend on a seed and their index alone. What derives from it writes `drawn`.

    Args:
        n: number of posts.
        seed: of everything that is drawn.
        pixels: width and height of the pictures.

    Raises:
        ValueError: for no posts, and a seed that is none.
    """

    def __init__(self, n: int, seed: int, pixels: int):
        self.n, self.seed, self.pixels = checked_size(n), checked_seed(seed), pixels

    def drawn(self, index: int) -> Post:
        """The post at a place, 0 to n - 1."""
        raise NotImplementedError

    def __len__(self) -> int:
        return self.n

    @overload
    def __getitem__(self, index: int) -> Post: ...

    @overload
    def __getitem__(self, index: slice) -> list[Post]: ...

    def __getitem__(self, index: int | slice) -> Post | list[Post]:
        """A post, counted from 0, or from the end if negative; for a slice a list of them."""
        if isinstance(index, slice):
            return [self[i] for i in range(self.n)[index]]
        return self.drawn(checked_index(index, self.n))


def check_split(split: str, **shares: float) -> None:
    """Raise ValueError unless this is a split, and each of the named numbers a share."""
    if split not in SPLITS:
        raise ValueError(f"split is {split!r}, expected one of {SPLITS}.")
    for name, share in shares.items():
        if not 0 <= share <= 1:
            raise ValueError(f"{name} is {share}, expected a share between 0 and 1.")


def checked_size(n: int) -> int:
    """The number of posts asked for, if a data set can have so many."""
    if not isinstance(n, (int, np.integer)) or n < 1:
        raise ValueError(f"n is {n!r}: expected at least one post.")
    if n > sys.maxsize:
        raise ValueError(f"n is {n:.0e}: no data set is that long.")
    return n


def checked_seed(seed: int) -> int:
    """The seed, if it is one."""
    if not isinstance(seed, (int, np.integer)) or seed < 0:
        raise ValueError(f"seed is {seed!r}: expected a whole number from 0.")
    return seed


def checked_index(index: int, n: int) -> int:
    """The place of a post among n, counted from the front."""
    index = operator.index(index)  # a tensor's or an array's single number too
    if not -n <= index < n:  # IndexError is also what ends a for loop over the data set
        raise IndexError(f"index is {index}, expected less than {n}.")
    return index % n
