"""Chromium for the tests in a real browser: find it, and install it from the system's packages where that may be.

python tests/chromium.py   (make test calls it)   exit code 0 in any case: without a browser its tests are skipped

MMSA_CHROMIUM names one that lies elsewhere. A browser that is there is used as it is, and nothing is downloaded.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ELSEWHERE = {
    "darwin": ("/Applications/Chromium.app/Contents/MacOS/Chromium",
               "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"),
    "win32": (r"%ProgramFiles%\Google\Chrome\Application\chrome.exe",
              r"%LocalAppData%\Google\Chrome\Application\chrome.exe"),
}
MISSING = ("no Chromium or Chrome on this machine. `python tests/chromium.py` installs one where it may, or says why "
           "not; MMSA_CHROMIUM=/path/to/chromium names one that lies elsewhere")


def find_chromium() -> Path | None:
    """The browser that MMSA_CHROMIUM names, or the first of the usual ones; None where there is none that runs."""
    named = os.environ.get("MMSA_CHROMIUM")
    places = [named] if named else [*map(shutil.which, NAMES),
                                    *map(os.path.expandvars, ELSEWHERE.get(sys.platform, ()))]
    return next((Path(place) for place in places if place and runs(place)), None)


def runs(place: str) -> bool:
    """Whether a browser starts from here. On Ubuntu, one that was never installed leaves a script that only says so."""
    if sys.platform == "win32":  # where asking for the version opens a window
        return bool(shutil.which(place))
    try:
        return subprocess.run([place, "--version"], capture_output=True, timeout=60).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def install() -> str:
    """Try to install Chromium with apt-get, as root or by sudo without a password; returns what went wrong, if any."""
    if sys.platform != "linux" or not shutil.which("apt-get"):
        return "only apt-get (Debian, Ubuntu) is tried from here; install Chromium or Chrome by hand"
    apt = [*(["sudo", "-n"] if os.geteuid() else []), "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "--quiet",
           "-o", "Acquire::Retries=1", "-o", "Acquire::http::Timeout=20"]
    said = ""
    # Ubuntu calls it chromium-browser.
    for words in (["update"], *(["install", "--yes", "--no-install-recommends", name] for name in NAMES[:2])):
        try:
            done = subprocess.run([*apt, *words], capture_output=True, text=True, timeout=600)
            said = said or done.stderr.strip() * (done.returncode != 0)
        except (OSError, subprocess.TimeoutExpired) as error:
            said = said or str(error)
        if find_chromium():
            return ""
    return f"apt-get did not get it ({said[-500:]}); by hand: sudo apt-get install chromium"


def main() -> None:
    problem = ""
    if not find_chromium():
        if "MMSA_CHROMIUM" in os.environ:
            problem = f"MMSA_CHROMIUM is {os.environ['MMSA_CHROMIUM']!r}, and no browser starts from there"
        else:
            print("No Chromium or Chrome here: asking the system's packages for it (a minute or two)", flush=True)
            problem = install()
    print(f"The tests in a real browser WILL BE SKIPPED: {problem}" if problem
          else f"The tests in a real browser use {find_chromium()}")


if __name__ == "__main__":
    main()
