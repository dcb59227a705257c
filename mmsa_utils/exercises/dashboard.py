"""The checks of notebook 08: how far a warning can be trusted, and when a model had better be silent."""

from __future__ import annotations

from typing import Any

import numpy as np

from .checks import exercise
from .compare import Refused, compare, expect_kind, numbers


@exercise("8.1")
def warning_scores(answer: Any, rng: np.random.Generator, warns: str = "opposed") -> str:
    """(text alone (n, 3), picture alone (n, 3), contradicts (n,)) → (share of contradictions found, share of warnings
    that are true). A warning sounds where the sides are opposed, where they differ, or where one alone is bad."""
    rule = {"opposed": lambda text, picture, *_: text * picture == -1,
            "differ": lambda text, picture, *_: text != picture,
            "bad": lambda text, picture, *_: (text == -1) != (picture == -1)}[warns]

    def scores(warn=rule, share=lambda warned, true: (
            (warned & true).sum() / true.sum(), (warned & true).sum() / warned.sum())):
        """A function that makes one mistake: in which posts get a warning, or in what is divided by what."""
        return lambda text, picture, true: share(warn(text.argmax(1) - 1, picture.argmax(1) - 1, text, picture), true)

    quarrels = {
        "Your warning sounds wherever the sides differ. Neutral beside negative is no contradiction: a side without a "
        "mood quarrels with nobody.": scores(lambda text, picture, *_: text != picture),
        "Your warning sounds wherever the sides have one mood, neutral left out. What should their moods be?":
            scores(lambda text, picture, *_: text * picture == 1),
        "Your warning sounds where both sides are neutral, too. Two sides without a mood have no quarrel.":
            scores(lambda text, picture, *_: text + picture == 0),
        "Your warning sounds where a side is neutral, too: a product of 0. Opposed moods have the product -1.":
            scores(lambda text, picture, *_: text * picture <= 0),
        "Your warning leaves out half of the quarrels: good words over a bad picture are one, and so are bad words "
        "over a good one.": scores(lambda text, picture, *_: (text == 1) & (picture == -1)),
        "Your warning leaves out the other half of the quarrels: bad words over a good picture are one, and so are "
        "good words over a bad one.": scores(lambda text, picture, *_: (text == -1) & (picture == 1)),
    }
    cases = [_sides(rng, n) for n in (40, 60, 90)]
    compare(answer, scores(), cases, {
        "The two numbers are swapped: first the share of the contradictions that were found, then the share of the "
        "warnings that are true.": lambda *case: scores()(*case)[::-1],
        **(quarrels if warns == "opposed" else {}),
        "The neutral probability is passed over: positive is held against negative alone. A side whose likeliest "
        "answer is neutral has no mood.": scores(lambda _, __, text, picture: (text[:, 2] > text[:, 0]) !=
                                          (picture[:, 2] > picture[:, 0])),
        "The probabilities of both sides are averaged before anything is compared. Let each side say its own answer "
        "first.": scores(lambda _, __, text, picture: (text + picture).argmax(1) != 1),
        "Both are shares of all posts. One is of the contradictions, the other of the warnings.":
            scores(share=lambda warned, true: ((warned & true).mean(), (warned & true).mean())),
        "The first number is the share of all posts that were sorted rightly. Count among the contradictions alone: "
        "who never warns would look good otherwise.":
            scores(share=lambda warned, true: ((warned == true).mean(), (warned & true).sum() / warned.sum())),
        "The first number is the share of the contradictions that were missed.": scores(share=lambda warned, true: (
            (~warned & true).sum() / true.sum(), (warned & true).sum() / warned.sum())),
        "The second number is the share of all posts that were sorted rightly. Count among the warnings alone.":
            scores(share=lambda warned, true: ((warned & true).sum() / true.sum(), (warned == true).mean())),
        "The second number is the share of peaceful posts that were warned of. Look from the other side: of all "
        "warnings, which share is true?": scores(share=lambda warned, true: (
            (warned & true).sum() / true.sum(), (warned & ~true).sum() / (~true).sum())),
        "The second number is the share of false warnings.": scores(share=lambda warned, true: (
            (warned & true).sum() / true.sum(), (warned & ~true).sum() / warned.sum())),
        "These are counts. Each is a share, between 0 and 1.":
            scores(share=lambda warned, true: ((warned & true).sum(), (warned & true).sum())),
    }, parts=True)
    return "Both figures at once: one alone is bought cheaply, by warning always or hardly ever."


