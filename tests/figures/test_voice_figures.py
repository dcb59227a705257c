"""Figures of voices: what they draw depends on what is given, and their words say what was measured."""

import base64
import re

import numpy as np
import pytest

from mmsa_utils import Sound, open_sound, plots


def tone(hertz: float, seconds: float = 0.5) -> Sound:
    return Sound((0.3 * np.sin(2 * np.pi * hertz * np.arange(int(16_000 * seconds)) / 16_000)).astype(np.float32))


def test_a_wave_is_drawn_with_the_piece_that_is_named():
    drawn = plots.wave(tone(200), 0.1)
    assert "0.5 seconds" in drawn.alt
    assert "40 milliseconds from 0.10 seconds" in drawn.alt
    assert drawn.data != plots.wave(tone(200), 0.3, 0.02).data != plots.wave(tone(300), 0.3, 0.02).data


def test_spectrograms_go_from_the_loudest_down_as_far_as_is_said():
    pictures = {name: np.random.default_rng(i).normal(-40, 20, (30, 20)) for i, name in enumerate("ab")}
    heights = {"a": (8, "kHz"), "b": (80, "band")}
    drawn = plots.spectrogram_grid(pictures, 0.01, heights, "Two.")
    assert drawn.alt == "Two."
    assert drawn.data != plots.spectrogram_grid(pictures, 0.01, heights, "Two.", depth=10).data
    louder = {name: picture + 7 for name, picture in pictures.items()}
    assert drawn.data == plots.spectrogram_grid(louder, 0.01, heights, "Two.").data


def test_strips_say_their_means():
    drawn = plots.strips({"low": [1, 2, 3], "high": [7.0, 8, 9]}, "semitones")
    assert "low: mean 2.0, middle half 1.5 to 2.5; high: mean 8.0" in drawn.alt


def test_players_hold_half_of_the_samples_and_words_for_who_cannot_hear():
    shown = plots.players({"low": (tone(200), "one low & even tone"), "high": (tone(800), "a high one")})
    assert repr(shown) == "low: one low & even tone\nhigh: a high one"
    html = shown._repr_html_()
    assert "one low &amp; even tone" in html
    assert html.count('aria-label="') == 2
    kept = [base64.b64decode(data) for data in re.findall(r"base64,([^\"]+)", html)]
    assert [len(data) for data in kept] == [44 + 2 * 4000] * 2
    heard = open_sound(kept[0]).samples  # back at 16,000 a second
    assert np.abs(heard - tone(200).samples)[400:-400].max() < 0.01


@pytest.mark.parametrize("rate", [8000, 4000])
def test_what_has_few_samples_is_kept_as_it_is(rate):
    html = plots.players({"a": (Sound(np.zeros(100, np.float32), rate), "silence")})._repr_html_()
    assert len(base64.b64decode(re.findall(r"base64,([^\"]+)", html)[0])) == 44 + 200
