"""What the variants of the exercises of Part II change: see `changes`."""

from __future__ import annotations

from .changes import Choices


def _tamed() -> Choices:
    """9.1: what brings a side's numbers between -1 and 1."""
    return [({"tamed": name}, {
        "between `-1` and `1` with the hyperbolic tangent": f"between `-1` and `1` by x / {below}",
        "with the tangents of the two sides": "with what the two sides say, each brought between -1 and 1",
        "says = torch.tanh(torch.stack([text, image], dim=1))  # (batch, 2, width)":
            f"says = torch.stack([text, image], dim=1)  # (batch, 2, width)\n    says = says / {code}",
        "For two sides this is the formula of the paper:": "With the hyperbolic tangent in its place this is, for two "
                                                           "sides, the formula of the paper:",
        "The tangent keeps each side": "The division keeps each side"})
        for name, below, code in (("softsign", "(1 + |x|)", "(1 + says.abs())"),
                                  ("root", "√(1 + x²)", "torch.sqrt(1 + says ** 2)"))]


def _grids() -> Choices:
    """9.4: into how many patches the picture is cut."""
    return [({"side": n}, {
        "is cut into 8 x 8 patches": f"is cut into {n} x {n} patches", "an array `(n, 64)`": f"an array `(n, {n * n})`",
        "# (n,), 0 to 63": f"# (n,), 0 to {n * n - 1}",
        "where are patch 0, patch 7, patch 8 and patch 63?":
            f"where are patch 0, patch {n - 1}, patch {n} and patch {n * n - 1}?",
        "reaches from 0 to an eighth": f"reaches from 0 to 1/{n}", "divided by 8 without": f"divided by {n} without",
        "(column + 0.5) / 8 from the left and (row + 0.5) / 8 from":
            f"(column + 0.5) / {n} from the left and (row + 0.5) / {n} from",
        "place // 8, place % 8": f"place // {n}, place % {n}",
        "(column + 0.5) / 8, (row + 0.5) / 8  #": f"(column + 0.5) / {n}, (row + 0.5) / {n}  #"})
        for n in (6, 7, 9, 10)]


def _scales() -> Choices:
    """10.1: which of the mel scales."""
    return [({"factor": factor, "corner": corner}, {
        "this is the other one in use, HTK's.": f"this is an older one, that of {who}.",
        "`2595 * log10(1 + f / 700)`": f"`{factor} * log10(1 + f / {corner})`",
        "by f = 700 · (10^(mel / 2595) − 1)": f"by f = {corner} · (10^(mel / {factor}) − 1)",
        "2595 * np.log10(1 + frequencies[-1] / 700)": f"{factor} * np.log10(1 + frequencies[-1] / {corner})",
        "700 * (10 ** (np.linspace(0, top, bands + 2) / 2595) - 1)":
            f"{corner} * (10 ** (np.linspace(0, top, bands + 2) / {factor}) - 1)",
        "Two scales and three ways": "Several scales and three ways"})
        for factor, corner, who in ((3322, 1000, "Fant (1968)"), (2410, 625, "Lindsay and Norman (1977)"))]


def _floors() -> Choices:
    """10.2: how far below the loudest the floor lies."""
    return [({"lowest": floor}, {
        "What is lower than `-80`, perfect silence too, is `-80`.":
            f"What is lower than `{floor}`, perfect silence too, is `{floor}`.",
        "nothing below -80": f"nothing below {floor}",
        "a hundred-millionth to that, which is −80 dB": f"{small} to that, which is −{-floor} dB",
        "1e-8": f"1e-{-floor // 10}"})
        for floor, small in ((-60, "a millionth"), (-70, "a ten-millionth"), (-90, "a thousand-millionth"))]


def _strides() -> Choices:
    """10.3: how many samples lie between frames, and how often their number is halved."""
    return [({"hop": hop, "times": times}, {
        "one every `160` samples": f"one every `{hop}` samples",
        "a clip of `0` to `159` samples has one frame, one of `160` has two":
            f"a clip of `0` to `{hop - 1}` samples has one frame, one of `{hop}` has two",
        "Three convolutions then halved": f"{many} convolutions then halved",
        "1,279 samples, 1,280 and 1,281": f"{hop * times - 1:,} samples, {hop * times:,} and {hop * times + 1:,}",
        "whole steps of 160; halving three times": f"whole steps of {hop}; halving {many.lower()} times",
        "is dividing by 8 and": f"is dividing by {times} and", "count // 160 + 1) // 8)": f"count // {hop} + 1) "
        f"// {times})", "`count // 1280 + 1`": f"`count // {hop * times} + 1`"})
        for hop, many, times in ((200, "Two", 4), (240, "Two", 4), (100, "Four", 16), (128, "Four", 16))]


def _odds() -> Choices:
    """11.4: how rarely chance may pass the limit."""
    return [({"limit": limit}, {
        "above `5.991`, which chance passes in one table of twenty":
            f"above `{limit:.3f}`, which chance passes in one table of {tables}",
        "compare it with 5.991": f"compare it with {limit:.3f}", "statistic > 5.991": f"statistic > {limit:.3f}"})
        for limit, tables in ((4.605, "ten"), (9.21, "a hundred"))]


def _votes() -> Choices:
    """12.1: how many people voted on each side, and how many make a majority."""
    return [({"people": people, "need": need}, {
        "Six votes, one label": "Many votes, one label",
        "MVSA-Multiple has six votes for each post and no label":
            "real sets have many votes for each post and no label",
        "the rule of most papers:": f"the rule of most papers, for {who} people in place of three:",
        "a list of three labels each, what three people said": f"a list of {who} labels each, what {who} people said",
        "that at least two of its three votes have; if all three differ, the post is dropped;":
            f"that at least {many} of its {who} votes have; if none has, the post is dropped;",
        "where no label has two votes": f"where no label has {many} votes",
        "with a count of two or more": f"with a count of {many} or more",
        "votes.count(vote) >= 2": f"votes.count(vote) >= {need}",
        "gives the first of three different votes without a word": "gives a label that is merely the most frequent "
                                                                   "without a word"})
        for people, who, need, many in ((4, "four", 3, "three"), (5, "five", 4, "four"), (6, "six", 5, "five"))]


CHOICES: dict[str, Choices] = {"9.1": _tamed(), "9.4": _grids(), "10.1": _scales(), "10.2": _floors(),
                                "10.3": _strides(), "11.4": _odds(), "12.1": _votes()}
