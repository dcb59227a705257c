"""Which way of explaining points at what really gives the mood? Asked of drawn posts, where that is known.

    python tools/measure/explanations.py --posts 120 --seed 3

The truth of a text is the phrase that carries its feeling ("a bit bland and dry"); that of a picture are its marks:
mould, flies, leaves, sparkles, steam. Each way ranks the words of a text, or 8 x 8 regions of a picture, by how much
they speak for the answer; it has hit if its first word lies in the phrase, or a quarter of its first region is marks.
The dashboard takes the simplest of those that win (`mmsa_utils/reading/explain.py`), and says on the page how often
they hit.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from unittest.mock import patch

import numpy as np
import torch
from PIL import Image, ImageFilter, ImageStat

from mmsa_utils import Reader, load_model, phrases
from mmsa_utils.encoders.base import Encoded
from mmsa_utils.posts import scenes
from mmsa_utils.reading.explain import GRID, covered, shorter

LEVELS = (-2, -1, 1, 2)  # a mood of their own
WAYS = ("both sides", "the side alone")


def worded(level: int, dish: str, rng: np.random.Generator, unseen: bool) -> tuple[str, list[bool]]:
    """A text, and which of its words lie in the phrase that carries the feeling."""
    said: list[str] = []
    opinion = phrases._opinion

    def noted(*given):
        said.append(opinion(*given))
        return said[-1]

    with patch.object(phrases, "_opinion", noted):
        text = phrases.write(level, dish, rng, unseen=unseen)
    start, at, inside = text.lower().index(said[-1].lower()), 0, []
    for word in text.split():
        at = text.index(word, at)
        inside.append(start <= at < start + len(said[-1]))
        at += len(word)
    return text, inside


def drawn(level: int, dish: str, rng: np.random.Generator, pixels: int = 64) -> tuple[Image.Image, np.ndarray]:
    """A picture, and the share of marks in each of its regions (GRID, GRID)."""
    scene, marks = scenes.random_scene(dish, level, rng), scenes.marks
    image = scenes.draw(scene, pixels)
    with patch.object(scenes, "marks", lambda scene: dict.fromkeys(marks(scene), 0)):
        bare = scenes.draw(scene, pixels)
    marked = np.abs(np.asarray(image, int) - np.asarray(bare, int)).max(-1) > 12
    side = pixels // GRID
    return image, marked.reshape(GRID, side, GRID, side).mean((1, 3))


def answers(reader: Reader, side: str, items: list, partner: object) -> dict[str, np.ndarray]:
    """Way → what n texts or pictures say, (n, classes): beside the post's other side, and alone."""
    encoder, model = reader.model.encoders[side], reader.model
    encoded = encoder.encode(**encoder.prepare(items))
    own = Encoded.of(encoder.pool(encoded), encoded.mask.any(1))
    other = model.encoders["image" if side == "text" else "text"]
    one = other.encode(**other.prepare([partner]))
    beside = Encoded.of(other.pool(one), one.mask.any(1)).rows(torch.zeros(len(items), dtype=torch.long))
    sides = {"text": own, "image": beside} if side == "text" else {"text": beside, "image": own}
    return {"both sides": reader._head(sides).numpy(), "the side alone": reader.alone(side, items).numpy()}


def drops(said: np.ndarray) -> np.ndarray:
    """How much the probability of the first row's answer falls in each of the others."""
    return said[0, said[0].argmax()] - said[1:, said[0].argmax()]


def attention(reader: Reader, side: str, item: object) -> np.ndarray:
    """What the last layer looks at: how much each word is looked at by all, or each region by the [CLS] token."""
    encoder = reader.model.encoders[side]
    encoder.net.set_attn_implementation("eager")
    inputs = encoder.prepare([item])
    looks = encoder.net(**inputs, output_attentions=True).attentions[-1][0].mean(0).numpy()  # (from, to)
    if side == "image":
        return looks[0, 1:]
    words = encoder.tokenizer([item]).word_ids(0)  # punctuation is a word of its own here
    pieces = encoder.tokenizer(item, return_offsets_mapping=True)["offset_mapping"]
    of_word = [item[:start].count(" ") for start, _ in pieces]
    received = np.zeros(len(item.split()))
    for place, (word, index) in enumerate(zip(words, of_word)):
        if word is not None:
            received[index] += looks[:, place].mean()
    return received


