"""The checks of notebook 01: the rule, chance, ceilings, and test posts that were in the training posts."""

from __future__ import annotations

from collections import Counter
from itertools import product
from typing import Any

import numpy as np

from ..posts.phrases import KINDS
from ..posts.rules import judge
from .checks import exercise
from .compare import Refused, compare, expect_keys, kind_of, numbers


def _sign(number: int) -> int:
    return (number > 0) - (number < 0)


def _optimist(kind, level: int) -> int:
    """The label by the rule, but contradictions of equal strength are positive."""
    valence, relation, _ = judge(kind, level)
    return 2 if relation == "contradict" and abs(kind) == abs(level) else valence + 1


@exercise("1.1")
def optimist_label(answer: Any, rng: np.random.Generator) -> str:
    """(text kind, picture level) → label, on all 35 states."""
    states = [(kind, level) for kind in KINDS for level in (-2, -1, 0, 1, 2)]
    cases = [states[i] for i in rng.permutation(len(states))]
    first = answer(*cases[0])
    if isinstance(first, str):
        raise Refused("This is a label's name, a text. What is asked for is its place in LABELS: 0, 1 or 2.")
    if isinstance(first, (tuple, list)):
        raise Refused(f"Expected one number, the label, got {kind_of(first)}. Of what `judge` gives back only the "
                      "first tells the mood.")
    compare(answer, _optimist, cases, {
        "This is the valence, -1 to 1. A label is a place in LABELS, and the first place is 0.":
            lambda kind, level: _optimist(kind, level) - 1,
        "The labels run the wrong way round: look at the order of LABELS.":
            lambda kind, level: 2 - _optimist(kind, level),
        "This is the rule of section 4. What do optimists make of two sides that contradict each other equally?":
            lambda kind, level: judge(kind, level)[0] + 1,
        "Glowing words over an awful picture are still sarcasm here: optimists do not know sarcasm.":
            lambda kind, level: 0 if (kind, level) == (2, -2) else _optimist(kind, level),
        "Only sarcasm has turned positive here: three more states contradict each other with equal strength.":
            lambda kind, level: 2 if (kind, level) == (2, -2) else judge(kind, level)[0] + 1,
        "Neutral words over a plain picture are positive here: they contradict nothing.":
            lambda kind, level: 2 if kind == 0 == level else _optimist(kind, level),
        "Sides of equal strength are positive here even where they agree: ask first whether they contradict.":
            lambda kind, level: 2 if kind in (-2, -1, 0, 1, 2) and abs(kind) == abs(level) else _optimist(kind, level),
        "Mild contradictions are still neutral here: equal strength may also be 1 against 1.":
            lambda kind, level: 1 if kind in (-1, 1) and level == -kind else _optimist(kind, level),
        'A text that says "opposite" denies its picture: the better the picture, the worse the post.':
            lambda kind, level: _optimist("same" if kind == "opposite" else kind, level),
        "Every contradiction is positive here. Where one side is stronger, it still wins.":
            lambda kind, level: 2 if judge(kind, level)[1] == "contradict" else _optimist(kind, level),
        "A neutral side wins here. It should give way to the other side.":
            lambda kind, level: 1 if judge(kind, level)[1] == "soft" else _optimist(kind, level),
        "Where the sides contradict each other, the weaker one wins here.":
            lambda kind, level: (1 + _sign(kind if abs(kind) < abs(level) else level)
                                 if judge(kind, level)[1] == "contradict" and abs(kind) != abs(level)
                                 else _optimist(kind, level)),
    })
    return "All 35 states have the label that optimists give them: you can change the rule of these posts at will."


