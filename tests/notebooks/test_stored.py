"""What every stored notebook keeps to, beyond running.

nbval compares outputs; it does not notice a cell that was never executed, so that is asserted here.
"""

import ast
import copy
import json
import re
import statistics
import tempfile
from functools import cache
from pathlib import Path

import nbformat
import torch
from claims_common import borrowed  # tools/measure/claims_common.py
from colab import FOLDED, SETUP  # tools/publish/colab.py
from prose import NOTEBOOKS, ROOT, SERIES, SOLUTIONS, alt_of, name_of, read_book

from mmsa_utils import Concat, Encoded, Features, align, head_answers, random_head
from mmsa_utils.seeds import seeded

STORED = NOTEBOOKS + SOLUTIONS
TAUGHT = ("posts", "encoders", "fusion", "model", "learning", "figures", "reading")  # rooms that notebooks show code of
HERE = [str(place) for place in (Path.home(), Path(tempfile.gettempdir()), ROOT.parent) if len(str(place)) > 2]
LOCAL_PATH = re.compile("|".join([re.escape(place) + r"[/\\]" for place in HERE] + [
    r"(?<![\w.:/])/(?:home|Users|root|tmp|usr|opt|var|private|mnt|content)/\w", r"\b[A-Z]:\\", "site-packages",
    "dist-packages"]))
WARNING = re.compile(r"\b[A-Z]\w*Warning\b|warnings\.warn|^WARNING\b", flags=re.MULTILINE)
PROGRESS = re.compile(r"\d%\|| (?:it|s|B)/(?:s|it)\b|[█▏▎▍▌▋▊▉]|\r")
OUTPUT = nbformat.v4.new_output


def code_cells(book):
    return [cell for cell in book.cells if cell.cell_type == "code"]


# --- the stored run ---

def faults(book) -> list[str]:
    """What a stored run must not hold, each with the cell's id."""
    counts = [cell.execution_count for cell in code_cells(book)]
    found = [] if counts == list(range(1, len(counts) + 1)) else ["the stored run is not 1..n on a fresh kernel"]
    found += ["metadata other than the kernel's"] if set(book.metadata) - {"kernelspec", "language_info"} else []
    for cell in book.cells:
        if set(cell.metadata) - {"tags"} and not (cell.id == SETUP and cell.metadata == FOLDED):
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


def test_stored_runs_are_clean_in_order_and_small():
    assert set(SERIES) <= set(NOTEBOOKS)
    assert len(SOLUTIONS) >= 7
    assert {name_of(path): found for path in STORED if (found := faults(read_book(path)))} == {}
    sounding = {path: path.read_text(encoding="utf8").count("<audio") for path in STORED}  # a clip: some 45 KB
    assert [name_of(path) for path, clips in sounding.items() if path.stat().st_size > (
        600 if clips else 300) * 1024 or clips > 5] == []


def test_the_check_of_stored_runs():
    for output, fault in (
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
            (OUTPUT("display_data", data={"text/html": '<img src="data:," alt="">'}), "<img> without alt text")):
        book = copy.deepcopy(read_book(NOTEBOOKS[0]))
        before = faults(book)
        code_cells(book)[-1].outputs.append(output)
        (found,) = faults(book)[len(before):] or [None]
        assert found is not None, fault
        assert f": {fault}" in found
    book = copy.deepcopy(read_book(NOTEBOOKS[0]))
    book.metadata["widgets"] = {"application/vnd.jupyter.widget-state+json": {"state": {}}}
    book.cells[0].source += "\n\n![](a.png)"
    code_cells(book)[1].execution_count = 1
    assert len(faults(book)) == len(before) + 3


def test_two_thirds_of_the_printing_cells_are_compared():
    for path in NOTEBOOKS:
        printing = [cell for cell in code_cells(read_book(path))
                    if any(out.output_type == "stream" or "text/plain" in out.get("data", {}) and
                           "image/png" not in out["data"] for out in cell.outputs)]
        ignored = [cell for cell in printing
                   if {"nbval-ignore-output", "nbval-skip"} & set(cell.metadata.get("tags", []))]
        assert printing, path.name
        assert len(ignored) * 3 <= len(printing), f"{path.name}: {len(ignored)} of {len(printing)} are not compared"


