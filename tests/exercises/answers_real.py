"""Answers to the exercises of notebook 12: right ones in several styles, wrong ones with words of their messages."""

import statistics
from collections import Counter

import numpy as np
import torch
from scipy import stats
from sklearn.metrics import accuracy_score, cohen_kappa_score

MOODS = ["negative", "neutral", "positive"]

# --- 12.1 merged_label ---


def merged_at_once(text_votes, picture_votes):
    def majority(votes):
        label, count = Counter(votes).most_common(1)[0]
        return label if count >= 2 else "dropped"

    text, picture = majority(text_votes), majority(picture_votes)
    if "dropped" in (text, picture):
        return "dropped"
    if text == "neutral":
        return picture
    return text if picture in (text, "neutral") else "dropped"


def merged_by_numbers(text_votes, picture_votes):
    """Moods as -1, 0 and 1; the middle of three is the majority, unless all differ."""
    sides = []
    for votes in (text_votes, picture_votes):
        values = sorted(MOODS.index(vote) - 1 for vote in votes)
        if values == [-1, 0, 1]:
            return "dropped"
        sides.append(values[1])
    return "dropped" if sides[0] * sides[1] < 0 else MOODS[int(np.sign(sum(sides))) + 1]


def merged_by_sets(text_votes, picture_votes):
    """What is left when neutral is struck out: one mood, none, or two that are opposed."""
    if any(len(set(votes)) == 3 for votes in (text_votes, picture_votes)):
        return "dropped"
    moods = {statistics.mode(text_votes), statistics.mode(picture_votes)} - {"neutral"}
    return "dropped" if len(moods) > 1 else moods.pop() if moods else "neutral"


def votes_of(votes, none="dropped", need=2):
    label, count = Counter(votes).most_common(1)[0]
    return label if count >= need else none


def merged(none="dropped", need=2, opposed=lambda text, picture: "dropped",
           yields=lambda text, picture: picture if text == "neutral" else text):
    """The sound rule, or one with a flaw: on a side without a majority, or where the sides differ."""
    def answer(text_votes, picture_votes):
        text, picture = votes_of(text_votes, none, need), votes_of(picture_votes, none, need)
        if "dropped" in (text, picture) or text == picture:
            return text if text == picture else "dropped"
        return yields(text, picture) if "neutral" in (text, picture) else opposed(text, picture)
    return answer


def one_pot(text_votes, picture_votes):
    ranked = Counter(text_votes + picture_votes).most_common()
    return ranked[0][0] if len(ranked) == 1 or ranked[0][1] > ranked[1][1] else "dropped"


def by_annotator(text_votes, picture_votes):
    return votes_of([merged()([text] * 3, [picture] * 3) for text, picture in zip(text_votes, picture_votes)])


def left_to_the_other(text_votes, picture_votes):
    text, picture = votes_of(text_votes), votes_of(picture_votes)
    if text == "dropped":
        return picture
    return text if picture == "dropped" else merged()([text] * 3, [picture] * 3)


def first_vote(text_votes, picture_votes):
    return merged()([Counter(text_votes).most_common(1)[0][0]] * 3, [Counter(picture_votes).most_common(1)[0][0]] * 3)


def no_neutral(text_votes, picture_votes):
    label = merged_at_once(text_votes, picture_votes)
    return "dropped" if label == "neutral" else label


# --- 12.2 kappa ---


def kappa_at_once(table):
    shares = table / table.sum()
    luck = shares.sum(1) @ shares.sum(0)
    return (np.trace(shares) - luck) / (1 - luck)


def kappa_by_loop(table):
    rows = table.tolist()
    n = sum(map(sum, rows))
    same = sum(row[i] for i, row in enumerate(rows)) / n
    luck = sum(sum(rows[i]) * sum(row[i] for row in rows) for i in range(len(rows))) / n / n
    return 1 - (1 - same) / (1 - luck)


def kappa_in_torch(table):
    table = torch.from_numpy(table).double()
    n = table.sum()
    luck = torch.outer(table.sum(1), table.sum(0)).trace() / n
    return (table.trace() - luck) / (n - luck)


def kappa_by_library(table):
    pairs = [(i, j) for i, row in enumerate(table.tolist()) for j, count in enumerate(row) for _ in range(count)]
    return cohen_kappa_score(*zip(*pairs))


