"""What notebooks 07 and 08 claim: conflict, the dashboard."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from claims_common import (
    Margins,
    Size,
    aligned,
    borrowed,
    burger_drawn,
    features,
    lead,
    shipped,
    within,
)
from torch.nn import functional as F

from mmsa_utils import (
    Encoded,
    FoodPosts,
    accuracy,
    extract_features,
    head_answers,
    judge,
    make_post,
    phrases,
    post_table,
    slice_accuracy,
    who_won,
)


def notebook_07(seed: int, n: Size) -> Margins:
    model, levels = shipped(), (-2, -1, 0, 1, 2)
    train_set, validation = features("train", n(2000), seed), features("validation", n(500), seed)
    test = features("test", n(1500), seed, conflict=0.5)
    simple_ones = {"text only": {"sides": ("text",)}, "picture only": {"sides": ("image",)}, "additive": {"hidden": 0}}
    heads = {name: aligned(train_set, validation, seed=seed, **options)[:2] for name, options in simple_ones.items()}
    heads["both"] = (model.fusion, model.head)
    said_by = {name: head_answers(*pair, test) for name, pair in heads.items()}
    slices = {name: slice_accuracy(row, test.labels, test.relations) for name, row in said_by.items()}
    columns = list(slices["both"])
    simple = {relation: max(slices[name][relation] for name in simple_ones) for relation in ("contradict", "refer")}
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
    lost = []
    for side in test.sides:
        seen, usual = test.sides[side].pooled, train_set.sides[side].pooled.mean(0)
        for other in (seen[order], usual.expand_as(seen)):  # shuffled, dropped
            world = replace(test, sides={**test.sides, side: Encoded.of(other)})
            found = slice_accuracy(head_answers(*heads["both"], world), test.labels, test.relations)
            lost += [slices["both"][relation] - value for relation, value in found.items()]

    mood = head_answers(*heads["both"], test, temperature=model.temperature.item()) @ torch.tensor([-1.0, 0.0, 1.0])
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
        fusion, probe, _ = aligned(*sets[:2], sides=(side,), num_outputs=len(names), seed=seed)
        read[side] = head_answers(fusion, probe, sets[2]).argmax(-1)
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
        "closest to the rule: both": min(gap[name] for name in simple_ones) - gap["both"],
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
        "every removal hurts on every slice": min(lost),
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
    every_kind = features("train", n(2000), seed)[:n(128)]
    dishes = [FoodPosts(32, seed=seed, pixels=16)[i].dish for i in range(32)]
    neutral = extract_features(model, [make_post(0, 0, dish, 32 * seed + i) for i, dish in enumerate(dishes)],
                               show_progress=False)
    (alone,) = borrowed("08", "alone", model=model)
    validation = features("validation", n(500), seed)[:n(400)]
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
