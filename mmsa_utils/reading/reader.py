"""One post read in full: what text and picture say together, what each would say alone, and what in them mattered.

The dashboard and the explorer of notebook 08 both stand on this module; it knows neither.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..encoders.base import Encoded
from ..learning.alignment import align, fit_temperature
from ..learning.alone import Alone, settled, unfamiliar
from ..learning.device import best_device
from ..learning.familiarity import learn_familiarity
from ..learning.features import extract_features
from ..model.familiarity import about_strange
from ..model.head import probabilities_of
from ..model.model import MultimodalSentimentModel
from ..model.remarks import remarks
from ..posts.food import PIXELS, FoodPosts, burger_example, make_post
from ..posts.pictures import MAX_PIXELS
from ..posts.post import Post, is_blank

MAX_TEXT = 2000  # characters
MAX_WORDS = 60  # that are left out one by one
CHUNK = 16  # texts or pictures that are encoded at once: others wait for no more


@dataclass(frozen=True)
class Reading:
    """What a model makes of one post. Probabilities are in the order of `classes`; None where it abstains."""

    classes: tuple[str, ...]
    both: tuple[float, ...] | None  # of the whole post; of one side alone where the other is unfamiliar
    text: tuple[float, ...] | None  # what the text alone would say, see `Reader`
    picture: tuple[float, ...] | None  # and the picture alone
    cut: bool  # the text was longer than the model reads; its end was not looked at
    seconds: float  # from text and pixels to the answer
    remarks: tuple[str, ...] = ()  # what the model could not read, or does not know, in sentences
    unfamiliar: tuple[str, ...] = ()  # "text", "picture": unlike all that the model has learned from, and left out

    @property
    def answers(self) -> dict[str, str | None]:
        """The most probable class of ``"both"``, of the ``"text"`` alone and of the ``"picture"`` alone."""
        said = {name: getattr(self, name) for name in ("both", "text", "picture")}
        return {name: None if one is None else self.classes[int(np.argmax(one))] for name, one in said.items()}

    @property
    def winner(self) -> str:
        """Whose side the answer took: ``"text"``, ``"picture"`` or ``"neither"``; "" if the two do not contradict."""
        if not self.contradicts:
            return ""
        answers = self.answers
        return next((side for side in ("text", "picture") if answers[side] == answers["both"]), "neither")

    @property
    def summary(self) -> dict[str, Any]:
        """All of it as plain numbers and words, for JSON."""
        def named(said: tuple[float, ...] | None) -> dict[str, float] | None:
            return None if said is None else dict(zip(self.classes, said))

        return {"label": self.answers["both"], "probabilities": named(self.both), "text_alone": named(self.text),
                "picture_alone": named(self.picture), "contradicts": self.contradicts, "winner": self.winner,
                "cut": self.cut, "unfamiliar": list(self.unfamiliar), "remarks": list(self.remarks),
                "seconds": self.seconds}

    @property
    def contradicts(self) -> bool:
        """Text and picture alone say different things, and neither of them says neutral, or nothing."""
        said = {self.answers["text"], self.answers["picture"]}
        return len(said) == 2 and not said & {"neutral", None}


@dataclass(frozen=True)
class Occlusion:
    """How the answer's probability changes where something is taken away. Below 0: it spoke for the answer."""

    answer: str
    words: tuple[tuple[str, float], ...]  # each word, and the change without it
    cut: bool  # only the first MAX_WORDS words were tried
    regions: np.ndarray  # (rows, columns): the change with a grey patch there
    seen: Image.Image  # the picture as it goes into the model: resized, perhaps cropped


