"""What a model's posts look like to its encoders: the features by which it later knows what it does not know."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.utils.data import Subset

from ..bars import progress
from ..encoders.base import Encoded
from ..model.familiarity import LEVELS, Cloud, Familiarity, cloud, distances
from ..model.model import MultimodalSentimentModel
from ..model.modes import evaluating
from ..posts.post import Posts
from .batches import make_loader

MOST = 1500  # posts that are looked at, and as many for the limits
FEWEST = 50  # training posts, and as many for the limits: fewer show no limits
KEPT = 0.995  # the share of known posts within a limit
#: What is added to each feature's variance, and by what the limit lies beyond known posts. That of the vector is wide:
#: new dishes and words lie as far out as that. What has odd tokens is found by these.
RIDGE, MARGIN = {"tokens": 0.01, "vector": 1.0}, {"tokens": 1.0, "vector": 1.2}


@torch.no_grad()
def learn_familiarity(model: MultimodalSentimentModel, train: Posts, validation: Posts,
                      show_progress: bool = False) -> Familiarity | None:
    """Measure where the features of the training posts lie, and how far from there those of validation posts do.

    Returns:
        For each side the clouds of `Familiarity`, on the CPU; None for fewer than FEWEST posts of either kind.
    """
    if min(len(train), len(validation)) < FEWEST:
        return None
    with evaluating(model):
        sums: dict[tuple[str, str], list[Tensor]] = {}
        for sides in _encoded(model, train, show_progress):
            for side, encoded in sides.items():
                for level, rows in zip(LEVELS, _features(model, side, encoded)):
                    parts = [torch.tensor(float(len(rows))), rows.sum(0), rows.T @ rows]
                    sums[side, level] = [a + b for a, b in zip(sums[side, level], parts)] if (
                        side, level) in sums else parts
        found: Familiarity = {}
        for (side, level), (count, total, squares) in sums.items():
            centre = total / count
            covariance = squares / count - torch.outer(centre, centre)
            found.setdefault(side, {})[level] = cloud(centre, covariance, RIDGE[level])
        apart: dict[tuple[str, str], list[Tensor]] = {}
        for sides in _encoded(model, validation, show_progress):
            for side, encoded in sides.items():
                for level, far in distances(found[side], model.encoders[side], encoded).items():
                    apart.setdefault((side, level), []).append(far[~far.isnan()])
    for (side, level), parts in apart.items():
        known = found[side][level]
        limit = MARGIN[level] * torch.cat(parts).quantile(KEPT)
        found[side][level] = Cloud(known.centre, known.map, limit)
    return found


def _encoded(model: MultimodalSentimentModel, posts: Posts, show_progress: bool) -> Iterator[dict[str, Encoded]]:
    """The tokens of up to MOST of the posts, spread over all of them, on the CPU."""
    chosen = torch.linspace(0, len(posts) - 1, min(MOST, len(posts))).round().int().tolist()
    for batch in progress(make_loader(Subset(posts, chosen), model, 64), "familiarity", show_progress):  # type: ignore
        batch.pop("labels")
        sides = model.tokens(**{name: tensor.to(model.device) for name, tensor in batch.items()})
        yield {side: encoded.to("cpu") for side, encoded in sides.items()}


def _features(model: MultimodalSentimentModel, side: str, encoded: Encoded) -> tuple[Tensor, Tensor]:
    """The real tokens, and the vectors of the posts that have the side: rows of features, in double precision."""
    return (encoded.tokens[encoded.mask.bool()].double(),
            model.encoders[side].pool(encoded)[encoded.mask.any(1)].double())
