"""Features on the disk: found again, and never trusted when anything is off."""

import copy
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import food, generators, mini, same_features
from tokenizers.normalizers import BertNormalizer

import mmsa_utils
from mmsa_utils import FoodPosts, extract_features
from mmsa_utils.learning import cache
from mmsa_utils.learning.cache import cached_features

N = 8
FILES = ("text.npy", "text-mask.npy", "image.npy", "image-mask.npy", "labels.npy", "states.npy", "about.json",
         "manifest.json")


def cached(folder, posts=None, model=None):
    return cached_features(model or mini(), food(N) if posts is None else posts, folder, show_progress=False)


@pytest.fixture(scope="module")
def fresh():
    return extract_features(mini(), food(N), show_progress=False)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A folder with a cache, made once."""
    folder = tmp_path_factory.mktemp("made")
    cached(folder)
    return folder


@pytest.fixture
def kept(made, tmp_path) -> Path:
    """A folder with a cache of the test's own."""
    return Path(shutil.copytree(made, tmp_path / "kept"))


@pytest.fixture
def never_encode(monkeypatch):
    """Fails a test in which a post is encoded."""
    monkeypatch.setattr(cache, "extract_features", lambda *a, **o: pytest.fail("encoded again"))


def test_the_cache_holds_what_extraction_gives(tmp_path, fresh):
    before = generators()
    assert same_features(cached(tmp_path), fresh)
    assert [path.name[:9] for path in tmp_path.iterdir()] == ["features-"]
    assert generators() == before


@pytest.mark.usefixtures("never_encode")
def test_what_is_there_is_found_and_stays(kept, fresh):
    again = cached(kept)
    assert same_features(again, fresh)
    again.sides["text"].tokens[0] = 7  # what a reader does to them does not reach the disk
    assert same_features(cached(kept), fresh)


def test_nothing_is_pickled(made):
    (folder,) = made.iterdir()
    assert {path.name for path in folder.iterdir()} == set(FILES)
    for path in folder.iterdir():
        if path.suffix == ".npy":
            np.load(path, allow_pickle=False)
        else:
            json.loads(path.read_text())


@pytest.mark.parametrize("other", ["text", "picture", "label", "order", "fewer", "weights", "pair", "max_tokens",
                                   "capitals", "settings"])
def test_other_posts_or_encoders_have_another_cache(kept, other):
    posts, model = list(food(N)), mini()
    first = posts[0]
    if other == "text":
        posts[0] = replace(first, text=first.text + " ")
    elif other == "picture":
        image = first.image.copy()
        image.putpixel((3, 4), (1, 2, 3))
        posts[0] = replace(first, image=image)
    elif other == "label":
        posts[0] = replace(first, label=(first.label + 1) % 3)
    elif other == "order":
        posts[:2] = posts[1::-1]
    elif other == "fewer":
        posts.pop()
    elif other == "pair":
        model = mini("bert+resnet18")
    elif other == "settings":
        posts = FoodPosts(N, seed=1)
    else:
        model = copy.deepcopy(model)
        if other == "weights":
            with torch.no_grad():
                next(model.encoders["image"].parameters()).view(-1)[0] += 1e-3
        elif other == "max_tokens":
            model.encoders["text"].max_tokens -= 1
        else:
            model.encoders["text"].tokenizer.backend_tokenizer.normalizer = BertNormalizer(lowercase=False)
    cached(kept, posts, model)
    assert len(list(kept.iterdir())) == 2


def test_settings_of_generated_posts_tell_them_apart():
    kinds = [FoodPosts(9), FoodPosts(8), FoodPosts(9, "test"), FoodPosts(9, conflict=0.3),
             FoodPosts(9, label_noise=0.1), FoodPosts(9, binary=True), FoodPosts(9, seed=3), FoodPosts(9, pixels=32)]
    assert len({cache._key(mini(), posts) for posts in kinds}) == len(kinds)
    assert cache._key(mini(), FoodPosts(9)) == cache._key(mini(), FoodPosts(9))


def test_other_packages_have_another_cache(monkeypatch):
    key = cache._key(mini(), food(N))
    monkeypatch.setattr(cache, "version", lambda name: "0.0")
    assert cache._key(mini(), food(N)) != key


@pytest.mark.parametrize("changed", ["posts/scenes.py", "posts/own.py", "encoders/base.py", "encoders/text.py",
                                     "encoders/image.py", "model/model.py", "model/prepare.py",
                                     "learning/features.py", "learning/batches.py"])
def test_other_code_has_another_cache(tmp_path, monkeypatch, changed):
    package = Path(shutil.copytree(Path(mmsa_utils.__file__).parent, tmp_path / "package",
                                   ignore=shutil.ignore_patterns("weights", "__pycache__")))
    monkeypatch.setattr(cache, "__file__", str(package / "learning" / "cache.py"))
    key = cache._key(mini(), food(N))
    with (package / changed).open("a") as file:
        file.write("\n")
    assert cache._key(mini(), food(N)) != key


HARMS = {
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-3]),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"x"),
    "flipped": lambda path: path.write_bytes(path.read_bytes()[:-1] + bytes([path.read_bytes()[-1] ^ 1])),
    "empty": lambda path: path.write_bytes(b""),
    "missing": Path.unlink,
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("harm", HARMS)
def test_a_damaged_cache_is_made_anew(kept, fresh, name, harm):
    (folder,) = kept.iterdir()
    HARMS[harm](folder / name)
    assert same_features(cached(kept), fresh)
    assert [path.name[:9] for path in kept.iterdir()] == ["features-"]
    assert same_features(cache._load(folder), fresh)


def test_leftovers_of_the_killed_are_swept(kept):
    old, young = kept / ".making-old", kept / ".making-young"
    for folder in (old, young):
        folder.mkdir()
    os.utime(old, (0, 0))
    cached(kept)
    assert not old.exists()
    assert young.exists()


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        cached(tmp_path / "file" / "cache")
