"""The checks of notebook 06: temperature, calibration, intervals, and an experiment with its control."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from ..learning.metrics import calibration_error
from .checks import exercise
from .compare import Refused, alike, compare, expect_shares, numbers
from .made_up import clusters, posts_of_two_opinions, sure_answers


@exercise("6.1")
def softened(answer: Any, rng: np.random.Generator) -> str:
    """(logits (posts, 3), temperature) → probabilities (posts, 3)."""
    cases = [(torch.from_numpy(rng.normal(0, 2, (5, 3))).float(), temperature) for temperature in (0.5, 2.0, 3.0, 1.5)]
    compare(answer, lambda z, warmth: (z / warmth).softmax(-1), cases, {
        "The temperature works the wrong way round: above 1 it is to bring the probabilities together, not apart.":
            lambda z, warmth: (z * warmth).softmax(-1),
        "The temperature has no effect. Is it used? After the softmax it cancels when the row is made to sum to 1.":
            lambda z, warmth: z.softmax(-1),
        "The temperature is applied after the softmax, and the rows no longer sum to 1.":
            lambda z, warmth: z.softmax(-1) / warmth,
        "A power of the probabilities moves them the right way, but the rows no longer sum to 1.":
            lambda z, warmth: z.softmax(-1) ** (1 / warmth),
        "The softmax is applied twice: what goes into it must be logits, not probabilities.":
            lambda z, warmth: (z.softmax(-1) / warmth).softmax(-1),
        "The softmax runs over the posts: each column sums to 1. It is each row, one post, that must.":
            lambda z, warmth: (z / warmth).softmax(0),
        "One softmax for the whole batch: it is each row, one post, that must sum to 1.":
            lambda z, warmth: (z / warmth).flatten().softmax(0).reshape(z.shape),
        "These are logits still: the last step to probabilities is missing.": lambda z, warmth: z / warmth,
        "A sigmoid takes each score by itself, and the rows do not sum to 1. The softmax shares out a row.":
            lambda z, warmth: (z / warmth).sigmoid(),
        "Scores are divided by their sum, without the e to each score that a softmax begins with.":
            lambda z, warmth: z / z.sum(-1, keepdim=True),
        "These are logarithms of probabilities.": lambda z, warmth: (z / warmth).log_softmax(-1),
        "These are not yet shares: each row is to be divided by its sum.": lambda z, warmth: (z / warmth).exp(),
    })
    large = torch.tensor([[400.0, 399.0, -400.0], [-900.0, -901.0, -902.0]])
    given = numbers(answer(large, 0.5))
    if not (np.isfinite(given).all() and alike(given, (large / 0.5).softmax(-1))):
        raise Refused("Right for ordinary logits, but not for large ones, such as 400 or -900: a power of e runs over, "
                      "or all of a row vanish. What may be done to a row of logits that changes no probability?", 1 / 3)
    handed_in = cases[0][0].clone()
    answer.function(handed_in, 2.0)  # not a copy: does it come back as it went in?
    if not torch.equal(handed_in, cases[0][0]):
        raise Refused("The probabilities are right, but the logits that were handed in are no longer what they were: "
                      "whoever uses them next gets the wrong ones. Make new numbers instead of changing these.", 2 / 3)
    return "The temperature moves the confidence and never the answer, whatever the size of the logits."


@exercise("6.2")
def calibration_gap(answer: Any, rng: np.random.Generator) -> str:
    """(probabilities (posts, 3), labels (posts,), number of bands) → expected calibration error."""
    cases = [(*sure_answers(rng, 40), bands) for bands in (5, 10, 4, 8)]

    def signed(*case):
        return sum(n * (right - sure) for sure, right, n in _bands_of(*case)) / len(case[1])

    compare(answer, calibration_error, cases, {
        "Every band weighs the same, however few answers lie in it. A band counts by its share of the answers.":
            lambda *case: torch.stack([(sure - right).abs() for sure, right, _ in _bands_of(*case)]).mean(),
        "Every band weighs the same, and empty ones count too. A band counts by its share of the answers.":
            lambda *case: sum((sure - right).abs() for sure, right, _ in _bands_of(*case)) / case[2],
        "Gaps of opposite sign cancel: too sure in one band and not sure enough in another must add up.":
            lambda *case: abs(signed(*case)),
        "The gaps keep their sign, accuracy less confidence, and bands with opposite ones make up for each other.":
            signed,
        "The gaps keep their sign, confidence less accuracy, and bands with opposite ones make up for each other.":
            lambda *case: -signed(*case),
        "This is the widest gap of any band. The task asks for the mean one.":
            lambda *case: max((sure - right).abs() for sure, right, _ in _bands_of(*case)),
        "You divide by the number of answers, and by that of the bands once more.":
            lambda *case: calibration_error(*case) / case[2],
        "The last band is left out, and the surest answers lie in it. Where does your range end?":
            _only(lambda sure, n: sure < (n - 1) / n),
        "The gaps are squared and the root is taken of their mean, so that wide ones count more. The task asks for the "
        "mean of their sizes.": lambda *case: (sum(n * (sure - right) ** 2 for sure, right, n in _bands_of(*case))
                                               / len(case[1])) ** 0.5,
        "The gaps are squared. The task asks for their size.":
            lambda *case: sum(n * (sure - right) ** 2 for sure, right, n in _bands_of(*case)) / len(case[1]),
        "These are bands with the same number of answers. The task asks for bands of the same width.":
            _cut(lambda confidence, n: confidence.argsort().argsort() * n // len(confidence)),
        "The number of a band is rounded to the nearest, so that each band begins half a width too early. Round down.":
            _cut(lambda confidence, n: (confidence * n).round().clamp(max=n - 1)),
        "The bands begin at one third, below which no confidence lies. The task cuts all from 0 to 1.":
            _cut(lambda confidence, n: (confidence - 1 / 3) * 1.5 * n),
        "There is one band too few. How many edges do two bands have?": _cut(lambda sure, n: sure * (n - 1)),
        "There are 15 bands, whatever `bands` says.": _cut(lambda confidence, n: confidence * 15),
        "Confidence is taken as the middle of its band. The task asks for the mean of what lies in it.": lambda p, y, n:
            _gap(((_sure_and_right(p, y)[0] * n).floor() + 0.5) / n, _sure_and_right(p, y)[1], n),
        "All three probabilities of a post are counted. Its confidence is the largest one alone.": lambda p, y, n:
            sum(_gap(row, (y == label).double(), n) for label, row in enumerate(p.double().T)) / 3,
        "Each answer has a gap of its own, without bands. But a single answer is right or wrong, nothing between.":
            _cut(lambda confidence, n: torch.arange(len(confidence))),
        "The confidence is the probability of the answer given, the largest of the row; this takes the true label's, "
        "which the head does not know.": lambda p, y, n:
            _gap(p.double().gather(1, y[:, None])[:, 0], _sure_and_right(p, y)[1], n),
        "The gaps are weighted by counts. Divide by the number of answers.":
            lambda *case: sum(n * (sure - right).abs() for sure, right, n in _bands_of(*case)),
    })
    certain, labels = torch.tensor([[1.0, 0, 0], [0, 1.0, 0], [0.2, 0.2, 0.6]]), torch.tensor([0, 2, 2])
    if not alike(answer(certain, labels, 5), calibration_error(certain, labels, 5)):
        raise Refused("Right, but for answers with a confidence of exactly 1: they fall off the last band.", 1 / 2)
    return "Sure and right are now compared band by band, and no gap hides behind another."


@exercise("6.3")
def seed_interval(answer: Any, rng: np.random.Generator, level: int = 95) -> str:
    """List of accuracies, one a seed → (mean, low, high) of the interval that holds the mean so often, in %."""
    from scipy.stats import t

    cases = [(rng.normal(0.8, 0.05, runs).round(4).tolist(),) for runs in (5, 3, 8, 4)]

    def around(half):
        return lambda x: (np.mean(x), np.mean(x) - half(np.array(x)), np.mean(x) + half(np.array(x)))

    def error(x, ddof=1):
        return x.std(ddof=ddof) / np.sqrt(len(x))

    def quantile(x, share=0.5 + level / 200, freedom=1):
        return t.ppf(share, len(x) - freedom)
    wanted, many = around(lambda x: quantile(x) * error(x)), t.ppf(0.5 + level / 200, 10**7)

    compare(answer, wanted, cases, {
        "This is where single runs lie, not their mean: the mean of n runs is surer than one run by the root of n.":
            around(lambda x: quantile(x) * x.std(ddof=1)),
        "The spread is divided by n, not by its root: the interval comes out too narrow.":
            around(lambda x: quantile(x) * x.std(ddof=1) / len(x)),
        "This is where single runs lie, and `np.std` divides their spread by n unless it is told otherwise.":
            around(lambda x: quantile(x) * x.std()),
        f"Two slips: {many:.3g} is for many runs, and `np.std` divides their spread by n unless it is told otherwise.":
            around(lambda x: many * error(x, ddof=0)),
        "Two slips: the quantile is looked up under n, and the spread is divided by n as well.":
            around(lambda x: quantile(x, freedom=0) * error(x, ddof=0)),
        "The one less is taken twice: in the spread, and again under the root.":
            around(lambda x: quantile(x) * x.std(ddof=1) / np.sqrt(len(x) - 1)),
        "The spread is divided by n where n - 1 is due: the mean was computed from the same runs, so they lie closer "
        "to it than to the truth.": around(lambda x: quantile(x) * error(x, ddof=0)),
        f"{many:.3g} is for many runs. With few, their spread is uncertain, and the quantile of Student's t is larger.":
            around(lambda x: many * error(x)),
        "2 is a rule of thumb for many runs. With few, their spread itself is uncertain, and the quantile of "
        "Student's t is larger.": around(lambda x: 2 * error(x)),
        "The quantile is looked up under n. How many degrees of freedom are left once the mean is known?":
            around(lambda x: quantile(x, freedom=0) * error(x)),
        f"This interval leaves out {100 - level} % on either side, so it holds only {2 * level - 100} %.":
            around(lambda x: quantile(x, share=level / 100) * error(x)),
        f"The quantile is missing: mean plus or minus one standard error holds the truth less often than in {level} "
        "of 100 cases.": around(error),
        "This is the lowest and the highest run. More runs would make that wider, though they tell more.":
            lambda x: (np.mean(x), min(x), max(x)),
        "The middle is the median. The task asks for the mean.":
            lambda x: (np.median(x), *(np.median(x) + sign * quantile(x) * error(np.array(x)) for sign in (-1, 1))),
        "The ends are right and the mean is not where it belongs: the order is mean, low, high.":
            lambda x: tuple(sorted(wanted(x))),
        "The ends are swapped: the order is mean, low, high.":
            lambda x: (wanted(x)[0], *wanted(x)[:0:-1]),
        "This is how far the interval reaches to either side. Give back its two ends.":
            lambda x: (np.mean(x), *[quantile(x) * error(np.array(x))] * 2),
    })
    return "With this you can say how far a result would move if the dice fell again."


@exercise("6.4")
def four_readers(answer: Any, rng: np.random.Generator) -> str:
    """(train, validation, test), each {"text", "image", "labels"} → test accuracy of text, image, both and control."""
    stronger, weaker = rng.permutation(["text", "image"]).tolist()
    make = posts_of_two_opinions(rng, stronger)
    train, validation, test = make(150), make(90), make(301)

    names = ("text", "image", "both", "control")

    def ask(validation, labels):
        return expect_shares(answer(train, validation, {**test, "labels": labels}), names)

    main = ask(validation, test["labels"])
    # Answers that do not depend on the test labels: as a post's label goes through all three, it is right exactly once.
    each = [ask(validation, torch.full_like(test["labels"], label)) for label in range(3)]
    for name in main:
        if len({row[name] for row in each}) == 1:
            raise Refused(f"The accuracy of {name!r} stays the same when other test labels are handed in. Which posts "
                          "do you measure on?")
    for name in main:
        if abs(sum(row[name] for row in each) - 1) > 1e-6:
            if ask(validation, test["labels"]) != main:
                raise Refused("The same posts twice give different figures: give all that is random a seed of its own.")
            raise Refused(f"The answers of {name!r} change with the test labels: these have a part in the training, or "
                          "in choosing the epoch. Keep them for the very end.")
    alone = max(main["text"], main["image"])
    if alone > 0.5 and main["both"] < alone + 0.03:
        raise Refused("'both' is no better than the better side alone, and on these posts it should be. Does that head "
                      "see the features of both sides?")
    if main["both"] < 0.6:
        raise Refused(f"Your heads hardly learn: {main['both']:.2f} with both sides, where more than 0.7 is easy on "
                      "these posts. More steps, or a higher learning rate?")
    if main["control"] > 1 / 9 + main["both"] * 2 / 3:  # two thirds of the way from chance
        raise Refused(f"The control reaches {main['control']:.2f}, far above chance: its posts and labels still belong "
                      "together. Were both moved by one shuffle, or do the validation labels still tell the truth?")
    if all(row["control"] == row["both"] for row in each):  # each test set of one label, which no shuffling changes
        raise Refused("The control is the same head as 'both', measured on shuffled test labels. That is at chance for "
                      "any head and shows nothing: it must learn from shuffled labels, and meet the true ones.")
    if main[stronger] < main[weaker]:
        raise Refused("'text' and 'image' look swapped: on these posts, the one that you call weaker tells more.")
    parts = [{side: part[test["labels"] == label] for side, part in test.items()} for label in range(3)]
    by_class = [(len(part["labels"]), expect_shares(answer(train, validation, part), names)) for part in parts]
    # Counted class by class, where no shuffling changes a label, right answers add up to those of the whole test.
    pooled = {name: sum(n * row[name] for n, row in by_class) / len(test["labels"]) for name in main}
    if abs(pooled["both"] - main["both"]) < 1e-6 < abs(pooled["control"] - main["control"]):
        raise Refused("The control is measured on test labels that are shuffled too: measure it on the true ones.")
    _refuse_half_shuffled(lambda *sets: expect_shares(answer(*sets), names)["control"], rng)
    turned = ask({**validation, "labels": (validation["labels"] + 1) % 3}, test["labels"])
    if all(turned[name] == main[name] for name in ("text", "image", "both")):
        raise Refused("The figures stay the same whatever the validation labels say. They are to choose the epoch.")
    return "A sound experiment: each side alone, both, a control that could fail, and test posts that chose nothing."


def _refuse_half_shuffled(control: Callable[..., float], rng: np.random.Generator) -> None:
    """Refuse a control that learns from true labels, or whose epoch true ones choose: one shuffle is not enough."""
    make = clusters(rng)
    exam, reached = make(np.arange(301) % 3), []
    for most in (0, 1, 2, 0):  # validation labels of which nearly all are alike: shuffling hardly changes them
        learn, choose = make(rng.permutation(np.arange(300) % 3)), make(np.array([0, 1, 2] + [most] * 21))
        reached.append(control(learn, choose, exam))
    if np.mean(reached) > 0.7:
        raise Refused(f"On very easy posts the control reaches {np.mean(reached):.2f}: it has learned from their true "
                      "labels. Shuffled validation labels alone only keep another epoch.")
    if len(set(reached)) == 1:
        raise Refused("Your control does not learn: other training posts leave it as it is, and it could not fail.")

    # Validation posts of which one says something and the others are all alike, so that it matters only which label
    # this one has. Where labels are shuffled it is seldom the one that was handed in beside it.
    special = make(np.array([0]))

    def chosen_by(label: int, place: int) -> float:
        labels = np.arange(24) % 3
        other = (place + 3 + (label - place) % 3) % 24  # has the label that the special post is to have
        labels[[place, other]] = labels[[other, place]]
        choose = {side: torch.zeros(24, 16) for side in ("text", "image")} | {"labels": torch.from_numpy(labels)}
        for side in ("text", "image"):
            choose[side][place] = 3 * special[side][0]
        return control(learn, choose, exam)

    for place in rng.permutation(24)[:4].tolist():
        if len({chosen_by(label, place) for label in range(3)}) == 1:
            return
    raise Refused("The control learns from shuffled labels, but true validation labels choose its epoch, and they tell "
                  "it which epoch is luckiest. Shuffle the labels of the validation posts as well.")


def _sure_and_right(probabilities: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return probabilities.double().amax(-1), (probabilities.argmax(-1) == labels).double()


def _bands_of(probabilities: torch.Tensor, labels: torch.Tensor, bands: int) -> list[tuple]:
    """Mean confidence, accuracy and number of answers of each band that has some."""
    sure, right = _sure_and_right(probabilities, labels)
    index = (sure * bands).long().clamp(max=bands - 1)
    return [(sure[index == band].mean(), right[index == band].mean(), (index == band).sum()) for band in index.unique()]


def _cut(place: Callable) -> Callable:
    """The calibration error by other bands: `place(confidence, bands)` gives an answer's band."""
    return lambda p, y, n: _gap(*_sure_and_right(p, y), n, place(_sure_and_right(p, y)[0], n))


def _only(inside: Callable) -> Callable:
    """The calibration error in which only answers with `inside(confidence, bands)` add to the gap."""
    def mistake(p, y, n):
        sure, right = _sure_and_right(p, y)
        kept = inside(sure, n)
        return _gap(sure[kept], right[kept], n) * kept.double().mean()
    return mistake


def _gap(sure: torch.Tensor, right: torch.Tensor, bands: int, index: torch.Tensor | None = None) -> Any:
    """The calibration error; `index` is each answer's band, if they are to be other ones."""
    index = (sure * bands).long().clamp(max=bands - 1) if index is None else index.long()
    return sum((index == band).sum() * (sure[index == band].mean() - right[index == band].mean()).abs()
               for band in index.unique()) / len(index)
