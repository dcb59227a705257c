"""Answers to the exercises of notebook 07: right ones in several styles, wrong ones with words of their messages."""

from collections import Counter

import numpy as np
import torch
from scipy import stats

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


def from_an_array(text, picture):
    words = np.array(["refer", "agree", "soft", "contradict"])
    return words[list(words).index(by_signs(text, picture))]


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


def only_equal_strength(text, picture):
    relation = by_signs(text, picture)
    return "soft" if relation == "contradict" and text != -picture else relation


# --- 7.2 slice_scores ---


def by_masks(predictions, labels, relations, known):
    result = {}
    for name in set(relations.tolist()):
        usual = np.bincount(known[0][known[1] == name]).argmax()
        inside = relations == name
        result[name] = ((predictions == labels)[inside].mean(), (labels[inside] == usual).mean())
    return result


def by_counting(predictions, labels, relations, known):
    usual = {name: Counter(label for label, other in zip(*known) if other == name).most_common(1)[0][0]
             for name in set(known[1])}
    found = {}
    for said, label, name in zip(predictions, labels, relations):
        found.setdefault(str(name), []).append([said == label, usual[name] == label])
    return {name: [sum(column) / len(rows) for column in zip(*rows)] for name, rows in found.items()}


def in_torch(predictions, labels, relations, known):
    predictions, labels, seen = map(torch.from_numpy, (predictions, labels, known[0]))
    result = {}
    for name in RELATIONS:
        inside = torch.from_numpy(relations == name)
        if inside.any():
            usual = seen[torch.from_numpy(known[1] == name)].bincount(minlength=3).argmax()
            hits = torch.stack([predictions == labels, labels == usual])[:, inside]
            result[name] = hits.double().mean(1)
    return result


def lazily(choose, on_known=False):
    """The scores with another lazy answer: `choose(predictions, labels, relations, known, name)`."""
    def answer(*case):
        predictions, labels, relations, known = case
        pairs = {name: [right, np.mean(labels[relations == name] == choose(*case, name))]
                 for name, (right, _) in by_masks(*case).items()}
        if on_known:
            pairs = {name: [pair[0], np.mean(known[0][known[1] == name] == choose(*case, name))]
                     for name, pair in pairs.items()}
        return pairs
    return answer


def usual(labels):
    return np.bincount(labels).argmax()


def changed(change):
    return lambda *case: {name: change(np.array(pair), (case[2] == name).mean(), len(case[1]), case)
                          for name, pair in by_masks(*case).items()}


def of_the_right(pair, share, posts, case):
    """Divided by all right answers, of the answers and of the lazy reader."""
    pairs = by_masks(*case)
    sizes = {name: (case[2] == name).mean() for name in pairs}
    return pair * share / sum(np.array(pairs[name]) * sizes[name] for name in pairs)


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
    error = np.sqrt(gain.mean(0).var(ddof=1) / gain.shape[1] + gain.mean(1).var(ddof=1) / len(gain))
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


def by_student(trial):
    """Student's interval over the seeds, as in exercise 6.3."""
    relations, additive, hidden = trial
    means = (hidden - additive)[:, relations == "contradict"].mean(1)
    return report(*trial, stats.t.interval(0.95, len(means) - 1, means.mean(), stats.sem(means)))


def one_pot(trial):
    """Every answer of every seed drawn by itself."""
    relations, additive, hidden = trial
    gain = (hidden - additive)[:, relations == "contradict"].ravel()
    draws = np.random.default_rng(5).choice(gain, (2000, gain.size)).mean(1)
    return report(*trial, np.quantile(draws, [0.025, 0.975]))


def posts_for_each_seed(trial):
    relations, additive, hidden = trial
    gain, rng = (hidden - additive)[:, relations == "contradict"], np.random.default_rng(5)
    draws = [np.mean([rng.choice(gain[seed], gain.shape[1]) for seed in rng.integers(0, len(gain), len(gain))])
             for _ in range(1000)]
    return report(*trial, np.quantile(draws, [0.025, 0.975]))


def middle_ninety(trial):
    low, high = report(*trial)["interval"]
    middle, share = (low + high) / 2, 1.645 / 1.96
    return report(*trial, (middle + share * (low - middle), middle + share * (high - middle)))


def shorter(trial):
    low, high = report(*trial)["interval"]
    middle = (low + high) / 2
    return report(*trial, (middle + (low - middle) / 1.96, middle + (high - middle) / 1.96))


CLEAR, SHAKY, EVEN = trial(), trial(noise=0.3, seed=1), trial(better=0.0, seed=2)
STEADY = trial(noise=0.0, seeds=12)  # another post matters more here than another seed

