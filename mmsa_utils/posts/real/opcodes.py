"""The instructions of a pickle, followed one by one: a pickle is a program, and this reader knows plain values alone.

Python's own reader imports whatever a file names and calls it with whatever the file holds. Here a name is looked up in
a short list (`calls`) and stands for a function of our own; every other name, and every instruction that would call or
change anything else, is refused before it is followed. Nothing is imported.

What a file can make it hold is bounded by the file: no length is believed beyond the file's end, and what is made is
counted. Protocols 0 to 5, of Python 2 and 3; strings of Python 2 are read as latin-1.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from .arrays import shown
from .calls import SETS, Name, Unfinished, UnsafePickle, build, call, named
from .literals import Literals

_ODD_KEYS = 5000  # for which a file may have chosen values that Python finds slowly
_PARTS = 100  # of a key


class Machine(Literals):
    """Reads one pickle."""

    def __init__(self, data: mmap.mmap, views: bool = True):
        super().__init__(data, views)
        self.below: list[list[Any]] = []  # what lies under each mark
        self.memo: dict[int, Any] = {}
        self.odd_keys = _ODD_KEYS
        self.steps: list[Callable[[], Any]] = [partial(self.unknown, code) for code in range(256)]
        for sign, (name, *words) in _STEPS.items():
            method = getattr(self, name)
            self.steps[ord(sign)] = partial(method, *words) if words else method

    def run(self) -> Any:
        """The value that the pickle holds.

        Raises:
            UnsafePickle: if it would call or change anything.
            ValueError: if it is damaged, or makes more than a file of its size can hold.
        """
        data, steps = self.data, self.steps
        try:
            while True:
                self.place = self.at
                code = data[self.at]
                self.at += 1
                if code == 0x2E:
                    if self.below or len(self.stack) != 1:
                        raise ValueError("it ends in the middle of a value")
                    return self.stack[0]
                steps[code]()
        except (UnicodeDecodeError, UnicodeEncodeError) as error:
            raise ValueError(f"a text is damaged ({error.reason})") from error
        except IndexError as error:
            raise ValueError("it ends too early, or takes what is not there") from error
        except (KeyError, TypeError, OverflowError, SyntaxError) as error:
            raise ValueError(f"an instruction does not fit what came before it ({type(error).__name__})") from error
        finally:
            self.steps, self.memo = [], {}  # they hold this reader, and what it has read

    # --- containers ---

    def mark(self) -> None:
        self.spend(64)
        self.below.append(self.stack)
        self.stack = []

    def marked(self) -> list[Any]:
        """What lies above the last mark."""
        below = self.below.pop()
        items, self.stack = self.stack, below
        return items

    def tuple_of(self, count: int) -> None:
        if count > len(self.stack):
            raise IndexError
        items = tuple(self.stack[-count:])
        del self.stack[-count:]
        self.push(items)

    def from_marked(self, kind: Callable[[Any], Any]) -> None:
        self.push(kind(self.marked()))

    def frozen(self) -> None:
        self.push(frozenset(self.keys(self.marked())))

    def append(self, marked: bool) -> None:
        items = self.marked() if marked else [self.stack.pop()]
        self.spend(8 * len(items))
        self.target(list).extend(items)

    def set_items(self, marked: bool) -> None:
        items = self.marked() if marked else [self.stack.pop(), self.stack.pop()][::-1]
        self.into(self.target(dict), items)

    def dict_from_marked(self) -> None:
        items = self.marked()
        self.push({})
        self.into(self.stack[-1], items)

    def into(self, target: dict, items: list[Any]) -> None:
        if len(items) % 2:
            raise ValueError("a key has no value")
        self.spend(50 * len(items))
        for key, value in zip(items[::2], items[1::2]):
            target[self.key(key)] = value

    def add_items(self) -> None:
        items = self.marked()
        self.target(set).update(self.keys(items))

    def target(self, kind: type) -> Any:
        """What is added to."""
        if type(self.stack[-1]) is not kind:
            raise UnsafePickle(f"it would change {shown(self.stack[-1])} as if it were a {kind.__name__}")
        return self.stack[-1]

    def keys(self, items: list[Any]) -> list[Any]:
        """What may go into a set."""
        self.spend(100 * len(items))
        return [self.key(item) for item in items]

    def key(self, value: Any) -> Any:
        """What may be looked up: a text, a whole number, few of anything else, and nothing that holds much."""
        if type(value) in (str, bytes) or type(value) is int and abs(value) < 2**60:
            return value
        self.odd_keys -= 1
        parts = list(value) if type(value) in (tuple, frozenset) and len(value) <= _PARTS else [value]
        if self.odd_keys < 0 or not all(
                part is None or isinstance(part, (str, bytes, int, float, complex, np.generic)) for part in parts):
            raise ValueError(f"{shown(value)} is a key, or there are too many keys that are neither texts nor numbers")
        return value

    # --- the stack, and what is kept to be used again ---

    def drop(self) -> None:
        if self.stack:
            self.stack.pop()
        else:
            self.marked()

    def again(self) -> None:
        self.stack.append(self.stack[-1])

    def keep(self, form: str) -> None:
        value, place = self.stack[-1], self.where(form) if form else len(self.memo)
        self.spend(100)
        self.memo[place] = value
        if isinstance(value, Unfinished):
            value.places.append(place)

    def get(self, form: str) -> None:
        self.stack.append(self.memo[self.where(form)])

    def where(self, form: str) -> int:
        return self.written() if form == "line" else self.number(form)

    # --- what would run, and what only says how the file is made ---

    def protocol(self) -> None:
        number = self.number("<B")
        if number > 5:
            raise ValueError(f"it is of protocol {number}: expected 0 to 5")

    def frame(self) -> None:
        self.checked(self.number("<Q"))

    def name_line(self) -> None:
        self.push(named(self.line().decode("utf8", "replace"), self.line().decode("utf8", "replace")))

    def name(self) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        self.push(named(module, name))

    def reduce(self) -> None:
        words, function = self.stack.pop(), self.stack.pop()
        value = call(function, words)
        if isinstance(function, Name) and function.name in SETS:
            value = SETS[function.name](self.keys(value))
        self.made(value)

    def build(self) -> None:
        state, value = self.stack.pop(), self.stack.pop()
        built = build(value, state)
        if isinstance(value, Unfinished):
            for place in value.places:
                self.memo[place] = built
        self.made(built)

    def made(self, value: Any) -> None:
        """Put what a name has made on the stack; items that were looked at are counted, else a file has it done again
        and again."""
        if isinstance(value, np.ndarray) and value.dtype.kind in "ObU":
            self.spend(value.nbytes)
        self.push(value)

    def instance(self) -> None:
        module, name = (self.line().decode("utf8", "replace") for _ in range(2))
        raise UnsafePickle(f"it would run {module}.{name}"[:100])

    def refused(self, what: str) -> None:
        raise UnsafePickle(f"it would {what}")

    def unknown(self, code: int) -> None:
        raise ValueError(f"{code:#04x} is no instruction")


_STEPS: dict[str, tuple] = {
    "N": ("constant", None), "\x88": ("constant", True), "\x89": ("constant", False), ")": ("constant", ()),
    "K": ("packed", "<B"), "M": ("packed", "<H"), "J": ("packed", "<i"), "G": ("packed", ">d"), "I": ("int_line",),
    "L": ("long_line",), "\x8a": ("long", "<B"), "\x8b": ("long", "<i"), "F": ("float_line",),
    "X": ("text", "<I"), "\x8c": ("text", "<B"), "\x8d": ("text", "<Q"), "V": ("text_line",),
    "C": ("string", "<B", bytes), "B": ("string", "<I", bytes), "\x8e": ("string", "<Q", bytes),
    "\x96": ("string", "<Q", bytearray), "U": ("string", "<B", str), "T": ("string", "<i", str), "S": ("string_line",),
    "(": ("mark",), "t": ("from_marked", tuple), "l": ("from_marked", list), "d": ("dict_from_marked",),
    "\x85": ("tuple_of", 1), "\x86": ("tuple_of", 2), "\x87": ("tuple_of", 3),
    "]": ("new", list), "}": ("new", dict), "\x8f": ("new", set), "a": ("append", False), "e": ("append", True),
    "s": ("set_items", False), "u": ("set_items", True), "\x90": ("add_items",), "\x91": ("frozen",),
    "0": ("drop",), "1": ("marked",), "2": ("again",), "p": ("keep", "line"), "q": ("keep", "<B"), "r": ("keep", "<I"),
    "\x94": ("keep", ""), "g": ("get", "line"), "h": ("get", "<B"), "j": ("get", "<I"),
    "\x80": ("protocol",), "\x95": ("frame",), "c": ("name_line",), "\x93": ("name",), "R": ("reduce",),
    "b": ("build",), "i": ("instance",),
    "o": ("refused", "make an object (OBJ)"), "\x81": ("refused", "make an object (NEWOBJ)"),
    "\x92": ("refused", "make an object (NEWOBJ_EX)"),
    **dict.fromkeys("PQ", ("refused", "fetch an object from outside of the file (a persistent id)")),
    **dict.fromkeys("\x82\x83\x84", ("refused", "call what this Python has registered (an extension)")),
    **dict.fromkeys("\x97\x98", ("refused", "read a buffer from outside of the file")),
}
