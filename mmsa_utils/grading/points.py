"""What each exercise is worth, and what everybody has: a row for each student, over all files."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from ..exercises.table import EXERCISES
from .hand_ins import HandIn

Row = dict[str, Any]


def read_points(path: str | Path) -> dict[str, float]:
    """Exercise → points, from a JSON object or a CSV table of two columns, with or without a header.

    Raises:
        ValueError: for an unknown exercise, one that stands twice, or points that are no number from 0 up.
        OSError: if it cannot be read.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise OSError(f"--points {path} cannot be read ({error.strerror}): expected a table of two columns, or a JSON "
                      "object.") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not in UTF-8 ({error}): save it anew in that encoding.") from None
    try:
        pairs = list(json.loads(text).items()) if str(path).endswith(".json") else _table(text)
    except (ValueError, AttributeError, csv.Error) as error:
        raise ValueError(f'{path}: expected an object such as {{"2.1": 1, "2.2": 2}} ({error}).') from None
    points: dict[str, float] = {}
    for number, value in pairs:
        number = str(number).split()[0] if str(number).strip() else ""  # "2.1 token_average" will do as well
        if number not in EXERCISES or number in points:
            raise ValueError(f"{path}: {number!r} {'stands twice' if number in points else 'is no exercise'}; expected "
                             f"each exercise once, such as {next(iter(EXERCISES))}.")
        try:
            points[number] = float(str(value).replace(",", "."))
        except ValueError:
            points[number] = -1
        if not 0 <= points[number] < math.inf:
            raise ValueError(f"{path}: exercise {number} is worth {value!r}: expected a number from 0 up.")
    if not sum(points.values()):
        raise ValueError(f"{path}: nothing is worth a point there; expected rows such as 2.1,1.")
    return points


def _table(text: str) -> list[tuple[str, str]]:
    """The rows of a CSV table; where semicolons stand between columns, a comma is a decimal one."""
    rows = csv.reader(io.StringIO(text), delimiter=";" if ";" in text else ",")
    pairs = [(row[0], row[1]) if len(row) > 1 else (row[0], "") for row in rows if any(map(str.strip, row))]
    return pairs[1:] if pairs and not pairs[0][0].strip()[:1].isdigit() else pairs


def mark(handed_in: Sequence[HandIn], rows: Sequence[Row | None], due: datetime | None = None) -> None:
    """Write into each row whether it counts, and notes: late, one of several, the same file as somebody else's.

    Of several files of a notebook by one student the newest that could be opened counts; of equally new ones the last
    by name.
    """
    there = [(item, row) for item, row in zip(handed_in, rows) if row]
    groups: dict[tuple, list[tuple[HandIn, Row]]] = {}
    same: dict[str, list[tuple[HandIn, Row]]] = {}
    for item, row in there:
        row["counts"], row["notes"] = bool(item.student), late(item, due)
        if item.student and row["notebook"]:
            groups.setdefault((row["student"], row["notebook"]), []).append((item, row))
        if item.digest:
            same.setdefault(item.digest, []).append((item, row))
    for group in groups.values():
        *older, (best, counted) = sorted(group, key=lambda pair: (not pair[0].problem, pair[0].when or datetime.min,
                                                                  pair[0].file))
        for item, row in older:
            row["counts"] = False
            row["notes"].append(f"not counted: {_why_not(item, best)}")
        if older:
            counted["notes"].append(_which([item for item, _ in group], best))
    for group in same.values():
        for item, row in group:
            others = [other.file for other, _ in group if other.student != item.student]
            if others:
                row["notes"].append(f"byte for byte the same as {', '.join(others[:3])}"
                                    + (f" and {len(others) - 3} more" if len(others) > 3 else ""))


def _why_not(item: HandIn, best: HandIn) -> str:
    """Why another file of the notebook counts in the place of this one."""
    if item.problem and not best.problem:
        return f"it {item.problem}; {best.file} counts"
    return f"{best.file} is {'newer' if item.when != best.when else 'as new, and later by name'}"


def _which(group: Sequence[HandIn], best: HandIn) -> str:
    """Which of several files of a notebook counts."""
    rivals = [item for item in group if bool(item.problem) == bool(best.problem)]
    fit = "" if len(rivals) == len(group) else " that can be run"
    if len(rivals) == 1:
        return f"the only one of {len(group)} files of this notebook{fit}"
    as_new = sum(item.when == best.when for item in rivals) > 1
    return f"the newest of {len(rivals)} files of this notebook{fit}" + ", or as new as another" * as_new


def late(item: HandIn, due: datetime | None) -> list[str]:
    """Whether a file came late, and by how much; nothing is taken off for it."""
    if due and item.when and item.when > due:
        return [f"late by {span(item.when - due)}, by {item.dated}"]
    return ["late, by its name"] if item.late else []


def span(time: timedelta) -> str:
    """A span of time, in its two largest units."""
    minutes = math.ceil(time.total_seconds() / 60)
    days, hours = divmod(minutes // 60, 24)
    parts = [f"{days} day{'s' * (days != 1)}"] * bool(days) + [f"{hours} h"] * bool(hours) + [f"{minutes % 60} min"]
    return " ".join(parts[:2])


def worth_of(rows: Sequence[Row | None], points: Mapping[str, float] | None = None) -> Mapping[str, float]:
    """Exercise → points: the given ones, or 1 for each exercise of the notebooks that anybody handed in."""
    used = {row["notebook"].lstrip("0") for row in rows if row and row["notebook"]}
    return points if points is not None else {number: 1.0 for number in EXERCISES if number.partition(".")[0] in used}


def students(rows: Sequence[Row | None], points: Mapping[str, float] | None = None) -> list[Row]:
    """A row for each student: the points of all files that count, of how many, and what there is to say.

    Args:
        points: exercise → what it is worth, as `worth_of` takes it.
    """
    worth = worth_of(rows, points)
    found: dict[str, Row] = {}
    for row in rows:
        if not row or not row["student"]:
            continue
        one = found.setdefault(row["student"], {"student": row["student"], "earned": {}, "files": [], "remark": []})
        if row["counts"]:
            one["files"].append(row["file"])
            one["earned"] |= {number: worth.get(number, 0) * share for number, share in row["shares"].items()}
        one["remark"] += [f"{row['file']}: {note}" for note in row["notes"]]
    of = sum(worth.values())
    for one in found.values():
        earned = {number: one["earned"].get(number, 0.0) for number in worth}
        total = sum(earned.values())
        one |= {"earned": {number: round(value, 2) for number, value in earned.items()}, "points": round(total, 2),
                "of": round(of, 2), "percent": round(100 * total / of, 1) if of else 0.0}
    return sorted(found.values(), key=lambda one: one["student"])