@exercise("1.2")
def chance_band(answer: Any, rng: np.random.Generator, middle: int = 95) -> str:
    """(number of posts, number of classes) → lowest and highest accuracy of `middle` in 100 guessing readers."""
    from scipy.stats import norm

    reach = norm.ppf(0.5 + middle / 200)  # standard deviations to each side
    cases = [(int(rng.integers(400, 2000)), classes) for classes in (2, 3, 4, 5)]
    bands = []
    for case in cases:
        given = answer(*case)
        band = numbers(given)
        if band is None or band.shape != (2,):
            raise Refused(f"Expected two numbers, the lowest and the highest accuracy, got {kind_of(given)}.")
        bands.append(band)
    n, chance = np.array([posts for posts, _ in cases]), np.array([1 / classes for _, classes in cases])
    spread = np.sqrt(chance * (1 - chance) / n)  # the standard deviation of the accuracy, binomial
    low, high = np.array(bands).T
    if not np.isfinite(bands).all():
        raise Refused("There is a NaN or an infinity in the band. Which number is below zero under your square root?")
    if (low > high).all():
        raise Refused("The band is upside down: the lowest accuracy comes first.")
    if (high > 1.5).any():
        raise Refused("These are numbers of posts, or percent. An accuracy is a share, between 0 and 1.")
    centre, width = (low + high) / 2, (high - low) / 2
    if (abs(centre - chance) > 0.5 * spread).any():
        for name, usual in (("one half", 1 / 2), ("one third", 1 / 3)):
            if (abs(centre - usual) < 0.5 * spread).all():
                raise Refused(f"The middle is {name} for any number of classes. How often is a guess among five right?")
        raise Refused("The middle of the band is not where guessing ends up on average.")
    mistakes = {
        "As wide as if every reader judged a single post. More posts make a narrower band.":
            reach * spread * np.sqrt(n),
        "The band shrinks too fast: four times the posts make it half as wide, not a quarter.":
            reach * spread / np.sqrt(n),
        "That is the variance. The band is measured in standard deviations: one square root is missing.":
            reach * spread**2,
        "As wide as a coin's for any number of classes. A guess among five wobbles less than a coin.":
            reach * 0.5 / np.sqrt(n),
        f"One standard deviation to each side: that holds about 68 in 100 readers, not {middle}.": spread,
        "Twice as wide as it need be: nearly every guessing reader is inside.": 2 * reach * spread,
    }
    if ((width > 0.893 * reach * spread) & (width < 1.148 * reach * spread)).all():
        return ("You can now say of any accuracy whether guessing alone could explain it, for a reader that was not "
                "picked by its score.")
    for message, wrong in mistakes.items():
        if (abs(width - wrong) < 0.12 * wrong).all():
            raise Refused(message)
    few_or_many = "few" if (width < reach * spread).any() else "many"
    raise Refused(f"Your band holds too {few_or_many} guessing readers: it should hold {middle} in 100.")


def _piles(rows, seen) -> dict[tuple, Counter]:
    piles: dict[tuple, Counter] = {}
    for row in rows:
        piles.setdefault(tuple(row[column] for column in seen), Counter())[row[2]] += row[3]
    return piles


def _highest_accuracy(rows, seen) -> float:
    return sum(max(pile.values()) for pile in _piles(rows, seen).values())


@exercise("1.3")
def highest_accuracy(answer: Any, rng: np.random.Generator) -> str:
    """(rows of (text, picture, label, share), columns that are seen) → the best possible accuracy."""
    cases = []
    for seen in ((0,), (1,), (0, 1), ()):
        states = list(product((-1, 0, 1, "same"), (-1, 0, 1), (0, 1, 2)))
        shares = rng.dirichlet(np.full(len(states), 0.7))
        rows = [(*states[i], float(shares[i])) for i in rng.permutation(len(states))]
        cases.append((rows, seen))

    def by_rows(rows, seen):
        return _highest_accuracy([(*row[:3], 1 / len(rows)) for row in rows], seen)

    def of_even_piles(rows, seen):
        return np.mean([max(pile.values()) / sum(pile.values()) for pile in _piles(rows, seen).values()])

    def single_rows(rows, seen):
        best: dict[tuple, float] = {}
        for row in rows:
            key = tuple(row[column] for column in seen)
            best[key] = max(best.get(key, 0), row[3])
        return sum(best.values())

    def overwriting(rows, seen):
        piles: dict[tuple, dict] = {}
        for row in rows:
            piles.setdefault(tuple(row[column] for column in seen), {})[row[2]] = row[3]
        return sum(max(pile.values()) for pile in piles.values())

    compare(answer, _highest_accuracy, cases, {
        "On a pile the last row of a label overwrites the rows before it: add their shares up.": overwriting,
        "Only the best pile counts here. What the reader gets right on the other piles comes on top.":
            lambda rows, seen: max(max(pile.values()) for pile in _piles(rows, seen).values()),
        "Rows are counted here. A row counts as much as its share says.": by_rows,
        "Each pile counts the same here, large or small: a pile should weigh as much as its share.": of_even_piles,
        "The largest single row of each pile is taken. Rows of a pile with the same label belong together.":
            single_rows,
        "The same whatever is seen: the best reader may answer differently wherever it sees a difference.":
            lambda rows, seen: _highest_accuracy(rows, ()),
        "Always as good as seeing both: a reader must give one answer to all rows that look the same to it.":
            lambda rows, seen: _highest_accuracy(rows, (0, 1)),
        "Text and picture are swapped: column 0 is the text, column 1 the picture.":
            lambda rows, seen: _highest_accuracy(rows, tuple(1 - column for column in seen)),
        "The label itself can be seen here, so every answer is right: only the columns in `seen` make the piles.":
            lambda rows, seen: 1.0,
        "This is the share of wrong answers, not of right ones.": lambda rows, seen: 1 - _highest_accuracy(rows, seen),
        "This reader guesses in proportion to the labels of a pile. The best one always names the most frequent.":
            lambda rows, seen: sum(sum(v**2 for v in pile.values()) / sum(pile.values())
                                   for pile in _piles(rows, seen).values()),
    })
    return "Whatever the table and the reader, you know the best accuracy that can be reached."


