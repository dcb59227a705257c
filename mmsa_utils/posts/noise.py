"""Posts without meaning, which test the plumbing."""

from __future__ import annotations

import numpy as np
from PIL import Image

from .generated import GeneratedPosts
from .post import BINARY_LABELS, Post


class SyntheticDataset(GeneratedPosts):
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
        super().__init__(n, seed, pixels)

    def drawn(self, index: int) -> Post:
        """The post at a place, 0 to n - 1."""
        rng = np.random.default_rng((self.seed, index))
        pixels = rng.integers(0, 256, (self.pixels, self.pixels, 3), dtype=np.uint8)
        return Post(f"This is sample text {index}", Image.fromarray(pixels), int(rng.integers(2)))
