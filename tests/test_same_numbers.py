"""The same seed gives the same numbers: whatever was drawn before, and with one thread or two."""

import ast
import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import food, generators, mini, own_table, quiet_environment

import mmsa_utils
from mmsa_utils import checks, load_model, scenes
from mmsa_utils.__main__ import main
from mmsa_utils.apps.sources import halves
from mmsa_utils.encoders.base import Encoded
from mmsa_utils.encoders.table import (
    ENCODERS,
    load_encoder,
    load_image_encoder,
    load_text_encoder,
    load_voice_encoder,
)
from mmsa_utils.exercises.variants import drawn
from mmsa_utils.explorers.conflict import conflict_explorer
from mmsa_utils.explorers.fusion import fusion_explorer
from mmsa_utils.explorers.gaze import gaze_explorer
from mmsa_utils.explorers.posts import post_explorer
from mmsa_utils.explorers.voice import voice_explorer
from mmsa_utils.fusion.concat import Concat
from mmsa_utils.inspection import museum
from mmsa_utils.inspection.case import case_of
from mmsa_utils.inspection.exhibits import SmallModel
from mmsa_utils.inspection.inspection import inspect_model, looked_at
from mmsa_utils.inspection.suspects import suspect
from mmsa_utils.learning import correction, metrics
from mmsa_utils.learning.alignment import align, head_answers
from mmsa_utils.learning.batches import make_loader
from mmsa_utils.learning.evaluation import answers
from mmsa_utils.learning.features import Features, extract_features, shuffled
from mmsa_utils.learning.paired import bootstrap, paired_difference
from mmsa_utils.learning.training import train
from mmsa_utils.model.export import samples
from mmsa_utils.model.head import random_head
from mmsa_utils.model.model import PAIRS, MultimodalSentimentModel
from mmsa_utils.model.recipe import recipe
from mmsa_utils.posts.camera import photo_example
from mmsa_utils.posts.food import FoodPosts, burger_example, make_post
from mmsa_utils.posts.noise import SyntheticDataset
from mmsa_utils.posts.own import load_posts
from mmsa_utils.posts.parts import three_parts
from mmsa_utils.posts.places import PlacePosts
from mmsa_utils.posts.post import BINARY_LABELS
from mmsa_utils.posts.real.miniature import write_miniature
from mmsa_utils.posts.spoken import SpokenPosts, make_spoken
from mmsa_utils.reading.reader import Reader
from mmsa_utils.seeds import seeded

SEEDING = {"seeded", "manual_seed", "default_rng", "Random", "fork_rng", "randperm"}


def cached(n: int = 200, seed: int = 0) -> Features:
    """Features of 32 numbers that tell the label, through noise."""
    draw = torch.Generator().manual_seed(seed)
    labels = torch.randint(3, (n,), generator=draw)
    sides = torch.randn(2, n, 16, generator=draw)
    sides[:, torch.arange(n), labels] += 2
    return Features(dict(zip(("text", "image"), map(Encoded.of, sides))), labels)


def weights(net: torch.nn.Module) -> list[float]:
    return [tensor.double().sum().item() for tensor in net.state_dict().values()]


def aligned(hidden: int = 64) -> tuple[list[dict], torch.Tensor]:
    fusion, head = Concat({"text": 16, "image": 16}), random_head(32, hidden=hidden, seed=3)
    history = align(fusion, head, cached(), cached(80, 1), epochs=4, seed=3)
    return history[1:], head_answers(fusion, head, cached(80, 2))


def trained(pair: str = "distilbert+vit", seed: int = 3) -> tuple[list[dict], torch.Tensor]:
    model, posts = MultimodalSentimentModel(*PAIRS[pair], seed=seed), food()
    history = train(model, make_loader(posts, model, 8, shuffle=True, seed=seed), make_loader(posts, model, 8),
                    epochs=1, seed=seed, show_progress=False)
    return history, answers(model, make_loader(posts, model, 8))[0]


def in_seeded() -> torch.Tensor:
    with seeded(3):
        return torch.rand(2)


def plain(value: object) -> object:
    """The same with lists in the place of arrays and tensors, which == then compares."""
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    return value.tolist() if hasattr(value, "tolist") else value


def command(*words: str) -> str:
    with redirect_stdout(StringIO()) as out:
        assert main([*words, "--json"]) == 0
    return out.getvalue()


def vectors(features: Features) -> torch.Tensor:
    return torch.cat([side.pooled for side in features.sides.values()], 1)


def loaded() -> list[dict]:
    """Twelve posts in batches."""
    return list(make_loader(food(), mini(), 6))


def untrained(side: str, name: str) -> list[float]:
    return weights(load_encoder(side, name, pretrained=False, seed=3))


def own_parts() -> list[list[str]]:
    """The texts of a reader's own posts, dealt into three parts."""
    with tempfile.TemporaryDirectory() as folder:
        parts = three_parts(load_posts(own_table(Path(folder))), seed=3)
    return [[row[0] for row in part.rows] for part in parts[:3]]


