"""The command `align`."""

from __future__ import annotations

import argparse
import math
from typing import Any

from ..learning.correction import correction_phase
from ..learning.device import best_device
from ..learning.familiarity import learn_familiarity
from ..learning.own_correction import correct
from ..posts.identity import digests_of
from ..posts.post import LABELS
from . import words
from .common import pair_of, saved, unfinished
from .sources import features_of, model_for, pair_name, sets_of


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """The correction phase, with its controls."""
    if arguments.seeds < 1:
        raise ValueError(f"--seeds is {arguments.seeds}: expected at least 1.")
    if arguments.data:
        return _own(arguments)
    report, model = correction_phase(**pair_of(arguments.pair), size=arguments.size, fusion=arguments.fusion,
                                     modality_dropout=arguments.modality_dropout, seeds=arguments.seeds,
                                     n_train=arguments.posts, n_test=arguments.test_posts,
                                     conflict=arguments.conflict, data_seed=arguments.seed, device=best_device(),
                                     folder=unfinished(arguments))
    return saved(model, arguments, report)


def _own(arguments: argparse.Namespace) -> dict[str, Any]:
    """The same on labelled posts of one's own, or a known set of real ones."""
    sets, kept = sets_of(arguments, LABELS), unfinished(arguments)
    absent = arguments.modality_dropout > 0
    model = model_for(arguments, sets, arguments.fusion, absent).to(best_device())
    report = correct(model, features_of(model, sets, kept), arguments.fusion, seeds=arguments.seeds,
                     modality_dropout=arguments.modality_dropout, folder=kept)
    if sets.posts:
        model.learned_from = digests_of(sets.posts["train"])
    if not sets.given:
        posts: Any = sets.parts
        model.learned_from = digests_of(posts["train"])
        model.familiarity = learn_familiarity(model, posts["train"], posts["validation"], show_progress=True)
    return saved(model, arguments, {"pair": pair_name(model), "size": model.size, "fusion": arguments.fusion, **report,
                                    **sets.about, "remarks": sets.remarks})


def said(report: dict[str, Any]) -> str:
    """The report as the README has it."""
    if "figure" in report:
        return words.own_correction(report)
    after = report["after"]
    seeds, posts = report["seeds"], report["posts"]
    text = words.table(("", "accuracy", "best possible"), [
        (name, words.of_seeds(figure), limit if isinstance(limit, str) else words.figure(limit))
        for name, figure, limit in words.correction(report)])
    interval = f"; in brackets: the 95 % interval over {seeds} seeds" if seeds > 1 else "; one seed has no interval"
    calibration = report["calibration"]
    return "\n".join([
        f"{report['pair']}, {report['size']}, aligned on {posts['train']} posts, tested on {posts['test']}{interval}",
        "", text, "",
        f"macro-F1 {words.of_seeds(after['macro_f1'])}, loss {words.of_seeds(after['loss'], most=math.inf)},",
        f"calibration error {words.of_seeds(calibration['after'])} at temperature "
        f"{words.of_seeds(calibration['temperature'], 2, math.inf)}",
        f"the burger, delicious and fresh: positive {words.of_seeds(report['burger']['positive'], 2)}",
        *filter(None, [words.notes(report)]),
        f"{report['seconds']} s" + (f"; saved in {report['saved']}" if "saved" in report else "")])
