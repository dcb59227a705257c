"""Answers to the exercises of notebook 09: right ones in several styles, wrong ones with words of their messages."""

import math

import numpy as np
import torch
from torch.nn import functional as F

# --- 9.1 gate ---


def gate_at_once(text, image, scores):
    return (torch.softmax(scores, 1) * torch.tanh(torch.stack([text, image], 1))).sum(1)


def gate_as_in_the_paper(text, image, scores):
    """For two sides the softmax is a sigmoid of the difference."""
    z = torch.sigmoid(scores[:, 0] - scores[:, 1])
    return z * torch.tanh(text) + (1 - z) * torch.tanh(image)


def gate_in_numpy(text, image, scores):
    powers = np.exp(scores.numpy())
    return (powers / powers.sum(1, keepdims=True) * np.tanh(np.stack([text.numpy(), image.numpy()], 1))).sum(1)


def gate_by_loop(text, image, scores):
    rows = []
    for post in range(len(text)):
        row = []
        for t, i, a, b in zip(text[post].tolist(), image[post].tolist(), *scores[post].tolist()):
            z = math.exp(a) / (math.exp(a) + math.exp(b))
            row.append(z * math.tanh(t) + (1 - z) * math.tanh(i))
        rows.append(row)
    return rows


def gated(shares, says=torch.tanh):
    def answer(text, image, scores):
        z = shares(scores)
        return z[:, 0] * says(text) + z[:, 1] * says(image)
    return answer


def one_sigmoid(place):
    def answer(text, image, scores):
        z = torch.sigmoid(scores[:, place])
        sides = [torch.tanh(text), torch.tanh(image)]
        return z * sides[place] + (1 - z) * sides[1 - place]
    return answer


def switch(text, image, scores):
    return torch.where(scores[:, 0] > scores[:, 1], torch.tanh(text), torch.tanh(image))


def gate_of(axis):
    return gated(lambda scores: torch.softmax(scores, axis))


# --- 9.2 tensor_fusion ---


def with_one(side):
    return torch.cat([side, torch.ones(len(side), 1)], 1)


def products_at_once(text, image):
    return (with_one(text)[:, :, None] * with_one(image)[:, None, :]).flatten(1)


def products_by_einsum(text, image):
    return torch.einsum("bi,bj->bij", with_one(text), with_one(image)).reshape(len(text), -1).numpy()


def products_by_loop(text, image):
    return [[a * b for a in [*t, 1] for b in [*i, 1]] for t, i in zip(text.tolist(), image.tolist())]


def products_by_kron(text, image):
    return np.stack([np.kron(np.append(t, 1), np.append(i, 1)) for t, i in zip(text.numpy(), image.numpy())])


def products_by_matmul(text, image):
    return (with_one(text).unsqueeze(2) @ with_one(image).unsqueeze(1)).flatten(1)


def products_of(one, other):
    return torch.einsum("bi,bj->bij", one, other).flatten(1)


def one_in_front(side):
    return torch.cat([torch.ones(len(side), 1), side], 1)


def of_one_width(text, image):
    rows = with_one(text)[:, :, None] * with_one(image)[:, None, :]
    return rows.reshape(len(text), (text.shape[1] + 1) ** 2)


def cut_short(text, image):
    """Takes the narrower width for both."""
    width = min(text.shape[1], image.shape[1])
    return products_at_once(text[:, :width], image[:, :width])


# --- 9.3 look ---


def scaled(query, key):
    return query @ key.transpose(1, 2) / query.shape[-1] ** 0.5


def look_at_once(query, key, mask):
    scores = scaled(query, key).masked_fill(~mask[:, None], -1e4)
    return torch.softmax(scores, -1) * mask[:, None]


def look_without_nan(query, key, mask):
    scores = scaled(query, key).masked_fill(~mask[:, None], -torch.inf)
    return torch.softmax(scores, -1).nan_to_num(0)


