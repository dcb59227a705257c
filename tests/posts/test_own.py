"""A reader's own table of posts is read as they meant it, or refused with the row and the remedy."""

import io
import json
import os
from pathlib import Path

import pytest
from PIL import Image

from mmsa_utils import load_posts
from mmsa_utils.posts.post import check_text, is_blank


def picture(mode: str = "RGB") -> Image.Image:
    return Image.new("RGB", (8, 6), "red").convert(mode)


@pytest.fixture
def folder(tmp_path) -> Path:
    picture().save(tmp_path / "a.png")
    (tmp_path / "pictures").mkdir()
    picture("L").save(tmp_path / "pictures" / "b.jpg")
    return tmp_path


def csv_table(folder: Path, *lines: str, header: str = "text,image,label", encoding: str = "utf-8") -> Path:
    path = folder / "posts.csv"
    path.write_bytes("\n".join([header, *lines, ""]).encode(encoding))
    return path


def jsonl_table(folder: Path, *records) -> Path:
    path = folder / "posts.jsonl"
    lines = [record if isinstance(record, str) else json.dumps(record, ensure_ascii=False) for record in records]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def post(text="Good", image="a.png", label="neutral") -> dict:
    return {"text": text, "image": image, "label": label}


# --- what is read ---


@pytest.mark.parametrize(
    ("word", "label"),
    [("negative", 0), ("neutral", 1), ("positive", 2), ("Positive", 2), (" 2 ", 2), ("0", 0), ("2", 2)],
)
def test_labels_are_names_or_numbers(folder, word, label):
    assert [post.label for post in load_posts(csv_table(folder, f"Good soup,a.png,{word}"))] == [label]
    assert [post.label for post in load_posts(jsonl_table(folder, post("Good soup", "a.png", word)))] == [label]


def test_pictures_lie_relative_to_the_table(folder, monkeypatch):
    monkeypatch.chdir("/")
    posts = load_posts(csv_table(folder, "One,a.png,0", "Two,pictures/b.jpg,2"))
    assert len(posts) == 2
    assert [(p.text, p.image.mode, p.label) for p in posts] == [("One", "RGB", 0), ("Two", "RGB", 2)]
    assert posts[-1].text == "Two"
    assert [post.text for post in posts[:1]] == ["One"]
    assert [len(posts[1:]), len(posts[5:]), len(posts[::-1])] == [1, 0, 2]
    with pytest.raises(IndexError, match="index is -3"):
        posts[-3]
    with pytest.raises(IndexError):
        posts[2]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_csv_as_spreadsheets_save_it(folder, encoding):
    assert load_posts(csv_table(folder, "Crème brûlée 🍮,a.png,2", encoding=encoding))[0].text == "Crème brûlée 🍮"
    (folder / "posts.csv").write_bytes('text,image,label\r\n"café, ""très""\nbon",a.png,positive\r\n'.encode(encoding))
    assert load_posts(folder / "posts.csv")[0].text == 'café, "très"\nbon'


@pytest.mark.parametrize("text", ["So good, so fresh", "Good.\nVery.", 'The "best" soup', "one\u2028two", "a\x85b"])
def test_csv_text_is_kept_as_it_is(folder, text):
    quoted = '"' + text.replace('"', '""') + '"'
    posts = load_posts(csv_table(folder, f"{quoted},a.png,2", "Next,a.png,0"))
    assert [post.text for post in posts] == [text, "Next"]


def test_an_unquoted_line_separator_stays_within_its_row(folder):
    assert [p.text for p in load_posts(csv_table(folder, "one\u2028two,a.png,2"))] == ["one\u2028two"]


def test_other_columns_and_empty_lines_are_passed_over(folder):
    (folder / "posts.csv").write_bytes(b"label,note,image,text\r\n2,x,a.png,Good\r\n\r\n0,y,a.png,Bad\r\n")
    assert [(post.text, post.label) for post in load_posts(folder / "posts.csv")] == [("Good", 2), ("Bad", 0)]


