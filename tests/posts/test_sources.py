"""Posts come from the places where people have them: folders, zips, frames, other columns and separators."""

import io
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmsa_utils import BINARY_LABELS, load_posts
from mmsa_utils.posts import archive
from mmsa_utils.posts.identity import identity
from mmsa_utils.posts.own import FaultyRows

ROWS = "text,image,label\nGood,a.png,positive\nBad,sub/b.png,negative\n"


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "sub").mkdir()
    Image.new("RGB", (8, 6), "red").save(tmp_path / "a.png")
    Image.new("RGB", (6, 8), "blue").save(tmp_path / "sub" / "b.png")
    (tmp_path / "posts.csv").write_text(ROWS)
    return tmp_path


def good(posts) -> bool:
    return [(p.text, p.image.size, p.label) for p in posts] == [("Good", (8, 6), 2), ("Bad", (6, 8), 0)]


def test_a_folder_stands_for_the_one_table_in_it(folder):
    assert good(load_posts(folder))
    assert good(load_posts(str(folder)))
    (folder / "more.tsv").write_text("")
    with pytest.raises(ValueError, match=r"holds 2 tables \(more.tsv, posts.csv\): name the one"):
        load_posts(folder)
    with pytest.raises(FileNotFoundError, match="no file of a table in the folder"):
        load_posts(folder / "sub")


@pytest.mark.parametrize(("name", "content"), [
    ("semicolons.csv", ROWS.replace(",", ";")), ("excel.csv", "sep=;\n" + ROWS.replace(",", ";")),
    ("tabs.tsv", ROWS.replace(",", "\t")), ("tabs.csv", ROWS.replace(",", "\t")), ("commas.tsv", ROWS),
    ("capitals.csv", ROWS.replace("text,image,label", "Text, IMAGE ,Label")),
    ("windows.csv", ROWS.replace("/", "\\").replace("\n", "\r\n")),
    ("lines.ndjson", '{"text": "Good", "image": "a.png", "label": 1.0}\n'
                     '{"text": "Bad", "image": "sub/b.png", "label": -1}'),
])
def test_tables_of_every_usual_shape(folder, name, content):
    (folder / name).write_text(content)
    assert good(load_posts(folder / name))


def test_other_columns_are_named_or_proposed(folder):
    (folder / "other.csv").write_text(ROWS.replace("text,image,label", "sentence,img_path,my sentiment"))
    names = {"text_column": "sentence", "image_column": "img_path", "label_column": "my sentiment"}
    assert good(load_posts(folder / "other.csv", **names))
    with pytest.raises(ValueError, match=r"lacks the column image, label, text.*it has sentence, img_path, my "
                                         r"sentiment\. Is it --text-column sentence --image-column img_path "
                                         '--label-column "my sentiment"'):
        load_posts(folder / "other.csv")
    with pytest.raises(ValueError, match=r"lacks the column words.*it has sentence"):
        load_posts(folder / "other.csv", **{**names, "text_column": "words"})


def test_labels_need_not_be_known(folder):
    (folder / "open.csv").write_text("text,image\nGood,a.png\n")
    posts = load_posts(folder / "open.csv", labelled=False)
    assert (posts[0].label, posts.counts()) == (None, {})


def test_faulty_rows_are_passed_over_on_request(folder):
    (folder / "posts.csv").write_text(ROWS + "Odd,gone.png,positive\n" * 12 + "So,a.png,neutral\n")
    with pytest.raises(FaultyRows, match="2 more") as caught:
        load_posts(folder)
    assert [fault.split(":")[0] for fault in caught.value.faults] == [f"row {i}" for i in range(4, 16)]
    posts = load_posts(folder, skip_faulty=True, classes=BINARY_LABELS)
    assert posts.faults == caught.value.faults
    assert posts.left_out == {"neutral": 1, "faulty rows": 12}
    assert posts.counts() == {"negative": 1, "positive": 1}
    (folder / "posts.csv").write_text("text,image,label\n,a.png,positive\n")
    with pytest.raises(FaultyRows):  # nothing would be left
        load_posts(folder, skip_faulty=True, complete=True)


