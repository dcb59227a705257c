"""The checks of notebook 04: counting, what the head is given, softmax, and what a sum of two opinions can say."""

from __future__ import annotations

import functools
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from ..fusion.concat import join
from ..model.head import mlp_head
from .checks import exercise
from .compare import Refused, after, alike, compare, expect_kind, expect_shares, numbers, told_by
from .made_up import posts_of_two_sides
from .sums import MISTAKEN, sum_can_have


@exercise("4.1")
def head_parameters(answer: Any, rng: np.random.Generator, m: int = 1) -> str:
    """(text width, image width, hidden, outputs) → parameters of a head, with m layers from hidden to hidden units."""
    cases = [(768, 512, 256, 3)]
    cases += [(*rng.integers(20, 200, 2).tolist(), int(rng.integers(8, 64)), int(rng.integers(2, 6))) for _ in range(5)]

    def counted(text, image, hidden, outputs):
        with torch.device("meta"):  # shapes without numbers
            two = sum(p.numel() for p in mlp_head(text + image, outputs, hidden).parameters())
        return two + (m - 1) * (hidden * hidden + hidden)

    def layers(*widths, weights=True, biases=True):
        return sum(a * b * weights + b * biases for a, b in pairwise(widths))

    def middle(h, more=0):  # the widths between the first layer and the last
        return [h] * (m + 1 + more)

    compare(answer, counted, cases, {
        "The biases are missing: one for each output of a layer.":
            lambda t, i, h, o: layers(t + i, *middle(h), o, biases=False),
        f"One layer is missing: the head has {m + 2} linear layers, and one in the middle leads from hidden units to "
        "hidden units.": lambda t, i, h, o: layers(t + i, *middle(h, -1), o),
        f"One layer too many: the head has {m + 2} linear layers, the last included.":
            lambda t, i, h, o: layers(t + i, *middle(h, 1), o),
        "The last layer is missing: one more leads from the hidden units to the logits.":
            lambda t, i, h, o: layers(t + i, *middle(h)),
        "The two widths are multiplied. Concatenation writes one vector after the other: how long is the result?":
            lambda t, i, h, o: layers(t * i, *middle(h), o),
        "A bias belongs to each output of a layer, not to each of its inputs.":
            lambda t, i, h, o: layers(t + i, *middle(h), o, biases=False) + layers(o, *middle(h), t + i, weights=False),
        "The middle layer leads from every hidden unit to every hidden unit: that is more weights than units.":
            lambda t, i, h, o: layers(t + i, h) + m * 2 * h + layers(h, o),
        "Only one of the two sides goes into your head.": lambda t, i, h, o: layers(t, *middle(h), o),
        "You count one bias for a whole layer. Each output of a layer has its own.":
            lambda t, i, h, o: layers(t + i, *middle(h), o, biases=False) + m + 2,
        "The biases of the last layer are missing: one for each logit.":
            lambda t, i, h, o: layers(t + i, *middle(h), o) - o,
        "The biases of one hidden layer are missing: each of its units has one.":
            lambda t, i, h, o: layers(t + i, *middle(h), o) - h,
        "The joined vector enters the first layer alone. What the second is given are the hidden units.":
            lambda t, i, h, o: (m + 1) * layers(t + i, h) + layers(h, o),
        "Each side gets a layer of its own in your count. They are joined first, and enter one layer together.":
            lambda t, i, h, o: layers(t + i, *middle(h), o) + h,
        "You count the numbers of `Scale` as well. They are measured on the training posts, not learned.":
            lambda t, i, h, o: layers(t + i, *middle(h), o) + 2 * (t + i),
        "Your head has 256 hidden units, as in section 4. Here their number is given.":
            lambda t, i, h, o: layers(t + i, *middle(256), o),
    })
    return "Your count agrees with PyTorch's: you know what a head costs before you build it."


def _dropped(x: torch.Tensor, silent: torch.Tensor, scale: float) -> torch.Tensor:
    return torch.where(silent, 0.0, x * scale)


