"""The fused vector is shown as the model makes it and counted as it is; the map tells what model and rule say."""

import re
import statistics
import time
from html import unescape

import numpy as np
import pytest
import torch
from helpers import generators, mini
from torch import nn

from mmsa_utils import conflict_explorer, fusion_explorer, panels
from mmsa_utils import widgets_conflict as wc
from mmsa_utils import widgets_fusion as wf
from mmsa_utils.alignment import random_head
from mmsa_utils.data import FoodPosts, burger_example, make_post, split_of
from mmsa_utils.encoders import load_image_encoder, load_text_encoder
from mmsa_utils.model import MultimodalSentimentModel, join, load_model
from mmsa_utils.phrases import KINDS
from mmsa_utils.rules import LABELS, judge


def parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def shown(explorer) -> str:
    """What a reader sees of the view: its words without their tags."""
    return unescape(re.sub(r"<[^>]+>", " ", explorer.view.value))


def labels(explorer) -> list[str]:
    """What a screen reader says of the view's pictures and diagrams."""
    return [unescape(found) for found in re.findall(r'(?:alt|aria-label)="([^"]*)"', explorer.view.value)]


def seconds_a_move(moves) -> float:
    """Median time of a move; the best of three rounds, as the machine may be busy."""
    rounds = []
    for _ in range(3):
        times = []
        for control, value in moves:
            start = time.perf_counter()
            control.value = value
            times.append(time.perf_counter() - start)
        rounds.append(statistics.median(times))
    return min(rounds)


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
    model = MultimodalSentimentModel("bert", "resnet18", num_outputs=1, hidden=hidden)
    parts = wf.part_counts("bert", "resnet18", "mini", hidden)
    assert [count for *_, count in parts[:3]] == [parameters(model.text_encoder), parameters(model.image_encoder), 0]
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


def test_a_hinton_diagram_has_full_hollow_and_crossed_squares():
    drawn = panels.hinton([3.0, -1.0, 0.0, 2.0, -2.0], "five & more", silenced=[False, False, False, False, True])
    full, hollow, crossed = re.findall(r'<path d="([^"]*)"', drawn)
    assert (full.count("M"), hollow.count("M"), crossed.count("M")) == (2, 1, 1)
    sides = [float(side) for side in re.findall(r"h([\d.]+)", full)]
    assert sides[0] == 9.0
    assert sides[1] ** 2 == pytest.approx(sides[0] ** 2 * 2 / 3, rel=0.02)
    assert 'aria-label="five &amp; more"' in drawn


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
    model = mini("bert+resnet18", num_outputs=1)
    fused.post.value = name
    with torch.no_grad():
        text, image = model.encode(**model.prepare([post.text], [post.image]))
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

    assert total() == expected("bert", "resnet18", "mini", 256) == parameters(mini("bert+resnet18", num_outputs=1))
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
    assert fused.view.value.count("l6 6m0-6l-6 6") == sum(lost)
    fused.size.value = "full"
    assert "about 640 of them are silenced" in shown(fused)


def test_full_size_says_that_it_shows_no_numbers(fused):
    fused.step.value = 1
    assert "shapes and counts only" not in shown(fused)
    fused.size.value = "full"
    assert "shapes and counts only" in shown(fused)
    assert "<svg" not in fused.view.value


def test_the_still_picture_of_the_fused_vector_counts_too(fused):
    data, metadata = fused._repr_mimebundle_()
    alt = metadata["image/png"]["alt"] if "image/png" in metadata else metadata["alt"]
    assert data["image/png"]
    for words in ("This burger is delicious!", "2,396,433 parameters", "768 + 512 → 1,280", "dropout 0.5 silenced",
                  "6 hidden layer 1"):
        assert words in alt
    assert len(fused.still().data) < 60_000


