"""Which posts are these? A checksum tells them from others."""

from __future__ import annotations

import hashlib

from ..checksums import sha256
from .food import FoodPosts
from .noise import SyntheticDataset
from .own import FilePosts
from .post import Posts


def identity(posts: Posts) -> str:
    """A checksum that tells posts from others: of generated ones' settings, of all others' content."""
    found = hashlib.sha256()
    if type(posts) in (FoodPosts, SyntheticDataset):
        found.update(repr((type(posts).__name__, sorted((name, repr(value)) for name, value in vars(posts).items()))
                          ).encode())
    elif type(posts) is FilePosts:
        for text, path, label in posts.rows:
            found.update(repr((text, label, sha256(path))).encode())
    else:
        for post in (posts[i] for i in range(len(posts))):  # a for loop over them ends at an IndexError alone
            image = post.image
            found.update(repr((post.text, post.label, post.relation, post.text_kind, post.picture_level,
                               image and (image.mode, image.size))).encode())
            if image is not None:
                found.update(image.tobytes())
    return found.hexdigest()[:32]
