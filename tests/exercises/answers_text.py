"""Right and wrong answers to the exercises of notebook 02: what its checks must accept, and what they must refuse."""

import itertools

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F


def words_only(mask):
    """The mask without each text's first and last real token."""
    mask = mask.clone()
    mask[torch.arange(len(mask)), mask.sum(1) - 1] = 0
    mask[:, 0] = 0
    return mask


def average_at_once(states, mask):
    weights = words_only(mask)[..., None].float()
    return (states * weights).sum(1) / weights.sum(1)


def average_by_loop(states, mask):
    return torch.stack([text[real.bool()][1:-1].mean(0) for text, real in zip(states, mask)])


def average_in_lists(states, mask):
    states, mask = states.numpy(), mask.numpy()
    return [text[1:real.sum() - 1].mean(0).tolist() for text, real in zip(states, mask)]


def average_by_shifting(states, mask):
    """A token is a word where one stands before it and one after: the mask, moved by two, says so."""
    weights = (mask[:, 2:] * mask[:, :-2])[..., None]
    return (states[:, 1:-1] * weights).sum(1) / weights.sum(1)


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


# --- 2.4 order_counts ---


def encode(texts, vectors, places):
    return (vectors[texts] * places[:, None]).sum(1)


def by_squares(inputs, labels, learn, test):
    x = (inputs - inputs[learn].mean(0)) / (inputs[learn].std(0) + 1e-6)
    weights = np.linalg.solve(x[learn].T @ x[learn] + 10 * np.eye(x.shape[1]), x[learn].T @ (2 * labels[learn] - 1))
    return ((x[test] @ weights > 0) == labels[test]).mean()


def by_means(inputs, labels, learn, test):
    bad, good = (inputs[learn][labels[learn] == mood].mean(0) for mood in (0, 1))
    return (((inputs[test] - (bad + good) / 2) @ (good - bad) > 0) == (labels[test] == 1)).mean()


def by_layer(inputs, labels, learn, test):
    x, y = torch.tensor(inputs).float(), torch.tensor(labels)
    layer = nn.Linear(x.shape[1], 2)
    nn.init.zeros_(layer.weight)
    optimizer = torch.optim.AdamW(layer.parameters(), lr=0.03, weight_decay=1.0)
    for _ in range(60):
        optimizer.zero_grad()
        F.cross_entropy(layer(x[learn]), y[learn]).backward()
        optimizer.step()
    return (layer(x[test]).argmax(1) == y[test]).float().mean()


def by_text(texts, rng, share=0.5):
    """Two lists of places such that no text is in both."""
    distinct = dict.fromkeys(map(tuple, texts.tolist()))
    order = rng.permutation(len(distinct))
    rank = dict(zip(distinct, order.tolist()))
    first = np.array([rank[tuple(text)] < share * len(distinct) for text in texts.tolist()])
    return np.flatnonzero(first), np.flatnonzero(~first)


def by_row(texts, rng):
    return np.array_split(rng.permutation(len(texts)), 2)


def mixed(texts, rng):
    return rng.permuted(texts, axis=1)


def mixed_one_by_one(texts, rng):
    return np.array([rng.permutation(text) for text in texts.tolist()])


def swapped_once(texts, rng):
    """Two neighbours change places in each text: nearly all of its order stays."""
    texts = texts.copy()
    for text in texts:
        place = rng.integers(0, len(text) - 1)
        text[[place, place + 1]] = text[[place + 1, place]]
    return texts


def order_by(fit=by_squares, split=by_text, mix=mixed, one_probe=False, names=("written", "any_order"), test_too=True,
             times=1, write=lambda texts, rng: texts):
    """The experiment, or one with a flaw."""
    def experiment(texts, moods, vectors, places):
        rng = np.random.default_rng(0)
        learn, test = split(texts, rng)
        moved = mix(texts, rng)
        if one_probe:
            moved[learn] = texts[learn]
        if not test_too:
            moved[test] = texts[test]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return {name: times * fit(encode(words, vectors, places), moods, learn, test)
                    for name, words in zip(names, (write(texts, rng), moved))}
    return experiment


def with_equal_places(texts, moods, vectors, places):
    """Makes the encoder blind to order, where the texts were to lose theirs."""
    return {"written": order_by()(texts, moods, vectors, places)["written"],
            "any_order": order_by()(texts, moods, vectors, np.ones(len(places)))["written"]}


