"""What is on the slides: docs/slides.md, and the parts of the notebooks that it names, as they are stored.

A part is a figure, a table, an output or a code cell of one section, counted within it: "section 3, figure 2".
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
OUTLINE = ROOT / "docs" / "slides.md"

NAMED = r"(figure|table|output|code) (\d+)"
PARTS = re.compile(rf"section (\d+), ({NAMED}(?:(?:,| and|, and) {NAMED})*)")
PICTURE = re.compile(r"!\[([^\]]+)\]\(([^)]+)\)")
LINK = re.compile(r"(?<!!)\[([^\]]*)\]\([^)]*\)")
QUESTION = re.compile(r"\*([^*]+\?)\*")


class Part(NamedTuple):
    """What a slide shows."""

    kind: str  # "figure", "table", "output" or "code"
    content: str  # PNG as base64, Markdown, or plain text
    alt: str = ""


class Slide(NamedTuple):
    title: str
    marked: bool  # ●: for half a day, too
    steps: list[tuple[str, Part | None]]  # (question or "", what is shown), in their order
    notes: list[tuple[str, str]]  # ("Show", "Ask" or "Say", its words)


class Deck(NamedTuple):
    """The slides on one notebook, and what is taken from the notebook itself."""

    notebook: str  # "01_synthetic_data"
    title: str
    lead: str
    card: list[str]  # time, memory, downloads, before, after
    aims: list[str]
    slides: list[Slide]
    done: list[str]
    exercises: list[tuple[str, str]]  # (title, difficulty and minutes)
    following: str


def plain(markdown: str) -> str:
    """Without links, which would lead nowhere, and on one line."""
    return " ".join(LINK.sub(r"\1", markdown).split())


def items(markdown: str) -> list[str]:
    """The first list of a cell."""
    lines = re.search(r"^- .*?(?=\n\n|\Z)", markdown, flags=re.DOTALL | re.MULTILINE)
    return [plain(item) for item in re.split(r"^- ", lines[0] if lines else "", flags=re.MULTILINE)[1:]]


def printed(output: dict) -> str:
    """What an output says in words, if it shows no picture."""
    data = output.get("data", {})
    return "" if "image/png" in data else "".join(output.get("text", data.get("text/plain", "")))


def stored_parts(cells: list[dict]) -> dict[int, dict[str, list[Part]]]:
    """Section → kind → all parts of that kind in it, in their order."""
    found: dict[int, dict[str, list[Part]]] = {}
    here: dict[str, list[Part]] = {}
    for cell in cells:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            for block in re.split(r"^(?=## )", source, flags=re.MULTILINE):
                if block.startswith("## "):
                    number = re.match(r"## (\d+)\. ", block)
                    here = {kind: [] for kind in ("figure", "table", "output", "code")}
                    if number:
                        found[int(number[1])] = here
                for table in re.findall(r"^\|.*\n\|[ :|-]+\|\n(?:\|.*\n?)*", block, flags=re.MULTILINE):
                    here.setdefault("table", []).append(Part("table", LINK.sub(r"\1", table)))
            continue
        here.setdefault("code", []).append(Part("code", source))
        for output in cell["outputs"]:
            picture = output.get("data", {}).get("image/png")
            if picture:
                alt = output["metadata"]["image/png"]["alt"]
                here.setdefault("figure", []).append(Part("figure", "".join(picture).replace("\n", ""), alt))
            elif printed(output).strip():
                here.setdefault("output", []).append(Part("output", printed(output).rstrip()))
    return found


def named_parts(shown: str, stored: dict[int, dict[str, list[Part]]], where: str) -> list[Part]:
    """The parts that a Show names, in their order; ValueError for one that the notebook has not."""
    parts = [Part("figure", b64encode((OUTLINE.parent / path).read_bytes()).decode(), alt)
             for alt, path in PICTURE.findall(shown)]
    words = " ".join(shown.split())
    names_of = [(section, re.findall(NAMED, names)) for section, names, *_ in PARTS.findall(words)]
    if sum(len(names) for _, names in names_of) != len(re.findall(NAMED, words)):
        raise ValueError(f"{where}: {words!r} names a part without its section; expected: section 3, figure 2")
    for section, names in names_of:
        for kind, number in names:
            kept = stored.get(int(section), {}).get(kind, [])
            if not 1 <= int(number) <= len(kept):
                raise ValueError(f"{where}: {kind} {number} of section {section} is named, and the section has "
                                 f"{len(kept)}; they are counted from 1, within the section")
            parts.append(kept[int(number) - 1])
    return parts


def read_slide(block: str, stored: dict[int, dict[str, list[Part]]], where: str) -> Slide:
    """One heading of the outline with its paragraphs; ValueError where it has not that form."""
    heading, _, body = block.partition("\n")
    mark, title = re.fullmatch(r"### (● )?(.+)", heading).groups()
    before, *told = re.split(r"\*\*(Show|Ask|Say)\*\*", body)
    if before.strip() or "Say" not in told:
        raise ValueError(f"{where}, {title}: expected paragraphs of **Show**, **Ask** and **Say**, got {body[:60]!r}")
    steps: list[tuple[str, Part | None]] = []
    for what, words in zip(told[::2], told[1::2]):
        if what == "Show":
            steps += [("", part) for part in named_parts(words, stored, f"{where}, {title}")]
        question = QUESTION.search(words) if what == "Ask" else None
        if question and steps and steps[-1][1] and not steps[-1][0]:  # it is asked of what is shown
            steps[-1] = (plain(question[1]), steps[-1][1])
        elif question:  # it comes first
            steps.append((plain(question[1]), None))
    notes = [(what, plain(PICTURE.sub("", words))) for what, words in zip(told[::2], told[1::2])]
    return Slide(plain(title), bool(mark), steps or [("", None)], notes)


def read_deck(section: str) -> Deck:
    """One part of the outline, and what its notebook says of itself."""
    head = re.match(r"## (\d\d .+)\n\nFor \[(\d\d_\w+)\]\(\.\./notebooks/\2\.ipynb\)\.\s+(?=### )", section)
    if not head:
        raise ValueError(f"a part begins {section[:80]!r}, expected ## with the notebook's number and title, and below "
                         "it the notebook's link")
    cells = json.loads((ROOT / "notebooks" / f"{head[2]}.ipynb").read_text(encoding="utf8"))["cells"]
    words = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
    stored = stored_parts(cells)
    (aims,) = (items(cell) for cell in words if "n this notebook you will" in cell)
    (done,) = (items(cell) for cell in words if "## What we did" in cell)
    lead = re.match(r"# [^\n]+\n+(.+?)(?=\n\n|\Z)", words[0], flags=re.DOTALL)[1]
    card = re.search(r"\| Downloads \|.*\n\|[-|]+\|\n\| (.+) \|$", "\n\n".join(words), flags=re.MULTILINE)
    exercises = [re.match(r"### (.+)\n+\*\*Difficulty\*\* (.+?) · \*\*Why", cell) for cell in words
                 if cell.startswith("### Exercise ")]
    blocks = re.split(r"^(?=### )", section[head.end():], flags=re.MULTILINE)[1:]
    return Deck(head[2], head[1], plain(lead).strip("*"), [plain(part) for part in card[1].split(" | ")], aims,
                [read_slide(block, stored, head[2]) for block in blocks], done,
                [(plain(one[1]), plain(one[2]).replace("**", "")) for one in exercises], plain(words[-1]))


def read_outline(source: str) -> list[Deck]:
    """Every deck of docs/slides.md; ValueError names what does not fit, and nothing is passed over."""
    return [read_deck(section) for section in re.split(r"^(?=## )", source, flags=re.MULTILINE)[1:]]
