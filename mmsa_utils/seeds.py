"""Random numbers from a seed, and nobody else's disturbed."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator

import torch

_turn = threading.RLock()


def _renew() -> None:
    """A process that is forked while another thread draws would wait for a thread that it does not have."""
    global _turn
    _turn = threading.RLock()


if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=_renew)


@contextlib.contextmanager
def seeded(seed: int, device: torch.device | str = "cpu") -> Iterator[None]:
    """Draw from a seed for a while, on the CPU and on one device; then every generator is as it was.

    torch draws a network's first weights and its dropout from generators that all threads share. So threads take
    turns here: of two that want random numbers from a seed, the second waits until the first is done. (A thread that
    draws from torch's own generators without a seed is not seen, and does disturb.)

    (`torch.manual_seed` would seed every graphics card of the machine, and leave them so.)
    """
    device = torch.device(device)
    cards = [device] if device.type == "cuda" else []
    apple = torch.mps.get_rng_state() if device.type == "mps" else None
    turn = _turn
    with turn, torch.random.fork_rng(devices=cards):
        reseed(seed, device)
        try:
            yield
        finally:
            if apple is not None:
                torch.mps.set_rng_state(apple)


def reseed(seed: int, device: torch.device | str = "cpu") -> None:
    """Within `seeded`: go on from another seed, on the CPU and on that device."""
    device = torch.device(device)
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(seed)
    if device.type == "mps":
        torch.mps.manual_seed(seed)


@contextlib.contextmanager
def apart(device: torch.device | str = "cpu") -> Iterator[None]:
    """Within `seeded`: let somebody else draw random numbers for a while, other threads too, without a trace."""
    device = torch.device(device)
    apple = torch.mps.get_rng_state() if device.type == "mps" else None
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        _turn.release()
        try:
            yield
        finally:
            _turn.acquire()
    if apple is not None:
        torch.mps.set_rng_state(apple)
