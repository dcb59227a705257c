"""Drawn pictures of food whose looks are known exactly: dish, freshness, colour, light, mess, crop, background.

A ``Scene`` says what is in the picture, ``draw`` makes the picture. How good the food looks (its level, -2 to 2)
shows in marks that a person can count: mould spots and flies below zero, garnish leaves above, and for the best
food steam and sparkles too. Colour, light and mess only support it. Coordinates are fractions of the picture, y down.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw

from .dishes import RECIPES
from .pen import Pen

BAND = 0.45  # freshness of level n is BAND * n, give or take SPREAD; bands of two levels never meet
SPREAD = 0.12
DISHES = tuple(RECIPES)
TRAIN_DISHES, UNSEEN_DISHES = DISHES[:12], DISHES[12:]
SUPERSAMPLE = 2  # drawn at twice the size and averaged down, for smooth edges
TABLES = (  # (colour, second colour, pattern)
    ((150, 100, 62), (128, 82, 48), "planks"), ((92, 62, 46), (76, 50, 38), "planks"),
    ((70, 110, 128), (70, 110, 128), "plain"), ((176, 92, 82), (196, 136, 124), "check"),
    ((64, 72, 84), (76, 84, 98), "dots"), ((94, 122, 150), (126, 150, 172), "check"),
    ((176, 148, 112), (160, 132, 98), "planks"), ((122, 84, 110), (142, 104, 130), "dots"))


@dataclass(frozen=True)
class Scene:
    """What a picture shows. ``seed`` places the marks and jitters the shapes; it says nothing about the level."""

    dish: str
    freshness: float = 0.0  # -1 mouldy .. 1 garnished, steaming
    colour: float = 0.0  # -1 grey .. 1 saturated
    light: float = 0.0  # -1 dim and cold .. 1 bright and warm
    mess: float = 0.0  # 0 clean table .. 1 crumbs and spills
    crop: float = 0.0  # 0 whole plate, centred .. 1 close and off-centre
    background: int = 0  # index into TABLES
    seed: int = 0


def level_of(scene: Scene) -> int:
    """The level (-2 strong negative .. 2 strong positive) that the scene's freshness stands for."""
    return max(-2, min(2, round(scene.freshness / BAND)))


def marks(scene: Scene) -> dict[str, int]:
    """How many mould spots, flies, garnish leaves, steam plumes and sparkles ``draw`` puts into the picture."""
    level, extra = level_of(scene), scene.seed % 2
    return {"mould": {-2: 7 + extra, -1: 2 + extra}.get(level, 0), "flies": 3 + extra if level == -2 else 0,
            "leaves": {2: 8 + extra, 1: 3}.get(level, 0), "sparkles": 4 + extra if level == 2 else 0,
            "steam": 3 if level == 2 and RECIPES[scene.dish].hot else 0}


def random_scene(dish: str, level: int, rng: np.random.Generator) -> Scene:
    """A scene of ``dish`` at ``level`` (-2..2): freshness exact, colour, light and mess leaning the same way.

    Raises ValueError for an unknown dish or level.
    """
    _check_dish(dish)
    if level not in (-2, -1, 0, 1, 2):
        raise ValueError(f"level is {level!r}; expected a whole number from -2 (strong negative) to 2 (positive)")
    colour, light = np.clip(0.25 * level + 0.35 * rng.standard_normal(2), -1, 1)
    mess = np.clip(0.35 - 0.15 * level + 0.2 * rng.standard_normal(), 0, 1)
    return Scene(dish, BAND * level + float(rng.uniform(-SPREAD, SPREAD)), float(colour), float(light), float(mess),
                 crop=float(rng.uniform()), background=int(rng.integers(len(TABLES))), seed=int(rng.integers(2**31)))


# The marks, the table and the light.

def _mould(p, n, food):
    for x, y in p.scatter(n, *food):
        r = p.rng.uniform(0.044, 0.056)
        p.blob(x, y, 1.25 * r, 1.15 * r, (150, 168, 138, 230), 0.2, edge=False)
        p.blob(x, y, r, 0.92 * r, (44, 70, 42), 0.25, edge=False)
        p.oval(x - 0.2 * r, y, 0.4 * r, 0.35 * r, (16, 24, 16), edge=False)


def _flies(p, n, food):
    x, y, rx, ry = food
    for fx, fy in p.scatter(n, x, y - 0.12, rx + 0.12, ry + 0.12):
        for side in (-1, 1):
            p.oval(fx + 0.03 * side, fy - 0.022, 0.028, 0.016, (226, 232, 238, 220))
        p.oval(fx, fy, 0.02, 0.03, (14, 12, 16), edge=False)


