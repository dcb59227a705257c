"""The reader's own progress: which exercises are solved, kept in a file on this machine and sent nowhere.

The file is ~/.mmsa_utils/progress.json; the environment variable MMSA_PROGRESS names another, and nothing is kept
where it is empty.
"""

from __future__ import annotations

import json
import os
import tempfile
from datetime import date
from pathlib import Path

from ..figures.panels import GREY
from .table import EXERCISES, MARKS

_MARKS = {**MARKS, None: ("·", GREY)}


def where() -> Path | None:
    """The file that progress is kept in, or None where it is not kept."""
    name = os.environ.get("MMSA_PROGRESS")
    if name == "":
        return None
    return Path(name) if name else Path.home() / ".mmsa_utils" / "progress.json"


def read() -> dict[str, dict]:
    """Exercise number → {"status": "right" or "wrong", "tries": n, "solved": ISO date or None}; empty at the start."""
    path = where()
    try:
        found = json.loads(path.read_text(encoding="utf8")) if path else {}
    except (OSError, ValueError, RecursionError):  # not there yet, or spoiled: a card is not worth stopping for
        return {}
    if not isinstance(found, dict):
        return {}
    return {number: row for number, row in found.items() if number in EXERCISES and _is_row(row)}


def _is_row(row: object) -> bool:
    """Whether this is what `record` writes; anything else counts as not tried."""
    return (isinstance(row, dict) and {"status", "tries", "solved"} <= set(row)
            and row["status"] in ("right", "wrong") and isinstance(row["solved"], (str, type(None)))
            and type(row["tries"]) is int and 0 <= row["tries"] < 10**6)


def record(number: str, status: str) -> None:
    """Note a try at an exercise; what has once been right stays so. Where nothing can be written, nothing is kept."""
    path = where()
    if path is None:
        return
    rows = read()
    row = rows.get(number, {"status": status, "tries": 0, "solved": None})
    if row["solved"] is None:
        row = {"status": status, "tries": row["tries"] + 1,
               "solved": date.today().isoformat() if status == "right" else None}
    rows[number] = row
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf8") as file:
            json.dump(rows, file, indent=1)
        os.replace(file.name, path)  # whole or not at all
    except OSError:
        pass


class Card:
    """What `show` shows, for one notebook or for the course: as HTML in a notebook, as lines of text elsewhere."""

    def __init__(self, rows: dict[str, dict]):
        self.rows = rows
        self.notebooks: dict[str, list[str]] = {}
        for number in EXERCISES:
            self.notebooks.setdefault(number.partition(".")[0], []).append(number)

    def _status(self, number: str) -> str | None:
        return self.rows.get(number, {}).get("status")

    def _sum(self) -> str:
        solved = sum(self._status(number) == "right" for number in EXERCISES)
        return f"{solved} of {len(EXERCISES)} exercises solved"

    def __repr__(self) -> str:
        lines = [self._sum()]
        for key, numbers in self.notebooks.items():
            marks = "  ".join(f"{number} {_MARKS[self._status(number)][0]}" for number in numbers)
            lines.append(f"notebook {int(key):02d}   {marks}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        body = ""
        for key, numbers in self.notebooks.items():
            cells = ""
            for number in numbers:
                status = self._status(number)
                mark, colour = _MARKS[status]
                words = status or "not tried"
                cells += (f'<td title="{EXERCISES[number]}: {words}" style="padding:2px 10px;text-align:left">'
                          f'<span style="color:{colour}">{mark}</span> {number} <small>{words}</small></td>')
            body += f'<tr><th scope="row" style="text-align:left">notebook {int(key):02d}</th>{cells}</tr>'
        return f"<b>{self._sum()}</b><table>{body}</table>"


def show() -> Card:
    """The progress card: every exercise of the course, and whether it was solved on this machine."""
    return Card(read())
