"""A text or a picture goes in and one vector comes out, from any encoder in any size; what is unfit is refused."""

import shutil
from functools import cache
from pathlib import Path

import helpers
import pytest
import torch
import transformers
from helpers import generators
from PIL import Image
from safetensors.torch import load_file, save_file

from mmsa_utils import (
    EncoderUnavailable,
    MultimodalSentimentModel,
    encoders,
    load_image_encoder,
    load_text_encoder,
    masked_mean,
)

TEXTS = ["This burger is delicious!", "The soup was awful.", "Fine"]
PICTURES = [Image.new("RGB", (64, 64), "red"), Image.new("L", (200, 30), 90), Image.new("CMYK", (31, 90))]
LOADERS = {"bert": load_text_encoder, "distilbert": load_text_encoder, "resnet18": load_image_encoder,
           "vit": load_image_encoder}
TEXT, IMAGE = ("bert", "distilbert"), ("resnet18", "vit")
load = cache(lambda name, *rest: LOADERS[name](name, *rest))


def inputs(encoder, posts=slice(None)) -> dict[str, torch.Tensor]:
    if isinstance(encoder, encoders.TextEncoder):
        return encoder.tokenize(TEXTS[posts])
    return {"pixel_values": encoder.preprocess(PICTURES[posts])}


def features(encoder, posts=slice(None)) -> torch.Tensor:
    with torch.no_grad():
        return encoder.eval()(**inputs(encoder, posts))


# --- mini ---


@pytest.mark.parametrize("pretrained", [True, False])
@pytest.mark.parametrize("name", LOADERS)
def test_mini_gives_128_numbers(name, pretrained):
    encoder = load(name, "mini", pretrained)
    assert encoder.width == 128
    assert features(encoder).shape == (3, 128)
    assert features(encoder).isfinite().all()


@pytest.mark.parametrize("name", LOADERS)
def test_mini_weights_are_float32_and_ready_to_use(name):
    encoder = load(name)
    assert {p.dtype for p in encoder.parameters()} == {torch.float32}
    assert not encoder.net.training
    assert all(p.requires_grad for p in encoder.parameters())


@pytest.mark.parametrize("name", LOADERS)
def test_features_tell_inputs_apart(name):
    first, second, third = features(load(name))
    assert not torch.allclose(first, second, atol=1e-2)
    assert not torch.allclose(second, third, atol=1e-2)


@pytest.mark.parametrize("name", LOADERS)
def test_features_do_not_depend_on_the_rest_of_the_batch(name):
    encoder = load(name)
    alone = torch.cat([features(encoder, slice(i, i + 1)) for i in range(3)])
    assert torch.allclose(features(encoder), alone, atol=1e-5)


def test_masked_mean_passes_over_padding():
    states = torch.tensor([[[1.0, 2], [3, 4], [100, 100]], [[5, 6], [7, 8], [9, 10]]])
    mask = torch.tensor([[1, 1, 0], [1, 1, 1]])
    assert masked_mean(states, mask).tolist() == [[2, 3], [7, 8]]


def test_masked_mean_of_nothing_is_zero():
    assert masked_mean(torch.ones(1, 2, 3), torch.zeros(1, 2)).tolist() == [[0, 0, 0]]


@pytest.mark.parametrize("name", TEXT)
def test_padding_may_be_any_length_and_content(name):
    encoder = load(name)
    batch = encoder.tokenize(TEXTS[:1])
    padded = {"input_ids": torch.nn.functional.pad(batch["input_ids"], (0, 9), value=7),
              "attention_mask": torch.nn.functional.pad(batch["attention_mask"], (0, 9))}
    with torch.no_grad():
        assert torch.allclose(encoder(**batch), encoder(**padded), atol=1e-5)


@pytest.mark.parametrize("name", TEXT)
def test_tokens_are_named_masked_and_cut(name):
    batch = load(name).tokenize([*TEXTS, "soup " * 500])
    assert set(batch) == {"input_ids", "attention_mask"}
    assert batch["input_ids"].shape == batch["attention_mask"].shape == (4, load(name).max_tokens)
    assert batch["attention_mask"].sum(1)[-1] == load(name).max_tokens
    assert batch["attention_mask"].sum(1)[2] < 6
    with torch.no_grad():
        assert load(name)(**batch).isfinite().all()


def test_both_mini_text_encoders_share_one_tokenizer():
    first, second = (load(name).tokenize(TEXTS)["input_ids"] for name in TEXT)
    assert torch.equal(first, second)


@pytest.mark.parametrize("name", IMAGE)
def test_pictures_of_any_mode_become_64_pixels(name):
    modes = [Image.new(mode, (90, 40)) for mode in ("RGB", "L", "1", "P", "RGBA", "LA", "CMYK", "I;16", "F")]
    assert load(name).preprocess(modes).shape == (len(modes), 3, 64, 64)


