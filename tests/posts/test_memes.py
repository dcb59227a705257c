"""Hateful Memes and Memotion are read as they are published."""

import json
from pathlib import Path

import pytest
from PIL import Image

from mmsa_utils.posts.own import FaultyRows
from mmsa_utils.posts.real.memes import load_hateful_memes, load_memes, load_memotion

HEADER = ",image_name,text_ocr,text_corrected,humour,sarcasm,offensive,motivational,overall_sentiment"


def hateful(folder: Path, **splits: list[dict]) -> Path:
    (folder / "img").mkdir(exist_ok=True)
    for name, records in splits.items():
        (folder / f"{name}.jsonl").write_text("\n".join(json.dumps(record) for record in records))
        for record in records:
            if "img" in record:
                Image.new("RGB", (6, 6), (record["id"] % 256, 0, 0)).save(folder / record["img"])
    return folder


def meme(number: int, label: int | None = None, text: str = "look at this") -> dict:
    found = {"id": number, "img": f"img/{number:05d}.png", "label": label, "text": text}
    return {key: value for key, value in found.items() if value is not None}


def test_hateful_memes_have_two_classes_and_a_test_without_labels(tmp_path):
    folder = hateful(tmp_path, train=[meme(8291, 1), meme(46971, 0, "its \"their\" café")], dev=[meme(8, 0)],
                     test=[meme(16395), meme(37405)])
    splits = load_memes(folder)
    assert list(splits) == ["train", "validation", "test"]
    assert splits["train"].classes == ("not hateful", "hateful")
    assert splits["train"].counts() == {"not hateful": 1, "hateful": 1}
    assert splits["train"].ids == ["8291", "46971"]
    assert splits["train"][1].text == "its \"their\" café"
    assert [post.label for post in splits["test"]] == [None, None]
    assert splits["test"].counts() == {}


def test_seen_is_validation_and_unseen_has_its_own_name(tmp_path):
    folder = hateful(tmp_path, train=[meme(1, 1)], dev_seen=[meme(2, 0)], dev_unseen=[meme(3, 1)],
                     test_seen=[meme(4, 0)], test_unseen=[meme(5, 1), meme(6, 1)])
    assert {name: posts.ids for name, posts in load_hateful_memes(folder).items()} == {
        "train": ["1"], "validation": ["2"], "validation unseen": ["3"], "test": ["4"], "test unseen": ["5", "6"]}


def test_faulty_memes_are_left_out_and_named(tmp_path):
    folder = hateful(tmp_path, train=[meme(1, 1), meme(2, 2), meme(3), meme(4, 0, " "), meme(5, 0), meme(6, 1),
                                      {"id": 7, "label": 0, "text": "x"}, meme(8, 0, "half \ud83d sign")])
    (folder / "img" / "00005.png").unlink()
    (folder / "img" / "00006.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with (folder / "train.jsonl").open("a") as file:
        file.write("\n{not json\n")
    posts = load_hateful_memes(folder)["train"]
    assert posts.ids == ["1"]
    assert posts.left_out == {"faulty row": 4, "text is empty": 1, "picture is missing": 1, "picture does not open": 1,
                              "text is damaged": 1}
    assert "row 2 (2): the label is 2: expected 0 or 1" in posts.faults[0]
    assert "is not JSON" in posts.faults[-1]
    with pytest.raises(FaultyRows):
        load_hateful_memes(folder, skip_faulty=False)


def memotion(folder: Path, *rows: str, header: str = HEADER) -> Path:
    (folder / "labels.csv").write_text("\n".join([header, *rows, ""]), encoding="utf-8")
    (folder / "images").mkdir()
    for number, name in enumerate(("image_1.jpg", "image_2.JPG", "image_3.png", "image_4.jpeg", "image_5.jpg")):
        Image.new("RGB", (7, 5), (30 * number, 9, 9)).save(folder / "images" / name)
    return folder


ROWS = ('0,image_1.jpg,LOOK A1,"look, at\n""me""",funny,general,slight,motivational,very_positive',
        "1,image_2.JPG,OCR TEXT,,not_funny,general,slight,not_motivational,negative",
        "2,image_3.png,,nan,funny,general,slight,motivational,neutral",
        "3,image_4.jpeg,A,a,funny,general,slight,motivational,very_negative",
        "4,image_5.jpg,B,b,funny,general,slight,motivational,great")


def test_memotion_has_five_moods_or_three(tmp_path):
    posts = load_memes(memotion(tmp_path, *ROWS))
    assert [post.text for post in posts] == ["look, at\n\"me\"", "OCR TEXT", "a"]
    assert posts.counts() == {"negative": 2, "neutral": 0, "positive": 1}
    assert posts.notes == {"texts that nobody corrected": 2}
    assert posts.left_out == {"text is empty": 1, "faulty row": 1}
    assert "overall_sentiment is 'great'" in posts.faults[1]
    five = load_memotion(tmp_path, "five")
    assert five.classes == ("very negative", "negative", "neutral", "positive", "very positive")
    assert [post.label for post in five] == [4, 1, 0]
    with pytest.raises(FaultyRows):
        load_memotion(tmp_path, skip_faulty=False)


def test_other_tables_and_rules_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"lacks overall_sentiment.*It has image_name, text_ocr, text_corrected"):
        load_memotion(memotion(tmp_path, "a,b,c", header="image_name,text_ocr,text_corrected"))
    with pytest.raises(ValueError, match="rule is 'two': expected one of three, five"):
        load_memotion(tmp_path, "two")
    with pytest.raises(FileNotFoundError, match="labels.csv, for Memotion"):
        load_memes(tmp_path / "images")
    with pytest.raises(FileNotFoundError, match="expected the folder of Hateful Memes"):
        load_memes(tmp_path / "nowhere")
