"""The process in which a handed-in notebook runs: `run` starts it, and believes nothing that it says.

It executes the cells one after another, and sends what a check is called with to the grader, which judges. What keeps
the code in here from doing harm is the guard below and, on Linux, the kernel; docs/grading.md says how far that goes.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import linecache
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

from IPython.core.inputtransformer2 import TransformerManager
from IPython.display import display

from ..exercises import checks
from . import wire

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_FORBIDDEN = {
    "subprocess.Popen", "os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.startfile",
    "pty.spawn", "os.kill", "os.killpg", "socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg",
    "socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo",
    "sqlite3.connect",  # its own SQL opens further files, which raises no event
    "os.fwalk"}  # hands out open folders: see opens_folder
# Event -> which of its details are paths of things that it changes.
_CHANGES = {"os.rename": (0, 1), "os.link": (0, 1), "shutil.move": (0, 1), "os.symlink": (1,), **dict.fromkeys(
    ("os.remove", "os.rmdir", "os.mkdir", "os.truncate", "os.chmod", "os.chown", "os.chflags", "os.utime",
     "os.setxattr", "os.removexattr", "shutil.rmtree"), (0,))}
# Event -> which of its details are open folders that its paths start from (-1: none).
_FROM = {"os.rename": (2, 3), "os.link": (2, 3), "os.chmod": (2,), "os.chown": (3,), "os.utime": (3,),
         "os.mkdir": (2,), "os.remove": (1,), "os.rmdir": (1,), "os.symlink": (2,)}


class TooSlow(BaseException):
    """Time is up. Not an Exception: `except Exception` in a loop should not catch it."""


class Shell:
    """What magics and shell lines call: the timing ones run their code, the others do nothing."""

    def __init__(self, run: Callable[[str], None]):
        self.run = run

    def run_line_magic(self, name: str, line: str, *rest: Any) -> None:
        if name in ("time", "timeit"):
            self.run(line)

    def run_cell_magic(self, name: str, line: str, cell: str) -> None:
        if name in ("time", "timeit", "capture"):
            self.run(cell)

    def system(self, line: str) -> None:
        """A line with ! in front: not here."""

    def getoutput(self, line: str) -> list[str]:
        """The same, its output asked for."""
        return []


class Line:
    """The line to the grader: one conversation at a time, whichever thread holds it."""

    def __init__(self, incoming, outgoing):
        self.incoming, self.outgoing = incoming, outgoing
        self.call_seconds = 0.0
        self.talking: int | None = None  # the thread that waits for a verdict
        self.turn, self.writing = threading.Lock(), threading.Lock()

    def send(self, kind: str, content: Any) -> None:
        with self.writing:
            wire.send(self.outgoing, kind, content)

    def referee(self, name: str, answer: Any) -> checks.Verdict:
        """Have the grader judge an answer: it calls the answer as often as it likes, then gives its verdict."""
        if self.talking == threading.get_ident():
            raise RuntimeError("a check is called from within an answer")
        with at_most(0), self.turn:  # the cell's clock must not break into a conversation
            self.talking = threading.get_ident()
            try:
                function = callable(answer)
                self.send("check", [name, function, checks.is_blank(answer) if function else wire.encode(answer)])
                while True:
                    kind, content = wire.receive(self.incoming)
                    if kind == "verdict":
                        return checks.Verdict(*content)
                    self._answer(answer, content)
            finally:
                self.talking = None

    def _answer(self, function: Callable, inputs: list) -> None:
        try:
            with at_most(self.call_seconds):
                result = wire.encode(function(*map(wire.decode, inputs)))
            self.send("result", result)
        except BaseException as error:
            self.send("error", error_of(error))


def main() -> None:
    """Take the notebook from standard input, run it, and say when it is through."""
    line = Line(os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb"))
    for number in (0, 1, 2):  # the notebook's own input and output: nothing
        os.dup2(os.open(os.devnull, os.O_RDWR), number)
    _, order = wire.receive(line.incoming)
    line.call_seconds = order["call_seconds"]
    limit_resources(order["bytes"])
    if hasattr(signal, "setitimer"):
        signal.signal(signal.SIGALRM, too_slow)
    checks.referee = line.referee
    notebook = ModuleType("__main__")
    sys.modules["__main__"] = notebook
    transform, flags, loop = TransformerManager().transform_cell, ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, None

    def run(source: str, name: str = "<magic>") -> None:
        nonlocal loop
        linecache.cache[name] = (len(source), None, source.splitlines(True), name)  # for inspect.getsource
        waits = eval(compile(transform(source), name, "exec", flags, dont_inherit=True), notebook.__dict__)
        if waits is not None:  # an await outside a function makes the cell a coroutine
            loop = loop or asyncio.new_event_loop()
            loop.run_until_complete(waits)

    shell = Shell(run)
    notebook.__dict__.update(display=display, get_ipython=lambda: shell)
    sys.addaudithook(guard(os.getcwd()))
    for number, source in enumerate(order["cells"], start=1):
        line.send("cell", number)
        try:
            with at_most(order["cell_seconds"]):
                run(source, f"<code cell {number}>")
        except BaseException as error:  # SystemExit and what a notebook makes up too: the next cell has its turn
            line.send("problem", error_of(error))
    with line.turn:  # a check in another thread may still be going on
        line.send("done", None)


def limit_resources(most_bytes: int) -> None:
    """Where the system has such limits: memory of the process's own, no file over 500 MB, no core dumps."""
    with contextlib.suppress(ImportError):
        import resource

        for name, limit in (("RLIMIT_DATA", most_bytes), ("RLIMIT_FSIZE", 500 * 10**6), ("RLIMIT_CORE", 0)):
            with contextlib.suppress(AttributeError, ValueError, OSError):
                resource.setrlimit(getattr(resource, name), (limit, limit))


