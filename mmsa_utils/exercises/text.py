"""The checks of notebook 02: tokens, masks, averages, distances."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from ..encoders.base import masked_mean
from .checks import exercise
from .compare import Refused, after, alike, compare, expect_shares, kind_of, numbers


@exercise("2.1")
def token_average(answer: Any, rng: np.random.Generator) -> str:
    """(states (batch, tokens, width), mask (batch, tokens)) → (batch, width), without each text's first and last."""
    cases = []
    for _ in range(4):
        lengths = rng.permutation([9, *rng.integers(3, 8, 2)])  # the longest text fills its row
        states = torch.from_numpy(rng.normal(size=(3, 9, 5))).float()
        cases.append((states, (torch.arange(9) < torch.from_numpy(lengths)[:, None]).long()))

    def inner(mask, first=True, last=1):
        mask = mask.clone()
        if last:
            mask[torch.arange(len(mask)), mask.sum(1) - last] = 0
        if first:
            mask[:, 0] = 0
        return mask

    def everywhere(mask):
        mask, places = mask.clone(), mask.sum(1) - 1
        mask[:, 0] = mask[:, places] = 0
        return mask

    compare(answer, lambda states, mask: masked_mean(states, inner(mask)), cases, {
        "[CLS] and [SEP] are averaged in. They are real tokens, so the mask has a 1 for them too, but no words.":
            masked_mean,
        "The padding is averaged in, and so are [CLS] and [SEP].": lambda states, mask: states.mean(1),
        "[SEP] is still averaged in.": lambda states, mask: masked_mean(states, inner(mask, last=0)),
        "[SEP] is still averaged in, and the word before it is not. Places are counted from 0.":
            lambda states, mask: masked_mean(states, inner(mask, last=2)),
        "[CLS] is still averaged in.": lambda states, mask: masked_mean(states, inner(mask, first=False)),
        "The last column is left out, but a shorter text has its [SEP] before that, and padding there.":
            lambda states, mask: masked_mean(states[:, 1:-1], mask[:, 1:-1]),
        "The first and the last column are left out, and the padding is averaged in.":
            lambda states, mask: states[:, 1:-1].mean(1),
        "The right vectors are added up, but divided by a number in which [CLS] and [SEP] still count.":
            lambda states, mask: (states * inner(mask)[..., None]).sum(1) / mask.sum(1, keepdim=True),
        "The right vectors are added up, but divided by all tokens, the padding too.":
            lambda states, mask: (states * inner(mask)[..., None]).mean(1),
        "Each text's last place is left out in all the texts: `mask[:, places]` takes these columns in every row. Pair "
        "each row with its own place.": lambda states, mask: masked_mean(states, everywhere(mask)),
        "This is a sum: long texts would get long vectors.":
            lambda states, mask: (states * inner(mask)[..., None]).sum(1),
        "Divided by the words of the whole batch: each text has a number of its own.":
            lambda states, mask: (states * inner(mask)[..., None]).sum(1) / inner(mask).sum(),
        "One vector for the whole batch: average over the tokens (axis 1), not over the texts.":
            lambda states, mask: (states * inner(mask)[..., None]).sum((0, 1)) / inner(mask).sum(),
    })
    return "Padding, [CLS] and [SEP] no longer count, and a text's vector is the same in every batch."


def _pad(texts, filler, length=None, real=1, left=False, fill=None):
    """Ids and mask of texts of unequal length; the defaults are right."""
    length = length or max(map(len, texts))
    ids, mask = [], []
    for text in texts:
        text, rest = list(text[:length]), length - len(text[:length])
        padding, off = [filler if fill is None else fill] * rest, [1 - real] * rest
        ids.append(padding + text if left else text + padding)
        mask.append(off + [real] * len(text) if left else [real] * len(text) + off)
    return ids, mask


