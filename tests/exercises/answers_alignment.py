"""Right and wrong answers to the exercises of notebook 06: what the checks must take and what they must refuse."""

import math
from dataclasses import replace

import numpy as np
import torch
from scipy import special, stats
from torch import nn
from torch.nn import functional as F

from mmsa_utils.encoders.base import Encoded
from mmsa_utils.fusion.concat import Concat
from mmsa_utils.learning.alignment import align, head_answers
from mmsa_utils.learning.features import Features
from mmsa_utils.learning.metrics import accuracy
from mmsa_utils.model.head import random_head

# --- 6.1 softened ---


def softened_in_a_loop(logits, temperature):
    rows = []
    for row in logits.tolist():
        powers = [math.exp((logit - max(row)) / temperature) for logit in row]
        rows.append([power / sum(powers) for power in powers])
    return rows


def softened_by_hand(logits, temperature):
    scaled = logits / temperature
    powers = (scaled - scaled.max(-1, keepdim=True).values).exp()
    return powers / powers.sum(-1, keepdim=True)


def softened_in_place(logits, temperature):
    logits /= temperature
    return logits.softmax(-1)


def softened_on_a_copy(logits, temperature):
    logits = logits.clone()
    logits /= temperature
    return logits.softmax(-1)


# --- 6.2 calibration_gap ---


def gap_in_a_loop(probabilities, labels, bands, count=True):
    sure, right = [[] for _ in range(bands)], [[] for _ in range(bands)]
    for row, label in zip(probabilities.tolist(), labels.tolist()):
        band = min(int(max(row) * bands), bands - 1)
        sure[band].append(max(row))
        right[band].append(row.index(max(row)) == label)
    return sum(abs(sum(a) - sum(b)) for a, b in zip(sure, right)) / len(labels)


def bands_of(probabilities, labels, bands):
    """numpy: confidence, right or not, and the band of each answer."""
    p = probabilities.numpy()
    confidence = p.max(1)
    return confidence, p.argmax(1) == labels.numpy(), np.minimum((confidence * bands).astype(int), bands - 1)


def gaps(probabilities, labels, bands):
    confidence, right, band = bands_of(probabilities, labels, bands)
    found = np.unique(band)
    return np.array([confidence[band == b].mean() - right[band == b].mean() for b in found]), \
        np.array([(band == b).sum() for b in found])


def gap_in_numpy(*case):
    gap, counts = gaps(*case)
    return np.average(abs(gap), weights=counts)


def gap_by_edges(probabilities, labels, bands, closed=True):
    confidence, answer = probabilities.max(-1)
    right = (answer == labels).float()
    edges, total = torch.linspace(0, 1, bands + 1), 0.0
    for low, high in zip(edges[:-1], edges[1:]):
        rows = (confidence > low) & (confidence <= high) if closed else (confidence >= low) & (confidence < high)
        if rows.any():
            total += rows.float().mean() * (confidence[rows].mean() - right[rows].mean()).abs()
    return total


def gap_of_even_bands(probabilities, labels, bands):
    confidence, right, _ = bands_of(probabilities, labels, bands)
    order = confidence.argsort()
    return sum(abs(confidence[part].sum() - right[part].sum()) for part in np.array_split(order, bands)) / len(labels)


def gap_of_rounded_bands(probabilities, labels, bands):
    confidence, right, _ = bands_of(probabilities, labels, bands)
    band = np.minimum(np.rint(confidence * bands), bands - 1)
    return sum(abs(confidence[band == b].sum() - right[band == b].sum()) for b in range(bands)) / len(labels)


def gap_cut_by(edges_of, by_middle=False):
    """The bands lie between other edges: a function of confidence and the number of bands."""
    def gap(probabilities, labels, bands):
        confidence, right, _ = bands_of(probabilities, labels, bands)
        edges = np.array(edges_of(confidence, bands))
        band = np.clip(np.searchsorted(edges, confidence, side="right") - 1, 0, len(edges) - 2)
        sure = (edges[:-1] + edges[1:])[band] / 2 if by_middle else confidence
        return sum(abs((sure - right)[band == b].sum()) for b in set(band)) / len(labels)
    return gap


def gap_of_every_class(probabilities, labels, bands):
    total = 0.0
    for label in range(3):
        sure, right = probabilities[:, label].numpy(), (labels == label).numpy()
        band = np.minimum((sure * bands).astype(int), bands - 1)
        total += sum(abs((sure - right)[band == b].sum()) for b in set(band))
    return total / probabilities.numel()


