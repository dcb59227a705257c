"""Posts that are alike are found, and never stand on two sides of a split."""

import io
from pathlib import Path

import numpy as np
import pytest
from helpers import food, mini
from PIL import Image, ImageDraw

from mmsa_utils import FoodPosts, MultimodalSentimentModel, SyntheticDataset, load_posts
from mmsa_utils.posts.identity import digests_of, seen
from mmsa_utils.posts.likeness import picture_digest, picture_kinds, text_digest
from mmsa_utils.posts.parts import three_parts

MOODS = ["negative", "neutral", "positive"]


def again(image: Image.Image, kind: str, **options) -> Image.Image:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return Image.open(file).convert("RGB")


SAVED_ANEW = {
    "png": lambda image: again(image, "png"), "jpeg": lambda image: again(image, "jpeg"),
    "coarse": lambda image: again(image, "jpeg", quality=60), "webp": lambda image: again(image, "webp"),
    "smaller": lambda image: image.resize((image.width * 9 // 10, image.height * 9 // 10)),
    "larger": lambda image: image.resize((image.width * 2, image.height * 2)),
}


def kinds(images) -> list[int]:
    return picture_kinds(np.stack([picture_digest(image) for image in images])).tolist()


@pytest.mark.parametrize("how", SAVED_ANEW)
@pytest.mark.parametrize("pixels", [64, 224])
def test_a_picture_saved_anew_is_the_same(how, pixels):
    images = [post.image for post in FoodPosts(12, pixels=pixels)]
    found = kinds([*images, *map(SAVED_ANEW[how], images)])
    assert found[:12] == found[12:]
    assert len(set(found)) == 12


def noise(seed: int, pixels: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (pixels, pixels, 3), dtype=np.uint8))


@pytest.mark.parametrize("images", [
    [Image.new("RGB", (64, 64), (i, 0, 0)) for i in range(256)],
    [Image.new("RGB", (9, 7), colour) for colour in ("red", "blue", "white", "black", "grey")],
    [noise(i, 64) for i in range(30)], [noise(i, 500) for i in range(6)], [noise(i, 8) for i in range(30)],
    [post.image for post in (FoodPosts(300)[i] for i in range(300))],
], ids=["shades", "plain", "noise", "fine noise", "few pixels", "drawn"])
def test_different_pictures_are_not_the_same(images):
    assert len(set(kinds(images))) == len(images)
    assert len(set(kinds([*images[:5], *images[:5]]))) == 5


def written(words: str, pixels: int = 400) -> Image.Image:
    """A picture of a few words, as people take them of their screens: nearly all of it is white."""
    image = Image.new("RGB", (pixels, pixels * 3 // 4), "white")
    draw = ImageDraw.Draw(image)
    for line, part in enumerate(words.split(";")):
        draw.text((20, 30 + 40 * line), part, fill="black", font_size=18)
    return image


def test_pictures_of_different_words_are_not_the_same():
    pool = "burger soup pasta table waiter evening window street cold warm slow quick bread cheese cake tea".split()
    rng = np.random.default_rng(0)
    images = [written(";".join(" ".join(rng.choice(pool, 6)) for _ in range(5))) for _ in range(30)]
    found = kinds([*images, *(again(image, "jpeg") for image in images)])
    assert len(set(found[:30])) == 30
    assert found[:30] == found[30:]


def test_soft_pictures_saved_anew_are_the_same():
    rng = np.random.default_rng(0)
    small = [Image.fromarray(rng.integers(0, 256, (3, 3, 3), dtype=np.uint8)) for _ in range(30)]
    images = [image.resize((400, 300), Image.Resampling.BICUBIC) for image in small]
    for how in SAVED_ANEW.values():
        found = kinds([*images, *map(how, images)])
        assert len(set(found)) == 30
        assert found[:30] == found[30:]


def test_a_text_is_the_same_in_any_case_and_white_space():
    assert (text_digest("So good") == text_digest("  SO\ngood ")).all()
    assert (text_digest("So good") != text_digest("So good.")).any()


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("parts")
    for i, post in enumerate(food(60)):
        post.image.save(place / f"{i}.png")
        post.image.save(place / f"{i}.jpg", quality=85)
    return place


def loaded(folder: Path, rows):
    (folder / "posts.csv").write_text("text,image,label\n" + "".join(
        f"{text},{picture},{label}\n" for text, picture, label in rows))
    return load_posts(folder / "posts.csv")


def kept_apart(parts, key) -> bool:
    sides = [{key(row) for row in part.rows} for part in parts[:3]]
    return not any(sides[a] & sides[b] for a, b in ((0, 1), (0, 2), (1, 2)))


@pytest.mark.parametrize("seed", range(3))
def test_what_is_alike_stays_in_one_part(folder, seed):
    texts = [(f"text {i} " + "".join(chr(97 + i % 26) for _ in range(3))) for i in range(60)]
    pairs = loaded(folder, [(texts[i], f"{i}.png", MOODS[i % 3]) for i in range(40)] * 6)
    parts = three_parts(pairs, seed)
    assert sum(map(len, parts[:3])) == 240
    assert kept_apart(parts, lambda row: row[0])
    assert parts.alike == {"texts": 240, "pictures": 240}
    assert "240 posts have a text" in parts.remarks[0]
    by_text = loaded(folder, [(texts[i % 30].upper() if i > 29 else texts[i], f"{i}.png", MOODS[i % 3])
                              for i in range(60)])
    assert kept_apart(three_parts(by_text, seed), lambda row: row[0].casefold())
    by_picture = loaded(folder, [(f"{texts[i]} {end}", f"{i}.{end}", MOODS[i % 3]) for i in range(40)
                                 for end in ("png", "jpg")])
    parts = three_parts(by_picture, seed)
    assert kept_apart(parts, lambda row: row[1].stem)
    assert parts.alike == {"texts": 0, "pictures": 80}
    chain = loaded(folder, [(texts[(i + 1) // 2], f"{i // 2}.png", MOODS[i % 3]) for i in range(12)]
                   + [(texts[i], f"{i}.png", MOODS[i % 3]) for i in range(20, 60)])
    assert len({n for n, part in enumerate(three_parts(chain, seed)[:3]) for row in part.rows
                if int(row[1].stem) < 6}) == 1


def test_posts_that_share_nothing_are_split_by_class(folder):
    posts = loaded(folder, [(f"text {i}", f"{i}.png", MOODS[min(2, i // 3)]) for i in range(60)])
    parts = three_parts(posts, 0)
    assert (parts.alike, parts.remarks) == ({"texts": 0, "pictures": 0}, [])
    assert [part.counts()["neutral"] for part in parts[:3]] == [1, 1, 1]  # of three
    assert parts.train.counts()["positive"] == pytest.approx(0.7 * 54, abs=2)
    assert [row[0] for row in three_parts(posts, 0).test.rows] == [row[0] for row in parts.test.rows]
    assert [row[0] for row in three_parts(posts, 1).test.rows] != [row[0] for row in parts.test.rows]
    lone = loaded(folder, [(f"text {i}", f"{i}.png", MOODS[2 * (i > 0)]) for i in range(30)])
    assert any("test part has no post that is negative" in remark for remark in three_parts(lone, 0).remarks) or any(
        "train part has no post that is negative" in remark for remark in three_parts(lone, 0).remarks)


@pytest.mark.parametrize(("rows", "words"), [
    ([(f"text {i}", "0.png", MOODS[i % 3]) for i in range(40)],
     r"40 of 40 posts hang together.*picture 0.png stands in 40"),
    ([("So good", f"{i}.png", MOODS[i % 3]) for i in range(40)], r"40 of 40 .*text 'So good' stands in 40"),
    ([(f"text {i // 15}", f"{i}.png", MOODS[i % 3]) for i in range(30)], "hang together in 2 groups"),
    ([(f"text {i}", f"{i}.png", "positive") for i in range(30)],
     "all 30 posts are positive.*Add posts that are negative"),
    ([(f"text {i}", f"{i}.png", MOODS[i % 3]) for i in range(9)], "9 posts are too few"),
])
def test_what_cannot_be_split_is_refused_with_the_reason(folder, rows, words):
    with pytest.raises(ValueError, match=words):
        three_parts(loaded(folder, rows), 0)


def test_a_class_without_a_post_is_said(folder):
    posts = loaded(folder, [(f"text {i}", f"{i}.png", MOODS[2 * (i % 2)]) for i in range(30)])
    assert three_parts(posts, 0).remarks == [
        "no post of the table is neutral: the model has an answer that it never learns (--binary makes one for "
        "negative and positive alone)."]


def test_posts_that_were_learned_from_are_known_again(folder, tmp_path):
    own = loaded(folder, [(f"text {i}", f"{i}.png", MOODS[i % 3]) for i in range(30)])
    known = digests_of(own)
    assert seen(own, known) == {"text and picture": 30, "text": 30, "picture": 30}
    assert seen(food(60), known) == {"text and picture": 0, "text": 0, "picture": 30}
    crossed = loaded(folder, [(f"TEXT  {i}", f"{i + 10}.jpg", MOODS[i % 3]) for i in range(30)])
    assert seen(crossed, known) == {"text and picture": 0, "text": 30, "picture": 20}
    unknown = loaded(folder, [("new", "59.jpg", "neutral")])
    assert seen(unknown, known) == {"text and picture": 0, "text": 0, "picture": 0}
    model = mini()
    model.learned_from = known
    try:
        model.save_pretrained(tmp_path / "model")
    finally:
        model.learned_from = None
    again = MultimodalSentimentModel.from_pretrained(tmp_path / "model")
    assert seen(own, again.learned_from) == {"text and picture": 30, "text": 30, "picture": 30}
    stored = (tmp_path / "model" / "learned_from.safetensors").read_bytes()
    assert b"text 1" not in stored
    assert len(stored) < 30 * 200 + 500
    (tmp_path / "model" / "learned_from.safetensors").write_bytes(stored[:-9])
    with pytest.raises(ValueError, match="learned_from.safetensors is damaged"):
        MultimodalSentimentModel.from_pretrained(tmp_path / "model")
    model.save_pretrained(tmp_path / "model")  # one that does not say, over one that did
    assert MultimodalSentimentModel.from_pretrained(tmp_path / "model").learned_from is None


@pytest.mark.parametrize("posts", [FoodPosts(7), SyntheticDataset(7)])
def test_slices_of_generated_posts(posts):
    assert [post.text for post in posts[:3]] == [posts[i].text for i in range(3)]
    assert [post.text for post in posts[-1:]] == [posts[6].text]
    assert posts[9:] == []
    assert posts[np.int64(-1)].text == posts[6].text
    for index in (7, -8):
        with pytest.raises(IndexError, match=f"index is {index}"):
            posts[index]
