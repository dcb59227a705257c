"""The book is built once, without a warning; every page of it is there, hangs together and asks nobody for anything."""

import copy
import importlib.util
import json
import re
import types
from functools import cache, partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import unquote, urlsplit

import make_book
import nbformat
import pytest
from colab import SETUP  # tools/publish/colab.py
from pages import strangers, visit
from prose import NOTEBOOKS, PAGES, ROOT, SOLUTIONS, name_of, read_book

import mmsa_utils

BOOKS = NOTEBOOKS + SOLUTIONS
PACKAGE = ROOT / "mmsa_utils"
MODULES = sorted(".".join(path.relative_to(PACKAGE).with_suffix("").parts) for path in PACKAGE.rglob("*.py")
                 if path.stem != "__init__")
LOADS = {"src", "srcset", "poster", "data", "background", "action", "formaction", "xlink:href", "ping"}  # not <a href>
ABROAD = re.compile(r"(?:[a-z]+:)?//[^\s\"'`)<>\\]+", re.I)
NAMES_ONLY = ("http://www.w3.org/",)  # namespaces, which are never asked for


class Page(HTMLParser):
    """What one page of HTML holds: its elements in order, their ids, and its words."""

    def __init__(self, text: str):
        super().__init__()
        self.elements: list[tuple[str, dict]] = []
        self.within: list[tuple[str, str]] = []  # (innermost open element, words in it)
        self.open = ""
        self.feed(text)
        self.title = next((words for tag, words in self.within if tag == "title"), "")  # drawings have titles, too
        self.ids = [attributes["id"] for _, attributes in self.elements if attributes.get("id")]

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, {name: value or "" for name, value in attributes}))
        self.open = tag

    def handle_data(self, words):
        self.within.append((self.open, words))

    def all(self, *tags: str) -> list[dict]:
        return [attributes for tag, attributes in self.elements if tag in tags]

    def words(self, tag: str) -> str:
        return "".join(words for name, words in self.within if name == tag)


def abroad(text: str) -> list[str]:
    """Addresses on other hosts in a style sheet or script, comments left out."""
    code = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    code = re.sub(r"(^|[\s;{}])//.*", r"\1", code)
    return [address for address in ABROAD.findall(code) if "." in address and not address.startswith(NAMES_ONLY)]


def loads_from_abroad(page: Page) -> list[str]:
    """Whatever a browser would fetch from another host when it opens the page."""
    addresses = [value for tag, attributes in page.elements for name, value in attributes.items()
                 if name in LOADS or (name == "href" and tag not in ("a", "area"))
                 or (tag == "meta" and name == "content" and "url=" in value)]
    found = [address for value in addresses for address in re.findall(r"(?:[a-z]+:)?//\S+", value, re.I)
             if not value.startswith("data:")]
    inline = [attributes["style"] for _, attributes in page.elements if "style" in attributes]
    return found + [address for text in [*inline, page.words("style"), page.words("script")]
                    for address in abroad(text)]


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> tuple:
    """The book built once, as `make book` builds it: its folder, and how the build ended."""
    folder = tmp_path_factory.mktemp("built") / "book"
    return folder, make_book.build(folder)


@pytest.fixture(scope="module")
def book(built) -> Path:
    return built[0]


@pytest.fixture(scope="module")
def parsed(book):
    """Give the page at a path inside the book; each is parsed once."""
    return cache(lambda place: Page((book / place).read_text(encoding="utf8")))


@pytest.fixture(scope="module")
def places(book) -> list[str]:
    return sorted(path.relative_to(book).as_posix() for path in book.rglob("*.html"))


# --- everything is in it ---

