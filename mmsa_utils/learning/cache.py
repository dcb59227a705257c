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
from typing import Any

import numpy as np
import torch
from PIL import Image

from ..checksums import sha256
from ..disk import usual_modes
from ..encoders.base import Encoded
from ..model.model import MultimodalSentimentModel
from ..posts.identity import identity
from ..posts.post import Posts
from ..posts.sound import Sound
from .features import KNOWN, Features, extract_features
from .runs import digest

# What features are made by: another version of any of these makes another cache.
_CODE = ("posts/**/*.py", "encoders/**/*.py", "model/model.py", "model/prepare.py", "learning/batches.py",
         "learning/features.py", "learning/cache.py")
_PACKAGES = ("torch", "torchvision", "transformers", "tokenizers", "numpy", "pillow")
_LEFT_BEHIND = 24 * 3600  # seconds after which an unfinished cache is somebody's who was killed


def cached_features(model: MultimodalSentimentModel, posts: Posts, folder: str | Path, batch_size: int = 64,
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
            if target.exists() and _load(target) is None:  # a damaged one is put away
                os.rename(target, made.with_name(made.name + "-damaged"))
            os.rename(made, target)
        except OSError:
            if _load(target) is None:  # else another process has just left the same
                raise
        finally:
            for path in folder.glob(f"{made.name}*"):
                shutil.rmtree(path, ignore_errors=True)
    return found


def _make(model: MultimodalSentimentModel, posts: Posts, folder: Path, batch_size: int, show_progress: bool) -> None:
    """Fill a folder; its manifest comes last."""
    features = extract_features(model, posts, batch_size, show_progress, folder)
    states = list(zip(*(getattr(features, name) for name in KNOWN)))
    distinct = {state: code for code, state in enumerate(dict.fromkeys(states))}
    np.save(folder / "labels.npy", features.labels.numpy(), allow_pickle=False)
    np.save(folder / "states.npy", np.array([distinct[state] for state in states], np.int32), allow_pickle=False)
    (folder / "about.json").write_text(json.dumps({
        "states": list(distinct), "tokens": {name: side.tokens.shape[1] for name, side in features.sides.items()}}),
        encoding="utf8")
    sums = {path.name: sha256(path) for path in sorted(folder.iterdir())}
    (folder / "manifest.json").write_text(json.dumps(sums), encoding="utf8")
    usual_modes(folder)


def _load(folder: Path) -> Features | None:
    """The features of a folder, or None where it is missing or anything in it is not as its manifest says."""
    def array(name: str) -> Any:
        # "c": mapped, and writing to it changes nothing on the disk
        return np.load(folder / f"{name}.npy", mmap_mode="c", allow_pickle=False)

    try:
        sums = json.loads((folder / "manifest.json").read_text(encoding="utf8"))
        about = json.loads((folder / "about.json").read_text(encoding="utf8"))
        needed = {"about.json", "labels.npy", "states.npy", *(f"{name}{end}.npy" for name in about["tokens"]
                                                              for end in ("", "-mask"))}
        if any(sha256(folder / name) != sums[name] for name in needed):
            return None
        sides = {name: Encoded(torch.from_numpy(array(name)[:, :longest]),
                               torch.from_numpy(array(f"{name}-mask")[:, :longest]))
                 for name, longest in about["tokens"].items()}
        states = [tuple(state) for state in about["states"]]
        known = [states[code] for code in array("states")]
        return Features(sides, torch.from_numpy(array("labels")), *zip(*known))
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
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
def _key(model: MultimodalSentimentModel, posts: Posts) -> str:
    """A digest of everything that the features depend on: code, packages, encoders, posts."""
    found = hashlib.sha256()
    package = Path(__file__).parent.parent
    for path in sorted(path for pattern in _CODE for path in package.glob(pattern)):
        found.update(f"{path.relative_to(package).as_posix()} {sha256(path)}".encode())
    found.update(repr([version(name) for name in _PACKAGES]).encode())
    ramp = np.arange(61 * 97 * 3, dtype=np.uint32).reshape(61, 97, 3) % 251
    samples = {"text": "CRÈME brûlée isn't,  #good!", "image": Image.fromarray(ramp.astype(np.uint8)),
               "voice": Sound(ramp.reshape(-1).astype(np.float32) / 251)}
    for side, encoder in model.encoders.items():
        found.update(f"{side} {encoder!r} {encoder.max_tokens} {model.fusion.sequences}".encode())
        state = encoder.state_dict()
        found.update(f"{[(name, tensor.device.type) for name, tensor in state.items()]}".encode())
        prepared = encoder.prepare([samples.get(side)])  # shows how texts and pictures are prepared
        found.update(digest(*state.values(), *prepared.values()).encode())
        if hasattr(encoder.prepare, "settings"):
            found.update(repr(encoder.prepare.settings()).encode())
    found.update(identity(posts).encode())
    return found.hexdigest()[:32]
