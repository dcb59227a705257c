"""The pen that draws food from simple shapes, and the eighteen dishes it knows.

Coordinates are fractions of the picture, y down. Every dish is a function that draws food (not its marks: these are
in ``scenes``, the same for all) and a row of ``RECIPES`` that says where its plate is and where its marks go.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
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


# The dishes: each draws its food; the plate comes before, the marks after, the same way for all.

def _burger(p):
    p.box(0.22, 0.62, 0.78, 0.78, 0.05, (222, 158, 82))
    wave = [(0.19 + 0.62 * i / 10, 0.67 if i % 2 else 0.635) for i in range(11)]
    p.poly([(0.2, 0.59), (0.8, 0.59), *wave[::-1]], (122, 186, 64))
    p.box(0.2, 0.53, 0.8, 0.615, 0.035, (104, 58, 34))
    cheese = [(0.2, 0.515), (0.8, 0.515), (0.72, 0.56), (0.62, 0.53), (0.5, 0.6), (0.4, 0.53), (0.28, 0.57)]
    p.poly(cheese, (250, 196, 50))
    p.box(0.22, 0.475, 0.78, 0.525, 0.025, (216, 62, 48))
    p.dome(0.5, 0.485, 0.31, 0.29, (226, 150, 70))
    p.arc(0.5, 0.485, 0.25, 0.23, 200, 250, (250, 200, 130), 0.025)
    sesame = (0.36, 0.33), (0.46, 0.27), (0.57, 0.26), (0.66, 0.34), (0.52, 0.36), (0.42, 0.42), (0.62, 0.43)
    p.ovals(sesame, 0.017, 0.011, (255, 238, 196), edge=False)


def _pizza(p):
    p.oval(0.5, 0.53, 0.4, 0.35, (212, 150, 78))
    p.oval(0.5, 0.53, 0.35, 0.3, (204, 72, 40), edge=False)
    p.blob(0.5, 0.53, 0.33, 0.28, (248, 206, 98), 0.05, edge=False)
    p.ovals(p.scatter(7, 0.5, 0.53, 0.26, 0.21), 0.058, 0.05, (196, 58, 42))
    for dx, dy in ((0.36, 0.15), (0.05, 0.34), (0.33, -0.18)):
        p.line([(0.5 - dx, 0.53 - dy), (0.5 + dx, 0.53 + dy)], (176, 112, 52), 0.012)


def _salad(p):
    p.bowl((158, 104, 60))
    for i, (x, y) in enumerate(p.scatter(11, 0.5, 0.47, 0.3, 0.12)):
        p.blob(x, y, 0.11, 0.085, ((168, 208, 104), (142, 190, 84), (190, 220, 134))[i % 3], 0.22)
    p.ovals(p.scatter(4, 0.5, 0.46, 0.27, 0.09), 0.055, 0.05, (226, 60, 50))
    p.ovals(p.scatter(3, 0.5, 0.45, 0.2, 0.1), 0.055, 0.04, (226, 238, 190))


def _soup(p):
    p.bowl((66, 104, 168))
    p.oval(0.5, 0.525, 0.35, 0.125, (236, 138, 44))
    p.arc(0.5, 0.525, 0.22, 0.075, 150, 400, (255, 226, 180), 0.02)
    p.arc(0.5, 0.53, 0.12, 0.04, 0, 260, (255, 226, 180), 0.018)
    for x, y in p.scatter(4, 0.48, 0.52, 0.24, 0.07):
        p.box(x - 0.03, y - 0.022, x + 0.03, y + 0.022, 0.008, (216, 160, 84))
    p.wilt = 0.0
    p.line([(0.72, 0.5), (0.93, 0.24)], (206, 210, 216), 0.03)


def _sushi(p):
    p.poly([(0.08, 0.36), (0.92, 0.36), (0.96, 0.8), (0.04, 0.8)], (72, 60, 54))
    for x in (0.29, 0.71):
        p.box(x - 0.17, 0.36, x + 0.17, 0.52, 0.06, (246, 244, 236))
        p.box(x - 0.19, 0.31, x + 0.19, 0.44, 0.06, (246, 130, 84))
        for dx in (-0.1, 0, 0.1):
            p.line([(x + dx + 0.03, 0.325), (x + dx - 0.02, 0.425)], (255, 196, 160), 0.014)
    for x, core in ((0.22, (236, 92, 66)), (0.5, (250, 204, 74)), (0.78, (236, 92, 66))):
        p.oval(x, 0.65, 0.125, 0.115, (38, 44, 40))
        p.oval(x, 0.65, 0.098, 0.09, (248, 246, 238), edge=False)
        p.oval(x, 0.65, 0.045, 0.042, core)


def _pancake(p):
    for i in range(4):
        y = 0.7 - 0.075 * i
        p.oval(0.5 + (0.012, -0.014)[i % 2], y + 0.02, 0.31, 0.125, (188, 116, 52))
        p.oval(0.5 + (0.012, -0.014)[i % 2], y - 0.012, 0.31, 0.125, (238, 186, 106))
    p.blob(0.5, 0.455, 0.23, 0.085, (156, 78, 24), 0.12, edge=False)
    for x, y in ((0.3, 0.66), (0.42, 0.73), (0.66, 0.7)):
        p.line([(x, 0.49), (x, y)], (156, 78, 24), 0.045)
        p.oval(x, y, 0.027, 0.03, (156, 78, 24), edge=False)
    p.poly([(0.42, 0.41), (0.54, 0.385), (0.6, 0.43), (0.48, 0.46)], (255, 236, 130))


def _pasta(p):
    p.blob(0.5, 0.58, 0.31, 0.19, (228, 184, 88), 0.08)
    for x, y in p.scatter(13, 0.5, 0.58, 0.22, 0.11):
        start = p.rng.randrange(360)
        p.arc(x, y, 0.1, 0.065, start, start + 250, (250, 218, 132) if start % 2 else (202, 150, 58), 0.018)
    p.blob(0.5, 0.53, 0.17, 0.1, (204, 56, 34), 0.18)
    p.ovals(((0.41, 0.52), (0.53, 0.48), (0.58, 0.56)), 0.065, 0.058, (124, 68, 42))


def _steak(p):
    shape = smooth([(0.2, 0.56), (0.28, 0.41), (0.46, 0.43), (0.6, 0.35), (0.78, 0.4), (0.81, 0.57), (0.66, 0.69),
                    (0.46, 0.7), (0.28, 0.7)])
    p.poly([(0.5 + 1.1 * (x - 0.5), 0.56 + 1.12 * (y - 0.56)) for x, y in shape], (238, 208, 168))
    p.poly(shape, (134, 68, 46))
    for x in (0.34, 0.45, 0.56, 0.67):
        p.line([(x + 0.05, 0.45), (x - 0.04, 0.65)], (72, 36, 26), 0.022)
    p.line([(0.62, 0.4), (0.7, 0.52), (0.78, 0.5)], (244, 232, 208), 0.03)
    p.ovals(((0.22, 0.74), (0.33, 0.79), (0.27, 0.77)), 0.05, 0.032, (244, 206, 104))
    p.ovals(((0.6, 0.79), (0.7, 0.76)), 0.065, 0.024, (240, 130, 44))


def _cake(p):
    for i, fill in enumerate(((238, 190, 120), (252, 236, 222), (238, 190, 120), (252, 236, 222), (238, 190, 120))):
        a, b = 0.07 * i, 0.07 * (i + 1)
        p.poly([(0.2, 0.4 + a), (0.8, 0.46 + a), (0.8, 0.46 + b), (0.2, 0.4 + b)], fill, edge=i % 2 == 0)
    icing = [(0.2, 0.4), (0.8, 0.46), (0.8, 0.5), (0.7, 0.54), (0.62, 0.48), (0.5, 0.55), (0.4, 0.46), (0.3, 0.5)]
    p.poly(icing, (244, 140, 166))
    p.poly([(0.2, 0.4), (0.62, 0.27), (0.8, 0.46)], (250, 160, 184))
    for x, y in ((0.62, 0.335), (0.4, 0.375)):
        p.oval(x, y - 0.02, 0.055, 0.045, (255, 246, 240))
        p.oval(x, y - 0.065, 0.042, 0.05, (224, 40, 54))


def _taco(p):
    p.dome(0.53, 0.72, 0.34, 0.38, (206, 146, 54))
    for x, y in ((0.24, 0.56), (0.32, 0.44), (0.43, 0.37), (0.55, 0.36), (0.67, 0.41), (0.76, 0.52)):
        p.blob(x, y, 0.075, 0.06, (134, 190, 74), 0.25)
    p.ovals(((0.27, 0.51), (0.39, 0.41), (0.5, 0.37), (0.62, 0.4), (0.73, 0.48)), 0.045, 0.04, (224, 62, 48))
    p.ovals(((0.33, 0.47), (0.45, 0.4), (0.57, 0.4), (0.68, 0.46)), 0.045, 0.038, (122, 70, 40))
    p.dome(0.48, 0.75, 0.35, 0.34, (244, 196, 92))
    specks = (0.3, 0.66), (0.42, 0.52), (0.56, 0.66), (0.66, 0.6), (0.46, 0.7)
    p.ovals(specks, 0.018, 0.013, (212, 154, 62), edge=False)


def _curry(p):
    p.blob(0.35, 0.57, 0.21, 0.18, (250, 248, 240), 0.08)
    for x, y in p.scatter(9, 0.34, 0.56, 0.15, 0.12):
        p.line([(x - 0.015, y), (x + 0.015, y + 0.01)], (218, 214, 204), 0.012)
    p.blob(0.62, 0.6, 0.24, 0.18, (206, 124, 34), 0.1)
    for i, (x, y) in enumerate(p.scatter(7, 0.63, 0.59, 0.16, 0.11)):
        p.blob(x, y, 0.048, 0.042, ((240, 140, 40), (236, 200, 110), (138, 78, 42))[i % 3], 0.12)


def _toast(p):
    for grow, fill in ((1.0, (186, 116, 56)), (0.88, (240, 200, 132))):
        half = [(0.26, 0.24), (0.26, -0.05), (0.32, -0.13), (0.28, -0.24), (0.14, -0.28)]
        outline = half + [(-x, y) for x, y in half[::-1]]
        p.poly([(0.5 + grow * x, 0.54 + grow * y) for x, y in outline], fill)
    p.blob(0.5, 0.54, 0.19, 0.165, (254, 252, 246), 0.12)
    p.oval(0.51, 0.53, 0.085, 0.08, (255, 184, 28))
    p.oval(0.485, 0.505, 0.022, 0.018, (255, 236, 160), edge=False)


def _donut(p):
    p.oval(0.5, 0.57, 0.33, 0.25, (214, 150, 82))
    p.blob(0.5, 0.54, 0.3, 0.21, (246, 128, 172), 0.05)
    for i, (x, y) in enumerate(p.scatter(22, 0.5, 0.54, 0.25, 0.17)):
        fill = ((255, 240, 120), (110, 200, 240), (255, 255, 255))[i % 3]
        p.line([(x - 0.014, y - 0.008), (x + 0.014, y + 0.008)], fill, 0.015)
    p.oval(0.5, 0.54, 0.105, 0.075, (180, 112, 58))
    p.oval(0.5, 0.555, 0.085, 0.055, (226, 224, 214), edge=False)


def _watermelon(p):
    for r, fill in ((1.0, (52, 132, 62)), (0.93, (226, 240, 190)), (0.86, (234, 66, 72))):
        p.dome(0.5, 0.42, 0.4 * r, 0.4 * r, fill, 0, 180)
    seeds = (0.28, 0.48), (0.42, 0.47), (0.57, 0.48), (0.72, 0.48), (0.36, 0.58), (0.5, 0.58), (0.64, 0.58)
    p.ovals(seeds, 0.011, 0.018, (60, 24, 24), edge=False)


def _gelato(p):
    p.poly([(0.33, 0.54), (0.67, 0.54), (0.5, 0.95)], (226, 164, 86))
    for t in (0.25, 0.5, 0.75):
        p.line([(0.33 + 0.34 * t, 0.55), (0.33 + 0.17 * (1 + t) - 0.01, 0.94 - 0.38 * t)], (176, 112, 50), 0.01)
        p.line([(0.33 + 0.34 * t, 0.55), (0.5 - 0.17 * (1 - t) + 0.01, 0.56 + 0.38 * t)], (176, 112, 50), 0.01)
    for x, y, fill in ((0.39, 0.46, (250, 170, 190)), (0.61, 0.46, (130, 84, 58)), (0.5, 0.31, (255, 240, 200))):
        p.blob(x, y, 0.16, 0.15, fill, 0.05)
        p.arc(x, y, 0.1, 0.09, 190, 260, (255, 252, 246), 0.02)


def _hotdog(p):
    p.box(0.12, 0.42, 0.88, 0.6, 0.09, (208, 142, 70))
    p.box(0.06, 0.47, 0.94, 0.6, 0.065, (190, 74, 46))
    p.line([(0.14 + 0.06 * i, 0.5 + (0.045 if i % 2 else 0)) for i in range(13)], (252, 208, 44), 0.026)
    p.box(0.12, 0.565, 0.88, 0.73, 0.08, (234, 174, 98))


def _fish(p):
    p.poly([(0.7, 0.54), (0.93, 0.38), (0.88, 0.55), (0.93, 0.7)], (112, 140, 158))
    p.poly([(0.38, 0.46), (0.52, 0.34), (0.64, 0.47)], (112, 140, 158))
    p.oval(0.45, 0.55, 0.34, 0.155, (152, 180, 194))
    p.dome(0.45, 0.55, 0.33, 0.145, (206, 220, 224), 20, 160)
    p.arc(0.3, 0.55, 0.08, 0.12, -70, 70, (92, 118, 136), 0.016)
    for x in (0.46, 0.56, 0.66):
        p.arc(x, 0.55, 0.05, 0.08, -70, 70, (104, 130, 146), 0.013)
    p.oval(0.2, 0.52, 0.032, 0.032, (255, 255, 255))
    p.oval(0.2, 0.52, 0.014, 0.014, (24, 24, 30), edge=False)
    p.oval(0.68, 0.76, 0.07, 0.055, (250, 214, 60))
    p.oval(0.68, 0.76, 0.05, 0.037, (255, 240, 160), edge=False)


def _croissant(p):
    for i in (0, 6, 1, 5, 2, 4, 3):
        a, size = math.pi * (1.08 + 0.84 * i / 6), (0.065, 0.1, 0.135, 0.155, 0.135, 0.1, 0.065)[i]
        x, y = 0.5 + 0.3 * math.cos(a), 0.72 + 0.22 * math.sin(a)
        p.oval(x, y, 0.75 * size + 0.02, 1.15 * size, (222, 150, 66))
        p.arc(x, y, 0.5 * size, 0.8 * size, 200, 300, (250, 204, 124), 0.02)


@dataclass(frozen=True)
class Recipe:
    paint: Callable[[Pen], None]
    food: tuple[float, float, float, float]  # x, y, rx, ry: the place where marks are seen on the food
    plate: tuple[float, float, float, float] | None  # x, y, rx, ry; None where the dish brings its own
    hot: bool = True  # steams when it is at its best
    sags: bool = True  # sinks when it is old: food that is seen from the side


RECIPES = {
    "burger": Recipe(_burger, (0.5, 0.5, 0.24, 0.2), (0.5, 0.78, 0.44, 0.14)),
    "pizza": Recipe(_pizza, (0.5, 0.53, 0.28, 0.23), (0.5, 0.54, 0.46, 0.41), sags=False),
    "salad": Recipe(_salad, (0.5, 0.46, 0.28, 0.11), None, hot=False),
    "soup": Recipe(_soup, (0.5, 0.52, 0.27, 0.09), None, sags=False),
    "sushi": Recipe(_sushi, (0.5, 0.52, 0.33, 0.19), None, hot=False, sags=False),
    "pancake": Recipe(_pancake, (0.5, 0.58, 0.24, 0.17), (0.5, 0.76, 0.44, 0.16)),
    "pasta": Recipe(_pasta, (0.5, 0.57, 0.25, 0.14), (0.5, 0.6, 0.45, 0.29), sags=False),
    "steak": Recipe(_steak, (0.5, 0.56, 0.23, 0.12), (0.5, 0.6, 0.45, 0.31), sags=False),
    "cake": Recipe(_cake, (0.5, 0.54, 0.24, 0.17), (0.5, 0.78, 0.43, 0.14), hot=False),
    "taco": Recipe(_taco, (0.49, 0.58, 0.24, 0.15), (0.5, 0.74, 0.44, 0.15)),
    "curry": Recipe(_curry, (0.5, 0.58, 0.28, 0.13), (0.5, 0.59, 0.45, 0.31), sags=False),
    "toast": Recipe(_toast, (0.5, 0.54, 0.22, 0.2), (0.5, 0.56, 0.45, 0.39), sags=False),
    "donut": Recipe(_donut, (0.5, 0.55, 0.27, 0.18), (0.5, 0.61, 0.44, 0.31), hot=False, sags=False),
    "watermelon": Recipe(_watermelon, (0.5, 0.54, 0.26, 0.12), (0.5, 0.72, 0.42, 0.17), hot=False, sags=False),
    "gelato": Recipe(_gelato, (0.5, 0.42, 0.2, 0.19), None, hot=False),
    "hotdog": Recipe(_hotdog, (0.5, 0.57, 0.33, 0.12), (0.5, 0.64, 0.46, 0.24), sags=False),
    "fish": Recipe(_fish, (0.45, 0.55, 0.25, 0.1), (0.5, 0.6, 0.46, 0.3), sags=False),
    "croissant": Recipe(_croissant, (0.5, 0.56, 0.27, 0.13), (0.5, 0.68, 0.44, 0.2), sags=False),
}
