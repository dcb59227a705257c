"""What lies in a folder of handed-in files: whose each is, when it came, its cells; nothing is run here."""

from __future__ import annotations

import hashlib
import json
import os
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

MOST_BYTES, MOST_CODE = 20 * 10**6, 10**6  # of a handed-in file, and of the code in it
_ENDING = re.compile(r"\.ipynb$", re.IGNORECASE)
_NOT_ENTERED = (".", "__MACOSX")
_D2L = re.compile(r"([A-Z][a-z]{2})[a-z]* (\d{1,2}),? (\d{4}),? (\d{1,2})\D?(\d\d) ?([AP]M)")  # Dec 1, 2026 1159 PM


@dataclass(frozen=True)
class HandIn:
    """A file that was handed in: its name, number of its notebook or "", sources of its code cells, what is wrong."""

    file: str
    notebook: str = ""
    cells: tuple[str, ...] = ()
    problem: str = ""
    student: str = ""
    when: datetime | None = None  # local time
    dated: str = ""  # where that comes from: "its name" or "the file's date"
    late: bool = False  # its name says so
    digest: str = ""  # of its bytes
    folds: tuple[str, ...] = ()  # the blocks of Python in its texts, where the solutions stand
    variant: int = 0  # of its exercises, by its title


def find(folder: Path, pattern: str | None = None) -> list[HandIn]:
    """Every ``*.ipynb`` in a folder and its folders, by name, in capitals too.

    What is hidden, or a link to a folder, is not entered.

    Args:
        pattern: a regular expression that finds the student in a file's place below the folder, as `whose` says.
    """
    if not folder.is_dir():
        raise ValueError(f"there is no folder {folder}: expected one with handed-in notebooks in it.")
    whose("", pattern)  # or its mistakes would be told after the work
    found: list[Path] = []
    for place, folders, files in _walk(folder):
        found += [Path(place, name) for name in folders + files if _ENDING.search(name) and name[0] != "."]
        folders[:] = [name for name in folders if not _ENDING.search(name)]
    if not found:
        raise ValueError(f"there are no notebooks (*.ipynb) in {folder} or its folders.")
    return [read(path, path.relative_to(folder).as_posix(), pattern) for path in sorted(found)]


def _walk(folder: Path) -> Iterator[tuple[str, list[str], list[str]]]:
    """As os.walk, but for what is hidden or a Mac's."""
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(_NOT_ENTERED)]
        yield place, folders, files


def read(path: Path, file: str, pattern: str | None = None) -> HandIn:
    """One handed-in file, whatever it is. Its number stands in the title, "# NN · ", else in the file's name."""
    name = re.match(r"(\d\d)\D", path.name)
    about: dict[str, Any] = {"notebook": name[1] if name else "", **whose(file, pattern)}
    try:
        if about.get("when") is None:
            about |= {"when": datetime.fromtimestamp(path.lstat().st_mtime), "dated": "the file's date"}
        problem = unfit(path)
        raw = b"" if problem else path.read_bytes()
        book = {"cells": []} if problem else json.loads(raw.decode("utf-8-sig"))
        about["digest"] = hashlib.sha256(raw).hexdigest() if raw else ""
        if isinstance(book, dict) and "cells" not in book and "worksheets" in book:  # before nbformat 4, of 2015
            problem, book = "is of an old format: open it in Jupyter and save it", {"cells": []}
        sources = [(cell["cell_type"], "".join(cell["source"])) for cell in book["cells"]]
    except OSError as error:
        problem = f"cannot be read ({error.strerror})"
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        problem = f"is not a notebook ({type(error).__name__}: {error})"
    if problem:
        return HandIn(file, problem=problem, **about)
    texts = [source for kind, source in sources if kind == "markdown"]
    titles = (re.search(r"^# (?:.*\D)?(\d\d) · ", text, re.MULTILINE) for text in texts)
    about["notebook"] = next((title[1] for title in titles if title), about["notebook"])
    variants = (re.search(r"^# .*\d\d · .* · variant (\d{1,18})\s*$", text, re.MULTILINE) for text in texts)
    about["variant"] = next((int(variant[1]) for variant in variants if variant), 0)
    cells = tuple(source for kind, source in sources if kind == "code")
    size = sum(map(len, cells))
    return HandIn(file, cells=cells, problem=f"has {size / 1e6:.1f} MB of code" if size > MOST_CODE else "", **about,
                  folds=tuple(block for text in texts for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL)))


