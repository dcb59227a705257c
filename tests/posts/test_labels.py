"""The labels of a table mean what their author means, or are asked back; nothing is taken row by row."""

import re

import pytest

from mmsa_utils import BINARY_LABELS, LABELS
from mmsa_utils.posts.labels import is_missing, plain, read_labels

TWO, THREE = BINARY_LABELS, LABELS


@pytest.mark.parametrize(("cells", "classes", "indices"), [
    ("0 1 1", TWO, [0, 1, 1]), ("-1 1", TWO, [0, 1]), ("0 2", TWO, [0, 1]), ("+1 -1", TWO, [1, 0]),
    ([0.0, 1.0], TWO, [0, 1]), (["0.0", "1.0"], TWO, [0, 1]), (["0,0", "1,"], TWO, [0, 1]), ([0, 1], TWO, [0, 1]),
    ([True, False], TWO, [1, 0]), ("TRUE false", TWO, [1, 0]), ("neg pos", TWO, [0, 1]),
    (["NEGATIVE ", "\tPositive", "\u200bpos\xa0"], TWO, [0, 1, 1]), (["\N{MINUS SIGN}1", "１"], TWO, [0, 1]),
    ("positive 0 1", TWO, [1, 0, 1]),
    ("0 1 2", THREE, [0, 1, 2]), ("0 2", THREE, [0, 2]), ("-1 0 1", THREE, [0, 1, 2]), ("-1 1", THREE, [0, 2]),
    ("neg neut pos neutral", THREE, [0, 1, 2, 1]), ("positive 0 neutral", THREE, [2, 0, 1]),
    ("0", THREE, [0]), ("2", THREE, [2]),
    ("Happy angry", ("angry", "happy"), [1, 0]), ("0 1", ("angry", "happy"), [0, 1]), ("5 1.0", tuple("12345"), [4, 0]),
    ("positive negative", ("positive", "negative"), [0, 1]), ("yes no", ("no", "yes"), [1, 0]),
])
def test_labels_are_read_as_meant(cells, classes, indices):
    found = read_labels(cells.split() if isinstance(cells, str) else cells, classes)
    assert (found.indices, found.faults, found.left_out) == (indices, {}, {})


@pytest.mark.parametrize("cells", ["0 1 2 1", "-1 0 1 0", "negative neutral positive Neutral", "neg 1 2 1 0"])
def test_neutral_posts_are_left_out_of_two_classes_and_counted(cells):
    found = read_labels(cells.split(), TWO)
    assert found.indices == [0, None, 1, None] or found.indices == [0, None, 1, None, 0]
    assert found.left_out == {"neutral": 2}


@pytest.mark.parametrize(("cells", "classes", "question"), [
    ("0 1", THREE, r"0 \(1\), 1 \(1\)\. Is 1 neutral \(of 0, 1, 2\) or positive \(of 0, 1\)\?.*--binary"),
    ("1 1", THREE, "then all posts are neutral"), ("1 1", TWO, "then all posts are neutral"),
    ("1 2", TWO, "Are 1 and 2 negative and positive, or"), ("1 2", THREE, "Are 1 and 2"),
    ("1 2 3", THREE, "Are 1, 2 and 3 negative, neutral and positive, or stars?"),
    ("1 2 3 4 5", THREE, "stars or grades"),
    ("0 1 2 3 4", THREE, "stars or grades"), ("0 4", TWO, "stars or grades"), ("0 1 2 99", THREE, r"99 \(1\)"),
    ("0.5 0.25", THREE, "grades"), ("True False", THREE, "is False negative, or neutral as well"),
    ("yes no yes", TWO, "yes to what"), ("neutral 0 1 1 0", TWO, "is 1 neutral or positive"),
    ("happy happy angry", THREE, r"happy \(2\), angry \(1\): expected negative.*classes=\['angry', 'happy'\]"),
    ("happy happy positive", THREE, "happy"), ("1 2", ("angry", "happy"), "expected 0 to 1 for angry, happy"),
    ("0 1 2", ("angry", "happy"), "expected 0 to 1"), ("0 1", ("positive", "negative"), "write the names"),
])
def test_what_could_mean_two_things_is_asked_back(cells, classes, question):
    with pytest.raises(ValueError, match=question) as caught:
        read_labels(cells.split(), classes)
    assert re.search(r"\(\d+\)", str(caught.value))  # how many rows have each
    assert classes[0] in str(caught.value)


def test_single_odd_labels_are_faults_of_their_rows():
    found = read_labels(["positive", "posittive", None, "nan", float("nan"), "1", "0.5"], THREE)
    assert found.indices == [2] + [None] * 6
    assert sorted(found.faults) == [1, 2, 3, 4, 5, 6]
    assert "'posittive': expected negative" in found.faults[1]
    assert "missing" in found.faults[2]
    assert "other rows write names" in found.faults[5]


@pytest.mark.parametrize("cell", [None, "", " ", "NaN", "none", "NULL", "NA", "n/a", float("nan"), "<NA>", "\u200b"])
def test_what_tables_write_for_nothing_is_missing(cell):
    assert is_missing(cell)
    assert not is_missing(f"{cell} of it")


def test_case_and_white_space_make_no_difference():
    assert plain("  So\n GOOD\t") == plain("so good") != plain("sogood")


@pytest.mark.parametrize(("cells", "classes", "found"), [
    ("0 1 2", ("1", "2", "3"), {0: "expected 1, 2, 3"}),  # 0 is no class, and not the first of them
    ("1 0", ("Positive", "Negative"), "write the names, so that none is mistaken"),
    ("0 1", ("Negative", "Neutral", "Positive"), "Is 1 neutral"),
    ("True False", ("angry", "happy"), r"expected angry, happy\. Write the names"),
])
def test_classes_of_other_names_are_not_mistaken(cells, classes, found):
    if isinstance(found, str):
        with pytest.raises(ValueError, match=found):
            read_labels(cells.split(), classes)
        return
    faults = read_labels(cells.split(), classes).faults
    assert list(faults) == list(found)
    assert all(found[place] in words and "or 0, 1, 2" not in words for place, words in faults.items())


def test_moods_by_other_names_are_moods():
    assert read_labels(["0", "1", "pos"], ("Neg", "Pos")).indices == [0, 1, 1]
    found = read_labels(["positive", "neutral", "NEG"], ("pos", "neg"))
    assert (found.indices, found.left_out) == ([0, None, 1], {"neutral": 1})


def test_what_contradicts_itself_is_not_advised():
    faults = read_labels("positive negative positive 1".split(), THREE).faults
    assert faults == {3: "label is '1', and other rows write names: expected negative, neutral, positive."}
