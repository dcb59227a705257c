"""The command line: how a command is started, what it prints, and its exit codes.

Its words are in `options`, what a command does in its own module.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import time
from collections.abc import Iterator
from typing import Any

from .. import processes
from ..errors import broken_package, in_short, is_loss_of_another
from .commands import COMMANDS, in_words
from .common import check_out, unfinished
from .options import check, parser

#: Seconds that another process than the first waits before it says why it failed. Whoever ends in failure ends all; if
#: all fail of the same, the first has said so by then.
PATIENCE = 5.0


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns the exit code: 0 done, 1 it failed, 2 the call's words were off.

    Of several processes, which torchrun starts, the first one speaks; another does when it alone fails.
    """
    if processes.number() > 1:  # torch's remarks to whoever writes the loop: before it is imported
        os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    with one_voice():
        arguments = read(argv)
    try:
        with one_voice():
            if processes.is_first():
                check_out(arguments)
            result = COMMANDS[arguments.command](arguments)
    except (ValueError, OSError) as error:
        return failed(f"{error}")
    except ImportError as error:
        return failed(f"{broken_package(error)}: ask the doctor, `python -m mmsa_utils doctor`.")
    except MemoryError as error:
        return failed(f"this machine's memory is not enough ({error}): ask for less, or close other programs.")
    except KeyboardInterrupt:
        if processes.is_first():
            print(f"\n{stopped(arguments)}", file=sys.stderr)
        return 130
    except RuntimeError as error:
        if processes.number() == 1 or not is_loss_of_another(error):
            raise
        time.sleep(PATIENCE)  # it says why, and then all are ended
        return failed(f"another of the {processes.number()} processes ended ({in_short(error)}): the same command goes "
                      "on after the last epoch that was kept.")
    if isinstance(result, int):  # it has printed for itself
        return result
    said = in_words(arguments.command) or (lambda result: "\n".join(lines(result)))
    print(json.dumps(result) if arguments.json else said(result))
    return 0


@contextlib.contextmanager
def one_voice() -> Iterator[None]:
    """Let nothing be said, unless by the first process."""
    if processes.is_first():
        yield
        return
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        yield


def failed(why: str) -> int:
    """Say why nothing came of it; returns the exit code."""
    who = ""
    if not processes.is_first():
        time.sleep(PATIENCE)
        who = f"process {processes.place()}: "
    print(f"error: {who}{why}", file=sys.stderr, flush=True)
    return 1


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
