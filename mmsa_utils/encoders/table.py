"""Every encoder of the course by its side and name. A new one is a file in this room, and a line here."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

from ..checksums import WEIGHTS
from ..threads import suit
from .base import Encoder
from .image import ImageEncoder, pretrained_image_encoder
from .text import TextEncoder, pretrained_text_encoder
from .voice import VoiceEncoder, pretrained_voice_encoder

#: side → name → a function of (size, pretrained, seed) that makes the encoder.
ENCODERS: dict[str, dict[str, Callable[[str, bool, int], Encoder]]] = {
    "text": {"bert": partial(pretrained_text_encoder, "bert"),
             "distilbert": partial(pretrained_text_encoder, "distilbert")},
    "image": {"resnet18": partial(pretrained_image_encoder, "resnet18"),
              "vit": partial(pretrained_image_encoder, "vit")},
    "voice": {"whisper": partial(pretrained_voice_encoder, "whisper")},
}
#: side → how the folder or hub name of any other Hugging Face model is loaded.
_STRANGERS: dict[str, Callable[..., Encoder]] = {"text": pretrained_text_encoder, "image": pretrained_image_encoder,
                                                 "voice": pretrained_voice_encoder}


def load_encoder(side: str, name: str, size: str = "mini", pretrained: bool = True, seed: int = 0) -> Encoder:
    """Load an encoder for one side of a post; see `load_text_encoder`, `load_image_encoder` and
    `load_voice_encoder`."""
    if isinstance(name, os.PathLike):
        name = os.fspath(name)
    if isinstance(name, str) and name in ENCODERS[side]:
        encoder = ENCODERS[side][name](size, pretrained, seed)
    else:
        encoder = _STRANGERS[side](name, size, pretrained, seed)
    suit(size if name in ENCODERS[side] else "full")
    # A folder's name alone: where it lay is nobody's business who gets the model.
    encoder.name, encoder.size = Path(name).resolve().name if os.path.isdir(name) else name, size
    encoder.shipped = pretrained and size == "mini" and name in ENCODERS[side] and (WEIGHTS / name).is_dir()
    return encoder


def load_text_encoder(name: str, size: str = "mini", pretrained: bool = True, seed: int = 0) -> TextEncoder:
    """Load a text encoder.

    Args:
        name: ``"bert"``, ``"distilbert"``, ``"clip"`` (the half of CLIP that reads texts, 77 tokens at most), or the
            folder or hub name of any Hugging Face text model (then `size` has no say); of a CLIP its half is taken.
        size: ``"mini"`` (width 128, shipped with this package) or ``"full"`` (width 768, and 512 for CLIP, which has no
            mini; downloaded once).
        pretrained: False for random weights of the same shape, without any download, from `seed`. (At full size
            with the mini tokenizer, whose ids are valid there too; CLIP then reads letter by letter.)

    Raises:
        ValueError: for an unknown size, CLIP's mini, or a damaged weights file.
        EncoderUnavailable: if the pretrained weights cannot be had; the message says what to do.
    """
    return load_encoder("text", name, size, pretrained, seed)  # type: ignore[return-value]


def load_image_encoder(name: str, size: str = "mini", pretrained: bool = True, seed: int = 0) -> ImageEncoder:
    """Load an image encoder.

    Args:
        name: ``"resnet18"``, ``"vit"``, ``"clip"`` (the half of CLIP that sees pictures), or the folder or hub name of
            any Hugging Face image model (then `size` has no say); of a CLIP its half is taken.
        size: ``"mini"`` (64 pixels, width 128, shipped with this package) or ``"full"`` (224 pixels, width 512 for
            ResNet-18 and 768 for ViT and CLIP, which has no mini; downloaded once).
        pretrained: False for random weights of the same shape, without any download, from `seed`.

    Raises:
        ValueError: for an unknown size, CLIP's mini, or a damaged weights file.
        EncoderUnavailable: if the pretrained weights cannot be had; the message says what to do.
    """
    return load_encoder("image", name, size, pretrained, seed)  # type: ignore[return-value]


def load_voice_encoder(name: str, size: str = "mini", pretrained: bool = True, seed: int = 0) -> VoiceEncoder:
    """Load a voice encoder.

    Args:
        name: ``"whisper"``, or the folder or hub name of any wav2vec2, HuBERT, Whisper (its encoder is taken) or AST
            model of Hugging Face (then `size` has no say).
        size: ``"mini"`` (ten seconds at most, width 128, shipped with this package) or ``"full"`` (the encoder of
            openai/whisper-tiny: thirty seconds, width 384, downloaded once).
        pretrained: False for random weights of the same shape, without any download, from `seed`.

    Raises:
        ValueError: for an unknown size, a damaged weights file, or a model of another kind.
        EncoderUnavailable: if the pretrained weights cannot be had; the message says what to do.
    """
    return load_encoder("voice", name, size, pretrained, seed)  # type: ignore[return-value]
