"""Sides that are missing: who has what, and what each way to go on is worth for each choice of sides that is left."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from ..posts.post import SUBJECTS
from .canvas import new_figure, show
from .panels import BLUE, GREEN, GREY, ORANGE, RED

if TYPE_CHECKING:
    from IPython.display import Image as DisplayImage

#: Each way to go on has a mark and a colour; one that is not named here gets the last.
MARKS = {"zeros": ("x", GREY), "mean": ("s", ORANGE), "average": ("^", "#CC79A7"), "absent": ("o", BLUE),
         "separate": ("D", GREEN), "": ("*", "black")}


def presence(there: Mapping[str, Tensor]) -> DisplayImage:
    """A column for each post and a row for each side: full where the post has it, an empty square where it is missing.

    Args:
        there: side → (posts,) of booleans.
    """
    names, values = [SUBJECTS.get(side, side) for side in there], np.array([list(map(bool, row))
                                                                            for row in there.values()])
    figure, axis = new_figure(8.0, 0.36 * len(names) + 0.55)
    for row, column in np.ndindex(values.shape):
        full = values[row, column]
        axis.scatter(column + 1, row, marker="s", s=90, color=BLUE if full else "none",
                     edgecolors=BLUE if full else GREY)
        if not full:
            axis.scatter(column + 1, row, marker="x", s=22, color=GREY, linewidths=1)
    axis.set(yticks=range(len(names)), yticklabels=names, ylim=(len(names) - 0.5, -0.5), xlabel="post",
             xlim=(0.3, values.shape[1] + 0.7))
    axis.spines[:].set_visible(False)
    axis.tick_params(length=0)
    said = "; ".join(f"the {name} is missing from {int((~row).sum())}" for name, row in zip(names, values))
    whole = int(values.all(0).sum())
    return show(figure, f"{values.shape[1]} posts as columns, their sides as rows, an empty square where one is "
                f"missing: {said}; {whole} have all.", colours=16)


def missing_board(found: Mapping[str, Mapping[str, Mapping[str, float]]], ceilings: Mapping[str, float]
                  ) -> DisplayImage:
    """Accuracy and calibration error of each way, a row for each choice of sides, the ceiling as a line.

    Args:
        found: sides that are left → way → "accuracy" and "calibration_error", as `ways_to_miss` gives it.
        ceilings: sides that are left → the best accuracy that is possible.
    """
    figure, axes = new_figure(8.4, 0.42 * len(found) + 1.2, 1, 2)
    shown = dict.fromkeys(way for row in found.values() for way in row)
    ways = sorted(shown, key=lambda way: list(MARKS).index(way) if way in MARKS else len(MARKS))
    said = []
    for axis, figure_of in zip(axes, ("accuracy", "calibration_error")):
        for i, way in enumerate(ways):
            mark, colour = MARKS.get(way, MARKS[""])
            rows = [(place, row[way][figure_of]) for place, row in enumerate(found.values()) if way in row]
            places, values = np.array(rows).T
            shift = 0.13 * (i - (len(ways) - 1) / 2)  # equal ones stand beside each other
            axis.scatter(values, places + shift, marker=mark, color=colour, s=34, label=way, zorder=3)
        axis.set(yticks=range(len(found)), yticklabels=list(found) if axis is axes[0] else [""] * len(found),
                 ylim=(len(found) - 0.5, -0.5), xlabel=figure_of.replace("_", " "))
        axis.grid(axis="y", color=GREY, alpha=0.25)
        axis.spines[["top", "right"]].set_visible(False)
    for place, (some, row) in enumerate(found.items()):
        axes[0].plot([ceilings[some]] * 2, [place - 0.35, place + 0.35], color=RED, lw=2.5,
                     label="" if place else "best possible")
        said.append(f"{some}: " + ", ".join(f"{way} {values['accuracy']:.2f} (off by {values['calibration_error']:.2f})"
                                            for way, values in row.items()) + f", at most {ceilings[some]:.2f}")
    axes[0].set_xlim(left=axes[0].get_xlim()[0] - 0.04)  # an axis at 1/3 would look like chance
    axes[1].set_xlim(left=0)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=len(ways) + 1, frameon=False,
                  fontsize=9)
    return show(figure, "Accuracy and calibration error by the sides that are left. " + "; ".join(said) + ".",
                colours=64)
