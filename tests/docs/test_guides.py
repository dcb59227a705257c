"""The texts for readers and teachers keep to the course: sections, minutes, commands and messages are the real ones."""

import ast
import json
import re
from collections import Counter
from functools import cache
from pathlib import Path

from prose import PAGES, ROOT, SERIES

from mmsa_utils.apps.cli import parser
from mmsa_utils.exercises.table import EXERCISES

DOCS = ROOT / "docs"
GUIDES = [*sorted(DOCS.glob("*.md")), ROOT / "README.md"]


def text(path: Path) -> str:
    return path.read_text(encoding="utf8")


@cache
def headings(path: Path) -> set[int]:
    """The numbers of a notebook's sections."""
    cells = [cell for cell in json.loads(text(path))["cells"] if cell["cell_type"] == "markdown"]
    source = "\n".join("".join(cell["source"]) for cell in cells)
    return {int(number) for number in re.findall(r"^## (\d+)\. ", source, flags=re.MULTILINE)}


# --- glossary, quiz, guide, slides ---

def test_every_term_has_its_place_and_names_its_notebook():
    parts = re.split(r"^### (.+)$", text(DOCS / "glossary.md"), flags=re.MULTILINE)[1:]
    names = [name.lower() for name in parts[::2]]
    assert len(names) >= 60
    assert names == sorted(set(names))
    for name, body in zip(names, parts[1::2]):
        (notebook,) = re.findall(r"\n\nExplained in \[\w+\]\(\.\./notebooks/(\w+)\.ipynb\)\.", body)
        assert notebook in {path.stem for path in SERIES}, name


def test_named_sections_and_exercises_exist():
    books = {path.stem: path for path in SERIES}
    seen = 0
    for page in GUIDES:
        for name, numbers in re.findall(r"notebooks/(\w+)\.ipynb\),? sections? ([\d–, ]*\d)", text(page)):
            for part in numbers.split(", "):
                first, _, last = part.partition("–")
                seen += 1
                assert set(range(int(first), int(last or first) + 1)) <= headings(books[name]), (
                    f"{page.name}: {name} has no section {part}")
        for numbers in re.findall(r"[Ee]xercises? (\d+\.\d(?:(?:, | and )\d+\.\d)*)", text(page)):
            assert set(re.findall(r"\d+\.\d", numbers)) <= set(EXERCISES), f"{page.name}: {numbers}"
    assert seen > 80


