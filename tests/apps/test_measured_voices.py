"""Figures, pages and cards of models with a voice, and of posts that lack a side."""

import base64
import io
import json
import re
import wave
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import food
from PIL import Image

from mmsa_utils import FoodPosts, MultimodalSentimentModel, Post
from mmsa_utils.apps import card, evaluate, words
from mmsa_utils.apps.cli import main
from mmsa_utils.encoders.table import load_voice_encoder
from mmsa_utils.figures.report import MOST_HEARD, page
from mmsa_utils.learning.alone import Alone
from mmsa_utils.learning.asking import Answers, ask
from mmsa_utils.learning.assessment import assessed
from mmsa_utils.model.remarks import heard, remarks
from mmsa_utils.posts.sound import RATE, Sound, wav_bytes
from mmsa_utils.posts.spoken import SpokenPosts


def model(absent: bool = False, **options) -> MultimodalSentimentModel:
    return MultimodalSentimentModel(voice=load_voice_encoder("whisper", pretrained=False), absent=absent, frozen=True,
                                    **options).eval()


def noise(seconds: float, loud: float = 0.3) -> Sound:
    draw = np.random.default_rng(0).uniform(-loud, loud, round(seconds * RATE))
    return Sound(draw.astype(np.float32))


@pytest.fixture(scope="module")
def posts() -> list[Post]:
    spoken = SpokenPosts(10, "test")
    return [spoken[i] for i in range(10)]


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("saved") / "model"
    model(absent=True).save_pretrained(folder)
    return folder


# --- evaluate ---


