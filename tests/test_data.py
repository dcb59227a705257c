"""Posts follow their table and rule, ceilings are true, splits are apart, and the same call gives the same posts."""

import itertools
import re
from collections import Counter

import numpy as np
import pytest
import torch
from helpers import generators
from PIL import Image, ImageChops

from mmsa_utils import phrases, scenes
from mmsa_utils.data import SPLITS, FoodPosts, SyntheticDataset, burger_example, make_loader
from mmsa_utils.rules import BINARY_LABELS, LABELS, MVSA, ceiling, judge, post_table

LEVELS = (-2, -1, 0, 1, 2)
CONFLICTS = (0, 0.05, 0.2, 0.5, 0.9, 1)
# One row a text, one column a picture, both from -2 to 2: the valence that the rule gives.
VALENCES = """
    -  -  -  -  0
    -  -  -  0  +
    -  -  0  +  +
    -  0  +  +  +
    -  +  +  +  +
"""
RELATIONS = """
    a  a  s  c  c
    a  a  s  c  c
    s  s  a  s  s
    c  c  s  a  a
    c  c  s  a  a
"""


def grid(drawn: str) -> dict[tuple[int, int], str]:
    return dict(zip(itertools.product(LEVELS, LEVELS), drawn.split()))


def same_picture(first: Image.Image, second: Image.Image) -> bool:
    return first.size == second.size and ImageChops.difference(first, second).getbbox() is None


def same_post(first, second) -> bool:
    fields = ("text", "label", "relation", "text_kind", "picture_level", "dish", "reason")
    return all(getattr(first, f) == getattr(second, f) for f in fields) and same_picture(first.image, second.image)


@pytest.fixture
def undrawn(monkeypatch):
    """Posts without their pictures, for tests that need many."""
    blank = Image.new("RGB", (1, 1))
    monkeypatch.setattr(scenes, "draw", lambda scene, size=64: blank)


# --- the label rule ---


@pytest.mark.parametrize(("text", "picture"), list(itertools.product(LEVELS, LEVELS)))
def test_rule_for_texts_that_speak_for_themselves(text, picture):
    valence, relation, reason = judge(text, picture)
    assert "-0+"[valence + 1] == grid(VALENCES)[text, picture]
    assert relation[0] == grid(RELATIONS)[text, picture]
    assert ("sarcasm" in reason) == ((text, picture) == (2, -2))


@pytest.mark.parametrize("picture", LEVELS)
def test_rule_for_texts_that_talk_about_their_picture(picture):
    sign = (picture > 0) - (picture < 0)
    assert judge("same", picture)[:2] == (sign, "refer")
    assert judge("opposite", picture)[:2] == (-sign, "refer")


# --- the table ---


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("conflict", CONFLICTS)
def test_shares_of_the_table_are_exact(conflict, binary):
    table = post_table(conflict, binary)
    valences, relations = Counter(), Counter()
    for state in table:
        assert state.share > 0
        assert (state.valence, state.relation) == judge(state.text_kind, state.picture_level)[:2]
        valences[state.valence] += state.share
        relations[state.relation] += state.share
    classes = (-1, 1) if binary else (-1, 0, 1)
    assert dict(valences) == pytest.approx(dict.fromkeys(classes, 1 / len(classes)))
    assert relations["refer"] == pytest.approx(1 / 6)
    assert relations["contradict"] == pytest.approx(conflict * 5 / 6)


def test_table_holds_each_state_once():
    pairs = [(state.text_kind, state.picture_level) for state in post_table()]
    assert sorted(pairs, key=str) == sorted(itertools.product(phrases.KINDS, LEVELS), key=str)
    assert len(pairs) == 35


def test_mvsa_counts_add_up():
    assert MVSA.sum() == 4869
    assert np.trace(MVSA) / MVSA.sum() == pytest.approx(0.53, abs=0.01)
    assert (MVSA[0, 2] + MVSA[2, 0]) / MVSA.sum() == pytest.approx(0.074, abs=0.001)


@pytest.mark.parametrize("conflict", [-0.1, 1.1, float("nan")])
def test_an_impossible_conflict_is_refused(conflict):
    with pytest.raises(ValueError, match=f"conflict is {conflict}, expected a share between 0 and 1"):
        post_table(conflict)


