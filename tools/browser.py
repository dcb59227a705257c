"""Chromium for the tests in a real browser: find it, and install it from the system's packages where that may be.

python tools/browser.py   (make test calls it)   exit code 0 in any case: without a browser its tests are skipped

MMSA_CHROMIUM names one that lies elsewhere. A browser that is there is used as it is, and nothing is downloaded.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from stopping import leave

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ELSEWHERE = {
    "darwin": ("/Applications/Chromium.app/Contents/MacOS/Chromium",
               "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"),
    "win32": (r"%ProgramFiles%\Google\Chrome\Application\chrome.exe",
              r"%ProgramFiles(x86)%\Google\Chrome\Application\chrome.exe",
              r"%LocalAppData%\Google\Chrome\Application\chrome.exe",
              r"%LocalAppData%\Chromium\Application\chrome.exe"),
}
MISSING = ("no Chromium or Chrome on this machine. `python tools/browser.py` installs one where it may, or says why "
           "not; MMSA_CHROMIUM=/path/to/chromium names one that lies elsewhere")
SECONDS = 600  # for the package manager


def find_chromium() -> Path | None:
    """The browser that MMSA_CHROMIUM names, or the first of the usual ones; None where there is none that runs."""
    named = os.environ.get("MMSA_CHROMIUM")
    if named:
        places = [named]
    else:
        places = [*map(shutil.which, NAMES), *map(os.path.expandvars, ELSEWHERE.get(sys.platform, ()))]
    return next((Path(place) for place in places if place and runs(place)), None)


def runs(place: str) -> bool:
    """Whether a browser starts from here. On Ubuntu, one that was never installed leaves a script that only says so."""
    if not shutil.which(place):
        return False
    if sys.platform == "win32":  # where asking for the version opens a window
        return True
    try:
        return subprocess.run([place, "--version"], capture_output=True, timeout=60).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def root_prefix() -> list[str] | None:
    """What goes before a command that needs root: nothing for root, sudo where it asks for no password, else None."""
    if os.geteuid() == 0:
        return []
    sudo = ["sudo", "-n"]
    if shutil.which("sudo") and subprocess.run([*sudo, "true"], capture_output=True).returncode == 0:
        return sudo
    return None


def install() -> str | None:
    """Install Chromium with apt-get; returns why it could not be, or None when it is there."""
    if sys.platform != "linux" or not shutil.which("apt-get"):
        return "only apt-get (Debian, Ubuntu) is tried from here; install Chromium or Chrome by hand"
    prefix = root_prefix()
    if prefix is None:
        return "that takes root, or sudo without a password; by hand: sudo apt-get install chromium"
    apt = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "--quiet",
           "-o", "Acquire::Retries=1", "-o", "Acquire::http::Timeout=20"]
    said = ""
    # Ubuntu calls it chromium-browser.
    for command in (["update"], *(["install", "--yes", "--no-install-recommends", name] for name in NAMES[:2])):
        try:
            done = subprocess.run([*apt, *command], capture_output=True, text=True, timeout=SECONDS)
        except subprocess.TimeoutExpired:
            return f"apt-get {command[0]} took longer than {SECONDS} seconds"
        if find_chromium():
            return None
        said = said or (done.stderr.strip() if done.returncode else "")
    return f"apt-get did not get it: {said[-500:] or 'it installed something that does not run'}"


def main() -> int:
    named, problem = os.environ.get("MMSA_CHROMIUM"), None
    if not find_chromium():
        if named:
            problem = f"MMSA_CHROMIUM is {named!r}, and no browser starts from there"
        else:
            print("No Chromium or Chrome here: asking the system's packages for it (a minute or two)", flush=True)
            problem = install()
    print(f"The tests in a real browser WILL BE SKIPPED: {problem}" if problem
          else f"The tests in a real browser use {find_chromium()}")
    return 0


if __name__ == "__main__":
    leave(main)
