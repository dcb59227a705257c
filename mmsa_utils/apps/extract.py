"""The command `extract`: the features of a whole table, written once as Parquet."""

from __future__ import annotations

import argparse
import functools
from pathlib import Path
from typing import Any

from ..learning.extraction import Extraction, Recipe, encoders_digest
from ..posts.pieces import open_table
from .common import missing_in_words, named_in_a_file, pair_of
from .engine import check_installed, missing_of
from .engine import run as run_job


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Encode every post of --data, and write its features into the folder --out; what is there is not done again.

    Raises:
        ValueError: for a table or a folder that cannot be used, and if no row is left.
    """
    check_installed(arguments)
    if arguments.model is None:
        recipe = Recipe(None, _absolute(pair_of(arguments.pair)), arguments.size, arguments.fusion)
    else:
        recipe = Recipe(str(Path(arguments.model).absolute()))
    model = recipe.model()
    table = open_table(Path(arguments.data).absolute(), model.sides, anywhere=arguments.anywhere,
                       text_column=arguments.text_column, image_column=arguments.image_column,
                       voice_column=arguments.audio_column, label_column=arguments.label_column)
    about = {"recipe": recipe._asdict(), "encoders": encoders_digest(model), "sequences": model.fusion.sequences}
    widths = {side: encoder.width for side, encoder in model.encoders.items()}
    del model
    total, faults = run_job(arguments, arguments.features, table, functools.partial(Extraction, table, recipe), about)
    where = named_in_a_file(faults, arguments)
    if not total["posts"]:
        raise ValueError(f"all {total['faulty']} rows are faulty, the first: {faults[0]}" if faults else
                         f"{Path(arguments.data).name} holds no posts: expected at least one row.")
    gone = missing_of(table, total)
    shown = faults[:10] + [where.strip() or f"and {len(faults) - 10} more"] * (len(faults) > 10)
    return {"features": arguments.features, "posts": total["posts"], "faulty": total["faulty"] - total["unread"],
            "files_not_read": total["unread"], "faults": shown, **({"missing": gone} if gone else {}),
            "widths": widths, "parts": total["parts"], "parts_found": total["parts found"]}


def _absolute(pair: dict[str, str]) -> dict[str, str]:
    """Folders among the encoders by their whole paths: workers stand elsewhere."""
    return {side: str(Path(name).absolute()) if Path(name).is_dir() else name for side, name in pair.items()}


def said(result: dict[str, Any]) -> str:
    """What was written, and how it is used."""
    widths = ", ".join(f"{side} {width}" for side, width in result["widths"].items())
    found = f", {result['parts_found']} of them were there" if result["parts_found"] else ""
    rows, files = result["faulty"], result["files_not_read"]
    left_out = f"{rows} faulty row{'s' * (rows != 1)}" + (
        f", {files} file{'s' * (files != 1)} not read, or not to the end" if files else "")
    lines = [f"{result['posts']} posts ({widths} wide) in {result['parts']} parts{found} → {result['features']}",
             *([missing_in_words(result["missing"], result["posts"])] if "missing" in result else []),
             left_out + (", left out:" if result["faults"] else ""),
             *(f"  {fault}" for fault in result["faults"]),
             f"Use it by --data features:{result['features']}, or load_features({result['features']!r})."]
    return "\n".join(lines)
