"""On Colab the setup cell installs this package and touches nothing else; elsewhere it does nothing; and colab.py
writes what names the repository's address, and takes it out again, to the byte."""

import ast
import json
import os
import shutil
import subprocess
import sys
import types
from pathlib import Path

import colab
import colab_trial
import make_wheel
import nbformat
import pytest
import solutions

ROOT = Path(__file__).resolve().parents[2]
PATHS = sorted([*(ROOT / "notebooks").glob("*.ipynb"), *(ROOT / "notebooks" / "solutions").glob("*.ipynb")])
ADDRESS = "https://github.com/some-one/food.posts"
WHERE = "\nimport mmsa_utils\nprint(mmsa_utils.__file__)\n"
READ = """
from mmsa_utils import burger_example, load_model
burger = burger_example()
print(load_model().predict([burger.text], [burger.image])[0, 2].item() > 0.5)
"""


@pytest.fixture(params=PATHS, ids=[path.relative_to(ROOT / "notebooks").as_posix() for path in PATHS])
def path(request) -> Path:
    return request.param


# --- the cells in the notebooks ---


def test_every_notebook_begins_with_the_setup_cell(path):
    cells = nbformat.read(path, as_version=4).cells
    setup, imports = [cell for cell in cells if cell.cell_type == "code"][:2]
    assert setup.id == colab.SETUP
    assert setup.source == colab.setup_source(colab.address_of(ROOT)), "run: python tools/publish/colab.py"
    assert (setup.outputs, setup.metadata) == ([], colab.FOLDED)
    assert "SIZE = " in imports.source
    assert cells[cells.index(setup) + 1] is imports


def test_no_link_to_colab_is_dead(path):
    cells = nbformat.read(path, as_version=4).cells
    address = colab.address_of(ROOT)
    linked = [place for place, cell in enumerate(cells) if "colab.research.google.com" in cell.source]
    assert linked == ([1] if address and path.parent.name == "notebooks" else [])
    if linked:
        assert cells[1].source == f"[Open in Colab]({colab.link(address, path.relative_to(ROOT).as_posix())})"


def test_solutions_take_the_setup_cell_over():
    book = nbformat.read(ROOT / "notebooks" / "06_correction_phase.ipynb", as_version=4)
    title, setup, imports, *rest = solutions.solution_of(book, "06_correction_phase").cells
    assert title.cell_type == "markdown"
    assert setup.id == colab.SETUP
    assert setup.metadata == colab.FOLDED
    assert "SIZE = " in imports.source
    assert all(cell.id != colab.SETUP for cell in rest)


# --- the setup cell, with pip replaced ---


