"""Spoken posts: a text, a picture and a voice, a rule for all three, and the best that any reader of some can do.

What the voice feels is its *tone*: -2 to 2, or ``"flat"`` (low, flat and slow). What a listener can hear of it is the
tone, but in SLIPS of the clips what is one step off: so tones overlap, and every ceiling stays exact.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from . import phrases, scenes
from .food import split_of
from .generated import SPLITS, GeneratedPosts, check_split
from .post import LABELS, Post
from .rules import MVSA, answer_table, best_additive, best_answers, rake
from .voices import SPEAKERS, UNSEEN_SPEAKERS, Speaker, prosody_of, speak

LEVELS = (-2, -1, 0, 1, 2)
#: What a voice feels: as `voices.HEARD`.
TONES = (*LEVELS, "flat")
#: How the sides of a spoken post stand to each other: nobody disagrees; one alone feels anything; two against one; one
#: against one; praise in a flat voice.
SPOKEN_RELATIONS = ("agree", "soft", "outvoted", "duel", "sarcasm")
#: Share of all posts with these relations, and of those where nobody feels anything; the others share the rest.
SHARES = {"outvoted": 0.14, "duel": 0.24, "sarcasm": 0.12, "nobody": 0.15}
#: Share of the clips that sound one step off their tone.
SLIPS = 1 / 6
#: What else a tone may sound like, each as often.
SLIPPED: dict[Any, tuple[Any, ...]] = {-2: (-1,), -1: (-2, 0), 0: (-1, 1), 1: (0, 2), 2: (1,), "flat": (0,)}


class SpokenState(NamedTuple):
    """A latent state, and its share of all posts."""

    text_level: int
    picture_level: int
    tone: Any  # one of TONES
    valence: int  # the label by the rule: -1, 0 or 1
    relation: str
    share: float


def judge_three(text_level: int, picture_level: int, tone: Any) -> tuple[int, str, str]:
    """The label rule for three sides. How strong they are does not matter.

    1. Praise in a flat voice is sarcasm: negative, whatever the picture shows.
    2. Else most of the feelings win; who feels nothing, and a flat voice, abstains.
    3. One against one: the voice wins if it is one of them; text against picture is neutral.

    Args:
        text_level: -2 to 2.
        picture_level: -2 to 2.
        tone: one of TONES.

    Returns:
        The valence (-1, 0 or 1), the relation (one of SPOKEN_RELATIONS), and the reason in words.
    """
    if tone == "flat" and text_level > 0:
        return -1, "sarcasm", "praise in a flat voice: sarcasm"
    text, picture, voice = (int(np.sign(level)) for level in (text_level, picture_level, 0 if tone == "flat" else tone))
    feelings = [side for side in (text, picture, voice) if side]
    valence = int(np.sign(sum(feelings)))
    if len(feelings) < 2:
        who = "the text" if text else "the picture" if picture else "the voice"
        return (valence, "soft", f"{who} alone feels anything: it decides") if feelings else (
            0, "agree", "nobody feels anything")
    if len(set(feelings)) == 1:
        return valence, "agree", "all that feel anything agree"
    if len(feelings) == 3:
        who = next(name for name, side in (("text", text), ("picture", picture), ("voice", voice)) if side != valence)
        return valence, "outvoted", f"two against one: the {who} is outvoted"
    if voice:
        return voice, "duel", f"the voice against the {'text' if text else 'picture'}: the voice wins"
    return 0, "duel", "the text against the picture, and the voice takes no side: neutral"


def spoken_table() -> list[SpokenState]:
    """All 150 latent states with their shares of the posts, labels balanced.

    Starts from MVSA's table of text and picture, with tones and strengths even, but half as many flat voices; raking
    then sets SHARES and makes the labels equally frequent. Strength stays even within each sign: it tells nothing.
    """
    states = [(text, picture, tone, *judge_three(text, picture, tone)[:2])
              for text in LEVELS for picture in LEVELS for tone in TONES]
    shares = np.array([MVSA[np.sign(text) + 1, np.sign(picture) + 1] / 2 ** (bool(text) + bool(picture) + bool(tone))
                       for text, picture, tone, *_ in states])  # "flat" is half as frequent as 0
    groups = np.array(["nobody" if (valence, relation) == (0, "agree") else relation
                       for *_, valence, relation in states])
    valences = np.array([valence for *_, valence, _ in states])
    wanted = [(groups == name, share) for name, share in SHARES.items()]
    wanted += [(~np.isin(groups, list(SHARES)), 1 - sum(SHARES.values()))]
    wanted += [(valences == valence, 1 / 3) for valence in (-1, 0, 1)]
    return [SpokenState(*state, float(share)) for state, share in zip(states, rake(shares, wanted))]


def heard_as(tone: Any) -> dict[Any, float]:
    """What a tone may sound like, and how often it does."""
    return {tone: 1 - SLIPS, **dict.fromkeys(SLIPPED[tone], SLIPS / len(SLIPPED[tone]))}


class SpokenPosts(GeneratedPosts):
    """Generated posts about food that are spoken too: a text, a picture and two to three seconds of voice.

    A post depends on `seed`, `split` and its index alone; it is drawn and spoken each time it is asked for
    (``list(posts)`` keeps them all). Texts belong to splits as in `FoodPosts`, with their twins.

    Args:
        n: number of posts.
        split: as in `FoodPosts`; ``"unseen"`` has adjectives, dishes and speakers that the other three never use.
        label_noise: share of labels replaced by another one, as annotators' slips would.
        seed: of everything that is drawn.
        pixels: width and height of the pictures.

    Raises:
        ValueError: for an unknown split, a share outside 0 to 1, or no posts.
    """

    classes = LABELS
    #: whose ceilings are known
    readers = ("text", "image", "voice", "text+image", "text+voice", "image+voice", "additive", "all")

    def __init__(self, n: int = 2000, split: str = "train", *, label_noise: float = 0.02, seed: int = 0,
                 pixels: int = 64):
        check_split(split, label_noise=label_noise)
        super().__init__(n, seed, pixels)
        self.split, self.label_noise = split, label_noise
        self.table = spoken_table()
        self._cumulative = np.cumsum([state.share for state in self.table])
        self._dishes = scenes.UNSEEN_DISHES if split == "unseen" else scenes.TRAIN_DISHES
        self._speakers = UNSEEN_SPEAKERS if split == "unseen" else SPEAKERS

    def drawn(self, index: int) -> Post:
        """The post at a place, 0 to n - 1."""
        rng = np.random.default_rng((self.seed, SPLITS.index(self.split), index))
        at = np.searchsorted(self._cumulative, rng.random() * self._cumulative[-1], side="right")
        text_level, picture_level, tone = self.table[at][:3]
        dish = self._dishes[rng.integers(len(self._dishes))]
        speaker = self._speakers[rng.integers(len(self._speakers))]
        both = bool(text_level) and rng.random() < phrases.TWO_SIDED
        text = phrases.write(text_level, dish, rng, self.split == "unseen", both)
        while self.split != "unseen" and split_of(text) != self.split:
            text = phrases.write(text_level, dish, rng, two_sided=both)
        sounds = heard_as(tone)
        heard = list(sounds)[rng.choice(len(sounds), p=list(sounds.values()))]
        post = _spoken(text, text_level, picture_level, tone, heard, dish, speaker, both, self.pixels, rng)
        if rng.random() < self.label_noise:
            return replace(post, label=(post.label + int(rng.integers(1, len(LABELS)))) % len(LABELS))
        return post

    def ceiling(self, modalities: str = "all") -> float:
        """The best accuracy that any reader of some sides can reach on such posts: exact, not estimated.

        Args:
            modalities: one of `readers`: the sides that are read, joined by +; or ``"additive"``, who scores each of
                the three by itself and adds the scores.

        Returns:
            The Bayes accuracy, 0 to 1, of who hears exactly what can be heard.
        """
        return spoken_ceiling(self.table, modalities, self.label_noise)


def spoken_ceiling(table: list[SpokenState], modalities: str = "all", label_noise: float = 0.0) -> float:
    """See `SpokenPosts.ceiling`. States are told apart by the *signs* of text and picture and by what is heard."""
    if modalities not in SpokenPosts.readers:
        raise ValueError(f"modalities is {modalities!r}, expected one of {SpokenPosts.readers}.")
    read: dict[tuple[int, int, Any], np.ndarray] = {}
    answers = answer_table([state.valence for state in table], [state.share for state in table], label_noise)
    for state, row in zip(table, answers):
        for heard, share in heard_as(state.tone).items():
            key = int(np.sign(state.text_level)), int(np.sign(state.picture_level)), heard
            read[key] = read.get(key, 0) + share * row
    joint = np.array(list(read.values()))
    sides: dict[str, list[Hashable]] = dict(zip(("text", "image", "voice"), (list(side) for side in zip(*read))))
    if modalities == "additive":
        return best_additive(list(sides.values()), joint)
    known = [side for name, side in sides.items() if modalities == "all" or name in modalities.split("+")]
    return best_answers(list(zip(*known)), joint)


def make_spoken(text_level: int, picture_level: int, tone: Any, dish: str = "burger", seed: int = 0,
                speaker: str = "Ada", pixels: int = 64) -> Post:
    """A spoken post of a chosen state, its voice as its tone is; of one seed, whatever the tone, the same syllables.

    Args:
        text_level: -2 to 2, what the text says.
        picture_level: -2 to 2, what the picture shows.
        tone: one of TONES.
        speaker: the name of one of `voices.SPEAKERS` or `voices.UNSEEN_SPEAKERS`.

    Raises:
        ValueError: for a level, tone, dish or speaker that does not exist.
    """
    if text_level not in LEVELS:
        raise ValueError(f"text_level is {text_level!r}, expected one of {LEVELS}.")
    if tone not in TONES:
        raise ValueError(f"tone is {tone!r}, expected one of {TONES}.")
    named = {one.name: one for one in SPEAKERS + UNSEEN_SPEAKERS}
    if speaker not in named:
        raise ValueError(f"speaker is {speaker!r}, expected one of {', '.join(named)}.")
    text = phrases.write(text_level, dish, np.random.default_rng(seed))
    return _spoken(text, text_level, picture_level, tone, tone, dish, named[speaker], False, pixels,
                   np.random.default_rng(seed))


def _spoken(text: str, text_level: int, picture_level: int, tone: Any, heard: Any, dish: str, speaker: Speaker,
            two_sided: bool, pixels: int, rng: np.random.Generator) -> Post:
    """Draw the picture, speak, and judge."""
    image = scenes.draw(scenes.random_scene(dish, picture_level, rng), pixels)
    voice = speak(prosody_of(heard, rng.uniform(-1, 1), speaker, rng), speaker, rng)
    valence, relation, reason = judge_three(text_level, picture_level, tone)
    return Post(text, image, valence + 1, relation, text_level, picture_level, dish, reason, two_sided, voice=voice,
                tone=tone, speaker=speaker.name)
