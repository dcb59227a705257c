"""Every way to go on without a side, measured for each choice of sides that is left."""

from functools import partial

import pytest
import torch

from mmsa_utils.encoders.base import Encoded
from mmsa_utils.fusion.absent import Absent
from mmsa_utils.learning import absence
from mmsa_utils.learning.absence import WAYS, best_without_picture, ways_to_miss
from mmsa_utils.learning.alignment import align
from mmsa_utils.learning.features import Features
from mmsa_utils.model.head import fresh
from mmsa_utils.posts.spoken import SpokenPosts

RIGHT = {"text": 0.9, "image": 0.8, "voice": 0.7}
CHOICES = ["text+image+voice", "text", "image", "voice", "text+image", "text+voice", "image+voice"]


def votes(n: int, seed: int, neutral: bool = False) -> Features:
    """Three sides, 4 wide and not around zero, each of which tells one of two moods with a chance of its own."""
    draw = torch.Generator().manual_seed(seed)
    labels, sides = torch.randint(2, (n,), generator=draw), {}
    for name, right in RIGHT.items():
        says = torch.where(torch.rand(n, generator=draw) < right, labels, 1 - labels)
        vectors = torch.randn(n, 4, generator=draw) * 0.3 + torch.tensor([3.0, 1, -2, 0])
        vectors[:, 0] += 0 if neutral else 2.0 * says - 1
        sides[name] = Encoded.of(vectors)
    return Features(sides, labels)


@pytest.fixture(scope="module", autouse=True)
def small():
    """Heads of few units and fewer passes: eight models are trained at each call."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(absence, "fresh", partial(fresh, hidden=16))
        patch.setattr(absence, "align", partial(align, epochs=10, lr=0.01))
        yield


@pytest.fixture(scope="module")
def found(small) -> dict:
    return ways_to_miss(votes(1500, 0), votes(400, 1), votes(1500, 2), votes(6, 3, neutral=True), outputs=1,
                        modality_dropout=0.5)


def test_every_choice_of_sides_has_every_way(found):
    assert list(found) == CHOICES
    assert set(found[CHOICES[0]]) == {"zeros", "absent"}
    for some in CHOICES[1:]:
        assert tuple(found[some]) == WAYS
        assert all(set(figures) == {"accuracy", "calibration_error"} for figures in found[some].values())


def test_who_learned_to_miss_reads_what_is_left_as_well_as_who_never_had_more(found):
    for some in ("text", "image", "voice"):
        figures = {way: row["accuracy"] for way, row in found[some].items()}
        assert figures["separate"] == pytest.approx(RIGHT[some], abs=0.03), some
        assert figures["absent"] > figures["separate"] - 0.03, some
        assert figures["average"] > figures["separate"] - 0.06, some
    assert found[CHOICES[0]]["absent"]["accuracy"] > found[CHOICES[0]]["zeros"]["accuracy"] - 0.02


def test_zeros_that_are_no_usual_feature_mislead(found):
    worst = max(found[some]["zeros"]["calibration_error"] - found[some]["absent"]["calibration_error"]
                for some in CHOICES[1:])
    assert worst > 0.05


def test_sides_that_are_left_out_are_not_looked_at():
    posts, checks, tested, plain = votes(100, 0), votes(40, 1), votes(40, 2), votes(3, 3, neutral=True)
    other = Features({**tested.sides, "voice": Encoded(tested.sides["voice"].tokens * -9, tested.sides["voice"].mask)},
                     tested.labels)
    one, two = (ways_to_miss(posts, checks, some, plain, outputs=1, seed=1) for some in (tested, other))
    assert all(one[some] == two[some] for some in CHOICES if "voice" not in some)
    assert one["voice"] != two["voice"]


def test_only_one_model_is_taught(monkeypatch):
    taught, real = [], partial(align, epochs=1)
    monkeypatch.setattr(absence, "align", lambda fusion, *rest, **options: (
        taught.append((isinstance(fusion, Absent), options["modality_dropout"])), real(fusion, *rest, **options))[1])
    ways_to_miss(votes(40, 0), votes(40, 1), votes(40, 2), votes(2, 3), modality_dropout=0.5, outputs=1)
    assert sorted(set(taught)) == [(False, 0.0), (True, 0.5)]
    assert len(taught) == 2 + 6


# --- the best that is possible where absence itself tells something ---


def test_absence_at_random_tells_nothing():
    posts = SpokenPosts(1)
    for share in (0.2, 1.0):
        assert best_without_picture(posts, dict.fromkeys((-1, 0, 1), share)) == pytest.approx(
            posts.ceiling("text+voice"), abs=1e-9)


def test_a_habit_is_a_sign():
    posts = SpokenPosts(1)
    bad = [state for state in posts.table if state.picture_level < 0]
    among = sum(state.share for state in bad)
    always = best_without_picture(posts, {-1: 0.5, 0: 0, 1: 0})  # as good as a picture, and known to be a bad one
    assert always > posts.ceiling("text+voice") + 0.05
    assert best_without_picture(posts, {-1: 0.8, 0: 0.3, 1: 0.1}) < always
    assert always >= max(sum(state.share for state in bad if state.valence == v) for v in (-1, 0, 1)) / among - 0.02


def test_habits_that_are_no_shares_are_refused():
    for habit in ({-1: 0.5}, {-1: 0.5, 0: 1.5, 1: 0}, {-1: 0, 0: 0, 1: 0}):
        with pytest.raises(ValueError, match="expected shares between 0 and 1"):
            best_without_picture(SpokenPosts(1), habit)
