"""Real posts on the command line: the known sets, behind --data, in each command that takes labelled posts."""

import json
import shutil

import pytest
import real_files
import torch
from PIL import Image

from mmsa_utils.apps import compare
from mmsa_utils.apps.cli import main
from mmsa_utils.apps.common import REAL, named_source
from mmsa_utils.apps.sources import Sets
from mmsa_utils.learning import comparison, own_correction
from mmsa_utils.learning.zero_shot import PROMPTS
from mmsa_utils.posts.post import LABELS, Post
from mmsa_utils.posts.real.miniature import write_miniature


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(comparison, "EPOCHS", 2)
    monkeypatch.setattr(own_correction, "RANDOM_HEADS", 3)


@pytest.fixture(scope="module")
def mvsa(tmp_path_factory):
    return write_miniature(tmp_path_factory.mktemp("sets") / "MVSA_Single", n=80)


@pytest.fixture(scope="module")
def mosi(tmp_path_factory):
    path = tmp_path_factory.mktemp("sets") / "unaligned_50.pkl"
    real_files.write_mmsa(path, "mosi-unaligned", (40, 20, 30))
    return path


def told(capsys, *call):
    code = main([*map(str, call), "--json"])
    said = capsys.readouterr()
    assert code == 0, said.err
    return json.loads(said.out), said.err


def test_a_drive_is_no_set_and_a_set_no_path():
    assert named_source("mvsa:C:/data") == ("mvsa", "C:/data")
    assert named_source("C:/posts.csv") == (None, "C:/posts.csv")
    assert named_source("posts:2.csv") == (None, "posts:2.csv")
    assert set(REAL) == {"mvsa", "mmsa", "twitter", "memes", "features"}


def test_mvsa_is_trained_on_measured_and_shown(mvsa, tmp_path, capsys):
    model = tmp_path / "model"
    result, err = told(capsys, "train", "--data", f"mvsa:{mvsa}", "--epochs", 1, "--freeze", "--out", model)
    counts = {name: sum(row.values()) for name, row in result["posts"].items()}
    assert sum(counts.values()) + sum(result["left_out"].values()) == 80
    assert result["left_out"]["opposed"]
    assert "left out: " in err
    assert "opposed" in err
    measured, _ = told(capsys, "evaluate", "--model", model, "--data", f"mvsa:{mvsa}")
    assert measured["posts"] == counts["test"]
    assert measured["accuracy"] == result["test"]["accuracy"]  # the same test part, by the same seed
    told(capsys, "report", "--model", model, "--data", f"mvsa:{mvsa}", "--out", tmp_path / "page.html")
    assert "of mvsa, split test" in (tmp_path / "page.html").read_text(encoding="utf8")


def test_mvsa_is_aligned_on_with_controls(mvsa, tmp_path, capsys):
    report, _ = told(capsys, "align", "--data", f"mvsa:{mvsa}", "--seeds", 2, "--fusion", "gated", "--out",
                     tmp_path / "aligned")
    assert set(report["alone"]) == {"text", "image"}
    assert 0 < report["majority"] < 1
    assert {"mean", "low", "high"} == set(report["after"]["accuracy"])
    assert "labels at random" not in (tmp_path / "aligned" / "README.md").read_text(encoding="utf8")
    assert "control: shuffled labels" in (tmp_path / "aligned" / "README.md").read_text(encoding="utf8")
    assert main(["align", "--data", f"mvsa:{mvsa}", "--seeds", "1"]) == 0
    assert "always the commonest class" in capsys.readouterr().out


def test_the_honesty_board_of_mvsa(mvsa, capsys):
    report, _ = told(capsys, "compare", "--data", f"mvsa:{mvsa}", "--fusions", "concat", "--seeds", 1)
    assert list(report["rivals"]) == ["majority", "tfidf", "text", "image", "concat"]
    assert set(report["differences"]["concat"]) == {"tfidf", "text"}
    assert main(["compare", "--data", f"mvsa:{mvsa}", "--fusions", "concat", "--seeds", "1"]) == 0
    said = capsys.readouterr().out
    for words in ("always the commonest class", "words counted (TF-IDF), a linear model", "picture alone",
                  "better than words counted by", "paired, post by post"):
        assert words in said


def test_clip_stands_on_the_board_by_words_alone_where_it_is_an_encoder(monkeypatch):
    """Its weights are not here: what counts is whom it is asked about, and with which sentences."""
    posts = [Post(f"text {i}", Image.new("RGB", (8, 8), (i, 0, 0)), i % 2) for i in range(3)]
    asked = {}

    def heard(images, prompts, device):
        asked.update(prompts=prompts, colours=[image.getpixel((0, 0))[0] for image in images])
        return torch.eye(3)

    monkeypatch.setattr(compare, "zero_shot", heard)
    sets = Sets({"test": posts}, LABELS, [], {})
    assert torch.equal(compare._without_learning("clip+clip", sets)[compare.ZERO_SHOT], torch.eye(3))
    assert asked == {"prompts": PROMPTS, "colours": [0, 1, 2]}
    assert compare._without_learning("distilbert+vit", sets) == {}
    assert compare._without_learning("clip+clip", sets._replace(classes=("not hateful", "hateful"))) == {}
    assert compare._without_learning("clip+clip", sets._replace(classes=None)) == {}


