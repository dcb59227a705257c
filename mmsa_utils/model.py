"""The model in three steps that can be called one by one: encode, fuse, classify."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

import torch
from huggingface_hub import PyTorchModelHubMixin
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from .data import check_text
from .encoders import WEIGHTS, check_weights, load_image_encoder, load_text_encoder, load_tokenizer
from .loading import explained, in_short
from .seeds import seeded

_ENCODERS = ("text_encoder.", "image_encoder.")  # how their weights' names begin
#: The two named systems of the course: pair -> (text encoder, image encoder).
PAIRS = {"bert+resnet18": ("bert", "resnet18"), "distilbert+vit": ("distilbert", "vit")}


class Dropout(nn.Dropout):
    """torch's dropout with cheaper random numbers on the CPU: 16 random bits for a unit, a quarter of the time."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Any shape; the units that are kept are scaled by 1 / (1 - p). The share p is exact to 1 / 65,536."""
        if not (self.training and 0 < self.p < 1 and inputs.device.type == "cpu" and inputs.dtype == torch.float32):
            return super().forward(inputs)
        n = inputs.numel()
        bits = torch.empty(-(-n // 4), dtype=torch.int64).random_(-(2**63), None).view(torch.int16)[:n]
        kept = bits.float().ge_(int(65536 * self.p) - 32768).mul_(1 / (1 - self.p)).view(inputs.shape)
        return kept * inputs if inputs.requires_grad else kept.mul_(inputs)


def mlp_head(width: int, num_outputs: int, hidden: int = 256, dropout: float = 0.2) -> nn.Module:
    """A feed-forward classifier: (batch, width) → (batch, num_outputs) logits.

    Args:
        width: of the fused vector.
        num_outputs: classes, or 1 for a single logit (two classes).
        hidden: units of each of the two hidden layers; 0 for a linear head, which can only add up what the two
            sides say.
        dropout: share of the inputs and of the hidden units that are silenced at random while training, so that the
            head leans on many of them and on none too much.
    """
    if hidden == 0:
        return nn.Linear(width, num_outputs)
    return nn.Sequential(Dropout(dropout), nn.Linear(width, hidden), nn.ReLU(),
                         Dropout(dropout), nn.Linear(hidden, hidden), nn.ReLU(),
                         Dropout(dropout), nn.Linear(hidden, num_outputs))


def join(*sides: Tensor) -> Tensor:
    """Concatenation fusion: (batch, text width) and (batch, image width) → (batch, text width + image width).

    Each side is first brought to mean 0 and variance 1 within its own vector (layer normalisation without
    parameters, Ba et al. 2016), so that neither shouts the other down. One side alone is only normalised.
    """
    return torch.cat([F.layer_norm(side, side.shape[-1:]) for side in sides], dim=-1)


_CARD = """---
{{ card_data }}
---
# A reader of posts: text and picture to mood

Made with mmsa-utils. Load it with `MultimodalSentimentModel.from_pretrained(folder)`; config.json names its encoders.
"""


@contextlib.contextmanager
def evaluating(net: nn.Module) -> Iterator[None]:
    """Dropout off and batch normalisation fixed for a while; then back in training mode, if that is where it was.

    Only a network that needs it is switched: to switch every module twice takes a third of the time of one prediction.
    """
    was_training = net.training
    if _learning(net):
        net.eval()
    try:
        yield
    finally:
        if was_training:
            net.train()


def _learning(net: nn.Module) -> bool:
    """Whether a network or any part of it is in training mode."""
    # To walk through `modules()` takes twice as long, a hundredth of a prediction.
    return net.training or any(part is not None and _learning(part) for part in net._modules.values())


class MultimodalSentimentModel(nn.Module, PyTorchModelHubMixin, library_name="mmsa-utils", model_card_template=_CARD):
    """A text encoder, an image encoder and a classifier over their joined features.

    Saved with `save_pretrained(folder)` and loaded with `from_pretrained(folder)` as config.json and
    model.safetensors. With encoders that never learned the file holds the head alone, as they are what they were.

    Args:
        text, image: encoders, as in `load_text_encoder` and `load_image_encoder`; any goes with any.
        size: ``"mini"`` or ``"full"``.
        num_outputs: 3 classes, or 1 for a single logit (two classes).
        hidden, dropout: of the head, see `mlp_head`.
        frozen: keep the encoders as they are; only the head is trained.
        pretrained: False for encoders with random weights.
        seed: of all that is random in the new model.
    """

    def __init__(self, text: str = "distilbert", image: str = "vit", size: str = "mini", num_outputs: int = 3,
                 hidden: int = 256, dropout: float = 0.2, frozen: bool = False, pretrained: bool = True,
                 seed: int = 0):
        super().__init__()
        self.text_encoder = load_text_encoder(text, size, pretrained, seed)
        self.image_encoder = load_image_encoder(image, size, pretrained, seed)
        self.size, self.num_outputs = size, num_outputs
        self.width = self.text_encoder.width + self.image_encoder.width
        with seeded(seed):
            self.head = mlp_head(self.width, num_outputs, hidden, dropout)
        # Logits are divided by the temperature; it stays 1 until `fit_temperature` finds a better one.
        self.register_buffer("temperature", torch.ones(()))
        self.encoders_learned = False  # if so, their weights must be saved too, even if they are frozen by then
        self.freeze(frozen)

    def freeze(self, frozen: bool = True) -> None:
        """Freeze the encoders (True) or let them learn (False)."""
        self.frozen = frozen
        for encoder in (self.text_encoder, self.image_encoder):
            encoder.requires_grad_(not frozen)
        self.train(self.training)

    def train(self, mode: bool = True) -> MultimodalSentimentModel:
        """Switch dropout and batch normalisation on or off; those of frozen encoders stay off."""
        super().train(mode)
        if self.frozen:
            self.text_encoder.eval()
            self.image_encoder.eval()
        return self

    def prepare(self, texts: list[str], images: list) -> dict[str, Tensor]:
        """Texts and PIL pictures → ``input_ids``, ``attention_mask`` (batch, tokens), ``pixel_values``.

        Raises:
            ValueError: if the two lists differ in length, or a text is empty.
        """
        if isinstance(texts, str) or isinstance(images, Image.Image):
            raise ValueError("got a single text or picture: expected a list of texts and a list of pictures.")
        if not texts:
            raise ValueError("got no posts: expected at least one text and one picture.")
        if len(texts) != len(images):
            raise ValueError(f"got {len(texts)} texts and {len(images)} pictures: expected one picture a text.")
        for i, text in enumerate(texts):
            check_text(text, f"text {i}")
        return {**self.text_encoder.tokenize(texts), "pixel_values": self.image_encoder.preprocess(images)}

    def encode(self, input_ids: Tensor, attention_mask: Tensor, pixel_values: Tensor) -> tuple[Tensor, Tensor]:
        """A batch → text features (batch, text width) and image features (batch, image width)."""
        learns = torch.is_grad_enabled() and not self.frozen
        self.encoders_learned |= learns
        with torch.set_grad_enabled(learns):
            return self.text_encoder(input_ids, attention_mask), self.image_encoder(pixel_values)

    def fuse(self, text_features: Tensor, image_features: Tensor) -> Tensor:
        """Join the two sides: (batch, text width + image width). See `join`."""
        return join(text_features, image_features)

    def classify(self, fused: Tensor) -> Tensor:
        """Fused features → logits (batch, num_outputs)."""
        return self.head(fused) / self.temperature

    def forward(self, input_ids: Tensor, attention_mask: Tensor, pixel_values: Tensor) -> Tensor:
        """A batch → logits (batch, num_outputs)."""
        return self.classify(self.fuse(*self.encode(input_ids, attention_mask, pixel_values)))

    def predict(self, texts: list[str], images: list) -> Tensor:
        """Texts and PIL pictures → class probabilities (batch, classes), with dropout off.

        Raises:
            ValueError: as `prepare`, and for weights with which an answer is NaN.
        """
        device = self.temperature.device
        with torch.inference_mode(), evaluating(self):
            batch = {name: tensor.to(device) for name, tensor in self.prepare(texts, images).items()}
            probabilities = probabilities_of(self(**batch)).cpu()
        if not probabilities.isfinite().all():
            raise ValueError("the model's answer is NaN: its weights are damaged, or its training went astray.")
        return probabilities.clone()  # a tensor made in inference mode could not be learned from

    # --- saving and loading ---

    def save_pretrained(self, save_directory: str | Path, **kwargs) -> None:
        """Write config.json and model.safetensors into a folder."""
        config = {**self._hub_mixin_config, "frozen": self.frozen}
        super().save_pretrained(save_directory, config=config, **kwargs)

    def _save_pretrained(self, save_directory: Path) -> None:
        head_alone = self.frozen and not self.encoders_learned
        state = {name: tensor.contiguous() for name, tensor in self.state_dict().items()
                 if not (head_alone and name.startswith(_ENCODERS))}
        save_file(state, save_directory / "model.safetensors")
        if not head_alone:
            self.text_encoder.tokenizer.save_pretrained(save_directory / "tokenizer")

    @classmethod
    def from_pretrained(cls, folder: str | Path, **options) -> MultimodalSentimentModel:
        """Load what `save_pretrained` wrote into a folder.

        Raises:
            FileNotFoundError: if there is no such model.
            ValueError: if it is damaged; the message names the folder.
        """
        try:
            model = super().from_pretrained(folder, **options)
            model.predict(["Hello"], [Image.new("RGB", (64, 64))])  # what is wrong with it shows now
            return model
        except Exception as error:  # what a damaged configuration or tokenizer sets off has no kind in common
            if isinstance(error, OSError) or isinstance(error, ValueError) and str(folder) in str(error):
                raise
            raise ValueError(f"the model in {folder} is damaged ({in_short(error)}): save or copy it again.") from error

    @classmethod
    def _from_pretrained(cls, *, model_id: str, map_location: str = "cpu", frozen: bool = False, **kwargs):
        folder = Path(model_id)
        if not (folder / "model.safetensors").is_file():
            raise FileNotFoundError(f"{folder} holds no model.safetensors: expected a folder written by "
                                    "save_pretrained, `train --out` or `align --out`.")
        try:
            state = load_file(folder / "model.safetensors", device=map_location)
        except SafetensorError as error:
            raise ValueError(f"{folder / 'model.safetensors'} is damaged ({in_short(error)}): save or copy it "
                             "again.") from error
        init = {key: kwargs[key] for key in ("text", "image", "size", "num_outputs", "hidden", "dropout", "pretrained",
                                             "seed") if key in kwargs}
        largest = max((max(tensor.shape, default=1) for tensor in state.values()), default=0)
        for key in ("hidden", "num_outputs"):  # before a head of that size is made
            if not 0 <= init.get(key, 0) <= largest:
                raise ValueError(f"{folder / 'model.safetensors'} does not fit its config.json: {key} is "
                                 f"{str(init[key])[:60]}.")
        whole = any(name.startswith(_ENCODERS) for name in state)
        if whole:
            init["pretrained"] = False  # every weight is in the file
        model = cls(**init, frozen=frozen)
        model.encoders_learned = whole
        found = {name: tensor.shape for name, tensor in state.items()}
        expected = {name: tensor.shape for name, tensor in model.state_dict().items()
                    if whole or not name.startswith(_ENCODERS)}
        odd = sorted(name for name in {**found, **expected} if found.get(name) != expected.get(name))
        if odd:
            raise ValueError(f"{folder / 'model.safetensors'} does not fit its config.json: {len(odd)} weights "
                             f"differ ({odd[0]}, ...).")
        model.load_state_dict(state, strict=False)  # what is missing is exactly the encoders, checked above
        if (folder / "tokenizer").is_dir():
            with explained("the tokenizer", folder / "tokenizer"):
                model.text_encoder.tokenizer = load_tokenizer(folder / "tokenizer")
        return model.eval()


def load_model(folder: str | Path | None = None) -> MultimodalSentimentModel:
    """Load a saved model; without a folder, the aligned one that ships with this package (distilbert+vit, mini)."""
    if folder is None:
        check_weights(WEIGHTS / "head")
        folder = WEIGHTS / "head"
    elif not os.path.isdir(folder):
        raise FileNotFoundError(f"there is no folder {folder}: expected one written by `train --out` or `align --out`.")
    config = Path(folder) / "config.json"
    if not config.is_file():
        raise FileNotFoundError(f"{folder} holds no config.json: expected a folder written by `train --out` or "
                                "`align --out`.")
    try:
        kept = json.loads(config.read_text(encoding="utf8"))
        if not isinstance(kept, dict):
            raise ValueError(f"it holds a {type(kept).__name__}")
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{config} is damaged ({in_short(error)}): save or copy it again.") from error
    return MultimodalSentimentModel.from_pretrained(folder)


def probabilities_of(logits: Tensor) -> Tensor:
    """Logits → probabilities that sum to 1: (batch, classes); a single logit becomes two columns."""
    if logits.shape[-1] == 1:
        positive = torch.sigmoid(logits)
        return torch.cat([1 - positive, positive], dim=-1)
    return torch.softmax(logits, dim=-1)
