"""The head: layers, dropout that is torch's but cheaper, probabilities that sum to one."""

import numpy as np
import pytest
import torch
from helpers import generators
from torch import nn

from mmsa_utils import Dropout, Scale, mlp_head, probabilities_of, random_head


def test_head_is_linear_or_has_two_hidden_layers():
    assert [type(layer) for layer in mlp_head(8, 3, hidden=0)] == [Scale, nn.Linear]
    head = mlp_head(8, 3, hidden=5, dropout=0.25)
    assert [type(layer) for layer in head] == [Scale, *2 * [Dropout, nn.Linear, nn.ReLU], Dropout, nn.Linear]
    sizes = [(layer.in_features, layer.out_features) for layer in head if isinstance(layer, nn.Linear)]
    assert sizes == [(8, 5), (5, 5), (5, 3)]
    assert {layer.p for layer in head if isinstance(layer, nn.Dropout)} == {0.25}


def test_scale_brings_what_it_has_measured_to_mean_zero_and_spread_one():
    inputs = torch.randn(500, 4, generator=torch.Generator().manual_seed(0)) * torch.tensor([1, 9, 0.01, 100]) + 5
    scale = Scale(4)
    assert torch.equal(scale(inputs), inputs)  # before it has measured anything
    scale.measure(inputs)
    assert torch.allclose(scale(inputs).mean(0), torch.zeros(4), atol=1e-3)
    assert torch.allclose(scale(inputs).std(0, correction=0), torch.ones(4), atol=1e-3)
    assert not list(scale.parameters())
    again = Scale(4)
    again.load_state_dict(scale.state_dict())
    assert torch.equal(again(inputs), scale(inputs))


@pytest.mark.parametrize("share", [0.0, 0.1, 0.2, 0.5, 0.999, 1.0])
@pytest.mark.parametrize("asks_gradient", [False, True])
def test_dropout_silences_its_share_and_keeps_the_mean(share, asks_gradient):
    layer, inputs = Dropout(share), torch.full((301, 333), 3.0, requires_grad=asks_gradient)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        passed = layer(inputs)
        again = layer(inputs)
    kept = passed != 0
    assert kept.float().mean().item() == pytest.approx(1 - share, abs=0.005)
    assert torch.allclose(passed[kept], torch.tensor(3 / max(1 - share, 1e-9)), rtol=1e-3)
    assert (inputs == 3).all()  # not written over
    if 0 < share < 1:
        assert not torch.equal(passed, again)
        rows, columns = kept.float().mean(1), kept.float().mean(0)  # no row or column is favoured: 6 standard errors
        assert (rows - (1 - share)).abs().max() < 6 * (share * (1 - share) / 333) ** 0.5
        assert (columns - (1 - share)).abs().max() < 6 * (share * (1 - share) / 301) ** 0.5
    if asks_gradient:
        passed.sum().backward()
        assert torch.allclose(inputs.grad, passed.detach() / 3)
    assert torch.equal(layer.eval()(inputs), inputs)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_dropout_of_other_numbers_is_torchs(dtype):
    inputs = torch.ones(64, 64, dtype=dtype)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        passed = Dropout(0.2)(inputs)
        torch.manual_seed(0)
        assert torch.equal(passed, nn.Dropout(0.2)(inputs))
    assert Dropout(0.2)(torch.ones(0, 4)).shape == (0, 4)


@pytest.mark.parametrize("outputs", [1, 2, 3])
def test_probabilities_sum_to_one(outputs):
    logits = 30 * torch.randn(50, outputs, generator=torch.Generator().manual_seed(0))
    probabilities = probabilities_of(logits)
    assert probabilities.shape == (50, max(outputs, 2))
    assert torch.allclose(probabilities.sum(-1), torch.ones(50))
    assert (probabilities >= 0).all()


def test_a_single_logit_speaks_for_the_positive_class():
    assert probabilities_of(torch.tensor([[0.0], [4.0]])).tolist() == [
        pytest.approx([0.5, 0.5]), pytest.approx([0.018, 0.982], abs=1e-3)]


def test_random_heads_come_from_their_seed_alone():
    before = generators()
    first, same, other = (random_head(8, seed=seed)[2].weight for seed in (1, 1, 2))
    assert generators() == before
    assert torch.equal(first, same)
    assert not torch.equal(first, other)


def test_random_heads_guess():
    draw = torch.Generator().manual_seed(0)
    inputs, labels = torch.randn(300, 32, generator=draw), torch.arange(300) % 3
    with torch.no_grad():
        answers = [probabilities_of(random_head(32, hidden=64, seed=seed).eval()(inputs)) for seed in range(200)]
    assert np.mean([(p.argmax(-1) == labels).float().mean() for p in answers]) == pytest.approx(1 / 3, abs=0.02)
    losses = [-p.gather(-1, labels[:, None]).log().mean() for p in answers]
    assert np.mean(losses) == pytest.approx(np.log(3), abs=0.03)
