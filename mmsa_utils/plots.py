"""Figures for the notebooks: each function returns one PNG with alt text that says what it shows.

Colours are Okabe and Ito's, which stay apart for colour-blind eyes; no global matplotlib setting is touched.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from .data import Post
from .metrics import calibration_error, reliability
from .panels import BLUE, GREEN, GREY, LABEL_COLOURS, ORANGE, RED  # noqa: F401  (the palette of figures and pages is one)
from .rules import LABELS

if TYPE_CHECKING:
    from IPython.display import Image as DisplayImage
    from matplotlib.figure import Figure

PURPLE = "#CC79A7"


def new_figure(width: float = 7.0, height: float = 3.0, rows: int = 1, columns: int = 1):
    """A figure of so many inches and its axes (an array when there are several); never drawn by itself."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows, columns)


def show(figure: Figure, alt: str, dpi: int = 90, colours: int = 256) -> DisplayImage:
    """Turn a figure into a PNG with alt text, to be the last line of a cell. Few colours keep the file small."""
    from IPython.display import Image as DisplayImage
    from PIL import Image

    buffer, small = io.BytesIO(), io.BytesIO()
    figure.savefig(buffer, dpi=dpi, facecolor="white")
    Image.open(buffer).convert("RGB").quantize(colours, kmeans=1).save(small, "png", optimize=True)
    picture = DisplayImage(small.getvalue(), metadata={"alt": alt})
    picture.alt = alt  # set here, as IPython 7, which Colab has, takes no alt=
    return picture


def _plain(axis) -> None:
    axis.spines[["top", "right"]].set_visible(False)