def test_each_picture_is_opened_once(folder, monkeypatch):
    from mmsa_utils.posts import own

    opened, open_picture = [], own.open_picture
    monkeypatch.setattr(own, "open_picture", lambda path: opened.append(path) or open_picture(path))
    (folder / "posts.csv").write_text(ROWS + "Again {},a.png,positive\n" * 50)
    posts = load_posts(folder)
    assert sorted(path.name for path in opened) == ["a.png", "b.png"]
    assert len(posts) == 52


# --- zips ---


def zipped(folder: Path, **more: str) -> Path:
    with zipfile.ZipFile(folder / "posts.zip", "w") as file:
        for name in ("posts.csv", "a.png", "sub/b.png"):
            file.write(folder / name, f"inside/{name}")
        file.writestr("__MACOSX/inside/._posts.csv", "of the Finder")
        for name, content in more.items():
            file.writestr(name, content)
    return folder / "posts.zip"


def test_a_zip_is_read_in_its_place(folder):
    path = zipped(folder)
    before = sorted(folder.rglob("*"))
    posts = load_posts(path)
    assert good(posts)
    assert good(pickle.loads(pickle.dumps(posts)))
    assert sorted(folder.rglob("*")) == before
    first = identity(posts)
    Image.new("RGB", (8, 6), "green").save(folder / "a.png")
    assert identity(load_posts(zipped(folder))) != first


@pytest.mark.parametrize("name", ["../evil.csv", "/evil.csv", "inside/../../evil.csv", "..\\evil.csv", "C:\\evil.csv"])
def test_names_that_lead_out_of_a_zip_are_refused(folder, name):
    with pytest.raises(ValueError, match="a name that leads out of it"):
        load_posts(zipped(folder, **{name: "x"}))


def test_what_a_zip_lacks_or_hides_is_named(folder, monkeypatch):
    (folder / "posts.csv").write_text("text,image,label\n" + "".join(
        f"Good,{name},positive\n" for name in ("../a.png", "A.png", "c.png")))
    with pytest.raises(ValueError, match=r"(?s)row 2: .*outside of the zip.*row 3: .*there is inside/a.png.*row 4: "
                                         r"there is no picture file inside/c.png in the zip"):
        load_posts(zipped(folder))
    with pytest.raises(ValueError, match="posts.zip holds 2 tables"):
        load_posts(zipped(folder, **{"other.csv": "x"}))
    (folder / "posts.zip").write_bytes(b"no zip")
    with pytest.raises(ValueError, match="posts.zip is no zip that can be read"):
        load_posts(folder / "posts.zip")
    (folder / "posts.csv").write_text(ROWS)
    monkeypatch.setattr(archive, "MAX_TABLE", 5)
    monkeypatch.setattr("mmsa_utils.posts.sources.MAX_TABLE", 5)
    with pytest.raises(ValueError, match="has more than 0 MB"):
        load_posts(zipped(folder))


# --- in Python ---


def test_a_frame_with_pictures_paths_or_bytes(folder, monkeypatch):
    pandas = pytest.importorskip("pandas")
    monkeypatch.chdir(folder)
    data, image = (folder / "sub" / "b.png").read_bytes(), Image.open(folder / "a.png")
    for pictures in (["a.png", "sub/b.png"], [Path("a.png"), Path("sub/b.png")], [image, data],
                     [{"path": "a.png", "bytes": None}, {"path": None, "bytes": data}]):
        frame = pandas.DataFrame({"text": ["Good", "Bad"], "image": pictures, "label": [1.0, -1.0]}, index=["x", "y"])
        assert good(load_posts(frame))
    frame = pandas.DataFrame({"text": ["Good", None], "image": ["a.png", None], "label": ["pos", None]})
    posts = load_posts(frame, skip_faulty=True)
    assert len(posts) == 1
    assert posts.faults == ["row 1: there is neither text nor picture: expected at least one of them."]
    frame = pandas.DataFrame({"text": ["Good"], "image": [np.zeros((4, 4, 3))], "label": ["pos"]})
    with pytest.raises(ValueError, match="of the kind ndarray: expected a string"):
        load_posts(frame)


class Pictures:
    decode = True


class Names:
    names = ["negative", "neutral", "positive"]


class FakeDataset:
    """As much of `datasets.Dataset` as is asked for."""

    column_names = ["text", "image", "label"]
    features = {"text": None, "image": Pictures(), "label": Names()}

    def __init__(self, folder):
        self.decoded, self.folder = [], folder

    def __len__(self):
        return 2

    def __getitem__(self, key):
        columns = {"text": ["Good", "Bad"], "label": [2, 0]}
        if isinstance(key, str):
            return columns[key]
        self.decoded.append(key)
        return {name: column[key] for name, column in columns.items()} | {
            "image": Image.open(self.folder / ["a.png", "sub/b.png"][key])}


