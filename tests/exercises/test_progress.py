"""The progress card: kept in one local file, never in the way."""

import json
import sys

import pytest

from mmsa_utils import checks, progress
from mmsa_utils.exercises.table import EXERCISES


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setenv("MMSA_PROGRESS", str(tmp_path / "new" / "progress.json"))
    return tmp_path / "new" / "progress.json"


def test_a_try_is_kept_and_a_success_stays(file):
    progress.record("2.1", "wrong")
    assert progress.read() == {"2.1": {"status": "wrong", "tries": 1, "solved": None}}
    progress.record("2.1", "right")
    solved = progress.read()["2.1"]
    assert (solved["status"], solved["tries"]) == ("right", 2)
    assert solved["solved"]
    progress.record("2.1", "wrong")  # an experiment afterwards takes nothing away
    assert progress.read()["2.1"] == solved
    assert [path.name for path in file.parent.iterdir()] == ["progress.json"]


def test_checks_fill_the_card_and_not_yet_does_not(file):
    checks.token_average(...)
    assert not file.exists()
    checks.token_average(lambda states, mask: states.mean(1))
    assert progress.read()["2.1"]["status"] == "wrong"
    checks.token_average(lambda states, mask: [s[1:m.sum() - 1].mean(0).tolist() for s, m in zip(states, mask)])
    assert "2.1 ✓" in repr(progress.show())
    assert f"1 of {len(EXERCISES)} exercises solved" in progress.show()._repr_html_()


@pytest.mark.parametrize("content", ["", "no json", "[]", '{"2.1": 3}', '{"9.9": {"status": "right"}}', "\x00"])
def test_a_spoiled_file_is_an_empty_card(file, content):
    file.parent.mkdir()
    file.write_text(content)
    assert progress.read() == {}
    assert repr(progress.show()).startswith("0 of")
    progress.record("2.1", "right")
    assert json.loads(file.read_text())["2.1"]["status"] == "right"


def test_nothing_is_kept_where_the_variable_is_empty(monkeypatch, tmp_path):
    monkeypatch.setenv("MMSA_PROGRESS", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    progress.record("2.1", "right")
    assert progress.read() == {}
    assert not list(tmp_path.iterdir())


def test_it_is_in_the_home_folder_by_default(monkeypatch, tmp_path):
    monkeypatch.delenv("MMSA_PROGRESS")
    monkeypatch.setenv("USERPROFILE" if sys.platform == "win32" else "HOME", str(tmp_path))
    assert progress.where() == tmp_path / ".mmsa_utils" / "progress.json"


def test_a_folder_that_cannot_be_written_stops_nobody(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MMSA_PROGRESS", str(tmp_path / "file" / "progress.json"))
    progress.record("2.1", "right")
    assert checks.token_average(lambda states, mask: states.mean(1)).status == "wrong"
