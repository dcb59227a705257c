"""One post read in full: what its sides say together, what each would say alone, and what in them mattered.

The dashboard and the explorer of notebook 08 both stand on this module; it knows neither.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..encoders.base import Encoded
from ..learning.alignment import align, fit_temperature, measure
from ..learning.alone import Alone, unfamiliar
from ..learning.asking import answered
from ..learning.device import best_device
from ..learning.familiarity import learn_familiarity
from ..learning.features import extract_features
from ..model.familiarity import about_strange
from ..model.head import probabilities_of
from ..model.model import MultimodalSentimentModel
from ..model.remarks import remarks
from ..posts.food import PIXELS, FoodPosts
from ..posts.pictures import MAX_PIXELS
from ..posts.post import MANY, SUBJECTS, is_blank
from ..posts.sound import Sound, checked_sound
from ..posts.spoken import SpokenPosts
from .examples import examples as examples
from .occlusion import Occlusion as Occlusion
from .occlusion import black_and_white, patched
from .reading import Reading as Reading

MAX_TEXT = 2000  # characters
MAX_WORDS = 60  # that are left out one by one
CHUNK = 16  # texts or pictures that are encoded at once: others wait for no more
MISSING = 0.3  # the share of posts from which `quick_align` leaves each side out


class Reader:
    """A model, and what lets it speak with fewer sides than it reads.

    A head that reads two sides cannot be given one. What the text *alone* would say is therefore what it says beside
    pictures that say nothing: it is joined with the picture of each of some neutral posts, and the probabilities are
    averaged (an interventional expectation, as in Janzing et al. 2020). Likewise for the picture, beside neutral texts.
    The same is asked where a post lacks a side. A model that was taught to do without sides (`Absent`) is simply asked.

    On 1,000 validation posts the shipped model's text alone is right on 0.55 (a head trained on texts alone: 0.56; the
    best possible: 0.586), its picture alone on 0.75 (0.72; 0.730, and the luck of these posts); 92 % of the
    contradictions are found, and 92 % of the warnings are true. Averages over posts of every kind serve worse (texts:
    0.51, true warnings: 52 %), since beside a neutral text the other side's mood is all that is left.

    Args:
        model: one that reads text and picture, and perhaps a voice; it is put into evaluation mode and stays where it
            is.
        references: neutral posts, encoded once here.

    Several threads may call a reader; they take turns.
    """

    def __init__(self, model: MultimodalSentimentModel, references: int = 32):
        if model.sides[:2] != ("text", "image") or model.classes is None:
            reads = " and ".join(MANY.get(side, side) for side in model.sides)
            gives = "a number" if model.classes is None else f"one of {len(model.classes)} classes"
            raise ValueError(f"this model reads {reads} and gives {gives}: expected one that reads text and image and "
                             "gives a class. Ask it with model.predict.")
        self.model = model.eval()
        self.classes = model.classes
        self._alone = Alone(model, references)
        self._turn = threading.Lock()  # a tokenizer refuses to be used by two threads at once

    @torch.no_grad()
    def read(self, text: str | None, image: Image.Image | None, voice: Sound | None = None) -> Reading:
        """Read one post; a side that it lacks is None.

        Raises:
            ValueError: for a post without any side, a blank text, one of more than MAX_TEXT characters, a picture of
                more than MAX_PIXELS, a recording that `checked_sound` refuses, or one for a model that reads none.
        """
        post = self._checked(text, image, voice)
        with self._turn:
            start = time.perf_counter()
            batch = self.model.prepare(*([self.smaller(item) if side == "image" and item is not None else item]
                                         for side, item in post.items()))
            tokens = self.model.tokens(**{name: tensor.to(self.model.device) for name, tensor in batch.items()})
            sides = self.model.for_fusion(tokens)
            there = [side for side, item in post.items() if item is not None]
            strange = {side: far > 1 for side, far in self.model.strangeness(tokens).items()}
            answers, alone = answered(self._alone, sides, strange, self._head(sides))
            whole, odd = _plain(answers[0]), {side: bool(strange[side][0]) for side in there}
            seconds = time.perf_counter() - start
            said = [*about_strange(odd, whole is not None), *self._about_missing(there, whole is not None),
                    *remarks(self.model, [post["text"]], [post.get("voice")])]
            cut = text is not None and self.model.encoders["text"].cuts(post["text"])
        each = {SUBJECTS[side]: None if odd.get(side) else _plain(one[0]) for side, one in alone.items()}
        return Reading(self.classes, whole, **each, cut=cut, seconds=seconds, remarks=tuple(said),
                       unfamiliar=tuple(unfamiliar(strange, 0)), reads=tuple(each),
                       missing=tuple(SUBJECTS[side] for side in post if side not in there))

    def _checked(self, text: Any, image: Any, voice: Any) -> dict[str, Any]:
        """Side → what the post has of it, or None; in the order of the model's sides."""
        given = {"text": text, "image": image, "voice": voice}
        check: dict[str, Callable[[Any], Any]] = {"text": checked_text, "image": checked_picture,
                                                  "voice": checked_voice}
        if voice is not None and "voice" not in self.model.sides:
            raise ValueError("there is a voice, and this model reads texts and pictures: read it without, or take a "
                             "model that reads voices.")
        post = {side: None if given[side] is None else check[side](given[side]) for side in self.model.sides}
        if not any(item is not None for item in post.values()):
            raise ValueError(f"there is neither {' nor '.join(SUBJECTS[side] for side in post)}: give at least one.")
        return post

    def _about_missing(self, there: list[str], spoke: bool) -> list[str]:
        """That a model which was never taught to do without a side was asked without, in a sentence."""
        missing = [f"the {SUBJECTS[side]}" for side in self.model.sides if side not in there]
        if self._alone.taught or not missing or not spoke:
            return []
        return [f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing, and this model was not "
                "taught to do without: the answer is an average over neutral ones."]

    @torch.no_grad()
    def strange(self, side: str, item: Any) -> bool:
        """Whether a text (side "text"), picture ("image") or "voice" is unlike all that the model has learned from."""
        encoder, prepare = self.model.encoders[side], self.model.prepare.steps[side]
        with self._turn:
            batch = {name: tensor.to(self.model.device) for name, tensor in prepare([item]).items()}
            return bool(self.model.strangeness({side: encoder.encode(**batch)})[side][0] > 1)

    @torch.no_grad()
    def alone(self, side: str, items: Sequence[Any]) -> Tensor:
        """What each of n texts (side "text"), pictures ("image") or voices would say alone: probabilities (n, classes).

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
            ValueError: as `read`, for a post that lacks a side, and for a model of three sides.
        """
        if len(self.model.sides) > 2:
            raise ValueError("occlude asks models of two sides, and this one reads a voice, too: expected explain_text "
                             "or explain_picture, which ask a side alone.")
        text, image = checked_text(text), checked_picture(image)
        words = text.split()
        tried = words[:MAX_WORDS]
        shorter = [" ".join(words[:i] + words[i + 1:]) or "." for i in range(len(tried))]  # "." in place of nothing
        with self._turn:
            image = self.smaller(image)
            prepare = self.model.prepare.steps
            own, black, white = prepare["image"]([image, *black_and_white(image.size)])["pixel_values"].split(1)
            covered = patched(own, (black + white) / 2, grid)
            batch = {**prepare["text"]([text, *shorter]), "pixel_values": torch.cat([own, covered])}
            tokens = self.model.tokens(**{name: tensor.to(self.model.device) for name, tensor in batch.items()})
            texts, pictures = self.model.for_fusion(tokens).values()
            whole_text, whole_picture = (torch.zeros(n, dtype=torch.long) for n in (len(covered), 1 + len(shorter)))
            probabilities = self._head({
                "text": Encoded.cat([texts, texts.rows(whole_text)]),
                "image": Encoded.cat([pictures.rows(whole_picture), pictures.rows(slice(1, None))])})
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

    def _head(self, sides: Mapping[str, Encoded]) -> Tensor:
        """The encoded sides of n posts → probabilities (n, classes), on the CPU."""
        return probabilities_of(self.model.classify(self.model.fuse(sides))).cpu()


