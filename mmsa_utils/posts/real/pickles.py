"""Pickles without danger: arrays and plain containers come out of one, and nothing else ever happens.

The data sets of the field are handed on as pickles, and a pickle may run anything when Python opens it. This reader
follows the file's instructions by itself (`opcodes`), knows the few names that NumPy's arrays need (`calls`), and
refuses the rest by name. It holds no more than the file, hangs on nothing, and leaves the arrays in the file: they are
views of the mapped file, read when they are looked at.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from .calls import UnsafePickle
from .opcodes import Machine

_DEEPEST = 100  # containers within containers
_SPARE = 64 * 2**20  # weight that even a small file may unfold to
_TORCH = 0x1950A86A20F9469CFC6C  # what files of old versions of torch begin with
_OTHERS = {
    b"PK\x03\x04": "a zip, as torch.save and np.savez write: where it was made, store the arrays as a pickle of NumPy "
                   "arrays",
    b"version https://git-lfs": "the pointer of Git LFS, and not the file: fetch it with `git lfs pull`",
    b"\x1f\x8b": "packed by gzip: unpack it",
    b"\x89HDF": "of HDF5: open it with h5py, and store its arrays as a pickle",
    b"\x93NUMPY": "a single array: open it with np.load(file, allow_pickle=False)",
    b"<": "a page of the web, perhaps of an error: download the file again",
}


def read_pickle(file: str | Path) -> Any:
    """What a pickle holds: None, numbers, texts, bytes, lists, tuples, dicts, sets, NumPy's arrays and scalars.

    Arrays are views of the mapped file: they cannot be written into (take ``array.copy()``), may lie at odd addresses,
    and keep the file open. Arrays of objects hold the same kinds of values. Of files that Python 3 wrote in protocols
    0 to 2 the arrays are read, since their bytes are written there as text.

    Args:
        file: a pickle in protocol 0 to 5, with the names of NumPy 1 or 2, of Python 2 or 3.

    Raises:
        UnsafePickle: a ValueError, if it would run, change or fetch anything, naming what; nothing of it was run.
        ValueError: if it is no pickle or a damaged one, holds itself, or would unfold to far more than its size.
        OSError: if it cannot be read.
    """
    file = Path(file)
    with file.open("rb") as opened:
        start = opened.read(24)
        if not start:
            raise ValueError(f"{file.name} is empty: expected a pickle. Download it again.")
        for sign, what in _OTHERS.items():
            if start.startswith(sign):
                raise ValueError(f"{file.name} is no pickle, but {what}.")
        data = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
    value, views = _run(data, file.name, True)
    if views:  # strings of bytes that belong to no array: they are values, and must be read
        value, _ = _run(data, file.name, False)
    return value


def _run(data: mmap.mmap, name: str, views: bool) -> tuple[Any, bool]:
    """The value, and whether views of bytes are left in it."""
    machine = Machine(data, views)
    try:
        value = machine.run()
        if type(value) is int and value == _TORCH:
            raise UnsafePickle("it holds tensors of torch. Where it was made, store them as NumPy arrays")
        if machine.at < machine.size:
            raise ValueError("more bytes follow the end of its value")
        return value, _check(value, _SPARE + 16 * machine.size)
    except UnsafePickle as error:
        raise UnsafePickle(
            f"{name} was refused at byte {machine.place}: {error}. It was not run. A pickle may do anything to whoever "
            "opens it, and this reader takes arrays, lists, dicts, texts and numbers alone: ask for the data in these, "
            "from somebody whom you trust.") from None
    except ValueError as error:
        raise ValueError(f"{name} is no pickle that can be read (at byte {machine.place}: {str(error).rstrip('.')}). "
                         "Expected arrays, lists, dicts, texts and numbers: download it again, or store it anew."
                         ) from None


def _check(value: Any, limit: int) -> bool:
    """Whether views of bytes are left; raises if there is anything but values in it, or too much for its size.

    Each container is looked at once, however often it stands in others. Its weight is that of all that is in it, as
    somebody sees who walks through it: lists of ten times the same list of ten times the same are small in a file.
    """
    known: dict[int, tuple[int, int]] = {}  # of the containers that are done: weight and height
    above: set[int] = set()
    todo, views = [value], False
    while todo:
        item = todo[-1]
        if id(item) in known:
            todo.pop()
            continue
        parts = _parts(item)
        if id(item) not in above:
            views = views or type(item) is memoryview
            above.add(id(item))
            inner = [part for part in parts if type(part) not in _LEAVES and id(part) not in known]
            if any(id(part) in above for part in inner):
                raise ValueError("a container holds itself")
            todo += inner
            if inner:
                continue
        weight, height = len(item) if isinstance(item, (memoryview, str, bytes, bytearray)) else 1, 0
        if isinstance(item, np.ndarray):
            weight += item.nbytes
        for part in parts:
            of_part = known.get(id(part)) or (1 + (len(part) if isinstance(part, (str, bytes, bytearray)) else 0), 0)
            weight, height = weight + of_part[0], max(height, of_part[1] + 1)
        if weight > limit or height > _DEEPEST:
            raise ValueError(f"containers lie in containers {height} deep, or unfold to {weight} items and bytes")
        known[id(item)] = weight, height
        above.discard(id(item))
        todo.pop()
    return views


_LEAVES = {type(None), bool, int, float, complex, str, bytes, bytearray}


def _parts(item: Any) -> Iterable[Any]:
    """What is in a container; nothing in a value."""
    if isinstance(item, (list, tuple, set, frozenset)):
        return item
    if isinstance(item, dict):
        return [*item, *item.values()]
    if isinstance(item, np.ndarray):
        return item.ravel().tolist() if item.dtype == object else ()
    if type(item) in _LEAVES or isinstance(item, (np.generic, memoryview)):
        return ()
    raise UnsafePickle(f"it holds {getattr(item, 'name', 'an array or a kind')}, which is no value")
