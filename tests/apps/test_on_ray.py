"""Whole tables on Ray: the same bits as in one process, whoever is lost on the way, and no waiting for good."""

import dataclasses
import functools
import json
import os
from pathlib import Path

import pytest
import yaml
from helpers import food
from prose import ROOT
from scale import workers

from mmsa_utils import LABELS
from mmsa_utils.apps import engine, on_ray
from mmsa_utils.apps.cli import main
from mmsa_utils.learning import parts
from mmsa_utils.learning.extraction import Extraction, Recipe
from mmsa_utils.posts.pieces import open_table

ray = pytest.importorskip("ray", reason="needs the extra scale")
N, PIECE = 96, 4


@pytest.fixture(scope="module")
def cluster():
    """A cluster of two nodes, both on this machine, begun and ended once: two workers, and a CPU to read with."""
    from ray.cluster_utils import Cluster

    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    for last in (False, False, True):  # as `on_ray` does: on a busy machine Ray starts at the second or third time
        try:
            cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False})
            break
        except Exception:
            if last:
                raise
    try:
        cluster.add_node(num_cpus=1)
        ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
        yield
    finally:
        ray.shutdown()
        cluster.shutdown()


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("posts")
    for i, post in enumerate(food(12)):
        post.image.save(place / f"{i}.png")
    rows = [f'"{food(12)[i % 12].text} Number {i}.",{i % 12}.png,{LABELS[food(12)[i % 12].label]}' for i in range(N)]
    rows[5], rows[N - 3] = "no picture,no.png,neutral", "too,many,cells,here"
    (place / "posts.csv").write_text("\n".join(["text,image,label", *rows]) + "\n", encoding="utf8")
    return place


@pytest.fixture
def job(folder, tmp_path) -> engine.Job:
    table = open_table(folder / "posts.csv", ("text", "image"))
    (tmp_path / "parts").mkdir()
    return engine.Job(table, functools.partial(Extraction, table, Recipe()), tmp_path / "parts", PIECE, frozenset())


@pytest.fixture(scope="module")
def expected(folder, tmp_path_factory) -> dict[str, bytes]:
    """The parts as this process alone makes them."""
    place = tmp_path_factory.mktemp("expected")
    table = open_table(folder / "posts.csv", ("text", "image"))
    alone = engine.Job(table, functools.partial(Extraction, table, Recipe()), place, PIECE, frozenset())
    assert sum(engine.here(alone)) == N
    return written(place)


def written(place: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in place.glob("[!._]*")}


