"""Tar files of webdataset as streams of posts, and whether all of such a file could be read."""

from __future__ import annotations

import json
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from pathlib import Path, PurePosixPath
from typing import Any

from .archive import MAX_MEMBER
from .picture_files import ENDINGS
from .tables import Numbered, Row, Unread, of_the_disk

#: The columns of a sample, besides the keys of its .json.
COLUMNS = ("text", "image", "audio", "label")
_TEXTS, _LABELS = (".txt", ".text"), (".cls", ".label")


def tar(path: Path, known: Sequence[str]) -> Iterator[Any]:
    """A tar of webdataset, its columns first: files that follow each other, and whose names are the same up to the
    first dot, are a post.

    Raises:
        ValueError: if it is no tar.
    """
    try:
        archive = tarfile.open(path)  # noqa: SIM115 (it is closed below)
    except (tarfile.TarError, EOFError, zlib.error):
        raise ValueError("it is empty." if not path.stat().st_size else
                         "it is no tar file, or is damaged where it begins.") from None
    with archive:
        rows = _tar_rows(archive, path.name)
        first = list(islice(rows, 1))
        yield list(dict.fromkeys([*COLUMNS, *(key for _, row in first if isinstance(row, dict) for key in row)]))
        yield from chain(first, rows)


def _tar_rows(archive: tarfile.TarFile, name: str) -> Numbered:
    """The samples of a tar, from 0; one whose name was there before is faulty."""
    number, there = -1, dict[str, int]()
    try:
        for number, (key, row) in enumerate(_samples(archive, name)):
            before = there.setdefault(key, number)
            yield number, row if before == number else ValueError(
                f"holds more files of {key}, which row {before} is: the files of a post must follow each other. Pack "
                "them in the order of their names.")
        if not _is_all(archive):
            yield number + 1, Unread("stands behind the end of the archive: were several put into one file? Keep each "
                                     "as a file of its own. Nothing after it was read.")
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        if of_the_disk(error):
            raise
        yield number + 1, Unread(f"is cut off, or damaged ({error}). Nothing after it was read.")


def _is_all(archive: tarfile.TarFile) -> bool:
    """Whether nothing but zeros follows where the reading of an archive ended.

    Raises:
        tarfile.ReadError: if no block of zeros, its mark, stands there: tarfile ends at a header that it cannot read.
    """
    file: Any = archive.fileobj
    file.seek(archive.offset)
    if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise tarfile.ReadError("the archive has no end mark there")
    return not any(any(block) for block in iter(lambda: file.read(tarfile.RECORDSIZE), b""))


def _samples(archive: tarfile.TarFile, name: str) -> Iterator[tuple[str, Row]]:
    """Each post's name, and its cells. The last one is held back where the archive is cut off: it may lack a file."""
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
    _is_all(archive)
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
