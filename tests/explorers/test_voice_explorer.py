"""The explorer of notebook 10: a voice that is seen, heard and read, and the rule's reason."""

import base64
import html
import re

import numpy as np
import pytest

from mmsa_utils import LABELS, MultimodalSentimentModel
from mmsa_utils.encoders.table import load_voice_encoder
from mmsa_utils.explorers import voice as room
from mmsa_utils.explorers.voice import TONE_NAMES, spectrogram, spoken, voice_explorer
from mmsa_utils.posts.sound import RATE, Sound, open_sound
from mmsa_utils.posts.spoken import judge_three


@pytest.fixture(scope="module")
def made():
    return voice_explorer()


@pytest.fixture
def explorer(made):
    """Made once; each test finds it as it was when new."""
    start = {name: control.value for name, control in made.controls.items()}
    yield made
    for name, value in start.items():
        made.controls[name].value = value


def heard(explorer) -> Sound:
    data = re.search(r'src="data:audio/wav;base64,([^"]+)"', explorer.view.value)[1]
    return open_sound(base64.b64decode(data))


def test_every_control_is_labelled_and_an_attribute(explorer):
    for name, control in explorer.controls.items():
        assert getattr(explorer, name) is control
        assert control.description
        assert control.style.description_width == "initial"


def test_the_label_and_its_reason_are_the_rules_own(explorer):
    for tone in TONE_NAMES.values():
        for text in (-2, 0, 2):
            explorer.tone.value, explorer.text_level.value, explorer.picture_level.value = tone, text, 1
            valence, relation, reason = judge_three(text, 1, tone)
            said = html.unescape(explorer.view.value)
            assert f"{relation}: {reason}." in said
            assert f"{LABELS[valence + 1]}</span>" in said


def test_praise_in_a_flat_voice_is_sarcasm(explorer):
    assert "positive</span>" in explorer.view.value
    explorer.tone.value = "flat"
    assert "sarcasm: praise in a flat voice" in explorer.view.value
    assert "negative</span>" in explorer.view.value


def test_what_is_played_is_the_voice_and_small(explorer):
    explorer.tone.value, explorer.arousal.value, explorer.speaker.value = -1, 0.5, "Nils"
    post, prosody = spoken(2, 2, -1, 0.5, "Nils", 0)
    sound = heard(explorer)
    assert sound.rate == RATE
    assert np.abs(sound.samples - post.voice.samples).max() < 1e-4
    assert len(explorer.view.value) < 160_000
    assert f"{prosody.pitch:.0f} Hz" in explorer.view.value
    assert 'aria-label="the voice of Nils, tone -1"' in explorer.view.value


def test_excitement_is_heard_and_a_flat_voice_is_slow(explorer):
    before = heard(explorer)
    explorer.arousal.value = 1
    assert np.abs(heard(explorer).samples).max() > 1.2 * np.abs(before.samples).max()
    assert spoken(2, 2, "flat", 0, "Ada", 0)[1].tempo < 0.8 * spoken(2, 2, 2, 0, "Ada", 0)[1].tempo


def test_a_spectrogram_shows_a_tone_where_it_is():
    tone = Sound(np.sin(2 * np.pi * 2000 * np.arange(RATE) / RATE).astype(np.float32))
    shown = spectrogram(tone)
    assert shown.max() == 0
    assert shown.min() == -room.DEEPEST
    assert (shown.argmax(0) == 2000 * room.WINDOW // RATE).all()
    drawn = np.asarray(room.spectrogram_picture(tone, 50, 100), int)
    assert abs(int(drawn.sum((1, 2)).argmax()) - 60) <= 2  # 2 of 5 kHz from the bottom
    assert spectrogram(Sound(np.zeros(100, np.float32))).shape[1] == 1  # shorter than a window, and silent


def test_pictures_have_words(explorer):
    alts = re.findall(r'alt="([^"]+)"', explorer.view.value)
    assert any("seconds" in alt and "kHz" in alt for alt in alts)
    assert len(alts) == explorer.view.value.count("<img")
    data, metadata = explorer._repr_mimebundle_()
    alt = metadata.get("image/png", metadata)["alt"]
    assert all(f"tone {tone} (" in alt for tone in TONE_NAMES)
    assert len(data["image/png"]) < 150_000


def test_a_model_says_what_the_voice_alone_tells_it():
    model = MultimodalSentimentModel(voice=load_voice_encoder("whisper", pretrained=False), absent=True, frozen=True)
    explorer = voice_explorer(model)
    assert "the model: the voice alone" in explorer.view.value
    before = explorer.view.value.split("the model: the voice alone")[1]
    explorer.tone.value = -2
    assert explorer.view.value.split("the model: the voice alone")[1] != before
    with pytest.raises(ValueError, match="reads a voice, too"):
        voice_explorer(MultimodalSentimentModel(frozen=True))
