"""CLIP's two halves: each gives the vector that CLIP itself takes, whatever the padding, and is saved and loaded."""

import json
import shutil
from pathlib import Path

import pytest
import tiny_clip
import torch
from helpers import generators
from PIL import Image

from mmsa_utils import (
    Encoded,
    EncoderUnavailable,
    MultimodalSentimentModel,
    load_image_encoder,
    load_text_encoder,
    load_voice_encoder,
)
from mmsa_utils.encoders import clip
from mmsa_utils.encoders.pretrained import pretrained_net
from mmsa_utils.encoders.table import load_encoder
from mmsa_utils.fusion.table import FUSIONS
from mmsa_utils.model.recipe import pixels_of, recipe, tokenizer_json

TEXTS = ["soup", "a good soup", "é!"]
PICTURES = [Image.effect_noise((50, 40), 90), Image.new("RGB", (7, 90), "red"), Image.linear_gradient("L")]


@pytest.fixture(scope="module", params=["new", "old"])
def made(request, tmp_path_factory):
    """Folder and network; with the ids of today's configurations, and with those of 2021."""
    folder = tmp_path_factory.mktemp("clip") / "tiny"
    return folder, tiny_clip.save_clip(folder, old=request.param == "old")


@pytest.fixture
def halves(made):
    return load_text_encoder(str(made[0])), load_image_encoder(made[0])


def vectors(encoder, items: list) -> torch.Tensor:
    with torch.no_grad():
        return encoder.eval()(**encoder.prepare(items))


def projected(net, text, image, texts: list, pictures: list) -> tuple[torch.Tensor, torch.Tensor]:
    """The vectors in CLIP's common space."""
    with torch.no_grad():
        return net.text_projection(vectors(text, texts)), net.visual_projection(vectors(image, pictures))


def own(net, text, image, texts: list, pictures: list) -> tuple[torch.Tensor, torch.Tensor]:
    """What CLIP itself makes of them, of length 1."""
    with torch.no_grad():
        said = net(**text.prepare(texts), **image.prepare(pictures))
    return said.text_embeds, said.image_embeds


# --- vectors and tokens ---


def test_vectors_are_those_that_clip_itself_compares(made, halves):
    found = projected(made[1], *halves, TEXTS, PICTURES)
    for ours, theirs in zip(found, own(made[1], *halves, TEXTS, PICTURES)):
        assert ours.norm(dim=-1).min() > 1e-3
        assert torch.allclose(ours / ours.norm(dim=-1, keepdim=True), theirs, atol=1e-6)


def test_tokens_are_the_last_layer(made, halves):
    text, image = halves
    words, pixels = text.prepare(TEXTS), image.prepare(PICTURES)
    with torch.no_grad():
        texts, pictures = text.encode(**words), image.encode(**pixels)
        assert torch.allclose(texts.tokens, made[1].text_model(**words).last_hidden_state, atol=1e-6)
        assert torch.allclose(pictures.tokens, made[1].vision_model(**pixels).last_hidden_state, atol=1e-6)
    assert (text.width, image.width) == (tiny_clip.TEXT_WIDTH, tiny_clip.IMAGE_WIDTH)
    assert texts.mask.sum(1).tolist() == [3, 8, 5]  # start, a, good in letters, soup, end; an é is two bytes
    assert pictures.tokens.shape == (3, 1 + 4 * 4, tiny_clip.IMAGE_WIDTH)
    assert pictures.mask.all()


def test_each_half_is_no_more_than_its_half(made, halves):
    for half, whole in zip(halves, (made[1].text_model, made[1].vision_model)):
        assert sum(p.numel() for p in half.parameters()) == sum(p.numel() for p in whole.parameters())


@pytest.mark.parametrize("filler", [0, 7, tiny_clip.END])
def test_padding_may_be_any_length_and_content(halves, filler):
    text, _ = halves
    batch = text.prepare(TEXTS[:2])
    padded = {"input_ids": torch.nn.functional.pad(batch["input_ids"], (0, 4), value=filler),
              "attention_mask": torch.nn.functional.pad(batch["attention_mask"], (0, 4))}
    with torch.no_grad():
        assert torch.allclose(text(**batch), text(**padded), atol=1e-6)
        spoilt = text.encode(**batch)
        vector = text.pool(spoilt)
        spoilt.tokens[~spoilt.mask] = torch.nan
        assert torch.equal(text.pool(spoilt), vector)


def test_features_do_not_depend_on_the_rest_of_the_batch(halves):
    for encoder, items in zip(halves, (TEXTS, PICTURES)):
        alone = torch.cat([vectors(encoder, [item]) for item in items])
        assert torch.allclose(vectors(encoder, items), alone, atol=1e-6)
        assert not torch.allclose(alone[0], alone[1], atol=1e-2)


