"""The syllabus adds up, every notebook has two readings, those of its box, and the citation file is whole."""

import json
import re
from collections import Counter

import pytest
import yaml
from prose import ROOT, SERIES

import mmsa_utils

DOCS = ROOT / "docs"
ADDRESS = re.compile(r"\]\((https?://[^)]+)\)")


def readings() -> dict[str, list[str]]:
    """Number of a notebook → the entries of the page."""
    parts = re.split(r"^## (\d\d) .+$", (DOCS / "reading.md").read_text(encoding="utf8"), flags=re.MULTILINE)[1:]
    return {number: re.split(r"^- ", body, flags=re.MULTILINE)[1:] for number, body in zip(parts[::2], parts[1::2])}


@pytest.mark.parametrize("path", SERIES, ids=lambda path: path.stem)
def test_two_readings_a_notebook_those_of_its_box_among_them(path):
    cells = json.loads(path.read_text(encoding="utf8"))["cells"]
    words = "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    (box,) = re.findall(r"^> \*\*What others call this\.\*\*(?:.+\n?)+", words, flags=re.MULTILINE)
    entries = readings()[path.stem[:2]]
    assert len(entries) >= 2
    for entry in entries:
        assert re.match(r"\S.+? \(\d{4}\)\. \S", entry), entry  # authors, year, title
        assert len(ADDRESS.findall(entry)) == 1, entry
        assert len(re.sub(r"\s+", " ", entry.split(")", 3)[-1])) > 20, entry  # what to look for
    assert set(ADDRESS.findall(box)) <= {ADDRESS.findall(entry)[0] for entry in entries}


def test_the_weeks_of_the_syllabus_add_up():
    text = (DOCS / "syllabus.md").read_text(encoding="utf8")
    sessions: Counter[str] = Counter()
    tables = re.findall(r"^\*\*Week (\d): .+\*\*\n\n((?:\|.+\n)+)", text, flags=re.MULTILINE)
    assert [week for week, _ in tables] == ["4", "5", "6"]
    for week, table in tables:
        rows = [[cell.strip(" *") for cell in row.strip("|").split("|")] for row in table.splitlines()[2:]]
        *parts, total = [int(row[0]) for row in rows]
        assert sum(parts) == total, week
        for minutes, session, *_ in rows[:-1]:
            sessions[session] += int(minutes)
    assert {sessions[str(number)] for number in range(7, 13)} == {90}


def test_the_grades_add_up():
    text = (DOCS / "syllabus.md").read_text(encoding="utf8")
    for column in (2, 3):
        shares = [row.split("|")[column] for row in re.findall(r"^\|.+ % \|.*$", text, flags=re.MULTILINE)]
        assert sum(int(share.replace("%", "")) for share in shares if "%" in share) == 100


def test_the_citation_file_is_whole():
    """What the schema 1.2.0 asks for; the whole schema was held against it by cffconvert, see docs/citing.md."""
    told = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf8"))
    assert {"cff-version", "message", "title", "authors", "type", "abstract", "version", "license", "keywords",
            "references"} <= set(told)
    assert told["version"] == mmsa_utils.__version__
    assert told["title"] in " ".join((DOCS / "citing.md").read_text(encoding="utf8").split())
    citing = " ".join((DOCS / "citing.md").read_text(encoding="utf8").split())
    for work in told["references"]:
        assert {"type", "title", "authors", "year"} <= set(work)
        assert work["title"].lower() in citing.lower()
        assert f"{work['authors'][0]['family-names']}, " in citing
        assert f"({work['year']})" in citing
        assert (work.get("url") or work["doi"]) in citing
