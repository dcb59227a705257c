"""Right and wrong answers to the exercises of notebook 05: what the checks must take and what they must refuse."""

import math

import numpy as np
import torch
from scipy import special
from torch import nn
from torch.nn import functional as F

# --- 5.2 binary_loss ---


def loss_in_a_loop(logits, labels):
    total = 0.0
    for (logit,), label in zip(logits.tolist(), labels.tolist()):
        wrong_way = -logit if label == 1 else logit
        total += max(wrong_way, 0) + math.log1p(math.exp(-abs(wrong_way)))
    return total / len(labels)


def loss_in_numpy(logits, labels):
    signs = 1 - 2 * labels.numpy()
    return np.logaddexp(0, signs * logits.numpy()[:, 0]).mean()


def loss_written_out(logits, labels):
    z = logits.squeeze(-1)
    return (z.clamp(min=0) - z * labels + torch.log1p(torch.exp(-z.abs()))).mean()


def loss_with_a_switch(logits, labels):
    """Right for every logit, and its gradient is NaN where the power of e ran over unused."""
    x = torch.where(labels == 1, -logits[:, 0], logits[:, 0])
    return torch.where(x > 20, x, torch.log1p(torch.exp(x))).mean()


def loss_with_two_switches(logits, labels):
    """The same switch, with no power of e that runs over."""
    x = torch.where(labels == 1, -logits[:, 0], logits[:, 0])
    return torch.where(x > 20, x, torch.log1p(torch.exp(torch.where(x > 20, torch.zeros_like(x), x)))).mean()


def loss_row_by_row(logits, labels):
    """Plain `if`, tensor by tensor: the branch that is not taken is not computed."""
    costs = []
    for logit, label in zip(logits[:, 0], labels):
        x = -logit if label == 1 else logit
        costs.append(x + torch.log1p(torch.exp(-x)) if x > 0 else torch.log1p(torch.exp(x)))
    return torch.stack(costs).mean()


def loss_without_slopes(logits, labels):
    """The logits are taken out of the computation where they point the wrong way."""
    x = torch.where(labels == 1, -logits[:, 0], logits[:, 0])
    return (x.clamp(min=0).detach() + torch.log1p(torch.exp(-x.abs()))).mean()


def loss_of_doubles(logits, labels):
    """Twice as many digits reach to a logit of about 700, and no further."""
    return -torch.sigmoid((2 * labels - 1) * logits[:, 0].double()).log().mean()


def of_probabilities(logits, labels):
    positive = logits[:, 0].sigmoid()
    return -torch.where(labels == 1, positive, 1 - positive)


# --- 5.1 epoch_accuracy ---


def accuracy_in_a_loop(batches):
    right = posts = 0
    for logits, labels in batches:
        for (logit,), label in zip(logits.tolist(), labels.tolist()):
            right += (logit > 0) == bool(label)
            posts += 1
    return right / posts


def accuracy_pooled(batches):
    logits = torch.cat([logits for logits, _ in batches]).squeeze(-1)
    labels = torch.cat([labels for _, labels in batches])
    return ((logits.sigmoid() > 0.5).long() == labels).float().mean()


def accuracy_in_numpy(batches):
    hits = np.concatenate([(logits.numpy().ravel() > 0) == labels.numpy() for logits, labels in batches])
    return hits.mean()


def hits(logits, labels):
    return (logits[:, 0] > 0) == (labels == 1)


# --- 5.3 chosen_run ---


def run_in_a_loop(runs):
    best = None
    for run in runs:
        for row in run["history"]:
            if best is None or row["loss"] < best["loss"]:
                best = {"rate": run["rate"], **row}
    return {name: best[name] for name in ("rate", "epoch", "test_accuracy")}


def run_by_min(runs, key=lambda row: row["loss"], shown="test_accuracy"):
    rate, row = min(((run["rate"], row) for run in runs for row in run["history"]), key=lambda found: key(found[1]))
    return {"rate": rate, "epoch": row["epoch"], "test_accuracy": row[shown]}


