"""Repeat with many seeds what the notebooks measured with one: do the claims that they make in words still hold?

python tools/claims.py [--seeds 20] [--only 06] [--json FILE]     about half an hour on one core for twenty seeds

Here is every claim that hangs on something drawn at random: weights, the order of posts, dropout, the posts themselves.
Each is a margin, how far the measured figure lies on the right side of what was said, so it holds above 0. Seed 0 is
what the notebooks print. The table that comes out is the one of docs/claims.md.
"""

from __future__ import annotations

import argparse
import ast
import json
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import cache, lru_cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from stopping import leave
from torch import nn
from torch.nn import functional as F

from mmsa_utils import metrics, phrases, scenes
from mmsa_utils.alignment import (
    BOTH,
    Features,
    align,
    extract_features,
    fit_temperature,
    head_answers,
    measure,
    random_head,
    shuffled,
)
from mmsa_utils.data import PIXELS, FoodPosts, Post, SyntheticDataset, burger_example, make_loader, make_post
from mmsa_utils.encoders import load_image_encoder, load_text_encoder
from mmsa_utils.metrics import accuracy, slice_accuracy, who_won
from mmsa_utils.model import Dropout, MultimodalSentimentModel, join, load_model, probabilities_of
from mmsa_utils.rules import judge, post_table
from mmsa_utils.seeds import seeded
from mmsa_utils.training import answers, best_device, evaluate, loss_of, progress, train

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
SIZE = "mini"
Margins = dict[str, float]  # claim in words → its margin
Size = Callable[[int], int]  # posts in the notebook → posts here; all of them but in a quick test

# --- what several notebooks share ---


def borrowed(number: str, *names: str, **given) -> list:
    """Functions and constants that a notebook defines in its cells, with `given` as the other names they use."""
    space, wanted = {**globals(), **given}, set(names)
    (path,) = NOTEBOOKS.glob(f"{number}_*.ipynb")
    for cell in json.loads(path.read_text(encoding="utf8"))["cells"]:
        for node in ast.parse("".join(cell["source"])).body if cell["cell_type"] == "code" else ():
            made = {getattr(part, "id", getattr(part, "name", "")) for part in [node, *getattr(node, "targets", [])]}
            if made & set(names):
                exec(compile(ast.Module([node], []), path.name, "exec"), space)
                wanted -= made
    if wanted:
        raise KeyError(f"{path.name} does not define {', '.join(sorted(wanted))}")
    return [space[name] for name in names]


@cache
def shipped() -> MultimodalSentimentModel:
    return load_model()


@lru_cache(maxsize=8)  # those of one seed: notebooks 00, 06, 07 and 08 read the same posts
def features(split: str, n: int, seed: int, conflict: float = 0.2) -> Features:
    return extract_features(shipped(), FoodPosts(n, split, conflict=conflict, seed=seed), show_progress=False)


def first(known: Features, n: int) -> Features:
    return Features(*(getattr(known, name)[:n] for name in known.__dataclass_fields__))


@lru_cache(maxsize=4)
def kinds_and_texts(split: str, n: int, seed: int) -> list[Post]:
    return list(FoodPosts(n, split, seed=seed, pixels=16))  # tiny pictures: only the words and states matter


def lead(row: torch.Tensor, label: int) -> float:
    """How far the probability of a label lies above all others of its row: above 0, it is the answer."""
    return (row[label] - row[[other for other in range(len(row)) if other != label]].max()).item()


def within(value: float, low: float, high: float) -> float:
    return min(value - low, high - value)


def burger_drawn(level: int, seed: int) -> Image.Image:
    return scenes.draw(scenes.random_scene("burger", level, np.random.default_rng(seed)), PIXELS[SIZE])


# --- one function a notebook ---


