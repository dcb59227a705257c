"""Explorers of a recorded training run: who changed sides, and what is shown."""

import copy
import re

import pytest
import torch
from helpers import food, mini
from torch import nn

from mmsa_utils import Features, MultimodalSentimentModel, align, answers, evaluate, make_loader, metrics, train
from mmsa_utils.encoders.base import Encoded
from mmsa_utils.explorers.training import (
    CARDS,
    alignment_explorer,
    changes,
    kept_epoch,
    scrubbed,
    shown_epochs,
    training_explorer,
)
from mmsa_utils.fusion.concat import Concat
from mmsa_utils.learning.alignment import head_answers
from mmsa_utils.model.head import random_head
from mmsa_utils.posts.post import BINARY_LABELS

# four posts over three epochs; the probability of class 1, and the label
POSITIVE = [[0.4, 0.4, 0.6, 0.6], [0.9, 0.4, 0.2, 0.7], [0.9, 0.6, 0.3, 0.4]]
LABELS = torch.tensor([1, 1, 0, 1])
FRAMES = [torch.tensor([[1 - p, p] for p in row]) for row in POSITIVE]
HISTORY = [{"epoch": 0, "loss": 0.7, "accuracy": 0.25},
           {"epoch": 1, "train_loss": 0.6, "train_accuracy": 0.5, "loss": 0.3, "accuracy": 0.75},
           {"epoch": 2, "train_loss": 0.5, "train_accuracy": 0.6, "loss": 0.4, "accuracy": 0.75}]


def four_posts():
    by_label = {label: [post for post in food(24, binary=True) if post.label == label] for label in (0, 1)}
    return [by_label[1][0], by_label[1][1], by_label[0][0], by_label[1][2]]


