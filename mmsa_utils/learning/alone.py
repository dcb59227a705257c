"""What each side of a post would say alone, of a model that reads two: an average over posts that say nothing.

A head that reads two sides cannot be given one. What the text *alone* would say is therefore what it says beside
pictures that say nothing: it is joined with the picture of each of some neutral posts, and the probabilities are
averaged (an interventional expectation, as in Janzing et al. 2020). Likewise for the picture, beside neutral texts.
So a side that is unlike all that the model knows can be left out, and the other one answers.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ..encoders.base import Encoded
from ..model.model import MultimodalSentimentModel
from ..model.modes import evaluating
from ..posts.food import PIXELS, make_post
from ..posts.post import SUBJECTS
from ..posts.scenes import TRAIN_DISHES
from .features import extract_features

SURE = 0.6  #: the probability from which on one side answers for a post whose other side is strange
_ROWS = 4096  # pairs of a side and a reference that are read at once


class Alone:
    """Asks a model what each side alone would say; of one that reads a single side nothing is asked.

    Args:
        model: any, with classes of any names, or without. The references are drawn dishes with neutral words: for a
            model of other subjects what a side says beside them is a rough measure.
        references: neutral posts, drawn and encoded once here.
    """

    def __init__(self, model: MultimodalSentimentModel, references: int = 32):
        self.model = model
        self.references: dict[str, Encoded] = {}
        if len(model.sides) > 1:
            plain = [make_post(0, 0, TRAIN_DISHES[seed % len(TRAIN_DISHES)], seed, PIXELS[model.size])
                     for seed in range(references)]
            features = extract_features(model, plain, show_progress=False)
            self.references = features.batch(slice(None), device=model.device)

    @torch.no_grad()
    def __call__(self, sides: Mapping[str, Encoded]) -> dict[str, Tensor]:
        """The encoded sides of a batch → what each alone would say, (batch, classes) or (batch, 1), on the CPU.

        A row is NaN where the post has no such side. Without a second side there is nothing to tell apart: empty.
        """
        with evaluating(self.model):
            return {side: self._alone(side, sides[side]) for side in self.references if side in sides}

    def _alone(self, side: str, encoded: Encoded) -> Tensor:
        count = len(next(iter(self.references.values())).tokens)
        answers = []
        for rows in torch.arange(len(encoded.tokens)).split(max(1, _ROWS // count)):
            n = len(rows)
            pairs = {name: encoded.rows(rows.repeat_interleave(count)) if name == side else
                     reference.rows(torch.arange(count).repeat(n)) for name, reference in self.references.items()}
            said = self.model.answers_of(self.model.classify(self.model.fuse(pairs)).float())
            answers.append(said.reshape(n, count, -1).mean(1))
        missing = ~encoded.mask.bool().any(1, keepdim=True)
        return torch.cat(answers).masked_fill(missing, float("nan")).cpu()


def settled(both: Tensor, alone: Mapping[str, Tensor], strange: Mapping[str, Tensor], sure: float = SURE) -> Tensor:
    """What is answered, (batch, classes): what both sides say; where one is strange, what the other alone says.

    A row is NaN where no side is left, or the one that is left is not sure: the model abstains.

    Args:
        both: the answers to whole posts, (batch, classes) on the CPU.
        alone: as `Alone` gives it; empty for a model of one side.
        strange: side → (batch,) of booleans.
        sure: the probability that the answer of a side alone must have; not asked of numbers.
    """
    odd = torch.stack(list(strange.values()))
    answer = both.masked_fill(odd.any(0)[:, None], torch.nan)
    for side, said in alone.items():
        others = torch.stack([is_odd for name, is_odd in strange.items() if name != side])
        enough = said.amax(1) >= (sure if said.shape[1] > 1 else -torch.inf)
        answer = torch.where((~strange[side] & others.all(0) & enough)[:, None], said, answer)
    return answer


def unfamiliar(strange: Mapping[str, Tensor], row: int) -> list[str]:
    """The names of a post's strange sides, "text" and "picture"."""
    return [SUBJECTS[side] for side, is_odd in strange.items() if is_odd[row]]
