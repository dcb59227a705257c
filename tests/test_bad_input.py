"""Anything may come in: it is read as a user would expect, or refused with an error that names it and the remedy.

Property tests (hypothesis) and files harmed at random, from fixed seeds, so that a failure comes back.
"""

import copy
import csv
import io
import json
import os
import struct
import sys
import zlib
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers import food, mini
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from mmsa_utils.learning.features import Features
from mmsa_utils.learning.alignment import align, fit_temperature, head_answers
from mmsa_utils.posts.food import FoodPosts
from mmsa_utils.posts.post import Post, check_text, is_blank
from mmsa_utils.posts.noise import SyntheticDataset
from mmsa_utils.learning.batches import make_loader
from mmsa_utils.posts.own import FilePosts, load_posts
from mmsa_utils.posts.pictures import open_picture, picture_from_bytes, to_rgb
from mmsa_utils.model.head import mlp_head
from mmsa_utils.learning.evaluation import evaluate

# Cases a property, the same in every run. MMSA_FUZZ=5000 asks for more, and for new ones: --hypothesis-seed=N repeats.
EXAMPLES, FIXED = int(os.environ.get("MMSA_FUZZ", "150")), "MMSA_FUZZ" not in os.environ
often = settings(max_examples=EXAMPLES, deadline=None, derandomize=FIXED,
                 suppress_health_check=[HealthCheck.function_scoped_fixture])
REFUSED = (ValueError, FileNotFoundError)  # and nothing else
UNWRITABLE = "\0" if sys.version_info < (3, 11) else ""  # by csv in Python 3.10


def picture(width: int = 9, height: int = 7, colour="red") -> Image.Image:
    return Image.new("RGB", (width, height), colour)


# --- texts ---


@often
@given(st.text(alphabet=st.characters(), max_size=300))  # every code point, halves of surrogates included
def test_any_string_gives_probabilities_or_is_refused(text):
    try:
        (row,) = mini().predict([text], [picture()])
    except ValueError as error:
        row, message = None, str(error)
    if row is None:
        assert is_blank(text) or "half of a character" in message
        assert len(message) < 200
    else:
        assert torch.isfinite(row).all()
        assert row.sum().item() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("text", ["burger " * 20000, "x" * 100_000, "😀🍔", "هذا البرغر لذيذ", "שלום", "good\0burger",
                                  "a\u202eb", "é" * 3, "[SEP] [MASK] [PAD]", "a" + "\u0301" * 500])
def test_odd_texts_are_read(text):
    assert torch.isfinite(mini().predict([text], [picture()])).all()


@pytest.mark.parametrize("text", ["", " \n\t", "\0", "\u200b\u200d", "\x01", b"burger", None, 3, ["a"], float("nan"),
                                  " " * 100_000])
def test_what_is_no_text_is_refused(text):
    with pytest.raises(ValueError, match="^text 1 is .{0,80}: expected a string with at least one word"):
        mini().predict(["fine", text], [picture()] * 2)


def test_half_a_character_is_named():
    with pytest.raises(ValueError, match="text 0 holds half of a character at place 3.*encoding"):
        check_text("abc\ud83d", "text 0")


# --- pictures ---

MODES = ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "HSV", "I", "F", "I;16", "I;16B"]


@often
@given(mode=st.sampled_from(MODES), width=st.integers(1, 40), height=st.integers(1, 40), seed=st.integers(0, 2**16))
def test_a_picture_of_any_mode_becomes_rgb(mode, width, height, seed):
    noise = Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))
    if mode == "LAB":
        profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        image = ImageCms.profileToProfile(noise, *profiles, outputMode="LAB")
    elif mode.startswith("I;16"):
        image = Image.new(mode, (width, height), 300)
    elif mode == "PA":
        image = noise.convert("LA").convert("PA")
    else:
        image = noise.convert("L").convert(mode) if mode in ("I", "F", "LA") else noise.convert(mode)
    plain = to_rgb(image)
    assert (plain.mode, plain.size) == ("RGB", (width, height))


@pytest.mark.parametrize("values", [[np.nan] * 4, [np.inf, -np.inf, 0, 1], [-5, -4, -3, -2], [0, 0, 0, 0], [1e38] * 4])
def test_float_pictures_of_any_values(values):
    array = np.array(values, np.float32).reshape(2, 2)
    with np.errstate(invalid="raise"):
        assert to_rgb(Image.fromarray(array)).mode == "RGB"


def test_a_picture_without_pixels_is_refused():
    with pytest.raises(ValueError, match="0 x 5 pixels"):
        to_rgb(Image.new("RGB", (0, 5)))


