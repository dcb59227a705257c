"""Grading handed-in notebooks: fair to honest ones, and neither fooled nor stopped by any other."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import nbformat
import numpy as np
import psutil
import pytest
import torch

from mmsa_utils.__main__ import main
from mmsa_utils.exercises.compare import kind_of
from mmsa_utils.exercises.table import EXERCISES
from mmsa_utils.grading import grade as grading
from mmsa_utils.grading import hand_ins, wire
from mmsa_utils.grading import run as grading_run

ROOT = Path(__file__).resolve().parents[2]
# The first exercise of notebook 01, whose checks need no torch: a child that has none starts in half a second.
SETUP = "from mmsa_utils import checks as check\nfrom mmsa_utils import judge"
RIGHT = """def optimist_label(kind, level):
    valence, relation, _ = judge(kind, level)
    return 2 if relation == "contradict" and abs(kind) == abs(level) else valence + 1

check.optimist_label(optimist_label)"""
WRONG = RIGHT.replace("valence + 1", "valence")
STUB = "def optimist_label(kind, level):\n    ...\n\ncheck.optimist_label(optimist_label)"
MISSING = dict.fromkeys((number for number in EXERCISES if number.startswith("1.")), "missing")
# How a notebook gets at the line to the grader, to write on it by itself.
LINE = "import gc, os, sys\nline = check.referee.__self__\nout = line.outgoing\n"


def hand_in(path: Path, *cells: str, title: str = "# 01 · Synthetic data") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    made = [nbformat.v4.new_markdown_cell(title), *map(nbformat.v4.new_code_cell, cells)]
    nbformat.write(nbformat.v4.new_notebook(cells=made), path)
    return path


@pytest.fixture
def graded(tmp_path):
    """Grade one notebook of these cells; its row."""

    def run(*cells: str, title: str = "# 01 · Synthetic data", name: str = "nb.ipynb", **limits) -> dict:
        hand_in(tmp_path / "in" / name, *cells, title=title)
        (row,) = grading.grade(tmp_path / "in", tmp_path / "out.csv", **{"seconds": 60, **limits})["rows"]
        return row

    return run


def table(path: Path) -> list[dict]:
    with open(path, encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


# --- the line between the two processes ---


@pytest.mark.parametrize("value", [
    None, True, 0, -(10**30), 1.5, "a\nb\u2028\ud800", ..., [], [1, [2.0, ("x", None)]], (),
    {"a": 1, 2: [3], (4, "b"): {}}, np.float32(2.5), np.int64(3), np.bool_(True), np.arange(6).reshape(2, 3),
    np.zeros((0, 3)), np.array(7.0), np.array(["ab", "c"]), np.array([[True], [False]]), np.arange(4)[::-2],
    np.array([1, 2], dtype=">i4"), torch.arange(6).reshape(3, 2), torch.tensor(1.5), torch.tensor([True, False]),
    torch.ones(2, 2).half()])
def test_plain_values_cross_the_line_as_they_are(value):
    back = wire.decode(json.loads(json.dumps(wire.encode(value))))
    assert type(back) is type(value)
    if isinstance(value, (np.ndarray, np.generic, torch.Tensor)):
        assert back.shape == value.shape
        assert np.asarray(back).dtype == np.asarray(value).dtype.newbyteorder("=")
        assert (np.asarray(back) == np.asarray(value)).all()
    else:
        assert back == value


def test_what_is_not_a_number_crosses_the_line_too():
    back = wire.decode(json.loads(json.dumps(wire.encode([float("nan"), float("-inf"), torch.tensor([float("nan")])]))))
    assert str(back) == "[nan, -inf, tensor([nan])]"


def test_what_is_not_plain_keeps_its_name_only():
    loop: list = []
    loop.append(loop)
    for value, name in ((object(), "object"), ({1}, "set"), (b"x", "bytes"), (np.array([None]), "ndarray")):
        assert kind_of(wire.decode(wire.encode(value))).split()[1] == name
    assert wire.decode(wire.encode(torch.ones(2, requires_grad=True).bfloat16())).tolist() == [1, 1]
    assert "deeply" in str(wire.encode(loop))


@pytest.mark.parametrize("data", [
    [], {}, {"list": 1}, {"list": [[]]}, {"a": 1, "b": 2}, {"eval": "1"}, {"odd": 3}, {"dict": [[{"list": []}, 1]]},
    {"dict": 3}, {"dict": [[1]]}, {"dict": [[1, 1]] * 20_000}, {"array": []}, {"array": ["float64", [10**9], "AAAA"]},
    {"array": ["object", [1], "AAAAAAAAAAA="]}, {"array": ["float32", [-1], "AAAA"]}, {"tensor": ["float32", [1], "?"]},
    {"array": ["str", [1], [1]]}, {"array": ["str", [2], ["a"]]}, {"array": ["float64", [True], "AAAAAAAAAAA="]},
    {"array": ["str", [5000], ["a" * 5000] + ["a"] * 4999]}, {"array": [["float64"], [1], "AAAAAAAAAAA="]},
    {"array": ["float64", 3, ""]}, {"scalar": ["float64", [0], ""]}])
def test_garbage_on_the_line_is_known_as_such(data):
    with pytest.raises(wire.Garbled):
        wire.decode(data)
    deep = data
    for _ in range(30):
        deep = {"list": [deep]}
    with pytest.raises(wire.Garbled):
        wire.decode(deep)


# --- honest notebooks ---


def test_tensors_and_verdicts(graded):
    """A right answer, then a wrong one: the inputs are fresh each time, and the last verdict counts."""
    row = graded(
        "import torch\nfrom mmsa_utils import checks as check\nseen = []\n",
        "def token_average(states, mask):\n    assert states.dtype == torch.float32 and mask.dtype == torch.int64\n"
        "    seen.append(states)\n"
        "    return torch.stack([text[1:real.sum() - 1].mean(0) for text, real in zip(states, mask)])\n",
        "first, second = check.token_average(token_average), check.token_average(token_average)\n"
        "assert first.status == second.status == 'right' and 'Padding' in first.message\n"
        "assert len(seen) == 8 and not any(torch.equal(seen[0], states) for states in seen[1:])",
        "assert check.token_average(lambda states, mask: states.mean(1)).status == 'wrong'",
        title="# 02 · Text encoders")
    assert row["remark"] == ""
    assert row["exercises"]["2.1"] == "wrong"
    assert "padding is averaged in" in row["messages"]["2.1"]
    assert row["exercises"]["2.2"] == "missing"
    assert row["seconds"] >= 1
    assert 100 < row["memory MB"] < 2000


def test_a_notebook_behaves_as_in_jupyter(graded):
    row = graded(
        SETUP, "1 / 0",  # noted, and the next cell has its turn
        "%matplotlib inline\n!pip install nothing\n%time timed = 1\nwords = !ls\n?print",
        "%%time\nassert timed == 1 and words == []\nbelow = 2", "%%bash\nrm -rf /",
        "def f():\n    return 'source'", "import inspect\ndisplay(below)\nassert 'source' in inspect.getsource(f)",
        "from dataclasses import dataclass\n@dataclass\nclass Point:\n    x: 'int' = 0\nassert __name__ == '__main__'",
        "import tempfile, pathlib, shutil\nwith tempfile.TemporaryDirectory() as folder:\n"
        "    pathlib.Path(folder, 'x').write_text('x')\npathlib.Path('mine.txt').write_text('x')\n"
        "assert pathlib.Path.home() == pathlib.Path.cwd()",
        "import asyncio\nasync def later():\n    return 3\nassert asyncio.run(later()) == 3",
        "task = asyncio.ensure_future(later())\nassert await later() == 3", "assert await task == 3",
        "assert check.chance_band(...).status == 'not yet'", "import nothing_of_that_name",
        "assert 'give' in check.optimist_label(lambda kind, level: print()).message", RIGHT)
    assert row["remark"] == "code cell 2: ZeroDivisionError: division by zero (and 1 more)"
    assert row["exercises"] == MISSING | {"1.1": "right", "1.2": "not yet"}
    assert (row["solved"], row["of"]) == (1, len(MISSING))


@pytest.mark.parametrize(("title", "name", "number"), [
    ("# 01 · Data", "02_text.ipynb", "01"), ("# Solutions · 01 · Data", "x.ipynb", "01"),
    ("# My notebook", "03_pictures.ipynb", "03"), ("# My notebook", "mine.ipynb", ""),
    ("# 00 · Start", "x.ipynb", "00")])
def test_the_number_of_a_notebook(tmp_path, title, name, number):
    assert hand_ins.read(hand_in(tmp_path / name, title=title), name).notebook == number


def test_without_title_or_name_the_checks_called_tell_the_number(graded):
    row = graded(SETUP, WRONG, title="# Untitled")
    assert row["notebook"] == "01"
    assert row["exercises"] == MISSING | {"1.1": "wrong"}


# --- others ---


def test_what_a_notebook_may_not_do_stays_undone(graded, tmp_path, monkeypatch):
    """Each cell tries something, and fails with an AssertionError if it is let."""
    monkeypatch.setenv("MY_SECRET", "1234")
    refuse = ("def refused(action, *words):\n    try:\n        action(*words)\n    except OSError:\n        return\n"
              "    raise AssertionError(f'{action} was allowed')")
    other = tmp_path / "in" / "other.txt"
    other.parent.mkdir()
    other.write_text("another student's")
    row = graded(
        SETUP, refuse, "import os, shutil, signal, socket, subprocess, sys, urllib.request, ctypes, pathlib",
        "refused(socket.create_connection, ('127.0.0.1', 80))\nrefused(urllib.request.urlopen, 'http://example.org')\n"
        "refused(socket.socket)\nrefused(socket.getaddrinfo, 'example.org', 80)",
        "refused(subprocess.run, [sys.executable, '-c', ''])\nrefused(os.system, 'true')\n"
        "refused(os.kill, os.getppid(), 9)",
        "hasattr(os, 'fork') and refused(os.fork)\nrefused(ctypes.CDLL, None)",
        f"refused(open, {str(other)!r}, 'w')\nrefused(open, {str(other)!r}, 'r+')\nrefused(os.remove, {str(other)!r})",
        f"refused(os.rename, {str(other)!r}, 'mine')\nrefused(shutil.rmtree, {str(other.parent)!r})\n"
        f"refused(os.link, {str(other)!r}, 'mine')\nrefused(os.open, {str(other)!r}, os.O_RDWR)",
        f"os.symlink({str(other.parent)!r}, 'there')\nrefused(open, 'there/other.txt', 'a')",
        "assert not [name for name in os.environ if 'SECRET' in name]")
    assert row["remark"] == ""
    assert other.read_text() == "another student's"


@pytest.mark.skipif(os.name == "nt", reason="no paths from open folders there")
def test_no_way_round_by_open_folders_and_descriptors(graded, tmp_path):
    """What is done by a descriptor, or starts from an open folder, has no path that the guard could see."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "y").write_text("another student's")
    before = (other / "y").stat()
    tries = {
        f"fd = os.open('{other}', os.O_RDONLY)": "open",
        f"next(os.fwalk('{other}'))": "os.fwalk",
        "fd = os.open('.', os.O_RDONLY)": "open",  # and from here by a link to anywhere
        "os.remove('y', dir_fd=0)": "os.remove",
        "os.rename('y', 'z', src_dir_fd=0)": "os.rename",
        f"os.fchmod(os.open('{other}/y', os.O_RDONLY), 0)": "os.chmod",
        f"os.utime(os.open('{other}/y', os.O_RDONLY), (1, 1))": "os.utime",
        "import sqlite3; sqlite3.connect(':memory:')": "sqlite3.connect",  # which can attach any file
        "import multiprocessing as m; m.get_context('spawn').Process(target=print).start()":
            "multiprocessing.popen_spawn_posix"}
    if hasattr(os, "setxattr"):
        tries[f"os.setxattr('{other}/y', 'user.a', b'1')"] = "os.setxattr"
    refused = [f"import os\ntry:\n    {code}\nexcept PermissionError as error:\n"
               f"    assert str(error) == '{name} is not allowed while a notebook is graded', error\n"
               "else:\n    raise AssertionError('it was let')" for code, name in tries.items()]
    row = graded(*refused, "import os, shutil, tempfile\nos.makedirs('a/b')\nshutil.rmtree('a')\n"
                 "with tempfile.TemporaryDirectory() as folder:\n    os.makedirs(f'{folder}/c/d')\n"
                 "open('mine', 'w').close()\nos.chmod('mine', 0o600)\nos.utime('mine')")  # what is its own, it may
    assert row["remark"] == ""
    assert os.listdir(other) == ["y"]
    assert ((other / "y").stat().st_mode, (other / "y").stat().st_mtime) == (before.st_mode, before.st_mtime)


