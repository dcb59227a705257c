"""What docs/colab.md says that full size needs on a T4 follows from the counts, and the counts from what is done."""

import json
import os
import subprocess
import sys
from pathlib import Path

import estimate_t4
import pytest

TOOLS = Path(estimate_t4.__file__).parent
COUNTED = """
import sys, torch
sys.path.append(sys.argv[1])
import count_work
count_work.start()
from mmsa_utils import FoodPosts, MultimodalSentimentModel, align, best_device, extract_features, loss_of
posts = list(FoodPosts(6))
model = MultimodalSentimentModel("distilbert", "resnet18", num_outputs=3).to(best_device())
extract_features(model, posts, batch_size=4, show_progress=False)
model.cpu().freeze()
model.predict(["two words"], [posts[0].image])
model.freeze(False)
batch = model.prepare(["some words", "words"], [post.image for post in posts[:2]])
loss_of(model(**batch), torch.tensor([0, 1])).backward()
count_work.finish(sys.argv[2])
"""


@pytest.fixture(scope="module")
def full() -> dict[str, dict]:
    return {name: estimate_t4.architecture(name) for name in ("bert", "distilbert", "resnet18", "vit")}


def test_the_work_of_the_encoders_is_counted(tmp_path):
    path = tmp_path / "counted.json"
    subprocess.run([sys.executable, "-c", COUNTED, str(TOOLS), str(path)], check=True, env={**os.environ})
    counted = json.loads(path.read_text(encoding="utf8"))
    rows = {(row["encoder"], row["device"], row["learns"]): row for row in counted["encoders"]}
    kinds = (("card", False), ("cpu", False), ("cpu", True))
    assert set(rows) == {(encoder, *kind) for encoder in ("distilbert", "resnet18") for kind in kinds}
    pictures = [rows[("resnet18", *kind)] for kind in kinds]
    assert [(row["calls"], row["items"], row["numbers"], row["largest"]) for row in pictures] == [
        (2, 6, 6, 4), (1, 1, 1, 1), (1, 2, 2, 2)]
    assert rows["distilbert", "cpu", False]["numbers"] == 4  # [CLS] two words [SEP]
    assert rows["distilbert", "cpu", True]["numbers"] == 8  # two texts, padded to the longer
    assert (counted["drawn"]["items"], counted["prepared"]["items"], counted["backward"]["items"]) == (6, 9, 1)
    assert 0 < rows["resnet18", "card", False]["seconds"] < counted["cpu_seconds"]


def test_architectures_are_the_published_ones(full):
    """Millions of parameters and billions of operations (two a multiplication) of the papers and model cards."""
    for name, parameters, operations in (("resnet18", 11.2, 3.6), ("vit", 86, 35.1)):
        assert full[name]["parameters"] / 1e6 == pytest.approx(parameters, rel=0.02)
        assert full[name]["operations"] / 1e9 == pytest.approx(operations, rel=0.02)
    for name, layers in (("bert", 85.1), ("distilbert", 42.5)):  # an operation for each of the layers' weights, twice
        assert full[name]["operations"] / 1e6 == pytest.approx(2 * layers, rel=0.02)
    for need in full.values():
        assert need["learning"] > need["encoding"] > 0


def test_memory_at_work_is_that_of_live_tensors():
    import torch

    with estimate_t4.Peak() as peak:
        first = torch.zeros(1000, device="meta")
        view = first.view(10, 100)
        second = view + 1
        del first, view
        third = second + 1
    assert peak.most == 8000
    assert third.numel() == 1000


def test_an_estimate_by_hand(full):
    one = {"encoder": "vit", "device": "card", "learns": False, "items": 1000, "numbers": 1000, "largest": 64,
           "seconds": 2}
    row = {"encoders": [one], "drawn": {"items": 100, "seconds": 1}, "prepared": {"items": 0, "seconds": 0},
           "backward": {"items": 5, "seconds": 1}, "cpu_seconds": 13, "peak_memory_mb": 1000}
    need = estimate_t4.estimate(row, full)
    weights = 4 * full["vit"]["parameters"]
    seconds = 60 + weights / 50e6 + 2.5 * 10 + 1.5 * 100 * 0.0075 + 1000 * full["vit"]["operations"] / (0.3 * 8.1e12)
    assert need["minutes"] == pytest.approx(seconds / 60)
    assert need["card"] == pytest.approx(0.6e9 + weights + 64 * full["vit"]["encoding"])
    assert (need["files"], need["ram"]) == (weights, 1e9 + 2 * weights + 100 * 3 * (224**2 - 64**2))
    learning = estimate_t4.estimate({**row, "encoders": [{**one, "learns": True}]}, full)
    assert learning["card"] > 4 * weights + 64 * full["vit"]["learning"]
    elsewhere = estimate_t4.estimate({**row, "encoders": [{**one, "device": "cpu"}]}, full)
    assert elsewhere["minutes"] > need["minutes"]
    assert elsewhere["card"] == 0


def test_the_page_shows_what_the_counts_give(full, monkeypatch):
    monkeypatch.setattr(estimate_t4, "architecture", full.get)
    counts = json.loads(estimate_t4.COUNTS.read_text(encoding="utf8"))
    assert len(counts) == 9
    assert estimate_t4.table(counts) in estimate_t4.PAGE.read_text(encoding="utf8"), "run tools/estimate_t4.py"
