"""Miniatures of published sets: files of exactly their layouts, drawn and written here, with the mess of real ones.

A stand-in where the real files may not be had. A post has a mood for each side, drawn from a table. Annotators see
these through a confusion and write what the label table holds. The text shows its mood often and its picture seldom, so
that what models reach is about what they reach on real posts; how high that is means nothing for any real set.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from ..generated import checked_seed
from ..post import LABELS
from .drawn_memes import write_hateful_memes, write_memotion
from .mess import again, messy, sentence, stored, tagged
from .snapshots import save, snapshot, spoil

SMALLEST = 60  #: posts: with fewer there is no room for one of each trap
#: Mood (negative, neutral, positive) → how often an annotator says each.
CONFUSION = np.array([[0.88, 0.10, 0.02], [0.06, 0.88, 0.06], [0.02, 0.10, 0.88]])
#: Set → how often the text has the mood of the row and the picture that of the column. Seen through `CONFUSION`, that
#: of Single gives the true shares: the sides agree on 2,592 of 4,869 posts and are opposed on 358, and of what the
#: usual rule leaves 2,683 are positive, 470 neutral and 1,358 negative. That of Multiple gives about the true ones.
SIDES = {"mvsa-single": np.array([[0.183, 0.050, 0.023], [0.050, 0.079, 0.119], [0.023, 0.119, 0.354]]),
         "mvsa-multiple": np.array([[0.030, 0.020, 0.035], [0.020, 0.240, 0.155], [0.035, 0.155, 0.310]])}
AGAIN = 0.05  #: share of posts that are an earlier one once more, with its picture saved anew
_UNUSABLE = ("empty", "cut off", "web page", "missing", "no text")  # each once in every 300 posts, and at least once
_MOODS = (0.12, 0.59, 0.29)  # about Twitter-2015's shares of negative, neutral and positive
_SPLITS = {"train": 0.6, "dev": 0.21, "test": 0.19}  # Twitter-2015's shares


def write_miniature(folder: str | Path, kind: str = "mvsa-single", n: int = 600, seed: int = 0) -> Path:
    """Write a miniature of a set.

    Args:
        folder: where it goes; made if it is not there.
        kind: one of `KINDS`.
        n: rows of its label tables, all splits together. Some of these posts cannot be used, as in the real sets.
        seed: of everything that is drawn.

    Returns:
        The folder, for the set's loader.

    Raises:
        FileExistsError: if something lies in the folder.
        ValueError: for a kind that there is not, or fewer than `SMALLEST` posts.
    """
    if kind not in KINDS:
        raise ValueError(f"kind is {kind!r}: expected one of {', '.join(KINDS)}.")
    if n < SMALLEST:
        raise ValueError(f"n is {n}: expected at least {SMALLEST} posts, so that each trap has its place.")
    place = Path(folder)
    if place.is_dir() and any(place.iterdir()):
        raise FileExistsError(f"{place} holds files already: name a new folder, or empty this one.")
    place.mkdir(parents=True, exist_ok=True)
    KINDS[kind](place, n, np.random.default_rng(checked_seed(seed)))
    return place


def _mvsa(place: Path, n: int, rng: np.random.Generator, kind: str, annotators: int) -> None:
    data = place / "data"
    data.mkdir()
    ids = np.sort(rng.choice(np.arange(1, n + n // 20 + 1), n, replace=False))  # with gaps, as the true ones
    drawn = rng.choice(9, n, p=SIDES[kind].reshape(-1) / SIDES[kind].sum())
    sides = np.stack(np.divmod(drawn, 3), 1)  # (posts, 2)
    texts: list[str] = []
    pictures: list[Image.Image] = []
    for number in range(n):
        if number > 10 and rng.random() < AGAIN:
            other = int(rng.integers(number))
            sides[number] = sides[other]
            texts.append(again(texts[other], rng))
            pictures.append(pictures[other])
        else:
            feeling, shown = (LABELS[side] for side in sides[number])
            texts.append(messy(sentence(feeling, rng), feeling, rng))
            pictures.append(snapshot(shown, rng))
        (data / f"{ids[number]}.txt").write_bytes(stored(texts[-1], rng))
        save(pictures[-1], data / f"{ids[number]}.jpg", rng)
    rows = ["ID" + annotators * "\ttext,image"]
    for number in range(n):
        said = [[LABELS[rng.choice(3, p=CONFUSION[side])] for side in sides[number]] for _ in range(annotators)]
        rows.append("\t".join([str(ids[number]), *(",".join(pair) for pair in said)]))
    (place / "labelResultAll.txt").write_bytes("\n".join([*rows, ""]).encode())
    every = max(1, n // 300)
    for at, how in zip(rng.choice(n, every * len(_UNUSABLE), replace=False), every * _UNUSABLE):
        if how == "no text":
            (data / f"{ids[at]}.txt").write_bytes(b"  \n")
        else:
            spoil(data / f"{ids[at]}.jpg", how)


def _twitter(place: Path, n: int, rng: np.random.Generator) -> None:
    images = place / "twitter2015_images"
    images.mkdir()
    names = rng.choice(np.arange(10_000, 2_000_000), n, replace=False)
    splits: dict[str, list[str]] = {split: [] for split in _SPLITS}
    wanted = {split: round(share * n) for split, share in _SPLITS.items()}
    wanted["train"] += n - sum(wanted.values())
    tweet = 0
    seen: list[tuple[int, str, int]] = []  # the mood, text and picture of each tweet
    for split, rows in splits.items():
        while len(rows) < wanted[split]:
            mood = int(rng.choice(3, p=_MOODS))
            if seen and rng.random() < AGAIN:
                mood, tokens, picture = seen[rng.integers(len(seen))]
                tokens = again(tokens, rng).replace("@", "@ ").replace("@  ", "@ ").replace(": ", " : ")
            else:
                felt, shown = (LABELS[rng.choice(3, p=CONFUSION[mood])] for _ in range(2))
                said = sentence(felt, rng, named=True)
                tokens, picture = _tokens(tagged(said, felt, rng), said.name), int(names[tweet])
                save(snapshot(shown, rng), images / f"{picture}.jpg", rng)
                seen.append((mood, tokens, picture))
                tweet += 1
            name, tag = re.findall(r"\[(.+?)\]|(# \w+)$", tokens)[0][0], re.findall(r"# \w+$", tokens)[0]
            whole = tokens.replace("[", "").replace("]", "")
            rows.append(_row(len(rows), mood, picture, whole, name))
            if len(rows) < wanted[split] and rng.random() < 0.4:  # of the subject as such nothing is said
                rows.append(_row(len(rows), 1, picture, whole, tag))
    spoil(images / f"{seen[-1][2]}.jpg", "cut off")
    for split, rows in splits.items():
        header = "#1 ImageID\t#2 String\t#2 String" if split == "test" else "#1 Label\t#2 ImageID\t#3 String\t#3 String"
        (place / f"{split}.tsv").write_bytes("\n".join([f"index\t{header}", *rows, ""]).encode())


def _tokens(text: str, name: str) -> str:
    """A text in pieces with spaces between them, as TomBERT's files have it; [ and ] stand around the name."""
    return re.sub(r" +", " ", re.sub(r"([^\w\s\[\]])", r" \1 ", text.replace(name, f"[{name}]", 1))).strip()


def _row(number: int, label: int, picture: int, text: str, target: str) -> str:
    return f"{number + 1}\t{label}\t{picture}.jpg\t{text.replace(target, '$T$', 1)}\t{target}"


#: Name → what writes the miniature of that set: a function of the folder, how many posts, and the generator.
KINDS: dict[str, Callable[[Path, int, np.random.Generator], None]] = {
    "mvsa-single": partial(_mvsa, kind="mvsa-single", annotators=1),
    "mvsa-multiple": partial(_mvsa, kind="mvsa-multiple", annotators=3),
    "twitter2015": _twitter, "hateful-memes": write_hateful_memes, "memotion": write_memotion,
}
