"""The frame that every explorer stands in, and the explorer of notebook 01."""

import html
import io
import re

import ipywidgets
import pytest
from helpers import milliseconds
from IPython.core.formatters import DisplayFormatter
from IPython.display import Image as DisplayImage
from PIL import Image

from mmsa_utils import judge, make_post, panels, post_explorer, post_table
from mmsa_utils.phrases import KINDS
from mmsa_utils.rules import LABELS
from mmsa_utils.widgets import WIDGET_VIEW, Explorer, choice, slider

PIXEL = io.BytesIO()
Image.new("RGB", (1, 1)).save(PIXEL, "png")


def counting(view=None):
    """An explorer over two controls, and the list of what its view was called with."""
    calls = []

    def keep(**values):
        calls.append(values)
        return view(**values) if view else panels.paragraph(f"{values['size']} {values['kind']}")

    controls = {"size": slider("size", 1, 0, 3), "kind": choice("kind", ["a", "b"], "a"),
                "again": ipywidgets.Button(description="again")}
    return Explorer("An explorer", controls, keep, lambda: DisplayImage(PIXEL.getvalue(), alt="a black dot")), calls


# --- the frame ---

def test_controls_are_attributes_and_the_view_follows_them():
    explorer, calls = counting()
    assert "1 a" in explorer.view.value
    explorer.size.value = 3
    explorer.kind.value = "b"
    assert "3 b" in explorer.view.value
    assert calls == [{"size": 1, "kind": "a"}, {"size": 3, "kind": "a"}, {"size": 3, "kind": "b"}]


def test_a_control_that_stays_calls_nothing():
    explorer, calls = counting()
    explorer.size.value = 1
    assert len(calls) == 1


def test_what_the_view_refuses_becomes_a_note_and_goes_away_again():
    def view(size, kind):
        if size == 0:
            raise ValueError("nothing <to> show")
        return panels.paragraph("something")

    explorer, _ = counting(view)
    explorer.size.value = 0
    assert 'role="alert"' in explorer.view.value
    assert "nothing &lt;to&gt; show" in explorer.view.value
    explorer.size.value = 2
    assert "alert" not in explorer.view.value
    assert "something" in explorer.view.value


def test_half_a_character_from_the_browser_can_be_read_and_shown():
    controls = {"text": ipywidgets.Text("good")}
    explorer = Explorer("An explorer", controls, lambda text: panels.paragraph(text),
                        lambda: DisplayImage(PIXEL.getvalue(), alt="a black dot"))
    explorer.text.value = "good \ud83d"
    assert "good ?" in explorer.view.value
    assert explorer.view.value.encode("utf8")


def test_other_errors_are_not_hidden():
    def view(size, kind):
        raise KeyError("a bug")

    with pytest.raises(KeyError, match="a bug"):
        counting(view)


def test_the_display_is_a_widget_with_a_picture_for_those_who_have_none():
    explorer, _ = counting()
    data, metadata = explorer._repr_mimebundle_()
    assert data[WIDGET_VIEW]["model_id"] == explorer.model_id
    assert data[WIDGET_VIEW]["version_major"] == 2
    assert data["image/png"]
    assert metadata["image/png"]["alt"] == "a black dot"
    assert "An explorer" in data["text/plain"]


def test_ipython_shows_the_bundle_and_nothing_else():
    explorer, _ = counting()
    assert explorer._ipython_display_ is None
    data, metadata = DisplayFormatter().format(explorer)
    assert {"text/plain", "image/png", WIDGET_VIEW} <= set(data)
    assert metadata["image/png"]["alt"] == "a black dot"


# --- notebook 01 ---

@pytest.fixture(scope="module")
def posts():
    return post_explorer()


@pytest.fixture
def explorer(posts):
    """Made once; each test finds it as it was when new."""
    start = {name: control.value for name, control in posts.controls.items()}
    yield posts
    for name, value in start.items():
        posts.controls[name].value = value


def page(explorer) -> str:
    return html.unescape(explorer.view.value)


def text_in(explorer) -> str:
    return re.search("“(.+?)”", page(explorer)).group(1)


def label_in(explorer) -> str:
    return re.search("(negative|neutral|positive)</span>", explorer.view.value).group(1)


def test_every_control_is_labelled_and_an_attribute(explorer):
    assert set(explorer.controls) == {"speaks", "text_valence", "text_strength", "picture_valence",
                                      "picture_strength", "conflict", "dish", "seed"}
    for name, control in explorer.controls.items():
        assert getattr(explorer, name) is control
        assert control.description
        assert control.style.description_width == "initial"  # else a long label is cut


