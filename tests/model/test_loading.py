"""What is saved comes back; a folder that is damaged, or is no model, is refused by name."""

import copy
import json
import shutil
from pathlib import Path

import pytest
import torch
from helpers import edit_json, logits_of, mini, one_step
from safetensors.torch import load_file, save_file

from mmsa_utils import BINARY_LABELS, LABELS, PAIRS, MultimodalSentimentModel, burger_example, load_model

# --- what is saved comes back ---


@pytest.mark.parametrize("classes", [BINARY_LABELS, LABELS])
@pytest.mark.parametrize("options", [{"frozen": True}, {"hidden": 0}, {"hidden": 17, "dropout": 0.4}])
def test_what_is_saved_comes_back(tiny, tmp_path, options, classes):
    net = tiny(classes=classes, seed=3, **options)
    one_step(net)
    net.temperature.fill_(1.7)
    expected = logits_of(net)
    net.save_pretrained(tmp_path / "model")
    again = load_model(tmp_path / "model")
    assert not again.training
    assert torch.equal(logits_of(again), expected)
    assert (again.classes, again.frozen, again.size) == (classes, options.get("frozen", False), "mini")
    assert again.sides == net.sides
    assert [repr(layer) for layer in again.head] == [repr(layer) for layer in net.head]


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("frozen", [True, False])
def test_mini_models_come_back(tmp_path, pair, frozen):
    net = copy.deepcopy(mini(pair))
    net.freeze(frozen)
    if not frozen:
        one_step(net)
    net.save_pretrained(tmp_path)
    assert torch.equal(logits_of(load_model(tmp_path)), logits_of(net))


@pytest.mark.parametrize("frozen", [True, False])
def test_random_encoders_come_back(tiny, tmp_path, frozen):
    net = tiny(pretrained=False, frozen=frozen, seed=5)
    net.save_pretrained(tmp_path)
    assert torch.equal(logits_of(load_model(tmp_path)), logits_of(net))


def test_trained_encoders_come_back_even_if_frozen_afterwards(tmp_path):
    net = copy.deepcopy(mini())
    net.freeze(False)
    one_step(net)
    expected = logits_of(net)
    for _ in range(2):
        net.freeze()
        net.save_pretrained(tmp_path)
        net = load_model(tmp_path)
        assert net.frozen
        assert torch.equal(logits_of(net), expected)


def test_config_says_what_the_model_is(tiny, tmp_path):
    net = tiny(classes=BINARY_LABELS, hidden=9)
    net.freeze()
    net.save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    assert {name: config[name] for name in ("size", "classes", "hidden", "frozen", "fusion")} == {
        "size": "mini", "classes": list(BINARY_LABELS), "hidden": 9, "frozen": True, "fusion": "concat"}
    assert set(config["sides"]) == {"text", "image"}


def test_a_saved_model_holds_no_pickle(tiny, tmp_path):
    tiny().save_pretrained(tmp_path)
    suffixes = {path.suffix for path in tmp_path.rglob("*") if path.is_file()}
    assert {".json", ".safetensors"} <= suffixes <= {".json", ".safetensors", ".md", ".txt"}


# --- what is damaged is refused ---


@pytest.fixture(scope="module")
def saved_models(tiny, tmp_path_factory) -> Path:
    """A head alone, and a model with its encoders."""
    place = tmp_path_factory.mktemp("models")
    mini().save_pretrained(place / "head")
    tiny().save_pretrained(place / "whole")
    return place


def reset(folder: Path, side: str = "", **changes) -> None:
    """Other values in config.json, or in what it says of one side."""
    if side:
        sides = json.loads((folder / "config.json").read_text())["sides"]
        changes = {"sides": {**sides, side: {**sides[side], **changes}}}
    edit_json(folder / "config.json", **changes)


def reweigh(folder: Path, **changes) -> None:
    """Other values throughout a tensor."""
    state = load_file(folder / "model.safetensors")
    assert set(changes) <= set(state)
    state |= {name: torch.full_like(state[name], value) for name, value in changes.items()}
    save_file(state, folder / "model.safetensors")


