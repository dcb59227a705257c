"""The bench compares like with like, and counts honestly."""

import multiprocessing.dummy
import sys
from pathlib import Path
from types import SimpleNamespace

import bench
import pytest
import torch
import versions
from helpers import generators

from mmsa_utils import FoodPosts, accuracy, head_answers, probabilities_of

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _few_posts(monkeypatch):
    monkeypatch.setattr(bench, "FoodPosts", lambda n: FoodPosts(min(n, 12)))


def test_both_ways_take_turns_and_warm_up_uncounted():
    calls = []
    row = bench.compare("a", lambda: calls.append("ours"), lambda: calls.append("other"), 1.0, 3, "b")
    assert calls == ["ours", "other", "ours", "other", "other", "ours", "ours", "other"]
    assert row["name"] == "a / b"
    assert row["rounds"] == 3


def test_a_ratio_is_the_median_of_the_rounds():
    row = bench.judged("a / b", [1.0, 2.0, 9.0], [2.0, 2.0, 3.0], 1.0)
    assert (row["ratio"], row["low"], row["high"], row["met"]) == (1.0, 0.5, 3.0, True)
    assert not bench.judged("a / b", [1.1], [1.0], 1.0)["met"]


def test_the_plain_loop_ends_as_good_as_align():
    features, held_out = bench.cached(600, 0, 64), bench.cached(400, 1, 64)
    for known in (features, held_out):
        for side in known.sides.values():
            side.tokens.mul_(20)
    fusion, head = bench.aligned(features, held_out, epochs=6)
    plain = bench.plain_loop(features, held_out, epochs=6)
    with torch.no_grad():
        right = accuracy(probabilities_of(plain(bench.joined(held_out))), held_out.labels)
    assert accuracy(head_answers(fusion, head, held_out), held_out.labels) == pytest.approx(right, abs=0.08)
    assert right > 0.4


def test_growth_is_counted(monkeypatch):
    here = SimpleNamespace(get_context=lambda kind: multiprocessing.dummy)  # in this process
    monkeypatch.setattr(bench, "multiprocessing", here)
    growth = bench.bench_growth(1)
    assert growth["posts"] == "1 to 16"
    assert len(growth["seconds"]) == len(growth["memory_mb"]) == len(bench.GROWTH)
    if sys.platform == "linux":  # only there is it known
        assert growth["memory_mb"] == sorted(growth["memory_mb"])
        assert growth["memory_mb"][0] > 100
    assert growth["met"] == (max(growth["exponents"].values()) <= growth["aim"])


@pytest.mark.parametrize("work", [bench.bench_waiting, bench.bench_predict, bench.bench_cache, bench.bench_accelerate],
                         ids=lambda work: work.__name__)
def test_a_comparison_runs(work):
    assert work(1)["ratio"] > 0


def test_the_trainer_beside_ours_leaves_the_global_generators_alone():
    before = generators()
    assert bench.bench_trainer(1)["rounds"] == 1
    assert generators() == before


# --- two versions ---


def test_versions_take_turns(monkeypatch, tmp_path, capsys):
    (tmp_path / "mmsa_utils").mkdir()
    (tmp_path / "mmsa_utils" / "__init__.py").touch()
    calls = []

    def measured(folder):
        calls.append(folder)
        return {"a": len(calls), "b": 2.0}

    monkeypatch.setattr(versions, "measured", measured)
    bench.main(["--against", str(tmp_path), "--quick"])
    assert calls == [ROOT, tmp_path, tmp_path, ROOT, ROOT, tmp_path]
    first, second = capsys.readouterr().out.splitlines()
    assert first.split() == ["a", "0.833", "(0.500", "to", "1.333,", "3", "rounds)"]  # 1 / 2, 4 / 3, 5 / 6
    assert second.split()[1] == "1.000"


def test_a_folder_without_the_package_is_refused(tmp_path):
    with pytest.raises(SystemExit, match="holds no mmsa_utils"):
        versions.against(tmp_path, 1)


def test_every_piece_of_work_takes_its_time(monkeypatch):
    monkeypatch.chdir(ROOT)
    assert min(versions.work(6).values()) > 0
    monkeypatch.chdir(ROOT / "tests")
    with pytest.raises(SystemExit, match="not the version in"):
        versions.work(6)
