"""Encode, fuse and classify make the model; what goes in is checked; what is frozen stays."""

import copy

import pytest
import torch
from helpers import batch_of, food, generators, logits_of, mini, one_step
from PIL import Image

from mmsa_utils import BINARY_LABELS, LABELS, PAIRS, MultimodalSentimentModel, probabilities_of


def raw(n: int = 5) -> tuple[list[str], list[Image.Image]]:
    return [post.text for post in food(n)], [post.image for post in food(n)]


# --- three steps ---


@pytest.mark.parametrize("pair", PAIRS)
def test_forward_is_encode_fuse_classify(pair):
    net = mini(pair)
    batch = batch_of(net)
    with torch.no_grad():
        sides = net.encode(**batch)
        fused = net.fuse(sides)
        logits = net.classify(fused)
        assert torch.equal(net(**batch), logits)
    assert list(sides) == ["text", "image"] == list(net.sides)
    assert {side: encoded.pooled.shape for side, encoded in sides.items()} == {"text": (5, 128), "image": (5, 128)}
    assert (fused.shape, logits.shape, net.width) == ((5, 256), (5, 3), 256)
    with torch.no_grad():
        for side, encoder in net.encoders.items():
            alone = encoder(**{name: batch[name] for name in encoder.inputs if name in batch})
            assert torch.equal(alone, sides[side].pooled)


@pytest.mark.parametrize(("text", "image"), [("bert", "vit"), ("distilbert", "resnet18")])
def test_any_text_encoder_goes_with_any_image_encoder(text, image):
    net = MultimodalSentimentModel(text, image)
    assert net.width == 256
    assert logits_of(net).shape == (5, 3)


@pytest.mark.parametrize(("pair", "width"), [("bert+resnet18", 768 + 512), ("distilbert+vit", 768 + 768)])
def test_full_size_widths_add_up(pair, width):
    with torch.device("meta"):  # shapes alone: no memory, no weights
        net = MultimodalSentimentModel(*PAIRS[pair], size="full", pretrained=False)
    assert net.width == net.head[2].in_features == width in (1280, 1536)


def test_temperature_divides_the_logits(tiny):
    net = tiny()
    before = logits_of(net)
    net.temperature.fill_(2.0)
    assert torch.allclose(logits_of(net), before / 2)


def test_a_new_model_comes_from_its_seed_alone():
    before = generators()
    first, same, other = (MultimodalSentimentModel(seed=seed) for seed in (1, 1, 2))
    assert generators() == before
    assert torch.equal(logits_of(first), logits_of(same))
    assert not torch.equal(logits_of(first), logits_of(other))


# --- predict ---


@pytest.mark.parametrize("classes", [LABELS, BINARY_LABELS, ("yes", "no", "perhaps", "never")])
def test_predict_is_forward_with_dropout_off(tiny, classes):
    net = tiny(classes=classes, dropout=0.9).train()
    answers = [net.predict(*raw()) for _ in range(2)]
    assert net.training
    assert torch.equal(*answers)
    assert answers[0].shape == (5, len(classes))
    assert net.num_outputs == (1 if len(classes) == 2 else len(classes))
    assert torch.allclose(answers[0], probabilities_of(logits_of(net)))
    assert torch.allclose(answers[0].sum(-1), torch.ones(5))


def test_what_predict_answers_can_be_learned_from(tiny):
    net = tiny()
    taught = net.predict(*raw(2))  # in inference mode
    weight = torch.ones((), requires_grad=True)
    (weight * taught).sum().backward()
    assert weight.grad == pytest.approx(2)
    one_step(net)  # and nothing in the network was spoiled for training


@pytest.mark.parametrize("part", ["encoders.text.net", "head", "head.1"])
def test_predict_switches_a_single_part_off_that_was_left_learning(tiny, part):
    net = tiny(dropout=0.9).eval()
    settled = net.predict(*raw(2))
    net.get_submodule(part).train()
    assert torch.equal(net.predict(*raw(2)), settled)


