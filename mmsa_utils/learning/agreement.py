"""How much do people agree? A label is no surer than that.

Two annotators who call nine posts of ten positive agree on many of them without looking: by luck alone on
0.9 * 0.9 + 0.1 * 0.1 = 0.82. So agreement is told beside what luck would give, as **kappa**: 1 where all agree, 0 where
they agree as often as luck, below 0 where less often than that.

    kappa = (observed - expected) / (1 - expected)

Cohen's is for two, each with habits of their own: two annotators, or the two sides of a post, as where MVSA has a
label for the text and one for the picture. Fleiss' is for the same number of annotators on each post, no matter who,
and takes luck from all votes together; that of two people is a little different from Cohen's.

Kappa is 0/0 where everybody gave the same label to everything: such posts say nothing of agreement, and it is NaN.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Literal

import numpy as np


def cohen_kappa(first: Sequence[Hashable], second: Sequence[Hashable], classes: Sequence[Hashable] | None = None,
                weights: Literal["linear", "quadratic"] | None = None) -> float:
    """Agreement of two annotators, or of two sides, beyond luck (Cohen 1960; with weights, Cohen 1968).

    Args:
        first, second: (n,) labels of the same posts, such as numbers or names.
        classes: all that may be given, in their order. Needed for weights; else what occurs.
        weights: None counts every disagreement alike; ``"linear"`` counts it by how many classes lie between the two,
            ``"quadratic"`` by the square of that, so that positive against negative is worse than against neutral.

    Returns:
        Kappa, at most 1; NaN where both gave one and the same label to all posts.

    Raises:
        ValueError: for no posts, not as many labels of each, a label that is none of the classes, weights without
            classes, or other weights.
    """
    from sklearn.metrics import cohen_kappa_score

    if len(first) != len(second):
        raise ValueError(f"there are {len(first)} labels and {len(second)}: expected two for each post.")
    if weights not in (None, "linear", "quadratic"):
        raise ValueError(f"there are no weights {str(weights)[:60]!r}: expected None, 'linear' or 'quadratic'.")
    if weights and classes is None:
        raise ValueError("weights need the classes in their order, as in classes=LABELS: one that does not occur would "
                         "leave its neighbours too close.")
    counts = vote_counts(list(zip(_plain(first), _plain(second))), classes)
    if (counts.sum(0) > 0).sum() < 2:
        return float("nan")
    order = {name: index for index, name in enumerate(_plain(classes) if classes is not None else
                                                      dict.fromkeys([*_plain(first), *_plain(second)]))}
    pair = ([order[name] for name in _plain(side)] for side in (first, second))
    return float(cohen_kappa_score(*pair, labels=range(len(order)), weights=weights))


def vote_counts(ratings: Sequence[Sequence[Hashable]], classes: Sequence[Hashable] | None = None) -> np.ndarray:
    """How many annotators gave each class to each post.

    Args:
        ratings: (n, annotators) labels.
        classes: the columns; else what occurs, in the order in which it does.

    Returns:
        Counts (n, classes).

    Raises:
        ValueError: for no posts, a single label where several are expected, a label that is missing (None or NaN),
            and one that is none of the classes.
    """
    if any(isinstance(votes, str) or not hasattr(votes, "__iter__") for votes in ratings):
        raise ValueError("there is one label for each post: expected (n, annotators), all labels of each post.")
    rows = [_plain(votes) for votes in ratings]
    given = dict.fromkeys(name for votes in rows for name in votes)
    if not given:
        raise ValueError("there are no labels: expected at least one post.")
    if missing := sum(name is None or name != name for votes in rows for name in votes):
        raise ValueError(f"{missing} labels are missing (None or NaN): leave these posts out, and say so.")
    columns = list(given) if classes is None else _plain(classes)
    if strange := [name for name in given if name not in columns]:
        raise ValueError(f"there are labels that are none of the classes: {str(strange[:5])[:120]}. Expected of "
                         f"{str(columns)[:120]}.")
    return np.array([[votes.count(name) for name in columns] for votes in rows])


def percent_agreement(counts: np.ndarray) -> float:
    """Share of pairs of annotators who agree, mean over posts; of two annotators, the share of posts they agree on.

    Args:
        counts: (n, classes) as `vote_counts` gives them; every post has the same number of votes, at least two.

    Raises:
        ValueError: for other counts.
    """
    counts, votes = _table(counts)
    return float(((counts**2).sum(1) - votes).mean() / (votes * (votes - 1)))


def fleiss_kappa(counts: np.ndarray) -> float:
    """Agreement of three or more annotators beyond luck (Fleiss 1971).

    Luck is the sum over classes of p², where p is the class's share of all votes.

    Args:
        counts: (n, classes) as `vote_counts` gives them; every post has the same number of votes, at least two.

    Returns:
        Kappa, at most 1; NaN where every vote is for the same class.

    Raises:
        ValueError: for other counts.
    """
    observed = percent_agreement(counts)
    totals = np.asarray(counts).sum(0)
    if (totals > 0).sum() < 2:
        return float("nan")
    luck = float(((totals / totals.sum())**2).sum())
    return (observed - luck) / (1 - luck)


def _plain(labels: Sequence[Hashable]) -> list[Hashable]:
    """A list of plain values: equal labels are equal keys, whether they come from an array, a tensor or a list."""
    return labels.tolist() if hasattr(labels, "tolist") else list(labels)


def _table(counts: np.ndarray) -> tuple[np.ndarray, int]:
    """The counts, and the number of votes on each post."""
    counts = np.asarray(counts)
    if counts.ndim != 2 or not counts.size or not np.issubdtype(counts.dtype, np.integer) or (counts < 0).any():
        raise ValueError(f"the counts have the shape {counts.shape} and are {counts.dtype}: expected (posts, classes) "
                         "of whole numbers from 0 on, as vote_counts gives them.")
    votes = counts.sum(1)
    if (votes != votes[0]).any() or votes[0] < 2:
        raise ValueError(f"the posts have between {votes.min()} and {votes.max()} votes: expected the same number for "
                         "each, and at least two. If these are labels, count them first: vote_counts(ratings).")
    return counts.astype(np.int64), int(votes[0])
