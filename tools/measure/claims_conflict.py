"""What notebooks 07 and 08 claim: conflict, the dashboard."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from claims_common import (
    SIZE,
    Margins,
    Size,
    aligned,
    borrowed,
    features,
    lead,
    shipped,
    within,
)
from scipy.stats import spearmanr
from torch.nn import functional as F

from mmsa_utils import (
    PIXELS,
    Encoded,
    FoodPosts,
    accuracy,
    extract_features,
    head_answers,
    judge,
    make_post,
    phrases,
    post_table,
    scenes,
    slice_accuracy,
    who_won,
)

LEVELS = (-2, -1, 0, 1, 2)
GROUPS = ("agree", "soft", "contradict", "same", "opposite")


def notebook_07(seed: int, n: Size, *, posts: int = 4000, conflict: float = 0.5, hidden: int = 256, rate: float = 2e-3,
                dish: str = "burger", near: float = 0.5, weight_decay: float = 0.01) -> Margins:
    model = shipped()
    train_set, validation = features("train", n(posts), seed), features("validation", n(500), seed)
    test = features("test", n(1500), seed, conflict)
    options = {"seed": seed, "lr": rate, "weight_decay": weight_decay}
    readers = {"text only": {"sides": ("text",), "hidden": hidden},
               "picture only": {"sides": ("image",), "hidden": hidden},
               "additive": {"hidden": 0}, "both": {"hidden": hidden}}
    said_by = {"always neutral": F.one_hot(torch.ones_like(test.labels), 3).float()}
    said_by |= {name: head_answers(*aligned(train_set, validation, **reader, **options)[:2], test)
                for name, reader in readers.items()}
    said_by["shipped"] = head_answers(model.fusion, model.head, test)
    kinds, levels = np.array(test.text_kinds, dtype=object), np.array(test.picture_levels)
    groups = np.array([kind if relation == "refer" else relation for relation, kind in zip(test.relations, kinds)])

    def by_group(probabilities: torch.Tensor) -> dict[str, float]:
        right = (probabilities.argmax(-1) == test.labels).numpy()
        return {name: float(right[groups == name].mean()) for name in GROUPS}

    table = {name: by_group(said) for name, said in said_by.items()}
    simple = ("always neutral", "text only", "picture only", "additive")
    few = {name: by_group(head_answers(*aligned(train_set[:n(posts // 4)], validation, **readers[name], **options)[:2],
                                       test))["contradict"] for name in ("additive", "both")}
    gained = {name: table[name]["contradict"] - few[name] for name in few}
    slices = {name: slice_accuracy(row, test.labels, test.relations) for name, row in said_by.items()}
    overall, as_given = borrowed("07", "overall", "as_given", slices=slices)
    cleaned, complete = (overall("both", *mixture) - overall("picture only", *mixture)
                         for mixture in ((0.0, ["agree", "soft"]), (0.5, list(slices["both"]))))

    truth = torch.tensor([judge(kind, level)[0] + 1 for kind, level in zip(kinds, levels)])
    won = {name: who_won(row, kinds, levels) for name, row in {"the rule": F.one_hot(truth, 3), **said_by}.items()}
    lean = {name: winner["picture"] - winner["text"] for name, winner in won.items()}
    pictures = [scenes.draw(scenes.random_scene(dish, level, np.random.default_rng(1 + seed)), PIXELS[SIZE])
                for level in (2, -1, -2)]
    praise = model.predict([f"This {dish} is absolutely fantastic!"], pictures[1:2])[0]
    texts = [f"This {dish} tastes exactly as it looks.", f"This {dish} is nothing like the photo."]
    four = model.predict(2 * texts, [pictures[0], pictures[0], pictures[2], pictures[2]])

    sarcasm, mirror = (torch.tensor([(kind, level) == state for kind, level in zip(kinds, levels)])
                       for state in ((2, -2), (-2, 2)))

    def share(name: str, mask: torch.Tensor, label: int) -> float:
        return (said_by[name][mask].argmax(-1) == label).double().mean().item()

    order = torch.randperm(len(test), generator=torch.Generator().manual_seed(seed))
    dealt = {"image": zip(kinds, levels[order.numpy()]), "text": zip(kinds[order.numpy()], levels)}
    lost, apart = [], []
    for side in test.sides:
        seen, usual = test.sides[side].pooled, train_set.sides[side].pooled.mean(0)
        by_rule = F.one_hot(torch.tensor([judge(*state)[0] + 1 for state in dealt[side]]), 3)
        worlds = [by_group(head_answers(model.fusion, model.head,
                                        replace(test, sides={**test.sides, side: Encoded.of(other)})))
                  for other in (seen[order], usual.expand_as(seen))]
        lost += [table["shipped"]["contradict"] - world["contradict"] for world in worlds]
        apart += [abs(value - by_group(by_rule)[name]) for name, value in worlds[0].items()]

    mood = head_answers(model.fusion, model.head, test, temperature=model.temperature.item()) @ torch.tensor(
        [-1.0, 0.0, 1.0])
    squares = [(kind, level) for kind in phrases.KINDS for level in LEVELS]
    distance = {square: abs(mood[torch.tensor([one == square for one in zip(kinds, levels)])].mean().item()
                            - judge(*square)[0]) for square in squares}

    said = said_by["shipped"].argmax(-1)
    own, spoiled, two_sided = said != truth, test.labels != truth, torch.tensor(test.two_sided)
    read, misread = {}, {}
    for side, names, field in (("text", phrases.KINDS, "text_kinds"), ("image", LEVELS, "picture_levels")):
        sets = [replace(part, labels=torch.tensor([names.index(value) for value in getattr(part, field)]))
                for part in (train_set, validation, test)]
        fusion, probe, _ = aligned(*sets[:2], sides=(side,), num_outputs=len(names), hidden=hidden, **options)
        read[side] = head_answers(fusion, probe, sets[2]).argmax(-1)
        misread[side] = (read[side] != sets[2].labels).double()
    told = {}
    for name, known in (("with", phrases.KINDS), ("without", phrases.KINDS[:-1])):
        sets = [as_given(part[torch.tensor([kind in known for kind in part.text_kinds])])
                for part in (train_set, validation)]
        adding = aligned(*sets, hidden=0, seed=seed, epochs=60, lr=0.02)[:2]
        told[name] = by_group(head_answers(*adding, as_given(test)))["contradict"]
    often = features("train", n(posts // 2), seed, conflict=0.5)
    half, frequent = (by_group(head_answers(*aligned(sample, validation, hidden=hidden, **options)[:2], test))
                      for sample in (train_set[:len(often)], often))
    shares = {(state.text_kind, state.picture_level): state.share for state in post_table(0.2)}
    two_steps = torch.tensor([judge(phrases.KINDS[kind], LEVELS[level])[0] + 1
                              for kind, level in zip(read["text"].tolist(), read["image"].tolist())])
    return {
        "contradictions: both is ahead of always neutral and the three simple readers":
            table["both"]["contradict"] - max(table[name]["contradict"] for name in simple),
        "'opposite' texts: both ahead of them by more than 0.1":
            table["both"]["opposite"] - max(table[name]["opposite"] for name in simple) - 0.1,
        "contradictions: always neutral is ahead of both readers of one side":
            table["always neutral"]["contradict"] - max(table[name]["contradict"] for name in simple[1:3]),
        "and less than 0.1 behind the additive head":
            table["always neutral"]["contradict"] - table["additive"]["contradict"] + 0.1,
        "'opposite' texts: the picture alone within 0.1 of always neutral":
            0.1 - abs(table["picture only"]["opposite"] - table["always neutral"]["opposite"]),
        "both is ahead of always neutral in every group": min(
            table["both"][name] - table["always neutral"][name] for name in GROUPS),
        "on 'same' the picture alone is ahead of both": table["picture only"]["same"] - table["both"]["same"],
        "four times the posts help both on contradictions": gained["both"],
        "and help it more than the additive head": gained["both"] - gained["additive"],
        "the lead over picture only is more than twice as large with conflict": complete - 2 * cleaned,
        "each one-sided reader leans to its own side": min(
            won[f"{side} only"][side] - won["the rule"][side] for side in ("text", "picture")),
        "the additive head leans to the picture, beyond the rule": lean["additive"] - lean["the rule"] - 0.05,
        "and so does both": lean["both"] - lean["the rule"] - 0.05,
        "shipped less so than either": min(lean["additive"], lean["both"]) - lean["shipped"],
        "another dish: praise wins over a mildly bad picture": lead(praise, 2),
        "shipped: sarcasm read as negative, above 0.6": share("shipped", sarcasm, 0) - 0.6,
        "its mirror read as neutral, above 0.6": share("shipped", mirror, 1) - 0.6,
        "the additive head finds more than half of the sarcasm": share("additive", sarcasm, 0) - 0.5,
        "on the mirror both is ahead of the additive head": share("both", mirror, 1) - share("additive", mirror, 1),
        "another dish: 'as it looks' and 'nothing like the photo', four times right": min(
            lead(row, label) for row, label in zip(four, (2, 0, 0, 2))),
        "every removal hurts on contradictions": min(lost),
        "after a shuffle the model is within 0.15 of the rule, in every group": 0.15 - max(apart),
        "on the rule's side in at least 28 of 35 squares": sum(value < near for value in distance.values()) - 27,
        "it follows the rule, not the spoiled label, on most of them": accuracy(
            said_by["shipped"][spoiled], truth[spoiled]) - 0.5,
        "the text is misread more often than the picture": (misread["text"] - misread["image"]).mean(),
        "more often still where the model is wrong": misread["text"][own].mean() - misread["text"].mean(),
        "two-sided texts are misread about as often as others, within 0.06": 0.06 - abs(
            misread["text"][two_sided].mean() - misread["text"][~two_sided].mean()),
        "told kind and level, the additive head gets more contradictions right":
            told["with"] - table["additive"]["contradict"],
        "without 'opposite' in its training more still": told["without"] - told["with"],
        "the rarer a square in training, the wider its gap": -spearmanr(
            [shares[square] for square in squares], [distance[square] for square in squares],
            nan_policy="omit").statistic,
        "as many posts with frequent contradictions help on these": frequent["contradict"] - half["contradict"],
        "and agreeing posts, now rarer, pay": half["agree"] - frequent["agree"],
        "with the same posts, probes and rule make fewer mistakes than both": (
            accuracy(F.one_hot(two_steps, 3), truth) - accuracy(said_by["both"], truth)),
    }


def notebook_08(seed: int, n: Size, *, references: int = 32, posts: int = 400, wanted: float = 0.97,
                fresh: int = 600) -> Margins:
    model = shipped()
    every_kind = features("train", n(2000), seed)[:n(128)]
    dishes = [FoodPosts(references, seed=seed, pixels=16)[i].dish for i in range(references)]
    neutral = extract_features(model, [make_post(0, 0, dish, references * seed + i) for i, dish in enumerate(dishes)],
                               show_progress=False)
    (alone,) = borrowed("08", "alone", model=model)
    validation = features("validation", n(max(500, posts)), seed)[:n(posts)]
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

    confidence, correct = {}, {}
    for name, sample in (("validation", validation), ("test", features("test", n(fresh), seed)),
                         ("unseen", features("unseen", n(fresh), seed))):
        said = head_answers(model.fusion, model.head, sample, temperature=model.temperature.item())
        confidence[name], answer = (part.numpy() for part in said.max(-1))
        correct[name] = answer == sample.labels.numpy()
    known, good = confidence["validation"], correct["validation"]
    threshold = min((limit for limit in known if good[known >= limit].mean() >= wanted), default=known.max())
    kept = {name: row >= threshold for name, row in confidence.items()}
    gain = {name: correct[name][kept[name]].mean() - correct[name].mean() for name in ("test", "unseen")}
    half = {name: correct[name][np.argsort(-confidence[name])[:len(correct[name]) // 2]].mean() - correct[name].mean()
            for name in gain}
    return {
        "neutral references: both sides within 0.1 of the best possible": min(
            value - limit + 0.1 for value, limit in zip(right["neutral"], best)),
        "the picture alone is near its ceiling either way": 0.1 - max(abs(row[1] - best[1]) for row in right.values()),
        "more than 8 of 10 contradictions are found": found["neutral"] - 0.8,
        "more than 8 of 10 warnings are justified": justified["neutral"] - 0.8,
        "with references of every kind far fewer are": justified["neutral"] - justified["every kind"] - 0.15,
        "with them nearly every second warning is false": within(justified["every kind"], 0.4, 0.7),
        "silent below the threshold, it is right more often on test": gain["test"],
        "and on unseen": gain["unseen"],
        "at half coverage it is right more often than at full, on both": min(half.values()),
        "of unseen posts fewer are answered than of test posts": kept["test"].mean() - kept["unseen"].mean(),
    }
