"""One handed-in notebook, from the grader's side: start its process, judge what it calls checks with, end it in time.

The process (`child`) is never trusted to judge. It sends the name of a check and an answer; the check runs here, on
inputs of its own. An answer that is a function stays over there, and is called across the line.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import math
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..exercises import checks
from ..exercises.checks import Answer, Verdict
from ..exercises.table import EXERCISES
from . import wire

CELL_SHARE, CALL_SHARE = 0.5, 0.2  # of a notebook's time, that one cell and one call of an answer may take
DATA_SHARE = 0.8  # of its memory, for what it makes itself; the rest is for the libraries' code
GRACE = 3.0  # seconds to stop by itself
AMPLE = 2000  # megabytes that a step of training fits into wherever the course runs
_KEPT = ("PATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "SYSTEMROOT", "WINDIR", "PYTHONHOME")
_TAMPERED = "sent what no notebook sends: was it tampered with?"


class Over(BaseException):
    """Nothing more can come from the child, for this reason. Not an Exception: to a check it is no wrong answer."""


@dataclass
class Run:
    """What is known of a notebook that runs, or ran."""

    end: str = "stopped for no known reason"  # "" when it came through
    error: str = ""  # of the first cell that raised
    raised: int = 0  # how many did
    cell: int = 0  # that was begun last, from 1
    verdicts: dict[str, Verdict] = field(default_factory=dict)  # exercise → its last verdict
    seconds: float = 0.0
    peak: float = 0.0  # bytes
    process: subprocess.Popen | None = None
    call_seconds: float = 0.0
    variant: int = 0  # of the exercises
    until: float = math.inf  # when the call that is under way must be over, by time.monotonic


def run(cells: tuple[str, ...], seconds: float, memory: float, stop: threading.Event, variant: int = 0) -> Run:
    """Run a notebook in a new process, in an empty folder that is removed after.

    Args:
        cells: the sources of its code cells.
        seconds: until it is ended.
        memory: megabytes that it and what it starts may hold.
        stop: when set, it is ended at once.
        variant: by which answers are judged, whatever the notebook says of itself.
    """
    state = Run(call_seconds=CALL_SHARE * seconds, variant=variant)
    start = time.monotonic()
    order = {"cells": cells, "cell_seconds": CELL_SHARE * seconds, "call_seconds": state.call_seconds,
             "bytes": int(DATA_SHARE * memory * 1e6)}
    folder = tempfile.mkdtemp(prefix="grading")
    try:
        state.process = subprocess.Popen(
            [*isolation(), sys.executable, "-m", f"{__package__}.child"], cwd=folder,
            env=environment(folder), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            start_new_session=True)
        talk = threading.Thread(target=converse, args=(state, order), daemon=True)
        talk.start()
        watch(state, talk, start + seconds, memory * 1e6, stop)
    except OSError as error:
        state.end = f"could not be run ({error})"
    finally:
        remove(folder)
    state.seconds = time.monotonic() - start
    return state


def refuse_too_little(memory: float) -> None:
    """See that PyTorch can train under a limit: below it right answers would be missing, and the students blamed.

    Tried in earnest, for a few seconds, where the limit is below AMPLE megabytes.

    Raises:
        ValueError: if it cannot.
    """
    if memory >= AMPLE:
        return
    step = ("import torch\nlayer = torch.nn.Linear(2, 1)\nlayer(torch.ones(1, 2)).sum().backward()\n"
            "torch.optim.Adam(layer.parameters()).step()")
    state = run((step,), 120, memory, threading.Event())
    if why := state.end or state.error:
        raise ValueError(f"--memory {memory:g}: a step of training with PyTorch does not fit into that ({why[:120]}), "
                         "and right answers would count as missing; expected more, such as the default of 4000.")


def remove(folder: str) -> None:
    """Remove a folder and all in it, also where folders lie thousands deep in each other: `shutil.rmtree` stops there.

    What cannot be removed stays; it is in the folder for temporary files.
    """
    with contextlib.suppress(RecursionError):
        shutil.rmtree(folder, ignore_errors=True)
    names = itertools.count()
    with contextlib.suppress(OSError):
        while inner := [entry.path for entry in os.scandir(folder) if entry.is_dir(follow_symlinks=False)]:
            for place in inner:  # lift what lies in it, so that no path gets long
                for entry in os.scandir(place):
                    os.rename(entry.path, os.path.join(folder, f"{next(names)}{secrets.token_hex(8)}"))
                os.rmdir(place)
    shutil.rmtree(folder, ignore_errors=True)


def environment(folder: str) -> dict[str, str]:
    """What the child gets to know of this machine: where Python is, and little else."""
    import matplotlib.font_manager

    return {**{name: os.environ[name] for name in _KEPT if name in os.environ},
            "PYTHONPATH": os.pathsep.join([*filter(None, sys.path), str(Path(__file__).parents[2])]),
            "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUTF8": "1", "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1",
            "TOKENIZERS_PARALLELISM": "false", "CUDA_VISIBLE_DEVICES": "", "MMSA_PROGRESS": "", "MPLBACKEND": "agg",
            "MPLCONFIGDIR": matplotlib.get_cachedir(),  # with the list of fonts, which takes seconds to make
            **dict.fromkeys(("HOME", "USERPROFILE", "TMPDIR", "TEMP", "TMP", "IPYTHONDIR"), folder)}


@functools.cache
def isolation() -> list[str]:
    """On Linux, where it may: a command that starts another without a network, and takes all that it starts with it."""
    command = ["unshare", "--user", "--map-root-user", "--net", "--pid", "--fork", "--kill-child"]
    for words in ([*command, "--mount-proc"], command):
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            if subprocess.run([*words, "true"], capture_output=True, timeout=10).returncode == 0:
                return words
    return []


def converse(state: Run, order: dict) -> None:
    """Hand the notebook over and judge what its checks are called with, until it is through, tampers or dies."""
    try:
        wire.send(state.process.stdin, "order", order)
        while True:
            kind, content = hear(state)
            if kind == "done":
                state.end = ""
                return
            if kind != "check" or not isinstance(content, list) or len(content) != 3:
                raise Over(_TAMPERED)
            verdict = judge(state, *content)
            wire.send(state.process.stdin, "verdict", [verdict.number, verdict.status, verdict.message[:2000]])
    except Over as over:
        state.end = str(over)
    except wire.Garbled:
        state.end = _TAMPERED
    except (OSError, EOFError):
        state.end = how_it_died(state.process)


def hear(state: Run) -> tuple[str, Any]:
    """The next message. Notes on the way are taken down: the cell that begins, and what the last one raised."""
    while True:
        kind, content = wire.receive(state.process.stdout)
        if kind == "cell" and type(content) is int and 0 < content < 10**6:
            state.cell = content
        elif kind == "problem":
            state.raised += 1
            state.error = state.error or f"code cell {state.cell}: {': '.join(filter(None, texts(content)))[:200]}"
        else:
            return kind, content


def judge(state: Run, name: Any, function: Any, content: Any) -> Verdict:
    """Run a check on an answer from the child: on a value, or on a function that is called over there."""
    if name not in EXERCISES.values():
        raise Over(_TAMPERED)
    check = getattr(checks, name)
    state.verdicts[check.number] = Verdict(check.number, "wrong", "The check did not come to its end.")
    if function is True:
        answer = Answer(functools.partial(call, state))
        answer.blank = content is True
    else:
        answer = wire.decode(content)
    for _ in range(2):  # an experiment that is right may be unlucky with its random inputs once
        # A seed that nobody can know: outputs learned by heart do not pass.
        verdict = check(answer, seed=secrets.randbelow(2**32), variant=state.variant)
        if verdict.status != "wrong" or "TooSlow" in verdict.message:
            break
    state.verdicts[check.number] = verdict
    return verdict


def call(state: Run, *inputs: Any) -> Any:
    """Call the answer in the child: what it gives back, or an exception of the same name and text."""
    state.until = time.monotonic() + state.call_seconds + GRACE
    try:
        wire.send(state.process.stdin, "call", [wire.encode(value) for value in inputs])
        kind, content = hear(state)
        result = wire.decode(content) if kind == "result" else None
    except wire.Garbled:
        raise Over(_TAMPERED) from None
    except (OSError, EOFError):
        raise Over(how_it_died(state.process)) from None
    finally:
        state.until = math.inf
    if kind == "error":
        name, text = texts(content)
        raise type(re.sub(r"\W", "_", name)[:80] or "Error", (Exception,), {})(text)
    if kind != "result":
        raise Over(_TAMPERED)
    return result


def texts(content: Any) -> list[str]:
    """An error's name and text."""
    if not (isinstance(content, list) and len(content) == 2 and all(isinstance(text, str) for text in content)):
        raise Over(_TAMPERED)
    return content


