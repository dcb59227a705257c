"""Spoken posts: the rule for three sides, the table, and the ceilings of all subsets, each checked by another way."""

import itertools
from collections import Counter

import numpy as np
import pytest

from mmsa_utils.posts import phrases
from mmsa_utils.posts.food import split_of
from mmsa_utils.posts.scenes import TRAIN_DISHES, UNSEEN_DISHES
from mmsa_utils.posts.spoken import (
    LEVELS,
    SHARES,
    SLIPS,
    SPOKEN_RELATIONS,
    TONES,
    SpokenPosts,
    heard_as,
    judge_three,
    make_spoken,
    spoken_ceiling,
    spoken_table,
)
from mmsa_utils.posts.voices import SPEAKERS, UNSEEN_SPEAKERS

SIDES = ("text", "image", "voice")
SUBSETS = ("text", "image", "voice", "text+image", "text+voice", "image+voice", "all")


def same(one, two) -> bool:
    return (one.text == two.text and one.image.tobytes() == two.image.tobytes()
            and np.array_equal(one.voice.samples, two.voice.samples))


# --- the rule ---


@pytest.mark.parametrize(("state", "valence", "relation"), [
    ((2, 2, "flat"), -1, "sarcasm"), ((1, 0, "flat"), -1, "sarcasm"), ((2, -2, "flat"), -1, "sarcasm"),
    ((-2, 2, "flat"), 0, "duel"), ((0, 1, "flat"), 1, "soft"), ((0, 0, "flat"), 0, "agree"),
    ((-1, -2, "flat"), -1, "agree"), ((2, -2, 1), 1, "outvoted"), ((2, -2, -1), -1, "outvoted"),
    ((2, 2, -2), 1, "outvoted"), ((2, 0, -1), -1, "duel"), ((0, -2, 1), 1, "duel"), ((2, -2, 0), 0, "duel"),
    ((0, 0, 2), 1, "soft"), ((2, 1, 0), 1, "agree"), ((-1, -1, -2), -1, "agree"), ((0, 0, 0), 0, "agree")])
def test_the_rule_by_hand(state, valence, relation):
    assert judge_three(*state)[:2] == (valence, relation)


def test_the_rule_looks_at_signs_alone():
    for text, picture, tone in itertools.product(LEVELS, LEVELS, TONES):
        signs = np.sign(text), np.sign(picture), tone if tone == "flat" else np.sign(tone)
        assert judge_three(text, picture, tone) == judge_three(*signs)


# --- the table ---


def test_the_table_holds_each_state_once_and_its_shares_are_exact():
    table = spoken_table()
    assert {state[:3] for state in table} == set(itertools.product(LEVELS, LEVELS, TONES))
    assert len(table) == 150
    valences, relations = Counter(), Counter()
    for state in table:
        assert state[3:5] == judge_three(*state[:3])[:2]
        assert state.share > 0
        valences[state.valence] += state.share
        relations["nobody" if state[3:5] == (0, "agree") else state.relation] += state.share
    assert dict(valences) == pytest.approx(dict.fromkeys((-1, 0, 1), 1 / 3))
    assert {name: relations[name] for name in SHARES} == pytest.approx(SHARES)
    assert set(relations) == {*SPOKEN_RELATIONS, "nobody"}


def test_a_clip_in_six_sounds_one_step_off():
    for tone in TONES:
        sounds = heard_as(tone)
        assert sum(sounds.values()) == pytest.approx(1)
        assert sounds[tone] == pytest.approx(1 - SLIPS)
        level = 0 if tone == "flat" else tone
        assert all(abs(heard - level) == (0 if tone == "flat" else 1) for heard in sounds if heard != tone)


# --- ceilings ---


@pytest.fixture(scope="module")
def known():
    """Many posts' states without their sides: (text, picture, what is heard) levels, and labels with their noise."""
    table, rng, n = spoken_table(), np.random.default_rng(0), 200_000
    at = rng.choice(len(table), n, p=[state.share for state in table])
    heard = np.empty(n, object)
    for i, state in enumerate(table):
        here, sounds = np.flatnonzero(at == i), heard_as(state.tone)
        heard[here] = np.array(list(sounds), object)[rng.choice(len(sounds), len(here), p=list(sounds.values()))]
    labels = np.array([state.valence + 1 for state in table])[at]
    labels = np.where(rng.random(n) < 0.02, (labels + rng.integers(1, 3, n)) % 3, labels)
    codes = [np.array([LEVELS.index(state[i]) for state in table])[at] for i in (0, 1)]
    return [*codes, np.array([TONES.index(one) for one in heard])], labels


@pytest.mark.parametrize("reader", SUBSETS)
def test_ceilings_are_what_the_best_reader_reaches(known, reader):
    """Taught on half of the posts what is commonest of all that he may know, strengths too; asked on the rest."""
    levels, labels = known
    sides = [level for name, level in zip(SIDES, levels) if reader == "all" or name in reader.split("+")]
    code = np.ravel_multi_index(sides, [6] * len(sides))
    half = len(labels) // 2
    counts = np.zeros((6 ** len(sides), 3))
    np.add.at(counts, (code[:half], labels[:half]), 1)
    reached = (counts.argmax(1)[code[half:]] == labels[half:]).mean()
    assert reached == pytest.approx(SpokenPosts(1).ceiling(reader), abs=0.006)