def notebook_00(seed: int, n: Size) -> Margins:
    model, burger, awful = shipped(), burger_example(), burger_drawn(-2, 5 + seed)
    right = {split: measure(model.head, features(split, n(600), seed))["accuracy"] for split in ("test", "unseen")}
    texts = [burger.text, "I had a large burger.", "This burger tastes exactly as it looks.",
             "This burger is nothing like the photo."]
    over_awful = model.predict(texts, [awful] * 4)
    return {
        "praise over another mouldy burger is negative": lead(over_awful[0], 0),
        "neutral words and 'as it looks' over it are negative": min(lead(over_awful[i], 0) for i in (1, 2)),
        "'nothing like the photo' over it is positive": lead(over_awful[3], 2),
        "right on more than 8 of 10 posts": right["test"] - 0.8,
        "right on more than 7 of 10 posts with new words and dishes": right["unseen"] - 0.7,
        "worse on new words and dishes": right["test"] - right["unseen"],
    }


def notebook_01(seed: int, n: Size) -> Margins:
    (as_table,) = borrowed("01", "as_table")
    pixels, labels = as_table(SyntheticDataset(n(100), seed=2 * seed))
    right = ((pixels > 127) == (labels == 1)[:, None]).mean(0)
    best, fresh = right.argmax(), SyntheticDataset(n(1000), seed=2 * seed + 1)
    on_new = np.mean([(np.asarray(post.image).ravel()[best] > 127) == post.label for post in fresh])
    posts = kinds_and_texts("train", n(1000), seed)
    known = {post.text for post in posts}
    again = sum(post.text in known for name in ("validation", "test") for post in kinds_and_texts(name, n(1000), seed))
    slips = np.mean([post.label != judge(post.text_kind, post.picture_level)[0] + 1 for post in posts])
    seen: dict = {}
    for state in post_table(0.2):
        seen.setdefault(state.text_kind, Counter())[state.valence] += state.share
    answer = {kind: pile.most_common(1)[0][0] + 1 for kind, pile in seen.items()}
    wobble = np.mean([answer[post.text_kind] == post.label for post in posts]) - FoodPosts(1).ceiling("text")
    return {
        "the best of 12,288 readers of noise lies outside the band of luck": right.max() - 0.598,
        "on new noise it is back at one half (three standard errors)": 0.0475 - abs(on_new - 0.5),
        "a few labels are slips: some, and fewer than 5 in 100": within(slips, 0, 0.05),
        "no validation or test text is a training text": 1 - again,
        "a figure from 1,000 posts lies within 0.06 of its ceiling": 0.06 - abs(wobble),
    }


def notebook_02(seed: int, n: Size) -> Margins:
    frame_of_words = {level: words[:32] for level, words in phrases.ADJECTIVES.items()}
    encode, probe, opinions, _ = borrowed("02", "encode", "probe", "opinions", "FRAMES")
    bert, distilbert, random_bert = (load_text_encoder("bert"), load_text_encoder("distilbert"),
                                     load_text_encoder("bert", pretrained=False, seed=seed))
    rng = np.random.default_rng(seed)
    sentences = [phrases.write(kind, dish, rng) for kind in phrases.KINDS for dish in scenes.TRAIN_DISHES]
    (similarities,) = borrowed("02", "similarities", encode=encode, sentences=sentences)
    agreement, by_lot = (torch.corrcoef(torch.stack([similarities(bert), similarities(other)]))[0, 1].item()
                         for other in (distilbert, random_bert))
    learn, known, unknown = (opinions(frame_of_words, 5, seed=3 * seed + 1),
                             opinions(frame_of_words, 2, seed=3 * seed + 2),
                             opinions(phrases.UNSEEN_ADJECTIVES, 6, seed=3 * seed + 3))
    right = []
    for encoder in (bert, random_bert):
        answer = probe(encode(encoder, learn[0]), learn[1])
        right += [accuracy(answer(encode(encoder, texts)), labels) for texts, labels in (known, unknown)]
    return {
        "DistilBERT follows its teacher, correlation above 0.85": agreement - 0.85,
        "more than a random network does": agreement - by_lot - 0.1,
        "the random BERT also agrees a little": by_lot,
        "random network on known words, above 0.7": right[2] - 0.7,
        "random network on unknown words, near a coin flip": 0.2 - abs(right[3] - 0.5),
        "pretrained on unknown words, above 0.8": right[1] - 0.8,
        "pretraining buys more on unknown words than on known ones": (right[1] - right[3]) - (right[0] - right[2]),
    }


