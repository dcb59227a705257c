"""Answers to the exercises of notebook 13, right ones in several styles and wrong ones, for test_checks."""

from functools import cache
from itertools import permutations

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment

from mmsa_utils import case_of, looked_at, suspect

NAMES = ("padding", "company", "twice", "ignored", "word_order", "missing", "attention", "gradients")


# --- 13.1 line_up ---


@cache  # to look at a suspect takes a fifth of a second, and many answers begin with it
def found(number):
    model, batch = suspect(number)
    case = case_of(model, [batch])
    return [looked_at(name, case) for name in NAMES]


def ill(number):
    return [finding for finding in found(number) if finding.verdict == "ill"]


def first_in_line(number):
    for finding in found(number):
        if finding.verdict == "ill":
            return finding.check
    return "nothing"


def first_of_list(number):
    return [*[finding.check for finding in ill(number)], "nothing"][0]


def first_by_place(number):
    places = {finding.check: NAMES.index(finding.check) for finding in ill(number)}
    return min(places, key=places.get) if places else "nothing"


def by_number(sign):
    return lambda number: max(ill(number), key=lambda finding: sign * finding.number).check if ill(
        number) else "nothing"


def first_with(*verdicts):
    return lambda number: next((finding.check for finding in found(number) if finding.verdict in verdicts), "nothing")


# --- 13.2 padding_moves ---


def moves(behind=True, real=0, by=8, seen=lambda z: z, told=lambda d: d.abs().max().item(),
          unit=lambda z: z.std(0).max().item(), mode=False):
    def answer(number):
        model, batch = suspect(number)
        model.train(mode)
        ids, mask = batch["input_ids"], batch["attention_mask"]
        pads = torch.zeros(len(ids), by, dtype=ids.dtype)
        both = [[ids, pads], [mask, pads + real]]
        longer = [torch.cat(parts if behind else parts[::-1], 1) for parts in both]
        before = seen(model(**batch).detach())
        after = seen(model(longer[0], longer[1], batch["pixel_values"]).detach())
        return told(after - before) / unit(before)
    return answer


def in_columns(number):
    return moves(told=lambda d: d.abs().amax(0), unit=lambda z: z.std(0))(number).max()


def moves_in_numpy(number):
    model, batch = suspect(number)
    model = model.eval().requires_grad_(False)
    before = model(**batch).numpy()
    batch["input_ids"] = torch.nn.functional.pad(batch["input_ids"], (0, 8))
    batch["attention_mask"] = torch.nn.functional.pad(batch["attention_mask"], (0, 8))
    return np.abs(model(**batch).numpy() - before).max() / before.std(0, ddof=1).max()


@torch.no_grad()
def moves_post_by_post(number):
    model, batch = suspect(number)
    model.eval()
    logits, worst = model(**batch), 0
    for i in range(16):
        ids, mask, pixels = (x[i:i + 1] for x in batch.values())
        nothing = torch.zeros(1, 8, dtype=torch.long)
        after = model(torch.cat([ids, nothing], 1), torch.cat([mask, nothing], 1), pixels)
        worst = max(worst, max((after[0] - logits[i]).abs().tolist()))
    return torch.tensor(worst) / max(column.std() for column in logits.T)


# --- 13.3 renaming ---


def renamed_by_all(table):
    k = len(table)
    best = max(permutations(range(k)), key=lambda labels: sum(table[label, said] for said, label in enumerate(labels)))
    return list(best), (sum(table[label, said] for said, label in enumerate(best)) - np.trace(table)) / table.sum()


def renamed_by_scipy(table):
    said, label = linear_sum_assignment(table.T, maximize=True)
    return label, table.T[said, label].sum() / table.sum() - table.diagonal().sum() / table.sum()


def renamed_in_torch(table):
    table = torch.as_tensor(table).double()
    orders = torch.tensor(list(permutations(range(len(table)))))
    right = table.gather(0, orders).sum(1) / table.sum()
    place = right.argmax()
    return orders[place], right[place] - table.trace() / table.sum()


def score(table, labels):
    return table[labels, range(len(table))].sum() / table.sum()


def renamed(labels_of):
    def answer(table):
        labels = list(labels_of(table))
        return labels, score(table, labels) - score(table, list(range(len(table))))
    return answer


