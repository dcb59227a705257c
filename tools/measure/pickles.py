"""Pickles without danger: how fast and in how much memory a large file of recordings is read, and hostile ones by the
thousand.

python tools/measure/pickles.py [--share 0.1]            a file of SIMSv2's shape, at a tenth of its size
python tools/measure/pickles.py --fuzz 10000 --seed 0    hostile pickles: each is read as plain values, or refused

A hostile pickle that runs anything, takes more than 2 s, raises anything but ValueError, or gives anything but plain
values is a fault: its number is named, and the exit code is 1. The memory that all of them took is printed.
"""

from __future__ import annotations

import argparse
import json
import resource
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from mmsa_utils.posts.real.pickles import UnsafePickle, read_pickle

ROOT = Path(__file__).resolve().parents[2]
SIMSV2 = (2722, 647, 1034)  # posts of train, validation and test
SECONDS = 2.0  # that a hostile pickle may take
PLAIN = (type(None), bool, int, float, complex, str, bytes, bytearray, np.generic)


# --- hostile pickles ---


def text(words: str) -> bytes:
    """A text, as protocol 4 writes it."""
    data = words.encode()
    return b"X" + struct.pack("<I", len(data)) + data


@cache
def exploits(canary: Path) -> list[bytes]:
    """Programs that leave a file when they run, in every way that the format has of calling something."""
    touch, code = f"touch {canary}", f"open({str(canary)!r}, 'w')"
    calls = [b"cos\nsystem\n" + text(touch) + b"\x85R", b"cposix\nsystem\n" + text(touch) + b"\x85R",
             b"cbuiltins\neval\n" + text(code) + b"\x85R", b"c__builtin__\nexec\n" + text(code) + b"\x85R",
             text("os") + text("system") + b"\x93" + text(touch) + b"\x85R",
             b"(" + text(touch) + b"ios\nsystem\n", b"(cos\nsystem\n" + text(touch) + b"o",
             b"csubprocess\nPopen\n" + text(touch) + b"\x85\x81", b"csubprocess\nPopen\n)}\x92",
             b"cbuiltins\ngetattr\n" + text("x") + text("y") + b"\x86R",
             b"cnumpy\nload\n" + text(str(canary)) + b"\x85R",
             b"cnumpy.core.multiarray\n_reconstruct\ncos\nsystem\nK\x00\x85C\x01b\x87R",
             b"cnumpy\ndtype\n" + text("O8") + b"\x89\x88\x87Rcos\nsystem\nb", b"}cos\nsystem\nb", b"]cos\nsystem\nb",
             b"cnumpy\ndtype\n" + text(touch) + b"\x85R", b"cnumpy\nndarray\nK\x04\x85R", b"\x82\x01", b"Pid\n",
             text("id") + b"Q",
             b"\x97", b"\x96" + struct.pack("<Q", 4) + b"1234\x98", b"cfunctools\npartial\n(cos\nsystem\ntR",
             b"ccopy_reg\n_reconstructor\n(cos\nsystem\ncbuiltins\nobject\nNtR", b"cnumpy.f2py\ndiagnose\n)R",
             b"cnumpy.core.multiarray\nscalar\ncnumpy\ndtype\n" + text("O") + b"\x85Rcos\nsystem\n\x86R"]
    return [b"\x80\x04" + call + b"." for call in calls]


@cache
def bombs() -> list[bytes]:
    """Files of a few kilobytes that would fill the memory, or never end."""
    doubled = b"".join(b"(h" + bytes([place]) + b"h" + bytes([place]) + b"t\x940" for place in range(60))
    kind = b"cnumpy\ndtype\nX\x02\x00\x00\x00f4\x85R"
    huge = b"\x8a\x08" + struct.pack("<q", 10**12)
    over = b"\x80\x05cnumpy.core.numeric\n_frombuffer\n("
    ended = text("C") + b"tR."
    keys = b"".join(b"\x8a\x20" + (k * (2**61 - 1)).to_bytes(32, "little") + b"N" for k in range(20000))
    return [
        b"\x80\x04]\x940" + doubled + b"h\x3c.", b"\x80\x04N\x940" + doubled + b"}h\x3cNs.",
        b"\x80\x04" + b"]" * 50000 + b"a" * 49999 + b".", b"(" * 50000 + b".", b"\x80\x04]\x94h\x00a.",
        b"\x80\x04}\x94X\x01\x00\x00\x00ah\x00s.", b"\x80\x04}(" + keys + b"u.", b"\x80\x04\x8f(" + keys + b"\x90.",
        b"\x8b" + struct.pack("<i", 2**31 - 1), b"\x8b" + struct.pack("<i", -1), b"I" + b"9" * 200000 + b"\n.",
        b"L" + b"9" * 200000 + b"L\n.", b"\x8e" + struct.pack("<Q", 2**62), b"\x8d" + struct.pack("<Q", 2**62),
        b"\x96" + struct.pack("<Q", 2**62), b"B" + struct.pack("<I", 2**32 - 1), b"T" + struct.pack("<i", -5),
        over + b"C\x04abcd" + kind + huge + b"\x85" + ended, over + b"C\x00" + kind + huge + b"K\x00\x86" + ended,
        over + b"C\x00cnumpy\ndtype\n" + text("S0") + b"\x85R" + huge + b"\x85" + ended,
        b"cbuiltins\nbytearray\n" + huge + b"\x85R.",
        b"cbuiltins\nset\n" + huge + b"\x85R.", b"\x80\x04N" + b"r\xff\xff\xff\xff" * 1000 + b".",
        b"\x80\x04" + b"X\x01\x00\x00\x00a" + b"2" * 100000 + b"l.", b"Np" + b"9" * 100000 + b"\n.",
        b"\x95" + struct.pack("<Q", 2**63) + b"N.", b"F" + b"1" * 100000 + b"\n.",
    ]


