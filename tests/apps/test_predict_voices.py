"""Predictions for posts with a voice, and for posts that lack a side: from a model that has learned to do without, its
own answer; from any other, an average over neutral posts, and said to be one.
"""

import csv
import json
from pathlib import Path

import pytest
import torch
from helpers import food, mini

from mmsa_utils import LABELS, MultimodalSentimentModel
from mmsa_utils.apps.cli import main
from mmsa_utils.apps.table import contradiction
from mmsa_utils.checksums import WEIGHTS
from mmsa_utils.encoders.base import Encoded
from mmsa_utils.encoders.table import load_voice_encoder
from mmsa_utils.fusion.absent import missing
from mmsa_utils.learning.ahead import Batches
from mmsa_utils.learning.alone import Alone
from mmsa_utils.learning.asking import answered
from mmsa_utils.posts.own import load_posts
from mmsa_utils.posts.sound import wav_bytes
from mmsa_utils.posts.spoken import make_spoken

SIDES = ("text", "image", "voice")
#: text, picture, voice: every choice of at least one, then all three with a text that is cut.
PATTERNS = [(1, 1, 1), (1, 1, 0), (1, 0, 1), (0, 1, 1), (1, 0, 0), (0, 1, 0), (0, 0, 1)]


@pytest.fixture(scope="module")
def spoken() -> list:
    return [make_spoken(2 - i, i - 2, (2, 0, -2, "flat")[i], seed=i) for i in range(4)]


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> dict[str, MultimodalSentimentModel]:
    """An untaught and a taught one, not trained at all, as they are when loaded again."""
    made, place = {}, tmp_path_factory.mktemp("models")
    for name in ("untaught", "taught"):
        model = MultimodalSentimentModel(voice=load_voice_encoder("whisper", pretrained=False), absent=name == "taught",
                                         frozen=True)
        model.save_pretrained(place / name)
        made[name] = MultimodalSentimentModel.from_pretrained(place / name)
        made[name].place = place / name
    return made


@pytest.fixture(scope="module")
def folder(tmp_path_factory, spoken) -> Path:
    place = tmp_path_factory.mktemp("posts")
    for i, post in enumerate(spoken):
        post.image.save(place / f"{i}.png")
        (place / f"{i}.wav").write_bytes(wav_bytes(post.voice))
    rows = [("so good " * 40, "0.png", "0.wav")]
    rows += [tuple(cell if there else "" for cell, there in zip((spoken[1].text, "1.png", "1.wav"), pattern))
             for pattern in PATTERNS]
    with (place / "posts.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("text", "image", "audio"), *rows])
    return place


@pytest.fixture
def say(capfd):
    def run(*words) -> dict:
        assert main([*map(str, words), "--json"]) == 0, capfd.readouterr().err
        return json.loads(capfd.readouterr().out)

    return run


def parts_of(folder: Path, pattern: tuple) -> tuple[list, list]:
    """The words of a call, and what they stand for."""
    posts = load_posts(folder / "posts.csv", labelled=False)
    whole = posts[1]
    given = [getattr(whole, side) if there else None for side, there in zip(SIDES, pattern)]
    words = [word for option, value, there in zip(("--text", "--image", "--audio"), (
        whole.text, folder / "1.png", folder / "1.wav"), pattern) if there for word in (option, value)]
    return words, given


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: "".join(map(str, pattern)))
def test_a_taught_model_answers_to_what_is_there(models, folder, say, pattern):
    model = models["taught"]
    words, given = parts_of(folder, pattern)
    result = say("predict", *words, "--model", model.place)
    expected = model.predict(*([item] for item in given))[0].tolist()
    assert list(result["probs"].values()) == pytest.approx(expected, abs=1e-4)
    assert "average_over" not in result
    named = [side for side, there in zip(SIDES, pattern) if there]
    assert result.get("side", "text+image+voice") == "+".join(named)
    assert any("has learned to do without" in said for said in result["remarks"]) == (len(named) < 3)
    assert ("contradicts" in result) == (len(named) > 1)


@pytest.mark.parametrize(("pattern", "remark"), [
    ((1, 0, 0), "this is what the text alone says, an average over 32 other pictures and voices: the model reads "
                "text, image and voice, so it was asked beside each of 32 neutral ones."),
    ((1, 0, 1), "this is what the text and the voice alone say, an average over 32 other pictures: the model reads "
                "text, image and voice, so it was asked beside each of 32 neutral ones.")])
