"""Training learns, counts over examples, keeps its best epoch and touches nothing it was not asked to."""

import copy

import pytest
import torch
from helpers import food, generators, mini
from torch.nn import functional as F

from mmsa_utils import (
    BINARY_LABELS,
    answers,
    evaluate,
    history_table,
    log_loss,
    loss_of,
    make_loader,
    probabilities_of,
    train,
)
from mmsa_utils.learning import training
from mmsa_utils.learning.losses import check_labels


def loaders(net, n: int = 20, batch_size: int = 8, binary: bool = False):
    posts = food(n, binary=binary)
    return make_loader(posts, net, batch_size, shuffle=True), make_loader(posts, net, batch_size)


def quiet(net, *two, **options):
    return train(net, *two, show_progress=False, **options)


# --- losses and labels ---


def test_loss_is_cross_entropy_or_its_binary_form():
    rng = torch.Generator().manual_seed(0)
    labels = torch.randint(2, (9,), generator=rng)
    three, one = torch.randn(9, 3, generator=rng), torch.randn(9, 1, generator=rng)
    assert loss_of(three, labels) == F.cross_entropy(three, labels)
    assert torch.isclose(loss_of(one, labels), F.binary_cross_entropy_with_logits(one[:, 0], labels.float()))
    assert loss_of(one, labels).item() == pytest.approx(log_loss(probabilities_of(one), labels), rel=1e-5)


@pytest.mark.parametrize(("labels", "classes", "wrong"),
                         [([0, 3], 3, 3), ([-1], 3, -1), ([1, 1, 2], 2, 2), ([-1], 2, -1)])
def test_a_label_out_of_range_is_refused(labels, classes, wrong):
    with pytest.raises(ValueError, match=f"example {len(labels) - 1} is {wrong}: expected 0 to {classes - 1}"):
        check_labels(torch.tensor(labels), classes)


@pytest.mark.parametrize(("labels", "classes"), [([0, 1, 2], 3), ([0, 1], 2), ([0, 4], 5)])
def test_labels_in_range_pass(labels, classes):
    check_labels(torch.tensor(labels), classes)


@pytest.mark.parametrize("do", [evaluate, lambda net, batches: quiet(net, batches, batches)], ids=["evaluate", "train"])
def test_three_class_posts_do_not_fit_a_binary_model(tiny, do):
    batches = list(loaders(tiny())[1])
    with pytest.raises(ValueError, match="expected 0 to 1 for a model with 2 classes"):
        do(tiny(classes=BINARY_LABELS), batches)
    with pytest.raises(ValueError, match="expected 0 to 1 for a model with 2 classes"):
        do(tiny(classes=BINARY_LABELS), make_loader(food(20), tiny(classes=BINARY_LABELS)))


# --- evaluate ---


def test_evaluation_counts_examples_not_batches(tiny):
    net = tiny()
    results = [evaluate(net, loaders(net, 20, batch_size)[1]) for batch_size in (20, 19, 8, 1)]
    for result in results[1:]:  # batches of 19 and 1 would weigh the last post nineteen times
        assert result == pytest.approx(results[0], abs=1e-5)
    assert set(results[0]) == {"loss", "accuracy", "macro_f1", "calibration_error"}


@pytest.mark.parametrize("mode", [True, False])
def test_evaluation_leaves_the_model_as_it_was(tiny, mode):
    net = tiny(dropout=0.5).train(mode)
    before = copy.deepcopy(net.state_dict())
    two = [answers(net, loaders(net)[1])[0] for _ in range(2)]
    assert torch.equal(*two)
    assert net.training is mode
    assert not two[0].requires_grad
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())


def test_answers_keep_the_order_of_the_posts(tiny):
    net = tiny()
    probabilities, labels = answers(net, loaders(net)[1])
    assert labels.tolist() == [post.label for post in food(20)]
    posts = food(20)
    assert torch.allclose(probabilities, net.predict([p.text for p in posts], [p.image for p in posts]), atol=1e-5)


# --- train ---


@pytest.mark.parametrize(("pair", "binary"), [("bert+resnet18", True), ("distilbert+vit", False)])
def test_a_mini_model_learns_posts_by_heart(pair, binary):
    net = copy.deepcopy(mini(pair, binary))
    net.freeze(False)
    history = quiet(net, *loaders(net, 12, 6, binary), epochs=9, encoder_lr=1e-3, lr=3e-3)
    assert evaluate(net, loaders(net, 12, 6, binary)[1])["accuracy"] == 1
    assert history[-1]["train_loss"] < 0.5 * history[0]["train_loss"]
    assert not net.training


def test_training_figures_are_counted_over_examples(tiny):
    """With rates of zero the model stays, so the epoch's figures are those of the model itself."""
    net = tiny(frozen=True, dropout=0)
    (row,) = quiet(net, *loaders(net, 20, 19), epochs=1, lr=0)
    assert row["train_loss"] == pytest.approx(row["loss"], abs=1e-4)
    assert row["train_accuracy"] == pytest.approx(row["accuracy"])
    assert row["loss"] == pytest.approx(evaluate(net, loaders(net)[1])["loss"], abs=1e-5)