# --- ceilings ---


def joint_of(table, label_noise: float = 0.0) -> np.ndarray:
    """(kind, level, label) probabilities, written anew."""
    valences = sorted({state.valence for state in table})
    joint = np.zeros((len(phrases.KINDS), len(LEVELS), len(valences)))
    for state in table:
        for i, valence in enumerate(valences):
            given = 1 - label_noise if valence == state.valence else label_noise / (len(valences) - 1)
            joint[phrases.KINDS.index(state.text_kind), LEVELS.index(state.picture_level), i] += given * state.share
    return joint


@pytest.mark.parametrize("label_noise", [0, 0.02, 0.5, 0.9])
@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("conflict", [0, 0.2, 0.9])
def test_ceilings_equal_the_bayes_rule(conflict, binary, label_noise):
    table = post_table(conflict, binary)
    joint = joint_of(table, label_noise)
    assert ceiling(table, "text", label_noise) == pytest.approx(joint.sum(1).max(-1).sum())
    assert ceiling(table, "image", label_noise) == pytest.approx(joint.sum(0).max(-1).sum())
    assert ceiling(table, "both", label_noise) == pytest.approx(joint.max(-1).sum())


@pytest.mark.parametrize("options", [{}, {"binary": True}, {"conflict": 0.5, "label_noise": 0.2}])
def test_a_reader_fitted_on_the_table_reaches_the_ceilings(undrawn, options):
    posts = FoodPosts(2500, "test", **options)
    joint = joint_of(posts.table, posts.label_noise)
    states = [(phrases.KINDS.index(post.text_kind), LEVELS.index(post.picture_level)) for post in posts]
    kinds, levels = np.array(states).T
    labels = np.array([post.label for post in posts])
    readers = {"text": joint.sum(1)[kinds], "image": joint.sum(0)[levels], "both": joint[kinds, levels]}
    for modalities, scores in readers.items():
        reached = (scores.argmax(-1) == labels).mean()
        error = 4 * np.sqrt(reached * (1 - reached) / len(labels))
        assert reached == pytest.approx(posts.ceiling(modalities), abs=max(error, 1e-9)), modalities


def search_additive(joint: np.ndarray, tries: int, rng: np.random.Generator) -> float:
    """Hill climbing from many starts: whole-number picture scores; the text's best answer to each is exhaustive.

    Given the picture's scores b, each kind of text may pick its own scores a alone. If b is whole-numbered, then
    a = (0, i + 1/3, j + 2/3) and (0, i + 2/3, j + 1/3) over all i and j meet every order that any real a can meet.
    """
    classes, width = joint.shape[-1], 7
    steps = np.arange(-width, width)
    if classes == 2:
        offsets = np.stack([0 * steps, steps + 0.5], -1)
    else:
        i, j = (axis.ravel() for axis in np.meshgrid(steps, steps))
        offsets = np.stack([np.tile(0 * i, 2), np.r_[i + 1 / 3, i + 2 / 3], np.r_[j + 2 / 3, j + 1 / 3]], -1)

    def reached(b: np.ndarray) -> float:
        answers = (offsets[:, None] + b).argmax(-1)  # (candidate, level)
        return sum(kind[np.arange(len(b)), answers].sum(-1).max() for kind in joint)

    best = 0.0
    for _ in range(tries):
        b = rng.integers(-3, 4, joint.shape[1:])
        score = reached(b)
        for _ in range(150):
            moved = b.copy()
            moved[rng.integers(len(b))] = rng.integers(-3, 4, classes)
            if (new := reached(moved)) >= score:
                b, score = moved, new
        best = max(best, score)
    return best


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("conflict", [0, 0.2, 0.5])
def test_additive_ceiling_is_what_a_search_finds(conflict, binary):
    table = post_table(conflict, binary)
    joint = joint_of(table, 0.02)
    found = search_additive(joint, 8, np.random.default_rng(0))
    assert found == pytest.approx(ceiling(table, "additive", 0.02), abs=1e-6)


@pytest.mark.parametrize("conflict", CONFLICTS)
def test_ceilings_are_in_order(conflict):
    table = post_table(conflict)
    text, image, additive, both = (ceiling(table, m) for m in ("text", "image", "additive", "both"))
    assert 1 / 3 < max(text, image) <= additive + 1e-9 < both == pytest.approx(1)


