"""Plain values as lines of JSON, and back: how the grader talks with a process that it does not trust.

Nothing here can run code or fill the memory, whatever the other side sends: no pickle, kinds from a short list, sizes
capped. A message is one line, `[kind, content]`; a value in it is a number, text, bool or None as it stands, or an
object with one key that says what it is: `{"list": [...]}`, `{"tensor": [type, shape, base64]}`.
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Mapping
from typing import IO, Any

import numpy as np

MOST_BYTES = 16 * 2**20  # in a message
_DEEPEST = 20  # lists in lists
_MOST_KEYS = 10_000  # of a dictionary: keys can be chosen so that looking them up takes ages
_TYPES = {np.dtype(name).name for name in "?bhilqBHILQefdFD"}


class Garbled(Exception):
    """What came over the line is no message, or a message with no value in it."""


def send(stream: IO[bytes], kind: str, content: Any) -> None:
    """Write one message.

    Raises:
        ValueError: if it is longer than MOST_BYTES; nothing is written then.
        OSError: if nobody listens any more.
    """
    line = json.dumps([kind, content]).encode() + b"\n"
    if len(line) > MOST_BYTES:
        raise ValueError(f"the answer takes {len(line) / 2**20:.0f} MB: expected at most {MOST_BYTES // 2**20}.")
    stream.write(line)
    stream.flush()


def receive(stream: IO[bytes]) -> tuple[str, Any]:
    """Wait for one message: its kind and its content, values in it still encoded.

    Raises:
        EOFError: if the other side is gone.
        Garbled: if it is not a message.
    """
    line = stream.readline(MOST_BYTES + 1)
    if not line:
        raise EOFError
    try:
        kind, content = json.loads(line)
    except (ValueError, TypeError, RecursionError) as error:
        raise Garbled from error
    if not isinstance(kind, str):
        raise Garbled
    return kind, content


def encode(value: Any, depth: int = _DEEPEST) -> Any:
    """A plain value as what JSON can hold. What is not plain keeps the name of its type only."""
    if depth == 0:
        return {"odd": "deeply nested thing"}
    if value is None or isinstance(value, (bool, str)):
        return value if value is None or isinstance(value, bool) else str(value)
    if value is ...:
        return {"ellipsis": None}
    if isinstance(value, np.generic):
        return _array("scalar", np.asarray(value), value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, (list, range)):
        return {"list": [encode(item, depth - 1) for item in value]}
    if isinstance(value, tuple):
        return {"tuple": [encode(item, depth - 1) for item in value]}
    if isinstance(value, Mapping):
        return {"dict": [[encode(key, depth - 1), encode(item, depth - 1)] for key, item in value.items()]}
    if hasattr(value, "detach"):
        tensor = value.detach().cpu()
        return _array("tensor", (tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor).numpy(), value)
    if hasattr(value, "__array__"):
        return _array("array", np.asarray(value), value)
    return {"odd": type(value).__name__}


def _array(kind: str, array: np.ndarray, value: Any) -> dict:
    if array.dtype.kind == "U":
        return {kind: ["str", list(array.shape), array.ravel().tolist()]}
    if array.dtype.name not in _TYPES:
        return {"odd": type(value).__name__}
    data = np.ascontiguousarray(array, array.dtype.newbyteorder("=")).tobytes()
    return {kind: [array.dtype.name, list(array.shape), base64.b64encode(data).decode()]}


def decode(data: Any) -> Any:
    """The value that `encode` made this of: tensors and arrays of the same type and shape.

    Raises:
        Garbled: if `encode` cannot have made it.
    """
    try:
        return _decoded(data, _DEEPEST)
    except (ValueError, TypeError, OverflowError, MemoryError) as error:
        raise Garbled from error


def _decoded(data: Any, depth: int) -> Any:
    if data is None or isinstance(data, (bool, int, float, str)):
        return data
    if depth == 0:
        raise ValueError
    ((kind, content),) = data.items() if isinstance(data, dict) else [("", data)]
    if kind == "ellipsis":
        return ...
    if kind in ("list", "tuple") and isinstance(content, list):
        items = [_decoded(item, depth - 1) for item in content]
        return items if kind == "list" else tuple(items)
    if kind == "dict" and len(content) <= _MOST_KEYS:
        return {_decoded(key, depth - 1): _decoded(item, depth - 1) for key, item in content}
    if kind in ("array", "tensor", "scalar"):
        array = _as_array(*content)
        if kind == "array":
            return array
        if kind == "scalar":
            return array.reshape(())[()]
        import torch

        return torch.from_numpy(array)
    if kind == "odd" and isinstance(content, str):
        name = re.sub(r"\W", "_", content)[:40] or "_"
        return type(name, (), {"__repr__": lambda self: f"a {name}"})()
    raise ValueError


def _as_array(name: str, shape: list[int], data: Any) -> np.ndarray:
    """An array, if exactly as many bytes came as its type and shape need."""
    if not all(type(size) is int and 0 <= size <= MOST_BYTES for size in shape):
        raise ValueError
    if name == "str":
        if not all(isinstance(text, str) for text in data) or len(data) * max(map(len, data), default=1) > MOST_BYTES:
            raise ValueError  # an array holds each text at the length of the longest
        return np.array(data, dtype=str).reshape(shape)
    if name not in _TYPES:
        raise ValueError
    raw = base64.b64decode(data, validate=True)
    if len(raw) != np.dtype(name).itemsize * math.prod(shape):
        raise ValueError
    # A byte that is neither 0 nor 1 is no bool.
    flat = np.frombuffer(raw, np.uint8) != 0 if name == "bool" else np.frombuffer(raw, name).copy()
    return flat.reshape(shape)
