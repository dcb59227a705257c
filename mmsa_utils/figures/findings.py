"""What the checks of a model found, as a page: the worst first, each number on a line beside its threshold."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from ..posts.post import Post
from .document import document, pairs, picture, text

_VERDICTS = ("ill", "not asked", "sound")
_LONG = 1000  # characters of what a check says, at most
_LEFT, _RIGHT = 8.0, 252.0  # the ends of a line
_STYLE = """
.findings { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(19rem, 100%), 1fr)); gap: 1rem;
  padding: 0; list-style: none }
.findings li { background: var(--box); border-radius: 6px; padding: .8rem 1rem; border-left: 4px solid transparent }
.findings.ill { grid-template-columns: 1fr } .findings.ill li { border-left-color: var(--warn) }
.findings h3 { font-size: 1.05rem } .findings p { margin: 0 0 .2rem } .findings svg { margin: .2rem 0 .4rem }
@media (max-width: 30rem) { .findings dl { grid-template-columns: 1fr } .findings dd { margin-bottom: .4rem } }
.shown { display: flex; gap: .8rem; align-items: center; margin-top: .4rem }
.shown img { width: 5rem; height: auto; border-radius: 4px } .shown .small { image-rendering: pixelated }
@media print { .findings li { break-inside: avoid } }
"""


def inspection_page(findings: Iterable[Any], about: Mapping[str, str], posts: Mapping[int, Post] = {}) -> str:
    """The whole page, HTML: what is ill, then what was not asked and what to give for it, then what is sound.

    Args:
        findings: as `inspect_model` gives them.
        about: what was looked at, with which posts, and when: name → words.
        posts: place → post, to be shown where a finding names the post in which it shows most.

    Raises:
        ValueError: for a verdict that is none.
    """
    groups: dict[str, list[Any]] = {verdict: [] for verdict in _VERDICTS}
    for finding in findings:
        if finding.verdict not in groups:
            raise ValueError(f"the verdict of {finding.check!r} is {finding.verdict!r}: expected one of "
                             f"{', '.join(_VERDICTS)}.")
        groups[finding.verdict].append(finding)
    ill, unasked, sound = groups.values()
    title = "A model, looked over"
    parts = [f"<h1>{title}</h1>", _in_short(ill, unasked, sound), pairs(about)]
    if ill:
        parts += ["<h2>What is wrong</h2>", _cards(ill, posts)]
    if unasked:
        parts += ["<h2>What was not asked</h2>", "<p>Each says why, and what to give so that it is.</p>",
                  _cards(unasked, posts)]
    if sound:
        parts += ["<h2>What is sound</h2>", _cards(sound, posts)]
    return document(title, [*parts, _explained()], style=_STYLE)


def _in_short(ill: list[Any], unasked: list[Any], sound: list[Any]) -> str:
    """The one sentence that a reader in a hurry takes along, and what it leaves open."""
    asked = len(ill) + len(sound)
    checks = f"{asked} check{'s' * (asked != 1)}"
    if ill:
        first = (f"{len(ill)} of {checks} found something. To begin with, {text(ill[0].check)}: "
                 f"{text(ill[0].follows, _LONG)}")
    else:
        first = f"Nothing is wrong that {checks} would see." if sound else "No check was made."
    left = f" Not asked: {', '.join(text(finding.check) for finding in unasked)}." if unasked else ""
    return f'<p{" class=note" if ill else ""}><strong>{first}</strong>{left}</p>'


def _cards(findings: list[Any], posts: Mapping[int, Post]) -> str:
    """A card for each of some findings with the same verdict."""
    verdict = findings[0].verdict
    items = []
    for finding in findings:
        did, saw, follows = (text(said, _LONG) for said in (finding.did, finding.saw, finding.follows))
        said = {"ill": pairs({"what was done": finding.did, "what was seen": finding.saw,
                              "what follows": finding.follows}, _LONG),
                "not asked": f"<p>{follows}</p>", "sound": f'<p class="soft">{did}:</p><p>{saw}</p>'}[verdict]
        items.append(f"<li><h3>{text(finding.check)}: {verdict}</h3>"
                     f"{_figure(finding.number, finding.limit, finding.least, verdict == 'ill')}{said}"
                     f"{_post(finding.post, posts[finding.post]) if finding.post in posts else ''}</li>")
    return f'<ul class="findings{" ill" * (verdict == "ill")}">{"".join(items)}</ul>'


def _post(place: int, post: Post) -> str:
    """The post in which something shows most."""
    shown = "" if post.image is None else picture(post.image, place)
    return (f'<div class="shown">{shown}<div><p class="soft">it shows most in post {place + 1}</p>'
            f"<blockquote>{text(post.text or '(no text)', 300)}</blockquote></div></div>")


def _figure(number: float | None, limit: float | None, least: bool, ill: bool) -> str:
    """The number and its threshold, in words and on a line."""
    if number is None:
        return ""
    if limit is None:
        return f"<p><strong>{number:.3g}</strong></p>"
    sound = f"{'at least' if least else 'at most'} {limit:g}"
    return (f'<p><strong>{number:.3g}</strong> <span class="soft">(sound: {sound})</span></p>'
            + _line(number, limit, least, ill))


def _line(number: float, limit: float, least: bool, ill: bool) -> str:
    """A number on a line: the upright mark is the threshold, the broad band is what is ill.

    The line is logarithmic where number and threshold are more than ten times apart. What is infinite stands at its
    end, what is no number at the end that is ill.
    """
    at = number if math.isfinite(number) else limit
    log = min(at, limit) > 0 and not 0.1 <= at / limit <= 10
    if log:
        low, high = (10.0 ** way(math.log10(end)) for way, end in (
            (math.floor, min(at, limit / 5)), (math.ceil, max(at, limit * 5))))
    else:
        low, high = min(0.0, at), max(2 * limit, at) or 1.0

    def place(value: float) -> float:
        share = math.log(value / low) / math.log(high / low) if log else (value - low) / (high - low)
        return _LEFT + (_RIGHT - _LEFT) * share

    mark, worst = place(limit), _LEFT if least else _RIGHT
    x = place(at) if at == number else worst if math.isnan(number) else _LEFT if number < 0 else _RIGHT
    dot = (f'<path d="M{x:.1f} 4l8 8l-8 8l-8-8z" fill="var(--warn)"/>' if ill else
           f'<circle cx="{x:.1f}" cy="12" r="6" fill="var(--blue)"/>')
    ends = [(end, value) for end, value in ((_LEFT, low), (_RIGHT, high)) if abs(end - mark) > 60]
    words = "".join(_word(end, f"{float(f'{value:.3g}'):g}") for end, value in [*ends, (mark, limit)])
    return (f'<svg width="260" height="40" viewBox="0 0 260 40" role="img" aria-label="{number:.3g}, beside the '
            f'threshold {limit:g}, on a {"logarithmic " * log}line from {low:.3g} to {high:.3g}; '
            f'{"below" if least else "above"} the threshold is ill">'
            f'<path d="M{_LEFT} 12H{_RIGHT}" stroke="var(--line)"/><path d="M{mark:.1f} 12H{worst}" '
            f'stroke="var(--warn)" stroke-width="8" stroke-opacity=".35"/><path d="M{mark:.1f} 3v20" '
            f'stroke="currentColor" stroke-width="2"/>{dot}{words}</svg>')


def _word(x: float, word: str) -> str:
    """A word below a place of the line, moved so far that all of it is seen."""
    half = 4 * len(word)
    return f'<text x="{min(max(x, half), 260 - half):.1f}" y="36" text-anchor="middle">{word}</text>'


def _explained() -> str:
    return ("<h2>How to read this</h2><p>Each check tried something that must not change an answer, or that must, on "
            "copies of the model, and held a number against a threshold: the upright mark on its line. The broad band "
            "is what is ill; a dot is a sound number, a diamond one that is ill. Where the two are far apart, each "
            "step of the line multiplies.</p><p>Mend what comes first and look again: one mistake often shows in "
            "several checks. Sound means that this check has seen nothing with these posts, and says nothing of what "
            "the model is worth: measure that on posts that it does not know.</p>")
