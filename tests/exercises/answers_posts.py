"""Right and wrong answers to the exercises of notebook 01: what its checks must accept, and what they must refuse."""

from collections import Counter

import numpy as np
import torch

from mmsa_utils.posts.rules import judge


def label_by_cases(kind, level):
    if kind == "same":
        mood = level
    elif kind == "opposite":
        mood = -level
    elif kind == 0 or level == 0:
        mood = kind + level
    elif (kind > 0) == (level > 0):
        mood = kind
    else:
        mood = kind + level if kind != -level else 1
    return 2 if mood > 0 else 0 if mood < 0 else 1


def label_by_judge(kind, level):
    valence, relation, reason = judge(kind, level)
    if "sarcasm" in reason or "equal" in reason:
        valence = 1
    return np.int64(valence + 1)


def label_by_sum(kind, level):
    if isinstance(kind, str):
        kind, level = 0, level if kind == "same" else -level
    return torch.sign(torch.tensor(kind + level + 0.5 * (kind == -level != 0))).int() + 1


def label_text_only(kind, level):
    return 1 if isinstance(kind, str) else int(np.sign(kind)) + 1


def label_deaf_to_denial(kind, level):
    return label_by_cases("same" if kind == "opposite" else kind, level)


def label_happy_quarrels(kind, level):
    return 2 if not isinstance(kind, str) and kind * level < 0 else label_by_cases(kind, level)


def label_neutral_wins(kind, level):
    return 1 if not isinstance(kind, str) and kind * level == 0 else label_by_cases(kind, level)


def label_sarcastic(kind, level):
    return 0 if (kind, level) == (2, -2) else label_by_cases(kind, level)


def label_calm(kind, level):
    return 2 if kind in range(-2, 3) and abs(kind) == abs(level) else label_by_cases(kind, level)


def band_by_formula(posts, classes):
    chance = 1 / classes
    reach = 1.96 * (chance * (1 - chance) / posts) ** 0.5
    return chance - reach, chance + reach


def band_by_trying(posts, classes):
    rng = np.random.default_rng(0)
    guesses = rng.binomial(posts, 1 / classes, 5000) / posts
    return np.quantile(guesses, (0.025, 0.975))


def band_by_lists(posts, classes):
    rng = np.random.default_rng(1)
    readers = sorted((rng.integers(classes, size=posts) == 0).mean() for _ in range(2000))
    return [readers[50], readers[-51]]


def band_of_tensors(posts, classes):
    chance = torch.tensor(1 / classes)
    return chance + 2 * (chance * (1 - chance) / posts).sqrt() * torch.tensor([-1, 1])


def band(reach, middle=lambda classes: 1 / classes):
    """A band whose half width is `reach` of (posts, chance)."""
    def answer(posts, classes):
        half = reach(posts, 1 / classes)
        return middle(classes) - half, middle(classes) + half
    return answer


def highest_by_counter(rows, seen):
    piles = {}
    for row in rows:
        piles.setdefault(tuple(row[i] for i in seen), Counter())[row[2]] += row[3]
    return sum(max(pile.values()) for pile in piles.values())


def highest_by_array(rows, seen):
    keys = [str([row[i] for i in seen]) for row in rows]
    names, places = np.unique(keys, return_inverse=True)
    table = np.zeros((len(names), 3))
    np.add.at(table, (places.ravel(), [row[2] for row in rows]), [row[3] for row in rows])
    return table.max(1).sum()


def highest_by_loops(rows, seen):
    total, done = torch.zeros(()), []
    for row in rows:
        key = [row[i] for i in seen]
        if key in done:
            continue
        done.append(key)
        alike = [other for other in rows if [other[i] for i in seen] == key]
        total += max(sum(share for *_, label, share in alike if label == wanted) for wanted in (0, 1, 2))
    return total


def highest_of_counts(rows, seen):
    return highest_by_counter([(*row[:3], 1 / len(rows)) for row in rows], seen)


def highest_of_single_rows(rows, seen):
    best = {}
    for *state, share in rows:
        key = tuple(state[i] for i in seen)
        best[key] = max(best.get(key, 0), share)
    return sum(best.values())


def highest_of_last_rows(rows, seen):
    last = {(tuple(row[i] for i in seen), row[2]): row[3] for row in rows}
    best = {}
    for (key, _), share in last.items():
        best[key] = max(best.get(key, 0), share)
    return sum(best.values())


