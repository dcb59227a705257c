"""Pretrained encoders behind one call, in two sizes: a text or a picture goes in, one vector comes out.

``mini`` (default): small networks whose weights lie in this package; no download, seconds on a CPU.
``full``: BERT, DistilBERT and ViT from the Hugging Face hub and torchvision's ResNet-18, downloaded once.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor, nn

from .checksums import WEIGHTS, harmed
from .files import to_rgb
from .loading import ask_hub_once, check_config, explained, quiet, tried
from .seeds import seeded

SIZES = ("mini", "full")
TEXT_ENCODERS = {"bert": "bert-base-uncased", "distilbert": "distilbert-base-uncased"}
IMAGE_ENCODERS = {"resnet18": "torchvision ResNet18_Weights.IMAGENET1K_V1", "vit": "google/vit-base-patch16-224"}
MAX_TOKENS = 128  # longer texts are cut: a post is a few sentences


def masked_mean(states: Tensor, mask: Tensor) -> Tensor:
    """Average over real tokens only.

    Args:
        states: one vector a token, (batch, tokens, width).
        mask: 1 for a real token, 0 for padding, (batch, tokens).

    Returns:
        (batch, width).
    """
    weights = mask.unsqueeze(-1).to(states.dtype)
    return (states * weights).sum(1) / weights.sum(1).clamp(min=1)


class TextEncoder(nn.Module):
    """A transformer and its tokenizer. `width` is the length of the vector that comes out."""

    def __init__(self, net: nn.Module, tokenizer):
        super().__init__()
        self.net, self.tokenizer = net, tokenizer
        self.width: int = net.config.hidden_size
        self.max_tokens = min(MAX_TOKENS, net.config.max_position_embeddings, tokenizer.model_max_length)

    def tokenize(self, texts: list[str]) -> dict[str, Tensor]:
        """Cut texts into word pieces, padded to the longest: ``input_ids`` and ``attention_mask`` (batch, tokens)."""
        batch = self.tokenizer(list(texts), padding=True, truncation=True, max_length=self.max_tokens,
                               return_tensors="pt")
        return {"input_ids": batch["input_ids"], "attention_mask": batch["attention_mask"]}

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """(batch, tokens) twice → (batch, width): the mean of the last layer over the real tokens."""
        states = self.net(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        return masked_mean(states, attention_mask)


class ImageEncoder(nn.Module):
    """A picture network and its own preprocessing. `width` is the length of the vector that comes out."""

    def __init__(self, net: nn.Module, processor: Callable, width: int):
        super().__init__()
        self.net, self.processor, self.width = net, processor, width

    def preprocess(self, images: list) -> Tensor:
        """PIL pictures of any mode and size → ``pixel_values`` (batch, 3, height, width), as the network wants them."""
        return self.processor([to_rgb(image) for image in images])

    def forward(self, pixel_values: Tensor) -> Tensor:
        """(batch, 3, height, width) → (batch, width).

        ViT: the [CLS] token after the last layer; convolution nets: the average over all positions.
        """
        output = self.net(pixel_values)
        if isinstance(output, Tensor):  # torchvision's ResNet averages by itself
            return output
        states = output.last_hidden_state
        if states.dim() == 4:  # (batch, width, height, width)
            return states.mean((2, 3))
        has_cls = hasattr(getattr(self.net, "embeddings", None), "cls_token")
        return states[:, 0] if has_cls else states.mean(1)


def load_text_encoder(name: str, size: str = "mini", pretrained: bool = True, seed: int = 0) -> TextEncoder:
    """Load a text encoder.

    Args:
        name: ``"bert"``, ``"distilbert"``, or the folder or hub name of any Hugging Face text model (then `size`
            has no say).
        size: ``"mini"`` (width 128, shipped with this package) or ``"full"`` (width 768, downloaded once).
        pretrained: False for random weights of the same shape, without any download, from `seed`. (At full size
            with the mini tokenizer, whose ids are valid there too.)

    Raises:
        ValueError: for an unknown size, or a damaged weights file.
        EncoderUnavailable: if the pretrained weights cannot be had; the message says what to do.
    """
    source = _source(name, size, TEXT_ENCODERS)
    with explained(name, source):
        if not pretrained:
            source_of_words = WEIGHTS / name if name in TEXT_ENCODERS else source
            return TextEncoder(_random_net(name, size, source, seed), load_tokenizer(source_of_words))
        net, tokenizer = _pretrained_net(source), load_tokenizer(source)
        if not net.config.vocab_size / 2 < len(tokenizer) <= net.config.vocab_size:  # without its files it is made up
            raise ValueError(f"the tokenizer of {source} knows {len(tokenizer)} word pieces and its model "
                             f"{net.config.vocab_size}: expected the tokenizer files that belong to the model.")
        encoder = TextEncoder(net, tokenizer)
        if name not in TEXT_ENCODERS:
            tried(lambda: encoder(**encoder.tokenize(["Hello"])))
        return encoder


def load_tokenizer(source: str | Path):
    """The tokenizer of a folder or hub name; code that comes with it is never run."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(source, trust_remote_code=False)
    tokenizer.chat_template = None  # unused here; before 5.10 its names are where files are saved: CVE-2026-9856
    return tokenizer


