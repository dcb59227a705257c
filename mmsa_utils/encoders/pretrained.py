"""Where pretrained networks come from, in two sizes: files of this package, a folder, or the Hugging Face hub.

``mini`` (default): small networks whose weights lie in this package; no download, seconds on a CPU.
``full``: BERT, DistilBERT, ViT, CLIP and Whisper from the Hugging Face hub, torchvision's ResNet-18; downloaded once.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from ..checksums import WEIGHTS, check_weights
from ..seeds import seeded
from .clip import CLIP, revision_of
from .loading import ask_hub_once, names_at_hub, quiet
from .strangers import check_config, check_folder, check_missing, check_names, check_preparation, chosen

SIZES = ("mini", "full")
TEXT_ENCODERS = {"bert": "bert-base-uncased", "distilbert": "distilbert-base-uncased"}
IMAGE_ENCODERS = {"resnet18": "torchvision ResNet18_Weights.IMAGENET1K_V1", "vit": "google/vit-base-patch16-224"}
VOICE_ENCODERS = {"whisper": "openai/whisper-tiny"}

# Whisper's table of who looks at whom has 1,500 x 1,500 entries a head: it is never written out.
_ATTENTION = {"text": "eager", "image": "eager", "voice": "sdpa", "both": "sdpa"}


def source_of(name: str, size: str, known: dict[str, str]) -> str | Path:
    """Where a model's files are: a folder, or a name at the hub."""
    if size not in SIZES:
        raise ValueError(f'size is {repr(size)[:60]}, expected "mini" or "full".')
    if not isinstance(name, str):
        raise ValueError(f"an encoder's name is {name!r}: expected a string, one of {', '.join(known)}, a folder or a "
                         "hub name.")
    if name in CLIP and name in known and size == "mini":
        raise ValueError(f'there is no mini {name}: give size="full" (--size full), which is downloaded once; or take '
                         "one of the small encoders that ship, bert, distilbert, resnet18 or vit.")
    if name in known:
        return known[name] if size == "full" else WEIGHTS / name
    if os.path.isdir(name):  # unlike Path.is_dir, it refuses no name, however long
        return Path(name)
    if os.path.isfile(name):
        raise ValueError(f"{name[:200]!r} is a file: expected the folder in which it lies, with config.json beside it.")
    if "/" not in name or name.startswith((".", "/", "~")) or name.count("/") > 1:
        raise ValueError(f"no encoder and no folder is called {name[:200]!r}: expected one of {', '.join(known)}, an "
                         "existing folder with a Hugging Face model, or a hub name such as owner/model.")
    return name


def _is_ours(source: str | Path) -> bool:
    """Whether this is one of the encoders of the course, and no stranger's."""
    known = (*TEXT_ENCODERS.values(), *IMAGE_ENCODERS.values(), *VOICE_ENCODERS.values(), *CLIP.values())
    return source in known if isinstance(source, str) else source.parent == WEIGHTS


def pretrained_net(source: str | Path, side: str) -> Any:
    """A Hugging Face model from a folder or the hub: safetensors only, no foreign code, every weight accounted for.

    Args:
        side: that it encodes; ``"both"`` for a whole CLIP.
    """
    from transformers import AutoConfig

    if isinstance(source, str):
        ask_hub_once(source)
    elif source.parent == WEIGHTS:
        check_weights(source)
    if not _is_ours(source):
        if isinstance(source, Path):
            check_folder(source)
        else:
            check_names(source, names_at_hub(source))
        check_config(source)
    whole = AutoConfig.from_pretrained(source, trust_remote_code=False)
    config, kind = chosen(whole, side, source)
    if isinstance(source, Path):
        check_preparation(source, side)
    with quiet(), seeded(0):  # what a checkpoint lacks (a pooler) is drawn at random
        net, report = kind.from_pretrained(source, config=config, dtype=torch.float32,
                                           attn_implementation=_ATTENTION[side], use_safetensors=True,
                                           revision=revision_of(source), trust_remote_code=False,
                                           output_loading_info=True)
    check_missing(list(report["missing_keys"]), source, side, config is not whole)
    return _encoder_alone(net)


def random_net(name: str, size: str, source: str | Path, side: str, seed: int) -> Any:
    """The same architecture with random weights, built from its configuration."""
    from transformers import AutoConfig, AutoModel, BertConfig, CLIPConfig, DistilBertConfig, ViTConfig, WhisperConfig

    # The defaults of these classes are the configurations of the full-size models.
    at_hub = {"bert": BertConfig, "distilbert": DistilBertConfig, "vit": ViTConfig}
    if name in VOICE_ENCODERS:  # the mini one is no model of transformers
        config, kind = chosen(WhisperConfig(), side, source)
    elif name in CLIP:
        config, kind = chosen(CLIPConfig(), side, source)
    elif name in at_hub and size == "full":
        config, kind = at_hub[name](), AutoModel
    else:
        if not _is_ours(source):
            check_config(source)
        config, kind = chosen(AutoConfig.from_pretrained(source, trust_remote_code=False), side, source)
    with seeded(seed):
        net = kind.from_config(config, dtype=torch.float32, attn_implementation=_ATTENTION[side])
    return _encoder_alone(net).eval()


def _encoder_alone(net: Any) -> Any:
    if net.config.model_type == "whisper" and hasattr(net, "decoder"):  # which writes down what is said
        return net.get_encoder()
    # A trained pooler serves next-sentence prediction, an untrained one nothing. We average tokens instead.
    pooler = getattr(net, "pooler", None)
    if pooler is not None and any(True for _ in pooler.parameters()):  # ResNet's only averages: it stays
        net.pooler = None
    return net
