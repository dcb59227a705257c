"""Which posts are these? A checksum tells a set of posts from others, digests tell each of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from ..checksums import sha256
from .food import FoodPosts
from .likeness import (
    PICTURE_BYTES,
    TEXT_BYTES,
    VOICE_BYTES,
    Digests,
    picture_digest,
    same_among,
    text_digest,
    voice_digest,
)
from .noise import SyntheticDataset
from .own import FilePosts
from .places import PlacePosts
from .post import Post, Posts
from .sound import Sound
from .sources import Stored, sound_of
from .spoken import SpokenPosts


def digests_of(posts: Posts) -> Digests:
    """The digests of posts. Each picture and recording is opened once, unless it has been before."""
    if isinstance(posts, FilePosts) and posts.digests is not None:
        texts = _stacked([None if row.text is None else text_digest(row.text) for row in posts.rows], TEXT_BYTES)
        pictures, voices = posts.digests["image"], posts.digests.get("voice")
    else:
        found: list[list[np.ndarray | None]] = [[], [], []]
        for post in _each(posts):
            found[0].append(None if post.text is None else text_digest(post.text))
            found[1].append(None if post.image is None else picture_digest(post.image.convert("RGB")))
            found[2].append(None if post.voice is None else voice_digest(post.voice))
        texts, pictures, voices = (_stacked(rows, width) for rows, width in zip(
            found, (TEXT_BYTES, PICTURE_BYTES, VOICE_BYTES)))
    return Digests(texts, pictures, voices) if voices is not None and voices.any() else Digests(texts, pictures)


def _stacked(rows: list[np.ndarray | None], width: int) -> np.ndarray:
    """(posts, width), zeros where there is none."""
    return np.stack([np.zeros(width, np.uint8) if row is None else row for row in rows] or [
        np.zeros(width, np.uint8)])[:len(rows)]


def _each(posts: Posts) -> Iterator[Post]:
    return (posts[i] for i in range(len(posts)))  # a for loop over them ends at an IndexError alone


def seen(posts: Posts, digests: Digests) -> dict[str, int]:
    """How many posts are among those that the digests are of: with text and picture, with their text, their picture;
    and with their voice, where those had any.

    A text counts as the same in any case and white space, a picture saved anew too. A post of which the text is one
    known post's and the picture another's counts for both, and not as a whole.
    """
    own = digests_of(posts)
    known: dict[bytes, list[int]] = {}
    for place, row in enumerate(digests.texts):
        if row.any():
            known.setdefault(row.tobytes(), []).append(place)
    with_picture = np.flatnonzero(digests.pictures.any(1))
    found = {"text and picture": 0, "text": 0, "picture": 0}
    alike = same_among(own.pictures, digests.pictures[with_picture])
    for text, picture, places in zip(own.texts, own.pictures, alike):
        texts, pictures = known.get(text.tobytes(), []), places if picture.any() else places[:0]
        found["text"] += bool(texts)
        found["picture"] += bool(len(pictures))
        found["text and picture"] += not set(texts).isdisjoint(with_picture[pictures].tolist())
    if len(digests.voices):
        heard = {row.tobytes() for row in digests.voices if row.any()}
        found["voice"] = sum(row.tobytes() in heard for row in own.voices)
    return found


def identity(posts: Posts) -> str:
    """A checksum that tells posts from others: of generated ones' settings, of all others' content."""
    found = hashlib.sha256()
    if type(posts) in (FoodPosts, PlacePosts, SpokenPosts, SyntheticDataset):
        found.update(repr((type(posts).__name__, sorted((name, repr(value)) for name, value in vars(posts).items()))
                          ).encode())
    elif isinstance(posts, FilePosts):
        sums: dict[Path, str] = {}  # a file of many posts is read once
        for row in posts.rows:
            heard = () if row.voice is None else (_content("voice", row.voice, sums),)
            found.update(repr((row.text, row.label, _content("image", row.image, sums), *heard)).encode())
        found.update(repr(posts.classes).encode())
    else:
        for post in _each(posts):
            image = post.image
            found.update(repr((post.text, post.label, post.relation, post.text_kind, post.picture_level,
                               image and (image.mode, image.size))).encode())
            if image is not None:
                found.update(image.tobytes())
            if post.voice is not None:
                found.update(repr((post.voice.rate, post.voice.samples.shape)).encode() + post.voice.samples.tobytes())
    return found.hexdigest()[:32]


def _content(side: str, stored: Stored | None, sums: dict[Path, str]) -> str | None:
    """A checksum of a picture or recording; of a file's bytes, so that it need not be opened."""
    if isinstance(stored, Path):
        if stored not in sums:
            sums[stored] = sha256(stored)
        return sums[stored]
    opened: Image.Image | Sound | None = None
    if stored is not None:
        opened = stored.open() if side == "image" else sound_of(stored)
    if opened is None:
        return None
    if isinstance(opened, Sound):
        return hashlib.sha256(repr(opened.rate).encode() + opened.samples.tobytes()).hexdigest()
    return hashlib.sha256(repr(opened.size).encode() + opened.tobytes()).hexdigest()
