"""The dashboard with a model that reads voices: what it answers, to visitors and to programs, and what it refuses."""

import struct
import sys
from html import unescape
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmsa_utils import MultimodalSentimentModel, Reader, load_model
from mmsa_utils.apps import answers as replies
from mmsa_utils.apps import dashboard
from mmsa_utils.apps import page as pages
from mmsa_utils.posts.pictures import MAX_BYTES
from mmsa_utils.posts.sound import RATE, Sound, open_sound, wav_bytes
from mmsa_utils.reading.examples import examples, spoken_examples

gradio_client = pytest.importorskip("gradio_client")
httpx = pytest.importorskip("httpx")
pytest.importorskip("gradio")
FILE = {"_type": "gradio.FileData"}
TEXT = "What a glorious burger!"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A model of three sides, taught nothing, and files of an example's picture and voice beside it."""
    folder = tmp_path_factory.mktemp("voice")
    MultimodalSentimentModel(voice="whisper", absent=True, frozen=True).save_pretrained(folder / "model")
    examples()["sarcasm"].image.save(folder / "sarcasm.png")
    (folder / "flat.wav").write_bytes(wav_bytes(spoken_examples()["praise in a flat voice"].voice))
    (folder / "glad.wav").write_bytes(wav_bytes(spoken_examples()["without a picture"].voice))
    return folder


@pytest.fixture(scope="module")
def answers(folder):
    """What the page answers, without the page; its own model reads voices."""
    return replies.Answers(replies.choices_of(folder / "model"))


@pytest.fixture(scope="module")
def page(folder):
    page = pages.build(folder / "model")
    yield page
    page.close(verbose=False)


@pytest.fixture(scope="module")
def url(page) -> str:
    return dashboard.launch(page)


@pytest.fixture(scope="module")
def client(url):
    return gradio_client.Client(url, verbose=False, ssl_verify=False)


def at(folder: Path, name: str) -> str:
    return str(folder / name)


# --- answers ---


def test_all_that_is_there_is_read(answers, folder):
    photo, voice = at(folder, "sarcasm.png"), at(folder, "flat.wav")
    said = answers.answer(TEXT, photo, replies.OWN, voice)
    assert "text, picture and voice" in said
    assert "the voice alone" in said
    assert "That is the text and the picture: add a voice" in answers.answer(TEXT, photo, replies.OWN)
    assert "That is the text and the voice: add a picture" in answers.answer(TEXT, None, replies.OWN, voice)
    assert "That is the voice alone: add a text or a picture" in answers.answer(" ", None, replies.OWN, voice)
    assert "Write a text" in answers.answer("", None, replies.OWN, None)


def test_a_model_of_two_sides_hears_nothing(answers, folder):
    answers.choose(replies.SHIPPED)
    photo, voice = at(folder, "sarcasm.png"), at(folder, "flat.wav")
    assert (answers.hears(replies.OWN), answers.hears(replies.SHIPPED)) == (True, False)
    with_it, without = (answers.answer(TEXT, photo, replies.SHIPPED, *given) for given in ([voice], []))
    assert with_it == without
    assert "voice" not in with_it
    assert answers.whatif(TEXT, photo, replies.SHIPPED, "", None, None, voice) == replies.HINT_WHATIF


def test_what_if_it_were_said_otherwise(answers, folder):
    photo, flat, glad = (at(folder, name) for name in ("sarcasm.png", "flat.wav", "glad.wav"))
    said = answers.whatif(TEXT, photo, replies.OWN, "", None, flat, glad)
    assert "with the other voice" in said
    assert "with the other picture" not in said
    said = answers.whatif(TEXT, photo, replies.OWN, "good", photo, flat, glad)
    assert "with all three" in said
    assert said.count("The answer") == 4
    assert "text, picture or voice" in answers.whatif(TEXT, photo, replies.OWN, "", None, flat)
    assert "with the other picture" in answers.whatif(TEXT, None, replies.OWN, "", photo, flat)  # one it lacked before


def test_what_mattered_is_told_of_the_sides_that_are_there(answers, folder):
    photo, voice = at(folder, "sarcasm.png"), at(folder, "flat.wav")
    both = answers.mattered(TEXT, photo, replies.OWN, voice)
    assert "the text alone says" in both
    assert "the picture alone says" in both
    assert "the picture alone says" not in answers.mattered(TEXT, None, replies.OWN, voice)
    assert "the text alone says" not in answers.mattered("", photo, replies.OWN, voice)
    assert answers.mattered("", None, replies.OWN, voice) == replies.HINT_MATTERED


def test_what_mattered_explains_no_side_that_the_answer_left_out(tmp_path):
    """A picture unlike all that the model knows: the answer is the text's, and so are the reasons."""
    shipped = replies.Answers({replies.SHIPPED: lambda: (Reader(load_model(), references=4), "")})
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    post = TEXT, str(tmp_path / "noise.png"), replies.SHIPPED
    assert "was left out" in shipped.answer(*post)
    said = shipped.mattered(*post)
    assert "the text alone says positive" in said
    assert "The answer left the picture out, so nothing in it is explained." in said
    assert "<img" not in said