@pytest.mark.skipif(not grading_run.isolation(), reason="this system lets nobody unshare a network")
def test_the_system_keeps_it_off_the_network_too(graded):
    assert graded("names = [line.split(':')[0].strip() for line in open('/proc/net/dev') if ':' in line]\n"
                  "assert names in ([], ['lo']), names")["remark"] == ""


def test_forgeries_are_not_believed(graded):
    row = graded(
        SETUP, "print('✓ Exercise 1.1, right: All 35 states have the label.')\nprint('[\"done\", null]', flush=True)",
        "forged = check.Verdict('1.1', 'right', 'Well done.')\ndisplay(forged)",
        "import mmsa_utils.exercises.compare as c\nc.alike = lambda *_: True\nc.compare = lambda *_: None",
        "import mmsa_utils.exercises.posts as posts\nposts._optimist = lambda kind, level: 0\n"
        "check.optimist_label(lambda kind, level: 0)",
        "class Sly:\n    def __eq__(self, other): return True\n    def __array__(self, *_): raise ValueError\n"
        "check.chance_band(lambda n, classes: Sly())",
        "check.referee = None\nassert check.optimist_label(posts._optimist).status == 'right'",
        "check.optimist_label = lambda answer: forged\ncheck.optimist_label(0)\ncheck.EXERCISES.clear()",
        "raise SystemExit('a fine end')", "raise KeyboardInterrupt")
    assert row["exercises"] == MISSING | {"1.1": "wrong", "1.2": "wrong"}
    assert row["remark"] == "code cell 9: SystemExit: a fine end (and 1 more)"


