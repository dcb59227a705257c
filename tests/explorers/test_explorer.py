"""The frame that every explorer stands in."""

import io

import ipywidgets
import pytest
from IPython.core.formatters import DisplayFormatter
from IPython.display import Image as DisplayImage
from PIL import Image

from mmsa_utils.explorers.explorer import WIDGET_VIEW, Explorer, choice, slider, uploaded
from mmsa_utils.figures import panels

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


def test_uploads_of_ipywidgets_7_and_8():
    content = PIXEL.getvalue()
    seven = {"a.png": {"metadata": {"name": "a.png"}, "content": content}}
    eight = ({"name": "a.png", "type": "image/png", "size": len(content), "content": memoryview(content)},)
    assert uploaded(seven) == uploaded(eight) == ("a.png", content)
    assert uploaded({}) is None
    assert uploaded(()) is None
