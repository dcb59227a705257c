"""What notebooks 00 to 03 claim: a first look, posts, texts, pictures."""

from __future__ import annotations

import copy
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from claims_common import (
    SIZE,
    Margins,
    Size,
    borrowed,
    features,
    kinds_and_texts,
    lead,
    shipped,
    within,
)
from PIL import Image
from torch.nn import functional as F
from transformers import AutoModelForMaskedLM

from mmsa_utils import (
    PIXELS,
    Encoded,
    Features,
    FoodPosts,
    SyntheticDataset,
    accuracy,
    ceiling,
    head_answers,
    judge,
    load_image_encoder,
    load_text_encoder,
    measure,
    phrases,
    post_table,
    scenes,
)
from mmsa_utils.encoders.loading import quiet


def with_texts(read: Features, texts: list[str]) -> Features:
    """The same posts with other texts, as the model that ships encodes them."""
    encoder = shipped().encoders["text"].eval()
    with torch.no_grad():
        vectors = torch.cat([encoder(**encoder.prepare(texts[i:i + 100])) for i in range(0, len(texts), 100)])
    return replace(read, sides={"text": Encoded.of(vectors), "image": read.sides["image"]})


def notebook_00(seed: int, n: Size, *, dish: str = "burger", neutral: str = "I had a large {}.", other: str = "service",
                words: tuple[str, str, str] = ("wonderful", "delicious", "awful"), posts: int = 600,
                grey: str = "lightness") -> Margins:
    model, rng = shipped(), np.random.default_rng(seed)
    fresh, mild, awful = (scenes.draw(scenes.random_scene(dish, level, np.random.default_rng(start)), PIXELS[SIZE])
                          for level, start in ((2, 1 + seed), (-1, 5 + seed), (-2, 5 + seed)))
    said = [f"This {dish} is delicious!", f"This {dish} is awful!", neutral.format(dish),
            f"This {dish} tastes exactly as it looks.", f"This {dish} is nothing like the photo."]
    over = {name: model.predict(said, [image] * 5) for name, image in
            {"fresh": fresh, "mild": mild, "awful": awful}.items()}

    good, best, bad = words
    pairs = [form.format(*order) for form, kind in ((f"The {other} was {{}}, but the {dish} was {{}}.", good),
                                                    (f"This {dish} is not {{}}, it is {{}}.", best))
             for order in ((bad, kind), (kind, bad))]
    image = scenes.draw(scenes.Scene(dish), PIXELS[SIZE])
    plain = model.predict(pairs, [image] * 4)

    right = {split: measure(model.fusion, model.head, features(split, n(posts), seed))["accuracy"]
             for split in ("test", "unseen")}
    test = features("test", n(posts), seed)
    written = [post.text for post in kinds_and_texts("test", n(posts), seed)]
    versions = {"written": written, "no marks": [" ".join(phrases.words_of(text)) for text in written],
                "shuffled": [phrases.in_any_order(text, rng) for text in written]}
    twin, shares = torch.tensor(test.two_sided), {}
    for name, texts in versions.items():
        hit = head_answers(model.fusion, model.head, with_texts(test, texts)).argmax(-1) == test.labels
        shares[name] = {"twin": hit[twin].float().mean().item(), "none": hit[~twin].float().mean().item()}
    cost = {name: {part: shares["written"][part] - row[part] for part in row} for name, row in shares.items()}

    (forms,) = borrowed("00", "forms")
    new = [model.predict([form.format(a=good, b=bad), form.format(a=bad, b=good)], [image] * 2).argmax(-1).tolist()
           for form in forms]
    last = sum(form.index("{a}") > form.index("{b}") for form in forms)

    kept, lost = ([scenes.random_scene(dish, level, rng) for _ in range(n(40))] for level in (2, -2))
    dull = [replace(one, colour=other.colour, light=other.light, mess=other.mess) for one, other in zip(kept, lost)]
    ask = [neutral.format(dish)] * len(kept)
    dull_positive, grey_positive = ((model.predict(ask, images).argmax(-1) == 2).float().mean().item() for images in (
        [scenes.draw(one, PIXELS[SIZE]) for one in dull],
        [turned_grey(scenes.draw(one, PIXELS[SIZE]), grey) for one in kept]))
    return {
        "praise over another mouldy burger is negative": lead(over["awful"][0], 0),
        "praise over a little mould is positive": lead(over["mild"][0], 2),
        "blame over a fresh burger is neutral": lead(over["fresh"][1], 1),
        "neutral words and 'as it looks' over it are negative": min(lead(over["awful"][i], 0) for i in (2, 3)),
        "'nothing like the photo' over it is positive": lead(over["awful"][4], 2),
        "both pairs of twins: kind texts positive, unkind negative": min(
            min(lead(plain[i], 2) for i in (0, 2)), min(lead(plain[i], 0) for i in (1, 3))),
        "shuffled words cost posts with a twin 0.1 and more": cost["shuffled"]["twin"] - 0.1,
        "they cost them more than posts without": cost["shuffled"]["twin"] - cost["shuffled"]["none"],
        "capitals and marks alone cost them less than half of it": (
            cost["shuffled"]["twin"] / 2 - cost["no marks"]["twin"]),
        "right on more than 8 of 10 posts": right["test"] - 0.8,
        "right on more than 7 of 10 posts with new words and dishes": right["unseen"] - 0.7,
        "worse on new words and dishes": right["test"] - right["unseen"],
        "twelve other forms: more twins told apart than by the last feeling": new.count([2, 0]) - last,
        "fresh burgers with the colours, light and crumbs of awful ones: 9 of 10 positive": dull_positive - 0.9,
        "in grey: positive, less than 1 of 10": 0.1 - grey_positive,
    }