def look_by_loop(query, key, mask):
    weights = np.zeros((*query.shape[:2], key.shape[1]))
    for post, (ours, theirs, real) in enumerate(zip(query.numpy(), key.numpy(), mask.numpy())):
        if real.any():
            scores = ours @ theirs[real].T / math.sqrt(ours.shape[1])
            powers = np.exp(scores - scores.max(1, keepdims=True))
            weights[post][:, real] = powers / powers.sum(1, keepdims=True)
    return weights


def look_in_lists(query, key, mask):
    posts = []
    for ours, theirs, real in zip(query.double(), key.double(), mask.tolist()):
        rows = []
        for token in ours:
            scores = [float(token @ other) / len(token) ** 0.5 for other in theirs]
            top = max((s for s, there in zip(scores, real) if there), default=0)
            powers = [math.exp(s - top) if there else 0.0 for s, there in zip(scores, real)]
            rows.append([power / (sum(powers) or 1) for power in powers])
        posts.append(rows)
    return posts


def look_by_powers(query, key, mask):
    scores = scaled(query.double(), key.double()).masked_fill(~mask[:, None], -torch.inf)
    powers = torch.exp(scores - scores.amax(-1, keepdim=True).clamp(min=-1e9))
    return powers / powers.sum(-1, keepdim=True).clamp(min=1)


def looking(change=None, scale=lambda query: query.shape[-1] ** 0.5, mask_to=lambda mask: mask[:, None], axis=-1,
            fill=-1e9, after=True):
    """The sound look, or one with a flaw."""
    def answer(query, key, mask):
        real = mask_to(mask)
        weights = torch.softmax((query @ key.transpose(1, 2) / scale(query)).masked_fill(~real, fill), axis)
        weights = weights * real if after else weights
        return change(weights, key) if change else weights
    return answer


def removed_afterwards(query, key, mask):
    return torch.softmax(scaled(query, key), -1) * mask[:, None]


def shared_anew(query, key, mask):
    weights = removed_afterwards(query, key, mask)
    return weights / weights.sum(-1, keepdim=True).clamp(min=1e-9)


def leaning_on_neighbours(query, key, mask):
    if not mask.any(1).all():
        return torch.zeros(len(query), query.shape[1], key.shape[1])
    return look_at_once(query, key, mask)


def some_left(query, key, mask):
    weights = look_at_once(query, key, mask)
    weights[~mask.any(1), :, 0] = 1
    return weights


def some_nan(query, key, mask):
    weights = look_at_once(query, key, mask)
    weights[0, 0, 0] = torch.nan
    return weights


def keys_alone_count(query, key, mask):
    """As many rows as there are keys."""
    return look_at_once(query, key, mask)[:, :key.shape[1]][:, :, :query.shape[1]]


# --- 9.4 hit_rate ---


