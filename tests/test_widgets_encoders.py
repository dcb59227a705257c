"""The explorers of notebooks 02 and 03: any text, any picture, and what two networks make of it."""

import base64
import html
import io
import re
from functools import cache

import ipywidgets
import numpy as np
import pytest
import torch
from helpers import hand_over, milliseconds, save_image, save_text
from PIL import Image

from mmsa_utils import load_image_encoder, load_text_encoder, picture_explorer, text_explorer
from mmsa_utils.scenes import Scene, draw
from mmsa_utils.widgets import WIDGET_VIEW, uploaded
from mmsa_utils.widgets_picture import changed, distance, lit_patches, look, tinted
from mmsa_utils.widgets_text import attention_table, nearest_texts, read_text, same_depth

pytestmark = pytest.mark.usefixtures("one_thread")
TEXTS = ["This burger is not delicious!", "This burger is awful!", "What a tasty lunch that was!",
         "The train leaves at noon.", "This soup is <b>bland</b>."]


@cache
def bert():
    return load_text_encoder("bert")


@cache
def resnet():
    return load_image_encoder("resnet18")


@cache
def vit():
    return load_image_encoder("vit")


@pytest.fixture(scope="module")
def of_texts():
    return text_explorer({"BERT": bert(), "DistilBERT": load_text_encoder("distilbert")}, TEXTS)


@pytest.fixture(scope="module")
def of_pictures():
    return picture_explorer(resnet(), vit())


@pytest.fixture
def texts(of_texts):
    yield from as_new(of_texts)


@pytest.fixture
def pictures(of_pictures):
    yield from as_new(of_pictures)


def as_new(explorer):
    """Made once; each test finds it as it was when new."""
    start = {name: control.value for name, control in explorer.controls.items()}
    yield explorer
    for name in sorted(start, key=lambda name: name == "source"):  # the source last: an upload moves it
        set_value(explorer.controls[name], start[name])


def set_value(control, value):
    """A file that was uploaded cannot be put back in ipywidgets 7: there it is taken away as the front end would."""
    if not isinstance(control, ipywidgets.FileUpload):
        control.value = value
    elif control.value:
        hand_over(control)


def page(explorer) -> str:
    return html.unescape(explorer.view.value)


# --- reading a text ---

def test_padding_is_masked_and_gets_no_attention():
    alone, padded = read_text(bert(), "Tasty!"), read_text(bert(), "Tasty!", padding=5)
    assert padded.tokens == [*alone.tokens, *["[PAD]"] * 5]
    assert padded.mask == [1] * len(alone.tokens) + [0] * 5
    assert padded.attention.shape == (4, 4, len(padded.tokens), len(padded.tokens))
    assert padded.attention[..., -5:].sum() == 0
    assert torch.allclose(padded.feature, alone.feature, atol=1e-4)


def test_a_forgotten_mask_moves_the_feature():
    alone, padded = read_text(bert(), "Tasty!"), read_text(bert(), "Tasty!", padding=8, masked=False)
    assert padded.mask == [1] * len(padded.tokens)
    assert padded.attention[..., -8:].sum() > 0
    assert distance(alone.feature, padded.feature) > 0.1


def test_the_feature_is_the_encoders_own():
    assert torch.allclose(read_text(bert(), TEXTS[0]).feature, bert()(**bert().tokenize(TEXTS[:1]))[0], atol=1e-5)


def test_a_long_text_fills_the_encoder_and_leaves_no_room_for_padding():
    reading = read_text(bert(), "very " * 10_000, padding=8)
    assert reading.full
    assert len(reading.tokens) == bert().max_tokens
    assert reading.padding == 0
    almost = read_text(bert(), "very " * (bert().max_tokens - 5), padding=8)
    assert not almost.full
    assert almost.padding == 3
    assert len(almost.tokens) == bert().max_tokens


@pytest.mark.parametrize("text", ["", "   ", "\n", "\0", "\u200b"])
def test_an_empty_text_is_refused(text):
    with pytest.raises(ValueError, match="type at least one word"):
        read_text(bert(), text)


def test_nearest_texts_are_ordered_by_cosine():
    features = torch.tensor([[1.0, 0], [0, 1], [3, 3], [-1, 0]])
    near = nearest_texts(torch.tensor([2.0, 0]), features, list("abcd"), 3)
    assert [text for _, text in near] == ["a", "c", "b"]
    assert [round(cosine, 3) for cosine, _ in near] == [1, 0.707, 0]
    assert len(nearest_texts(torch.tensor([1.0, 0]), features, list("abcd"), 9)) == 4


def test_layers_as_deep():
    assert [same_depth(layer, 4, 2) for layer in (1, 2, 3, 4)] == [1, 1, 2, 2]
    assert [same_depth(layer, 12, 6) for layer in (1, 2, 11, 12)] == [1, 1, 6, 6]
    assert [same_depth(layer, 4, 4) for layer in (1, 2, 3, 4)] == [1, 2, 3, 4]


