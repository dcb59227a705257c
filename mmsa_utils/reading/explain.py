"""What in a side speaks for what that side says alone: its words left out, its regions covered, one after the other.

Each side is explained by itself. With both at hand an answer often has two reasons, and none of them is needed: of the
showcase, "This burger is delicious!" over a fresh burger, no word and no region would be found. Which way of asking
points at what really gives the mood is measured on drawn posts, where that is known (`tools/measure/explanations.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

from .reader import MAX_WORDS, Reader, checked_picture, checked_text

GRID = 8  # rows and columns of regions
#: How often the first word, and the first region, lie where the drawn post has its mood; as the tool measures it.
HITS = {"text": "8 of 10", "picture": "8 of 10"}


@dataclass(frozen=True)
class Words:
    """How much surer a text alone is of what it says with each of its words than without it."""

    answer: str  # what the text alone says
    words: tuple[tuple[str, float], ...]  # each word, and what it adds to the probability of the answer
    cut: bool  # only the first MAX_WORDS words were tried


@dataclass(frozen=True)
class Regions:
    """How much surer a picture alone is of what it says with each of its regions than with it covered."""

    answer: str  # what the picture alone says
    regions: np.ndarray  # (rows, columns): what each adds to the probability of the answer
    seen: Image.Image  # the picture, small


def explain_text(reader: Reader, text: str) -> Words:
    """Leave out one word after the other.

    Raises:
        ValueError: for a blank text, or one of more than MAX_TEXT characters.
    """
    text = checked_text(text)
    words = text.split()
    tried = words[:MAX_WORDS]
    answers = reader.alone("text", [text, *shorter(words)[:MAX_WORDS]])
    said = int(answers[0].argmax())
    support = (answers[0, said] - answers[1:, said]).tolist()
    return Words(reader.classes[said], tuple(zip(tried, support)), len(words) > len(tried))


def shorter(words: list[str]) -> list[str]:
    """The text without each of its words in turn."""
    return [" ".join(words[:i] + words[i + 1:]) or "." for i in range(len(words))]  # "." in place of nothing


def explain_picture(reader: Reader, image: Image.Image, grid: int = GRID) -> Regions:
    """Blur one region after the other beyond recognition.

    Args:
        grid: rows and columns of regions.

    Raises:
        ValueError: if there is no picture, or it has more than MAX_PIXELS.
    """
    seen = reader.smaller(checked_picture(image)).convert("RGB")
    blurred = seen.filter(ImageFilter.GaussianBlur(min(seen.size) / 8))
    answers = reader.alone("image", [seen, *(covered(seen, blurred, grid, 0.5, i) for i in range(grid * grid))])
    said = int(answers[0].argmax())
    return Regions(reader.classes[said], (answers[0, said] - answers[1:, said]).reshape(grid, grid).numpy(), seen)


def covered(image: Image.Image, cover: Image.Image, grid: int, half: float, index: int) -> Image.Image:
    """A picture with a patch of another one over one of grid x grid regions, counted row by row.

    The patch reaches so far from the region's middle, in regions: 0.5 covers just that.
    """
    row, column = divmod(index, grid)
    left, right, top, bottom = (min(max(middle + 0.5 + way, 0), grid) / grid
                                for middle in (column, row) for way in (-half, half))
    box = (round(left * image.width), round(top * image.height),
           round(right * image.width), round(bottom * image.height))
    patched = image.copy()
    patched.paste(cover.crop(box), box)
    return patched
