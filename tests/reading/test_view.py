"""A reading as a page shows it: in words and colours, with what was typed kept from being markup."""

from html import unescape

import numpy as np
from PIL import Image

from mmsa_utils import LABELS
from mmsa_utils.reading.reader import Occlusion, Reading
from mmsa_utils.reading.view import (
    answer_html,
    mattered_html,
    region_map,
    regions_in_words,
    signed,
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
    assert "10 ms of model time" in calm


def test_an_answer_of_neither_side_is_explained():
    assert "comes from the two together" in answer_html(made(text=(0.1, 0.8, 0.1), picture=(0.1, 0.1, 0.8)))


def test_a_cut_text_is_mentioned():
    assert "its end was not looked at" in answer_html(made(cut=True))


def test_what_if_tells_of_a_move_or_of_none():
    before, after = made(both=(0.9, 0.1, 0.0)), made(both=(0.0, 0.1, 0.9))
    assert "moves from negative to positive" in whatif_html(before, after, "what if")
    assert "stays negative" in whatif_html(before, before, "what if")


def test_what_mattered_is_said_in_words_and_drawn():
    regions = np.zeros((2, 2))
    regions[1, 0] = -0.4
    shown = Occlusion("negative", (("awful", -0.5), ("<b>", 0.2)), False, regions, Image.new("RGB", (64, 64)))
    assert words_in_words(shown) == "The word that mattered most: “awful” (−0.50)."
    assert regions_in_words(shown) == "The region that mattered most: row 2 of 2, column 1 of 2 (−0.40), framed."
    assert "&lt;b&gt;" in mattered_html(shown)
    drawn = np.asarray(region_map(shown, 100))
    assert drawn[75, 25, 2] > 100  # blue where it mattered
    assert drawn[25, 75].max() == 0  # and black elsewhere, as it was
    nothing = Occlusion("negative", (("a", 0.001),), False, np.zeros((2, 2)), Image.new("RGB", (64, 64)))
    assert "No single word" in words_in_words(nothing)
    assert "No single region" in regions_in_words(nothing)
    assert [signed(change) for change in (-0.5, 0.25, 0.001)] == ["−0.50", "+0.25", "0"]
