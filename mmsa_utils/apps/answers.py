"""What the dashboard answers, as HTML or plain values, with the models that were chosen so far. `page` shows it."""

from __future__ import annotations

import functools
import io
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from ..errors import EncoderUnavailable
from ..figures import panels
from ..model.model import PAIRS, load_model
from ..posts.pictures import MAX_BYTES, picture_from_bytes
from ..posts.post import SIDES, SUBJECTS, is_blank
from ..posts.sound import Sound, open_sound
from ..reading.examples import examples, spoken_examples
from ..reading.explain import Regions, Words, explain_picture, explain_text
from ..reading.reader import Reader, Reading, checked_text, quick_align
from ..reading.view import answer_html, mattered_html, whatif_html

SHIPPED, OWN = "DistilBERT + ViT, mini (ready)", "your own model"
VOICED = "DistilBERT + ViT + Whisper, mini (ready)"
NAMES = {"bert+resnet18": "BERT + ResNet-18", "distilbert+vit": "DistilBERT + ViT"}
HINT_ANSWER = panels.paragraph("Write a text, add a picture: they are read as you go.")
HINT_WHATIF = panels.paragraph("Give another text or another picture: the post is read with it in place of yours.")
HINT_SPEECH = panels.paragraph("Give another text, picture or voice: the post is read with it in place of yours.")
HINT_MATTERED = panels.paragraph("The words and the regions that speak for the mood, as soon as there is a text or a "
                                 "picture.")
LARGE = 1024  # pixels: what an upload is brought down to


def choices_of(folder: str | Path | None) -> dict[str, Callable[[], tuple[Reader, str]]]:
    """The models on offer: name → a function that loads one, with a line about it."""

    def shipped() -> tuple[Reader, str]:
        return Reader(load_model()), "The model that ships with the course: frozen encoders, an aligned head."

    def voiced() -> tuple[Reader, str]:
        return Reader(load_model(voice=True)), ("The model with a voice that ships with the course: it was "
                                                "taught to do without any of the three.")

    def own() -> tuple[Reader, str]:
        return Reader(load_model(folder)), "Your own model, from the folder that the dashboard was started with."

    def aligned(pair: str, size: str, posts: int, **voice: str) -> tuple[Reader, str]:
        model, accuracy = quick_align(*PAIRS[pair], size, posts, **voice)
        return Reader(model), (f"A head aligned just now on {posts:,} generated posts: right on {accuracy:.0%} of "
                               f"{posts // 4:,} validation posts. It lasts until the dashboard ends.")

    choices: dict[str, Callable] = {OWN: own} if folder else {}
    choices |= {SHIPPED: shipped, VOICED: voiced}
    for size, posts, remark in (("mini", 3000, "15 seconds"), ("full", 1000, "a download")):
        for pair, name in NAMES.items():
            if (pair, size) != ("distilbert+vit", "mini"):
                choices[f"{name}, {size} ({remark})"] = functools.partial(aligned, pair, size, posts)
    choices["DistilBERT + ViT + Whisper, full (a download)"] = functools.partial(
        aligned, "distilbert+vit", "full", 1000, voice="whisper")
    return choices


