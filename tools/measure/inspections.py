"""How often the doctor is wrong: false alarms on sound models, by check and style, and which planted bugs it catches.

python tools/measure/inspections.py --seeds 20               sound models, new and taught, from 20 seeds; then the bugs
python tools/measure/inspections.py --seeds 20 --only Dual   one style
python tools/measure/inspections.py --seeds 20 --first 20    other seeds

The models are those of tests/planted_anew.py, written after the doctor's thresholds were set, and the sound ones of
tests/planted.py. A taught one has learned 240 posts for 12 epochs. Exit code 1 if a sound model was called ill, or if a
bug was missed that is not listed as one that the doctor cannot see.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

import torch
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))
import planted
import planted_anew as anew

from mmsa_utils.inspection.inspection import CHECKS, inspect_model


def sound_models(seeds: range, only: str | None):
    """(style, "new" or "taught", seed) of each model that is to be inspected."""
    for seed in seeds:
        for style in anew.STYLES:
            for how in ("new", "taught"):
                if only in (None, style):
                    yield style, how, seed
        for style in ("Functional", "Recurrent", "HuggingFace", "Bag"):
            if only in (None, style):
                yield style, "new", seed


def inspected(style: str, how: str, seed: int, bug: str = ""):
    """The findings of one model, and the processor's seconds that they took."""
    if style in anew.STYLES:
        model, posts, train = anew.made(style, bug, seed), anew.posts(style, seed=seed), anew.posts(
            style, 240, seed=1000 + seed)
        model = anew.taught(model, train) if how == "taught" else model
    else:
        model = getattr(planted, style)(seed=seed)
        classes = 2 if style == "Recurrent" else 3
        posts, train = planted.posts(seed=seed, classes=classes), planted.posts(seed=1000 + seed, classes=classes)
    start = time.process_time()
    return inspect_model(model, posts, train=train, seed=seed), time.process_time() - start


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20, help="sound models of each style (default 20)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (default 0)")
    parser.add_argument("--only", help="one style alone")
    args = parser.parse_args()
    torch.set_num_threads(1)

    alarms, seconds, inspections = Counter(), [], Counter()
    seeds = range(args.first, args.first + args.seeds)
    for style, how, seed in tqdm(list(sound_models(seeds, args.only)), desc="sound models"):
        findings, took = inspected(style, how, seed)
        inspections[style, how] += 1
        seconds.append(took)
        for finding in findings:
            if finding.verdict == "ill":
                alarms[style, how, finding.check] += 1
                print(f"false alarm: {style}, {how}, seed {seed}: {finding.check}, {finding.saw}", flush=True)
            elif "carried" in finding.follows:
                alarms[style, how, finding.check] += 1
                print(f"could not: {style}, {how}, seed {seed}: {finding.check}, {finding.follows}", flush=True)
    print(f"\n{sum(inspections.values())} inspections of {len(inspections)} kinds of sound models, {len(CHECKS)} "
          f"checks each: {sum(alarms.values())} false alarms; {sum(seconds) / len(seconds):.2f} s of one processor, "
          f"at most {max(seconds):.2f} s")
    for (style, how, check), count in alarms.most_common():
        print(f"  {style}, {how}: {check} in {count} of {inspections[style, how]}")

    missed = []
    for (style, bug), names in anew.BUGS.items():
        if args.only not in (None, style):
            continue
        for how in ("new", "taught"):
            try:
                ill = [finding.check for finding in inspected(style, how, 0, bug)[0] if finding.verdict == "ill"]
            except RuntimeError as error:  # a bug may keep a model from being taught at all
                print(f"{style}, {bug}, {how}: cannot be trained ({str(error)[:60]})")
                continue
            found = set(ill) & names
            known = (style, bug) in anew.UNSEEN
            print(f"{style}, {bug}, {how}: {'caught' if found else 'missed, as is known' if known else 'MISSED'}"
                  f" ({', '.join(ill) or 'nothing is ill'})", flush=True)
            if not found and not known:
                missed.append((style, bug))
    return int(bool(alarms or missed))


if __name__ == "__main__":
    sys.exit(main())
