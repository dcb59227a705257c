"""The command line: how a command is started, what it prints, and its exit codes.

Its words are in `options`, what a command does in its own module.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import Any

from ..errors import broken_package
from .commands import COMMANDS, in_words
from .common import check_out, unfinished
from .options import check, parser


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns the exit code: 0 done, 1 it failed, 2 the call's words were off."""
    arguments = read(argv)
    try:
        check_out(arguments)
        result = COMMANDS[arguments.command](arguments)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except ImportError as error:
        print(f"error: {broken_package(error)}: ask the doctor, `python -m mmsa_utils doctor`.", file=sys.stderr)
        return 1
    except MemoryError as error:
        print(f"error: this machine's memory is not enough ({error}): ask for less, or close other programs.",
              file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"\n{stopped(arguments)}", file=sys.stderr)
        return 130
    if isinstance(result, int):  # it has printed for itself
        return result
    said = in_words(arguments.command) or (lambda result: "\n".join(lines(result)))
    print(json.dumps(result) if arguments.json else said(result))
    return 0


def read(argv: list[str] | None) -> argparse.Namespace:
    """The words of a call; leaves with exit code 2 where they are off."""
    top = parser(program(sys.argv[0]))
    arguments = top.parse_args(argv)
    wrong = check(arguments)
    if wrong:
        commands: dict = next(action.choices for action in top._actions if action.dest == "command")  # type: ignore
        commands[arguments.command].error(wrong)
    return arguments


def program(path: str) -> str:
    """How the program was called: as a script by its name, as a module through Python."""
    name = os.path.basename(path).removesuffix(".exe")
    return name if name == "mmsa-utils" else "python -m mmsa_utils"


def stopped(arguments: argparse.Namespace) -> str:
    """What Ctrl-C has left, in a line."""
    kept = unfinished(arguments)
    if kept and kept.is_dir() and any(path.name[0] != "." for path in kept.iterdir()):
        return f"stopped. What was done is kept in {kept}: the same command goes on from there."
    if kept:
        return "stopped before anything was done that is worth keeping."
    if "out" in arguments:
        return "stopped; nothing was kept (--out DIR keeps what is done)."
    return "stopped; there was nothing to keep."


def lines(result: dict[str, Any], indent: str = "") -> list[str]:
    """A nested result as indented lines; of lists, only those of sentences."""
    said = []
    for key, value in result.items():
        if isinstance(value, dict):
            said += [f"{indent}{key}:", *lines(value, indent + "  ")]
        elif isinstance(value, list):
            sentences = [f"{indent}  {part}" for part in value if isinstance(part, str)]
            said += [f"{indent}{key}:", *sentences] if sentences else []
        else:
            said.append(f"{indent}{key}: {_rounded(value)}")
    return said


def _rounded(value: Any) -> str:
    """A number as one reads it: four decimals, and a tiny one by its power of ten."""
    if not isinstance(value, float):
        return str(value)
    return f"{value:.1e}" if 0 < abs(value) < 1e-4 else f"{value:.4f}"
