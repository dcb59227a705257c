"""All there is to tell of a model's answers: figures with intervals, by class and slice, and the worst mistakes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from ..bars import progress
from ..model.model import MultimodalSentimentModel
from ..model.modes import evaluating
from ..posts.post import SUBJECTS, Post, Posts
from . import metrics
from .alone import Alone
from .batches import checked_label
from .evaluation import measured
from .losses import class_count

ALARMS = 0.02  # the share of strange posts that is worth a word: of known posts about 1 in 200 is called so
FEW = 0.2  # an accuracy whose interval is wider than that is no result
_LENGTHS = ((5, "up to 5 words"), (10, "6 to 10 words"), (20, "11 to 20 words"), (40, "21 to 40 words"))


@dataclass
class Answers:
    """What a model said to some posts, in their order; none of their pictures."""

    classes: tuple[str, ...] | None
    logits: Tensor  # (n, outputs)
    probabilities: Tensor  # (n, classes); the numbers (n, 1) where there are no classes
    labels: Tensor  # (n,)
    alone: dict[str, Tensor] = field(default_factory=dict)  # side → what it alone would say, as `probabilities`
    texts: list[str | None] = field(default_factory=list)
    relations: list[str] = field(default_factory=list)  # "" where it is not known
    cut: list[bool] = field(default_factory=list)  # whether the text is longer than the model reads
    strange: dict[str, Tensor] = field(default_factory=dict)  # side → (n,) whether it is unlike all that is known


@torch.no_grad()
def ask(model: MultimodalSentimentModel, posts: Posts, batch_size: int = 64, show_progress: bool = False) -> Answers:
    """Ask a model about each post, and about each side of it. One picture at a time is held in memory.

    Raises:
        ValueError: for no posts, for posts with other classes than the model's, and for a label that is none of them.
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
    with evaluating(model):
        for start in progress(range(0, len(posts), batch_size), "evaluate", show_progress):
            batch = _prepared(model, posts, range(start, min(start + batch_size, len(posts))), known)
            labels += [checked_label(post, count) for post in known[start:]]
            tokens = model.tokens(**{name: tensor.to(model.device) for name, tensor in batch.items()})
            for side, far in model.strangeness(tokens).items():
                strange[side].append(far > 1)
            sides = model.for_fusion(tokens)
            logits.append(model.classify(model.fuse(sides)).float().cpu())
            for side, said in alone_of(sides).items():
                alone[side].append(said)
    together = torch.cat(logits)
    return Answers(model.classes, together, model.answers_of(together),
                   torch.tensor(labels, dtype=torch.float if model.classes is None else torch.long),
                   {side: torch.cat(said) for side, said in alone.items()}, [post.text for post in known],
                   [post.relation for post in known],
                   [bool(encoder and post.text and encoder.cuts(post.text)) for post in known],
                   {side: torch.cat(parts) for side, parts in strange.items()})


def _prepared(model: MultimodalSentimentModel, posts: Posts, places: range, known: list[Post]) -> dict[str, Tensor]:
    """The tensors of the posts at these places; what else there is of them is put into `known`."""
    pictures: list[dict[str, Tensor] | None] = []
    steps = dict(model.prepare.steps)
    image = steps.pop("image", None)
    some = []
    for place in places:
        post = posts[place]
        if image:
            pictures.append(None if post.image is None else image([post.image]))
        some.append(replace(post, image=None))
    known += some
    batch = _joined(pictures, image) if image else {}
    for side, step in steps.items():
        batch.update(step([getattr(post, side) for post in some]))
    return batch


def _joined(pictures: list[dict[str, Tensor] | None], image: Callable[[list], dict[str, Tensor]]) -> dict[str, Tensor]:
    """Pictures that were prepared one by one, as a batch. What stands for a missing one, the encoder itself says."""
    if all(pictures):
        return {name: torch.cat([picture[name] for picture in pictures if picture]) for name in pictures[0] or ()}
    there_and_not = image([Image.new("RGB", (64, 64)), None])
    return {name: torch.cat([rows[1:] if picture is None else picture.get(name, rows[:1]) for picture in pictures])
            for name, rows in there_and_not.items()}


