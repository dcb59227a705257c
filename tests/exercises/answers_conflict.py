"""Answers to the exercises of notebook 07: right ones in several styles, wrong ones with words of their messages."""

import numpy as np
import torch

from mmsa_utils.posts.rules import RELATIONS

# --- 7.1 relation_between ---


def by_signs(text, picture):
    if text in ("same", "opposite"):
        return "refer"
    text, picture = np.sign(text), np.sign(picture)
    if text == picture:
        return "agree"
    return "soft" if text * picture == 0 else "contradict"


def by_product(text, picture):
    if isinstance(text, str):
        return "refer"
    if text * picture < 0:
        return "contradict"
    return "agree" if text * picture > 0 or (text == 0 and picture == 0) else "soft"


def by_distance(text, picture):
    if not isinstance(text, int):
        return "refer"
    valence = [-1, -1, 0, 1, 1]
    return ["agree", "soft", "contradict"][abs(valence[text + 2] - valence[picture + 2])]


def by_levels(text, picture):
    if isinstance(text, str):
        return "refer"
    return "agree" if text == picture else "soft" if 0 in (text, picture) else "contradict"


def neutral_is_soft(text, picture):
    return "soft" if text == picture == 0 else by_signs(text, picture)


def strength_is_soft(text, picture):
    relation = by_signs(text, picture)
    return "soft" if relation == "agree" and text != picture else relation


def any_difference(text, picture):
    return by_signs(text, picture).replace("soft", "contradict")


def any_neutral(text, picture):
    return by_signs(text, picture).replace("soft", "agree")


def same_agrees(text, picture):
    return {"same": "agree", "opposite": "contradict"}.get(text) or by_signs(text, picture)


# --- 7.2 slice_scores ---


def joined(batches):
    predictions, labels, relations = (np.concatenate(part) for part in zip(*batches))
    return {name: (predictions == labels)[relations == name].mean() for name in set(relations)}


def counted(batches):
    right, posts = {}, {}
    for predictions, labels, relations in batches:
        for prediction, label, relation in zip(predictions, labels, relations):
            posts[relation] = posts.get(relation, 0) + 1
            right[relation] = right.get(relation, 0) + int(prediction == label)
    return {name: right[name] / posts[name] for name in posts}


def in_torch(batches):
    result = {}
    for name in RELATIONS:
        hits = [torch.from_numpy((p == y)[r == name]) for p, y, r in batches]
        hits = torch.cat(hits).double()
        if len(hits):
            result[name] = hits.mean()
    return result


def batch_means(batches):
    rows = [joined([batch]) for batch in batches]
    return {name: np.mean([row[name] for row in rows if name in row]) for name in joined(batches)}


def batch_means_with_zeros(batches):
    rows = [joined([batch]) for batch in batches]
    return {name: sum(row.get(name, 0) for row in rows) / len(rows) for name in joined(batches)}


def of_all_posts(batches):
    predictions, labels, relations = (np.concatenate(part) for part in zip(*batches))
    return {name: ((predictions == labels) & (relations == name)).mean() for name in set(relations)}


def counts(batches):
    predictions, labels, relations = (np.concatenate(part) for part in zip(*batches))
    return {name: (predictions == labels)[relations == name].sum() for name in set(relations)}


# --- 7.3 deal_pictures ---


def round_a_table(text, picture, labels, seed):
    order = np.random.default_rng(seed).permutation(len(picture))
    dealt = np.empty_like(picture)
    dealt[order] = picture[np.roll(order, 1)]
    return text, dealt, labels


def until_none_stays(text, picture, labels, seed):
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(picture))
    while (order == np.arange(len(picture))).any():
        order = rng.permutation(len(picture))
    return text.tolist(), [picture[i].tolist() for i in order], labels.tolist()


def by_swaps(text, picture, labels, seed):
    rng, picture = np.random.default_rng(seed), picture.copy()
    for i in range(len(picture) - 1, 0, -1):  # Sattolo's algorithm: one large circle
        j = int(rng.integers(0, i))
        picture[[i, j]] = picture[[j, i]]
    return [text, picture, labels]


def torch_circle(text, picture, labels, seed):
    order = torch.randperm(len(picture), generator=torch.Generator().manual_seed(seed))
    dealt = torch.from_numpy(picture)
    dealt[order] = dealt[order.roll(1)].clone()
    return torch.from_numpy(text), dealt, torch.from_numpy(labels)


