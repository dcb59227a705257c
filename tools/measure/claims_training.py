"""What notebooks 04 to 06 claim: fusion, training, the correction phase."""

from __future__ import annotations

import copy
import math
from collections import Counter
from dataclasses import replace

import numpy as np
import torch
from claims_common import (
    Aligned,
    Margins,
    Size,
    aligned,
    borrowed,
    burger_drawn,
    features,
    lead,
    scored,
    shipped,
    within,
)
from torch import nn

from mmsa_utils import (
    BINARY_LABELS,
    Dropout,
    Features,
    FoodPosts,
    MultimodalSentimentModel,
    SyntheticDataset,
    accuracy,
    answers,
    burger_example,
    evaluate,
    extract_features,
    fit_temperature,
    head_answers,
    join,
    loss_of,
    make_loader,
    measure,
    metrics,
    random_head,
    shuffled,
    slice_accuracy,
    train,
)
from mmsa_utils.seeds import seeded


def notebook_04(seed: int, n: Size) -> Margins:
    model = MultimodalSentimentModel("bert", "resnet18", classes=BINARY_LABELS, seed=seed)
    (pointing_post,) = borrowed("04", "pointing_post")
    rng = np.random.default_rng(251 + seed)
    sets = [extract_features(model, [pointing_post(rng) for _ in range(n(size))], show_progress=False)
            for size in (600, 200, 400)]
    right = {}
    for hidden in (0, 256):
        head = aligned(*sets[:2], num_outputs=1, hidden=hidden, epochs=30, seed=seed)[1]
        right[hidden] = accuracy(head_answers(model.fusion, head, sets[2]), sets[2].labels)
    text, image = (side.pooled for side in sets[0].sides.values())
    ratio = image.norm(dim=1) / text.norm(dim=1)
    untrained = head_answers(model.fusion, random_head(model.width, 1, seed=seed), sets[0])[:, 1]
    generator = torch.Generator().manual_seed(seed)
    cases = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    linear = cases @ draw(2, 10_000) + draw(10_000)
    hidden = torch.relu(cases @ draw(10_000, 2, 4) + draw(10_000, 1, 4)) @ draw(10_000, 4, 1) + draw(10_000, 1, 1)
    positive = cases.prod(1) > 0
    solved = [((linear > 0) == positive[:, None]).sum(0).max(), ((hidden.squeeze(-1) > 0) == positive).sum(1).max()]
    with seeded(seed):
        dropped = Dropout(0.5)(torch.ones(10_000))
        inputs = join(text[:4], image[:4])
        same = torch.equal(model.head.train()(inputs), model.head(inputs))
    return {
        "the picture's vector is longer than the text's": ratio.min() - 1,
        "untrained: every probability between 0.3 and 0.7": 0.2 - (untrained - 0.5).abs().max(),
        "dropout of one half keeps the mean near 1": 0.1 - abs(dropped.mean() - 1),
        "in train() the same post gets another answer": 1 - 2 * same,
        "best of 10,000 linear heads: 3 of 4 cases": 1 - abs(solved[0] - 3),
        "best of 10,000 heads with a hidden layer: 4 of 4": solved[1] - 3,
        "linear head below three in four": 0.75 - right[0],
        "far below, by 0.1 and more": 0.65 - right[0],
        "hidden layers nine in ten or better": right[256] - 0.9,
    }