def load_image_encoder(name: str, size: str = "mini", pretrained: bool = True, seed: int = 0) -> ImageEncoder:
    """Load an image encoder.

    Args:
        name: ``"resnet18"``, ``"vit"``, or the folder or hub name of any Hugging Face image model (then `size` has
            no say).
        size: ``"mini"`` (64 pixels, width 128, shipped with this package) or ``"full"`` (224 pixels, width 512 for
            ResNet-18 and 768 for ViT, downloaded once).
        pretrained: False for random weights of the same shape, without any download, from `seed`.

    Raises:
        ValueError: for an unknown size, or a damaged weights file.
        EncoderUnavailable: if the pretrained weights cannot be had; the message says what to do.
    """
    source = _source(name, size, IMAGE_ENCODERS)
    if name == "resnet18" and size == "full":
        return _torchvision_resnet18(source, pretrained, seed)
    with explained(name, source):
        net = _pretrained_net(source) if pretrained else _random_net(name, size, source, seed)
        if name == "vit" and size == "full" and not pretrained:  # it sees pictures as the mini one does, only larger
            processor = _processor(WEIGHTS / name, size={"height": 224, "width": 224})
        else:
            processor = _processor(source)
    width = getattr(net.config, "hidden_size", None) or getattr(net.config, "hidden_sizes", [0])[-1]
    encoder = ImageEncoder(net, lambda images: processor(images=images, return_tensors="pt")["pixel_values"], width)
    if name not in IMAGE_ENCODERS:  # the configurations of some (EfficientNet, MobileNet) do not say their width
        with explained(name, source):
            prepared = [encoder.preprocess([Image.new("RGB", size)]) for size in ((64, 64), (9, 7))]
            if prepared[0].shape != prepared[1].shape:  # they would not fit into one batch
                raise ValueError(f"the image processor of {source} leaves pictures in different sizes: expected one "
                                 "that brings all to the same (do_resize and size in preprocessor_config.json).")
            encoder.width = tried(lambda: encoder(prepared[0]))
    return encoder


def _processor(source: str | Path, **changes) -> Callable:
    from transformers import AutoImageProcessor, __version__

    # Version 4 has two kinds; the slow one takes a picture that is one pixel wide or high for something else.
    fast = {"use_fast": True} if __version__.startswith("4.") else {}
    # Pictures of one shape are worked on together: the same bits, a quarter sooner than each by itself.
    return AutoImageProcessor.from_pretrained(source, trust_remote_code=False, disable_grouping=False, **fast,
                                              **changes)


def _source(name: str, size: str, known: dict[str, str]) -> str | Path:
    """Where a model's files are: a folder, or a name at the hub."""
    if size not in SIZES:
        raise ValueError(f'size is {repr(size)[:60]}, expected "mini" or "full".')
    if not isinstance(name, str):
        raise ValueError(f"an encoder's name is {name!r}: expected a string, one of {', '.join(known)}, a folder or a "
                         "hub name.")
    if name in known:
        return known[name] if size == "full" else WEIGHTS / name
    if os.path.isdir(name):  # unlike Path.is_dir, it refuses no name, however long
        return Path(name)
    if "/" not in name or name.startswith((".", "/", "~")) or name.count("/") > 1:
        raise ValueError(f"no encoder and no folder is called {name[:200]!r}: expected one of {', '.join(known)}, an "
                         "existing folder with a Hugging Face model, or a hub name such as owner/model.")
    return name