def features(n: int = 90, width: int = 4, seed: int = 0) -> Features:
    """Posts whose label can be read off both sides."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % 3
    opinion = 3 * nn.functional.one_hot(labels, width)
    return Features({side: Encoded.of(torch.randn(n, width, generator=generator) + opinion)
                     for side in ("text", "image")}, labels)


# --- who changed sides ---

def test_nothing_has_changed_before_training():
    found = changes(FRAMES, LABELS, 0)
    assert found["changed sides"] == found["put right"] == found["spoiled"] == []
    assert found["wrong now"] == [0, 1, 2]


def test_posts_that_changed_sides_come_with_the_largest_swing_first():
    first, second = changes(FRAMES, LABELS, 1), changes(FRAMES, LABELS, 2)
    assert first["changed sides"] == first["put right"] == [0, 2]
    assert first["spoiled"] == []
    assert first["wrong now"] == [1]
    assert second["changed sides"] == [3, 1]
    assert second["put right"] == [1]
    assert second["spoiled"] == second["wrong now"] == [3]


def test_from_one_wrong_answer_to_another_is_neither_put_right_nor_spoiled():
    frames = [torch.tensor([[0.8, 0.1, 0.1]]), torch.tensor([[0.1, 0.8, 0.1]])]
    found = changes(frames, torch.tensor([2]), 1)
    assert found == {"changed sides": [0], "put right": [], "spoiled": [], "wrong now": [0]}


@pytest.mark.parametrize(("count", "expected"), [(1, [0]), (2, [0, 1]), (4, [0, 1, 2, 3]), (11, [0, 1, 5, 10])])
def test_the_still_shows_first_middle_and_last(count, expected):
    assert shown_epochs(count) == expected


def test_the_epoch_of_the_lowest_validation_loss_was_kept():
    assert kept_epoch(HISTORY) == 1


# --- the curves ---

def test_the_marker_stands_over_its_epoch_and_the_numbers_are_said():
    rows = [{**row, "epoch": epoch} for epoch, row in enumerate(HISTORY)]
    curves = scrubbed(rows, {"loss": None, "accuracy": ("chance", 0.5)})
    lefts = [[float(left) for left in re.findall(r"left:([\d.]+)%", curves(epoch))] for epoch in (0, 1, 2)]
    assert [len(places) for places in lefts] == [2, 2, 2]
    for start, middle, end in zip(*lefts):
        assert 0 < start < middle < end < 100
        assert middle == pytest.approx((start + end) / 2, abs=0.02)
    assert lefts[0][0] < 50 < lefts[0][1]  # one in each half
    assert "At epoch 0: loss 0.70, accuracy 0.25." in curves(0)
    assert "At epoch 1: loss 0.30 (training 0.60), accuracy 0.75 (training 0.50)." in curves(1)
    pictures = {re.search(r'<img src="([^"]+)"', curves(epoch))[1] for epoch in (0, 1, 2)}
    assert len(pictures) == 1  # drawn once


# --- notebook 05 ---

@pytest.fixture(scope="module")
def four():
    return training_explorer(HISTORY, FRAMES, four_posts())


@pytest.fixture
def training(four):
    """Made once; each test finds it as it was when new."""
    four.show.value, four.epoch.value = "changed sides", 0
    return four


def test_training_explorer_shows_the_posts_that_changed_sides(training):
    assert "Before training: 25% of the 4 watched posts are right" in training.view.value
    assert training.view.value.count("<img") == 1  # the curves
    training.epoch.value = 1
    assert "2 posts changed sides, 2 put right and 0 spoiled" in training.view.value
    assert "This is the epoch that train keeps" in training.view.value
    assert training.view.value.count("<img") == 3
    assert "answer: positive 0.90 (right)" in training.view.value
    assert "before: negative 0.60" in training.view.value
    training.epoch.value, training.show.value = 2, "spoiled"
    assert training.view.value.count("<img") == 2
    assert "answer: negative 0.60 (wrong)" in training.view.value
    assert "label: positive" in training.view.value


def test_training_explorer_says_how_many_more_there_are():
    posts = food(24, binary=True)
    labels = torch.tensor([post.label for post in posts])
    right = nn.functional.one_hot(labels, 2).float() * 0.8 + 0.1
    explorer = training_explorer(HISTORY[:2], [1 - right, right], posts)
    explorer.epoch.value = 1
    assert explorer.view.value.count("<img") == 1 + CARDS
    assert f"24 posts, the {CARDS} that moved most" in explorer.view.value


def test_training_explorer_counts_labels_and_answers(training):
    for epoch, counts in ((0, ("01", "21")), (2, ("10", "12"))):  # negative and positive posts: answers of each class
        training.epoch.value = epoch
        for name, row in zip(BINARY_LABELS, counts):
            cells = "".join(f"<td[^>]*>{cell}</td>" for cell in (name, *row))
            assert re.search(cells, training.view.value)


def test_training_still_is_described_and_small(training):
    image = training.still()
    assert len(image.data) < 60_000
    assert "epoch 1: 75% right, 2 posts changed sides" in image.alt
    assert "went from negative 0.60 to positive 0.90" in image.alt


def test_play_and_slider_move_together_and_are_labelled(training, alignment):
    for explorer in (training, alignment):
        explorer.play.value = 2
        assert explorer.epoch.value == 2
        explorer.epoch.value = 1
        assert explorer.play.value == 1
        assert all(control.description for control in [*explorer.controls.values(), explorer.play])
        assert explorer.play.max == explorer.epoch.max == 2


@pytest.mark.parametrize(("history", "frames", "posts", "message"), [
    (HISTORY[1:], FRAMES, 4, "2 rows of history and 3 frames"), (HISTORY, FRAMES, 3, r"frame 0 has the shape \(4, 2\)"),
    ([], [], 4, "expected one of each")])
def test_a_record_that_does_not_fit_is_refused(history, frames, posts, message):
    with pytest.raises(ValueError, match=message):
        training_explorer(history, frames, four_posts()[:posts])


# --- notebook 06 ---

FUSION = Concat({"text": 4, "image": 4})


@pytest.fixture(scope="module")
def alignment():
    posts = food(2)
    return alignment_explorer(FUSION, [random_head(8, hidden=8, seed=seed) for seed in range(3)], features(),
                              {"one": posts[0], "other": posts[1]}, features(2, seed=1))


def test_alignment_explorer_shows_each_head_as_it_is(alignment):
    for epoch in range(3):
        alignment.epoch.value = epoch
        head = random_head(8, hidden=8, seed=epoch)
        frame = head_answers(FUSION, head, features())
        assert f"{metrics.accuracy(frame, features().labels):.0%} of 90 held-out posts" in alignment.view.value
        assert f"calibration error {metrics.calibration_error(frame, features().labels):.3f}" in alignment.view.value
        for post, row in zip(("one", "other"), head_answers(FUSION, head, features(2, seed=1))):
            alignment.post.value = post
            assert all(f">{p:.2f}</td>" in alignment.view.value for p in row.tolist())
        alignment.post.value = "one"


def test_alignment_still_is_described_and_small(alignment):
    image = alignment.still()
    assert len(image.data) < 60_000
    assert all(f"epoch {epoch}: one negative" in image.alt for epoch in (0, 1, 2))


def test_alignment_explorer_refuses_what_does_not_fit():
    posts = food(2)
    with pytest.raises(ValueError, match="2 posts and features of 3"):
        alignment_explorer(FUSION, [random_head(8)], features(), {"a": posts[0], "b": posts[1]}, features(3))
    with pytest.raises(ValueError, match="0 heads"):
        alignment_explorer(FUSION, [], features(), {"a": posts[0]}, features(1))


# --- the recording itself ---

def test_align_hands_over_every_head_and_the_random_one_first():
    cached, heads = features(), []
    head, unwatched = (random_head(8, hidden=8, seed=5) for _ in range(2))
    first = copy.deepcopy(head.state_dict())
    history = align(FUSION, head, cached, cached, epochs=3, on_epoch=lambda head: heads.append(copy.deepcopy(head)))
    assert len(heads) == len(history) == 4
    assert torch.equal(heads[0][2].weight, first["2.weight"])
    for row, recorded in zip(history, heads):
        assert metrics.log_loss(head_answers(FUSION, recorded, cached), cached.labels) == pytest.approx(
            row["loss"], abs=1e-4)
    best = min(range(4), key=lambda epoch: history[epoch]["loss"])
    torch.testing.assert_close(head_answers(FUSION, heads[best], cached), head_answers(FUSION, head, cached))
    align(FUSION, unwatched, cached, cached, epochs=3)
    assert all(torch.equal(a, b) for a, b in zip(head.state_dict().values(), unwatched.state_dict().values()))


def test_train_calls_after_every_epoch_with_a_model_that_can_be_asked():
    model = MultimodalSentimentModel("bert", "resnet18", classes=BINARY_LABELS, frozen=True)
    posts, seen = food(16, binary=True), []
    loader = make_loader(posts, mini("bert+resnet18", binary=True), 8)
    before = answers(model, loader)[0]
    history = train(model, loader, loader, epochs=2, lr=0.01, show_progress=False,
                    on_epoch=lambda model: seen.append((evaluate(model, loader)["loss"], answers(model, loader)[0])))
    assert [loss for loss, _ in seen] == pytest.approx([row["loss"] for row in history])
    assert not torch.equal(before, seen[0][1])
    assert not torch.equal(seen[0][1], seen[1][1])
