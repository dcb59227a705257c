"""Learning with posts that lack a side: refused where nothing stands for it, learned where something does."""

from dataclasses import replace

import pytest
import torch

from mmsa_utils.encoders.base import Encoded
from mmsa_utils.fusion.absent import Absent
from mmsa_utils.fusion.attention import Attention
from mmsa_utils.fusion.concat import Concat
from mmsa_utils.learning.alignment import align, measure
from mmsa_utils.learning.batches import make_loader
from mmsa_utils.learning.features import Features, given
from mmsa_utils.learning.training import train
from mmsa_utils.model.head import fresh
from mmsa_utils.model.model import MultimodalSentimentModel
from mmsa_utils.posts.food import FoodPosts

WIDTHS = {"text": 4, "image": 4}


def votes(n: int, seed: int) -> Features:
    """Two sides that each tell the label, the text more often: 0.9 and 0.75."""
    draw = torch.Generator().manual_seed(seed)
    labels = torch.randint(2, (n,), generator=draw)
    sides = {}
    for name, right in (("text", 0.9), ("image", 0.75)):
        says = torch.where(torch.rand(n, generator=draw) < right, labels, 1 - labels)
        vectors = torch.randn(n, 4, generator=draw) * 0.3
        vectors[:, 0] += 2.0 * says - 1
        sides[name] = Encoded.of(vectors)
    return Features(sides, labels)


@pytest.mark.parametrize("kind", [Concat, Attention])
def test_posts_that_lack_a_side_are_refused_by_a_fusion_without_a_word_for_it(kind):
    posts = votes(64, 0)
    fusion, head = fresh(lambda: kind(WIDTHS), 1)
    with pytest.raises(ValueError, match="64 of 64 posts have no picture.*Absent"):
        align(fusion, head, given(posts, ["text"]), posts, epochs=1)
    with pytest.raises(ValueError, match="modality_dropout is 0.3.*absent=True"):
        align(fusion, head, posts, posts, epochs=1, modality_dropout=0.3)
    with pytest.raises(ValueError, match="below 1"):
        align(Absent(fusion), head, posts, posts, epochs=1, modality_dropout=1.0)


def test_who_learned_with_sides_left_out_reads_each_side_alone():
    posts, check, test = votes(2000, 1), votes(500, 2), votes(2000, 3)
    found = {}
    for name, share in (("untaught", 0.0), ("taught", 0.4)):
        fusion, head = fresh(lambda: Absent(Concat(WIDTHS)), 1, hidden=32)
        align(fusion, head, posts, check, epochs=12, modality_dropout=share)
        found[name] = {some: measure(fusion, head, given(test, some.split("+")))["accuracy"]
                       for some in ("text", "image", "text+image")}
    taught = found["taught"]
    for some, right in (("text", 0.87), ("image", 0.72), ("text+image", 0.87)):
        assert taught[some] > right, some
    assert found["untaught"]["image"] < taught["image"] - 0.03


def test_the_same_seed_leaves_out_the_same_sides():
    posts, runs = votes(400, 4), []
    for _ in range(2):
        fusion, head = fresh(lambda: Absent(Concat(WIDTHS)), 1, hidden=8)
        runs.append(align(fusion, head, posts, posts, epochs=2, modality_dropout=0.5, seed=3)[1:])
    assert runs[0] == runs[1]


def test_training_end_to_end_learns_what_stands_for_a_side():
    model = MultimodalSentimentModel(frozen=True, absent=True)
    food = list(FoodPosts(32))
    lacking = [replace(post, image=None) if i % 2 else post for i, post in enumerate(food)]
    before = {side: vector.detach().clone() for side, vector in model.fusion.absent.items()}
    history = train(model, make_loader(lacking, model), make_loader(food[:8], model), epochs=1, modality_dropout=0.3,
                    show_progress=False)
    assert history[0]["loss"] == history[0]["loss"]
    assert all((model.fusion.absent[side] != before[side]).any() for side in before)
    plain = MultimodalSentimentModel(frozen=True)
    with pytest.raises(ValueError, match="posts have no picture"):
        train(plain, make_loader(lacking, plain), make_loader(food[:8], plain), epochs=1, show_progress=False)


def test_what_is_missing_is_neither_a_black_picture_nor_an_empty_text(monkeypatch):
    model, post = MultimodalSentimentModel(frozen=True, absent=True), FoodPosts(1)[0]
    steps, seen = model.prepare.steps, []
    pixels, pieces = steps["image"]._pixels, steps["text"].tokenizer
    monkeypatch.setattr(steps["image"], "_pixels", lambda images: (seen.extend(images), pixels(images))[1])
    monkeypatch.setattr(steps["text"], "tokenizer", lambda texts, **rest: (
        seen.extend(texts), pieces(texts, **rest))[1])
    monkeypatch.setattr(steps["text"].tokenizer, "pad_token_id", pieces.pad_token_id, raising=False)
    sides = model.encode(**model.prepare([post.text, None], [None, post.image]))
    assert seen == [post.text, post.image]
    assert [side.mask.any(1).tolist() for side in sides.values()] == [[True, False], [False, True]]
    with torch.no_grad():
        filled = model.fusion.filled(sides)
    for side, row in (("text", 1), ("image", 0)):
        assert torch.equal(filled[side].tokens[row, 0], model.fusion.absent[side].detach())
