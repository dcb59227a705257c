"""Harm valid files at random and open them as a reader would: each is read, or refused with an error that names it.

python tools/measure/fuzz.py --cases 20000 --seed 0            every kind of file, in equal shares
python tools/measure/fuzz.py --cases 20000 --kinds picture     pictures only
python tools/measure/fuzz.py --seed 0 --only 4711              one case again (with the same --kinds), and what it said

Pictures, tables of posts, model folders, encoder folders, checkpoints, caches, progress cards, handed-in notebooks, and
the command line with any of them. A case that takes more than 20 s or 2 GB, that crashes, raises anything but
ValueError or OSError, names no file, or gives another result than the whole file does, is a fault: it is kept under
build/fuzz with what was said. Exit code 1 if there was any. (Memory is limited on Linux only.)
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import os
import shutil
import struct
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from fuzz_kinds import KINDS, ROOT
from tqdm import tqdm

FAULTS = ROOT / "build" / "fuzz"
SECONDS, BYTES = 20, 2 * 2**30  # that one case may take
ODD = [None, True, False, -1, 0, 1, 3, 2**31, 2**63, 10**30, int("9" * 4000), -0.5, 0.5, float("nan"), float("inf"), "",
       "\0", "x" * 3000, "../..", "/etc/passwd", "\ud800", "😀", "9" * 5000, "right", [], {}, [[]], [None], {"a": None},
       ["a"]]


# --- harm ---


def harmed(data: bytes, suffix: str, rng: np.random.Generator) -> bytes:
    """The same bytes with one to three things done to them; half of the time to what they mean."""
    for _ in range([1, 1, 2, 3][rng.integers(4)]):
        if rng.random() < 0.5 and suffix in MEANT:
            with contextlib.suppress(ValueError, LookupError, struct.error, RecursionError, AttributeError):
                data = MEANT[suffix](data, rng)
                continue
        data = harmed_bytes(data, rng)
    return data


def harmed_bytes(data: bytes, rng: np.random.Generator) -> bytes:
    n = len(data)
    a, b = sorted(rng.integers(0, n + 1, 2).tolist())
    if rng.random() < 0.7:  # a small piece: more of the file stays as it was
        b = min(b, a + int(rng.integers(1, 9)))
    how = rng.integers(8)
    if how == 0:
        return data[:a]
    if how == 1:
        return data[:a] + data[b:]
    if how == 2:
        return data[:a] + data[a:b] * 2 + data[b:]
    if how == 3:
        return data[:a] + rng.bytes(b - a) + data[b:]
    if how == 4:
        same = [b"\0", b"\xff", b"\x7f", b"\x80", b'"', b"[", b"{", b","][rng.integers(8)]
        return data[:a] + same * (b - a) + data[b:]
    if how == 5:
        c = int(rng.integers(b, n + 1))
        return data[:a] + data[b:c] + data[a:b] + data[c:]
    if how == 6:
        return data[:a] + rng.bytes(int(rng.integers(1, 40))) + data[a:]
    flipped = bytearray(data)
    for place in rng.integers(0, n, min(n, 4)) if n else []:
        flipped[place] ^= 1 << int(rng.integers(8))
    return bytes(flipped)


def odd(rng: np.random.Generator) -> object:
    return ODD[rng.integers(len(ODD))]


def harmed_json(data: bytes, rng: np.random.Generator) -> bytes:
    return json.dumps(changed(json.loads(data), rng)).encode()


def harmed_lines(data: bytes, rng: np.random.Generator) -> bytes:
    lines = data.decode().split("\n")
    place = rng.integers(len(lines))
    lines[place] = json.dumps(changed(json.loads(lines[place]), rng))
    return "\n".join(lines).encode()


def changed(tree: object, rng: np.random.Generator) -> object:
    """Plain JSON with one of its values replaced, removed or said twice."""
    places: list[tuple] = []

    def walk(value: object) -> None:
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            places.append((value, key))
            if isinstance(inner, (dict, list)) and len(places) < 5000:
                walk(inner)

    walk(tree)
    value, key = places[rng.integers(len(places))]
    how = rng.integers(6)
    if how == 0:
        del value[key]
    elif how == 1:
        other, its = places[rng.integers(len(places))]
        value[key], other[its] = other[its], value[key]
    elif how == 2 and isinstance(value[key], (int, float)):
        value[key] = value[key] * [-1, 10, 1000, 10**6, 0.1][rng.integers(5)]
    else:
        value[key] = odd(rng)
    return tree


def harmed_csv(data: bytes, rng: np.random.Generator) -> bytes:
    rows = [line.split(",") for line in data.decode("utf-16" if data[:1] == b"\xff" else "utf8").split("\n")]
    row = rows[rng.integers(len(rows))]
    cell = str(odd(rng))
    row[rng.integers(len(row))] = cell if rng.random() < 0.5 else '"' + cell.replace('"', '""') + '"'
    return "\n".join(map(",".join, rows)).encode("utf8", "surrogatepass")


def harmed_weights(data: bytes, rng: np.random.Generator) -> bytes:
    """A safetensors file with another header, whose length is right again."""
    size = struct.unpack("<Q", data[:8])[0]
    header = harmed_json(data[8:8 + size], rng) if rng.random() < 0.7 else harmed_bytes(data[8:8 + size], rng)
    return struct.pack("<Q", len(header)) + header + data[8 + size:]


MEANT = {".json": harmed_json, ".ipynb": harmed_json, ".jsonl": harmed_lines, ".csv": harmed_csv,
         ".safetensors": harmed_weights}


# --- cases, in a process of their own ---


def work(places: dict[str, Path], scratch: Path, seed: int, cases: list[tuple[int, str]], pipe) -> None:
    """Run cases one by one and send (number, outcome, what was said, name, harmed bytes) of each."""
    warnings.simplefilter("ignore")
    os.environ["HF_HUB_OFFLINE"] = "1"
    import mmsa_utils.apps.cli
    import mmsa_utils.grading.grade
    import mmsa_utils.learning.alignment  # noqa: F401

    limit_memory()
    copies = {}
    for kind in {kind for _, kind in cases}:
        copies[kind] = scratch / "files" / kind
        shutil.rmtree(copies[kind], ignore_errors=True)
        shutil.copytree(places[kind], copies[kind])
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    for number, kind in cases:
        pipe.send((number, *one(kind, places[kind], copies[kind], np.random.default_rng((seed, number)))))


def limit_memory() -> None:
    """What is held now and BYTES more, where the system has such a limit."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        held = next(int(line.split()[1]) * 1024 for line in Path("/proc/self/status").read_text().splitlines()
                    if line.startswith("VmData"))
        resource.setrlimit(resource.RLIMIT_DATA, (held + BYTES, held + BYTES))


