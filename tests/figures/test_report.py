"""The page of an evaluation: it holds the figures, asks for nothing, and nothing in it runs, whatever the posts say."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
from PIL import Image

from mmsa_utils.figures.report import MOST, page
from mmsa_utils.learning.asking import Answers
from mmsa_utils.learning.assessment import assessed

HOSTILE = '<script>alert(1)</script><img src=x onerror=alert(2)>"\' </style>'


class Read(HTMLParser):
    """A page taken apart: its tags with their attributes, its words, the levels of its headings."""

    def __init__(self, text: str):
        super().__init__()
        self.tags, self.words = [], ""
        self.feed(text)
        self.levels = [int(tag[1]) for tag, _ in self.tags if re.fullmatch("h[1-6]", tag)]

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.words += data


def result(n: int, classes: tuple[str, ...] = ("negative", "neutral", "positive"), mistakes: int = 5, **known) -> dict:
    """Figures of random answers."""
    draw = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(n, len(classes), generator=draw)
    labels = torch.randint(len(classes), (n,), generator=draw)
    given = {"texts": [f"post {i}" for i in range(n)], "relations": [""] * n, "cut": [False] * n, **known}
    return assessed(Answers(classes, logits, logits.softmax(-1), labels, **given), mistakes)


def photo(side: int = 300) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 255, (side, side, 3), np.uint8))


def test_nothing_of_a_post_runs_or_breaks_out():
    figures = result(6, ("<b>joy</b>", HOSTILE, "c"), 6, texts=[HOSTILE] * 6, relations=[HOSTILE, "x"] * 3)
    figures["mistakes"][0]["picture"] = HOSTILE
    figures["remarks"].append(HOSTILE)
    text = page(figures, {one["post"]: photo(40) for one in figures["mistakes"]}, {"the model": HOSTILE})
    read = Read(text)
    assert not {"script", "b", "iframe", "link", "object"} & {tag for tag, _ in read.tags}
    assert not any(name.startswith("on") for _, attributes in read.tags for name in attributes)
    assert all(attributes["src"].startswith("data:image/") for tag, attributes in read.tags if tag == "img")
    assert read.words.count("alert(1)") >= 4  # it is there, as words


def test_a_page_asks_for_nothing_and_says_so_to_the_browser():
    text = page(result(30), {}, {})
    assert "default-src 'none'" in text
    assert not re.search(r"https?://|url\(|@import|src=[\"'](?!data:)", text)


def test_headings_are_in_order_tables_have_names_and_pictures_words():
    figures = result(30, relations=["agree", "refer"] * 15, mistakes=3)
    read = Read(page(figures, {one["post"]: photo() for one in figures["mistakes"]}, {"posts": "30"}))
    assert read.levels[0] == 1
    assert read.levels.count(1) == 1
    assert all(after - before <= 1 for before, after in zip(read.levels, read.levels[1:]))
    pictures = [attributes for tag, attributes in read.tags if tag == "img"]
    assert len(pictures) == 3
    assert all(len(one["alt"]) > 10 for one in pictures)
    drawings = [attributes for tag, attributes in read.tags if tag == "svg"]
    assert all(one.get("aria-hidden") or one.get("aria-label") for one in drawings)
    tables = [tag for tag, _ in read.tags if tag in ("table", "caption")]
    assert tables == ["table", "caption"] * (len(tables) // 2)
    assert ("html", {"lang": "en"}) in read.tags


def test_the_figures_are_those_of_the_result():
    figures = result(200, mistakes=1)
    words = Read(page({**figures, "ceilings": {"both": 0.123}}, {}, {"posts": "two hundred"})).words
    low, high = figures["intervals"]["accuracy"]
    for said in (f"{figures['accuracy']:.3f}", f"{low:.3f} to {high:.3f}", f"{figures['macro_f1']:.3f}", "0.123",
                 f"Post {figures['mistakes'][0]['post'] + 1}", "two hundred"):
        assert said in words


@pytest.mark.parametrize(("n", "classes"), [(1, 2), (2, 3), (400, 24), (400, 40)])
def test_any_number_of_posts_and_classes(n, classes):
    text = page(result(n, tuple(f"class {i}" for i in range(classes))), {}, {})
    assert len(text) < 400_000
    assert ('class="pairs"' in text) == (classes <= 25)


def test_no_mistakes_are_said():
    figures = result(5, mistakes=0)
    assert "None are shown" in page(figures, {}, {})
    assert "There are none" in page({**figures, "accuracy": 1.0}, {}, {})


def test_numbers_have_a_page_too():
    given = Answers(None, torch.tensor([[1.0], [3.0]]), torch.tensor([[1.0], [3.0]]), torch.tensor([1.0, 2.5]),
                    texts=["a", HOSTILE], relations=["", ""], cut=[False, False])
    read = Read(page(assessed(given), {}, {}))
    assert "mean absolute error" in read.words
    assert "farthest off" in read.words


def test_pictures_are_small_and_the_page_stays_small_with_thousands_of_mistakes():
    figures = result(3000, mistakes=1500, texts=["<a long text> " * 500] * 3000)
    text = page(figures, {one["post"]: photo(1000) for one in figures["mistakes"][:3]} | {
        one["post"]: photo(250) for one in figures["mistakes"][3:60]}, {})
    assert len(text) < MOST + 200_000
    assert text.count("<img") > 20
    assert "There is no room for" in text


def test_the_first_sentence_is_for_whoever_reads_no_further():
    figures = result(40)
    words = Read(page(figures, {}, {})).words
    low, high = (f"{100 * end:.0f}" for end in figures["intervals"]["accuracy"])
    assert f"{100 * figures['accuracy']:.0f} of 100 posts rightly (somewhere between {low} and {high})" in words
    assert words.index("of 100 posts") < words.index("Right answers")
    for term in ("Precision:", "Recall:", "macro-F1 is", "calibration error is"):
        assert term in words


def test_a_long_text_does_not_take_the_page_for_itself():
    figures = result(6, texts=["a" * 1900] * 6)
    assert "a" * 400 not in page(figures, {}, {})
