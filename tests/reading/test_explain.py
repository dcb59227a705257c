"""Explanations point at what gives the mood of a drawn post, more often than chance and than their rivals."""

import numpy as np
import pytest
from explanations import LEVELS, drawn, worded
from PIL import Image

from mmsa_utils import Reader, burger_example, load_model
from mmsa_utils.posts.scenes import TRAIN_DISHES
from mmsa_utils.reading.explain import GRID, HITS, covered, explain_picture, explain_text
from mmsa_utils.reading.reader import MAX_WORDS


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader(load_model())


def share(words: str) -> float:
    """"9 of 10" → 0.9."""
    hits, of = words.split(" of ")
    return int(hits) / int(of)


def test_the_truth_of_a_text_is_its_phrase():
    text, inside = worded(-1, "soup", np.random.default_rng(0), False)
    assert 0 < sum(inside) < len(inside) == len(text.split())
    assert "soup" not in [word for word, counts in zip(text.split(), inside) if counts]


def test_the_truth_of_a_picture_is_its_marks():
    _, rotten = drawn(-2, "burger", np.random.default_rng(0))
    _, plain = drawn(0, "burger", np.random.default_rng(0))
    assert rotten.shape == (GRID, GRID)
    assert rotten.max() > 0.5
    assert plain.max() == 0


def test_the_first_word_lies_in_the_phrase_as_often_as_the_page_says(reader):
    hits = []
    for i in range(100):
        rng = np.random.default_rng((9, i))
        text, inside = worded(LEVELS[i % 4], TRAIN_DISHES[i % 12], rng, False)
        support = [value for _, value in explain_text(reader, text).words]
        hits.append(inside[int(np.argmax(support))])
    assert np.mean(hits) > share(HITS["text"]) - 0.1


def test_the_first_region_lies_on_the_marks_nearly_as_often_as_the_page_says(reader):
    hits, chance = [], []
    for i in range(24):
        image, marked = drawn(LEVELS[i % 4], TRAIN_DISHES[i % 12], np.random.default_rng((9, i)))
        hits.append(marked.ravel()[explain_picture(reader, image).regions.argmax()] >= 0.25)
        chance.append((marked >= 0.25).mean())
    assert np.mean(hits) > max(share(HITS["picture"]) - 0.2, 3 * np.mean(chance))


def test_the_showcase_has_reasons_of_its_own(reader):
    burger = burger_example()
    words = explain_text(reader, burger.text)
    assert words.answer == "positive"
    assert max(words.words, key=lambda pair: pair[1])[0] == "delicious!"
    assert max(value for _, value in words.words) > 0.2
    assert explain_picture(reader, burger.image).answer == "positive"


def test_words_are_what_they_say(reader):
    whole, without = reader.alone("text", ["This burger is awful", "This burger is"])
    shown = explain_text(reader, "This burger is awful")
    answer = reader.classes.index(shown.answer)
    assert dict(shown.words)["awful"] == pytest.approx(float(whole[answer] - without[answer]), abs=1e-5)


def test_words_beyond_the_bound_are_not_tried(reader):
    shown = explain_text(reader, "good " * (MAX_WORDS + 1))
    assert (len(shown.words), shown.cut) == (MAX_WORDS, True)


def test_a_patch_covers_one_region_and_no_more():
    white, black = Image.new("L", (80, 40), 255), Image.new("L", (80, 40), 0)
    patched = np.asarray(covered(white, black, 4, 0.5, 5))  # row 1, column 1 of 4
    assert (patched[10:20, 20:40] == 0).all()
    assert (patched == 0).sum() == 200


@pytest.mark.parametrize("image", [Image.new("L", (1, 1)), Image.new("RGBA", (3, 500)), Image.new("CMYK", (900, 2))])
def test_odd_pictures_are_explained(reader, image):
    assert explain_picture(reader, image, grid=3).regions.shape == (3, 3)


@pytest.mark.parametrize(("ask", "said"), [
    (lambda reader: explain_text(reader, " "), "no text"),
    (lambda reader: explain_picture(reader, None), "no picture")])
def test_nothing_is_refused(reader, ask, said):
    with pytest.raises(ValueError, match=said):
        ask(reader)