def _dropout(x: torch.Tensor, draws: torch.Tensor, share: float) -> torch.Tensor:
    return _dropped(x, draws < share, 1 / (1 - share))


@exercise("4.2")
def head_input(answer: Any, rng: np.random.Generator) -> str:
    """(text (batch, t), picture (batch, i), draws (batch, t + i), share, training) → (batch, t + i)."""
    cases = []
    for batch, text_width, image_width in ((8, 6, 8), (9, 7, 5), (10, 8, 8)):
        text = torch.from_numpy(rng.normal(0.3, 0.5, (batch, text_width))).float()
        picture = torch.from_numpy(rng.normal(1, 3, (batch, image_width))).float()
        draws = torch.from_numpy(rng.uniform(size=(batch, text_width + image_width))).float()
        cases.append((text, picture, draws, float(rng.choice([0.2, 0.25, 0.3]))))

    # First the join alone, then dropout on top: two mistakes at once are then named one after the other.
    _refuse_wrong_joins(answer, [(*case, False) for case in cases])
    with after(1, of=2):
        _refuse_wrong_dropout(answer, [(*case, True) for case in cases])
    return "Both sides arrive on equal terms, in the right order, and dropout is on in training alone."


def _refuse_wrong_joins(answer: Any, cases: list[tuple]) -> None:
    """Refuse an answer that does not normalise each side and join them when it gives an answer."""
    def norm(side, axis=-1, unbiased=False):
        return (side - side.mean(axis, keepdim=True)) / side.std(axis, unbiased=unbiased, keepdim=True)

    sample = " And the spread is divided by one less than there are numbers, as for a sample."
    wrong_numbers = {message + ending: functools.partial(normalised, unbiased=bool(ending))
                     for message, normalised in {
        "Normalised once, after joining: the louder side keeps its lead. Each side on its own, please.":
            lambda t, i, *_, unbiased: norm(torch.cat([t, i], -1), unbiased=unbiased),
        "Normalised over the batch: a post's vector now depends on its neighbours. Use its own mean and spread.":
            lambda t, i, *_, unbiased: torch.cat([norm(t, 0, unbiased), norm(i, 0, unbiased)], -1),
        "One mean and one spread for the whole batch: each post has its own.":
            lambda t, i, *_, unbiased: torch.cat([norm(s.reshape(1, -1), unbiased=unbiased).reshape(s.shape)
                                                  for s in (t, i)], -1),
    }.items() for ending in ("", sample)}
    compare(answer, lambda t, i, *_: join(t, i), cases, {
        "The modalities are swapped: the text comes first. Nothing will crash, but every weight of the head would "
        "look at the wrong side.": lambda t, i, *_: join(i, t),
        "The sides are joined as they are: the louder one still drowns the other.":
            lambda t, i, *_: torch.cat([t, i], -1),
        **wrong_numbers,
        "Close: the spread is divided by one less than the width, as for a sample. Layer normalisation divides by the "
        "width.": lambda t, i, *_: torch.cat([norm(t, unbiased=True), norm(i, unbiased=True)], -1),
        "The text is joined as it is: it is to be normalised, too.": lambda t, i, *_: torch.cat([t, norm(i)], -1),
        "The picture is joined as it is: it is to be normalised, too.": lambda t, i, *_: torch.cat([norm(t), i], -1),
        "The mean is taken off, the spread is not yet made 1.":
            lambda t, i, *_: torch.cat([t - t.mean(-1, keepdim=True), i - i.mean(-1, keepdim=True)], -1),
        "The spread is made 1, but the mean is not yet taken off.":
            lambda t, i, *_: torch.cat([s / s.std(-1, unbiased=False, keepdim=True) for s in (t, i)], -1),
        "Each side is brought to the length 1. The task asks for a mean of 0 and a spread of 1, as in section 3.":
            lambda t, i, *_: torch.cat([F.normalize(t), F.normalize(i)], -1),
        "Each side is stretched between its smallest and its largest number. The task takes mean and spread.":
            lambda t, i, *_: torch.cat([(s - s.amin(-1, True)) / (s.amax(-1, True) - s.amin(-1, True))
                                        for s in (t, i)], -1),
        "Divided by the variance. The spread is its square root.":
            lambda t, i, *_: torch.cat([norm(s) / s.std(-1, unbiased=False, keepdim=True) for s in (t, i)], -1),
        "Dropout is left on: when training is False, the head should be given everything, the same on every call.":
            lambda t, i, draws, share, _: _dropout(join(t, i), draws, share),
        "When training is False, nothing is silenced, so nothing has to be made up for: leave the numbers as they are.":
            lambda t, i, draws, share, _: join(t, i) * (1 - share),
    }, tolerance=1e-3)  # with or without the tiny number below the square root


