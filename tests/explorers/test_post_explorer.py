"""The explorer of notebook 01: how a post comes by its label."""

import html
import io
import re

import pytest
from PIL import Image

from mmsa_utils import judge, make_post, post_explorer, post_table
from mmsa_utils.posts.phrases import KINDS, words_of
from mmsa_utils.posts.post import LABELS


@pytest.fixture(scope="module")
def posts():
    return post_explorer()


@pytest.fixture
def explorer(posts):
    """Made once; each test finds it as it was when new."""
    start = {name: control.value for name, control in posts.controls.items()}
    yield posts
    for name, value in start.items():
        posts.controls[name].value = value


def page(explorer) -> str:
    return html.unescape(explorer.view.value)


def text_in(explorer) -> str:
    return re.search("“(.+?)”", page(explorer)).group(1)


def label_in(explorer) -> str:
    return re.search("(negative|neutral|positive)</span>", explorer.view.value).group(1)


def test_every_control_is_labelled_and_an_attribute(explorer):
    assert set(explorer.controls) == {"speaks", "two_sided", "text_valence", "text_strength",
                                      "picture_valence", "picture_strength", "conflict", "dish", "seed"}
    for name, control in explorer.controls.items():
        assert getattr(explorer, name) is control
        assert control.description
        assert control.style.description_width == "initial"  # else a long label is cut


def test_the_label_and_its_reason_are_the_rules_own(explorer):
    for kind in KINDS:
        for level in (-2, -1, 0, 1, 2):
            if isinstance(kind, str):
                explorer.speaks.value = kind
            else:
                explorer.speaks.value = ""
                explorer.text_valence.value = (kind > 0) - (kind < 0)
                explorer.text_strength.value = max(1, abs(kind))
            explorer.picture_valence.value = (level > 0) - (level < 0)
            explorer.picture_strength.value = max(1, abs(level))
            valence, relation, reason = judge(kind, level)
            assert label_in(explorer) == LABELS[valence + 1]
            assert f"{relation}: {reason}." in page(explorer)
            assert f"level {level}" in explorer.view.value
            assert text_in(explorer) == make_post(kind, level).text


def test_the_same_words_can_have_opposite_labels(explorer):
    explorer.speaks.value = "opposite"
    words, label = text_in(explorer), label_in(explorer)
    explorer.picture_valence.value = 1
    assert text_in(explorer) == words
    assert {label, label_in(explorer)} == {"negative", "positive"}


def test_the_other_valence_is_the_same_words_the_other_way_round(explorer):
    explorer.two_sided.value = True
    words, label = text_in(explorer), label_in(explorer)
    explorer.text_valence.value = -explorer.text_valence.value
    assert text_in(explorer) != words
    assert sorted(words_of(text_in(explorer))) == sorted(words_of(words))
    explorer.picture_valence.value = 0  # the text decides
    assert label_in(explorer) == "negative"
    explorer.text_valence.value = 1
    assert label_in(explorer) == "positive"
    assert label == "negative"  # sarcasm
    explorer.text_valence.value = 0  # without a feeling there are no two sides of it
    assert "alert" not in explorer.view.value


def test_a_text_about_its_picture_has_no_feeling_to_choose(explorer):
    assert not explorer.text_valence.disabled
    explorer.speaks.value = "same"
    assert explorer.text_valence.disabled
    assert explorer.text_strength.disabled
    explorer.speaks.value = ""
    assert not explorer.text_strength.disabled


@pytest.mark.parametrize("conflict", [0.05, 0.2, 0.55, 1.0])
def test_the_share_is_the_tables(explorer, conflict):
    explorer.conflict.value = conflict  # the controls start at sarcasm: glowing words over an awful picture
    share = sum(state.share for state in post_table(conflict) if state[:2] == (2, -2))
    assert f"At conflict {conflict:.2f}, {share:.1%} of all posts" in explorer.view.value


def test_a_state_that_never_happens_is_said_to(explorer):
    explorer.conflict.value = 0
    assert "no post is in this state" in explorer.view.value
    explorer.picture_valence.value = 1
    assert "no post is in this state" not in explorer.view.value


def test_ceilings_of_one_side_fall_and_rise_again(explorer):
    def ceilings():
        return [float(value) for value in re.findall(r">(\d\.\d\d)</td>", explorer.view.value)]

    at = {}
    for conflict in (0, 0.7, 1):
        explorer.conflict.value = conflict
        at[conflict] = ceilings()
    assert [len(values) for values in at.values()] == [5, 5, 5]
    for text_any_order, text, picture, any_order, both in at.values():
        assert text_any_order < text < any_order
        assert picture < any_order <= both == 1
    assert at[0][1] > at[0.7][1] < at[1][1]
    assert at[0][2] > at[0.7][2] < at[1][2]
    assert at[0][3] > at[0.7][3] < at[1][3] == 1  # the picture tells the order where the sides always contradict


def test_another_seed_or_dish_is_another_post(explorer):
    seen = {explorer.view.value}
    for name, value in (("seed", 20), ("dish", "croissant")):
        getattr(explorer, name).value = value
        seen.add(explorer.view.value)
    assert len(seen) == 3
    assert "croissant" in text_in(explorer)


def test_every_control_works_at_its_ends(explorer):
    for control in explorer.controls.values():
        ends = (control.min, control.max) if hasattr(control, "min") else [v for _, v in _options(control)]
        for value in ends:
            control.value = value
            assert "alert" not in explorer.view.value
            assert "<img" in explorer.view.value


def _options(control):
    options = control.options
    return list(options.items()) if isinstance(options, dict) else [o if isinstance(o, tuple) else (o, o)
                                                                    for o in options]


def test_the_picture_for_pages_without_a_kernel_holds_every_state(explorer):
    shown = explorer.still()
    image = Image.open(io.BytesIO(shown.data))
    assert image.format == "PNG"
    assert len(shown.data) < 60_000
    for kind in KINDS:
        labels = [LABELS[judge(kind, level)[0] + 1] for level in (-2, -1, 0, 1, 2)]
        assert re.search(rf"text {kind}: " + r" [\d.]+%, ".join(labels), shown.alt), kind
    assert ("text in any order 0.53, text alone 0.59, picture alone 0.74, both in any order 0.94, both 1.00"
            in shown.alt)
