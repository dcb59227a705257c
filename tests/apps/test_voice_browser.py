"""The dashboard's voice in a real browser: chosen, recorded with a microphone that is a file, played, read."""

import chromium
import numpy as np
import pytest
from pages import ALONE, kept, strangers, visit

from mmsa_utils import MultimodalSentimentModel, load_model
from mmsa_utils.apps import answers as replies
from mmsa_utils.apps import dashboard
from mmsa_utils.apps import page as pages
from mmsa_utils.posts.sound import wav_bytes
from mmsa_utils.reading.examples import spoken_examples

pytest.importorskip("gradio")
WATCH = """navigator.mediaDevices.asked = 0;
const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
navigator.mediaDevices.getUserMedia = (...rest) => { navigator.mediaDevices.asked += 1; return ask(...rest) };"""


@pytest.fixture(scope="module")
def voice(tmp_path_factory):
    """A file with the voice of an example."""
    path = tmp_path_factory.mktemp("voice") / "flat.wav"
    path.write_bytes(wav_bytes(spoken_examples()["praise in a flat voice"].voice))
    return path


@pytest.fixture(scope="module")
def heard():
    """What the page hears, as it comes."""
    return []


@pytest.fixture(scope="module")
def address(heard):
    """A page whose model with a voice was taught nothing: what is tested is the way there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(replies, "load_model", lambda folder=None, voice=False: MultimodalSentimentModel(
            voice="whisper", absent=True, frozen=True) if voice else load_model(folder))
        listen = replies.heard
        patch.setattr(replies, "heard", lambda path: heard.append(listen(path)) or heard[-1])
        page = pages.build()
        yield dashboard.launch(page)
        page.close(verbose=False)


@pytest.fixture(scope="module")
def browser(voice):
    """Chromium with a microphone into which a file speaks, and which it gives without asking."""
    playwright = pytest.importorskip("playwright.sync_api")
    path = chromium.find_chromium()
    if path is None:
        pytest.skip(chromium.MISSING)
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=str(path), args=[
            *ALONE, "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
            f"--use-file-for-fake-audio-capture={voice}"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser, address):
    with visit(browser, 1300, 1000, permissions=["microphone"]) as (page, asked):
        page.add_init_script(WATCH)
        page.goto(address)
        page.locator("#mattered [data-stamp]").wait_for()
        assert page.locator("#voice, #other_voice, #spoken").count() == 0
        page.locator("#model input").click()
        page.get_by_role("option", name=replies.VOICED).click()
        page.locator("#voice").wait_for()
        in_sight(page, "That is the text and the picture: add a voice")
        yield page
        assert strangers(page, asked) == []
        assert kept(page) == {}


def in_sight(page, words: str, part: str = "#answer") -> None:
    """Wait until a part of the page is new and has these words."""
    page.locator(f"{part}:not(.old)").get_by_text(words).first.wait_for()


def test_two_seconds_are_recorded_read_and_played(page, heard):
    assert page.evaluate("navigator.mediaDevices.asked") == 0  # nobody is asked for a microphone before a click
    field = page.locator("#voice")
    field.get_by_label("Record audio").click()
    field.get_by_role("button", name="Record", exact=True).click()
    page.wait_for_timeout(2000)
    field.get_by_role("button", name="Stop").first.click()
    in_sight(page, "text, picture and voice")
    in_sight(page, "the voice alone")
    sound = heard[-1]
    assert 1.5 < sound.seconds < 10  # as long as a busy machine takes
    assert np.sqrt(np.mean(sound.samples ** 2)) > 0.005  # the file's voice, and not silence
    field.get_by_label("Play", exact=True).click()
    field.get_by_label("Pause", exact=True).wait_for()
    field.get_by_label("Clear").click()
    in_sight(page, "That is the text and the picture: add a voice")


def test_a_file_is_uploaded_and_what_is_no_voice_is_said(page, voice, tmp_path, heard):
    page.locator("#text textarea").fill("")
    page.locator("#picture").get_by_label("Remove Image").click()
    page.locator("#voice input[type=file]").set_input_files(voice)
    in_sight(page, "That is the voice alone: add a text or a picture")
    assert np.abs(heard[-1].samples - spoken_examples()["praise in a flat voice"].voice.samples).max() < 1e-3
    page.locator("#voice").get_by_label("Clear").click()
    (tmp_path / "notes.wav").write_text("a text, whatever its name says")
    page.locator("#voice input[type=file]").set_input_files(tmp_path / "notes.wav")
    page.locator("#answer [role=alert]").filter(has_text="The voice").wait_for()
    assert "/tmp" not in page.locator("body").inner_text()


def test_an_example_speaks_and_another_voice_is_tried(page):
    page.locator("#spoken_flat").click()
    in_sight(page, "text, picture and voice")
    assert page.locator("#text textarea").input_value() == spoken_examples()["praise in a flat voice"].text
    page.locator("#voice_outvoted").click()
    in_sight(page, "with the other voice", "#whatif")
    page.locator("#spoken_unseen").click()
    in_sight(page, "That is the text and the voice: add a picture")
    page.locator("#example_burger").click()
    in_sight(page, "That is the text and the picture: add a voice")
    for width in (1300, 390):  # and nothing is wider than the page
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        for button in page.locator("#spoken button, #other_voices button").all():
            assert button.evaluate("one => one.scrollWidth <= one.clientWidth")
