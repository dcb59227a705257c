"""The explorer of notebook 03: any picture, and what two networks make of it."""

import base64
import html
import io
import re

import ipywidgets
import numpy as np
import pytest
import torch
from helpers import hand_over, save_image
from PIL import Image

from mmsa_utils import load_image_encoder, picture_explorer
from mmsa_utils.explorers.explorer import WIDGET_VIEW
from mmsa_utils.explorers.picture import changed, distance, lit_patches, look, tinted
from mmsa_utils.posts.scenes import Scene, draw

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def resnet():
    return load_image_encoder("resnet18")


@pytest.fixture(scope="module")
def vit():
    return load_image_encoder("vit")


@pytest.fixture(scope="module")
def of_pictures(resnet, vit):
    return picture_explorer(resnet, vit)


@pytest.fixture
def pictures(of_pictures):
    """Made once; each test finds it as it was when new."""
    start = {name: control.value for name, control in of_pictures.controls.items()}
    yield of_pictures
    for name in sorted(start, key=lambda name: name == "source"):  # the source last: an upload moves it
        set_value(of_pictures.controls[name], start[name])


def set_value(control, value):
    """A file that was uploaded cannot be put back in ipywidgets 7: there it is taken away as the front end would."""
    if not isinstance(control, ipywidgets.FileUpload):
        control.value = value
    elif control.value:
        hand_over(control)


def page(explorer) -> str:
    return html.unescape(explorer.view.value)


# --- looking at a picture ---

def burger(**change):
    return draw(Scene(**{"dish": "burger", "freshness": 0.9, "seed": 3, **change}))


def png(image, form="png") -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form)
    return buffer.getvalue()


def test_both_networks_look(resnet, vit):
    seen = look(resnet, vit, burger())
    assert [tuple(made.shape) for made in seen.maps] == [(16, 16, 16), (32, 8, 8), (64, 4, 4), (128, 2, 2)]
    assert seen.shares.shape == (8, 8)
    assert 0 < seen.shares.sum() < 1
    for encoder, feature in zip((resnet, vit), seen.features.values()):
        assert torch.allclose(feature, encoder(**encoder.prepare([burger()]))[0], atol=1e-5)


def test_no_hook_is_left_behind(resnet, vit):
    look(resnet, vit, burger())
    with pytest.raises(TypeError, match="expected a PIL image"):
        look(resnet, vit, "no picture")
    assert not any(module._forward_hooks for module in resnet.net.modules())


def test_mould_moves_a_feature_farther_than_light(resnet, vit):
    before, dim, mouldy = (look(resnet, vit, image).features
                           for image in (burger(), burger(light=-0.6), burger(freshness=-0.9)))
    for name in ("ResNet", "ViT"):
        assert distance(before[name], before[name]) < 1e-5
        assert distance(before[name], mouldy[name]) > 2 * distance(before[name], dim[name])


def test_tints_grow_lighter_for_every_eye():
    image = tinted(np.array([[0, 1, 2, 4, 9]]), 4)
    assert image.size == (5, 1)
    greys = list(image.convert("L").tobytes())
    assert greys[:4] == sorted(set(greys[:4]))
    assert greys[4] == greys[3]  # more than the top is the top
    assert tinted(np.zeros((2, 2)), 0).size == (2, 2)


def test_the_spotlight_falls_where_the_shares_are():
    shares = np.zeros((4, 4))
    shares[1, 2], shares[3, 0] = 0.5, 0.125
    lit = np.asarray(lit_patches(Image.new("RGB", (64, 64), (200, 200, 200)), shares, 64))
    dark, some, full = lit[8, 8, 0], lit[56, 8, 0], lit[24, 40, 0]
    assert dark < some < full == 200
    assert lit[16, 32].tolist() == [255] * 3  # the frame


def test_ones_own_picture_changes_as_asked():
    image = burger()
    assert np.array_equal(np.asarray(changed(image)), np.asarray(image))
    assert np.asarray(changed(image, light=-1)).mean() < 0.5 * np.asarray(image).mean()
    grey = np.asarray(changed(image, colour=-1))
    assert np.array_equal(grey[..., 0], grey[..., 2])
    assert changed(image, crop=1).size == image.size
    assert not np.array_equal(np.asarray(changed(image, crop=1)), np.asarray(image))


# --- the picture explorer ---

def distances(explorer) -> dict[str, list[float]]:
    """The bars of the ResNet and of the ViT, by name."""
    found: dict[str, list[float]] = {}
    for name, value in re.findall(r'scope="row"[^>]*>([^<]+)</th><td[^>]*><div.*?>(\d\.\d\d)</td>', page(explorer)):
        found.setdefault(name, []).append(float(value))
    return found


def upload(explorer, content, name="mine.png"):
    hand_over(explorer.upload, (name, content))


def test_untouched_nothing_has_moved_and_yardsticks_are_ordered(pictures):
    found = distances(pictures)
    assert found["your change"] == [0, 0]
    for i in range(2):
        assert found["another such plate"][i] < found["another dish (mean)"][i]
        assert found["another such plate"][i] < found["gone mouldy"][i]


def test_each_slider_moves_the_features(pictures):
    for name, value in (("light", -1), ("colour", -1), ("crop", 1), ("freshness", -0.9)):
        start = getattr(pictures, name).value
        getattr(pictures, name).value = value
        assert min(distances(pictures)["your change"]) > 0.01, name
        getattr(pictures, name).value = start
    assert distances(pictures)["your change"] == [0, 0]


