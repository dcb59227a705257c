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


def judged(check: str, did: str, saw: str, number: float, ill: bool, follows: str) -> Finding:
    """A finding with a number; `follows` is said if it is ill."""
    return Finding(check, did, saw, follows if ill else "Nothing to do.", number, "ill" if ill else "sound")


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


def as_text(findings: Iterable[Finding]) -> str:
    """A table, the worst first: a line for each check; what follows stands below the line of what is ill."""
    findings = worst_first(findings)
    if not findings:
        return "No check was made."
    width = max(len(finding.check) for finding in findings)
    lines = []
    for check, did, saw, follows, number, verdict in findings:
        told = follows if verdict == "not asked" else saw
        lines.append(f"{verdict:<9}  {check:<{width}}  {'' if number is None else format(number, '.3g'):>9}  {told}")
        if verdict == "ill":
            lines += [f"{'':<{width + 22}}  {did}", f"{'':<{width + 22}}  {follows}"]
    return "\n".join(lines)
