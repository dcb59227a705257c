"""The files that set the course up agree, the doctor tells the truth, and importing is cheap."""

import glob
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import run_notebooks
import yaml
from hash_weights import write_sums
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

import mmsa_utils
from mmsa_utils import doctor

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent
TARGETS = ("run", "test", "lab", "dashboard", "notebooks", "book", "wheel", "lint", "clean")
PYTHONS = ("3.10", "3.11", "3.12", "3.13")


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


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pinned(pins: list[Requirement], name: str, python: str = "3.12") -> str:
    """The one version that the constraints allow for a package on this Python."""
    here = {"python_version": python, "python_full_version": f"{python}.9"}
    found = [
        pin for pin in pins if plain(pin.name) == plain(name) and (pin.marker is None or pin.marker.evaluate(here))
    ]
    assert len(found) == 1, f"{name} on Python {python}: {len(found)} pins"
    (bound,) = found[0].specifier
    assert bound.operator == "==", f"{name} is not pinned to one version"
    return bound.version


# --- the files agree ---


@pytest.mark.parametrize("python", PYTHONS)
def test_everything_wanted_is_pinned_within_its_range(wanted, pins, python):
    for need in wanted:
        version = pinned(pins, need.name, python)
        assert need.specifier.contains(version), f"{need} does not admit the pinned {version}"


def test_ranges_are_lower_bounds_that_admit_colab(wanted):
    assert {bound.operator for need in wanted for bound in need.specifier} == {">="}
    colab = {
        "torch": "2.11",
        "torchvision": "0.26",
        "transformers": "5.15",
        "numpy": "2.1",
        "ipywidgets": "7.7.1",
    }
    ranges = {plain(need.name): need.specifier for need in wanted}
    for name, version in colab.items():
        assert ranges[name].contains(version), f"{name}{ranges[name]} does not admit {version}"


def test_torch_and_torchvision_are_the_tested_pair(pins):
    assert (pinned(pins, "torch"), pinned(pins, "torchvision")) == ("2.14.1", "0.29.1")


def test_versions_agree(pyproject):
    assert mmsa_utils.__version__ == pyproject["project"]["version"]
    assert pyproject["project"]["requires-python"] == ">=3.10"


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


def test_readme_agrees(pins):
    readme = text("README.md")
    for words in (
        "make run",
        "make test",
        "make lab",
        "environment.yml",
        f"conda activate {yaml.safe_load(text('environment.yml'))['name']}",
        "python -m mmsa_utils doctor",
        "3.10",
        "MIT",
    ):
        assert words in readme, f"README.md does not say {words!r}"
    notebooks = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))
    assert notebooks, "no notebooks"
    table = [line for line in readme.splitlines() if line.startswith("|")]
    for name in notebooks:
        assert any(name in row for row in table), f"README.md's table of notebooks lacks {name}"
    for name, version in re.findall(r"\b(torch|torchvision)==([\d.]+\d)", readme):
        assert version == pinned(pins, name), f"README.md names {name}=={version}"


def test_wheel_carries_every_weights_file(pyproject):
    patterns = pyproject["tool"]["setuptools"]["package-data"]["mmsa_utils"]
    package = Path(doctor.__file__).parent
    carried = {Path(name) for pattern in patterns for name in glob.glob(str(package / pattern), recursive=True)}
    files = {path for path in doctor.WEIGHTS.rglob("*") if path.is_file()}
    assert files, "no weights"
    assert files <= carried
    assert sum(path.stat().st_size for path in files) <= 12e6


# --- the doctor ---


@pytest.fixture
def weights(tmp_path) -> Path:
    """A copy of the packaged weights, to harm."""
    return Path(shutil.copytree(doctor.WEIGHTS, tmp_path / "weights"))


