"""What the claims of several notebooks share: the model that ships, its features, functions that notebooks define."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable
from functools import cache, lru_cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

from mmsa_utils import (
    PIXELS,
    Concat,
    Features,
    FoodPosts,
    Fusion,
    MultimodalSentimentModel,
    Post,
    align,
    extract_features,
    load_model,
    measure,
    random_head,
    scenes,
)

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
SIZE = "mini"
Margins = dict[str, float]  # claim in words → its margin
Size = Callable[[int], int]  # posts in the notebook → posts here; all of them but in a quick test
Aligned = tuple[Fusion, nn.Module, list]


def borrowed(number: str, *names: str, **given) -> list:
    """Functions and constants that a notebook defines in its cells, with its imports and `given` as what they use."""
    space, wanted = {"SIZE": SIZE}, set(names)
    (path,) = NOTEBOOKS.glob(f"{number}_*.ipynb")
    for cell in json.loads(path.read_text(encoding="utf8"))["cells"]:
        for node in ast.parse("".join(cell["source"])).body if cell["cell_type"] == "code" else ():
            made = {getattr(part, "id", getattr(part, "name", "")) for part in [node, *getattr(node, "targets", [])]}
            if made & set(names) or isinstance(node, (ast.Import, ast.ImportFrom)):
                exec(compile(ast.Module([node], []), path.name, "exec"), space)
                wanted -= made
                space |= given
    if wanted:
        raise KeyError(f"{path.name} does not define {', '.join(sorted(wanted))}")
    return [space[name] for name in names]


@cache
def shipped() -> MultimodalSentimentModel:
    return load_model()


@lru_cache(maxsize=8)  # those of one seed: notebooks 00, 06, 07 and 08 read the same posts
def features(split: str, n: int, seed: int, conflict: float = 0.2) -> Features:
    return extract_features(shipped(), FoodPosts(n, split, conflict=conflict, seed=seed), show_progress=False)


@lru_cache(maxsize=4)
def kinds_and_texts(split: str, n: int, seed: int) -> list[Post]:
    return list(FoodPosts(n, split, seed=seed, pixels=16))  # tiny pictures: only the words and states matter


def lead(row: torch.Tensor, label: int) -> float:
    """How far the probability of a label lies above all others of its row: above 0, it is the answer."""
    return (row[label] - row[[other for other in range(len(row)) if other != label]].max()).item()


def within(value: float, low: float, high: float) -> float:
    return min(value - low, high - value)


def burger_drawn(level: int, seed: int) -> Image.Image:
    return scenes.draw(scenes.random_scene("burger", level, np.random.default_rng(seed)), PIXELS[SIZE])


def aligned(train: Features, validation: Features, *, sides: tuple[str, ...] = ("text", "image"), num_outputs: int = 3,
            hidden: int = 256, seed: int = 0, **options) -> Aligned:
    """A fusion of these sides, a head that was aligned on it, and the history."""
    fusion = Concat({side: train.widths[side] for side in sides})
    head = random_head(fusion.width, num_outputs, hidden, seed=seed)
    return fusion, head, align(fusion, head, train, validation, seed=seed, **options)


def scored(run: Aligned, test: Features) -> float:
    """The accuracy of an aligned head."""
    return measure(*run[:2], test)["accuracy"]
