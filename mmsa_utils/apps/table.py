"""The answers of a model to every post of a table, written row by row into a table of their own."""

from __future__ import annotations

import argparse
import csv
import json
import os
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor

from ..bars import progress
from ..disk import usual_modes
from ..fusion.absent import missing
from ..learning.ahead import Prepared, read_ahead
from ..learning.alone import Alone, unfamiliar
from ..learning.asking import answered
from ..learning.device import best_device
from ..model.familiarity import about_strange
from ..model.model import MultimodalSentimentModel, load_model
from ..model.modes import evaluating
from ..model.remarks import remarks
from ..posts.own import FaultyRows, FilePosts
from ..posts.post import MANY, SUBJECTS, listed
from .common import log, make_folder, named_in_a_file, own_posts

BATCH = 64  # posts


def name_of(side: str) -> str:
    """The column, or the key, of what a side alone says."""
    return f"{SUBJECTS[side]}_alone"


def contradiction(classes: Sequence[str] | None, alone: Mapping[str, Tensor]) -> dict[str, bool]:
    """Whether what the sides alone say contradicts each other: negative and positive; where classes have other names,
    any two of them. Sides that are missing or were left out say nothing (NaN). Nothing is said of numbers, or of a
    model of a single side.
    """
    if classes is None or len(alone) < 2:
        return {}
    said = {classes[int(answer.argmax())].lower() for answer in alone.values() if not answer.isnan().any()}
    moods = {"negative", "positive"}
    return {"contradicts": moods <= said if moods <= {name.lower() for name in classes} else len(said) > 1}


def about_missing(alone_of: Alone, read: Sequence[str]) -> str:
    """That a post was answered from some of its sides, those in `read`, and how; "" for a whole one."""
    model = alone_of.model
    if len(read) == len(model.sides):
        return ""
    speak = f"this is what {listed([f'the {SUBJECTS[side]}' for side in read])} alone say{'s' * (len(read) == 1)}"
    others = [side for side in model.sides if side not in read]
    if alone_of.taught:
        return f"{speak}: the model has learned to do without {listed([f'the {SUBJECTS[side]}' for side in others])}."
    count = len(alone_of.references[read[0]].tokens)
    return (f"{speak}, an average over {count} other {listed([MANY[side] for side in others])}: the model reads "
            f"{listed(list(model.sides))}, so it was asked beside each of {count} neutral ones.")


def write(arguments: argparse.Namespace) -> dict[str, Any]:
    """Answer every post of the table --data, and write it to --out.

    The texts are not written again: a row is known by its number, and no spreadsheet takes a text for a formula.

    Raises:
        ValueError: for an --out of another kind, and for faulty rows unless they are to be skipped; nothing is written
            then.
    """
    out = Path(arguments.answers)
    if out.suffix.lower() not in (".csv", ".jsonl"):
        raise ValueError(f"--out is {out.name[:100]!r}: expected the name of a file that ends in .csv or .jsonl, or of "
                         "a folder that ends in .parquet.")
    if out.exists() and os.path.exists(arguments.data) and os.path.samefile(out, arguments.data):
        raise ValueError(f"--out is the table itself, {out}: give the answers a file of their own.")
    with _in_the_end(out) as file:
        log("labels, if the table has any, are not looked at")
        model = load_model(arguments.model).to(best_device())
        posts = own_posts(arguments, labelled=False, check_pictures=False,  # which are opened once, when they are read
                          sides=model.sides)
        faults = list(posts.faults)
        counts: Counter = Counter()
        for row in _rows(model, posts, arguments.workers, arguments.skip_faulty, faults):
            _put(file, out.suffix.lower(), row, first=not counts)
            counts.update(tally(row, model.classes))
        where = named_in_a_file(faults, arguments)
        if faults and not arguments.skip_faulty:
            raise ValueError(f"{FaultyRows(Path(arguments.data).name, faults)}\n{where}Nothing was written. Mend them, "
                             "or go on without them by --skip-faulty.")
        if not counts:
            raise ValueError(f"{FaultyRows(Path(arguments.data).name, faults)}\n{where}No other row is left.")
    return result_of(model, out, counts, faults, where) | ({"missing": posts.missing} if posts.missing else {})


def tally(row: Mapping[str, Any], classes: Sequence[str] | None) -> dict[str, int]:
    """What a row of answers counts for."""
    return {"posts": 1, "contradictions": int(row.get("contradicts", False)), "with_notes": int(bool(row["notes"])),
            "unfamiliar": int(bool(row["unfamiliar"])), "abstained": int(row["answer"] is None),
            **({} if classes is None else {f"answer {row['answer']}": 1})}


