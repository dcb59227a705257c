"""A post: what somebody wrote, the picture beside it, what was said to it, and the mood of it all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from PIL import Image

if TYPE_CHECKING:
    from .sound import Sound

#: What a post may have, in the order in which it is always named, encoded and joined. A side is a field of `Post`.
SIDES = ("text", "image", "voice")
#: What they are called where people read: in results, cards and sentences.
SUBJECTS = {"text": "text", "image": "picture", "voice": "voice"}
#: The same of many posts.
MANY = {"text": "texts", "image": "pictures", "voice": "voices"}
#: The three moods; a label is an index into them.
LABELS = ("negative", "neutral", "positive")
#: The two moods of `binary=True`, which leaves the neutral posts out.
BINARY_LABELS = ("negative", "positive")


@dataclass(frozen=True)
class Post:
    """One post. Of a reader's own, only its sides and its label are known; a side that is missing is None."""

    text: str | None
    image: Image.Image | None
    label: Any  # an index into the classes' names, such as LABELS; or a number, where a number is to be learned
    relation: str = ""  # how the sides stand to each other: one of RELATIONS, or of places.NAMED
    text_kind: Any = 0  # what the text says: one of phrases.KINDS
    picture_level: int = 0  # what the picture shows: -2 (awful) to 2 (gorgeous)
    dish: str = ""
    reason: str = ""  # the rule that gave the label, in words
    two_sided: bool = False  # whether the text says two things, of which the order of its words tells which counts
    places: tuple[Any, ...] = ()  # what stands where on a picture of several dishes: see places.Place
    voice: Sound | None = None  # what was said
    tone: Any = 0  # what the voice feels: one of spoken.TONES
    speaker: str = ""


class Posts(Protocol):
    """A data set or list of posts: all that loading, encoding and training ask of one."""

    def __len__(self) -> int:
        """How many posts."""
        ...

    def __getitem__(self, index: int, /) -> Post:
        """The post at a place, from 0."""
        ...


def listed(words: Sequence[str], last: str = "and") -> str:
    """ "text, picture and voice"."""
    return f" {last} ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def is_blank(text: str) -> bool:
    """Whether a text has nothing to read: no sign in it but spaces, control and zero-width characters."""
    return not any(sign.isprintable() and not sign.isspace() for sign in text)


def check_text(text: object, name: str) -> None:
    """Raise ValueError unless this is a text with something to read; `name` says whose it is."""
    if not isinstance(text, str) or is_blank(text):
        shown = repr(text) if len(repr(text)) <= 60 else f"{repr(text)[:60]}..."
        raise ValueError(f"{name} is {shown}: expected a string with at least one word.")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"{name} holds half of a character at place {error.start}: read its source anew, with the "
                         "right encoding.") from None
