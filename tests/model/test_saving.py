"""A saved model is the model: whoever changed it, wherever it came from, and for whoever may read the folder."""

import json
import shutil
import stat
from pathlib import Path

import pytest
import torch
import toys
from helpers import edit_json, save_image, save_text

from mmsa_utils import (
    BINARY_LABELS,
    Concat,
    FoodPosts,
    MultimodalSentimentModel,
    Post,
    load_model,
    make_loader,
    random_head,
    train,
)
from mmsa_utils.encoders.table import ENCODERS


@pytest.fixture(scope="module")
def posts() -> list[Post]:
    return list(FoodPosts(24))


def ask(model: MultimodalSentimentModel, posts: list[Post]) -> torch.Tensor:
    return model.predict([post.text for post in posts], [post.image for post in posts])


def kept(model: MultimodalSentimentModel, folder: Path) -> MultimodalSentimentModel:
    model.save_pretrained(folder)
    return MultimodalSentimentModel.from_pretrained(folder)


def trained(posts: list[Post]) -> MultimodalSentimentModel:
    model = MultimodalSentimentModel("bert", "resnet18")
    loader = make_loader(posts, model, 8)
    train(model, loader, loader, epochs=1, show_progress=False)
    return model


def taken_over(posts: list[Post]) -> MultimodalSentimentModel:
    model = MultimodalSentimentModel("bert", "resnet18", frozen=True)
    model.load_state_dict(trained(posts).state_dict())
    return model


def edited(posts: list[Post]) -> MultimodalSentimentModel:
    model = MultimodalSentimentModel(frozen=True)
    with torch.no_grad():
        next(model.encoders["text"].parameters()).mul_(1.5)
    return model


def moved_statistics(posts: list[Post]) -> MultimodalSentimentModel:
    model = MultimodalSentimentModel("bert", "resnet18")
    model.train()
    with torch.no_grad():
        model(**model.prepare([post.text for post in posts], [post.image for post in posts]))
    model.freeze()
    return model


@pytest.mark.parametrize("make", [trained, taken_over, edited, moved_statistics])
def test_what_differs_from_the_encoders_as_they_were_loaded_is_kept(posts, tmp_path, make):
    model = make(posts)
    expected = ask(model, posts)
    untouched = MultimodalSentimentModel(model.encoders["text"].name, model.encoders["image"].name)
    untouched.fusion, untouched.head = model.fusion, model.head
    assert not torch.allclose(ask(untouched, posts), expected, atol=1e-3)  # else the test could not fail
    assert torch.equal(ask(kept(model, tmp_path), posts), expected)


def test_encoders_of_this_package_are_stored_by_their_checksum_alone(posts, tmp_path):
    model = MultimodalSentimentModel(frozen=True)
    assert torch.equal(ask(kept(model, tmp_path), posts), ask(model, posts))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["README.md", "config.json", "model.safetensors"]
    assert (tmp_path / "model.safetensors").stat().st_size < 2**20


def test_a_model_made_with_other_weights_of_the_same_name_is_refused(tmp_path):
    MultimodalSentimentModel(frozen=True).save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config["sides"]["text"]["sha256"] = "0" * 64
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match="made with other weights of distilbert"):
        load_model(tmp_path)


@pytest.mark.parametrize("frozen", [True, False])
def test_a_model_of_ones_own_encoders_needs_their_folders_no_more(posts, tmp_path, frozen):
    texts, images = save_text(tmp_path / "text"), save_image(tmp_path / "image")
    model = MultimodalSentimentModel(str(texts), str(images), frozen=frozen)
    expected = ask(model, posts)
    model.save_pretrained(tmp_path / "model")
    shutil.rmtree(texts)
    shutil.rmtree(images)
    again = load_model(tmp_path / "model")
    assert torch.equal(ask(again, posts), expected)
    assert torch.equal(ask(kept(again, tmp_path / "again"), posts), expected)  # and once more, from the copy


def test_torchvisions_network_is_kept_whole(posts, tmp_path):
    model = MultimodalSentimentModel("bert", None, frozen=True)
    vision = MultimodalSentimentModel(None, "resnet18", "full", pretrained=False, seed=3)
    with torch.no_grad():
        next(vision.encoders.parameters()).mul_(2)
    again = kept(vision, tmp_path)
    images = [post.image for post in posts[:2]]
    assert torch.equal(again.predict(images), vision.predict(images))
    assert model.sides == ("text",)


