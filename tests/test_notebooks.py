"""What every stored notebook keeps to, beyond running.

nbval compares outputs; it does not notice a cell that was never executed, so that is asserted here.
"""

import ast
import importlib
import pkgutil
import re
from pathlib import Path

import nbformat
import pytest

import mmsa_utils

FOLDER = Path(__file__).resolve().parent.parent / "notebooks"
PATHS = sorted(FOLDER.glob("*.ipynb"))
NAMES = [path.stem for path in PATHS]
SERIES = ["00_start_here", "01_synthetic_data", "02_text_encoders", "03_image_encoders", "04_concatenation_fusion",
          "05_training_and_evaluation", "06_correction_phase", "07_modality_conflict", "08_dashboard"]
HEAVY = {"dishes", "__main__"}  # nothing is taught from these


@pytest.fixture(params=PATHS, ids=NAMES)
def book(request):
    return nbformat.read(request.param, as_version=4)


def code_cells(book):
    return [cell for cell in book.cells if cell.cell_type == "code"]


def test_the_series_is_complete():
    assert set(SERIES) <= set(NAMES)


def test_stored_run_is_clean_and_in_order(book):
    counts = [cell.execution_count for cell in code_cells(book)]
    assert counts == list(range(1, len(counts) + 1))
    for cell in code_cells(book):
        for output in cell.outputs:
            assert output.get("name") != "stderr", f"standard error stored by: {cell.source}"
            expected = "raises-exception" in cell.metadata.get("tags", [])
            assert output.output_type != "error" or expected, f"error stored by: {cell.source}"


def test_two_thirds_of_the_printing_cells_are_compared(book):
    printing = [cell for cell in code_cells(book)
                if any(out.output_type == "stream" or "text/plain" in out.get("data", {}) and
                       "image/png" not in out["data"] for out in cell.outputs)]
    ignored = [cell for cell in printing
               if {"nbval-ignore-output", "nbval-skip"} & set(cell.metadata.get("tags", []))]
    assert printing
    assert len(ignored) * 3 <= len(printing), f"{len(ignored)} of {len(printing)} printing cells are not compared"


def test_every_figure_has_alt_text(book):
    for cell in book.cells:
        if cell.cell_type == "markdown":
            assert "![](" not in cell.source
            continue
        for output in cell.outputs:
            if "image/png" in output.get("data", {}):
                assert output.metadata.get("image/png", output.metadata).get("alt"), f"no alt text: {cell.source}"


def test_code_cells_are_short(book):
    lengths = sorted(sum(bool(line.strip()) for line in cell.source.splitlines()) for cell in code_cells(book))
    assert lengths[-1] <= 40
    assert lengths[len(lengths) // 2] <= 6


def test_links_inside_the_repository_resolve(book):
    for cell in book.cells:
        if cell.cell_type == "markdown":
            for target in re.findall(r"\]\(([^)#\s]+)", cell.source):
                assert target.startswith("http") or (FOLDER / target).exists(), f"dead link {target}"


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
        if module.name not in HEAVY:
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
