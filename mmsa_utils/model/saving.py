"""A model on the disk: all that it is, and nothing that runs.

config.json names classes, fusion and encoders; model.safetensors holds fusion, head and temperature. An encoder that
is, number by number, one of this package is stored as the checksum of its weights; any other lies in a folder of its
own. So nothing is asked of the folder or hub that an encoder came from, and no encoder is mistaken for another.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from ..checksums import listed
from ..disk import usual_modes
from ..encoders.base import Encoder
from ..encoders.loading import quiet
from ..encoders.table import ENCODERS, load_encoder
from ..errors import in_short
from ..posts.post import SIDES

if TYPE_CHECKING:
    from .model import MultimodalSentimentModel

CARD = """---
{{ card_data }}
---
# A reader of posts: text and picture to mood

Made with mmsa-utils. Load it with `MultimodalSentimentModel.from_pretrained(folder)`; config.json names its classes and
encoders.
"""
_SAMPLES = {"text": "Hello", "image": Image.new("RGB", (64, 64))}  # what a loaded model is tried on
_NO_MODEL = "expected a folder written by save_pretrained, `train --out` or `align --out`."


def _public(name: str) -> str:
    """An encoder's name without the place where it lay: that is nobody's business who gets the model."""
    return Path(name).name if os.path.isabs(name) or os.path.exists(name) else name


def _checksum(name: str) -> str | None:
    return listed().get(f"{name}/model.safetensors")


def _is_shipped(side: str, encoder: Encoder) -> bool:
    """Whether an encoder is, number by number, one of this package: however it came to differ, it is seen."""
    if not encoder.shipped:
        return False
    fresh = load_encoder(side, encoder.name, encoder.size)
    if fresh.prepare.settings() != encoder.prepare.settings():
        return False
    own, first = encoder.state_dict(), fresh.state_dict()
    return own.keys() == first.keys() and all(
        torch.equal(tensor.cpu().to(first[name].dtype), first[name]) for name, tensor in own.items())


def save(model: MultimodalSentimentModel, folder: Path) -> dict[str, Any]:
    """Write the weights, and the encoders that need it, into a folder; returns what its config.json is to say."""
    folder.mkdir(parents=True, exist_ok=True)
    state = {name: tensor.contiguous() for name, tensor in model.state_dict().items()
             if not name.startswith("encoders.")}
    save_file(state, folder / "model.safetensors")
    usual_modes(folder / "model.safetensors")
    sides: dict[str, dict[str, Any]] = {}
    for side, encoder in model.encoders.items():
        sides[side] = {"name": _public(encoder.name), "size": encoder.size, "max_tokens": encoder.max_tokens}
        if _is_shipped(side, encoder):
            sides[side]["sha256"] = _checksum(encoder.name)
        else:
            with quiet():
                encoder.save(folder / side)
            usual_modes(folder / side)
    return {"sides": sides, "size": model.size, "classes": model.classes and list(model.classes), **model.settings,
            "frozen": model.frozen}


def load(cls: type[MultimodalSentimentModel], source: str | Path, **hub: Any) -> MultimodalSentimentModel:
    """Load a folder, or what lies at the hub under a name. See `MultimodalSentimentModel.from_pretrained`."""
    folder = _folder(source, **hub)
    try:
        model = _load(cls, folder, _config(folder))
        samples = [[_SAMPLES[side]] if side in _SAMPLES else None for side in model.sides]
        if any(samples):
            model.predict(*samples)  # what is wrong with it shows now
        return model
    except Exception as error:  # what a damaged configuration or tokenizer sets off has no kind in common
        if isinstance(error, OSError) or isinstance(error, ValueError) and str(folder) in str(error):
            raise
        raise ValueError(f"the model in {folder} is damaged ({in_short(error)}): save or copy it again.") from error


def _folder(source: str | Path, **hub: Any) -> Path:
    if os.path.isdir(source):
        return Path(source)
    name = str(source)
    if name.count("/") != 1 or name.startswith((".", "/", "~")) or name.endswith("/"):
        raise FileNotFoundError(f"there is no folder {name[:200]}: {_NO_MODEL}")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, RepositoryNotFoundError

    try:
        return Path(snapshot_download(name, allow_patterns=["*.json", "*.safetensors", "*.txt"], **hub))
    except (OSError, HFValidationError, RepositoryNotFoundError) as error:
        raise FileNotFoundError(f"there is no folder {name[:200]}, and the hub gives no model of that name "
                                f"({in_short(error)}): {_NO_MODEL}") from error


def _config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    if not path.is_file():
        raise FileNotFoundError(f"{folder} holds no config.json: {_NO_MODEL}")
    try:
        config = json.loads(path.read_text(encoding="utf8"))
        if not isinstance(config, dict):
            raise ValueError(f"it holds a {type(config).__name__}")
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is damaged ({in_short(error)}): save or copy it again.") from error
    if "sides" not in config:
        raise ValueError(f"{path} is of another kind of model, or of a version before sides had folders: {_NO_MODEL}")
    return config


def _load(cls: type[MultimodalSentimentModel], folder: Path, config: dict[str, Any]) -> MultimodalSentimentModel:
    path = folder / "model.safetensors"
    if not path.is_file():
        raise FileNotFoundError(f"{folder} holds no model.safetensors: {_NO_MODEL}")
    try:
        state = load_file(path)
    except SafetensorError as error:
        raise ValueError(f"{path} is damaged ({in_short(error)}): save or copy it again.") from error
    largest = max((max(tensor.shape, default=1) for tensor in state.values()), default=0)
    for key, number in (("hidden", config["hidden"]), ("classes", len(config["classes"] or ()))):
        if not 0 <= number <= max(largest, 2):  # before a head of that size is made
            raise ValueError(f"{path} does not fit its config.json: {key} is {str(number)[:60]}.")
    if not set(config["sides"]) <= set(SIDES):
        raise ValueError(f"{folder / 'config.json'} names the sides {', '.join(config['sides'])[:100]}: expected some "
                         f"of {', '.join(SIDES)}.")
    options: dict[str, Any] = {**dict.fromkeys(SIDES), **{side: _encoder(folder, side, entry)
                                                          for side, entry in config["sides"].items()}}
    for key in ("size", "classes", "fusion", "hidden", "dropout", "frozen"):
        options[key] = config[key]
    model = cls(**options)
    found = {name: tensor.shape for name, tensor in state.items()}
    expected = {name: tensor.shape for name, tensor in model.state_dict().items() if not name.startswith("encoders.")}
    odd = sorted(name for name in {**found, **expected} if found.get(name) != expected.get(name))
    if odd:
        raise ValueError(f"{path} does not fit its config.json: {len(odd)} weights differ ({odd[0]}, ...).")
    model.load_state_dict(state, strict=False)  # what is missing is exactly the encoders, checked above
    return model.eval()


def _encoder(folder: Path, side: str, entry: dict[str, Any]) -> Encoder:
    """One encoder of a saved model: this package's, or the one that lies in the model's folder."""
    if "sha256" in entry:
        if entry["sha256"] != _checksum(entry["name"]):
            raise ValueError(f"the model in {folder} was made with other weights of {str(entry['name'])[:60]} than "
                             "this version of mmsa-utils has: install the version that it was made with, or train it "
                             "again.")
        encoder = load_encoder(side, entry["name"], entry["size"])
    elif (folder / side / "config.json").is_file():  # a Hugging Face model
        encoder = load_encoder(side, str(folder / side))
        encoder.name, encoder.size = entry["name"], entry["size"]
    elif (folder / side).is_dir() and entry["name"] in ENCODERS[side]:
        encoder = load_encoder(side, entry["name"], entry["size"], pretrained=False)
        encoder.load(folder / side)
    else:  # nothing is asked for elsewhere in its place
        raise ValueError(f"the model in {folder} lacks its {side} encoder: expected the folder {side} beside "
                         "config.json. Save or copy it again, folders included.")
    if entry["max_tokens"] is not None:
        encoder.max_tokens = entry["max_tokens"]
    return encoder
