"""What every stored notebook keeps to, beyond running.

nbval compares outputs; it does not notice a cell that was never executed, so that is asserted here.
"""

import ast
import copy
import importlib
import json
import pkgutil
import re
import statistics
import tempfile
from pathlib import Path

import nbformat
import pytest
from prose import NOTEBOOKS, ROOT, SOLUTIONS, alt_of, name_of, read_book

import mmsa_utils

FOLDER = ROOT / "notebooks"
NAMES = [path.stem for path in NOTEBOOKS]
SERIES = ["00_start_here", "01_synthetic_data", "02_text_encoders", "03_image_encoders", "04_concatenation_fusion",
          "05_training_and_evaluation", "06_correction_phase", "07_modality_conflict", "08_dashboard"]
UNTAUGHT = re.compile("dishes|__main__|wire|colab|(checks|grading).*")  # nothing is taught from these
HERE = [str(place) for place in (Path.home(), Path(tempfile.gettempdir()), ROOT.parent) if len(str(place)) > 2]
LOCAL_PATH = re.compile("|".join([re.escape(place) + r"[/\\]" for place in HERE] + [
    r"(?<![\w.:/])/(?:home|Users|root|tmp|usr|opt|var|private|mnt|content)/\w", r"\b[A-Z]:\\", "site-packages",
    "dist-packages"]))
WARNING = re.compile(r"\b[A-Z]\w*Warning\b|warnings\.warn|^WARNING\b", flags=re.MULTILINE)
PROGRESS = re.compile(r"\d%\|| (?:it|s|B)/(?:s|it)\b|[█▏▎▍▌▋▊▉]|\r")


@pytest.fixture(params=NOTEBOOKS, ids=NAMES)
def book(request):
    return read_book(request.param)


@pytest.fixture(params=NOTEBOOKS + SOLUTIONS, ids=name_of)
def stored(request):
    """A notebook of the course, or of its solutions."""
    return read_book(request.param)


def code_cells(book):
    return [cell for cell in book.cells if cell.cell_type == "code"]


def test_the_series_is_complete():
    assert set(SERIES) <= set(NAMES)


def faults(book) -> list[str]:
    """What a stored run must not hold, each with the cell's id."""
    found = ["metadata other than the kernel's"] if set(book.metadata) - {"kernelspec", "language_info"} else []
    for cell in book.cells:
        if set(cell.metadata) - {"tags"}:
            found.append(f"{cell.id}: metadata other than tags")
        if cell.cell_type == "markdown":
            found += [f"{cell.id}: picture without alt text" for _ in re.findall(r"!\[\s*\]\(", cell.source)]
            found += without_alt(cell.id, cell.source)
            continue
        for output in cell.outputs:
            data = output.get("data", {})
            if output.get("name") == "stderr":
                found.append(f"{cell.id}: standard error")
            if output.output_type == "error" and "raises-exception" not in cell.metadata.get("tags", []):
                found.append(f"{cell.id}: error")
            if any("widget" in kind for kind in data):
                found.append(f"{cell.id}: widget")
            if any(kind.startswith("image/") for kind in data) and not alt_of(output).strip():
                found.append(f"{cell.id}: figure without alt text")
            found += without_alt(cell.id, data.get("text/html", ""))
            shown = "\n".join([output.get("text", ""), *output.get("traceback", []), *(
                value if isinstance(value, str) else json.dumps(value) for kind, value in data.items()
                if not kind.startswith("image/"))])
            for name, pattern in (("local path", LOCAL_PATH), ("warning", WARNING), ("progress bar", PROGRESS)):
                found += [f"{cell.id}: {name} {match[0]!r}" for match in pattern.finditer(shown)][:1]
    return found


def without_alt(place: str, html: str) -> list[str]:
    return [f"{place}: <img> without alt text" for tag in re.findall(r"<img\b[^>]*>", html)
            if not re.search(r"""\balt=(["'])\s*[^"'\s]""", tag)]


def test_stored_run_is_clean_and_in_order(stored):
    counts = [cell.execution_count for cell in code_cells(stored)]
    assert counts == list(range(1, len(counts) + 1)), "the stored run is not 1..n on a fresh kernel"
    found = faults(stored)
    assert not found


OUTPUT = nbformat.v4.new_output


