"""The notebooks and the dashboard in a real browser, as a person uses them; and the finding of that browser.

Without Chromium the tests that need it are skipped, and conftest.py says so in large letters at the end.
"""

import base64
import os
import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import chromium
import execute
import nbformat
import pytest
from pages import (
    close_notebook,
    control,
    dashboard,
    explorer,
    jupyterlab,
    kept,
    open_notebook,
    run_all,
    strangers,
    visit,
)

from mmsa_utils import LABELS, make_post
from mmsa_utils.posts.pictures import MAX_BYTES
from mmsa_utils.reading.reader import MAX_TEXT, examples

ROOT = Path(__file__).resolve().parents[2]


# --- finding the browser; none of these needs one ---

@pytest.fixture
def bare(monkeypatch, tmp_path) -> Path:
    """A machine with nothing on its PATH but what a test puts into this folder."""
    monkeypatch.delenv("MMSA_CHROMIUM", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(chromium, "ELSEWHERE", {})
    return tmp_path


def program(path: Path, script: str = "echo Chromium 1.0") -> Path:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


on_posix = pytest.mark.skipif(os.name == "nt", reason="the stand-ins for programs are shell scripts")


def test_no_browser_is_no_error(bare):
    assert chromium.find_chromium() is None


@on_posix
def test_the_usual_names_are_looked_for_in_order(bare):
    chrome = program(bare / "google-chrome")
    assert chromium.find_chromium() == chrome
    ours = program(bare / "chromium")
    assert chromium.find_chromium() == ours


@on_posix
def test_a_script_that_only_says_install_me_is_no_browser(bare):
    program(bare / "chromium-browser", "echo install the snap; exit 10")
    assert chromium.find_chromium() is None


@on_posix
def test_a_named_browser_comes_first_and_nothing_comes_for_it(bare, monkeypatch):
    program(bare / "chromium")
    mine = program(bare / "mine")
    monkeypatch.setenv("MMSA_CHROMIUM", str(mine))
    assert chromium.find_chromium() == mine
    monkeypatch.setenv("MMSA_CHROMIUM", str(bare / "typo"))
    assert chromium.find_chromium() is None


@on_posix
def test_usual_places_outside_the_path(bare, monkeypatch):
    chrome = program(bare / "Google Chrome")
    monkeypatch.setattr(chromium, "ELSEWHERE", {sys.platform: ("$NOWHERE/chrome", str(chrome))})
    assert chromium.find_chromium() == chrome


@pytest.fixture
def commands(monkeypatch) -> list[list[str]]:
    """What would have been run."""
    run: list[list[str]] = []

    def note(command, **options):
        run.append([str(word) for word in command])
        return subprocess.CompletedProcess(command, 100, "", "E: no network")

    monkeypatch.setattr(chromium.subprocess, "run", note)
    return run


def test_a_browser_that_is_there_is_left_alone(monkeypatch, commands, capsys):
    monkeypatch.setattr(chromium, "find_chromium", lambda: Path("/usr/bin/chromium"))
    chromium.main()
    assert commands == []
    assert "/usr/bin/chromium" in capsys.readouterr().out.replace("\\", "/")


def test_nothing_is_installed_beside_a_named_browser(bare, monkeypatch, commands, capsys):
    monkeypatch.setenv("MMSA_CHROMIUM", "/no/such")
    chromium.main()
    assert commands == [["/no/such", "--version"]]
    assert re.search(r"WILL BE SKIPPED: MMSA_CHROMIUM is '/no/such'", capsys.readouterr().out)


def test_no_apt_no_install(bare, commands, capsys):
    chromium.main()
    assert commands == []
    assert re.search(r"WILL BE SKIPPED: only apt-get", capsys.readouterr().out)


@on_posix
@pytest.mark.parametrize("root", [True, False])
def test_apt_is_tried_and_why_it_failed_is_said(bare, monkeypatch, commands, capsys, root):
    monkeypatch.setattr(chromium.sys, "platform", "linux")
    monkeypatch.setattr(chromium.os, "geteuid", lambda: 0 if root else 1000)
    program(bare / "apt-get")
    chromium.main()
    assert [command[-1] for command in commands] == ["update", "chromium", "chromium-browser"]
    assert all("apt-get" in command and (command[:2] == ["sudo", "-n"]) == (not root) for command in commands)
    assert "WILL BE SKIPPED: apt-get did not get it (E: no network); by hand: " in capsys.readouterr().out


def test_a_skip_is_loud():
    """Run again in a machine without a browser: the reason stands at the end, in sight."""
    said = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"{__file__}::test_the_watch_sees_a_stranger"],
        cwd=ROOT, env={**os.environ, "MMSA_CHROMIUM": "/no/such"}, capture_output=True, text=True)
    assert said.returncode == 0, said.stdout + said.stderr
    assert re.search(r"BROWSER TESTS WERE SKIPPED.*\n1 test: no Chromium", said.stdout)