def _is_ours(source: str | Path) -> bool:
    """Whether this is one of the encoders of the course, and no stranger's."""
    return (source in (*TEXT_ENCODERS.values(), *IMAGE_ENCODERS.values()) if isinstance(source, str)
            else source.parent == WEIGHTS)


def _pretrained_net(source: str | Path) -> nn.Module:
    """A Hugging Face model from a folder or the hub: safetensors only, no foreign code, every weight accounted for."""
    from transformers import AutoModel

    if isinstance(source, str):
        ask_hub_once(source)
    elif source.parent == WEIGHTS:
        check_weights(source)
    if not _is_ours(source):
        check_config(source)
    with quiet(), torch.random.fork_rng(devices=[]):  # what a checkpoint lacks (a pooler) is drawn at random
        net, report = AutoModel.from_pretrained(source, dtype=torch.float32, attn_implementation="eager",
                                                use_safetensors=True, trust_remote_code=False,
                                                output_loading_info=True)
    missing = [key for key in report["missing_keys"] if "pooler" not in key]
    if missing:
        raise ValueError(f"{source} lacks {len(missing)} of its model's weights ({missing[0]}, ...): expected a "
                         "checkpoint of this very architecture.")
    return _without_pooler(net)


def _random_net(name: str, size: str, source: str | Path, seed: int) -> nn.Module:
    """The same architecture with random weights, built from its configuration."""
    from transformers import AutoConfig, AutoModel, BertConfig, DistilBertConfig, ViTConfig

    # The defaults of these three classes are the configurations of the full-size models.
    at_hub = {"bert": BertConfig, "distilbert": DistilBertConfig, "vit": ViTConfig}
    full = name in at_hub and size == "full"
    if not (full or _is_ours(source)):
        check_config(source)
    config = at_hub[name]() if full else AutoConfig.from_pretrained(source, trust_remote_code=False)
    with seeded(seed):
        net = AutoModel.from_config(config, dtype=torch.float32, attn_implementation="eager")
    return _without_pooler(net).eval()


def _without_pooler(net: nn.Module) -> nn.Module:
    # A trained pooler serves next-sentence prediction, an untrained one nothing. We average tokens instead.
    pooler = getattr(net, "pooler", None)
    if pooler is not None and any(True for _ in pooler.parameters()):  # ResNet's only averages: it stays
        net.pooler = None
    return net


def _torchvision_resnet18(source: str, pretrained: bool, seed: int) -> ImageEncoder:
    from torchvision.models import ResNet18_Weights, resnet18

    weights = ResNet18_Weights.IMAGENET1K_V1
    with seeded(seed):
        net = resnet18(weights=None)
    if pretrained:
        with explained("resnet18", source):
            # torchvision offers no safetensors; weights_only keeps its file from running any code
            with contextlib.redirect_stdout(sys.stderr):  # it prints where it downloads to
                state = weights.get_state_dict(progress=False, check_hash=True, weights_only=True)
            net.load_state_dict(state)
    net.fc = nn.Identity()
    transform = weights.transforms()
    return ImageEncoder(net.eval(), lambda images: torch.stack([transform(image) for image in images]), 512)


def check_weights(folder: Path) -> None:
    """Compare the files of a shipped folder with their checksums.

    Raises:
        ValueError: naming the file that is missing or damaged, and the remedy.
    """
    there = (WEIGHTS / "SHA256SUMS").is_file()
    faults = harmed(WEIGHTS, folder.name) if there else ["SHA256SUMS is missing"]
    if faults:
        raise ValueError(f"the weights file {faults[0]}: restore it with `git checkout mmsa_utils/weights`, or install "
                         "mmsa-utils again.")
