"""A class of hand-ins: whose each is, points, what counts, what came late, what goes on after a break, pages."""

import csv
import json
import os
import re
import unicodedata
from datetime import datetime, timedelta
from pathlib import Path

import nbformat
import pytest

from mmsa_utils.__main__ import main
from mmsa_utils.exercises.checks import Verdict
from mmsa_utils.grading import grade as grading
from mmsa_utils.grading import points as counting
from mmsa_utils.grading import run as grading_run
from mmsa_utils.grading.hand_ins import HandIn, moment, whose
from mmsa_utils.grading.run import Run, remove

MOODLE = r"^(.+)_\d+_assignsubmission_file"
BLACKBOARD = r"_(?P<student>[^_]+)_attempt_(?P<time>[\d-]+)"
CANVAS = r"^(?P<student>[^_/]+)_(?P<late>LATE_)?\d+_\d+_"
BRIGHTSPACE = r"^\d+-\d+ - (?P<student>.+?) - (?P<time>.+? [AP]M)"


def hand_in(path: Path, verdicts: dict, *cells: str, title: str = "# 01 · Synthetic data") -> Path:
    """A notebook whose first cell tells `pretended` how its checks went: exercise → status and share."""
    path.parent.mkdir(parents=True, exist_ok=True)
    codes = ["# " + json.dumps(verdicts), *cells]
    made = [nbformat.v4.new_markdown_cell(title), *map(nbformat.v4.new_code_cell, codes)]
    for place, cell in enumerate(made):
        cell["id"] = str(place)
    nbformat.write(nbformat.v4.new_notebook(cells=made), path)
    return path


@pytest.fixture
def ran(monkeypatch):
    """In the place of a run: what the first cell says. The list of what was run."""
    done: list[str] = []

    def pretended(cells, seconds, memory, stop, variant):
        done.append(cells[0])
        said = json.loads(cells[0][2:])
        if "raises" in said:
            raise {"KeyboardInterrupt": KeyboardInterrupt, "RecursionError": RecursionError}[said["raises"]]
        end = said.pop("end", "")
        return Run(end, verdicts={number: Verdict(number, status, f"<b>{number}</b> said", share)
                                  for number, (status, share) in said.items()})

    monkeypatch.setattr(grading, "run", pretended)
    return done


