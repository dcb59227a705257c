"""Voices, made up: babbled syllables by a source and a filter, whose prosody carries a tone from -2 to 2.

Pulses of air (the *source*: pitch, roughness, spectral tilt) sound through a vocal tract (the *filter*: formants, which
vowels and a smile move), as in Fant's *Acoustic Theory of Speech Production* (1960). Each pulse is written as a
spectrum, all of them at once, and added where it falls (overlap-add, as of Moulines and Charpentier 1990); hiss and
bursts are noise in short frames. Nothing is said: a listener hears *how*.

Who is heard feels something (`heard`, -2 to 2, or ``"flat"``) and is more or less excited (*arousal*), and the second
says nothing about the first: excitement raises pitch, range, energy, tempo and brightness in joy and in anger alike
(Banse and Scherer 1996). Pleasure shows in five cues: smile, tilt, roughness, peak and gaps. Each of them alone
misleads often; what one lacks the others have more of, so that their mean is the feeling, up to SPREAD.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .sound import RATE, Sound


class Speaker(NamedTuple):
    """Whose voice it is."""

    name: str
    pitch: float  # Hz, at rest
    tract: float  # formants, as a multiple of a man's: a shorter tract sounds higher
    tempo: float  # as a multiple of everybody's
    tilt: float  # dB/octave, added to everybody's
    breath: float  # noise in the voice, as a share of it


class Prosody(NamedTuple):
    """How something is said, whatever is said."""

    pitch: float  # Hz, the mean
    range: float  # semitones, from the foot of an accent to its peak
    tempo: float  # syllables a second
    energy: float  # dB, against a calm voice
    tilt: float  # dB/octave, of the source, beyond a pulse's own: nearer to 0 is brighter
    roughness: float  # 0 (clear) to 1 (hoarse): how uneven the pulses are
    smile: float  # share by which the second and third formant are raised
    peak: float  # where within an accent the pitch peaks: 0.05 (it only falls) to 0.65 (it rises slowly, then falls)
    gaps: float  # share of a syllable that is silent: legato to staccato


#: Those of train, validation and test.
SPEAKERS = tuple(Speaker(*row) for row in (
    ("Ada", 205, 1.16, 1.03, -0.3, 0.03), ("Bruno", 104, 0.97, 0.95, 0.2, 0.02),
    ("Clara", 222, 1.20, 1.06, 0.3, 0.02), ("Dario", 122, 1.02, 1.05, -0.2, 0.03),
    ("Edith", 178, 1.11, 0.93, -0.5, 0.05), ("Felix", 136, 1.05, 1.02, 0.4, 0.02),
    ("Greta", 192, 1.14, 0.98, 0.1, 0.03), ("Hugo", 92, 0.93, 0.97, -0.1, 0.04),
    ("Iris", 238, 1.22, 1.00, -0.2, 0.04), ("Jonas", 113, 0.99, 1.08, 0.5, 0.02),
    ("Karin", 166, 1.08, 1.04, 0.3, 0.02), ("Leo", 128, 1.00, 0.92, -0.4, 0.05)))
#: Those of the `unseen` split.
UNSEEN_SPEAKERS = tuple(Speaker(*row) for row in (
    ("Mara", 214, 1.13, 0.96, 0.2, 0.04), ("Nils", 98, 0.96, 1.04, 0.1, 0.03),
    ("Olga", 185, 1.17, 1.07, -0.4, 0.02), ("Paul", 118, 0.95, 0.94, -0.3, 0.03),
    ("Rosa", 230, 1.18, 1.01, 0.4, 0.03), ("Sven", 142, 1.03, 0.99, 0.0, 0.05)))

#: What a listener can hear: a feeling, or that there is none, in a low and slow voice.
HEARD = (-2, -1, 0, 1, 2, "flat")
#: The numbers of a `Prosody` that pleasure moves.
CUES = ("smile", "tilt", "roughness", "peak", "gaps")
UNEVEN = np.array([-1.0, -0.5, 0.0, 0.5, 1.0])  # how much too little or too much each cue has, in any order
SPREAD = 0.12  # the mean cue of level n is n / 2, give or take this; bands of two levels never meet
_LARGEST = 1 + SPREAD + UNEVEN.max()  # of a cue
_FLAT_RANGE, _FLAT_TEMPO, _FLAT_PITCH = 0.35, 0.7, -2.0  # of what a voice has else; the last in semitones

# First three formants of ten vowels, Hz, men's means (Peterson and Barney 1952; the last is a schwa).
_VOWELS = np.array([[270, 2290, 3010], [390, 1990, 2550], [530, 1840, 2480], [660, 1720, 2410], [730, 1090, 2440],
                    [570, 840, 2410], [440, 1020, 2240], [300, 870, 2240], [640, 1190, 2390], [500, 1500, 2500]], float)
# Consonants: where the formants come from (Hz), how loud the voice is in them, how loud their noise, its centre (Hz),
# and from which share of the consonant on it sounds.
_CONSONANTS = np.array([
    [250, 900, 2300, 0.10, 0.30, 1000, 0.7], [250, 1750, 2700, 0.10, 0.45, 4200, 0.7],  # b, d
    [250, 2000, 2300, 0.10, 0.40, 2100, 0.7],  # g
    [300, 900, 2300, 0.0, 0.5, 1300, 0.65], [300, 1750, 2700, 0.0, 0.7, 4500, 0.65],  # p, t
    [320, 1700, 2600, 0.0, 0.6, 5800, 0.0], [320, 1900, 2500, 0.0, 0.6, 3200, 0.0],  # s, sh
    [300, 1100, 2300, 0.0, 0.2, 4500, 0.0], [320, 1700, 2600, 0.3, 0.35, 5500, 0.0],  # f, z
    [250, 1000, 2200, 0.35, 0.0, 0, 1], [250, 1500, 2500, 0.35, 0.0, 0, 1],  # m, n
    [340, 1100, 2700, 0.55, 0.0, 0, 1], [300, 700, 2300, 0.5, 0.0, 0, 1], [290, 2150, 2950, 0.5, 0.0, 0, 1]])  # l, w, y
_UPPER = np.array([3500.0, 4500.0, 5500.0])  # the formants that no vowel moves, Hz
_WIDTHS = np.array([70, 90, 140, 220, 300, 400.0])  # of the six, Hz
_SMILES = np.array([0.4, 1.0, 1.0, 0.6, 0.4, 0.3])  # how far a smile reaches each
_SYLLABLES = 40  # more than any clip has
_STEP = 80  # samples of a frame: 5 ms
_SIZE = 512  # samples of a pulse's response: 32 ms
_FREQUENCIES = np.fft.rfftfreq(_SIZE, 1 / RATE).astype(np.float32)
_FRACTIONS = 16  # a pulse falls between two samples, on one of so many places
_DELAYS = np.exp(-2j * np.pi * _FREQUENCIES / RATE * np.arange(_FRACTIONS)[:, None] / _FRACTIONS).astype(np.complex64)
_QUIET = -29.0  # dB of full scale: a calm voice, where it sounds
_ROOM = -72.0  # dB of full scale: no room is silent


def prosody_of(heard: Any, arousal: float, speaker: Speaker, rng: np.random.Generator) -> Prosody:
    """How a speaker sounds who feels something and is more or less excited.

    Args:
        heard: one of HEARD.
        arousal: -1 (calm) to 1 (excited).
        speaker: whose voice at rest the numbers start from.
        rng: of how the feeling is dealt out to the five cues.

    Raises:
        ValueError: for what cannot be heard, and for an arousal beyond -1 to 1.
    """
    if heard not in HEARD:
        raise ValueError(f"heard is {heard!r}, expected one of {HEARD}.")
    if not -1 <= arousal <= 1:
        raise ValueError(f"arousal is {arousal}, expected -1 (calm) to 1 (excited).")
    flat = heard == "flat"
    feeling = (0.0 if flat else heard / 2) + rng.uniform(-SPREAD, SPREAD)
    smile, tilt, roughness, peak, gaps = 0.5 + (feeling + rng.permutation(UNEVEN)) / (2 * _LARGEST)  # 0 to 1 each
    return Prosody(
        pitch=speaker.pitch * 2 ** ((3.5 * arousal + _FLAT_PITCH * flat) / 12),
        range=7 * 1.35**arousal * (_FLAT_RANGE if flat else 1),
        tempo=4.8 * speaker.tempo * 1.18**arousal * (_FLAT_TEMPO if flat else 1),
        energy=5.0 * arousal,
        tilt=speaker.tilt + arousal - 0.5 - 8 * tilt,
        roughness=(1 - roughness) ** 1.5,
        smile=0.28 * smile - 0.14,
        peak=0.05 + 0.6 * peak,
        gaps=0.03 + 0.4 * (1 - gaps))


def speak(prosody: Prosody, speaker: Speaker, rng: np.random.Generator) -> Sound:
    """Two to three seconds of babble; the same generator state babbles the same syllables in whatever prosody."""
    track = _babble(prosody, speaker, rng)
    samples = _pulses(track, prosody, rng) + _noise(track, rng)
    sounding = np.repeat(track.loudness > 0.3, _STEP)
    samples *= 10 ** ((_QUIET + prosody.energy) / 20) / np.sqrt(np.mean(samples[sounding] ** 2))
    samples += rng.normal(0, 10 ** (_ROOM / 20), len(samples))
    return Sound((samples * min(1.0, 0.98 / np.abs(samples).max())).astype(np.float32))


class _Track(NamedTuple):
    """What the mouth does, frame by frame of 5 ms."""

    pitch: np.ndarray  # (frames,) Hz
    loudness: np.ndarray  # (frames,) of the voice, 0 to 1
    breath: np.ndarray  # (frames,) noise that sounds through the formants
    noise: np.ndarray  # (frames,) a consonant's own noise
    centre: np.ndarray  # (frames,) of that noise, Hz
    tract: np.ndarray  # (frames / 2, 257) complex, the formants' response, every 10 ms


def _babble(prosody: Prosody, speaker: Speaker, rng: np.random.Generator) -> _Track:
    """Syllables of a consonant and a vowel each, two or three to an accent, the last one long."""
    seconds = rng.uniform(2.1, 2.9)
    vowels, consonants = (np.concatenate([rng.permutation(len(some)) for _ in range(_SYLLABLES // len(some) + 1)])
                          for some in (_VOWELS, _CONSONANTS))  # each as often, so that they say nothing
    rhythm, strides = rng.uniform(0.8, 1.2, _SYLLABLES), rng.integers(2, 4, _SYLLABLES)
    count = int(np.clip(round((seconds - 0.2) * prosody.tempo), 3, _SYLLABLES))
    accented = np.isin(np.arange(count), np.cumsum(strides) - strides)
    lengths = rhythm[:count] * np.where(accented, 1.2, 0.9)
    lengths[-1] *= 1.6
    lengths *= (seconds - 0.2) / lengths.sum()
    starts = 0.1 + np.cumsum(lengths) - lengths

    time = np.arange(2 * int(seconds * RATE / _STEP / 2)) * _STEP / RATE
    at = np.clip(np.searchsorted(starts, time, side="right") - 1, 0, count - 1)  # the syllable of each frame
    within = (time - starts[at]) / lengths[at]
    spoken = (within >= 0) & (within < 1)
    share = np.clip(0.075 / lengths, 0.2, 0.45)[at]  # of the syllable is its consonant
    closed, consonant = within < share, _CONSONANTS[consonants[at]]
    formants = _smooth(np.where(closed[:, None], consonant[:, :3], _VOWELS[vowels[at]]), 11)
    loudness = np.where(closed, consonant[:, 3], np.where(accented[at], 1.0, 0.75))
    loudness = _smooth(loudness * (spoken & (within < 1 - prosody.gaps)), 7)
    noise = _smooth(consonant[:, 4] * (closed & spoken & (within >= share * consonant[:, 6])), 3)

    # From accent to accent the pitch is a triangle: of one mean and spread where it sounds, wherever it peaks.
    accents = np.append(starts[accented], seconds - 0.1)
    group = np.clip(np.searchsorted(accents, time, side="right") - 1, 0, len(accents) - 2)
    phase = np.clip((time - accents[group]) / np.diff(accents)[group], 0, 1)
    triangle = np.minimum(phase / prosody.peak, (1 - phase) / (1 - prosody.peak))
    triangle -= np.average(triangle, weights=loudness)
    triangle *= 0.29 / np.sqrt(np.average(triangle**2, weights=loudness))
    falling = 0.3 * (0.5 - time / seconds)  # over the whole phrase
    pitch = prosody.pitch * 2 ** (prosody.range * (triangle + falling) / 12)

    stretch = speaker.tract * (1 + prosody.smile * _SMILES)
    tract = _response(formants[::2] * stretch[:3], _UPPER * stretch[3:])
    breath = loudness * (speaker.breath + 0.02 * prosody.roughness) / 2
    return _Track(pitch, loudness, breath, noise, consonant[:, 5], tract)


def _smooth(track: np.ndarray, frames: int) -> np.ndarray:
    """A track (frames, ...) averaged over an odd number of frames, the middle ones most."""
    weights = np.hanning(frames + 2)[1:-1]
    wide = np.pad(track, [(frames // 2, frames // 2)] + [(0, 0)] * (track.ndim - 1), mode="edge")
    return sum(weight * wide[i:i + len(track)] for i, weight in enumerate(weights / weights.sum()))


def _response(moving: np.ndarray, standing: np.ndarray) -> np.ndarray:
    """The tract's response (frames, 257) to (frames, 3) and (3,) formants in Hz: resonators one after another."""
    out = np.ones((len(moving), len(_FREQUENCIES)), np.complex64)
    for centre, width in zip([*moving.T[..., None], *standing], _WIDTHS):
        own = np.asarray(centre**2 + width**2 / 4, np.float32)
        resonator = np.empty((own.size, len(_FREQUENCIES)), np.complex64)
        resonator.real, resonator.imag = 1 - _FREQUENCIES**2 / own, np.float32(width) * _FREQUENCIES / own
        out *= resonator
    return 1 / out


