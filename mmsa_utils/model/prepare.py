"""Raw posts made into tensors, for any number of sides."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from PIL import Image
from torch import Tensor

from ..posts.post import check_text

_MANY = {"text": "texts", "image": "pictures"}


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
        names = [_MANY.get(side, side) for side in self.steps]
        if any(isinstance(items, (str, Image.Image)) for items in raw):
            raise ValueError("got a single text or picture: expected a list of texts and a list of pictures.")
        if len(raw) != len(names):
            raise ValueError(f"got {len(raw)} list{'s' * (len(raw) != 1)}: this model reads {len(names)}, "
                             f"{' and '.join(names)}.")
        lengths = {len(items) for items in raw if items is not None}
        if lengths <= {0}:
            raise ValueError("got no posts: expected at least one text and one picture.")
        if len(lengths) > 1:
            counts = " and ".join(f"{len(items)} {name}" for items, name in zip(raw, names) if items is not None)
            raise ValueError(f"got {counts}: expected one picture a text.")
        n, = lengths
        lists = [[None] * n if items is None else list(items) for items in raw]
        for i in range(n):
            if all(items[i] is None for items in lists):
                raise ValueError(f"post {i} has neither {' nor '.join(self.steps)}: expected at least one.")
        batch: dict[str, Tensor] = {}
        for (side, step), items in zip(self.steps.items(), lists):
            if side == "text":
                for i, text in enumerate(items):
                    if text is not None:
                        check_text(text, f"text {i}")
            batch.update(step(items))
        return batch
