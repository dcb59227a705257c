"""The label rule, the table of states and its ceilings: exact, each checked by another way to the same number."""

import itertools
from collections import Counter

import numpy as np
import pytest
from helpers import drawn_in_words

from mmsa_utils import MVSA, FoodPosts, ceiling, judge, phrases, post_table

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


# --- the rule ---


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
def test_a_reader_fitted_on_the_table_reaches_the_ceilings(options):
    posts = FoodPosts(1500, "test", **options)
    joint = joint_of(posts.table, posts.label_noise)
    drawn = drawn_in_words(1500, "test", **options)
    states = [(phrases.KINDS.index(post.text_kind), LEVELS.index(post.picture_level)) for post in drawn]
    kinds, levels = np.array(states).T
    labels = np.array([post.label for post in drawn])
    readers = {"text": joint.sum(1)[kinds], "image": joint.sum(0)[levels], "both": joint[kinds, levels]}
    for modalities, scores in readers.items():
        reached = (scores.argmax(-1) == labels).mean()
        error = 4 * np.sqrt(reached * (1 - reached) / len(labels))
        assert reached == pytest.approx(posts.ceiling(modalities), abs=max(error, 1e-9)), modalities


@pytest.mark.parametrize("two_sided", [0, 0.4, 1])
@pytest.mark.parametrize("binary", [False, True])
def test_a_reader_of_words_in_any_order_reaches_its_ceiling(binary, two_sided):
    """It knows that a two-sided text says -2 and 2, or -1 and 1, and not which of them of the dish."""
    posts, drawn = (make(1500, "test", binary=binary, two_sided=two_sided) for make in (FoodPosts, drawn_in_words))
    joint, place = joint_of(posts.table, posts.label_noise), phrases.KINDS.index
    by_text, labels = joint.sum(1), np.array([post.label for post in drawn])
    answers: dict[str, list] = {"text_any_order": [], "any_order": []}
    for post in drawn:
        kinds = [post.text_kind, -post.text_kind] if post.two_sided else [post.text_kind]
        answers["text_any_order"].append(sum(by_text[place(kind)] for kind in kinds).argmax())
        level = LEVELS.index(post.picture_level)
        answers["any_order"].append(sum(joint[place(kind), level] for kind in kinds).argmax())
    for modalities, given in answers.items():
        reached = (np.array(given) == labels).mean()
        error = 4 * np.sqrt(reached * (1 - reached) / len(labels))
        assert reached == pytest.approx(posts.ceiling(modalities), abs=max(error, 1e-9)), modalities
    if not two_sided:
        assert posts.ceiling("any_order") == posts.ceiling("both")


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