def _sides(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What each side alone says of n posts, (n, 3) each, and which of them contradict themselves, (n,)."""
    moods = rng.integers(-1, 2, (n, 2))
    moods[:6] = [(1, -1), (-1, 1), (1, 1), (0, 1), (-1, 0), (-1, -1)]
    text, picture = (rng.dirichlet([1.2, 1.2, 1.2], n) for _ in range(2))
    for side, probabilities in enumerate((text, picture)):
        at = np.arange(n), moods[:, side] + 1
        probabilities[at] += 0.9 * ((rng.random(n) < 0.85) | (np.arange(n) < 6))
        probabilities /= probabilities.sum(1, keepdims=True)
    true = moods.prod(1) == -1
    return text, picture, np.where(rng.random(n) < 0.1, ~true, true)


@exercise("8.2")
def silent_below(answer: Any, rng: np.random.Generator) -> str:
    """(known: (confidence (m,), right (m,)), test: the same of n posts, wanted) → (threshold, coverage, accuracy)."""
    cases = [_confidences(rng, n, exact) for n, exact in ((60, True), (80, False), (100, True))]
    for known, test, wanted in cases:
        given = answer(known, test, wanted)
        expect_kind(given, _made()(known, test, wanted))
        limit = float(numbers(given)[0])  # type: ignore[index]
        if np.isclose(limit, wanted):
            raise Refused("The threshold is the accuracy that is wanted itself. A confidence is what the model says of "
                          "itself, an accuracy what is found: look it up among the known posts.")
        if not np.isclose(known[0], limit).any():
            raise Refused(f"Your threshold, {limit:.3f}, is none of the confidences of the known posts. Between two of "
                          "them nothing changes, so try these alone.")
    compare(answer, _made(), cases, {
        "Your threshold was chosen on the test posts: the accuracy that is told of them is too good then. Choose on "
        "the known ones.": _made(lambda known, test, wanted: _chosen(test, wanted)),
        "Your threshold is the highest that would do, and the model is silent far more often than it has to be.":
            _made(lambda known, test, wanted: _chosen(known, wanted, pick=max)),
        "A threshold is refused where the share of right answers is just what is wanted: at least that is enough.":
            _made(lambda known, test, wanted: _chosen(known, wanted, does=np.greater)),
        "Your threshold gives the share that is nearest to what is wanted, and that may be a little too low. At least "
        "so many are to be right.": _made(_nearest),
        "Your threshold is the first of the known posts' that would do, in the order of the posts. Which of all that "
        "would do is the lowest?": _made(lambda known, test, wanted: _chosen(known, wanted, pick=lambda good: good[0])),
        "The share of right answers is that of the posts with one confidence. All that are at least as sure are "
        "answered, so all of them count.": _made(lambda known, test, wanted: _chosen(known, wanted, keep=np.equal)),
        "You stop at the first threshold, from the top, at which the share falls short. One slip among the surest "
        "answers ends the search: the share may rise again further down.": _made(_from_the_top),
        "Posts of one confidence are answered together or not at all: where some are equal, your search cuts between "
        "them.": _made(_between_equals),
        "Posts whose confidence equals the threshold are answered too: at least as sure is sure enough.":
            lambda known, test, wanted: _strictly(known, test, _chosen(known, wanted)),
        "Coverage and accuracy are those of the known posts, which chose the threshold. Tell those of the test posts.":
            _made(on=lambda known, test: known),
        "The coverage is that of the known posts, which chose the threshold. Tell that of the test posts.":
            lambda *case: (*_made(on=lambda known, test: known)(*case)[:2], _made()(*case)[2]),
        "The accuracy is that of the known posts, which chose the threshold. Tell that of the test posts.":
            lambda *case: (*_made()(*case)[:2], _made(on=lambda known, test: known)(*case)[2]),
        "Silence is counted as a wrong answer. The accuracy is that of the posts that were answered.":
            _made(told=lambda at, right: (at.mean(), (at * right).mean())),
        "The accuracy is that of all test posts. What was not answered is neither right nor wrong.":
            _made(told=lambda at, right: (at.mean(), right.mean())),
        "These are the posts on which the model is silent: tell of those that it answers.":
            _made(told=lambda at, right: ((~at).mean(), right[~at].mean())),
        "The coverage is the share of posts on which the model is silent. It is the share that it answers.":
            _made(told=lambda at, right: ((~at).mean(), right[at].mean())),
        "Coverage and accuracy are swapped.": _made(told=lambda at, right: (right[at].mean(), at.mean())),
        "The coverage is a count. It is the share of the test posts that were answered.":
            _made(told=lambda at, right: (at.sum(), right[at].mean())),
        "Coverage and accuracy are per cent: a share lies between 0 and 1.":
            _made(told=lambda at, right: (100 * at.mean(), 100 * right[at].mean())),
    })
    return "It says nothing rather than something wrong, as often as you wanted, and the price is told beside it."


def _chosen(known: tuple, wanted: float, keep=np.greater_equal, pick=min, does=np.greater_equal) -> float:
    confidence, right = known
    return pick([limit for limit in confidence if keep(confidence, limit).any()
                 and does(right[keep(confidence, limit)].mean(), wanted)])


def _made(choose=lambda known, test, wanted: _chosen(known, wanted), told=lambda at, right: (at.mean(),
         right[at].mean()), on=lambda known, test: test):
    """A function that makes one mistake: in how the threshold is chosen, or in what is told about which posts."""
    def function(known, test, wanted):
        limit = choose(known, test, wanted)
        confidence, right = on(known, test)
        return (limit, *told(confidence >= limit, right.astype(float)))
    return function


def _from_the_top(known, test, wanted):
    """The last threshold before the share first falls below what is wanted."""
    order = np.argsort(-known[0])
    shares = np.cumsum(known[1][order]) / np.arange(1, len(order) + 1)
    below = shares < wanted
    return known[0][order][max(0, (below.argmax() if below.any() else len(order)) - 1)]


def _between_equals(known, test, wanted):
    """The confidence of the last post, from the top, up to which the share is what is wanted, ties or not."""
    order = np.argsort(-known[0], kind="stable")
    shares = np.cumsum(known[1][order]) / np.arange(1, len(order) + 1)
    return known[0][order][np.flatnonzero(shares >= wanted)[-1]]


def _nearest(known, test, wanted):
    """The threshold whose share of right answers is nearest to what is wanted, above or below it."""
    confidence, right = known
    return min(confidence, key=lambda limit: abs(right[confidence >= limit].mean() - wanted))


def _strictly(known: tuple, test: tuple, limit: float) -> tuple[float, float, float]:
    """Coverage and accuracy where only what lies above the threshold is answered."""
    at = test[0] > limit
    return limit, at.mean(), test[1][at].mean()


def _confidences(rng: np.random.Generator, n: int, exact: bool) -> tuple[tuple, tuple, float]:
    """Confidence and rightness of n known and n test posts, and an accuracy that can be had on some of the known ones.

    Some confidences are equal. Two of the surest known answers are wrong, so that the share of right ones falls, and
    rises again further down. With the right threshold it is just what is wanted (`exact`), or a little more, while
    another threshold comes nearer. On the test posts the model is less sure and worse, and falls short of it there.
    """
    wanted = 0.875
    while True:
        confidence = np.round(rng.uniform(0.34, 1, n), 2)
        top = np.argsort(-confidence)
        confidence[top[:2]] = 1
        right = rng.random(n) < np.clip(confidence + 0.1, 0, 1)
        right[top[:6]], right[top[6:8]] = True, False
        lower = confidence ** -2
        seen = rng.choice(confidence, n, p=lower / lower.sum())
        hit = rng.random(n) < np.clip(seen, 0, 0.9)
        limits = np.unique(confidence)
        shares = np.array([right[confidence >= one].mean() for one in limits])
        if not (shares >= wanted).any() or confidence[top[6]] == confidence[top[5]]:
            continue
        first, nearest = (shares >= wanted).argmax(), abs(shares - wanted).argmin()
        if (shares[first] == wanted) != exact or (nearest == first) != exact:
            continue
        kept, known, surest = seen >= limits[first], confidence >= limits[first], seen == limits[-1]
        if 0.2 < kept.mean() < known.mean() - 0.05 and surest.any() and hit[kept].mean() < wanted <= hit[surest].mean():
            return (confidence, right), (seen, hit), wanted
