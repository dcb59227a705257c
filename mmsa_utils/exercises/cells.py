"""An exercise as it stands in a notebook: three cells in a row, and what is made of them.

* Markdown, ``### Exercise 2.1 · Title``: its card and its task;
* code, with the tag ``exercise``: the stub, and the check in the last line;
* Markdown, with the tag ``solution``: ``<details>`` with *Hint*, *Answer* and *Solution*; the last one holds the only
  block of code, which takes the stub's place in the solutions, and the reasoning.

A notebook here is the JSON of its file, each cell's source one text: a dictionary, or nbformat's node, which is one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from .variants import varied

FOLD = re.compile(r"<details>\s*<summary>(.*?)</summary>(.*?)</details>", re.DOTALL)
CODE = re.compile(r"```python\n(.*?)\n```", re.DOTALL)
_NUMBER = re.compile(r"### Exercise (\d+\.\d+) · ")


def exercises(book: Mapping[str, Any]) -> list[tuple]:
    """(card cell, stub cell, cell with the folds) of every exercise in a notebook.

    Raises:
        ValueError: if one lacks its card or its folds.
    """
    found, cells = [], book["cells"]
    for place, cell in enumerate(cells):
        if "exercise" in cell["metadata"].get("tags", []):
            card, folds = cells[place - 1], cells[place + 1] if place + 1 < len(cells) else {"metadata": {}}
            if not card["source"].startswith("### Exercise ") or "solution" not in folds["metadata"].get("tags", []):
                raise ValueError(f"the exercise in cell {cell['id']} lacks its card before it or its folds after it")
            found.append((card, cell, folds))
    return found


def number_of(card: Mapping[str, Any]) -> str:
    """The number of an exercise, such as "2.1", by its card.

    Raises:
        ValueError: if the card has no number.
    """
    match = _NUMBER.match(card["source"])
    if not match:
        raise ValueError(f"the card in cell {card['id']} has no number: expected ### Exercise 2.1 · and a title")
    return match[1]


def folds_of(cell: Mapping[str, Any]) -> dict[str, str]:
    """Hint, Answer and Solution → what each fold holds."""
    return {name.strip(): body.strip() for name, body in FOLD.findall(cell["source"])}


def vary(book: Mapping[str, Any], variant: int) -> None:
    """Make the exercises of a notebook those of a variant, in place."""
    for cells in exercises(book):
        for cell, source in zip(cells, varied(number_of(cells[0]), variant, [cell["source"] for cell in cells])):
            cell["source"] = source


def solved(book: Mapping[str, Any], links: Callable[[str], str], answers: bool = False) -> list[dict[str, Any]]:
    """The cells of a notebook's solutions: its setup, then each exercise filled in, without outputs.

    Args:
        links: is handed every piece of Markdown, for its links.
        answers: whether the fold "Answer" stands there too, before the reasoning.
    """
    cells: list[dict[str, Any]] = []
    for cell in book["cells"]:  # what every exercise may use: the first cells of code, up to the one with the size
        if cell["cell_type"] == "code":
            cells.append(code(cell["source"], cell["id"], dict(cell["metadata"])))
            if "SIZE = " in cell["source"]:
                break
    for card, stub, folds in exercises(book):
        fold = folds_of(folds)
        (filled,) = CODE.findall(fold["Solution"])
        check = stub["source"].splitlines()[-1]
        reasoning = CODE.sub("", fold["Solution"]).strip()
        heading = card["source"][1:]  # one level up: no section stands above it here
        told = f"**In short:** {fold['Answer']}\n\n{reasoning}" if answers else reasoning
        cells += [text(links(heading), card["id"]), code(f"{filled}\n\n{check}", stub["id"]),
                  text(links(told), folds["id"])]
    return cells


def text(source: str, name: str) -> dict[str, Any]:
    """A cell of Markdown, by the id `name`."""
    return {"cell_type": "markdown", "id": name, "metadata": {}, "source": source}


def code(source: str, name: str, metadata: dict[str, Any] | None = None) -> dict[str, Any]:
    """A cell of code that has not been run, by the id `name`."""
    return {"cell_type": "code", "execution_count": None, "id": name, "metadata": metadata or {}, "outputs": [],
            "source": source}
