"""The command `inspect`: look a saved model over."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor

from ..bars import progress
from ..disk import write_whole
from ..figures.findings import inspection_page
from ..inspection.finding import Finding, as_text, worst_first
from ..inspection.inspection import inspect_model
from ..learning.batches import make_loader
from ..learning.features import Features
from ..model.model import MultimodalSentimentModel, load_model
from ..posts.post import Posts
from .evaluate import posts_for
from .report import about, place

_BATCH = 16


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Every check, on so many of the posts that the options name; and, where it is asked for, a page of it.

    Raises:
        ValueError: for fewer than two posts, and for a model of features that came encoded.
    """
    out = arguments.page and place(arguments.page)
    model = load_model(arguments.model)
    posts = _posts(model, arguments)
    n = min(arguments.posts, len(posts))
    if n < 2:
        raise ValueError(f"there are {n} posts to try it with: expected at least two, better 64.")
    findings = worst_first(inspect_model(
        model, list(make_loader([posts[i] for i in range(n)], model, _BATCH)), train=_training(model, arguments),
        seed=arguments.seed, show_progress=True))
    result: dict[str, Any] = {"posts": n, "ill": sum(found.verdict == "ill" for found in findings),
              "findings": [found._asdict() for found in findings]}
    if out:
        shown = {found.post: posts[found.post] for found in findings if found.post is not None}
        write_whole(out, inspection_page(findings, about(model, n, arguments), shown))
        result["page"] = str(out)
    return result


def said(result: dict[str, Any]) -> str:
    """A line for each check, the worst first."""
    ill = result["ill"]
    page = f"\n\nThe page is {result['page']}: open it in a browser." if "page" in result else ""
    return (f"{result['posts']} posts, {len(result['findings'])} checks: "
            + ("nothing is wrong that they would see" if not ill else f"{ill} found something")
            + "\n\n" + as_text(Finding(**found) for found in result["findings"]) + page)


def _posts(model: MultimodalSentimentModel, arguments: argparse.Namespace) -> Posts:
    posts = posts_for(model, arguments)
    if isinstance(posts, Features):
        raise ValueError("the model reads features that came encoded: look it over in Python, with inspect_model and "
                         "batches of these features.")
    return posts


def _training(model: MultimodalSentimentModel, arguments: argparse.Namespace) -> Iterable[Mapping[str, Tensor]] | None:
    """Batches of the training posts, if they are named; of a known set its training part."""
    if not arguments.train_data:
        return None
    posts = _posts(model, argparse.Namespace(**{**vars(arguments), "data": arguments.train_data, "split": "train"}))
    return progress(make_loader(posts, model, _BATCH), "training posts", True)