class Reader:
    """A model, and a sample of posts to stand in for the side that is missing when one side is to speak alone.

    A head that reads two sides cannot be given one. What the text *alone* would say is therefore what it says beside
    pictures that say nothing: it is joined with the picture of each of some neutral posts, and the probabilities are
    averaged (an interventional expectation, as in Janzing et al. 2020). Likewise for the picture, beside neutral texts.

    On 1,000 validation posts the shipped model's text alone is right on 0.55 (a head trained on texts alone: 0.56; the
    best possible: 0.586), its picture alone on 0.75 (0.72; 0.730, and the luck of these posts); 92 % of the
    contradictions are found, and 92 % of the warnings are true. Averages over posts of every kind serve worse (texts:
    0.51, true warnings: 52 %), since beside a neutral text the other side's mood is all that is left.

    Args:
        model: any of this course; it is put into evaluation mode and stays where it is.
        references: neutral posts, encoded once here.

    Several threads may call a reader; they take turns.
    """

    def __init__(self, model: MultimodalSentimentModel, references: int = 32):
        if model.sides != ("text", "image") or model.classes is None:
            reads = " and ".join({"text": "texts", "image": "pictures"}.get(side, side) for side in model.sides)
            gives = "a number" if model.classes is None else f"one of {len(model.classes)} classes"
            raise ValueError(f"this model reads {reads} and gives {gives}: expected one that reads text and image and "
                             "gives a class. Ask it with model.predict.")
        self.model = model.eval()
        self.classes = model.classes
        self._alone = Alone(model, references)
        self._turn = threading.Lock()  # a tokenizer refuses to be used by two threads at once

    @torch.no_grad()
    def read(self, text: str, image: Image.Image) -> Reading:
        """Read one post.

        Raises:
            ValueError: for a blank text, one of more than MAX_TEXT characters, or a picture of more than MAX_PIXELS.
        """
        text, image = checked_text(text), checked_picture(image)
        with self._turn:
            start = time.perf_counter()
            tokens = self._tokens([text], self.model.prepare.steps["image"]([self.smaller(image)]))
            sides = self.model.for_fusion(tokens)
            strange = {side: far > 1 for side, far in self.model.strangeness(tokens).items()}
            alone = self._alone(sides)
            both = settled(self._head(sides["text"], sides["image"]).cpu(), alone, strange)
            answers = [_plain(both[0]), *(None if strange[side][0] else _plain(alone[side][0]) for side in alone)]
            seconds = time.perf_counter() - start
            cut = self.model.encoders["text"].cuts(text)
            said = about_strange({side: bool(is_odd[0]) for side, is_odd in strange.items()}, answers[0] is not None)
            said += remarks(self.model, [text])
        return Reading(self.classes, answers[0], answers[1], answers[2], cut, seconds, tuple(said),
                       tuple(unfamiliar(strange, 0)))

    @torch.no_grad()
    def strange(self, side: str, item: Any) -> bool:
        """Whether a text (side "text") or picture ("image") is unlike all that the model has learned from."""
        encoder, prepare = self.model.encoders[side], self.model.prepare.steps[side]
        with self._turn:
            batch = {name: tensor.to(self.model.device) for name, tensor in prepare([item]).items()}
            return bool(self.model.strangeness({side: encoder.encode(**batch)})[side][0] > 1)

    @torch.no_grad()
    def alone(self, side: str, items: Sequence[Any]) -> Tensor:
        """What each of n texts (side "text") or pictures ("image") would say alone → probabilities (n, classes).

        Other threads get their turn after each CHUNK of items.
        """
        encoder, prepare, answers = self.model.encoders[side], self.model.prepare.steps[side], []
        for start in range(0, len(items), CHUNK):
            with self._turn:
                batch = prepare(list(items[start:start + CHUNK]))
                encoded = encoder.encode(**{name: tensor.to(self.model.device) for name, tensor in batch.items()})
                if not self.model.fusion.sequences:
                    encoded = Encoded.of(encoder.pool(encoded), encoded.mask.any(1))
                answers.append(self._alone({side: encoded})[side])
        return torch.cat(answers)

    @torch.no_grad()
    def occlude(self, text: str, image: Image.Image, grid: int = 8) -> Occlusion:
        """Take away one word after the other, and cover one region of the picture after the other.

        Costs some hundred times as much as `read`.

        Args:
            grid: rows and columns of regions. The grey patch is two regions wide and high, around each in turn.

        Raises:
            ValueError: as `read`.
        """
        text, image = checked_text(text), checked_picture(image)
        words = text.split()
        tried = words[:MAX_WORDS]
        shorter = [" ".join(words[:i] + words[i + 1:]) or "." for i in range(len(tried))]  # "." in place of nothing
        with self._turn:
            image = self.smaller(image)
            prepare = self.model.prepare.steps["image"]
            own, black, white = prepare([image, *_black_and_white(image.size)])["pixel_values"].split(1)
            covered = _covered(own, (black + white) / 2, grid)
            tokens = self._tokens([text, *shorter], {"pixel_values": torch.cat([own, covered])})
            texts, pictures = self.model.for_fusion(tokens).values()
            whole_text, whole_picture = (torch.zeros(n, dtype=torch.long) for n in (len(covered), 1 + len(shorter)))
            probabilities = self._head(Encoded.cat([texts, texts.rows(whole_text)]),
                                       Encoded.cat([pictures.rows(whole_picture), pictures.rows(slice(1, None))])).cpu()
        answer = int(probabilities[0].argmax())
        change = (probabilities[1:, answer] - probabilities[0, answer]).tolist()
        seen = ((own - black) / (white - black))[0].clamp(0, 1)
        return Occlusion(self.classes[answer], tuple(zip(tried, change)), len(words) > len(tried),
                         np.array(change[len(tried):]).reshape(grid, grid),
                         Image.fromarray((255 * seen.permute(1, 2, 0)).round().byte().numpy()))

    def smaller(self, image: Image.Image) -> Image.Image:
        """A photo brought down to some four times the encoder's size, averaging pixels: it is resized faster so."""
        factor = min(image.size) // (4 * PIXELS[self.model.size])
        return image.reduce(factor) if factor > 1 else image

    def _tokens(self, texts: list[str], pixels: dict[str, Tensor]) -> dict[str, Encoded]:
        """Some texts and prepared pictures, which need not be as many, as their encoders give them."""
        batch = {**self.model.prepare.steps["text"](texts), **pixels}
        return self.model.tokens(**{name: tensor.to(self.model.device) for name, tensor in batch.items()})

    def _head(self, texts: Encoded, pictures: Encoded) -> Tensor:
        """Both sides of n posts → probabilities (n, classes)."""
        return probabilities_of(self.model.classify(self.model.fuse({"text": texts, "image": pictures})))