def result_of(model: MultimodalSentimentModel, out: Path, counts: Counter, faults: list[str],
              where: str) -> dict[str, Any]:
    """What is said in the end of a table's answers: how many of which kind, and the first faults."""
    result: dict[str, Any] = {"answers": str(out), "posts": counts["posts"]}
    if model.classes is not None:
        result["classes"] = {name: counts[f"answer {name}"] for name in model.classes}
        if len(model.sides) > 1:
            result["contradictions"] = counts["contradictions"]
    shown = faults[:10] + [where.strip() or f"and {len(faults) - 10} more"] * (len(faults) > 10)
    return {**result, **{key: counts[key] for key in ("unfamiliar", "abstained", "with_notes")},
            "skipped": len(faults), "faults": shown}


@torch.no_grad()
def _rows(model: MultimodalSentimentModel, posts: FilePosts, workers: int, skip: bool,
          faults: list[str]) -> Iterator[dict[str, Any]]:
    """A row of values for each post that has no fault; the others are added to `faults`."""
    batches = iter(read_ahead(posts, model.prepare, BATCH, workers))  # its workers start before the model is used
    alone_of = Alone(model)

    def each() -> Iterator[dict[str, Any] | None]:
        for batch in batches:
            for place, fault in batch.faults.items():
                faults.append(f"row {posts.numbers[place]}: {fault}")
                if not skip and len(faults) == 1:
                    log(f"{faults[0]}\nNothing will be written: the other rows are only checked, so that all faults "
                        "can be named in the end (--skip-faulty goes on without faulty rows).")
                yield None
            rows = answers_to(model, alone_of, batch) if batch.places and (skip or not faults) else []
            for place, row in zip(batch.places, rows or [None] * len(batch.places)):
                yield row and {"row": posts.numbers[place], **row}

    with evaluating(model):
        yield from filter(None, progress(each(), "predict", total=len(posts)))


def answers_to(model: MultimodalSentimentModel, alone_of: Alone, batch: Prepared) -> list[dict[str, Any]]:
    """A row of plain values for each post of a batch, in its order.

    Raises:
        ValueError: for weights with which an answer is NaN.
    """
    tokens = model.tokens(**{name: tensor.to(model.device) for name, tensor in batch.tensors.items()})
    strange = {side: far > 1 for side, far in model.strangeness(tokens).items()}
    sides = model.for_fusion(tokens)
    both = model.answers_of(model.classify(model.fuse(sides)).float()).cpu()
    answers, alone = answered(alone_of, sides, strange, both)
    there = {side: ~lacks.cpu() for side, lacks in missing(sides).items()}
    rows = []
    for i, text in enumerate(batch.texts):
        own = {side: said[i].masked_fill(strange[side][i], torch.nan) for side, said in alone.items()}
        row = _values(model.classes, "answer", answers[i], every=True)
        for side, said in own.items():
            row |= _values(model.classes, name_of(side), said)
        read = [side for side, is_there in there.items() if is_there[i]]
        notes = about_strange({side: bool(strange[side][i]) for side in read}, not bool(answers[i].isnan().any()))
        if not notes and len(read) < len(there):
            notes.append(about_missing(alone_of, read))
        notes += remarks(model, [text], [batch.heard[i]])
        rows.append({**row, **contradiction(model.classes, own), "unfamiliar": " ".join(unfamiliar(strange, i)),
                     "notes": " ".join(notes)})
    return rows


def _values(classes: Sequence[str] | None, name: str, answer: Tensor, every: bool = False) -> dict[str, Any]:
    """An answer's columns: the class, with its own probability or that of every class; or the number.

    All are None where the answer is NaN.
    """
    if answer.isnan().any():
        names = [name] if classes is None else [name, *([f"p_{one}" for one in classes] if every else [f"{name}_p"])]
        return dict.fromkeys(names)
    if classes is None:
        return {name: round(answer.item(), 6)}
    values = [round(p, 6) for p in answer.tolist()]
    best = int(answer.argmax())
    return {name: classes[best], **({f"p_{other}": p for other, p in zip(classes, values)} if every else
                                    {f"{name}_p": values[best]})}


def _put(file: IO[str], kind: str, row: dict[str, Any], first: bool) -> None:
    """Write a row; before the first one of a CSV the names of the columns."""
    if kind == ".jsonl":
        file.write(json.dumps(row, ensure_ascii=False) + "\n")
        return
    table = csv.writer(file)
    if first:
        table.writerow(row)
    table.writerow(str(value).lower() if isinstance(value, bool) else value for value in row.values())


@contextmanager
def _in_the_end(path: Path) -> Iterator[IO[str]]:
    """A file under another name beside `path`, which takes its place when all went well, and else is removed."""
    if path.is_dir():
        raise IsADirectoryError(f"--out is {path}, a folder: expected the name of a file.")
    make_folder(path.parent, "--out")
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=".unfinished-", suffix=path.suffix, delete=False,
                                     encoding="utf8", newline="") as file:
        made = Path(file.name)
        try:
            yield file
        except BaseException:
            file.close()
            made.unlink()
            raise
    usual_modes(made)
    os.replace(made, path)