def greedy(table):
    left, labels = table.astype(float), {}
    while len(labels) < len(table):
        label, said = divmod(int(left.argmax()), len(table))
        labels[said] = label
        left[label] = left[:, said] = -np.inf
    return [labels[said] for said in range(len(table))]


def best_exchange(table):
    tried = [list(range(len(table)))]
    for i in range(len(table)):
        for j in range(i):
            labels = list(range(len(table)))
            labels[i], labels[j] = j, i
            tried.append(labels)
    return max(tried, key=lambda labels: score(table, labels))


def best_shift(table):
    k = len(table)
    return max((np.roll(np.arange(k), by) for by in range(k)), key=lambda labels: score(table, labels))


def second(change):
    def answer(table):
        labels, gain = renamed_by_all(table)
        return labels, change(gain, score(table, list(range(len(table)))), table.sum())
    return answer


# --- 13.4 ignored_sides ---

TEXT, IMAGE = ("input_ids", "attention_mask"), ("pixel_values",)


def exchanged(x):
    return [x.roll(by, 0) for by in (1, 3, 8)]


def sides(made=exchanged, seen=lambda z: z, heard=lambda change, z: change.max() > 1e-6 * z.abs().max(),
          tried=(("text", TEXT), ("image", IMAGE)), mode=False):
    def answer(number):
        model, batch = suspect(number)
        model.train(mode)
        before, gone = seen(model(**batch).detach()), []
        for side, names in tried:
            others = zip(*(made(batch[name]) for name in names))
            changes = [(seen(model(**{**batch, **dict(zip(names, other))}).detach()) - before).abs()
                       for other in others]
            if not heard(torch.stack(changes), before):
                gone.append(side)
        return gone
    return answer


def ignored_by_drawing(number):
    model, batch = suspect(number)
    model = model.eval().double()
    generator = torch.Generator().manual_seed(number)
    batch["pixel_values"] = batch["pixel_values"].double()
    with torch.no_grad():
        logits = model(**batch).numpy()
        pixels = torch.randn(16, 3, 8, 8, generator=generator).double()
        words = torch.randint(1, 40, batch["input_ids"].shape, generator=generator) * batch["attention_mask"]
        others = {"image": model(**{**batch, "pixel_values": pixels}), "text": model(**{**batch, "input_ids": words})}
    return [side for side, other in others.items() if np.abs(other.numpy() - logits).max() < 1e-6 * np.abs(
        logits).max()]


def ignored_post_by_post(number):
    model, batch = suspect(number)
    model.eval()
    logits = model(**batch).detach()
    heard = set()
    for post in range(16):
        for names, side in ((TEXT, "text"), (IMAGE, "image")):
            all_of_one = {name: batch[name][[post] * 16] for name in names}
            if (model(**{**batch, **all_of_one}) - logits).abs().max() / logits.abs().max() > 1e-6:
                heard.add(side)
    return tuple({"text", "image"} - heard)


