"""Grade a folder of handed-in notebooks: `python -m mmsa_utils grade FOLDER --csv grades.csv`.

Each runs in a process of its own, and only what was judged outside of it (`run`) gets into the grade book.
docs/grading.md tells teachers how to use this, and what it does not protect from.
"""

from __future__ import annotations

import contextlib
import functools
import math
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from .. import __version__
from ..bars import progress
from ..exercises import checks
from ..exercises.table import EXERCISES
from .answers import written
from .book import beside, row_of, save, save_similar, save_students
from .feedback import write_pages
from .hand_ins import HandIn, doubts, find
from .kept import keep, take_over
from .points import mark, read_points, students, worth_of
from .run import Run, isolation, refuse_too_little, run
from .similar import similar

Log = Callable[[str], None]


def grade(folder: str | Path, out: str | Path, seconds: float = 300, memory: float = 4000, jobs: int = 1,
          log: Log = lambda line: None, *, points: str | Path | None = None, student: str | None = None,
          due: datetime | None = None, feedback: str | Path | None = None, resume: bool = False,
          variant: int = 0) -> dict[str, Any]:
    """Run every notebook in a folder and its folders, and write a grade book with a row for each.

    Beside grades.csv it writes grades_students.csv, a row for each student; grades_similar.csv, answers that are
    alike; and grades_runs.jsonl, what was run.

    Args:
        out: the grade book, a CSV file. It is whole after each notebook: whoever stops early has the rows so far.
        seconds: that one notebook may take.
        memory: megabytes that one notebook may hold.
        jobs: notebooks at a time.
        log: is handed a line for each notebook.
        points: a file that says what each exercise is worth (`points.read_points`); else each counts 1.
        student: a regular expression that finds the student in a file's place (`hand_ins.whose`).
        due: when hand-ins were due, local time; late ones are said to be late.
        feedback: a folder for a page for each student.
        resume: do not run again what an earlier call has run, into the same grade book.
        variant: of the exercises, by which all answers are judged; a notebook of another one is not run.

    Returns:
        "notebooks", their number; "csv" and "students_csv", "similar_csv", the paths of the tables; "rows", with every
        check's message as well; "students"; "similar" pairs, and what was "left_out" there.

    Raises:
        ValueError: if there is no notebook, a limit is not above 0, PyTorch cannot train under that of memory, or
            psutil is missing; for what is wrong with the file of points or the pattern.
        OSError: if the grade book or the pages cannot be written, or the file of points cannot be read.
    """
    out = Path(out)
    _refuse(seconds, memory, jobs)
    # All are read, and all checks imported, before the first one runs: what runs can change neither.
    worth = read_points(points) if points else None
    handed_in = [_of_variant(item, variant) for item in find(Path(folder), student)]
    for name in EXERCISES.values():
        getattr(checks, name)
    if any(not item.problem for item in handed_in):
        refuse_too_little(memory)
    _see_to(out, feedback)
    under = {"version": __version__, "variant": variant, "seconds": seconds, "memory": memory}
    known = take_over(beside(out, "runs.jsonl"), under, resume)
    _announce(handed_in, known, Path(folder), jobs, doubts(Path(folder), handed_in, student, due), log)
    rows: list[dict | None] = [None] * len(handed_in)

    def write() -> list[dict]:
        mark(handed_in, rows, due)
        save(rows, out)
        found = students(rows, worth)
        save_students(found, beside(out, "students.csv"))
        return found

    _run_all(handed_in, known, rows, out, jobs, functools.partial(_one, seconds, memory, variant),
             functools.partial(keep, beside(out, "runs.jsonl"), under=under), write, log)
    found = write()
    return {"notebooks": len(rows), "csv": str(out), "students_csv": str(beside(out, "students.csv")),
            **_compared(handed_in, rows, found, worth, out, feedback, log), "rows": rows, "students": found}


def _refuse(seconds: float, memory: float, jobs: int) -> None:
    try:
        import psutil  # noqa: F401
    except ImportError as error:
        raise ValueError(f'grading needs psutil ({error}): pip install "mmsa-utils[notebooks]".') from error
    if not min(seconds, memory, jobs) > 0 or not math.isfinite(seconds + memory):
        raise ValueError(f"--seconds {seconds:g}, --memory {memory:g}, --jobs {jobs}: expected numbers above 0.")


def _see_to(out: Path, feedback: str | Path | None) -> None:
    """See that the grade book and the pages can be written: or there is no use in beginning."""
    try:
        with open(out, "a"):
            pass
    except OSError as error:
        raise OSError(f"--csv {out}: the grade book cannot be written there ({error.strerror}); expected a file, in a "
                      "folder that is there.") from error
    try:
        if feedback:
            Path(feedback).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(f"--feedback {feedback}: no pages can be written there ({error.strerror}); expected a folder, "
                      "new or old.") from error


