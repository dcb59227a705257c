"""Recordings: any rate, width and number of channels, and what is no recording refused by name."""

import io
import struct

import numpy as np
import pytest

from mmsa_utils.posts.sound import LONGEST, RATE, Sound, checked_sound, open_sound, wav_bytes

TONE = 0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)  # a second


def wav(samples: np.ndarray, rate: int = RATE, bits: int = 16, encoding: int = 1, extensible: bool = False) -> bytes:
    """A WAV file of samples (n,) or (n, channels), written anew."""
    samples = samples[:, None] if samples.ndim == 1 else samples
    channels = samples.shape[1]
    if encoding == 3:
        data = samples.astype(f"<f{bits // 8}").tobytes()
    elif bits == 8:
        data = np.round(samples * 127 + 128).astype(np.uint8).tobytes()
    elif bits == 24:
        data = np.round(samples * (2**23 - 1)).astype("<i4")[..., None].view(np.uint8)[..., :3].tobytes()
    else:
        data = np.round(samples * (2 ** (bits - 1) - 1)).astype(f"<i{bits // 8}").tobytes()
    about = struct.pack("<HHIIHH", 0xFFFE if extensible else encoding, channels, rate, rate * channels * bits // 8,
                        channels * bits // 8, bits)
    if extensible:
        about += struct.pack("<HHI", 22, bits, 0) + struct.pack("<H", encoding) + bytes(14)
    chunks = b"fmt " + struct.pack("<I", len(about)) + about + b"LIST" + struct.pack("<I", 3) + b"abc\0"
    chunks += b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


@pytest.mark.parametrize(("bits", "encoding", "error"), [(8, 1, 1e-2), (16, 1, 1e-4), (24, 1, 1e-6), (32, 1, 1e-6),
                                                         (32, 3, 1e-6), (64, 3, 1e-6)])
def test_every_width_of_sample(bits, encoding, error):
    for extensible in (False, True):
        sound = open_sound(wav(TONE, bits=bits, encoding=encoding, extensible=extensible))
        assert sound.samples.dtype == np.float32
        np.testing.assert_allclose(sound.samples, TONE, atol=error)


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 44100, 48000, 96000])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_any_rate_and_number_of_channels(rate, channels):
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate)
    loud = np.linspace(0, 2, channels) if channels > 1 else np.ones(1)  # their mean is 1
    sound = open_sound(wav(tone[:, None] * loud * 0.5, rate))
    assert (sound.rate, len(sound.samples)) == (RATE, RATE)
    middle = slice(800, -800)  # a filter rings at the ends
    np.testing.assert_allclose(sound.samples[middle], 0.5 * TONE[middle], atol=2e-3)


def test_from_a_path_bytes_and_a_file(tmp_path):
    path = tmp_path / "tone.wav"
    path.write_bytes(wav(TONE))
    with path.open("rb") as file:
        file.read(7)
        sounds = [open_sound(path), open_sound(str(path)), open_sound(file), open_sound(io.BytesIO(path.read_bytes()))]
    assert all(np.array_equal(sound.samples, open_sound(path.read_bytes()).samples) for sound in sounds)
    assert sounds[0].seconds == 1


def test_what_is_written_is_what_is_read():
    sound = Sound(np.float32([0, 0.25, -1, 1, 3]))
    np.testing.assert_allclose(open_sound(wav_bytes(sound)).samples, [0, 0.25, -1, 1, 1], atol=1e-4)
    assert len(wav_bytes(sound)) == 44 + 10


@pytest.mark.parametrize("samples", [np.zeros(100), np.sign(TONE), np.ones(1)])
def test_silence_clipping_and_one_sample_are_sounds(samples):
    assert len(open_sound(wav(samples)).samples) == len(samples)


