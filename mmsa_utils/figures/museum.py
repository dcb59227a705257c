"""What mistakes cost: each as it was found beside its repair."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from .canvas import new_figure, show
from .panels import BLUE, GREY, ORANGE

if TYPE_CHECKING:
    from IPython.display import Image as DisplayImage

_LOOKS = {"found": (ORANGE, "X", "as found", 0.16), "mended": (BLUE, "o", "mended", -0.16)}


def costs(found: Mapping[str, Mapping[str, Mapping[str, float]]], level: tuple[str, float] | None = None
          ) -> DisplayImage:
    """Accuracy as found and mended, a row for each mistake, on 95 % intervals; the cost at the right.

    Args:
        found: mistake → "found", "mended" and "cost" → "mean", "low" and "high", as `cost` of the museum gives them.
        level: a name and an accuracy, drawn as a dotted line.
    """
    figure, axis = new_figure(8.0, 0.42 * len(found) + 1.0)
    said = []
    for row, (mistake, of) in enumerate(found.items()):
        for what, (colour, marker, name, shift) in _LOOKS.items():
            axis.plot([of[what]["low"], of[what]["high"]], [row + shift] * 2, color=colour, lw=2.5,
                      solid_capstyle="butt")
            axis.plot(of[what]["mean"], row + shift, marker, color=colour, ms=7, label=name if not row else None)
        points = {name: 100 * value for name, value in of["cost"].items()}
        axis.annotate(f"{points['mean']:+.0f} points ({points['low']:+.0f} to {points['high']:+.0f})", (1.01, row),
                      xycoords=axis.get_yaxis_transform(), va="center", fontsize=8)
        said.append(f"{mistake}: {of['found']['mean']:.2f} as found, {of['mended']['mean']:.2f} mended, cost "
                    f"{points['mean']:.0f} points ({points['low']:.0f} to {points['high']:.0f})")
    if level is not None:
        axis.axvline(level[1], color=GREY, ls=":", label=level[0])
    axis.legend(frameon=False, fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)
    axis.set(yticks=range(len(found)), yticklabels=list(found), ylim=(len(found) - 0.5, -0.6), xlabel="accuracy")
    axis.spines[["top", "right"]].set_visible(False)
    line = f" {level[0]} as a dotted line at {level[1]:.2f}." if level else ""
    return show(figure, "What mistakes cost, with 95 % intervals. " + "; ".join(said) + "." + line, colours=64)
