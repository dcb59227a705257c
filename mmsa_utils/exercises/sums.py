"""Which tables of 0 and 1 a sum of two opinions can have: the rule of exercise 4.4, and rules that miss it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import numpy as np


def sum_can_have(table: np.ndarray) -> bool:
    """Whether of any two rows, one has all the ones of the other."""
    return not any((a > b).any() and (a < b).any() for a in table for b in table)


def _nowhere(found: Callable[..., bool], neighbours: bool = False) -> Callable[[np.ndarray], bool]:
    """A function of a table: whether `found(upper left, upper right, lower left, lower right)` holds nowhere in it."""
    def looked(table):
        rows, columns = table.shape
        return not any(found(table[i, k], table[i, m], table[j, k], table[j, m])
                       for i, j in combinations(range(rows), 2) for k, m in combinations(range(columns), 2)
                       if not neighbours or j - i == m - k == 1)
    return looked


def _diagonal(a: int, b: int, c: int, d: int) -> bool:
    return a == d != b == c


# What is said → the rule that goes by it.
MISTAKEN: dict[str, Callable[[np.ndarray], bool]] = {
    "The wrong way round: True stands for tables that a sum can have.": lambda t: not sum_can_have(t),
    "You ask whether the zeros and ones are themselves sums. They need not be: a sum has to lie above zero where "
    "there is a 1, how far is free.": _nowhere(lambda a, b, c, d: a + d != b + c),
    "You look for ones from upper left to lower right. The other diagonal is as impossible.":
        _nowhere(lambda *cells: cells == (1, 0, 0, 1)),
    "You look for ones from lower left to upper right. The other diagonal, that of section 7, is as impossible.":
        _nowhere(lambda *cells: cells == (0, 1, 1, 0)),
    "You look at neighbouring rows and columns. The four cells may lie far apart.": _nowhere(_diagonal, True),
    "You look at the first two rows and columns alone.": lambda t: not _diagonal(*t[:2, :2].flat),
    "You look for partners of the first row and the first column alone. The four cells may lie anywhere.":
        lambda t: not any(_diagonal(t[0, 0], t[0, j], t[i, 0], t[i, j]) for i, j in np.ndindex(*t.shape)),
}
