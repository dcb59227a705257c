"""What some sides of a post would say without the others.

A model that was taught to do without (`Absent`) is simply asked. One that was not cannot be given a side less: what the
text *alone* would say is then what it says beside pictures that say nothing. It is joined with the picture of each of
some neutral posts, and the probabilities are averaged (an interventional expectation, as in Janzing et al. 2020).
Likewise for the picture, beside neutral texts. So a side that is unlike all that the model knows can be left out, and
the others answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ..encoders.base import Encoded
from ..fusion.absent import Absent
from ..model.model import MultimodalSentimentModel
from ..model.modes import evaluating
from ..posts.food import PIXELS, make_post
from ..posts.post import SUBJECTS, Post
from ..posts.scenes import TRAIN_DISHES
from ..posts.spoken import make_spoken
from .features import extract_features

SURE = 0.6  #: the probability from which on some sides answer for a post whose other sides are strange
_ROWS = 4096  # pairs of a side and a reference that are read at once


class Alone:
    """Asks a model what some sides alone would say; of one that reads a single side nothing is asked.

    Args:
        model: any, with classes of any names, or without. The references are drawn dishes with neutral words (and
            voices): for a model of other subjects what a side says beside them is a rough measure.
        references: neutral posts, drawn and encoded once here; none for a model that was taught to do without sides.
    """

    def __init__(self, model: MultimodalSentimentModel, references: int = 32):
        self.model = model
        self.taught = isinstance(model.fusion, Absent)
        self.references: dict[str, Encoded] = {}
        if len(model.sides) < 2:
            return
        if self.taught:  # one post without any side: each is put in as it is needed
            self.references = {side: Encoded(torch.zeros(1, 1, width, device=model.device),
                                             torch.zeros(1, 1, dtype=torch.bool, device=model.device))
                               for side, width in model.fusion.widths.items()}
            return
        plain = [_neutral("voice" in model.sides, seed, PIXELS[model.size]) for seed in range(references)]
        features = extract_features(model, plain, show_progress=False)
        self.references = features.batch(slice(None), device=model.device)

    def __call__(self, sides: Mapping[str, Encoded]) -> dict[str, Tensor]:
        """The encoded sides of a batch → what each alone would say, (batch, classes) or (batch, 1), on the CPU.

        A row is NaN where the post has no such side. Without a second side there is nothing to tell apart: empty.
        """
        return {side: self.given([side], sides) for side in self.references if side in sides}

    @torch.no_grad()
    def given(self, names: Sequence[str], sides: Mapping[str, Encoded]) -> Tensor:
        """What these sides alone would say together, (batch, classes) or (batch, 1), on the CPU.

        A row is NaN where the post lacks one of them.
        """
        count = len(next(iter(self.references.values())).tokens)
        answers, there = [], torch.stack([sides[name].mask.bool().any(1) for name in names]).all(0)
        with evaluating(self.model):
            for rows in torch.arange(len(there)).split(max(1, _ROWS // count)):
                n = len(rows)
                pairs = {name: sides[name].rows(rows.repeat_interleave(count)) if name in names else
                         reference.rows(torch.arange(count).repeat(n)) for name, reference in self.references.items()}
                said = self.model.answers_of(self.model.classify(self.model.fuse(pairs)).float())
                answers.append(said.reshape(n, count, -1).mean(1))
        return torch.cat(answers).masked_fill(~there.unsqueeze(1), float("nan")).cpu()

    def several(self, sides: Mapping[str, Encoded], odd: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Of a model of three sides or more, what those that are left say where one is odd: "text+image" → answers.

        Args:
            odd: side → (batch,) of booleans, on the CPU. Only what is left of some post is asked.
        """
        patterns = torch.stack([~odd[name] for name in self.references], 1).unique(dim=0).tolist() if (
            self.references) else []
        left = [[name for name, kept in zip(self.references, pattern) if kept] for pattern in patterns]
        return {"+".join(names): self.given(names, sides) for names in left if 1 < len(names) < len(self.references)}


def _neutral(spoken: bool, seed: int, pixels: int) -> Post:
    """A drawn post that says nothing by any of its sides."""
    dish = TRAIN_DISHES[seed % len(TRAIN_DISHES)]
    return make_spoken(0, 0, 0, dish, seed, pixels=pixels) if spoken else make_post(0, 0, dish, seed, pixels)


def settled(both: Tensor, some: Mapping[str, Tensor], strange: Mapping[str, Tensor], sure: float = SURE) -> Tensor:
    """What is answered, (batch, classes): what all sides say; where some are strange, what the others alone say.

    A row is NaN where no side is left, or those that are left are not sure: the model abstains.

    Args:
        both: the answers to whole posts, (batch, classes) on the CPU.
        some: what some sides alone say, as `Alone` and its `several` give it; empty for a model of one side.
        strange: side → (batch,) of booleans.
        sure: the probability that the answer of some sides alone must have; not asked of numbers.
    """
    answer = both.masked_fill(torch.stack(list(strange.values())).any(0)[:, None], torch.nan)
    for names, said in some.items():
        left = torch.stack([is_odd ^ (side in names.split("+")) for side, is_odd in strange.items()]).all(0)
        enough = said.amax(1) >= (sure if said.shape[1] > 1 else -torch.inf)
        answer = torch.where((left & enough)[:, None], said, answer)
    return answer


def unfamiliar(strange: Mapping[str, Tensor], row: int) -> list[str]:
    """The names of a post's strange sides, "text", "picture" and "voice"."""
    return [SUBJECTS[side] for side, is_odd in strange.items() if is_odd[row]]