def test_an_unlucky_answer_has_a_second_chance(graded):
    row = graded(SETUP, RIGHT.replace("check.optimist_label(optimist_label)",
                                      "calls = []\ncheck.optimist_label(lambda *states: calls.append(states) or "
                                      "(optimist_label(*states) if len(calls) > 1 else 9))\nassert len(calls) > 35"))
    assert row["remark"] == ""
    assert row["exercises"]["1.1"] == "right"


def test_checks_in_threads_and_in_answers(graded):
    row = graded(
        SETUP + "\nimport threading", "def within(kind, level):\n    check.chance_band(0)",
        "assert 'called from within' in check.optimist_label(within).message",
        RIGHT.replace("check.optimist_label(optimist_label)", "for _ in range(4):\n"
                      "    threading.Thread(target=check.optimist_label, args=[optimist_label]).start()"))
    assert row["remark"] == ""
    assert row["exercises"] == MISSING | {"1.1": "right"}


def test_slow_ones_are_interrupted_and_the_rest_goes_on(graded, monkeypatch):
    monkeypatch.setattr(grading_run, "CELL_SHARE", 0.04)
    monkeypatch.setattr(grading_run, "CALL_SHARE", 0.01)
    row = graded(SETUP, "while True:\n    try:\n        int()\n    except Exception:\n        pass",
                 "def slow(*_):\n    while True: pass\ncheck.optimist_label(slow)",
                 "import os, sys\nwhile True:\n    os.write(1, b'x' * 10**6)\n    print('x' * 10**6)",
                 "def deeper(): deeper()\ndeeper()", "assert check.chance_band(7).status == 'wrong'")
    assert row["remark"] == "code cell 2: TooSlow: interrupted, it took too long (and 2 more)"
    assert row["exercises"] == MISSING | {"1.1": "wrong", "1.2": "wrong"}
    assert "TooSlow" in row["messages"]["1.1"]


