"""Texts of unknown encoding: read without losing a sign, and mended where somebody had read them wrongly before.

Files of real posts come in several encodings, side by side. The order in which they are tried: UTF-16, if its mark
stands in front; UTF-8; UTF-8 whose last sign is cut off; then byte by byte, what is UTF-8 as UTF-8 and the rest as
cp1252 (what Windows calls ANSI), and the five bytes that cp1252 lacks as latin-1. So every file has a reading.
"""

from __future__ import annotations

import codecs
import re


def decoded(data: bytes) -> tuple[str, str]:
    """What a file says, and as what it was read.

    Returns:
        The text, and one of "UTF-8", "UTF-16", "UTF-8 cut off" (its last sign is then the replacement character),
        "cp1252", "latin-1" (cp1252 with bytes that it lacks), or "UTF-8 and cp1252 mixed".
    """
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", errors="replace"), "UTF-16"
    try:
        return data.decode("utf-8-sig"), "UTF-8"
    except UnicodeDecodeError as error:
        whole, tail = data[:error.start], data[error.start:]
        # Alone at the end, the first byte of a sign may as well be a letter of cp1252, such as the é of café.
        if error.end == len(data) and "end of data" in error.reason and (
                not whole.isascii() or len(tail) > 1 and tail[0] in (0xE2, 0xF0)):
            return whole.decode("utf-8-sig") + "\N{REPLACEMENT CHARACTER}", "UTF-8 cut off"
    parts, others, is_utf8 = [], b"", False
    while data:
        try:
            good, stray = data.decode("utf-8"), b""
        except UnicodeDecodeError as error:
            good, stray = data[:error.start].decode("utf-8"), data[error.start:error.start + 1]
        is_utf8 |= not good.isascii()
        parts += [good, _SIGNS[stray[0]] if stray else ""]
        others += stray
        data = data[len(good.encode()) + len(stray):]
    lacking = any(_SIGNS[byte] == chr(byte) for byte in others if byte < 0xA0)
    return "".join(parts), "UTF-8 and cp1252 mixed" if is_utf8 else "latin-1" if lacking else "cp1252"


def mended(text: str) -> str:
    """A text without its mojibake: UTF-8 that was read as cp1252 or latin-1 and written again, "cafÃ©" for "café".

    Only where it is certain. All signs beyond ASCII that these encodings have must be UTF-8 when they are put back into
    bytes; and a sign that comes out alone must be one that often does (accents of the West, quotation marks, dashes,
    pictograms), since "CAFÉ…" would be UTF-8 too, for a letter of phonetic script. Else the text stays as it is.
    """
    for _ in range(3):  # some went through it more than once
        parts = _RUN.split(text)  # every second one is a run
        undone = [_undone(run) for run in parts[1::2]]
        if not undone or not all(undone):
            return text
        parts[1::2] = undone
        text = "".join(parts)
    return text


def as_cp1252(data: bytes) -> str:
    """Bytes read as cp1252, where that has no sign as latin-1: of UTF-8 it makes mojibake."""
    return "".join(_SIGNS[byte] for byte in data)


def _single(byte: int) -> str:
    try:
        return bytes([byte]).decode("cp1252")
    except UnicodeDecodeError:
        return chr(byte)


#: Byte → its sign in cp1252, or in latin-1 where cp1252 has none.
_SIGNS = [_single(byte) for byte in range(256)]
_BYTES = {**{chr(byte): byte for byte in range(128, 256)},  # latin-1 ...
          **{_SIGNS[byte]: byte for byte in range(128, 256)}}  # ... and cp1252
_RUN = re.compile("([" + re.escape("".join(_BYTES)) + "]+)")
_OFTEN = (0xC2, 0xC3, 0xE2, 0xEF, 0xF0)  # how UTF-8 begins for accents, for marks and arrows, and for pictograms


def _undone(run: str) -> str:
    """What a run of signs says when its bytes are read as UTF-8; nothing where that is not certain."""
    data = bytes(_BYTES[sign] for sign in run)
    try:
        said = data.decode("utf-8")
    except UnicodeDecodeError:
        return ""
    return said if len(said) > 1 or data[0] in _OFTEN else ""