@pytest.fixture
def installs(monkeypatch, tmp_path) -> list:
    """What the setup cell has pip install, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    calls = []
    monkeypatch.setattr(subprocess, "run", lambda command, **options: calls.append((command, options)))
    return calls


@pytest.fixture
def on_colab(monkeypatch):
    monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))


@pytest.mark.parametrize("address", ["", ADDRESS])
def test_elsewhere_it_does_nothing(address, installs, tmp_path, capfd):
    (tmp_path / "mmsa_utils-9-py3-none-any.whl").touch()
    names, modules, paths = {}, set(sys.modules), list(sys.path)
    exec(colab.setup_source(address), names)
    assert set(names) - {"__builtins__"} == {"sys"}
    assert (installs, set(sys.modules) - modules, sys.path) == ([], set(), paths)
    assert capfd.readouterr() == ("", "")


def test_it_installs_this_package_alone(on_colab, installs):
    exec(colab.setup_source(ADDRESS), {})
    ((command, options),) = installs
    assert command[:4] == [sys.executable, "-m", "pip", "install"]
    assert "--no-deps" in command
    assert [word for word in command[4:] if not word.startswith("-")] == [f"git+{ADDRESS}@main"]
    assert options["check"]


def test_the_newest_uploaded_wheel_comes_first(on_colab, installs, tmp_path):
    for place, version in enumerate(["0.10", "0.9"]):
        wheel = tmp_path / f"mmsa_utils-{version}-py3-none-any.whl"
        wheel.touch()
        os.utime(wheel, (place, place))
    exec(colab.setup_source(ADDRESS), {})
    assert installs[0][0][-1] == "mmsa_utils-0.9-py3-none-any.whl"


def test_without_wheel_and_address_it_says_what_to_do(on_colab, installs):
    with pytest.raises(FileNotFoundError, match="Upload mmsa_utils.*make wheel"):
        exec(colab.setup_source(), {})
    assert installs == []


def test_it_is_short_plain_python_under_a_title():
    for address in ("", ADDRESS):
        source = colab.setup_source(address)
        assert source.startswith("# @title ")  # all that Colab shows of a form
        assert len(ast.parse(source).body) == 2
        assert len(source.splitlines()) <= 20
        assert max(map(len, source.splitlines())) <= 120


# --- the setup cell, with Colab's google.colab and the real pip, from an empty folder ---


def package_files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*")
            if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith(".")}


@pytest.fixture
def borrowed(tmp_path) -> tuple[Path, dict]:
    """A Python that takes itself for Colab's, has no mmsa_utils yet, and reaches no other machine.

    It says that its ipywidgets is too old for us: pip would want another, did the cell not tell it to leave that alone.
    """
    python = colab_trial.make_environment(tmp_path / "env")
    (old,) = (tmp_path / "env").glob("**/site-packages")
    old = old / "ipywidgets-0.1.dist-info"
    old.mkdir()
    (old / "METADATA").write_text("Metadata-Version: 2.1\nName: ipywidgets\nVersion: 0.1\n")
    environment = colab_trial.variables(tmp_path / "fake")
    with (tmp_path / "fake" / "sitecustomize.py").open("a", encoding="utf8") as file:
        file.write("import socket\ndef connect(self, address): raise OSError(f'no network: {address}')\n"
                   "socket.socket.connect = socket.socket.connect_ex = connect\n")
    return python, {**os.environ, **environment}


@pytest.mark.parametrize("way", ["an uploaded wheel", "the repository"])
def test_on_colab_a_notebook_has_what_it_needs(way, borrowed, wheel, tmp_path):
    python, environment = borrowed
    content = tmp_path / "content"
    content.mkdir()
    if way == "the repository":
        if not shutil.which("git"):
            pytest.skip("no git here")
        checkout = tmp_path / "checkout"
        checkout.mkdir()
        make_wheel.copy_sources(checkout)
        git = ["git", "-c", "user.name=x", "-c", "user.email=x@localhost", "-C", str(checkout)]
        for words in (["init", "--quiet", "--initial-branch=main"], ["add", "--all"], ["commit", "--quiet", "-m", "x"]):
            subprocess.run([*git, *words], check=True)
        environment |= {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": f"url.{checkout.as_uri()}.insteadOf",
                        "GIT_CONFIG_VALUE_0": ADDRESS, "GIT_CONFIG_GLOBAL": os.devnull}
    else:
        shutil.copy2(wheel, content)
    before = colab_trial.state(python, environment)
    run = {"cwd": content, "env": environment, "capture_output": True, "text": True, "check": False}
    assert "No module named 'mmsa_utils'" in subprocess.run([python, "-c", "import mmsa_utils"], **run).stderr
    source = colab.setup_source(ADDRESS if way == "the repository" else "")
    done = subprocess.run([python, "-c", source + WHERE + READ * (way == "an uploaded wheel")], **run)  # 8 s, so once
    assert done.returncode == 0, done.stderr
    where, *right = done.stdout.splitlines()
    assert right in ([], ["True"])
    assert Path(where).is_relative_to(tmp_path / "env")
    assert package_files(Path(where).parent) == package_files(ROOT / "mmsa_utils")
    assert colab_trial.state(python, environment) == before


# --- colab.py ---


@pytest.fixture
def checkout(tmp_path, monkeypatch, capsys) -> Path:
    """The files that colab.py may touch, as they are without an address; three notebooks and a solution."""
    (tmp_path / "notebooks" / "solutions").mkdir(parents=True)
    for name in ("pyproject.toml", "README.md", "notebooks/00_start_here.ipynb", "notebooks/02_text_encoders.ipynb",
                 "notebooks/08_dashboard.ipynb"):
        shutil.copy2(ROOT / name, tmp_path / name)
    shutil.copy2(tmp_path / "notebooks/02_text_encoders.ipynb", tmp_path / "notebooks/solutions")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(colab, "ROOT", tmp_path)
    colab.main(["--undo"])
    capsys.readouterr()
    return tmp_path


def files(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_bytes().decode()
            for path in folder.rglob("*") if path.is_file()}


def test_undo_leaves_no_trace(checkout, capsys):
    before = files(checkout)
    colab.main(["--repo", ADDRESS, "--json"])
    said = json.loads(capsys.readouterr().out)
    after = files(checkout)
    assert said["address"] == ADDRESS == colab.address_of(checkout)
    assert set(said["files"]) == {name for name in before if after[name] != before[name]} == set(before)
    colab.main(["--undo"])
    assert files(checkout) == before


def test_another_address_replaces_the_first(checkout):
    colab.main(["--repo", ADDRESS])
    first = files(checkout)
    colab.main(["--repo", "https://github.com/you/course.git"])
    second = files(checkout)
    assert second == {name: content.replace("some-one/food.posts", "you/course") for name, content in first.items()}
    colab.main([])  # writes for the address that is there: nothing to do
    assert files(checkout) == second


def test_links_cells_and_outputs(checkout):
    stored = nbformat.read("notebooks/02_text_encoders.ipynb", as_version=4).cells
    colab.main(["--repo", f"{ADDRESS}/tree/spring"])
    cells = nbformat.read("notebooks/02_text_encoders.ipynb", as_version=4).cells
    target = ("https://colab.research.google.com/github/some-one/food.posts/blob/spring/notebooks/"
              "02_text_encoders.ipynb")
    assert (cells[1].id, cells[1].source) == (colab.BADGE, f"[Open in Colab]({target})")
    assert [cell for cell in cells if cell.id not in (colab.BADGE, colab.SETUP)] == [
        cell for cell in stored if cell.id != colab.SETUP]
    (setup,) = [cell for cell in cells if cell.id == colab.SETUP]
    (older,) = [cell for cell in stored if cell.id == colab.SETUP]
    assert f"git+{ADDRESS}@spring" in setup.source
    assert (setup.execution_count, setup.outputs) == (older.execution_count, older.outputs)
    rows = [line for line in Path("README.md").read_text(encoding="utf8").splitlines() if target in line]
    assert len(rows) == 1
    assert rows[0].startswith("| [02_text_encoders](notebooks/02_text_encoders.ipynb) ([Colab](")
    solution = nbformat.read("notebooks/solutions/02_text_encoders.ipynb", as_version=4).cells
    assert [cell.source for cell in solution if cell.id == colab.SETUP] == [setup.source]
    assert all(cell.id != colab.BADGE for cell in solution)


def test_a_new_notebook_gets_its_cells(checkout):
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# 09"), nbformat.v4.new_markdown_cell("why"),
                                           nbformat.v4.new_code_cell("SIZE = 1")], nbformat_minor=5)
    nbformat.write(book, "notebooks/09_new.ipynb")
    colab.main(["--repo", ADDRESS])
    cells = nbformat.read("notebooks/09_new.ipynb", as_version=4).cells
    assert [cell.id for cell in cells][1:4:2] == [colab.BADGE, colab.SETUP]
    assert cells[3].metadata == colab.FOLDED
    assert [cell.source for cell in cells if cell.id not in (colab.BADGE, colab.SETUP)] == ["# 09", "why", "SIZE = 1"]


def test_other_addresses_of_the_project_stay(checkout):
    project = Path("pyproject.toml")
    plain = project.read_text(encoding="utf8").replace(
        "[project.optional-dependencies]", '[project.urls]\nBook = "https://example.org"\n\n[project.optional-dependencies]')
    project.write_text(plain, encoding="utf8")
    colab.main(["--repo", ADDRESS])
    assert colab.address_of(checkout) == ADDRESS
    assert project.read_text(encoding="utf8").count("[project.urls]") == 1
    colab.main(["--undo"])
    assert project.read_text(encoding="utf8") == plain


@pytest.mark.parametrize("address", [
    "", "github.com/a/b", "http://github.com/a/b", "git@github.com:a/b.git", "https://gitlab.com/a/b",
    "https://github.com/a", "https://github.com/a/b/c", "https://github.com/a/..", 'https://github.com/a/b/tree/x"y',
    "https://github.com/a/b\n"])
def test_what_is_no_address_is_refused(address, checkout, capsys):
    before = files(checkout)
    with pytest.raises(SystemExit):
        colab.main(["--repo", address])
    assert "expected https://github.com/OWNER/NAME" in capsys.readouterr().err
    assert files(checkout) == before