def watch(state: Run, talk: threading.Thread, deadline: float, most_bytes: float, stop: threading.Event) -> None:
    """Wait until the conversation is over or a limit is reached; then end the child and all that it started."""
    family: set = set()
    why = ""
    while talk.is_alive() and not why:
        talk.join(0.1)
        size = resident(state.process.pid, family)
        state.peak = max(state.peak, size)
        now = time.monotonic()
        if size > most_bytes:
            why = f"held more than {most_bytes / 1e6:.0f} MB"
        elif now > deadline:
            why = "ran out of time"
        elif now > state.until:
            why = f"an answer took longer than {state.call_seconds:.3g} s and could not be interrupted"
        elif stop.is_set():
            why = "the grading was stopped"
    end_all(state.process, family)
    talk.join(GRACE)
    if talk.is_alive():  # it is left alone: it can do no more than wait, or compute
        why = why or "a check did not come to its end"
    else:
        for stream in (state.process.stdin, state.process.stdout):
            with contextlib.suppress(OSError):  # what was not sent yet
                stream.close()
    state.end = why or state.end


def resident(pid: int, family: set) -> float:
    """Bytes in memory of a process and all it started; `family` remembers them, and so those too that left it."""
    import psutil

    with contextlib.suppress(psutil.Error):
        parent = psutil.Process(pid)
        family |= {parent, *parent.children(recursive=True)}
    size = 0.0
    for process in family:
        with contextlib.suppress(psutil.Error):
            size += process.memory_info().rss if process.is_running() else 0
    return size


def end_all(process: subprocess.Popen, family: set) -> None:
    """Kill a process and its family, thrice: some start others faster than one can look."""
    import psutil

    for _ in range(3):
        resident(process.pid, family)
        for member in family:
            with contextlib.suppress(psutil.Error):
                member.kill()
    process.kill()
    process.wait()


def how_it_died(process: subprocess.Popen) -> str:
    """In words."""
    try:
        code = process.wait(GRACE)
    except subprocess.TimeoutExpired:
        return "stopped talking to the grader"
    return f"crashed ({signal.Signals(-code).name})" if code < 0 else f"its process ended early (exit code {code})"
