"""Files of posts as streams: a row comes when it is asked for, with its number, however long the file is.

CSV and JSON lines are taken apart by `tables`, with its messages; Parquet and Arrow files (what `datasets` saves) by
pyarrow; webdataset's tar files and folders of pictures here.
"""

from __future__ import annotations

import codecs
import csv
import json
import re
import tarfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path, PurePosixPath
from typing import Any

from .archive import MAX_MEMBER
from .picture_files import ENDINGS
from .tables import TOLD, Row, by_column, check_once, json_rows, separator

#: The columns of a sample in a tar file, besides the keys of its .json.
TAR_COLUMNS = ("text", "image", "audio", "label")
_HEAD = 1000  # objects of JSON lines whose keys are taken for the columns
_BATCH = 256  # rows of an Arrow file that are held at once
_LINE = 2**20  # characters of a header

Numbered = Iterator[tuple[int, Row]]


def rows_in(path: Path, known: Sequence[str]) -> tuple[list[str], Numbered]:
    """The columns of a file, and each row's number with its cells by column, or with the error that it is.

    Where a file breaks off, the last row is an error that says so. A row that is known by another name than its file's
    has it in the cell "name".

    Args:
        path: its ending says what it is, one of `KINDS`; or a folder of pictures.
        known: columns that are looked for; of Arrow and Parquet files no other is read.

    Raises:
        ValueError, OSError: if it cannot be begun.
    """
    rows: Iterator[Any] = reader_of(path)(path, known)
    return next(rows), rows


def reader_of(path: Path) -> Callable[[Path, Sequence[str]], Iterator[Any]]:
    """What reads such a file: the first that comes of it are its columns, then its rows.

    Raises:
        ValueError: for a file of another kind.
    """
    if path.is_dir():
        return _pictures
    if path.suffix.lower() not in KINDS:
        raise ValueError(f"{path.name} is of no kind that is read as a stream: expected {', '.join(KINDS)}.")
    return KINDS[path.suffix.lower()]


def _csv(path: Path, known: Sequence[str]) -> Iterator[Any]:
    """A CSV; its header is row 1."""
    number = 0
    with path.open(encoding=_encoding(path), newline="") as file:
        try:
            line = file.readline(_LINE)
            told = re.fullmatch(TOLD, line)
            usual = "\t" if path.suffix.lower() == ".tsv" else ","
            sign = separator(file.readline(_LINE) if told else line, known, usual, told)
            file.seek(0)
            rows = enumerate(csv.reader(file, strict=True, delimiter=sign), start=1)
            header = next(islice(rows, int(bool(told)), None), (1, []))[1]
            check_once(header, known, path.name)
            yield header
            for number, cells in rows:
                yield from by_column(header, [(number, cells)])
        except UnicodeDecodeError as error:
            yield from _broken_off(number + 1, f"is not UTF-8 text ({error}): save the file with that encoding.")
        except csv.Error as error:
            yield from _broken_off(number + 1, f"cannot be taken apart ({error}): is a quotation mark left open, or "
                                   "alone in a text? Within quoted texts write it twice.")


def _broken_off(number: int, what: str) -> Numbered:
    if number == 1:
        raise ValueError(f"row 1 {what}")
    yield number, ValueError(f"{what} Nothing after it was read.")


def _encoding(path: Path) -> str:
    with path.open("rb") as file:
        utf16 = file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)  # what spreadsheets call "Unicode text"
    return "utf-16" if utf16 else "utf-8-sig"


def _json(path: Path, known: Sequence[str]) -> Iterator[Any]:
    """JSON lines; the keys of the first thousand objects are the columns."""
    number = 0
    with path.open(encoding=_encoding(path), newline="\n") as file:
        rows = json_rows(file)
        try:
            head = list(islice(rows, _HEAD))
            yield list(dict.fromkeys(key for _, row in head if isinstance(row, dict) for key in row))
            for number, row in chain(head, rows):
                yield number, row
        except UnicodeDecodeError as error:
            yield from _broken_off(number + 1, f"is not UTF-8 text ({error}): save the file with that encoding.")


def _parquet(path: Path, known: Sequence[str]) -> Iterator[Any]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        yield file.schema_arrow.names
        yield from _arrow_rows(file.schema_arrow, known, lambda columns: file.iter_batches(_BATCH, columns=columns))


def _arrow(path: Path, known: Sequence[str]) -> Iterator[Any]:
    """An Arrow file, or stream: `datasets` saves streams."""
    import pyarrow as pa

    with pa.memory_map(str(path)) as source:
        framed = source.read(6) == b"ARROW1"
        source.seek(0)
        reader = pa.ipc.open_file(source) if framed else pa.ipc.open_stream(source)
        yield reader.schema.names
        batches = (reader.get_batch(i) for i in range(reader.num_record_batches)) if framed else iter(reader)
        yield from _arrow_rows(reader.schema, known, lambda columns: (batch.select(columns) for batch in batches))