def notebook_03(seed: int, n: Size) -> Margins:
    encoders = {"ResNet": load_image_encoder("resnet18"), "ViT": load_image_encoder("vit")}
    vit = encoders["ViT"]
    side, patch = vit.net.config.image_size, vit.net.config.patch_size

    def gradient(residual: bool) -> float:
        generator = torch.Generator().manual_seed(seed)
        start = torch.randn(8, 64, generator=generator, requires_grad=True)
        x = start
        for _ in range(30):
            change = torch.relu(x @ (0.05 * torch.randn(64, 64, generator=generator)))
            x = x + change if residual else change
        x.mean(1).sum().backward()
        return start.grad.norm().item()

    encode, before, changes = borrowed("03", "encode", "before", "changes", best_device=best_device)
    looked_at, matters = borrowed("03", "looked_at", "matters", vit=vit, side=side, patch=patch, encode=encode)
    rng = np.random.default_rng(seed)
    agreement = []
    for dish in scenes.TRAIN_DISHES[:n(len(scenes.TRAIN_DISHES))]:
        picture = scenes.draw(scenes.random_scene(dish, 2, rng), PIXELS[SIZE])
        views = [looked_at(picture).flatten(), matters(picture).flatten()]
        agreement.append(torch.corrcoef(torch.stack(views))[0, 1].item())

    before, changes["marks elsewhere"] = replace(before, seed=3 + seed), {"seed": 4 + seed}
    (moved,) = borrowed("03", "moved", encode=encode, before=before)
    moves = [{what: moved(encoder, change) for what, change in changes.items()} for encoder in encoders.values()]
    small = ("less light", "more mess", "marks elsewhere")

    plates, probe = borrowed("03", "plates", "probe")
    learn = plates(scenes.TRAIN_DISHES, n(240), seed=4 * seed + 1)
    tests = [plates(scenes.UNSEEN_DISHES, n(120), seed=4 * seed + 3),
             plates(scenes.TRAIN_DISHES, n(120), seed=4 * seed + 4, trap=True)]
    untaught = [load_image_encoder(name, pretrained=False, seed=seed) for name in ("resnet18", "vit")]
    right = []
    for encoder in (*encoders.values(), *untaught):
        answer = probe(encode(encoder, learn[0]), learn[1])
        right.append([accuracy(answer(encode(encoder, pictures)), labels) for pictures, labels in tests])
    return {
        "30 layers without x + f(x): less than a millionth of the gradient is left": -math.log10(gradient(False)) - 6,
        "30 layers with x + f(x): the gradient is still there": gradient(True) - 0.1,
        "what [CLS] looks at and what matters agree by less than one half": 0.5 - np.mean(agreement),
        "mould moves both features most": min(
            move["mouldy"] - max(value for what, value in move.items() if what != "mouldy") for move in moves),
        "light, mess and the marks' places move them less than a quarter as far": min(
            move["mouldy"] / 4 - max(move[what] for what in small) for move in moves),
        "the table moves both more than light": min(move["other table"] - move["less light"] for move in moves),
        "pretrained: above 0.8 on unseen dishes": min(unseen for unseen, _ in right[:2]) - 0.8,
        "pretrained: above 0.8 in the trap": min(trap for _, trap in right[:2]) - 0.8,
        "random: above 0.7 on unseen dishes": min(unseen for unseen, _ in right[2:]) - 0.7,
        "random: below guessing in the trap": 0.5 - max(trap for _, trap in right[2:]),
    }