RIGHT = {
    "relation_between": [by_signs, by_product, by_distance, from_an_array],
    "slice_scores": [by_masks, by_counting, in_torch],
    "deal_pictures": [round_a_table, until_none_stays, by_swaps, torch_circle],
    "heads_compared": [report(*CLEAR), report(*SHAKY), report(*EVEN), by_formula(CLEAR), as_lists(CLEAR),
                       report(*trial(seeds=8, seed=3))],
}

WRONG = {
    "relation_between": [
        (by_levels, "Compare the signs"), (neutral_is_soft, "Two neutral sides"), (strength_is_soft, "however strong"),
        (any_difference, "has no mood"), (any_neutral, "agreeing with any other"),
        (same_agrees, "whatever the picture"), (only_equal_strength, "equal strength"),
        (lambda text, picture: "agree", "whatever it is called with"),
        (lambda text, picture: abs(text - picture), "yours gives 0. Expected one of the words"),
        (lambda text, picture: by_signs(text, picture).replace("refer", "refers"), "yours gives 'refers'"),
        (lambda text, picture: str(text), "yours gives '-2'"),
        (lambda text, picture: "soft" if (text, picture) == (1, -2) else by_signs(text, picture), "34 of 35 calls")],
    "slice_scores": [
        (lazily(lambda p, y, r, known, name: usual(y[r == name])), "lazy reader peeks"),
        (lazily(lambda p, y, r, known, name: usual(known[0])), "one answer for all slices"),
        (lazily(lambda p, y, r, known, name: 1), "always says neutral"),
        (lazily(lambda p, y, r, known, name: usual(y)), "Say it in words first"),
        (lazily(lambda p, y, r, known, name: usual(known[0][known[1] == name]), on_known=True),
         "scored on the known posts"),
        (changed(lambda pair, *_: pair[::-1]), "swapped"),
        (changed(lambda pair, share, *_: pair * share), "number of all posts"),
        (changed(of_the_right), "number of all right answers"),
        (changed(lambda pair, share, posts, _: pair * share * posts), "These are counts"),
        (changed(lambda pair, *_: 100 * pair), "per cent"), (changed(lambda pair, *_: 1 - pair), "add up to 1"),
        (changed(lambda pair, *_: [pair[0], pair[0] - pair[1]]), "how far the answers are ahead"),
        (changed(lambda pair, *_: pair[0]), "expected two numbers"),
        (lambda *case: {k: v for k, v in by_masks(*case).items() if v[0]}, "the accuracy is 0"),
        (lambda *case: dict.fromkeys(RELATIONS, (0.0, 0.0)) | by_masks(*case), "leave it out"),
        (lambda *case: list(by_masks(*case).values()), "a dict"),
        (lambda *case: by_masks(*case[:2], case[2][::-1], case[3]), "not what the task asks for")],
    "deal_pictures": [
        (any_order, "kept their own picture"), (both_move, "moved together"), (each_side_moves, "The text has changed"),
        (text_dealt, "swapped"), (labels_move, "The labels have moved"), (dropped, "this drops the side"),
        (numbers_mixed, "whole rows"), (drawn_with_replacement, "dealt twice"), (unseeded, "could not be repeated"),
        (always_the_same, "Every seed gives the same"), (shifted_by_seed, "Let chance say"), (text_moves_too, "shape"),
        (lambda text, picture, labels, seed: picture, "three things")],
    "heads_compared": [
        (by_student(SHAKY), "a formula over the seeds alone"), (one_pot(CLEAR), "All answers lie in one pot"),
        (posts_for_each_seed(STEADY), "each seed is given posts of its own"),
        (one_training(CLEAR), "trained 1 time."), (memorised(CLEAR), "trained on the posts"),
        (few_contradictions(CLEAR), "too few"), (in_another_order(CLEAR), "below chance"),
        (slices_of(CLEAR), "the same posts"), (with_interval(SHAKY, seeds=False), "keeps the seeds"),
        (with_interval(STEADY, posts=False), "keeps the posts"), (shorter(CLEAR), "one standard error"),
        (middle_ninety(CLEAR), "one draw in ten"),
        (report(*CLEAR, resampled(CLEAR[1], CLEAR[2])), "over all test posts"),
        (report(*CLEAR, tuple(-x for x in report(*CLEAR)["interval"][::-1])), "additive − hidden"),
        (report(*EVEN, verdict="hidden"), "does not follow"), (report(*CLEAR, verdict="yes"), "one of hidden"),
        (report(*CLEAR, (0.3, 0.2)), "low, then high"), (report(*CLEAR, (-0.5, 0.5)), "your own answers"),
        (report(CLEAR[0], CLEAR[1][[0] * 5], CLEAR[2]), "reach `align`"),
        (report(CLEAR[0], CLEAR[1], CLEAR[1]), "one and the same"),
        (report(CLEAR[0], 2 * CLEAR[1], CLEAR[2]), "more than 0 and 1"),
        (report(*CLEAR) | {"relations": "contradict"}, "a list of words"),
        ({"verdict": "hidden"}, "a dictionary with")],
}
