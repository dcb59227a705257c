"""What was run is kept beside the grade book, a line for each notebook: `--resume` takes up a broken run from there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..disk import write_whole
from ..exercises.checks import Verdict
from .run import Run

_LIMITS = ("seconds", "memory")
_FIELDS = {"end": str, "error": str, "raised": int, "cell": int, "seconds": float, "peak": float}


def take_over(path: Path, under: Mapping[str, Any], resume: bool) -> dict[str, Run]:
    """Digest of a hand-in → its run, of those that need not be run again; the file then holds these and no others.

    A run counts again if everything was as it is now (`under`), or if only the limits have changed and it did not
    come near them: it went through, no cell raised, no answer was too slow. A line that was not finished is no run.

    Raises:
        OSError: if the file cannot be written.
    """
    lines: dict[str, str] = {}
    found: dict[str, Run] = {}
    if resume and path.is_file():
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                kept = json.loads(line)
                state = _run(kept["run"])
                same = {name for name in under if kept["under"].get(name) == under[name]}
                if same == set(under) or same >= set(under) - set(_LIMITS) and _untroubled(state):
                    found[kept["digest"]], lines[kept["digest"]] = state, line
            except (ValueError, KeyError, TypeError, AttributeError):
                continue
    write_whole(path, "".join(f"{line}\n" for line in lines.values()))
    return found


def keep(path: Path, digest: str, under: Mapping[str, Any], state: Run) -> None:
    """Add a run to the file."""
    said = {name: getattr(state, name) for name in _FIELDS}
    said["verdicts"] = [[one.number, one.status, one.message, one.share] for one in state.verdicts.values()]
    with open(path, "a", encoding="utf-8") as file:
        file.write(json.dumps({"digest": digest, "under": dict(under), "run": said}) + "\n")


def _run(said: Mapping[str, Any]) -> Run:
    state = Run(**{name: kind(said[name]) for name, kind in _FIELDS.items()})
    state.verdicts = {number: Verdict(number, status, message, share)
                      for number, status, message, share in said["verdicts"]}
    return state


def _untroubled(state: Run) -> bool:
    """Whether a run would have gone the same way with other limits."""
    return not (state.end or state.error or any("TooSlow" in one.message for one in state.verdicts.values()))