def one(kind: str, whole: Path, copy: Path, rng: np.random.Generator) -> tuple[str, str, str, bytes]:
    """Harm one file of a folder, open it, and make it whole again."""
    _, open_it, endings = KINDS[kind]
    files = sorted(path for path in whole.rglob("*") if path.is_file() and path.name.endswith(endings))
    source = files[rng.integers(len(files))]
    path = copy / source.relative_to(whole)
    data = harmed(source.read_bytes(), path.suffix, rng)
    path.write_bytes(data)
    outcome, said = "read", ""
    try:
        open_it(path, source) if kind in ("checkpoint", "cache") else open_it(path)
    except (ValueError, OSError) as error:
        outcome, said = "refused", str(error)
        names = [path.name, "posts.csv", *(place.name for place in path.parents if place.is_relative_to(copy))]
        if not any(name in said for name in names) or len(said) > 4000:
            outcome, said = "FAULT", f"the error does not say which file it is about: {traceback.format_exc()}"
    except BaseException:
        outcome, said = "FAULT", traceback.format_exc()
    path.write_bytes(source.read_bytes())
    return outcome, said, path.name, data if outcome == "FAULT" else b""


def keep(seed: int, number: int, kind: str, said: str, name: str, data: bytes) -> None:
    place = FAULTS / f"{kind}-{seed}-{number}"
    place.mkdir(parents=True, exist_ok=True)
    (place / "said.txt").write_text(said, encoding="utf8", errors="replace")
    if name:
        (place / name).write_bytes(data)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=20000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--only", type=int, metavar="NUMBER", help="one case again, with its traceback")
    options = parser.parse_args(arguments)
    kinds = list(options.kinds)
    cases = [(number, kinds[number % len(kinds)]) for number in range(options.cases)]
    if options.only is not None:
        cases = [(options.only, kinds[options.only % len(kinds)])]
    counts, begun, stopped = Counter(), time.monotonic(), False
    with tempfile.TemporaryDirectory(prefix="fuzz") as folder:
        places = {kind: Path(folder, "whole", kind) for kind in kinds}
        for kind, place in places.items():
            place.mkdir(parents=True)
            KINDS[kind][0](place)
        try:
            with tqdm(total=len(cases), desc="fuzz", mininterval=5) as bar:
                for number, kind, outcome, said, name, data in outcomes(places, Path(folder), options.seed, cases):
                    counts[kind, outcome] += 1
                    bar.update()
                    if outcome == "FAULT":
                        keep(options.seed, number, kind, said, name, data)
                        last = said.strip().splitlines()[-1][:200]
                        tqdm.write(f"fault in case {number} ({kind}): {last}", sys.stderr)
                    if options.only is not None:
                        print(outcome, said)
        except KeyboardInterrupt:
            stopped = True
    print(f"{'kind':12}{'cases':>8}{'read':>8}{'refused':>9}{'faults':>8}")
    for kind in kinds:
        row = [counts[kind, outcome] for outcome in ("read", "refused", "FAULT")]
        print(f"{kind:12}{sum(row):8}{row[0]:8}{row[1]:9}{row[2]:8}")
    faults = sum(count for (_, outcome), count in counts.items() if outcome == "FAULT")
    print(f"{counts.total()} cases in {time.monotonic() - begun:.0f} s, {faults} faults"
          f"{f', kept under {FAULTS.relative_to(ROOT)}' if faults else ''}{'; stopped before the end' * stopped}")
    return 130 if stopped else int(faults > 0)


def outcomes(places: dict[str, Path], scratch: Path, seed: int, cases: list[tuple[int, str]]) -> Iterator[tuple]:
    """(number, kind, outcome, what was said, name, bytes) of each case; a process that hangs or dies is replaced."""
    context, kinds = multiprocessing.get_context("spawn"), dict(cases)
    while cases:
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=work, args=(places, scratch, seed, cases, theirs), daemon=True)
        process.start()
        theirs.close()
        patience = 120  # until it has imported everything
        try:
            while cases:
                if not ours.poll(patience):
                    row = (cases[0][0], "FAULT", f"it took more than {SECONDS} s", "", b"")
                    break
                row = ours.recv()
                cases, patience = cases[1:], SECONDS
                yield (row[0], kinds[row[0]], *row[1:])
            else:
                return
        except EOFError:
            process.join()
            row = (cases[0][0], "FAULT", f"its process died (exit code {process.exitcode})", "", b"")
        finally:
            process.kill()
            process.join()
        cases = cases[1:]
        yield (row[0], kinds[row[0]], *row[1:])


if __name__ == "__main__":
    sys.exit(main())