# --- with a browser ---

def test_the_watch_sees_a_stranger(browser):
    """The other tests assert that no other host was asked: here it is asked, in each way there is."""
    with visit(browser) as (page, asked):
        page.set_content("""
            <link rel="preconnect" href="https://ahead.test"> <img src="http://picture.test/x.png">
            <style>@import url(https://style.test/x.css);</style> <img src="data:image/gif;base64,R0lGODlhAQABAAAAACw=">
            <script>fetch("https://data.test/x").catch(() => 0); new WebSocket("ws://socket.test/x")</script>""")
        page.wait_for_timeout(200)
        hosts = {address.split("/")[2] for address in strangers(page, asked)}
        assert hosts == {"ahead.test", "picture.test", "style.test", "data.test", "socket.test"}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> dict[str, Path]:
    """The examples' pictures as files to upload: by the example's name, a picture of a post."""
    folder = tmp_path_factory.mktemp("pictures")
    files = {}
    for name, post in examples().items():
        files[name] = folder / f"{name.replace(' ', '_')}.png"
        post.image.save(files[name])
    return files


# --- JupyterLab ---

CELLS = ["from mmsa_utils import post_explorer\npost_explorer()",
         """
import copy
from mmsa_utils import (FoodPosts, align, alignment_explorer, burger_example, extract_features, load_model,
                        prediction_explorer, random_head)
model, heads, burger = load_model(), [], burger_example()
known, features = (extract_features(model, posts, show_progress=False) for posts in ([burger], FoodPosts(150)))
align(model.fusion, random_head(model.width), features, features, epochs=6, batch_size=16,
      on_epoch=lambda head: heads.append(copy.deepcopy(head)))
alignment_explorer(model.fusion, heads, features, {"the burger": burger}, known)""",
         "prediction_explorer(model)"]


@pytest.fixture(scope="module")
def lab(browser, tmp_path_factory):
    """A page with JupyterLab on it, in which a notebook with three explorers has run; it asks nobody for anything."""
    folder = tmp_path_factory.mktemp("lab")
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    nbformat.write(execute.normalise(book), folder / "explorers.ipynb")
    with jupyterlab(folder, tmp_path_factory.mktemp("jupyter")) as address, visit(browser) as (page, asked):
        open_notebook(page, address.format("explorers.ipynb"))
        assert run_all(page) == []
        yield page
        assert asked
        assert strangers(page, asked) == []
        close_notebook(page)


def test_post_explorer_in_jupyterlab(lab):
    box = explorer(lab, "post_explorer(")
    view = box.locator(".widget-html-content")
    picture = view.locator("img").first
    awful_with_glowing_words = make_post(2, -2, "burger", 0)
    assert awful_with_glowing_words.text in view.inner_text()
    before = picture.get_attribute("src")

    valence = control(box, "text valence")
    valence.focus()
    box.page.keyboard.press("ArrowLeft")
    view.get_by_text(make_post(0, -2, "burger", 0).text).wait_for()  # what the package makes of the same values
    assert valence.get_attribute("aria-valuenow") == "0.0"
    assert LABELS[make_post(0, -2, "burger", 0).label] in view.inner_text()
    assert picture.get_attribute("src") != before

    dish = control(box, "dish")
    dish.focus()
    for key in ("Space", "ArrowDown", "Enter"):  # a closed list's arrow keys belong to JupyterLab
        box.page.keyboard.press(key)
    assert dish.input_value() == "pizza"
    view.get_by_text(make_post(0, -2, "pizza", 0).text).wait_for()



