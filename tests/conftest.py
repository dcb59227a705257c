"""What every test gets."""

import socket

import browser as chromium  # tools/browser.py
import pytest
from pages import in_chromium

LOCAL = {"localhost", "127.0.0.1", "::1", "0.0.0.0", "", None}


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
               if "test_browser.py" in report.nodeid or "test_book.py" in report.nodeid]
    if reasons:
        terminalreporter.section("BROWSER TESTS WERE SKIPPED", red=True, bold=True)
        for reason in dict.fromkeys(reasons):
            count = reasons.count(reason)
            terminalreporter.line(f"{count} test{'s' * (count > 1)}: {reason}", red=True)
