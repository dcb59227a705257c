"""The texts for teachers keep to the course: terms, sections, minutes, messages and figures are the real ones."""

import ast
import json
import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest
import yaml

import mmsa_utils
from mmsa_utils import FoodPosts, checks, judge, phrases, post_table, scenes

ROOT = Path(__file__).resolve().parent.parent
DOCS, NOTEBOOKS = ROOT / "docs", ROOT / "notebooks"
SERIES = sorted(NOTEBOOKS.glob("0[0-8]_*.ipynb"))
GUIDES = [*sorted(DOCS.glob("*.md")), ROOT / "README.md"]
PAGES = [*GUIDES, ROOT / "CONTRIBUTING.md"]  # which also speaks of notebooks and exercises that are yet to be


def text(path: Path) -> str:
    return path.read_text(encoding="utf8")


@cache
def cells(path: Path, kind: str = "markdown") -> list[str]:
    """The sources of a notebook's cells of one kind."""
    return ["".join(cell["source"]) for cell in json.loads(text(path))["cells"] if cell["cell_type"] == kind]


def slug(heading: str) -> str:
    """The name that GitHub and the book give to a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def terms() -> list[str]:
    return re.findall(r"^### (.+)$", text(DOCS / "glossary.md"), flags=re.MULTILINE)


def linked(source: str) -> set[str]:
    return set(re.findall(r"glossary\.md#([\w-]+)", source))


# --- glossary ---

def test_terms_are_sorted_and_each_has_a_name_of_its_own():
    names = [term.lower() for term in terms()]
    assert len(names) >= 60
    assert names == sorted(names)
    headings = re.findall(r"^#+ (.+)$", text(DOCS / "glossary.md"), flags=re.MULTILINE)
    assert len({slug(heading) for heading in headings}) == len(headings)


def test_every_term_is_explained_and_names_its_notebook():
    entries = re.split(r"^### ", text(DOCS / "glossary.md"), flags=re.MULTILINE)[1:]
    for entry in entries:
        name, *body = entry.splitlines()
        words = re.split(r"^## ", "\n".join(body), flags=re.MULTILINE)[0]
        explained, notebook = re.fullmatch(r"(.*)Explained in \[\w+\]\(\.\./notebooks/(\w+)\.ipynb\)\.", words.strip(),
                                           flags=re.DOTALL).groups()
        assert (NOTEBOOKS / f"{notebook}.ipynb").is_file(), name
        assert len(explained.split()) >= 6, f"{name} is hardly explained"
        assert len(re.findall(r"[.?](?:\s|$)", explained)) <= 4, f"{name} takes too many sentences"


def test_every_term_is_used_in_a_notebook():
    everywhere = "\n".join(source for path in SERIES for source in cells(path)).lower()
    plain = re.sub(r"\]\([^)]*\)|[*`\[\]]", "", everywhere)
    unused = [term for term in terms() if slug(term) not in linked(everywhere)
              and not re.search(rf"\b{re.escape(term.lower())}", re.sub(r"\s+", " ", plain))]
    assert unused == []


@pytest.mark.parametrize("path", SERIES, ids=lambda path: path.stem)
def test_a_notebook_links_its_terms(path):
    assert len(set().union(*map(linked, cells(path)))) >= 5


@pytest.mark.parametrize("path", [*SERIES, *PAGES], ids=lambda path: path.stem)
def test_links_to_terms_lead_to_one(path):
    names = {slug(term) for term in terms()}
    source = "\n".join(cells(path)) if path.suffix == ".ipynb" else text(path)
    assert linked(source) <= names
    if path.name == "glossary.md":
        assert set(re.findall(r"\]\(#([^)]+)\)", source)) <= names


# --- what the guide, the quiz and the slides name ---

@pytest.mark.parametrize("path", GUIDES, ids=lambda path: path.stem)
def test_named_notebooks_and_sections_exist(path):
    for name in re.findall(r"notebooks/(\w+)\.ipynb|\[(0\d_\w+)\]", text(path)):
        assert (NOTEBOOKS / f"{''.join(name)}.ipynb").is_file(), name
    for name, numbers in re.findall(r"notebooks/(\w+)\.ipynb\), sections? ([\d–, ]*\d)", text(path)):
        there = {int(number) for source in cells(NOTEBOOKS / f"{name}.ipynb")
                 for number in re.findall(r"^## (\d+)\. ", source, flags=re.MULTILINE)}
        for part in numbers.split(", "):
            first, _, last = part.partition("–")
            assert set(range(int(first), int(last or first) + 1)) <= there, f"{name} has no section {part}"


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
    tables = schedules()
    assert len(tables) == 5
    for heading, rows in tables.items():
        *parts, total = [int(row[0]) for row in rows[1:]]  # the first row is the line under the head
        assert sum(parts) == total, heading
        assert "in all" in rows[-1], heading
    assert [int(rows[-1][0]) for rows in tables.values()][:2] == [210, 420]


def test_sessions_of_the_three_weeks_are_equally_long():
    sessions = Counter()
    for heading, rows in schedules().items():
        if heading.startswith("Week"):
            for minutes, session, *_ in rows[1:-1]:
                sessions[session] += int(minutes)
    assert {sessions[str(number)] for number in range(1, 7)} == {90}


def test_exercises_that_are_named_exist():
    for path in GUIDES:
        for numbers in re.findall(r"[Ee]xercises? (\d\.\d(?:(?:, | and )\d\.\d)*)", text(path)):
            assert set(re.findall(r"\d\.\d", numbers)) <= set(checks.EXERCISES), f"{path.name}: {numbers}"


def test_six_questions_a_notebook_each_with_its_answer():
    parts = re.split(r"^## (\d\d) .*$", text(DOCS / "quiz.md"), flags=re.MULTILINE)[1:]
    assert parts[::2] == [path.stem[:2] for path in SERIES[1:]]
    for number, part in zip(parts[::2], parts[1::2]):
        questions = re.split(r"^\*\*(\d+)\. ", part, flags=re.MULTILINE)[1:]
        assert questions[::2] == [str(i + 1) for i in range(len(questions) // 2)], number
        assert len(questions) // 2 >= 6, number
        kinds = {re.match(r"[\w ]+", question)[0] for question in questions[1::2]}
        assert len(kinds) >= 3, f"{number} asks in too few ways"
        for question in questions[1::2]:
            (answer,) = re.findall(r"<summary>Answer</summary>\n\n(.+?)\n\n</details>", question, flags=re.DOTALL)
            assert len(answer.split()) >= 12, f"{number}: {question[:60]}"


def test_two_discussion_questions_a_notebook():
    asked = re.findall(r"<summary>(\d\d) · .+</summary>\n\n\S", text(DOCS / "teaching.md"))
    assert all(asked.count(path.stem[:2]) >= 2 for path in SERIES)


def test_every_notebook_has_objectives_and_stumbling_blocks():
    guide = text(DOCS / "teaching.md")
    for path in SERIES:
        assert re.search(rf"^\| \[{path.stem[:2]}\].*\*\*\w+\*\*", guide, flags=re.MULTILINE)
        (section,) = re.findall(rf"^### {path.stem[:2]} .*?(?=^#)", guide, flags=re.MULTILINE | re.DOTALL)
        assert section.count("\n- ") >= 3


# --- commands and messages ---

@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_commands_exist(path):
    from mmsa_utils.__main__ import _parser

    found = re.findall(r"```console\n(.*?)```|`([^`\n]+)`", text(path), flags=re.DOTALL)
    code = "\n".join(block or span for block, span in found)
    targets = set(re.findall(r"^(\w+):.* ## ", text(ROOT / "Makefile"), flags=re.MULTILINE))
    assert set(re.findall(r"^(?:\$ )?make ([a-z]+)", code, flags=re.MULTILINE)) <= targets
    (commands,) = (action.choices for action in _parser()._actions if action.dest == "command")
    for name, options in re.findall(r"-m mmsa_utils (\w+)([^\n#]*)", code):
        assert name in commands, name
        known = {option for action in commands[name]._actions for option in action.option_strings}
        assert set(re.findall(r"(--[\w-]+)", options)) <= known, f"{name} {options}"
    for script in re.findall(r"(?<![\w/])tools/\w+\.py", code):
        assert (ROOT / script).is_file(), script


def said() -> str:
    """All texts in the code, an f-string in its parts, and the Makefile's."""
    found = [text(ROOT / "Makefile")]
    for path in [*ROOT.glob("mmsa_utils/*.py"), *ROOT.glob("tools/*.py"), ROOT / "tests" / "test_setup.py"]:
        found += [node.value for node in ast.walk(ast.parse(text(path)))
                  if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return "\n".join(found)


def test_quoted_messages_are_the_courses_own():
    page, corpus = text(DOCS / "troubleshooting.md"), said()
    quoted = [message for line in page.splitlines() if line.startswith(("### ", "| `"))
              for message in re.findall(r"`([^`]+)`", line.split(" | ")[0])]
    assert len(quoted) >= 20
    for message in quoted:
        for piece in message.split("…"):
            assert piece.strip() in corpus, f"nothing says {piece!r}"


# --- figures of the data card ---

def rows_under(head: str) -> list[list[str]]:
    """The cells of a table of the data card, below the row that begins like this."""
    lines = iter(text(DOCS / "data_card.md").splitlines())
    next(line for line in lines if line.startswith(head))
    next(lines)
    rows = []
    for line in lines:
        if not line.startswith("|"):
            return rows
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def test_ceilings_of_the_data_card():
    rows = rows_under("| classes | conflict")
    assert len(rows) == 8
    for classes, conflict, *best in rows:
        posts = FoodPosts(1, conflict=float(conflict), binary=classes == "2")
        assert best == [f"{posts.ceiling(reader):.3f}" for reader in ("text", "image", "additive", "both")]


def test_words_and_relations_of_the_data_card():
    levels = (-2, -1, 0, 1, 2)
    known, unseen = ([int(cell) for cell in row[1:]] for row in rows_under("| level |"))
    assert known == [len(phrases.ADJECTIVES[level]) for level in levels]
    assert unseen == [len(phrases.UNSEEN_ADJECTIVES[level]) for level in levels]
    page = text(DOCS / "data_card.md")
    assert f"{sum(known)} adjectives" in page
    assert f"{sum(unseen)} others" in page
    for dish in scenes.DISHES:
        assert dish in page
    for row, binary in zip(rows_under("| | agree"), (False, True)):
        share = Counter()
        for state in post_table(0.2, binary):
            share[state.relation] += state.share
        assert row[1:] == [f"{share[name]:.3f}" for name in ("agree", "soft", "contradict", "refer")]


@pytest.mark.parametrize(("split", "place"), [("train", 0), ("unseen", 3)])
def test_spoiled_labels_of_the_data_card(split, place, monkeypatch):
    monkeypatch.setattr(scenes, "draw", lambda scene, size: None)  # only the labels matter here
    page = re.sub(r"\s+", " ", text(DOCS / "data_card.md"))
    (named,) = re.findall(r"these are (\d+), (\d+), (\d+) and (\d+)\.", page)
    posts = FoodPosts(2000, split)
    assert sum(post.label != judge(post.text_kind, post.picture_level)[0] + 1 for post in posts) == int(named[place])


# --- citing ---

def test_citation_agrees_with_the_package():
    cited = yaml.safe_load(text(ROOT / "CITATION.cff"))
    project = text(ROOT / "pyproject.toml")
    assert cited["cff-version"] == "1.2.0"
    assert cited["version"] == mmsa_utils.__version__
    assert f'license = "{cited["license"]}"' in project
    assert [author["name"] for author in cited["authors"]] == re.findall(r'authors = \[\{ name = "(.*?)" \}\]', project)
    assert cited["title"] in re.sub(r"\s+", " ", text(DOCS / "citing.md"))
    assert f"version = {{{cited['version']}}}" in text(DOCS / "citing.md")
    assert "doi" not in cited
