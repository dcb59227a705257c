"""Notebooks are executed on fresh kernels, and stored so that two runs give the same bytes."""

import json
import re
from pathlib import Path

import execute
import nbformat


def write_notebook(path: Path, *sources: str) -> Path:
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


def test_run_reports_each_notebook_and_goes_on_after_a_failure(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(execute, "ROOT", tmp_path)
    monkeypatch.setattr(execute, "RUN", tmp_path / "build" / "run")
    bad = write_notebook(tmp_path / "00_bad.ipynb", "raise ValueError('so bad')")
    good = write_notebook(tmp_path / "01_good.ipynb", "import os, mmsa_utils", "os.environ['OMP_NUM_THREADS']")
    assert execute.main(["run", str(bad), str(good)]) == 1
    said = capsys.readouterr()
    assert re.search(r"00_bad +\d+\.\d s +\d+ MB +FAILED\n01_good +\d+\.\d s +\d+ MB +ok\n", said.out)
    assert "build/run/summary.json" in said.out
    assert "so bad" in said.err
    first, second = json.loads((tmp_path / "build" / "run" / "summary.json").read_text(encoding="utf8"))
    assert (first["name"], first["ok"], second["ok"], second["error"], second["cells"]) == (
        "00_bad",
        False,
        True,
        None,
        2,
    )
    assert "so bad" in first["error"]
    assert second["peak_memory_mb"] > 0
    executed = nbformat.read(tmp_path / "build" / "run" / "01_good.ipynb", as_version=4)
    assert executed.cells[1].outputs[0].data["text/plain"] == "'1'"
    assert nbformat.read(good, as_version=4).cells[1].outputs == []


def test_store_normalises_and_repeats_to_the_byte(tmp_path):
    sources = ["print('a', flush=True)\nprint('b')", "import ipywidgets\nipywidgets.IntSlider()", "6 * 7"]
    path = write_notebook(tmp_path / "00_some.ipynb", *sources)
    assert execute.main(["store", str(path)]) == 0
    once = path.read_bytes()
    assert execute.main(["store", str(path)]) == 0
    assert path.read_bytes() == once
    book = nbformat.reads(once.decode(), as_version=4)
    assert set(book.metadata) == {"kernelspec", "language_info"}
    assert [cell.execution_count for cell in book.cells] == [1, 2, 3]
    printed, widget, value = (cell.outputs for cell in book.cells)
    assert [output.text for output in printed] == ["a\nb\n"]
    assert widget == []
    assert value[0].data == {"text/plain": "42"}


def test_store_leaves_a_failing_notebook_alone(tmp_path, capsys):
    path = write_notebook(tmp_path / "00_bad.ipynb", "1 / 0")
    before = path.read_bytes()
    assert execute.main(["store", str(path)]) == 1
    assert path.read_bytes() == before


def test_normalise_drops_what_is_not_for_readers():
    error = nbformat.v4.new_output("error", ename="ValueError", evalue="no", traceback=["File /somewhere", "no"])
    cell = nbformat.v4.new_code_cell("x", metadata={"tags": ["raises-exception"], "collapsed": True}, outputs=[error])
    book = nbformat.v4.new_notebook(cells=[cell], metadata={"widgets": {}, "vscode": 1})
    book = execute.normalise(book)
    assert book.cells[0].metadata == {"tags": ["raises-exception"]}
    assert book.cells[0].outputs[0].traceback == ["ValueError: no"]
    assert "widgets" not in book.metadata
    assert book.metadata == execute.KERNEL


def test_normalise_keeps_what_folds_a_cell_and_nothing_else_of_an_editors():
    folded = {"cellView": "form", "jupyter": {"source_hidden": True}, "tags": ["a"]}
    for metadata, kept in ((folded, folded), ({"jupyter": {"outputs_hidden": True}}, {}),
                           ({"collapsed": True, "execution": {}, "vscode": {}, "id": "x"}, {})):
        book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x", metadata=metadata)])
        assert execute.normalise(book).cells[0].metadata == kept


def test_cells_without_an_id_get_the_same_one_each_time():
    old = {
        "cells": [{"cell_type": "markdown", "metadata": {}, "source": "hi"}],
        "metadata": {},
        "nbformat": 4,
        "nbformat_minor": 4,
    }
    books = [execute.with_ids(nbformat.from_dict(json.loads(json.dumps(old))), "00_some") for _ in range(2)]
    assert [book.cells[0].id for book in books] == ["00_some-0", "00_some-0"]
    nbformat.validate(books[0])
