"""A real browser for tests: Chromium that remembers what it asked for; JupyterLab and the dashboard to open in it."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOCAL = {"127.0.0.1", "localhost"}
AT_HOME = {"data", "blob", "about"}  # schemes that ask nobody for anything
# Every folder that Jupyter would otherwise share with the user's own.
FOLDERS = {"JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "data", "JUPYTER_RUNTIME_DIR": "runtime",
           "JUPYTERLAB_SETTINGS_DIR": "settings", "JUPYTERLAB_WORKSPACES_DIR": "workspaces"}
# JupyterLab draws only the cells in sight, saves by itself, and asks its home page for news and newer versions,
# unless told otherwise. Tests want every cell, no writing behind their back, and no word to anybody.
SETTINGS = {
    "notebook-extension/tracker": {"windowingMode": "none"},
    "docmanager-extension/plugin": {"autosave": False},
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
}
QUIET = ("--LabApp.news_url=", "--LabApp.extension_manager=readonly", "--ServerApp.terminals_enabled=False")
NOTEBOOK = "window.jupyterapp.shell.currentWidget"
LAB = Path(__file__).resolve().parent.parent / "tools" / "notebooks" / "lab.py"  # what `make lab` starts


# No proxy for this machine, and no name but its own can be looked up: a test says the same without the internet.
ALONE = ("--no-sandbox", "--no-proxy-server",
         "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1")


@contextmanager
def in_chromium(path: Path) -> Iterator:
    """A headless browser of playwright's over the Chromium at `path`. It can reach this machine only."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(path), args=list(ALONE))
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def visit(browser, width: int = 1400, height: int = 1000, **options) -> Iterator[tuple]:
    """A page of its own, and the growing list of the addresses that it asks for, those of web sockets included."""
    context = browser.new_context(viewport={"width": width, "height": height}, **options)
    context.set_default_timeout(60_000)  # a busy machine is no fault
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    context.on("page", lambda page: page.on("websocket", lambda socket: asked.append(socket.url)))
    try:
        yield context.new_page(), asked
    finally:
        context.close()


def strangers(page, asked: Iterable[str]) -> list[str]:
    """The addresses outside this machine among those asked for, and those that the page has the browser call ahead."""
    ahead = page.evaluate("""() => [...document.querySelectorAll("link[rel~=preconnect], link[rel~=dns-prefetch]")]
        .map(link => link.href)""")
    parts = [(address, urlsplit(address)) for address in [*asked, *ahead]]
    return [address for address, part in parts if part.scheme not in AT_HOME and part.hostname not in LOCAL]


def kept(page) -> dict:
    """What a page has left in the browser, so that it would still be there after a reload, or tomorrow.

    Asked in a frame of the page's own host: a page may have put something else in the place of its own storage.
    """
    stored = page.evaluate("""async () => {
        const frame = document.body.appendChild(document.createElement("iframe")), own = frame.contentWindow;
        const found = {local: {...own.localStorage}, session: {...own.sessionStorage},
            databases: (await own.indexedDB.databases()).map(one => one.name), caches: await own.caches.keys(),
            workers: (await navigator.serviceWorker.getRegistrations()).map(one => one.scope)};
        frame.remove();
        return found }""")
    return {name: value for name, value in {**stored, "cookies": page.context.cookies()}.items() if value}


# --- JupyterLab ---

@contextmanager
def jupyterlab(folder: Path, settings: Path, theme: str = "light") -> Iterator[str]:
    """A server over the notebooks in `folder`, with all it writes beneath `settings`.

    Gives the address of a notebook, its token included, with {} in the place of the file's name.
    """
    for name, values in {**SETTINGS, "apputils-extension/themes": {"theme": f"JupyterLab {theme.title()}"}}.items():
        path = settings / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values), encoding="utf8")
    environment = {**os.environ, **{name: str(settings / place) for name, place in FOLDERS.items()}}
    with open(settings / "lab.log", "wb") as log:
        server = subprocess.Popen(
            [sys.executable, str(LAB), "--no-browser", "--allow-root", "--expose-app-in-browser",
             "--ServerApp.ip=127.0.0.1", "--ServerApp.port=0", f"--ServerApp.root_dir={folder}", *QUIET],
            stdout=log, stderr=log, env=environment)
        try:
            yield lab_address(server, settings)
        finally:
            server.terminate()
            server.wait(timeout=30)