def test_an_answer_that_is_no_number_is_never_given():
    net = copy.deepcopy(mini())
    torch.nn.init.constant_(net.head[-1].weight, float("nan"))
    with pytest.raises(ValueError, match="answer is NaN"):
        net.predict(*raw(1))


# --- what goes in ---


@pytest.mark.parametrize("text", ["", "   ", "\n", "\0", "\u200b\u200d", b"burger", 3, ["a"], float("nan"),
                                  " " * 100_000])
def test_what_is_no_text_is_refused_by_number(tiny, text):
    with pytest.raises(ValueError, match="^text 1 is .{0,80}: expected a string with at least one word") as caught:
        tiny().predict(["Good", text], raw(2)[1])
    assert repr(text)[:20] in str(caught.value)


def test_texts_and_pictures_come_in_pairs(tiny):
    with pytest.raises(ValueError, match="2 texts and 1 pictures"):
        tiny().prepare(["Good", "Bad"], raw(1)[1])


@pytest.mark.parametrize(("posts", "words"), [(([], []), "got no posts"), (("ab", [Image.new("L", (9, 7))] * 2),
                                              "a single text"), ((["a"], Image.new("L", (9, 7))),
                                                                 "a single text or picture")])
def test_what_is_no_list_of_posts_is_refused(posts, words):
    with pytest.raises(ValueError, match=words):
        mini().predict(*posts)


@pytest.mark.parametrize("text", ["burger " * 20000, "x" * 100_000, "😀🍔", "汉堡好吃", "هذا البرغر لذيذ", "שלום",
                                  "good\0burger", "a\u202eb", "\u200b ok", "é" * 3, "[SEP] [MASK] [PAD]",
                                  "a" + "\u0301" * 500])
def test_odd_texts_are_read(text):
    assert mini().predict([text], raw(1)[1]).isfinite().all()


@pytest.mark.parametrize("size", [(1, 1), (20000, 3), (3, 20000), (1, 200)])
def test_pictures_of_odd_shape_are_read(size):
    assert mini().predict(["burger"], [Image.new("RGB", size, "red")]).isfinite().all()


# --- frozen ---


def encoder_state(net: MultimodalSentimentModel) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in net.encoders.state_dict().items()}


@pytest.mark.parametrize("how", ["built", "frozen later"])
def test_frozen_encoders_stay_as_they_are_to_the_bit(tiny, how):
    net = tiny(frozen=True) if how == "built" else tiny()
    net.freeze()
    before, head = encoder_state(net), net.head[2].weight.clone()
    assert any("running_mean" in name for name in before)
    one_step(net)
    assert net.head.training
    assert not any(encoder.net.training for encoder in net.encoders.values())
    assert not net.encode(**batch_of(net))["text"].tokens.requires_grad
    assert all(p.grad is None for p in net.encoders.parameters())
    assert not torch.equal(net.head[2].weight, head)
    after = encoder_state(net)
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())


def test_thawed_encoders_learn(tiny):
    net = tiny(frozen=True)
    net.freeze(False)
    before = encoder_state(net)
    one_step(net)
    assert all(encoder.net.training for encoder in net.encoders.values())
    changed = {name for name, tensor in encoder_state(net).items() if not torch.equal(before[name], tensor)}
    assert any(name.startswith("text") for name in changed)
    assert any(name.startswith("image") and name.endswith("running_mean") for name in changed)


@pytest.mark.parametrize("classes", [["a"], [], ["a", "a"], ["a", "b", "a"], "ab", [1, 2], ["a", " "], ["a", None]])
def test_names_of_classes_that_are_none_are_refused(classes):
    with pytest.raises(ValueError, match="expected at least two names, none of them twice"):
        MultimodalSentimentModel("bert", None, classes=classes)


@pytest.mark.parametrize(("n", "outputs"), [(2, 1), (3, 3), (5, 5), (40, 40)])
def test_any_number_of_classes_has_its_outputs(n, outputs):
    model = MultimodalSentimentModel("bert", None, classes=[f"class {i}" for i in range(n)])
    assert model.num_outputs == outputs
    assert model.predict(["the soup"]).shape == (1, n)