def run_in_numpy(runs):
    losses = np.array([[row["loss"] for row in run["history"]] for run in runs])
    run, row = np.unravel_index(losses.argmin(), losses.shape)
    found = runs[run]["history"][row]
    return {"rate": runs[run]["rate"], "epoch": np.int64(found["epoch"]), "test_accuracy": found["test_accuracy"]}


# --- 5.4 learning_curve ---


def scores(features, weight):
    return np.c_[features, np.ones(len(features))] @ weight  # the last weight is the bias


def share_right(weight, posts):
    return ((scores(posts[0], weight) > 0) == posts[1].numpy()).mean()


def fitted(train, validation, steps=60, start=None, choose="validation", test=None):
    """A linear head by gradient descent, the step chosen on validation, test or not at all."""
    weight = np.zeros(train[0].shape[1] + 1) if start is None else start
    kept, lowest = None, math.inf
    for _ in range(steps):
        gradient = special.expit(scores(train[0], weight)) - train[1].numpy()
        weight = weight - 0.1 / len(gradient) * np.c_[train[0], np.ones(len(gradient))].T @ gradient
        if choose == "validation":
            held_out = np.logaddexp(0, (1 - 2 * validation[1].numpy()) * scores(validation[0], weight)).mean()
        else:
            held_out = -share_right(weight, test) if choose == "test" else -math.inf
        if held_out < lowest or choose == "last":
            kept, lowest = weight, held_out
    return kept


def curve(rows=None, measured="test", warm=False, percent=False, **how):
    """An experiment with one flaw: which posts are drawn, which are measured, how a head is trained."""
    def experiment(train, validation, test, sizes):
        result, weight = {}, None
        for size in sizes:
            result[size] = []
            for draw in range(3):
                order = torch.randperm(len(train[1]), generator=torch.Generator().manual_seed(draw))
                chosen = order[:size] if rows is None else rows(order, size)
                drawn = (train[0][chosen], train[1][chosen])
                weight = fitted(drawn, validation, start=weight if warm else None, test=test, **how)
                score = share_right(weight, {"test": test, "train": drawn, "validation": validation}[measured])
                result[size].append(100 * score if percent else score)
        return result
    return experiment


def curve_with_modules(train, validation, test, sizes):
    """A Linear layer, mini-batches, the state kept: as the course writes it."""
    result = {size: [] for size in sizes}
    with torch.random.fork_rng(devices=[]):
        for size in sizes:
            for draw in range(3):
                torch.manual_seed(draw)
                rows = torch.randperm(len(train[1]))[:size]
                head = nn.Linear(train[0].shape[1], 1)
                optimizer = torch.optim.AdamW(head.parameters(), lr=0.02)
                lowest, score = math.inf, None
                for _ in range(10):
                    for batch in rows[torch.randperm(size)].split(64):
                        loss = F.binary_cross_entropy_with_logits(head(train[0][batch])[:, 0], train[1][batch].float())
                        optimizer.zero_grad()
                        loss.backward()
                        optimizer.step()
                    with torch.no_grad():
                        held_out = F.binary_cross_entropy_with_logits(head(validation[0])[:, 0], validation[1].float())
                        if held_out < lowest:
                            lowest, score = held_out, hits(head(test[0]), test[1]).double().mean().item()
                result[size].append(score)
    return result


def curve_of_one_generator(train, validation, test, sizes):
    """One generator for all draws, validation by accuracy, arrays in the result."""
    rng, result = np.random.default_rng(7), {}
    for size in sizes:
        scored = np.zeros(3)
        for draw in range(3):
            rows = rng.choice(len(train[1]), size, replace=False)
            weight = fitted((train[0][rows], train[1][rows]), validation, choose="test", test=validation)
            scored[draw] = share_right(weight, test)
        result[size] = scored
    return result


