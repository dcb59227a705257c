"""A sound goes in and one vector comes out, from the mini, Whisper's encoder, wav2vec2, HuBERT or AST."""

import json
import pickle
from functools import cache
from pathlib import Path

import helpers
import numpy as np
import pytest
import torch
from helpers import generators
from safetensors.torch import load_file

from mmsa_utils import EncoderUnavailable, load_text_encoder
from mmsa_utils.checksums import WEIGHTS
from mmsa_utils.encoders.base import Encoded
from mmsa_utils.encoders.table import load_voice_encoder
from mmsa_utils.encoders.voice import HOP, MiniVoice, log_mels
from mmsa_utils.posts.sound import RATE, Sound

load = cache(lambda name="whisper", *rest: load_voice_encoder(name, *rest).eval())
WAVES = {"hidden_size": helpers.WIDTH, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32,
         "conv_dim": (8, 8), "conv_stride": (160, 2), "conv_kernel": (400, 2), "num_conv_pos_embeddings": 4,
         "num_conv_pos_embedding_groups": 2, "num_feat_extract_layers": 2}
KINDS = ("wav2vec2", "hubert", "whisper", "ast")


def voice(seconds: float, pitch: float = 150, loudness: float = 0.1, seed: int = 0) -> Sound:
    """A buzz that comes and goes, in a little noise."""
    time = np.arange(max(1, round(seconds * RATE))) / RATE
    buzz = np.sign(np.sin(2 * np.pi * pitch * time)) * (0.6 + 0.4 * np.sin(2 * np.pi * 3 * time))
    noise = np.random.default_rng(seed).normal(0, 0.02, len(time))
    return Sound((loudness * (buzz + noise)).astype(np.float32))


SOUNDS = [voice(0.7), voice(1.3, 240), voice(0.25, 90, 0.01)]


def features(encoder, sounds) -> torch.Tensor:
    with torch.no_grad():
        return encoder(**encoder.prepare(sounds))


def save(folder: Path, kind: str) -> Path:
    """A tiny checkpoint with random weights and its feature extractor."""
    import transformers as hf

    with torch.random.fork_rng():
        torch.manual_seed(1)
        if kind in ("wav2vec2", "hubert"):
            name = {"wav2vec2": "Wav2Vec2", "hubert": "Hubert"}[kind]
            net = getattr(hf, f"{name}Model")(getattr(hf, f"{name}Config")(**WAVES))
            processor = hf.Wav2Vec2FeatureExtractor(do_normalize=kind == "wav2vec2")
        elif kind == "whisper":
            net = hf.WhisperForConditionalGeneration(hf.WhisperConfig(
                vocab_size=20, d_model=helpers.WIDTH, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
                decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32, pad_token_id=0, bos_token_id=1,
                eos_token_id=2, decoder_start_token_id=3))
            processor = hf.WhisperFeatureExtractor()
        else:
            net = hf.ASTForAudioClassification(hf.ASTConfig(
                hidden_size=helpers.WIDTH, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
                max_length=120, num_mel_bins=32, patch_size=8, frequency_stride=8, time_stride=8))
            processor = hf.ASTFeatureExtractor(max_length=120, num_mel_bins=32)
    net.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> dict[str, Path]:
    base = tmp_path_factory.mktemp("voices")
    return {kind: save(base / kind, kind) for kind in KINDS}


def encoder_of(folders: dict[str, Path], kind: str):
    return load() if kind == "mini" else load(str(folders[kind]))


# --- what all share ---


@pytest.mark.parametrize("kind", ["mini", *KINDS])
def test_neighbours_their_order_and_their_absence_change_nothing(folders, kind):
    encoder = encoder_of(folders, kind)
    together = features(encoder, SOUNDS)
    assert together.shape == (3, encoder.width)
    alone = torch.cat([features(encoder, [sound]) for sound in SOUNDS])
    gaps = features(encoder, [None, SOUNDS[2], None, SOUNDS[0], SOUNDS[1]])
    assert torch.allclose(together, alone, atol=2e-6)
    assert torch.allclose(gaps[[3, 4, 1]], together, atol=2e-6)
    assert not gaps[[0, 2]].any()
    assert not torch.allclose(together[0], together[1], atol=1e-2)