def gap_of_the_label(probabilities, labels, bands):
    confidence = probabilities[torch.arange(len(labels)), labels].numpy()
    _, right, _ = bands_of(probabilities, labels, bands)
    band = np.minimum((confidence * bands).astype(int), bands - 1)
    return sum(abs(confidence[band == b].sum() - right[band == b].sum()) for b in range(bands)) / len(labels)


# --- 6.3 seed_interval ---


def interval_in_plain_python(accuracies):
    n = len(accuracies)
    mean = sum(accuracies) / n
    spread = math.sqrt(sum((x - mean) ** 2 for x in accuracies) / (n - 1))
    half = {2: 4.303, 3: 3.182, 4: 2.776, 7: 2.365}[n - 1] * spread / math.sqrt(n)
    return [mean, mean - half, mean + half]


def interval_by_scipy(accuracies):
    low, high = stats.t.interval(0.95, len(accuracies) - 1, np.mean(accuracies), stats.sem(accuracies))
    return np.array([np.mean(accuracies), low, high])


def around(half, middle=np.mean):
    return lambda x: (middle(x), middle(x) - half(torch.tensor(x)), middle(x) + half(torch.tensor(x)))


def quantile(x, share=0.975, freedom=1):
    return stats.t.ppf(share, len(x) - freedom)


def error(x):
    return x.std() / math.sqrt(len(x))


# --- 6.4 four_readers ---

BOTH = ("text", "image")
READERS = {"text": ("text",), "image": ("image",), "both": BOTH}


def fitted(train, validation, seed=0, choose="validation", test=None, steps=30, rate=0.3):
    """A linear head on (inputs, labels) by gradient descent, the step chosen on validation, test or not at all."""
    mean = np.append(train[0].mean(0).numpy(), 0)  # of the inputs; the last column is one, for the bias

    def scores(inputs, weight):
        return (np.c_[inputs, np.ones(len(inputs))] - mean) @ weight

    def loss(posts, weight):
        return -special.log_softmax(scores(posts[0], weight), 1)[np.arange(len(posts[1])), posts[1]].mean()

    weight = np.random.default_rng(seed).normal(0, 0.1, (len(mean), 3))
    kept, lowest = None, math.inf
    for _ in range(steps):
        gradient = special.softmax(scores(train[0], weight), 1) - np.eye(3)[train[1]]
        weight = weight - rate / len(train[1]) * (np.c_[train[0], np.ones(len(train[1]))] - mean).T @ gradient
        held_out = -math.inf if choose == "last" else loss(test if choose == "test" else validation, weight)
        if held_out < lowest or choose == "last":
            kept, lowest = weight, held_out
    return lambda inputs: torch.from_numpy(scores(inputs, kept))


def inputs_of(posts, sides):
    return torch.cat([posts[side] for side in sides], 1)


def share_right(head, inputs, labels):
    return (head(inputs).argmax(-1) == labels).double().mean().item()


def shuffle(labels, seed=0):
    return labels[torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))]


def readers(control="labels", measured="test", sides=READERS, percent=False, **how):
    """An experiment with one flaw: how the control is made, what is measured, how a head is trained."""
    def experiment(train, validation, test):
        def score(sides, learn=train, choose_on=validation, check=test):
            sets = [(inputs_of(posts, sides), posts["labels"]) for posts in (learn, choose_on, check)]
            head = fitted(*sets[:2], test=sets[2], **how)
            target = {"train": sets[0], "test": sets[2]}[measured]
            return share_right(head, *target) * (100 if percent else 1)

        def moved(posts):
            if control != "together":
                return {**posts, "labels": shuffle(posts["labels"])}
            return {name: shuffle(tensor) for name, tensor in posts.items()}  # all by the same order

        result = {name: score(chosen) for name, chosen in sides.items()}
        if control == "test":
            result["control"] = score(BOTH, check={**test, "labels": shuffle(test["labels"])})
        elif control == "validation":
            result["control"] = score(BOTH, choose_on={**validation, "labels": shuffle(validation["labels"])})
        elif control == "train":
            result["control"] = score(BOTH, moved(train))
        else:
            check = {**test, "labels": shuffle(test["labels"])} if control == "everywhere" else test
            result["control"] = score(BOTH, moved(train), moved(validation), check)
        return result
    return experiment


