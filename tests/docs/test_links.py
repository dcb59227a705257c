"""Every page of Markdown and every notebook: links inside the repository lead somewhere, pictures have alt text."""

import re
from functools import cache
from pathlib import Path
from urllib.parse import unquote

from prose import FRONT, MARKDOWN, NOTEBOOKS, PAGES, ROOT, SOLUTIONS, links, name_of, read_book

EVERY = PAGES + NOTEBOOKS + SOLUTIONS


def markdown_of(path: Path) -> str:
    if path.suffix == ".ipynb":
        return "\n\n".join(cell.source for cell in read_book(path).cells if cell.cell_type == "markdown")
    return FRONT.sub("", path.read_text(encoding="utf8"))


@cache
def anchors(path: Path) -> set[str]:
    """The places in a page or notebook that a link can lead to, by GitHub's names for its headings."""
    source = markdown_of(path)
    tokens = MARKDOWN.parse(source)
    found: dict[str, int] = {}
    for opening, inside in zip(tokens, tokens[1:]):
        if opening.type == "heading_open":
            words = "".join(child.content for child in inside.children)
            name = re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-")
            found[name] = found.get(name, -1) + 1
    again = {f"{name}-{count}" for name, times in found.items() for count in range(1, times + 1)}
    return {*found, *again, *re.findall(r'\b(?:id|name)="([^"]+)"', source)}


def dead_links(path: Path, source: str) -> list[str]:
    dead = []
    for link in links(source):
        file, _, anchor = link.partition("#")
        target = path.parent / unquote(file) if file else path
        if re.match(r"\w+:", link) or link.startswith("//"):
            continue
        if not target.exists() or anchor and anchor not in anchors(target) or not target.resolve().is_relative_to(ROOT):
            dead.append(link)
    return dead


def without_alt(source: str) -> list[str]:
    pictures = [child for token in MARKDOWN.parse(source) for child in token.children or [] if child.type == "image"]
    tags = [tag for token in MARKDOWN.parse(source) if token.type in ("html_block", "inline")
            for tag in re.findall(r"<img\b[^>]*>", token.content)]
    return [picture.attrs["src"] for picture in pictures if not picture.content.strip()] + [
        tag for tag in tags if not re.search(r'\balt="\s*[^"\s]', tag)]


def test_links_inside_the_repository_resolve():
    assert len(PAGES) > 15
    assert len(NOTEBOOKS) >= 9
    assert sum(len(links(markdown_of(path))) for path in EVERY) > 500
    assert {name_of(path): dead for path in EVERY if (dead := dead_links(path, markdown_of(path)))} == {}


def test_every_picture_has_alt_text():
    assert {name_of(path): bare for path in EVERY if (bare := without_alt(markdown_of(path)))} == {}


def test_the_check_of_links():
    for source, dead in (
            ("[a](README.md) [b](notebooks/00_start_here.ipynb#9-the-course) <https://there.test/x>", []),
            ("[a](gone.md)", ["gone.md"]), ("[a](README.md#no-such-place)", ["README.md#no-such-place"]),
            ("![a](docs/gone.png)", ["docs/gone.png"]), ('<a href="gone.html">a</a>', ["gone.html"]),
            ("[a][1]\n\n[1]: gone.md", ["gone.md"]), ("`[a](gone.md)`", []), ("[a](#nowhere)", ["#nowhere"]),
            ("[a](docs/glossary.md#no-term)", ["docs/glossary.md#no-term"]),
            ("[a](../outside.md)", ["../outside.md"])):
        assert dead_links(ROOT / "README.md", source) == dead


def test_the_check_of_alt_text():
    assert without_alt("![](a.png) ![what it shows](b.png)") == ["a.png"]
    assert without_alt('<img src="a.png">\n\n<img src="b.png" alt="what it shows">') == ['<img src="a.png">']


def test_headings_of_one_name_have_anchors_of_their_own(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# A `b` c?\n\n## Twice\n\n## Twice\n\n```\n# no heading\n```\n", encoding="utf8")
    assert anchors(page) == {"a-b-c", "twice", "twice-1"}
