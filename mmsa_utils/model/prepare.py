"""Raw posts made into tensors, for any number of sides."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor

from .raw import check_lists, check_posts


class Preparation:
    """The sides of some posts → a batch of tensors. It holds no weights, so a loader's workers get it at little cost.

    Args:
        steps: side → what prepares it (see `Encoder.prepare`), in the fixed order of the sides.
    """

    def __init__(self, steps: Mapping[str, Callable[[Sequence[Any]], dict[str, Tensor]]]):
        self.steps = dict(steps)

    @property
    def sides(self) -> tuple[str, ...]:
        """In their order."""
        return tuple(self.steps)

    def __call__(self, *raw: Sequence[Any] | None) -> dict[str, Tensor]:
        """One list a side → the batch. A post's missing side is None; None in place of a list: missing in all posts.

        Raises:
            ValueError: for lists of different lengths, a post without any side, or an empty text.
        """
        check_lists(raw, self.sides)
        given = [None if items is None else list(items) for items in raw]
        lengths = {len(items) for items in given if items is not None}
        if lengths <= {0}:
            raise ValueError("got no posts: expected at least one.")
        n = max(lengths)
        lists = [[None] * n if items is None else items for items in given]
        check_posts(lists, self.sides, None if n == 1 else 0)
        batch: dict[str, Tensor] = {}
        for step, items in zip(self.steps.values(), lists):
            batch.update(step(items))
        return batch
