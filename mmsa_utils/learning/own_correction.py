"""The correction phase on posts whose rule nobody knows: one's own, real ones, or features that were given.

There is no ceiling and no second world here. What is left are the controls: random heads before, each side alone, a sum
of what the sides say, labels dealt out at random, and what the same answer to all would reach.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from ..bars import progress
from ..fusion.absent import Absent
from ..fusion.base import Fusion
from ..fusion.concat import Concat
from ..fusion.table import make_fusion
from ..model.head import fresh
from ..model.model import MultimodalSentimentModel
from .alignment import align, fit_temperature, measure
from .comparison import subsets
from .correction import RANDOM_HEADS, aggregate
from .features import Features, shuffled, vectors_of

BATCH = 32  #: posts a step: real sets are small


def correct(model: MultimodalSentimentModel, sets: Mapping[str, Features], fusion: str = "concat", *,
            modality_dropout: float = 0.0, seeds: int = 5, folder: str | Path | None = None,
            show_progress: bool = True) -> dict[str, Any]:
    """Align a model's fusion and head on features of its encoders, with the controls.

    Args:
        model: its fusion, head and temperature become those of seed 0.
        sets: "train", "validation" and "test"; the test posts choose nothing.
        fusion: by name, that the model was made with.
        modality_dropout: see `align`; the model must be made with ``absent=True`` then.
        seeds: heads to train, numbered from 0.
        folder: keep the heads there as they come. A start that finds some goes on with them.

    Returns:
        A report of plain numbers: "before" (random heads) and "after", and the figure of each control, as its mean and
        the ends of its 95 % interval over seeds: "alone" (some sides), "additive", "control" (labels at random) and
        "majority"; the figure is called "accuracy", or "mae" for numbers.
    """
    start, wanted = time.perf_counter(), "mae" if model.classes is None else "accuracy"
    vectors = {split: vectors_of(model, found) for split, found in sets.items()} if model.fusion.sequences else sets
    widths, absent = sets["train"].widths, isinstance(model.fusion, Absent)

    def made(make: Callable[[], Fusion]) -> Callable[[], Fusion]:
        return (lambda: Absent(make())) if absent else make

    def aligned(name: str, make: Callable[[], Fusion], sets: Mapping[str, Features], seed: int, hidden: int = 256,
                dropout: float = 0.0) -> tuple[Fusion, torch.nn.Module]:
        joined, head = fresh(made(make), model.num_outputs, seed, hidden, model.device)
        kept = Path(folder) / f"{name}-{seed}.safetensors" if folder else None
        align(joined, head, sets["train"], sets["validation"], batch_size=BATCH, modality_dropout=dropout, seed=seed,
              checkpoint=kept)
        return joined, head

    def concat(*sides: str) -> Callable[[], Fusion]:
        return lambda: Concat({side: widths[side] for side in sides})

    def figure(joined: Fusion, head: torch.nn.Module, sets: Mapping[str, Features]) -> float:
        return measure(joined, head, sets["test"])[wanted]

    def whole() -> Fusion:
        return make_fusion(fusion, widths)

    before = [figure(*fresh(made(whole), model.num_outputs, seed, device=model.device), sets)
              for seed in range(RANDOM_HEADS)]
    runs = []
    for seed in progress(range(seeds), "align", show_progress):
        joined, head = aligned("after", whole, sets, seed, dropout=modality_dropout)
        temperature = 1.0 if model.classes is None else fit_temperature(joined, head, sets["validation"])
        if seed == 0:
            model.fusion.load_state_dict(joined.state_dict())
            model.head.load_state_dict(head.state_dict())
            model.temperature.fill_(temperature)
        dealt = {**sets, **{split: shuffled(sets[split], seed) for split in ("train", "validation")}}
        after = measure(joined, head, sets["test"], temperature)
        runs.append({
            "after": {name: value for name, value in after.items() if isinstance(value, float)},
            "temperature": temperature,
            "alone": {"+".join(some): figure(*aligned("+".join(some), concat(*some), vectors, seed), vectors)
                      for some in subsets(widths)},
            "additive": figure(*aligned("additive", concat(*widths), vectors, seed, hidden=0), vectors),
            "control": figure(*aligned("control", whole, dealt, seed), sets)})
    return {"figure": wanted, "seeds": seeds, "posts": {split: len(found) for split, found in sets.items()},
            "before": aggregate(before), **aggregate(runs), "majority": _majority(sets, model),
            "seconds": round(time.perf_counter() - start, 1)}


def _majority(sets: Mapping[str, Features], model: MultimodalSentimentModel) -> float:
    """What always the commonest class of the training posts (of numbers their median) reaches."""
    learned, test = sets["train"].labels, sets["test"].labels
    if model.classes is None:
        return (test - learned.median()).abs().mean().item()
    return (test == learned.bincount().argmax()).double().mean().item()
