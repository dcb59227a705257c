"""Encode, fuse and classify make the model; what is frozen stays; what is saved comes back."""

import copy
import json
import re
import shutil
from pathlib import Path

import helpers
import pytest
import torch
from helpers import food, generators, mini
from safetensors.torch import load_file
from torch import nn

from mmsa_utils import encoders, model
from mmsa_utils.data import make_loader
from mmsa_utils.model import Dropout, MultimodalSentimentModel, join, load_model, mlp_head, probabilities_of

PAIRS = list(model.PAIRS)


@pytest.fixture(scope="module")
def tiny_names(tmp_path_factory) -> dict[str, str]:
    """Names of encoders that load in no time."""
    folder = tmp_path_factory.mktemp("tiny")
    text, image = helpers.save_text(folder / "bert"), helpers.save_image(folder / "resnet", "resnet")
    return {"text": str(text), "image": str(image)}


@pytest.fixture
def tiny(tiny_names):
    return lambda **options: MultimodalSentimentModel(**tiny_names, **options)


def batch_of(net: MultimodalSentimentModel, n: int = 5) -> dict[str, torch.Tensor]:
    posts = food(n)
    return net.prepare([post.text for post in posts], [post.image for post in posts])


@torch.no_grad()
def logits_of(net: MultimodalSentimentModel) -> torch.Tensor:
    return net.eval()(**batch_of(net))


# --- three steps ---


@pytest.mark.parametrize("pair", PAIRS)
def test_forward_is_encode_fuse_classify(pair):
    net = mini(pair)
    batch = batch_of(net)
    with torch.no_grad():
        text, image = net.encode(**batch)
        fused = net.fuse(text, image)
        logits = net.classify(fused)
        assert torch.equal(net(**batch), logits)
    assert (text.shape, image.shape, fused.shape, logits.shape) == ((5, 128), (5, 128), (5, 256), (5, 3))


@pytest.mark.parametrize(("text", "image"), [("bert", "vit"), ("distilbert", "resnet18"), ("bert", "resnet18")])
def test_any_text_encoder_goes_with_any_image_encoder(text, image):
    net = MultimodalSentimentModel(text, image)
    assert net.width == 256
    assert logits_of(net).shape == (5, 3)


@pytest.mark.parametrize(("pair", "width"), [("bert+resnet18", 768 + 512), ("distilbert+vit", 768 + 768)])
def test_full_size_widths_add_up(pair, width):
    assert width in (1280, 1536)
    with torch.device("meta"):  # shapes alone: no memory, no weights
        net = MultimodalSentimentModel(*model.PAIRS[pair], size="full", pretrained=False)
    assert net.width == net.head[1].in_features == width


def test_join_puts_the_text_first_and_levels_both_sides():
    text, image = torch.randn(4, 6) * 100 + 7, torch.randn(4, 10)
    fused = join(text, image)
    assert fused.shape == (4, 16)
    for side, part in ((text, fused[:, :6]), (image, fused[:, 6:])):
        assert torch.allclose(part.mean(-1), torch.zeros(4), atol=1e-4)
        assert torch.allclose(part.var(-1, unbiased=False), torch.ones(4), atol=1e-3)
        assert torch.equal(part.argsort(-1), side.argsort(-1))
    assert torch.equal(join(text), fused[:, :6])


def test_head_is_linear_or_has_two_hidden_layers():
    assert isinstance(mlp_head(8, 3, hidden=0), nn.Linear)
    head = mlp_head(8, 3, hidden=5, dropout=0.25)
    assert [type(layer) for layer in head] == 2 * [Dropout, nn.Linear, nn.ReLU] + [Dropout, nn.Linear]
    sizes = [(layer.in_features, layer.out_features) for layer in head if isinstance(layer, nn.Linear)]
    assert sizes == [(8, 5), (5, 5), (5, 3)]
    assert {layer.p for layer in head if isinstance(layer, nn.Dropout)} == {0.25}


@pytest.mark.parametrize("share", [0.0, 0.1, 0.2, 0.5, 0.999, 1.0])
@pytest.mark.parametrize("asks_gradient", [False, True])
def test_dropout_silences_its_share_and_keeps_the_mean(share, asks_gradient):
    layer, inputs = Dropout(share), torch.full((301, 333), 3.0, requires_grad=asks_gradient)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        passed = layer(inputs)
        again = layer(inputs)
    kept = passed != 0
    assert kept.float().mean().item() == pytest.approx(1 - share, abs=0.005)
    assert torch.allclose(passed[kept], torch.tensor(3 / max(1 - share, 1e-9)), rtol=1e-3)
    assert (inputs == 3).all()  # not written over
    if 0 < share < 1:
        assert not torch.equal(passed, again)
        rows, columns = kept.float().mean(1), kept.float().mean(0)  # no row or column is favoured: 6 standard errors
        assert (rows - (1 - share)).abs().max() < 6 * (share * (1 - share) / 333) ** 0.5
        assert (columns - (1 - share)).abs().max() < 6 * (share * (1 - share) / 301) ** 0.5
    if asks_gradient:
        passed.sum().backward()
        assert torch.allclose(inputs.grad, passed.detach() / 3)
    assert torch.equal(layer.eval()(inputs), inputs)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_dropout_of_other_numbers_is_torchs(dtype):
    inputs = torch.ones(64, 64, dtype=dtype)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        passed = Dropout(0.2)(inputs)
        torch.manual_seed(0)
        assert torch.equal(passed, nn.Dropout(0.2)(inputs))
    assert Dropout(0.2)(torch.ones(0, 4)).shape == (0, 4)


