"""Handouts: what a class gets has no answers in it and no dead link; the key lies apart, and is the variant's."""

import importlib.util
import json
import re
import zipfile
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
from prose import MARKDOWN, NOTEBOOKS, ROOT, links

from mmsa_utils.apps import handout
from mmsa_utils.apps.cli import main
from mmsa_utils.apps.links import relinked
from mmsa_utils.exercises import sheets
from mmsa_utils.exercises.cells import CODE, exercises, folds_of

ADDRESS = "https://there.test/owner/name"


@pytest.fixture(scope="module")
def exam(tmp_path_factory) -> tuple[Path, dict]:
    """Two notebooks with book and wheel, by the command: the folder, and what the command says."""
    out = tmp_path_factory.mktemp("handed") / "exam"
    arguments = handout.argparse.Namespace(folder=str(out), course=str(ROOT), notebooks=(2, 4), without="solutions",
                                           variant=7)
    return out, handout.run(arguments)


def handed(made: Path, numbers=None, variant=0, solutions=False, course=ROOT, **more) -> handout.Handout:
    """The notebooks and the key of a handout, without wheel and book."""
    given = handout.Handout(course, handout.chosen(course, numbers), variant, solutions, made, **more)
    (made / "class").mkdir()
    handout._sheets(given)
    handout._keys(given)
    return given


def books_in(folder: Path) -> dict[str, nbformat.NotebookNode]:
    """The notebooks of a folder, but not those in the book."""
    return {path.name: nbformat.read(path, as_version=4) for path in sorted(folder.glob("*.ipynb"))}


class Page(HTMLParser):
    """The ids and links of a page of HTML."""

    def __init__(self, path: Path):
        super().__init__()
        self.ids, self.links = set(), []
        self.feed(path.read_text(encoding="utf8"))

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            self.ids |= {value} if name == "id" else set()
            self.links += [value] if name in ("href", "src") and value else []


