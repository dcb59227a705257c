"""Pictures beside short texts: a few of them show a mood, most show what was at hand.

Some show a face or a sky, as their writer's mood is. The rest say nothing of it: somebody's lunch, a screenshot, a
plain colour, a poster.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ..scenes import DISHES, draw, random_scene

PIXELS = 96
#: Mood → how often a picture shows it; else it is one that says nothing.
TELLING = {"negative": 0.4, "neutral": 0.15, "positive": 0.4}
_SKINS = ((244, 208, 176), (222, 170, 126), (170, 116, 78), (110, 72, 50))


def snapshot(mood: str, rng: np.random.Generator) -> Image.Image:
    """A picture for a mood ("negative", "neutral" or "positive"), RGB, `PIXELS` wide and high."""
    level = {"negative": -1, "neutral": 0, "positive": 1}[mood]
    if rng.random() < TELLING[mood]:
        return _face(level, rng) if rng.random() < 0.5 else _sky(level, rng)
    kind = rng.choice(["dish", "screenshot", "plain", "poster"], p=[0.4, 0.25, 0.1, 0.25])
    if kind == "dish":
        return draw(random_scene(str(rng.choice(DISHES)), int(rng.integers(-1, 2)), rng), PIXELS)
    return {"screenshot": _screenshot, "plain": _plain, "poster": _poster}[str(kind)](rng)


def written(image: Image.Image, text: str) -> Image.Image:
    """The picture with a text on it, white over its shadow, as memes have it."""
    image = image.copy()
    ink, font = ImageDraw.Draw(image), _font()
    words, lines = text.upper().split(), [""]
    for word in words:
        lines[-1:] = [f"{lines[-1]} {word}".strip()] if len(lines[-1]) + len(word) < 15 else [lines[-1], word]
    for number, line in enumerate(lines[:7]):
        for shift, colour in ((1, "black"), (0, "white")):
            ink.text((4 + shift, 4 + 12 * number + shift), line, colour, font)
    return image


@lru_cache(maxsize=1)
def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default()


def save(image: Image.Image, path: Path, rng: np.random.Generator) -> None:
    """Save a picture as one finds them: mostly as what its ending says, now and then as a GIF that is called so."""
    if rng.random() < 0.02:
        image.save(path, "GIF")
    elif path.suffix.lower() == ".png":
        image.save(path, "PNG")
    else:
        image.save(path, "JPEG", quality=int(rng.integers(60, 95)))


def spoil(path: Path, how: str) -> None:
    """Make a picture one that cannot be used: "empty", "cut off", "web page" or "missing"."""
    if how == "missing":
        path.unlink()
    else:
        data = path.read_bytes()
        path.write_bytes({"empty": b"", "cut off": data[:len(data) // 2],
                          "web page": b"<!DOCTYPE html><html><body>404 Not Found</body></html>"}[how])


def _canvas(colour: tuple[int, ...]) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    image = Image.new("RGB", (PIXELS, PIXELS), colour)
    return image, ImageDraw.Draw(image)


def _colour(rng: np.random.Generator, low: int = 30, high: int = 226) -> tuple[int, ...]:
    return tuple(int(v) for v in rng.integers(low, high, 3))


def _face(level: int, rng: np.random.Generator) -> Image.Image:
    image, ink = _canvas(_colour(rng, 60, 150) if level < 0 else _colour(rng, 110, 240))
    p, x, y = PIXELS, PIXELS * rng.uniform(0.4, 0.6), PIXELS * rng.uniform(0.42, 0.55)
    r = p * rng.uniform(0.26, 0.36)
    skin, hair = _SKINS[rng.integers(len(_SKINS))], _colour(rng, 10, 120)
    ink.rectangle((x - r, y + r * 0.7, x + r, p), _colour(rng))
    ink.ellipse((x - 1.1 * r, y - 1.2 * r, x + 1.1 * r, y + 0.8 * r), hair)
    ink.ellipse((x - r, y - r, x + r, y + r), skin)
    for side in (-1, 1):
        ink.ellipse((x + side * 0.4 * r - 3, y - 0.3 * r - 3, x + side * 0.4 * r + 3, y - 0.3 * r + 3), (30, 26, 26))
    if level:
        box = (x - 0.5 * r, y - 0.1 * r, x + 0.5 * r, y + 0.65 * r)
        start = (20, 160) if level > 0 else (200, 340)
        down = 0 if level > 0 else 0.35 * r
        ink.arc((box[0], box[1] + down, box[2], box[3] + down), *start, (140, 30, 40), 3)
    else:
        ink.line((x - 0.4 * r, y + 0.45 * r, x + 0.4 * r, y + 0.45 * r), (140, 30, 40), 3)
    return image


def _sky(level: int, rng: np.random.Generator) -> Image.Image:
    top = {-1: (84, 90, 100), 0: (150, 160, 170), 1: (96, 170, 238)}[level]
    shift = rng.integers(-18, 19, 3)
    image, ink = _canvas(tuple(int(v) for v in np.clip(np.array(top) + shift, 0, 255)))
    p = PIXELS
    if level > 0:
        x, r = p * rng.uniform(0.2, 0.8), p * rng.uniform(0.08, 0.14)
        ink.ellipse((x - r, 0.2 * p - r, x + r, 0.2 * p + r), (255, 220, 90))
    for _ in range(3 - level):
        x, y = p * rng.uniform(0, 1), p * rng.uniform(0.1, 0.4)
        grey = 200 + 40 * level
        ink.ellipse((x - 20, y - 8, x + 20, y + 8), (grey, grey, grey))
    if level < 0:
        for x, y in rng.uniform(0, p, (40, 2)):
            ink.line((x, y, x - 2, y + 7), (190, 200, 214))
    ink.rectangle((0, 0.75 * p, p, p), (70, 120, 66) if level > 0 else (86, 92, 84))
    return image


def _screenshot(rng: np.random.Generator) -> Image.Image:
    dark = rng.random() < 0.4
    image, ink = _canvas((24, 26, 30) if dark else (248, 248, 250))
    ink.rectangle((0, 0, PIXELS, 10), _colour(rng))
    for y in range(18, PIXELS - 6, 8):
        ink.rectangle((8, y, 8 + int(rng.integers(20, 78)), y + 3), (180, 184, 190) if dark else (70, 74, 82))
    return image


def _plain(rng: np.random.Generator) -> Image.Image:
    return _canvas(_colour(rng))[0]


def _poster(rng: np.random.Generator) -> Image.Image:
    image, ink = _canvas(_colour(rng))
    for _ in range(int(rng.integers(2, 6))):
        x, y, r = (int(v) for v in rng.integers((0, 0, 8), (PIXELS, PIXELS, 30)))
        (ink.ellipse if rng.random() < 0.5 else ink.rectangle)((x - r, y - r, x + r, y + r), _colour(rng))
    ink.rectangle((10, 70, PIXELS - 10, 84), _colour(rng))
    return image
