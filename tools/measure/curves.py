"""Where pooling breaks: fusions on tables of more and more dishes, with more and more posts; and where attention looks.

python tools/measure/curves.py [--seeds 3] [--part 1.0]     half an hour a seed on one core

Writes mmsa_utils/weights/boards/curves.json, which notebook 09 draws. Each figure is the mean over seeds, by the rates
and passes of `compare`, at its first rate.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from torch import nn

from mmsa_utils import (
    BINARY_LABELS,
    Features,
    MultimodalSentimentModel,
    PlacePosts,
    align,
    extract_features,
    head_answers,
    make_fusion,
    measure,
)
from mmsa_utils.bars import progress
from mmsa_utils.learning.comparison import BATCH, EPOCHS, RATES
from mmsa_utils.learning.features import vectors_of
from mmsa_utils.model.head import fresh

OUT = Path(__file__).resolve().parents[2] / "mmsa_utils" / "weights" / "boards" / "curves.json"
RIVALS = ("concat", "gated", "attention")
DISHES, POSTS = (1, 2, 3, 4, 6), (1000, 2000, 4000, 8000, 16000)
FIXED = 4000  # posts for the curve over dishes
GAZES = (3000, 16000)


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


def gaze(sets: dict[str, Features]) -> dict[str, float]:
    """How often attention's largest weight lies on the named dish, what that is worth, and what remains without it."""
    fusion, head = fresh(lambda: make_fusion("attention", sets["train"].widths), 1)
    align(fusion, head, sets["train"], sets["validation"], epochs=EPOCHS, lr=RATES[0], batch_size=BATCH)
    right = (head_answers(fusion, head, sets["test"]).argmax(-1) == sets["test"].labels).numpy()
    with torch.no_grad():
        weights = torch.cat([fusion.eval().gaze(sets["test"].batch(rows))[:, 1:]  # without [CLS]
                             for rows in torch.arange(len(right)).split(500)])
    hits: dict[str, list[bool]] = {"one": [], "two": []}
    there: list[tuple[bool, bool]] = []
    for i, post in enumerate(PlacePosts(len(right), "test")[:]):
        if post.dish:
            place = next(place for place in post.places if place.dish == post.dish)
            row, column = divmod(int(weights[i].argmax()), 8)
            hit = place.left <= (column + 0.5) / 8 < place.right and place.top <= (row + 0.5) / 8 < place.bottom
            hits[post.relation].append(hit)
            there.append((hit, bool(right[i])))
    found = {"accuracy": right.mean(), "on the named dish": np.mean([hit for hit, _ in there]),
             **{kind: np.mean(row) for kind, row in hits.items()},
             "right there": np.mean([good for hit, good in there if hit]),
             "right elsewhere": np.mean([good for hit, good in there if not hit])}
    state = {name: tensor.clone() for name, tensor in fusion.state_dict().items()}
    for look in ("text_at_image", "image_at_text"):  # all queries alike: it looks everywhere
        nn.init.zeros_(fusion.looks[look].query.weight)
        nn.init.zeros_(fusion.looks[look].query.bias)
        found[f"without {look}"] = measure(fusion, head, sets["test"])["accuracy"]
        fusion.load_state_dict(state)
    return {name: round(float(value), 4) for name, value in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--part", type=float, default=1.0, help="of the posts, to try it out")
    options = parser.parse_args()
    model = MultimodalSentimentModel(classes=BINARY_LABELS, fusion="attention", frozen=True)

    def encoded(n: int, dishes: int) -> tuple[dict[str, Features], dict[str, Features]]:
        sizes = {"train": n, "validation": max(1000, n // 4), "test": 2000}
        sets = {split: extract_features(model, PlacePosts(max(8, int(count * options.part)), split, dishes=dishes))
                for split, count in sizes.items()}
        return sets, {split: vectors_of(model, found) for split, found in sets.items()}

    curves: dict = {"seeds": options.seeds, "fixed": FIXED, "dishes": {}, "posts": {}, "gaze": {}}
    for dishes in progress(DISHES, "dishes"):
        curves["dishes"][dishes] = {**scores(*encoded(FIXED, dishes), options.seeds), "ceilings": {
            reader: PlacePosts(1, dishes=dishes).ceiling(reader) for reader in ("parts", "both")}}
    sets, vectors = encoded(POSTS[-1], 4)
    for n in progress(POSTS, "posts"):
        first = {"train": slice(0, max(8, int(n * options.part))), "validation": slice(0, 1000), "test": slice(None)}
        curves["posts"][n] = scores(*({split: part[first[split]] for split, part in each.items()}
                                      for each in (sets, vectors)), options.seeds)
    for n in GAZES:
        curves["gaze"][n] = gaze({**sets, "train": sets["train"][:max(8, int(n * options.part))]})
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(curves, indent=1) + "\n", encoding="utf8")


if __name__ == "__main__":
    main()
