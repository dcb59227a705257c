"""The explorer of notebook 04: the fused vector is shown as the model makes it, and counted as it is."""

import re
from html import unescape

import pytest
import torch
from helpers import generators, mini
from torch import nn

from mmsa_utils import MultimodalSentimentModel, fusion_explorer, join, load_image_encoder, load_text_encoder
from mmsa_utils.explorers import fusion as wf
from mmsa_utils.model.head import random_head
from mmsa_utils.posts.food import burger_example, make_post
from mmsa_utils.posts.post import BINARY_LABELS


def parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def shown(explorer) -> str:
    """What a reader sees of the view: its words without their tags."""
    return unescape(re.sub(r"<[^>]+>", " ", explorer.view.value))


def labels(explorer) -> list[str]:
    """What a screen reader says of the view's pictures."""
    return [unescape(found) for found in re.findall(r'alt="([^"]*)"', explorer.view.value)]


# --- counts ---

@pytest.mark.parametrize("name", ["bert", "distilbert", "resnet18", "vit"])
def test_mini_counts_are_those_of_the_shipped_encoders(name):
    load = load_text_encoder if name in wf.TEXT_ENCODERS else load_image_encoder
    encoder = load(name)
    assert wf.encoder_counts(name, "mini") == (encoder.width, parameters(encoder))


def test_full_counts_are_those_of_a_network_with_numbers_in_it():
    encoder = load_image_encoder("resnet18", "full", pretrained=False)
    assert wf.encoder_counts("resnet18", "full") == (encoder.width, parameters(encoder)) == (512, 11_176_512)


@pytest.mark.parametrize(("name", "layers", "embeddings"), [
    ("bert", 12, (30_522 + 512 + 2) * 768 + 2 * 768),  # words, positions, two segments, a layer norm
    ("distilbert", 6, (30_522 + 512) * 768 + 2 * 768),
    ("vit", 12, 3 * 16 * 16 * 768 + 768 + (1 + 197) * 768 + 2 * 768)])  # patches, [CLS], positions, the last norm
def test_full_transformers_count_as_their_papers_say(name, layers, embeddings):
    width = 768
    layer = 4 * (width * width + width) + 2 * 4 * width * width + 4 * width + width + 2 * 2 * width
    assert wf.encoder_counts(name, "full") == (width, embeddings + layers * layer)


@pytest.mark.parametrize("hidden", [0, 16])
def test_the_parts_add_up_to_the_model(hidden):
    model = MultimodalSentimentModel("bert", "resnet18", classes=BINARY_LABELS, hidden=hidden)
    parts = wf.part_counts("bert", "resnet18", "mini", hidden)
    assert [count for *_, count in parts[:3]] == [*map(parameters, model.encoders.values()), 0]
    layers = [layer for layer in model.head.modules() if isinstance(layer, nn.Linear)]
    assert [row[1:] for row in parts[3:]] == [
        (f"{layer.in_features} → {layer.out_features}", parameters(layer)) for layer in layers]
    assert sum(count for *_, count in parts) == parameters(model)


# --- stages of a head ---

@pytest.mark.parametrize("hidden", [0, 64])
@pytest.mark.parametrize("seed", [None, 3])
def test_the_stages_end_in_the_heads_own_logit(hidden, seed):
    joined = torch.randn(1, 256, generator=torch.Generator().manual_seed(0))
    head, before = random_head(256, 1, hidden, 0.4), generators()
    stages = wf.head_stages(head, joined, seed)
    assert generators() == before
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(seed or 0)
        expected = head.train(seed is not None)(joined)
    torch.testing.assert_close(stages[-1][0], expected)
    assert [values.shape[-1] for values, _ in stages] == ([256, 64, 64, 1] if hidden else [256, 1])
    for values, silenced in stages:
        assert (values[silenced] == 0).all()
    lost = stages[0][1].double().mean().item()
    assert 0.3 < lost < 0.5 if hidden and seed else lost == 0


def test_training_passes_differ_and_come_again():
    joined = torch.randn(1, 256, generator=torch.Generator().manual_seed(0))
    logits = wf.training_logits(random_head(256, 1, 64, 0.4), joined)
    assert logits.shape == (wf.PASSES,)
    assert logits.unique().numel() == wf.PASSES
    assert torch.equal(logits, wf.training_logits(random_head(256, 1, 64, 0.4), joined))
    assert wf.training_logits(random_head(256, 1, 64, 0.0), joined).std() < 1e-6


# --- the fusion explorer ---

@pytest.fixture(scope="module")
def fusion():
    return fusion_explorer()