def test_a_text_ends_at_the_first_token_that_ends_one_also_without_a_mask(halves):
    text, _ = halves
    batch = text.prepare(["soup", "a good soup"])
    assert batch["input_ids"][0].tolist()[2:] == [tiny_clip.END] * 6  # padding looks like the end
    all_ones = {**batch, "attention_mask": torch.ones_like(batch["attention_mask"])}
    with torch.no_grad():
        encoded = text.encode(**all_ones)
        assert encoded.mask.sum(1).tolist() == [3, 8]
        assert torch.equal(text.pool(encoded)[0], encoded.tokens[0, 2])
        assert torch.allclose(text(**all_ones), text(**batch), atol=1e-6)


def test_a_text_that_holds_the_end_ends_there_as_for_clip(made, halves):
    said = ["soup <|endoftext|> a b", "soup"]
    ours = projected(made[1], *halves, said, PICTURES)[0]
    assert torch.allclose(ours[0], ours[1], atol=1e-6)
    assert torch.allclose(ours / ours.norm(dim=-1, keepdim=True), own(made[1], *halves, said, PICTURES)[0], atol=1e-6)


def test_longer_texts_are_cut_and_said_to_be(made, halves):
    text, _ = halves
    longest = " ".join(["soup"] * (tiny_clip.TOKENS - 2))
    assert text.max_tokens == tiny_clip.TOKENS
    assert (text.cuts(longest), text.cuts(longest + " soup")) == (False, True)
    assert [unread.cut for unread in text.unread([longest, longest + " soup"])] == [False, True]
    assert torch.equal(vectors(text, [longest + " soup a"]), vectors(text, [longest]))
    with pytest.raises(ValueError, match="max_tokens is 13: expected 3 to 12"):
        text.max_tokens = tiny_clip.TOKENS + 1


def test_a_missing_side_is_zeros_and_changes_nobody(halves):
    for encoder, items in zip(halves, (TEXTS, PICTURES)):
        with torch.no_grad():
            encoded = encoder.encode(**encoder.prepare([None, *items]))
            pooled = encoder.pool(encoded)
            nobody = encoder.encode(**encoder.prepare([None, None]))
            assert not encoder.pool(nobody).any()
        assert encoded.mask.any(1).tolist() == [False, True, True, True]
        assert not pooled[0].any()
        assert torch.allclose(pooled[1:], vectors(encoder, items), atol=1e-6)


def test_more_tokens_behind_change_no_vector(halves):
    for encoder, items in zip(halves, (TEXTS, PICTURES)):
        with torch.no_grad():
            encoded = encoder.encode(**encoder.prepare(items))
            shape = (len(items), 3, encoder.width)
            longer = Encoded(torch.cat([encoded.tokens, torch.full(shape, torch.nan)], 1),
                             torch.cat([encoded.mask, torch.zeros(shape[:2], dtype=torch.bool)], 1))
            assert torch.equal(encoder.pool(longer), encoder.pool(encoded))


# --- models ---


@pytest.mark.parametrize("made", ["new"], indirect=True)
@pytest.mark.parametrize("fusion", FUSIONS)
def test_a_model_of_the_pair_learns_is_saved_and_loaded(made, tmp_path, fusion):
    folder = str(shutil.copytree(made[0], tmp_path / "mine"))
    model = MultimodalSentimentModel(folder, folder, fusion=fusion, dropout=0, hidden=8)
    model(**model.prepare(TEXTS, PICTURES)).square().sum().backward()
    for encoder in model.encoders.values():
        gradients = [weights.grad is not None and weights.grad.any() for weights in encoder.parameters()]
        assert sum(map(bool, gradients)) > len(gradients) // 2
    model.eval().save_pretrained(tmp_path / "model")
    shutil.rmtree(folder)
    again = MultimodalSentimentModel.from_pretrained(tmp_path / "model")
    assert (again.encoders["text"].name, again.encoders["image"].name) == ("mine", "mine")
    assert torch.equal(again.predict(TEXTS, PICTURES), model.predict(TEXTS, PICTURES))
    assert again.encoders["text"].max_tokens == tiny_clip.TOKENS


def test_the_recipe_of_a_model_prepares_the_same(made, halves):
    from tokenizers import Tokenizer

    model = MultimodalSentimentModel(*halves)
    told = recipe(model)
    own_pixels = halves[1].prepare(PICTURES[:1])["pixel_values"][0].numpy()
    assert abs(pixels_of(PICTURES[0].convert("RGB"), told["image"]) - own_pixels).max() < 0.05  # rounding, of 255
    cut = Tokenizer.from_str(tokenizer_json(model)).encode_batch(["soup", "a good soup " * 9])
    assert [piece.ids for piece in cut] == halves[0].prepare(["soup", "a good soup " * 9])["input_ids"].tolist()


# --- by name ---


def test_there_is_no_mini_and_it_is_said_what_to_do():
    for load in (load_text_encoder, load_image_encoder):
        with pytest.raises(ValueError, match='no mini clip: give size="full"'):
            load("clip")
    with pytest.raises(ValueError, match='no mini clip: give size="full"'):
        MultimodalSentimentModel("clip", "clip")


def test_an_unknown_size_is_still_one():
    with pytest.raises(ValueError, match='size is \'big\', expected "mini" or "full"'):
        load_text_encoder("clip", "big")


