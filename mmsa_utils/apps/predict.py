"""The command `predict`: the mood of one post, of some of its sides, or of every post of a table."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..learning.alone import Alone, unfamiliar
from ..learning.asking import answered
from ..model.familiarity import about_strange
from ..model.model import MultimodalSentimentModel, load_model
from ..model.modes import evaluating
from ..model.remarks import remarks
from ..posts.pictures import open_picture
from ..posts.post import SUBJECTS, check_text
from ..posts.sources import sound_of
from . import table
from .kinds import is_parquet

_OPTIONS = {"text": "--text", "image": "--image", "voice": "--audio"}


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """One post, or with --data a table of them."""
    if arguments.data is not None:
        if is_parquet(arguments.answers):
            from . import answering

            return answering.write(arguments)
        return table.write(arguments)
    if arguments.text is not None:
        check_text(arguments.text, "the text")
    picture = None if arguments.image is None else open_picture(arguments.image)
    sound = None if arguments.audio is None else sound_of(Path(arguments.audio))
    model = load_model(arguments.model, voice=arguments.audio is not None)
    given = {"text": arguments.text, "image": picture, "voice": sound}
    read = [side for side in model.sides if given[side] is not None]
    if not read:
        options = " or ".join(_OPTIONS[side] for side in model.sides)
        raise ValueError(f"the model reads {' and '.join(model.sides)}, and nothing of that was given: expected "
                         f"{options}.")
    return one_post(model, given, read)


@torch.no_grad()
def one_post(model: MultimodalSentimentModel, given: dict[str, Any], read: list[str]) -> dict[str, Any]:
    """What a model says of one post, of which it is given the sides in `read`; if that is not all of them, the average
    of `Alone`, unless it has learned to do without the others.

    A side that is unlike all that it has learned from is left out; without another it says nothing.
    """
    alone_of = Alone(model)
    with evaluating(model):
        batch = model.prepare(*(None if side not in read else [given[side]] for side in model.sides))
        tokens = model.tokens(**{name: tensor.to(model.device) for name, tensor in batch.items()})
        strange = {side: far > 1 for side, far in model.strangeness(tokens).items()}
        sides = model.for_fusion(tokens)
        both = model.answers_of(model.classify(model.fuse(sides))).float().cpu()
        answers, alone = answered(alone_of, sides, strange, both)
    answer = answers[0]
    result: dict[str, Any] = _said(model, answer)
    result["unfamiliar"] = unfamiliar(strange, 0)
    if len(read) > 1:
        said = {side: alone[side][0].masked_fill(strange[side][0], torch.nan) for side in read if side in alone}
        result |= {table.name_of(side): _said(model, answer) for side, answer in said.items()}
        result |= table.contradiction(model.classes, said)
    about = about_strange({side: bool(strange[side][0]) for side in read}, not bool(answer.isnan().any()))
    if len(read) < len(model.sides) and not about:
        result["side"] = "+".join(read)
        if not alone_of.taught:
            result["average_over"] = len(alone_of.references[read[0]].tokens)
        about.append(table.about_missing(alone_of, read))
    about += [f"the {SUBJECTS[side]} was not looked at: the model reads {' and '.join(model.sides)} alone."
              for side, item in given.items() if item is not None and side not in model.sides]
    return {**result, "remarks": about + remarks(model, [given["text"]], [given["voice"]])}


def _said(model: MultimodalSentimentModel, answer: Tensor) -> dict[str, Any]:
    """An answer in plain values: the class, and a probability for each by name; or the number. None: it abstains."""
    if answer.isnan().any():
        return {"number": None} if model.classes is None else {"label": None, "probs": None}
    if model.classes is None:
        return {"number": round(answer.item(), 4)}
    return {"label": model.classes[int(answer.argmax())],
            "probs": {name: round(p, 4) for name, p in zip(model.classes, answer.tolist())}}