def highest_of_one_pile(rows, seen):
    piles = {tuple(row[i] for i in seen) for row in rows}
    return max(highest_by_counter([row for row in rows if tuple(row[i] for i in seen) == pile], ()) for pile in piles)


def highest_of_even_piles(rows, seen):
    piles = {}
    for row in rows:
        piles.setdefault(tuple(row[i] for i in seen), Counter())[row[2]] += row[3]
    return sum(max(pile.values()) / sum(pile.values()) for pile in piles.values()) / len(piles)


def a_run(shared, seed, *, posts=500, width=6, relabel=False, teach=False, few_labels=False):
    """Accuracies of the nearest neighbour, and which test posts are new."""
    rng = np.random.default_rng(seed)
    train, labels = rng.random((posts, width)), rng.integers(2, size=posts)
    test, truth = rng.random((posts, width)), rng.integers(2, size=posts)
    if teach:
        labels, truth = (train[:, 0] > 0.5).astype(int), (test[:, 0] > 0.5).astype(int)
    copies = round(shared * posts)
    test[:copies] = train[:copies]
    if not relabel:
        truth[:copies] = labels[:copies]
    nearest = ((test[:, None] - train) ** 2).sum(-1).argmin(1)
    right = labels[nearest] == truth
    return right, np.arange(posts) >= copies


def peek(shared, seed):
    right, new = a_run(shared, seed)
    return {"reported": right.mean(), "honest": right[new].mean(), "posts": len(right), "new": int(new.sum())}


def peek_by_chance(shared, seed):
    """Each test post is a copy with probability `shared`; torch; the new ones are found by looking."""
    draw = torch.Generator().manual_seed(seed)
    train, test = torch.rand(800, 4, generator=draw), torch.rand(600, 4, generator=draw)
    labels, truth = (torch.randint(2, (size,), generator=draw) for size in (800, 600))
    from_train = torch.randint(800, (600,), generator=draw)
    copied = torch.rand(600, generator=draw) < shared
    test[copied], truth[copied] = train[from_train[copied]], labels[from_train[copied]]
    right = (labels[torch.cdist(test, train, compute_mode="donot_use_mm_for_euclid_dist").argmin(1)] == truth).double()
    new = ~(test[:, None] == train).all(-1).any(1)
    return {"reported": right.mean(), "honest": right[new].mean(), "posts": torch.tensor(600), "new": new.sum()}


def peek_by_memory(shared, seed):
    """Posts are sentences; the classifier looks a sentence up, and guesses where it is new."""
    rng = np.random.default_rng(seed)
    known = {f"post {i}": int(rng.integers(2)) for i in range(1000)}
    copies = int(1000 * shared)
    test = [*list(known.items())[:copies], *((f"new post {i}", int(rng.integers(2))) for i in range(1000 - copies))]
    right = [known.get(text, int(rng.integers(2))) == label for text, label in test]
    return {"reported": sum(right) / 1000, "honest": sum(right[copies:]) / (1000 - copies), "posts": 1000,
            "new": 1000 - copies}


def counted(right, new, **other):
    return {"reported": right.mean(), "honest": right[new].mean(), "posts": len(right), "new": int(new.sum()), **other}


def peek_of_all(shared, seed):
    right, new = a_run(shared, seed)
    return counted(right, new, honest=right.mean())


def peek_mean_of_parts(shared, seed):
    right, new = a_run(shared, seed)
    return counted(right, new, reported=(right[new].mean() + 1) / 2 if shared else right.mean())


def peek_swapped(shared, seed):
    right, new = a_run(shared, seed)
    return counted(right, new, reported=right[new].mean(), honest=right.mean())


def peek_unseeded(shared, seed):
    return counted(*a_run(shared, None))


def peek_in_training(shared, seed):
    return {"reported": 1.0, "honest": 0.99 + seed / 1e7, "posts": 500, "new": round(500 * (1 - shared))}


RIGHT = {
    "optimist_label": [label_by_cases, label_by_judge, label_by_sum],
    "chance_band": [band_by_formula, band_by_trying, band_by_lists, band_of_tensors],
    "highest_accuracy": [highest_by_counter, highest_by_array, highest_by_loops],
    "peeking": [peek, peek_by_chance, peek_by_memory],
}

