"""Posts in which place matters: several dishes on one table, each fresh or spoiled, and a text that names one of them.

Who knows which dishes there are and how many of them are fresh, but not which is which, cannot read such a post: he has
the parts and not their places. As in `food`, the best that any reader can do is known.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from PIL import Image

from . import scenes
from .food import split_of
from .generated import SPLITS, GeneratedPosts, check_split
from .phrases import ANYWHERE, UNSEEN_ANYWHERE
from .post import BINARY_LABELS, Post

#: How many dishes a text names, and how frequent such texts are.
NAMED = {"one": 0.7, "two": 0.2, "none": 0.1}
LEVELS = (-1, 1)  # going off or fresh: told by a few marks, while one still sees what it is
FORMS = 10  # in which `place_text` can write
LARGEST = 6  # dishes; more would have too few pixels

_ONE = (
    "I had the {a}{when}, see the photo", "The {a} was mine{when}", "My {a}{when} tasted as it looks here",
    "You can see from the picture how my {a} was{when}", "I took the {a}{when}, and it was as the photo shows",
    "Look at the {a}: that was my {meal}{when}", "The {a} on this table was for me{when}",
    "I ordered the {a} for {meal}{when}", "Guess how my {a} tasted{when}", "Only the {a} was mine{when}",
    "What you see of the {a} is what I got{when}", "My {meal}{when} was the {a} in the picture",
)
_TWO = (
    "I had the {a}, {who} had the {b}{when}", "{who} had the {b}, I had the {a}{when}",
    "The {a} was mine, the {b} was for {who}{when}", "The {b} was for {who}, the {a} was for me{when}",
    "I took the {a} and left the {b} to {who}{when}", "I left the {b} to {who} and took the {a}{when}",
    "They brought {who} the {b} and me the {a}{when}", "I wanted the {b} but got the {a}{when}",
    "I chose the {a} and not the {b}{when}", "Instead of the {b} I had the {a}{when}",
)
_NONE = (
    "It was {adj}{when}", "Our {meal} was {adj}{when}", "We had {an} {adj} {meal}{when}", "All of it was {adj}{when}",
    "What {an} {adj} {meal}", "{an} {adj} {meal} with everybody{when}", "The food was {adj}{when}",
)
_WHO = ("my sister", "my brother", "my friend", "my wife", "my husband", "my father", "my mother", "Tom", "Anna", "Ben",
        "Lena", "the kids", "a colleague", "my neighbour")
_MEALS = ("lunch", "dinner", "supper", "brunch")
_WHEN = ("", "", "", " today", " yesterday", " on Friday", " on Sunday", " last night", " last week", " at the station",
         " at the harbour", " by the lake", " in the old town", " at the pub", " near the office", " at the hotel")


class Place(NamedTuple):
    """A dish on a picture, how it is, and where: its box, in shares of the picture, y down."""

    dish: str
    level: int
    left: float
    top: float
    right: float
    bottom: float


class PlacePosts(GeneratedPosts):
    """Generated posts about a table with several dishes.

    Each dish is fresh or spoiled by the toss of a coin, wherever it stands. Of the texts, seven in ten name one dish,
    which is the writer's; two in ten name two, of which one is; one in ten name none and say their feeling themselves.
    The label is the writer's dish's mood, or that feeling.

    A post depends on `seed`, `split` and its index alone. Neither a text nor a set of dishes is ever in two of train,
    validation and test, so nor is a post's *twin*: the same text and dishes, the moods dealt out anew.

    Args:
        n: number of posts.
        split: as in `FoodPosts`; ``"unseen"`` has the six dishes that the other three never show.
        dishes: on each table, 1 to 6. With one there is no text that names two.
        label_noise: share of labels turned round, as annotators' slips would.
        seed: of everything that is drawn.
        pixels: width and height of the pictures.

    Raises:
        ValueError: for an unknown split, a share outside 0 to 1, too few or too many dishes, or no posts.
    """

    classes = BINARY_LABELS
    #: whose ceilings are known
    readers = ("text", "image", "parts", "additive", "both")

    def __init__(self, n: int = 2000, split: str = "train", *, dishes: int = 4, label_noise: float = 0.02,
                 seed: int = 0, pixels: int = 64):
        if not 1 <= dishes <= LARGEST:
            raise ValueError(f"dishes is {dishes}, expected 1 to {LARGEST} on a table.")
        check_split(split, label_noise=label_noise)
        super().__init__(n, seed, pixels)
        self.split, self.dishes, self.label_noise = split, dishes, label_noise
        self._kinds = tuple(NAMED) if dishes > 1 else ("one", "none")
        self._menu = scenes.UNSEEN_DISHES if split == "unseen" else scenes.TRAIN_DISHES

    def drawn(self, index: int) -> Post:
        """The post at a place, 0 to n - 1."""
        rng = np.random.default_rng((self.seed, SPLITS.index(self.split), index))
        shares = np.array([NAMED[kind] for kind in self._kinds])
        kind = self._kinds[rng.choice(len(shares), p=shares / shares.sum())]
        table = self._table(rng)
        levels = [int(rng.choice(LEVELS)) for _ in table]
        feeling = int(rng.choice((-2, 2)))
        level = feeling if kind == "none" else levels[0]  # the first is the writer's: they stand anywhere
        text = self._text(kind, table, feeling, rng)
        while self.split != "unseen" and split_of(text) != self.split:
            text = self._text(kind, table, feeling, rng)
        image, places = set_table(table, levels, rng, self.pixels)
        label = int(level > 0)
        if rng.random() < self.label_noise:
            label = 1 - label
        mine = "" if kind == "none" else table[0]
        reason = f"the {mine} is the writer's, and it is {'fresh' if level > 0 else 'spoiled'}" if mine else (
            "no dish is named: the words themselves say it")
        return Post(text, image, label, kind, feeling if kind == "none" else kind, level if mine else 0, mine, reason,
                    places=places)

    def _table(self, rng: np.random.Generator) -> list[str]:
        """The dishes, each once: a set that belongs to this split."""
        while True:
            chosen = [str(dish) for dish in rng.permutation(self._menu)[:self.dishes]]
            if self.split == "unseen" or len(chosen) == 1:
                return chosen
            if split_of(" ".join(chosen)) == self.split:
                return chosen

    def _text(self, kind: str, table: list[str], feeling: int, rng: np.random.Generator) -> str:
        words = (UNSEEN_ANYWHERE if self.split == "unseen" else ANYWHERE)[feeling]
        adjective = _pick(rng, words)
        core = _pick(rng, {"one": _ONE, "two": _TWO, "none": _NONE}[kind]).format(
            a=table[0], b=table[-1] if len(table) > 1 else "", when=_pick(rng, _WHEN), who=_pick(rng, _WHO),
            meal=_pick(rng, _MEALS), adj=adjective, an="an" if adjective[0] in "aeiou" else "a")
        return core[0].upper() + core[1:] + "."

    def ceiling(self, modalities: str = "both") -> float:
        """The best accuracy that any reader can reach on such posts; see `ceiling`."""
        return ceiling(self.dishes, modalities, self.label_noise)


def place_text(mine: str, theirs: str = "", form: int = 0) -> str:
    """A text as of `PlacePosts` that names the writer's dish and, if there is one, somebody else's.

    Args:
        form: the sentence, 0 to 9; what is left of it (who, which meal) is the same everywhere.

    Raises:
        ValueError: for another form, and where both are the same dish.
    """
    if form not in range(FORMS):
        raise ValueError(f"form is {form!r}, expected 0 to {FORMS - 1}.")
    if mine == theirs:
        raise ValueError(f"the {mine} is said to be the writer's and somebody else's: expected two dishes, or one.")
    text = (_TWO if theirs else _ONE)[form].format(a=mine, b=theirs, when="", who=_WHO[0], meal=_MEALS[0])
    return text[0].upper() + text[1:] + "."


def set_table(dishes: list[str], levels: list[int], rng: np.random.Generator,
              pixels: int = 64) -> tuple[Image.Image, tuple[Place, ...]]:
    """Draw dishes somewhere on one table, each at its level; the picture, and where they stand, in their order."""
    across = {1: 1, 2: 2, 3: 2, 4: 2}.get(len(dishes), 3)
    cell = pixels / across
    background = int(rng.integers(len(scenes.TABLES)))
    picture = Image.new("RGB", (pixels, pixels), scenes.TABLES[background][0])
    places = []
    for dish, level, at in zip(dishes, levels, rng.permutation(across * across), strict=False):
        scene = replace(scenes.random_scene(dish, level, rng), background=background)
        side = max(1, int(cell * rng.uniform(0.78, 1)))
        left, top = (int(cell * where + rng.uniform(0, cell - side)) for where in (at % across, at // across))
        picture.paste(scenes.draw(scene, side), (left, top))
        places.append(Place(dish, level, *(edge / pixels for edge in (left, top, left + side, top + side))))
    return picture, tuple(places)


def twin(post: Post, rng: np.random.Generator, pixels: int = 64) -> Post:
    """The same text over the same dishes, the writer's of the opposite mood and another one's exchanged for it.

    The picture then holds the very same parts: as many fresh dishes and as many spoiled ones.

    Raises:
        ValueError: for a post whose text names no dish, and where all the dishes are alike.
    """
    if not post.dish:
        raise ValueError(f"the text {post.text!r} names no dish: a twin needs one that counts.")
    levels = [place.level for place in post.places]
    others = [i for i, level in enumerate(levels) if level != levels[0]]
    if not others:
        raise ValueError("all the dishes of this post are alike: there is none to exchange moods with.")
    other = others[rng.integers(len(others))]
    levels[0], levels[other] = levels[other], levels[0]
    image, places = set_table([place.dish for place in post.places], levels, rng, pixels)
    return Post(post.text, image, 1 - post.label, post.relation, post.text_kind, levels[0], post.dish,
                f"the {post.dish} is the writer's, and it is {'fresh' if levels[0] > 0 else 'spoiled'}", places=places)


def ceiling(dishes: int = 4, modalities: str = "both", label_noise: float = 0.0) -> float:
    """The best accuracy that any reader can reach: exact, by going through all ways in which dishes are fresh or not.

    Args:
        dishes: on each table.
        modalities: ``"text"``, ``"image"``, ``"both"``; ``"parts"``, who knows the text and which dishes and moods are
            there, but not which belongs to which; or ``"additive"``, the best reader that scores the text and the
            picture each by itself and adds the scores. To him the named dish is worth a fixed sum, whatever the
            table, so only the order of the dishes by their worth counts, and one order is as good as another.
        label_noise: share of the labels that are turned round.

    Returns:
        The Bayes accuracy, 0 to 1.
    """
    tables = list(itertools.product((0, 1), repeat=dishes))  # 1: fresh; by the additive reader's order of the dishes
    none = NAMED["none"] / (1 if dishes > 1 else NAMED["one"] + NAMED["none"])

    def of_named(right) -> float:
        """The mean over tables of how many of the dishes, each named as often, are answered rightly."""
        return float(np.mean([right(table) / dishes for table in tables]))

    def split_at(table: tuple[int, ...], place: int) -> int:
        return sum(table[:place]) + table[place:].count(0)

    named = {"text": of_named(lambda table: dishes / 2), "both": 1.0,
             "parts": of_named(lambda table: max(sum(table), dishes - sum(table))),
             "additive": of_named(lambda table: max(split_at(table, place) for place in range(dishes + 1)))}
    if modalities == "image":  # where the text speaks for itself the picture says nothing
        best = none / 2 + (1 - none) * named["parts"]
    elif modalities in named:
        best = none + (1 - none) * named[modalities]
    else:
        raise ValueError(f'modalities is {modalities!r}, expected "text", "image", "parts", "additive" or "both".')
    return best * (1 - label_noise) + (1 - best) * label_noise


def _pick(rng: np.random.Generator, words: tuple[str, ...]) -> str:
    return words[rng.integers(len(words))]