@pytest.mark.parametrize(("output", "fault"), [
    (OUTPUT("stream", name="stderr", text="Loading"), "standard error"),
    (OUTPUT("error", ename="ValueError", evalue="no", traceback=["no"]), "error"),
    (OUTPUT("stream", text="FutureWarning: do not"), "warning"),
    (OUTPUT("stream", text="kept in /home/me/model"), "local path"),
    (OUTPUT("stream", text=f"kept in {tempfile.gettempdir()}/x"), "local path"),
    (OUTPUT("execute_result", data={"text/plain": r"WindowsPath('C:\Users')"}), "local path"),
    (OUTPUT("execute_result", data={"text/html": "<p>lib/python3/site-packages/torch</p>"}), "local path"),
    (OUTPUT("stream", text="encode:  40%|████      | 4/10 [00:01<00:02, 3.1 it/s]"), "progress bar"),
    (OUTPUT("display_data", data={"application/vnd.jupyter.widget-view+json": {"model_id": "1"}}), "widget"),
    (OUTPUT("display_data", data={"image/png": "aGk="}), "figure without alt text"),
    (OUTPUT("display_data", data={"text/html": '<img src="data:," alt="">'}), "<img> without alt text")])
def test_the_check_of_stored_runs(output, fault):
    book = copy.deepcopy(read_book(NOTEBOOKS[0]))
    code_cells(book)[-1].outputs.append(output)
    (found,) = faults(book)
    assert f": {fault}" in found


def test_the_check_of_stored_runs_sees_widget_state_and_markdown():
    book = copy.deepcopy(read_book(NOTEBOOKS[0]))
    book.metadata["widgets"] = {"application/vnd.jupyter.widget-state+json": {"state": {}}}
    book.cells[0].source += "\n\n![](a.png)"
    assert len(faults(book)) == 2


@pytest.mark.parametrize("path", NOTEBOOKS + SOLUTIONS, ids=name_of)
def test_a_notebook_is_small(path):
    assert path.stat().st_size < 300 * 1024


def test_two_thirds_of_the_printing_cells_are_compared(book):
    printing = [cell for cell in code_cells(book)
                if any(out.output_type == "stream" or "text/plain" in out.get("data", {}) and
                       "image/png" not in out["data"] for out in cell.outputs)]
    ignored = [cell for cell in printing
               if {"nbval-ignore-output", "nbval-skip"} & set(cell.metadata.get("tags", []))]
    assert printing
    assert len(ignored) * 3 <= len(printing), f"{len(ignored)} of {len(printing)} printing cells are not compared"


def test_code_cells_are_short(book):
    lengths = [sum(bool(line.strip()) for line in cell.source.splitlines()) for cell in code_cells(book)]
    assert max(lengths) <= 40
    assert statistics.median(lengths) <= 6


# --- a class or function that a notebook writes out is the package's own ---


class Bare(ast.NodeTransformer):
    """Leaves out what a teaching copy may leave out: docstrings and annotations."""

    def visit_FunctionDef(self, node):
        self.generic_visit(node)
        node.returns = None
        every = node.args
        for argument in [*every.posonlyargs, *every.args, every.vararg, *every.kwonlyargs, every.kwarg]:
            if argument is not None:
                argument.annotation = None
        if ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.Pass()]
        return node

    def visit_ClassDef(self, node):
        self.generic_visit(node)
        if ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.Pass()]
        return node


def definitions(source: str) -> dict[str, str]:
    """Name → bare syntax tree of every class and function at the top level."""
    source = "\n".join(line for line in source.splitlines() if not line.lstrip().startswith(("%", "!")))
    return {node.name: ast.unparse(Bare().visit(node)) for node in ast.parse(source).body
            if isinstance(node, (ast.FunctionDef, ast.ClassDef))}


@pytest.fixture(scope="module")
def package() -> dict[str, str]:
    found = {}
    for module in pkgutil.iter_modules(mmsa_utils.__path__):
        if not UNTAUGHT.fullmatch(module.name):
            path = Path(importlib.util.find_spec(f"mmsa_utils.{module.name}").origin)
            found |= definitions(path.read_text(encoding="utf8"))
    return found


def test_teaching_copies_equal_the_package(book, package):
    for cell in code_cells(book):
        for name, code in definitions(cell.source).items():
            if name in package:
                assert code == package[name], f"{name} is not what the package has"


@pytest.mark.parametrize(("name", "taught"), [
    ("judge", "01_synthetic_data"), ("masked_mean", "02_text_encoders"), ("join", "04_concatenation_fusion"),
    ("mlp_head", "04_concatenation_fusion"), ("loss_of", "05_training_and_evaluation"),
    ("align", "06_correction_phase"), ("who_won", "07_modality_conflict")])
def test_the_central_pieces_are_written_out(name, taught, package):
    book = nbformat.read(FOLDER / f"{taught}.ipynb", as_version=4)
    written = set().union(*(definitions(cell.source) for cell in code_cells(book)))
    assert name in written
    assert name in package
