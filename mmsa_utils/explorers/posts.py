"""The explorer of notebook 01: how a post comes by its label."""

from __future__ import annotations

import textwrap
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import ipywidgets

from ..figures import panels, plots
from ..posts.food import make_post
from ..posts.phrases import KINDS
from ..posts.post import LABELS
from ..posts.rules import ceiling, judge, post_table
from ..posts.scenes import DISHES
from .explorer import WIDE, Explorer, choice, slider

if TYPE_CHECKING:
    from IPython.display import Image as DisplayImage


def post_explorer(pixels: int = 64) -> Explorer:
    """Choose what a text says and what its picture shows: the post is made, and its label explained.

    Controls: ``speaks`` (of its own feeling, or of the picture), ``two_sided`` (one thing said, or two of which one is
    about the dish), ``text_valence`` and ``picture_valence`` (-1, 0, 1), ``text_strength`` and ``picture_strength``
    (1 mild, 2 strong), ``conflict`` (the data set's share of contradictions), ``dish``, ``seed`` (another wording,
    another plate).
    """
    controls = {
        "speaks": choice("the text speaks", {"of its own feeling": "", "as the picture does": "same",
                                             "against the picture": "opposite"}, ""),
        "two_sided": choice("it says", {"one thing": False, "two things": True}, False),
        "text_valence": slider("text valence", 1, -1, 1), "text_strength": slider("text strength", 2, 1, 2),
        "picture_valence": slider("picture valence", -1, -1, 1),
        "picture_strength": slider("picture strength", 2, 1, 2), "dish": choice("dish", DISHES, "burger"),
        "conflict": ipywidgets.FloatSlider(value=0.2, min=0, max=1, step=0.05, description="conflict", style=WIDE,
                                           layout={"width": "300px"}),
        "seed": slider("seed", 0, 0, 20)}
    for step in range(21):
        _shares_at(step / 20)  # ahead, so that no move of the slider has to wait for it

    def has_a_say(change: Any = None) -> None:  # a text about its picture has no feeling of its own to choose
        for name in ("two_sided", "text_valence", "text_strength"):
            controls[name].disabled = bool(controls["speaks"].value)

    controls["speaks"].observe(has_a_say, "value")

    def view(speaks, two_sided, text_valence, text_strength, picture_valence, picture_strength, conflict, dish,
             seed) -> str:
        kind = speaks or text_valence * text_strength
        post = make_post(kind, picture_valence * picture_strength, dish, seed, pixels,
                         two_sided and kind in (-2, -1, 1, 2))
        shares, best = _shares_at(round(conflict, 2))
        share = shares.get((post.text_kind, post.picture_level), 0)
        often = f"{share:.1%} of all posts are in this state" if share else "no post is in this state"
        return panels.row(
            panels.picture(post.image, f"{dish}, level {post.picture_level}", 192),
            panels.column(panels.paragraph(f"“{post.text}”", lines=3), panels.mood(LABELS[post.label]),
                          panels.paragraph(f"{post.relation}: {post.reason}.", lines=2),
                          panels.paragraph(f"At conflict {conflict:.2f}, {often}.", lines=2), width=320),
            panels.heading("the best anybody can do at this conflict") + panels.bars(best))

    return Explorer("Post explorer", controls, view, lambda: _all_states(pixels))


@lru_cache(maxsize=1024)
def _shares_at(conflict: float) -> tuple[dict[tuple[object, int], float], dict[str, float]]:
    """The share of each state, and the ceilings, at a share of contradictions."""
    states = post_table(conflict)
    return {state[:2]: state.share for state in states}, {
        "text in any order": ceiling(states, "text_any_order"), "text alone": ceiling(states, "text"),
        "picture alone": ceiling(states, "image"), "both in any order": ceiling(states, "any_order"),
        "both": ceiling(states, "both")}


def _all_states(pixels: int, conflict: float = 0.2) -> DisplayImage:
    """Every state of a post in one table: five pictures over seven texts, each pair with its label and its share."""
    shares, best = _shares_at(conflict)
    levels = (-2, -1, 0, 1, 2)
    figure, axis = plots.new_figure(8.4, 4.9)
    axis.axis("off")
    for column, level in enumerate(levels):
        axis.imshow(make_post(0, level, "burger", 0, pixels).image, interpolation="nearest",
                    extent=(column + 0.03, column + 0.97, 0.05, 0.99))
        axis.text(column + 0.5, 1.03, f"picture {level}", ha="center", fontsize=8)
    lines = []
    for row, kind in enumerate(KINDS):
        top, height = -row * 0.42, 0.42
        text = make_post(kind, 0).text
        axis.text(-0.06, top - height / 2, "\n".join(textwrap.wrap(f"{kind}: “{text}”", 44)), ha="right", va="center",
                  fontsize=8)
        cells = []
        for column, level in enumerate(levels):
            name = LABELS[judge(kind, level)[0] + 1]
            share = shares.get((kind, level), 0)
            axis.fill_between((column + 0.03, column + 0.97), top - height + 0.03, top,
                              color=plots.LABEL_COLOURS[name], alpha=0.22, lw=0)
            axis.text(column + 0.5, top - height / 2, f"{name}\n{share:.1%}", ha="center", va="center", fontsize=8)
            cells.append(f"{name} {share:.1%}")
        lines.append(f"text {kind}: " + ", ".join(cells))
    axis.set(xlim=(-2.7, 5), ylim=(-0.42 * len(KINDS) - 0.02, 1.18), aspect="equal")
    ceilings = ", ".join(f"{name} {value:.2f}" for name, value in best.items())
    figure.get_layout_engine().set(h_pad=0.08)  # type: ignore[call-arg]
    axis.set_title(f"Every state of a post: its label, and its share of the posts at conflict {conflict}.\n"
                   f"The best anybody can do: {ceilings}.", fontsize=9)
    return plots.show(figure, f"The label and the share of each state at conflict {conflict}, for pictures of level "
                      f"-2, -1, 0, 1, 2. " + "; ".join(lines) + f". The best anybody can do: {ceilings}.", colours=64)
