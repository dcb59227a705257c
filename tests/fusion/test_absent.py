"""A side that is missing: what stands for it, and which sides are left out while learning."""

import pytest
import torch

from mmsa_utils.encoders.base import Encoded
from mmsa_utils.fusion.absent import Absent, drop_sides, missing, without
from mmsa_utils.fusion.table import FUSIONS, make_fusion
from mmsa_utils.seeds import seeded

WIDTHS = {"text": 6, "image": 5, "voice": 4}


def sides(n: int = 8, tokens: int = 3) -> dict[str, Encoded]:
    generator = torch.Generator().manual_seed(3)
    return {name: Encoded(torch.randn(n, tokens, width, generator=generator), torch.ones(n, tokens, dtype=torch.bool))
            for name, width in WIDTHS.items()}


def made(name: str) -> Absent:
    with seeded(0):
        return Absent(make_fusion(name, WIDTHS)).eval()


@pytest.mark.parametrize("name", FUSIONS)
def test_what_stands_for_a_missing_side_decides_and_what_was_there_does_not(name):
    fusion, whole = made(name), sides()
    gone = torch.arange(8) % 2 == 0
    lacking = without(whole, {"voice": gone})
    noise = {**lacking, "voice": Encoded(torch.full_like(lacking["voice"].tokens, torch.nan).where(
        gone[:, None, None], lacking["voice"].tokens), lacking["voice"].mask)}
    with torch.no_grad():
        answer, full = fusion(lacking), fusion(whole)
        assert torch.equal(answer, fusion(noise))  # whatever lies where nothing is
        assert torch.allclose(answer[~gone], full[~gone], atol=1e-6)  # nobody else's absence
        fusion.absent["voice"] += 1 + torch.arange(4.0)
        moved = (fusion(lacking) - answer).abs().amax(1)
    assert answer.isfinite().all()
    assert (moved[gone] > 1e-4).all()
    assert (moved[~gone] < 1e-6).all()


@pytest.mark.parametrize("name", FUSIONS)
def test_the_vectors_learn_from_posts_that_lack_their_side_alone(name):
    fusion = made(name)
    fusion(without(sides(), {"text": torch.tensor([True] + [False] * 7)})).square().sum().backward()
    assert fusion.absent["text"].grad.abs().sum() > 0
    assert fusion.absent["voice"].grad is None or not fusion.absent["voice"].grad.any()


def test_sides_are_left_out_each_as_often_and_never_all():
    n, share = 40_000, 0.4
    whole = {name: Encoded(torch.zeros(n, 1, width), torch.ones(n, 1, dtype=torch.bool))
             for name, width in WIDTHS.items()}
    some = drop_sides(without(whole, {"voice": torch.arange(n) % 4 == 0}), share, torch.Generator().manual_seed(0))
    there = ~torch.stack(list(missing(some).values()), 1)
    assert there.any(1).all()
    assert not there[::4, 2].any()
    three = there[torch.arange(n) % 4 != 0].double()
    kept = 1 - share + share**3 / 3  # of those that would lose all three, one in three keeps this one
    assert three.mean(0).tolist() == pytest.approx([kept] * 3, abs=0.01)
    two = there[::4, :2].double()
    assert two.mean(0).tolist() == pytest.approx([1 - share + share**2 / 2] * 2, abs=0.02)


def test_the_same_generator_leaves_out_the_same():
    first, second = (drop_sides(sides(), 0.5, torch.Generator().manual_seed(7)) for _ in range(2))
    assert all(torch.equal(first[name].mask, second[name].mask) for name in WIDTHS)
