"""Where a model looks in a picture of several dishes: the picture lit where it looks, and what each dish gets of it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from PIL import Image, ImageDraw
from torch import Tensor

from ..posts.places import Place
from ..posts.post import Post

DARKEST = 0.35  # of the picture's light is left where nobody looks: what stands there can still be told


def on_grid(gaze: Any) -> np.ndarray:
    """Weights of patches in a line, (n * n,), row by row, as they lie on the picture: (n, n).

    Raises:
        ValueError: if they are no square, and where one is negative or no number.
    """
    weights = np.asarray(gaze.detach().cpu() if isinstance(gaze, Tensor) else gaze, float)
    side = math.isqrt(weights.size)
    if weights.ndim != 1 or side < 1 or side * side != weights.size:
        whole = " Leave out the first of a ViT's tokens, [CLS]: it is no patch." if weights.size == 65 else ""
        raise ValueError(f"a gaze has the shape {weights.shape}: expected one weight for each patch of a square, such "
                         f"as (64,).{whole}")
    if not (weights >= 0).all():
        raise ValueError("a gaze has a weight that is negative or no number: expected shares, as softmax gives them.")
    return weights.reshape(side, side)


def weight_on(gaze: Any, place: Place) -> float:
    """How much of a gaze (n * n,) lies on a dish; of a patch that only partly does, that part."""
    weights = on_grid(gaze)
    edges = np.arange(len(weights) + 1) / len(weights)

    def covered(low: float, high: float) -> np.ndarray:
        """The share of each row, or column, of patches between two edges of the dish."""
        return np.clip(np.minimum(edges[1:], high) - np.maximum(edges[:-1], low), 0, None) * len(weights)

    return float(covered(place.top, place.bottom) @ weights @ covered(place.left, place.right))


def counting_place(post: Post) -> Place | None:
    """Where the dish stands that the text is about; None where it names none."""
    return next((place for place in post.places if place.dish == post.dish), None)


def light_up(image: Image.Image, gaze: Any, place: Place | None = None, pixels: int = 192) -> Image.Image:
    """A picture under a veil that is thin where the gaze is, and a frame around the dish that counts.

    How much light comes through goes with the square root of the weight, and the patch with the largest has all of
    it: else one would see little beside it.

    Args:
        gaze: (n * n,), one weight for each patch, row by row.
        place: what is framed, white within black; None: nothing.
        pixels: width and height of what comes back.
    """
    weights = on_grid(gaze)
    light = DARKEST + (1 - DARKEST) * np.sqrt(weights / max(weights.max(), 1e-12))
    veil = Image.fromarray((255 * (1 - light)).astype(np.uint8)).resize((pixels, pixels), Image.Resampling.NEAREST)
    lit = image.convert("RGB").resize((pixels, pixels), Image.Resampling.NEAREST)
    lit.paste((0, 0, 0), mask=veil)
    if place is not None:
        box = [round(edge * pixels) for edge in place[2:]]
        box = [box[0], box[1], box[2] - 1, box[3] - 1]
        draw, thick = ImageDraw.Draw(lit), max(1, pixels // 96)
        draw.rectangle(box, outline="black", width=3 * thick)
        draw.rectangle([box[0] + thick, box[1] + thick, box[2] - thick, box[3] - thick], outline="white", width=thick)
    return lit


def gaze_words(post: Post, gaze: Any) -> str:
    """What the dish that counts gets of a gaze, in a few words."""
    place = counting_place(post)
    return f"{weight_on(gaze, place):.2f} on the {place.dish}" if place else "no dish is named"
