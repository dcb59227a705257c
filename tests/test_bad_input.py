"""Anything may come in: it is read as a user would expect, or refused with an error that names it and the remedy.

Property tests (hypothesis) and files harmed at random, from fixed seeds, so that a failure comes back.
"""

import csv
import io
import json
import os
import sys

import numpy as np
import pytest
import torch
from helpers import mini
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from mmsa_utils import load_posts, picture_from_bytes, to_rgb
from mmsa_utils.posts.labels import is_missing
from mmsa_utils.posts.own import FilePosts
from mmsa_utils.posts.post import is_blank

# Cases a property, the same in every run. MMSA_FUZZ=5000 asks for more, and for new ones: --hypothesis-seed=N repeats.
EXAMPLES, FIXED = int(os.environ.get("MMSA_FUZZ", "50")), "MMSA_FUZZ" not in os.environ
often = settings(max_examples=EXAMPLES, deadline=None, derandomize=FIXED,
                 suppress_health_check=[HealthCheck.function_scoped_fixture])
REFUSED = (ValueError, FileNotFoundError)  # and nothing else
UNWRITABLE = "\0" if sys.version_info < (3, 11) else ""  # by csv in Python 3.10


# --- texts ---


@often
@given(st.text(alphabet=st.characters(), max_size=300))  # every code point, halves of surrogates included
def test_any_string_gives_probabilities_or_is_refused(text):
    try:
        (row,) = mini().predict([text], [Image.new("RGB", (9, 7), "red")])
    except ValueError as error:
        row, message = None, str(error)
    if row is None:
        assert is_blank(text) or "half of a character" in message
        assert len(message) < 200
    else:
        assert torch.isfinite(row).all()
        assert row.sum().item() == pytest.approx(1, abs=1e-4)


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


# --- tables ---


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("tables")
    Image.new("RGB", (9, 7), "red").save(place / "a.png")
    return place


def table(folder, data, name="posts.csv") -> FilePosts:
    (folder / name).write_bytes(data if isinstance(data, bytes) else data.encode())
    return load_posts(folder / name)


@often
@given(st.lists(st.tuples(st.text(st.characters(exclude_categories=("Cs",), exclude_characters=UNWRITABLE),
                                  max_size=60), st.sampled_from(
    ["negative", "Neutral", "POSITIVE", "0", "2"])), min_size=1, max_size=5))
def test_every_csv_that_is_well_formed_is_read_back(folder, rows):
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(["text", "image", "label"])
    writer.writerows([text, "a.png", label] for text, label in rows)
    if any(is_blank(text.strip()) and not is_missing(text) for text, _ in rows):
        with pytest.raises(ValueError, match=r"row \d+: the text is empty"):
            table(folder, file.getvalue())
        return
    posts = table(folder, file.getvalue())
    assert [post.text for post in posts] == [None if is_missing(text) else text.strip() for text, _ in rows]


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
