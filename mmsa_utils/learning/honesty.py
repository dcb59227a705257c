"""The honesty board: every fusion beside what costs nothing, on any posts.

On real posts a picture often adds 0 to 3 points to the text, and counting words does well. So no figure stands alone
here: beside the fusions stand always the commonest answer, words counted without any network (TF-IDF), and each side
alone, all on the same posts, with the same number of tries; each has its interval, and the differences are paired, post
by post.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..bars import progress
from ..fusion.absent import Absent, missing
from ..fusion.base import Fusion
from ..fusion.concat import Concat
from ..fusion.table import FUSIONS, make_fusion
from ..model.head import probabilities_of
from ..model.model import MultimodalSentimentModel
from . import metrics
from .alignment import head_outputs
from .assessment import plain
from .comparison import EPOCHS, RATES, cost, raced, subsets
from .features import Features, vectors_of
from .losses import class_count
from .own_correction import BATCH
from .paired import paired_difference
from .regression import CONVENTIONS, regression_figures, weighted_f1

#: What words counted by TF-IDF are tried with: the inverse of how much large weights cost (scikit-learn's C).
STRENGTHS = (1.0, 10.0)


def honesty_board(model: MultimodalSentimentModel, sets: Mapping[str, Features], fusions: Sequence[str] | None = None,
                  *, seeds: int = 5, convention: str = "mosi", others: Mapping[str, Tensor] | None = None,
                  show_progress: bool = True) -> dict[str, Any]:
    """Everything that could answer these posts, measured once on the test posts.

    Args:
        model: whose encoders, kept frozen, the features are from; its classes say what is learned.
        sets: "train", "validation" and "test": features, with `texts` if words are to be counted. Sequences if a
            fusion is to read them.
        fusions: by name; None: all that can read these features.
        seeds: alignments of each, numbered from 0.
        convention: for numbers, how they are counted, see `regression.CONVENTIONS`.
        others: name → what else answers the test posts: (posts, classes) probabilities, or (posts,) numbers.

    Returns:
        A report of plain numbers. "rivals": name → for classes "accuracy" (mean, low, high), "macro_f1" and
        "weighted_f1" (means over seeds); for numbers "mae" (mean, low, high) and the "figures" of the convention; what
        was trained has "parameters", "seconds" and "rate" too. "differences": rival → "tfidf" and "text" → how far it
        lies above those (for numbers: how much smaller its error is), as `paired_difference` gives it.

    Raises:
        ValueError: for sets without posts, without seeds, for an unknown convention, or answers of another number of
            posts.
    """
    if seeds < 1:
        raise ValueError(f"there are {seeds} seeds: expected at least one.")
    lacking = [split for split in ("train", "validation", "test") if not len(sets.get(split, ()))]
    if lacking:
        raise ValueError(f"there are no {lacking[0]} posts: expected train, validation and test.")
    if convention not in CONVENTIONS:
        raise ValueError(f"there is no convention {convention[:60]!r}: expected one of {', '.join(CONVENTIONS)}.")
    start = time.perf_counter()
    test, numbers = sets["test"], model.classes is None
    reads = any(side.tokens.shape[1] > 1 for side in test.sides.values())
    vectors = {split: vectors_of(model, found) for split, found in sets.items()} if reads else dict(sets)
    names = [name for name in FUSIONS if reads or not FUSIONS[name].sequences] if fusions is None else list(fusions)
    answers: dict[str, list[Tensor]] = {"majority": [_majority(sets["train"].labels, len(test), model)]}
    board: dict[str, dict[str, Any]] = {"majority": {}, "tfidf": {}}
    if _tell_by_words(sets["train"]):
        answers["tfidf"] = [count_words(sets, class_count(model.classes))]
    for name, said in (others or {}).items():
        if len(said) != len(test):
            raise ValueError(f"{name} has {len(said)} answers to {len(test)} test posts: expected one for each.")
        answers[name] = [said]
    gone = any(lacks.any() for found in sets.values() for lacks in missing(found.sides).values())
    for name, make in progress(_rivals(vectors["train"].widths, names, gone).items(), "align", show_progress):
        given = sets if make().sequences else vectors
        runs = raced(make, given, model.num_outputs, seeds, model.device, BATCH)
        answers[name] = [_answers(run.fusion, run.head, given["test"], numbers) for run in runs]
        board[name] = cost(runs)
    scores = {name: _scores(said, test.labels, numbers) for name, said in answers.items()}
    return plain({"posts": {split: len(found) for split, found in sets.items()}, "seeds": seeds,
            "classes": model.classes and list(model.classes), **({"convention": convention} if numbers else {}),
            "budget": {"rates": list(RATES), "epochs": EPOCHS, "batch": BATCH, "strengths": list(STRENGTHS)},
            "rivals": {name: {**_figures(answers[name], scores[name], test.labels, numbers, convention),
                              **board.get(name, {})} for name in answers},
            "differences": {name: {to: paired_difference(scores[name], scores[to]) for to in ("tfidf", "text")
                                   if to in scores and to != name} for name in scores if name != "majority"},
            "seconds": round(time.perf_counter() - start, 1)})


def _rivals(widths: Mapping[str, int], fusions: Sequence[str], gone: bool) -> dict[str, Callable[[], Fusion]]:
    """Each choice of fewer sides, and each fusion of all; one that learns what stands for a side, if some are gone."""
    def made(make: Callable[[], Fusion]) -> Callable[[], Fusion]:
        return (lambda: Absent(make())) if gone else make

    some = {"+".join(names): made(lambda names=names: Concat({side: widths[side] for side in names}))  # type: ignore
            for names in subsets(widths)}
    return {**some, **{name: made(lambda name=name: make_fusion(name, widths)) for name in fusions}}  # type: ignore


def _majority(labels: Tensor, n: int, model: MultimodalSentimentModel) -> Tensor:
    """Always the commonest class of the training posts; of numbers their median, which has the least absolute error."""
    if model.classes is None:
        return labels.median().expand(n)
    return torch.nn.functional.one_hot(labels.bincount().argmax(), len(model.classes)).double().expand(n, -1)


def _tell_by_words(train: Features) -> bool:
    """Whether words can be counted: there are some, and labels that differ."""
    return any(text.strip() for text in train.texts) and len(train.labels.unique()) > 1


def count_words(sets: Mapping[str, Features], classes: int | None) -> Tensor:
    """What words and pairs of words, counted (TF-IDF), say of the test posts through a linear model of scikit-learn.

    As many tries as a fusion has, one for each of `STRENGTHS`; the lowest loss on the validation posts chooses.

    Args:
        classes: how many there are; None where the labels are numbers.

    Returns:
        (posts, classes) probabilities of a logistic regression; the numbers (posts,) of a ridge regression.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression, Ridge

    reader = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"(?u)\b\w+\b|[^\w\s]")
    counted = {split: reader.fit_transform(sets[split].texts) if split == "train" else
               reader.transform(sets[split].texts) for split in ("train", "validation", "test")}
    labels = {split: sets[split].labels.numpy() for split in counted}
    tries = []
    for strength in STRENGTHS:
        if classes is None:
            line = Ridge(alpha=1 / strength).fit(counted["train"], labels["train"])
            said = {split: torch.from_numpy(line.predict(counted[split])) for split in ("validation", "test")}
            loss = (said["validation"] - sets["validation"].labels).square().mean().item()
        else:
            line = LogisticRegression(C=strength, max_iter=2000).fit(counted["train"], labels["train"])
            said = {split: torch.zeros(len(labels[split]), classes, dtype=torch.double)
                    for split in ("validation", "test")}
            for split, columns in said.items():  # a class without training posts keeps its zeros
                columns[:, torch.from_numpy(line.classes_)] = torch.from_numpy(line.predict_proba(counted[split]))
            loss = metrics.log_loss(said["validation"], sets["validation"].labels)
        tries.append((loss, said["test"]))
    return min(tries, key=lambda one: one[0])[1]


