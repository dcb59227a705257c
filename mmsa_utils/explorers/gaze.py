"""The explorer of attention between the sides: which dish on a table the text is about, and where the model looks."""

from __future__ import annotations

import math
import re
from functools import lru_cache
from html import escape
from typing import TYPE_CHECKING, Any, NamedTuple

import ipywidgets
import numpy as np
import torch

from ..figures import panels, plots
from ..figures.gaze import light_up, weight_on
from ..fusion.attention import Attention
from ..model.model import MultimodalSentimentModel
from ..model.modes import evaluating
from ..posts.food import PIXELS
from ..posts.places import FORMS, Place, PlacePosts, place_text, set_table
from ..posts.post import BINARY_LABELS, Post, is_blank
from .explorer import WIDE, Explorer, choice, slider

if TYPE_CHECKING:
    from IPython.display import Image as DisplayImage
    from PIL import Image

NOBODY = -1  # in the place of a second dish
START = (True, False, False, True)  # which dishes are fresh at first
SHOWN = 24  # words at most
MAX_CHARACTERS = 2000  # of a text; an encoder reads far fewer


class Gaze(NamedTuple):
    """What a model with attention makes of a post; the weights of words and specials are 1 in all, so are the others.

    `patches` lie row by row; `cls` is None for a picture encoder that has no such token.
    """

    probabilities: list[float]
    patches: list[float]
    cls: float | None
    words: list[tuple[str, float]]
    specials: float


@torch.no_grad()
def gaze_at(model: MultimodalSentimentModel, text: str, image: Image.Image) -> Gaze:
    """Where the model looks for its answer to a post: on the picture as the text has it look, and on the words.

    Raises:
        ValueError: for an empty text.
    """
    if is_blank(text):
        raise ValueError("The text is empty: type at least one word.")
    fusion = model.fusion
    assert isinstance(fusion, Attention)  # for the type checker
    batch = model.prepare([text.strip()[:MAX_CHARACTERS]], [image])
    with evaluating(model):
        sides = model.encode(**{name: tensor.to(model.device) for name, tensor in batch.items()})
        answer = model.answers_of(model.classify(model.fuse(sides)))[0].tolist()
        gaze = fusion.gaze(sides)[0].tolist()
        counts = fusion.choice(fusion.look(sides))["text"][0].tolist()
    tokenizer: Any = model.encoders["text"].tokenizer
    ids = batch["input_ids"][0].tolist()
    silent = {*tokenizer.all_special_ids} - {tokenizer.unk_token_id}  # a word that is unknown is one all the same
    words = [(str(piece), count) for piece, id, count in zip(tokenizer.convert_ids_to_tokens(ids), ids, counts)
             if id not in silent]
    extra = len(gaze) - math.isqrt(len(gaze)) ** 2  # a square has no [CLS] before it
    return Gaze(answer, gaze[extra:], gaze[0] if extra else None, words, 1 - sum(count for _, count in words))


def checked_model(model: MultimodalSentimentModel) -> None:
    """Raise ValueError unless this is a model that looks from a text at a picture and answers with two moods."""
    if not isinstance(model.fusion, Attention) or model.sides != ("text", "image"):
        raise ValueError(f"the model's fusion is {type(model.fusion).__name__} over {' and '.join(model.sides)}: only "
                         'one made with fusion="attention" over text and image has a gaze to show.')
    if model.classes != BINARY_LABELS:
        raise ValueError(f"the model's classes are {', '.join(model.classes or ['none'])}: expected "
                         f"{', '.join(BINARY_LABELS)}, the labels of `PlacePosts`: give it classes=BINARY_LABELS.")


@lru_cache(maxsize=64)
def dishes_of(seed: int) -> tuple[str, ...]:
    """The four dishes of a table that stand together on none from which a model was to learn."""
    return tuple(place.dish for place in PlacePosts(1, "test", seed=seed, pixels=16)[0].places)


@lru_cache(maxsize=16)
def table_of(seed: int, fresh: tuple[bool, ...], pixels: int) -> tuple[Image.Image, tuple[Place, ...]]:
    """The table of this seed, its dishes fresh or going off; where they stand depends on the seed alone."""
    return set_table(list(dishes_of(seed)), [1 if one else -1 for one in fresh], np.random.default_rng(seed), pixels)


