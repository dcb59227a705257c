"""The checks of notebook 13: who did it, what padding moves, classes in another order, a check against suspects."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import combinations, permutations
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ..inspection.case import case_of
from ..inspection.finding import Finding
from ..inspection.inspection import looked_at
from ..inspection.suspects import KINDS, kind_of, suspect
from .checks import exercise
from .compare import Refused, alike, compare, numbers
from .compare import kind_of as kind_in_words
from .made_up import confused

SUSPICIONS = ("padding", "company", "twice", "ignored", "word_order", "missing", "attention", "gradients")
NOTHING = "nothing"


def _numbers(rng: np.random.Generator, kinds: Sequence[str]) -> list[int]:
    """A suspect of each kind, drawn."""
    found = []
    for kind in kinds:
        number = int(rng.integers(10**6))
        while kind_of(number) != kind:
            number = int(rng.integers(10**6))
        found.append(number)
    return found


@exercise("13.1")
def line_up(answer: Any, rng: np.random.Generator) -> str:
    """(the number of a suspect) → the first of eight checks that is ill, or "nothing"."""
    def first(ill: Callable[[Finding], bool]) -> Callable:
        return lambda number: next((finding.check for finding in _findings(number) if ill(finding)), NOTHING)

    def by(key: Callable) -> Callable:
        def function(number):
            ill = [finding for finding in _findings(number) if finding.verdict == "ill"]
            return key(ill).check if ill else NOTHING
        return function

    cases = [(number,) for number in _numbers(rng, (
        "text twice", "dropout on", "sound", "two mistakes", "divides by no words"))]
    said = {number: answer(number) for number, in cases}
    for given in said.values():
        if not isinstance(given, str):
            raise Refused(f"Expected a text, the name of a check or {NOTHING!r}; got {kind_in_words(given)}.")
        if given not in (*SUSPICIONS, NOTHING):
            raise Refused(f"Yours gives {given[:40]!r}. Expected one of the eight names, or {NOTHING!r}.")
    compare(said.__getitem__, lambda number: KINDS[kind_of(number)], cases, {
        "You name the last check that is ill. What stands later may only follow from the first.":
            by(lambda ill: ill[-1]),
        "You name the ill check with the largest number. Each check measures in units of its own, and they cannot be "
        "compared.": by(lambda ill: max(ill, key=lambda finding: finding.number)),
        "You name the ill check with the smallest number. Each check measures in units of its own, and they cannot be "
        "compared.": by(lambda ill: min(ill, key=lambda finding: finding.number)),
        "You take 'not asked' for ill. It only says that the check could not be made: a verdict on nobody.":
            first(lambda finding: finding.verdict != "sound"),
        "You name the first check that was not asked. That is no verdict on the model.":
            first(lambda finding: finding.verdict == "not asked"),
        "You name a check that is content. Guilty is who is ill.": first(lambda finding: finding.verdict == "sound"),
        "Nobody is ever guilty. Four of the five suspects have a mistake.": lambda number: NOTHING,
        "Only the first of the checks is made. Does `return` stand inside the loop?":
            lambda number: "padding" if KINDS[kind_of(number)] == "padding" else NOTHING,
        "The checks that look at gradients, and at them alone, are heard. The others have something to say, too.":
            lambda number: _findings(number)[-1].check if _findings(number)[-1].verdict == "ill" else NOTHING,
    })
    return "Every verdict comes with the check that found it, and the first one is where to look."


@lru_cache(maxsize=128)
def _findings(number: int) -> tuple[Finding, ...]:
    """What the eight checks find in a suspect."""
    model, batch = suspect(number)
    case = case_of(model, [batch])
    return tuple(looked_at(name, case) for name in SUSPICIONS)


@exercise("13.2")
def padding_moves(answer: Any, rng: np.random.Generator) -> str:
    """(the number of a suspect) → how far eight more tokens of padding move an answer, in units of the spread."""
    def moves(pad: Sequence[int] = (0, 8), real: int = 0, seen: Callable = lambda logits: logits,
              told: Callable = lambda change: change.abs().max(), unit: Callable = lambda before: before.std(0).max(),
              ) -> Callable:
        """A function that makes one mistake: where padding is put, its mask, what is looked at, or units."""
        def function(number: int) -> float:
            before, after = map(seen, _answers(number, tuple(pad), real))
            return float(told(after - before) / unit(before))
        return function

    classes = moves(seen=lambda logits: logits.argmax(1).double(), told=lambda change: (change != 0).double().mean(),
                    unit=lambda before: 1.0)
    kinds = ("mean over padding", "no mask", "sound", "no mask", "mean over padding")
    cases = [(number,) for number in _numbers(rng, kinds)]
    while moves(told=Tensor.max)(cases[-1][0]) > 0.9 * moves()(cases[-1][0]):  # in one, the largest change is a fall
        cases[-1] = (_numbers(rng, kinds[:1])[0],)
    said = {}
    for number, in cases:
        given = numbers(answer(number))
        if given is None or given.size != 1:
            raise Refused(f"Expected one number; got {kind_in_words(answer(number))}.")
        said[number] = given.item()
    if not alike(answer(cases[0][0]), said[cases[0][0]]):
        raise Refused("Asked twice about one suspect, yours gives two numbers. A new model is in training mode, where "
                      "dropout draws: whatever you see there need not come from the padding.")
    compare(said.__getitem__, moves(), cases, {
        "The mask calls your padding real. Sound models move then as well, and rightly: they read it.": moves(real=1),
        "The padding is put in front, and every word moves to another place. Put it behind.": moves((8, 0)),
        "There is no padding in the second batch: nothing moves in any suspect.": moves((0, 0)),
        "You give the largest change of a logit as it is. In units of the spread it can be compared between models.":
            moves(unit=lambda before: 1.0),
        "You divide by the largest logit. A bias in a logit makes it large, and says nothing of the posts.":
            moves(unit=lambda before: before.abs().max()),
        "This is the mean change. One post that moves is enough, and among many that do not it drowns: take the "
        "largest.": moves(told=lambda change: change.abs().mean()),
        "This is the largest change upwards. An answer that falls has moved as well.":
            moves(told=lambda change: change.max()),
        "You divide by the mean of the three spreads. The task takes the largest.":
            moves(unit=lambda before: before.std(0).mean()),
        "You divide by the smallest of the three spreads. The task takes the largest.":
            moves(unit=lambda before: before.std(0).min()),
        "You take the spread over the classes of a post. How far its classes lie apart says nothing of the posts.":
            moves(unit=lambda before: before.std(1).max()),
        "Each column is divided by its own spread. The task takes the largest of the three for all.":
            lambda number: _in_columns(*_answers(number, (0, 8), 0)),
        "The spread has n under its sum of squares. The task asks for `before.std(0)`, which has n - 1.":
            moves(unit=lambda before: before.std(0, unbiased=False).max()),
        "The change is taken as a mean over the posts first: take the largest of all logits.":
            moves(told=lambda change: change.abs().mean(0).max()),
        "These are changes of probabilities: where a model is certain they are 0, however far its logits move.":
            moves(seen=lambda logits: logits.softmax(1), unit=lambda before: before.std(0).max().clamp(min=1e-12)),
        "You count posts that get another class. A mistake can move every answer and turn none over.": classes,
        "The changes are squared. A spread is no square: both have to be in the same unit.":
            moves(told=lambda change: change.square().max()),
        "You sum the changes: with more posts in the batch the figure grows. Asked for is the largest.":
            moves(told=lambda change: change.abs().sum()),
        "You divide by the spread of all logits together. How far classes lie apart says nothing of the posts: take "
        "each column for itself.": moves(unit=lambda before: before.std()),
    })
    return "Padding moves nothing in a sound model, and this is the one cell that tells."


@lru_cache(maxsize=128)
def _answers(number: int, pad: tuple[int, int], real: int) -> tuple[Tensor, Tensor]:
    """The logits (16, 3) of a suspect, and those with so many tokens more before and behind, real or not."""
    model, batch = suspect(number)
    more = {**batch, "input_ids": F.pad(batch["input_ids"], pad),
            "attention_mask": F.pad(batch["attention_mask"], pad, value=real)}
    model.eval()
    with torch.no_grad():
        return model(**batch), model(**more)


def _in_columns(before: Tensor, after: Tensor) -> float:
    return float(((after - before).abs() / before.std(0)).max())


@exercise("13.3")
def renaming(answer: Any, rng: np.random.Generator) -> str:
    """(table (k, k) of counts, labels down, answers across) → (label of each class of the model, gain in accuracy)."""
    from scipy.optimize import linear_sum_assignment

    def best(table: np.ndarray) -> list[int]:
        label, said = linear_sum_assignment(-table)
        return label[np.argsort(said)].tolist()

    def score(table: np.ndarray, labels: Sequence[int]) -> float:
        return sum(table[label, said] for said, label in enumerate(labels)) / table.sum()

    def renamed(order: Callable = best, gain: Callable = lambda new, old, n: new - old,
                shown: Callable = lambda labels: labels) -> Callable:
        """A function that makes one mistake: in who is called what, or in what that gains."""
        def function(table):
            labels = order(table)
            return shown(labels), gain(score(table, labels), np.trace(table) / table.sum(), table.sum())
        return function

    def among(orders: Callable, which: Callable = max) -> Callable:
        return lambda table: list(which(orders(len(table)), key=lambda labels: score(table, labels)))

    def swaps(k):
        return [list(range(k)), *([j if i == a else a if i == j else i for i in range(k)]
                                  for a, j in combinations(range(k), 2))]

    cases = [(confused(rng, k, turned),) for k, turned in ((3, True), (4, True), (3, True), (4, False), (5, True))]
    for case in cases:
        given = answer(*case)
        names = numbers(given[0]) if isinstance(given, (tuple, list)) and len(given) == 2 else None
        if names is None or names.shape != (len(case[0]),) or numbers(given[1]) is None:
            raise Refused(f"Expected the labels of the classes, as many as the table has columns, and a number; got "
                          f"{kind_in_words(given)}.")
    compare(answer, renamed(), cases, {
        "This is the way back: at the place of a label you give the class of the model. Asked for is the label, at the "
        "place of the class.": renamed(shown=lambda labels: np.argsort(labels).tolist(), order=best),
        "Each class gets the label that is commonest where it is answered. Two classes may get the same label then, "
        "and that is no renaming.": renamed(lambda table: table.argmax(0).tolist()),
        "Each label looks for its own commonest answer. Two labels may find the same class.":
            renamed(lambda table: table.argmax(1).tolist()),
        "You deal out the largest cell first, then the largest of what is left. The best of all orders need not have "
        "the largest cell in it.": renamed(_greedy),
        "You try to exchange two classes. Three may have moved on in a circle, which no single exchange mends.":
            renamed(among(swaps)),
        "You try to turn the order round, and nothing else. There are more orders.":
            renamed(among(lambda k: [list(range(k)), list(range(k))[::-1]])),
        "You shift all classes alike. There are more orders than these.":
            renamed(among(lambda k: [[(i + by) % k for i in range(k)] for by in range(k)])),
        "This is the worst of all orders.": renamed(among(lambda k: permutations(range(k)), min)),
        "The classes keep their names: nothing is renamed.": renamed(lambda table: list(range(len(table)))),
        "The second number is the accuracy after the renaming. By how much has it risen?":
            renamed(gain=lambda new, old, n: new),
        "The gain has the wrong sign: it is what is reached, less what there was.":
            renamed(gain=lambda new, old, n: old - new),
        "The gain is a count of posts. An accuracy is a share.": renamed(gain=lambda new, old, n: (new - old) * n),
        "The gain is in per cent. An accuracy is a share.": renamed(gain=lambda new, old, n: 100 * (new - old)),
        "The gain is a share of the old accuracy. A plain difference was asked for.":
            renamed(gain=lambda new, old, n: (new - old) / old),
        "You count labels from 1. The first is 0.": renamed(shown=lambda labels: [label + 1 for label in labels]),
    })
    return "A model that seems to have learned nothing may only call things by other names."


def _greedy(table: np.ndarray) -> list[int]:
    """Cells by size, each row and column once."""
    left, labels = table.astype(float), [0] * len(table)
    for _ in range(len(table)):
        label, said = np.unravel_index(left.argmax(), left.shape)
        labels[said] = int(label)
        left[label, :] = left[:, said] = -1
    return labels


@exercise("13.4")
def ignored_sides(answer: Any, rng: np.random.Generator) -> str:
    """(the number of a suspect) → the sides that no answer of it hangs on: a list of names."""
    kinds = [*_ACCUSED, *_MISSED]
    found = {kind: _sides(answer(number)) for kind, number in zip(kinds, _numbers(rng, kinds))}
    if not any(found.values()):
        raise Refused("Yours finds no mistake in any suspect, and some have one. A new model is in training mode: "
                      "dropout moves its answers, whatever the picture shows. Or do you exchange both sides at once?")
    if all(sides == {"text", "image"} - _WANTED.get(kind, set()) for kind, sides in found.items()):
        raise Refused("You name the sides that are heard. Asked for are those that no answer hangs on.")
    if all(sides == {"text", "image"} for sides in found.values()):
        raise Refused("Yours names both sides of every suspect, of sound ones too: nothing seems to move. What is "
                      "compared with what?")
    for kind, message in (_ACCUSED | _MISSED).items():
        if found[kind] != _WANTED.get(kind, set()):
            raise Refused(message)
    return (f"Held against {len(found)} suspects, your check has missed none and accused none "
            "falsely. That is more than most checks can say of themselves.")


_WANTED = {"text twice": {"image"}, "picture times zero": {"image"}, "text times zero": {"text"},
           "sees that it is there": {"image"}, "whispers": {"image"}}
# Kind of suspect → what is said of a check that fails on it: what it fails on first says most of its mistake.
_MISSED = {
    "text times zero": "It misses a suspect that reads nothing but the picture. Is the text tried at all, and named by "
                       "its own name?",
    "text twice": "It misses a suspect whose fusion takes the text twice, in the picture's place. Is the picture tried "
                  "at all, and named by its own name?",
    "picture times zero": "It misses a suspect that multiplies its picture by 0.",
    "sees that it is there": "It misses a suspect that only notices that there is a picture. An empty picture in place "
                             "of the own one moves it; another post's picture does not.",
    "whispers": "It misses a suspect whose picture moves answers by what rounding moves, a part in ten million. So "
                "little is nothing: not equal is not yet moved.",
}
_ACCUSED = {
    "one class": "It accuses a sound suspect that says the same class to all posts. Its logits move and their order "
                 "does not: look at the logits.",
    "certain": "It accuses a sound suspect that is so certain that its probabilities are 1 whatever it is shown. Its "
               "logits still move.",
    "quiet": "It accuses a sound suspect whose logits are all tiny. They move little, and that is much for them: "
             "measure against the largest logit.",
    "softly": "It accuses a sound suspect whose picture moves answers by a part in ten thousand. That is little, "
              "and a hundred times the bound.",
    "long texts look": "It accuses a sound suspect that looks at the picture only where the text is long. One post "
                       "that moves is enough: look at all of them, and take the largest change.",
    "pictures twice": "It accuses a sound suspect whose batch has every picture several times: in your exchange each "
                      "post gets the one that it had. Exchange in more than one way.",
    "sound": "It accuses a suspect that is sound in every way.",
}


def _sides(given: Any) -> set[str]:
    """The sides that were named; refuses what is no list of them."""
    if not isinstance(given, (list, tuple)):
        raise Refused(f"Expected a list with the names of sides, empty if there are none; got {kind_in_words(given)}.")
    other = [side for side in given if side not in ("text", "image")]
    if other:
        raise Refused(f"Yours names {str(other[0])[:40]!r}. The sides are 'text' and 'image'.")
    return set(given)