def test_temperature_divides_the_logits(tiny):
    net = tiny()
    before = logits_of(net)
    net.temperature.fill_(2.0)
    assert torch.allclose(logits_of(net), before / 2)


# --- probabilities ---


@pytest.mark.parametrize("outputs", [1, 2, 3])
def test_probabilities_sum_to_one(outputs):
    logits = 30 * torch.randn(50, outputs, generator=torch.Generator().manual_seed(0))
    probabilities = probabilities_of(logits)
    assert probabilities.shape == (50, max(outputs, 2))
    assert torch.allclose(probabilities.sum(-1), torch.ones(50))
    assert (probabilities >= 0).all()


def test_a_single_logit_speaks_for_the_positive_class():
    assert probabilities_of(torch.tensor([[0.0], [4.0]])).tolist() == [
        pytest.approx([0.5, 0.5]), pytest.approx([0.018, 0.982], abs=1e-3)]


@pytest.mark.parametrize("outputs", [1, 3])
def test_predict_is_forward_with_dropout_off(tiny, outputs):
    net = tiny(num_outputs=outputs, dropout=0.9).train()
    posts = food(5)
    answers = [net.predict([post.text for post in posts], [post.image for post in posts]) for _ in range(2)]
    assert net.training
    assert torch.equal(*answers)
    assert torch.allclose(answers[0], probabilities_of(logits_of(net)))
    assert torch.allclose(answers[0].sum(-1), torch.ones(5))


def test_what_predict_answers_can_be_learned_from(tiny):
    net = tiny()
    posts = food(2)
    taught = net.predict([post.text for post in posts], [post.image for post in posts])  # in inference mode
    weight = torch.ones((), requires_grad=True)
    (weight * taught).sum().backward()
    assert weight.grad == pytest.approx(2)
    one_step(net)  # and nothing in the network was spoiled for training


@pytest.mark.parametrize("part", ["text_encoder.net", "head", "head.0"])
def test_predict_switches_a_single_part_off_that_was_left_learning(tiny, part):
    net = tiny(dropout=0.9).eval()
    posts = food(2)
    settled = net.predict([post.text for post in posts], [post.image for post in posts])
    net.get_submodule(part).train()
    assert torch.equal(net.predict([post.text for post in posts], [post.image for post in posts]), settled)


# --- what goes in ---


@pytest.mark.parametrize("text", ["", "   ", "\n", None, 3])
def test_an_empty_text_is_refused_by_number(tiny, text):
    pictures = [post.image for post in food(2)]
    with pytest.raises(ValueError, match=re.escape(f"text 1 is {text!r}: expected a string with at least one word")):
        tiny().prepare(["Good", text], pictures)


def test_texts_and_pictures_come_in_pairs(tiny):
    with pytest.raises(ValueError, match="2 texts and 1 pictures"):
        tiny().prepare(["Good", "Bad"], [food(1)[0].image])


@pytest.mark.parametrize("text", ["🍔🍔🍔", "汉堡好吃", "x" * 5000, "a\0b", "\u200b ok"])
def test_odd_texts_give_finite_answers(text):
    assert mini().predict([text], [food(1)[0].image]).isfinite().all()


def test_batches_fit_the_model(tiny):
    net = tiny()
    batch = next(iter(make_loader(food(6), net, batch_size=4)))
    assert set(batch) == {"input_ids", "attention_mask", "pixel_values", "labels"}
    assert batch["pixel_values"].shape == (4, 3, 32, 32)
    assert batch["input_ids"].shape == batch["attention_mask"].shape


# --- frozen ---


def one_step(net: MultimodalSentimentModel) -> None:
    net.train()
    optimizer = torch.optim.SGD([p for p in net.parameters() if p.requires_grad], lr=0.1)
    net(**batch_of(net)).square().sum().backward()
    optimizer.step()


def encoder_state(net: MultimodalSentimentModel) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in net.state_dict().items() if "encoder." in name.split("head")[0]}


@pytest.mark.parametrize("how", ["built", "frozen later"])
def test_frozen_encoders_stay_as_they_are_to_the_bit(tiny, how):
    net = tiny(frozen=True) if how == "built" else tiny()
    net.freeze()
    before, head = encoder_state(net), net.head[1].weight.clone()
    assert any("running_mean" in name for name in before)
    one_step(net)
    assert net.head.training
    assert not net.text_encoder.net.training
    assert not net.image_encoder.net.training
    assert not net.encode(**batch_of(net))[0].requires_grad
    assert all(p.grad is None for p in net.text_encoder.parameters())
    assert not torch.equal(net.head[1].weight, head)
    after = encoder_state(net)
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())


