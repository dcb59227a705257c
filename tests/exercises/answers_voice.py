"""Answers to the exercises of notebook 10: right ones in several styles, wrong ones with words of their messages."""

import math

import numpy as np
import torch

# --- 10.1 mel_filters ---


def mel(f):
    return 2595 * np.log10(1 + f / 700)


def hertz(m):
    return 700 * (10 ** (m / 2595) - 1)


def filters_at_once(bands, frequencies):
    corners = hertz(np.linspace(0, mel(frequencies[-1]), bands + 2))
    return np.array([np.interp(frequencies, corners[b:b + 3], [0, 1, 0]) for b in range(bands)])


def filters_by_broadcasting(bands, frequencies):
    corners = hertz(np.linspace(0, mel(frequencies[-1]), bands + 2))[:, None]
    up = (frequencies - corners[:-2]) / (corners[1:-1] - corners[:-2])
    down = (corners[2:] - frequencies) / (corners[2:] - corners[1:-1])
    return torch.from_numpy(np.minimum(up, down).clip(min=0))


def filters_by_loop(bands, frequencies):
    """Any logarithm will do, if what leads back undoes it."""
    top = math.log1p(float(frequencies[-1]) / 700)
    corners = [700 * math.expm1(top * i / (bands + 1)) for i in range(bands + 2)]
    rows = []
    for left, middle, right in zip(corners, corners[1:], corners[2:]):
        row = []
        for f in frequencies.tolist():
            row.append((f - left) / (middle - left) if left <= f <= middle else
                       (right - f) / (right - middle) if middle < f <= right else 0.0)
        rows.append(row)
    return rows


def filtering(extra=2, to=mel, back=hertz, cut=True, peak=None, join=np.minimum, then=lambda rows, corners: rows,
              scale=lambda f: f):
    """The sound filters, or some with a flaw."""
    def answer(bands, frequencies):
        corners = back(np.linspace(0, to(frequencies[-1]), bands + extra))
        left, middle, right = corners[:-2, None], corners[1:-1, None], corners[2:, None]
        middle = middle if peak is None else peak(left, right)
        f = scale(frequencies)
        rows = join((f - left) / (middle - left), (right - f) / (right - middle))
        return then(rows.clip(min=0) if cut else rows, corners)
    return answer


def filters_at_the_bins(bands, frequencies):
    """As many tutorials do it: corners are moved to the nearest frequency of the spectrogram."""
    corners = hertz(np.linspace(0, mel(frequencies[-1]), bands + 2))
    corners = (corners / frequencies[1]).round() * frequencies[1]
    return np.array([np.interp(frequencies, corners[b:b + 3], [0, 1, 0]) for b in range(bands)])


def slaney(mel):
    """Section 3's way back to Hz."""
    return np.where(mel < 15, mel * 200 / 3, 1000 * np.exp((mel - 15) * np.log(6.4) / 27))


# --- 10.2 decibels ---


def decibels_at_once(samples, window, step):
    frames = np.lib.stride_tricks.sliding_window_view(samples, len(window))[::step]
    power = np.abs(np.fft.rfft(frames * window)) ** 2
    return np.maximum(10 * np.log10(np.maximum(power, 1e-30) / power.max()), -80)


def decibels_by_loop(samples, window, step):
    rows = []
    for start in range(0, len(samples) - len(window) + 1, step):
        rows.append(np.abs(np.fft.rfft(samples[start:start + len(window)] * window)))
    level = 20 * np.log10(np.maximum(rows, 1e-20))
    return np.clip(level - level.max(), -80, None)


def decibels_in_torch(samples, window, step):
    frames = torch.from_numpy(samples).unfold(0, len(window), step) * torch.from_numpy(window)
    power = torch.fft.rfft(frames).abs() ** 2
    return (10 * torch.log10((power / power.max()).clamp(min=1e-8)))