@pytest.mark.parametrize("name", IMAGE)
def test_pictures_are_prepared_alike_alone_and_among_others(name):
    draw = torch.Generator().manual_seed(0)
    pictures = [Image.fromarray(torch.randint(256, (*shape, 3), generator=draw, dtype=torch.uint8).numpy())
                for shape in [(64, 64), (90, 31), (64, 64), (224, 224), (90, 31), (64, 64)]]
    encoder = load(name)
    assert torch.equal(encoder.preprocess(pictures), torch.cat([encoder.preprocess([one]) for one in pictures]))


@pytest.mark.parametrize("name", IMAGE)
def test_preprocessing_refuses_what_is_no_picture(name):
    with pytest.raises(TypeError, match="got str"):
        load(name).preprocess(["photo.jpg"])


def test_distilbert_is_half_as_deep():
    depth = {name: sum(".attention" in n and n.endswith(("query.weight", "q_lin.weight"))
                       for n, _ in load(name).named_parameters()) for name in TEXT}
    assert depth["bert"] == 2 * depth["distilbert"] > 0


# --- random weights ---


@pytest.mark.parametrize("name", LOADERS)
def test_random_weights_come_from_the_seed_alone(name):
    torch.manual_seed(3)
    before = generators()
    first = LOADERS[name](name, pretrained=False, seed=1)
    assert generators() == before
    torch.manual_seed(4)
    same, other = (LOADERS[name](name, pretrained=False, seed=seed) for seed in (1, 2))
    assert torch.equal(features(first), features(same))
    assert not torch.allclose(features(first), features(other), atol=1e-3)
    assert not torch.allclose(features(first), features(load(name)), atol=1e-3)


@pytest.mark.parametrize("name", LOADERS)
def test_loading_leaves_the_global_generators_alone(name):
    before = generators()
    LOADERS[name](name)
    assert generators() == before


@pytest.mark.parametrize(
    ("name", "width", "millions"),
    [("bert", 768, 109), ("distilbert", 768, 66), ("resnet18", 512, 11), ("vit", 768, 86)],
)
def test_full_size_architecture(name, width, millions, monkeypatch, tmp_path):
    for cache_folder in ("HF_HOME", "TORCH_HOME"):  # nothing may come from a cache
        monkeypatch.setenv(cache_folder, str(tmp_path))
    device = "meta" if name in IMAGE else "cpu"  # on meta: shapes alone, no memory, no arithmetic
    with torch.device(device):
        encoder = LOADERS[name](name, "full", pretrained=False)
    batch = inputs(encoder, slice(0, 1))
    if name in IMAGE:
        assert batch["pixel_values"].shape == (1, 3, 224, 224)
    with torch.no_grad():
        assert encoder(**{key: value.to(device) for key, value in batch.items()}).shape == (1, width)
    assert encoder.width == width
    assert sum(p.numel() for p in encoder.parameters()) / 1e6 == pytest.approx(millions, abs=1)


def test_full_size_vit_sees_pictures_as_its_own_preprocessing_has_them():
    with torch.device("meta"):
        encoder = load_image_encoder("vit", "full", pretrained=False)
    shades = encoder.preprocess([Image.new("RGB", (300, 1), shade) for shade in ("black", "white")])
    assert shades.shape == (2, 3, 224, 224)
    assert [shade.unique().tolist() for shade in shades] == [[-1], [1]]  # mean and deviation 0.5


# --- the weights that ship are harmed ---


@pytest.fixture
def weights(tmp_path, monkeypatch) -> Path:
    """A copy of the packaged weights, to harm."""
    folder = Path(shutil.copytree(encoders.WEIGHTS, tmp_path / "weights"))
    monkeypatch.setattr(encoders, "WEIGHTS", folder)
    return folder


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
        LOADERS[name](name)


@pytest.mark.parametrize("gone", ["SHA256SUMS", "bert", "."])
def test_missing_weights_are_refused_with_the_same_remedy(weights, gone):
    shutil.rmtree(weights / gone) if gone != "SHA256SUMS" else (weights / gone).unlink()
    with pytest.raises(ValueError, match="is missing: restore it with `git checkout"):
        load_text_encoder("bert")


def test_unharmed_copies_load(weights):
    assert torch.equal(features(load_text_encoder("bert")), features(load("bert")))


# --- names that are no encoders ---


