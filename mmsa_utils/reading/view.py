"""A reading as a page shows it: HTML made from `reading`'s results by the pieces in `panels`, nothing else."""

from __future__ import annotations

from html import escape

import numpy as np
from PIL import Image, ImageDraw

from ..figures import panels
from .reader import Occlusion, Reading

NOTABLE = 0.05  # a change of a probability that is worth a word
SIDES = {"text": "the text's", "picture": "the picture's", "neither": "neither"}


def answer_html(reading: Reading) -> str:
    """The answer, what each side alone would say, whether the two disagree, and the time taken."""
    sure = max(reading.both)
    parts = [f'<div role="status">{panels.mood(reading.answers["both"])} '
             f'<span style="opacity:.8">with probability {sure:.2f}</span></div>', _remark(reading)]
    sides = {"text and picture": reading.both, "the text alone": reading.text, "the picture alone": reading.picture}
    parts.append(panels.row(*(panels.heading(name) + panels.bars(dict(zip(reading.classes, probabilities)))
                              for name, probabilities in sides.items())))
    if reading.cut:
        parts.append(panels.note("The text is longer than this model reads: its end was not looked at."))
    parts.append(f'<div style="opacity:.8;margin-top:6px">{1000 * reading.seconds:.0f} ms of model time</div>')
    return "".join(parts)


def _remark(reading: Reading) -> str:
    """How the answer relates to what either side alone would say."""
    answers = reading.answers
    if reading.contradicts:
        return panels.note(f"Text and picture disagree: the text alone says {answers['text']}, the picture alone "
                           f"{answers['picture']}. " + (f"The answer took {SIDES[reading.winner]} side."
                                                        if reading.winner != "neither" else
                                                        "The answer took neither side."))
    if answers["both"] not in (answers["text"], answers["picture"]):
        return panels.paragraph("Neither side alone would say so: this answer comes from the two together.")
    return ""


def post_html(text: str, image: Image.Image, width: int = 120) -> str:
    """A post, small."""
    small = image.copy()
    small.thumbnail((2 * width, 2 * width))
    return panels.row(panels.picture(small, "the picture", width), panels.paragraph(f"“{text}”"))


def whatif_html(mine: Reading, other: Reading, changed: str) -> str:
    """The answer to a post beside the answer to the same post with something changed, which `changed` names."""
    before, after = mine.answers["both"], other.answers["both"]
    moved = f"The answer moves from {before} to {after}." if before != after else f"The answer stays {after}."
    return f'<div role="status">{panels.paragraph(moved)}</div>' + panels.row(*(
        panels.heading(name) + panels.bars(dict(zip(reading.classes, reading.both)))
        for name, reading in (("your post", mine), (changed, other))))


def mattered_html(occlusion: Occlusion) -> str:
    """The words and the regions of the picture without which the answer would be less sure, or surer."""
    words = "".join(_word(word, change) for word, change in occlusion.words)
    said = [f"How the probability of “{occlusion.answer}” changes when one word is left out, or a grey patch covers "
            "one region. A minus: it spoke for the answer. A plus: against it."]
    if occlusion.cut:
        said.append(f"Only the first {len(occlusion.words)} words were tried.")
    return "".join(panels.paragraph(line) for line in said) + panels.row(
        panels.heading("words") + f'<div style="max-width:30em">{words}</div>'
        + panels.paragraph(words_in_words(occlusion)),
        panels.heading("regions") + panels.picture(region_map(occlusion), regions_in_words(occlusion), 224)
        + panels.paragraph(regions_in_words(occlusion)))


def _word(word: str, change: float) -> str:
    shade = f"color-mix(in srgb, {colour_of(change)} {min(70, 100 * abs(change)):.0f}%, transparent)"
    return (f'<span style="display:inline-block;text-align:center;margin:0 4px 4px 0;padding:0 4px;border-radius:3px;'
            f'background:{shade};max-width:100%;overflow-wrap:anywhere">{escape(word)}<br>'
            f'<span style="font-size:.8em;font-variant-numeric:tabular-nums">{signed(change)}</span></span>')


def colour_of(change: float) -> str:
    """Blue for what spoke for the answer, orange for what spoke against it."""
    return panels.BLUE if change < 0 else panels.ORANGE


def signed(change: float) -> str:
    """A change with its sign, and a plain 0 for next to nothing."""
    return f"{change:+.2f}".replace("-", "−") if abs(change) >= 0.005 else "0"


def words_in_words(occlusion: Occlusion) -> str:
    """Which word mattered most."""
    word, change = max(occlusion.words, key=lambda pair: abs(pair[1]))
    if abs(change) < NOTABLE:
        return "No single word mattered: without any of them the answer stays about as sure."
    return f"The word that mattered most: “{word}” ({signed(change)})."


def regions_in_words(occlusion: Occlusion) -> str:
    """Which region mattered most."""
    row, column = np.unravel_index(np.abs(occlusion.regions).argmax(), occlusion.regions.shape)
    change = float(occlusion.regions[row, column])
    if abs(change) < NOTABLE:
        return "No single region mattered: whichever is covered, the answer stays about as sure."
    rows, columns = occlusion.regions.shape
    return (f"The region that mattered most: row {row + 1} of {rows}, column {column + 1} of {columns} "
            f"({signed(change)}), framed.")


def region_map(occlusion: Occlusion, pixels: int = 224) -> Image.Image:
    """The picture as the model sees it, its regions the fuller coloured the more they mattered; the first is framed."""
    seen = occlusion.seen.resize((pixels, pixels), Image.Resampling.NEAREST).convert("RGBA")
    veil = Image.new("RGBA", seen.size)
    draw = ImageDraw.Draw(veil)
    rows, columns = occlusion.regions.shape
    strongest = np.abs(occlusion.regions).max()
    full = max(strongest, 0.2)  # small changes are not blown up
    for (row, column), change in np.ndenumerate(occlusion.regions):
        box = [round(column * pixels / columns), round(row * pixels / rows),
               round((column + 1) * pixels / columns) - 1, round((row + 1) * pixels / rows) - 1]
        framed = abs(change) == strongest >= NOTABLE
        draw.rectangle(box, colour_of(change) + f"{round(190 * abs(change) / full):02x}",
                       "white" if framed else None, 3)
    return Image.alpha_composite(seen, veil).convert("RGB")
