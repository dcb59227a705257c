"""The command `compare`."""

from __future__ import annotations

import argparse
from typing import Any

from ..learning.comparison import compare_fusions
from ..learning.device import best_device
from . import words
from .common import pair_of


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Every fusion on the same posts."""
    pair = arguments.pair or ("distilbert+vit+whisper" if arguments.data == "spoken" else "distilbert+vit")
    return compare_fusions(arguments.data, arguments.fusions, **pair_of(pair), seeds=arguments.seeds,
                           n_train=arguments.posts, n_test=arguments.test_posts, data_seed=arguments.seed,
                           device=best_device())


def said(report: dict[str, Any]) -> str:
    """The board: a row for each fusion, and what it stands between."""
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