def assessed(given: Answers, mistakes: int = 5) -> dict[str, Any]:
    """Everything that can be said of these answers, as plain values for JSON; what is not known is None.

    Args:
        given: from `ask`.
        mistakes: how many of the worst to name.

    Returns:
        The figures of `evaluate`, and beside them "posts", "intervals" (95 %), "mistakes" (those the model was surest
        of first) and "remarks". For classes also "classes" (see `class_figures`), "absent" (classes without a post),
        "confusion" (true class → answer → count), "most_frequent" (what the same answer to all would reach),
        "slices", "alone" (accuracy of each side alone) and "reliability". For numbers: "mae", "correlation", and
        "alone" is the mean absolute error of each side alone.

    Raises:
        ValueError: for answers that are NaN.
    """
    if not given.logits.isfinite().all():
        raise ValueError("the model's answers hold NaN or infinity: its weights are damaged, or its training went "
                         "astray.")
    result: dict[str, Any] = {"posts": len(given.labels), **measured(given.logits, given.labels)}
    result.update(_of_numbers(given, mistakes) if given.classes is None else _of_classes(given, mistakes))
    result["unfamiliar"] = {SUBJECTS[side]: int(odd.sum()) for side, odd in given.strange.items()}
    result["remarks"] += [
        f"{count} of {len(given.labels)} {name}s {'is' if count == 1 else 'are'} unlike all that the model has learned "
        f"from. The figures hold its answers to whole posts; asked for one post, or by `predict`, it leaves such a "
        f"{name} out." for name, count in result["unfamiliar"].items() if count > ALARMS * len(given.labels)]
    return plain(result)


def _of_classes(given: Answers, mistakes: int) -> dict[str, Any]:
    classes, labels = given.classes or (), given.labels
    counts = metrics.confusion(given.probabilities, labels)
    figures = metrics.class_figures(counts)
    right = given.probabilities.argmax(-1) == labels
    accuracy, macro = _share(right), metrics.macro_f1_interval(counts)
    frequent = int(counts.sum(1).argmax())
    return {
        "intervals": {"accuracy": accuracy["interval"], "macro_f1": macro[1:]},
        "classes": {name: _row(row) for name, row in zip(classes, figures)},
        "absent": [name for name, row in zip(classes, figures) if not row["posts"]],
        "most_frequent": {"class": classes[frequent], "accuracy": counts.sum(1).max().item() / len(labels)},
        "confusion": {name: dict(zip(classes, row)) for name, row in zip(classes, counts.tolist())},
        "slices": slices(given, right),
        "alone": {side: _share((said.argmax(-1) == labels)[_there(said)])
                  for side, said in given.alone.items() if _there(said).any()},
        "reliability": metrics.reliability(given.probabilities, labels),
        "mistakes": [_mistake(given, i) for i in _worst(given, right)[:mistakes]],
        "remarks": _remarks(len(labels), accuracy["interval"], dict(zip(classes, figures))),
    }


def slices(given: Answers, right: Tensor) -> dict[str, dict[str, dict[str, Any]]]:
    """Accuracy by what is known of the posts: kind of slice → slice → posts, accuracy, interval.

    Empty slices are left out, and kinds of which all posts fall into one slice: it would say what the whole says.
    """
    groups: dict[str, list[str]] = {"relation": given.relations, "length of the text": [
        "" if text is None else "cut: longer than the model reads" if cut else
        next((name for most, name in _LENGTHS if len(text.split()) <= most), "over 40 words")
        for text, cut in zip(given.texts, given.cut)]}
    order = ["agree", "soft", "contradict", "refer", *(name for _, name in _LENGTHS), "over 40 words"]
    if len(given.alone) == 2:
        one, other = given.alone.values()
        both = _there(one) & _there(other)
        same = one.argmax(-1) == other.argmax(-1)
        groups["each side alone"] = [("both say the same" if same else "they differ") if there else ""
                                     for same, there in zip(same.tolist(), both.tolist())]
    found = {}
    for kind, names in groups.items():
        there = sorted({name for name in names if name}, key=lambda name: (
            order.index(name) if name in order else len(order), name))
        if len(there) > 1:
            found[kind] = {name: _share(right[torch.tensor([one == name for one in names])]) for name in there}
    return found


