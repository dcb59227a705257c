"""The reader's own posts: tables from CSV or JSON lines."""

from __future__ import annotations

import codecs
import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

from torch.utils.data import Dataset

from ..bars import progress
from .pictures import is_file, open_picture
from .post import LABELS, Post, check_text, is_blank


class FilePosts(Dataset):
    """Posts of a table; each picture is opened when its post is asked for."""

    classes = LABELS

    def __init__(self, rows: list[tuple[str, Path, int]]):
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Post:
        text, image, label = self.rows[index]
        return Post(text, open_picture(image), label)


def load_posts(path: str | Path, anywhere: bool = False, show_progress: bool = False) -> FilePosts:
    """Load your own posts from a table.

    Args:
        path: a ``.csv`` file with the columns text, image and label, or a ``.jsonl`` file with an object of these
            three keys a line. `image` is a picture's path, relative to the table; `label` is negative, neutral or
            positive, or 0, 1 or 2.
        anywhere: allow pictures outside of the table's folder. Without it a table from a stranger cannot reach for
            the other files of this machine.
        show_progress: every picture is opened once, to be sure of it; show how many are left.

    Returns:
        A data set of `Post`.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is empty or not such a table, or naming each faulty row (the CSV header is row 1).
    """
    path = Path(path)
    if not is_file(path):
        raise FileNotFoundError(f"there is no file {path}: expected a CSV or JSON-lines table of posts.")
    rows, faults = [], []
    for number, record in progress(list(_records(path)), "check", show_progress):
        try:
            rows.append(_checked(record, path.parent, anywhere))
        except (ValueError, FileNotFoundError) as error:
            faults.append(f"row {number}: {error}")
    if faults:
        more = f"\n... and {len(faults) - 10} more" if len(faults) > 10 else ""
        raise ValueError(f"{path.name} has {len(faults)} faulty rows:\n" + "\n".join(faults[:10]) + more)
    if not rows:
        raise ValueError(f"{path.name} holds no posts: expected at least one row with text, image and label.")
    return FilePosts(rows)


def _records(path: Path) -> Iterator[tuple[int, dict]]:
    """Each row with its number, as a dict."""
    if path.suffix.lower() not in (".csv", ".jsonl"):
        raise ValueError(f"{path.name} is not a .csv or .jsonl file: save the table as one of these.")
    data = path.read_bytes()
    utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))  # what spreadsheets call "Unicode text"
    try:
        text = data.decode("utf-16" if utf16 else "utf-8-sig")  # -sig: they put a byte order mark in front
    except UnicodeDecodeError as error:
        raise ValueError(f"{path.name} is not UTF-8 text ({error}): save it with that encoding.") from error
    if path.suffix.lower() == ".csv":
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        rows: list[list[str]] = []
        try:
            rows.extend(reader)
        except csv.Error as error:
            raise ValueError(f"{path.name} cannot be taken apart in row {len(rows) + 1} ({error}): is a quotation mark "
                             "left open, or alone in a text? Within quoted texts write it twice.") from error
        header = rows[0] if rows else []
        missing = {"text", "image", "label"} - set(header)
        if missing:
            raise ValueError(f"{path.name} lacks the column {', '.join(sorted(missing))}: expected text,image,label, "
                             "separated by commas.")
        twice = {name for name in ("text", "image", "label") if header.count(name) > 1}
        if twice:
            raise ValueError(f"{path.name} has the column {', '.join(sorted(twice))} more than once: keep one.")
        for number, row in enumerate(rows[1:], start=2):
            if any(row[len(header):]):
                raise ValueError(f"{path.name} row {number} has {len(row)} cells, and the header {len(header)}: put "
                                 "texts with commas in quotation marks.")
            if row:
                yield number, dict(zip(header, row))
        return
    for number, line in enumerate(text.split("\n"), start=1):  # splitlines would break at other marks within a text
        if line.strip():
            try:
                record = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise ValueError(f"{path.name} row {number} is not JSON ({error}).") from error
            if not isinstance(record, dict):
                raise ValueError(f"{path.name} row {number} is not an object with text, image and label.")
            yield number, record


def _checked(record: dict, folder: Path, anywhere: bool) -> tuple[str, Path, int]:
    given = [record.get(key) for key in ("text", "image", "label")]
    for key, value in zip(("text", "image"), given):
        if value is not None and not isinstance(value, str):
            raise ValueError(f"{key} is {repr(value)[:60]}: expected a string.")
    text, image, label = ("" if value is None else str(value).strip() for value in given)
    if is_blank(text):
        raise ValueError("the text is empty: expected at least one word.")
    check_text(text, "the text")
    if not image:
        raise ValueError("no picture is named: expected a path relative to the table.")
    if len(image) > 1000:
        raise ValueError(f"the picture's path has {len(image)} characters: expected one relative to the table.")
    if not (anywhere or _is_within(image, folder)):
        raise ValueError(f"the picture {image[:200]} may lie outside of the table's folder: name it relative to the "
                         "table, or allow any path with anywhere=True (--anywhere).")
    open_picture(folder / image)
    names = {name: i for i, name in enumerate(LABELS)} | {str(i): i for i in range(len(LABELS))}
    if label.lower() not in names:
        raise ValueError(f"label is {label[:60]!r}: expected {', '.join(LABELS)}, or 0, 1, 2.")
    return text, folder / image, names[label.lower()]


def _is_within(image: str, folder: Path) -> bool:
    """Whether a path is relative, without steps upwards, and not a link that leads out of the folder."""
    path = Path(image)
    try:
        return not (path.is_absolute() or path.drive or ".." in path.parts) and (
            (folder / path).resolve().is_relative_to(folder.resolve()))
    except (OSError, ValueError, RuntimeError):  # a loop of links, no name for a file: it will not be opened either
        return True