def notebook_04(seed: int, n: Size) -> Margins:
    model = MultimodalSentimentModel("bert", "resnet18", num_outputs=1, seed=seed)
    (pointing_post,) = borrowed("04", "pointing_post")
    rng = np.random.default_rng(251 + seed)
    sets = [extract_features(model, [pointing_post(rng) for _ in range(n(size))], show_progress=False)
            for size in (600, 200, 400)]
    right = {}
    for hidden in (0, 256):
        head, _ = align(*sets[:2], num_outputs=1, hidden=hidden, epochs=30, seed=seed)
        right[hidden] = accuracy(head_answers(head, sets[2]), sets[2].labels)
    ratio = sets[0].image.norm(dim=1) / sets[0].text.norm(dim=1)
    untrained = head_answers(random_head(model.width, 1, seed=seed), sets[0])[:, 1]
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
        inputs = join(sets[0].text[:4], sets[0].image[:4])
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
    model = MultimodalSentimentModel("bert", "resnet18", num_outputs=1, seed=seed)
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
    model = MultimodalSentimentModel("bert", "resnet18", num_outputs=1, seed=seed)
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
              "validation": first(features("validation", n(500), seed), n(400)),
              "unseen": first(features("unseen", n(600), seed), n(400))}
    training, validation, test = cached["train"], cached["validation"], cached["test"]
    burger, rotten = burger_example(), burger_drawn(-2, 1 + seed)
    three = extract_features(shipped(), [burger, replace(burger, image=rotten, label=0),
                                         replace(burger, text="This burger is nothing like the photo.", label=0)],
                             show_progress=False)
    width = training.fused().shape[1]

    lots = [head_answers(random_head(width, seed=100 * seed + i), test) for i in range(100)]
    accuracies = [accuracy(row, test.labels) for row in lots]
    losses = [metrics.log_loss(row, test.labels) for row in lots]
    favourite = sorted(row.argmax(-1).bincount().max().item() / len(test) for row in lots)
    band = 3 * math.sqrt(1 / 3 * 2 / 3 / len(test))
    guesses = torch.stack([head_answers(random_head(width, seed=4 * seed + i), three)[0] for i in range(4)])

    bare = random_head(width, dropout=0.0, seed=seed)
    optimizer = torch.optim.AdamW(bare.parameters(), lr=2e-3)
    inputs = training.fused()
    for rows in torch.randperm(len(training), generator=torch.Generator().manual_seed(seed)).split(128):
        optimizer.zero_grad()
        loss_of(bare(inputs[rows]), training.labels[rows]).backward()
        optimizer.step()

    def run(training: Features, validation: Features, at: int = seed, **options) -> tuple[nn.Module, list]:
        return align(training, validation, epochs=10, seed=at, **options)

    head, history = run(training, validation)
    kept, after = min(history, key=lambda row: row["loss"]), measure(head, test)
    careless, _ = align(training, training, epochs=30, seed=seed)
    temperatures = [fit_temperature(one, validation) for one in (head, careless)]
    heads: list[nn.Module] = []
    align(training, validation, epochs=24, batch_size=len(training), seed=seed, on_epoch=heads.append)
    slow = torch.stack([head_answers(one, three) for one in heads])  # (epochs, posts, classes)
    leads = torch.tensor([[lead(row, label) for row, label in zip(rows, (2, 0, 0))] for rows in slow])
    settled = [25 - int((column.flip(0) > 0).long().cumprod(0).sum()) for column in leads.T]  # right from here on
    one_step = head_answers(heads[1], validation)
    control, control_history = run(shuffled(training, seed), shuffled(validation, seed))
    others = [measure(run(training, validation, seed + i)[0], test)["accuracy"] for i in range(1, 5)]
    _, low, high = metrics.interval([after["accuracy"], *others])
    one_side = [measure(run(training, validation, modalities=side)[0], test, side)["accuracy"]
                for side in (("text",), ("image",))]
    additive = measure(run(training, validation, hidden=0)[0], test)["accuracy"]
    both, one = after["accuracy"], FoodPosts(1, "test")

    untaught = MultimodalSentimentModel(frozen=True, pretrained=False, seed=seed)
    plain = {split: extract_features(untaught, FoodPosts(min(n(600), len(cached[split])), split, seed=seed),
                                     show_progress=False) for split in ("train", "validation", "unseen")}
    by_lot = measure(run(plain["train"], plain["validation"])[0], plain["unseen"])["accuracy"]
    short = measure(run(first(training, n(600)), validation)[0], cached["unseen"])["accuracy"]
    new = measure(head, cached["unseen"])["accuracy"]
    known, unknown = (head_answers(head, cached[split], temperature=temperatures[0]).max(-1).values.mean().item()
                    for split in ("test", "unseen"))
    by_relation = after["slices"]
    denied = max(lead(row[2], 2) for row in slow[1:])
    return {
        "four random heads on the burger: every bar near one third": 0.15 - (guesses - 1 / 3).abs().max(),
        "100 random heads: mean accuracy between 0.28 and 0.39": within(np.mean(accuracies), 0.28, 0.39),
        "100 random heads: mean loss within 0.1 of ln 3": 0.1 - abs(np.mean(losses) - math.log(3)),
        "more than three of them leave the band of fair guesses": sum(abs(a - 1 / 3) > band for a in accuracies) - 3,
        "a typical one gives one answer to more than half": favourite[50] - 0.5,
        "above 0.5 on the test after one epoch": measure(bare, test)["accuracy"] - 0.5,
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
            shipped().head, test)["slices"]["contradict"] - by_relation["contradict"],
        "fresh burger: positive, with more than 0.7": head_answers(head, three)[0, 2] - 0.7,
        "same words, rotten burger: negative": lead(head_answers(head, three)[1], 0),
        "a random head is not badly calibrated, error below 0.2": 0.2 - measure(
            random_head(width, seed=seed), test)["calibration_error"],
        "the careless head is too sure, temperature above 1": temperatures[1] - 1,
        "the aligned head has less to mend": abs(math.log(temperatures[1])) - abs(math.log(temperatures[0])),
        "calibration error of the aligned head below 0.08": 0.08 - measure(
            head, test, temperature=temperatures[0])["calibration_error"],
        "slow motion: after one step more often right than sure": accuracy(one_step, validation.labels)
        - one_step.max(-1).values.mean(),
        "slow motion: by epoch 12 the two plain burgers are settled": 13 - max(settled[:2]),
        "slow motion: the text that denies its picture goes the wrong way first": denied,
        "slow motion: it takes longest": settled[2] - max(settled[:2]),
        "control on the test at most 0.40": 0.4 - measure(control, test)["accuracy"],
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


