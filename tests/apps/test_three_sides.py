"""Each command that makes or compares models, with a voice and with sides left out."""

import json

import pytest

from mmsa_utils import SpokenPosts, load_model
from mmsa_utils.apps import train
from mmsa_utils.apps.cli import main
from mmsa_utils.apps.common import pair_of
from mmsa_utils.fusion.absent import Absent
from mmsa_utils.learning import correction

TRIO = "distilbert+vit+whisper"


def test_a_pair_may_have_a_voice():
    assert pair_of("bert + resnet18") == {"text": "bert", "image": "resnet18"}
    assert pair_of(TRIO) == {"text": "distilbert", "image": "vit", "voice": "whisper"}
    for name in ("bert", "bert+", "bert+vit+whisper+more", "+vit"):
        with pytest.raises(ValueError, match="expected a text and an image encoder"):
            pair_of(name)


def test_align_with_a_voice_and_sides_left_out(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(correction, "RANDOM_HEADS", 2)
    assert main(["align", "--pair", TRIO, "--modality-dropout", "0.3", "--posts", "64", "--test-posts", "24", "--seeds",
                 "1", "--out", str(tmp_path / "m"), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["pair"] == TRIO
    assert report["ceiling"]["all"] == SpokenPosts(1).ceiling()
    some = {"text", "image", "voice", "text+image", "text+voice", "image+voice"}
    assert set(report["given"]) == some
    assert {f"{one}_only" for one in some} < set(report)
    assert not {"any_order", "conflict"} & set(report)
    model = load_model(tmp_path / "m")
    assert isinstance(model.fusion, Absent)
    assert model.sides == ("text", "image", "voice")
    post = SpokenPosts(1)[0]
    assert model.predict(None, None, [post.voice]).isfinite().all()


def test_train_with_a_voice(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(train, "TEST_POSTS", 16)
    assert main(["train", "--pair", TRIO, "--freeze", "--modality-dropout", "0.2", "--posts", "24", "--epochs", "1",
                 "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert set(result["test"]["alone"]) == {"text", "image", "voice"}
    assert main(["train", "--pair", TRIO, "--binary", "--posts", "8"]) == 1
    assert "three classes" in capsys.readouterr().err


def test_compare_on_spoken_posts(capsys):
    assert main(["compare", "--data", "spoken", "--fusions", "concat", "--posts", "48", "--test-posts", "16", "--seeds",
                 "1", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert list(report["fusions"]) == ["concat"]
    assert list(report["alone"]) == ["text", "image", "voice", "text+image", "text+voice", "image+voice"]
    assert main(["compare", "--data", "food", "--pair", TRIO, "--posts", "8"]) == 1
    assert "expected one, such as whisper, for spoken" in capsys.readouterr().err
