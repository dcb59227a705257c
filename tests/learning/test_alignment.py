"""The correction phase teaches a head what the features hold, and its controls learn nothing."""

import copy
import dataclasses

import numpy as np
import pytest
import torch
from helpers import generators
from torch import nn

from mmsa_utils import (
    Concat,
    Encoded,
    Features,
    align,
    calibration_error,
    fit_temperature,
    head_answers,
    log_loss,
    measure,
    metrics,
    random_head,
    shuffled,
)

CLASSES, WIDTH = 3, 16
BOTH = Concat({"text": WIDTH, "image": WIDTH})


def easy(n: int = 300, seed: int = 0) -> Features:
    """Each side knows half of the label: the text whether it is 0, the picture whether it is 1."""
    rng = torch.Generator().manual_seed(seed)
    labels = torch.randint(CLASSES, (n,), generator=rng)
    text, image = (0.3 * torch.randn(n, WIDTH, generator=rng) for _ in range(2))
    text[:, 0] += 3.0 * (labels == 0)
    image[:, 0] += 3.0 * (labels == 1)
    relations = tuple(np.array(["agree", "soft", "contradict"])[labels])
    return Features({"text": Encoded.of(text), "image": Encoded.of(image)}, labels, relations, (2,) * n, (-2,) * n)


def quick(fusion: Concat = BOTH, seed: int = 0, data=None, **options) -> tuple[nn.Module, list[dict[str, float]]]:
    """A new head, aligned, and its history."""
    head = random_head(fusion.width, hidden=32, seed=seed)
    history = align(fusion, head, *(data or (easy(900), easy(200, 1))), seed=seed,
                    **{"epochs": 10, "batch_size": 32, **options})
    return head, history


def accuracy(head: nn.Module, features: Features, fusion: Concat = BOTH) -> float:
    return measure(fusion, head, features)["accuracy"]


# --- align ---


def test_alignment_learns_what_both_sides_hold():
    head, history = quick()
    assert accuracy(head, easy(500, 2)) > 0.95
    assert not head.training
    assert history[-1]["train_loss"] < history[1]["train_loss"]


@pytest.mark.parametrize("side", ["text", "image"])
def test_one_side_alone_learns_half(side):
    alone = Concat({side: WIDTH})
    head, _ = quick(alone)
    assert 0.55 < accuracy(head, easy(500, 2), alone) < 0.75


def test_epoch_zero_is_the_random_head_on_features_brought_to_one_scale():
    _, history = quick(epochs=2, seed=4)
    head = random_head(BOTH.width, hidden=32, seed=4)
    head[0].measure(BOTH(easy(900).sides))
    random = measure(BOTH, head, easy(200, 1))
    assert [row["epoch"] for row in history] == [0, 1, 2]
    assert history[0]["loss"] == pytest.approx(random["loss"])
    assert history[0]["accuracy"] == pytest.approx(random["accuracy"])
    assert np.isnan(history[0]["train_loss"])


def test_a_head_reads_features_as_they_come_whatever_their_scale():
    def stretched(features: Features) -> Features:
        sides = {name: Encoded.of(side.pooled * (100 if name == "text" else 0.01) + 50)
                 for name, side in features.sides.items()}
        return dataclasses.replace(features, sides=sides)

    class Plain(Concat):
        def forward(self, sides):
            return torch.cat([side.pooled for side in self.chosen(sides)], -1)

    fusion = Plain(BOTH.widths)
    head, history = quick(fusion)
    other, again = quick(fusion, data=(stretched(easy(900)), stretched(easy(200, 1))))
    assert [row["loss"] for row in again] == pytest.approx([row["loss"] for row in history], abs=0.05)
    test = easy(200, 3)
    assert torch.allclose(head_answers(fusion, head, test), head_answers(fusion, other, stretched(test)), atol=0.1)


def test_the_epoch_with_the_lowest_validation_loss_is_kept():
    held_out = shuffled(easy(200, 1))  # the longer it learns, the worse it is on these
    head, history = quick(data=(easy(), held_out), batch_size=256)
    losses = [row["loss"] for row in history]
    assert measure(BOTH, head, held_out)["loss"] == pytest.approx(min(losses))
    assert min(losses) < losses[-1]


def test_every_epoch_is_shown_with_the_head_as_it_is_then():
    shown = []
    head, history = quick(epochs=3, on_epoch=lambda head: shown.append(copy.deepcopy(head)))
    losses = [measure(BOTH, head, easy(200, 1))["loss"] for head in shown]
    assert losses == pytest.approx([row["loss"] for row in history])
    assert len(set(losses)) == 4
    assert measure(BOTH, head, easy(200, 1))["loss"] == pytest.approx(min(losses))


