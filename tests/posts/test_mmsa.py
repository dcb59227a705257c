"""Files of recordings, in each layout and with each trap: read as they are, and what is off is named and counted."""

import json
import pickle

import numpy as np
import pytest
from real_files import SHAPES, recordings, write_mmsa
from safetensors.numpy import load_file

from mmsa_utils.posts.real.converted import convert
from mmsa_utils.posts.real.mmsa import read_mmsa, repeats
from mmsa_utils.posts.real.pickles import UnsafePickle

KEYS = {"text": "text", "image": "vision", "voice": "audio"}
THERE = {"train": "train", "valid": "validation", "dev": "validation", "test": "test"}


def true_frames(values: np.ndarray) -> np.ndarray:
    """(n, t): from the first to the last frame that is not all 0, one by one."""
    mask = np.zeros(values.shape[:2], bool)
    for row, post in zip(mask, values):
        real = [place for place, frame in enumerate(post) if np.any(frame != 0)]
        if real:
            row[real[0]:real[-1] + 1] = True
    return mask


@pytest.mark.parametrize("layout", [name for name in SHAPES if name != "mag"])
@pytest.mark.parametrize("form", ["pickle", "folder"])
def test_every_layout_is_read_as_it_is(tmp_path, layout, form):
    path = tmp_path / "file.pkl"
    made = write_mmsa(path, layout, protocol=5 if layout == "fet" else 2, numpy1=layout != "fet")
    if form == "folder":
        convert(path, tmp_path / "folder")
        path = tmp_path / "folder"
    found = read_mmsa(path)
    assert list(found) == ["train", "validation", "test"]
    for name, there in THERE.items():
        if name not in made:
            continue
        split, part = found[there], made[name]
        assert list(split.sides) == ["text", "image", "voice"]
        for side, key in KEYS.items():
            frames = split.sides[side]
            np.testing.assert_array_equal(frames.tokens.astype("f4"), part[key].astype("f4"))
            np.testing.assert_array_equal(frames.mask, true_frames(part[key]))
            taken = frames.rows(np.arange(len(split)) != 1)
            assert taken.dtype == np.float32
            np.testing.assert_array_equal(taken, np.delete(part[key], 1, 0).astype("f4"))
        labels = part["labels" if layout == "cmu" else "regression_labels"]
        np.testing.assert_array_equal(split.labels, np.ravel(labels))
        assert not split.faults
        if layout == "cmu":
            assert split.ids[0] == f"{name}0_11.2_15.9"
            assert split.texts == ()
        else:
            assert split.ids == tuple(part["id"])
            assert split.texts == tuple(part["raw_text"])
            assert split.annotations == tuple(part.get("annotations", ()))
        assert list(split.side_labels) == (["text", "image", "voice"] if layout.startswith("sims") else [])
        for side, letter in zip(split.side_labels, "TVA"):
            np.testing.assert_array_equal(split.side_labels[side], part[f"regression_labels_{letter}"])


@pytest.mark.parametrize("form", ["pickle", "folder"])
def test_the_lists_of_mag_bert_are_padded(tmp_path, form):
    path = tmp_path / "mosi.pkl"
    made = write_mmsa(path, "mag")
    if form == "folder":
        convert(path, tmp_path / "folder")
        path = tmp_path / "folder"
    for name, split in read_mmsa(path).items():
        part = made["dev" if name == "validation" else name]
        assert list(split.sides) == ["image", "voice"]  # there are no vectors of the words
        for place, ((words, visual, acoustic), label, segment) in enumerate(part):
            for side, values in (("image", visual), ("voice", acoustic)):
                assert split.sides[side].mask[place].sum() == len(words)
                np.testing.assert_array_equal(split.sides[side].tokens[place][split.sides[side].mask[place]],
                                              values.astype("f4"))
            assert split.texts[place] == " ".join(words)
            assert split.ids[place] == segment
            assert split.labels[place] == label[0, 0]


def faulty(tmp_path, change, layout="mosi-unaligned"):
    """The train split of a file that was changed."""
    path = tmp_path / "file.pkl"
    made = write_mmsa(path, layout, change=lambda made: change(made["train"]))
    return read_mmsa(path)["train"], made["train"]