def lab_address(server: subprocess.Popen, settings: Path, seconds: float = 60) -> str:
    """Where a server that is starting can be opened: it picks a free port itself, and writes down which."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and server.poll() is None:
        for path in (settings / "runtime").glob("jpserver-*.json"):
            try:
                said = json.loads(path.read_text(encoding="utf8"))
            except ValueError:  # still being written
                continue
            return f"http://127.0.0.1:{said['port']}/lab/tree/{{}}?token={said['token']}"
        time.sleep(0.1)
    raise RuntimeError("JupyterLab did not start:\n" + (settings / "lab.log").read_text(encoding="utf8")[-2000:])


def open_notebook(page, address: str) -> None:
    """Open one notebook, alone and without side bars, and wait until its kernel is ready for work."""
    page.goto(address)  # a quarter of a minute in all where nothing else runs
    name = unquote(urlsplit(address).path.partition("/lab/tree/")[2])  # one that was open before may come up first
    page.wait_for_function(f"""name => {{
        const widget = {NOTEBOOK.replace('.', '?.')}, session = widget?.sessionContext;
        return widget?.context?.path === name && session?.isReady && session.session?.kernel?.status === "idle" }}""",
                           arg=name, polling=100, timeout=180_000)
    page.evaluate("window.jupyterapp.shell.collapseLeft()")


def close_notebook(page) -> None:
    """End the kernel: the page alone would leave it running, and its memory taken."""
    page.evaluate(f"{NOTEBOOK}.sessionContext.shutdown()")


def run_all(page, seconds: float = 120) -> list[str]:
    """Run every cell and wait for the last; returns the errors that no cell's tag expects."""
    page.evaluate("""() => { window.finished = false;  // not awaited here: playwright would give up after its time-out
        window.jupyterapp.commands.execute("notebook:run-all-cells").then(() => { window.finished = true; }) }""")
    page.wait_for_function("window.finished", polling=100, timeout=1000 * seconds)
    cells = page.evaluate(f"{NOTEBOOK}.content.model.toJSON().cells")
    return [f"{output['ename']}: {output['evalue']}" for cell in cells for output in cell.get("outputs", ())
            if output["output_type"] == "error" and "raises-exception" not in cell["metadata"].get("tags", ())]


def explorer(page, cell_source: str):
    """The output of the one cell whose source has these words, scrolled to: an explorer's controls and view."""
    cell = page.locator(".jp-CodeCell", has=page.locator(".jp-InputArea", has_text=cell_source))
    box = cell.locator(".jp-OutputArea-output .jupyter-widgets").first
    box.wait_for()
    box.scroll_into_view_if_needed()
    return box


def control(box, label: str):
    """What takes the keyboard in the control of an explorer that carries this label."""
    widget = box.locator(".widget-inline-hbox", has=box.page.get_by_text(label, exact=True))
    return widget.locator(".noUi-handle, select, input, textarea").first


# --- the dashboard ---

@contextmanager
def dashboard() -> Iterator[str]:
    """`python -m mmsa_utils dashboard` on a free port; gives the address that it prints."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen([sys.executable, "-m", "mmsa_utils", "dashboard", "--port", str(port)],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    said = ""
    try:
        for line in server.stdout:
            said += line
            found = re.search(rf"http://\S+:{port}\S*", line)
            if found:
                break
        else:
            raise RuntimeError(f"the dashboard did not start:\n{said[-2000:]}")
        yield found[0]
    finally:
        server.terminate()
        server.wait(timeout=30)
