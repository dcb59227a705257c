"""What notebooks 04 to 06 claim: fusion, training, the correction phase."""

from __future__ import annotations

import copy
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from claims_common import (
    SIZE,
    Aligned,
    Margins,
    Size,
    aligned,
    borrowed,
    features,
    lead,
    scored,
    shipped,
    within,
)
from torch import nn

from mmsa_utils import (
    BINARY_LABELS,
    Features,
    FoodPosts,
    MultimodalSentimentModel,
    SyntheticDataset,
    accuracy,
    align,
    answers,
    burger_example,
    evaluate,
    extract_features,
    fit_temperature,
    head_answers,
    join,
    make_loader,
    make_post,
    measure,
    metrics,
    phrases,
    random_head,
    shuffled,
    slice_accuracy,
    train,
)
from mmsa_utils.seeds import seeded


def notebook_04(seed: int, n: Size, *, loud: float = 50.0, posts: int = 800, epochs: int = 30, pointing: int = 1000,
                hidden: int = 256, views: int = 32) -> Margins:
    model = MultimodalSentimentModel("bert", "resnet18", classes=BINARY_LABELS, seed=seed)
    normalised, _, trained, pointing_post, products, gate = borrowed(
        "04", "normalised", "Way", "trained", "pointing_post", "LearnedProducts", "Gate", join=join)
    food = [extract_features(model, FoodPosts(n(size), split, binary=True, seed=seed), show_progress=False)
            for split, size in (("train", posts), ("validation", 300), ("test", 500))]
    rng = np.random.default_rng(seed)
    train_posts = [pointing_post(rng) for _ in range(n(pointing))]
    taken = {post.text for post in train_posts}
    sets = [extract_features(model, some, show_progress=False) for some in (
        train_posts, *([pointing_post(rng, taken) for _ in range(n(size))] for size in (200, 400)))]

    def read(way: Callable, data: list[Features], **options: Any) -> float:
        with seeded(seed):
            probabilities = trained(way, data, epochs=epochs if data is sets else epochs // 2, seed=seed, **options)
        return accuracy(probabilities, data[2].labels)

    def plainly(times: float) -> Callable:
        return lambda text, picture: torch.cat([text, times * picture], -1)

    def verdicts(hidden: int) -> float:
        one = [trained(way, sets, hidden, epochs=epochs, seed=seed) for way in (
            lambda text, picture: normalised(text), lambda text, picture: normalised(picture))]
        return accuracy((one[0] + one[1]) / 2, sets[2].labels)

    as_they_are, insured = read(plainly(1), food, scale=False), read(join, food, scale=False)
    scaled = read(plainly(1), food)
    louder, quieter = (read(plainly(times), food, scale=False) for times in (loud, 0.2))
    right = {(name, size): read(way(), sets, hidden=size) for size in (0, hidden) for name, way in {
        "sum": lambda: lambda text, picture: normalised(text) + normalised(picture), "concat": lambda: join,
        "products": lambda: lambda text, picture: normalised(text) * normalised(picture),
        "learned": lambda: products(model.encoders["text"].width, views),
        "gate": lambda: gate(model.encoders["text"].width)}.items()}
    late = [verdicts(size) for size in (0, hidden)]
    text, image = (side.pooled for side in sets[0].sides.values())
    ratio = image.norm(dim=1) / text.norm(dim=1)
    untrained = head_answers(model.fusion, random_head(model.width, 1, seed=seed), sets[0])[:, 1]
    generator = torch.Generator().manual_seed(seed)
    cases = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    linear = cases @ draw(2, 10_000) + draw(10_000)
    bent = torch.relu(cases @ draw(10_000, 2, 4) + draw(10_000, 1, 4)) @ draw(10_000, 4, 1) + draw(10_000, 1, 1)
    positive = cases.prod(1) > 0
    solved = [((linear > 0) == positive[:, None]).sum(0).max(), ((bent.squeeze(-1) > 0) == positive).sum(1).max()]
    with seeded(seed):
        dropped = nn.Dropout(0.5)(torch.ones(10_000))
        inputs = join(text[:4], image[:4])
        same = torch.equal(model.head.train()(inputs), model.head(inputs))
    return {
        "the picture's vector is longer than the text's": ratio.min() - 1,
        "untrained: every probability between 0.3 and 0.7": 0.2 - (untrained - 0.5).abs().max(),
        "dropout of one half keeps the mean near 1": 0.1 - abs(dropped.mean() - 1),
        "in train() the same post gets another answer": 1 - 2 * same,
        "at the encoders' own loudness normalising moves accuracy by less than 0.04": (
            0.04 - (max(as_they_are, insured, scaled) - min(as_they_are, insured, scaled))),
        "as they are, fifty times louder costs more than 0.04": insured - louder - 0.04,
        "as they are, turned down to a fifth costs less than 0.04": 0.04 - (insured - quieter),
        "best of 10,000 linear heads: 3 of 4 cases": 1 - abs(solved[0] - 3),
        "best of 10,000 heads with a hidden layer: 4 of 4": solved[1] - 3,
        "XOR: linear head below 0.65": 0.65 - right["concat", 0],
        "XOR: hidden layers above 0.85": right["concat", hidden] - 0.85,
        "late fusion below 0.65, whatever its heads": 0.65 - max(late),
        "a sum under a linear head below 0.65": 0.65 - right["sum", 0],
        "a sum under hidden layers above 0.7": right["sum", hidden] - 0.7,
        "under hidden layers a sum stays below concatenation": right["concat", hidden] - right["sum", hidden],
        "learned products under a linear head above 0.85": right["learned", 0] - 0.85,
        "plain products below 0.75, whatever the head": 0.75 - max(right["products", 0], right["products", hidden]),
        "learned products beat plain ones under a linear head, by more than 0.1": (
            right["learned", 0] - right["products", 0] - 0.1),
        "a gate under a linear head above 0.7": right["gate", 0] - 0.7,
    }


def notebook_05(seed: int, n: Size, *, noise_lr: float = 1e-3, posts: int = 500, epochs: int = 2,
                encoder_lr: float = 1e-3, lr: float = 2e-3, two_sided: float = 0.4) -> Margins:
    fit, one_step, twin_posts, *_ = borrowed("05", "fit", "one_step", "twin_posts", "DEVICE")
    everything = list(SyntheticDataset(n(64) + n(200), seed=seed))
    noise, new_noise = everything[:n(64)], everything[n(64):]
    model = MultimodalSentimentModel("bert", "resnet18", classes=BINARY_LABELS, seed=seed)
    loader = make_loader(noise, model, batch_size=16, shuffle=True, seed=seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=noise_lr)
    with seeded(seed):
        for _ in range(8):
            model.train()
            for batch in loader:
                one_step(model, batch, optimizer)
    seen, new = (evaluate(model, make_loader(some, model, 64)) for some in (noise, new_noise))

    feed = {name: list(FoodPosts(n(size), name, binary=True, two_sided=two_sided, seed=seed))
            for name, size in {"train": posts, "validation": 250, "test": 500}.items()}
    lazy = Counter(post.label for post in feed["validation"]).most_common(1)[0][1] / len(feed["validation"])
    source = FoodPosts(1, binary=True, two_sided=two_sided)
    rates = {"encoder_lr": encoder_lr, "lr": lr}

    def new_model(frozen: bool = False, text: str | None = "bert",
                  image: str | None = "resnet18") -> MultimodalSentimentModel:
        return MultimodalSentimentModel(text, image, classes=BINARY_LABELS, frozen=frozen, seed=seed)

    def loaders_for(model: MultimodalSentimentModel) -> dict[str, Any]:
        return {name: make_loader(feed[name], model, 32, shuffle=name == "train", seed=seed) for name in feed}

    full = new_model()
    loaders = loaders_for(full)
    before = evaluate(full, loaders["validation"])
    history = train(full, loaders["train"], loaders["validation"], epochs=epochs, seed=seed, show_progress=False,
                    **rates)
    rise = np.diff([row["accuracy"] for row in (before, *history)])
    ours, theirs = new_model(), new_model()
    few = [make_loader(feed["validation"][:128], ours, 8 if len(feed["validation"]) < 128 else 64) for _ in range(2)]
    with seeded(seed):
        fit(ours, {"train": few[0], "validation": few[1]}, **rates, epochs=1, seed=seed)
    train(theirs, *few, **rates, epochs=1, seed=seed, show_progress=False)
    gap = (answers(ours, few[1])[0] - answers(theirs, few[1])[0]).abs().max()
    readers = {"full": full}
    with seeded(seed):
        for name, sides in (("text", {"image": None}), ("picture", {"text": None})):
            one = new_model(**sides)
            readers[name] = fit(one, loaders_for(one), **rates, epochs=epochs, seed=seed)
        bare = new_model()
        readers["bare"] = fit(bare, loaders_for(bare), encoder_lr, encoder_lr, epochs=epochs, warm_up=False, clip=None,
                              best_epoch=False, seed=seed)
    frozen = new_model(frozen=True)
    align(frozen.fusion, frozen.head, *(extract_features(frozen, feed[split], show_progress=False)
                                        for split in ("train", "validation")), epochs=15, seed=seed)
    readers["frozen"] = frozen.eval()
    said = {name: answers(model, make_loader(feed["test"], model, 64)) for name, model in readers.items()}
    scores = {name: accuracy(*each) for name, each in said.items()}
    probabilities, labels = said["full"]
    relations = [post.relation for post in feed["test"]]
    slices = slice_accuracy(probabilities, labels, relations)
    both = [scores[name] for name in ("frozen", "bare", "full")]
    taken = {tuple(sorted(phrases.words_of(post.text))) for post in feed["train"] + feed["validation"]}
    twins, rng = twin_posts(n(100), taken, np.random.default_rng(seed)), np.random.default_rng(seed)
    mixed = [replace(post, text=phrases.in_any_order(post.text, rng)) for post in twins]
    order = {name: accuracy(*answers(readers[name], make_loader(twins, readers[name], 64)))
             for name in ("frozen", "full", "picture")}
    shuffled_order = accuracy(*answers(full, make_loader(mixed, full, 64)))
    right = (probabilities.argmax(-1) == labels).double().sort(descending=True).values
    uneven = torch.stack([part.mean() for part in right.split(len(right) - 1)]).mean()
    burger = burger_example()
    return {
        "noise: posts it saw, most of them right": seen["accuracy"] - 0.7,
        "noise: new posts, about half right": within(new["accuracy"], 0.35, 0.65),
        "noise: new posts, loss above a coin flip's": new["loss"] - math.log(2),
        "untrained model, about a coin flip": within(before["accuracy"], 0.25, 0.75),
        "always the commonest label, about half right": within(lazy, 0.45, 0.6),
        "the twenty lines give what train gives, to three digits": 0.0005 - gap,
        "the first epoch gains most": rise[0] - rise[1:].max(initial=-1),
        "last epoch: training accuracy has caught up, to within 0.02": (
            history[-1]["train_accuracy"] - history[-1]["accuracy"] + 0.02),
        "every reader of both sides beats every reader of one": min(both) - max(scores["text"], scores["picture"]),
        "the best of them lies below the additive ceiling": source.ceiling("additive") - max(both),
        "full is not ahead of bare by more than 0.02": scores["bare"] - scores["full"] + 0.02,
        "contradict and refer both lie below agree and soft": min(slices.get("agree", 1), slices.get("soft", 1)) - max(
            slices.get("contradict", 0), slices.get("refer", 0)),
        "twins: words in any order near a coin": 0.1 - abs(shuffled_order - 0.5),
        "twins: a picture alone is a coin": 0.02 - abs(order["picture"] - 0.5),
        "twins: frozen above 0.6": order["frozen"] - 0.6,
        "twins: frozen reads them better than full": order["frozen"] - order["full"],
        "batches of 499 and 1: off by more than a third": (right.mean() - uneven).item() - 0.33,
        "accuracy and macro-F1 agree on balanced posts": 0.02 - abs(scores["full"] - metrics.macro_f1(
            probabilities, labels)),
        "the burger, delicious: positive": full.predict([burger.text], [burger.image])[0, 1] - 0.5,
    }


def notebook_06(seed: int, n: Size, *, posts: int = 2000, epochs: int = 20, rate: float = 2e-3, hidden: int = 256,
                batch_size: int = 256, dish: str = "burger", bands: int = 15) -> Margins:
    cached = {"train": features("train", n(posts), seed), "test": features("test", n(600), seed),
              "validation": features("validation", n(500), seed)[:n(400)],
              "unseen": features("unseen", n(600), seed)[:n(400)]}
    training, validation, test = cached["train"], cached["validation"], cached["test"]
    raw = {split: list(FoodPosts(len(cached[split]), split, seed=seed, pixels=16))  # words and states, tiny pictures
           for split in ("train", "validation", "test")}
    drawn = {level: make_post(2, level, dish, seed).image for level in (-2, 2)}
    texts = [f"This {dish} is delicious!"] * 2 + [f"This {dish} is nothing like the photo."] * 2
    four = extract_features(shipped(), [replace(make_post(2, 2, dish), text=text, image=drawn[level], label=label)
                                        for text, level, label in zip(texts, (2, -2) * 2, (2, 0, 0, 2))],
                            show_progress=False)
    fusion, width = shipped().fusion, shipped().width
    one = FoodPosts(1, "test").ceiling

    lots = [head_answers(fusion, random_head(width, seed=100 * seed + i), test) for i in range(100)]
    accuracies = [accuracy(row, test.labels) for row in lots]
    losses = [metrics.log_loss(row, test.labels) for row in lots]
    favourite = sorted(row.argmax(-1).bincount().max().item() / len(test) for row in lots)
    band = 3 * math.sqrt(1 / 3 * 2 / 3 / len(test))
    guesses = torch.stack([head_answers(fusion, random_head(width, seed=4 * seed + i), four)[0] for i in range(4)])

    def run(training: Features, validation: Features, at: int = seed, **options) -> Aligned:
        shape = {"hidden": hidden, "batch_size": batch_size} | options
        return aligned(training, validation, epochs=epochs, lr=rate, seed=at, **shape)

    def right(run: Aligned, on: Features) -> np.ndarray:
        return (head_answers(*run[:2], on).argmax(-1) == on.labels).double().numpy()

    whole = run(training, validation)
    _, head, history = whole
    kept, last, after = min(history, key=lambda row: row["loss"]), history[-1], measure(fusion, head, test)
    by_relation, two_sided = after["slices"], np.array(test.two_sided)
    words = MultimodalSentimentModel(shipped().encoders["text"], None, SIZE, frozen=True)

    def mixed(split: str) -> Features:
        rng = np.random.default_rng(seed)
        some = [replace(post, text=phrases.in_any_order(post.text, rng)) for post in raw[split]]
        return replace(cached[split], sides={**cached[split].sides,
                                             **extract_features(words, some, show_progress=False).sides})

    in_any_order = mixed("test")
    in_order, no_order = right(whole, test), right(whole, in_any_order)
    two = two_sided if two_sided.any() else np.ones(len(test), bool)
    lost = [float((in_order - no_order)[rows].mean()) if rows.any() else 0.0 for rows in (two, ~two)]

    (over,) = borrowed("06", "over", SIZE=SIZE)

    def pointing(split: str) -> dict[str, Features]:
        return {mood: extract_features(shipped(), over(raw[split], at), show_progress=False)
                for mood, at in {"good": (1, 2), "bad": (-2, -1)}.items()}

    exam, new = pointing("test"), pointing("train")
    said = np.array(exam["good"].text_kinds, dtype=object)

    def groups(run: Aligned) -> dict[str, float]:
        return {f"{kind} over {mood}": float(np.mean(right(run, some)[said == kind])) if (said == kind).any() else 0.0
                for kind in ("same", "opposite") for mood, some in exam.items()}

    heads: list[nn.Module] = []
    slow = aligned(training, validation, hidden=hidden, epochs=80, lr=rate, batch_size=len(training), seed=seed,
                   on_epoch=lambda head: heads.append(copy.deepcopy(head)))[2]
    turn, steps = min(slow, key=lambda row: row["loss"])["epoch"], [groups((fusion, one, [])) for one in heads]
    at_first, at_turn = (torch.stack([head_answers(fusion, one, four) for one in some])
                         for some in (heads[1:9], [heads[turn]]))
    one_step = head_answers(fusion, heads[1], validation)
    kinds, levels_of = np.array(training.text_kinds, dtype=object), np.array(training.picture_levels)
    rare, frequent = (np.flatnonzero((kinds == "opposite") & side) for side in (levels_of < 0, levels_of > 0))
    again = torch.from_numpy(rare).repeat(max(0, round(len(frequent) / max(1, len(rare))) - 1))
    (joined,) = borrowed("06", "joined")
    lessons = {"as it is": training, "repeated": joined(training, training[again]),
               "good": joined(training, new["good"]), "bad": joined(training, new["bad"])}
    lessons["both"] = joined(lessons["good"], new["bad"])
    turned = {}
    for name, lesson in lessons.items():
        some = [groups(run(lesson, validation, seed + i)) for i in range(3)]
        turned[name] = {group: float(np.mean([row[group] for row in some])) for group in some[0]}
    over_bad = {name: (row["same over bad"] + row["opposite over bad"]) / 2 for name, row in turned.items()}

    ours, generator = head_answers(fusion, head, test), torch.Generator().manual_seed(seed)
    dealt = [torch.multinomial(ours, 1, generator=generator).squeeze(1) for _ in range(100)]
    perfect = np.mean([metrics.calibration_error(ours, labels, bands) for labels in dealt])
    of_random = [metrics.calibration_error(row, test.labels, bands) for row in lots[:20]]
    careless = run(training, training)
    temperatures = [fit_temperature(fusion, one, validation) for one in (head, careless[1])]
    plain, scaled = (measure(fusion, careless[1], test, temperature=warmth) for warmth in (1.0, temperatures[1]))

    control = run(shuffled(training, seed), shuffled(validation, seed))
    leaks, with_label = borrowed("06", "leaks", "with_label", joined=joined)
    late, early, won = {}, {}, {}
    some, fresh = training[:len(training) // 2], features("test", n(600), seed + 100)
    for name, leak in leaks.items():
        learn, choose, exam_posts = leak(some, test)
        leaked = run(learn, choose)
        won[name] = scored(leaked, exam_posts) - scored(leaked, fresh)
        late[name] = scored(run(shuffled(learn, 1), shuffled(choose, 1)), exam_posts)
        learn, choose, exam_posts = leak(shuffled(some, 1), shuffled(test, 1))
        early[name] = scored(run(learn, choose), exam_posts)
    five = [whole, *(run(training, validation, seed + i) for i in range(1, 5))]
    five_right = np.array([right(other, test) for other in five])
    (both_ways,) = borrowed("06", "both_ways")
    _, low, high = metrics.interval(five_right.mean(1))
    wide = np.diff(both_ways(five_right))[0]
    sides = [scored(run(training, validation, sides=(side,)), test) for side in ("text", "image")]
    additive, both = scored(run(training, validation, hidden=0), test), five_right.mean()
    unordered = scored(run(mixed("train"), mixed("validation")), in_any_order)

    untaught = MultimodalSentimentModel(frozen=True, pretrained=False, seed=seed)
    lots_of = {split: extract_features(untaught, FoodPosts(min(n(600), len(cached[split])), split, seed=seed),
                                       show_progress=False) for split in ("train", "validation", "unseen")}
    by_lot = scored(run(lots_of["train"], lots_of["validation"]), lots_of["unseen"])
    short = scored(run(training[:n(600)], validation), cached["unseen"])
    new_words = measure(fusion, head, cached["unseen"])["accuracy"]
    known, unknown = (head_answers(fusion, head, cached[split], temperatures[0]).max(-1).values.mean().item()
                      for split in ("test", "unseen"))
    return {
        "four random heads on the burger: every bar near one third": 0.15 - (guesses - 1 / 3).abs().max(),
        "100 random heads: mean accuracy between 0.28 and 0.39": within(np.mean(accuracies), 0.28, 0.39),
        "100 random heads: mean loss within 0.1 of ln 3": 0.1 - abs(np.mean(losses) - math.log(3)),
        "more than three of them leave the band of fair guesses": sum(abs(a - 1 / 3) > band for a in accuracies) - 3,
        "a typical one gives one answer to more than half": favourite[50] - 0.5,
        "validation loss turns and rises": last["loss"] - kept["loss"] - 0.01,
        "meanwhile training loss falls": history[max(1, kept["epoch"])]["train_loss"] - last["train_loss"],
        "and accuracy does not fall, to within 0.03": last["accuracy"] - kept["accuracy"] + 0.03,
        "after the correction, above four fifths of the ceiling": after["accuracy"] - 0.8 * one("both"),
        "contradictions are harder than agreement and one neutral side": min(
            by_relation.get("agree", 1), by_relation.get("soft", 1)) - by_relation.get("contradict", 0),
        "without their order two-sided texts lose most": lost[0] - lost[1],
        "not yet what a perfect reader of both could do in any order": one("any_order") - after["accuracy"],
        "fresh, delicious: positive": lead(head_answers(fusion, head, four)[0], 2),
        "rotten, delicious: negative": lead(head_answers(fusion, head, four)[1], 0),
        "slow motion: after one step more often right than sure": accuracy(one_step, validation.labels)
        - one_step.max(-1).values.mean(),
        "nothing like it, fresh: believes the picture at first": max(lead(row[2], 2) for row in at_first),
        "then doubts it": max(row[2][2] for row in at_first) - at_turn[0][2][2],
        "nothing like it, rotten: says negative": lead(at_turn[0][3], 0),
        "where validation loss is lowest: opposite over good above 0.6": steps[turn]["opposite over good"] - 0.6,
        "and same over good pays": max(row["same over good"] for row in steps[1:9])
        - steps[turn]["same over good"],
        "opposite over bad below 0.3": 0.3 - steps[turn]["opposite over bad"],
        "it turns later": max(row["opposite over bad"] for row in steps[turn:]) - steps[turn]["opposite over bad"],
        "twice as many training posts deny a good picture as a bad one": len(frequent) - 2 * len(rare),
        "rare posts repeated: over bad pictures as many right as before, to within 0.15": 0.15 - abs(
            over_bad["repeated"] - over_bad["as it is"]),
        "new good pictures do not help over bad ones, to within 0.15": 0.15 - (over_bad["good"] - over_bad["as it is"]),
        "new bad pictures: opposite over bad above one half": turned["bad"]["opposite over bad"] - 0.5,
        "more than with new good ones, by 0.3": turned["bad"]["opposite over bad"] - turned["good"]["opposite over bad"]
        - 0.3,
        "new ones of both kinds: no group below 0.4": min(turned["both"].values()) - 0.4,
        "20 random heads: calibration errors 0.04 apart and more": max(of_random) - min(of_random) - 0.04,
        "calibrated by construction: 0.02 and more all the same": perfect - 0.02,
        "the careless head is too sure, temperature above 1": temperatures[1] - 1,
        "it is as often right, to within 0.02": plain["accuracy"] - after["accuracy"] + 0.02,
        "and once scaled its loss is close by, to within 0.06": measure(
            fusion, head, test, temperature=temperatures[0])["loss"] - scaled["loss"] + 0.06,
        "control on the test at most 0.40": 0.4 - measure(*control[:2], test)["accuracy"],
        "its training loss falls all the same": control[2][1]["train_loss"] - control[2][-1]["train_loss"],
        "its validation loss rises": control[2][-1]["loss"] - control[2][1]["loss"],
        "labels dealt out late: no leak above 0.5": 0.5 - max(late.values()),
        "early: test posts in the training above 0.6": early["test posts in the training"] - 0.6,
        "early: label in the features above 0.6": early["label in the features"] - 0.6,
        "early: epoch chosen on the test below 0.45": 0.45 - early["epoch chosen on the test"],
        "new posts: test posts in the training, what was won is gone": won["test posts in the training"] - 0.05,
        "new posts: label in the features, what was won is gone": won["label in the features"] - 0.05,
        "over seeds and posts the interval is wider than over seeds": wide - (high - low),
        "text < picture < both": min(sides[1] - sides[0], both - sides[1]),
        "additive < both": both - additive,
        "both in any order < both": both - unordered,
        "both beats any possible one-sided reader": both - max(one("text"), one("image")),
        "the additive head stays below its own ceiling by 0.1": one("additive") - additive - 0.1,
        "new words and dishes: above 0.6": new_words - 0.6,
        "pretrained encoders are ahead of random ones by more than 0.15": short - by_lot - 0.15,
        "new posts: confidence moves by less than 0.05": 0.05 - abs(known - unknown),
    }