@pytest.mark.parametrize(("value", "kind"), [
    (np.inf, "infinity"), (-np.inf, "infinity"), (np.nan, "NaN"), (1e300, "infinity")])
def test_a_frame_with_what_is_no_number_is_masked_and_zero(tmp_path, value, kind):
    def change(part):
        part["audio"] = part["audio"].astype("f8")
        part["audio"][3, 0, 2] = part["audio"][5, :2, 0] = value
        part["audio_lengths"][3] = part["audio_lengths"][5] = 6

    split, part = faulty(tmp_path, change)
    voice = split.sides["voice"]
    assert split.faults[f"{kind} in voice"] == (3, 5)
    np.testing.assert_array_equal(np.argwhere(voice.bad), [[3, 0], [5, 0], [5, 1]])
    assert voice.mask[3, :6].tolist() == [False, True, True, True, True, True]
    assert voice.mask[5, :6].tolist() == [False, False, True, True, True, True]
    taken = voice.rows(np.ones(8, bool))
    assert np.isfinite(taken).all()
    assert (taken[voice.bad] == 0).all()
    np.testing.assert_array_equal(taken[~voice.bad], part["audio"][~voice.bad].astype("f4"))


def test_large_numbers_are_numbers(tmp_path):
    """Their squares are infinite, they are not."""
    def change(part):
        part["audio"][0, 0] = 1e30

    split, _ = faulty(tmp_path, change)
    assert not split.faults
    assert split.sides["voice"].mask[0, 0]


@pytest.mark.parametrize("length", [0, -2, 376, 10**9, 2.5, None, np.nan])
def test_a_wrong_length_is_counted_and_not_believed(tmp_path, length):
    def change(part):
        part["audio_lengths"][4] = length
        part["audio"][4, 17:] = 0
        part["audio"][4, :17] = 1

    split, _ = faulty(tmp_path, change)
    assert split.faults["wrong length of voice"] == (4,)
    assert split.sides["voice"].mask[4].sum() == 17


def test_padding_in_front_and_numbers_beyond_a_length(tmp_path):
    def change(part):
        part["vision_lengths"][:3] = [7, 7, 9]
        part["vision"][:3] = 0
        part["vision"][0, -7:] = 1
        part["vision"][1, :11] = 1
        part["vision"][2, :8] = 1  # a last frame in which no face was found

    split, _ = faulty(tmp_path, change)
    mask = split.sides["image"].mask
    assert split.faults == {"padding in front of image": (0,), "numbers beyond the length of image": (1,)}
    assert np.flatnonzero(mask[0]).tolist() == list(range(493, 500))
    assert np.flatnonzero(mask[1]).tolist() == list(range(7))
    assert np.flatnonzero(mask[2]).tolist() == list(range(9))


def test_a_side_without_a_number_is_missing(tmp_path):
    def change(part):
        part["vision"][2] = 0

    split, _ = faulty(tmp_path, change, "mosi-aligned")
    assert split.faults == {"nothing in image": (2,)}
    assert not split.sides["image"].mask[2].any()
    assert split.sides["text"].mask[2].any()


def test_aligned_frames_are_those_of_the_tokenizer(tmp_path):
    def change(part):
        part["audio"][1, :2] = 0  # silence at the start is no padding

    split, part = faulty(tmp_path, change, "mosi-aligned")
    np.testing.assert_array_equal(split.sides["voice"].mask[1], part["text_bert"][1, 1].astype(bool))

    def spoil(part):
        part["text_bert"][0, 1, 0] = 7

    split, part = faulty(tmp_path, spoil, "mosi-aligned")
    assert split.faults == {"attention mask other than 0 and 1": (0,)}
    np.testing.assert_array_equal(split.sides["text"].mask, true_frames(part["text"]))


def test_labels_that_are_none_or_out_of_range(tmp_path):
    def change(part):
        part["regression_labels"][:4] = [5, np.nan, -3, 3.2]

    split, _ = faulty(tmp_path, change)
    assert split.faults == {"no label": (1,), "label outside -3 to 3": (0, 3)}
    split, _ = faulty(tmp_path, lambda part: part["regression_labels"].__setitem__(0, -1.2), "sims")
    assert split.faults == {"label outside -1 to 1": (0,)}


