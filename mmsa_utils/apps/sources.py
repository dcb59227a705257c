"""Where labelled posts come from: what may stand behind --data, and the three parts that are made of it."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from ..encoders.given import GivenEncoder
from ..fusion.absent import missing
from ..learning.cache import cached_features
from ..learning.extraction import Recipe, encoders_digest
from ..learning.features import Features, extract_features, vectors_of
from ..learning.recordings import load_mmsa
from ..learning.stored import load_stored
from ..model.model import MultimodalSentimentModel
from ..posts.own import FaultyRows, FilePosts
from ..posts.parts import NAMES, three_parts
from ..posts.post import LABELS, SIDES
from ..posts.real.duplicates import across
from ..posts.real.memes import load_memes
from ..posts.real.mvsa import load_mvsa
from ..posts.real.twitter import load_twitter
from .common import log, missing_in_words, named_source, own_posts, pair_of, refusal, say_left_out

#: What is written before a colon in --data → how such a folder is read.
_POSTS: dict[str, Callable[..., FilePosts | dict[str, Any]]] = {
    "mvsa": load_mvsa, "twitter": load_twitter, "memes": load_memes}


class Sets(NamedTuple):
    """Labelled posts in three parts: to be opened one by one, or encoded already."""

    parts: Mapping[str, FilePosts | Features]  # "train", "validation", "test"
    classes: tuple[str, ...] | None  # None where labels are numbers
    remarks: list[str]
    about: dict[str, Any]  # what a result says of where its posts come from
    extracted: dict[str, Any] | None = None  # of what `extract` has made: what was said there
    posts: Mapping[str, FilePosts] = {}  # and the posts of the three parts, without their pictures

    @property
    def given(self) -> bool:
        """Whether they are encoded already."""
        return isinstance(self.parts["train"], Features)


def sets_of(arguments: argparse.Namespace, classes: Sequence[str] | None = None) -> Sets:
    """The three parts of what --data names: a table of one's own, or a known set of real posts.

    A set that has parts of its own keeps them; posts that stand in two of them are counted and said, not dropped. Of
    any other the parts are made as `three_parts` does.

    Args:
        classes: of a table of one's own; a known set has its own classes.

    Raises:
        ValueError: as the loaders, and `three_parts`; and for a pair that has nothing to read there.
    """
    kind, place = named_source(arguments.data)
    if kind == "mmsa":
        found = load_mmsa(place)
        remarks = [f"{fault}: {count} posts." for fault, count in found.faults.items()]
        remarks += [f"{count} posts have an id that stands in {where}." for where, count in found.duplicates.items()]
        remarks += [f"left out, {why}: {count} posts." for why, count in found.left_out.items()]
        return Sets(dict(found), None, _logged(remarks), {
            "faults": dict(found.faults), "duplicates": dict(found.duplicates), "left_out": dict(found.left_out)})
    if kind == "features":
        return _extracted(arguments, place, classes or LABELS)
    if kind is None:
        return _parted(own_posts(arguments, classes), arguments.seed)
    if "voice" in pair_of(arguments.pair):
        raise ValueError(f"--pair is {arguments.pair}, and posts of {kind} have no voice: expected a text and an image "
                         "encoder.")
    loaded = _POSTS[kind](place, show_progress=True)
    if isinstance(loaded, FilePosts):
        log(_counted(loaded))
        return _parted(loaded, arguments.seed)
    parts: dict[str, Any] = dict(loaded)
    lacking = [name for name in NAMES if name not in parts]
    if lacking:
        raise ValueError(f"{place} has no {lacking[0]} part: expected {', '.join(NAMES)}, as the set is published.")
    remarks = []
    if not parts["test"].counts():  # a challenge keeps its labels to itself
        known = parts["validation"]
        parts |= {name: known.part(half) for name, half in zip(NAMES[1:], halves(len(known), arguments.seed))}
        remarks.append("The labels of the test part are not public: half of the validation part takes its place.")
    for name, part in parts.items():
        log(f"{name}: {_counted(part)}")
    shared = across(parts)
    remarks += [f"{counts[what]} of {counts['posts']} posts of {name} have a {what} that stands in another part."
                for name, counts in shared.items() for what in ("text", "picture") if counts[what]]
    return Sets(parts, parts["train"].classes, _logged(remarks), {"shared": shared})


def halves(n: int, seed: int) -> list[list[int]]:
    """The places of n posts, dealt at random into two halves."""
    return [sorted(half.tolist()) for half in np.array_split(np.random.default_rng(seed).permutation(n), 2)]


def _parted(posts: FilePosts, seed: int) -> Sets:
    parts = three_parts(posts, seed)
    return Sets({name: getattr(parts, name) for name in NAMES}, posts.classes, _logged(parts.remarks), {
        **({"missing": posts.missing} if posts.missing else {}), "classes": posts.counts(),
        "left_out": posts.left_out, "alike": parts.alike})


def _extracted(arguments: argparse.Namespace, place: str, classes: Sequence[str]) -> Sets:
    """What `extract` has made of a labelled table: faulty rows are those of the table itself, and so are the parts."""
    complete = not getattr(arguments, "modality_dropout", True)
    try:
        stored = load_stored(place, classes, show_progress=True, skip_faulty=arguments.skip_faulty, complete=complete)
    except FaultyRows as error:
        raise refusal(error, arguments, "Go on without them by --skip-faulty, or mend the table and extract it anew.",
                      learning=arguments.command != "evaluate") from None
    if not stored.posts.counts():
        raise ValueError(f"the table that was extracted into {place} had no labels: expected a column of them.")
    say_left_out(stored.posts.faults, arguments)
    log(_counted(stored.posts))
    gone = {side: int(lacking.sum()) for side, lacking in missing(stored.features.sides).items() if lacking.any()}
    if gone:
        log(missing_in_words(gone, len(stored.posts)))
    sets = _parted(stored.posts, arguments.seed)
    about = {key: value for key, value in sets.about.items() if key != "missing"}  # the posts are without their files
    posts: Any = sets.parts
    return sets._replace(parts={name: stored.features[torch.tensor(part.numbers)] for name, part in posts.items()},
                         classes=tuple(classes), extracted=stored.about, posts=posts,
                         about={**({"missing": gone} if gone else {}), **about})


def check_encoders(model: MultimodalSentimentModel, sets: Sets) -> None:
    """Raise ValueError where features were extracted with other encoders than this model's, or as vectors for a fusion
    that reads sequences.
    """
    if sets.extracted is None:
        return
    if encoders_digest(model) != sets.extracted["encoders"]:
        raise ValueError("the features were extracted with other encoders than the model has: extract them with its "
                         "own, by extract --model.")
    if model.fusion.sequences and not sets.extracted["sequences"]:
        raise ValueError("the features are a vector a side, and the fusion reads every token: extract them anew with "
                         "--fusion attention.")


def _counted(posts: FilePosts) -> str:
    """How many posts of which class, what was left out, and what was noticed."""
    said = [f"{len(posts)} posts", *(f"{count} {name}" for name, count in posts.counts().items())]
    out = ", ".join(f"{count} {reason}" for reason, count in posts.left_out.items())
    notes = ", ".join(f"{count} {what}" for what, count in getattr(posts, "notes", {}).items())
    return ", ".join(said) + (f"; left out: {out}" if out else "") + (f"; noticed: {notes}" if notes else "")


def _logged(remarks: list[str]) -> list[str]:
    for remark in remarks:
        log(remark)
    return remarks


def pair_name(model: MultimodalSentimentModel) -> str:
    """The names of its encoders with plus signs between them."""
    return "+".join(encoder.name for _, encoder in model.encoders.items())


def model_for(arguments: argparse.Namespace, sets: Sets, fusion: str, absent: bool = False
              ) -> MultimodalSentimentModel:
    """An untrained model with frozen encoders that reads these posts.

    Where features lack a side here and there (no face was found), it learns a vector that stands for it.
    """
    if sets.extracted is not None:
        made = Recipe(**sets.extracted["recipe"]).model().cpu()
        model = MultimodalSentimentModel(**{**dict.fromkeys(SIDES), **dict(made.encoders.items())}, size=made.size,
                                         classes=sets.classes, fusion=fusion, absent=absent, frozen=True,
                                         seed=arguments.seed)
        check_encoders(model, sets)
        return model
    if sets.given:
        given: Any = sets.parts
        widths = given["train"].widths
        absent |= any(gone.any() for part in given.values() for gone in missing(part.sides).values())
        return MultimodalSentimentModel(
            **{**dict.fromkeys(SIDES), **{side: GivenEncoder(side, width) for side, width in widths.items()}},
            classes=sets.classes, fusion=fusion, absent=absent, frozen=True, seed=arguments.seed)
    return MultimodalSentimentModel(**pair_of(arguments.pair), size=arguments.size, classes=sets.classes,
                                    fusion=fusion, absent=absent, frozen=True, seed=arguments.seed)


def features_of(model: MultimodalSentimentModel, sets: Sets, folder: Path | None = None) -> dict[str, Features]:
    """Each part encoded, with its texts, so that words can be counted too.

    Args:
        folder: keep the features there, and find them again.
    """
    made = {}
    for name, part in sets.parts.items():
        if isinstance(part, Features):
            made[name] = vectors_of(model, part) if (
                sets.extracted and sets.extracted["sequences"] and not model.fusion.sequences) else part
            continue
        found = extract_features(model, part) if folder is None else cached_features(model, part, folder)
        made[name] = replace(found, texts=tuple(row.text or "" for row in part.rows))
    return made
