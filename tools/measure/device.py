"""Measured on a graphics card: training and extraction at full size, in each precision, compiled and as it comes.

python tools/measure/device.py [--batch-size 64] [--steps 20] [--json]

The networks have the shapes of the full-size ones and random weights, so that nothing is downloaded; the batches are
made beforehand, so that opening pictures is not measured. Without a graphics card everything is gone through once at
mini size, which shows that the script runs, and the figures say "not measured".
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable

import torch

from mmsa_utils import PAIRS, FoodPosts, MultimodalSentimentModel, extract_features, make_loader, train
from mmsa_utils.bars import progress
from mmsa_utils.learning.device import best_device
from mmsa_utils.posts.food import PIXELS

#: Pair, precision of the networks in training, and whether torch.compile is asked first.
WAYS = [(pair, precision, compiled) for pair in PAIRS for precision, compiled in (
    ("fp32", False), ("fp16", False), ("bf16", False), ("bf16", True))]
MISSING = "not measured"


def measured(pair: str, precision: str, compiled: bool, batch_size: int, steps: int, device: torch.device) -> dict:
    """One row: training, then extraction, each once beforehand, uncounted."""
    there = device.type == "cuda"
    size = "full" if there else "mini"
    model = MultimodalSentimentModel(*PAIRS[pair], size=size, pretrained=not there, dropout=0).to(device)
    if compiled:
        for encoder in model.encoders.values():
            encoder.net.compile(backend="inductor" if there else "eager")  # the first needs a compiler
    posts = list(FoodPosts(batch_size, pixels=PIXELS[size]))
    (batch,) = make_loader(posts, model, batch_size)
    losses: list[float] = []

    def learn() -> None:
        (row,) = train(model, [batch] * steps, [batch], epochs=1, encoder_lr=2e-5, precision=precision,
                       show_progress=False)
        losses.append(row["train_loss"])

    row = {"pair": pair, "size": size, "precision": precision, "compiled": compiled}
    if there:
        torch.cuda.reset_peak_memory_stats(device)
    learning = seconds(learn, there)
    memory = torch.cuda.max_memory_allocated(device) / 2**20 if there else None
    extracting = seconds(lambda: extract_features(model, posts, batch_size, show_progress=False), there)
    return {**row, "trained posts a second": batch_size * steps / learning if there else MISSING,
            "memory in MB": memory if there else MISSING,
            "extracted posts a second": batch_size / extracting if there else MISSING, "loss": losses[-1]}


def seconds(work: Callable[[], object], there: bool) -> float:
    """How long a call takes that has been made once before; where nothing is measured, it is made once."""
    work()
    if not there:
        return 0.0
    torch.cuda.synchronize()
    start = time.perf_counter()
    work()
    torch.cuda.synchronize()
    return time.perf_counter() - start


def table(rows: list[dict]) -> str:
    """Rows as lines of text, under the names of their figures."""
    cells = [list(rows[0]), *([f"{value:.3f}" if isinstance(value, float) else str(value) for value in row.values()]
                              for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in cells)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch-size", type=int, default=64, metavar="N", help="posts of a step (default 64)")
    parser.add_argument("--steps", type=int, default=20, metavar="N", help="steps of training (default 20)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    device = best_device()
    there = device.type == "cuda"
    ways = WAYS if there else WAYS[-4:]
    rows = [measured(*way, options.batch_size if there else 4, options.steps if there else 1, device)
            for way in progress(ways, "device")]
    about = {"torch": torch.__version__, "device": torch.cuda.get_device_name(device) if there else MISSING}
    print(json.dumps({**about, "rows": rows}) if options.json else
          "\n".join([*(f"{name}: {value}" for name, value in about.items()), table(rows)]))


if __name__ == "__main__":
    main()
