"""Grade a folder of handed-in notebooks: `python -m mmsa_utils grade FOLDER --csv grades.csv`.

Each runs in a process of its own, and only what was judged outside of it (`run`) gets into the grade book.
docs/grading.md tells teachers how to use this, and what it does not protect from.
"""

from __future__ import annotations

import contextlib
import csv
import json
import math
import os
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..exercises import checks
from ..exercises.table import EXERCISES
from .run import Run, isolation, run

MOST_BYTES, MOST_CODE = 20 * 10**6, 10**6  # of a handed-in file, and of the code in it


@dataclass(frozen=True)
class HandIn:
    """A file that was handed in: its name, number of its notebook or "", sources of its code cells, what is wrong."""

    file: str
    notebook: str = ""
    cells: tuple[str, ...] = ()
    problem: str = ""


def grade(folder: str | Path, out: str | Path, seconds: float = 300, memory: float = 4000, jobs: int = 1,
          log: Callable[[str], None] = lambda line: None) -> dict[str, Any]:
    """Run every notebook in a folder and its folders, and write a grade book with a row for each.

    Args:
        out: the grade book, a CSV file. It is whole after each notebook: whoever stops early has the rows so far.
        seconds: that one notebook may take.
        memory: megabytes that one notebook may hold.
        jobs: notebooks at a time.
        log: is handed a line for each notebook.

    Returns:
        "notebooks", their number; "csv", the path of the grade book; "rows", with every check's message as well.

    Raises:
        ValueError: if there is no notebook, a limit is not above 0, or psutil is missing.
        OSError: if the grade book cannot be written.
    """
    out = Path(out)
    try:
        import psutil  # noqa: F401
    except ImportError as error:
        raise ValueError(f'grading needs psutil ({error}): pip install "mmsa-utils[notebooks]".') from error
    if not min(seconds, memory, jobs) > 0 or not math.isfinite(seconds + memory):
        raise ValueError(f"--seconds {seconds:g}, --memory {memory:g}, --jobs {jobs}: expected numbers above 0.")
    # All are read, and all checks imported, before the first one runs: what runs can change neither.
    handed_in = find(Path(folder))
    for name in EXERCISES.values():
        getattr(checks, name)
    with open(out, "a"):  # or there is no use in beginning
        pass
    fit, many = sum(not item.problem for item in handed_in), len(handed_in) != 1
    log(f"found {len(handed_in)} notebook{'s' * many} in {folder} and its folders, {fit} to be run, {jobs} at a time; "
        f"kept off the network by {'the system' if isolation() else 'their own process only: see docs/grading.md'}")
    rows: list[dict | None] = [None] * len(handed_in)
    stop, begun = threading.Event(), time.monotonic()

    def graded(item: HandIn) -> dict[str, Any]:
        return row_of(item, Run(item.problem) if item.problem else run(item.cells, seconds, memory, stop))

    with not_recorded(), ThreadPoolExecutor(jobs) as pool:
        places = {pool.submit(graded, item): place for place, item in enumerate(handed_in)}
        try:
            for done, future in enumerate(as_completed(places), start=1):
                row = rows[places[future]] = future.result()
                try:
                    save(rows, out)
                except OSError as error:  # on Windows, while a spreadsheet has it open; there are more chances
                    log(f"{out} cannot be written now ({error.strerror}): close it")
                left = math.ceil((time.monotonic() - begun) / done * (len(rows) - done) / 60)
                log(f"[{done}/{len(rows)}{f', about {left} min left' if left else ''}] {row['file']}: {row['solved']} "
                    f"of {row['of']} right, {row['seconds']} s, {row['memory MB']} MB{'; ' * bool(row['remark'])}"
                    f"{row['remark']}")
        except BaseException:  # Ctrl-C above all: end what runs, and begin nothing more
            stop.set()
            pool.shutdown(cancel_futures=True)
            log(f"stopped; {sum(map(bool, rows))} of {len(rows)} notebooks are in {out}")
            raise
    save(rows, out)
    return {"notebooks": len(rows), "csv": str(out), "rows": rows}


@contextlib.contextmanager
def not_recorded() -> Iterator[None]:
    """The answers of a class do not belong on the teacher's own progress card."""
    before = os.environ.get("MMSA_PROGRESS")
    os.environ["MMSA_PROGRESS"] = ""
    try:
        yield
    finally:
        del os.environ["MMSA_PROGRESS"]
        if before is not None:
            os.environ["MMSA_PROGRESS"] = before


