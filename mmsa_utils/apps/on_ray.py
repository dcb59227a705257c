"""A job on Ray: a stream of pieces, read by one and worked on by many, on this machine or on a cluster.

Each worker is an actor of Ray Data that holds the model, writes the parts of its pieces itself, and hands on nothing
but counts. A worker that is lost is started again by Ray, and its piece given out again; a part that is written twice
is the same part.
"""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any

from .job import Job

_READER = 0.5  # of a CPU; another share than a worker's also keeps Ray from fusing reading and working into one


def on_ray(job: Job, workers: int = 0, address: str | None = None) -> Iterator[int]:
    """Do a job; the rows of each piece, as they are done.

    Args:
        workers: processes that hold the model, each with a CPU, and a GPU where there are some; 0: one for each GPU,
            or for each CPU but one.
        address: of a cluster, "auto" for the one that this machine belongs to; None: a Ray of this job's own, which
            ends with it. One that this process has begun is taken as it is.

    Raises:
        ValueError: for more workers than there is room for. One CPU must be left to read, else the workers would wait
            for it, and it for them.
    """
    with _begun(workers, address) as ray:
        there = ray.cluster_resources()
        cpus, gpus = int(there.get("CPU", 0)), int(there.get("GPU", 0))
        workers = _checked(workers, cpus, gpus)
        context = ray.data.DataContext.get_current()
        before = context.target_max_block_size, context.enable_progress_bars
        context.target_max_block_size = 1  # a block a piece, so that they are dealt out one by one
        context.enable_progress_bars = False
        try:
            files = ray.data.from_items([{"file": place} for place in range(len(job.table.files))],
                                        override_num_blocks=len(job.table.files))
            pieces = files.map_batches(_Pieces(job), batch_size=1, num_cpus=_READER)
            done = pieces.map_batches(_Worker, fn_constructor_args=(job,), batch_size=1, num_cpus=1,
                                      num_gpus=1 if gpus else None, compute=ray.data.ActorPoolStrategy(size=workers))
            for row in done.iter_rows():
                yield int(row["rows"])
        except ray.exceptions.RayError as error:
            raise OSError(f"a worker on Ray cannot go on: {_last_line(error)}") from error
        finally:
            context.target_max_block_size, context.enable_progress_bars = before


def _last_line(error: BaseException) -> str:
    """What a worker raised, without the way that it came by."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:500] if lines else type(error).__name__


def _checked(workers: int, cpus: int, gpus: int) -> int:
    """How many workers there are to be."""
    room = min(cpus - 1, gpus) if gpus else cpus - 1
    if workers > room or room < 1:
        have = f"{cpus} CPUs" + (f" and {gpus} GPUs" if gpus else "")
        raise ValueError(f"--workers is {workers or 'not given'}, and Ray has {have}: expected at most {max(room, 0)}, "
                         "since one CPU must be left to read the table" + (", and each takes a GPU." if gpus else "."))
    return workers or room


@contextmanager
def _begun(workers: int, address: str | None) -> Iterator[Any]:
    """Ray, begun for this job and ended with it, unless it was there already."""
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    import ray
    import ray.data

    logging.getLogger("ray.data").setLevel(logging.ERROR)
    own = not ray.is_initialized()
    with redirect_stdout(sys.stderr), warnings.catch_warnings():  # Ray says there that a worker was lost
        warnings.filterwarnings("ignore", module=r"ray\.")  # of what it will change, and of few pieces for many workers
        if own and address is None:
            _start(ray, (workers or max(1, (os.cpu_count() or 2) - 1)) + 1)
        elif own:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        try:
            yield ray
        finally:
            if own:
                ray.shutdown()


def _start(ray: Any, cpus: int) -> None:
    """Begin a Ray on this machine, for itself alone. On a busy one Ray gives its own processes too little time to
    start; they are quicker the second time.
    """
    for last in (False, False, True):
        try:
            ray.init(num_cpus=cpus, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR,
                     _node_ip_address="127.0.0.1")
            return
        except Exception as error:  # Ray raises no other kind here
            ray.shutdown()
            if last or "timed out" not in str(error):
                raise OSError(f"Ray does not start on this machine ({str(error)[:200]}): close other programs, or do "
                              "without --engine ray.") from error


class _Pieces:
    """Files by their places → their pieces, one a row."""

    def __init__(self, job: Job):
        self.job = job

    def __call__(self, files: dict[str, Any]) -> Iterator[dict[str, list]]:
        for place in files["file"]:
            for piece in self.job.pieces(int(place)):
                yield {"piece": [piece]}


class _Worker:
    """Works on pieces with a model of its own."""

    def __init__(self, job: Job):
        self.job, self.step = job, job.make()

    def __call__(self, pieces: dict[str, Any]) -> dict[str, list]:
        return {"rows": [self.job.do(self.step, piece) for piece in pieces["piece"]]}