def test_the_table_shows_the_shares_in_percent():
    reading = read_text(bert(), "Tasty!", padding=2)
    table = html.unescape(attention_table(reading, 3, 2))
    rows = [re.findall(r"<td[^>]*>(\d+)</td>", row) for row in table.split("<tr>")[4:]]
    assert len(rows) == 4  # [CLS] tasty ! [SEP]: padding looks at nothing of interest
    assert rows == [[f"{100 * share:.0f}" for share in line] for line in reading.attention[2, 1, :4].tolist()]
    assert table.count("[PAD]") == 2


# --- the text explorer ---

def test_two_encoders_side_by_side(texts):
    assert "BERT: layer 3 of 4, head 2 of 4" in page(texts)
    assert "DistilBERT: layer 2 of 2, head 2 of 4" in page(texts)
    assert page(texts).count("[PAD]") == 6
    assert page(texts).count("nearest of 5 texts") == 2
    assert page(texts).index(TEXTS[0]) < page(texts).index(TEXTS[3])


def test_typing_a_text_shows_its_tokens_and_neighbours(texts):
    texts.text.value = "The train leaves at 9!"
    assert "train" in page(texts)
    assert "burgerlicious" not in page(texts)
    nearest = re.search(r"<td[^>]*>(-?\d\.\d\d)</td><td[^>]*>(.*?)</td>", page(texts))
    assert nearest.group(2) == TEXTS[3]
    texts.text.value = "burgerlicious"
    assert "##lic" in page(texts)


def test_what_is_typed_stays_text(texts):
    texts.text.value = "<script>alert(1)</script> & <b>soup</b>"
    assert "<script" not in texts.view.value
    assert "<b>" not in texts.view.value  # of a known text too


@pytest.mark.parametrize("text", ["", "  "])
def test_no_text_is_a_note(texts, text):
    texts.text.value = text
    assert 'role="alert"' in texts.view.value
    assert "type at least one word" in page(texts)
    texts.text.value = "soup"
    assert "alert" not in texts.view.value


def test_a_long_text_is_cut_and_said_to_be(texts):
    texts.text.value = "very " * 30 + "good"
    assert "Only the first 16 of 33 tokens are shown." in page(texts)
    assert "fills all" not in page(texts)
    texts.text.value = "very " * 500
    assert f"fills all {bert().max_tokens} places" in page(texts)
    assert len(texts.view.value) < 300_000


def test_layer_head_mask_and_padding_change_the_view(texts):
    seen = {texts.view.value}
    for name, value in (("layer", 1), ("head", 4), ("padding", 8), ("masked", False)):
        getattr(texts, name).value = value
        seen.add(texts.view.value)
    assert len(seen) == 5
    assert "BERT: layer 1 of 4, head 4 of 4" in page(texts)
    assert "DistilBERT: layer 1 of 2, head 4 of 4" in page(texts)


def test_forgetting_the_mask_makes_a_text_less_like_itself(texts):
    def itself():
        return [float(value) for value in re.findall(r"read alone: (\d\.\d\d)", page(texts))]

    texts.text.value, texts.padding.value = "Tasty!", 8
    assert itself() == [1, 1]
    texts.masked.value = False
    assert max(itself()) < 0.9


def test_encoders_of_other_shapes_go_side_by_side(tmp_path):
    small = load_text_encoder(str(save_text(tmp_path / "small")))  # 1 layer, 2 heads, 38 places
    explorer = text_explorer({"small": small, "BERT": bert()}, TEXTS)
    explorer.head.value, explorer.layer.value = 4, 4
    assert "small: layer 1 of 1, head 2 of 2" in page(explorer)
    assert "BERT: layer 4 of 4, head 4 of 4" in page(explorer)
    explorer.text.value = "burger " * 200
    assert "fills all 38 places" in page(explorer)
    one = text_explorer({"small": small}, TEXTS[:1])
    assert "nearest of 1 texts" in page(one)
    assert "small layer 1 of 1" in one.still().alt


@pytest.mark.parametrize(("encoders", "candidates"), [({}, TEXTS), ({"BERT": None}, [])])
def test_nothing_to_compare_is_refused(encoders, candidates):
    with pytest.raises(ValueError, match="expected at least one of each"):
        text_explorer(encoders, candidates)


def test_the_texts_picture_for_pages_without_a_kernel(texts):
    data, metadata = texts._repr_mimebundle_()
    alt = metadata["image/png"]["alt"]
    assert WIDGET_VIEW in data
    assert Image.open(io.BytesIO(texts.still().data)).format == "PNG"
    assert len(texts.still().data) < 60_000
    for words in ("DistilBERT layer 2 of 2", "looks most at burger", "mask forgotten", TEXTS[0]):
        assert words in alt


