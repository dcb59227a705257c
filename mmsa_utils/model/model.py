"""The model in three steps that can be called one by one: encode, fuse, classify."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import ModelCard, PyTorchModelHubMixin
from torch import Tensor, nn

from ..checksums import WEIGHTS, check_weights
from ..encoders.base import Encoded, Encoder, Encoders
from ..encoders.table import load_encoder
from ..fusion.absent import Absent
from ..fusion.base import Fusion
from ..fusion.table import make_fusion
from ..posts.likeness import Digests
from ..posts.post import LABELS
from ..seeds import seeded
from . import card, saving
from .familiarity import Familiarity, strangeness
from .head import head_for, probabilities_of
from .modes import evaluating
from .prepare import Preparation
from .raw import in_batches

#: The two named systems of the course: pair → (text encoder, image encoder). A voice can join any.
PAIRS = {"bert+resnet18": ("bert", "resnet18"), "distilbert+vit": ("distilbert", "vit")}


class MultimodalSentimentModel(nn.Module, PyTorchModelHubMixin, library_name="mmsa-utils",
                               model_card_template=card.TEMPLATE):
    """An encoder for each side of a post, a fusion, and a head that classifies what it makes of them.

    Saved with `save_pretrained(folder)` and loaded with `from_pretrained(folder)`. The folder holds all that the
    model is, but for encoders that are, number by number, those of this package.

    Args:
        text, image, voice: encoders by name, as in `load_text_encoder`, `load_image_encoder` and
            `load_voice_encoder`, or made ones; any goes with any. None: the model does not read that side.
        size: ``"mini"`` or ``"full"``.
        classes: their names, in the order of the labels; two classes share a single logit. None: the model gives a
            number (regression).
        fusion: by name, see `FUSIONS`.
        absent: learn a vector that stands for each side where a post lacks it, see `Absent`; without, no post that
            lacks a side can be learned from.
        hidden, dropout: of the head, see `mlp_head`; a fusion that only adds has a linear one.
        frozen: keep the encoders as they are; only fusion and head are trained.
        pretrained: False for encoders with random weights.
        seed: of all that is random in the new model.

    Attributes:
        encoders: side → encoder, in the fixed order of the sides.
        fusion, head: the other two steps; `width` is that of the vector between them.
        familiarity: where the features of the posts lie that it was trained on, saved with it (`learn_familiarity`);
            None if nobody looked.
        learned_from: digests of the posts that it was trained on (`digests_of`), saved with it; None if nobody said.
    """

    fusion: Fusion
    temperature: Tensor

    def __init__(self, text: str | Encoder | None = "distilbert", image: str | Encoder | None = "vit",
                 size: str = "mini", *, voice: str | Encoder | None = None, classes: Sequence[str] | None = LABELS,
                 fusion: str = "concat", absent: bool = False, hidden: int = 256, dropout: float = 0.2,
                 frozen: bool = False, pretrained: bool = True,
                 seed: int = 0):
        super().__init__()
        self.classes = checked_classes(classes)
        self.learned_from: Digests | None = None
        self.familiarity: Familiarity | None = None
        chosen = {"text": text, "image": image, "voice": voice}  # in the order of SIDES
        self.encoders = Encoders({
            side: name if isinstance(name, Encoder) else load_encoder(side, name, size, pretrained, seed)
            for side, name in chosen.items() if name is not None})
        self.size = size
        with seeded(seed):
            made = make_fusion(fusion, {side: encoder.width for side, encoder in self.encoders.items()})
            self.fusion = Absent(made) if absent else made
            self.head = head_for(self.fusion, self.num_outputs, hidden, dropout)
        # Logits are divided by the temperature; it stays 1 until `fit_temperature` finds a better one.
        self.register_buffer("temperature", torch.ones(()))
        self.freeze(frozen)

    @property
    def sides(self) -> tuple[str, ...]:
        """What the model reads of a post, in its order."""
        return tuple(self.encoders)

    @property
    def num_outputs(self) -> int:
        """Columns of the logits: one a class; a single one for two classes, or for a number."""
        return len(self.classes) if self.classes and len(self.classes) > 2 else 1

    @property
    def width(self) -> int:
        """Of the fused vector."""
        return self.fusion.width

    @property
    def encoders_fixed(self) -> bool:
        """Whether no weight of the encoders learns."""
        return self.frozen and not any(weights.requires_grad for weights in self.encoders.parameters())

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.temperature.device

    def freeze(self, frozen: bool = True) -> None:
        """Freeze the encoders (True) or let them learn (False)."""
        self.frozen = frozen
        self.encoders.requires_grad_(not frozen)
        self.train(self.training)

    def train(self, mode: bool = True) -> MultimodalSentimentModel:
        """Switch dropout and batch normalisation on or off; those of frozen encoders stay off."""
        super().train(mode)
        if self.frozen:
            self.encoders.eval()
        return self

    @property
    def prepare(self) -> Preparation:
        """Texts, PIL pictures and sounds, a list of each side that the model reads → a batch of tensors.

        ``model.prepare(texts, images)``; see `Preparation`.
        """
        return Preparation({side: encoder.prepare for side, encoder in self.encoders.items()})

    def tokens(self, **batch: Tensor) -> dict[str, Encoded]:
        """A batch → each side's tokens and mask, as its encoder gives them."""
        learns = torch.is_grad_enabled() and (not self.encoders_fixed or any(x.requires_grad for x in batch.values()))
        with torch.set_grad_enabled(learns):
            sides = {side: encoder.encode(**{name: batch.pop(name) for name in encoder.inputs if name in batch})
                     for side, encoder in self.encoders.items()}
        if batch:
            raise ValueError(f"the batch holds {', '.join(batch)}, which no encoder of this model reads.")
        return sides

    def for_fusion(self, sides: Mapping[str, Encoded]) -> dict[str, Encoded]:
        """Tokens → what the fusion reads of them: all, or each side's vector as a single token."""
        return dict(sides) if self.fusion.sequences else {
            side: Encoded.of(self.encoders[side].pool(encoded), encoded.mask.any(1))
            for side, encoded in sides.items()}

    def encode(self, **batch: Tensor) -> dict[str, Encoded]:
        """A batch → each side's tokens and mask, or its vector as a single token if the fusion reads no more."""
        return self.for_fusion(self.tokens(**batch))

    def strangeness(self, sides: Mapping[str, Encoded]) -> dict[str, Tensor]:
        """Tokens → how strange each side of each post is, (batch,); above 1: unlike all that it has learned from."""
        return strangeness(self.familiarity, dict(self.encoders.items()), sides)

    def fuse(self, sides: Mapping[str, Encoded]) -> Tensor:
        """The encoded sides → one vector a post, (batch, width)."""
        return self.fusion(sides)

    def classify(self, fused: Tensor) -> Tensor:
        """Fused vectors → logits (batch, num_outputs)."""
        return self.head(fused) / self.temperature

    def forward(self, **batch: Tensor) -> Tensor:
        """A batch → logits (batch, num_outputs)."""
        return self.classify(self.fuse(self.encode(**batch)))

    def answers_of(self, logits: Tensor) -> Tensor:
        """Logits → class probabilities (batch, classes); the numbers themselves, (batch, 1), where there are none."""
        return logits if self.classes is None else probabilities_of(logits)

    def predict(self, *raw: Iterable[Any] | None, batch_size: int = 64) -> Tensor:
        """A list for each side, such as texts and PIL pictures → class probabilities (posts, classes), dropout off.

        A model without classes gives its numbers (posts, 1). Where a post lacks a side its list has None; None in place
        of a list: all posts lack it. The lists may be tuples, arrays, columns of a table or
        generators; only `batch_size` posts are prepared at a time, so memory does not grow with their number.

        Raises:
            ValueError: as `prepare`, and for weights with which an answer is NaN.
        """
        answers = []
        with torch.inference_mode(), evaluating(self):
            for lists in in_batches(raw, self.sides, batch_size):
                batch = {name: tensor.to(self.device) for name, tensor in self.prepare(*lists).items()}
                answers.append(self.answers_of(self(**batch)).cpu())
        if not all(part.isfinite().all() for part in answers):
            raise ValueError("the model's answer is NaN: its weights are damaged, or its training went astray.")
        return torch.cat(answers)  # made anew, out of inference mode: what is made in it could not be learned from

    def save_pretrained(self, save_directory: str | Path, **kwargs: Any) -> None:
        """Write config.json, model.safetensors, and the encoders that are not this package's own, into a folder."""
        kwargs["config"] = saving.save(self, Path(save_directory))
        super().save_pretrained(save_directory, **kwargs)

    def generate_model_card(self, figures: str = "", **kwargs: Any) -> ModelCard:
        """The card, README.md; ``save_pretrained(folder, model_card_kwargs={"figures": markdown})`` puts figures in."""
        return super().generate_model_card(body=card.body(self, figures), **kwargs)

    def _save_pretrained(self, save_directory: Path) -> None:
        """What the mixin asks for: all is there already but config.json and the card."""

    @classmethod
    def from_pretrained(  # type: ignore[override]
            cls, folder: str | Path, map_location: str | torch.device = "cpu", **hub: Any) -> MultimodalSentimentModel:
        """Load what `save_pretrained` wrote into a folder, or `push_to_hub` at the hub.

        Args:
            folder: or the hub's name of it, such as owner/model.
            map_location: the device to bring it to.
            hub: as `huggingface_hub.snapshot_download` takes: revision, token, cache_dir, ...

        Raises:
            FileNotFoundError: if there is no such model.
            ValueError: if it is damaged; the message names the folder.
        """
        return saving.load(cls, folder, **hub).to(map_location)


def checked_classes(classes: Sequence[str] | None) -> tuple[str, ...] | None:
    """The names of the classes, if they are some."""
    if classes is None:
        return None
    names = tuple(classes)
    if isinstance(classes, str) or len(names) < 2 or len(set(names)) < len(names) or not all(
            isinstance(name, str) and name.strip() for name in names):
        raise ValueError(f"the classes are {repr(classes)[:60]}: expected at least two names, none of them twice; or "
                         "None for a model that gives a number.")
    return names


def load_model(folder: str | Path | None = None, voice: bool = False) -> MultimodalSentimentModel:
    """Load a saved model; without a folder, an aligned one that ships with this package (distilbert+vit, mini).

    Args:
        folder: that `save_pretrained`, `train --out` or `align --out` wrote.
        voice: of the models that ship, the one that reads a voice too (distilbert+vit+whisper), and has learned to do
            without any of its sides.
    """
    if folder is None:
        folder = WEIGHTS / ("spoken" if voice else "head")
        check_weights(folder)
    return MultimodalSentimentModel.from_pretrained(folder)
