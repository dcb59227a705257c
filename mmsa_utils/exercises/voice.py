"""The checks of notebook 10: mel filters, decibels, how a voice is and moves, and speakers that nobody has heard."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from .checks import exercise
from .compare import Refused, alike, compare, numbers, told_by
from .made_up import bands_and_frequencies, clip, padded_clips, voices


@exercise("10.1")
def mel_filters(answer: Any, rng: np.random.Generator, factor: float = 2595, corner: float = 700) -> str:
    """(bands, frequencies (f,) in Hz) → triangles (bands, f), at mels factor * log10(1 + f / corner)."""
    def to_mel(hertz):
        return factor * np.log10(1 + np.asarray(hertz, float) / corner)

    def to_hertz(mel):
        return corner * (10 ** (np.asarray(mel, float) / factor) - 1)

    def filters(extra: int = 2, back: Callable = to_hertz, to: Callable = to_mel, scale: Callable = np.array,
                peak: Callable = lambda corners, b: corners[b + 1], shape: Callable = np.minimum, cut: bool = True,
                weigh: Callable = lambda rows, corners: rows, moved: Callable = lambda c, at: c) -> Callable:
        """A function that makes one mistake: in the corners, in the triangles, or in what becomes of them."""
        def function(bands, frequencies):
            corners = moved(back(np.linspace(0, to(frequencies[-1]), bands + extra)), frequencies)
            at, rows = scale(frequencies), []
            for b in range(len(corners) - 2):
                left, middle, right = corners[b], peak(corners, b), corners[b + 2]
                row = shape((at - left) / (middle - left), (right - at) / (right - middle))
                rows.append(np.maximum(row, 0) if cut else row)
            return weigh(np.array(rows), corners)
        return function

    compare(answer, filters(), bands_and_frequencies(rng), {
        "Your corners lie at equal steps of Hz. The ear's steps are equal in mel, so that high bands are wider.":
            filters(back=np.array, to=np.array),
        "There are two bands too few. A triangle has three corners, neighbours share two: how many do all need?":
            filters(extra=0),
        "There is one band too few. The last triangle needs a corner to its right, the first one to its left.":
            filters(extra=1),
        "Your corners are still in mel, and are held against frequencies in Hz: they have to be turned back.":
            filters(back=np.array),
        "Into mel by one logarithm, back by another.": filters(back=lambda mel: corner * (np.exp(mel / factor) - 1)),
        "Into mel by the natural logarithm, and back by a power of 10: your corners run far beyond the last frequency.":
            filters(to=lambda top: factor * np.log(1 + top / corner)),
        "The 1 under the logarithm is missing on both ways, so no corner lies at 0 Hz.":
            filters(to=lambda top: factor * np.log10(top / corner), back=lambda mel: corner * 10 ** (mel / factor)),
        "Your corners are moved to frequencies of the spectrogram. The task leaves them where equal steps put them.":
            filters(moved=lambda corners, at: at[np.abs(corners[:, None] - at).argmin(1)]),
        "On the way back the 1 under the logarithm is not taken away again, so no corner lies at 0 Hz.":
            filters(back=lambda mel: corner * 10 ** (mel / factor)),
        "Your triangles have straight sides in mel: seen in Hz they are bent. The task draws them straight in Hz.":
            filters(back=np.array, scale=to_mel),
        "These are corners of section 3's scale. The task gives the formula of another one.":
            filters(to=lambda top: 15 + 27 * np.log(top / 1000) / np.log(6.4),
                    back=lambda mel: np.where(mel < 15, mel * 200 / 3, 1000 * 6.4 ** ((mel - 15) / 27))),
        "Outside of each triangle the two lines go on below 0. A filter takes nothing there.": filters(cut=False),
        "Your bands rise to their peak and end there. From the second corner to the third they fall.":
            filters(shape=lambda up, down: np.where(up <= 1, up, 0)),
        "Your bands rise to 1 and never fall. From the second corner to the third they come down again.":
            filters(shape=lambda up, down: np.minimum(up, 1)),
        "The filters are boxes: all that lies between their outer corners counts fully.":
            filters(shape=lambda up, down: ((up >= 0) & (down >= 0)) * 1.0),
        "Each triangle has its peak in the middle between its outer corners. It belongs at the middle corner, which "
        "lies further to the left.": filters(peak=lambda corners, b: (corners[b] + corners[b + 2]) / 2),
        "Each triangle is divided by its width, as librosa does unless it is told otherwise. Here the peak is 1.":
            filters(weigh=lambda rows, c: rows * (2 / (c[2:] - c[:-2]))[:, None]),
        "Each row is made to sum to 1, so that wide filters are low. Here the peak is 1.":
            filters(weigh=lambda rows, c: rows / rows.sum(1, keepdims=True)),
        "The two sides of a triangle are multiplied: that makes a hill. Which of the two lines counts, and where?":
            filters(shape=lambda up, down: np.maximum(up, 0) * np.maximum(down, 0)),
    })
    return "Narrow triangles where the ear is fine, wide ones where it is not: that is all that a mel spectrum adds."


@exercise("10.2")
def decibels(answer: Any, rng: np.random.Generator, lowest: float = -80) -> str:
    """(samples (n,), window (w,), step) → (frames, w / 2 + 1) dB, from 0 down to `lowest`."""
    def spectrogram(weigh: bool = True, size: Callable = lambda s: np.abs(s) ** 2, fft: Callable = np.fft.rfft,
                    log: Callable = lambda p: 10 * np.log10(p), top: Callable = np.max,
                    floor: Callable = lambda dB: np.maximum(dB, lowest), hop: Callable = lambda step, w: step,
                    end: Callable = lambda n, w: n - w + 1) -> Callable:
        """A function that makes one mistake, in the place that is named."""
        def function(samples, window, step):
            starts = range(0, end(len(samples), len(window)), hop(step, len(window)))
            longer = np.append(samples, np.zeros(len(window)))
            frames = np.array([longer[start:start + len(window)] for start in starts])
            with np.errstate(all="ignore"):
                power = size(fft(frames * window if weigh else frames))
                level = log(power)
                return floor(level - log(np.maximum(top(power), 0)))
        return function

    cases = [clip(rng, length, width, step) for length, width, step in ((150, 16, 5), (200, 24, 8), (131, 12, 7))]
    compare(answer, spectrogram(), cases, {
        "The window is not used: each frame is cut off sharply at both ends, and the cut is heard at all frequencies.":
            spectrogram(weigh=False),
        "20 times the logarithm belongs to an amplitude. Yours is already a power: it comes out twice as deep.":
            spectrogram(log=lambda p: 20 * np.log10(p)),
        "10 times the logarithm belongs to a power. Yours is an amplitude: it comes out half as deep.":
            spectrogram(size=np.abs),
        "The natural logarithm: decibels take that of base 10.": spectrogram(log=lambda p: 10 * np.log(p)),
        f"These are bels, with a floor at {lowest} of them. A bel has ten decibels.": spectrogram(log=np.log10),
        "Every frame is held against its own loudest frequency, so that silence comes out as loud as a shout. 0 dB is "
        "the loudest of the whole clip.": spectrogram(top=lambda power: power.max(1, keepdims=True)),
        "Held against the average: then the loudest lies above 0 dB.": spectrogram(top=np.mean),
        "Nothing is taken as 0 dB yet: the numbers depend on how the recording was turned up.":
            spectrogram(top=lambda power: 1.0),
        "The floor is taken from the levels before the loudest is brought to 0 dB. First the one, then the other.":
            lambda *case: (lambda level: level - level.max())(spectrogram(top=lambda power: 1.0)(*case)),
        "The floor is added, and raises all that lies near it. Take the larger of the two.":
            spectrogram(log=lambda p: 10 * np.log10(p / p.max() + 10 ** (lowest / 10)), top=lambda power: 1.0),
        "Some levels lie below the floor. What is quieter than the task's lowest level counts as that.":
            spectrogram(floor=lambda dB: dB),
        f"What lies lower than {lowest} dB is set to 0: the quietest is now as loud as the loudest.":
            spectrogram(floor=lambda dB: np.where(dB < lowest, 0, dB)),
        "The frames do not overlap: yours begin one window apart. How far apart does the task begin them?":
            spectrogram(hop=lambda step, w: w),
        "Your frames begin one sample apart. The task gives the step.": spectrogram(hop=lambda step, w: 1),
        "There are frames too many: the last ones are not full. As many as fit whole.":
            spectrogram(end=lambda n, w: n),
        "The upper half of the frequencies is the lower one in the mirror: numbers that are real need the lower half "
        "alone.": spectrogram(fft=np.fft.fft),
        "Only the real part of each frequency counts in yours. What of a tone that is shifted a little in time?":
            spectrogram(size=lambda s: s.real ** 2),
        "These are powers. Asked for are decibels.": spectrogram(log=np.array, floor=np.array, top=lambda power: 0.0),
    })
    _refuse_silence(answer, spectrogram(), clip(rng, 150, 16, 5, silent=40))
    return "0 dB is the loudest, ten times less power is 10 dB less, and silence has a floor under it."


def _refuse_silence(answer: Any, reference: Callable, case: tuple) -> None:
    """Refuse an answer that goes wrong where a clip is perfectly silent for a while."""
    values = numbers(answer(*case))
    if values is None or alike(values, reference(*case)):
        return
    if np.isnan(values).any():
        raise Refused("Right while there is sound. In perfect silence there is a NaN: the power is 0, its logarithm "
                      "minus infinity, and that less itself is no number. What is held against what?", 1 / 2)
    if np.isneginf(values).any():
        raise Refused("Right while there is sound. Perfect silence comes out as minus infinity: the floor has to be "
                      "under it, too.", 1 / 2)
    raise Refused("Right while there is sound, and wrong where it is perfectly silent for a while: the floor.", 1 / 2)


def _zeros_counted(tokens: torch.Tensor, counts: list[int]) -> torch.Tensor:
    """Zeros where there is no token, and then mean and deviation over all places."""
    real = torch.arange(tokens.shape[1]) < torch.tensor(counts)[:, None]
    kept = tokens.double() * real[:, :, None]
    return torch.cat([kept.mean(1), kept.std(1, unbiased=False)], 1)


@exercise("10.3")
def still_and_moving(answer: Any, rng: np.random.Generator, hop: int = 160, times: int = 8) -> str:
    """(tokens (batch, t, width), samples: a list of whole numbers) → mean and deviation (batch, 2 * width)."""
    def tokens_of(samples):
        return -(-(samples // hop + 1) // times)

    def summary(count: Callable = tokens_of, of_mean: Callable | None = None, of_spread: Callable | None = None,
                spread: Callable = lambda x: x.std(0), order: Callable = lambda *halves: halves) -> Callable:
        """A function that makes one mistake, in the place that is named."""
        def function(tokens, samples):
            rows = []
            for row, length in zip(np.asarray(tokens.double()), samples):
                real = [row[:(other or count)(length)] for other in (of_mean, of_spread)]
                rows.append(np.concatenate(order(real[0].mean(0), spread(real[1]))))
            return np.array(rows)
        return function

    def half_right(place):
        def holds(given, tokens, samples):
            wanted = summary()(tokens, samples)
            return given.shape == wanted.shape and alike(*(np.split(both, 2, 1)[place] for both in (given, wanted)))
        return holds

    cases = [padded_clips(rng, batch, width, hop, times) for batch, width in ((5, 3), (7, 2), (4, 4))]
    compare(answer, summary(), cases, {
        "The padding is counted in: a short clip is then a little of itself and much of its padding.":
            summary(lambda n: 10**6),
        "The mean is right, and the deviation counts the padding in.": summary(of_spread=lambda n: 10**6),
        "The deviation is right, and the mean counts the padding in.": summary(of_mean=lambda n: 10**6),
        "The padding is set to zero, and then counted in: zeros are numbers, too.":
            lambda tokens, samples: _zeros_counted(tokens, [tokens_of(n) for n in samples]),
        "Your clips are a token short: the first frame lies at the very beginning, and an odd number of frames is "
        "halved with the larger half kept.": summary(lambda n: max(1, (n // hop) // times)),
        "Some of your clips are a token short: an odd number of frames is halved with the larger half kept.":
            summary(lambda n: max(1, (n // hop + 1) // times)),
        "Where the samples are a multiple of a token's, a token is missing: the first frame lies at the very "
        "beginning, so there is one more than the steps.": summary(lambda n: max(1, -(-(n // hop) // times))),
        "Where samples end just at a token's border, the frame that begins there is missing.":
            summary(lambda n: max(1, -(-n // (hop * times)))),
        f"Some of your clips have a token too many: a frame every {hop} samples, and none for what is left over.":
            summary(lambda n: -(-(-(-n // hop) + 1) // times)),
        "Where frames end just at a token's border there is a token too many: is one added to a whole division?":
            summary(lambda n: (n // hop + 1) // times + 1),
        "You round to the nearest token. An odd number of frames is halved with the larger half kept, each time.":
            summary(lambda n: max(1, round((n // hop + 1) / times))),
        f"The frames are halved too seldom or too often: each of your tokens stands for another number than {times}.":
            told_by(answer, lambda given, *case: any(alike(given, halved(*case)) for halved in (
                summary(lambda n, by=by: -(-(n // hop + 1) // by)) for by in (times // 4, times // 2, times * 2)))),
        "You divide by one less than there are tokens, as PyTorch does unless it is told otherwise. The task divides "
        "by their number.": summary(spread=lambda x: x.std(0, ddof=1)),
        "This is the variance, and its square root is still to be taken.": summary(spread=lambda x: x.var(0)),
        "The root of the mean square is taken about 0, and not about the mean.":
            summary(spread=lambda x: np.sqrt((x ** 2).mean(0))),
        "The two halves are exchanged: the mean comes first.": summary(order=lambda *halves: halves[::-1]),
        "Only the mean is there: how a voice moves is missing.": summary(order=lambda *halves: halves[:1]),
        "This is the mean distance from the mean. The task squares the distances, and takes the root of their mean.":
            summary(spread=lambda x: np.abs(x - x.mean(0)).mean(0)),
        "The means are right, the deviations are not: of which tokens are they, and from what are distances taken?":
            told_by(answer, half_right(0)),
        "The deviations are right, the means are not: of which tokens are they?": told_by(answer, half_right(1)),
    })
    return "What is real is counted, and nothing else: this vector is the same in any company."


def _nearest(features: np.ndarray, labels: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """The label whose mean is nearest."""
    names = np.unique(labels)
    means = np.stack([features[labels == name].mean(0) for name in names])
    return names[((asked[:, None] - means) ** 2).sum(2).argmin(1)]


@exercise("10.4")
def unheard_speakers(answer: Any, rng: np.random.Generator) -> str:
    """(features (n, width), labels (n,), speakers (n,)) → the share that is right, each speaker left out in turn."""
    def left_out(groups: Callable = lambda f, y, s: s, learn: Callable = lambda held: ~held, told: Callable = np.mean,
                 nearest: Callable = _nearest, bring: Callable = lambda f, s: f) -> Callable:
        """A function that makes one mistake, in the place that is named."""
        def function(features, labels, speakers):
            features, who = bring(np.asarray(features, float), speakers), groups(features, labels, speakers)
            right = np.zeros(len(labels), bool)
            for one in np.unique(who):
                held = who == one
                rows = learn(held)
                right[held] = nearest(features[rows], labels[rows], features[held]) == labels[held]
            return told(right)
        return function

    def one_clip(features, labels, asked):
        return labels[((asked[:, None] - features) ** 2).sum(2).argmin(1)]

    def centred(features, speakers):
        return features - np.stack([features[speakers == one].mean(0) for one in speakers])

    def speakers_mean(features, labels, speakers):
        shares = []
        for one in np.unique(speakers):
            held = speakers == one
            shares.append((_nearest(features[~held], labels[~held], features[held]) == labels[held]).mean())
        return np.mean(shares)

    def backwards(features, labels, speakers):
        right = []
        for one in np.unique(speakers):
            held = speakers == one
            right.append(_nearest(features[held], labels[held], features[~held]) == labels[~held])
        return np.concatenate(right).mean()

    cases = [voices(rng, count, width) for count, width in ((5, 4), (6, 3), (4, 6))]
    compare(answer, left_out(), cases, {
        "The speaker who is asked about is among those that you learn from, too: nobody is left out.":
            left_out(learn=np.ones_like),
        "You learn from the speaker who is asked about, and from nobody else.": left_out(learn=lambda held: held),
        "You leave out a single clip at a time. Its speaker's other clips are still learned from.":
            left_out(groups=lambda f, y, s: np.arange(len(y))),
        "You learn from one speaker and ask about all others. It is the other way round.": backwards,
        "Each speaker counts alike in yours, however few clips there are of one. Asked for is the share of all clips.":
            speakers_mean,
        "Each clip gets the label of the nearest clip. The task compares with the mean of each label.":
            left_out(nearest=one_clip),
        "From every clip its speaker's mean is taken away first. That needs many clips of whoever is asked about.":
            left_out(bring=centred),
        "The features are scaled by the spread of all clips, those of the speaker who is left out, too. The task takes "
        "them as they are.": left_out(bring=lambda f, s: f / f.std(0)),
        "This is a count, and no share.": left_out(told=np.sum),
    })
    features, labels, speakers = cases[0]
    names = np.array([f"speaker {one}" for one in speakers])
    if not alike(answer(features, labels, names), left_out()(features, labels, speakers)):
        raise Refused("Right while the speakers are numbers. Here they are names, and the share is another one.")
    return "Nobody whom you asked about was learned from: this is what to expect of a voice that is new."