def kappa(luck=lambda shares: shares.sum(1) @ shares.sum(0), score=lambda same, luck: (same - luck) / (1 - luck),
          same=np.trace):
    def answer(table):
        shares = table / table.sum()
        return score(same(shares), luck(shares))
    return answer


def kappa_weighted(table):
    pairs = [(i, j) for i, row in enumerate(table.tolist()) for j, count in enumerate(row) for _ in range(count)]
    return cohen_kappa_score(*zip(*pairs), labels=range(len(table)), weights="linear")


def kappa_of_counts(table):
    luck = table.sum(1) @ table.sum(0)
    return (np.trace(table) - luck) / (table.sum() - luck)


# --- 12.3 two_accuracies ---


def two_at_once(values, labels):
    kept = labels != 0
    return np.mean((values >= 0) == (labels >= 0)), np.mean((values[kept] > 0) == (labels[kept] > 0))


def two_by_loop(values, labels):
    pairs = list(zip(values.tolist(), labels.tolist()))
    has0 = [(value < 0) == (label < 0) for value, label in pairs]
    non0 = [(value > 0) == (label > 0) for value, label in pairs if label]
    return [sum(has0) / len(has0), sum(non0) / len(non0)]


def two_in_torch(values, labels):
    values, labels = torch.from_numpy(values), torch.from_numpy(labels)
    kept = labels.abs() > 0
    return torch.stack([((values < 0) == (labels < 0)).double().mean(),
                        (values[kept].gt(0) == labels[kept].gt(0)).double().mean()])


def two_by_library(values, labels):
    kept = labels != 0
    return accuracy_score(labels >= 0, values >= 0), accuracy_score(labels[kept] > 0, values[kept] > 0)


def two(first=lambda v, y: (v >= 0) == (y >= 0), second=lambda v, y: ((v > 0) == (y > 0))[y != 0], change=tuple):
    return lambda v, y: change((np.mean(first(v, y)), np.mean(second(v, y))))


# --- 12.4 paired_gain ---


def gain_at_once(a, b):
    n = len(a)
    return (np.mean(a - b), np.std(a - b, ddof=1) / np.sqrt(n),
            np.sqrt(np.var(a, ddof=1) / n + np.var(b, ddof=1) / n))


def gain_by_library(a, b):
    return [statistics.fmean(a) - statistics.fmean(b), stats.sem(a - b), (stats.sem(a) ** 2 + stats.sem(b) ** 2) ** 0.5]


def gain_in_torch(a, b):
    a, b = torch.from_numpy(a), torch.from_numpy(b)
    return torch.stack([(a - b).mean(), (a - b).std() / len(a) ** 0.5, ((a.var() + b.var()) / len(a)).sqrt()])


def gain_by_counts(a, b):
    """From the four counts: both right, only a, only b, neither."""
    n, only_a, only_b = len(a), ((a == 1) & (b == 0)).sum(), ((b == 1) & (a == 0)).sum()
    mean = (only_a - only_b) / n
    paired = ((only_a + only_b - n * mean ** 2) / (n - 1) / n) ** 0.5
    p, q = a.mean(), b.mean()
    return mean, paired, ((p * (1 - p) + q * (1 - q)) / (n - 1)) ** 0.5


def sem(values, ddof=1):
    return np.std(values, ddof=ddof) / len(values) ** 0.5


def gain(difference=lambda a, b: np.mean(a) - np.mean(b), paired=lambda a, b: sem(a - b),
         unpaired=lambda a, b: (sem(a) ** 2 + sem(b) ** 2) ** 0.5):
    return lambda a, b: (difference(a, b), paired(a, b), unpaired(a, b))


def scaled(by):
    """Both errors, times something."""
    return lambda a, b: (gain_at_once(a, b)[0], *(by(error, len(a)) for error in gain_at_once(a, b)[1:]))


def exchanged(a, b):
    difference, paired, unpaired = gain_at_once(a, b)
    return difference, unpaired, paired


RIGHT = {
    "merged_label": [merged_at_once, merged_by_numbers, merged_by_sets, merged()],
    "kappa": [kappa_at_once, kappa_by_loop, kappa_in_torch, kappa_by_library, kappa()],
    "two_accuracies": [two_at_once, two_by_loop, two_in_torch, two_by_library, two()],
    "paired_gain": [gain_at_once, gain_by_library, gain_in_torch, gain_by_counts, gain()],
}

