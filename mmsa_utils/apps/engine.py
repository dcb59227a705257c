"""Work on whole tables, piece by piece, into a folder of parts: in this process, or on Ray by as many as are wanted."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..bars import progress
from ..learning import parts
from ..posts.pieces import Table, identity_of
from .common import log
from .job import Job, Step, here

PIECE = 1024  # posts: what is done anew where a worker is lost


def run(arguments: argparse.Namespace, out: str, table: Table, make: Callable[[], Step], about: Mapping[str, Any]
        ) -> tuple[Counter, list[str]]:
    """Do all that is not there yet; faulty rows are named and end nothing.

    Args:
        out: the folder of the parts.
        about: what they depend on besides the table.

    Returns:
        The tally of all parts, those found there included as "parts found", and what is wrong with each faulty row.
    """
    folder = Path(out).absolute()
    there = parts.begin(folder, {"table": identity_of(table), "rows a part": PIECE, **about})
    if there:
        log(f"{len(there)} parts are there already: they are not made again")
    job = Job(table, make, folder, PIECE, frozenset(there))
    if arguments.engine == "ray":
        from .on_ray import on_ray

        counts: Iterable[int] = on_ray(job, arguments.workers, arguments.address)
    else:
        counts = here(job)
    for _ in progress(counts, f"pieces of {PIECE} posts"):
        pass
    total = Counter({"parts found": len(there)})
    faulty = []
    for name, tally in parts.tallies(folder).items():
        total.update({"parts": 1, **tally})
        if tally["faulty"]:
            faulty.append(name)
    parts.finish(folder, total)
    return total, list(_faults(folder, faulty, len(table.files) > 1))


def missing_of(table: Table, total: Mapping[str, int]) -> dict[str, int]:
    """Side → how many of the posts of a table lack it, for the sides that some lack."""
    return {side: total[f"without {side}"] for side in table.wanted if total.get(f"without {side}")}


def check_installed(arguments: argparse.Namespace) -> None:
    """Raise ValueError where a package is missing that the work needs."""
    for package in ("pyarrow", *["ray"] * (arguments.engine == "ray")):
        if find_spec(package) is None:
            raise ValueError(f"the package {package} is needed for this, and not installed: install the extra scale, "
                             "python -m pip install \"mmsa-utils[scale]\".")


def _faults(folder: Path, names: list[str], several: bool) -> Iterator[str]:
    import pyarrow.parquet as pq

    for name in names:
        table = pq.read_table(folder / f"{name}.parquet", columns=["file", "fault"])
        for file, fault in zip(*(column.to_pylist() for column in table.columns)):
            if fault is not None:
                yield f"{file} {fault}" if several else fault
