"""Right and wrong answers to the exercises of notebook 03: what its checks must accept, and what they must refuse."""

import math

import numpy as np
import torch
from torch.nn import functional as F

# --- 3.1 ---


def size_by_steps(pixels, filter_size, stride, padding):
    first, places = 0, 0
    while first + filter_size <= pixels + 2 * padding:
        first, places = first + stride, places + 1
    return places


def size_by_pytorch(pixels, filter_size, stride, padding):
    row, weights = torch.zeros(1, 1, pixels), torch.zeros(1, 1, filter_size)
    return F.conv1d(row, weights, stride=stride, padding=padding).shape[-1]


# --- 3.2 ---


def patches_by_loop(pictures, patch):
    batch, _, height, width = pictures.shape
    rows = []
    for picture in pictures:
        for top in range(0, height, patch):
            for left in range(0, width, patch):
                rows.append(picture[:, top:top + patch, left:left + patch].flatten())
    return torch.stack(rows).reshape(batch, -1, rows[0].numel())


def patches_by_reshape(pictures, patch):
    x = pictures.numpy()
    b, c, h, w = x.shape
    x = x.reshape(b, c, h // patch, patch, w // patch, patch)
    return x.transpose(0, 2, 4, 1, 3, 5).reshape(b, (h // patch) * (w // patch), c * patch * patch)


def patches_by_lists(pictures, patch):
    return [[[float(v) for channel in picture for line in channel[top:top + patch] for v in line[left:left + patch]]
             for top in range(0, picture.shape[1], patch) for left in range(0, picture.shape[2], patch)]
            for picture in pictures]


def patches_mixed(*order):
    def answer(pictures, patch):
        blocks = pictures.unfold(2, patch, patch).unfold(3, patch, patch)
        return blocks.permute(0, *order).reshape(len(pictures), -1, 3 * patch * patch)
    return answer


def patches_split(order):
    """Height and width split the wrong way round: first the axis within a patch, then the axis of patches."""
    def answer(pictures, patch):
        b, c, h, w = pictures.shape
        split = pictures.reshape(b, c, patch, h // patch, patch, w // patch)
        return split.permute(order).reshape(b, -1, c * patch * patch)
    return answer


# --- 3.3 ---


def falls_by_loop(picture, weights, patch, cover=0.5, copy=True, sign=1, size=abs):
    rows, columns = picture.shape[0] // patch, picture.shape[1] // patch
    before, falls = (picture * weights).sum(), np.zeros((rows, columns))
    covered = picture.copy()
    for i in range(rows):
        for j in range(columns):
            if copy:
                covered = picture.copy()
            covered[i * patch:(i + 1) * patch, j * patch:(j + 1) * patch] = cover
            falls[i, j] = sign * (before - (covered * weights).sum())
    return falls


def falls_at_once(picture, weights, patch):
    difference = torch.tensor((picture - 0.5) * weights)
    return F.avg_pool2d(difference[None, None], patch)[0, 0] * patch * patch


def falls_as_lists(picture, weights, patch):
    return [[sum((picture[y, x] - 0.5) * weights[y, x] for y in range(i, i + patch) for x in range(j, j + patch))
             for j in range(0, picture.shape[1], patch)] for i in range(0, picture.shape[0], patch)]


def falls_the_rest_covered(picture, weights, patch):
    falls = np.zeros((picture.shape[0] // patch, picture.shape[1] // patch))
    for i, j in np.ndindex(*falls.shape):
        covered = np.full_like(picture, 0.5)
        here = np.s_[i * patch:(i + 1) * patch, j * patch:(j + 1) * patch]
        covered[here] = picture[here]
        falls[i, j] = (picture * weights).sum() - (covered * weights).sum()
    return falls


def falls_overlapping(picture, weights, patch):
    falls = np.zeros((picture.shape[0] // patch, picture.shape[1] // patch))
    for i, j in np.ndindex(*falls.shape):
        covered = picture.copy()
        covered[i:i + patch, j:j + patch] = 0.5
        falls[i, j] = ((picture - covered) * weights).sum()
    return falls


def falls_own_mean(picture, weights, patch):
    falls = np.zeros((picture.shape[0] // patch, picture.shape[1] // patch))
    for i, j in np.ndindex(*falls.shape):
        here = np.s_[i * patch:(i + 1) * patch, j * patch:(j + 1) * patch]
        falls[i, j] = ((picture[here] - picture[here].mean()) * weights[here]).sum()
    return falls


def falls_not_yet(picture, weights, patch):
    return (picture * weights).sum() - falls_by_loop(picture, weights, patch)


# --- 3.4 ---


def right_share(features, labels, learn, test):
    """The probe of the notebook's stub."""
    x = (features - features[learn].mean(0)) / (features[learn].std(0) + 1e-6)
    weights = np.linalg.solve(x[learn].T @ x[learn] + 10 * np.eye(x.shape[1]), x[learn].T @ (2 * labels[learn] - 1))
    return ((x[test] @ weights > 0) == labels[test]).mean()


def nearest_mean(features, labels, learn, test):
    means = np.stack([features[learn][labels[learn] == c].mean(0) for c in (0, 1)])
    away = np.linalg.norm(features[test][:, None] - means, axis=-1)
    return float((away.argmin(1) == labels[test]).mean())


def by_gradient(features, labels, learn, test):
    x, y = torch.tensor(features).float(), torch.tensor(labels).float()
    weights = torch.zeros(x.shape[1], requires_grad=True)
    for _ in range(60):
        loss = F.binary_cross_entropy_with_logits(x[learn] @ weights, y[learn]) + 0.01 * weights.square().sum()
        loss.backward()
        with torch.no_grad():
            weights -= 0.3 * weights.grad
            weights.grad = None
    return ((x[test] @ weights > 0) == (y[test] > 0)).float().mean()


def rows_of(good, table, split):
    order = np.random.default_rng(0).permutation(len(good))
    fits = good[order] == table[order]
    usual, swapped, cut = order[fits], order[~fits], int(split * len(order))
    return usual[:cut // 2], usual[cut // 2:], swapped, order[:cut], order[cut:]


def trap(probe=right_share, split=0.5):
    def answer(features, good, table):
        learn, held_out, swapped, some, others = rows_of(good, table, split)
        return {"usual": probe(features, good, learn, held_out), "swapped": probe(features, good, learn, swapped),
                "control": probe(features, good, some, others)}
    return answer


def flawed(flaw):
    def answer(features, good, table):
        learn, held_out, swapped, some, others = rows_of(good, table, 0.5)
        sets = {"usual": (good, learn, held_out), "swapped": (good, learn, swapped), "control": (good, some, others)}
        sets.update(flaw(good, table, learn, held_out, swapped, some, others))
        return {name: right_share(features, *row) for name, row in sets.items()}
    return answer


RIGHT = {
    "map_size": [size_by_steps, size_by_pytorch, lambda n, k, s, p: np.floor((n - k + 2 * p) / s) + 1,
                 lambda n, k, s, p: len(range(0, n + 2 * p - k + 1, s))],
    "patch_rows": [patches_by_loop, patches_by_reshape, patches_by_lists, patches_mixed(2, 3, 1, 4, 5),
                   lambda x, p: F.unfold(x, p, stride=p).mT],
    "cover_and_measure": [falls_by_loop, falls_at_once, falls_as_lists],
    "food_or_table": [trap(), trap(split=0.8), trap(nearest_mean), trap(by_gradient)],
}
WRONG = {
    "map_size": [
        (lambda n, k, s, p: (n + 2 * p - k) // s, "One place too few"),
        (lambda n, k, s, p: (n + 2 * p - k + 1) // s, "Only steps are as long as the stride"),
        (lambda n, k, s, p: (n + p - k) // s + 1, "both of its ends"),
        (lambda n, k, s, p: (n - k) // s + 1, "padding has no say"),
        (lambda n, k, s, p: n + 2 * p - k + 1, "stride has no say"),
        (lambda n, k, s, p: (n + 2 * p) // s, "sticks out"),
        (lambda n, k, s, p: math.ceil((n + 2 * p - k) / s) + 1, "Rounded up"),
        (lambda n, k, s, p: (n + 2 * p - k) / s + 1, "half a place"),
        (lambda n, k, s, p: round((n + 2 * p - k) / s) + 1, "half a step and more"),
        (lambda n, k, s, p: (n - k) // s + 1 + 2 * p, "Each ring adds places"),
        (lambda n, k, s, p: n - k + 1, "Neither stride nor padding"),
        (lambda n, k, s, p: len(range(0, n + 2 * p, s)), "Every pixel"),
        (lambda n, k, s, p: len(range(0, n + 2 * p - k, s)), "one too early"),
        (lambda n, k, s, p: n // s, "not what the task asks for"),
    ],
    "patch_rows": [
        (lambda x, p: x.reshape(len(x), -1, 3 * p * p), "stripes"),
        (patches_mixed(1, 2, 3, 4, 5), "several places of one colour"),
        (patches_mixed(2, 3, 4, 5, 1), "all of red first"),
        (patches_mixed(3, 2, 1, 4, 5), "down the columns"),
        (patches_mixed(2, 3, 1, 5, 4), "changed places."),
        (lambda x, p: patches_by_loop(x.mT, p), "read both as a page"),
        (patches_split((0, 3, 5, 1, 2, 4)), "do not lie side by side"),
        (patches_split((0, 2, 4, 1, 3, 5)), "Height and width were split"),
        (lambda x, p: x.movedim(1, -1).reshape(len(x), -1, 3 * p * p), "colours stand together"),
        (lambda x, p: F.unfold(x, p, stride=p), "one column"),
        (lambda x, p: patches_by_loop(x, p).reshape(len(x), -1, 3, p, p), "still a block"),
        (lambda x, p: patches_by_loop(x, p)[0], "Expected the shape (2, 6, 48), got (6, 48)"),
    ],
    "cover_and_measure": [
        (lambda *case: falls_by_loop(*case, copy=False), "untouched copy"),
        (lambda *case: falls_by_loop(*case, sign=-1), "before minus after"),
        (lambda *case: falls_by_loop(*case, cover=0), "cover with black"),
        (lambda *case: falls_by_loop(*case, cover=1), "cover with white"),
        (lambda *case: falls_by_loop(*case, cover=128), "cover with 128"),
        (lambda *case: falls_by_loop(*case, cover=case[0].mean()), "mean of the picture"),
        (falls_own_mean, "its own mean"),
        (lambda *case: falls_by_loop(*case) / (case[0] * case[1]).sum(), "share of the score before"),
        (falls_overlapping, "one pixel apart"),
        (lambda *case: falls_by_loop(*case) / case[2] ** 2, "mean over the pixels"),
        (lambda picture, weights, patch: falls_by_loop(0 * picture, weights, patch, sign=-2), "added up"),
        (lambda *case: 10 * falls_by_loop(*case), "10 times the one asked for"),
        (lambda *case: abs(falls_by_loop(*case)), "sign is lost"),
        (falls_the_rest_covered, "Everything but"),
        (falls_not_yet, "not yet how far"),
        (lambda *case: falls_by_loop(*case).T, "turned"),
        (lambda *case: falls_by_loop(*case).flatten(), "rows and columns back"),
        (lambda picture, weights, patch: (picture - 0.5) * weights, "one number a patch"),
    ],
    "food_or_table": [
        (flawed(lambda g, t, a, b, c, d, e: {"usual": (g, a, a)}), '"usual" came out as'),
        (flawed(lambda g, t, a, b, c, d, e: {"control": (g, np.r_[d, e], e)}), '"control" came out as'),
        (flawed(lambda g, t, a, b, c, d, e: {"swapped": (t, a, c)}), "names the table"),
        (lambda *case: {"usual": 0.5, "swapped": 0.5, "control": 0.5}, "did not find it"),
        (flawed(lambda g, t, a, b, c, d, e: {"usual": (g, a, c), "swapped": (g, a, b)}), "wrong way round"),
        (flawed(lambda g, t, a, b, c, d, e: {"swapped": (g, c[:200], c[200:])}), "the wrong one in each"),
        (flawed(lambda g, t, a, b, c, d, e: {"usual": (g, d, e), "swapped": (g, d, e)}), "no trap"),
        (flawed(lambda g, t, a, b, c, d, e: {"swapped": (g, a, np.r_[b, c])}), "in which the table fits"),
        (flawed(lambda g, t, a, b, c, d, e: {"control": (g, a, np.r_[b, c])}), "independent"),
        (flawed(lambda g, t, a, b, c, d, e: {"control": (g, a, b)}), "table still tells"),
        (lambda features, good, table: trap()(features, good, 1 - table), "good food on table 0"),
        (flawed(lambda g, t, a, b, c, d, e: {"control": (g, d, e[t[e] == 0])}), "knows the food on table 0 alone"),
        (flawed(lambda g, t, a, b, c, d, e: {"control": (g, d[t[d] == 1], e[t[e] == 1])}), "is it tested on both?"),
        (flawed(lambda g, t, a, b, c, d, e: {"control": (g, d[t[d] == 0], e)}), "Does it learn from both tables"),
        (lambda *case: {"usual": 1.0, "swapped": 1.0}, "Expected a dictionary"),
        (lambda *case: {"usual": 98.0, "swapped": 10.0, "control": 97.0}, "between 0 and 1"),
        (lambda *case: {"usual": [1.0], "swapped": 0.1, "control": 0.9}, "one number"),
    ],
}
