"""Small pieces of a page: each function turns values into HTML that the widgets and the dashboard show.

Pure functions, no scripts, nothing fetched. Text takes the page's own colour, so that light and dark themes both
work, and no meaning is carried by colour alone: every bar and cell has its number or name in words.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
from PIL import Image

BLUE, ORANGE, GREEN, RED, GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#767676"  # Okabe and Ito's
LABEL_COLOURS = {"negative": RED, "neutral": GREY, "positive": GREEN}
_FAINT = "color-mix(in srgb, currentColor 12%, transparent)"


def row(*blocks: str) -> str:
    """Blocks side by side, wrapped where the page is narrow."""
    inside = "".join(f"<div>{block}</div>" for block in blocks)
    return ('<div style="display:flex;flex-wrap:wrap;gap:8px 24px;align-items:flex-start;line-height:1.4">'
            f"{inside}</div>")


def heading(text: str) -> str:
    """A small heading over a block."""
    return f'<div style="font-weight:600;margin:4px 0">{escape(text)}</div>'


def paragraph(text: str) -> str:
    """A line of text, broken where it grows too long to read."""
    return f'<div style="max-width:44em;margin:4px 0">{escape(text)}</div>'


def note(text: str) -> str:
    """A remark that must not be overlooked, such as what is wrong with an input; read out when it appears."""
    return (f'<div role="alert" style="border-left:4px solid {ORANGE};padding:4px 10px;margin:4px 0;max-width:44em;'
            f'line-height:1.4">{escape(text)}</div>')


def picture(image: Image.Image, alt: str, width: int = 160) -> str:
    """A PIL picture as an <img>, `width` CSS pixels wide; small ones keep their hard pixels."""
    buffer = io.BytesIO()
    image.convert("RGB").save(buffer, "png", compress_level=1)
    data = base64.b64encode(buffer.getvalue()).decode()
    rendering = "pixelated" if image.width < width else "auto"
    return (f'<img src="data:image/png;base64,{data}" alt="{escape(alt)}" style="width:{width}px;max-width:100%;'
            f'image-rendering:{rendering};border-radius:4px;display:block">')


def mood(name: str) -> str:
    """The name of a class, large, beside its colour."""
    dot = (f'<span aria-hidden="true" style="display:inline-block;width:.7em;height:.7em;border-radius:50%;'
           f'background:{LABEL_COLOURS.get(name, BLUE)};margin-right:.4em"></span>')
    return f'<span style="font-size:1.3em;font-weight:600">{dot}{escape(name)}</span>'


def bars(values: Mapping[str, float], colours: Mapping[str, str] = LABEL_COLOURS, form: str = ".2f") -> str:
    """Shares between 0 and 1 as horizontal bars, each with its name and number."""
    lines = []
    for name, value in values.items():
        bar = (f'<div style="background:{_FAINT};width:120px;height:12px;border-radius:2px">'
               f'<div style="width:{100 * min(max(value, 0), 1):.1f}%;height:12px;border-radius:2px;'
               f'background:{colours.get(name, BLUE)}"></div></div>')
        lines.append(f'<tr><th scope="row" style="text-align:left;font-weight:400;padding:1px 8px 1px 0">{escape(name)}'
                     f'</th><td style="padding:1px 0">{bar}</td><td style="text-align:right;padding:1px 0 1px 8px;'
                     f'font-variant-numeric:tabular-nums">{value:{form}}</td></tr>')
    return f'<table style="border-collapse:collapse;width:auto;margin:0">{"".join(lines)}</table>'


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A plain table; the first column names its row."""
    cell = "padding:2px 10px 2px 0;text-align:left;vertical-align:top"
    head = "".join(f'<th scope="col" style="{cell};font-weight:600">{escape(name)}</th>' for name in header)
    body = "".join("<tr>" + "".join(f'<td style="{cell}">{escape(str(value))}</td>' for value in line) + "</tr>"
                   for line in rows)
    return f'<table style="border-collapse:collapse;width:auto;margin:0"><tr>{head}</tr>{body}</table>'


