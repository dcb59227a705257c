"""docs/dependencies.md says what pyproject.toml and constraints.txt say, and what is pinned has none of its faults."""

import re
import sys

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from prose import ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PAGE = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf8")


def asked_for() -> dict[str, set[tuple[str, str]]]:
    """Title of a table → (package, oldest version) of every direct dependency."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf8"))["project"]
    parts = {"Needed by everybody": project["dependencies"]}
    parts |= {f"Extra `{name}`": lines for name, lines in project["optional-dependencies"].items()}
    return {title: {(need.name, next(iter(need.specifier)).version) for need in map(Requirement, lines)}
            for title, lines in parts.items()}


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


def test_the_tables_name_every_package_with_its_oldest_and_its_pinned_version():
    told, pins = tables(), pinned()
    del told["Known faults"]
    assert {title: {(row[0], row[2]) for row in rows} for title, rows in told.items()} == asked_for()
    for rows in told.values():
        for name, versions, _, purpose, licence in rows:
            assert versions.split(", ") == pins[canonicalize_name(name)], name
            assert purpose.strip(), name
            assert licence.strip(), name


def test_no_pinned_version_has_a_fault_that_is_listed():
    rows, pins = tables()["Known faults"], pinned()
    assert len(rows) > 10
    for name, advisory, mended, _ in rows:
        assert min(map(Version, pins[canonicalize_name(name)])) >= Version(mended), advisory