@pytest.mark.parametrize("own", [False, True])
def test_max_tokens_survives(tmp_path, own):
    name = str(save_text(tmp_path / "text")) if own else "bert"
    model = MultimodalSentimentModel(name, None)
    long = kept(model, tmp_path / "model").encoders["text"]
    assert long.max_tokens == model.encoders["text"].max_tokens
    model.encoders["text"].max_tokens = 5
    short = kept(model, tmp_path / "shorter").encoders["text"]
    assert short.prepare(["this burger is delicious " * 9])["input_ids"].shape == (1, 5)


def test_a_full_size_text_model_reads_as_far_as_before(tmp_path):
    texts = save_text(tmp_path / "text")  # its network reads 512
    edit_json(texts / "tokenizer_config.json", model_max_length=512)
    model = MultimodalSentimentModel(str(texts), None, "full")
    assert model.encoders["text"].max_tokens == 128
    assert kept(model, tmp_path / "model").encoders["text"].max_tokens == 128


@pytest.mark.parametrize("classes", [BINARY_LABELS, ("sad", "glad"), ("a", "b", "c", "d", "e"), None])
def test_classes_are_named_in_the_model(tmp_path, classes):
    model = kept(MultimodalSentimentModel(classes=classes, frozen=True), tmp_path)
    assert model.classes == classes
    assert json.loads((tmp_path / "config.json").read_text())["classes"] == (classes and list(classes))


def modes(folder: Path) -> set[str]:
    return {f"{path.relative_to(folder)} {stat.S_IMODE(path.stat().st_mode):o}"
            for path in folder.rglob("*") if stat.S_IMODE(path.stat().st_mode) & 0o777 != (
                0o755 if path.is_dir() else 0o644)}


@pytest.fixture
def usual_umask():
    import os

    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.mark.usefixtures("usual_umask")
def test_files_have_the_usual_mode(posts, tmp_path):
    from mmsa_utils.learning.cache import cached_features

    model = MultimodalSentimentModel(str(save_text(tmp_path / "text")), "vit", frozen=True)
    model.save_pretrained(tmp_path / "model")
    assert modes(tmp_path / "model") == set()
    loader = make_loader(posts[:4], model)
    train(model, loader, loader, epochs=1, show_progress=False, checkpoint=tmp_path / "runs" / "run.safetensors")
    assert modes(tmp_path / "runs") == set()
    cached_features(model, posts[:4], tmp_path / "cache", show_progress=False)
    assert modes(tmp_path / "cache") == set()


def test_what_was_pushed_to_the_hub_is_loaded_by_its_name(posts, tmp_path, monkeypatch):
    import huggingface_hub

    model = trained(posts)
    model.save_pretrained(tmp_path / "there")
    asked = []

    def snapshot(name, **options):
        asked.append((name, options))
        return str(tmp_path / "there")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    again = MultimodalSentimentModel.from_pretrained("somebody/model", revision="v2")
    assert torch.equal(ask(again, posts), ask(model, posts))
    assert asked[0][0] == "somebody/model"
    assert asked[0][1]["revision"] == "v2"


def test_map_location_is_where_the_model_goes(tmp_path):
    MultimodalSentimentModel("bert", None).save_pretrained(tmp_path)
    model = MultimodalSentimentModel.from_pretrained(tmp_path, map_location="meta")
    assert {tensor.device.type for tensor in model.state_dict().values()} == {"meta"}


def test_a_model_of_an_older_version_says_so(tmp_path):
    (tmp_path / "config.json").write_text('{"text": "bert", "image": "vit", "num_outputs": 3}')
    with pytest.raises(ValueError, match="version before"):
        load_model(tmp_path)


def test_a_saved_model_does_not_say_where_its_encoders_lay(tmp_path):
    texts = save_text(tmp_path / "private" / "words")
    model = MultimodalSentimentModel(str(texts), "vit", frozen=True)
    model.save_pretrained(tmp_path / "model")
    told = "".join(path.read_text(encoding="utf8") for path in (tmp_path / "model").rglob("*.json"))
    assert str(tmp_path) not in told
    assert "private" not in told
    assert json.loads((tmp_path / "model" / "config.json").read_text())["sides"]["text"]["name"] == "words"


@pytest.mark.parametrize("name", ["words", "owner/model", "bert"])
def test_a_missing_encoder_is_asked_for_nowhere_else(tmp_path, name):
    model = MultimodalSentimentModel(str(save_text(tmp_path / "words")), None, frozen=True)
    model.encoders["text"].name = name
    model.save_pretrained(tmp_path / "model")
    shutil.rmtree(tmp_path / "model" / "text")
    with pytest.raises(ValueError, match="lacks its text encoder"):
        load_model(tmp_path / "model")


