"""Recordings of people, and what is done to them, for `voice.py`: collected, cut, bent, and measured by five numbers.

The recordings are those of Debian's free packages, unpacked side by side into one folder (`PACKAGES`; none is shipped):
prompts for telephones, games and programs for children, in more than thirty languages, spoken by some seventy people,
and the acted dialogues of an adventure game.
"""

from __future__ import annotations

import io
import re
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy import signal

RATE = 16_000
#: Debian's packages → which of their files are recordings of people.
PACKAGES = {
    **{f"asterisk-core-sounds-{language}-wav": r".*\.wav" for language in ("en", "es", "fr", "it", "ru")},
    "asterisk-prompt-es-co": r".*\.(gsm|wav)", "asterisk-prompt-fr-armelle": r".*\.(gsm|wav)",
    "asterisk-prompt-it-menardi-wav": r".*\.wav", "festvox-ru": r".*\.wav", "hedgewars-data": r".*/voices/.*\.ogg",
    "klettres-data": r".*\.ogg", "ktuberling-data": r".*\.(wav|ogg|opus)", "tuxpaint-stamps-default": r".*\.ogg",
    "flight-of-the-amazon-queen": r".*\.1c"}
#: Who is never learned from: of them the card's figures are.
HELD_OUT = ("asterisk-prompt-fr-armelle", "asterisk-core-sounds-ru-wav", "hedgewars-data British",
            "hedgewars-data Surfer", "hedgewars-data Default_es", "ktuberling-data de", "tuxpaint-stamps-default el",
            "tuxpaint-stamps-default da", "klettres-data cs")
FILES, LINES = 600, 2_600  # of a package, and of the adventure game: about so many are read
LONGEST, SHORTEST = 4.0, 0.9  # seconds of a clip
VOICES = ("en-us", "en-gb", "en-gb-scotland", "de", "fr-fr", "es", "it", "pl", "sv", "pt-br")  # of espeak-ng
VARIANTS = ("m1", "m3", "m7", "f1", "f2", "f4", "klatt", "klatt4", "Andy", "Annie")
FLITE = ("kal16", "awb", "rms", "slt")
SENTENCES = (
    "I waited for an hour, and then the soup was cold.", "This is the best bread that I have had in years!",
    "Nobody told us that the kitchen was closed.", "Well, I suppose that it could have been worse.",
    "Did you really order the fish again?", "We sat by the window and watched the rain.",
    "Bring your friends, the terrace is lovely in the evening.", "The bill came before the coffee did.",
    "What a day, what a place, what a cake!", "Never again, not even for free.",
    "It is open from nine to five, every day but Monday.", "My grandmother made noodles just like these.")


class Clip(NamedTuple):
    """Some seconds of somebody's speech."""

    samples: np.ndarray  # (n,) float32 at RATE
    who: str  # the package, and the voice within it
    where: str  # the file


# --- what there is ------------------------------------------------------------------------------------------------