def test_any_other_model_is_asked_beside_neutral_posts(models, folder, say, pattern, remark):
    model = models["untaught"]
    words, given = parts_of(folder, pattern)
    result = say("predict", *words, "--model", model.place)
    alone = Alone(model)
    sides = model.encode(**model.prepare(*([item] for item in given)))
    named = [side for side, there in zip(SIDES, pattern) if there]
    assert list(result["probs"].values()) == pytest.approx(alone.given(named, sides)[0].tolist(), abs=1e-4)
    assert (result["side"], result["average_over"]) == ("+".join(named), 32)
    assert result["remarks"][0] == remark


@pytest.mark.parametrize("kind", ["taught", "untaught"])
def test_a_table_with_voices_and_without_some_sides(models, folder, tmp_path, say, kind, capfd):
    model = models[kind]
    result = say("predict", "--data", folder / "posts.csv", "--out", tmp_path / "a.csv", "--model", model.place)
    assert result["missing"] == {"text": 3, "image": 3, "voice": 3}
    with (tmp_path / "a.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[:11] == ["row", "answer", "p_negative", "p_neutral", "p_positive", "text_alone",
                                  "text_alone_p", "picture_alone", "picture_alone_p", "voice_alone", "voice_alone_p"]
    assert "cut after 64 tokens" in rows[0]["notes"]
    for row, pattern in list(zip(rows[1:], PATTERNS))[::1 if kind == "taught" else 3]:  # which costs more
        words, _ = parts_of(folder, pattern)
        one = say("predict", *words, "--model", model.place)
        assert [float(row[f"p_{name}"]) for name in LABELS] == pytest.approx(list(one["probs"].values()), abs=2e-4)
        alone = [bool(row[f"{name}_alone"]) for name in ("text", "picture", "voice")]
        assert alone == [bool(there) for there in pattern]
        assert row["notes"] == " ".join(one["remarks"])
        assert bool(row["notes"]) == (0 in pattern)


def test_what_is_missing_is_said_before_the_work(models, folder, tmp_path, capfd):
    assert main(["predict", "--data", str(folder / "posts.csv"), "--out", str(tmp_path / "a.csv"), "--model",
                 str(models["taught"].place)]) == 0
    assert "text missing in 3, picture missing in 3, voice missing in 3 of 8 posts" in capfd.readouterr().err


def test_a_voice_that_the_model_does_not_read_is_said_not_to_be_looked_at(folder, say):
    said = say("predict", "--model", WEIGHTS / "head", "--text", food(1)[0].text, "--audio", folder / "0.wav")
    assert "the voice was not looked at: the model reads text and image alone." in said["remarks"]
    assert "average over 32 other pictures" in said["remarks"][0]


def test_nothing_is_there_to_read(models, folder, tmp_path, capfd):
    assert main(["predict", "--model", str(WEIGHTS / "head"), "--audio", str(folder / "0.wav")]) == 1
    assert "expected --text or --image" in capfd.readouterr().err
    (tmp_path / "no.wav").write_bytes(b"RIFF")
    assert main(["predict", "--audio", str(tmp_path / "no.wav"), "--model", str(models["taught"].place)]) == 1
    assert "no.wav" in capfd.readouterr().err


def test_nothing_is_filled_in_for_a_side_that_is_missing(models, folder):
    """What the encoders are given is what the table holds, or None: no black picture, no empty text."""
    model, seen = models["taught"], {side: [] for side in SIDES}
    prepare = model.prepare
    prepare.steps = {side: lambda items, side=side, step=step: seen[side].extend(items) or step(items)
                     for side, step in prepare.steps.items()}
    posts = load_posts(folder / "posts.csv", labelled=False)
    batch = Batches(posts, prepare, 8)[0]
    assert len(batch.places) == 8
    assert batch.texts[4] is None
    for side, items in seen.items():
        there = [getattr(row, side) is not None for row in posts.rows]
        given = [item for item in items if item is not None]
        assert len(given) == sum(there)
        assert all(item.size == posts[0].image.size and item.getextrema() != ((0, 0),) * 3 for item in given) if (
            side == "image") else all(given if side == "text" else [len(item.samples) for item in given])
    lacking = missing(model.encode(**batch.tensors))
    assert {side: lacks.tolist() for side, lacks in lacking.items()} == {
        side: [getattr(row, side) is None for row in posts.rows] for side in SIDES}


@pytest.mark.parametrize("kind", ["taught", "untaught"])
def test_a_strange_side_is_left_out_of_three(models, spoken, kind):
    model = models[kind]
    sides = model.encode(**model.prepare([post.text for post in spoken], [post.image for post in spoken],
                                         [*(post.voice for post in spoken[:3]), None]))
    both = model.answers_of(model.classify(model.fuse(sides))).detach()
    strange = {"text": torch.tensor([False, True, True, True]), "image": torch.tensor([False, False, True, False]),
               "voice": torch.tensor([False] * 4)}
    alone_of = Alone(model)
    answers, alone = answered(alone_of, sides, strange, both)
    assert torch.equal(answers[0], both[0])
    left = alone_of.given(["image", "voice"], sides)
    for i, expected in ((1, left[1]), (2, alone["voice"][2]), (3, alone["image"][3])):
        if expected.max() >= 0.6:  # it is sure
            assert torch.allclose(answers[i], expected)
        else:
            assert answers[i].isnan().all()