@exercise("1.4")
def peeking(answer: Any, rng: np.random.Generator, due: int = 385) -> str:
    """(shared, seed) → {"reported": accuracy, "honest": accuracy, "posts": n, "new": n} of one run, of `due` posts."""
    shares, seeds = (0.0, 0.3, 0.6), [int(seed) for seed in rng.integers(1, 10_000, 3)]
    runs = [[_one_run(answer, share, seed) for seed in seeds] for share in shares]
    again = [_one_run(answer, share, seeds[0]) for share in (shares[0], shares[-1])]
    if again != [runs[0][0], runs[-1][0]]:
        raise Refused("The same seed gave two results: take every random number from np.random.default_rng(seed).")
    if all(len(set(row)) == 1 for row in runs):
        raise Refused("Every seed gives the same result: does the seed reach the random numbers?")
    reported, honest, posts, new = np.moveaxis(np.array(runs), -1, 0)  # each (shares, seeds)
    if posts.min() < due:
        raise Refused(f"On {int(posts.min())} test posts luck alone moves an accuracy by more than the task allows: "
                      "exercise 1.2 says how many posts it takes.")
    copies = np.array(shares)[:, None]
    if (abs(new / posts - (1 - copies)) > 0.1).any():
        if (abs(new / posts - copies) < 0.1).all():
            raise Refused("`shared` is the share of copies among the test posts; here it is the share of new posts.")
        raise Refused(f"With `shared` at {shares[-1]}, {int(new[-1, 0])} of {int(posts[-1, 0])} test posts are new "
                      "here. How many should be?")
    if honest[1:].mean() > 0.97:
        raise Refused("`honest` is nearly 1 although nothing can be learned here: it is counted on posts that are in "
                      "the training set.")
    if reported[-1].mean() > 0.65 and (abs(honest - reported) < 1e-9).all():
        raise Refused("`honest` still counts the copies: which test posts should it leave out?")
    if honest[-1].mean() > reported[-1].mean() + 0.1:
        raise Refused("`reported` and `honest` are swapped: which of the two does peeking lift?")
    if abs(honest.mean() - 0.5) > 0.08:
        raise Refused(f"On new posts your classifier is right {honest.mean():.2f} of the time. With labels drawn by a "
                      "coin it cannot be, in the long run: what do your labels depend on?")
    if reported[-1].mean() < 0.6:
        raise Refused("Copies do not help your classifier. Does a copy keep its label, and does the classifier answer "
                      "with the label of the nearest training post?")
    on_copies = (reported * posts - honest * new)[1:].sum() / (posts - new)[1:].sum()
    if abs(on_copies - 1) > 0.03:
        raise Refused(f"By your figures {on_copies:.2f} of the copies are answered rightly, and each lies right on its "
                      "original. Is `reported` the share among all test posts, each counted once?")
    return "Without any skill, peeking looked like skill, and the posts that were truly new told the truth."


def _one_run(answer: Any, share: float, seed: int) -> tuple[float, ...]:
    keys = ("reported", "honest", "posts", "new")
    given = answer(share, seed)
    expect_keys(given, keys)
    values = [numbers(given[key]) for key in keys]
    if any(value is None or value.ndim for value in values):
        raise Refused("Expected one number under each key.")
    if not np.isfinite(values).all():
        raise Refused(f"With `shared` at {share} there is a NaN: was an accuracy counted on no posts at all?")
    if not (0 <= values[0] <= 1 and 0 <= values[1] <= 1):
        raise Refused("An accuracy is a share, between 0 and 1, and not a count or percent.")
    return tuple(float(value) for value in values)