def test_it_is_built_without_a_warning(built):
    _, done = built
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_page_for_each_notebook_module_and_guide(places):
    assert len(BOOKS) >= 16
    assert len(MODULES) > 60
    pages = [path for path in PAGES if path.parent != ROOT] + [ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
    wanted = {path.relative_to(ROOT).with_suffix(".html").as_posix() for path in BOOKS + pages}
    wanted |= {f"docs/modules/mmsa_utils.{name}.html" for name in MODULES}
    assert wanted - set(places) == set()
    assert {"index.html", "search.html", "genindex.html"} <= set(places)


def test_every_public_name_is_documented(parsed):
    for name, module in mmsa_utils._NAMES.items():
        if f"{module}.{name}" in MODULES:  # a module, whose page is looked for above
            continue
        place = f"mmsa_utils.{module}.{name}"
        assert place in parsed(f"docs/modules/mmsa_utils.{module}.html").ids, f"{place} is not on its page"


def test_docstrings_are_shown_as_they_were_written(parsed):
    def words(module: str) -> str:
        page = parsed(f"docs/modules/mmsa_utils.{module}.html")
        return " ".join("".join(words for _, words in page.within).split())

    assert "For each bin: mean confidence, accuracy, share of the examples." in words("learning.metrics")
    assert "The two named systems of the course: pair" in words("model.model")
    assert "Whether a stub is as it came: ..., None" in words("exercises.checks")
    assert "Alias for field" not in words("encoders.base")
    assert "*args" not in words("model.model")  # of a mixin, in the place of the model's own arguments
    assert not [module for module in MODULES if "Return type" in words(module) or "Type:" in words(module)]


def test_notebooks_keep_their_figures_and_alt_texts(parsed):
    for path in BOOKS:
        cells = read_book(path).cells
        outputs = [out for cell in cells for out in cell.get("outputs", ()) if "image/png" in out.get("data", {})]
        alts = [" ".join(output.metadata["image/png"]["alt"].split()) for output in outputs]
        page = parsed(path.relative_to(ROOT).with_suffix(".html").as_posix())
        assert [" ".join(image["alt"].split()) for image in page.all("img")] == alts, name_of(path)
        folds = sum(cell.source.count("<details>") for cell in cells if cell.cell_type == "markdown")
        folds += sum(cell.id == SETUP for cell in cells)
        assert len(page.all("details")) == len(page.all("summary")) == folds, name_of(path)


def test_a_notebook_that_was_run_in_an_editor_shows_its_explorers_as_pictures():
    """As JupyterLab saves it: a widget over every picture, the widgets' states, its own notes, a traceback."""
    spec = importlib.util.spec_from_file_location("book_conf", ROOT / "docs" / "conf.py")
    conf = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(conf)
    book = copy.deepcopy(read_book(BOOKS[0]))
    book.metadata["widgets"] = {"application/vnd.jupyter.widget-state+json": {"state": {"a": {}}, "version_major": 2}}
    view = {"application/vnd.jupyter.widget-view+json": {"model_id": "a", "version_major": 2}}
    pictures = 0
    for cell in book.cells:
        for output in cell.get("outputs", ()):
            if "image/png" in output.get("data", {}):
                output["data"] |= view
                pictures += 1
    book.cells[-1] = nbformat.v4.new_code_cell("bar", outputs=[
        nbformat.v4.new_output("display_data", data={**view, "text/plain": "HBox()"})])
    source = [nbformat.writes(book)]
    app = types.SimpleNamespace(env=types.SimpleNamespace(doc2path=lambda name: f"{name}.ipynb"))
    conf.prepare_notebook(app, "notebooks/00_start_here", source)
    assert "widget" not in source[0]
    assert source[0].count('"image/png": "') == pictures > 3
    assert nbformat.reads(source[0], as_version=4).cells[-1].outputs == []


def test_pages_say_what_they_are_about_and_have_an_icon(parsed, places):
    for place in places:
        (said,) = [one["content"] for one in parsed(place).all("meta") if one.get("name") == "description"]
        assert 10 < len(said) <= 200, f"{place}: {said!r}"
        icons = [one["href"] for one in parsed(place).all("link") if "icon" in one.get("rel", "")]
        assert [icon.endswith("_static/icon.svg") for icon in icons] == [True], place


def test_each_notebook_lies_beside_its_page(book, parsed):
    for path in BOOKS:
        place = path.relative_to(ROOT)
        links = [one["href"] for one in parsed(place.with_suffix(".html").as_posix()).all("a") if "download" in one]
        assert links == [path.name]
        assert (book / place).read_bytes() == path.read_bytes()


def test_formulas_are_mathml(parsed, places):
    assert parsed("notebooks/06_correction_phase.html").all("math")
    for place in places:
        page = parsed(place)
        left = [words for tag, words in page.within if tag in ("mi", "mo", "mn", "mtext", "math") and "\\" in words]
        assert not left, f"{place}: {left} was not understood"
        assert not any("math" in attributes.get("class", "").split() for attributes in page.all("span", "div")), place


def test_the_search_knows_the_words(book):
    script = (book / "searchindex.js").read_text(encoding="utf8")
    index = json.loads(script.removeprefix("Search.setIndex(").removesuffix(")"))

    def pages(stem: str, where: str = "terms") -> set[str]:
        found = index[where][stem]
        return {index["docnames"][number] for number in (found if isinstance(found, list) else [found])}

    assert {"notebooks/00_start_here", "README"} <= pages("burger")
    assert "notebooks/06_correction_phase" in pages("temperatur")  # as the stemmer has it
    assert "docs/glossary" in pages("logit", "titleterms")
    assert "docs/modules/mmsa_utils.learning.metrics" in pages("calibr")


# --- it hangs together ---

def test_every_link_inside_the_book_leads_somewhere(book, parsed, places):
    broken = []
    for place in places:
        for attributes in parsed(place).all("a", "link", "img", "script"):
            link = urlsplit(attributes.get("href") or attributes.get("src") or "")
            if link.scheme or link.netloc or not (link.path or link.fragment):
                continue
            target = (book / place).parent.joinpath(unquote(link.path)).resolve() if link.path else book / place
            found = target.is_file()
            if found and link.fragment and target.suffix == ".html":
                found = unquote(link.fragment) in parsed(target.relative_to(book.resolve()).as_posix()).ids
            if not found:
                broken.append(f"{place}: {link.geturl()}")
    assert not broken, "\n".join(broken)


def test_pages_can_be_told_apart_and_found_through(parsed, places):
    titles = [parsed(place).title for place in places]
    for place, title in zip(places, titles):
        page = parsed(place)
        assert title.strip(), place
        assert page.all("html")[0].get("lang") == "en", place
        assert all(image.get("alt") for image in page.all("img")), place
        assert len(page.ids) == len(set(page.ids)), place
        if place in ("index.html", "search.html"):  # one only points to the front page, one is written by a script
            continue
        levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
        assert levels.count(1) == 1, f"{place}: {levels}"
        assert all(after <= before + 1 for before, after in zip(levels, levels[1:])), f"{place}: {levels}"
        assert any(attributes.get("role") == "main" for attributes in page.all("article", "main")), place
    assert {title for title in titles if titles.count(title) > 1} <= {parsed("index.html").title}


# --- and keeps to itself ---

def test_the_scan_sees_strangers_and_no_ghosts():
    for text in ('<img src="https://there.test/x.png">', '<img srcset="//there.test/x.png 2x">',
                 '<link rel="preconnect" href="https://there.test">', '<script src="//there.test/x.js"></script>',
                 '<style>@import url(https://there.test/x.css);</style>',
                 '<p style="background: url(//there.test/x.png)">', '<script>fetch("https://there.test/x")</script>',
                 '<script>new WebSocket(`wss://there.test`)</script>',
                 '<meta http-equiv="refresh" content="0; url=https://there.test">',
                 '<iframe src="http://there.test"></iframe>'):
        assert loads_from_abroad(Page(f"<p>a word</p>{text}")), text
    for text in ('<a href="https://there.test/paper">', '<svg xmlns="http://www.w3.org/2000/svg">',
                 '<img src="../x.png">', "<script>f() // see https://there.test/why\n</script>",
                 "<style>/* from https://there.test */ p {}</style>"):
        assert loads_from_abroad(Page(text)) == [], text


def test_nothing_is_fetched_from_another_host(book, parsed, places):
    assert {place: found for place in places if (found := loads_from_abroad(parsed(place)))} == {}
    code = [path for path in book.rglob("*") if path.suffix in (".js", ".css")]
    assert len(code) > 5
    assert {path.name: found for path in code if (found := abroad(path.read_text(encoding="utf8")))} == {}


def test_no_place_on_this_machine_is_named(book):
    for path in book.rglob("*"):
        if path.suffix in (".html", ".js"):
            text = path.read_text(encoding="utf8")
            for place in (str(ROOT), str(Path.home()) + "/", str(book)):
                assert place not in text, f"{path.name} names {place}"


# --- in a browser ---

@pytest.fixture(scope="module")
def address(book):
    """The book on a server, as a class would find it."""
    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *words):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(book)))
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(("width", "scheme"), [(1400, "light"), (390, "dark")])
def test_the_book_in_a_browser(browser, address, width, scheme):
    with visit(browser, width, 900, color_scheme=scheme) as (page, asked):
        page.goto(address)
        page.wait_for_url("**/docs/index.html")
        if width < 1000:  # the list of pages is folded away, and opens from the keyboard
            link = page.get_by_role("link", name="06 · The correction phase", exact=True)
            assert not link.is_visible()
            page.locator("#__navigation").focus()
            page.keyboard.press("Space")
        page.get_by_role("link", name="06 · The correction phase", exact=True).click()
        page.wait_for_url("**/notebooks/06_correction_phase.html")
        figure = page.locator(".cell_output img").first
        figure.scroll_into_view_if_needed()
        page.wait_for_function("image => image.complete && image.naturalWidth > 100", arg=figure.element_handle())
        assert page.locator("math").first.bounding_box()["width"] > 20
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")  # no sideways scrolling
        codes = "article pre" if width > 1000 else "article .cell_input pre"
        assert page.evaluate(f"""[...document.querySelectorAll("{codes}")]
            .filter(code => code.scrollWidth > code.clientWidth + 1).map(code => code.innerText)""") == []
        assert page.locator(".cell_input button.copybtn").count() == page.locator(".cell_input pre").count() > 10
        paper, ink = page.evaluate("[getComputedStyle(document.body).backgroundColor, "
                                   "getComputedStyle(document.body).color].map(c => Number(c.match(/\\d+/)[0]))")
        assert (paper > ink) == (scheme == "light")
        assert figure.evaluate("image => getComputedStyle(image).backgroundColor") == "rgb(255, 255, 255)"

        page.goto(f"{address}/search.html?q=calibration")
        page.locator("#search-results li a").get_by_text("06 · The correction phase").first.wait_for()
        assert len(asked) > 10
        assert strangers(page, asked) == []
