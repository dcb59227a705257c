"""Write notebooks/solutions/ from the exercises of the notebooks, so that there is one source of both.

python tools/notebooks/solutions.py            write them, without outputs (`make notebooks` executes and stores them)

An exercise is three cells in a row, at the end of a notebook:
    markdown    "### Exercise 2.1 · Title": its card and its task
    code        tag "exercise": the stub, and the check in the last line
    markdown    tag "solution": <details> with "Hint", "Answer" and "Solution"; the last one holds the only block of
                code, which takes the stub's place in the solution notebook, and the reasoning
"""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
from execute import normalise

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ROOT / "notebooks"
SOLUTIONS = NOTEBOOKS / "solutions"
FOLD = re.compile(r"<details>\s*<summary>(.*?)</summary>(.*?)</details>", re.DOTALL)
CODE = re.compile(r"```python\n(.*?)\n```", re.DOTALL)


def exercises(book) -> list[tuple]:
    """(card cell, stub cell, cell with the folds) of every exercise in a notebook."""
    found = []
    for place, cell in enumerate(book.cells):
        if "exercise" in cell.metadata.get("tags", []):
            card, folds = book.cells[place - 1], book.cells[place + 1]
            if not card.source.startswith("### Exercise ") or "solution" not in folds.metadata.get("tags", []):
                raise ValueError(f"the exercise in cell {cell.id} lacks its card before it or its folds after it")
            found.append((card, cell, folds))
    return found


def folds_of(cell) -> dict[str, str]:
    """Hint, Answer and Solution → what each fold holds."""
    return {name.strip(): body.strip() for name, body in FOLD.findall(cell.source)}


def solution_of(book, stem: str):
    """The solution notebook of one notebook: its setup, and each exercise filled in, without outputs."""
    title = book.cells[0].source.splitlines()[0].removeprefix("# ")
    cells = [nbformat.v4.new_markdown_cell(
        f"# Solutions · {title}\n\nMade from [{stem}](../{stem}.ipynb) by `make notebooks`: change them there. "
        "Try each exercise yourself first; another way that its check accepts is as good.", id=f"{stem[:2]}-s-title")]
    for cell in book.cells:  # what every exercise may use: the first cells of code, up to the one that chooses the size
        if cell.cell_type == "code":
            cells.append(nbformat.v4.new_code_cell(cell.source, id=cell.id, metadata=cell.metadata))
            if "SIZE = " in cell.source:
                break
    for card, stub, folds in exercises(book):
        solution = folds_of(folds)["Solution"]
        (code,) = CODE.findall(solution)
        check = stub.source.splitlines()[-1]
        reasoning = CODE.sub("", solution).strip()
        heading = card.source[1:]  # one level up: no section stands above it here
        cells += [nbformat.v4.new_markdown_cell(relinked(heading), id=card.id),
                  nbformat.v4.new_code_cell(f"{code}\n\n{check}", id=stub.id),
                  nbformat.v4.new_markdown_cell(relinked(reasoning), id=folds.id)]
    return normalise(nbformat.v4.new_notebook(cells=cells, nbformat_minor=5))


def relinked(source: str) -> str:
    """Relative links as they are from one folder further down."""
    return re.sub(r"\]\((?!\w+:|#)([^)]+)\)", r"](../\1)", source)


def main() -> None:
    """Write every solution notebook whose cells have changed; one that has not keeps its outputs."""
    SOLUTIONS.mkdir(exist_ok=True)
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        book = nbformat.read(path, as_version=4)
        if not exercises(book):
            continue
        made, target = solution_of(book, path.stem), SOLUTIONS / path.name
        if not target.exists() or sources(nbformat.read(target, as_version=4)) != sources(made):
            target.write_text(nbformat.writes(made) + "\n", encoding="utf8", newline="\n")
            print(f"wrote {target.relative_to(ROOT).as_posix()}")


def sources(book) -> list[tuple[str, str, str]]:
    """What two notebooks must share to be the same but for outputs."""
    return [(cell.cell_type, cell.id, cell.source) for cell in book.cells]


if __name__ == "__main__":
    main()
