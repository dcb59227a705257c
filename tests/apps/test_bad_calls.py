"""Odd words on the command line, and tables and models that do not fit, are an error that names them."""

import json
import shutil
from pathlib import Path

import pytest
from helpers import edit_json, mini
from PIL import Image

from mmsa_utils import BINARY_LABELS, FoodPosts, load_posts
from mmsa_utils.apps.cli import main
from mmsa_utils.posts.parts import three_parts


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
    drawn = [FoodPosts(30)[i] for i in range(30)]
    for i, post in enumerate(drawn):
        post.image.save(tmp_path / f"{i}.png")
    (tmp_path / "posts.csv").write_text("text,image,label\n" + "".join(
        f"{post.text.replace(',', ' ')},{i}.png,{i % 3}\n" for i, post in enumerate(drawn)))
    three, two = load_posts(tmp_path), load_posts(tmp_path, classes=BINARY_LABELS)
    monkeypatch.setattr("mmsa_utils.posts.own.open_picture", lambda path: pytest.fail("a picture was opened"))
    parts = three_parts(three, 0)
    assert sum(len(part) for part in parts[:3]) == 30
    assert 20 <= len(parts.train) <= 22
    assert [min(part.counts().values()) for part in parts[:3]] >= [6, 1, 1]
    assert sum(len(part) for part in three_parts(two, 0)[:3]) == 20


def test_training_counts_what_it_learns_from_and_names_all_faults(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("mmsa_utils.apps.train.train", lambda *a, **o: [])
    monkeypatch.setattr("mmsa_utils.apps.train.history_table", lambda history: "")
    lines = ["sentence,img,y"]
    for i in range(40):
        post = FoodPosts(40)[i]
        post.image.save(f"{i}.png")
        lines.append(f"{post.text.replace(',', ' ')},{i}.png,{i % 2}")
    lines += [f"odd {i},gone.png,1" for i in range(12)]
    Path("mine.csv").write_text("\n".join(lines))
    words = ["train", "--data", "mine.csv", "--json", "--text-column", "sentence", "--image-column", "img",
             "--label-column", "y"]
    assert main(words[:4]) == 1
    assert "Is it --text-column sentence --image-column img --label-column y?" in capsys.readouterr().err
    assert main(words) == 1  # three classes
    assert "Is 1 neutral (of 0, 1, 2) or positive (of 0, 1)?" in capsys.readouterr().err
    assert main([*words, "--binary"]) == 1
    assert "All 12 of them are named in faulty_rows.txt" in capsys.readouterr().err
    assert len(Path("faulty_rows.txt").read_text().splitlines()) == 12
    assert main([*words, "--binary", "--skip-faulty", "--out", "out"]) == 0
    said = capsys.readouterr()
    assert "40 posts: 20 negative, 20 positive\nleft out: 12 faulty rows" in said.err
    result = json.loads(said.out)
    assert (result["classes"], result["left_out"]) == ({"negative": 20, "positive": 20}, {"faulty rows": 12})
    assert sum(result["posts"]["train"].values()) == pytest.approx(28, abs=2)
    assert min(result["posts"]["test"].values()) >= 1
    assert Path("out", "learned_from.safetensors").is_file()
    Path("one.csv").write_text("\n".join(["text,image,label", *[f"text {i},{i}.png,positive" for i in range(40)]]))
    assert main(["train", "--data", "one.csv"]) == 1
    assert "all 40 posts are positive: a model can only learn to tell classes apart" in capsys.readouterr().err


@pytest.mark.parametrize("words", [
    ["evaluate", "--data", ""], ["train", "--data", ""], ["predict", "--text", "hi", "--model", ""],
    ["train", "--out", ""],
])
def test_an_empty_name_is_not_taken_for_none_given(words, capsys):
    with pytest.raises(SystemExit) as left:
        main(words)
    assert left.value.code == 2
    assert "is empty: expected a name" in capsys.readouterr().err


@pytest.mark.parametrize("words", [
    ["train", "--out", "{}/a.png/model"], ["train", "--out", "{}/a.png"], ["export", "--onnx", "{}/a.png/m.onnx"],
    ["predict", "--data", "{}/t.csv", "--out", "{}/a.png/answers.csv"],
])
def test_a_place_that_cannot_be_written_into_is_named_in_words(words, tmp_path, capsys):
    Image.new("RGB", (9, 7), "red").save(tmp_path / "a.png")
    (tmp_path / "t.csv").write_text("text,image\nhi,a.png\n")
    assert main([word.format(tmp_path) for word in words]) == 1
    said = capsys.readouterr().err
    assert "nothing can be written into the folder" in said
    assert "a.png is a file" in said
    assert "Errno" not in said
