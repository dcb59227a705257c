"""Right and wrong answers to the exercises of notebook 02: what its checks must accept, and what they must refuse."""

import functools
import itertools

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from mmsa_utils import load_text_encoder, phrases


def average_at_once(states, mask):
    weights = mask[..., None].float()
    return (states * weights).sum(1) / weights.sum(1)


def average_by_loop(states, mask):
    return torch.stack([text[real.bool()].mean(0) for text, real in zip(states, mask)])


def average_in_lists(states, mask):
    states, mask = states.numpy(), mask.numpy()
    return [np.average(text, axis=0, weights=real).tolist() for text, real in zip(states, mask)]


def pad_by_loop(texts, filler):
    longest = max(len(text) for text in texts)
    ids = [text + [filler] * (longest - len(text)) for text in texts]
    return ids, [[1] * len(text) + [0] * (longest - len(text)) for text in texts]


def pad_arrays(texts, filler):
    lengths = np.array([len(text) for text in texts])
    mask = np.arange(lengths.max()) < lengths[:, None]
    ids = np.full(mask.shape, filler)
    ids[mask] = np.concatenate(texts)
    return ids, mask


def pad_tensors(texts, filler):
    rows = [torch.tensor(text) for text in texts]
    ids = nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=filler)
    mask = nn.utils.rnn.pad_sequence([torch.ones_like(row) for row in rows], batch_first=True)
    return [ids, mask]


def pad_by_zip(texts, filler):
    columns = list(itertools.zip_longest(*texts, fillvalue=None))
    ids = [[filler if token is None else token for token in row] for row in zip(*columns)]
    return np.array(ids), np.array([[token is not None for token in row] for row in zip(*columns)])


def pad_and_look(texts, filler):
    """The mask from the ids: a text that holds the filler's id itself is cut open."""
    ids = np.array(pad_by_loop(texts, filler)[0])
    return ids, (ids != filler).astype(int)


def pad_left(texts, filler):
    longest = max(map(len, texts))
    return ([[filler] * (longest - len(text)) + text for text in texts],
            [[0] * (longest - len(text)) + [1] * len(text) for text in texts])


def pad_to(texts, filler, length):
    ids = [(text + [filler] * length)[:length] for text in texts]
    return ids, [([1] * len(text) + [0] * length)[:length] for text in texts]


def nearest_at_once(features, row, count):
    similar = F.cosine_similarity(features, features[row:row + 1])
    similar[row] = -2
    return similar.topk(count).indices


def nearest_by_loop(features, row, count):
    def cosine(i):
        return (features[i] @ features[row] / features[i].norm() / features[row].norm()).item()

    return sorted((i for i in range(len(features)) if i != row), key=cosine, reverse=True)[:count]


def nearest_in_arrays(features, row, count):
    x = features.numpy() / np.linalg.norm(features.numpy(), axis=1, keepdims=True)
    order = np.argsort(-(x @ x[row]))
    return order[order != row][:count]


def nearest_by_mask(features, row, count):
    similar = F.cosine_similarity(features, features[row:row + 1])
    others = torch.arange(len(features)) != row
    return torch.arange(len(features))[others][similar[others].argsort(descending=True)[:count]].numpy()


def nearest_but_one(features, row, count):
    """Leaves out whatever comes first, which with an exact copy may be the copy."""
    return F.cosine_similarity(features, features[row:row + 1]).argsort(descending=True, stable=True)[1:count + 1]


def nearest_below_one(features, row, count):
    """Leaves out all that are as near as can be, copies too."""
    similar = F.cosine_similarity(features, features[row:row + 1])
    similar[similar > 0.9999] = -2
    return similar.topk(count).indices


def nearest_by_dot(features, row, count):
    order = (features @ features[row]).argsort(descending=True).tolist()
    return [i for i in order if i != row][:count]


def nearest_by_distance(features, row, count):
    return (features - features[row]).norm(dim=1).argsort()[1:count + 1]


def nearest_with_zero(features, row, count):
    similar = F.cosine_similarity(features, features[row:row + 1])
    similar[row] = 0
    return similar.topk(count).indices


