"""The command `train`."""

from __future__ import annotations

import argparse
from typing import Any

from ..bars import progress
from ..learning.batches import make_loader
from ..learning.device import best_device
from ..learning.evaluation import evaluate
from ..learning.training import history_table, train
from ..model.model import MultimodalSentimentModel
from ..posts.food import PIXELS, FoodPosts
from ..posts.own import load_posts
from ..posts.post import BINARY_LABELS, LABELS, Posts
from .common import log, pair_of, saved, three_parts, unfinished


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Train a pair end to end, on generated posts or on one's own; measure it once on the test posts."""
    binary = arguments.pair == "bert+resnet18" if arguments.binary is None else arguments.binary
    seed = arguments.seed

    def generated(n: int, split: str) -> list:
        posts = FoodPosts(n, split, binary=binary, seed=seed, pixels=PIXELS[arguments.size])
        return [posts[i] for i in progress(range(len(posts)), f"draw {split} posts")]

    train_posts: Posts
    validation_posts: Posts
    test_posts: Posts
    if arguments.data:
        own = load_posts(arguments.data, arguments.anywhere, show_progress=True)
        train_posts, validation_posts, test_posts = three_parts(own, binary, seed)
    else:
        train_posts, validation_posts, test_posts = (
            generated(n, split) for n, split in
            ((arguments.posts, "train"), (max(1, arguments.posts // 4), "validation"), (1000, "test")))
    text, image = pair_of(arguments.pair)
    model = MultimodalSentimentModel(text, image, arguments.size, classes=BINARY_LABELS if binary else LABELS,
                                     frozen=arguments.freeze, seed=seed).to(best_device())
    log(f"{len(train_posts)} training posts, {len(validation_posts)} for validation, {len(test_posts)} for the test")
    history = train(model, make_loader(train_posts, model, shuffle=True, seed=seed),
                    make_loader(validation_posts, model, 64), epochs=arguments.epochs, seed=seed,
                    encoder_lr=1e-3 if arguments.size == "mini" else 2e-5,
                    checkpoint=arguments.out and unfinished(arguments) / "run.safetensors")
    log(history_table(history))
    result = {"pair": arguments.pair, "size": arguments.size, "history": history,
              "test": evaluate(model, make_loader(test_posts, model, 64), show_progress=True)}
    return saved(model, arguments, result)
