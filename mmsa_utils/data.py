"""The two data sets of the course: random ones that test plumbing, and posts about food that can be learned.

A post is a text, a picture and a label. `FoodPosts` draws the *latent* state of each post (what its text feels,
what its picture shows) from a table of 35 states, words the text, draws the picture, and labels the pair by a
rule. As the table and the rule are known, so is the best accuracy that any reader can reach (`FoodPosts.ceiling`).
"""

from __future__ import annotations

import contextlib
import os
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from . import phrases, scenes

LABELS = ("negative", "neutral", "positive")
BINARY_LABELS = ("negative", "positive")
RELATIONS = ("agree", "soft", "contradict", "refer")
SPLITS = ("train", "validation", "test", "unseen")
PIXELS = {"mini": 64, "full": 224}  # width and height of a drawn picture for each size of encoder

# MVSA-Single (Niu et al. 2016), 4,869 pairs with both sides labelled: rows are the text's label, columns the
# picture's, each in the order of LABELS.
MVSA = np.array([[724, 213, 280], [421, 470, 1030], [78, 255, 1398]])


@dataclass(frozen=True)
class Post:
    """One post. Only the first three fields are known for a reader's own posts."""

    text: str
    image: Image.Image
    label: int  # index into LABELS (or BINARY_LABELS)
    relation: str = ""  # one of RELATIONS
    text_kind: phrases.TextKind = 0  # what the text says: one of phrases.KINDS
    picture_level: int = 0  # what the picture shows: -2 (awful) to 2 (gorgeous)
    dish: str = ""
    reason: str = ""  # the rule that gave the label, in words


class State(NamedTuple):
    """A latent state, and its share of all posts."""

    text_kind: phrases.TextKind
    picture_level: int
    valence: int  # the label by the rule: -1, 0 or 1
    relation: str
    share: float


def judge(text_kind: phrases.TextKind, picture_level: int) -> tuple[int, str, str]:
    """The label rule: what a post means, given what its text says and its picture shows.

    MVSA's rule settles agreement and soft disagreement; contradictions, which MVSA throws away, are settled by
    strength, with sarcasm as the exception.

    Args:
        text_kind: one of `phrases.KINDS`.
        picture_level: -2 to 2.

    Returns:
        The valence (-1, 0 or 1), the relation (one of RELATIONS), and the reason in words.
    """
    picture = int(np.sign(picture_level))
    if text_kind == "same":
        return picture, "refer", "the text points at the picture: the picture's mood counts"
    if text_kind == "opposite":
        return -picture, "refer", "the text denies the picture: the opposite of its mood counts"
    text = int(np.sign(text_kind))
    if text == picture:
        return text, "agree", "text and picture agree"
    if text * picture == 0:
        return text + picture, "soft", "one side is neutral: the other decides"
    if abs(text_kind) != abs(picture_level):
        stronger, valence = ("text", text) if abs(text_kind) > abs(picture_level) else ("picture", picture)
        return valence, "contradict", f"they contradict each other: the {stronger} is stronger"
    if text_kind == 2:
        return -1, "contradict", "glowing words over an awful picture: sarcasm"
    return 0, "contradict", "they contradict each other with equal strength: neutral"


def post_table(conflict: float = 0.2, binary: bool = False) -> list[State]:
    """All latent states with their shares of the posts, labels balanced.

    Starts from MVSA's table of valences, with strengths even; one post in six refers to its picture; `conflict` of
    the others contradict themselves. Raking (iterative proportional fitting) then makes the labels equally
    frequent without moving those two shares.

    Args:
        conflict: share of contradictions among the posts that do not refer to their picture, 0 to 1.
            (MVSA's own is 0.074.)
        binary: leave out the states whose label is neutral.

    Raises:
        ValueError: if `conflict` is not between 0 and 1.
    """
    if not 0 <= conflict <= 1:
        raise ValueError(f"conflict is {conflict}, expected a share between 0 and 1.")
    refer = 1 / 6
    levels = {-1: (-2, -1), 0: (0,), 1: (1, 2)}
    states: list[tuple[Any, ...]] = []
    for text in (-1, 0, 1):
        for picture in (-1, 0, 1):
            pairs = [(kind, level) for kind in levels[text] for level in levels[picture]]
            states += [(*pair, *judge(*pair)[:2], MVSA[text + 1, picture + 1] / len(pairs)) for pair in pairs]
    for kind in ("same", "opposite"):
        for picture in (-1, 0, 1):
            for level in levels[picture]:
                share = MVSA.sum(0)[picture + 1] / len(levels[picture])
                states.append((kind, level, *judge(kind, level)[:2], share))
    if binary:
        states = [state for state in states if state[2] != 0]
    valences = np.array([state[2] for state in states])
    relations = np.array([state[3] for state in states])
    shares = np.array([state[4] for state in states], float)

    parts = {"refer": refer, "contradict": conflict * (1 - refer)}
    groups = np.where(np.isin(relations, list(parts)), relations, "other")
    wanted = [(groups == name, part) for name, part in {**parts, "other": 1 - sum(parts.values())}.items()]
    wanted += [(valences == v, 1 / len(np.unique(valences))) for v in np.unique(valences)]
    for _ in range(1000):
        for chosen, share in wanted:
            shares[chosen] *= share / max(shares[chosen].sum(), 1e-300)
    return [State(*state[:4], float(share)) for state, share in zip(states, shares) if share > 0]


