"""What the variants of the exercises of Part I change: what a check is given, and the words that go with it.

Each choice is a pair: the keyword arguments of the exercise's check; and words of its card, stub and folds → the words
in their place. Words stand for all their places in the exercise; blanks also for the end of a line.
"""

from __future__ import annotations

import math
from typing import Any

Choices = list[tuple[dict[str, Any], dict[str, str]]]


def _bands() -> dict[str, Choices]:
    """1.2: how many guessing readers the band holds; 1.4, which leans on it: how far luck may move the result."""
    held, moved = [], []
    for middle, z, luck, due in ((80, "1.282", 0.025, 657), (90, "1.645", 0.03, 752), (99, "2.576", 0.05, 664)):
        held.append(({"middle": middle}, {"`95` in `100`": f"`{middle}` in `100`", "1.96": z}))
        moved.append(({"due": due}, {
            "by no more than `0.05` up or down, in the middle `95` of": f"by no more than `{luck}` up or down, in the "
                                                                        f"middle `{middle}` of",
            "About `400` test posts": f"About `{due}` test posts", "posts=500": f"posts={due + 60}"}))
    return {"1.2": held, "1.4": moved}


def _padding() -> Choices:
    """2.2: on which side the padding stands, and which number stands for it in the mask."""
    front = {
        "`ids`: the ids of each text, then padding.": "`ids`: padding, then the ids of each text.",
        "padding tokens at its end;": "padding tokens before it;",
        "text + [filler] * (longest - len(text))": "[filler] * (longest - len(text)) + text",
        "Padding goes to the end here, as BERT was trained with `[CLS]` in first place; some networks that write text "
        "pad in front.": "Padding goes in front here, as networks that write text like it; BERT was trained with "
                         "`[CLS]` in first place, and has it at the end."}
    ones = "its mask is as many ones as it has ids, then that many zeros."
    line = "[1] * len(text) + [0] * (longest - len(text))"
    said = "`mask`: `1` for a real token, `0` for padding."
    turned = {said: "`mask`: `0` for a real token, `1` for padding.", "`ids != filler`": "`ids == filler`"}
    return [
        ({"left": True}, {**front, ones: "its mask is that many zeros, then as many ones as it has ids.",
                          line: "[0] * (longest - len(text)) + [1] * len(text)"}),
        ({"real": 0}, {**turned, ones: "its mask is as many zeros as it has ids, then that many ones.",
                       line: "[0] * len(text) + [1] * (longest - len(text))"}),
        ({"left": True, "real": 0}, {
            **front, **turned, ones: "its mask is that many ones, then as many zeros as it has ids.",
            line: "[1] * (longest - len(text)) + [0] * len(text)"})]


def _covers() -> Choices:
    """3.3: what a patch is covered with."""
    return [({"cover": cover}, {
        "covered with grey, `0.5`": f"covered with {colour}, `{cover}`", "= 0.5": f"= {cover}",
        "how far its pixel is from grey": f"how far its pixel is from {cover}",
        "grey would pile up": "the colour would pile up", "`(picture - 0.5) * weights`": f"`(picture - {cover}) * "
        "weights`", "A patch that *is* grey": f"A patch that *is* {colour}"})
        for cover, colour in ((0.2, "dark grey"), (0.3, "dark grey"), (0.7, "light grey"), (0.8, "light grey"))]


def _layers() -> Choices:
    """4.1: how many hidden layers a head has."""
    return [({"m": deep - 1}, {
        "for a head like that of section 4, with two hidden layers of": f"for a head like that of section 4, but with "
                                                                        f"{words} hidden layers of",
        "second = ...": "middle = ...  # all layers between", "second = hidden * hidden + hidden":
        f"middle = {deep - 1} * (hidden * hidden + hidden)", "first + second + last": "first + middle + last",
        "then `hidden * hidden + hidden`,": f"then {times} `hidden * hidden + hidden`,",
        "What enters the second, and what leaves it?": "What enters each of those behind it, and what leaves it?",
        "The second grows with": "Those behind it grow with"})
        for deep, words, times in ((3, "three", "twice"), (4, "four", "three times"), (5, "five", "four times"))]


def _bases() -> Choices:
    """4.3: whose powers the shares are made of."""
    return [({"unit": 1 / math.log(base)}, {
        "shares that sum to `1`. No NaN": f"shares that sum to `1`, made from powers of `{base}` where section 4 has "
                                          "powers of e. No NaN",
        "with `torch.exp`, and": f"with `{base:.1f} ** logits`, and", "no power of e gets": f"no power of {base} gets",
        "becomes e⁰,": f"becomes {base}⁰,", "torch.exp(logits": f"{base:.1f} ** (logits",
        "multiplies each power by e⁻ᵐ": f"multiplies each power by {base}⁻ᵐ"}) for base in (2, 3, 10)]