def test_the_shipped_voice_is_loaded_when_it_is_chosen(monkeypatch, folder):
    """And a full one is aligned with it."""
    asked = []

    def load(where=None, voice=False):
        asked.append(voice)
        return MultimodalSentimentModel.from_pretrained(folder / "model") if voice else load_model(where)

    monkeypatch.setattr(replies, "load_model", load)
    answers = replies.Answers(replies.choices_of(None))
    assert not answers.hears(replies.VOICED)
    answers.choose(replies.VOICED)
    assert answers.hears(replies.VOICED)
    assert asked == [False, True]
    assert "taught to do without" in answers.about(replies.VOICED)
    monkeypatch.setattr(replies, "quick_align", lambda *given, **voice: asked.append((given, voice)) or (load(), 0.5))
    (full,) = (name for name in answers.choices if "Whisper, full" in name)
    answers.choose(full)
    assert (("distilbert", "vit", "full", 1000), {"voice": "whisper"}) in asked


# --- what is refused ---


def bad_sounds() -> dict[str, tuple[bytes, str]]:
    good = wav_bytes(Sound(np.zeros(RATE, np.float32)))
    nan = np.full(RATE, np.nan, "<f4").tobytes()
    floats = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + len(nan), b"WAVE", b"fmt ", 16, 3, 1, RATE, 4 * RATE,
                         4, 32, b"data", len(nan)) + nan
    return {"empty.wav": (b"", "The voice is empty"), "silent.wav": (good[:44], "The voice has no samples"),
            "nan.wav": (floats, "NaN"), "text.wav": (b"this is no sound", "The voice"),
            "long.wav": (wav_bytes(Sound(np.zeros(61 * RATE, np.float32))), "The voice lasts 61.0 seconds"),
            "cut.wav": (good[:30], "The voice is a broken WAV file")}


@pytest.mark.parametrize("name", list(bad_sounds()))
def test_a_bad_voice_is_said_and_names_no_place(answers, client, tmp_path, name):
    content, said = bad_sounds()[name]
    (tmp_path / name).write_bytes(content)
    shown = unescape(answers.answer(TEXT, None, replies.OWN, str(tmp_path / name)))
    assert said in shown
    assert 'role="alert"' in shown
    assert str(tmp_path) not in shown
    with pytest.raises(gradio_client.exceptions.AppError) as info:
        client.predict(TEXT, None, gradio_client.handle_file(str(tmp_path / name)), api_name="/read")
    assert said in str(info.value)
    assert "/tmp" not in str(info.value)


def test_a_voice_that_is_gone_or_too_large_is_said(answers, tmp_path):
    assert "The voice is no longer here: add it again." in answers.answer(TEXT, None, replies.OWN, str(tmp_path / "no"))
    (tmp_path / "large.wav").write_bytes(bytes(MAX_BYTES + 1))
    assert f"more than {MAX_BYTES // 2**20} MB" in answers.answer(TEXT, None, replies.OWN, str(tmp_path / "large.wav"))


def test_without_its_reader_a_compressed_voice_is_told_what_to_do(answers, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "soundfile", None)
    (tmp_path / "a.mp3").write_bytes(b"ID3" + bytes(500))
    assert "WAV" in answers.answer(TEXT, None, replies.OWN, str(tmp_path / "a.mp3"))


# --- programs ---


def test_a_program_gives_any_of_three(client, answers, folder):
    reader = answers.loaded[replies.OWN][0]
    photo, voice = (gradio_client.handle_file(at(folder, name)) for name in ("sarcasm.png", "flat.wav"))
    sound = open_sound(folder / "flat.wav")
    for given, expected in (((TEXT, photo, voice), reader.read(TEXT, examples()["sarcasm"].image, sound)),
                            ((TEXT, None, voice), reader.read(TEXT, None, sound)),
                            ((None, None, voice), reader.read(None, None, sound)),
                            ((TEXT, photo), reader.read(TEXT, examples()["sarcasm"].image))):
        answer = client.predict(*given, api_name="/read")
        assert answer["probabilities"] == pytest.approx(expected.summary["probabilities"], abs=1e-4)
        assert answer.get("missing", []) == list(expected.missing)
    with pytest.raises(gradio_client.exceptions.AppError, match="neither text nor picture nor voice"):
        client.predict(None, None, None, api_name="/read")


@pytest.mark.parametrize(("data", "said"), [
    (["good"], "Expected a text, a picture and a voice, got 1 of the three"),
    (["good", None, "UklGRg=="], "The voice is a text (base64, or a path?)"),
    (["good", None, {"path": "data:audio/wav;base64,AAAA", "meta": FILE}], "The voice is a data address"),
    (["good", "photo.jpg", None], "The picture is a text"),
    (["good", None, {"path": "/etc/passwd", "meta": FILE}], "")])
def test_a_voice_that_is_no_upload_is_told_how_to_be_one(url, data, said):
    started = httpx.post(f"{url}gradio_api/call/read", json={"data": data})
    answer = httpx.get(f"{url}gradio_api/call/read/{started.json()['event_id']}").text
    assert answer.startswith("event: error"), answer
    assert said in answer
    assert "root:" not in answer


def test_a_page_of_two_sides_has_no_field_for_a_voice_in_sight(page):
    def shown(page) -> list[bool]:
        return [part["props"]["visible"] for part in page.get_config_file()["components"]
                if part["props"].get("elem_id") in ("voice", "spoken")]

    assert shown(page) == [True, True]
    two = pages.build()
    assert shown(two) == [False, False]
    two.close(verbose=False)
