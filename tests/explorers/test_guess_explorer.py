"""The explorer of notebook 00: two guesses a post, the label with its rule, and a score that counts right."""

import html
import re

import pytest

from mmsa_utils import LABELS, FoodPosts, Post, guess_explorer, judge, make_post
from mmsa_utils.explorers.guess import STATES, picture_says, words_say
from mmsa_utils.posts.phrases import KINDS


def shown(explorer) -> str:
    """The words that a reader sees, and hears of the pictures."""
    text = re.sub(r'<img[^>]* alt="([^"]*)"[^>]*>', r" \1 ", explorer.view.value)
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text)))


def press(explorer, *names: str) -> str:
    for name in names:
        explorer.controls[name].click()
    return shown(explorer)


def row(explorer, name: str) -> str:
    return re.search(rf"{name}((?: [−0+?])*) (\d+ of \d+)", shown(explorer)).group().removeprefix(f"{name} ")


@pytest.fixture(scope="module")
def posts():
    return [make_post(kind, level, seed=3) for kind, level in STATES]


@pytest.fixture
def explorer(posts):
    return guess_explorer(posts)


def test_the_picture_and_the_label_come_one_after_the_other(explorer, posts):
    first = shown(explorer)
    assert posts[0].text in first
    assert "<img" not in explorer.view.value
    assert "label" not in first
    second = press(explorer, "negative")
    assert "looks plain" in second
    assert "By the words you say negative." in second
    assert "label" not in second
    assert "0 of 0" in second  # nothing is given away before the second guess
    third = press(explorer, "neutral")
    assert "With the picture you say neutral." in third
    assert f"Right, the label is neutral. The rule: {posts[0].reason}." in third
    assert press(explorer, "positive") == third  # too late


def test_next_goes_on_whether_it_was_guessed_or_not_and_begins_again(explorer, posts):
    for place, post in enumerate(posts):
        assert f"post {place + 1} of 8" in shown(explorer)
        assert post.text in shown(explorer)
        assert explorer.next.description == ("see the score" if place == 7 else "next post")
        press(explorer, "next")
    assert explorer.next.description == "begin again"
    assert row(explorer, "you, by the words") == "? ? ? ? ? ? ? ? 0 of 8"
    assert "post 1 of 8" in press(explorer, "next")


def test_every_verdict_is_the_rules_own():
    states = [(kind, level) for kind in KINDS for level in (-2, -1, 0, 1, 2)]
    explorer = guess_explorer([make_post(kind, level, pixels=16) for kind, level in states])
    for kind, level in states:
        valence, _, reason = judge(kind, level)
        said = press(explorer, "positive", "positive")
        assert f"label is {LABELS[valence + 1]}. The rule: {reason}." in said
        assert ("Right" in said.split("label is")[0]) == (valence == 1)
        word = {-1: "negative", 0: "neutral", 1: "positive"}
        alone = ("nothing, they speak of their picture" if isinstance(kind, str)
                 else word[(kind > 0) - (kind < 0)])
        assert f"The words alone say {alone}; the picture alone says {word[(level > 0) - (level < 0)]}." in said
        press(explorer, "next")


def test_the_score(explorer, posts):
    for post in posts:
        press(explorer, "positive", LABELS[post.label], "next")
    by_words = sum(LABELS[post.label] == "positive" for post in posts)
    assert row(explorer, "you, by the words") == f"+ + + + + + + + {by_words} of 8"
    assert row(explorer, "you, with the picture").endswith(" 8 of 8")
    assert row(explorer, "the words alone") == "0 ? + − ? 0 + ? 2 of 8"
    assert row(explorer, "the picture alone") == "0 + − + − − − + 4 of 8"
    assert row(explorer, "the label") == "0 + − 0 + − + − 8 of 8"


def test_a_slip_of_the_annotator_is_not_put_down_to_the_rule():
    posts = FoodPosts(60, label_noise=1.0, pixels=16)
    explorer = guess_explorer(posts)
    said = press(explorer, "neutral", "neutral")
    valence, _, reason = judge(posts[0].text_kind, posts[0].picture_level)
    assert f"by the rule ({reason}) it would be {LABELS[valence + 1]}." in said
    assert "The rule:" not in said


def test_each_side_by_itself(posts):
    assert [words_say(post) for post in posts[:3]] == ["neutral", "", "positive"]
    assert [picture_says(post) for post in posts[:3]] == ["neutral", "positive", "negative"]


def test_without_posts_of_your_own_there_are_eight_of_all_kinds():
    game = guess_explorer().game
    assert [(post.text_kind, post.picture_level) for post in game.posts] == list(STATES)
    assert len({post.text for post in game.posts}) == 8


@pytest.mark.parametrize(("posts", "words"), [
    ([], "no posts"), (FoodPosts(3, binary=True), "classes are negative, positive"),
    ([Post("good", make_post(0, 0).image, 2)], "post 0 has no text, no picture or no rule")])
def test_other_posts_are_refused(posts, words):
    with pytest.raises(ValueError, match=words):
        guess_explorer(posts)


def test_the_still_picture_gives_no_label_away(explorer, posts):
    picture = explorer.still()
    assert len(picture.data) < 60_000
    assert all(f"{n}. “{post.text}”, over a picture of burger that looks" in picture.alt
               for n, post in enumerate(posts, 1))
    assert not any(label in picture.alt for label in LABELS)


def test_every_button_says_what_it_does(explorer):
    assert [button.description for button in explorer.controls.values()] == [*LABELS, "next post"]
