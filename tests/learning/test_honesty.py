"""The honesty board: what costs nothing stands beside every fusion, on the same posts."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mmsa_utils.encoders.base import Encoded
from mmsa_utils.encoders.given import GivenEncoder
from mmsa_utils.learning import comparison
from mmsa_utils.learning.features import Features
from mmsa_utils.learning.honesty import count_words, honesty_board
from mmsa_utils.learning.own_correction import correct
from mmsa_utils.model.model import MultimodalSentimentModel

WORDS = (("awful", "gloomy", "wretched"), ("table", "monday", "train"), ("lovely", "bright", "splendid"))


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(comparison, "EPOCHS", 6)


def drawn(n, seed, numbers=False, tokens=1, gone=0.0):
    """Posts whose vectors tell the label by the text well, by the picture hardly; and whose words tell it in part."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(3, n, p=(0.3, 0.2, 0.5))
    heard = np.where(rng.random(n) < 0.8, labels, rng.integers(3, size=n))  # what the words say
    texts = tuple(f"so {rng.choice(WORDS[said])} and {rng.choice(WORDS[said])} today" for said in heard)
    text = np.eye(3)[labels][:, None] * 2 + rng.normal(0, 1, (n, tokens, 3))
    image = np.eye(3)[labels][:, None] * 0.3 + rng.normal(0, 1, (n, tokens, 3))
    mask = torch.ones(n, tokens, dtype=torch.bool)
    lacks = torch.from_numpy(rng.random(n) < gone)
    sides = {"text": Encoded(torch.from_numpy(text).float(), mask),
             "image": Encoded(torch.from_numpy(image).float(), mask & ~lacks[:, None])}
    wanted = torch.from_numpy(labels - 1.0).float() if numbers else torch.from_numpy(labels)
    return Features(sides, wanted, texts=texts)


def sets_of(numbers=False, **options):
    return {name: drawn(n, seed, numbers, **options) for seed, (name, n) in enumerate(
        {"train": 300, "validation": 100, "test": 300}.items())}


def reader(numbers=False, fusion="concat", absent=False):
    return MultimodalSentimentModel(GivenEncoder("text", 3), GivenEncoder("image", 3), fusion=fusion, absent=absent,
                                    classes=None if numbers else ("no", "so", "yes"), frozen=True)


def test_every_rival_is_measured_and_the_better_of_them_is_seen_to_be_better():
    sets = sets_of()
    board = honesty_board(reader(), sets, ["concat", "additive"], seeds=2, show_progress=False)
    rivals, gaps = board["rivals"], board["differences"]
    assert list(rivals) == ["majority", "tfidf", "text", "image", "concat", "additive"]
    commonest = (sets["test"].labels == sets["train"].labels.bincount().argmax()).double().mean()
    assert rivals["majority"]["accuracy"]["mean"] == pytest.approx(float(commonest))
    assert rivals["majority"]["macro_f1"] == pytest.approx(2 * commonest / (1 + commonest) / 3)
    assert 0.75 < rivals["tfidf"]["accuracy"]["mean"] < 0.95  # of what 0.8 + 0.2 / 3 of the words say
    assert rivals["text"]["accuracy"]["mean"] > rivals["image"]["accuracy"]["mean"] + 0.2
    for name, row in rivals.items():
        assert row["accuracy"]["low"] <= row["accuracy"]["mean"] <= row["accuracy"]["high"]
        assert ("parameters" in row) == (name not in ("majority", "tfidf"))
    assert gaps["image"]["text"]["low"] < gaps["image"]["text"]["high"] < -0.1
    assert gaps["concat"]["text"]["difference"] == pytest.approx(
        rivals["concat"]["accuracy"]["mean"] - rivals["text"]["accuracy"]["mean"])
    assert "majority" not in gaps
    assert "text" not in gaps["text"]


def test_the_test_posts_choose_nothing():
    """With the labels of the test posts dealt out anew every choice, and so every answer, is the same as before."""
    sets = sets_of()
    other = {**sets, "test": Features(sets["test"].sides, sets["test"].labels.flip(0), texts=sets["test"].texts)}
    boards = [honesty_board(reader(), some, ["gated"], seeds=1, show_progress=False) for some in (sets, other)]
    assert boards[0]["rivals"]["gated"]["rate"] == boards[1]["rivals"]["gated"]["rate"]
    assert torch.equal(count_words(sets, 3), count_words(other, 3))


def test_numbers_have_errors_and_the_figures_of_a_convention():
    sets = sets_of(numbers=True)
    board = honesty_board(reader(numbers=True), sets, ["concat"], seeds=2, convention="cmu-since-2019",
                          show_progress=False)
    row = board["rivals"]["concat"]
    assert row["mae"]["mean"] == pytest.approx(row["figures"]["mae"], abs=1e-6)
    assert row["mae"]["low"] < row["mae"]["mean"] < row["mae"]["high"]
    assert set(row["figures"]) == {"mae", "correlation", "acc_7", "acc_5", "acc_2", "f1"}
    median = sets["train"].labels.median()
    assert board["rivals"]["majority"]["mae"]["mean"] == pytest.approx(
        (sets["test"].labels - median).abs().mean().item(), abs=1e-6)
    assert board["differences"]["concat"]["tfidf"]["difference"] == pytest.approx(
        board["rivals"]["tfidf"]["mae"]["mean"] - row["mae"]["mean"], abs=1e-6)
    assert row["mae"]["mean"] < board["rivals"]["image"]["mae"]["mean"]


