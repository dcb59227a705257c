"""All that is told of a model's answers: nothing is left out, nothing looks better than it is."""

import json
import math

import pytest
import torch
from helpers import food, mini

from mmsa_utils import FoodPosts, MultimodalSentimentModel, Post, evaluate, make_loader, metrics
from mmsa_utils.learning.alone import Alone
from mmsa_utils.learning.asking import Answers, ask
from mmsa_utils.learning.assessment import assessed

MOODS = ("negative", "neutral", "positive")


def certain(truth: list[int], said: list[int], classes: tuple[str, ...] = MOODS, **known) -> Answers:
    """Answers at probability 0.9 or so."""
    logits = 4 * torch.eye(len(classes))[said]
    n = len(truth)
    return Answers(classes, logits, logits.softmax(-1), torch.tensor(truth), **{
        "texts": [f"text {i}" for i in range(n)], "relations": [""] * n, "cut": [False] * n, **known})


def test_a_class_that_no_test_post_has_is_named_and_no_perfect_score():
    result = assessed(certain([0, 1] * 20, [0, 1] * 20))
    assert result["accuracy"] == 1
    assert result["absent"] == ["positive"]
    assert result["macro_f1"] == pytest.approx(2 / 3)
    assert result["intervals"]["macro_f1"][1] == 1  # it may be found well: nobody knows
    assert result["classes"]["positive"] == {
        "posts": 0, "answers": 0, "precision": None, "recall": None, "f1": None,
        "intervals": {"precision": None, "recall": None, "f1": None}}
    (said,) = result["remarks"]
    assert "No post's label is positive" in said
    assert result["confusion"]["positive"] == {"negative": 0, "neutral": 0, "positive": 0}


def test_a_rare_class_that_is_never_found_is_named():
    result = assessed(certain([2] * 1 + [0] * 29, [0] * 30, ("a", "b", "c")))
    assert result["most_frequent"] == {"class": "a", "accuracy": pytest.approx(29 / 30)}
    assert any("found no post of c (0 of 1)" in said for said in result["remarks"])
    assert any("No post's label is b" in said for said in result["remarks"])
    assert result["macro_f1"] < 0.34


@pytest.mark.parametrize(("n", "few"), [(1, True), (2, True), (20, True), (400, False)])
def test_few_posts_are_no_result(n, few):
    result = assessed(certain([0, 1] * n, [0, 1] * n, ("a", "b")))
    low, high = result["intervals"]["accuracy"]
    assert low < 1 == high
    assert any("posts are no result" in said for said in result["remarks"]) == (high - low > 0.2)
    assert few or not result["remarks"]


def test_one_post_has_an_interval_and_strict_json():
    result = assessed(certain([1], [0], ("a", "b")))
    assert result["intervals"]["accuracy"][0] == 0
    assert "1 post is no result" in result["remarks"][0]
    json.dumps(result, allow_nan=False)


def test_figures_by_class_by_hand():
    result = assessed(certain([0, 0, 0, 1], [0, 0, 1, 1], ("joy", "anger")))
    joy = result["classes"]["joy"]
    assert (joy["posts"], joy["answers"], joy["precision"], joy["recall"], joy["f1"]) == (3, 2, 1, 2 / 3, 0.8)
    assert joy["intervals"]["recall"] == pytest.approx(metrics.proportion(2, 3)[1:])
    assert result["confusion"] == {"joy": {"joy": 2, "anger": 1}, "anger": {"joy": 0, "anger": 1}}


def test_slices_by_relation_and_length_and_what_was_cut():
    texts = ["one two", "one two three four five six", "a long one", "x"]
    result = assessed(certain([0, 1, 2, 2], [0, 1, 2, 0], texts=texts, relations=["agree", "refer", "agree", "agree"],
                              cut=[False, False, True, False]))
    slices = result["slices"]
    assert list(slices["relation"]) == ["agree", "refer"]
    assert (slices["relation"]["agree"]["posts"], slices["relation"]["agree"]["accuracy"]) == (3, pytest.approx(2 / 3))
    assert list(slices["length of the text"]) == ["up to 5 words", "6 to 10 words", "cut: longer than the model reads"]
    assert slices["length of the text"]["up to 5 words"]["accuracy"] == 0.5


def test_posts_of_a_table_have_no_relations():
    assert "relation" not in assessed(certain([0, 1], [0, 1]))["slices"]