def ceiling(table: list[State], modalities: str = "both", label_noise: float = 0.0) -> float:
    """The best accuracy that any reader of the given modalities can reach: exact, not estimated.

    Args:
        table: the states, from `post_table`.
        modalities: ``"text"``, ``"image"``, ``"both"``, or ``"additive"`` for the best reader that scores the text
            and the picture each by itself and adds the two scores (a linear head on concatenated features).
        label_noise: share of the labels that were replaced by one of the others.

    Returns:
        The Bayes accuracy, 0 to 1. For one modality or both: in each state that can be told apart, take the most
        frequent label. For the additive reader: the optimum of a small mixed-integer program over its scores.
    """
    valences = sorted({state.valence for state in table})
    joint = np.array([[state.share * (1 - label_noise if state.valence == v else label_noise / (len(valences) - 1))
                       for v in valences] for state in table])
    kinds = [state.text_kind for state in table]
    levels = [state.picture_level for state in table]
    if modalities == "additive":
        return _best_additive(kinds, levels, joint)
    readings = {"text": kinds, "image": levels, "both": list(zip(kinds, levels))}
    if modalities not in readings:
        raise ValueError(f'modalities is {modalities!r}, expected "text", "image", "both" or "additive".')
    told_apart: dict[Any, np.ndarray] = {}
    for reading, row in zip(readings[modalities], joint):
        told_apart[reading] = told_apart.get(reading, 0) + row
    return float(sum(row.max() for row in told_apart.values()))


def _best_additive(kinds: list, levels: list, joint: np.ndarray) -> float:
    """Maximise the accuracy of argmax_c(a[kind, c] + b[level, c]) over all score tables a and b."""
    from scipy.optimize import Bounds, LinearConstraint, milp

    n, classes = joint.shape
    kind_ids = {kind: i for i, kind in enumerate(dict.fromkeys(kinds))}
    level_ids = {level: i for i, level in enumerate(dict.fromkeys(levels))}
    n_scores = classes * (len(kind_ids) + len(level_ids))
    big = 50.0  # more than the widest gap between two scores, which lie within -10 and 10
    rows, least = [], []
    for s in range(n):  # chosen[s, c] = 1 demands that class c beats every other class by 1 in state s
        first, second = classes * kind_ids[kinds[s]], classes * (len(kind_ids) + level_ids[levels[s]])
        for c in range(classes):
            for other in set(range(classes)) - {c}:
                row = np.zeros(n_scores + n * classes)
                row[[first + c, second + c]], row[[first + other, second + other]] = 1, -1
                row[n_scores + s * classes + c] = -(big + 1)
                rows.append(row)
                least.append(-big)
    one_class = np.kron(np.eye(n), np.ones(classes))
    with _stdout_silenced():
        result = milp(
            np.concatenate([np.zeros(n_scores), -joint.ravel()]),
            constraints=[LinearConstraint(np.array(rows), np.array(least), np.inf),
                         LinearConstraint(np.hstack([np.zeros((n, n_scores)), one_class]), -np.inf, 1)],
            integrality=np.concatenate([np.zeros(n_scores), np.ones(n * classes)]),
            bounds=Bounds(np.concatenate([-10 * np.ones(n_scores), np.zeros(n * classes)]),
                          np.concatenate([10 * np.ones(n_scores), np.ones(n * classes)])),
            options={"mip_rel_gap": 0, "presolve": False},  # presolving such small programs only costs time
        )
    return float(-result.fun)


@contextlib.contextmanager
def _stdout_silenced() -> Iterator[None]:
    """Hold back what compiled code prints: on a few programs the solver leaves a debugging line there."""
    sys.stdout.flush()
    kept, null = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(null)


class SyntheticDataset(Dataset):
    """Posts without meaning: numbered sentences, random pixels, random labels 0 or 1.

    It shows that shapes fit and losses fall. Nothing can be learned from it: on new posts no reader is right more
    often than half of the time.

    Args:
        n: number of posts.
        seed: of the pixels and labels.
        pixels: width and height of the pictures.
    """

    classes = BINARY_LABELS

    def __init__(self, n: int = 100, seed: int = 0, pixels: int = 64):
        self.n, self.seed, self.pixels = _checked_size(n), seed, pixels

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, index: int) -> Post:
        index = _checked_index(index, self.n)
        rng = np.random.default_rng((self.seed, index))
        pixels = rng.integers(0, 256, (self.pixels, self.pixels, 3), dtype=np.uint8)
        return Post(f"This is sample text {index}", Image.fromarray(pixels), int(rng.integers(2)))