def test_what_reads_sequences_stands_on_the_board_where_there_are_some():
    one = honesty_board(reader(), sets_of(), seeds=1, show_progress=False)
    many = honesty_board(reader(fusion="attention"), sets_of(tokens=2), seeds=1, show_progress=False)
    assert "attention" not in one["rivals"]
    assert {"attention", "bottleneck", "tensor"} <= set(many["rivals"])


def test_posts_that_lack_a_side_are_learned_from_too():
    board = honesty_board(reader(absent=True), sets_of(gone=0.4), ["concat"], seeds=1, show_progress=False)
    assert board["rivals"]["concat"]["accuracy"]["mean"] > 0.7


def test_a_class_that_no_training_post_has_keeps_its_column():
    sets = sets_of()
    kept = torch.nonzero(sets["train"].labels != 2).flatten()
    said = count_words({**sets, "train": sets["train"][kept]}, 3)
    assert said.shape == (300, 3)
    assert (said[:, 2] == 0).all()
    assert torch.allclose(said.sum(1), torch.ones(300).double())


@pytest.mark.parametrize("change", [{"texts": lambda n: ("",) * n}, {"labels": lambda n: torch.ones(n).long()}])
def test_where_there_are_no_words_or_one_class_none_are_counted(change):
    sets = {name: replace(found, **{what: make(len(found)) for what, make in change.items()})
            for name, found in sets_of().items()}
    board = honesty_board(reader(), sets, ["concat"], seeds=1, show_progress=False)
    assert "tfidf" not in board["rivals"]
    assert "concat" in board["rivals"]


def test_other_answers_stand_beside_and_must_be_as_many():
    sets = sets_of()
    truth = torch.nn.functional.one_hot(sets["test"].labels, 3).double()
    board = honesty_board(reader(), sets, ["concat"], seeds=1, others={"oracle": truth}, show_progress=False)
    assert board["rivals"]["oracle"]["accuracy"]["mean"] == 1
    assert board["differences"]["oracle"]["tfidf"]["p"] < 0.01
    with pytest.raises(ValueError, match="oracle has 299 answers to 300 test posts"):
        honesty_board(reader(), sets, ["concat"], seeds=1, others={"oracle": truth[1:]}, show_progress=False)


@pytest.mark.parametrize(("change", "seeds", "words"), [({}, 0, "there are 0 seeds"),
                                                       ({"test": None}, 1, "no test posts")])
def test_what_makes_no_sense_is_refused(change, seeds, words):
    sets = {name: found for name, found in sets_of().items() if name not in change}
    with pytest.raises(ValueError, match=words):
        honesty_board(reader(), sets, ["concat"], seeds=seeds, show_progress=False)


@pytest.mark.parametrize("numbers", [False, True])
def test_the_correction_of_own_posts_has_its_controls(numbers, tmp_path):
    sets, model = sets_of(numbers), reader(numbers)
    sets["train"] = sets["train"][:160]
    report = correct(model, sets, seeds=1, folder=tmp_path, show_progress=False)
    name = report["figure"]
    assert name == ("mae" if numbers else "accuracy")
    after, text, image, control = (report["after"][name], report["alone"]["text"], report["alone"]["image"],
                                   report["control"])
    better = (lambda a, b: a["mean"] < b["mean"]) if numbers else (lambda a, b: a["mean"] > b["mean"])
    assert better(after, report["before"])
    assert better(text, image)
    assert better(after, control)
    if not numbers:
        assert report["before"]["mean"] == pytest.approx(1 / 3, abs=0.06)
        assert abs(control["mean"] - report["majority"]) < 0.12
    again = correct(reader(numbers), sets, seeds=1, folder=tmp_path, show_progress=False)  # goes on from what is kept
    assert again["after"] == report["after"]
    said = model.eval().classify(model.fuse(sets["test"].batch(slice(None)))).squeeze(-1)
    if numbers:
        assert (said - sets["test"].labels).abs().mean().item() == pytest.approx(after["mean"], abs=1e-5)


def test_a_model_of_given_features_is_saved_and_loaded(tmp_path):
    model, sets = reader(fusion="gated"), sets_of()
    correct(model, sets, "gated", seeds=1, show_progress=False)
    model.eval().save_pretrained(tmp_path)
    loaded = MultimodalSentimentModel.from_pretrained(tmp_path)
    sides = sets["test"].batch(slice(None))
    assert torch.equal(model.classify(model.fuse(sides)), loaded.classify(loaded.fuse(sides)))
    batch = {f"{side}_{name}": tensor for side, encoded in sides.items() for name, tensor in encoded._asdict().items()}
    assert torch.equal(loaded(**batch), loaded.classify(loaded.fuse(sides)))
    with pytest.raises(ValueError, match="trained on features that came encoded"):
        loaded.predict(["a good burger"], None)
