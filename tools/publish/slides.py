"""A deck of slides for each notebook, from docs/slides.md and the figures that the notebooks store.

python tools/publish/slides.py (make slides)   build/slides/NN_name.html, .pdf and _notes.pdf: one file each, no network

In the browser: arrow keys, n for notes, t for light or dark. Chromium prints the PDFs; without it they are left out.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from html import escape
from pathlib import Path

from markdown_it import MarkdownIt
from outline import OUTLINE, ROOT, Deck, Part, Slide, read_outline

from mmsa_utils.bars import progress

sys.path.append(str(ROOT / "tests"))  # where the tests' browser is found

from chromium import MISSING, find_chromium

SLIDES = ROOT / "build" / "slides"
LOOKS = Path(__file__).parent / "slides"  # the style and the keys
COURSE = "Multimodal sentiment analysis, step by step"
SCALE = 0.61  # the width of a letter of the usual monospace fonts, in its height

MARKDOWN = MarkdownIt("commonmark").enable("table")


def inline(markdown: str) -> str:
    return MARKDOWN.renderInline(markdown)


def shown(part: Part) -> str:
    """A part as HTML; text gets the size at which all of it fits."""
    if part.kind == "figure":
        return f'<img src="data:image/png;base64,{part.content}" alt="{escape(part.alt)}">'
    if part.kind == "table":
        return MARKDOWN.render(part.content)
    lines = part.content.splitlines()
    wide, high = max(map(len, lines)) * SCALE, len(lines) * 1.45
    return f'<pre tabindex="0" style="--wide: {wide:.1f}; --high: {high:.1f}"><code>{escape(part.content)}</code></pre>'


def listed(entries: list[str]) -> str:
    return "<ul>" + "".join(f"<li>{inline(entry)}</li>" for entry in entries) + "</ul>"


def page(kind: str, title: str, body: str, notes: list[tuple[str, str]] = ()) -> str:
    """One slide: `body` below its heading, and notes that are shown on request."""
    level = "h1" if kind == "title" else "h2"
    told = "".join(f"<p><b>{what}</b> {inline(words)}</p>" for what, words in notes)
    return (f'<section class="slide {kind}"><div class="stage"><{level}>{inline(title)}</{level}>{body}</div>'
            f'<aside class="notes" aria-label="Notes">{told}</aside></section>')


def pages_of(slide: Slide) -> Iterator[str]:
    """One page for each thing that is shown, and for a question that comes first."""
    notes = [*slide.notes, *([("●", "For half a day, too.")] if slide.marked else [])]
    for number, (question, part) in enumerate(slide.steps, 1):
        asked = f'<p class="ask">{inline(question)}</p>' if question else ""
        count = f' <small>{number} of {len(slide.steps)}</small>' if len(slide.steps) > 1 else ""
        body = f'<div class="{part.kind} part">{shown(part)}</div>{asked}' if part else asked
        html = page("shows" if part else "asks", slide.title, body, notes)
        yield html.replace("</h2>", f"{count}</h2>", 1)


def pages(deck: Deck) -> list[str]:
    """All slides of one notebook: title, objectives, the outline's, what we did, exercises, what comes next."""
    number, _, name = deck.title.partition(" ")
    time, memory, downloads, *_ = deck.card
    front = [page("title", f"{number} · {name}", f"<p>{inline(deck.lead)}</p><p class='course'>{COURSE}</p>",
                  [("Notebook", f"{deck.notebook}: {time}; memory {memory}; downloads: {downloads}.")]),
             page("list", "In this notebook you will", listed(deck.aims))]
    back = [page("list", "What we did", listed(deck.done)),
            *([page("list", "Exercises", listed([f"{title} <small>{note}</small>" for title, note in deck.exercises]))]
              if deck.exercises else []),
            page("asks", "And then", f'<p class="ask">{inline(deck.following)}</p>')]
    return [*front, *(html for slide in deck.slides for html in pages_of(slide)), *back]


def whole(deck: Deck) -> str:
    """The deck as one HTML file that asks nobody for anything."""
    style, keys = ((LOOKS / name).read_text(encoding="utf8") for name in ("deck.css", "deck.js"))
    buttons = "".join(f'<button id="{name}" aria-pressed="false">{label} ({name[0]})</button>'
                      for name, label in (("notes", "Notes"), ("theme", "Light or dark")))
    return (f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(deck.title)}: slides</title>'
            f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<style>\n{style}</style></head>\n'
            '<body><main>\n' + "\n".join(pages(deck)) + f'\n</main><nav aria-label="Deck">{buttons}</nav>\n'
            f'<script>\n{keys}</script></body></html>\n')


def print_decks(browser, decks: list[Path]) -> None:
    """Each deck as two PDFs beside it, the second with notes below the slides."""
    view = browser.new_page(color_scheme="light")
    for deck in progress(decks, "printing"):
        view.goto(deck.as_uri())
        view.evaluate("Promise.all([...document.images].map(image => image.decode()))")
        for ending, notes in (("", False), ("_notes", True)):
            view.evaluate(f"document.body.classList.toggle('with-notes', {str(notes).lower()})")
            view.pdf(path=deck.with_name(f"{deck.stem}{ending}.pdf"), prefer_css_page_size=True, print_background=True,
                     tagged=True, outline=True)


def main() -> int:
    from pages import in_chromium

    decks = read_outline(OUTLINE.read_text(encoding="utf8"))
    SLIDES.mkdir(parents=True, exist_ok=True)
    files = []
    for deck in decks:
        files.append(SLIDES / f"{deck.notebook}.html")
        files[-1].write_text(whole(deck), encoding="utf8")
    print(f"{sum(len(pages(deck)) for deck in decks)} slides in {len(decks)} decks: {SLIDES.relative_to(ROOT)}")
    browser = find_chromium()
    if not browser:
        print(f"The PDFs were left out: {MISSING}")
        return 0
    with in_chromium(browser) as chromium:
        print_decks(chromium, files)
    print("As PDF, too, and with notes: NN_name_notes.pdf")
    return 0


if __name__ == "__main__":
    sys.exit(main())
