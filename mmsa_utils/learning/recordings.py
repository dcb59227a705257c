"""Recordings of people who say what they think (MOSI, MOSEI, SIMS) as `Features`: text, image and voice by frames.

Their vectors were computed by whoever made the file, and stand in for what encoders would say: a fusion and a head are
trained on them as on any others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from ..encoders.base import Encoded
from ..posts.post import SIDES, listed
from ..posts.real.mmsa import Split, read_mmsa, repeats
from .features import Features

_NAMED = 5  # posts that are named of each fault


@dataclass(frozen=True, eq=False)
class Recordings(Mapping[str, Features]):
    """Split ("train", "validation", "test", those that the file has) → its features.

    A split's numbers stay in the file until the split is asked for, and the one that was asked for last is kept: memory
    is bounded by the splits in hand. Of a converted folder they are mapped, and take none.
    """

    name: str  #: of the file
    faults: Mapping[str, int]  #: what is off → in how many posts
    examples: Mapping[str, tuple[str, ...]]  #: the same → the first of these posts, such as "train: video$_$3"
    duplicates: Mapping[str, int]  #: "train and test", "within train" → posts whose id stands there, too
    left_out: Mapping[str, int]  #: why → how many posts are none of these
    _splits: Mapping[str, Split] = field(repr=False)
    _keep: Mapping[str, np.ndarray] = field(repr=False)
    _sides: tuple[str, ...] = field(repr=False)
    _classes: int | None = field(repr=False)
    _last: dict[str, Features] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self._splits)

    def __iter__(self) -> Iterator[str]:
        return iter(self._splits)

    def __getitem__(self, name: str) -> Features:
        """The features of a split: tokens (n, frames, width) in single precision, and which frames are real."""
        if name not in self._splits:
            raise KeyError(f"{self.name} has no split {name!r}: expected one of {', '.join(self._splits)}.")
        if name not in self._last:
            self._last.clear()
            self._last[name] = _features(self._splits[name], self._keep[name], self._sides, self._classes)
        return self._last[name]


def load_mmsa(source: str | Path, *, sides: Sequence[str] | None = None, classes: int | None = None,
              drop_duplicates: bool = False) -> Recordings:
    """Load MOSI, MOSEI, SIMS, SIMSv2, or what MMSA-FET has made of recordings of one's own.

    A file is read without Python's pickle, and nothing in it can run (`posts.real.pickles`). What is off is counted in
    `faults`; a frame with a number that is NaN or infinite is masked, and set to 0. Masks are the true lengths: those
    that the file names, or the tokenizer's attention, or from the first to the last frame with a number. A side without
    any is missing: its row of the mask is all False. Posts without a label are left out. Whether rows were mixed up
    between the file's keys when it was made cannot be seen.

    Args:
        source: a pickle in the layout of MMSA, of CMU's older files (MulT) or of MAG-BERT, aligned or not; or the
            folder that `convert` has made of one.
        sides: some of text, image (their vision) and voice (their audio); None: those that the file has. MAG-BERT's
            files hold words and no vectors of them.
        classes: None: labels are numbers (n,), as people gave them. 3: negative, neutral (exactly 0), positive, as 0, 1
            and 2. 2: negative and positive, as 0 and 1; neutral posts are left out.
        drop_duplicates: keep a post whose id stands in several places once: in test rather than in validation, and
            there rather than in train.

    Returns:
        The splits, with the posts' ids, texts and, for SIMS, the labels of each side (text, image, voice).

    Raises:
        FileNotFoundError: if there is no such file.
        UnsafePickle: a ValueError, if the file would do more than hold data.
        ValueError: if it is in no known layout, lacks a side that was asked for, or its keys have different numbers of
            posts.
    """
    if classes not in (None, 2, 3):
        raise ValueError(f"classes is {classes!r}: expected None for numbers, or 2 or 3 classes.")
    name, splits = Path(source).name, read_mmsa(source)
    there = [side for side in SIDES if all(side in split.sides for split in splits.values())]
    missing = [side for side in sides or () if side not in there]
    if missing or not there or sides is not None and not sides:
        raise ValueError(f"{name} has {listed(there) or 'no side'} in every split: "
                         + (f"there is no {missing[0]!r}." if missing else "name at least one of them."))
    duplicates, once = repeats(splits)
    left_out: Counter[str] = Counter()
    keep = {}
    for split, posts in splits.items():
        reasons = {"duplicate": ~once[split] & drop_duplicates, "no label": ~np.isfinite(posts.labels),
                   "neutral": (posts.labels == 0) & (classes == 2)}
        keep[split] = np.ones(len(posts), bool)
        for reason, gone in reasons.items():
            left_out[reason] += int((gone & keep[split]).sum())
            keep[split] &= ~gone
    faults: Counter[str] = Counter()
    examples: dict[str, tuple[str, ...]] = {}
    for split, posts in splits.items():
        for kind, places in posts.faults.items():
            faults[kind] += len(places)
            named = (f"{split}: {posts.ids[place] if posts.ids else place}" for place in places[:_NAMED])
            examples[kind] = (*examples.get(kind, ()), *named)[:_NAMED]
    return Recordings(name, dict(faults), examples, duplicates, {why: n for why, n in left_out.items() if n}, splits,
                      keep, tuple(side for side in there if sides is None or side in sides), classes)


def _features(split: Split, keep: np.ndarray, sides: Sequence[str], classes: int | None) -> Features:
    """Some posts of a split."""
    places = np.flatnonzero(keep).tolist()
    encoded = {side: Encoded(torch.from_numpy(split.sides[side].rows(keep)),
                             torch.from_numpy(split.sides[side].mask[keep])) for side in sides}
    numbers = torch.from_numpy(split.labels[keep])
    labels = numbers.float() if classes is None else numbers.sign().long() + 1
    own = list(zip(*(numbers.tolist() for numbers in split.side_labels.values())))
    return Features(encoded, labels.div(2, rounding_mode="floor") if classes == 2 else labels,
                    ids=_chosen(split.ids, places), texts=_chosen(split.texts, places),
                    side_labels=_chosen(own, places))


def _chosen(values: Sequence, places: Sequence[int]) -> tuple:
    return tuple(values[place] for place in places) if values else ()
