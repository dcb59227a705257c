"""How a model prepares texts and pictures, in plain numbers: for programs that have neither torch nor this package."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from .model import MultimodalSentimentModel

_TOLERANCE = 2.5  # of 255: Pillow and torch round differently when they resize


def recipe(model: MultimodalSentimentModel) -> dict[str, Any]:
    """What has to be done to a post before the model's tensors are read, as JSON holds it.

    Raises:
        ValueError: for a side whose preparation cannot be told in numbers; the message names it.
    """
    if set(model.sides) - {"text", "image"}:
        raise ValueError(f"the model reads a {model.sides[-1]}, and an export knows texts and pictures alone: export a "
                         "model of these, or use this one in Python (load_model).")
    told: dict[str, Any] = {"classes": model.classes and list(model.classes), "temperature": model.temperature.item()}
    for side, encoder in model.encoders.items():
        if side == "text":
            tokenizer = getattr(encoder, "tokenizer", None)
            if not getattr(tokenizer, "is_fast", False):
                raise ValueError(f"the tokenizer of the text encoder {encoder.name!r} has no tokenizer.json: expected "
                                 "one of the package tokenizers (a fast one).")
            told["text"] = {"max_tokens": encoder.max_tokens}
        else:
            told["image"] = _pictures(encoder)
    return told


def tokenizer_json(model: MultimodalSentimentModel) -> str:
    """The text encoder's tokenizer.json, which also cuts and pads as the model wants it."""
    from tokenizers import Tokenizer

    encoder: Any = model.encoders["text"]
    rules = Tokenizer.from_str(encoder.tokenizer.backend_tokenizer.to_str())
    rules.enable_truncation(encoder.max_tokens, direction=encoder.tokenizer.truncation_side)
    rules.enable_padding(direction=encoder.tokenizer.padding_side, pad_id=encoder.tokenizer.pad_token_id or 0,
                         pad_token=encoder.tokenizer.pad_token or "[PAD]")
    return rules.to_str(pretty=True)


def pixels_of(image: Image.Image, told: dict[str, Any]) -> np.ndarray:
    """One RGB picture → (3, height, width), by a recipe alone."""
    method = Image.Resampling[told["resample"]]
    if "shortest" in told:
        factor = told["shortest"] / min(image.size)
        image = image.resize([max(told["shortest"], int(side * factor)) for side in image.size], method)
    else:
        image = image.resize((told["width"], told["height"]), method)
    left, top = (image.width - told["width"]) // 2, (image.height - told["height"]) // 2
    image = image.crop((left, top, left + told["width"], top + told["height"]))
    scaled = (np.asarray(image) * told["scale"] - told["mean"]) / told["std"]
    return scaled.transpose(2, 0, 1).astype(np.float32)


def _pictures(encoder: Any) -> dict[str, Any]:
    """What is done to a picture; tried on one, which must come out as it does from the encoder's own `prepare`."""
    processor: Any = getattr(encoder.prepare, "processor", None)
    try:
        told = _torchvision(processor.transform) if hasattr(processor, "transform") else _hugging_face(
            processor.to_dict())
        sample = Image.fromarray(np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)).resize(
            (400, 300), Image.Resampling.BICUBIC)
        own = encoder.prepare([sample])["pixel_values"][0].numpy()
        same = pixels_of(sample, told)
        away = np.abs(own - same).max() / (told["scale"] / min(told["std"])) if own.shape == same.shape else np.inf
    except (AttributeError, KeyError, TypeError, IndexError) as error:
        raise _untold(encoder, f"{type(error).__name__}: {error}") from error
    if away > _TOLERANCE:
        raise _untold(encoder, f"a picture prepared by it differs by {away:.0f} of 255")
    return told


def _untold(encoder: Any, cause: str) -> ValueError:
    return ValueError(f"how the image encoder {encoder.name!r} prepares pictures cannot be told in numbers ({cause}): "
                      "expected resizing, perhaps a crop in the middle, and mean and spread of each colour.")


def _hugging_face(settings: dict[str, Any]) -> dict[str, Any]:
    size, crop = dict(settings["size"]), settings.get("crop_size")
    told: dict[str, Any] = {"resample": Image.Resampling(int(settings["resample"])).name}
    if size.get("shortest_edge"):
        told["shortest"] = size["shortest_edge"]
    if settings.get("do_center_crop") and crop:
        size = dict(crop)
    told |= {"height": size["height"], "width": size["width"]}
    plain = settings["do_normalize"]
    return {**told, "scale": settings["rescale_factor"] if settings["do_rescale"] else 1.0,
            "mean": list(settings["image_mean"]) if plain else [0.0] * 3,
            "std": list(settings["image_std"]) if plain else [1.0] * 3}


def _torchvision(preset: Any) -> dict[str, Any]:
    (crop,), (shortest,) = preset.crop_size, preset.resize_size
    return {"resample": preset.interpolation.name, "shortest": shortest, "height": crop, "width": crop,
            "scale": 1 / 255, "mean": list(preset.mean), "std": list(preset.std)}