def test_code_cells_are_short():
    for path in NOTEBOOKS:
        lengths = [sum(bool(line.strip()) for line in cell.source.splitlines())
                   for cell in code_cells(read_book(path))]
        assert max(lengths) <= 40, path.name
        assert statistics.median(lengths) <= 6, path.name


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
        return self.without_docstring(node)

    def visit_ClassDef(self, node):
        self.generic_visit(node)
        return self.without_docstring(node)

    @staticmethod
    def without_docstring(node):
        if ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.Pass()]
        return node


def definitions(source: str) -> dict[str, str]:
    """Name → bare syntax tree of every class and function at the top level."""
    source = "\n".join(line for line in source.splitlines() if not line.lstrip().startswith(("%", "!")))
    return {node.name: ast.unparse(Bare().visit(node)) for node in ast.parse(source).body
            if isinstance(node, (ast.FunctionDef, ast.ClassDef))}


@cache
def package() -> dict[str, set[str]]:
    """Name → its code; two rooms may have the same name for two things."""
    found: dict[str, set[str]] = {}
    for room in TAUGHT:
        paths = sorted((ROOT / "mmsa_utils" / room).glob("*.py"))
        assert len(paths) >= 3, room
        for path in paths:
            for name, code in definitions(path.read_text(encoding="utf8")).items():
                found.setdefault(name, set()).add(code)
    return found


def test_teaching_copies_equal_the_package():
    other = [f"{path.stem}: {name} is not what the package has" for path in NOTEBOOKS
             for cell in code_cells(read_book(path)) for name, code in definitions(cell.source).items()
             if name in package() and code not in package()[name]]
    assert other == []


def test_the_central_pieces_are_written_out():
    for name, taught in (("judge", "01"), ("masked_mean", "02"), ("join", "04"), ("mlp_head", "04"), ("loss_of", "05"),
                         ("who_won", "07")):
        (path,) = (path for path in SERIES if path.stem.startswith(taught))
        written = set().union(*(definitions(cell.source) for cell in code_cells(read_book(path))))
        assert name in written, f"{path.stem} does not write {name} out"
        assert name in package(), f"the package has no {name}"


def test_the_loop_of_notebook_06_comes_to_the_head_of_align():
    (align_by_hand,) = borrowed("06", "align_by_hand")
    generator = torch.Generator().manual_seed(0)
    vectors, labels = torch.randn(90, 8, generator=generator), torch.arange(90) % 3
    posts = Features({"text": Encoded.of(vectors + labels[:, None]), "image": Encoded.of(vectors.roll(1, 0))}, labels)
    fusion, heads = Concat(posts.widths), [random_head(16, hidden=8) for _ in range(2)]
    with seeded(3):
        align_by_hand(fusion, heads[0], posts[:60], posts[60:], epochs=4, batch_size=16)
    align(fusion, heads[1], posts[:60], posts[60:], epochs=4, batch_size=16, seed=3)
    start = head_answers(fusion, random_head(16, hidden=8), posts)
    one, other = (head_answers(fusion, head, posts) for head in heads)
    assert torch.allclose(one, other, atol=1e-4)
    assert (one - start).abs().max() > 0.01


def test_the_check_of_teaching_copies():
    mean = 'def masked_mean(states, mask):\n    """As taught."""\n    return states.mean(1)'
    assert definitions(mean)["masked_mean"] not in package()["masked_mean"]
    source = (ROOT / "mmsa_utils" / "encoders" / "base.py").read_text(encoding="utf8")
    (node,) = (node for node in ast.parse(source).body if getattr(node, "name", "") == "masked_mean")
    bare = ast.unparse(Bare().visit(copy.deepcopy(node)))
    assert '"""' not in bare
    assert "Tensor" not in bare
    assert definitions(bare)["masked_mean"] in package()["masked_mean"]
