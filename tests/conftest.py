"""What every test gets."""

import copy
import multiprocessing
import shutil
import socket
import sys

import chromium
import make_wheel
import pytest
from pages import in_chromium

LOCAL = {"localhost", "127.0.0.1", "::1", "0.0.0.0", "", None}


def pytest_configure():
    """One server forks for all tests of a process; what it has not imported, every child would, for some seconds."""
    if "forkserver" in multiprocessing.get_all_start_methods():
        networks = [f"transformers.models.{name}.modeling_{name}" for name in ("bert", "distilbert", "resnet", "vit")]
        multiprocessing.set_forkserver_preload(
            ["pytest", "mmsa_utils.learning.cache", "mmsa_utils.learning.training", *networks])


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """Nothing but this machine can be reached, so a test says the same with and without the internet.

    A server on loopback works, and no proxy is asked for it.
    """
    look_up, connect = socket.getaddrinfo, socket.socket.connect

    def local_look_up(host, *rest, **options):
        if host not in LOCAL:
            raise socket.gaierror(socket.EAI_NONAME, f"tests must not use the network (asked for {host})")
        return look_up(host, *rest, **options)

    def local_connect(self, address):
        if isinstance(address, tuple) and address[0] not in LOCAL:
            raise OSError(f"tests must not use the network (asked for {address[0]})")
        return connect(self, address)

    monkeypatch.setattr(socket, "getaddrinfo", local_look_up)
    monkeypatch.setattr(socket.socket, "connect", local_connect)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def one_thread():
    """Computed on one thread: as quick on a busy machine as on a quiet one."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """Makes models of two strangers' encoders, 16 numbers wide: ready at once, and soon trained."""
    from helpers import save_image, save_text

    from mmsa_utils import MultimodalSentimentModel

    place = tmp_path_factory.mktemp("tiny")
    names = {"text": str(save_text(place / "bert")), "image": str(save_image(place / "resnet", "resnet"))}
    first = MultimodalSentimentModel(**names).encoders

    def make(**options) -> MultimodalSentimentModel:
        pretrained = options.get("pretrained", True)
        sides = {side: copy.deepcopy(encoder) for side, encoder in first.items()} if pretrained else names
        return MultimodalSentimentModel(**{"hidden": 16, **sides, **options})

    return make


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """A copy of the packaged weights, to harm."""
    import mmsa_utils.model.model

    folder = tmp_path / "weights"
    shutil.copytree(mmsa_utils.model.model.WEIGHTS, folder)
    for name, module in list(sys.modules.items()):
        if name.startswith("mmsa_utils.") and hasattr(module, "WEIGHTS"):
            monkeypatch.setattr(module, "WEIGHTS", folder)
    return folder


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    """The package's wheel, built once."""
    return make_wheel.build(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def browser():
    """A real browser; without one, what asks for it is skipped."""
    pytest.importorskip("playwright", reason="playwright is not installed: pip install -e '.[test]'")
    path = chromium.find_chromium()
    if path is None:
        pytest.skip(chromium.MISSING)
    with in_chromium(path) as browser:
        yield browser


def pytest_terminal_summary(terminalreporter):
    """Say in large letters, after everything else, which tests had no browser to run in, and why."""
    reasons = [report.longrepr[2].removeprefix("Skipped: ") for report in terminalreporter.stats.get("skipped", [])
               if "browser.py" in report.nodeid or "test_book.py" in report.nodeid]
    if reasons:
        terminalreporter.section("BROWSER TESTS WERE SKIPPED", red=True, bold=True)
        for reason in dict.fromkeys(reasons):
            count = reasons.count(reason)
            terminalreporter.line(f"{count} test{'s' * (count > 1)}: {reason}", red=True)
