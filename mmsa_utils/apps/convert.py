"""The command `convert`: a pickle of recordings into a folder of plain files."""

from __future__ import annotations

import argparse
from typing import Any

from ..posts.real.converted import convert


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Write the folder, all of it or nothing.

    Raises:
        ValueError: if the file would do more than hold data, or is in no known layout.
        OSError: if it cannot be read, or the folder holds something.
    """
    manifest = convert(arguments.file, arguments.place)
    return {"folder": arguments.place, **{key: manifest[key] for key in ("source", "splits", "faults")}}


def said(result: dict[str, Any]) -> str:
    """What was written, and what is off in it."""
    lines = [f"{result['source']['name']} → {result['folder']}"]
    for name, split in result["splits"].items():
        shapes = ", ".join(f"{key} {tuple(about['shape'])}" for key, about in split["arrays"].items())
        lines.append(f"{name}: {split['posts']} posts; {shapes}")
    lines += [f"{kind}: {count} posts" for kind, count in result["faults"].items()] or ["nothing is off"]
    return "\n".join([*lines, f"Use it by --data mmsa:{result['folder']}, or load_mmsa({result['folder']!r})."])
