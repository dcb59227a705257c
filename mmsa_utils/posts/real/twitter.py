"""Twitter-2015 and Twitter-2017: tweets with a picture, and what is felt about one name in them, the target.

The files are those of TomBERT (Yu and Jiang, "Adapting BERT for Target-Oriented Multimodal Sentiment Classification",
IJCAI 2019): train.tsv, dev.tsv and test.tsv, with 3,179, 1,122 and 1,037 rows for 2015 and 3,562, 1,176 and 1,234 for
2017.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from ..picture_files import is_file
from .decoding import decoded
from .rows import Amiss, RealPosts, Row, checked, existing

_FILES = {"train": "train.tsv", "validation": "dev.tsv", "test": "test.tsv"}
_TARGET = "$T$"  # where the target stood in the text
_COLUMNS = f"five columns between tabs (index, label, picture, text with {_TARGET}, target)"


def load_twitter(folder: str | Path, pictures: str | Path | None = None, *, skip_faulty: bool = True,
                 check_pictures: bool = True, show_progress: bool = False) -> dict[str, RealPosts]:
    """Load Twitter-2015 or Twitter-2017.

    A tweet with several targets is several posts, and once the targets stand in it again these have the same text and
    picture, while their labels may differ: no model that is not told the target can be right on all of them. How many
    posts have such another is in `notes`; what the target is, `targets_of` reads.

    Args:
        folder: with train.tsv, dev.tsv and test.tsv; those that are not there are passed over, if one is.
        pictures: the folder of the pictures. None: twitter2015_images or twitter2017_images, in `folder` or beside it.
        skip_faulty: leave out what cannot be used, counted in `left_out` and named in `faults`; False refuses it.
        check_pictures: False for pictures that need only be there.
        show_progress: show how many are left.

    Returns:
        "train", "validation" and "test" → posts; labels 0, 1, 2 are negative, neutral, positive.

    Raises:
        FileNotFoundError: if there is no such file, or no folder of pictures.
        FaultyRows: if something cannot be used, and is not to be skipped.
        ValueError: if a file is no such table.
    """
    place = existing(Path(folder), "a folder with train.tsv, dev.tsv and test.tsv")
    found = {split: place / file for split, file in _FILES.items() if is_file(place / file)}
    if not found:
        raise FileNotFoundError(f"there is neither of {', '.join(_FILES.values())} in {place}: expected TomBERT's "
                                "files, absa_data/twitter2015 or absa_data/twitter.")
    images = _pictures(place) if pictures is None else existing(Path(pictures), "the folder of the pictures")
    splits = {}
    for split, file in found.items():
        cells, notes = _cells(file)
        rows = [_row(number, row, notes) for number, row in cells]
        posts = checked(f"{split} ({file.name})", rows, images, skip_faulty=skip_faulty, check_pictures=check_pictures,
                        show_progress=show_progress, notes=notes)
        labels = defaultdict(set)
        for entry in posts.rows:
            labels[entry.text, entry.image].add(entry.label)
        torn = sum(len(labels[entry.text, entry.image]) > 1 for entry in posts.rows)
        posts.notes.update({"text and picture of another post, with another label": torn} if torn else {})
        splits[split] = posts
    return splits


def targets_of(file: str | Path) -> dict[str, str]:
    """What each row of a file is about: the number in its first column, which is the post's id → the target.

    Raises:
        FileNotFoundError: if there is no such file.
    """
    return {row[0].strip(): row[4].strip() for _, row in _cells(existing(Path(file), "one of TomBERT's .tsv files"))[0]
            if len(row) == 5}


def _pictures(place: Path) -> Path:
    years = ("twitter2015_images", "twitter2017_images")
    usual = years[0] if "2015" in place.name else years[1]  # TomBERT's folders: twitter2015, and twitter for 2017
    tried = [place / usual, place.parent / usual, *(place / year for year in years if year != usual)]
    for path in tried:
        if path.is_dir():
            return path
    raise FileNotFoundError(f"there is no folder of pictures for {place}: expected {tried[0]} or {tried[1]}. If it is "
                            "another, name it: pictures=...")


def _cells(file: Path) -> tuple[list[tuple[int, list[str]]], dict[str, int]]:
    """The rows after the header, with their numbers, and what is to be noted. Quotation marks are signs like others."""
    text, encoding = decoded(file.read_bytes())
    lines = text.replace("\r\n", "\n").split("\n")  # splitlines would break at other marks within a text
    rows = [(number, line.split("\t")) for number, line in enumerate(lines, start=1) if line.strip()]
    if not rows:
        raise ValueError(f"{file.name} is empty: expected {_COLUMNS}.")
    if rows[0][1][0].strip().casefold() == "index":  # in the test file with a name too few
        rows = rows[1:]
    return rows, {} if encoding == "UTF-8" else {f"texts read as {encoding}": len(rows)}


def _row(number: int, cells: list[str], notes: dict[str, int]) -> Row:
    if len(cells) != 5:
        return Row(number, cells[0][:20], "", "", None, Amiss("faulty row", (
            f"has {len(cells)} columns: expected {_COLUMNS}.")))
    index, label, picture, text, target = (cell.strip() for cell in cells)
    if label not in ("0", "1", "2"):
        return Row(number, index, "", "", None, Amiss("faulty row", (
            f"the label is {label[:20]!r}: expected 0, 1 or 2.")))
    if _TARGET not in text:
        notes[f"texts without {_TARGET}"] = notes.get(f"texts without {_TARGET}", 0) + 1
    return Row(number, index, text.replace(_TARGET, target), picture, int(label))
