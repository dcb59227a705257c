"""The claims of notebook 09 that hang on its own training run; those about the boards have their intervals there."""

from __future__ import annotations

import numpy as np
import torch
from claims_common import SIZE, Margins, Size, borrowed
from torch import nn

from mmsa_utils import (
    BINARY_LABELS,
    MultimodalSentimentModel,
    PlacePosts,
    align,
    extract_features,
    head_answers,
    make_fusion,
    measure,
    random_head,
)
from mmsa_utils.seeds import seeded


def notebook_09(seed: int, n: Size, *, posts: int = 3000, epochs: int = 12, lr: float = 1e-3) -> Margins:
    model = MultimodalSentimentModel("distilbert", "vit", SIZE, classes=BINARY_LABELS, fusion="attention", frozen=True)
    tested = list(PlacePosts(n(600), "test", seed=seed))
    sets = {split: extract_features(model, PlacePosts(n(count), split, seed=seed), show_progress=False)
            for split, count in (("train", posts), ("validation", 500), ("test", 600))}
    with seeded(seed):
        fusion, head = make_fusion("attention", sets["train"].widths), random_head(128, 1, seed=seed)
    align(fusion, head, sets["train"], sets["validation"], lr=lr, epochs=epochs, batch_size=128, seed=seed)

    def score() -> float:
        return measure(fusion, head, sets["test"])["accuracy"]

    whole, state = score(), {name: tensor.clone() for name, tensor in fusion.state_dict().items()}
    without = {}
    for look in ("text_at_image", "image_at_text"):
        nn.init.zeros_(fusion.looks[look].query.weight)
        nn.init.zeros_(fusion.looks[look].query.bias)
        without[look] = score()
        fusion.load_state_dict(state)
    with torch.no_grad():
        gaze = fusion.eval().gaze(sets["test"].batch(slice(None)))[:, 1:]
    (on_named,) = borrowed("09", "on_named")
    named = [i for i, post in enumerate(tested) if post.dish]
    hits = np.array([on_named(tested[i], int(gaze[i].argmax())) for i in named])
    right = (head_answers(fusion, head, sets["test"]).argmax(-1) == sets["test"].labels).numpy()[named]
    chance = float(np.mean([on_named(tested[i], region) for i in named for region in range(64)]))
    return {
        "with 3,000 posts above all who know the parts alone": whole - PlacePosts(1).ceiling("parts"),
        "the largest weight lies on the named dish more than twice as often as by chance": hits.mean() - 2 * chance,
        "it is right more often where it looks there": right[hits].mean() - right[~hits].mean(),
        "with queries of the words at zero it is right less often": whole - without["text_at_image"],
        "and loses more than with queries of the regions at zero": without["image_at_text"] - without["text_at_image"],
    }