def random_program(rng: np.random.Generator) -> bytes:
    """Instructions at random, most of them such as real files have."""
    kinds: list[Callable[[], bytes]] = [
        lambda: b"K" + rng.bytes(1), lambda: b"J" + rng.bytes(4), lambda: b"G" + rng.bytes(8), lambda: text("abc"),
        lambda: b"C\x03abc", lambda: b"U\x03abc", lambda: b"\x8a\x02" + rng.bytes(2), lambda: b"I01\n",
        lambda: b"h" + bytes([rng.integers(6)]), lambda: b"q" + bytes([rng.integers(6)]),
        lambda: bytes([rng.choice(list(b"NN]]}})((((((((ttlde eauus s\x85\x86\x87\x88\x89\x8f\x90\x91\x94\x94012"))]),
        lambda: b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85C\x01b\x87R",
        lambda: (b"cnumpy\ndtype\n" + text(str(rng.choice(["f4", "i8", "O8", "S3", "U2", "V8", "b1"])))
                 + b"\x89\x88\x87R"),
        lambda: b"(K\x03" + text("<") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb",
        lambda: bytes([rng.choice(list(b"RRbb\x93oi\x81\x92PQ\x82\x97\x98"))]), lambda: rng.bytes(2)]
    program = b"".join(kinds[rng.integers(len(kinds))]() for _ in range(rng.integers(1, 40)))
    return b"\x80\x04" + program + b"."


def mutated(data: bytes, rng: np.random.Generator) -> bytes:
    """A good file, harmed: cut off, pieces changed, moved, doubled, or numbers made large."""
    made = bytearray(data)
    for _ in range(rng.integers(1, 5)):
        place, length = int(rng.integers(len(made) + 1)), int(rng.integers(1, 9))
        how = rng.integers(6)
        if how == 0:
            del made[place:]
        elif how == 1:
            del made[place:place + length]
        elif how == 2:
            made[place:place + length] = rng.bytes(length)
        elif how == 3:
            made[place:place] = made[(other := int(rng.integers(len(made) + 1))):other + length * 8]
        elif how == 4:
            made[place:place + length] = b"\xff" * length
        else:
            made[place:place + 1] = bytes([rng.choice(list(b".(RbctuesaN]}\x93\x94\x85h"))])
    return bytes(made)


def hostile(rng: np.random.Generator, good: list[bytes], canary: Path) -> bytes:
    """One hostile pickle."""
    how = rng.integers(10)
    if how < 4:
        return mutated(good[rng.integers(len(good))], rng)
    if how < 6:
        return random_program(rng)
    known = exploits(canary)
    exploit = known[rng.integers(len(known))]
    if how == 6:
        return mutated(exploit, rng)
    if how == 7:  # within a good file: at its end, or anywhere
        data = good[rng.integers(len(good))]
        place = len(data) - 1 if rng.random() < 0.5 else int(rng.integers(len(data)))
        return data[:place] + exploit[2:-1] + b"0" + data[place:]
    if how == 8:
        return exploit
    small = [bomb for bomb in bombs() if len(bomb) < 10000]
    return mutated(small[rng.integers(len(small))], rng)


def is_plain(value: Any) -> bool:
    """Whether nothing but values is in it."""
    todo, seen = [value], set()
    while todo:
        item = todo.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, dict):
            todo += [*item, *item.values()]
        elif isinstance(item, (list, tuple, set, frozenset)):
            todo += item
        elif isinstance(item, np.ndarray):
            todo += item.ravel().tolist() if item.dtype == object else []
        elif not isinstance(item, PLAIN):
            return False
    return True


def outcome(path: Path, data: bytes, canary: Path) -> str:
    """"read", "refused", "damaged"; or what is wrong, with FAULT before it."""
    path.write_bytes(data)
    start = time.perf_counter()
    try:
        value = read_pickle(path)
        said = "read" if is_plain(value) else "FAULT: it is no plain value"
    except UnsafePickle:
        said = "refused"
    except ValueError:
        said = "damaged"
    except Exception as error:
        said = f"FAULT: {type(error).__name__}: {error}"
    if canary.exists():
        return "FAULT: it ran"
    return said if (taken := time.perf_counter() - start) < SECONDS else f"FAULT: it took {taken:.1f} s"


