"""A picture such as a camera makes, and not such as this package draws: soft light, grain, noise, no outline anywhere.

The package ships no photograph. This one is computed, so that what a model makes of another kind of picture can be
shown wherever the course runs; a photograph of one's own shows it better.
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageFilter

SIDE = 160  # pixels


def photo_example() -> Image.Image:
    """A cup of coffee on a wooden table, seen from above, 160 pixels wide and high; always the same."""
    rng = np.random.default_rng(7)
    y, x = np.mgrid[0:SIDE, 0:SIDE] / SIDE

    def smooth(rows: int, columns: int) -> np.ndarray:
        """Random light and dark, -1 to 1, as soft as so few rows and columns make it."""
        small = Image.fromarray(rng.uniform(0, 255, (rows, columns)).astype(np.uint8))
        return np.asarray(small.resize((SIDE, SIDE), Image.Resampling.BICUBIC), dtype=float) / 127.5 - 1

    def round_about(cx: float, cy: float, radius: float, soft: float = 0.012) -> np.ndarray:
        """1 within a circle, 0 outside, softly."""
        return 1 / (1 + np.exp((np.hypot(x - cx, y - cy) - radius) / soft))

    picture = np.array([112, 74, 46]) + (14 * smooth(40, 4) + 10 * smooth(90, 7) + 8 * smooth(4, 4))[..., None]
    picture *= 1 - 0.55 * round_about(0.56, 0.6, 0.36, 0.04)[..., None]  # the saucer's shadow
    light = 1 - 0.45 * np.hypot(x - 0.3, y - 0.22)
    for radius, colour, rough in ((0.36, (222, 216, 206), 2), (0.24, (238, 234, 226), 2), (0.205, (88, 52, 30), 9)):
        surface = np.array(colour) * light[..., None] + (rough * smooth(9, 9))[..., None]
        inside = round_about(0.5, 0.52, radius)[..., None]
        picture = picture * (1 - inside) + surface * inside
    for cx, cy, radius, colour in ((0.44, 0.46, 0.09, (176, 122, 74)), (0.57, 0.55, 0.06, (164, 112, 66)),
                                   (0.42, 0.42, 0.02, (250, 246, 240))):  # foam, and a gleam
        inside = 0.8 * round_about(cx, cy, radius, 0.02)[..., None]
        picture = picture * (1 - inside) + np.array(colour) * inside
    picture *= (1 - 0.35 * np.hypot(x - 0.5, y - 0.5))[..., None]
    blurred = Image.fromarray(picture.clip(0, 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(1))
    noisy = np.asarray(blurred, dtype=float) + rng.normal(0, 4, (SIDE, SIDE, 3))
    return Image.fromarray(noisy.clip(0, 255).astype(np.uint8))
