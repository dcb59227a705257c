"""Execute notebooks top to bottom, each on a fresh kernel, with a progress line for each.

python tools/notebooks/execute.py run NOTEBOOK ...     executed copies and summary.json under build/run (make run)
python tools/notebooks/execute.py store NOTEBOOK ...   in place, normalised: a clean run is stored (make notebooks)

Exit code 1 if any notebook fails, after all have been tried.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import re
import sys
import time
from collections.abc import Callable, MutableMapping
from pathlib import Path

import budgets
from tqdm import tqdm

ROOT = Path(__file__).resolve().parents[2]
RUN = ROOT / "build" / "run"
CELL_SECONDS = 300
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
#: The metadata of every stored notebook: the same wherever it ran.
KERNEL = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
          "language_info": {"name": "python"}}


def prepare_environment(environment: MutableMapping[str, str]) -> None:
    """Set what a kernel inherits, so that two runs print the same, on this machine and on another.

    One thread, because sums come out different in the sixth digit with another number; the kernel of this
    environment before a user's own of the same name; nobody's IPython profile; figures drawn inline; nothing in
    the reader's own progress card.
    """
    environment["OMP_NUM_THREADS"] = "1"
    environment["TOKENIZERS_PARALLELISM"] = "false"
    environment["JUPYTER_PREFER_ENV_PATH"] = "1"
    environment["MMSA_PROGRESS"] = ""
    profile = ROOT / "build" / "ipython"
    profile.mkdir(parents=True, exist_ok=True)
    environment["IPYTHONDIR"] = str(profile)
    environment.pop("MPLBACKEND", None)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("run", "store"))
    parser.add_argument("notebooks", nargs="+", type=Path)
    options = parser.parse_args(arguments)
    prepare_environment(os.environ)
    missing = [str(path) for path in options.notebooks if not path.is_file()]
    if missing:
        parser.error(f"no such notebook: {', '.join(missing)}")
    if options.command == "run":
        return run(options.notebooks)
    return store(options.notebooks)


def run(paths: list[Path]) -> int:
    """Execute copies and leave them under build/run, as far as each came, with summary.json beside them."""
    import nbformat

    RUN.mkdir(parents=True, exist_ok=True)
    for old in [*RUN.glob("*.ipynb"), RUN / "summary.json"]:
        old.unlink(missing_ok=True)

    rows = []

    def keep(book: nbformat.NotebookNode, path: Path, row: dict) -> None:
        nbformat.write(book, RUN / path.name)
        rows.append(row)
        (RUN / "summary.json").write_text(json.dumps(rows, indent=2) + "\n", encoding="utf8")

    execute_all(paths, keep)
    ok = sum(row["ok"] for row in rows)
    where = RUN.relative_to(ROOT).as_posix()
    print(f"{ok} of {len(rows)} notebooks ok in {sum(row['seconds'] for row in rows):.0f} s")
    print(f"Executed copies: {where}/*.ipynb   Summary: {where}/summary.json")
    return int(ok < len(rows))


def store(paths: list[Path]) -> int:
    """Execute in place and normalise; cards tell what it took. A notebook that fails is left as it was."""
    import nbformat

    def keep(book: nbformat.NotebookNode, path: Path, row: dict) -> None:
        if row["ok"]:
            part = path.with_name(f"{path.name}.part")
            part.write_text(nbformat.writes(normalise(book)) + "\n", encoding="utf8", newline="\n")
            os.replace(part, path)  # whole or not at all
            if budgets.has_card(book):
                budgets.record(path, book, row)

    rows = execute_all(paths, keep)
    for folder in {path.parent for path in paths if (path.parent / "budgets.json").exists()}:
        budgets.tell(folder)
    return int(not all(row["ok"] for row in rows))


def execute_all(paths: list[Path], keep: Callable) -> list[dict]:
    """Execute the notebooks in order, print a line for each, hand it to `keep`; return their summary rows."""
    import nbformat

    rows = []
    width = max(len(path.stem) for path in paths)
    known = [budgets.read(path.parent).get(path.stem, {}).get("seconds", 30) for path in paths]
    left = tqdm(total=sum(known), disable=None, leave=False, bar_format="{desc}  [{elapsed}, {remaining} left for all]")
    for path, expected in zip(paths, known):
        if left.disable:  # not on a terminal
            print(f"{path.stem:{width}}  ", end="", flush=True)
        left.set_description_str(path.stem)
        book = with_ids(nbformat.v4.reads(path.read_text(encoding="utf8")), path.stem)
        row = {"name": path.stem, **execute(book, path.resolve().parent)}
        rows.append(row)
        left.clear()
        print(
            f"{'' if left.disable else f'{path.stem:{width}}  '}{row['seconds']:6.1f} s  "
            f"{row['peak_memory_mb']:5.0f} MB  {'ok' if row['ok'] else 'FAILED'}",
            flush=True,
        )
        if not row["ok"]:
            print(row["error"], file=sys.stderr, flush=True)
        keep(book, path, row)
        left.update(expected)
    left.close()
    return rows


def execute(book, folder: Path) -> dict:
    """Execute a notebook with `folder` as the working directory; fills its outputs in.

    Returns:
        seconds, peak_memory_mb of the kernel and its children, cells, ok and error (None or its text).
    """
    import nbclient

    client = nbclient.NotebookClient(
        book,
        timeout=CELL_SECONDS,
        kernel_name="python3",
        record_timing=False,
        resources={"metadata": {"path": str(folder)}},
        extra_arguments=["--IPKernelApp.log_level=50"],
    )  # no chatter, and no traceback of its own when it is ended; what a cell raises comes as a message
    peaks = [0.0]
    client.on_cell_executed = lambda **cell: peaks.append(budgets.usage(client.km.provisioner.pid)[1])
    start, error = time.perf_counter(), None
    try:
        client.execute()
    except Exception as problem:  # a failing cell, a time-out, a kernel that died or never started
        error = re.sub(r"\x1b\[[0-9;]*m", "", f"{type(problem).__name__}: {problem}")  # without terminal colours
    seconds = time.perf_counter() - start
    if getattr(client, "_async_cleanup_kernel_future", None):  # Ctrl-C: the client takes it for itself
        raise KeyboardInterrupt
    return {
        "seconds": round(seconds, 1),
        "peak_memory_mb": round(max(peaks)),
        "cells": sum(cell.cell_type == "code" for cell in book.cells),
        "ok": error is None,
        "error": error,
    }


def with_ids(book, stem: str):
    """Give cells without an id a lasting one, made of the name and the place (format 4.5 wants them)."""
    book.nbformat_minor = max(5, book.nbformat_minor)
    taken = {cell.get("id") for cell in book.cells}
    for place, cell in enumerate(book.cells):
        if "id" not in cell:
            name = f"{stem[:50]}-{place}"
            while name in taken:
                name += "x"
            taken.add(name)
            cell["id"] = name
    return book


def normalise(book):
    """Reduce an executed notebook to what a reader needs, so that two runs give the same bytes.

    Metadata: the kernel and the language only; of a cell's, its tags and whether its code is folded away.
    Widget views go, and an output that showed nothing else goes with them: without a kernel they are dead.
    A stream becomes one piece. An expected error keeps its last line, not the traceback, which names files of
    this machine.
    """
    book.metadata = copy.deepcopy(KERNEL)
    for cell in book.cells:
        cell.metadata = {key: value for key, value in cell.metadata.items()
                         if key in ("tags", "cellView") or (key, value) == ("jupyter", {"source_hidden": True})}
        if cell.cell_type == "code":
            cell.outputs = clean_outputs(cell.outputs)
    return book


def clean_outputs(outputs: list) -> list:
    """One cell's outputs without widget views, each stream in one piece, an error without its traceback."""
    clean: list = []
    for output in outputs:
        if WIDGET_VIEW in output.get("data", {}):
            del output["data"][WIDGET_VIEW]
            if set(output["data"]) <= {"text/plain"}:
                continue
        if output.output_type == "stream" and clean and clean[-1].get("name") == output.name:
            clean[-1]["text"] += output.text
            continue
        if output.output_type == "error":  # expected ones only; the traceback names files of this machine
            output["traceback"] = [f"{output.ename}: {output.evalue}"]
        clean.append(output)
    return clean


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("\nstopped: the notebooks with a line above are done, the others are as they were.", file=sys.stderr)
        sys.exit(130)