def curve_without_seed(train, validation, test, sizes):
    return {size: [share_right(fitted((train[0][rows], train[1][rows]), validation), test)
                   for rows in (np.random.default_rng().permutation(len(train[1]))[:size] for _ in range(3))]
            for size in sizes}


def curve_of_heads(train, validation, test, sizes, draws=(0, 1, 2), with_validation=False, steps=40, anew=True):
    """As the task words it: a new Linear layer for each draw, 40 steps of AdamW, the best step kept."""
    result = {}
    for size in sizes:
        result[size] = []
        for seed, draw in enumerate(draws):
            rows = torch.randperm(len(train[1]), generator=torch.Generator().manual_seed(draw))[:size]
            features, labels = train[0][rows], train[1][rows]
            if with_validation:
                features, labels = torch.cat([features, validation[0]]), torch.cat([labels, validation[1]])
            if anew or not seed:
                with torch.random.fork_rng(devices=[]):
                    torch.manual_seed(seed)
                    head = nn.Linear(train[0].shape[1], 1)
            optimizer = torch.optim.AdamW(head.parameters(), lr=0.05)
            lowest, score = math.inf, None
            for _ in range(steps):
                loss = F.binary_cross_entropy_with_logits(head(features)[:, 0], labels.float())
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                with torch.no_grad():
                    held_out = F.binary_cross_entropy_with_logits(head(validation[0])[:, 0], validation[1].float())
                    if held_out < lowest:
                        lowest, score = held_out, hits(head(test[0]), test[1]).double().mean().item()
            result[size].append(score)
    return result


def fitted_on_both(train, validation, test, sizes):
    """Three fair draws, and the validation posts added to each."""
    return curve_of_heads(train, validation, test, sizes, with_validation=True)


def one_draw(train, validation, test, sizes):
    """The same draw three times, of three heads that begin differently."""
    return curve_of_heads(train, validation, test, sizes, draws=(0, 0, 0))


def one_head_for_a_size(train, validation, test, sizes):
    """Three fair draws, and one head that goes on from each to the next."""
    return curve_of_heads(train, validation, test, sizes, anew=False)


def one_draw_twice(train, validation, test, sizes):
    return curve_of_heads(train, validation, test, sizes, draws=(4, 7, 4))


RIGHT = {
    "binary_loss": [loss_written_out, loss_with_two_switches, loss_row_by_row,
                    lambda z, y: torch.logaddexp(torch.zeros(len(y)), (1 - 2 * y) * z[:, 0]).mean(),
                    lambda z, y: F.softplus(torch.where(y == 1, -z[:, 0], z[:, 0])).mean(),
                    lambda z, y: F.binary_cross_entropy_with_logits(z, y[:, None].float()),
                    lambda z, y: -F.logsigmoid((2 * y - 1) * z.flatten()).sum() / len(y)],
    "epoch_accuracy": [accuracy_in_a_loop, accuracy_pooled, accuracy_in_numpy,
                       lambda batches: sum(hits(*b).sum() for b in batches) / sum(len(y) for _, y in batches),
                       lambda batches: sum(hits(*b).double().mean() * len(b[1]) for b in batches)
                       / sum(len(y) for _, y in batches)],
    "chosen_run": [run_in_a_loop, run_by_min, run_in_numpy],
    "learning_curve": [curve(), curve_with_modules, curve_of_one_generator, curve_of_heads],
}