def _of_variant(item: HandIn, variant: int) -> HandIn:
    """A hand-in, or what is wrong with it: that its exercises are those of another variant."""
    if item.problem or item.variant == variant:
        return item
    names = [f"variant {number}" if number else "the course itself" for number in (item.variant, variant)]
    return replace(item, problem=f"is of {names[0]}, and {names[1]} is graded here")


def _announce(handed_in: Sequence[HandIn], known: Mapping[str, Run], folder: Path, jobs: int, more: Sequence[str],
              log: Log) -> None:
    """Say what was found, what is to be run, and how it is kept in."""
    fit, many = [item for item in handed_in if not item.problem], len(handed_in) != 1
    over = sum(item.digest in known for item in fit)
    log(f"found {len(handed_in)} notebook{'s' * many} in {folder} and its folders, {len(fit) - over} to be run"
        f"{f', {over} taken over from an earlier run' * bool(over)}, {jobs} at a time; "
        f"kept off the network by {'the system' if isolation() else 'their own process only: see docs/grading.md'}")
    for line in more:
        log(line)


def _one(seconds: float, memory: float, variant: int, item: HandIn, stop: threading.Event) -> Run:
    """Run one; whatever goes wrong with it is its own affair, and the others go on."""
    if item.problem:
        return Run(item.problem)
    try:
        return run(item.cells, seconds, memory, stop, variant)
    except Exception as error:
        return Run(f"could not be graded ({type(error).__name__}: {error})")


def _run_all(handed_in: Sequence[HandIn], known: Mapping[str, Run], rows: list[dict | None], out: Path, jobs: int,
             one: Callable[[HandIn, threading.Event], Run], kept: Callable[..., None], write: Callable[[], Any],
             log: Log) -> None:
    """Fill in the rows, each as soon as it is there, and write the tables after each."""
    for place, item in enumerate(handed_in):
        if not item.problem and item.digest in known:
            rows[place] = row_of(item, known[item.digest])
    waiting = [place for place, row in enumerate(rows) if row is None]
    stop, begun = threading.Event(), time.monotonic()
    with not_recorded(), ThreadPoolExecutor(jobs) as pool:
        places = {pool.submit(one, handed_in[place], stop): place for place in waiting}
        try:
            for done, future in enumerate(as_completed(places), start=1):
                item, state = handed_in[places[future]], future.result()
                row = rows[places[future]] = row_of(item, state)
                try:
                    if not item.problem:
                        kept(item.digest, state=state)
                    write()
                except OSError as error:  # on Windows, while a spreadsheet has it open; there are more chances
                    log(f"{error.filename or out} cannot be written now ({error.strerror}): close it")
                left = math.ceil((time.monotonic() - begun) / done * (len(waiting) - done) / 60)
                log(f"[{done}/{len(waiting)}{f', about {left} min left' if left else ''}] {row['file']}: "
                    f"{row['solved']} of {row['of']} right, {row['seconds']} s, {row['memory MB']} MB"
                    f"{'; ' * bool(row['remark'])}{row['remark']}")
        except BaseException:  # Ctrl-C above all: end what runs, and begin nothing more
            stop.set()
            pool.shutdown(cancel_futures=True)
            log(f"stopped; {sum(map(bool, rows))} of {len(rows)} notebooks are in {out}, and the same call with "
                "--resume goes on from there")
            raise


def _compared(handed_in: Sequence[HandIn], rows: Sequence[dict | None], found: Sequence[dict],
              worth: Mapping[str, float] | None, out: Path, feedback: str | Path | None, log: Log) -> dict[str, Any]:
    """Answers that are alike, and the pages for students: what needs all rows."""
    there = [(item, row) for item, row in zip(handed_in, rows) if row]
    answers = {row["file"]: written(item.cells) for item, row in there}
    counted = [(item, {number: answer for number, answer in answers[row["file"]].items()
                       if row["exercises"].get(number) in ("right", "wrong")}) for item, row in there if row["counts"]]
    pairs, left_out = similar(counted, lambda numbers: progress(numbers, "comparing", len(counted) > 50))
    save_similar(pairs, beside(out, "similar.csv"))
    for number, why in left_out.items():
        log(f"not compared, exercise {number}, {why}")
    if pairs:
        log(f"answers that are alike, two and two, to look at: {len(pairs)}, in {beside(out, 'similar.csv')}")
    result = {"similar_csv": str(beside(out, "similar.csv")), "similar": pairs, "left_out": left_out}
    if feedback:
        names = write_pages(Path(feedback), found, [row for _, row in there], answers, worth_of(rows, worth))
        log(f"pages for {len(names)} student{'s' * (len(names) != 1)} in {feedback}")
        result["feedback"] = str(feedback)
    return result


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
