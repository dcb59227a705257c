"""Every fusion on the same posts, with the same features and the same number of tries, beside what it has to beat."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from ..bars import progress
from ..checksums import WEIGHTS
from ..fusion.base import Fusion
from ..fusion.concat import Concat
from ..fusion.table import FUSIONS, make_fusion
from ..model.head import fresh
from ..model.model import MultimodalSentimentModel
from ..posts.food import PIXELS, FoodPosts
from ..posts.places import PlacePosts
from ..posts.spoken import SpokenPosts
from . import metrics
from .alignment import align, head_answers
from .cache import cached_features
from .features import Features, extract_features, vectors_of

#: What fusions can be compared on.
WORLDS: dict[str, type[FoodPosts] | type[PlacePosts] | type[SpokenPosts]] = {
    "food": FoodPosts, "places": PlacePosts, "spoken": SpokenPosts}
#: The budget of each fusion: a try with each of these learning rates, of so many passes; validation chooses one.
RATES, EPOCHS, BATCH = (1e-3, 3e-3), 15, 128


def compare_fusions(data: str = "food", fusions: Sequence[str] = tuple(FUSIONS), *, text: str = "distilbert",
                    image: str = "vit", voice: str | None = None, size: str = "mini", seeds: int = 5,
                    n_train: int = 8000, n_test: int = 2000, data_seed: int = 0, device: torch.device | str = "cpu",
                    folder: str | Path | None = None, show_progress: bool = True) -> dict[str, Any]:
    """Align each fusion, with a head of its own, on the same frozen features, and measure it once on the test posts.

    Each fusion, and each choice of sides, has a try with each of `RATES` and seed 0. The rate with the lowest
    validation loss is then used with the other seeds too; the test posts choose nothing.

    Args:
        data: ``"food"``, ``"places"`` or ``"spoken"``.
        fusions: by name, see `FUSIONS`.
        text, image, voice, size: the encoders, kept frozen; a voice is for ``"spoken"`` and is expected there.
        seeds: heads (and fusions) to train, numbered from 0.
        n_train: posts to align on; validation has a quarter as many.
        n_test: posts in each of `test` and `unseen`.
        data_seed: of the posts.
        folder: keep the features there, and find them again.

    Returns:
        A report of plain numbers: the best that readers of each kind can reach ("ceilings"), what always the commonest
        label reaches ("baseline"), and for each of "fusions" and each choice of fewer sides ("alone"; several by
        concatenation): "accuracy", "unseen" and "slices", each with its mean and the ends of its 95 % interval over
        posts and seeds; "parameters" that learn; "seconds" that one alignment took; and the "rate" chosen.

    Raises:
        ValueError: for a world or a fusion that does not exist, and without seeds.
    """
    if data not in WORLDS:
        raise ValueError(f"there is no data {str(data)[:60]!r}: expected one of {', '.join(WORLDS)}.")
    if (WORLDS[data] is SpokenPosts) != (voice is not None):
        raise ValueError(f"the voice's encoder is {voice!r}, and the data {data!r}: expected one, such as whisper, for "
                         "spoken and none for others.")
    if seeds < 1 or not fusions:
        raise ValueError(f"{seeds} seeds and {len(fusions)} fusions: expected at least one of each.")
    for name in fusions:
        make_fusion(name, {"text": 1})  # an unknown one shows before anything is computed
    start = time.perf_counter()
    sizes = {"train": n_train, "validation": max(1, n_train // 4), "test": n_test, "unseen": n_test}
    worlds = {split: WORLDS[data](n, split, seed=data_seed, pixels=PIXELS[size]) for split, n in sizes.items()}
    reads = any(FUSIONS[name].sequences for name in fusions)
    model = MultimodalSentimentModel(text, image, size, voice=voice, classes=worlds["test"].classes, frozen=True,
                                     fusion="attention" if reads else "concat").to(device)
    sequences = {split: extract_features(model, posts, show_progress=show_progress) if folder is None else
                 cached_features(model, posts, folder, show_progress=show_progress) for split, posts in worlds.items()}
    vectors = {split: vectors_of(model, found) for split, found in sequences.items()} if reads else sequences
    widths = vectors["train"].widths
    rivals = {name: (lambda name=name: make_fusion(name, widths)) for name in fusions}
    alone = {"+".join(some): (lambda some=some: Concat({side: widths[side] for side in some}))
             for some in subsets(widths)}
    board = {}
    for name, make in progress([*rivals.items(), *alone.items()], "align", show_progress):
        sets = sequences if make().sequences else vectors
        board[name] = _measured(make, sets, model.num_outputs, seeds, device)
    commonest = int(sequences["train"].labels.bincount().argmax())
    return {"data": data, "pair": "+".join(filter(None, (text, image, voice))), "size": size, "seeds": seeds,
            "posts": sizes,
            "budget": {"rates": list(RATES), "epochs": EPOCHS, "batch": BATCH},
            "ceilings": {reader: worlds["test"].ceiling(reader) for reader in worlds["test"].readers},
            "baseline": (sequences["test"].labels == commonest).double().mean().item(),
            "fusions": {name: board[name] for name in rivals}, "alone": {some: board[some] for some in alone},
            "seconds": round(time.perf_counter() - start, 1)}


def subsets(sides: Iterable[str]) -> list[tuple[str, ...]]:
    """Every choice of some of the sides but not all, in their order: single ones first."""
    names = tuple(sides)
    return [some for n in range(1, len(names)) for some in itertools.combinations(names, n)]


def known_boards() -> dict[str, Any]:
    """What was measured beforehand, as it takes an hour.

    Returns:
        "places" and "food": reports of `compare_fusions`; "curves": accuracy over the number of dishes and of posts, as
        tools/measure/curves.py wrote it.
    """
    found = sorted((WEIGHTS / "boards").glob("*.json"))
    return {path.stem: json.loads(path.read_text(encoding="utf8")) for path in found}


def _measured(make: Callable[[], Fusion], sets: dict[str, Features], outputs: int, seeds: int,
              device: torch.device | str) -> dict[str, Any]:
    """All that is told of one rival."""
    runs = raced(make, sets, outputs, seeds, device)
    right = {split: np.stack([(head_answers(run.fusion, run.head, sets[split]).argmax(-1) == sets[split].labels).numpy()
                              for run in runs]) for split in ("test", "unseen")}
    relations, two_sided = np.array(sets["test"].relations), np.array(sets["test"].two_sided)
    slices = {name: relations == name for name in dict.fromkeys(sorted(sets["test"].relations))}
    if two_sided.any():
        slices["order"] = two_sided
    return {"accuracy": metrics.over_posts_and_seeds(right["test"]),
            "unseen": metrics.over_posts_and_seeds(right["unseen"]),
            "slices": {name: metrics.over_posts_and_seeds(right["test"][:, rows]) for name, rows in slices.items()},
            **cost(runs)}


class Aligned(NamedTuple):
    """A fusion and its head after one alignment."""

    fusion: Fusion
    head: torch.nn.Module
    loss: float  # the lowest on the validation posts
    rate: float  # the learning rate
    seconds: float


def raced(make: Callable[[], Fusion], sets: Mapping[str, Features], outputs: int, seeds: int,
          device: torch.device | str = "cpu", batch: int = BATCH) -> list[Aligned]:
    """A rival's alignments, one a seed, within the budget that all have: a try with each of `RATES` and seed 0; the
    other seeds take the rate with the lowest loss on the validation posts.
    """
    tries = [_aligned(make, sets, outputs, 0, rate, device, batch) for rate in RATES]
    best = min(tries, key=lambda run: run.loss)
    return [best, *(_aligned(make, sets, outputs, seed, best.rate, device, batch) for seed in range(1, seeds))]


def cost(runs: Sequence[Aligned]) -> dict[str, Any]:
    """What a rival's alignments took: numbers that learn, seconds, and the rate that was chosen."""
    parts = (runs[0].fusion, runs[0].head)
    return {"parameters": sum(weights.numel() for part in parts for weights in part.parameters()),
            "seconds": float(np.mean([run.seconds for run in runs])), "rate": runs[0].rate}


def _aligned(make: Callable[[], Fusion], sets: Mapping[str, Features], outputs: int, seed: int, rate: float,
             device: torch.device | str, batch: int) -> Aligned:
    start = time.perf_counter()
    fusion, head = fresh(make, outputs, seed, device=device)
    history = align(fusion, head, sets["train"], sets["validation"], epochs=EPOCHS, lr=rate, batch_size=batch,
                    seed=seed)
    return Aligned(fusion, head, min(row["loss"] for row in history), rate, time.perf_counter() - start)
