"""What the checks hand to an answer: posts, features and tables, made up so that a mistake shows in what comes back."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch.nn import functional as F

from ..posts.rules import RELATIONS


def posts_of_two_sides(rng: np.random.Generator, rule: str, width: int, count: int = 800) -> tuple:
    """text (count, width), picture (count, width), label (count,): one number of each side decides.

    `rule`: positive where they have the same sign ("meet"), or a sum above zero ("add"), or by chance ("coin").
    """
    text, picture = rng.normal(size=(2, count, width))
    a, b = text[:, 0], picture[:, -1]
    if rule == "meet":
        a[:], b[:] = np.sign(a), np.sign(b)  # as in section 7
    label = {"meet": a * b, "add": a + b, "coin": rng.normal(size=count)}[rule] > 0
    return text, picture, label.astype(int)


def runs(rng: np.random.Generator) -> list[dict]:
    """Three trainings of five epochs, with figures that have nothing to do with each other."""
    names = ("train_loss", "loss", "accuracy", "test_accuracy")
    tables = rng.uniform(0.1, 0.9, (3, 5, len(names))).round(3).tolist()
    return [{"rate": rate, "history": [{"epoch": epoch, **dict(zip(names, row))} for epoch, row in enumerate(table, 1)]}
            for rate, table in zip((0.1, 0.01, 0.001), tables)]


def batch_of_logits(rng: np.random.Generator, posts: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Random logits (posts, 1) and labels (posts,) of 0 and 1."""
    return torch.from_numpy(rng.normal(0.2, 1.0, (posts, 1))).float(), torch.from_numpy(rng.integers(0, 2, posts))


def two_clouds(rng: np.random.Generator):
    """A function n → features (n, 40), two clouds side by side and away from zero, and labels (n,), half of each."""
    arrows = rng.normal(size=(2, 40))
    along, where = arrows / np.linalg.norm(arrows, axis=1, keepdims=True) * [[1.25], [4]]

    def make(n: int) -> tuple[torch.Tensor, torch.Tensor]:
        labels = rng.permutation(np.arange(n) % 2)
        features = rng.normal(size=(n, 40)) + np.outer(2 * labels - 1, along) + where
        return torch.from_numpy(features).float(), torch.from_numpy(labels)

    return make


