"""What fuzz.py harms: whole files of every kind that the package reads, and how a reader would open each."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]


class Wrong(Exception):
    """A harmed file was taken for a whole one."""


def picture_files(folder: Path) -> None:
    from PIL import Image

    noise = np.random.default_rng(0).integers(0, 256, (24, 20, 3), dtype=np.uint8)
    image = Image.fromarray(noise)
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "words"
    for mode, suffixes in {"RGB": "png jpg gif bmp webp tif ppm avif ico jp2 tga pcx qoi", "L": "png jpg tif pgm",
                           "P": "png gif tif bmp", "1": "png tif pbm", "RGBA": "png webp tif ico", "LA": "png",
                           "CMYK": "jpg tif", "I;16": "png tif", "F": "tif"}.items():
        picture = Image.new(mode, (24, 20), 300) if mode == "I;16" else image.convert("L").convert(mode) if mode in (
            "F", "LA") else image.convert(mode)
        for suffix in suffixes.split():
            with contextlib.suppress(OSError, KeyError, ValueError):  # a format that this Pillow cannot write
                picture.save(folder / f"{mode.replace(';', '')}.{suffix}")
    for suffix in ("png", "jpg", "webp", "tif"):
        image.save(folder / f"exif.{suffix}", exif=exif)
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
        image.save(folder / f"{compression}.tif", compression=compression)
    for suffix in ("gif", "webp", "png", "tif"):
        image.save(folder / f"moving.{suffix}", save_all=True, append_images=[image.rotate(180)] * 2)
    image.save(folder / "progressive.jpg", progressive=True)
    image.save(folder / "profile.jpg", icc_profile=b"\0" * 128)


def open_picture_file(path: Path) -> None:
    from mmsa_utils import open_picture, picture_from_bytes

    if open_picture(path).tobytes() != picture_from_bytes(path.read_bytes(), path.name).tobytes():
        raise Wrong("as a file it is another picture than as bytes")


def table_files(folder: Path) -> None:
    from PIL import Image

    Image.new("RGB", (9, 7), "red").save(folder / "a.png")
    rows = [('Good, so "fresh"\nreally', "a.png", "positive"), ("Crème brûlée 🍮", "a.png", "0"), ("so", "a.png", 2)]
    lines = [json.dumps(dict(zip(("text", "image", "label"), row))) for row in rows]
    (folder / "posts.jsonl").write_text("\n".join(lines) + "\n", encoding="utf8")
    quoted = ['"{}","{}",{}'.format(text.replace('"', '""'), *rest) for text, *rest in rows]
    for name, encoding in (("posts", "utf8"), ("bom", "utf-8-sig"), ("wide", "utf-16")):
        (folder / f"{name}.csv").write_bytes("\r\n".join(["text,image,label", *quoted, ""]).encode(encoding))


def open_table(path: Path) -> None:
    from mmsa_utils import load_posts
    from mmsa_utils.posts.identity import identity
    from mmsa_utils.posts.post import check_text

    if path.suffix == ".png":
        path = path.with_name("posts.csv")
    posts = load_posts(path)
    for i in range(len(posts)):
        check_text(posts[i].text, f"the text of {path.name}")
    identity(posts)


def model_files(folder: Path) -> None:
    import torch

    from mmsa_utils import BINARY_LABELS, MultimodalSentimentModel

    MultimodalSentimentModel(frozen=True).save_pretrained(folder / "head")
    linear = MultimodalSentimentModel("bert", "resnet18", classes=BINARY_LABELS, hidden=0)
    with torch.no_grad():
        for encoder in linear.encoders.values():  # else they are not stored, as they ship
            next(encoder.parameters()).add_(1e-3)
    linear.save_pretrained(folder / "whole")


def top_of(path: Path) -> Path:
    """The model's folder that a file of it lies in, at whatever depth."""
    while path.parent.parent.name != "files":
        path = path.parent
    return path


def open_model(path: Path) -> None:
    import torch
    from PIL import Image

    from mmsa_utils import load_model

    model = load_model(top_of(path))
    with contextlib.suppress(ValueError):  # NaN in a word that loading did not try: `predict` refuses to answer
        answer = model.predict(["a good burger"], [Image.new("RGB", (9, 7), "red")])
        if not torch.isfinite(answer).all():
            raise Wrong("the answer is no number")


def encoder_files(folder: Path) -> None:
    from mmsa_utils.checksums import WEIGHTS
    from mmsa_utils.encoders.table import ENCODERS

    for name in (name for names in ENCODERS.values() for name in names):
        shutil.copytree(WEIGHTS / name, folder / name)


def open_encoder(path: Path) -> None:
    from PIL import Image

    from mmsa_utils.encoders.table import ENCODERS, load_encoder

    side, item = ("text", "a good burger") if path.parent.name in ENCODERS["text"] else (
        "image", Image.new("RGB", (9, 7), "red"))
    encoder = load_encoder(side, str(path.parent))
    encoder(**encoder.prepare([item]))