def _pulses(track: _Track, prosody: Prosody, rng: np.random.Generator) -> np.ndarray:
    """The voiced part: a pulse a period, uneven in time and strength, every second one weaker in a rough voice."""
    step = _STEP / RATE
    time = np.arange(len(track.pitch)) * step
    cycles = np.append(0, np.cumsum((track.pitch[1:] + track.pitch[:-1]) / 2 * step))
    pulses = np.interp(np.arange(1, int(cycles[-1])), cycles, time)  # seconds
    period = 1 / np.interp(pulses, time, track.pitch)
    rough, odd = prosody.roughness, np.arange(len(pulses)) % 2
    jitter, shimmer = rng.standard_normal((2, len(pulses)))
    strength = np.interp(pulses, time, track.loudness) * np.sqrt(120 * period)
    strength *= (1 - 0.2 * rough * odd) * np.clip(1 + (0.03 + 0.25 * rough) * shimmer, 0.1, 2)
    pulses = pulses + period * ((0.004 + 0.05 * rough) * jitter + 0.03 * rough * odd)

    places = np.round(pulses * RATE * _FRACTIONS).astype(int)
    whole, fraction = places // _FRACTIONS, places % _FRACTIONS
    opening = 1j * _FREQUENCIES / prosody.pitch
    source = 2 * opening / (1 + opening) ** 2 * (1 + 1j * _FREQUENCIES / 500) ** (prosody.tilt / 6.02)
    spectra = track.tract[np.minimum(whole // (2 * _STEP), len(track.tract) - 1)]
    spectra *= _DELAYS[fraction]
    spectra *= source.astype(np.complex64) * strength[:, None].astype(np.float32)
    waves = np.fft.irfft(spectra, _SIZE, axis=1)
    samples = len(track.pitch) * _STEP
    return np.bincount((whole[:, None] + np.arange(_SIZE)).ravel(), waves.ravel(), samples + 2 * _SIZE)[:samples]


def _noise(track: _Track, rng: np.random.Generator) -> np.ndarray:
    """Breath through the formants, and the consonants' own noise, in frames of 10 ms that overlap by half."""
    frames, size = len(track.pitch), 2 * _STEP
    frequencies = np.fft.rfftfreq(size, 1 / RATE)
    near = np.searchsorted(_FREQUENCIES, frequencies).clip(max=len(_FREQUENCIES) - 1)
    through = np.repeat(np.abs(track.tract[:, near]), 2, axis=0) * track.breath[:, None]
    own = track.noise[:, None] * np.exp(-(((frequencies - track.centre[:, None]) / 1500) ** 2)) * 0.5
    real, imaginary = rng.standard_normal((2, frames, len(frequencies)), np.float32)
    waves = np.fft.irfft((real + 1j * imaginary) * (through + own), size, axis=1) * np.hanning(size + 1)[:-1]
    out = np.zeros((frames + 1, _STEP))
    out[:-1] += waves[:, :_STEP]
    out[1:] += waves[:, _STEP:]
    return out[:-1].ravel()
