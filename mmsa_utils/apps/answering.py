"""The command `predict` for tables of any length: answers piece by piece, as Parquet."""

from __future__ import annotations

import argparse
import functools
import os
from collections import Counter
from pathlib import Path
from typing import Any

import torch

from ..learning.alone import Alone
from ..learning.extraction import Recipe, numbered, readable, tally_of
from ..learning.runs import digest
from ..model.model import MultimodalSentimentModel
from ..model.modes import evaluating
from ..posts.pieces import Piece, Table, open_table
from .common import log, named_in_a_file
from .engine import check_installed, missing_of, run
from .table import answers_to, contradiction, name_of, result_of, tally


class Answering:
    """A piece of a table → what a model says to each of its posts, as a pyarrow table and a tally."""

    def __init__(self, table: Table, recipe: Recipe):
        self.table, self.model = table, recipe.model()
        self.alone_of = Alone(self.model)
        self.kinds = _kinds(self.model, self.alone_of)

    @torch.no_grad()
    def __call__(self, piece: Piece) -> tuple[Any, Counter]:
        import pyarrow as pa

        posts, faults = self.table.posts(piece)
        answers: dict[int, dict[str, Any]] = {}
        counts: Counter = Counter()
        with evaluating(self.model):
            for batch in readable(posts, posts.numbers, self.model.prepare, faults):
                for place, row in zip(batch.places, answers_to(self.model, self.alone_of, batch)):
                    answers[posts.numbers[place]] = row
                    counts.update(tally(row, self.model.classes))
        counts.update({**tally_of(piece, posts, faults), "posts": 0})  # those are counted, one by one
        columns = numbered(piece, self.table.files[piece.file].name, faults)
        said = {name: pa.array([answers.get(number, {}).get(name) for number, _ in piece.rows], kind)
                for name, kind in self.kinds.items()}
        return pa.table({"file": pa.array(columns["file"], pa.string()), "row": pa.array(columns["row"], pa.int64()),
                         **said, "fault": pa.array(columns["fault"], pa.string())}), counts


def _kinds(model: MultimodalSentimentModel, alone_of: Alone) -> dict[str, Any]:
    """The columns of answers and their kinds: those of `table.answers_to`, in its order."""
    import pyarrow as pa

    kinds: dict[str, Any] = {"answer": pa.float64() if model.classes is None else pa.string()}
    kinds |= {f"p_{name}": pa.float64() for name in model.classes or ()}
    for side in alone_of.references:
        kinds[name_of(side)] = kinds["answer"]
        kinds |= {} if model.classes is None else {f"{name_of(side)}_p": pa.float64()}
    nothing = torch.full((len(model.classes or "1"),), torch.nan)
    kinds |= dict.fromkeys(contradiction(model.classes, dict.fromkeys(alone_of.references, nothing)), pa.bool_())
    return {**kinds, "unfamiliar": pa.string(), "notes": pa.string()}


def write(arguments: argparse.Namespace) -> dict[str, Any]:
    """Answer every post of --data, and write the answers into the folder --out; what is there is not done again.

    A faulty row has no answer but a fault, and ends nothing.
    """
    check_installed(arguments)
    out = Path(arguments.answers)
    if out.exists() and os.path.exists(arguments.data) and os.path.samefile(out, arguments.data):
        raise ValueError(f"--out is the table itself, {out}: give the answers a folder of their own.")
    recipe = Recipe(None if arguments.model is None else str(Path(arguments.model).absolute()))
    model = recipe.model()
    table = open_table(Path(arguments.data).absolute(), model.sides, anywhere=arguments.anywhere,
                       text_column=arguments.text_column, image_column=arguments.image_column,
                       voice_column=arguments.audio_column, label_column=None)
    log("labels, if the table has any, are not looked at; faulty rows are named, and the others answered")
    about = {"model": digest(*model.state_dict().values()), "classes": model.classes and list(model.classes)}
    counts, faults = run(arguments, arguments.answers, table, functools.partial(Answering, table, recipe), about)
    result = result_of(model, out, counts, faults, named_in_a_file(faults, arguments))
    gone = missing_of(table, counts)
    return {**result, "skipped": counts["faulty"] - counts["unread"], "files_not_read": counts["unread"],
            **({"missing": gone} if gone else {}), "parts": counts["parts"], "parts_found": counts["parts found"]}
