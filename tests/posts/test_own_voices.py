"""A table's recordings are read as its pictures are, and an empty cell is a side that the post lacks: never a black
picture, never an empty text.
"""

import io
import json
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmsa_utils import Post, load_posts
from mmsa_utils.posts import sources
from mmsa_utils.posts.identity import digests_of, identity, seen
from mmsa_utils.posts.own import FaultyRows
from mmsa_utils.posts.parts import three_parts
from mmsa_utils.posts.sound import RATE, Sound, wav_bytes
from mmsa_utils.posts.spoken import SpokenPosts

HEADER = "text,image,audio,label\n"
ROWS = "Good,a.png,a.wav,positive\nBad,b.png,sub/b.wav,negative\n"


def tone(pitch: float, seconds: float = 0.2, rate: int = RATE) -> Sound:
    return Sound((0.3 * np.sin(2 * np.pi * pitch * np.arange(round(seconds * rate)) / rate)).astype(np.float32), rate)


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "sub").mkdir()
    Image.new("RGB", (8, 6), "red").save(tmp_path / "a.png")
    Image.new("RGB", (6, 8), "blue").save(tmp_path / "b.png")
    (tmp_path / "a.wav").write_bytes(wav_bytes(tone(200)))
    (tmp_path / "sub" / "b.wav").write_bytes(wav_bytes(tone(300, 0.4, 8000)))
    (tmp_path / "posts.csv").write_text(HEADER + ROWS)
    return tmp_path


def heard(posts) -> list[float | None]:
    return [post.voice and post.voice.seconds for post in (posts[i] for i in range(len(posts)))]


# --- voices ---


def test_voices_are_read_when_a_post_is_asked_for_and_checked_before(folder, monkeypatch):
    opened, open_sound = [], sources.open_sound
    monkeypatch.setattr(sources, "open_sound", lambda source: opened.append(Path(source).name) or open_sound(source))
    (folder / "posts.csv").write_text(HEADER + ROWS + "So,a.png,a.wav,neutral\n")
    posts = load_posts(folder)
    assert opened == ["a.wav", "b.wav"]  # each once
    assert posts.sides == ("text", "image", "voice")
    assert heard(posts) == pytest.approx([0.2, 0.4, 0.2])
    assert posts[1].voice.rate == RATE
    assert heard(posts[1:2]) == pytest.approx([0.4])
    load_posts(folder, check_pictures=False)
    assert len(opened) == 7


def test_a_column_of_another_name_is_named_or_proposed(folder):
    (folder / "posts.csv").write_text(HEADER.replace("audio", "my recording") + ROWS)
    assert load_posts(folder).sides == ("text", "image")
    assert heard(load_posts(folder, voice_column="my recording")) == pytest.approx([0.2, 0.4])
    with pytest.raises(ValueError, match=r'lacks the column audio: .*Is it --audio-column "my recording"\? \(In Python:'
                                         r" voice_column='my recording'"):
        load_posts(folder, sides=("text", "image", "voice"))
    with pytest.raises(ValueError, match=r"two things at once \(text: text, image: image, audio: text"):
        load_posts(folder, voice_column="text")


def test_what_a_model_does_not_read_is_not_looked_at(folder):
    (folder / "posts.csv").write_text("text,audio,label\nGood,gone.wav,2\nBad,,0\n")
    posts = load_posts(folder, sides=("text",))
    assert [(post.text, post.image, post.voice) for post in posts[:]] == [("Good", None, None), ("Bad", None, None)]
    assert posts.missing == {}
    with pytest.raises(ValueError, match="lacks the column image"):
        load_posts(folder, sides=("text", "image"))
    with pytest.raises(FaultyRows, match="row 2: there is no recording file"):
        load_posts(folder, sides=("text", "voice"))


@pytest.mark.parametrize(("cell", "message"), [
    ("gone.wav", r"there is no recording file .*gone\.wav: check the path"), ("A.wav", "but there is a.wav"),
    ("a", "but there is a.wav"), ("../a.wav", "the recording .* outside of the table.*--anywhere"),
    ("https://a.org/a.wav", "download the recording"), ("sub", "it is a folder: name a recording in it"),
    ("a.wav;sub/b.wav", "names 2 recordings: a post has one"), ("empty.wav", "empty.wav"), ("page.wav", "page.wav"),
    ("UklGR" + "a" * 90, "the recording is written as text"), ("long.wav", "long.wav lasts"),
])
def test_a_faulty_recording_is_named(folder, cell, message):
    (folder / "empty.wav").write_bytes(b"")
    (folder / "page.wav").write_text("<!DOCTYPE html><html>404</html>")
    (folder / "long.wav").write_bytes(wav_bytes(tone(200, 61, 8000)))
    (folder / "posts.csv").write_text(HEADER + ROWS + f"So,a.png,{cell},neutral\n")
    with pytest.raises(FaultyRows, match=rf"1 faulty row:\nrow 4: .*{message}"):
        load_posts(folder)
    assert len(load_posts(folder, skip_faulty=True)) == 2


