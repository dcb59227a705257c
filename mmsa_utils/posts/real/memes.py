"""Memes: Hateful Memes and Memotion, pictures with a text on them.

Hateful Memes (Kiela et al., NeurIPS 2020) is made so that neither side tells by itself: for many a hateful meme there
is one with the same text and one with the same picture that are not. Memotion (Sharma et al., SemEval-2020 task 8) has
6,992 memes whose mood was voted for on a scale of five, of which most papers make three.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ..labels import is_missing, plain
from ..picture_files import is_file
from ..post import LABELS
from ..tables import rows_of
from .rows import Amiss, RealPosts, Row, checked, existing

#: The classes of Hateful Memes; a label in its files is an index into them.
HATEFUL = ("not hateful", "hateful")
_FIVE = ("very_negative", "negative", "neutral", "positive", "very_positive")
#: Rule → the class of each of Memotion's five moods: "three" as the task has it, "five" as they are.
MOODS = {"three": {name: name.removeprefix("very_") for name in _FIVE},
         "five": {name: name.replace("_", " ") for name in _FIVE}}
# Split → its file's possible names. The first are those of the challenge's first phase, and most papers'.
_SPLITS = {"train": ("train.jsonl",), "validation": ("dev.jsonl", "dev_seen.jsonl"),
           "validation unseen": ("dev_unseen.jsonl",), "test": ("test.jsonl", "test_seen.jsonl"),
           "test unseen": ("test_unseen.jsonl",)}
_COLUMNS = ("image_name", "text_ocr", "text_corrected", "overall_sentiment")


def load_memes(folder: str | Path, *, skip_faulty: bool = True, check_pictures: bool = True,
               show_progress: bool = False) -> dict[str, RealPosts] | RealPosts:
    """Load Hateful Memes or Memotion, whichever lies in the folder.

    As everywhere in this room, a set with splits of its own gives a dictionary of them, and one without gives its
    posts.

    Raises:
        FileNotFoundError: if it is neither.
        FaultyRows, ValueError: as `load_hateful_memes` and `load_memotion`.
    """
    place = existing(Path(folder), "the folder of Hateful Memes (train.jsonl) or of Memotion (labels.csv)")
    load = load_memotion if is_file(place / "labels.csv") else load_hateful_memes
    return load(place, skip_faulty=skip_faulty, check_pictures=check_pictures, show_progress=show_progress)


def load_hateful_memes(folder: str | Path, *, skip_faulty: bool = True, check_pictures: bool = True,
                       show_progress: bool = False) -> dict[str, RealPosts]:
    """Load Hateful Memes.

    Args:
        folder: with train.jsonl, dev.jsonl (or dev_seen.jsonl) and test.jsonl (or test_seen.jsonl), lines of id, img,
            label and text, and the pictures in `img`. Files that are not there are passed over, if one is.
        skip_faulty: leave out what cannot be used, counted in `left_out` and named in `faults`; False refuses it.
        check_pictures: False for pictures that need only be there.
        show_progress: show how many are left.

    Returns:
        "train", "validation", "test", and "validation unseen" and "test unseen" where these are there → posts of the
        classes `HATEFUL`. The label is None in files without labels, as the test's was at first.

    Raises:
        FileNotFoundError: if there is no such file.
        FaultyRows: if something cannot be used, and is not to be skipped.
        ValueError: if a file is no such table.
    """
    place = Path(folder)
    found = {split: next((place / name for name in names if is_file(place / name)), None)
             for split, names in _SPLITS.items()}
    if not any(found.values()):
        raise FileNotFoundError(f"there is neither of {', '.join(names[0] for names in _SPLITS.values())} in {place}: "
                                "expected the folder of Hateful Memes (or labels.csv, for Memotion).")
    splits = {}
    for split, file in found.items():
        if file is None:
            continue
        columns, records = rows_of(file.name, file.read_bytes(), ("id", "img", "text", "label"))
        _has_columns(file, columns, ("img", "text"))
        rows = [_hateful(number, record, "label" in columns) for number, record in records]
        splits[split] = checked(f"{split} ({file.name})", rows, place, HATEFUL, skip_faulty=skip_faulty,
                                check_pictures=check_pictures, show_progress=show_progress)
    return splits


def _hateful(number: int, record: dict | ValueError, labelled: bool) -> Row:
    if isinstance(record, ValueError):
        return Row(number, "", "", "", None, Amiss("faulty row", str(record)))
    label, name = record.get("label"), str(record.get("id", ""))
    if labelled and (isinstance(label, bool) or plain(label) not in ("0", "1")):
        return Row(number, name, "", "", None, Amiss("faulty row", f"the label is {label!r}: expected 0 or 1."))
    text, picture = record.get("text"), record.get("img")
    if not isinstance(text, str) or not isinstance(picture, str):
        return Row(number, name, "", "", None, Amiss("faulty row", (
            f"text and img are {repr(text)[:40]} and {repr(picture)[:40]}: expected strings.")))
    return Row(number, name, text, picture, int(plain(label)) if labelled else None)


def load_memotion(folder: str | Path, rule: str = "three", *, skip_faulty: bool = True, check_pictures: bool = True,
                  show_progress: bool = False) -> RealPosts:
    """Load Memotion. The text is text_corrected; where that is missing, text_ocr, counted in `notes`.

    Args:
        folder: with labels.csv, and the pictures in `images`.
        rule: which classes the five moods become, a name in `MOODS`.
        skip_faulty: leave out what cannot be used, counted in `left_out` and named in `faults`; False refuses it.
        check_pictures: False for pictures that need only be there.
        show_progress: show how many are left.

    Raises:
        FileNotFoundError: if there is no such file.
        FaultyRows: if something cannot be used, and is not to be skipped.
        ValueError: for a rule that there is not, or a table of another kind.
    """
    if rule not in MOODS:
        raise ValueError(f"rule is {rule!r}: expected one of {', '.join(MOODS)}.")
    place = Path(folder)
    file = existing(place / "labels.csv", f"Memotion's table, with the columns {', '.join(_COLUMNS)}")
    columns, records = rows_of(file.name, file.read_bytes(), _COLUMNS)
    _has_columns(file, columns, _COLUMNS)
    classes = LABELS if rule == "three" else tuple(MOODS[rule].values())
    notes: dict[str, int] = {}
    rows = [_meme(number, record, rule, classes, notes) for number, record in records]
    return checked(file.name, rows, existing(place / "images", "the folder of Memotion's pictures"), classes,
                   skip_faulty=skip_faulty, check_pictures=check_pictures, show_progress=show_progress, notes=notes)


def _meme(number: int, record: dict | ValueError, rule: str, classes: tuple[str, ...], notes: dict[str, int]) -> Row:
    if isinstance(record, ValueError):
        return Row(number, "", "", "", None, Amiss("faulty row", str(record)))
    picture, read, text, mood = (record.get(column) or "" for column in _COLUMNS)
    if plain(mood) not in _FIVE:
        return Row(number, picture, "", "", None, Amiss("faulty row", f"overall_sentiment is {mood[:30]!r}: expected "
                                                                      f"{', '.join(_FIVE)}."))
    if is_missing(text):
        text = "" if is_missing(read) else read
        notes["texts that nobody corrected"] = notes.get("texts that nobody corrected", 0) + 1
    return Row(number, picture, text, picture, classes.index(MOODS[rule][plain(mood)]))


def _has_columns(file: Path, columns: Iterable[str], needed: Iterable[str]) -> None:
    lacking = [name for name in needed if name not in columns]
    if lacking:
        raise ValueError(f"{file.name} lacks {', '.join(lacking)}: expected the file as it is published. It has "
                         f"{', '.join(str(column)[:40] for column in columns) or 'nothing'}.")
