"""What stands where a picture or a recording is to be named: the file it means, or what is amiss and what to do."""

from __future__ import annotations

import os
import re
import stat
import unicodedata
from functools import lru_cache
from pathlib import Path, PureWindowsPath
from urllib.parse import unquote

from .labels import is_missing

#: What is named → how the names of such files end.
ENDINGS = {"picture": (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".heic"),
           "recording": (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".m4a", ".aac", ".aif", ".aiff", ".webm")}
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+:/+[^/]|//[^/]", re.IGNORECASE)  # C:/ is a drive
_DOMAIN = re.compile(r"(www\.|([\w-]+\.)+(com|org|net|io|co|ly|me|de|uk)/)", re.IGNORECASE)  # without its https://
# How pictures and recordings begin.
_BASE64 = re.compile(r"(?:b['\"])?(iVBOR|/9j/|R0lGOD|UklGR|Qk[0-9A-Za-z]|SUQz|T2dnUw|ZkxhQ)[A-Za-z0-9+/=\s]{80,}")


def is_file(path: Path) -> bool:
    """Whether this is a file that can be read to its end: no folder, pipe or device, no name that cannot be.

    Raises:
        PermissionError: if it lies where this account may not look.
    """
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except PermissionError:
        raise PermissionError(f"{path} may not be read by this account: change its permissions, or its folder's."
                              ) from None
    except (OSError, ValueError):  # no such file, too long a name, a NUL in it
        return False


def check_name(name: str, what: str = "picture") -> None:
    """Raise ValueError for what can be no name of a file: nothing, a web address, a picture written as text.

    Args:
        what: that is to be named: one of `ENDINGS`.
    """
    if is_missing(name):
        shown = f" ({name.strip()})" if name.strip() else ""
        raise ValueError(f"no {what} is named{shown}: expected the path of one.")
    if name.lstrip()[:5].lower() == "data:" or _BASE64.match(name.lstrip()):
        raise ValueError(f"the {what} is written as text (base64: {name.strip()[:30]}...): decode it into a file, and "
                         "name the file.")
    if name.lstrip().startswith(("<PIL.", "{'bytes'", "{\"bytes\"", "[[[")):
        raise ValueError(f"the {what} is what Python shows of one ({name.strip()[:30]}...): save the {what} as a "
                         "file, and name the file.")
    if name.lstrip()[:7].lower() == "file://":
        raise ValueError(f"{name.strip()[:200]} is a file's address: name the file by its path, without file://.")
    if _ADDRESS.match(name.lstrip()):
        raise _address(name, what)


def _address(name: str, what: str) -> ValueError:
    return ValueError(f"{name.strip()[:200]} is an address on the web: download the {what} and name the file.")


def missing_file(path: Path, name: str = "", what: str = "picture") -> Exception:
    """The error for the path of a picture (or recording) where there is no file: what lies there instead, or which
    one is meant.

    Args:
        name: as it was given, if that was not the path itself.
        what: that is named: one of `ENDINGS`.
    """
    name = name or str(path)
    try:
        check_name(name, what)
    except ValueError as error:
        return error
    if _DOMAIN.match(name.lstrip()):
        return _address(name, what)
    parts = [part.strip(" []'\"") for part in re.split(r"[;,|\s]+", name)]
    if sum(part.lower().endswith(ENDINGS[what]) for part in parts) > 1:
        return ValueError(f"{name[:200]} names {len(parts)} {what}s: a post has one. Write a row for each, or name "
                          "the one that counts.")
    shown = f"there is no {what} file {str(path)[:300]}" + ("..." if len(str(path)) > 300 else "")
    if _exists(path) and path.is_dir():
        return FileNotFoundError(f"{shown}, it is a folder: name a {what} in it.")
    for parent in path.parents:
        if parent.suffix.lower() in (".zip", ".tar", ".gz", ".rar", ".7z") and _exists(parent) and parent.is_file():
            return FileNotFoundError(f"{shown}: {parent.name} is an archive. Unpack it beside the table; or put the "
                                     f"table into a zip with its {what}s, and name that.")
    meant = meant_instead(path, what)
    if meant is not None:
        other = meant.name if meant.parent == path.parent else meant
        return FileNotFoundError(f"{shown}, but there is {other}: write the name as it is, upper and lower case "
                                 "and ending too.")
    if _exists(path):
        return FileNotFoundError(f"{shown}, it is a pipe or a device: check the path.")
    if "\\" in str(path) or PureWindowsPath(str(path)).drive:
        return FileNotFoundError(f"{shown}: check the path. It is written as on Windows; everywhere understood is "
                                 f"folder/{what}{ENDINGS[what][0]}.")
    return FileNotFoundError(f"{shown}: check the path.")


def meant_instead(path: Path, what: str = "picture") -> Path | None:
    """What a name means that differs in case, accents' spelling, %20 or a missing ending, or of which a folder's name
    does; None for nothing.
    """
    try:
        there_is = path.parent == path or path.parent.is_dir()
        folder = path.parent if there_is else meant_instead(path.parent, what)
        there = {} if folder is None else _listed(folder, os.stat(folder).st_mtime_ns)
    except (OSError, ValueError):
        return None
    if folder is None:
        return None
    if not there_is and path.name in there.values():
        return folder / path.name
    wanted = fold(path.name)
    stem, ending = os.path.splitext(wanted)
    for like in (wanted, *(stem + other for other in (".jpg", ".jpeg") if ending in (".jpg", ".jpeg")),
                 *(wanted + other for other in ENDINGS[what])):
        if there.get(like, path.name) != path.name:
            return folder / there[like]
    return None


@lru_cache(maxsize=4)
def _listed(folder: Path, changed: int) -> dict[str, str]:
    """What lies in a folder: folded name → name. Read once for all the rows of a table that miss."""
    return {fold(name): name for name in sorted(os.listdir(folder))}


def fold(name: str) -> str:
    """A name without the difference of case, accents' spelling and %20."""
    return unicodedata.normalize("NFC", unquote(name.strip(" []'\""))).casefold()


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError, RuntimeError):
        return False


def place_of(name: str, folder: Path, anywhere: bool = False, what: str = "picture") -> Path:
    """The path of a picture or recording that a table names.

    Args:
        name: as the table has it, relative to `folder`; with the slashes of this machine, or of Windows.
        anywhere: allow paths that lead out of the folder.
        what: that is named: one of `ENDINGS`.

    Raises:
        ValueError: if it is no name of a file, or leads out of the folder.
        FileNotFoundError: if there is no such file.
    """
    check_name(name, what)
    if len(name) > 1000:
        raise ValueError(f"the {what}'s path has {len(name)} characters: expected one relative to the table.")
    name = name.strip()
    if "\\" in name and os.sep == "/" and not _exists(folder / name):
        name = name.replace("\\", "/")
    if not (anywhere or _is_within(name, folder)):
        raise ValueError(f"the {what} {name[:200]} may lie outside of the table's folder: name it relative to the "
                         "table, or allow any path with anywhere=True (--anywhere).")
    path = folder / name
    if not is_file(path):
        raise missing_file(path, name, what)
    return path


def _is_within(image: str, folder: Path) -> bool:
    """Whether a path is relative, without steps upwards, and not a link that leads out of the folder."""
    path = Path(image)
    try:
        return not (path.is_absolute() or path.drive or PureWindowsPath(image).drive or image.startswith("~")
                    or ".." in path.parts) and ((folder / path).resolve().is_relative_to(folder.resolve()))
    except (OSError, ValueError, RuntimeError):  # a loop of links, no name for a file: it will not be opened either
        return True
