"""Draws docs/overview.png, the picture at the top of the README: python tools/publish/draw_overview.py"""

from __future__ import annotations

import textwrap
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from mmsa_utils import LABELS, burger_example, load_model, scenes
from mmsa_utils.figures.plots import BLUE, LABEL_COLOURS, ORANGE, PURPLE

OUT = Path(__file__).resolve().parents[2] / "docs" / "overview.png"


def examples() -> list[tuple[str, object, object]]:
    """(text, small picture for the model, large picture for the eye) of four posts."""
    fresh, rotten, good = (scenes.random_scene("burger", level, np.random.default_rng(1)) for level in (2, -2, 1))
    texts = ((burger_example().text, fresh), (burger_example().text, rotten),
             ("This burger is nothing like the photo.", rotten), ("This burger is not delicious, it is awful.", good))
    return [(text, scenes.draw(scene, 64), scenes.draw(scene, 224)) for text, scene in texts]


def box(axis, x: float, y: float, words: str, colour: str, width: float = 0.2) -> None:
    axis.add_patch(FancyBboxPatch((x, y - 0.09), width, 0.18, boxstyle="round,pad=0.01,rounding_size=0.03",
                                  facecolor=colour, edgecolor="none", alpha=0.9))
    axis.text(x + width / 2, y, words, ha="center", va="center", fontsize=10, fontweight="bold",
              color="black" if colour == ORANGE else "white")


def arrow(axis, start: tuple[float, float], end: tuple[float, float]) -> None:
    axis.add_patch(FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=14, color="#444444", lw=1.4))


def main() -> None:
    posts = examples()
    probabilities = load_model().predict([text for text, _, _ in posts], [small for _, small, _ in posts])
    figure = Figure(figsize=(11, 6.2))
    plan = figure.add_axes((0, 0.56, 1, 0.44))
    plan.set(xlim=(0, 1), ylim=(0, 1))
    plan.axis("off")
    plan.text(0.02, 0.72, f'"{posts[0][0]}"', va="center", fontsize=12)
    picture = figure.add_axes((0.05, 0.575, 0.13, 0.2))
    picture.imshow(np.asarray(posts[0][2]))
    picture.axis("off")
    box(plan, 0.3, 0.72, "text encoder\nBERT · DistilBERT", BLUE)
    box(plan, 0.3, 0.26, "image encoder\nResNet-18 · ViT", ORANGE)
    box(plan, 0.57, 0.49, "fusion\njoin the features", PURPLE, 0.16)
    box(plan, 0.8, 0.49, "classifier\nmood", LABEL_COLOURS["positive"], 0.14)
    for start, end in (((0.25, 0.72), (0.29, 0.72)), ((0.19, 0.26), (0.29, 0.26)), ((0.51, 0.72), (0.56, 0.55)),
                       ((0.51, 0.26), (0.56, 0.43)), ((0.74, 0.49), (0.79, 0.49))):
        arrow(plan, start, end)
    for i, ((text, _, large), row) in enumerate(zip(posts, probabilities)):
        x = 0.03 + i * 0.245
        axis = figure.add_axes((x, 0.16, 0.11, 0.2))
        axis.imshow(np.asarray(large))
        axis.axis("off")
        figure.text(x, 0.385, "\n".join(textwrap.wrap(f'"{text}"', 28)), fontsize=9.5, va="bottom")
        bars = figure.add_axes((x + 0.125, 0.17, 0.085, 0.18))
        bars.barh(LABELS, row.numpy(), color=[LABEL_COLOURS[name] for name in LABELS])
        bars.set(xlim=(0, 1), xticks=[])
        bars.tick_params(axis="y", length=0, labelsize=7, pad=-2, labelleft=False)
        bars.invert_yaxis()
        bars.spines[["top", "right", "bottom"]].set_visible(False)
        answer = LABELS[int(row.argmax())]
        figure.text(x, 0.095, f"{answer}  {row.max():.2f}", fontsize=12, fontweight="bold",
                    color=LABEL_COLOURS[answer])
    figure.savefig(OUT, dpi=110, facecolor="white")


if __name__ == "__main__":
    main()