def notebook_07(seed: int, n: Size) -> Margins:
    model, levels = shipped(), (-2, -1, 0, 1, 2)
    train_set, validation = features("train", n(2000), seed), features("validation", n(500), seed)
    test = features("test", n(1500), seed, conflict=0.5)
    sides = {"text only": ("text",), "picture only": ("image",), "additive": BOTH, "both": BOTH}
    heads = {name: align(train_set, validation, modalities=sides[name], hidden=0 if name == "additive" else 256,
                         seed=seed)[0] for name in list(sides)[:3]} | {"both": model.head}
    said_by = {name: head_answers(head, test, sides[name]) for name, head in heads.items()}
    slices = {name: slice_accuracy(row, test.labels, test.relations) for name, row in said_by.items()}
    columns = list(slices["both"])
    simple = {relation: max(slices[name][relation] for name in list(sides)[:3]) for relation in ("contradict", "refer")}
    (overall,) = borrowed("07", "overall", slices=slices)
    cleaned, complete = (overall("both", *mixture) - overall("picture only", *mixture)
                         for mixture in ((0.0, ["agree", "soft"]), (0.5, columns)))

    truth = torch.tensor([judge(kind, level)[0] + 1 for kind, level in zip(test.text_kinds, test.picture_levels)])
    won = {name: who_won(row, test.text_kinds, test.picture_levels)
           for name, row in {"the rule": F.one_hot(truth, 3), **said_by}.items()}
    gap = {name: max(abs(won[name][side] - won["the rule"][side]) for side in won[name]) for name in said_by}
    pictures = [burger_drawn(level, 1 + seed) for level in (2, -1, -2)]
    praise = model.predict(["This burger is absolutely fantastic!"], pictures[1:2])[0]
    texts = ["This burger tastes exactly as it looks.", "This burger is nothing like the photo."]
    four = model.predict(2 * texts, [pictures[0], pictures[0], pictures[2], pictures[2]])

    state = list(zip(test.text_kinds, test.picture_levels))
    sarcasm, mirror, opposite = (torch.tensor([wanted(*one) for one in state]) for wanted in (
        lambda kind, level: (kind, level) == (2, -2), lambda kind, level: (kind, level) == (-2, 2),
        lambda kind, level: kind == "opposite"))

    def share(name: str, mask: torch.Tensor, label: int) -> float:
        return (said_by[name][mask].argmax(-1) == label).double().mean().item()

    order = torch.randperm(len(test), generator=torch.Generator().manual_seed(seed))
    worlds = {"picture": replace(test, image=test.image[order]), "text": replace(test, text=test.text[order]),
              "no picture": replace(test, image=train_set.image.mean(0).expand_as(test.image)),
              "no text": replace(test, text=train_set.text.mean(0).expand_as(test.text))}
    lost = {name: {relation: slices["both"][relation] - value for relation, value in slice_accuracy(
        head_answers(model.head, world), test.labels, test.relations).items()} for name, world in worlds.items()}

    mood = head_answers(model.head, test, temperature=model.temperature.item()) @ torch.tensor([-1.0, 0.0, 1.0])
    squares = [(kind, level) for kind in phrases.KINDS for level in levels]
    distance = {square: abs(mood[torch.tensor([one == square for one in state])].mean().item() - judge(*square)[0])
                for square in squares}
    shares = {(row.text_kind, row.picture_level): row.share for row in post_table(0.2)}
    worst = sorted(squares, key=distance.get)[-6:]

    said = said_by["both"].argmax(-1)
    own, spoiled = said != truth, test.labels != truth
    read, misread = {}, {}
    for side, names, field in (("text", phrases.KINDS, "text_kinds"), ("image", levels, "picture_levels")):
        sets = [replace(part, labels=torch.tensor([names.index(value) for value in getattr(part, field)]))
                for part in (train_set, validation, test)]
        probe, _ = align(*sets[:2], modalities=(side,), num_outputs=len(names), seed=seed)
        read[side] = head_answers(probe, sets[2], (side,)).argmax(-1)
        misread[side] = (read[side] != sets[2].labels).double()
    by_rule = torch.tensor([judge(phrases.KINDS[kind], levels[level])[0] + 1
                            for kind, level in zip(read["text"], read["image"])])
    two_steps = slice_accuracy(F.one_hot(by_rule, 3), test.labels, test.relations)
    return {
        "contradictions: both is ahead of the best simple reader": slices["both"]["contradict"] - simple["contradict"],
        "referring texts: both is ahead of the best simple reader": slices["both"]["refer"] - simple["refer"],
        "one side alone on contradictions, below 0.5": 0.5 - max(
            slices["text only"]["contradict"], slices["picture only"]["contradict"]),
        "the lead over picture only is larger with conflict": complete - cleaned,
        "closest to the rule: both": min(gap[name] for name in list(sides)[:3]) - gap["both"],
        "each one-sided reader leans to its own side": min(
            won[f"{side} only"][side] - won["the rule"][side] for side in ("text", "picture")),
        "another burger: praise wins over a mildly bad picture": lead(praise, 2),
        "sarcasm read as negative, above 0.6": share("both", sarcasm, 0) - 0.6,
        "its mirror read as neutral, above 0.6": share("both", mirror, 1) - 0.6,
        "there, ahead of the additive head": share("both", mirror, 1) - share("additive", mirror, 1),
        "the additive head finds more than half of the sarcasm": share("additive", sarcasm, 0) - 0.5,
        "another burger: 'as it looks' and 'nothing like the photo', four times right": min(
            lead(row, label) for row, label in zip(four, (2, 0, 0, 2))),
        "'opposite' texts: both ahead of additive by more than 0.1": (
            accuracy(said_by["both"][opposite], test.labels[opposite])
            - accuracy(said_by["additive"][opposite], test.labels[opposite]) - 0.1),
        "every removal hurts on every slice": min(value for row in lost.values() for value in row.values()),
        "on the rule's side in at least 28 of 35 squares": sum(value < 0.5 for value in distance.values()) - 27,
        "it follows the rule, not the spoiled label, on most of them": accuracy(
            said_by["both"][spoiled], truth[spoiled]) - 0.5,
        "the text is misread more often than the picture": (misread["text"] - misread["image"]).mean(),
        "more often still where the model is wrong": misread["text"][own].mean() - misread["text"].mean(),
        "few texts are misread, yet a large part of the mistakes": min(
            0.15 - misread["text"].mean(), misread["text"][own].mean() - 0.25),
        "within 0.06 of probes and rule on every slice": 0.06 - max(
            two_steps[relation] - slices["both"][relation] for relation in columns),
        "the six worst squares are rarer on average": 1 / 35 - np.mean([shares[square] for square in worst]),
    }


