"""The layouts in which recordings are handed on, brought to one: split → key → a value for each post.

- MMSA's (MOSI, MOSEI, SIMS, SIMSv2, and what MMSA-FET writes): train, valid and test, each a dict of `id`, `raw_text`,
  `text`, `text_bert`, `audio`, `vision`, `regression_labels` and others.
- CMU's older one, which MulT reads: `vision`, `text`, `audio`, `labels` (n, 1, 1), `id` as bytes, in several parts.
- MAG-BERT's: train, dev and test, each a list of ((words, visual, acoustic), label, segment). There are no vectors of
  the words.

Shapes are read from the file. Which row of one key belongs to which of another is taken from their order: whether rows
of a file were mixed up when it was made cannot be seen.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from .arrays import shown
from .frames import sequences

#: What the splits are called in files → here.
SPLITS = {"train": "train", "valid": "validation", "validation": "validation", "val": "validation",
          "dev": "validation", "test": "test"}
#: Side of a post → its key in a file.
KEYS = {"text": "text", "image": "vision", "voice": "audio"}
#: The letter by which a file calls the label of one side → side.
LETTERS = {"T": "text", "V": "image", "A": "voice"}
_OLD = {"labels": "regression_labels", "segments": "id"}
_SIDE_LABEL = re.compile(r"(?:regression_)?labels?_([TVA])")

Table = dict[str, Any]


def tables(data: Any, name: str) -> dict[str, Table]:
    """Split → its table, in the order train, validation, test.

    Args:
        data: what a pickle holds.
        name: of its file, for messages.

    Raises:
        ValueError: if it is in none of the layouts.
    """
    found = {SPLITS[key]: part for key, part in data.items() if key in SPLITS} if isinstance(data, dict) else {}
    if not found:
        what = f"the keys {', '.join(shown(key) for key in list(data)[:8])}" if isinstance(data, dict) else shown(data)
        raise ValueError(f"{name} holds {what}: expected a dict with train, valid (or dev) and test.")
    made: dict[str, Table] = {}
    for split in ("train", "validation", "test"):
        if split in found:
            part = found[split]
            try:
                made[split] = _of_dict(part) if isinstance(part, dict) else _of_list(part)
            except ValueError as error:
                raise ValueError(f"{name}, {split}: {error}") from None
    return made


def side_labels(table: Mapping[str, Any]) -> dict[str, str]:
    """Side → the key of its own label, in the order of the sides."""
    found = {LETTERS[match[1]]: key for key in table if (match := _SIDE_LABEL.fullmatch(key))}
    return {side: found[side] for side in KEYS if side in found}


def _of_dict(part: dict) -> Table:
    table = {str(key): value for key, value in part.items()}
    for old, new in _OLD.items():
        if old in table and new not in table:
            table[new] = table.pop(old)
    if "regression_labels" not in table or not set(KEYS.values()) & set(table):
        raise ValueError(f"it has the keys {', '.join(list(table)[:12])}: expected some of text, audio and vision, and "
                         "regression_labels (or labels).")
    return table


def _of_list(part: Any) -> Table:
    """A table of MAG-BERT's list."""
    rows: list[tuple] = []
    if not isinstance(part, (list, tuple)) or not part:
        raise ValueError(f"it is {shown(part)}: expected a dict, or a list of ((words, visual, acoustic), label, "
                         "segment).")
    for place, post in enumerate(part):
        if not (_of(post, 3) and _of(post[0], 3)):
            raise ValueError(f"post {place} is {shown(post)}: expected ((words, visual, acoustic), label, segment).")
        rows.append((*post[0], *post[1:]))
    words, visual, acoustic, labels, segments = zip(*rows)
    table: Table = {"id": [text_of(segment) for segment in segments], "raw_text": [text_of(said) for said in words],
                    "regression_labels": [np.asarray(label).ravel() for label in labels]}
    for key, frames in (("vision", visual), ("audio", acoustic)):
        table[key], lengths = sequences(list(frames), key)
        if lengths is not None:
            table[f"{key}_lengths"] = lengths
    return table


def _of(value: Any, count: int) -> bool:
    return isinstance(value, (list, tuple)) and len(value) == count


def text_of(value: Any, between: str = " ") -> str:
    """A text, however a file holds it: as a string, as bytes, or in parts; "" where there is none."""
    if isinstance(value, bytes):
        try:
            return value.decode("utf8")
        except UnicodeDecodeError:
            return value.decode("latin-1")
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, Iterable) and not isinstance(value, str):
        return between.join(text_of(part, between) for part in value)
    return "" if value is None or value != value else str(value)