def test_shuffled_labels_teach_nothing():
    scores = []
    for seed in range(3):
        head, _ = quick(seed=seed, data=(shuffled(easy(), seed), shuffled(easy(200, 1), seed)), epochs=15,
                        batch_size=256)
        scores.append(accuracy(head, easy(600, 2)))
    assert np.mean(scores) == pytest.approx(1 / CLASSES, abs=0.12)


def test_alignment_repeats_with_its_seed_and_leaves_the_global_generators():
    torch.manual_seed(8)
    before = generators()
    (head, history), (again, same), (other, _) = (quick(epochs=3, seed=seed) for seed in (1, 1, 2))
    assert generators() == before
    assert history[1:] == same[1:]
    test = easy(50, 3)
    assert torch.equal(head_answers(BOTH, head, test), head_answers(BOTH, again, test))
    assert not torch.equal(head_answers(BOTH, head, test), head_answers(BOTH, other, test))


def test_a_single_logit_aligns_two_classes():
    def binary(features: Features) -> Features:
        return features[(features.labels < 2).nonzero().squeeze(1)]

    head = random_head(BOTH.width, num_outputs=1, hidden=32)
    align(BOTH, head, binary(easy()), binary(easy(200, 1)), epochs=15, batch_size=32)
    answers = head_answers(BOTH, head, binary(easy(500, 2)))
    assert answers.shape[-1] == 2
    assert metrics.accuracy(answers, binary(easy(500, 2)).labels) > 0.95


@pytest.mark.parametrize("where", ["train", "validation"])
def test_a_label_out_of_range_is_refused(where):
    sets = {"train": easy(9), "validation": easy(9, 1)}
    sets[where] = dataclasses.replace(sets[where], labels=torch.full((9,), 3))
    with pytest.raises(ValueError, match="is 3: expected 0 to 2"):
        quick(data=sets.values(), epochs=1)


def test_a_negative_number_of_epochs_is_refused():
    with pytest.raises(ValueError, match="epochs is -1"):
        quick(epochs=-1)


def test_numbers_are_no_classes():
    features = dataclasses.replace(easy(9), labels=torch.rand(9))
    with pytest.raises(ValueError, match=r"labels are torch\.float32"):
        quick(data=(features, features), epochs=1)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_handful_of_posts_can_be_aligned(n):
    head, history = quick(data=(easy(n), easy(n)), epochs=2)
    assert all(np.isfinite(row["loss"]) for row in history)
    assert head_answers(BOTH, head, easy(n)).shape == (n, CLASSES)


def test_one_class_alone_can_be_aligned():
    features = dataclasses.replace(easy(12), labels=torch.zeros(12, dtype=torch.long))
    head, _ = quick(data=(features, features), epochs=20, lr=0.02)
    assert (head_answers(BOTH, head, features).argmax(1) == 0).all()
    assert np.isfinite(fit_temperature(BOTH, head, features))


# --- temperature, figures ---


def test_temperature_cools_a_head_that_is_too_sure():
    head, _ = quick(epochs=2)
    with torch.no_grad():
        for parameter in head[-1].parameters():
            parameter.mul_(30)
    held_out, test = easy(2000, 1), easy(2000, 2)
    temperature = fit_temperature(BOTH, head, held_out)
    assert temperature > 3
    before, after = head_answers(BOTH, head, test), head_answers(BOTH, head, test, temperature=temperature)
    assert torch.equal(before.argmax(-1), after.argmax(-1))
    assert calibration_error(after, test.labels) < calibration_error(before, test.labels)
    assert log_loss(after, test.labels) < log_loss(before, test.labels)


def test_temperature_is_the_best_one():
    head, _ = quick(epochs=3)
    held_out = easy(500, 1)
    best = fit_temperature(BOTH, head, held_out)
    losses = [measure(BOTH, head, held_out, temperature=best * factor)["loss"] for factor in (0.9, 1, 1.1)]
    assert min(losses) == losses[1]


def test_measure_gathers_every_figure():
    head, _ = quick(epochs=3)
    test = easy(300, 2)
    figures = measure(BOTH, head, test)
    answers = head_answers(BOTH, head, test)
    assert figures.pop("loss") == pytest.approx(log_loss(answers, test.labels), rel=1e-5)
    summary = metrics.summary(answers, test.labels)
    del summary["loss"]
    assert figures == {
        **summary,
        "slices": metrics.slice_accuracy(answers, test.labels, test.relations),
        "who_won": metrics.who_won(answers, test.text_kinds, test.picture_levels),
    }
    assert set(figures["slices"]) == {"agree", "soft", "contradict"}
