"""Tables of recordings in a folder: arrays as safetensors, which are mapped and not read, texts and lists as JSON.

The files can be opened by the library safetensors, too. They are written piece by piece here: the library wants all
tensors of a file in memory at once.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .arrays import shown
from .frames import let_go, sequences
from .layouts import KEYS, Table

#: The file that makes a folder one of these.
MANIFEST = "manifest.json"
#: What its entry "format" says.
FORMAT = "mmsa-utils recordings, 1"
_KINDS = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "<i1", "U64": "<u8",
          "U32": "<u4", "U16": "<u2", "U8": "<u1", "BOOL": "?"}
_CODES = {np.dtype(kind): code for code, kind in _KINDS.items()}
_PIECE = 2**23  # bytes that are written at a time
_HEADER = 2**24  # bytes that the list of a file's arrays may have
_SPLITS = ("train", "validation", "test")


def write_folder(made: Mapping[str, Table], folder: Path, about: Mapping[str, Any]) -> dict[str, Any]:
    """Write tables into an empty folder, the manifest last.

    Args:
        about: what the manifest says besides.

    Returns:
        The manifest: for each split its posts, the shape and kind of each array, and the keys of its lists.

    Raises:
        ValueError: for a value that is neither an array of numbers nor made of texts, numbers and lists.
    """
    splits = {}
    for name, table in made.items():
        arrays, lists = _parted(table, name)
        write_arrays(folder / f"{name}.safetensors", arrays)
        (folder / f"{name}.json").write_text(json.dumps(lists), encoding="utf8")
        splits[name] = {"posts": len(table["regression_labels"]), "lists": list(lists),
                        "arrays": {key: {"shape": list(array.shape), "dtype": str(stored_kind(key, array))}
                                   for key, array in arrays.items()}}
    manifest = {"format": FORMAT, **about, "splits": splits}
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf8")
    return manifest


def read_folder(folder: Path) -> dict[str, Table]:
    """The tables of a folder; its arrays are mapped, and changes to them stay in memory.

    Raises:
        FileNotFoundError: if it is no such folder.
        ValueError: if a file in it is damaged.
    """
    if not (folder / MANIFEST).is_file():
        raise FileNotFoundError(f"{folder.name} holds no {MANIFEST}: expected a pickle, or a folder that was made of "
                                "one by `python -m mmsa_utils convert FILE.pkl --out FOLDER`.")
    manifest = _json(folder / MANIFEST)
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT or not isinstance(
            manifest.get("splits"), dict):
        raise ValueError(f"{folder.name}/{MANIFEST} is none that this version reads: convert the file anew.")
    made: dict[str, Table] = {}
    for name in _SPLITS:
        if name in manifest["splits"]:
            lists = _json(folder / f"{name}.json")
            made[name] = {**read_arrays(folder / f"{name}.safetensors"), **(lists if isinstance(lists, dict) else {})}
            if "regression_labels" not in made[name]:
                raise ValueError(f"{folder.name}: {name} has no regression_labels: convert the file anew.")
    if not made:
        raise ValueError(f"{folder.name}/{MANIFEST} names no split: convert the file anew.")
    return made


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays as one file of safetensors, a few megabytes at a time.

    Raises:
        ValueError: for a kind of numbers that safetensors does not know.
    """
    # The widest numbers first: so each array lies at a multiple of its numbers' size.
    order = sorted(arrays, key=lambda key: -stored_kind(key, arrays[key]).itemsize)
    header: dict[str, Any] = {}
    place = 0
    for key in order:
        array = arrays[key]
        kind = stored_kind(key, array)
        if kind not in _CODES:
            raise ValueError(f"{key} holds {array.dtype}: expected whole numbers, or numbers of 16 to 64 bits.")
        end = place + array.size * kind.itemsize
        header[key] = {"dtype": _CODES[kind], "shape": list(array.shape), "data_offsets": [place, end]}
        place = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for key in order:
            array = np.atleast_1d(arrays[key])
            rows = max(1, _PIECE // max(1, array.nbytes // max(1, len(array))))
            for start in range(0, len(array), rows):
                with np.errstate(over="ignore"):  # it is counted as infinite, wherever it is read
                    piece = np.ascontiguousarray(array[start:start + rows], stored_kind(key, array))
                file.write(piece.tobytes())
                let_go(arrays[key])


def stored_kind(key: str, array: np.ndarray) -> np.dtype:
    """The kind of numbers that an array is written in: its own; for a side, as it is used, single precision at most."""
    single = key in KEYS.values() and array.dtype.kind == "f" and array.dtype.itemsize > 4
    return np.dtype("<f4") if single else array.dtype.newbyteorder("<")


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a file of safetensors, mapped.

    Raises:
        ValueError: if it is damaged.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else -1
        if not 0 <= length <= min(size - 8, _HEADER):
            raise ValueError(f"{path.name} is damaged: it begins with no list of its arrays. Convert the file anew.")
        try:
            header = json.loads(file.read(length))
            return {key: _mapped(path, 8 + length, size, entry) for key, entry in header.items()
                    if key != "__metadata__"}
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise ValueError(f"{path.name} is damaged ({error}): convert the file anew.") from None


def _mapped(path: Path, start: int, size: int, entry: dict) -> np.ndarray:
    kind, shape = np.dtype(_KINDS[entry["dtype"]]), tuple(entry["shape"])
    first, end = entry["data_offsets"]
    if not all(type(number) is int and number >= 0 for number in (first, end, *shape)) or (
            end - first != kind.itemsize * math.prod(shape) or start + end > size):
        raise ValueError("an array is not where it should be")
    if first == end:
        return np.zeros(shape, kind)
    return np.memmap(path, kind, "c", start + first, shape)


def _parted(table: Table, name: str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The arrays of numbers in a table, and everything else as JSON has it."""
    arrays: dict[str, np.ndarray] = {}
    lists: dict[str, Any] = {}
    for key, value in table.items():
        try:
            if isinstance(value, np.ndarray) and value.dtype.kind in "fiub":
                arrays[key] = value
            elif key in KEYS.values():
                arrays[key], lengths = sequences(value, key)
                if lengths is not None and f"{key}_lengths" not in table:
                    arrays[f"{key}_lengths"] = lengths
            else:
                lists[key] = _plain(value)
        except ValueError as error:
            raise ValueError(f"{name}: {key} cannot be written ({error})") from None
    return arrays, lists


def _plain(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, (np.ndarray, np.generic)):
        value = value.tolist()
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    if isinstance(value, dict):
        return {str(key): _plain(part) for key, part in value.items()}
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    raise ValueError(f"{shown(value)} is neither a text, a number, nor a list of them")


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path.name} cannot be read ({error}): convert the file anew.") from None
