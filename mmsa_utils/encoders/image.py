"""Image encoders: a network over pixels, from this package, a folder, the Hugging Face hub or torchvision."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from ..checksums import WEIGHTS
from ..posts.pictures import to_rgb
from ..seeds import seeded
from .base import Encoded, Encoder, spread, which
from .clip import CLIP, is_clip, picture_vector, preparation
from .loading import explained
from .pretrained import IMAGE_ENCODERS, pretrained_net, random_net, source_of
from .strangers import tried


class Pixels:
    """Makes pictures of any mode and size what the network wants. Can be pickled."""

    def __init__(self, processor: Any):
        self.processor = processor

    def __call__(self, images: Sequence[Image.Image | None]) -> dict[str, Tensor]:
        """→ ``pixel_values`` (batch, 3, height, width); and, if one is missing, ``image_present`` (batch,)."""
        present = which(images)
        if present.all():
            return {"pixel_values": self._pixels(images)}
        if not present.any():  # one blank picture shows the shape; the network never sees it
            pixels = self._pixels([Image.new("RGB", (64, 64))])[:0]
        else:
            pixels = self._pixels([image for image in images if image is not None])
        return {"pixel_values": spread(pixels, present), "image_present": present}

    def _pixels(self, images: Sequence[Any]) -> Tensor:
        return self.processor(images=[to_rgb(image) for image in images], return_tensors="pt")["pixel_values"]

    def settings(self) -> Any:
        """All that decides how a picture is prepared; equal for two that prepare alike."""
        return self.processor.to_dict() if hasattr(self.processor, "to_dict") else repr(self.processor)


class ImageEncoder(Encoder):
    """A picture network and its own preprocessing. `width` is the length of the vector that comes out."""

    inputs = ("pixel_values", "image_present")
    prepare: Pixels

    def __init__(self, net: Any, processor: Any, width: int):
        super().__init__()
        self.net: Any = net
        self.width = width
        self.prepare = Pixels(processor)
        self.is_clip = is_clip(net)
        self.has_cls = hasattr(getattr(net, "embeddings", None), "cls_token")

    def encode(self, pixel_values: Tensor, image_present: Tensor | None = None) -> Encoded:  # type: ignore[override]
        """(batch, 3, height, width) → regions, row by row, (batch, tokens, width); before them ViT's and CLIP's [CLS].

        The rows of missing pictures never enter the network, so that they do not stir its batch normalisation.
        """
        if image_present is None:
            tokens = self._tokens(pixel_values)
            return Encoded(tokens, tokens.new_ones(tokens.shape[:2], dtype=torch.bool))
        if not image_present.any():
            tokens = pixel_values.new_zeros(len(pixel_values), 1, self.width)
        else:
            tokens = spread(self._tokens(pixel_values[image_present]), image_present)
        return Encoded(tokens, image_present.unsqueeze(1).expand(tokens.shape[:2]))

    def _tokens(self, pixel_values: Tensor) -> Tensor:
        output = self.net(pixel_values.to(next(self.net.parameters()).dtype))  # half precision takes halves
        states = output.unflatten(1, (self.width, -1)) if isinstance(output, Tensor) else output.last_hidden_state
        if states.dim() == 4:  # (batch, width, height, width)
            states = states.flatten(2)
        elif not isinstance(output, Tensor):
            return states
        return states.transpose(1, 2)

    def pool(self, encoded: Encoded) -> Tensor:
        """(batch, tokens, width) → (batch, width): ViT's and CLIP's [CLS] token, else the average over all regions."""
        if self.is_clip:
            return picture_vector(self.net, encoded)
        if self.has_cls:
            return Encoded(encoded.tokens[:, :1], encoded.mask[:, :1]).pooled
        return encoded.pooled

    def forward(self, pixel_values: Tensor, image_present: Tensor | None = None) -> Tensor:  # type: ignore[override]
        """(batch, 3, height, width) → (batch, width).

        ViT: the [CLS] token after the last layer; CLIP: the same, normed; convolution nets: the average over all
        positions.
        """
        return self.pool(self.encode(pixel_values, image_present))

    def save(self, folder: Path) -> None:
        """Write a Hugging Face model with its image processor into a folder; torchvision's network as it is."""
        if not hasattr(self.net, "save_pretrained"):
            return super().save(folder)
        self.net.save_pretrained(folder)
        self.prepare.processor.save_pretrained(folder)


