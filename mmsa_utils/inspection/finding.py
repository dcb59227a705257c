"""What a check has to say: what it did, what it saw, and what follows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

#: What a check can come to, the worst first.
VERDICTS = ("ill", "not asked", "sound")


class Finding(NamedTuple):
    """What one check found in a model."""

    check: str  #: its name in `CHECKS`
    did: str  #: what was done to the model
    saw: str  #: what came of it
    follows: str  #: what that means, and what to do; for "not asked" what was lacking
    number: float | None  #: what was measured and held against the threshold; None if nothing was
    verdict: str  #: one of `VERDICTS`
    limit: float | None = None  #: the threshold that the number was held against; None where there is no number
    least: bool = False  #: whether a sound number is at least the limit; else it is at most the limit
    post: int | None = None  #: of what is ill: the place of the post in which it shows most, if a check can tell


def judged(check: str, did: str, saw: str, number: float, limit: float, follows: str, least: bool = False,
           post: int | None = None) -> Finding:
    """A finding with a number: ill if it is above the limit, or is none; `follows` is said then.

    Args:
        least: the number must be at least the limit instead.
        post: the place of the post in which it shows most, among all that were given.
    """
    sound = number >= limit if least else number <= limit
    return Finding(check, did, saw, "Nothing to do." if sound else follows, number, "sound" if sound else "ill", limit,
                   least, None if sound else post)


def not_asked(check: str, did: str, why: str) -> Finding:
    """That a check could not be made of this model and these posts, and why."""
    return Finding(check, did, "nothing was tried", why, None, "not asked")


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """What is ill, then what was not asked, then what is sound; within each in the order in which they came.

    Raises:
        ValueError: for a verdict that is none.
    """
    findings = list(findings)
    for finding in findings:
        if finding.verdict not in VERDICTS:
            raise ValueError(f"the verdict of {finding.check!r} is {finding.verdict!r}: expected one of "
                             f"{', '.join(VERDICTS)}.")
    return sorted(findings, key=lambda finding: VERDICTS.index(finding.verdict))


def against(number: float | None, limit: float | None, least: bool) -> str:
    """A number beside its threshold, in words, such as "0.31 (at most 0.0002)"; "" where nothing was measured."""
    return "" if number is None else f"{number:.3g}" + (
        "" if limit is None else f" ({'at least' if least else 'at most'} {limit:g})")


def as_text(findings: Iterable[Finding]) -> str:
    """A table, the worst first: a line for each check; what follows stands below the line of what is ill."""
    findings = worst_first(findings)
    if not findings:
        return "No check was made."
    figures = [against(finding.number, finding.limit, finding.least) for finding in findings]
    width, room = max(len(finding.check) for finding in findings), max(map(len, figures))
    lines = []
    for finding, figure in zip(findings, figures):
        told = finding.follows if finding.verdict == "not asked" else finding.saw
        lines.append(f"{finding.verdict:<9}  {finding.check:<{width}}  {figure:<{room}}  {told}")
        if finding.verdict == "ill":
            lines += [f"{'':<{width + room + 13}}  {text}" for text in (finding.did, finding.follows)]
    return "\n".join(lines)