def picture_grid(images: Sequence, titles: Sequence[str], columns: int = 5, inches: float = 1.5, alt: str = "",
                 wrap: int = 22, colours: int = 256) -> DisplayImage:
    """Pictures (PIL or arrays) in rows, a caption over each."""
    rows = -(-len(images) // columns)
    lines = max(len(textwrap.wrap(title, wrap)) for title in titles)
    figure, axes = new_figure(columns * inches, rows * (inches + 0.17 * lines) + 0.1, rows, columns)
    figure.get_layout_engine().set(h_pad=0.06)  # else the top of a caption of several lines is cut
    for axis in np.ravel(axes):
        axis.axis("off")
    for axis, image, title in zip(np.ravel(axes), images, titles):
        axis.imshow(np.asarray(image), cmap="gray", interpolation="nearest")
        axis.set_title("\n".join(textwrap.wrap(title, wrap)), fontsize=8)
    return show(figure, alt or f"{len(images)} pictures: " + "; ".join(titles), colours=colours)


def post_grid(posts: Sequence[Post], columns: int = 4, classes: Sequence[str] = LABELS) -> DisplayImage:
    """Posts in rows: the picture, over it the text, under it the label."""
    rows = -(-len(posts) // columns)
    lines = max(len(textwrap.wrap(post.text, 26)) for post in posts)
    figure, axes = new_figure(columns * 1.9, rows * (2.05 + 0.15 * lines), rows, columns)
    figure.get_layout_engine().set(h_pad=0.08)  # a label is kept away from the text below it
    for axis in np.ravel(axes):
        axis.axis("off")
    for axis, post in zip(np.ravel(axes), posts):
        axis.imshow(np.asarray(post.image))
        axis.set_title("\n".join(textwrap.wrap(post.text, 26)), fontsize=8)
        name = classes[post.label]
        axis.text(0.5, -0.04, name, transform=axis.transAxes, ha="center", va="top", fontsize=9, fontweight="bold",
                  color=LABEL_COLOURS[name])
    alt = f"{len(posts)} posts, each a text over a picture: "
    return show(figure, alt + "; ".join(f'"{post.text}" ({classes[post.label]})' for post in posts))


def history_curves(history: Sequence[Mapping[str, float]], chance: float | None = None) -> DisplayImage:
    """Loss and accuracy over the epochs, training beside validation; chance as a dotted line."""
    figure, axes = new_figure(7.4, 2.7, 1, 2)
    epochs = [row["epoch"] for row in history]
    for axis, name in zip(axes, ("loss", "accuracy")):
        for key, label, colour, style in ((f"train_{name}", "training", BLUE, "--"), (name, "validation", ORANGE, "-")):
            if key in history[-1]:
                axis.plot(epochs, [row[key] for row in history], style, color=colour, label=label, marker="o", ms=3)
        _plain(axis)
        axis.set(xlabel="epoch", ylabel=name)
        axis.xaxis.get_major_locator().set_params(integer=True)
    axes[1].set_ylim(0, 1.02)
    if chance is not None:
        axes[1].axhline(chance, color=GREY, ls=":", label="chance")
    axes[0].legend(frameon=False, fontsize=8)
    axes[1].legend(frameon=False, fontsize=8, loc="lower right")
    first, last = history[0], history[-1]
    return show(figure, f"Loss and accuracy over {len(history)} epochs. Validation loss goes from {first['loss']:.2f} "
                f"to {last['loss']:.2f}, validation accuracy from {first['accuracy']:.2f} to {last['accuracy']:.2f}.")


def accuracy_bars(accuracies: Mapping[str, float], ceilings: Mapping[str, float] | None = None,
                  chance: float | None = None) -> DisplayImage:
    """Accuracies as horizontal bars, each with a mark at its ceiling (same keys) and a dotted line at chance."""
    ceilings = ceilings or {}
    figure, axis = new_figure(7.0, 0.6 + 0.36 * len(accuracies))
    names = list(accuracies)
    axis.barh(names, [accuracies[name] for name in names], color=BLUE, height=0.6)
    for row, name in enumerate(names):
        label = f"{accuracies[name]:.2f}"
        if name in ceilings:
            axis.plot([ceilings[name]] * 2, [row - 0.4, row + 0.4], color=RED, lw=2.5)
            label += f"  (ceiling {ceilings[name]:.2f})"
        axis.text(max(accuracies[name], ceilings.get(name, 0)) + 0.012, row, label, va="center", fontsize=8)
    if chance is not None:
        axis.axvline(chance, color=GREY, ls=":")
        axis.text(chance, -0.62, "chance", color=GREY, fontsize=8, ha="center", va="bottom")
    axis.set(xlim=(0, 1.25), xticks=np.arange(0, 1.01, 0.2), xlabel="accuracy")
    axis.invert_yaxis()
    _plain(axis)
    parts = [f"{name} {value:.2f}" + (f" of at most {ceilings[name]:.2f}" if name in ceilings else "")
             for name, value in accuracies.items()]
    return show(figure, "Accuracies as bars: " + ", ".join(parts) + (f"; chance is {chance:.2f}." if chance else "."))


def probability_bars(answers: Mapping[str, Sequence[float]], classes: Sequence[str] = LABELS) -> DisplayImage:
    """Class probabilities, one group of bars for each named answer."""
    figure, axis = new_figure(6.4, 2.7)
    width = 0.8 / len(classes)
    for i, name in enumerate(classes):
        places = np.arange(len(answers)) + (i - (len(classes) - 1) / 2) * width
        bars = axis.bar(places, [float(p[i]) for p in answers.values()], width, label=name, color=LABEL_COLOURS[name])
        axis.bar_label(bars, fmt="%.2f", fontsize=8)
    axis.set(xticks=range(len(answers)), xticklabels=list(answers), ylim=(0, 1.08), ylabel="probability")
    axis.legend(frameon=False, fontsize=8, ncols=len(classes), loc="lower left", bbox_to_anchor=(0, 1))
    _plain(axis)
    said = ["{}: {}".format(key, ", ".join(f"{c} {float(p):.2f}" for c, p in zip(classes, values)))
            for key, values in answers.items()]
    return show(figure, "Class probabilities as bars. " + "; ".join(said) + ".")


def reliability_diagram(answers: Mapping[str, tuple[Tensor, Tensor]]) -> DisplayImage:
    """Confidence against accuracy, one panel for each named (probabilities, labels); the diagonal is perfect."""
    figure, axes = new_figure(2.9 * len(answers), 2.9, 1, len(answers))
    said = []
    for axis, (name, (probabilities, labels)) in zip(np.ravel(axes), answers.items()):
        bins = np.array(reliability(probabilities, labels))
        error = calibration_error(probabilities, labels)
        axis.plot([0, 1], [0, 1], color=GREY, ls=":")
        axis.scatter(bins[:, 0], bins[:, 1], s=20 + 300 * bins[:, 2], color=BLUE, alpha=0.7)
        axis.set(xlim=(0, 1.03), ylim=(0, 1.03), xlabel="confidence", ylabel="accuracy")
        axis.set_title(f"{name}\ncalibration error {error:.3f}", fontsize=9)
        _plain(axis)
        said.append(f"{name}, calibration error {error:.3f}")
    return show(figure, "Reliability diagrams, confidence against accuracy, dots as large as their share of the "
                "answers: " + "; ".join(said) + ".")


def heatmap(values, rows: Sequence[str], columns: Sequence[str], *, x: str = "", y: str = "", title: str = "",
            form: str = ".2f", low: float | None = None, high: float | None = None) -> DisplayImage:
    """A matrix as coloured cells with its numbers (form "" leaves them out), for confusion matrices and attention."""
    values = np.asarray(values, float)
    figure, axis = new_figure(1.6 + 0.55 * len(columns), 1.3 + 0.36 * len(rows))
    axis.imshow(values, cmap="Blues", vmin=low, vmax=high, aspect="auto")
    axis.set_xticks(range(len(columns)), columns, fontsize=8, rotation=45 if max(map(len, columns)) > 5 else 0)
    axis.set_yticks(range(len(rows)), rows, fontsize=8)
    axis.set(xlabel=x, ylabel=y)
    axis.set_title(title, fontsize=9)
    middle = ((values.min() if low is None else low) + (values.max() if high is None else high)) / 2
    if form:
        for i, j in np.ndindex(values.shape):
            axis.text(j, i, format(values[i, j], form), ha="center", va="center", fontsize=8,
                      color="white" if values[i, j] > middle else "black")
    said = [f"{row}: " + ", ".join(f"{c} {format(v, form or '.2f')}" for c, v in zip(columns, line))
            for row, line in zip(rows, values)]
    return show(figure, f"{title or 'A matrix'}, {y or 'rows'} by {x or 'columns'}. " + "; ".join(said[:12]) + ".")