def _refuse_wrong_dropout(answer: Any, cases: list[tuple]) -> None:
    """Refuse an answer that silences the wrong numbers while it learns, or makes up for them wrongly."""
    if not alike(answer(*cases[0]), answer(*cases[0])):
        raise Refused("Called twice with the same draws, yours gives two answers. Only `draws` says who falls silent.")
    compare(answer, lambda t, i, draws, share, _: _dropout(join(t, i), draws, share), cases, {
        "Nothing is silenced while training.": lambda t, i, *_: join(t, i),
        "The survivors are not scaled up: the head would hear a quieter vector in training than when it answers.":
            lambda t, i, draws, share, _: _dropped(join(t, i), draws < share, 1),
        "The survivors are made smaller. They should make up for the silenced ones.":
            lambda t, i, draws, share, _: _dropped(join(t, i), draws < share, 1 - share),
        "The survivors are scaled by the share that is silenced. What counts is the share that is left.":
            lambda t, i, draws, share, _: _dropped(join(t, i), draws < share, 1 / share),
        "The wrong ones are silenced: those whose draw is below the share fall silent, the others stay.":
            lambda t, i, draws, share, _: _dropped(join(t, i), draws >= share, 1 / (1 - share)),
        "Here the share is what stays. In this task, as in PyTorch, it is what falls silent.":
            lambda t, i, draws, share, _: _dropped(join(t, i), draws >= share, 1 / share),
        "The wrong ones are silenced, and the others not scaled up: those whose draw is below the share fall silent.":
            lambda t, i, draws, share, _: _dropped(join(t, i), draws >= share, 1),
        "The survivors are scaled by how many happen to survive. What counts is the share that is handed in.":
            lambda t, i, draws, share, _: _dropped(join(t, i), draws < share, 1 / (draws >= share).float().mean()),
        "The right numbers fall silent, but what the others are multiplied by does not make up for the silenced ones.":
            told_by(answer, lambda given, t, i, draws, share, _: np.array_equal(given == 0, draws.numpy() < share)),
        "Other numbers fall silent than those whose draw lies below the share.":
            told_by(answer, lambda given, *_: (given == 0).any()),
        "The numbers are silenced before they are normalised, which shifts them all. Normalise, join, then silence.":
            lambda t, i, draws, share, _: join(_dropout(t, draws[:, :t.shape[1]], share),
                                               _dropout(i, draws[:, t.shape[1]:], share)),
    }, tolerance=1e-3)


