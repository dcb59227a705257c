"""A page for each student: what every check said to every answer, beside the answer; one HTML file that runs nothing.

Nothing on it comes from anywhere but the student's own notebooks and the checks, whose words give no answer away.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from ..exercises.table import EXERCISES
from ..figures.document import document
from .answers import Written
from .book import printable

_MOST_CODE = 6000  # signs of an answer that are shown
_WORDS = {"right": ("✓", "right"), "wrong": ("✗", "not right yet"), "not yet": ("…", "not filled in yet"),
          "missing": ("·", "not handed to its check")}
_HELP = {"not yet": "The dots of the task still stand there.",
         "missing": "The last line of the task calls a check, and that line was never reached. Restart the kernel, run "
                    "all cells, and see where it stops."}
_STYLE = """
:root { --right: #00694f; --wrong: #a33f00; --grey: #5c5c5c }
@media (prefers-color-scheme: dark) { :root { --right: #4fd0a5; --wrong: #ffb067; --grey: #b0b0b0 } }
body { max-width: 52rem } h3 .soft { font-weight: 400 } h3 b { color: var(--grey) }
section { border-left: 4px solid var(--grey); padding: .1rem 0 .1rem .9rem; margin: 1.3rem 0 }
section.right { border-color: var(--right) } section.wrong { border-color: var(--wrong) }
.right h3 b { color: var(--right) } .wrong h3 b { color: var(--wrong) }
pre { background: var(--box); padding: .6rem .8rem; margin: .5rem 0; overflow-x: auto; font-size: .875rem;
  line-height: 1.4; overflow-wrap: normal; tab-size: 4 }
pre:focus-visible { outline: 2px solid var(--blue) }
code { font-family: ui-monospace, "DejaVu Sans Mono", monospace }
@media print { body { padding: 0 } pre { white-space: pre-wrap; border: 1px solid var(--line) }
  h2, h3 { break-after: avoid } section p { break-inside: avoid } }
"""


def write_pages(folder: Path, students: Sequence[Mapping[str, Any]], rows: Sequence[Mapping[str, Any]],
                answers: Mapping[str, Mapping[str, Written]], worth: Mapping[str, float]) -> list[str]:
    """Write a page for each student into a folder; returns their names, one for each student.

    Args:
        students: the rows of `points.students`.
        rows: of all notebooks.
        answers: file of a notebook → its answers.
        worth: exercise → points.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names: list[str] = []
    for student in students:
        stem = re.sub(r"[^\w. -]", "_", student["student"]).strip(". ")[:80] or "student"
        taken = {name.casefold() for name in names}  # some file systems know no capitals
        ends = itertools.chain([""], (f"_{n}" for n in itertools.count(2)))
        name = next(name for end in ends if (name := f"{stem}{end}.html").casefold() not in taken)
        own = [row for row in rows if row["student"] == student["student"]]
        (folder / name).write_text(page(student, own, answers, worth), encoding="utf-8")
        names.append(name)
    return names


def page(student: Mapping[str, Any], rows: Sequence[Mapping[str, Any]],
         answers: Mapping[str, Mapping[str, Written]], worth: Mapping[str, float]) -> str:
    """One student's page, HTML."""
    counted = [row for row in rows if row["counts"]]
    title = f"Your work: {student['student']}"
    parts = [f"<h1>{escape(title)}</h1>",
             f"<p><strong>{_points(student['points'], student['of'])}</strong>"
             + (f" ({student['percent']:g} %)" if student["of"] else "") + "</p>",
             '<p class="soft">Each answer was tried on inputs that nobody had seen before. What is not right yet can '
             "be tried again in the notebook: its check says at once whether it holds.</p>"]
    for row in sorted(counted, key=lambda row: (row["notebook"], row["file"])):
        parts += [_notebook(row), *(_exercise(number, status, row, answers.get(row["file"], {}).get(number), worth)
                                    for number, status in row["exercises"].items())]
    others = [f"{row['file']} ({note})" for row in rows for note in row["notes"] if note.startswith("not counted")]
    if others:
        parts.append(f'<p class="soft">Handed in too: {escape(", ".join(others))}.</p>')
    return document(title, parts, style=_STYLE)


def _points(earned: float, of: float) -> str:
    return f"{earned:.4g} of {of:.4g} point{'s' * (of != 1)}"


def _notebook(row: Mapping[str, Any]) -> str:
    """What is to be said of a whole notebook: which, when, and where it stopped."""
    name = f"Notebook {row['notebook']}" if row["notebook"] else "A file that is no notebook of this course"
    came = f", handed in {row['handed in']}" if row["handed in"] else ""
    said = [note for note in row["notes"] if note.startswith("late")]
    lines = [f"<h2>{escape(name)}</h2>", f'<p class="soft">{escape(row["file"].rpartition("/")[2] + came)}'
             + "".join(f"; {escape(note)}" for note in said) + f". {row['solved']} of {row['of']} right.</p>"]
    if row["astray"]:
        lines.append(f'<p class="note">It {escape(row["astray"])}: its title or its name says {row["notebook"]}.</p>')
    if row["stopped"]:
        lines.append(f'<p class="note">{escape(_stopped(row["stopped"]))}</p>')
    if row["error"]:
        lines.append(f'<p class="note">A cell raised an error, and the cells after it were run all the same. The '
                     f"first one: {escape(row['error'])}</p>")
    return "\n".join(lines)


def _stopped(why: str) -> str:
    """Why a notebook did not come to its end, to its author."""
    if "tampered" in why:
        return ("Your notebook stopped early: it did something that the grader cannot follow. Please talk to your "
                "teacher about it.")
    if why.startswith(("is ", "has ", "cannot be read")):
        return f"This file could not be run: it {why}. Please hand it in again."
    return f"Your notebook stopped early: {why}. What comes after was not run."


def _exercise(number: str, status: str, row: Mapping[str, Any], answer: Written | None,
              worth: Mapping[str, float]) -> str:
    """One exercise: the verdict, its points, what the check said, and the student's own code."""
    sign, words = _WORDS[status]
    share = row["shares"][number]
    if status == "wrong" and share:
        sign, words = "◐", "right in part"
    points = _points(worth[number] * share, worth[number]) if worth.get(number) else "not counted"
    said = row["messages"].get(number, "") if status in ("right", "wrong") else _HELP[status]
    code = ""
    if answer is not None:
        text = answer.text[:_MOST_CODE] + ("\n…" if len(answer.text) > _MOST_CODE else "")
        lines = "\n".join(printable_line(line) for line in text.split("\n"))
        code = f'<pre tabindex="0" aria-label="your answer to exercise {number}"><code>{escape(lines)}</code></pre>'
    elif status in ("right", "wrong"):
        code = '<p class="soft">Which of your cells this answer stands in could not be told.</p>'
    return (f'<section class="{status if status in ("right", "wrong") else "open"}">\n<h3>Exercise {number} · '
            f'<code>{EXERCISES[number]}</code>: <b><span aria-hidden="true">{sign}</span> {words}</b> '
            f'<span class="soft">({points})</span></h3>\n<p>{escape(said)}</p>\n{code}\n</section>')


def printable_line(line: str) -> str:
    """A line of code without control characters; its indentation stays."""
    body = line.lstrip(" \t")
    return line[:len(line) - len(body)] + printable(body, 400)
