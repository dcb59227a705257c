"""The course on Google Colab: one setup cell in every notebook, and links that open the notebooks there.

python tools/publish/colab.py --repo https://github.com/OWNER/NAME     write the address, and what follows from it
python tools/publish/colab.py                                          the same for the address that is there, if any
python tools/publish/colab.py --undo                                   take the address and all links out again

The repository's address stands in one place, pyproject.toml's [project.urls]; from it follows whatever else names it.
Without an address there are no links, and the setup cell wants an uploaded wheel.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from urllib.parse import quote

ROOT = Path(__file__).resolve().parents[2]
SETUP, BADGE = "colab-setup", "colab-badge"  # the cells' ids
FOLDED = {"cellView": "form", "jupyter": {"source_hidden": True}}  # on Colab, its title alone is seen; in JupyterLab

_SETUP = '''\
# @title Set-up for Google Colab
# There it installs the package of this course, and nothing else. Anywhere else it does nothing.
import sys

if "google.colab" in sys.modules:
    import glob
    import importlib
    import os
    import subprocess

    address = "ADDRESS"
    wheels = sorted(glob.glob("mmsa_utils-*.whl"), key=os.path.getmtime)
    source = [address, *wheels][-1]  # the wheel that was uploaded last, else the repository
    if not source:
        raise FileNotFoundError("Upload mmsa_utils-*.whl (`make wheel` builds it, or it came with this notebook): open "
                                "the folder on the left, drop the file beside sample_data, and run this cell again.")
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--force-reinstall", source],
                   check=True)
    importlib.invalidate_caches()'''

_ADDRESS = re.compile(r"https://github\.com/([A-Za-z0-9-]+)/([\w.-]+?)(?:\.git)?(?:/tree/([^\s\"\\?#@]+?))?/?")
_OPENER = "https://colab.research.google.com/github/"
_ROW = re.compile(r"^(\| \[[^\]]+\]\((notebooks/[^)]+\.ipynb)\))", re.MULTILINE)
_ROW_LINK = re.compile(rf" \(\[Colab\]\({re.escape(_OPENER)}[^)]*\)\)")
_URLS = re.compile(r'^\[project\.urls\]\n((?:(?!\[).*\n)*)', re.MULTILINE)
_REPOSITORY = re.compile(r'^Repository = "(.*)"\n', re.MULTILINE)
_PLACE = "[project.optional-dependencies]\n"  # the table of addresses goes before this one


def parts(address: str) -> tuple[str, str, str]:
    """Owner, name and branch ("main" where the address names none) of an address at GitHub.

    Raises:
        ValueError: if it is not the https address of a repository there; Colab opens no other.
    """
    match = _ADDRESS.fullmatch(address)
    if match is None or match[2] in (".", ".."):
        raise ValueError(f"the repository's address is {address!r}: expected https://github.com/OWNER/NAME, or "
                         "https://github.com/OWNER/NAME/tree/BRANCH for another branch than main. It has to be public, "
                         "and Colab opens notebooks from GitHub only.")
    return match[1], match[2], match[3] or "main"


def setup_source(address: str = "") -> str:
    """The setup cell, for a repository's address or for none ("")."""
    if address:
        owner, name, branch = parts(address)
        address = f"git+https://github.com/{owner}/{name}@{branch}"
    return _SETUP.replace("ADDRESS", address)


def link(address: str, path: str) -> str:
    """Where Colab opens a notebook of the repository; `path` is relative to its root, with forward slashes."""
    owner, name, branch = parts(address)
    return f"{_OPENER}{owner}/{name}/blob/{quote(branch)}/{quote(path)}"


def address_of(root: Path) -> str:
    """The address that pyproject.toml holds, or "" for none."""
    urls = _URLS.search((root / "pyproject.toml").read_text(encoding="utf8"))
    found = _REPOSITORY.search(urls[1]) if urls else None
    return found[1] if found else ""


