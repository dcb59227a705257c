"""The explorer of attention: what it shows is what the model does, and its controls follow each other."""

import io
import re
from html import unescape

import pytest
import torch
from PIL import Image

from mmsa_utils import BINARY_LABELS, MultimodalSentimentModel, gaze_explorer
from mmsa_utils.explorers import gaze as eg
from mmsa_utils.explorers.explorer import WIDGET_VIEW
from mmsa_utils.figures.gaze import weight_on
from mmsa_utils.posts.places import FORMS, place_text

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def model():
    return MultimodalSentimentModel("distilbert", "vit", classes=BINARY_LABELS, fusion="attention", frozen=True)


@pytest.fixture(scope="module")
def made(model):
    return gaze_explorer(model)


@pytest.fixture
def explorer(made):
    """Made once; each test finds it as it was when new."""
    yield made
    for name, value in {"seed": 0, "other": eg.NOBODY, "dish": 0, "form": 1, "text": place_text(eg.dishes_of(0)[0]),
                        **{f"fresh_{i}": fresh for i, fresh in enumerate(eg.START, 1)}}.items():
        made.controls[name].value = value


def shown(explorer) -> str:
    """What a reader sees of the view: its words without their tags."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", explorer.view.value)))


def labels(explorer) -> list[str]:
    return [unescape(found) for found in re.findall(r'alt="([^"]*)"', explorer.view.value)]


def pictures(explorer) -> list[str]:
    return re.findall(r'src="([^"]*)"', explorer.view.value)


# --- texts ---

@pytest.mark.parametrize("form", range(FORMS))
def test_a_text_names_its_dishes_in_every_form(form):
    assert "pizza" in place_text("pizza", form=form)
    both = place_text("pizza", "soup", form)
    assert "pizza" in both
    assert "soup" in both
    assert not re.search(r"[{}]|  | \.", both + place_text("pizza", form=form))
    assert both[0].isupper()
    assert len({place_text("pizza", "soup", other) for other in range(FORMS)}) == FORMS


def test_a_text_that_cannot_be_is_refused():
    with pytest.raises(ValueError, match="expected 0 to 9"):
        place_text("pizza", form=FORMS)
    with pytest.raises(ValueError, match="expected two dishes, or one"):
        place_text("pizza", "pizza")


# --- what the model does ---

@torch.no_grad()
def test_the_gaze_is_the_models_own(model):
    post = eg.table_post(1, eg.START, 2, "Zzyzx: I had the soup 日.")
    gaze = eg.gaze_at(model, post.text, post.image)
    model.eval()
    sides = model.encode(**model.prepare([post.text], [post.image]))
    assert [gaze.cls, *gaze.patches] == pytest.approx(model.fusion.gaze(sides)[0].tolist(), abs=1e-6)
    assert len(gaze.patches) == 64
    counts = model.fusion.choice(model.fusion.look(sides))["text"][0].tolist()
    assert [count for _, count in gaze.words] == pytest.approx(counts[1:-1], abs=1e-6)
    assert gaze.specials == pytest.approx(counts[0] + counts[-1], abs=1e-6)
    pieces = [word for word, _ in gaze.words]
    assert "soup" in pieces
    assert "[UNK]" in pieces  # a word that is unknown counts
    assert not {"[CLS]", "[SEP]"} & set(pieces)
    assert gaze.probabilities == pytest.approx(model.predict([post.text], [post.image])[0].tolist(), abs=1e-6)


def test_a_picture_encoder_without_cls_has_patches_alone():
    other = MultimodalSentimentModel("bert", "resnet18", classes=BINARY_LABELS, fusion="attention")
    gaze = eg.gaze_at(other, "I had the soup.", eg.table_post(1, eg.START, 2, "").image)
    assert gaze.cls is None
    assert sum(gaze.patches) == pytest.approx(1)
    assert "no patch" not in shown(gaze_explorer(other))


@pytest.mark.parametrize(("options", "words"), [
    ({"fusion": "concat", "classes": BINARY_LABELS}, 'Concat over text and image: only one made with fusion='),
    ({"fusion": "attention", "classes": BINARY_LABELS, "image": None}, "Attention over text"),
    ({"fusion": "attention"}, "classes are negative, neutral, positive: expected negative, positive"),
    ({"fusion": "attention", "classes": None}, "classes are none: expected")])
def test_another_model_is_refused(options, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        gaze_explorer(MultimodalSentimentModel(**{"text": "distilbert", "image": "vit", **options}))


# --- the table ---

def test_a_dish_that_goes_off_changes_nothing_but_itself():
    fresh, off = (eg.table_post(3, (one, True, True, True), 0, "x") for one in (True, False))
    assert (fresh.label, off.label) == (1, 0)
    assert [place[2:] for place in fresh.places] == [place[2:] for place in off.places]
    for i, place in enumerate(fresh.places):
        box = [round(edge * 64) for edge in place[2:]]
        assert (fresh.image.crop(box).tobytes() == off.image.crop(box).tobytes()) == (i > 0)


def test_another_seed_is_another_table():
    assert len({frozenset(eg.dishes_of(seed)) for seed in range(6)}) > 3
    assert all(len(set(eg.dishes_of(seed))) == 4 for seed in range(6))


# --- the explorer ---

def test_it_shows_gaze_words_answer_and_rule(explorer, model):
    dishes = eg.dishes_of(0)
    post = eg.table_post(0, eg.START, 0, explorer.text.value)
    gaze = eg.gaze_at(model, post.text, post.image)
    words = shown(explorer)
    for place in post.places:
        mark = " (counts)" * (place.dish == dishes[0])
        assert f"{place.dish}{mark} {weight_on(gaze.patches, place):.2f}" in words
    assert f"[CLS], no patch {gaze.cls:.2f}" in words
    for word, count in gaze.words:
        assert f"{word} {count:.2f}" in words
    for name, probability in zip(BINARY_LABELS, gaze.probabilities):
        assert f"{name} {probability:.2f}" in words
    assert f"the rule positive: {'right' if gaze.probabilities[1] > 0.5 else 'wrong'}." in words
    assert f"Why: the {dishes[0]} is the writer's, and it is fresh." in words
    assert eg.largest_words(post, gaze) in words
    assert "own words" not in words
    plain, lit = labels(explorer)
    assert all(re.search(rf"{dish}, (fresh|going off), (upper|lower) (left|right)", plain) for dish in dishes)
    assert f"the {dishes[0]}, " in lit
    assert "is framed" in lit


@pytest.mark.parametrize("mine", range(4))
def test_the_sentence_says_where_the_largest_weight_lies(mine):
    post = eg.table_post(0, eg.START, mine, "x")
    target = post.places[2]
    row, column = int(4 * (target.top + target.bottom)), int(4 * (target.left + target.right))
    gaze = eg.Gaze([0.5, 0.5], [0.9 if i == 8 * row + column else 0.0 for i in range(64)], 0.1, [("x", 1.0)], 0.0)
    said = eg.largest_words(post, gaze)
    assert f"0.90, lies on the {target.dish}" in said
    assert ("the dish that counts." in said) == (mine == 2)
    assert (f"not on the {post.dish}, which counts and gets 0.00" in said) == (mine != 2)


def test_the_controls_write_the_text_and_follow_each_other(explorer):
    dishes = eg.dishes_of(0)
    assert [name for name, _ in explorer.dish.options] == list(dishes)
    explorer.dish.value, explorer.other.value, explorer.form.value = 2, 1, 3
    assert explorer.text.value == place_text(dishes[2], dishes[1], 2)
    assert dishes[2] not in dict(explorer.other.options)
    explorer.seed.value = 7
    others = eg.dishes_of(7)
    assert (explorer.dish.value, explorer.other.value) == (2, 1)
    assert explorer.text.value == place_text(others[2], others[1], 2)
    assert [explorer.controls[f"fresh_{i}"].description for i in (1, 2, 3, 4)] == [f"{d} is fresh" for d in others]
    assert f"{others[2]} (counts)" in shown(explorer)
    explorer.dish.value = 1  # it cannot be somebody else's too
    assert explorer.other.value == eg.NOBODY
    assert explorer.text.value == place_text(others[1], form=2)


def test_the_toggles_change_the_picture_and_the_truth(explorer):
    before = pictures(explorer)
    assert "the rule positive" in shown(explorer)
    explorer.fresh_1.value = False
    assert "the rule negative" in shown(explorer)
    assert "it is going off" in shown(explorer)
    assert not set(before) & set(pictures(explorer))
    explorer.fresh_2.value = True  # another's mood: another picture, the same truth
    assert "the rule negative" in shown(explorer)


def test_the_text_may_be_typed(explorer):
    dish = eg.dishes_of(0)[0]
    explorer.text.value = f"<b>Mine</b> was the {dish.upper()}"
    assert "<b>" not in explorer.view.value
    assert "These are your own words: the rule goes by" in shown(explorer)
    explorer.text.value = "Mine was the whale"
    assert f"they do not name the {dish}" in shown(explorer)
    explorer.text.value = "very " * 30
    assert "Only the first 24 of 30 words are shown." in shown(explorer)
    explorer.text.value = "very " * 10_000
    assert "Only the first 24 of" in shown(explorer)


@pytest.mark.parametrize("text", ["", "  ", "\u200b"])
def test_no_text_is_a_note(explorer, text):
    explorer.text.value = text
    assert 'role="alert"' in explorer.view.value
    assert "type at least one word" in shown(explorer)
    explorer.form.value = 2
    assert "alert" not in explorer.view.value


def test_every_control_is_labelled_and_works_at_its_ends(explorer):
    assert set(explorer.controls) == {"dish", "other", "form", "text", "seed", *(f"fresh_{i}" for i in (1, 2, 3, 4))}
    for name, control in explorer.controls.items():
        assert getattr(explorer, name) is control
        assert control.description
        for value in (control.min, control.max) if hasattr(control, "min") else ():
            control.value = value
            assert "alert" not in explorer.view.value
            assert "nan" not in shown(explorer)


def test_the_picture_for_pages_without_a_kernel(explorer):
    data, metadata = explorer._repr_mimebundle_()
    assert WIDGET_VIEW in data
    picture = explorer.still()
    assert Image.open(io.BytesIO(picture.data)).format == "PNG"
    assert len(picture.data) < 60_000
    assert metadata["image/png"]["alt"] == picture.alt
    for i, dish in enumerate(eg.dishes_of(0)):
        assert f"I had the {dish}, see the photo." in picture.alt
        assert re.search(rf"0\.\d\d on the {dish}; .*?rule: {BINARY_LABELS[eg.START[i]]}", picture.alt)
