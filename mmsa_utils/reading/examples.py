"""Posts to start with, drawn large enough to be looked at."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..posts.food import PIXELS, burger_example, make_post
from ..posts.post import Post
from ..posts.spoken import make_spoken


def examples() -> dict[str, Post]:
    """Four posts of a text and a picture, by name."""
    chosen: dict[str, Any] = {"a contradiction": ("The pizza was disgusting.", -2, 1, "pizza", 3),
              "sarcasm": ("What a glorious burger!", 2, -2, "burger", 5),
              "nothing like the photo": ("This salad is nothing like the photo.", "opposite", 2, "salad", 2)}
    return {"the burger": burger_example(PIXELS["full"]),
            **{name: replace(make_post(kind, level, dish, seed, PIXELS["full"]), text=text)
               for name, (text, kind, level, dish, seed) in chosen.items()}}


def spoken_examples() -> dict[str, Post]:
    """Four posts with a voice, by name; one of them has no picture."""
    chosen: dict[str, Any] = {
        "praise in a flat voice": ("This burger is delicious!", 2, 2, "flat", "burger", "Ada"),
        "the voice decides": ("The pizza was delicious.", 2, 0, -2, "pizza", "Dario"),
        "two against one": ("The soup was awful.", -2, 2, 2, "soup", "Greta"),
        "without a picture": ("What a glorious salad!", 2, 0, 2, "salad", "Felix")}
    posts = {name: replace(make_spoken(said, shown, tone, dish, 3, speaker, PIXELS["full"]), text=text)
             for name, (text, said, shown, tone, dish, speaker) in chosen.items()}
    return {name: replace(post, image=None) if name == "without a picture" else post for name, post in posts.items()}
