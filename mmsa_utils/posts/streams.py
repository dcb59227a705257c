"""Files of posts as streams: a row comes when it is asked for, with its number, however long the file is.

CSV and JSON lines are taken apart by `tables`, with its messages; Parquet and Arrow files (what `datasets` saves) by
pyarrow; webdataset's tar files by `tars`; folders of pictures here.
"""

from __future__ import annotations

import codecs
import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any

from .picture_files import ENDINGS
from .tables import TOLD, Numbered, Unread, about_csv, by_column, check_once, json_rows, of_the_disk, separator
from .tars import COLUMNS, tar

_HEAD = 1000  # objects of JSON lines whose keys are taken for the columns
_BATCH = 256  # rows of an Arrow file that are held at once
_LINE = 2**20  # characters of a header


def rows_in(path: Path, known: Sequence[str]) -> tuple[list[str], Numbered]:
    """The columns of a file, and each row's number with its cells by column, or with the error that it is.

    Where a file breaks off or is damaged, the last row is `Unread`, and says so. A row that is known by another name
    than its file's has it in the cell "name".

    Args:
        path: its ending says what it is, one of `KINDS`; or a folder of pictures.
        known: columns that are looked for; of Arrow and Parquet files no other is read.

    Raises:
        ValueError, OSError: if it cannot be begun. An OSError where the disk fails, then or while rows are read.
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
    """A CSV; its header is row 1, or the row below one that tells the separator."""
    number = 0
    with _opened(path, "") as file:
        try:
            line = file.readline(_LINE)
            told = re.fullmatch(TOLD, line)
            usual = "\t" if path.suffix.lower() == ".tsv" else ","
            sign = separator(file.readline(_LINE) if told else line, known, usual, told)
            file.seek(0)
            rows = enumerate(csv.reader(file, strict=True, delimiter=sign), start=1)
            number, header = next(islice(rows, int(bool(told)), None), (1, []))
            _check_signs(header)
            check_once(header, known, path.name)
        except UnicodeError as error:
            raise ValueError(f"row {number or 1} {_not_utf8(error)}") from None
        except csv.Error as error:
            raise ValueError(f"row {number or 1} cannot be taken apart {about_csv(error)}") from None
        yield header
        try:
            for row, cells in rows:
                _check_signs(cells)
                number = row
                yield from by_column(header, [(number, cells)])
        except UnicodeError as error:
            yield number + 1, Unread(f"{_not_utf8(error)} Nothing after it was read.")
        except csv.Error as error:
            yield number + 1, Unread(f"cannot be taken apart {about_csv(error)} Nothing after it was read.")


def _opened(path: Path, newline: str) -> IO[str]:
    """A file of text. What is not text of its encoding becomes halves of characters, which `_check_signs` finds: so it
    is known which row it stands in.
    """
    with path.open("rb") as file:
        utf16 = file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)  # what spreadsheets call "Unicode text"
    encoding, errors = ("utf-16", "surrogatepass") if utf16 else ("utf-8-sig", "surrogateescape")
    return path.open(encoding=encoding, errors=errors, newline=newline)


def _check_signs(texts: Iterable[str]) -> None:
    """Raise UnicodeError for what was not text of the encoding of its file."""
    for text in texts:
        if not text.isascii():
            text.encode()


def _not_utf8(error: UnicodeError) -> str:
    where = (f"what stands behind {error.object[max(0, error.start - 20):error.start]!r}"
             if isinstance(error, UnicodeEncodeError) else str(error))
    return (f"is not UTF-8 text ({where}): save the file with that encoding, which spreadsheets call \"CSV UTF-8\".")


def _json(path: Path, known: Sequence[str]) -> Iterator[Any]:
    """JSON lines; the keys of the first thousand objects are the columns."""
    with _opened(path, "\n") as file:
        rows = _json_lines(file)
        head = list(islice(rows, _HEAD))
        if head and isinstance(head[0][1], Unread):
            raise ValueError(f"row {head[0][0]} {head[0][1]}")
        yield list(dict.fromkeys(key for _, row in head if isinstance(row, dict) for key in row))
        yield from chain(head, rows)


def _json_lines(file: Iterable[str]) -> Numbered:
    number = 0
    try:
        for place, line in enumerate(file, start=1):
            _check_signs([line])
            number = place
            yield from json_rows([(number, line)])
    except UnicodeError as error:
        yield number + 1, Unread(f"{_not_utf8(error)} Nothing after it was read.")


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
    import pyarrow as pa

    wanted = {column.strip().casefold() for column in known}
    columns = [name for name in schema.names if name.strip().casefold() in wanted]
    noted = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
    called = {column: about["names"] for column, about in noted.get("info", {}).get("features", {}).items()
              if isinstance(about, dict) and "names" in about}
    number = 0
    try:
        for batch in batches(columns):
            for start in range(0, batch.num_rows, _BATCH):
                for row in batch.slice(start, _BATCH).to_pylist():
                    for column in called.keys() & row.keys():
                        place, names = row[column], called[column]
                        row[column] = names[place] if isinstance(place, int) and 0 <= place < len(names) else None
                    yield number, row
                    number += 1
    except (pa.ArrowException, ValueError, OSError) as error:
        if of_the_disk(error):
            raise
        said = " ".join(str(error).split())[:300]
        yield number, Unread(f"is damaged, or cut off ({said}). Nothing after it was read.")


def _pictures(path: Path, known: Sequence[str]) -> Iterator[Any]:
    """A folder of pictures, by name: posts of a picture alone; those in folders of their own are labelled by these."""
    yield list(COLUMNS)
    places = sorted(place.relative_to(path) for place in path.rglob("*")
                    if place.suffix.lower() in ENDINGS["picture"] and not place.name.startswith("."))
    for number, place in enumerate(places):
        yield number, {"image": str(place), "name": place.as_posix(),
                       "label": place.parent.name if place.parent.name else None}


#: How a file's name ends → what reads it.
KINDS: dict[str, Callable[[Path, Sequence[str]], Iterator[Any]]] = {
    ".csv": _csv, ".tsv": _csv, ".jsonl": _json, ".ndjson": _json, ".parquet": _parquet, ".arrow": _arrow, ".tar": tar}
