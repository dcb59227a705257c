"""Recordings, of whatever format, rate and channels: opened as one channel of 16,000 samples a second."""

from __future__ import annotations

import io
import os
import struct
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

RATE = 16_000  #: samples a second of all that is heard here
LONGEST = 60.0  #: seconds; a post's voice is two or three
LARGEST_FILE = 200 * 2**20  # bytes: a minute of eight channels at 96,000 Hz has 176 MiB in 32 bits
_RATES = (1000, 768_000)  # Hz: what lies outside is a broken header
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE  # WAV's numbers of encodings


class Sound(NamedTuple):
    """A recording: one channel."""

    samples: np.ndarray  # (n,) float32, -1 to 1
    rate: int = RATE  # samples a second

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return len(self.samples) / self.rate


def open_sound(source: str | os.PathLike | bytes | IO[bytes]) -> Sound:
    """A recording from a file: its channels averaged, at RATE.

    WAV (8, 16, 24 or 32 bits, or floating point) is read here; FLAC, OGG, MP3 and whatever else by `soundfile`, if it
    is installed. How long it is stands in the header: what is too long is refused before it is read.

    Args:
        source: path, bytes, or a file opened in binary mode, which is read from its beginning.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no recording, empty, broken, or longer than LONGEST seconds; or if it is no WAV and
            `soundfile` is missing.
    """
    if isinstance(source, bytes):
        return _read(io.BytesIO(source), f"the sound of {len(source):,} bytes")
    if not isinstance(source, (str, os.PathLike)):
        if not hasattr(source, "read"):
            raise TypeError(f"the sound is of type {type(source).__name__}, expected a path, bytes or a binary file.")
        name = getattr(source, "name", None)
        return _read(source, str(name) if isinstance(name, str) else "the sound")
    path = Path(source)
    if not path.is_file():
        what = "it is a folder: name a recording in it" if path.is_dir() else "check the path"
        raise FileNotFoundError(f"there is no sound file {str(path)[:300]}: {what}.")
    with path.open("rb") as file:
        return _read(file, str(path))


def checked_sound(sound: Any, name: str = "the sound") -> Sound:
    """The sound, at RATE, if it is one that can be heard: silence and clipping can, nothing and NaN cannot.

    Args:
        sound: a `Sound`, or an array of one channel at RATE.
        name: whose it is, for the error.

    Raises:
        TypeError: if it is neither.
        ValueError: for no samples, several channels, whole numbers, NaN, infinity, loudness far beyond 1, or too long.
    """
    if isinstance(sound, np.ndarray):
        sound = Sound(sound)
    if not isinstance(sound, Sound):
        raise TypeError(f"{name} is of type {type(sound).__name__}, expected a Sound: open_sound(path) makes one.")
    samples, rate = np.asarray(sound.samples), sound.rate
    if not isinstance(rate, (int, np.integer)) or not _RATES[0] <= rate <= _RATES[1]:
        raise ValueError(f"{name} has a rate of {rate!r}, expected {_RATES[0]:,} to {_RATES[1]:,} samples a second.")
    if samples.ndim != 1:
        raise ValueError(f"{name} has the shape {samples.shape}, expected one channel, (samples,): average the others.")
    if not np.issubdtype(samples.dtype, np.floating):
        raise ValueError(f"{name} has samples of type {samples.dtype}, expected floating point from -1 to 1: divide "
                         "16-bit samples by 32768.")
    if not len(samples):
        raise ValueError(f"{name} has no samples: nothing was recorded.")
    _check_length(len(samples) / rate, name)
    if not np.isfinite(samples).all():
        raise ValueError(f"{name} has {np.sum(~np.isfinite(samples)):,} samples that are NaN or infinite: record or "
                         "convert it anew.")
    loudest = float(np.abs(samples).max())
    if loudest > 4:  # a mix or a filter may leave -1 to 1 by a little; 16-bit numbers do by far
        raise ValueError(f"{name} reaches {loudest:,.0f}, expected samples from -1 to 1: divide 16-bit samples by "
                         "32768.")
    return Sound(_resampled(samples.astype(np.float32), int(rate)))


def wav_bytes(sound: Sound) -> bytes:
    """A sound as a WAV file of one channel and 16 bits, for players; what is beyond -1 to 1 is clipped."""
    data = np.round(np.clip(sound.samples, -1, 1) * 32767).astype("<i2").tobytes()
    return struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + len(data), b"WAVE", b"fmt ", 16, _PCM, 1, sound.rate,
                       2 * sound.rate, 2, 16, b"data", len(data)) + data


def _check_length(seconds: float, name: str) -> None:
    if seconds > LONGEST:
        length = f"{seconds / 60:,.0f} minutes" if seconds > 120 else f"{seconds:.1f} seconds"
        raise ValueError(f"{name} lasts {length}, expected {LONGEST:.0f} seconds at most: cut out what counts.")


