"""MVSA, tweets with a picture, labelled by people: the text by itself, and the picture by itself.

In MVSA-Single (4,869 tweets) one person labelled each tweet, in MVSA-Multiple (19,600) three did (Niu et al.,
"Sentiment Analysis on Multi-View Social Data", MMM 2016). No label is the tweet's own. It is made of the two sides' by
a rule, and the rule decides how many tweets there are and what can be reached on them, so a figure without its rule
says little.

The usual rule (Xu and Mao, "MultiSentiNet", CIKM 2017) leaves 4,511 tweets of Single. For Multiple some papers have
17,024 and others 17,025. Why is not said; perhaps since files that cannot be read are left out too, and which these are
hangs on the program that reads them. What was left out here stands in `left_out`, by reason.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..labels import plain
from ..own import FaultyRows
from ..picture_files import is_file
from ..post import LABELS
from .decoding import decoded, mended
from .rows import Amiss, RealPosts, Row, checked, existing

NEGATIVE, NEUTRAL, POSITIVE = range(3)
_OPPOSED, _NONE = -1, -2  # what merging gives where there is no label
_REASONS = {_OPPOSED: "opposed", _NONE: "no majority", -3: "disagreeing"}


class MvsaLabels(NamedTuple):
    """A table of labels as people gave them."""

    ids: list[str]
    annotations: np.ndarray  # (posts, annotators, 2) int8: of the text and of the picture, indices into LABELS
    numbers: list[int]  # which row each stood in, counted from 1
    faults: list[str]  # rows that are none, each with what is wrong


class Merging(NamedTuple):
    """A rule that makes one label of two."""

    merge: Callable[[np.ndarray, np.ndarray], np.ndarray]  # (posts,) of texts and of pictures → (posts,), < 0 for none
    meaning: str


class Merged(NamedTuple):
    """What a rule makes of a table."""

    labels: np.ndarray  # (posts,) indices into LABELS, -1 for posts that are left out
    left_out: dict[str, int]  # reason → posts


def read_mvsa_labels(file: str | Path) -> MvsaLabels:
    """Read MVSA's `labelResultAll.txt`: an id, then for each annotator "text,picture".

    How many annotators there are is what most rows say. Either kind of line end, white space, case, a byte order mark
    and a missing header make no difference.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if no row is one of such a table.
    """
    path = existing(Path(file), "MVSA's labelResultAll.txt, an id and \"text,picture\" labels a row")
    lines = decoded(path.read_bytes())[0].split("\n")
    # Spaces may stand anywhere but within a word, so what is around a comma goes first.
    rows = [(number, re.sub(r"\s*,\s*", ",", line).split()) for number, line in enumerate(lines, 1) if line.strip()]
    rows = [(number, cells) for number, cells in rows if [plain(cell) for cell in cells[:2]] != ["id", "text,image"]]
    widths = [len(cells) - 1 for _, cells in rows if len(cells) > 1]
    annotators = max(set(widths), key=widths.count) if widths else 0
    ids: dict[str, int] = {}
    found, faults = [], []
    for number, cells in rows:
        try:
            labels = _labels(cells, annotators)
            if cells[0] in ids:
                raise ValueError(f"the id stands in row {ids[cells[0]]} already: expected each once.")
        except ValueError as error:
            faults.append(f"row {number} ({cells[0][:20]}): {error}")
            continue
        ids[cells[0]] = number
        found.append(labels)
    if not found:
        raise ValueError(f"{path.name} holds no labels: expected rows such as 1<tab>neutral,positive, with the words "
                         f"{', '.join(LABELS)}." + (f" Its first: {faults[0]}" if faults else ""))
    return MvsaLabels(list(ids), np.array(found, np.int8), list(ids.values()), faults)


def _labels(cells: list[str], annotators: int) -> list[list[int]]:
    """A row's labels, (annotators, 2)."""
    pairs = [[plain(word) for word in cell.split(",")] for cell in cells[1:]]
    if not pairs or len(pairs) != annotators or any(len(pair) != 2 for pair in pairs):
        raise ValueError(f"has {' '.join(cells[1:])[:60]!r}: expected {max(annotators, 1)} times \"text,picture\".")
    if {"/", "\\"} & set(cells[0]):
        raise ValueError("the id is no name of a file: expected a number, or a name without slashes.")
    wrong = [word for pair in pairs for word in pair if word not in LABELS]
    if wrong:
        raise ValueError(f"a label is {wrong[0][:20]!r}: expected {', '.join(LABELS)}.")
    return [[LABELS.index(word) for word in pair] for pair in pairs]


