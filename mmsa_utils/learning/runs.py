"""A training run: its history, its best epoch, and, where a file is named, all it takes to go on after a kill.

The file is written at the end of each epoch, whole or not at all. It holds numbers and JSON (safetensors), nothing
that runs. A run that goes on from it ends with the same bits as one that was never interrupted.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from ..disk import usual_modes
from ..errors import in_short


class Run:
    """Keeps the epoch with the lowest validation loss of a network in training.

    Args:
        net: its weights are restored, if an earlier start of this run left any.
        parts: all else with a state that changes from epoch to epoch: the optimizer first, a schedule, generators.
        path: of the file to keep the run in; None keeps it in memory only.
        settings: what else, beside the network's first weights, its optimizer and the random state, makes a run the
            same as an earlier one: plain values and lists of tensors.
        watched: somebody wants to see every epoch. Those of an earlier start cannot be shown again.
        share: of several processes, gives each what the first has found in its file; the others have no path.

    Attributes:
        history: a row an epoch, those of an earlier start included: ``len(run.history)`` epochs are behind us.

    Raises:
        ValueError: if the file is of a run with other settings, or of one that is to be watched and has begun.
    """

    def __init__(self, net: nn.Module, parts: list, path: str | Path | None = None, settings: dict | None = None,
                 watched: bool = False, share: Callable[[Any], Any] | None = None):
        self.net, self.parts, self.path = net, parts, Path(path) if path else None
        self.history: list[dict[str, float]] = []
        self.best_loss = float("inf")
        self.best_state: dict[str, Tensor] | None = None
        self.device = next(net.parameters()).device
        kept = None
        if self.path:
            self.settings = self._fingerprint(settings or {})
            kept = self._found(self.path, watched)
        if share is not None:
            kept = share(kept)
        if kept is not None:
            self._take_up(kept)

    def end_epoch(self, row: dict[str, float]) -> None:
        """Note an epoch by its row, which has the validation loss as "loss", and keep the run as it now stands."""
        self.history.append(row)
        if row["loss"] < self.best_loss:
            self.best_loss = row["loss"]
            self.best_state = {name: tensor.clone() for name, tensor in self.net.state_dict().items()}
        if self.path:
            write(self.path, self._state())

    def load_best(self) -> None:
        """Give the network the weights of its best epoch, and switch dropout off.

        Raises:
            ValueError: if the loss was not a number in any epoch.
        """
        if self.best_state is None:
            raise ValueError(f"the validation loss is {self.history[-1]['loss']} in every epoch: lower the learning "
                             "rate and start anew.")
        self.net.load_state_dict(self.best_state)
        self.net.eval()

    def _fingerprint(self, settings: dict) -> dict[str, Any]:
        groups = [{key: value for key, value in group.items() if key != "params"}
                  for group in self.parts[0].state_dict()["param_groups"]]
        return {"network": repr(self.net), "first weights": digest(*self.net.state_dict().values()),
                "learning rate or weight decay": repr(groups), "seed": digest(torch.get_rng_state()),
                "device": self.device.type,
                **{name: digest(*value) if isinstance(value, list) and isinstance(value[0], Tensor) else value
                   for name, value in settings.items()}}

    def _state(self) -> dict[str, Any]:
        device = (torch.cuda.get_rng_state(self.device) if self.device.type == "cuda" else
                  torch.mps.get_rng_state() if self.device.type == "mps" else None)
        return {"settings": self.settings, "history": self.history, "best_loss": self.best_loss,
                "best_state": self.best_state, "net": self.net.state_dict(),
                "parts": [part.get_state() if isinstance(part, torch.Generator) else part.state_dict()
                          for part in self.parts],
                "random": torch.get_rng_state(), "random_device": device}

    def _found(self, path: Path, watched: bool) -> dict[str, Any] | None:
        """What an earlier start of this very run has left, if anything."""
        try:
            kept = read(path)
            if kept is None:
                return None
            if not isinstance(kept, dict) or set(kept) != set(self._state()):
                raise ValueError(f"{path} was left by another version.")
        except ValueError as error:
            warnings.warn(f"{error} The run starts anew.", stacklevel=4)
            return None
        other = [name for name in {**kept["settings"], **self.settings}
                 if kept["settings"].get(name) != self.settings.get(name)]
        if other:
            raise ValueError(f"{path} was left by a run with another {', '.join(other)}: delete it to start anew, "
                             "or repeat that run's settings, from a model or head made anew, to go on with it.")
        if watched and kept["history"]:
            raise ValueError(f"{path} goes on after {len(kept['history'])} epochs, which on_epoch would not see: "
                             "delete it to start anew, or leave on_epoch out.")
        return kept

    def _take_up(self, kept: dict[str, Any]) -> None:
        """Go on where that start stopped."""
        self.history, self.best_loss, self.best_state = kept["history"], kept["best_loss"], kept["best_state"]
        self.net.load_state_dict(kept["net"])
        for part, state in zip(self.parts, kept["parts"]):
            part.set_state(state) if isinstance(part, torch.Generator) else part.load_state_dict(state)
        torch.set_rng_state(kept["random"])
        if self.device.type == "cuda":
            torch.cuda.set_rng_state(kept["random_device"], self.device)
        elif self.device.type == "mps":
            torch.mps.set_rng_state(kept["random_device"])


def write(path: Path, state: Any) -> None:
    """Write nested dicts and lists of tensors and plain values into one file, in one step.

    Raises:
        OSError: if there is no room or no permission; what the file held before is still there.
    """
    tensors: dict[str, Tensor] = {}
    plain = json.dumps(_packed(state, tensors))
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(tensors, part, metadata={"state": plain, "sum": _sum(plain, tensors)})
        with part.open("rb+") as file:
            os.fsync(file.fileno())  # on the disk before its name is
        usual_modes(part)
        os.replace(part, path)
    except (OSError, SafetensorError) as error:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise OSError(f"the run cannot be kept in {path} ({error}): make room or name another place, and start the "
                      "same again; it goes on after the last epoch that was kept.") from error


def read(path: Path) -> Any:
    """What `write` wrote, or None if there is no such file.

    Raises:
        ValueError: if the file is damaged or is something else.
    """
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            plain = (file.metadata() or {})["state"]
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            if file.metadata()["sum"] != _sum(plain, tensors):
                raise ValueError("its checksum differs")
        return _unpacked(json.loads(plain), tensors)
    except (OSError, SafetensorError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise ValueError(f"{path} is damaged ({in_short(error)}).") from error


def digest(*tensors: Tensor) -> str:
    """A short checksum of tensors' shapes and numbers, for settings."""
    found = hashlib.sha256()
    for tensor in tensors:
        _add(found, tensor)
    return found.hexdigest()[:16]


