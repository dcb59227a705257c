"""Every fusion on the same posts, and the interval over posts and seeds."""

import json
import re

import numpy as np
import pytest
import torch

from mmsa_utils import MultimodalSentimentModel, extract_features
from mmsa_utils.apps.cli import main
from mmsa_utils.learning import comparison
from mmsa_utils.learning.comparison import compare_fusions
from mmsa_utils.learning.features import vectors_of
from mmsa_utils.learning.metrics import over_posts_and_seeds
from mmsa_utils.posts.food import FoodPosts


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(comparison, "EPOCHS", 3)


def test_the_board_has_every_rival_and_what_it_stands_between(tmp_path, capsys):
    assert main(["compare", "--data", "places", "--fusions", "concat,attention", "--posts", "80", "--test-posts", "40",
                 "--seeds", "2", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert list(report["fusions"]) == ["concat", "attention"]
    assert list(report["alone"]) == ["text", "image"]
    assert list(report["ceilings"]) == ["text", "image", "parts", "additive", "both"]
    assert 0.3 < report["baseline"] < 0.7
    for row in [*report["fusions"].values(), *report["alone"].values()]:
        assert row["rate"] in comparison.RATES
        assert row["accuracy"]["low"] <= row["accuracy"]["mean"] <= row["accuracy"]["high"]
        assert set(row["slices"]) == {"one", "two", "none"}
        assert row["seconds"] > 0
    assert report["fusions"]["attention"]["parameters"] != report["fusions"]["concat"]["parameters"]


def test_in_words(capsys):
    assert main(["compare", "--fusions", "additive,gated", "--posts", "40", "--test-posts", "20", "--seeds", "1"]) == 0
    said = capsys.readouterr().out
    for words in ("additive", "gated", "picture alone", "order", "best possible: who adds what each side says",
                  "always the commonest label"):
        assert words in said


def test_the_same_call_gives_the_same_board():
    calls = [compare_fusions("food", ["gated"], seeds=2, n_train=60, n_test=20, show_progress=False) for _ in range(2)]
    for call in calls:
        for row in [*call["fusions"].values(), *call["alone"].values()]:
            row.pop("seconds")
        call.pop("seconds")
    assert calls[0] == calls[1]


@pytest.mark.parametrize(("call", "words"), [
    (["--data", "birds"], "--data is birds: expected food, places, spoken, a table of your own, or a known set"),
    (["--fusions", "glue"], "no fusion is called 'glue'"),
    (["--seeds", "0"], "0 seeds"), (["--posts", "0"], "expected at least 1|at least one")])
def test_what_makes_no_sense_is_refused(call, words, capsys):
    try:
        code = main(["compare", *call])
    except SystemExit as end:
        code = end.code
    assert code in (1, 2)
    assert re.search(words, capsys.readouterr().err)


def test_vectors_are_what_the_encoders_pool():
    posts = list(FoodPosts(12))
    wide, narrow = (MultimodalSentimentModel(fusion=name, frozen=True) for name in ("attention", "concat"))
    made = vectors_of(wide, extract_features(wide, posts, show_progress=False))
    wanted = extract_features(narrow, posts, show_progress=False)
    for side in ("text", "image"):
        assert made.sides[side].tokens.shape == wanted.sides[side].tokens.shape
        assert torch.allclose(made.sides[side].tokens, wanted.sides[side].tokens, atol=5e-3)  # half precision between


def test_an_interval_over_posts_and_seeds():
    rng = np.random.default_rng(0)
    right = rng.random((5, 400)) < 0.8
    found = over_posts_and_seeds(right)
    assert found["mean"] == right.mean()
    assert 0.035 < found["high"] - found["low"] < 0.08  # 0.035 would be 2,000 posts, each answered once
    alike = np.repeat(rng.random((1, 400)) < 0.8, 5, axis=0)  # every seed answers alike: the posts alone differ
    spread = over_posts_and_seeds(alike)
    assert spread["high"] - spread["low"] == pytest.approx(2 * 1.96 * np.sqrt(alike.mean() * (1 - alike.mean()) / 400),
                                                           rel=0.1)
    lucky = np.array([[True] * 50, [False] * 50])  # every post alike: the seeds alone differ
    assert (over_posts_and_seeds(lucky)["low"], over_posts_and_seeds(lucky)["high"]) == (0, 1)
    assert over_posts_and_seeds(np.ones((1, 9), bool)) == {"mean": 1, "low": 1, "high": 1}
    with pytest.raises(ValueError, match="expected"):
        over_posts_and_seeds(np.zeros((0, 4), bool))