@pytest.mark.parametrize("size", [(1, 1), (20000, 3), (3, 20000), (1, 200)])
def test_pictures_of_odd_shape_are_read(size):
    assert torch.isfinite(mini().predict(["burger"], [picture(*size)])).all()


def test_an_animation_is_its_first_frame(tmp_path):
    picture(colour="red").save(tmp_path / "a.gif", save_all=True, append_images=[picture(colour="blue")])
    assert open_picture(tmp_path / "a.gif").getpixel((0, 0)) == (255, 0, 0)


def test_exif_turns_the_picture(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    picture(9, 7).save(tmp_path / "a.jpg", exif=exif)
    assert open_picture(tmp_path / "a.jpg").size == (7, 9)


def saved(kind: str) -> bytes:
    file = io.BytesIO()
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (24, 24, 3), dtype=np.uint8))
    image.save(file, kind)
    return file.getvalue()


KINDS = {kind: saved(kind) for kind in ("png", "jpeg", "gif", "bmp", "webp", "tiff", "ppm")}


@often
@given(kind=st.sampled_from(list(KINDS)), cut=st.floats(0, 1),
       flips=st.lists(st.tuples(st.floats(0, 0.999), st.integers(1, 255)), max_size=8))
@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's, of what is off in the file
def test_a_harmed_picture_file_is_read_or_refused_by_name(kind, cut, flips):
    data = bytearray(KINDS[kind][:round(cut * len(KINDS[kind]))])
    for place, bits in flips:
        if data:
            data[int(place * len(data))] ^= bits
    try:
        outcome = picture_from_bytes(bytes(data), "upload.png").mode
    except ValueError as error:
        outcome = str(error)
    assert outcome == "RGB" or outcome.startswith("upload.png cannot be read as a picture")


@often
@given(st.binary(max_size=400))
def test_any_bytes_are_no_picture(data):
    with pytest.raises(ValueError, match=r"^upload\.png cannot be read"):
        picture_from_bytes(data, "upload.png")


def png_of(width: int, height: int) -> bytes:
    """A few bytes that claim to be a picture of any size."""
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(30_000, 30_000), (2**31 - 1, 1), (50_000, 801), (1, 2**30)])
def test_a_decompression_bomb_is_refused_unopened(tmp_path, size):
    (tmp_path / "bomb.png").write_bytes(png_of(*size))
    with pytest.raises(ValueError, match=r"bomb\.png cannot be read as a picture"):
        open_picture(tmp_path / "bomb.png")


@pytest.mark.skipif(os.name == "nt", reason="no pipes and links there")
def test_what_is_no_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    for name in ("pipe.png", "folder.png", "loop.png", "none.png", "nul\0.png", "x" * 5000, "/dev/zero", "/dev/null"):
        with pytest.raises(FileNotFoundError, match="there is no picture file"):
            open_picture(tmp_path / name)
        with pytest.raises(FileNotFoundError, match="there is no file"):
            load_posts(tmp_path / name)


@pytest.mark.parametrize("header", [b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n",
                                    b"8BPS\0\1" + bytes(40)], ids=["eps", "psd"])
def test_formats_of_no_photo_are_not_opened(header, monkeypatch):
    """EPS is a program: Pillow would start Ghostscript on it."""
    monkeypatch.setattr("subprocess.check_call", lambda *a, **o: pytest.fail("a program was started"))
    with pytest.raises(ValueError, match=r"upload\.png cannot be read as a picture \(of no known kind\)"):
        picture_from_bytes(header, "upload.png")


@pytest.mark.parametrize("error", [RuntimeError("Failed to decode frame 0"), struct.error("short"), IndexError(),
                                   NotImplementedError(), MemoryError()])
def test_whatever_a_decoder_raises_names_the_file(tmp_path, monkeypatch, error):
    picture().save(tmp_path / "a.png")

    def decode(image):
        raise error

    monkeypatch.setattr("PIL.ImageOps.exif_transpose", decode)
    with pytest.raises(ValueError, match=r"a\.png cannot be read as a picture"):
        open_picture(tmp_path / "a.png")


# --- tables ---


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("tables")
    picture().save(place / "a.png")
    return place


def table(folder, data, name="posts.csv") -> FilePosts:
    (folder / name).write_bytes(data if isinstance(data, bytes) else data.encode())
    return load_posts(folder / name)


@often
@given(st.lists(st.tuples(st.text(st.characters(exclude_categories=("Cs",), exclude_characters=UNWRITABLE),
                                  max_size=60), st.sampled_from(
    ["negative", "Neutral", "POSITIVE", "0", "1", "2"])), min_size=1, max_size=5))
