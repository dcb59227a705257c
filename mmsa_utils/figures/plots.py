"""Figures: each function for the notebooks returns one PNG with alt text that says what it shows.

The `draw_` functions draw one part of a figure on an axis, with letters of `size` points, for the explorers to put
their own together. Colours are Okabe and Ito's, which stay apart for colour-blind eyes; no global matplotlib setting
is touched.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image
from torch import Tensor

from ..learning.metrics import calibration_error, reliability
from ..posts.post import LABELS, Post
from .canvas import new_figure, show
from .gaze import counting_place, gaze_words, light_up
from .missing import missing_board, presence  # noqa: F401
from .museum import costs  # noqa: F401
from .panels import BLUE, GREEN, GREY, LABEL_COLOURS, ORANGE, RED  # noqa: F401  (figures and pages have one palette)
from .real import choice_ranges, drawable, interval_dots  # noqa: F401
from .voices import players, spectrogram_grid, strips, wave  # noqa: F401  (all figures can be had here)

if TYPE_CHECKING:
    from IPython.display import Image as DisplayImage
    from matplotlib.axes import Axes

PURPLE = "#CC79A7"


def _plain(axis: Axes) -> None:
    axis.spines[["top", "right"]].set_visible(False)


def _label(axis: Axes, x: str, y: str, size: float) -> None:
    _plain(axis)
    axis.set_xlabel(x, fontsize=size)
    axis.set_ylabel(y, fontsize=size)
    axis.tick_params(labelsize=size)


def picture_grid(images: Sequence, titles: Sequence[str], columns: int = 5, inches: float = 1.5, alt: str = "",
                 wrap: int = 22, colours: int = 256) -> DisplayImage:
    """Pictures (PIL or arrays) in rows, a caption over each."""
    rows = -(-len(images) // columns)
    lines = max(len(textwrap.wrap(title, wrap)) for title in titles)
    figure, axes = new_figure(columns * inches, rows * (inches + 0.17 * lines) + 0.1, rows, columns)
    # Without it the top of a caption of several lines is cut.
    figure.get_layout_engine().set(h_pad=0.06)  # type: ignore[call-arg]
    for axis in np.ravel(axes):
        axis.axis("off")
    for axis, image, title in zip(np.ravel(axes), images, titles):
        axis.imshow(np.asarray(image), cmap="gray", interpolation="nearest")
        axis.set_title("\n".join(textwrap.wrap(title, wrap)), fontsize=8)
    return show(figure, alt or f"{len(images)} pictures: " + "; ".join(titles), colours=colours)


def post_grid(posts: Sequence[Post], columns: int = 4, classes: Sequence[str] = LABELS,
              notes: Sequence[str] = ()) -> DisplayImage:
    """Posts in rows: the picture, over it the text, under it the label, and a note on each where there are notes."""
    rows, below = -(-len(posts) // columns), [textwrap.wrap(note, 28) for note in notes] or [[] for _ in posts]
    above = [textwrap.wrap(drawable(post.text), 26) for post in posts]
    lines = max(map(len, above)) + max(map(len, below))
    figure, axes = new_figure(columns * 1.9, rows * (2.05 + 0.15 * lines), rows, columns)
    # A label, or a note, is kept away from the text below it.
    figure.get_layout_engine().set(h_pad=0.16 if notes else 0.08)  # type: ignore[call-arg]
    for axis in np.ravel(axes):
        axis.axis("off")
    for axis, post, text, note in zip(np.ravel(axes), posts, above, below):
        axis.imshow(np.asarray(post.image))
        axis.set_title("\n".join(text), fontsize=8)
        name = classes[post.label]
        axis.text(0.5, -0.04, name, transform=axis.transAxes, ha="center", va="top", fontsize=9, fontweight="bold",
                  color=LABEL_COLOURS[name])
        axis.text(0.5, -0.15, "\n".join(note), transform=axis.transAxes, ha="center", va="top", fontsize=7.5)
    alt = f"{len(posts)} posts, each a text over a picture: "
    said = [f"{classes[post.label]}{': ' if note else ''}{' '.join(note)}" for post, note in zip(posts, below)]
    return show(figure, alt + "; ".join(f'"{post.text}" ({label})' for post, label in zip(posts, said)))


def gaze_grid(posts: Sequence[Post], gazes: Tensor, columns: int = 4, notes: Sequence[str] = ()) -> DisplayImage:
    """Posts of `PlacePosts` in rows, each picture lit where a model looks and the dish that counts framed.

    Over a picture is its text, under it how much of the gaze the framed dish gets, and a note where there are notes.

    Args:
        gazes: (posts, patches), row by row; 64 for 8 x 8. [CLS], a ViT's first token, is no patch.

    Raises:
        ValueError: for another number of gazes than of posts, and for patches that are no square.
    """
    if not posts or len(gazes) != len(posts):
        raise ValueError(f"got {len(posts)} posts and {len(gazes)} gazes, expected one gaze for each of some posts.")
    columns = min(columns, len(posts))
    rows, titles = -(-len(posts) // columns), [textwrap.fill(post.text, 26) for post in posts]
    words = [gaze_words(post, gaze) for post, gaze in zip(posts, gazes)]
    below = [f"{said}\n{textwrap.fill(note, 30)}" for said, note in zip(words, notes)] if notes else words
    lines = max(title.count("\n") + 1 for title in titles) + max(said.count("\n") for said in below)
    figure, axes = new_figure(columns * 1.9, rows * (2.05 + 0.15 * lines), rows, columns)
    # Words are kept away from the next row's, and the last of them from the edge.
    figure.get_layout_engine().set(h_pad=0.16 if notes else 0.08)  # type: ignore[call-arg]
    for axis in np.ravel(axes):
        axis.axis("off")
    for axis, post, gaze, title, said in zip(np.ravel(axes), posts, gazes, titles, below):
        axis.imshow(np.asarray(light_up(post.image, gaze, counting_place(post))), interpolation="nearest")
        axis.set_title(title, fontsize=8)
        axis.text(0.5, -0.04, said, transform=axis.transAxes, ha="center", va="top", fontsize=8)
    alt = "; ".join(f'"{post.text}" ({said})' for post, said in zip(posts, (
        map("; ".join, zip(words, notes)) if notes else words)))
    return show(figure, f"{len(posts)} pictures, lit where the model looks, the dish that counts framed, with how much "
                f"of the gaze lies on it: {alt}.")


def draw_history(axis: Axes, history: Sequence[Mapping[str, float]], name: str,
                 level: tuple[str, float] | None = None, size: float = 10) -> None:
    """One number of a history ("loss" or "accuracy") over the epochs, and a dotted line at a level with a name."""
    epochs = [row["epoch"] for row in history]
    for key, label, colour, style in ((f"train_{name}", "training", BLUE, "--"), (name, "validation", ORANGE, "-")):
        if key in history[-1]:
            values = [row.get(key, np.nan) for row in history]
            axis.plot(epochs, values, style, color=colour, label=label, marker="o", ms=3)
    if level is not None:
        axis.axhline(level[1], color=GREY, ls=":", label=level[0])
    if name == "accuracy":
        axis.set_ylim(0, 1.02)
    _label(axis, "epoch", name, size)
    axis.xaxis.get_major_locator().set_params(integer=True)  # type: ignore[call-arg]


def history_curves(history: Sequence[Mapping[str, float]], chance: float | None = None) -> DisplayImage:
    """Loss and accuracy over the epochs, training beside validation; chance as a dotted line."""
    figure, axes = new_figure(7.4, 2.7, 1, 2)
    draw_history(axes[0], history, "loss")
    draw_history(axes[1], history, "accuracy", None if chance is None else ("chance", chance))
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
        axis.text(chance, 1.01, "chance", color=GREY, fontsize=8, ha="center", va="bottom",
                  transform=axis.get_xaxis_transform())
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


def draw_reliability(axis: Axes, bins: Sequence[tuple[float, float, float]], size: float = 10) -> None:
    """Confidence against accuracy for the bands of `metrics.reliability`, each dot as large as its share."""
    confidence, accuracy, share = np.array(bins).T
    axis.plot([0, 1], [0, 1], color=GREY, ls=":")
    axis.scatter(confidence, accuracy, s=size * (2 + 30 * share), color=BLUE, alpha=0.7, clip_on=False)
    axis.set(xlim=(0, 1.03), ylim=(0, 1.03))
    _label(axis, "confidence", "accuracy", size)


def reliability_diagram(answers: Mapping[str, tuple[Tensor, Tensor]]) -> DisplayImage:
    """Confidence against accuracy, one panel for each named (probabilities, labels); the diagonal is perfect."""
    figure, axes = new_figure(2.9 * len(answers), 2.9, 1, len(answers))
    said = []
    for axis, (name, (probabilities, labels)) in zip(np.ravel(axes), answers.items()):
        error = calibration_error(probabilities, labels)
        draw_reliability(axis, reliability(probabilities, labels))
        axis.set_title(f"{name}\ncalibration error {error:.3f}", fontsize=9)
        said.append(f"{name}, calibration error {error:.3f}")
    return show(figure, "Reliability diagrams, confidence against accuracy, dots as large as their share of the "
                "answers: " + "; ".join(said) + ".")


def draw_cells(axis: Axes, values: Any, rows: Sequence[str], columns: Sequence[str], form: str = ".2f",
               low: float | None = None, high: float | None = None, size: float = 8) -> None:
    """A matrix as coloured cells with its numbers (form "" leaves them out)."""
    values = np.asarray(values, float)
    axis.imshow(values, cmap="Blues", vmin=low, vmax=high, aspect="auto")
    axis.set_xticks(range(len(columns)), columns, fontsize=size)
    axis.set_yticks(range(len(rows)), rows, fontsize=size)
    middle = ((values.min() if low is None else low) + (values.max() if high is None else high)) / 2
    for i, j in np.ndindex(values.shape) if form else ():
        axis.text(j, i, format(values[i, j], form), ha="center", va="center", fontsize=size,
                  color="white" if values[i, j] > middle else "black")


def heatmap(values: Any, rows: Sequence[str], columns: Sequence[str], *, x: str = "", y: str = "", title: str = "",
            form: str = ".2f", low: float | None = None, high: float | None = None) -> DisplayImage:
    """A matrix as coloured cells with its numbers (form "" leaves them out), for confusion matrices and attention."""
    figure, axis = new_figure(1.6 + 0.55 * len(columns), 1.3 + 0.36 * len(rows))
    draw_cells(axis, values, rows, columns, form, low, high)
    axis.tick_params("x", labelrotation=45 if max(map(len, columns)) > 5 else 0)
    axis.set(xlabel=x, ylabel=y)
    axis.set_title(title, fontsize=9)
    said = [f"{row}: " + ", ".join(f"{c} {format(v, form or '.2f')}" for c, v in zip(columns, line))
            for row, line in zip(rows, np.asarray(values, float))]
    return show(figure, f"{title or 'A matrix'}, {y or 'rows'} by {x or 'columns'}. " + "; ".join(said[:12]) + ".")


def squares(values: Sequence[float] | Tensor, colour: str = GREY, silenced: Sequence[bool] | Tensor = (),
            columns: int = 32, cell: int = 20) -> Image.Image:
    """A vector as a Hinton diagram: full squares for positive numbers, hollow ones for negative, on nothing.

    Args:
        values: (n,), as many squares, `columns` a line; a square's area grows with its number and is full from 3 on.
        silenced: (n,), True where dropout has put a zero: crossed out.
        cell: pixels of a number, each way.
    """
    lines = -(-len(values) // columns)
    numbers, gone = np.zeros((2, lines * columns, 1, 1))
    numbers[:len(values), 0, 0], gone[:len(silenced), 0, 0] = values, silenced
    half = 0.45 * cell * np.sqrt(np.minimum(np.abs(numbers) / 3, 1))  # of a square's width
    across = np.abs(np.arange(cell) - (cell - 1) / 2)
    away = np.maximum(across, across[:, None])  # from the middle of a cell
    square = (away <= half) & ((numbers > 0) | (away > half - 2))
    cross = (np.abs(across - across[:, None]) < 2) & (away < 0.3 * cell)
    ink = np.where(gone > 0, cross, square).reshape(lines, columns, cell, cell).swapaxes(1, 2)
    drawn = Image.new("RGBA", (columns * cell, lines * cell), colour)
    drawn.putalpha(Image.fromarray(255 * ink.reshape(lines * cell, columns * cell).astype(np.uint8)))
    return drawn
