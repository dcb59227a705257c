"""Write notebooks/solutions/ from the exercises of the notebooks, so that there is one source of both.

python tools/notebooks/solutions.py            write them, without outputs (`make notebooks` executes and stores them)

What an exercise consists of, and how its solution is made of it, stands in mmsa_utils/exercises/cells.py.
"""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
from execute import normalise

from mmsa_utils.exercises.cells import exercises, solved

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ROOT / "notebooks"
SOLUTIONS = NOTEBOOKS / "solutions"


def solution_of(book, stem: str):
    """The solution notebook of one notebook: its setup, and each exercise filled in, without outputs."""
    title = book.cells[0].source.splitlines()[0].removeprefix("# ")
    cells = [nbformat.v4.new_markdown_cell(
        f"# Solutions · {title}\n\nMade from [{stem}](../{stem}.ipynb) by `make notebooks`: change them there. "
        "Try each exercise yourself first; another way that its check accepts is as good.", id=f"{stem[:2]}-s-title")]
    cells += map(nbformat.from_dict, solved(book, relinked))
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