def table(path: Path) -> list[dict]:
    with open(path, encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def dated(path: Path, when: datetime) -> None:
    os.utime(path, (when.timestamp(), when.timestamp()))


# --- whose it is ---


@pytest.mark.parametrize(("file", "pattern", "wanted"), [
    ("anna/deep/02.ipynb", None, {"student": "anna"}), ("02_text.ipynb", None, {"student": "02_text"}),
    ("Ann Lee_657737_assignsubmission_file_/02.ipynb", MOODLE, {"student": "Ann Lee"}),
    ("Ann Lee_657737_assignsubmission_file_02.ipynb", MOODLE, {"student": "Ann Lee"}),
    ("leeann_LATE_123_4567_02_text.ipynb", CANVAS, {"student": "leeann", "late": True}),
    ("leeann_123_4567_02_text.ipynb", CANVAS, {"student": "leeann", "late": False}),
    ("Homework 2_alee_attempt_2026-12-02-08-15-30_02.ipynb", BLACKBOARD,
     {"student": "alee", "when": datetime(2026, 12, 2, 8, 15, 30)}),
    ("12-3456 - Ann Lee - Dec 1, 2026 1159 PM/02.ipynb", BRIGHTSPACE,
     {"student": "Ann Lee", "when": datetime(2026, 12, 1, 23, 59)}),
    ("nobody.ipynb", MOODLE, {})])
def test_the_student_stands_in_a_folder_or_a_name(file, pattern, wanted):
    found = whose(file, pattern)
    assert {name: found[name] for name in wanted} == wanted
    assert bool(found) == bool(wanted)


@pytest.mark.parametrize("text", ["", "2026", "2026-13-45-99-99", "soon", "Foo 1, 2026 1159 PM",
                                  "Dec 41, 2026 1159 PM"])
def test_what_is_no_time_is_none(text):
    assert moment(text) is None


# --- points ---


@pytest.mark.parametrize(("name", "text", "wanted"), [
    ("p.csv", "exercise,points\n2.1,2\n2.2 pad_batch,0.5\n", {"2.1": 2, "2.2": 0.5}),
    ("p.csv", "\ufeff2.1;1,5\r\n\r\n2.2;0\r\n", {"2.1": 1.5, "2.2": 0}), ("p.json", '{"1.4": 3}', {"1.4": 3})])
def test_points_are_read(tmp_path, name, text, wanted):
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert counting.read_points(tmp_path / name) == wanted


@pytest.mark.parametrize(("name", "text", "words"), [
    ("p.csv", "2.1,1\n2.9,1", "'2.9' is no exercise"), ("p.csv", "2.1,1\n2.1,2", "stands twice"),
    ("p.csv", "2.1,many", "'many'"), ("p.csv", "2.1,-1", "from 0 up"), ("p.csv", "2.1,inf", "from 0 up"),
    ("p.csv", "", "nothing is worth a point"), ("p.json", "[1]", "expected an object"), ("p.json", "{", "expected an"),
    ("p.csv", "2.1", "''"), ("p.csv", "2.1,\ud800", "not in UTF-8")])
def test_points_that_cannot_be_meant_are_refused(tmp_path, name, text, words):
    (tmp_path / name).write_text(text, encoding="utf-8", errors="surrogatepass")
    with pytest.raises(ValueError, match=re.escape(words)):
        counting.read_points(tmp_path / name)


def test_a_row_a_student_over_all_files(tmp_path, ran):
    folder = tmp_path / "in"
    hand_in(folder / "ann" / "01.ipynb", {"1.1": ["right", 0], "1.2": ["wrong", 0], "1.3": ["not yet", 0]})
    hand_in(folder / "ann" / "02.ipynb", {"2.1": ["wrong", 0.5], "2.2": ["right", 0]}, title="# 02 · Text")
    hand_in(folder / "ben" / "01.ipynb", {"1.1": ["wrong", 0]})
    result = grading.grade(folder, tmp_path / "g.csv")
    ann, ben = table(tmp_path / "g_students.csv")
    assert (ann["student"], ann["points"], ann["of"], ann["percent"]) == ("ann", "2.5", "8.0", "31.2")
    assert (ann["2.1 token_average"], ann["1.3 highest_accuracy"], ann["files"]) == ("0.5", "0.0", "2")
    assert (ben["points"], ben["of"]) == ("0.0", "8.0")  # a notebook that others handed in is missed
    assert [row["2.1 token_average"] for row in table(tmp_path / "g.csv")] == ["", "wrong (0.5)", ""]
    (tmp_path / "p.json").write_text('{"1.1": 2, "2.1": 4, "3.1": 2}')
    ran.clear()
    result = grading.grade(folder, tmp_path / "g.csv", points=tmp_path / "p.json", resume=True)
    assert ran == []  # other points, and nothing is run again
    assert [(one["points"], one["of"], one["percent"]) for one in result["students"]] == [(4, 8, 50), (0, 8, 0)]


# --- what counts, what is late, what is the same ---


def test_the_newest_file_that_opens_counts(tmp_path, ran):
    folder, day = tmp_path / "in", datetime(2026, 12, 1, 12)
    dated(hand_in(folder / "ann" / "b.ipynb", {"1.1": ["wrong", 0]}), day)
    dated(hand_in(folder / "ann" / "a.ipynb", {"1.1": ["right", 0]}), day + timedelta(hours=2))
    (folder / "ann" / "01_c.ipynb").write_text("no notebook")
    dated(folder / "ann" / "01_c.ipynb", day + timedelta(hours=4))
    rows = {row["file"]: row for row in grading.grade(folder, tmp_path / "g.csv", due=day)["rows"]}
    assert [rows[f"ann/{name}.ipynb"]["counts"] for name in ("a", "b", "01_c")] == [True, False, False]
    assert rows["ann/a.ipynb"]["notes"] == ["late by 2 h 0 min, by the file's date",
                                            "the newest of 2 files of this notebook that can be run"]
    assert rows["ann/b.ipynb"]["notes"] == ["not counted: ann/a.ipynb is newer"]
    assert rows["ann/01_c.ipynb"]["notes"][1].startswith("not counted: it is not a notebook (JSONDecodeError")
    assert rows["ann/01_c.ipynb"]["notes"][1].endswith("; ann/a.ipynb counts")  # and is older
    (ann,) = table(tmp_path / "g_students.csv")
    assert ann["points"] == "1.0"  # late, and nothing is taken off
    assert "ann/a.ipynb: late by 2 h" in ann["remark"]


@pytest.mark.parametrize(("files", "wanted"), [
    ({"a": ("", 1), "b": ("", 1)}, ("the newest of 2 files of this notebook, or as new as another",
                                    "not counted: b is as new, and later by name")),
    ({"a": ("is empty", 2), "b": ("", 1)}, ("the only one of 2 files of this notebook that can be run",
                                            "not counted: it is empty; b counts")),
    ({"a": ("is empty", 1), "b": ("is a link", 2)}, ("the newest of 2 files of this notebook",
                                                     "not counted: b is newer"))])
def test_which_of_several_files_counts_is_said_truly(files, wanted):
    items = [HandIn(name, "01", problem=problem, student="ann", when=datetime(2026, 12, day))
             for name, (problem, day) in files.items()]
    rows = [{"student": "ann", "notebook": "01", "file": item.file} for item in items]
    counting.mark(items, rows)
    assert (rows[1]["notes"], rows[0]["notes"]) == ([wanted[0]], [wanted[1]])
    assert [row["counts"] for row in rows] == [False, True]


def test_a_page_says_why_a_file_is_not_counted_and_whose_checks_it_calls(tmp_path, ran):
    folder = tmp_path / "in" / "ann"
    hand_in(folder / "02.ipynb", {"1.1": ["right", 0], "2.1": ["right", 0]}, title="# 02 · Text encoders")
    dated(folder / "02.ipynb", datetime(2026, 12, 1))
    (folder / "02_b.ipynb").touch()
    first, _ = grading.grade(tmp_path / "in", tmp_path / "g.csv", feedback=tmp_path / "pages")["rows"]
    assert (first["solved"], first["remark"]) == (1, "calls checks of notebook 01, which count nothing here")
    page = (tmp_path / "pages" / "ann.html").read_text(encoding="utf-8")
    assert "It calls checks of notebook 01, which count nothing here: its title or its name says 02." in page
    assert "02_b.ipynb (not counted: it is empty; ann/02.ipynb counts)" in page
    assert "newer" not in page


@pytest.mark.parametrize(("minutes", "words"), [(0.5, "1 min"), (60, "1 h 0 min"), (24 * 60 + 5, "1 day 5 min"),
                                                (50 * 60, "2 days 2 h")])
def test_a_span_of_time_in_words(minutes, words):
    assert counting.span(timedelta(minutes=minutes)) == words


def test_late_by_the_name_alone(tmp_path, ran):
    hand_in(tmp_path / "in" / "lee_LATE_1_2_01.ipynb", {})
    hand_in(tmp_path / "in" / "ray_1_2_01.ipynb", {})
    rows = grading.grade(tmp_path / "in", tmp_path / "g.csv", student=CANVAS)["rows"]
    assert [row["notes"][0] for row in rows[:1]] == ["late, by its name"]
    assert not any("late" in note for note in rows[1]["notes"])


def test_the_same_bytes_of_two_students_are_named(tmp_path, ran):
    one = hand_in(tmp_path / "in" / "ann" / "01.ipynb", {"1.1": ["right", 0]})
    for name in ("ben", "cy"):
        (tmp_path / "in" / name).mkdir()
        (tmp_path / "in" / name / "mine.ipynb").write_bytes(one.read_bytes())
    hand_in(tmp_path / "in" / "dee" / "01.ipynb", {"1.1": ["wrong", 0]})
    rows = grading.grade(tmp_path / "in", tmp_path / "g.csv")["rows"]
    assert rows[0]["notes"] == ["byte for byte the same as ben/mine.ipynb, cy/mine.ipynb"]
    assert rows[3]["notes"] == []


def test_doubts_are_said_before_the_work(tmp_path, ran):
    for name in ("a", "b", "c"):
        dated(hand_in(tmp_path / "in" / f"{name}.ipynb", {}), datetime(2026, 12, 1))
    said: list[str] = []
    grading.grade(tmp_path / "in", tmp_path / "g.csv", log=said.append, due=datetime(2027, 1, 1))
    assert any("3 of 3 lie in no folder of a student" in line for line in said)
    assert any("nearly the same date" in line for line in said)
    result = grading.grade(tmp_path / "in", tmp_path / "g.csv", log=said.append, student="x(y)")
    assert any("finds nobody in 3 of 3 names, such as 'a.ipynb'" in line for line in said)
    assert result["students"] == []
    assert len(result["rows"]) == 3


def test_capitals_and_a_mac_s_letters_hide_nobody_and_what_is_not_found_is_said(tmp_path, ran):
    folder = tmp_path / "in"
    for form, name in (("NFC", "01.ipynb"), ("NFD", "02.ipynb")):
        hand_in(folder / unicodedata.normalize(form, "Zoë") / name, {"1.1": ["right", 0]})
    hand_in(folder / "ANN" / "01.IPYNB", {"1.1": ["right", 0]})
    hand_in(folder / "LEE.IPYNB", {"1.1": ["right", 0]})
    (folder / "ben").mkdir()
    (folder / "ben" / "01.ipynb.txt").touch()
    said: list[str] = []
    result = grading.grade(folder, tmp_path / "g.csv", log=said.append)
    assert [one["student"] for one in result["students"]] == ["ANN", "LEE", unicodedata.normalize("NFC", "Zoë")]
    assert "folders in it without a notebook (*.ipynb), or that are links: 1, such as 'ben'" in said
    assert any("go on after .ipynb: 1, such as 'ben/01.ipynb.txt'" in line for line in said)
    assert whose(unicodedata.normalize("NFD", "Zoë_1"), unicodedata.normalize("NFC", "^(Zoë)_"))["student"] == "Zoë"


# --- a break, and what cannot break it ---


def test_a_run_goes_on_where_it_broke_off(tmp_path, ran):
    folder = tmp_path / "in"
    for name, verdicts in (("a", {"1.1": ["right", 0]}), ("b", {"1.1": ["wrong", 0.25]}),
                           ("c", {"raises": "KeyboardInterrupt"}), ("d", {"1.2": ["right", 0]})):
        hand_in(folder / name / "01.ipynb", verdicts)
    said: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        grading.grade(folder, tmp_path / "g.csv", log=said.append)
    assert "2 of 4 notebooks are in" in said[-1]
    with open(tmp_path / "g_runs.jsonl", "a") as file:
        file.write('{"digest": "half a line')
    hand_in(folder / "b" / "01.ipynb", {"1.1": ["wrong", 0.75]})  # handed in again meanwhile
    hand_in(folder / "c" / "01.ipynb", {"1.1": ["not yet", 0]})
    ran.clear()
    result = grading.grade(folder, tmp_path / "g.csv", log=said.append, resume=True)
    assert len(ran) == 3
    assert any("3 to be run, 1 taken over" in line for line in said)
    assert [row["exercises"]["1.1"] for row in result["rows"]] == ["right", "wrong", "not yet", "missing"]
    assert [one["points"] for one in result["students"]] == [1, 0.75, 0, 1]
    ran.clear()
    assert grading.grade(folder, tmp_path / "g.csv", resume=True)["rows"] == result["rows"]
    assert ran == []
    grading.grade(folder, tmp_path / "g.csv")  # without --resume all are run anew
    assert len(ran) == 4


def test_other_limits_run_those_again_that_met_theirs(tmp_path, ran):
    hand_in(tmp_path / "in" / "a" / "01.ipynb", {"1.1": ["right", 0]})
    hand_in(tmp_path / "in" / "b" / "01.ipynb", {"end": "ran out of time"})
    grading.grade(tmp_path / "in", tmp_path / "g.csv", seconds=10)
    ran.clear()
    grading.grade(tmp_path / "in", tmp_path / "g.csv", seconds=20, resume=True)
    assert ran == ['# {"end": "ran out of time"}']


def test_one_that_breaks_the_grader_itself_stops_no_other(tmp_path, ran):
    hand_in(tmp_path / "in" / "a" / "01.ipynb", {"raises": "RecursionError"})
    hand_in(tmp_path / "in" / "b" / "01.ipynb", {"1.1": ["right", 0]})
    first, second = grading.grade(tmp_path / "in", tmp_path / "g.csv")["rows"]
    assert "could not be graded (RecursionError" in first["remark"]
    assert second["solved"] == 1


def test_folders_a_thousand_deep_are_removed(tmp_path):
    top = tmp_path / "run"
    top.mkdir()
    for _ in range(1200):  # from the inside out: a path to the innermost would be too long
        (tmp_path / "around").mkdir()
        os.rename(top, tmp_path / "around" / "d")
        os.rename(tmp_path / "around", top)
    (top / "file").touch()
    remove(str(top))
    assert not top.exists()


# --- the pages ---


def test_a_page_shows_the_student_their_own_work_and_nothing_of_others(tmp_path, ran):
    folder = tmp_path / "in"
    code = "def optimist_label(a, b):\n    return '<script>alert(1)</script>'\n\ncheck.optimist_label(optimist_label)"
    hand_in(folder / "<i>ann & co" / "01.ipynb", {"1.1": ["wrong", 0.5], "1.2": ["not yet", 0]}, code)
    hand_in(folder / "ben" / "01.ipynb", {"1.1": ["right", 0], "end": "crashed (SIGSEGV)"},
            code.replace("alert", "ben"))
    grading.grade(folder, tmp_path / "g.csv", feedback=tmp_path / "pages")
    ann, ben = ((tmp_path / "pages" / name).read_text(encoding="utf-8") for name in ("_i_ann _ co.html", "ben.html"))
    assert "&lt;i&gt;ann &amp; co" in ann
    assert "&lt;script&gt;alert(1)" in ann
    assert "right in part" in ann
    assert "0.5 of 1 point" in ann
    assert "&lt;b&gt;1.1&lt;/b&gt; said" in ann
    assert "not filled in yet" in ann
    assert "never reached" in ann  # 1.3
    assert "crashed (SIGSEGV)" in ben
    for page, other in ((ann, "ben"), (ben, "ann")):
        assert other not in page
        assert "<script" not in page
        assert "default-src 'none'" in page
        assert "prefers-color-scheme: dark" in page


def test_names_that_would_meet_in_one_file_get_pages_of_their_own(tmp_path, ran):
    for name in ("a:b", "A;b", "?", "a_b"):
        hand_in(tmp_path / "in" / name / "01.ipynb", {"1.1": ["right", 0]})
    grading.grade(tmp_path / "in", tmp_path / "g.csv", feedback=tmp_path / "pages")
    pages = sorted((tmp_path / "pages").iterdir())
    assert len({page.name.casefold() for page in pages}) == 4
    assert sorted(re.search("<title>Your work: (.*)</title>", page.read_text())[1] for page in pages) == [
        "?", "A;b", "a:b", "a_b"]


# --- the command ---


def test_the_command_grades_a_class(tmp_path, capsys, monkeypatch):
    """In earnest: two real runs, one of which hangs."""
    monkeypatch.setattr(grading_run, "CELL_SHARE", 0.1)
    setup = "from mmsa_utils import checks as check"
    band = ("def chance_band(n, k):\n    half = 1.96 * (1 / k * (1 - 1 / k) / n) ** 0.5\n    return 1 / k - half, "
            "1 / k + half\n\ncheck.chance_band(chance_band)")
    dated(hand_in(tmp_path / "in" / "Ann_7_assignsubmission_file_" / "01.ipynb", {}, setup, band),
          datetime(2026, 12, 2, 8))
    dated(hand_in(tmp_path / "in" / "Ben_8_assignsubmission_file_" / "01.ipynb", {}, setup, band, "while True: pass"),
          datetime(2026, 12, 1, 8))
    (tmp_path / "points.csv").write_text("1.2,3\n")
    words = ["grade", str(tmp_path / "in"), "--csv", str(tmp_path / "g.csv"), "--points", str(tmp_path / "points.csv"),
             "--student", MOODLE, "--due", "2026-12-01T23:59", "--feedback", str(tmp_path / "pages"), "--seconds", "50",
             "--jobs", "2"]
    assert main([*words, "--json"]) == 0
    said = capsys.readouterr()
    ann, ben = json.loads(said.out)["students"]
    assert (ann["points"], ben["points"], ben["of"]) == (3, 3, 3)
    assert ann["remark"] == ["Ann_7_assignsubmission_file_/01.ipynb: late by 8 h 1 min, by the file's date"]
    assert "code cell 4: TooSlow" in said.err
    assert "3 of 3 points" in (tmp_path / "pages" / "Ben.html").read_text(encoding="utf-8")
    assert main([*words, "--resume"]) == 0
    assert "2 taken over" in capsys.readouterr().err


@pytest.mark.parametrize(("words", "code", "message"), [
    (["--due", "2026-12-01"], 2, "expected one such as"), (["--due", "tomorrow"], 2, "is no day with a time"),
    (["--points", ""], 2, "--points is empty"), (["--feedback", ""], 2, "--feedback is empty"),
    (["--student", "(a"], 1, "is no regular expression"), (["--student", "abc"], 1, "has no group"),
    (["--points", "gone.csv"], 1, "--points gone.csv cannot be read (No such file"),
    (["--csv", "."], 1, "--csv .: the grade book cannot be written there (Is a directory); expected a file"),
    (["--csv", "gone/g.csv"], 1, "--csv gone/g.csv: the grade book cannot be written there (No such file"),
    (["--feedback", "in/ann/01.ipynb"], 1, "--feedback in/ann/01.ipynb: no pages can be written there (File exists)")])
def test_words_that_cannot_be_meant_are_refused_before_the_work(tmp_path, capsys, monkeypatch, ran, words, code,
                                                                message):
    monkeypatch.chdir(tmp_path)
    hand_in(tmp_path / "in" / "ann" / "01.ipynb", {})
    call = ["grade", str(tmp_path / "in"), "--csv", str(tmp_path / "g.csv"), *words]
    if code == 1:
        assert main(call) == 1
    else:
        with pytest.raises(SystemExit, match="2"):
            main(call)
    assert message in capsys.readouterr().err
    assert ran == []
