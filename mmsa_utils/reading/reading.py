"""What a model makes of one post, as plain numbers and words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Reading:
    """What a model makes of one post. Probabilities are in the order of `classes`; None where it abstains."""

    classes: tuple[str, ...]
    both: tuple[float, ...] | None  # of the whole post: of all its sides that count, see `counted`
    text: tuple[float, ...] | None  # what the text alone would say, see `Reader`
    picture: tuple[float, ...] | None  # and the picture alone
    cut: bool  # the text was longer than the model reads; its end was not looked at
    seconds: float  # from text and pixels to the answer
    remarks: tuple[str, ...] = ()  # what the model could not read, does not know, or has to do without, in sentences
    unfamiliar: tuple[str, ...] = ()  # "text", ...: unlike all that the model has learned from, and left out
    voice: tuple[float, ...] | None = None  # what the voice alone would say
    reads: tuple[str, ...] = ("text", "picture")  # the sides that the model reads
    missing: tuple[str, ...] = ()  # those of them that the post lacks

    @property
    def there(self) -> tuple[str, ...]:
        """The sides that the post has, of those that the model reads."""
        return tuple(side for side in self.reads if side not in self.missing)

    @property
    def counted(self) -> tuple[str, ...]:
        """The sides that the answer rests on: those that are there and familiar."""
        return tuple(side for side in self.there if side not in self.unfamiliar)

    @property
    def label(self) -> str | None:
        """The answer: the most probable class of the whole post; None where the model abstains."""
        return self._said(self.both)

    @property
    def answers(self) -> dict[str, str | None]:
        """The most probable class of ``"both"`` (``"all"``, of three sides), and of each side alone by its name."""
        return {"both" if len(self.reads) == 2 else "all": self.label,
                **{side: self._said(getattr(self, side)) for side in self.reads}}

    @property
    def speaking(self) -> tuple[str, ...]:
        """The sides that say something by themselves, and not neutral."""
        answers = self.answers
        return tuple(side for side in self.reads if answers[side] not in ("neutral", None))

    @property
    def contradicts(self) -> bool:
        """Two sides, each alone, say different things, and neither of them says neutral, or nothing."""
        answers = self.answers
        return len({answers[side] for side in self.speaking}) > 1

    @property
    def winner(self) -> str:
        """Whose side the answer took: ``"text"``, ``"picture"``, ``"text and voice"``, ... or ``"neither"``.

        These are the sides whose own answer is the answer; "" if no two contradict, or there is no answer.
        """
        if not self.contradicts or self.label is None:
            return ""
        answers = self.answers
        return " and ".join(side for side in self.reads if answers[side] == self.label) or "neither"

    @property
    def summary(self) -> dict[str, Any]:
        """All of it as plain numbers and words, for JSON. Only a post that lacks sides has the key ``"missing"``."""
        def named(said: tuple[float, ...] | None) -> dict[str, float] | None:
            return None if said is None else dict(zip(self.classes, said))

        return {"label": self.label, "probabilities": named(self.both),
                **{f"{side}_alone": named(getattr(self, side)) for side in self.reads},
                "contradicts": self.contradicts, "winner": self.winner,
                "cut": self.cut, **({"missing": list(self.missing)} if self.missing else {}),
                "unfamiliar": list(self.unfamiliar), "remarks": list(self.remarks), "seconds": self.seconds}

    def _said(self, probabilities: tuple[float, ...] | None) -> str | None:
        return None if probabilities is None else self.classes[int(np.argmax(probabilities))]