def _plain(answer: Tensor) -> tuple[float, ...] | None:
    return None if answer.isnan().any() else tuple(answer.tolist())


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
                         f"{MAX_PIXELS // 10**6} megapixels: make it smaller.")
    return image


def checked_voice(voice: Sound) -> Sound:
    """The recording, if it is one that can be heard."""
    if not isinstance(voice, Sound):
        raise ValueError("there is no voice: expected a Sound, such as open_sound gives of a file.")
    return checked_sound(voice, "the voice")


def quick_align(text: str, image: str, size: str, posts: int = 3000, voice: str | None = None
                ) -> tuple[MultimodalSentimentModel, float]:
    """A model for encoders whose aligned head does not ship: a new head, aligned on so many generated posts.

    With a voice it is taught to do without sides, too. At mini size this takes some fifteen seconds on two CPU cores
    (with a voice two minutes), at full size far longer without a GPU.

    Returns:
        The model, and its accuracy on the validation posts (a quarter as many), which also chose its epoch.

    Raises:
        EncoderUnavailable: if the pretrained encoders cannot be had.
    """
    taught = voice is not None
    model = MultimodalSentimentModel(text, image, size, voice=voice, absent=taught, frozen=True).to(best_device())
    make = SpokenPosts if taught else FoodPosts
    drawn = {split: make(n, split, pixels=PIXELS[size]) for split, n in (("train", posts), ("validation", posts // 4))}
    train, validation = (extract_features(model, some, show_progress=False) for some in drawn.values())
    align(model.fusion, model.head, train, validation, modality_dropout=MISSING if taught else 0.0)
    model.temperature.fill_(fit_temperature(model.fusion, model.head, validation))
    model.familiarity = learn_familiarity(model, drawn["train"], drawn["validation"])
    return model, measure(model.fusion, model.head, validation)["accuracy"]
