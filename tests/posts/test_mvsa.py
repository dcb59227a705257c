"""MVSA is read with all its traps, and its rules of merging give the published counts."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmsa_utils.posts.own import FaultyRows
from mmsa_utils.posts.post import LABELS
from mmsa_utils.posts.real.decoding import as_cp1252, decoded, mended
from mmsa_utils.posts.real.mvsa import MERGING, load_mvsa, merge_labels, read_mvsa_labels

# (text, picture) → rows, such that they add up to what is published of MVSA-Single.
SINGLE = {("negative", "negative"): 724, ("neutral", "neutral"): 470, ("positive", "positive"): 1398,
          ("negative", "positive"): 158, ("positive", "negative"): 200, ("negative", "neutral"): 300,
          ("neutral", "negative"): 334, ("positive", "neutral"): 700, ("neutral", "positive"): 585}


def single_rows() -> list[str]:
    pairs = [pair for pair, count in SINGLE.items() for _ in range(count)]
    return [f"{number + 1}\t{','.join(pairs[at])}" for number, at in enumerate(
        np.random.default_rng(0).permutation(len(pairs)))]


def table(folder: Path, rows: list[str], header: str = "ID\ttext,image", end: str = "\n", last: str = "\n") -> Path:
    path = folder / "labelResultAll.txt"
    path.write_bytes((end.join([header, *rows] if header else rows) + last).encode())
    return path


def posts(folder: Path, labels: dict[str, str], texts: dict[str, bytes] | None = None, header: str = "ID\ttext,image"):
    table(folder, [f"{name}\t{label}" for name, label in labels.items()], header)
    (folder / "data").mkdir()
    for number, name in enumerate(labels):
        (folder / "data" / f"{name}.txt").write_bytes((texts or {}).get(name, f"text {name}\n".encode()))
        Image.new("RGB", (8, 6), (20 * number % 256, 90, 200)).save(folder / "data" / f"{name}.jpg")
    return folder


# --- the table of labels ---


def test_counts_of_single_are_the_published_ones(tmp_path):
    labels = read_mvsa_labels(table(tmp_path, single_rows()))
    assert labels.annotations.shape == (4869, 1, 2)
    usual = merge_labels(labels.annotations)
    assert np.bincount(usual.labels[usual.labels >= 0]).tolist() == [1358, 470, 2683]
    assert usual.left_out == {"opposed": 358}
    strict = merge_labels(labels.annotations, "strict")
    assert (strict.labels >= 0).sum() == 2592
    assert strict.left_out == {"disagreeing": 2277}
    assert np.bincount(merge_labels(labels.annotations, "text").labels).tolist() == [1182, 1389, 2298]
    assert np.bincount(merge_labels(labels.annotations, "picture").labels).tolist() == [1258, 1470, 2141]


def test_loader_of_single_gives_them_too(tmp_path):
    table(tmp_path, single_rows())
    (tmp_path / "data").mkdir()
    for number in range(1, 4870):
        (tmp_path / "data" / f"{number}.txt").write_bytes(b"hello")
        (tmp_path / "data" / f"{number}.jpg").touch()
    loaded = load_mvsa(tmp_path, check_pictures=False)
    assert len(loaded) == 4511
    assert loaded.counts() == {"negative": 1358, "neutral": 470, "positive": 2683}
    assert loaded.left_out == {"opposed": 358}
    assert loaded.faults == []


@pytest.mark.parametrize(
    ("votes", "usual", "strict"),
    [
        ("pp pp nn", 2, 2),  # two of three on both sides
        ("pp pu un", -1, -1),  # text p p u, picture p u n: the picture's side has no majority
        ("pu pu nn", 2, -1),  # positive, and neutral yields
        ("un un pp", 0, -1),  # neutral yields to negative
        ("pn pn uu", -1, -1),  # positive text, negative picture
        ("uu uu uu", 1, 1),
        ("pu uu nu", -1, -1),  # text p u n
        ("nn nn nn", 0, 0),
    ],
)
def test_two_of_three_decide_a_side_then_the_sides_meet(votes, usual, strict):
    rows = np.array([[["nup".index(sign) for sign in vote] for vote in votes.split()]])
    assert merge_labels(rows).labels.tolist() == [usual]
    assert merge_labels(rows, "strict").labels.tolist() == [strict]


def test_reasons_of_multiple_are_counted_apart():
    rows = np.array([[["nup".index(sign) for sign in vote] for vote in votes.split()]
                     for votes in ("pn pn uu", "pu uu nu", "pp pu un", "pp pp pp")])
    assert merge_labels(rows).left_out == {"opposed": 1, "no majority": 2}
    assert merge_labels(rows, "text").labels.tolist() == [2, -1, 2, 2]
    assert merge_labels(rows, "picture").labels.tolist() == [0, 1, -1, 2]
    assert merge_labels(rows, "picture").left_out == {"no majority": 1}


def test_rules_and_shapes_that_are_none_are_named():
    assert set(MERGING) == {"usual", "strict", "text", "picture"}
    with pytest.raises(ValueError, match="rule is 'best'.*usual, strict"):
        merge_labels(np.zeros((1, 1, 2), int), "best")
    with pytest.raises(ValueError, match=r"shape \(3, 2\)"):
        merge_labels(np.zeros((3, 2), int))


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("last", ["", "\n"])
@pytest.mark.parametrize("header", ["ID\ttext,image\ttext,image\ttext,image", "\ufeffID\ttext,image",
                                    "id\tText,Image ", ""])
def test_line_ends_case_spaces_and_marks_make_no_difference(tmp_path, end, last, header):
    rows = ["7\tpositive,neutral\tPositive, neutral \tnegative,negative  ", "10\tneutral,neutral\tNEUTRAL,neutral\t"
            "positive ,positive"]
    found = read_mvsa_labels(table(tmp_path, rows, header, end, last))
    assert found.ids == ["7", "10"]
    assert found.annotations.tolist() == [[[2, 1], [2, 1], [0, 0]], [[1, 1], [1, 1], [2, 2]]]
    assert found.faults == []


def test_faulty_rows_are_named_and_the_others_read(tmp_path):
    rows = ["1\tpositive,neutral", "2\tpositive", "3\tgood,neutral", "4\tneutral,neutral\tneutral,neutral", "5",
            "1\tneutral,neutral", "../6\tneutral,neutral", "", "8\tnegative,negative"]
    found = read_mvsa_labels(table(tmp_path, rows))
    assert found.ids == ["1", "8"]
    assert found.numbers == [2, 10]
    assert [fault.split(" (")[0] for fault in found.faults] == [f"row {number}" for number in (3, 4, 5, 6, 7, 8)]
    assert "a label is 'good': expected negative, neutral, positive" in found.faults[1]
    assert "stands in row 2 already" in found.faults[4]
    assert "no name of a file" in found.faults[5]


def test_a_table_of_something_else_is_refused(tmp_path):
    with pytest.raises(ValueError, match="holds no labels: expected rows such as"):
        read_mvsa_labels(table(tmp_path, ["a,b,c", "1,2,3"], header=""))
    with pytest.raises(FileNotFoundError, match="expected MVSA's labelResultAll.txt"):
        read_mvsa_labels(tmp_path / "labels.txt")


# --- texts ---


@pytest.mark.parametrize(
    ("data", "text", "how"),
    [
        ("café ☀".encode(), "café ☀", "UTF-8"),
        ("café".encode("utf-8-sig"), "café", "UTF-8"),
        ("café".encode("utf-16"), "café", "UTF-16"),
        ("café".encode("latin-1"), "café", "cp1252"),  # the é stands at the end, where a sign of UTF-8 could begin
        ("“don’t…”".encode("cp1252"), "“don’t…”", "cp1252"),
        (b"a\x81b\xe9", "a\x81bé", "latin-1"),
        ("☀ ☀".encode()[:-1], "☀ \N{REPLACEMENT CHARACTER}", "UTF-8 cut off"),
        ("ok ☀".encode()[:-1], "ok \N{REPLACEMENT CHARACTER}", "UTF-8 cut off"),
        ("ü ".encode() + "naïve".encode("cp1252"), "ü naïve", "UTF-8 and cp1252 mixed"),
        (b"", "", "UTF-8"),
    ],
)
def test_encodings_are_told_apart(data, text, how):
    assert decoded(data) == (text, how)


def test_every_file_has_a_reading_and_no_byte_is_lost():
    rng = np.random.default_rng(0)
    for length in rng.integers(0, 40, 300):
        data = rng.integers(1, 256, length, dtype=np.uint8).tobytes()
        text, how = decoded(data)
        if how in ("cp1252", "latin-1"):
            assert len(text) == len(data)
        assert how != "UTF-8" or text.encode("utf-8") == data.removeprefix(b"\xef\xbb\xbf")


@pytest.mark.parametrize("text", ["café", "don’t… “x” ☀", "🍕🍕 5 £", "naïve – ok", "привет", "日本", "½ price ™"])
def test_mojibake_is_mended_however_often_it_happened(text):
    once = as_cp1252(text.encode())
    assert once != text
    assert mended(once) == text
    assert mended(text.encode().decode("latin-1")) == text
    assert mended(as_cp1252(once.encode())) == text


@pytest.mark.parametrize("text", ["plain", "für £5", "CAFÉ…", "CAFÉ’S", "olé”… x", "“Ök”", "Ñ… Ð", "Ã", "â€", "é â€™",
                                  "Ελλάδα", "x\N{REPLACEMENT CHARACTER}"])
def test_what_may_be_meant_so_is_left_as_it_is(text):
    assert mended(text) == text


# --- the loader ---


def test_texts_are_read_mended_and_counted(tmp_path):
    texts = {"1": "Crème\r\n".encode("cp1252"), "2": as_cp1252("Crème ☀".encode()).encode(), "3": "Crème".encode()}
    loaded = load_mvsa(posts(tmp_path, dict.fromkeys(texts, "positive,neutral"), texts))
    assert [post.text for post in loaded] == ["Crème", "Crème ☀", "Crème"]
    assert loaded.notes == {"texts read as cp1252": 1, "texts mended": 1}
    assert loaded.left_out == {}
    assert loaded.ids == ["1", "2", "3"]
    assert loaded[0].image.mode == "RGB"
    assert LABELS[loaded[0].label] == "positive"


def spoiled(folder: Path) -> Path:
    posts(folder, {str(number): "negative,neutral" for number in range(1, 10)})
    data = folder / "data"
    (data / "2.jpg").write_bytes(b"")
    whole = (data / "3.jpg").read_bytes()
    (data / "3.jpg").write_bytes(whole[:len(whole) // 2])
    (data / "4.jpg").unlink()
    (data / "5.jpg").write_bytes(b"<!DOCTYPE html><html>gone</html>")
    Image.new("P", (5, 5)).save(data / "6.jpg", "GIF")  # it opens
    (data / "7.txt").write_bytes(b" \xc2\xa0\r\n")
    (data / "8.txt").unlink()
    return folder


def test_what_cannot_be_used_is_left_out_counted_and_named(tmp_path):
    loaded = load_mvsa(spoiled(tmp_path))
    assert loaded.ids == ["1", "6", "9"]
    assert loaded.left_out == {"picture does not open": 3, "picture is missing": 1, "text is empty": 1,
                               "text is missing": 1}
    assert [fault.split(":")[0] for fault in loaded.faults] == [f"row {n + 1} ({n})" for n in (2, 3, 4, 5, 7, 8)]
    assert "0 bytes" in loaded.faults[0]
    assert "web page" in loaded.faults[3]
    assert loaded.digests is not None
    assert loaded.digests["image"].shape[0] == 3
    unopened = load_mvsa(tmp_path, check_pictures=False)
    assert unopened.left_out == {"picture is missing": 1, "text is empty": 1, "text is missing": 1}


def test_or_refused(tmp_path):
    with pytest.raises(FaultyRows) as caught:
        load_mvsa(spoiled(tmp_path), skip_faulty=False)
    assert len(caught.value.faults) == 6
    table(tmp_path, ["1\tpositive,positive", "2\tpositive"])
    with pytest.raises(FaultyRows, match="row 3"):
        load_mvsa(tmp_path, skip_faulty=False)
    kept = load_mvsa(tmp_path)
    assert (kept.left_out, len(kept.faults)) == ({"faulty labels": 1}, 1)


def test_multiple_is_known_by_its_columns_and_parts_keep_their_ids(tmp_path):
    labels = {"1": "positive,positive\tpositive,neutral\tneutral,positive",
              "4": "positive,negative\t" * 2 + "neutral,neutral",
              "6": "negative,neutral\tneutral,neutral\tpositive,neutral",
              "9": "neutral,neutral\t" * 2 + "positive,positive"}
    loaded = load_mvsa(posts(tmp_path, labels, header="ID" + 3 * "\ttext,image"))
    assert loaded.ids == ["1", "9"]
    assert loaded.counts() == {"negative": 0, "neutral": 1, "positive": 1}
    assert loaded.left_out == {"opposed": 1, "no majority": 1}
    assert loaded[1:].ids == ["9"]
    assert [post.label for post in load_mvsa(tmp_path, "text")] == [2, 2, 1]


def test_folders_that_are_none_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="labelResultAll.txt"):
        load_mvsa(tmp_path)
    table(tmp_path, ["1\tpositive,positive"])
    with pytest.raises(FileNotFoundError, match="folder of texts and pictures"):
        load_mvsa(tmp_path)
    (tmp_path / "data").mkdir()
    with pytest.raises(FaultyRows, match="there is no text file"):
        load_mvsa(tmp_path)
    table(tmp_path, ["1\tpositive,negative"])
    with pytest.raises(ValueError, match="no post that could be used .1 opposed"):
        load_mvsa(tmp_path)