def nearest_shifted(features, row, count):
    others = torch.cat([features[:row], features[row + 1:]])
    return F.cosine_similarity(others, features[row:row + 1]).topk(count).indices


def halves(seed, each=25, levels=phrases.ADJECTIVES):
    """Two lists of words, `each` of every level but 0 in either, and the labels of the lists."""
    rng, learn, test = np.random.default_rng(seed), [], []
    for level in (-2, -1, 1, 2):
        words = rng.permutation(levels[level]).tolist()
        learn += words[:each]
        test += words[each:2 * each]
    return learn, test


def mood_of(words):
    good = {word for known in (phrases.ADJECTIVES, phrases.UNSEEN_ADJECTIVES) for word in known[1] + known[2]}
    return torch.tensor([int(word in good) for word in words])


load = functools.cache(load_text_encoder)


@torch.no_grad()
def features_of(words, pretrained=True, frame="This burger is {}.", name="bert"):
    encoder = load(name, pretrained=pretrained)
    return encoder(**encoder.prepare([frame.format(word) for word in words]))


def by_means(learn, labels, test):
    bad, good = learn[labels == 0].mean(0), learn[labels == 1].mean(0)
    return ((test - (bad + good) / 2) @ (good - bad) > 0).int().tolist()


def by_layer(learn, labels, test):
    layer = nn.Linear(learn.shape[1], 2)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    optimizer = torch.optim.AdamW(layer.parameters(), lr=0.03, weight_decay=1.0)
    for _ in range(60):
        optimizer.zero_grad()
        F.cross_entropy(layer(learn), labels).backward()
        optimizer.step()
    return layer(test).argmax(1)


def by_squares(learn, labels, test):
    x, y = learn.double().numpy(), 2.0 * labels.numpy() - 1
    weights = np.linalg.solve(x.T @ x + len(x) * np.eye(x.shape[1]), x.T @ y)
    return (test.double().numpy() @ weights > 0).astype(int)


def experiment(learn, test, probe=by_means, **how):
    labels, result = mood_of(learn), {"learn": learn, "test": test}
    for name in ("pretrained", "random"):
        result[name] = probe(features_of(learn, name == "pretrained", **how), labels,
                             features_of(test, name == "pretrained", **how))
    return result


LEARN, TEST = halves(0)
FOUND = experiment(LEARN, TEST)
UNSEEN = [word for level in (-2, -1, 1, 2) for word in phrases.UNSEEN_ADJECTIVES[level]]
TRUTH = mood_of(TEST).tolist()
SORTED = [word for level in (-2, -1, 1, 2) for word in phrases.ADJECTIVES[level][:40]]  # the negative ones first

RIGHT = {
    "token_average": [average_at_once, average_by_loop, average_in_lists],
    "pad_batch": [pad_by_loop, pad_arrays, pad_tensors, pad_by_zip],
    "nearest_rows": [nearest_at_once, nearest_by_loop, nearest_in_arrays, nearest_by_mask],
    "unknown_words": [
        FOUND,
        experiment(*halves(2), by_layer, name="distilbert"),
        experiment(tuple(halves(1, each=50)[0]), tuple(UNSEEN), by_squares, frame="I found the soup {}."),
    ],
}

