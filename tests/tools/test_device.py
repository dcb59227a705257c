"""The script for a graphics card goes through all its ways without one, and then gives no figure."""

import json

import device
import pytest
import torch


def test_without_a_graphics_card_all_ways_run_and_nothing_is_called_a_figure(monkeypatch, capsys, one_thread):
    monkeypatch.setattr(device, "best_device", lambda: torch.device("cpu"))
    device.main(["--json"])
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [(row["precision"], row["compiled"]) for row in rows] == [
        ("fp32", False), ("fp16", False), ("bf16", False), ("bf16", True)]
    for row in rows:
        assert [row[name] for name in row if "second" in name or "memory" in name] == ["not measured"] * 3
        assert row["loss"] == pytest.approx(rows[0]["loss"], abs=0.05)  # the precisions agree
    assert len({row["loss"] for row in rows[:3]}) == 3  # and are three
    assert device.table(rows).count("not measured") == 12
