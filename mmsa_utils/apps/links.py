"""The links of a page of Markdown, made anew for a place where other files lie around it; none is left dead."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping
from urllib.parse import quote, unquote

_LABEL = r"\[(?P<label>(?:[^\[\]]|\[[^\[\]]*\])*)\]"
_TARGET = r"\((?P<target>[^()\s]*(?:\([^()\s]*\)[^()\s]*)*)\)"
_CODE = r"^(?P<fence>```+|~~~+).*?^(?P=fence)|(?P<ticks>`+)(?!`).*?(?<!`)(?P=ticks)(?!`)"
# What is code is passed over; a label may have code in it.
_LINK = re.compile(rf"(?P<code>{_CODE})|(?P<picture>!?){_LABEL}{_TARGET}", re.DOTALL | re.MULTILINE)


def relinked(page: str, place: str, kept: Mapping[str, str], address: str = "") -> Callable[[str], str]:
    """A function that makes the links of a page's Markdown anew.

    Links to other hosts, and within the page, stay as they are. One to a file that is handed out leads there; of any
    other the words are left, or it leads into the repository, where that has an address.

    Args:
        page: the page's place in the course's folder, such as "notebooks/02_text_encoders.ipynb".
        place: its place in what is handed out.
        kept: places in the course's folder of all that is handed out → their places there. Those of which the new
            place is "" are gone for good: they are not linked to in the repository either.
        address: of the repository's files, such as https://github.com/OWNER/NAME/blob/main; "" for none.
    """
    def anew(match: re.Match) -> str:
        target = match["target"]
        if match["code"] is not None or not target or target.startswith("#") or re.match(r"\w+:|//", target):
            return match[0]
        path, hash_, anchor = target.partition("#")
        file = posixpath.normpath(posixpath.join(posixpath.dirname(page), unquote(path)))
        if kept.get(file):
            path = quote(posixpath.relpath(kept[file], posixpath.dirname(place) or "."))
        elif address and file not in kept and not file.startswith(".."):
            path = f"{address}/{quote(file)}"
        else:
            return match["label"]
        return f"{match['picture']}[{match['label']}]({path}{hash_}{anchor})"

    return lambda source: _LINK.sub(anew, source)
