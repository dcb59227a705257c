"""How unlike all that a model has learned from a text or a picture is, measured on the features of its encoders.

A model compares its classes and is always sure of one of them, of a post of another kind too. What is of another kind
lies elsewhere among the features: its tokens, one by one, and its vector as a whole. Both are measured as Mahalanobis
distances (Lee et al. 2018, arXiv:1807.03888), each against a limit that known posts keep to. Tokens tell more than the
vector, which is made to say the mood, and says it of new dishes and words from new places.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from ..encoders.base import Encoded, Encoder
from ..posts.post import SUBJECTS, listed

LEVELS = ("tokens", "vector")


class Cloud(NamedTuple):
    """Where known features lie: a Gaussian, and how far from its centre is too far."""

    centre: Tensor  #: (width,)
    map: Tensor  #: (width, width): (x - centre) @ map has the Mahalanobis distance as its length
    limit: Tensor  #: (): the distance from which on a feature is strange

    def strangeness(self, features: Tensor) -> Tensor:
        """(..., width) → (...): the distance, as a share of the limit."""
        return ((features.float() - self.centre) @ self.map).norm(dim=-1) / self.limit


#: For each side and level a cloud: ``{"text": {"tokens": ..., "vector": ...}, ...}``.
Familiarity = dict[str, dict[str, Cloud]]


def cloud(centre: Tensor, covariance: Tensor, ridge: float) -> Cloud:
    """A cloud with limit 1 from a mean (width,) and a covariance (width, width).

    Args:
        ridge: what is added to each feature's variance, after all have been brought to 1: a direction in which the
            known hardly vary counts no more than this allows.
    """
    spread = covariance.diagonal().sqrt().clamp(min=1e-6)
    correlation = covariance / spread[:, None] / spread + ridge * torch.eye(len(spread), dtype=spread.dtype)
    inverse = torch.linalg.inv(torch.linalg.cholesky(correlation))
    return Cloud(centre.float(), (inverse / spread).T.float().contiguous(), torch.ones(()))


def distances(clouds: Mapping[str, Cloud], encoder: Encoder, encoded: Encoded) -> dict[str, Tensor]:
    """How strange a side is by each level, (batch,), above 1 beyond the limit; NaN where the side is missing.

    Of the tokens the stranger half counts, on average: a foreign sentence has common signs in it, too.

    Args:
        encoded: as the encoder gives it, before any pooling.
    """
    real = encoded.mask.bool()
    each = clouds["tokens"].strangeness(encoded.tokens).masked_fill(~real, -torch.inf)
    half = (real.sum(1) + 1) // 2
    counted = torch.arange(each.shape[1], device=each.device) < half[:, None]
    tokens = each.sort(dim=1, descending=True).values.masked_fill(~counted, 0).sum(1) / half
    vector = clouds["vector"].strangeness(encoder.pool(encoded)).masked_fill(~real.any(1), torch.nan)
    return {"tokens": tokens, "vector": vector}


def strangeness(familiarity: Familiarity | None, encoders: Mapping[str, Encoder],
                sides: Mapping[str, Encoded]) -> dict[str, Tensor]:
    """How strange each side of a batch is: (batch,) on the CPU, above 1: unlike all that the model has learned from.

    0 where nobody knows, and where the side is missing.
    """
    found = {}
    for side, encoded in sides.items():
        if familiarity is None or side not in familiarity:
            found[side] = torch.zeros(len(encoded.tokens))
            continue
        clouds = {level: Cloud(*(part.to(encoded.tokens.device) for part in one))
                  for level, one in familiarity[side].items()}
        both = torch.stack(list(distances(clouds, encoders[side], encoded).values()))
        found[side] = both.amax(0).nan_to_num(0).cpu()
    return found


def about_strange(strange: Mapping[str, bool], answered: bool) -> list[str]:
    """What there is to say of one post's strange sides, in sentences.

    Args:
        strange: for each side that the post has, whether it is.
        answered: whether there was an answer nevertheless.
    """
    odd = [SUBJECTS[side] for side, is_so in strange.items() if is_so]
    if not odd:
        return []
    what = listed([f"the {subject}" for subject in odd])
    unlike = f"{what} {'is' if len(odd) == 1 else 'are'} unlike all that the model has learned from"
    known = [f"the {SUBJECTS[side]}" for side, is_so in strange.items() if not is_so]
    if not known:
        return [f"{unlike}: it gives no answer."]
    left_out = f"{unlike} and {'was' if len(odd) == 1 else 'were'} left out"
    one = len(known) == 1
    return [f"{left_out}: the answer is what {listed(known)} alone {'says' if one else 'say'}." if answered else
            f"{left_out}; {listed(known)} alone {'is' if one else 'are'} not sure enough: it gives no answer."]
