"""Extraction of a whole table: posts a second with one and two workers on Ray beside one process, and kills.

python tools/measure/scale.py [--posts 16384] [--rounds 3] [--kills 50] [--json]     a quarter of an hour, if quiet

Rates leave the start out: they are those of the second half of the pieces. Each way runs in turns, on the same drawn
posts, with one thread a process (mini encoders take one); the figure is the median of the rounds. Then workers are
killed (SIGKILL) at random moments, one after the other, until so many are; what was written is compared byte by byte
with what one process writes, and its rows are counted. docs/scaling.md says what the figures mean.
"""

from __future__ import annotations

import argparse
import csv
import functools
import json
import random
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from mmsa_utils import LABELS, FoodPosts
from mmsa_utils.apps import on_ray
from mmsa_utils.apps.job import Job, here
from mmsa_utils.bars import progress
from mmsa_utils.learning.extraction import Extraction, Recipe
from mmsa_utils.posts.pieces import open_table

PIECE, SMALL = 256, 16  # posts a piece: for the rates, and for the kills


def main(words: list[str] | None = None) -> dict[str, Any]:
    arguments = read(words)
    with tempfile.TemporaryDirectory() as place:
        table = draw(Path(place), arguments.posts)
        figures = {**rates(table, Path(place), arguments.rounds), **kills(table, Path(place), arguments.kills)}
    print(json.dumps(figures) if arguments.json else "\n".join(said(figures)))
    return figures


