"""The dashboard: a page on this machine that reads a text and a picture, shows why, and lets either be swapped.

Needs Gradio, the extra `dashboard`. Nothing leaves the machine and nothing stays in the browser: the page asks no
other host for anything, and what is uploaded lies in a private folder that is emptied while it runs and removed
when it ends. Only choosing a model in full size downloads its encoders, once, to the machine that serves.
"""

from __future__ import annotations

import functools
import getpass
import os
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import panels
from .files import MAX_BYTES, picture_from_bytes
from .loading import EncoderUnavailable
from .model import PAIRS, load_model
from .reading import MAX_TEXT, Reader, checked_text, examples, quick_align
from .reading_view import answer_html, mattered_html, post_html, whatif_html

if TYPE_CHECKING:
    import gradio
    from PIL import Image

HOST = "127.0.0.1"
WAITING = 256  # requests in the queue; more are told to come back
SHIPPED, OWN, MINE = "DistilBERT + ViT, mini (ready)", "your own model", "keep mine"
NAMES = {"bert+resnet18": "BERT + ResNet-18", "distilbert+vit": "DistilBERT + ViT"}
EXAMPLE_IDS = ("burger", "contradiction", "sarcasm", "photo")

# The browser is told to ask no other host for anything, whatever a script or a text on the page may try.
_POLICY = {"default-src": "'self'", "script-src": "'self' 'unsafe-inline' 'unsafe-eval'",
           "style-src": "'self' 'unsafe-inline'", "img-src": "'self' data: blob:", "media-src": "'self' blob:",
           "font-src": "'self' data:", "connect-src": "'self' data: blob:", "worker-src": "'self' blob:",
           "object-src": "'none'", "base-uri": "'self'", "form-action": "'self'", "frame-ancestors": "'self'"}
_HEADERS = {"content-security-policy": "; ".join(f"{key} {value}" for key, value in _POLICY.items()),
            "referrer-policy": "no-referrer", "x-content-type-options": "nosniff"}
_STYLE = """
.gradio-container {max-width: 1320px !important; margin: 0 auto !important}
#examples {flex-wrap: wrap; gap: 6px}
#examples button {min-width: 0 !important; flex: 0 1 auto}
#answer, #whatif, #mattered, #model_note, .html-container {line-height: 1.4; padding: 0 !important}
#answer {min-height: 9em}
#answer table *, #whatif table *, #mattered table * {border-color: transparent !important}
"""


