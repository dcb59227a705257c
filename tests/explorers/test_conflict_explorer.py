"""The explorer of notebook 07: the map tells what model and rule say."""

import re
from html import unescape

import numpy as np
import pytest
import torch

from mmsa_utils import FoodPosts, conflict_explorer, judge, load_model
from mmsa_utils.explorers.conflict import LEVELS, cell_look, conflict_map, map_values, square_posts
from mmsa_utils.figures import panels
from mmsa_utils.posts.food import split_of
from mmsa_utils.posts.phrases import KINDS
from mmsa_utils.posts.post import LABELS


def shown(explorer) -> str:
    """What a reader sees of the view: its words without their tags."""
    return unescape(re.sub(r"<[^>]+>", " ", explorer.view.value))


def labels(explorer) -> list[str]:
    """What a screen reader says of the view's pictures."""
    return [unescape(found) for found in re.findall(r'alt="([^"]*)"', explorer.view.value)]


class Optimist:
    """Answers "positive" to everything."""

    classes, size = LABELS, "mini"

    def predict(self, texts, images):
        return torch.tensor([[0.0, 0.25, 0.75]]).expand(len(texts), 3)


RULE = np.array([[judge(kind, level)[0] for level in LEVELS] for kind in KINDS])


@pytest.mark.parametrize("square", [(2, -2), ("opposite", 1), (0, 0)])
def test_the_posts_of_a_square_are_new_and_of_its_kind(square):
    posts = square_posts(*square, n=4)
    assert len({post.dish for post in posts}) == 4
    assert {(post.text_kind, post.picture_level) for post in posts} == {square}
    assert {post.label for post in posts} == {judge(*square)[0] + 1}
    assert {split_of(post.text) for post in posts} == {"test"}
    assert not {post.text for post in posts} & {post.text for post in FoodPosts(50, "train", pixels=16)}
    assert all(post.dish in post.text for post in posts)


def test_four_maps_of_a_reader_that_knows_the_rule_and_of_an_optimist():
    perfect = torch.eye(3)[torch.from_numpy(RULE + 1)][:, :, None].expand(7, 5, 2, 3)
    maps = map_values(perfect)
    assert np.array_equal(maps["model"], RULE)
    assert np.array_equal(maps["rule"], RULE)
    assert not maps["gap"].any()
    assert (maps["right"] == 1).all()
    half = perfect.clone()
    half[0, 0, 0] = torch.tensor([0.0, 0.5, 0.5])  # one of two posts in the first square, whose rule is negative
    maps = map_values(half)
    assert (maps["model"][0, 0], maps["gap"][0, 0], maps["right"][0, 0]) == (-0.25, 0.75, 0.5)
    assert (maps["right"] == 1).sum() == 34


def test_the_map_holds_the_models_own_answers():
    model = load_model()
    posts, probabilities = conflict_map(model, n=1)
    assert probabilities.shape == (7, 5, 1, 3)
    for kind, level in ((2, -2), ("same", 1)):
        post = posts[kind, level][0]
        alone = model.predict([post.text], [post.image])[0]
        there = probabilities[KINDS.index(kind), LEVELS.index(level), 0]
        torch.testing.assert_close(there, alone, atol=1e-4, rtol=0)
    assert (map_values(probabilities)["right"] == 1).sum() >= 25


@pytest.mark.parametrize("classes", [("negative", "positive"), ("a", "b", "c"), None])
def test_a_model_of_other_classes_is_refused(classes):
    other = Optimist()
    other.classes = classes
    with pytest.raises(ValueError, match="expected negative, neutral, positive"):
        conflict_explorer(other)


@pytest.mark.parametrize(("show", "value", "text", "colour"), [
    ("model", 0.973, "+.97", panels.GREEN), ("model", -0.5, "-.50", panels.RED), ("model", 0.001, "0", ""),
    ("model", -0.999, "-1", panels.RED), ("gap", 1.25, "+1.25", panels.GREEN), ("rule", 1.0, "+1", panels.GREEN),
    ("rule", 0.0, "0", ""), ("right", 0.8, "80%", panels.BLUE)])