def notebook_08(seed: int, n: Size) -> Margins:
    model = shipped()
    every_kind = first(features("train", n(2000), seed), n(128))
    dishes = [FoodPosts(32, seed=seed, pixels=16)[i].dish for i in range(32)]
    neutral = extract_features(model, [make_post(0, 0, dish, 32 * seed + i) for i, dish in enumerate(dishes)],
                               show_progress=False)
    (alone,) = borrowed("08", "alone", model=model, probabilities_of=probabilities_of)
    validation = first(features("validation", n(500), seed), n(400))
    contradicts = torch.tensor([relation == "contradict" for relation in validation.relations])
    right, found, justified = {}, {}, {}
    for name, reference in (("every kind", every_kind), ("neutral", neutral)):
        by_side = alone(validation, reference)
        right[name] = [accuracy(side, validation.labels) for side in by_side]
        text_says, picture_says = (side.argmax(-1) - 1 for side in by_side)
        warned = text_says * picture_says == -1
        found[name] = ((warned & contradicts).sum() / contradicts.sum()).item()
        justified[name] = ((warned & contradicts).sum() / warned.sum()).item()
    best = [FoodPosts(1).ceiling(side) for side in ("text", "image")]
    return {
        "neutral references: both sides within 0.1 of the best possible": min(
            value - limit + 0.1 for value, limit in zip(right["neutral"], best)),
        "the picture alone is near its ceiling either way": 0.1 - max(abs(row[1] - best[1]) for row in right.values()),
        "more than 8 of 10 contradictions are found": found["neutral"] - 0.8,
        "more than 8 of 10 warnings are justified": justified["neutral"] - 0.8,
        "with references of every kind far fewer are": justified["neutral"] - justified["every kind"] - 0.15,
        "with them nearly every second warning is false": within(justified["every kind"], 0.4, 0.7),
    }


