"""Measured side by side: this package against plain ways of doing the same, in one process.

Each comparison runs both ways in alternating order, several rounds; its ratio is the median over the rounds, with the
smallest and the largest beside it. docs/performance.md says what the figures mean.
"""

from __future__ import annotations

import copy
import importlib.util
import multiprocessing
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from .alignment import Features, align, extract_features
from .data import FoodPosts, make_loader
from .metrics import accuracy
from .model import PAIRS, MultimodalSentimentModel, probabilities_of
from .seeds import seeded
from .training import loss_of, progress, train

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
    return row(name, other_name, times["ours"], times["other"], aim)


def row(name: str, other_name: str, ours: list[float], other: list[float], aim: float) -> dict:
    """A comparison from its rounds' seconds."""
    ratios = [a / b for a, b in zip(ours, other)]
    return {"name": f"{name} / {other_name}", "ours_s": statistics.median(ours), "other_s": statistics.median(other),
            "ratio": statistics.median(ratios), "low": min(ratios), "high": max(ratios), "aim": aim,
            "rounds": len(ratios), "met": statistics.median(ratios) <= aim}


def cached(n: int, seed: int, width: int = WIDTH) -> Features:
    """Features of the shape that full-size encoders give, with three classes that overlap."""
    draw = torch.Generator().manual_seed(seed)
    labels = torch.randint(3, (n,), generator=draw)
    centres = 0.06 * torch.randn(3, width, generator=torch.Generator().manual_seed(99))
    points = centres[labels] + torch.randn(n, width, generator=draw)
    return Features(points[:, : width // 2], points[:, width // 2:], labels)


# --- the correction phase ---


def plain_loop(features: Features, held_out: Features, epochs: int, batch_size: int = 256) -> nn.Module:
    """What one writes first with torch's own parts: the head, steps and choice of the epoch of `align`."""
    def loader(posts: Features, shuffle: bool) -> DataLoader:
        return DataLoader(TensorDataset(posts.fused(), posts.labels), batch_size, shuffle=shuffle)

    width = features.text.shape[1] + features.image.shape[1]
    with seeded(0):
        head = nn.Sequential(nn.Dropout(0.2), nn.Linear(width, 256), nn.ReLU(), nn.Dropout(0.2), nn.Linear(256, 256),
                             nn.ReLU(), nn.Dropout(0.2), nn.Linear(256, 3))
        optimizer = torch.optim.AdamW(head.parameters(), lr=2e-3, weight_decay=0.01)
        learning, checking = loader(features, shuffle=True), loader(held_out, shuffle=False)
        best, best_state = float("inf"), {}
        for _ in range(epochs):
            head.train()
            for rows, targets in learning:
                loss = loss_of(head(rows), targets)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            head.eval()
            with torch.no_grad():
                total = sum(loss_of(head(rows), targets).item() * len(rows) for rows, targets in checking)
            if total < best:
                best, best_state = total, copy.deepcopy(head.state_dict())
    head.load_state_dict(best_state)
    return head.eval()


def bench_align(rounds: int) -> dict:
    """`align` against `plain_loop`, on 2,000 x 1,536 features; both end with a head that is right equally often."""
    features, held_out, epochs = cached(2000, 0), cached(500, 1), 10
    return compare("align, 2,000 x 1,536 cached features", lambda: align(features, held_out, epochs=epochs),
                   lambda: plain_loop(features, held_out, epochs), 0.4, rounds, "a DataLoader loop, same steps")


def bench_logistic(rounds: int) -> dict:
    """Time until a linear head is as often right on validation posts as `LogisticRegression` is in the end.

    Both start from cached features. The learning rate is the one that suits a linear head, 0.005: with the 0.002 that
    suits the larger head, it takes three epochs more.
    """
    from sklearn.linear_model import LogisticRegression

    features, held_out = cached(2000, 0), cached(500, 1)
    looked_at = held_out.fused()
    reached = []

    class Enough(Exception):
        """The accuracy is reached."""

    def other() -> None:
        model = LogisticRegression(max_iter=1000).fit(features.fused().numpy(), features.labels.numpy())
        reached.append(model.score(looked_at.numpy(), held_out.labels.numpy()))

    def ours() -> None:
        def look(head: nn.Module) -> None:
            with torch.no_grad():
                probabilities = probabilities_of(head.eval()(looked_at))
            if accuracy(probabilities, held_out.labels) >= reached[-1]:
                raise Enough

        try:
            align(features, held_out, hidden=0, lr=5e-3, epochs=50, on_epoch=look)
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
        align(features, features, epochs=1)

    return compare("an epoch on cached features", lambda: align(features, features, epochs=1), other, 1 / 30, rounds,
                   "encoding the posts anew")


# --- end to end ---


def bare_training(model: MultimodalSentimentModel, loader: DataLoader, held_out: DataLoader) -> None:
    """The steps of one epoch of `train`, written down bare: no labels checked, nothing counted, nothing kept."""
    matrices = [p for p in model.parameters() if p.dim() > 1]
    vectors = [p for p in model.parameters() if p.dim() <= 1]
    optimizer = torch.optim.AdamW([{"params": matrices, "weight_decay": 0.01},
                                   {"params": vectors, "weight_decay": 0.0}], lr=1e-3, fused=True)
    with seeded(0):
        model.train()
        for batch in loader:
            labels = batch.pop("labels")
            loss = loss_of(model(**batch), labels)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
        model.eval()
        with torch.no_grad():
            for batch in held_out:
                batch.pop("labels")
                model(**batch)


def _trainable() -> tuple[MultimodalSentimentModel, DataLoader, DataLoader, list]:
    model, posts = MultimodalSentimentModel(*PAIRS["bert+resnet18"], num_outputs=3), list(FoodPosts(192))
    return model, make_loader(posts, model, 32, shuffle=True), make_loader(posts[:64], model, 64), posts


def bench_train(rounds: int) -> dict:
    """One epoch of `train` on 192 posts, bert+resnet18."""
    model, loader, held_out, _ = _trainable()
    return compare("train, one epoch", lambda: train(model, loader, held_out, epochs=1, show_progress=False),
                   lambda: bare_training(model, loader, held_out), 1.02, rounds, "a bare loop of the same steps")


def bench_trainer(rounds: int) -> dict:
    """One epoch of `train` against the `Trainer` of transformers, which needs accelerate."""
    from transformers import Trainer, TrainingArguments

    model, loader, held_out, posts = _trainable()

    class WithLoss(nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, input_ids, attention_mask, pixel_values, labels):
            logits = self.model(input_ids, attention_mask, pixel_values)
            return {"loss": loss_of(logits, labels), "logits": logits}

    net = WithLoss()
    with tempfile.TemporaryDirectory() as folder:
        settings = TrainingArguments(folder, num_train_epochs=1, per_device_train_batch_size=32, learning_rate=1e-3,
                                     per_device_eval_batch_size=64, report_to=[], save_strategy="no", use_cpu=True,
                                     eval_strategy="epoch", logging_strategy="no", disable_tqdm=True,
                                     remove_unused_columns=False, max_grad_norm=1.0, weight_decay=0.01)

        def other() -> None:
            # A Trainer seeds every generator there is.
            kept = random.getstate(), np.random.get_state()  # noqa: NPY002
            try:
                with torch.random.fork_rng():
                    trainer = Trainer(net, settings, train_dataset=posts, eval_dataset=posts[:64],
                                      data_collator=loader.collate_fn)
                    trainer.train()
            finally:
                random.setstate(kept[0])
                np.random.set_state(kept[1])  # noqa: NPY002

        return compare("train, one epoch", lambda: train(model, loader, held_out, epochs=1, show_progress=False), other,
                       0.9, rounds, "the Trainer of transformers")


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
    return row("waiting for batches", "the whole epoch", waits, wholes, 0.05)


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


def bench_posts(n: int) -> dict:
    """Posts drawn a second, on one process and on two."""
    one = n / seconds(lambda: _draw(range(n)))
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        pool.map(_draw, [range(2), range(2)])  # the processes have started and imported
        two = n / seconds(lambda: pool.map(_draw, [range(0, n, 2), range(1, n, 2)]))
    return {"one_process": one, "two_processes": two}


def _draw(indices: range) -> int:
    posts = FoodPosts(10**6)
    return len([posts[i] for i in indices])


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
            aligning.append(seconds(partial(align, features, features, epochs=2)))
    return encoding, aligning, memory


def _peak() -> float | None:
    """The highest memory of this process so far, in MB; None on Windows, where it cannot be asked like this."""
    try:
        import resource
    except ImportError:
        return None
    status = Path("/proc/self/status")
    if status.exists():  # Linux: `getrusage` counts there what the process that started this one had
        lines = status.read_text().splitlines()
        return next(int(line.split()[1]) / 2**10 for line in lines if line.startswith("VmHWM"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def bench(quick: bool = False, show_progress: bool = True) -> dict:
    """Run every comparison: a few minutes, or less and rougher with `quick`."""
    rounds, close = (3, 3) if quick else (7, 21)  # what differs by a few hundredths takes more rounds to see
    works = [(bench_align, rounds), (bench_cache, rounds), (bench_train, close), (bench_waiting, close),
             (bench_extract, close), (bench_predict, close)]
    missing = [name for name in ("sklearn", "accelerate") if importlib.util.find_spec(name) is None]
    if "sklearn" not in missing:
        works.insert(1, (bench_logistic, rounds))
    if "accelerate" not in missing:
        works.append((bench_trainer, rounds))
    rows = [work(times) for work, times in progress(works, "bench", show_progress)]
    return {"torch": torch.__version__, "threads": torch.get_num_threads(),
            "ratios": {row.pop("name"): row for row in rows},
            "posts drawn a second": bench_posts(200 if quick else 1000), "growth": bench_growth(32 if quick else 512),
            "left out": ", ".join(f"{name} is not installed" for name in missing) or "nothing"}
