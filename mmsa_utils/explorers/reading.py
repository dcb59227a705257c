"""The explorer of notebook 08: read a post of your own, swap a side, see what mattered."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import ipywidgets
from PIL import Image

from ..figures import panels, plots
from ..model.model import MultimodalSentimentModel
from ..posts.pictures import picture_from_bytes
from ..reading.explain import explain_picture, explain_text
from ..reading.reader import Reader, Reading, examples
from ..reading.view import answer_html, mattered_html, post_html, whatif_html
from .explorer import WIDE, Explorer, choice, uploaded

if TYPE_CHECKING:
    from IPython.display import Image as DisplayImage

    from ..posts.post import Post

OWN, MINE = "my own file", "keep mine"


def prediction_explorer(model: MultimodalSentimentModel) -> Explorer:
    """Write a text, choose a picture or bring your own: the answer, and what each side alone would say.

    Controls: ``example`` (fills in text and picture), ``text``, ``picture`` (an example's, or "my own file"),
    ``upload`` (chooses "my own file"), ``whatif_text`` and ``whatif_picture`` (swap one side for an example's),
    ``mattered`` (a button: words and regions, shown in the attribute ``mattered_view`` until something changes).
    """
    reader, posts = Reader(model), examples()
    opened = lru_cache(maxsize=1)(picture_from_bytes)  # the same file for every move of another control

    def picture_of(picture: str, upload: Any) -> Image.Image:
        if picture != OWN:
            return posts[picture].image
        file = uploaded(upload)
        if file is None:
            raise ValueError("No picture of your own is there yet: upload one, or choose an example's.")
        return opened(file[1], "The picture")

    def view(example, text, picture, upload, whatif_text, whatif_picture) -> str:
        image = picture_of(picture, upload)
        mine = reader.read(text, image)
        html = post_html(text, image) + answer_html(mine)
        if (whatif_text, whatif_picture) == (MINE, MINE):
            return _close_lines(html)
        other_text = text if whatif_text == MINE else posts[whatif_text].text
        other_image = image if whatif_picture == MINE else posts[whatif_picture].image
        return _close_lines(html + panels.heading("what if") + post_html(other_text, other_image)
                            + whatif_html(mine, {"changed so": reader.read(other_text, other_image)}))

    def show_mattered(button: Any) -> None:
        try:
            text, image = explorer.text.value, picture_of(explorer.picture.value, explorer.upload.value)
            mine = reader.read(text, image)
            explorer.mattered_view.value = _close_lines(mattered_html(
                explain_text(reader, text) if "text" in mine.counted else None,
                explain_picture(reader, image) if "picture" in mine.counted else None, mine.unfamiliar))
        except ValueError as error:
            explorer.mattered_view.value = panels.note(str(error))

    explorer = Explorer("Prediction explorer", _controls(posts), view,
                        lambda: reading_figure(posts, {name: reader.read(post.text, post.image)
                                                       for name, post in posts.items()}))
    explorer.mattered_view = ipywidgets.HTML()
    explorer.children = (*explorer.children, explorer.mattered_view)
    explorer.mattered.on_click(show_mattered)
    _connect(explorer, posts)
    return explorer


def _controls(posts: Mapping[str, Post]) -> dict[str, Any]:
    first = next(iter(posts))
    controls = {
        "example": choice("example", list(posts), first),
        "text": ipywidgets.Textarea(posts[first].text, description="text", style=WIDE,
                                    layout={"width": "420px", "height": "54px"}),
        "picture": choice("picture", [*posts, OWN], first),
        "upload": ipywidgets.FileUpload(accept="image/*", multiple=False, description="upload a picture",
                                        layout={"width": "max-content"}),
        "whatif_text": choice("what if the text were", [MINE, *posts], MINE),
        "whatif_picture": choice("what if the picture were", [MINE, *posts], MINE),
        "mattered": ipywidgets.Button(description="what mattered?", layout={"width": "max-content"})}
    for control in controls.values():
        control.layout.max_width = "98%"  # of a narrow page; the rest is margin
    return controls


def _connect(explorer: Explorer, posts: Mapping[str, Post]) -> None:
    """Let an example fill in its post, an upload choose itself, and any change put away what mattered before it."""
    def fill(change: Any) -> None:
        explorer.text.value, explorer.picture.value = posts[change["new"]].text, change["new"]

    def use_own(change: Any) -> None:
        if uploaded(change["new"]) is not None:
            explorer.picture.value = OWN

    def clear(change: Any) -> None:
        explorer.mattered_view.value = ""

    explorer.example.observe(fill, "value")
    explorer.upload.observe(use_own, "value")
    for name in ("text", "picture", "upload"):
        explorer.controls[name].observe(clear, "value")


def _close_lines(html: str) -> str:
    return f'<div style="line-height:1.4">{html}</div>'  # JupyterLab's own are as high as its controls


def reading_figure(posts: Mapping[str, Post], readings: Mapping[str, Reading]) -> DisplayImage:
    """Posts in a row, each over its three answers: both sides together, the text alone, the picture alone."""
    figure, axes = plots.new_figure(1.95 * len(posts), 3.9, 2, len(posts))
    said = []
    for (name, post), (above, below) in zip(posts.items(), axes.T):
        reading = readings[name]
        above.imshow(post.image)
        above.axis("off")
        above.set_title(textwrap.fill(post.text, 24), fontsize=8)
        nothing = (0.0,) * len(reading.classes)  # of a side that is unfamiliar
        answers = {name: getattr(reading, name) or nothing for name in ("both", "text", "picture")}
        left = [0.0] * len(answers)
        for i, mood in enumerate(reading.classes):
            width = [probabilities[i] for probabilities in answers.values()]
            below.barh(list(answers), width, left=left, color=plots.LABEL_COLOURS[mood], height=0.6)
            for row, (start, share) in enumerate(zip(left, width)):
                below.text(start + share / 2, row, mood[:3] if share > 0.25 else "", ha="center", va="center",
                           fontsize=7, color="white")
            left = [start + share for start, share in zip(left, width)]
        below.set(xlim=(0, 1), xticks=[0, 1])
        below.tick_params(labelsize=8)
        below.invert_yaxis()
        below.set_title("they disagree" if reading.contradicts else " ", fontsize=8)
        said.append(f"“{post.text}” ({name}): together {reading.label}, text alone {reading.answers['text']}, "
                    f"picture alone {reading.answers['picture']}")
    return plots.show(figure, "Four posts with their answers as stacked bars. " + "; ".join(said) + ".")
