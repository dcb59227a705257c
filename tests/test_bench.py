"""The bench compares like with like, and counts honestly."""

import time

import pytest
import torch
from helpers import generators

from mmsa_utils import bench
from mmsa_utils.alignment import align, head_answers
from mmsa_utils.metrics import accuracy
from mmsa_utils.model import probabilities_of


def test_both_ways_take_turns_and_warm_up_uncounted():
    calls = []
    row = bench.compare("a", lambda: calls.append("ours"), lambda: calls.append("other"), 1.0, 3, "b")
    assert calls == ["ours", "other", "ours", "other", "other", "ours", "ours", "other"]
    assert row["name"] == "a / b"
    assert row["rounds"] == 3


def test_a_ratio_is_the_median_of_the_rounds():
    row = bench.row("a", "b", [1.0, 2.0, 9.0], [2.0, 2.0, 3.0], 1.0)
    assert (row["ratio"], row["low"], row["high"], row["met"]) == (1.0, 0.5, 3.0, True)
    assert not bench.row("a", "b", [1.1], [1.0], 1.0)["met"]


def test_seconds_are_seconds():
    assert 0.02 <= bench.seconds(lambda: time.sleep(0.02)) < 2


def test_the_plain_loop_ends_as_good_as_align():
    features, held_out = bench.cached(600, 0, 64), bench.cached(400, 1, 64)
    features, held_out = (type(f)(20 * f.text, 20 * f.image, f.labels) for f in (features, held_out))
    ours, _ = align(features, held_out, epochs=6)
    other = bench.plain_loop(features, held_out, epochs=6)
    with torch.no_grad():
        plain = accuracy(probabilities_of(other(held_out.fused())), held_out.labels)
    assert accuracy(head_answers(ours, held_out), held_out.labels) == pytest.approx(plain, abs=0.08)
    assert plain > 0.4


def test_posts_and_growth_are_counted():
    posts = bench.bench_posts(16)
    assert posts["one_process"] > 0
    assert posts["two_processes"] > 0
    growth = bench.bench_growth(2)
    assert growth["posts"] == "2 to 32"
    assert len(growth["seconds"]) == len(growth["memory_mb"]) == len(bench.GROWTH)
    assert growth["memory_mb"] == sorted(growth["memory_mb"])
    assert growth["memory_mb"][0] > 100
    assert growth["met"] == (max(growth["exponents"].values()) <= growth["aim"])


@pytest.mark.parametrize("work", [bench.bench_waiting, bench.bench_predict], ids=lambda work: work.__name__)
def test_a_comparison_runs(work):
    assert work(1)["ratio"] > 0


def test_the_trainer_beside_ours_leaves_the_global_generators_alone():
    before = generators()
    assert bench.bench_trainer(1)["rounds"] == 1
    assert generators() == before