HARM = {
    "a list": lambda folder: (folder / "config.json").write_text("[]"),
    "deep": lambda folder: (folder / "config.json").write_text("[" * 100_000),
    "no text": lambda folder: (folder / "config.json").write_bytes(b"\xff\xfe\xff"),
    "name": lambda folder: reset(folder, "text", name=5, sha256="a"),
    "long name": lambda folder: reset(folder, "text", name="9" * 5000, sha256="a"),
    "no such encoder": lambda folder: reset(folder, "image", name="no such encoder", sha256=None),
    "size": lambda folder: reset(folder, "text", size="x" * 3000, name="bert", sha256=None),
    "tokens": lambda folder: reset(folder, "text", max_tokens="many"),
    "a side": lambda folder: reset(folder, sides={"smell": {}}),
    "no sides": lambda folder: reset(folder, sides={}),
    "sides": lambda folder: reset(folder, sides=5),
    "dropout": lambda folder: reset(folder, dropout=256),
    "fusion": lambda folder: reset(folder, fusion="cold"),
    "classes": lambda folder: reset(folder, classes=5),
    "one class": lambda folder: reset(folder, classes=["a"]),
    "many classes": lambda folder: reset(folder, classes=[str(i) for i in range(100_000)]),
    "hidden": lambda folder: reset(folder, hidden=10**12),  # more than any memory holds
    "no number": lambda folder: reset(folder, hidden="9"),
    "temperature": lambda folder: reweigh(folder, temperature=0.0),
    "NaN": lambda folder: reweigh(folder, **{"head.2.weight": float("nan")}),
    "no bytes": lambda folder: (folder / "model.safetensors").write_bytes(b""),
    "words": lambda folder: (folder / "text" / "tokenizer.json").write_text('{"model": "/etc/passwd"}'),
    "settings of words": lambda folder: (folder / "text" / "tokenizer_config.json").write_bytes(b"{\x8c"),
    "an encoder's weights": lambda folder: (folder / "image" / "model.safetensors").write_bytes(b""),
    "an encoder": lambda folder: shutil.rmtree(folder / "image"),
}
OF_ENCODERS = ("words", "settings of words", "an encoder's weights", "an encoder")


@pytest.mark.parametrize(("kind", "harm"), [(kind, harm) for kind in ("head", "whole") for harm in HARM
                                            if kind == "whole" or harm not in OF_ENCODERS])
def test_a_damaged_model_is_refused_by_name(saved_models, tmp_path, kind, harm):
    folder = Path(shutil.copytree(saved_models / kind, tmp_path / "mine"))
    HARM[harm](folder)
    for load in (load_model, MultimodalSentimentModel.from_pretrained):
        with pytest.raises((ValueError, FileNotFoundError), match="mine") as info:
            load(folder)
        assert len(str(info.value)) < 1000


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no folder .*gone.*--out"):
        load_model(tmp_path / "gone")


@pytest.fixture
def saved(saved_models, tmp_path) -> Path:
    return Path(shutil.copytree(saved_models / "head", tmp_path / "saved"))


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_missing_file_is_refused_by_name(saved, name):
    (saved / name).unlink()
    with pytest.raises(FileNotFoundError, match=f"saved holds no {name}"):
        load_model(saved)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
@pytest.mark.parametrize("content", ["cut", "garbage"])
def test_a_damaged_file_is_refused_by_name(saved, name, content):
    path = saved / name
    path.write_bytes(path.read_bytes()[:-20] if content == "cut" else b"garbage")
    with pytest.raises(ValueError, match=f"{name} is damaged"):
        load_model(saved)


@pytest.mark.parametrize("change", [{"hidden": 0}, {"hidden": 99}, {"classes": list(BINARY_LABELS)},
                                    {"classes": list("abcd")}, {"classes": None}])
def test_weights_that_do_not_fit_their_config_are_refused(saved, change):
    edit_json(saved / "config.json", **change)
    with pytest.raises(ValueError, match=r"model\.safetensors does not fit its config\.json"):
        load_model(saved)


# --- the model that ships ---


def test_the_shipped_model_knows_the_burger():
    net = load_model()
    burger = burger_example()
    assert not net.training
    assert net.predict([burger.text], [burger.image])[0].argmax() == 2


def test_a_damaged_shipped_head_is_refused(weights):
    path = weights / "head" / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\1")
    with pytest.raises(ValueError, match=r"weights file head/model\.safetensors is damaged: restore it"):
        load_model()
