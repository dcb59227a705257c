"""The checks of notebook 03: filters, patches, covering, and whether a feature reads the food or the table."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from .checks import exercise
from .compare import Refused, compare, expect_shares


@exercise("3.1")
def map_size(answer: Any, rng: np.random.Generator) -> str:
    """(pixels, filter size, stride, padding), whole numbers → how many places the filter finds in a row."""
    cases: list[tuple[int, ...]] = [(64, 3, 1, 0), (64, 8, 8, 0), (224, 7, 2, 3)]
    cases += [tuple(int(n) for n in (rng.integers(20, 90), rng.integers(2, 8), rng.integers(1, 5), rng.integers(0, 4)))
              for _ in range(12)]
    compare(answer, lambda n, k, s, p: (n + 2 * p - k) // s + 1, cases, {
        "One place too few: the filter stands somewhere before it takes its first step.":
            lambda n, k, s, p: (n + 2 * p - k) // s,
        "The first place is divided by the stride together with the steps. Only steps are as long as the stride.":
            lambda n, k, s, p: (n + 2 * p - k + 1) // s,
        "Padding is counted once here. A row gets it at both of its ends.": lambda n, k, s, p: (n + p - k) // s + 1,
        "The padding has no say here: it makes the row longer.": lambda n, k, s, p: (n - k) // s + 1,
        "The stride has no say here: with longer steps there are fewer places.": lambda n, k, s, p: n + 2 * p - k + 1,
        "Right for steps of one pixel without padding. Neither stride nor padding has a say here.":
            lambda n, k, s, p: n - k + 1,
        "The filter sticks out over the end of the row: its own size takes places away.":
            lambda n, k, s, p: (n + 2 * p) // s,
        "Every pixel counts as a possible place here. Where the filter starts near the end, it sticks out.":
            lambda n, k, s, p: math.ceil((n + 2 * p) / s),
        "The last place is missing where the last step ends right at the edge: does your range stop one too early?":
            lambda n, k, s, p: math.ceil((n + 2 * p - k) / s),
        "Rounded up: where there is no room left for a whole step, none is taken.":
            lambda n, k, s, p: math.ceil((n + 2 * p - k) / s) + 1,
        "Rounded to the nearest whole number: half a step and more counts as one. Is there room for it?":
            lambda n, k, s, p: round((n + 2 * p - k) / s) + 1,
        "Each ring adds places of its own here, whatever the stride. It makes the side longer; the steps come after.":
            lambda n, k, s, p: (n - k) // s + 1 + 2 * p,
        "A filter cannot stand at half a place. What becomes of a step for which there is no room?":
            lambda n, k, s, p: (n + 2 * p - k) / s + 1,
    })
    return "You can now tell the size of every map in a convolution network before you run it."


def _blocks(pictures: torch.Tensor, patch: int) -> torch.Tensor:
    """(batch, channels, rows of patches, columns of patches, rows in a patch, columns in a patch)."""
    return pictures.unfold(2, patch, patch).unfold(3, patch, patch)


def _sifted(pictures: torch.Tensor, patch: int) -> torch.Tensor:
    """(batch, channels, patch, rows, patch, columns): height and width split the wrong way round."""
    count, channels, height, width = pictures.shape
    return pictures.reshape(count, channels, patch, height // patch, patch, width // patch)


@exercise("3.2")
def patch_rows(answer: Any, rng: np.random.Generator) -> str:
    """(pictures (batch, 3, H, W), patch) → (batch, patches, 3 * patch * patch), patches and values in reading order."""
    cases = [(torch.from_numpy(rng.normal(size=(batch, 3, rows * patch, columns * patch))).float(), patch)
             for batch, rows, columns, patch in ((2, 2, 3, 4), (1, 3, 2, 2), (3, 2, 4, 3))]

    def rows_of(*order: int) -> Callable:
        def mistake(x, p):
            blocks = _blocks(x, p).permute(0, *order)
            return blocks.reshape(len(x), -1, 3 * p * p)
        return mistake

    compare(answer, lambda x, p: F.unfold(x, p, stride=p).transpose(1, 2), cases, {
        "Your rows hold stripes of one colour, not squares: reshaping alone never moves a pixel to another place.":
            lambda x, p: x.reshape(len(x), -1, 3 * p * p),
        "The squares are cut well, but the channels still come before the patches: a row mixes several places of one "
        "colour. Which axes must stand together before you flatten?": rows_of(1, 2, 3, 4, 5),
        "Within a patch you go pixel by pixel, the three colours of each together. The task wants all of red first, "
        "then all of green, then all of blue.": rows_of(2, 3, 4, 5, 1),
        "The patches go down the columns first. They should come as one reads: along the top row first.":
            rows_of(3, 2, 1, 4, 5),
        "Within a patch, rows and columns have changed places.": rows_of(2, 3, 1, 5, 4),
        "You go down the columns, over the patches and again over the pixels of each: read both as a page.":
            rows_of(3, 2, 1, 5, 4),
        "The pixels of your patches do not lie side by side: each side was split the wrong way round. When an axis is "
        "split in two, neighbours stay together in the second of the new axes.":
            lambda x, p: _sifted(x, p).permute(0, 3, 5, 1, 2, 4).reshape(len(x), -1, 3 * p * p),
        "Height and width were split the wrong way round, so that rows of patches and rows within a patch have changed "
        "places. When an axis is split in two, neighbours stay together in the second of the new axes.":
            lambda x, p: _sifted(x, p).permute(0, 2, 4, 1, 3, 5).reshape(len(x), -1, 3 * p * p),
        "The colours stand together, but your rows hold stripes, not squares: a patch has pixels of several rows.":
            lambda x, p: x.permute(0, 2, 3, 1).reshape(len(x), -1, 3 * p * p),
        "Patches and values have changed places: one row a patch is asked for, not one column.":
            lambda x, p: F.unfold(x, p, stride=p),
        "Each patch is still a block with axes of its own: flatten it to one row of values.":
            lambda x, p: _blocks(x, p).permute(0, 2, 3, 1, 4, 5).reshape(len(x), -1, 3, p, p),
    })
    return "This is how a vision transformer makes a sentence of a picture: one row a patch, in reading order."


def _drops(picture: np.ndarray, weights: np.ndarray, patch: int, *, cover: float | np.ndarray = 0.5) -> np.ndarray:
    """How far (picture * weights).sum() falls when a patch is covered: (rows of patches, columns of patches)."""
    rows, columns = (side // patch for side in picture.shape)
    return ((picture - cover) * weights).reshape(rows, patch, columns, patch).sum((1, 3))


@exercise("3.3")
def cover_and_measure(answer: Any, rng: np.random.Generator, cover: float = 0.5) -> str:
    """(picture (H, W), weights (H, W), patch) → how far the score falls, (H // patch, W // patch)."""
    grey = "grey" if cover == 0.5 else cover
    cases = [(rng.uniform(size=shape), rng.normal(size=shape), patch)
             for shape, patch in (((8, 12), 4), ((6, 4), 2), ((12, 9), 3))]

    def drops(picture, weights, patch, cover=cover):
        return _drops(picture, weights, patch, cover=cover)

    def still_covered(picture, weights, patch):
        falls = drops(picture, weights, patch)
        return falls.cumsum().reshape(falls.shape)

    def a_pixel_apart(picture, weights, patch):
        change = (picture - cover) * weights
        rows, columns = (side // patch for side in picture.shape)
        return [[change[i:i + patch, j:j + patch].sum() for j in range(columns)] for i in range(rows)]

    def own_mean(picture, weights, patch):
        rows, columns = (side // patch for side in picture.shape)
        means = picture.reshape(rows, patch, columns, patch).mean((1, 3))
        return _drops(picture, weights, patch, cover=np.kron(means, np.ones((patch, patch))))

    compare(answer, drops, cases, {
        "The earlier patches stay covered, and the falls pile up. Does each patch start from an untouched copy?":
            still_covered,
        "Here the score falls below zero where it should rise above: before minus after, so that what helped counts "
        "as positive.": lambda *case: -drops(*case),
        f"You cover with black. Black is a strong colour too: the task says {grey}.":
            lambda *case: _drops(*case, cover=0.0),
        f"You cover with white: the task says {grey}.": lambda *case: _drops(*case, cover=1.0),
        "You cover with 128. In this picture white is 1, so that is brighter than anything in it.":
            lambda *case: _drops(*case, cover=128),
        f"You cover with the mean of the picture: the task says {cover}, whatever the picture.":
            lambda picture, weights, patch: _drops(picture, weights, patch, cover=picture.mean()),
        f"You cover each patch with its own mean. The task says {cover}, whatever the patch.": own_mean,
        "This is the fall as a share of the score before. The task asks for the fall itself.":
            lambda picture, weights, patch: drops(picture, weights, patch) / (picture * weights).sum(),
        "Your squares begin only one pixel apart, so they overlap. How many pixels lie before the second patch?":
            a_pixel_apart,
        "This is the mean over the pixels of a patch. The task asks how far the whole score falls.":
            lambda picture, weights, patch: drops(picture, weights, patch) / patch ** 2,
        "These are the weights of each patch, added up. What the patch shows has a say too.":
            lambda picture, weights, patch: _drops(np.ones_like(picture), weights, patch, cover=0.0),
        "The sign is lost: a patch may also hold the score down, and you should see which ones do.":
            lambda *case: abs(drops(*case)),
        "Everything but the patch is covered here.": lambda *case: _drops(*case).sum() - _drops(*case),
        "This is the score of the covered picture, not yet how far it has fallen.":
            lambda picture, weights, patch: (picture * weights).sum() - _drops(picture, weights, patch),
        "The map is turned: its rows should be the rows of patches.": lambda *case: _drops(*case).T,
        "A single long row: give the map its rows and columns back.": lambda *case: _drops(*case).ravel(),
        "This is the fall for each pixel by itself: one number a patch is asked for.":
            lambda picture, weights, patch: (picture - cover) * weights,
    })
    return "Your map says what each patch adds to the score, as seen from grey. It works for any score you can compute."


def made_up_feature(rng: np.random.Generator, food: int, table: int, noise: int, count: int = 1000) -> tuple:
    """Features of which we know what they know: (count, food + table + noise), good (count,), table (count,).

    The first `food` numbers go with the food, the next `table` ones with the table, the rest with nothing.
    """
    good, on = divmod(rng.permutation(count) % 4, 2)  # all four pairs equally often
    signal = np.repeat([2 * good - 1, 2 * on - 1, 0 * good], (food, table, noise), axis=0).T
    return signal + 0.5 * rng.normal(size=signal.shape), good, on


@exercise("3.4")
def food_or_table(answer: Any, rng: np.random.Generator) -> str:
    """(features (n, width), good (n,), table (n,)) → accuracies {"usual", "swapped", "control"}, each on pictures that
    its probe has not learned from."""
    keys = ("usual", "swapped", "control")
    blind = expect_shares(answer(*made_up_feature(rng, 0, 0, 400)), keys)
    food = expect_shares(answer(*made_up_feature(rng, 4, 0, 12)), keys)
    table = expect_shares(answer(*made_up_feature(rng, 0, 4, 12)), keys)
    both = expect_shares(answer(*made_up_feature(rng, 3, 12, 5)), keys)
    for key in keys:
        if blind[key] > 0.68:
            raise Refused(f'We handed your experiment a feature of pure noise, and "{key}" came out as '
                          f"{blind[key]:.2f}. Is that probe tested on pictures that it has learned from?")
    if food["swapped"] < 0.3:
        raise Refused('"swapped" counts an answer as right where it names the table. The question is whether it is '
                      "right about the food.")
    if food["usual"] < 0.8 or food["control"] < 0.8:
        raise Refused("We handed your experiment a feature that knows the food, and its probes did not find it. Do "
                      "they learn which food is good, from enough pictures?")
    if table["usual"] < 0.3:
        raise Refused('"usual" and "swapped" are the wrong way round: in the usual pictures the table fits the food.')
    if table["swapped"] > 0.7:
        raise Refused("A feature that knows the table alone does well in your swapped pictures. Is the table really "
                      "the wrong one in each of them?")
    if table["usual"] < 0.7:
        raise Refused("There is no trap in your training pictures: a feature that knows the table alone should learn "
                      "from them that the table gives the answer away.")
    if table["swapped"] > 0.3:
        raise Refused("A feature that knows the table alone should be wrong nearly everywhere once the tables are "
                      "swapped. Are there pictures among your swapped ones in which the table fits the food?")
    if both["control"] < 0.8:
        raise Refused("We handed your experiment a feature that knows both, the table more loudly. Your control should "
                      "find the food in it. Does its probe learn from pictures in which table and food are "
                      "independent of each other?")
    if not 0.3 < table["control"] < 0.7:
        raise Refused("In your control the table still tells: a feature that knows the table alone should be no better "
                      "or worse there than guessing. Are all four pairs of food and table in it, when it learns and "
                      "when it is tested?")
    features, good, on = made_up_feature(rng, 4, 0, 12)
    apart = good != on
    features[apart] = rng.permutation(features[apart])  # now it knows the food only where the table fits
    if expect_shares(answer(features, good, on), keys)["usual"] < 0.7:
        raise Refused("Your usual pictures have good food on table 0 and bad food on table 1. Read in the task which "
                      "stands where.")
    _refuse_half_a_control(lambda *case: expect_shares(answer(*case), keys)["control"], rng)
    return ("Your experiment tells apart four features whose knowledge we knew: of the food, of the table, of both, of "
            "neither. You can trust what it says about a real one.")


def _refuse_half_a_control(control: Callable[..., float], rng: np.random.Generator) -> None:
    """Refuse a control that learns on one of the tables alone, or is tested there."""
    halves = []
    for which in (0, 1):  # the food shows on this table alone
        features, good, on = made_up_feature(rng, 4, 0, 12)
        features[on != which] = 0.5 * rng.normal(size=features[on != which].shape)
        halves.append(control(features, good, on))
    if not all(0.6 < share < 0.9 for share in halves):
        raise Refused("We handed your experiment a feature that knows the food on table 0 alone, then one for table 1. "
                      "In the control both should come out halfway between guessing and knowing; yours gives "
                      f"{halves[0]:.2f} and {halves[1]:.2f}. Does it learn from both tables, and is it tested on both?")
    features, good, on = made_up_feature(rng, 4, 0, 12)
    features[on == 1, :4] *= -1  # what shows the food on table 0 speaks against it on table 1, where other numbers do
    features[on == 1, 4:8] += 2 * (2 * good - 1)[on == 1, None]
    if (share := control(features, good, on)) < 0.62:
        raise Refused("We handed your experiment a feature that shows the food by other numbers on table 1 than on "
                      f'table 0. "control" came out as {share:.2f}, and should be far higher: from which tables does '
                      "it learn?")
