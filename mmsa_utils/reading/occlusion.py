"""A picture with patches over it, and what taking something away did to an answer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor


@dataclass(frozen=True)
class Occlusion:
    """How the answer's probability changes where something is taken away. Below 0: it spoke for the answer."""

    answer: str
    words: tuple[tuple[str, float], ...]  # each word, and the change without it
    cut: bool  # only the first MAX_WORDS words were tried
    regions: np.ndarray  # (rows, columns): the change with a grey patch there
    seen: Image.Image  # the picture as it goes into the model: resized, perhaps cropped


def black_and_white(size: tuple[int, int]) -> list[Image.Image]:
    """Two pictures that show how a model scales brightness: what becomes of black and of white."""
    shape = [max(1, round(64 * side / max(size))) for side in size]
    return [Image.new("RGB", shape, colour) for colour in ("black", "white")]


def patched(pixels: Tensor, grey: Tensor, grid: int) -> Tensor:
    """A picture (1, 3, height, width) with a patch of `grey` around each of grid x grid regions, row by row."""
    height, width = pixels.shape[-2:]
    copies = []
    for i in range(grid * grid):
        row, column = divmod(i, grid)
        rows = slice(max(0, round((row - 0.5) * height / grid)), round((row + 1.5) * height / grid))
        columns = slice(max(0, round((column - 0.5) * width / grid)), round((column + 1.5) * width / grid))
        copy = pixels.clone()
        copy[..., rows, columns] = grey[..., rows, columns]
        copies.append(copy)
    return torch.cat(copies)