def merge_labels(annotations: np.ndarray, rule: str = "usual") -> Merged:
    """One label a post, by a rule of `MERGING`.

    First each side gets what more than half of its annotators say (of one: what he says), then the rule joins the
    sides.

    Args:
        annotations: (posts, annotators, 2), as `read_mvsa_labels` gives them.
        rule: a name in `MERGING`.

    Raises:
        ValueError: for a rule that there is not, or labels of another form.
    """
    if rule not in MERGING:
        raise ValueError(f"rule is {rule!r}: expected one of {', '.join(MERGING)}.")
    votes = np.asarray(annotations)
    if votes.ndim != 3 or votes.shape[2] != 2:
        raise ValueError(f"the annotations are of shape {votes.shape}: expected (posts, annotators, 2).")
    counts = np.stack([(votes == label).sum(1) for label in range(len(LABELS))])  # (label, posts, side)
    sides = np.where(2 * counts.max(0) > votes.shape[1], counts.argmax(0), _NONE)
    labels = MERGING[rule].merge(sides[:, 0], sides[:, 1])
    left_out = {reason: int((labels == code).sum()) for code, reason in _REASONS.items()}
    return Merged(np.maximum(labels, -1), {reason: count for reason, count in left_out.items() if count})


def _usual(text: np.ndarray, picture: np.ndarray) -> np.ndarray:
    joined = np.where(text == NEUTRAL, picture, np.where((picture == NEUTRAL) | (text == picture), text, _OPPOSED))
    return np.where((text < 0) | (picture < 0), _NONE, joined)


def _strict(text: np.ndarray, picture: np.ndarray) -> np.ndarray:
    return np.where((text < 0) | (picture < 0), _NONE, np.where(text == picture, text, -3))


#: Name → how the labels of text and picture become the post's.
MERGING = {
    "usual": Merging(_usual, "where they agree, that; neutral yields to the other; opposed posts are left out "
                             "(MultiSentiNet, 2017, and nearly everybody since)"),
    "strict": Merging(_strict, "only posts on whose two sides the label is the same"),
    "text": Merging(lambda text, picture: text, "the text's label, whatever the picture's is"),
    "picture": Merging(lambda text, picture: picture, "the picture's label, whatever the text's is"),
}


def load_mvsa(folder: str | Path, rule: str = "usual", *, skip_faulty: bool = True, check_pictures: bool = True,
              show_progress: bool = False) -> RealPosts:
    """Load MVSA-Single or MVSA-Multiple from the folder that its archive unpacks to.

    Args:
        folder: with `labelResultAll.txt`, and `data` with a text and a picture for each id.
        rule: how two labels become one, a name in `MERGING`.
        skip_faulty: leave out what cannot be used (a picture that is missing or does not open, an empty text, a row
            that has no labels), counted in `left_out` and named in `faults`; False refuses it.
        check_pictures: False for pictures that need only be there. The real ones take some minutes to open.
        show_progress: show how many are left.

    Returns:
        The posts that the rule has a label for. Texts are decoded and mended as in `decoding`, counted in `notes`.

    Raises:
        FileNotFoundError: if the table or the folder of texts and pictures is not there.
        FaultyRows: if something cannot be used, and is not to be skipped.
        ValueError: for a rule that there is not, a table of another kind, or nothing left.
    """
    place = Path(folder)
    table = read_mvsa_labels(place / "labelResultAll.txt")
    data = existing(place / "data", "MVSA's folder of texts and pictures, 1.txt and 1.jpg")
    merged = merge_labels(table.annotations, rule)
    if table.faults and not skip_faulty:
        raise FaultyRows("labelResultAll.txt", table.faults)
    notes: dict[str, int] = {}
    rows = [_row(number, name, int(label), data, notes)
            for number, name, label in zip(table.numbers, table.ids, merged.labels) if label >= 0]
    left_out = {**({"faulty labels": len(table.faults)} if table.faults else {}), **merged.left_out}
    posts = checked("labelResultAll.txt", rows, data, skip_faulty=skip_faulty, check_pictures=check_pictures,
                    show_progress=show_progress, left_out=left_out, notes=notes)
    posts.faults = [*table.faults, *posts.faults]
    return posts


def _row(number: int, name: str, label: int, data: Path, notes: dict[str, int]) -> Row:
    """A post of the table, its text read and mended."""
    path, picture = data / f"{name}.txt", f"{name}.jpg"
    if not is_file(path):
        return Row(number, name, "", picture, label, Amiss("text is missing", f"there is no text file {path}: check "
                                                                              "that all of the archive is unpacked."))
    text, encoding = decoded(path.read_bytes())
    whole = mended(text)
    for what, noticed in ((f"texts read as {encoding}", encoding != "UTF-8"), ("texts mended", whole != text)):
        if noticed:
            notes[what] = notes.get(what, 0) + 1
    return Row(number, name, whole, picture, label)