def test_features_are_aligned_on_measured_in_each_convention_and_shown(mosi, tmp_path, capsys):
    for command, model in (("train", tmp_path / "trained"), ("align", tmp_path / "aligned")):
        options = ("--epochs", 1) if command == "train" else ("--seeds", 1)
        result, _ = told(capsys, command, "--data", f"mmsa:{mosi}", *options, "--out", model)
        assert result["posts"]["test"] in (30, 29, 28)
        measured, _ = told(capsys, "evaluate", "--model", model, "--data", f"mmsa:{mosi}")
        assert set(measured["conventions"]) == {"mosi", "cmu-before-2019", "cmu-since-2019", "sims"}
        assert measured["conventions"]["mosi"]["mae"] == pytest.approx(measured["mae"], abs=1e-6)
    told(capsys, "report", "--model", model, "--data", f"mmsa:{mosi}", "--out", tmp_path / "page.html")
    assert main(["evaluate", "--model", str(model), "--data", f"mmsa:{mosi}"]) == 0
    assert "The same answers as the field counts them" in capsys.readouterr().out


def test_the_board_of_features_also_from_a_converted_folder(mosi, tmp_path, capsys):
    folder = tmp_path / "mosi"
    told(capsys, "convert", mosi, "--out", folder)
    boards = [told(capsys, "compare", "--data", f"mmsa:{source}", "--fusions", "concat", "--seeds", 1,
                   "--convention", "cmu-since-2019")[0] for source in (mosi, folder)]
    for board in boards:
        board.pop("seconds")
        for row in board["rivals"].values():
            row.pop("seconds", None)
    assert boards[0] == boards[1]
    assert "acc_7" in boards[0]["rivals"]["tfidf"]["figures"]
    assert set(boards[0]["rivals"]) >= {"text+image", "text+voice", "image+voice", "concat"}


def test_a_test_part_without_labels_gives_way_to_half_of_the_validation_part(tmp_path, capsys):
    memes = write_miniature(tmp_path / "memes", "hateful-memes", n=80)
    report, err = told(capsys, "compare", "--data", f"memes:{memes}", "--fusions", "concat", "--seeds", 1)
    assert any("half of the validation part" in remark for remark in report["remarks"])
    assert abs(report["posts"]["validation"] - report["posts"]["test"]) <= 1
    assert report["classes"] == ["not hateful", "hateful"]


def test_what_stands_in_two_parts_is_said(tmp_path, capsys):
    tweets = write_miniature(tmp_path / "tweets", "twitter2015", n=80)
    known = (tweets / "train.tsv").read_text(encoding="utf8").splitlines()[1]
    with (tweets / "test.tsv").open("a", encoding="utf8") as file:
        file.write(f"{known}\n")
    report, err = told(capsys, "compare", "--data", f"twitter:{tweets}", "--fusions", "additive", "--seeds", 1)
    assert report["shared"]["test"]["picture"] > 0
    assert any("posts of test have a picture that stands in another part" in remark for remark in report["remarks"])


@pytest.mark.parametrize(("call", "words"), [
    (("train", "--data", "mvsa:{}", "--pair", "distilbert+vit+whisper"), "posts of mvsa have no voice"),
    (("evaluate", "--data", "mvsa:{}", "--split", "unseen"), "a known set has validation and test"),
    (("evaluate", "--data", "mmsa:{}"), "holds features, and the model reads posts"),
    (("train", "--data", "mvsa:{}", "--binary"), "a known set has its own classes"),
    (("compare", "--data", "mvsa:{}", "--convention", "mine", "--fusions", "concat"), "there is no convention 'mine'"),
    (("train", "--data", "mvsa:{}/nowhere"), "there is no"), (("compare", "--data", "nowhere.csv"), "expected food")])
def test_what_does_not_fit_is_refused(call, words, mvsa, mosi, capsys):
    place = mosi if "mmsa:{}" in call else mvsa
    assert main([word.format(place) for word in call]) == 1
    assert words in capsys.readouterr().err


def test_a_table_of_ones_own_has_a_board_too(mvsa, tmp_path, capsys):
    pictures = sorted((mvsa / "data").glob("*.jpg"))
    rows = ["text,image,label"]
    for i in range(40):
        shutil.copy(pictures[0], tmp_path / f"{i}.jpg")
        rows.append(f"post number {i} is {('awful', 'a table', 'lovely')[i % 3]},{i}.jpg,"
                    f"{('negative', 'neutral', 'positive')[i % 3]}")
    (tmp_path / "posts.csv").write_text("\n".join(rows), encoding="utf8")
    assert main(["compare", "--data", str(tmp_path / "posts.csv")]) == 1
    assert "they share" in capsys.readouterr().err  # one picture for all: nothing could be tested