def aligned(checkpoint: Path) -> None:
    """A tiny run, kept in a file."""
    import torch

    from mmsa_utils import Concat, Encoded, Features, align, random_head

    draw = torch.Generator().manual_seed(0)
    sides = {name: Encoded.of(torch.randn(12, 4, generator=draw)) for name in ("text", "image")}
    features = Features(sides, torch.arange(12) % 3)
    align(Concat(features.widths), random_head(8, hidden=4), features, features, epochs=2, checkpoint=checkpoint)


def checkpoint_files(folder: Path) -> None:
    aligned(folder / "run.safetensors")


def open_checkpoint(path: Path, whole: Path) -> None:
    from mmsa_utils.learning.runs import read

    if repr(read(path)) != repr(read(whole)):
        raise Wrong("another run was read from the harmed file")
    aligned(path)


def cache_files(folder: Path) -> None:
    from mmsa_utils import FoodPosts, MultimodalSentimentModel
    from mmsa_utils.learning.cache import cached_features

    cached_features(MultimodalSentimentModel(frozen=True), FoodPosts(12), folder, show_progress=False)


def open_cache(path: Path, whole: Path) -> None:
    import torch

    from mmsa_utils.learning.cache import _load

    found, first = _load(path.parent), _load(whole.parent)
    if found is None:
        raise ValueError(f"{path} is not trusted")  # it is made anew
    pairs = [(found.labels, first.labels), *(pair for name in first.sides
                                             for pair in zip(found.sides[name], first.sides[name]))]
    if not (all(torch.equal(*pair) for pair in pairs) and found.sides.keys() == first.sides.keys() and all(
            getattr(found, name) == getattr(first, name)
            for name in ("relations", "text_kinds", "picture_levels", "two_sided"))):
        raise Wrong("other features were read from the harmed cache")


def progress_files(folder: Path) -> None:
    rows = {"1.1": {"status": "right", "tries": 2, "solved": "2024-05-01"},
            "2.3": {"status": "wrong", "tries": 1, "solved": None}}
    (folder / "progress.json").write_text(json.dumps(rows, indent=1))


def open_progress(path: Path) -> None:
    from mmsa_utils.exercises import progress

    os.environ["MMSA_PROGRESS"] = str(path)
    card = progress.show()
    repr(card), card._repr_html_()
    for number in ("1.1", "2.3"):
        progress.record(number, "wrong")
    repr(progress.show())


def notebook_files(folder: Path) -> None:
    for stem in ("02_text_encoders", "06_correction_phase"):
        shutil.copy(ROOT / "notebooks" / "solutions" / f"{stem}.ipynb", folder)


def open_notebook(path: Path) -> None:
    from mmsa_utils.grading.answers import written
    from mmsa_utils.grading.grade import find, row_of, save
    from mmsa_utils.grading.run import Run

    item = next(item for item in find(path.parent) if item.file == path.name)
    save([row_of(item, Run(item.problem))], path.with_name("grades.csv"))
    written(item.cells)
    if item.problem:
        raise ValueError(f"{path.name} {item.problem}")
    wire = json.dumps(item.cells)
    if not all(isinstance(cell, str) for cell in json.loads(wire)):
        raise Wrong("a cell is no text")


def command_files(folder: Path) -> None:
    table_files(folder)
    model_files(folder)
    (folder / "bom.csv").unlink()


def run_command(path: Path) -> None:
    from mmsa_utils.apps.cli import main

    top = top_of(path)
    model = top if top.is_dir() else top.with_name("head")
    words = ["predict", "--text", "Good", "--image", str(top.with_name("a.png"))]
    if path.suffix in (".csv", ".jsonl"):
        words = ["evaluate", "--data", str(path)]
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        code = main([*words, "--model", str(model), "--json"])
    if code:
        if code != 1 or "error: " not in said.getvalue():
            raise Wrong(f"exit code {code}: {said.getvalue()}")
        raise ValueError(said.getvalue())


#: kind -> (writes whole files, opens one, endings of the files that are harmed)
KINDS: dict[str, tuple[Callable, Callable, tuple[str, ...]]] = {
    "picture": (picture_files, open_picture_file, ("",)),
    "table": (table_files, open_table, (".csv", ".jsonl", ".png")),
    "model": (model_files, open_model, (".json", ".safetensors")),
    "encoder": (encoder_files, open_encoder, (".json", ".safetensors", ".txt")),
    "checkpoint": (checkpoint_files, open_checkpoint, (".safetensors",)),
    "cache": (cache_files, open_cache, (".npy", ".json")), "progress": (progress_files, open_progress, (".json",)),
    "notebook": (notebook_files, open_notebook, (".ipynb",)),
    "command": (command_files, run_command, (".csv", ".jsonl", ".png", ".json", ".safetensors")),
}
