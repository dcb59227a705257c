"""Ctrl-C, pressed on real processes: what was done is kept and said, nothing is left behind, no traceback is shown."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import helpers
import nbformat
import pytest

from mmsa_utils.apps.cli import main
from mmsa_utils.apps.commands import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
STOPPED = (130, -signal.SIGINT)  # a shell calls both 130: Python ends by the signal where it was met within an import
pytestmark = pytest.mark.skipif(os.name == "nt", reason="there is no such signal there")


def pressed(words: list, when, folder: Path) -> tuple[int, str]:
    """Start a program, press Ctrl-C as soon as `when(what it said so far)`; its exit code and what it said.

    A terminal sends the signal to the whole group of processes. Programs behind a script's & would ignore it.
    """
    private, log = folder / "tmp", folder / "log"
    private.mkdir()
    environment = {**helpers.quiet_environment(), "TMPDIR": str(private), "PYTHONUNBUFFERED": "1", "MMSA_PROGRESS": ""}
    with log.open("w") as file:
        process = subprocess.Popen([sys.executable, *map(str, words)], cwd=ROOT, env=environment, stdout=file,
                                   stderr=subprocess.STDOUT, start_new_session=True,
                                   preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))
        try:
            until = time.monotonic() + 120
            while not when(log.read_text(errors="replace")):
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < until, log.read_text()
                time.sleep(0.05)
            os.killpg(process.pid, signal.SIGINT)
            code = process.wait(60)
        finally:
            process.kill()
    left = [path.name for path in private.iterdir() if not path.name.startswith(("torchinductor", "matplotlib"))]
    assert left == []
    said = log.read_text(errors="replace")
    assert "Traceback" not in said
    return code, said


def test_training_says_where_it_is_kept(tmp_path):
    helpers.own_table(tmp_path)
    kept = tmp_path / "out" / "unfinished" / "run.safetensors"
    words = ["-m", "mmsa_utils", "train", "--data", tmp_path / "posts.csv", "--epochs", 5000, "--freeze", "--out",
             tmp_path / "out"]
    code, said = pressed(words, lambda said: kept.exists(), tmp_path)
    assert code in STOPPED
    assert f"What was done is kept in {kept.parent}: the same command goes on from there" in said
    assert kept.is_file()


def test_a_run_of_notebooks_ends_and_starts_no_more(tmp_path):
    books = []
    for name in ("00_slow", "01_next"):
        books.append(tmp_path / f"{name}.ipynb")
        cells = [nbformat.v4.new_code_cell(f"import pathlib, time\npathlib.Path('{name}').touch()\ntime.sleep(600)")]
        nbformat.write(nbformat.v4.new_notebook(cells=cells), books[-1])
    before = [book.read_bytes() for book in books]
    code, said = pressed(["tools/notebooks/execute.py", "store", *books],
                         lambda said: (tmp_path / "00_slow").exists(), tmp_path)
    assert code in STOPPED
    assert "stopped: the notebooks with a line above are done, the others are as they were." in said
    assert not (tmp_path / "01_next").exists()
    assert [book.read_bytes() for book in books] == before


def press(*rest, **options) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(("words", "said"), [
    (["predict", "--text", "a", "--image", "b"], "there was nothing to keep"),
    (["evaluate"], "there was nothing to keep"), (["doctor"], "there was nothing to keep"),
    (["align"], "nothing was kept (--out DIR keeps what is done)"),
    (["train", "--out", "{}"], "stopped before anything was done that is worth keeping")])
def test_what_is_said_fits_the_command(words, said, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(COMMANDS, words[0], press)
    assert main([word.format(tmp_path / "out") for word in words]) == 130
    assert said in capsys.readouterr().err


def test_an_empty_folder_is_nothing_kept(tmp_path, monkeypatch, capsys):
    """A cache that was under way has been removed: only its folder is there."""
    (tmp_path / "out" / "unfinished" / ".making-x").mkdir(parents=True)
    monkeypatch.setitem(COMMANDS, "align", press)
    assert main(["align", "--out", str(tmp_path / "out")]) == 130
    assert "stopped before anything" in capsys.readouterr().err
