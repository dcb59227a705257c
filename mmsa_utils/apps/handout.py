"""The command `handout`: notebooks, a book and the wheel for a class, and the key to them for the teacher.

docs/teaching.md tells teachers how to use it. The notebooks come from the course's folder; the wheel holds none.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..bars import progress
from ..exercises import sheets
from ..exercises.table import EXERCISES
from ..exercises.variants import CHOICES
from .common import make_folder
from .links import relinked

#: Pages of docs/ that a class's book has beside the notebooks: nothing for teachers, nothing about the code.
PAGES = ("glossary", "troubleshooting", "colab", "command_line", "dashboard", "real_posts", "data_card", "fusions",
         "accessibility")
_INDEX = """# Multimodal sentiment analysis, step by step

This book shows the notebooks as they ran, with everything that they printed and drew. To read is a good start; to
change a cell and see what happens is the point. The search finds words of the notebooks and of these pages.

```{toctree}
:caption: The notebooks
:maxdepth: 1
:glob:

/notebooks/[0-9]*
```

```{toctree}
:caption: Help
:hidden:

PAGES
```

```{toctree}
:caption: Cards of the weights
:hidden:
:glob:

/mmsa_utils/weights/*/README
```
"""
_UNFINISHED = ".unfinished-"  # and letters: the folder in OUT where all is made
_REPOSITORY = re.compile(r'^Repository = "(https://[^"]+?)(?:/tree/([^"]+))?"$', re.MULTILINE)


@dataclass
class Handout:
    """What is handed out, and what has come of it so far."""

    course: Path
    notebooks: list[Path]  # in the course
    variant: int
    solutions: bool
    made: Path  # the folder with class/ and teacher/
    wheel: str = ""  # their places in class/
    book: str = ""
    left_out: list[str] = field(default_factory=list)

    def pages(self) -> dict[str, Path]:
        """Places in the course of the notebooks, and of the pages of Markdown that a class's book has → their files."""
        files = [*self.notebooks, *(self.course / "docs" / f"{name}.md" for name in PAGES),
                 *sorted(self.course.glob("mmsa_utils/weights/*/README.md"))]
        return {file.relative_to(self.course).as_posix(): file for file in files}

    def gone(self) -> dict[str, str]:
        """What is not even linked to in the repository, as all notebooks have their solutions there."""
        every = () if self.solutions else self.course.glob("notebooks/**/*.ipynb")
        return {path.relative_to(self.course).as_posix(): "" for path in every}

    def sheet(self, page: str, place: str, kept: dict[str, str]) -> dict[str, Any]:
        """A notebook for the class, by its place in the course, its links made for its new place."""
        book = sheets.sheet(sheets.read(self.course / page), self.variant, self.solutions)
        return sheets.relink(book, relinked(page, place, self.gone() | kept, address(self.course)))


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Write OUT/class and OUT/teacher, both or neither.

    Raises:
        ValueError: if there is no course, it has no such notebook, or a notebook is not of the course's form.
        OSError: if the folder holds something, or cannot be written into.
    """
    out, course = Path(arguments.folder), course_folder(arguments.course)
    notebooks, variant = chosen(course, arguments.notebooks), arguments.variant
    make_folder(out, "OUT")
    held = sorted(path.name for path in out.iterdir())
    if held and all(name.startswith(_UNFINISHED) for name in held):
        raise OSError(f"{out} holds the rest of a call that was ended, {', '.join(held)}: remove it, or name a new "
                      "folder.")
    if held:
        raise OSError(f"{out} holds something ({held[0]}): name a new folder, or an empty one.")
    with tempfile.TemporaryDirectory(dir=out, prefix=_UNFINISHED) as made:
        handout = Handout(course, notebooks, variant, arguments.without is None, Path(made))
        (handout.made / "class").mkdir()
        for part in progress((_wheel, _book, _sheets, _keys), "handout"):
            part(handout)
        for name in ("class", "teacher"):
            os.replace(handout.made / name, out / name)
    numbers = [number for number in EXERCISES if int(number.partition(".")[0]) in [int(p.name[:2]) for p in notebooks]]
    varied = [number for number in numbers if variant and number in CHOICES]
    return {"folder": str(out), "variant": variant, "solutions": handout.solutions,
            "notebooks": [path.name for path in notebooks], "wheel": handout.wheel, "book": handout.book,
            "left_out": handout.left_out, "varied": varied, "the_same": [n for n in numbers if n not in varied]}


def said(result: dict[str, Any]) -> str:
    """What lies where, and how it is graded."""
    folder, variant, n = result["folder"], result["variant"], len(result["notebooks"])
    parts = [f"{n} notebook{'s' * (n != 1)}", *(result[part] for part in ("wheel", "book") if result[part])]
    lines = [f"for the class: {folder}/class, with {', '.join(parts)}",
             f"for you: {folder}/teacher, the key" + (f" of variant {variant}" if variant else ""),
             *(f"left out: {why}" for why in result["left_out"])]
    if variant:
        lines += [f"other than in the course: {', '.join(result['varied']) or 'no exercise'}",
                  f"the same as in the course: {', '.join(result['the_same']) or 'none'}",
                  f"graded by: grade FOLDER --csv grades.csv --variant {variant}"]
    return "\n".join(lines)


def course_folder(given: str | None) -> Path:
    """The folder with the course's notebooks: the one that is named, or the first found around here.

    Raises:
        ValueError: if there is none.
    """
    here = Path.cwd()
    for place in [Path(given)] if given else [here, *here.parents, Path(__file__).resolve().parents[2]]:
        if all((place / name).exists() for name in ("notebooks/00_start_here.ipynb", "docs/conf.py", "tools/publish")):
            return place.resolve()
    where = given or f"{here}, in no folder around it, and not beside the installed package"
    raise ValueError(f"the course's notebooks are not in {where}. The wheel does not hold them: get the course's "
                     "folder, with notebooks, docs and tools in it, and name it by --course FOLDER.")


def chosen(course: Path, numbers: Sequence[int] | None) -> list[Path]:
    """The notebooks with these numbers, in order; all for None.

    Raises:
        ValueError: if there is none with a number.
    """
    every = {int(path.name[:2]): path for path in sorted((course / "notebooks").glob("[0-9][0-9]_*.ipynb"))}
    unknown = [f"{number:02d}" for number in numbers or () if number not in every]
    if unknown:
        raise ValueError(f"--notebooks: there is no notebook {', '.join(unknown)}: expected some of "
                         f"{', '.join(f'{number:02d}' for number in every)}, with commas between them.")
    return [every[number] for number in sorted(set(every if numbers is None else numbers))]


def _wheel(handout: Handout) -> None:
    """The package's wheel beside the notebooks, as Colab wants it."""
    done = _python(handout.course, "tools/publish/make_wheel.py", str((handout.made / "class").resolve()))
    wheels = list((handout.made / "class").glob("*.whl"))
    if done.returncode or not wheels:
        why = (done.stderr or done.stdout).strip().splitlines() or [f"exit code {done.returncode}"]
        handout.left_out.append(f"the wheel, which cannot be built here ({why[-1][:200]}); it needs pip and setuptools")
    else:
        handout.wheel = wheels[0].name