def test_a_move_of_the_fusion_explorer_takes_less_than_a_tenth_of_a_second(fused):
    fused.mode.value = 1
    moves = [(fused.step, step) for step in range(1, 8)]
    moves += [(fused.hidden, hidden) for hidden in (1024, 64, 256)] + [(fused.text, "distilbert"), (fused.image, "vit")]
    moves += [(fused.dropout, share) for share in (0.1, 0.5, 0.9)] + [(fused.mode, 2), (fused.size, "full")]
    assert seconds_a_move([*moves, (fused.text, "bert"), (fused.image, "resnet18"), (fused.size, "mini")]) < 0.1


# --- the map ---

class Optimist:
    """Answers "positive" to everything."""

    num_outputs, size = 3, "mini"

    def predict(self, texts, images):
        return torch.tensor([[0.0, 0.25, 0.75]]).expand(len(texts), 3)


RULE = np.array([[judge(kind, level)[0] for level in wc.LEVELS] for kind in KINDS])


@pytest.mark.parametrize("square", [(2, -2), ("opposite", 1), (0, 0)])
def test_the_posts_of_a_square_are_new_and_of_its_kind(square):
    posts = wc.square_posts(*square, n=4)
    assert len({post.dish for post in posts}) == 4
    assert {(post.text_kind, post.picture_level) for post in posts} == {square}
    assert {post.label for post in posts} == {judge(*square)[0] + 1}
    assert {split_of(post.text) for post in posts} == {"test"}
    assert not {post.text for post in posts} & {post.text for post in FoodPosts(50, "train", pixels=16)}
    assert all(post.dish in post.text for post in posts)


def test_four_maps_of_a_reader_that_knows_the_rule_and_of_an_optimist():
    perfect = torch.eye(3)[torch.from_numpy(RULE + 1)][:, :, None].expand(7, 5, 2, 3)
    maps = wc.map_values(perfect)
    assert np.array_equal(maps["model"], RULE)
    assert np.array_equal(maps["rule"], RULE)
    assert not maps["gap"].any()
    assert (maps["right"] == 1).all()
    half = perfect.clone()
    half[0, 0, 0] = torch.tensor([0.0, 0.5, 0.5])  # one of two posts in the first square, whose rule is negative
    maps = wc.map_values(half)
    assert (maps["model"][0, 0], maps["gap"][0, 0], maps["right"][0, 0]) == (-0.25, 0.75, 0.5)
    assert (maps["right"] == 1).sum() == 34


def test_the_map_holds_the_models_own_answers():
    model = load_model()
    posts, probabilities = wc.conflict_map(model, n=1)
    assert probabilities.shape == (7, 5, 1, 3)
    for kind, level in ((2, -2), ("same", 1)):
        post = posts[kind, level][0]
        alone = model.predict([post.text], [post.image])[0]
        there = probabilities[KINDS.index(kind), wc.LEVELS.index(level), 0]
        torch.testing.assert_close(there, alone, atol=1e-4, rtol=0)
    assert (wc.map_values(probabilities)["right"] == 1).sum() >= 25


def test_a_model_without_three_classes_is_refused():
    with pytest.raises(ValueError, match="1 outputs: expected three classes"):
        conflict_explorer(mini("bert+resnet18", num_outputs=1))


@pytest.mark.parametrize(("show", "value", "text", "colour"), [
    ("model", 0.973, "+.97", panels.GREEN), ("model", -0.5, "-.50", panels.RED), ("model", 0.001, "0", ""),
    ("model", -0.999, "-1", panels.RED), ("gap", 1.25, "+1.25", panels.GREEN), ("rule", 1.0, "+1", panels.GREEN),
    ("rule", 0.0, "0", ""), ("right", 0.8, "80%", panels.BLUE)])
def test_a_square_has_sign_number_and_colour(show, value, text, colour):
    said, shade = wc.cell_look(show, value)
    assert said == text
    assert shade.startswith(colour)
    assert len(shade) == 9  # with its transparency


def test_the_stronger_the_fuller():
    shades = [int(wc.cell_look("model", value)[1][7:], 16) for value in (0.1, 0.5, 1.0)]
    assert shades == sorted(shades)
    assert len(set(shades)) == 3
    assert wc.cell_look("gap", 2.0)[1] == wc.cell_look("model", 1.0)[1]


