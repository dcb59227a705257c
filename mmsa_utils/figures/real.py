"""Real posts: everything that answers them, with intervals, and what a figure owes to choices that nobody learned."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

from .canvas import new_figure, show
from .panels import BLUE, GREY

if TYPE_CHECKING:
    from IPython.display import Image as DisplayImage


def drawable(text: str) -> str:
    """A text as a figure can show it: an empty box for a sign that the font lacks, such as a pictogram; and a dollar is
    a dollar, which begins no formula.
    """
    return "".join(sign if ord(sign) in _signs() else "\u25af" for sign in text).replace("$", r"\$")


@cache
def _signs() -> frozenset[int]:
    """What the font of figures can draw."""
    from matplotlib import font_manager

    return frozenset(font_manager.get_font(font_manager.findfont("DejaVu Sans")).get_charmap())


def interval_dots(rivals: Mapping[str, Mapping[str, float]], level: tuple[str, float] | None = None) -> DisplayImage:
    """An accuracy each, as a dot on its interval, and a dotted line at a level with a name.

    Args:
        rivals: name → "mean", "low" and "high", as `honesty_board` gives them under "accuracy".
    """
    figure, axis = new_figure(7.0, 0.34 * len(rivals) + 0.9)
    for row, of in enumerate(rivals.values()):
        axis.plot([of["low"], of["high"]], [row, row], color=BLUE, lw=2.5, solid_capstyle="butt")
        axis.plot(of["mean"], row, "o", color=BLUE, ms=7)
        axis.annotate(f"{of['mean']:.2f}", (of["mean"], row), (0, 6), textcoords="offset points", ha="center",
                      fontsize=8, bbox={"color": "white", "pad": 0.5})
    if level is not None:
        axis.axvline(level[1], color=GREY, ls=":", label=level[0])
        axis.legend(frameon=False, fontsize=8, loc="lower left")
    axis.set(yticks=range(len(rivals)), yticklabels=list(rivals), ylim=(len(rivals) - 0.4, -0.75), xlabel="accuracy")
    axis.spines[["top", "right"]].set_visible(False)
    said = "; ".join(f"{name} {of['mean']:.2f} ({of['low']:.2f} to {of['high']:.2f})" for name, of in rivals.items())
    line = f"; {level[0]} as a dotted line at {level[1]:.2f}" if level else ""
    return show(figure, f"Accuracies with their 95 % intervals: {said}{line}.", colours=64)


def choice_ranges(found: Mapping[str, Mapping[str, float]]) -> DisplayImage:
    """How far one choice moves a figure: a row for each, a dot for each of its options, the lowest and highest named.

    Args:
        found: choice → option → the figure with it, a share.
    """
    figure, axis = new_figure(8.0, 0.62 * len(found) + 0.8)
    said = []
    for row, (choice, options) in enumerate(found.items()):
        low, high = (pick(options, key=lambda name: options[name]) for pick in (min, max))
        axis.plot([options[low], options[high]], [row, row], color=GREY, lw=3, alpha=0.5, solid_capstyle="butt")
        axis.plot(list(options.values()), [row] * len(options), "o", color=BLUE, ms=6)
        points = 100 * (options[high] - options[low])
        for name, side, shift in ((low, "right", -7), (high, "left", 7)):
            axis.annotate(name, (options[name], row), (shift, 0), textcoords="offset points", ha=side, va="center",
                          fontsize=8)
        axis.annotate(f"{points:.1f} points", ((options[low] + options[high]) / 2, row), (0, 7), ha="center",
                      textcoords="offset points", fontsize=9, fontweight="bold")
        said.append(f"{choice}: {points:.1f} points, from {options[low]:.2f} ({low}) to {options[high]:.2f} ({high})")
    every = [value for options in found.values() for value in options.values()]
    room = 0.45 * (max(every) - min(every)) + 0.01  # for the names
    axis.set(yticks=range(len(found)), yticklabels=list(found), ylim=(len(found) - 0.5, -0.7), xlabel="the figure",
             xlim=(min(every) - room, max(every) + room))
    axis.spines[["top", "right"]].set_visible(False)
    return show(figure, "What one choice makes of a figure. " + "; ".join(said) + ".", colours=64)
