"""Models of other kinds: the half that encodes is taken, or it is said what they are; none is called damaged."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import helpers
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from mmsa_utils import EncoderUnavailable, MultimodalSentimentModel, load_image_encoder, load_text_encoder
from mmsa_utils.encoders import loading

LOADERS = {"text": load_text_encoder, "image": load_image_encoder}
SMALL = {"hidden_size": helpers.WIDTH, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
TEXT = {**SMALL, "vocab_size": len(helpers.WORDS), "max_position_embeddings": 40, "pad_token_id": 0,
        "bos_token_id": 2, "eos_token_id": 3}
IMAGE = {**SMALL, "image_size": 32, "patch_size": 8}
PICTURES = [Image.effect_noise((50, 40), 90), Image.new("RGB", (7, 90), "red")]


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> dict[str, Path]:
    base = tmp_path_factory.mktemp("plain")
    return {"text": helpers.save_text(base / "text"), "image": helpers.save_image(base / "image")}


def copied(plain: dict[str, Path], side: str, tmp_path: Path) -> Path:
    return Path(shutil.copytree(plain[side], tmp_path / "mine"))


def saved(net, plain: dict[str, Path], folder: Path) -> Path:
    """A network with a tokenizer and an image processor beside it."""
    net.save_pretrained(folder)
    for side in plain.values():
        for path in side.iterdir():
            if path.name not in ("config.json", "model.safetensors"):
                shutil.copy(path, folder)
    return folder


def features(encoder, items: list) -> torch.Tensor:
    with torch.no_grad():
        return encoder.eval()(**encoder.prepare(items))


def two_encoders(kind: str):
    import transformers

    config = getattr(transformers, f"{kind}Config")(text_config=TEXT, vision_config=IMAGE, projection_dim=8)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return getattr(transformers, f"{kind}Model")(config).eval()


# --- what is taken ---


def test_the_half_of_clip_that_is_asked_for(plain, tmp_path):
    net = two_encoders("CLIP")
    folder = saved(net, plain, tmp_path / "clip")
    text, image = load_text_encoder(str(folder)), load_image_encoder(folder)
    words = text.prepare(["soup", "the burger is delicious !"])
    pixels = image.prepare(PICTURES)["pixel_values"]
    with torch.no_grad():
        assert torch.allclose(text.encode(**words).tokens, net.text_model(**words).last_hidden_state, atol=1e-6)
        assert torch.allclose(image.encode(pixels).tokens, net.vision_model(pixels).last_hidden_state, atol=1e-6)
    assert sum(p.numel() for p in text.parameters()) < sum(p.numel() for p in net.text_model.parameters()) + 1


def test_a_model_of_two_halves_of_clip_is_saved_and_loaded(plain, tmp_path):
    folder = str(saved(two_encoders("CLIP"), plain, tmp_path / "clip"))
    model = MultimodalSentimentModel(folder, folder).eval()
    model.save_pretrained(tmp_path / "model")
    shutil.rmtree(folder)
    again = MultimodalSentimentModel.from_pretrained(tmp_path / "model")
    post = (["the soup"], PICTURES[:1])
    assert torch.equal(again.predict(*post), model.predict(*post))


def test_siglip_gives_its_picture_half_and_says_that_it_has_two(plain, tmp_path):
    folder = saved(two_encoders("Siglip"), plain, tmp_path / "siglip")
    assert features(load_image_encoder(folder), PICTURES).shape == (2, helpers.WIDTH)
    with pytest.raises(ValueError, match="siglip holds two encoders"):
        load_text_encoder(folder)


@pytest.mark.parametrize("side", ["text", "image"])
def test_two_encoders_that_do_not_come_apart(plain, tmp_path, side):
    from transformers import BertConfig, VisionTextDualEncoderConfig, VisionTextDualEncoderModel, ViTConfig

    config = VisionTextDualEncoderConfig.from_vision_text_configs(ViTConfig(**IMAGE), BertConfig(**TEXT))
    folder = saved(VisionTextDualEncoderModel(config), plain, tmp_path / "dual")
    with pytest.raises(ValueError, match="dual holds two encoders, of texts and of pictures"):
        LOADERS[side](folder)


@pytest.mark.parametrize("pad", [False, True])
def test_a_model_that_writes_is_padded_behind_the_text(tmp_path, pad):
    encoder = load_text_encoder(helpers.save_writer(tmp_path / "gpt", pad))
    alone, beside = features(encoder, ["soup"]), features(encoder, ["soup", "a much longer text"])
    assert torch.allclose(alone[0], beside[0], atol=1e-6)
    assert encoder.prepare(["soup", "burger"])["attention_mask"].tolist() == [[1, 1, 1, 1, 0, 0], [1] * 6]
    again = MultimodalSentimentModel(encoder, None)
    again.save_pretrained(tmp_path / "model")
    loaded = MultimodalSentimentModel.from_pretrained(tmp_path / "model")
    assert torch.equal(features(loaded.encoders["text"], ["soup"]), alone)


def test_without_any_token_to_pad_with_it_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"gpt has no padding token \(pad_token\), nor one that ends a text"):
        load_text_encoder(helpers.save_writer(tmp_path / "gpt", end=False))


def test_the_half_of_t5_that_reads(plain, tmp_path):
    from transformers import T5Config, T5ForConditionalGeneration

    net = T5ForConditionalGeneration(T5Config(vocab_size=13, d_model=helpers.WIDTH, d_kv=8, d_ff=32, num_layers=1,
                                              num_heads=2)).eval()
    encoder = load_text_encoder(saved(net, plain, tmp_path / "t5"))
    words = encoder.prepare(["the soup", "burger"])
    with torch.no_grad():
        assert torch.allclose(encoder.encode(**words).tokens, net.encoder(**words).last_hidden_state, atol=1e-6)
    MultimodalSentimentModel(encoder, None).save_pretrained(tmp_path / "model")
    again = MultimodalSentimentModel.from_pretrained(tmp_path / "model").encoders["text"]
    assert torch.equal(features(again, ["soup"]), features(encoder, ["soup"]))


# --- what is said ---


@pytest.mark.parametrize(("side", "other", "message"), [
    ("text", "image", "mine is a model of pictures.*expected one that reads texts"),
    ("image", "text", "mine is a model of texts.*expected one that reads pictures")])
def test_a_model_of_the_other_side(plain, tmp_path, side, other, message):
    with pytest.raises(ValueError, match=message):
        LOADERS[side](copied(plain, other, tmp_path))


@pytest.mark.parametrize("side", ["text", "image"])
def test_a_model_of_sounds(plain, tmp_path, side):
    from transformers import Wav2Vec2Config, Wav2Vec2Model

    net = Wav2Vec2Model(Wav2Vec2Config(**SMALL, vocab_size=32, conv_dim=(8, 8), conv_stride=(5, 2), conv_kernel=(10, 3),
                                       num_conv_pos_embeddings=4, num_conv_pos_embedding_groups=2))
    with pytest.raises(ValueError, match="ears is a model of sounds"):
        LOADERS[side](saved(net, plain, tmp_path / "ears"))


def test_a_model_that_wants_both_sides_at_once(plain, tmp_path):
    from transformers import ViltConfig, ViltModel

    folder = saved(ViltModel(ViltConfig(**{**IMAGE, **TEXT})), plain, tmp_path / "vilt")
    with pytest.raises(ValueError, match="vilt cannot be used as an encoder of texts"):
        load_text_encoder(folder)


def test_a_model_whose_features_are_drawn_anew_each_time(plain, tmp_path):
    from transformers import ViTMAEConfig, ViTMAEModel

    with pytest.raises(ValueError, match="mae gives other features each time"):
        load_image_encoder(saved(ViTMAEModel(ViTMAEConfig(**IMAGE)), plain, tmp_path / "mae"))


CONFIGS = {
    "foreign code": ({"model_type": "nobodys", "auto_map": {"AutoModel": "code.Model"}}, "needs code of its own"),
    "unknown": ({"model_type": "bert_of_2031"}, "does not know the architecture 'bert_of_2031'"),
    "unnamed": ({"model_type": None}, "does not name its architecture"),
    "timm's": ({"model_type": None, "pretrained_cfg": {"tag": "x"}}, "timm"),
    "bitsandbytes": ({"quantization_config": {"load_in_4bit": True, "quant_method": "bitsandbytes"}}, "quantised"),
    "gptq": ({"quantization_config": {"bits": 4, "quant_method": "gptq"}}, "quantised"),
    "fp8": ({"quantization_config": {"quant_method": "fp8"}}, "quantised"),
}


@pytest.mark.parametrize("kind", CONFIGS)
@pytest.mark.parametrize("side", ["text", "image"])
def test_a_configuration_of_another_kind(plain, tmp_path, side, kind):
    folder = copied(plain, side, tmp_path)
    changes, message = CONFIGS[kind]
    helpers.edit_json(folder / "config.json", **changes)
    with pytest.raises((ValueError, EncoderUnavailable), match=message) as refused:
        LOADERS[side](folder)
    assert "mine" in str(refused.value)
    assert "damaged" not in str(refused.value)


def renamed(name: str):
    def harm(folder: Path) -> None:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / "model.safetensors").rename(folder / name)
    return harm


def pickled(folder: Path) -> None:
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def an_adapter(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "adapter_model.safetensors")
    (folder / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "bert-base-uncased"}))


def a_pointer(name: str):
    note = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'a' * 64}\nsize 440449768\n"
    return lambda folder: (folder / name).write_text(note)


def one_level_down(folder: Path) -> None:
    (folder / "inner").mkdir()
    for path in list(folder.iterdir()):
        if path.is_file():
            path.rename(folder / "inner" / path.name)


def without_a_part(folder: Path) -> None:
    names = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    (folder / "model.safetensors").rename(folder / names["a"])
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": names}))


FOLDERS = {
    "configuration alone": (lambda folder: (folder / "model.safetensors").unlink(), "holds no model.safetensors"),
    "pickle": (pickled, "pickles, which could run code"),
    "GGUF": (renamed("model.Q4_K_M.gguf"), "GGUF"),
    "ONNX": (renamed("onnx/model.onnx"), "ONNX"),
    "TensorFlow": (renamed("tf_model.h5"), "TensorFlow"),
    "Flax": (renamed("flax_model.msgpack"), "Flax"),
    "broken off": (renamed("model.safetensors.incomplete"), "broken off"),
    "adapter": (an_adapter, "an adapter"),
    "LFS": (a_pointer("model.safetensors"), "git lfs pull"),
    "LFS configuration": (a_pointer("config.json"), "git lfs pull"),
    "one level down": (one_level_down, "There is one in inner: give that folder"),
    "a part is missing": (without_a_part, "lacks 1 of the 2 files"),
    "empty": (lambda folder: [path.unlink() for path in folder.iterdir()], "holds no config.json"),
}


@pytest.mark.parametrize("kind", FOLDERS)
@pytest.mark.parametrize("side", ["text", "image"])
def test_a_folder_of_another_kind(plain, tmp_path, side, kind):
    folder = copied(plain, side, tmp_path)
    harm, message = FOLDERS[kind]
    harm(folder)
    with pytest.raises(EncoderUnavailable, match=message) as refused:
        LOADERS[side](folder)
    assert "mine" in str(refused.value)
    assert "damaged" not in str(refused.value)


def test_a_whole_model_of_this_course_is_no_encoder(tmp_path):
    helpers.mini().save_pretrained(tmp_path / "whole")
    with pytest.raises(EncoderUnavailable, match="whole is a whole model of this course.*from_pretrained"):
        load_text_encoder(tmp_path / "whole")


def test_a_file_is_no_folder(plain):
    with pytest.raises(ValueError, match=r"model\.safetensors' is a file: expected the folder"):
        load_text_encoder(plain["text"] / "model.safetensors")


def test_a_folder_that_may_not_be_read(plain, tmp_path, monkeypatch):
    folder = copied(plain, "text", tmp_path)
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "model.safetensors")  # root may read all
    with pytest.raises(EncoderUnavailable, match=r"model\.safetensors may not be read by this account"):
        load_text_encoder(folder)


# --- what failed was not the model ---


@pytest.mark.parametrize(("error", "kind", "message"), [
    (OSError(28, "No space left on device"), EncoderUnavailable, "does not fit on the disk"),
    (PermissionError(13, "Permission denied", "/cache"), EncoderUnavailable, "may not be read or written"),
    (MemoryError(), MemoryError, "my/model"),
    (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"), MemoryError, "my/model"),
    (torch.OutOfMemoryError("CUDA out of memory."), MemoryError, "my/model"),
    (ImportError("libtorch.so: undefined symbol"), EncoderUnavailable, "a package does not load.*the doctor"),
    (ModuleNotFoundError("No module named 'tokenizers'", name="tokenizers"), EncoderUnavailable,
     "the package tokenizers is not installed.*the doctor"),
    (RuntimeError("operator torchvision::nms does not exist"), EncoderUnavailable, "torchvision does not load.*doctor"),
    (AttributeError("partially initialized module 'torchvision' has no attribute 'extension'"), EncoderUnavailable,
     "torchvision does not load.*doctor"),
    (ValueError("Please pass the argument `trust_remote_code=True`"), ValueError, "foreign code is never run"),
])
def test_whatever_stops_a_load_is_named(error, kind, message):
    with pytest.raises(kind, match=message) as refused, loading.explained("my/model", "my/model", "text"):
        raise error
    assert "damaged" not in str(refused.value)
    assert "connect to the internet" not in str(refused.value)


@pytest.mark.parametrize("name", ["text='bert', image=None", "text=None, image='resnet18'"])
def test_a_torchvision_for_another_torch(tmp_path, name):
    (tmp_path / "torchvision").mkdir()
    broken = "raise RuntimeError('operator torchvision::nms does not exist')"
    (tmp_path / "torchvision" / "__init__.py").write_text(broken)
    program = f"import mmsa_utils\ntry: mmsa_utils.MultimodalSentimentModel({name})\nexcept OSError as e: print(e)"
    environment = helpers.quiet_environment()
    environment["PYTHONPATH"] = f"{tmp_path}{os.pathsep}{environment['PYTHONPATH']}"
    said = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=200)
    assert "torchvision does not load, as it was built for another torch" in said.stdout, said.stderr
    assert "doctor" in said.stdout
    assert "damaged" not in said.stdout
