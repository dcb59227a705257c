"""Concatenation: the sides in their order, each on one scale, and nothing else."""

import pytest
import torch

from mmsa_utils import Concat, Encoded, join


def sides(n: int = 4, **widths: int) -> dict[str, Encoded]:
    draw = torch.Generator().manual_seed(0)
    return {side: Encoded.of(torch.randn(n, width, generator=draw) * 100 + 7) for side, width in widths.items()}


def test_join_puts_the_text_first_and_levels_both_sides():
    text, image = (side.pooled for side in sides(text=6, image=10).values())
    fused = join(text, image)
    assert fused.shape == (4, 16)
    for side, part in ((text, fused[:, :6]), (image, fused[:, 6:])):
        assert torch.allclose(part.mean(-1), torch.zeros(4), atol=1e-4)
        assert torch.allclose(part.var(-1, unbiased=False), torch.ones(4), atol=1e-3)
        assert torch.equal(part.argsort(-1), side.argsort(-1))
    assert torch.equal(join(text), fused[:, :6])


def test_concat_joins_what_it_was_made_for():
    both = sides(text=6, image=10)
    fusion = Concat({"text": 6, "image": 10})
    assert fusion.width == 16
    assert torch.equal(fusion(both), join(both["text"].pooled, both["image"].pooled))
    assert torch.equal(Concat({"image": 10})(both), join(both["image"].pooled))
    assert torch.equal(fusion(dict(reversed(both.items()))), fusion(both))  # the order is the fusion's
    assert not list(fusion.parameters())


def test_sequences_are_averaged_over_their_real_tokens():
    tokens = torch.randn(2, 3, 6, generator=torch.Generator().manual_seed(0))
    mask = torch.tensor([[True, True, False], [True, True, True]])
    averages = torch.stack([tokens[0, :2].mean(0), tokens[1].mean(0)])
    assert torch.allclose(Concat({"text": 6})({"text": Encoded(tokens, mask)}), join(averages), atol=1e-6)


@pytest.mark.parametrize(("widths", "words"), [({"text": 6}, "'image' is not there.*got text"),
                                               ({"text": 6, "image": 9}, "'image' is 9 wide: expected 10")])
def test_a_side_that_does_not_fit_is_named(widths, words):
    with pytest.raises(ValueError, match=words):
        Concat({"text": 6, "image": 10})(sides(**widths))


def test_nothing_to_fuse_is_refused():
    with pytest.raises(ValueError, match="no sides"):
        Concat({})