def sure_answers(rng: np.random.Generator, posts: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Probabilities (posts, 3), too sure of themselves, and labels (posts,)."""
    logits = torch.from_numpy(rng.normal(0, 1, (posts, 3)))
    draws = torch.from_numpy(rng.gumbel(size=(posts, 3)))
    return F.softmax(2 * logits, -1).float(), (logits + draws).argmax(-1)


def posts_of_two_opinions(rng: np.random.Generator, stronger: str):
    """A function n → features and labels of n posts whose mood is a sum of two opinions, one side's weighing more."""
    width = 16
    codes = {side: (rng.normal(0, 1, width), rng.normal(0, 2, width)) for side in ("text", "image")}

    def make(n: int) -> dict[str, torch.Tensor]:
        opinions = {side: rng.normal(size=n) for side in codes}
        mood = sum((1.0 if side == stronger else 0.65) * opinions[side] for side in codes)
        labels = np.digitize(mood, np.array([-0.43, 0.43]) * np.hypot(1.0, 0.65))  # about as many of each class
        table = {side: torch.from_numpy(np.outer(opinions[side], along) + at + rng.normal(0, 0.8, (n, width))).float()
                 for side, (along, at) in codes.items()}
        return {**table, "labels": torch.from_numpy(labels)}

    return make


def clusters(rng: np.random.Generator) -> Callable[[np.ndarray], dict[str, torch.Tensor]]:
    """A function of labels (n,) → features and labels of n posts, the three classes far apart around zero."""
    centres = rng.normal(0, 0.6, (2, 3, 16))
    centres -= centres.mean(1, keepdims=True)

    def make(labels: np.ndarray) -> dict[str, torch.Tensor]:
        sides = (torch.from_numpy(at[labels] + rng.normal(size=(len(labels), 16))).float() for at in centres)
        return dict(zip(("text", "image"), sides)) | {"labels": torch.from_numpy(labels)}

    return make


def sliced_posts(rng: np.random.Generator, absent: str | None) -> tuple:
    """predictions, labels, relations of 60 posts, and labels and relations of 120 known ones.

    Each relation has a commonest label among the known posts. In the test another one leads in half of the slices.
    """
    present = [name for name in RELATIONS if name != absent]
    usual = dict(zip(RELATIONS, rng.permutation([0, 1, 2, 2])))

    def labels_of(relations, strange=()):
        most = np.array([(usual[name] + (name in strange)) % 3 for name in relations])
        return np.where(rng.random(len(relations)) < 0.6, most, rng.integers(0, 3, len(relations)))

    known = np.array([name for name in RELATIONS for _ in range(30)])
    relations = rng.permutation([*present * 5, *rng.choice(present, 60 - 5 * len(present))])
    labels = labels_of(relations, strange=present[1:3])
    hit = rng.random(60) < 0.6
    if absent == "refer":
        hit &= relations != "contradict"  # a slice without a right answer is not an empty one
    order = rng.permutation(len(known))
    return np.where(hit, labels, (labels + 1) % 3), labels, relations, (labels_of(known)[order], known[order])


def bands_and_frequencies(rng: np.random.Generator) -> list[tuple]:
    """Numbers of bands, and frequencies of spectrograms, (f,) in Hz."""
    return [(int(bands), np.linspace(0, float(top), count)) for bands, top, count in (
        (rng.integers(4, 7), 8000, 60), (rng.integers(8, 11), 4000, 80), (rng.integers(5, 9), 11025, 97))]


def padded_clips(rng: np.random.Generator, batch: int, width: int, hop: int, times: int) -> tuple:
    """Tokens (batch, longest, width) and samples of clips: a frame every hop samples, a token of so many frames."""
    borders = [0, hop - 1, hop, hop * times // 2, hop * (times - 1) - 1, hop * (times - 1), hop * times - 1]
    lengths = [int(rng.integers(2, 15)) * hop * times + int(left)  # the last ones of frames, and of tokens
               for left in rng.choice(borders, batch, replace=False)]
    counts = [-(-(samples // hop + 1) // times) for samples in lengths]
    tokens = torch.from_numpy(rng.normal(0, 1, (batch, max(counts) + 1, width))).float()
    for row, count in enumerate(counts):  # the longest clip has padding, too
        tokens[row, count:] = 7
    return tokens, lengths


def clip(rng: np.random.Generator, length: int, width: int, step: int, silent: int = 0) -> tuple:
    """Two tones that come and go, hardly any noise, and a stretch of perfect silence."""
    time, high = np.arange(length), rng.uniform(2, width // 2, 2)[:, None]
    tones = np.sin(2 * np.pi * high / width * time) * [np.hanning(length) ** 4, 0.3 * np.hanning(length) ** 2]
    samples = 0.2 * tones.sum(0) + 1e-6 * rng.normal(size=length)
    samples[:silent] = 0
    return samples, np.hanning(width + 1)[:-1], step


def voices(rng: np.random.Generator, count: int, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Clips whose speakers differ more than their labels; some speakers have many clips, and favour a label."""
    speakers = np.repeat(np.arange(count), rng.permutation(np.arange(count) * 4 + 8))
    place, way = rng.normal(0, 1.2, (count, width)), rng.normal(0, 0.9, (3, width))
    favoured = rng.random(len(speakers)) < 0.6
    labels = np.where(favoured, speakers % 3, rng.integers(0, 3, len(speakers)))
    labels[np.flatnonzero(np.diff(speakers, prepend=-1))[:, None] + np.arange(3)] = np.arange(3)  # each has all three
    features = place[speakers] + way[labels] + rng.normal(0, 0.7, (len(speakers), width)) + 1.0
    order = rng.permutation(len(speakers))
    return features[order], labels[order], speakers[order]


def side_answers(rng: np.random.Generator, batch: int, sides: int, classes: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Probabilities of each side, NaN where it is missing: a post has them all, and each has one at least."""
    said = rng.dirichlet(np.full(classes, 0.7), (batch, sides))
    gone = rng.random((batch, sides)) < 0.5
    gone[0], gone[1, 0] = False, True
    gone[np.arange(batch), rng.integers(sides, size=batch)] = False
    said[gone] = np.nan
    trust = rng.permutation(sides) + rng.uniform(0.3, 0.8, sides)
    return torch.from_numpy(said).float(), torch.from_numpy(trust).float()


def lacking_posts(rng: np.random.Generator, batch: int, t: int, width: int) -> tuple:
    """Tokens and a mask: one post is whole, two have nothing, the others padding, one in front; garbage elsewhere."""
    tokens = rng.normal(0, 2, (batch, t, width))
    mask = np.arange(t) < np.concatenate([[t, 0, 0], rng.integers(1, t, batch - 3)])[:, None]
    mask[3] = mask[3, ::-1]
    places = rng.permutation(batch)
    tokens, mask = tokens[places], mask[places]
    empty = np.flatnonzero(~mask.any(1))
    tokens[empty[0]] = np.nan
    return (torch.from_numpy(tokens).float(), torch.from_numpy(mask),
            torch.from_numpy(rng.normal(0, 1, width) + 3).float())


def absences(rng: np.random.Generator, n: int, gap: float) -> np.ndarray:
    """Posts of three moods, so many in all, with a picture and without; `gap` parts the moods."""
    moods = rng.multinomial(n, rng.permutation([0.25, 0.33, 0.42]))
    lacking = rng.permutation([0.35 - gap, 0.35, 0.35 + gap])
    gone = np.clip((moods * lacking).round().astype(int) + rng.integers(-1, 2, 3), 2, moods - 2)
    return np.stack([moods - gone, gone], 1)


def two_votes(rng: np.random.Generator, k: int, n: int, agree: float) -> np.ndarray:
    """Counts of two annotators with different habits; below 0 they avoid agreeing."""
    habits = rng.dirichlet(np.full(k, 6.0), 2) * 0.7 + 0.3 * rng.permutation(np.linspace(0.1, 1, k) / np.linspace(
        0.1, 1, k).sum())
    first = rng.choice(k, n, p=habits[0] / habits[0].sum())
    second = rng.choice(k, n, p=habits[1] / habits[1].sum())
    second = np.where(rng.random(n) < agree, first, second)
    if agree < 0:
        second = np.where(second == first, (first + 1) % k, second)
        second[:3] = first[:3]
    return np.bincount(first * k + second, minlength=k * k).reshape(k, k)


def sentiments(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """What a model says and labels in thirds, as the mean of three people gives them; some of either are exactly 0."""
    labels = (rng.normal(0.3, 1.3, n).clip(-3, 3) * 3).round() / 3
    labels[rng.permutation(n)[:n // 4]] = 0.0
    values = (0.5 * labels + rng.normal(0, 0.7, n)).round(2)
    values[rng.permutation(n)[:n // 8]] = 0.0
    values[np.flatnonzero(labels == 0)[:4]] = (0.0, 0.4, -0.4, -0.3)
    values[np.flatnonzero(labels > 0)[0]], values[np.flatnonzero(labels < 0)[:2]] = 0.0, (0.0, 0.3)
    return values, labels


def both_right(rng: np.random.Generator, n: int, shared: float, swapped: bool) -> tuple[np.ndarray, np.ndarray]:
    """What two models had right: most posts are easy or hard for both. The first is the better one, unless swapped."""
    hard = rng.random(n) < 0.4
    right = [np.where(rng.random(n) < shared, ~hard, rng.random(n) < 0.5).astype(float) for _ in range(2)]
    better, worse = sorted(right, key=np.mean, reverse=True)
    worse[np.flatnonzero(better * worse)[:2]] = 0.0
    return (worse, better) if swapped else (better, worse)


def confused(rng: np.random.Generator, k: int, turned: bool) -> np.ndarray:
    """Counts of a model whose classes stand in another order; three of them in a circle, and no shift of all.

    The largest cell of all is a mistake that it makes between two labels, one of which is common.
    """
    order = np.arange(k)
    while (turned and (order == np.arange(k)).any() or np.array_equal(np.argsort(order), order)
           or k > 3 and len(set((order - np.arange(k)) % k)) == 1):
        order = rng.permutation(k)
    table = rng.integers(1, 9, (k, k))
    table[np.arange(k), order] += rng.integers(40, 60, k)
    common, other = rng.permutation(k)[:2]
    table[common, order[common]] = 100
    table[common, order[other]] = 110
    table[other, order[other]] = 60
    return table
