"""What to do about a side that is missing: each way, for each choice of sides that is there.

python tools/measure/missing.py [--seeds 5] [--part 1.0]     a quarter of an hour on one core

Writes mmsa_utils/weights/boards/missing.json, the table of docs/fusions.md: means over seeds and their 95 % intervals.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from mmsa_utils import MultimodalSentimentModel, SpokenPosts, extract_features, interval, ways_to_miss
from mmsa_utils.bars import progress

OUT = Path(__file__).resolve().parents[2] / "mmsa_utils" / "weights" / "boards" / "missing.json"
SIZES = {"train": 16_000, "validation": 2000, "test": 2000}
DROPOUT = 0.4
REFERENCES = 32  # training posts in which nobody feels anything, as in notebook 11


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--part", type=float, default=1.0, help="of the posts, to try it out")
    options = parser.parse_args()
    model = MultimodalSentimentModel("distilbert", "vit", voice="whisper", frozen=True).eval()
    sizes = {split: int(n * options.part) for split, n in SIZES.items()}
    worlds = {split: SpokenPosts(n, split) for split, n in sizes.items()}
    sets = {split: extract_features(model, posts) for split, posts in worlds.items()}
    train = sets["train"]
    levels = zip(train.text_kinds, train.picture_levels, train.tones)
    calm = [i for i, three in enumerate(levels) if three == (0, 0, 0)][:REFERENCES]
    runs = [ways_to_miss(train, sets["validation"], sets["test"], train[calm], modality_dropout=DROPOUT, seed=seed)
            for seed in progress(range(options.seeds), "seeds")]

    def over_seeds(some: str, way: str, figure: str) -> dict[str, float]:
        found = interval([run[some][way][figure] for run in runs])
        return {name: round(float(value), 6) for name, value in zip(("mean", "low", "high"), found)}

    subsets = {some: {"ceiling": round(worlds["test"].ceiling("all" if some == "+".join(train.sides) else some), 6),
                      **{way: {figure: over_seeds(some, way, figure) for figure in figures}
                         for way, figures in ways.items()}} for some, ways in runs[0].items()}
    OUT.write_text(json.dumps({"data": "spoken", "pair": "distilbert+vit+whisper", "size": "mini",
                               "seeds": options.seeds, "posts": sizes, "modality_dropout": DROPOUT,
                               "subsets": subsets}, indent=1) + "\n", encoding="utf8")


if __name__ == "__main__":
    main()
