"""Figures of notebook 12: intervals, what a choice moves, and texts with signs that no font has."""

import io
import warnings
from dataclasses import replace

import numpy as np
from helpers import food
from PIL import Image

from mmsa_utils import plots

BLUE = np.array([0, 114, 178])  # of the palette, #0072B2


def pixels(shown) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(shown.data)).convert("RGB")).astype(int)


def blue_columns(shown) -> np.ndarray:
    """Which columns of pixels hold some of the blue that values are drawn in."""
    return np.flatnonzero((np.abs(pixels(shown) - BLUE).sum(-1) < 40).any(0))


def test_a_wider_interval_is_drawn_wider():
    narrow, wide = ({"mean": 0.6, "low": 0.6 - half, "high": 0.6 + half} for half in (0.02, 0.1))
    rows = {"a": {"mean": 0.2, "low": 0.19, "high": 0.21}, "b": {"mean": 0.9, "low": 0.89, "high": 0.91}}
    right = [blue_columns(plots.interval_dots({**rows, "c": one})) for one in (narrow, wide)]
    assert len(right[1]) > len(right[0]) + 20
    alt = plots.interval_dots({"c": wide}, ("luck", 0.33)).alt
    assert "c 0.60 (0.50 to 0.70)" in alt
    assert "luck as a dotted line at 0.33" in alt


def test_the_points_of_a_choice_are_its_highest_less_its_lowest():
    shown = plots.choice_ranges({"the label": {"text": 0.5, "usual": 0.649, "picture": 0.62}, "the copies":
                                 {"left in": 0.66, "dropped": 0.64}})
    assert "the label: 14.9 points, from 0.50 (text) to 0.65 (usual)" in shown.alt
    assert "the copies: 2.0 points, from 0.64 (dropped) to 0.66 (left in)" in shown.alt
    assert Image.open(io.BytesIO(shown.data)).format == "PNG"


def test_signs_that_the_font_lacks_become_boxes_and_dollars_stay_dollars():
    assert plots.drawable("\u00e5 \u2192 \u2764") == "\u00e5 \u2192 \u2764"
    assert plots.drawable("late \U0001F4F7 again") == "late \u25af again"
    assert plots.drawable("$5 and $6") == r"\$5 and \$6"
    odd, plain = "$x^2$ for \U0001F4F7", "x^2 for"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        shown = plots.post_grid([replace(food(1)[0], text=odd)])
    assert odd in shown.alt
    assert (pixels(shown).shape != pixels(plots.post_grid([replace(food(1)[0], text=plain)])).shape or
            (pixels(shown) != pixels(plots.post_grid([replace(food(1)[0], text=plain)]))).any())