@exercise("4.3")
def steady_softmax(answer: Any, rng: np.random.Generator, unit: float = 1.0) -> str:
    """logits (posts, classes), of any size → shares (posts, classes), from powers of e ** (1 / unit)."""
    usual = [(torch.from_numpy(rng.normal(0, 2, shape)).float(),) for shape in ((4, 3), (3, 5), (3, 3))]
    compare(lambda z: answer(z * unit), lambda z: torch.softmax(z.double(), -1), usual, {
        "Your columns sum to 1, not your rows: the posts share among themselves. Which axis holds the classes?":
            lambda z: torch.softmax(z, 0),
        "Softmax has been applied twice: the shares are pressed together, and no class can ever be sure.":
            lambda z: torch.softmax(torch.softmax(z, -1), -1),
        "This is the sigmoid of each logit by itself: classes have to share one whole.": torch.sigmoid,
        "The logits themselves are divided by their sum: the powers are missing.":
            lambda z: z / z.sum(-1, keepdim=True),
        "These are the powers alone; they do not yet sum to 1.": torch.exp,
        "All posts together sum to 1: each post has shares of its own.":
            lambda z: torch.softmax(z.flatten(), 0).view_as(z),
        "These are the logarithms of the shares.": lambda z: torch.log_softmax(z, -1),
        "Different numbers are taken off a row: that changes the shares. Take the same number off a whole row.":
            lambda z: torch.softmax(z - z.amax(0), -1),
        "Each logit's sigmoid is divided by the sum of a row's. The shares are made of powers of e.":
            lambda z: z.sigmoid() / z.sigmoid().sum(-1, keepdim=True),
        "The powers are divided by the largest of their row. By what do they have to be divided to sum to 1?":
            lambda z: torch.exp(z - z.amax(-1, keepdim=True)),
        "The largest logit of a row gets the smallest share: a sign is turned round.":
            lambda z: torch.softmax(-z, -1),
        "All goes to the largest: that is the answer, not the shares.":
            lambda z: F.one_hot(z.argmax(-1), z.shape[-1]).float(),
        "The rows do not sum to 1. By what are the powers of a post divided?":
            told_by(lambda z: answer(z * unit), lambda given, z: not np.allclose(given.sum(-1), 1, atol=1e-3)),
        "The rows sum to 1 and the largest logit has the largest share, but differences between logits count for too "
        "much or too little. Of which number are the powers, and what is done to a logit before?":
            told_by(lambda z: answer(z * unit), lambda given, z: given.shape == z.shape and np.array_equal(
                given.argsort(-1), z.numpy().argsort(-1))),
    })
    row = torch.from_numpy(rng.normal(0, 1, (1, 3))).float()
    stages = {
        "Right for small logits. With logits around 1000 it breaks: the power is more than a float can hold. "
        "Which number could you take off a row without changing its shares?": row + 1000,
        "Right for large logits. With logits around -1000 it breaks: all powers round to 0, and there is nothing "
        "to divide by. What should the largest number of a row become?": row - 1000,
        "Right for each post alone. When one post has logits around 1000 and another around -1000, it breaks: is the "
        "same number taken off both rows?": torch.cat([row + 1000, row - 1000]),
        "Right where the logits of a post lie close together. With 1000 and -1000 in one row it breaks: what is left "
        "of the largest is still too large. What should it become?": row + torch.tensor([[-1000.0, 1000.0, 0.0]]),
    }
    for message, logits in stages.items():
        try:
            given = answer(logits * unit)
        except Refused as stopped:
            if "Overflow" in str(stopped) or "ZeroDivision" in str(stopped):
                raise Refused(message, 1 / 2) from None
            raise
        values = numbers(given)
        if values is not None and not np.isfinite(values).all():
            raise Refused(message, 1 / 2)
        if not alike(given, torch.softmax(logits.double(), -1), 1e-3):
            raise Refused("Nothing breaks with logits around 1000 or -1000, but the shares are wrong there. Are large "
                          "logits cut off, or is something added to the sum? Only differences within a row may "
                          "count.", 1 / 2)
    return "Rows sum to 1, each post by itself, and no logit is too large."