def write(root: Path, address: str | None = None) -> list[str]:
    """Write the setup cells, and for an address the links; for none ("") take out what an address had brought.

    Stored outputs and execution counts stay as they are. Nothing is written unless everything can be made.

    Args:
        root: folder of the checkout: pyproject.toml, README.md, notebooks/.
        address: of the repository; "" for none; None for the one that pyproject.toml holds, if any.

    Returns:
        The files that changed, relative to `root`.

    Raises:
        ValueError: if this is no repository's address.
    """
    project, readme = root / "pyproject.toml", root / "README.md"
    address = _plain(address_of(root) if address is None else address)
    made = {project: _project(_text(project), address), readme: _readme(_text(readme), address)}
    for path in sorted(root.glob("notebooks/**/*.ipynb")):
        place = path.relative_to(root).as_posix()
        if ".ipynb_checkpoints" not in place:
            made[path] = _notebook(_text(path), address, place)
    changed = [path for path, text in made.items() if text != _text(path)]
    for path in changed:
        path.write_text(made[path], encoding="utf8", newline="\n")
    return [path.relative_to(root).as_posix() for path in changed]


def _plain(address: str) -> str:
    """The one way that an address is written: without .git, a slash at the end, or the branch main."""
    if not address:
        return ""
    owner, name, branch = parts(address)
    return f"https://github.com/{owner}/{name}" + ("" if branch == "main" else f"/tree/{branch}")


def _text(path: Path) -> str:
    return path.read_text(encoding="utf8")


def _project(text: str, address: str) -> str:
    """pyproject.toml with the address, or without one; other addresses that are there stay."""
    urls = _URLS.search(text)
    rest = _REPOSITORY.sub("", urls[1]) if urls else ""
    body = (f'Repository = "{address}"\n' if address else "") + rest
    table = f"[project.urls]\n{body}" if body.strip() else ""
    if urls:
        return text[:urls.start()] + table + text[urls.end():]
    if table and _PLACE not in text:
        raise ValueError(f"pyproject.toml has no line {_PLACE.strip()}, before which the address would stand.")
    return text.replace(_PLACE, f"{table}\n{_PLACE}", 1) if table else text


def _readme(text: str, address: str) -> str:
    """README.md with a link to Colab in each row of the table of notebooks, or without."""
    text = _ROW_LINK.sub("", text)
    return _ROW.sub(lambda row: f"{row[1]} ([Colab]({link(address, row[2])}))", text) if address else text


def _notebook(text: str, address: str, place: str) -> str:
    """A notebook with the setup cell as its first cell of code and, for an address, the link under its title.

    The solutions have no link: they are made from the notebooks, cell by cell.
    """
    book = json.loads(text)
    cells = [cell for cell in book["cells"] if cell.get("id") != BADGE]
    source = setup_source(address).splitlines(keepends=True)
    setup = next((cell for cell in cells if cell.get("id") == SETUP), None)
    if setup is None:
        first = next((i for i, cell in enumerate(cells) if cell["cell_type"] == "code"), len(cells))
        setup = {"cell_type": "code", "execution_count": None, "id": SETUP, "outputs": []}
        cells.insert(first, setup)
    setup |= {"metadata": FOLDED, "source": source}
    if address and not place.startswith("notebooks/solutions/"):
        cells.insert(1, {"cell_type": "markdown", "id": BADGE, "metadata": {},
                         "source": [f"[Open in Colab]({link(address, place)})"]})
    book["cells"] = cells
    return json.dumps(book, indent=1, ensure_ascii=False) + "\n"  # as nbformat writes it


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--repo", metavar="URL", help="the course's public address at GitHub; .../tree/BRANCH for "
                                                     "another branch than main")
    where.add_argument("--undo", action="store_true", help="take the address and all links out again")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    try:
        if options.repo is not None:
            parts(options.repo)  # an empty one is a slip, and no --undo
        files = write(ROOT, "" if options.undo else options.repo)
    except ValueError as error:
        parser.error(str(error))
    address = address_of(ROOT)
    if options.json:
        print(json.dumps({"address": address, "files": files}))
        return
    print("\n".join([f"address: {address or 'none'}", *(f"changed {file}" for file in files)]))
    if options.repo and files:
        print("Commit and push these files: the links work once they are at that address.")


if __name__ == "__main__":
    main()