def test_alignment_explorer_in_jupyterlab(lab):
    box = explorer(lab, "alignment_explorer(")
    view = box.locator(".widget-html-content").last
    random = view.inner_text()
    assert "The random head, before its first step." in random

    epoch = control(box, "epoch")
    epoch.focus()
    box.page.keyboard.press("ArrowRight")
    view.get_by_text("After epoch 1.").wait_for()
    assert epoch.get_attribute("aria-valuenow") == "1.0"
    assert view.locator("img, svg").count() > 1  # the burger, and a figure
    box.page.keyboard.press("End")
    view.get_by_text(f"After epoch {float(epoch.get_attribute('aria-valuemax')):.0f}.").wait_for()

    def right(shown: str) -> int:
        return int(re.search(r"(\d+)% of [\d,]+ held-out posts are right", shown)[1])

    assert right(view.inner_text()) > right(random) + 20


def test_prediction_explorer_in_jupyterlab(lab, pictures):
    box = explorer(lab, "prediction_explorer(model)")
    view = box.locator(".widget-html-content").first
    burger = examples()["the burger"]
    assert burger.text in view.inner_text()
    assert "disagree" not in view.inner_text()

    control(box, "text").focus()
    box.page.keyboard.press("ControlOrMeta+a")
    box.page.keyboard.type("This burger is disgusting.")  # and nothing more: it is read as it is written
    view.get_by_text("“This burger is disgusting.”").wait_for()
    view.get_by_role("alert").filter(has_text="disagree").wait_for()

    picture = view.locator("img").first
    before = picture.get_attribute("src")
    with box.page.expect_file_chooser() as chooser:
        box.get_by_role("button", name="upload a picture").press("Enter")
    chooser.value.set_files(pictures["sarcasm"])
    view.get_by_role("alert").wait_for(state="detached")  # words and picture of one mind
    assert picture.get_attribute("src") != before
    assert control(box, "picture").input_value().split() == ["my", "own", "file"]  # with spaces that do not break

    box.get_by_role("button", name="what mattered?").press("Enter")
    shown = box.locator(".widget-html-content").last
    shown.get_by_text(re.compile("speaks? for|No single word")).first.wait_for()


# --- the dashboard ---

@pytest.fixture(scope="module")
def address(browser):
    """The dashboard, started as a person starts it."""
    with dashboard() as address:
        yield address


@contextmanager
def opened(browser, address: str, *size: int, **options):
    """The dashboard's page; whatever is done with it, it asks nobody else for anything and leaves nothing behind."""
    with visit(browser, *size, **options) as (page, asked):
        page.goto(address)
        page.locator("#mattered [data-stamp]").wait_for()
        yield page
        assert asked
        assert strangers(page, asked) == []
        assert kept(page) == {}


@pytest.fixture
def page(browser, address):
    with opened(browser, address) as page:
        yield page


def upload(page, path: Path, field: str = "#picture") -> None:
    """Give a picture, in place of the one that is there."""
    shown = page.locator(f"{field} .image-frame img")
    choose(page, path, lambda: (shown if shown.count() else page.locator(f"{field} button").first).click())


def choose(page, path: Path, ask) -> None:
    """Answer the file chooser that `ask` opens.

    A click or key that comes while Gradio draws a field anew opens none, and a person tries again.
    """
    from playwright.sync_api import TimeoutError as PlaywrightTimeout

    for patience in (5_000, 5_000, 60_000):
        try:
            with page.expect_file_chooser(timeout=patience) as chooser:
                ask()
            break
        except PlaywrightTimeout:
            if patience == 60_000:
                raise
    chooser.value.set_files(path)


def in_sight(page, *words: str) -> str:
    """Wait until the answer is new and has all of these words; returns it."""
    answer = page.locator("#answer:not(.old)")
    for word in words:
        answer.get_by_text(word).first.wait_for()
    return answer.inner_text()


def test_the_burger_is_there_at_the_start(page):
    assert page.locator("#text textarea").input_value() == examples()["the burger"].text
    assert page.locator("#picture img").is_visible()
    assert in_sight(page, "with probability", "the text alone", "the picture alone").startswith("positive")
    page.locator("#mattered").get_by_text("“delicious!” speaks for positive").wait_for()
    assert page.locator("#mattered img").get_attribute("alt")


def test_a_post_is_read_as_it_is_written(page, pictures):
    """No button is pressed; a new picture takes the old one's place by a click on it."""
    text = page.locator("#text textarea")
    text.focus()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("This burger is disgusting.")
    in_sight(page, "disagree", "The answer took")
    assert page.locator("#answer [role=alert]").count() == 1
    upload(page, pictures["sarcasm"])
    page.locator("#answer [role=alert]").wait_for(state="detached")
    assert in_sight(page, "with probability").startswith("negative")
    text.fill("")
    in_sight(page, "That is the picture alone: add a text")


