"""All there is to tell of a model's answers: figures with intervals, by class and slice, and the worst mistakes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ..posts.post import SUBJECTS
from . import metrics
from .asking import Answers
from .evaluation import measured

ALARMS = 0.02  # the share of strange posts that is worth a word: of known posts about 1 in 200 is called so
FEW = 0.2  # an accuracy whose interval is wider than that is no result
_LENGTHS = ((5, "up to 5 words"), (10, "6 to 10 words"), (20, "11 to 20 words"), (40, "21 to 40 words"))


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
    lacking = {side: int(gone.sum()) for side, gone in given.missing.items() if gone.any()}
    if lacking:
        result["missing"] = lacking
        result["remarks"].append(_about_missing(lacking, len(given.labels), given.taught))
    if given.taught:
        result["taught"] = True
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
    order = ["agree", "soft", "contradict", "refer", "outvoted", "duel", "sarcasm", *(name for _, name in _LENGTHS),
             "over 40 words"]
    if len(given.alone) > 1:
        whole = torch.stack([_there(said) for said in given.alone.values()]).all(0).tolist()
        answers = torch.stack([said.argmax(-1) for said in given.alone.values()], 1).tolist()
        groups["each side alone"] = [_who_differs(tuple(given.alone), said) if there else ""
                                     for said, there in zip(answers, whole)]
    if any(gone.any() for gone in given.missing.values()):
        there_is = torch.stack([~gone for gone in given.missing.values()], 1).tolist()
        named = [[SUBJECTS[side] for side, here in zip(given.missing, row) if here] for row in there_is]
        groups["what is there"] = [" and ".join([", ".join(names[:-1])] * (len(names) > 1) + names[-1:])
                                   for names in named]
    found = {}
    for kind, names in groups.items():
        there = sorted({name for name in names if name}, key=lambda name: (
            order.index(name) if name in order else len(order), name))
        if len(there) > 1:
            found[kind] = {name: _share(right[torch.tensor([one == name for one in names])]) for name in there}
    return found


def _who_differs(sides: tuple[str, ...], answers: list[int]) -> str:
    """Which of the sides' answers is unlike the others'."""
    if len(set(answers)) == 1:
        return "both say the same" if len(sides) == 2 else "all say the same"
    odd = [side for side, answer in zip(sides, answers) if answers.count(answer) == 1]
    return f"the {SUBJECTS[odd[0]]} differs" if len(odd) == 1 else "they differ"


def _about_missing(lacking: Mapping[str, int], n: int, taught: bool) -> str:
    """How posts without some side were answered."""
    counts = ", ".join(f"{SUBJECTS[side]} missing in {count}" for side, count in lacking.items())
    return f"{counts} of {n} posts: " + (
        "the model has learned to do without." if taught else
        "of these the figures hold what the other sides alone say, an average over neutral posts, as the model has not "
        "learned to do without (train --modality-dropout 0.3 teaches it).")


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