def test_the_worst_mistakes_come_first_and_say_what_each_side_said():
    given = certain([0, 1, 2], [1, 1, 0])
    given.probabilities[2] = torch.tensor([0.99, 0.005, 0.005])
    given.alone = {"text": torch.eye(3)[[0, 1, 2]], "image": torch.eye(3)[[1, 1, 0]]}
    result = assessed(given, mistakes=1)
    (worst,) = result["mistakes"]
    assert (worst["post"], worst["text"], worst["truth"], worst["answer"]) == (2, "text 2", "positive", "negative")
    assert worst["probability"] == pytest.approx(0.99)
    assert worst["alone"] == {"text": "positive", "image": "negative"}
    assert result["alone"]["text"]["accuracy"] == 1
    assert list(result["slices"]["each side alone"]) == ["both say the same", "they differ"]
    assert len(assessed(given, mistakes=9)["mistakes"]) == 2


def test_a_side_that_some_posts_lack_is_counted_where_it_is():
    given = certain([0, 1, 2], [0, 1, 2])
    picture = torch.eye(3)[[0, 0, 0]]
    picture[1] = float("nan")
    given.alone = {"text": torch.eye(3)[[0, 1, 2]], "image": picture}
    result = assessed(given)
    assert result["alone"]["image"]["posts"] == 2
    assert result["alone"]["image"]["accuracy"] == 0.5


def test_numbers_have_an_error_with_an_interval():
    given = Answers(None, torch.tensor([[1.0], [3.0]]), torch.tensor([[1.0], [3.0]]), torch.tensor([1.0, 1.0]),
                    texts=["a", "b"], relations=["", ""], cut=[False, False])
    result = assessed(given, 1)
    assert result["mae"] == 1
    assert result["correlation"] is None  # the labels are all the same
    assert result["mistakes"] == [{"post": 1, "text": "b", "truth": 1.0, "answer": 3.0}]
    json.dumps(result, allow_nan=False)


def test_answers_that_are_no_numbers_are_refused():
    given = certain([0], [0])
    given.logits[0, 0] = math.nan
    with pytest.raises(ValueError, match="NaN or infinity"):
        assessed(given)


# --- asking ---


def test_the_answers_are_those_of_evaluate():
    model, posts = mini(), food(20)
    result = assessed(ask(model, posts, batch_size=8))
    assert {name: result[name] for name in ("loss", "accuracy", "macro_f1", "calibration_error")} == pytest.approx(
        evaluate(model, make_loader(posts, model, 8)), abs=1e-6)
    assert result["slices"]["relation"]


def test_any_number_of_classes_and_one_side_alone():
    names = tuple(f"class {i}" for i in range(7))
    posts = [Post(post.text, post.image, i % 7) for i, post in enumerate(food(14))]
    result = assessed(ask(MultimodalSentimentModel("distilbert", None, classes=names, frozen=True), posts))
    assert list(result["classes"]) == list(names)
    assert result["alone"] == {}
    assert result["absent"] == []


def test_posts_without_a_side_are_asked_with_the_other():
    posts = [Post(post.text, None if i % 2 else post.image, post.label) for i, post in enumerate(food(6))]
    answers = ask(mini(), posts)
    assert answers.alone["image"].isnan().any(-1).tolist() == [False, True] * 3
    assert assessed(answers)["alone"]["image"]["posts"] == 3


def test_one_picture_at_a_time_is_held():
    class Watched(FoodPosts):
        held: list = []

        def __getitem__(self, index):
            import weakref

            post = super().__getitem__(index)
            self.held.append(weakref.ref(post.image))
            assert sum(one() is not None for one in self.held) <= 2
            return post

    ask(mini(), Watched(12))


def test_labels_that_are_no_class_are_refused():
    with pytest.raises(ValueError, match="expected 0 to 1"):
        ask(mini(binary=True), [Post("A soup.", food(1)[0].image, 2)])
    with pytest.raises(ValueError, match="expected the same, in the same order"):
        ask(MultimodalSentimentModel("distilbert", None, classes=MOODS[::-1]), FoodPosts(3))
    with pytest.raises(ValueError, match="no posts"):
        ask(mini(), [])


def test_a_side_alone_does_not_know_the_other():
    model, posts = mini(), food(4)
    swapped = [Post(post.text, other.image, post.label) for post, other in zip(posts, posts[::-1])]
    here, there = ask(model, posts), ask(model, swapped)
    assert torch.allclose(here.alone["text"], there.alone["text"], atol=1e-5)
    assert torch.allclose(here.alone["image"].flip(0), there.alone["image"], atol=1e-5)
    assert Alone(MultimodalSentimentModel("bert", None)).references == {}