FATAL = {
    "leaves": ("import os\nos._exit(0)", "ended early (exit code 0) in code cell 3"),
    "crashes": ("import faulthandler\nfaulthandler._read_null()", "crashed (SIGSEGV)"),
    "crashes in an answer": ("import faulthandler\ncheck.chance_band(lambda *_: faulthandler._read_null())", "crashed"),
    "sends garbage": (LINE + "out.write(b'garbage\\n' * 1000)\nout.flush()", "tampered"),
    "sends no end": (LINE + "for _ in range(30):\n    out.write(b'x' * 10**6)\nout.flush()", "tampered"),
    "sends depths": (LINE + "out.write(b'[' * 10**6 + b'\\n')\nout.flush()", "tampered"),
    "sends nonsense": (LINE + "line.send('check', ['optimist_label', False, {'array': ['float64', [9**9], '']}])",
                       "tampered"),
    "names no check": (LINE + "line.send('check', ['__getattr__', True, False])", "tampered"),
    "answers by itself": (LINE + "line._answer = lambda *_: line.send('verdict', ['1.2', 'right', ''])\n"
                          "check.chance_band(len)", "tampered"),
    "hangs up": ("import os\nos.closerange(3, 100)", "ended early"),
}


@pytest.mark.parametrize("name", FATAL)
def test_the_end_of_a_notebook_keeps_what_was_judged_before(graded, name):
    cell, words = FATAL[name]
    row = graded(SETUP, RIGHT, cell, WRONG)
    assert words in row["remark"]
    assert row["exercises"].pop("1.2") == ("wrong" if "chance_band" in cell else "missing")
    assert {number for number, status in row["exercises"].items() if status != "missing"} <= {"1.1"}
    assert row["exercises"]["1.1"] == ("wrong" if name == "sends nonsense" else "right")


