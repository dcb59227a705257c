"""The correction phase teaches a head what the features hold, and its controls learn nothing."""

import dataclasses

import numpy as np
import pytest
import torch
from helpers import food, generators, mini

from mmsa_utils import metrics
from mmsa_utils.alignment import (
    Features,
    align,
    extract_features,
    fit_temperature,
    fold_scaling,
    head_answers,
    measure,
    random_head,
    shuffled,
)
from mmsa_utils.model import join

CLASSES = 3


def easy(n: int = 300, seed: int = 0, width: int = 16) -> Features:
    """Each side knows half of the label: the text whether it is 0, the picture whether it is 1."""
    rng = torch.Generator().manual_seed(seed)
    labels = torch.randint(CLASSES, (n,), generator=rng)
    text, image = (0.3 * torch.randn(n, width, generator=rng) for _ in range(2))
    text[:, 0] += 3.0 * (labels == 0)
    image[:, 0] += 3.0 * (labels == 1)
    relations = tuple(np.array(["agree", "soft", "contradict"])[labels])
    return Features(text, image, labels, relations, tuple([2] * n), tuple([-2] * n))


def quick(**options):
    return align(easy(900), easy(200, 1), **{"epochs": 15, "hidden": 32, "batch_size": 32, **options})


def accuracy(head, features, modalities=("text", "image")) -> float:
    return measure(head, features, modalities)["accuracy"]


# --- features ---


def test_cached_features_are_what_the_encoders_say():
    net, posts = mini(), food(10)
    features = extract_features(net, posts, batch_size=4, show_progress=False)
    with torch.no_grad():
        text, image = net.encode(**net.prepare([p.text for p in posts], [p.image for p in posts]))
    assert torch.allclose(features.text, text, atol=1e-5)
    assert torch.allclose(features.image, image, atol=1e-5)
    assert features.labels.tolist() == [p.label for p in posts]
    assert features.relations == tuple(p.relation for p in posts)
    assert features.text_kinds == tuple(p.text_kind for p in posts)
    assert features.picture_levels == tuple(p.picture_level for p in posts)
    assert len(features) == 10
    assert not features.text.requires_grad


@pytest.mark.parametrize("mode", [True, False])
def test_extracting_leaves_the_model_as_it_was(mode):
    net = mini()
    net.train(mode)
    try:
        extract_features(net, food(3), show_progress=False)
        assert net.training is mode
    finally:
        net.eval()


def test_no_posts_are_refused():
    with pytest.raises(ValueError, match="the data set is empty"):
        extract_features(mini(), [])


def test_an_empty_text_is_refused():
    with pytest.raises(ValueError, match="text of post 1 is ''"):
        extract_features(mini(), [food(2)[0], dataclasses.replace(food(2)[1], text="")], show_progress=False)


def test_fused_features_are_joined_text_first():
    features = easy(5)
    assert torch.equal(features.fused(), join(features.text, features.image))
    assert torch.equal(features.fused(("image",)), join(features.image))


# --- align ---


def test_alignment_learns_what_both_sides_hold():
    head, history = quick()
    assert accuracy(head, easy(500, 2)) > 0.95
    assert not head.training
    assert history[-1]["train_loss"] < history[1]["train_loss"]


@pytest.mark.parametrize("side", ["text", "image"])
def test_one_side_alone_learns_half(side):
    head, _ = quick(modalities=(side,))
    assert 0.55 < accuracy(head, easy(500, 2), (side,)) < 0.75


def test_epoch_zero_is_the_random_head():
    _, history = quick(epochs=2, seed=4)
    head, inputs = random_head(32, hidden=32, seed=4), easy(900).fused()
    fold_scaling(head, inputs.mean(0), inputs.std(0, correction=0))  # `align` shows its heads standardised features
    random = measure(head, easy(200, 1))
    assert [row["epoch"] for row in history] == [0, 1, 2]
    assert history[0]["loss"] == pytest.approx(random["loss"])
    assert history[0]["accuracy"] == pytest.approx(random["accuracy"])
    assert np.isnan(history[0]["train_loss"])


def test_the_epoch_with_the_lowest_validation_loss_is_kept():
    held_out = shuffled(easy(200, 1))  # the longer it learns, the worse it is on these
    head, history = align(easy(), held_out, epochs=10, hidden=32)
    losses = [row["loss"] for row in history]
    assert measure(head, held_out)["loss"] == pytest.approx(min(losses))
    assert min(losses) < losses[-1]


