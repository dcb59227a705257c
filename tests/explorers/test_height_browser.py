"""In a browser: an explorer keeps its height, however long the sentence in it, so that the page below does not jump."""

import pytest
import torch
from pages import visit

from mmsa_utils import LABELS, conflict_explorer, guess_explorer, post_explorer


class Optimist:
    """Answers "positive" to everything."""

    classes, size = LABELS, "mini"

    def predict(self, texts, images):
        return torch.tensor([[0.0, 0.25, 0.75]]).expand(len(texts), 3)


def conflict_views():
    explorer = conflict_explorer(Optimist())
    for button in explorer.squares.values():
        button.click()
        for number in range(1, explorer.example.max + 1):
            explorer.example.value = number
            yield explorer.view.value


def post_views():
    explorer = post_explorer()
    for explorer.speaks.value in ("", "same", "opposite"):
        for explorer.picture_valence.value in (-1, 0, 1):
            for explorer.seed.value in range(0, 20, 4):
                yield explorer.view.value


def guess_views():
    explorer = guess_explorer()
    while not explorer.game.over:
        for name in ("positive", "negative", "next"):
            yield explorer.view.value
            explorer.controls[name].click()
    yield explorer.view.value


@pytest.mark.parametrize(("views", "widths"), [
    (conflict_views, (900, 360)), (post_views, (900, 360)), (guess_views, (900,))], ids=["conflict", "posts", "guess"])
def test_the_height_stays(browser, views, widths):
    shown = list(views())
    for width in widths:
        with visit(browser, width) as (page, _):
            heights = page.evaluate("""(views) => views.map(view => {
                document.body.innerHTML = `<div style="font:13px sans-serif">${view}</div>`;
                return document.body.firstChild.offsetHeight })""", shown)
            assert len(set(heights)) == 1, f"at {width} pixels: {sorted(set(heights))}"
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