class Answers:
    """What the page answers; the first model is loaded at once.

    What one side says by itself is kept for a while: who types does not wait for the picture again.
    """

    def __init__(self, choices: dict[str, Callable[[], tuple[Reader, str]]]):
        self.choices, self.loading = choices, threading.Lock()
        self.posts, self.spoken = examples(), spoken_examples()
        self.first = next(iter(choices))
        self.loaded = {self.first: choices[self.first]()}  # name → its reader, and a line about it
        self.coming, self.refused = set[str](), set[str]()  # those being loaded, and those that cannot be had
        self._opened = functools.lru_cache(maxsize=8)(opened)
        self._heard = functools.lru_cache(maxsize=8)(heard)
        self._words = functools.lru_cache(maxsize=64)(self._explain_text)
        self._regions = functools.lru_cache(maxsize=16)(self._explain_picture)

    def choose(self, name: str) -> None:
        """Load a model that was not used yet; one at a time."""
        if name in self.loaded:
            return
        self.coming.add(name)
        self.refused.discard(name)
        try:
            with self.loading:
                if name not in self.loaded:
                    self.loaded[name] = self.choices[name]()
        except EncoderUnavailable as error:
            self.refused.add(name)
            print(f"{name}: {error}", file=sys.stderr)
        finally:
            self.coming.discard(name)

    def about(self, name: str) -> str:
        """A line about a model: what it is, or why one has to wait for it."""
        if name in self.loaded:
            return panels.paragraph(self.loaded[name][1])
        if name in self.refused:
            return panels.note("The encoders of this model cannot be had here: this machine neither holds them nor "
                               "reaches the place to download them from. Take one in mini size.")
        return panels.paragraph("A head for these encoders is being aligned on generated posts: some fifteen seconds "
                                "at mini size, many minutes at full size without a GPU.")

    def hears(self, name: str) -> bool:
        """Whether a model reads voices, as far as is known."""
        return name in self.loaded and "voice" in self.loaded[name][0].model.sides

    def answer(self, text: str, file: str | None, name: str, voice: str | None = None) -> str:
        """What the post says, with the sides that are there by now; or what is wrong with them."""
        post, faults = self._given(name, text, file, voice)
        if name in self.coming:
            return panels.paragraph("This model is still being made ready. Go on writing: your post is read as soon as "
                                    "the model is there.")
        if name not in self.loaded:
            faults.append("This model is not there: choose another, or the same once more.")
        if faults:
            return "".join(panels.note(fault) for fault in faults)
        return answer_html(self._read(name, post)) if post else HINT_ANSWER

    def whatif(self, text: str, file: str | None, name: str, other_text: str, other_file: str | None,
               voice: str | None = None, other_voice: str | None = None) -> str:
        """The same post with another text, another picture, another voice, and with all of these that are given."""
        mine, faults = self._given(name, text, file, voice)
        other, other_faults = self._given(name, other_text, other_file, other_voice)
        if other_faults:
            return "".join(panels.note(fault) for fault in other_faults)
        if faults or not other or not mine or name not in self.loaded:
            return HINT_SPEECH if self.hears(name) else HINT_WHATIF
        posts = {f"with the other {SUBJECTS[side]}": {**mine, side: item} for side, item in other.items()}
        if len(other) > 1:
            posts["with both" if len(other) == 2 else "with all three"] = {**mine, **other}
        return whatif_html(self._read(name, mine),
                           {changed: self._read(name, post) for changed, post in posts.items()})

    def mattered(self, text: str, file: str | None, name: str, voice: str | None = None) -> str:
        """The words and the regions that speak for what their side says, of the sides that the answer rests on."""
        post, faults = self._given(name, text, file, voice)
        if faults or not post.keys() & {"text", "image"} or name not in self.loaded:
            return HINT_MATTERED  # the answer says why
        reading = self._read(name, post)
        return mattered_html(self._words(name, post["text"]) if "text" in reading.counted else None,
                             self._regions(name, file) if "picture" in reading.counted else None,
                             [side for side in reading.unfamiliar if side != "voice"])

    def read(self, text: str | None, picture: str | None, voice: str | None = None) -> dict[str, Any]:
        """Read one post: its text, its picture and its voice (files), None for what it lacks → label, probabilities,
        what each side alone would say."""
        return self.loaded[self.first][0].read(text, opened(picture) if picture else None,
                                               heard(voice) if voice else None).summary

    def _given(self, name: str, text: str, file: str | None, voice: str | None) -> tuple[dict[str, Any], list[str]]:
        """The sides of a post that are there and that the model reads, and a sentence for each that cannot be read."""
        post: dict[str, Any] = {}
        faults: list[str] = []
        checks: tuple[Callable[[str], Any], ...] = (
            checked_text, functools.partial(self._kept, self._opened), functools.partial(self._kept, self._heard))
        for side, item, check in zip(SIDES, (text, file, voice), checks):
            if not item or side == "text" and is_blank(item) or side == "voice" and not self.hears(name):
                continue
            try:
                post[side] = check(item)
            except ValueError as error:
                faults.append(_sentence(error))
        return post, faults

    @staticmethod
    def _kept(reader: Any, path: str) -> Any:
        """An uploaded file, opened once; if it was deleted meanwhile, what was kept of it goes, too."""
        if not os.path.exists(path):
            reader.cache_clear()
        return reader(path)

    def _read(self, name: str, post: dict[str, Any]) -> Reading:
        return self.loaded[name][0].read(*(post.get(side) for side in SIDES))

    def _explain_text(self, name: str, text: str) -> Words:
        return explain_text(self.loaded[name][0], text)

    def _explain_picture(self, name: str, path: str) -> Regions:
        return explain_picture(self.loaded[name][0], self._kept(self._opened, path))


def opened(path: str) -> Image.Image:
    """An uploaded picture, brought down to what a model can use of it.

    Raises:
        ValueError: whatever is wrong with it, without naming a place on this machine.
    """
    image = picture_from_bytes(_content(path, "the picture"), "the picture")
    factor = min(image.size) // LARGE
    return image.reduce(factor) if factor > 1 else image


def heard(path: str) -> Sound:
    """An uploaded or recorded voice.

    Raises:
        ValueError: whatever is wrong with it, without naming a place on this machine.
    """
    data = _content(path, "the voice")
    if len(data) > MAX_BYTES:
        raise ValueError(f"the voice has more than {MAX_BYTES // 2**20} MB: save it again shorter.")
    file = io.BytesIO(data)
    file.name = "the voice"  # what it is called where something is wrong with it
    try:
        return open_sound(file)
    except ImportError as error:
        raise ValueError(str(error)) from None


def _content(path: str, name: str) -> bytes:
    """What an uploaded file holds, and a byte more than is allowed where it is too large."""
    try:
        with open(path, "rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError:
        raise ValueError(f"{name} is no longer here: add it again.") from None


def _sentence(error: Exception) -> str:
    message = str(error)
    return message[:1].upper() + message[1:]