def test_no_old_answer_stands_unmarked_beside_new_input(page):
    """From the first key on, until the answer to the last one is there."""
    page.locator("#text textarea").press_sequentially(" Or is it", delay=15)
    parts = [page.locator(part) for part in ("#answer", "#whatif", "#mattered")]
    for part in parts:
        assert "old" in part.get_attribute("class").split()
        assert part.get_attribute("aria-busy") == "true"
    for part in parts:
        part.and_(page.locator(":not(.old)")).wait_for()
        assert part.locator("[data-stamp]").get_attribute("data-stamp") == str(page.evaluate("mmsa.count"))
    assert "it" in page.locator("#mattered").inner_text().split()


def test_enter_reads_at_once_and_shift_enter_makes_a_line(page):
    text = page.locator("#text textarea")
    text.focus()
    page.keyboard.press("End")
    for keys in ("Shift+Enter", "x"):
        page.keyboard.press(keys)
    before = page.evaluate("mmsa.count")
    page.keyboard.press("Enter")
    page.wait_for_function(f"mmsa.count > {before}")
    assert text.input_value().endswith("delicious!\nx")


def test_a_dropped_picture_takes_the_place_of_the_one_that_is_shown(page, pictures):
    page.evaluate("""async (data) => {
        const given = new DataTransfer(), blob = await (await fetch("data:image/png;base64," + data)).blob();
        given.items.add(new File([blob], "a.png", {type: "image/png"}));
        for (const name of ["dragover", "drop"]) document.querySelector("#picture img").dispatchEvent(
            new DragEvent(name, {bubbles: true, cancelable: true, dataTransfer: given})) }""",
                  base64.b64encode(pictures["sarcasm"].read_bytes()).decode())
    assert in_sight(page, "disagree").startswith("negative")


def test_a_heic_comes_in_though_the_browser_neither_knows_its_type_nor_shows_it(page, pictures, tmp_path):
    """Into an empty field and in place of a picture; Gradio alone would refuse a file without a type."""
    pytest.importorskip("pillow_heif").register_heif_opener()
    examples()["sarcasm"].image.save(tmp_path / "phone.heic", "HEIF")
    drop = """async ([data, name]) => {
        const given = new DataTransfer(), blob = await (await fetch("data:;base64," + data)).blob();
        given.items.add(new File([blob], name, {type: ""}));
        document.querySelector("#picture .image-frame img, #picture button:has(input)").dispatchEvent(
            new DragEvent("drop", {bubbles: true, cancelable: true, dataTransfer: given})) }"""
    data = base64.b64encode((tmp_path / "phone.heic").read_bytes()).decode()
    page.evaluate(drop, [data, "phone.heic"])
    assert in_sight(page, "disagree").startswith("negative")
    page.locator("#picture.unseen").wait_for()  # which says so in its place
    page.locator("#picture").get_by_label("Remove Image").click()
    in_sight(page, "That is the text alone")
    page.evaluate(drop, [data, "phone.heic"])
    assert in_sight(page, "disagree").startswith("negative")
    page.evaluate(drop, [base64.b64encode(b"no picture").decode(), "notes.txt"])
    friendly(page, "cannot be read as a picture")
    choose(page, pictures["the burger"],  # and a good one, from the keyboard
           lambda: page.locator("#picture").get_by_label("Upload file").press("Enter"))
    assert in_sight(page, "text and picture").startswith("positive")
    page.locator("#picture:not(.unseen)").wait_for()


def test_nothing_is_called_new_while_a_picture_is_on_its_way(page, pictures):
    """Not even what the text alone says, which is asked as soon as the old picture is gone."""
    page.route("**/upload*", lambda route: (page.wait_for_timeout(1500), route.continue_()))
    upload(page, pictures["sarcasm"])
    page.locator("#picture .uploading").wait_for()
    for _ in range(8):
        if page.locator("#picture .uploading").count():
            assert "old" in page.locator("#answer").get_attribute("class").split()
        page.wait_for_timeout(100)
    assert in_sight(page, "disagree").startswith("negative")


