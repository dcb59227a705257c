"""What several commands share: where results go, what is said on the way, and how a reader's own posts are split.

Nothing heavy is imported at the top: the command line looks here before a command starts.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..model.model import MultimodalSentimentModel
    from ..posts.own import FilePosts


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


def saved(model: MultimodalSentimentModel, arguments: argparse.Namespace, result: dict[str, Any]) -> dict[str, Any]:
    if arguments.out:
        model.cpu().save_pretrained(arguments.out)
        shutil.rmtree(unfinished(arguments), ignore_errors=True)
        result["saved"] = arguments.out
    return result


def pair_of(name: str) -> tuple[str, str]:
    text, plus, image = name.partition("+")
    if not (text and plus and image):
        raise ValueError(f"--pair is {name!r}: expected a text and an image encoder, such as distilbert+vit.")
    return text, image


def relabelled(posts: FilePosts, binary: bool) -> FilePosts:
    """A reader's posts; for two classes without the neutral ones."""
    from ..posts.own import FilePosts

    if not binary:
        return posts
    kept = FilePosts([(text, image, label // 2) for text, image, label in posts.rows if label != 1])
    if not kept.rows:
        raise ValueError("all posts are neutral: expected negative or positive ones for a model with two classes.")
    return kept


def three_parts(posts: FilePosts, binary: bool, seed: int) -> tuple[FilePosts, ...]:
    """Shuffle a reader's posts into 70 % for training, 15 % for validation and 15 % for the test.

    None of their pictures is held in memory: photos take some 40 MB each.
    """
    import numpy as np

    from ..posts.own import FilePosts

    posts = relabelled(posts, binary)
    if len(posts) < 10:
        raise ValueError(f"{len(posts)} posts are too few to split into three parts: expected at least 10.")
    order = np.random.default_rng(seed).permutation(len(posts))
    ends = [round(0.7 * len(posts)), round(0.85 * len(posts))]
    return tuple(FilePosts([posts.rows[i] for i in part]) for part in np.split(order, ends))