def decibels_by_hand(samples, window, step):
    """The transform as a table of waves."""
    n = len(window)
    waves = np.exp(-2j * np.pi * np.outer(np.arange(n), np.arange(n // 2 + 1)) / n)
    frames = np.array([samples[i:i + n] * window for i in range(0, len(samples) - n + 1, step)])
    power = np.abs(frames @ waves) ** 2
    return [[10 * math.log10(max(p, 1e-8 * power.max()) / power.max()) for p in row] for row in power]


def level(weigh=True, fft=np.fft.rfft, size=lambda s: np.abs(s) ** 2, log=lambda p: 10 * np.log10(p + 1e-30),
          less=lambda dB: dB - dB.max(), floor=lambda dB: np.maximum(dB, -80), hop=None, then=lambda dB: dB):
    """The sound levels, or some with a flaw."""
    def answer(samples, window, step):
        frames = np.lib.stride_tricks.sliding_window_view(samples, len(window))[::hop or step]
        return then(floor(less(log(size(fft(frames * window if weigh else frames))))))
    return answer


def one_window_apart(samples, window, step):
    return decibels_at_once(samples, window, len(window))


def with_a_part(samples, window, step):
    """The last frames are filled up with zeros."""
    rest = -len(samples) % step + len(window)
    frames = np.lib.stride_tricks.sliding_window_view(np.append(samples, np.zeros(rest)), len(window))[::step]
    power = np.abs(np.fft.rfft(frames[:-(-len(samples) // step)] * window)) ** 2
    return np.maximum(10 * np.log10(np.maximum(power, 1e-30) / power.max()), -80)


def silent(samples, window, step):
    """Perfect silence is none of the quiet places."""
    with np.errstate(all="ignore"):
        dB = level(log=lambda p: 10 * np.log10(p), floor=lambda dB: dB)(samples, window, step)
    return np.where(np.isfinite(dB), np.maximum(dB, -80), dB)


def no_number(samples, window, step):
    with np.errstate(all="ignore"):
        return decibels_at_once(samples, window, step) + 0 * level(log=np.log10)(samples, window, step) * (
            level(log=lambda p: np.log10(p), floor=lambda dB: dB)(samples, window, step))


def silence_at_the_top(samples, window, step):
    dB = decibels_at_once(samples, window, step)
    return np.where(level(size=np.abs, log=lambda s: s, less=lambda s: s, floor=lambda s: s)(
        samples, window, step) == 0, 0, dB)


# --- 10.3 still_and_moving ---


def counted(n):
    return -(-(n // 160 + 1) // 8)


def summary_by_loop(tokens, samples):
    rows = []
    for row, n in zip(tokens, samples):
        frames = n // 160 + 1
        for _ in range(3):
            frames = math.ceil(frames / 2)
        rows.append(torch.cat([row[:frames].mean(0), row[:frames].std(0, unbiased=False)]))
    return torch.stack(rows)


def summary_by_mask(tokens, samples):
    count = torch.tensor(samples) // 1280 + 1
    real = (torch.arange(tokens.shape[1]) < count[:, None])[:, :, None].to(tokens.dtype)
    mean = (tokens * real).sum(1) / count[:, None]
    spread = (((tokens - mean[:, None]) ** 2 * real).sum(1) / count[:, None]).sqrt()
    return torch.cat([mean, spread], 1)


def summary_in_numpy(tokens, samples):
    rows = [row[:counted(n)] for row, n in zip(tokens.numpy(), samples)]
    return np.stack([np.append(row.mean(0), row.std(0)) for row in rows])


def summary_by_squares(tokens, samples):
    """The mean of squares less the square of the mean."""
    out = []
    for row, n in zip(tokens.double(), samples):
        real = row[:counted(n)]
        mean = real.mean(0)
        out.append([*mean.tolist(), *((real ** 2).mean(0) - mean ** 2).clamp(min=0).sqrt().tolist()])
    return out


def summed(count=counted, of_mean=None, of_spread=None, spread=lambda x: x.std(0, unbiased=False), order=(0, 1)):
    """The sound summary, or one with a flaw."""
    def answer(tokens, samples):
        rows = []
        for row, n in zip(tokens, samples):
            parts = row[:(of_mean or count)(n)].mean(0), spread(row[:(of_spread or count)(n)])
            rows.append(torch.cat([parts[i] for i in order]))
        return torch.stack(rows)
    return answer


def zeros_counted(tokens, samples):
    kept = tokens.clone()
    for row, n in zip(kept, samples):
        row[counted(n):] = 0
    return torch.cat([kept.mean(1), kept.std(1, unbiased=False)], 1)


# --- 10.4 unheard_speakers ---


def nearest_mean(features, labels, asked):
    names = np.unique(labels)
    means = np.stack([features[labels == name].mean(0) for name in names])
    return names[np.linalg.norm(asked[:, None] - means, axis=2).argmin(1)]


def left_out_by_masks(features, labels, speakers):
    right = 0
    for one in set(speakers.tolist()):
        held = speakers == one
        right += (nearest_mean(features[~held], labels[~held], features[held]) == labels[held]).sum()
    return right / len(labels)


def left_out_by_loop(features, labels, speakers):
    right = []
    for clip, label, who in zip(features, labels, speakers):
        means = {}
        for name in sorted(set(labels.tolist())):
            rows = [f for f, y, s in zip(features, labels, speakers) if y == name and s != who]
            means[name] = sum(rows) / len(rows)
        right.append(min(means, key=lambda name: ((clip - means[name]) ** 2).sum()) == label)
    return sum(right) / len(right)


def left_out_in_torch(features, labels, speakers):
    x, y = torch.from_numpy(features), torch.from_numpy(labels)
    _, who = np.unique(speakers, return_inverse=True)
    who, right = torch.from_numpy(who), []
    for one in who.unique():
        kept = who != one
        means = torch.stack([x[kept & (y == c)].mean(0) for c in range(3)])
        right.append(torch.cdist(x[~kept], means).argmin(1) == y[~kept])
    return torch.cat(right).double().mean()


def leaving(learn=lambda held: ~held, nearest=nearest_mean, told=np.mean, groups=lambda speakers: speakers,
            bring=lambda x, speakers: x, asked=lambda held: held):
    """The sound experiment, or one with a flaw."""
    def answer(features, labels, speakers):
        x, who, right = bring(features, speakers), groups(speakers), []
        for one in np.unique(who):
            held = who == one
            test = asked(held)
            right.append(nearest(x[learn(held)], labels[learn(held)], x[test]) == labels[test])
        return told(np.concatenate(right))
    return answer


def nearest_clip(features, labels, asked):
    return labels[np.linalg.norm(asked[:, None] - features, axis=2).argmin(1)]


def speakers_alike(features, labels, speakers):
    shares = []
    for one in np.unique(speakers):
        held = speakers == one
        shares.append((nearest_mean(features[~held], labels[~held], features[held]) == labels[held]).mean())
    return np.mean(shares)


def less_their_mean(features, speakers):
    return features - np.array([features[speakers == one].mean(0) for one in speakers])


def numbers_only(features, labels, speakers):
    """Counts on speakers 0, 1, 2 ..."""
    right = []
    for one in range(len(np.unique(speakers))):
        held = speakers == one
        if held.any():
            right.extend(nearest_mean(features[~held], labels[~held], features[held]) == labels[held])
    return np.mean(right) if right else 0.0


RIGHT = {
    "mel_filters": [filters_at_once, filters_by_broadcasting, filters_by_loop, filtering()],
    "decibels": [decibels_at_once, decibels_by_loop, decibels_in_torch, decibels_by_hand, level()],
    "still_and_moving": [summary_by_loop, summary_by_mask, summary_in_numpy, summary_by_squares, summed()],
    "unheard_speakers": [left_out_by_masks, left_out_by_loop, left_out_in_torch, leaving()],
}

WRONG = {
    "mel_filters": [
        (filtering(to=lambda f: f, back=lambda m: m), "equal steps of Hz"), (filtering(extra=0), "two bands too few"),
        (filtering(extra=1), "one band too few"), (filtering(back=lambda m: m), "still in mel"),
        (filtering(back=lambda m: 700 * (np.exp(m / 2595) - 1)), "by another"),
        (filtering(back=lambda m: 700 * 10 ** (m / 2595)), "no corner lies at 0 Hz"),
        (filtering(back=lambda m: m, scale=mel), "straight sides in mel"), (filtering(cut=False), "go on below 0"),
        (filtering(to=lambda f: 15 + 27 * np.log(f / 1000) / np.log(6.4), back=slaney), "section 3's scale"),
        (filtering(join=lambda up, down: ((up >= 0) & (down >= 0)) * 1.0), "boxes"),
        (filtering(peak=lambda left, right: (left + right) / 2), "further to the left"),
        (filtering(then=lambda rows, c: 2 * rows / (c[2:] - c[:-2])[:, None]), "librosa"),
        (filtering(then=lambda rows, c: rows / rows.sum(1, keepdims=True)), "row is made to sum"),
        (filtering(join=lambda up, down: up.clip(min=0) * down.clip(min=0)), "makes a hill"),
        (filtering(then=lambda rows, c: rows.T), "exchanged"),
        (filtering(then=lambda rows, c: c), "Expected the shape"), (filtering(extra=4), "Expected the shape"),
        (filtering(to=lambda f: 2595 * np.log(1 + f / 700)), "by the natural logarithm"),
        (filtering(to=lambda f: 2595 * np.log10(f / 700), back=lambda m: 700 * 10 ** (m / 2595)), "on both ways"),
        (filters_at_the_bins, "moved to frequencies of the spectrogram"),
        (filtering(join=lambda up, down: np.where(up <= 1, up, 0)), "end there"),
        (filtering(join=lambda up, down: up.clip(max=1)), "never fall"),
        (filtering(then=lambda rows, c: rows / 2), "0.5 times the one asked for"),
        (filtering(join=lambda up, down: np.minimum(up, down) ** 2), "not what the task asks for")],
    "decibels": [
        (level(less=lambda dB: 10 * np.log10(10 ** ((dB - dB.max()) / 10) + 1e-8)), "The floor is added"),
        (level(weigh=False), "window is not used"), (level(log=lambda p: 20 * np.log10(p + 1e-30)), "twice as deep"),
        (level(size=np.abs), "half as deep"), (level(log=lambda p: 10 * np.log(p + 1e-30)), "natural logarithm"),
        (level(log=lambda p: np.log10(p + 1e-30)), "ten decibels"),
        (level(less=lambda dB: dB - dB.max(1, keepdims=True)), "own loudest frequency"),
        (level(less=lambda dB: dB - 10 * np.log10(np.mean(10 ** (dB / 10)))), "above 0 dB"),
        (level(less=lambda dB: dB), "turned up"), (level(less=lambda dB: np.maximum(dB, -80), floor=lambda dB:
                                                         dB - dB.max()), "First the one"),
        (level(floor=lambda dB: np.where(dB < -80, 0, dB)), "as loud as the loudest"),
        (level(then=lambda dB: -dB), "the wrong sign"), (one_window_apart, "do not overlap"),
        (level(hop=1), "one sample apart"), (with_a_part, "are not full"),
        (lambda *case: decibels_at_once(*case)[:-1], "Expected the shape (27"),
        (level(fft=np.fft.fft), "in the mirror"), (level(size=lambda s: s.real ** 2), "real part"),
        (level(then=lambda dB: dB.T), "exchanged"),
        (level(log=lambda p: p, less=lambda p: p, floor=lambda p: p), "These are powers"),
        (silent, "minus infinity"), (no_number, "there is a NaN"), (level(floor=lambda dB: dB), "below the floor"),
        (silence_at_the_top, "perfectly silent for a while"),
        (level(then=lambda dB: dB / 2), "0.5 times the one asked for")],
    "still_and_moving": [
        (lambda tokens, samples: torch.cat([tokens.mean(1), tokens.std(1, unbiased=False)], 1), "padding is counted"),
        (summed(of_spread=lambda n: 10**6), "deviation counts"), (summed(of_mean=lambda n: 10**6), "the mean counts"),
        (zeros_counted, "set to zero"), (summed(lambda n: max(1, n // 1280)), "Your clips are a token short"),
        (summed(lambda n: max(1, (n // 160 + 1) // 8)), "Some of your clips are a token short"),
        (summed(lambda n: max(1, math.ceil(n // 160 / 8))), "one more than the steps"),
        (summed(lambda n: max(1, math.ceil(n / 1280))), "just at a token's border"),
        (summed(lambda n: math.ceil((math.ceil(n / 160) + 1) / 8)), "Some of your clips have a token too many"),
        (summed(spread=lambda x: x.std(0)), "one less"),
        (summed(spread=lambda x: x.var(0, unbiased=False)), "variance"),
        (summed(spread=lambda x: (x ** 2).mean(0).sqrt()), "about 0"), (summed(order=(1, 0)), "two halves"),
        (summed(order=(0,)), "how a voice moves is missing"),
        (lambda *case: torch.stack([summary_by_loop(*case)] * 2), "Expected the shape"),
        (summed(lambda n: (n // 160 + 1) // 8 + 1), "there is a token too many"),
        (summed(lambda n: max(1, round((n // 160 + 1) / 8))), "round to the nearest token"),
        (summed(lambda n: -(-(n // 160 + 1) // 4)), "halved too seldom or too often"),
        (summed(spread=lambda x: (x - x.mean(0)).abs().mean(0)), "mean distance from the mean"),
        (summed(spread=lambda x: x.amax(0) - x.amin(0)), "The means are right"),
        (lambda *case: torch.cat([0 * case[0][:, 0], summary_by_loop(*case)[:, case[0].shape[2]:]], 1),
         "The deviations are right"),
        (lambda *case: 2 * summary_by_loop(*case), "2 times the one asked for"),
        (lambda *case: summary_by_loop(*case).exp(), "not what the task asks for")],
    "unheard_speakers": [
        (leaving(learn=np.ones_like), "nobody is left out"), (leaving(learn=lambda held: held), "from nobody else"),
        (leaving(groups=lambda speakers: np.arange(len(speakers))), "a single clip at a time"),
        (leaving(learn=lambda held: held, asked=lambda held: ~held), "other way round"),
        (speakers_alike, "counts alike"),
        (leaving(nearest=nearest_clip), "nearest clip"), (leaving(bring=less_their_mean), "taken away first"),
        (leaving(bring=lambda features, who: (features - features.mean(0)) / features.std(0)), "scaled by the spread"),
        (leaving(told=lambda right: 1 - right.mean()), "add up to 1"), (leaving(told=np.sum), "a count"),
        (leaving(told=lambda right: 100 * right.mean()), "per cent"), (numbers_only, "Here they are names"),
        (leaving(told=lambda right: right), "Expected"),
        (leaving(told=lambda right: right.mean() / 3), "0.3333 times")],
}