RIGHT = {
    "token_average": [average_at_once, average_by_loop, average_in_lists, average_by_shifting],
    "pad_batch": [pad_by_loop, pad_arrays, pad_tensors, pad_by_zip],
    "nearest_rows": [nearest_at_once, nearest_by_loop, nearest_in_arrays, nearest_by_mask],
    "order_counts": [order_by(), order_by(by_means), order_by(by_layer, mix=mixed_one_by_one),
                     order_by(split=lambda texts, rng: by_text(texts, rng, share=0.7)),
                     order_by(mix=lambda texts, rng: np.sort(texts, axis=1))],
}


def average_blanking_columns(states, mask):
    words = mask.clone()
    words[:, 0] = 0
    words[:, mask.sum(1) - 1] = 0
    return (states * words[..., None]).sum(1) / words.sum(1, keepdim=True)


WRONG = {
    "token_average": [
        (lambda states, mask: (states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True), "but no words"),
        (lambda states, mask: states.mean(1), "padding is averaged in, and so are"),
        (lambda states, mask: torch.stack([text[1:real.sum()].mean(0) for text, real in zip(states, mask)]),
         "[SEP] is still averaged in"),
        (lambda states, mask: torch.stack([text[:real.sum() - 1].mean(0) for text, real in zip(states, mask)]),
         "[CLS] is still averaged in"),
        (lambda states, mask: torch.stack([torch.cat([text[1:real.sum() - 2], text[real.sum() - 1:real.sum()]]).mean(0)
                                           for text, real in zip(states, mask)]), "the word before it is not"),
        (lambda states, mask: (states * mask[..., None])[:, 1:-1].sum(1) / mask[:, 1:-1].sum(1, keepdim=True),
         "has its [SEP] before that"),
        (lambda states, mask: states[:, 1:-1].mean(1), "first and the last column"),
        (lambda states, mask: (states * words_only(mask)[..., None]).sum(1) / mask.sum(1, keepdim=True),
         "still count"),
        (lambda states, mask: (states * words_only(mask)[..., None]).mean(1), "by all tokens"),
        (lambda states, mask: (states * words_only(mask)[..., None]).sum(1), "This is a sum"),
        (lambda states, mask: (states * words_only(mask)[..., None]).sum(1) / words_only(mask).sum(),
         "whole batch: each text"),
        (lambda states, mask: states[words_only(mask).bool()].mean(0), "One vector for the whole batch"),
        (average_blanking_columns, "takes these columns in every row"),
        (lambda states, mask: 2 * average_at_once(states, mask), "2 times the one asked for"),
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
        (lambda texts, filler: pad_by_loop(sorted(texts, key=len), filler), "another order than before"),
        (lambda texts, filler: (pad_tensors(texts, filler)[0], torch.tensor([len(text) for text in texts])),
         "Both are tables"),
    ],
    "nearest_rows": [
        (lambda x, row, count: F.cosine_similarity(x, x[row:row + 1]).topk(count).indices, "itself comes first"),
        (lambda x, row, count: F.cosine_similarity(x, x[row:row + 1]).argsort()[-count:], "nearest comes last here"),
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
    "order_counts": [
        (order_by(split=by_row), "Some stand in the list twice"),
        (order_by(split=lambda texts, rng: [np.arange(len(texts))] * 2), "thrown by a coin"),
        (order_by(mix=lambda texts, rng: rng.permutation(texts)), "keep its own words"),
        (order_by(mix=lambda texts, rng: rng.permuted(texts, axis=0)), "wherever it stands"),
        (order_by(names=("any_order", "written")), "swapped"),
        (order_by(mix=lambda texts, rng: rng.permutation(texts, axis=1)), "one and the same way"),
        (order_by(mix=lambda texts, rng: texts[:, ::-1].copy()), "the order is still there"),
        (order_by(mix=swapped_once), '"any_order" came out as 0.'),
        (order_by(write=mixed), "left as they are"),
        (order_by(test_too=False), '"any_order" came out'),
        (order_by(one_probe=True), "Let a new one learn"),
        (with_equal_places, "Leave the encoder as it is"),
        (order_by(times=100), "between 0 and 1"),
        (lambda *case: 0.9, "got a float"),
        (lambda *case: {"written": 0.9}, "got one with 'written'"),
    ],
}
