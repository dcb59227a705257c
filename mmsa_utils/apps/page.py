"""The dashboard's page: what is on it, and what it answers. `dashboard` serves it."""

from __future__ import annotations

import functools
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ..errors import EncoderUnavailable
from ..figures import panels
from ..model.model import PAIRS, load_model
from ..posts.pictures import MAX_BYTES, picture_from_bytes
from ..posts.post import Post
from ..reading.reader import MAX_TEXT, Reader, checked_text, examples, quick_align
from ..reading.view import answer_html, mattered_html, post_html, whatif_html

if TYPE_CHECKING:
    import gradio
    from PIL import Image

WAITING = 256  # requests in the queue; more are told to come back
SHIPPED, OWN, MINE = "DistilBERT + ViT, mini (ready)", "your own model", "keep mine"
NAMES = {"bert+resnet18": "BERT + ResNet-18", "distilbert+vit": "DistilBERT + ViT"}
EXAMPLE_IDS = ("burger", "contradiction", "sarcasm", "photo")
HINT_ANSWER = panels.paragraph("No post has been read yet.")
HINT_MATTERED = panels.paragraph("The words and the regions of the picture that mattered, shortly after the answer.")
HINT_WHATIF = panels.paragraph("Swap the text or the picture for an example's, and see the answer move.")
TITLE = ("# What do text and picture say together?\nWrite a post, add its picture, and read its mood: or take an "
         "example. The machine that serves this page reads what you enter, and deletes the picture within a quarter of "
         "an hour.")


def import_gradio() -> ModuleType:
    """Gradio, told beforehand not to report on its use.

    Raises:
        ValueError: if it is not installed.
    """
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["GRADIO_RUN_HISTORY"] = "False"  # else it keeps every run in the browser's storage
    # Else it keeps a record of every request, and makes a table of all of them at each.
    os.environ["GRADIO_ANALYTICS_MAX_EVENTS"], os.environ["GRADIO_ANALYTICS_CACHE_FREQUENCY"] = "1", str(10**9)
    try:
        import gradio
    except ImportError as error:
        raise ValueError(f'the dashboard needs Gradio ({error}): pip install "mmsa-utils[dashboard]".') from error
    return gradio


# --- what it answers ---


def choices_of(folder: str | Path | None) -> dict[str, Callable[[], tuple[Reader, str]]]:
    """The models on offer: name → a function that loads one, with a line about it."""

    def shipped() -> tuple[Reader, str]:
        return Reader(load_model()), "The model that ships with the course: frozen encoders, an aligned head."

    def own() -> tuple[Reader, str]:
        return Reader(load_model(folder)), "Your own model, from the folder that the dashboard was started with."

    def aligned(pair: str, size: str, posts: int) -> tuple[Reader, str]:
        model, accuracy = quick_align(*PAIRS[pair], size, posts)
        return Reader(model), (f"A head aligned just now on {posts:,} generated posts: right on {accuracy:.0%} of "
                               f"{posts // 4:,} validation posts. It lasts until the dashboard ends.")

    choices: dict[str, Callable] = {OWN: own} if folder else {}
    choices[SHIPPED] = shipped
    for size, posts, remark in (("mini", 3000, "aligned when chosen"), ("full", 1000, "downloaded when chosen")):
        for pair, name in NAMES.items():
            if (pair, size) != ("distilbert+vit", "mini"):
                choices[f"{name}, {size} ({remark})"] = functools.partial(aligned, pair, size, posts)
    return choices


