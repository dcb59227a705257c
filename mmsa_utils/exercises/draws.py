"""Which posts an experiment drew, told from outside: by which of its heads change when posts do."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .compare import Refused


def moved_draws(three_draws: Callable[[tuple], np.ndarray], train: tuple, rng: np.random.Generator,
                 trials: int = 16) -> np.ndarray:
    """Which of three heads, of draws of three posts each, change when posts do: bool (trials, 3).

    A fifth of the training posts change places within their label. A head whose draw has none of them stays as it
    was, to the last digit; about half of all draws have one, and two draws of the same posts always both or neither.
    """
    before, moved = three_draws(train), []
    for _ in range(trials):
        features = train[0].clone()
        for label in (0, 1):
            chosen = rng.permutation(np.flatnonzero(train[1].numpy() == label))[:len(features) // 10]
            features[chosen] = features[np.roll(chosen, 1)]
        moved.append(np.abs(three_draws((features, train[1])) - before) > 1e-9)
    return np.array(moved)


def refuse_missed_posts(three_draws: Callable[[tuple], np.ndarray], train: tuple) -> None:
    """Refuse draws of as many posts as there are in which one is missing, as others were drawn twice."""
    before = three_draws(train)
    for place in range(len(train[1])):
        features = train[0].clone()
        features[place] *= -3  # far off: no head that has seen it stays as it was
        if (np.abs(three_draws((features, train[1])) - before) < 1e-9).any():
            raise Refused("Asked for as many posts as there are, a draw of yours leaves some of them out, so it has "
                          "others twice. A draw of so many posts holds so many different ones.")