def test_posts_with_a_voice_are_held_beside_every_ceiling(place, capsys):
    assert main(["evaluate", "--model", str(place), "--posts", "12", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert set(result["ceilings"]) == set(SpokenPosts.readers)
    assert result["ceiling"] == result["ceilings"]["all"]
    assert list(result["alone"]) == ["text", "image", "voice"]
    assert result["taught"]
    assert "missing" not in result
    said = words.evaluation(result).splitlines()
    assert re.match(r"text, picture and voice +0\.\d{3} \(", said[3])
    assert said[3].endswith(f"{result['ceiling']:.3f}")
    assert said[6].startswith("voice alone")
    assert said[6].endswith(f"{result['ceilings']['voice']:.3f}")
    assert "voice alone, accuracy" in card.figures({"posts": {"test": 12}, "test": result}, "Posts.")


def test_a_model_of_two_classes_has_no_generated_voices(tmp_path, capsys):
    model(classes=("negative", "positive")).save_pretrained(tmp_path / "m")
    assert main(["evaluate", "--model", str(tmp_path / "m"), "--posts", "3"]) == 1
    assert "generated posts with a voice have negative, neutral, positive" in capsys.readouterr().err


def test_a_model_of_text_and_voice_is_held_beside_their_ceiling():
    spoken = SpokenPosts(4, "test")
    reader = MultimodalSentimentModel(image=None, voice=load_voice_encoder("whisper", pretrained=False))
    result = evaluate.evaluation(reader, spoken)
    assert result["ceiling"] == spoken.ceiling("text+voice")
    assert words.evaluation(result).splitlines()[3].startswith("text and voice ")


def test_who_differs_of_three():
    answers = torch.eye(3)
    alone = {"text": answers[[0, 0, 0, 0, 0]], "image": answers[[0, 1, 0, 1, 0]], "voice": answers[[0, 0, 1, 2, 0]]}
    alone["voice"][4] = torch.nan
    given = Answers(("a", "b", "c"), answers[[0] * 5], answers[[0] * 5], torch.tensor([0] * 5), alone, texts=["x"] * 5,
                    relations=[""] * 5, cut=[False] * 5)
    found = assessed(given)["slices"]["each side alone"]
    assert {name: row["posts"] for name, row in found.items()} == {
        "all say the same": 1, "the picture differs": 1, "the voice differs": 1, "they differ": 1}


# --- sides that are missing ---


def lacking(posts: list[Post]) -> list[Post]:
    """A whole post, and each other choice of sides."""
    return [Post(post.text if i & 1 else None, post.image if i & 2 else None, post.label,
                 voice=post.voice if i & 4 else None) for i, post in zip((7, 3, 5, 6, 1, 2, 4), posts)]


def test_what_a_model_says_of_posts_that_lack_a_side(posts):
    some = lacking(posts)
    taught, other = model(absent=True), model()
    expected = taught.predict(*([getattr(post, side) for post in some] for side in taught.sides))
    answers = ask(taught, some, batch_size=3)
    assert torch.allclose(answers.probabilities, expected, atol=1e-5)
    answers, alone = ask(other, some, batch_size=3), Alone(other)
    for i, post in enumerate(some):
        sides = other.encode(**other.prepare([post.text], [post.image], [post.voice]))
        names = [side for side in other.sides if getattr(post, side) is not None]
        expected = alone.given(names, sides)[0] if i else other.predict([post.text], [post.image], [post.voice])[0]
        assert torch.allclose(answers.probabilities[i], expected, atol=1e-5)
    result = assessed(answers)
    assert result["missing"] == {"text": 3, "image": 3, "voice": 3}
    assert "picture missing in 3, voice missing in 3 of 7 posts: of these the figures hold" in result["remarks"][-1]
    assert set(result["slices"]["what is there"]) == {
        "text, picture and voice", "text and picture", "text and voice", "picture and voice", "text", "picture",
        "voice"}
    assert "learned to do without." in assessed(ask(taught, some))["remarks"][-1]


@pytest.mark.parametrize("classes", [("negative", "positive"), None])
def test_two_classes_and_numbers_too(classes):
    one, other = food(2, binary=True)
    some = [Post(one.text, one.image, one.label), Post(other.text, None, other.label)]
    reader = MultimodalSentimentModel(classes=classes, frozen=True).eval()
    answers = ask(reader, some)
    sides = reader.encode(**reader.prepare([other.text], [None]))
    assert torch.allclose(answers.probabilities[1], Alone(reader).given(["text"], sides)[0], atol=1e-5)
    assert torch.allclose(answers.probabilities[0], reader.predict([one.text], [one.image])[0], atol=1e-6)
    assert np.isfinite(assessed(answers)["loss"])


def test_nothing_stands_in_for_what_is_missing(posts, monkeypatch):
    """`ask` gives the encoders what there is, or None: no black picture, no empty text."""
    taught, seen = model(absent=True), []
    kinds = {type(encoder.prepare) for encoder in taught.encoders.values()}
    for kind in kinds:
        prepare = kind.__call__
        monkeypatch.setattr(kind, "__call__", lambda self, items, prepare=prepare: seen.extend(items) or prepare(
            self, items))
    some = lacking(posts)
    ask(taught, some)
    assert sum(isinstance(item, str) for item in seen) == sum(isinstance(item, Image.Image) for item in seen) == 4
    assert "" not in [item for item in seen if isinstance(item, str)]
    assert all(max(high for _, high in item.getextrema()) > 0 for item in seen if isinstance(item, Image.Image))


def test_a_post_of_which_the_model_reads_nothing_is_refused():
    with pytest.raises(ValueError, match="post 1 has neither text nor picture: expected at least one"):
        ask(MultimodalSentimentModel(frozen=True), [*food(1), Post(None, None, 0, voice=noise(0.1))])


def test_whole_posts_of_two_sides_have_no_new_keys():
    result = evaluate.evaluation(MultimodalSentimentModel(frozen=True), FoodPosts(6, "test"))
    assert not {"missing", "taught"} & set(result)
    assert list(result["ceilings"]) == ["text", "image", "additive", "both"]


# --- what of voices is not read ---


def test_remarks_on_voices():
    reader = model()
    fine, long, silent, loud = noise(1), noise(12), Sound(np.zeros(RATE, np.float32)), Sound(
        np.clip(noise(1, 3.0).samples, -1, 1))
    assert remarks(reader, [None], [fine]) == remarks(reader, None, [None]) == []
    assert remarks(reader, None, [long]) == [
        "the recording was cut after 10 seconds: what is said behind was not heard."]
    assert remarks(reader, None, [silent]) == [
        "the recording is silent: as far as the voice goes, the answer means nothing."]
    assert remarks(reader, None, [loud])[0].startswith("the recording is clipped")
    many = [fine, None, long, long, silent, heard(reader.encoders["voice"].prepare, loud)]
    assert [said.split(":")[0] for said in remarks(reader, None, many)] == [
        "2 of 5 recordings were cut after 10 seconds", "1 of 5 recordings is silent",
        "1 of 5 recordings is clipped, too loud for the file"]
    assert remarks(MultimodalSentimentModel(frozen=True), None, many) == []


def test_drawn_voices_are_neither_silent_nor_clipped_nor_cut(posts):
    assert remarks(model(), None, [post.voice for post in posts]) == []


# --- the page ---


def test_a_page_plays_the_voices_of_mistakes(place, tmp_path):
    out = tmp_path / "page.html"
    assert main(["report", "--model", str(place), "--posts", "30", "--out", str(out), "--mistakes", "9"]) == 0
    text = out.read_text(encoding="utf8")
    players = re.findall(r'<audio controls [^>]*aria-label="The voice of post \d+, \d\.\d seconds" '
                         r'src="data:audio/wav;base64,([^"]+)"></audio>', text)
    assert len(players) >= 3
    assert sum(map(len, players)) <= MOST_HEARD
    assert "no room for more recordings" in text
    assert "media-src data:;" in text
    assert "learned to do without the others" in text
    with wave.open(io.BytesIO(base64.b64decode(players[0]))) as sound:
        assert (sound.getframerate(), sound.getnchannels()) == (8000, 1)
        assert 1.5 < sound.getnframes() / 8000 < 4
    assert "text, picture and voice" in text


def test_a_page_without_voices_allows_no_sound():
    result = evaluate.evaluation(MultimodalSentimentModel(frozen=True), food(6))
    text = page(result, {}, {})
    assert "media-src" not in text
    assert "<audio" not in text
    assert "in the place of the other side: a rough" in text


def test_recordings_of_a_table_are_named(tmp_path, posts):
    from mmsa_utils import load_posts

    for i, post in enumerate(posts[:6]):
        post.image.save(tmp_path / f"{i}.png")
        (tmp_path / f"{i}.wav").write_bytes(wav_bytes(post.voice))
    (tmp_path / "posts.csv").write_text("text,image,audio,label\n" + "".join(
        f"so good {i},{i}.png,{i}.wav,{(post.label + 1) % 3}\n" for i, post in enumerate(posts[:6])))
    result = evaluate.evaluation(model(), load_posts(tmp_path), 6)
    assert result["mistakes"]
    for one in result["mistakes"]:
        assert (one["picture"], one["recording"]) == (f"{one['post']}.png", f"{one['post']}.wav")
    assert f"{result['mistakes'][0]['post']}.wav)" in words.evaluation(result)


# --- export ---


def test_a_voice_is_not_exported_and_nothing_is_written(place, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("mmsa_utils.apps.export.missing_packages", list)
    assert main(["export", "--model", str(place), "--onnx", str(tmp_path / "new" / "reader.onnx")]) == 1
    said = capsys.readouterr().err
    assert "the model reads a voice, and an export knows texts and pictures alone" in said
    assert list(tmp_path.iterdir()) == []
