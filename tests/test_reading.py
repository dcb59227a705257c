"""One post read in full: the answer is the model's own, a side alone is judged soundly, and bad input is refused."""

import io
import json
import threading
import time
from html import unescape

import numpy as np
import pytest
from helpers import hand_over
from PIL import Image

from mmsa_utils.posts import own as files
from mmsa_utils.reading import reader as reading
from mmsa_utils.posts.food import FoodPosts, burger_example
from mmsa_utils.posts.post import Post
from mmsa_utils.posts.pictures import picture_from_bytes
from mmsa_utils.model.model import MultimodalSentimentModel
from mmsa_utils.model.saving import load_model
from mmsa_utils.reading.reader import MAX_TEXT, MAX_WORDS, Occlusion, Reader, Reading, examples, quick_align
from mmsa_utils.reading.view import answer_html, mattered_html, region_map, regions_in_words, signed, whatif_html, words_in_words
from mmsa_utils.posts.post import BINARY_LABELS, LABELS
from mmsa_utils.explorers.reading import prediction_explorer


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader(load_model())


@pytest.fixture(scope="module")
def burger() -> Post:
    return burger_example()


def made(text=(0.1, 0.2, 0.7), picture=(0.8, 0.1, 0.1), both=(0.5, 0.3, 0.2), **changes) -> Reading:
    return Reading(**{"classes": LABELS, "both": both, "text": text, "picture": picture, "cut": False,
                      "seconds": 0.01} | changes)


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "png")
    return buffer.getvalue()


# --- reading ---


def test_the_answer_is_the_models_own(reader, burger):
    read = reader.read(burger.text, burger.image)
    own = reader.model.predict([burger.text], [burger.image])[0]
    assert read.classes == LABELS
    assert read.both == pytest.approx(own.tolist(), abs=1e-5)
    assert read.answers == {"both": "positive", "text": "positive", "picture": "positive"}
    for side in (read.both, read.text, read.picture):
        assert sum(side) == pytest.approx(1, abs=1e-5)
    assert json.loads(json.dumps(read.summary))["label"] == "positive"


def test_a_side_alone_does_not_know_the_other(reader, burger):
    awful = examples()["sarcasm"]
    here, there = reader.read(burger.text, burger.image), reader.read(burger.text, awful.image)
    assert here.text == pytest.approx(there.text, abs=1e-6)
    assert here.picture != pytest.approx(there.picture, abs=0.1)
    assert reader.read(awful.text, burger.image).picture == pytest.approx(here.picture, abs=1e-6)


def test_a_side_alone_stands_near_its_ceiling(reader):
    posts = list(FoodPosts(300, "validation"))
    readings = [reader.read(post.text, post.image) for post in posts]
    right = {side: np.mean([read.answers[side] == LABELS[post.label] for read, post in zip(readings, posts)])
             for side in ("both", "text", "picture")}
    assert right["both"] > 0.9
    assert 0.47 < right["text"] < 0.66  # the best possible is 0.586, give or take the luck of 300 posts
    assert 0.66 < right["picture"] < 0.81  # 0.730
    said = np.array([read.contradicts for read in readings])
    true = np.array([post.relation == "contradict" for post in posts])
    assert said[true].mean() > 0.85
    assert true[said].mean() > 0.7


def test_the_examples_are_read_as_they_are_meant(reader):
    readings = {name: reader.read(post.text, post.image) for name, post in examples().items()}
    assert [read.answers["both"] for read in readings.values()] == [LABELS[p.label] for p in examples().values()]
    assert [read.winner for read in readings.values()] == ["", "text", "picture", ""]
    assert readings["nothing like the photo"].answers["picture"] == "positive"  # and yet negative


@pytest.mark.parametrize(("answers", "winner"), [
    ({"both": (0.7, 0.2, 0.1)}, "picture"), ({"both": (0.1, 0.2, 0.7)}, "text"),
    ({"both": (0.2, 0.7, 0.1)}, "neither"), ({"text": (0.1, 0.8, 0.1)}, ""), ({"picture": (0.1, 0.1, 0.8)}, ""),
    ({"classes": BINARY_LABELS, "both": (0.9, 0.1), "text": (0.2, 0.8), "picture": (0.7, 0.3)}, "picture")])
def test_who_won(answers, winner):
    read = made(**answers)
    assert (read.winner, read.contradicts) == (winner, winner != "")


