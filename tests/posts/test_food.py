"""Generated posts follow their table and rule, splits are apart, and the same call gives the same posts."""

import itertools
import re
from collections import Counter

import numpy as np
import pytest
from helpers import drawn_in_words, generators
from PIL import Image, ImageChops

from mmsa_utils import BINARY_LABELS, LABELS, FoodPosts, SyntheticDataset, burger_example, judge, phrases, scenes
from mmsa_utils.posts.food import SPLITS, split_of

N = 1500


def same_picture(first: Image.Image, second: Image.Image) -> bool:
    return first.size == second.size and ImageChops.difference(first, second).getbbox() is None


def same_post(first, second) -> bool:
    fields = ("text", "label", "relation", "text_kind", "picture_level", "dish", "reason", "two_sided")
    return all(getattr(first, f) == getattr(second, f) for f in fields) and same_picture(first.image, second.image)


# --- shares ---


@pytest.mark.parametrize("noise", [0, 0.02, 0.3, 1])
def test_label_noise_replaces_that_share_of_the_labels(noise):
    posts = drawn_in_words(N, **({} if noise == 0.02 else {"label_noise": noise}))
    rule = np.array([judge(post.text_kind, post.picture_level)[0] + 1 for post in posts])
    labels = np.array([post.label for post in posts])
    assert (rule != labels).mean() == pytest.approx(noise, abs=4 * np.sqrt(noise * (1 - noise) / N))
    if noise == 1:  # both other labels get their turn
        assert len({*zip(rule, labels)}) == 6


@pytest.mark.parametrize("split", SPLITS)
def test_posts_have_the_shares_of_their_table(split):
    posts = drawn_in_words(N, split)
    labels = Counter(post.label for post in posts)
    relations = Counter(post.relation for post in posts)
    for share, count in [(1 / 3, labels[i]) for i in range(3)] + [
            (1 / 6, relations["refer"]), (0.2 * 5 / 6, relations["contradict"])]:
        assert count / N == pytest.approx(share, abs=3.5 * np.sqrt(share * (1 - share) / N))


def test_a_post_says_and_shows_its_state(monkeypatch):
    shown = []
    monkeypatch.setattr(scenes, "draw", lambda scene, size: shown.append(scene) or Image.new("RGB", (size, size)))
    for post in FoodPosts(300, label_noise=0):
        scene = shown[-1]
        assert scenes.level_of(scene) == post.picture_level
        assert scene.dish == post.dish
        assert post.dish in post.text
        assert (post.label - 1, post.relation, post.reason) == judge(post.text_kind, post.picture_level)
        words = {-2: -2, -1: -1, 0: 0, 1: 1, 2: 2}.get(post.text_kind)
        if words is not None and not post.two_sided and not re.search("not |hardly|far from", post.text):
            assert any(re.search(rf"\b{word}\b", post.text) for word in phrases.ADJECTIVES[words])


# --- splits ---


def test_no_text_is_in_two_splits():
    texts = {split: {post.text for posts in (drawn_in_words(N, split), drawn_in_words(300, split, seed=1))
                     for post in posts} for split in SPLITS}
    for first, second in itertools.combinations(SPLITS, 2):
        assert not texts[first] & texts[second], (first, second)
        bags = [{tuple(sorted(phrases.words_of(text))) for text in texts[split]} for split in (first, second)]
        assert not bags[0] & bags[1], (first, second)  # nor a text's twin, of the same words


def adjectives(words) -> set[str]:
    return {word for level in words.values() for word in level}


def test_unseen_adjectives_and_dishes_are_never_seen():
    assert not adjectives(phrases.ADJECTIVES) & adjectives(phrases.UNSEEN_ADJECTIVES)
    assert not set(scenes.TRAIN_DISHES) & set(scenes.UNSEEN_DISHES)
    dishes, words = {}, {}
    for split in SPLITS:
        posts = drawn_in_words(N, split)
        dishes[split] = {post.dish for post in posts}
        words[split] = {word for post in posts for word in re.findall(r"\w+", post.text.lower())}
    for split in ("train", "validation", "test"):
        assert dishes[split] == set(scenes.TRAIN_DISHES)
        assert not words[split] & adjectives(phrases.UNSEEN_ADJECTIVES), split
    assert dishes["unseen"] == set(scenes.UNSEEN_DISHES)
    assert adjectives(phrases.UNSEEN_ADJECTIVES) <= words["unseen"]
    assert not words["unseen"] & adjectives(phrases.ADJECTIVES)