def test_every_csv_that_is_well_formed_is_read_back(folder, rows):
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(["text", "image", "label"])
    writer.writerows([text, "a.png", label] for text, label in rows)
    if any(is_blank(text.strip()) for text, _ in rows):
        with pytest.raises(ValueError, match=r"row \d+: the text is empty"):
            table(folder, file.getvalue())
        return
    posts = table(folder, file.getvalue())
    assert [post.text for post in posts] == [text.strip() for text, _ in rows]


@often
@given(st.binary(max_size=300), st.sampled_from(["posts.csv", "posts.jsonl"]))
def test_any_bytes_as_a_table(folder, data, name):
    with pytest.raises(REFUSED, match=r"posts\."):
        table(folder, data, name)


@often
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
                        st.sampled_from(["text", "image", "label", "x"]), inner, max_size=4), max_leaves=8))
def test_any_json_as_a_row(folder, value):
    try:
        outcome = table(folder, json.dumps(value), "posts.jsonl")[0].label
    except ValueError as error:
        outcome = str(error)
    assert outcome in (0, 1, 2) or "posts.jsonl" in outcome


@pytest.mark.parametrize(("content", "words"), [
    ("text,image,label\nhi,{folder}/a.png,1\n", "row 2: the picture .* outside .*--anywhere"),
    ("text,image,label\nhi,../{name}/a.png,1\n", "row 2: the picture .* outside"),
    ("text,image,label\nhi,x/../a.png,1\n", "row 2: the picture .* outside"),
    ("text,image,label\nhi,link/a.png,1\n", "row 2: the picture .* outside"),
    ("text,label\nhi,1\n", "lacks the column image"), ("text;image;label\nhi;a.png;1\n", "separated by commas"),
    ("text,image,label,label\nhi,a.png,1,2\n", "label more than once"), ("text,image,label\nhi\n", "row 2: no picture"),
    ("text,image,label\nhi,a.png,\n", "row 2: label is ''"), ("text,image,label\nhi,a.png,3\n", "row 2: label is '3'"),
    ("text,image,label\n\u200b,a.png,1\n", "row 2: the text is empty"), ("", "lacks the column"),
    ("text,image,label\n", "holds no posts"), ('text,image,label\n"hi,a.png,1\n', "row 2|taken apart"),
    ("text,image,label\n" + "x" * 200_000 + ",a.png,1\n", "taken apart"),
    ("image,label,text\na.png,1,Good, really good\n", "row 2 has 4 cells, and the header 3.*quotation marks"),
    ('image,label,text\na.png,1,"Good\na.png,2,so good\n', "taken apart in row 2.*left open"),
    ('text,image,label\nso good,a.png,1\n"Good" soup,a.png,1\n', "taken apart in row 3.*write it twice"),
    ("text,image,label\nhi," + "a" * 2000 + ",1\n", "row 2: the picture's path has 2000 characters"),
    ("text,image,label\nhi,a.png," + "9" * 5000 + "\n", "row 2: label is '9{60}': expected"),
    ("text,image,label\nhi,loop.png,1\n", "row 2: there is no picture file .*loop.png"),
    ("text,image,label\nhi,nul\0.png,1\n", "row 2: there is no picture file|taken apart"),
])
def test_a_faulty_table_names_row_and_remedy(tmp_path, content, words):
    picture().save(tmp_path / "a.png")
    if os.name != "nt":
        (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
        (tmp_path / "link").symlink_to(tmp_path.parent)
        picture().save(tmp_path.parent / "a.png")
    elif "link" in content or "loop" in content:
        pytest.skip("no links there")
    with pytest.raises(ValueError, match=words):
        table(tmp_path, content.format(folder=tmp_path, name=tmp_path.name))


@pytest.mark.parametrize(("row", "words"), [
    ('{"text": "hi", "image": "a.png", "label": ' + "9" * 5000 + "}", "row 1 is not JSON"),
    ('{"text": "hi \\ud83d", "image": "a.png", "label": 1}', "row 1: the text holds half of a character at place 3"),
    ('{"text": "hi", "image": "\\ud83d.png", "label": 1}', "row 1: there is no picture file"),
    ('{"text": ["hi"], "image": "a.png", "label": 1}', r"row 1: text is \['hi'\]: expected a string"),
    ('{"text": "hi", "image": {"a": 1}, "label": 1}', "row 1: image is .*: expected a string"),
    ('{"text": "hi", "image": "a.png", "label": true}', "row 1: label is 'True'"),
    ('{"text": "hi", "image": "a.png", "label": NaN}', "row 1: label is 'nan'"),
    ("[" * 100_000, "row 1 is not JSON"),
])
def test_a_faulty_line_of_json_names_row_and_remedy(folder, row, words):
    with pytest.raises(ValueError, match=words):
        table(folder, row, "posts.jsonl")


def test_empty_cells_at_the_end_of_a_row_are_the_spreadsheets(folder):
    assert table(folder, "text,image,label\nhi,a.png,1,,\n")[0].text == "hi"


def test_paths_out_of_the_folder_may_be_allowed(tmp_path):
    picture().save(tmp_path / "a.png")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "posts.csv").write_text("text,image,label\nhi,../a.png,1\n")
    assert load_posts(tmp_path / "sub" / "posts.csv", anywhere=True)[0].label == 1


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_tables_as_spreadsheets_save_them(folder, encoding):
    posts = table(folder, 'text,image,label\r\n"café, ""très""\nbon",a.png,positive\r\n'.encode(encoding))
    assert posts[0].text == 'café, "très"\nbon'


