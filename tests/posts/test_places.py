"""Posts in which place matters: their rule, their splits, and who can read how many of them."""

import itertools
import re
from collections import Counter

import numpy as np
import pytest

from mmsa_utils.posts.food import split_of
from mmsa_utils.posts.places import NAMED, PlacePosts, ceiling, set_table, twin
from mmsa_utils.posts.scenes import TRAIN_DISHES, UNSEEN_DISHES


@pytest.fixture(scope="module")
def posts():
    return list(PlacePosts(240, label_noise=0))


def test_the_label_is_the_named_dishs_mood(posts):
    for post in posts:
        here = {place.dish: place.level for place in post.places}
        assert len(here) == 4
        assert set(here) <= set(TRAIN_DISHES)
        named = [dish for dish in here if re.search(rf"\b{dish}\b", post.text)]
        assert len(named) == {"none": 0, "one": 1, "two": 2}[post.relation]
        if post.relation == "none":
            assert post.label == (post.text_kind > 0)
            assert post.dish == ""
        else:
            assert post.dish in named
            assert post.label == (here[post.dish] > 0)
    counts = Counter(post.relation for post in posts)
    assert all(abs(counts[kind] / len(posts) - share) < 0.08 for kind, share in NAMED.items())


def test_of_two_dishes_the_writers_counts():
    theirs = {"had": "sister had the", "for": "for my", "left": "left the"}
    for post in PlacePosts(400, seed=1, label_noise=0)[:]:
        if post.relation == "two":
            for words in theirs.values():
                assert f"{words} {post.dish}" not in post.text, post.text


def test_dishes_stand_apart_and_anywhere(posts):
    corners = Counter()
    for post in posts:
        for one, two in itertools.combinations(post.places, 2):
            assert (one.right <= two.left or two.right <= one.left or one.bottom <= two.top or two.bottom <= one.top)
        mine = next((place for place in post.places if place.dish == post.dish), None)
        if mine:
            corners[mine.left + mine.right > 1, mine.top + mine.bottom > 1] += 1
    assert min(corners.values()) > 30  # of 216: each corner as often


def test_neither_a_text_nor_a_set_of_dishes_is_in_two_splits():
    texts, tables = {}, {}
    for split in ("train", "validation", "test"):
        some = PlacePosts(200, split)[:]
        assert all(split_of(post.text) == split for post in some)
        texts[split] = {post.text for post in some}
        tables[split] = {frozenset(place.dish for place in post.places) for post in some}
    for one, two in itertools.combinations(texts, 2):
        assert not texts[one] & texts[two]
        assert not tables[one] & tables[two]


def test_unseen_posts_show_other_dishes():
    for post in PlacePosts(40, "unseen")[:]:
        assert {place.dish for place in post.places} <= set(UNSEEN_DISHES)


@pytest.mark.parametrize("dishes", [1, 2, 3, 6])
def test_any_number_of_dishes(dishes):
    posts = PlacePosts(40, dishes=dishes)
    assert all(len(post.places) == dishes for post in posts)
    assert {post.relation for post in posts} == ({"one", "none"} if dishes == 1 else {"one", "two", "none"})
    assert posts[0].image.size == (64, 64)


def test_a_post_is_its_seed_and_index_alone():
    assert [post.text for post in PlacePosts(5)] == [post.text for post in PlacePosts(50)[:5]]
    assert PlacePosts(5)[3].image.tobytes() == PlacePosts(9)[3].image.tobytes()
    assert PlacePosts(5, seed=1)[3].text != PlacePosts(5)[3].text or (
        PlacePosts(5, seed=1)[3].image.tobytes() != PlacePosts(5)[3].image.tobytes())


def test_a_twin_has_the_same_parts_and_the_opposite_label(posts):
    rng = np.random.default_rng(0)
    tried = 0
    for post in posts:
        if post.dish and len({place.level for place in post.places}) == 2:
            other = twin(post, rng)
            tried += 1
            assert other.text == post.text
            assert other.label == 1 - post.label
            assert sorted(place.dish for place in other.places) == sorted(place.dish for place in post.places)
            assert sorted(place.level for place in other.places) == sorted(place.level for place in post.places)
            assert {place.dish: place.level for place in other.places}[post.dish] == other.picture_level
    assert tried > 120
    with pytest.raises(ValueError, match="names no dish"):
        twin(next(post for post in posts if not post.dish), rng)
    with pytest.raises(ValueError, match="are alike"):
        twin(next(post for post in posts if post.dish and len({place.level for place in post.places}) == 1), rng)


