"""The rule behind the posts: what each latent state means, how frequent it is, and the best anybody can do.

A *state* is what a text says (one of seven kinds) and what its picture shows (one of five levels): 35 of them.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Hashable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from . import phrases

#: How text and picture of a post stand to each other: of one valence, one of them neutral, of opposite valences, or
#: the text talks about the picture.
RELATIONS = ("agree", "soft", "contradict", "refer")

#: MVSA-Single (Niu et al. 2016), 4,869 pairs with both sides labelled: rows are the text's label, columns the
#: picture's, each in the order of LABELS.
MVSA = np.array([[724, 213, 280], [421, 470, 1030], [78, 255, 1398]])


class State(NamedTuple):
    """A latent state, and its share of all posts."""

    text_kind: phrases.TextKind
    picture_level: int
    valence: int  # the label by the rule: -1, 0 or 1
    relation: str
    share: float


def judge(text_kind: Any, picture_level: int) -> tuple[int, str, str]:
    """The label rule: what a post means, given what its text says and its picture shows.

    Agreement and soft disagreement are settled as in later work with MVSA (Xu and Mao 2017); contradictions, which that
    throws away, by strength, with sarcasm as the exception.

    Args:
        text_kind: one of `phrases.KINDS`.
        picture_level: -2 to 2.

    Returns:
        The valence (-1, 0 or 1), the relation (one of RELATIONS), and the reason in words.
    """
    picture = int(np.sign(picture_level))
    if text_kind == "same":
        return picture, "refer", "the text points at the picture: the picture's mood counts"
    if text_kind == "opposite":
        return -picture, "refer", "the text denies the picture: the opposite of its mood counts"
    text = int(np.sign(text_kind))
    if text == picture:
        return text, "agree", "text and picture agree"
    if text * picture == 0:
        return text + picture, "soft", "one side is neutral: the other decides"
    if abs(text_kind) != abs(picture_level):
        stronger, valence = ("text", text) if abs(text_kind) > abs(picture_level) else ("picture", picture)
        return valence, "contradict", f"they contradict each other: the {stronger} is stronger"
    if text_kind == 2:
        return -1, "contradict", "glowing words over an awful picture: sarcasm"
    return 0, "contradict", "they contradict each other with equal strength: neutral"


def post_table(conflict: float = 0.2, binary: bool = False) -> list[State]:
    """All latent states with their shares of the posts, labels balanced.

    Starts from MVSA's table of valences, with strengths even; one post in six refers to its picture; `conflict` of
    the others contradict themselves. Raking (iterative proportional fitting) then makes the labels equally
    frequent without moving those two shares.

    Args:
        conflict: share of contradictions among the posts that do not refer to their picture, 0 to 1.
            (MVSA's own is 0.074.)
        binary: leave out the states whose label is neutral.

    Raises:
        ValueError: if `conflict` is not between 0 and 1.
    """
    if not 0 <= conflict <= 1:
        raise ValueError(f"conflict is {conflict}, expected a share between 0 and 1.")
    refer = 1 / 6
    levels = {-1: (-2, -1), 0: (0,), 1: (1, 2)}
    states: list[tuple[Any, ...]] = []
    for text in (-1, 0, 1):
        for picture in (-1, 0, 1):
            pairs = [(kind, level) for kind in levels[text] for level in levels[picture]]
            states += [(*pair, *judge(*pair)[:2], MVSA[text + 1, picture + 1] / len(pairs)) for pair in pairs]
    for kind in ("same", "opposite"):
        for picture in (-1, 0, 1):
            for level in levels[picture]:
                share = MVSA.sum(0)[picture + 1] / len(levels[picture])
                states.append((kind, level, *judge(kind, level)[:2], share))
    if binary:
        states = [state for state in states if state[2] != 0]
    valences = np.array([state[2] for state in states])
    relations = np.array([state[3] for state in states])
    shares = np.array([state[4] for state in states], float)

    parts = {"refer": refer, "contradict": conflict * (1 - refer)}
    groups = np.where(np.isin(relations, list(parts)), relations, "other")
    wanted = [(groups == name, part) for name, part in {**parts, "other": 1 - sum(parts.values())}.items()]
    wanted += [(valences == v, 1 / len(np.unique(valences))) for v in np.unique(valences)]
    shares = rake(shares, wanted)
    return [State(kind, level, valence, relation, float(share))
            for (kind, level, valence, relation, _), share in zip(states, shares) if share > 0]


def rake(shares: np.ndarray, wanted: Sequence[tuple[np.ndarray, float]]) -> np.ndarray:
    """Shares (states,) moved as little as can be, so that each chosen part (a mask) has the sum that is wanted of it.

    Iterative proportional fitting (Deming and Stephan 1940).
    """
    shares = shares.copy()
    for _ in range(1000):
        for chosen, share in wanted:
            shares[chosen] *= share / max(shares[chosen].sum(), 1e-300)
    return shares


def answer_table(valences: Sequence[int], shares: Sequence[float], label_noise: float) -> np.ndarray:
    """How frequent each state is with each label (states, classes), of which a share was replaced by another one."""
    classes = sorted(set(valences))
    return np.array([[share * (1 - label_noise if valence == v else label_noise / (len(classes) - 1)) for v in classes]
                     for valence, share in zip(valences, shares)])


def best_answers(readings: Sequence[Hashable], joint: np.ndarray) -> float:
    """The best accuracy of who knows this reading of each state alone: he gives its most frequent label.

    Args:
        readings: of each state; states that read alike cannot be told apart.
        joint: (states, classes), see `answer_table`.
    """
    told_apart: dict[Hashable, np.ndarray] = {}
    for reading, row in zip(readings, joint):
        told_apart[reading] = told_apart.get(reading, 0) + row
    return float(sum(row.max() for row in told_apart.values()))


def ceiling(table: list[State], modalities: str = "both", label_noise: float = 0.0,
            two_sided: float = phrases.TWO_SIDED) -> float:
    """The best accuracy that any reader of the given modalities can reach: exact, not estimated.

    Args:
        table: the states, from `post_table`.
        modalities: ``"text"``, ``"image"``, ``"both"``, or ``"additive"`` for the best reader that scores the text
            and the picture each by itself and adds the two scores (a linear head on concatenated features). Who reads
            both sides but knows the text's words in no order is ``"any_order"``, and ``"text_any_order"`` without the
            picture.
        label_noise: share of the labels that were replaced by one of the others.
        two_sided: share of the texts with a feeling that have a twin of the same words, see `phrases.twins`.

    Returns:
        The Bayes accuracy, 0 to 1. For one modality or both: in each state that can be told apart, take the most
        frequent label. For the additive reader: the optimum of a small mixed-integer program over its scores.
    """
    joint = answer_table([state.valence for state in table], [state.share for state in table], label_noise)
    kinds: list[Any] = [state.text_kind for state in table]
    levels = [state.picture_level for state in table]
    if modalities == "additive":
        return best_additive([kinds, levels], joint)
    readings: dict[str, list[Any]] = {"text": kinds, "image": levels, "both": list(zip(kinds, levels))}
    if modalities in ("any_order", "text_any_order"):  # of a text and its twin it cannot tell which is which
        either = [f"{abs(kind)} or {-abs(kind)}" if isinstance(kind, int) and kind else kind for kind in kinds]
        share = np.array([two_sided if words != kind else 0.0 for words, kind in zip(either, kinds)])[:, None]
        joint = np.concatenate([joint * (1 - share), joint * share])
        kinds, levels = kinds + either, levels * 2
        readings = {"text_any_order": kinds, "any_order": list(zip(kinds, levels))}
    if modalities not in readings:
        raise ValueError(f'modalities is {modalities!r}, expected "text", "image", "both", "additive", "any_order" or '
                         '"text_any_order".')
    return best_answers(readings[modalities], joint)


def best_additive(sides: Sequence[Sequence[Hashable]], joint: np.ndarray) -> float:
    """Maximise the accuracy of argmax_c(sum of score[side, reading, c] over the sides) over all tables of scores.

    Args:
        sides: what each side says in each state. States of one reading on every side are best given as one: the time
            grows fast with their number.
        joint: (states, classes), see `answer_table`.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp

    n, classes = joint.shape
    ids = {key: i for i, key in enumerate(dict.fromkeys((side, reading) for side, readings in enumerate(sides)
                                                        for reading in readings))}
    n_scores = classes * len(ids)
    big = 25.0 * len(sides)  # more than the widest gap between two sums of scores, which lie within -10 and 10 each
    rows, least = [], []
    for s in range(n):  # chosen[s, c] = 1 demands that class c beats every other class by 1 in state s
        first = classes * np.array([ids[side, readings[s]] for side, readings in enumerate(sides)])
        for c in range(classes):
            for other in set(range(classes)) - {c}:
                row = np.zeros(n_scores + n * classes)
                row[first + c], row[first + other] = 1, -1
                row[n_scores + s * classes + c] = -(big + 1)
                rows.append(row)
                least.append(-big)
    one_class = np.kron(np.eye(n), np.ones(classes))
    with _stdout_silenced():
        result = milp(
            np.concatenate([np.zeros(n_scores), -joint.ravel()]),
            constraints=[LinearConstraint(np.array(rows), np.array(least), np.inf),
                         LinearConstraint(np.hstack([np.zeros((n, n_scores)), one_class]), -np.inf, 1)],
            integrality=np.concatenate([np.zeros(n_scores), np.ones(n * classes)]),
            bounds=Bounds(np.concatenate([-10 * np.ones(n_scores), np.zeros(n * classes)]),
                          np.concatenate([10 * np.ones(n_scores), np.ones(n * classes)])),
            options={"mip_rel_gap": 0, "presolve": False},  # presolving such small programs only costs time
        )
    return float(-result.fun)


@contextlib.contextmanager
def _stdout_silenced() -> Iterator[None]:
    """Hold back what compiled code prints: on a few programs the solver leaves a debugging line there."""
    sys.stdout.flush()
    kept, null = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(null)
