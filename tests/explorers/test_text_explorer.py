"""The explorer of notebook 02: any text, and what two networks make of it."""

import base64
import html
import io
import re

import pytest
import torch
from helpers import save_text
from PIL import Image

from mmsa_utils import load_text_encoder, text_explorer
from mmsa_utils.explorers.explorer import WIDGET_VIEW
from mmsa_utils.explorers.picture import distance
from mmsa_utils.explorers.text import attention_table, nearest_texts, read_text, same_depth

pytestmark = pytest.mark.usefixtures("one_thread")
TEXTS = ["This burger is not delicious!", "This burger is awful!", "What a tasty lunch that was!",
         "The train leaves at noon.", "This soup is <b>bland</b>."]


@pytest.fixture(scope="module")
def bert():
    return load_text_encoder("bert")


@pytest.fixture(scope="module")
def of_texts(bert):
    return text_explorer({"BERT": bert, "DistilBERT": load_text_encoder("distilbert")}, TEXTS)


@pytest.fixture
def texts(of_texts):
    """Made once; each test finds it as it was when new."""
    start = {name: control.value for name, control in of_texts.controls.items()}
    yield of_texts
    for name, value in start.items():
        of_texts.controls[name].value = value


def page(explorer) -> str:
    return html.unescape(explorer.view.value)


# --- reading a text ---

def test_padding_is_masked_and_gets_no_attention(bert):
    alone, padded = read_text(bert, "Tasty!"), read_text(bert, "Tasty!", padding=5)
    assert padded.tokens == [*alone.tokens, *["[PAD]"] * 5]
    assert padded.mask == [1] * len(alone.tokens) + [0] * 5
    assert padded.attention.shape == (4, 4, len(padded.tokens), len(padded.tokens))
    assert padded.attention[..., -5:].sum() == 0
    assert torch.allclose(padded.feature, alone.feature, atol=1e-4)


def test_a_forgotten_mask_moves_the_feature(bert):
    alone, padded = read_text(bert, "Tasty!"), read_text(bert, "Tasty!", padding=8, masked=False)
    assert padded.mask == [1] * len(padded.tokens)
    assert padded.attention[..., -8:].sum() > 0
    assert distance(alone.feature, padded.feature) > 0.1


def test_the_feature_is_the_encoders_own(bert):
    assert torch.allclose(read_text(bert, TEXTS[0]).feature, bert(**bert.prepare(TEXTS[:1]))[0], atol=1e-5)


def test_a_long_text_fills_the_encoder_and_leaves_no_room_for_padding(bert):
    reading = read_text(bert, "very " * 10_000, padding=8)
    assert reading.full
    assert len(reading.tokens) == bert.max_tokens
    assert reading.padding == 0
    almost = read_text(bert, "very " * (bert.max_tokens - 5), padding=8)
    assert not almost.full
    assert almost.padding == 3
    assert len(almost.tokens) == bert.max_tokens


@pytest.mark.parametrize("text", ["", "   ", "\n", "\0", "\u200b"])
def test_an_empty_text_is_refused(bert, text):
    with pytest.raises(ValueError, match="type at least one word"):
        read_text(bert, text)


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


def test_the_table_shows_the_shares_in_percent(bert):
    reading = read_text(bert, "Tasty!", padding=2)
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


def test_a_long_text_is_cut_and_said_to_be(bert, texts):
    texts.text.value = "very " * 30 + "good"
    assert "Only the first 16 of 33 tokens are shown." in page(texts)
    assert "fills all" not in page(texts)
    texts.text.value = "very " * 500
    assert f"fills all {bert.max_tokens} places" in page(texts)
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


def test_encoders_of_other_shapes_go_side_by_side(bert, tmp_path):
    small = load_text_encoder(str(save_text(tmp_path / "small")))  # 1 layer, 2 heads, 38 places
    explorer = text_explorer({"small": small, "BERT": bert}, TEXTS)
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
    assert Image.open(io.BytesIO(base64.b64decode(data["image/png"]))).format == "PNG"
    assert len(data["image/png"]) < 80_000
    for words in ("DistilBERT layer 2 of 2", "looks most at burger", "mask forgotten", TEXTS[0]):
        assert words in alt


def test_every_control_is_labelled_and_works_at_its_ends(texts):
    assert set(texts.controls) == {"text", "layer", "head", "padding", "masked"}
    for name, control in texts.controls.items():
        assert getattr(texts, name) is control
        assert control.description
        for value in (control.min, control.max) if hasattr(control, "min") else ():
            control.value = value
            assert "alert" not in texts.view.value
            assert ">nan" not in page(texts)