def test_strange_sides_need_one_that_is_sure_and_missing_ones_do_not():
    """Of a taught model too, with heads that are sure of everything, or of nothing."""
    for scale, expected in ((40.0, True), (0.01, False)):
        model = MultimodalSentimentModel(absent=True, frozen=True)
        with torch.no_grad():
            model.temperature.fill_(1 / scale)
        draw = torch.Generator().manual_seed(0)
        sides = {side: Encoded.of(torch.randn(2, 128, generator=draw), torch.tensor([True, side == "text"]))
                 for side in ("text", "image")}
        both = model.answers_of(model.classify(model.fuse(sides))).detach()
        strange = {"text": torch.tensor([False, False]), "image": torch.tensor([True, False])}
        answers, _ = answered(Alone(model), sides, strange, both)
        assert bool(answers[0].isfinite().all()) == expected
        assert torch.equal(answers[1], both[1])


def test_answers_that_are_no_numbers_are_refused_whatever_is_missing(models, spoken):
    model = models["untaught"]
    for there in ((True, True, True), (True, False, True)):
        sides = model.encode(**model.prepare([spoken[0].text], [spoken[0].image if there[1] else None],
                                             [spoken[0].voice]))
        broken = {side: Encoded(one.tokens * torch.nan, one.mask) for side, one in sides.items()}
        both = model.answers_of(model.classify(model.fuse(broken))).detach()
        with pytest.raises(ValueError, match="answer is NaN"):
            answered(Alone(model), broken, {side: torch.tensor([False]) for side in SIDES}, both)


def test_three_sides_contradict_each_other_if_two_do():
    row = dict(zip(LABELS, torch.eye(3)))
    nothing = torch.full((3,), torch.nan)

    def of(*answers):
        return contradiction(LABELS, dict(zip(SIDES, answers)))["contradicts"]

    assert of(row["positive"], row["positive"], row["negative"])
    assert of(row["positive"], nothing, row["negative"])
    assert not of(row["positive"], row["neutral"], row["positive"])
    assert not of(row["positive"], nothing, nothing)


def test_the_shipped_model_and_a_post_without_a_picture(tmp_path, say):
    """Two sides: the row says what the single post says."""
    post = food(1)[0]
    (tmp_path / "posts.csv").write_text(f'text,image\n"{post.text}",\n')
    result = say("predict", "--data", tmp_path / "posts.csv", "--out", tmp_path / "a.jsonl")
    row = json.loads((tmp_path / "a.jsonl").read_text())
    one = say("predict", "--text", post.text)
    assert [row[f"p_{name}"] for name in LABELS] == pytest.approx(list(one["probs"].values()), abs=1e-4)
    assert row["notes"] == one["remarks"][0]
    assert (row["picture_alone"], row["contradicts"], result["missing"]) == (None, False, {"image": 1})


# --- training ---


def test_training_takes_posts_that_lack_a_side_with_modality_dropout_alone(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    taken = {}
    monkeypatch.setattr("mmsa_utils.apps.train.train", lambda model, loader, *a, **o: taken.update(
        n=len(loader.dataset), missing=loader.dataset.missing, share=o["modality_dropout"]) or [])
    monkeypatch.setattr("mmsa_utils.apps.train.history_table", lambda history: "")
    lines = ["text,image,label"]
    for i, post in enumerate(food(30)):
        post.image.save(f"{i}.png")
        lines.append(f"text {i},{'' if i < 3 else f'{i}.png'},{i % 2}")
    Path("mine.csv").write_text("\n".join(lines))
    words = ["train", "--data", "mine.csv", "--binary"]
    assert main(words) == 1
    said = capsys.readouterr().err
    assert "3 faulty rows:\nrow 2: no picture is named" in said
    assert "missing in 3 of them: --modality-dropout 0.3 takes such posts too" in said
    assert main([*words, "--skip-faulty"]) == 0
    assert taken["missing"] == {}
    assert main([*words, "--modality-dropout", "0.3", "--seed", "1"]) == 0
    assert taken["missing"]["image"] > 0
    assert taken["share"] == 0.3
    assert "picture missing in 3 of 30 posts" in capsys.readouterr().err
    assert mini().sides == ("text", "image")