def test_voices_in_a_zip(folder):
    with zipfile.ZipFile(folder / "posts.zip", "w") as file:
        for name in ("posts.csv", "a.png", "b.png", "a.wav", "sub/b.wav"):
            file.write(folder / name, f"inside/{name}")
    posts = pickle.loads(pickle.dumps(load_posts(folder / "posts.zip")))
    assert heard(posts) == pytest.approx([0.2, 0.4])
    (folder / "a.wav").write_bytes(b"none")
    (folder / "posts.csv").write_text(HEADER + "Good,a.png,b.wav,2\nGood,a.png,a.wav,2\n")
    with zipfile.ZipFile(folder / "posts.zip", "w") as file:
        for name in ("posts.csv", "a.png", "a.wav"):
            file.write(folder / name, name)
    with pytest.raises(FaultyRows, match=r"row 2: there is no recording file b.wav in the zip(?s:.*)row 3: .*a.wav"):
        load_posts(folder / "posts.zip")


class Decoder:
    """As much as is asked of what `datasets` decodes a recording into."""

    def __getitem__(self, key):
        return {"array": np.stack([tone(200).samples] * 2), "sampling_rate": RATE}[key]


def test_voices_of_a_frame(folder, monkeypatch):
    pandas = pytest.importorskip("pandas")
    monkeypatch.chdir(folder)
    data = (folder / "a.wav").read_bytes()
    for cell in ("a.wav", Path("a.wav"), data, tone(200), {"bytes": data, "path": None}, Decoder(),
                 {"array": tone(200).samples, "sampling_rate": RATE, "path": "x"}):
        frame = pandas.DataFrame({"text": ["Good", "Bad"], "image": ["a.png"] * 2, "audio": [cell, None],
                                  "label": ["pos", "neg"]})
        posts = load_posts(frame)
        assert heard(posts) == [pytest.approx(0.2), None]
        assert np.abs(posts[0].voice.samples - tone(200).samples).max() < 1e-3
    for cell, message in ((np.zeros(4), "of the kind ndarray: expected a string .* a Sound"),
                          (Sound(np.zeros(0, np.float32)), "no samples"), (b"none", "row 0: ")):
        with pytest.raises(FaultyRows, match=message):
            load_posts(pandas.DataFrame({"text": ["Good"], "image": ["a.png"], "audio": [cell], "label": ["pos"]}))


class FakeDataset:
    """As much of `datasets.Dataset` as is asked for; its second row lacks picture and voice."""

    class Decoded:
        decode = True

    column_names = ("text", "image", "audio", "label")
    features = {"image": Decoded(), "audio": Decoded()}
    rows = ({"text": "Good", "image": Image.new("RGB", (3, 2)), "audio": Decoder(), "label": "positive"},
            {"text": "Bad", "image": None, "audio": {"bytes": None, "path": None}, "label": "negative"})

    def __len__(self):
        return 2

    def __getitem__(self, key):
        return [row[key] for row in self.rows] if isinstance(key, str) else self.rows[key]


@pytest.mark.parametrize("check", [True, False])
def test_a_dataset_may_lack_a_picture_or_a_voice_here_and_there(check):
    posts = load_posts(FakeDataset(), check_pictures=check)
    assert heard(posts) == [pytest.approx(0.2), None]
    assert posts[1].image is None
    assert posts.missing == ({"image": 1, "voice": 1} if check else {})


# --- sides that are missing ---


@pytest.mark.parametrize("nothing", ["", "  ", "NaN", "None", "null", "N/A"])
def test_an_empty_cell_is_a_side_that_is_missing(folder, nothing):
    (folder / "posts.csv").write_text(HEADER + f"{nothing},a.png,a.wav,2\nGood,{nothing},a.wav,2\n"
                                               f"Good,a.png,{nothing},0\n{nothing},{nothing},a.wav,1\n")
    posts = load_posts(folder)
    assert [[side is not None for side in (post.text, post.image, post.voice)] for post in posts[:]] == [
        [False, True, True], [True, False, True], [True, True, False], [False, False, True]]
    assert posts.missing == {"text": 2, "image": 2, "voice": 1}
    assert posts.part([0]).missing == {"text": 1}
    with pytest.raises(FaultyRows) as caught:
        load_posts(folder, complete=True)
    assert (len(caught.value.faults), caught.value.incomplete) == (4, 4)
    assert "no picture is named" in caught.value.faults[1]
    assert "no recording is named" in caught.value.faults[2]


def test_null_and_a_missing_key_in_json(folder):
    rows = [{"text": None, "image": "a.png", "label": 2}, {"text": "Good", "label": 0},
            {"text": float("nan"), "image": None, "audio": "a.wav", "label": 1}]
    (folder / "lines.jsonl").write_text("\n".join(map(json.dumps, rows)))
    posts = load_posts(folder / "lines.jsonl")
    assert posts.missing == {"text": 2, "image": 2, "voice": 2}
    assert heard(posts) == [None, None, pytest.approx(0.2)]