def miniature() -> list:
    """The files of a miniature of a published set."""
    with tempfile.TemporaryDirectory() as folder:
        write_miniature(Path(folder) / "set", n=60, seed=3)
        return [path.read_bytes() for path in sorted(Path(folder).rglob("*.*"))]


#: modules that draw: what they offer, as calls
DRAWING: dict[str, list[Callable[[], object]]] = {
    "seeds": [in_seeded],
    "posts.food": [lambda: FoodPosts(3)[2].text, lambda: make_post("same", 1, seed=4).text,
                   lambda: np.asarray(burger_example().image)],
    "posts.places": [lambda: PlacePosts(3)[2].text, lambda: np.asarray(PlacePosts(2)[1].image)],
    "posts.spoken": [lambda: SpokenPosts(3)[2].voice.samples, lambda: make_spoken(2, -1, "flat", seed=4).voice.samples],
    "posts.camera": [lambda: np.asarray(photo_example())],
    "posts.parts": [lambda: own_parts()],
    "posts.noise": [lambda: np.asarray(SyntheticDataset(3)[1].image)],
    "posts.real.miniature": [lambda: miniature()],
    "posts.scenes": [lambda: np.asarray(scenes.draw(scenes.random_scene("soup", 1, np.random.default_rng(2))))],
    "posts.pen": [lambda: [np.asarray(scenes.draw(scenes.Scene(dish))).sum() for dish in scenes.TRAIN_DISHES]],
    "encoders.pretrained": [lambda: [untrained(side, name) for side, names in ENCODERS.items() for name in names],
                            lambda: [weights(load_text_encoder("bert")), weights(load_image_encoder("resnet18"))]],
    "encoders.image": [lambda: weights(load_image_encoder("resnet18", "full", pretrained=False))],
    "encoders.voice": [lambda: weights(load_voice_encoder("whisper", pretrained=False, seed=3))],
    "model.model": [lambda: weights(MultimodalSentimentModel(seed=5)),
                    lambda: weights(load_model()),
                    lambda: load_model().predict(["A soup."], [food()[0].image])],
    "model.head": [lambda: weights(random_head(8, seed=3))],
    "model.export": [lambda: list(samples(mini(), 3).values())],
    "model.recipe": [lambda: recipe(mini())["image"]],
    "learning.batches": [lambda: [batch["labels"] for batch in make_loader(food(), mini(), 5, shuffle=True, seed=3)]],
    "learning.evaluation": [lambda: answers(mini(), make_loader(food(), mini(), 5))[0]],
    "learning.features": [lambda: vectors(extract_features(mini(), food(), show_progress=False)),
                          lambda: shuffled(cached(), seed=3).labels],
    "learning.alignment": [aligned],
    "learning.training": [trained],
    "learning.metrics": [lambda: metrics.over_posts_and_seeds(np.eye(5, dtype=bool))],
    "learning.paired": [lambda: bootstrap(np.arange(5.0)),
                        lambda: paired_difference(np.eye(5, dtype=bool)[0], np.eye(5, dtype=bool))["low"]],
    "learning.correction": [lambda: correction.correction_phase(seeds=1, n_train=40, n_test=20,
                                                                show_progress=False)[0]["after"]],
    "inspection.case": [lambda: [(found.number, found.verdict) for found in inspect_model(mini(), loaded())]],
    "inspection.museum": [lambda: weights(museum.taught(SmallModel, {
        "inputs_embeds": torch.ones(6, 3, 8), "attention_mask": torch.ones(6, 3), "patches": torch.ones(6, 2, 4),
        "labels": torch.arange(6) % 3}, epochs=1)[0])],
    "inspection.suspects": [lambda: [suspect(5)[1]["input_ids"], *suspect(5)[0].state_dict().values()]],
    "inspection.weights": [lambda: looked_at("step", case_of(mini(), loaded())).number],
    "reading.reader": [lambda: Reader(mini(), 4).read("A soup.", food()[0].image).text],
    "exercises.checks": [lambda: repr(checks.chance_band(lambda posts, classes: (0.1, 0.2)))],
    "exercises.variants": [lambda: drawn("2.2", 7)[0]],
    "exercises.posts": [lambda: repr(checks.peeking(lambda shared, seed: {}))],
    "exercises.picture": [lambda: repr(checks.map_size(lambda *sizes: 1))],
    "explorers.posts": [lambda: post_explorer() and None],
    "explorers.gaze": [lambda: gaze_explorer(MultimodalSentimentModel(
        classes=BINARY_LABELS, fusion="attention", frozen=True)) and None],
    "explorers.voice": [lambda: voice_explorer() and None],
    "explorers.conflict": [lambda: conflict_explorer(load_model()) and None],
    "explorers.fusion": [lambda: fusion_explorer() and None],
    "apps.sources": [lambda: halves(9, seed=3)],
    "apps.evaluate": [lambda: command("evaluate", "--posts", "20")],
}


