"""Odd words on the command line, and tables and models that do not fit, are an error that names them."""

import json
import shutil
from pathlib import Path

import pytest
from helpers import edit_json, mini
from PIL import Image

from mmsa_utils import load_posts
from mmsa_utils.apps.cli import main
from mmsa_utils.apps.common import three_parts


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("saved") / "model"
    mini().save_pretrained(folder)
    return folder


HARM = {
    "no text": lambda folder: (folder / "config.json").write_bytes(b"\xff\xfe\xff"),
    "dropout": lambda folder: edit_json(folder / "config.json", dropout=256),
    "no bytes": lambda folder: (folder / "model.safetensors").write_bytes(b""),
    "gone": lambda folder: shutil.rmtree(folder),
}


@pytest.mark.parametrize("harm", HARM)
def test_a_damaged_model_is_an_error(model, tmp_path, capsys, harm):
    folder = Path(shutil.copytree(model, tmp_path / "mine"))
    HARM[harm](folder)
    Image.new("RGB", (9, 7), "red").save(tmp_path / "a.png")
    assert main(["predict", "--text", "hi", "--image", str(tmp_path / "a.png"), "--model", str(folder)]) == 1
    said = capsys.readouterr()
    assert (said.out, said.err[:7]) == ("", "error: ")
    assert "mine" in said.err


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


def own_posts(place: Path, labels: str) -> Path:
    """A table of posts with these labels."""
    Image.new("RGB", (9, 7), "red").save(place / "a.png")
    (place / "posts.csv").write_text("text,image,label\n" + "".join(f"so good,a.png,{label}\n" for label in labels))
    return place / "posts.csv"


@pytest.mark.parametrize(("command", "words"), [("train", ["--binary"]), ("evaluate", [])])
def test_neutral_posts_alone_are_none_for_two_classes(tmp_path, capsys, command, words):
    data = own_posts(tmp_path, "1" * 12)
    if command == "evaluate":
        mini(binary=True).save_pretrained(tmp_path / "model")
        words = ["--model", str(tmp_path / "model")]
    assert main([command, "--data", str(data), *words]) == 1
    assert "all posts are neutral" in capsys.readouterr().err


@pytest.mark.parametrize("labels", ["2", "2" * 30])
def test_one_post_or_one_class_can_be_measured(model, tmp_path, capsys, labels):
    data = own_posts(tmp_path, labels)
    assert main(["evaluate", "--data", str(data), "--model", str(model), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["posts"] == len(labels)


def test_photos_are_not_held_in_memory(tmp_path, monkeypatch):
    """A table of photos takes some 40 MB each: the parts of it hold paths."""
    posts = load_posts(own_posts(tmp_path, "012" * 10))
    monkeypatch.setattr("mmsa_utils.posts.own.open_picture", lambda path: pytest.fail("a picture was opened"))
    parts = three_parts(posts, False, 0)
    assert [len(part) for part in parts] == [21, 5, 4]
    assert sum(len(part) for part in three_parts(posts, True, 0)) == 20
