"""The command `train`."""

from __future__ import annotations

import argparse
import os
from collections import Counter
from collections.abc import Sequence
from typing import Any

from .. import processes
from ..bars import progress
from ..learning.batches import make_loader
from ..learning.device import best_device
from ..learning.familiarity import learn_familiarity
from ..learning.losses import balanced_weights
from ..learning.together import start
from ..learning.training import history_table, train
from ..model.model import MultimodalSentimentModel
from ..posts.food import PIXELS, FoodPosts
from ..posts.identity import digests_of
from ..posts.own import FilePosts
from ..posts.parts import NAMES
from ..posts.post import BINARY_LABELS, LABELS, Posts
from ..posts.spoken import SpokenPosts
from . import given, words
from .common import log, named_source, pair_of, saved, unfinished
from .evaluate import evaluation
from .sources import sets_of

TEST_POSTS = 1000  # generated ones, on which a model is measured once


def run(arguments: argparse.Namespace) -> dict[str, Any] | int:
    """Train a pair end to end, on generated posts or on one's own; measure it once on the test posts.

    Of several processes the first one does what follows the training; the others are done then: 0.
    """
    accelerator = start(alone="ACCELERATE_MIXED_PRECISION" in os.environ)  # what accelerate launch always says
    binary = arguments.pair == "bert+resnet18" if arguments.binary is None else arguments.binary
    seed, names = arguments.seed, pair_of(arguments.pair)
    if binary and "voice" in names:
        raise ValueError("posts with a voice have three classes: go without --binary.")

    def generated(n: int, split: str) -> FoodPosts | SpokenPosts:
        if "voice" in names:
            return SpokenPosts(n, split, seed=seed, pixels=PIXELS[arguments.size])
        return FoodPosts(n, split, binary=binary, seed=seed, pixels=PIXELS[arguments.size])

    def drawn(posts: FoodPosts | SpokenPosts) -> list:
        return [posts[i] for i in progress(range(len(posts)), f"draw {posts.split} posts")]

    result: dict[str, Any] = {"pair": arguments.pair, "size": arguments.size}
    parts: dict[str, Any]
    classes: tuple[str, ...] | None = BINARY_LABELS if binary else LABELS
    if arguments.data:
        if arguments.binary and named_source(arguments.data)[0]:
            raise ValueError("--binary is for generated posts and tables of your own: a known set has its own classes.")
        sets = sets_of(arguments, classes)
        if sets.given:
            if accelerator is not None:
                raise ValueError(f"{arguments.data[:200]} holds features, on which a fusion and a head are trained in "
                                 "one process: start the same without torchrun.")
            return given.run(arguments, sets)
        parts, classes = dict(sets.parts), sets.classes
        result |= {**sets.about, "remarks": sets.remarks}
    else:
        parts = {"train": drawn(generated(arguments.posts, "train")),
                 "validation": drawn(generated(max(1, arguments.posts // 4), "validation")),
                 "test": generated(TEST_POSTS, "test")}  # looked at once: drawn as they are asked for
    train_posts, validation_posts, test_posts = (parts[name] for name in NAMES)
    model = MultimodalSentimentModel(**names, size=arguments.size, classes=classes, fusion=arguments.fusion,
                                     absent=arguments.modality_dropout > 0, frozen=arguments.freeze,
                                     seed=seed).to(accelerator.device if accelerator else best_device())
    for name, posts in (("training", train_posts), ("validation", validation_posts)):
        log(f"{name}: {len(posts)} posts, " + ", ".join(f"{n} {c}" for c, n in _by_class(posts, classes).items()))
    log(f"test: {len(test_posts)} posts" + ("".join(f", {n} {c}" for c, n in test_posts.counts().items())
                                            if isinstance(test_posts, FilePosts) else ""))
    weights = balanced_weights(_labels(train_posts), len(classes)) if arguments.class_weights else None
    batch, workers = arguments.batch_size, arguments.workers
    history = train(model, make_loader(train_posts, model, batch, shuffle=True, seed=seed, num_workers=workers),
                    make_loader(validation_posts, model, 2 * batch, num_workers=workers), epochs=arguments.epochs,
                    seed=seed, class_weights=weights, modality_dropout=arguments.modality_dropout,
                    encoder_lr=1e-3 if arguments.size == "mini" else 2e-5, precision=arguments.precision,
                    accumulate=arguments.accumulate, accelerator=accelerator,
                    checkpoint=arguments.out and unfinished(arguments) / "run.safetensors")
    if accelerator is not None:
        accelerator.end_training()
        if not processes.is_first():
            return 0
    model.learned_from = digests_of(train_posts)
    model.familiarity = learn_familiarity(model, train_posts, validation_posts, show_progress=True)
    log(history_table(history))
    test = evaluation(model, test_posts)
    counts = {"train": _by_class(train_posts, classes), "validation": _by_class(validation_posts, classes),
              "test": {name: row["posts"] for name, row in test["classes"].items()}}
    result |= {"posts": counts, "history": history, "test": test}
    return saved(model, arguments, result)


def _labels(posts: Posts) -> list[int]:
    """The labels of some posts; of a table without opening its pictures."""
    return [row[2] for row in posts.rows] if isinstance(posts, FilePosts) else [
        posts[i].label for i in range(len(posts))]


def _by_class(posts: Posts, classes: Sequence[str]) -> dict[str, int]:
    """How many posts each class has."""
    counts = Counter(_labels(posts))
    return {name: counts[label] for label, name in enumerate(classes)}


def said(result: dict[str, Any]) -> str:
    """What the test says, in short tables."""
    return f"the test, on posts that nothing was chosen on:\n{words.evaluation(result['test'])}" + (
        f"\n\nsaved in {result['saved']}" if "saved" in result else "")
