"""What a reader reads, taken out of Markdown and notebooks; shared by the tests of pages and notebooks."""

import re
from functools import cache
from pathlib import Path

import nbformat
from markdown_it import MarkdownIt

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SOLUTIONS = sorted((ROOT / "notebooks" / "solutions").glob("*.ipynb"))
SERIES = [ROOT / "notebooks" / f"{name}.ipynb" for name in (
    "00_start_here", "01_synthetic_data", "02_text_encoders", "03_image_encoders", "04_concatenation_fusion",
    "05_training_and_evaluation", "06_correction_phase", "07_modality_conflict", "08_dashboard",
    "09_ways_to_meet", "10_a_voice", "11_missing_sides", "12_real_posts", "13_bug_museum")]
PAGES = sorted(path for folder in (".", "docs", "mmsa_utils/weights/*")  # every page of Markdown that is kept
               for path in ROOT.glob(f"{folder}/*.md"))
MODULES = sorted(path for folder in ("mmsa_utils", "tools", "tests") for path in (ROOT / folder).rglob("*.py"))
MARKDOWN = MarkdownIt("commonmark").enable("table")
FRONT = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)  # a model card's metadata
MATHS = re.compile(r"\$\$.*?\$\$|\$[^$\n]+\$", re.DOTALL)


@cache
def read_book(path: Path):
    return nbformat.read(path, as_version=4)


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def prose(markdown: str, headings: bool = True, links: bool = True) -> str:
    """The words of a piece of Markdown, a line for each block: without code, formulas, addresses and HTML tags."""
    lines, inside = [], ""
    for token in MARKDOWN.parse(MATHS.sub(" ", FRONT.sub("", markdown))):
        if token.type == "heading_open":
            inside = "heading"
        elif token.type == "heading_close":
            inside = ""
        elif token.type == "html_block":
            lines.append(re.sub(r"<[^>]*>", " ", token.content))
        elif token.type == "inline" and (headings or inside != "heading"):
            lines.append(words_of(token.children, links))
    return "\n".join(lines)


def words_of(tokens: list, links: bool) -> str:
    depth, words = 0, ""
    for token in tokens:
        depth += (token.type == "link_open") - (token.type == "link_close")
        if token.type in ("softbreak", "hardbreak"):
            words += " "
        elif token.type == "code_inline":
            words += "`"  # keeps its neighbours apart, and is no word
        elif token.type == "image" or token.type == "text" and (links or not depth):
            words += token.content
    return words


def links(markdown: str) -> list[str]:
    """The addresses that a piece of Markdown links to, pictures included."""
    found = []
    for token in MARKDOWN.parse(markdown):
        for child in token.children or []:
            found += [child.attrs[name] for name in ("href", "src") if name in child.attrs]
        if token.type in ("html_block", "inline"):
            found += re.findall(r'(?:href|src)="([^"]+)"', token.content)
    return found


def alt_of(output) -> str:
    """The alt text of a stored figure, empty without one."""
    metadata = output.get("metadata", {})
    return metadata.get("image/png", metadata).get("alt", "")


def outputs_of(cell) -> str:
    """What a cell shows, as text: streams, values, tables and the alt texts of figures."""
    shown = []
    for output in cell.get("outputs", []):
        data = output.get("data", {})
        shown += [output.get("text", ""), output.get("evalue", ""), data.get("text/plain", ""), alt_of(output),
                  re.sub(r"<[^>]*>", " ", data.get("text/html", ""))]
    return "\n".join(shown)