@pytest.fixture
def fused(fusion):
    start = {"step": 7, "post": "the burger", "text": "bert", "image": "resnet18", "size": "mini", "hidden": 256,
             "dropout": 0.2, "mode": 0}
    for name, value in start.items():
        fusion.controls[name].value = value
    return fusion


@pytest.mark.parametrize("size", ["mini", "full"])
def test_each_step_adds_one_piece(fused, size):
    fused.size.value = size
    for step in range(1, 8):
        fused.step.value = step
        pieces = re.findall(r" (\d) · ", shown(fused))
        assert pieces == [i for i in "12345667" if int(i) <= step]  # two hidden layers


@pytest.mark.parametrize(("name", "post"), [("the burger", burger_example()),
                                            ("nothing like the photo", make_post("opposite", 2))])
def test_the_pieces_are_the_models_own(fused, name, post):
    model = mini("bert+resnet18", binary=True)
    fused.post.value = name
    with torch.no_grad():
        text, image = (side.pooled for side in model.encode(**model.prepare([post.text], [post.image])).values())
        logit = random_head(256, 1, 256, 0.2).eval()(join(text, image)).item()
    said = labels(fused)
    assert f"text feature: 128 numbers from {text.min():.2f} to {text.max():.2f}" in said[1]
    assert f"picture feature: 128 numbers from {image.min():.2f} to {image.max():.2f}" in said[3]
    normed = join(image)
    assert f"picture, layer-normed: 128 numbers from {normed.min():.2f} to {normed.max():.2f}" in said[4]
    assert len(said) == 9  # the post, two features and their normed forms, both halves, two hidden layers
    assert f"logit {logit:+.3f}" in shown(fused)
    assert "untrained" in shown(fused)


def test_the_counts_follow_encoders_size_and_hidden_units_and_not_dropout(fused):
    def total() -> int:
        return int(re.search(r"all\s+([\d,]+)", shown(fused))[1].replace(",", ""))

    def expected(*choice) -> int:
        return sum(count for *_, count in wf.part_counts(*choice))

    assert total() == expected("bert", "resnet18", "mini", 256) == parameters(mini("bert+resnet18", binary=True))
    fused.dropout.value = 0.9
    assert total() == expected("bert", "resnet18", "mini", 256)
    fused.text.value, fused.image.value = "distilbert", "vit"
    assert total() == expected("distilbert", "vit", "mini", 256)
    fused.hidden.value = 0
    assert total() == expected("distilbert", "vit", "mini", 0)
    assert "no hidden layer" in shown(fused)
    fused.size.value = "full"
    assert total() == expected("distilbert", "vit", "full", 0)
    assert "768 + 768 → 1,536" in shown(fused)


def test_every_choice_changes_what_is_drawn(fused):
    seen = {fused.view.value}
    for name, value in (("post", "nothing like the photo"), ("text", "distilbert"), ("image", "vit"), ("hidden", 64),
                        ("mode", 1), ("mode", 2), ("dropout", 0.5), ("size", "full")):
        fused.controls[name].value = value
        assert fused.view.value not in seen
        seen.add(fused.view.value)


def test_dropout_crosses_out_its_share_in_training_only(fused):
    fused.dropout.value = 0.5
    assert "silenced" not in shown(fused)
    fused.mode.value = 1
    lost = [int(count) for count in re.findall(r"(\d+) of \d+ silenced", shown(fused))]
    assert len(lost) == 4  # both halves of the joined vector, two hidden layers
    assert 96 < lost[0] + lost[1] < 160
    assert [int(label.split()[-2]) for label in labels(fused) if label.endswith("silenced")] == lost
    fused.size.value = "full"
    assert "about 640 of them are silenced" in shown(fused)


def test_full_size_says_that_it_shows_no_numbers(fused):
    fused.step.value = 1
    assert "shapes and counts only" not in shown(fused)
    fused.size.value = "full"
    assert "shapes and counts only" in shown(fused)
    assert len(labels(fused)) == 1  # the post


def test_the_still_picture_of_the_fused_vector_counts_too(fused):
    data, metadata = fused._repr_mimebundle_()
    alt = metadata["image/png"]["alt"]
    for words in ("This burger is delicious!", "2,652,433 parameters", "768 + 512 → 1,280", "dropout 0.5 silenced",
                  "6 hidden layer 1"):
        assert words in alt
    assert len(data["image/png"]) < 80_000


def test_every_control_has_a_label(fusion):
    assert all(control.description for control in fusion.controls.values())
