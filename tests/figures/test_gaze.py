"""Where a model looks: what each dish gets of a gaze, and the picture lit by it."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from mmsa_utils import plots
from mmsa_utils.figures.gaze import counting_place, gaze_words, light_up, weight_on
from mmsa_utils.posts.places import Place, PlacePosts

EVEN = torch.full((64,), 1 / 64)
CORNER = Place("soup", 1, 0, 0, 0.25, 0.25)  # two patches each way
WHITE = Image.new("RGB", (64, 64), "white")


def at(*patches: int) -> torch.Tensor:
    gaze = torch.zeros(64)
    gaze[list(patches)] = 1 / len(patches)
    return gaze


@pytest.fixture(scope="module")
def posts():
    return PlacePosts(12, label_noise=0)[:]


def test_a_dish_gets_the_patches_under_it_and_parts_of_those_at_its_edge():
    assert weight_on(EVEN, CORNER) == pytest.approx(1 / 16)
    assert weight_on(at(0), CORNER) == weight_on(at(9), CORNER) == 1
    assert weight_on(at(2), CORNER) == weight_on(at(16), CORNER) == 0
    wide = Place("soup", 1, 0, 0, 3 / 16, 1 / 8)  # one patch and a half, in the first row
    assert weight_on(at(0), wide) == 1
    assert weight_on(at(1), wide) == pytest.approx(0.5)
    assert weight_on(at(8), wide) == 0
    assert weight_on(torch.tensor([0.5, 0.2, 0.2, 0.1]), Place("soup", 1, 0.5, 0, 1, 0.5)) == pytest.approx(0.2)


def test_all_dishes_together_get_no_more_than_there_is(posts):
    gaze = torch.rand(64, generator=torch.Generator().manual_seed(0))
    for post in posts:
        total = sum(weight_on(gaze, place) for place in post.places)
        assert 0.5 * gaze.sum() < total < gaze.sum()


def test_the_picture_is_bright_where_the_gaze_is():
    lit = np.asarray(light_up(WHITE, 0.8 * at(10) + 0.2 * at(20), pixels=64).convert("L")).reshape(8, 8, 8, 8)
    light = lit.mean((1, 3)).reshape(-1)
    assert light[10] == 255
    assert 85 < light[0] < light[20] < 255
    assert len(set(np.delete(light, [10, 20]))) == 1


def test_the_dish_that_counts_is_framed_in_black_and_white():
    plain = np.asarray(light_up(WHITE, EVEN, pixels=64)).astype(int)
    framed = np.asarray(light_up(WHITE, EVEN, Place("soup", 1, 0.25, 0.5, 0.75, 1), 64)).astype(int)
    changed = (plain != framed).any(-1)
    rows, columns = np.nonzero(changed)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (32, 63, 16, 47)
    assert not changed[40:56, 24:40].any()  # within it nothing is covered
    assert (framed[32, 16:48] == 0).all()
    assert (framed[33, 17:47] == 255).all()


@pytest.mark.parametrize(("gaze", "words"), [
    (torch.ones(65), r"Leave out the first of a ViT's tokens, \[CLS\]"), (torch.ones(8, 8), "expected one weight"),
    (torch.ones(0), "expected one weight"), (-EVEN, "negative or no number"), (EVEN * torch.nan, "negative or no")])
def test_what_is_no_gaze_is_refused(gaze, words):
    with pytest.raises(ValueError, match=words):
        weight_on(gaze, CORNER)


def test_the_grid_shows_and_says_what_the_named_dish_gets(posts):
    gazes = torch.rand(12, 64, generator=torch.Generator().manual_seed(0))
    gazes = gazes / gazes.sum(-1, keepdim=True)
    shown = plots.gaze_grid(posts, gazes)
    image = Image.open(io.BytesIO(shown.data))
    assert image.format == "PNG"
    assert image.width > 3 * 150
    assert len(shown.data) < 150_000
    assert "no dish is named" in shown.alt
    for post, gaze in zip(posts, gazes):
        place = next((place for place in post.places if place.dish == post.dish), None)
        assert counting_place(post) is place
        assert f'"{post.text}" ({gaze_words(post, gaze)})' in shown.alt
        if place:
            assert f"{weight_on(gaze, place):.2f} on the {post.dish}" in shown.alt
    assert plots.gaze_grid(posts[:2], gazes[:2]).data != plots.gaze_grid(posts[:2], gazes[2:4]).data
    tall = plots.gaze_grid(posts[:2], gazes[:2], columns=1)
    assert Image.open(io.BytesIO(tall.data)).height > Image.open(io.BytesIO(tall.data)).width


def test_notes_stand_beneath_and_fit(posts):
    shown = plots.gaze_grid(posts[:2], EVEN.expand(2, -1), notes=["a note that is set in several lines " * 3, "why"])
    assert "; why)" in shown.alt
    pixels = np.asarray(Image.open(io.BytesIO(shown.data)).convert("L"))
    assert (pixels[-3:] > 250).all()
    assert (pixels[:3] > 250).all()


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_gaze_for_each_post(posts, count):
    with pytest.raises(ValueError, match=f"got 2 posts and {count} gazes"):
        plots.gaze_grid(posts[:2], EVEN.expand(count, -1))
    with pytest.raises(ValueError, match="got 0 posts"):
        plots.gaze_grid([], EVEN.expand(0, -1))
