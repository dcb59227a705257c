"""How many threads torch computes with: one where encoders are small, so that a busy neighbour costs its share only.

Threads that share a small task wait for each other, spinning, hundreds of times a second. As long as each has a core of
its own that costs nothing; once any other program keeps a core busy, all of them wait for the one that has none, and
a notebook takes eleven times as long. Mini encoders are as quick on one thread, full ones are not.
"""

from __future__ import annotations

import os

_CHOSEN = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")  # who sets one of these has chosen, and keeps it
_before: int | None = None  # what it was, as long as it is one because of us
_settled = False


def suit(size: str) -> None:
    """Let torch compute with one thread from the first mini encoder of this process on, with all again from a full one.

    Works whatever was imported first. It is done once each: who calls ``torch.set_num_threads`` after loading an
    encoder, or starts Python with OMP_NUM_THREADS, is left alone.
    """
    global _before, _settled
    if _settled or any(os.environ.get(name) for name in _CHOSEN):
        return
    import torch

    if size == "mini":
        if _before is None:
            _before = torch.get_num_threads()
            torch.set_num_threads(1)
        return
    _settled = True
    if _before and torch.get_num_threads() == 1:
        torch.set_num_threads(_before)
