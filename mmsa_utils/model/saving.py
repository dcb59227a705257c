"""A model on the disk: all that it is, and nothing that runs.

config.json names classes, fusion and encoders; model.safetensors holds fusion, head and temperature. An encoder that
is, number by number, one of this package is stored as the checksum of its weights; any other lies in a folder of its
own. So nothing is asked of the folder or hub that an encoder came from, and no encoder is mistaken for another.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from ..checksums import listed
from ..disk import usual_modes
from ..encoders.base import Encoder
from ..encoders.given import GIVEN, GivenEncoder
from ..encoders.loading import quiet
from ..encoders.table import ENCODERS, load_encoder
from ..errors import in_short
from ..fusion.absent import Absent
from ..fusion.table import FUSIONS
from ..posts.likeness import PICTURE_BYTES, TEXT_BYTES, VOICE_BYTES, Digests
from ..posts.post import SIDES
from ..posts.sound import Sound
from .card import MARK
from .familiarity import LEVELS, Cloud, Familiarity
from .head import mlp_head

if TYPE_CHECKING:
    from .model import MultimodalSentimentModel

LEARNED_FROM = "learned_from.safetensors"  #: digests of the training posts, in the folder of a model
FAMILIARITY = "familiarity.safetensors"  #: where the features of its training posts lie
_SAMPLES = {"text": "Hello", "image": Image.new("RGB", (64, 64)),  # what a loaded model is tried on
            "voice": Sound(np.sin(np.arange(8000) / 12).astype(np.float32))}
_NO_MODEL = "expected a folder written by save_pretrained, `train --out` or `align --out`."


def _checksum(name: str) -> str | None:
    return listed().get(f"{name}/model.safetensors")


def _is_shipped(side: str, encoder: Encoder) -> bool:
    """Whether an encoder is, number by number, one of this package: however it came to differ, it is seen."""
    if not encoder.shipped:
        return False
    if not hasattr(encoder.prepare, "settings"):
        raise ValueError(f"the {side} encoder's prepare was replaced by another function, which a saved model cannot "
                         "hold: put it before the model, and let the encoder keep its own.")
    fresh = load_encoder(side, encoder.name, encoder.size)
    if fresh.prepare.settings() != encoder.prepare.settings():
        return False
    own, first = encoder.state_dict(), fresh.state_dict()
    return own.keys() == first.keys() and all(
        torch.equal(tensor.cpu().to(first[name].dtype), first[name]) for name, tensor in own.items())


def save(model: MultimodalSentimentModel, folder: Path) -> dict[str, Any]:
    """Write the weights, and the encoders that need it, into a folder; returns what its config.json is to say.

    All is written before anything that the folder held is touched; without its config.json, which comes last, it is no
    model. So nothing that is broken off can be taken for one.
    """
    sides: dict[str, dict[str, Any]] = {}
    config = {"sides": sides, "size": model.size, "classes": model.classes and list(model.classes),
              **_shape(model), "frozen": model.frozen}
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".saving-") as made:
        state = {name: tensor.contiguous().clone() for name, tensor in model.state_dict().items()
                 if not name.startswith("encoders.")}
        save_file(state, Path(made) / "model.safetensors")
        if model.learned_from is not None:
            save_file({name: torch.from_numpy(np.ascontiguousarray(rows))
                       for name, rows in model.learned_from._asdict().items() if name != "voices" or len(rows)},
                      Path(made) / LEARNED_FROM)
        if model.familiarity is not None:
            save_file({f"{side}.{level}.{part}": tensor.contiguous() for side, clouds in model.familiarity.items()
                       for level, cloud in clouds.items() for part, tensor in cloud._asdict().items()},
                      Path(made) / FAMILIARITY)
        for side, encoder in model.encoders.items():
            sides[side] = {"name": encoder.name, "size": encoder.size, "max_tokens": encoder.max_tokens}
            if _is_shipped(side, encoder):
                sides[side]["sha256"] = _checksum(encoder.name)
                continue
            with quiet():
                encoder.save(Path(made) / side)
            if not (Path(made) / side / "config.json").is_file() and encoder.name not in (GIVEN, *ENCODERS[side]):
                raise ValueError(f"the {side} encoder, a {type(encoder).__name__}, is called {encoder.name!r}, and no "
                                 "line of ENCODERS (mmsa_utils.encoders.table) makes one of that name: it could not be "
                                 "loaded again. Add the line, and set the encoder's name.")
        (folder / "config.json").unlink(missing_ok=True)
        for name in (LEARNED_FROM, FAMILIARITY):
            (folder / name).unlink(missing_ok=True)  # of the model that lay here before
        card = folder / "README.md"
        if card.is_file() and MARK in card.read_text(encoding="utf8", errors="replace"):
            card.unlink()  # of the model that lay here before: its figures are not this one's
        for name in ("model.safetensors", LEARNED_FROM, FAMILIARITY, *SIDES):
            if (folder / name).is_dir():
                shutil.rmtree(folder / name)
            if (Path(made) / name).exists():
                usual_modes(Path(made) / name)
                os.replace(Path(made) / name, folder / name)
    return config


def _shape(model: MultimodalSentimentModel) -> dict[str, Any]:
    """What fusion and head are made from; refuses those that could not be made again from it."""
    layers = [layer for layer in model.head.modules() if isinstance(layer, nn.Linear)]
    hidden = layers[0].out_features if len(layers) > 1 else 0
    dropout = next((layer.p for layer in model.head.modules() if isinstance(layer, nn.Dropout)), 0.2)
    if repr(model.head) != repr(mlp_head(model.width, model.num_outputs, hidden, dropout)):
        raise ValueError(f"the head is not what mlp_head makes for {model.num_outputs} outputs: a saved model could "
                         "not make it again. Save its weights by yourself (torch.save(model.head.state_dict(), ...)).")
    absent = isinstance(model.fusion, Absent)
    fusion = model.fusion.fusion if isinstance(model.fusion, Absent) else model.fusion
    name = next((name for name, kind in FUSIONS.items() if type(fusion) is kind), None)
    if name is None:
        raise ValueError(f"the fusion, a {type(fusion).__name__}, is in no line of FUSIONS "
                         "(mmsa_utils.fusion.table): it could not be loaded again. Add the line.")
    return {"fusion": name, "absent": absent, "hidden": hidden, "dropout": dropout}


def load(cls: type[MultimodalSentimentModel], source: str | Path, **hub: Any) -> MultimodalSentimentModel:
    """Load a folder, or what lies at the hub under a name. See `MultimodalSentimentModel.from_pretrained`."""
    folder = _folder(source, **hub)
    try:
        model = _load(cls, folder, _config(folder))
        samples = [[_SAMPLES[side]] if side in _SAMPLES and encoder.name != GIVEN else None
                   for side, encoder in model.encoders.items()]
        if any(samples):
            model.predict(*samples)  # what is wrong with it shows now
        return model
    except Exception as error:  # what a damaged configuration or tokenizer sets off has no kind in common
        if isinstance(error, OSError) or isinstance(error, ValueError) and str(folder) in str(error):
            raise
        if isinstance(error, (MemoryError, ImportError)):  # nothing is wrong with the model
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
    model = cls(**options, absent=config.get("absent", False))  # models of earlier versions do not say
    found = {name: tensor.shape for name, tensor in state.items()}
    expected = {name: tensor.shape for name, tensor in model.state_dict().items() if not name.startswith("encoders.")}
    odd = sorted(name for name in {**found, **expected} if found.get(name) != expected.get(name))
    if odd:
        raise ValueError(f"{path} does not fit its config.json: {len(odd)} weights differ ({odd[0]}, ...).")
    model.learned_from = _learned_from(folder)
    model.familiarity = _familiarity(folder, model)
    model.load_state_dict(state, strict=False)  # what is missing is exactly the encoders, checked above
    return model.eval()


def _learned_from(folder: Path) -> Digests | None:
    """The digests of the posts that a saved model learned from; None for one that does not say."""
    path = folder / LEARNED_FROM
    if not path.is_file():
        return None
    try:
        found = {name: tensor.numpy() for name, tensor in load_file(path).items()}
        digests = Digests(**found)
        for rows, width in zip(digests, (TEXT_BYTES, PICTURE_BYTES, VOICE_BYTES)):
            count = len(rows) and len(digests.texts)  # none of voices: no post had one
            if rows.dtype != np.uint8 or rows.shape != (count, width) or len(digests.pictures) != len(digests.texts):
                raise ValueError(f"its rows are {rows.shape} {rows.dtype}")
    except (SafetensorError, ValueError, TypeError) as error:
        raise ValueError(f"{path} is damaged ({in_short(error)}): copy it again, or remove it; then nobody can say any "
                         "more which posts the model has learned from.") from error
    return digests


def _familiarity(folder: Path, model: MultimodalSentimentModel) -> Familiarity | None:
    """Where the features of the posts lie that a saved model learned from; None for one that does not say."""
    path = folder / FAMILIARITY
    if not path.is_file():
        return None
    try:
        held = load_file(path)
        found: Familiarity = {side: {level: Cloud(*(held.pop(f"{side}.{level}.{part}") for part in Cloud._fields))
                                     for level in LEVELS} for side in model.sides}
        for side, clouds in found.items():
            width = model.encoders[side].width
            for one in clouds.values():
                if [tuple(part.shape) for part in one] != [(width,), (width, width), ()] or not one.limit > 0:
                    raise ValueError(f"it does not fit the {side} encoder")
    except (SafetensorError, ValueError, KeyError) as error:
        raise ValueError(f"{path} is damaged ({in_short(error)}): copy it again, or remove it; then the model cannot "
                         "say any more what is unlike its posts.") from error
    return found


def _encoder(folder: Path, side: str, entry: dict[str, Any]) -> Encoder:
    """One encoder of a saved model: this package's, or the one that lies in the model's folder."""
    if "sha256" in entry:
        shipped = entry["name"] in ENCODERS[side] and entry["size"] == "mini" and _checksum(entry["name"])
        if not shipped or entry["sha256"] != shipped:
            raise ValueError(f"the model in {folder} was made with other weights of {str(entry['name'])[:60]} than "
                             "this version of mmsa-utils has: install the version that it was made with, or train it "
                             "again.")
        encoder = load_encoder(side, entry["name"], entry["size"])
    elif (folder / side / "config.json").is_file():  # a Hugging Face model
        encoder = load_encoder(side, str(folder / side))
        encoder.name, encoder.size = entry["name"], entry["size"]
    elif (folder / side).is_dir() and entry["name"] in (GIVEN, *ENCODERS[side]):
        encoder = GivenEncoder(side) if entry["name"] == GIVEN else load_encoder(
            side, entry["name"], entry["size"], pretrained=False)
        encoder.load(folder / side)
    else:  # nothing is asked for elsewhere in its place
        raise ValueError(f"the model in {folder} lacks its {side} encoder: expected the folder {side} beside "
                         "config.json. Save or copy it again, folders included.")
    if entry["max_tokens"] is not None:
        encoder.max_tokens = entry["max_tokens"]
    return encoder
