"""Posts without meaning, which test the plumbing."""

from __future__ import annotations

import operator
import sys
from typing import overload

import numpy as np
from PIL import Image
from torch.utils.data import Dataset

from .post import BINARY_LABELS, Post


class SyntheticDataset(Dataset):
    """Posts without meaning: numbered sentences, random pixels, random labels 0 or 1.

    It shows that shapes fit and losses fall. Nothing can be learned from it: on new posts no reader is right more
    often than half of the time.

    Args:
        n: number of posts.
        seed: of the pixels and labels.
        pixels: width and height of the pictures.
    """

    classes = BINARY_LABELS

    def __init__(self, n: int = 100, seed: int = 0, pixels: int = 64):
        self.n, self.seed, self.pixels = checked_size(n), checked_seed(seed), pixels

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
        index = checked_index(index, self.n)
        rng = np.random.default_rng((self.seed, index))
        pixels = rng.integers(0, 256, (self.pixels, self.pixels, 3), dtype=np.uint8)
        return Post(f"This is sample text {index}", Image.fromarray(pixels), int(rng.integers(2)))


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
