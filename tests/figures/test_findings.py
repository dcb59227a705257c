"""The page of an inspection: what is ill stands first, numbers beside their thresholds, and nothing in it runs."""

import math
import re
from dataclasses import replace

import pytest
from helpers import food
from test_report import HOSTILE, Read

from mmsa_utils import inspection_page
from mmsa_utils.inspection.finding import Finding, judged, not_asked


def some(words: str = "words") -> list[Finding]:
    """One finding of each verdict, the sound one first."""
    return [judged("order", f"did {words}", f"saw {words}", 0.1, 0.2, "unsaid"),
            not_asked("leak", "tried", f"give labels {words}"),
            judged("padding", f"put {words}", f"moved {words}", 30.0, 0.2, f"mend {words}", post=3)]


def lines(text: str) -> list[dict[str, str]]:
    return [attributes for tag, attributes in Read(text).tags if tag == "svg"]


def test_what_is_ill_is_said_first_and_nothing_is_left_out():
    words = Read(inspection_page(some(), {"the model": "mine"})).words
    first = words.index("1 of 2 checks found something. To begin with, padding: mend words")
    places = [words.index(said) for said in ("padding: ill", "leak: not asked", "order: sound")]
    assert first < places[0]
    assert places == sorted(places)
    for said in ("put words", "moved words", "give labels words", "did words", "saw words", "mine", "Not asked: leak",
                 "30 (sound: at most 0.2)", "0.1 (sound: at most 0.2)"):
        assert said in words
    assert "unsaid" not in words


@pytest.mark.parametrize(("findings", "words"), [
    (some()[:2], "Nothing is wrong that 1 check would see. Not asked: leak."), (some()[1:2], "No check was made."),
    ([], "No check was made.")])
def test_that_nothing_was_found_is_said_with_what_was_not_asked(findings, words):
    assert words in Read(inspection_page(findings, {})).words


def test_nothing_that_a_model_is_called_runs_or_breaks_out():
    post = replace(food(1)[0], text=HOSTILE)
    text = inspection_page(some(HOSTILE), {HOSTILE: HOSTILE}, {3: post})
    read = Read(text)
    assert not {"script", "b", "iframe", "link", "object"} & {tag for tag, _ in read.tags}
    assert not any(name.startswith("on") for _, attributes in read.tags for name in attributes)
    assert all(attributes["src"].startswith("data:image/") for tag, attributes in read.tags if tag == "img")
    assert not re.search(r"https?://|url\(|@import|src=[\"'](?!data:)", text)
    assert "default-src 'none'" in text


def test_the_post_in_which_it_shows_is_shown_where_it_is_given():
    posts = food(5)
    read = Read(inspection_page(some(), {}, dict(enumerate(posts))))
    assert "it shows most in post 4" in read.words
    assert posts[3].text in read.words
    assert [attributes["alt"] for tag, attributes in read.tags if tag == "img"] == [
        "The picture of post 4, above its text"]
    assert "it shows most" not in Read(inspection_page(some(), {})).words


@pytest.mark.parametrize(("limit", "least"), [(0.0, False), *((limit, least) for limit in (1e-6, 0.2, 1000.0)
                                                              for least in (False, True))])
@pytest.mark.parametrize("number", [0.0, -0.7, 3e-9, 0.11, 1.0, 42.0, 1e9, math.inf, math.nan])
def test_a_number_stands_on_the_side_of_its_threshold_on_which_it_is(number, limit, least):
    found = judged("order", "did", "saw", number, limit, "mend", least)
    text = inspection_page([found], {})
    (drawing,) = lines(text)
    assert f"{'below' if least else 'above'} the threshold is ill" in drawing["aria-label"]
    mark, end = map(float, re.search(r'M([\d.]+) 12H([\d.]+)" stroke="var\(--warn\)"', text).groups())
    dot = re.search(r'<path d="M([\d.]+) 4l8 8' if found.verdict == "ill" else r'<circle cx="([\d.]+)"', text)
    x = float(dot[1])
    assert 8 <= min(x, mark) <= max(x, mark) <= 252
    assert end == (8 if least else 252)
    assert ((x < mark) if least else (x > mark)) == (found.verdict == "ill")


def test_headings_are_in_order_and_drawings_have_words():
    read = Read(inspection_page(some(), {"posts": "30"}))
    assert read.levels[0] == 1
    assert read.levels.count(1) == 1
    assert all(after - before <= 1 for before, after in zip(read.levels, read.levels[1:]))
    assert len(lines(inspection_page(some(), {}))) == 2
    assert ("html", {"lang": "en"}) in read.tags


def test_a_verdict_that_is_none_is_refused():
    with pytest.raises(ValueError, match="the verdict of 'order' is 'fine': expected one of ill"):
        inspection_page([Finding("order", "", "", "", None, "fine")], {})
