"""The floors hold: no room looks up, no two look at each other, and no module or function has outgrown its name."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = sorted((ROOT / "mmsa_utils").rglob("*.py"))


def contracts(folder: Path) -> subprocess.CompletedProcess:
    """`make lint`'s look at the imports of the package in a folder."""
    program = Path(sys.executable).with_name("lint-imports")
    return subprocess.run([program, "--no-cache"], cwd=folder, text=True, capture_output=True,
                          env={"PYTHONPATH": str(folder), "PATH": ""}, check=False)


def test_the_floors_hold():
    told = contracts(ROOT)
    assert told.returncode == 0, told.stdout
    assert "3 kept, 0 broken" in told.stdout


@pytest.mark.parametrize(("module", "line", "contract"), [
    ("posts/rules.py", "from ..learning import metrics", "Rooms lie on floors, and look down only BROKEN"),
    ("explorers/text.py", "from ..grading import wire", "Rooms lie on floors, and look down only BROKEN"),
    ("seeds.py", "from . import posts", "Rooms lie on floors, and look down only BROKEN"),
    ("fusion/concat.py", "from ..posts.scenes import DISHES", "never dishes or phrases BROKEN"),
    ("posts/phrases.py", "from . import food", "No circles within a room BROKEN"),
    ("attic/__init__.py", "", "Rooms lie on floors, and look down only BROKEN"),
])
def test_a_step_upwards_is_found(tmp_path, module, line, contract):
    shutil.copytree(ROOT / "mmsa_utils", tmp_path / "mmsa_utils",
                    ignore=shutil.ignore_patterns("weights", "__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    path = tmp_path / "mmsa_utils" / module
    path.parent.mkdir(exist_ok=True)
    path.write_text((path.read_text() if path.exists() else "") + f"\n{line}\n")
    told = contracts(tmp_path)
    assert told.returncode != 0
    assert contract in told.stdout or "attic" in told.stdout + told.stderr


def long_functions(source: str) -> list[str]:
    """Functions of more than 60 lines, their documentation not counted."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            documented = ast.get_docstring(node) is not None and len(node.body) > 1
            first = node.body[1].lineno if documented else node.lineno
            if node.end_lineno - first >= 60:
                found.append(node.name)
    return found


def test_modules_and_functions_stay_short():
    assert len(MODULES) > 60
    assert [path.name for path in MODULES if len(path.read_text(encoding="utf8").splitlines()) > 300] == []
    tables = {"parser"}  # reads as a table: a line for each word of the command line
    assert {name for path in MODULES for name in long_functions(path.read_text(encoding="utf8"))} <= tables
    assert long_functions("def f():\n" + "    x = 1\n" * 61) == ["f"]


def test_every_room_says_what_it_is_about():
    rooms = sorted(path.parent.name for path in (ROOT / "mmsa_utils").glob("*/__init__.py"))
    assert rooms == ["apps", "encoders", "exercises", "explorers", "figures", "fusion", "grading", "inspection",
                     "learning", "model", "posts", "reading"]
    for room in rooms:
        tree = ast.parse((ROOT / "mmsa_utils" / room / "__init__.py").read_text(encoding="utf8"))
        assert ast.get_docstring(tree)
        assert len(tree.body) == 1, f"{room}/__init__.py imports something"