@pytest.fixture(scope="module")
def optimist():
    return conflict_explorer(Optimist())


def test_the_map_starts_at_sarcasm_and_shows_all_35_squares(optimist):
    optimist.show.value, optimist.text.value, optimist.picture.value, optimist.example.value = "model", 2, -2, 1
    assert len(optimist.squares) == 35
    assert {button.description for button in optimist.squares.values()} == {"+.75"}
    assert optimist.squares[-2, 1].tooltip == "text -2: awful words; picture 1: nice"
    words = shown(optimist)
    assert "sarcasm" in words
    assert "The model says positive, the rule negative: wrong." in words
    assert re.search(r"5 posts\s+\+0\.75\s+-1\s+\+1\.75\s+0 of 5", words)


@pytest.mark.parametrize(("show", "expected"), [
    ("rule", {-1: "-1", 0: "0", 1: "+1"}), ("gap", {-1: "+1.75", 0: "+.75", 1: "-.25"}),
    ("right", {-1: "0%", 0: "0%", 1: "100%"}), ("model", {-1: "+.75", 0: "+.75", 1: "+.75"})])
def test_the_map_can_show_four_things(optimist, show, expected):
    optimist.show.value = show
    for (kind, level), button in optimist.squares.items():
        value = judge(kind, level)[0]
        assert button.description == expected[value]
        assert button.style.button_color == wc.cell_look(show, {"rule": value, "gap": 0.75 - value, "model": 0.75,
                                                               "right": float(value == 1)}[show])[1]


def test_a_click_and_the_sliders_choose_the_same_square(optimist):
    optimist.squares["opposite", -1].click()
    assert (optimist.text.value, optimist.picture.value) == ("opposite", -1)
    clicked = optimist.view.value
    framed = [square for square, button in optimist.squares.items() if "transparent" not in button.layout.border]
    assert framed == [("opposite", -1)]
    assert "the text denies the picture" in shown(optimist)
    assert "right." in shown(optimist)
    optimist.text.value, optimist.picture.value = 0, 0
    assert optimist.view.value != clicked
    optimist.text.value, optimist.picture.value = "opposite", -1
    assert optimist.view.value == clicked


def test_the_examples_of_a_square_are_leafed_through(optimist):
    optimist.squares[1, 2].click()
    posts, seen = wc.square_posts(1, 2), []
    for number, post in enumerate(posts, 1):
        optimist.example.value = number
        assert f"“{post.text}”" in shown(optimist)
        assert labels(optimist) == [f"{post.dish}, level 2"]
        seen.append(optimist.view.value)
    assert len(set(seen)) == len(posts) == optimist.example.max
    optimist.example.value = 1


def test_every_control_has_a_label(fusion, optimist):
    for explorer in (fusion, optimist):
        assert all(control.description for control in explorer.controls.values())
    assert all(button.description and button.tooltip for button in optimist.squares.values())


def test_the_still_picture_has_all_four_maps_in_words(optimist):
    picture = optimist.still()
    assert len(picture.data) < 60_000
    for words in ("the model: positive − negative: -2: +.75", "the rule: -2: -1, -1, -1, -1, 0",
                  "opposite: +1, +1, 0, -1, -1", "the gap: model − rule: -2: +1.75", "share of right answers: -2: 0%",
                  f"said positive, rule {LABELS[0]}"):
        assert words in picture.alt


def test_a_click_on_the_shipped_models_map_takes_less_than_a_tenth_of_a_second():
    start = time.perf_counter()
    explorer = conflict_explorer(load_model())
    assert time.perf_counter() - start < 10  # 3 s on a quiet machine
    rounds = []
    for _ in range(3):
        times = []
        for button in list(explorer.squares.values())[::2]:
            begin = time.perf_counter()
            button.click()
            times.append(time.perf_counter() - begin)
        rounds.append(statistics.median(times))
    assert min(rounds) < 0.1
    shows = [(explorer.show, value) for value in wc.SHOWS.values()]
    assert seconds_a_move([*shows, *((explorer.text, kind) for kind in KINDS), (explorer.example, 2)]) < 0.1
