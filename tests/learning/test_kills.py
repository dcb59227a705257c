"""kill -9: whatever moment it comes at, a run goes on to the same bits, and no cache is false.

Each dangerous moment is met exactly: the process kills itself there. Then come kills at moments spread over the whole
work, a few of them; MMSA_KILLS=1000 asks for more.
"""

import functools
import multiprocessing
import os
import signal
import threading
import time
from pathlib import Path
from pkgutil import resolve_name

import numpy as np
import pytest
import torch
from helpers import food, mini, same_features
from tqdm import tqdm

from mmsa_utils import (
    Concat,
    Encoded,
    Features,
    MultimodalSentimentModel,
    align,
    extract_features,
    make_loader,
    random_head,
    train,
)
from mmsa_utils.learning import cache
from mmsa_utils.learning.cache import cached_features

KILLS = int(os.environ.get("MMSA_KILLS", "0"))
pytestmark = pytest.mark.skipif("forkserver" not in multiprocessing.get_all_start_methods(), reason="no fork here")


# --- the work ---


def aligned(path: Path | None = None):
    draw = torch.Generator().manual_seed(1)
    text, image = torch.randn(2, 300, 6, generator=draw)
    features = Features({"text": Encoded.of(text), "image": Encoded.of(image)}, (text[:, 0] * image[:, 0] > 0).long())
    fusion = Concat(features.widths)
    head = random_head(fusion.width, hidden=8)
    return head, align(fusion, head, features[:200], features[200:], epochs=3, checkpoint=path)


def trained(path: Path | None = None):
    model = MultimodalSentimentModel("bert", "resnet18")
    loader = make_loader(food(16), model, 8, shuffle=True, seed=3)
    return model, train(model, loader, make_loader(food(8, "validation"), model), epochs=2, checkpoint=path,
                        show_progress=False)


def cached(folder: Path) -> Features:
    return cached_features(mini(), food(12), folder, show_progress=False)


def same(a, b) -> bool:
    """The same weights, bit by bit, and the same history (NaN is as good as NaN)."""
    weights = all(torch.equal(x, y) for x, y in zip(a[0].state_dict().values(), b[0].state_dict().values()))
    return weights and repr(a[1]) == repr(b[1])


@functools.cache
def fresh(work):
    """What the work gives when nobody disturbs it."""
    if work is cached:
        return extract_features(mini(), food(12), show_progress=False)
    return work()


# --- kills ---


def die_at(name: str, call: int, when: str) -> None:
    """Let this process kill itself at one call of a function: before it, after it, or with its file half written."""
    home, _, function = name.rpartition(".")
    original, calls = resolve_name(name), []

    def deadly(*arguments, **options):
        calls.append(arguments)
        if len(calls) != call:
            return original(*arguments, **options)
        if when != "before":
            original(*arguments, **options)
        if when == "half":
            file = next(argument for argument in arguments if isinstance(argument, Path))
            os.truncate(file, file.stat().st_size // 2)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(resolve_name(home), function, deadly)


def _alone(death: tuple, work, *arguments) -> None:
    tqdm.set_lock(threading.RLock())  # the one for several processes would be left behind by a kill
    if death:
        die_at(*death)
    work(*arguments)


def started(work, *arguments, death: tuple = ()) -> multiprocessing.Process:
    """Another process that is at work.

    It is forked from a server that has imported everything (conftest.py) and computed nothing: a fork of this process,
    whose libraries have threads, hangs once in a while.
    """
    process = multiprocessing.get_context("forkserver").Process(target=_alone, args=(death, work, *arguments))
    process.start()
    return process


def finished(process: multiprocessing.Process) -> int:
    """Its exit code."""
    process.join(120)
    return process.exitcode


WRITING = [("mmsa_utils.learning.runs.save_file", 1, "half"), ("mmsa_utils.learning.runs.save_file", 2, "half"),
           ("os.replace", 2, "before"), ("os.replace", 2, "after")]


@pytest.mark.parametrize("death", WRITING, ids=str)
def test_alignment_killed_while_it_is_kept_goes_on_to_the_same_bits(tmp_path, death):
    path = tmp_path / "run.safetensors"
    assert finished(started(aligned, path, death=death)) == -signal.SIGKILL
    assert path.exists() == (death[1] == 2)
    assert same(aligned(path), fresh(aligned))
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("death", [WRITING[1], WRITING[3]], ids=str)
def test_training_killed_while_it_is_kept_goes_on_to_the_same_bits(tmp_path, death):
    path = tmp_path / "run.safetensors"
    assert finished(started(trained, path, death=death)) == -signal.SIGKILL
    assert path.exists()
    assert same(trained(path), fresh(trained))


@pytest.mark.parametrize("death", [("numpy.save", 2, "half"), ("pathlib.Path.write_text", 1, "half"),
                                   ("os.rename", 1, "after")], ids=str)
def test_a_cache_that_was_killed_while_it_was_made_is_whole_or_not_there(tmp_path, death):
    assert finished(started(cached, tmp_path, death=death)) == -signal.SIGKILL
    found = list(tmp_path.glob("features-*"))
    assert len(found) == (death == ("os.rename", 1, "after"))
    assert all(same_features(cache._load(path), fresh(cached)) for path in found)
    assert same_features(cached(tmp_path), fresh(cached))


def test_processes_at_once_do_no_harm(tmp_path):
    workers = [started(cached, tmp_path) for _ in range(3)]
    assert [finished(worker) for worker in workers] == [0] * 3
    assert len(list(tmp_path.iterdir())) == 1
    assert same_features(cached(tmp_path), fresh(cached))


@pytest.mark.parametrize(("work", "number"), [(aligned, 2), (trained, 1), (cached, 1)], ids=["align", "train", "cache"])
def test_a_kill_at_any_moment(tmp_path, work, number):
    number, whole, kills, kept = KILLS or number, 0.0, 0, 0
    for turn, share in enumerate(np.linspace(0.05, 1, number)):
        if turn % 5 == 0:  # measured anew, as the machine may have become slower or quicker
            start = time.perf_counter()
            assert finished(started(work, tmp_path / f"whole {turn}")) == 0
            whole = time.perf_counter() - start
        place = tmp_path / f"{share:.4f}"
        process = started(work, place)
        time.sleep(share * whole)
        process.kill()
        kills += finished(process) == -signal.SIGKILL
        kept += place.exists()
        if work is cached:
            assert all(same_features(cache._load(path), fresh(cached)) for path in place.glob("features-*"))
            assert same_features(cached(place), fresh(cached))
        else:
            assert same(work(place), fresh(work))
    print(f"{kills} of {number} kills came in time, {kept} after something had been kept")
    assert number < 20 or (kills >= number / 4 and kept >= number / 6)  # some come too late, and some too soon
