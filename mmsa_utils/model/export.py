"""A model as an ONNX file: its tensors in, probabilities out, for programs without torch."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from ..errors import in_short
from .modes import evaluating

if TYPE_CHECKING:
    from .model import MultimodalSentimentModel

NEEDED = 'install the extra: python -m pip install "mmsa-utils[onnx]"'
#: What the check tries: several batches, each with a short and a long text.
_TEXTS = ("Hello", "This burger is delicious, and I would come back for it on any day of the week!", "No. " * 200)


class _Answers(nn.Module):
    """The model as one function of a batch: from tensors to what `answers_of` gives."""

    def __init__(self, model: MultimodalSentimentModel):
        super().__init__()
        self.model = model

    def forward(self, **batch: Tensor) -> Tensor:
        return self.model.answers_of(self.model(**batch))


def missing_packages() -> list[str]:
    """What an export needs, and what does not load here."""
    missing = []
    for name in ("onnx", "onnxscript"):
        try:
            import_module(name)
        except ImportError:
            missing.append(name)
    return missing


def export_onnx(model: MultimodalSentimentModel, path: Path) -> None:
    """Write a model into one ONNX file. Batches of any size, texts of any length up to the longest that it reads.

    Its inputs are those of `model.prepare` for posts that lack no side: ``input_ids`` and ``attention_mask`` (batch,
    tokens), ``pixel_values`` (batch, 3, height, width). Its output is ``probabilities`` (batch, classes), or ``number``
    (batch, 1). Temperature and softmax are part of it.

    Raises:
        ValueError: for a package that is missing, a torch before 2.7, or a model that cannot be exported.
    """
    missing = missing_packages()
    if missing:
        raise ValueError(f"an export needs {' and '.join(missing)}, not found here: {NEEDED}")
    batch = samples(model, 2)
    shapes = {name: _dimensions(name, model) for name in batch}
    with evaluating(model), _quiet(), _step_by_step(), torch.no_grad():
        try:
            program = torch.export.export(_Answers(model), (), kwargs=batch, dynamic_shapes={"batch": shapes},
                                          strict=True)
            torch.onnx.export(program, (), path, input_names=list(batch), output_names=[output_name(model)],
                              external_data=False, dynamo=True)
        except Exception as error:  # what an architecture sets off in the exporter has no kind in common
            raise ValueError(f"this model could not be exported with torch {torch.__version__} ({in_short(error)}): "
                             "expected torch 2.7 or newer, and encoders whose operations ONNX has.") from error


def output_name(model: MultimodalSentimentModel) -> str:
    """What the file's only output is called."""
    return "number" if model.classes is None else "probabilities"


def samples(model: MultimodalSentimentModel, n: int, seed: int = 0) -> dict[str, Tensor]:
    """A batch of n made-up posts: texts of different lengths, pictures of noise.

    Raises:
        ValueError: for a model with a side other than text and picture.
    """
    generator = np.random.default_rng(seed)
    raw: dict[str, list[Any]] = {
        "text": [_TEXTS[(seed + i) % len(_TEXTS)] for i in range(n)],
        "image": [Image.fromarray(generator.integers(0, 256, (48, 64, 3), dtype=np.uint8)) for _ in range(n)]}
    unknown = [side for side in model.sides if side not in raw]
    if unknown:
        raise ValueError(f"the model reads {', '.join(unknown)}: expected text and pictures alone for an export.")
    return model.prepare(*(raw[side] for side in model.sides))


def check_onnx(model: MultimodalSentimentModel, path: Path) -> float | None:
    """The largest difference between what the file and the model say, over batches and lengths of several sizes.

    None where onnxruntime is not installed.
    """
    try:
        import onnxruntime
    except ImportError:
        return None
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    largest = 0.0
    with evaluating(model), torch.no_grad():
        for n, seed in ((1, 0), (1, 1), (1, 2), (2, 1), (3, 0), (7, 3), (16, 4)):
            batch = samples(model, n, seed)
            (answers,) = session.run(None, {name: tensor.numpy() for name, tensor in batch.items()})
            largest = max(largest, float(np.abs(answers - model.answers_of(model(**batch)).numpy()).max()))
    return largest


def _dimensions(name: str, model: MultimodalSentimentModel) -> dict[int, Any]:
    """Which dimensions of an input may be of any size, and within which bounds."""
    free: dict[int, Any] = {0: torch.export.Dim("batch", min=1)}
    if name in ("input_ids", "attention_mask"):
        free[1] = torch.export.Dim("tokens", min=2, max=model.encoders["text"].max_tokens)
    return free


@contextlib.contextmanager
def _step_by_step() -> Iterator[None]:
    """Keep torch's transformer layers from their fast way, a single operation that ONNX does not have."""
    enabled = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(enabled)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hold back what torch's exporter prints and warns of on its way."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