def _of_numbers(given: Answers, mistakes: int) -> dict[str, Any]:
    """The rest of the figures of a model that gives numbers."""
    errors = (given.probabilities[:, 0] - given.labels).abs()
    _, low, high = metrics.interval(errors.tolist())
    worst = errors.argsort(descending=True, stable=True).tolist()[:mistakes]
    return {"intervals": {"mae": (max(low, 0.0), high)},
            "alone": {side: {"posts": int(_there(said).sum()),
                             "mae": (said[:, 0] - given.labels)[_there(said)].abs().mean().item()}
                      for side, said in given.alone.items() if _there(said).any()},
            "mistakes": [{"post": i, "text": given.texts[i], "truth": given.labels[i].item(),
                          "answer": given.probabilities[i, 0].item()} for i in worst],
            "remarks": [f"{len(errors)} post{'s' * (len(errors) > 1)}: too few for a result."] * (len(errors) < 30)}


def _row(figures: dict[str, Any]) -> dict[str, Any]:
    """A class's figures, their intervals beside them."""
    measured = {key: value for key, value in figures.items() if not isinstance(value, int)}
    return {**figures, **{key: value and value[0] for key, value in measured.items()},
            "intervals": {key: value and value[1:] for key, value in measured.items()}}


def _there(said: Tensor) -> Tensor:
    """Which posts have the side."""
    return ~said.isnan().any(-1)


def _share(right: Tensor) -> dict[str, Any]:
    """How many posts, and how many of them are right, with the interval."""
    share, low, high = metrics.proportion(int(right.sum()), len(right)) or (None, 0.0, 1.0)
    return {"posts": len(right), "accuracy": share, "interval": (low, high)}


def _worst(given: Answers, right: Tensor) -> list[int]:
    """The posts with wrong answers, those that the model was surest of first."""
    sure = given.probabilities.max(-1).values.masked_fill(right, -1)
    return sure.argsort(descending=True, stable=True).tolist()[:int((~right).sum())]


def _mistake(given: Answers, i: int) -> dict[str, Any]:
    classes, probabilities = given.classes or (), given.probabilities[i]
    alone = {side: classes[int(said[i].argmax())] for side, said in given.alone.items() if _there(said[i:i + 1]).all()}
    return {"post": i, "text": given.texts[i], "truth": classes[int(given.labels[i])],
            "answer": classes[int(probabilities.argmax())], "probability": probabilities.max().item(),
            "probability_of_truth": probabilities[given.labels[i]].item(), "alone": alone,
            **({"relation": given.relations[i]} if given.relations[i] else {})}


def _remarks(n: int, interval: tuple[float, float], classes: dict[str, dict[str, Any]]) -> list[str]:
    """What has to be said beside the figures, in plain sentences."""
    said = []
    if interval[1] - interval[0] > FEW:
        said.append(f"{n} post{'s are' if n > 1 else ' is'} no result: the accuracy may lie anywhere from "
                    f"{interval[0]:.2f} to {interval[1]:.2f}. Measure on more.")
    absent = [name for name, row in classes.items() if not row["posts"]]
    if absent:
        said.append(f"No post's label is {_listed(absent)}: whether the model finds such posts was not measured, and "
                    f"macro-F1 counts {'this class' if len(absent) == 1 else 'each of these classes'} as 0.")
    missed = [f"{name} (0 of {row['posts']})" for name, row in classes.items()
              if row["recall"] and not row["recall"][0]]
    if missed:
        said.append(f"The model found no post of {_listed(missed)}.")
    return said


def _listed(names: list[str]) -> str:
    shown = names[:5] + [f"{len(names) - 5} more"] * (len(names) > 5)
    return " or ".join([", ".join(shown[:-1])] * (len(shown) > 1) + shown[-1:])


def plain(value: Any) -> Any:
    """The same with lists in the place of tuples, and None in that of numbers that are none: JSON knows no NaN."""
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    return None if isinstance(value, float) and value - value != 0 else value