def test_empty_cells_at_the_end_of_a_row_are_the_spreadsheets(folder):
    assert load_posts(csv_table(folder, "hi,a.png,2,,"))[0].text == "hi"
    (folder / "posts.csv").write_text("text,image,label,,\nhi,a.png,2\n", encoding="utf8")
    assert load_posts(folder / "posts.csv")[0].label == 2


@pytest.mark.parametrize("text", ["So good, so fresh", "Good.\nVery good.", "one\u2028two", "a\x85b"])
def test_json_text_is_kept_as_it_is(folder, text):
    posts = load_posts(jsonl_table(folder, post(text, label=2), "", post("Next", label=0)))
    assert [(post.text, post.label) for post in posts] == [(text, 2), ("Next", 0)]


def test_paths_out_of_the_folder_may_be_allowed(folder):
    table = csv_table(folder / "pictures", "hi,../a.png,neutral")
    with pytest.raises(ValueError, match="row 2: the picture .* outside"):
        load_posts(table)
    assert load_posts(table, anywhere=True)[0].label == 1


# --- faulty rows ---


FAULTS = [
    ({"text": ""}, "the text is empty"),
    ({"text": "  "}, "the text is empty"),
    ({"text": "\u200b"}, "the text is empty"),
    ({"image": ""}, "no picture is named"),
    ({"image": "gone.png"}, r"there is no picture file .*gone\.png"),
    ({"image": "notes.txt"}, r"notes\.txt cannot be read as a picture"),
    ({"image": "a" * 2000}, "the picture's path has 2000 characters"),
    ({"image": "/a.png"}, "the picture .* outside .*--anywhere"),
    ({"image": "../{name}/a.png"}, "the picture .* outside"),
    ({"image": "x/../a.png"}, "the picture .* outside"),
    ({"image": "link/a.png"}, "the picture .* outside"),
    ({"image": "loop.png"}, r"there is no picture file .*loop\.png"),
    ({"label": "3"}, "label is '3', and other rows write names: expected negative, neutral, positive, or 0, 1, 2"),
    ({"label": "happy"}, "label is 'happy'"),
    ({"label": ""}, "label is '': it is missing"),
    ({"label": "NaN"}, "label is 'NaN': it is missing"),
    ({"text": "nan"}, "the text is empty: 'nan'"),
    ({"text": "NULL"}, "the text is empty: 'NULL'"),
    ({"image": "None"}, r"no picture is named \(None\)"),
    ({"image": "https://a.org/b.jpg"}, "https://a.org/b.jpg is an address on the web: download the picture"),
    ({"image": "www.a.org/b.jpg"}, "is an address on the web"),
    ({"image": "a.png;b.jpg"}, "a.png;b.jpg names 2 pictures: a post has one"),
    ({"image": "data:image/png;base64:iVBORw0"}, "written as text .base64"),
    ({"image": "pictures"}, "it is a folder: name a picture in it"),
    ({"image": "A.PNG"}, "but there is a.png: write the name as it is"),
    ({"image": "a"}, "but there is a.png"),
    ({"image": "pictures/b.jpeg"}, "but there is b.jpg"),
    ({"image": "old.zip/a.png"}, "old.zip is an archive. Unpack it"),
    ({"image": "C:\\me\\a.png"}, "outside of the table"),
    ({"image": "..\\a.png"}, "outside of the table"),
    ({"image": "gone\\a.png"}, "there is no picture file"),
    ({"label": "9" * 5000}, "label is '9{60}': expected"),
]