def whose(file: str, pattern: str | None) -> dict[str, Any]:
    """A file's student, and when it was handed in if its place says so.

    Letters with marks are one sign each in what is found: a Mac's archives hold them as two, and "Zoë" would be two
    students.

    Without a pattern the student is the first folder, or the name of a file that lies in none. With one it is the
    group named `student`, or the first group; a group named `time` is read as a time (2026-12-01-23-59-00, or Dec 1,
    2026 1159 PM), and a group named `late` says that the platform calls it late. Where it finds nothing, "".

    Raises:
        ValueError: if the pattern is no regular expression, or has no group.
    """
    file = unicodedata.normalize("NFC", file)
    if pattern is None:
        return {"student": _ENDING.sub("", file.partition("/")[0])}
    try:
        expression = re.compile(unicodedata.normalize("NFC", pattern))
    except re.error as error:
        raise ValueError(f"--student {pattern!r} is no regular expression: {error}.") from None
    if not expression.groups:
        raise ValueError(f"--student {pattern!r} has no group: put what is the student between ( and ).")
    match = expression.search(file)
    if match is None:
        return {}
    groups = match.groupdict()
    when = moment(groups.get("time") or "")
    return {"student": (groups["student"] if "student" in groups else match[1]) or "", "late": bool(groups.get("late")),
            "when": when, "dated": "its name" if when else ""}


def moment(text: str) -> datetime | None:
    """The time in a name, or None: year first and numbers only, or as Brightspace writes it."""
    try:
        if found := _D2L.search(text):
            return datetime.strptime(" ".join(found.groups()), "%b %d %Y %I %M %p")
        numbers = [int(number) for number in re.findall(r"\d+", text)]
        return datetime(*numbers[:6]) if len(numbers) >= 5 else None  # type: ignore[arg-type]
    except ValueError:
        return None


def unfit(path: Path) -> str:
    """Why a file is not even opened, or ""."""
    if path.is_symlink():
        return "is a link, which is not followed"
    if not path.is_file():
        return "is not a file"
    size = path.stat().st_size
    if not size:
        return "is empty"
    return f"is too large ({size / 1e6:.0f} MB, expected at most {MOST_BYTES // 10**6})" if size > MOST_BYTES else ""


def overlooked(folder: Path, handed_in: Sequence[HandIn]) -> list[str]:
    """What may have been meant to be a notebook, and was not found: folders without any, files of other endings."""
    there = {item.file.partition("/")[0] for item in handed_in}
    bare = sorted(entry.name for entry in os.scandir(folder)
                  if entry.is_dir() and entry.name not in there and not entry.name.startswith(_NOT_ENTERED))
    other = [Path(place, name).relative_to(folder).as_posix() for place, _, files in _walk(folder) for name in files
             if re.search(r"\.ipynb.+$", name, re.IGNORECASE) and name[0] != "."]
    said = [("folders in it without a notebook (*.ipynb), or that are links", bare),
            ("files that are not taken, since their names go on after .ipynb", sorted(other))]
    return [f"{what}: {len(names)}, such as {names[0]!r}" for what, names in said if names]


def doubts(folder: Path, handed_in: Sequence[HandIn], pattern: str | None, due: datetime | None) -> list[str]:
    """What the teacher had better know before the work: nobody's files, and dates that say when a zip was opened."""
    said = overlooked(folder, handed_in)
    if pattern is None:
        loose = sum("/" not in item.file for item in handed_in)
        if loose:
            said.append(f"{loose} of {len(handed_in)} lie in no folder of a student, and each is taken for one of its "
                        "own: --student finds the student in a name")
    elif missed := [item.file for item in handed_in if not item.student]:
        said.append(f"--student finds nobody in {len(missed)} of {len(handed_in)} names, such as {missed[0]!r}: they "
                    "are counted for nobody")
    dates = [item.when for item in handed_in if item.when and item.dated == "the file's date"]
    if due and len(dates) > 2 and max(dates) - min(dates) < timedelta(minutes=1):
        said.append("all files have nearly the same date: it may be that of their download or unpacking, and --due "
                    "then says nothing of the students")
    return said