def recordings(folder: Path) -> Iterator[Clip]:
    """Every recording below a folder with a subfolder for each of the packages, as long as it is."""
    import soundfile
    from tqdm import tqdm

    for package, pattern in PACKAGES.items():
        paths = sorted(path for path in (folder / package).rglob("*")
                       if re.fullmatch(pattern, path.as_posix()) and path.is_file() and "silence" not in path.parts)
        if not paths:
            raise FileNotFoundError(f"no recordings in {folder / package}: unpack Debian's {package} there "
                                    f"(apt download {package}; dpkg-deb -x {package}_*.deb {folder / package}).")
        for path in tqdm(paths[::max(1, len(paths) // FILES)], desc=package, mininterval=10):
            if path.suffix == ".1c":
                yield from _dialogues(path, package)
                continue
            try:
                samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
            except soundfile.LibsndfileError:
                continue  # a few are no sounds
            yield Clip(_at_rate(samples.mean(1), rate), _who(package, path), path.name)


def _who(package: str, path: Path) -> str:
    """Who speaks, as far as a path tells: the language, or the cast."""
    if package.startswith("tuxpaint"):
        found = re.search(r"(?:_desc)?_([a-z]{2}(?:_[A-Z]{2})?)\.ogg$", path.name)
        return f"{package} {found[1] if found else 'en'}"
    if package.startswith(("hedgewars", "ktuberling")):
        return f"{package} {path.parent.name}"
    return f"{package} {path.parents[1].name}" if package.startswith("klettres") else package


def _dialogues(path: Path, package: str) -> Iterator[Clip]:
    """The lines of Flight of the Amazon Queen: MP3s one after the other, listed at the front of the file."""
    import soundfile

    data = path.read_bytes()
    if data[:9] != b"QTBLCEM10":
        raise ValueError(f"{path} is no dialogue file of the game's talking version.")
    count = struct.unpack(">H", data[13:15])[0]
    for i in range(0, count, max(1, count // LINES)):
        name, _, offset, size = struct.unpack(">12sBII", data[15 + 21 * i:36 + 21 * i])
        name = name.rstrip(b"\0").decode("ascii", "replace")
        if not name.endswith(".SB"):
            continue
        try:
            samples, rate = soundfile.read(io.BytesIO(data[offset:offset + size]), dtype="float32", always_2d=True)
        except soundfile.LibsndfileError:
            continue
        yield Clip(_at_rate(samples.mean(1), rate), package, name)


def synthesised(count: int, rng: np.random.Generator) -> Iterator[Clip]:
    """Sentences by espeak-ng and flite, in many voices, pitches and speeds."""
    import soundfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "said.wav"
        for i in range(count):
            words = SENTENCES[rng.integers(len(SENTENCES))]
            if rng.random() < 0.6:
                who = f"{VOICES[rng.integers(len(VOICES))]}+{VARIANTS[rng.integers(len(VARIANTS))]}"
                subprocess.run(["espeak-ng", "-v", who, "-p", str(rng.integers(5, 95)),
                                "-s", str(rng.integers(110, 230)), "-a", str(rng.integers(40, 160)), "-w", path, words],
                               check=True, stderr=subprocess.DEVNULL)
            else:
                who = FLITE[rng.integers(len(FLITE))]
                subprocess.run(["flite", "-voice", who, "--setf", f"duration_stretch={rng.uniform(0.75, 1.4):.2f}",
                                "--setf", f"int_f0_target_mean={rng.uniform(80, 240):.0f}",
                                "--setf", f"int_f0_target_stddev={rng.uniform(3, 60):.0f}", "-t", words, "-o", path],
                               check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            samples, rate = soundfile.read(path, dtype="float32")
            yield Clip(_at_rate(samples, rate), f"synthesised {who}", str(i))


def _at_rate(samples: np.ndarray, rate: int) -> np.ndarray:
    rate = round(rate, -1)  # an odd one (22,047) would ask for an endless filter
    step = np.gcd(rate, RATE)
    return signal.resample_poly(samples, RATE // step, rate // step).astype(np.float32) if rate != RATE else samples


def clips(sounds: Iterator[Clip], rng: np.random.Generator) -> list[Clip]:
    """Recordings → clips of 0.9 to 4 s: silence cut off, long ones cut up, short ones of one voice joined."""
    found: list[Clip] = []
    short: dict[str, list[Clip]] = {}
    for sound in sounds:
        samples = _trimmed(sound.samples)
        if len(samples) < 0.2 * RATE:
            continue
        if len(samples) < SHORTEST * RATE:
            short.setdefault(sound.who, []).append(sound._replace(samples=samples))
            continue
        while len(samples) >= SHORTEST * RATE:
            length = int(rng.uniform(1.6, LONGEST) * RATE) if len(samples) > LONGEST * RATE else len(samples)
            found.append(sound._replace(samples=samples[:length]))
            samples = samples[length:]
    for who, parts in short.items():
        pieces: list[np.ndarray] = []
        for i in rng.permutation(len(parts)):
            pieces += [parts[i].samples, np.zeros(int(rng.uniform(0.08, 0.25) * RATE), np.float32)]
            if sum(map(len, pieces)) > 1.5 * RATE:
                found.append(Clip(np.concatenate(pieces[:-1])[:int(LONGEST * RATE)], who, parts[i].where))
                pieces = []
    return found


def _trimmed(samples: np.ndarray) -> np.ndarray:
    """Without what lies 40 dB below the loudest at either end; nothing of a sound that is none."""
    frames = samples[:len(samples) // 320 * 320].reshape(-1, 320)
    power = np.square(frames).mean(1) if len(frames) else np.zeros(1)
    if power.max() < 1e-6:
        return samples[:0]
    loud = np.flatnonzero(power > power.max() * 1e-4)
    return samples[max(0, loud[0] - 2) * 320:(loud[-1] + 3) * 320]


# --- what is done to them -------------------------------------------------------------------------------------------

def bent(samples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The same words in another voice and place: pitch with formants, tempo, tilt, noise, a room, level."""
    out = samples.astype(np.float64)
    if rng.random() < 0.7:
        higher, faster = 2 ** rng.uniform(-0.3, 0.3), 2 ** rng.uniform(-0.3, 0.3)
        out = stretched(out, higher / faster)
        out = signal.resample(out, int(len(out) / higher))
    if rng.random() < 0.4:
        spectrum, octaves = np.fft.rfft(out), np.log2(np.maximum(np.fft.rfftfreq(len(out), 1 / RATE), 60) / 500)
        out = np.fft.irfft(spectrum * 10 ** (rng.uniform(-4, 4) * octaves / 20), len(out))
    if rng.random() < 0.15:
        out = signal.sosfilt(signal.butter(4, [250, 3600], "band", fs=RATE, output="sos"), out)
    if rng.random() < 0.3:
        decay = rng.uniform(0.05, 0.35)
        time = np.arange(int(decay * RATE)) / RATE
        room = rng.standard_normal(len(time)) * np.exp(-6.9 * time / decay) * rng.uniform(0.02, 0.15)
        room[0] = 1
        out = signal.fftconvolve(out, room)[:len(out)]
    level = np.sqrt(np.mean(out**2)) + 1e-6
    out *= 10 ** (rng.normal(-26, 5) / 20) / level if rng.random() < 0.5 else 10 ** (rng.normal(0, 4) / 20)
    level = np.sqrt(np.mean(out**2)) + 1e-6
    if rng.random() < 0.5:
        noise = np.fft.rfft(rng.standard_normal(len(out)))
        noise = np.fft.irfft(noise * np.arange(1, len(noise) + 1) ** -rng.uniform(0, 0.8), len(out))
        out += noise / noise.std() * level * 10 ** (-rng.uniform(12, 45) / 20)
    out += rng.standard_normal(len(out)) * 10 ** (rng.uniform(-85, -65) / 20)
    return np.clip(out, -1, 1).astype(np.float32)[:int(LONGEST * RATE)]


def stretched(samples: np.ndarray, factor: float) -> np.ndarray:
    """`factor` times as long at the same pitch: windows of 40 ms laid where they fit best (WSOLA, Verhelst 1993)."""
    size, hop, reach = 640, 320, 120
    if len(samples) < 2 * size:
        return samples
    window = np.hanning(size + 1)[:-1]
    count = int(len(samples) * factor) // hop
    padded = np.pad(samples, (reach, size + 2 * reach + hop))
    out = np.zeros(count * hop + size)
    last = reach
    for i in range(count):
        at = min(int(i * hop / factor), len(samples)) + reach
        if i:
            wanted = padded[last + hop:last + hop + size]
            around = padded[max(at - reach, 0):at + reach + size]
            at = max(at - reach, 0) + int(np.argmax(np.correlate(around, wanted[:len(around)], "valid")))
            at = min(at, len(padded) - size - hop)
        out[i * hop:i * hop + size] += padded[at:at + size] * window
        last = at
    return out[:count * hop]


# --- what is measured -----------------------------------------------------------------------------------------------

NUMBERS = ("pitch", "range", "energy", "tilt", "tempo")  #: of `prosody`, which has more


_POINTS = 1200  # of a frame's transform


def prosody(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A sound → its numbers, and its track.

    Returns:
        (8,): mean pitch (log2 Hz), its spread (semitones), energy of the voiced part (dB), tilt (dB: above against
        below 1 kHz), tempo (peaks of loudness a second), the voiced share, spread of the energy (dB), harmonicity (0 to
        1).
        (frames, 3): every 20 ms, log2 of the pitch (NaN where none is), energy (dB), harmonicity.
    """
    size, hop = 800, 320
    padded = np.pad(samples.astype(np.float64), (size // 2, size))
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[::hop][:max(1, -(-len(samples) // hop))]
    window = np.hanning(size)
    spectra = np.abs(np.fft.rfft((frames - frames.mean(1, keepdims=True)) * window, _POINTS)) ** 2
    energy = 10 * np.log10(spectra.sum(1) / _POINTS / (window**2).sum() * 2 + 1e-10)
    own = np.fft.irfft(np.abs(np.fft.rfft(window, _POINTS)) ** 2)
    lags = np.arange(RATE // 480, RATE // 62)
    alike = np.fft.irfft(spectra)[:, :lags[-1] + 2]
    alike = alike / (alike[:, :1] + 1e-12) / (own[:lags[-1] + 2] / own[0])
    heard = alike[:, lags] - 0.02 * np.log2(lags / lags[0])
    best = lags[heard.argmax(1)]
    harmonicity = np.clip(alike[np.arange(len(best)), best], 0, 1)
    voiced = (harmonicity > 0.5) & (energy > energy.max() - 35)
    pitch = np.where(voiced, np.log2(RATE / best), np.nan)
    median = np.nanmedian(pitch) if voiced.any() else np.nan
    pitch = np.where(np.abs(pitch - median) < 0.9, pitch, np.nan)  # octave errors
    voiced = np.isfinite(pitch)
    track = np.stack([pitch, energy, harmonicity], 1)
    if voiced.sum() < 3:
        return np.array([np.nan, np.nan, energy.max(), np.nan, np.nan, 0, energy.std(), harmonicity.mean()]), track
    power = spectra[voiced].mean(0)
    edge = int(1000 * _POINTS / RATE)
    tilt = 10 * np.log10(power[edge:].sum() / power[edge // 20:edge].sum() + 1e-9)
    loud = np.convolve(energy, np.hanning(7)[1:-1] / np.hanning(7).sum(), "same")
    peaks, _ = signal.find_peaks(loud, prominence=3, height=energy.max() - 30)
    tempo = len(peaks) / (len(samples) / RATE)
    low, high = np.nanpercentile(pitch, [10, 90])
    return np.array([np.nanmean(pitch), 12 * (high - low), 10 * np.log10(np.mean(10 ** (energy[voiced] / 10))), tilt,
                     tempo, voiced.mean(), energy[energy > energy.max() - 40].std(), harmonicity[voiced].mean()]), track
