"""An exported model says what the model says, and its page holds a program that works."""

import json
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import food, mini, quiet_environment, save_image, save_text

from mmsa_utils import LABELS, MultimodalSentimentModel
from mmsa_utils.apps.cli import main
from mmsa_utils.model.recipe import pixels_of, recipe, tokenizer_json

needs_onnx = pytest.mark.skipif(not all(map(find_spec, ("onnx", "onnxscript", "onnxruntime"))),
                                reason="the extra onnx is not installed")


@pytest.fixture(scope="module")
def tiny_folders(tmp_path_factory) -> tuple[str, str]:
    folder = tmp_path_factory.mktemp("encoders")
    return str(save_text(folder / "text", "distilbert")), str(save_image(folder / "image"))


def exported(model: MultimodalSentimentModel | None, place: Path, *words: str) -> Path:
    if model is not None:
        model.save_pretrained(place / "model")
        words = (*words, "--model", str(place / "model"))
    assert main(["export", "--onnx", str(place / "out" / "reader.onnx"), *words]) == 0
    return place / "out"


def run_example(folder: Path) -> str:
    """The program of the page, as it stands there, on a picture of the name that it asks for."""
    (code,) = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(encoding="utf8"), re.DOTALL)
    assert len(code.splitlines()) <= 20
    assert "torch" not in code
    food(1)[0].image.save(folder / "photo.jpg", quality=95)
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, timeout=300,
                          env=quiet_environment())
    assert done.returncode == 0, done.stderr
    return done.stdout


@needs_onnx
def test_the_shipped_model_leaves_torch_behind(tmp_path, capsys):
    """Probabilities, class names, files, and the example: what the command promises."""
    folder = exported(None, tmp_path, "--json")
    result = json.loads(capsys.readouterr().out)
    assert result["largest_difference"] <= 1e-5
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "preparation.json", "reader.onnx",
                                                              "tokenizer.json"]
    assert [Path(name).name for name in result["files"]] == ["reader.onnx", "preparation.json", "tokenizer.json",
                                                             "README.md"]
    said = run_example(folder)
    found = {name: float(number) for name, number in re.findall(r"'(\w+)': (?:np\.float32\()?([\d.e-]+)", said)}
    assert list(found) == list(LABELS)
    from mmsa_utils import load_model, open_picture
    expected = load_model().predict(["This burger is delicious!"], [open_picture(folder / "photo.jpg")])[0]
    assert list(found.values()) == pytest.approx(expected.tolist(), abs=0.02)


@needs_onnx
@pytest.mark.parametrize(("kind", "classes", "fusion"), [
    ("both", ("calm", "angry"), "bottleneck"), ("text", None, "concat"), ("image", ("a", "b", "c", "d"), "attention")])
def test_any_classes_any_side_and_fusions_of_sequences(tiny_folders, tmp_path, kind, classes, fusion):
    import onnxruntime

    text, image = tiny_folders
    model = MultimodalSentimentModel(text if kind != "image" else None, image if kind != "text" else None,
                                     classes=classes, fusion=fusion).eval()
    model.temperature.fill_(1.7)
    folder = exported(model, tmp_path)
    session = onnxruntime.InferenceSession(str(folder / "reader.onnx"))
    posts = food(5)
    raw = {"text": [post.text for post in posts], "image": [post.image for post in posts]}
    for n in (1, 5):
        batch = model.prepare(*(raw[side][:n] for side in model.sides))
        (answers,) = session.run(None, {name: tensor.numpy() for name, tensor in batch.items()})
        assert np.abs(answers - model.predict(*(raw[side][:n] for side in model.sides)).numpy()).max() <= 1e-5
    assert answers.shape == (5, len(classes or "1"))
    assert (folder / "tokenizer.json").exists() == (kind != "image")
    said = run_example(folder)
    assert all(repr(name) in said for name in classes or ())
    if kind == "text":
        exported(model, tmp_path)  # its own files may be written anew