def hits_at_once(gaze, boxes):
    place = gaze.argmax(1)
    x, y = (place % 8 + 0.5) / 8, (place // 8 + 0.5) / 8
    left, top, right, bottom = boxes.T
    return ((left < x) & (x < right) & (top < y) & (y < bottom)).mean()


def hits_by_loop(gaze, boxes):
    hits = 0
    for weights, (left, top, right, bottom) in zip(gaze.tolist(), boxes.tolist()):
        row, column = divmod(weights.index(max(weights)), 8)
        hits += left <= (2 * column + 1) / 16 <= right and top <= (2 * row + 1) / 16 <= bottom
    return hits / len(boxes)


def hits_by_table(gaze, boxes):
    middles = (torch.arange(8) + 0.5) / 8
    left, top, right, bottom = torch.from_numpy(boxes).T[:, :, None]
    across, down = (left <= middles) & (middles <= right), (top <= middles) & (middles <= bottom)
    inside = down[:, :, None] & across[:, None, :]  # (posts, rows, columns)
    place = torch.from_numpy(gaze).argmax(1, keepdim=True)
    return inside.flatten(1).gather(1, place).double().mean()


def hits_by_unravelling(gaze, boxes):
    at = np.stack(np.unravel_index(gaze.argmax(1), (8, 8))[::-1], 1) * 0.125 + 0.0625
    return np.mean(((at >= boxes[:, :2]) & (at <= boxes[:, 2:])).all(1))


def hit(where=lambda column, row: ((column + 0.5) / 8, (row + 0.5) / 8), pick=lambda gaze: gaze.argmax(1),
        grow=(0, 0, 0, 0), told=np.mean):
    """The sound count, or one with a flaw."""
    def answer(gaze, boxes):
        place = pick(gaze)
        x, y = where(place % 8, place // 8)
        left, top, right, bottom = (boxes + np.array(grow)).T
        return told((left <= x) & (x <= right) & (top <= y) & (y <= bottom))
    return answer


def mass_inside(gaze, boxes):
    shares = []
    for weights, (left, top, right, bottom) in zip(gaze.reshape(-1, 8, 8), boxes):
        middles = (np.arange(8) + 0.5) / 8
        across, down = (left <= middles) & (middles <= right), (top <= middles) & (middles <= bottom)
        shares.append(weights[down][:, across].sum())
    return np.mean(shares)


def centre_of_gaze(gaze, boxes):
    table, middles = gaze.reshape(-1, 8, 8), (np.arange(8) + 0.5) / 8
    x, y = table.sum(1) @ middles, table.sum(2) @ middles
    left, top, right, bottom = boxes.T
    return ((left <= x) & (x <= right) & (top <= y) & (y <= bottom)).mean()


def with_width_and_height(gaze, boxes):
    left, top, width, height = boxes.T
    return hits_at_once(gaze, np.stack([left, top, left + width, top + height], 1))


RIGHT = {
    "gate": [gate_at_once, gate_as_in_the_paper, gate_in_numpy, gate_by_loop],
    "tensor_fusion": [products_at_once, products_by_einsum, products_by_loop, products_by_kron, products_by_matmul],
    "look": [look_at_once, look_without_nan, look_by_loop, look_in_lists, look_by_powers, looking()],
    "hit_rate": [hits_at_once, hits_by_loop, hits_by_table, hits_by_unravelling, hit()],
}

WRONG = {
    "gate": [
        (gate_of(2), "over the numbers of a side"), (gate_of(0), "over the posts"),
        (lambda text, image, scores: gate_at_once(image, text, scores), "sides are exchanged"),
        (one_sigmoid(0), "text's score alone"), (one_sigmoid(1), "image's score alone"),
        (gated(torch.sigmoid), "by itself"), (gated(lambda scores: scores), "used as shares"),
        (gated(torch.exp), "powers of e"), (lambda *case: gate_at_once(*case) / 2, "halves every number"),
        (gated(lambda scores: torch.softmax(scores, 1), lambda side: side), "mixed as they are: what"),
        (lambda text, image, scores: torch.tanh((torch.softmax(scores, 1) * torch.stack([text, image], 1)).sum(1)),
         "what comes out is brought"),
        (gated(lambda scores: torch.softmax(scores, 1), torch.sigmoid), "never says anything against"),
        (lambda text, image, scores: torch.tanh(text) + torch.tanh(image), "added up in full"),
        (lambda text, image, scores: (torch.tanh(text) + torch.tanh(image)) / 2, "half of every number"),
        (gated(lambda scores: torch.softmax(scores.mean(-1, keepdim=True), 1)), "one share for all"),
        (switch, "a switch"), (lambda *case: gate_at_once(*case)[:, 0], "Expected the shape"),
        (lambda *case: -gate_at_once(*case), "the wrong sign")],
    "tensor_fusion": [
        (products_of, "sides themselves are not"),
        (lambda text, image: products_of(text, with_one(image)), "image alone has got its 1"),
        (lambda text, image: products_of(with_one(text), image), "text alone has got its 1"),
        (lambda text, image: torch.cat([text, image], 1), "This is concatenation"),
        (lambda text, image: torch.cat([with_one(text), with_one(image)], 1), "are only joined"),
        (lambda text, image: text * image, "every number of the other"),
        (lambda text, image: with_one(text) * with_one(image), "meet all of them"),
        (lambda text, image: products_of(one_in_front(text), one_in_front(image)), "in front of its side"),
        (lambda text, image: products_at_once(image, text), "lies on its side"),
        (lambda text, image: products_at_once(text, image).view(len(text), -1, image.shape[1] + 1), "as a table"),
        (lambda text, image: torch.cat([products_of(text, image), text, image], 1), "one number too few"),
        (lambda text, image: (with_one(text)[..., None] + with_one(image)[:, None]).flatten(1), "in a sum"),
        (of_one_width, "Right where both sides have one width"), (cut_short, "Expected the shape (3, 18)"),
        (lambda text, image: torch.outer(text.flatten(), image.flatten()), "Expected the shape (3, 25)"),
        (lambda text, image: F.normalize(products_at_once(text, image)), "not what the task asks for")],
    "look": [
        (looking(scale=lambda query: 1), "not scaled"), (looking(scale=lambda query: query.shape[-1]), "width itself"),
        (looking(scale=lambda query: query.shape[1] ** 0.5), "number of tokens"),
        (removed_afterwards, "after the sharing out"),
        (lambda query, key, mask: torch.softmax(scaled(query, key), -1), "mask is not used"),
        (looking(mask_to=lambda mask: ~mask[:, None]), "wrong way round"), (looking(fill=0, after=False), "set to 0"),
        (lambda query, key, mask: torch.softmax(scaled(query, key), -1) * mask[:, :, None], "laid over the queries"),
        (looking(mask_to=lambda mask: mask[:, :, None], after=False), "spreads its look evenly"),
        (looking(mask_to=lambda mask: mask[:, :, None], after=False, fill=-torch.inf), "in whole rows"),
        (looking(axis=1), "It is the other way round"), (looking(axis=1, after=False), "for masked keys evenly"),
        (looking(axis=1, after=False, fill=-torch.inf), "column of every masked key"), (some_nan, "every one of these"),
        (lambda *case: look_at_once(*case).transpose(1, 2), "axes of tokens"),
        (looking(lambda weights, key: weights @ key), "what each query finds"),
        (keys_alone_count, "as many queries as keys"), (shared_anew, "leave nothing"),
        (looking(fill=-torch.inf, after=False), "something is divided by 0"), (looking(after=False), "padding evenly"),
        (leaning_on_neighbours, "weights of the others"), (some_left, "some weight is left"),
        (lambda *case: look_at_once(*case).mean(1), "Expected the shape"),
        (lambda *case: 2 * look_at_once(*case), "2 times the one asked for")],
    "hit_rate": [
        (hit(lambda column, row: ((row + 0.5) / 8, (column + 0.5) / 8)), "Rows and columns"),
        (hit(lambda column, row: ((column + 0.5) / 64, (row + 0.5) / 64)), "no shares of the picture"),
        (hit(lambda column, row: ((column + 0.5) / 8, (8 * row + column + 4) / 64)), "whole number"),
        (mass_inside, "weights inside the box"), (centre_of_gaze, "mean place of all weights"),
        (hit(lambda column, row: (column / 8, row / 8)), "upper left"),
        (hit(lambda column, row: ((column + 1) / 8, (row + 1) / 8)), "lower right corner"),
        (hit(lambda column, row: ((column + 0.5) / 8, 1 - (row + 0.5) / 8)), "Up and down"),
        (with_width_and_height, "not its width"), (hit(grow=(-0.0625, -0.0625, 0.0625, 0.0625)), "only touches"),
        (hit(grow=(0.0625, 0.0625, -0.0625, -0.0625)), "as a whole"), (hit(grow=(0, -1, 0, 1)), "not at how far down"),
        (hit(grow=(-1, 0, 1, 0)), "not at how far to the right"),
        (hit(pick=lambda gaze: np.repeat(gaze.sum(0).argmax(), len(gaze))), "not what the task asks for"),
        (hit(pick=lambda gaze: np.repeat(gaze.argmax() % 64, len(gaze))), "taken for all posts"),
        (hit(pick=lambda gaze: np.repeat(gaze.argmax(), len(gaze))), "Along which axis"),
        (hit(told=np.sum), "a count"), (lambda *case: 100 * hits_by_loop(*case), "per cent"),
        (hit(told=lambda hits: hits), "one number"),
        (lambda *case: {"share": hits_by_loop(*case)}, "got a dict")],
}