def heat(values, rows: Sequence[str], columns: Sequence[str], colour: str = BLUE, form: str = ".2f") -> str:
    """A matrix of numbers as a table, its cells the fuller coloured the nearer they are to the largest.

    Args:
        values: (rows, columns), not negative; only the shade is scaled, the numbers are shown as they are.
        form: of the numbers; "" leaves them out of sight, and in the cell's title.
    """
    values = np.asarray(values, float)
    top = float(values.max(initial=0)) or 1.0
    head = "".join(f'<th scope="col" style="font-weight:400;padding:1px 4px">{escape(name)}</th>' for name in columns)
    body = ""
    for name, line in zip(rows, values):
        cells = "".join(
            f'<td title="{escape(name)}, {escape(column)}: {value:.3f}" style="text-align:center;padding:2px 5px;'
            f'min-width:1.2em;background:color-mix(in srgb, {colour} {70 * max(value, 0) / top:.0f}%, transparent)">'
            f'{format(value, form) if form else "&nbsp;"}</td>' for column, value in zip(columns, line))
        body += ('<tr><th scope="row" style="text-align:right;font-weight:400;padding:1px 6px">'
                 f"{escape(name)}</th>{cells}</tr>")
    return (f'<div style="overflow-x:auto;max-width:100%"><table style="border-collapse:collapse;width:auto;margin:0;'
            f'font-size:.9em"><tr><td></td>{head}</tr>{body}</table></div>')


