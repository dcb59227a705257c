"""The decks in a browser: every slide fits, in light and in dark, on the screen and on paper, and nobody is asked."""

import re

import pytest
from outline import OUTLINE, read_outline
from pages import strangers, visit
from slides import page, pages, whole

DECKS = read_outline(OUTLINE.read_text(encoding="utf8"))

# What sticks out of its box, or out of its slide, by more than a pixel.
OUTSIDE = """() => [...document.querySelectorAll(".slide")].flatMap((slide, number) => {
    const whole = slide.getBoundingClientRect();
    return [slide, ...slide.querySelectorAll(".stage, .stage *, .notes")].filter(box => {
        if (!box.getClientRects().length) return false;
        const {left, top, right, bottom} = box.getBoundingClientRect();
        const block = getComputedStyle(box).display !== "inline" && box.tagName !== "IMG";
        return left < whole.left - 1 || top < whole.top - 1 || right > whole.right + 1 || bottom > whole.bottom + 1
            || block && (box.scrollHeight > box.clientHeight + 1 || box.scrollWidth > box.clientWidth + 1);
    }).map(box => `${number + 1}: ${box.tagName} ${box.className}`) })"""
LETTERS = """() => [...document.querySelectorAll("pre, .part table, .list li, .ask, h1, h2")]
    .map(box => parseFloat(getComputedStyle(box).fontSize))"""


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("decks")
    for deck in DECKS:
        (folder / f"{deck.notebook}.html").write_text(whole(deck), encoding="utf8")
    return sorted(folder.glob("*.html"))


def test_everything_fits_and_nobody_is_asked(browser, files):
    with visit(browser, 1280, 720, color_scheme="dark") as (view, asked):
        for file in files:
            view.goto(file.as_uri())
            for width, height in ((1024, 768), (1280, 720)):
                view.set_viewport_size({"width": width, "height": height})
                assert view.evaluate(OUTSIDE) == [], (file.stem, width)
                assert min(view.evaluate(LETTERS)) >= 0.0115 * width, file.stem
            view.keyboard.press("n")
            assert view.locator(".notes").first.is_visible()
            assert [box for box in view.evaluate(OUTSIDE) if "ASIDE" not in box] == [], file.stem  # notes may scroll
            assert strangers(view, [address for address in asked if not address.startswith("file:")]) == []


def test_the_keys(browser, files):
    with visit(browser, 1280, 720, color_scheme="dark") as (view, _):
        view.goto(files[0].as_uri())
        ground = "getComputedStyle(document.documentElement).backgroundColor"
        dark = view.evaluate(ground)
        view.keyboard.press("t")
        assert view.evaluate(ground) == "rgb(255, 255, 255)" != dark
        view.keyboard.press("t")
        assert view.evaluate(ground) == dark
        for key, place in {"ArrowRight": 1, "PageDown": 2, " ": 3, "ArrowUp": 2, "Home": 0, "n": 0, "End": -1}.items():
            view.keyboard.press(key)
            view.wait_for_function(f"here() === {place} || here() === slides.length + {place}")


def test_what_sticks_out_is_seen(browser, tmp_path):
    bad = page("list", "Long", "<ul>" + "<li>one more</li>" * 40 + "</ul>")
    file = tmp_path / "bad.html"
    html = re.sub(r"<main>.*</main>", lambda _: f"<main>{bad}</main>", whole(DECKS[0]), flags=re.DOTALL)
    file.write_text(html, encoding="utf8")
    with visit(browser, 1280, 720) as (view, _):
        view.goto(file.as_uri())
        assert any("LI" in sticking for sticking in view.evaluate(OUTSIDE))


def test_a_page_for_each_slide_on_paper(browser, files):
    with visit(browser, 1280, 720) as (view, _):
        view.goto(files[0].as_uri())
        for notes, shape in ((False, (960, 540)), (True, (960, 720))):
            view.evaluate(f"document.body.classList.toggle('with-notes', {str(notes).lower()})")
            printed = view.pdf(prefer_css_page_size=True, print_background=True)
            sizes = re.findall(rb"/MediaBox\s*\[0 0 ([\d.]+) ([\d.]+)\]", printed)
            assert [tuple(round(float(side)) for side in size) for size in sizes] == [shape] * len(pages(DECKS[0]))
