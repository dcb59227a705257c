"""Files of exactly the layouts in which real recordings are handed on, with numbers drawn here; and what was wrong with
some of the true ones."""

import pickle
import re
import struct
from pathlib import Path

import numpy as np

#: Layout → frames and widths of text, audio and vision, as the true files have them.
SHAPES = {
    "mosi-aligned": ((50, 768), (50, 5), (50, 20)),
    "mosi-unaligned": ((50, 768), (375, 5), (500, 20)),
    "mosei-aligned": ((50, 768), (50, 74), (50, 35)),
    "sims": ((39, 768), (400, 33), (55, 709)),
    "simsv2": ((50, 768), (925, 25), (232, 177)),
    "fet": ((32, 768), (120, 33), (60, 171)),
    "cmu": ((50, 300), (50, 74), (50, 35)),
    "mag": ((50, 0), (50, 74), (50, 47)),
}
WORDS = "the film was slow but she liked how it ended so go and see it if you can".split()


def posts(rng: np.random.Generator, n: int, frames: int, width: int, lengths: np.ndarray, kind: str = "f4",
          front: bool = False) -> np.ndarray:
    """(n, frames, width): numbers in the first frames of each post (the last, with `front`), zeros in the others."""
    made = rng.standard_normal((n, frames, width), np.dtype(kind))
    places = np.arange(frames)
    real = places >= frames - lengths[:, None] if front else places < lengths[:, None]
    made *= real[..., None]
    return made


def split(rng: np.random.Generator, name: str, layout: str, n: int, kind: str) -> dict:
    """A split of MMSA's layout."""
    (t, text), (a, audio), (v, vision) = SHAPES[layout]
    aligned = layout.endswith("-aligned")
    words = rng.integers(3, t + 1, n)
    heard, seen = (words, words) if aligned else (rng.integers(1, a + 1, n), rng.integers(1, v + 1, n))
    bert = np.zeros((n, 3, t), kind)
    bert[:, 0] = rng.integers(1000, 9000, (n, t))
    bert[:, 1] = np.arange(t) < words[:, None]
    bert[:, 0] *= bert[:, 1]
    most = 1 if layout.startswith("sims") else 3
    labels = np.round(rng.uniform(-most, most, n), 1)
    labels[:1] = 0
    moods = np.array(["Negative", "Neutral", "Positive"])[np.sign(labels).astype(int) + 1]
    made = {
        "id": [f"{name}{place // 4}$_${place % 4}" for place in range(n)],
        "raw_text": [" ".join(rng.choice(WORDS, count)) for count in words],
        "text": posts(rng, n, t, text, words, kind), "text_bert": bert,
        "audio": posts(rng, n, a, audio, heard, kind), "vision": posts(rng, n, v, vision, seen, kind),
        "regression_labels": labels.astype("f4"),
    }
    if not aligned:
        made |= {"audio_lengths": heard.tolist(), "vision_lengths": seen.tolist()}
    if layout.startswith("sims"):
        made |= {f"regression_labels_{letter}": np.round(rng.uniform(-1, 1, n), 1).astype("f4") for letter in "TAV"}
    else:
        made["annotations"] = moods.tolist()
    if layout == "fet":  # lists were made arrays, and classes are no longer written
        made = {key: np.array(value) for key, value in made.items()}
    else:
        made["classification_labels"] = np.sign(labels) + 1
    return made


def cmu(rng: np.random.Generator, name: str, n: int) -> dict:
    """A split as MulT reads it: the padding stands in front, ids are bytes in three parts."""
    words = rng.integers(3, 51, n)
    made = {key: posts(rng, n, frames, width, words, "f8" if key == "audio" else "f4", front=True)
            for key, (frames, width) in zip(("text", "audio", "vision"), SHAPES["cmu"])}
    return {**made, "labels": rng.uniform(-3, 3, (n, 1, 1)).astype("f4"),
            "id": np.array([[f"{name}{place}".encode(), b"11.2", b"15.9"] for place in range(n)])}


def mag(rng: np.random.Generator, name: str, n: int) -> list:
    """A split as MAG-BERT reads it."""
    made = []
    for place in range(n):
        words = rng.choice(WORDS, rng.integers(2, 12))
        frames = [rng.normal(size=(len(words), width)) for width in (47, 74)]
        made.append(((list(map(str, words)), *frames), np.array([[rng.uniform(-3, 3)]], "f4"), f"{name}{place}[0]"))
    return made


def recordings(layout: str, n: tuple[int, int, int] = (8, 4, 5), seed: int = 0, kind: str = "") -> dict:
    """All splits of a file, in the layout's own kind of numbers or another."""
    kind = kind or ("f8" if layout in ("fet", "simsv2") else "f4")
    rng = np.random.default_rng(seed)
    if layout in ("cmu", "mag"):
        names = ("train", "dev" if layout == "mag" else "valid", "test")
        return {name: {"cmu": cmu, "mag": mag}[layout](rng, name, count) for name, count in zip(names, n)}
    made: dict = {name: split(rng, name, layout, count, kind)
                  for name, count in zip(("train", "valid", "test"), n)}
    return {**made, "config": {"audio": {"tool": "librosa"}}} if layout == "fet" else made


