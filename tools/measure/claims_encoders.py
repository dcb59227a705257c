"""What notebooks 00 to 03 claim: a first look, posts, texts, pictures."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import torch
from claims_common import (
    SIZE,
    Margins,
    Size,
    borrowed,
    burger_drawn,
    features,
    kinds_and_texts,
    lead,
    shipped,
    within,
)

from mmsa_utils import (
    PIXELS,
    FoodPosts,
    SyntheticDataset,
    accuracy,
    burger_example,
    ceiling,
    judge,
    load_image_encoder,
    load_text_encoder,
    measure,
    phrases,
    post_table,
    scenes,
)


def notebook_00(seed: int, n: Size) -> Margins:
    model, burger, awful = shipped(), burger_example(), burger_drawn(-2, 5 + seed)
    right = {split: measure(model.fusion, model.head, features(split, n(600), seed))["accuracy"]
             for split in ("test", "unseen")}
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
    table, shares = post_table(0.2), (0.2, 0.4, 0.8)
    lost = [ceiling(table, known) - ceiling(table, bag, 0, share) for share in shares
            for known, bag in (("text", "text_any_order"), ("both", "any_order"))]
    open_bags = [1 - ceiling(post_table(1), "any_order", 0, share) for share in shares]
    return {
        "the best of 12,288 readers of noise lies outside the band of luck": right.max() - 0.598,
        "on new noise it is back at one half (three standard errors)": 0.0475 - abs(on_new - 0.5),
        "a few labels are slips: some, and fewer than 5 in 100": within(slips, 0, 0.05),
        "no validation or test text is a training text": 1 - again,
        "a figure from 1,000 posts lies within 0.06 of its ceiling": 0.06 - abs(wobble),
        "without the order readers lose 0.02 and more, at 0.2, 0.4 or 0.8 of two-sided texts": min(lost) - 0.02,
        "at conflict 1 the picture says the order, at 0.2, 0.4 or 0.8 of them": 1e-9 - max(open_bags),
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

    encode, before, changes = borrowed("03", "encode", "before", "changes")
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
