"""The pages of evaluation and inspection in a real browser: nothing runs, nobody is asked, they fit a telephone."""

from pathlib import Path

import pytest
from helpers import food
from pages import strangers, visit
from test_findings import some
from test_report import HOSTILE, photo, result

from mmsa_utils.figures.findings import inspection_page
from mmsa_utils.figures.report import page


@pytest.fixture(scope="module", params=["report", "inspection"])
def report(request, tmp_path_factory) -> Path:
    if request.param == "inspection":
        path = tmp_path_factory.mktemp("inspection") / "inspection.html"
        path.write_text(inspection_page(some(30 * HOSTILE), {"the model": "x" * 300}, {3: food(1)[0]}), encoding="utf8")
        return path
    figures = result(60, ("negative", "neutral", HOSTILE), 6, texts=[HOSTILE] * 60, relations=["agree", HOSTILE] * 30)
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(page(figures, {one["post"]: photo() for one in figures["mistakes"]}, {"the model": "x" * 300}),
                    encoding="utf8")
    return path


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1200])
def test_the_page_fits_is_readable_and_asks_nobody(browser, report, width, scheme):
    with visit(browser, width, 844, color_scheme=scheme) as (tab, asked):
        said = []
        tab.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
        tab.on("pageerror", lambda error: said.append(str(error)))
        tab.goto(report.as_uri())
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
        assert tab.evaluate("[...document.images].every(image => image.naturalWidth > 0)")
        assert [address for address in asked if not address.startswith(("file:", "data:"))] == []
        assert not [address for address in strangers(tab, []) if address]
        colour, back = tab.evaluate("[getComputedStyle(document.body).color, getComputedStyle(document.body)"
                                    ".backgroundColor].map(one => +one.match(/\\d+/)[0])")
        assert abs(colour - back) > 180
        assert (back > 128) == (scheme == "light")
        assert said == []
