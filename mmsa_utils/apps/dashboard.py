"""The dashboard: a page on this machine that reads a text and a picture, shows why, and lets either be swapped.

Needs Gradio, the extra `dashboard`. Nothing leaves the machine and nothing stays in the browser: the page asks no
other host for anything, and what is uploaded lies in a private folder that is emptied while it runs and removed
when it ends. Only choosing a model in full size downloads its encoders, once, to the machine that serves.
"""

from __future__ import annotations

import getpass
import ipaddress
import os
import signal
import socket
import sys
import time
import webbrowser
from collections.abc import Callable
from typing import TYPE_CHECKING

from .common import log

if TYPE_CHECKING:
    import gradio

HOST = "127.0.0.1"
# The names that this machine has for itself. A page served to it alone answers to no other: else a foreign page, whose
# name is made to lead here, could read along in its visitor's browser.
OWN_NAMES = ["localhost", "127.0.0.1", "[::1]"]
COLAB = "https://*.googleusercontent.com https://*.google.com https://*.colab.dev"

# The browser is told to ask no other host for anything, whatever a script or a text on the page may try. Pages of this
# machine may show it in a frame, as notebooks do.
_POLICY = {"default-src": "'self'", "script-src": "'self' 'unsafe-inline' 'unsafe-eval'",
           "style-src": "'self' 'unsafe-inline'", "img-src": "'self' data: blob:", "media-src": "'self' blob:",
           "font-src": "'self' data:", "connect-src": "'self' data: blob:", "worker-src": "'self' blob:",
           "object-src": "'none'", "base-uri": "'self'", "form-action": "'self'",
           "frame-ancestors": "'self' http://localhost:* http://127.0.0.1:*"}


def launch(page: gradio.Blocks, port: int | None = None, *, host: str = HOST, share: bool = False, user: str = "",
           password: str = "", open_browser: bool = False, block: bool = False) -> str:
    """Serve the page on this machine alone, at another address of it, or with `share` through Gradio's public tunnel.

    Args:
        port: None for a free one.
        host: the address to listen at, such as 0.0.0.0 for all of this machine's.
        share, user, password: see `main`; a name and a password are demanded from every visitor where they are given.
        open_browser: open the page in the browser of whoever started it.
        block: wait until Ctrl+C.

    Returns:
        The page's address.

    Raises:
        ValueError: if others could come in and there is no user name or password, or there is no such port.
        OSError: if the port is taken, or the machine has no such address.
    """
    from starlette.middleware import Middleware
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    from .look import SCRIPT, style, theme
    from .page import MAX_BYTES, import_gradio

    at_home = is_loopback(host) and not share
    if not at_home and not (user and password):
        raise ValueError(f"{_opened_to(host, share)}: give --user NAME and a password (in the environment variable "
                         "MMSA_PASSWORD, or asked for).")
    if port is not None and not 1 <= port <= 65535:
        raise ValueError(f"--port is {port}, expected 1 to 65535.")
    port = port or _free_port(host)
    os.environ["GRADIO_TEMP_DIR"] = page.mmsa_folder.name  # type: ignore[attr-defined]  # see `build`
    for name in ("NO_PROXY", "no_proxy"):  # Gradio asks its own server whether it is up
        os.environ[name] = ",".join(filter(None, [os.environ.get(name), HOST, host]))
    gr = import_gradio()
    middleware = [Middleware(_Headers, {"content-security-policy": policy()})]
    if at_home and not on_colab():
        middleware.append(Middleware(TrustedHostMiddleware, allowed_hosts=[*OWN_NAMES, host], www_redirect=False))
    _, url, public = page.launch(
        server_name=host, server_port=port, share=share, auth=(user, password) if user else None,
        max_file_size=MAX_BYTES, show_error=False, quiet=True, prevent_thread_lock=True, footer_links=[],
        enable_monitoring=False, ssr_mode=False, mcp_server=False, pwa=False, inbrowser=False, inline=False,
        state_session_capacity=100,  # what it keeps of each visitor, and of each request of a program
        theme=theme(gr), css=style(page.mmsa_thumbnails), head=SCRIPT,  # type: ignore[attr-defined]
        app_kwargs={"middleware": middleware, "docs_url": None, "redoc_url": None, "openapi_url": None})
    page.share = False  # else the public page would load Gradio's scripts from another host instead of from here
    url = public or url
    if open_browser:
        webbrowser.open(url)
    if block:
        signal.signal(signal.SIGTERM, lambda *rest: sys.exit(0))  # so that uploads are removed then, too
        print(f"The dashboard is at {url} (Ctrl+C ends it).", flush=True)
        try:
            while True:
                time.sleep(1)
        except KeyboardInterrupt:
            log("\nThe dashboard has ended; what was uploaded is deleted.")
    return url


