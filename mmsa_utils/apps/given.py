"""The command `train` on posts that come encoded: there are no encoders to train, only a fusion and a head."""

from __future__ import annotations

import argparse
from typing import Any

from ..learning.alignment import align
from ..learning.device import best_device
from ..learning.own_correction import BATCH
from ..learning.training import history_table
from .common import log, saved, unfinished
from .evaluate import evaluation
from .sources import Sets, features_of, model_for


def run(arguments: argparse.Namespace, sets: Sets) -> dict[str, Any]:
    """Align a fusion and a head on given features; measure them once on the test posts."""
    model = model_for(arguments, sets, arguments.fusion, arguments.modality_dropout > 0).to(best_device())
    parts = features_of(model, sets)
    for name, part in parts.items():
        log(f"{name}: {len(part)} posts")
    history = align(model.fusion, model.head, parts["train"], parts["validation"], epochs=arguments.epochs,
                    batch_size=BATCH, modality_dropout=arguments.modality_dropout, seed=arguments.seed,
                    checkpoint=arguments.out and unfinished(arguments) / "run.safetensors")
    log(history_table(history))
    result = {"pair": "+".join("given" for _ in model.sides), **sets.about, "remarks": sets.remarks,
              "posts": {name: len(part) for name, part in parts.items()}, "history": history,
              "test": evaluation(model, parts["test"])}
    return saved(model, arguments, result)
