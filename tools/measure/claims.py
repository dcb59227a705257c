"""Repeat with many seeds what the notebooks measured with one: do the claims that they make in words still hold?

python tools/measure/claims.py [--seeds 20] [--only 06] [--json FILE]   about half an hour on one core

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
import claims_training

from mmsa_utils.bars import progress

GROUPS = {name[-2:]: function for part in (claims_encoders, claims_training, claims_conflict)
          for name, function in vars(part).items() if name.startswith("notebook_")}


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
    options = parser.parse_args(arguments)
    margins = measured([options.only] if options.only else sorted(GROUPS), options.seeds, kept=options.json)
    print(table(margins))
    rows = [row for claims in margins.values() for row in claims.values()]
    kept = sum(all(margin > 0 for margin in row) for row in rows)
    print(f"\n{kept} of {len(rows)} claims hold with every one of {options.seeds} seeds")
    return int(kept < len(rows))


if __name__ == "__main__":
    sys.exit(main())
