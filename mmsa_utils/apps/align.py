"""The command `align`."""

from __future__ import annotations

import argparse
from typing import Any

from ..learning.correction import correction_phase
from ..learning.device import best_device
from .common import pair_of, saved, unfinished


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """The correction phase, with its controls."""
    if arguments.seeds < 1:
        raise ValueError(f"--seeds is {arguments.seeds}: expected at least 1.")
    report, model = correction_phase(*pair_of(arguments.pair), arguments.size, seeds=arguments.seeds,
                                     n_train=arguments.posts, n_test=arguments.test_posts,
                                     conflict=arguments.conflict, data_seed=arguments.seed, device=best_device(),
                                     folder=unfinished(arguments))
    return saved(model, arguments, report)