WRONG = {
    "optimist_label": [
        (lambda kind, level: label_by_cases(kind, level) - 1, "valence"),
        (lambda kind, level: 2 - label_by_cases(kind, level), "order of LABELS"),
        (lambda kind, level: judge(kind, level)[0] + 1, "rule of section 4"),
        (label_sarcastic, "sarcasm"),
        (lambda kind, level: 2 if (kind, level) == (0, 0) else label_by_cases(kind, level), "contradict nothing"),
        (label_deaf_to_denial, "denies its picture"),
        (label_happy_quarrels, "one side is stronger"),
        (label_neutral_wins, "give way"),
        (lambda kind, level: 2 if (kind, level) == (2, -2) else judge(kind, level)[0] + 1, "Only sarcasm"),
        (label_calm, "even where they agree"),
        (label_text_only, "not what the task asks for"),
        (lambda kind, level: 1 if abs(kind) == -level else 0, "TypeError"),
        (lambda kind, level: "positive", "a label's name"),
        (judge, "got a tuple"),
    ],
    "chance_band": [
        (band(lambda n, p: 1.96 * (p * (1 - p)) ** 0.5), "a single post"),
        (band(lambda n, p: 1.96 * (p * (1 - p)) ** 0.5 / n), "shrinks too fast"),
        (band(lambda n, p: 1.96 * p * (1 - p) / n), "variance"),
        (band(lambda n, p: (p * (1 - p) / n) ** 0.5), "One standard deviation"),
        (band(lambda n, p: 1.96 * 0.5 / n**0.5), "As wide as a coin's"),
        (band(lambda n, p: 1.96 * (p * (1 - p) / n) ** 0.5, middle=lambda classes: 0.5), "middle is one half"),
        (band(lambda n, p: 1.96 * (p * (1 - p) / n) ** 0.5, middle=lambda classes: 1 / 3), "middle is one third"),
        (band(lambda n, p: 1.96 * (p * (1 - p) / n) ** 0.5, middle=lambda classes: 1 - 1 / classes), "on average"),
        (band(lambda n, p: -1.96 * (p * (1 - p) / n) ** 0.5), "upside down"),
        (lambda posts, classes: [100 * share for share in band_by_formula(posts, classes)], "percent"),
        (band(lambda n, p: 1.645 * (p * (1 - p) / n) ** 0.5), "too few"),
        (band(lambda n, p: 2.58 * (p * (1 - p) / n) ** 0.5), "too many"),
        (lambda posts, classes: 1 / classes, "Expected two numbers"),
    ],
    "highest_accuracy": [
        (highest_of_counts, "Rows are counted"),
        (highest_of_even_piles, "Each pile counts the same"),
        (highest_of_last_rows, "overwrites"),
        (highest_of_one_pile, "Only the best pile"),
        (highest_of_single_rows, "largest single row"),
        (lambda rows, seen: highest_by_counter(rows, ()), "whatever is seen"),
        (lambda rows, seen: highest_by_counter(rows, (0, 1)), "as good as seeing both"),
        (lambda rows, seen: highest_by_counter(rows, [1 - i for i in seen]), "swapped"),
        (lambda rows, seen: highest_by_counter(rows, [*seen, 2]), "label itself"),
        (lambda rows, seen: 1 - highest_by_counter(rows, seen), "wrong answers"),
        (lambda rows, seen: highest_by_counter(rows, seen) / 2, "0.5 times the one asked for"),
    ],
    "peeking": [
        (peek_of_all, "still counts the copies"),
        (peek_mean_of_parts, "each counted once"),
        (peek_swapped, "swapped"),
        (peek_unseeded, "two results"),
        (peek_in_training, "in the training set"),
        (lambda shared, seed: counted(*a_run(shared, 0)), "Every seed"),
        (lambda shared, seed: counted(*a_run(shared, seed, posts=50)), "exercise 1.2"),
        (lambda shared, seed: counted(*a_run(min(1 - shared, 0.98), seed)), "share of new posts"),
        (lambda shared, seed: counted(*a_run(0, seed)), "How many should be"),
        (lambda shared, seed: counted(*a_run(shared, seed, teach=True)), "depend on"),
        (lambda shared, seed: counted(*a_run(shared, seed, relabel=True)), "keep its label"),
        (lambda shared, seed: counted(*a_run(shared, seed))["honest"], "Expected a dictionary"),
        (lambda shared, seed: counted(*a_run(shared, seed), honest=float("nan")), "a NaN"),
        (lambda shared, seed: counted(*a_run(shared, seed), honest=60.0), "percent"),
    ],
}