@pytest.mark.parametrize(("data", "words"), [
    (b"", "is empty"), (wav(TONE[:0]), "has no samples"), (wav(TONE)[:30], "broken WAV file"),
    (wav(TONE)[:50], "ends before its samples"), (b"RIFF\0\0\0\0WAVEdata\4\0\0\0abcd", "before their description"),
    (wav(TONE, rate=2**30), "of 1,073,741,824 samples a second"),
    (wav(np.r_[TONE, np.nan], bits=32, encoding=3), "1 samples that are NaN"),
    (wav(np.r_[TONE, np.inf], bits=64, encoding=3), "NaN or infinite"),
    (wav(TONE * 32768, bits=32, encoding=3), "divide 16-bit samples by 32768"),
    (wav(np.zeros(int(LONGEST * 1000) + 2000), rate=1000), "lasts 62.0 seconds, expected 60 seconds at most"),
])
def test_what_cannot_be_heard_is_refused_by_name(data, words, tmp_path):
    path = tmp_path / "mine.wav"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=words) as refused:
        open_sound(path)
    assert str(path) in str(refused.value)


def test_a_recording_that_was_cut_short_is_read_as_far_as_it_goes():
    assert len(open_sound(wav(TONE)[:-1001]).samples) == RATE - 501


def test_an_hour_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "hour.wav"
    header = wav(TONE[:0], rate=48000)
    with path.open("wb") as file:  # a sparse file
        file.write(header[:-4] + struct.pack("<I", 3600 * 96000))
        file.truncate(len(header) + 3600 * 96000)

    class Counting(io.FileIO):
        taken = 0

        def read(self, size=-1):
            got = super().read(size)
            Counting.taken += len(got)
            return got

    with Counting(path) as file, pytest.raises(ValueError, match="lasts 60 minutes, expected 60 seconds"):
        open_sound(file)
    assert Counting.taken < 1000


def test_what_is_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="it is a folder"):
        open_sound(tmp_path)
    with pytest.raises(FileNotFoundError, match="check the path"):
        open_sound(tmp_path / "none.wav")
    with pytest.raises(TypeError, match="opened as text"):
        open_sound(io.StringIO("RIFF"))
    with pytest.raises(TypeError, match="of type int, expected a path"):
        open_sound(3)


@pytest.mark.parametrize(("sound", "kind", "words"), [
    ([0.0, 0.1], TypeError, "is of type list, expected a Sound"), (np.zeros((2, 5)), ValueError, r"shape \(2, 5\)"),
    (np.zeros(5, np.int16), ValueError, "divide 16-bit"), (np.zeros(0), ValueError, "no samples"),
    (Sound(np.zeros(5), 0), ValueError, "a rate of 0"), (Sound(np.zeros(5), 44.1), ValueError, "a rate of 44.1"),
    (np.zeros(61 * RATE), ValueError, "lasts 61.0 seconds"), (np.float32([np.nan, 0]), ValueError, "NaN")])
def test_sounds_that_make_no_sense_are_refused(sound, kind, words):
    with pytest.raises(kind, match=f"^the voice of post 3 .*{words}"):
        checked_sound(sound, "the voice of post 3")


def test_a_checked_sound_has_the_rate_of_all():
    sound = checked_sound(Sound(np.repeat(TONE, 2), 2 * RATE))
    assert (sound.rate, len(sound.samples), sound.samples.dtype) == (RATE, RATE, np.float32)


@pytest.mark.parametrize("kind", ["FLAC", "OGG", "MP3", "AIFF"])
def test_other_formats(kind):
    soundfile = pytest.importorskip("soundfile")
    file = io.BytesIO()
    soundfile.write(file, np.stack([TONE, TONE], 1), RATE, format=kind)
    sound = open_sound(file)
    assert abs(sound.seconds - 1) < 0.1
    assert np.std(sound.samples) == pytest.approx(np.std(TONE), rel=0.05)
    with pytest.raises(ValueError, match="cannot be read as a sound"):
        open_sound(file.getvalue()[:3] + b"nothing of the kind")


def test_without_soundfile_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "soundfile", None)
    with pytest.raises(ValueError, match="pip install soundfile"):
        open_sound(b"fLaC and so on")


def test_what_is_no_sound_is_refused_without_an_address_in_memory():
    with pytest.raises(ValueError, match=r"^the sound of 7 bytes (cannot be read as a|is no plain WAV file)") as info:
        open_sound(b"nothing")
    assert "0x" not in str(info.value)