@pytest.mark.parametrize("dishes", [1, 2, 4])
def test_ceilings_are_what_the_best_reader_of_its_kind_reaches(dishes):
    """Each reader is played: told exactly what it may know, it answers with the commonest label of what it knows."""
    posts = PlacePosts(6000, dishes=dishes)
    rng = np.random.default_rng(1)
    known = {"text": [], "image": [], "parts": [], "both": []}
    labels = []
    for _ in range(20000):  # states alone: drawing them all would take minutes
        kind = str(rng.choice(posts._kinds, p=np.array([NAMED[k] for k in posts._kinds]) / sum(
            NAMED[k] for k in posts._kinds)))
        levels, feeling = rng.choice((-1, 1), dishes).tolist(), int(rng.choice((-1, 1)))
        spoken = feeling if kind == "none" else kind
        labels.append((feeling if kind == "none" else levels[0]) > 0)
        fresh = levels.count(1)
        known["text"].append(spoken)
        known["image"].append(fresh)  # of which dishes it is says nothing: all are as frequent
        known["parts"].append((spoken, fresh))
        known["both"].append((spoken, levels[0]))
    labels = np.array(labels)
    for reader, what in known.items():
        code = np.unique([str(one) for one in what], return_inverse=True)[1]
        counts = np.stack([np.bincount(code[labels == label], minlength=code.max() + 1) for label in (False, True)])
        assert counts.max(0).sum() / len(labels) == pytest.approx(ceiling(dishes, reader), abs=0.012), reader


def test_the_additive_ceiling_by_hand():
    """Two dishes: of four tables one is lost by half, the one on which the dish that is worth more is the bad one."""
    assert ceiling(2, "additive") == pytest.approx(0.1 + 0.9 * (3 + 0.5) / 4)
    assert ceiling(1, "additive") == ceiling(1, "both") == 1
    assert ceiling(4, "additive") == pytest.approx(0.1 + 0.9 * 51 / 64)
    assert ceiling(4, "both", label_noise=0.02) == pytest.approx(0.98)


def test_the_additive_ceiling_is_that_of_the_best_order_of_dishes():
    """All tables of 3 of 5 dishes, all scores: no scores beat the ceiling, and those in a strict order reach it."""
    rng, best = np.random.default_rng(0), 0.0
    for trial in range(40):
        worth = rng.permutation(5) if trial else np.arange(5)
        if trial > 20:
            worth = rng.integers(0, 3, 5)  # with ties
        right = []
        for table in itertools.combinations(range(5), 3):
            for levels in itertools.product((0, 1), repeat=3):
                right.append(max(sum((worth[dish] > cut) == level for dish, level in zip(table, levels))
                                 for cut in np.arange(-1, 6) + 0.5) / 3)
        best = max(best, float(np.mean(right)))
        assert 0.1 + 0.9 * np.mean(right) <= ceiling(3, "additive") + 1e-9
    assert 0.1 + 0.9 * best == pytest.approx(ceiling(3, "additive"))


@pytest.mark.parametrize(("options", "words"), [({"dishes": 0}, "dishes is 0"), ({"dishes": 7}, "dishes is 7"),
                                                ({"split": "dev"}, "split is"), ({"label_noise": 2}, "label_noise is")])
def test_what_makes_no_sense_is_refused(options, words):
    with pytest.raises(ValueError, match=words):
        PlacePosts(5, **options)
    with pytest.raises(ValueError, match="modalities is"):
        ceiling(4, "nose")


def test_a_table_is_drawn_at_any_size():
    for pixels in (16, 64, 224):
        picture, places = set_table(["burger", "soup"], [1, -1], np.random.default_rng(0), pixels)
        assert picture.size == (pixels, pixels)
        assert [place.dish for place in places] == ["burger", "soup"]
        assert all(0 <= place.left < place.right <= 1 and 0 <= place.top < place.bottom <= 1 for place in places)