def find(folder: Path) -> list[HandIn]:
    """Every ``*.ipynb`` in a folder and its folders, by name; what is hidden, or a link to a folder, is not entered."""
    if not folder.is_dir():
        raise ValueError(f"there is no folder {folder}: expected one with handed-in notebooks in it.")
    found: list[Path] = []
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith((".", "__MACOSX"))]
        found += [Path(place, name) for name in folders + files if name.endswith(".ipynb") and name[0] != "."]
        folders[:] = [name for name in folders if not name.endswith(".ipynb")]
    if not found:
        raise ValueError(f"there are no notebooks (*.ipynb) in {folder} or its folders.")
    return [read(path, path.relative_to(folder).as_posix()) for path in sorted(found)]


def read(path: Path, file: str) -> HandIn:
    """One handed-in file, whatever it is. Its number stands in the title, "# NN · ", else in the file's name."""
    name = re.match(r"(\d\d)\D", path.name)
    number = name[1] if name else ""
    try:
        problem = unfit(path)
        book = {"cells": []} if problem else json.loads(path.read_text(encoding="utf-8-sig"))
        sources = [(cell["cell_type"], "".join(cell["source"])) for cell in book["cells"]]
    except OSError as error:
        problem = f"cannot be read ({error.strerror})"
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        problem = f"is not a notebook ({type(error).__name__}: {error})"
    if problem:
        return HandIn(file, number, problem=problem)
    for kind, source in sources:
        title = re.search(r"^# (?:.*\D)?(\d\d) · ", source, re.MULTILINE) if kind == "markdown" else None
        if title:
            number = title[1]
            break
    cells = tuple(source for kind, source in sources if kind == "code")
    size = sum(map(len, cells))
    return HandIn(file, number, cells, f"has {size / 1e6:.1f} MB of code" if size > MOST_CODE else "")


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


def row_of(item: HandIn, state: Run) -> dict[str, Any]:
    """A notebook's row. Without a number in title or name it is the notebook whose checks it called most."""
    verdicts = dict(state.verdicts)
    called = Counter(number.partition(".")[0] for number in verdicts).most_common(1)
    key = (item.notebook or (called[0][0] if called else "")).lstrip("0")
    found = {number: verdicts[number].status if number in verdicts else "missing"
             for number in EXERCISES if number.partition(".")[0] == key}
    place = f" in code cell {state.cell}" if state.end and state.cell else ""
    more = f" (and {state.raised - 1} more)" if state.raised > 1 else ""
    return {
        "file": printable(item.file), "notebook": item.notebook or key.zfill(2 * bool(key)),
        "solved": sum(status == "right" for status in found.values()), "of": len(found), "exercises": found,
        "messages": {number: printable(verdicts[number].message) for number in found if number in verdicts},
        "seconds": round(state.seconds), "memory MB": round(state.peak / 1e6),
        "remark": printable("; ".join(filter(None, (state.end + place, state.error + more))), 400)}


def printable(text: str, most: int = 2000) -> str:
    """On one line, without control characters and halves of characters."""
    return "".join(c if c.isprintable() else " " for c in text[:most]).strip()


def save(rows: list[dict | None], out: Path) -> None:
    """Write the rows that are there, whole or not at all.

    In UTF-8 with its mark (BOM) in front: without it Excel takes the file for another encoding, and garbles names.
    """
    columns = {number: f"{number} {name}" for number, name in EXERCISES.items()}  # 2.1 alone may turn into a date
    head, tail = ["file", "notebook", "solved", "of"], ["seconds", "memory MB", "remark"]
    part = out.with_name(f"{out.name}.part")
    with open(part, "w", encoding="utf-8-sig", newline="") as file:
        table = csv.writer(file)
        table.writerow([*head, *columns.values(), *tail])
        for row in filter(None, rows):
            cells = [*(row[name] for name in head), *(row["exercises"].get(number, "") for number in columns),
                     *(row[name] for name in tail)]
            table.writerow([f"'{cell}" if str(cell).startswith(("=", "+", "-", "@")) else cell for cell in cells])
    os.replace(part, out)