def pretrained_image_encoder(name: str, size: str = "mini", pretrained: bool = True, seed: int = 0) -> ImageEncoder:
    """Load a picture network and its image processor; see `load_image_encoder`."""
    known = IMAGE_ENCODERS | CLIP
    source = source_of(name, size, known)
    if name == "resnet18" and size == "full":
        return _torchvision_resnet18(str(source), pretrained, seed)
    with explained(name, source, "image"):
        net = pretrained_net(source, "image") if pretrained else random_net(name, size, source, "image", seed)
        if name == "vit" and size == "full" and not pretrained:  # it sees pictures as the mini one does, only larger
            processor = load_processor(WEIGHTS / name, size={"height": 224, "width": 224})
        elif name in CLIP and not pretrained:
            with preparation() as folder:
                processor = load_processor(folder)
        else:
            processor = load_processor(source)
    width = getattr(net.config, "hidden_size", None) or getattr(net.config, "hidden_sizes", [0])[-1]
    encoder = ImageEncoder(net, processor, width)
    if name not in known:  # the configurations of some (EfficientNet, MobileNet) do not say their width
        with explained(name, source, "image"):
            prepared = [encoder.prepare([picture])["pixel_values"]
                        for picture in (Image.linear_gradient("L"), Image.new("RGB", (9, 7)))]
            if prepared[0].shape != prepared[1].shape:  # they would not fit into one batch
                raise ValueError(f"the image processor of {source} leaves pictures in different sizes: expected one "
                                 "that brings all to the same (do_resize and size in preprocessor_config.json).")
            encoder.width = tried(lambda: encoder(prepared[0]), source, "image")
    return encoder


def load_processor(source: str | Path, **changes: Any) -> Any:
    """The image processor of a folder or hub name, with some of its settings changed; foreign code is never run."""
    from transformers import AutoImageProcessor, __version__

    # Version 4 has two kinds; the slow one takes a picture that is one pixel wide or high for something else.
    fast = {"use_fast": True} if __version__.startswith("4.") else {}
    # Pictures of one shape are worked on together: the same bits, a quarter sooner than each by itself.
    return AutoImageProcessor.from_pretrained(source, trust_remote_code=False, disable_grouping=False, **fast,
                                              **changes)


class _TorchvisionTransform:
    """torchvision's preprocessing of one picture, called as Hugging Face's processors are. Can be pickled."""

    def __init__(self, transform: nn.Module):
        self.transform = transform

    def __call__(self, images: Sequence[Image.Image], return_tensors: str = "pt") -> dict[str, Tensor]:
        return {"pixel_values": torch.stack([self.transform(image) for image in images])}

    def __repr__(self) -> str:
        return repr(self.transform)


def _torchvision_resnet18(source: str, pretrained: bool, seed: int) -> ImageEncoder:
    with explained("resnet18", source, "image"):
        from torchvision.models import ResNet18_Weights, resnet18

        weights = ResNet18_Weights.IMAGENET1K_V1
        with seeded(seed):
            net = resnet18(weights=None)
        if pretrained:
            # torchvision offers no safetensors; weights_only keeps its file from running any code
            with contextlib.redirect_stdout(sys.stderr):  # it prints where it downloads to
                state = weights.get_state_dict(progress=False, check_hash=True, weights_only=True)
            net.load_state_dict(state)
    net.avgpool = net.fc = nn.Identity()  # the map itself, (batch, 512 x height x width)
    return ImageEncoder(net.eval(), _TorchvisionTransform(weights.transforms()), 512)
