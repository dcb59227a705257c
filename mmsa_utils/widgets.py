"""Explorers for the notebooks: sliders and their view in one box, and a picture of the same where nothing can move.

Every explorer comes from one call, has its controls as attributes, and is shown by being the last line of a cell.
Works with ipywidgets 7.7 and 8. (`Output` widgets capture nothing outside a live front end, so none is used: a view
is a function from the controls' values to HTML.)
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import ipywidgets

from . import panels, plots
from .data import make_post
from .phrases import KINDS
from .rules import LABELS, ceiling, judge, post_table
from .scenes import DISHES

if TYPE_CHECKING:
    from IPython.display import Image as DisplayImage

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
WIDE = {"description_width": "initial"}  # labels are never cut


class Explorer(ipywidgets.VBox):
    """Controls over a view that follows them.

    Args:
        title: what it is, in a few words.
        controls: name → widget with a description. Each becomes an attribute of that name.
        view: called with the controls' values by name whenever one of them changes; returns HTML. What it refuses
            with a ValueError is shown as a friendly note.
        still: draws a picture of the same content, with alt text, for pages without a kernel (a stored notebook).
    """

    _ipython_display_ = None  # ipywidgets 7 would show itself through it, and leave no picture

    def __init__(self, title: str, controls: Mapping[str, Any], view: Callable[..., str],
                 still: Callable[[], DisplayImage]):
        self.title, self.controls, self.still, self._view = title, dict(controls), still, view
        self.view = ipywidgets.HTML()
        super().__init__([ipywidgets.Box(list(controls.values()), layout={"flex_flow": "row wrap", "width": "auto",
                                                                             "grid_gap": "2px 20px"}),
                          self.view])
        for name, control in self.controls.items():
            setattr(self, name, control)
            if control.has_trait("value"):
                control.observe(self.refresh, "value")
        self.refresh()

    def refresh(self, change: Any = None) -> None:
        """Show the view of the controls as they stand."""
        values = {name: control.value for name, control in self.controls.items() if control.has_trait("value")}
        for name, value in values.items():
            if isinstance(value, str):  # half of a character, which a browser may send, is none
                values[name] = value.encode("utf8", "replace").decode("utf8")
        try:
            self.view.value = self._view(**values)
        except ValueError as error:
            self.view.value = panels.note(str(error))

    def _repr_mimebundle_(self, include=None, exclude=None, **options) -> tuple[dict, dict]:
        data, metadata = self.still()._repr_mimebundle_()
        return {"text/plain": f"{self.title}: controls where there is a kernel, this picture elsewhere", **data,
                WIDGET_VIEW: {"version_major": 2, "version_minor": 0, "model_id": self.model_id}}, metadata


def slider(label: str, value: int, low: int, high: int) -> ipywidgets.IntSlider:
    """A slider over whole numbers, its label in full."""
    return ipywidgets.IntSlider(value, low, high, description=label, style=WIDE, layout={"width": "300px"})


def choice(label: str, options: Sequence | Mapping[str, Any], value: Any) -> ipywidgets.Dropdown:
    """A drop-down list, its label in full."""
    options = list(options.items() if isinstance(options, Mapping) else options)  # ipywidgets 7 warns of mappings
    return ipywidgets.Dropdown(options=options, value=value, description=label, style=WIDE,
                               layout={"width": "max-content", "max_width": "98%"})


def uploaded(value: Any) -> tuple[str, bytes] | None:
    """Name and content of the file that a FileUpload holds, or None.

    Args:
        value: its value: {name: {"content": bytes, ...}} in ipywidgets 7, ({"name": ..., "content": memoryview, ...},)
            in 8.
    """
    if not value:
        return None
    if isinstance(value, Mapping):
        name, file = next(reversed(value.items()))
    else:
        name, file = value[-1]["name"], value[-1]
    return name, bytes(file["content"])


# --- notebook 01: how a post comes by its label ---

def post_explorer(pixels: int = 64) -> Explorer:
    """Choose what a text says and what its picture shows: the post is made, and its label explained.

    Controls: ``speaks`` (of its own feeling, or of the picture), ``text_valence`` and ``picture_valence`` (-1, 0, 1),
    ``text_strength`` and ``picture_strength`` (1 mild, 2 strong), ``conflict`` (the data set's share of
    contradictions), ``dish``, ``seed`` (another wording, another plate).
    """
    controls = {
        "speaks": choice("the text speaks", {"of its own feeling": "", "as the picture does": "same",
                                             "against the picture": "opposite"}, ""),
        "text_valence": slider("text valence", 1, -1, 1), "text_strength": slider("text strength", 2, 1, 2),
        "picture_valence": slider("picture valence", -1, -1, 1),
        "picture_strength": slider("picture strength", 2, 1, 2), "dish": choice("dish", DISHES, "burger"),
        "conflict": ipywidgets.FloatSlider(value=0.2, min=0, max=1, step=0.05, description="conflict", style=WIDE,
                                           layout={"width": "300px"}),
        "seed": slider("seed", 0, 0, 20)}
    for step in range(21):
        _shares_at(step / 20)  # ahead, so that no move of the slider has to wait for it

    def has_a_say(change: Any = None) -> None:  # a text about its picture has no feeling of its own to choose
        for name in ("text_valence", "text_strength"):
            controls[name].disabled = bool(controls["speaks"].value)

    controls["speaks"].observe(has_a_say, "value")

    def view(speaks, text_valence, text_strength, picture_valence, picture_strength, conflict, dish, seed) -> str:
        post = make_post(speaks or text_valence * text_strength, picture_valence * picture_strength, dish, seed, pixels)
        shares, best = _shares_at(round(conflict, 2))
        share = shares.get((post.text_kind, post.picture_level), 0)
        often = f"{share:.1%} of all posts are in this state" if share else "no post is in this state"
        return panels.row(
            panels.picture(post.image, f"{dish}, level {post.picture_level}", 192),
            panels.paragraph(f"“{post.text}”") + panels.mood(LABELS[post.label])
            + panels.paragraph(f"{post.relation}: {post.reason}.")
            + panels.paragraph(f"At conflict {conflict:.2f}, {often}."),
            panels.heading("the best anybody can do at this conflict") + panels.bars(best))

    return Explorer("Post explorer", controls, view, lambda: _all_states(pixels))


@lru_cache(maxsize=1024)
def _shares_at(conflict: float) -> tuple[dict[tuple[object, int], float], dict[str, float]]:
    """The share of each state, and the ceilings, at a share of contradictions."""
    states = post_table(conflict)
    return {state[:2]: state.share for state in states}, {
        "text alone": ceiling(states, "text"), "picture alone": ceiling(states, "image"),
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
    figure.get_layout_engine().set(h_pad=0.08)
    axis.set_title(f"Every state of a post: its label, and its share of the posts at conflict {conflict}.\n"
                   f"The best anybody can do: {ceilings}.", fontsize=9)
    return plots.show(figure, f"The label and the share of each state at conflict {conflict}, for pictures of level "
                      f"-2, -1, 0, 1, 2. " + "; ".join(lines) + f". The best anybody can do: {ceilings}.", colours=64)