def test_the_text_explorer_answers_within_a_tenth_of_a_second(texts):
    words = "This burger is hellish and the fries were awful today at the old place near my office sadly".split()
    assert milliseconds(texts, "text", [" ".join(words[:i + 1]) for i in range(len(words))]) <= 100
    assert milliseconds(texts, "layer", [1, 2, 3, 4] * 5) <= 100
    assert milliseconds(texts, "padding", [0, 8, 3, 5] * 5) <= 100


# --- looking at a picture ---

def burger(**change):
    return draw(Scene(**{"dish": "burger", "freshness": 0.9, "seed": 3, **change}))


def png(image, form="png") -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form)
    return buffer.getvalue()


def test_both_networks_look():
    maps, shares, resnet_feature, vit_feature = look(resnet(), vit(), burger())
    assert [tuple(made.shape) for made in maps] == [(16, 16, 16), (32, 8, 8), (64, 4, 4), (128, 2, 2)]
    assert shares.shape == (8, 8)
    assert 0 < shares.sum() < 1
    for encoder, feature in ((resnet(), resnet_feature), (vit(), vit_feature)):
        assert torch.allclose(feature, encoder(encoder.preprocess([burger()]))[0], atol=1e-5)


def test_no_hook_is_left_behind():
    look(resnet(), vit(), burger())
    with pytest.raises(TypeError, match="expected a PIL image"):
        look(resnet(), vit(), "no picture")
    assert not any(module._forward_hooks for module in resnet().net.modules())


def test_mould_moves_a_feature_farther_than_light():
    before, dim, mouldy = (look(resnet(), vit(), image)
                           for image in (burger(), burger(light=-0.6), burger(freshness=-0.9)))
    for i in (2, 3):
        assert distance(before[i], before[i]) < 1e-5
        assert distance(before[i], mouldy[i]) > 2 * distance(before[i], dim[i])


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


def test_uploads_of_ipywidgets_7_and_8():
    content = png(burger())
    seven = {"a.png": {"metadata": {"name": "a.png"}, "content": content}}
    eight = ({"name": "a.png", "type": "image/png", "size": len(content), "content": memoryview(content)},)
    assert uploaded(seven) == uploaded(eight) == ("a.png", content)
    assert uploaded({}) is None
    assert uploaded(()) is None


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
    (bytes(5 * 2**20 + 1), "5 MB"),
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


def test_networks_of_other_shapes(tmp_path):
    small = load_image_encoder(str(save_image(tmp_path / "vit")))  # 32 pixels, patches of 8
    explorer = picture_explorer(resnet(), small)
    assert "an even share is 5.9%" in page(explorer)  # 16 patches and [CLS]


def test_every_control_is_labelled_and_works_at_its_ends(texts, pictures):
    assert set(texts.controls) == {"text", "layer", "head", "padding", "masked"}
    assert set(pictures.controls) == {"source", "dish", "freshness", "light", "colour", "crop", "stage", "upload"}
    for explorer in (texts, pictures):
        for name, control in explorer.controls.items():
            assert getattr(explorer, name) is control
            assert control.description
            for value in (control.min, control.max) if hasattr(control, "min") else ():
                control.value = value
                assert "alert" not in explorer.view.value
                assert ">nan" not in page(explorer)


def test_every_picture_says_what_it_is(pictures):
    assert len(re.findall("<img", pictures.view.value)) == 12
    assert len(re.findall(r'<img[^>]* alt="[^"]{4,}"', pictures.view.value)) == 12


def test_the_pictures_picture_for_pages_without_a_kernel(pictures):
    data, metadata = pictures._repr_mimebundle_()
    alt = metadata["image/png"]["alt"]
    assert WIDGET_VIEW in data
    assert len(pictures.still().data) < 60_000
    moved = dict(re.findall(r"; ([a-z]+ [-\d.]+): ResNet [\d.]+, ViT (\d.\d+)", alt))
    assert set(moved) == {"light -1", "colour -1", "crop 1", "freshness 0", "freshness -0.9"}
    assert float(moved["light -1"]) < float(moved["freshness 0"]) < float(moved["freshness -0.9"])


def test_the_picture_explorer_answers_within_a_tenth_of_a_second(pictures):
    steps = [i / 20 for i in range(20)]
    assert milliseconds(pictures, "light", steps) <= 100
    assert milliseconds(pictures, "stage", [1, 2, 3, 4] * 5) <= 100


def test_ones_own_picture_is_opened_once_and_then_as_quick(pictures):
    upload(pictures, png(Image.effect_noise((1500, 1500), 60).convert("RGB"), "jpeg"))
    assert milliseconds(pictures, "light", [i / 20 for i in range(20)]) <= 100
