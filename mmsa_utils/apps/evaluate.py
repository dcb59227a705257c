"""The command `evaluate`."""

from __future__ import annotations

import argparse
from typing import Any

from ..encoders.given import GIVEN
from ..fusion.absent import Absent
from ..learning.asking import ask, ask_features
from ..learning.assessment import assessed, plain
from ..learning.device import best_device
from ..learning.features import Features
from ..learning.regression import CONVENTIONS, regression_figures
from ..model.model import MultimodalSentimentModel, load_model
from ..model.remarks import remarks
from ..posts.food import PIXELS, FoodPosts
from ..posts.identity import seen
from ..posts.own import FilePosts
from ..posts.parts import NAMES
from ..posts.post import BINARY_LABELS, LABELS, Posts
from ..posts.spoken import SpokenPosts
from . import words
from .common import log, named_source, own_posts
from .sources import check_encoders, pair_name, sets_of


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure a model on generated posts or on one's own."""
    model = load_model(arguments.model).to(best_device())
    return evaluation(model, posts_for(model, arguments), arguments.mistakes)


def said(result: dict[str, Any]) -> str:
    """The result in short tables."""
    return words.evaluation(result)


def evaluation(model: MultimodalSentimentModel, posts: Posts | Features, mistakes: int = 5) -> dict[str, Any]:
    """All that is to be said of a model's answers to some posts, as plain values; see `assessed`.

    Of posts that come encoded, whose labels are numbers, the figures in each of the field's conventions too.
    """
    if isinstance(posts, Features):
        said = ask_features(model, posts)
        found = assessed(said, mistakes)
        if model.classes is None:
            found["conventions"] = plain({name: regression_figures(said.logits, said.labels, name)
                                          for name in CONVENTIONS})
        return found
    answers = ask(model, posts, show_progress=True)
    result = assessed(answers, mistakes)
    result["remarks"] += remarks(model, answers.texts, answers.heard)
    if isinstance(posts, SpokenPosts):
        result["ceilings"] = {reader: posts.ceiling(reader) for reader in posts.readers}
        result["ceiling"] = result["ceilings"].get("+".join(model.sides), result["ceilings"]["all"])
    elif hasattr(posts, "ceiling"):
        result["ceilings"] = {side: posts.ceiling(side) for side in ("text", "image", "additive", "both")}
        result["ceiling"] = result["ceilings"]["both"]
    if isinstance(posts, FilePosts):
        for one in result["mistakes"]:
            row = posts.rows[one["post"]]
            for what, stored in (("picture", row.image), ("recording", row.voice)):
                name = getattr(stored, "name", "")  # of a file; a picture in memory has none
                one |= {what: name.rsplit("/", 1)[-1]} if name else {}
        result["left_out"] = posts.left_out
        if posts.left_out:
            parts = ", ".join(f"{count} {what}" for what, count in posts.left_out.items())
            result["remarks"].append(f"Rows of the table that were left out: {parts}.")
        if getattr(model, "learned_from", None) is not None:
            result["seen"] = seen(posts, model.learned_from)
            result["remarks"] += _known(result["seen"], len(posts))
    return result


def _known(found: dict[str, int], n: int) -> list[str]:
    """That posts were learned from, in a sentence."""
    parts = [f"{count} by {what}" for what, count in found.items() if count]
    return parts and [f"The model has learned from posts of this table ({', '.join(parts)}, of {n}): figures from them "
                      "say little of posts that it does not know."]


def posts_for(model: MultimodalSentimentModel, arguments: argparse.Namespace) -> Posts | Features:
    """The posts that the options name: one's own, a part of a known set of real ones, or generated ones.

    Raises:
        ValueError: for generated posts and a model with other classes than moods, and for a reader's own and a model
            that gives a number.
    """
    if arguments.data and named_source(arguments.data)[0]:
        return _known_set(model, arguments)
    if arguments.data:
        if model.classes is None:
            raise ValueError("the model gives a number, and the labels of a table are names of classes: measure it in "
                             "Python, with evaluate(model, make_loader(posts, model)) on a list of Post.")
        return own_posts(arguments, model.classes, sides=model.sides)
    if model.classes not in (None, LABELS, BINARY_LABELS):
        raise ValueError(f"the model's classes are {model.classes}, and generated posts have "
                         f"{', '.join(LABELS)}, in this order, or the first and last of them: name posts of your own "
                         "with --data.")
    if model.classes is None:
        log(f"the model gives a number: it is held beside 0, 1 and 2 for {', '.join(LABELS)}")
    if "voice" in model.sides:
        if model.classes == BINARY_LABELS:
            raise ValueError("the model tells two classes apart, and generated posts with a voice have "
                             f"{', '.join(LABELS)}: name posts of your own with --data.")
        return SpokenPosts(arguments.posts, arguments.split, seed=arguments.seed, pixels=PIXELS[model.size])
    return FoodPosts(arguments.posts, arguments.split, binary=model.classes == BINARY_LABELS, seed=arguments.seed,
                     pixels=PIXELS[model.size])


def _known_set(model: MultimodalSentimentModel, arguments: argparse.Namespace) -> Posts | Features:
    """A part of a known set of real posts, as train and align make it with the same seed."""
    if arguments.split not in NAMES:
        raise ValueError(f"--split is {arguments.split}: a known set has {' and '.join(NAMES[1:])}.")
    arguments.pair = pair_name(model)
    arguments.modality_dropout = float(isinstance(model.fusion, Absent))  # faulty is what it was where it was trained:
    sets = sets_of(arguments)  # else the parts would be dealt of other posts
    reads = set(arguments.pair.split("+")) == {GIVEN}
    check_encoders(model, sets)
    if sets.extracted is None and sets.given != reads:
        raise ValueError(f"{arguments.data[:200]} holds {'features' if sets.given else 'posts'}, and the model reads "
                         f"{'features' if reads else 'posts'}: measure it on the kind of set that it was trained on.")
    return sets.parts[arguments.split]
