"""Features are what the encoders say of each post, in order; what is odd about them is named."""

import dataclasses

import pytest
import torch
from helpers import food, mini

from mmsa_utils import (
    Concat,
    Encoded,
    Features,
    align,
    extract_features,
    fit_temperature,
    head_answers,
    mlp_head,
    shuffled,
)
from mmsa_utils.learning.alignment import fused


def some(n: int = 12) -> Features:
    draw = torch.Generator().manual_seed(0)
    sides = {side: Encoded.of(torch.randn(n, 4, generator=draw)) for side in ("text", "image")}
    return Features(sides, torch.arange(n) % 3)


def test_features_are_what_the_encoders_say():
    net, posts = mini(), food(10)
    features = extract_features(net, posts, batch_size=4, show_progress=False)
    with torch.no_grad():
        sides = net.encode(**net.prepare([p.text for p in posts], [p.image for p in posts]))
    assert list(features.sides) == list(sides) == ["text", "image"]
    for side, encoded in sides.items():
        assert torch.allclose(features.sides[side].pooled, encoded.pooled, atol=1e-5)
        assert features.sides[side].mask.all()
        assert not features.sides[side].tokens.requires_grad
    assert features.widths == {"text": 128, "image": 128}
    assert torch.allclose(fused(net.fusion, features), net.fuse(sides), atol=1e-5)
    assert features.labels.tolist() == [p.label for p in posts]
    assert features.relations == tuple(p.relation for p in posts)
    assert features.text_kinds == tuple(p.text_kind for p in posts)
    assert features.picture_levels == tuple(p.picture_level for p in posts)
    assert len(features) == 10


@pytest.mark.parametrize("index", [slice(2, 5), torch.tensor([7, 0])])
def test_some_of_the_posts_are_taken_with_all_that_belongs_to_them(index):
    posts = food(10)
    features = extract_features(mini(), posts, show_progress=False)
    chosen, places = features[index], torch.arange(10)[index].tolist()
    assert torch.equal(chosen.sides["text"].pooled, features.sides["text"].pooled[places])
    assert chosen.labels.tolist() == [posts[i].label for i in places]
    assert chosen.relations == tuple(posts[i].relation for i in places)
    assert len(chosen) == len(places)


@pytest.mark.parametrize("mode", [True, False])
def test_extracting_leaves_the_model_as_it_was(mode):
    net = mini()
    net.train(mode)
    try:
        extract_features(net, food(3), show_progress=False)
        assert net.training is mode
    finally:
        net.eval()


def test_shuffling_deals_the_same_labels_out_anew():
    features = some(300)
    first, second = shuffled(features, 0), shuffled(features, 1)
    assert not torch.equal(first.labels, features.labels)
    assert not torch.equal(first.labels, second.labels)
    assert torch.equal(first.labels, shuffled(features, 0).labels)
    assert torch.equal(first.labels.sort()[0], features.labels.sort()[0])
    assert torch.equal(first.sides["text"].tokens, features.sides["text"].tokens)


def test_no_posts_are_refused():
    with pytest.raises(ValueError, match="the data set is empty"):
        extract_features(mini(), [])


def test_an_empty_text_is_refused():
    with pytest.raises(ValueError, match="text of post 1 is ''"):
        extract_features(mini(), [food(2)[0], dataclasses.replace(food(2)[1], text="")], show_progress=False)


@pytest.mark.parametrize("labels", [["a"] * 12, torch.arange(11), None])
def test_features_with_odd_labels_are_refused(labels):
    with pytest.raises(ValueError, match="labels"):
        dataclasses.replace(some(), labels=labels)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize(("side", "post", "column"), [("text", 0, 0), ("image", 11, 3)])
def test_features_that_are_no_numbers_are_named(side, post, column, value):
    features, fusion = some(), Concat(some().widths)
    features.sides[side].tokens[post, 0, column] = value
    for work in (lambda: align(fusion, mlp_head(8, 3), features, some(), epochs=1),
                 lambda: align(fusion, mlp_head(8, 3), some(), features, epochs=1),
                 lambda: fit_temperature(fusion, mlp_head(8, 3), features),
                 lambda: head_answers(fusion, mlp_head(8, 3), features)):
        with pytest.raises(ValueError, match=f"the {side} features of post {post} hold NaN or infinity"):
            work()
