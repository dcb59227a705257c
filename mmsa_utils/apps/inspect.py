"""The command `inspect`: look a saved model over."""

from __future__ import annotations

import argparse
from typing import Any

from ..inspection.finding import Finding, as_text, worst_first
from ..inspection.inspection import inspect_model
from ..learning.batches import make_loader
from ..learning.features import Features
from ..model.model import load_model
from .evaluate import posts_for

_BATCH = 16


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Every check, on so many of the posts that the options name.

    Raises:
        ValueError: for fewer than two posts, and for a model of features that came encoded.
    """
    model = load_model(arguments.model)
    posts = posts_for(model, arguments)
    if isinstance(posts, Features):
        raise ValueError("the model reads features that came encoded: look it over in Python, with inspect_model and "
                         "batches of these features.")
    n = min(arguments.posts, len(posts))
    if n < 2:
        raise ValueError(f"there are {n} posts to try it with: expected at least two, better 64.")
    findings = inspect_model(model, list(make_loader([posts[i] for i in range(n)], model, _BATCH)), seed=arguments.seed,
                             show_progress=True)
    return {"posts": n, "ill": sum(found.verdict == "ill" for found in findings),
            "findings": [found._asdict() for found in worst_first(findings)]}


def said(result: dict[str, Any]) -> str:
    """A line for each check, the worst first."""
    ill = result["ill"]
    return (f"{result['posts']} posts, {len(result['findings'])} checks: "
            + ("nothing is wrong that they would see" if not ill else f"{ill} found something")
            + "\n\n" + as_text(Finding(**found) for found in result["findings"]))