def test_doctor_is_content(capsys, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert doctor.main() == 0
    lines = capsys.readouterr().out.splitlines()
    names = [line.removeprefix("[OK]").split(":")[0].strip() for line in lines if line.startswith("[OK]")]
    assert {
        "Python",
        "torch",
        "transformers",
        "torch with torchvision",
        "weights",
        "device",
        "free disk",
    } <= set(names)
    assert [line for line in lines if line.startswith("[FAIL]")] == [
        "[FAIL] model hub (not required): not asked, because HF_HUB_OFFLINE is set"
    ]


@pytest.mark.parametrize("harm", ["damage", "remove", "no list"])
def test_doctor_finds_harmed_weights(weights, harm, capsys):
    victim = sorted(weights.rglob("*.safetensors"))[0]
    if harm == "damage":
        data = bytearray(victim.read_bytes())
        data[-1] ^= 1
        victim.write_bytes(data)
    elif harm == "remove":
        victim.unlink()
    else:
        victim = weights / "SHA256SUMS"
        victim.unlink()
    assert doctor.main(weights=weights) == 1
    lines = capsys.readouterr().out.splitlines()
    (place,) = [number for number, line in enumerate(lines) if line.startswith("[FAIL] weights")]
    assert victim.name in lines[place]
    assert lines[place + 1].strip().startswith("-> git checkout")


def test_doctor_speaks_json(capsys, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert doctor.main(json=True) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["ok"] is True
    assert set(said["checks"][0]) == {"name", "ok", "required", "detail", "remedy"}


def test_doctor_compares_versions(monkeypatch):
    monkeypatch.setattr(doctor.metadata, "requires", lambda name: ["torch>=99", "no-such-thing>=1", "x; extra == 'y'"])
    old, missing = doctor.check_packages()
    assert not old.ok
    assert ">=99" in old.detail
    assert not missing.ok
    assert "missing" in missing.detail
    assert "make run" in missing.remedy


def test_doctor_without_a_hub(monkeypatch):
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    check = doctor.check_hub()
    assert not check.ok
    assert not check.required
    assert "127.0.0.1:9" in check.detail
    assert "HTTPS_PROXY" in check.remedy


def test_every_weights_file_has_its_checksum(weights):
    before = (weights / "SHA256SUMS").read_text(encoding="utf8")
    write_sums(weights)
    assert (weights / "SHA256SUMS").read_text(encoding="utf8") == before, "run python tools/hash_weights.py"


# --- importing ---


def test_import_is_cheap():
    code = (
        "import sys, time, torch\nstart = time.perf_counter()\nimport mmsa_utils\n"
        "took = time.perf_counter() - start\n"
        "heavy = {'transformers', 'torchvision', 'matplotlib', 'scipy', 'IPython'} & set(sys.modules)\n"
        "assert not heavy, heavy\nassert took <= 0.3, took"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_every_exported_name_is_there():
    for name in mmsa_utils.__all__:
        assert name in dir(mmsa_utils)
        assert getattr(mmsa_utils, name) is not None
    with pytest.raises(AttributeError, match="no_such_name"):
        mmsa_utils.no_such_name  # noqa: B018


# --- executing notebooks ---


def write_notebook(path: Path, *sources: str) -> Path:
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


def test_run_reports_each_notebook_and_goes_on_after_a_failure(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(run_notebooks, "ROOT", tmp_path)
    monkeypatch.setattr(run_notebooks, "RUN", tmp_path / "build" / "run")
    bad = write_notebook(tmp_path / "00_bad.ipynb", "raise ValueError('so bad')")
    good = write_notebook(tmp_path / "01_good.ipynb", "import os, mmsa_utils", "os.environ['OMP_NUM_THREADS']")
    assert run_notebooks.main(["run", str(bad), str(good)]) == 1
    said = capsys.readouterr()
    assert re.search(r"00_bad +\d+\.\d s +\d+ MB +FAILED\n01_good +\d+\.\d s +\d+ MB +ok\n", said.out)
    assert "build/run/summary.json" in said.out
    assert "so bad" in said.err
    first, second = json.loads((tmp_path / "build" / "run" / "summary.json").read_text(encoding="utf8"))
    assert (first["name"], first["ok"], second["ok"], second["error"], second["cells"]) == (
        "00_bad",
        False,
        True,
        None,
        2,
    )
    assert "so bad" in first["error"]
    assert second["peak_memory_mb"] > 0
    executed = nbformat.read(tmp_path / "build" / "run" / "01_good.ipynb", as_version=4)
    assert executed.cells[1].outputs[0].data["text/plain"] == "'1'"
    assert nbformat.read(good, as_version=4).cells[1].outputs == []


def test_store_normalises_and_repeats_to_the_byte(tmp_path):
    sources = ["print('a', flush=True)\nprint('b')", "import ipywidgets\nipywidgets.IntSlider()", "6 * 7"]
    path = write_notebook(tmp_path / "00_some.ipynb", *sources)
    assert run_notebooks.main(["store", str(path)]) == 0
    once = path.read_bytes()
    assert run_notebooks.main(["store", str(path)]) == 0
    assert path.read_bytes() == once
    book = nbformat.reads(once.decode(), as_version=4)
    assert set(book.metadata) == {"kernelspec", "language_info"}
    assert [cell.execution_count for cell in book.cells] == [1, 2, 3]
    printed, widget, value = (cell.outputs for cell in book.cells)
    assert [output.text for output in printed] == ["a\nb\n"]
    assert widget == []
    assert value[0].data == {"text/plain": "42"}


def test_store_leaves_a_failing_notebook_alone(tmp_path, capsys):
    path = write_notebook(tmp_path / "00_bad.ipynb", "1 / 0")
    before = path.read_bytes()
    assert run_notebooks.main(["store", str(path)]) == 1
    assert path.read_bytes() == before


def test_normalise_drops_what_is_not_for_readers():
    error = nbformat.v4.new_output("error", ename="ValueError", evalue="no", traceback=["File /somewhere", "no"])
    cell = nbformat.v4.new_code_cell("x", metadata={"tags": ["raises-exception"], "collapsed": True}, outputs=[error])
    book = nbformat.v4.new_notebook(cells=[cell], metadata={"widgets": {}, "vscode": 1})
    book = run_notebooks.normalise(book)
    assert book.cells[0].metadata == {"tags": ["raises-exception"]}
    assert book.cells[0].outputs[0].traceback == ["ValueError: no"]
    assert "widgets" not in book.metadata


def test_cells_without_an_id_get_the_same_one_each_time():
    old = {
        "cells": [{"cell_type": "markdown", "metadata": {}, "source": "hi"}],
        "metadata": {},
        "nbformat": 4,
        "nbformat_minor": 4,
    }
    books = [run_notebooks.with_ids(nbformat.from_dict(json.loads(json.dumps(old))), "00_some") for _ in range(2)]
    assert [book.cells[0].id for book in books] == ["00_some-0", "00_some-0"]
    nbformat.validate(books[0])