@exercise("2.2")
def pad_batch(answer: Any, rng: np.random.Generator, left: bool = False, real: int = 1) -> str:
    """(lists of token ids, id of the padding token) → ids and mask, each (texts, tokens of the longest).

    The padding stands behind the text, or on its `left`; in the mask `real` is for a real token.
    """
    pad = functools.partial(_pad, left=left, real=real)
    cases = []
    for filler in (0, 1, 99):
        lengths = rng.permutation([3, 5, 8, int(rng.integers(4, 8))])
        cases.append(([rng.integers(100, 8000, length).tolist() for length in lengths], filler))
    for case in cases:
        given = answer(*case)
        if isinstance(given, Mapping) or not hasattr(given, "__len__") or len(given) != 2:
            raise Refused(f"Expected two tables, the ids and the mask, in this order; got {kind_of(given)}.")
        if any(np.ndim(row) == 0 for table in given for row in table):
            raise Refused("Both are tables, with a row for each text. In the mask, too, every token has a number of "
                          "its own.")
        if any(len({len(row) for row in table}) > 1 for table in given):
            raise Refused("The rows differ in length: a batch is a rectangle, and every row as long as the longest "
                          "text.")
    def filled_mask(texts, filler):
        return pad(texts, filler)[0], pad([[real] * len(text) for text in texts], filler)[0]

    compare(answer, pad, cases, {
        "The two tables are swapped: first the ids, then the mask.": lambda texts, filler: pad(texts, filler)[::-1],
        f"The mask is the wrong way round: {real} is for a real token, {1 - real} for padding.":
            lambda texts, filler: pad(texts, filler, real=1 - real),
        "The mask calls every token real, the padding too.":
            lambda texts, filler: (pad(texts, filler)[0], [[real] * max(map(len, texts)) for _ in texts]),
        "The filling is always 0. Not every tokenizer has its padding there: use the id that is handed in.":
            lambda texts, filler: pad(texts, filler, fill=0),
        f"The mask is filled up with the id of the padding token. In the mask padding is always {1 - real}.":
            filled_mask,
        "The mask takes every id but 0 for real. Where the padding token has another id, the padding counts as words.":
            lambda texts, filler: (pad(texts, filler)[0],
                                   [[int((number != 0) == real) for number in row] for row in pad(texts, filler)[0]]),
        "The padding stands after the text. The task puts it before." if left else
        "The padding stands before the text. Put it after, so that [CLS] stays the first token.":
            lambda texts, filler: pad(texts, filler, left=not left),
        "Words are cut off: the batch is as long as its shortest text, not its longest.":
            lambda texts, filler: pad(texts, filler, min(map(len, texts))),
        "One column too many: the longest text needs no padding.":
            lambda texts, filler: pad(texts, filler, max(map(len, texts)) + 1),
        "The texts stand in another order than before, and the labels that belong to them would not.":
            lambda texts, filler: pad(sorted(texts, key=len), filler),
    })
    for filler in (0, 7):
        texts = [[101, filler, 102], [101, 8, filler, 9, 102], [101, 5, 6, filler]]
        if not alike(answer(texts, filler), pad(texts, filler)):
            raise Refused("Right, until a text holds the padding's id among its own tokens: then the mask calls a real "
                          "token padding. The ids do not say where a text ends; the lengths do.", 1 / 2)
    return "Texts of any length now share one table, and the mask knows where each of them ends."


def _cosines(features, row) -> np.ndarray:
    x = np.asarray(features, float)
    return x @ x[row] / np.linalg.norm(x, axis=1) / np.linalg.norm(x[row])


def _ranked(closeness: np.ndarray, row: int, count: int) -> list[int]:
    """The rows with the highest values, without `row`."""
    return [int(i) for i in np.argsort(-closeness) if i != row][:count]


