"""Tools that measure tables of the guides: they run, on a handful of posts."""

import json
import sys

import explanations
import missing


def test_ways_of_explaining_are_measured(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["explanations.py", "--posts", "1"])
    explanations.main()
    said = capsys.readouterr().out
    for way in ("left out, the side alone", "left out, both sides", "blur, one region wide, both sides", "chance"):
        assert way in said


def test_ways_to_miss_a_side_are_measured(monkeypatch, tmp_path):
    monkeypatch.setattr(missing, "OUT", tmp_path / "missing.json")
    monkeypatch.setattr(sys, "argv", ["missing.py", "--seeds", "2", "--part", "0.006"])
    missing.main()
    board = json.loads(missing.OUT.read_text())
    assert board["posts"] == {"train": 96, "validation": 12, "test": 12}
    assert set(board["subsets"]) == {"text", "image", "voice", "text+image", "text+voice", "image+voice",
                                     "text+image+voice"}
    assert set(board["subsets"]["text"]) == {"ceiling", "zeros", "mean", "average", "absent", "separate"}
    row = board["subsets"]["text"]["absent"]["accuracy"]
    assert row["low"] <= row["mean"] <= row["high"]
    assert board["subsets"]["text+image+voice"]["ceiling"] > board["subsets"]["text+voice"]["ceiling"]