def _resampled(samples: np.ndarray, rate: int) -> np.ndarray:
    if rate == RATE:
        return samples
    from scipy.signal import resample_poly

    common = int(np.gcd(rate, RATE))
    return np.asarray(resample_poly(samples, RATE // common, rate // common), np.float32)


def _read(file: IO[bytes], name: str) -> Sound:
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    if not size:
        raise ValueError(f"{name} is empty: expected a recording.")
    start = file.read(12)
    if not isinstance(start, bytes):
        raise TypeError(f"{name} is opened as text, expected a file opened in binary mode: open(path, 'rb').")
    wav = start[:4] == b"RIFF" and start[8:] == b"WAVE"
    if not wav and size > LARGEST_FILE:
        raise ValueError(f"{name} has {size / 2**20:,.0f} MiB: too much for {LONGEST:.0f} seconds of sound.")
    samples, rate = _read_wav(file, size, name) if wav else _read_other(file, name)
    if not len(samples):
        raise ValueError(f"{name} has no samples: nothing was recorded.")
    with np.errstate(over="ignore", invalid="ignore"):  # what is infinite is refused next, by name
        return checked_sound(Sound(samples.mean(axis=1, dtype=np.float32), rate), name)


def _read_wav(file: IO[bytes], size: int, name: str) -> tuple[np.ndarray, int]:
    """The samples (n, channels) of a WAV file after its first 12 bytes, and their rate."""
    encoding = channels = rate = bits = 0
    while True:
        head = file.read(8)
        if len(head) < 8:
            missing = "samples (no data chunk)" if rate else "description (no fmt chunk)"
            raise ValueError(f"{name} is a broken WAV file: it ends before its {missing}. Record or download it anew.")
        kind, length = head[:4], int.from_bytes(head[4:], "little")
        if kind == b"fmt ":
            about = file.read(min(length, 40))
            file.seek(length + length % 2 - len(about), io.SEEK_CUR)
            if len(about) < 16:
                raise ValueError(f"{name} is a broken WAV file: its description has {len(about)} bytes, expected 16.")
            encoding, channels, rate, _, _, bits = struct.unpack("<HHIIHH", about[:16])
            if encoding == _EXTENSIBLE and len(about) >= 26:
                encoding = int.from_bytes(about[24:26], "little")
        elif kind == b"data":
            break
        else:
            file.seek(length + length % 2, io.SEEK_CUR)
    if not rate:
        raise ValueError(f"{name} is a broken WAV file: its samples come before their description.")
    if not channels or not _RATES[0] <= rate <= _RATES[1]:
        raise ValueError(f"{name} is a broken WAV file: it has {channels} channels of {rate:,} samples a second.")
    if (encoding, bits) not in {(_PCM, 8), (_PCM, 16), (_PCM, 24), (_PCM, 32), (_FLOAT, 32), (_FLOAT, 64)}:
        file.seek(0)
        return _read_other(file, name)  # A-law and the like
    width = bits // 8 * channels
    length = min(length, size - file.tell()) // width  # a recorder that was stopped leaves a wrong length
    _check_length(length / rate, name)
    data = file.read(length * width)
    if encoding == _FLOAT:
        samples = np.frombuffer(data, f"<f{bits // 8}")
    elif bits == 8:
        samples = (np.frombuffer(data, np.uint8).astype(np.float32) - 128) / 128
    elif bits == 24:
        padded = np.zeros((len(data) // 3, 4), np.uint8)  # as the upper three bytes of 32 bits
        padded[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
        samples = padded.view("<i4").ravel() / np.float32(2**31)
    else:
        samples = np.frombuffer(data, f"<i{bits // 8}") / np.float32(2 ** (bits - 1))
    return samples.reshape(-1, channels), rate


def _read_other(file: IO[bytes], name: str) -> tuple[np.ndarray, int]:
    """The samples (n, channels) of any other file, and their rate."""
    try:
        import soundfile
    except (ImportError, OSError):  # OSError: it is there, its library in C is not
        raise ValueError(f"{name} is no plain WAV file. For FLAC, OGG and MP3: pip install soundfile. Or convert it "
                          "to WAV of 16 bits.") from None
    file.seek(0)
    try:
        with soundfile.SoundFile(file) as sound:
            _check_length(sound.frames / sound.samplerate, name)
            return sound.read(dtype="float32", always_2d=True), sound.samplerate
    except soundfile.SoundFileError as error:
        why = str(error).rpartition(": ")[2].strip(". ")[:100]  # before it the library names an object in memory
        raise ValueError(f"{name} cannot be read as a sound ({why}): expected WAV, FLAC, OGG or MP3.") from None
