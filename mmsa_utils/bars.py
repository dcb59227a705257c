"""Progress bars: on for what takes long, off in stored outputs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sized
from typing import Any


def progress(items: Iterable[Any], label: str, show: bool = True, total: int | None = None) -> Iterator[Any]:
    """Walk through items under a progress bar with the time left, or without one (`show`).

    The items are asked for exactly once either way. (A bar wrapped around a loader asks twice in a notebook: the
    shuffle is then another one, and so are the workers.)

    Args:
        total: how many items a generator has; anything with a length says so itself.
    """
    if not show:
        yield from items
        return
    from tqdm.auto import tqdm

    if total is None and isinstance(items, Sized):
        total = len(items)
    with tqdm(total=total, desc=label, leave=False) as bar:
        for item in items:
            yield item
            bar.update()