def hinton(values: Sequence[float], alt: str, colour: str = "currentColor", silenced: Sequence[bool] = (),
           columns: int = 32) -> str:
    """A vector as a Hinton diagram, `columns` numbers a line: full squares for positive ones, hollow for negative.

    Args:
        values: (n,), as many squares; a square's area grows with its number and is full from 3 on.
        alt: what it shows, in words.
        silenced: (n,), True where dropout has put a zero: crossed out.
    """
    full, hollow, crosses = [], [], []
    silenced = list(silenced) or [False] * len(values)
    for i, (value, gone) in enumerate(zip(values, silenced)):
        x, y = 10 * (i % columns) + 5, 10 * (i // columns) + 5
        if gone:
            crosses.append(f"M{x - 3} {y - 3}l6 6m0-6l-6 6")
        elif abs(value) > 1e-6:
            side = 9 * min(1.0, abs(value) / 3) ** 0.5
            inside = side if value > 0 else max(side - 1, 0.5)  # the line of a hollow one lies within
            (full if value > 0 else hollow).append(
                f"M{x - inside / 2:.1f} {y - inside / 2:.1f}h{inside:.1f}v{inside:.1f}h-{inside:.1f}z")
    height = 10 * -(-len(values) // columns)
    ink = f"color-mix(in srgb, {colour} 75%, currentColor)"  # a little darker on light pages, lighter on dark ones
    return (f'<svg role="img" aria-label="{escape(alt)}" viewBox="0 0 {10 * columns} {height}" style="display:block;'
            f'width:{10 * columns}px;max-width:100%;background:{_FAINT};border-radius:2px">'
            f'<path d="{"".join(full)}" style="fill:{ink}"/>'
            f'<path d="{"".join(hollow)}" style="fill:none;stroke:{ink}"/>'
            f'<path d="{"".join(crosses)}" fill="none" stroke="currentColor" stroke-width="1.2"/></svg>')


def curves(values: Mapping[str, Sequence[float]], at: int, title: str, *, low: float = 0.0, high: float | None = None,
           level: tuple[str, float] | None = None) -> str:
    """Lines over the epochs with a marker at one of them, as inline SVG; the legend has the numbers there.

    Args:
        values: name → one number for each epoch from 0 on; NaN where there is none. Told apart by colour and dashes.
        at: the epoch of the marker.
        title: what the height is.
        low, high: ends of the vertical axis; without `high` the largest number, rounded up.
        level: a name and a height for a dotted line, such as chance.
    """
    last = max(1, max(map(len, values.values())) - 1)
    finite = [value for line in values.values() for value in line if np.isfinite(value)]
    high = (np.ceil(10 * max(finite, default=0.0)) / 10 or 1.0) if high is None else high

    def place(x: float, y: float) -> tuple[float, float]:
        return 34 + 250 * x / last, 142 - 132 * (min(max(y, low), high) - low) / (high - low)

    drawn, legend, said = "", "", []
    for (name, line), (colour, dash) in zip(values.items(), ((ORANGE, "none"), (BLUE, "6 4"), (GREEN, "2 3"))):
        points = [place(x, y) for x, y in enumerate(line) if np.isfinite(y)]
        drawn += (f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}" fill="none" '
                  f'stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"/>')
        number = f"{line[at]:.2f}" if at < len(line) and np.isfinite(line[at]) else "none yet"
        if number != "none yet":
            drawn += '<circle cx="{:.1f}" cy="{:.1f}" r="4" fill="{}"/>'.format(*place(at, line[at]), colour)
        said.append(f"{name} {number}")
        legend += (f'<span style="white-space:nowrap;margin-right:14px"><svg aria-hidden="true" width="26" height="8">'
                   f'<line x1="0" x2="26" y1="4" y2="4" stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"/>'
                   f"</svg> {escape(name)} {number}</span>")
    if level is not None:
        x, y = place(0, level[1])
        drawn += (f'<line x1="{x}" x2="284" y1="{y:.1f}" y2="{y:.1f}" stroke="currentColor" stroke-dasharray="1 3"/>'
                  f'<text x="284" y="{y - 4:.1f}" text-anchor="end">{escape(level[0])}</text>')
    for value in (low, high):
        x, y = place(0, value)
        drawn += f'<text x="{x - 5}" y="{y + 4:.1f}" text-anchor="end">{value:.1f}</text>'
    for epoch in range(0, last + 1, 1 + last // 12):
        drawn += f'<text x="{place(epoch, low)[0]:.1f}" y="157" text-anchor="middle">{epoch}</text>'
    x = place(at, low)[0]
    drawn += f'<line x1="{x:.1f}" x2="{x:.1f}" y1="8" y2="142" stroke="currentColor" stroke-opacity=".6"/>'
    return (f"{heading(title)}"
            + _chart(drawn, 300, 178, f"{title} by epoch; at epoch {at}: {', '.join(said)}", "epoch")
            + f'<div style="font-size:.9em;max-width:300px">{legend}</div>')


def reliability(bins: Sequence[tuple[float, float, float]], error: float) -> str:
    """A reliability diagram as inline SVG: confidence against accuracy, each dot as large as its share.

    Args:
        bins: mean confidence, accuracy and share of each band, from `metrics.reliability`.
        error: the calibration error, see `metrics.calibration_error`.
    """
    dots = "".join(f'<circle cx="{34 + 132 * sure:.1f}" cy="{142 - 132 * right:.1f}" r="{3 + 12 * share ** 0.5:.1f}" '
                   f'fill="{BLUE}" fill-opacity=".65" stroke="currentColor" stroke-width=".7">'
                   f"<title>confidence {sure:.2f}, accuracy {right:.2f}, {share:.0%} of the answers</title></circle>"
                   for sure, right, share in bins)
    numbers = "".join(f'<text x="29" y="{146 - 132 * value:.1f}" text-anchor="end">{value:.1f}</text>'
                      f'<text x="{34 + 132 * value:.1f}" y="157" text-anchor="middle">{value:.1f}</text>'
                      for value in (0.0, 0.5, 1.0))
    said = "; ".join(f"confidence {sure:.2f} accuracy {right:.2f}" for sure, right, _ in bins)
    line = '<line x1="34" y1="142" x2="166" y2="10" stroke="currentColor" stroke-dasharray="1 3"/>'
    return (f"{heading(f'calibration error {error:.3f}')}"
            + _chart(line + dots + numbers, 190, 178, f"reliability diagram, calibration error {error:.3f}: {said}",
                     "confidence (accuracy upwards)", 166))


def _chart(inside: str, width: int, height: int, alt: str, x: str, right: int = 284) -> str:
    """An SVG with axes from (34, 142) to the right and upwards, in the page's own colour."""
    return (f'<svg role="img" aria-label="{escape(alt)}" viewBox="0 0 {width} {height}" width="{width}" '
            f'style="max-width:100%;height:auto;display:block" font-size="11" fill="currentColor">'
            f'<path d="M34 10V142H{right}" fill="none" stroke="currentColor" stroke-opacity=".5"/>{inside}'
            f'<text x="{(34 + right) / 2}" y="173" text-anchor="middle">{escape(x)}</text></svg>')