@exercise("2.3")
def nearest_rows(answer: Any, rng: np.random.Generator) -> str:
    """(features (texts, width), row, count) → the rows of the nearest other texts, nearest first."""
    cases = []
    for row in (1, 4, 8):
        features = rng.normal(size=(12, 6)) * np.exp(rng.normal(size=(12, 1)))  # some vectors are far longer
        if row == 4:  # most texts are opposed: fewer than `count` cosines lie above 0
            others = np.delete(np.arange(12), row)[2:]
            features[others] *= -np.sign(features[others] @ features[row])[:, None]
        cases.append((torch.from_numpy(features).float(), row, 5))

    def by_distance(features, row, count):
        x = np.asarray(features, float)
        return _ranked(-np.linalg.norm(x - x[row], axis=1), row, count)

    def shifted(features, row, count):
        return list(np.argsort(-np.delete(_cosines(features, row), row))[:count])

    compare(answer, lambda x, row, count: _ranked(_cosines(x, row), row, count), cases, {
        "The text itself comes first: of course it is nearest to itself. Leave it out.":
            lambda x, row, count: list(np.argsort(-_cosines(x, row))[:count]),
        "The nearest comes last here, and it is the text itself.":
            lambda x, row, count: list(np.argsort(_cosines(x, row))[-count:]),
        "The text itself is left out after counting, so one text is missing at the end.":
            lambda x, row, count: _ranked(_cosines(x, row), row, count - 1),
        "These are the farthest texts: a high cosine means near.":
            lambda x, row, count: _ranked(-_cosines(x, row), row, count),
        "The text itself has a similarity of 0 here, and is found before texts below 0: a cosine goes down to -1.":
            lambda x, row, count: list(np.argsort(-np.where(np.arange(len(x)) == row, 0, _cosines(x, row)))[:count]),
        "The right texts in the order of their rows: the nearest comes first.":
            lambda x, row, count: sorted(_ranked(_cosines(x, row), row, count)),
        "The right texts in the wrong order: the nearest comes first.":
            lambda x, row, count: _ranked(_cosines(x, row), row, count)[::-1],
        "This is the bare dot product, which long vectors win. A cosine compares directions only.":
            lambda x, row, count: _ranked(np.asarray(x, float) @ np.asarray(x[row], float), row, count),
        "These are nearest in straight distance. A cosine compares directions, whatever the length of the vectors.":
            by_distance,
        "Off by one: with the text taken out, every row after it has moved up by one place.": shifted,
        "These are similarities. The task asks for the rows that they belong to.":
            lambda x, row, count: _cosines(x, row)[_ranked(_cosines(x, row), row, count)],
    })
    _refuse_lost_twins(answer, rng)
    return "You can search any collection of texts by direction, and the question itself never counts as a find."


@after(1, of=2)
def _refuse_lost_twins(answer: Any, rng: np.random.Generator) -> None:
    """Refuse a search that fails where another text has the very same vector: then two rows share the first place."""
    for twin, row in ((0, 7), (2, 11), (9, 3), (4, 5), (10, 6), (1, 2)):
        features = rng.normal(size=(12, 6))
        features[twin] = features[row]
        given = np.ravel(numbers(answer(torch.from_numpy(features).float(), row, 4))).tolist()
        if row in given:
            raise Refused(f"Row {twin} says exactly what row {row} says, and asked what is near {row} your search "
                          "gives back the text itself. Which of two equal ones stands first is chance: take the text "
                          "out by its row, and not by its place.")
        if twin not in given:
            raise Refused(f"Row {twin} says exactly what row {row} says, and your search does not find it. A copy is "
                          "the nearest of all: only the text itself is to be left out.")
        if given != _ranked(_cosines(features, row), row, 4):
            raise Refused("With a copy of the text among the others the rest comes in another order. The text itself "
                          "goes, the copy comes first, and nothing else changes.")


