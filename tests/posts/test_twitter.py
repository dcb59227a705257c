"""Twitter-2015 and 2017 are read as TomBERT's files have them."""

from pathlib import Path

import pytest
from PIL import Image

from mmsa_utils.posts.own import FaultyRows
from mmsa_utils.posts.real.twitter import load_twitter, targets_of

TRAIN = "index\t#1 Label\t#2 ImageID\t#3 String\t#3 String"
TEST = "index\t#1 ImageID\t#2 String\t#2 String"  # a name too few, as published


def written(folder: Path, **files: list[str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for split, rows in files.items():
        header = TEST if split == "test" else TRAIN
        (folder / f"{split}.tsv").write_bytes("\n".join([header, *rows, ""]).encode())
    return folder


def images(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        Image.new("RGB", (9, 7), (80 * number, 0, 99)).save(folder / name)
    return folder


def test_splits_labels_and_targets(tmp_path):
    folder = written(tmp_path / "twitter2015", train=["1\t2\t7.jpg\tRT @ x : $T$ is \"great\tThe Kestrels",
                                                      "2\t0\t8.jpg\tno \"quotes $T$\u2028 here\t# rain"],
                     dev=["1\t1\t8.jpg\tat $T$\tSunport"], test=["1\t0\t7.jpg\t$T$ and again $T$\tOtto"])
    images(folder / "twitter2015_images", "7.jpg", "8.jpg")
    splits = load_twitter(folder)
    assert list(splits) == ["train", "validation", "test"]
    assert [post.text for post in splits["train"]] == ["RT @ x : The Kestrels is \"great",
                                                       "no \"quotes # rain\u2028 here"]
    assert [post.label for posts in splits.values() for post in posts] == [2, 0, 1, 0]
    assert splits["test"][0].text == "Otto and again Otto"
    assert splits["train"].rows[1].image.name == "8.jpg"
    assert targets_of(folder / "train.tsv") == {"1": "The Kestrels", "2": "# rain"}
    assert all(posts.notes == posts.left_out == {} for posts in splits.values())


def test_pictures_lie_beside_too_by_the_year(tmp_path):
    images(tmp_path / "twitter2015_images", "1.jpg")
    images(tmp_path / "twitter2017_images", "2.jpg")
    fifteen = load_twitter(written(tmp_path / "twitter2015", train=["1\t1\t1.jpg\t$T$\tx"]))
    seventeen = load_twitter(written(tmp_path / "twitter", train=["1\t1\t2.jpg\t$T$\tx"]))
    assert len(fifteen["train"]) == len(seventeen["train"]) == 1
    elsewhere = load_twitter(tmp_path / "twitter", tmp_path / "twitter2017_images")
    assert elsewhere["train"].rows == seventeen["train"].rows
    (tmp_path / "twitter2017_images").rename(tmp_path / "pictures")
    with pytest.raises(FileNotFoundError, match="pictures=..."):
        load_twitter(tmp_path / "twitter")


def test_two_targets_of_a_tweet_with_other_labels_are_noted(tmp_path):
    rows = ["1\t2\t1.jpg\t$T$ beat Ashby\tTidewater", "2\t0\t1.jpg\tTidewater beat $T$\tAshby",
            "3\t1\t2.jpg\t$T$ !\tOtto"]
    folder = written(tmp_path, train=rows)
    images(folder / "twitter2015_images", "1.jpg", "2.jpg")
    assert load_twitter(folder)["train"].notes == {"text and picture of another post, with another label": 2}


def test_faults_are_left_out_and_named(tmp_path):
    folder = written(tmp_path, train=["1\t2\t1.jpg\t$T$ ok\tx", "2\t3\t1.jpg\t$T$\tx", "3\t2\t1.jpg\t$T$",
                                      "4\t1\t9.jpg\t$T$\tx", "5\t1\t2.jpg\tfine\tx", "6\t1\t1.jpg\t \tx",
                                      "7\t1\t../a.jpg\t$T$\tx"])
    images(folder / "twitter2015_images", "1.jpg")
    (folder / "twitter2015_images" / "2.jpg").write_bytes(b"")
    posts = load_twitter(folder)["train"]
    assert posts.ids == ["1"]
    assert posts.left_out == {"faulty row": 2, "picture is missing": 1, "picture does not open": 2, "text is empty": 1}
    assert "row 3 (2): the label is '3': expected 0, 1 or 2" in posts.faults[0]
    assert "has 4 columns" in posts.faults[1]
    assert posts.notes == {"texts without $T$": 2}
    with pytest.raises(FaultyRows):
        load_twitter(folder, skip_faulty=False)


def test_windows_line_ends_no_header_and_other_encodings(tmp_path):
    images(tmp_path / "twitter2015_images", "1.jpg")
    (tmp_path / "train.tsv").write_bytes("1\t2\t1.jpg\tcafé $T$\tx\r\n2\t0\t1.jpg\t$T$\ty".encode("cp1252"))
    posts = load_twitter(tmp_path)["train"]
    assert [post.text for post in posts] == ["café x", "y"]
    assert posts.notes == {"texts read as cp1252": 2}


def test_what_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="TomBERT's files"):
        load_twitter(tmp_path)
    (tmp_path / "train.tsv").write_bytes(b"")
    images(tmp_path / "twitter2015_images", "1.jpg")
    with pytest.raises(ValueError, match="train.tsv is empty"):
        load_twitter(tmp_path)
