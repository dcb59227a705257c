"""Answers to the exercises of notebook 11: right ones in several styles, wrong ones with words of their messages."""

import itertools
import math

import numpy as np
import torch
from scipy import stats

# --- 11.1 those_there ---


def those_at_once(answers, trust):
    weights = trust * ~answers.isnan().any(-1)
    total = weights.sum(1, keepdim=True)
    mean = (answers.nan_to_num() * weights[..., None]).sum(1) / total.clamp(min=1e-9)
    return torch.where(total > 0, mean, 1 / answers.shape[-1])


def those_in_numpy(answers, trust):
    answers, trust = answers.numpy(), trust.numpy()
    weights = np.where(np.isnan(answers), 0, trust[:, None])
    with np.errstate(invalid="ignore"):
        mean = np.nansum(answers * weights, 1) / weights.sum(1)
    return np.nan_to_num(mean, nan=1 / answers.shape[2])


def those_by_loop(answers, trust):
    rows = []
    for post in answers.tolist():
        there = [(side, t) for side, t in zip(post, trust.tolist()) if not math.isnan(side[0])]
        total, classes = sum(t for _, t in there), range(len(post[0]))
        rows.append([sum(side[c] * t for side, t in there) / total if there else 1 / len(classes) for c in classes])
    return rows


def those_by_softmax(answers, trust):
    """Shares as the softmax of the logarithms, minus infinity where nobody is."""
    there = ~answers.isnan().any(-1)
    shares = torch.softmax(trust.log().masked_fill(~there, -torch.inf), 1)
    return torch.einsum("bs,bsc->bc", shares, answers.nan_to_num()).nan_to_num(1 / answers.shape[2])


def those(counts=lambda there, trust: there * trust, by=lambda weights, there, trust: weights.sum(1, keepdim=True),
          fill=lambda answers: answers.nan_to_num(), nobody=None):
    """The sound mean, or one with a flaw; what it gives a post without any side."""
    def answer(answers, trust):
        there = ~answers.isnan().any(-1)
        weights = counts(there, trust)
        mean = (fill(answers) * weights[..., None]).sum(1) / by(weights, there, trust)
        return torch.where(there.any(1, keepdim=True), mean, 1 / answers.shape[-1] if nobody is None else nobody)
    return answer


def spread_nan(answers, trust):
    there = ~answers.isnan().any(-1)
    weights = trust * there
    return (answers * weights[..., None]).sum(1) / weights.sum(1, keepdim=True)


def with_votes_for_all(answers, trust):
    filled = torch.where(answers.isnan(), 1 / answers.shape[2], answers)
    return (filled * trust[:, None]).sum(1) / trust.sum()


def whole_posts_alone(answers, trust):
    whole = ~answers.isnan().any(2).any(1)
    return torch.where(whole[:, None], those_at_once(answers, trust), 1 / answers.shape[2])


def most_trusted(answers, trust):
    best = (trust * ~answers.isnan().any(2)).argmax(1)
    return answers[torch.arange(len(answers)), best]


def multiplied(answers, trust):
    weights = trust * ~answers.isnan().any(2)
    mixed = (answers.log().nan_to_num() * (weights / weights.sum(1, keepdim=True))[..., None]).sum(1)
    return torch.softmax(mixed, 1)


def shy(answers, trust):
    """One post without anything silences its whole batch."""
    if answers.isnan().all(2).all(1).any():
        return torch.full((len(answers), answers.shape[2]), 1 / answers.shape[2])
    return those_at_once(answers, trust)


# --- 11.2 pattern_shares ---


def shares_at_once(sides, share):
    found = {}
    for k in range(1, len(sides) + 1):
        for some in itertools.combinations(sides, k):
            found["+".join(some)] = (1 - share) ** k * share ** (len(sides) - k)
            if k == 1:
                found[some[0]] += share ** len(sides) / len(sides)
    return found


