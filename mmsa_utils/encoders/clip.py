"""CLIP, one checkpoint with two encoders (Radford et al., 2021): what its halves do unlike other models.

Each gives one vector of its own, which it was trained by: that of the token which ends a text, and that of the class
token of a picture, normed once more. Both lie in one space only after CLIP's projections; see `zero_shot`.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .base import Encoded

#: name → where it lies at the hub: of texts and of pictures, at full size alone.
CLIP = {"clip": "openai/clip-vit-base-patch32"}
# Its main branch (3d74acf) holds pickles alone. The hub's converter made safetensors of them, in a commit on top of it:
# transformers would ask the hub for that one each time, which fails without a connection, and be content with any.
_CONVERTED = {CLIP["clip"]: "c237dc49a33fc61debc9276459120b7eac67e7ef"}
_LETTERS, _WORDS = 256, 49408  # bytes, and all entries of CLIP's vocabulary
_START, _END = "<|startoftext|>", "<|endoftext|>"


def is_clip(net: Any) -> bool:
    """Whether a network is one of CLIP's halves."""
    return getattr(getattr(net, "config", None), "model_type", None) in ("clip_text_model", "clip_vision_model")


def revision_of(source: str | Path) -> str:
    """Where at the hub a model's safetensors lie: in ``main``, unless only a later commit has them."""
    from huggingface_hub import try_to_load_from_cache

    if source not in _CONVERTED or isinstance(try_to_load_from_cache(str(source), "model.safetensors"), str):
        return "main"
    return _CONVERTED[str(source)]


def until_end(net: Any, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
    """Which tokens of a text are real, up to the first that ends it: (batch, tokens) of booleans.

    CLIP's padding is the very token that ends a text, so that the last of them is not the end. And what its older
    configurations call the end (id 2) is a letter: there it is the highest id of the text, as it was in training.
    """
    real = attention_mask.bool()
    end = net.config.eos_token_id
    if end == 2:
        end = input_ids.masked_fill(~real, -1).amax(1, keepdim=True)
    ends = (real & (input_ids == end)).long()
    return real & (ends.cumsum(1) == ends)  # none before it


def text_vector(encoded: Encoded) -> Tensor:
    """(batch, tokens, width) → (batch, width): the last real token, which ends the text; zeros where it is missing."""
    real = encoded.mask.bool()
    last = (real.sum(1) - 1).clamp(min=0)
    return encoded.tokens[torch.arange(len(real), device=real.device), last].masked_fill(~real.any(1, keepdim=True), 0)


def picture_vector(net: Any, encoded: Encoded) -> Tensor:
    """(batch, tokens, width) → (batch, width): the class token, normed; zeros where the picture is missing."""
    if encoded.tokens.shape[1] == 1:  # no picture in the batch: there is nothing to norm
        return encoded.pooled
    first = Encoded(encoded.tokens[:, :1], encoded.mask[:, :1])
    half = getattr(net, "vision_model", net)  # transformers 4 has one layer more around it
    return half.post_layernorm(first.pooled).masked_fill(~first.mask.bool(), 0)


@contextlib.contextmanager
def preparation() -> Iterator[Path]:
    """A folder for a while, with what prepares texts and pictures for a CLIP of random weights, without a download.

    Pictures are prepared as CLIP's are. Texts are read letter by letter: of its vocabulary that is the part that needs
    no list of words. The ids are CLIP's own, and what lies between them stands for nothing.
    """
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]  # bytes that are written as they are
    letters = [chr(byte) for byte in plain] + [chr(_LETTERS + i) for i in range(_LETTERS - len(plain))]
    words = letters + [f"{letter}</w>" for letter in letters]  # the second half ends a word
    words += [f"<|{i}|>" for i in range(len(words), _WORDS - 2)] + [_START, _END]
    files: dict[str, Any] = {
        "vocab.json": {word: i for i, word in enumerate(words)},
        "tokenizer_config.json": {"tokenizer_class": "CLIPTokenizer", "model_max_length": 77},
        "preprocessor_config.json": {"image_processor_type": "CLIPImageProcessor"}}
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        for name, content in files.items():
            (folder / name).write_text(json.dumps(content), encoding="utf8")
        (folder / "merges.txt").write_text("#version: 0.2\n", encoding="utf8")
        yield folder
