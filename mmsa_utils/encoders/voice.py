"""Voice encoders: a network over a sound, from this package, a folder or the Hugging Face hub."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from ..checksums import WEIGHTS, check_weights
from ..posts.sound import RATE, Sound
from ..seeds import seeded
from .base import Encoded, Encoder, spread, which
from .loading import explained
from .pretrained import VOICE_ENCODERS, pretrained_net, random_net, source_of
from .strangers import tried
from .voice_kinds import Clips, adapted, tokens_of

WIDTH = 128  # of a token, and of the vector
BANDS, WINDOW, HOP = 80, 512, 160  # mel bands; samples of a window (32 ms) and from one to the next (10 ms)
MAX_SECONDS = 10.0  # longer sounds are cut: a voice is heard in a few seconds
_STRIDE = 8  # frames of a token: three convolutions with a stride of 2


class Mels:
    """Makes log-mel spectrograms of sounds, padded to the longest of the batch. Can be pickled.

    Nothing is normalised clip by clip: how loud a voice is stays in the numbers.
    """

    max_seconds = MAX_SECONDS

    def __call__(self, sounds: Sequence[Sound | None]) -> dict[str, Tensor]:
        """→ ``input_features`` (batch, bands, frames) and ``voice_mask`` (batch, frames), all False for None."""
        clips = [log_mels(sound) for sound in sounds if sound is not None]
        frames = max((clip.shape[1] for clip in clips), default=1)
        features = torch.zeros(len(clips), BANDS, frames)
        mask = torch.zeros(len(clips), frames, dtype=torch.bool)
        for row, clip in enumerate(clips):
            features[row, :, :clip.shape[1]], mask[row, :clip.shape[1]] = clip, True
        present = which(sounds)
        return {"input_features": spread(features, present), "voice_mask": spread(mask, present)}

    def settings(self) -> Any:
        """All that decides how a sound is prepared; equal for two that prepare alike."""
        return {"rate": RATE, "bands": BANDS, "window": WINDOW, "hop": HOP, "max_seconds": MAX_SECONDS}


def log_mels(sound: Sound) -> Tensor:
    """A sound → (bands, frames): the power in each mel band every 10 ms, in bels about -50 dB of full scale.

    Raises:
        ValueError: for another rate than RATE.
    """
    if sound.rate != RATE:
        raise ValueError(f"a sound has {sound.rate} samples a second: expected {RATE}; open_sound brings any to it.")
    samples = torch.from_numpy(np.ascontiguousarray(sound.samples[:int(MAX_SECONDS * RATE)], dtype=np.float32))
    samples = F.pad(samples, (WINDOW // 2, WINDOW // 2))  # the first frame's middle is the first sample
    window = torch.hann_window(WINDOW)
    power = torch.stft(samples, WINDOW, HOP, window=window, center=False, return_complex=True).abs().square()
    mels = _mel_bands() @ (power / window.square().sum())
    return torch.log10(mels.clamp(min=1e-9)) + 5


@cache
def _mel_bands() -> Tensor:
    """(bands, frequencies): what each band takes of each frequency (Slaney's scale, as librosa and Whisper have it)."""
    from transformers.audio_utils import mel_filter_bank

    filters = mel_filter_bank(WINDOW // 2 + 1, BANDS, 0.0, RATE / 2, RATE, norm=None, mel_scale="slaney")
    return torch.from_numpy(filters.T).float()


class MiniVoice(nn.Module):
    """A small network over log-mel frames: strided convolutions, then a transformer.

    What is padding is zero before each convolution, exactly as if the sound ended there, and no token looks at it.
    """

    places: Tensor

    def __init__(self, width: int = WIDTH, layers: int = 3, heads: int = 4):
        super().__init__()
        self.convolutions = nn.ModuleList(
            nn.Conv1d(BANDS if i == 0 else width, width, 3, stride=2, padding=1) for i in range(3))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(width, heads, 4 * width, 0.0, "gelu", batch_first=True, norm_first=True)
            for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.summary = nn.Linear(2 * width, width)  # of the tokens' mean and their spread
        self.register_buffer("places", _waves(math.ceil((MAX_SECONDS * RATE / HOP + 1) / _STRIDE), width),
                             persistent=False)

    def forward(self, features: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """(batch, bands, frames) and their mask (batch, frames) → tokens (batch, frames / 8, width) and their mask."""
        states = features
        for convolution, norm in zip(self.convolutions, self.norms):
            states = convolution(states * mask.unsqueeze(1))
            mask = mask[:, ::2]
            states = F.gelu(norm(states.transpose(1, 2))).transpose(1, 2)
        states = states.transpose(1, 2) + self.places[:states.shape[2]]
        for layer in self.layers:
            states = layer(states, src_key_padding_mask=~mask)
        return self.norm(states), mask

    def pool(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """(batch, tokens, width) and (batch, tokens) → (batch, width), from the mean and the deviation in time.

        Feeling lives in how a voice moves as much as in how it is (Banse and Scherer 1996).
        """
        weights = mask.unsqueeze(-1).to(tokens.dtype)
        count = weights.sum(1).clamp(min=1)
        tokens = tokens.masked_fill(~mask.unsqueeze(-1), 0)
        mean = tokens.sum(1) / count
        variance = ((tokens - mean.unsqueeze(1)).square() * weights).sum(1) / count
        return self.summary(torch.cat([mean, (variance + 1e-5).sqrt()], 1))


def _waves(count: int, width: int) -> Tensor:
    """(count, width): the place of each token as sines and cosines (Vaswani et al. 2017)."""
    angles = torch.arange(count).unsqueeze(1) * torch.exp(torch.arange(0, width, 2) * (-math.log(1e4) / width))
    return torch.stack([angles.sin(), angles.cos()], 2).flatten(1)


class VoiceEncoder(Encoder):
    """A network over sounds and what prepares them. `width` is the length of the vector that comes out."""

    inputs = ("input_features", "voice_mask")
    prepare: Mels | Clips

    def __init__(self, net: Any, prepare: Mels | Clips, width: int, max_tokens: int):
        super().__init__()
        self.net: Any = net
        self.prepare = prepare
        self.width, self.max_tokens = width, max_tokens

    def encode(self, input_features: Tensor, voice_mask: Tensor) -> Encoded:  # type: ignore[override]
        """(batch, bands, frames), or (batch, samples) for networks that read them, and their mask (batch, frames or
        samples) → tokens (batch, tokens, width), the last ones real for the longest sound.

        The rows of missing sounds never enter the network.
        """
        present = voice_mask.any(1)
        if not present.any():
            return Encoded(input_features.new_zeros(len(present), 1, self.width), present.unsqueeze(1))
        features = input_features[present].to(next(self.net.parameters()).dtype)  # half precision takes halves
        read = self.net if isinstance(self.net, MiniVoice) else partial(tokens_of, self.net)
        tokens, mask = read(features, voice_mask[present])
        return Encoded(spread(tokens, present), spread(mask, present))

    def pool(self, encoded: Encoded) -> Tensor:
        """(batch, tokens, width) → (batch, width): the mini's own summary, else the mean over what is real."""
        if not isinstance(self.net, MiniVoice):
            return encoded.pooled
        vectors = self.net.pool(encoded.tokens, encoded.mask)
        return vectors.masked_fill(~encoded.mask.any(1, keepdim=True), 0)

    def forward(self, input_features: Tensor, voice_mask: Tensor) -> Tensor:  # type: ignore[override]
        """(batch, bands, frames) and (batch, frames) → (batch, width)."""
        return self.pool(self.encode(input_features, voice_mask))

    def cuts(self, item: Sound) -> bool:
        """Whether a sound is longer than this encoder reads: its end is not heard."""
        return item.seconds > self.prepare.max_seconds

    def save(self, folder: Path) -> None:
        """Write a Hugging Face model with its feature extractor into a folder; the mini as it is."""
        if isinstance(self.net, MiniVoice):
            return super().save(folder)
        self.net.save_pretrained(folder)
        self.prepare.processor.save_pretrained(folder)  # type: ignore[union-attr]


def pretrained_voice_encoder(name: str, size: str = "mini", pretrained: bool = True, seed: int = 0) -> VoiceEncoder:
    """Load a network over sounds and what prepares them; see `load_voice_encoder`."""
    source = source_of(name, size, VOICE_ENCODERS)
    if name in VOICE_ENCODERS and size == "mini":
        return _mini(name, pretrained, seed)
    with explained(name, source, "voice"):
        net = pretrained_net(source, "voice") if pretrained else random_net(name, size, source, "voice", seed)
        processor = None if name in VOICE_ENCODERS and not pretrained else source
        encoder = VoiceEncoder(*adapted(net, processor))
        if name not in VOICE_ENCODERS:
            sounds = [Sound(np.sin(np.arange(n) / 9).astype(np.float32)) for n in (4000, 9000)]
            encoder.width = tried(lambda: encoder(**encoder.prepare(sounds)), source, "voice")
    return encoder


def _mini(name: str, pretrained: bool, seed: int) -> VoiceEncoder:
    with seeded(seed):
        net = MiniVoice()
    if pretrained:
        source = WEIGHTS / name
        with explained(name, source, "voice"):
            check_weights(source)
            net.load_state_dict({key: tensor.float() for key, tensor
                                 in load_file(source / "model.safetensors").items()})
    return VoiceEncoder(net.eval(), Mels(), WIDTH, len(net.places))
