"""Two versions of the package, each in processes of its own, in turns: what `bench.py --against` measures.

Seconds are of processor time, on one thread: what other programs do counts little.
It uses only what every version has had so far, and knows both ways to call `align`.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def against(other: Path, rounds: int) -> list[dict]:
    """A row for each piece of work: the seconds of this checkout / those of the other one, so that less is better."""
    if not (other / "mmsa_utils" / "__init__.py").is_file():
        raise SystemExit(f"{other} holds no mmsa_utils: name the root of another checkout.")
    times: dict[Path, list[dict]] = {ROOT: [], other.resolve(): []}
    for turn in range(rounds):
        for folder in list(times)[:: 1 if turn % 2 == 0 else -1]:
            times[folder].append(measured(folder))
            print(".", end="", flush=True, file=sys.stderr)
    print(file=sys.stderr)
    ours, others = times.values()
    return [row(name, [seen[name] for seen in ours], [seen[name] for seen in others]) for name in ours[0]]


def row(name: str, ours: list[float], other: list[float]) -> dict:
    """A comparison from its rounds' seconds."""
    ratios = [a / b for a, b in zip(ours, other)]
    return {"name": name, "ours_s": statistics.median(ours), "other_s": statistics.median(other),
            "ratio": statistics.median(ratios), "low": min(ratios), "high": max(ratios), "rounds": len(ratios)}


def measured(folder: Path) -> dict[str, float]:
    """What the version in a folder takes, in a process of its own."""
    done = subprocess.run([sys.executable, __file__], cwd=folder, check=True, capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": str(folder), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"})
    return json.loads(done.stdout)


def seconds(work: Callable[[], object], times: int) -> float:
    """The quickest of several calls, after one that is not counted."""
    work()
    taken = []
    for _ in range(times):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return min(taken)


def work(n: int = 192) -> dict[str, float]:
    """Seconds of each piece of work, on n posts."""
    import torch  # noqa: F401  (it costs the same in every version)

    start = time.process_time()
    import mmsa_utils

    if not Path(mmsa_utils.__file__).is_relative_to(Path.cwd()):
        raise SystemExit(f"{mmsa_utils.__file__} was imported, not the version in {Path.cwd()}")
    found = {"import mmsa_utils, over torch": time.process_time() - start}
    from mmsa_utils import (
        FoodPosts,
        MultimodalSentimentModel,
        align,
        extract_features,
        load_model,
        make_loader,
        random_head,
        train,
    )

    found["import what trains and predicts"] = time.process_time() - start
    posts = list(FoodPosts(n))
    model = load_model()
    found["20 predictions"] = seconds(
        lambda: [model.predict([post.text], [post.image]) for post in posts[:20]], 7)
    found["extract_features"] = seconds(lambda: extract_features(model, posts, show_progress=False), 3)
    features = extract_features(model, posts * 10, show_progress=False)

    def aligned() -> None:
        try:
            from mmsa_utils.fusion.concat import Concat
        except ImportError:  # the flat package: it made the head itself
            align(features, features, epochs=5)
        else:
            fusion = Concat(features.widths)
            align(fusion, random_head(fusion.width), features, features, epochs=5)

    found["align, 5 epochs"] = seconds(aligned, 5)
    learner = MultimodalSentimentModel("bert", "resnet18")
    loaders = make_loader(posts, learner, shuffle=True), make_loader(posts[:n // 3], learner, 64)
    found["train, one epoch"] = seconds(
        lambda: train(learner, *loaders, epochs=1, show_progress=False), 3)
    return found


if __name__ == "__main__":
    print(json.dumps(work()))
