"""The whole correction-phase experiment: random heads, alignment over several seeds, controls, posts never seen."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..bars import progress
from ..fusion.absent import Absent
from ..fusion.base import Fusion
from ..fusion.concat import Concat
from ..fusion.table import make_fusion
from ..model.head import fresh
from ..model.model import MultimodalSentimentModel
from ..model.remarks import remarks
from ..posts import phrases
from ..posts.food import PIXELS, FoodPosts, burger_example
from ..posts.post import LABELS, Post, Posts
from ..posts.spoken import SpokenPosts, make_spoken
from .alignment import align, fit_temperature, head_answers, measure
from .cache import cached_features
from .comparison import subsets
from .familiarity import learn_familiarity
from .features import Features, extract_features, given, shuffled, vectors_of
from .metrics import interval

RANDOM_HEADS = 100  # random heads that are measured before anything is trained
#: Slower and longer than `align` alone: over 32,000 posts the validation loss falls to 0.191 in place of 0.199.
RATE, EPOCHS = 5e-4, 60


def correction_phase(text: str = "distilbert", image: str = "vit", size: str = "mini", *, voice: str | None = None,
                     fusion: str = "concat", modality_dropout: float = 0.0, seeds: int = 5, n_train: int = 32000,
                     n_test: int = 2000, conflict: float = 0.2,
                     data_seed: int = 0, device: torch.device | str = "cpu", folder: str | Path | None = None,
                     show_progress: bool = True) -> tuple[dict, MultimodalSentimentModel]:
    """Run it.

    Args:
        text, image, voice, size: the encoders, kept frozen. With a voice the posts are `SpokenPosts`.
        fusion: by name, see `FUSIONS`; it is aligned with the head.
        modality_dropout: see `align`; with it the model learns to do without a side, and is also measured without.
        seeds: heads to train, numbered from 0.
        n_train: posts to align on; validation has an eighth as many.
        n_test: posts in each of `test` and `unseen`.
        conflict, data_seed: of the posts, see `FoodPosts`; those with a voice have a conflict of their own.
        folder: keep features and heads there as they come. A start that finds some goes on with them.

    Returns:
        A report of plain numbers, in which what differs from seed to seed is given as its mean and the ends of its
        95 % interval (`interval`), and "remarks", what of the test texts could not be read; and the model with the
        head and temperature of seed 0.
    """
    start = time.perf_counter()
    pixels = PIXELS[size]
    sizes = {"train": n_train, "validation": max(1, n_train // 8), "test": n_test, "unseen": n_test}
    options: dict[str, Any] = {"voice": voice, "fusion": fusion, "absent": modality_dropout > 0, "frozen": True}
    data: dict[str, FoodPosts | SpokenPosts] = {
        split: SpokenPosts(n, split, seed=data_seed, pixels=pixels) if voice else
        FoodPosts(n, split, conflict=conflict, seed=data_seed, pixels=pixels) for split, n in sizes.items()}
    ceilings = {name: data["test"].ceiling(name) for name in data["test"].readers}
    model = MultimodalSentimentModel(text, image, size, **options).to(device)
    cached = {split: _features(model, data[split], folder, show_progress) for split in data}
    if isinstance(data["test"], FoodPosts):
        cached["any_order"] = extract_features(model, _in_any_order(data["test"]), show_progress=False)
    burger = make_spoken(2, 2, 2, "burger", pixels=pixels) if voice else burger_example(pixels)
    cached["burger"] = extract_features(model, [burger], show_progress=False)
    untaught = MultimodalSentimentModel(text, image, size, pretrained=False, **options).to(device)
    random_cached = {split: _features(untaught, data[split], folder, show_progress)
                     for split in ("train", "validation", "unseen")}

    def make() -> Fusion:
        made = make_fusion(fusion, cached["train"].widths)
        return Absent(made) if modality_dropout else made

    before = aggregate([_measure_random(make, cached, seed, device) for seed in range(RANDOM_HEADS)])
    vectors = {split: vectors_of(model, cached[split]) for split in sizes} if model.fusion.sequences else cached
    runs = []
    for seed in progress(range(seeds), "align", show_progress):
        run, aligned, head, temperature = _aligned(make, cached, vectors, random_cached, modality_dropout, seed, folder,
                                                   device)
        runs.append(run)
        if seed == 0:
            model.fusion.load_state_dict(aligned.state_dict())
            model.head.load_state_dict(head.state_dict())
            model.temperature.fill_(temperature)
    model.familiarity = learn_familiarity(model, data["train"], data["validation"], show_progress)
    report = {"pair": "+".join(filter(None, (text, image, voice))), "size": size, "fusion": fusion, "seeds": seeds,
              "posts": sizes, **({"modality_dropout": modality_dropout} if modality_dropout else {}),
              **({} if voice else {"conflict": conflict}), "before": before, **aggregate(runs), "ceiling": ceilings,
              "remarks": remarks(model, [data["test"][i].text for i in range(n_test)]),
              "seconds": round(time.perf_counter() - start, 1)}
    return report, model


def _measure_random(make: Callable[[], Fusion], cached: dict[str, Features], seed: int,
                    device: torch.device | str) -> dict:
    fusion, head = fresh(make, len(LABELS), seed, device=device)
    return {**measure(fusion, head, cached["test"]), "burger": _named(head_answers(fusion, head, cached["burger"])[0])}


def _aligned(make: Callable[[], Fusion], cached: dict[str, Features], vectors: dict[str, Features],
             random_cached: dict[str, Features], modality_dropout: float, seed: int, folder: str | Path | None,
             device: torch.device | str) -> tuple[dict, Fusion, torch.nn.Module, float]:
    """Everything that is measured with one seed; fusion and head, and their temperature."""
    def accuracy(name: str, sets: dict[str, Features], split: str = "test", over: Callable[[], Fusion] = make,
                 hidden: int = 256) -> dict[str, float]:
        other, head = fresh(over, len(LABELS), seed, hidden, device)
        align(other, head, sets["train"], sets["validation"], epochs=EPOCHS, lr=RATE, seed=seed,
              checkpoint=_kept(folder, name, seed))
        return {"accuracy": measure(other, head, sets[split])["accuracy"]}

    def concat(*sides: str) -> Callable[[], Fusion]:
        return lambda: Concat({side: vectors["train"].widths[side] for side in sides})

    fusion, head = fresh(make, len(LABELS), seed, device=device)
    align(fusion, head, cached["train"], cached["validation"], epochs=EPOCHS, lr=RATE,
          modality_dropout=modality_dropout, seed=seed, checkpoint=_kept(folder, "after", seed))
    temperature = fit_temperature(fusion, head, cached["validation"])
    after = measure(fusion, head, cached["test"], temperature)
    control = {**cached, **{split: shuffled(cached[split], seed) for split in ("train", "validation")}}
    order = torch.tensor(cached["test"].two_sided).nonzero().flatten()
    slices = after.pop("slices")
    if len(order):
        slices["order"] = measure(fusion, head, cached["test"][order])["accuracy"]
    return {
        "slices": slices,
        "after": after,
        "unseen": {**measure(fusion, head, cached["unseen"], temperature),
                   "random_encoders": accuracy("random", random_cached, "unseen")["accuracy"]},
        **{f"{'+'.join(some)}_only": accuracy("+".join(some), vectors, over=concat(*some))
           for some in subsets(fusion.widths)},
        **({"given": {"+".join(some): measure(fusion, head, given(cached["test"], some), temperature)["accuracy"]
                      for some in subsets(fusion.widths)}} if modality_dropout else {}),
        "additive": accuracy("additive", vectors, over=concat(*fusion.widths), hidden=0),
        "control": accuracy("control", control),
        **({"any_order": measure(fusion, head, cached["any_order"])["accuracy"]} if "any_order" in cached else {}),
        "burger": _named(head_answers(fusion, head, cached["burger"], temperature)[0]),
        "calibration": {"temperature": temperature, "after": after["calibration_error"],
                        "before_scaling": measure(fusion, head, cached["test"])["calibration_error"]},
    }, fusion, head, temperature


def _in_any_order(posts: FoodPosts) -> list[Post]:
    """The same posts with the words of every text in an order that says nothing."""
    rng = np.random.default_rng(posts.seed)
    found = (posts[i] for i in range(len(posts)))
    return [replace(post, text=phrases.in_any_order(post.text or "", rng)) for post in found]


def _features(model: MultimodalSentimentModel, posts: Posts, folder: str | Path | None,
              show_progress: bool) -> Features:
    if folder is None:
        return extract_features(model, posts, show_progress=show_progress)
    return cached_features(model, posts, folder, show_progress=show_progress)


def _kept(folder: str | Path | None, name: str, seed: int) -> Path | None:
    """The file that keeps one head's alignment."""
    return Path(folder) / f"{name}-{seed}.safetensors" if folder else None


def _named(probabilities: torch.Tensor) -> dict[str, float]:
    return dict(zip(LABELS, probabilities.tolist()))


def aggregate(runs: list) -> dict:
    """Runs of the same nested dicts of numbers → one dict with mean, low and high in the place of each number."""
    if isinstance(runs[0], dict):
        return {key: aggregate([run[key] for run in runs]) for key in runs[0]}
    mean, low, high = interval(runs)
    return {"mean": mean} if len(runs) < 2 else {"mean": mean, "low": low, "high": high}