def test_a_dataset_decodes_a_picture_when_it_is_asked_for(folder):
    source = FakeDataset(folder)
    posts = load_posts(source)
    assert source.decoded == [0, 1]
    assert good(posts)
    assert source.decoded == [0, 1, 0, 1]


def test_other_kinds_of_sources_are_refused_with_a_remedy():
    class Parts:
        column_names = {"train": ["text"], "test": ["text"]}

        def __getitem__(self, key):
            return key

    with pytest.raises(TypeError, match=r"has the parts train, test: give one of them, such as source\['train'\]"):
        load_posts(Parts())
    for source in (7, [{"text": "Good"}], io.StringIO(ROWS)):
        with pytest.raises(TypeError, match="expected the path of a table, a pandas DataFrame"):
            load_posts(source)


@pytest.mark.parametrize(("name", "content"), [
    ("rows.csv", ROWS + ",,\nToo, many, cells,a.png\nGood too,a.png,positive\n"),
    ("rows.jsonl", "\n".join(['{"text": "Good", "image": "a.png", "label": "positive"}',
                              '{"text": "Bad", "image": "sub/b.png", "label": "negative"}', "{broken", "[1]",
                              '{"text": "Good too", "image": "a.png", "label": "positive"}'])),
])
def test_rows_that_cannot_be_taken_apart_are_faulty_ones(folder, name, content):
    (folder / name).write_text(content)
    with pytest.raises(FaultyRows) as caught:
        load_posts(folder / name)
    assert len(caught.value.faults) == {"rows.csv": 1, "rows.jsonl": 2}[name]
    posts = load_posts(folder / name, skip_faulty=True)
    assert [row.text for row in posts.rows] == ["Good", "Bad", "Good too"]
    assert posts.faults == caught.value.faults


def test_a_source_that_is_no_file_is_told_what_it_is(folder):
    with pytest.raises(FileNotFoundError, match=r"but there is posts\.csv"):
        load_posts(folder / "Posts.CSV")
    with pytest.raises(ValueError, match="an address on the web"):
        load_posts("https://example.org/posts.csv")
    with pytest.raises(ValueError, match=r"two things at once \(text: image, image: image"):
        load_posts(folder / "posts.csv", text_column="image")
    (folder / "posts.csv").write_text("text,zzz,label\nGood,a.png,positive\n")
    with pytest.raises(ValueError, match=r"Name it by --image-column\.$"):
        load_posts(folder / "posts.csv")


@pytest.mark.parametrize(("cell", "words"), [
    ("Sub/B.png", "but there is .*sub/b.png"), ("SUB/b.png", "but there is .*sub/b.png"),
    ("['a.png']", "there is a.png"), ("a.png sub/b.png", "names 2 pictures"), ("t.co/abc", "address on the web"),
    ("file:///tmp/a.png", "a file's address"),
    ("pic.twitter.com/abc", "address on the web"), ("<PIL.Image.Image image mode=RGB>", "what Python shows of one"),
    ("empty.png", "it is empty, 0 bytes"), ("page.jpg", "it is a web page"), ("a.zip", "it is a zip"),
])
def test_what_stands_in_place_of_a_picture_is_named(folder, cell, words):
    (folder / "empty.png").write_bytes(b"")
    (folder / "page.jpg").write_text("<!DOCTYPE html><html>404</html>")
    zipfile.ZipFile(folder / "a.zip", "w").writestr("a.png", b"")
    (folder / "one.csv").write_text(f"text,image,label\nGood,{cell},positive\n")
    with pytest.raises(FaultyRows, match=words):
        load_posts(folder / "one.csv")


def test_a_picture_elsewhere_in_a_zip_is_named(folder):
    with zipfile.ZipFile(folder / "a.zip", "w") as file:
        file.writestr("posts.csv", "text,image,label\nGood,a.png,positive\n")
        file.write(folder / "a.png", "pictures/a.png")
    with pytest.raises(FaultyRows, match="but there is pictures/a.png"):
        load_posts(folder / "a.zip")
