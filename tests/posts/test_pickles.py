"""Pickles: every kind of plain value is read as Python itself reads it, and nothing else ever happens."""

import math
import pickle
import struct
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pickles as hostile
import pytest
from real_files import of_python2, small_pickles, with_names_of_numpy1

from mmsa_utils.posts.real.pickles import UnsafePickle, read_pickle

CASES = 2000  # in the suite; tools/measure/pickles.py --fuzz 10000 takes more
VALUES = {
    "numbers": [0, 1, 255, 256, 65536, -1, 2**31, -2**63, 10**30, 0.5, -0.0, math.inf, 1e-310, True, False,
                None, 2 + 3j],
    "texts": ["", "a", "ä😀", "x" * 300, "x" * 70000, "two\nlines", "\\u00e4", "\ud800"],
    "bytes": [b"", b"ab\n", bytes(range(256)) * 300, bytearray(b"z" * 3000), bytearray()],
    "containers": [[], (), {}, [[1], (2, "b")], (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), {"a": {"b": [None]}},
                   {1: 2, (1, 2): 3},
                   {1, "a", (2, 3)}, frozenset([1, b"x"]), set()],
    "kinds": [np.arange(6).reshape(2, 3).astype(kind)
              for kind in "? i1 i2 i4 i8 u1 u4 f2 f4 f8 c8 c16 >f4 >i8".split()],
    "shapes": [np.float32(1.5) * np.ones(shape, "f4") for shape in ((), (0,), (3,), (0, 4), (2, 3, 4), (500, 40))],
    "orders": [np.asfortranarray(np.random.default_rng(0).normal(size=(40, 30))),
               np.random.default_rng(0).normal(size=(10, 20, 30)).transpose(0, 2, 1)],
    "words": [np.array(["ä😀", "b"]), np.array([b"id", b"x"]), np.array([["a", "b"]]),
              np.array(["x", None, [1, "y"]], object),
              np.array([[{"a": 1}, np.arange(3)]], object)],
    "scalars": [np.float32(1.5), np.int64(-3), np.str_("hä"), np.bytes_(b"x"), np.bool_(True)],
}
SHARED = [1, 2]
VALUES["shared"] = [SHARED, SHARED, {"a": SHARED}]


def same(one, other) -> None:
    assert type(one) is type(other)
    if isinstance(one, np.ndarray):
        assert (one.shape, one.dtype) == (other.shape, other.dtype)
        if one.dtype == object:
            for parts in zip(one.ravel().tolist(), other.ravel().tolist()):
                same(*parts)
        else:
            np.testing.assert_array_equal(one, other)
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(other)
        for parts in zip(one, other):
            same(*parts)
    elif isinstance(one, dict):
        assert list(one) == list(other)
        for key in one:
            same(one[key], other[key])
    else:
        assert repr(one) == repr(other) if not isinstance(one, (set, frozenset)) else one == other


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("numpy1", [True, False])
def test_plain_values_are_read_as_python_reads_them(tmp_path, protocol, numpy1):
    path = tmp_path / "file.pkl"
    for name, value in VALUES.items():
        data = pickle.dumps(value, protocol)
        path.write_bytes(with_names_of_numpy1(data) if numpy1 and name != "bytes" else data)
        same(read_pickle(path), value)
    found = read_pickle(path)
    assert found[0] is found[1] is found[2]["a"]  # what stands twice in a file is one thing


def test_files_of_python2_are_read(tmp_path):
    value = {"train": {"id": np.array([b"abc", b"d"]), "text": np.arange(2000, dtype="f4").reshape(10, 20, 10),
                       "labels": [1, -2.5, (3, "ä")], "long": "x" * 400}}
    path = tmp_path / "file.pkl"
    path.write_bytes(of_python2(value))
    same(read_pickle(path), pickle.loads(path.read_bytes(), encoding="latin1"))
    lines = b"(dS'a\\n\\xe4'\n(lF1.5\naL12L\naI01\nas."
    path.write_bytes(lines)
    assert read_pickle(path) == {"a\nä": [1.5, 12, True]} == pickle.loads(lines, encoding="latin1")


def test_arrays_are_views_of_the_file(tmp_path):
    path = tmp_path / "file.pkl"
    path.write_bytes(pickle.dumps({"a": np.ones((2000, 1000)), "b": b"x"}, 4))
    tracemalloc.start()
    found = read_pickle(path)["a"]
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 0.05 * found.nbytes
    assert not found.flags.writeable
    assert found.sum() == 2e6