def fuzz(cases: int, seed: int, good: list[bytes], folder: Path) -> Counter:
    """How many hostile pickles came out how; the faults with their numbers."""
    canary, path = folder / "canary", folder / "hostile.pkl"
    named = [*exploits(canary), *bombs()]
    found: Counter = Counter()
    for number in range(cases):
        data = named[number] if number < len(named) else hostile(np.random.default_rng((seed, number)), good, canary)
        said = outcome(path, data, canary)
        found[f"{number}: {said}" if said.startswith("FAULT") else said] += 1
        canary.unlink(missing_ok=True)
    return found


def good_files() -> list[bytes]:
    """Small whole files, in every protocol."""
    sys.path.insert(0, str(ROOT / "tests"))
    from real_files import small_pickles

    return small_pickles()


# --- size and time ---


_WAYS = {
    "bytes": "data = open(path, 'rb').read(); copy = bytearray(data)",
    "load": "[len(found[name]) for found in [load_mmsa(path)] for name in found]",
    "hold": "found = dict(load_mmsa(path))",
}


def measured(way: str, path: Path) -> tuple[float, float]:
    """Seconds of the processor (the least of three: others may be at work) and MiB that one of the ways takes, in a
    process of its own (on Linux), with the file in the system's cache."""
    program = (f"import json, time\nfrom mmsa_utils.learning.recordings import load_mmsa\npath = {str(path)!r}\n"
               "def most():\n    said = open('/proc/self/status').read()  # ru_maxrss knows the parent's, too\n"
               "    return int(said.split('VmHWM:')[1].split()[0]) / 1024\n"
               f"def run():\n    start = time.process_time()\n    {_WAYS[way]}\n"
               "    return time.process_time() - start\n"
               "rest, first = most(), run()\nmade = most() - rest\nprint(json.dumps([min(first, run(), run()), made]))")
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    seconds, most = json.loads(said)
    return seconds, most


def size_and_time(share: float, kind: str) -> None:
    """Print what a file of SIMSv2's shape takes, and what it would at full size."""
    sys.path.insert(0, str(ROOT / "tests"))
    from real_files import write_mmsa

    from mmsa_utils.posts.real.converted import convert

    counts = (max(1, round(SIMSV2[0] * share)), max(1, round(SIMSV2[1] * share)), max(1, round(SIMSV2[2] * share)))
    with tempfile.TemporaryDirectory() as made:
        path, folder = Path(made) / "simsv2.pkl", Path(made) / "converted"
        write_mmsa(path, "simsv2", counts, kind=kind)
        size = path.stat().st_size
        start = time.process_time()
        convert(path, folder)
        converting = time.process_time() - start
        (plain, _), (load, most), (hold, held) = (measured(way, path) for way in _WAYS)
        mapped, mapped_most = measured("load", folder)
    train = size * counts[0] / sum(counts)
    print(f"{sum(counts)} posts, {kind}: {size / 2**20:.0f} MiB, of which train {train / 2**20:.0f}")
    print(f"  bytes read and copied once    {plain:6.2f} s")
    print(f"  load_mmsa, split by split     {load:6.2f} s, {load / plain:.2f} times; at most {most:.0f} MiB more")
    print(f"  load_mmsa, all splits held    {hold:6.2f} s, {hold / plain:.2f} times; at most {held:.0f} MiB more")
    print(f"  convert                       {converting:6.2f} s")
    print(f"  load_mmsa of the folder       {mapped:6.2f} s, {mapped / plain:.2f} times; at most {mapped_most:.0f} MiB "
          "more")
    print(f"  at full size, {size / share / 2**30:.1f} GiB: {load / share:.1f} s, {most / share / 1024:.1f} GiB")


def main() -> int:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--share", type=float, default=0.1, help="of SIMSv2's posts (default 0.1)")
    words.add_argument("--fuzz", type=int, metavar="N", help="hostile pickles, instead")
    words.add_argument("--seed", type=int, default=0)
    arguments = words.parse_args()
    if arguments.fuzz is None:
        for kind in ("f8", "f4"):  # SIMSv2's own file has the size of the first
            size_and_time(arguments.share, kind)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        rest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        start = time.perf_counter()
        found = fuzz(arguments.fuzz, arguments.seed, good_files(), Path(folder))
    for said, count in sorted(found.items()):
        print(f"{count:6d} {said}")
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - rest) / 1024
    print(f"{time.perf_counter() - start:.0f} s, at most {grown:.0f} MiB more")
    return 1 if any("FAULT" in said for said in found) else 0


if __name__ == "__main__":
    sys.exit(main())