def test_what_cannot_be_interrupted_is_ended(graded, monkeypatch):
    monkeypatch.setattr(grading_run, "CALL_SHARE", 0.01)
    monkeypatch.setattr(grading_run, "GRACE", 1)
    row = graded(SETUP, RIGHT, "check.chance_band(lambda *_: max(iter(int, 1)))")  # a loop that no signal gets into
    assert "could not be interrupted" in row["remark"]
    assert row["exercises"] == MISSING | {"1.1": "right", "1.2": "wrong"}
    row = graded(SETUP, RIGHT, "max(iter(int, 1))", seconds=4)
    assert "ran out of time" in row["remark"]


def test_a_limit_that_pytorch_does_not_fit_into_is_refused(tmp_path):
    """Else right answers would be missing, and the student blamed."""
    hand_in(tmp_path / "in" / "nb.ipynb", SETUP, RIGHT)
    with pytest.raises(ValueError, match="--memory 300: a step of training with PyTorch does not fit into that"):
        grading.grade(tmp_path / "in", tmp_path / "out.csv", memory=300)
    assert not list(tmp_path.glob("out*"))


def test_memory(graded, monkeypatch):
    monkeypatch.setattr(grading, "refuse_too_little", lambda memory: None)  # notebook 01 needs no PyTorch
    shared = "import mmap\nx = mmap.mmap(-1, 3 * 10**9)\nfor i in range(3000):\n    x.write(b'1' * 10**6)"
    row = graded(SETUP, "x = bytearray(3 * 10**9)", RIGHT, shared, WRONG, memory=300)
    assert row["remark"].startswith("held more than 300 MB in code cell 4")
    assert row["exercises"]["1.1"] == "right"
    if sys.platform == "linux":  # elsewhere the first bomb may be the end
        assert "code cell 2: MemoryError" in row["remark"]


