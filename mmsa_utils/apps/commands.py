"""Each command's name, and the function that does it: from its options to a result of plain values, or an exit code.

A command's module is imported when it is asked for: `--help` and the doctor must be quick, and speak when a package is
broken.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any


def _module(name: str) -> Callable[[argparse.Namespace], Any]:
    """The function `run` of a command's module, which is imported when the command starts."""
    return lambda arguments: import_module(f".{name}", __package__).run(arguments)


def in_words(command: str) -> Callable[[dict[str, Any]], str] | None:
    """The function `said` of a command's module, which is imported by now: a result → what to print of it."""
    return getattr(sys.modules.get(f"{__package__}.{command}"), "said", None)


def grade(arguments: argparse.Namespace) -> dict[str, Any]:
    """Run a folder of handed-in notebooks and write the grade book."""
    from ..grading.grade import grade
    from .common import log

    try:
        return grade(arguments.folder, arguments.csv, arguments.seconds, arguments.memory, arguments.jobs, log,
                     points=arguments.points, student=arguments.student, due=arguments.due,
                     feedback=arguments.feedback, resume=arguments.resume, variant=arguments.variant)
    except KeyboardInterrupt:  # it has said what is kept
        sys.exit(130)


def dashboard(arguments: argparse.Namespace) -> int:
    """Serve the page until Ctrl+C."""
    from .dashboard import main

    return main(arguments.model, arguments.port, arguments.share, arguments.user, arguments.host, arguments.open)


def doctor(arguments: argparse.Namespace) -> int:
    """Check that everything is in place."""
    from .doctor import main

    return main(json=arguments.json)


COMMANDS: dict[str, Callable[[argparse.Namespace], Any]] = {
    "train": _module("train"), "align": _module("align"), "evaluate": _module("evaluate"),
    "report": _module("report"), "predict": _module("predict"), "compare": _module("compare"),
    "convert": _module("convert"), "extract": _module("extract"), "inspect": _module("inspect"),
    "export": _module("export"), "dashboard": dashboard, "grade": grade, "handout": _module("handout"),
    "doctor": doctor,
}  #: command → what it does
