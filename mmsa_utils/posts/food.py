"""Posts about food, made up: they can be learned, and the best that any reader can do is known.

`FoodPosts` draws the *latent* state of each post (what its text feels, what its picture shows) from a table of 35
states, words the text, draws the picture, and labels the pair by a rule. As the table and the rule are known, so is
the best accuracy that any reader can reach (`FoodPosts.ceiling`).
"""

from __future__ import annotations

import zlib

import numpy as np

from . import phrases, scenes
from .generated import SPLITS, GeneratedPosts, check_split
from .post import BINARY_LABELS, LABELS, Post
from .rules import ceiling, judge, post_table

PIXELS = {"mini": 64, "full": 224}  #: width and height of a drawn picture for each size of encoder


class FoodPosts(GeneratedPosts):
    """Generated posts about food, with contradictions, sarcasm and texts that talk about their picture.

    A post depends on `seed`, `split` and its index alone; its picture is drawn each time it is asked for
    (``list(posts)`` keeps them all). A text belongs to train, validation or test by the checksum of its words, so no
    test text is ever a training text, nor its twin one, whatever the sizes and seeds.

    Args:
        n: number of posts.
        split: ``"train"``, ``"validation"``, ``"test"`` (the same words and dishes, new posts) or ``"unseen"``
            (adjectives and dishes that the other three never use).
        conflict: share of contradictions, see `post_table`.
        binary: leave out neutral posts; labels are then indices into BINARY_LABELS.
        label_noise: share of labels replaced by another one, as annotators' slips would.
        two_sided: share of the texts with a feeling that say two things, see `phrases.twins`.
        seed: of everything that is drawn.
        pixels: width and height of the pictures.

    Raises:
        ValueError: for an unknown split, a share outside 0 to 1, or no posts.
    """

    #: whose ceilings are known
    readers = ("text", "image", "text_any_order", "additive", "any_order", "both")

    def __init__(self, n: int = 2000, split: str = "train", *, conflict: float = 0.2, binary: bool = False,
                 label_noise: float = 0.02, two_sided: float = phrases.TWO_SIDED, seed: int = 0, pixels: int = 64):
        check_split(split, label_noise=label_noise, two_sided=two_sided)
        super().__init__(n, seed, pixels)
        self.split, self.label_noise, self.two_sided = split, label_noise, two_sided
        self.classes = BINARY_LABELS if binary else LABELS
        self.table = post_table(conflict, binary)
        self._cumulative = np.cumsum([state.share for state in self.table])
        self._dishes = scenes.UNSEEN_DISHES if split == "unseen" else scenes.TRAIN_DISHES

    def drawn(self, index: int) -> Post:
        """The post at a place, 0 to n - 1."""
        rng = np.random.default_rng((self.seed, SPLITS.index(self.split), index))
        at = np.searchsorted(self._cumulative, rng.random() * self._cumulative[-1], side="right")
        kind, level, valence, relation, _ = self.table[at]
        dish = self._dishes[rng.integers(len(self._dishes))]
        both = kind in (-2, -1, 1, 2) and rng.random() < self.two_sided
        text = phrases.write(kind, dish, rng, self.split == "unseen", both)
        while self.split != "unseen" and split_of(text) != self.split:
            text = phrases.write(kind, dish, rng, two_sided=both)
        scene = scenes.random_scene(dish, level, rng)
        label = (valence + 1) // 2 if len(self.classes) == 2 else valence + 1
        if rng.random() < self.label_noise:
            label = (label + int(rng.integers(1, len(self.classes)))) % len(self.classes)
        return Post(text, scenes.draw(scene, self.pixels), label, relation, kind, level, dish, judge(kind, level)[2],
                    both)

    def ceiling(self, modalities: str = "both") -> float:
        """The best accuracy that any reader can reach on such posts; see `ceiling`."""
        return ceiling(self.table, modalities, self.label_noise, self.two_sided)


def make_post(text_kind: phrases.TextKind, picture_level: int, dish: str = "burger", seed: int = 0,
              pixels: int = 64, two_sided: bool = False) -> Post:
    """A post of a chosen state: what its text says (one of `phrases.KINDS`) and its picture shows (-2 to 2).

    Raises:
        ValueError: for a kind, level or dish that does not exist, and for two sides of a kind without a feeling.
    """
    rng = np.random.default_rng(seed)
    text = phrases.write(text_kind, dish, rng, two_sided=two_sided)
    image = scenes.draw(scenes.random_scene(dish, picture_level, rng), pixels)
    valence, relation, reason = judge(text_kind, picture_level)
    return Post(text, image, valence + 1, relation, text_kind, picture_level, dish, reason, two_sided)


def burger_example(pixels: int = 64) -> Post:
    """The running example: "This burger is delicious!" over a bright, fresh burger; a positive post."""
    scene = scenes.random_scene("burger", 2, np.random.default_rng(1))
    valence, relation, reason = judge(2, 2)
    return Post("This burger is delicious!", scenes.draw(scene, pixels), valence + 1, relation, 2, 2, "burger", reason)


def split_of(text: str) -> str:
    """The split that a text with known words belongs to: 6 in 10 train, 2 validation, 2 test.

    By the checksum of its words in the order of the alphabet, so that a text and its twin stand on one side.
    """
    bucket = zlib.crc32(" ".join(sorted(phrases.words_of(text))).encode()) % 10
    return "train" if bucket < 6 else "validation" if bucket < 8 else "test"