def test_thawed_encoders_learn(tiny):
    net = tiny(frozen=True)
    net.freeze(False)
    before = encoder_state(net)
    one_step(net)
    assert net.text_encoder.net.training
    changed = {name for name, tensor in encoder_state(net).items() if not torch.equal(before[name], tensor)}
    assert any(name.startswith("text_encoder") for name in changed)
    assert any(name.startswith("image_encoder") and name.endswith("running_mean") for name in changed)


def test_a_new_model_comes_from_its_seed_alone(tiny):
    before = generators()
    first, same, other = (tiny(seed=seed) for seed in (1, 1, 2))
    assert generators() == before
    assert torch.equal(logits_of(first), logits_of(same))
    assert not torch.equal(logits_of(first), logits_of(other))


# --- saved and loaded ---


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("options", [{"frozen": True}, {"hidden": 0}, {"hidden": 17, "dropout": 0.4}])
def test_what_is_saved_comes_back(tiny, tmp_path, options, outputs):
    net = tiny(num_outputs=outputs, seed=3, **options)
    one_step(net)
    net.temperature.fill_(1.7)
    expected = logits_of(net)
    net.save_pretrained(tmp_path / "model")
    again = load_model(tmp_path / "model")
    assert not again.training
    assert torch.equal(logits_of(again), expected)
    assert (again.num_outputs, again.frozen, again.size) == (outputs, options.get("frozen", False), "mini")
    assert [type(layer) for layer in again.head.modules()] == [type(layer) for layer in net.head.modules()]


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


@pytest.mark.parametrize("rounds", [1, 2])
def test_trained_encoders_come_back_even_if_frozen_afterwards(tiny, tmp_path, rounds):
    net = tiny()
    one_step(net)
    expected = logits_of(net)
    for _ in range(rounds):
        net.freeze()
        net.save_pretrained(tmp_path)
        net = load_model(tmp_path)
        assert net.frozen
        assert torch.equal(logits_of(net), expected)


def test_a_trained_model_needs_none_of_its_first_files(tmp_path, tiny_names):
    names = {side: str(shutil.copytree(name, tmp_path / side)) for side, name in tiny_names.items()}
    net = MultimodalSentimentModel(**names)
    one_step(net)
    net.save_pretrained(tmp_path / "model")
    saved = load_file(tmp_path / "model" / "model.safetensors")
    assert set(saved) == set(net.state_dict())
    assert (tmp_path / "model" / "tokenizer" / "tokenizer.json").is_file()


def test_a_frozen_model_saves_its_head_alone(tiny, tmp_path):
    tiny(frozen=True).save_pretrained(tmp_path)
    assert {name.partition(".")[0] for name in load_file(tmp_path / "model.safetensors")} == {"head", "temperature"}
    assert not (tmp_path / "tokenizer").exists()


def test_config_says_what_the_model_is(tiny, tmp_path):
    net = tiny(num_outputs=1, hidden=9)
    net.freeze()
    net.save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    assert {name: config[name] for name in ("size", "num_outputs", "hidden", "frozen")} == {
        "size": "mini", "num_outputs": 1, "hidden": 9, "frozen": True}


def test_a_saved_model_holds_no_pickle(tiny, tmp_path):
    tiny().save_pretrained(tmp_path)
    assert {path.suffix for path in tmp_path.rglob("*") if path.is_file()} <= {".json", ".safetensors", ".md", ".txt"}


@pytest.fixture
def saved(tiny, tmp_path) -> Path:
    tiny(frozen=True).save_pretrained(tmp_path / "saved")
    return tmp_path / "saved"


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no folder .*gone.*--out"):
        load_model(tmp_path / "gone")


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


@pytest.mark.parametrize("change", [{"hidden": 0}, {"hidden": 99}, {"num_outputs": 1}])
def test_weights_that_do_not_fit_their_config_are_refused(saved, change):
    helpers.edit_json(saved / "config.json", **change)
    with pytest.raises(ValueError, match=r"model\.safetensors does not fit its config\.json"):
        load_model(saved)


# --- the model that ships ---


def test_the_shipped_model_knows_the_burger():
    from mmsa_utils import burger_example

    net = load_model()
    burger = burger_example()
    assert not net.training
    assert net.predict([burger.text], [burger.image])[0].argmax() == 2


def test_a_damaged_shipped_head_is_refused(tmp_path, monkeypatch):
    folder = Path(shutil.copytree(encoders.WEIGHTS, tmp_path / "weights"))
    for module in (encoders, model):
        monkeypatch.setattr(module, "WEIGHTS", folder)
    path = folder / "head" / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\1")
    with pytest.raises(ValueError, match=r"weights file head/model\.safetensors is damaged: restore it"):
        load_model()
