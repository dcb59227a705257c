"""One evaluation as a page: a single HTML file that asks for nothing, runs nothing, and escapes what it is given."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from PIL import Image

from ..posts.post import SUBJECTS
from ..posts.sound import Sound, wav_bytes
from .document import document, pairs, picture, table, text, wide

MOST = 2_500_000  # bytes of a page that its mistakes may take
MOST_HEARD = 300_000  # bytes of these that are recordings
_RATE = 8000  # Hz of a recording that is played: as on the telephone, half as large
_MANY = 25  # classes, from which on a table of all their pairs is too large to look at
_ALONE = {side: f"{name} alone" for side, name in SUBJECTS.items()}


def page(result: Mapping[str, Any], pictures: Mapping[int, Image.Image], about: Mapping[str, str],
         voices: Mapping[int, Sound] = {}) -> str:
    """The whole page, HTML.

    Args:
        result: from `learning.assessment.assessed`; also "ceilings", the best possible accuracies, where there are any.
        pictures: place of a post → its picture, for those among the mistakes.
        about: what was measured, and when: name → words.
        voices: place of a post → its recording, to be played, for those among the mistakes.
    """
    title = "How well a model reads posts"
    parts = [f"<h1>{title}</h1>", _in_short(result), pairs(about), *(f'<p class="note">{text(said, 1000)}</p>'
                                                  for said in result.get("remarks", ()))]
    if "classes" in result:
        parts += [_figures(result), _by_class(result), _confusion(result), _reliability(result), _slices(result)]
    else:
        parts.append(_numbers(result))
    parts += [_mistakes(result, pictures, voices), _explained(result)]
    return document(title, parts, "media-src data:" if voices else "")


def _in_short(result: Mapping[str, Any]) -> str:
    """The one sentence that a reader in a hurry takes along."""
    if "classes" not in result:
        low, high = result["intervals"]["mae"] or (None, None)
        between = "" if low is None else f" (between {low:.3f} and {high:.3f})"
        return f"<p><strong>On average it is {result['mae']:.3f} off{between}.</strong></p>"
    frequent, (low, high) = result["most_frequent"], result["intervals"]["accuracy"]
    return (f"<p><strong>It answers {_of_hundred(result['accuracy'])} of 100 posts rightly</strong> (somewhere between "
            f"{_of_hundred(low)} and {_of_hundred(high)}). Saying {text(frequent['class'])} every time would be right "
            f"on {_of_hundred(frequent['accuracy'])}.</p>")


def _of_hundred(share: float) -> str:
    return f"{100 * share:.0f}"


def _figure(value: float | None, interval: Sequence[float] | None = None, digits: int = 3) -> str:
    if value is None:
        return "–"
    ends = f' <span class="range">{interval[0]:.{digits}f} to {interval[1]:.{digits}f}</span>' if interval else ""
    return f"{value:.{digits}f}{ends}"


def _bar(value: float | None, interval: Sequence[float] | None = None, best: float | None = None) -> str:
    """A share on a line from 0 to 1, its interval as a beam, the best possible as a tick; the numbers stand by it."""
    if value is None:
        return ""
    beam = "" if not interval else (f'<line x1="{_x(interval[0])}" x2="{_x(interval[1])}" y1="8" y2="8" '
                                    'stroke="var(--blue)" stroke-width="5" stroke-opacity=".45"/>')
    tick = "" if best is None else f'<path d="M{_x(best)} 1v14" stroke="var(--warn)" stroke-width="2"/>'
    return ('<svg width="150" height="16" viewBox="0 0 150 16" aria-hidden="true"><path d="M5 8h140" '
            f'stroke="var(--line)"/>{beam}{tick}<circle cx="{_x(value)}" cy="8" r="4.5" fill="var(--blue)"/></svg>')


def _x(share: float) -> str:
    return f"{5 + 140 * share:.1f}"


def _figures(result: Mapping[str, Any]) -> str:
    best, frequent = result.get("ceilings", {}), result["most_frequent"]
    *some, last = [SUBJECTS[side] for side in result["alone"]] or ["the model"]
    rows = [(f"{', '.join(some)} and {last}" if some else last, result["accuracy"],
             result["intervals"]["accuracy"], best.get("both", result.get("ceiling")))]
    rows += [(_ALONE.get(side, side), row["accuracy"], row["interval"], best.get(side))
             for side, row in result["alone"].items()]
    rows.append((f"always {text(frequent['class'])}", frequent["accuracy"], None, None))
    shown = [(name, _figure(value, interval) + _bar(value, interval, limit), *([_figure(limit)] if best else []))
             for name, value, interval, limit in rows]
    macro = _figure(result["macro_f1"], result["intervals"]["macro_f1"])
    return "<h2>Right answers</h2>" + table(
        f"Share of {result['posts']:,} posts that are answered rightly, with the 95 % interval, on a line from 0 to 1"
        + ("; the upright mark is the best possible" if best else ""), (
            "", "accuracy", *(["best possible"] if best else [])), shown) + (
        f"<p>Macro-F1: {macro}. Calibration error: {_figure(result['calibration_error'])}. "
        f"Loss: {_figure(result['loss'])}.</p>")


def _by_class(result: Mapping[str, Any]) -> str:
    return "<h2>By class</h2>" + table("Every class of the model", (
        "class", "posts", "answers", "precision", "recall", "F1"), [
        (text(name), str(row["posts"]), str(row["answers"]), *(
            _figure(row[key], row["intervals"][key], 2) for key in ("precision", "recall", "f1")))
        for name, row in result["classes"].items()])


def _confusion(result: Mapping[str, Any]) -> str:
    counts = result["confusion"]
    heading = "<h2>What is taken for what</h2>"
    if len(counts) > _MANY:
        confused = sorted(((count, truth, answer) for truth, row in counts.items() for answer, count in row.items()
                           if count and truth != answer), key=lambda pair: (-pair[0], pair[1:]))[:_MANY]
        return heading + table(f"Of {len(counts)} classes, those most often confused", ("truth", "answer", "posts"), [
            (text(truth), text(answer), str(count)) for count, truth, answer in confused])
    body = []
    for truth, row in counts.items():
        total = max(1, sum(row.values()))
        cells = "".join(f'<td style="--share:{count / total:.3f}"{" class=right" if answer == truth else ""}>'
                        f"{count}</td>" for answer, count in row.items())
        body.append(f'<tr><th scope="row">{text(truth)}</th>{cells}</tr>')
    head = "".join(f'<th scope="col">{text(name)}</th>' for name in counts)
    caption = "Truth in rows, answers in columns"
    return heading + wide(caption, f'<table class="pairs"><caption><span>{caption}</span></caption><thead><tr>'
                                    f"<td></td>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>")


def _reliability(result: Mapping[str, Any]) -> str:
    """Confidence against accuracy, a dot for each band, as large as its share of the answers."""
    bands = result["reliability"]
    dots = "".join(f'<circle cx="{40 + 240 * sure:.1f}" cy="{250 - 240 * right:.1f}" r="{3 + 12 * share ** .5:.1f}" '
                   'fill="var(--blue)" fill-opacity=".65"/>' for sure, right, share in bands)
    ticks = "".join(f'<path d="M{40 + 240 * at} 250v5M40 {250 - 240 * at}h-5" stroke="currentColor"/>'
                    f'<text x="{40 + 240 * at}" y="268" text-anchor="middle">{at}</text>'
                    f'<text x="32" y="{254 - 240 * at}" text-anchor="end">{at}</text>' for at in (0, 0.5, 1))
    said = "; ".join(f"at confidence {sure:.2f} {right:.2f} of the answers are right ({share:.0%} of all)"
                     for sure, right, share in bands)
    return ("<h2>As sure as it is right?</h2><p>Each dot is a band of answers that the model is about equally sure "
            "of; the larger, the more of them. On the dotted line it is as sure as it is right; below it, too sure.</p>"
            '<svg width="320" height="308" viewBox="0 -8 320 308" role="img" '
            f'aria-label="Reliability: {escape(said)}.">'
            '<path d="M40 10v240h240" fill="none" stroke="currentColor"/><path d="M40 250L280 10" stroke="var(--line)" '
            f'stroke-dasharray="3 4"/>{dots}{ticks}<text x="160" y="290" text-anchor="middle">confidence</text>'
            '<text transform="translate(10 60) rotate(-90)" text-anchor="middle">accuracy</text></svg>')


def _slices(result: Mapping[str, Any]) -> str:
    if not result["slices"]:
        return ""
    tables = [table(f"By {kind}", ("", "posts", "accuracy"), [
        (text(name), str(row["posts"]), _figure(row["accuracy"], row["interval"])
         + _bar(row["accuracy"], row["interval"])) for name, row in groups.items()])
        for kind, groups in result["slices"].items()]
    return "<h2>Where it does well, and where not</h2>" + "".join(tables)


def _numbers(result: Mapping[str, Any]) -> str:
    rows = [("the model", _figure(result["mae"], result["intervals"]["mae"]), _figure(result["correlation"]))]
    rows += [(_ALONE.get(side, side), _figure(row["mae"]), "–") for side, row in result["alone"].items()]
    return "<h2>How far off</h2>" + table(f"{result['posts']:,} posts, with the 95 % interval",
                                           ("", "mean absolute error", "correlation"), rows)


def _mistakes(result: Mapping[str, Any], pictures: Mapping[int, Image.Image], voices: Mapping[int, Sound]) -> str:
    heading = "<h2>The worst mistakes</h2>"
    if not result["mistakes"]:
        none = "There are none: every post is answered rightly." if result.get("accuracy") == 1 else "None are shown."
        return f"{heading}<p>{none}</p>"
    items, room, quiet = [], MOST, MOST_HEARD
    for one in result["mistakes"]:
        image = picture(pictures[one["post"]], one["post"]) if one["post"] in pictures else ""
        if len(image) > room:
            image = '<p class="soft">(no room for more pictures)</p>'
        player = _player(voices[one["post"]], one["post"], quiet) if one["post"] in voices else ""
        quiet -= len(player)
        sure = "probability" in one
        facts = {"answer": f"{one['answer']} ({one['probability']:.2f})" if sure else f"{one['answer']:.3f}",
                 "truth": f"{one['truth']} ({one['probability_of_truth']:.2f})" if sure else f"{one['truth']:.3f}",
                 **{_ALONE.get(side, side): said for side, said in one.get("alone", {}).items()},
                 **({"relation": one["relation"]} if "relation" in one else {}),
                 **{name: one[what] for name, what in (("file", "picture"), ("recording",) * 2) if what in one}}
        items.append(f"<li><h3>Post {one['post'] + 1}</h3>{image}<blockquote>{text(one['text'] or '(no text)', 300)}"
                     f"</blockquote>{player}{pairs(facts, 80)}</li>")
        room -= len(items[-1])
        if room < 0:
            items.append(f"<li>There is no room for {len(result['mistakes']) - len(items)} more.</li>")
            break
    first = ("Those that the model was surest of come first; in brackets, the probability that it gave."
             if "classes" in result else "Those that are farthest off come first.")
    return f'{heading}<p>{first}</p><ul class="posts">{"".join(items)}</ul>'


def _player(sound: Sound, place: int, room: int) -> str:
    """A recording to be played, within the page, if it takes no more than so many bytes."""
    from scipy.signal import resample_poly

    small = Sound(resample_poly(sound.samples, _RATE, sound.rate), _RATE)
    data = base64.b64encode(wav_bytes(small)).decode()
    if len(data) + 200 > room:
        return '<p class="soft">(no room for more recordings)</p>'
    return (f'<audio controls preload="none" style="width: 100%" aria-label="The voice of post {place + 1}, '
            f'{sound.seconds:.1f} seconds" src="data:audio/wav;base64,{data}"></audio>')


def _explained(result: Mapping[str, Any]) -> str:
    if "classes" not in result:
        return ""
    alone = ("What a side says alone is the model's own answer to it: it has learned to do without the others."
             if result.get("taught") else
             "What a side says alone is an average over neutral drawn posts in the place of the other "
             f"side{'s' * (len(result['alone']) > 2)}: a rough measure where the posts are of another kind.")
    return ("<h2>How to read this</h2><p>An interval holds the true figure in 95 of 100 such measurements (Wilson "
            "1927); that of macro-F1 is the mean of the classes' intervals, which is on the wide side. "
            f"{alone} A slice with few posts may look good or bad by luck.</p>"
            "<p>Precision: of the answers of this class, the share that is right. Recall: of the posts of this class, "
            "the share that is found. F1 is high only where both are; macro-F1 is its mean over the classes. The "
            "calibration error is how far, on average, sureness and accuracy lie apart; the loss also counts how sure "
            "the model was of what is wrong. The lower, the better, for these two.</p>")
