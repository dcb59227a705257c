"""Pictures by what their classes are called: CLIP's own figures, prompts averaged as directions."""

import pytest
import tiny_clip
import torch
from helpers import generators, save_image
from PIL import Image

from mmsa_utils import LABELS, EncoderUnavailable
from mmsa_utils.encoders.image import load_processor
from mmsa_utils.encoders.text import load_tokenizer
from mmsa_utils.learning.zero_shot import PROMPTS, zero_shot

PICTURES = [Image.effect_noise((50, 40), 90), Image.new("RGB", (7, 90), "red"), Image.linear_gradient("L"),
            Image.new("CMYK", (40, 40)), Image.radial_gradient("L")]
ONE = {"joy": ["soup"], "grief": ["a sad dog"], "none": ["no"]}  # of different lengths: the short ones are padded
SEVERAL = {"joy": ["soup", "a dog", "joy"], "grief": ["sad", "a sad dog"]}


@pytest.fixture(scope="module", params=["new", "old"])
def made(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("clip") / "tiny"
    # a scale of 20: at CLIP's own 14 random weights tell nothing apart
    return folder, tiny_clip.save_clip(folder, old=request.param == "old", logit_scale_init_value=3.0)


def said(made, prompts: list[str]):
    """CLIP's own output, from its own preparation."""
    folder, net = made
    words = load_tokenizer(folder)(prompts, padding=True, return_tensors="pt")
    pixels = load_processor(folder)(images=[picture.convert("RGB") for picture in PICTURES], return_tensors="pt")
    with torch.no_grad():
        return net(**words, **pixels)


def quietly(made, *rest, **options) -> torch.Tensor:
    return zero_shot(*rest, name=made[0], show_progress=False, **options)


def test_with_one_prompt_a_class_it_is_what_clip_says(made):
    expected = said(made, [prompt for prompt, in ONE.values()]).logits_per_image.softmax(1)
    found = quietly(made, PICTURES, ONE)
    assert found.shape == (5, 3)
    assert (expected.amax(0) - expected.amin(0)).max() > 0.01  # pictures are told apart
    assert torch.allclose(found, expected, atol=1e-5)


def test_prompts_of_a_class_are_averaged_as_directions(made):
    embeds = said(made, [prompt for prompts in SEVERAL.values() for prompt in prompts])
    directions = []
    for part in embeds.text_embeds.split([3, 2]):  # of length 1 already
        mean = sum(part) / len(part)
        directions.append(mean / mean.square().sum().sqrt())
    cosines = torch.stack([embeds.image_embeds @ direction for direction in directions], 1)
    expected = (cosines * made[1].logit_scale.exp()).softmax(1)
    assert torch.allclose(quietly(made, PICTURES, SEVERAL), expected.detach(), atol=1e-5)


def test_the_order_of_the_classes_is_that_of_the_prompts(made):
    turned = dict(reversed(ONE.items()))
    assert torch.allclose(quietly(made, PICTURES, turned).flip(1), quietly(made, PICTURES, ONE), atol=1e-6)


def test_batches_and_generators_give_the_same(made):
    before = generators()
    expected = quietly(made, PICTURES, ONE)
    assert generators() == before
    for options in ({"batch_size": 2}, {"batch_size": 5}, {"batch_size": 1, "device": torch.device("cpu")}):
        assert torch.allclose(quietly(made, PICTURES, ONE, **options), expected, atol=1e-6)
    assert torch.allclose(quietly(made, (picture for picture in PICTURES), ONE, batch_size=2), expected, atol=1e-6)
    assert not expected.requires_grad
    assert not expected.is_inference()
    assert torch.allclose(expected.sum(1), torch.ones(5), atol=1e-6)


def test_a_bar_counts_the_batches(made, capsys):
    zero_shot(PICTURES, ONE, made[0], batch_size=2)
    assert "zero-shot" in (bar := capsys.readouterr().err)
    assert "/3 " in bar
    quietly(made, PICTURES, ONE)
    assert capsys.readouterr() == ("", "")


def test_the_default_prompts_are_as_many_for_each_mood_and_all_different():
    assert tuple(PROMPTS) == LABELS
    assert {len(prompts) for prompts in PROMPTS.values()} == {3}
    assert len({prompt for prompts in PROMPTS.values() for prompt in prompts}) == 9
    assert max(len(prompt.encode()) for prompts in PROMPTS.values() for prompt in prompts) <= 75  # fits, however cut


@pytest.mark.parametrize(("prompts", "message"), [
    ({}, "expected at least two classes"), ({"joy": ["soup"]}, "expected at least two classes"),
    (["soup", "dog"], "expected at least two classes"),
    ({"joy": "soup", "grief": ["dog"]}, "the class 'joy' are 'soup': expected a list"),
    ({"joy": ["soup"], "grief": []}, "the class 'grief' are .*at least one"),
    ({"joy": ["soup"], "grief": [" "]}, "the class 'grief'"), ({"joy": ["soup"], "grief": [None]}, "the class 'grief'"),
    ({"joy": ["soup"], "grief": ["soup " * 11]}, "is longer than the 12 tokens that CLIP reads")])
def test_prompts_that_are_none(made, prompts, message):
    with pytest.raises(ValueError, match=message):
        quietly(made, PICTURES, prompts)


@pytest.mark.parametrize(("images", "message"), [
    ([], "got no posts"), (PICTURES[0], "got a single picture"), ([PICTURES[0], None], "post 1 has neither image")])
def test_pictures_that_are_none(made, images, message):
    with pytest.raises(ValueError, match=message):
        quietly(made, images, ONE)


@pytest.mark.parametrize("size", [0, -1, 2.5, True, None])
def test_batches_of_no_size(made, size):
    with pytest.raises(ValueError, match="expected a whole number from 1 on"):
        quietly(made, PICTURES, ONE, batch_size=size)


def test_what_is_no_picture(made):
    with pytest.raises(TypeError, match="got str"):
        quietly(made, ["photo.jpg"], ONE)


def test_another_model_has_no_common_space(tmp_path):
    with pytest.raises(ValueError, match="vit is of the kind 'vit': expected a whole CLIP"):
        zero_shot(PICTURES, ONE, save_image(tmp_path / "vit"))


def test_a_folder_without_the_tokenizer(made, tmp_path):
    made[1].save_pretrained(tmp_path / "bare")
    load_processor(made[0]).save_pretrained(tmp_path / "bare")
    with pytest.raises(EncoderUnavailable, match="bare holds no tokenizer files"):
        zero_shot(PICTURES, ONE, tmp_path / "bare")


def test_offline_it_says_what_to_do(tmp_path, monkeypatch):
    tiny_clip.only_cache(tmp_path, monkeypatch)
    with pytest.raises(EncoderUnavailable, match="openai/clip-vit-base-patch32.*cannot be loaded"):
        zero_shot(PICTURES)