def test_every_model_of_the_course_can_be_read(burger, tmp_path):
    two = MultimodalSentimentModel("bert", "resnet18", num_outputs=1, frozen=True)
    two.train().save_pretrained(tmp_path)
    for model in (two, load_model(tmp_path)):
        reader = Reader(model, references=4)
        read = reader.read(burger.text, burger.image)
        assert (read.classes, len(read.both)) == (BINARY_LABELS, 2)
        assert reader.occlude(burger.text, burger.image, grid=2).answer in BINARY_LABELS


def test_a_photo_of_many_pixels_is_read_like_a_small_one(reader, burger):
    small, large = (reader.read(burger.text, burger.image.resize((side, side), Image.Resampling.BICUBIC))
                    for side in (256, 3000))
    assert small.both == pytest.approx(large.both, abs=0.02)


def test_the_end_of_a_long_text_is_owned_up_to(reader, burger):
    assert not reader.read(burger.text, burger.image).cut
    assert reader.read("good burger " * 100, burger.image).cut


def test_model_time_is_short(reader, burger):
    def best_median() -> float:
        rounds = [[reader.read(burger.text, burger.image).seconds for _ in range(15)] for _ in range(4)]
        return min(float(np.median(times)) for times in rounds)

    deadline = time.monotonic() + 20
    while (seconds := best_median()) > 0.03 and time.monotonic() < deadline:
        time.sleep(1)  # a busy machine: wait for a quiet moment
    assert seconds <= 0.03