@pytest.mark.skipif(not grading_run.isolation(), reason="without namespaces a process can get away")
def test_nothing_that_it_starts_outlives_it(graded):
    """Past the guard, by a door that raises no audit event."""
    row = graded("import os, subprocess, sys, time\nsys.audit = lambda *_: None\n"
                 "subprocess._USE_POSIX_SPAWN = False\n"
                 "subprocess.Popen('sleep 4321 & sleep 4322 & echo > started; exit', shell=True)",
                 "time.sleep(1)\nassert os.path.exists('started')")
    sleepers = [process for process in psutil.process_iter(["cmdline"])
                if {"4321", "4322"} & set(process.info["cmdline"] or [])]
    assert sleepers == []
    assert row["remark"] == ""


def test_files_that_are_no_notebooks_get_their_rows(tmp_path):
    folder = tmp_path / "in"
    good = hand_in(folder / "ann" / "01_synthetic_data.ipynb", SETUP, RIGHT)
    (folder / "text.ipynb").write_text("no notebook")
    (folder / "01_list.ipynb").write_text("[1, 2]")
    (folder / "cells.ipynb").write_text('{"cells": [{"cell_type": "code", "source": 3}]}')
    (folder / "old.ipynb").write_text('{"nbformat": 3, "worksheets": [{"cells": []}]}')
    (folder / "deep.ipynb").write_text("[" * 10**6)
    (folder / "bytes.ipynb").write_bytes(b"\xff\xfe\x00")
    (folder / "empty.ipynb").touch()
    (folder / "=1+1.ipynb").write_text("")
    (folder / "folder.ipynb").mkdir()
    hand_in(folder / ".ipynb_checkpoints" / "x.ipynb")
    hand_in(folder / "__MACOSX" / "x.ipynb")
    hand_in(folder / "long.ipynb", "x = 1  # " + "x" * 10**6)
    with open(folder / "large.ipynb", "wb") as file:
        file.truncate(10**8)
    os.symlink(good, folder / "link.ipynb")
    if hasattr(os, "mkfifo"):
        os.mkfifo(folder / "pipe.ipynb")
    lines: list[str] = []
    result = grading.grade(folder, tmp_path / "out.csv", seconds=30, jobs=2, log=lines.append)
    remarks = {row["file"]: row["remark"] for row in result["rows"]}
    assert remarks.pop("ann/01_synthetic_data.ipynb") == ""
    for name, words in (("text", "not a notebook"), ("01_list", "not a notebook"), ("cells", "not a notebook"),
                        ("deep", "not a notebook"), ("bytes", "not a notebook"), ("empty", "is empty"),
                        ("folder", "is not a file"), ("link", "is a link"), ("large", "100 MB"),
                        ("long", "MB of code"), ("old", "is of an old format: open it in Jupyter and save it")):
        assert words in remarks.pop(f"{name}.ipynb"), name
    assert set(remarks) <= {"=1+1.ipynb", "pipe.ipynb"}
    rows = table(tmp_path / "out.csv")
    assert [row["file"].lstrip("'") for row in rows] == sorted(row["file"] for row in result["rows"])
    by_file = {row["file"]: row for row in rows}
    assert by_file["'=1+1.ipynb"]["solved"] == "0"
    assert by_file["01_list.ipynb"]["1.1 optimist_label"] == "missing"
    assert by_file["text.ipynb"]["1.1 optimist_label"] == ""
    assert by_file["ann/01_synthetic_data.ipynb"]["1.1 optimist_label"] == "right"
    assert by_file["ann/01_synthetic_data.ipynb"]["2.1 token_average"] == ""
    assert sum(line.startswith("[") for line in lines) == len(rows)
    assert lines[0].startswith(f"found {len(rows)} notebooks in {folder} and its folders, 1 to be run, 2 at a time; ")


