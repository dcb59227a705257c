"""The checks of notebook 05: counting right answers, the loss, choosing a run, a learning curve."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from ..learning.losses import loss_of
from .checks import exercise
from .compare import Refused, after, alike, compare, expect_keys, kind_of, numbers
from .draws import moved_draws, refuse_missed_posts
from .made_up import batch_of_logits, runs, two_clouds


@exercise("5.1")
def epoch_accuracy(answer: Any, rng: np.random.Generator, sure: float = 0.5) -> str:
    """List of (logits (posts, 1), labels (posts,)), of uneven sizes → share right; positive is what is above `sure`."""
    limit = np.log(sure / (1 - sure))
    cases = [([batch_of_logits(rng, posts) for posts in sizes],) for sizes in ((6, 6, 1), (5, 2), (8, 8, 8, 3), (4, 7))]

    def right_of(z, y):
        return (z[:, 0] > limit) == (y == 1)

    def count(rule):  # right answers over all posts
        return lambda batches: sum(rule(z, y).sum() for z, y in batches) / sum(len(y) for _, y in batches)

    def pooled(batches):
        return torch.cat([z for z, _ in batches]), torch.cat([y for _, y in batches])

    def every_pair(batches):
        z, y = pooled(batches)
        return ((z > limit) == (y == 1)).double().mean()

    compare(answer, count(right_of), cases, {
        "This is the average of the batches' accuracies: the posts of a small last batch weigh more than the others.":
            lambda batches: torch.stack([right_of(z, y).double().mean() for z, y in batches]).mean(),
        f"The logits are compared with {sure}, which is a limit for probabilities. Where do logits change sides?":
            count(lambda z, y: (z[:, 0] > sure) == (y == 1)),
        "Every post is called positive here. Is a probability compared with 0, or the sigmoid applied twice?":
            count(lambda z, y: y == 1),
        "Every post is called negative here. With a single logit a post, argmax has nothing to choose from.":
            count(lambda z, y: y == 0),
        "Each answer was compared with every label of its batch: (posts, 1) beside (posts,) is spread to a table. "
        "Bring both to one shape first.": count(lambda z, y: (z > limit) == (y == 1)),
        "Each answer was compared with every label of the epoch: (posts, 1) beside (posts,) is spread to a table. "
        "Bring both to one shape first.": every_pair,
        "Only posts that were called positive are counted: a negative post that is called negative is right, too.":
            count(lambda z, y: (z[:, 0] > limit) & (y == 1)),
        "This is the number of right answers. The task asks for their share.":
            lambda batches: sum(right_of(z, y).sum() for z, y in batches),
        "The right answers are divided by the number of batches, not of posts.":
            lambda batches: sum(right_of(z, y).sum() for z, y in batches) / len(batches),
        "This is the share of wrong answers: a high logit says positive, and positive is label 1.":
            count(lambda z, y: ~right_of(z, y)),
        "Each answer was compared with every label of its batch, as (posts, 1) beside (posts,) is spread to a table; "
        "and the batches were averaged, so that the posts of a small one weigh more.":
            lambda batches: torch.stack([((z > limit) == (y == 1)).double().mean() for z, y in batches]).mean(),
        "Only the first batch is counted. Does `return` stand inside the loop?":
            lambda batches: right_of(*batches[0]).double().mean(),
        "The right answers are divided by the length of the pairs, which is 2. How many posts are in a batch?":
            lambda batches: sum(right_of(z, y).sum() for z, y in batches) / (2 * len(batches)),
        "Only the last batch is counted.": lambda batches: right_of(*batches[-1]).double().mean(),
    })
    return "Every post counts once, whatever batch it came in. That is how `evaluate` counts."


@exercise("5.2")
def binary_loss(answer: Any, rng: np.random.Generator) -> str:
    """(logits (posts, 1), labels (posts,)) → mean loss, a number."""
    cases = [batch_of_logits(rng, posts) for posts in (6, 4, 7, 5)]
    compare(answer, loss_of, cases, {
        "Each logit met every label, not only its own: (posts, 1) beside (posts,) is spread to a table of (posts, "
        "posts). Bring both to one shape first.": lambda z, y: (F.softplus(z) - z * y).mean(),
        "The labels are the wrong way round: a high logit says positive, and positive is label 1.":
            lambda z, y: loss_of(-z, y),
        "The sigmoid is applied twice: the loss works on logits, and a probability is no logit any more.":
            lambda z, y: loss_of(z.sigmoid(), y),
        "This is the sum over the posts: it would grow with the batch. The task asks for the mean.":
            lambda z, y: loss_of(z, y) * len(y),
        "The sign is missing: the logarithm of a probability is negative, and a loss is not.":
            lambda z, y: -loss_of(z, y),
        "Posts with label 0 cost nothing here: nobody asks how sure the model was of the wrong label.":
            lambda z, y: (F.softplus(-z[:, 0]) * y).mean(),
        "This is the squared gap between probability and label. It is never more than 1, however sure the mistake.":
            lambda z, y: (z[:, 0].sigmoid() - y).square().mean(),
        "The labels have no say here: you take the probability of positive for every post.":
            lambda z, y: F.softplus(-z[:, 0]).mean(),
        "This is the logarithm of the mean probability. The task asks for the mean of the logarithms.":
            lambda z, y: -torch.where(y == 1, z[:, 0].sigmoid(), (-z[:, 0]).sigmoid()).mean().log(),
        "This is the mean probability of the wrong label: the logarithm is missing.":
            lambda z, y: torch.where(y == 1, (-z[:, 0]).sigmoid(), z[:, 0].sigmoid()).mean(),
        "This is one loss for each post. The task asks for their mean.":
            lambda z, y: F.softplus(z[:, 0]) - z[:, 0] * y,
    })
    sure, labels = torch.tensor([[200.0], [-1000.0], [-200.0], [1000.0], [1.0]]), torch.tensor([1, 1, 0, 0, 0])
    breaks = ("Right for ordinary logits, but infinite or NaN for very sure ones, such as 200 or -1000. A "
              "probability or a power of e was rounded to 0, 1 or infinity on the way. Can the loss do without it?")
    try:
        given = numbers(answer(sure, labels))
    except Refused as stopped:  # Python's own arithmetic stops, where PyTorch's goes on with an infinity
        if any(words in str(stopped) for words in ("Overflow", "ZeroDivision", "ValueError")):
            raise Refused(breaks, 1 / 3) from None
        raise
    if not np.isfinite(given).all():
        raise Refused(breaks, 1 / 3)
    if not alike(given, loss_of(sure, labels), 1e-3):
        raise Refused("Right for ordinary logits, but a very sure mistake, such as a logit of -1000 for a positive "
                      "post, costs the wrong amount. Was something cut off to keep the logarithm finite?", 1 / 3)
    _refuse_broken_slopes(answer, sure, labels)
    return "This loss is right for every logit, and no single post can turn it into infinity."


@after(2, of=3)
def _refuse_broken_slopes(answer: Any, logits: torch.Tensor, labels: torch.Tensor) -> None:
    """Refuse a loss whose value is right and whose gradients are not, or that has none to train with."""
    logits = logits.clone().requires_grad_()
    try:
        loss = answer.function(logits, labels)  # not a copy: the gradients arrive at these very logits
    except Exception:  # right for a tensor without gradients: NumPy refuses one that has them
        loss = answer(logits.detach(), labels)
    if not getattr(loss, "requires_grad", False):
        if torch.is_tensor(loss) and not hasattr(answer.function, "__code__"):
            return  # called across the line to a graded notebook, which no gradient crosses
        raise Refused(f"The loss is right, and nothing can be trained with it: it comes as {kind_of(loss)} from which "
                      "no gradient leads back to the logits. Has it left PyTorch on the way?")
    loss.sum().backward()
    if logits.grad is None or not torch.isfinite(logits.grad).all():
        raise Refused("The loss is right for very sure posts, but its gradient is NaN there, and one step of training "
                      "would turn every weight into NaN. A choice between two formulas computes both of them; the one "
                      "not taken still sends back 0 times infinity. No power of e may run over, not even unused.")
    if not alike(logits.grad[:, 0], (logits[:, 0].sigmoid() - labels) / len(labels), 1e-3):
        raise Refused("The loss is right, but its gradient is not: some posts would not be learned from. Was a number "
                      "cut off, or taken out of the computation, on the way?")


@exercise("5.3")
def chosen_run(answer: Any, rng: np.random.Generator) -> str:
    """List of {"rate", "history": rows} → {"rate", "epoch", "test_accuracy"} of the chosen epoch."""
    cases = [(runs(rng),) for _ in range(5)]
    keys = ("rate", "epoch", "test_accuracy")
    for case in cases:
        expect_keys(answer(*case), keys)

    def by(score, candidates=lambda history: history, shown="test_accuracy"):
        def choose(runs):
            rows = [(run["rate"], row) for run in runs for row in candidates(run["history"])]
            rate, row = min(rows, key=lambda found: score(found[1]))
            return {"rate": rate, "epoch": row["epoch"], "test_accuracy": row[shown]}
        return choose

    def run_by(score):  # the run first, and then its best epoch
        return lambda runs: right([min(runs, key=lambda run: score([row["loss"] for row in run["history"]]))])

    def test_accuracy_of(rows_of):
        return lambda runs: {**right(runs), "test_accuracy": rows_of([
            [row["test_accuracy"] for row in run["history"]] for run in runs if run["rate"] == right(runs)["rate"]][0])}

    right = by(lambda row: row["loss"])
    compare(answer, right, cases, {
        "The test posts did the choosing: the highest of many test accuracies is partly luck, and flatters.":
            by(lambda row: -row["test_accuracy"]),
        "The training loss did the choosing: it is lowest where the posts are best known by heart.":
            by(lambda row: row["train_loss"]),
        "The choice was made by validation accuracy. The task asks for validation loss, which also sees how sure the "
        "answers were.": by(lambda row: -row["accuracy"]),
        "Only the last epoch of each run was looked at: an earlier one may have been better.":
            by(lambda row: row["loss"], candidates=lambda history: history[-1:]),
        "This is where the validation loss is highest.": by(lambda row: -row["loss"]),
        "The epoch is off by one: rows are counted from 0, epochs from 1. Each row says which epoch it is.":
            lambda runs: {**right(runs), "epoch": right(runs)["epoch"] - 1},
        "Rate and epoch are right, but the accuracy is the one on the validation posts, which chose this epoch.":
            by(lambda row: row["loss"], shown="accuracy"),
        "Rate and epoch are right, but the test accuracy is the best of the whole run, not the chosen epoch's: again "
        "the test posts chose.": test_accuracy_of(max),
        "Rate and epoch are right, but the test accuracy is the best of all runs, not the chosen epoch's: again the "
        "test posts chose.": lambda runs: {**right(runs), "test_accuracy": max(
            row["test_accuracy"] for run in runs for row in run["history"])},
        "Rate and epoch are right, but the test accuracy is its run's at the last epoch. `train` keeps another model.":
            test_accuracy_of(lambda scores: scores[-1]),
        "The epoch was chosen by validation loss, but the run by its test accuracy. The rate is a choice too.":
            lambda runs: max((right([run]) for run in runs), key=lambda found: found["test_accuracy"]),
        "The run was chosen by its last epoch, and the epoch only then. Among all runs, another epoch is better.":
            run_by(lambda losses: losses[-1]),
        "The run was chosen by the mean of its losses, and the epoch only then. One epoch of all is kept.":
            run_by(np.mean),
        "Rate and epoch are right, but the test accuracy is the mean of its run's epochs: the kept model has one.":
            test_accuracy_of(np.mean),
        "Rate and test accuracy are right, but the epoch is its run's last: after a loop, its variable holds the last "
        "one.": lambda runs: {**right(runs), "epoch": len(runs[0]["history"])},
        "Epoch and test accuracy are right, but the rate is its place in the list. Each run says what its rate is.":
            lambda runs: {**right(runs), "rate": [run["rate"] for run in runs].index(right(runs)["rate"])},
        "Epoch and test accuracy are right, but the rate is the last run's: after a loop, its variable holds the last "
        "one. Remember the rate together with the row.": lambda runs: {**right(runs), "rate": runs[-1]["rate"]},
        "Only the first run was searched.": lambda runs: right(runs[:1]),
        "Only the last run was searched.": lambda runs: right(runs[-1:]),
    })
    return "The validation posts chose, and the test posts were asked once: this figure needs no excuse."


@exercise("5.4")
def learning_curve(answer: Any, rng: np.random.Generator) -> str:
    """(train, validation, test, sizes) → {size: three test accuracies, one a draw}; sets are (features, labels)."""
    make = two_clouds(rng)
    train, validation, test = make(300), make(150), make(400)
    order = train[1].argsort(stable=True)
    train = (train[0][order], train[1][order])  # sorted by label: the first posts are no fair sample
    sizes = [240, 20]  # falling, so that a head that goes on from the last one gives itself away

    def ask(validation, test, sizes):
        return _curve(answer(train, validation, test, sizes), sizes)

    curve, opposite = ask(validation, test, sizes), ask(validation, (test[0], 1 - test[1]), sizes)
    if alike(opposite, curve, 1e-9):
        raise Refused("The figures stay the same when other test labels are handed in. Which posts do you measure on?")
    if not alike(opposite, {size: [1 - x for x in row] for size, row in curve.items()}, 1e-6):
        if not alike(ask(validation, test, sizes), curve, 1e-9):
            raise Refused("The same posts handed in twice give two different curves. Give every draw its own seed.")
        raise Refused("The answers to the test posts change with the test labels: these have a part in the training, "
                      "or in choosing the epoch. Keep them for the very end.")
    few, many = np.mean(curve[20]), np.mean(curve[240])
    if few < 0.57:
        raise Refused("With 20 posts your heads only guess. The posts may come sorted by label: are yours drawn at "
                      "random, or are they the first 20?")
    if many < 0.79:
        raise Refused(f"With 240 posts your heads reach {many:.2f} on average; a linear head on these features gets "
                      "beyond 0.8. Does every head take enough steps, and see all the posts that it was given?")
    alone = ask(validation, test, [20])
    if many - few < 0.02:
        if many - alone[20][0] < 0.02:
            raise Refused("20 posts do as well as 240. Does a head for 20 posts really learn from 20 and no more?")
        raise Refused("Asked for 240 posts first and 20 after, both do equally well; asked for 20 alone, it does "
                      "worse. The second head goes on from the first: start every head anew.")
    if len(set(curve[20])) == 1:
        raise Refused("Three draws of 20 posts agree to the last digit: it is the same draw three times.")
    rows = np.repeat(np.arange(len(test[1])), rng.integers(1, 40, len(test[1])))
    loud = (test[0][rows], test[1][rows])  # in which each answer shows

    def draws(train, size):
        return np.array(_curve(answer(train, validation, loud, [size]), [size])[size])

    moved = moved_draws(lambda train: draws(train, 3), train, rng)
    if any(np.array_equal(*pair) for pair in combinations(moved.T, 2)):
        raise Refused("Two of the three draws hold the very same posts, and only their heads begin differently. The "
                      "draw needs a seed of its own each time, or its luck is never seen.")
    if (moved[:, 1:] < moved[:, :-1]).sum() <= 1:
        raise Refused("Of three draws, the heads of the later ones change with the posts of the earlier ones: they go "
                      "on from them, and have learned from more than their own draw. Start every head anew.")
    strange = two_clouds(rng)  # another direction, of which the training posts say nothing
    told = _curve(answer(train, strange(150), strange(400), [20]), [20])
    if np.mean(told[20]) > 0.7:
        raise Refused(f"We handed your experiment validation posts of quite another kind, and its heads knew that kind "
                      f"({np.mean(told[20]):.2f} on such test posts): they have learned from the validation posts. "
                      "These only say which step to keep; learning is for the draw alone.")
    if alike(ask((validation[0], 1 - validation[1]), test, [20]), alone, 1e-9):
        raise Refused("The figures stay the same whatever the validation labels say. They are to choose the epoch.")
    refuse_missed_posts(lambda train: draws(train, 8), make(8))
    return "Fair draws, fresh heads, and test posts that chose nothing: what this curve says about more posts is true."


def _curve(given, sizes: list[int]) -> dict[int, list[float]]:
    """What the answer gave back, when it has the asked form."""
    expect_keys(given, sizes)
    curve = {size: numbers(given[size]) for size in sizes}
    for size, row in curve.items():
        if row is None or row.shape != (3,):
            raise Refused(f"For {size} posts, expected a list of three accuracies, one for each draw.")
        if not ((row >= 0) & (row <= 1)).all():
            raise Refused("An accuracy is a share between 0 and 1.")
    return {size: row.tolist() for size, row in curve.items()}
