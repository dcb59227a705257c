"""Repeat with many seeds what the notebooks measured with one: do the claims that they make in words still hold?

python tools/measure/claims.py [--seeds 20] [--only 06] [--json FILE]   about an hour on one core
python tools/measure/claims.py --choices [--only 06]                    what we chose by hand, another way, with seed 0

Here is every claim that hangs on something drawn at random: weights, the order of posts, dropout, the posts themselves.
Each is a margin, how far the measured figure lies on the right side of what was said, so it holds above 0. Seed 0 is
what the notebooks print. The table that comes out is the one of docs/claims.md.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import claims_conflict
import claims_encoders
import claims_meeting
import claims_missing
import claims_museum
import claims_real
import claims_training
import claims_voice

from mmsa_utils.bars import progress

GROUPS = {name[-2:]: function
          for part in (claims_encoders, claims_training, claims_conflict, claims_meeting, claims_voice, claims_missing,
                       claims_real, claims_museum)
          for name, function in vars(part).items() if name.startswith("notebook_")}

# What was chosen by hand: an argument of the notebook's function, and three values, the notebook's own among them.
CHOICES: dict[str, dict[str, tuple]] = {
    "00": {"dish": ("burger", "pizza", "taco"), "other": ("service", "waiter", "music"), "posts": (300, 600, 1200),
           "neutral": ("I had a large {}.", "The menu has a vegan {}.", "We are waiting for a small {}."),
           "words": (("wonderful", "delicious", "awful"), ("fantastic", "amazing", "terrible"),
                     ("great", "superb", "horrible")),
           "grey": ("lightness", "mean", "maximum")},
    "02": {"company": (
               ("bank", "We talked about the bank and the {}", "river lake water sea money cash price business"),
               ("dry", "The {} was dry", "cake bread meat rice weather river desert land"),
               ("rich", "The {} was rich", "sauce soup cream cake man lady king family")),
           "praise": (("delicious", "scrumptious", "awful"), ("wonderful", "superb", "terrible"),
                      ("tasty", "yummy", "bland")),
           "extra": (4, 8, 16), "kept": (16, 32, 40), "fitted": (50, 100, 200), "learned": (800, 1600, 3200),
           "few": (6, 10, 20), "rate": (1e-4, 3e-4, 1e-3), "steps": (15, 30, 60)},
    "03": {"scale": (0.05, 0.1, 0.177), "depth": (20, 30, 40), "own": (0.3, 0.5, 0.7), "shift": (1, 3, 5),
           "light": (-0.3, -0.6, -1.0), "learned": (120, 240, 480), "trap": (0.5, 0.7, 0.9), "steps": (4, 8, 16)},
    "04": {"loud": (20.0, 50.0, 200.0), "posts": (400, 800, 1600), "epochs": (15, 30, 60), "hidden": (64, 256, 512),
           "pointing": (500, 1000, 2000), "views": (8, 32, 128)},
    "05": {"noise_lr": (5e-4, 1e-3, 2e-3), "posts": (250, 500, 1000), "epochs": (2, 3, 6),
           "encoder_lr": (3e-4, 1e-3, 3e-3), "lr": (1e-3, 2e-3, 4e-3), "two_sided": (0.2, 0.4, 0.6)},
    "06": {"posts": (1000, 2000, 4000), "epochs": (12, 20, 40), "rate": (1e-3, 2e-3, 4e-3), "hidden": (64, 256, 512),
           "batch_size": (128, 256, 512), "dish": ("burger", "pizza", "soup"), "bands": (10, 15, 20)},
    "07": {"posts": (2000, 4000, 8000), "conflict": (0.3, 0.5, 0.8), "hidden": (64, 256, 512),
           "rate": (1e-3, 2e-3, 4e-3), "dish": ("burger", "pizza", "soup"), "near": (0.35, 0.5, 0.7),
           "weight_decay": (0.0, 0.01, 0.1)},
    "08": {"references": (8, 32, 96), "posts": (200, 400, 800), "wanted": (0.96, 0.97, 0.975),
           "fresh": (300, 600, 1200)},
    "09": {"posts": (2000, 3000, 6000), "epochs": (8, 12, 20), "lr": (5e-4, 1e-3, 2e-3)},
    "10": {"posts": (600, 900, 1500), "dealt_posts": (4000, 8000, 16_000), "lr": (5e-4, 1e-3, 2e-3),
           "ridge": (1, 10, 100)},
    "11": {"posts": (800, 1400, 2800), "share": (0.2, 0.4, 0.6), "bad": (0.6, 0.8, 0.9), "brightness": (0, 20, 40),
           "seconds": (1.5, 2.5, 4.0)},
    "12": {"posts": (800, 1200, 2400), "deals": (5, 10, 20), "noise": (0.5, 0.8, 1.1)},
    "13": {"posts": (600, 1000, 2000), "epochs": (6, 8, 12), "rate": (3e-3, 6e-3, 1e-2), "quarrels": (0.2, 0.3, 0.5),
           "copies": (75, 150, 200)},
}


def measured(numbers: list[str], seeds: int, part: float = 1.0, show_progress: bool = True,
             kept: Path | None = None) -> dict[str, dict]:
    """Notebook → claim → its margin for each seed, written into a file after each seed if one is `kept`.

    `part` of the posts are drawn: less than 1 is for a quick look.
    """
    margins: dict[str, dict] = {number: {} for number in numbers}
    jobs = [(seed, number) for seed in range(seeds) for number in numbers]
    for seed, number in progress(jobs, "claims", show_progress):
        for claim, margin in GROUPS[number](seed, lambda posts: min(posts, max(24, round(part * posts)))).items():
            margins[number].setdefault(claim, []).append(float(margin))
        if kept and number == numbers[-1]:
            kept.write_text(json.dumps(margins, indent=1) + "\n", encoding="utf8")
    return margins


def chosen_otherwise(numbers: list[str], part: float = 1.0, show_progress: bool = True) -> list[tuple]:
    """(notebook, choice, value, claims that hold, all its claims, those that turn round) for each value of a choice."""
    rows = []
    jobs = [(number, name, value) for number in numbers for name, values in CHOICES.get(number, {}).items()
            for value in values]
    for number, name, value in progress(jobs, "choices", show_progress):
        margins = GROUPS[number](0, lambda posts: min(posts, max(24, round(part * posts))), **{name: value})
        turned = [claim for claim, margin in margins.items() if not margin > 0]
        rows.append((number, name, value, len(margins) - len(turned), len(margins), turned))
    return rows


def choice_table(rows: list[tuple]) -> str:
    """The choices as a table in Markdown."""
    lines = ["| notebook | choice | value | claims that hold | what turns round |", "|---|---|---|---|---|"]
    lines += [f"| {number} | {name} | {value} | {held} of {count} | {'; '.join(turned) or '-'} |"
              for number, name, value, held, count, turned in rows]
    return "\n".join(lines)


def table(margins: dict[str, dict]) -> str:
    """The claims as a table in Markdown; a margin that is not a number counts as a claim that does not hold."""
    lines = ["| notebook | claim | holds in | worst margin |", "|---|---|---|---|"]
    for number, claims in margins.items():
        for claim, row in claims.items():
            holds = sum(margin > 0 for margin in row)
            lines.append(f"| {number} | {claim} | {holds} of {len(row)} | {min(row):.3g} |")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20, help="how many, from 0 on")
    parser.add_argument("--only", choices=sorted(GROUPS), help="one notebook")
    parser.add_argument("--json", type=Path, help="write every margin into this file")
    parser.add_argument("--choices", action="store_true", help="vary our choices, not the seed")
    options = parser.parse_args(arguments)
    if options.choices:
        rows = chosen_otherwise([options.only] if options.only else sorted(GROUPS))
        print(choice_table(rows))
        if options.json:
            options.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf8")
        return 0
    margins = measured([options.only] if options.only else sorted(GROUPS), options.seeds, kept=options.json)
    print(table(margins))
    rows = [row for claims in margins.values() for row in claims.values()]
    kept = sum(all(margin > 0 for margin in row) for row in rows)
    print(f"\n{kept} of {len(rows)} claims hold with every one of {options.seeds} seeds")
    return int(kept < len(rows))


if __name__ == "__main__":
    sys.exit(main())