def _sum(plain: str, tensors: dict[str, Tensor]) -> str:
    found = hashlib.sha256(plain.encode())
    for name in sorted(tensors):
        _add(found, tensors[name])
    return found.hexdigest()


def _add(found: Any, tensor: Tensor) -> None:
    tensor = tensor.detach().cpu().contiguous()
    found.update(f"{tensor.dtype} {tuple(tensor.shape)}".encode())
    found.update(tensor.reshape(-1).view(torch.uint8).numpy().data)


def _packed(value: Any, tensors: dict[str, Tensor]) -> Any:
    """Plain JSON, with tensors put aside under a number. Dicts become lists of pairs: JSON's keys are texts only."""
    if isinstance(value, Tensor):
        name = str(len(tensors))
        tensors[name] = value.detach().cpu().clone(memory_format=torch.contiguous_format)
        return {"tensor": name}
    if isinstance(value, dict):
        return {"dict": [[key, _packed(item, tensors)] for key, item in value.items()]}
    if isinstance(value, (list, tuple)):
        return [_packed(item, tensors) for item in value]
    return value


def _unpacked(value: Any, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, dict):
        if "tensor" in value:
            return tensors[value["tensor"]]
        return {key: _unpacked(item, tensors) for key, item in value["dict"]}
    return [_unpacked(item, tensors) for item in value] if isinstance(value, list) else value
