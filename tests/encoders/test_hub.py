"""Full-size encoders come from a hub, a filled cache or nowhere, without the internet: the hub here is on loopback."""

import contextlib
import hashlib
import json
import os
import re
import socket
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import helpers
import pytest
import torch
from PIL import Image

from mmsa_utils import EncoderUnavailable, load_image_encoder

ROOT = Path(__file__).resolve().parents[2]
COMMIT = "0123456789abcdef0123456789abcdef01234567"
MOVED = {"bert-base-uncased": "google-bert/bert-base-uncased"}  # as at the hub, the old name redirects


class Hub(BaseHTTPRequestHandler):
    """/{repository}/resolve/{revision}/{file} and /api/models/{repository}[/tree/main], from folders."""

    folders: dict[str, Path]
    asked: list[str]

    def do_GET(self):
        self.answer()

    def do_HEAD(self):
        self.answer()

    def log_message(self, *words):
        pass

    def answer(self):
        path = self.path.partition("?")[0].strip("/").removeprefix("api/models/")
        is_api = self.path.startswith("/api/")
        self.asked.append(f"{self.command} {self.path}")
        for old, new in MOVED.items():
            if path == old or path.startswith(old + "/"):
                return self.reply(307, b"", Location=("/api/models/" if is_api else "/") + path.replace(old, new, 1))
        repository = next((name for name in self.folders if path == name or path.startswith(name + "/")), None)
        if repository is None:
            return self.reply(404, b"", **{"X-Error-Code": "RepoNotFound"})
        rest = path[len(repository) :].strip("/").split("/")
        if is_api and rest == [""]:
            files = [{"rfilename": file.name} for file in self.folders[repository].iterdir()]
            return self.reply(200, json.dumps({"id": repository, "sha": COMMIT, "siblings": files}).encode())
        if is_api and rest == ["tree", "main"]:
            files = [{"type": "file", "path": file.name, "size": file.stat().st_size, "oid": COMMIT}
                     for file in self.folders[repository].iterdir()]
            return self.reply(200, json.dumps(files).encode())
        file = self.folders[repository] / "/".join(rest[2:])
        if not is_api and rest[0] == "resolve" and file.is_file():
            content = file.read_bytes()
            tag = hashlib.sha256(content).hexdigest()
            return self.reply(200, content, ETag=f'"{tag}"', **{"X-Repo-Commit": COMMIT})
        return self.reply(404, b"", **{"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT})

    def reply(self, status: int, content: bytes, **headers: str):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)


@contextlib.contextmanager
def hub(folders: dict[str, Path]) -> Iterator[tuple[str, list[str]]]:
    asked: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("ThisHub", (Hub,), {"folders": folders, "asked": asked}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def nobody() -> str:
    """An address on loopback where nothing listens."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{s.getsockname()[1]}"


PROGRAM = """
    import json
    import sys
    import torch
    from PIL import Image
    from mmsa_utils import EncoderUnavailable, load_image_encoder, load_text_encoder

    def encoded():
        bert, vit = load_text_encoder("bert", "full"), load_image_encoder("vit", "full")
        with torch.no_grad():
            return [bert(**bert.prepare(["This burger is delicious!"])).tolist(),
                    vit(**vit.prepare([Image.new("RGB", (50, 40), "red")])).tolist()]

    def refusals():
        said = {}
        for name, load in (("bert", load_text_encoder), ("vit", load_image_encoder), ("resnet18", load_image_encoder),
                           ("nobody/nothing", load_text_encoder)):
            try:
                load(name, "full")
            except EncoderUnavailable as error:
                said[name] = str(error)
        return said

    for question in sys.stdin:
        print(json.dumps(globals()[question.strip()]()), flush=True)
"""


@contextlib.contextmanager
def started(home: Path, **environment: str) -> Iterator[Callable[[str], Any]]:
    """Ask a fresh process (the hub's client reads its settings once) whose only way out is loopback."""
    foreign = ("HF_", "TRANSFORMERS_", "TORCH_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    settings = {**kept, "HF_HOME": str(home / "hf"), "TORCH_HOME": str(home / "torch"), "PYTHONPATH": str(ROOT),
                "HTTPS_PROXY": nobody(), "NO_PROXY": "127.0.0.1", **environment}
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(PROGRAM)], env=settings, text=True,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:

        def ask(question: str) -> Any:
            print(question, file=process.stdin, flush=True)
            return json.loads(process.stdout.readline())

        yield ask


SOURCES = {"bert": "bert-base-uncased", "vit": "google/vit-base-patch16-224", "resnet18": "ResNet18_Weights"}


def test_the_hub_then_neither_then_its_cache(tmp_path):
    folders = {"google-bert/bert-base-uncased": helpers.save_text(tmp_path / "bert"),
               "google/vit-base-patch16-224": helpers.save_image(tmp_path / "vit")}
    home = tmp_path / "home"
    with contextlib.ExitStack() as until_the_end:
        with hub(folders) as (address, asked):
            ask = until_the_end.enter_context(started(home, HF_ENDPOINT=address))
            fetched = ask("encoded")
            assert "nobody/nothing" in ask("refusals")["nobody/nothing"]  # the hub has no such model
        assert [len(rows[0]) for rows in fetched] == [helpers.WIDTH] * 2
        got = " ".join(asked)
        for folder in folders:
            assert re.search(f"GET /{folder}/resolve/(main|{COMMIT})/model.safetensors", got)
        assert ".bin" not in got
        assert list((home / "hf").rglob("model.safetensors"))
        (home / "hf").rename(home / "away")
        refused(ask("refusals"))
    (home / "away").rename(home / "hf")
    with started(home, HF_ENDPOINT=address, HF_HUB_OFFLINE="1") as ask:
        assert ask("encoded") == fetched


def refused(refusals: dict[str, str]) -> None:
    """Each error names the model, the cause and three ways out."""
    assert set(SOURCES) < set(refusals)
    for name, source in SOURCES.items():
        first, cause, heading, *ways = refusals[name].splitlines()
        assert name in first
        assert source in first
        assert re.fullmatch(r"Cause: .*(cannot be reached|refused).*", cause)
        assert heading == "Three ways out:"
        assert [any(word in way for word in words) for way, words in
                zip(ways, [("HTTPS_PROXY",), ("HF_HOME", "TORCH_HOME"), ('size="mini"',)])] == [True] * 3


# --- torchvision's cache ---


@pytest.fixture
def torch_home(tmp_path, monkeypatch) -> Path:
    """Where torchvision looks for ResNet-18."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    path = tmp_path / "hub" / "checkpoints" / "resnet18-f37072fd.pth"
    path.parent.mkdir(parents=True)
    return path


def test_resnet18_comes_from_a_filled_torch_cache(torch_home):
    from torchvision.models import resnet18

    with torch.random.fork_rng():
        torch.manual_seed(7)
        net = resnet18(weights=None)
    torch.save(net.state_dict(), torch_home)
    encoder = load_image_encoder("resnet18", "full")
    net.fc = torch.nn.Identity()
    batch = encoder.prepare([Image.new("L", (300, 250), 90)])
    assert batch["pixel_values"].shape == (1, 3, 224, 224)
    with torch.no_grad():
        assert torch.allclose(encoder(**batch), net.eval()(batch["pixel_values"]), atol=1e-6)
    assert encoder.width == 512


@pytest.mark.parametrize("content", [b"", b"garbage" * 100])
def test_a_damaged_torch_cache_is_refused(torch_home, content):
    torch_home.write_bytes(content)
    with pytest.raises((ValueError, EncoderUnavailable), match=r"(?s)ResNet18_Weights.*(damaged|three ways out)"):
        load_image_encoder("resnet18", "full")


def test_a_torch_cache_runs_no_code(torch_home):
    class Trap:
        def __reduce__(self):
            return (open, (str(torch_home.with_name("ran")), "w"))

    torch.save({"conv1.weight": Trap()}, torch_home)
    with pytest.raises((ValueError, EncoderUnavailable)):
        load_image_encoder("resnet18", "full")
    assert not torch_home.with_name("ran").exists()
