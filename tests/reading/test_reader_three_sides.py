"""A post with a voice, and posts that lack a side: who is asked, who won, and what is said about it."""

import json
from html import unescape

import numpy as np
import pytest
import torch
from PIL import Image

from mmsa_utils import LABELS, MultimodalSentimentModel, Reader, burger_example, load_model
from mmsa_utils.encoders.table import load_voice_encoder
from mmsa_utils.model.familiarity import Cloud
from mmsa_utils.posts.sound import Sound
from mmsa_utils.posts.spoken import make_spoken
from mmsa_utils.reading.examples import spoken_examples
from mmsa_utils.reading.explain import Regions, Words, explain_picture, explain_text
from mmsa_utils.reading.reading import Reading
from mmsa_utils.reading.view import answer_html, mattered_html

GOOD, FAIR, BAD = (0.1, 0.2, 0.7), (0.1, 0.8, 0.1), (0.7, 0.2, 0.1)
THREE = ("text", "picture", "voice")


@pytest.fixture(scope="module")
def burger():
    return make_spoken(2, 2, 2, dish="burger", seed=0)


def three_sided(absent: bool) -> Reader:
    return Reader(MultimodalSentimentModel(voice=load_voice_encoder("whisper", pretrained=False), absent=absent,
                                            frozen=True), references=4)


@pytest.fixture(scope="module")
def taught() -> Reader:
    return three_sided(absent=True)


@pytest.fixture(scope="module")
def untaught() -> Reader:
    return three_sided(absent=False)


@pytest.fixture(scope="module")
def two() -> Reader:
    return Reader(load_model(), references=8)


# --- three sides ---


def test_all_three_are_read(taught, burger):
    read = taught.read(burger.text, burger.image, burger.voice)
    own = taught.model.predict([burger.text], [burger.image], [burger.voice])[0]
    assert read.both == pytest.approx(own.tolist(), abs=1e-5)
    assert (read.reads, read.there, read.missing, read.counted) == (THREE, THREE, (), THREE)
    assert list(read.answers) == ["all", *THREE]
    for side, item in zip(("text", "image", "voice"), (burger.text, burger.image, burger.voice)):
        name = "picture" if side == "image" else side
        assert getattr(read, name) == pytest.approx(taught.alone(side, [item])[0].tolist(), abs=1e-5)
    said = json.loads(json.dumps(read.summary))
    assert list(said["voice_alone"]) == list(LABELS)
    assert "missing" not in said


@pytest.mark.parametrize("lacks", ["text", "image", "voice", "text image", "image voice", "text voice"])
def test_a_model_that_was_taught_to_do_without_is_simply_asked(taught, burger, lacks):
    post = {side: None if side in lacks else getattr(burger, side) for side in ("text", "image", "voice")}
    read = taught.read(*post.values())
    own = taught.model.predict(*([item] for item in post.values()))[0]
    assert read.both == pytest.approx(own.tolist(), abs=1e-5)
    assert read.remarks == ()
    assert set(read.missing) == {"picture" if side == "image" else side for side in lacks.split()}
    for side in read.missing:
        assert getattr(read, side) is None
        assert read.answers[side] is None
    if len(read.there) == 1:
        assert getattr(read, *read.there) == read.both
    assert read.summary["missing"] == list(read.missing)


def test_another_is_asked_beside_neutral_posts_and_says_so(untaught, burger):
    read = untaught.read(burger.text, None, burger.voice)
    assert read.both != read.text
    assert read.both != read.voice
    assert sum(read.both) == pytest.approx(1, abs=1e-5)
    assert read.remarks == ("the picture is missing, and this model was not taught to do without: the answer is an "
                            "average over neutral ones.",)
    alone = untaught.read(None, None, burger.voice)
    assert alone.both == alone.voice == pytest.approx(read.voice, abs=1e-6)
    assert "the text and the picture are missing" in alone.remarks[0]


def test_a_two_sided_model_does_without_one_too(two):
    burger = burger_example()
    whole, text, picture = (two.read(*post) for post in (
        (burger.text, burger.image), (burger.text, None), (None, burger.image)))
    assert (text.both, text.picture, text.missing) == (text.text, None, ("picture",))
    assert text.text == pytest.approx(whole.text, abs=1e-6)
    assert picture.both == pytest.approx(whole.picture, abs=1e-6)
    assert "the picture is missing" in text.remarks[0]
    assert not text.contradicts
    assert list(text.summary) == ["label", "probabilities", "text_alone", "picture_alone", "contradicts", "winner",
                                  "cut", "missing", "unfamiliar", "remarks", "seconds"]


def test_what_cannot_be_read_is_refused(taught, two, burger):
    with pytest.raises(ValueError, match="neither text nor picture nor voice: give at least one"):
        taught.read(None, None, None)
    with pytest.raises(ValueError, match="this model reads texts and pictures"):
        two.read(burger.text, burger.image, burger.voice)
    with pytest.raises(ValueError, match="the voice"):
        taught.read(burger.text, None, Sound(np.zeros(0, np.float32)))
    with pytest.raises(ValueError, match="expected a Sound"):
        taught.read(burger.text, None, "voice.wav")
    with pytest.raises(ValueError, match="reads a voice, too"):
        taught.occlude(burger.text, burger.image)


def test_the_end_of_a_long_voice_is_owned_up_to(taught, burger):
    long = Sound(np.tile(burger.voice.samples, 6))
    assert "cut after 10 seconds" in " ".join(taught.read(burger.text, None, long).remarks)


