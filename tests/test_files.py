"""A reader's own pictures and tables are read as a person would read them, or refused with the row and the remedy."""

import io
import json
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmsa_utils import files
from mmsa_utils.files import load_posts, open_picture, to_rgb

RED, WHITE = (255, 0, 0), (255, 255, 255)


def red(mode: str = "RGB", size: tuple[int, int] = (8, 6)) -> Image.Image:
    return Image.new("RGB", size, RED).convert(mode)


def saved(image: Image.Image, path: Path, **options) -> Path:
    image.save(path, **options)
    return path


def middle(image: Image.Image) -> tuple[int, ...]:
    return image.getpixel((image.width // 2, image.height // 2))


def near(colour: tuple[int, ...], wanted: tuple[int, ...], by: int = 3) -> bool:
    return max(abs(a - b) for a, b in zip(colour, wanted)) <= by


# --- pictures of every mode ---


@pytest.mark.parametrize(
    ("mode", "suffix", "wanted"),
    [
        ("RGB", ".png", RED),
        ("L", ".png", (76, 76, 76)),
        ("1", ".png", None),
        ("P", ".png", RED),
        ("P", ".gif", RED),
        ("RGBA", ".png", RED),
        ("RGBA", ".webp", RED),
        ("LA", ".png", (76, 76, 76)),
        ("CMYK", ".jpg", RED),
        ("CMYK", ".tif", RED),
        ("YCbCr", ".jpg", RED),
        ("RGB", ".bmp", RED),
    ],
)
def test_any_mode_becomes_rgb(tmp_path, mode, suffix, wanted):
    image = open_picture(saved(red(mode), tmp_path / f"picture{suffix}"))
    assert (image.mode, image.size) == ("RGB", (8, 6))
    assert wanted is None or near(middle(image), wanted)


@pytest.mark.parametrize(
    ("pixels", "suffix"),
    [
        (np.array([[0, 32768, 65535]], np.uint16), ".png"),
        (np.array([[0, 32768, 65535]], np.uint16), ".tif"),
        (np.array([[0, 32768, 65535]], np.int32), ".tif"),
        (np.array([[0, 0.5, 1]], np.float32), ".tif"),
    ],
)
def test_deep_greys_are_scaled_not_clipped(tmp_path, pixels, suffix):
    image = open_picture(saved(Image.fromarray(pixels), tmp_path / f"deep{suffix}"))
    assert image.mode == "RGB"
    assert np.asarray(image)[0, :, 0].tolist() == pytest.approx([0, 127, 255], abs=1)


def test_black_float_picture_stays_black(tmp_path):
    image = open_picture(saved(Image.fromarray(np.zeros((2, 2), np.float32)), tmp_path / "black.tif"))
    assert np.asarray(image).max() == 0


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "L", "RGB"])
def test_transparent_parts_become_white(tmp_path, mode):
    options = {}
    if mode in ("RGBA", "LA"):
        image = red(mode)
        image.putalpha(0)
    else:
        image = red(mode)
        options["transparency"] = image.getpixel((0, 0))  # this colour is the transparent one
    assert middle(open_picture(saved(image, tmp_path / "clear.png", **options))) == WHITE


@pytest.mark.parametrize(("orientation", "size"), [(1, (8, 6)), (3, (8, 6)), (6, (6, 8)), (8, (6, 8))])
def test_picture_is_turned_as_its_exif_note_says(tmp_path, orientation, size):
    image = Image.new("RGB", (8, 6))
    image.putpixel((0, 0), WHITE)
    exif = Image.Exif()
    exif[0x0112] = orientation
    turned = open_picture(saved(image, tmp_path / "turned.png", exif=exif))
    assert turned.size == size
    corners = {1: (0, 0), 3: (7, 5), 6: (5, 0), 8: (0, 7)}
    assert turned.getpixel(corners[orientation]) == WHITE


