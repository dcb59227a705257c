"""Features on the disk: found again, never trusted when anything is off, safe against kills and rivals."""

import copy
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import food, generators, killed, lasting, mini, needs_fork, started
from tokenizers.normalizers import BertNormalizer

from mmsa_utils.learning import cache
from mmsa_utils.learning.features import extract_features
from mmsa_utils.learning.cache import cached_features
from mmsa_utils.posts.food import FoodPosts

N = 24
KILLS = int(os.environ.get("MMSA_KILLS", "20"))  # MMSA_KILLS=1000 for a long run


def cached(folder, posts=None, model=None):
    return cached_features(model or mini(), food(N) if posts is None else posts, folder, show_progress=False)


def same(a, b) -> bool:
    return all(torch.equal(getattr(a, name), getattr(b, name)) for name in ("text", "image", "labels")) and (
        (a.relations, a.text_kinds, a.picture_levels) == (b.relations, b.text_kinds, b.picture_levels))


@pytest.fixture
def never_encode(monkeypatch):
    """Fails a test in which a post is encoded."""
    def refuse(*args, **kwargs):
        raise AssertionError("encoded again")

    return lambda: monkeypatch.setattr(cache, "extract_features", refuse)


def test_the_cache_holds_what_extraction_gives(tmp_path, never_encode):
    before = generators()
    fresh = extract_features(mini(), food(N), show_progress=False)
    assert same(cached(tmp_path), fresh)
    never_encode()
    again = cached(tmp_path)
    assert same(again, fresh)
    again.text[0] = 7  # what a reader does to them does not reach the disk
    assert same(cached(tmp_path), fresh)
    assert [path.name[:9] for path in tmp_path.iterdir()] == ["features-"]
    assert generators() == before


def test_nothing_is_pickled(tmp_path):
    cached(tmp_path)
    (folder,) = tmp_path.iterdir()
    for path in folder.iterdir():
        if path.suffix == ".npy":
            np.load(path, allow_pickle=False)
        else:
            json.loads(path.read_text())


@pytest.mark.parametrize("other", ["text", "picture", "label", "order", "fewer", "weights", "pair", "max_tokens",
                                   "capitals", "settings"])
def test_other_posts_or_encoders_have_another_cache(tmp_path, other):
    posts, model = list(food(N)), mini()
    cached(tmp_path, posts)
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
                next(model.image_encoder.parameters()).view(-1)[0] += 1e-3
        elif other == "max_tokens":
            model.text_encoder.max_tokens = 5
        else:
            model.text_encoder.tokenizer.backend_tokenizer.normalizer = BertNormalizer(lowercase=False)
    cached(tmp_path, posts, model)
    assert len(list(tmp_path.iterdir())) == 2


def test_settings_of_generated_posts_tell_them_apart():
    kinds = [FoodPosts(9), FoodPosts(8), FoodPosts(9, "test"), FoodPosts(9, conflict=0.3),
             FoodPosts(9, label_noise=0.1), FoodPosts(9, binary=True), FoodPosts(9, seed=3), FoodPosts(9, pixels=32)]
    assert len({cache._key(mini(), posts) for posts in kinds}) == len(kinds)
    assert cache._key(mini(), FoodPosts(9)) == cache._key(mini(), FoodPosts(9))


def test_other_code_or_packages_have_another_cache(monkeypatch):
    keys = {cache._key(mini(), food(N))}
    monkeypatch.setattr(cache, "version", lambda name: "0.0")
    keys.add(cache._key(mini(), food(N)))
    monkeypatch.setattr(cache, "_CODE", ("alignment",))
    keys.add(cache._key(mini(), food(N)))
    assert len(keys) == 3


HARMS = {
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-3]),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"x"),
    "flipped": lambda path: path.write_bytes(path.read_bytes()[:-1] + bytes([path.read_bytes()[-1] ^ 1])),
    "empty": lambda path: path.write_bytes(b""),
    "missing": Path.unlink,
}


@pytest.mark.parametrize("name", [*cache._FILES, "manifest.json"])
@pytest.mark.parametrize("harm", HARMS)
def test_a_damaged_cache_is_made_anew(tmp_path, name, harm):
    fresh = cached(tmp_path)
    kept = [fresh.text.clone(), fresh.image.clone()]
    (folder,) = tmp_path.iterdir()
    HARMS[harm](folder / name)
    again = cached(tmp_path)
    assert torch.equal(again.text, kept[0])
    assert torch.equal(again.image, kept[1])
    assert [path.name[:9] for path in tmp_path.iterdir()] == ["features-"]
    assert cache._load(folder) is not None


def test_leftovers_of_the_killed_are_swept(tmp_path):
    old, young = tmp_path / ".making-old", tmp_path / ".making-young"
    for folder in (old, young):
        folder.mkdir()
    os.utime(old, (0, 0))
    cached(tmp_path)
    assert not old.exists()
    assert young.exists()


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        cached(tmp_path / "file" / "cache")


@needs_fork
def test_processes_at_once_do_no_harm(tmp_path):
    workers = [started(cached, tmp_path) for _ in range(3)]
    fresh = extract_features(mini(), food(N), show_progress=False)
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    assert len(list(tmp_path.iterdir())) == 1
    assert same(cached(tmp_path), fresh)


@needs_fork
def test_a_kill_at_any_moment_leaves_no_false_cache(tmp_path, never_encode):
    whole, kills = lasting(cached, tmp_path), 0
    fresh = extract_features(mini(), food(N), show_progress=False)
    for share in np.linspace(0.02, 1.1, KILLS):
        folder = tmp_path / f"{share:.4f}"
        kills += killed(share * whole, cached, folder)
        for path in folder.glob("features-*"):
            assert same(cache._load(path), fresh)  # whole, or not there
    print(f"{kills} kills in time")
    assert kills > KILLS / 4  # the last ones come too late
    assert same(cached(folder), fresh)
