"""Small pieces of a page: each function turns values into HTML that the explorers and the dashboard show.

Pure functions, no scripts, nothing fetched. Text takes the page's own colour, so that light and dark themes both
work, and no meaning is carried by colour alone: every bar and cell has its number or name in words.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

from PIL import Image

from ..posts.sound import Sound, wav_bytes

if TYPE_CHECKING:
    from IPython.display import Image as DisplayImage

BLUE, ORANGE, GREEN, RED, GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#767676"  # Okabe and Ito's
LABEL_COLOURS = {"negative": RED, "neutral": GREY, "positive": GREEN}
_FAINT = "color-mix(in srgb, currentColor 12%, transparent)"


def row(*blocks: str) -> str:
    """Blocks side by side, wrapped where the page is narrow."""
    inside = "".join(f'<div style="min-width:0">{block}</div>' for block in blocks)  # may be narrower than its content
    return ('<div style="display:flex;flex-wrap:wrap;gap:8px 24px;align-items:flex-start;line-height:1.4">'
            f"{inside}</div>")


def heading(text: str) -> str:
    """A small heading over a block."""
    return f'<div style="font-weight:600;margin:4px 0">{escape(text)}</div>'


def column(*blocks: str, width: int) -> str:
    """Blocks below each other, `width` CSS pixels wide whatever is in them, so that what stands beside them stays."""
    return f'<div style="width:{width}px;max-width:100%">{"".join(blocks)}</div>'


def paragraph(text: str, lines: int = 0) -> str:
    """A line of text, broken where it grows too long to read; with room for `lines`, so that what is below stays."""
    room = f";min-height:{1.4 * lines:.1f}em;line-height:1.4" * bool(lines)
    return f'<div style="max-width:44em;margin:4px 0{room}">{escape(text)}</div>'


def note(text: str) -> str:
    """A remark that must not be overlooked, such as what is wrong with an input; read out when it appears."""
    return (f'<div role="alert" style="border-left:4px solid {ORANGE};padding:4px 10px;margin:4px 0;max-width:44em;'
            f'line-height:1.4">{escape(text)}</div>')


def picture(image: Image.Image, alt: str, width: int = 160) -> str:
    """A PIL picture as an <img>, `width` CSS pixels wide; small ones keep their hard pixels."""
    buffer = io.BytesIO()
    image.convert("RGBA" if image.mode == "RGBA" else "RGB").save(buffer, "png", compress_level=1)
    return _img(buffer.getvalue(), alt, width, "pixelated" if image.width < width else "auto")


def figure(drawn: DisplayImage, width: int) -> str:
    """A figure from `plots` as an <img> with its alt text, `width` CSS pixels wide."""
    return _img(drawn.data, drawn.alt, width)


def _img(png: bytes, alt: str, width: int, rendering: str = "auto") -> str:
    return (f'<img src="data:image/png;base64,{base64.b64encode(png).decode()}" alt="{escape(alt)}" '
            f'style="width:{width}px;max-width:100%;image-rendering:{rendering};border-radius:4px;display:block">')


def player(sound: Sound, label: str) -> str:
    """A recording as an <audio> with controls that holds all of it: at 16 kHz some 43 KB a second."""
    data = base64.b64encode(wav_bytes(sound)).decode()
    return (f'<audio controls aria-label="{escape(label)}" src="data:audio/wav;base64,{data}" '
            'style="width:320px;max-width:100%;height:40px;display:block"></audio>')


def mood(name: str, bold: bool = True) -> str:
    """The name of a class, large, beside its colour; not bold where it is said with reserve."""
    dot = (f'<span aria-hidden="true" style="display:inline-block;width:.7em;height:.7em;border-radius:50%;'
           f'background:{LABEL_COLOURS.get(name, BLUE)};margin-right:.4em"></span>')
    return f'<span style="font-size:1.3em;font-weight:{600 if bold else 400}">{dot}{escape(name)}</span>'


def bars(values: Mapping[str, float], colours: Mapping[str, str] = LABEL_COLOURS, form: str = ".2f") -> str:
    """Shares between 0 and 1 as horizontal bars, each with its name and number."""
    lines = []
    for name, value in values.items():
        bar = (f'<div style="background:{_FAINT};width:100px;height:12px;border-radius:2px">'
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