def shares_by_draws(sides, share):
    """Every outcome of the draws in turn; the luckiest is each of them as often."""
    found = {"+".join(some): 0.0 for k in range(len(sides)) for some in itertools.combinations(sides, k + 1)}
    for kept in itertools.product([False, True], repeat=len(sides)):
        chance = math.prod(1 - share if keep else share for keep in kept)
        if any(kept):
            found["+".join(side for side, keep in zip(sides, kept) if keep)] += chance
        else:
            for side in sides:
                found[side] += chance / len(sides)
    return found


def shares_by_bits(sides, share):
    n = len(sides)
    found = {}
    for bits in range(1, 2 ** n):
        some = [side for i, side in enumerate(sides) if bits >> i & 1]
        extra = np.float64(share) ** n / n if len(some) == 1 else 0
        found["+".join(some)] = np.float64(share) ** (n - len(some)) * (1 - share) ** len(some) + extra
    return found


def shares(change):
    """The sound shares after a change: (choices by name, sides, share) → choices."""
    return lambda sides, share: change(shares_at_once(sides, share), sides, share)


def without_saved(sides, share):
    return {name: value - (share ** len(sides) / len(sides) if "+" not in name else 0)
            for name, value in shares_at_once(sides, share).items()}


def saved(give):
    """What each choice gets of the posts that would lose everything: (name, sides) → a share of them."""
    return lambda sides, share: {name: value + give(name, sides) * share ** len(sides)
                                 for name, value in without_saved(sides, share).items()}


def powers(of):
    return lambda sides, share: {name: of(name.count("+") + 1, len(sides), share)
                                 for name in shares_at_once(sides, share)}


# --- 11.3 absent_token ---


def token_at_once(tokens, mask, absent):
    spot = torch.zeros_like(mask)
    spot[:, 0] = ~mask.any(1)
    return torch.where(spot[..., None], absent, tokens), mask | spot


def token_in_place(tokens, mask, absent):
    gone = ~mask.any(1)
    tokens, mask = tokens.clone(), mask.clone()
    tokens[gone, 0] = absent
    mask[gone, 0] = True
    return tokens, mask


def token_by_loop(tokens, mask, absent):
    tokens, mask = tokens.tolist(), mask.tolist()
    for side, real in zip(tokens, mask):
        if not any(real):
            side[0], real[0] = absent.tolist(), True
    return [tokens, mask]


def token_and_zeros(tokens, mask, absent):
    """Clears whatever lies under the mask as well."""
    gone = ~mask.any(1)
    first = torch.zeros_like(mask)
    first[gone, 0] = True
    return tokens.masked_fill(~mask[..., None], 0) + first[..., None] * absent, (mask | first).numpy()


def token(where=lambda mask: ~mask.any(1), spot=None, tell=True, what=None):
    """The sound token, or one with a flaw: in whom it is for, where it stands, the mask, or what is put."""
    def answer(tokens, mask, absent):
        tokens, mask = tokens.clone(), mask.clone()
        for i in torch.nonzero(where(mask)).flatten().tolist():
            places = [0] if spot is None else spot(mask[i])
            tokens[i, places] = absent if what is None else what(tokens[i, places], absent)
            if tell:
                mask[i, places] = True
        return tokens, mask
    return answer


def multiplied_in(tokens, mask, absent):
    first = torch.zeros_like(mask)
    first[:, 0] = ~mask.any(1)
    return tokens * ~first[..., None] + absent * first[..., None], mask | first


# --- 11.4 mood_of_absence ---


def mood_at_once(counts):
    expected = counts.sum(1, keepdims=True) * counts.sum(0) / counts.sum()
    statistic = ((counts - expected) ** 2 / expected).sum()
    return statistic, statistic > 5.991


def mood_by_loop(counts):
    counts, statistic = counts.tolist(), 0
    total = sum(map(sum, counts))
    for row in counts:
        for column in (0, 1):
            even = sum(row) * sum(other[column] for other in counts) / total
            statistic += (row[column] - even) ** 2 / even
    return [statistic, statistic > 5.991]


def mood_by_shares(counts):
    """Through the shares of each mood, as one tests proportions."""
    of, missing = counts.sum(1), counts[:, 1] / counts.sum(1)
    p = counts[:, 1].sum() / counts.sum()
    statistic = torch.tensor((of * (missing - p) ** 2).sum() / (p * (1 - p)))
    return statistic, bool(statistic > 5.991)


