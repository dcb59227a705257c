"""The checks of notebook 12: one label of many votes, kappa, two accuracies of the same numbers, a paired gain."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import combinations_with_replacement
from typing import Any

import numpy as np

from .checks import exercise
from .compare import Refused, alike, combined, compare, kind_of, numbers, told_by
from .made_up import both_right, sentiments, two_votes
from .two_figures import DIFFERENCE, HAS0, NON0, PAIRED, UNPAIRED, apart, error

MOODS = ("negative", "neutral", "positive")
DROPPED = "dropped"


@exercise("12.1")
def merged_label(answer: Any, rng: np.random.Generator, people: int = 3, need: int = 2) -> str:
    """(votes of so many people on the text, as many on the picture) → the label of the post, or "dropped"."""
    def sides(text: str, picture: str, opposed: Callable = lambda text, picture: DROPPED,
              neutral: Callable = lambda text, picture: picture if text == "neutral" else text) -> str:
        if text == picture or DROPPED in (text, picture):
            return text if text == picture else DROPPED
        return neutral(text, picture) if "neutral" in (text, picture) else opposed(text, picture)

    def rule(one: Callable = lambda votes: DROPPED, need: int = need, two: Callable = sides, **options) -> Callable:
        """A function that makes one mistake: where a side has no majority, or where the two sides differ."""
        def function(text_votes, picture_votes):
            return two(_most(text_votes, one, need), _most(picture_votes, one, need), **options)
        return function

    def pooled(text_votes, picture_votes):
        (label, votes), *others = Counter([*text_votes, *picture_votes]).most_common()
        return DROPPED if others and others[0][1] == votes else label

    def one_by_one(text_votes, picture_votes):
        return _most([sides(*votes) for votes in zip(text_votes, picture_votes)], lambda votes: DROPPED, need)

    def other_side(text, picture):
        return picture if text == DROPPED else text if picture == DROPPED else sides(text, picture)

    every = [list(votes) for votes in combinations_with_replacement(MOODS, people)]
    cases = [(rng.permutation(text).tolist(), rng.permutation(picture).tolist()) for text in every for picture in every]
    _refuse_other_words(answer, cases)
    compare(answer, rule(), cases, {
        "All votes go into one pot. Each side is settled by itself first: votes on the text say nothing of the "
        "picture.": pooled,
        "You merge text and picture annotator by annotator, and let the results vote. Here the votes on a side come "
        "first.": one_by_one,
        "Where the sides differ you always drop the post. Neutral says nothing against the other side: it yields.":
            rule(neutral=lambda text, picture: DROPPED),
        "Where one side is neutral the post becomes neutral. It is the other way round: neutral yields.":
            rule(neutral=lambda text, picture: "neutral"),
        "A neutral text yields to the picture, but a neutral picture does not yield to the text.":
            rule(neutral=lambda text, picture: picture),
        "A neutral picture yields to the text, but a neutral text does not yield to the picture.":
            rule(neutral=lambda text, picture: text),
        "Positive and negative become neutral, as if the two cancelled out. Such a post has no label: it is dropped.":
            rule(opposed=lambda text, picture: "neutral"),
        "Where the sides are opposed the text wins. Nobody said that it may: such a post is dropped.":
            rule(opposed=lambda text, picture: text),
        "Where the sides are opposed the picture wins. Nobody said that it may: such a post is dropped.":
            rule(opposed=lambda text, picture: picture),
        "Where no label has votes enough on a side you take the first annotator's. Then the post is dropped.":
            rule(lambda votes: votes[0]),
        "Where no label has votes enough on a side you take the one in the middle. Then the post is dropped.":
            rule(lambda votes: "neutral"),
        "A side without a majority leaves the decision to the other side. Without a majority on both, the post is "
        "dropped.": rule(two=other_side),
        f"You ask for {need + 1} equal votes on a side. Of {people}, {need} are enough.": rule(need=need + 1),
        "Only the text decides: the votes on the picture change nothing.": rule(two=lambda text, picture: text),
        "Only the picture decides: the votes on the text change nothing.": rule(two=lambda text, picture: picture),
        "Posts that are neutral on both sides are dropped. They agree.":
            rule(two=lambda text, picture: DROPPED if text == picture == "neutral" else sides(text, picture)),
    })
    return "A post with many votes has one label, or honestly none."


def _most(votes: Sequence[str], otherwise: Callable[[Sequence[str]], str], need: int) -> str:
    """The label that has so many of the votes, else what is made of them."""
    label, count = Counter(votes).most_common(1)[0]
    return label if count >= need else otherwise(votes)


def _refuse_other_words(answer: Callable, cases: Sequence[tuple]) -> None:
    """Refuse what is no text, and words that are neither a mood nor "dropped"."""
    for case in cases:
        given = answer(*case)
        if not isinstance(given, str):
            raise Refused(f"Expected a text, one of the three labels or 'dropped'; got {kind_of(given)}.")
        if given not in (*MOODS, DROPPED):
            raise Refused(f"Yours gives {given[:40]!r}. Expected one of the three labels, or 'dropped'.")


@exercise("12.2")
def kappa(answer: Any, rng: np.random.Generator) -> str:
    """(table (k, k) of counts, first annotator's labels down, second's across) → Cohen's kappa."""
    def of(by: Callable = np.dot, score: Callable = lambda seen, luck: (seen - luck) / (1 - luck),
           seen: Callable = np.trace) -> Callable:
        """A function that makes one mistake: in what luck gives, in what was seen, or in what is made of the two."""
        def function(table):
            shares = table / table.sum()
            with np.errstate(all="ignore"):
                return float(score(seen(shares), by(shares.sum(1), shares.sum(0))))
        return function

    def near(table):
        """Weighted by distance (Cohen 1968)."""
        shares, k = table / table.sum(), len(table)
        weights = 1 - np.abs(np.subtract.outer(np.arange(k), np.arange(k))) / (k - 1)
        by_luck = (weights * np.outer(shares.sum(1), shares.sum(0))).sum()
        return float(((weights * shares).sum() - by_luck) / (1 - by_luck))

    def in_counts(table, whole=1):
        by_luck = table.sum(1) @ table.sum(0)
        return float((np.trace(table) - by_luck) / (whole - by_luck))

    cases = [(two_votes(rng, *case),)
             for case in ((3, 400, 0.5), (2, 60, 0.7), (4, 900, 0.3), (3, 999, 0.9), (3, 90, -1))]
    compare(answer, of(), cases, {
        "This is the share of posts on which they agree. How many of these would luck have given?":
            of(score=lambda seen, luck: seen),
        "Luck is taken away, and nothing is divided: two who always agree would get less than 1.":
            of(score=lambda seen, luck: seen - luck),
        "Luck, in your table, gives every label as often. These annotators do not: each has habits of their own.":
            of(lambda rows, columns: 1 / len(rows)),
        "You give both annotators the same habits, the mean of the two. That is another measure (Scott's pi); Cohen's "
        "leaves each their own.": of(lambda rows, columns: (((rows + columns) / 2) ** 2).sum()),
        "Luck is computed from the rows alone, as if the second annotator had the habits of the first.":
            of(lambda rows, columns: rows @ rows),
        "Luck is computed from the columns alone, as if the first annotator had the habits of the second.":
            of(lambda rows, columns: columns @ columns),
        "What is above luck is divided by luck. Divide by the most that there could be above luck.":
            of(score=lambda seen, luck: (seen - luck) / luck),
        "You divide by the share of posts on which they differ. Divide by the most that there could be above luck.":
            of(score=lambda seen, luck: (seen - luck) / (1 - seen)),
        "This is 0 where they agree and 1 where luck would have done as well: turned round.":
            of(score=lambda seen, luck: (1 - seen) / (1 - luck)),
        "This is what luck gives. How far above it are they?": of(score=lambda seen, luck: luck),
        "Below 0 you cut it off. Two who agree less often than luck are worth knowing about.":
            of(score=lambda seen, luck: max(0.0, (seen - luck) / (1 - luck))),
        "A label beside the right one counts as partly agreed. That is the weighted kappa; here every difference is "
        "alike.": near,
        "Counts of rows and columns are multiplied and never divided by the number of posts: that is no number of "
        "posts, and no share.": lambda table: in_counts(table, table.sum()),
        "These are counts, and the formula is one of shares: divide by the number of posts first.": in_counts,
        "You take the mean of the diagonal. Asked for is its sum: on which share of all posts do they agree?":
            of(seen=lambda shares: np.diag(shares).mean()),
        "You take the mean over the labels. The task sums over them what luck gives with each.":
            of(lambda rows, columns: (rows * columns).mean()),
        "Python divides before it subtracts: are all that you divide, and all that you divide by, in brackets?":
            told_by(answer, lambda given, table: any(alike(given, of(score=score)(table)) for score in (
                lambda seen, luck: seen - luck / (1 - luck), lambda seen, luck: (seen - luck) - luck))),
        "Places where they differ are counted as agreement. That lies on the diagonal.":
            of(seen=lambda shares: 1 - np.trace(shares)),
    })
    return "Agreement is worth what it is above luck, and luck knows the habits of both."