def texts(reader: Reader, n: int, seed: int, unseen: bool) -> dict[str, list[bool]]:
    """Way → whether it hit, for n texts."""
    hits = defaultdict(list)
    dishes = scenes.UNSEEN_DISHES if unseen else scenes.TRAIN_DISHES
    for i in range(n):
        rng = np.random.default_rng((seed, i))
        level, dish = LEVELS[i % 4], dishes[i % len(dishes)]
        text, inside = worded(level, dish, rng, unseen)
        image, _ = drawn(int(rng.choice(LEVELS)), dish, rng)
        words = text.split()
        masked = [" ".join([*words[:j], "[MASK]", *words[j + 1:]]) for j in range(len(words))]
        for name, tried in (("left out", shorter(words)), ("masked", masked)):
            for way, said in answers(reader, "text", [text, *tried], image).items():
                hits[f"{name}, {way}"].append(inside[int(drops(said).argmax())])
        alone = reader.alone("text", [text, *words]).numpy()
        hits["each word by itself"].append(inside[int(alone[1:, alone[0].argmax()].argmax())])
        hits["attention"].append(inside[int(attention(reader, "text", text).argmax())])
        hits["chance"].append(float(np.mean(inside)))
    return hits


def pictures(reader: Reader, n: int, seed: int, unseen: bool) -> dict[str, list[bool]]:
    """Way → whether it hit, for n pictures."""
    hits = defaultdict(list)
    dishes = scenes.UNSEEN_DISHES if unseen else scenes.TRAIN_DISHES
    clean = scenes.draw(scenes.random_scene(dishes[0], 0, np.random.default_rng(seed)), 64)
    for i in range(n):
        rng = np.random.default_rng((seed, i))
        level, dish = LEVELS[i % 4], dishes[i % len(dishes)]
        image, share = drawn(level, dish, rng)
        text, _ = worded(int(rng.choice(LEVELS)), dish, rng, unseen)
        marked = share.ravel() >= 0.25
        mean = tuple(round(value) for value in ImageStat.Stat(image).mean)
        covers = {"grey": Image.new("RGB", image.size, (128, 128, 128)),
                  "mean colour": Image.new("RGB", image.size, mean),
                  "blur": image.filter(ImageFilter.GaussianBlur(8)), "a neutral picture": clean}
        for name, cover in covers.items():
            for half, size in ((0.5, "one region"), (1.0, "two regions")):
                tried = [covered(image, cover, GRID, half, place) for place in range(GRID**2)]
                for way, said in answers(reader, "image", [image, *tried], text).items():
                    hits[f"{name}, {size} wide, {way}"].append(marked[int(drops(said).argmax())])
        hits["attention"].append(marked[int(attention(reader, "image", image).argmax())])
        hits["chance"].append(float(marked.mean()))
    return hits


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--posts", type=int, default=120, help="of each kind (default 120)")
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    reader = Reader(load_model())
    found = {}
    for side, measure in (("text", texts), ("picture", pictures)):
        known, new = (measure(reader, arguments.posts, arguments.seed, unseen) for unseen in (False, True))
        found[side] = {way: [round(float(np.mean(known[way])), 3), round(float(np.mean(new[way])), 3)] for way in known}
    if arguments.json:
        print(json.dumps(found))
        return
    for side, ways in found.items():
        print(f"\n{side:56} known   new words and dishes")
        for way, (known, new) in sorted(ways.items(), key=lambda pair: -sum(pair[1])):
            print(f"{way:56} {known:.2f}    {new:.2f}")


if __name__ == "__main__":
    main()