def _world(rng: np.random.Generator, kind: str, count: int = 600) -> tuple[np.ndarray, ...]:
    """texts (count, 6) of word numbers, moods (count,), vectors (words, width), places (6,).

    Words below 20 have a feeling, the even ones a good one. `kind`: "words" (one such word decides, and the encoder
    adds up), "order" (a good and a bad one, the first decides, and the encoder weighs places), "last" (the last word
    decides, and counts the other way round there) or "coin" (moods by chance, each text twice).
    """
    known, width = (2000, 300) if kind == "coin" else (80, 16)  # with many words every text is unlike the others
    vectors = rng.normal(0, 0.5, (known, width))
    texts, good = rng.integers(20, known, (count, 6)), rng.integers(0, 2, count)
    vectors[:20, 0] += 2.0 * (1 - 2 * (np.arange(20) % 2))
    felt = 2 * rng.integers(0, 10, (2, count)) + np.array([1 - good, good])  # of the mood, and of the opposite one
    places = np.ones(6)
    if kind == "words":
        texts[np.arange(count), rng.integers(0, 6, count)] = felt[0]
    elif kind == "order":
        texts[:, 1], texts[:, 4] = felt
        places = np.array([-0.5, 1.5, 0.5, 1.0, -1.5, -1.0])
    elif kind == "last":
        texts[:, 5], places[5] = felt[0], -1
    else:
        texts[count // 2:], good[count // 2:] = texts[:count // 2], good[:count // 2]
        order = rng.permutation(count)
        texts, good = texts[order], good[order]
    return texts, good, vectors, places


@exercise("2.4")
def order_counts(answer: Any, rng: np.random.Generator) -> str:
    """(texts (n, words), moods (n,), vectors, places) → accuracies {"written", "any_order"} of probes on new texts."""
    keys = ("written", "any_order")
    words, order, last, *coins = (expect_shares(answer(*_world(rng, kind)), keys)
                                  for kind in ("words", "order", "last", "coin", "coin", "coin"))
    texts, moods, vectors, places = _world(rng, "words")
    deaf = expect_shares(answer(texts, moods, vectors, 0 * places), keys)
    coin = {key: np.mean([world[key] for world in coins]) for key in keys}
    for key in keys:
        if coin[key] > 0.62:
            raise Refused(f'We handed your experiment texts whose moods are thrown by a coin, and "{key}" came out as '
                          f"{coin[key]:.2f}. What its probe knows there it knows by heart: has it met the texts that "
                          "it is tested on? Some stand in the list twice.")
        if words[key] < 0.75:
            raise Refused(f'We handed your experiment texts in which one word decides, wherever it stands, and "{key}" '
                          f"came out as {words[key]:.2f}. Does each text keep its own words, and its own mood?")
    if deaf["any_order"] > 0.75:
        raise Refused("We handed your experiment an encoder that takes up nothing, as all its places weigh 0, and "
                      f'"any_order" came out as {deaf["any_order"]:.2f}: that is another encoder\'s figure. Leave the '
                      "encoder as it is, and change the texts.")
    if order["written"] < 0.6 and order["any_order"] > 0.7:
        raise Refused("The two figures are swapped: where the order decides, the texts as they are written should win.")
    if order["written"] < 0.75:
        raise Refused("We handed your experiment texts in which the order of the words decides, and an encoder that "
                      f'knows it, and "written" came out as {order["written"]:.2f}. Are these texts left as they are?')
    if order["any_order"] > 0.62:
        raise Refused("We handed your experiment texts in which nothing but the order of the words decides, and "
                      f'"any_order" came out as {order["any_order"]:.2f}: the order is still there. If all texts are '
                      "turned round or mixed in one and the same way, a probe simply learns the new order.")
    if last["any_order"] < 0.58:
        raise Refused(f'On texts in which the last word decides, "any_order" came out as {last["any_order"]:.2f}, far '
                      "less than their words alone can tell. Was one probe used for both, or were only some of the "
                      "texts mixed? A probe that learned from ordered texts finds mixed ones strange; that does not "
                      "show that they say less. Let a new one learn from mixed texts.")
    return ("Your experiment finds the order where it decides, does without it where one word is enough, and believes "
            "no coin. Now you may ask it about a real encoder.")
