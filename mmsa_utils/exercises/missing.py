"""The checks of notebook 11: the mean of those who are there, what a model sees, a word for nothing, whose absence."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from .checks import exercise
from .compare import Refused, alike, compare, describe, expect_keys, expect_kind, kind_of, numbers
from .made_up import absences, lacking_posts, side_answers

SIDES = ("text", "image", "voice")


@exercise("11.1")
def those_there(answer: Any, rng: np.random.Generator) -> str:
    """(answers (batch, sides, classes), NaN where a side is missing; trust (sides,)) → (batch, classes)."""
    def heard(filled: Callable = torch.nan_to_num, counts: Callable = lambda there, trust: there * trust,
              total: Callable = lambda weights, there, trust: weights.sum(1, keepdim=True)) -> Callable:
        """A function that makes one mistake: in what stands for nothing, in who counts, or in what is divided by."""
        def function(answers, trust):
            there = ~answers.isnan().any(-1)
            weights = counts(there, trust).double()
            return (filled(answers.double()) * weights[..., None]).sum(1) / total(weights, there, trust)
        return function

    def nobody_decides(answers):
        return torch.where(answers.isnan(), 1 / answers.shape[-1], answers)

    def only_whole(answers, trust):
        whole = ~answers.isnan().any(-1).any(-1)
        return torch.where(whole[:, None], heard()(answers, trust), 1 / answers.shape[-1])

    def product(answers, trust):
        share = (trust * ~answers.isnan().any(-1)).double()
        mixed = (answers.double().log().nan_to_num() * (share / share.sum(1, keepdim=True))[..., None]).sum(1).exp()
        return mixed / mixed.sum(1, keepdim=True)

    cases = [side_answers(rng, batch, sides, classes) for batch, sides, classes in ((6, 3, 3), (5, 4, 2), (7, 3, 4))]
    _refuse_spread(answer, cases)
    compare(answer, heard(), cases, {
        "Each side counts as much as the others: the trust in them is passed over.":
            heard(counts=lambda there, trust: there.double()),
        "Where a side is missing the probabilities sum to less than 1: its trust is still in what you divide by. It "
        "goes to those who are there.": heard(total=lambda weights, there, trust: trust.sum()),
        "You divide by how many sides are there. They do not count alike: by what do their weights sum?":
            heard(total=lambda weights, there, trust: there.sum(1, keepdim=True)),
        "You divide by how many sides there might be. Both who is missing and the trust in the others are passed over.":
            heard(total=lambda weights, there, trust: len(trust)),
        "The trust is multiplied in, and nothing is divided: the probabilities of a post sum to anything.":
            heard(total=lambda weights, there, trust: 1),
        "A missing side gets a vote: that every class is as likely. It should have none, and the others all.":
            heard(nobody_decides, lambda there, trust: trust.expand(there.shape)),
        "Posts that lack a side are given up, as if nobody were there. Those who are there have an answer.":
            only_whole,
        "Only the most trusted of those who are there is heard.":
            heard(counts=lambda there, trust: there * trust == (there * trust).amax(1, keepdim=True)),
        "The least trusted count most: trust is turned round.": heard(counts=lambda there, trust: there / trust),
        "The softmax of the trust is taken. It is positive already, and counts as it is: twice as much, twice the say.":
            heard(counts=lambda there, trust: torch.softmax(trust.double(), 0) * there),
        "This is a product of the probabilities. Asked for is their mean, weighted by trust.": product,
    })
    answers, trust = side_answers(rng, 4, 3, 4)
    answers[1] = torch.nan
    wanted = heard()(answers, trust)
    wanted[1] = 1 / 4  # three sides, four classes
    given = answer(answers, trust)
    expect_shape(given, wanted)
    values = numbers(given)
    if not alike(values[[0, 2, 3]], wanted[[0, 2, 3]]):
        raise Refused("One post without any side changes the answers to others in its batch.", 1 / 2)
    if not alike(values[1], wanted[1]):
        total = values[1].sum()
        said = "NaN" if np.isnan(total) else "an opinion" if alike(total, 1) else f"numbers that sum to {total:.2g}"
        raise Refused(f"Right while somebody is there. For a post without any side, yours gives {said}: what is known "
                      "of its mood?", 1 / 2)
    return "Who is there shares the whole say, and nobody speaks for who is missing."


def _refuse_spread(answer: Callable, cases: list[tuple]) -> None:
    """Refuse NaN in answers to posts that have a side."""
    for answers, trust in cases:
        values = numbers(answer(answers, trust))
        if values is not None and np.isnan(values).any():
            raise Refused("There is a NaN in the answer to a post that has a side. NaN times 0 is NaN, and so is a sum "
                          "with one NaN in it: put a number in its place before anything is multiplied.")


def expect_shape(given: Any, wanted: Any) -> None:
    """Refuse another kind or shape; NaN may pass."""
    values = numbers(given)
    if values is None or values.shape != tuple(wanted.shape):
        expect_kind(given, wanted)


@exercise("11.2")
def pattern_shares(answer: Any, rng: np.random.Generator) -> str:
    """(sides, names in order; share) → {"text": ..., "text+image": ..., ...}, how often each choice is left."""
    def shares(left: Callable = lambda k, n, share: (1 - share) ** k * share ** (n - k),
               saved: Callable = lambda k, n, share, nobody, first: nobody / n if k == 1 else 0,
               scale: Callable = lambda nobody: 1) -> Callable:
        """A function that makes one mistake: in who is left, in who is saved, or in what everything is scaled by."""
        def function(sides, share):
            n, nobody = len(sides), share ** len(sides)
            return {"+".join(some): (left(k, n, share) + saved(k, n, share, nobody, some == tuple(sides[:k])))
                    * scale(nobody) for k in range(1, n + 1) for some in itertools.combinations(sides, k)}
        return function

    cases = [(list(SIDES[:n]), round(share, 3)) for n, share in zip((3, 2, 3, 2, 3), rng.uniform(0.15, 0.45, 5))]
    for case in cases:
        given = answer(*case)
        expect_keys(given, shares()(*case))
        if len(given) > len(shares()(*case)):
            raise Refused("There are keys that no post can end with. Each keeps a side, and the names stand in order.")
    compare(answer, shares(), cases, {
        "They sum to less than 1: a post that would lose everything has vanished. It keeps one of its sides.":
            shares(saved=lambda *_: 0),
        "A post that would lose everything is drawn again, until something is left. Here it keeps one of its sides, "
        "and one only.": shares(saved=lambda *_: 0, scale=lambda nobody: 1 / (1 - nobody)),
        "A post that would lose everything always keeps the first side. Each is to be as likely.":
            shares(saved=lambda k, n, share, nobody, first: nobody if k == 1 and first else 0),
        "They sum to more than 1: each single side got all the posts that would lose everything. They are shared out.":
            shares(saved=lambda k, n, share, nobody, first: nobody if k == 1 else 0),
        "A post that would lose everything keeps everything. It keeps one side.":
            shares(saved=lambda k, n, share, nobody, first: nobody if k == n else 0),
        "Every choice gets a part of the posts that would lose everything, so they sum to more than 1. Such a post "
        "keeps one side: which choices gain?": shares(saved=lambda k, n, share, nobody, first: nobody / n),
        "The posts that would lose everything are always shared out among three. How many sides are there?":
            shares(saved=lambda k, n, share, nobody, first: nobody / 3 if k == 1 else 0),
        "Single sides get too much or too little: how often would all sides be lost at once?":
            shares(saved=lambda k, n, share, nobody, first: share / n if k == 1 else 0),
        "The posts that would lose everything are spread over all choices. They keep one side, so single ones alone "
        "gain.": shares(saved=lambda k, n, share, nobody, first: nobody / (2 ** n - 1)),
        "Kept and left out are exchanged: `share` is how often a side is left out.":
            lambda sides, share: shares()(sides, 1 - share),
        "Every choice comes out as likely as any other. Whether a side is left out hangs on `share`.":
            shares(lambda k, n, share: 1 / (2 ** n - 1), lambda *_: 0),
        "You multiply for the sides that are kept, and forget that the others have to be left out.":
            shares(lambda k, n, share: (1 - share) ** k),
        "You multiply for the kept sides only: the others have to be left out, and a post keeps one side at least.":
            shares(lambda k, n, share: (1 - share) ** k, lambda *_: 0),
        "You multiply for the sides that are left out, and forget that the others have to be kept.":
            shares(lambda k, n, share: share ** (n - k)),
        "Choices of the same size are taken together and split evenly among too few or too many: each choice stands "
        "for itself.": shares(lambda k, n, share: (1 - share) ** k * share ** (n - k) * (n if 0 < k < n else 1)),
    })
    return "You know what a model that is taught to miss gets to see, before it is trained."


@exercise("11.3")
def absent_token(answer: Any, rng: np.random.Generator) -> str:
    """(tokens (batch, t, width), mask (batch, t), absent (width,)) → (tokens, mask): a token where a post had none."""
    def put(where: Callable = lambda mask: ~mask.any(1), at: Callable = lambda mask: torch.arange(mask.shape[1]) == 0,
            what: Callable = lambda tokens, absent: absent.expand_as(tokens), tell: bool = True) -> Callable:
        """A function that makes one mistake: in which posts, at which places, what is put there, or the mask."""
        def function(tokens, mask, absent):
            spot = where(mask)[:, None] & at(mask)
            return torch.where(spot[..., None], what(tokens, absent), tokens), mask | spot if tell else mask
        return function

    def read(function: Callable) -> Callable:
        """What can be read of a result: its mask, and its tokens where that is True."""
        def reading(*case):
            tokens, mask = _pair(function(*case), case[0])
            return np.where(mask[..., None], tokens, 0), mask
        return reading

    cases = [lacking_posts(rng, batch, t, width) for batch, t, width in ((6, 4, 3), (5, 3, 2), (7, 5, 4))]
    for case in cases:
        tokens, mask = _pair(answer(*case), case[0])
        extra = mask & ~put()(*case)[1].numpy()
        if extra.any() and np.array_equal(tokens[extra], case[0].numpy()[extra], equal_nan=True):
            raise Refused("Your mask calls a place real where nothing was put, and nothing real was before.")
        if np.isnan(tokens[mask]).any():
            raise Refused("There is a NaN where your mask says that a token is real. What lies in the place of a "
                          "missing token may be anything, NaN too, and NaN times 0 is NaN: choose, do not multiply.")
    compare(read(answer), read(put()), cases, {message: read(mistake) for message, mistake in {
        "Vector or not, nobody can see it: your mask still says that the post has nothing.": put(tell=False),
        "Every place of such a post gets the vector. So its weight hangs on how long its neighbours are; one will do.":
            put(at=lambda mask: torch.ones_like(mask[0])),
        "Padding gets the vector as well. It is for posts that have nothing of this side.":
            put(lambda mask: torch.ones(len(mask), dtype=torch.bool), lambda mask: ~mask),
        "Every post gets the vector in its first place, also those that have something there.":
            put(lambda mask: torch.ones(len(mask), dtype=torch.bool)),
        "It is the wrong posts: those that have the side lose their first token.": put(lambda mask: mask.any(1)),
        "A post with some padding is taken for one that has nothing. It lacks the side if none of its tokens is real.":
            put(lambda mask: ~mask.all(1)),
        "A post that begins with padding is taken for one that has nothing. What comes after its first place?":
            put(lambda mask: ~mask[:, 0]),
        "The vector stands in the last place. Expected: in the first.":
            put(at=lambda mask: torch.arange(mask.shape[1]) == mask.shape[1] - 1),
        "The mask says that something is there, but it is not the absent vector: whatever lay there is taken for a "
        "token now.": put(what=lambda tokens, absent: tokens.nan_to_num()),
        "There are zeros where the absent vector should stand. Zeros are a feature like any other.":
            put(what=lambda tokens, absent: torch.zeros_like(tokens)),
        "The vector is added to what lay there. That is nothing to be read: put it in its place.":
            put(what=lambda tokens, absent: tokens.nan_to_num() + absent),
    }.items()})
    return "Absence has a word of its own, said once, and nothing else has changed."


def _pair(given: Any, tokens: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Tokens and mask as arrays; refuses anything else."""
    if not isinstance(given, (tuple, list)) or len(given) != 2:
        raise Refused(f"Expected two things, tokens and their mask; got {kind_of(given)}.")
    found = [numbers(value) for value in given]
    for value, part, shape in zip(given, found, (tokens.shape, tokens.shape[:2])):
        if part is None or part.shape != tuple(shape):
            name = "tokens" if len(shape) == 3 else "mask"
            raise Refused(f"The {name}: expected the shape {tuple(shape)}, as before, got {kind_of(value)}.")
    return found[0], found[1] != 0


