"""Results in words: small tables of plain text, and figures with their intervals."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any
from unicodedata import combining, east_asian_width

from ..posts.post import SUBJECTS, listed

MANY = 12  # classes, from which on a table of their pairs is too wide for a terminal
_SLICES = {"agree": "text and picture agree", "soft": "one side is neutral", "contradict": "contradicting posts",
           "refer": "posts that talk about their picture", "outvoted": "two sides against one",
           "duel": "one side against another", "sarcasm": "praise in a flat voice",
           "order": "two-sided texts: order matters"}
#: Readers whose ceilings are known.
READERS = {"text": "text alone", "image": "picture alone", "voice": "voice alone",
           "text+image": "text and picture", "text+voice": "text and voice", "image+voice": "picture and voice",
           "all": "text, picture and voice", "text_any_order": "text alone, in any order",
           "any_order": "both, the text in any order", "parts": "who knows the parts, not which is which",
           "additive": "who adds what each side says"}


def clean(text: object, longest: int = 200) -> str:
    """A text from a stranger in one line, in short, without signs that would steer a terminal."""
    line = " ".join(str(text).split())
    line = "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in line)
    return line if len(line) <= longest else line[:longest - 1].rstrip() + "…"


def figure(value: float | None, interval: Sequence[float] | None = None, digits: int = 3) -> str:
    """A figure, its interval in brackets behind it; a dash where there is none."""
    if value is None:
        return "-"
    return f"{value:.{digits}f}" + (f" ({interval[0]:.{digits}f} to {interval[1]:.{digits}f})" if interval else "")


def table(header: Sequence[object], rows: Sequence[Sequence[object]], indent: str = "") -> str:
    """Rows of cells in columns: numbers to the right, words to the left."""
    cells = [[clean(cell, 80) for cell in row] for row in (header, *rows)]
    widths = [max(map(_width, column)) for column in zip(*cells)]
    right = [all(isinstance(cell, (int, float)) for cell in column) for column in zip(*rows)] or [False] * len(header)
    lines = []
    for row in cells:
        padded = [" " * (width - _width(cell)) + cell if to_right else cell + " " * (width - _width(cell))
                  for cell, width, to_right in zip(row, widths, right)]
        lines.append((indent + "  ".join(padded)).rstrip())
    return "\n".join(lines)


def _width(cell: str) -> int:
    """Columns that a text takes in a terminal: two for a wide sign, none for one that stands upon another."""
    return sum(0 if combining(sign) else 2 if east_asian_width(sign) in "WF" else 1 for sign in cell)


def evaluation(result: Mapping[str, Any]) -> str:
    """What `assessed` found (and, where they are known, "ceilings" and "seen"), as short tables."""
    if "classes" not in result:
        return "\n\n".join(filter(None, [_numbers(result), _mistakes(result), notes(result)]))
    return "\n\n".join(filter(None, [
        _summary(result), notes(result), _by_class(result), _confusion(result), _slices(result), _mistakes(result)]))


def notes(result: Mapping[str, Any]) -> str:
    """What has to be said beside the figures, a sentence a line."""
    return "\n".join(textwrap.fill(clean(said, 1000), 110, subsequent_indent="  ", break_long_words=False)
                     for said in result.get("remarks", ()))


def _summary(result: Mapping[str, Any]) -> str:
    best, frequent, rows = result.get("ceilings", {}), result["most_frequent"], []
    rows.append((listed([SUBJECTS[side] for side in result["alone"]]) or "the model",
                 figure(result["accuracy"], result["intervals"]["accuracy"]),
                 figure(best.get("both", result.get("ceiling")))))
    rows += [(f"{SUBJECTS[side]} alone", figure(row["accuracy"], row["interval"]), figure(best.get(side)))
             for side, row in result["alone"].items()]
    rows.append((f"always {clean(frequent['class'], 40)}", figure(frequent["accuracy"]), "-"))
    columns = 3 if best else 2  # of a table of one's own nobody knows what is possible
    return (f"{result['posts']} posts\n\n" + table(
        ("", "accuracy", "best possible")[:columns], [row[:columns] for row in rows]) + "\n\n" + table(
        ("macro-F1", "calibration error", "loss"),
        [(figure(result["macro_f1"], result["intervals"]["macro_f1"]), figure(result["calibration_error"]),
          figure(result["loss"]))]) + "\n\nIn brackets: the 95 % interval.")


def _numbers(result: Mapping[str, Any]) -> str:
    rows = [("the model", figure(result["mae"], result["intervals"]["mae"]), figure(result["correlation"]))]
    rows += [(f"{SUBJECTS[side]} alone", figure(row["mae"]), "-")
             for side, row in result["alone"].items()]
    told = result.get("conventions", {})
    names = list(dict.fromkeys(name for found in told.values() for name in found))
    counted = table(("convention", *names), [(convention, *(figure(found.get(name)) for name in names))
                                             for convention, found in told.items()]) if told else ""
    return f"{result['posts']} posts\n\n" + table(("", "mean absolute error", "correlation"), rows) + (
        counted and f"\n\nThe same answers as the field counts them:\n{counted}")


def _by_class(result: Mapping[str, Any]) -> str:
    return table(("class", "posts", "answers", "precision", "recall", "F1"), [
        (name, row["posts"], row["answers"], *(figure(row[key], row["intervals"][key], 2)
                                               for key in ("precision", "recall", "f1")))
        for name, row in result["classes"].items()])


def _confusion(result: Mapping[str, Any]) -> str:
    """Every class against every other; where there are many, only what was confused, the most frequent first."""
    counts = result["confusion"]
    if len(counts) <= MANY:
        return "Truth (rows) and answers (columns):\n" + table(
            ("", *(clean(name, 14) for name in counts)), [(name, *row.values()) for name, row in counts.items()])
    pairs = sorted(((count, truth, answer) for truth, row in counts.items() for answer, count in row.items()
                    if count and truth != answer), key=lambda pair: (-pair[0], pair[1:]))
    return (f"{len(counts)} classes; most often confused (--json has the whole table):\n"
            + table(("posts", "truth", "answer"), pairs[:MANY])) if pairs else ""


def _slices(result: Mapping[str, Any]) -> str:
    rows = [("" if place else kind, name, row["posts"], figure(row["accuracy"], row["interval"]))
            for kind, groups in result["slices"].items() for place, (name, row) in enumerate(groups.items())]
    return table(("slice by", "", "posts", "accuracy"), rows) if rows else ""


def _mistakes(result: Mapping[str, Any]) -> str:
    """The worst of them, two lines each."""
    said = []
    for one in result["mistakes"]:
        where = ", ".join([f"post {one['post'] + 1}", *(clean(one[what], 60) for what in ("picture", "recording")
                                                        if one.get(what))])
        if "probability" in one:
            alone = ", ".join(f"{SUBJECTS[side]} alone {clean(answer, 30)}"
                              for side, answer in one["alone"].items())
            said.append(f"  {clean(one['answer'], 30)} {one['probability']:.2f}, in truth {clean(one['truth'], 30)}"
                        f"{'; ' + alone if alone else ''} ({where})")
        else:
            said.append(f"  {one['answer']:.3f}, in truth {one['truth']:.3f} ({where})")
        said.append(f"    {clean(one['text'] or '(no text)', 100)}")
    return "The worst mistakes, the surest first:\n" + "\n".join(said) if said else ""


def correction(report: Mapping[str, Any]) -> list[tuple[str, dict[str, float], float | str]]:
    """A correction phase as the README has it: before, after, each control; its accuracy; the best possible."""
    best, after, spoken = report["ceiling"], report["after"], "all" in report["ceiling"]
    limit = best["all" if spoken else "both"]
    return [("before: 100 random heads", report["before"]["accuracy"], "1/3 is chance"),
            (f"after: text{', ' if spoken else ' and '}picture{' and voice' * spoken}", after["accuracy"], limit),
            *((f"after, {_SLICES.get(name, name)}", found, limit) for name, found in report["slices"].items()),
            *((of_sides(key[:-5]), row["accuracy"], best[key[:-5]]) for key, row in report.items()
              if key.endswith("_only")),
            *((f"after, given the {of_sides(some)}", found, best[some])
              for some, found in report.get("given", {}).items()),
            ("additive (linear) fusion", report["additive"]["accuracy"], best["additive"]),
            *([("after, the words of the test texts shuffled", report["any_order"], best["any_order"])]
              if "any_order" in report else []),
            (f"after, unseen: new words, new dishes{', new speakers' * spoken}", report["unseen"]["accuracy"], limit),
            ("the same on random encoders", report["unseen"]["random_encoders"], limit),
            ("control: shuffled labels", report["control"]["accuracy"], "1/3 is chance")]


def of_sides(some: str) -> str:
    """ "text+image" → "text and picture alone"."""
    return " and ".join(SUBJECTS[side] for side in some.split("+")) + " alone"


def of_seeds(of: Mapping[str, float], digits: int = 3, most: float = 1) -> str:
    """A mean over seeds, with its interval where there is one, as far as the figure itself can go: from 0 to `most`."""
    ends = [min(max(of[end], 0), most) for end in ("low", "high")] if "low" in of else None
    return figure(of["mean"], ends, digits)


def own_rows(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    """A correction phase on posts whose rule nobody knows: before, after, each control."""
    what = report["figure"]
    most = math.inf if what == "mae" else 1
    return [("before: 100 random heads", of_seeds(report["before"], most=most)),
            ("after", of_seeds(report["after"][what], most=most)),
            *((of_sides(some), of_seeds(found, most=most)) for some, found in report["alone"].items()),
            ("additive (linear) fusion", of_seeds(report["additive"], most=most)),
            ("control: shuffled labels", of_seeds(report["control"], most=most)),
            ("always the commonest class" if what == "accuracy" else "always the median", figure(report["majority"]))]


def own_correction(report: Mapping[str, Any]) -> str:
    """The same as a short table."""
    what, posts, seeds = report["figure"], report["posts"], report["seeds"]
    of = f"; in brackets: the 95 % interval over {seeds} seeds" if seeds > 1 else "; one seed has no interval"
    return "\n".join([
        f"{report['pair']}, {report['size']}, {report['fusion']}: aligned on {posts['train']} posts, tested on "
        f"{posts['test']}{of}", "", table(("", "mean absolute error" if what == "mae" else what), own_rows(report)), "",
        *filter(None, [notes(report)]),
        f"{report['seconds']} s" + (f"; saved in {report['saved']}" if "saved" in report else "")])