def test_a_ray_of_its_own_is_begun_and_ended_and_answers_are_those_of_one_process(folder, tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(engine, "PIECE", 16)
    words = ["predict", "--data", str(folder / "posts.csv"), "--json", "--out"]
    assert main([*words, str(tmp_path / "one.parquet")]) == 0
    one = json.loads(capfd.readouterr().out)
    assert main([*words, str(tmp_path / "ray.parquet"), "--engine", "ray", "--workers", "1"]) == 0
    found = json.loads(capfd.readouterr().out)
    assert not ray.is_initialized()
    assert {**one, "answers": ""} == {**found, "answers": ""}
    assert (found["posts"], found["skipped"]) == (N - 2, 2)
    assert written(tmp_path / "one.parquet") == written(tmp_path / "ray.parquet")


def test_a_killed_workers_pieces_are_done_again_and_none_is_lost_or_doubled(cluster, job, expected, capfd):
    """One worker is killed in the middle; what is written is, bit by bit, what one process writes."""
    rows, killed = 0, []
    for done in on_ray.on_ray(job, workers=2):
        rows += done
        if not killed:
            killed = workers()[:1]
            killed[0].kill()
    assert killed
    assert rows == N
    assert capfd.readouterr().out == ""  # which is for the result
    assert written(job.folder) == expected


def test_a_job_that_was_broken_off_is_gone_on_with(cluster, folder, tmp_path, expected, monkeypatch, capfd):
    """Parts that one process has left are not made again by Ray; the rest is, and the faults of all are named."""
    monkeypatch.setattr(engine, "PIECE", PIECE)
    words = ["extract", "--data", str(folder / "posts.csv"), "--out", str(tmp_path / "parts")]
    write, made = parts.write_part, []

    def broken_off(*given):
        if len(made) == 20:
            raise KeyboardInterrupt
        made.append(given[1])
        write(*given)

    with monkeypatch.context() as patch:
        patch.setattr(parts, "write_part", broken_off)
        assert main(words) == 130
    capfd.readouterr()
    before = {name: (tmp_path / "parts" / f"{name}.parquet").stat().st_mtime_ns for name in made}
    assert main([*words, "--engine", "ray", "--workers", "2", "--json"]) == 0
    result = json.loads(capfd.readouterr().out)
    assert (result["parts_found"], result["parts"], result["posts"], result["faulty"]) == (20, 24, N - 2, 2)
    assert result["faults"][0].startswith("row 7: there is no picture file")
    assert result["faults"][1].startswith(f"row {N - 1} has 4 cells")
    assert {name: (tmp_path / "parts" / f"{name}.parquet").stat().st_mtime_ns for name in made} == before
    assert written(tmp_path / "parts") == expected


def test_a_worker_that_cannot_begin_ends_the_job_with_its_reason(cluster, job):
    broken = dataclasses.replace(job, make=functools.partial(Extraction, job.table, Recipe(str(job.folder / "none"))))
    with pytest.raises(OSError, match=r"a worker on Ray cannot go on: FileNotFoundError: .*none"):
        list(on_ray.on_ray(broken, workers=2))


def test_workers_that_would_take_every_cpu_are_refused(cluster, job, tmp_path, folder, capfd):
    """Else the workers would wait for rows, and the reading for a CPU, for good."""
    with pytest.raises(ValueError, match=r"--workers is 3, and Ray has 3 CPUs: expected at most 2"):
        list(on_ray.on_ray(job, workers=3))
    assert main(["extract", "--data", str(folder / "posts.csv"), "--out", str(tmp_path / "new"), "--engine", "ray",
                 "--workers", "7"]) == 1
    assert "one CPU must be left to read the table" in capfd.readouterr().err


@pytest.mark.parametrize(("asked", "cpus", "gpus", "given"), [
    (0, 8, 0, 7), (2, 3, 0, 2), (0, 8, 2, 2), (1, 8, 2, 1), (0, 2, 4, 1)])
def test_there_are_as_many_workers_as_there_is_room_for(asked, cpus, gpus, given):
    assert on_ray._checked(asked, cpus, gpus) == given


@pytest.mark.parametrize(("asked", "cpus", "gpus"), [(0, 1, 0), (8, 8, 0), (3, 8, 2), (1, 1, 1)])
def test_there_are_never_more(asked, cpus, gpus):
    with pytest.raises(ValueError, match="expected at most"):
        on_ray._checked(asked, cpus, gpus)


@pytest.mark.parametrize(("words", "said"), [
    (["extract", "--data", "a", "--out", "b", "--address", "auto"], "--engine ray"),
    (["extract", "--data", "a", "--out", "b", "--workers", "2"], "--engine ray"),
    (["predict", "--data", "a", "--out", "b.parquet", "--workers", "2"], "--engine ray"),
    (["predict", "--data", "a", "--out", "b.csv", "--engine", "ray"], ".parquet"),
    (["predict", "--text", "a", "--engine", "ray"], ".parquet")])
def test_words_that_do_not_fit_are_usage_errors(words, said, capsys):
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 2
    assert said in capsys.readouterr().err


def test_without_ray_it_is_said_what_is_missing(folder, tmp_path, capfd, monkeypatch):
    monkeypatch.setattr(engine, "find_spec", lambda name: None if name == "ray" else name)
    words = ["extract", "--data", str(folder / "posts.csv"), "--out", str(tmp_path / "new")]
    assert main([*words, "--engine", "ray"]) == 1
    assert "install the extra scale" in capfd.readouterr().err
    assert not (tmp_path / "new").exists()


def test_the_file_for_a_cluster_is_one_that_ray_takes():
    util = pytest.importorskip("ray.autoscaler._private.util")
    config = yaml.safe_load((ROOT / "docs" / "scaling" / "ray-cluster.yaml").read_text(encoding="utf8"))
    util.validate_config(util.prepare_config(config))
    assert any("[scale]" in line for line in config["setup_commands"])
