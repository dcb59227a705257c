"""A zip with a table, its pictures and recordings, read in its place: nothing is unpacked onto the disk."""

from __future__ import annotations

import os
import zipfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath

from PIL import Image

from .pictures import picture_from_bytes

MAX_MEMBER = 100 * 2**20  # bytes of one picture or recording in a zip
MAX_TABLE = 500 * 2**20


@dataclass(frozen=True)
class Member:
    """A file in a zip."""

    archive: Path
    name: str

    def __str__(self) -> str:
        return f"{self.archive}/{self.name}"

    def read(self, limit: int = MAX_MEMBER) -> bytes:
        """What it holds.

        Raises:
            ValueError: if it is locked with a password, damaged, or has more bytes than the limit.
        """
        return _read(self, limit)

    def open(self) -> Image.Image:
        """It as a picture; see `picture_from_bytes`."""
        return picture_from_bytes(self.read(), str(self), MAX_MEMBER)


def _read(member: Member, limit: int) -> bytes:
    try:
        with _opened(member.archive, os.getpid()).open(member.name) as file:
            data = file.read(limit + 1)
    except RuntimeError as error:  # what zipfile raises for a locked one
        raise ValueError(f"{member} cannot be read ({error}): zip it without a password.") from error
    except Exception as error:  # what a damaged archive sets off has no kind in common
        raise ValueError(f"{member} cannot be read ({error}): zip it again.") from error
    if len(data) > limit:
        raise ValueError(f"{member} has more than {limit // 2**20} MB: make it smaller.")
    return data


@lru_cache(maxsize=2)
def _opened(path: Path, process: int) -> zipfile.ZipFile:
    """The archive, open: its directory is read once, and by each process for itself."""
    return zipfile.ZipFile(path)


def members(path: Path) -> dict[str, Member]:
    """The files in a zip, by their name with plain slashes; those of the Mac's Finder left out.

    Raises:
        ValueError: if it is no zip, or a name in it leads out of it.
    """
    _opened.cache_clear()  # it may be another one by now
    try:
        names = [info.filename for info in _opened(path, os.getpid()).infolist() if not info.is_dir()]
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise ValueError(f"{path.name} is no zip that can be read ({error}): make it anew.") from error
    found = {}
    for name in names:
        slashed = name.replace("\\", "/")
        place = PurePosixPath(slashed)
        if place.is_absolute() or ".." in place.parts or ":" in slashed.split("/")[0]:
            raise ValueError(f"{path.name} holds {name[:200]!r}, a name that leads out of it: make it anew, with names "
                             "relative to the table.")
        if place.parts[0] != "__MACOSX" and not place.name.startswith("."):
            found[str(place)] = Member(path, name)
    return found
