"""Posts of a published set: its rows checked one by one, and what was left out or noticed counted by kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ...bars import progress
from ..likeness import picture_digest
from ..own import Entry, FaultyRows, FilePosts
from ..picture_files import place_of
from ..pictures import open_picture
from ..post import LABELS, check_text, is_blank


class RealPosts(FilePosts):
    """Posts of a published set.

    Args:
        rows, classes: as for `FilePosts`.
        ids: what the set calls each post.
        notes: what was noticed of posts that are here nonetheless → how many have it: "texts read as cp1252".
        known: the rest, as for `FilePosts`.
    """

    def __init__(self, rows: Iterable[tuple], classes: Sequence[str] = LABELS, *, ids: Sequence[str] | None = None,
                 notes: dict[str, int] | None = None, **known: Any):
        super().__init__(rows, classes, **known)
        self.ids = [str(number) for number in self.numbers] if ids is None else list(ids)
        self.notes = dict(notes or {})

    def part(self, places: Iterable[int]) -> RealPosts:
        """Some of these posts, in the order of their places."""
        chosen = list(places)
        part = super().part(chosen)
        return RealPosts(part.rows, part.classes, ids=[self.ids[i] for i in chosen], sides=part.sides,
                         digests=part.digests, numbers=part.numbers)


class Amiss(ValueError):
    """Something is wrong with a row; `kind` is what such rows are counted under."""

    def __init__(self, kind: str, message: str):
        super().__init__(message)
        self.kind = kind


class Row(NamedTuple):
    """A row of a set, before it is checked."""

    number: int  # in its table, as messages count it
    id: str
    text: str
    picture: str  # the name of its file
    label: int | None
    amiss: Amiss | None = None  # what is known to be wrong with it


def checked(name: str, rows: Sequence[Row], folder: Path, classes: Sequence[str] = LABELS, *, skip_faulty: bool,
            check_pictures: bool, show_progress: bool, left_out: dict[str, int] | None = None,
            notes: dict[str, int] | None = None) -> RealPosts:
    """The posts whose text and picture are in order.

    Args:
        name: of the table, for messages.
        rows: of it, those of posts to be kept and those that are amiss.
        folder: where the pictures lie.
        skip_faulty: leave faulty rows out, counted by kind; else refuse them.
        check_pictures: open each picture; else it need only be there.
        left_out: what has been left out before, by reason.

    Raises:
        FaultyRows: if there are faulty rows, and they are not to be skipped or are all that there is.
        ValueError: if there is nothing at all.
    """
    seen: dict[str, np.ndarray | None | Amiss] = {}
    entries, ids, numbers, digests, faults = [], [], [], [], []
    kinds: Counter[str] = Counter()
    for row in progress(rows, f"check {name}", show_progress):
        try:
            entry, digest = _entry(row, folder, check_pictures, seen)
        except Amiss as fault:
            kinds[fault.kind] += 1
            faults.append(f"row {row.number} ({row.id}): {fault}")
            continue
        entries.append(entry)
        ids.append(row.id)
        numbers.append(row.number)
        digests.append(digest)
    if faults and not (skip_faulty and entries):
        raise FaultyRows(name, faults)
    if not entries:
        reasons = ", ".join(f"{count} {what}" for what, count in (left_out or {}).items()) or "it is empty"
        raise ValueError(f"{name} has no post that could be used ({reasons}): expected at least one.")
    return RealPosts(entries, classes, ids=ids, notes=notes, left_out={**(left_out or {}), **kinds}, faults=faults,
                     numbers=numbers, digests={"image": np.stack(digests)} if check_pictures else None)


def _entry(row: Row, folder: Path, opens: bool, seen: dict[str, np.ndarray | None | Amiss]) -> tuple[Entry, Any]:
    """A row that is in order, and the digest of its picture; each picture is opened once, however many rows have it."""
    if row.amiss is not None:
        raise row.amiss
    text = row.text.strip()
    if is_blank(text):
        raise Amiss("text is empty", "the text is empty: expected at least one word.")
    try:
        check_text(text, "the text")
    except ValueError as error:
        raise Amiss("text is damaged", str(error)) from None
    if row.picture not in seen:
        try:
            path = place_of(row.picture, folder)
            seen[row.picture] = picture_digest(open_picture(path)) if opens else None
        except FileNotFoundError as error:
            seen[row.picture] = Amiss("picture is missing", str(error))
        except (ValueError, OSError) as error:
            seen[row.picture] = Amiss("picture does not open", str(error))
    digest = seen[row.picture]
    if isinstance(digest, Amiss):
        raise digest
    return Entry(text, folder / row.picture.strip(), row.label), digest


def existing(path: Path, what: str) -> Path:
    """The path, if something lies there.

    Raises:
        FileNotFoundError: naming what is expected there.
    """
    if not path.exists():
        raise FileNotFoundError(f"there is no {path}: expected {what}.")
    return path
