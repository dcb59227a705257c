"""Any Hugging Face model that is none of this course's: looked at before it is loaded, and refused by name if it cannot
be an encoder.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ..errors import EncoderUnavailable, in_short

READS = {"text": "texts", "image": "pictures", "voice": "sounds"}
#: model_type → what it is called, of the models of sounds that are read here: see voice_kinds.
VOICES = {"wav2vec2": "wav2vec2", "hubert": "HuBERT", "whisper": "Whisper", "audio-spectrogram-transformer": "AST"}
_INPUTS = {"input_ids": "texts", "pixel_values": "pictures", "input_values": "sounds", "input_features": "sounds",
           "pixel_values_videos": "films"}
_HALVES = {"text": ("text_config",), "image": ("vision_config", "image_config")}
#: endings of other forms of weights → what they are, and the way to the form that is read here
_OTHER_FORMS = {
    ".bin": "pickles, which could run code when they are opened: they are never loaded. Where you trust them, convert "
            "them: load the model with transformers and save it with save_pretrained, which writes model.safetensors",
    ".gguf": "GGUF, which llama.cpp reads: take the checkpoint that it was made from",
    ".onnx": "ONNX, which cannot be trained further: take the checkpoint that it was made from",
    ".h5": "TensorFlow's: convert them with an older transformers (from_tf=True, then save_pretrained)",
    ".msgpack": "Flax's: convert them with an older transformers (from_flax=True, then save_pretrained)",
    ".incomplete": "of a download that was broken off: fetch them again", ".part": "of a download that was broken off: "
    "fetch them again", ".crdownload": "of a download that was broken off: fetch them again",
}
_OTHER_FORMS[".pt"] = _OTHER_FORMS[".pth"] = _OTHER_FORMS[".ckpt"] = _OTHER_FORMS[".bin"]
_WORDS = ("tokenizer", "vocab", "merges", "spiece", "sentencepiece", "spm", "bpe")  # how a tokenizer's files begin


def check_names(source: str | Path, names: Iterable[str]) -> None:
    """Refuse what lacks a checkpoint's configuration or weights, by what lies there in their place.

    Args:
        source: the folder, or the name at the hub.
        names: its files, those in folders within with a slash.

    Raises:
        EncoderUnavailable: naming what is there, and what to do.
    """
    names = set(names)
    top = {name for name in names if "/" not in name}
    if "adapter_config.json" in top:
        raise EncoderUnavailable(f"{source} holds an adapter (PEFT), which is a change to a model and no model: merge "
                                 "it into its model (merge_and_unload of the package peft, then save_pretrained).")
    if "config.json" not in top:
        within = sorted(name.rpartition("/")[0] for name in names if name.endswith("/config.json"))
        hint = f" There is one in {', '.join(within[:3])}: give that folder." if within else _forms(top)
        raise EncoderUnavailable(f"{source} holds no config.json: expected a Hugging Face checkpoint.{hint}")
    if not top & {"model.safetensors", "model.safetensors.index.json"}:
        raise EncoderUnavailable(f"{source} holds no model.safetensors: its weights are not there."
                                 f"{_forms(names) or ' Copy or fetch them too: config.json alone is only the shape.'}")


def _forms(names: set[str]) -> str:
    """Which other forms of weights there are."""
    for ending, words in _OTHER_FORMS.items():
        found = sorted(name for name in names if name.endswith(ending))
        if found:
            return f" What lies there ({found[0][:80]}) is in another form, {words}."
    return ""


def check_folder(folder: Path) -> None:
    """Refuse a folder whose files are none of a checkpoint, may not be read, or only stand for others.

    Raises:
        EncoderUnavailable: naming the file, and what to do.
    """
    names = [path.relative_to(folder).as_posix() for path in (*folder.glob("*"), *folder.glob("*/*"))]
    shut = [path for path in (folder, *(folder / name for name in names)) if not os.access(path, os.R_OK)]
    if shut:
        raise EncoderUnavailable(f"{shut[0]} may not be read by this account: ask its owner, or copy it with the "
                                 "rights to read it (chmod -R u+rX).")
    for name in names:
        path = folder / name
        if "/" not in name and path.is_file() and path.stat().st_size < 1000 and (
                path.read_bytes().startswith(b"version https://git-lfs")):
            raise EncoderUnavailable(f"{path} is not the file but a note of Git LFS where it can be had: run `git lfs "
                                     "pull` in the clone, or fetch the files from the hub.")
    if "config.json" in names and _is_whole_model(folder / "config.json"):
        raise EncoderUnavailable(f"{folder} is a whole model of this course, and not an encoder: load it with "
                                 "MultimodalSentimentModel.from_pretrained (--model at the command line).")
    check_names(folder, names)
    if "model.safetensors" not in names:
        index = json.loads((folder / "model.safetensors.index.json").read_text(encoding="utf8"))
        parts = sorted(set(index["weight_map"].values()))
        gone = [part for part in parts if part not in names]
        if gone:
            raise EncoderUnavailable(f"{folder} lacks {len(gone)} of the {len(parts)} files with its weights "
                                     f"({str(gone[0])[:80]}, ...): was a download or copy broken off? Fetch them too.")


def _is_whole_model(path: Path) -> bool:
    try:
        config = json.loads(path.read_text(encoding="utf8"))
    except (ValueError, RecursionError):
        return False  # what is wrong with it is said when it is loaded
    return isinstance(config, dict) and "sides" in config and "model_type" not in config


def check_config(source: str | Path) -> None:
    """Refuse a stranger's configuration that would run code, or whose network would never be built or is unknown.

    Before 5.5, transformers runs what some keys name, whatever trust_remote_code says: CVE-2026-4372, CVE-2026-5241.

    Raises:
        ValueError: naming the key, or the layers, of which there are more than the folder has weights.
    """
    from safetensors import safe_open
    from transformers import PretrainedConfig

    deepest = weights = 0
    config = PretrainedConfig.get_config_dict(source)[0]
    parts: list = [config]
    for part in parts:  # and what lies within
        for key, value in part.items() if isinstance(part, dict) else enumerate(part):
            if isinstance(value, (dict, list)):
                parts.append(value)
            if key == "trust_remote_code" and value or "_implementation" in str(key) and "/" in str(value):
                raise ValueError(f"the configuration of {source} asks for foreign code ({key}): it is not loaded.")
            if "layers" in str(key) or "depth" in str(key):
                numbers = value if isinstance(value, list) else [value]
                deepest = max([deepest, *(n for n in numbers if isinstance(n, int))])
    for path in source.glob("*.safetensors") if isinstance(source, Path) else ():
        with safe_open(path, framework="pt") as file:
            weights += len(file.keys())
    if weights and deepest > weights:
        raise ValueError(f"the configuration of {source} asks for {str(deepest)[:20]} layers, and there are {weights} "
                         "weights: expected a checkpoint of this very architecture.")
    _check_kind(source, config)


def _check_kind(source: str | Path, config: dict[str, Any]) -> None:
    from transformers import CONFIG_MAPPING, __version__

    kind = config.get("model_type")
    if config.get("quantization_config"):
        raise ValueError(f"the weights of {source} are quantised ({str(config['quantization_config'])[:80]}): expected "
                         "a checkpoint in full or half precision, such as the one that it was made from.")
    if isinstance(kind, str) and kind in CONFIG_MAPPING:
        return
    if config.get("auto_map"):
        raise ValueError(f"{source} needs code of its own (auto_map in its config.json), and foreign code is never run "
                         "here: take a model whose architecture is a part of transformers.")
    if kind is None:
        whose = " This one is timm's." if "pretrained_cfg" in config else ""
        raise ValueError(f"the config.json of {source} does not name its architecture (model_type): expected a "
                         f"checkpoint of a model of transformers.{whose}")
    raise ValueError(f"transformers {__version__} does not know the architecture {str(kind)[:60]!r} of {source}: "
                     "update transformers, or take another model.")


def chosen(config: Any, side: str, source: str | Path) -> tuple[Any, Any]:
    """The configuration and the class of transformers (AutoModel, ...) of what encodes a side, or of a whole CLIP.

    Of a model with two encoders, such as CLIP, it is that side's half; of one that reads and writes, such as T5, the
    half that reads, where transformers has it.

    Raises:
        ValueError: for a model that does not read this side, or whose half does not stand alone.
    """
    from transformers import MODEL_FOR_TEXT_ENCODING_MAPPING, MODEL_MAPPING, AutoModel, AutoModelForTextEncoding

    if side == "voice":
        return config, _chosen_voice(config, source)
    if side == "both":
        return config, _chosen_pair(config, source)
    halves = {name: next((part for key in keys if (part := getattr(config, key, None))), None)
              for name, keys in _HALVES.items()}
    if all(halves.values()):
        config = halves[side]
        if type(config) not in MODEL_MAPPING:
            raise ValueError(_no_half(source, side))
    if type(config) not in MODEL_MAPPING:
        raise ValueError(f"{source} is of the kind {config.model_type!r}, of which transformers has no plain encoder "
                         f"(AutoModel): expected a model that reads {READS[side]}, and nothing else.")
    kinds = MODEL_MAPPING[type(config)]
    reads = getattr(kinds[0] if isinstance(kinds, (tuple, list)) else kinds, "main_input_name", None)
    what = _INPUTS.get(str(reads), "something else")
    if what != READS[side]:
        raise ValueError(f"{source} is a model of {what} ({config.model_type}): expected one that reads {READS[side]}.")
    return config, (AutoModelForTextEncoding if side == "text" and type(config) in MODEL_FOR_TEXT_ENCODING_MAPPING
                    else AutoModel)


def _chosen_voice(config: Any, source: str | Path) -> Any:
    from transformers import AutoModel
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

    kind = config.model_type
    if kind not in VOICES:
        raise ValueError(f"{source} is of the kind {kind!r}: expected a model that reads sounds, of one of the kinds "
                         f"{', '.join(VOICES.values())}.")
    return WhisperEncoder if config.architectures == ["WhisperEncoder"] else AutoModel  # a half that was saved alone


def _chosen_pair(config: Any, source: str | Path) -> Any:
    from transformers import CLIPModel

    if config.model_type != "clip":
        raise ValueError(f"{source} is of the kind {config.model_type!r}: expected a whole CLIP, whose texts and "
                         "pictures meet in one space, such as openai/clip-vit-base-patch32.")
    return CLIPModel


def _no_half(source: str | Path, side: str) -> str:
    return (f"{source} holds two encoders, of texts and of pictures, and transformers cannot take the one of "
            f"{READS[side]} alone: take another model for this side, such as CLIP.")


def check_missing(missing: list[str], source: str | Path, side: str, is_half: bool) -> None:
    """Refuse a checkpoint that lacks weights of its model.

    Raises:
        ValueError: naming the first.
    """
    missing = [key for key in missing if "pooler" not in key]
    if missing and is_half:
        raise ValueError(_no_half(source, side))
    if missing:
        raise ValueError(f"{source} lacks {len(missing)} of its model's weights ({missing[0]}, ...): expected a "
                         "checkpoint of this very architecture.")


def check_preparation(folder: Path, side: str) -> None:
    """Refuse a folder without the files that make tensors of a side: transformers would make some up, or guess.

    Raises:
        EncoderUnavailable: naming them, and where they can be had.
    """
    if side == "both":
        check_preparation(folder, "text")
        side = "image"
    names = {path.name for path in folder.iterdir()}
    words = [name for name in names if name.lower().startswith(_WORDS) or name.endswith((".model", ".spm"))]
    if side == "text" and not words:
        raise EncoderUnavailable(f"{folder} holds no tokenizer files (tokenizer.json, vocab.txt, ...): copy those of "
                                 "the model that it was trained from, or save them there (tokenizer.save_pretrained).")
    if side != "text" and not names & {"preprocessor_config.json", "processor_config.json"}:
        what = "image processor" if side == "image" else "feature extractor"
        raise EncoderUnavailable(f"{folder} holds no {what} (preprocessor_config.json): copy that of the "
                                 "model that it was trained from, or save it there (processor.save_pretrained).")


def tried(work: Callable, source: str | Path, side: str) -> int:
    """Use a stranger's encoder once, so that what is wrong with it shows now; returns the width of what it gives.

    Raises:
        ValueError: if it asks for more than a text, a picture or a sound, or gives no vector of finite numbers.
    """
    import torch

    expected = f"expected a model that makes vectors of {READS[side]} alone."
    try:
        with torch.no_grad():
            features, again = work(), work()
    except (MemoryError, ImportError):
        raise
    except Exception as error:  # what a network needs besides shows in any kind of error
        raise ValueError(f"{source} cannot be used as an encoder of {READS[side]} ({in_short(error)}): "
                         f"{expected}") from error
    if features.dim() != 2:
        raise ValueError(f"the features of {source} have the shape {tuple(features.shape)}: {expected}")
    if not features.isfinite().all():
        raise ValueError(f"the features of {source} are no finite numbers: its weights are damaged, or too large for "
                         "single precision.")
    if not torch.equal(features, again):  # ViTMAE hides other parts of a picture each time
        raise ValueError(f"{source} gives other features each time it is used: {expected}")
    return features.shape[-1]