WRONG = {
    "binary_loss": [
        (lambda z, y: (F.softplus(z) - z * y).mean(), "a table of (posts, posts)"),
        (lambda z, y: F.softplus((2 * y - 1) * z[:, 0]).mean(), "wrong way round"),
        (lambda z, y: F.binary_cross_entropy_with_logits(z[:, 0].sigmoid(), y.float()), "applied twice"),
        (lambda z, y: F.softplus((1 - 2 * y) * z[:, 0]).sum(), "This is the sum"),
        (lambda z, y: -of_probabilities(z, y).log().mean().neg() * -1, "NaN"),
        (lambda z, y: (-of_probabilities(z, y)).log().mean(), "The sign is missing"),
        (lambda z, y: -(y * z[:, 0].sigmoid().log()).mean(), "label 0 cost nothing"),
        (lambda z, y: -z.sigmoid().log().mean(), "labels have no say"),
        (lambda z, y: -(-of_probabilities(z, y)).mean().log(), "logarithm of the mean"),
        (lambda z, y: 1 + of_probabilities(z, y).mean(), "the logarithm is missing"),
        (lambda z, y: F.mse_loss(z[:, 0].sigmoid(), y.float()), "squared gap"),
        (lambda z, y: -(-of_probabilities(z, y)).log(), "one loss for each post"),
        (lambda z, y: -(-of_probabilities(z, y)).clamp(min=1e-7).log().mean(), "cut off"),
        (loss_of_doubles, "infinite or NaN for very sure ones"),
        (loss_with_a_switch, "its gradient is NaN"), (loss_without_slopes, "its gradient is not"),
        (loss_in_a_loop, "it comes as a float from which no gradient"),
        (loss_in_numpy, "it comes as a float64"),
        (lambda z, y: torch.tensor(loss_in_a_loop(z, y)), "it comes as a Tensor"),
        (lambda z, y: -(-of_probabilities(z, y)).log2().mean(), "1.443 times the one asked for"),
        (lambda z, y: F.softplus((1 - 2 * y) * z[:, 0]).median(), "not what the task asks for"),
    ],
    "epoch_accuracy": [
        (lambda batches: np.mean([hits(*b).double().mean().item() for b in batches]), "average of the batches'"),
        (lambda batches: accuracy_pooled([(z - 0.5, y) for z, y in batches]), "compared with 0.5"),
        (lambda batches: accuracy_pooled([(z.sigmoid(), y) for z, y in batches]), "called positive"),
        (lambda batches: torch.cat([z.argmax(-1) == y for z, y in batches]).double().mean(), "called negative"),
        (lambda batches: sum(((z > 0).long() == y).sum() for z, y in batches) / sum(len(y) for _, y in batches),
         "every label of its batch"),
        (lambda batches: ((torch.cat([z for z, _ in batches]) > 0) == torch.cat([y for _, y in batches])).sum()
         / sum(len(y) for _, y in batches) ** 2, "every label of the epoch"),
        (lambda batches: np.mean([(z > 0).item() and y.item() == 1 for batch in batches for z, y in zip(*batch)]),
         "called negative is right, too"),
        (lambda batches: sum(hits(*b).sum().item() for b in batches), "number of right answers"),
        (lambda batches: sum(hits(*b).sum().item() for b in batches) / len(batches), "number of batches"),
        (lambda batches: 1 - accuracy_pooled(batches), "share of wrong"),
        (lambda batches: np.mean([((z > 0) == (y == 1)).double().mean() for z, y in batches]),
         "and the batches were averaged"),
        (lambda batches: accuracy_pooled(batches[:1]), "inside the loop"),
        (lambda batches: sum(hits(*batch).sum() for batch in batches) / sum(map(len, batches)), "length of the pairs"),
        (lambda batches: accuracy_pooled(batches[-1:]), "Only the last batch"),
        (lambda batches: 100 * accuracy_pooled(batches), "per cent"),
        (lambda batches: round(float(accuracy_pooled(batches)), 2), "rounded to two decimals"),
    ],
    "chosen_run": [
        (lambda runs: run_by_min(runs, lambda row: -row["test_accuracy"]), "The test posts did the choosing"),
        (lambda runs: run_by_min(runs, lambda row: row["train_loss"]), "training loss did the choosing"),
        (lambda runs: run_by_min(runs, lambda row: -row["accuracy"]), "by validation accuracy"),
        (lambda runs: run_by_min([{**run, "history": run["history"][-1:]} for run in runs]), "Only the last epoch"),
        (lambda runs: run_by_min(runs, lambda row: -row["loss"]), "highest"),
        (lambda runs: {**run_by_min(runs), "epoch": run_by_min(runs)["epoch"] - 1}, "off by one"),
        (lambda runs: run_by_min(runs, shown="accuracy"), "on the validation posts, which chose"),
        (lambda runs: {**run_by_min(runs), "test_accuracy": max(
            row["test_accuracy"] for run in runs if run["rate"] == run_by_min(runs)["rate"] for row in run["history"])},
         "best of the whole run"),
        (lambda runs: {**run_by_min(runs), "test_accuracy": max(
            row["test_accuracy"] for run in runs for row in run["history"])}, "best of all runs"),
        (lambda runs: {**run_by_min(runs), "test_accuracy": next(
            run["history"] for run in runs if run["rate"] == run_by_min(runs)["rate"])[-1]["test_accuracy"]},
         "at the last epoch"),
        (lambda runs: max((run_by_min([run]) for run in runs), key=lambda found: found["test_accuracy"]),
         "The rate is a choice too"),
        (lambda runs: run_by_min([min(runs, key=lambda run: run["history"][-1]["loss"])]), "by its last epoch"),
        (lambda runs: {**run_by_min(runs), "rate": runs[-1]["rate"]}, "after a loop"),
        (lambda runs: run_by_min([min(runs, key=lambda run: np.mean([row["loss"] for row in run["history"]]))]),
         "by the mean of its losses"),
        (lambda runs: {**run_by_min(runs), "test_accuracy": np.mean([row["test_accuracy"] for row in next(
            run["history"] for run in runs if run["rate"] == run_by_min(runs)["rate"])])}, "the mean of its run's"),
        (lambda runs: {**run_by_min(runs), "epoch": runs[-1]["history"][-1]["epoch"]}, "the epoch is its run's last"),
        (lambda runs: {**run_by_min(runs), "rate": [run["rate"] for run in runs].index(run_by_min(runs)["rate"])},
         "its place in the list"),
        (lambda runs: {**run_by_min(runs), "test_accuracy": runs[0]["history"][0]["test_accuracy"]},
         "Right in every call: 'rate', 'epoch'. Not right: 'test_accuracy'."),
        (lambda runs: run_by_min(runs[:1]), "Only the first run"),
        (lambda runs: run_by_min(runs[-1:]), "Only the last run"),
        (lambda runs: run_by_min(runs)["test_accuracy"], "Expected a dictionary"),
        (lambda runs: {"epoch": 1, "rate": 0.1}, "got one with 'epoch', 'rate'"),
    ],
    "learning_curve": [
        (curve(measured="train"), "other test labels are handed in"),
        (curve_without_seed, "its own seed"),
        (curve(choose="test"), "change with the test labels"),
        (curve(rows=lambda order, size: torch.arange(size)), "sorted by label"),
        (curve(rows=lambda order, size: torch.linspace(0, len(order) - 1, size).long()), "the same draw three times"),
        (curve(rows=lambda order, size: order), "from 20 and no more"),
        (curve(warm=True), "goes on from the first"),
        (curve(choose="last"), "whatever the validation labels say"),
        (curve(rows=lambda order, size: order[:20]), "take enough steps"),
        (curve(rows=lambda order, size: order[torch.from_numpy(np.random.default_rng(int(order[0])).integers(
            0, len(order), size))]), "has others twice"),
        (curve(percent=True), "between 0 and 1"),
        (one_head_for_a_size, "the heads of the later ones"),
        (one_draw, "hold the very same posts"), (fitted_on_both, "learned from the validation posts"),
        (lambda train, validation, test, sizes: dict.fromkeys(sizes, 0.8), "list of three accuracies"),
        (lambda train, validation, test, sizes: [[0.8] * 3] * len(sizes), "a dictionary with the keys"),
    ],
}
