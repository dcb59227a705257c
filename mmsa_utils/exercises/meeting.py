"""The checks of notebook 09: a gate, all products, a look with a mask, and whether it rests on the named dish."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from .checks import exercise
from .compare import Refused, after, alike, compare, expect_kind, numbers


def _normal(rng: np.random.Generator, *shape: int, spread: float = 1) -> torch.Tensor:
    return torch.from_numpy(rng.normal(0, spread, shape)).float()


@exercise("9.1")
def gate(answer: Any, rng: np.random.Generator, tamed: str = "tanh") -> str:
    """(text (batch, width), image (batch, width), scores (batch, 2, width)) → (batch, width)."""
    tame: Callable = {"tanh": torch.tanh, "softsign": F.softsign}.get(tamed, lambda x: x / torch.sqrt(1 + x ** 2))

    def mixed(shares: Callable = lambda scores: torch.softmax(scores, 1), says: Callable = tame,
              heard: Callable = lambda mix: mix) -> Callable:
        """A function that makes one mistake: in the shares, in what the sides say, or in what becomes of the mix."""
        def function(text, image, scores):
            return heard((shares(scores) * torch.stack([says(text), says(image)], 1)).sum(1))
        return function

    cases = [(_normal(rng, batch, width, spread=1.5), _normal(rng, batch, width, spread=1.5),
              _normal(rng, batch, 2, width, spread=1.5)) for batch, width in ((3, 5), (4, 3), (5, 4))]
    compare(answer, mixed(), cases, {
        "The sides are exchanged: the first score is the text's, the second the image's.":
            mixed(lambda scores: torch.softmax(scores, 1).flip(1)),
        "Your shares sum to 1 over the numbers of a side. It is the two sides that share each number: which axis of "
        "the scores holds them?": mixed(lambda scores: torch.softmax(scores, -1)),
        "Your shares sum to 1 over the posts of the batch, so a post is read differently in other company. Which axis "
        "of the scores holds the sides?": mixed(lambda scores: torch.softmax(scores, 0)),
        "Your shares are made from the text's score alone. How much of a number comes from the text depends on what "
        "speaks for the image, too.":
            mixed(lambda scores: torch.stack([torch.sigmoid(scores[:, 0]), torch.sigmoid(-scores[:, 0])], 1)),
        "Your shares are made from the image's score alone, and the text's is passed over.":
            mixed(lambda scores: torch.stack([torch.sigmoid(-scores[:, 1]), torch.sigmoid(scores[:, 1])], 1)),
        "Each score is pressed between 0 and 1 by itself, so the two shares of a number do not sum to 1: what one side "
        "gets, the other has to give.": mixed(torch.sigmoid),
        "The scores themselves are used as shares. They may be negative, and do not sum to 1.":
            mixed(lambda scores: scores),
        "These powers of e are positive, but the two of a number do not yet sum to 1.": mixed(torch.exp),
        "The sides are mixed as they are: what each says should first be brought between -1 and 1.":
            mixed(says=lambda side: side),
        "The sides are mixed as they are, and what comes out is brought between -1 and 1. Bring each side there "
        "before they are mixed: else the louder one drowns the other.": mixed(says=lambda side: side, heard=torch.tanh),
        "What a side says is brought between 0 and 1: so it never says anything against.": mixed(says=torch.sigmoid),
        "A mean over the sides halves every number: the shares already sum to 1.": mixed(heard=lambda mix: mix / 2),
        "The two sides are added up in full, whatever the scores say: there is no gate yet.": mixed(torch.ones_like),
        "Each side has half of every number, whatever the scores say: no gate yet.":
            mixed(lambda scores: torch.full_like(scores, 0.5)),
        "Each side has one share for all of its numbers. The gate decides anew for every number.":
            mixed(lambda scores: torch.softmax(scores.mean(-1, keepdim=True), 1)),
        "All of a number comes from the side with the higher score. That is a switch, and training could not move it: "
        "the gate opens by degrees.": mixed(lambda scores: (scores == scores.amax(1, keepdim=True)).float()),
    })
    return "Every number comes from both sides, in shares that sum to 1, and who leads may change within a post."


@exercise("9.2")
def tensor_fusion(answer: Any, rng: np.random.Generator) -> str:
    """(text (batch, n), image (batch, m)) → (batch, (n + 1) * (m + 1))."""
    def behind(side, where=(0, 1)):
        return F.pad(side, where, value=1.0)

    def outer(one, other):
        return torch.einsum("bi,bj->bij", one, other).flatten(1)

    def joined(*parts):
        return torch.cat(parts, -1)

    # First sides of one width, where every mistake has a result, then others.
    square, oblong = ([(_normal(rng, batch, n), _normal(rng, batch, m)) for batch, n, m in sizes]
                      for sizes in (((3, 4, 4), (5, 2, 2), (4, 3, 3)), ((3, 2, 5), (2, 6, 3), (1, 1, 4))))
    compare(answer, lambda t, i: outer(behind(t), behind(i)), square, {
        "The products are all there, and the sides themselves are not: nothing is left of what one of them says "
        "alone. What has to be added to each before they are multiplied?": outer,
        "The image alone has got its 1. Without one at the text, what it says alone is lost.":
            lambda t, i: outer(t, behind(i)),
        "The text alone has got its 1. Without one at the image, what the text says alone is lost.":
            lambda t, i: outer(behind(t), i),
        "This is concatenation: the numbers stand side by side, and nothing is multiplied.": joined,
        "The ones are there, but the sides are only joined: nothing is multiplied.":
            lambda t, i: joined(behind(t), behind(i)),
        "Each number is multiplied with the one at the same place of the other side. Every number should meet every "
        "number of the other.": lambda t, i: t * i,
        "The ones are there, but each number meets only the one at the same place of the other side. It should meet "
        "all of them.": lambda t, i: behind(t) * behind(i),
        "Each 1 stands in front of its side. The task puts it behind: a head that has learned the one order cannot "
        "read the other.": lambda t, i: outer(behind(t, (1, 0)), behind(i, (1, 0))),
        "The table lies on its side: its rows belong to the text, its columns to the image.":
            lambda t, i: outer(behind(i), behind(t)),
        "All the products are there, as a table for each post. A head reads vectors: write the rows of the table one "
        "after the other.": lambda t, i: outer(behind(t), behind(i)).unflatten(1, (t.shape[1] + 1, -1)),
        "The products and the two sides are there, but one after the other, and one number too few: the last product "
        "of the table, that of what was added, is missing. Add to the sides first, then multiply.":
            lambda t, i: joined(outer(t, i), t, i),
        "Every number of one side meets every number of the other, but in a sum. A sum has no place in which the sides "
        "meet.": lambda t, i: (behind(t)[:, :, None] + behind(i)[:, None, :]).flatten(1),
    })
    try:
        compare(answer, lambda t, i: outer(behind(t), behind(i)), oblong)
    except Refused as stopped:
        raise Refused("Right where both sides have one width, and not where they have two: is the width of one taken "
                      f"for the other's? {stopped}", 1 / 2) from None
    return "Every number has met all those of the other side, and a 1, so what each side says by itself is kept."


def _scores(query: torch.Tensor, key: torch.Tensor, scale: float | None = None) -> torch.Tensor:
    """(batch, n, m): the dot products, divided by the root of their width or by something else."""
    query, key = query.double(), key.double()
    return query @ key.transpose(1, 2) / (math.sqrt(query.shape[-1]) if scale is None else scale)


def _shares(scores: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
    """Softmax over the last axis among what is real, zeros elsewhere."""
    return torch.softmax(scores.masked_fill(~real, -1e9), -1) * real


def _looking(query: torch.Tensor, key: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return _shares(_scores(query, key), mask[:, None])


def _tokens(rng: np.random.Generator, batch: int, n: int, m: int, width: int) -> tuple:
    """Queries, keys and a mask of them: in every post a key is real, and one is not."""
    mask = rng.random((batch, m)) < 0.6
    places = np.array([rng.permutation(m)[:2] for _ in range(batch)])
    mask[np.arange(batch), places[:, 0]], mask[np.arange(batch), places[:, 1]] = True, False
    return _normal(rng, batch, n, width), _normal(rng, batch, m, width), torch.from_numpy(mask)


@exercise("9.3")
def look(answer: Any, rng: np.random.Generator) -> str:
    """(query (batch, n, d), key (batch, m, d), mask (batch, m), True for real) → weights (batch, n, m)."""
    # First as many queries as keys, where every mistake has a result; then other numbers of them, then hard posts.
    square = [_tokens(rng, batch, n, n, width) for batch, n, width in ((3, 4, 6), (2, 5, 3), (4, 6, 2))]
    for case in square:
        _refuse_holes(answer(*case), case[2])
    compare(answer, _looking, square, {
        "The dot products are not scaled: the wider the tokens, the larger they get, and all goes to a single key.":
            lambda q, k, mask: _shares(_scores(q, k, 1), mask[:, None]),
        "The dot products are divided by the width itself, more than they grow by: every look comes out nearly even.":
            lambda q, k, mask: _shares(_scores(q, k, q.shape[-1]), mask[:, None]),
        "The scale is taken from the number of tokens. A dot product grows with the width of what is multiplied.":
            lambda q, k, mask: _shares(_scores(q, k, math.sqrt(q.shape[1])), mask[:, None]),
        "The masked keys are removed after the sharing out: what they had been given is lost, and the rest sums to "
        "less than 1.": lambda q, k, mask: torch.softmax(_scores(q, k), -1) * mask[:, None],
        "The mask is not used: keys that are not there get weights as well.":
            lambda q, k, mask: torch.softmax(_scores(q, k), -1),
        "The mask is the wrong way round: True stands for a real key.":
            lambda q, k, mask: _shares(_scores(q, k), ~mask[:, None]),
        "The scores of masked keys are set to 0. That is no low score: e to the power of 0 is 1, and they get their "
        "part.": lambda q, k, mask: torch.softmax(_scores(q, k) * mask[:, None], -1),
        "Your mask is laid over the queries, which lose their whole look. It says which keys are real.":
            lambda q, k, mask: torch.softmax(_scores(q, k), -1) * mask[:, :, None],
        "Where the mask is False, a query spreads its look evenly: you lay the mask over the queries. It says which "
        "keys are real.": lambda q, k, mask: torch.softmax(_scores(q, k).masked_fill(~mask[:, :, None], -1e9), -1),
        "For each key the queries share the whole. It is the other way round: each query has a look of 1 in all and "
        "spreads it over the keys.": lambda q, k, mask: torch.softmax(_scores(q, k), 1) * mask[:, None],
        "For each key the queries share the whole, for masked keys evenly. Each query has a look of 1 in all: over "
        "which axis does it spread it?":
            lambda q, k, mask: torch.softmax(_scores(q, k).masked_fill(~mask[:, None], -1e9), 1),
        "The two axes of tokens are exchanged: a row for each query, a column for each key.":
            lambda *case: _looking(*case).transpose(1, 2),
        "These are what each query finds, the keys weighted and added up. Asked for are the weights alone.":
            lambda q, k, mask: _looking(q, k, mask) @ k.double(),
    })
    try:
        compare(answer, _looking, [_tokens(rng, 3, n, m, 4) for n, m in ((2, 5), (6, 3), (1, 4))])
    except Refused as stopped:
        raise Refused(f"Right where there are as many queries as keys, and wrong elsewhere: {stopped}", 1 / 4) from None
    query, key, mask = _tokens(rng, 3, 4, 5, 4)
    query[..., 0] = 4
    key[..., 0] = torch.where(mask, -80.0, 80.0)
    if not alike(answer(query, key, mask), _looking(query, key, mask), 2e-3):
        raise Refused("Right while the scores are moderate. Here the masked keys have by far the highest ones, and "
                      "still win, or leave nothing for the others. Keep them out before anything is shared.", 2 / 4)
    _refuse_blind(answer, _tokens(rng, 3, 2, 5, 4))
    return "Real keys share the whole, the others get nothing, and a post without a picture is looked at without a NaN."


def _refuse_holes(given: Any, mask: torch.Tensor) -> None:
    """Refuse NaN in posts that all have real keys, and say where it comes from if it lies as the mask does."""
    values = numbers(given)
    if values is None or values.shape != (*mask.shape, mask.shape[1]) or not np.isnan(values).any():
        return
    holes, lost = np.isnan(values), ~mask.numpy()
    if np.array_equal(holes, np.broadcast_to(lost[:, :, None], holes.shape)):
        raise Refused("NaN wherever the mask is False, in whole rows: you lay it over the queries. It says which keys "
                      "are real.")
    if np.array_equal(holes, np.broadcast_to(lost[:, None], holes.shape)):
        raise Refused("NaN in the column of every masked key: there the queries share out, and find nothing to share. "
                      "Each query has a look of 1 in all: over which axis does it spread it?")
    raise Refused("There is a NaN among your weights, though every one of these posts has a real key.")


@after(3, of=4)
def _refuse_blind(answer: Any, case: tuple) -> None:
    """Refuse an answer that goes wrong where a post has no real key."""
    query, key, mask = case
    mask[1] = False
    given, wanted = answer(query, key, mask), _looking(query, key, mask)
    values = numbers(given)
    if values is None or values.shape != tuple(wanted.shape):
        expect_kind(given, wanted)
    elif np.isnan(values[1]).any() and alike(values[[0, 2]], wanted[[0, 2]]):
        raise Refused("Right for posts with a picture. Where a post has none, your weights are NaN: nothing is left to "
                      "share among, and something is divided by 0. One such post spoils every weight of a model.")
    elif alike(values[1], np.full(wanted.shape[1:], 1 / wanted.shape[2])):
        raise Refused("Where a post has no real key, your queries look at all of its padding evenly: where every score "
                      "is equally low, all are equal again. What should a look at nothing give?")
    elif not alike(values[[0, 2]], wanted[[0, 2]]):
        raise Refused("One post without a real key changes the weights of the others in its batch.")
    elif not alike(values, wanted):
        raise Refused("Where a post has no real key, some weight is left. There is nothing to look at.")


def _within(place: tuple, boxes: np.ndarray) -> np.ndarray:
    (x, y), (left, top, right, bottom) = place, boxes.T
    return (left <= x) & (x <= right) & (top <= y) & (y <= bottom)


@exercise("9.4")
def hit_rate(answer: Any, rng: np.random.Generator, side: int = 8) -> str:
    """(gaze (n, side * side), boxes (n, 4): left, top, right, bottom) → share of posts looked at inside of the box."""
    def middle(column, row):
        return (column + 0.5) / side, (row + 0.5) / side

    def struck(where: Callable = middle, pick: Callable = lambda gaze: gaze.argmax(1),
               box: Callable = lambda boxes: boxes, told: Callable = np.mean) -> Callable:
        """A function that makes one mistake: in where a patch lies, which is picked, the box, or what is told."""
        def function(gaze, boxes):
            place = pick(gaze)
            return told(_within(where(place % side, place // side), box(boxes)))
        return function

    def mass(gaze, boxes):
        return np.mean([gaze[:, side * row + column] * _within(middle(column, row), boxes)
                        for row, column in np.ndindex(side, side)]) * side ** 2

    def balance(gaze, boxes):
        middles = middle(np.arange(side ** 2) % side, np.arange(side ** 2) // side)
        return _within((gaze @ middles[0], gaze @ middles[1]), boxes).mean()

    compare(answer, struck(), [_gazes(rng, int(n), side) for n in rng.integers(5, 10, 24)], {
        "Rows and columns are exchanged, of the patches or of the boxes: left and right count along a row, top and "
        "bottom down a column.": struck(lambda column, row: middle(row, column)),
        f"Your places are no shares of the picture, 0 at one edge and 1 at the other: {side} patches lie side by side.":
            struck(lambda column, row: ((column + 0.5) / side ** 2, (row + 0.5) / side ** 2)),
        "Two patches of one row differ in height: a row is a whole number.":
            struck(lambda column, row: middle(column, row + column / side)),
        "The weights inside the box are added up. That is another figure: asked for is where the largest one lies.":
            mass,
        "A patch is taken for its upper left corner.": struck(lambda column, row: (column / side, row / side)),
        "A patch is taken for its lower right corner.": struck(lambda *place: tuple((at + 1) / side for at in place)),
        "You take the mean place of all weights. Between two dishes that are both looked at lies a third one, or none: "
        "take the place of the largest weight.": balance,
        "Up and down are exchanged: patches and boxes are both counted from the top.":
            struck(lambda column, row: middle(column, side - 1 - row)),
        "The last two numbers of a box are its right and its lower edge, not its width and its height.":
            struck(box=lambda boxes: np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], 1)),
        "A patch that the box only touches counts as a hit. Its middle has to lie inside.":
            struck(box=lambda boxes: boxes + np.array([-1, -1, 1, 1]) / (2 * side)),
        "Only a patch that lies in the box as a whole counts. It is enough that its middle does.":
            struck(box=lambda boxes: boxes + np.array([1, 1, -1, -1]) / (2 * side)),
        "You look only at how far to the right a patch lies, not at how far down.":
            struck(box=lambda boxes: boxes + np.array([0, -2, 0, 2])),
        "You look only at how far down a patch lies, not at how far to the right.":
            struck(box=lambda boxes: boxes + np.array([-2, 0, 2, 0])),
        "One patch is taken for all posts: each has a largest weight of its own.":
            struck(pick=lambda gaze: np.full(len(gaze), gaze.argmax() % side ** 2)),
        "You look for the largest weight of all posts together. Along which axis lie the patches of one?":
            struck(pick=lambda gaze: np.full(len(gaze), gaze.argmax())),
        "This is a count, and no share.": struck(told=np.sum),
        "You say of each post whether it is a hit. Asked for is one number.": struck(told=lambda hit: hit),
    })
    return "You can say of a gaze where it rests, and whether it is the dish that the text names."


def _gazes(rng: np.random.Generator, n: int, patches: int) -> tuple[np.ndarray, np.ndarray]:
    """Gazes of n posts, (n, patches * patches), their largest weight in the box or near it, and the boxes, (n, 4)."""
    side = rng.uniform(0.3, 0.5, (n, 1))
    corner = rng.uniform(0, 1, (n, 2)) * (1 - side)
    boxes = np.concatenate([corner, corner + side], 1)
    gaze = rng.dirichlet(np.full(patches ** 2, 0.4), n)
    place = (corner + side / 2 + rng.uniform(-0.75, 0.75, (n, 2)) * side) * patches
    place = place.clip(0, patches - 0.01).astype(int)
    gaze[np.arange(n), patches * place[:, 1] + place[:, 0]] = gaze.max(1) * rng.uniform(1.05, 2.5, n)
    return gaze / gaze.sum(1, keepdims=True), boxes