def test_lists_bytes_and_texts_however_they_are_held(tmp_path):
    def change(part):
        part["regression_labels"] = part["regression_labels"].tolist()
        part["vision"] = [post[:length] for post, length in zip(part["vision"], part.pop("vision_lengths"))]
        part["audio"] = part["audio"].tolist()
        part["id"] = np.array([one.encode() for one in part["id"]], object)
        part["raw_text"] = np.array([*part["raw_text"][:-2], float("nan"), "  "], object)

    split, part = faulty(tmp_path, change)
    whole = recordings("mosi-unaligned")["train"]
    assert split.ids == tuple(whole["id"])
    assert split.texts == (*whole["raw_text"][:-2], "", "  ")
    assert split.faults == {"no words": (6, 7)}
    longest = max(map(len, part["vision"]))
    np.testing.assert_array_equal(split.sides["image"].tokens, whole["vision"][:, :longest])
    np.testing.assert_array_equal(split.sides["image"].mask.sum(1), whole["vision_lengths"])
    np.testing.assert_array_equal(split.sides["voice"].tokens, whole["audio"])


@pytest.mark.parametrize(("change", "words"), [
    (lambda part: part.update(audio=part["audio"][:-1]), "7 in audio"),
    (lambda part: part["raw_text"].pop(), "7 in raw_text"),
    (lambda part: part["vision_lengths"].append(3), "9 in vision_lengths"),
    (lambda part: part.update(regression_labels=np.zeros((8, 7))), r"\(8, 7\)"),
    (lambda part: part.update(regression_labels="none"), "one number"),
    (lambda part: part.update(audio=part["audio"].astype("S3")), "audio has the shape"),
    (lambda part: part.update(audio=[[["a"]]] * 8), "audio of post 0"),
    (lambda part: part.update(text_bert=part["text_bert"][:, :2]), "text_bert has the shape"),
    (lambda part: part.pop("regression_labels"), "regression_labels"),
    (lambda part: [part.pop(key) for key in ("text", "audio", "vision")], "some of text, audio and vision"),
])
def test_what_does_not_fit_together_is_refused_by_name(tmp_path, change, words):
    with pytest.raises(ValueError, match=f"file.pkl, train: .*{words}"):
        faulty(tmp_path, change)


def test_other_pickles_are_refused_by_name(tmp_path):
    path = tmp_path / "file.pkl"
    for value, words in (({"a": 1}, "the keys 'a'"), ([1], "a list of 1"), ({"train": [1]}, "post 0 is 1"),
                         ({"train": []}, "expected a dict")):
        path.write_bytes(pickle.dumps(value))
        with pytest.raises(ValueError, match=f"file.pkl.*{words}"):
            read_mmsa(path)
    with pytest.raises(FileNotFoundError):
        read_mmsa(tmp_path / "none.pkl")
    with pytest.raises(FileNotFoundError, match="convert FILE.pkl"):
        read_mmsa(tmp_path)


def test_repeated_ids_are_counted_and_kept_once(tmp_path):
    def change(made):
        made["train"]["id"][:3] = ["test0$_$0", "valid0$_$1", "train0$_$3"]
        made["valid"]["id"][0] = "test0$_$1"

    write_mmsa(tmp_path / "file.pkl", change=change)
    counts, keep = repeats(read_mmsa(tmp_path / "file.pkl"))
    assert counts == {"within train": 1, "train and validation": 1, "train and test": 1, "validation and test": 1}
    assert {name: np.flatnonzero(~rows).tolist() for name, rows in keep.items()} == {
        "train": [0, 1, 3], "validation": [0], "test": []}


# --- converted ---


def test_a_converted_folder_is_read_by_the_library_too(tmp_path):
    made = write_mmsa(tmp_path / "file.pkl", "sims")
    manifest = convert(tmp_path / "file.pkl", tmp_path / "deep" / "folder")
    folder = tmp_path / "deep" / "folder"
    arrays = load_file(folder / "validation.safetensors")
    for key in ("text", "audio", "vision", "text_bert", "regression_labels_T"):
        np.testing.assert_array_equal(arrays[key], made["valid"][key])
    lists = json.loads((folder / "validation.json").read_text())
    assert lists["raw_text"] == made["valid"]["raw_text"]
    assert json.loads((folder / "manifest.json").read_text()) == manifest
    assert manifest["splits"]["train"]["arrays"]["audio"] == {"shape": [8, 400, 33], "dtype": "float32"}
    assert manifest["source"]["bytes"] == (tmp_path / "file.pkl").stat().st_size
    assert manifest["faults"] == {}
    assert sorted(path.name for path in tmp_path.rglob(".converting*")) == []