def notebook_05(seed: int, n: Size) -> Margins:
    noise, new_noise = (list(SyntheticDataset(n(size), seed=2 * seed + i)) for i, size in enumerate((64, 200)))
    model = MultimodalSentimentModel("bert", "resnet18", classes=BINARY_LABELS, seed=seed)
    loader = make_loader(noise, model, batch_size=16, shuffle=True, seed=seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    next(iter(loader))  # the notebook looks at a batch, which moves on the order of the posts
    with seeded(seed):
        for _ in range(6):
            model.train()
            for batch in loader:
                labels = batch.pop("labels")
                optimizer.zero_grad()
                loss_of(model(**batch), labels).backward()
                optimizer.step()
    seen, new = (evaluate(model, make_loader(posts, model, 64)) for posts in (noise, new_noise))

    posts = {name: list(FoodPosts(n(size), name, binary=True, seed=seed))
             for name, size in {"train": 900, "validation": 250, "test": 500}.items()}
    model = MultimodalSentimentModel("bert", "resnet18", classes=BINARY_LABELS, seed=seed)
    loaders = {name: make_loader(posts[name], model, 64, shuffle=name == "train", seed=seed) for name in posts}
    before = evaluate(model, loaders["validation"])
    lazy = Counter(post.label for post in posts["validation"]).most_common(1)[0][1] / len(posts["validation"])
    ceiling = FoodPosts(1, binary=True).ceiling
    batch = next(iter(loaders["train"]))
    with seeded(seed):
        logits = model(**{name: tensor for name, tensor in batch.items() if name != "labels"})
    (1000 * loss_of(logits, batch["labels"])).backward()
    length = nn.utils.clip_grad_norm_(model.parameters(), 1.0).item()
    watch = make_loader(posts["validation"][:100], model, 64)
    frames = [answers(model, watch)[0].argmax(-1)]
    history = train(model, loaders["train"], loaders["validation"], epochs=3, seed=seed, show_progress=False,
                    on_epoch=lambda model: frames.append(answers(model, watch)[0].argmax(-1)))
    rise = np.diff([row["accuracy"] for row in (before, *history)])
    changed = [(one != other).sum().item() for one, other in zip(frames, frames[1:])]
    probabilities, labels = answers(model, loaders["test"])
    score, kept = accuracy(probabilities, labels), min(history, key=lambda row: row["loss"])
    slices = slice_accuracy(probabilities, labels, [post.relation for post in posts["test"]])
    right = (probabilities.argmax(-1) == labels).double().sort(descending=True).values
    uneven = torch.stack([part.mean() for part in right.split(len(right) - 1)]).mean()
    burger = burger_example()
    two = model.predict([burger.text, "This burger is nothing like the photo."], [burger.image] * 2)
    return {
        "noise: posts it saw, nearly all right": seen["accuracy"] - 0.9,
        "noise: new posts, about half right": within(new["accuracy"], 0.35, 0.65),
        "noise: new posts, loss above a coin flip's": new["loss"] - math.log(2),
        "untrained model, about a coin flip": within(before["accuracy"], 0.25, 0.75),
        "always the commonest label, about half right": within(lazy, 0.45, 0.6),
        "the blown-up gradient is longer than 100": length - 100,
        "the first epoch gains most": rise[0] - rise[1:].max(),
        "first epoch: training accuracy below validation": history[0]["accuracy"] - history[0]["train_accuracy"],
        "last epoch: training accuracy has caught up, to within 0.02": (
            history[-1]["train_accuracy"] - history[-1]["accuracy"] + 0.02),
        "kept epoch is better than any reader of one side": kept["accuracy"] - ceiling("image"),
        "after the first epoch fewer posts change sides": changed[0] - max(changed[1:]),
        "test accuracy above 0.85 of the ceiling": score - 0.85 * ceiling("both"),
        "our model beats any reader of one side": score - max(ceiling("text"), ceiling("image")),
        "weakest on posts that need both sides at once": min(slices.get("agree", 1), slices.get("soft", 1)) - min(
            slices.get("contradict", 1), slices.get("refer", 1)),
        "batches of 499 and 1: off by more than a third": (right.mean() - uneven).item() - 0.33,
        "accuracy and macro-F1 agree on balanced posts": 0.02 - abs(score - metrics.macro_f1(probabilities, labels)),
        "the burger, delicious: positive, above 0.8": two[0, 1] - 0.8,
        "the burger, nothing like the photo: less positive by more than 0.2": two[0, 1] - two[1, 1] - 0.2,
    }


def notebook_06(seed: int, n: Size) -> Margins:
    cached = {"train": features("train", n(2000), seed), "test": features("test", n(600), seed),
              "validation": features("validation", n(500), seed)[:n(400)],
              "unseen": features("unseen", n(600), seed)[:n(400)]}
    training, validation, test = cached["train"], cached["validation"], cached["test"]
    burger, rotten = burger_example(), burger_drawn(-2, 1 + seed)
    three = extract_features(shipped(), [burger, replace(burger, image=rotten, label=0),
                                         replace(burger, text="This burger is nothing like the photo.", label=0)],
                             show_progress=False)
    fusion, width = shipped().fusion, shipped().width

    lots = [head_answers(fusion, random_head(width, seed=100 * seed + i), test) for i in range(100)]
    accuracies = [accuracy(row, test.labels) for row in lots]
    losses = [metrics.log_loss(row, test.labels) for row in lots]
    favourite = sorted(row.argmax(-1).bincount().max().item() / len(test) for row in lots)
    band = 3 * math.sqrt(1 / 3 * 2 / 3 / len(test))
    guesses = torch.stack([head_answers(fusion, random_head(width, seed=4 * seed + i), three)[0] for i in range(4)])

    bare = random_head(width, dropout=0.0, seed=seed)
    optimizer = torch.optim.AdamW(bare.parameters(), lr=2e-3)
    inputs = fusion(training.sides)
    for rows in torch.randperm(len(training), generator=torch.Generator().manual_seed(seed)).split(128):
        optimizer.zero_grad()
        loss_of(bare(inputs[rows]), training.labels[rows]).backward()
        optimizer.step()

    def run(training: Features, validation: Features, at: int = seed, **options) -> Aligned:
        return aligned(training, validation, epochs=10, seed=at, **options)

    _, head, history = run(training, validation)
    kept, after = min(history, key=lambda row: row["loss"]), measure(fusion, head, test)
    careless = aligned(training, training, epochs=30, seed=seed)[1]
    temperatures = [fit_temperature(fusion, one, validation) for one in (head, careless)]
    heads: list[nn.Module] = []
    aligned(training, validation, epochs=24, batch_size=len(training), seed=seed,
            on_epoch=lambda head: heads.append(copy.deepcopy(head)))
    slow = torch.stack([head_answers(fusion, one, three) for one in heads])  # (epochs, posts, classes)
    leads = torch.tensor([[lead(row, label) for row, label in zip(rows, (2, 0, 0))] for rows in slow])
    settled = [25 - int((column.flip(0) > 0).long().cumprod(0).sum()) for column in leads.T]  # right from here on
    one_step = head_answers(fusion, heads[1], validation)
    _, control, control_history = run(shuffled(training, seed), shuffled(validation, seed))
    others = [scored(run(training, validation, seed + i), test) for i in range(1, 5)]
    _, low, high = metrics.interval([after["accuracy"], *others])
    one_side = [scored(run(training, validation, sides=(side,)), test) for side in ("text", "image")]
    additive = scored(run(training, validation, hidden=0), test)
    both, one = after["accuracy"], FoodPosts(1, "test")

    untaught = MultimodalSentimentModel(frozen=True, pretrained=False, seed=seed)
    plain = {split: extract_features(untaught, FoodPosts(min(n(600), len(cached[split])), split, seed=seed),
                                     show_progress=False) for split in ("train", "validation", "unseen")}
    by_lot = scored(run(plain["train"], plain["validation"]), plain["unseen"])
    short = scored(run(training[:n(600)], validation), cached["unseen"])
    new = measure(fusion, head, cached["unseen"])["accuracy"]
    known, unknown = (head_answers(fusion, head, cached[split], temperatures[0]).max(-1).values.mean().item()
                      for split in ("test", "unseen"))
    by_relation = after["slices"]
    denied = max(lead(row[2], 2) for row in slow[1:])
    return {
        "four random heads on the burger: every bar near one third": 0.15 - (guesses - 1 / 3).abs().max(),
        "100 random heads: mean accuracy between 0.28 and 0.39": within(np.mean(accuracies), 0.28, 0.39),
        "100 random heads: mean loss within 0.1 of ln 3": 0.1 - abs(np.mean(losses) - math.log(3)),
        "more than three of them leave the band of fair guesses": sum(abs(a - 1 / 3) > band for a in accuracies) - 3,
        "a typical one gives one answer to more than half": favourite[50] - 0.5,
        "above 0.5 on the test after one epoch": measure(fusion, bare, test)["accuracy"] - 0.5,
        "epoch 0 stands near chance": within(history[0]["accuracy"], 0.1, 0.6),
        "the epoch that is kept is above 0.8": kept["accuracy"] - 0.8,
        "training loss starts above validation loss": history[1]["train_loss"] - history[1]["loss"],
        "training loss ends below validation loss": history[-1]["loss"] - history[-1]["train_loss"],
        "training loss goes on falling while validation loss turns flat or rises": (
            history[-4]["train_loss"] - history[-1]["train_loss"]) - (history[-4]["loss"] - history[-1]["loss"]),
        "after the correction, above four fifths of the ceiling": both - 0.8 * one.ceiling("both"),
        "contradictions are the hardest": min(
            by_relation[relation] for relation in by_relation if relation != "contradict") - by_relation["contradict"],
        "even there, above chance by more than 0.15": min(by_relation.values()) - 1 / 3 - 0.15,
        "the head that ships, from many times as many posts, does better on them": measure(
            fusion, shipped().head, test)["slices"]["contradict"] - by_relation["contradict"],
        "fresh burger: positive, with more than 0.7": head_answers(fusion, head, three)[0, 2] - 0.7,
        "same words, rotten burger: negative": lead(head_answers(fusion, head, three)[1], 0),
        "a random head is not badly calibrated, error below 0.2": 0.2 - measure(
            fusion, random_head(width, seed=seed), test)["calibration_error"],
        "the careless head is too sure, temperature above 1": temperatures[1] - 1,
        "the aligned head has less to mend": abs(math.log(temperatures[1])) - abs(math.log(temperatures[0])),
        "calibration error of the aligned head below 0.08": 0.08 - measure(
            fusion, head, test, temperature=temperatures[0])["calibration_error"],
        "slow motion: after one step more often right than sure": accuracy(one_step, validation.labels)
        - one_step.max(-1).values.mean(),
        "slow motion: by epoch 12 the two plain burgers are settled": 13 - max(settled[:2]),
        "slow motion: the text that denies its picture goes the wrong way first": denied,
        "slow motion: it takes longest": settled[2] - max(settled[:2]),
        "control on the test at most 0.40": 0.4 - measure(fusion, control, test)["accuracy"],
        "its training loss falls all the same": control_history[1]["train_loss"] - control_history[-1]["train_loss"],
        "its validation loss does not": control_history[-1]["loss"] - control_history[1]["loss"],
        "five seeds: the interval is narrower than 0.05": 0.05 - (high - low),
        "its lower end is above the best of a hundred random heads": low - max(accuracies),
        "text only < picture only < both": min(one_side[1] - one_side[0], both - one_side[1]),
        "additive < both": both - additive,
        "both beats any possible one-sided reader": both - max(one.ceiling("text"), one.ceiling("image")),
        "the additive head stays far below its own ceiling": one.ceiling("additive") - additive - 0.1,
        "new words and dishes: still far above chance, above 0.6": new - 0.6,
        "pretrained encoders are ahead of random ones by more than 0.15": short - by_lot - 0.15,
        "new posts: confidence hardly moves, by less than 0.05": 0.05 - abs(known - unknown),
    }