WRONG = {
    "token_average": [
        (lambda states, mask: states.mean(1), "averaged in"),
        (lambda states, mask: (states * mask[..., None]).mean(1), "still counted"),
        (lambda states, mask: (states * mask[..., None]).sum(1), "This is a sum"),
        (lambda states, mask: states[mask.bool()].mean(0), "One vector for the whole batch"),
        (lambda states, mask: states[:, 0], "first token alone"),
        (lambda states, mask: states.sum(1) / mask.sum(1, keepdim=True), "still added in"),
        (lambda states, mask: (states * mask[..., None]).sum(1) / mask.sum(), "whole batch: each text"),
        (lambda states, mask: 2 * average_at_once(states, mask), "not what the task asks for"),
        (lambda states, mask: (states * mask).sum(1), "RuntimeError"),
    ],
    "pad_batch": [
        (lambda texts, filler: pad_by_loop(texts, filler)[::-1], "swapped"),
        (lambda texts, filler: (pad_arrays(texts, filler)[0], ~pad_arrays(texts, filler)[1]), "wrong way round"),
        (lambda texts, filler: (pad_arrays(texts, filler)[0], np.ones_like(pad_arrays(texts, filler)[0])),
         "every token real"),
        (lambda texts, filler: pad_by_loop(texts, 0), "The filling is always 0"),
        (lambda texts, filler: (pad_by_loop(texts, filler)[0], pad_by_loop([[1] * len(t) for t in texts], filler)[0]),
         "In the mask padding"),
        (lambda texts, filler: (pad_arrays(texts, filler)[0], pad_arrays(texts, filler)[0] > 0), "every id but 0"),
        (pad_left, "before the text"),
        (lambda texts, filler: pad_to(texts, filler, min(map(len, texts))), "shortest"),
        (lambda texts, filler: pad_to(texts, filler, max(map(len, texts)) + 1), "One column too many"),
        (lambda texts, filler: (texts, [[1] * len(text) for text in texts]), "rectangle"),
        (lambda texts, filler: pad_by_loop(texts, filler)[0], "Expected two tables"),
        (lambda texts, filler: pad_to(texts, filler, 20), "Expected the shape"),
        (pad_and_look, "calls a real token padding"),
    ],
    "nearest_rows": [
        (lambda x, row, count: F.cosine_similarity(x, x[row:row + 1]).topk(count).indices, "itself comes first"),
        (lambda x, row, count: nearest_at_once(x, row, count)[:-1], "missing at the end"),
        (lambda x, row, count: F.cosine_similarity(x, x[row:row + 1]).argsort()[:count], "farthest"),
        (lambda x, row, count: nearest_at_once(x, row, count).flip(0), "wrong order"),
        (lambda x, row, count: sorted(nearest_at_once(x, row, count)), "order of their rows"),
        (nearest_with_zero, "goes down to -1"),
        (nearest_by_dot, "dot product"),
        (nearest_by_distance, "straight distance"),
        (nearest_shifted, "Off by one"),
        (lambda x, row, count: F.cosine_similarity(x, x[row:row + 1]).sort(descending=True).values[1:count + 1],
         "similarities"),
        (lambda x, row, count: nearest_at_once(F.normalize(x, dim=0), row, count), "not what the task asks for"),
        (nearest_but_one, "gives back the text itself"), (nearest_below_one, "does not find it"),
    ],
    "unknown_words": [
        ({**FOUND, "learn": TEST[::2] + LEARN[::2]}, "may be memory"),
        ({**FOUND, "learn": SORTED[:80], "test": SORTED[80:]}, "learns from, 0% are positive"),
        ({**FOUND, "test": [word for word, mood in zip(TEST, TRUTH) if mood] + TEST[:10]}, "is tested on, "),
        ({**FOUND, "test": TEST[:10] + TEST[-10:]}, "different test words"),
        ({**FOUND, "random": FOUND["pretrained"]}, "two different networks"),
        ({**FOUND, "pretrained": FOUND["random"], "random": FOUND["pretrained"]}, "random encoder wins"),
        ({**FOUND, "pretrained": [1 - mood for mood in FOUND["pretrained"]]}, "more often than a coin"),
        ({**FOUND, "random": TRUTH[10:] + TRUTH[:10], "pretrained": TRUTH}, "did the probe learn from them"),
        ({**FOUND, "pretrained": [int(i % 5 > 1) == mood for i, mood in enumerate(TRUTH)]}, "in the same order"),
        ({**FOUND, "pretrained": [int(a == b) for a, b in zip(FOUND["pretrained"], TRUTH)]}, "whether it was right"),
        ({**FOUND, "pretrained": [0.3 + mood / 2 for mood in TRUTH]}, "scores or probabilities"),
        ({**FOUND, "random": FOUND["random"][:-1]}, "one answer, 0 or 1, for each"),
        ({**FOUND, "test": [*TEST[:-1], "ordinary"]}, "no adjective of the lists"),
        ({"pretrained": 0.9, "random": 0.5}, "Expected a dictionary"),
        (0.9, "got a float"),
    ],
}
