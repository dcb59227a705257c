"""Figures of missing sides: what they show is in their alt text, and nobody is left out."""

import io

import numpy as np
import torch
from PIL import Image

from mmsa_utils import plots
from mmsa_utils.learning.absence import WAYS


def pixels(picture) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(picture.data)).convert("RGB")).astype(int)


def test_presence_counts_who_is_missing():
    there = {"text": torch.tensor([True, True, False]), "voice": torch.tensor([True, False, False])}
    picture = plots.presence(there)
    assert "3 posts" in picture.alt
    assert "the text is missing from 1; the voice is missing from 2; 1 have all" in picture.alt
    full = plots.presence({side: torch.ones(3, dtype=torch.bool) for side in there})
    blue = [int((np.abs(pixels(one) - (0, 114, 178)).sum(-1) < 30).sum()) for one in (picture, full)]
    assert 0 < blue[0] < 0.7 * blue[1]


def test_the_board_has_every_way_and_its_ceiling():
    found = {some: {way: {"accuracy": 0.4 + 0.05 * i, "calibration_error": 0.02 * i} for i, way in enumerate(WAYS)}
             for some in ("text", "text+voice")}
    found["text+image+voice"] = {"zeros": {"accuracy": 0.9, "calibration_error": 0.01}}
    board = plots.missing_board(found, {"text": 0.49, "text+voice": 0.75, "text+image+voice": 0.92})
    for words in ("text+voice: zeros 0.40 (off by 0.00)", "separate 0.60 (off by 0.08), at most 0.75", "at most 0.92"):
        assert words in board.alt
    assert pixels(board).shape[1] > 600
