"""Explorers of a recorded training run: who changed sides, what is shown, and how fast."""

import re
import statistics
import time

import pytest
import torch
from helpers import food, mini
from torch import nn

from mmsa_utils import metrics, panels
from mmsa_utils.alignment import Features, align, head_answers, random_head
from mmsa_utils.data import make_loader
from mmsa_utils.model import MultimodalSentimentModel
from mmsa_utils.training import answers, evaluate, train
from mmsa_utils.widgets_training import (
    CARDS,
    alignment_explorer,
    changes,
    kept_epoch,
    shown_epochs,
    training_explorer,
)

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
    sides = [torch.randn(n, width, generator=generator) + 3 * nn.functional.one_hot(labels, width) for _ in range(2)]
    return Features(*sides, labels)


def seconds_a_move(control, values) -> float:
    """The best of three medians over moves of a control: a busy machine is no reason to fail."""
    medians = []
    for _ in range(3):
        taken = []
        for value in values:
            start = time.perf_counter()
            control.value = value
            taken.append(time.perf_counter() - start)
        medians.append(statistics.median(taken))
    return min(medians)


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


# --- panels ---

def test_curves_mark_the_epoch_and_say_its_numbers():
    html = panels.curves({"validation": [0.7, 0.3, 0.4], "training": [float("nan"), 0.6, 0.5]}, 1, "loss")
    assert 'role="img"' in html
    assert 'aria-label="loss by epoch; at epoch 1: validation 0.30, training 0.60"' in html
    assert html.count("<circle") == 2
    markers = re.findall(r'<circle cx="([\d.]+)"', html)
    assert markers == ["159.0", "159.0"]  # half way between 34 and 284
    start = panels.curves({"validation": [0.7, 0.3], "training": [float("nan"), 0.6]}, 0, "loss")
    assert "training none yet" in start
    assert start.count("<circle") == 1
    assert "nan" not in html + start


def test_no_panel_fixes_black_or_white():
    html = panels.curves({"a": [0.1, 0.2]}, 0, "loss", level=("chance", 0.5))
    html += panels.reliability([(0.5, 0.4, 1.0)], 0.1)
    assert "currentColor" in html
    assert not re.search(r"#000|#fff|black|white(?!-space)", html, re.I)


def test_reliability_places_a_dot_for_each_band():
    html = panels.reliability([(0.5, 0.0, 0.25), (1.0, 1.0, 0.75)], 0.125)
    assert re.findall(r'cx="([\d.]+)" cy="([\d.]+)" r="([\d.]+)"', html) == [
        ("100.0", "142.0", "9.0"), ("166.0", "10.0", "13.4")]
    assert "calibration error 0.125" in html
    assert "confidence 0.50 accuracy 0.00" in html


# --- notebook 05 ---

def test_training_explorer_shows_the_posts_that_changed_sides():
    posts = four_posts()
    explorer = training_explorer(HISTORY, FRAMES, posts)
    assert "Before training: 25% of the 4 watched posts are right" in explorer.view.value
    assert "<img" not in explorer.view.value
    explorer.epoch.value = 1
    assert "2 posts changed sides, 2 put right and 0 spoiled" in explorer.view.value
    assert "This is the epoch that train keeps" in explorer.view.value
    assert explorer.view.value.count("<img") == 2
    assert "answer: positive 0.90 (right)" in explorer.view.value
    assert "before: negative 0.60" in explorer.view.value
    explorer.epoch.value, explorer.show.value = 2, "spoiled"
    assert explorer.view.value.count("<img") == 1
    assert "answer: negative 0.60 (wrong)" in explorer.view.value
    assert "label: positive" in explorer.view.value


def test_training_explorer_says_how_many_more_there_are():
    posts = food(24, binary=True)
    labels = torch.tensor([post.label for post in posts])
    right = nn.functional.one_hot(labels, 2).float() * 0.8 + 0.1
    explorer = training_explorer(HISTORY[:2], [1 - right, right], posts)
    explorer.epoch.value = 1
    assert explorer.view.value.count("<img") == CARDS
    assert f"24 posts, the {CARDS} that moved most" in explorer.view.value