def test_a_row_without_any_side_is_faulty(folder):
    (folder / "posts.csv").write_text(HEADER + "Good,,,2\n,NaN,null,0\n,,a.wav,x\n")
    with pytest.raises(FaultyRows, match=r"2 faulty rows:\nrow 3: there is neither text nor picture nor voice: "
                                         "expected at least one of them.\nrow 4: label is 'x'"):
        load_posts(folder)
    with pytest.raises(FaultyRows, match=r"row 3: there is neither text nor picture: (?s:.*)row 4: there is neither"):
        load_posts(folder, sides=("text", "image"))  # to such a model a voice alone is nothing
    with pytest.raises(FaultyRows, match=r"row 2: no recording is named: expected the path of one"):
        load_posts(folder, sides=("voice",))


# --- who is alike ---


def table(folder: Path, rows) -> Path:
    for i in range(40):
        (folder / f"{i}.wav").write_bytes(wav_bytes(tone(100 + 7 * i, 0.05)))
        Image.new("RGB", (9, 7), (6 * i, 255 - 6 * i, i)).save(folder / f"{i}.png")
    (folder / "posts.csv").write_text(HEADER + "".join(",".join(map(str, row)) + "\n" for row in rows))
    return folder


def test_posts_are_not_alike_because_both_lack_a_side(folder):
    posts = load_posts(table(folder, [("" if i % 2 else f"text {i}", f"{i}.png" if i % 2 else "", "", i % 3)
                                      for i in range(40)]))
    parts = three_parts(posts)
    assert parts.alike == {"texts": 0, "pictures": 0}
    assert [len(part) for part in parts[:3]] == [28, 6, 6]
    assert seen(parts.test, digests_of(parts.train)) == {"text and picture": 0, "text": 0, "picture": 0}


def test_posts_of_one_recording_stay_together(folder):
    posts = load_posts(table(folder, [(f"text {i}", f"{i}.png", f"{i % 20}.wav", i % 3) for i in range(40)]))
    parts = three_parts(posts)
    assert parts.alike == {"texts": 0, "pictures": 0, "voices": 40}
    assert "0 a picture, 40 a voice" in parts.remarks[0]
    names = [{row.voice.name for row in part.rows} for part in parts[:3]]
    assert not names[0] & names[1] | names[0] & names[2] | names[1] & names[2]
    found = seen(posts, digests_of(parts.train))
    assert (found["voice"], found["text"]) == (len(parts.train), len(parts.train))
    opened = [posts[i] for i in range(len(posts))]
    for one, other in zip(digests_of(opened), digests_of(posts)):
        assert (one == other).all()
    heap = load_posts(table(folder, [(f"text {i}", f"{i}.png", "0.wav", i % 3) for i in range(40)]))
    with pytest.raises(ValueError, match=r"share a text, a picture or a voice .*the voice 0\.wav stands in 40"):
        three_parts(heap)


def test_posts_are_told_apart_by_their_voices_and_by_what_is_missing(folder):
    first = identity(load_posts(folder))
    (folder / "a.wav").write_bytes(wav_bytes(tone(201)))
    changed = identity(load_posts(folder))
    (folder / "posts.csv").write_text(HEADER + ROWS.replace("a.wav", ""))
    assert len({first, changed, identity(load_posts(folder))}) == 3
    image = Image.new("RGB", (2, 2))
    kinds = [Post("Good", image, 0), Post("Good", None, 0), Post(None, image, 0),
             *(Post("Good", image, 0, voice=tone(pitch)) for pitch in (98, 99))]
    assert len({identity([kind]) for kind in kinds}) == 5
    assert identity(SpokenPosts(9)) == identity(SpokenPosts(9)) != identity(SpokenPosts(9, seed=1))


def test_a_table_without_voices_is_what_it_was(folder):
    (folder / "posts.csv").write_text("text,image,label\nGood,a.png,2\nBad,b.png,0\n")
    posts = load_posts(folder)
    assert (posts.sides, posts.missing, heard(posts)) == (("text", "image"), {}, [None, None])
    assert len(digests_of(posts).voices) == 0
    rows = [("Good", 2, folder / "a.png"), ("Bad", 0, folder / "b.png")]
    import hashlib

    known = hashlib.sha256()
    for text, label, path in rows:
        known.update(repr((text, label, hashlib.sha256(path.read_bytes()).hexdigest())).encode())
    known.update(repr(posts.classes).encode())
    assert identity(posts) == known.hexdigest()[:32]  # unfinished runs of earlier versions go on


def test_an_image_saved_in_memory_is_a_side(folder):
    pandas = pytest.importorskip("pandas")
    file = io.BytesIO()
    Image.new("RGB", (5, 4)).save(file, "png")
    frame = pandas.DataFrame({"text": ["Good", pandas.NA], "image": [None, file.getvalue()], "label": [2.0, 0.0]})
    posts = load_posts(frame)
    assert posts.missing == {"text": 1, "image": 1}
    assert posts[1].image.size == (5, 4)
