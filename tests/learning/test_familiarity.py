"""What a model does not know: far from its posts' features, said in words, and left out of the answer."""

from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import mini
from PIL import Image, ImageDraw

from mmsa_utils import FoodPosts, MultimodalSentimentModel, Post, learn_familiarity, load_model, make_post
from mmsa_utils.learning.alone import settled, unfamiliar
from mmsa_utils.model.familiarity import about_strange
from mmsa_utils.reading.reader import Reader

FOREIGN = ["Das Essen war leider kalt und die Bedienung unfreundlich.", "Le gâteau était délicieux, merci beaucoup.",
           "La comida estaba muy rica y el servicio excelente.", "Il servizio era pessimo e la pasta scotta.",
           "Het eten was koud en de bediening traag.", "Ruoka oli kylmää ja palvelu hidasta.",
           "Jedzenie było zimne, a obsługa niemiła.", "asdf qwer zxcv poiu lkjh mnbv"]
PLAIN = ["This burger is delicious!", "I had a salad for lunch.", "The soup was awful.", "Their pizza is a bit bland.",
         "The waiter was awful, but the soup was delicious."]


def noise(seed: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (64, 64, 3), dtype=np.uint8))


def screenshot(seed: int) -> Image.Image:
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", (640, 640), "white" if seed % 2 else "#202024")
    draw = ImageDraw.Draw(image)
    draw.rectangle([0, 0, 640, 30], fill=tuple(int(v) for v in rng.integers(0, 256, 3)))
    for y in range(45, 630, 22):
        draw.text((15, y), " ".join(["menu", "file", "edit", "price", "order"] * 3)[:rng.integers(9, 70)],
                  fill="black" if seed % 2 else "white")
    return image


def strange(model, texts, pictures):
    with torch.no_grad():
        tokens = model.tokens(**model.prepare(texts, pictures))
        return {side: far > 1 for side, far in model.strangeness(tokens).items()}


@pytest.fixture(scope="module")
def posts():
    found = {}
    for split in ("validation", "unseen"):
        data = FoodPosts(300, split, seed=11)  # not the seed that the limits come from
        found[split] = [data[i] for i in range(len(data))]
    return found


@pytest.mark.parametrize(("split", "most"), [("validation", 0.02), ("unseen", 0.10)])
def test_known_posts_are_known(posts, split, most):
    odd = strange(load_model(), [post.text for post in posts[split]], [post.image for post in posts[split]])
    assert {side: is_odd.float().mean().item() <= most for side, is_odd in odd.items()} == {"text": True, "image": True}


def test_what_is_of_another_kind_is_strange():
    odd = strange(load_model(), FOREIGN, [noise(i) for i in range(4)] + [screenshot(i) for i in range(4)])
    assert odd["image"].all()
    assert odd["text"].float().mean() >= 0.85
    assert not strange(load_model(), PLAIN, None)["text"].any()


def test_a_strange_picture_is_left_out_and_a_strange_post_gets_no_answer():
    model = load_model()
    reader = Reader(model)
    fresh = make_post(2, 2, "burger", 1).image
    read = reader.read("This burger is delicious!", noise(1))
    assert (read.unfamiliar, read.picture, read.contradicts) == (("picture",), None, False)
    assert read.both == read.text
    assert read.answers["both"] == "positive"
    assert "was left out" in read.remarks[0]
    assert read.summary["picture_alone"] is None
    assert reader.strange("image", noise(1))
    assert not reader.strange("image", fresh)
    foreign = reader.read(FOREIGN[0], fresh)
    assert (foreign.unfamiliar, foreign.text, foreign.both) == (("text",), None, foreign.picture)
    nothing = reader.read(FOREIGN[0], noise(1))
    assert nothing.answers == {"both": None, "text": None, "picture": None}
    assert nothing.summary["label"] is None
    known = reader.read("This burger is delicious!", fresh)
    assert (known.unfamiliar, known.remarks) == ((), ())


def test_it_is_learned_kept_and_loaded(tmp_path):
    """It comes from the posts that are given: to a model of noise, drawn food is strange."""
    model = MultimodalSentimentModel(frozen=True)
    odd = [Post(f"{FOREIGN[i % 8]} {i}", noise(i), 0) for i in range(160)]
    model.familiarity = learn_familiarity(model, odd[:80], odd[80:])
    drawn = make_post(2, 2, "burger", 1)
    found = strange(model, [drawn.text, FOREIGN[0]], [drawn.image, noise(500)])
    assert {side: is_odd.tolist() for side, is_odd in found.items()} == {"text": [True, False], "image": [True, False]}
    model.save_pretrained(tmp_path)
    again = MultimodalSentimentModel.from_pretrained(tmp_path)
    for level in ("tokens", "vector"):
        for mine, its in zip(model.familiarity["image"][level], again.familiarity["image"][level]):
            assert torch.equal(mine, its)
    path = Path(tmp_path) / "familiarity.safetensors"
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(ValueError, match="familiarity.safetensors is damaged"):
        MultimodalSentimentModel.from_pretrained(tmp_path)
    model.familiarity = None
    model.save_pretrained(tmp_path)  # what lay here before is of another model
    assert not path.exists()


def test_too_few_posts_show_no_limits():
    posts = [make_post(0, 0, "burger", i) for i in range(60)]
    assert learn_familiarity(mini(), posts[:49], posts) is None
    assert learn_familiarity(mini(), posts, posts[:49]) is None
    assert learn_familiarity(mini(), posts, posts)


def test_a_missing_side_is_not_strange():
    found = strange(load_model(), [None, FOREIGN[0]], [noise(1), None])
    assert {side: is_odd.tolist() for side, is_odd in found.items()} == {"text": [False, True], "image": [True, False]}


def test_what_is_settled():
    both, text, image = (torch.full((4, 3), value) for value in (1.0, 2.0, 3.0))
    odd = {"text": torch.tensor([False, True, False, True]), "image": torch.tensor([False, False, True, True])}
    settled_ = settled(both, {"text": text, "image": image}, odd)
    unsure = settled(both, {"text": torch.full((4, 3), 0.59), "image": torch.full((4, 3), 0.6)}, odd)
    assert unsure.isnan().any(1).tolist() == [False, False, True, True]
    numbers = settled(both[:, :1], {"text": -text[:, :1], "image": image[:, :1]}, odd)
    assert numbers[:3, 0].tolist() == [1, 3, -2]
    assert settled_[:3, 0].tolist() == [1, 3, 2]
    assert settled_[3].isnan().all()
    alone = settled(both, {}, {"text": odd["text"]})  # a model of one side
    assert alone.isnan().any(1).tolist() == [False, True, False, True]
    assert [unfamiliar(odd, row) for row in range(4)] == [[], ["text"], ["picture"], ["text", "picture"]]


def test_it_is_said_in_words():
    assert about_strange({"text": False, "image": False}, True) == []
    assert about_strange({"text": False, "image": True}, False) == [
        "the picture is unlike all that the model has learned from and was left out; the text alone is not sure "
        "enough: it gives no answer."]
    assert about_strange({"image": True}, False) == [
        "the picture is unlike all that the model has learned from: it gives no answer."]
    assert about_strange({"text": False, "image": True}, True) == [
        "the picture is unlike all that the model has learned from and was left out: the answer is what the text alone "
        "says."]
