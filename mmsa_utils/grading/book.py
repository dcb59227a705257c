"""The tables that grading writes: a row for each notebook, one for each student, and answers that are alike."""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ..exercises.table import EXERCISES
from .hand_ins import HandIn
from .run import Run

_COLUMNS = {number: f"{number} {name}" for number, name in EXERCISES.items()}  # 2.1 alone may turn into a date


def row_of(item: HandIn, state: Run) -> dict[str, Any]:
    """A notebook's row. Without a number in title or name it is the notebook whose checks it called most."""
    verdicts = dict(state.verdicts)
    called = Counter(number.partition(".")[0] for number in verdicts).most_common(1)
    key = (item.notebook or (called[0][0] if called else "")).lstrip("0")
    found = {number: verdicts[number].status if number in verdicts else "missing"
             for number in EXERCISES if number.partition(".")[0] == key}
    place = f" in code cell {state.cell}" if state.end and state.cell else ""
    more = f" (and {state.raised - 1} more)" if state.raised > 1 else ""
    elsewhere = sorted({number.partition(".")[0].zfill(2) for number in verdicts if number not in found})
    astray = f"calls checks of notebook {', '.join(elsewhere)}, which count nothing here" if elsewhere else ""
    stopped, error = (printable(text, 400) for text in (state.end + place, state.error + more))
    return {
        "student": printable(item.student), "file": printable(item.file),
        "notebook": item.notebook or key.zfill(2 * bool(key)),
        "solved": sum(status == "right" for status in found.values()), "of": len(found), "exercises": found,
        "shares": {number: 1.0 if status == "right" else verdicts[number].share if status == "wrong" else 0.0
                   for number, status in found.items()},
        "messages": {number: printable(verdicts[number].message) for number in found if number in verdicts},
        "handed in": item.when.isoformat(" ", "minutes") if item.when else "", "counts": True, "notes": [],
        "seconds": round(state.seconds), "memory MB": round(state.peak / 1e6),
        "stopped": stopped, "error": error, "astray": astray,
        "remark": printable("; ".join(filter(None, (astray, stopped, error))), 400)}


def printable(text: str, most: int = 2000) -> str:
    """On one line, without control characters and halves of characters."""
    return "".join(c if c.isprintable() else " " for c in text[:most]).strip()


def beside(out: Path, name: str) -> Path:
    """A further file of a grade book: grades.csv and "students.csv" → grades_students.csv."""
    return out.with_name(f"{out.name.removesuffix('.csv')}_{name}")


def save(rows: Sequence[dict | None], out: Path) -> None:
    """Write the rows that are there: a row for each notebook."""
    head, tail = ["student", "file", "notebook", "solved", "of"], ["handed in", "seconds", "memory MB", "remark"]
    table = [[*head, *_COLUMNS.values(), *tail]]
    for row in filter(None, rows):
        said = {number: f"{status} ({row['shares'][number]:.2g})" if status == "wrong" and row["shares"][number]
                else status for number, status in row["exercises"].items()}
        remark = "; ".join(filter(None, (*row["notes"], row["remark"])))
        table.append([*(row[name] for name in head), *(said.get(number, "") for number in _COLUMNS),
                      *(row[name] for name in tail[:-1]), printable(remark, 800)])
    write(table, out)


def save_students(found: Sequence[dict], out: Path) -> None:
    """Write a row for each student."""
    numbers = list(found[0]["earned"]) if found else []
    table: list[list] = [["student", "points", "of", "percent", "files", *map(_COLUMNS.__getitem__, numbers), "remark"]]
    for one in found:
        table.append([one["student"], one["points"], one["of"], one["percent"], len(one["files"]),
                      *(one["earned"][number] for number in numbers), printable("; ".join(one["remark"]), 800)])
    write(table, out)


def save_similar(pairs: Sequence[dict], out: Path) -> None:
    """Write a row for each two answers that are alike."""
    names = ["exercise", "alike", "student", "file", "other student", "other file"]
    write([names, *([pair[name] for name in names] for pair in pairs)], out)


def write(table: Iterable[Iterable], out: Path) -> None:
    """Write a table, whole or not at all.

    In UTF-8 with its mark (BOM) in front: without it Excel takes the file for another encoding, and garbles names.
    """
    part = out.with_name(f"{out.name}.part")
    with open(part, "w", encoding="utf-8-sig", newline="") as file:
        lines = csv.writer(file)
        for row in table:
            lines.writerow([f"'{cell}" if str(cell).startswith(("=", "+", "-", "@")) else cell for cell in row])
    os.replace(part, out)
