"""The model in three steps that can be called one by one: encode, fuse, classify."""

from __future__ import annotations

from pathlib import Path

import torch
from huggingface_hub import PyTorchModelHubMixin
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from .encoders import WEIGHTS, check_weights, load_image_encoder, load_text_encoder

PAIRS = {"bert+resnet18": ("bert", "resnet18"), "distilbert+vit": ("distilbert", "vit")}


def mlp_head(width: int, num_outputs: int, hidden: int = 256, dropout: float = 0.1) -> nn.Module:
    """A feed-forward classifier: (batch, width) → (batch, num_outputs) logits.

    Args:
        width: of the fused vector.
        num_outputs: classes, or 1 for a single logit (two classes).
        hidden: units of the one hidden layer; 0 for a linear head, which can only add up what the two sides say.
        dropout: share of the hidden units that are silenced at random while training.
    """
    if hidden == 0:
        return nn.Linear(width, num_outputs)
    return nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, num_outputs))


def join(*sides: Tensor) -> Tensor:
    """Concatenation fusion: (batch, text width) and (batch, image width) → (batch, text width + image width).

    Each side is first brought to mean 0 and variance 1 within its own vector (layer normalisation without
    parameters, Ba et al. 2016), so that neither shouts the other down. One side alone is only normalised.
    """
    return torch.cat([F.layer_norm(side, side.shape[-1:]) for side in sides], dim=-1)


class MultimodalSentimentModel(nn.Module, PyTorchModelHubMixin):
    """A text encoder, an image encoder and a classifier over their joined features.

    Saved with `save_pretrained(folder)` and loaded with `from_pretrained(folder)` as config.json and
    model.safetensors. With frozen encoders the file holds the head alone, as the encoders are what they were.

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
                 hidden: int = 256, dropout: float = 0.1, frozen: bool = False, pretrained: bool = True,
                 seed: int = 0):
        super().__init__()
        self.text_encoder = load_text_encoder(text, size, pretrained, seed)
        self.image_encoder = load_image_encoder(image, size, pretrained, seed)
        self.size, self.num_outputs = size, num_outputs
        self.width = self.text_encoder.width + self.image_encoder.width
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.head = mlp_head(self.width, num_outputs, hidden, dropout)
        # Logits are divided by the temperature; `calibrate` in alignment.py sets it after training.
        self.register_buffer("temperature", torch.ones(()))
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
        if len(texts) != len(images):
            raise ValueError(f"got {len(texts)} texts and {len(images)} pictures: expected one picture a text.")
        for i, text in enumerate(texts):
            if not isinstance(text, str) or not text.strip():
                raise ValueError(f"text {i} is {text!r}: expected a string with at least one word.")
        return {**self.text_encoder.tokenize(texts), "pixel_values": self.image_encoder.preprocess(images)}

    def encode(self, input_ids: Tensor, attention_mask: Tensor, pixel_values: Tensor) -> tuple[Tensor, Tensor]:
        """A batch → text features (batch, text width) and image features (batch, image width)."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
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

    @torch.no_grad()
    def predict(self, texts: list[str], images: list) -> Tensor:
        """Texts and PIL pictures → class probabilities (batch, classes), with dropout off."""
        was_training = self.training
        self.eval()
        device = self.temperature.device
        batch = {name: tensor.to(device) for name, tensor in self.prepare(texts, images).items()}
        probabilities = probabilities_of(self(**batch))
        self.train(was_training)
        return probabilities.cpu()

    # --- saving and loading ---

    def save_pretrained(self, save_directory: str | Path, **kwargs) -> None:
        """Write config.json and model.safetensors into a folder."""
        config = {**self._hub_mixin_config, "frozen": self.frozen}
        super().save_pretrained(save_directory, config=config, **kwargs)

    def _save_pretrained(self, save_directory: Path) -> None:
        state = {name: tensor.contiguous() for name, tensor in self.state_dict().items()
                 if not (self.frozen and name.startswith(("text_encoder.", "image_encoder.")))}
        save_file(state, save_directory / "model.safetensors")
        if not self.frozen:
            self.text_encoder.tokenizer.save_pretrained(save_directory / "tokenizer")

    @classmethod
    def _from_pretrained(cls, *, model_id: str, map_location: str = "cpu", frozen: bool = False, **kwargs):
        folder = Path(model_id)
        if not (folder / "model.safetensors").is_file():
            raise FileNotFoundError(f"{folder} holds no model.safetensors: expected a folder written by "
                                    "save_pretrained, `train --out` or `align --out`.")
        init = {key: kwargs[key] for key in ("text", "image", "size", "num_outputs", "hidden", "dropout", "pretrained")
                if key in kwargs}
        if not frozen:
            init["pretrained"] = False  # every weight is in the file
        model = cls(**init, frozen=frozen)
        try:
            state = load_file(folder / "model.safetensors", device=map_location)
        except SafetensorError as error:
            raise ValueError(f"{folder / 'model.safetensors'} is damaged ({error}): save or copy it again.") from error
        expected = {name for name in model.state_dict()
                    if not (frozen and name.startswith(("text_encoder.", "image_encoder.")))}
        if set(state) != expected:
            odd = sorted(set(state) ^ expected)
            raise ValueError(f"{folder / 'model.safetensors'} does not fit its config.json: {len(odd)} weights "
                             f"differ ({odd[0]}, ...).")
        model.load_state_dict(state, strict=False)  # what is missing is exactly the frozen encoders, checked above
        if (folder / "tokenizer").is_dir():
            from transformers import AutoTokenizer

            model.text_encoder.tokenizer = AutoTokenizer.from_pretrained(folder / "tokenizer")
        return model.eval()


def load_model(folder: str | Path | None = None) -> MultimodalSentimentModel:
    """Load a saved model; without a folder, the aligned one that ships with this package (distilbert+vit, mini)."""
    if folder is None:
        check_weights(WEIGHTS / "head")
        folder = WEIGHTS / "head"
    elif not Path(folder).is_dir():
        raise FileNotFoundError(f"there is no folder {folder}: expected one written by `train --out` or `align --out`.")
    return MultimodalSentimentModel.from_pretrained(folder)


def probabilities_of(logits: Tensor) -> Tensor:
    """Logits → probabilities that sum to 1: (batch, classes); a single logit becomes two columns."""
    if logits.shape[-1] == 1:
        positive = torch.sigmoid(logits)
        return torch.cat([1 - positive, positive], dim=-1)
    return torch.softmax(logits, dim=-1)