def table_post(seed: int, fresh: tuple[bool, ...], mine: int, text: str, pixels: int = 64) -> Post:
    """A post about such a table, of whose dishes the writer's is the one at `mine`."""
    image, places = table_of(seed, fresh, pixels)
    dish, level = places[mine][:2]
    return Post(text, image, int(level > 0), dish=dish, picture_level=level, places=places,
                reason=f"the {dish} is the writer's, and it is {_state(level > 0)}")


def gaze_explorer(model: MultimodalSentimentModel) -> Explorer:
    """Say which dish of four is the writer's, and see where the model looks, which words count, what it answers.

    Controls: ``dish`` (the writer's, 0 to 3), ``other`` (another that the text names, or NOBODY), ``form`` (the
    sentence, from 1), ``fresh_1`` to ``fresh_4`` (off: going off), ``seed`` (another table), ``text`` (written anew
    when one of the first three or the table changes; may be typed over).

    Args:
        model: of ``fusion="attention"`` and BINARY_LABELS, trained on `PlacePosts`.

    Raises:
        ValueError: for a model of another fusion, of other classes, or that does not read text and picture.
    """
    checked_model(model)
    pixels = PIXELS[model.size]
    at = lru_cache(maxsize=64)(lambda text, seed, fresh: gaze_at(model, text, table_of(seed, fresh, pixels)[0]))

    def view(dish, other, form, text, seed, fresh_1, fresh_2, fresh_3, fresh_4) -> str:
        fresh, names = (fresh_1, fresh_2, fresh_3, fresh_4), dishes_of(seed)
        written = place_text(names[dish], names[other] if other not in (NOBODY, dish) else "", form - 1)
        return _post_view(table_post(seed, fresh, dish, text, pixels), at(text, seed, fresh), text != written)

    def still() -> DisplayImage:
        names = dishes_of(0)
        posts = [table_post(0, START, i, place_text(name), pixels) for i, name in enumerate(names)]
        gazes = [at(post.text, 0, START) for post in posts]
        return plots.gaze_grid(posts, torch.tensor([gaze.patches for gaze in gazes]),
                               notes=[_still_note(post, gaze) for post, gaze in zip(posts, gazes)])

    return Explorer("Gaze explorer", _controls(), view, still)


def _controls() -> dict[str, Any]:
    """The controls; they follow each other before the view follows them."""
    controls = {
        "dish": choice("the writer's dish", [("", 0)], 0),
        "other": choice("somebody else's", [("nobody", NOBODY)], NOBODY),
        "form": slider("sentence", 1, 1, FORMS),
        "text": ipywidgets.Text("", description="text", style=WIDE, layout={"width": "420px", "max_width": "98%"}),
        "seed": ipywidgets.BoundedIntText(value=0, min=0, max=9999, description="table", style=WIDE,
                                          layout={"width": "130px"}),
        **{f"fresh_{i}": ipywidgets.Checkbox(fresh, indent=False, layout={"width": "max-content"})
           for i, fresh in enumerate(START, 1)}}

    def follow(change: Any = None) -> None:
        mine, theirs, names = controls["dish"].value, controls["other"].value, dishes_of(controls["seed"].value)
        options = [(name, i) for i, name in enumerate(names)]
        _offer(controls["dish"], options, mine)
        _offer(controls["other"], [("nobody", NOBODY), *options[:mine], *options[mine + 1:]], theirs)
        for i, name in enumerate(names, 1):
            controls[f"fresh_{i}"].description = f"{name} is fresh"
        theirs = controls["other"].value
        controls["text"].value = place_text(names[mine], "" if theirs == NOBODY else names[theirs],
                                            controls["form"].value - 1)

    follow()
    for name in ("dish", "other", "form", "seed"):
        controls[name].observe(follow, "value")
    return controls


def _offer(control: ipywidgets.Dropdown, options: list[tuple[str, int]], value: int) -> None:
    """Give a list new options and keep what was chosen, or else the first; by themselves they choose the first."""
    if tuple(control.options) != tuple(options):
        control.options = options
    control.value = value if value in dict(options).values() else options[0][1]


def _state(fresh: bool) -> str:
    return "fresh" if fresh else "going off"