@pytest.mark.parametrize("width", [1200, 390])
def test_nothing_is_cut_off_or_laid_over_another(browser, address, width):
    """On a wide page the three answers stand side by side, and what mattered in words beside its picture."""
    with opened(browser, address, width, 900) as page:
        page.locator("#other_text textarea").fill("This burger is disgusting.")
        page.locator("#whatif").get_by_text("with the other text").wait_for()
        for part in ("#answer", "#mattered", "#whatif"):
            boxes = page.locator(f"{part} [data-stamp] > div").last.evaluate(
                "row => [...row.children].map(one => one.getBoundingClientRect()).map(one => [one.left, one.right])")
            assert all(left >= 0 and right <= width for left, right in boxes)
        tops = page.locator("#answer tr:first-child").evaluate_all("rows => rows.map(row => row.offsetParent && "
                                                                   "row.getBoundingClientRect().top)")
        assert len(tops) == 3
        assert (len(set(tops)) == 1) == (width == 1200)
        for button in page.locator("#examples button, #others button").all():
            assert button.evaluate("one => one.scrollWidth <= one.clientWidth")


@pytest.mark.parametrize(("button", "name", "label", "words"), [
    ("burger", "the burger", "positive", "with probability"),
    ("contradiction", "a contradiction", "negative", "disagree"),
    ("sarcasm", "sarcasm", "negative", "disagree"),
    ("photo", "nothing like the photo", "negative", "together"),
])
def test_an_example_is_read_at_once(page, button, name, label, words):
    page.locator(f"#example_{button}").click()
    assert in_sight(page, words).startswith(label)
    assert page.locator("#text textarea").input_value() == examples()[name].text
    assert page.locator("#picture img").is_visible()
    assert "url(" in page.locator(f"#example_{button}").evaluate("button => getComputedStyle(button).backgroundImage")


def test_what_if_with_a_text_and_a_picture_of_ones_own(page, pictures):
    whatif = page.locator("#whatif")
    page.locator("#other_text textarea").fill("This burger is disgusting.")
    whatif.get_by_text("with the other text").wait_for()
    page.locator("#other_text textarea").fill("")
    upload(page, pictures["sarcasm"], "#other_picture")
    whatif.get_by_text("with the other picture").wait_for()
    whatif.get_by_text("The answer moves from positive to negative.").wait_for()
    assert "with the other text" not in whatif.inner_text()
    page.locator("#other_burger").focus()  # and from the keyboard
    page.keyboard.press("Enter")
    whatif.get_by_text("The answer stays positive.").wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_the_answer_is_in_view(browser, address, scheme):
    with opened(browser, address, 390, 844, color_scheme=scheme) as page:
        answer, below = (page.locator(part).bounding_box() for part in ("#answer", "#examples"))
        assert answer["y"] < 500  # with both sides still above it
        assert answer["y"] < below["y"]
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


def friendly(page, words: str) -> None:
    """An answer that helps has appeared, and it names no place on the machine that serves the page."""
    page.locator("#answer [role=alert], [data-testid=toast-body]").filter(has_text=words).first.wait_for()
    sight = page.locator("body").inner_text()
    assert "Traceback" not in sight
    assert not re.search(r"(/tmp|/home|/root|/usr|/var|[A-Z]:\\)\w*", sight)


def test_what_cannot_be_read_is_said_as_soon_as_it_is_given(page, pictures, tmp_path):
    no_picture = tmp_path / "soup.png"
    no_picture.write_text("a text, whatever its name says\n")
    page.locator("#text textarea").fill("")
    upload(page, no_picture)
    friendly(page, "cannot be read as a picture")
    heic = tmp_path / "phone.heic"
    heic.write_bytes(b"\0\0\0\x18ftypheic" + bytes(200))
    upload(page, heic)
    friendly(page, "picture")
    large = tmp_path / "large.png"
    large.write_bytes(pictures["the burger"].read_bytes() + bytes(MAX_BYTES))
    upload(page, large)
    friendly(page, "exceed the maximum allowed size")


def test_a_long_text_is_refused_by_the_page_and_behind_it(page):
    text = page.locator("#text textarea")
    text.fill("good " * 600)
    assert len(text.input_value()) == MAX_TEXT
    text.evaluate("box => box.removeAttribute('maxlength')")  # as somebody may who does not come through the page
    text.fill("good " * 600)
    friendly(page, "The text has 3,000 characters")
