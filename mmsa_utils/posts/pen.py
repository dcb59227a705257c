"""The pen that draws food from simple shapes.

Coordinates are fractions of the picture, y down.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from functools import lru_cache

from PIL import Image, ImageDraw

ROTTEN = (92, 84, 52)  # the colour that wilting food turns to
SAG_BASE = 0.8  # the height that sagging food sinks towards


@lru_cache(maxsize=1)
def _outlines() -> list[list[tuple[float, float, float]]]:
    """Sixteen uneven circles, each of 24 points (cos, sin, swelling from -1 to 1)."""
    rng, outlines = random.Random(0), []
    for _ in range(16):
        waves = [(n, rng.uniform(0, 6.3)) for n in (2, 3, 5)]
        turns = [2 * math.pi * i / 24 for i in range(24)]
        outlines.append([(math.cos(a), math.sin(a), sum(math.sin(n * a + p) for n, p in waves) / 2) for a in turns])
    return outlines


def smooth(points: list) -> list:
    """The closed outline with its corners cut (Chaikin)."""
    pairs = zip(points, points[1:] + points[:1], strict=True)
    return [q for (a, b), (c, d) in pairs for q in ((0.75 * a + 0.25 * c, 0.75 * b + 0.25 * d),
                                                    (0.25 * a + 0.75 * c, 0.25 * b + 0.75 * d))]


class Pen:
    """Draws shapes given in fractions of the picture; knows the camera (zoom, shift) and how wilted the food is.

    Every shape takes its centre and half its width and height, and gets a darker edge of its own colour.
    """

    def __init__(self, image: Image.Image, crop: float, seed: int):
        self.rng = random.Random(seed)  # quicker than NumPy's for single numbers
        zoom, shift = 0.92 + 0.25 * crop, 0.03 + 0.07 * crop
        self.k = image.width * zoom
        self.ox = image.width * (0.5 + self.rng.uniform(-shift, shift)) - 0.5 * self.k
        self.oy = image.width * (0.5 + self.rng.uniform(-shift, shift)) - 0.5 * self.k
        self.ink = ImageDraw.Draw(image, "RGBA")
        self.thin = max(1, round(0.009 * self.k))
        self.wilt = 0.0  # 0 fresh colours .. 1 all ROTTEN
        self.sag = 0.0  # share of its height (above SAG_BASE) that the food has lost

    def at(self, x: float, y: float) -> tuple[float, float]:
        return x * self.k + self.ox, (y + self.sag * (SAG_BASE - y)) * self.k + self.oy

    def tone(self, c: tuple, dark: float = 1.0) -> tuple:
        w = self.wilt
        r, g, b = [int(dark * (v + w * (rot - v))) for v, rot in zip(c, ROTTEN, strict=False)]
        return (r, g, b, *c[3:])

    def bounds(self, x: float, y: float, rx: float, ry: float) -> tuple[float, float, float, float]:
        return (*self.at(x - rx, y - ry), *self.at(x + rx, y + ry))

    def oval(self, x, y, rx, ry, fill, edge=True):
        self.ink.ellipse(self.bounds(x, y, rx, ry), self.tone(fill), self.tone(fill, 0.68) if edge else None, self.thin)

    def ovals(self, points, rx, ry, fill, edge=True):
        for x, y in points:
            self.oval(x, y, rx, ry, fill, edge)

    def dome(self, x, y, rx, ry, fill, start=180, stop=360):
        self.ink.chord(self.bounds(x, y, rx, ry), start, stop, self.tone(fill), self.tone(fill, 0.68), self.thin)

    def box(self, x0, y0, x1, y1, r, fill):
        self.ink.rounded_rectangle((*self.at(x0, y0), *self.at(x1, y1)), r * self.k, self.tone(fill),
                                   self.tone(fill, 0.68), self.thin)

    def poly(self, points, fill, edge=True):
        points = [self.at(x, y) for x, y in points]
        self.ink.polygon(points, self.tone(fill))
        if edge:
            self.ink.line([*points, points[0]], self.tone(fill, 0.68), self.thin)

    def line(self, points, fill, width):
        self.ink.line([self.at(x, y) for x, y in points], self.tone(fill), max(1, round(width * self.k)), "curve")

    def arc(self, x, y, rx, ry, start, stop, fill, width):
        self.ink.arc(self.bounds(x, y, rx, ry), start, stop, self.tone(fill), max(1, round(width * self.k)))

    def blob(self, x, y, rx, ry, fill, wobble=0.15, edge=True):
        """An uneven round shape."""
        outline = _outlines()[self.rng.randrange(16)]
        self.poly([(x + rx * c * (1 + wobble * h), y + ry * s * (1 + wobble * h)) for c, s, h in outline], fill, edge)

    def leaf(self, x, y, length, angle, fill):
        """A pointed leaf that starts at (x, y), with its vein."""
        dx, dy = length * math.cos(angle), length * math.sin(angle)
        side = ((0, 0), (0.2, 0.2), (0.5, 0.29), (0.8, 0.2), (1, 0), (0.8, -0.2), (0.5, -0.29), (0.2, -0.2))
        self.poly([(x + t * dx - s * dy, y + t * dy + s * dx) for t, s in side], fill)
        self.line([(x, y), (x + 0.85 * dx, y + 0.85 * dy)], (*(min(255, v + 60) for v in fill[:3]),), 0.008)

    def scatter(self, n, x, y, rx, ry) -> Iterator[tuple[float, float]]:
        """``n`` points spread evenly, with jitter, over an ellipse (sunflower spiral)."""
        turn = self.rng.uniform(0, 6.3)
        for i in range(n):
            r, a = math.sqrt((i + 0.6) / n), turn + 2.4 * i + self.rng.uniform(-0.3, 0.3)
            yield x + rx * r * math.cos(a), y + ry * r * math.sin(a)

    def plate(self, x=0.5, y=0.7, rx=0.43, ry=0.2, fill=(236, 234, 226)):
        self.oval(x + 0.015, y + 0.035, rx, ry, (20, 16, 14, 90), edge=False)
        self.oval(x, y, rx, ry, fill)
        self.oval(x, y - 0.008, 0.76 * rx, 0.74 * ry, tuple(int(0.93 * v) for v in fill), edge=False)

    def bowl(self, fill, x=0.5, y=0.52, rx=0.4, ry=0.16, depth=0.32):
        self.oval(x + 0.02, y + depth - 0.01, 0.75 * rx, 0.07, (20, 16, 14, 90), edge=False)
        self.dome(x, y, rx, depth, fill, 0, 180)
        self.oval(x, y, rx, ry, tuple(min(255, int(1.12 * v)) for v in fill))
