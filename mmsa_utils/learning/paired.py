"""Intervals over posts for any figure, and two models on the same posts.

Two models reach 0.72 and 0.70 on 500 posts. Each has an interval of four points to either side, so is the difference
luck? That cannot be told from the two intervals: the models answer the *same* posts, and both stumble over the hard
ones. What counts are the posts on which just one of them is right. So the difference is measured post by post, and gets
an interval of its own, which is narrower; McNemar's test asks the same as a question of coins.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .metrics import drawn_counts, drawn_means


def bootstrap(values: np.ndarray, statistic: Callable[[np.ndarray], Any] = np.mean, draws: int = 2000,
              seed: int = 0) -> dict[str, float]:
    """A figure with its 95 % interval over the posts: they are drawn anew, with replacement (Efron 1979, percentiles).

    A figure of more than one array is a function of row numbers:
    ``bootstrap(np.arange(len(labels)), lambda rows: weighted_f1(answers[rows], labels[rows]))``, and the difference of
    such figures of two models is one, too. (scipy's own refuses a single post and wants its generator by another name
    in older versions.) For the mean over posts and seeds see `metrics.over_posts_and_seeds`.

    Args:
        values: (posts, ...), one row for each post.
        statistic: of as many rows; it is called `draws` + 1 times.

    Returns:
        "mean", the figure of the posts themselves, "low" and "high". The ends are NaN where a draw has no figure, as a
        correlation where all posts drawn have the same label.

    Raises:
        ValueError: for no posts.
    """
    values = np.asarray(values)
    if not values.ndim or not len(values):
        raise ValueError(f"the values have the shape {values.shape}: expected (posts, ...), at least one post.")
    rng = np.random.default_rng(seed)
    figures = [float(statistic(values[rng.integers(len(values), size=len(values))])) for _ in range(draws)]
    low, high = np.quantile(figures, (0.025, 0.975))
    return {"mean": float(statistic(values)), "low": float(low), "high": float(high)}


def paired_difference(right_a: np.ndarray, right_b: np.ndarray, draws: int = 2000, seed: int = 0) -> dict[str, float]:
    """How much better a way to learn is than another on the same posts, with the 95 % interval of that.

    Posts are drawn anew for both at once, and seeds for each by itself: those of one have nothing to do with those of
    the other, and one may have a single run, such as a baseline. Two that never differ have the interval 0 to 0.

    Args:
        right_a, right_b: (posts,) or (seeds, posts), in the same order of posts: booleans, whether an answer was right,
            or numbers, such as the error of each.

    Returns:
        "difference" (the mean of a less that of b), "low", "high"; and "p": how often a coin would split the posts on
        which just one is right at least as unevenly (McNemar 1947, exact). It is 1 where there are none, and NaN for
        more than one run of either or for numbers, where it is not defined.

    Raises:
        ValueError: for no posts, other shapes, or not the same number of posts.
    """
    a, b = (np.atleast_2d(np.asarray(right)) for right in (right_a, right_b))
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or not a.size or not b.size:
        raise ValueError(f"the answers have the shapes {np.shape(right_a)} and {np.shape(right_b)}: expected (posts,) "
                         "or (seeds, posts), the same posts for both, at least one.")
    rng = np.random.default_rng(seed)
    seeds_a, seeds_b, posts = (drawn_counts(n, draws, rng) for n in (len(a), len(b), a.shape[1]))
    low, high = np.quantile(drawn_means(a, seeds_a, posts) - drawn_means(b, seeds_b, posts), (0.025, 0.975))
    return {"difference": float(a.mean() - b.mean()), "low": float(low), "high": float(high), "p": _mcnemar(a, b)}


def _mcnemar(a: np.ndarray, b: np.ndarray) -> float:
    """The exact two-sided p value for one run of each."""
    from scipy.stats import binomtest

    if len(a) > 1 or len(b) > 1 or a.dtype != bool or b.dtype != bool:
        return float("nan")
    only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
    return float(binomtest(only_a, only_a + only_b).pvalue) if only_a + only_b else 1.0
