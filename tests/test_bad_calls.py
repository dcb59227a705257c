"""Damaged model folders and odd calls are refused with an error that names them, in Python and on the command line."""

import copy
import json
import shutil

import pytest
import torch
from helpers import mini
from PIL import Image
from safetensors.torch import load_file, save_file

from mmsa_utils.__main__ import _three_parts, main
from mmsa_utils.checksums import WEIGHTS
from mmsa_utils.encoders.image import load_image_encoder
from mmsa_utils.encoders.text import load_text_encoder
from mmsa_utils.posts.own import load_posts
from mmsa_utils.model.model import MultimodalSentimentModel
from mmsa_utils.model.saving import load_model

# --- model folders ---


@pytest.fixture(scope="module")
def saved_models(tmp_path_factory):
    """A head alone, and a whole model with its tokenizer."""
    place = tmp_path_factory.mktemp("models")
    mini().save_pretrained(place / "head")
    whole = copy.deepcopy(mini())
    whole.encoders_learned = True
    whole.save_pretrained(place / "whole")
    return place


def reset(folder, **changes) -> None:
    """Other values in config.json."""
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **changes}))


def reweigh(folder, **changes) -> None:
    """Other values throughout a tensor."""
    state = load_file(folder / "model.safetensors")
    state |= {name: torch.full_like(state[name], value) for name, value in changes.items()}
    save_file(state, folder / "model.safetensors")


HARM = {
    "a list": lambda folder: (folder / "config.json").write_text("[]"),
    "deep": lambda folder: (folder / "config.json").write_text("[" * 100_000),
    "no text": lambda folder: (folder / "config.json").write_bytes(b"\xff\xfe\xff"),
    "name": lambda folder: reset(folder, text=5), "long name": lambda folder: reset(folder, text="9" * 5000),
    "no such encoder": lambda folder: reset(folder, image="no such encoder"),
    "size": lambda folder: reset(folder, size="x" * 3000), "dropout": lambda folder: reset(folder, dropout=256),
    "outputs": lambda folder: reset(folder, num_outputs=-1), "seed": lambda folder: reset(folder, seed="a"),
    "hidden": lambda folder: reset(folder, hidden=10**12),  # more than any memory holds
    "many outputs": lambda folder: reset(folder, num_outputs=10**12),
    "temperature": lambda folder: reweigh(folder, temperature=0.0),
    "NaN": lambda folder: reweigh(folder, **{"head.1.weight": float("nan")}),
    "no bytes": lambda folder: (folder / "model.safetensors").write_bytes(b""),
    "words": lambda folder: (folder / "tokenizer" / "tokenizer.json").write_text('{"model": "/etc/passwd"}'),
    "settings of words": lambda folder: (folder / "tokenizer" / "tokenizer_config.json").write_bytes(b"{\x8c"),
}


@pytest.mark.parametrize("harm", HARM)
@pytest.mark.parametrize("kind", ["head", "whole"])
def test_a_damaged_model_is_refused_by_name(saved_models, tmp_path, capsys, kind, harm):
    if kind == "head" and "words" in harm:
        pytest.skip("its words are the encoder's")
    folder = shutil.copytree(saved_models / kind, tmp_path / "mine")
    HARM[harm](folder)
    for load in (load_model, MultimodalSentimentModel.from_pretrained):
        with pytest.raises((ValueError, FileNotFoundError), match="mine") as info:
            load(folder)
        assert len(str(info.value)) < 1000
    Image.new("RGB", (9, 7), "red").save(tmp_path / "a.png")
    assert main(["predict", "--text", "hi", "--image", str(tmp_path / "a.png"), "--model", str(folder)]) == 1
    said = capsys.readouterr()
    assert (said.out, said.err[:7]) == ("", "error: ")


@pytest.mark.parametrize(("kind", "change"), [
    ("bert", {"num_hidden_layers": 10**9}), ("vit", {"num_hidden_layers": 10**9}),
    ("resnet18", {"depths": [2, 2, 2, 2**63]})])
def test_a_network_too_deep_to_build_is_refused_at_once(tmp_path, kind, change):
    folder = shutil.copytree(WEIGHTS / kind, tmp_path / "mine")
    reset(folder, **change)
    load = load_text_encoder if kind == "bert" else load_image_encoder
    with pytest.raises(ValueError, match=r"mine asks for \d+ layers, and there are \d+ weights"):
        load(str(folder))


# --- words on the command line, tables of one's own ---


@pytest.mark.parametrize("words", [["--seed", "-1"], ["--seed", "9" * 30], ["--seed", "one"]])
def test_a_seed_that_is_none_is_a_usage_error(words, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["evaluate", *words])
    assert stop.value.code == 2
    assert "--seed" in capsys.readouterr().err


@pytest.mark.parametrize(("words", "message"), [
    (["evaluate", "--posts", "9" * 30], "n is 1e+30"),
    (["align", "--conflict", "nan", "--posts", "9"], "conflict is nan"),
    (["evaluate", "--model", "9" * 5000], "there is no folder 9"),
    (["train", "--data", "x" * 5000 + ".csv"], "no file x"),
    (["predict", "--text", "half \udc80", "--image", "a.png"], "half of a character"),
    (["predict", "--text", "hi", "--image", "nul\0.png"], "no picture file"),
    (["grade", ".", "--csv", "x.csv", "--seconds", "nan"], "--seconds nan"),
])
def test_odd_words_are_an_error_that_names_them(words, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (9, 7), "red").save("a.png")
    assert main(words) == 1
    said = capsys.readouterr()
    assert message in said.err
    assert said.out == ""


def own_posts(place, labels: str):
    """A table of posts with these labels."""
    Image.new("RGB", (9, 7), "red").save(place / "a.png")
    (place / "posts.csv").write_text("text,image,label\n" + "".join(f"so good,a.png,{label}\n" for label in labels))
    return place / "posts.csv"


@pytest.mark.parametrize(("command", "words"), [("train", ["--binary"]), ("evaluate", [])])
def test_neutral_posts_alone_are_none_for_two_classes(tmp_path, capsys, command, words):
    data = own_posts(tmp_path, "1" * 12)
    if command == "evaluate":
        mini(num_outputs=1).save_pretrained(tmp_path / "model")
        words = ["--model", str(tmp_path / "model")]
    assert main([command, "--data", str(data), *words]) == 1
    assert "all posts are neutral" in capsys.readouterr().err


@pytest.mark.parametrize("labels", ["2", "2" * 30])
def test_one_post_or_one_class_can_be_measured(tmp_path, capsys, labels):
    mini().save_pretrained(tmp_path / "model")
    data = own_posts(tmp_path, labels)
    assert main(["evaluate", "--data", str(data), "--model", str(tmp_path / "model"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["posts"] == len(labels)


def test_photos_are_not_held_in_memory(tmp_path, monkeypatch):
    """A table of photos takes some 40 MB each: the parts of it hold paths."""
    posts = load_posts(own_posts(tmp_path, "012" * 10))
    monkeypatch.setattr("mmsa_utils.files.open_picture", lambda path: pytest.fail("a picture was opened"))
    parts = _three_parts(posts, False, 0)
    assert [len(part) for part in parts] == [21, 5, 4]
    assert sum(len(part) for part in _three_parts(posts, True, 0)) == 20