def main(folder: str | None, port: int | None, share: bool, user: str | None, host: str = HOST,
         open_browser: bool = False) -> int:
    """The command `dashboard`: serve until Ctrl+C.

    Raises:
        ValueError, OSError: with the reason why it cannot.
    """
    password = ""
    away = share or not is_loopback(host)
    if away or user:
        log("warning: whoever has the address and the password can use this page and this machine's computing time; "
            "what visitors enter passes through Gradio's servers." if share else
            "warning: whoever has the address and the password can use this page and this machine's computing time; "
            "it speaks plain http, so let strangers' networks see it only behind a server that speaks https."
            if away else "note: every visitor is asked for this name and password.")
        if not user:
            raise ValueError(f"{_opened_to(host, share)}: it needs --user NAME and a password, which are asked from "
                             "every visitor.")
        password = os.environ.get("MMSA_PASSWORD") or (getpass.getpass("Password for the page: ")
                                                       if sys.stdin.isatty() else "")
        if not password:
            raise ValueError("there is no password: set the environment variable MMSA_PASSWORD, or start this in a "
                             "terminal to be asked for it.")
    log("Starting the dashboard: the model is loaded, about ten seconds ...")
    import torch

    from .page import build

    # The server's own threads want the other half of the cores: a post is read sooner so, and more evenly.
    torch.set_num_threads(max(1, (os.cpu_count() or 2) // 2))
    launch(build(folder), port, host=host, share=share, user=user or "", password=password, open_browser=open_browser,
           block=True)
    return 0


def is_loopback(host: str) -> bool:
    """Whether an address to listen at is one that only this machine can reach."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def on_colab() -> bool:
    """Whether this is a machine of Colab's: there Colab itself brings a page to its one visitor, under another name."""
    return "COLAB_RELEASE_TAG" in os.environ


def policy() -> str:
    """What the browser may do on the page."""
    return "; ".join(f"{key} {value}" for key, value in _POLICY.items()) + (f" {COLAB}" if on_colab() else "")


def _opened_to(host: str, share: bool) -> str:
    return ("--share puts the page on the public internet" if share else
            f"--host {host} lets other machines see the page")


def _free_port(host: str) -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            probe.bind((host, 0))
            return probe.getsockname()[1]
    except OSError as error:
        raise OSError(f"--host is {host}: this machine has no such address ({error.strerror or error}). Take 127.0.0.1 "
                      "for this machine alone, 0.0.0.0 for all of its addresses.") from None


class _Headers:
    """ASGI middleware that adds our headers to every answer."""

    def __init__(self, app: Callable, headers: dict[str, str]):
        self.app = app
        named = {**headers, "referrer-policy": "no-referrer", "x-content-type-options": "nosniff"}
        self.headers = [(key.encode(), value.encode()) for key, value in named.items()]

    async def __call__(self, scope: dict, receive: Callable, send: Callable) -> None:
        async def with_headers(message: dict) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *self.headers]}
            await send(message)

        await self.app(scope, receive, with_headers)