def test_animation_gives_its_first_frame(tmp_path):
    frames = [Image.new("RGB", (8, 6), colour) for colour in (RED, (0, 0, 255))]
    path = saved(frames[0], tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    assert middle(open_picture(path)) == RED


def test_smallest_picture(tmp_path):
    assert open_picture(saved(red(size=(1, 1)), tmp_path / "dot.png")).size == (1, 1)


def test_picture_file_is_closed(tmp_path):
    path = saved(red(), tmp_path / "picture.png")
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        image = open_picture(path)
        path.unlink()
        assert middle(image) == RED


@pytest.mark.parametrize("given", ["photo.jpg", np.zeros((4, 4, 3), np.uint8), None])
def test_to_rgb_refuses_what_is_no_pil_picture(given):
    with pytest.raises(TypeError, match=rf"got {type(given).__name__}.*open_picture"):
        to_rgb(given)


# --- pictures that cannot be read ---


@pytest.mark.parametrize("content", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n", b"GIF89a"])
def test_no_picture_is_refused_by_name(tmp_path, content):
    path = tmp_path / "broken.jpg"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"broken\.jpg cannot be read as a picture .*save it again"):
        open_picture(path)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data", "ignore:Truncated File Read")
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".gif", ".bmp", ".tif", ".webp"])
def test_a_cut_off_picture_is_refused_wherever_it_is_cut(tmp_path, suffix):
    noise = np.random.default_rng(0).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    content = saved(Image.fromarray(noise), tmp_path / f"whole{suffix}").read_bytes()
    path = tmp_path / f"cut{suffix}"
    for length in range(0, len(content) - 40, max(1, len(content) // 60)):
        path.write_bytes(content[:length])
        try:
            open_picture(path)
        except ValueError as error:
            assert path.name in str(error)  # noqa: PT017
        else:  # formats with their directory at the end may be whole already
            assert length > len(content) // 2


@pytest.mark.parametrize("name", ["missing.png", "."])
def test_a_missing_picture_is_refused_by_name(tmp_path, name):
    with pytest.raises(FileNotFoundError, match="no picture file .*check the path"):
        open_picture(tmp_path / name)


def png_that_claims(width: int, height: int) -> bytes:
    """A header and nothing behind it: what a decompression bomb looks like from outside."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize(("width", "height"), [(8000, 5001), (10_000, 10_000), (60_000, 60_000)])
def test_a_huge_picture_is_refused_before_it_is_unpacked(tmp_path, width, height):
    (tmp_path / "bomb.png").write_bytes(png_that_claims(width, height))
    with pytest.raises(ValueError, match=r"bomb\.png .*pixels"):
        open_picture(tmp_path / "bomb.png")


def test_the_largest_picture_allowed_is_read(tmp_path, monkeypatch):
    path = saved(red(), tmp_path / "picture.png")
    monkeypatch.setattr(files, "MAX_PIXELS", 48)
    assert open_picture(path).size == (8, 6)
    monkeypatch.setattr(files, "MAX_PIXELS", 47)
    with pytest.raises(ValueError, match="8 x 6 pixels"):
        open_picture(path)


# --- tables of posts ---


@pytest.fixture
def folder(tmp_path) -> Path:
    saved(red(), tmp_path / "a.png")
    (tmp_path / "pictures").mkdir()
    saved(red("L"), tmp_path / "pictures" / "b.jpg")
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


@pytest.mark.parametrize(
    ("word", "label"),
    [("negative", 0), ("neutral", 1), ("positive", 2), ("Positive", 2), (" 1 ", 1), ("0", 0), ("1", 1), ("2", 2)],
)
def test_labels_are_names_or_numbers(folder, word, label):
    assert [post.label for post in load_posts(csv_table(folder, f"Good soup,a.png,{word}"))] == [label]
    assert [post.label for post in load_posts(jsonl_table(folder, post("Good soup", "a.png", word)))] == [label]


def post(text="Good", image="a.png", label="neutral") -> dict:
    return {"text": text, "image": image, "label": label}


def test_pictures_lie_relative_to_the_table(folder, monkeypatch):
    monkeypatch.chdir("/")
    posts = load_posts(csv_table(folder, "One,a.png,0", "Two,pictures/b.jpg,2"))
    assert len(posts) == 2
    assert [(p.text, p.image.mode, p.label) for p in posts] == [("One", "RGB", 0), ("Two", "RGB", 2)]
    assert posts[-1].text == "Two"
    with pytest.raises(IndexError):
        posts[2]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_csv_with_and_without_a_byte_order_mark(folder, encoding):
    assert load_posts(csv_table(folder, "Crème brûlée 🍮,a.png,2", encoding=encoding))[0].text == "Crème brûlée 🍮"


@pytest.mark.parametrize("text", ["So good, so fresh", "Good.\nVery.", 'The "best" soup', "one\u2028two", "a\x85b"])
def test_csv_text_is_kept_as_it_is(folder, text):
    quoted = '"' + text.replace('"', '""') + '"'
    posts = load_posts(csv_table(folder, f"{quoted},a.png,2", "Next,a.png,0"))
    assert [post.text for post in posts] == [text, "Next"]


def test_an_unquoted_line_separator_stays_within_its_row(folder):
    assert [p.text for p in load_posts(csv_table(folder, "one\u2028two,a.png,2"))] == ["one\u2028two"]


def test_csv_of_a_spreadsheet(folder):
    (folder / "posts.csv").write_bytes(b"label,note,image,text\r\n2,x,a.png,Good\r\n\r\n0,y,a.png,Bad\r\n")
    assert [(post.text, post.label) for post in load_posts(folder / "posts.csv")] == [("Good", 2), ("Bad", 0)]


@pytest.mark.parametrize("text", ["So good, so fresh", "Good.\nVery good.", "one\u2028two", "a\x85b"])
def test_json_text_is_kept_as_it_is(folder, text):
    posts = load_posts(jsonl_table(folder, post(text, label=2), "", post("Next", label=0)))
    assert [(post.text, post.label) for post in posts] == [(text, 2), ("Next", 0)]


FAULTS = [
    ({"text": ""}, "the text is empty"),
    ({"text": "  "}, "the text is empty"),
    ({"image": ""}, "no picture is named"),
    ({"image": "gone.png"}, r"no picture file .*gone\.png"),
    ({"image": "notes.txt"}, r"notes\.txt cannot be read as a picture"),
    ({"label": "3"}, "label is '3': expected negative, neutral, positive, or 0, 1, 2"),
    ({"label": "-1"}, "label is '-1'"),
    ({"label": "happy"}, "label is 'happy'"),
    ({"label": ""}, "label is ''"),
]


@pytest.mark.parametrize(("fault", "message"), FAULTS)
@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_a_faulty_row_is_named(folder, kind, fault, message):
    (folder / "notes.txt").write_text("no picture")
    bad = {**post(), **fault}
    if kind == "csv":
        path, number = csv_table(folder, "Good,a.png,2", ",".join(bad.values())), 3
    else:
        path, number = jsonl_table(folder, post(), bad), 2
    with pytest.raises(ValueError, match=rf"posts\.{kind} has 1 faulty row\w*:\nrow {number}: .*{message}"):
        load_posts(path)


@pytest.mark.parametrize("record", [{"text": "Good", "image": "a.png"}, {**post(), "label": None}, {}])
def test_a_json_row_without_a_field_is_named(folder, record):
    with pytest.raises(ValueError, match="row 1: "):
        load_posts(jsonl_table(folder, record))


def test_all_faulty_rows_are_named(folder):
    path = csv_table(folder, ",a.png,2", "Good,a.png,2", "Good,gone.png,2", "Good,a.png,7")
    with pytest.raises(ValueError, match=r"3 faulty rows:\nrow 2: .*\nrow 4: .*\nrow 5: ") as caught:
        load_posts(path)
    assert "row 3" not in str(caught.value)


def test_blank_rows_count(folder):
    with pytest.raises(ValueError, match="row 4: label is '9'"):
        load_posts(csv_table(folder, "Good,a.png,2", "", "Good,a.png,9"))


def test_a_long_list_of_faults_is_cut(folder):
    with pytest.raises(ValueError, match=r"30 faulty rows") as caught:
        load_posts(csv_table(folder, *["Good,a.png,9"] * 30))
    assert len(str(caught.value).splitlines()) < 15
    assert str(caught.value).endswith("20 more")


@pytest.mark.parametrize(
    ("header", "missing"), [("text,image", "label"), ("words,image,label", "text"), ("a,b", "image, label, text")]
)
def test_missing_columns_are_named(folder, header, missing):
    with pytest.raises(ValueError, match=rf"posts\.csv lacks the column {missing}: expected text,image,label"):
        load_posts(csv_table(folder, "Good,a.png,2", header=header))


@pytest.mark.parametrize("content", ["", "text,image,label\n", "text,image,label\n\n"])
def test_an_empty_csv_is_refused(folder, content):
    (folder / "posts.csv").write_text(content)
    with pytest.raises(ValueError, match=r"posts\.csv (holds no posts|lacks the column)"):
        load_posts(folder / "posts.csv")


def test_an_empty_json_table_is_refused(folder):
    with pytest.raises(ValueError, match=r"posts\.jsonl holds no posts"):
        load_posts(jsonl_table(folder))


@pytest.mark.parametrize("line", ["{not json", "[1, 2]", '"words"', "3"])
def test_a_line_that_is_no_json_object_is_named(folder, line):
    with pytest.raises(ValueError, match=r"posts\.jsonl .*row 2"):
        load_posts(jsonl_table(folder, post(), line))


@pytest.mark.parametrize("content", [b"text,image,label\nGood \xff,a.png,2\n",
                                     "text,image,label\n".encode("utf-16") + b"\xd8"])
def test_another_encoding_is_refused_with_a_remedy(folder, content):
    (folder / "posts.csv").write_bytes(content)
    with pytest.raises(ValueError, match=r"posts\.csv is not UTF-8.*save it"):
        load_posts(folder / "posts.csv")


@pytest.mark.parametrize("row", ['"' + "x" * 200_000 + '",a.png,2', '"never closed' + "x" * 200_000, "Go\0od,a.png,9"])
def test_a_csv_that_cannot_be_taken_apart_is_refused(folder, row):
    with pytest.raises(ValueError, match=r"posts\.csv"):
        load_posts(csv_table(folder, row))


@pytest.mark.parametrize("name", ["posts.csv", "posts.jsonl", "."])
def test_a_missing_table_is_refused(tmp_path, name):
    with pytest.raises(FileNotFoundError, match="there is no file .*expected a CSV or JSON-lines table"):
        load_posts(tmp_path / name)


def test_another_kind_of_table_is_refused(tmp_path):
    (tmp_path / "posts.xlsx").write_bytes(io.BytesIO().getvalue())
    with pytest.raises(ValueError, match=r"posts\.xlsx is not a \.csv or \.jsonl file: save"):
        load_posts(tmp_path / "posts.xlsx")
