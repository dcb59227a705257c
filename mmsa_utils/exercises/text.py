"""The checks of notebook 02: tokens, masks, averages, distances."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from ..encoders.base import masked_mean
from ..posts.phrases import ADJECTIVES, UNSEEN_ADJECTIVES
from .checks import exercise
from .compare import Refused, alike, compare, expect_keys, kind_of, numbers


@exercise("2.1")
def token_average(answer: Any, rng: np.random.Generator) -> str:
    """(states (batch, tokens, width), mask (batch, tokens)) → (batch, width)."""
    cases = []
    for _ in range(4):
        lengths = rng.integers(1, 7, 3)
        states = torch.from_numpy(rng.normal(size=(3, 8, 5))).float()
        cases.append((states, (torch.arange(8) < torch.from_numpy(lengths)[:, None]).long()))
    compare(answer, masked_mean, cases, {
        "The padding is averaged in: a text's vector now depends on how long its neighbours are.":
            lambda states, mask: states.mean(1),
        "The padding is set to zero but still counted: divide by the number of real tokens, not by all of them.":
            lambda states, mask: (states * mask[..., None]).sum(1) / states.shape[1],
        "This is a sum: long texts would get long vectors.": lambda states, mask: (states * mask[..., None]).sum(1),
        "This is the vector of the first token alone. Average over all real tokens of the text.":
            lambda states, mask: states[:, 0],
        "The padding's vectors are still added in; only the number that you divide by leaves them out.":
            lambda states, mask: states.sum(1) / mask.sum(1, keepdim=True),
        "Divided by the real tokens of the whole batch: each text has a number of its own.":
            lambda states, mask: (states * mask[..., None]).sum(1) / mask.sum(),
        "One vector for the whole batch: average over the tokens (axis 1), not over the posts.":
            lambda states, mask: (states * mask[..., None]).sum((0, 1)) / mask.sum(),
    })
    return "Padding no longer counts, and a text's vector is the same in every batch."


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
def pad_batch(answer: Any, rng: np.random.Generator) -> str:
    """(lists of token ids, id of the padding token) → ids and mask, each (texts, tokens of the longest)."""
    cases = []
    for filler in (0, 1, 99):
        lengths = rng.permutation([3, 5, 8, int(rng.integers(4, 8))])
        cases.append(([rng.integers(100, 8000, length).tolist() for length in lengths], filler))
    for case in cases:
        given = answer(*case)
        if isinstance(given, Mapping) or not hasattr(given, "__len__") or len(given) != 2:
            raise Refused(f"Expected two tables, the ids and the mask, in this order; got {kind_of(given)}.")
        tables = [table for table in given if all(hasattr(row, "__len__") for row in table)]
        if any(len({len(row) for row in table}) > 1 for table in tables):
            raise Refused("The rows differ in length: a batch is a rectangle, and every row as long as the longest "
                          "text.")
    def filled_mask(texts, filler):
        return _pad(texts, filler)[0], _pad([[1] * len(text) for text in texts], filler)[0]

    compare(answer, _pad, cases, {
        "The two tables are swapped: first the ids, then the mask.": lambda texts, filler: _pad(texts, filler)[::-1],
        "The mask is the wrong way round: 1 is for a real token, 0 for padding.":
            lambda texts, filler: _pad(texts, filler, real=0),
        "The mask calls every token real, the padding too.":
            lambda texts, filler: (_pad(texts, filler)[0], [[1] * max(map(len, texts)) for _ in texts]),
        "The filling is always 0. Not every tokenizer has its padding there: use the id that is handed in.":
            lambda texts, filler: _pad(texts, filler, fill=0),
        "The mask is filled up with the id of the padding token. In the mask padding is always 0.": filled_mask,
        "The mask takes every id but 0 for real. Where the padding token has another id, the padding counts as words.":
            lambda texts, filler: (_pad(texts, filler)[0],
                                   [[int(number != 0) for number in row] for row in _pad(texts, filler)[0]]),
        "The padding stands before the text. Put it after, so that [CLS] stays the first token.":
            lambda texts, filler: _pad(texts, filler, left=True),
        "Words are cut off: the batch is as long as its shortest text, not its longest.":
            lambda texts, filler: _pad(texts, filler, min(map(len, texts))),
        "One column too many: the longest text needs no padding.":
            lambda texts, filler: _pad(texts, filler, max(map(len, texts)) + 1),
    })
    for filler in (0, 7):
        texts = [[101, filler, 102], [101, 8, filler, 9, 102], [101, 5, 6, filler]]
        if not alike(answer(texts, filler), _pad(texts, filler)):
            raise Refused("Right, until a text holds the padding's id among its own tokens: then the mask calls a real "
                          "token padding. The ids do not say where a text ends; the lengths do.")
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


@exercise("2.4")
def unknown_words(answer: Any, rng: np.random.Generator) -> str:
    """{"learn": words, "test": words, "pretrained": answers 0 or 1, one a test word, "random": likewise}."""
    keys = ("learn", "test", "pretrained", "random")
    expect_keys(answer, keys)
    mood = {word: int(level > 0) for words in (ADJECTIVES, UNSEEN_ADJECTIVES) for level in words if level
            for word in words[level]}
    learn, test = ([str(word) for word in answer[key]] for key in ("learn", "test"))
    for word in learn + test:
        if word not in mood:
            raise Refused(f"{word!r} is no adjective of the lists with a good or bad mood (level 0 has none).")
    both = sorted(set(learn) & set(test))
    if both:
        raise Refused(f"The probe has met {len(both)} of the test words while learning, such as {both[0]!r}: what it "
                      "answers there may be memory.")
    if len(set(test)) < 40:
        raise Refused(f"{len(set(test))} different test words: luck alone could make either encoder look good or bad.")
    for name, words in (("learns from", learn), ("is tested on", test)):
        positive = np.mean([mood[word] for word in words])
        if not 0.4 <= positive <= 0.6:
            raise Refused(f"Of the words that the probe {name}, {positive:.0%} are positive. With half of each, an "
                          "answer that is always the same earns one half.")
    given, right = {}, {}
    for key in ("pretrained", "random"):
        given[key] = numbers(answer[key])
        if given[key] is None or given[key].shape != (len(test),):
            raise Refused(f"Under {key!r} there should be one answer, 0 or 1, for each of the {len(test)} test words, "
                          f"not {kind_of(answer[key])}.")
        if not np.isin(given[key], (0, 1)).all():
            raise Refused(f"The answers under {key!r} should be 0 or 1, and not scores or probabilities.")
        right[key] = float(np.mean(given[key] == [mood[word] for word in test]))
    by_luck = 0.53 + 1.5 / np.sqrt(len(test))  # three standard deviations, and a little
    if right["pretrained"] < 1 - by_luck:
        raise Refused("The pretrained encoder's probe is wrong far more often than a coin. Does 1 mean positive, and "
                      "are the answers in the order of the test words?")
    if given["pretrained"].mean() > 0.75 and right["pretrained"] < 0.75:
        raise Refused(f"Under 'pretrained' {given['pretrained'].mean():.0%} of the answers are 1. Hand in what the "
                      "probe answers, 0 for negative and 1 for positive, and not whether it was right.")
    if np.array_equal(given["pretrained"], given["random"]):
        raise Refused("Both encoders give the same answer to every word: were two different networks asked?")
    if right["random"] > max(by_luck, right["pretrained"]):
        raise Refused("The random encoder wins. Which of the two lists belongs to which network?")
    if right["random"] > by_luck:
        raise Refused(f"The random encoder is right on {right['random']:.2f} of the test words. Nothing in it can know "
                      "words that its probe never met: did the probe learn from them?")
    if right["pretrained"] < 0.75:
        raise Refused(f"The pretrained encoder is right on {right['pretrained']:.2f} of the test words only; it "
                      "can do better. Are the features of words and their labels in the same order?")
    return ("On words that neither probe had met the pretrained encoder is far ahead and the random one guesses: the "
            "difference is what pretraining brought along.")
