"""The dashboard: a page on this machine that reads a text and a picture, shows why, and lets either be swapped.

Needs Gradio, the extra `dashboard`. Nothing leaves the machine and nothing stays in the browser: the page asks no
other host for anything, and what is uploaded lies in a private folder that is emptied while it runs and removed
when it ends. Only choosing a model in full size downloads its encoders, once, to the machine that serves.
"""

from __future__ import annotations

import getpass
import os
import signal
import socket
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..figures.panels import BLUE
from ..posts.pictures import MAX_BYTES
from .page import build, import_gradio

if TYPE_CHECKING:
    import gradio

HOST = "127.0.0.1"

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
    os.environ["GRADIO_TEMP_DIR"] = page.mmsa_folder.name  # type: ignore[attr-defined]  # see `build`
    for name in ("NO_PROXY", "no_proxy"):  # Gradio asks its own server whether it is up
        os.environ[name] = ",".join(filter(None, [os.environ.get(name), HOST]))
    gr = import_gradio()
    theme = gr.themes.Default(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]).set(
        button_primary_background_fill=BLUE, button_primary_background_fill_dark=BLUE,
        button_primary_background_fill_hover="#005a8c", button_primary_background_fill_hover_dark="#005a8c",
        block_info_text_color="*neutral_600", block_info_text_color_dark="*neutral_400",
        input_placeholder_color="*neutral_500", color_accent=BLUE)
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