def any_order(text, picture, labels, seed):
    return text, picture[np.random.default_rng(seed).permutation(len(picture))], labels


def both_move(text, picture, labels, seed):
    order = np.random.default_rng(seed).permutation(len(picture))
    order = np.roll(order, 1) if (order == np.arange(len(order))).all() else order
    return text[order], picture[order], labels


def text_moves_too(text, picture, labels, seed):
    return round_a_table(text, picture, labels, seed + 1)[1], round_a_table(text, picture, labels, seed)[1], labels


def each_side_moves(text, picture, labels, seed):
    return np.roll(text, 1, axis=0), np.roll(picture, -1, axis=0), labels


def text_dealt(text, picture, labels, seed):
    return round_a_table(picture, text, labels, seed)[1], picture, labels


def labels_move(text, picture, labels, seed):
    return text, *round_a_table(text, picture, labels, seed)[1:2], np.roll(labels, 1)


def dropped(text, picture, labels, seed):
    return text, np.broadcast_to(picture.mean(0), picture.shape), labels


def numbers_mixed(text, picture, labels, seed):
    return text, np.random.default_rng(seed).permuted(picture, axis=1), labels


def drawn_with_replacement(text, picture, labels, seed):
    return text, picture[(np.arange(len(picture)) // 2 * 2 + 2) % len(picture)], labels


def unseeded(text, picture, labels, seed):
    return round_a_table(text, picture, labels, None)


def always_the_same(text, picture, labels, seed):
    return text, np.roll(picture, 1, axis=0), labels


def shifted_by_seed(text, picture, labels, seed):
    """Another result for another seed, and still every post has the picture of the one so many places on."""
    return text, np.roll(picture, 1 + seed % (len(picture) - 1), axis=0), labels


# --- 7.4 heads_compared ---


def trial(better=0.1, seeds=5, posts=600, noise=0.05, seed=0):
    """Made-up answers of two heads: right or wrong, (seeds, posts) each, and the relations of the posts."""
    rng = np.random.default_rng(seed)
    relations = rng.choice(RELATIONS, posts, p=[0.25, 0.15, 0.45, 0.15])
    ease = rng.normal(size=posts) + np.where(relations == "contradict", 0, 1.2)

    def answers(skill):
        luck = noise * rng.normal(size=(seeds, 1)) + 0.5 * rng.normal(size=(seeds, posts))
        return (ease + skill + luck > 0).astype(int)

    return relations, answers(-0.2), answers(-0.2 + 3 * better)


def report(relations, additive, hidden, interval=None, verdict=None):
    clash = relations == "contradict"
    if interval is None:
        interval = resampled(additive[:, clash], hidden[:, clash])
    low, high = interval
    verdict = verdict or ("hidden" if low > 0 else "additive" if high < 0 else "cannot tell")
    return {"relations": list(relations), "additive": additive, "hidden": hidden, "interval": interval,
            "verdict": verdict}


def resampled(first, second, posts=True, seeds=True):
    gain, rng = second - first, np.random.default_rng(5)
    rows, columns = gain.shape
    draws = [gain[rng.integers(0, rows, rows) if seeds else slice(None)][:, rng.integers(0, columns, columns)
             if posts else slice(None)].mean() for _ in range(1000)]
    return tuple(np.quantile(draws, [0.025, 0.975]).tolist())


def by_formula(trial):
    relations, additive, hidden = trial
    gain = (hidden - additive)[:, relations == "contradict"]
    error = np.sqrt(gain.mean(0).var() / gain.shape[1] + gain.mean(1).var() / len(gain))
    return report(*trial, (gain.mean() - 1.96 * error, gain.mean() + 1.96 * error))


def as_lists(trial):
    made = report(*trial)
    return made | {"additive": made["additive"].astype(bool).tolist(), "hidden": torch.from_numpy(made["hidden"])}


def memorised(trial):
    relations, additive, hidden = trial
    return report(relations, additive, np.where(np.random.default_rng(0).random(hidden.shape) < 0.995, 1, 0))


def one_training(trial):
    made = report(*trial)
    return made | {"additive": made["additive"][0], "hidden": made["hidden"][0]}


def few_contradictions(trial):
    relations, additive, hidden = trial
    keep = np.cumsum(relations == "contradict") <= 40
    return report(relations[keep], additive[:, keep], hidden[:, keep])


def in_another_order(trial):
    relations, additive, hidden = trial
    return report(relations, additive, 1 - hidden)


def slices_of(trial):
    relations, additive, hidden = trial
    clash = relations == "contradict"
    return report(*trial) | {"additive": additive[:, clash], "hidden": hidden[:, clash]}


def with_interval(trial, **options):
    relations, additive, hidden = trial
    clash = relations == "contradict"
    return report(*trial, resampled(additive[:, clash], hidden[:, clash], **options))


def shorter(trial):
    low, high = report(*trial)["interval"]
    middle = (low + high) / 2
    return report(*trial, (middle + (low - middle) / 1.96, middle + (high - middle) / 1.96))


CLEAR, SHAKY, EVEN = trial(), trial(noise=0.3, seed=1), trial(better=0.0, seed=2)
STEADY = trial(noise=0.0, seeds=12)  # another post matters more here than another seed

RIGHT = {
    "relation_between": [by_signs, by_product, by_distance],
    "slice_scores": [joined, counted, in_torch],
    "deal_pictures": [round_a_table, until_none_stays, by_swaps, torch_circle],
    "heads_compared": [report(*CLEAR), report(*SHAKY), report(*EVEN), by_formula(CLEAR), as_lists(CLEAR),
                       report(*trial(seeds=8, seed=3))],
}

WRONG = {
    "relation_between": [
        (by_levels, "Compare the signs"), (neutral_is_soft, "Two neutral sides"), (strength_is_soft, "however strong"),
        (any_difference, "has no mood"), (any_neutral, "agreeing with any other"), (same_agrees, "such texts refer"),
        (lambda text, picture: "agree", "Called with"), (lambda text, picture: abs(text - picture), "TypeError")],
    "slice_scores": [
        (batch_means, "three posts in a short batch"), (batch_means_with_zeros, "count as 0 there"),
        (of_all_posts, "the number of all posts"), (counts, "These are counts"),
        (lambda batches: joined(batches[-1:]), "overwrites"),
        (lambda batches: joined(batches[:1]), "inside of the loop"),
        (lambda batches: joined(batches[:-1]), "The last batch is left out"),
        (lambda batches: {k: v for k, v in joined(batches).items() if v}, "Are all batches counted"),
        (lambda batches: {k: 100 * v for k, v in joined(batches).items()}, "per cent"),
        (lambda batches: list(joined(batches).values()), "a dict"),
        (lambda batches: {k: 1 - v for k, v in joined(batches).items()}, "shares of wrong"),
        (lambda batches: dict.fromkeys(RELATIONS, 0.0) | joined(batches), "leave it out")],
    "deal_pictures": [
        (any_order, "kept their own picture"), (both_move, "moved together"), (each_side_moves, "The text has changed"),
        (text_dealt, "swapped"), (labels_move, "The labels have moved"), (dropped, "this drops the side"),
        (numbers_mixed, "whole rows"), (drawn_with_replacement, "dealt twice"), (unseeded, "could not be repeated"),
        (always_the_same, "Every seed gives the same"), (shifted_by_seed, "Let chance say"), (text_moves_too, "shape"),
        (lambda text, picture, labels, seed: picture, "three things")],
    "heads_compared": [
        (one_training(CLEAR), "trained 1 time."), (memorised(CLEAR), "trained on the posts"),
        (few_contradictions(CLEAR), "too few"), (in_another_order(CLEAR), "below chance"),
        (slices_of(CLEAR), "the same posts"), (with_interval(SHAKY, seeds=False), "keeps the seeds"),
        (with_interval(STEADY, posts=False), "keeps the posts"), (shorter(CLEAR), "one standard error"),
        (report(*CLEAR, resampled(CLEAR[1], CLEAR[2])), "over all test posts"),
        (report(*CLEAR, tuple(-x for x in report(*CLEAR)["interval"][::-1])), "additive − hidden"),
        (report(*EVEN, verdict="hidden"), "does not follow"), (report(*CLEAR, verdict="yes"), "one of hidden"),
        (report(*CLEAR, (0.3, 0.2)), "low, then high"), (report(*CLEAR, (-0.5, 0.5)), "your own answers"),
        (report(CLEAR[0], CLEAR[1][[0] * 5], CLEAR[2]), "reach `align`"),
        (report(CLEAR[0], CLEAR[1], CLEAR[1]), "one and the same"),
        (report(CLEAR[0], 2 * CLEAR[1], CLEAR[2]), "more than 0 and 1"),
        ({"verdict": "hidden"}, "a dictionary with")],
}
