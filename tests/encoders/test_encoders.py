"""A text or a picture goes in and one vector comes out, from any encoder in any size."""

from functools import cache

import pytest
import torch
from helpers import generators
from PIL import Image

from mmsa_utils import Encoded, load_image_encoder, load_text_encoder, masked_mean
from mmsa_utils.encoders.text import TextEncoder

TEXTS = ["This burger is delicious!", "The soup was awful.", "Fine"]
PICTURES = [Image.new("RGB", (64, 64), "red"), Image.new("L", (200, 30), 90), Image.new("CMYK", (31, 90))]
LOADERS = {"bert": load_text_encoder, "distilbert": load_text_encoder, "resnet18": load_image_encoder,
           "vit": load_image_encoder}
TEXT, IMAGE = ("bert", "distilbert"), ("resnet18", "vit")
load = cache(lambda name, *rest: LOADERS[name](name, *rest))


def inputs(encoder, posts=slice(None)) -> dict[str, torch.Tensor]:
    return encoder.prepare((TEXTS if isinstance(encoder, TextEncoder) else PICTURES)[posts])


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


@pytest.mark.parametrize("name", LOADERS)
def test_the_vector_is_made_of_the_tokens(name):
    encoder = load(name)
    with torch.no_grad():
        encoded = encoder.encode(**inputs(encoder))
        assert torch.equal(encoder.pool(encoded), features(encoder))
    assert encoded.tokens.shape == (*encoded.mask.shape, encoded.width) == (3, encoded.mask.shape[1], 128)
    assert encoded.mask.dtype == torch.bool
    if name in IMAGE:
        assert encoded.tokens.shape[1] == {"resnet18": 2 * 2, "vit": 1 + 8 * 8}[name]
        assert encoded.mask.all()
    else:
        assert torch.equal(encoded.mask, inputs(encoder)["attention_mask"].bool())


def test_distilbert_is_half_as_deep():
    depth = {name: sum(".attention" in n and n.endswith(("query.weight", "q_lin.weight"))
                       for n, _ in load(name).named_parameters()) for name in TEXT}
    assert depth["bert"] == 2 * depth["distilbert"] > 0


# --- texts ---


def test_masked_mean_passes_over_padding():
    states = torch.tensor([[[1.0, 2], [3, 4], [100, 100]], [[5, 6], [7, 8], [9, 10]]])
    mask = torch.tensor([[1, 1, 0], [1, 1, 1]])
    assert masked_mean(states, mask).tolist() == [[2, 3], [7, 8]]
    assert Encoded(states, mask.bool()).pooled.tolist() == [[2, 3], [7, 8]]


def test_masked_mean_of_nothing_is_zero():
    assert masked_mean(torch.ones(1, 2, 3), torch.zeros(1, 2)).tolist() == [[0, 0, 0]]


@pytest.mark.parametrize("name", TEXT)
def test_padding_may_be_any_length_and_content(name):
    encoder = load(name)
    batch = encoder.prepare(TEXTS[:1])
    padded = {"input_ids": torch.nn.functional.pad(batch["input_ids"], (0, 9), value=7),
              "attention_mask": torch.nn.functional.pad(batch["attention_mask"], (0, 9))}
    with torch.no_grad():
        assert torch.allclose(encoder(**batch), encoder(**padded), atol=1e-5)


@pytest.mark.parametrize("name", TEXT)
def test_tokens_are_named_masked_and_cut(name):
    batch = load(name).prepare([*TEXTS, "soup " * 500])
    assert set(batch) == {"input_ids", "attention_mask"}
    assert batch["input_ids"].shape == batch["attention_mask"].shape == (4, load(name).max_tokens)
    assert batch["attention_mask"].sum(1)[-1] == load(name).max_tokens
    assert batch["attention_mask"].sum(1)[2] < 6
    with torch.no_grad():
        assert load(name)(**batch).isfinite().all()


def test_both_mini_text_encoders_share_one_tokenizer():
    first, second = (load(name).prepare(TEXTS)["input_ids"] for name in TEXT)
    assert torch.equal(first, second)


# --- pictures ---


@pytest.mark.parametrize("name", IMAGE)
def test_pictures_of_any_mode_become_64_pixels(name):
    modes = [Image.new(mode, (90, 40)) for mode in ("RGB", "L", "1", "P", "RGBA", "LA", "CMYK", "I;16", "F")]
    assert load(name).prepare(modes)["pixel_values"].shape == (len(modes), 3, 64, 64)


@pytest.mark.parametrize("name", IMAGE)
def test_pictures_are_prepared_alike_alone_and_among_others(name):
    draw = torch.Generator().manual_seed(0)
    pictures = [Image.fromarray(torch.randint(256, (*shape, 3), generator=draw, dtype=torch.uint8).numpy())
                for shape in [(64, 64), (90, 31), (64, 64), (224, 224), (90, 31), (64, 64)]]
    encoder = load(name)
    alone = [encoder.prepare([picture])["pixel_values"] for picture in pictures]
    assert torch.equal(encoder.prepare(pictures)["pixel_values"], torch.cat(alone))


@pytest.mark.parametrize("name", IMAGE)
def test_what_is_no_picture_is_refused(name):
    with pytest.raises(TypeError, match="got str"):
        load(name).prepare(["photo.jpg"])


# --- random weights, full size ---


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
    shades = encoder.prepare([Image.new("RGB", (300, 1), shade) for shade in ("black", "white")])["pixel_values"]
    assert shades.shape == (2, 3, 224, 224)
    assert [shade.unique().tolist() for shade in shades] == [[-1], [1]]  # mean and deviation 0.5