def test_the_additive_ceiling_is_what_a_search_finds():
    """Annealing over whole-numbered scores, one changed at a time; a worse one is kept the less, the later it is."""
    joint = np.zeros((3, 3, 6, 3))
    for state in spoken_table():
        for heard, share in heard_as(state.tone).items():
            at = np.sign(state.text_level) + 1, np.sign(state.picture_level) + 1, TONES.index(heard)
            joint[at] += state.share * share * np.where(np.arange(3) == state.valence + 1, 0.98, 0.01)
    joint = joint.reshape(54, 3)
    which = np.stack([np.repeat([0, 1, 2], 18), np.tile(np.repeat([3, 4, 5], 6), 3), np.tile(np.arange(6, 12), 9)])
    rng, best, cells = np.random.default_rng(0), 0.0, np.arange(54)
    for _ in range(3):
        scores, now, steps = np.zeros((12, 3)), 0.0, 5000
        changes, luck = rng.integers([12, 3, 13], size=(steps, 3)) - [0, 0, 6], rng.exponential(size=steps)
        for step, (reading, answer, score) in enumerate(changes):
            before, scores[reading, answer] = scores[reading, answer], score
            reached = joint[cells, (scores[which].sum(0) + [0, 0.1, 0.2]).argmax(1)].sum()
            if reached > now - 0.01 * luck[step] * (1 - step / steps) ** 2:
                now = reached
            else:
                scores[reading, answer] = before
            best = max(best, now)
    assert best == pytest.approx(SpokenPosts(1).ceiling("additive"), abs=1e-6)


def test_each_side_more_is_worth_something():
    posts = SpokenPosts(1, label_noise=0)
    for pair in itertools.combinations(SIDES, 2):
        assert max(posts.ceiling(side) for side in pair) + 0.05 < posts.ceiling("+".join(pair)) < posts.ceiling() - 0.1
    assert posts.ceiling("text+image") < posts.ceiling("additive") < posts.ceiling() - 0.03
    assert posts.ceiling() < 1  # slips of the voice
    assert spoken_ceiling(spoken_table(), "all", 2 / 3) == pytest.approx(1 / 3)
    with pytest.raises(ValueError, match="modalities is 'both', expected one of"):
        posts.ceiling("both")


# --- the posts ---


def test_a_post_is_its_seed_split_and_index_alone():
    assert same(SpokenPosts(5)[3], SpokenPosts(50)[3])
    assert same(SpokenPosts(5)[-1], SpokenPosts(5)[4])
    assert not same(SpokenPosts(5, seed=1)[3], SpokenPosts(5)[3])
    assert not same(SpokenPosts(5, "test")[3], SpokenPosts(5)[3])


@pytest.mark.parametrize("split", ["train", "test", "unseen"])
def test_posts_keep_the_rule_their_words_dishes_and_speakers(split):
    posts = SpokenPosts(40, split, label_noise=0)[:]
    dishes, speakers = (UNSEEN_DISHES, UNSEEN_SPEAKERS) if split == "unseen" else (TRAIN_DISHES, SPEAKERS)
    for post in posts:
        valence, relation, reason = judge_three(post.text_kind, post.picture_level, post.tone)
        assert (post.label, post.relation, post.reason) == (valence + 1, relation, reason)
        assert post.dish in dishes
        assert post.dish in post.text.lower()
        assert post.speaker in {speaker.name for speaker in speakers}
        assert split in ("unseen", split_of(post.text))
        assert 2 < post.voice.seconds < 3
    assert any(post.two_sided for post in posts)
    if split == "unseen":
        old = {word for words in phrases.ADJECTIVES.values() for word in words}
        assert not any(old & set(phrases.words_of(post.text)) for post in posts if post.text_kind in (-2, 2))


def test_noise_replaces_labels_as_often_as_asked():
    clean, noisy = (SpokenPosts(12, label_noise=noise)[:] for noise in (0, 1))
    assert all(one.label != two.label and same(one, two) for one, two in zip(clean, noisy))


def test_a_post_of_ones_own_choice():
    happy, flat = (make_spoken(2, 2, tone, "soup", seed=4, speaker="Leo") for tone in (2, "flat"))
    assert (happy.text, happy.image.tobytes()) == (flat.text, flat.image.tobytes())
    assert (happy.label, flat.label, flat.relation) == (2, 0, "sarcasm")
    assert (flat.tone, flat.speaker, flat.dish) == ("flat", "Leo", "soup")
    assert len(happy.voice.samples) == len(flat.voice.samples)


@pytest.mark.parametrize(("given", "words"), [((3, 0, 0), "text_level is 3"), ((0, 0, "angry"), "tone is 'angry'"),
                                              ((0, 7, 0), "level is 7")])
def test_what_does_not_exist_is_refused(given, words):
    with pytest.raises(ValueError, match=words):
        make_spoken(*given)
    with pytest.raises(ValueError, match="speaker is 'Zoe', expected one of Ada"):
        make_spoken(0, 0, 0, speaker="Zoe")
    with pytest.raises(ValueError, match="split is 'dev'"):
        SpokenPosts(5, "dev")
    with pytest.raises(ValueError, match="label_noise is 2"):
        SpokenPosts(5, label_noise=2)