def test_a_square_has_sign_number_and_colour(show, value, text, colour):
    said, shade = cell_look(show, value)
    assert said == text
    assert shade.startswith(colour)
    assert len(shade) == 9  # with its transparency


def test_the_stronger_the_fuller():
    shades = [int(cell_look("model", value)[1][7:], 16) for value in (0.1, 0.5, 1.0)]
    assert shades == sorted(shades)
    assert len(set(shades)) == 3
    assert cell_look("gap", 2.0)[1] == cell_look("model", 1.0)[1]


@pytest.fixture(scope="module")
def optimist():
    return conflict_explorer(Optimist())


def test_the_map_starts_at_sarcasm_and_shows_all_35_squares(optimist):
    optimist.show.value, optimist.text.value, optimist.picture.value, optimist.example.value = "model", 2, -2, 1
    assert len(optimist.squares) == 35
    assert {button.description for button in optimist.squares.values()} == {"+.75"}
    assert optimist.squares[-2, 1].tooltip == "text -2: awful words; picture 1: nice"
    words = shown(optimist)
    assert "sarcasm" in words
    assert "The model says positive, the rule negative: wrong." in words
    assert re.search(r"5 posts\s+\+0\.75\s+-1\s+\+1\.75\s+0 of 5", words)


@pytest.mark.parametrize(("show", "expected"), [
    ("rule", {-1: "-1", 0: "0", 1: "+1"}), ("gap", {-1: "+1.75", 0: "+.75", 1: "-.25"}),
    ("right", {-1: "0%", 0: "0%", 1: "100%"}), ("model", {-1: "+.75", 0: "+.75", 1: "+.75"})])
def test_the_map_can_show_four_things(optimist, show, expected):
    optimist.show.value = show
    for (kind, level), button in optimist.squares.items():
        value = judge(kind, level)[0]
        assert button.description == expected[value]
        assert button.style.button_color == cell_look(show, {"rule": value, "gap": 0.75 - value, "model": 0.75,
                                                               "right": float(value == 1)}[show])[1]


def test_a_click_and_the_sliders_choose_the_same_square(optimist):
    optimist.squares["opposite", -1].click()
    assert (optimist.text.value, optimist.picture.value) == ("opposite", -1)
    clicked = optimist.view.value
    framed = [square for square, button in optimist.squares.items() if "transparent" not in button.layout.border]
    assert framed == [("opposite", -1)]
    assert "the text denies the picture" in shown(optimist)
    assert "right." in shown(optimist)
    optimist.text.value, optimist.picture.value = 0, 0
    assert optimist.view.value != clicked
    optimist.text.value, optimist.picture.value = "opposite", -1
    assert optimist.view.value == clicked


def test_the_examples_of_a_square_are_leafed_through(optimist):
    optimist.squares[1, 2].click()
    posts, seen = square_posts(1, 2), []
    for number, post in enumerate(posts, 1):
        optimist.example.value = number
        assert f"“{post.text}”" in shown(optimist)
        assert labels(optimist) == [f"{post.dish}, level 2"]
        seen.append(optimist.view.value)
    assert len(set(seen)) == len(posts) == optimist.example.max
    optimist.example.value = 1


def test_every_control_has_a_label(optimist):
    assert all(control.description for control in optimist.controls.values())
    assert all(button.description and button.tooltip for button in optimist.squares.values())


def test_the_still_picture_has_all_four_maps_in_words(optimist):
    picture = optimist.still()
    assert len(picture.data) < 60_000
    for words in ("the model: positive − negative: -2: +.75", "the rule: -2: -1, -1, -1, -1, 0",
                  "opposite: +1, +1, 0, -1, -1", "the gap: model − rule: -2: +1.75", "share of right answers: -2: 0%",
                  f"said positive, rule {LABELS[0]}"):
        assert words in picture.alt
