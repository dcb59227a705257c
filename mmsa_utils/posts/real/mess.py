"""Texts as they are really found: with hashtags, mentions, links, slips, and in one encoding or another."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .decoding import as_cp1252
from .wording import DAYS, SHARES, SUBJECTS, TAILS

#: How a text is stored → share of the posts.
STORED = {"utf-8": 0.8, "cp1252": 0.09, "mojibake": 0.08, "mark": 0.02, "cut": 0.01}
LONGEST = 140  # signs, as tweets had then
_MENTIONS = ("@sam_w", "@harbour_lou", "@the_real_bo", "@mrs_fig", "@tom_and_jo", "@daily_arden", "@kit77", "@nadja_b")
_SIGNS = {"positive": (":)", ":D", "\u2764", "\U0001F60D", "\U0001F389", "<3", "\U0001F602"),
          "negative": (":(", ":/", "\U0001F622", "\U0001F621", "\U0001F612", "\U0001F602"),
          "neutral": ("\u2600", "\U0001F4F7", "\u2192", "\u2713", "\U0001F447", ":)")}
_TAGS = {"positive": ("love", "happy", "blessed", "goodtimes", "winning"),
         "negative": ("fail", "fedup", "sadface", "mondays", "nope"),
         "neutral": ("photo", "news", "tbt", "picoftheday", "weekend")}
_FEELINGS = {"positive": "glad", "neutral": "plain", "negative": "cross"}


class Said(NamedTuple):
    """A text, and what it is about."""

    text: str
    name: str  # that it names; empty if it names none
    subject: str


def sentence(mood: str, rng: np.random.Generator, subject: str = "", named: bool = False) -> Said:
    """What somebody in a mood posts, neat as yet.

    Args:
        mood: "negative", "neutral" or "positive". It is the writer's: not every text of his shows it.
        subject: a name in `SUBJECTS`; else one is drawn.
        named: only sentences that name something.
    """
    about = SUBJECTS[subject or str(rng.choice(list(SUBJECTS)))]
    kinds, shares = list(SHARES[mood]), np.array(list(SHARES[mood].values()))
    kind = str(rng.choice(kinds, p=shares / shares.sum()))
    if named and kind in "><":
        kind = {">": "+", "<": "-"}[kind]  # what happened is told without a name
    lines = [line.text for line in about.lines if line.kind == kind and (not named or "{name}" in line.text)]
    line = lines[rng.integers(len(lines))]
    name = str(rng.choice(about.names)) if "{name}" in line else ""
    if rng.random() < 0.25:
        feeling = _FEELINGS[mood] if rng.random() < 0.6 else "plain"
        line += f". {TAILS[feeling][rng.integers(len(TAILS[feeling]))]}"
    text = line.format(name=name, day=DAYS[rng.integers(7)], n=int(rng.integers(11, 35)))
    return Said(text, name, about.name)


def messy(said: Said, mood: str, rng: np.random.Generator) -> str:
    """A text with what people and programs do to it, at most `LONGEST` signs long."""
    text = said.text
    if rng.random() < 0.35:
        text = text.replace("'", "\u2019").replace(". ", "\u2026 ", 1)
    if rng.random() < 0.15:
        text = text.lower()
    elif rng.random() < 0.05:
        text = text.upper()
    if rng.random() < 0.12:
        text = text.replace("so ", "sooo ").replace(" and ", " &amp; ").replace("really", "rly").replace("you", "u")
    if rng.random() < 0.12:
        at = int(rng.integers(1, len(text) - 1))
        text = text[:at] + text[at + 1] + text[at] + text[at + 2:]  # two letters in the wrong order
    if rng.random() < 0.12:
        text += "!" * int(rng.integers(1, 4))
    if rng.random() < 0.3:  # a sign need not say what the writer feels
        signs = _SIGNS[mood if rng.random() < 0.6 else str(rng.choice(list(_SIGNS)))]
        text += " " + signs[rng.integers(len(signs))] * int(rng.integers(1, 3))
    tags: list[str] = []
    for _ in range(int(rng.integers(0, 4))):
        others = _TAGS[mood if rng.random() < 0.35 else "neutral"]
        tags.append(" #" + (said.subject if rng.random() < 0.5 else others[rng.integers(len(others))]))
    text += "".join(dict.fromkeys(tags))
    if rng.random() < 0.2:
        text = f"{_MENTIONS[rng.integers(len(_MENTIONS))]} {text}"
    if rng.random() < 0.12:
        text = f"RT {_MENTIONS[rng.integers(len(_MENTIONS))]}: {text}"
    if rng.random() < 0.5:
        text += f" http://t.co/{''.join(rng.choice(list('abcdefghkmnpqrstuvwxyzABCDEFG0123456789'), 10))}"
    return text if len(text) <= LONGEST else text[:LONGEST - 1] + "\u2026"


def tagged(said: Said, mood: str, rng: np.random.Generator) -> str:
    """A neat text with hashtags, of which the last is its subject, and now and then as a retweet."""
    others = _TAGS[mood if rng.random() < 0.35 else "neutral"]
    text = f"{said.text} #{others[rng.integers(len(others))]} #{said.subject}"
    return f"RT {_MENTIONS[rng.integers(len(_MENTIONS))]}: {text}" if rng.random() < 0.5 else text


def again(text: str, rng: np.random.Generator) -> str:
    """A text once more: as it is, or as a retweet."""
    return text if rng.random() < 0.5 else f"RT {_MENTIONS[rng.integers(len(_MENTIONS))]}: {text}"


def stored(text: str, rng: np.random.Generator) -> bytes:
    """A text as its file holds it, in one of the ways of `STORED`. In plain ASCII most of them are the same."""
    how = str(rng.choice(list(STORED), p=list(STORED.values())))
    if how == "cp1252":
        return text.encode("cp1252", errors="replace")  # pictograms become question marks, as they did for many
    if how == "mojibake":
        return as_cp1252(text.encode()).encode()
    if how == "cut" and not text.isascii():
        last = max(at for at, sign in enumerate(text) if not sign.isascii())
        return text[:last + 1].encode()[:-1]
    return text.encode("utf-8-sig" if how == "mark" else "utf-8")
