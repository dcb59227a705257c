"""What services and editors read (GitHub, pre-commit, Binder, dev containers) agrees with the project itself.

None of them is asked here: that the files are read as they should be, only these services can say.
"""

import json
import os
import re
import shlex
import sys
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from prose import ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf8"))["project"]
TARGETS = set(re.search(r"\.PHONY: (.*)", (ROOT / "Makefile").read_text(encoding="utf8"))[1].split())
EXTRAS = re.search(r'-c constraints\.txt -e "\.\[([\w,]+)\]"', (ROOT / "Makefile").read_text(encoding="utf8"))[1]


def read(name: str):
    return yaml.safe_load((ROOT / name).read_text(encoding="utf8"))


@pytest.fixture(scope="module")
def workflow() -> dict:
    return read(".github/workflows/test.yml")


def pythons() -> list[str]:
    """The versions that pyproject.toml names."""
    prefix = "Programming Language :: Python :: 3."
    return [f"3.{line.removeprefix(prefix)}" for line in PROJECT["classifiers"] if line.startswith(prefix)]


def commands(job: dict) -> list[str]:
    return [step["run"] for step in job["steps"] if "run" in step]


def test_every_python_is_tested_from_the_oldest_on(workflow):
    assert workflow["jobs"]["linux"]["strategy"]["matrix"]["python"] == pythons()
    admitted = SpecifierSet(PROJECT["requires-python"])
    assert all(version in admitted for version in pythons())
    assert f">={pythons()[0]}" == PROJECT["requires-python"]
    elsewhere = workflow["jobs"]["elsewhere"]["strategy"]["matrix"]
    assert elsewhere["os"] == ["macos-latest", "windows-latest"]
    assert set(elsewhere["python"]) < set(pythons())


def test_the_oldest_versions_are_the_lower_bounds(workflow):
    oldest = [Requirement(word) for word in workflow["jobs"]["oldest"]["env"]["OLDEST"].split()]
    bounds = {need.name: str(need.specifier).removeprefix(">=") for need in map(Requirement, PROJECT["dependencies"])}
    assert {need.name: str(need.specifier).removeprefix("==").removesuffix(".*") for need in oldest} == bounds
    install, _ = commands(workflow["jobs"]["oldest"])
    assert "$OLDEST" in install
    assert "constraints" not in install + "".join(commands(workflow["jobs"]["newest"]))


def test_what_the_workflow_runs_is_there(workflow):
    assert "make test" in commands(workflow["jobs"]["linux"])
    for job in workflow["jobs"].values():
        for command in commands(job):
            words = shlex.split(command)
            if words[0] == "make":
                assert set(words[1:]) <= TARGETS, command
            for word in words:
                if re.match(r"(tests|tools)\b", word):
                    assert (ROOT / word).exists(), f"{command}: there is no {word}"
                if word.startswith(".["):
                    assert word == f".[{EXTRAS}]"


def test_the_workflow_may_little_and_ends(workflow):
    assert workflow["permissions"] == {"contents": "read"}
    assert workflow["concurrency"]["cancel-in-progress"] is True
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] <= 90
        assert "permissions" not in job
        for step in job["steps"]:
            uses = step.get("uses", "actions/none@v0")
            assert re.fullmatch(r"actions/[\w-]+@v\d+", uses), f"{uses}: GitHub's own alone, pinned to a major version"
            if "setup-python" in uses:
                assert step["with"]["cache"] == "pip"
                assert all((ROOT / name).exists() for name in step["with"]["cache-dependency-path"].split())


def test_hooks_need_no_download_and_run_what_is_there():
    (repository,) = read(".pre-commit-config.yaml")["repos"]
    assert repository["repo"] == "local"
    dev = {Requirement(line).name for extra in EXTRAS.split(",") for line in PROJECT["optional-dependencies"][extra]}
    for hook in repository["hooks"]:
        assert hook["language"] in ("system", "pygrep"), hook["id"]
        assert "additional_dependencies" not in hook
        if hook["language"] == "pygrep":
            re.compile(hook["entry"])
            continue
        program, *words = hook["entry"].split()
        assert program.startswith(".venv/bin/")
        assert Path(program).name in {"python", *dev}
        assert all((ROOT / word).is_file() for word in words if word.startswith("tools/"))


def test_binder_installs_the_tested_versions():
    folder = ROOT / ".binder"
    binder, conda = read(".binder/environment.yml"), read("environment.yml")
    assert binder["dependencies"][:2] == conda["dependencies"][:2]  # the same Python, and pip
    index, constraints, package = (line.split(" ", 1) for line in binder["dependencies"][2]["pip"])
    assert index == ["--extra-index-url", "https://download.pytorch.org/whl/cpu"]
    assert (folder / constraints[1]).resolve() == ROOT / "constraints.txt"
    place, extra = re.fullmatch(r"([./]+)\[(\w+)\]", package[1]).groups()
    assert (folder / place).resolve() == ROOT
    assert extra in PROJECT["optional-dependencies"]
    script = folder / "postBuild"
    assert script.read_text(encoding="utf8").startswith("#!/usr/bin/env bash\nset -eu\n")
    assert os.name == "nt" or os.access(script, os.X_OK)


def test_the_container_makes_the_environment_and_shows_the_right_ports():
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text(encoding="utf8"))
    assert re.search(r"python:\d-(3\.\d+)-", container["image"])[1] in pythons()
    assert container["onCreateCommand"] == "make .venv/.ready"
    assert "READY := .venv/.ready" in (ROOT / "Makefile").read_text(encoding="utf8")
    assert set(container["portsAttributes"]) == {str(port) for port in container["forwardPorts"]}
    assert container["customizations"]["vscode"]["settings"]["python.defaultInterpreterPath"].endswith(
        ".venv/bin/python")
