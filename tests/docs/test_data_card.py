"""The figures of the data card are those of the code."""

import re
from collections import Counter

from prose import ROOT

from mmsa_utils import FoodPosts, judge, phrases, post_table, scenes

CARD = (ROOT / "docs" / "data_card.md").read_text(encoding="utf8")


def rows_under(head: str) -> list[list[str]]:
    """The cells of a table of the data card, below the row that begins like this."""
    lines = iter(CARD.splitlines())
    next(line for line in lines if line.startswith(head))
    next(lines)
    rows = []
    for line in lines:
        if not line.startswith("|"):
            return rows
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def test_ceilings():
    rows = rows_under("| classes | conflict")
    assert len(rows) == 8
    for classes, conflict, *best in rows:
        posts = FoodPosts(1, conflict=float(conflict), binary=classes == "2")
        assert best == [f"{posts.ceiling(reader):.3f}" for reader in
                        ("text_any_order", "text", "image", "additive", "any_order", "both")]


def test_words_and_relations():
    levels = (-2, -1, 0, 1, 2)
    known, unseen = ([int(cell) for cell in row[1:]] for row in rows_under("| level |"))
    assert known == [len(phrases.ADJECTIVES[level]) for level in levels]
    assert unseen == [len(phrases.UNSEEN_ADJECTIVES[level]) for level in levels]
    assert f"{sum(known)} adjectives" in CARD
    assert f"{sum(unseen)} others" in CARD
    for dish in scenes.DISHES:
        assert dish in CARD
    for row, binary in zip(rows_under("| | agree"), (False, True)):
        share = Counter()
        for state in post_table(0.2, binary):
            share[state.relation] += state.share
        assert row[1:] == [f"{share[name]:.3f}" for name in ("agree", "soft", "contradict", "refer")]


def test_spoiled_labels(monkeypatch):
    monkeypatch.setattr(scenes, "draw", lambda scene, size: None)  # only the labels matter here
    (named,) = re.findall(r"these are (\d+), (\d+), (\d+) and (\d+)\.", re.sub(r"\s+", " ", CARD))
    for split, place in (("train", 0), ("unseen", 3)):
        posts = FoodPosts(2000, split)
        spoiled = sum(post.label != judge(post.text_kind, post.picture_level)[0] + 1 for post in posts)
        assert spoiled == int(named[place]), split
