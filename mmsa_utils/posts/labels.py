"""What the labels of a table mean. It is decided for the whole column, never row by row, or asked back."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from .post import BINARY_LABELS, LABELS

#: How tables write that there is nothing: spreadsheets, pandas, databases.
MISSING = {"", "nan", "none", "null", "na", "n/a", "<na>", "#n/a", "nat"}
_WORDS = {"negative": "negative", "neg": "negative", "neutral": "neutral", "neu": "neutral", "neut": "neutral",
          "positive": "positive", "pos": "positive"}
_NUMBER = re.compile(r"[+-]?\d{1,9}([.,]0*)?")


class Labels(NamedTuple):
    """What was read: an index into the classes for each row, or None, and why."""

    indices: list[int | None]
    faults: dict[int, str]  # place → what is wrong with the label there
    left_out: dict[str, int]  # name of a mood that is no class of the model → rows with it


def is_missing(value: object) -> bool:
    """Whether a cell is empty, or holds what a table writes for an empty one (nan, None, null, NA)."""
    return value is None or plain(value) in MISSING


def plain(value: object) -> str:
    """A cell as one would compare it: no difference in case, white space or kind of minus."""
    text = unicodedata.normalize("NFKC", str(value)).replace("\N{MINUS SIGN}", "-")
    return " ".join(text.replace("\ufeff", " ").replace("\u200b", " ").split()).casefold()


def read_labels(cells: Sequence[Any], classes: Sequence[str] = LABELS) -> Labels:
    """The column of labels as indices into the classes.

    Moods may be written as words in any case, as 0, 1, 2, as -1, 0, 1, and for two classes as 0, 1 or False, True;
    posts of a mood that is none of the classes are left out. Classes of other names are written by name, or counted
    from 0.

    Raises:
        ValueError: where the column could mean one thing or another, or holds other names; it says what was found and
            what to write.
    """
    called = [_WORDS.get(plain(name)) for name in classes]
    moods = len(set(called)) == len(called) and set(called) in ({*BINARY_LABELS}, {*LABELS})
    names = dict(_WORDS) if moods else {plain(name): name for name in classes}
    classes = [names[plain(name)] for name in classes]  # moods by their usual names, whatever a model calls them
    words = [None if is_missing(cell) else plain(cell) for cell in cells]
    kinds = [_kind(word, names) for word in words]
    found = {kind: Counter(word for word, one in zip(words, kinds) if one == kind and word is not None)
             for kind in ("name", "number", "truth", "other")}
    known = {kind: found[kind].total() for kind in ("name", "number", "truth")}
    if found["other"].total() > sum(known.values()):
        raise ValueError(_other_names(found["other"] + found["name"], classes, cells, words))
    means, odd = _meanings(found, classes, names, moods)
    indices: list[int | None] = []
    faults: dict[int, str] = {}
    left_out: Counter[str] = Counter()
    for place, (cell, word, kind) in enumerate(zip(cells, words, kinds)):
        mood = means[kind].get(_key(word, kind, names))
        indices.append(classes.index(mood) if mood in classes else None)
        if mood is None:
            faults[place] = _fault(cell, word, odd.get(kind), classes)
        elif mood not in classes:
            left_out[mood] += 1
    return Labels(indices, faults, dict(left_out))


def _meanings(found: dict[str, Counter[str]], classes: Sequence[str], names: dict[str, str],
              moods: bool) -> tuple[dict[str, dict[Any, str]], dict[str, str]]:
    """For each kind of label what its values stand for; and for kinds that could mean one thing or another, why not.

    Names are clear. Numbers beside names are taken if they are clear as well; if they are the most, they must be.
    """
    means: dict[str, dict[Any, str]] = {"name": dict(names), "number": {}, "truth": {}, "other": {}, "missing": {}}
    odd: dict[str, str] = {}
    most = max(("name", "number", "truth"), key=lambda kind: found[kind].total())  # the first of equals: names
    for kind, read in (("number", _numbers), ("truth", _truth)):
        if found[kind]:
            try:
                means[kind] = read(found[kind], classes, moods)
                if "neutral" in {names.get(word) for word in found["name"]} and set(means[kind]) <= {0, 1}:
                    raise ValueError(f"the labels are words, neutral among them, and {_shown(found[kind])}: is 1 "
                                     f"neutral or positive? Write {', '.join(classes)} in words in all rows.")
            except ValueError:
                if kind == most:
                    raise
                means[kind] = {}
                if not (most == "name" and any(_NUMBER.fullmatch(name) for name in names)):
                    odd[kind] = {"name": "names", "number": "numbers", "truth": "True and False"}[most]
    return means, odd


def _key(word: str | None, kind: str, names: dict[str, str]) -> Any:
    """What a value is looked up by."""
    return _whole(word) if kind == "number" else str(_whole(word)) if _is_whole_name(word, names) else word


def _is_whole_name(word: str | None, names: dict[str, str]) -> bool:
    """Whether classes are called by whole numbers, and this is one as spreadsheets write it: 1.0 for 1."""
    return bool(word and word not in names and _NUMBER.fullmatch(word) and str(_whole(word)) in names)


def _kind(word: str | None, names: dict[str, str]) -> str:
    if word is None:
        return "missing"
    if word in names or _is_whole_name(word, names):
        return "name"
    if word in ("true", "false"):
        return "truth"
    return "number" if _NUMBER.fullmatch(word) else "other"


def _whole(word: str | None) -> int:
    return int(re.split("[.,]", word or "")[0])


def _numbers(words: Counter[str], classes: Sequence[str], moods: bool) -> dict[int, str]:
    """What whole numbers stand for: number → name."""
    found = Counter(_whole(word) for word in words.elements())
    values, shown = set(found), _shown(found)
    if not moods:
        counted = not any(_NUMBER.fullmatch(plain(name)) for name in classes)
        if counted and values <= set(range(len(classes))) and 0 in values:
            return dict(enumerate(classes))
        raise ValueError(f"the labels are the numbers {shown}: expected "
                         + (f"0 to {len(classes) - 1} for " if counted else "") + ", ".join(classes)
                         + (", counted from 0" if counted else "") + ". Write the names in their place.")
    if tuple(classes) not in (LABELS, BINARY_LABELS):
        raise ValueError(f"the labels are the numbers {shown}, and the classes are in the order {', '.join(classes)}: "
                         "write the names, so that none is mistaken for another.")
    if -1 in values and values <= {-1, 0, 1}:
        return dict(zip((-1, 0, 1), LABELS))
    if values == {0, 1} and len(classes) == 2:
        return dict(zip((0, 1), BINARY_LABELS))
    if values in ({0, 1, 2}, {0, 2}, {0}, {2}):  # in each usual way of counting these mean the same
        return dict(zip((0, 1, 2), LABELS))
    raise ValueError(f"the labels are the numbers {shown}. {_question(values)} Write {', '.join(classes)} in words in "
                     "their place.")


def _question(values: set[int]) -> str:
    """What one would have to know of these numbers."""
    if values == {1}:
        return ("Is 1 neutral (of 0, 1, 2: then all posts are neutral), positive (of 0, 1), or negative (of 1, 2)?")
    if values == {0, 1}:
        return ("Is 1 neutral (of 0, 1, 2) or positive (of 0, 1)? For a model with two classes (--binary) 0 and 1 are "
                "negative and positive, for one with three it is not clear.")
    if values == {1, 2}:
        return "Are 1 and 2 negative and positive, or (of 0, 1, 2) neutral and positive?"
    if values <= {1, 2, 3}:
        return "Are 1, 2 and 3 negative, neutral and positive, or stars?"
    if min(values) >= 0 and max(values) <= 10:
        return "Are these stars or grades? Which of them are negative, which neutral, which positive?"
    return "Understood are 0, 1, 2 and -1, 0, 1 for negative, neutral and positive, and 0, 1 for two classes."


def _truth(found: Counter[str], classes: Sequence[str], moods: bool) -> dict[str, str]:
    """What True and False stand for."""
    if tuple(classes) == BINARY_LABELS:
        return {"false": "negative", "true": "positive"}
    if not moods:
        raise ValueError(f"the labels are {_shown(found)}: expected {', '.join(classes)}. Write the names in their "
                         "place.")
    raise ValueError(f"the labels are {_shown(found)}: is False negative, or neutral as well? For a model with two "
                     f"classes (--binary) False and True are negative and positive; here write {', '.join(classes)} in "
                     "words.")


def _other_names(found: Counter[str], classes: Sequence[str], cells: Sequence[Any],
                 words: Sequence[str | None]) -> str:
    as_written = dict(zip(reversed(words), (str(cell).strip() for cell in reversed(cells))))
    shown = Counter({as_written[word][:60]: number for word, number in found.items()})
    if set(found) <= {"yes", "no", "y", "n"}:
        return (f"the labels are {_shown(shown)}: yes to what? Write {', '.join(classes)} in their place.")
    if all(re.fullmatch(r"[+-]?\d*[.,]?\d+(e[+-]?\d+)?", word) for word in found):
        return (f"the labels are grades, such as {_shown(shown)}: expected classes. Write {', '.join(classes)} in "
                "their place.")
    hint = ("." if len(found) > 20 else
            f". For classes of these names, in Python: load_posts(..., classes={sorted(shown)!r}), for "
            "a model with these.")
    return f"the labels are {_shown(shown)}: expected {_expected(classes)}{hint}"


def _expected(classes: Sequence[str]) -> str:
    return ", ".join(classes) + (", or 0, 1, 2" if tuple(classes) == LABELS else "")


def _fault(cell: object, word: str | None, others: str | None, classes: Sequence[str]) -> str:
    if word is None:
        return (f"label is {('' if cell is None else str(cell).strip())!r}: it is missing. Expected "
                f"{_expected(classes)}.")
    if others:
        clear = ", ".join(classes) if _NUMBER.fullmatch(word) and 0 <= _whole(word) <= 2 else _expected(classes)
        return f"label is {str(cell).strip()[:60]!r}, and other rows write {others}: expected {clear}."
    return f"label is {str(cell).strip()[:60]!r}: expected {_expected(classes)}."


def _shown(found: Counter[Any]) -> str:
    """Values and how many rows have each: "0 (30), 1 (28)"."""
    order = sorted(found.items(), key=lambda item: item[0]) if all(isinstance(key, int) for key in found) else (
        found.most_common())
    more = f" and {len(order) - 8} more" if len(order) > 8 else ""
    return ", ".join(f"{value} ({number})" for value, number in order[:8]) + more