@pytest.mark.parametrize("words", [phrases.ADJECTIVES, phrases.UNSEEN_ADJECTIVES])
def test_no_adjective_has_two_levels(words):
    counts = Counter(word for level in words.values() for word in level)
    assert [word for word, n in counts.items() if n > 1] == []


@pytest.mark.parametrize(("word", "expected"), [("usual", "a usual"), ("evening", "an evening"), ("plain", "a plain")])
def test_an_article_is_the_one_that_is_spoken(word, expected):
    assert phrases._article(word) == expected


def test_no_adverb_stands_before_a_bare_noun_and_no_waiter_is_a_which():
    rng = np.random.default_rng(0)
    texts = [phrases.twins(level, "soup", rng, unseen)[0] for level in (-2, -1, 1, 2) for unseen in (False, True)
             for _ in range(300)]
    adverbs = "|".join(word for words in phrases.ADVERBS.values() for word in words)
    assert [text for text in texts if re.match(rf"({adverbs}) ", text, re.IGNORECASE)] == []
    assert [text for text in texts if re.search("(waiter|staff), which", text)] == []


def test_there_are_sixty_adjectives_a_valence():
    sizes = {level: len(words) for level, words in phrases.ADJECTIVES.items()}
    assert min(sizes[-2] + sizes[-1], sizes[0], sizes[1] + sizes[2]) >= 60


# --- two sides in one text ---


@pytest.mark.parametrize("unseen", [False, True])
@pytest.mark.parametrize("level", [-2, -1, 1, 2])
def test_twins_have_the_same_words_and_opposite_levels(level, unseen):
    rng = np.random.default_rng(abs(level))
    words = phrases.UNSEEN_ADJECTIVES if unseen else phrases.ADJECTIVES
    for _ in range(200):
        text, twin = phrases.twins(level, "soup", rng, unseen)
        assert text != twin
        assert sorted(phrases.words_of(text)) == sorted(phrases.words_of(twin))
        assert split_of(text) == split_of(twin)
        for said in (level, -level):  # both are said, each with a word of its level
            assert any(re.search(rf"\b{word}\b", text.lower()) for word in words[said]), (text, said)


@pytest.mark.parametrize("form", phrases._BESIDE + phrases._DENIED)
def test_the_word_of_the_level_is_the_one_about_the_dish(form, monkeypatch):
    monkeypatch.setattr(phrases, "_BESIDE", (form,))
    monkeypatch.setattr(phrases, "_DENIED", (form,))
    rng = np.random.default_rng(0)
    for level in (2, -1):
        text, twin = phrases.twins(level, "soup", rng)
        for written, said in ((text, level), (twin, -level)):
            pattern = re.escape(form).replace(r"\{dish\}", "soup").replace(r"\{other\}", r"\w+").replace(
                r"\{a\}", r"(?P<a>.+?)").replace(r"\{b\}", r"(?P<b>.+?)")
            found = re.fullmatch(pattern + "[.!]", written, re.IGNORECASE)
            assert found["a"].lower().split()[-1] in phrases.ADJECTIVES[said], written
            assert found["b"].lower().split()[-1] in phrases.ADJECTIVES[-said], written


@pytest.mark.parametrize("level", [0, 3, "same", None, 1.5])
def test_a_text_without_a_feeling_has_no_twin(level):
    with pytest.raises(ValueError, match=r"level is .*: expected|level is .*, expected"):
        phrases.twins(level, "soup", np.random.default_rng(0))


@pytest.mark.parametrize(("options", "share"), [({}, 0.2), ({"two_sided": 0}, 0), ({"two_sided": 1}, 0.4955)])
def test_one_text_in_five_is_two_sided(options, share):
    posts = drawn_in_words(N, **options)
    found = [post for post in posts if post.two_sided]
    assert len(found) / N == pytest.approx(share, abs=3.5 * np.sqrt(share * (1 - share) / N) + 1e-9)
    assert {post.text_kind for post in found} <= {-2, -1, 1, 2}