def _leaves(p, n, food):
    x, y, rx, ry = food
    sprigs = ((x, y - 0.75 * ry), (x - 1.05 * rx, y + 0.75 * ry), (x + 1.05 * rx, y + 0.75 * ry))
    for i in range(n):
        sx, sy = sprigs[i // 3 % 3]
        p.leaf(sx, sy, p.rng.uniform(0.12, 0.14), -1.57 + 0.9 * (i % 3 - 1) + p.rng.uniform(-0.2, 0.2), (38, 172, 58))
        if i % 3 == 2:
            p.oval(sx, sy, 0.028, 0.028, (255, 214, 60))


def _steam(p, n, food):
    x, y, rx, ry = food
    for i in range(n):
        sx, top = x + (i - (n - 1) / 2) * 0.17, max(0.04, y - ry - 0.28)
        path = [(sx + 0.025 * math.sin(0.9 * t + i), y - 0.8 * ry + (top - y + 0.8 * ry) * t / 9) for t in range(10)]
        half = [0.02 * math.sin(0.3 * (t + 0.8)) for t in range(10)]  # thin at both ends
        left = [(px - h, py) for (px, py), h in zip(path, half, strict=True)]
        right = [(px + h, py) for (px, py), h in zip(path, half, strict=True)]
        p.poly(left + right[::-1], (255, 255, 255, 190), edge=False)


def _sparkles(p, n, food):
    x, y, rx, ry = food
    for i in range(n):
        a = -2.9 + 2.7 * (i + 0.5) / n + p.rng.uniform(-0.15, 0.15)
        sx, sy = x + (rx + 0.13) * math.cos(a), y + (ry + 0.12) * math.sin(a)
        for r, fill in ((0.075, (255, 190, 40)), (0.055, (255, 255, 236))):
            rays = [((1, 0.28)[j % 2] * r, j * math.pi / 4) for j in range(8)]
            p.poly([(sx + t * math.cos(b), sy + t * math.sin(b)) for t, b in rays], fill, edge=False)


def _spills(p, mess):
    for _ in range(round(3 * mess)):
        x, y = p.rng.choice((0.1, 0.9)) + p.rng.uniform(-0.07, 0.07), p.rng.uniform(0.2, 0.95)
        p.blob(x, y, 0.1, 0.06, (150, 62, 34, 190), 0.3, edge=False)
        p.oval(x + 0.03, y + 0.09, 0.018, 0.018, (150, 62, 34, 190), edge=False)


def _crumbs(p, mess):
    for _ in range(round(14 * mess)):
        x, y = p.rng.uniform(0.04, 0.96), p.rng.uniform(0.72, 0.98)
        p.oval(x, y, 0.014, 0.01, (226, 184, 120), edge=False)


@lru_cache(maxsize=64)
def _table(index: int, size: int) -> Image.Image:
    """The empty table: kept, since every picture starts from one of a few."""
    first, second, pattern = TABLES[index]
    image = Image.new("RGB", (size, size), first)
    ink, step = ImageDraw.Draw(image), size / 6
    for i in range(6):
        if pattern == "planks":
            ink.rectangle((0, i * step, size, (i + 0.5) * step), second)
            ink.line((0, i * step, size, i * step), tuple(int(0.7 * v) for v in second), max(1, size // 90))
        for j in range(6):
            if pattern == "check" and (i + j) % 2:
                ink.rectangle((i * step, j * step, (i + 1) * step, (j + 1) * step), second)
            if pattern == "dots":
                ink.ellipse(((i + 0.3) * step, (j + 0.3) * step, (i + 0.7) * step, (j + 0.7) * step), second)
    return image


@lru_cache(maxsize=8)
def _vignette(size: int) -> np.ndarray:
    """(size, size, 1) factors, brighter towards the upper left, where the lamp hangs."""
    y, x = np.mgrid[0:size, 0:size] / size - 0.4
    return (1.06 - 0.35 * (x**2 + y**2)).astype(np.float32)[..., None]


def _grade(image: Image.Image, scene: Scene) -> Image.Image:
    """The whole picture's saturation, light (brightness and warmth), vignette and a little noise."""
    saturation = 1 + (0.3 if scene.colour > 0 else 0.45) * scene.colour
    gain = 1 + (0.14 if scene.light > 0 else 0.36) * scene.light
    rows: list[float] = []
    for i, warm in enumerate((0.05, 0.0, -0.09)):
        row = [(1 - saturation) * w for w in (0.3, 0.59, 0.11)]
        row[i] += saturation
        rows += [*(v * gain * (1 + warm * scene.light) for v in row), 0]
    pixels = np.asarray(image.convert("RGB", tuple(rows)), dtype=np.float32) * _vignette(image.width)
    pixels += np.random.default_rng(scene.seed).normal(0, 3, pixels.shape[:2])[..., None]
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def _check_dish(dish: str) -> None:
    if dish not in RECIPES:
        raise ValueError(f"unknown dish {dish!r}; expected one of {', '.join(DISHES)}")


def draw(scene: Scene, size: int = 64) -> Image.Image:
    """The picture of ``scene``: RGB, ``size`` x ``size`` pixels, the same for the same scene on every call.

    Raises ValueError for an unknown dish, and for a size below 1.
    """
    _check_dish(scene.dish)
    if size < 1:
        raise ValueError(f"size is {size}: expected at least one pixel.")
    dish, count = RECIPES[scene.dish], marks(scene)
    finer = SUPERSAMPLE * -(-64 // min(size, 64))  # a pen needs room: small pictures are drawn at 64 pixels at least
    image = _table(scene.background % len(TABLES), size * finer).copy()
    pen = Pen(image, scene.crop, scene.seed)
    _spills(pen, scene.mess)
    if dish.plate:
        pen.plate(*dish.plate)
    _crumbs(pen, scene.mess)
    rot = max(0.0, -scene.freshness)
    pen.wilt, pen.sag = 0.6 * rot, 0.25 * rot if dish.sags else 0.0
    if count["steam"]:
        _steam(pen, count["steam"], dish.food)
    dish.paint(pen)
    pen.wilt = 0.0
    _leaves(pen, count["leaves"], dish.food)
    _mould(pen, count["mould"], dish.food)
    _flies(pen, count["flies"], dish.food)
    _sparkles(pen, count["sparkles"], dish.food)
    return _grade(image.reduce(finer), scene)