def test_shuffled_labels_teach_nothing():
    scores = []
    for seed in range(3):
        head, _ = align(shuffled(easy(), seed), shuffled(easy(200, 1), seed), epochs=15, hidden=32, seed=seed)
        scores.append(accuracy(head, easy(600, 2)))
    assert np.mean(scores) == pytest.approx(1 / CLASSES, abs=0.12)


def test_shuffling_deals_the_same_labels_out_anew():
    features = easy()
    first, second = shuffled(features, 0), shuffled(features, 1)
    assert not torch.equal(first.labels, features.labels)
    assert not torch.equal(first.labels, second.labels)
    assert torch.equal(first.labels, shuffled(features, 0).labels)
    assert torch.equal(first.labels.sort()[0], features.labels.sort()[0])
    assert torch.equal(first.text, features.text)


def test_alignment_repeats_with_its_seed_and_leaves_the_global_generators():
    torch.manual_seed(8)
    before = generators()
    (head, history), (again, same), (other, _) = (quick(epochs=3, seed=seed) for seed in (1, 1, 2))
    assert generators() == before
    assert history[1:] == same[1:]
    test = easy(50, 3)
    assert torch.equal(head_answers(head, test), head_answers(again, test))
    assert not torch.equal(head_answers(head, test), head_answers(other, test))


def test_a_single_logit_aligns_two_classes():
    def binary(features):
        keep = features.labels < 2
        return Features(features.text[keep], features.image[keep], features.labels[keep])

    head, _ = align(binary(easy()), binary(easy(200, 1)), num_outputs=1, epochs=15, hidden=32, batch_size=32)
    answers = head_answers(head, binary(easy(500, 2)))
    assert answers.shape[-1] == 2
    assert metrics.accuracy(answers, binary(easy(500, 2)).labels) > 0.95


@pytest.mark.parametrize("where", ["train", "validation"])
def test_a_label_out_of_range_is_refused(where):
    sides = {"train": easy(9), "validation": easy(9, 1)}
    sides[where] = dataclasses.replace(sides[where], labels=torch.full((9,), 3))
    with pytest.raises(ValueError, match="is 3: expected 0 to 2"):
        align(sides["train"], sides["validation"], epochs=1)


# --- heads ---


def test_random_heads_guess():
    features = easy(900)
    measured = [measure(random_head(32, seed=seed), features) for seed in range(200)]
    assert np.mean([m["accuracy"] for m in measured]) == pytest.approx(1 / CLASSES, abs=0.02)
    assert np.mean([m["loss"] for m in measured]) == pytest.approx(np.log(CLASSES), abs=0.03)


def test_random_heads_come_from_their_seed_alone():
    before = generators()
    first, same, other = (random_head(8, seed=seed)[1].weight for seed in (1, 1, 2))
    assert generators() == before
    assert torch.equal(first, same)
    assert not torch.equal(first, other)


def test_temperature_cools_a_head_that_is_too_sure():
    head, _ = quick(epochs=2)
    with torch.no_grad():
        for parameter in head[-1].parameters():
            parameter.mul_(30)
    held_out, test = easy(2000, 1), easy(2000, 2)
    temperature = fit_temperature(head, held_out)
    assert temperature > 3
    before, after = head_answers(head, test), head_answers(head, test, temperature=temperature)
    assert torch.equal(before.argmax(-1), after.argmax(-1))
    assert metrics.calibration_error(after, test.labels) < metrics.calibration_error(before, test.labels)
    assert metrics.log_loss(after, test.labels) < metrics.log_loss(before, test.labels)


def test_temperature_is_the_best_one():
    head, _ = quick(epochs=3)
    held_out = easy(500, 1)
    best = fit_temperature(head, held_out)
    losses = [measure(head, held_out, temperature=best * factor)["loss"] for factor in (0.9, 1, 1.1)]
    assert min(losses) == losses[1]


def test_measure_gathers_every_figure():
    head, _ = quick(epochs=3)
    test = easy(300, 2)
    figures = measure(head, test)
    answers = head_answers(head, test)
    assert figures == {
        **metrics.summary(answers, test.labels),
        "slices": metrics.slice_accuracy(answers, test.labels, test.relations),
        "who_won": metrics.who_won(answers, test.text_kinds, test.picture_levels),
    }
    assert set(figures["slices"]) == {"agree", "soft", "contradict"}
