"""Pieces of a page: their words are escaped, and their pictures say what they show."""

import base64
import io
import re

from PIL import Image

from mmsa_utils import plots
from mmsa_utils.figures import panels


def image_in(html: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(re.search(r'base64,([^"]+)"', html)[1])))


def test_a_picture_comes_as_it_is_with_its_words():
    html = panels.picture(Image.new("RGB", (3, 2), "red"), 'a "red" <dot>', 30)
    assert image_in(html).size == (3, 2)
    assert 'alt="a &quot;red&quot; &lt;dot&gt;"' in html
    assert "pixelated" in html
    assert "pixelated" not in panels.picture(Image.new("RGB", (60, 60)), "larger", 30)


def test_what_lies_on_nothing_stays_so():
    assert image_in(panels.picture(plots.squares([1.0, -1.0]), "squares")).mode == "RGBA"
    assert image_in(panels.picture(Image.new("P", (3, 2)), "few colours")).mode == "RGB"


def test_a_figure_of_a_notebook_is_shown_with_its_own_words():
    shown = plots.accuracy_bars({"text": 0.6})
    html = panels.figure(shown, 200)
    assert base64.b64encode(shown.data).decode() in html
    assert "text 0.60" in re.search('alt="([^"]*)"', html)[1]
    assert "width:200px" in html


def test_text_is_never_code():
    for make in (panels.heading, panels.paragraph, panels.note, panels.mood):
        assert "&lt;b&gt; &amp;" in make("<b> &")
    table = panels.table(("<a>", "b"), [("<i>", 3)])
    assert "&lt;a&gt;" in table
    assert "&lt;i&gt;" in table
    assert "<i>" not in table


def test_bars_have_their_numbers_and_stay_inside():
    html = panels.bars({"low": -0.5, "half": 0.5, "high": 1.5})
    assert re.findall(r"width:([\d.]+)%;height", html) == ["0.0", "50.0", "100.0"]
    assert [f">{number}</td>" in html for number in ("-0.50", "0.50", "1.50")] == [True] * 3
