"""Voices, seen and heard: a wave, spectrograms, what sets of clips have in common, and recordings to be played."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from ..posts.sound import Sound
from .canvas import new_figure, show
from .panels import BLUE, GREY, ORANGE, player

if TYPE_CHECKING:
    from IPython.display import Image as DisplayImage

PLAYED = 8000  # samples a second of a recording that a notebook keeps: half of what was recorded, and half as large


def wave(sound: Sound, start: float, seconds: float = 0.04) -> DisplayImage:
    """A whole recording, and beside it a piece of it, large enough to see single pulses.

    Args:
        start: where the piece begins, in seconds.
        seconds: how long it is.
    """
    time = np.arange(len(sound.samples)) / sound.rate
    part = slice(int(start * sound.rate), int((start + seconds) * sound.rate))
    figure, axes = new_figure(8.4, 2.2, 1, 2)
    axes[0].plot(time, sound.samples, color=BLUE, lw=0.4)
    axes[0].axvspan(start, start + seconds, color=ORANGE, alpha=0.8, zorder=0)
    axes[1].plot(1000 * (time[part] - start), sound.samples[part], color=BLUE, lw=1)
    for axis, unit in zip(axes, ("seconds", "milliseconds")):
        axis.axhline(0, color=GREY, lw=0.5)
        axis.set(xlabel=unit, ylabel="pressure")
        axis.spines[["top", "right"]].set_visible(False)
    return show(figure, f"A wave of {sound.seconds:.1f} seconds in lumps, one a syllable; beside it "
                f"{1000 * seconds:.0f} milliseconds from {start:.2f} seconds on, where the same shape comes again and "
                "again, a pulse each time.", colours=32)


def spectrogram_grid(pictures: Mapping[str, np.ndarray], seconds: float, heights: Mapping[str, tuple[float, str]],
                     alt: str, columns: int = 2, depth: float | None = None) -> DisplayImage:
    """Spectrograms side by side, each under its name: time to the right, pitch upwards, bright is loud.

    Args:
        pictures: name → (frames, rows), the lowest row first.
        seconds: from one frame to the next.
        heights: name → what the upper end of its rows is, and in what unit, such as (8, "kHz").
        alt: what is to be seen.
        depth: how far below the loudest all is dark, in the numbers' own unit; None: at the quietest.
    """
    rows = -(-len(pictures) // columns)
    figure, axes = new_figure(8.4, 2.3 * rows, rows, columns)
    for axis, (name, picture) in zip(np.ravel(axes), pictures.items()):
        top, unit = heights[name]
        axis.imshow(picture.T, origin="lower", aspect="auto", cmap="cividis", interpolation="nearest",
                    vmax=picture.max(), vmin=picture.min() if depth is None else picture.max() - depth,
                    extent=(0, len(picture) * seconds, 0, top))
        axis.set_title(name, fontsize=9)
        axis.set_xlabel("seconds", fontsize=8)
        axis.set_ylabel(unit, fontsize=8)
        axis.tick_params(labelsize=8)
    return show(figure, alt, colours=24)


def strips(groups: Mapping[str, Sequence[float]], unit: str) -> DisplayImage:
    """Sets of numbers, a line of dots each, with a mark at the mean."""
    figure, axis = new_figure(7.0, 0.7 + 0.38 * len(groups))
    for row, values in enumerate(groups.values()):
        spread = np.linspace(-0.28, 0.28, len(values))[np.argsort(np.argsort(np.sin(1e3 * np.arange(len(values)))))]
        axis.plot(values, row + spread, "o", color=BLUE, ms=2.5, alpha=0.5, mew=0)
        axis.plot([np.mean(values)] * 2, [row - 0.4, row + 0.4], color=ORANGE, lw=3)
    axis.set_yticks(range(len(groups)), list(groups))
    axis.set(xlabel=unit, ylim=(len(groups) - 0.5, -0.5))
    axis.spines[["top", "right"]].set_visible(False)
    said = "; ".join(f"{name}: mean {np.mean(values):.1f}, middle half {np.quantile(values, 0.25):.1f} to "
                     f"{np.quantile(values, 0.75):.1f}" for name, values in groups.items())
    return show(figure, f"A line of dots for each set, in {unit}: {said}.", colours=32)


class Players:
    """Recordings to be played, each with a sentence that says what is heard."""

    def __init__(self, sounds: Mapping[str, tuple[Sound, str]]):
        self.sounds = sounds

    def __repr__(self) -> str:
        return "\n".join(f"{name}: {said}" for name, (_, said) in self.sounds.items())

    def _repr_html_(self) -> str:
        return "".join(f"<p><b>{escape(name)}</b>: {escape(said)}</p>{player(_smaller(sound), name)}"
                       for name, (sound, said) in self.sounds.items())


def players(sounds: Mapping[str, tuple[Sound, str]]) -> Players:
    """Recordings to be played, kept in the notebook itself: name → the sound, and in a sentence what is heard."""
    return Players(sounds)


def _smaller(sound: Sound) -> Sound:
    """The same with fewer samples a second: duller, and half as large."""
    from scipy.signal import resample_poly

    return sound if sound.rate <= PLAYED else Sound(
        resample_poly(sound.samples, PLAYED, sound.rate).astype(np.float32), PLAYED)
