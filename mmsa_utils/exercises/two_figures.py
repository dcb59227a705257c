"""The figures of exercises 12.3 and 12.4, and mistakes in each: what is said of one → the function that makes it.

The right function comes first in each table, under an empty message.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def _has0(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return (values >= 0) == (labels >= 0)


def _above(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return (values > 0) == (labels > 0)


# What is said of has-0, and of non-0 → the posts that count, and whether each is right; first what is asked for.
HAS0: dict[str, Callable] = {
    "": _has0,
    "In has-0 a neutral label counts as negative, and in the answers zero does too. It counts as not negative.": _above,
    "In has-0 an answer of exactly 0 is taken for negative. Zero is not negative there, for labels and answers alike.":
        lambda values, labels: (values > 0) == (labels >= 0),
    "In has-0 a neutral label is taken for negative, while an answer of 0 is not. Both go the same way there.":
        lambda values, labels: (values >= 0) == (labels > 0),
    "Has-0 leaves out neutral posts. Its name says that they are in.":
        lambda values, labels: _has0(values, labels)[labels != 0],
    "Has-0 leaves out posts whose answer is 0. All posts are in, whatever the answer.":
        lambda values, labels: _has0(values, labels)[values != 0],
    "In has-0 the signs have to be the same, so a neutral post is right only with an answer of exactly 0. It asks "
    "whether both are negative, or neither.": lambda values, labels: np.sign(values) == np.sign(labels),
    "In has-0 every neutral post is right, whatever the answer. An answer below 0 to it is wrong.":
        lambda values, labels: values * labels >= 0,
}
NON0: dict[str, Callable] = {
    "": lambda values, labels: _above(values, labels)[labels != 0],
    "Non-0 keeps the neutral posts. They are neither positive nor negative, and leave.": _above,
    "Non-0 keeps the neutral posts, and takes them for positive. They are neither, and leave.": _has0,
    "Non-0 leaves out posts whose answer is 0. The label decides who leaves: else a model chooses its own test.":
        lambda values, labels: _above(values, labels)[values != 0],
    "Non-0 leaves out posts whose label or answer is 0. The label alone decides who leaves.":
        lambda values, labels: _above(values, labels)[(labels != 0) & (values != 0)],
    "In non-0 an answer of exactly 0 passes for positive. There it is asked whether a number is above 0.":
        lambda values, labels: _has0(values, labels)[labels != 0],
    "In non-0 the signs have to be the same, so an answer of 0 is always wrong. It is not positive, like a label below "
    "0.": lambda values, labels: (np.sign(values) == np.sign(labels))[labels != 0],
    "Non-0 leaves out every label that would be rounded to 0. Only those that are 0 leave.":
        lambda values, labels: _above(values, labels)[np.abs(labels) >= 0.5],
    "In non-0 you divide by all posts, those too that were left out.":
        lambda values, labels: _above(values, labels) & (labels != 0),
}


def error(values: np.ndarray, ddof: int = 1, root: Callable = np.sqrt) -> float:
    """The standard error of the mean of values (n,)."""
    return np.std(values, ddof=ddof) / root(len(values))


def apart(a: np.ndarray, b: np.ndarray, **options: Any) -> float:
    """That of the difference of two means (n,) each, as if nothing were common to them."""
    return np.hypot(error(a, **options), error(b, **options))


DIFFERENCE: dict[str, Callable] = {
    "": lambda a, b: np.mean(a - b),
    "The difference is turned round: asked for is by how much a is better than b.": lambda a, b: np.mean(b - a),
    "Whoever is better, your difference is positive. Its sign says who.": lambda a, b: abs(np.mean(a - b)),
    "The difference is the share of posts on which they are not alike. Who gained by them?":
        lambda a, b: np.mean(a != b),
    "The difference is summed over posts. A mean was asked for.": lambda a, b: np.sum(a - b),
}
PAIRED: dict[str, Callable] = {
    "": lambda a, b: error(a - b),
    "The paired error is the unpaired one once more. It is made of one column: the difference on each post.": apart,
    "The paired error divides by n under the spread, as NumPy does unless it is told otherwise. The task says n - 1.":
        lambda a, b: error(a - b, 0),
    "The paired error is the spread of single posts. A mean of many varies less: by the root of how many.":
        lambda a, b: np.std(a - b, ddof=1),
    "The paired error is divided by the number of posts. A mean varies less by the root of it only.":
        lambda a, b: error(a - b, root=float),
    "The paired error is a variance: take the root.": lambda a, b: error(a - b) ** 2,
    "For the paired error the signs are lost: losses count as gains. Then it says how much the posts differ, not the "
    "models.": lambda a, b: error(np.abs(a - b)),
    "The paired error is that of the posts on which the two differ, alone. The others are posts too, with a "
    "difference of 0.": lambda a, b: error((a - b)[a != b]),
    "The paired error is the difference of the two errors. It is that of one column, the difference on each post.":
        lambda a, b: abs(error(a) - error(b)),
}
UNPAIRED: dict[str, Callable] = {
    "": apart,
    "The unpaired error is the paired one once more. It knows how either model varies, and not that the posts are the "
    "same.": lambda a, b: error(a - b),
    "The unpaired error divides by n under the spread. The task says n - 1.": lambda a, b: apart(a, b, ddof=0),
    "The unpaired error is made of the spreads of single posts. A mean of many varies less: by the root of how many.":
        lambda a, b: np.hypot(np.std(a, ddof=1), np.std(b, ddof=1)),
    "The unpaired error is a variance: take the root.": lambda a, b: apart(a, b) ** 2,
    "The two errors of the unpaired case are added. Independent errors are added as squares.":
        lambda a, b: error(a) + error(b),
    "The unpaired error is the mean of the two errors. A difference of two things varies more than either.":
        lambda a, b: (error(a) + error(b)) / 2,
    "The unpaired error takes all answers for those of one model with twice the posts. Each model has an error of its "
    "own.": lambda a, b: error(np.concatenate([a, b])),
}
