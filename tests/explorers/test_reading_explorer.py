"""The explorer of notebook 08 reads what its controls say, a file of one's own included."""

import io
from html import unescape

import pytest
from helpers import hand_over

from mmsa_utils import burger_example, load_model
from mmsa_utils.explorers.reading import prediction_explorer


@pytest.fixture
def explorer():
    return prediction_explorer(load_model())


def test_it_reads_what_its_controls_say(explorer):
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


def test_it_shows_what_mattered_until_something_changes(explorer):
    explorer.mattered.click()
    assert "speaks most for" in explorer.mattered_view.value
    explorer.text.value = "This burger is awful."
    assert explorer.mattered_view.value == ""
    explorer.text.value = ""
    explorer.mattered.click()
    assert "no text" in explorer.mattered_view.value


def test_what_the_answer_left_out_is_not_explained(explorer):
    explorer.text.value = "Die Bahn kam heute wieder zu spät, und es regnete"
    assert "was left out" in explorer.view.value
    explorer.mattered.click()
    assert "The answer left the text out" in explorer.mattered_view.value
    assert "the text alone says" not in explorer.mattered_view.value
    assert "the picture alone says" in explorer.mattered_view.value


def test_it_takes_a_file(explorer):
    explorer.picture.value = "my own file"
    assert "upload one" in explorer.view.value
    explorer.picture.value = "the burger"
    file = io.BytesIO()
    burger_example().image.save(file, "png")
    hand_over(explorer.upload, ("mine.png", file.getvalue()))
    assert explorer.picture.value == "my own file"
    assert "positive" in explorer.view.value
    hand_over(explorer.upload, ("mine.png", b"bad"))
    assert "cannot be read as a picture" in explorer.view.value


def test_every_control_has_a_description_and_the_still_alt_text(explorer):
    assert all(control.description for control in explorer.controls.values())
    data, metadata = explorer._repr_mimebundle_()
    assert {"image/png", "application/vnd.jupyter.widget-view+json"} <= set(data)
    assert "What a glorious burger!" in metadata.get("image/png", metadata)["alt"]