def test_ceiling_with_label_noise_is_what_the_noise_leaves():
    assert FoodPosts(1, label_noise=0.02).ceiling() == pytest.approx(0.98)
    assert FoodPosts(1, label_noise=0).ceiling() == pytest.approx(1)


def test_additive_ceiling_prints_nothing(capfd):
    ceiling(post_table(), "additive")
    assert capfd.readouterr() == ("", "")


def test_an_unknown_reader_is_refused():
    with pytest.raises(ValueError, match="modalities is 'audio', expected"):
        FoodPosts(1).ceiling("audio")


# --- food posts ---


@pytest.mark.parametrize("noise", [0, 0.02, 0.3, 1])
def test_label_noise_replaces_that_share_of_the_labels(undrawn, noise):
    posts = list(FoodPosts(2000, label_noise=noise))
    rule = np.array([judge(post.text_kind, post.picture_level)[0] + 1 for post in posts])
    labels = np.array([post.label for post in posts])
    assert (rule != labels).mean() == pytest.approx(noise, abs=4 * np.sqrt(noise * (1 - noise) / 2000))
    if noise == 1:  # both other labels get their turn
        assert len({*zip(rule, labels)}) == 6


@pytest.mark.parametrize("split", SPLITS)
def test_posts_have_the_shares_of_their_table(undrawn, split):
    posts = list(FoodPosts(2000, split, conflict=0.3, label_noise=0))
    labels = Counter(post.label for post in posts)
    relations = Counter(post.relation for post in posts)
    assert [labels[i] / 2000 for i in range(3)] == pytest.approx([1 / 3] * 3, abs=0.035)
    assert relations["refer"] / 2000 == pytest.approx(1 / 6, abs=0.03)
    assert relations["contradict"] / 2000 == pytest.approx(0.25, abs=0.03)


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
        if words is not None and not re.search("not |hardly|far from", post.text):
            assert any(re.search(rf"\b{word}\b", post.text) for word in phrases.ADJECTIVES[words])


def test_no_text_is_in_two_splits(undrawn):
    texts = {split: {post.text for seed in (0, 1) for post in FoodPosts(1000, split, seed=seed)} for split in SPLITS}
    for first, second in itertools.combinations(SPLITS, 2):
        assert not texts[first] & texts[second], (first, second)


def adjectives(words) -> set[str]:
    return {word for level in words.values() for word in level}


def test_unseen_adjectives_and_dishes_are_never_seen(undrawn):
    assert not adjectives(phrases.ADJECTIVES) & adjectives(phrases.UNSEEN_ADJECTIVES)
    assert not set(scenes.TRAIN_DISHES) & set(scenes.UNSEEN_DISHES)
    dishes, words = {}, {}
    for split in SPLITS:
        posts = list(FoodPosts(1200, split))
        dishes[split] = {post.dish for post in posts}
        words[split] = {word for post in posts for word in re.findall(r"\w+", post.text.lower())}
    for split in ("train", "validation", "test"):
        assert dishes[split] == set(scenes.TRAIN_DISHES)
        assert not words[split] & adjectives(phrases.UNSEEN_ADJECTIVES), split
    assert dishes["unseen"] == set(scenes.UNSEEN_DISHES)
    assert adjectives(phrases.UNSEEN_ADJECTIVES) <= words["unseen"]
    frames = {"shared", "round"}  # "We shared ...", "... the other way round"
    assert not words["unseen"] & adjectives(phrases.ADJECTIVES) - frames


@pytest.mark.parametrize("words", [phrases.ADJECTIVES, phrases.UNSEEN_ADJECTIVES])
def test_no_adjective_has_two_levels(words):
    counts = Counter(word for level in words.values() for word in level)
    assert [word for word, n in counts.items() if n > 1] == []


def test_there_are_sixty_adjectives_a_valence():
    sizes = {level: len(words) for level, words in phrases.ADJECTIVES.items()}
    assert min(sizes[-2] + sizes[-1], sizes[0], sizes[1] + sizes[2]) >= 60


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