def read(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--posts", type=int, default=16384)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args(words)


def draw(place: Path, n: int) -> Path:
    """A table of drawn posts with their pictures."""
    posts, table = FoodPosts(n, seed=5), place / "posts.csv"
    with table.open("w", newline="", encoding="utf8") as file:
        rows = csv.writer(file)
        rows.writerow(["text", "image", "label"])
        for i in progress(range(n), "draw"):
            post = posts[i]
            post.image.save(place / f"{i}.png")
            rows.writerow([post.text, f"{i}.png", LABELS[post.label]])
    return table


def job_for(source: Path, folder: Path, size: int) -> Job:
    """The extraction of a table into an empty folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    table = open_table(source, ("text", "image"))
    return Job(table, functools.partial(Extraction, table, Recipe()), folder, size, frozenset())


def timed(pieces: Iterable[int], folder: Path) -> tuple[float, float]:
    """(seconds until the first piece was done, rows a second in the second half), by the times of the parts: Ray hands
    its counts on when it suits it, and one worker begins before the other.
    """
    begun, rows = time.time(), sum(pieces)
    times = sorted(path.stat().st_mtime for path in folder.glob("*.parquet"))
    if len(times) < 16:
        raise ValueError(f"{len(times)} pieces are too few to measure: expected --posts {16 * PIECE} or more.")
    middle = len(times) // 2
    return times[0] - begun, rows * (len(times) - middle - 1) / len(times) / (times[-1] - times[middle])


def rates(source: Path, place: Path, rounds: int) -> dict[str, Any]:
    """How quick each way is, and in what relation."""
    ways = {"one process": here, "Ray, 1 worker": functools.partial(on_ray.on_ray, workers=1),
            "Ray, 2 workers": functools.partial(on_ray.on_ray, workers=2)}
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for turn in range(rounds):
        for name in list(ways)[:: 1 if turn % 2 == 0 else -1]:
            job = job_for(source, place / "parts", PIECE)
            found[name].append(timed(progress(ways[name](job), name), job.folder))
    a_second = {name: [rate for _, rate in runs] for name, runs in found.items()}
    one, single, double = (a_second[name] for name in ways)
    return {"posts_a_second": {name: middle(runs) for name, runs in a_second.items()},
            "start_seconds": {name: middle([start for start, _ in runs]) for name, runs in found.items()},
            "two_workers_to_one": middle([two / single for two, single in zip(double, single)]),
            "overhead_of_one_worker": middle([alone / single for alone, single in zip(one, single)])}


def middle(values: list[float]) -> dict[str, float]:
    return {"median": round(statistics.median(values), 3), "from": round(min(values), 3), "to": round(max(values), 3)}


def workers() -> list[psutil.Process]:
    """The processes of Ray that hold a model, of the Ray that this process has begun."""
    below, found = {process.pid for process in psutil.Process().children(recursive=True)}, []
    for process in psutil.process_iter():
        try:
            if "MapWorker" in " ".join(process.cmdline()) and {process.ppid(), process.pid} & below:
                found.append(process)
        except psutil.Error:  # it has just ended
            continue
    return found


@contextmanager
def killer(progressed: threading.Event, wanted: int, rng: random.Random) -> Iterator[list[int]]:
    """Kills a worker at a random moment after each piece that was done, until so many are killed."""
    killed: list[int] = []
    over = threading.Event()

    def kill() -> None:
        while len(killed) < wanted and not over.is_set():
            if not progressed.wait(0.2):
                continue
            progressed.clear()
            over.wait(rng.random() * 2)
            there = workers()
            if there and not over.is_set():
                victim = rng.choice(there)
                try:
                    victim.kill()
                    killed.append(victim.pid)
                except psutil.Error:
                    continue

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield killed
    finally:
        over.set()
        thread.join()


def kills(source: Path, place: Path, wanted: int) -> dict[str, Any]:
    """Rows lost, rows doubled, and parts that differ from one process's, after so many kills."""
    if not wanted:
        return {}
    expected, rng = job_for(source, place / "expected", SMALL), random.Random(0)
    for _ in progress(here(expected), "one process"):
        pass
    done, jobs, lost, doubled, differing, rows = 0, 0, 0, 0, 0, 0
    while done < wanted:
        job = job_for(source, place / "killed", SMALL)
        progressed = threading.Event()
        with killer(progressed, wanted - done, rng) as killed:
            for _ in progress(on_ray.on_ray(job, 2), f"{done} of {wanted} kills"):
                progressed.set()
        done, jobs = done + len(killed), jobs + 1
        print(f"{len(killed)} kills in job {jobs}", file=sys.stderr)
        there, other = rows_of(expected.folder), rows_of(job.folder)
        rows += sum(other.values())
        lost += len(there.keys() - other.keys())
        doubled += sum(count > 1 for count in other.values())
        differing += sum(path.read_bytes() != (job.folder / path.name).read_bytes()
                         for path in expected.folder.glob("*.parquet") if (job.folder / path.name).exists())
    return {"kills": {"done": done, "jobs": jobs, "rows": rows, "lost": lost, "doubled": doubled,
                      "parts_that_differ": differing}}


def rows_of(folder: Path) -> Counter:
    import pyarrow.dataset as ds

    files = [str(path) for path in folder.glob("[!.]*.parquet")]
    table = ds.dataset(files, format="parquet").to_table(["file", "row"])
    return Counter(zip(table["file"].to_pylist(), table["row"].to_pylist()))


def said(figures: dict[str, Any]) -> list[str]:
    def shown(values: dict[str, float]) -> str:
        return f"{values['median']:.3g} ({values['from']:.3g} to {values['to']:.3g})"

    lines = [f"{name}: {shown(rate)} posts a second after {shown(figures['start_seconds'][name])} seconds of start"
             for name, rate in figures["posts_a_second"].items()]
    lines += [f"two workers / one worker: {shown(figures['two_workers_to_one'])}, aim 1.7 or more",
              f"one process / one worker on Ray: {shown(figures['overhead_of_one_worker'])}, aim 1.15 or less"]
    if "kills" in figures:
        lines.append("{done} kills, {rows} rows in {jobs} jobs: {lost} rows lost, {doubled} doubled, "
                     "{parts_that_differ} parts differ, aim 0".format(**figures["kills"]))
    return lines


if __name__ == "__main__":
    main()
