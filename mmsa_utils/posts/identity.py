"""Which posts are these? A checksum tells a set of posts from others, digests tell each of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ..checksums import sha256
from .food import FoodPosts
from .likeness import PICTURE_BYTES, TEXT_BYTES, Digests, picture_digest, same_among, text_digest
from .noise import SyntheticDataset
from .own import FilePosts
from .places import PlacePosts
from .post import Post, Posts


def digests_of(posts: Posts) -> Digests:
    """The digests of posts. Each picture is opened once, unless it has been before."""
    if isinstance(posts, FilePosts) and posts.digests is not None:
        texts: Sequence[str | None] = [text for text, _, _ in posts.rows]
        pictures = posts.digests
    else:
        rows, texts = [], []
        for post in _each(posts):
            texts.append(post.text)
            rows.append(np.zeros(PICTURE_BYTES, np.uint8) if post.image is None else picture_digest(
                post.image.convert("RGB")))
        pictures = np.stack(rows) if rows else np.zeros((0, PICTURE_BYTES), np.uint8)
    return Digests(np.stack([np.zeros(TEXT_BYTES, np.uint8) if text is None else text_digest(text) for text in texts])
                   if texts else np.zeros((0, TEXT_BYTES), np.uint8), pictures)


def _each(posts: Posts) -> Iterator[Post]:
    return (posts[i] for i in range(len(posts)))  # a for loop over them ends at an IndexError alone


def seen(posts: Posts, digests: Digests) -> dict[str, int]:
    """How many posts are among those that the digests are of: with text and picture, with their text, their picture.

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
    return found


def identity(posts: Posts) -> str:
    """A checksum that tells posts from others: of generated ones' settings, of all others' content."""
    found = hashlib.sha256()
    if type(posts) in (FoodPosts, PlacePosts, SyntheticDataset):
        found.update(repr((type(posts).__name__, sorted((name, repr(value)) for name, value in vars(posts).items()))
                          ).encode())
    elif type(posts) is FilePosts:
        sums: dict[object, str] = {}  # a picture of many posts is read once
        for text, picture, label in posts.rows:
            if not isinstance(picture, Path):
                opened = picture.open()
                content = hashlib.sha256(repr(opened.size).encode() + opened.tobytes()).hexdigest()
            elif picture not in sums:
                content = sums[picture] = sha256(picture)
            else:
                content = sums[picture]
            found.update(repr((text, label, content)).encode())
        found.update(repr(posts.classes).encode())
    else:
        for post in _each(posts):
            image = post.image
            found.update(repr((post.text, post.label, post.relation, post.text_kind, post.picture_level,
                               image and (image.mode, image.size))).encode())
            if image is not None:
                found.update(image.tobytes())
    return found.hexdigest()[:32]
