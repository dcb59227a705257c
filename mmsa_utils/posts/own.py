"""The reader's own posts: read from a table, checked row by row, opened one at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, overload

import numpy as np
from torch.utils.data import Dataset

from ..bars import progress
from .archive import Member
from .generated import checked_index
from .labels import read_labels
from .likeness import PICTURE_BYTES, VOICE_BYTES, picture_digest, voice_digest
from .picture_files import is_file, missing_file
from .pictures import open_picture
from .post import LABELS, SIDES, SUBJECTS, Post, check_text, is_blank
from .sources import FILES, Source, Stored, is_empty, read_source, sound_of


class FaultyRows(ValueError):
    """Rows of a table are faulty. `faults` names every one of them, the message the first ten; `incomplete` is how many
    of them merely lack a side.
    """

    def __init__(self, name: str, faults: list[str], incomplete: int = 0):
        more = f"\n... and {len(faults) - 10} more" if len(faults) > 10 else ""
        rows = "faulty row" if len(faults) == 1 else "faulty rows"
        super().__init__(f"{name} has {len(faults)} {rows}:\n" + "\n".join(faults[:10]) + more)
        self.faults, self.incomplete = faults, incomplete


class Entry(NamedTuple):
    """A row of a table: what it says, and what is kept of its files until they are opened. None for a missing side."""

    text: str | None
    image: Stored | None
    label: int | None
    voice: Stored | None = None


class FilePosts(Dataset):
    """Posts of a table; its pictures and recordings are opened when a post is asked for.

    Args:
        rows: for each post an `Entry`: a text, a picture (a path, or what `load_posts` makes of other places), a label,
            and perhaps a recording. The label is an index into `classes`, or None where nobody knows it; a side that
            is None is missing.
        classes: the names of the labels.
        sides: what the table has columns for.
        left_out: reason → rows of the table that are none of these posts.
        faults: what is wrong with the rows that were passed over.
        digests: side → as `picture_digest` and `voice_digest` make them, where they are known: (posts, bytes).
        numbers: which row of its table each post stood in, as messages count them; without them, from 0.
    """

    def __init__(self, rows: Iterable[tuple], classes: Sequence[str] = LABELS, *,
                 sides: Sequence[str] = ("text", "image"), left_out: dict[str, int] | None = None,
                 faults: Sequence[str] = (), digests: Mapping[str, np.ndarray] | None = None,
                 numbers: Sequence[int] | None = None):
        self.rows, self.classes, self.sides = [Entry(*row) for row in rows], tuple(classes), tuple(sides)
        self.left_out, self.faults = dict(left_out or {}), list(faults)
        self.digests = None if digests is None else dict(digests)
        self.numbers = list(range(len(self.rows)) if numbers is None else numbers)

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, index: int) -> Post: ...

    @overload
    def __getitem__(self, index: slice) -> FilePosts: ...

    def __getitem__(self, index: int | slice) -> Post | FilePosts:
        """A post, counted from 0, or from the end if negative; for a slice such posts as are in it, none opened yet."""
        if isinstance(index, slice):
            return self.part(range(len(self))[index])
        row = self.rows[checked_index(index, len(self))]
        return Post(row.text, _opened("image", row.image), row.label, voice=_opened("voice", row.voice))

    def part(self, places: Iterable[int]) -> FilePosts:
        """Some of these posts, in the order of their places."""
        chosen = list(places)
        return FilePosts([self.rows[i] for i in chosen], self.classes, sides=self.sides,
                         digests=self.digests and {side: found[chosen] for side, found in self.digests.items()},
                         numbers=[self.numbers[i] for i in chosen])

    def counts(self) -> dict[str, int]:
        """How many posts each class has; nothing where the labels are not known."""
        found = Counter(row.label for row in self.rows if row.label is not None)
        return {name: found[i] for i, name in enumerate(self.classes)} if found else {}

    @property
    def missing(self) -> dict[str, int]:
        """Side → how many posts lack it, for the sides that some lack."""
        found = {side: sum(getattr(row, side) is None for row in self.rows) for side in self.sides}
        return {side: count for side, count in found.items() if count}


def load_posts(source: Any, anywhere: bool = False, show_progress: bool = False, *,
               classes: Sequence[str] | None = None, labelled: bool = True, text_column: str = "text",
               image_column: str = "image", voice_column: str = "audio", label_column: str = "label",
               sides: Sequence[str] | None = None, complete: bool = False, skip_faulty: bool = False,
               check_pictures: bool = True) -> FilePosts:
    """Load your own posts from a table.

    An empty cell is a side that the post lacks: None in its `Post`, and counted in `missing`. A row without any side is
    faulty.

    Args:
        source: a ``.csv`` or ``.tsv`` file with the columns text, image and label, and perhaps audio; a ``.jsonl`` file
            with an object of these keys a line, a folder with one such file in it, or a ``.zip`` with one, its pictures
            and recordings; or a pandas DataFrame or `datasets.Dataset`. `image` is a picture's path, relative to the
            table (to the current folder for what is no file), `audio` that of a recording; in a frame or Dataset the
            picture or recording itself may be there.
        anywhere: allow files outside of the table's folder. Without it a table from a stranger cannot reach for the
            other files of this machine.
        show_progress: every file is opened once, to be sure of it; show how many are left.
        classes: the names that labels may have. Moods (the default: negative, neutral, positive) may be written as
            numbers too, see `read_labels`; posts of a mood that is not among the classes are left out and counted.
        labelled: False for posts whose labels nobody knows; a column of labels is then not looked at.
        text_column, image_column, voice_column, label_column: what the columns are called.
        sides: what to read, such as a model's `sides`; each must have a column, and no other is looked at. None: text
            and picture, and the voice where there is a column for it.
        complete: a row that lacks a side is faulty.
        skip_faulty: pass over faulty rows, and keep them in `faults`, instead of refusing the table.
        check_pictures: False for posts whose pictures and recordings need only be there: a damaged one comes up when
            its post is asked for.

    Returns:
        A data set of `Post`.

    Raises:
        FileNotFoundError: if there is no such file.
        TypeError: if the source is of another kind.
        ValueError: if it is empty or not such a table, if its labels could mean one thing or another, or naming each
            faulty row (the CSV header is row 1).
    """
    names = LABELS if classes is None else tuple(classes)
    columns = {"text": text_column, "image": image_column, "voice": voice_column}
    needed = ("text", "image", *["voice"] * (voice_column != "audio")) if sides is None else sides
    wanted = {**{side: columns[side] for side in SIDES if side in needed},
              **({"label": label_column} if labelled else {})}
    table = read_source(source, wanted, {"voice": "audio"} if sides is None and "voice" not in needed else {})
    if not table.rows:
        raise ValueError(f"{table.name} holds no posts: expected at least one row with {', '.join(wanted)}.")
    indices: list[int | None] = [None] * len(table.rows)
    wrong: dict[int, str] = {}
    left_out: dict[str, int] = {}
    if labelled:
        try:
            indices, wrong, left_out = read_labels(
                [None if isinstance(row, ValueError) else row["label"] for _, row in table.rows], names)
        except ValueError as error:
            raise ValueError(f"{table.name}: {error}") from None
    rows: list[Entry] = []
    faults, numbers = [], []
    check = RowCheck(table, anywhere, check_pictures, complete, digest=labelled and check_pictures)
    for place, (number, row) in progress(list(enumerate(table.rows)), "check", show_progress):
        if labelled and indices[place] is None and place not in wrong:
            continue  # it is left out
        if isinstance(row, ValueError):
            faults.append(f"row {number} {row}")
            continue
        try:
            entry = check(row, indices[place], wrong.get(place))
        except (ValueError, OSError) as error:
            faults.append(f"row {number}: {error}")
            continue
        rows.append(entry)
        numbers.append(number)
    if faults and not (skip_faulty and rows):
        raise FaultyRows(table.name, faults, check.incomplete)
    if not rows:
        gone = next(iter(left_out))
        raise ValueError(f"{table.name}: all posts are {gone}: expected {' or '.join(names)} ones for a model with "
                         f"{len(names)} classes.")
    left_out.update({"faulty rows": len(faults)} if faults else {})
    return FilePosts(rows, names, sides=check.sides, left_out=left_out, faults=faults, numbers=numbers,
                     digests={side: np.stack(found) for side, found in check.digests.items()} or None)


class RowCheck:
    """Looks at rows one after the other; each file is opened once, however many rows name it."""

    def __init__(self, table: Source, anywhere: bool, opens: bool, complete: bool, digest: bool):
        self.table, self.anywhere, self.opens, self.complete = table, anywhere, opens, complete
        self.sides = tuple(side for side in SIDES if side in table.columns)
        self.seen: dict[Any, np.ndarray | None | Exception] = {}
        self.digests: dict[str, list[np.ndarray]] = {
            side: [] for side in FILES if digest and (side in self.sides or side == "image")}
        self.incomplete = 0

    def __call__(self, row: dict[str, Any], label: int | None, wrong: str | None) -> Entry:
        """The row, if nothing is wrong with it; `wrong` is what is with its label."""
        given: dict[str, Any] = dict.fromkeys(SIDES)
        digests = {side: np.zeros(_BYTES[side], np.uint8) for side in FILES}
        for side in self.sides:
            given[side] = _text(row[side]) if side == "text" else self.table.file(side, row[side], self.anywhere)
            if given[side] is not None and side in FILES:
                found = self._file(side, given[side], row)
                if found is None:
                    given[side] = None
                else:
                    digests[side] = found
            if given[side] is None and (self.complete or len(self.sides) == 1):
                self.incomplete += 1
                raise lacks(side, row[side])
        if all(item is None for item in given.values()):
            raise ValueError(f"there is neither {' nor '.join(SUBJECTS[side] for side in self.sides)}: expected at "
                             "least one of them.")
        if wrong is not None:
            raise ValueError(wrong)
        for side, rows in self.digests.items():
            rows.append(digests[side])
        return Entry(given["text"], given["image"], label, given["voice"])

    def _file(self, side: str, stored: Stored, row: dict[str, Any]) -> np.ndarray | None:
        """The digest of a picture or recording that is in order (empty where none is asked for); None where there turns
        out to be nothing.
        """
        key = side, stored if isinstance(stored, (Path, Member)) else id(row)
        if key not in self.seen:
            try:
                if not self.opens and isinstance(stored, Path) and not is_file(stored):
                    raise missing_file(stored, what=FILES[side])
                opened = _opened(side, stored) if self.opens else stored
                digest: Any = _DIGEST[side] if self.digests else lambda opened: np.zeros(0, np.uint8)
                self.seen[key] = None if opened is None else digest(opened)
            except (ValueError, OSError) as error:
                self.seen[key] = error
        found = self.seen[key]
        if isinstance(found, Exception):
            raise found
        return found


_DIGEST = {"image": picture_digest, "voice": voice_digest}
_BYTES = {"image": PICTURE_BYTES, "voice": VOICE_BYTES}


def _text(cell: Any) -> str | None:
    """What a cell says, without the white space around it; None where it is empty."""
    if is_empty(cell):
        return None
    if not isinstance(cell, str):
        raise ValueError(f"text is {repr(cell)[:60]}: expected a string.")
    text = cell.strip()
    if is_blank(text):
        raise ValueError("the text is empty: expected at least one word.")
    check_text(text, "the text")
    return text


def lacks(side: str, cell: Any) -> ValueError:
    """The error for a side that must not be missing."""
    said = "" if cell is None else str(cell).strip()
    if side == "text":
        return ValueError("the text is empty: " + (
            "expected at least one word." if is_blank(said) else f"{said!r} is how tables write a missing one."))
    shown = f" ({said})" if isinstance(cell, str) and said else ""
    return ValueError(f"no {FILES[side]} is named{shown}: expected the path of one.")


def _opened(side: str, stored: Stored | None) -> Any:
    """A picture or a recording; None where there is none."""
    if stored is None:
        return None
    if side == "image":
        return open_picture(stored) if isinstance(stored, Path) else stored.open()
    return sound_of(stored)
