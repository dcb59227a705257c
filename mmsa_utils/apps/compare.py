"""The command `compare`."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any

from torch import Tensor

from ..fusion.table import FUSIONS
from ..learning.comparison import WORLDS, compare_fusions
from ..learning.device import best_device
from ..learning.honesty import honesty_board
from ..learning.zero_shot import PROMPTS, zero_shot
from ..posts.post import LABELS, SIDES
from . import words
from .common import REAL, log, named_source, pair_of
from .sources import Sets, features_of, model_for, pair_name, sets_of

ZERO_SHOT = "CLIP, zero-shot"  # its name on the board


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Every fusion on the same posts."""
    if arguments.data not in WORLDS:
        return _real(arguments)
    pair = arguments.pair or ("distilbert+vit+whisper" if arguments.data == "spoken" else "distilbert+vit")
    return compare_fusions(arguments.data, arguments.fusions or tuple(FUSIONS), **pair_of(pair), size=arguments.size,
                           seeds=arguments.seeds, n_train=arguments.posts, n_test=arguments.test_posts,
                           data_seed=arguments.seed, device=best_device())


def _real(arguments: argparse.Namespace) -> dict[str, Any]:
    """The honesty board, on labelled posts of one's own or a known set of real ones."""
    kind, place = named_source(arguments.data)
    if kind is None and not Path(place).exists():
        raise ValueError(f"--data is {arguments.data[:200]}: expected {', '.join(WORLDS)}, a table of your own, or a "
                         f"known set, such as mvsa:FOLDER ({', '.join(REAL)}).")
    arguments.pair = arguments.pair or "distilbert+vit"
    sets = sets_of(arguments, LABELS)
    reads = any(FUSIONS[name].sequences for name in arguments.fusions or FUSIONS)
    model = model_for(arguments, sets, "attention" if reads else "concat").to(best_device())
    report = honesty_board(model, features_of(model, sets), arguments.fusions, seeds=arguments.seeds,
                           convention=arguments.convention, others=_without_learning(arguments.pair, sets))
    return {"data": kind or "table", "pair": pair_name(model),
            "size": model.size, **report, **sets.about, "remarks": sets.remarks}


def _without_learning(pair: str, sets: Sets) -> dict[str, Tensor]:
    """What CLIP says of the test pictures by words alone, where it is an encoder and the classes are moods."""
    if "clip" not in pair.split("+") or not set(sets.classes or ["-"]) <= set(PROMPTS):
        return {}
    posts: Any = sets.parts["test"]
    if getattr(posts, "missing", {}).get("image"):
        log(f"{ZERO_SHOT} is left out of the board: {posts.missing['image']} test posts have no picture.")
        return {}
    return {ZERO_SHOT: zero_shot((posts[i].image for i in range(len(posts))),
                                 {name: PROMPTS[name] for name in sets.classes or ()}, device=best_device())}


def said(report: dict[str, Any]) -> str:
    """The board: a row for each fusion, and what it stands between."""
    if "rivals" in report:
        return _said_of_real(report)
    seeds, posts, budget = report["seeds"], report["posts"], report["budget"]
    rivals = {**report["fusions"], **{words.of_sides(some): row for some, row in report["alone"].items()}}
    slices = list(next(iter(rivals.values()))["slices"])
    board = words.table(("", "accuracy", "unseen", *slices, "parameters", "seconds"), [
        (name, words.of_seeds(row["accuracy"]), f"{row['unseen']['mean']:.3f}",
         *(f"{row['slices'][name]['mean']:.3f}" for name in slices), row["parameters"], round(row["seconds"], 1))
        for name, row in rivals.items()])
    between = words.table(("", "accuracy"), [
        ("always the commonest label", words.figure(report["baseline"])),
        *((f"best possible: {words.READERS.get(name, name)}", words.figure(limit))
          for name, limit in report["ceilings"].items())])
    tries = " and ".join(f"{rate:g}" for rate in budget["rates"])
    return "\n".join([
        f"{report['data']}, {report['pair']}, {report['size']}, aligned on {posts['train']} posts, tested on "
        f"{posts['test']}; in brackets: the 95 % interval over posts and {seeds} seed{'s' * (seeds > 1)}",
        f"each with {budget['epochs']} passes at the learning rates {tries}; the better on {posts['validation']} "
        "validation posts counts", "", board, "", between, "", f"{report['seconds']} s"])


def _said_of_real(report: dict[str, Any]) -> str:
    """The honesty board: every rival, its interval, and how far it lies above words that were counted."""
    rivals, differences, posts = report["rivals"], report["differences"], report["posts"]
    numbers = report["classes"] is None
    first = "mae" if numbers else "accuracy"
    rest = list(next(iter(rivals.values()))["figures"]) if numbers else ["macro_f1", "weighted_f1"]
    called = {"majority": "always the median" if numbers else "always the commonest class",
              "tfidf": "words counted (TF-IDF), a linear model",
              **{name: words.of_sides(name) for name in rivals if set(name.split("+")) <= set(SIDES)}}
    against = [name for name in ("tfidf", "text") if name in rivals]
    names = {"tfidf": "words counted", "text": "text alone"}
    rows = [(called.get(name, name), words.of_seeds(row[first], most=math.inf),
             *(words.figure((row["figures"] if numbers else row)[one]) for one in rest),
             *(_gap(differences.get(name, {}).get(other)) for other in against)) for name, row in rivals.items()]
    board = words.table(("", first, *rest, *(f"better than {names[name]} by" for name in against)), rows)
    budget = report["budget"]
    return "\n".join([
        f"{report['data']}, {report['pair']}, {report['size']}: {posts['train']} posts to align on, "
        f"{posts['validation']} to choose by, {posts['test']} to test on",
        f"in brackets: the 95 % interval over posts and {report['seeds']} seed{'s' * (report['seeds'] > 1)}; of a "
        "difference it is paired, post by post", "", board, "",
        f"each with {len(budget['rates'])} tries, of which the validation posts chose; {report['seconds']} s"])


def _gap(found: dict[str, Any] | None) -> str:
    """A difference with its sign and its interval."""
    if found is None:
        return "-"
    return f"{found['difference']:+.3f} ({found['low']:+.3f} to {found['high']:+.3f})"
