"""Which posts are alike? Digests of texts, pictures and voices: a picture saved anew has nearly the same one.

A picture's digest holds a checksum of its pixels, the mean colours of its four quarters, how busy it is, and in which
of 16 x 14 places it grows brighter or darker, and where it does so clearly. No picture can be made of it again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from PIL import Image

from .labels import plain
from .sound import Sound

TEXT_BYTES = VOICE_BYTES = 8
_SUM, _ACROSS, _DOWN = 8, 16, 14  # bytes; places: as many as fill whole words with bits
_SLIGHT, _CLEAR = 1, 5  # of brightness between two places: a smaller difference is none, a larger one outlasts saving
_COLOURS = slice(_SUM, _SUM + 12)
_BUSY, _MARKS = _SUM + 12, _SUM + 16  # 3 bytes are left free, so that the marks are whole words
_PLANE = 2 * _ACROSS * _DOWN // 8  # bytes: is it brighter, is it darker, is it clearly so?
PICTURE_BYTES = _MARKS + 3 * _PLANE
_COLOUR_SHIFT, _SHARE = 4, 0.1  # how far the same picture comes to differ by being saved again, as was measured


class Digests(NamedTuple):
    """What is kept of posts to know them again: of each side a row, zeros where it is missing."""

    texts: np.ndarray  # (posts, TEXT_BYTES) uint8
    pictures: np.ndarray  # (posts, PICTURE_BYTES) uint8
    voices: np.ndarray = np.zeros((0, VOICE_BYTES), np.uint8)  # (posts, VOICE_BYTES); no rows: no post has a voice


def text_digest(text: str) -> np.ndarray:
    """(TEXT_BYTES,) uint8 of a text, the same for any case and white space."""
    return np.frombuffer(hashlib.sha256(plain(text).encode()).digest()[:TEXT_BYTES], np.uint8)


def picture_digest(image: Image.Image) -> np.ndarray:
    """(PICTURE_BYTES,) uint8 of an RGB picture."""
    digest = np.zeros(PICTURE_BYTES, np.uint8)
    pixels = hashlib.sha256(repr(image.size).encode() + image.tobytes())
    digest[:_SUM] = np.frombuffer(pixels.digest()[:_SUM], np.uint8)
    digest[_COLOURS] = np.asarray(image.resize((2, 2), Image.Resampling.BOX)).reshape(-1)
    grey = image.convert("L")
    digest[_BUSY] = min(255, np.asarray(grey.resize((64, 64), Image.Resampling.BOX)).std())
    cells = np.asarray(grey.resize((_ACROSS + 1, _DOWN + 1), Image.Resampling.BOX), dtype=np.int16)
    steps = np.stack([np.diff(cells, axis=1)[:-1], np.diff(cells, axis=0)[:, :-1]])
    digest[_MARKS:] = np.packbits(np.stack([steps > _SLIGHT, steps < -_SLIGHT, abs(steps) > _CLEAR]))
    return digest


def voice_digest(sound: Sound) -> np.ndarray:
    """(VOICE_BYTES,) uint8 of a recording, the same for any file that holds its samples without loss."""
    samples = np.round(np.asarray(sound.samples) * 32767).astype("<i2")
    return np.frombuffer(hashlib.sha256(repr(sound.rate).encode() + samples.tobytes()).digest()[:VOICE_BYTES], np.uint8)


def same_picture(one: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Whether a digest (PICTURE_BYTES,) is of the same picture as each of others (n, PICTURE_BYTES): (n,) bool.

    Plain pictures are the same only where all their colours are equal; fine noise, of which 16 x 16 places show
    nothing, only where every pixel is.
    """
    equal = (others[:, :_SUM] == one[:_SUM]).all(1)
    shift = np.abs(others[:, _COLOURS].astype(np.int16) - one[_COLOURS]).max(1, initial=0)
    brighter, darker, clear = (others[:, start:start + _PLANE] for start in range(_MARKS, PICTURE_BYTES, _PLANE))
    brighter_here, darker_here, clear_here = one[_MARKS:].reshape(3, _PLANE)
    marked = _ones(clear | clear_here)
    differing = _ones((clear | clear_here) & ~(brighter & brighter_here | darker & darker_here))
    exact = (marked < 8) & (others[:, _COLOURS.start:_BUSY] == one[_COLOURS.start:_BUSY]).all(1)
    plain_ones = exact & (others[:, _MARKS:] == one[_MARKS:]).all(1) & (np.maximum(others[:, _BUSY], one[_BUSY]) < 2)
    return equal | plain_ones | (marked >= 8) & (differing <= _SHARE * marked) & (shift <= _COLOUR_SHIFT)


def _ones(packed: np.ndarray) -> np.ndarray:
    """How many bits are set in each row (n, bytes)."""
    if hasattr(np, "bitwise_count"):  # from NumPy 2 on
        return np.bitwise_count(np.ascontiguousarray(packed).view(np.uint64)).sum(1, dtype=np.int32)
    return np.unpackbits(packed, axis=1).sum(1, dtype=np.int32)


def picture_kinds(digests: np.ndarray) -> np.ndarray:
    """Digests (n, PICTURE_BYTES) → a number for each, equal for those of the same picture: (n,) int.

    Each is compared with those of nearly the same colours alone, and none that has been found again starts a search.
    """
    distinct, where = np.unique(digests, axis=0, return_inverse=True)
    kinds, near = np.full(len(distinct), -1), _neighbours(distinct)
    for place in range(len(distinct)):
        if kinds[place] < 0:
            others = near(distinct[place])
            others = others[kinds[others] < 0]
            kinds[others[same_picture(distinct[place], distinct[others])]] = place
    return kinds[where.reshape(-1)]


def same_among(digests: np.ndarray, known: np.ndarray) -> list[np.ndarray]:
    """For each digest (n, PICTURE_BYTES) the places of the same picture among the known ones (m, PICTURE_BYTES)."""
    near = _neighbours(known)
    return [others[same_picture(digest, known[others])] for digest in digests for others in (near(digest),)]


def _neighbours(known: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """A function of a digest that gives the places of those among the known ones that have nearly its colours."""
    from scipy.spatial import cKDTree  # takes half a second, which `import mmsa_utils` need not

    if not len(known):
        return lambda digest: np.zeros(0, int)
    tree = cKDTree(known[:, _COLOURS].astype(np.float32))
    return lambda digest: np.array(
        tree.query_ball_point(digest[_COLOURS].astype(np.float32), _COLOUR_SHIFT + 0.5, p=np.inf), int)