def test_freshness_at_the_yardstick_is_the_yardstick(pictures):
    pictures.freshness.value = -0.9
    found = distances(pictures)
    assert found["your change"] == found["gone mouldy"]
    assert found["your change"] != [0, 0]


def test_another_dish_is_compared_with_itself(pictures):
    pictures.dish.value = "pizza"
    assert distances(pictures)["your change"] == [0, 0]
    assert 'alt="pizza, untouched"' in pictures.view.value


def test_the_stage_chooses_the_maps(pictures):
    sizes = []
    for stage in (1, 2, 3, 4):
        pictures.stage.value = stage
        assert f"four feature maps of stage {stage}" in page(pictures)
        source = re.findall(r'base64,([^"]+)" alt="feature map \d+, now"', pictures.view.value)
        assert len(source) == 4
        sizes.append(Image.open(io.BytesIO(base64.b64decode(source[0]))).size)
    assert sizes == [(16, 16), (8, 8), (4, 4), (2, 2)]


def test_ones_own_picture(pictures):
    upload(pictures, png(burger(dish="soup").resize((300, 200)), "jpeg"), "mine.jpg")
    assert pictures.source.value == "my own"
    assert pictures.freshness.disabled
    assert 'alt="your picture, untouched"' in pictures.view.value
    assert distances(pictures)["your change"] == [0, 0]
    assert min(distances(pictures)["the drawn burger"]) > 0.05
    pictures.light.value = -1
    assert min(distances(pictures)["your change"]) > 0
    pictures.source.value = "drawn"
    assert not pictures.freshness.disabled
    assert 'alt="burger, untouched"' in pictures.view.value


def test_another_picture_replaces_the_first(pictures):
    upload(pictures, png(Image.new("RGB", (80, 80), "red")), "a.png")
    first = pictures.view.value
    upload(pictures, png(burger()), "a.png")
    assert pictures.view.value != first


def test_without_a_file_there_is_a_note(pictures):
    pictures.source.value = "my own"
    assert 'role="alert"' in pictures.view.value
    assert "choose a file" in page(pictures)


def bomb() -> bytes:
    """A picture of 49 megapixels in a few kilobytes."""
    return png(Image.new("1", (7000, 7000)))


@pytest.mark.parametrize(("content", "words"), [
    (b"no picture at all", "cannot be read as a picture"),
    (b"", "cannot be read as a picture"),
    (png(Image.effect_noise((200, 200), 50))[:2000], "cannot be read as a picture"),
    (bytes(25 * 2**20 + 1), "25 MB"),
    (bomb(), "40 megapixels")], ids=["text", "empty", "cut off", "too large", "too many pixels"])
def test_a_bad_file_is_a_friendly_note(pictures, content, words):
    upload(pictures, content, "holiday <1>.png")
    assert 'role="alert"' in pictures.view.value
    assert words in page(pictures)
    assert "holiday <1>.png" in page(pictures)
    assert "holiday &lt;1&gt;.png" in pictures.view.value
    assert "BytesIO" not in page(pictures)
    assert "/" not in page(pictures).replace("</div>", "")  # no path
    pictures.source.value = "drawn"
    assert "alert" not in pictures.view.value


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "1"])
def test_pictures_of_any_mode(pictures, mode):
    upload(pictures, png(burger().convert(mode)))
    assert "alert" not in pictures.view.value
    assert "your picture" in page(pictures)


def test_a_picture_of_one_pixel(pictures):
    upload(pictures, png(Image.new("RGB", (1, 1), "red")))
    pictures.crop.value = 1
    assert "alert" not in pictures.view.value
    assert ">nan" not in page(pictures)


def test_networks_of_other_shapes(resnet, tmp_path):
    small = load_image_encoder(str(save_image(tmp_path / "vit")))  # 32 pixels, patches of 8
    explorer = picture_explorer(resnet, small)
    assert "an even share is 5.9%" in page(explorer)  # 16 patches and [CLS]


def test_every_control_is_labelled_and_works_at_its_ends(pictures):
    assert set(pictures.controls) == {"source", "dish", "freshness", "light", "colour", "crop", "stage", "upload"}
    for name, control in pictures.controls.items():
        assert getattr(pictures, name) is control
        assert control.description
        for value in (control.min, control.max) if hasattr(control, "min") else ():
            control.value = value
            assert "alert" not in pictures.view.value
            assert ">nan" not in page(pictures)


def test_every_picture_says_what_it_is(pictures):
    assert len(re.findall("<img", pictures.view.value)) == 12
    assert len(re.findall(r'<img[^>]* alt="[^"]{4,}"', pictures.view.value)) == 12


def test_the_pictures_picture_for_pages_without_a_kernel(pictures):
    data, metadata = pictures._repr_mimebundle_()
    alt = metadata["image/png"]["alt"]
    assert WIDGET_VIEW in data
    assert len(data["image/png"]) < 80_000
    moved = dict(re.findall(r"; ([a-z]+ [-\d.]+): ResNet [\d.]+, ViT (\d.\d+)", alt))
    assert set(moved) == {"light -1", "colour -1", "crop 1", "freshness 0", "freshness -0.9"}
    assert float(moved["light -1"]) < float(moved["freshness 0"]) < float(moved["freshness -0.9"])
