"""A table of any length in pieces of consecutive rows: each can be read, checked and worked on by itself.

How a table is cut follows from its files alone, so whoever works on a piece, and whenever, makes the same of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from .own import Entry, FilePosts, RowCheck
from .picture_files import ENDINGS, is_file
from .post import SIDES
from .sources import Source
from .streams import KINDS, rows_in
from .tables import Row, Unread, columns_for, of_the_disk


@dataclass(frozen=True)
class Piece:
    """Consecutive rows of a file."""

    file: int  #: its place among the files of its table
    start: int  #: rows of the file before this piece
    rows: tuple[tuple[int, Row], ...]  #: number, and the cells by what they are for, or what is wrong with the row

    @property
    def unread(self) -> int:
        """1 where the last row stands for more that could not be read, up to the end of the file; else 0."""
        return int(isinstance(self.rows[-1][1], Unread))

    @property
    def name(self) -> str:
        """Of what is made of this piece: by names they are in the order of the table."""
        return f"{self.file:05d}-{self.start:012d}"


@dataclass(frozen=True)
class Table:
    """Where posts are read from. Can be pickled; nothing is open.

    Args:
        files: in their order; or a folder of pictures.
        wanted: side → the column that it is read from.
        optional: the same of a column that need not be there: "label".
        anywhere: allow pictures and recordings outside of the folder of their table.
    """

    files: tuple[Path, ...]
    wanted: Mapping[str, str]
    optional: Mapping[str, str]
    anywhere: bool = False

    def columns(self, place: int) -> dict[str, str]:
        """What a file has columns for: what each is for → its name.

        Raises:
            ValueError: if it lacks one that is wanted, or cannot be read.
            OSError: if it is the disk that fails, or may not be read.
        """
        return self._rows(place)[0]

    def _rows(self, place: int) -> tuple[dict[str, str], Iterator[tuple[int, Row]]]:
        path = self.files[place]
        try:
            names, rows = rows_in(path, [*self.wanted.values(), *self.optional.values()])
        except (ValueError, OSError, NotImplementedError) as error:  # pyarrow's are all of these
            kind = OSError if of_the_disk(error) else ValueError
            raise kind(f"{path.name} cannot be read: {str(error)[:500]}") from None
        if not names and path.suffix.lower() in (".jsonl", ".ndjson"):  # without an object
            names = list(self.wanted.values())
        return columns_for(self.wanted, names, path.name, self.optional), rows

    def pieces(self, place: int, size: int) -> Iterator[Piece]:
        """A file, piece by piece; one that cannot be read is a piece of one faulty row, 0.

        Raises:
            OSError: if the disk fails: what was not read would else be taken for faulty for good.
        """
        try:
            columns, rows = self._rows(place)
        except ValueError as error:
            yield Piece(place, 0, ((0, Unread(f"is all there is: {error}")),))
            return
        kept = ((number, row if isinstance(row, ValueError) else
                 {**{what: row.get(column) for what, column in columns.items()}, "name": row.get("name")})
                for number, row in rows)
        start = 0
        while some := tuple(islice(kept, size)):
            yield Piece(place, start, some)
            start += len(some)

    def posts(self, piece: Piece) -> tuple[FilePosts, dict[int, str]]:
        """The posts of a piece that nothing is wrong with as far as can be seen without opening their files; and row
        number → what is wrong with the others, in the words of `load_posts`.
        """
        path = self.files[piece.file]
        check = RowCheck(Source(path.name, [], path if path.is_dir() else path.parent, tuple(self.wanted)),
                         self.anywhere, opens=False, complete=False, digest=False)
        rows: list[Entry] = []
        numbers: list[int] = []
        faults: dict[int, str] = {}
        for number, row in piece.rows:
            if isinstance(row, ValueError):
                faults[number] = f"row {number} {row}"
                continue
            try:
                rows.append(check(row, None, None))
                numbers.append(number)
            except (ValueError, OSError) as error:
                faults[number] = f"row {number}: {error}"
        return FilePosts(rows, sides=tuple(self.wanted), numbers=numbers), faults


def open_table(source: str | Path, sides: Sequence[str], *, anywhere: bool = False, text_column: str = "text",
               image_column: str = "image", voice_column: str = "audio", label_column: str | None = "label") -> Table:
    """A table that is read in pieces.

    Args:
        source: a file of one of `KINDS`, a folder of such files (all of one kind: the parts of a table), a folder that
            `datasets` has saved, or a folder of pictures.
        sides: what to read; each must have a column.
        anywhere: allow pictures and recordings outside of the table's folder.
        text_column, image_column, voice_column, label_column: what the columns are called; None: no labels are read.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: for a file of another kind, for files of several kinds, and for a first file that lacks a column.
    """
    columns = {"text": text_column, "image": image_column, "voice": voice_column}
    table = Table(_files(Path(source)), {side: columns[side] for side in SIDES if side in sides},
                  {} if label_column is None else {"label": label_column}, anywhere)
    there = table.columns(0)
    return replace(table, optional={what: column for what, column in table.optional.items() if what in there})


def _files(path: Path) -> tuple[Path, ...]:
    if not path.is_dir():
        if not is_file(path):
            raise FileNotFoundError(f"there is no file {path}: expected a table of posts ({', '.join(KINDS)}), or a "
                                    "folder of its parts or of pictures.")
        if path.suffix.lower() == ".zip":
            raise ValueError(f"{path.name} is a zip, which cannot be read as a stream: unpack it.")
        return (path,)
    saved = _saved_by_datasets(path)
    if saved:
        return saved
    parts = sorted(file for file in path.iterdir() if file.suffix.lower() in KINDS and file.name[0] not in "._")
    kinds = sorted({file.suffix.lower() for file in parts})
    if len(kinds) > 1:
        raise ValueError(f"the folder {path} holds files of several kinds ({', '.join(kinds)}): name the one that is "
                         "meant, or keep the parts of a table in a folder of their own.")
    if parts:
        return tuple(parts)
    if any(file.suffix.lower() in ENDINGS["picture"] for file in path.rglob("*")):
        return (path,)
    raise FileNotFoundError(f"there is neither a table nor a picture in {path}: expected {', '.join(KINDS)}, or "
                            "pictures.")


def _saved_by_datasets(path: Path) -> tuple[Path, ...]:
    """The files of a folder that `datasets` has saved, as it notes them; none for any other folder. Beside them lies
    what `map` and `filter` have made of them, which is no part of the table.
    """
    try:
        state, splits = (json.loads(file.read_text(encoding="utf8")) if is_file(file) else {}
                         for file in (path / "state.json", path / "dataset_dict.json"))
        files = tuple(path / Path(file["filename"]).name for file in state.get("_data_files", ()))
        names = list(splits.get("splits", ()))
    except (ValueError, LookupError, AttributeError, TypeError) as error:
        raise ValueError(f"the folder {path} holds a state.json or a dataset_dict.json that datasets has not written "
                         f"({error}): keep the parts of a table in a folder of their own.") from None
    if names:
        raise ValueError(f"the folder {path} holds the sets {', '.join(names)} that datasets has saved: name one of "
                         f"them, such as {path / names[0]}.")
    if not files:
        kept = next((file.name for file in path.glob("cache-*.arrow")), None)
        if kept:
            raise ValueError(f"the folder {path} holds {kept}, which datasets keeps of map or filter: name the file "
                             "that is meant, or keep the parts of a table in a folder of their own.")
    gone = next((file for file in files if not is_file(file)), None)
    if gone:
        raise FileNotFoundError(f"there is no file {gone}, which datasets has saved: copy the whole folder.")
    return files


def identity_of(table: Table) -> dict[str, Any]:
    """What tells a table from others in plain values: its files by name, length and time, and its columns."""
    return {"files": [[file.name, file.stat().st_size, file.stat().st_mtime_ns] for file in table.files],
            "columns": {**table.wanted, **table.optional}}
