"""What the card of a saved model says of its figures, Markdown: from the results of `train` and `align`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..model.card import cell
from ..posts.post import SUBJECTS
from .words import correction, figure, of_seeds, own_rows


def figures(result: Mapping[str, Any], source: str) -> str:
    """Where it learned, and how well it does what.

    Args:
        result: of `train`, or the report of `align`.
        source: where its posts are from, in words and without a path.
    """
    posts = "\n".join(f"| {cell(part)} | {_counted(count)} |" for part, count in result["posts"].items())
    learned = f"## Learned from\n\n{source}\n\n| part | posts |\n|---|---|\n{posts}"
    return learned + "\n\n## Measured\n\n" + (_of_test(result["test"]) if "test" in result else _of_own(result)
                                              if "figure" in result else _of_seeds(result))


def _counted(count: int | Mapping[str, int]) -> str:
    """So many posts, by class where that is known."""
    if isinstance(count, int):
        return str(count)
    return f"{sum(count.values())}: " + ", ".join(f"{cell(name)} {n}" for name, n in count.items())


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(header)} |", "|" + "---|" * len(header)]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def _of_test(test: Mapping[str, Any]) -> str:
    """The figures of a test part, which was looked at once."""
    ends = test["intervals"]
    if "classes" not in test:
        return _table(("figure", f"on {test['posts']} test posts"), [
            ("mean absolute error", figure(test["mae"], ends["mae"])), ("correlation", figure(test["correlation"]))])
    rows = [("accuracy", figure(test["accuracy"], ends["accuracy"])),
            ("macro-F1", figure(test["macro_f1"], ends["macro_f1"])),
            *((f"{SUBJECTS[side]} alone, accuracy",
               figure(row["accuracy"], row["interval"])) for side, row in test["alone"].items()),
            (f"always {cell(test['most_frequent']['class'])}, accuracy", figure(test["most_frequent"]["accuracy"])),
            ("calibration error", figure(test["calibration_error"]))]
    classes = [(cell(name), str(row["posts"]), *(figure(row[key], row["intervals"][key], 2)
                                                 for key in ("precision", "recall", "f1")))
               for name, row in test["classes"].items()]
    return "\n\n".join([
        f"On {test['posts']} test posts, which nothing was chosen on; in brackets the 95 % interval.",
        _table(("figure", "value"), rows), _table(("class", "posts", "precision", "recall", "F1"), classes),
        # Those that quote texts are left out: a card may be passed on, the posts of its owner not.
        *(cell(said, 1000) for said in test["remarks"] if "“" not in said)])


def _of_seeds(report: Mapping[str, Any]) -> str:
    """The table of a correction phase."""
    seeds = report["seeds"]
    said = f"The mean of {seeds} heads, its 95 % interval; saved is that of seed 0." if seeds > 1 else "One head."
    return f"{said} On {report['posts']['test']} posts of each test split.\n\n" + _table(
        ("", "accuracy", "best possible"), [
            *((name, of_seeds(value), best if isinstance(best, str) else figure(best))
              for name, value, best in correction(report)),
            ("calibration error", of_seeds(report["calibration"]["after"]), "0")])


def _of_own(report: Mapping[str, Any]) -> str:
    """The table of a correction phase on posts without a known rule."""
    seeds = report["seeds"]
    said = f"The mean of {seeds} heads, its 95 % interval; saved is that of seed 0." if seeds > 1 else "One head."
    return f"{said} On {report['posts']['test']} test posts.\n\n" + _table(
        ("", "mean absolute error" if report["figure"] == "mae" else report["figure"]), own_rows(report))