class Answers:
    """What the page answers, with the models that were chosen so far; the first one is loaded at once."""

    def __init__(self, choices: dict[str, Callable[[], tuple[Reader, str]]]):
        self.choices, self.posts, self.loading = choices, examples(), threading.Lock()
        self.first = next(iter(choices))
        self.loaded = {self.first: choices[self.first]()}  # name → its reader, and a line about it

    def choose(self, name: str) -> Iterator[str]:
        """Load a model that was not used yet, saying so; one at a time."""
        if name not in self.loaded:
            yield panels.paragraph(f"Loading {name}; a head is being aligned on generated posts. At mini size this "
                                   "takes some fifteen seconds, at full size many minutes without a GPU.")
            with self.loading:
                try:
                    if name not in self.loaded:
                        self.loaded[name] = self.choices[name]()
                except EncoderUnavailable as error:
                    print(f"{name}: {error}", file=sys.stderr)
                    yield panels.note("The encoders of this model cannot be had here: this machine neither holds them "
                                      "nor reaches the place to download them from. Take one in mini size.")
                    return
        yield panels.paragraph(self.loaded[name][1])

    def show(self, text: str, file: str | None, name: str) -> tuple[str, str, str, str, str]:
        """The answer at once; what is below it starts anew."""
        try:
            answer = answer_html(self._reader(name).read(checked_text(text), opened(file)))
        except ValueError as error:
            answer = panels.note(_sentence(error))
        return answer, MINE, MINE, HINT_WHATIF, HINT_MATTERED

    def occlude(self, text: str, file: str | None, name: str) -> str:
        """What in the post mattered."""
        try:
            return mattered_html(self._reader(name).occlude(checked_text(text), opened(file)))
        except ValueError:
            return HINT_MATTERED  # the answer says why

    def whatif(self, text: str, file: str | None, name: str, other_text: str, other_picture: str) -> str:
        """The same post with an example's text or picture."""
        try:
            reader, text, picture = self._reader(name), checked_text(text), opened(file)
            swapped_text = text if other_text == MINE else self.posts[other_text].text
            swapped_picture = picture if other_picture == MINE else self.posts[other_picture].image
            if (swapped_text, swapped_picture) == (text, picture):
                return HINT_WHATIF
            return post_html(swapped_text, swapped_picture) + whatif_html(
                reader.read(text, picture), reader.read(swapped_text, swapped_picture), "what if")
        except ValueError as error:
            return panels.note(_sentence(error))

    def read(self, text: str, picture: str | None) -> dict[str, Any]:
        """Read one post: its text and its picture (a file) → label, probabilities, what each side alone would say."""
        try:
            return self._reader(self.first).read(checked_text(text), opened(picture)).summary
        except ValueError as error:
            raise import_gradio().Error(_sentence(error), print_exception=False) from None

    def _reader(self, name: str) -> Reader:
        if name not in self.loaded:
            raise ValueError("this model is not ready: see the line below its name, or choose another.")
        return self.loaded[name][0]


def opened(path: str | None) -> Image.Image:
    """An uploaded picture; whatever is wrong with it is said without naming a place on this machine."""
    if not path:
        raise ValueError("there is no picture: add one.")
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError:
        raise ValueError("the picture is no longer here: add it again.") from None
    return picture_from_bytes(data, "the picture")


def _sentence(error: Exception) -> str:
    message = str(error)
    return message[:1].upper() + message[1:]


# --- what is on it ---


def build(folder: str | Path | None = None) -> gradio.Blocks:
    """The page, not yet served.

    Args:
        folder: a model of one's own, from `train --out` or `align --out`; it is then the one that is chosen first.

    Raises:
        ValueError: if Gradio is not installed, or the folder's model is damaged.
        FileNotFoundError: if there is no such model.
    """
    gr = import_gradio()
    answers = Answers(choices_of(folder))
    page_folder = tempfile.TemporaryDirectory(prefix="mmsa-dashboard-", ignore_cleanup_errors=True)
    os.environ["GRADIO_TEMP_DIR"] = page_folder.name  # uploads: readable to nobody else, removed with the page
    with gr.Blocks(title="Text and picture", analytics_enabled=False, delete_cache=(60, 900)) as page:
        page.mmsa_folder = page_folder
        gr.Markdown(TITLE)
        with gr.Row():
            with gr.Column(scale=4, min_width=300):
                asked = _asked(gr, answers)
            with gr.Column(scale=7, min_width=300):
                shown = _shown(gr, answers.posts)
        _connect(gr, answers, asked, shown)

    # Gradio would open a picture before we can look at its size, and fetch what a request names by its address.
    asked["picture"].preprocess = lambda payload: payload.path if payload else None
    for block in page.blocks.values():
        block.async_move_resource_to_block_cache = _local_only(block.async_move_resource_to_block_cache, gr.Error)
    return page.queue(max_size=WAITING)


