"""Measured side by side: this package against plain ways of doing the same, or against another version of itself.

python tools/measure/bench.py [--quick] [--json]     beside plain ways, in one process: some minutes
python tools/measure/bench.py --against FOLDER       beside the package in another checkout, such as an older one

Each comparison runs both ways in alternating order, several rounds; its ratio is the median over the rounds, with the
smallest and the largest beside it. docs/performance.md says what the figures mean.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import multiprocessing
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
import versions
from plain import bare_training, joined, plain_loop, with_trainer
from plain_fusions import PLAIN
from torch import nn
from torch.utils.data import DataLoader

from mmsa_utils import PAIRS, Features, FoodPosts, MultimodalSentimentModel, align, extract_features, make_loader, train
from mmsa_utils.bars import progress
from mmsa_utils.encoders.base import Encoded
from mmsa_utils.fusion.concat import Concat
from mmsa_utils.fusion.table import make_fusion
from mmsa_utils.learning.metrics import accuracy
from mmsa_utils.model.head import probabilities_of, random_head

WIDTH = 1536  # of the joined features at full size: 768 + 768
GROWTH = (1, 2, 4, 8, 16)


def seconds(work: Callable[[], object]) -> float:
    """How long a call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def compare(name: str, ours: Callable, other: Callable, aim: float, rounds: int, other_name: str) -> dict:
    """One row: ours / other, so that less is better. Both run once beforehand, uncounted."""
    ours(), other()
    times: dict[str, list[float]] = {"ours": [], "other": []}
    for turn in range(rounds):
        for key, work in (("ours", ours), ("other", other))[:: 1 if turn % 2 == 0 else -1]:
            times[key].append(seconds(work))
    return judged(f"{name} / {other_name}", *times.values(), aim)


def judged(name: str, ours: list[float], other: list[float], aim: float) -> dict:
    """A comparison from its rounds' seconds, and whether it is what we aim at."""
    row = versions.row(name, ours, other)
    return {**row, "aim": aim, "met": row["ratio"] <= aim}