@pytest.mark.parametrize("name", LOADERS)
@pytest.mark.parametrize("size", ["tiny", "Mini", "", None])
def test_unknown_size_is_refused(name, size):
    with pytest.raises(ValueError, match=f'size is {size!r}, expected "mini" or "full"'):
        LOADERS[name](name, size)


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
@pytest.mark.parametrize("kind", ["bert", "distilbert", "roberta"])
def test_a_folder_with_a_text_model_is_a_name(folders, kind, pretrained):
    encoder = load_text_encoder(str(folders[kind]), pretrained=pretrained)
    assert encoder.width == helpers.WIDTH
    assert features(encoder).shape == (3, helpers.WIDTH)
    with torch.no_grad():
        assert encoder(**encoder.tokenize(["soup " * 200])).isfinite().all()


@pytest.mark.parametrize("pretrained", [True, False])
@pytest.mark.parametrize("kind", ["vit", "resnet", "swin"])
def test_a_folder_with_a_picture_model_is_a_name(folders, kind, pretrained):
    encoder = load_image_encoder(str(folders[kind]), pretrained=pretrained)
    assert encoder.width == helpers.WIDTH
    assert encoder.preprocess(PICTURES).shape == (3, 3, 32, 32)
    assert features(encoder).shape == (3, helpers.WIDTH)


@pytest.mark.parametrize("kind", ["bert", "vit"])
def test_the_weights_are_those_of_the_folder(folders, kind):
    saved = load_file(folders[kind] / "model.safetensors").values()
    loader = load_text_encoder if kind == "bert" else load_image_encoder
    for name, loaded in loader(str(folders[kind])).net.named_parameters():  # names differ between versions
        assert any(torch.equal(loaded, tensor) for tensor in saved if tensor.shape == loaded.shape), name


def test_the_picture_vector_is_the_class_token_or_the_average(folders):
    vit, swin, resnet = (load_image_encoder(str(folders[kind])) for kind in ("vit", "swin", "resnet"))
    for encoder in (vit, swin, resnet):
        pixels = encoder.preprocess(PICTURES)
        with torch.no_grad():
            states = encoder.net(pixels).last_hidden_state
        expected = {vit: lambda s: s[:, 0], swin: lambda s: s.mean(1), resnet: lambda s: s.flatten(2).mean(-1)}[encoder]
        assert torch.allclose(features(encoder), expected(states), atol=1e-6)


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
    loader = load_text_encoder if kind == "bert" else load_image_encoder
    harm(folder)
    with pytest.raises((ValueError, EncoderUnavailable), match=rf"(?s)my-{kind}.*{message}"):
        loader(str(folder))


def test_a_model_without_its_tokenizer_is_refused(folders, tmp_path):
    folder = Path(shutil.copytree(folders["bert"], tmp_path / "mute"))
    for path in folder.iterdir():  # transformers 4 and 5 keep a tokenizer in different files
        if path.name not in ("config.json", "model.safetensors"):
            path.unlink()
    remedy = "copy them again" if transformers.__version__.startswith("4.") else "tokenizer files"
    with pytest.raises(ValueError, match=rf"(?s)mute.*{remedy}"):
        load_text_encoder(str(folder))


def test_a_model_without_its_image_processor_is_refused(folders, tmp_path):
    folder = Path(shutil.copytree(folders["vit"], tmp_path / "blind"))
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(EncoderUnavailable, match=r"(?s)blind.*image processor"):
        load_image_encoder(str(folder))


def test_a_folder_cannot_bring_its_own_code(folders, tmp_path):
    folder = Path(shutil.copytree(folders["bert"], tmp_path / "trojan"))
    (folder / "evil.py").write_text("raise SystemExit('ran foreign code')")
    helpers.edit_json(folder / "config.json", model_type="evil", auto_map={"AutoConfig": "evil.Config",
                                                                           "AutoModel": "evil.Model"})
    with pytest.raises((ValueError, OSError), match="trojan"):
        load_text_encoder(str(folder))


@pytest.mark.parametrize("name", IMAGE)
@pytest.mark.parametrize("changes", [{"do_resize": False}, {"size": {"shortest_edge": 64}}])
def test_an_image_processor_that_leaves_pictures_in_their_sizes_is_refused(tmp_path, name, changes):
    folder = shutil.copytree(encoders.WEIGHTS / name, tmp_path / "loose")
    helpers.edit_json(folder / "preprocessor_config.json", **changes)
    with pytest.raises(ValueError, match=r"image processor of .*loose leaves pictures in different sizes"):
        load_image_encoder(str(folder))


def test_a_picture_model_whose_configuration_does_not_say_its_width(tmp_path):
    from transformers import MobileNetV2Config, MobileNetV2Model, ViTImageProcessor

    MobileNetV2Model(MobileNetV2Config(depth_multiplier=0.1, image_size=32)).eval().save_pretrained(tmp_path)
    ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(tmp_path)
    encoder = load_image_encoder(str(tmp_path))
    assert features(encoder).shape == (3, encoder.width)
    assert MultimodalSentimentModel("bert", str(tmp_path)).width == 128 + encoder.width
