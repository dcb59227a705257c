"""The museum of bugs: each exhibit is found by its check, its repair is sound, and what a mistake costs is measured."""

from itertools import islice

import numpy as np
import pytest
import torch
from torch import nn

from mmsa_utils import FoodPosts, MultimodalSentimentModel, case_of, looked_at
from mmsa_utils.figures import plots
from mmsa_utils.inspection import museum
from mmsa_utils.inspection.exhibits import FOUND, WIDE, SmallModel, code_of
from mmsa_utils.inspection.inspection import CHECKS


@pytest.fixture(scope="module")
def encoders():
    return MultimodalSentimentModel("bert", "vit", frozen=True).eval()


@pytest.fixture(scope="module")
def posts(encoders):
    return museum.as_tensors(encoders, list(islice(FoodPosts(400, "train", pixels=64), 400)))


@pytest.fixture(scope="module")
def sound(posts):
    return museum.taught(SmallModel, posts, epochs=4)[0]


def verdict(model, posts, name, **given):
    few = {side: tensor[:48] for side, tensor in posts.items()}
    return looked_at(name, case_of(model, list(museum.in_batches(few, 16)), **given)).verdict


@pytest.mark.parametrize("number", FOUND)
def test_the_check_of_an_exhibit_finds_it_and_lets_its_repair_pass(number, posts, sound):
    kind, check = FOUND[number]
    torch.manual_seed(0)
    assert check in CHECKS
    assert verdict(kind(), posts, check) == "ill", "as it comes"
    assert verdict(sound, posts, check) == "sound"


def test_the_sound_model_is_sound_in_every_check(posts, sound):
    few = {side: tensor[:48] for side, tensor in posts.items()}
    case = case_of(sound, list(museum.in_batches(few, 16)), make=SmallModel)
    assert [name for name in CHECKS if looked_at(name, case).verdict == "ill"] == []


def test_an_exhibit_differs_from_the_sound_model_in_a_few_lines_which_do_not_tell_its_name():
    for number, (kind, _) in FOUND.items():
        code = code_of(kind)
        assert 2 <= len(code.splitlines()) <= 5, number
        assert '"""' not in code
        assert kind.__name__ not in code
        compile(code, str(number), "exec")
    assert "key_padding_mask" in code_of(SmallModel)
    assert "key_padding_mask" not in code_of(FOUND[1].kind)


def test_posts_are_padded_to_the_longest_of_their_batch(posts):
    lengths = posts["attention_mask"].sum(1)
    batches = list(museum.in_batches(posts, 150))
    assert [len(batch["labels"]) for batch in batches] == [150, 150, 100]
    for batch, part in zip(batches, lengths.split(150)):
        assert batch["inputs_embeds"].shape[1] == batch["attention_mask"].shape[1] == part.max()
        assert not batch["inputs_embeds"][batch["attention_mask"] == 0].any()
    assert next(museum.in_batches(posts, 10, longest=40))["inputs_embeds"].shape[1:] == (40, 128)
    assert "labels" not in next(museum.without_labels(posts))
    order = torch.arange(399, -1, -1)
    assert torch.equal(next(museum.in_batches(posts, 7, order=order))["labels"], posts["labels"].flip(0)[:7])


def test_regions_are_those_of_the_encoder_four_by_four(encoders, posts):
    post = FoodPosts(400, "train", pixels=64)[3]
    image = encoders.encoders["image"]
    with torch.no_grad():
        tokens = image.encode(**image.prepare([post.image])).tokens[0, 1:].float()
    corner = tokens.unflatten(0, (8, 8))[:2, 2:4].mean((0, 1))
    assert torch.allclose(posts["patches"][3, 1], corner, atol=1e-4)
    assert posts["patches"].shape == (400, 16, 128)


def test_padding_moves_an_answer_of_the_exhibits_alone(posts, sound):
    some = {name: tensor[:100] for name, tensor in posts.items()}
    assert (museum.right(sound, some) == museum.right(sound, some, size=1, longest=40)).all()
    for number in (1, 2):
        batch = next(museum.without_labels(some))
        torch.manual_seed(0)
        model = FOUND[number].kind().eval()
        answers = [museum.answer(model, one) for one in (batch, museum.padded(batch, 40))]
        assert not torch.allclose(*answers, atol=1e-3)


def test_a_model_learns_the_same_from_the_same_seed_and_says_how(posts):
    (one, history), (other, _) = (museum.taught(SmallModel, posts, posts, epochs=3, seed=4) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters()))
    assert [row["epoch"] for row in history] == [1, 2, 3]
    assert history[-1]["loss"] < history[0]["loss"]
    assert history[-1]["accuracy"] == museum.right(one, posts).mean()
    assert history[-1]["accuracy"] > 0.5
    assert not one.training


def test_one_empty_text_spoils_all_weights_of_exhibit_10_alone(posts):
    holed = {name: tensor[:100].clone() for name, tensor in posts.items()}
    holed["attention_mask"][40] = 0
    for kind, whole in ((FOUND[10].kind, False), (SmallModel, True)):
        model, history = museum.taught(kind, holed, epochs=1)
        assert all(bool(p.isfinite().all()) for p in model.parameters()) == whole
        assert np.isfinite(history[0]["loss"]) == whole
        assert museum.right(model, holed).any() == whole, "an answer that is NaN is not right, whatever the label"


def test_a_softmax_twice_is_never_sure_nor_its_loss_below_what_it_can_be(posts, sound):
    found, history = museum.taught(FOUND[5].kind, posts, epochs=4)
    assert history[-1]["loss"] > 0.55
    some = next(museum.without_labels(posts))
    surest = [museum.answer(model, some).softmax(-1).max().item() for model in (found, sound)]
    assert surest[0] < 0.577 < surest[1]


def test_a_cost_is_a_paired_difference():
    mended = np.array([[1, 1, 1, 0] * 50] * 2, bool)
    found = np.array([[1, 0, 1, 0] * 50] * 2, bool)
    of = museum.cost(found, mended)
    assert (of["found"]["mean"], of["mended"]["mean"], of["cost"]["mean"]) == (0.5, 0.75, 0.25)
    assert 0.15 < of["cost"]["low"] < 0.25 < of["cost"]["high"] < 0.35
    same = museum.cost(mended, mended)["cost"]
    assert same == {"mean": 0, "low": 0, "high": 0}
    with pytest.raises(ValueError, match="expected the same seeds and posts"):
        museum.cost(found[:1], mended)


def test_the_figure_names_every_cost():
    of = museum.cost(np.array([[1, 0] * 20], bool), np.array([[1, 1] * 20], bool))
    picture = plots.costs({"3, a projection": of, "7, pixels": of}, ("commonest label", 0.32))
    assert "3, a projection: 0.50 as found, 1.00 mended, cost 50 points" in picture.alt
    assert "commonest label as a dotted line at 0.32" in picture.alt
    assert picture.data.startswith(b"\x89PNG")


def test_a_wider_encoder_fits(posts):
    wide = {**posts, "patches": torch.cat([posts["patches"]] * 2, -1)}
    model, _ = museum.taught(SmallModel, {name: tensor[:50] for name, tensor in wide.items()}, epochs=1)
    assert model.cross.kdim == 256
    assert isinstance(model.enter, nn.Linear)
    assert model.enter.out_features == WIDE