def test_six_questions_a_notebook_each_with_its_answer():
    parts = re.split(r"^## (\d\d) .*$", text(DOCS / "quiz.md"), flags=re.MULTILINE)[1:]
    assert parts[::2] == [path.stem[:2] for path in SERIES[1:]]
    for number, part in zip(parts[::2], parts[1::2]):
        questions = re.split(r"^\*\*(\d+)\. ", part, flags=re.MULTILINE)[1:]
        assert questions[::2] == [str(i + 1) for i in range(len(questions) // 2)], number
        assert len(questions) // 2 >= 6, number
        for question in questions[1::2]:
            assert len(re.findall(r"<summary>Answer</summary>\n\n\S.+?\n\n</details>", question, re.DOTALL)) == 1


def test_the_guide_has_objectives_stumbling_blocks_and_discussions_for_each_notebook():
    guide = text(DOCS / "teaching.md")
    asked = re.findall(r"<summary>(\d\d) · .+</summary>\n\n\S", guide)
    for path in SERIES:
        number = path.stem[:2]
        assert re.search(rf"^\| \[{number}\].*\*\*\w+\*\*", guide, flags=re.MULTILINE)
        (section,) = re.findall(rf"^### {number} .*?(?=^#)", guide, flags=re.MULTILINE | re.DOTALL)
        assert section.count("\n- ") >= 3
        assert asked.count(number) >= 2


def schedules() -> dict[str, list[list[str]]]:
    """Heading or bold line above it → the rows of each table of the guide whose first column is minutes."""
    found, heading, rows = {}, "", None
    for line in text(DOCS / "teaching.md").splitlines():
        if line.startswith(("### ", "**Week")):
            heading = line.strip("#* ")
        if line.startswith("| minutes |"):
            rows = found[heading] = []
        elif rows is not None and line.startswith("|"):
            rows.append([cell.strip(" *") for cell in line.strip("|").split("|")])
        else:
            rows = None
    return found


def test_the_minutes_of_each_schedule_add_up():
    tables, sessions = schedules(), Counter()
    assert len(tables) == 5
    for heading, rows in tables.items():
        *parts, total = [int(row[0]) for row in rows[1:]]  # the first row is the line under the head
        assert sum(parts) == total, heading
        if heading.startswith("Week"):
            for minutes, session, *_ in rows[1:-1]:
                sessions[session] += int(minutes)
    assert [int(rows[-1][0]) for rows in tables.values()][:2] == [210, 420]
    assert {sessions[str(number)] for number in range(1, 7)} == {90}


# --- commands, files and messages ---

def faults_of(source: str) -> list[str]:
    """Commands, options and files that the code of a page names, and that are not there."""
    found = re.findall(r"```console\n(.*?)```|`([^`\n]+)`", source, flags=re.DOTALL)
    code = "\n".join(block or span for block, span in found)
    targets = re.findall(r"^(\w+):.* ## ", text(ROOT / "Makefile"), flags=re.MULTILINE)
    faults = [f"make {name}" for name in re.findall(r"^(?:\$ )?make ([a-z]+)", code, flags=re.MULTILINE)
              if name not in targets]
    (commands,) = (action.choices for action in parser()._actions if action.dest == "command")
    for name, options in re.findall(r"-m mmsa_utils (\w+)([^\n#]*)", code):
        if name not in commands:
            faults.append(name)
            continue
        known = {option for action in commands[name]._actions for option in action.option_strings}
        faults += [f"{name} {option}" for option in re.findall(r"(--[\w-]+)", options) if option not in known]
    files = re.findall(r"(?<![\w./-])((?:tools|tests|mmsa_utils|docs|notebooks)/[\w./-]+\.\w+)", code)
    return faults + [name for name in files if not (ROOT / name).is_file() and "14_name" not in name]


def test_commands_and_files_that_are_named_exist():
    assert {page.name: faults for page in PAGES if (faults := faults_of(text(page)))} == {}


def test_the_check_of_commands():
    assert faults_of("```console\n$ make run\n$ make tea\n$ python -m mmsa_utils train --out x --tea\n```") == [
        "make tea", "train --tea"]
    assert faults_of("`python -m mmsa_utils brew`, `tools/measure/bench.py`, `tools/bench.py`, mmsa_utils/gone.py") == [
        "brew", "tools/bench.py"]


def said() -> str:
    """All texts in the code, an f-string in its parts, and the Makefile's."""
    package, tools = (sorted((ROOT / folder).rglob("*.py")) for folder in ("mmsa_utils", "tools"))
    assert len(package) > 60
    assert len(tools) > 10
    speaking = [ROOT / "tests" / "chromium.py", ROOT / "tests" / "apps" / "test_doctor.py"]  # tests that readers meet
    found = [node.value for path in (*package, *tools, *speaking) for node in ast.walk(ast.parse(text(path)))
             if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return "\n".join([text(ROOT / "Makefile"), *found])


def test_quoted_messages_are_the_courses_own():
    page, corpus = text(DOCS / "troubleshooting.md"), said()
    quoted = [message for line in page.splitlines() if line.startswith(("### ", "| `"))
              for message in re.findall(r"`([^`]+)`", line.split(" | ")[0])]
    assert len(quoted) >= 20
    for message in quoted:
        for piece in message.split("…"):
            assert piece.strip(" :") in corpus, f"nothing says {piece!r}"