def test_it_reads_no_sounds(made):
    with pytest.raises(ValueError, match="no encoder and no folder is called 'clip': expected one of whisper"):
        load_voice_encoder("clip", "full")
    with pytest.raises(ValueError, match="is of the kind 'clip': expected a model that reads sounds"):
        load_voice_encoder(str(made[0]))


@pytest.mark.parametrize("side", ["text", "image"])
def test_offline_it_cannot_be_had(side, tmp_path, monkeypatch):
    tiny_clip.only_cache(tmp_path, monkeypatch)
    with pytest.raises(EncoderUnavailable, match="of 'clip' .openai/clip-vit-base-patch32. cannot be loaded"):
        load_encoder(side, "clip", "full")


@pytest.mark.parametrize(("side", "width", "millions"), [("text", 512, 63), ("image", 768, 87)])
def test_full_size_architecture(side, width, millions):
    before = generators()
    device = "meta" if side == "image" else "cpu"  # on meta: shapes alone, no memory, no arithmetic
    with torch.device(device):
        encoder = load_encoder(side, "clip", "full", pretrained=False, seed=3)
    assert generators() == before
    batch = {name: tensor.to(device) for name, tensor in encoder.prepare(
        [{"text": "A burger, café.", "image": Image.new("RGB", (300, 40))}[side]]).items()}
    with torch.no_grad():
        encoded = encoder.encode(**batch)
        assert encoder.pool(encoded).shape == (1, width)
    assert encoder.width == width
    assert encoded.tokens.shape == (1, {"text": 2 + len("Aburger,café.".encode()), "image": 1 + 7 * 7}[side], width)
    assert sum(p.numel() for p in encoder.parameters()) / 1e6 == pytest.approx(millions, abs=1)
    if side == "image":
        assert batch["pixel_values"].shape == (1, 3, 224, 224)
    else:
        assert encoder.max_tokens == 77
        assert encoder.cuts("x " * 76)
        assert not encoder.cuts("x " * 75)


def test_without_a_download_ids_and_pixels_are_clips_own():
    from mmsa_utils.encoders.image import load_processor
    from mmsa_utils.encoders.text import load_tokenizer

    with clip.preparation() as folder:
        tokenizer, processor = load_tokenizer(folder), load_processor(folder)
    assert not Path(folder).exists()
    assert tokenizer("Hi!")["input_ids"] == [49406, 71, 328, 256, 49407]  # h, i at a word's end, ! at a word's end
    assert len(tokenizer) == 49408
    white = processor(images=[Image.new("RGB", (9, 9), "white")], return_tensors="pt")["pixel_values"]
    assert white.shape == (1, 3, 224, 224)
    assert white[0, :, 0, 0].tolist() == pytest.approx(
        [(1 - m) / s for m, s in [(0.48145466, 0.26862954), (0.4578275, 0.26130258), (0.40821073, 0.27577711)]])


# --- where the weights lie ---


def cached(home: Path, commit: str, files: Path, names: list[str]) -> None:
    """Files as the hub's client keeps them."""
    model = home / "models--openai--clip-vit-base-patch32"
    (model / "snapshots" / commit).mkdir(parents=True)
    for name in names:
        shutil.copy(files / name, model / "snapshots" / commit)
    if commit == "main1":
        (model / "refs").mkdir()
        (model / "refs" / "main").write_text(commit)


@pytest.mark.parametrize("in_main", [False, True])
def test_a_cache_serves_whichever_branch_holds_the_safetensors(made, tmp_path, monkeypatch, in_main):
    tiny_clip.only_cache(tmp_path, monkeypatch)
    names = [path.name for path in made[0].iterdir()]
    weights = ["model.safetensors"]
    cached(tmp_path, "main1", made[0], [name for name in names if in_main or name not in weights])
    if not in_main:
        cached(tmp_path, clip.revision_of(clip.CLIP["clip"]), made[0], weights)
        assert len(clip.revision_of(clip.CLIP["clip"])) == 40
    again = load_text_encoder("clip", "full")
    assert torch.equal(vectors(again, TEXTS), vectors(load_text_encoder(str(made[0])), TEXTS))
    assert load_image_encoder("openai/clip-vit-base-patch32").width == tiny_clip.IMAGE_WIDTH


def test_pickles_are_never_opened(made, tmp_path):
    folder = Path(shutil.copytree(made[0], tmp_path / "mine"))
    (folder / "model.safetensors").unlink()
    torch.save(made[1].state_dict(), folder / "pytorch_model.bin")
    for side in ("text", "image"):
        with pytest.raises(EncoderUnavailable, match="pickles, which could run code"):
            load_encoder(side, str(folder))


def test_a_whole_clip_is_asked_for_and_another_model_refused(made, tmp_path):
    whole = pretrained_net(made[0], "both")
    assert torch.equal(whole.logit_scale, made[1].logit_scale)
    folder = Path(shutil.copytree(made[0], tmp_path / "mine"))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config["text_config"], "model_type": "clip_text_model"}))
    with pytest.raises(ValueError, match="is of the kind 'clip_text_model': expected a whole CLIP"):
        pretrained_net(folder, "both")
