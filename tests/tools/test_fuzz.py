"""fuzz.py finds nothing in a short run, and does find what is planted."""

import shutil

import fuzz
import numpy as np
import pytest
from fuzz_kinds import KINDS


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's, of what is off in the file
@pytest.mark.parametrize("kind", ["picture", "table", "cache", "checkpoint", "progress", "notebook", "encoder"])
def test_a_harmed_file_is_read_or_refused_by_name(kind, tmp_path, monkeypatch):
    monkeypatch.setenv("MMSA_PROGRESS", "")  # the kind "progress" names a file of its own
    whole = tmp_path / "whole"
    whole.mkdir()
    KINDS[kind][0](whole)
    copy = shutil.copytree(whole, tmp_path / "files" / kind)
    seen = set()
    for number in range(20 if kind == "encoder" else 60):
        outcome, said, _, _ = fuzz.one(kind, whole, copy, np.random.default_rng((5, number)))
        assert outcome != "FAULT", f"case {number}: {said}"
        seen.add(outcome)
    assert seen == {"read", "refused"} if kind in ("picture", "table", "encoder", "notebook") else seen
    assert {path.name: path.read_bytes() for path in whole.rglob("*") if path.is_file()} == {
        path.name: path.read_bytes() for path in copy.rglob("*") if path.is_file() and path.name != "grades.csv"}


@pytest.mark.parametrize("error", [KeyError("x"), RecursionError(), SystemExit(1), MemoryError(), ValueError("none")])
def test_what_is_no_named_refusal_is_a_fault(error, tmp_path, monkeypatch):
    def open_it(path):
        raise error

    whole, copy = tmp_path / "whole", tmp_path / "copy"
    whole.mkdir()
    (whole / "progress.json").write_text("{}")
    shutil.copytree(whole, copy)
    monkeypatch.setitem(KINDS, "progress", (None, open_it, (".json",)))
    outcome, said, name, data = fuzz.one("progress", whole, copy, np.random.default_rng(0))
    assert (outcome, name) == ("FAULT", "progress.json")
    assert type(error).__name__ in said


def test_cases_come_back_from_their_seed():
    data = bytes(range(256)) * 4
    first, again, other = (fuzz.harmed(data, ".png", np.random.default_rng((seed, 1))) for seed in (1, 1, 2))
    assert first == again != other
