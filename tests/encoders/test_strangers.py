"""Harmed weights, names that are no encoders, and any Hugging Face folder: used, or refused by name."""

import shutil
from pathlib import Path

import helpers
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from mmsa_utils import EncoderUnavailable, MultimodalSentimentModel, load_image_encoder, load_text_encoder
from mmsa_utils.checksums import WEIGHTS

SAMPLES = {"text": ["This burger is delicious!", "The soup was awful.", "Fine"],
           "image": [Image.new("RGB", (64, 64), "red"), Image.new("L", (200, 30), 90), Image.new("CMYK", (31, 90))]}
SIDES = {"bert": "text", "distilbert": "text", "roberta": "text", "vit": "image", "resnet": "image",
         "resnet18": "image", "swin": "image", "mobilenet": "image"}


def load(kind: str, name: object = None, **options):
    """An encoder of a kind: the shipped one, or the one in a folder."""
    loader = load_text_encoder if SIDES[kind] == "text" else load_image_encoder
    return loader(kind if name is None else str(name), **options)


def features(encoder, kind: str) -> torch.Tensor:
    with torch.no_grad():
        return encoder.eval()(**encoder.prepare(SAMPLES[SIDES[kind]]))


# --- the weights that ship are harmed ---


@pytest.mark.parametrize("harm", ["cut", "flip a bit", "remove"])
@pytest.mark.parametrize(
    ("name", "file"),
    [("bert", "model.safetensors"), ("bert", "config.json"), ("distilbert", "tokenizer.json"),
     ("vit", "model.safetensors"), ("resnet18", "preprocessor_config.json")],
)
def test_harmed_weights_are_refused_by_name(weights, name, file, harm):
    path = weights / name / file
    content = bytearray(path.read_bytes())
    if harm == "remove":
        path.unlink()
    elif harm == "cut":
        path.write_bytes(content[: len(content) // 2])
    else:
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    word = "is missing" if harm == "remove" else "is damaged"
    with pytest.raises(ValueError, match=f"weights file {name}/{file} {word}: restore it with `git checkout"):
        load(name)


@pytest.mark.parametrize("gone", ["SHA256SUMS", "bert", "."])
def test_missing_weights_are_refused_with_the_same_remedy(weights, gone):
    shutil.rmtree(weights / gone) if gone != "SHA256SUMS" else (weights / gone).unlink()
    with pytest.raises(ValueError, match="is missing: restore it with `git checkout"):
        load_text_encoder("bert")


def test_unharmed_copies_load(weights):
    copied = features(load("bert"), "bert")
    shutil.rmtree(weights)
    with pytest.raises(ValueError, match="is missing"):  # it was the copy that was read
        load("bert")
    assert copied.isfinite().all()


# --- names that are no encoders ---


@pytest.mark.parametrize("name", ["bert", "distilbert", "resnet18", "vit"])
@pytest.mark.parametrize("size", ["tiny", "Mini", "", None])
def test_unknown_size_is_refused(name, size):
    with pytest.raises(ValueError, match=f'size is {size!r}, expected "mini" or "full"'):
        load(name, size=size)


@pytest.mark.parametrize("pretrained", [True, False])
@pytest.mark.parametrize("name", ["brt", "", "/no/such/folder", "./here", "~/models/bert", "a/b/c"])
@pytest.mark.parametrize("loader", [load_text_encoder, load_image_encoder])
def test_unknown_name_is_refused(loader, name, pretrained):
    with pytest.raises(ValueError, match=f"no encoder and no folder is called '{name}'.*expected one of"):
        loader(name, pretrained=pretrained)


@pytest.mark.parametrize(("loader", "name"), [(load_text_encoder, "vit"), (load_image_encoder, "bert")])
def test_an_encoder_of_the_other_side_is_refused(loader, name):
    with pytest.raises(ValueError, match=f"'{name}': expected one of"):
        loader(name)


# --- any Hugging Face folder ---


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> dict[str, Path]:
    base = tmp_path_factory.mktemp("checkpoints")
    return {
        **{kind: helpers.save_text(base / kind, kind) for kind in ("bert", "distilbert", "roberta")},
        **{kind: helpers.save_image(base / kind, kind) for kind in ("vit", "resnet", "swin")},
    }


@pytest.mark.parametrize("pretrained", [True, False])
@pytest.mark.parametrize("kind", ["bert", "distilbert", "roberta", "vit", "resnet", "swin"])
def test_a_folder_with_a_model_is_a_name(folders, kind, pretrained):
    encoder = load(kind, folders[kind], pretrained=pretrained)
    assert encoder.width == helpers.WIDTH
    assert features(encoder, kind).shape == (3, helpers.WIDTH)
    if SIDES[kind] == "image":
        assert encoder.prepare(SAMPLES["image"])["pixel_values"].shape == (3, 3, 32, 32)
        return
    with torch.no_grad():
        assert encoder(**encoder.prepare(["soup " * 200])).isfinite().all()


@pytest.mark.parametrize("kind", ["bert", "vit"])
def test_the_weights_are_those_of_the_folder(folders, kind):
    saved = load_file(folders[kind] / "model.safetensors").values()
    for name, loaded in load(kind, folders[kind]).net.named_parameters():  # names differ between versions
        assert any(torch.equal(loaded, tensor) for tensor in saved if tensor.shape == loaded.shape), name


def test_the_picture_vector_is_the_class_token_or_the_average(folders):
    vectors = {"vit": lambda s: s[:, 0], "swin": lambda s: s.mean(1), "resnet": lambda s: s.flatten(2).mean(-1)}
    for kind, vector in vectors.items():
        encoder = load(kind, folders[kind])
        with torch.no_grad():
            states = encoder.net(encoder.prepare(SAMPLES["image"])["pixel_values"]).last_hidden_state
        assert torch.allclose(features(encoder, kind), vector(states), atol=1e-6)


def pickled_only(folder: Path) -> None:
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def cut(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def garbled(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"garbage" * 100)


def without_a_weight(folder: Path) -> None:
    state = load_file(folder / "model.safetensors")
    del state[next(name for name in state if name.endswith("query.weight") or name.endswith("q_proj.weight"))]
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})


def wider(folder: Path) -> None:
    helpers.edit_json(folder / "config.json", intermediate_size=64)


def unconfigured(folder: Path) -> None:
    (folder / "config.json").write_text("{")


def emptied(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


@pytest.mark.parametrize("kind", ["bert", "vit"])
@pytest.mark.parametrize(
    ("harm", "message"),
    [(pickled_only, "model.safetensors"), (cut, "damaged"), (garbled, "damaged"), (without_a_weight, "lacks 1 of"),
     (wider, "do not fit"), (unconfigured, "config.json"), (emptied, "config.json")],
)
def test_a_harmed_folder_is_refused_by_name(folders, tmp_path, kind, harm, message):
    folder = Path(shutil.copytree(folders[kind], tmp_path / f"my-{kind}"))
    harm(folder)
    with pytest.raises((ValueError, EncoderUnavailable), match=rf"(?s)my-{kind}.*{message}"):
        load(kind, folder)


def test_a_model_without_its_tokenizer_is_refused(folders, tmp_path):
    folder = Path(shutil.copytree(folders["bert"], tmp_path / "mute"))
    for path in folder.iterdir():  # transformers 4 and 5 keep a tokenizer in different files
        if path.name not in ("config.json", "model.safetensors"):
            path.unlink()
    with pytest.raises(EncoderUnavailable, match=r"mute holds no tokenizer files"):
        load("bert", folder)


def test_a_model_without_its_image_processor_is_refused(folders, tmp_path):
    folder = Path(shutil.copytree(folders["vit"], tmp_path / "blind"))
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(EncoderUnavailable, match=r"(?s)blind.*image processor"):
        load("vit", folder)


def test_a_folder_cannot_bring_its_own_code(folders, tmp_path):
    folder = Path(shutil.copytree(folders["bert"], tmp_path / "trojan"))
    (folder / "evil.py").write_text("raise SystemExit('ran foreign code')")
    helpers.edit_json(folder / "config.json", model_type="evil", auto_map={"AutoConfig": "evil.Config",
                                                                           "AutoModel": "evil.Model"})
    with pytest.raises((ValueError, OSError), match="trojan"):
        load("bert", folder)


@pytest.mark.parametrize("name", ["resnet18", "vit"])
@pytest.mark.parametrize("changes", [{"do_resize": False}, {"size": {"shortest_edge": 64}}])
def test_an_image_processor_that_leaves_pictures_in_their_sizes_is_refused(tmp_path, name, changes):
    folder = shutil.copytree(WEIGHTS / name, tmp_path / "loose")
    helpers.edit_json(folder / "preprocessor_config.json", **changes)
    with pytest.raises(ValueError, match=r"image processor of .*loose leaves pictures in different sizes"):
        load(name, folder)


@pytest.mark.parametrize(("kind", "change"), [
    ("bert", {"num_hidden_layers": 10**9}), ("vit", {"num_hidden_layers": 10**9}),
    ("resnet18", {"depths": [2, 2, 2, 2**63]})])
def test_a_network_too_deep_to_build_is_refused_at_once(tmp_path, kind, change):
    folder = shutil.copytree(WEIGHTS / kind, tmp_path / "mine")
    helpers.edit_json(folder / "config.json", **change)
    with pytest.raises(ValueError, match=r"mine asks for \d+ layers, and there are \d+ weights"):
        load(kind, folder)


def test_a_picture_model_whose_configuration_does_not_say_its_width(tmp_path):
    from transformers import MobileNetV2Config, MobileNetV2Model, ViTImageProcessor

    MobileNetV2Model(MobileNetV2Config(depth_multiplier=0.1, image_size=32)).eval().save_pretrained(tmp_path)
    ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(tmp_path)
    encoder = load("mobilenet", tmp_path)
    assert features(encoder, "mobilenet").shape == (3, encoder.width)
    assert MultimodalSentimentModel("bert", str(tmp_path)).width == 128 + encoder.width
