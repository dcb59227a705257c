"""The checks of notebook 02: tokens, masks, averages, distances."""

from __future__ import annotations

import numpy as np
import torch

from .checks import compare, exercise
from .encoders import masked_mean


@exercise("2.1")
def token_average(answer, rng: np.random.Generator) -> str:
    """(states (batch, tokens, width), mask (batch, tokens)) → (batch, width)."""
    cases = []
    for _ in range(4):
        lengths = rng.integers(1, 7, 3)
        states = torch.from_numpy(rng.normal(size=(3, 8, 5))).float()
        cases.append((states, (torch.arange(8) < torch.from_numpy(lengths)[:, None]).long()))
    compare(answer, masked_mean, cases, {
        "The padding is averaged in: a text's vector now depends on how long its neighbours are.":
            lambda states, mask: states.mean(1),
        "The padding is set to zero but still counted: divide by the number of real tokens, not by all of them.":
            lambda states, mask: (states * mask[..., None]).sum(1) / states.shape[1],
        "This is a sum: long texts would get long vectors.": lambda states, mask: (states * mask[..., None]).sum(1),
        "One vector for the whole batch: average over the tokens (axis 1), not over the posts.":
            lambda states, mask: (states * mask[..., None]).sum((0, 1)) / mask.sum(),
    })
    return "Padding no longer counts, and a text's vector is the same in every batch."
