"""The command `predict`: the mood of one post, of one side alone, or of every post of a table."""

from __future__ import annotations

import argparse
from typing import Any

import torch
from torch import Tensor

from ..learning.alone import SURE, Alone, settled, unfamiliar
from ..model.familiarity import about_strange
from ..model.model import MultimodalSentimentModel, load_model
from ..model.modes import evaluating
from ..model.remarks import remarks
from ..posts.pictures import open_picture
from ..posts.post import check_text
from . import table

_SIDES = {"text": ("--text", "the text"), "image": ("--image", "the picture")}


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """One post, or with --data a table of them."""
    if arguments.data is not None:
        return table.write(arguments)
    if arguments.text is not None:
        check_text(arguments.text, "the text")
    picture = None if arguments.image is None else open_picture(arguments.image)
    model = load_model(arguments.model)
    given = {"text": arguments.text, "image": picture}
    read = [side for side in model.sides if given.get(side) is not None]
    if not read:
        options = " or ".join(_SIDES[side][0] for side in model.sides if side in _SIDES)
        raise ValueError(f"the model reads {' and '.join(model.sides)}, and nothing of that was given: expected "
                         f"{options}.")
    return one_post(model, given, read)


@torch.no_grad()
def one_post(model: MultimodalSentimentModel, given: dict[str, Any], read: list[str]) -> dict[str, Any]:
    """What a model says of one post, of which it is given the sides in `read`: of one alone, the average of `Alone`.

    A side that is unlike all that it has learned from is left out; without another it says nothing.
    """
    alone_of = Alone(model)
    with evaluating(model):
        batch = model.prepare(*(None if side not in read else [given[side]] for side in model.sides))
        tokens = model.tokens(**{name: tensor.to(model.device) for name, tensor in batch.items()})
        strange = {side: far > 1 for side, far in model.strangeness(tokens).items()}
        sides = model.for_fusion(tokens)
        alone = alone_of(sides)
        both = model.answers_of(model.classify(model.fuse(sides))).float().cpu()
    if not (both if len(read) == len(model.sides) else alone[read[0]]).isfinite().all():
        raise ValueError("the model's answer is NaN: its weights are damaged, or its training went astray.")
    odd = {side: is_odd | (side not in read) for side, is_odd in strange.items()}  # what is not there is left out, too
    answer = settled(both, alone, odd, SURE if len(read) == len(model.sides) else 0)[0]
    result: dict[str, Any] = _said(model, answer)
    result["unfamiliar"] = unfamiliar(strange, 0)
    if len(read) > 1:
        said = {side: alone[side][0].masked_fill(strange[side][0], torch.nan) for side in read if side in alone}
        result |= {table.name_of(side): _said(model, answer) for side, answer in said.items()}
        result |= table.contradiction(model.classes, said)
    about = about_strange({side: bool(strange[side][0]) for side in read}, not bool(answer.isnan().any()))
    if len(read) < len(model.sides) and not about:
        count = len(alone_of.references[read[0]].tokens)
        result |= {"side": read[0], "average_over": count}
        about.append(_about_the_average(model, read[0], count))
    return {**result, "remarks": about + remarks(model, [given["text"]])}


def _said(model: MultimodalSentimentModel, answer: Tensor) -> dict[str, Any]:
    """An answer in plain values: the class, and a probability for each by name; or the number. None: it abstains."""
    if answer.isnan().any():
        return {"number": None} if model.classes is None else {"label": None, "probs": None}
    if model.classes is None:
        return {"number": round(answer.item(), 4)}
    return {"label": model.classes[int(answer.argmax())],
            "probs": {name: round(p, 4) for name, p in zip(model.classes, answer.tolist())}}


def _about_the_average(model: MultimodalSentimentModel, side: str, count: int) -> str:
    others = ["texts" if name == "text" else "pictures" for name in model.sides if name != side]
    return (f"this is what {_SIDES[side][1]} alone says, an average over {count} other {' and '.join(others)}: the "
            f"model reads {' and '.join(model.sides)}, so it was asked beside each of {count} neutral ones.")