def test_threads_take_turns(reader, burger):
    words = ["delicious", "awful " * 30, "a burger", "not bad at all"]
    expected = {text: reader.read(text, burger.image).both for text in words}
    wrong = []

    def ask(text: str) -> None:
        for _ in range(5):
            if reader.read(text, burger.image).both != pytest.approx(expected[text], abs=1e-5):
                wrong.append(text)

    threads = [threading.Thread(target=ask, args=(text,)) for text in words * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


# --- what is refused, and how ---


@pytest.mark.parametrize("text", ["", "   \n\t ", None, 3])
def test_no_text_is_refused(reader, burger, text):
    for ask in (reader.read, reader.occlude):
        with pytest.raises(ValueError, match="no text: write"):
            ask(text, burger.image)


def test_the_longest_text_is_read_and_a_longer_one_refused(reader, burger):
    assert reader.read("a" * MAX_TEXT, burger.image).both
    with pytest.raises(ValueError, match=r"2,001 characters, expected at most 2,000"):
        reader.read("a" * (MAX_TEXT + 1), burger.image)


@pytest.mark.parametrize("text", ["\ud800 half a pair", "😀", "a\x00b", "𝕭urger", "لذيذ", "{{value}} ${1+1} <script>"])
def test_odd_text_is_read(reader, burger, text):
    assert sum(reader.read(text, burger.image).both) == pytest.approx(1, abs=1e-5)
    assert "<script>" not in mattered_html(reader.occlude(text, burger.image, grid=2))


@pytest.mark.parametrize("image", [None, "photo.jpg", b"bytes"])
def test_no_picture_is_refused(reader, image):
    with pytest.raises(ValueError, match="no picture: add one"):
        reader.read("good", image)


def test_a_picture_of_too_many_pixels_is_refused(reader, monkeypatch):
    monkeypatch.setattr(reading, "MAX_PIXELS", 99)
    with pytest.raises(ValueError, match=r"10 x 10 pixels"):
        reader.read("good", Image.new("RGB", (10, 10)))


@pytest.mark.parametrize("image", [Image.new("L", (1, 1)), Image.new("RGBA", (3, 500)), Image.new("CMYK", (900, 2))])
def test_odd_pictures_are_read(reader, image):
    assert reader.read("good", image).both
    assert reader.occlude("good", image, grid=3).regions.shape == (3, 3)


def test_uploaded_bytes_are_opened_or_refused_by_name(burger):
    data = png(burger.image)
    for given in (data, memoryview(data)):
        assert np.array_equal(picture_from_bytes(given), burger.image)
    with pytest.raises(ValueError, match=r"^the picture has more than 5 MB"):
        picture_from_bytes(b"\0" * (files.MAX_BYTES + 1), "the picture")
    for bad in (b"", b"not a picture", data[:300], b"<svg xmlns='http://www.w3.org/2000/svg'/>"):
        with pytest.raises(ValueError, match=r"^the file cannot be read as a picture \([^<]*\): save it again") as info:
            picture_from_bytes(bad)
        assert "0x" not in str(info.value)  # no object in memory is named


# --- what mattered ---


def test_the_word_and_the_region_that_matter_are_found(reader):
    posts = examples()
    pizza, sarcasm = posts["a contradiction"], posts["sarcasm"]
    words = reader.occlude(pizza.text, pizza.image)
    assert words.answer == "negative"
    assert [word for word, _ in words.words] == pizza.text.split()
    assert min(words.words, key=lambda pair: pair[1])[0] == "disgusting."
    regions = reader.occlude(sarcasm.text, sarcasm.image).regions
    assert regions.shape == (8, 8)
    assert regions.min() < -0.2
    assert abs(regions[[0, 0, -1, -1], [0, -1, 0, -1]]).max() < 0.1  # nothing in the corners


def test_occlusion_is_what_it_says(reader, burger):
    shown = reader.occlude("This burger is awful", burger.image, grid=4)
    whole, without = (reader.read(text, burger.image) for text in ("This burger is awful", "This burger is"))
    answer = whole.classes.index(shown.answer)
    assert dict(shown.words)["awful"] == pytest.approx(without.both[answer] - whole.both[answer], abs=1e-4)
    assert shown.seen.size == (64, 64)
    assert np.abs(np.asarray(shown.seen, int) - np.asarray(burger.image, int)).max() <= 1
    covered = np.array(burger.image)
    covered[:24, :24] = 127.5  # row 0, column 0 of 4: half a region more on each side
    patched = reader.read("This burger is awful", Image.fromarray(covered))
    assert shown.regions[0, 0] == pytest.approx(patched.both[answer] - whole.both[answer], abs=0.01)


def test_words_beyond_the_bound_are_not_tried_and_that_is_said(reader, burger):
    shown = reader.occlude("good " * (MAX_WORDS + 1), burger.image, grid=2)
    assert (len(shown.words), shown.cut) == (MAX_WORDS, True)
    assert f"first {MAX_WORDS} words" in mattered_html(shown)
    assert "words were tried" not in mattered_html(reader.occlude("good", burger.image, grid=2))


# --- a pair whose head does not ship ---


def test_a_head_is_aligned_on_the_spot(burger):
    model, accuracy = quick_align("bert", "resnet18", "mini", posts=400)
    assert 0.5 < accuracy < 1
    assert Reader(model, 4).read(burger.text, burger.image).answers["both"] == "positive"


# --- as a page shows it ---


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


# --- the explorer of notebook 08 ---


@pytest.fixture
def explorer():
    return prediction_explorer(load_model())


def test_the_explorer_reads_what_its_controls_say(explorer):
    assert "positive" in explorer.view.value
    assert "disagree" not in explorer.view.value
    explorer.example.value = "sarcasm"
    assert explorer.text.value == "What a glorious burger!"
    assert explorer.picture.value == "sarcasm"
    assert "The answer took the picture's side" in unescape(explorer.view.value)
    explorer.whatif_picture.value = "the burger"
    assert "moves from negative to positive" in explorer.view.value
    explorer.text.value = " "
    assert "no text" in explorer.view.value


def test_the_explorer_shows_what_mattered_until_something_changes(explorer):
    explorer.mattered.click()
    assert "regions" in explorer.mattered_view.value
    explorer.text.value = "This burger is awful."
    assert explorer.mattered_view.value == ""
    explorer.text.value = ""
    explorer.mattered.click()
    assert "no text" in explorer.mattered_view.value


def test_the_explorer_takes_a_file(explorer, burger, monkeypatch):
    explorer.picture.value = "my own file"
    assert "upload one" in explorer.view.value
    explorer.picture.value = "the burger"
    content = png(burger.image)
    hand_over(explorer.upload, ("mine.png", content))
    assert explorer.picture.value == "my own file"
    assert "positive" in explorer.view.value
    hand_over(explorer.upload, ("mine.png", b"bad"))
    assert "cannot be read as a picture" in explorer.view.value


def test_every_control_has_a_description_and_the_still_alt_text(explorer):
    assert all(control.description for control in explorer.controls.values())
    data, metadata = explorer._repr_mimebundle_()
    assert {"image/png", "application/vnd.jupyter.widget-view+json"} <= set(data)
    assert "What a glorious burger!" in metadata.get("image/png", metadata)["alt"]


def test_a_move_of_the_explorer_is_answered_within_a_tenth_of_a_second(explorer, one_thread):
    names = list(examples())

    def median() -> float:
        times = []
        for i in range(12):
            start = time.perf_counter()
            explorer.whatif_picture.value = names[i % 4]
            times.append(time.perf_counter() - start)
        return float(np.median(times))

    assert min(median() for _ in range(4)) <= 0.1