def _expected(counts: np.ndarray) -> np.ndarray:
    return counts.sum(1, keepdims=True) * counts.sum(0) / counts.sum()


@exercise("11.4")
def mood_of_absence(answer: Any, rng: np.random.Generator, limit: float = 5.991) -> str:
    """(counts (3, 2), for each mood the posts with a picture and without) → (statistic, whether it passes limit)."""
    def tested(even: Callable = _expected, far: Callable = lambda seen, even: ((seen - even) ** 2 / even).sum(),
               says: Callable = lambda found, counts: found > limit) -> Callable:
        """A function that makes one mistake: in what was expected, in how far off it is, or in what follows."""
        def function(counts):
            seen = counts.astype(float)
            found = float(far(seen, even(seen)))
            return found, bool(says(found, counts))
        return function

    cases = [(absences(rng, n, gap),) for n, gap in ((400, 0), (900, 0.1), (5000, 0.04), (60, 0.15), (500, 0.3))]
    # Between the limits of two moods and of three; between those of one table in twenty and of one in a hundred.
    cases += [(rng.permutation(rows),) for rows in ([[60, 40], [70, 30], [74, 26]], [[55, 45], [70, 30], [72, 28]])]
    _refuse_other_kinds(answer, cases)
    compare(answer, tested(), cases, {
        "You expect the same number in each of the six places. Pictures may be rarer than posts without one, and one "
        "mood rarer than another: that alone says nothing.": tested(lambda seen: np.full(seen.shape, seen.mean())),
        "You expect as many pictures in every mood. A mood with more posts has more of them anyway.":
            tested(lambda seen: np.broadcast_to(seen.mean(0), seen.shape)),
        "You expect half of each mood's posts to lack a picture. Of all posts, how many lack one?":
            tested(lambda seen: np.broadcast_to(seen.mean(1, keepdims=True), seen.shape)),
        "Rows times columns, and no more: what you expect has to sum to the number of posts.":
            tested(lambda seen: seen.sum(1, keepdims=True) * seen.sum(0)),
        "The squares are divided by what was counted. Divide by what was expected.":
            tested(far=lambda seen, even: ((seen - even) ** 2 / seen).sum()),
        "The squares are not divided by anything: ten posts too many are much among twenty and nothing among ten "
        "thousand.": tested(far=lambda seen, even: ((seen - even) ** 2).sum()),
        "From each distance a half is taken first: Yates's correction, which is for tables of two by two.":
            tested(far=lambda seen, even: ((np.abs(seen - even) - 0.5) ** 2 / even).sum()),
        "This is the other statistic of such tables, made of logarithms (G). The task asks for Pearson's.":
            tested(far=lambda seen, even: 2 * (seen * np.log(seen / even)).sum()),
        "The squares are divided by the root of what was expected. Divide by the expected itself.":
            tested(far=lambda seen, even: ((seen - even) ** 2 / np.sqrt(even)).sum()),
        "The root of the sum is taken. The limit is for the sum.":
            tested(far=lambda seen, even: np.sqrt(((seen - even) ** 2 / even).sum())),
        "The distances are not squared.": tested(far=lambda seen, even: (np.abs(seen - even) / even).sum()),
        "Only the posts without a picture are counted. The others lie off as well, by as many.":
            tested(far=lambda seen, even: ((seen - even) ** 2 / even)[:, 1].sum()),
        "Only the posts with a picture are counted. The others lie off as well, by as many.":
            tested(far=lambda seen, even: ((seen - even) ** 2 / even)[:, 0].sum()),
        "This is a mean over the six places. The limit is for their sum.":
            tested(far=lambda seen, even: ((seen - even) ** 2 / even).mean()),
        "You compute with shares. Sixty posts then weigh as much as five thousand, and chance cannot be told from a "
        "habit.": tested(far=lambda seen, even: ((seen - even) ** 2 / even).sum() / seen.sum()),
        "The statistic is right, and what follows is turned round: above the limit chance alone is a poor explanation.":
            tested(says=lambda found, counts: found <= limit),
        "The statistic is right, but you decide by how far the shares lie apart. In few posts chance does that too.":
            tested(says=lambda _, counts: np.ptp(counts[:, 1] / counts.sum(1)) > 0.1),
        "The statistic is right, and your limit lies too low. Which one does the task give for three moods?":
            tested(says=lambda found, counts: found > 3.841),
        "The statistic is right, and your limit lies too high. Which one does the task give?":
            tested(says=lambda found, counts: found > 7.815),
        "The statistic is right, and you always say that absence hangs on the mood.": tested(says=lambda *_: True),
        "The statistic is right, and you never say that absence hangs on the mood.": tested(says=lambda *_: False),
    })
    return "A habit is told from chance, with few posts and with many."


def _refuse_other_kinds(answer: Callable, cases: list[tuple]) -> None:
    """Refuse what is no pair of a number and True or False."""
    for case in cases:
        given = answer(*case)
        if not isinstance(given, (tuple, list)) or len(given) != 2:
            raise Refused(f"Expected two things, the statistic and True or False; got {kind_of(given)}.")
        if not alike(given[1], True) and not alike(given[1], False):
            raise Refused(f"The second thing is True or False: does the statistic pass the limit? Yours is "
                          f"{describe(given[1])}.")
