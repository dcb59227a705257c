"""The claims of notebook 11 that hang on its own training runs; those about the board have their seeds there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import torch
from claims_common import SIZE, Margins, Size
from PIL import Image
from torch import Tensor

from mmsa_utils import (
    PIXELS,
    Absent,
    Concat,
    Encoded,
    Features,
    Fusion,
    MultimodalSentimentModel,
    Sound,
    SpokenPosts,
    align,
    extract_features,
    fit_temperature,
    given,
    head_answers,
    random_head,
    subsets,
    without,
)
from mmsa_utils.learning.metrics import accuracy, calibration_error
from mmsa_utils.seeds import seeded

Ask = Callable[[Features], Tensor]


def notebook_11(seed: int, n: Size, *, posts: int = 1400, share: float = 0.4, bad: float = 0.8, brightness: int = 0,
                seconds: float = 2.5) -> Margins:
    model = MultimodalSentimentModel("distilbert", "vit", SIZE, voice="whisper", frozen=True).eval()
    train, validation, test = (
        extract_features(model, SpokenPosts(n(count), split, pixels=PIXELS[SIZE], seed=seed), show_progress=False)
        for split, count in (("train", posts), ("validation", 300), ("test", 600)))
    widths = train.widths

    def trained(fusion: Callable[[], Fusion], learned: Features = train, checked: Features = validation,
                dropped: float = 0.0) -> Ask:
        with seeded(seed):
            made = fusion()
        head = random_head(made.width, seed=seed)
        align(made, head, learned, checked, modality_dropout=dropped, seed=seed)
        warmth = fit_temperature(made, head, checked)
        return lambda some: head_answers(made, head, some, warmth)

    def fewer(ask: Ask) -> tuple[float, float]:
        """Accuracy and calibration error over all choices of fewer sides, on average."""
        answers = [ask(given(test, some)) for some in subsets(widths)]
        return (float(np.mean([accuracy(one, test.labels) for one in answers])),
                float(np.mean([calibration_error(one, test.labels) for one in answers])))

    nothing = {"image": Image.new("RGB", (PIXELS[SIZE],) * 2, (brightness,) * 3),
               "voice": Sound(np.zeros(int(16_000 * seconds), np.float32))}
    with torch.no_grad():
        empty = {side: model.encoders[side](**model.encoders[side].prepare([item])) for side, item in nothing.items()}
    plain = trained(lambda: Concat(widths))
    taught = trained(lambda: Absent(Concat(widths)), dropped=share)
    filled, alone = plain(_stand_in(test, empty)), taught(given(test, ["text"]))
    idle = trained(lambda: Absent(Concat(widths)))
    practised = trained(lambda: _zeros(widths), dropped=share)
    habit = {-1: bad, 0: 0.3, 1: 0.1}
    rate = float(np.mean([habit[int(np.sign(level))] for level in train.picture_levels]))
    worlds = {"habit": habit, "breakdown": dict.fromkeys(habit, rate)}
    learned = {name: trained(lambda: Absent(Concat(widths)), _lost(train, chance, 0), _lost(validation, chance, 1))
               for name, chance in worlds.items()}
    right = {(home, away): _right_without(ask, test, chance) for home, ask in learned.items()
             for away, chance in worlds.items()}
    third = float((test.labels == 0).double().mean())
    return {
        "a black picture and silence: more than 85 in 100 texts get one and the same answer":
            filled.argmax(-1).bincount().max().item() / len(test) - 0.85,
        "surer than right by more than a quarter": _sure(filled) - accuracy(filled, test.labels) - 0.25,
        "who learned to miss is less sure of a text alone, by 0.15": _sure(filled) - _sure(alone) - 0.15,
        "and right more often": accuracy(alone, test.labels) - accuracy(filled, test.labels),
        "practice more than halves what the vector alone leaves of the calibration error":
            fewer(idle)[1] - 2 * fewer(practised)[1],
        "and fewer sides are read better": fewer(practised)[0] - fewer(idle)[0],
        "zeros that were practised are read as learned vectors are, to within 0.04":
            0.04 - abs(fewer(practised)[0] - fewer(taught)[0]),
        "all there: learned to miss is not worse by more than 0.04":
            accuracy(taught(test), test.labels) - accuracy(plain(test), test.labels) + 0.04,
        "asked in the habit, who learned it is right more often":
            right["habit", "habit"][0] - right["breakdown", "habit"][0],
        "asked in the breakdown, who learned that is":
            right["breakdown", "breakdown"][0] - right["habit", "breakdown"][0],
        "there the habit's model says negative too often, by 0.15": right["habit", "breakdown"][1] - third - 0.15,
    }


def _zeros(widths: Mapping[str, int]) -> Absent:
    """A fusion whose words for nothing are zeros for good."""
    fusion = Absent(Concat(widths))
    for vector in fusion.absent.values():
        torch.nn.init.zeros_(vector).requires_grad_(False)
    return fusion


def _stand_in(posts: Features, others: Mapping[str, Tensor]) -> Features:
    return replace(posts, sides={side: Encoded.of(others[side].expand(len(posts), -1)) if side in others else encoded
                                 for side, encoded in posts.sides.items()})


def _odds(posts: Features, chance: Mapping[int, float]) -> Tensor:
    return torch.tensor([chance[int(np.sign(level))] for level in posts.picture_levels]).double()


def _lost(posts: Features, chance: Mapping[int, float], seed: int) -> Features:
    gone = torch.rand(len(posts), generator=torch.Generator().manual_seed(seed)) < _odds(posts, chance)
    return replace(posts, sides=without(posts.sides, {"image": gone}))


def _right_without(ask: Ask, test: Features, chance: Mapping[int, float]) -> tuple[float, float]:
    counts, said = _odds(test, chance), ask(given(test, ["text", "voice"])).argmax(-1)
    right, negative = (((hit.double() * counts).sum() / counts.sum()).item()
                       for hit in (said == test.labels, said == 0))
    return right, negative


def _sure(answers: Tensor) -> float:
    return answers.max(-1).values.mean().item()
