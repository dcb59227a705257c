"""The models of sounds that Hugging Face has and this course reads: wav2vec2, HuBERT, Whisper's encoder and AST.

Each has its own way of making numbers of a sound and tokens of numbers. What they share here: padding is no token.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..posts.sound import RATE, Sound
from .base import spread, which

_SECONDS = 30.0  # what Whisper reads at most, and all that the others are given
_AST_WINDOW, _HOP = 400, 160  # samples of a frame of AST's, and from one to the next


class Clips:
    """Makes sounds what a Hugging Face model wants, by its own feature extractor. Can be pickled.

    Its settings are left as they are: most of wav2vec2's and HuBERT's scale each clip (`do_normalize`), and what they
    then make of a voice knows nothing of its loudness.
    """

    def __init__(self, processor: Any, kind: str, max_seconds: float, shortest: int):
        self.processor, self.kind, self.max_seconds, self.shortest = processor, kind, max_seconds, shortest

    def __call__(self, sounds: Sequence[Sound | None]) -> dict[str, Tensor]:
        """→ ``input_features`` (batch, bands, frames), or (batch, samples), and ``voice_mask`` (batch, frames or
        samples), False behind a sound's end and all False for a missing one.

        Raises:
            ValueError: for another rate than RATE.
        """
        present = which(sounds)
        clips = [self._samples(sound) for sound in sounds if sound is not None] or [np.zeros(self.shortest, np.float32)]
        features, lengths = self._features(clips)
        mask = torch.arange(features.shape[-1]) < lengths.unsqueeze(1)
        count = int(present.sum())
        return {"input_features": spread(features[:count], present), "voice_mask": spread(mask[:count], present)}

    def _samples(self, sound: Sound) -> np.ndarray:
        """What is read of a sound, and silence behind it where it is too short for a single token."""
        if sound.rate != RATE:
            raise ValueError(f"a sound has {sound.rate} samples a second: expected {RATE}; open_sound brings any to "
                             "it.")
        samples = np.asarray(sound.samples[:int(self.max_seconds * RATE)], np.float32)
        return np.pad(samples, (0, max(0, self.shortest - len(samples))))

    def _features(self, clips: list[np.ndarray]) -> tuple[Tensor, Tensor]:
        """The batch, and of each clip how many frames or samples are real."""
        options = {"sampling_rate": RATE, "return_tensors": "pt"}
        samples = torch.tensor([len(clip) for clip in clips])
        if self.kind == "whisper":  # thirty seconds, whatever comes
            features = self.processor(clips, **options)["input_features"]
            return features, (samples + self.processor.hop_length - 1) // self.processor.hop_length
        if self.kind == "audio-spectrogram-transformer":
            features = self.processor(clips, **options)["input_values"].transpose(1, 2)
            return features, 1 + (samples - _AST_WINDOW) // _HOP
        alone = [self.processor(clip, **options)["input_values"][0] for clip in clips]  # scaled without any padding
        return torch.nn.utils.rnn.pad_sequence(alone, batch_first=True), samples

    def settings(self) -> Any:
        """All that decides how a sound is prepared; equal for two that prepare alike."""
        return self.processor.to_dict()


def tokens_of(net: Any, features: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """A batch of `Clips` → tokens (batch, tokens, width) and their mask, no longer than the longest sound."""
    kind = net.config.model_type
    if kind == "whisper":
        tokens, mask = net(features).last_hidden_state, mask[:, ::2]
    elif kind == "audio-spectrogram-transformer":
        tokens, mask = _patches(net, features, mask)
    else:
        return _frames(net, features, mask)
    longest = int(mask.any(0).nonzero().max()) + 1
    return tokens[:, :longest], mask[:, :longest]


def _frames(net: Any, samples: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """wav2vec2 and HuBERT, clip by clip: the first norm of most averages over time, so that padding would be heard."""
    alone = [net(row[real].unsqueeze(0)).last_hidden_state[0] for row, real in zip(samples, mask)]
    lengths = torch.tensor([len(tokens) for tokens in alone], device=mask.device)
    tokens = torch.nn.utils.rnn.pad_sequence(alone, batch_first=True)
    return tokens, torch.arange(tokens.shape[1], device=mask.device) < lengths.unsqueeze(1)


def _patches(net: Any, features: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """AST's patches, from moment to moment, within each from low to high; one is real if it begins in the sound.

    Its two class tokens are left out: they have looked at the padding.
    """
    config = net.config
    times = (config.max_length - config.patch_size) // config.time_stride + 1
    patches = net(features.transpose(1, 2)).last_hidden_state[:, 2:]
    patches = patches.unflatten(1, (-1, times)).transpose(1, 2)  # (batch, times, heights, width)
    begins = mask[:, :times * config.time_stride:config.time_stride]
    return patches.flatten(1, 2), begins.repeat_interleave(patches.shape[2], 1)


def adapted(net: Any, source: str | Path | None) -> tuple[Any, Clips, int, int]:
    """A loaded model → itself, what prepares sounds for it, its width, and the most tokens that it gives.

    Args:
        source: where its feature extractor is; None: that of Whisper's own.

    Raises:
        ValueError: if its feature extractor belongs to another kind of model, or reads another rate than RATE.
    """
    config = net.config
    kind = config.model_type
    processor = _processor(source, config)
    wanted = {"whisper": "WhisperFeatureExtractor", "audio-spectrogram-transformer": "ASTFeatureExtractor"}.get(
        kind, "Wav2Vec2FeatureExtractor")
    if type(processor).__name__ != wanted or processor.sampling_rate != RATE:
        raise ValueError(f"the feature extractor of {source} is a {type(processor).__name__} for "
                         f"{getattr(processor, 'sampling_rate', 'an unknown number of')} samples a second: expected a "
                         f"{wanted} for {RATE}.")
    if kind == "whisper":
        return net, Clips(processor, kind, _SECONDS, 1), config.d_model, config.max_source_positions
    if kind == "audio-spectrogram-transformer":
        seconds = ((config.max_length - 1) * _HOP + _AST_WINDOW) / RATE
        heights = (config.num_mel_bins - config.patch_size) // config.frequency_stride + 1
        times = (config.max_length - config.patch_size) // config.time_stride + 1
        return net, Clips(processor, kind, seconds, _AST_WINDOW), config.hidden_size, heights * times
    config.apply_spec_augment = False  # it would hide parts of a voice in training, at random from everybody's numbers
    shortest, most = 1, int(_SECONDS * RATE)
    for size, stride in zip(config.conv_kernel, config.conv_stride):
        most = (most - size) // stride + 1
    for size, stride in zip(reversed(config.conv_kernel), reversed(config.conv_stride)):
        shortest = (shortest - 1) * stride + size
    width = getattr(config, "output_hidden_size", None) or config.hidden_size
    return net, Clips(processor, kind, _SECONDS, shortest), width, most


def _processor(source: str | Path | None, config: Any) -> Any:
    from transformers import AutoFeatureExtractor, WhisperFeatureExtractor

    if source is None:
        return WhisperFeatureExtractor(feature_size=config.num_mel_bins)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "At least one mel filter")  # AST's own: 128 bands are what it learned with
        return AutoFeatureExtractor.from_pretrained(source, trust_remote_code=False)