def write_mmsa(path: Path, layout: str = "mosi-unaligned", n: tuple[int, int, int] = (8, 4, 5), seed: int = 0,
               protocol: int = 4, numpy1: bool = False, change=None, kind: str = "") -> dict:
    """Write such a file; returns what is in it.

    Args:
        layout: one of SHAPES.
        n: posts of train, valid and test.
        numpy1: with the names of NumPy 1.
        change: called with what is in the file before it is written.
        kind: of the numbers, f4 or f8, where it is not the layout's own.
    """
    made = recordings(layout, n, seed, kind)
    if change is not None:
        change(made)
    data = pickle.dumps(made, protocol)
    path.write_bytes(with_names_of_numpy1(data) if numpy1 else data)
    return made


def with_names_of_numpy1(data: bytes) -> bytes:
    """A pickle with numpy.core where NumPy 2 writes numpy._core, each length beside a name put right."""
    def shorter(found: re.Match) -> bytes:
        return b"\x8c" + bytes([found[1][0] - 1]) + b"numpy.core"

    named = re.compile(rb"\x8c(.)numpy\._core", re.DOTALL)
    pieces, place = [], 0
    for start in frames_of(data):
        (length,) = struct.unpack("<Q", data[start + 1:start + 9])
        body = data[start + 9:start + 9 + length]
        pieces += [named.sub(shorter, data[place:start]), b"\x95",
                   struct.pack("<Q", len(body) - len(named.findall(body))), named.sub(shorter, body)]
        place = start + 9 + length
    return b"".join([*pieces, named.sub(shorter, data[place:])]).replace(b"cnumpy._core", b"cnumpy.core")


def frames_of(data: bytes) -> list[int]:
    """Where the frames of a pickle in protocol 4 or 5 begin."""
    import pickletools

    return [place for code, _, place in pickletools.genops(data) if code.name == "FRAME"]


def of_python2(value) -> bytes:
    """What Python 2 wrote of dicts, lists, tuples, strings, numbers and arrays, in protocol 2: strings are bytes."""
    return b"\x80\x02" + _of_python2(value) + b"."


def _of_python2(value) -> bytes:
    if isinstance(value, (str, bytes)):
        data = value.encode("latin-1") if isinstance(value, str) else value
        return b"U" + bytes([len(data)]) + data if len(data) < 256 else b"T" + struct.pack("<i", len(data)) + data
    if isinstance(value, dict):
        return b"}(" + b"".join(_of_python2(part) for item in value.items() for part in item) + b"u"
    if isinstance(value, list):
        return b"](" + b"".join(map(_of_python2, value)) + b"e"
    if isinstance(value, tuple):
        return b"(" + b"".join(map(_of_python2, value)) + b"t"
    if isinstance(value, np.ndarray):
        code, order = value.dtype.str[1:], value.dtype.str[0]
        size = value.itemsize if code[0] == "S" else -1
        kind = (b"cnumpy\ndtype\n" + _of_python2(code) + b"K\x00K\x01\x87R(K\x03" + _of_python2(order) + b"NNN"
                + (b"J" + struct.pack("<i", size)) * 2 + b"K\x00tb")
        return (b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01"
                + _of_python2(value.shape) + kind + b"\x89" + _of_python2(value.tobytes()) + b"tb")
    if isinstance(value, float):
        return b"G" + struct.pack(">d", value)
    return b"J" + struct.pack("<i", value)


def small_pickles() -> list[bytes]:
    """Whole files of every kind of value, in every protocol, with the names of both NumPys, and of Python 2."""
    small = {"id": ["a$_$0", "a$_$1"], "raw_text": ["so", "slow"], "text": np.ones((2, 3, 2), "f4"),
             "audio": np.arange(2400.0).reshape(2, 30, 40), "vision": [np.ones((1, 2)), np.ones((3, 2))],
             "audio_lengths": [2, 30], "regression_labels": np.array([-1, 2.5], "f4"),
             "annotations": np.array(["Negative", "Positive"])}
    values = [{"train": small, "test": small}, {"a": {1, (2, "b")}, "b": frozenset("xy"), "c": [1.5, None, 2**70]},
              {"o": np.array(["x", None, [1]], object), "s": np.float64(2), "b": b"bytes" * 300, "j": 1j}]
    made = [pickle.dumps(value, protocol) for value in values for protocol in range(6)]
    return [*made, *map(with_names_of_numpy1, made[:6]), of_python2({"id": np.array([b"ab"]), "x": [1, 2.5, (3, "y")]})]
