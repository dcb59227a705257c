"""docs/dependencies.md says what pyproject.toml and constraints.txt say, and what is pinned has none of its faults."""

import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf8")


def asked_for() -> dict[str, set[tuple[str, str]]]:
    """Title of a table → (package, oldest version) of every direct dependency, read without a TOML parser (3.10)."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf8")
    needed = re.search(r"^dependencies = \[\n(.*?)^\]", text, flags=re.DOTALL | re.MULTILINE)[1]
    extras = re.search(r"^\[project\.optional-dependencies\]\n(.*?)^\[", text, flags=re.DOTALL | re.MULTILINE)[1]
    parts = {"Needed by everybody": needed}
    parts |= {f"Extra `{name}`": body
              for name, body in re.findall(r"^(\w+) = \[(.*?)\]", extras, re.DOTALL | re.MULTILINE)}
    found = {}
    for title, body in parts.items():
        lines = [Requirement(line) for line in re.findall(r'"([^"]+)"', body)]
        found[title] = {(line.name, next(iter(line.specifier)).version) for line in lines}
    return found


def pinned() -> dict[str, list[str]]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf8").splitlines()
    found: dict[str, list[str]] = {}
    for line in lines:
        if line and not line.startswith("#"):
            need = Requirement(line)
            found.setdefault(canonicalize_name(need.name), []).append(next(iter(need.specifier)).version)
    return found


def tables() -> dict[str, list[list[str]]]:
    """Title of a section → the cells of its table's rows."""
    found = {}
    for title, body in re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", PAGE, flags=re.DOTALL | re.MULTILINE):
        rows = [line.strip("| ").replace("`", "").split(" | ") for line in body.splitlines() if line.startswith("| ")]
        if rows:
            found[title] = rows[1:]
    return found


def test_the_tables_name_every_package_and_its_oldest_version():
    told = {title: {(row[0], row[2]) for row in rows} for title, rows in tables().items() if title != "Known faults"}
    assert told == asked_for()


def test_the_tables_name_the_pinned_versions():
    pins = pinned()
    for rows in (rows for title, rows in tables().items() if title != "Known faults"):
        for name, versions, _, purpose, licence in rows:
            assert versions.split(", ") == pins[canonicalize_name(name)], name
            assert purpose.strip(), name
            assert licence.strip(), name


@pytest.mark.parametrize("row", tables()["Known faults"], ids=lambda row: f"{row[0]} {row[1].split(',')[0]}")
def test_no_pinned_version_has_a_fault_that_is_listed(row):
    name, _, mended, _ = row
    assert min(map(Version, pinned()[canonicalize_name(name)])) >= Version(mended)