def build(folder: str | Path | None = None) -> gradio.Blocks:
    """The page, not yet served.

    Args:
        folder: a model of one's own, from `train --out` or `align --out`; it is then the one that is chosen first.

    Raises:
        ValueError: if Gradio is not installed, or the folder's model is damaged.
        FileNotFoundError: if there is no such model.
    """
    gr = _gradio()
    choices = _choices(folder)
    first = next(iter(choices))
    readers: dict[str, Reader] = {}
    loading = threading.Lock()
    posts = examples()
    readers[first], about = choices[first]()

    def choose(name: str):
        """Load a model that was not used yet, saying so; one at a time."""
        if name not in readers:
            yield panels.paragraph(f"Loading {name}; a head is being aligned on generated posts. At mini size this "
                                   "takes some fifteen seconds, at full size many minutes without a GPU.")
            with loading:
                try:
                    if name not in readers:
                        readers[name], abouts[name] = choices[name]()
                except EncoderUnavailable as error:
                    print(f"{name}: {error}", file=sys.stderr)
                    yield panels.note("The encoders of this model cannot be had here: this machine neither holds them "
                                      "nor reaches the place to download them from. Take one in mini size.")
                    return
        yield panels.paragraph(abouts[name])

    def reader_of(name: str) -> Reader:
        if name not in readers:
            raise ValueError("this model is not ready: see the line below its name, or choose another.")
        return readers[name]

    def show(text: str, file: str | None, name: str) -> tuple[str, str, str, str, str]:
        """The answer at once; what is below it starts anew."""
        try:
            answer = answer_html(reader_of(name).read(checked_text(text), _opened(file)))
        except ValueError as error:
            answer = panels.note(_sentence(error))
        return answer, MINE, MINE, _HINT_WHATIF, _HINT_MATTERED

    def occlude(text: str, file: str | None, name: str) -> str:
        try:
            return mattered_html(reader_of(name).occlude(checked_text(text), _opened(file)))
        except ValueError:
            return _HINT_MATTERED  # the answer says why

    def whatif(text: str, file: str | None, name: str, other_text: str, other_picture: str) -> str:
        try:
            reader, text, picture = reader_of(name), checked_text(text), _opened(file)
            swapped_text = text if other_text == MINE else posts[other_text].text
            swapped_picture = picture if other_picture == MINE else posts[other_picture].image
            if (swapped_text, swapped_picture) == (text, picture):
                return _HINT_WHATIF
            return post_html(swapped_text, swapped_picture) + whatif_html(
                reader.read(text, picture), reader.read(swapped_text, swapped_picture), "what if")
        except ValueError as error:
            return panels.note(_sentence(error))

    def api_read(text: str, picture: str | None) -> dict[str, Any]:
        """Read one post: its text and its picture (a file) → label, probabilities, what each side alone would say."""
        try:
            return readers[first].read(checked_text(text), _opened(picture)).summary
        except ValueError as error:
            raise gr.Error(_sentence(error), print_exception=False) from None

    abouts = {first: about}
    page_folder = tempfile.TemporaryDirectory(prefix="mmsa-dashboard-", ignore_cleanup_errors=True)
    os.environ["GRADIO_TEMP_DIR"] = page_folder.name  # uploads: readable to nobody else, removed with the page
    hidden = {"api_visibility": "private", "show_progress": "hidden"}
    with gr.Blocks(title="Text and picture", analytics_enabled=False, delete_cache=(60, 900)) as page:
        page.mmsa_folder = page_folder
        gr.Markdown("# What do text and picture say together?\nWrite a post, add its picture, and read its mood: or "
                    "take an example. The machine that serves this page reads what you enter, and deletes the picture "
                    "within a quarter of an hour.")
        with gr.Row():
            with gr.Column(scale=4, min_width=300):
                text = gr.Textbox(label="Text", lines=3, max_length=MAX_TEXT, elem_id="text",
                                  placeholder="This burger is delicious!", info=f"at most {MAX_TEXT:,} characters")
                picture = gr.Image(label=f"Picture, at most {MAX_BYTES // 2**20} MB", type="filepath", format="png",
                                   image_mode=None, height=280, sources=["upload", "webcam", "clipboard"],
                                   buttons=[], elem_id="picture")
                picture.alt_text = "the picture of the post"  # of no effect in older Gradio
                button = gr.Button("Read this post", variant="primary", elem_id="read")
                gr.Markdown("**Examples**")
                with gr.Row(elem_id="examples"):
                    example_buttons = [gr.Button(name, size="sm", elem_id=f"example_{short}")
                                       for name, short in zip(posts, EXAMPLE_IDS)]
                model = gr.Dropdown(list(choices), value=first, label="Model", elem_id="model", filterable=False)
                model_note = gr.HTML(panels.paragraph(about), elem_id="model_note", padding=False)
            with gr.Column(scale=7, min_width=300):
                gr.Markdown("### Answer")
                answer = gr.HTML(_HINT_ANSWER, elem_id="answer", padding=False)
                gr.Markdown("### What if")
                with gr.Row():
                    swaps = [gr.Dropdown([MINE, *posts], value=MINE, label=f"another {side}",
                                         elem_id=f"whatif_{side}", filterable=False, min_width=140)
                             for side in ("text", "picture")]
                whatif_view = gr.HTML(_HINT_WHATIF, elem_id="whatif", padding=False)
                gr.Markdown("### What mattered")
                mattered = gr.HTML(_HINT_MATTERED, elem_id="mattered", padding=False)
        api_button, api_answer = gr.Button(visible=False), gr.JSON(visible=False)

        api_button.click(api_read, [text, picture], api_answer, api_name="read")
        post = [text, picture, model]
        shown = [answer, *swaps, whatif_view, mattered]
        model.input(choose, model, model_note, **hidden)
        for trigger in (button.click, text.submit):
            trigger(show, post, shown, **hidden).then(occlude, post, mattered, **hidden)
        for name, example in zip(posts, example_buttons):
            (example.click(functools.partial(_filled, posts[name]), None, [text, picture], **hidden)
             .then(show, post, shown, **hidden).then(occlude, post, mattered, **hidden))
        for swap in swaps:
            swap.input(whatif, [*post, *swaps], whatif_view, **hidden)

    # Gradio would open a picture before we can look at its size, and fetch what a request names by its address.
    picture.preprocess = lambda payload: payload.path if payload else None
    for block in page.blocks.values():
        block.async_move_resource_to_block_cache = _local_only(block.async_move_resource_to_block_cache, gr.Error)
    return page.queue(max_size=WAITING)


_HINT_ANSWER = panels.paragraph("No post has been read yet.")
_HINT_MATTERED = panels.paragraph("The words and the regions of the picture that mattered, shortly after the answer.")
_HINT_WHATIF = panels.paragraph("Swap the text or the picture for an example's, and see the answer move.")


