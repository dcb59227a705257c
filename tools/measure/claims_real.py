"""The claims of notebook 12 that hang on what is drawn: the miniature, its labels, the splits, heads, the numbers."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from claims_common import SIZE, Margins, Size, borrowed, shipped

from mmsa_utils import (
    MERGING,
    PIXELS,
    FoodPosts,
    MultimodalSentimentModel,
    answers,
    cohen_kappa,
    extract_features,
    honesty_board,
    load_mvsa,
    make_loader,
    merge_labels,
    read_mvsa_labels,
    regression_figures,
    three_parts,
    weighted_f1,
    without_duplicates,
    write_miniature,
)
from mmsa_utils.learning.metrics import accuracy, macro_f1
from mmsa_utils.posts.own import FilePosts
from mmsa_utils.posts.parts import NAMES, Parts
from mmsa_utils.posts.real.mvsa import MvsaLabels

PROGRESS = 0.064  # what was published between 2017 and 2024, as the notebook prints it


def notebook_12(seed: int, n: Size, *, posts: int = 1200, deals: int = 10, noise: float = 0.8) -> Margins:
    with tempfile.TemporaryDirectory() as place:
        folder = write_miniature(Path(place) / "MVSA_Single", n=max(300, n(posts)), seed=seed)
        table, loaded = read_mvsa_labels(folder / "labelResultAll.txt"), load_mvsa(folder)
        parts = three_parts(loaded, seed)
        moved = _choices(loaded, table, parts, seed, deals)
        drop, board = _drop(parts, n, seed), _board(parts, seed)
    ranges = {name: max(found.values()) - min(found.values()) for name, found in moved.items()}
    text, picture = table.annotations[:, 0].T
    blind = np.random.default_rng(seed).permutation(picture)
    right = {name: row["accuracy"] for name, row in board["rivals"].items()}
    gap = board["differences"]["concat"]["text"]
    five = _numbers(seed, noise)
    return {
        "text and picture agree by a kappa between 0.2 and 0.4": 0.1 - abs(cohen_kappa(text, picture) - 0.3),
        "who never looks agrees on more than 3 posts in 10": float((text == blind).mean()) - 0.3,
        "and has a kappa below 0.1": 0.1 - abs(cohen_kappa(text, blind)),
        "the shipped model loses more than 0.4": drop["drawn"] - drop["real"] - 0.4,
        "it is right less often than the commonest label": drop["commonest"] - drop["real"],
        "more than 85 in 100 texts are strange to it": drop["text"] - 0.85,
        "and more than half of the pictures": drop["image"] - 0.5,
        "it knows both sides of fewer than 1 post in 10": 0.1 - drop["known"],
        "no network is ahead of counted words by more than luck": -max(
            board["differences"][name]["tfidf"]["low"] for name in ("text", "image", "concat", "gated")),
        "every interval is wider than 0.1": min(of["high"] - of["low"] for of in right.values()) - 0.1,
        "the interval of what the picture adds holds 0": min(gap["high"], -gap["low"]),
        "the five accuracies of the same numbers lie 0.3 apart and more": five["acc_2_non0"] - five["acc_7"] - 0.3,
        "non-0 is above has-0 by 0.03 and more": five["acc_2_non0"] - five["acc_2_has0"] - 0.03,
        "the same answers, another rule: more than what was published in seven years": ranges["label"] - PROGRESS,
        "the highest and lowest of ten splits: more than half of it": ranges["split"] - PROGRESS / 2,
        "accuracy against macro F1: more than that": ranges["count"] - PROGRESS,
        "duplicates left in look better, or worse by less than 0.005, on average":
            moved["twins"]["left in"] - moved["twins"]["dropped"] + 0.005,
        "but by less than that": PROGRESS - ranges["twins"],
    }


def _drop(parts: Parts, n: Size, seed: int) -> dict[str, float]:
    """What the shipped model gets right on drawn posts and on these, and how much of these is strange to it."""
    model = shipped()
    drawn = accuracy(*answers(model, make_loader(FoodPosts(n(300), "test", seed=seed, pixels=PIXELS[SIZE]), model)))
    said, wanted = answers(model, make_loader(parts.test, model))
    with torch.no_grad():
        tokens = model.tokens(**model.prepare([post.text for post in parts.test], [post.image for post in parts.test]))
    far = model.strangeness(tokens)
    return {"drawn": drawn, "real": accuracy(said, wanted),
            "commonest": float((wanted == wanted.bincount().argmax()).double().mean()),
            **{side: (odd > 1).double().mean().item() for side, odd in far.items()},
            "known": ((far["text"] <= 1) & (far["image"] <= 1)).double().mean().item()}


def _board(parts: Parts, seed: int) -> dict[str, Any]:
    model = MultimodalSentimentModel("distilbert", "vit", SIZE, frozen=True, seed=seed).eval()
    sets = {name: replace(extract_features(model, part, show_progress=False),
                          texts=tuple(row.text for row in part.rows)) for name, part in zip(NAMES, parts)}
    return honesty_board(model, sets, ["concat", "gated"], seeds=2, show_progress=False)


def _choices(posts: FilePosts, table: MvsaLabels, parts: Parts, seed: int, deals: int) -> Mapping[str, dict]:
    """Choice → option → the figure of counted words with it, as the notebook makes them."""
    counted, labels = borrowed("12", "counted", "labels")
    said, label = counted(parts.train, parts.test), {}
    for rule in MERGING:
        merged = dict(zip(table.ids, merge_labels(table.annotations, rule).labels))
        wanted = np.array([merged[name] for name in parts.test.ids])
        label[rule] = float((said == wanted)[wanted >= 0].mean())
    split, count, twins = {}, {"weighted": [], "macro": []}, {"left in": [], "dropped": []}
    for deal in range(seed * deals, (seed + 1) * deals):
        cut = three_parts(posts, deal)
        said, wanted = counted(cut.train, cut.test), labels(cut.test)
        split[deal] = float((said == wanted).mean())
        count["weighted"].append(weighted_f1(said, wanted))
        count["macro"].append(macro_f1(torch.eye(3)[said], torch.tensor(wanted)))
        order = np.random.default_rng(deal).permutation(len(posts))
        dealt = {"train": posts.part(order[:-len(parts.test)]), "test": posts.part(order[-len(parts.test):])}
        for name, one in (("left in", dealt), ("dropped", without_duplicates(dealt)[0])):
            twins[name].append(float((counted(one["train"], one["test"]) == labels(one["test"])).mean()))
    count["accuracy"] = list(split.values())
    return {"label": label, "split": split, "count": {name: float(np.mean(found)) for name, found in count.items()},
            "twins": {name: float(np.mean(found)) for name, found in twins.items()}}


def _numbers(seed: int, noise: float) -> dict[str, float]:
    """The figures of answers that are off by chance."""
    draw = np.random.default_rng(seed)
    truth = np.where(draw.random(2000) < 0.2, 0, draw.normal(0.4, 1.5, 2000)).clip(-3, 3)
    return regression_figures(0.6 * truth + draw.normal(0, noise, 2000), truth, "mosi")