def turned_grey(image: Image.Image, how: str) -> Image.Image:
    """A picture without its colours: their lightness, their mean or their maximum at each place."""
    if how == "lightness":
        return image.convert("L")
    values = np.asarray(image, float)
    return Image.fromarray((values.mean(-1) if how == "mean" else values.max(-1)).astype(np.uint8))


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


def other_draw(make: Callable, start: int, count: int, seed: int, unseen: bool = False) -> tuple:
    """The same draw for another seed of the claims, each on other texts."""
    return make(count, 1000 * start + seed, unseen)


def notebook_02(seed: int, n: Size, *, company: tuple[str, str, str] = (
                    "bank", "We talked about the bank and the {}", "river lake water sea money cash price business"),
                praise: tuple[str, str, str] = ("delicious", "scrumptious", "awful"), extra: int = 8, kept: int = 32,
                fitted: int = 100, learned: int = 1600, few: int = 10, rate: float = 3e-4, steps: int = 30) -> Margins:
    bert, distilbert, random_bert = (load_text_encoder("bert"), load_text_encoder("distilbert"),
                                     load_text_encoder("bert", pretrained=False, seed=seed))
    with quiet():
        guesser = AutoModelForMaskedLM.from_pretrained(bert.net.name_or_path, dtype=torch.float32,
                                                       trust_remote_code=False).eval()
    rng = np.random.default_rng(seed)
    sentences = [phrases.write(kind, dish, rng) for kind in phrases.KINDS for dish in scenes.TRAIN_DISHES]
    sentences = sentences[:n(len(sentences))]
    (filled,) = borrowed("02", "filled", bert=bert, guesser=guesser)
    in_order, shuffled = ([pair for text in texts for pair in filled(text)] for texts in (
        [" ".join(phrases.words_of(text)) for text in sentences],
        [phrases.in_any_order(text, rng) for text in sentences]))
    hits = [np.mean([answer == token for answer, token in gaps]) for gaps in (in_order, shuffled)]
    lazy = Counter(token for _, token in in_order).most_common(1)[0][1] / len(in_order)

    features_of, probe, masked_mean, opinions, _, two_sided, one_sided, fine_tuned = borrowed(
        "02", "features_of", "probe", "masked_mean", "opinions", "FRAMES", "two_sided", "one_sided", "fine_tuned")
    padded, three_readers = borrowed("02", "padded", "three_readers", bert=bert)
    (without_layers,) = borrowed("02", "without_layers", bert=bert, masked_mean=masked_mean)
    with torch.no_grad():
        word, frame, things = company[0], company[1], company[2].split()  # half of them of one kind, half of another
        batch = bert.prepare([frame.format(thing) for thing in things])
        place = batch["input_ids"][0].tolist().index(bert.tokenizer.convert_tokens_to_ids(word))
        states = bert.net(**batch).last_hidden_state[:, place]
        near = F.cosine_similarity(states[:, None], states[None], dim=-1)
        half = len(things) // 2
        within_groups = [(near[part, part].sum().item() - half) / (half * (half - 1))
                         for part in (slice(half), slice(half, None))]
        alone = bert(**padded("Tasty!", 0))
        forgot = [F.cosine_similarity(feature, alone).item()
                  for feature in three_readers(*padded("Tasty!", extra).values()).values()]
    adjective, other, opposite = praise
    question, *others = features_of(bert, [f"This burger is {words}!"
                                      for words in (adjective, f"not {adjective}", other, opposite)]
                                     + [f"This pizza is {adjective}!"])
    denied, again, hated, pizza = (F.cosine_similarity(question, one, dim=0).item() for one in others)
    blind = copy.deepcopy(bert)
    blind.net.embeddings.position_embeddings.weight.data.zero_()
    apart = [(first - second).abs().max().item() for first, second in (
        features_of(encoder, two_sided(2, seed)[0]) for encoder in (bert, blind))]

    (similarities,) = borrowed("02", "similarities", features_of=features_of, sentences=sentences)
    agreement, by_lot = (torch.corrcoef(torch.stack([similarities(bert), similarities(other)]))[0, 1].item()
                         for other in (distilbert, random_bert))
    readers = {"BERT": partial(features_of, bert), "DistilBERT": partial(features_of, distilbert),
               "random": partial(features_of, random_bert), "words": without_layers,
               "shuffled": lambda texts: features_of(bert, [phrases.in_any_order(text, rng) for text in texts])}

    def right(name: str, learn: tuple, *tests: tuple) -> list[float]:
        answer = probe(readers[name](learn[0]), learn[1], steps=fitted)
        return [accuracy(answer(readers[name](texts)), labels) for texts, labels in tests]

    frame_of_words = {level: words[:kept] for level, words in phrases.ADJECTIVES.items()}
    opinion = (opinions(frame_of_words, 5, seed=3 * seed + 1), opinions(frame_of_words, 2, seed=3 * seed + 2),
               opinions(phrases.UNSEEN_ADJECTIVES, 6, seed=3 * seed + 3))
    one_word = {name: right(name, *opinion) for name in ("BERT", "random", "words")}
    pairs = two_sided(n(learned) // 2 * 2, 2 * seed + 1), two_sided(n(400) // 2 * 2, 2 * seed + 2, unseen=True)
    order = {name: right(name, *pairs)[0] for name in readers}

    (rivals,) = borrowed("02", "rivals", bert=bert, random_bert=random_bert, features_of=features_of, probe=probe,
                         without_layers=without_layers, fine_tuned=partial(fine_tuned, steps=steps, rate=rate))
    drawn = {"few": rivals(partial(other_draw, one_sided, seed), few),
             "many": rivals(partial(other_draw, one_sided, seed), 4 * few),
             "sides": rivals(partial(other_draw, two_sided, seed), 4 * few)}
    mean = {name: {reader: np.mean(row) for reader, row in rows.items()} for name, rows in drawn.items()}
    gain = {name: row["fine-tuned"] - row["frozen, probe"] for name, row in mean.items()}
    return {
        "in order it fills more gaps than the commonest token, by half": hits[0] - 1.5 * lazy,
        "shuffled it fills fewer than that": lazy - hits[1],
        "further apart across the groups than within either": min(within_groups) - near[:half, half:].mean().item(),
        "the mask forgotten, a text is no longer like itself: below 0.9": 0.9 - max(forgot[1:]),
        "without position vectors twins are one": 1e-4 - apart[1],
        "with them they differ": apart[0] - 0.1,
        "the denial is nearer than praise in another word": denied - again,
        "the denial is nearer than blame": denied - hated,
        "and a hated burger nearer than a praised pizza": hated - pizza,
        "DistilBERT follows its teacher, correlation above 0.7": agreement - 0.7,
        "more than a random network does, by 0.3": agreement - by_lot - 0.3,
        "the random BERT also agrees a little": by_lot,
        "random network on known words, above 0.7": one_word["random"][0] - 0.7,
        "random network on unknown words, near a coin flip": 0.2 - abs(one_word["random"][1] - 0.5),
        "pretrained on unknown words, above 0.8": one_word["BERT"][1] - 0.8,
        "pretraining buys more on unknown words than on known ones":
            (one_word["BERT"][1] - one_word["random"][1]) - (one_word["BERT"][0] - one_word["random"][0]),
        "word vectors without layers do as well on unknown words, to within 0.04":
            one_word["words"][1] - one_word["BERT"][1] + 0.04,
        "two-sided, unknown words: BERT and DistilBERT above 0.8": min(order["BERT"], order["DistilBERT"]) - 0.8,
        "without layers one half": 0.01 - abs(order["words"] - 0.5),
        "random, or in any order, near a coin flip": 0.1 - max(abs(order[key] - 0.5) for key in ("random", "shuffled")),
        "from a few sentences fine-tuned leads the frozen probe": gain["few"],
        "from four times as many too": gain["many"],
        "from as many two-sided ones both read more than two in three":
            min(mean["sides"][name] for name in ("fine-tuned", "frozen, probe")) - 2 / 3,
        "frozen features lead word vectors without layers": min(
            rows["frozen, probe"] - rows["without layers, probe"] for rows in mean.values()),
        "a random network, fine-tuned, learns nothing that lasts": 0.15 - max(
            abs(rows["random, fine-tuned"] - 0.5) for rows in mean.values()),
    }


def notebook_03(seed: int, n: Size, *, scale: float = 0.05, depth: int = 30, own: float = 0.5, shift: int = 3,
                light: float = -0.6, learned: int = 240, trap: float = 0.7, steps: int = 8) -> Margins:
    encoders = {"ResNet": load_image_encoder("resnet18"), "ViT": load_image_encoder("vit")}
    vit, random_vit = encoders["ViT"], load_image_encoder("vit", pretrained=False, seed=seed)
    random_resnet = load_image_encoder("resnet18", pretrained=False, seed=seed)
    side, patch = vit.net.config.image_size, vit.net.config.patch_size

    (gradient,) = borrowed("03", "gradient_at_the_start")
    small, usual = (abs(gradient(False, size, depth, seed)) for size in (scale, (2 / 64) ** 0.5))
    plus = gradient(True, (2 / 64) ** 0.5, depth, seed)

    leafy = torch.tensor([-1.0, 2, -1]).reshape(1, 3, 1, 1)
    stage_outputs, green_fits = borrowed("03", "stage_outputs", "green_fits", leafy=leafy)
    green_fits.__globals__["stage_outputs"] = stage_outputs
    (judged,) = borrowed("03", "chosen_and_judged", green_fits=green_fits)
    follows, by_lot = (judged(encoder, 3 + seed)[1] for encoder in (encoders["ResNet"], random_resnet))

    (encode,) = borrowed("03", "encode")
    places = {"vit": vit, "random_vit": random_vit, "side": side, "patch": patch, "rows": side // patch,
              "encode": encode,
              "boxes": [(x, y, x + patch, y + patch) for y in range(0, side, patch) for x in range(0, side, patch)],
              "away": np.abs(np.mgrid[0:side, 0:side] + 0.5 - side / 2)}
    names = ("food_and_twin", "on_patches", "drawn", "attentions", "looked_at", "matters", "covers", "correlation",
             "explanations")
    made = dict(zip(names, borrowed("03", *names, **places)))
    looked_at = made["looked_at"]
    made["explanations"].__globals__["looked_at"] = lambda encoder, picture, own=own: looked_at(encoder, picture, own)
    rng, found = np.random.default_rng(seed), []
    for dish in scenes.TRAIN_DISHES[:n(12):2]:
        for sign in (1, -1):
            picture, plain = made["food_and_twin"](dish, 2 * sign, rng)
            truth = made["drawn"](picture, plain)
            found.append({name: made["correlation"](shares, truth)
                          for name, shares in made["explanations"](picture, plain).items()})
    garnished, mouldy = ({name: np.mean([one[name] for one in found[first::2]]) for name in found[0]}
                         for first in (0, 1))
    both = {name: (garnished[name] + mouldy[name]) / 2 for name in garnished}
    layers = [f"attention, layer {layer}" for layer in range(1, 5)]
    best, twin = both.pop("cover: its mean colour"), both.pop("cover: the plain twin")
    twin_by_lot = both.pop("random ViT, the plain twin")

    _, before, changes = borrowed("03", "next_dish", "before", "changes")
    changes |= {"other table": lambda scene: replace(scene, background=scene.background + shift),
                "less light": lambda scene: replace(scene, light=light)}
    before = [replace(scene, seed=3 + seed) for scene in before[:n(48)]]
    (moved,) = borrowed("03", "moved", encode=encode, before=before)
    moves = [{what: moved(encoder, change) for what, change in changes.items()} for encoder in encoders.values()]
    little = ("another such plate", "less light", "less colour", "more mess", "closer crop")

    plates, probe, colours_alone, six_dishes = borrowed("03", "plates", "probe", "colours_alone", "six_dishes")
    learn = plates(scenes.TRAIN_DISHES, n(learned), seed=4 * seed + 1)
    tests = [plates(scenes.UNSEEN_DISHES, n(120), seed=4 * seed + 3),
             plates(scenes.TRAIN_DISHES, n(120), seed=4 * seed + 4, trap=trap)]
    (few, names_of_few), (fresh, names_of_fresh) = six_dishes(120, 2 * seed + 5), six_dishes(n(240), 2 * seed + 6)
    readers = [lambda pictures, encoder=encoder: encode(encoder, pictures)
               for encoder in (*encoders.values(), random_resnet, random_vit)]
    readers.append(lambda pictures: colours_alone(pictures, steps))
    right = []
    for features_of in readers:
        answer, named = probe(features_of(learn[0]), learn[1]), probe(features_of(few), names_of_few)
        right.append([*(accuracy(answer(features_of(pictures)), labels) for pictures, labels in tests),
                      accuracy(named(features_of(fresh)), names_of_fresh)])
    unseen, in_trap, dish_named = zip(*right)
    return {
        "small weights, without x + f(x): less than a millionth of the gradient is left": -math.log10(small) - 6,
        "He's weights, without x + f(x): it arrives, to within a factor of ten": 1 - abs(math.log10(usual)),
        "He's weights, with x + f(x): it explodes, a thousandfold and more": math.log10(plus) - 3,
        "the chosen map follows green on other dishes, above 0.6": follows - 0.6,
        "by 0.15 and more better than the best of a random network": follows - by_lot - 0.15,
        "the patch's own mean colour is the best of the covers that need no twin":
            best - max(both[f"cover: {name}"] for name in ("grey", "black", "white")),
        "the twin's patches find no less": twin - best,
        "and still more through a random ViT": twin_by_lot - twin,
        "the mean colour finds less through a random ViT, by 0.05 and more":
            best - both["random ViT, its mean colour"] - 0.05,
        "black finds mould better than garnish": mouldy["cover: black"] - garnished["cover: black"],
        "white finds least of the covers":
            min(both[f"cover: {name}"] for name in ("grey", "black")) - both["cover: white"],
        "the rollout is no better than the best layer": max(both[layer] for layer in layers) - both["rollout"],
        "one in which a token stays 0.7 itself is better":
            both["rollout, 0.7 itself"] - max(both[layer] for layer in layers),
        "the last layer is not the best": max(both[layer] for layer in layers[:3]) - both[layers[3]],
        "no layer is best on garnished and on mouldy food": min(
            max(max(one[name] for name in layers) - one[layer] for one in (garnished, mouldy)) for layer in layers),
        "on mouldy food the middle beats either rollout":
            mouldy["no network: middle"] - max(mouldy["rollout"], mouldy["rollout, 0.7 itself"]),
        "a random ViT's rollout finds little (below 0.2)": 0.2 - both["random ViT, rollout"],
        "garnish and mould move features more than twice as far as light, colour, mess, crop": min(
            min(move["garnished"], move["mouldy"]) / 2 - max(move[what] for what in little) for move in moves),
        "and no less than half as far as another dish": min(
            min(move["garnished"], move["mouldy"]) - move["another dish"] / 2 for move in moves),
        "the table moves both more than light": min(move["other table"] - move["less light"] for move in moves),
        "and less than half as far as another dish": min(
            move["another dish"] / 2 - move["other table"] for move in moves),
        "pretrained: above 0.9 on unseen dishes": min(unseen[:2]) - 0.9,
        "colours alone too": unseen[4] - 0.9,
        "pretrained: above 0.9 in the trap": min(in_trap[:2]) - 0.9,
        "colours alone lose 0.15 and more in the trap": unseen[4] - in_trap[4] - 0.15,
        "random: below guessing in the trap": 0.5 - max(in_trap[2:4]),
        "which unseen dish: both pretrained ahead of colours alone": min(dish_named[:2]) - dish_named[4],
        "and of both random networks": min(dish_named[:2]) - max(dish_named[2:4]),
    }
