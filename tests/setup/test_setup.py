"""The files that set the course up agree."""

import os
import re
import shutil
import subprocess
import sys

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from prose import NOTEBOOKS, ROOT

import mmsa_utils

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TARGETS = ("run", "test", "lab", "dashboard", "notebooks", "book", "quiz", "slides", "wheel", "lint",
           "clean")
PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf8")


@pytest.fixture(scope="module")
def pyproject() -> dict:
    return tomllib.loads(text("pyproject.toml"))


@pytest.fixture(scope="module")
def wanted(pyproject) -> list[Requirement]:
    """Everything that the package or one of its extras asks for."""
    extras = pyproject["project"]["optional-dependencies"].values()
    return [Requirement(line) for line in sum(extras, pyproject["project"]["dependencies"])]


@pytest.fixture(scope="module")
def pins() -> list[Requirement]:
    lines = [line for line in text("constraints.txt").splitlines() if line and not line.startswith("#")]
    return [Requirement(line) for line in lines]


def pinned(pins: list[Requirement], name: str, python: str) -> str:
    """The one version that the constraints allow for a package on this Python."""
    here = {"python_version": python, "python_full_version": f"{python}.9"}
    found = [pin for pin in pins if canonicalize_name(pin.name) == canonicalize_name(name)
             and (pin.marker is None or pin.marker.evaluate(here))]
    assert len(found) == 1, f"{name} on Python {python}: {len(found)} pins"
    (bound,) = found[0].specifier
    assert bound.operator == "==", f"{name} is not pinned to one version"
    return bound.version


def test_everything_wanted_is_pinned_within_its_range(wanted, pins):
    assert len(wanted) > 30
    for python in PYTHONS:
        for need in wanted:
            version = pinned(pins, need.name, python)
            assert need.specifier.contains(version), f"{need} does not admit the pinned {version}"


def test_ranges_are_lower_bounds_that_admit_colab(wanted):
    assert {bound.operator for need in wanted for bound in need.specifier} == {">="}
    colab = {"torch": "2.11", "torchvision": "0.26", "transformers": "5.15", "numpy": "2.1", "ipywidgets": "7.7.1"}
    ranges = {canonicalize_name(need.name): need.specifier for need in wanted}
    for name, version in colab.items():
        assert ranges[name].contains(version), f"{name}{ranges[name]} does not admit {version}"


def test_the_package_its_citation_and_the_page_on_it_agree(pyproject):
    project, cited = pyproject["project"], yaml.safe_load(text("CITATION.cff"))
    assert mmsa_utils.__version__ == project["version"] == cited["version"]
    assert project["license"] == cited["license"]
    assert project["authors"] == cited["authors"]
    assert cited["title"] in re.sub(r"\s+", " ", text("docs/citing.md"))
    assert f"version = {{{cited['version']}}}" in text("docs/citing.md")


def test_the_readme_names_every_notebook():
    rows = [line for line in text("README.md").splitlines() if line.startswith("| [")]
    assert len(NOTEBOOKS) >= 9
    assert [path.name for path in NOTEBOOKS if not any(f"notebooks/{path.name})" in row for row in rows)] == []


def test_conda_installs_what_make_installs(pyproject):
    conda = yaml.safe_load(text("environment.yml"))
    assert conda["channels"] == ["conda-forge"]
    *packages, through_pip = conda["dependencies"]
    python, pip = packages
    assert pip == "pip"
    assert SpecifierSet(pyproject["project"]["requires-python"]).contains(python.removeprefix("python="))
    extras = re.search(r'-c constraints\.txt -e "\.\[([\w,]+)\]"', text("Makefile"))[1]
    assert through_pip["pip"] == ["-c constraints.txt", f"-e .[{extras}]"]
    assert set(extras.split(",")) < set(pyproject["project"]["optional-dependencies"])
    assert f"conda activate {conda['name']}" in text("README.md")


def test_bare_make_lists_every_target():
    if not shutil.which("make"):
        pytest.skip("no make here")
    shown = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert re.findall(r"^  (\w+) +\w", shown, flags=re.M) == ["help", *TARGETS]
    assert set(re.search(r"\.PHONY: (.*)", text("Makefile"))[1].split()) == {"help", *TARGETS}


def test_ci_calls_make_test():
    commands = [line for line in text(".ci/run").splitlines() if line.startswith("make")]
    assert commands == ["make test"]
    assert os.name == "nt" or os.access(ROOT / ".ci" / "run", os.X_OK)
