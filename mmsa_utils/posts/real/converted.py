"""A pickle of recordings made into a folder of plain files: from then on nothing is unpickled, and nothing is read that
is not looked at."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from ...checksums import sha256
from ...disk import usual_modes
from .mmsa import read_tables, split_of
from .stored import MANIFEST, write_folder


def convert(file: str | Path, folder: str | Path) -> dict[str, Any]:
    """Write the recordings of a pickle as safetensors and JSON.

    Arrays are written in pieces, as they are (what is off with them, too); those of the sides in single precision, as
    they are used, so that they need not be copied. The folder is there as a whole or not at all.

    Args:
        file: in one of the layouts of `layouts`.
        folder: a new one, or an empty one.

    Returns:
        What the manifest says: splits, shapes, kinds of numbers, faults counted by kind, the file's size and checksum.

    Raises:
        FileExistsError: if something lies in the folder.
        UnsafePickle, ValueError, OSError: as `read_mmsa`.
    """
    file, folder = Path(file), Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        what = "recordings that were converted before" if (folder / MANIFEST).is_file() else "something else"
        raise FileExistsError(f"{folder} holds {what}: use it as it is, remove it, or name another folder.")
    if not file.is_file():
        raise FileNotFoundError(f"there is no file {file}: expected a pickle of recordings.")
    made = read_tables(file)
    faults: Counter[str] = Counter()
    for name, table in made.items():
        for kind, posts in split_of(table, f"{file.name}, {name}").faults.items():
            faults[kind] += len(posts)
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".converting-"))
    try:
        manifest = write_folder(made, part, {
            "source": {"name": file.name, "bytes": file.stat().st_size, "sha256": sha256(file)},
            "faults": dict(faults)})
        usual_modes(part)
        if folder.exists():
            folder.rmdir()  # it is empty; not every system moves a folder onto one
        os.replace(part, folder)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    return manifest