def _asked(gr: ModuleType, answers: Answers) -> dict[str, Any]:
    """The left column: a post to write, examples, the model."""
    text = gr.Textbox(label="Text", lines=3, max_length=MAX_TEXT, elem_id="text",
                      placeholder="This burger is delicious!", info=f"at most {MAX_TEXT:,} characters")
    picture = gr.Image(label=f"Picture, at most {MAX_BYTES // 2**20} MB", type="filepath", format="png",
                       image_mode=None, height=280, sources=["upload", "webcam", "clipboard"], buttons=[],
                       elem_id="picture")
    picture.alt_text = "the picture of the post"  # of no effect in older Gradio
    button = gr.Button("Read this post", variant="primary", elem_id="read")
    gr.Markdown("**Examples**")
    with gr.Row(elem_id="examples"):
        examples = [gr.Button(name, size="sm", elem_id=f"example_{short}")
                    for name, short in zip(answers.posts, EXAMPLE_IDS)]
    model = gr.Dropdown(list(answers.choices), value=answers.first, label="Model", elem_id="model", filterable=False)
    note = gr.HTML(panels.paragraph(answers.loaded[answers.first][1]), elem_id="model_note", padding=False)
    return {"text": text, "picture": picture, "button": button, "examples": examples, "model": model, "note": note}


def _shown(gr: ModuleType, posts: dict[str, Post]) -> dict[str, Any]:
    """The right column: the answer, what would change it, what mattered."""
    gr.Markdown("### Answer")
    answer = gr.HTML(HINT_ANSWER, elem_id="answer", padding=False)
    gr.Markdown("### What if")
    with gr.Row():
        swaps = [gr.Dropdown([MINE, *posts], value=MINE, label=f"another {side}", elem_id=f"whatif_{side}",
                             filterable=False, min_width=140) for side in ("text", "picture")]
    whatif = gr.HTML(HINT_WHATIF, elem_id="whatif", padding=False)
    gr.Markdown("### What mattered")
    return {"answer": answer, "swaps": swaps, "whatif": whatif,
            "mattered": gr.HTML(HINT_MATTERED, elem_id="mattered", padding=False)}


def _connect(gr: ModuleType, answers: Answers, asked: dict[str, Any], shown: dict[str, Any]) -> None:
    """What happens when: only `read` is offered to programs."""
    own = {"api_visibility": "private", "show_progress": "hidden"}
    button, answer = gr.Button(visible=False), gr.JSON(visible=False)
    button.click(answers.read, [asked["text"], asked["picture"]], answer, api_name="read")
    post, mattered = [asked["text"], asked["picture"], asked["model"]], shown["mattered"]
    everything = [shown["answer"], *shown["swaps"], shown["whatif"], mattered]
    asked["model"].input(answers.choose, asked["model"], asked["note"], **own)
    for trigger in (asked["button"].click, asked["text"].submit):
        trigger(answers.show, post, everything, **own).then(answers.occlude, post, mattered, **own)
    for name, example in zip(answers.posts, asked["examples"]):
        fill = functools.partial(_filled, answers.posts[name])
        (example.click(fill, None, post[:2], **own).then(answers.show, post, everything, **own)
         .then(answers.occlude, post, mattered, **own))
    for swap in shown["swaps"]:
        swap.input(answers.whatif, [*post, *shown["swaps"]], shown["whatif"], **own)


def _filled(post: Post) -> tuple[str, Image.Image]:
    """What an example puts into the page."""
    return post.text, post.image


def _local_only(move: Callable, refusal: Callable) -> Callable:
    """Gradio's way to take over a file that a request names, for files on this machine only."""

    async def moved(path: str | Path | None) -> str | None:
        if "://" in str(path):
            raise refusal("Expected an uploaded file, got an address.", print_exception=False)
        return await move(path)

    return moved