@pytest.mark.parametrize("number", range(len(hostile.exploits(Path("x")))))
def test_what_would_run_is_refused_by_name(tmp_path, number):
    canary, path = tmp_path / "canary", tmp_path / "bad.pkl"
    path.write_bytes(hostile.exploits(canary)[number])
    with pytest.raises(ValueError, match=r"bad\.pkl .*at byte \d+") as caught:
        read_pickle(path)
    assert not canary.exists()
    if path.read_bytes()[2:].startswith(b"cos\nsystem"):
        assert isinstance(caught.value, UnsafePickle)
        assert "os.system" in str(caught.value)


def test_the_exploits_do_run_in_pythons_own_reader(tmp_path):
    """Else the canary says nothing."""
    canary = tmp_path / "canary"
    for number in (0, 1, 2, 4, 5, 6):
        program = f"import pickle; pickle.loads({hostile.exploits(canary)[number]!r})"
        subprocess.run([sys.executable, "-c", program], check=False, capture_output=True)
        assert canary.exists()
        canary.unlink()


def test_nothing_is_imported(tmp_path):
    path = tmp_path / "bad.pkl"
    path.write_bytes(b"\x80\x04cantigravity\nfly\n.")
    with pytest.raises(UnsafePickle, match=r"antigravity\.fly"):
        read_pickle(path)
    assert "antigravity" not in sys.modules


@pytest.mark.parametrize("number", range(len(hostile.bombs())))
def test_bombs_are_refused_and_cost_nothing(tmp_path, number):
    path = tmp_path / "bomb.pkl"
    tracemalloc.start()
    said = hostile.outcome(path, hostile.bombs()[number], tmp_path / "canary")
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert said in ("read", "damaged") or "took" in said  # tracing is slow; the next test looks at the clock
    assert most < 20 * 2**20


@pytest.mark.parametrize(("data", "words"), [
    (b"\x80\x04]\x94h\x00a.", "holds itself"),
    (b"\x80\x04" + b"]" * 200 + b"a" * 199 + b".", "deep"),
    (hostile.bombs()[0], "unfold"),
    (b"\x80\x04}cnumpy\ndtype\nX\x02\x00\x00\x00f4\x85RNs.", "is a key"),
    (b"\x80\x04cnumpy\ndtype\nX\x02\x00\x00\x00f4\x85R.", "no value"),
    (b"\x80\x04cnumpy\ndtype\nX\x02\x00\x00\x00V8\x85R.", "'V8'"),
    (b"\x80\x04K\x01.K\x02", "more bytes follow"),
    (b"\x80\x06N.", "protocol 6"),
    (b"", "is empty"), (b"PK\x03\x04abc", "torch.save"),
    (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
    (b"<html>", "page of the web"), (b"\x1f\x8babc", "gzip"),
    (pickle.dumps(0x1950A86A20F9469CFC6C, 2) + b"rest", "torch"),
    (b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n.", "tensors of torch"),
])
def test_what_is_wrong_is_said(tmp_path, data, words):
    path = tmp_path / "odd.pkl"
    path.write_bytes(data)
    with pytest.raises(ValueError, match="odd.pkl") as caught:
        read_pickle(path)
    assert words in str(caught.value)


def test_lengths_beyond_the_end_are_refused_before_anything_is_made(tmp_path):
    path = tmp_path / "cut.pkl"
    for whole in small_pickles():
        for end in (1, 2, len(whole) // 2, len(whole) - 1):
            path.write_bytes(whole[:end])
            with pytest.raises(ValueError, match="cut.pkl"):
                read_pickle(path)
    path.write_bytes(b"\x80\x05cnumpy.core.numeric\n_frombuffer\n(C\x08" + struct.pack("<II", 0x110000, 65)
                     + b"cnumpy\ndtype\nX\x02\x00\x00\x00U1\x85RK\x02\x85X\x01\x00\x00\x00CtR.")
    with pytest.raises(ValueError, match="no character"):
        read_pickle(path)


def test_thousands_of_hostile_pickles_do_nothing(tmp_path):
    found = hostile.fuzz(CASES, 0, small_pickles(), tmp_path)
    assert not [said for said in found if said.startswith("FAULT")]
    assert {"read", "refused", "damaged"} == set(found)


def test_the_search_finds_what_runs(tmp_path, monkeypatch):
    """A reader that runs everything is found out."""
    monkeypatch.setattr(hostile, "read_pickle", lambda path: pickle.loads(path.read_bytes()))
    canary = tmp_path / "canary"
    assert hostile.outcome(tmp_path / "x", hostile.exploits(canary)[0], canary) == "FAULT: it ran"
    canary.unlink()
    assert "plain" in hostile.outcome(tmp_path / "x", pickle.dumps(ValueError), canary)
    assert "EOFError" in hostile.outcome(tmp_path / "x", b"", canary)