@pytest.mark.parametrize("kind", ["mini", *KINDS])
def test_the_vector_is_made_of_true_tokens_alone(folders, kind):
    encoder = encoder_of(folders, kind)
    with torch.no_grad():
        encoded = encoder.encode(**encoder.prepare([*SOUNDS, None]))
        spoilt = encoded.tokens.masked_fill(~encoded.mask.unsqueeze(-1), torch.nan)
        assert torch.equal(encoder.pool(Encoded(spoilt, encoded.mask)), encoder.pool(encoded))
    assert encoded.tokens.shape == (*encoded.mask.shape, encoder.width)
    counts = encoded.mask.sum(1).tolist()
    assert encoded.mask.shape[1] == counts[1] > counts[0] > counts[2] > counts[3] == 0
    assert counts[1] <= encoder.max_tokens
    step = {"mini": 0.08, "ast": 0.08 / 4}.get(kind, 0.02)
    assert counts[1] == pytest.approx(1.3 / step, abs=6 if kind != "ast" else 12)


@pytest.mark.parametrize("kind", ["mini", *KINDS])
def test_nobody_speaks(folders, kind):
    encoder = encoder_of(folders, kind)
    with torch.no_grad():
        encoded = encoder.encode(**encoder.prepare([None, None]))
    assert encoded.tokens.shape[0] == 2
    assert not encoded.mask.any()
    assert features(encoder, [None, None]).tolist() == [[0] * encoder.width] * 2


@pytest.mark.parametrize("kind", ["mini", *KINDS])
def test_a_click_and_silence_are_sounds_too(folders, kind):
    encoder = encoder_of(folders, kind)
    strange = [Sound(np.ones(1, np.float32)), Sound(np.zeros(RATE, np.float32)), Sound(np.ones(50, np.float32))]
    assert features(encoder, strange).isfinite().all()


@pytest.mark.parametrize("kind", ["mini", *KINDS])
def test_the_end_of_a_long_sound_is_not_heard_and_that_is_said(folders, kind):
    encoder = encoder_of(folders, kind)
    seconds = encoder.prepare.max_seconds
    most = voice(seconds)
    longer = Sound(np.concatenate([most.samples, voice(1, 300).samples]))
    assert [encoder.cuts(sound) for sound in (SOUNDS[0], most, longer)] == [False, False, True]
    if kind in ("mini", "ast"):  # the others read half a minute
        assert torch.equal(features(encoder, [longer]), features(encoder, [most]))


@pytest.mark.parametrize("kind", ["mini", *KINDS])
def test_another_rate_is_refused(folders, kind):
    with pytest.raises(ValueError, match="a sound has 44100 samples a second: expected 16000"):
        encoder_of(folders, kind).prepare([Sound(np.zeros(4000, np.float32), 44_100)])


@pytest.mark.parametrize("kind", ["mini", *KINDS])
def test_what_prepares_can_be_sent_to_other_processes(folders, kind):
    encoder = encoder_of(folders, kind)
    again = pickle.loads(pickle.dumps(encoder.prepare))
    assert again.settings() == encoder.prepare.settings()
    assert torch.equal(again(SOUNDS)["input_features"], encoder.prepare(SOUNDS)["input_features"])


# --- mini ---


def test_the_mini_ships_and_is_small():
    encoder = load()
    assert (encoder.width, encoder.max_tokens, encoder.shipped) == (128, 126, True)
    assert 600_000 < sum(p.numel() for p in encoder.parameters()) < 900_000
    assert (WEIGHTS / "whisper" / "model.safetensors").stat().st_size < 2_000_000
    assert {p.dtype for p in encoder.parameters()} == {torch.float32}
    assert not encoder.net.training
    written = json.loads((WEIGHTS / "whisper" / "preprocessor_config.json").read_text())
    assert written == encoder.prepare.settings()
    assert {tensor.dtype for tensor in load_file(WEIGHTS / "whisper" / "model.safetensors").values()} == {torch.float16}