class Plain(Concat):
    """No line of the table knows it."""


def test_parts_that_could_not_be_made_again_are_refused_before_anything_is_touched(posts, tmp_path):
    model = MultimodalSentimentModel("bert", None, frozen=True)
    model.save_pretrained(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    other = MultimodalSentimentModel("bert", None, frozen=True)
    other.fusion = Plain(other.fusion.widths)
    with pytest.raises(ValueError, match="the fusion, a Plain, is in no line of FUSIONS"):
        other.save_pretrained(tmp_path)
    other = MultimodalSentimentModel("bert", None, frozen=True)
    other.head[3] = torch.nn.Tanh()
    with pytest.raises(ValueError, match="the head is not what mlp_head makes"):
        other.save_pretrained(tmp_path)
    other = MultimodalSentimentModel(toys.Words(0), None)
    with pytest.raises(ValueError, match="no line of ENCODERS"):
        other.save_pretrained(tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_an_encoder_that_was_made_comes_back_by_its_line_and_name(tmp_path, monkeypatch):
    monkeypatch.setitem(ENCODERS["text"], "words", toys.load_words)
    encoder = toys.Words(5)
    encoder.name = "words"
    model = MultimodalSentimentModel(encoder, None)
    assert torch.equal(kept(model, tmp_path).predict(["Hello there"]), model.predict(["Hello there"]))


def test_an_aligned_head_of_another_size_is_kept(posts, tmp_path):
    model = MultimodalSentimentModel("bert", None, frozen=True)
    model.head = random_head(model.width, hidden=64, dropout=0.3).eval()
    texts = [post.text for post in posts]
    again = kept(model, tmp_path)
    assert torch.equal(again.predict(texts), model.predict(texts))
    assert again.head[1].p == 0.3


def test_saving_over_another_model_leaves_nothing_of_it(posts, tmp_path, monkeypatch):
    monkeypatch.setitem(ENCODERS["text"], "words", toys.load_words)
    MultimodalSentimentModel(str(save_text(tmp_path / "own")), "vit").save_pretrained(tmp_path / "model")
    for model in (MultimodalSentimentModel("words", None), MultimodalSentimentModel(None, "vit", frozen=True)):
        again = kept(model, tmp_path / "model")
        given = [getattr(posts[0], side) for side in model.sides]
        assert torch.equal(again.predict(given), model.predict(given))
    assert not (tmp_path / "model" / "text").exists()


def test_a_save_that_is_broken_off_leaves_the_old_model_or_none(posts, tmp_path, monkeypatch):
    first = MultimodalSentimentModel("bert", None, frozen=True)
    first.save_pretrained(tmp_path)
    other = edited(posts)

    def full(folder):
        raise OSError("no space left on device")

    monkeypatch.setattr(other.encoders["text"], "save", full)
    with pytest.raises(OSError, match="no space left"):
        other.save_pretrained(tmp_path)
    again = load_model(tmp_path)
    assert again.sides == ("text",)
    assert torch.equal(again.predict(["Hello"]), first.predict(["Hello"]))


def test_how_a_text_is_cut_is_kept(tmp_path):
    from mmsa_utils.learning.cache import _key

    model = MultimodalSentimentModel("bert", None, frozen=True)
    before = _key(model, [Post("Good.", None, 1)])
    model.encoders["text"].tokenizer.truncation_side = "left"
    assert _key(model, [Post("Good.", None, 1)]) != before
    assert kept(model, tmp_path).encoders["text"].tokenizer.truncation_side == "left"


@pytest.mark.parametrize("entry", [{"name": "owner/model", "size": "mini", "sha256": None},
                                   {"name": "owner/model", "size": "mini", "sha256": "0" * 64},
                                   {"name": "bert", "size": "full", "sha256": "right"}])
def test_a_configuration_cannot_send_one_elsewhere(tmp_path, entry):
    MultimodalSentimentModel("bert", None, frozen=True).save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    right = config["sides"]["text"]["sha256"]
    config["sides"]["text"] |= {**entry, "sha256": right if entry["sha256"] == "right" else entry["sha256"]}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match="made with other weights"):
        load_model(tmp_path)


@pytest.mark.parametrize("n", [0, 2, 600, -1, None])
def test_max_tokens_that_no_network_reads_are_refused(n):
    with pytest.raises(ValueError, match="expected 3 to"):
        MultimodalSentimentModel("bert", None).encoders["text"].max_tokens = n
