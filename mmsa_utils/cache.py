"""Features kept on the disk: posts are encoded once, and found again by every later run.

A cache is a folder of plain arrays and JSON (nothing is ever unpickled). Its name is a digest of everything that
features depend on, so that one made by other weights, other posts or other code is never taken for the right one;
its manifest holds the checksum of each file, so that a damaged one is made anew.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from .alignment import Features, extract_features
from .checksums import sha256
from .files import identity
from .model import MultimodalSentimentModel
from .runs import digest

# What features are made by: another version of any of these makes another cache.
_CODE = ("alignment", "cache", "data", "dishes", "encoders", "files", "model", "phrases", "rules", "scenes")
_PACKAGES = ("torch", "torchvision", "transformers", "tokenizers", "numpy", "pillow")
_FILES = ("text.npy", "image.npy", "labels.npy", "states.npy", "states.json")
_LEFT_BEHIND = 24 * 3600  # seconds after which an unfinished cache is somebody's who was killed


def cached_features(model: MultimodalSentimentModel, posts, folder: str | Path, batch_size: int = 64,
                    show_progress: bool = True) -> Features:
    """`extract_features` with a memory: the features come from the folder if they are there, else they are made.

    Two processes may ask at the same time: each works apart, the first to finish leaves its result, the other takes
    that. What is broken off leaves nothing that could be mistaken for a cache.

    Args:
        model, posts, batch_size: as in `extract_features`.
        folder: of caches; made if it is missing. Features stay on the disk and are mapped into memory.

    Returns:
        The features, in the order of the posts.

    Raises:
        OSError: if the folder cannot be written.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    _sweep(folder)
    target = folder / f"features-{_key(model, posts)}"
    while (found := _load(target)) is None:
        made = Path(tempfile.mkdtemp(dir=folder, prefix=".making-"))
        try:
            _make(model, posts, made, batch_size, show_progress)
            _publish(made, target)
        finally:
            shutil.rmtree(made, ignore_errors=True)
    return found


def _make(model: MultimodalSentimentModel, posts, folder: Path, batch_size: int, show_progress: bool) -> None:
    """Fill a folder; its manifest comes last."""
    features = extract_features(model, posts, batch_size, show_progress, folder)
    states = list(zip(features.relations, features.text_kinds, features.picture_levels))
    distinct = {state: code for code, state in enumerate(dict.fromkeys(states))}
    np.save(folder / "labels.npy", features.labels.numpy(), allow_pickle=False)
    np.save(folder / "states.npy", np.array([distinct[state] for state in states], np.int32), allow_pickle=False)
    (folder / "states.json").write_text(json.dumps(list(distinct)), encoding="utf8")
    sums = {name: sha256(folder / name) for name in _FILES}
    (folder / "manifest.json").write_text(json.dumps(sums), encoding="utf8")


def _publish(made: Path, target: Path) -> None:
    """Put a finished folder in its place; one that is there and sound wins, a damaged one is put away."""
    try:
        os.rename(made, target)
    except OSError:
        if not target.exists():
            raise
        if _load(target) is None:
            away = Path(tempfile.mkdtemp(dir=target.parent, prefix=".making-"))
            os.rename(target, away / "damaged")
            shutil.rmtree(away, ignore_errors=True)
            _publish(made, target)


def _load(folder: Path) -> Features | None:
    """The features of a folder, or None where it is missing or anything in it is not as its manifest says."""
    try:
        sums = json.loads((folder / "manifest.json").read_text(encoding="utf8"))
        if any(sha256(folder / name) != sums[name] for name in _FILES):
            return None
        # "c": mapped, and writing to it changes nothing on the disk
        text, image, labels = (torch.from_numpy(np.load(folder / f"{name}.npy", mmap_mode="c", allow_pickle=False))
                               for name in ("text", "image", "labels"))
        states = [tuple(state) for state in json.loads((folder / "states.json").read_text(encoding="utf8"))]
        known = [states[code] for code in np.load(folder / "states.npy", allow_pickle=False)]
        return Features(text, image, labels, *zip(*known))
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _sweep(folder: Path) -> None:
    """Remove what killed processes have left."""
    for path in folder.glob(".making-*"):
        try:
            old = time.time() - path.stat().st_mtime > _LEFT_BEHIND
        except OSError:  # its owner has just finished
            continue
        if old:
            shutil.rmtree(path, ignore_errors=True)


@torch.no_grad()
def _key(model: MultimodalSentimentModel, posts) -> str:
    """A digest of everything that the features depend on: code, packages, encoders, posts."""
    found = hashlib.sha256()
    for name in _CODE:
        found.update(sha256(Path(__file__).with_name(f"{name}.py")).encode())
    found.update(repr([version(name) for name in _PACKAGES]).encode())
    for encoder in (model.text_encoder, model.image_encoder):
        found.update(repr(encoder).encode())
        state = encoder.state_dict()
        found.update(f"{[(name, tensor.device.type) for name, tensor in state.items()]}".encode())
        found.update(digest(*state.values()).encode())
    found.update(json.dumps(sorted(model.text_encoder.tokenizer.get_vocab().items())).encode())
    found.update(str(model.text_encoder.max_tokens).encode())
    cut = model.text_encoder.tokenize(["CRÈME brûlée isn't,  #good!"])  # shows how texts are prepared
    found.update(cut["input_ids"].numpy().tobytes())
    ramp = np.arange(61 * 97 * 3, dtype=np.uint32).reshape(61, 97, 3) % 251  # shows how pictures are prepared
    found.update(model.image_encoder.preprocess([Image.fromarray(ramp.astype(np.uint8))]).numpy().tobytes())
    found.update(identity(posts).encode())
    return found.hexdigest()[:32]

