"""The plain values of a pickle, read from its bytes: numbers, texts, strings of bytes.

No length is believed beyond the file's end, and what is made is counted.
"""

from __future__ import annotations

import ast
import mmap
import re
import struct
import sys
from collections.abc import Callable
from typing import Any

from .arrays import shown

_LARGE = 1024  # bytes from which on a string stays in the file until an array needs it
_SPARE = 256 * 2**20  # bytes that even a small file may make
_DIGITS = 1000  # of a number that is written out
_NUMBER = re.compile(rb"[+-]?\d{1,%d}" % _DIGITS)
_SIGN = rb"""\\[\\'"nrtabfv]|\\x[0-9a-f]{2}"""
_STRING = re.compile(rb"""'(?:[^'\\]|%s)*'|"(?:[^"\\]|%s)*\"""" % (_SIGN, _SIGN))


class Literals:
    """Bytes of a file, and the values on a stack that they stand for.

    Args:
        data: the file, mapped.
        views: leave large strings of bytes in the file, as views; else they are read.
    """

    def __init__(self, data: mmap.mmap, views: bool = True):
        self.data, self.size, self.views = data, len(data), views
        self.at = self.place = 0  # the next byte, and where the instruction at hand stands
        self.left = _SPARE + 4 * self.size
        self.stack: list[Any] = []

    def take(self, count: int) -> bytes:
        """The next bytes."""
        self.at += self.checked(count)
        return self.data[self.at - count:self.at]

    def checked(self, count: int) -> int:
        """A number of bytes, if there are as many."""
        if not 0 <= count <= self.size - self.at:
            raise ValueError(f"{count} bytes are announced, and {self.size - self.at} are left")
        return count

    def number(self, form: str) -> Any:
        """A number in a form of `struct`."""
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def line(self) -> bytes:
        """The rest of the line."""
        end = self.data.find(b"\n", self.at)
        if end < 0:
            raise ValueError("a line does not end")
        line = self.take(end - self.at)
        self.at += 1
        return line

    def written(self, end: bytes = b"") -> int:
        """A whole number, in digits."""
        line = self.line().removesuffix(end)
        if not _NUMBER.fullmatch(line):
            raise ValueError(f"{shown(line)} is no whole number")
        return int(line)

    def spend(self, count: int) -> None:
        """Count bytes of memory."""
        self.left -= count
        if self.left < 0:
            raise ValueError("it makes far more than a file of its size can hold")

    def push(self, value: Any) -> None:
        """Put a new value on the stack."""
        self.spend(sys.getsizeof(value) + 8)
        self.stack.append(value)

    # --- plain values ---

    def constant(self, value: Any) -> None:
        self.stack.append(value)

    def new(self, kind: Callable[[], Any]) -> None:
        self.push(kind())

    def packed(self, form: str) -> None:
        self.push(self.number(form))

    def int_line(self) -> None:
        value = self.written()
        digits = self.data[self.place + 1:self.at - 1]
        self.push(bool(value) if digits in (b"00", b"01") else value)  # truth, as protocol 0 writes it

    def long_line(self) -> None:
        self.push(self.written(b"L"))

    def long(self, form: str) -> None:
        count = self.number(form)
        if count > _DIGITS:
            raise ValueError(f"a whole number is {count} bytes long")
        self.push(int.from_bytes(self.take(count), "little", signed=True))

    def float_line(self) -> None:
        line = self.line()
        if len(line) > _DIGITS:
            raise ValueError(f"a number is {len(line)} digits long")
        self.push(float(line))

    def text(self, form: str) -> None:
        self.push(self.take(self.number(form)).decode("utf8", "surrogatepass"))

    def text_line(self) -> None:
        self.push(self.line().decode("raw_unicode_escape"))

    def string(self, form: str, kind: type) -> None:
        """Bytes; `kind` is str for those of Python 2."""
        count = self.checked(self.number(form))
        if count >= _LARGE and self.views:
            self.at += count
            self.push(memoryview(self.data)[self.at - count:self.at])
        else:
            self.push(self.take(count).decode("latin-1") if kind is str else kind(self.take(count)))

    def string_line(self) -> None:
        line = self.line().strip()
        if not _STRING.fullmatch(line):
            raise ValueError("a string has no quotes around it, or signs that Python does not write")
        self.push(ast.literal_eval("b" + line.decode("ascii")).decode("latin-1"))