def launch(page: gradio.Blocks, port: int | None = None, *, share: bool = False, user: str = "", password: str = "",
           block: bool = False) -> str:
    """Serve the page on this machine alone (or, with `share`, through Gradio's public tunnel); returns its address.

    Args:
        port: None for a free one.
        share, user, password: see `main`; a name and a password are demanded from every visitor where they are given.
        block: wait until Ctrl+C.

    Raises:
        ValueError: if sharing lacks a user name or password, or there is no such port.
        OSError: if the port is taken.
    """
    from starlette.middleware import Middleware

    if share and not (user and password):
        raise ValueError("sharing puts the page on the public internet: give --user NAME and a password (in the "
                         "environment variable MMSA_PASSWORD, or asked for).")
    if port is not None and not 1 <= port <= 65535:
        raise ValueError(f"--port is {port}, expected 1 to 65535.")
    os.environ["GRADIO_TEMP_DIR"] = page.mmsa_folder.name
    for name in ("NO_PROXY", "no_proxy"):  # Gradio asks its own server whether it is up
        os.environ[name] = ",".join(filter(None, [os.environ.get(name), HOST]))
    gr = _gradio()
    theme = gr.themes.Default(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]).set(
        button_primary_background_fill=panels.BLUE, button_primary_background_fill_dark=panels.BLUE,
        button_primary_background_fill_hover="#005a8c", button_primary_background_fill_hover_dark="#005a8c",
        block_info_text_color="*neutral_600", block_info_text_color_dark="*neutral_400",
        input_placeholder_color="*neutral_500", color_accent=panels.BLUE)
    _, url, public = page.launch(
        server_name=HOST, server_port=port or _free_port(), share=share, auth=(user, password) if user else None,
        max_file_size=MAX_BYTES, show_error=False, quiet=True, prevent_thread_lock=True, footer_links=[],
        enable_monitoring=False, ssr_mode=False, mcp_server=False, pwa=False, inbrowser=False,
        state_session_capacity=100,  # what it keeps of each visitor, and of each request of a program
        theme=theme, css=_STYLE, app_kwargs={"middleware": [Middleware(_Headers)], "docs_url": None,
                                             "redoc_url": None, "openapi_url": None})
    page.share = False  # else the public page would load Gradio's scripts from another host instead of from here
    url = public or url
    if block:
        signal.signal(signal.SIGTERM, lambda *rest: sys.exit(0))  # so that uploads are removed then, too
        print(f"The dashboard is at {url} (Ctrl+C ends it).", flush=True)
        page.block_thread()
    return url


def main(folder: str | None, port: int | None, share: bool, user: str | None) -> int:
    """The command `dashboard`: serve until Ctrl+C.

    Raises:
        ValueError, OSError: with the reason why it cannot.
    """
    password = ""
    if share or user:
        print("warning: whoever has the address and the password can use this page and this machine's computing time; "
              "what visitors enter passes through Gradio's servers." if share else
              "note: every visitor is asked for this name and password.", file=sys.stderr)
        if not user:
            raise ValueError("--share needs --user NAME, and a password: both are asked from every visitor.")
        password = os.environ.get("MMSA_PASSWORD") or (getpass.getpass("Password for the page: ")
                                                       if sys.stdin.isatty() else "")
        if not password:
            raise ValueError("there is no password: set the environment variable MMSA_PASSWORD, or start this in a "
                             "terminal to be asked for it.")
    import torch

    # The server's own threads want the other half of the cores: a post is read sooner so, and more evenly.
    torch.set_num_threads(max(1, (os.cpu_count() or 2) // 2))
    launch(build(folder), port, share=share, user=user or "", password=password, block=True)
    return 0


def _gradio():
    """Gradio, told beforehand not to report on its use."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["GRADIO_RUN_HISTORY"] = "False"  # else it keeps every run in the browser's storage
    # Else it keeps a record of every request, and makes a table of all of them at each.
    os.environ["GRADIO_ANALYTICS_MAX_EVENTS"], os.environ["GRADIO_ANALYTICS_CACHE_FREQUENCY"] = "1", str(10**9)
    try:
        import gradio
    except ImportError as error:
        raise ValueError(f'the dashboard needs Gradio ({error}): pip install "mmsa-utils[dashboard]".') from error
    return gradio


def _choices(folder: str | Path | None) -> dict[str, Callable[[], tuple[Reader, str]]]:
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


def _filled(post) -> tuple[str, Image.Image]:
    """What an example puts into the page."""
    return post.text, post.image


def _opened(path: str | None) -> Image.Image:
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


def _local_only(move: Callable, refusal: Callable) -> Callable:
    """Gradio's way to take over a file that a request names, for files on this machine only."""

    async def moved(path: str | Path | None) -> str | None:
        if "://" in str(path):
            raise refusal("Expected an uploaded file, got an address.", print_exception=False)
        return await move(path)

    return moved


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


class _Headers:
    """ASGI middleware that adds our headers to every answer."""

    def __init__(self, app: Callable):
        self.app = app

    async def __call__(self, scope: dict, receive: Callable, send: Callable) -> None:
        async def with_headers(message: dict) -> None:
            if message["type"] == "http.response.start":
                own = [(key.encode(), value.encode()) for key, value in _HEADERS.items()]
                message = {**message, "headers": [*message["headers"], *own]}
            await send(message)

        await self.app(scope, receive, with_headers)
