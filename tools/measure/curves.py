"""Where pooling breaks: fusions on tables of more and more dishes, and with more and more posts to learn from.

python tools/measure/curves.py [--seeds 3] [--part 1.0]     about an hour on one core

Writes mmsa_utils/weights/boards/curves.json, which notebook 09 draws. Each figure is the mean over seeds, by the rates
and passes of `compare`, at its first rate.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from mmsa_utils import BINARY_LABELS, Features, MultimodalSentimentModel, align, extract_features, measure
from mmsa_utils.bars import progress
from mmsa_utils.fusion.table import make_fusion
from mmsa_utils.learning.comparison import BATCH, EPOCHS, RATES
from mmsa_utils.learning.features import vectors_of
from mmsa_utils.model.head import fresh
from mmsa_utils.posts.places import PlacePosts

OUT = Path(__file__).resolve().parents[2] / "mmsa_utils" / "weights" / "boards" / "curves.json"
RIVALS = ("concat", "gated", "attention")
DISHES, POSTS = (1, 2, 3, 4, 6), (1000, 2000, 4000, 8000, 16000)
FIXED = 4000  # posts for the curve over dishes


def scores(sets: dict[str, Features], vectors: dict[str, Features], seeds: int) -> dict[str, float]:
    """The test accuracy of each rival, mean over seeds."""
    found = {}
    for name in RIVALS:
        runs = []
        for seed in range(seeds):
            fusion, head = fresh(lambda name=name: make_fusion(name, vectors["train"].widths), 1, seed)
            chosen = sets if fusion.sequences else vectors
            align(fusion, head, chosen["train"], chosen["validation"], epochs=EPOCHS, lr=RATES[0], batch_size=BATCH,
                  seed=seed)
            runs.append(measure(fusion, head, chosen["test"])["accuracy"])
        found[name] = round(float(np.mean(runs)), 4)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--part", type=float, default=1.0, help="of the posts, to try it out")
    options = parser.parse_args()
    model = MultimodalSentimentModel(classes=BINARY_LABELS, fusion="attention", frozen=True)

    def encoded(n: int, dishes: int) -> tuple[dict[str, Features], dict[str, Features]]:
        sizes = {"train": n, "validation": 1000, "test": 2000}
        sets = {split: extract_features(model, PlacePosts(max(8, int(count * options.part)), split, dishes=dishes))
                for split, count in sizes.items()}
        return sets, {split: vectors_of(model, found) for split, found in sets.items()}

    curves: dict = {"seeds": options.seeds, "fixed": FIXED, "dishes": {}, "posts": {}}
    for dishes in progress(DISHES, "dishes"):
        curves["dishes"][dishes] = {**scores(*encoded(FIXED, dishes), options.seeds), "ceilings": {
            reader: PlacePosts(1, dishes=dishes).ceiling(reader) for reader in ("parts", "both")}}
    sets, vectors = encoded(POSTS[-1], 4)
    for n in progress(POSTS, "posts"):
        first = slice(0, max(8, int(n * options.part)))
        curves["posts"][n] = scores({**sets, "train": sets["train"][first]},
                                    {**vectors, "train": vectors["train"][first]}, options.seeds)
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(curves, indent=1) + "\n", encoding="utf8")


if __name__ == "__main__":
    main()