def cached(n: int, seed: int, width: int = WIDTH) -> Features:
    """Features of the shape that full-size encoders give, with three classes that overlap."""
    draw = torch.Generator().manual_seed(seed)
    labels = torch.randint(3, (n,), generator=draw)
    centres = 0.06 * torch.randn(3, width, generator=torch.Generator().manual_seed(99))
    points = centres[labels] + torch.randn(n, width, generator=draw)
    return Features({"text": Encoded.of(points[:, : width // 2]), "image": Encoded.of(points[:, width // 2:])}, labels)


# --- the correction phase ---


def aligned(features: Features, held_out: Features, hidden: int = 256, **options) -> tuple[Concat, nn.Module]:
    """A fusion and a head, aligned from the start."""
    fusion = Concat(features.widths)
    head = random_head(fusion.width, hidden=hidden)
    align(fusion, head, features, held_out, **options)
    return fusion, head


def bench_align(rounds: int) -> dict:
    """`align` against `plain_loop`, on 2,000 x 1,536 features; both end with a head that is right equally often."""
    features, held_out, epochs = cached(2000, 0), cached(500, 1), 10
    return compare("align, 2,000 x 1,536 cached features", lambda: aligned(features, held_out, epochs=epochs),
                   lambda: plain_loop(features, held_out, epochs), 0.4, rounds, "a DataLoader loop, same steps")


def bench_logistic(rounds: int) -> dict:
    """Time until a linear head is as often right on validation posts as `LogisticRegression` is in the end.

    Both start from cached features. The learning rate is the one that suits a linear head, 0.005: with the 0.002 that
    suits the larger head, it takes three epochs more.
    """
    from sklearn.linear_model import LogisticRegression

    features, held_out = cached(2000, 0), cached(500, 1)
    learned, looked_at = joined(features), joined(held_out)
    reached = []

    class Enough(Exception):
        """The accuracy is reached."""

    def other() -> None:
        model = LogisticRegression(max_iter=1000).fit(learned.numpy(), features.labels.numpy())
        reached.append(model.score(looked_at.numpy(), held_out.labels.numpy()))

    def ours() -> None:
        def look(head: nn.Module) -> None:
            with torch.no_grad():
                probabilities = probabilities_of(head.eval()(looked_at))
            if accuracy(probabilities, held_out.labels) >= reached[-1]:
                raise Enough

        try:
            aligned(features, held_out, hidden=0, lr=5e-3, epochs=50, on_epoch=look)
            raise RuntimeError(f"align did not reach {reached[-1]:.3f} in 50 epochs")
        except Enough:
            return

    other()  # says what is to be reached
    return compare("align, a linear head, until it is as good as", ours, other, 1.0, rounds,
                   "LogisticRegression (scikit-learn)")


def bench_cache(rounds: int) -> dict:
    """Aligning on cached features against encoding the posts again in each epoch; 1 / 30 is thirty times as fast."""
    model, posts = MultimodalSentimentModel(*PAIRS["distilbert+vit"], frozen=True).eval(), list(FoodPosts(512))
    features = extract_features(model, posts, show_progress=False)

    def other() -> None:
        extract_features(model, posts, show_progress=False)
        aligned(features, features, epochs=1)

    return compare("an epoch on cached features", lambda: aligned(features, features, epochs=1), other, 1 / 30, rounds,
                   "encoding the posts anew")


def bench_fusion(name: str, rounds: int) -> dict:
    """Steps of a fusion under a linear head, forth and back, against the same mathematics in torch's own modules."""
    plain = PLAIN[name]()
    fusion = make_fusion(name, {"text": 128, "image": 128})
    heads = [nn.Linear(fusion.width, 1) for _ in range(2)]
    shapes = ((128, 21, 128), (128, 65, 128)) if fusion.sequences else ((128, 1, 128), (128, 1, 128))
    tokens = [torch.randn(shape, generator=torch.Generator().manual_seed(0)) for shape in shapes]
    masks = [torch.ones(one.shape[:2], dtype=torch.bool) for one in tokens]
    sides = {side: Encoded(*pair) for side, pair in zip(fusion.widths, zip(tokens, masks))}
    bare = tokens if fusion.sequences else [one[:, 0] for one in tokens]
    times = 5 if fusion.sequences else 50

    def steps(way: Callable, head: nn.Module, *given: object) -> None:
        for _ in range(times):
            head(way(*given)).square().mean().backward()

    return compare(f"{name}, {times} steps of 128", lambda: steps(fusion, heads[0], sides),
                   lambda: steps(plain, heads[1], bare, masks), 1.1, rounds, "torch's own modules")


# --- end to end ---


def _trainable() -> tuple[MultimodalSentimentModel, DataLoader, DataLoader, list]:
    model, posts = MultimodalSentimentModel(*PAIRS["bert+resnet18"]), list(FoodPosts(192))
    return model, make_loader(posts, model, 32, shuffle=True), make_loader(posts[:64], model, 64), posts


def bench_train(rounds: int) -> dict:
    """One epoch of `train` on 192 posts, bert+resnet18."""
    model, loader, held_out, _ = _trainable()
    return compare("train, one epoch", lambda: train(model, loader, held_out, epochs=1, show_progress=False),
                   lambda: bare_training(model, loader, held_out), 1.02, rounds, "a bare loop of the same steps")


def bench_trainer(rounds: int) -> dict:
    """One epoch of `train` against the `Trainer` of transformers, which needs accelerate."""
    model, loader, held_out, posts = _trainable()
    with tempfile.TemporaryDirectory() as folder:
        return compare("train, one epoch", lambda: train(model, loader, held_out, epochs=1, show_progress=False),
                       lambda: with_trainer(model, posts, loader.collate_fn, folder), 0.9, rounds,
                       "the Trainer of transformers")


def bench_accelerate(rounds: int) -> dict:
    """One epoch of `train` with an Accelerator for this one process against the same without."""
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState, GradientState

    model, loader, held_out, _ = _trainable()
    accelerator = Accelerator(cpu=True)
    try:
        return compare("train with an Accelerator, one epoch",
                       lambda: train(model, loader, held_out, epochs=1, accelerator=accelerator, show_progress=False),
                       lambda: train(model, loader, held_out, epochs=1, show_progress=False), 1.02, rounds, "without")
    finally:  # what the process was told, the next one of this bench must not find
        AcceleratorState._reset_state(True)
        GradientState._reset_state()


def bench_waiting(rounds: int) -> dict:
    """The share of a training epoch that is spent waiting for batches."""
    model, loader, held_out, _ = _trainable()
    waits, wholes = [], []
    for _ in range(rounds):
        waited = 0.0

        class Watched:
            def __iter__(self):
                nonlocal waited
                batches = iter(loader)
                while True:
                    start = time.perf_counter()
                    batch = next(batches, None)
                    waited += time.perf_counter() - start
                    if batch is None:
                        return
                    yield batch

        wholes.append(seconds(lambda: bare_training(model, Watched(), held_out)))
        waits.append(waited)
    return judged("waiting for batches / the whole epoch", waits, wholes, 0.05)


# --- encoding, predicting, drawing ---


def bench_extract(rounds: int) -> dict:
    """`extract_features` with all it does against the encoders' forward passes alone, in the order of the posts."""
    model, posts = MultimodalSentimentModel(*PAIRS["distilbert+vit"], frozen=True).eval(), list(FoodPosts(512))
    batches = [{name: tensor for name, tensor in batch.items() if name != "labels"}
               for batch in make_loader(posts, model, 64)]

    @torch.no_grad()
    def other() -> None:
        for batch in batches:
            model.encode(**batch)

    return compare("extract_features, 512 posts", lambda: extract_features(model, posts, show_progress=False), other,
                   1.1, rounds, "the encoders' bare forward passes")


def bench_predict(rounds: int) -> dict:
    """One `predict` of one post, tokens and pixels included, against the forward pass alone; 30 calls a round."""
    model, post = MultimodalSentimentModel(*PAIRS["distilbert+vit"], frozen=True).eval(), FoodPosts(1)[0]
    batch = model.prepare([post.text], [post.image])

    @torch.no_grad()
    def other() -> None:
        for _ in range(30):
            model(**batch)

    return compare("one prediction, 30 times",
                   lambda: [model.predict([post.text], [post.image]) for _ in range(30)], other, 1.2, rounds,
                   "the bare forward pass")


def bench_posts(n: int) -> float:
    """Posts drawn a second."""
    return n / seconds(lambda: list(FoodPosts(n)))


def bench_growth(n: int) -> dict:
    """Extraction and `align` at 1, 2, 4, 8 and 16 times n posts: exponents fitted to the seconds, and the memory.

    It runs in a process of its own, whose highest memory so far is read after each extraction (features on the disk).
    """
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        encoding, aligning, memory = pool.apply(_grow, (n, torch.get_num_threads()))
    sizes = np.log([n * times for times in GROWTH])
    exponents = {name: float(np.polyfit(sizes, np.log(times), 1)[0])
                 for name, times in (("extract_features", encoding), ("align", aligning))}
    return {"posts": f"{n} to {n * GROWTH[-1]}", "exponents": exponents, "seconds": encoding, "memory_mb": memory,
            "aim": 1.05, "met": max(exponents.values()) <= 1.05}


def _grow(n: int, threads: int) -> tuple[list[float], list[float], list[float | None]]:
    torch.set_num_threads(threads)
    model = MultimodalSentimentModel(*PAIRS["distilbert+vit"], frozen=True).eval()
    extract_features(model, FoodPosts(64), show_progress=False)  # everything is loaded
    encoding, aligning, memory, found = [], [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for times in GROWTH:
            start = time.perf_counter()
            place = Path(folder, str(times))
            place.mkdir()
            found.append(extract_features(model, FoodPosts(n * times), show_progress=False, folder=place))
            encoding.append(time.perf_counter() - start)
            memory.append(_peak())
        for features in found:
            aligning.append(seconds(partial(aligned, features, features, epochs=2)))
    return encoding, aligning, memory


def _peak() -> float | None:
    """The highest memory of this process so far, in MB, where the system says it (Linux)."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) / 2**10 for line in lines if line.startswith("VmHWM")), None)


def bench(quick: bool = False, show_progress: bool = True) -> dict:
    """Run every comparison: a few minutes, or less and rougher with `quick`."""
    rounds, close = (3, 3) if quick else (7, 21)  # what differs by a few hundredths takes more rounds to see
    works = [(bench_align, rounds), (bench_cache, rounds), (bench_train, close), (bench_waiting, close),
             (bench_extract, close), (bench_predict, close),
             *((partial(bench_fusion, name), close) for name in PLAIN)]
    missing = [name for name in ("sklearn", "accelerate") if importlib.util.find_spec(name) is None]
    if "sklearn" not in missing:
        works.insert(1, (bench_logistic, rounds))
    if "accelerate" not in missing:
        works += [(bench_accelerate, close), (bench_trainer, rounds)]
    rows = [work(times) for work, times in progress(works, "bench", show_progress)]
    return {"torch": torch.__version__, "threads": torch.get_num_threads(), "ratios": rows,
            "posts drawn a second": bench_posts(200 if quick else 1000), "growth": bench_growth(32 if quick else 512),
            "left out": missing}


def table(rows: list[dict]) -> str:
    """Comparisons as lines of text."""
    width = max(len(row["name"]) for row in rows)
    return "\n".join(f"{row['name']:{width}}  {row['ratio']:6.3f}  ({row['low']:.3f} to {row['high']:.3f}, "
                     f"{row['rounds']} rounds)" + (f"  aim {row['aim']:.3g}" if "aim" in row else "") for row in rows)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer rounds: quicker and rougher")
    parser.add_argument("--against", type=Path, metavar="FOLDER", help="another checkout's root, with mmsa_utils in it")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    if options.against:
        result = {"ratios": versions.against(options.against, 3 if options.quick else 9)}
    else:
        result = bench(options.quick)
    if options.json:
        print(json.dumps(result))
        return
    rows = result.pop("ratios")
    print("\n".join([table(rows), *(f"{name}: {value}" for name, value in result.items())]))


if __name__ == "__main__":
    main()
