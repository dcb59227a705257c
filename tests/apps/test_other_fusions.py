"""Each command with a model whose sides meet otherwise than by concatenation."""

import json

import pytest

from mmsa_utils import burger_example, load_model
from mmsa_utils.apps import train
from mmsa_utils.apps.cli import main
from mmsa_utils.fusion.attention import Attention
from mmsa_utils.learning import correction


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model of which words look at regions, aligned on a few posts."""
    place = tmp_path_factory.mktemp("model")
    patched = pytest.MonkeyPatch()
    patched.setattr(correction, "RANDOM_HEADS", 3)
    patched.setattr(correction, "EPOCHS", 3)  # that it learns is seen elsewhere
    assert main(["align", "--fusion", "attention", "--posts", "96", "--test-posts", "24", "--seeds", "2", "--out",
                 str(place)]) == 0
    patched.undo()
    return place


def test_align_aligns_the_fusion_too(folder, capsys):
    model = load_model(folder)
    assert type(model.fusion) is Attention
    assert json.loads((folder / "config.json").read_text())["fusion"] == "attention"
    assert main(["align", "--fusion", "gated", "--posts", "64", "--test-posts", "16", "--seeds", "1", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["fusion"] == "gated"
    assert {"after", "control", "text_only", "any_order", "slices", "unseen"} <= set(report)


def test_train_trains_it(tmp_path, monkeypatch):
    monkeypatch.setattr(train, "TEST_POSTS", 32)
    assert main(["train", "--fusion", "bottleneck", "--posts", "24", "--epochs", "1", "--out", str(tmp_path)]) == 0
    assert type(load_model(tmp_path).fusion).__name__ == "Bottleneck"


def test_what_reads_posts_reads_them_with_it(folder, tmp_path, capsys):
    burger_example(224).image.save(tmp_path / "photo.png")
    assert main(["predict", "--model", str(folder), "--text", "This burger is delicious!", "--image",
                 str(tmp_path / "photo.png"), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert sum(said["probs"].values()) == pytest.approx(1, abs=1e-3)
    assert main(["predict", "--model", str(folder), "--text", "This burger is delicious!"]) == 0
    assert main(["evaluate", "--model", str(folder), "--posts", "20"]) == 0
    assert main(["report", "--model", str(folder), "--posts", "20", "--out", str(tmp_path / "page.html")]) == 0
    assert (tmp_path / "page.html").stat().st_size > 1000


def test_an_unknown_fusion_is_refused_with_those_there_are(capsys):
    with pytest.raises(SystemExit) as end:
        main(["train", "--fusion", "glue"])
    assert end.value.code == 2
    assert "no fusion is called 'glue': expected one of additive, concat" in capsys.readouterr().err
