"""A model asked about posts, each as a whole and each of its sides alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..bars import progress
from ..encoders.base import Encoded
from ..fusion.absent import Absent, missing
from ..model.model import MultimodalSentimentModel
from ..model.modes import evaluating
from ..model.remarks import Heard
from ..posts.post import SUBJECTS, Post, Posts
from .ahead import in_turn
from .alignment import refuse_missing
from .alone import SURE, Alone, settled
from .batches import checked_label
from .features import Features
from .losses import check_labels, class_count


@dataclass
class Answers:
    """What a model said to some posts, in their order; none of their pictures and voices."""

    classes: tuple[str, ...] | None
    logits: Tensor  # (n, outputs)
    probabilities: Tensor  # (n, classes); the numbers (n, 1) where there are no classes
    labels: Tensor  # (n,)
    alone: dict[str, Tensor] = field(default_factory=dict)  # side → what it alone would say, as `probabilities`
    texts: list[str | None] = field(default_factory=list)
    relations: list[str] = field(default_factory=list)  # "" where it is not known
    cut: list[bool] = field(default_factory=list)  # whether the text is longer than the model reads
    strange: dict[str, Tensor] = field(default_factory=dict)  # side → (n,) whether it is unlike all that is known
    missing: dict[str, Tensor] = field(default_factory=dict)  # side → (n,) whether the post lacks it
    taught: bool = False  # whether the model has learned to do without a side
    heard: list[Heard | None] = field(default_factory=list)  # what is to be said of the voices


@torch.no_grad()
def ask(model: MultimodalSentimentModel, posts: Posts, batch_size: int = 64, show_progress: bool = False) -> Answers:
    """Ask a model about each post, and about each side of it. One picture at a time is held in memory.

    Of a post that lacks a side, a model that has not learned to do without is asked as `Alone` asks it: no features
    stand for what is not there.

    Raises:
        ValueError: for no posts, for posts with other classes than the model's, for a label that is none of them, and
            for a post without any side that the model reads.
    """
    if len(posts) == 0:
        raise ValueError("there are no posts: expected at least one.")
    named = getattr(posts, "classes", None)
    if named and model.classes and tuple(named) != model.classes:
        raise ValueError(f"the labels of the posts count {', '.join(named)}, and the model's classes are "
                         f"{', '.join(model.classes)}: expected the same, in the same order.")
    encoder, count = model.encoders["text"] if "text" in model.sides else None, class_count(model.classes)
    known: list[Post] = []
    labels: list[float] = []
    logits: list[Tensor] = []
    alone_of = Alone(model)
    alone: dict[str, list[Tensor]] = {side: [] for side in alone_of.references}
    strange: dict[str, list[Tensor]] = {side: [] for side in model.sides}
    gone: dict[str, list[Tensor]] = {side: [] for side in model.sides}
    sounds: list[Heard | None] = []
    with evaluating(model):
        for start in progress(range(0, len(posts), batch_size), "evaluate", show_progress):
            some, voices, batch = in_turn(model.prepare, (
                posts[i] for i in range(start, min(start + batch_size, len(posts)))))
            known += some
            sounds += voices
            labels += [checked_label(post, count) for post in some]
            tokens = model.tokens(**{name: tensor.to(model.device) for name, tensor in batch.items()})
            for side, far in model.strangeness(tokens).items():
                strange[side].append(far > 1)
            sides = model.for_fusion(tokens)
            for side, lacks in missing(sides).items():
                gone[side].append(lacks.cpu())
            said = alone_of(sides)
            logits.append(_logits(model, alone_of, sides, said))
            for side, one in said.items():
                alone[side].append(one)
    lacking = {side: torch.cat(parts) for side, parts in gone.items()}
    nothing = torch.stack(list(lacking.values())).all(0).nonzero()
    if len(nothing):
        raise ValueError(f"post {int(nothing[0])} has neither {' nor '.join(SUBJECTS[side] for side in model.sides)}: "
                         "expected at least one, which the model reads.")
    together = torch.cat(logits)
    return Answers(model.classes, together, model.answers_of(together),
                   torch.tensor(labels, dtype=torch.float if model.classes is None else torch.long),
                   {side: torch.cat(said) for side, said in alone.items()}, [post.text for post in known],
                   [post.relation for post in known],
                   [bool(encoder and post.text and encoder.cuts(post.text)) for post in known],
                   {side: torch.cat(parts) for side, parts in strange.items()}, lacking, alone_of.taught, sounds)


@torch.no_grad()
def ask_features(model: MultimodalSentimentModel, features: Features, batch_size: int = 1024) -> Answers:
    """The same of posts whose features are there already: what the encoders would say of texts is not asked.

    Each side alone is asked only of a model that has learned to do without.

    Raises:
        ValueError: for features of other sides or widths, for labels that the model cannot give, and for posts that
            lack a side if the model has not learned to do without.
    """
    check_labels(features.labels, class_count(model.classes))
    logits, alone = [], {side: [] for side in model.sides} if isinstance(model.fusion, Absent) else {}  # type: ignore
    alone_of = Alone(model) if alone else None
    with evaluating(model):
        for start in range(0, len(features), batch_size):
            tokens = features.batch(slice(start, start + batch_size), model.sides, model.device)
            refuse_missing(model.fusion, tokens)
            sides = model.for_fusion(tokens)
            logits.append(model.classify(model.fuse(sides)).float().cpu())
            for side, said in (alone_of(sides) if alone_of else {}).items():
                alone[side].append(said)
    together = torch.cat(logits)
    n = len(features)
    return Answers(model.classes, together, model.answers_of(together), features.labels,
                   {side: torch.cat(said) for side, said in alone.items() if said},
                   list(features.texts) or [None] * n, list(features.relations) or [""] * n, [False] * n,
                   missing={side: gone.cpu() for side, gone in missing(features.sides).items()},
                   taught=isinstance(model.fusion, Absent))


def _logits(model: MultimodalSentimentModel, alone_of: Alone, sides: Mapping[str, Encoded],
            alone: Mapping[str, Tensor]) -> Tensor:
    """The logits of whole posts, (batch, outputs) on the CPU; where a post lacks a side, and the model has not learned
    to do without, those of what the others alone say.
    """
    logits = model.classify(model.fuse(sides)).float().cpu()
    gone = {side: lacks.cpu() for side, lacks in missing(sides).items()}
    rows = torch.stack(list(gone.values())).any(0)
    if alone_of.taught or not alone or not rows.any():
        return logits
    said = settled(model.answers_of(logits), {**alone, **alone_of.several(sides, gone)}, gone, 0)[rows]
    if model.classes is not None:
        sure = said.clamp(1e-9, 1 - 1e-9)
        said = torch.logit(sure[:, 1:]) if model.num_outputs == 1 else sure.log()
    logits[rows] = said
    return logits


def answered(alone_of: Alone, sides: Mapping[str, Encoded], strange: Mapping[str, Tensor], both: Tensor
             ) -> tuple[Tensor, dict[str, Tensor]]:
    """What is answered, (batch, classes), NaN where the model abstains; and what each side alone says.

    What is strange is left out, and those that are left must be sure. What is missing is left out, too, where the model
    has not learned to do without; there need no one be sure.

    Args:
        sides: as the fusion reads them.
        strange: side → which posts' are, (batch,).
        both: the model's own answers to what is there, (batch, classes) on the CPU.

    Raises:
        ValueError: for weights with which an answer is NaN.
    """
    alone = alone_of(sides)
    gone = {side: lacks.cpu() for side, lacks in missing(sides).items()}
    hit, lacking = (torch.stack(list(odd.values())).any(0) for odd in (strange, gone))
    own = ~lacking if not alone_of.taught else torch.ones_like(lacking)  # the rows that the model's own answer is for
    if not both[own].isfinite().all() or any(not said[~gone[side]].isfinite().all() for side, said in alone.items()):
        raise ValueError("the model's answer is NaN: its weights are damaged, or its training went astray.")
    odd = {side: strange[side] | gone[side] & (hit | ~own) for side in strange}
    some = {**alone, **alone_of.several(sides, odd)}
    return torch.where(hit[:, None], settled(both, some, odd, SURE), settled(both, some, odd, 0)), alone