def readers_by_align(train, validation, test, which=(0, 1)):
    """The course's own tools; `which` of the control's sets have shuffled labels."""
    learn, choose, check = (Features({side: Encoded.of(posts[side]) for side in BOTH}, posts["labels"])
                            for posts in (train, validation, test))
    shuffled = [replace(posts, labels=shuffle(posts.labels)) if place in which else posts
                for place, posts in enumerate((learn, choose))]
    result = {}
    for name, (sets, sides) in {"text": ((learn, choose), ("text",)), "image": ((learn, choose), ("image",)),
                                "both": ((learn, choose), BOTH), "control": (shuffled, BOTH)}.items():
        fusion = Concat({side: learn.widths[side] for side in sides})
        head = random_head(fusion.width, hidden=32)
        align(fusion, head, *sets, epochs=20, lr=0.02)
        result[name] = accuracy(head_answers(fusion, head, check), check.labels)
    return result


def readers_with_modules(train, validation, test, which=(0, 1)):
    """A linear head, whole batches, the epoch chosen by validation accuracy."""
    result = {}
    for name, sides in {**READERS, "control": BOTH}.items():
        sets = [(inputs_of(posts, sides), posts["labels"]) for posts in (train, validation, test)]
        if name == "control":
            sets[:2] = [(inputs, shuffle(labels, 5) if place in which else labels)
                        for place, (inputs, labels) in enumerate(sets[:2])]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            head = nn.Linear(sets[0][0].shape[1], 3)
        optimizer, best = torch.optim.AdamW(head.parameters(), lr=0.08), -1
        for _ in range(30):
            loss = F.cross_entropy(head(sets[0][0]), sets[0][1])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            with torch.no_grad():
                found = share_right(head, *sets[1])
                if found > best:
                    best, result[name] = found, torch.tensor(share_right(head, *sets[2]))
    return result


RIGHT = {
    "softened": [softened_by_hand, softened_in_a_loop, softened_on_a_copy, lambda z, t: (z / t).softmax(-1),
                 lambda z, t: special.softmax(z.numpy() / t, axis=1), lambda z, t: (z / t).log_softmax(-1).exp()],
    "calibration_gap": [gap_in_a_loop, gap_in_numpy, gap_by_edges],
    "seed_interval": [interval_in_plain_python, interval_by_scipy, around(lambda x: quantile(x) * error(x))],
    "four_readers": [readers(), readers_by_align, readers_with_modules],
}