class FoodPosts(Dataset):
    """Generated posts about food, with contradictions, sarcasm and texts that talk about their picture.

    A post depends on `seed`, `split` and its index alone; its picture is drawn each time it is asked for
    (``list(posts)`` keeps them all). A text belongs to train, validation or test by its checksum, so no test text is
    ever a training text, whatever the sizes and seeds.

    Args:
        n: number of posts.
        split: ``"train"``, ``"validation"``, ``"test"`` (the same words and dishes, new posts) or ``"unseen"``
            (adjectives and dishes that the other three never use).
        conflict: share of contradictions, see `post_table`.
        binary: leave out neutral posts; labels are then indices into BINARY_LABELS.
        label_noise: share of labels replaced by another one, as annotators' slips would.
        seed: of everything that is drawn.
        pixels: width and height of the pictures.

    Raises:
        ValueError: for an unknown split, a share outside 0 to 1, or no posts.
    """

    def __init__(self, n: int = 2000, split: str = "train", *, conflict: float = 0.2, binary: bool = False,
                 label_noise: float = 0.02, seed: int = 0, pixels: int = 64):
        if split not in SPLITS:
            raise ValueError(f"split is {split!r}, expected one of {SPLITS}.")
        if not 0 <= label_noise <= 1:
            raise ValueError(f"label_noise is {label_noise}, expected a share between 0 and 1.")
        self.n, self.split, self.seed, self.pixels = _checked_size(n), split, seed, pixels
        self.label_noise = label_noise
        self.classes = BINARY_LABELS if binary else LABELS
        self.table = post_table(conflict, binary)
        self._cumulative = np.cumsum([state.share for state in self.table])
        self._dishes = scenes.UNSEEN_DISHES if split == "unseen" else scenes.TRAIN_DISHES

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, index: int) -> Post:
        index = _checked_index(index, self.n)
        rng = np.random.default_rng((self.seed, SPLITS.index(self.split), index))
        at = np.searchsorted(self._cumulative, rng.random() * self._cumulative[-1], side="right")
        kind, level, valence, relation, _ = self.table[at]
        dish = self._dishes[rng.integers(len(self._dishes))]
        text = phrases.write(kind, dish, rng, unseen=self.split == "unseen")
        while self.split != "unseen" and _split_of(text) != self.split:
            text = phrases.write(kind, dish, rng)
        scene = scenes.random_scene(dish, level, rng)
        label = (valence + 1) // 2 if len(self.classes) == 2 else valence + 1
        if rng.random() < self.label_noise:
            label = (label + int(rng.integers(1, len(self.classes)))) % len(self.classes)
        return Post(text, scenes.draw(scene, self.pixels), label, relation, kind, level, dish, judge(kind, level)[2])

    def ceiling(self, modalities: str = "both") -> float:
        """The best accuracy that any reader can reach on such posts; see `ceiling`."""
        return ceiling(self.table, modalities, self.label_noise)


def burger_example(pixels: int = 64) -> Post:
    """The running example: "This burger is delicious!" over a bright, fresh burger; a positive post."""
    scene = scenes.random_scene("burger", 2, np.random.default_rng(1))
    valence, relation, reason = judge(2, 2)
    return Post("This burger is delicious!", scenes.draw(scene, pixels), valence + 1, relation, 2, 2, "burger", reason)


def make_loader(posts, model, batch_size: int = 32, shuffle: bool = False, seed: int = 0) -> DataLoader:
    """Batches of posts as tensors, ready for `model`.

    Args:
        posts: a data set or list of `Post`.
        model: anything with ``prepare(texts, images) -> dict`` (tokenizes and resizes), such as a
            `MultimodalSentimentModel`.
        batch_size: posts a batch; the last one may be smaller.
        shuffle: new order in each epoch, from `seed`.

    Yields:
        ``input_ids`` and ``attention_mask`` (batch, tokens), ``pixel_values`` (batch, 3, height, width), ``labels``
        (batch,).
    """
    import torch

    if len(posts) == 0:
        raise ValueError("the data set is empty: expected at least one post.")

    def collate(batch: list[Post]) -> dict:
        tensors = model.prepare([post.text for post in batch], [post.image for post in batch])
        return {**tensors, "labels": torch.tensor([post.label for post in batch])}

    generator = torch.Generator().manual_seed(seed)
    return DataLoader(posts, batch_size, shuffle=shuffle, collate_fn=collate, generator=generator)


def _split_of(text: str) -> str:
    bucket = zlib.crc32(text.encode()) % 10
    return "train" if bucket < 6 else "validation" if bucket < 8 else "test"


def _checked_size(n: int) -> int:
    if n < 1:
        raise ValueError(f"n is {n}: expected at least one post.")
    return n


def _checked_index(index: int, n: int) -> int:
    if not -n <= index < n:  # IndexError is also what ends a for loop over the data set
        raise IndexError(f"index is {index}, expected less than {n}.")
    return index % n
