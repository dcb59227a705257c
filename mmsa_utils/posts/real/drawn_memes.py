"""Miniatures of the sets of memes: texts written on drawn pictures, in the layouts of Hateful Memes and Memotion.

What is hated here are printers, Mondays and the like, never people.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np

from ..post import LABELS
from .mess import sentence
from .snapshots import save, snapshot, spoil, written

_THINGS = ("printers", "Mondays", "wasps", "alarm clocks", "wet socks", "queues", "passwords", "leaf blowers",
           "jingles", "parking meters", "ironing", "hold music", "cold calls", "tangled cables", "weeds", "red lights")
_MEAN = ("throw all {thing} into the sea", "nobody will ever miss {thing}", "{thing} should not exist",
         "{thing} ruin everything they touch", "the only good {thing} are no {thing}", "{thing} get what they deserve",
         "ban {thing} now", "I cannot stand {thing}")
_KIND = ("be nice to {thing} today", "{thing} made me who I am", "never laugh at {thing}", "hug your {thing}",
         "{thing} need our help", "say thank you to {thing}", "in praise of {thing}", "{thing}, our best friends")
# What these mean hangs on the picture.
_OPEN = ("look how much we all love {thing}", "what would the world be without {thing}", "this is how {thing} feel",
         "everybody deserves {thing}", "when {thing} come to visit", "my face when I see {thing}",
         "a day with {thing}", "waiting for {thing} like", "{thing}, as they really are", "how I picture {thing}")
_SHARES = {"train": 0.7, "dev": 0.15, "test": 0.15}
# Memotion's shares of its 6,992 memes.
_MOODS = {"very_negative": 0.022, "negative": 0.069, "neutral": 0.315, "positive": 0.446, "very_positive": 0.148}
_OTHERS = {"humour": ("not_funny", "funny", "very_funny", "hilarious"),
           "sarcasm": ("not_sarcastic", "general", "twisted_meaning", "very_twisted"),
           "offensive": ("not_offensive",), "motivational": ("not_motivational", "motivational")}
_ENDINGS = (".jpg", ".jpg", ".png", ".jpeg", ".JPG")


def write_hateful_memes(place: Path, n: int, rng: np.random.Generator) -> None:
    """Write train.jsonl, dev.jsonl, test.jsonl (without labels) and img/ with n memes.

    A mean text is hateful and a kind one is not; with one that is neither the picture tells, and each such text has one
    meme of both, so that it cannot be known by its words.
    """
    (place / "img").mkdir()
    ids = rng.choice(np.arange(1_000, 99_999), n, replace=False)
    memes: list[dict] = []
    while len(memes) < n:
        kind = ("mean", "kind", "open")[rng.choice(3, p=(0.2, 0.4, 0.4))]
        texts = {"mean": _MEAN, "kind": _KIND, "open": _OPEN}[kind]
        text = texts[rng.integers(len(texts))].format(thing=_THINGS[rng.integers(len(_THINGS))])
        for mood in ("negative", "positive") if kind == "open" else (LABELS[rng.integers(3)],):
            if len(memes) < n:
                name = f"{ids[len(memes)]:05d}"
                save(written(snapshot(mood, rng), text), place / "img" / f"{name}.png", rng)
                label = int(kind == "mean" or kind == "open" and mood == "negative")
                memes.append({"id": int(name), "img": f"img/{name}.png", "label": label, "text": text})
    order = rng.permutation(n)
    bounds = np.cumsum([round(share * n) for share in _SHARES.values()])
    for split, chosen in zip(_SHARES, np.split(order, bounds[:-1])):
        lines = [{key: value for key, value in memes[at].items() if split != "test" or key != "label"} for at in chosen]
        (place / f"{split}.jsonl").write_bytes("\n".join(json.dumps(line) for line in lines).encode())
    spoil(place / memes[order[0]]["img"], "cut off")


def write_memotion(place: Path, n: int, rng: np.random.Generator) -> None:
    """Write labels.csv and images/ with n memes."""
    (place / "images").mkdir()
    with (place / "labels.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["", "image_name", "text_ocr", "text_corrected", *_OTHERS, "overall_sentiment"])
        for number in range(n):
            voted = str(rng.choice(list(_MOODS), p=list(_MOODS.values())))
            mood = voted.removeprefix("very_")
            shown = mood if rng.random() < 0.6 else LABELS[rng.integers(3)]
            text = sentence(shown, rng).text
            name = f"image_{number + 1}{_ENDINGS[rng.integers(len(_ENDINGS))]}"
            save(written(snapshot(shown, rng), text), place / "images" / name, rng)
            read = text.upper().replace("I", "1", 1) + " memesite.example"
            table.writerow([number, name, "" if rng.random() < 0.01 else read, "" if rng.random() < 0.01 else text,
                            *(options[rng.integers(len(options))] for options in _OTHERS.values()), voted])
    spoil(place / "images" / name, "cut off")
