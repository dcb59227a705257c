"""What a model could not read of some texts, in sentences: where they were cut, and words that it does not know."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ..encoders.base import Unread

if TYPE_CHECKING:
    from .model import MultimodalSentimentModel

_EXAMPLES = 3
_LONGEST = 30  # characters of an example


def remarks(model: MultimodalSentimentModel, texts: Sequence[str | None] | None) -> list[str]:
    """What the model does not take in of these texts, a sentence for each kind; an empty list where all is well.

    Args:
        model: any; one that reads no text has nothing to say.
        texts: one a post, None where it is missing.
    """
    if texts is None or "text" not in model.sides:
        return []
    given = [text for text in ([texts] if isinstance(texts, str) else texts) if isinstance(text, str)]
    encoder = model.encoders["text"]
    found = list(zip(given, encoder.unread(given)))
    blank = [(text, part) for text, part in found if part.all]
    odd = [(text, part) for text, part in found if part.unknown and not part.all]
    said = [_about_cuts([text for text, part in found if part.cut], len(given), encoder.max_tokens),
            _about_blanks(blank, len(given)), _about_words(odd, len(given))]
    return [sentence for sentence in said if sentence]


def _about_cuts(cut: list[str], n: int, tokens: int | None) -> str:
    if not cut:
        return ""
    if n == 1:
        return f"the text was cut after {tokens} tokens: what stands behind was not read."
    return (f"{len(cut)} of {n} texts {'was' if len(cut) == 1 else 'were'} cut after {tokens} tokens ({_quoted(cut)}): "
            "what stands behind was not read.")


def _about_blanks(blank: list[tuple[str, Unread]], n: int) -> str:
    if not blank:
        return ""
    texts = _quoted(text for text, _ in blank)
    if n == 1:
        return f"the model knows no word of the text ({texts}): as far as the text goes, the answer means nothing."
    return (f"{len(blank)} of {n} texts {_hold(blank)} no word that the model knows ({texts}): as far as the text "
            "goes, the answer to them means nothing.")


def _about_words(odd: list[tuple[str, Unread]], n: int) -> str:
    if not odd:
        return ""
    words = list(dict.fromkeys(word for _, part in odd for word in part.unknown))
    unknown = "a word" if len(words) == 1 else f"{len(words)} words"
    where = "the text holds" if n == 1 else f"{len(odd)} of {n} texts {_hold(odd)}"
    return (f"{where} {unknown} that the model does not know ({_quoted(words)}): any such word is the same to it, and "
            "tells it nothing.")


def _hold(some: list) -> str:
    return "holds" if len(some) == 1 else "hold"


def _quoted(texts: Iterable[str]) -> str:
    """Up to three examples, each in short, and a sign that there are more."""
    chosen = list(dict.fromkeys(" ".join(text.split()) for text in texts))
    shown = [text if len(text) <= _LONGEST else text[:_LONGEST].rstrip() + "…" for text in chosen[:_EXAMPLES]]
    return ", ".join(f"“{text}”" for text in shown) + (", …" if len(chosen) > _EXAMPLES else "")
