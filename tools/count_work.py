"""Count, inside a kernel, what a notebook asks of the encoders; tools/colab_trial.py puts it into a run.

`start()` after the package is installed and before anything of it is imported, `finish(path)` at the end: a JSON file
with one row for each encoder, for each device it would be on, and for encoding only or learning too; with the pictures
that were drawn and prepared; and with the seconds of processor time that each of these took here.
"""

from __future__ import annotations

import functools
import json
import time
from collections import Counter
from pathlib import Path

import torch
from torch import nn

ENCODERS = {"BertModel": "bert", "DistilBertModel": "distilbert", "ResNetModel": "resnet18", "ViTModel": "vit"}
BEST = torch.device("cpu")  # stands for the graphics card: a module that is sent to this very object would be on it

begun = 0.0
work: dict[tuple, Counter] = {}  # (encoder, device, learns) → calls, items, numbers, largest batch, seconds
other: dict[str, Counter] = {"drawn": Counter(), "prepared": Counter(), "backward": Counter()}
running: list[float] = []


def start() -> None:
    """Begin to count."""
    global begun
    from mmsa_utils import encoders, scenes, training

    begun = time.process_time()
    training.best_device = lambda: BEST
    scenes.draw = timed(scenes.draw, "drawn", lambda *given: 1)
    pictures = encoders.ImageEncoder
    pictures.preprocess = timed(pictures.preprocess, "prepared", lambda self, images: len(images))
    torch.Tensor.backward = timed(torch.Tensor.backward, "backward", lambda *given: 1)
    to, cpu = nn.Module.to, nn.Module.cpu
    nn.Module.to = lambda self, *given, **named: placed(to(self, *given, **named), bool(given) and given[0] is BEST)
    nn.Module.cpu = lambda self: placed(cpu(self), False)
    nn.modules.module.register_module_forward_pre_hook(before)
    nn.modules.module.register_module_forward_hook(after, with_kwargs=True)


def timed(function, name: str, count):
    """The same function, with its calls counted and timed."""
    @functools.wraps(function)
    def wrapped(*given, **named):
        began = time.process_time()
        made = function(*given, **named)
        other[name] += Counter(items=count(*given), seconds=time.process_time() - began)
        return made
    return wrapped


def placed(module: nn.Module, on_card: bool) -> nn.Module:
    """Note for a module and its parts where they would be."""
    for part in module.modules():
        part.on_card = on_card
    return module


def before(module, given) -> None:
    if type(module).__name__ in ENCODERS:
        running.append(time.process_time())


def after(module, given, named, made) -> None:
    if type(module).__name__ not in ENCODERS:
        return
    tensor = named.get("input_ids", named.get("pixel_values", given[0] if given else None))
    if tensor is None or tensor.is_meta:
        return
    seconds = time.process_time() - running.pop()
    learns = torch.is_grad_enabled() and any(part.requires_grad for part in module.parameters())
    device = "card" if getattr(module, "on_card", False) else "cpu"
    row = work.setdefault((ENCODERS[type(module).__name__], device, learns), Counter())
    numbers = tensor.numel() if tensor.dim() == 2 else len(tensor)  # tokens, padding included; or pictures
    row.update(calls=1, items=len(tensor), numbers=numbers, seconds=seconds)
    row["largest"] = max(row["largest"], numbers)


def finish(path: str) -> None:
    """Write what was counted."""
    rows = [{"encoder": encoder, "device": device, "learns": learns, **row, "seconds": round(row["seconds"], 2)}
            for (encoder, device, learns), row in sorted(work.items())]
    sides = {name: {"items": row["items"], "seconds": round(row["seconds"], 2)} for name, row in other.items()}
    counted = {"cpu_seconds": round(time.process_time() - begun, 1), "encoders": rows, **sides}
    Path(path).write_text(json.dumps(counted, indent=1) + "\n", encoding="utf8")
