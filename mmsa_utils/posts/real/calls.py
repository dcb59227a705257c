"""The few names that a pickle of plain values needs, and what stands for each: functions of our own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .arrays import Kind, array, kind, scalar, shown, whole_numbers, with_state


class UnsafePickle(ValueError):
    """A pickle would run something, or needs more than plain values: it was refused, and nothing of it has run."""


class Name:
    """A name out of the list. It is no value: it may be called, and nothing else."""

    def __init__(self, name: str, function: Callable[..., Any] | None):
        self.name, self.function = name, function


class Unfinished:
    """An array whose shape and data are still to come."""

    def __init__(self) -> None:
        self.places: list[int] = []  # of the memo that it stands at


def named(module: object, name: object) -> Name:
    """A name that a pickle asks for.

    Raises:
        UnsafePickle: for every name that is not in the list.
    """
    if not isinstance(module, str) or not isinstance(name, str):
        raise UnsafePickle(f"it would run {shown(name)} of {shown(module)}, which are no names")
    called = f"{module}.{name}"
    if called not in _NAMES:
        raise UnsafePickle(f"it would run {called[:100]}" + _HINTS.get(module.partition(".")[0], ""))
    return Name(called, _NAMES[called])


def call(function: object, words: object) -> Any:
    """What a pickle gets for calling a name.

    Raises:
        UnsafePickle: if it is no name that may be called.
        ValueError: if its words are not those that NumPy or Python writes.
    """
    if not isinstance(function, Name) or function.function is None or not isinstance(words, tuple):
        what = function.name if isinstance(function, Name) else shown(function)
        raise UnsafePickle(f"it would call {what} with {shown(words)}")
    try:
        return function.function(*words)
    except TypeError as error:
        raise ValueError(f"{function.name} is called with {shown(words)}") from error


def build(value: object, state: Any) -> Any:
    """A kind or an array with the state that follows it.

    Raises:
        UnsafePickle: for the state of anything else.
        ValueError: if the state is not what NumPy writes.
    """
    if isinstance(value, Kind):
        return with_state(value, state)
    if not isinstance(value, Unfinished):
        raise UnsafePickle(f"it would set the state of {shown(value)}")
    if not isinstance(state, tuple) or len(state) not in (4, 5):
        raise ValueError(f"the state of an array is {shown(state)}")
    shape, made, fortran, data = state[-4:]
    if isinstance(data, str):  # of Python 2, where it is not large enough to stay in the file
        data = data.encode("latin-1")
    return array(made, shape, data, "F" if fortran and data is not None else "C")


def _unfinished(what: object, shape: object, code: object) -> Unfinished:
    if not isinstance(what, Name) or what.name != "numpy.ndarray" or not whole_numbers(shape):
        raise UnsafePickle(f"it would make {what.name if isinstance(what, Name) else shown(what)}, which is no array")
    return Unfinished()


def _over_bytes(data: Any, made: object, shape: object, order: object, axes: object = None) -> Any:
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise ValueError(f"an array lies over {shown(data)}: expected bytes")
    return array(made, shape, data, order, axes)


def _scalar(made: object, data: Any) -> Any:
    return scalar(made, data.encode("latin-1") if isinstance(data, str) else data)


def _encoded(text: object, encoding: object) -> bytes:
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise ValueError(f"{shown(text)} is to be written in {shown(encoding)}: expected a text, and latin1")
    return text.encode("latin-1")


def _bytes(data: object = b"") -> bytes:
    if not isinstance(data, (bytes, memoryview)):  # a number would ask for as many bytes
        raise ValueError(f"bytes are to be made of {shown(data)}")
    return bytes(data)


def _set(items: object = ()) -> list[Any]:
    if not isinstance(items, list):
        raise ValueError(f"a set is to be made of {shown(items)}: expected a list")
    return items


def _complex(real: object, imaginary: object) -> complex:
    if type(real) is not float or type(imaginary) is not float:
        raise ValueError(f"a number is to be made of {shown(real)} and {shown(imaginary)}")
    return complex(real, imaginary)


_NAMES: dict[str, Callable[..., Any] | None] = {"numpy.ndarray": None, "numpy.dtype": kind, "_codecs.encode": _encoded}
for _core in ("numpy.core", "numpy._core"):  # NumPy 1, NumPy 2
    _NAMES |= {f"{_core}.multiarray._reconstruct": _unfinished, f"{_core}.multiarray.scalar": _scalar,
               f"{_core}.numeric._frombuffer": _over_bytes}
for _python in ("__builtin__", "builtins"):  # Python 2, Python 3
    _NAMES |= {f"{_python}.bytes": _bytes, f"{_python}.bytearray": lambda *data: bytearray(_bytes(*data)),
               f"{_python}.complex": _complex}
#: Names that make a set of a list: the reader looks at each item before.
SETS = {f"{python}.{name}": made for python in ("__builtin__", "builtins")
        for name, made in (("set", set), ("frozenset", frozenset))}
_NAMES |= dict.fromkeys(SETS, _set)
_HINTS = {"torch": ": it holds tensors of torch. Where they were made, store them as NumPy arrays",
          "pandas": ": it holds a table of pandas. Where it was made, store it as CSV"}
