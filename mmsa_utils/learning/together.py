"""Several processes that train one model together, by Accelerate: `torchrun --nproc-per-node=2 -m mmsa_utils train`.

Each process takes its part of every batch. Gradients, losses and hits are those of the whole batch, counted by posts,
so what is learned does not hang on how many processes there are. One that is alone imports nothing of this.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.utils.data import DataLoader

from .. import processes, seeds

_SIMPLE = {"NO", "MULTI_CPU", "MULTI_GPU"}  # Accelerate's ways in which each process holds the whole model


def start(alone: bool = False) -> Any:
    """An `Accelerator` for the processes that torchrun or `accelerate launch` has started; None for a single one.

    Loaders that it prepares split each batch among the processes: their batch size is that of a step, however many
    processes take part.

    Args:
        alone: make one for a single process, too.

    Raises:
        ImportError: if Accelerate is not installed.
    """
    several = processes.number() > 1
    if not several and not alone:
        return None
    if find_spec("accelerate") is None:
        raise ImportError(f"{processes.number()} processes need the package accelerate: install the extra scale, or "
                          "start one process alone")
    from accelerate import Accelerator
    from accelerate.utils import DataLoaderConfiguration, DistributedDataParallelKwargs

    # Without a graphics card it must be told so: else no process learns of the others.
    return Accelerator(cpu=several and not torch.cuda.is_available(),
                       dataloader_config=DataLoaderConfiguration(split_batches=True),
                       kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)])


class Part(NamedTuple):
    """A process's part of a batch."""

    real: int  #: so many rows, from the first, are posts of its own; the rest repeats others to fill its part up
    whole: int  #: posts of the batch, over all processes


class Team:
    """The processes that train a model: an `Accelerator`'s, or, with None, this one alone.

    Attributes:
        number: how many they are.
        first: whether this is the one that writes and speaks.

    Raises:
        ValueError: for an accelerator that spreads a model over processes.
    """

    def __init__(self, accelerator: Any = None):
        self.accelerator = accelerator
        self.number: int = 1 if accelerator is None else accelerator.num_processes
        self.first: bool = accelerator is None or accelerator.is_main_process
        if accelerator is not None and accelerator.distributed_type.name not in _SIMPLE:
            raise ValueError(f"the accelerator works by {accelerator.distributed_type.name}: expected one in which "
                             "each process holds the whole model, on CPUs or graphics cards.")
        if self.number != processes.number() > 1:
            raise ValueError(f"the accelerator knows of {self.number} processes, and {processes.number()} were "
                             "started, each of which would train alone: make it with cpu=True where there is no "
                             "graphics card.")

    def wrap(self, step: nn.Module) -> nn.Module:
        """A network whose gradients are averaged over the processes; it is moved to where this process computes."""
        return step if self.accelerator is None else self.accelerator.prepare(step)

    def loader(self, batches: Any) -> Any:
        """Batches of which this process gets its part; the order of the posts is that of a single process.

        Raises:
            ValueError: for a list of batches, and for batches that cannot be split evenly.
        """
        if self.accelerator is None or self.number == 1 and not isinstance(batches, DataLoader):
            return batches
        if not isinstance(batches, DataLoader):
            raise ValueError(f"a loader is a {type(batches).__name__}: {self.number} processes share what make_loader "
                             "gives, and no list of batches.")
        if self.accelerator.split_batches and (batches.batch_size or 0) % self.number:
            raise ValueError(f"the batch size is {batches.batch_size}, for {self.number} processes: expected a "
                             f"multiple of {self.number}.")
        return self.accelerator.prepare(batches)

    def part(self, rows: int) -> Part:
        """Within a loader: what of the present batch, of which so many rows came here, is whose."""
        whole = rows * self.number
        if self.number == 1:
            return Part(rows, rows)
        state = self.accelerator.gradient_state
        if state.end_of_dataloader and state.remainder > 0:
            whole = state.remainder
        return Part(min(rows, max(0, whole - self.accelerator.process_index * rows)), whole)

    def unsynced(self, step: nn.Module) -> contextlib.AbstractContextManager:
        """Gradients wait here for those of the next rows, and are averaged with them."""
        return contextlib.nullcontext() if self.accelerator is None else self.accelerator.no_sync(step)

    @property
    def gather(self) -> Callable[[Any], Any] | None:
        """Within a loader: rows of this process → those of all, each post once, in order. None: one process alone."""
        return None if self.number == 1 else self.accelerator.gather_for_metrics

    def total(self, *numbers: float) -> list[float]:
        """Each number, summed over the processes."""
        if self.number == 1:
            return list(numbers)
        return self.accelerator.reduce(
            torch.tensor(numbers, dtype=torch.double, device=self.accelerator.device), "sum").tolist()

    def share(self, value: Any) -> Any:
        """What the first process gives: all of them get it."""
        if self.number == 1:
            return value
        from accelerate.utils import broadcast_object_list

        return broadcast_object_list([value])[0]

    def level(self, net: nn.Module) -> None:
        """Give every process the first one's buffers: what batch normalisation has measured there."""
        if self.number > 1:
            from accelerate.utils import broadcast

            broadcast([buffer.data for buffer in net.buffers()])

    def reseed(self, seed: int, epoch: int, device: torch.device) -> None:
        """Within `seeded`: let the processes draw different random numbers, in each epoch anew. One alone draws on."""
        if self.number > 1:
            seeds.reseed(((seed * 100_003 + epoch) * 100_003 + self.accelerator.process_index) % 2**63, device)
