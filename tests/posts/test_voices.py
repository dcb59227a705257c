"""Voices: what is heard stands in five cues together and in none alone; every clip is a clip."""

from collections import Counter

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from mmsa_utils.posts.voices import (
    _LARGEST,
    CUES,
    HEARD,
    RATE,
    SPEAKERS,
    UNSEEN_SPEAKERS,
    Prosody,
    Speaker,
    prosody_of,
    speak,
)


def heard_of(prosody: Prosody, speaker: Speaker):
    """What a perfect listener hears, who knows all the numbers and the speaker's voice at rest: one of HEARD."""
    arousal = prosody.energy / 5
    if prosody.range < 4:
        return "flat"
    cues = ((prosody.smile + 0.14) / 0.28, (prosody.tilt - speaker.tilt - arousal + 0.5) / -8,
            1 - prosody.roughness ** (1 / 1.5), (prosody.peak - 0.05) / 0.6, 1 - (prosody.gaps - 0.03) / 0.4)
    return round(2 * (float(np.mean(cues)) - 0.5) * 2 * _LARGEST)


def drawn(n: int, seed: int = 0, heard=HEARD) -> list[tuple]:
    """(what is heard, prosody, speaker), drawn evenly."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(n):
        feeling, speaker = heard[i % len(heard)], SPEAKERS[rng.integers(len(SPEAKERS))]
        rows.append((feeling, prosody_of(feeling, rng.uniform(-1, 1), speaker, rng), speaker))
    return rows


def accuracy(numbers: np.ndarray, signs: np.ndarray) -> float:
    """Of a linear listener: taught on one half, asked on the other."""
    half = len(signs) // 2
    return LinearDiscriminantAnalysis().fit(numbers[:half], signs[:half]).score(numbers[half:], signs[half:])


@pytest.fixture(scope="module")
def clips():
    rows = drawn(96)
    return [(*row, speak(row[1], row[2], np.random.default_rng(i))) for i, row in enumerate(rows)]


def test_a_perfect_listener_hears_it_in_the_numbers():
    assert all(heard_of(prosody, speaker) == heard for heard, prosody, speaker in drawn(3000))


def test_no_number_alone_tells_the_sign_and_all_together_do():
    rows = drawn(4000, heard=(-2, -1, 1, 2))
    signs = np.sign([heard for heard, *_ in rows])
    numbers = np.array([[*prosody, *speaker[1:]] for _, prosody, speaker in rows])
    alone = {name: accuracy(numbers[:, [i]], signs) for i, name in enumerate(Prosody._fields)}
    for name, reached in alone.items():
        assert (0.7 < reached < 0.85) if name in CUES else (0.45 < reached < 0.55), name
    assert accuracy(numbers, signs) > 0.98


def test_pitch_as_measured_tells_nothing_and_the_measured_cues_together_much():
    rows = drawn(200, seed=1, heard=(-2, 2))
    signs = np.sign([heard for heard, *_ in rows])
    measured = np.array([listen(speak(prosody, speaker, np.random.default_rng(i)).samples)
                         for i, (_, prosody, speaker) in enumerate(rows)])
    assert accuracy(measured[:, :1], signs) < 0.62
    assert accuracy(measured[:, 1:], signs) > 0.85


def listen(samples: np.ndarray) -> list[float]:
    """Median pitch (semitones), evenness of the pulses, share of loud frames, and brightness in two bands (dB)."""
    frames = np.lib.stride_tricks.sliding_window_view(samples, 640)[::320] * np.hanning(640)
    power = np.abs(np.fft.rfft(frames, 1024)) ** 2
    window = np.fft.irfft(np.abs(np.fft.rfft(np.hanning(640), 1024)) ** 2)
    alike = np.fft.irfft(power)
    alike = (alike[:, 48:230] / alike[:, :1]) / (window[48:230] / window[0])
    lag, even = 48 + alike.argmax(1), alike.max(1)
    loudness = 10 * np.log10(power.sum(1))
    loud = loudness > np.percentile(loudness, 95) - 18
    voiced = loud & (even > 0.6)
    bands = [10 * np.log10(power[voiced][:, a:b].sum(1)).mean() for a, b in ((13, 64), (64, 128), (128, 240))]
    return [12 * np.log2(RATE / np.median(lag[voiced])), even[voiced].mean(), loud.mean(), bands[1] - bands[0],
            bands[2] - bands[0]]


def test_clips_are_two_to_three_seconds_without_clipping_click_or_silence(clips):
    for heard, prosody, speaker, sound in clips:
        samples = sound.samples
        assert 2 <= sound.seconds <= 3
        assert samples.dtype == np.float32
        assert np.abs(samples).max() < 0.9, (heard, speaker)
        assert np.abs(samples[:800]).max() < 0.01
        assert np.abs(samples[-200:]).max() < 0.01
        assert abs(samples.mean()) < 1e-3
        quiet = np.sqrt(np.mean(samples.reshape(-1, 160) ** 2, axis=1))
        assert (quiet > 1e-5).all()
        assert (quiet > 0.01).mean() > 0.2, (heard, prosody)


def test_arousal_is_heard_as_pitch_loudness_and_tempo_and_flat_as_low_and_slow():
    for speaker in SPEAKERS + UNSEEN_SPEAKERS:
        calm, excited, flat = (prosody_of(heard, arousal, speaker, np.random.default_rng(0))
                               for heard, arousal in ((1, -1), (1, 1), ("flat", 1)))
        for name in Prosody._fields:
            change = getattr(excited, name) - getattr(calm, name)
            assert change > 0 if name in ("pitch", "range", "tempo", "energy", "tilt") else change == 0, name
        assert flat.pitch == pytest.approx(excited.pitch * 2 ** (-2 / 12))
        assert flat.range == pytest.approx(0.35 * excited.range)
        assert flat.tempo == pytest.approx(0.7 * excited.tempo)


def test_the_pitch_of_a_clip_is_its_prosodys():
    for speaker in SPEAKERS[:6]:
        clear = prosody_of(2, 0, speaker, np.random.default_rng(1))._replace(roughness=0.0)
        sound = speak(clear, speaker, np.random.default_rng(2))
        assert listen(sound.samples)[0] == pytest.approx(12 * np.log2(clear.pitch), abs=1.5), speaker


def test_the_same_state_says_the_same_and_the_syllables_stay_in_another_tone():
    speaker = SPEAKERS[0]
    one, two = (speak(prosody_of(heard, 0, speaker, np.random.default_rng(0)), speaker, np.random.default_rng(3))
                for heard in (2, -2))
    again = speak(prosody_of(2, 0, speaker, np.random.default_rng(0)), speaker, np.random.default_rng(3))
    assert np.array_equal(one.samples, again.samples)
    assert len(one.samples) == len(two.samples)
    loud = [np.sqrt(np.mean(sound.samples.reshape(-1, 320) ** 2, axis=1)) for sound in (one, two)]
    assert 0.6 < np.corrcoef(loud)[0, 1] < 0.999


def test_speakers_are_different_people():
    names = Counter(speaker.name for speaker in SPEAKERS + UNSEEN_SPEAKERS)
    assert len(names) == 18
    assert len(SPEAKERS) == 12
    assert not {speaker[1:] for speaker in SPEAKERS} & {speaker[1:] for speaker in UNSEEN_SPEAKERS}


def test_what_nobody_can_feel_is_refused():
    for heard, arousal, words in ((3, 0, "heard is 3"), ("angry", 0, "heard is 'angry'"), (1, 1.5, "arousal is 1.5")):
        with pytest.raises(ValueError, match=words):
            prosody_of(heard, arousal, SPEAKERS[0], np.random.default_rng(0))