def _weights_on(post: Post, gaze: Gaze) -> dict[str, float]:
    return {place.dish: weight_on(gaze.patches, place) for place in post.places}


def largest_words(post: Post, gaze: Gaze) -> str:
    """One sentence: whether the largest weight lies on the dish that counts."""
    on = _weights_on(post, gaze)
    most = max(on, key=lambda dish: on[dish])
    start = f"Of the four dishes the largest weight, {on[most]:.2f}, lies on the {most}"
    return f"{start}: the dish that counts." if most == post.dish else (
        f"{start}, not on the {post.dish}, which counts and gets {on[post.dish]:.2f}.")


def _still_note(post: Post, gaze: Gaze) -> str:
    word, count = max(gaze.words, key=lambda pair: pair[1])
    share, answer = max(zip(gaze.probabilities, BINARY_LABELS))
    return (f"the word that counts most: “{word}”, {count:.2f}; says {answer} {share:.2f}, rule: "
            f"{BINARY_LABELS[post.label]}")


def _post_view(post: Post, gaze: Gaze, own: bool) -> str:
    """Table and gaze, what each dish and each word gets, the answer beside the rule's."""
    on, mine = _weights_on(post, gaze), next(place for place in post.places if place.dish == post.dish)
    corners = [f"{place.dish}, {_state(place.level > 0)}, {_corner(place)}" for place in post.places]
    even = weight_on([1 / (len(gaze.patches) + (gaze.cls is not None))] * len(gaze.patches), mine)
    rest = {"the table beside them": sum(gaze.patches) - sum(on.values()),
            **({} if gaze.cls is None else {"[CLS], no patch": gaze.cls})}
    said, truth = BINARY_LABELS[int(np.argmax(gaze.probabilities))], BINARY_LABELS[post.label]
    named = re.search(rf"\b{re.escape(post.dish)}\b", post.text, re.IGNORECASE)
    remark = "" if not own else panels.paragraph(
        f"These are your own words{'' if named else f', and they do not name the {post.dish}'}: the rule goes by the "
        "writer's dish as it is chosen above.")
    return panels.row(
        panels.heading("the table") + panels.picture(post.image, "; ".join(corners), 192),
        panels.heading("where the model looks")
        + panels.picture(light_up(post.image, gaze.patches, mine), f"The table, lit where the model looks; the "
                         f"{post.dish}, {_corner(mine)}, is framed. {largest_words(post, gaze)}", 192),
        panels.heading("how much of its gaze")
        + panels.bars({**{f"{dish} (counts)" if dish == post.dish else dish: share for dish, share in on.items()},
                       **rest}, {f"{post.dish} (counts)": panels.ORANGE})
        + panels.paragraph(f"Looking evenly, it would give the {post.dish} {even:.2f}."),
        panels.heading("the answer") + panels.bars(dict(zip(BINARY_LABELS, gaze.probabilities)))
        + panels.paragraph(f"The model says {said}, the rule {truth}: {'right' if said == truth else 'wrong'}.")
        + panels.paragraph(f"Why: {post.reason}.")) + panels.paragraph(largest_words(post, gaze)) + remark + (
        panels.heading("how much each word counts") + _words(gaze))


def _corner(place: Place) -> str:
    return (f"{'upper' if place.top + place.bottom < 1 else 'lower'} "
            f"{'left' if place.left + place.right < 1 else 'right'}")


def _words(gaze: Gaze) -> str:
    """Word pieces in their order, each over a bar and its number."""
    top = max((count for _, count in gaze.words), default=1)
    items = "".join(
        f'<div role="listitem" style="text-align:center"><div>{escape(word)}</div><div style="height:6px;margin:1px '
        f'auto;border-radius:2px;width:{48 * count / max(top, 1e-9):.0f}px;background:{panels.BLUE}"></div><div style="'
        f'font-size:.85em;font-variant-numeric:tabular-nums">{count:.2f}</div></div>'
        for word, count in gaze.words[:SHOWN])
    cut = f" Only the first {SHOWN} of {len(gaze.words)} words are shown." * (len(gaze.words) > SHOWN)
    return (f'<div role="list" style="display:flex;flex-wrap:wrap;gap:4px 10px;line-height:1.3">{items}</div>'
            + panels.paragraph(f"The tokens that stand for no word, at both ends, have {gaze.specials:.2f}.{cut}"))
