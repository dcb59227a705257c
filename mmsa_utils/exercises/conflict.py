"""The checks of notebook 07: how two sides relate, slices, one side taken away, a comparison to be trusted."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..posts.rules import RELATIONS, judge
from .checks import exercise
from .compare import Refused, alike, called_with, compare, describe, expect_keys, expect_kind, kind_of, numbers
from .intervals import check_interval
from .made_up import sliced_posts

_PARTS = ("relations", "additive", "hidden", "interval", "verdict")
_VERDICTS = ("hidden", "additive", "cannot tell")


@exercise("7.1")
def relation_between(answer: Any, rng: np.random.Generator, top: int = 2, mild: int = 0) -> str:
    """(text: -top to top, "same" or "opposite"; picture: -top to top) → one of RELATIONS; up to `mild` is neutral."""
    levels = range(-top, top + 1)

    def relation(text, picture):
        return judge(*(0 if side in range(-mild, mild + 1) else side for side in (text, picture)))[1]

    def said(text, picture):  # a word out of NumPy is a word
        word = answer(text, picture)
        if not isinstance(word, str) or word not in RELATIONS:
            raise Refused(f"Called with {called_with((text, picture))}, yours gives {describe(word)}. Expected one of "
                          f"the words {', '.join(map(repr, RELATIONS))}.")
        return str(word)

    compare(said, relation, [(kind, level) for kind in (*levels, "same", "opposite") for level in levels], {
        f"Very good ({top}) and rather good ({top - 1}) are of one mood. Compare the signs of levels, not the levels.":
            lambda text, picture: relation(text, picture) if text in ("same", "opposite") or text == picture
            else "contradict" if text * picture else "soft",
        "Two levels of one sign agree, however strong: strength decides who wins, not whether there is a quarrel.":
            lambda text, picture: "soft" if relation(text, picture) == "agree" and text != picture
            else relation(text, picture),
        "Two neutral sides are counted as soft. Look again at what they say: is there anything they disagree on?":
            lambda text, picture: "soft" if relation(text, picture) == "agree" and abs(text) <= mild
            else relation(text, picture),
        "Every disagreement is counted as a contradiction. What if one of the two sides has no mood?":
            lambda text, picture: relation(text, picture).replace("soft", "contradict"),
        "A neutral side is counted as agreeing with any other. Good and neutral are not one mood.":
            lambda text, picture: relation(text, picture).replace("soft", "agree"),
        "A contradiction does not need equal strength. A mildly good side and an awful one are opposed, too.":
            lambda text, picture: "soft" if relation(text, picture) == "contradict" and text != -picture
            else relation(text, picture),
        '"same" and "opposite" have no mood of their own that could agree with anything, whatever the picture.':
            lambda text, picture: said(text, picture) if text in ("same", "opposite") else relation(text, picture),
    })
    return "Every post can now be sorted by how its two sides relate, before any model has seen it."


@exercise("7.2")
def slice_scores(answer: Any, rng: np.random.Generator) -> str:
    """(predictions, labels, relations, each (n,), known: (labels, relations)) → {relation: (accuracy, lazy one)}."""
    cases = [sliced_posts(rng, absent) for absent in ("refer", "soft", None)]
    for case in cases:
        given, wanted = answer(*case), _scores()(*case)
        if not isinstance(given, dict):
            expect_kind(given, wanted)
        if set(given) - set(wanted):
            raise Refused(f"There is an entry for {sorted(map(str, set(given) - set(wanted)))}, of which there was no "
                          "post to test on. An accuracy over nothing is neither 0 nor NaN: leave it out.")
        if set(wanted) - set(given):
            raise Refused(f"There is no entry for {sorted(set(wanted) - set(given))}, though there were posts of it. "
                          "Where every answer is wrong the accuracy is 0.")
        for name, pair in given.items():
            if np.shape(numbers(pair)) != (2,):
                raise Refused(f"For {name!r}, expected two numbers: the accuracy of the answers, and that of the lazy "
                              f"reader. Got {kind_of(pair)}.")

    def spread(*case):
        hits = _scores(share=lambda hits, inside: hits[inside].sum())(*case)
        return {name: np.array(pair) / np.sum(list(hits.values()), axis=0) for name, pair in hits.items()}

    compare(answer, _scores(), cases, {
        "Your lazy reader peeks: its answer is the commonest label of the very posts that it is tested on. Let it "
        "learn from the known posts.": _scores(lambda at, predictions, labels, *_: _commonest(labels[at])),
        "Your lazy reader has one answer for all slices, the commonest label of all known posts. Each slice has a "
        "commonest label of its own, and that is the bar to clear.":
            _scores(lambda at, predictions, labels, known, there: _commonest(known)),
        "Your lazy reader always says neutral. Look up in the known posts what it should say in each slice.":
            _scores(lambda *_: 1),
        "The lazy reader is scored on the known posts. Both numbers are for the same posts, those of the test.":
            lambda p, labels, relations, known: {
                name: (pair[0], np.mean(known[0][known[1] == name] == _commonest(known[0][known[1] == name])))
                for name, pair in _scores()(p, labels, relations, known).items()},
        "The two numbers are swapped: first the answers, then the lazy reader.":
            lambda *case: {name: pair[::-1] for name, pair in _scores()(*case).items()},
        "Right answers are divided by the number of all posts. Divide by the posts of that slice.":
            _scores(share=lambda hits, inside: (hits & inside).mean()),
        "Right answers are divided by the number of all right answers: this is how they spread over the slices. "
        "Divide by the posts of that slice.": spread,
        "These are counts. An accuracy is the share of the slice's posts that were answered rightly.":
            _scores(share=lambda hits, inside: hits[inside].sum()),
        "The second number is how far the answers are ahead. Give the lazy reader's own accuracy.":
            lambda *case: {name: (pair[0], pair[0] - pair[1]) for name, pair in _scores()(*case).items()},
        "The accuracies of the predictions are right, those of the lazy reader are not. Say it in words first: from "
        "which posts does it take its label, for which slice, and on which posts is it scored?":
            lambda *case: {name: (pair[0], numbers(answer(*case)[name])[1])
                           for name, pair in _scores()(*case).items()},
    })
    return "Each slice now stands beside what laziness earns there, and the answer was not taken from the test."


def _scores(lazy=lambda at, predictions, labels, known, there: _commonest(known[there]),
            share=lambda hits, at: hits[at].mean()):
    """A function that makes one mistake: in which label is always given, or in how right answers are counted."""
    def made(predictions, labels, relations, known):
        found = {}
        for name in np.unique(relations):
            at, usual = relations == name, known[1] == name
            said = lazy(at, predictions, labels, known[0], usual)
            found[str(name)] = share(predictions == labels, at), share(labels == said, at)
        return found
    return made


def _commonest(labels: np.ndarray) -> int:
    return int(np.bincount(labels, minlength=3).argmax())


@exercise("7.3")
def deal_pictures(answer: Any, rng: np.random.Generator) -> str:
    """(text (n, d), picture (n, e), labels (n,), seed) → the three, with the pictures dealt out anew."""
    orders = []
    for n in (3, 6, 6, 6, 9, 40):
        posts = (rng.normal(size=(n, 4)), rng.normal(size=(n, 5)), np.arange(n) % 3)
        seed = int(rng.integers(1000))
        text, picture, labels = _three(answer(*posts, seed), posts)
        orders.append(_order(text, picture, labels, *posts))
        again = _three(answer(*posts, seed), posts)[1]
        if not np.array_equal(picture, again):
            raise Refused("The same seed gave another order the second time: the result could not be repeated. Make a "
                          "generator from the seed, and draw from that.")
    for order in orders:
        kept = int((order == np.arange(len(order))).sum())
        if kept:
            raise Refused(f"{kept} of {len(order)} posts kept their own picture, and so lost nothing. A random order "
                          "leaves one post in its place on average, and so does a random order moved by one place: how "
                          "could you be sure that none is?")
    dealt = {_three(answer(*posts, seed), posts)[1].tobytes() for seed in range(8)}
    if len(dealt) == 1:
        raise Refused("Every seed gives the same order, so there is only one way to take the picture away.")
    shifts = (orders[-1] - np.arange(40)) % 40
    if (shifts == shifts[0]).all():
        raise Refused(f"Every post gets the picture that stands {min(shifts[0], 40 - shifts[0])} places away, and the "
                      "next one the next. Where posts are sorted, by label or dish, that is nearly its own picture "
                      "again. Let chance say who gets whose.")
    return "One side now lies in every post, the other is untouched, and anybody can repeat it."


def _three(result, posts: tuple) -> tuple[np.ndarray, ...]:
    if not isinstance(result, (tuple, list)) or len(result) != 3:
        raise Refused("Give back three things: text, picture and labels.")
    for part, wanted in zip(result, posts):
        expect_kind(part, wanted)
    return tuple(numbers(part) for part in result)


def _order(text, picture, labels, old_text, old_picture, old_labels) -> np.ndarray:
    """Whose picture each post now has, (n,)."""
    whose = np.abs(picture[:, None] - old_picture).max(-1) < 1e-5  # (n, n)
    moved = not alike(text, old_text)
    if moved and alike(picture, old_picture):
        raise Refused("It is the text that was dealt out, and the pictures stayed: the two sides are swapped.")
    if whose.sum(1).min() == 1 and moved and alike(text, old_text[whose.argmax(1)]):
        raise Refused("Text and picture moved together: each text still has its own picture, and nothing was taken "
                      "away. Leave the text in its place.")
    if moved:
        raise Refused("The text has changed too. Then nobody can say which side's absence did the harm.")
    if not alike(labels, old_labels):
        raise Refused("The labels have moved. Against wrong labels even a perfect model looks broken.")
    if np.ptp(picture, axis=0).max() < 1e-5:
        raise Refused("Every post has the same picture now: this drops the side. The task asks for real pictures, "
                      "those of other posts. (In a loop: is a picture written over before it is handed on?)")
    if whose.sum(1).min() == 0:
        raise Refused("Some pictures are not among those that went in: numbers were mixed within a vector. Deal out "
                      "whole rows (axis 0).")
    if whose.sum(0).min() == 0:
        raise Refused("Some pictures were dealt twice and others not at all. Each goes to exactly one post.")
    return whose.argmax(1)


@exercise("7.4")
def heads_compared(answer: Any, rng: np.random.Generator) -> str:
    """{"relations": (n,) texts, "additive" and "hidden": (seeds, n) of 0 and 1, "interval": (low, high), "verdict"}."""
    expect_keys(answer, _PARTS)
    relations = np.asarray(answer["relations"])
    if relations.ndim != 1:
        raise Refused('"relations" should be a list of words, one for each test post.')
    additive, hidden = (_right_or_wrong(answer[name], name, len(relations)) for name in ("additive", "hidden"))
    if alike(additive, hidden):
        raise Refused("Both heads gave the same answers to every post: they are one and the same head.")
    if len(additive) != len(hidden):
        raise Refused("Train both heads equally often, so that each seed gives a pair.")
    clash = relations == "contradict"
    if clash.sum() < 100:
        raise Refused(f"Only {clash.sum()} of your test posts contradict themselves: too few for a narrow interval. "
                      "There is a way to get more without drawing thousands.")

    interval = numbers(answer["interval"])
    if interval is None or interval.shape != (2,) or not interval[0] < interval[1]:
        raise Refused("The interval is a pair: low, then high.")
    check_interval(interval, additive, hidden, clash, rng)
    low, high = interval
    verdict = "hidden" if low > 0 else "additive" if high < 0 else "cannot tell"
    if answer["verdict"] != verdict:
        raise Refused("The verdict does not follow from your interval. Where does 0, no difference, lie in it?"
                      if answer["verdict"] in _VERDICTS else f"The verdict is one of {', '.join(_VERDICTS)}.")
    return "Your verdict speaks for other posts and other seeds too, which is what a comparison of two methods claims."


def _right_or_wrong(answers, name: str, posts: int) -> np.ndarray:
    """A head's answers as (seeds, posts) of 0 and 1, if they can come from a sound experiment."""
    values = numbers(answers)
    if values is None or values.ndim == 0 or values.shape[-1] != posts:
        raise Refused(f'"{name}" and "relations" are not about the same posts: for each seed a row of {posts} is due.')
    if not np.isin(values, (0, 1)).all():
        raise Refused(f'"{name}" holds more than 0 and 1. Is that the answer itself? Say whether it was right.')
    if values.ndim == 1 or len(values) < 5:
        count = 1 if values.ndim == 1 else len(values)
        raise Refused(f'"{name}" was trained {count} time{"s" * (count > 1)}. Another seed may turn the result round: '
                      "train at least five, a row each.")
    if (values == values[0]).all():
        raise Refused(f'All trainings of "{name}" gave the same answers. Does the seed reach `align`?')
    if values.mean() > 0.985:
        raise Refused(f'"{name}" is right on {values.mean():.1%}. With two labels in a hundred spoiled, nobody can be: '
                      "was it trained on the posts that it is tested on?")
    if values.mean() < 0.3:
        raise Refused(f'"{name}" is right on {values.mean():.0%}, below chance. Do answers and labels share one order?')
    return values