def _answers(fusion: Fusion, head: torch.nn.Module, test: Features, numbers: bool) -> Tensor:
    logits = head_outputs(fusion, head, test)
    return logits.reshape(-1) if numbers else probabilities_of(logits)


def _scores(answers: Sequence[Tensor], labels: Tensor, numbers: bool) -> np.ndarray:
    """(seeds, posts): whether an answer is right; of numbers the absolute error with a minus, so that more is better
    there too.
    """
    if numbers:
        return np.stack([-(said.double() - labels.double()).abs().numpy() for said in answers])
    return np.stack([(said.argmax(-1) == labels).numpy() for said in answers])


def _figures(answers: Sequence[Tensor], scores: np.ndarray, labels: Tensor, numbers: bool, convention: str
             ) -> dict[str, Any]:
    whole = metrics.over_posts_and_seeds(scores)
    if numbers:
        every = [regression_figures(said.numpy(), labels.numpy(), convention) for said in answers]
        return {"mae": {"mean": -whole["mean"], "low": -whole["high"], "high": -whole["low"]},
                "figures": {name: float(np.mean([figures[name] for figures in every])) for name in every[0]}}
    return {"accuracy": whole, "macro_f1": float(np.mean([metrics.macro_f1(said, labels) for said in answers])),
            "weighted_f1": float(np.mean([weighted_f1(said.argmax(-1), labels) for said in answers]))}