@pytest.fixture
def cards(monkeypatch) -> list[str]:
    """The seeds that reached the generators of graphics cards, which are as global as the processor's."""
    seeded: list[str] = []
    for kind, name in (("cuda", "manual_seed_all"), ("cuda", "manual_seed"), ("mps", "manual_seed"),
                       ("xpu", "manual_seed_all")):
        module = getattr(torch, kind, None)
        if hasattr(module, name):
            monkeypatch.setattr(module, name, lambda seed, kind=kind: seeded.append(kind))
    return seeded


@pytest.fixture
def as_they_were() -> Iterator[None]:
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    yield
    random.setstate(states[0])
    np.random.set_state(states[1])  # noqa: NPY002
    torch.set_rng_state(states[2])


@pytest.mark.parametrize("module", DRAWING)
@pytest.mark.usefixtures("as_they_were", "one_thread")
def test_whoever_draws_neither_reads_nor_moves_the_global_generators(module, cards, monkeypatch):
    monkeypatch.setattr(correction, "RANDOM_HEADS", 2)
    for call in DRAWING[module]:
        results = []
        for seed in (1, 2):
            random.seed(seed)
            np.random.seed(seed)  # noqa: NPY002
            torch.default_generator.manual_seed(seed)
            before = generators()
            results.append(plain(call()))
            assert generators() == before
        assert results[0] == results[1]
    assert not cards, "torch.manual_seed seeds graphics cards too: use seeds.seeded"


def test_no_module_that_draws_is_forgotten():
    drawing = set()
    package = Path(mmsa_utils.__file__).parent
    for path in package.rglob("*.py"):
        nodes = ast.walk(ast.parse(path.read_text(encoding="utf8")))
        called = [node.func for node in nodes if isinstance(node, ast.Call)]
        if SEEDING & {getattr(function, "attr", getattr(function, "id", "")) for function in called}:
            drawing.add(".".join(path.relative_to(package).with_suffix("").parts))
    assert {"posts.food", "model.head", "learning.training"} < drawing <= set(DRAWING)


# --- threads ---


def features(pair: str) -> tuple[list[dict], torch.Tensor]:
    found = extract_features(mini(pair), food(), show_progress=False)
    return [], vectors(found)


WORK: dict[str, Callable[[], tuple[list[dict], torch.Tensor]]] = {
    **{f"features {pair}": lambda pair=pair: features(pair) for pair in PAIRS},
    "align": lambda: aligned(hidden=256),
    **{f"train {pair}": lambda pair=pair: trained(pair) for pair in PAIRS},
}
#: how far one thread and two may lie apart, as docs/claims.md says: in a history, in features or probabilities
TOLERANCES = {"features": (0, 1e-5), "align": (1e-3, 1e-3), "train": (0.01, 0.05)}


def done(count: int) -> dict[str, list]:
    """All of the work, twice, with as many threads: name → two of (history, numbers)."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        return {name: [plain(work()), plain(work())] for name, work in WORK.items()}
    finally:
        torch.set_num_threads(before)


@pytest.fixture(scope="module")
def one() -> dict[str, list]:
    return done(1)


@pytest.fixture(scope="module")
def two() -> dict[str, list]:
    """In a process whose threads sleep while they wait: those that spin take a busy machine many times as long."""
    script = (f"import sys, json; sys.path[:0] = {sys.path!r}; import test_same_numbers as tests; "
              "print(json.dumps(tests.done(2)))")
    env = {**quiet_environment(), "OMP_NUM_THREADS": "2", "OMP_WAIT_POLICY": "PASSIVE"}
    run = subprocess.run([sys.executable, "-c", script], env=env, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(run.stdout.splitlines()[-1])


def differences(first: tuple[list[dict], list], second: tuple[list[dict], list]) -> tuple[float, float]:
    """The largest difference between two histories, and between two arrays of numbers."""
    rows = [abs(row[name] - again[name]) for row, again in zip(first[0], second[0], strict=True) for name in row]
    return max(rows, default=0.0), float(np.abs(np.subtract(first[1], second[1])).max())


@pytest.mark.parametrize("name", WORK)
def test_the_same_count_of_threads_gives_the_same_bits(one, two, name):
    assert one[name][0] == one[name][1]
    assert two[name][0] == two[name][1]


@pytest.mark.parametrize("name", WORK)
def test_one_thread_and_two_give_the_same_numbers_within_the_stated_tolerance(one, two, name):
    apart, allowed = differences(one[name][0], two[name][0]), TOLERANCES[name.split()[0]]
    assert apart[0] <= allowed[0]
    assert apart[1] <= allowed[1]


def test_the_check_of_differences():
    assert differences(([{"loss": 1.0}], [[1, 2]]), ([{"loss": 1.5}], [[1, 4]])) == (0.5, 2)
    assert differences(([], [[1.0]]), ([], [[1.0]])) == (0, 0)
