"""The command `evaluate`."""

from __future__ import annotations

import argparse
from typing import Any

from ..learning.batches import make_loader
from ..learning.device import best_device
from ..learning.evaluation import evaluate
from ..model.model import load_model
from ..posts.food import PIXELS, FoodPosts
from ..posts.own import load_posts
from ..posts.post import BINARY_LABELS, LABELS, Posts
from .common import relabelled


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure a model on generated posts or on one's own."""
    model = load_model(arguments.model).to(best_device())
    if model.classes not in (LABELS, BINARY_LABELS):
        raise ValueError(f"the model's classes are {model.classes}: expected {', '.join(LABELS)}, with or without the "
                         "neutral one.")
    binary = model.classes == BINARY_LABELS
    result: dict[str, Any] = {}
    posts: Posts
    if arguments.data:
        posts = relabelled(load_posts(arguments.data, arguments.anywhere, show_progress=True), binary)
    else:
        posts = food = FoodPosts(arguments.posts, arguments.split, binary=binary, seed=arguments.seed,
                                 pixels=PIXELS[model.size])
        result["ceiling"] = food.ceiling()
    return {"posts": len(posts), **evaluate(model, make_loader(posts, model, 64), show_progress=True), **result}
