"""What a model could not read of some texts: where they were cut, and words that it does not know."""

import time

import helpers
import pytest
import toys

from mmsa_utils import MultimodalSentimentModel, load_image_encoder, load_text_encoder
from mmsa_utils.encoders.base import Unread
from mmsa_utils.model.remarks import remarks

LONG = "soup " * 70


@pytest.mark.parametrize("text", ["This burger is delicious!", "!!!", ":)", "crème brûlée", "Xyzzyqwrt", "x " * 62])
def test_nothing_is_said_of_what_is_read(text):
    assert remarks(helpers.mini(), [text]) == []
    assert load_text_encoder("bert").unknown(text) == []


def test_a_text_that_is_cut():
    assert remarks(helpers.mini(), [LONG]) == ["the text was cut after 64 tokens: what stands behind was not read."]


@pytest.mark.parametrize(("text", "unknown"), [
    ("好吃", ["好", "吃"]), ("यह बर्गर", ["यह", "बर्गर"]), ("هذا البرغر لذيذ", ["هذا", "البرغر", "لذيذ"]), ("😀", ["😀"]),
    ("Привет, мир! Привет!", ["Привет", "мир"]), ("👩‍🍳", ["👩‍🍳"]), ("\u200b", [])])
def test_a_text_of_which_nothing_is_known(text, unknown):
    said, = remarks(helpers.mini(), [text])
    assert "knows no word" in said
    assert "means nothing" in said
    assert load_text_encoder("distilbert").unknown(text) == unknown


def test_a_word_that_is_not_known():
    said, = remarks(helpers.mini(), ["ok 👍🏽 soup, 👍🏽"])
    assert "a word that the model does not know (“👍🏽”)" in said


def test_an_answer_is_the_same_whatever_an_unknown_word_is():  # what the sentence claims
    encoder = load_text_encoder("distilbert")
    assert encoder.prepare(["好吃"])["input_ids"].tolist() == encoder.prepare(["难吃"])["input_ids"].tolist()


def test_many_texts_are_counted_with_three_examples():
    texts = ["fine", None, "好", "ok 🍔", "ok 🍟", "ok 🥗", "ok 🍕", *(f"{word} {LONG}" for word in "abcd")]
    cut, blank, odd = remarks(helpers.mini(), texts)
    assert cut.startswith("4 of 10 texts were cut after 64 tokens (“a soup soup")
    assert cut.count("“") == 3
    assert blank.startswith("1 of 10 texts holds no word that the model knows (“好”)")
    assert odd.startswith("4 of 10 texts hold 4 words that the model does not know (“🍔”, “🍟”, “🥗”, …)")


@pytest.mark.parametrize("texts", [None, [], [None, None]])
def test_no_texts(texts):
    assert remarks(helpers.mini(), texts) == []


def test_a_model_that_reads_no_text():
    model = MultimodalSentimentModel(None, load_image_encoder("vit"))
    assert remarks(model, ["好" * 200]) == []


def test_what_stands_behind_the_cut_is_not_named():
    assert load_text_encoder("bert").unread([LONG + "好", "好"]) == [Unread(True), Unread(False, ("好",), True)]


def test_a_vocabulary_of_bytes_lacks_nothing(tmp_path):
    encoder = load_text_encoder(str(helpers.save_writer(tmp_path)))
    assert encoder.unread(["好吃 😀", "a " * 99]) == [Unread(False), Unread(True)]


def test_an_encoder_that_knows_only_where_it_cuts():
    assert toys.Words(0).unread(["soup", "好"]) == [Unread(False)] * 2


def test_half_a_character_is_no_crash():
    assert remarks(helpers.mini(), ["\ud83d soup"]) == []


def test_a_hundred_thousand_texts_are_looked_through_in_seconds():
    start = time.perf_counter()
    remarks(helpers.mini(), [f"This burger {i} is delicious 😀" for i in range(20_000)])
    assert time.perf_counter() - start < 20  # 0.8 s on two idle cores; word by word it would take minutes
