"""What the answers to all posts say: the order of the labels, confidence, and figures that were counted wrongly."""

from __future__ import annotations

import inspect

import torch
from torch import Tensor

from ..learning.metrics import accuracy, calibration_error, confusion
from ..model.head import probabilities_of
from .case import Case, answer, answers_to, moved
from .finding import Finding, judged, not_asked
from .inputs import LABELS, marks_of, size_of
from .steadiness import still

#: Renamed classes must raise the accuracy by more than this to be the right ones.
RENAMED = 0.2
#: An answer above this is certain; and the share of answers that may be, beyond those that are right.
CERTAIN, SATURATED = 0.999, 0.25
#: Confidence may lie this far from the share of right answers, on average.
MISCALIBRATED = 0.15
#: How near two accuracies are the same figure.
_SAME = 5e-4


def _classes(case: Case) -> tuple[Tensor, Tensor] | str:
    """Probabilities (n, classes) and labels (n,), or why there are none."""
    if case.labels is None:
        return "The labels are not known: give batches with labels, or labels=."
    if case.labels.is_floating_point():
        return "The labels are numbers, and no classes."
    probabilities = probabilities_of(answers_to(case.copy(), case.batches))
    return (probabilities, case.labels) if probabilities.isfinite().all() else "There are answers that are NaN."


def label_order(case: Case) -> Finding:
    """Are the classes in the order of the labels? Every renaming of the model's classes is tried against the labels.

    The number: by how much the best renaming raises the accuracy; ill above `RENAMED`. Not asked where that is chance:
    where the best is not a tenth better than the commonest label, or the gain is below four standard errors
    of the posts that it changes; nor of a new model, whose weights may separate posts by chance: what has learned is as
    sure as it is right, and at least half as far above an even guess. The mistake: a table of labels that was sorted
    otherwise when the model learned, {0, 2} against {0, 1}, a head loaded with other names.
    """
    from scipy.optimize import linear_sum_assignment

    did = "renamed the classes in every way, and took the best"
    read = _classes(case)
    if isinstance(read, str):
        return not_asked("label_order", did, read)
    probabilities, labels = read
    counts = confusion(probabilities, labels)
    true, said = linear_sum_assignment(-counts.numpy())
    names = torch.from_numpy(said)
    gained = int(counts[true, said].sum()) - int(counts.diagonal().sum())
    changed = int(counts[true, said][names != torch.arange(len(names))].sum()) + int(
        counts.diagonal()[names != torch.arange(len(names))].sum())
    number, n = gained / len(labels), len(labels)
    best, commonest = counts[true, said].sum().item() / n, counts.sum(1).max().item() / n
    saw = f"accuracy {best - number:.3g} would be {best:.3g} if the classes stood in the order {said.tolist()}"
    even = 1 / len(counts)
    unsure = probabilities.max(-1).values.mean().item() - even < (best - even) / 2
    if number > RENAMED and (unsure or best <= commonest + 0.1 or gained <= 4 * max(changed, 1) ** 0.5):
        return not_asked("label_order", did, f"{saw[0].upper()}{saw[1:]}; chance alone does that where posts are few "
                         "or nothing has been learned: give more posts.")
    return judged("label_order", did, saw, number, RENAMED, "The model counts its classes otherwise than the labels "
                  "do: compare model.classes (id2label) with the table that made the labels.")


def saturation(case: Case) -> Finding:
    """Are the answers all certain? The share whose largest probability is above `CERTAIN`.

    The number: that share, less the share of answers that are right (without labels: less one half); ill above
    `SATURATED`. A good model may be certain, and then it is right. The mistake: logits that are far too large, from
    sums, from features that nobody normalised, from a temperature that was multiplied.
    """
    did = f"counted the answers that are more than {CERTAIN:.1%} certain"
    if case.labels is not None and case.labels.is_floating_point():
        return not_asked("saturation", did, "The labels are numbers, and no classes.")
    logits = answers_to(case.copy(), case.batches)
    probabilities = probabilities_of(logits)
    share = (probabilities.max(-1).values > CERTAIN).double().mean().item()
    right = 0.5 if case.labels is None else accuracy(probabilities, case.labels)
    number = share - right
    return judged("saturation", did, f"{share:.0%} of the answers; the largest logit is {logits.abs().max():.3g}"
                  + (f"; {right:.0%} are right" * (case.labels is not None)), number, SATURATED,
                  "Such answers learn nothing more, as their gradient is 0, and say nothing of how sure they are: "
                  "normalise what goes into the head.")


def calibration(case: Case) -> Finding:
    """Is the model as often right as it is sure? The expected calibration error, over all posts.

    The number: the error, less what chance makes of so few posts (the largest error for labels drawn from the
    answers themselves, 100 times); ill above `MISCALIBRATED`. Asked only of models that beat the commonest label: where
    nothing has been learned, confidence means nothing. The mistake: trained for too long, or measured in training.
    """
    did = "compared how sure the answers are with how often they are right"
    read = _classes(case)
    if isinstance(read, str):
        return not_asked("calibration", did, read)
    probabilities, labels = read
    right, commonest = accuracy(probabilities, labels), labels.bincount().max().item() / len(labels)
    if right < commonest + 2 * (commonest * (1 - commonest) / len(labels)) ** 0.5:
        return not_asked("calibration", did, f"The model ({right:.0%} right) does not beat the commonest label "
                         f"({commonest:.0%}): it has not learned yet.")
    error, generator = calibration_error(probabilities, labels), case.generator()
    chance = max(calibration_error(probabilities, torch.multinomial(probabilities.double(), 1, generator=generator)
                                   .squeeze(1)) for _ in range(100))
    number = error - chance
    return judged("calibration", did, f"confidence is off by {error:.3g} on average; chance alone makes up to "
                  f"{chance:.3g}", number, MISCALIBRATED, "Its confidence cannot be taken at its word: fit a "
                  "temperature on validation posts, and stop the training earlier.")