@contextlib.contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Interrupt a block that takes longer (0: never), in the main thread, where the system has timers for it."""
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return
    start, (left, _) = time.monotonic(), signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:  # back to the clock of the block around this one
        signal.setitimer(signal.ITIMER_REAL, max(0.1, left - time.monotonic() + start) if left else 0)


def too_slow(*_: Any) -> None:
    """What the alarm calls."""
    raise TooSlow("interrupted, it took too long")


def guard(folder: str) -> Callable[[str, tuple], None]:
    """An audit hook that refuses other processes, sockets, ctypes, and any change outside `folder`.

    It sees what Python's own functions do. Libraries in C that open files by themselves raise no event.
    """
    realpath, fsdecode, frame_of, pair = os.path.realpath, os.fsdecode, sys._getframe, getattr(socket, "AF_UNIX", None)
    inside, null, isdir = os.path.join(realpath(folder), ""), realpath(os.devnull), os.path.isdir

    def ours(path: Any, event: str) -> bool:
        if isinstance(path, int):  # opened under these eyes, to be written or not; but a mode can be set all the same
            return event in ("open", "os.truncate")
        place = realpath(fsdecode(path))
        return place == null or (place + os.sep).startswith(inside)

    def by_notebook(depth: int = 2) -> bool:
        frame = frame_of(depth)
        while frame and frame.f_globals.get("__name__", "").partition(".")[0] == "ctypes":
            frame = frame.f_back
        return frame is not None and frame.f_globals.get("__name__") == "__main__"

    def opens_folder(path: Any, mode: Any) -> bool:
        """By os.open, to start other paths from: the hook could not tell where those lead."""
        return mode is None and not isinstance(path, int) and isdir(path) and (by_notebook(3) or not ours(path, "open"))

    def hook(event: str, details: tuple) -> None:
        if (event in _FORBIDDEN
                or event == "socket.__new__" and details[1] != pair
                or event == "open" and (details[2] & _WRITES and not ours(details[0], event)
                                        or opens_folder(details[0], details[1]))
                or event in _CHANGES and not all(ours(details[i], event) for i in _CHANGES[event])
                or event in _FROM and any(details[i] != -1 for i in _FROM[event]) and by_notebook()
                or event.startswith("ctypes.") and by_notebook()
                or event == "import" and ".popen_" in details[0]):  # how multiprocessing and joblib start processes
            name = details[0] if event == "import" else event
            raise PermissionError(f"{name} is not allowed while a notebook is graded")

    return hook


def error_of(error: BaseException) -> list[str]:
    """Name and text of what was raised; its own words may raise too."""
    try:
        return [type(error).__name__, str(error)[:2000]]
    except BaseException:
        return [type(error).__name__, ""]


if __name__ == "__main__":
    main()
