"""The card of a saved model, README.md in its folder: what it is, what it can do, and what it is not for."""

from __future__ import annotations

import datetime
import os
from typing import TYPE_CHECKING

from .. import __version__
from ..posts.post import SUBJECTS, listed

if TYPE_CHECKING:
    from .model import MultimodalSentimentModel

#: By this line a card is known as one of ours, so that it is written anew with the model; others are left alone.
MARK = "Made with mmsa-utils"
TEMPLATE = "---\n{{ card_data }}\n---\n{{ body }}\n"


def body(model: MultimodalSentimentModel, figures: str = "") -> str:
    """The card's text, Markdown, without a path.

    Args:
        figures: Markdown about what it learned from and how well it does; "" where nobody knows.
    """
    classes = "none: it gives a number" if model.classes is None else ", ".join(map(cell, model.classes))
    rows = [*((f"{side} encoder", f"{name_of(encoder.name)}, {cell(encoder.size)}") for side, encoder in
              model.encoders.items()),
            ("encoders", "kept as they were" if model.frozen else "trained with the rest"), ("classes", classes),
            ("saved", f"{datetime.date.today().isoformat()}, by version {__version__}")]
    table = "\n".join(f"| {name} | {value} |" for name, value in rows)
    sides = listed([SUBJECTS[side] for side in model.sides])
    return f"""# A reader of posts: {sides} to {'a number' if model.classes is None else 'a class'}

{MARK}. Load it with `MultimodalSentimentModel.from_pretrained(folder)`.

| | |
|---|---|
{table}

{figures or "No figures are kept with it. `python -m mmsa_utils evaluate --model FOLDER` measures it."}

## Use and limits

For posts like those that it was trained and measured on; of others the figures say nothing. {_known(model)} It compares
its classes and cannot say that none of them fits. The shipped encoders know drawn food and plain English. Do not judge
people or businesses with it.

## Licence

mmsa-utils and the encoders that ship with it are MIT; other encoders have licences of their own. Whose posts it learned
from decides whether the model may be passed on."""


def _known(model: MultimodalSentimentModel) -> str:
    if model.familiarity is None:
        return "Nobody looked how its posts' features lie, so it can be sure of an answer to what it never met."
    a_side = listed([SUBJECTS[side] for side in model.sides], "or")
    return f"`Reader` and `predict` name a {a_side} that is unlike those posts, and leave it out of the answer."


def name_of(encoder: str) -> str:
    """An encoder's name as a card shows it: of a folder, its last part alone."""
    return cell(os.path.basename(str(encoder).replace("\\", "/").rstrip("/")) or "unnamed")


def cell(text: object, longest: int = 60) -> str:
    """A text from anywhere in a cell of a Markdown table: in one line, and nothing in it that is Markdown or HTML."""
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in str(text)).split())
    line = line if len(line) <= longest else line[:longest - 1] + "…"
    return "".join("\\" + sign if sign in "\\`*_{}[]<>#|~" else sign for sign in line)