@pytest.mark.parametrize(("fault", "message"), FAULTS)
@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_a_faulty_row_is_named(folder, kind, fault, message):
    (folder / "notes.txt").write_text("no picture")
    (folder / "old.zip").write_text("an archive")
    if os.name != "nt":
        (folder / "loop.png").symlink_to(folder / "loop.png")
        (folder / "link").symlink_to(folder.parent)
        picture().save(folder.parent / "a.png")
    elif fault.get("image", "")[:4] in ("link", "loop"):
        pytest.skip("no links there")
    bad = {**post(), **fault}
    bad["image"] = bad["image"].format(name=folder.name)
    if kind == "csv":
        path, number = csv_table(folder, "Good,a.png,positive", ",".join(bad.values())), 3
    else:
        path, number = jsonl_table(folder, post(), bad), 2
    with pytest.raises(ValueError, match=rf"posts\.{kind} has 1 faulty row\w*:\nrow {number}: .*{message}"):
        load_posts(path, complete=True)


@pytest.mark.parametrize("record", [{"text": "Good", "image": "a.png"}, {**post(), "label": None}, {}])
def test_a_json_row_without_a_field_is_named(folder, record):
    with pytest.raises(ValueError, match="row 2: "):
        load_posts(jsonl_table(folder, post(), record))


def test_a_field_that_no_json_row_has_is_a_missing_column(folder):
    with pytest.raises(ValueError, match="lacks the column label: expected text,image,label in the object of each "
                                         "line; it has text, image, mood. Is it --label-column mood"):
        load_posts(jsonl_table(folder, {"text": "Good", "image": "a.png", "mood": "positive"}))


@pytest.mark.parametrize(("row", "words"), [
    ('{"text": "hi", "image": "a.png", "label": ' + "9" * 5000 + "}", "row 1 is not JSON"),
    ('{"text": "hi \\ud83d", "image": "a.png", "label": 2}', "row 1: the text holds half of a character at place 3"),
    ('{"text": "hi", "image": "\\ud83d.png", "label": 2}', "row 1: there is no picture file"),
    ('{"text": ["hi"], "image": "a.png", "label": 2}', r"row 1: text is \['hi'\]: expected a string"),
    ('{"text": "hi", "image": {"a": 1}, "label": 2}', "row 1: image is .*: expected a string"),
    ('{"text": "hi", "image": "nul\\u0000.png", "label": 2}', "row 1: there is no picture file"),
    ('{"text": "hi", "image": "a.png", "label": NaN}', "row 1: label is 'nan'"),
    ("[" * 100_000, "row 1 is not JSON"),
    ("{not json", "row 1 is not JSON"), ("[1, 2]", "row 1 is not an object"), ('"words"', "row 1 is not an object"),
    ("3", "row 1 is not an object"),
])
def test_a_faulty_line_of_json_is_named(folder, row, words):
    with pytest.raises(ValueError, match=rf"(?s)posts\.jsonl .*{words}"):
        load_posts(jsonl_table(folder, row))


def test_all_faulty_rows_are_named(folder):
    path = csv_table(folder, ",a.png,positive", "Good,a.png,positive", "Good,gone.png,positive", "Good,a.png,7")
    with pytest.raises(ValueError, match=r"3 faulty rows:\nrow 2: .*\nrow 4: .*\nrow 5: ") as caught:
        load_posts(path, complete=True)
    assert "row 3" not in str(caught.value)


def test_blank_rows_count(folder):
    with pytest.raises(ValueError, match="row 4: label is 'x'"):
        load_posts(csv_table(folder, "Good,a.png,2", "", "Good,a.png,x"))


def test_a_long_list_of_faults_is_cut(folder):
    with pytest.raises(ValueError, match=r"30 faulty rows") as caught:
        load_posts(csv_table(folder, *["Good,gone.png,2"] * 30))
    assert len(str(caught.value).splitlines()) < 15
    assert str(caught.value).endswith("20 more")


# --- faulty tables ---