GROUPS = {name[-2:]: function for name, function in list(globals().items()) if name.startswith("notebook_")}

# --- running them ---


def measured(numbers: list[str], seeds: int, part: float = 1.0, show_progress: bool = True,
             kept: Path | None = None) -> dict[str, dict]:
    """Notebook → claim → its margin for each seed, written into a file after each seed if one is `kept`.

    `part` of the posts are drawn: less than 1 is for a quick look.
    """
    margins: dict[str, dict] = {number: {} for number in numbers}
    jobs = [(seed, number) for seed in range(seeds) for number in numbers]
    for seed, number in progress(jobs, "claims", show_progress):
        for claim, margin in GROUPS[number](seed, lambda posts: min(posts, max(24, round(part * posts)))).items():
            margins[number].setdefault(claim, []).append(float(margin))
        if kept and number == numbers[-1]:
            kept.write_text(json.dumps(margins, indent=1) + "\n", encoding="utf8")
    return margins


def table(margins: dict[str, dict]) -> str:
    """The claims as a table in Markdown; a margin that is not a number counts as a claim that does not hold."""
    lines = ["| notebook | claim | holds in | worst margin |", "|---|---|---|---|"]
    for number, claims in margins.items():
        for claim, row in claims.items():
            holds = sum(margin > 0 for margin in row)
            lines.append(f"| {number} | {claim} | {holds} of {len(row)} | {min(row):.3g} |")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20, help="how many, from 0 on")
    parser.add_argument("--only", choices=sorted(GROUPS), help="one notebook")
    parser.add_argument("--json", type=Path, help="write every margin into this file")
    options = parser.parse_args(arguments)
    margins = measured([options.only] if options.only else sorted(GROUPS), options.seeds, kept=options.json)
    print(table(margins))
    rows = [row for claims in margins.values() for row in claims.values()]
    kept = sum(all(margin > 0 for margin in row) for row in rows)
    print(f"\n{kept} of {len(rows)} claims hold with every one of {options.seeds} seeds")
    return int(kept < len(rows))


if __name__ == "__main__":
    leave(main, "with --json, the seeds that are done are in its file")