def test_loudness_stays_in_the_frames():
    quiet, loud = (log_mels(voice(0.5, loudness=loudness)) for loudness in (0.01, 0.1))
    assert torch.allclose(loud - quiet, torch.full_like(loud, 2.0), atol=0.05)  # 20 dB: a hundredfold power
    assert quiet.shape == (80, 1 + RATE // 2 // HOP)


def test_a_tone_lights_its_own_band_alone():
    peaks = []
    for frequency in (200, 1000, 4000):
        time = np.arange(RATE) / RATE
        frames = log_mels(Sound((0.1 * np.sin(2 * np.pi * frequency * time)).astype(np.float32)))[:, 50]
        peaks.append(int(frames.argmax()))
        assert (frames > frames.max() - 2).sum() < 8
    assert peaks == sorted(set(peaks))


def test_padding_may_hold_anything():
    encoder, batch = load(), load().prepare(SOUNDS)
    noise = torch.randn(batch["input_features"].shape, generator=torch.Generator().manual_seed(0))
    spoilt = torch.where(batch["voice_mask"].unsqueeze(1), batch["input_features"], noise)
    with torch.no_grad():
        assert torch.allclose(encoder(spoilt, batch["voice_mask"]), encoder(**batch), atol=2e-6)


def test_the_vector_knows_how_a_voice_moves():
    """The same tokens in the mean, still or moving: their deviation tells."""
    net = MiniVoice()
    still = torch.zeros(1, 8, 128)
    moving = still + torch.tensor([1.0, -1.0]).repeat(4).view(1, 8, 1)
    mask = torch.ones(1, 8, dtype=torch.bool)
    with torch.no_grad():
        assert not torch.allclose(net.pool(still, mask), net.pool(moving, mask), atol=1e-2)


def test_random_weights_come_from_the_seed_alone():
    before = generators()
    first, same, other = (load_voice_encoder("whisper", pretrained=False, seed=seed).eval() for seed in (1, 1, 2))
    assert generators() == before
    assert torch.equal(features(first, SOUNDS), features(same, SOUNDS))
    assert not torch.allclose(features(first, SOUNDS), features(other, SOUNDS), atol=1e-3)
    assert not torch.allclose(features(first, SOUNDS), features(load(), SOUNDS), atol=1e-3)


def test_a_mini_that_learned_is_saved_and_loaded(tmp_path):
    encoder = load_voice_encoder("whisper", pretrained=False, seed=3).eval()
    encoder.save(tmp_path / "voice")
    again = load_voice_encoder("whisper", pretrained=False, seed=4).eval()
    again.load(tmp_path / "voice")
    assert torch.equal(features(again, SOUNDS), features(encoder, SOUNDS))


@pytest.mark.parametrize("file", ["model.safetensors", "preprocessor_config.json"])
def test_harmed_weights_are_refused_by_name(weights, file):
    path = weights / "whisper" / file
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(ValueError, match=f"weights file whisper/{file} is damaged: restore it with `git checkout"):
        load_voice_encoder("whisper")


# --- Hugging Face's ---


def test_of_whisper_the_encoder_is_taken_and_kept(folders, tmp_path):
    encoder = load(str(folders["whisper"]))
    assert not any("decoder" in name for name, _ in encoder.named_parameters())
    encoder.save(tmp_path / "half")
    again = load_voice_encoder(tmp_path / "half").eval()
    assert torch.equal(features(again, SOUNDS), features(encoder, SOUNDS))
    assert again.name == "half"


@pytest.mark.parametrize("kind", KINDS)
def test_random_weights_of_a_folder_and_a_saved_copy(folders, kind, tmp_path):
    first = load_voice_encoder(str(folders[kind]), pretrained=False, seed=2).eval()
    assert not torch.allclose(features(first, SOUNDS), features(load(str(folders[kind])), SOUNDS), atol=1e-4)
    first.save(tmp_path / "copy")
    assert torch.equal(features(load_voice_encoder(tmp_path / "copy").eval(), SOUNDS), features(first, SOUNDS))


def test_each_scales_a_clip_as_its_own_settings_say(folders):
    quiet = [Sound(sound.samples / 4) for sound in SOUNDS]
    for kind, hears in (("wav2vec2", False), ("hubert", True), ("whisper", True)):
        encoder = load(str(folders[kind]))
        same = torch.allclose(features(encoder, quiet), features(encoder, SOUNDS), atol=1e-3)
        assert same != hears, kind


@pytest.mark.parametrize("kind", ["wav2vec2", "hubert"])
def test_learning_hides_no_part_of_a_short_voice(folders, kind):
    encoder = load_voice_encoder(str(folders[kind])).train()
    assert encoder(**encoder.prepare([voice(0.03)])).isfinite().all()  # masks of ten frames would not fit


def test_full_whisper_has_the_shape_of_whisper_tiny(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HOME", str(tmp_path))  # nothing may come from a cache
    encoder = load_voice_encoder("whisper", "full", pretrained=False).eval()
    assert (encoder.width, encoder.max_tokens, len(encoder.net.layers)) == (384, 1500, 4)
    assert sum(p.numel() for p in encoder.parameters()) / 1e6 == pytest.approx(8.2, abs=0.05)
    with torch.no_grad():
        encoded = encoder.encode(**encoder.prepare([SOUNDS[0]]))
    assert encoded.tokens.shape == (1, 35, 384)  # 0.7 s, of thirty that it looks at
    assert encoder.prepare([SOUNDS[0]])["input_features"].shape == (1, 80, 3000)


def test_wav2vec2_at_its_true_size(tmp_path):
    from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor

    Wav2Vec2Config(architectures=["Wav2Vec2Model"]).save_pretrained(tmp_path)
    Wav2Vec2FeatureExtractor().save_pretrained(tmp_path)
    encoder = load_voice_encoder(tmp_path, pretrained=False).eval()
    assert (encoder.width, encoder.max_tokens) == (768, 1499)
    assert sum(p.numel() for p in encoder.parameters()) / 1e6 == pytest.approx(94.4, abs=0.1)
    assert features(encoder, [SOUNDS[2]]).shape == (1, 768)


# --- what is refused ---


def test_a_model_of_texts_is_refused(tmp_path):
    with pytest.raises(ValueError, match="mine is of the kind 'bert': expected a model that reads sounds, of one of "
                                         "the kinds wav2vec2, HuBERT, Whisper, AST"):
        load_voice_encoder(helpers.save_text(tmp_path / "mine"))


def test_another_model_of_sounds_is_refused(tmp_path):
    from transformers import WavLMConfig, WavLMModel

    WavLMModel(WavLMConfig(**WAVES)).save_pretrained(tmp_path / "ears")
    (tmp_path / "ears" / "preprocessor_config.json").write_text("{}")
    with pytest.raises(ValueError, match="ears is of the kind 'wavlm': expected a model that reads sounds"):
        load_voice_encoder(tmp_path / "ears")


def test_without_its_feature_extractor_it_is_named(tmp_path):
    folder = save(tmp_path / "ears", "hubert")
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(EncoderUnavailable, match=r"holds no feature extractor \(preprocessor_config\.json\)"):
        load_voice_encoder(folder)


@pytest.mark.parametrize(("changes", "message"), [
    ({"sampling_rate": 8000}, "is a Wav2Vec2FeatureExtractor for 8000 samples a second: expected a .* for 16000"),
    ({"feature_extractor_type": "ASTFeatureExtractor"}, "is a ASTFeatureExtractor .* expected a Wav2Vec2Feature")])
def test_a_feature_extractor_that_does_not_fit(tmp_path, changes, message):
    folder = save(tmp_path / "ears", "hubert")
    helpers.edit_json(folder / "preprocessor_config.json", **changes)
    with pytest.raises(ValueError, match=message):
        load_voice_encoder(folder)


@pytest.mark.parametrize("name", ["whisper", "whispr", "/no/such/folder"])
def test_names_of_no_voice(name):
    if name == "whisper":  # it reads sounds, not texts
        with pytest.raises(ValueError, match="no encoder and no folder is called 'whisper': expected one of bert"):
            load_text_encoder(name)
    else:
        with pytest.raises(ValueError, match=f"no encoder and no folder is called '{name}': expected one of whisper"):
            load_voice_encoder(name)


@pytest.mark.parametrize("size", ["tiny", None])
def test_unknown_size_is_refused(size):
    with pytest.raises(ValueError, match=f'size is {size!r}, expected "mini" or "full"'):
        load_voice_encoder("whisper", size)
