"""Where a reader's posts come from: a file, a folder, a zip, or a table that Python holds already."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from .archive import MAX_MEMBER, MAX_TABLE, Member, members
from .labels import is_missing
from .picture_files import check_name, fold, is_file, meant_instead, place_of
from .pictures import open_picture, picture_from_bytes, to_rgb
from .sound import Sound, checked_sound, open_sound
from .tables import OPTIONS, SUFFIXES, Row, columns_for, rows_of

#: The sides whose cells name files → what such a file is called.
FILES = {"image": "picture", "voice": "recording"}


@dataclass(frozen=True)
class Given:
    """A picture or recording that a table in Python holds: a PIL image, a `Sound`, or the bytes of a file."""

    value: Any

    def open(self) -> Image.Image:
        """It as RGB.

        Raises:
            ValueError: if it is neither.
        """
        if isinstance(self.value, Image.Image):
            return to_rgb(self.value)
        if isinstance(self.value, (bytes, bytearray, memoryview)):
            return picture_from_bytes(bytes(self.value), "the picture", MAX_MEMBER)
        raise ValueError(f"image is {repr(self.value)[:60]}, of the kind {type(self.value).__name__}: expected a "
                         "string (the path of a file), a PIL image, or the bytes of a file.")

    def sound(self) -> Sound:
        """It as a recording.

        Raises:
            ValueError: if it is none.
        """
        value = self.value
        if isinstance(value, (bytes, bytearray, memoryview)):
            return open_sound(bytes(value))
        if not isinstance(value, Sound):
            try:  # as `datasets` decodes one
                samples, rate = np.asarray(value["array"], np.float32), int(value["sampling_rate"])
            except (TypeError, KeyError, IndexError, ValueError):
                raise ValueError(f"audio is {repr(value)[:60]}, of the kind {type(value).__name__}: expected a string "
                                 "(the path of a file), a Sound, or the bytes of a file.") from None
            value = Sound(samples.mean(int(np.argmin(samples.shape))) if samples.ndim == 2 else samples, rate)
        return checked_sound(value, "the recording")


@dataclass(frozen=True)
class Held:
    """A picture or recording in a row of a `datasets.Dataset`, which decodes it when it is asked for: none stays in
    memory.
    """

    table: Any
    number: int
    column: str

    def open(self) -> Image.Image | None:
        """It as RGB; None where the row has none."""
        value = self._value()
        return open_picture(value) if isinstance(value, str) else None if value is None else Given(value).open()

    def sound(self) -> Sound | None:
        """It as a recording; None where the row has none."""
        value = self._value()
        return open_sound(value) if isinstance(value, str) else None if value is None else Given(value).sound()

    def _value(self) -> Any:
        """What is decoded, or the bytes of a file, or its path."""
        return _unwrapped(self.table[self.number][self.column])


Stored = Path | Member | Given | Held  #: what a row keeps of its picture, or recording, until it is opened


def sound_of(stored: Stored) -> Sound | None:
    """A recording, wherever it is; None where a row of a Dataset has none.

    Raises:
        ValueError: if it is none, or `soundfile` is needed to read it and missing.
    """
    try:
        if isinstance(stored, Path):
            return open_sound(stored)
        return open_sound(io.BytesIO(stored.read())) if isinstance(stored, Member) else stored.sound()
    except ValueError as error:
        raise ValueError(f"{stored}: {error}" if isinstance(stored, Member) else str(error)) from None


def _unwrapped(cell: Any) -> Any:
    """What a cell holds that is one of `datasets`: {"bytes": ..., "path": ...}, and for a decoded recording more."""
    if not isinstance(cell, Mapping) or cell.get("array") is not None:
        return cell
    return cell["bytes"] if cell.get("bytes") is not None else cell.get("path", None if "bytes" in cell else cell)


def is_empty(cell: Any) -> bool:
    """Whether nothing stands in a cell, of a file or of a table in Python, or what is written for nothing."""
    return cell is None or isinstance(cell, (str, float, np.floating)) and is_missing(cell) or (
        type(cell).__name__ in ("NAType", "NaTType"))  # pandas'


class Source(NamedTuple):
    """A table of posts, taken apart."""

    name: str
    rows: list[tuple[int, Row]]  # number, and the cells "text", "image", "voice", "label", or some of them
    folder: Path | tuple[dict[str, Member], PurePosixPath]  # that files are named from; in a zip, what it holds
    columns: tuple[str, ...]  # what its cells are for

    def file(self, side: str, cell: Any, anywhere: bool) -> Stored | None:
        """What a cell says is the picture (side "image") or the recording ("voice"); None where it is empty.

        Raises:
            ValueError: if it can be none, or lies where it must not; FileNotFoundError if it is not there.
        """
        what = FILES[side]
        cell = _unwrapped(cell)
        if is_empty(cell):
            return None
        if isinstance(cell, Held):
            return cell
        if isinstance(cell, (list, tuple)) and cell and all(isinstance(one, str) for one in cell):
            raise ValueError(f"{OPTIONS.get(side, side)} is {repr(cell)[:60]}: expected a string. A post has one "
                             f"{what}: write a row for each, or name the one that counts.")
        if isinstance(cell, Path):
            cell = str(cell)
        if not isinstance(cell, str):
            return Given(cell)
        if isinstance(self.folder, Path):
            return place_of(cell, self.folder, anywhere, what)
        return _member(cell, *self.folder, what)


def _member(name: str, files: dict[str, Member], folder: PurePosixPath, what: str) -> Member:
    check_name(name, what)
    place = PurePosixPath(name.strip().replace("\\", "/"))
    if place.is_absolute() or ".." in place.parts:
        raise ValueError(f"the {what} {name[:200]} may lie outside of the zip: name it relative to the table in it.")
    wanted = str(folder / place)
    if wanted not in files:
        like = next((other for other in files if fold(other) == fold(wanted)), None) or next(
            (other for other in files if fold(PurePosixPath(other).name) == fold(place.name)), None)
        remedy = f", but there is {like}: write its place and name as they are." if like else ": check the path."
        raise FileNotFoundError(f"there is no {what} file {wanted[:300]} in the zip{remedy}")
    return files[wanted]


def read_source(source: Any, wanted: Mapping[str, str], optional: Mapping[str, str] = {}) -> Source:
    """A table of posts, with the columns that are wanted: what each is for → its name.

    Args:
        optional: columns that are taken where they are there.
        source: the path of a file, of a folder with one table in it, or of a zip with a table and pictures; a pandas
            frame; or a `datasets.Dataset`.

    Raises:
        FileNotFoundError: if there is no such file or folder.
        TypeError: if it is of another kind.
        ValueError: if it cannot be taken apart, or lacks a column.
    """
    if not isinstance(source, (str, Path)):
        return _held(source, wanted, optional)
    path = Path(source)
    if _is_folder(path):
        path = path / _only_table([file.name for file in path.iterdir() if is_file(file)], f"the folder {path}",
                                  "name the one that is meant")
    if "://" in str(source):
        raise ValueError(f"{str(source)[:200]} is an address on the web: download the table and its pictures first.")
    if not is_file(path):
        meant = meant_instead(path)
        if meant is not None:
            raise FileNotFoundError(f"there is no file {path}, but there is {meant.name}: write the name as it is.")
        raise FileNotFoundError(f"there is no file {path}: expected a CSV or JSON-lines table of posts, a folder or a "
                                "zip with one.")
    try:
        if path.suffix.lower() == ".zip":
            files = members(path)
            inside = _only_table(list(files), path.name, "keep one")
            return _taken(path.name, inside, files[inside].read(MAX_TABLE), wanted, optional,
                          (files, PurePosixPath(inside).parent))
        return _taken(path.name, path.name, path.read_bytes(), wanted, optional, path.parent)
    except PermissionError:
        raise PermissionError(f"{path} may not be read by this account: change its permissions.") from None


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def _only_table(names: list[str], where: str, remedy: str) -> str:
    tables = sorted(name for name in names if name.lower().endswith(SUFFIXES))
    if len(tables) > 1:
        raise ValueError(f"{where} holds {len(tables)} tables ({', '.join(tables[:5])}): {remedy}.")
    if not tables:
        raise FileNotFoundError(f"there is no file of a table in {where}: expected a CSV or JSON-lines table of posts "
                                f"({', '.join(SUFFIXES)}).")
    return tables[0]


def _taken(name: str, file: str, data: bytes, wanted: Mapping[str, str], optional: Mapping[str, str],
           folder: Any) -> Source:
    found, rows = rows_of(PurePosixPath(file).name, data, (*wanted.values(), *optional.values()))
    rows_there = list(rows)
    if not rows_there and file.lower().endswith((".jsonl", ".ndjson")):  # columns are found in rows alone
        return Source(name, [], folder, ())
    columns = columns_for(wanted, found, name if name == file else f"{name}: {file}", optional)
    return Source(name, [(number, row if isinstance(row, ValueError) else
                          {side: row.get(column) for side, column in columns.items()})
                         for number, row in rows_there], folder, tuple(columns))


def _held(source: Any, wanted: Mapping[str, str], optional: Mapping[str, str]) -> Source:
    """The rows of a pandas frame or a `datasets.Dataset`, neither of which is imported for it."""
    kind = type(source).__name__
    features: Mapping[str, Any] = {}
    if hasattr(source, "columns") and hasattr(source, "iloc"):
        names = list(source.columns)
    elif hasattr(source, "column_names") and hasattr(source, "__getitem__"):
        if isinstance(source.column_names, Mapping):
            raise TypeError(f"the {kind} has the parts {', '.join(source.column_names)}: give one of them, such as "
                            f"source[{next(iter(source.column_names))!r}].")
        names, features = list(source.column_names), getattr(source, "features", None) or {}
    else:
        raise TypeError(f"the posts are of the kind {kind}: expected the path of a table, a pandas DataFrame, or a "
                        "datasets.Dataset that is not streamed.")
    columns = columns_for(wanted, names, f"the {kind}", optional)
    cells: dict[str, list[Any]] = {}
    for side, column in columns.items():
        feature = features.get(column)
        if side in FILES and hasattr(feature, "decode"):
            cells[side] = [Held(source, number, column) for number in range(len(source))]
            continue
        cells[side] = list(source[column])
        if side == "label" and getattr(feature, "names", None):  # numbers that stand for names
            called = list(feature.names)  # type: ignore[union-attr]
            cells[side] = [called[cell] if isinstance(cell, int) and 0 <= cell < len(called) else None
                           for cell in cells[side]]
    rows = [dict(zip(cells, row)) for row in zip(*cells.values())]
    return Source(f"the {kind}", list(enumerate(rows)), Path.cwd(), tuple(columns))
