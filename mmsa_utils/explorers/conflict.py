"""The explorer of notebook 07: the map of all moods, what the model says beside what the rule says."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import ipywidgets
import numpy as np
import torch
from torch import Tensor

from ..figures import panels, plots
from ..model.model import MultimodalSentimentModel
from ..posts.food import PIXELS, make_post, split_of
from ..posts.phrases import KINDS, TextKind, write
from ..posts.post import LABELS, Post
from ..posts.rules import judge
from ..posts.scenes import TRAIN_DISHES
from .explorer import WIDE, Explorer, choice, slider

if TYPE_CHECKING:
    from IPython.display import Image as DisplayImage

LEVELS = (-2, -1, 0, 1, 2)
TEXT_WORDS = dict(zip(KINDS, ("awful words", "mildly bad words", "neutral words", "mildly good words", "glowing words",
                              "says it is as the picture", "says it is unlike the picture")))
PICTURE_WORDS = dict(zip(LEVELS, ("awful", "poor", "plain", "nice", "gorgeous")))
SHOWS = {"the model: positive − negative": "model", "the rule": "rule", "the gap: model − rule": "gap",
         "share of right answers": "right"}
Square = tuple[TextKind, int]


def square_posts(text_kind: TextKind, picture_level: int, n: int = 5, pixels: int = 64) -> list[Post]:
    """`n` posts of one square of the map, each about another dish, with texts that are in no training set."""
    rng = np.random.default_rng((KINDS.index(text_kind), picture_level + 2))
    posts = []
    for seed, dish in enumerate(TRAIN_DISHES[:n]):
        text = write(text_kind, dish, rng)
        while split_of(text) != "test":
            text = write(text_kind, dish, rng)
        posts.append(replace(make_post(text_kind, picture_level, dish, seed, pixels), text=text))
    return posts


def conflict_map(model: MultimodalSentimentModel, n: int = 5) -> tuple[dict[Square, list[Post]], Tensor]:
    """`n` posts of each of the 35 squares, and the model's probabilities for them, (7, 5, n, 3).

    Raises:
        ValueError: for a model of other classes than LABELS.
    """
    if model.classes != LABELS:
        raise ValueError(f"the model's classes are {', '.join(model.classes or ['none'])}: expected "
                         f"{', '.join(LABELS)}, as those of `load_model()`.")
    posts = {(kind, level): square_posts(kind, level, n, PIXELS[model.size]) for kind in KINDS for level in LEVELS}
    lines = []
    for kind in KINDS:
        line = [post for level in LEVELS for post in posts[kind, level]]
        lines.append(model.predict([post.text for post in line], [post.image for post in line]))
    return posts, torch.stack(lines).reshape(len(KINDS), len(LEVELS), n, len(LABELS))


def map_values(probabilities: Tensor) -> dict[str, np.ndarray]:
    """Four maps (7, 5) of answers (7, 5, n, 3).

    ``model``: mean probability of positive minus that of negative; ``rule``: -1, 0 or 1; ``gap``: model minus rule,
    -2 to 2; ``right``: share of the posts on which the likeliest class is the rule's.
    """
    rule = np.array([[judge(kind, level)[0] for level in LEVELS] for kind in KINDS])
    model = (probabilities[..., 2] - probabilities[..., 0]).mean(-1).numpy()
    right = (probabilities.argmax(-1).numpy() == rule[..., None] + 1).mean(-1)
    return {"model": model, "rule": rule.astype(float), "gap": model - rule, "right": right}


def cell_look(show: str, value: float) -> tuple[str, str]:
    """What a square of a map says, and its colour: translucent, so that it suits light and dark pages."""
    if show == "right":
        return f"{value:.0%}", f"{panels.BLUE}{round(150 * value):02x}"
    strength = abs(value) / (2 if show == "gap" else 1)
    text = f"{value:+.2f}".replace("0.", ".", 1)  # short enough for a telephone
    text = {"+.00": "0", "-.00": "0", "+1.00": "+1", "-1.00": "-1"}.get(text, text)
    return text, f"{panels.GREEN if value > 0 else panels.RED}{round(150 * min(strength, 1)):02x}"


def conflict_explorer(model: MultimodalSentimentModel) -> Explorer:
    """The map of all 35 pairs of moods: what the model says, what the rule says, and the gap between them.

    A square is chosen with the sliders ``text`` (one of `phrases.KINDS`) and ``picture`` (-2 to 2), or by its button
    in ``squares`` ((text, picture) → button). ``show`` is what the map shows (a value of SHOWS), ``example`` which
    of the square's posts lies beside it.

    Raises:
        ValueError: for a model of other classes than LABELS.
    """
    posts, probabilities = conflict_map(model)
    values, n = map_values(probabilities), probabilities.shape[2]
    controls = {
        "show": choice("show", tuple(SHOWS.items()), "model"),
        "text": ipywidgets.SelectionSlider(options=[(str(kind), kind) for kind in KINDS], value=2, description="text",
                                           style=WIDE, layout={"width": "300px"}),
        "picture": slider("picture", -2, -2, 2), "example": slider("example", 1, 1, n)}

    def view(show, text, picture, example) -> str:
        place = KINDS.index(text), LEVELS.index(picture)
        return _square_view(posts[text, picture][example - 1], probabilities[place][example - 1],
                            {name: one_map[place] for name, one_map in values.items()}, n)

    explorer = Explorer("Conflict explorer", controls, view, lambda: _conflict_picture(posts, probabilities, values))
    explorer.squares = {square: ipywidgets.Button() for square in posts}
    _connect(explorer, values)
    grid = _grid(explorer.squares)
    explorer.children = [explorer.children[0],
                         ipywidgets.Box([grid, explorer.view], layout={"flex_flow": "row wrap", "width": "auto"})]
    return explorer


def _connect(explorer: Explorer, values: Mapping[str, np.ndarray]) -> None:
    """Let the squares show a map, and choose a post when they are clicked."""
    plain = {"width": "auto", "min_width": "0", "padding": "0", "margin": "1px", "border": "2px solid transparent"}
    layouts = [ipywidgets.Layout(**plain), ipywidgets.Layout(**{**plain, "border": "2px solid currentColor"})]

    def paint(change=None) -> None:
        one_map = values[explorer.show.value]
        for square, button in explorer.squares.items():
            kind, level = square
            button.description, colour = cell_look(explorer.show.value, one_map[KINDS.index(kind), LEVELS.index(level)])
            button.style.button_color = colour
            button.layout = layouts[square == (explorer.text.value, explorer.picture.value)]

    def select(button: ipywidgets.Button) -> None:
        explorer.text.value, explorer.picture.value = next(s for s, b in explorer.squares.items() if b is button)

    for (kind, level), button in explorer.squares.items():
        button.tooltip = f"text {kind}: {TEXT_WORDS[kind]}; picture {level}: {PICTURE_WORDS[level]}"
        button.on_click(select)
    for name in ("show", "text", "picture"):
        explorer.controls[name].observe(paint, "value")
    paint()


def _grid(squares: Mapping[Square, ipywidgets.Button]) -> ipywidgets.VBox:
    """The buttons as a table with the moods of both sides at its edges."""

    def label(text: object, side: str) -> ipywidgets.HTML:
        return ipywidgets.HTML(f'<div style="text-align:{side}">{text}</div>')

    cells: list = [label("", "left"), *(label(level, "center") for level in LEVELS)]
    for kind in KINDS:
        cells += [label(kind, "left"), *(squares[kind, level] for level in LEVELS)]
    grid = ipywidgets.GridBox(cells, layout={"grid_template_columns": "max-content repeat(5, minmax(0, 64px))",
                                             "width": "auto"})
    return ipywidgets.VBox([ipywidgets.Label("rows: the text, columns: the picture"), grid],
                           layout={"margin": "0 24px 0 0"})


def _square_view(post: Post, probabilities: Tensor, values: Mapping[str, float], n: int) -> str:
    """One post of a square with the model's answer, and how the square as a whole fares."""
    said = LABELS[int(probabilities.argmax())]
    right = said == LABELS[post.label]
    kind, level = post.text_kind, post.picture_level
    return panels.row(panels.column(
        panels.heading(f"text {kind}: {TEXT_WORDS[kind]}"), panels.heading(f"picture {level}: {PICTURE_WORDS[level]}"),
        panels.row(panels.picture(post.image, f"{post.dish}, level {post.picture_level}", 128),
                   panels.column(panels.paragraph(f"“{post.text}”", lines=3),
                                 panels.bars(dict(zip(LABELS, probabilities.tolist()))),
                                 panels.paragraph(f"The model says {said}, the rule {LABELS[post.label]}: "
                                                  + ("right." if right else "wrong."), lines=2),
                                 panels.paragraph(f"Why: {post.reason}.", lines=2), width=298)),
        panels.table(("this square", "model", "rule", "gap", "right"),
                     [(f"{n} posts", f"{values['model']:+.2f}", f"{values['rule']:+.0f}",
                       f"{values['gap']:+.2f}", f"{round(n * values['right'])} of {n}")]), width=460))


