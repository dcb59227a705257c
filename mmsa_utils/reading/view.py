"""A reading as a page shows it: HTML made from what the reader says by the pieces in `panels`, nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
from PIL import Image, ImageDraw

from ..figures import panels
from ..posts.post import listed
from .explain import HITS, Regions, Words
from .occlusion import Occlusion
from .reading import Reading

NOTABLE = 0.05  # a change of a probability that is worth a word
PLACES = (("at the upper left", "at the top", "at the upper right"), ("on the left", "in the middle", "on the right"),
          ("at the lower left", "at the bottom", "at the lower right"))


def answer_html(reading: Reading) -> str:
    """The answer, what each side alone would say, whether they disagree, and what the post lacks."""
    together = {listed(reading.counted): reading.both} if len(reading.counted) > 1 else {}
    return "".join((
        _headline(reading.label, reading.both, not reading.remarks), _remark(reading), _about_missing(reading),
        *(panels.note(_sentence(remark)) for remark in reading.remarks),
        panels.row(*(panels.heading(name) + _bars(reading.classes, probabilities, "not sure enough of any answer")
                     for name, probabilities in together.items()),
                   *(panels.heading(f"the {side} alone") + _bars(reading.classes, getattr(reading, side))
                     for side in reading.there))))


def _headline(answer: str | None, probabilities: Sequence[float] | None, bold: bool) -> str:
    if answer is None or probabilities is None:
        return '<div role="status">no answer</div>'
    return (f'<div role="status">{panels.mood(answer, bold)} '
            f'<span style="opacity:.8">with probability {max(probabilities):.2f}</span></div>')


def _bars(classes: Sequence[str], probabilities: Sequence[float] | None,
          nothing: str = "unlike all that the model has learned from: not asked") -> str:
    if probabilities is None:
        return panels.paragraph(nothing)
    return panels.bars(dict(zip(classes, probabilities)))


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]


def _remark(reading: Reading) -> str:
    """How the answer relates to what each side alone would say."""
    answers = reading.answers
    if reading.contradicts:
        each = ", ".join(f"the {side} alone {'says ' * (side == reading.speaking[0])}{answers[side]}"
                         for side in reading.speaking)
        took = " and ".join(side if side == "neither" else f"the {side}'s" for side in reading.winner.split(" and "))
        return panels.note(f"{_sentence(listed(reading.speaking))} disagree: {each}."
                           + f" The answer took {took} side." * bool(reading.winner))
    if len(reading.counted) > 1 and reading.label and reading.label not in [answers[side] for side in reading.counted]:
        neither, count = ("Neither", "two") if len(reading.counted) == 2 else ("No", "three")
        return panels.paragraph(f"{neither} side alone would say so: this answer comes from the {count} together.")
    return ""


def _about_missing(reading: Reading) -> str:
    """What the post lacks, and what adding it would bring."""
    if not reading.missing:
        return ""
    alone = " alone" * (len(reading.there) == 1)
    complete = "both" if len(reading.reads) == 2 else "they" if alone else "all three"
    return panels.paragraph(f"That is the {' and the '.join(reading.there)}{alone}: add a "
                            f"{' or a '.join(reading.missing)} to hear what {complete} say together.")


def post_html(text: str, image: Image.Image, width: int = 120) -> str:
    """A post, small."""
    small = image.copy()
    small.thumbnail((2 * width, 2 * width))
    return panels.row(panels.picture(small, "the picture", width), panels.paragraph(f"“{text}”"))


def whatif_html(mine: Reading, others: Mapping[str, Reading]) -> str:
    """The answer to a post beside the answers to the same post with something changed, by what was changed."""
    def block(name: str, reading: Reading) -> str:
        return panels.heading(name) + _bars(reading.classes, reading.both)

    before, blocks = mine.label or "no answer", [block("your post", mine)]
    for name, reading in others.items():
        after = reading.label or "no answer"
        moved = f"The answer moves from {before} to {after}." if before != after else f"The answer stays {after}."
        blocks.append(block(name, reading)
                      + f'<div role="status">{panels.column(panels.paragraph(moved), width=220)}</div>')
    return panels.row(*blocks)


def mattered_html(words: Words | None, regions: Regions | None, left_out: Sequence[str] = ()) -> str:
    """The words and the regions that speak for what their side says, or against it, and how far to trust them.

    Args:
        words, regions: None where the post has no text, no picture, or the answer left it out.
        left_out: "text", "picture": what is there, and was left out of the answer; nothing in it is explained.
    """
    blocks, trust = [], []
    if words:
        said = [words_in_words(words)]
        if words.cut:
            said.append(f"Only the first {len(words.words)} words were tried.")
        blocks.append(panels.column(panels.heading(f"the text alone says {words.answer}"),
                                    "".join(_word(word, support) for word, support in words.words),
                                    *(panels.paragraph(line) for line in said), width=320))
        trust.append(f"the word that is named first is part of it in {HITS['text']}")
    if regions:
        picture = regions_in_words(regions)
        blocks.append(panels.column(panels.heading(f"the picture alone says {regions.answer}"),
                                    panels.picture(region_map(regions), picture, 224), panels.paragraph(picture),
                                    width=320))
        trust.append(f"the framed region {'is part of it ' * (not words)}in {HITS['picture']}")
    html = panels.row(*blocks) if blocks else ""
    if left_out:
        html += panels.paragraph(f"The answer left the {' and the '.join(left_out)} out, so nothing in "
                                 f"{'it' if len(left_out) == 1 else 'them'} is explained.")
    if trust:
        html += panels.paragraph(
            "Blue speaks for it; orange, with dashes, against it. Of drawn posts, where what gives the mood is known, "
            f"{', '.join(trust)}. Your own posts may fare worse.")
    return html


def _word(word: str, support: float) -> str:
    """A word, shaded and underlined the more it speaks for (solid) or against (dashed) the answer."""
    style = f"background:color-mix(in srgb, {colour_of(support)} {min(70, 100 * abs(support)):.0f}%, transparent)"
    if abs(support) >= NOTABLE:
        style += f";border-bottom:3px {'solid' if support > 0 else 'dashed'} {colour_of(support)}"
    return (f'<span style="display:inline-block;margin:0 4px 4px 0;padding:0 4px;border-radius:3px;max-width:100%;'
            f'overflow-wrap:anywhere;{style}">{escape(word)}</span>')


def colour_of(support: float) -> str:
    """Blue for what speaks for the answer, orange for what speaks against it."""
    return panels.BLUE if support > 0 else panels.ORANGE


def words_in_words(words: Words) -> str:
    """Which words speak for what the text says, and which against it; at most three of each, the strongest first."""
    ranked = sorted(words.words, key=lambda pair: -pair[1])
    speaking = [[f"“{word}”" for word, support in some[:3] if abs(support) >= NOTABLE and (support > 0) == positive]
                for some, positive in ((ranked, True), (ranked[::-1], False))]
    parts = [f"{listed(some)} {'speaks' if len(some) == 1 else 'speak'} {way}"
             for some, way in zip(speaking, (f"for {words.answer}", f"against {words.answer}")) if some]
    if not parts:
        return f"No single word stands out: whichever is left out, the text is about as sure of {words.answer}."
    return ", ".join(parts) + "."


def regions_in_words(regions: Regions) -> str:
    """Which region speaks most for what the picture says."""
    support = regions.regions
    row, column = np.unravel_index(support.argmax(), support.shape)
    if support.max() <= 0:
        return f"No region speaks for it: whichever is blurred, the picture is as sure of {regions.answer} as before."
    place = PLACES[min(2, 3 * row // support.shape[0])][min(2, 3 * column // support.shape[1])]
    framed = f"The framed region, {place}, speaks most for {regions.answer}"
    return f"{framed}." if support.max() >= NOTABLE else f"{framed}; but the picture would say so without it, too."


def region_map(shown: Regions | Occlusion, pixels: int = 224) -> Image.Image:
    """The picture, its regions the fuller coloured the more they speak for the answer, or against it.

    The one that speaks for it most is framed.
    """
    support = -shown.regions if isinstance(shown, Occlusion) else shown.regions
    width, height = (max(1, round(pixels * side / max(shown.seen.size))) for side in shown.seen.size)
    crisp = max(shown.seen.size) <= pixels
    seen = shown.seen.resize((width, height), Image.Resampling.NEAREST if crisp else Image.Resampling.LANCZOS)
    veil = Image.new("RGBA", seen.size)
    draw = ImageDraw.Draw(veil)
    rows, columns = support.shape
    full = max(np.abs(support).max(), NOTABLE)  # small changes are not blown up
    for (row, column), one in np.ndenumerate(support):
        left, top = round(column * width / columns), round(row * height / rows)
        box = [left, top, max(left, round((column + 1) * width / columns) - 1),
               max(top, round((row + 1) * height / rows) - 1)]
        framed = one == support.max() > 0
        draw.rectangle(box, colour_of(one) + f"{round(190 * abs(one) / full):02x}", "white" if framed else None, 3)
    return Image.alpha_composite(seen.convert("RGBA"), veil).convert("RGB")
