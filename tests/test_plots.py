"""Every figure is a PNG with words for those who cannot see it, and matplotlib's settings stay the reader's."""

import io

import matplotlib as mpl
import numpy as np
import pytest
import torch
from helpers import food
from PIL import Image

from mmsa_utils import plots

HISTORY = [{"epoch": 1, "train_loss": 1.1, "train_accuracy": 0.3, "loss": 1.0, "accuracy": 0.4},
           {"epoch": 2, "train_loss": 0.8, "train_accuracy": 0.6, "loss": 0.7, "accuracy": 0.6}]
ALIGNED = [{"epoch": 0, "train_loss": float("nan"), "loss": 1.1, "accuracy": 0.33},
           {"epoch": 1, "train_loss": 0.8, "loss": 0.7, "accuracy": 0.6}]
ANSWERS = torch.softmax(torch.randn(60, 3, generator=torch.Generator().manual_seed(0)), -1), torch.arange(60) % 3
NAMES = ["negative", "neutral", "positive"]
FIGURES = {
    "pictures": (lambda: plots.picture_grid([post.image for post in food(7)], list("abcdefg")), "a; b; c"),
    "arrays": (lambda: plots.picture_grid([np.zeros((4, 4)), np.ones((4, 4, 3))], ["dark", "light"]), "dark"),
    "one picture": (lambda: plots.picture_grid([food(1)[0].image], ["alone"], columns=1), "alone"),
    "posts": (lambda: plots.post_grid(food(5)), food(5)[4].text),
    "two classes": (lambda: plots.post_grid(food(4, binary=True), classes=("negative", "positive")), "(positive)"),
    "history": (lambda: plots.history_curves(HISTORY, chance=0.33), "1.00 to 0.70"),
    "alignment": (lambda: plots.history_curves(ALIGNED), "0.33 to 0.60"),
    "accuracies": (lambda: plots.accuracy_bars({"text": 0.6, "both": 0.9}, {"both": 0.98}, chance=1 / 3),
                   "at most 0.98"),
    "probabilities": (lambda: plots.probability_bars({"before": [0.3, 0.3, 0.4], "after": [0, 0.1, 0.9]}),
                      "positive 0.90"),
    "two probabilities": (lambda: plots.probability_bars({"now": torch.tensor([0.2, 0.8])}, ("negative", "positive")),
                          "positive 0.80"),
    "reliability": (lambda: plots.reliability_diagram({"raw": ANSWERS, "scaled": ANSWERS}),
                    "scaled, calibration error"),
    "one reliability": (lambda: plots.reliability_diagram({"raw": ANSWERS}), "raw"),
    "confusion": (lambda: plots.heatmap(np.arange(9).reshape(3, 3), NAMES, NAMES, x="answer", y="label", form=".0f"),
                  "neutral: negative 3"),
    "plain heatmap": (lambda: plots.heatmap(torch.eye(2), ["a", "b"], ["c", "d"], form=""), "a: c 1.00"),
}


@pytest.mark.parametrize("name", FIGURES)
def test_figure_is_a_small_png_with_words(name):
    make, words = FIGURES[name]
    shown = make()
    image = Image.open(io.BytesIO(shown.data))
    assert image.format == "PNG"
    assert min(image.size) > 80
    assert len(image.convert("RGB").getcolors(1 << 24)) > 10
    assert len(shown.data) < 150_000
    assert words in shown.alt
    assert "nan" not in shown.alt


def test_figures_leave_matplotlib_as_it_was():
    before = dict(mpl.rcParams)
    for make, _ in FIGURES.values():
        make()
    assert dict(mpl.rcParams) == before


def test_no_figure_is_left_open():
    import matplotlib.pyplot as plt

    plots.history_curves(HISTORY)
    assert plt.get_fignums() == []


def test_the_same_figure_gives_the_same_bytes():
    assert plots.history_curves(HISTORY).data == plots.history_curves(HISTORY).data


def test_colours_are_apart():
    colours = set(plots.LABEL_COLOURS.values())
    assert len(colours) == 3
    assert all(len(colour) == 7 and colour.startswith("#") for colour in colours)
