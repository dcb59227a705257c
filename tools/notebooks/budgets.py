"""What each notebook costs: measured when it is stored, kept in notebooks/budgets.json, told in its card.

python tools/notebooks/budgets.py     make the cards, the list in notebook 00 and README's table say what the file says

For each notebook: seconds to run and peak memory in megabytes, which `make notebooks` measures; words, lines of code
and minutes of its exercises, which are counted in its cells. conftest.py holds the notebooks to their cards, each time
that they are tested.
"""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ROOT / "notebooks"
CARD = re.compile(r"^(\| Time \| Memory \|.*\n\|[-|]+\|\n)\| ([^|]*) \| ([^|]*) \|", flags=re.MULTILINE)
EXERCISE = re.compile(r"\*\*(\d+) minutes\*\* · \*\*Why it matters:\*\*")
WORDS_A_MINUTE, SECONDS_A_LINE = 150, 4  # slow reading: a lesson, and code that is thought about

# How far a card may be outgrown before a test fails: a machine may be slower than the one that measured, and other
# versions of the libraries take more memory.
SLOWER, LARGER = 1.5, 1.15


def usage(pid: int) -> tuple[float, float]:
    """Processor seconds of a process and its children so far, and its peak memory in megabytes.

    The peak is the kernel's own record where there is one (Linux), else the memory at this moment.
    """
    import psutil

    process = psutil.Process(pid)
    family = [process, *process.children(recursive=True)]
    times = [one.cpu_times() for one in family]
    seconds = sum(time.user + time.system for time in times)
    seconds += getattr(times[0], "children_user", 0) + getattr(times[0], "children_system", 0)  # those that have ended
    memory = sum(one.memory_info().rss for one in family)
    try:
        (record,) = re.findall(r"^VmHWM:\s*(\d+) kB", Path(f"/proc/{pid}/status").read_text(), flags=re.MULTILINE)
        memory = max(memory, 1024 * int(record))
    except (OSError, ValueError):
        pass
    return seconds, memory / 1e6


def contents(book) -> dict[str, int]:
    """What there is to read in a notebook, exercises and the setup cell for Colab aside; minutes of its exercises."""
    words = lines = minutes = 0
    for cell in book.cells:
        tags = cell.metadata.get("tags", [])
        if cell.cell_type == "code" and "exercise" not in tags and cell.id != "colab-setup":
            lines += sum(bool(line.strip()) for line in cell.source.splitlines())
        elif cell.cell_type == "markdown" and cell.source.startswith("### Exercise "):
            minutes += sum(map(int, EXERCISE.findall(cell.source)))
        elif cell.cell_type == "markdown" and "solution" not in tags:
            text = re.sub(r"\]\([^)]*\)|<[^>]*>", " ", CARD.sub("", cell.source))
            words += len(re.findall(r"\w+(?:['’.-]\w+)*", text))
    return {"words": words, "code_lines": lines, "exercise_minutes": minutes}


def measured_anew(old: dict, new: dict) -> dict:
    """The row to keep of a notebook that was measured again.

    No two runs take the same time. So a measured figure stays as it was while the new one lies within what the old
    one promises, and above two thirds of it; else nothing would ever be stored twice with the same bytes.
    """
    promised = {"seconds": seconds_told, "memory_mb": lambda megabytes: 1000 * gigabytes_told(megabytes)}
    return new | {name: old[name] for name, told in promised.items()
                  if name in old and 2 / 3 * old[name] - 2 <= new[name] <= told(old[name])}


def seconds_told(seconds: float) -> int:
    """What the card says: a third more than was measured, up to the next ten."""
    return 10 * math.ceil(seconds * 4 / 3 / 10)


def gigabytes_told(megabytes: float) -> float:
    """What the card says: a twentieth more than was measured, up to the next tenth."""
    return math.ceil(megabytes * 1.05 / 100) / 10


def minutes_told(row: dict) -> int:
    """Minutes to read, up to the next five."""
    return 5 * math.ceil((row["words"] / WORDS_A_MINUTE + row["code_lines"] * SECONDS_A_LINE / 60) / 5)


