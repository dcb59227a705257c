"""A reading as a page shows it: in words and colours, with what was typed kept from being markup."""

from html import unescape

import numpy as np
from PIL import Image

from mmsa_utils import LABELS
from mmsa_utils.reading.explain import Regions, Words
from mmsa_utils.reading.reader import Occlusion, Reading
from mmsa_utils.reading.view import (
    answer_html,
    mattered_html,
    region_map,
    regions_in_words,
    whatif_html,
    words_in_words,
)


def made(text=(0.1, 0.2, 0.7), picture=(0.8, 0.1, 0.1), both=(0.5, 0.3, 0.2), **changes) -> Reading:
    return Reading(**{"classes": LABELS, "both": both, "text": text, "picture": picture, "cut": False,
                      "seconds": 0.01} | changes)


def test_the_warning_names_both_sides_and_the_winner():
    html = unescape(answer_html(made(both=(0.7, 0.2, 0.1))))
    assert 'role="alert"' in html
    assert "the text alone says positive, the picture alone negative. The answer took the picture's side." in html
    assert "took neither side" in answer_html(made(both=(0.1, 0.8, 0.1)))
    calm = answer_html(made(text=(0.7, 0.2, 0.1)))
    assert "disagree" not in calm
    assert 'role="alert"' not in calm


def test_an_answer_of_neither_side_is_explained():
    assert "comes from the two together" in answer_html(made(text=(0.1, 0.8, 0.1), picture=(0.1, 0.1, 0.8)))


def test_what_could_not_be_read_is_said_and_the_answer_is_not_bold():
    known, unknown = answer_html(made()), answer_html(made(remarks=("the text was cut <here>",)))
    assert "font-size:1.3em;font-weight:600" in known
    assert "The text was cut &lt;here&gt;" in unknown
    assert "font-size:1.3em;font-weight:400" in unknown


def test_one_side_alone_says_which_it_is_and_what_is_missing():
    html = answer_html(made(picture=None, both=(0.1, 0.2, 0.7), missing=("picture",), remarks=("some remark",)))
    assert "positive" in html
    assert "That is the text alone: add a picture to hear what both say together." in html
    assert "Some remark" in html
    assert "the picture alone" not in html
    assert "text and picture" not in html
    assert "add a text" in answer_html(made(text=None, missing=("text",)))


def test_what_if_tells_of_a_move_or_of_none():
    before, after = made(both=(0.9, 0.1, 0.0)), made(both=(0.0, 0.1, 0.9))
    html = whatif_html(before, {"with a <b>": after, "with the same": before})
    assert html.count('role="status"') == 2  # and nothing about the post itself, which did not change
    assert html.index("with a &lt;b&gt;") < html.index("moves from negative to positive")
    assert html.index("with the same") < html.index("stays negative")


def words(*pairs: tuple[str, float]) -> Words:
    return Words("negative", pairs, False)


def test_words_are_said_without_a_sign():
    assert words_in_words(words(("awful", 0.5), ("is", 0.01), ("nice", -0.2))) == (
        "“awful” speaks for negative, “nice” speaks against negative.")
    assert words_in_words(words(("awful", 0.5), ("vile", 0.3))) == "“awful” and “vile” speak for negative."
    assert words_in_words(words(*zip("abcd", (0.1, 0.2, 0.3, 0.4)))) == "“d”, “c” and “b” speak for negative."
    assert "No single word stands out" in words_in_words(words(("a", 0.01)))


def test_regions_are_named_by_their_place():
    def shown(row: int, column: int, support: float) -> str:
        regions = np.zeros((8, 8))
        regions[row, column] = support
        return regions_in_words(Regions("negative", regions, Image.new("RGB", (64, 64))))

    assert shown(0, 7, 0.4) == "The framed region, at the upper right, speaks most for negative."
    assert "in the middle, speaks most" in shown(3, 4, 0.4)
    assert "region, at the bottom, speaks" in shown(7, 4, 0.4)
    assert "region, on the left, speaks" in shown(3, 0, 0.4)
    assert "without it, too" in shown(3, 4, 0.01)
    assert "No region speaks for it" in shown(3, 4, 0.0)


def test_what_mattered_is_shown_with_how_far_to_trust_it():
    regions = np.zeros((2, 2))
    regions[1, 0] = 0.4
    html = mattered_html(Words("negative", (("awful", 0.5), ("<b>", -0.2)), True),
                         Regions("negative", regions, Image.new("RGB", (64, 64))))
    assert "&lt;b&gt;" in html
    assert "solid" in html
    assert "dashed" in html  # colour is not the only carrier
    assert "first 2 words" in html
    assert "of 10" in html


def test_the_map_is_blue_where_a_region_speaks_for_the_answer_in_both_signs():
    support = np.zeros((2, 2))
    support[1, 0] = 0.4
    seen = Image.new("RGB", (64, 64))
    for shown in (Regions("negative", support, seen), Occlusion("negative", (("a", 0.0),), False, -support, seen)):
        drawn = np.asarray(region_map(shown, 100))
        assert drawn[75, 25, 2] > 100  # blue where it mattered
        assert drawn[25, 75].max() == 0  # and black elsewhere, as it was
    wide = region_map(Regions("negative", support, Image.new("RGB", (300, 100))), 150)
    assert wide.size == (150, 50)  # as wide as the picture is
