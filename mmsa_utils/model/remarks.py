"""What a model could not read of some posts, in sentences: where texts and voices were cut, words that it does not
know, voices that are silent or clipped.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..encoders.base import Unread
from ..posts.sound import Sound

if TYPE_CHECKING:
    from .model import MultimodalSentimentModel

_EXAMPLES = 3
_LONGEST = 30  # characters of an example
SILENT = 1e-3  #: of full scale (-60 dB): a recording that never gets louder is silent
_FULL, CLIPPED = 0.98, 0.005  #: the share of samples at full scale from which on a recording is clipped


class Heard(NamedTuple):
    """What is to be said of a recording, for those who do not keep it."""

    seconds: float  # that are listened to, if it was cut; else 0
    silent: bool
    clipped: bool


def heard(prepare: Any, sound: Sound) -> Heard:
    """What is to be said of a recording; `prepare` is the voice encoder's."""
    loudness = np.abs(sound.samples)
    longest = getattr(prepare, "max_seconds", None)
    return Heard(longest if longest is not None and sound.seconds > longest else 0.0,
                 bool(loudness.max(initial=0) < SILENT), bool((loudness >= _FULL).mean() >= CLIPPED))


def remarks(model: MultimodalSentimentModel, texts: Sequence[str | None] | None,
            voices: Sequence[Sound | Heard | None] | None = None) -> list[str]:
    """What the model does not take in of these posts, a sentence for each kind; an empty list where all is well.

    Args:
        model: any; of a side that it does not read it has nothing to say.
        texts: one a post, None where it is missing.
        voices: the same of what is said, or what `heard` made of it.
    """
    return _of_texts(model, texts) + _of_voices(model, voices)


def _of_voices(model: MultimodalSentimentModel, voices: Sequence[Sound | Heard | None] | None) -> list[str]:
    if voices is None or "voice" not in model.sides:
        return []
    prepare = model.encoders["voice"].prepare
    found = [voice if isinstance(voice, Heard) else heard(prepare, voice) for voice in voices if voice is not None]
    cut = [one.seconds for one in found if one.seconds]
    kinds = ((len(cut), "cut", f"cut after {max(cut, default=0):g} seconds: what is said behind was not heard."),
             (sum(one.silent for one in found), "silent",
              "silent: as far as the voice goes, the answer means nothing."),
             (sum(one.clipped for one in found), "clipped",
              "clipped, too loud for the file: how loud and how bright the voice was is lost."))
    return [f"{'the recording' if len(found) == 1 else f'{count} of {len(found)} recordings'} "
            f"{('was' if count == 1 else 'were') if kind == 'cut' else ('is' if count == 1 else 'are')} {said}"
            for count, kind, said in kinds if count]


def _of_texts(model: MultimodalSentimentModel, texts: Sequence[str | None] | None) -> list[str]:
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