def _conflict_picture(posts: Mapping[Square, list[Post]], probabilities: Tensor,
                      values: Mapping[str, np.ndarray]) -> DisplayImage:
    """The four maps, and the hardest post of each of the squares where the model is furthest from the rule."""
    figure, axes = plots.new_figure(7.4, 4.6, 2, 4)
    axes[0, 0].get_gridspec().set_height_ratios([3, 2])
    said = []
    for axis, (label, show) in zip(axes[0], SHOWS.items()):
        cmap, low = ("Blues", 0) if show == "right" else ("PuOr", -2)
        axis.imshow(values[show], cmap=cmap, vmin=low, vmax=2, aspect="auto")  # pale enough for black figures
        for i, j in np.ndindex(values[show].shape):
            axis.text(j, i, cell_look(show, values[show][i, j])[0], ha="center", va="center", fontsize=6)
        axis.set_xticks(range(5), LEVELS, fontsize=7)
        axis.set_yticks(range(7), KINDS if show == "model" else [], fontsize=7)
        axis.set_title(label, fontsize=7.5)
        axis.set_xlabel("picture", fontsize=7.5)
        lines = [f"{kind}: " + ", ".join(cell_look(show, value)[0] for value in line)
                 for kind, line in zip(KINDS, values[show])]
        said.append(f"{label}: {'; '.join(lines)}")
    axes[0, 0].set_ylabel("text", fontsize=7.5)
    furthest = np.argsort(-np.abs(values["gap"]), axis=None)[:4]
    for axis, place in zip(axes[1], furthest):
        i, j = np.unravel_index(place, values["gap"].shape)
        hardest = int(probabilities[i, j, :, posts[KINDS[i], LEVELS[j]][0].label].argmin())
        post = posts[KINDS[i], LEVELS[j]][hardest]
        answer = LABELS[int(probabilities[i, j, hardest].argmax())]
        caption = f"text {KINDS[i]}, picture {LEVELS[j]}: said {answer}, rule {LABELS[post.label]}"
        axis.imshow(np.asarray(post.image), interpolation="nearest")  # makes a smaller file
        axis.axis("off")
        axis.set_title("\n".join([*textwrap.wrap(post.text, 30), *textwrap.wrap(caption, 30)]), fontsize=6.5)
        said.append(f'"{post.text}" ({caption})')
    return plots.show(figure, "Four maps, kinds of text by picture levels -2 to 2, and the hardest post of each of the "
                      f"four squares with the widest gap. {'. '.join(said)}.", dpi=84)