def test_words_in_any_order_are_the_same_words_without_marks():
    text = "Even though the wine was dire, my soup was great!"
    mixed = phrases.in_any_order(text, np.random.default_rng(0))
    assert sorted(mixed.split()) == sorted("even though the wine was dire my soup was great".split())
    assert mixed.split() != text.lower().split()


# --- one post ---


def test_a_post_depends_on_seed_split_and_index_alone():
    short, long = FoodPosts(3, seed=5), FoodPosts(50, seed=5)
    late = long[2]
    for i in range(3):
        assert same_post(short[i], long[i])
    assert same_post(late, long[2])
    assert same_post(long[-1], long[49])
    assert not same_post(long[0], long[1])
    assert not same_post(long[0], FoodPosts(3, seed=6)[0])
    assert not same_post(long[0], FoodPosts(3, "test", seed=5)[0])


def test_length_and_iteration_agree():
    posts = FoodPosts(7)
    assert len(posts) == len(list(posts)) == 7
    assert posts.classes == LABELS


def test_pixels_set_the_size_of_the_picture():
    assert FoodPosts(1, pixels=100)[0].image.size == (100, 100)


def test_binary_view_has_no_neutral_posts():
    assert FoodPosts(1, binary=True).classes == BINARY_LABELS
    for post in drawn_in_words(400, binary=True, label_noise=0):
        valence = judge(post.text_kind, post.picture_level)[0]
        assert (valence, post.label) in {(-1, 0), (1, 1)}
    for post in drawn_in_words(400, binary=True, label_noise=1):
        assert post.label != (judge(post.text_kind, post.picture_level)[0] + 1) // 2


def test_the_burger_is_the_burger():
    burger = burger_example()
    assert (burger.text, LABELS[burger.label], burger.relation) == ("This burger is delicious!", "positive", "agree")
    assert burger.image.size == (64, 64)
    assert same_post(burger, burger_example())


def test_synthetic_posts_are_numbered_random_and_repeatable():
    posts = SyntheticDataset(400, pixels=8)
    assert [post.text for post in posts][:2] == ["This is sample text 0", "This is sample text 1"]
    labels = [post.label for post in posts]
    assert set(labels) == {0, 1}
    assert np.mean(labels) == pytest.approx(0.5, abs=0.1)
    assert posts[3].image.size == (8, 8)
    assert same_post(posts[3], SyntheticDataset(4, pixels=8)[3])
    assert not same_picture(posts[3].image, posts[4].image)
    assert not same_picture(posts[3].image, SyntheticDataset(4, seed=1, pixels=8)[3].image)


def test_global_random_state_is_left_alone():
    before = generators()
    posts = FoodPosts(5)
    list(posts)
    list(SyntheticDataset(5))
    burger_example()
    posts.ceiling("additive")
    assert generators() == before


# --- what is refused ---


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: FoodPosts(-3), "n is -3"),
        (lambda: FoodPosts(5, "dev"), "split is 'dev', expected one of"),
        (lambda: FoodPosts(5, label_noise=1.5), r"label_noise is 1\.5"),
        (lambda: FoodPosts(5, conflict=2), "conflict is 2"),
    ],
)
def test_impossible_data_sets_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


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


@pytest.mark.parametrize("posts", [FoodPosts(5), SyntheticDataset(5)])
@pytest.mark.parametrize("index", [5, -6, 100])
def test_an_index_without_a_post_is_refused(posts, index):
    with pytest.raises(IndexError, match=f"index is {index}, expected .*5"):
        posts[index]


def test_an_unknown_kind_of_text_is_refused():
    with pytest.raises(ValueError, match="kind is 'sideways', expected one of"):
        phrases.write("sideways", "soup", np.random.default_rng(0))


@pytest.mark.parametrize("dish", scenes.DISHES)
@pytest.mark.parametrize("size", [1, 7, 32, 63, 64, 65])
def test_every_dish_is_drawn_at_any_size(dish, size):
    picture = scenes.draw(scenes.random_scene(dish, 2, np.random.default_rng(0)), size)
    assert picture.size == (size, size)
    with pytest.raises(ValueError, match="size is 0"):
        scenes.draw(scenes.random_scene(dish, 2, np.random.default_rng(0)), 0)
