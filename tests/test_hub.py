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
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import helpers
import pytest
import torch
from PIL import Image

from mmsa_utils import EncoderUnavailable, load_image_encoder

ROOT = Path(__file__).resolve().parent.parent
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
    thread = threading.Thread(target=server.serve_forever)
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


def run(code: str, home: Path, **environment: str) -> dict:
    """Run code in a fresh process (the hub's client reads its settings once) whose only way out is loopback."""
    foreign = ("HF_", "TRANSFORMERS_", "TORCH_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    settings = {**kept, "HF_HOME": str(home / "hf"), "TORCH_HOME": str(home / "torch"), "PYTHONPATH": str(ROOT),
                "HTTPS_PROXY": nobody(), "NO_PROXY": "127.0.0.1", **environment}
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], env=settings, capture_output=True, text=True,
                          timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


ENCODE = """
    import json
    import torch
    from PIL import Image
    from mmsa_utils import EncoderUnavailable, load_image_encoder, load_text_encoder
    bert, vit = load_text_encoder("bert", "full"), load_image_encoder("vit", "full")
    with torch.no_grad():
        text = bert(**bert.tokenize(["This burger is delicious!"]))
        image = vit(vit.preprocess([Image.new("RGB", (50, 40), "red")]))
    try:
        load_text_encoder("nobody/nothing")
    except EncoderUnavailable as error:
        assert "nobody/nothing" in str(error)
        print(json.dumps([text.tolist(), image.tolist()]))
"""


def test_the_hub_then_its_cache_without_it(tmp_path):
    folders = {"google-bert/bert-base-uncased": helpers.save_text(tmp_path / "bert"),
               "google/vit-base-patch16-224": helpers.save_image(tmp_path / "vit")}
    with hub(folders) as (address, asked):
        fetched = run(ENCODE, tmp_path, HF_ENDPOINT=address)
    assert [len(rows[0]) for rows in fetched] == [helpers.WIDTH] * 2
    got = " ".join(asked)
    for folder in folders:
        assert re.search(f"GET /{folder}/resolve/(main|{COMMIT})/model.safetensors", got)
    assert ".bin" not in got
    assert list((tmp_path / "hf").rglob("model.safetensors"))
    assert run(ENCODE, tmp_path, HF_ENDPOINT=address, HF_HUB_OFFLINE="1") == fetched


REFUSALS = """
    import json
    import time
    from mmsa_utils import EncoderUnavailable, load_image_encoder, load_text_encoder
    import transformers.models.bert, transformers.models.vit, torchvision  # importing is not what is timed
    refusals = {}
    for name, load in (("bert", load_text_encoder), ("vit", load_image_encoder), ("resnet18", load_image_encoder)):
        start = time.perf_counter()
        try:
            load(name, "full")
        except EncoderUnavailable as error:
            refusals[name] = [str(error), time.perf_counter() - start]
    print(json.dumps(refusals))
"""
SOURCES = {"bert": "bert-base-uncased", "vit": "google/vit-base-patch16-224", "resnet18": "ResNet18_Weights"}


def test_without_a_hub_and_a_cache_the_error_names_model_cause_and_three_ways_out(tmp_path):
    refusals = run(REFUSALS, tmp_path, HF_ENDPOINT=nobody())
    assert set(refusals) == set(SOURCES)
    for name, (message, seconds) in refusals.items():
        first, cause, heading, *ways = message.splitlines()
        assert name in first
        assert SOURCES[name] in first
        assert re.fullmatch(r"Cause: .*(cannot be reached|refused).*", cause)
        assert heading == "Three ways out:"
        assert [any(word in way for word in words) for way, words in
                zip(ways, [("HTTPS_PROXY",), ("HF_HOME", "TORCH_HOME"), ('size="mini"',)])] == [True] * 3
        assert seconds < 10


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
    pixels = encoder.preprocess([Image.new("L", (300, 250), 90)])
    assert pixels.shape == (1, 3, 224, 224)
    with torch.no_grad():
        assert torch.equal(encoder(pixels), net.eval()(pixels))
    assert encoder.width == 512


@pytest.mark.parametrize("content", [b"", b"garbage" * 100])
def test_a_damaged_torch_cache_is_refused(torch_home, content):
    torch_home.write_bytes(content)
    with pytest.raises((ValueError, EncoderUnavailable), match=r"(?s)ResNet18_Weights.*(damaged|three ways out)"):
        load_image_encoder("resnet18", "full")


def test_a_torch_cache_runs_no_code(torch_home):
    class Trap:
        def __reduce__(self):
            return (time.sleep, (100,))

    torch.save({"conv1.weight": Trap()}, torch_home)
    start = time.perf_counter()
    with pytest.raises((ValueError, EncoderUnavailable)):
        load_image_encoder("resnet18", "full")
    assert time.perf_counter() - start < 50