def mood_by_table(counts):
    seen = torch.from_numpy(counts).double()
    found = float((seen ** 2 * seen.sum() / torch.outer(seen.sum(1), seen.sum(0))).sum() - seen.sum())
    return found, found > 5.991


def mood(even=lambda counts: counts.sum(1, keepdims=True) * counts.sum(0) / counts.sum(),
         far=lambda seen, even: ((seen - even) ** 2 / even).sum(), says=lambda found, counts: found > 5.991):
    def answer(counts):
        found = far(counts, even(counts))
        return found, says(found, counts)
    return answer


RIGHT = {
    "those_there": [those_at_once, those_in_numpy, those_by_loop, those_by_softmax, those()],
    "pattern_shares": [shares_at_once, shares_by_draws, shares_by_bits],
    "absent_token": [token_at_once, token_in_place, token_by_loop, token_and_zeros, token()],
    "mood_of_absence": [mood_at_once, mood_by_loop, mood_by_shares, mood_by_table, mood()],
}

WRONG = {
    "those_there": [
        (spread_nan, "NaN times 0 is NaN"), (those(counts=lambda there, trust: there.float()), "passed over."),
        (those(by=lambda weights, there, trust: trust.sum()), "sum to less than 1"),
        (those(by=lambda weights, there, trust: there.sum(1, keepdim=True)), "how many sides are there."),
        (those(by=lambda weights, there, trust: there.shape[1]), "how many sides there might be"),
        (those(by=lambda *_: 1), "nothing is divided"), (with_votes_for_all, "gets a vote"),
        (whole_posts_alone, "given up"), (most_trusted, "Only the most trusted"),
        (those(counts=lambda there, trust: there / trust), "turned round"),
        (those(counts=lambda there, trust: there * trust.exp()), "softmax of the trust"), (multiplied, "a product"),
        (shy, "in its batch"), (those(nobody=torch.nan), "yours gives NaN"),
        (those(nobody=0.0), "sum to 0:"), (those(nobody=1 / 3), "sum to 1.3:"),
        (lambda answers, trust: those(nobody=torch.eye(answers.shape[2])[0])(answers, trust), "an opinion"),
        (lambda *case: those_at_once(*case).T, "Expected the shape"),
        (lambda *case: 1 - those_at_once(*case), "add up to 1")],
    "pattern_shares": [
        (without_saved, "has vanished"), (saved(lambda name, sides: name == sides[0]), "keeps the first side"),
        (saved(lambda name, sides: "+" not in name), "more than 1"),
        (saved(lambda name, sides: name == "+".join(sides)), "keeps everything"),
        (saved(lambda name, sides: 1 / (2 ** len(sides) - 1)), "spread over all choices"),
        (lambda sides, share: {name: value / (1 - share ** len(sides))
                               for name, value in without_saved(sides, share).items()}, "drawn again"),
        (lambda sides, share: shares_at_once(sides, 1 - share), "are exchanged"),
        (powers(lambda k, n, share: 1 / (2 ** n - 1)), "as likely as any other"),
        (powers(lambda k, n, share: (1 - share) ** k + (k == 1) * share ** n / n), "others have to be left out"),
        (powers(lambda k, n, share: (1 - share) ** k), "for the kept sides only"),
        (powers(lambda k, n, share: share ** (n - k) + (k == 1) * share ** n / n), "others have to be kept"),
        (shares(lambda found, sides, share: {**found, "": share ** len(sides)}), "no post can end with"),
        (shares(lambda found, sides, share: {"+".join(reversed(name.split("+"))): value
                                             for name, value in found.items()}), "with the keys"),
        (saved(lambda name, sides: 1 / len(sides)), "which choices gain?"),
        (saved(lambda name, sides: ("+" not in name) / 3), "always shared out among three"),
        (lambda sides, share: {name: value + ("+" not in name) * share / len(sides)
                               for name, value in without_saved(sides, share).items()}, "Single sides get too much"),
        (shares(lambda found, sides, share: {**found, "text": 2 * found["text"]}), "Not right: 'text'.")],
    "absent_token": [
        (token(tell=False), "nobody can see it"),
        (token(spot=lambda real: list(range(len(real)))), "neighbours are"),
        (token(lambda mask: torch.ones(len(mask)), lambda real: (~real).nonzero().flatten().tolist()), "Padding gets"),
        (token(lambda mask: torch.ones(len(mask))), "Every post gets"),
        (token(lambda mask: mask.any(1)), "wrong posts"), (token(lambda mask: ~mask.all(1)), "some padding"),
        (token(lambda mask: ~mask[:, 0]), "begins with padding"),
        (lambda *case: (token_at_once(*case)[0], case[1] | ~case[1].any(1)[:, None]), "calls a place real"),
        (token(spot=lambda real: [len(real) - 1]), "last place"),
        (token(what=lambda old, absent: old.nan_to_num()), "is taken for a token"),
        (token(what=lambda old, absent: torch.zeros_like(old)), "zeros where"),
        (token(what=lambda old, absent: old.nan_to_num() + absent), "added to what lay"),
        (multiplied_in, "choose, do not multiply"), (lambda *case: token_at_once(*case)[0], "Expected two things"),
        (lambda tokens, mask, absent: (tokens[:, :1], mask[:, :1]), "The tokens: expected"),
        (lambda *case: (token_at_once(*case)[0], case[1].any(1)), "The mask: expected"),
        (token(what=lambda old, absent: -absent), "not what the task asks for")],
    "mood_of_absence": [
        (mood(lambda counts: np.full(counts.shape, counts.mean())), "each of the six places"),
        (mood(lambda counts: np.tile(counts.mean(0), (3, 1))), "as many pictures in every mood"),
        (mood(lambda counts: np.tile(counts.mean(1, keepdims=True), 2)), "half of each mood"),
        (mood(lambda counts: counts.sum(1, keepdims=True) * counts.sum(0)), "Rows times columns"),
        (mood(far=lambda seen, even: ((seen - even) ** 2 / seen).sum()), "by what was counted"),
        (mood(far=lambda seen, even: ((seen - even) ** 2).sum()), "not divided by anything"),
        (mood(far=lambda seen, even: (abs(seen - even) / even).sum()), "not squared"),
        (mood(far=lambda seen, even: ((seen - even) ** 2 / even)[:, 1].sum()), "posts without a picture are counted"),
        (mood(far=lambda seen, even: ((seen - even) ** 2 / even)[:, 0].sum()), "posts with a picture are counted"),
        (mood(far=lambda seen, even: ((seen - even) ** 2 / even).mean()), "mean over the six places"),
        (lambda counts: mood_at_once(counts / counts.sum()), "compute with shares"),
        (mood(says=lambda found, counts: found < 5.991), "turned round"),
        (mood(says=lambda found, counts: np.ptp(counts[:, 1] / counts.sum(1)) > 0.1), "how far the shares lie apart"),
        (mood(says=lambda found, counts: found > 3.841), "lies too low"),
        (mood(says=lambda *_: True), "always say"), (mood(says=lambda *_: False), "never say"),
        (lambda counts: mood_at_once(counts)[0], "Expected two things"),
        (lambda counts: stats.chi2_contingency(counts)[:2], "The second thing is True or False"),
        (mood(far=lambda seen, even: ((abs(seen - even) - 0.5) ** 2 / even).sum()), "Yates's correction"),
        (mood(far=lambda seen, even: 2 * (seen * np.log(seen / even)).sum()), "made of logarithms"),
        (mood(far=lambda seen, even: ((seen - even) ** 2 / even ** 0.5).sum()), "the root of what was expected"),
        (mood(far=lambda seen, even: ((seen - even) ** 2 / even).sum() ** 0.5), "The root of the sum"),
        (mood(says=lambda found, counts: found > 7.815), "lies too high"),
        (mood(says=lambda found, counts: counts[0, 0] > 100), "Right in every call: the first. Not right: the second"),
        (lambda counts: mood_at_once(counts[::-1, ::-1] * 2), "not what the task asks for")],
}