# --- labels, features, small data ---


@pytest.mark.parametrize("label", [3, -1, "positive", None, 1.5, float("nan"), [1], np.float64(1)])
def test_a_label_that_is_none_is_named_by_its_post(label):
    odd = replace(food(2)[1], label=label, text="the odd one")
    with pytest.raises(ValueError, match="label of the post 'the odd one' is .*: expected 0 to 2"):
        evaluate(mini(), make_loader([food(2)[0], odd], mini()))


def some(n: int = 12) -> Features:
    draw = torch.Generator().manual_seed(0)
    return Features(torch.randn(n, 4, generator=draw), torch.randn(n, 4, generator=draw), torch.arange(n) % 3)


@often
@given(st.sampled_from(["text", "image"]), st.integers(0, 11), st.integers(0, 3),
       st.sampled_from([float("nan"), float("inf"), -float("inf")]))
def test_features_that_are_no_numbers_are_named(side, post, column, value):
    features = some()
    getattr(features, side)[post, column] = value
    for work in (lambda: align(features, some(), epochs=1), lambda: align(some(), features, epochs=1),
                 lambda: fit_temperature(mlp_head(8, 3), features), lambda: head_answers(mlp_head(8, 3), features)):
        with pytest.raises(ValueError, match=f"the {side} features of post {post} hold NaN or infinity"):
            work()


@pytest.mark.parametrize("labels", [["a"] * 12, torch.rand(12), torch.arange(11), None])
def test_features_with_odd_labels_are_refused(labels):
    with pytest.raises(ValueError, match="labels"):
        replace(some(), labels=labels)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_handful_of_posts_can_be_aligned(n):
    head, history = align(some(n), some(n), epochs=2, hidden=4)
    assert all(np.isfinite(row["loss"]) for row in history)
    assert head_answers(head, some(n)).shape == (n, 3)


def test_one_class_alone_can_be_aligned():
    features = replace(some(), labels=torch.zeros(12, dtype=torch.long))
    head, _ = align(features, features, epochs=20, lr=0.02, hidden=4)
    assert (head_answers(head, features).argmax(1) == 0).all()
    assert np.isfinite(fit_temperature(head, features))


@pytest.mark.parametrize(("posts", "words"), [(([], []), "got no posts"), (("ab", [picture()] * 2), "a single text"),
                                              ((["a"], picture()), "a single text or picture")])
def test_what_is_no_list_of_posts_is_refused(posts, words):
    with pytest.raises(ValueError, match=words):
        mini().predict(*posts)


def test_an_answer_that_is_no_number_is_never_given():
    model = copy.deepcopy(mini())
    torch.nn.init.constant_(model.head[-1].weight, float("nan"))
    with pytest.raises(ValueError, match="answer is NaN"):
        model.predict(["fine"], [picture()])


@pytest.mark.parametrize("seed", [-1, 1.5, None, "1"])
def test_a_seed_that_is_none_is_refused(seed):
    for data in (FoodPosts, SyntheticDataset):
        with pytest.raises(ValueError, match="seed is .*: expected a whole number from 0"):
            data(3, seed=seed)


@pytest.mark.parametrize("n", [0, -1, 2.5, "3", 10**30])
def test_a_number_of_posts_that_is_none_is_refused(n):
    for data in (FoodPosts, SyntheticDataset):
        with pytest.raises(ValueError, match="n is "):
            data(n)


def test_no_posts_are_refused():
    with pytest.raises(ValueError, match="empty"):
        make_loader([], mini())
    assert len(make_loader([Post("hi", picture(), 1)], mini(), 32)) == 1
