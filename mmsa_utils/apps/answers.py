"""What the dashboard answers, as HTML or plain values, with the models that were chosen so far. `page` shows it."""

from __future__ import annotations

import functools
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from ..errors import EncoderUnavailable
from ..figures import panels
from ..model.familiarity import about_strange
from ..model.model import PAIRS, load_model
from ..model.remarks import remarks
from ..posts.pictures import MAX_BYTES, picture_from_bytes
from ..posts.post import SUBJECTS, is_blank
from ..reading.explain import Regions, Words, explain_picture, explain_text
from ..reading.reader import Reader, Reading, checked_text, examples, quick_align
from ..reading.view import alone_html, answer_html, mattered_html, whatif_html

SHIPPED, OWN = "DistilBERT + ViT, mini (ready)", "your own model"
NAMES = {"bert+resnet18": "BERT + ResNet-18", "distilbert+vit": "DistilBERT + ViT"}
HINT_ANSWER = panels.paragraph("Write a text, add a picture: they are read as you go.")
HINT_WHATIF = panels.paragraph("Give another text or another picture: the post is read with it in place of yours.")
HINT_MATTERED = panels.paragraph("The words and the regions that speak for the mood, as soon as there is a whole post.")
LARGE = 1024  # pixels: what an upload is brought down to


def choices_of(folder: str | Path | None) -> dict[str, Callable[[], tuple[Reader, str]]]:
    """The models on offer: name → a function that loads one, with a line about it."""

    def shipped() -> tuple[Reader, str]:
        return Reader(load_model()), "The model that ships with the course: frozen encoders, an aligned head."

    def own() -> tuple[Reader, str]:
        return Reader(load_model(folder)), "Your own model, from the folder that the dashboard was started with."

    def aligned(pair: str, size: str, posts: int) -> tuple[Reader, str]:
        model, accuracy = quick_align(*PAIRS[pair], size, posts)
        return Reader(model), (f"A head aligned just now on {posts:,} generated posts: right on {accuracy:.0%} of "
                               f"{posts // 4:,} validation posts. It lasts until the dashboard ends.")

    choices: dict[str, Callable] = {OWN: own} if folder else {}
    choices[SHIPPED] = shipped
    for size, posts, remark in (("mini", 3000, "15 seconds"), ("full", 1000, "a download")):
        for pair, name in NAMES.items():
            if (pair, size) != ("distilbert+vit", "mini"):
                choices[f"{name}, {size} ({remark})"] = functools.partial(aligned, pair, size, posts)
    return choices


class Answers:
    """What the page answers; the first model is loaded at once.

    What one side says by itself is kept for a while: who types does not wait for the picture again.
    """

    def __init__(self, choices: dict[str, Callable[[], tuple[Reader, str]]]):
        self.choices, self.posts, self.loading = choices, examples(), threading.Lock()
        self.first = next(iter(choices))
        self.loaded = {self.first: choices[self.first]()}  # name → its reader, and a line about it
        self.coming, self.refused = set[str](), set[str]()  # those being loaded, and those that cannot be had
        self._opened = functools.lru_cache(maxsize=8)(opened)
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

    def answer(self, text: str, file: str | None, name: str) -> str:
        """What the post says; or, while one side is missing, the other alone; or what is wrong with either."""
        post, faults = self._given(text, file)
        if name in self.coming:
            return panels.paragraph("This model is still being made ready. Go on writing: your post is read as soon as "
                                    "the model is there.")
        if name not in self.loaded:
            faults.append("This model is not there: choose another, or the same once more.")
        if faults:
            return "".join(panels.note(fault) for fault in faults)
        reader = self.loaded[name][0]
        if len(post) == 2:
            return answer_html(self._read(reader, post))
        for side, item in post.items():
            strange = reader.strange(side, item)
            said = about_strange({side: strange}, not strange)
            said += remarks(reader.model, [item]) if side == "text" else []
            return alone_html(SUBJECTS[side], reader.classes,
                              None if strange else reader.alone(side, [item])[0].tolist(), said)
        return HINT_ANSWER

    def whatif(self, text: str, file: str | None, name: str, other_text: str, other_file: str | None) -> str:
        """The same post with another text, with another picture, and with both where both are given."""
        mine, faults = self._given(text, file)
        other, other_faults = self._given(other_text, other_file)
        if other_faults:
            return "".join(panels.note(fault) for fault in other_faults)
        if faults or not other or len(mine) < 2 or name not in self.loaded:
            return HINT_WHATIF
        reader = self.loaded[name][0]
        named = {"text": "with the other text", "image": "with the other picture"}
        posts = {named[side]: {**mine, side: item} for side, item in other.items()}
        if len(other) == 2:
            posts["with both"] = other
        return whatif_html(self._read(reader, mine),
                           {changed: self._read(reader, post) for changed, post in posts.items()})

    def mattered(self, text: str, file: str | None, name: str) -> str:
        """The words and the regions that speak for what their side says."""
        post, faults = self._given(text, file)
        if faults or len(post) < 2 or name not in self.loaded:
            return HINT_MATTERED  # the answer says why
        return mattered_html(self._words(name, text), self._regions(name, file))

    def read(self, text: str, picture: str | None) -> dict[str, Any]:
        """Read one post: its text and its picture (a file) → label, probabilities, what each side alone would say."""
        text = checked_text(text)
        return self.loaded[self.first][0].read(text, opened(picture)).summary

    def _given(self, text: str, file: str | None) -> tuple[dict[str, Any], list[str]]:
        """The sides of a post that are there, and a sentence for each that is there and cannot be read."""
        post, faults = {}, []
        for side, item, check in (("text", text, checked_text), ("image", file, self._picture)):
            if not item or side == "text" and is_blank(item):
                continue
            try:
                post[side] = check(item)
            except ValueError as error:
                faults.append(_sentence(error))
        return post, faults

    def _picture(self, path: str) -> Image.Image:
        if not os.path.exists(path):  # deleted meanwhile: then what was kept of it goes, too
            self._opened.cache_clear()
        return self._opened(path)

    def _read(self, reader: Reader, post: dict[str, Any]) -> Reading:
        return reader.read(post["text"], post["image"])

    def _explain_text(self, name: str, text: str) -> Words:
        return explain_text(self.loaded[name][0], text)

    def _explain_picture(self, name: str, path: str) -> Regions:
        return explain_picture(self.loaded[name][0], self._picture(path))


def opened(path: str | None) -> Image.Image:
    """An uploaded picture, brought down to what a model can use of it.

    Raises:
        ValueError: whatever is wrong with it, without naming a place on this machine.
    """
    if not path:
        raise ValueError("there is no picture: add one.")
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError:
        raise ValueError("the picture is no longer here: add it again.") from None
    image = picture_from_bytes(data, "the picture")
    factor = min(image.size) // LARGE
    return image.reduce(factor) if factor > 1 else image


def _sentence(error: Exception) -> str:
    message = str(error)
    return message[:1].upper() + message[1:]
