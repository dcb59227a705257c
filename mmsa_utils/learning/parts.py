"""What is made of the pieces of a table: a folder of Parquet files, one a piece. What is there is not made again.

A part appears under its name when all of it is written, so work that was broken off, or done twice, leaves each part
once. pandas, pyarrow and other engines read such a folder as one table, in the order of its rows: they pass over files
whose names begin with an underscore.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..disk import usual_modes, write_whole
from ..posts.tables import of_the_disk

_ABOUT, _TALLY = "_about.json", b"mmsa_utils"
_NAME = re.compile(r"\d{5,}-\d{12,}\.parquet")  # as pieces are called: what else lies there is not this package's


def begin(folder: Path, about: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    """Open a folder for parts, or find it again. A part that is damaged is removed, so that it is made anew.

    Args:
        about: what the parts depend on, in plain values.

    Returns:
        The parts that are there by name, with the tally of each.

    Raises:
        ValueError: if the folder holds something else, or the parts of another table, model or options.
        OSError: if a part may not be read, or the disk fails; nothing is removed then.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file, said = folder / _ABOUT, json.dumps(about, sort_keys=True)
    if not file.exists():
        there = next((path.name for path in folder.iterdir() if path.name[0] != "."), None)
        if there:
            raise ValueError(f"the folder {folder} holds {there[:100]}: expected an empty or a new one.")
        write_whole(file, said)
    kept = read_about(folder)
    for what in about:
        if kept.get(what) != json.loads(said)[what]:
            raise ValueError(f"the folder {folder} holds parts that were made with other {what} "
                             f"({str(kept.get(what))[:200]}): name another folder, or remove this one.")
    for path in _parts(folder):
        try:
            _tally(path)
        except ValueError:
            path.unlink()
    return tallies(folder)


def read_about(folder: Path) -> dict[str, Any]:
    """What was said of a folder's parts when it was begun, and, if it is complete, under "complete" their tally.

    Raises:
        ValueError: if it is no such folder.
    """
    try:
        found = json.loads((folder / _ABOUT).read_text(encoding="utf8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        raise ValueError(f"the folder {folder} holds no parts that this package has written: expected what extract or "
                         "predict have made.") from None
    return found


def tallies(folder: Path) -> dict[str, dict[str, int]]:
    """The parts that are there by name, in their order, each with its tally.

    Raises:
        ValueError: naming a part that is damaged.
        OSError: naming one that may not be read, or where the disk fails.
    """
    return {path.stem: _tally(path) for path in _parts(folder)}


def _parts(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name))


def _tally(path: Path) -> dict[str, int]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return json.loads(pq.read_schema(path).metadata[_TALLY])
    except (pa.ArrowException, OSError, ValueError, LookupError, TypeError) as error:
        if of_the_disk(error):
            raise OSError(f"the part {path} cannot be read ({error}): see to its permissions, or to the disk."
                          ) from None
        raise ValueError(f"the part {path} is damaged ({str(error)[:200]}): give the command that has made it once "
                         "more, and it makes this part anew.") from None


def write_part(folder: Path, name: str, table: Any, tally: Mapping[str, int]) -> None:
    """Write a part, a pyarrow table: all of it, or nothing. Whoever writes it twice leaves the same."""
    import pyarrow.parquet as pq

    with tempfile.NamedTemporaryFile(dir=folder, prefix=".unfinished-", delete=False) as file:
        made = Path(file.name)
        try:
            pq.write_table(table.replace_schema_metadata({**(table.schema.metadata or {}), _TALLY: json.dumps(tally)}),
                           file, compression="zstd")
        except BaseException:
            file.close()
            made.unlink()
            raise
    usual_modes(made)
    os.replace(made, folder / f"{name}.parquet")


def finish(folder: Path, total: Mapping[str, Any]) -> None:
    """Note that all parts are there, and what they hold together; what killed workers have left is removed."""
    for path in folder.glob(".unfinished-*"):
        if path.is_file():
            path.unlink(missing_ok=True)
    write_whole(folder / _ABOUT, json.dumps({**read_about(folder), "complete": dict(total)}))