def test_the_grade_book_is_safe_to_open(tmp_path):
    item = grading.HandIn("-Åsa\n\ud800\x1b[31m.ipynb", "01", problem="+x")
    row = grading.row_of(item, grading_run.Run("=HYPERLINK(1)"))
    grading.save([None, row], tmp_path / "out.csv")
    raw = (tmp_path / "out.csv").read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")
    (read,) = table(tmp_path / "out.csv")
    assert read["file"].startswith("'-Åsa")
    assert read["file"].isprintable()
    assert read["remark"].startswith("'=HYPER")
    assert list(tmp_path.iterdir()) == [tmp_path / "out.csv"]


# --- the command ---


def test_the_command_prints_one_object(tmp_path, capsys, monkeypatch):
    hand_in(tmp_path / "in" / "nb.ipynb", SETUP, STUB)
    monkeypatch.setenv("MMSA_PROGRESS", str(tmp_path / "progress.json"))
    assert main(["grade", str(tmp_path / "in"), "--csv", str(tmp_path / "out.csv"), "--json"]) == 0
    said = capsys.readouterr()
    (row,) = json.loads(said.out)["rows"]
    assert row["exercises"]["1.1"] == "not yet"
    assert re.search("^found 1 notebook in .*\n(.*\n)?.*\\[1/1\\] nb.ipynb: 0 of", said.err)  # before it runs
    assert not (tmp_path / "progress.json").exists()
    assert os.environ["MMSA_PROGRESS"] == str(tmp_path / "progress.json")


@pytest.mark.parametrize(("words", "message"), [
    (["gone", "--csv", "out.csv"], "no folder gone"), (["empty", "--csv", "out.csv"], "no notebooks"),
    (["in", "--csv", "gone/out.csv"], "gone/out.csv"), (["in", "--csv", "out.csv", "--seconds", "0"], "--seconds 0"),
    (["in", "--csv", "in"], "in")])
def test_what_cannot_be_done_is_said_before_the_work(tmp_path, capsys, monkeypatch, words, message):
    hand_in(tmp_path / "in" / "nb.ipynb", SETUP)
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(grading, "run", lambda *_: pytest.fail("the work was begun"))
    assert main(["grade", *words]) == 1
    assert message in capsys.readouterr().err


def test_psutil_missing_is_said(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "psutil", None)
    assert main(["grade", str(tmp_path), "--csv", str(tmp_path / "out.csv")]) == 1
    assert "mmsa-utils[notebooks]" in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="there is no such signal there")
def test_whoever_stops_early_has_the_rows_so_far(tmp_path):
    hand_in(tmp_path / "in" / "a.ipynb", SETUP, RIGHT)
    hand_in(tmp_path / "in" / "b.ipynb", "import time\ntime.sleep(600)")
    hand_in(tmp_path / "in" / "c.ipynb", SETUP, RIGHT)
    command = [sys.executable, "-m", "mmsa_utils", "grade", tmp_path / "in", "--csv", tmp_path / "out.csv"]
    heed = None if os.name == "nt" else lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)  # jobs behind & ignore it
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=heed,
                               env={**os.environ, "PYTHONPATH": str(ROOT)})
    lines: list[str] = []
    reader = threading.Thread(target=lambda: lines.extend(iter(process.stderr.readline, "")))
    reader.start()
    limit = time.monotonic() + 60
    while not any("a.ipynb" in line for line in lines) and time.monotonic() < limit:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 130
    reader.join()
    process.stderr.close()
    assert "1 of 3 notebooks are in" in "".join(lines)
    assert "Traceback" not in "".join(lines)
    (row,) = table(tmp_path / "out.csv")
    assert (row["file"], row["1.1 optimist_label"]) == ("a.ipynb", "right")