@exercise("12.3")
def two_accuracies(answer: Any, rng: np.random.Generator) -> str:
    """(values (n,), labels (n,)), sentiment as numbers → (has-0, non-0), two accuracies of two classes."""
    def both(first: Callable = HAS0[""], second: Callable = NON0[""], told: Callable = np.mean) -> Callable:
        """A function that makes one mistake: in the first accuracy, the second, or what is made of the two."""
        return lambda *case: (float(told(first(*case))), float(told(second(*case))))

    cases = [sentiments(rng, n) for n in (60, 90, 200, 45)]
    for case in cases:
        found = numbers(answer(*case))
        if found is None or found.shape != (2,):
            raise Refused(f"Expected two numbers, has-0 and non-0; got {kind_of(answer(*case))}.")
    compare(answer, both(), cases, {
        "The two are exchanged: has-0 comes first.": lambda *case: both()(*case)[::-1],
        "These are counts. An accuracy is a share.": both(told=np.sum),
        **combined(both, HAS0, NON0),
    }, parts=True)
    return "The same answers, two accuracies: whoever compares figures asks first which of the two they are."


@exercise("12.4")
def paired_gain(answer: Any, rng: np.random.Generator) -> str:
    """(right_a (n,), right_b (n,)) of 1 and 0 on the same posts → (difference, its paired error, its unpaired one)."""
    def gain(*parts: Callable) -> Callable:
        return lambda a, b: tuple(float(part(a, b)) for part in parts)

    difference, paired, unpaired = DIFFERENCE[""], PAIRED[""], UNPAIRED[""]
    cases = [both_right(rng, *case)
             for case in ((40, 0.8, False), (36, 0.6, True), (60, 0.9, False), (30, 0.7, True))]
    for case in cases:
        found = numbers(answer(*case))
        if found is None or found.shape != (3,):
            raise Refused(f"Expected three numbers: the difference, its paired error and its unpaired one; got "
                          f"{kind_of(answer(*case))}.")
    compare(answer, gain(difference, paired, unpaired), cases, {
        "The two errors are exchanged: the paired one comes first.": gain(difference, unpaired, paired),
        "You divide by n under the spread, as NumPy does unless it is told otherwise. The task says n - 1.":
            gain(difference, lambda a, b: error(a - b, ddof=0), lambda a, b: apart(a, b, ddof=0)),
        "The errors are spreads of single posts. A mean of many varies less: by the root of how many.":
            gain(difference, lambda a, b: np.std(a - b, ddof=1),
                 lambda a, b: np.hypot(np.std(a, ddof=1), np.std(b, ddof=1))),
        "The spread is divided by the number of posts. A mean varies less by the root of it only.":
            gain(difference, lambda a, b: error(a - b, root=float), lambda a, b: apart(a, b, root=float)),
        "These are variances. An error has the unit of the difference: take the root.":
            gain(difference, lambda a, b: error(a - b) ** 2, lambda a, b: apart(a, b) ** 2),
        **combined(gain, DIFFERENCE, PAIRED, UNPAIRED),
    })
    saved = np.mean([apart(*case) / error(case[0] - case[1]) for case in cases])
    return (f"On these posts the unpaired error is {saved:.1f} times as wide: both models stumble over the same posts, "
            "and a difference does not care.")
