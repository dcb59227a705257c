"""CLIP without any learning: a picture gets the class whose description in words lies nearest."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import normalize

from ..bars import progress
from ..encoders.clip import CLIP
from ..encoders.image import ImageEncoder, load_processor
from ..encoders.loading import explained
from ..encoders.pretrained import pretrained_net, source_of
from ..encoders.text import TextEncoder, text_encoder_of
from ..model.raw import in_batches

#: For each of the three moods, in the order of LABELS, what a picture of it is called: the same sentences for all.
PROMPTS: dict[str, tuple[str, ...]] = {
    "negative": ("a photo of a sad person", "a photo of an unpleasant scene", "a photo that makes people feel bad"),
    "neutral": ("a photo of a calm person", "a photo of an ordinary scene", "a photo that makes people feel nothing"),
    "positive": ("a photo of a happy person", "a photo of a pleasant scene", "a photo that makes people feel good"),
}


@torch.no_grad()
def zero_shot(images: Iterable[Image.Image], prompts: Mapping[str, Sequence[str]] = PROMPTS,
              name: str | os.PathLike[str] = CLIP["clip"], *, batch_size: int = 64,
              device: torch.device | str = "cpu", show_progress: bool = True) -> Tensor:
    """Class probabilities of pictures by CLIP, which has seen no label (Radford et al., 2021).

    The features of pictures and prompts are projected into CLIP's common space and brought to length 1. A class is the
    mean direction of its prompts, brought to length 1 again; its logit is the cosine with the picture, times CLIP's own
    ``exp(logit_scale)``. With one prompt a class these are CLIP's ``logits_per_image``.

    Args:
        images: pictures of any mode and size; a generator is asked for a batch at a time.
        prompts: class → sentences that describe its pictures, of 77 tokens at most. What is said decides: PROMPTS has
            three sentences a mood, such as "a photo of a happy person", "a photo of a calm person", "a photo of a sad
            person".
        name: folder or hub name of a CLIP.
        batch_size: pictures at once.
        device: where to compute; see `best_device`.
        show_progress: a bar over the batches.

    Returns:
        (n, classes) on the CPU, in the order of `prompts`; each row sums to 1.

    Raises:
        ValueError: for no pictures, a missing one, prompts that are none or too long, or a model that is no CLIP.
        EncoderUnavailable: if the pretrained weights cannot be had; the message says what to do.
    """
    _check_prompts(prompts)
    net, text, image = _loaded(name)
    net.to(device)
    classes = torch.stack([_direction(net, text, sentences) for sentences in prompts.values()])
    answers = []
    for pictures, in progress(in_batches([images], ("image",), batch_size), "zero-shot", show_progress,
                              _batches(images, batch_size)):
        features = normalize(net.visual_projection(image(**_prepared(net, image, pictures))), dim=-1)
        answers.append((net.logit_scale.exp() * features @ classes.T).softmax(-1).cpu())
    return torch.cat(answers)


def _check_prompts(prompts: Mapping[str, Sequence[str]]) -> None:
    """Raise ValueError unless there are two classes at least, each with a sentence."""
    if not isinstance(prompts, Mapping) or len(prompts) < 2:
        raise ValueError(f"the prompts are {repr(prompts)[:60]}: expected at least two classes, each with a list of "
                         'sentences, such as {"happy": ["a photo of a happy person"], "sad": [...]}.')
    for name, sentences in prompts.items():
        if isinstance(sentences, str) or not sentences or not all(
                isinstance(sentence, str) and sentence.strip() for sentence in sentences):
            raise ValueError(f"the prompts of the class {name!r} are {repr(sentences)[:60]}: expected a list of "
                             "sentences, at least one.")


def _loaded(name: str | os.PathLike[str]) -> tuple[Any, TextEncoder, ImageEncoder]:
    """A whole CLIP, and its two halves as encoders of this course, which share its weights."""
    source = source_of(os.fspath(name) if isinstance(name, os.PathLike) else name, "full", CLIP)
    with explained(str(name), source, "CLIP"):
        net = pretrained_net(source, "both")
        text = text_encoder_of(net.text_model, source)
        image = ImageEncoder(net.vision_model, load_processor(source), net.config.vision_config.hidden_size)
    return net, text, image


def _batches(images: Any, batch_size: int) -> int | None:
    """How many there will be, where it is known; what is no batch size is refused when the first one is asked for."""
    known = hasattr(images, "__len__") and isinstance(batch_size, int) and batch_size > 0
    return math.ceil(len(images) / batch_size) if known else None


def _prepared(net: Any, encoder: TextEncoder | ImageEncoder, items: Sequence[Any]) -> dict[str, Tensor]:
    """A batch, where the network is."""
    return {key: tensor.to(net.device) for key, tensor in encoder.prepare(items).items()}


def _direction(net: Any, text: TextEncoder, sentences: Sequence[str]) -> Tensor:
    """Sentences → the mean of their directions in the common space, (projection,), of length 1.

    Raises:
        ValueError: for a sentence that is longer than CLIP reads.
    """
    for sentence in sentences:
        if text.cuts(sentence):
            raise ValueError(f"the prompt {sentence[:60]!r}... is longer than the {text.max_tokens} tokens that CLIP "
                             "reads: shorten it.")
    features = normalize(net.text_projection(text(**_prepared(net, text, list(sentences)))), dim=-1)
    return normalize(features.mean(0), dim=-1)