@pytest.mark.parametrize(("content", "words"), [
    ("text,image\nhi,a.png\n", "lacks the column label: expected text,image,label"),
    ("words,image,label\nhi,a.png,1\n", "lacks the column text"),
    ("a,b\nhi,1\n", "lacks the column image, label, text"),
    ("text/image/label\nhi/a.png/1\n", "separated by commas"),
    ("text,image,label,label\nhi,a.png,1,2\n", "label more than once"),
    ("text,image,label\nhi\n", "row 2 has 1 cell, and the header 3: is the file cut off there"),
    ("text,image,label,more\nhi,a.png,1\n", "row 2 has 3 cells, and the header 4"),
    ("text,image,label\nhi,a.png,\n", "row 2: label is ''"),
    ("", "lacks the column"),
    ("text,image,label\n", "holds no posts"),
    ("text,image,label\n\n", "holds no posts"),
    ('text,image,label\n"hi,a.png,1\n', "row 2|taken apart"),
    ("text,image,label\n" + "x" * 200_000 + ",a.png,1\n", "taken apart"),
    ('text,image,label\n"' + "x" * 200_000 + '",a.png,2\n', "taken apart"),
    ('text,image,label\n"never closed' + "x" * 200_000, "taken apart"),
    ("text,image,label\nGo\0od,gone.png,2\n", r"row 2|taken apart"),
    ("text,image,label\nhi,nul\0.png,2\n", "row 2: there is no picture file|taken apart"),
    ("image,label,text\na.png,1,Good, really good\n", "row 2 has 4 cells, and the header 3.*quotation marks"),
    ('image,label,text\na.png,1,"Good\na.png,2,so good\n', "taken apart in row 2.*left open"),
    ('text,image,label\nso good,a.png,1\n"Good" soup,a.png,1\n', "taken apart in row 3.*write it twice"),
])
def test_a_faulty_csv_is_refused_with_a_remedy(folder, content, words):
    (folder / "posts.csv").write_text(content)
    with pytest.raises(ValueError, match=rf"(?s)posts\.csv .*({words})"):
        load_posts(folder / "posts.csv")


def test_an_empty_json_table_is_refused(folder):
    with pytest.raises(ValueError, match=r"posts\.jsonl holds no posts"):
        load_posts(jsonl_table(folder))


@pytest.mark.parametrize("content", [b"text,image,label\nGood \xff,a.png,2\n",
                                     "text,image,label\n".encode("utf-16") + b"\xd8"])
def test_another_encoding_is_refused_with_a_remedy(folder, content):
    (folder / "posts.csv").write_bytes(content)
    with pytest.raises(ValueError, match=r"posts\.csv is not UTF-8.*save it"):
        load_posts(folder / "posts.csv")


@pytest.mark.parametrize("name", ["posts.csv", "posts.jsonl", ".", "nul\0.csv", "x" * 5000 + ".csv", "/dev/zero"])
def test_a_missing_table_is_refused(tmp_path, name):
    with pytest.raises(FileNotFoundError, match="there is no file .*expected a CSV or JSON-lines table"):
        load_posts(tmp_path / name)


@pytest.mark.skipif(os.name == "nt", reason="no pipes and links there")
def test_a_table_that_is_no_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "loop.csv").symlink_to(tmp_path / "loop.csv")
    for name in ("pipe.csv", "loop.csv"):
        with pytest.raises(FileNotFoundError, match="there is no file"):
            load_posts(tmp_path / name)


def test_another_kind_of_table_is_refused(tmp_path):
    (tmp_path / "posts.xlsx").write_bytes(io.BytesIO().getvalue())
    with pytest.raises(ValueError, match=r"posts\.xlsx is not a \.csv or \.jsonl file: save"):
        load_posts(tmp_path / "posts.xlsx")


# --- texts ---


@pytest.mark.parametrize("text", ["", " \n\t", "\0", "\u200b\u200d", "\x01"])
def test_a_text_without_a_sign_is_blank(text):
    assert is_blank(text)
    assert not is_blank(text + ".")


def test_half_a_character_is_named():
    with pytest.raises(ValueError, match="text 0 holds half of a character at place 3.*encoding"):
        check_text("abc\ud83d", "text 0")