def _limits() -> Choices:
    """5.1: from which probability on a post is called positive."""
    return [({"sure": sure}, {
        "where its probability is above one half": f"where its probability is above `{sure}`",
        "which logit does the sigmoid turn into one half?": f"which logit does the sigmoid turn into one half, and "
                                                            f"which into `{sure}`?",
        "A logit above zero says positive, since the sigmoid of zero is one half.":
            f"A logit above $\\ln({sure} / {1 - sure:g})$, about {logit}, says positive, since its sigmoid is {sure}.",
        "logits.squeeze(-1) > 0": f"logits.squeeze(-1) > math.log({sure} / (1 - {sure}))",
        "passes one half at a logit of zero": f"passes {sure} at a logit of about {logit}",
        "comparing the logit itself with one half, though, would call some faintly positive posts negative.":
            f"comparing the logit itself with {sure}, or with zero, would call other posts positive."})
        for sure, logit in ((0.2, "-1.386"), (0.3, "-0.847"), (0.8, "1.386"))]


def _levels() -> Choices:
    """6.3: how sure the interval is; the quantiles of Student's t, and those of many runs."""
    return [({"level": level}, {
        "the 95 % interval over seeds of section 8": f"the {level} % interval over seeds, where section 8 has one of "
                                                     "95 %",
        "{1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306}": table,
        "comes close to the well-known `1.96`; with two it is more than six times as large":
            f"comes close to `{many}`; with two it is several times as large"})
        for level, many, table in (
            (80, "1.282", "{1: 3.078, 2: 1.886, 3: 1.638, 4: 1.533, 5: 1.476, 6: 1.44, 7: 1.415, 8: 1.397}"),
            (90, "1.645", "{1: 6.314, 2: 2.92, 3: 2.353, 4: 2.132, 5: 2.015, 6: 1.943, 7: 1.895, 8: 1.86}"),
            (99, "2.576", "{1: 63.657, 2: 9.925, 3: 5.841, 4: 4.604, 5: 4.032, 6: 3.707, 7: 3.499, 8: 3.355}"))]


def _moods() -> Choices:
    """7.1: up to which strength a side is neutral."""
    signs = "text, picture = np.sign(text), np.sign(picture)  # the moods: -1, 0 or 1"
    return [({"top": top, "mild": mild}, {
        "a whole number from `-2` (awful) over `0` (neutral) to `2` (glowing), or":
            f"a whole number from `-{top}` (awful) to `{top}` (glowing), of which `-{mild}` to `{mild}` are all "
            "neutral, or",
        "a whole number from `-2` to `2`;": f"a whole number from `-{top}` to `{top}`, of which `-{mild}` to `{mild}` "
                                            "are neutral as well;",
        "as section 1 explains them": "as section 1 explains them, for moods",
        f"{signs}\n    return ...": "text, picture = ..., ...  # the moods: -1, 0 or 1\n    return ...",
        f"{signs}\n    if text": f"text, picture = (np.sign(side) * (abs(side) > {mild}) for side in (text, picture))"
                                 "  # the moods: -1, 0 or 1\n    if text",
        "Multiply the two moods.": "Turn each side into a mood first, then multiply the two.",
        "The strength goes first: `np.sign` leaves the mood alone, so that":
            "The strength goes first: what is too weak becomes 0, and `np.sign` leaves the mood of the rest, so that"})
        for mild, top in ((1, 3), (2, 4), (3, 5))]


def _warnings() -> Choices:
    """8.1: where a warning sounds."""
    return [({"warns": name}, {
        "where one side alone says *negative* and the other *positive*.": f"where {rule}.",
        "Two moods quarrel if one is -1 and the other 1: what is their product then, and for which other pairs is it "
        "so?": "Two arrays are compared place by place, and what comes out is an array of `True` and `False`: what do "
               "you compare with what here?",
        "A warning sounds where the product of the moods is -1.": f"A warning sounds where {rule}.",
        "text * picture == -1": code})
        for name, rule, code in (
            ("differ", "the two sides alone do not say the same", "text != picture"),
            ("bad", "one side alone says *negative* and the other does not", "(text == -1) != (picture == -1)"))]


CHOICES: dict[str, Choices] = {**_bands(), "2.2": _padding(), "3.3": _covers(), "4.1": _layers(), "4.3": _bases(),
                                "5.1": _limits(), "6.3": _levels(), "7.1": _moods(), "8.1": _warnings()}