def _arrow_rows(schema: Any, known: Sequence[str], batches: Callable[[list[str]], Iterable[Any]]) -> Numbered:
    """Rows of Arrow, from 0; where a column holds numbers that stand for names, as `datasets` notes it, the names."""
    wanted = {column.strip().casefold() for column in known}
    columns = [name for name in schema.names if name.strip().casefold() in wanted]
    noted = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
    called = {column: about["names"] for column, about in noted.get("info", {}).get("features", {}).items()
              if isinstance(about, dict) and "names" in about}
    number = 0
    for batch in batches(columns):
        for start in range(0, batch.num_rows, _BATCH):
            for row in batch.slice(start, _BATCH).to_pylist():
                for column in called.keys() & row.keys():
                    place, names = row[column], called[column]
                    row[column] = names[place] if isinstance(place, int) and 0 <= place < len(names) else None
                yield number, row
                number += 1


_TEXTS, _LABELS = (".txt", ".text"), (".cls", ".label")


def _tar(path: Path, known: Sequence[str]) -> Iterator[Any]:
    """A tar of webdataset: files that follow each other, and have a name up to the first dot in common, are a post."""
    with tarfile.open(path) as archive:
        samples = _samples(archive, path.name)
        first = list(islice(samples, 1))
        yield list(dict.fromkeys([*TAR_COLUMNS, *(key for _, row in first if isinstance(row, dict) for key in row)]))
        number = -1
        try:
            for number, (_, row) in enumerate(chain(first, samples)):
                yield number, row
        except (tarfile.TarError, OSError, EOFError) as error:
            yield number + 1, ValueError(f"is cut off ({error}). Nothing after it was read.")


def _samples(archive: tarfile.TarFile, name: str) -> Iterator[tuple[str, Row]]:
    key, row = "", dict[str, Any]()
    fault: ValueError | None = None
    for member in archive:
        place = PurePosixPath(member.name)
        if not member.isreg() or place.name.startswith("."):
            continue
        base, _, ending = place.name.partition(".")
        this = str(place.with_name(base))
        if this != key:
            if row:
                yield key, fault or row
            key, row, fault = this, {"name": f"{name}/{this}"}, None
        try:
            _put(row, f".{ending.lower()}", _member(archive, member))
        except ValueError as error:
            fault = fault or error
    if row:
        yield key, fault or row


def _member(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    if member.size > MAX_MEMBER:
        raise ValueError(f"holds {member.name}, which has more than {MAX_MEMBER // 2**20} MB: make it smaller.")
    file = archive.extractfile(member)
    return b"" if file is None else file.read()


def _put(row: dict[str, Any], ending: str, data: bytes) -> None:
    """Into a sample's cells what one of its files holds; what none of the columns is for is passed over."""
    suffix = "." + ending.rpartition(".")[2]
    if suffix in ENDINGS["picture"]:
        row["image"] = data
    elif suffix in ENDINGS["recording"]:
        row["audio"] = data
    elif suffix in (*_TEXTS, *_LABELS, ".json"):
        try:
            text = data.decode("utf-8-sig")
            keys = json.loads(text) if suffix == ".json" else {"text" if suffix in _TEXTS else "label": text}
        except ValueError as error:
            raise ValueError(f"holds a {suffix} file that cannot be read ({error}): expected UTF-8.") from None
        if not isinstance(keys, dict):
            raise ValueError("holds a .json file that is no object: expected one, with the post's text or label.")
        row.update({key: value for key, value in keys.items() if key not in row})


def _pictures(path: Path, known: Sequence[str]) -> Iterator[Any]:
    """A folder of pictures, by name: posts of a picture alone; those in folders of their own are labelled by these."""
    yield list(TAR_COLUMNS)
    places = sorted(place.relative_to(path) for place in path.rglob("*")
                    if place.suffix.lower() in ENDINGS["picture"] and not place.name.startswith("."))
    for number, place in enumerate(places):
        yield number, {"image": str(place), "name": place.as_posix(),
                       "label": place.parent.name if place.parent.name else None}


#: How a file's name ends → what reads it.
KINDS: dict[str, Callable[[Path, Sequence[str]], Iterator[Any]]] = {
    ".csv": _csv, ".tsv": _csv, ".jsonl": _json, ".ndjson": _json, ".parquet": _parquet, ".arrow": _arrow, ".tar": _tar}