def slugs(book) -> set[str]:
    """GitHub's and Jupyter's names for the headings of a notebook."""
    found = set()
    for cell in book.cells:
        tokens = MARKDOWN.parse(cell.source) if cell.cell_type == "markdown" else []
        for opening, inside in zip(tokens, tokens[1:]):
            if opening.type == "heading_open":
                words = "".join(child.content for child in inside.children)
                found |= {re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-"), words.replace(" ", "-")}
    return found


def dead_links(folder: Path) -> list[str]:
    """Links in notebooks and pages that lead to no file of the folder, or to no place in it."""
    pages = {path.resolve(): Page(path) for path in folder.rglob("*.html")}
    books = {path.resolve(): nbformat.read(path, as_version=4) for path in folder.rglob("*.ipynb")}
    dead = []
    for path in (*pages, *books):
        found = pages[path].links if path in pages else [
            link for cell in books[path].cells if cell.cell_type == "markdown" for link in links(cell.source)]
        for link in found:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc or not (parts.path or parts.fragment):
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            places = pages[target].ids if target in pages else slugs(books[target]) if target in books else set()
            if not target.is_file() or not target.is_relative_to(folder.resolve()) or (
                    parts.fragment and target.suffix in (".html", ".ipynb") and unquote(parts.fragment) not in places):
                dead.append(f"{path.relative_to(folder.resolve())}: {link}")
    return dead


def lines_of_solutions(book) -> set[str]:
    """Lines of code that stand in a notebook's solutions and nowhere else in it."""
    folds = [cell for _, _, cell in exercises(book)]
    elsewhere = "\n".join(cell["source"] for cell in book["cells"] if cell not in folds)
    lines = {line.strip() for cell in folds for line in CODE.findall(folds_of(cell)["Solution"])[0].splitlines()}
    return {line for line in lines if len(line) > 30 and line not in elsewhere}


# --- what the class gets ---


def test_no_answer_is_in_anything_that_is_handed_out(exam):
    out, result = exam
    texts = {path: path.read_text(encoding="utf8") for path in (out / "class").rglob("*")
             if path.suffix in (".ipynb", ".html", ".js")}
    assert len(texts) > 10
    for path, text in texts.items():
        assert "<summary>Answer" not in text, path
        assert "<summary>Solution" not in text, path
    for name in result["notebooks"]:
        known = lines_of_solutions(sheets.read(ROOT / "notebooks" / name))
        varied = lines_of_solutions(sheets.read(ROOT / "notebooks" / name) | {"cells": vary(name)})
        assert len(known) > 10
        assert varied - known
        for path in (out / "class").rglob("*.ipynb"):
            sources = "\n".join(cell["source"] for cell in sheets.read(path)["cells"])
            assert not [line for line in known | varied if line in sources], path
    assert not [path for path in (out / "class").rglob("*") if path.name.startswith("key") or "solutions" in path.parts]


def vary(name: str) -> list[dict]:
    book = sheets.read(ROOT / "notebooks" / name)
    sheets.vary(book, 7)
    return book["cells"]


def test_hints_and_outputs_are_kept_and_answers_and_progress_are_not(exam):
    out, _ = exam
    for name, book in books_in(out / "class").items():
        old = {cell.id: cell for cell in nbformat.read(ROOT / "notebooks" / name, as_version=4).cells}
        stubs = [cell for cell in book.cells if "exercise" in cell.metadata.get("tags", [])]
        hints = [cell for cell in book.cells if "<summary>Hint</summary>" in cell.source]
        assert len(stubs) == len(hints) >= 4
        kept = 0
        for cell in book.cells:
            if cell.cell_type == "code" and (cell in stubs or "progress.show()" in cell.source):
                assert (cell.outputs, cell.execution_count) == ([], None)
            elif cell.cell_type == "code":
                assert cell == old[cell.id]
                kept += bool(cell.outputs)
        assert kept > 10


def test_the_title_and_the_checks_name_the_variant(exam):
    out, _ = exam
    books = books_in(out / "class")
    assert list(books) == ["02_text_encoders.ipynb", "04_concatenation_fusion.ipynb"]
    for book in books.values():
        assert re.fullmatch(r"# \d\d · .+ · variant 7", book.cells[0].source.splitlines()[0])
        assert sum(", variant=7)" in cell.source for cell in book.cells) >= 1
    assert "powers of `" in json.dumps(books["04_concatenation_fusion.ipynb"])


def test_every_link_leads_somewhere(exam):
    out, _ = exam
    assert dead_links(out / "class") == []
    assert dead_links(out / "teacher") == []
    found = [link for book in books_in(out / "class").values() for cell in book.cells for link in links(cell.source)]
    assert sum(link.startswith("book/docs/glossary.html#") for link in found) > 10
    assert not [link for link in found if link.startswith("..")]
    assert (out / "class" / "book" / "index.html").is_file()


def test_the_book_has_these_notebooks_and_nothing_for_teachers(exam):
    out, result = exam
    pages = {path.relative_to(out / "class" / "book").as_posix() for path in (out / "class" / "book").rglob("*.html")}
    assert result["book"] == "book/index.html"
    assert {page for page in pages if page.startswith("notebooks/")} == {
        "notebooks/02_text_encoders.html", "notebooks/04_concatenation_fusion.html"}
    assert "docs/glossary.html" in pages
    assert not pages & {f"docs/{name}.html" for name in ("teaching", "quiz", "grading", "slides")}


def test_the_wheel_lies_beside_them(exam):
    out, result = exam
    with zipfile.ZipFile(out / "class" / result["wheel"]) as wheel:
        assert "mmsa_utils/exercises/variants.py" in wheel.namelist()


def test_the_key_lies_apart_and_is_that_of_the_variant(exam):
    out, _ = exam
    keys = books_in(out / "teacher")
    assert list(keys) == ["key_02_text_encoders.ipynb", "key_04_concatenation_fusion.ipynb"]
    for name, key in keys.items():
        nbformat.validate(key)
        source = sheets.read(ROOT / "notebooks" / name.removeprefix("key_"))
        code = "\n".join(cell.source for cell in key.cells if cell.cell_type == "code")
        assert code.count("\ncheck.") == len(exercises(source))
        assert "..." not in re.sub(r"#.*", "", code)
        assert all(f"**In short:** {folds_of(folds)['Answer'][:20]}" in json.dumps(key, ensure_ascii=False)
                   for _, _, folds in exercises(source)[:1])
    assert "variant=7" in json.dumps(keys)


def test_what_was_made_is_said(exam):
    out, result = exam
    words = handout.said(result)
    assert f"{out}/class" in words
    assert "other than in the course: 2.2, 4.1, 4.3" in words
    assert "--variant 7" in words
    assert result["left_out"] == []
    assert not list(out.glob(".unfinished*"))


# --- the whole course, quickly ---


@pytest.mark.parametrize(("variant", "solutions"), [(3, True), (11, False)])
def test_the_whole_course_hangs_together(tmp_path, variant, solutions):
    handed(tmp_path, variant=variant, solutions=solutions)
    books = books_in(tmp_path / "class")
    assert list(books) == [path.name for path in NOTEBOOKS]
    for book in books.values():
        nbformat.validate(book)
    assert dead_links(tmp_path) == []
    text = json.dumps(books)
    assert ("<summary>Solution" in text) == solutions
    assert ("solutions/" in text) is False
    assert ("variant=" in text) == bool(variant)
    assert "](01_synthetic_data.ipynb)" in text


def test_one_that_is_handed_out_alone_needs_nothing_beside_it(tmp_path):
    handed(tmp_path, (4,), book="book/index.html")
    (book,) = books_in(tmp_path / "class").values()
    found = [link for cell in book.cells if cell.cell_type == "markdown" for link in links(cell.source)]
    assert found
    assert all(urlsplit(link).scheme or link.startswith("#") for link in found)
    assert "[logit" not in json.dumps(book)
    assert "logit" in json.dumps(book)


def test_without_a_variant_and_with_solutions_little_changes(tmp_path):
    handed(tmp_path, solutions=True)
    for name, book in books_in(tmp_path / "class").items():
        old = nbformat.read(ROOT / "notebooks" / name, as_version=4)
        assert [cell.source for cell in book.cells if cell.cell_type == "code"] == [
            cell.source for cell in old.cells if cell.cell_type == "code"]


@pytest.mark.parametrize("solutions", [False, True])
def test_with_an_address_links_lead_into_the_repository(tmp_path, solutions):
    course = tmp_path / "course"
    (course / "notebooks").mkdir(parents=True)
    for name in ("04_concatenation_fusion.ipynb", "05_training_and_evaluation.ipynb"):
        (course / "notebooks" / name).write_bytes((ROOT / "notebooks" / name).read_bytes())
    (course / "pyproject.toml").write_text(f'[project.urls]\nRepository = "{ADDRESS}/tree/v2"\n', encoding="utf8")
    handed(tmp_path, (4,), solutions=solutions, course=course)
    (book,) = books_in(tmp_path / "class").values()
    text = json.dumps(book)
    assert f"]({ADDRESS}/blob/v2/docs/glossary.md#" in text
    assert (f"{ADDRESS}/blob/v2/notebooks/05" in text) == solutions, "there the solutions stand in it"
    assert all(urlsplit(link).scheme for cell in book.cells if cell.cell_type == "markdown"
               for link in links(cell.source) if not link.startswith("#"))


# --- what can go wrong ---


def call(*words: str) -> int:
    return main(["handout", *map(str, words)])


def test_without_the_course_it_says_what_is_needed(tmp_path, capsys):
    assert call(tmp_path / "out", "--course", tmp_path) == 1
    said = capsys.readouterr().err
    assert "--course FOLDER" in said
    assert "The wheel does not hold them" in said
    assert not (tmp_path / "out").exists()


def test_an_unknown_notebook_is_named(tmp_path, capsys):
    assert call(tmp_path / "out", "--course", ROOT, "--notebooks", "02,77") == 1
    assert "no notebook 77" in capsys.readouterr().err


def test_what_is_there_is_not_overwritten(tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("mine")
    assert call(tmp_path, "--course", ROOT) == 1
    assert "holds something" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_the_rest_of_a_call_that_was_ended_is_named(tmp_path, capsys):
    (tmp_path / ".unfinished-abc").mkdir()
    assert call(tmp_path, "--course", ROOT) == 1
    assert "holds the rest of a call that was ended, .unfinished-abc: remove it" in capsys.readouterr().err


@pytest.mark.parametrize("words", [
    ("--variant", "-1"), ("--notebooks", "two"), ("--without", "hints"),
    ("--notebooks", "02-04", "'02-04' are no numbers: expected some with commas between them, such as 02,03,04")])
def test_words_that_are_off_end_the_call(tmp_path, words, capsys):
    words, message = words[:2], words[-1] if len(words) > 2 else words[0]
    with pytest.raises(SystemExit) as stop:
        call(tmp_path / "out", *words)
    assert stop.value.code == 2
    assert message in capsys.readouterr().err


def test_what_cannot_be_built_here_is_left_out_and_said(tmp_path, monkeypatch, capsys):
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "furo" else real(name, *rest))
    monkeypatch.setattr(handout, "_python", lambda *words: handout.subprocess.CompletedProcess(
        [], 1, "", "No module named pip\n"))
    assert call(tmp_path / "out", "--course", ROOT, "--notebooks", "4", "--without", "solutions") == 0
    said = capsys.readouterr().out
    assert "left out: the wheel" in said
    assert "No module named pip" in said
    assert "left out: the book, for want of furo" in said
    assert [path.name for path in (tmp_path / "out" / "class").iterdir()] == ["04_concatenation_fusion.ipynb"]


@pytest.mark.parametrize(("harm", "words"), [
    (lambda book: book["cells"].pop(0), "no title"),
    (lambda book: exercises(book)[0][2].update(source="<details><summary>Answer</summary>x</details>"), "no hint"),
    (lambda book: exercises(book)[0][2].update(metadata={}), "lacks its card"),
    (lambda book: [cell.update(source=cell["source"].replace("solutions/", "elsewhere/")) for cell in book["cells"]],
     "nothing says what the folds")])
def test_a_notebook_of_another_form_is_refused(harm, words):
    book = sheets.read(ROOT / "notebooks" / "04_concatenation_fusion.ipynb")
    harm(book)
    with pytest.raises(ValueError, match=words):
        sheets.sheet(book, 0, solutions=False)


@pytest.mark.parametrize("text", ["{}", "[]", "no JSON", '{"cells": [{}]}'])
def test_what_is_no_notebook_is_refused(tmp_path, text):
    (tmp_path / "a.ipynb").write_text(text, encoding="utf8")
    with pytest.raises(ValueError, match="is not a notebook"):
        sheets.read(tmp_path / "a.ipynb")


# --- links ---


@pytest.mark.parametrize(("source", "wanted"), [
    ("[a](../docs/glossary.md#x)", "[a](book/g.html#x)"), ("[a](03_b.ipynb)", "[a](03_b.ipynb)"),
    ("[`[CLS]` token](../docs/glossary.md#y) and *[b](../docs/gone.md)*", "[`[CLS]` token](book/g.html#y) and *b*"),
    ("[a](https://there.test/(x))", "[a](https://there.test/(x))"), ("[a](#here)", "[a](#here)"),
    ("`[a](../docs/gone.md)` [b](gone.md)", "`[a](../docs/gone.md)` b"), ("![alt](gone.png)", "alt"),
    ("```python\n[a](gone.md)\n```\n[b](gone.md)", "```python\n[a](gone.md)\n```\nb"),
    ("[a](solutions/02_a.ipynb)", "a"), ("[a](mailto:me@there.test)", "[a](mailto:me@there.test)")])
def test_links_are_made_anew(source, wanted):
    kept = {"docs/glossary.md": "book/g.html", "notebooks/03_b.ipynb": "03_b.ipynb"}
    assert relinked("notebooks/02_a.ipynb", "02_a.ipynb", kept)(source) == wanted


def test_links_into_the_repository():
    links_of = relinked("notebooks/02_a.ipynb", "02_a.ipynb", {"notebooks/03_b.ipynb": ""}, f"{ADDRESS}/blob/main")
    assert links_of("[a](../docs/g.md#x)") == f"[a]({ADDRESS}/blob/main/docs/g.md#x)"
    assert links_of("[a](03_b.ipynb) [b](../../outside.md)") == "a b"