def test_the_label_and_its_reason_are_the_rules_own(explorer):
    for kind in KINDS:
        for level in (-2, -1, 0, 1, 2):
            if isinstance(kind, str):
                explorer.speaks.value = kind
            else:
                explorer.speaks.value = ""
                explorer.text_valence.value = (kind > 0) - (kind < 0)
                explorer.text_strength.value = max(1, abs(kind))
            explorer.picture_valence.value = (level > 0) - (level < 0)
            explorer.picture_strength.value = max(1, abs(level))
            valence, relation, reason = judge(kind, level)
            assert label_in(explorer) == LABELS[valence + 1]
            assert f"{relation}: {reason}." in page(explorer)
            assert f"level {level}" in explorer.view.value
            assert text_in(explorer) == make_post(kind, level).text


def test_the_same_words_can_have_opposite_labels(explorer):
    explorer.speaks.value = "opposite"
    words, label = text_in(explorer), label_in(explorer)
    explorer.picture_valence.value = 1
    assert text_in(explorer) == words
    assert {label, label_in(explorer)} == {"negative", "positive"}


def test_a_text_about_its_picture_has_no_feeling_to_choose(explorer):
    assert not explorer.text_valence.disabled
    explorer.speaks.value = "same"
    assert explorer.text_valence.disabled
    assert explorer.text_strength.disabled
    explorer.speaks.value = ""
    assert not explorer.text_strength.disabled


@pytest.mark.parametrize("conflict", [0.05, 0.2, 0.55, 1.0])
def test_the_share_is_the_tables(explorer, conflict):
    explorer.conflict.value = conflict  # the controls start at sarcasm: glowing words over an awful picture
    share = sum(state.share for state in post_table(conflict) if state[:2] == (2, -2))
    assert f"At conflict {conflict:.2f}, {share:.1%} of all posts" in explorer.view.value


def test_a_state_that_never_happens_is_said_to(explorer):
    explorer.conflict.value = 0
    assert "no post is in this state" in explorer.view.value
    explorer.picture_valence.value = 1
    assert "no post is in this state" not in explorer.view.value


def test_ceilings_of_one_side_fall_and_rise_again(explorer):
    def ceilings():
        return [float(value) for value in re.findall(r">(\d\.\d\d)</td>", explorer.view.value)]

    at = {}
    for conflict in (0, 0.7, 1):
        explorer.conflict.value = conflict
        at[conflict] = ceilings()
    assert [len(values) for values in at.values()] == [3, 3, 3]  # text alone, picture alone, both
    assert at[0][0] > at[0.7][0] < at[1][0]
    assert at[0][1] > at[0.7][1] < at[1][1]
    assert at[0][2] == at[0.7][2] == at[1][2] == 1


def test_another_seed_or_dish_is_another_post(explorer):
    seen = {explorer.view.value}
    for name, value in (("seed", 20), ("dish", "croissant")):
        getattr(explorer, name).value = value
        seen.add(explorer.view.value)
    assert len(seen) == 3
    assert "croissant" in text_in(explorer)


def test_every_control_works_at_its_ends(explorer):
    for control in explorer.controls.values():
        ends = (control.min, control.max) if hasattr(control, "min") else [v for _, v in _options(control)]
        for value in ends:
            control.value = value
            assert "alert" not in explorer.view.value
            assert "<img" in explorer.view.value


def _options(control):
    options = control.options
    return list(options.items()) if isinstance(options, dict) else [o if isinstance(o, tuple) else (o, o)
                                                                    for o in options]


def test_the_picture_for_pages_without_a_kernel_holds_every_state(explorer):
    shown = explorer.still()
    image = Image.open(io.BytesIO(shown.data))
    assert image.format == "PNG"
    assert len(shown.data) < 60_000
    for kind in KINDS:
        labels = [LABELS[judge(kind, level)[0] + 1] for level in (-2, -1, 0, 1, 2)]
        assert re.search(rf"text {kind}: " + r" [\d.]+%, ".join(labels), shown.alt), kind
    assert "text alone 0.59, picture alone 0.74, both 1.00" in shown.alt


@pytest.mark.parametrize(("name", "values"), [
    ("conflict", [step / 20 for step in range(21)]), ("seed", range(21)),
    ("picture_valence", [0, 1, 0, -1] * 5)])
def test_a_move_is_answered_within_a_tenth_of_a_second(explorer, name, values):
    assert milliseconds(explorer, name, values) <= 100