@exercise("4.4")
def sum_can(answer: Any, rng: np.random.Generator) -> str:
    """table (texts, pictures) of 0 and 1 → whether some sum of two opinions is above zero exactly where it says 1."""
    tables = [np.array(rows) for rows in (
        [[0, 1], [1, 0]], [[1, 0], [0, 1]], [[1, 0], [0, 0]], [[1, 1], [0, 1]], [[0, 0], [1, 1]], [[0, 1], [0, 1]],
        [[1, 1], [1, 1]], [[1, 1, 0], [1, 0, 0], [0, 0, 0]], [[1, 1, 0], [1, 0, 0], [0, 1, 0]],
        [[1, 0, 0], [1, 1, 1], [0, 0, 1]], [[1, 1, 0], [0, 0, 0], [0, 1, 1]])]
    for rows, columns in rng.integers(2, 5, (12, 2)):
        sums = rng.normal(size=(rows, 1)) + rng.normal(size=columns)
        tables += [(sums > 0).astype(int), (rng.uniform(size=(rows, columns)) < 0.5).astype(int)]
    given = [answer(table) for table in tables]
    wrong = [(table, a) for table, a in zip(tables, given) if not alike(a, sum_can_have(table))]
    if not wrong:
        return "You can tell from its table alone whether a task needs a head in which the two sides meet."

    for message, mistake in MISTAKEN.items():
        if all(alike(a, mistake(table)) for a, table in zip(given, tables)):
            raise Refused(message)
    table, said = min(wrong, key=lambda pair: pair[0].size)
    expect_kind(said, True)
    truth = "there are opinions whose sum gives it" if sum_can_have(table) else "no sum of two opinions gives it"
    raise Refused(f"For the table {table.tolist()} you say {said}, but {truth}.")


@exercise("4.5")
def meet_or_add(answer: Any, rng: np.random.Generator) -> str:
    """(text (n, t), picture (n, i), label (n,)) → accuracies {"sum", "products", "control"} on other posts."""
    keys = ("sum", "products", "control")
    add = expect_shares(answer(*posts_of_two_sides(rng, "add", 5)), keys)
    meet = expect_shares(answer(*posts_of_two_sides(rng, "meet", 5)), keys)
    coins = [expect_shares(answer(*posts_of_two_sides(rng, "coin", 12, 160)), keys) for _ in range(24)]
    for key in keys:
        if (share := sum(world[key] for world in coins) / len(coins)) > 0.57:
            raise Refused(f'We handed your experiment posts whose labels are thrown by a coin, and "{key}" came out as '
                          f"{share:.2f}. Is that head tested on posts that it has learned from?")
    if add["sum"] < 0.8:
        raise Refused('We handed your experiment posts whose label is a sum of two opinions, and "sum" did not learn '
                      "them. Does it see both sides of the same post, and the right labels?")
    if meet["sum"] > 0.7:
        raise Refused('Your "sum" solves posts that no sum can solve: its inputs already hold something in which the '
                      "two sides meet.")
    if meet["products"] < 0.7:
        raise Refused('Your "products" does not solve posts in which the product of two numbers decides. Is every '
                      "number of the text multiplied with every number of the picture of the same post?")
    if add["products"] < 0.8:
        raise Refused('Your "products" has lost the two sides themselves: it should see them as well as products.')
    if meet["control"] > 0.7:
        raise Refused("Your control solves the task too, so it controls nothing: its products should be made with the "
                      "picture of another post.")
    if add["control"] < 0.8:
        raise Refused("Your control has lost more than the meeting of the sides: text, picture and label of a post "
                      "should stay together in it, and only its products be made with a stranger's picture.")
    if all(world["control"] == world["sum"] for world in (*coins, add, meet)):
        raise Refused('Your control gives what "sum" gives, to the last digit: its further inputs are missing, or say '
                      'nothing, as zeros and copies do. It should have as many as "products", and numbers like theirs, '
                      "or it does not tell whether more inputs alone would have helped.")
    # With few posts, new numbers cost accuracy where they say nothing. Copies of what the head has cost none.
    few = [expect_shares(answer(*posts_of_two_sides(rng, "add", 8, 160)), keys) for _ in range(12)]
    total, dear, control = (sum(world[key] for world in few) for key in keys)
    paid = (total - control) / (total - dear) if total - dear > 0.6 else 1  # of what "products" pays
    if paid < 0.4:
        raise Refused('With few posts, "products" pays for its many inputs and your control pays '
                      f"{'nothing' if paid < 0.1 else 'far less'}: its further inputs are too few, or repeat the two "
                      "sides. They should be numbers of their own, in which the sides of a post do not meet.")
    return ("Your experiment finds the meeting of two sides where there is one, nothing where a coin decides, and does "
            "not mistake more inputs for it.")