def test_training_still_is_described_and_small():
    image = training_explorer(HISTORY, FRAMES, four_posts()).still()
    assert len(image.data) < 60_000
    assert "epoch 1: 75% right, 2 posts changed sides" in image.alt
    assert "went from negative 0.60 to positive 0.90" in image.alt


def test_play_and_slider_move_together_and_are_labelled():
    for explorer in (training_explorer(HISTORY, FRAMES, four_posts()), alignment()):
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

def alignment(heads: int = 3):
    cached, posts = features(), food(2)
    return alignment_explorer([random_head(8, hidden=8, seed=seed) for seed in range(heads)], cached,
                              {"one": posts[0], "other": posts[1]}, features(2, seed=1))


def test_alignment_explorer_shows_each_head_as_it_is():
    explorer = alignment()
    for epoch in range(3):
        explorer.epoch.value = epoch
        head = random_head(8, hidden=8, seed=epoch)
        frame = head_answers(head, features())
        assert f"{metrics.accuracy(frame, features().labels):.0%} of 90 held-out posts" in explorer.view.value
        assert f"calibration error {metrics.calibration_error(frame, features().labels):.3f}" in explorer.view.value
        for post, row in zip(("one", "other"), head_answers(head, features(2, seed=1))):
            explorer.post.value = post
            assert all(f">{p:.2f}</td>" in explorer.view.value for p in row.tolist())
        explorer.post.value = "one"


def test_alignment_still_is_described_and_small():
    image = alignment().still()
    assert len(image.data) < 60_000
    assert all(f"epoch {epoch}: one negative" in image.alt for epoch in (0, 1, 2))


def test_alignment_explorer_refuses_what_does_not_fit():
    posts = food(2)
    with pytest.raises(ValueError, match="2 posts and features of 3"):
        alignment_explorer([random_head(8)], features(), {"a": posts[0], "b": posts[1]}, features(3))
    with pytest.raises(ValueError, match="0 heads"):
        alignment_explorer([], features(), {"a": posts[0]}, features(1))


# --- both ---

def test_a_move_is_answered_within_a_tenth_of_a_second():
    posts = food(24, binary=True)
    generator = torch.Generator().manual_seed(0)
    frames = [torch.rand(24, 2, generator=generator) for _ in range(20)]
    rows = [{"epoch": e, "loss": 1.0, "accuracy": 0.5} for e in range(20)]
    assert seconds_a_move(training_explorer(rows, frames, posts).epoch, range(19, -1, -1)) <= 0.1
    assert seconds_a_move(alignment(20).epoch, range(19, -1, -1)) <= 0.1


# --- the recording itself ---

def test_align_hands_over_every_head_and_the_random_one_first():
    cached, heads = features(), []
    head, history = align(cached, cached, epochs=3, hidden=8, seed=5, on_epoch=heads.append)
    assert len(heads) == len(history) == 4
    for row, recorded in zip(history, heads):  # ready for `head_answers`: the scaling is built in
        assert metrics.log_loss(head_answers(recorded, cached), cached.labels) == pytest.approx(row["loss"], abs=1e-4)
    best = min(range(4), key=lambda epoch: history[epoch]["loss"])
    torch.testing.assert_close(head_answers(heads[best], cached), head_answers(head, cached))
    unwatched, _ = align(cached, cached, epochs=3, hidden=8, seed=5)
    assert all(torch.equal(a, b) for a, b in zip(head.state_dict().values(), unwatched.state_dict().values()))


def test_train_calls_after_every_epoch_with_a_model_that_can_be_asked():
    model = MultimodalSentimentModel("bert", "resnet18", num_outputs=1, frozen=True)
    posts, seen = food(16, binary=True), []
    loader = make_loader(posts, mini("bert+resnet18", 1), 8)
    before = answers(model, loader)[0]
    history = train(model, loader, loader, epochs=2, head_lr=0.01, show_progress=False,
                    on_epoch=lambda model: seen.append((evaluate(model, loader)["loss"], answers(model, loader)[0])))
    assert [loss for loss, _ in seen] == pytest.approx([row["loss"] for row in history])
    assert not torch.equal(before, seen[0][1])
    assert not torch.equal(seen[0][1], seen[1][1])