def test_numbers_of_any_kind_and_order_are_converted_as_they_are(tmp_path):
    def change(part):
        part["audio"] = np.asfortranarray(part["audio"].astype(">f8"))
        part["vision"] = part["vision"].astype("f2")
        part["regression_labels"] = np.zeros(8, "i4")

    _, part = faulty(tmp_path, change)
    convert(tmp_path / "file.pkl", tmp_path / "folder")
    arrays = load_file(tmp_path / "folder" / "train.safetensors")
    for key in ("audio", "vision", "regression_labels"):
        kind = "f4" if key == "audio" else part[key].dtype.newbyteorder("=")  # sides: in single precision at most
        assert arrays[key].dtype == kind
        np.testing.assert_array_equal(arrays[key], part[key].astype(kind))
    np.testing.assert_array_equal(read_mmsa(tmp_path / "folder")["train"].sides["voice"].rows(np.ones(8, bool)),
                                  part["audio"].astype("f4"))


def test_faults_stay_in_a_folder_and_in_its_manifest(tmp_path):
    def change(part):
        part["audio"][0, 0, 0] = -np.inf

    faulty(tmp_path, change)
    manifest = convert(tmp_path / "file.pkl", tmp_path / "folder")
    assert manifest["faults"] == {"infinity in voice": 1}
    split = read_mmsa(tmp_path / "folder")["train"]
    assert split.faults == {"infinity in voice": (0,)}
    before = (tmp_path / "folder" / "train.safetensors").read_bytes()
    taken = split.sides["voice"].rows(np.ones(8, bool))
    assert isinstance(taken, np.memmap)  # nothing was copied
    assert (taken[0, 0] == 0).all()
    assert (tmp_path / "folder" / "train.safetensors").read_bytes() == before


def test_a_folder_is_there_as_a_whole_or_not_at_all(tmp_path, monkeypatch):
    write_mmsa(tmp_path / "file.pkl")
    monkeypatch.setattr("mmsa_utils.posts.real.stored.json.dumps", lambda *args, **kwargs: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        convert(tmp_path / "file.pkl", tmp_path / "folder")
    monkeypatch.undo()
    assert [path.name for path in tmp_path.iterdir()] == ["file.pkl"]
    (tmp_path / "folder").mkdir()
    convert(tmp_path / "file.pkl", tmp_path / "folder")
    with pytest.raises(FileExistsError, match="converted before"):
        convert(tmp_path / "file.pkl", tmp_path / "folder")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").touch()
    with pytest.raises(FileExistsError, match="something else"):
        convert(tmp_path / "file.pkl", tmp_path / "other")
    with pytest.raises(FileNotFoundError, match="no file"):
        convert(tmp_path / "none.pkl", tmp_path / "new")
    (tmp_path / "bad.pkl").write_bytes(b"cos\nsystem\n.")
    with pytest.raises(UnsafePickle, match="os.system"):
        convert(tmp_path / "bad.pkl", tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("harm", ["short", "header", "kind", "offsets", "json", "manifest", "missing"])
def test_a_damaged_folder_is_refused_by_name(tmp_path, harm):
    write_mmsa(tmp_path / "file.pkl", "mag")
    folder = tmp_path / "folder"
    convert(tmp_path / "file.pkl", folder)
    path, data = folder / "train.safetensors", (folder / "train.safetensors").read_bytes()
    if harm == "json":
        (folder / "train.json").write_text("{")
    elif harm == "manifest":
        (folder / "manifest.json").write_text('{"format": "other"}')
    elif harm == "missing":
        path.unlink()
    else:
        path.write_bytes({"short": data[:-1], "header": b"\xff" * 8 + data[8:],
                          "kind": data.replace(b'"F32"', b'"F99"', 1),
                          "offsets": data.replace(b'"data_offsets": [0', b'"data_offsets": [9', 1)}[harm])
    with pytest.raises((ValueError, OSError), match="train|manifest"):
        read_mmsa(folder)