def test_length_and_iteration_agree(undrawn):
    posts = FoodPosts(7)
    assert len(posts) == len(list(posts)) == 7
    assert posts.classes == LABELS


def test_pixels_set_the_size_of_the_picture():
    assert FoodPosts(1, pixels=100)[0].image.size == (100, 100)


def test_binary_view_has_no_neutral_posts(undrawn):
    posts = FoodPosts(400, binary=True, label_noise=0)
    assert posts.classes == BINARY_LABELS
    for post in posts:
        valence = judge(post.text_kind, post.picture_level)[0]
        assert (valence, post.label) in {(-1, 0), (1, 1)}
    noisy = FoodPosts(400, binary=True, label_noise=1)
    assert all(post.label != (judge(post.text_kind, post.picture_level)[0] + 1) // 2 for post in noisy)


def test_global_random_state_is_left_alone():
    before = generators()
    posts = FoodPosts(5)
    list(posts)
    list(SyntheticDataset(5))
    burger_example()
    posts.ceiling("additive")
    next(iter(make_loader(posts, Plain(), shuffle=True)))
    assert generators() == before


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: FoodPosts(0), "n is 0: expected at least one post"),
        (lambda: FoodPosts(-3), "n is -3"),
        (lambda: SyntheticDataset(0), "n is 0"),
        (lambda: FoodPosts(5, "dev"), "split is 'dev', expected one of"),
        (lambda: FoodPosts(5, label_noise=1.5), r"label_noise is 1\.5"),
        (lambda: FoodPosts(5, conflict=2), "conflict is 2"),
        (lambda: make_loader([], Plain()), "the data set is empty"),
    ],
)
def test_impossible_data_sets_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("posts", [FoodPosts(5), SyntheticDataset(5)])
@pytest.mark.parametrize("index", [5, -6, 100])
def test_an_index_without_a_post_is_refused(posts, index):
    with pytest.raises(IndexError, match=f"index is {index}, expected .*5"):
        posts[index]


def test_an_unknown_kind_of_text_is_refused():
    with pytest.raises(ValueError, match="kind is 'sideways', expected one of"):
        phrases.write("sideways", "soup", np.random.default_rng(0))


# --- the other posts ---


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


def test_the_burger_is_the_burger():
    burger = burger_example()
    assert (burger.text, LABELS[burger.label], burger.relation) == ("This burger is delicious!", "positive", "agree")
    assert burger.image.size == (64, 64)
    assert same_post(burger, burger_example())


# --- batches ---


class Plain:
    """What `make_loader` asks of a model."""

    def prepare(self, texts, images):
        return {
            "input_ids": torch.tensor([[len(text)] for text in texts]),
            "attention_mask": torch.ones(len(texts), 1, dtype=torch.long),
            "pixel_values": torch.stack([torch.from_numpy(np.array(image)).permute(2, 0, 1) for image in images]),
        }


def test_batches_carry_hugging_face_names():
    posts = FoodPosts(7, pixels=16)
    batches = list(make_loader(posts, Plain(), batch_size=4))
    assert [set(batch) for batch in batches] == [{"input_ids", "attention_mask", "pixel_values", "labels"}] * 2
    assert [tuple(batch["pixel_values"].shape) for batch in batches] == [(4, 3, 16, 16), (3, 3, 16, 16)]
    assert torch.cat([batch["labels"] for batch in batches]).tolist() == [post.label for post in posts]
    assert batches[0]["labels"].dtype == torch.int64


def order(loader) -> list[int]:
    return torch.cat([batch["pixel_values"][:, 0, 0, 0] for batch in loader]).tolist()


def test_shuffling_is_new_each_epoch_and_repeats_with_the_seed():
    posts = list(SyntheticDataset(64, pixels=2))
    plain = order(make_loader(posts, Plain()))
    loader = make_loader(posts, Plain(), shuffle=True, seed=1)
    first, second = order(loader), order(loader)
    assert len({tuple(plain), tuple(first), tuple(second)}) == 3
    assert sorted(first) == sorted(second) == sorted(plain)
    again = make_loader(posts, Plain(), shuffle=True, seed=1)
    assert (order(again), order(again)) == (first, second)
    assert order(make_loader(posts, Plain(), shuffle=True, seed=2)) != first
