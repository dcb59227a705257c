"""Arrays out of the parts that a pickle names: each part is looked at first, and NumPy's own functions for it are never
called with what a file says.

Data are taken as they lie, as a view into the file: an array costs nothing before it is read.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any, TypeGuard

import numpy as np

_PLAIN = re.compile(r"([<>|=]?)(b1|[iu][1248]|f[248]|c8|c16|[SU]\d{1,7}|O[48]?)")
_DIMENSIONS = 32  # that NumPy 1 allows
_EMPTY = 10**6  # rows and columns that an array without a number may claim


@dataclass(eq=False)
class Kind:
    """What the items of an array are, as far as a pickle has said it."""

    code: str  #: as NumPy writes it: f4, i8, S12, U7, O8
    order: str = "="  #: of the bytes: <, >, | or =

    @property
    def dtype(self) -> np.dtype:
        """It as NumPy has it."""
        return np.dtype(object) if self.code[0] == "O" else np.dtype(self.order.replace("|", "=") + self.code)


def kind(code: object, align: object = False, copy: object = True) -> Kind:
    """``numpy.dtype(code, align, copy)``, for plain numbers, texts and objects.

    Raises:
        ValueError: for any other kind of items: fields, dates, void.
    """
    found = _PLAIN.fullmatch(code) if isinstance(code, str) else None
    if found is None:
        raise ValueError(f"an array has items of the kind {shown(code)}: expected numbers, texts or objects.")
    return Kind(found[2], found[1] or "=")


def with_state(made: Kind, state: object) -> Kind:
    """A kind of items with what a pickle adds to it: (version, order of bytes, None, None, None, size, ...).

    Raises:
        ValueError: if there is more to it than the order of its bytes.
    """
    if not isinstance(state, tuple) or not 8 <= len(state) <= 9 or state[1] not in ("<", ">", "|", "="):
        raise ValueError(f"the items of an array are said to be {shown(state)}: expected the order of their bytes.")
    _, order, *parts, size = state[:6]
    if any(part not in (None, ()) for part in parts) or (len(state) == 9 and state[8]):
        raise ValueError("the items of an array have fields, parts or notes of their own: expected plain ones.")
    if type(size) is not int or made.code[0] in "SU" and size not in (-1, made.dtype.itemsize):
        raise ValueError(f"items of the kind {made.code} are said to be {shown(size)} bytes long.")
    made.order = str(order)  # in its place: a pickle may have kept it before
    return made


def array(made: object, shape: object, data: Any, order: object = "C", axes: object = None) -> np.ndarray:
    """An array of this kind and shape over its bytes, which are not copied; or over a list, of objects.

    Args:
        made: a `Kind`.
        shape: a tuple of whole numbers.
        data: bytes, or a view of them: exactly as many as the shape needs. A list of as many items for objects.
        order: "C" or "F", in which the items lie; "K" for C, with the axes changed afterwards as `axes` says.

    Returns:
        A view of the data: it cannot be written into, and may lie at any address. Objects lie in an array of their own.

    Raises:
        ValueError: if these do not fit together, or hold what the kind does not allow.
    """
    if not isinstance(made, Kind):
        raise ValueError(f"an array has items of {shown(made)}: expected a kind of numbers, texts or objects.")
    if not whole_numbers(shape) or len(shape) > _DIMENSIONS or min(shape, default=0) < 0:
        raise ValueError(f"an array has the shape {shown(shape)}: expected a tuple of lengths.")
    count, claimed = math.prod(shape), math.prod(max(length, 1) for length in shape)
    if made.code[0] == "O":
        if not isinstance(data, list) or len(data) != count or claimed > max(count, _EMPTY):
            raise ValueError(f"an array of {shown(shape)} objects has {shown(data)}: expected a list of {count}.")
        flat = np.empty(count, object)
        for place, item in enumerate(data):  # one by one: NumPy would look into lists of lists
            flat[place] = item
    else:
        size = len(data) if isinstance(data, (bytes, bytearray, memoryview)) else -1
        if made.dtype.itemsize * count != size or claimed > max(size, _EMPTY):
            raise ValueError(f"an array of the shape {shown(shape)} and kind {made.code} has "
                             f"{'no bytes' if size < 0 else f'{size} bytes'}: expected "
                             f"{made.dtype.itemsize * count}.")
        flat = np.frombuffer(data, made.dtype) if size else np.empty(0, made.dtype)
        _check_values(flat, made)
    if order == "K" and whole_numbers(axes) and sorted(axes) == list(range(len(shape))):
        return flat.reshape(shape).transpose(axes)
    if order not in ("C", "F") or axes is not None:
        raise ValueError(f"the items of an array lie in the order {shown(order)}: expected C or F.")
    return flat.reshape(shape, order=order)


def scalar(made: object, data: Any) -> Any:
    """``scalar(kind, bytes)``: a single number or text of NumPy's.

    Raises:
        ValueError: if it is an object, or its bytes do not fit.
    """
    if isinstance(made, Kind) and made.code[0] == "O":
        raise ValueError("a single item of an array is an object: expected a number or a text.")
    return array(made, (1,), data)[0]


def _check_values(flat: np.ndarray, made: Kind) -> None:
    """Raise ValueError where bytes are no values of their kind: Python may crash on them later."""
    if made.code == "b1" and flat.view(np.uint8).max(initial=0) > 1:
        raise ValueError("an array of truth values holds bytes that are neither 0 nor 1.")
    if made.code[0] == "U" and flat.size and flat.view(f"{made.dtype.byteorder}u4").max() > 0x10FFFF:
        raise ValueError("an array of texts holds a number that is no character.")


def whole_numbers(value: object) -> TypeGuard[tuple[int, ...]]:
    """Whether this is a tuple of plain whole numbers."""
    return isinstance(value, tuple) and all(type(part) is int for part in value)


def shown(value: object) -> str:
    """What a file holds, short enough for an error; nothing large is written out for it."""
    if isinstance(value, (str, bytes)):
        return repr(value[:40])
    if isinstance(value, tuple) and len(value) <= 4 and not any(isinstance(part, tuple) for part in value):
        return f"({', '.join(shown(part) for part in value)})"
    if value is None or isinstance(value, (bool, float)) or isinstance(value, int) and abs(value) < 10**20:
        return repr(value)
    return f"a {type(value).__name__}" + (f" of {len(value)}" if isinstance(value, (tuple, list, dict)) else "")