def _book(handout: Handout) -> None:
    """The book of these notebooks, built from a copy of the course that holds nothing else.

    Raises:
        ValueError: if Sphinx is there and does not build it cleanly.
    """
    missing = [name for name in ("sphinx", "myst_nb", "furo", "sphinx_copybutton", "latex2mathml", "nbformat")
               if importlib.util.find_spec(name) is None]
    if missing:
        handout.left_out.append(f'the book, for want of {", ".join(missing)}: pip install "mmsa-utils[docs]"')
        return
    pages = handout.pages()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for name in ("docs/_static", "docs/_templates", "tools/publish", "tools/notebooks"):
            shutil.copytree(handout.course / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy2(handout.course / "docs" / "conf.py", copy / "docs")
        (copy / "docs" / "index.md").write_text(_INDEX.replace("PAGES", "\n".join(PAGES)), encoding="utf8")
        for page, file in pages.items():
            (copy / page).parent.mkdir(parents=True, exist_ok=True)
            if page.endswith(".ipynb"):
                sheets.write(handout.sheet(page, page, dict(zip(pages, pages))), copy / page)
            else:
                links = relinked(page, page, handout.gone() | dict(zip(pages, pages)), address(handout.course))
                (copy / page).write_text(links(file.read_text(encoding="utf8")), encoding="utf8")
        done = _python(copy, "tools/publish/make_book.py")
        if done.returncode:
            raise ValueError(f"the book was not built cleanly:\n{done.stdout}{done.stderr}")
        shutil.copytree(copy / "build" / "book", handout.made / "class" / "book")
    # The notebook beside each page, for download, leads to pages of the book.
    kept = {page: re.sub(r"\.md$", ".html", page) for page in pages}
    for page in kept:
        if page.endswith(".ipynb"):
            sheets.write(handout.sheet(page, page, kept), handout.made / "class" / "book" / page)
    handout.book = "book/index.html"


def _sheets(handout: Handout) -> None:
    """The notebooks. One that is handed out alone needs nothing beside it; several lead to each other and the book."""
    kept: dict[str, str] = {}
    if len(handout.notebooks) > 1:
        pages = handout.pages() if handout.book else {}
        kept |= {page: f"book/{page[:-3]}.html" for page in pages if page.endswith(".md")}
        kept |= {f"notebooks/{path.name}": path.name for path in handout.notebooks}
    for path in handout.notebooks:
        sheets.write(handout.sheet(f"notebooks/{path.name}", path.name, kept), handout.made / "class" / path.name)


def _keys(handout: Handout) -> None:
    """The key to each notebook that has exercises; it needs nothing beside it."""
    (handout.made / "teacher").mkdir()
    for path in handout.notebooks:
        book = sheets.read(path)
        if sheets.exercises(book):
            links = relinked(f"notebooks/{path.name}", path.name, {}, address(handout.course))
            sheets.write(sheets.relink(sheets.key(book, handout.variant), links),
                         handout.made / "teacher" / f"key_{path.name}")


def address(course: Path) -> str:
    """Where the repository's files can be read, by pyproject.toml, or ""."""
    found = _REPOSITORY.search((course / "pyproject.toml").read_text(encoding="utf8"))
    return f"{found[1]}/blob/{found[2] or 'main'}" if found else ""


def _python(folder: Path, script: str, *words: str) -> subprocess.CompletedProcess:
    """Run a script of the course, with its folder as the working folder."""
    return subprocess.run([sys.executable, str(folder / script), *words], cwd=folder, capture_output=True,
                          encoding="utf8", errors="replace")