def _plain(answer: Tensor) -> tuple[float, ...] | None:
    return None if answer.isnan().any() else tuple(answer.tolist())


def _black_and_white(size: tuple[int, int]) -> list[Image.Image]:
    """Two pictures that show how a model scales brightness: what becomes of black and of white."""
    shape = [max(1, round(64 * side / max(size))) for side in size]
    return [Image.new("RGB", shape, colour) for colour in ("black", "white")]


def _covered(pixels: Tensor, grey: Tensor, grid: int) -> Tensor:
    """A picture (1, 3, height, width) with a patch of `grey` around each of grid x grid regions, row by row."""
    height, width = pixels.shape[-2:]
    copies = []
    for i in range(grid * grid):
        row, column = divmod(i, grid)
        rows = slice(max(0, round((row - 0.5) * height / grid)), round((row + 1.5) * height / grid))
        columns = slice(max(0, round((column - 0.5) * width / grid)), round((column + 1.5) * width / grid))
        copy = pixels.clone()
        copy[..., rows, columns] = grey[..., rows, columns]
        copies.append(copy)
    return torch.cat(copies)


def checked_text(text: str) -> str:
    """The text, if it is one: 1 to MAX_TEXT characters, not all blank."""
    if not isinstance(text, str) or is_blank(text):
        raise ValueError("there is no text: write at least one word.")
    if len(text) > MAX_TEXT:
        raise ValueError(f"the text has {len(text):,} characters, expected at most {MAX_TEXT:,}: shorten it.")
    return text.encode("utf-8", "replace").decode("utf-8")  # half a surrogate pair is no character


def checked_picture(image: Image.Image) -> Image.Image:
    """The picture, if it is one and has at most MAX_PIXELS pixels."""
    if not isinstance(image, Image.Image):
        raise ValueError("there is no picture: add one.")
    if image.width * image.height > MAX_PIXELS:
        raise ValueError(f"the picture has {image.width} x {image.height} pixels, expected at most "
                         f"{MAX_PIXELS // 10**6} megapixels.")
    return image


def quick_align(text: str, image: str, size: str, posts: int = 3000) -> tuple[MultimodalSentimentModel, float]:
    """A model for a pair whose aligned head does not ship: a new head, aligned on so many generated posts.

    At mini size this takes some fifteen seconds on two CPU cores, at full size far longer without a GPU.

    Returns:
        The model, and its accuracy on the validation posts (a quarter as many), which also chose its epoch.

    Raises:
        EncoderUnavailable: if the pretrained encoders cannot be had.
    """
    model = MultimodalSentimentModel(text, image, size, frozen=True).to(best_device())
    drawn = {split: FoodPosts(n, split, pixels=PIXELS[size])
             for split, n in (("train", posts), ("validation", posts // 4))}
    train, validation = (extract_features(model, some, show_progress=False) for some in drawn.values())
    history = align(model.fusion, model.head, train, validation)
    model.temperature.fill_(fit_temperature(model.fusion, model.head, validation))
    model.familiarity = learn_familiarity(model, drawn["train"], drawn["validation"])
    return model, min(history, key=lambda row: row["loss"])["accuracy"]


def examples() -> dict[str, Post]:
    """Four posts to start with, by name; drawn large enough to be looked at."""
    chosen: dict[str, Any] = {"a contradiction": ("The pizza was disgusting.", -2, 1, "pizza", 3),
              "sarcasm": ("What a glorious burger!", 2, -2, "burger", 5),
              "nothing like the photo": ("This salad is nothing like the photo.", "opposite", 2, "salad", 2)}
    return {"the burger": burger_example(PIXELS["full"]),
            **{name: replace(make_post(kind, level, dish, seed, PIXELS["full"]), text=text)
               for name, (text, kind, level, dish, seed) in chosen.items()}}
