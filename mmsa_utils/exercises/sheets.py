"""A notebook as a class gets it, and the teacher's key to it: made of the notebook's file, which stays as it is."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .cells import FOLD, exercises, solved, text, vary

Links = Callable[[str], str]  # Markdown → Markdown, for its links
_BADGE = "colab-badge"  # the cell with the link to the whole notebook at Colab, which tools/publish/colab.py writes
_FOLDS = re.compile(r"The\s+folds\s+below\s+each\s+exercise\s+hold[^;]*;\s+\[[^\]]*\]\(solutions/[^)]*\)\s+hold\s+them"
                    r"\s+all\s+together\.")


def read(path: Path) -> dict[str, Any]:
    """A notebook from its file, each cell's source one text.

    Raises:
        ValueError: if it is none.
        OSError: if it cannot be read.
    """
    try:
        book = json.loads(path.read_text(encoding="utf8"))
        for cell in book["cells"]:
            cell["source"] = "".join(cell["source"])
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{path} is not a notebook ({type(error).__name__}: {error})") from None
    return book


def write(book: dict[str, Any], path: Path) -> None:
    """A notebook into its file, as nbformat writes it."""
    lines = {**book, "cells": [{**cell, "source": cell["source"].splitlines(keepends=True)} for cell in book["cells"]]}
    path.write_text(json.dumps(lines, indent=1, ensure_ascii=False) + "\n", encoding="utf8", newline="\n")


def sheet(book: dict[str, Any], variant: int = 0, solutions: bool = True) -> dict[str, Any]:
    """A notebook for a class: nothing of anybody's answers or progress in it, its other outputs as they are.

    Args:
        variant: of its exercises; 0 is the course as it stands. The title names it.
        solutions: whether answers and solutions stay in the folds; hints always do.

    Raises:
        ValueError: if the notebook is not of the form that CONTRIBUTING.md describes.
    """
    book = copy.deepcopy(book)
    book["cells"] = [cell for cell in book["cells"] if cell.get("id") != _BADGE]
    vary(book, variant)
    _name(book, variant)
    found = exercises(book)
    for cell in book["cells"]:
        if cell["cell_type"] == "code" and ("exercise" in cell["metadata"].get("tags", [])
                                            or "progress.show()" in cell["source"]):
            cell |= {"outputs": [], "execution_count": None}
    if solutions:
        return book
    for _, _, folds in found:
        hint = next((fold[0] for fold in FOLD.finditer(folds["source"]) if fold[1].strip() == "Hint"), None)
        if hint is None:
            raise ValueError(f"the folds in cell {folds['id']} have no hint: without it nothing of them would be left")
        folds["source"], folds["metadata"] = hint, {}
    said = [cell for cell in book["cells"] if cell["cell_type"] == "markdown" and _FOLDS.search(cell["source"])]
    if found and not said:
        raise ValueError("nothing says what the folds below each exercise hold: expected \"The folds below each "
                         "exercise hold ...; [the solutions](...) hold them all together.\"")
    for cell in said:
        cell["source"] = _FOLDS.sub("The fold below each exercise holds a hint.", cell["source"])
    return book


def key(book: dict[str, Any], variant: int = 0) -> dict[str, Any]:
    """The teacher's key to a notebook: each exercise of the variant with its solution, its answer and its reasoning.

    Raises:
        ValueError: as `sheet`.
    """
    book = copy.deepcopy(book)
    vary(book, variant)
    _name(book, variant)
    title = book["cells"][0]["source"].splitlines()[0].removeprefix("# ")
    first = text(f"# Key · {title}\n\nFor teachers: not to be handed out. Every check says *right* when this is run.",
                 "key-title")
    return {**book, "cells": [first, *solved(book, lambda source: source, answers=True)]}


def relink(book: dict[str, Any], links: Links) -> dict[str, Any]:
    """A notebook with the links of its text made anew."""
    return {**book, "cells": [{**cell, "source": links(cell["source"])} if cell["cell_type"] == "markdown" else cell
                              for cell in book["cells"]]}


def _name(book: dict[str, Any], variant: int) -> None:
    """Have the title say the variant, where the grader looks for it."""
    first = book["cells"][0]
    title, *rest = first["source"].split("\n")
    if first["cell_type"] != "markdown" or not title.startswith("# "):
        raise ValueError(f"the first cell is no title: expected # 02 · and a name, got {title[:40]!r}")
    if variant:
        first["source"] = "\n".join([f"{title} · variant {variant}", *rest])
