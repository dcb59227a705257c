"""The interval of a difference between two heads, over posts and trainings, and intervals that miss one of them."""

from __future__ import annotations

import itertools

import numpy as np

from .compare import Refused

_MIDDLE = (0.025, 0.975)


def check_interval(given: np.ndarray, additive: np.ndarray, hidden: np.ndarray, clash: np.ndarray,
                   rng: np.random.Generator) -> None:
    """Refuse an interval that is not what these answers lead to; where another way to compute it fits, name that."""
    first, second = additive[:, clash], hidden[:, clash]
    drawn = _draws(first, second, rng)
    wanted = np.quantile(drawn, _MIDDLE)
    _refuse_formula(given, second - first)

    def distance(other: np.ndarray) -> float:  # in half widths; resampling alone makes about 0.1
        return 2 * np.abs(given - other).max() / (wanted[1] - wanted[0])

    outside = (drawn < given[0]).mean() + (drawn > given[1]).mean()
    if distance(wanted) < 0.2 and outside < 0.08:
        return
    gain = second - first
    spread, own = gain.mean(1).var(), gain.var(1).mean() / gain.shape[1]  # of the seeds' means; of the posts, by chance
    ends = np.array([-1.96, 1.96])
    mistakes = {
        "All answers lie in one pot here, and each is drawn by itself. But those to one post hang together, and so do "
        "those of one training: draw whole columns, and whole rows.":
            gain.mean() + ends * np.sqrt(gain.var() / gain.size),
        "Here each seed is given posts of its own, and their luck cancels out. All seeds have answered the same posts: "
        "draw posts once for all of them.": gain.mean() + ends * np.sqrt((spread + own) / len(gain)),
        "About one draw in ten falls outside this interval. The middle 95 % leaves out one in twenty, on both ends "
        "together.": np.quantile(drawn, [0.05, 0.95]),
        "The interval is of additive − hidden. The task asks for hidden − additive.": -wanted[::-1],
        "This is the interval over all test posts. The question was about those that contradict themselves.":
            np.quantile(_draws(additive, hidden, rng), _MIDDLE),
        "Your interval draws the posts anew, but keeps the seeds. So it holds for these very trainings only: another "
        "seed may fall outside.": np.quantile(_draws(first, second, rng, seeds=False), _MIDDLE),
        "Your interval draws the seeds anew, but keeps the posts. So it holds for these very posts only: others may "
        "fall outside.": np.quantile(_draws(first, second, rng, posts=False), _MIDDLE),
        "The two heads' posts were drawn separately. Both heads answered the same posts: draw once, use it for both, "
        "and the luck of the draw cancels out.": np.quantile(_draws(first, second, rng, paired=False), _MIDDLE),
        "This is one standard error to each side, which covers two cases in three, not 95 in 100.":
            wanted.mean() + (wanted - wanted.mean()) / 1.96,
    }
    nearest, *others = sorted(mistakes, key=lambda message: distance(mistakes[message]))
    if distance(mistakes[nearest]) < min(0.3, distance(wanted)):
        close = distance(mistakes[others[0]]) < distance(mistakes[nearest]) + 0.05  # chance alone tells them apart
        raise Refused(f"{nearest} Or it is this: {others[0]}" if close else nearest)
    if distance(wanted) > 0.3:
        raise Refused(f"[{given[0]:.3f}, {given[1]:.3f}] is not the 95 % interval that your own answers lead to.")


def _refuse_formula(given: np.ndarray, gain: np.ndarray) -> None:
    """Refuse what a formula over one source of luck gives, to the last digits: near the due interval by luck alone."""
    from scipy.stats import t

    for what, values in {"the seeds alone": gain.mean(1), "the posts alone": gain.mean(0),
                         "all single answers": gain.ravel()}.items():
        for ddof, reach in itertools.product((0, 1), (1.96, 2, t.ppf(0.975, len(values) - 1))):
            half = reach * values.std(ddof=ddof) / np.sqrt(len(values))
            interval = np.array([gain.mean() - half, gain.mean() + half])
            if np.abs(given - interval).max() < 5e-5 or np.allclose(given, interval.round(3), atol=1e-9):
                raise Refused(f"This is what a formula over {what} gives. Posts and trainings are both to be others: "
                              "draw both, as the task says.")


def _draws(first: np.ndarray, second: np.ndarray, rng: np.random.Generator, posts: bool = True, seeds: bool = True,
           paired: bool = True, draws: int = 4000) -> np.ndarray:
    """mean(second) − mean(first), (seeds, posts) each, in draws of posts and seeds with replacement: (draws,)."""
    def shares(n: int, again: bool) -> np.ndarray:  # how often each of n was drawn: (draws, n)
        return rng.multinomial(n, np.full(n, 1 / n), draws) / n if again else np.full((draws, n), 1 / n)

    rows, columns = first.shape
    seed, post = shares(rows, seeds), shares(columns, posts)
    other = post if paired else shares(columns, posts)
    return (seed @ second * post).sum(1) - (seed @ first * other).sum(1)
