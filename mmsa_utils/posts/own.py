"""The reader's own posts: read from a table, checked row by row, opened one at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
from torch.utils.data import Dataset

from ..bars import progress
from .labels import is_missing, read_labels
from .likeness import picture_digest
from .noise import checked_index
from .picture_files import is_file, missing_file
from .pictures import open_picture
from .post import LABELS, Post, check_text, is_blank
from .sources import Picture, Source, read_source


class FaultyRows(ValueError):
    """Rows of a table are faulty. `faults` names every one of them; the message the first ten."""

    def __init__(self, name: str, faults: list[str]):
        more = f"\n... and {len(faults) - 10} more" if len(faults) > 10 else ""
        rows = "faulty row" if len(faults) == 1 else "faulty rows"
        super().__init__(f"{name} has {len(faults)} {rows}:\n" + "\n".join(faults[:10]) + more)
        self.faults = faults


class FilePosts(Dataset):
    """Posts of a table; each picture is opened when its post is asked for.

    Args:
        rows: a text, a picture (a path, or what `load_posts` makes of other places) and a label for each post; the
            label is an index into `classes`, or None where nobody knows it.
        classes: the names of the labels.
        left_out: reason → rows of the table that are none of these posts.
        faults: what is wrong with the rows that were passed over.
        digests: of the pictures, as `picture_digest` makes them, where they are known: (posts, bytes).
        numbers: which row of its table each post stood in, as messages count them; without them, from 0.
    """

    def __init__(self, rows: Iterable[tuple[str, Picture, int | None]], classes: Sequence[str] = LABELS, *,
                 left_out: dict[str, int] | None = None, faults: Sequence[str] = (),
                 digests: np.ndarray | None = None, numbers: Sequence[int] | None = None):
        self.rows, self.classes = list(rows), tuple(classes)
        self.left_out, self.faults, self.digests = dict(left_out or {}), list(faults), digests
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
        text, picture, label = self.rows[checked_index(index, len(self))]
        return Post(text, _opened(picture), label)

    def part(self, places: Iterable[int]) -> FilePosts:
        """Some of these posts, in the order of their places."""
        chosen = list(places)
        return FilePosts([self.rows[i] for i in chosen], self.classes,
                         digests=None if self.digests is None else self.digests[chosen],
                         numbers=[self.numbers[i] for i in chosen])

    def counts(self) -> dict[str, int]:
        """How many posts each class has; nothing where the labels are not known."""
        found = Counter(label for _, _, label in self.rows if label is not None)
        return {name: found[i] for i, name in enumerate(self.classes)} if found else {}


def load_posts(source: Any, anywhere: bool = False, show_progress: bool = False, *,
               classes: Sequence[str] | None = None, labelled: bool = True, text_column: str = "text",
               image_column: str = "image", label_column: str = "label", skip_faulty: bool = False,
               check_pictures: bool = True) -> FilePosts:
    """Load your own posts from a table.

    Args:
        source: a ``.csv`` or ``.tsv`` file with the columns text, image and label, a ``.jsonl`` file with an object of
            these three keys a line, a folder with one such file in it, or a ``.zip`` with one and its pictures; or a
            pandas DataFrame or `datasets.Dataset`. `image` is a picture's path, relative to the table (to the current
            folder for what is no file); in a frame or Dataset the picture itself may be there.
        anywhere: allow pictures outside of the table's folder. Without it a table from a stranger cannot reach for
            the other files of this machine.
        show_progress: every picture is opened once, to be sure of it; show how many are left.
        classes: the names that labels may have. Moods (the default: negative, neutral, positive) may be written as
            numbers too, see `read_labels`; posts of a mood that is not among the classes are left out and counted.
        labelled: False for posts whose labels nobody knows; a column of labels is then not looked at.
        text_column, image_column, label_column: what the columns are called.
        skip_faulty: pass over faulty rows, and keep them in `faults`, instead of refusing the table.
        check_pictures: False for posts whose pictures need only be there: a damaged one comes up when its post is asked
            for.

    Returns:
        A data set of `Post`.

    Raises:
        FileNotFoundError: if there is no such file.
        TypeError: if the source is of another kind.
        ValueError: if it is empty or not such a table, if its labels could mean one thing or another, or naming each
            faulty row (the CSV header is row 1).
    """
    names = LABELS if classes is None else tuple(classes)
    wanted = {"text": text_column, "image": image_column, **({"label": label_column} if labelled else {})}
    table = read_source(source, wanted)
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
    rows: list[tuple[str, Picture, int | None]] = []
    faults, digests, numbers = [], [], []
    check = _Check(table, anywhere, check_pictures, digest=labelled and check_pictures)
    for place, (number, row) in progress(list(enumerate(table.rows)), "check", show_progress):
        if labelled and indices[place] is None and place not in wrong:
            continue  # it is left out
        if isinstance(row, ValueError):
            faults.append(f"row {number} {row}")
            continue
        try:
            text, picture, digest = check(row)
            if place in wrong:
                raise ValueError(wrong[place])
        except (ValueError, OSError) as error:
            faults.append(f"row {number}: {error}")
            continue
        rows.append((text, picture, indices[place]))
        digests.append(digest)
        numbers.append(number)
    if faults and not (skip_faulty and rows):
        raise FaultyRows(table.name, faults)
    if not rows:
        gone = next(iter(left_out))
        raise ValueError(f"{table.name}: all posts are {gone}: expected {' or '.join(names)} ones for a model with "
                         f"{len(names)} classes.")
    left_out.update({"faulty rows": len(faults)} if faults else {})
    return FilePosts(rows, names, left_out=left_out, faults=faults, numbers=numbers,
                     digests=np.stack(digests) if check.digest else None)  # type: ignore[arg-type]


class _Check:
    """Looks at rows one after the other; each picture file is opened once, however many rows name it."""

    def __init__(self, table: Source, anywhere: bool, opens: bool, digest: bool):
        self.table, self.anywhere, self.opens, self.digest = table, anywhere, opens, digest
        self.seen: dict[Any, np.ndarray | None | Exception] = {}

    def __call__(self, row: dict[str, Any]) -> tuple[str, Picture, np.ndarray | None]:
        text = _text(row["text"])
        picture = self.table.picture(row["image"], self.anywhere)
        key = picture if isinstance(picture, Path) else id(row)
        if key not in self.seen:
            try:
                if not self.opens and isinstance(picture, Path) and not is_file(picture):
                    raise missing_file(picture)
                image = _opened(picture) if self.opens else None
                self.seen[key] = picture_digest(image) if self.digest and image else None
            except (ValueError, OSError) as error:
                self.seen[key] = error
        found = self.seen[key]
        if isinstance(found, Exception):
            raise found
        return text, picture, found


def _text(cell: Any) -> str:
    if not isinstance(cell, str):
        if not is_missing(cell):
            raise ValueError(f"text is {repr(cell)[:60]}: expected a string.")
        cell = "" if cell is None else str(cell)
    text = cell.strip()
    if is_blank(text):
        raise ValueError("the text is empty: expected at least one word.")
    if is_missing(text):
        raise ValueError(f"the text is empty: {text!r} is how tables write a missing one.")
    check_text(text, "the text")
    return text


def _opened(picture: Picture) -> Any:
    return open_picture(picture) if isinstance(picture, Path) else picture.open()
