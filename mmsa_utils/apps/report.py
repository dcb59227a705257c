"""The command `report`: an evaluation as a page to look at."""

from __future__ import annotations

import argparse
import datetime
import os
import tempfile
from pathlib import Path
from typing import Any

from .. import __version__
from ..disk import write_whole
from ..figures.report import page
from ..learning.device import best_device
from ..learning.features import Features
from ..model.model import load_model
from . import words
from .common import named_source
from .evaluate import evaluation, posts_for


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure a model as `evaluate` does, and write what came of it as one HTML file."""
    out = place(arguments.page)
    model = load_model(arguments.model).to(best_device())
    posts = posts_for(model, arguments)
    result = evaluation(model, posts, arguments.mistakes)
    pictures, voices = {}, {}
    for one in [] if isinstance(posts, Features) else result["mistakes"]:  # features show nothing
        post: Any = posts[one["post"]]
        if post.image is not None:
            pictures[one["post"]] = post.image.copy()
            pictures[one["post"]].thumbnail((480, 480))  # photographs take some 40 MB each
        if post.voice is not None and "voice" in model.sides:
            voices[one["post"]] = post.voice
    write_whole(out, page(result, pictures, about(model, len(posts), arguments), voices))
    return {**result, "report": str(out)}


def said(result: dict[str, Any]) -> str:
    """The first figure, and where the page is."""
    first = (f"accuracy {words.figure(result['accuracy'], result['intervals']['accuracy'])}" if "classes" in result else
             f"mean absolute error {words.figure(result['mae'], result['intervals']['mae'])}")
    return "\n".join(filter(None, [f"{result['posts']} posts: {first}", words.notes(result),
                                   f"The page is {result['report']}: open it in a browser."]))


def place(name: str) -> Path:
    """Where a page is to go; its folder is made, and tried, before the work.

    Raises:
        ValueError: for a folder.
        OSError: where nothing can be written.
    """
    out = Path(name)
    if out.is_dir():
        raise ValueError(f"--out is the folder {out}: expected the name of a file, such as {out / 'report.html'}.")
    out.parent.mkdir(parents=True, exist_ok=True)
    tempfile.TemporaryFile(dir=out.parent).close()
    return out


def about(model: Any, n: int, arguments: argparse.Namespace) -> dict[str, str]:
    """Which model a page is about, which n posts, and when it was made."""
    kind = named_source(arguments.data)[0] if arguments.data else None
    source = (f"of {kind}, split {arguments.split}" if kind else "of a table" if arguments.data else
              f"generated, split {arguments.split}, seed {arguments.seed}")
    return {"the model": model_in_words(model), "posts": f"{n:,} {source}",
            "measured": f"{datetime.date.today().isoformat()}, with mmsa-utils {__version__}"}


def model_in_words(model: Any) -> str:
    """Its encoders, its size and its classes, without a path."""
    encoders = " + ".join(os.path.basename(encoder.name.rstrip("/\\")) or side
                          for side, encoder in model.encoders.items())
    classes = "gives a number" if model.classes is None else f"classes {', '.join(model.classes)}"
    return f"{encoders}, {model.size}; {classes}"