@pytest.mark.parametrize("pair", ["distilbert+vit", "bert+resnet18"])
def test_the_recipe_prepares_as_the_model_does(pair):
    from tokenizers import Tokenizer

    model = mini(pair)
    told = recipe(model)
    texts = ["No.", "This burger is delicious!", "so good " * 100]
    tokens = Tokenizer.from_str(tokenizer_json(model)).encode_batch(texts)
    pictures = [post.image.resize(size) for post, size in zip(food(3), ((64, 64), (200, 90), (31, 300)))]
    batch = model.prepare(texts, pictures)
    assert torch.equal(torch.tensor([one.ids for one in tokens]), batch["input_ids"])
    assert torch.equal(torch.tensor([one.attention_mask for one in tokens]), batch["attention_mask"])
    own = np.stack([pixels_of(picture, told["image"]) for picture in pictures])
    assert np.abs(own - batch["pixel_values"].numpy()).max() <= 2.5 / 255 / 0.5  # of another rounding
    assert told["classes"] == list(LABELS)


def test_the_recipe_of_a_crop_in_the_middle():
    """torchvision's own preset for ResNet-18: the shorter edge to 256, then 224 x 224 of the middle."""
    model = MultimodalSentimentModel("bert", "resnet18", size="full", pretrained=False)
    told = recipe(model)["image"]
    for size in ((64, 64), (400, 300), (300, 401)):
        picture = food(1)[0].image.resize(size)
        own = model.prepare.steps["image"]([picture])["pixel_values"][0].numpy()
        assert np.abs(pixels_of(picture, told) - own).max() <= 2.5 / 255 / 0.22


def test_what_cannot_be_told_in_numbers_is_refused(tiny):
    model = tiny()
    prepare = model.encoders["image"].prepare
    model.encoders["image"].prepare = lambda images: {"pixel_values": 2 * prepare(images)["pixel_values"]}
    with pytest.raises(ValueError, match="cannot be told in numbers"):
        recipe(model)


def test_a_missing_package_is_named(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    assert main(["export", "--onnx", str(tmp_path / "m.onnx")]) == 1
    said = capsys.readouterr().err
    assert "onnxscript" in said
    assert 'pip install "mmsa-utils[onnx]"' in said
    assert list(tmp_path.iterdir()) == []


@needs_onnx
def test_without_onnxruntime_it_says_that_nothing_was_checked(tiny_folders, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    folder = exported(MultimodalSentimentModel(tiny_folders[0], None), tmp_path, "--json")
    result = json.loads(capsys.readouterr().out)
    assert "largest_difference" not in result
    assert "not checked" in result["remarks"][0]
    assert "was not checked" in (folder / "README.md").read_text(encoding="utf8")


@needs_onnx
def test_a_file_that_says_something_else_is_not_written(tiny_folders, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("mmsa_utils.apps.export.check_onnx", lambda model, path: 0.1)
    MultimodalSentimentModel(tiny_folders[0], None).save_pretrained(tmp_path / "m")
    assert main(["export", "--model", str(tmp_path / "m"), "--onnx", str(tmp_path / "out" / "m.onnx")]) == 1
    assert "differs from torch" in capsys.readouterr().err
    assert list((tmp_path / "out").iterdir()) == []


@needs_onnx
def test_nobodys_readme_is_written_over(tmp_path, capsys):
    (tmp_path / "README.md").write_text("# My thesis")
    assert main(["export", "--onnx", str(tmp_path / "m.onnx")]) == 1
    assert "README.md already" in capsys.readouterr().err
    assert (tmp_path / "README.md").read_text() == "# My thesis"
    assert [path.name for path in tmp_path.iterdir()] == ["README.md"]


def test_another_ending_is_refused(tmp_path, capsys):
    assert main(["export", "--onnx", str(tmp_path / "m.pt")]) == 1
    assert "ends in .onnx" in capsys.readouterr().err
