"""Every figure is a PNG with words for those who cannot see it, and matplotlib's settings stay the reader's."""

import io

import matplotlib as mpl
import matplotlib.pyplot as plt
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
    "noted posts": (lambda: plots.post_grid(food(2), notes=["a long note that is set in several lines", "why"]),
                    ": a long note that is set in several lines)"),
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


@pytest.fixture(scope="module")
def drawn() -> dict:
    """Every figure, drawn once, and matplotlib's settings before and after."""
    before = dict(mpl.rcParams)
    figures = {name: make() for name, (make, _) in FIGURES.items()}
    return {**figures, "settings": (before, dict(mpl.rcParams))}


@pytest.mark.parametrize("name", FIGURES)
def test_figure_is_a_small_png_with_words(drawn, name):
    shown, words = drawn[name], FIGURES[name][1]
    image = Image.open(io.BytesIO(shown.data))
    assert image.format == "PNG"
    assert min(image.size) > 80
    assert len(image.convert("RGB").getcolors(1 << 24)) > 10
    assert len(shown.data) < 150_000
    assert words in shown.alt
    assert "nan" not in shown.alt


def test_figures_leave_matplotlib_as_it_was(drawn):
    before, after = drawn["settings"]
    assert before == after
    assert plt.get_fignums() == []


def test_the_same_figure_gives_the_same_bytes(drawn):
    assert plots.history_curves(HISTORY, chance=0.33).data == drawn["history"].data


# --- what explorers put together ---


@pytest.fixture
def axis():
    return plots.new_figure(3, 2)[1]


def test_a_history_leaves_out_what_was_not_measured(axis):
    rows = [{"epoch": 0, "loss": 1.0}, {"epoch": 1, "loss": 0.5, "train_loss": 0.4}]
    plots.draw_history(axis, rows, "loss", ("an even guess", 0.7))
    lines = {line.get_label(): line.get_ydata() for line in axis.get_lines()}
    assert list(lines["validation"]) == [1.0, 0.5]
    assert np.isnan(lines["training"][0])
    assert lines["training"][1] == 0.4
    assert set(lines["an even guess"]) == {0.7}


def test_a_band_is_a_dot_as_large_as_its_share(axis):
    plots.draw_reliability(axis, [(0.5, 0.0, 0.25), (1.0, 1.0, 0.75)])
    (dots,) = axis.collections
    assert dots.get_offsets().tolist() == [[0.5, 0.0], [1.0, 1.0]]
    small, large = dots.get_sizes()
    assert 2 < large / small < 3


def test_cells_have_their_numbers_in_ink_that_can_be_read(axis):
    plots.draw_cells(axis, [[0, 9]], ["label"], ["a", "b"], ".0f", 0, 10)
    assert [(text.get_text(), text.get_color()) for text in axis.texts] == [("0", "black"), ("9", "white")]
    assert [tick.get_text() for tick in axis.get_xticklabels()] == ["a", "b"]


# --- squares ---


def ink(values, **options) -> np.ndarray:
    """Pixels that are drawn in each number's cell."""
    image = plots.squares(values, **options)
    alpha = np.asarray(image)[..., 3] > 0
    rows, columns = alpha.shape[0] // 20, alpha.shape[1] // 20
    return alpha.reshape(rows, 20, columns, 20).swapaxes(1, 2)


def test_squares_are_full_hollow_or_crossed():
    full, hollow, nothing, crossed = ink([3.0, -3.0, 0.0, 2.0], silenced=[False, False, False, True], columns=4)[0]
    assert full[1:19, 1:19].all()
    assert hollow[1].sum() == full[1].sum()
    assert not hollow[5:15, 5:15].any()
    assert not nothing.any()
    assert crossed[10, 10]
    assert crossed[5, 5]
    assert crossed[5, 14]
    assert not crossed[5, 10]


def test_the_area_of_a_square_grows_with_its_number_until_it_is_full():
    areas = ink([0.75, 1.5, 3.0, 30.0], columns=4)[0].sum((1, 2))
    assert areas[0] / areas[2] == pytest.approx(0.25, abs=0.07)
    assert areas[1] / areas[2] == pytest.approx(0.5, abs=0.07)
    assert areas[2] == areas[3] == 18 * 18


def test_squares_fill_lines_and_have_their_colour_on_nothing():
    image = plots.squares(torch.ones(40), plots.ORANGE)
    assert image.size == (32 * 20, 2 * 20)
    assert (ink(torch.ones(40)).any((2, 3)).sum(1) == [32, 8]).all()
    colours = {colour for _, colour in image.getcolors()}
    assert {colour[:3] for colour in colours} == {(0xE6, 0x9F, 0x00)}
    assert {colour[3] for colour in colours} == {0, 255}
