"""The command `predict`."""

from __future__ import annotations

import argparse
from typing import Any

from ..model.model import load_model
from ..posts.pictures import open_picture


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """The mood of one post."""
    picture = open_picture(arguments.image)
    model = load_model(arguments.model)
    raw = {"text": [arguments.text], "image": [picture]}
    probabilities = model.predict(*(raw[side] for side in model.sides))[0]
    if model.classes is None:
        return {"number": round(probabilities.item(), 4)}
    return {"label": model.classes[int(probabilities.argmax())],
            "probs": {name: round(p, 4) for name, p in zip(model.classes, probabilities.tolist())}}
