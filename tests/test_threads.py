"""Small encoders are computed on one thread, whatever was imported first; who has chosen a number keeps it."""

import subprocess
import sys

import pytest
import torch
from helpers import quiet_environment

from mmsa_utils import load_text_encoder, threads


@pytest.fixture
def fresh(monkeypatch):
    """As in a process that has loaded no encoder yet, where torch has four threads."""
    monkeypatch.setattr(threads, "_before", None)
    monkeypatch.setattr(threads, "_settled", False)
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield monkeypatch
    torch.set_num_threads(before)


def mini():
    load_text_encoder("distilbert")


def full():
    load_text_encoder("distilbert", "full", pretrained=False)


def chosen():
    torch.set_num_threads(3)


@pytest.mark.parametrize(("steps", "expected"), [
    ([], 4), ([mini], 1), ([mini, mini], 1), ([full], 4), ([mini, full], 4), ([full, mini], 4), ([mini, full, mini], 4),
    ([mini, chosen], 3), ([mini, chosen, mini], 3), ([mini, chosen, full], 3),
])
def test_threads_after_loading(fresh, steps, expected):
    for step in steps:
        step()
    assert torch.get_num_threads() == expected


@pytest.mark.parametrize("name", ["OMP_NUM_THREADS", "MKL_NUM_THREADS"])
def test_a_choice_from_outside_is_kept(fresh, name):
    fresh.setenv(name, "2")
    mini()
    assert torch.get_num_threads() == 4


def test_a_fresh_process_in_which_torch_was_first():
    script = ("import torch; torch.set_num_threads(4); import mmsa_utils; mmsa_utils.load_image_encoder('vit'); "
              "print(torch.get_num_threads())")
    env = {name: value for name, value in quiet_environment().items() if name not in threads._CHOSEN}
    run = subprocess.run([sys.executable, "-c", script], env=env, stdout=subprocess.PIPE, text=True, check=True)
    assert int(run.stdout) == 1