WRONG = {
    "softened": [
        (lambda z, t: (z * t).softmax(-1), "wrong way round"),
        (lambda z, t: F.normalize(z.softmax(-1) / t, p=1, dim=-1), "has no effect"),
        (lambda z, t: (z / t).sigmoid(), "takes each score by itself"),
        (lambda z, t: z / z.sum(-1, keepdim=True), "divided by their sum, without"),
        (lambda z, t: z.softmax(-1) / t, "no longer sum to 1"),
        (lambda z, t: (z.softmax(1) / t).softmax(1), "applied twice"),
        (lambda z, t: z.softmax(1).pow(1 / t), "A power of the probabilities"),
        (lambda z, t: (z / t).softmax(0), "runs over the posts"),
        (lambda z, t: (z / t).exp() / (z / t).exp().sum(), "One softmax for the whole batch"),
        (lambda z, t: z / t, "logits still"),
        (lambda z, t: F.log_softmax(z / t, -1), "These are logarithms"),
        (lambda z, t: (z / t).exp(), "divided by its sum"),
        (lambda z, t: (z / t).exp() / (z / t).exp().sum(-1, keepdim=True), "not for large ones"),
        (lambda z, t: (z / t).tanh(), "not what the task asks for"),
        (softened_in_place, "no longer what they were"),
    ],
    "calibration_gap": [
        (lambda *case: np.abs(gaps(*case)[0]).mean(), "Every band weighs the same, however few"),
        (lambda *case: np.abs(gaps(*case)[0]).sum() / case[2], "empty ones count too"),
        (lambda *case: abs(np.average(gaps(*case)[0], weights=gaps(*case)[1])), "Gaps of opposite sign cancel"),
        (lambda *case: -np.average(gaps(*case)[0], weights=gaps(*case)[1]), "accuracy less confidence"),
        (lambda *case: np.abs(gaps(*case)[0]).max(), "widest gap"),
        (lambda *case: np.average(gaps(*case)[0] ** 2, weights=gaps(*case)[1]), "squared"),
        (gap_of_even_bands, "same number of answers"), (gap_of_rounded_bands, "Round down"),
        (gap_of_the_label, "takes the true label's"),
        (gap_cut_by(lambda sure, n: np.linspace(1 / 3, 1, n + 1)), "begin at one third"),
        (gap_cut_by(lambda sure, n: np.linspace(0, 1, n)), "one band too few"),
        (gap_cut_by(lambda sure, n: np.linspace(0, 1, 16)), "15 bands, whatever"),
        (gap_cut_by(lambda sure, n: np.linspace(0, 1, n + 1), by_middle=True), "middle of its band"),
        (gap_of_every_class, "All three probabilities"),
        (lambda p, y, n: (p.max(1).values - (p.argmax(1) == y).float()).abs().mean(), "without bands"),
        (lambda *case: len(case[1]) * gap_in_numpy(*case), "weighted by counts"),
        (lambda *case: gap_by_edges(*case, closed=False), "confidence of exactly 1"),
        (lambda *case: gap_in_numpy(*case) / case[2], "by that of the bands once more"),
        (lambda p, y, n: (lambda gap, counts, last: (abs(gap) * counts)[:len(gap) - last].sum() / len(y))(
            *gaps(p, y, n), bands_of(p, y, n)[2].max() == n - 1), "The last band is left out"),
        (lambda *case: np.average(gaps(*case)[0] ** 2, weights=gaps(*case)[1]) ** 0.5, "the root is taken of their"),
        (lambda *case: np.abs(gaps(*case)[0]), "Expected one number"),
    ],
    "seed_interval": [
        (around(lambda x: quantile(x) * x.std()), "where single runs lie"),
        (around(lambda x: quantile(x) * x.std() / len(x)), "not by its root"),
        (around(lambda x: quantile(x) * x.std(correction=0)), "divides their spread by n unless"),
        (around(lambda x: 1.96 * x.std(correction=0) / len(x) ** 0.5), "Two slips: 1.96 is"),
        (around(lambda x: quantile(x, freedom=0) * x.std(correction=0) / len(x) ** 0.5), "Two slips: the quantile"),
        (around(lambda x: quantile(x) * x.std() / (len(x) - 1) ** 0.5), "taken twice"),
        (around(lambda x: quantile(x) * x.std(correction=0) / len(x) ** 0.5), "n - 1 is due"),
        (around(lambda x: 1.96 * error(x)), "1.96 is for many runs"),
        (around(lambda x: 2 * error(x)), "rule of thumb"),
        (around(lambda x: quantile(x, freedom=0) * error(x)), "looked up under n"),
        (around(lambda x: quantile(x, share=0.95) * error(x)), "only 90 %"),
        (around(error), "quantile is missing"),
        (lambda x: (np.mean(x), min(x), max(x)), "lowest and the highest run"),
        (around(lambda x: quantile(x) * error(x), np.median), "median"),
        (lambda x: sorted(interval_by_scipy(x)), "the order is mean, low, high"),
        (lambda x: (np.mean(x), *interval_by_scipy(x)[:0:-1]), "The ends are swapped"),
        (lambda x: (np.mean(x), *[interval_by_scipy(x)[2] - np.mean(x)] * 2), "to either side"),
        (lambda x: interval_by_scipy(x)[1:], "Expected the shape"),
    ],
    "four_readers": [
        (readers(control="test"), "shows nothing"), (readers(control="everywhere"), "shuffled too"),
        (readers(control="together"), "far above chance"),
        (lambda *sets: readers_by_align(*sets, which=(1,)), "from their true labels"),
        (lambda *sets: readers_by_align(*sets, which=(0,)), "which epoch is luckiest"),
        (lambda *sets: {**readers_by_align(*sets), "control": share_right(lambda x: torch.eye(3)[[0] * len(x)], *(
            inputs_of(sets[2], BOTH), sets[2]["labels"]))}, "does not learn"),
        (readers(measured="train"), "other test labels are handed in"),
        (readers(choose="test"), "change with the test labels"),
        (readers(choose="last"), "whatever the validation labels say"),
        (readers(seed=None), "a seed of its own"),
        (readers(sides={"text": ("image",), "image": ("text",), "both": BOTH}), "look swapped"),
        (readers(sides={**READERS, "both": ("text",), "image": ("image",)}), "the better side alone"),
        (readers(rate=1e-6), "hardly learn"),
        (readers(percent=True), "between 0 and 1"),
        (lambda train, validation, test: [0.6, 0.5, 0.8, 0.33], "got a list"),
        (lambda train, validation, test: {"text": 0.6, "image": 0.5, "both": 0.8}, "got one with"),
    ],
}
