"""What to do about a missing side: every way beside the others, for every choice of sides that may be left."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from ..encoders.base import Encoded
from ..fusion.absent import Absent
from ..fusion.base import Fusion
from ..fusion.concat import Concat
from ..model.head import fresh
from ..posts.rules import answer_table, best_answers
from ..posts.spoken import SpokenPosts, heard_as
from . import metrics
from .alignment import align, fit_temperature, head_answers
from .comparison import subsets
from .features import Features, given

#: What a model that never learned to miss can be given in the place of a side, and two ways to learn it.
WAYS = ("zeros", "mean", "average", "absent", "separate")


def ways_to_miss(train: Features, validation: Features, test: Features, references: Features, *,
                 make: Callable[[Mapping[str, int]], Fusion] = Concat, modality_dropout: float = 0.3, outputs: int = 3,
                 seed: int = 0) -> dict[str, dict[str, dict[str, float]]]:
    """Measure each of WAYS on the test posts, for each choice of sides that is left, and for all of them.

    - ``zeros``: a model that never learned to miss is given zeros, as if they were features;
    - ``mean``: the mean of the training posts' vectors;
    - ``average``: the side of each reference in turn, and the answers are averaged (`Alone`);
    - ``absent``: one model that learned with sides left out is told that there is none;
    - ``separate``: for each choice a model of its own, which never had another side.

    Args:
        train, validation, test: one vector a side (`vectors_of`), every side there.
        references: neutral posts, for ``average``.
        make: widths → a fusion.
        modality_dropout: of ``absent``, see `align`.
        outputs: of the heads: classes, or 1 for two.

    Returns:
        Sides that are left ("text", "text+voice", ...) → way → "accuracy" and "calibration_error". Where all are there,
        "zeros" is the model that never learned to miss, and "mean", "average" and "separate" are the same one.
    """
    def aligned(make_one: Callable[[], Fusion], dropout: float = 0.0) -> tuple[Fusion, nn.Module, float]:
        fusion, head = fresh(make_one, outputs, seed)
        align(fusion, head, train, validation, modality_dropout=dropout, seed=seed)
        return fusion, head, fit_temperature(fusion, head, validation)

    plain = aligned(lambda: make(train.widths))
    taught = aligned(lambda: Absent(make(train.widths)), modality_dropout)
    means = {side: encoded.tokens.float().mean(0, keepdim=True) for side, encoded in train.sides.items()}
    zeros = {side: torch.zeros_like(mean) for side, mean in means.items()}
    whole = tuple(train.widths)
    found = {"+".join(whole): {"zeros": _figures(head_answers(*plain[:2], test, plain[2]), test),
                               "absent": _figures(head_answers(*taught[:2], test, taught[2]), test)}}
    for some in subsets(whole):
        own = aligned(partial(make, {side: train.widths[side] for side in some}))
        answers = {
            "zeros": head_answers(*plain[:2], _with(test, some, zeros), plain[2]),
            "mean": head_answers(*plain[:2], _with(test, some, means), plain[2]),
            "average": torch.stack([
                head_answers(*plain[:2], _with(test, some, {side: encoded.tokens[i:i + 1] for side, encoded
                                                            in references.sides.items()}), plain[2])
                for i in range(len(references))]).mean(0),
            "absent": head_answers(*taught[:2], given(test, some), taught[2]),
            "separate": head_answers(*own[:2], test, own[2])}
        found["+".join(some)] = {way: _figures(answers[way], test) for way in WAYS}
    return found


def best_without_picture(posts: SpokenPosts, habit: Mapping[int, float]) -> float:
    """The best accuracy on posts that lack a picture, of who reads text and voice and knows why pictures are missing.

    Where some are missing more often than others, that there is none tells what it would have shown.

    Args:
        habit: what a picture shows, -1, 0 or 1 (the sign of its level) → the share of such pictures that is missing.

    Returns:
        The Bayes accuracy, exact as `SpokenPosts.ceiling`; for equal shares it is that of text and voice.

    Raises:
        ValueError: for a habit that is no such shares, or by which no picture is missing.
    """
    if set(habit) != {-1, 0, 1} or not all(0 <= share <= 1 for share in habit.values()) or not any(habit.values()):
        raise ValueError(f"the habit is {dict(habit)}: expected shares between 0 and 1 for -1, 0 and 1, not all of "
                         "them 0.")
    missing = np.array([state.share * habit[int(np.sign(state.picture_level))] for state in posts.table])
    answers = answer_table([state.valence for state in posts.table], list(missing / missing.sum()), posts.label_noise)
    heard = [(int(np.sign(state.text_level)), sound, share * row) for state, row in zip(posts.table, answers)
             for sound, share in heard_as(state.tone).items()]
    return best_answers([(text, sound) for text, sound, _ in heard], np.array([row for *_, row in heard]))


def _with(features: Features, some: tuple[str, ...], others: Mapping[str, Tensor]) -> Features:
    """The same posts, their other sides replaced by one and the same (1, tokens, width)."""
    n = len(features)
    return Features({side: encoded if side in some else Encoded(
        others[side].expand(n, -1, -1), torch.ones(n, others[side].shape[1], dtype=torch.bool))
        for side, encoded in features.sides.items()}, features.labels)


def _figures(answers: Tensor, features: Features) -> dict[str, float]:
    return {"accuracy": metrics.accuracy(answers, features.labels),
            "calibration_error": metrics.calibration_error(answers, features.labels)}
