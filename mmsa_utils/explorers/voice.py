"""The explorer of notebook 10: how a voice sounds, what moves in it, and what it does to a post."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import ipywidgets
import numpy as np
from PIL import Image

from ..figures import panels, plots
from ..model.model import MultimodalSentimentModel
from ..posts.post import LABELS, Post
from ..posts.sound import Sound
from ..posts.spoken import TONES, make_spoken
from ..posts.voices import SPEAKERS, UNSEEN_SPEAKERS, Prosody, prosody_of, speak
from ..reading.reader import Reader, Reading
from .explorer import WIDE, Explorer, choice, slider
from .picture import tinted

if TYPE_CHECKING:
    from IPython.display import Image as DisplayImage

#: What the numbers of a `Prosody` mean, with their units; {} is the number.
NUMBERS = {"pitch": "{:.0f} Hz", "range": "{:.1f} semitones", "tempo": "{:.1f} syllables a second",
           "energy": "{:+.1f} dB against calm", "tilt": "{:.1f} dB an octave", "roughness": "{:.2f} of 1",
           "smile": "{:+.0%} in the formants", "peak": "at {:.0%} of an accent", "gaps": "{:.0%} of a syllable"}
TONE_NAMES = {"-2": -2, "-1": -1, "0": 0, "1": 1, "2": 2, "flat": "flat"}
HIGHEST = 5000  # Hz: the top of a spectrogram
WINDOW, HOP = 512, 128  # samples: 32 ms, in which single harmonics show, every 8 ms
DEEPEST = 60.0  # dB below the loudest, from which on all is black
_SPEAKERS = {one.name: one for one in SPEAKERS + UNSEEN_SPEAKERS}


def spoken(text_level: int, picture_level: int, tone: Any, arousal: float, speaker: str, seed: int,
           pixels: int = 64) -> tuple[Post, Prosody]:
    """A post whose voice has just this tone and arousal, and its prosody; of one seed, the same syllables in any.

    Args:
        text_level, picture_level, tone, speaker: as in `make_spoken`.
        arousal: -1 (calm) to 1 (excited).
        seed: of wording, plate, syllables, and how the feeling is dealt out to the cues.
    """
    rng = np.random.default_rng(seed)
    prosody = prosody_of(tone, arousal, _SPEAKERS[speaker], rng)
    post = make_spoken(text_level, picture_level, tone, seed=seed, speaker=speaker, pixels=pixels)
    return replace(post, voice=speak(prosody, _SPEAKERS[speaker], rng)), prosody


def spectrogram(sound: Sound) -> np.ndarray:
    """(frequencies up to HIGHEST, times) in dB, 0 the loudest, -DEEPEST the least: low frequencies first."""
    samples = np.pad(sound.samples, (0, max(0, WINDOW - len(sound.samples))))
    frames = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::HOP]
    power = np.abs(np.fft.rfft(frames * np.hanning(WINDOW))).T[:HIGHEST * WINDOW // sound.rate] ** 2
    return np.maximum(10 * np.log10(np.maximum(power / max(power.max(), 1e-12), 1e-12)), -DEEPEST)


def spectrogram_picture(sound: Sound, width: int = 216, height: int = 96) -> Image.Image:
    """A spectrogram without axes, drawn in an instant: dark blue is quiet, yellow is loud."""
    return tinted(spectrogram(sound)[::-1] + DEEPEST, DEEPEST).resize((width, height), Image.Resampling.BOX)


def spectrogram_figure(sounds: Mapping[str, Sound], columns: int = 3, inches: float = 2.9) -> DisplayImage:
    """Spectrograms with axes, each under its name, in rows of so many."""
    rows = -(-len(sounds) // columns)
    figure, axes = plots.new_figure(inches * columns, 2.1 * rows, rows, columns)
    for axis, (name, sound) in zip(np.ravel(axes), sounds.items()):
        axis.imshow(spectrogram(sound), origin="lower", aspect="auto", cmap="cividis", vmin=-DEEPEST, vmax=0,
                    extent=(0, sound.seconds, 0, HIGHEST / 1000))
        axis.set_title(name, fontsize=9)
        axis.tick_params(labelsize=8)
    for axis in np.reshape(axes, (rows, columns))[:, 0]:
        axis.set_ylabel("kHz", fontsize=8)
    for axis in np.reshape(axes, (rows, columns))[-1]:
        axis.set_xlabel("seconds", fontsize=8)
    said = "; ".join(f"{name}: {in_words(sound)}" for name, sound in sounds.items())
    return plots.show(figure, f"Spectrograms, 0 to {HIGHEST / 1000:.0f} kHz. {said}.", colours=64)


def in_words(sound: Sound) -> str:
    """What a spectrogram shows, measured: how long, how loud, how bright, how much of it is silent."""
    power = np.abs(np.fft.rfft(sound.samples)) ** 2
    frequencies = np.fft.rfftfreq(len(sound.samples), 1 / sound.rate)
    low, high = power[frequencies < 1000].sum(), power[(frequencies >= 1000) & (frequencies < HIGHEST)].sum()
    pieces = sound.samples[:len(sound.samples) // 160 * 160].reshape(-1, 160)  # 10 ms each, at 16 kHz
    loud = np.sqrt((pieces ** 2).mean(1))
    return (f"{sound.seconds:.1f} seconds, {20 * np.log10(max(float(loud.max()), 1e-6)):.0f} dB of full scale at its "
            f"loudest, {10 * np.log10(max(low, 1e-12) / max(high, 1e-12)):.0f} dB louder below 1 kHz than above, "
            f"{np.mean(loud < loud.max() / 30):.0%} nearly silent")


def voice_explorer(model: MultimodalSentimentModel | None = None, pixels: int = 64) -> Explorer:
    """Choose how somebody feels and who it is: the voice is made, seen and played, and its post judged by the rule.

    Controls: ``tone`` (-2 to 2, or "flat"), ``arousal`` (-1 calm to 1 excited), ``speaker``, ``text_level`` and
    ``picture_level`` (-2 to 2), ``seed`` (other syllables, wording and plate). Sarcasm is praise in a flat voice.

    Args:
        model: one that reads text, picture and voice says what the voice alone tells it, and all three together.
        pixels: of the picture.

    Raises:
        ValueError: for a model that reads no voice.
    """
    if model is not None and "voice" not in model.sides:
        raise ValueError(f"this model reads {' and '.join(model.sides)}: expected one that reads a voice, too.")
    reader = None if model is None else Reader(model)
    controls = {
        "tone": choice("tone", TONE_NAMES, 2),
        "arousal": ipywidgets.FloatSlider(value=0, min=-1, max=1, step=0.25, description="arousal", style=WIDE,
                                          layout={"width": "300px"}),
        "speaker": choice("speaker", list(_SPEAKERS), "Ada"), "text_level": slider("text level", 2, -2, 2),
        "picture_level": slider("picture level", 2, -2, 2), "seed": slider("seed", 0, 0, 20)}

    @lru_cache(maxsize=32)
    def made(text_level: int, picture_level: int, tone: Any, arousal: float, speaker: str, seed: int
             ) -> tuple[Post, Prosody]:
        return spoken(text_level, picture_level, tone, arousal, speaker, seed, pixels)

    def view(tone, arousal, speaker, text_level, picture_level, seed) -> str:
        post, prosody = made(text_level, picture_level, tone, arousal, speaker, seed)
        return voice_view(post, prosody, None if reader is None else reader.read(post.text, post.image, post.voice))

    return Explorer("Voice explorer", controls, view, all_tones)


def voice_view(post: Post, prosody: Prosody, reading: Reading | None = None) -> str:
    """A spoken post: its voice, seen, heard and in numbers; its label and the reason; what a model says of it."""
    assert post.voice is not None
    whose = f"the voice of {post.speaker}, tone {post.tone}"
    blocks = [
        panels.column(panels.heading(whose),
                      panels.picture(spectrogram_picture(post.voice), f"Spectrogram: {in_words(post.voice)}.", 324),
                      panels.paragraph(f"{post.voice.seconds:.1f} seconds from left to right, 0 to "
                                       f"{HIGHEST / 1000:.0f} kHz from bottom to top"),
                      panels.player(post.voice, whose), width=324),
        panels.table(("how it is said", ""), [(name, form.format(getattr(prosody, name)))
                                              for name, form in NUMBERS.items()]),
        panels.column(panels.picture(post.image, f"{post.dish}, level {post.picture_level}", 128) if post.image else "",
                      panels.paragraph(f"“{post.text}”", lines=3), panels.mood(LABELS[post.label]),
                      panels.paragraph(f"{post.relation}: {post.reason}.", lines=2), width=320)]
    if reading is not None:
        blocks.append(panels.column(*(
            panels.heading(name) + (panels.bars(dict(zip(reading.classes, said))) if said else
                                    panels.paragraph("no answer", lines=3))
            for name, said in (("the model: the voice alone", reading.voice), ("all three", reading.both))), width=230))
    return panels.row(*blocks)


def all_tones(speaker: str = "Ada", seed: int = 0) -> DisplayImage:
    """The same syllables in every tone, by one speaker who is neither calm nor excited."""
    sounds = {}
    for tone in TONES:
        post = spoken(2, 2, tone, 0, speaker, seed, pixels=8)[0]
        assert post.voice is not None
        sounds[f"tone {tone} ({LABELS[post.label]} with praise)"] = post.voice
    return spectrogram_figure(sounds)
