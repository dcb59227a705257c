"""The words of the commands for teachers, for `options`."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from .kinds import count, moment, numbers


def grade(add: Callable[..., argparse.ArgumentParser]) -> None:
    """The options of `grade`."""
    grade = add("grade", help="for teachers: run a folder of handed-in notebooks, write a grade book", examples="""
        grade handed_in --csv grades.csv
        grade handed_in --csv grades.csv --points points.csv --due 2026-12-01T23:59 --feedback pages
        grade handed_in --csv grades.csv --jobs 4 --resume""")
    grade.add_argument("folder", metavar="FOLDER", help="with notebooks (*.ipynb), a folder for each student")
    grade.add_argument("--csv", metavar="FILE", required=True,
                       help="the grade book: a row for each notebook; a row for each student, and answers that are "
                            "alike, go into files beside it")
    grade.add_argument("--points", metavar="FILE",
                       help="what exercises are worth, CSV (2.1,3) or JSON; others count nothing (default: 1 each)")
    grade.add_argument("--student", metavar="PATTERN",
                       help="a regular expression that finds the student in a file's place below FOLDER, as its first "
                            "group or one named student; one named time is when it was handed in (default: the first "
                            "folder)")
    grade.add_argument("--due", metavar="WHEN", type=moment,
                       help="such as 2026-12-01T23:59: what came later is said to be late, and by how much")
    grade.add_argument("--feedback", metavar="DIR", help="write a page for each student here, one HTML file")
    grade.add_argument("--resume", action="store_true",
                       help="go on from an earlier call with this --csv: what has not changed is not run again")
    grade.add_argument("--variant", metavar="N", type=count, default=0,
                       help="of the exercises, as they were handed out (default 0: the course's own)")
    grade.add_argument("--seconds", type=float, default=300, help="that one notebook may take (default 300)")
    grade.add_argument("--memory", type=float, default=4000, metavar="MB", help="that one may hold (default 4000)")
    grade.add_argument("--jobs", type=int, default=1, metavar="N", help="notebooks at a time (default 1)")
    grade.add_argument("--json", action="store_true", help="print one JSON object, with what every check said")


def handout(add: Callable[..., argparse.ArgumentParser]) -> None:
    """The options of `handout`."""
    handout = add("handout", help="for teachers: notebooks, book, wheel for a class, and the key", examples="""
        handout monday --without solutions
        handout exam --notebooks 02,04 --without solutions --variant 7""")
    handout.add_argument("folder", metavar="OUT", help="a new folder: OUT/class is handed out, OUT/teacher is not")
    handout.add_argument("--notebooks", metavar="NUMBERS", type=numbers, help="such as 02,04 (default: all)")
    handout.add_argument("--without", choices=("solutions",),
                         help="leave out answers and solutions of the exercises; hints stay")
    handout.add_argument("--variant", metavar="N", type=count, default=0,
                         help="of the exercises, with other numbers and rules where they allow it (default 0: the "
                              "course's own); grade with the same number")
    handout.add_argument("--course", metavar="FOLDER",
                         help="with notebooks, docs and tools in it (default: found from here, or from the package)")
    handout.add_argument("--json", action="store_true", help="print one JSON object")
