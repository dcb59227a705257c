"""Drawing from a seed disturbs nobody, not even the generators of graphics cards."""

import pytest
import torch
from helpers import generators

from mmsa_utils.seeds import seeded


def test_the_same_seed_draws_the_same_and_nothing_else_changes():
    before = generators()
    drawn = []
    for seed in (1, 1, 2):
        with seeded(seed):
            drawn.append(torch.rand(5))
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
    assert generators() == before


def test_it_is_as_it_was_after_an_error_too():
    before = generators()
    with pytest.raises(KeyError), seeded(1):
        {}[torch.rand(5).sum()]
    assert generators() == before


def test_cards_that_are_not_asked_for_are_not_seeded(monkeypatch):
    asked = []
    for name in ("manual_seed_all", "manual_seed"):
        monkeypatch.setattr(torch.cuda, name, lambda seed: asked.append(seed))
    with seeded(1):
        torch.rand(5)
    assert asked == []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)  # the other way asks them
    assert asked
