"""The two data sets of the course: random ones that test plumbing, and posts about food that can be learned.

A post is a text, a picture and a label. `FoodPosts` draws the *latent* state of each post (what its text feels,
what its picture shows) from a table of 35 states, words the text, draws the picture, and labels the pair by a
rule. As the table and the rule are known, so is the best accuracy that any reader can reach (`FoodPosts.ceiling`).
"""

from __future__ import annotations

import sys
import zlib
from dataclasses import dataclass

import numpy as np
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from . import phrases, scenes
from .rules import BINARY_LABELS, LABELS, ceiling, judge, post_table

SPLITS = ("train", "validation", "test", "unseen")
PIXELS = {"mini": 64, "full": 224}  #: width and height of a drawn picture for each size of encoder

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
        self.n, self.seed, self.pixels = _checked_size(n), _checked_seed(seed), pixels

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
        self.n, self.split, self.seed, self.pixels = _checked_size(n), split, _checked_seed(seed), pixels
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
        while self.split != "unseen" and split_of(text) != self.split:
            text = phrases.write(kind, dish, rng)
        scene = scenes.random_scene(dish, level, rng)
        label = (valence + 1) // 2 if len(self.classes) == 2 else valence + 1
        if rng.random() < self.label_noise:
            label = (label + int(rng.integers(1, len(self.classes)))) % len(self.classes)
        return Post(text, scenes.draw(scene, self.pixels), label, relation, kind, level, dish, judge(kind, level)[2])

    def ceiling(self, modalities: str = "both") -> float:
        """The best accuracy that any reader can reach on such posts; see `ceiling`."""
        return ceiling(self.table, modalities, self.label_noise)


def make_post(text_kind: phrases.TextKind, picture_level: int, dish: str = "burger", seed: int = 0,
              pixels: int = 64) -> Post:
    """A post of a chosen state: what its text says (one of `phrases.KINDS`) and its picture shows (-2 to 2).

    Raises:
        ValueError: for a kind, level or dish that does not exist.
    """
    rng = np.random.default_rng(seed)
    text = phrases.write(text_kind, dish, rng)
    image = scenes.draw(scenes.random_scene(dish, picture_level, rng), pixels)
    valence, relation, reason = judge(text_kind, picture_level)
    return Post(text, image, valence + 1, relation, text_kind, picture_level, dish, reason)


def burger_example(pixels: int = 64) -> Post:
    """The running example: "This burger is delicious!" over a bright, fresh burger; a positive post."""
    scene = scenes.random_scene("burger", 2, np.random.default_rng(1))
    valence, relation, reason = judge(2, 2)
    return Post("This burger is delicious!", scenes.draw(scene, pixels), valence + 1, relation, 2, 2, "burger", reason)


def make_loader(posts, model, batch_size: int = 32, shuffle: bool = False, seed: int = 0) -> DataLoader:
    """Batches of posts as tensors, ready for `model`.

    Args:
        posts: a data set or list of `Post`.
        model: anything with ``prepare(texts, images) -> dict`` (tokenises and resizes), such as a
            `MultimodalSentimentModel`.
        batch_size: posts a batch; the last one may be smaller.
        shuffle: new order in each epoch, from `seed`.

    Yields:
        ``input_ids`` and ``attention_mask`` (batch, tokens), ``pixel_values`` (batch, 3, height, width), ``labels``
        (batch,).

    Raises:
        ValueError: for no posts, and, when it comes up, for a post whose label is no class of the model.
    """
    import torch

    if len(posts) == 0:
        raise ValueError("the data set is empty: expected at least one post.")
    classes = max(2, getattr(model, "num_outputs", len(LABELS)))

    def collate(batch: list[Post]) -> dict:
        tensors = model.prepare([post.text for post in batch], [post.image for post in batch])
        return {**tensors, "labels": torch.tensor([_checked_label(post, classes) for post in batch])}

    generator = torch.Generator().manual_seed(seed)
    return DataLoader(posts, batch_size, shuffle=shuffle, collate_fn=collate, generator=generator)


def split_of(text: str) -> str:
    """The split that a text with known words belongs to, by its checksum: 6 in 10 train, 2 validation, 2 test."""
    bucket = zlib.crc32(text.encode()) % 10
    return "train" if bucket < 6 else "validation" if bucket < 8 else "test"


def is_blank(text: str) -> bool:
    """Whether a text has nothing to read: no sign in it but spaces, control and zero-width characters."""
    return not any(sign.isprintable() and not sign.isspace() for sign in text)


def check_text(text: object, name: str) -> None:
    """Raise ValueError unless this is a text with something to read; `name` says whose it is."""
    if not isinstance(text, str) or is_blank(text):
        shown = repr(text) if len(repr(text)) <= 60 else f"{repr(text)[:60]}..."
        raise ValueError(f"{name} is {shown}: expected a string with at least one word.")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"{name} holds half of a character at place {error.start}: read its source anew, with the "
                         "right encoding.") from None


def _checked_label(post: Post, classes: int) -> int:
    if not isinstance(post.label, (int, np.integer)) or not 0 <= post.label < classes:
        raise ValueError(f"the label of the post {post.text[:60]!r} is {post.label!r}: expected 0 to {classes - 1} for "
                         f"a model with {classes} classes.")
    return int(post.label)


def _checked_size(n: int) -> int:
    if not isinstance(n, (int, np.integer)) or n < 1:
        raise ValueError(f"n is {n!r}: expected at least one post.")
    if n > sys.maxsize:
        raise ValueError(f"n is {n:.0e}: no data set is that long.")
    return n


def _checked_seed(seed: int) -> int:
    if not isinstance(seed, (int, np.integer)) or seed < 0:
        raise ValueError(f"seed is {seed!r}: expected a whole number from 0.")
    return seed


def _checked_index(index: int, n: int) -> int:
    if not -n <= index < n:  # IndexError is also what ends a for loop over the data set
        raise IndexError(f"index is {index}, expected less than {n}.")
    return index % n
