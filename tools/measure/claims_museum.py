"""The claims of notebook 13: what mistakes cost, over other posts, weights and orders of the posts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from claims_common import SIZE, Margins, Size, shipped
from sklearn.metrics import f1_score
from torch import Tensor

from mmsa_utils import PIXELS, FoodPosts, MultimodalSentimentModel, answers, case_of, looked_at, make_loader, metrics
from mmsa_utils.inspection import museum
from mmsa_utils.inspection.answers import averaged
from mmsa_utils.inspection.exhibits import FOUND, SmallModel

Tensors = dict[str, Tensor]


def notebook_13(seed: int, n: Size, *, posts: int = 1000, epochs: int = 8, rate: float = 6e-3, quarrels: float = 0.3,
                copies: int = 150) -> Margins:
    encoders = MultimodalSentimentModel("bert", "vit", SIZE, frozen=True).eval()
    train, test, others = (museum.as_tensors(encoders, list(FoodPosts(n(count), split, seed=seed, pixels=PIXELS[SIZE])))
                           for split, count in (("train", posts), ("test", 600), ("validation", 100)))
    how = {"seeds": range(3 * seed, 3 * seed + 3), "epochs": epochs, "lr": rate}
    models = {0: museum.taught_often(SmallModel, train, **how)}
    models |= {number: museum.taught_often(FOUND[number].kind, train, **how) for number in FOUND if number != 10}
    commonest = (test["labels"] == train["labels"].mode().values).double().mean().item()
    sound = museum.hits(models[0], test)
    alone = {number: museum.hits(models[number], test, size=1) for number in (0, 1, 2, 8)}
    lost = {number: sound.mean() - museum.hits(models[number], test).mean() for number in (3, 5, 6, 9)}
    lost |= {number: sound.mean() - alone[number].mean() for number in (1, 2, 8)}
    loaded = _loaded(models[0][0], others, test, how["seeds"])
    seen = _pictures(encoders, models[0], test, sound, n(600), seed)
    counted = _counting(models[0], train, test, seed, quarrels, copies, n)
    own = _own_wing(train, test, sound.mean(), seed, n)
    return {
        "1: other answers in other company on more than 1 post in 100":
            (alone[1] != museum.hits(models[1], test)).mean() - 0.01,
        "the sound one none": 0.5 - (alone[0] != sound).sum(),
        "1 beats the commonest label by 0.2 and more": alone[1].mean() - commonest - 0.2,
        "1 costs something": lost[1],
        "5 costs more than 0.05": lost[5] - 0.05,
        "3 costs less than 5": lost[5] - lost[3],
        "6 costs less than 0.03, or gains as little": 0.03 - abs(lost[6]),
        "8, asked alone, costs more than 0.02": lost[8] - 0.02,
        "4 costs more than 0.05": loaded - 0.05,
        "3 costs less than 4": loaded - lost[3],
        "7 costs more than 0.05": seen["pale"] - 0.05,
        "11 costs more than 0.2 on black pictures": seen["black"] - 0.2,
        "and is not 0.1 above the commonest label there": commonest + 0.1 - seen["right"],
        "14: the wrong order gives more by 0.02": seen["swapped"] - 0.02,
        "12 is found, unless the figure happens to be the same": counted["batches"],
        "15 is found by renaming": counted["renamed"],
        "16: copies are worth more than 0.1 on themselves": counted["copies"] - 0.1,
        "17: reported is higher, on average": counted["chosen"],
        "50 times as loud costs more than the natural ratio": own["loud"],
        "mixed words cost the shipped model more than 0.02": own["mixed"] - 0.02,
        "all test posts in training: more than 0.05": own["leaked"] - 0.05,
        "and the control falls by 0.3 and more": own["control"] - 0.3,
    }


def _loaded(model: SmallModel, others: Tensors, test: Tensors, seeds: range) -> float:
    """Exhibit 4: what learning goes on from."""
    saved = {f"module.{name}": weight for name, weight in model.state_dict().items()}
    right = {}
    for name, state in (("nothing", saved), ("all", model.state_dict())):
        def reloaded(*widths: int, state: dict[str, Tensor] = state) -> SmallModel:
            made = SmallModel(*widths)
            made.load_state_dict(state, strict=False)
            return made

        right[name] = museum.hits(museum.taught_often(reloaded, others, seeds, lr=2e-3), test).mean()
    return right["all"] - right["nothing"]


def _pictures(encoders: MultimodalSentimentModel, models: list, test: Tensors, sound: np.ndarray, n: int, seed: int
              ) -> Margins:
    """Exhibits 7, 11 and 14: pixels in another range, and pictures that are black."""
    side = encoders.encoders["image"].prepare
    pictures = [post.image for post in FoodPosts(n, "test", seed=seed, pixels=PIXELS[SIZE])]
    pale = museum.regions_of(encoders, pictures, lambda images: {
        "pixel_values": (side(images)["pixel_values"] + 1) / 2})
    black = museum.regions_of(encoders, pictures[:1], lambda images: {
        "pixel_values": torch.full_like(side(images)["pixel_values"], -1)}).expand_as(test["patches"])
    gone = (torch.rand(n, generator=torch.Generator().manual_seed(seed)) < 0.1).numpy()
    blind = {**test, "patches": black}
    said = torch.cat([museum.answer(models[0], batch) for batch in museum.without_labels(blind)]).argmax(1)
    right, of = museum.hits(models, blind)[:, gone].mean(), (test["labels"].numpy(), said.numpy())
    return {"pale": sound.mean() - museum.hits(models, {**test, "patches": pale}).mean(),
            "black": sound[:, gone].mean() - right, "right": right,
            "swapped": f1_score(*of[::-1], average="weighted") - f1_score(*of, average="weighted")}


def _counting(models: list, train: Tensors, test: Tensors, seed: int, quarrels: float, copies: int, n: Size
              ) -> Margins:
    """Exhibits 12, 15, 16 and 17."""
    count = n(600) * 505 // 600
    some = {name: tensor[:count] for name, tensor in test.items()}
    right = torch.from_numpy(museum.right(models[0], some))
    given = averaged(right.double(), [len(batch["labels"]) for batch in museum.in_batches(some, 100)])
    found = looked_at("counted", case_of(models[0], list(museum.in_batches(some, 100)), accuracy=given))
    renamed = torch.tensor([0, 2, 1])[test["labels"]]
    order = looked_at("label_order", case_of(models[0], list(museum.in_batches(test)), labels=renamed))

    draw = torch.Generator().manual_seed(seed)
    first, second = (_quarrelled(posts, quarrels, draw) for posts in (train, {k: x[:300] for k, x in test.items()}))
    length = max(posts["attention_mask"].shape[1] for posts in (first, second))
    first, second = (museum.padded(posts, length) for posts in (first, second))
    cut = len(first["labels"]) * 7 // 10
    mixed = {name: torch.cat([first[name][:cut], second[name][:copies]]) for name in first}
    clean = {name: tensor[:cut + copies] for name, tensor in first.items()}
    copied, without = (museum.right(museum.taught(SmallModel, posts, epochs=12, seed=seed)[0], second)[:copies].mean()
                       for posts in (mixed, clean))

    ten = museum.hits(museum.taught_often(SmallModel, {name: tensor[:150] for name, tensor in train.items()},
                                          range(10 * seed, 10 * seed + 10)), test)
    gaps = []
    for block in np.array_split(np.arange(ten.shape[1]), 6):
        best = ten[:, block].mean(1).argmax()
        gaps.append(ten[best, block].mean() - np.delete(ten[best], block).mean())
    return {"batches": float(found.verdict == "ill" or abs(found.number or 0) < 5e-4),
            "renamed": float(order.verdict == "ill"), "copies": copied - without, "chosen": float(np.mean(gaps))}


def _quarrelled(posts: Tensors, share: float, draw: torch.Generator) -> Tensors:
    again = torch.rand(len(posts["labels"]), generator=draw) < share
    return {**posts, "labels": torch.where(again, torch.randint(3, again.shape, generator=draw), posts["labels"])}


class _Louder(SmallModel):
    times = 1

    def join(self, text: Tensor, picture: Tensor) -> Tensor:
        return self.drop(torch.cat([text, self.times * picture], 1))


class _MuchLouder(_Louder):
    times = 50


def _own_wing(train: Tensors, test: Tensors, sound: float, seed: int, n: Size) -> Margins:
    loud, much = (sound - museum.right(museum.taught(kind, train, seed=seed)[0], test).mean()
                  for kind in (_Louder, _MuchLouder))
    posts = list(FoodPosts(n(300), "test", seed=seed, pixels=PIXELS[SIZE]))
    draw = np.random.default_rng(seed)
    mixed = [replace(post, text=" ".join(draw.permutation(post.text.split()))) for post in posts]
    read = [metrics.accuracy(*answers(shipped(), make_loader(some, shipped()))) for some in (posts, mixed)]
    length = max(some["attention_mask"].shape[1] for some in (train, test))
    parts = [museum.padded(some, length) for some in (train, test)]
    whole, controls = {name: torch.cat([part[name] for part in parts]) for name in train}, []
    leaked = museum.right(museum.taught(SmallModel, whole, seed=seed)[0], test).mean()
    for deal in range(3 * seed, 3 * seed + 3):
        order = torch.randperm(len(whole["labels"]), generator=torch.Generator().manual_seed(deal))
        dealt = {**whole, "labels": whole["labels"][order]}
        controls.append(museum.right(museum.taught(SmallModel, dealt, seed=deal)[0], test).mean())
    return {"loud": much - loud, "mixed": read[0] - read[1], "leaked": leaked - sound,
            "control": leaked - float(np.mean(controls))}
