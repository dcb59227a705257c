"""What each command of the command line does: a function each, from its options to a result of plain values.

Nothing heavy is imported at the top: `--help` and the doctor must be quick, and speak when a package is broken.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..model.model import MultimodalSentimentModel
    from ..posts.own import FilePosts
    from ..posts.post import Posts


def train(arguments: argparse.Namespace) -> dict[str, Any]:
    """Train a pair end to end, on generated posts or on one's own; measure it once on the test posts."""
    from ..bars import progress
    from ..learning.batches import make_loader
    from ..learning.device import best_device
    from ..learning.evaluation import evaluate
    from ..learning.training import history_table, train
    from ..model.model import MultimodalSentimentModel
    from ..posts.food import PIXELS, FoodPosts
    from ..posts.own import load_posts
    from ..posts.post import BINARY_LABELS, LABELS

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
        train_posts, validation_posts, test_posts = _three_parts(own, binary, seed)
    else:
        train_posts, validation_posts, test_posts = (
            generated(n, split) for n, split in
            ((arguments.posts, "train"), (max(1, arguments.posts // 4), "validation"), (1000, "test")))
    text, image = _pair(arguments.pair)
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
    return _saved(model, arguments, result)


def align(arguments: argparse.Namespace) -> dict[str, Any]:
    """The correction phase, with its controls."""
    from ..learning.correction import correction_phase
    from ..learning.device import best_device

    if arguments.seeds < 1:
        raise ValueError(f"--seeds is {arguments.seeds}: expected at least 1.")
    report, model = correction_phase(*_pair(arguments.pair), arguments.size, seeds=arguments.seeds,
                                     n_train=arguments.posts, n_test=arguments.test_posts,
                                     conflict=arguments.conflict, data_seed=arguments.seed, device=best_device(),
                                     folder=unfinished(arguments))
    return _saved(model, arguments, report)


def evaluate(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure a model on generated posts or on one's own."""
    from ..learning.batches import make_loader
    from ..learning.device import best_device
    from ..learning.evaluation import evaluate
    from ..model.model import load_model
    from ..posts.food import PIXELS, FoodPosts
    from ..posts.own import load_posts
    from ..posts.post import BINARY_LABELS, LABELS

    model = load_model(arguments.model).to(best_device())
    if model.classes not in (LABELS, BINARY_LABELS):
        raise ValueError(f"the model's classes are {model.classes}: expected {', '.join(LABELS)}, with or without the "
                         "neutral one.")
    binary = model.classes == BINARY_LABELS
    result: dict[str, Any] = {}
    posts: Posts
    if arguments.data:
        posts = _relabelled(load_posts(arguments.data, arguments.anywhere, show_progress=True), binary)
    else:
        posts = food = FoodPosts(arguments.posts, arguments.split, binary=binary, seed=arguments.seed,
                                 pixels=PIXELS[model.size])
        result["ceiling"] = food.ceiling()
    return {"posts": len(posts), **evaluate(model, make_loader(posts, model, 64), show_progress=True), **result}


def predict(arguments: argparse.Namespace) -> dict[str, Any]:
    """The mood of one post."""
    from ..model.model import load_model
    from ..posts.pictures import open_picture

    picture = open_picture(arguments.image)
    model = load_model(arguments.model)
    raw = {"text": [arguments.text], "image": [picture]}
    probabilities = model.predict(*(raw[side] for side in model.sides))[0]
    if model.classes is None:
        return {"number": round(probabilities.item(), 4)}
    return {"label": model.classes[int(probabilities.argmax())],
            "probs": {name: round(p, 4) for name, p in zip(model.classes, probabilities.tolist())}}


def grade(arguments: argparse.Namespace) -> dict[str, Any]:
    """Run a folder of handed-in notebooks and write the grade book."""
    from ..grading.grade import grade

    try:
        return grade(arguments.folder, arguments.csv, arguments.seconds, arguments.memory, arguments.jobs, log)
    except KeyboardInterrupt:  # it has said what is kept
        sys.exit(130)


def dashboard(arguments: argparse.Namespace) -> int:
    """Serve the page until Ctrl+C."""
    from .dashboard import main

    return main(arguments.model, arguments.port, arguments.share, arguments.user)


def doctor(arguments: argparse.Namespace) -> int:
    """Check that everything is in place."""
    from .doctor import main

    return main(json=arguments.json)


COMMANDS: dict[str, Callable[[argparse.Namespace], Any]] = {
    "train": train, "align": align, "evaluate": evaluate, "predict": predict, "dashboard": dashboard, "grade": grade,
    "doctor": doctor,
}  #: command → what it does, to a result to print, or to an exit code


def log(message: str) -> None:
    """Say something that is not the result."""
    print(message, file=sys.stderr)


def check_out(arguments: argparse.Namespace) -> None:
    """Make the folder that --out names before the work starts, so that nothing is lost for want of a place."""
    folder = getattr(arguments, "out", None)
    if folder:
        os.makedirs(folder, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()  # raises an OSError where nothing can be written


def unfinished(arguments: argparse.Namespace) -> Path | None:
    """Where work under way is kept, so that a start after an interruption goes on there; None without --out."""
    out = getattr(arguments, "out", None)
    return Path(out) / "unfinished" if out else None


def _saved(model: MultimodalSentimentModel, arguments: argparse.Namespace, result: dict[str, Any]) -> dict[str, Any]:
    if arguments.out:
        model.cpu().save_pretrained(arguments.out)
        shutil.rmtree(unfinished(arguments), ignore_errors=True)
        result["saved"] = arguments.out
    return result


def _pair(name: str) -> tuple[str, str]:
    text, plus, image = name.partition("+")
    if not (text and plus and image):
        raise ValueError(f"--pair is {name!r}: expected a text and an image encoder, such as distilbert+vit.")
    return text, image


def _relabelled(posts: FilePosts, binary: bool) -> FilePosts:
    """A reader's posts; for two classes without the neutral ones."""
    from ..posts.own import FilePosts

    if not binary:
        return posts
    kept = FilePosts([(text, image, label // 2) for text, image, label in posts.rows if label != 1])
    if not kept.rows:
        raise ValueError("all posts are neutral: expected negative or positive ones for a model with two classes.")
    return kept


def _three_parts(posts: FilePosts, binary: bool, seed: int) -> tuple[FilePosts, ...]:
    """Shuffle a reader's posts into 70 % for training, 15 % for validation and 15 % for the test.

    None of their pictures is held in memory: photos take some 40 MB each.
    """
    import numpy as np

    from ..posts.own import FilePosts

    posts = _relabelled(posts, binary)
    if len(posts) < 10:
        raise ValueError(f"{len(posts)} posts are too few to split into three parts: expected at least 10.")
    order = np.random.default_rng(seed).permutation(len(posts))
    ends = [round(0.7 * len(posts)), round(0.85 * len(posts))]
    return tuple(FilePosts([posts.rows[i] for i in part]) for part in np.split(order, ends))