def card(row: dict) -> tuple[str, str]:
    """A notebook's time and memory, in the words of its card."""
    exercises = f", {row['exercise_minutes']} for the exercises" if row["exercise_minutes"] else ""
    return (f"{minutes_told(row)} minutes to read{exercises}, under {seconds_told(row['seconds'])} s to run",
            f"about {gigabytes_told(row['memory_mb']):.1f} GB")


def with_card(book, row: dict):
    """The notebook, its card telling what the row says."""
    told = " | ".join(card(row))
    for cell in book.cells:
        if cell.cell_type == "markdown":
            cell.source = CARD.sub(rf"\g<1>| {told} |", cell.source)
    return book


def has_card(book) -> bool:
    return any(cell.cell_type == "markdown" and CARD.search(cell.source) for cell in book.cells)


def promise(book) -> tuple[float, float]:
    """Seconds and megabytes that a notebook's card promises."""
    for cell in book.cells:
        if cell.cell_type == "markdown" and (found := CARD.search(cell.source)):
            time, memory = re.search(r"under (\d+) s", found[2]), re.search(r"about ([\d.]+) GB", found[3])
            if time and memory:
                return float(time[1]), 1000 * float(memory[1])
    raise ValueError("no card that tells time and memory in the words of budgets.py: run `make notebooks`")


def read(folder: Path = NOTEBOOKS) -> dict[str, dict]:
    path = folder / "budgets.json"
    return json.loads(path.read_text(encoding="utf8")) if path.exists() else {}


def record(path: Path, book, measured: dict) -> None:
    """Keep what a run of this notebook was measured to take: a row of `execute.execute`."""
    rows = read(path.parent)
    new = {"seconds": math.ceil(measured["seconds"]), "memory_mb": measured["peak_memory_mb"], **contents(book)}
    rows[path.stem] = measured_anew(rows.get(path.stem, {}), new)
    save(path.parent / "budgets.json", as_json(rows))


def pages(folder: Path = NOTEBOOKS) -> dict[Path, str]:
    """Every file that tells of budgets → what it has to say: of what was measured, and of what is in the cells now.

    They are the notebooks of the folder, its budgets.json, and README.md beside it.
    """
    import nbformat

    rows = read(folder)
    books = {stem: nbformat.read(folder / f"{stem}.ipynb", as_version=4) for stem in rows}
    for stem, book in books.items():
        rows[stem] |= contents(book)
    found = {folder / "budgets.json": as_json(rows)}
    for stem, book in books.items():
        for cell in with_card(book, rows[stem]).cells:
            if cell.cell_type == "markdown" and "| Minutes |" in cell.source:
                cell.source = with_columns(cell.source, {name: [minutes_told(row)] for name, row in rows.items()})
        found[folder / f"{stem}.ipynb"] = nbformat.writes(book) + "\n"
    readme = folder.parent / "README.md"
    text = with_columns(readme.read_text(encoding="utf8"), {
        name: [minutes_told(row), row["exercise_minutes"] or "–", seconds_told(row["seconds"])]
        for name, row in rows.items()})
    most = max(gigabytes_told(row["memory_mb"]) for row in rows.values())
    found[readme] = re.sub(r"none needs more than [\d.]+ GB", f"none needs more than {most:.1f} GB", text)
    return found


def with_columns(markdown: str, columns: dict[str, list]) -> str:
    """Fill in, in the tables of notebooks, what follows the columns of their names and of what they teach."""
    for stem, values in columns.items():
        name = rf"\[[^\]]*\]\((?:notebooks/)?{stem}\.ipynb\)|\*\*{stem[:2]} [^|]*\*\*"
        row = re.compile(rf"^(\| (?:{name}) \| [^|]* \|).*$", flags=re.MULTILINE)
        markdown = row.sub(r"\g<1>" + "".join(f" {value} |" for value in values), markdown)
    return markdown


def as_json(rows: dict[str, dict]) -> str:
    return json.dumps(dict(sorted(rows.items())), indent=2) + "\n"


def save(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf8", newline="\n")


def tell(folder: Path = NOTEBOOKS) -> None:
    """Write every page of a folder of notebooks that does not say what it has to."""
    for path, text in pages(folder).items():
        if path.read_text(encoding="utf8") != text:
            save(path, text)
            print(f"changed {path.relative_to(folder.parent).as_posix()}")


if __name__ == "__main__":
    tell()