WRONG = {
    "merged_label": [
        (one_pot, "one pot"), (by_annotator, "annotator by annotator"),
        (merged(yields=lambda text, picture: "dropped"), "always drop"),
        (merged(yields=lambda text, picture: "neutral"), "the post becomes neutral"),
        (merged(yields=lambda text, picture: picture), "a neutral picture does not yield"),
        (merged(yields=lambda text, picture: text), "a neutral text does not yield"),
        (merged(opposed=lambda text, picture: "neutral"), "cancelled out"),
        (merged(opposed=lambda text, picture: text), "the text wins"),
        (merged(opposed=lambda text, picture: picture), "the picture wins"),
        (first_vote, "first annotator's"), (merged(none="neutral"), "the one in the middle"),
        (left_to_the_other, "leaves the decision"), (merged(need=3), "3 equal votes"),
        (lambda text, picture: votes_of(text), "Only the text"),
        (lambda text, picture: votes_of(picture), "Only the picture"), (no_neutral, "They agree"),
        (lambda *votes: MOODS.index(merged_at_once(*votes)) if merged_at_once(*votes) in MOODS else -1, "got an int"),
        (lambda *votes: merged_at_once(*votes).title(), "Yours gives 'Negative'"),
        (lambda *votes: None if merged_at_once(*votes) == "dropped" else merged_at_once(*votes), "gives back None"),
        (lambda text, picture: merged_at_once(picture[:2] + text[:1], text), "not what the task asks for")],
    "kappa": [
        (kappa(score=lambda same, luck: same), "the share of posts on which they agree"),
        (kappa(score=lambda same, luck: same - luck), "nothing is divided"),
        (kappa(lambda shares: 1 / len(shares)), "gives every label as often"),
        (kappa(lambda shares: (((shares.sum(1) + shares.sum(0)) / 2) ** 2).sum()), "Scott's pi"),
        (kappa(lambda shares: (shares.sum(1) ** 2).sum()), "from the rows alone"),
        (kappa(lambda shares: (shares.sum(0) ** 2).sum()), "from the columns alone"),
        (kappa(score=lambda same, luck: (same - luck) / luck), "divided by luck"),
        (kappa(score=lambda same, luck: (same - luck) / (1 - same)), "on which they differ. Divide"),
        (kappa(score=lambda same, luck: (1 - same) / (1 - luck)), "turned round"),
        (kappa(score=lambda same, luck: luck), "This is what luck gives"),
        (kappa(score=lambda same, luck: max((same - luck) / (1 - luck), 0)), "cut it off"),
        (kappa_weighted, "the weighted kappa"), (kappa_of_counts, "never divided"),
        (lambda table: 1 + (np.trace(table) - 1) / (1 - table.sum(1) @ table.sum(0)), "one of shares"),
        (kappa(same=lambda shares: shares.sum() - np.trace(shares)), "counted as agreement"),
        (kappa(same=lambda shares: np.diag(shares).mean()), "the mean of the diagonal"),
        (kappa(lambda shares: (shares.sum(1) * shares.sum(0)).mean()), "the mean over the labels"),
        (kappa(score=lambda same, luck: same - luck / 1 - luck), "divides before it subtracts"),
        (lambda table: table / table.sum(), "Expected one number"), (lambda table: np.nan, "NaN"),
        (lambda table: kappa_at_once(table) ** 2, "the squares of those asked for"),
        (lambda table: np.tanh(kappa_at_once(table)), "not what the task asks for")],
    "two_accuracies": [
        (lambda v, y: two_at_once(v, y)[::-1], "exchanged"),
        (two(lambda v, y: (v > 0) == (y > 0)), "a neutral label counts as negative"),
        (two(lambda v, y: (v > 0) == (y >= 0)), "an answer of exactly 0 is taken for negative"),
        (two(lambda v, y: (v >= 0) == (y > 0)), "is taken for negative, while"),
        (two(lambda v, y: ((v >= 0) == (y >= 0))[y != 0]), "Has-0 leaves out"),
        (two(lambda v, y: np.sign(v) == np.sign(y)), "In has-0 the signs"),
        (two(lambda v, y: v * y >= 0), "whatever the answer"),
        (two(second=lambda v, y: (v > 0) == (y > 0)), "Non-0 keeps"),
        (two(second=lambda v, y: ((v > 0) == (y > 0))[v != 0]), "chooses its own test"),
        (two(second=lambda v, y: ((v > 0) == (y > 0))[v * y != 0]), "label or answer is 0"),
        (two(second=lambda v, y: ((v >= 0) == (y >= 0))[y != 0]), "passes for positive"),
        (two(second=lambda v, y: (np.sign(v) == np.sign(y))[y != 0]), "In non-0 the signs"),
        (two(second=lambda v, y: ((v > 0) == (y > 0))[np.round(y) != 0]), "rounded to 0"),
        (two(second=lambda v, y: ((v > 0) == (y > 0)) * (y != 0)), "divide by all posts"),
        (lambda v, y: (((v >= 0) == (y >= 0)).sum(), ((v > 0) == (y > 0))[y != 0].sum()), "These are counts."),
        (two(change=lambda pair: 100 * np.array(pair)), "per cent"),
        (two(change=lambda pair: 1 - np.array(pair)), "the wrong ones"),
        (two(lambda v, y: ((v >= 0) == (y >= 0))[v != 0]), "All posts are in"),
        (two(second=lambda v, y: (v >= 0) == (y >= 0)), "and takes them for positive"),
        (two(lambda v, y: (v > 0) == (y > 0), lambda v, y: ((v >= 0) == (y >= 0))[y != 0]),
         "It counts as not negative. In non-0 an answer of exactly 0 passes for positive"),
        (lambda v, y: two_at_once(v, y)[0], "Expected two numbers"),
        (lambda v, y: two_at_once(-v, y), "not what the task asks for")],
    "paired_gain": [
        (lambda a, b: (-gain_at_once(a, b)[0], *gain_at_once(a, b)[1:]), "turned round"),
        (gain(lambda a, b: abs(np.mean(a - b))), "Whoever is better"),
        (gain(lambda a, b: np.abs(a - b).mean()), "Who gained by them"),
        (gain(lambda a, b: a.sum() - b.sum()), "summed over posts"), (exchanged, "The two errors are exchanged"),
        (gain(paired=lambda a, b: np.hypot(sem(a), sem(b))), "the unpaired one once more"),
        (gain(unpaired=lambda a, b: sem(a - b)), "the paired one once more"),
        (gain(paired=lambda a, b: sem(a - b, 0), unpaired=lambda a, b: np.hypot(sem(a, 0), sem(b, 0))), "divide by n "),
        (scaled(lambda error, n: error * n ** 0.5), "The errors are spreads"),
        (gain(paired=lambda a, b: np.std(a - b, ddof=1)), "The paired error is the spread"),
        (scaled(lambda error, n: error / n ** 0.5), "by the root of it only"),
        (scaled(lambda error, n: error ** 2), "variances"), (gain(unpaired=lambda a, b: sem(a) + sem(b)), "are added."),
        (gain(unpaired=lambda a, b: (sem(a) + sem(b)) / 2), "than either"),
        (gain(paired=lambda a, b: sem(abs(a - b))), "the signs are lost"),
        (gain(paired=lambda a, b: sem((a - b)[a != b])), "of the posts on which the two differ"),
        (lambda a, b: gain_at_once(a, b)[:2], "Expected three numbers"),
        (gain(paired=lambda a, b: sem(a - b, 0)), "The paired error divides by n"),
        (gain(unpaired=lambda a, b: np.hypot(sem(a, 0), sem(b, 0))), "The unpaired error divides by n"),
        (gain(paired=lambda a, b: sem(a - b) / len(a) ** 0.5), "The paired error is divided by the number"),
        (gain(paired=lambda a, b: sem(a - b) ** 2), "The paired error is a variance"),
        (gain(paired=lambda a, b: abs(sem(a) - sem(b))), "the difference of the two errors"),
        (gain(unpaired=lambda a, b: np.hypot(np.std(a, ddof=1), np.std(b, ddof=1))), "spreads of single posts. A"),
        (gain(unpaired=lambda a, b: sem(a) ** 2 + sem(b) ** 2), "The unpaired error is a variance"),
        (gain(unpaired=lambda a, b: sem(np.concatenate([a, b]))), "one model with twice the posts"),
        (gain(lambda a, b: np.mean(b - a), lambda a, b: sem(a - b, 0), lambda a, b: sem(a) + sem(b)),
         "better than b. The paired error divides by n under the spread, as NumPy does unless it is told otherwise. "
         "The task says n - 1. The two errors"),
        (gain(unpaired=lambda a, b: sem(a)), "Right in every call: the first, the second. Not right: the third."),
        (lambda a, b: gain_at_once(a, 1 - b), "not what the task asks for")],
}