def counted(case: Case) -> Finding:
    """Was the accuracy counted over posts? The figure that was given is held against ways in which it may have come.

    The number: how far it is from the accuracy that is counted here; ill where they are not the same figure (0.0005).
    The mistakes: a mean of the batches' accuracies, in which a post of the last, smaller batch counts for more; labels
    {0, 2} against answers {0, 1}, in which a perfect model scores one half.
    """
    did = "counted the accuracy over posts, and in the ways in which it is often got wrong"
    read = _classes(case)
    if case.accuracy is None or isinstance(read, str):
        return not_asked("counted", did, read if isinstance(read, str) else "No accuracy was given: accuracy=the "
                         "figure that you have measured on these posts.")
    right = (read[0].argmax(-1) == read[1]).double()
    sizes = [size_of(batch) for batch in case.batches]
    ways = {"the mean over batches": averaged(right, sizes),
            "the share of wrong answers": 1 - right.mean().item(),
            "right answers of full batches over all posts": right[:len(right) // sizes[0] * sizes[0]].sum().item()
            / len(right), "the accuracy of the last batch": right[-sizes[-1]:].mean().item()}
    number = abs(case.accuracy - right.mean().item())
    like = [way for way, figure in ways.items() if abs(figure - case.accuracy) <= _SAME]
    return judged("counted", did, f"{right.mean().item():.4f} is counted, {case.accuracy:.4f} was given"
                  + (f", which is {like[0]}" if like and number > _SAME else ""), number, _SAME,
                  "Add up right answers and posts, and divide once, at the end.")


def leak(case: Case) -> Finding:
    """Do the labels reach the answers? The model is given labels, then others; and the inputs are held against them.

    The number: inputs of one number a post from which its label can be read off, and 1 more if answers move with the
    labels that the model is given for its loss; ill above 0. The mistake: labels that are embedded as a side of the
    post, a column of the table that was made of them. Such a model also "learns" shuffled labels.
    """
    did = "gave the model labels and others in their place, and looked for them among its inputs"
    if case.labels is None:
        return not_asked("leak", did, "The labels are not known: give batches with labels, or labels=.")
    told, probe, model = [], case.probe, case.copy()
    for name in probe:
        values = [batch[name].reshape(size_of(batch), -1).cpu() for batch in case.batches]
        if name not in LABELS and all(value.shape[1] == 1 for value in values):
            pairs = set(zip(torch.cat(values).flatten().tolist(), case.labels.tolist()))
            known = len({value for value, _ in pairs})
            if known == len(pairs) == len(case.labels.unique()) > 1:
                told.append(f"the input {name}")
    taken = inspect.signature(model.forward).parameters
    for name in [name for name in LABELS if name in taken]:
        own = case.labels[:size_of(probe)].to(probe[next(iter(probe))].device)
        if name in probe:  # of the kind that the model asks for
            own = own.to(probe[name].dtype).reshape(probe[name].shape)
        other = own.roll(1) if case.labels.is_floating_point() else (own + 1) % max(2, int(case.labels.max()) + 1)
        if moved(answer(model, {**probe, name: own}), answer(model, {**probe, name: other})) > still(case):
            told.append(f"the answers, which move with {name}")
    return judged("leak", did, f"the labels stand in {' and in '.join(told)}" if told else "no input gives them away, "
                  "and no answer moves with them", len(told), 0, "The model need not read the post: keep the "
                  "labels for the loss, and out of all that the answer is made of.")


def averaged(right: Tensor, sizes: list[int]) -> float:
    """The mean of the batches' accuracies: what a loop over batches gives that does not count.

    Args:
        right: (n,), 1 for a right answer.
        sizes: posts of each batch.
    """
    return sum(part.double().mean().item() for part in right.split(sizes)) / len(sizes)


def repeated(case: Case) -> Finding:
    """Do posts of the test stand in the training? The same token ids, the same pixels, whatever is behind them.

    The number: the share of posts all of whose sides training has, together in one post, or whose picture or sound it
    has; ill above 0. A text alone may well be said twice: it is told, and held against nobody unless the posts have
    nothing but a text. The mistake: posts that were split before copies were taken out.
    """
    did = "looked for the posts among those of the training"
    if case.train is None:
        return not_asked("repeated", did, "The training posts were not given: train=their loader.")
    ours, theirs = marks_of(case.batches), case.train
    sides = [side for side in ours if side in theirs]
    n = len(next(iter(ours.values())))
    theirs_of = {side: set(theirs[side]) for side in sides}
    hits = {side: [mark in theirs_of[side] for mark in ours[side]] for side in sides}
    known = set(zip(*(theirs[side] for side in sides)))
    whole = [mark in known for mark in zip(*(ours[side] for side in sides))]
    bad = [post or any(hits[side][i] for side in sides if side != "text") for i, post in enumerate(whole)]
    number = sum(bad) / n
    return judged("repeated", did, f"of {n} posts {sum(whole)} stand there whole; " + ", ".join(
        f"{sum(hit)} by their {side}" for side, hit in hits.items()), number, 0,
        "What was learned by heart counts as understood: take these posts out of one of the two, and measure again.",
        post=bad.index(True) if any(bad) else None)
