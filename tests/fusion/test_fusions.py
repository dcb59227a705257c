"""What every fusion has to bear, and that each is the formula of its paper."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from mmsa_utils import Encoded
from mmsa_utils.apps import options
from mmsa_utils.fusion.attention import Look
from mmsa_utils.fusion.base import normed
from mmsa_utils.fusion.table import FUSIONS, make_fusion
from mmsa_utils.seeds import seeded

WIDTHS = [{"text": 12}, {"text": 128, "image": 96}, {"text": 32, "image": 24, "voice": 16}, {"text": 1, "image": 1}]


def made(name: str, widths: dict[str, int]):
    with seeded(3):
        return make_fusion(name, widths).eval()


def sides_of(fusion, n: int = 6, seed: int = 0) -> dict[str, Encoded]:
    draw = torch.Generator().manual_seed(seed)
    length = 5 if fusion.sequences else 1
    return {side: Encoded(torch.randn(n, length + i * fusion.sequences, width, generator=draw),
                          torch.ones(n, length + i * fusion.sequences, dtype=torch.bool))
            for i, (side, width) in enumerate(fusion.widths.items())}


def test_the_command_line_knows_them_all():
    assert tuple(FUSIONS) == options.FUSIONS


@pytest.mark.parametrize("widths", WIDTHS, ids=str)
@pytest.mark.parametrize("name", FUSIONS)
class TestEveryFusion:
    def test_gives_one_vector_a_post_that_depends_on_every_side(self, name, widths):
        fusion = made(name, widths)
        sides = sides_of(fusion)
        fused = fusion(sides)
        assert fused.shape == (6, fusion.width)
        for side in sides:
            tokens = sides[side].tokens.clone()
            tokens[0] += torch.linspace(1, 3, tokens.shape[-1])  # an even shift is what normalising takes away
            moved = fusion({**sides, side: Encoded(tokens, sides[side].mask)})
            assert not torch.allclose(moved[0], fused[0], atol=1e-4), side
            assert torch.allclose(moved[1:], fused[1:], atol=1e-5), side

    def test_what_is_masked_counts_for_nothing_and_a_missing_side_gives_no_nan(self, name, widths):
        fusion = made(name, widths)
        sides = sides_of(fusion)
        whole = fusion(sides)
        for side in sides:
            sides[side].mask[1] = False  # post 1 has no side at all
        first = next(iter(sides))
        sides[first].mask[2] = False
        if fusion.sequences:
            sides[first].mask[3, 3:] = False
        fused = fusion(sides)
        assert fused.isfinite().all()
        assert torch.allclose(fused[[0, 4, 5]], whole[[0, 4, 5]], atol=1e-5)
        for odd in (float("nan"), float("inf"), 1e30):
            spoiled = {side: Encoded(tokens.masked_fill(~mask.unsqueeze(-1), odd), mask)
                       for side, (tokens, mask) in sides.items()}
            assert torch.equal(fusion(spoiled), fused)
        if fusion.sequences:  # the same post without its padding, alone in its batch
            alone = {side: encoded.rows(slice(3, 4)) for side, encoded in sides.items()}
            alone[first] = Encoded(alone[first].tokens[:, :3], alone[first].mask[:, :3])
            assert torch.allclose(fusion(alone)[0], fused[3], atol=1e-5)
        if list(fusion.parameters()):
            fused.square().sum().backward()
            assert all(weights.grad is None or weights.grad.isfinite().all() for weights in fusion.parameters())

    def test_every_weight_learns(self, name, widths):
        if name == "concat":
            pytest.skip("it has no weights")
        fusion = made(name, widths).train()
        # A square: of a sum of normalised numbers nothing would be left to learn from.
        fusion(sides_of(fusion)).square().mean().backward()
        still = [part for part, weights in fusion.named_parameters()
                 if weights.grad is None or (weights.grad == 0).all()]
        if len(widths) == 1:  # a gate between one side and nothing is open
            still = [part for part in still if not part.startswith("gates")]
        # A key's bias moves all scores alike, which a softmax does not see.
        assert not [part for part in still if not part.endswith("key.bias")]


def test_additive_adds_and_no_other_does():
    """f(a, b) + f(a', b') = f(a, b') + f(a', b) for sums, and for nothing else that is learned."""
    for name in FUSIONS:
        fusion = made(name, {"text": 16, "image": 16})
        one, two = sides_of(fusion), sides_of(fusion, seed=1)
        left = fusion(one) + fusion(two)
        right = fusion({"text": one["text"], "image": two["image"]}) + fusion({"text": two["text"],
                                                                              "image": one["image"]})
        assert torch.allclose(left, right, atol=1e-4) == (name in ("additive", "concat")), name


def test_the_gate_is_the_papers():
    fusion = made("gated", {"text": 8, "image": 6})
    sides = sides_of(fusion)
    text, image = (normed(side.pooled) for side in sides.values())
    scores = fusion.gates(torch.cat([text, image], -1))
    z = torch.sigmoid(scores[:, :128] - scores[:, 128:])
    wanted = z * torch.tanh(fusion.says["text"](text)) + (1 - z) * torch.tanh(fusion.says["image"](image))
    assert torch.allclose(fusion(sides), wanted, atol=1e-6)
    shares = fusion.shares(sides)
    assert torch.allclose(shares.sum(1), torch.ones(6, 128))
    sides["text"].mask[0] = False
    assert (fusion.shares(sides)[0, 0] == 0).all()
    assert (fusion.shares(sides)[0, 1] == 1).all()


def test_the_tensor_holds_every_product_and_each_side_alone():
    fusion = made("tensor", {"text": 8, "image": 6})
    sides = sides_of(fusion)
    text, image = (torch.relu(fusion.says[name](normed(side.pooled))) for name, side in sides.items())
    cube = fusion(sides).unflatten(-1, (33, 33))
    assert torch.allclose(cube[:, :32, :32], text.unsqueeze(2) * image.unsqueeze(1), atol=1e-6)
    assert torch.equal(cube[:, :32, 32], text)
    assert torch.equal(cube[:, 32, :32], image)
    assert (cube[:, 32, 32] == 1).all()


def test_low_rank_is_a_layer_on_the_tensor_with_weights_of_low_rank():
    fusion = made("lowrank", {"text": 5, "image": 4})
    sides = sides_of(fusion)
    one = torch.ones(6, 1)
    text, image = (torch.cat([normed(side.pooled), one], -1) for side in sides.values())
    maps = {name: torch.cat([layer.weight, layer.bias.unsqueeze(1)], 1).unflatten(0, (8, 128))
            for name, layer in fusion.says.items()}
    weights = torch.einsum("roi,roj->oij", maps["text"], maps["image"])  # (128, 6, 5): one for each product
    assert torch.allclose(fusion(sides), torch.einsum("oij,bi,bj->bo", weights, text, image), atol=1e-5)
    assert torch.linalg.matrix_rank(weights[0].double()) <= 8


@pytest.mark.parametrize("missing", [(), (2,)])
def test_a_look_is_torchs_attention(missing):
    with seeded(0):
        look, theirs = Look(16, 4), nn.MultiheadAttention(16, 4, batch_first=True)
    theirs.in_proj_weight.data = torch.cat([look.query.weight, look.key.weight, look.value.weight]).data
    theirs.in_proj_bias.data = torch.cat([look.query.bias, look.key.bias, look.value.bias]).data
    theirs.out_proj.weight.data, theirs.out_proj.bias.data = torch.eye(16), torch.zeros(16)
    draw = torch.Generator().manual_seed(1)
    ours, other = torch.randn(3, 4, 16, generator=draw), torch.randn(3, 7, 16, generator=draw)
    mask = torch.ones(3, 7, dtype=torch.bool)
    mask[0, 5:] = False
    mask[list(missing)] = False
    found, weights = theirs(ours, other, other, key_padding_mask=~mask)
    there = [i for i in range(3) if i not in missing]
    assert torch.allclose(look(ours, Encoded(other, mask))[there], found[there], atol=1e-5)
    assert torch.allclose(look.weights(ours, Encoded(other, mask)).mean(1)[there], weights[there], atol=1e-6)
    assert (look(ours, Encoded(other, mask))[list(missing)] == 0).all()


def test_attention_says_where_each_word_looks():
    fusion = made("attention", {"text": 16, "image": 12})
    sides = sides_of(fusion)
    sides["image"].mask[0, 4:] = False
    weights = fusion.weights(sides)
    assert weights.shape == (6, 5, 6)
    assert torch.allclose(weights.sum(-1), torch.ones(6, 5), atol=1e-6)
    assert (weights[0, :, 4:] == 0).all()
    assert fusion.weights(sides, "image", "text").shape == (6, 6, 5)
    gaze = fusion.gaze(sides)
    assert gaze.shape == (6, 6)
    assert torch.allclose(gaze.sum(-1), torch.ones(6), atol=1e-6)
    assert (gaze[0, 4:] == 0).all()


def test_attention_over_a_single_token_is_no_attention():
    """Queries and keys may be anything: the one token there is gets all the weight."""
    fusion = made("attention", {"text": 16, "image": 12})
    sides = {side: Encoded(encoded.tokens[:, :1], encoded.mask[:, :1]) for side, encoded in sides_of(fusion).items()}
    before = fusion(sides)
    for look in fusion.looks.values():
        for layer in (look.query, look.key):
            nn.init.normal_(layer.weight, std=3)
    assert torch.allclose(fusion(sides), before, atol=1e-6)


def test_all_that_passes_the_bottleneck_passes_through_its_tokens():
    fusion = made("bottleneck", {"text": 16, "image": 12})
    one, other = sides_of(fusion), sides_of(fusion, seed=1)
    mixed = {"text": one["text"], "image": other["image"]}
    assert not torch.allclose(fusion(one)[:, :64], fusion(mixed)[:, :64], atol=1e-3)
    for layer in fusion.layers:  # what a side makes of the shared tokens is not told: they stay as they were
        for side in layer.values():
            side.register_forward_hook(lambda module, inputs, output: torch.cat(
                [output[:, :-4], torch.zeros_like(output[:, -4:])], 1))
    assert torch.allclose(fusion(one)[:, :64], fusion(mixed)[:, :64], atol=1e-6)


def test_normalising_leaves_a_single_number_and_zeros():
    assert torch.equal(normed(torch.tensor([[3.0], [0.0]])), torch.tensor([[3.0], [0.0]]))
    assert torch.equal(normed(torch.zeros(2, 5)), torch.zeros(2, 5))
    vectors = torch.randn(4, 9, generator=torch.Generator().manual_seed(0))
    assert torch.equal(normed(vectors), F.layer_norm(vectors, (9,)))
