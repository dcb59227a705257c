"""Rare classes: balanced weights are those of the textbooks, change nothing else, and let rare posts be found."""

import numpy as np
import pytest
import sklearn.utils.class_weight
import torch
from helpers import drawn_in_words
from torch.nn import functional as F

from mmsa_utils import MultimodalSentimentModel, Post, answers, loss_of, make_loader, metrics, train
from mmsa_utils.learning.losses import balanced_weights, checked_weights, weighted_loss


def test_balanced_weights_equal_scikit_learn():
    labels = [0] * 29 + [1] + [2] * 10
    expected = sklearn.utils.class_weight.compute_class_weight("balanced", classes=np.arange(3), y=labels)
    assert balanced_weights(labels, 3) == pytest.approx(expected)
    assert balanced_weights(torch.tensor([0, 0, 1]), 4)[2:] == [1, 1]  # there is nothing to be weighed


@pytest.mark.parametrize("outputs", [1, 3])
def test_a_weighted_loss_is_the_sum_of_weighted_losses(outputs):
    logits = torch.randn(6, outputs, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([0, 1, 1, 0, 1, 0])
    weights = torch.tensor([0.5, 4.0, 1.0][:max(2, outputs)])
    by_hand = sum(weights[label] * loss_of(logits[i:i + 1], labels[i:i + 1]) for i, label in enumerate(labels)) / 6
    assert weighted_loss(logits, labels, weights) == pytest.approx(by_hand.item(), abs=1e-6)
    assert weighted_loss(logits, labels, torch.ones_like(weights)) == pytest.approx(loss_of(logits, labels).item())
    assert weighted_loss(logits, labels) == loss_of(logits, labels)


@pytest.mark.parametrize(("weights", "classes"),
                         [([1], 2), ([1, 0], 2), ([1, float("nan")], 2), ([1, -1], 2), ([1], None)])
def test_weights_that_do_not_fit_are_refused(weights, classes):
    with pytest.raises(ValueError, match="the class weights are"):
        checked_weights(weights, classes)


@pytest.mark.parametrize("classes", [("often", "rare"), ("often", "never", "rare")])
def test_a_class_of_one_in_thirty_is_found_more_often(classes):
    """A rare post is a glowing one, and most glowing ones are not rare: without weights it is never the answer."""
    last = len(classes) - 1
    glowing = [post for post in drawn_in_words(1600) if post.text_kind == 2][:120]
    others = [post for post in drawn_in_words(1600) if post.text_kind in (-2, 0)][:180]
    posts = [Post(post.text, None, last if i % 12 == 0 else 0) for i, post in enumerate(glowing)]
    posts += [Post(post.text, None, 0) for post in others]
    labels = [post.label for post in posts]
    assert labels.count(last) * 30 == len(posts) == 300

    def recall(weights) -> float:
        model = MultimodalSentimentModel("distilbert", None, classes=classes, frozen=True, seed=0)
        train(model, make_loader(posts, model, 32, shuffle=True), make_loader(posts, model, 64), epochs=4,
              class_weights=weights, show_progress=False)
        counts = metrics.confusion(*answers(model, make_loader(posts, model, 64)))
        return metrics.class_figures(counts)[last]["recall"][0]

    assert recall(None) == 0
    assert recall(balanced_weights(labels, len(classes))) > 0.3


def test_the_validation_loss_is_weighted_alike_and_other_weights_are_another_run(tmp_path):
    posts = [Post(post.text, post.image, post.label % 2) for post in drawn_in_words(16)]
    model = MultimodalSentimentModel("distilbert", None, classes=("a", "b"), frozen=True)
    loader = make_loader(posts, model, 8)
    (row,) = train(model, loader, loader, epochs=1, class_weights=[1.0, 5.0], checkpoint=tmp_path / "run",
                   show_progress=False)
    assert model.classes == ("a", "b")
    logits = torch.logit(answers(model, loader)[0][:, 1:].double())
    labels = torch.tensor([post.label for post in posts])
    assert row["loss"] == pytest.approx(weighted_loss(logits, labels, torch.tensor([1.0, 5.0])).item(), abs=1e-4)
    assert row["loss"] != pytest.approx(F.binary_cross_entropy_with_logits(logits[:, 0], labels.double()).item())
    again = MultimodalSentimentModel("distilbert", None, classes=("a", "b"), frozen=True)
    with pytest.raises(ValueError, match="another class weights"):
        train(again, loader, loader, epochs=1, class_weights=[1.0, 2.0], checkpoint=tmp_path / "run",
              show_progress=False)
    with pytest.raises(ValueError, match="2 numbers above 0"):
        train(again, loader, loader, epochs=1, class_weights=[1.0], show_progress=False)