def test_the_best_epoch_is_kept(tiny, monkeypatch):
    net = tiny()
    seen = []

    def told(model, loader):
        seen.append(copy.deepcopy(model.state_dict()))
        return {"loss": [3.0, 1.0, 2.0, 1.5][len(seen) - 1], "accuracy": 0.0, "macro_f1": 0.0}

    monkeypatch.setattr(training, "evaluate", told)
    history = quiet(net, *loaders(net), epochs=4)
    assert [row["loss"] for row in history] == [3, 1, 2, 1.5]
    assert [row["epoch"] for row in history] == [1, 2, 3, 4]
    kept = net.state_dict()
    assert all(torch.equal(kept[name], tensor) for name, tensor in seen[1].items())
    assert any(not torch.equal(kept[name], tensor) for name, tensor in seen[3].items())


def test_frozen_encoders_come_out_of_training_to_the_bit(tiny):
    net = tiny(frozen=True)
    before = copy.deepcopy(net.state_dict())
    quiet(net, *loaders(net), epochs=2)
    changed = {name for name, tensor in net.state_dict().items() if not torch.equal(tensor, before[name])}
    assert changed == {f"head.{layer}.{part}" for layer in (2, 5, 8) for part in ("weight", "bias")}


def test_two_runs_with_one_seed_are_equal_and_leave_the_global_generators(tiny):
    def run(seed):
        net = tiny(dropout=0.5)
        return quiet(net, *loaders(net), epochs=2, seed=seed), net.state_dict()

    torch.manual_seed(8)
    before = generators()
    first, state = run(1)
    assert generators() == before
    torch.manual_seed(9)
    second, again = run(1)
    assert first == second
    assert all(torch.equal(state[name], again[name]) for name in state)
    assert run(2)[0] != first


def rates(monkeypatch, net, epochs: int, **options) -> list[list[float]]:
    """The learning rates of every step, one for each group of parameters."""
    taken = []
    step = torch.optim.AdamW.step

    def recorded(self, *rest, **named):
        taken.append([group["lr"] for group in self.param_groups])
        return step(self, *rest, **named)

    monkeypatch.setattr(torch.optim.AdamW, "step", recorded)
    quiet(net, *loaders(net, 20, 2), epochs=epochs, **options)
    return taken


def test_rates_rise_then_fall(monkeypatch, tiny):
    taken = rates(monkeypatch, tiny(), epochs=2, warmup=0.2, encoder_lr=1e-4, lr=1e-2)
    head = [max(groups) for groups in taken]
    assert len(head) == 20
    assert head[:4] == pytest.approx([0.0025, 0.005, 0.0075, 0.01])
    assert head[4:] == sorted(head[4:], reverse=True)
    assert 0 < head[-1] < 0.001
    assert {round(max(groups) / min(groups)) for groups in taken} == {100}


def test_weight_decay_spares_vectors(tiny):
    net = tiny()
    groups = training._parameter_groups(net, 1e-4, 1e-3, 0.1)
    assert sum(len(group["params"]) for group in groups) == len(list(net.parameters()))
    for group in groups:
        assert {p.dim() > 1 for p in group["params"]} == {group["weight_decay"] == 0.1}


def test_gradients_are_clipped(monkeypatch, tiny):
    norms = []
    clip = torch.nn.utils.clip_grad_norm_

    def recorded(parameters, largest):
        parameters = list(parameters)
        norms.append((clip(parameters, largest).item(),
                      torch.cat([p.grad.flatten() for p in parameters if p.grad is not None]).norm().item()))

    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", recorded)
    net = tiny()
    quiet(net, *loaders(net), epochs=1, clip=0.01)
    assert norms
    assert all(before > 0.01 >= after - 1e-5 for before, after in norms)


@pytest.mark.parametrize("epochs", [0, -1])
def test_no_epochs_are_refused(tiny, epochs):
    net = tiny()
    with pytest.raises(ValueError, match=f"epochs is {epochs}"):
        quiet(net, *loaders(net), epochs=epochs)


def test_a_loss_that_blows_up_is_an_error_not_a_crash(tiny):
    net = tiny()
    with torch.no_grad():
        net.head[2].weight.fill_(float("nan"))
    with pytest.raises(ValueError, match="loss is nan"):
        quiet(net, *loaders(net), epochs=1)


def test_progress_bars_stay_off_standard_output(tiny, capsys):
    net = tiny()
    train(net, *loaders(net), epochs=1)
    evaluate(net, loaders(net)[1], show_progress=True)
    assert capsys.readouterr().out == ""


def test_history_is_a_table():
    table = history_table([{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.25}]).splitlines()
    assert [line.split() for line in table] == [["epoch", "loss"], ["1", "0.500"], ["2", "0.250"]]
    assert len({len(line) for line in table}) == 1