def test_explanations_ask_a_side_alone(taught, burger):
    read = taught.read(burger.text, burger.image, burger.voice)
    assert explain_text(taught, burger.text).answer == read.answers["text"]
    assert explain_picture(taught, burger.image, grid=2).answer == read.answers["picture"]


# --- strange sides ---


@pytest.fixture
def strange():
    """A reader to which all voices are strange, and all pictures of one colour."""
    reader = three_sided(absent=True)
    model = reader.model

    def far(side: str, limit: float) -> dict[str, Cloud]:
        width = model.encoders[side].width
        return {level: Cloud(torch.zeros(width), torch.eye(width), torch.tensor(limit))
                for level in ("tokens", "vector")}

    model.familiarity = {"voice": far("voice", 1e-6), "image": far("image", 1e9)}
    return reader


def test_a_strange_side_is_left_out_and_the_others_answer_if_they_are_sure(strange, burger, monkeypatch):
    monkeypatch.setattr("mmsa_utils.learning.asking.SURE", 0.0)
    read = strange.read(burger.text, burger.image, burger.voice)
    assert (read.unfamiliar, read.counted, read.missing) == (("voice",), ("text", "picture"), ())
    own = strange.model.predict([burger.text], [burger.image], [None])[0]
    assert read.both == pytest.approx(own.tolist(), abs=1e-5)
    assert read.voice is None
    assert "the voice is unlike all" in read.remarks[0]
    one = strange.read(burger.text, None, burger.voice)
    assert one.both == one.text == pytest.approx(read.text, abs=1e-6)
    nobody = strange.read(None, None, burger.voice)
    assert (nobody.both, nobody.label) == (None, None)
    monkeypatch.setattr("mmsa_utils.learning.asking.SURE", 1.1)
    unsure = strange.read(burger.text, burger.image, burger.voice)
    assert unsure.both is None
    assert unsure.text is not None
    html = answer_html(unsure)
    assert "no answer" in html
    assert "not sure enough" in html
    strange.model.familiarity = None  # nothing is strange now, and a missing side alone asks for no certainty
    assert strange.read(burger.text, burger.image, None).both is not None


# --- who won ---


def made(text=GOOD, picture=GOOD, voice=BAD, both=BAD, **changes) -> Reading:
    return Reading(**{"classes": LABELS, "both": both, "text": text, "picture": picture, "voice": voice, "cut": False,
                      "seconds": 0.01, "reads": THREE} | changes)


@pytest.mark.parametrize(("changes", "winner"), [
    ({}, "voice"), ({"both": GOOD}, "text and picture"), ({"both": FAIR}, "neither"), ({"voice": GOOD}, ""),
    ({"voice": FAIR}, ""), ({"picture": FAIR}, "voice"), ({"picture": FAIR, "both": FAIR}, "picture"),
    ({"voice": None, "missing": ("voice",)}, ""), ({"both": None}, ""),
    ({"picture": None, "unfamiliar": ("picture",), "both": GOOD}, "text")])
def test_who_won_of_three(changes, winner):
    assert made(**changes).winner == winner


def test_any_two_that_speak_contradict():
    assert made().contradicts
    assert made(text=FAIR).contradicts
    assert not made(text=FAIR, picture=FAIR).contradicts
    assert not made(voice=None).contradicts


# --- in words ---


def test_the_warning_names_all_that_speak_and_who_won():
    html = unescape(answer_html(made()))
    assert ("Text, picture and voice disagree: the text alone says positive, the picture alone positive, the voice "
            "alone negative. The answer took the voice's side.") in html
    assert "The answer took the text's and the picture's side." in unescape(answer_html(made(both=GOOD)))
    assert "Text and voice disagree: the text alone says" in answer_html(made(picture=FAIR))
    assert "The answer took" not in answer_html(made(both=None))
    assert "No side alone would say so: this answer comes from the three together" in answer_html(
        made(voice=GOOD, both=FAIR))
    assert "text, picture and voice" in html


def test_what_is_missing_is_said_with_what_it_would_bring():
    lacks = made(voice=None, both=GOOD, missing=("voice",))
    assert "That is the text and the picture: add a voice to hear what all three say together." in answer_html(lacks)
    assert "the voice alone" not in answer_html(lacks)
    assert "text and picture</div>" in answer_html(lacks)
    alone = answer_html(made(text=None, picture=None, missing=("text", "picture")))
    assert "That is the voice alone: add a text or a picture to hear what they say together." in alone
    assert alone.count("<table") == 1


def test_a_side_that_the_answer_left_out_is_not_explained():
    words = Words("negative", (("awful", 0.5),), False)
    regions = Regions("positive", np.eye(2) / 2, Image.new("RGB", (64, 64)))
    html = mattered_html(words, None, ["picture"])
    assert "The answer left the picture out, so nothing in it is explained." in html
    assert "<img" not in html
    assert "region" not in html
    assert "the framed region is part of it in" in mattered_html(None, regions)
    assert mattered_html(None, None, ["text", "picture"]).count("<div") == 1


def test_the_spoken_examples_are_what_they_are_called():
    posts = spoken_examples()
    assert all(post.voice is not None for post in posts.values())
    assert [name for name, post in posts.items() if post.image is None] == ["without a picture"]
    assert posts["praise in a flat voice"].relation == "sarcasm"
    assert LABELS[posts["praise in a flat voice"].label] == "negative"
    assert LABELS[posts["the voice decides"].label] == "negative"
    assert LABELS[posts["two against one"].label] == "positive"
