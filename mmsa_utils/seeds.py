"""Random numbers from a seed, and nobody else's disturbed."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

import torch

_turn = threading.RLock()


@contextlib.contextmanager
def seeded(seed: int, device: torch.device | str = "cpu") -> Iterator[None]:
    """Draw from a seed for a while, on the CPU and on one device; then every generator is as it was.

    torch draws a network's first weights and its dropout from generators that all threads share. So threads take
    turns here: of two that want random numbers from a seed, the second waits until the first is done.

    (`torch.manual_seed` would seed every graphics card of the machine, and leave them so.)
    """
    device = torch.device(device)
    cards = [device] if device.type == "cuda" else []
    apple = torch.mps.get_rng_state() if device.type == "mps" else None
    with _turn, torch.random.fork_rng(devices=cards):
        torch.default_generator.manual_seed(seed)
        if cards:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        if apple is not None:
            torch.mps.manual_seed(seed)
        try:
            yield
        finally:
            if apple is not None:
                torch.mps.set_rng_state(apple)


@contextlib.contextmanager
def apart(device: torch.device | str = "cpu") -> Iterator[None]:
    """Let somebody else draw random numbers for a while, without a trace in one's own."""
    device = torch.device(device)
    apple = torch.mps.get_rng_state() if device.type == "mps" else None
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        yield
    if apple is not None:
        torch.mps.set_rng_state(apple)
