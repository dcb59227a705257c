"""A page as one HTML file that asks for nothing and runs nothing: its frame, its look, and pieces that escape."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Mapping, Sequence
from html import escape

from PIL import Image

_SIDE = 240  # pixels of a picture, at most
_STYLE = """
:root { color-scheme: light dark; --ink: #1a1a1a; --soft: #555; --back: #fff; --box: #f4f4f2; --line: #8a8a8a;
  --blue: #0072b2; --warn: #b34700; }
@media (prefers-color-scheme: dark) { :root { --ink: #ececec; --soft: #b8b8b8; --back: #161616; --box: #242424;
  --line: #8f8f8f; --blue: #56b4e9; --warn: #ffb067; } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 62rem; padding: 1rem 1rem 3rem; font: 1rem/1.5 system-ui, sans-serif;
  color: var(--ink); background: var(--back); overflow-wrap: anywhere }
h1 { font-size: 1.7rem; line-height: 1.2; margin: .5rem 0 } h2 { font-size: 1.25rem; margin: 2.2rem 0 .4rem }
h3 { font-size: 1rem; margin: 0 0 .3rem } p { margin: .3rem 0 .6rem; max-width: 46rem }
.soft { color: var(--soft) } .note { border-left: 4px solid var(--warn); background: var(--box); padding: .5rem .8rem }
.wide { overflow-x: auto; margin-bottom: 1.2rem } .wide svg { max-width: none }
.wide:focus-visible { outline: 2px solid var(--blue) }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
caption { text-align: left; color: var(--soft); padding-bottom: .3rem }
caption span { display: block; max-width: min(46rem, 100vw - 2rem) }
th, td { padding: .25rem .9rem .25rem 0; text-align: left; font-weight: 400; vertical-align: middle }
thead th { font-weight: 600; border-bottom: 1px solid var(--line); overflow-wrap: normal }
tbody th { min-width: 6.5rem; max-width: 16rem; overflow-wrap: break-word }
.range { color: var(--soft); white-space: nowrap }
.pairs td, .pairs thead th { text-align: center; padding: .35rem .6rem; min-width: 3.4rem }
.pairs td { border: 1px solid var(--back);
  background: color-mix(in srgb, var(--blue) calc(var(--share) * 55%), var(--box)) }
.pairs .right { font-weight: 700; text-decoration: underline }
svg { display: block; max-width: 100%; height: auto } svg text { fill: currentColor; font: 12px system-ui, sans-serif }
.posts { display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: 1rem; padding: 0;
  list-style: none }
.posts li { background: var(--box); border-radius: 6px; padding: .8rem }
.posts img { width: 100%; height: auto; max-height: 15rem; object-fit: contain; border-radius: 4px; display: block }
.posts img.small { image-rendering: pixelated; max-height: 10rem }
blockquote { margin: .5rem 0; font-style: italic }
dl { display: grid; grid-template-columns: auto 1fr; gap: .1rem .8rem; margin: 0 }
dd { margin: 0 } dt { color: var(--soft) }
@media print { body { max-width: none } .posts li { break-inside: avoid } }
"""


def document(title: str, parts: Iterable[str], allowed: str = "", style: str = "") -> str:
    """A whole page, HTML, in a light and a dark theme, for any width.

    Args:
        title: in words.
        parts: pieces of HTML, what is foreign in them escaped, as `text` does.
        allowed: what the page may load from itself besides pictures and its style, such as "media-src data:".
        style: rules of its own, CSS.
    """
    return ('<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; "
            f"{allowed + '; ' if allowed else ''}style-src 'unsafe-inline'\">\n"
            f"<title>{escape(title)}</title>\n<style>{_STYLE}{style}</style>\n</head>\n<body>\n<main>\n"
            + "\n".join(parts) + "\n</main>\n</body>\n</html>\n")


def text(value: object, longest: int = 60) -> str:
    """A text from anywhere, in short, as harmless HTML."""
    said = "".join(sign if sign.isprintable() or sign == "\n" else " " for sign in str(value))
    return escape(said if len(said) <= longest else said[:longest - 1] + "…")


def pairs(values: Mapping[str, object], longest: int = 200) -> str:
    """Names and what belongs to them, a line each; both from anywhere."""
    return "<dl>" + "".join(f"<dt>{text(name)}</dt><dd>{text(value, longest)}</dd>"
                            for name, value in values.items()) + "</dl>"


def table(caption: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of pieces of HTML, the first of a row its name; it scrolls by itself where the page is narrow."""
    head = "".join(f'<th scope="col">{name}</th>' for name in header)
    body = "".join(f'<tr><th scope="row">{first}</th>' + "".join(f"<td>{cell}</td>" for cell in rest) + "</tr>"
                   for first, *rest in rows)
    return wide(caption, f"<table><caption><span>{escape(caption)}</span></caption><thead><tr>{head}</tr></thead>"
                         f"<tbody>{body}</tbody></table>")


def wide(name: str, inside: str) -> str:
    """Something that may be wider than the page, HTML: it scrolls by itself, by keys too."""
    return f'<div class="wide" role="region" tabindex="0" aria-label="{escape(name)}">{inside}</div>'


def picture(image: Image.Image, place: int) -> str:
    """A small copy of the picture of the post at a place, within the page."""
    small = image.copy()
    small.thumbnail((_SIDE, _SIDE))
    tiny, buffer = max(small.size) < _SIDE, io.BytesIO()
    if tiny:
        small.convert("RGB").save(buffer, "png")
    else:
        small.convert("RGB").save(buffer, "jpeg", quality=82)
    data = base64.b64encode(buffer.getvalue()).decode()
    return (f'<img src="data:image/{"png" if tiny else "jpeg"};base64,{data}"{" class=small" if tiny else ""} '
            f'width="{small.width}" height="{small.height}" alt="The picture of post {place + 1}, above its text">')