RIGHT = {
    "line_up": [first_in_line, first_of_list, first_by_place],
    "padding_moves": [moves(), moves_in_numpy, moves_post_by_post],
    "renaming": [renamed_by_all, renamed_by_scipy, renamed_in_torch],
    "ignored_sides": [sides(), ignored_by_drawing, ignored_post_by_post],
}
WRONG = {
    "line_up": [
        (lambda number: [*ill(number)][-1].check if ill(number) else "nothing", "the last check"),
        (by_number(1), "the largest number"), (by_number(-1), "the smallest number"),
        (first_with("ill", "not asked"), "take 'not asked' for ill"), (first_with("not asked"), "was not asked. That"),
        (first_with("sound"), "a check that is content"), (lambda number: "nothing", "Nobody is ever guilty"),
        (lambda number: "padding" if found(number)[0].verdict == "ill" else "nothing", "Only the first of"),
        (lambda number: "gradients" if found(number)[-1].verdict == "ill" else "nothing", "at gradients, and at"),
        (lambda number: [finding.check for finding in ill(number)], "got a list"),
        (lambda number: first_in_line(number).replace("nothing", "sound"), "Yours gives 'sound'"),
        (lambda number: "attention" if ill(number) else "nothing", "not what the task asks for")],
    "padding_moves": [
        (moves(real=1), "calls your padding real"), (moves(mode=True), "gives two numbers"),
        (moves(behind=False), "in front"), (moves(by=0), "no padding in the second batch"),
        (moves(unit=lambda z: 1), "as it is"), (moves(unit=lambda z: z.abs().max()), "divide by the largest logit"),
        (moves(told=lambda d: d.abs().mean()), "the mean change"), (moves(told=lambda d: d.max()), "upwards"),
        (moves(seen=lambda z: z.softmax(1), unit=lambda z: z.std(0).max() + 1e-12), "changes of probabilities"),
        (moves(seen=lambda z: z.argmax(1), told=lambda d: d.ne(0).float().mean(), unit=lambda z: 1), "another class"),
        (moves(told=lambda d: d.pow(2).max()), "squared"), (moves(told=lambda d: d.abs().sum()), "You sum"),
        (moves(unit=lambda z: z.std()), "all logits together"),
        (moves(unit=lambda z: z.std(0).mean()), "the mean of the three spreads"),
        (moves(unit=lambda z: z.std(0).min()), "the smallest of the three spreads"),
        (moves(unit=lambda z: z.std(1).max()), "over the classes of a post"),
        (in_columns, "by its own spread"),
        (moves(unit=lambda z: z.std(0, unbiased=False).max()), "n under its sum of squares"),
        (moves(told=lambda d: d.abs().mean(0).max()), "as a mean over the posts first"),
        (moves(told=lambda d: d.abs()), "Expected one number"), (moves(by=3), "not what the task asks for")],
    "renaming": [
        (lambda table: (np.argsort(renamed_by_all(table)[0]), renamed_by_all(table)[1]), "the way back"),
        (renamed(lambda table: table.argmax(0)), "commonest where it is answered"),
        (renamed(lambda table: table.argmax(1)), "its own commonest answer"), (renamed(greedy), "the largest cell"),
        (renamed(best_exchange), "in a circle"),
        (renamed(lambda table: max([list(range(len(table))), list(range(len(table)))[::-1]],
                                   key=lambda labels: score(table, labels))), "turn the order round"),
        (renamed(best_shift), "shift all classes"), (lambda table: (list(range(len(table))), 0.0), "keep their names"),
        (renamed(lambda table: min(permutations(range(len(table))), key=lambda x: score(table, list(x)))), "the worst"),
        (second(lambda gain, old, n: gain + old), "the accuracy after"), (second(lambda gain, old, n: -gain), "sign"),
        (second(lambda gain, old, n: gain * n), "a count"), (second(lambda gain, old, n: 100 * gain), "per cent"),
        (second(lambda gain, old, n: gain / old), "a share of the old"),
        (lambda table: ([x + 1 for x in renamed_by_all(table)[0]], renamed_by_all(table)[1]), "from 1"),
        (lambda table: renamed_by_all(table)[0], "Expected the labels of the classes"),
        (second(lambda gain, old, n: gain ** 2), "not what the task asks for")],
    "ignored_sides": [
        (sides(tried=[("image", IMAGE)]), "nothing but the"), (sides(mode=True), "finds no mistake in any suspect"),
        (sides(tried=[("text", TEXT)]), "takes the text twice"), (sides(lambda x: [x * 0]), "only notices"),
        (sides(heard=lambda change, z: change.any()), "not equal is not yet moved"),
        (sides(seen=lambda z: z.argmax(1)), "the same class to all posts"),
        (sides(seen=lambda z: z.softmax(1)), "so certain"),
        (sides(heard=lambda change, z: change.max() > 1e-6), "logits are all tiny"),
        (sides(heard=lambda change, z: change[:, 0].max() > 1e-6 * z.abs().max()), "where the text is long"),
        (sides(lambda x: [x.flip(0), x.roll(8, 0)]), "every picture several times"),
        (sides(heard=lambda change, z: change.max() > 1e-3 * z.abs().max()), "a part in ten thousand"),
        (lambda number: [side for side in ("text", "image") if side not in sides()(number)], "that are heard"),
        (lambda number: ["text", "image"], "names both sides of every suspect"),
        (lambda number: bool(sides()(number)), "Expected a list"),
        (lambda number: ["pixel_values"], "names 'pixel_values'")],
}
