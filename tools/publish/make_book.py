"""Build the book: every notebook, module and page of docs/ as HTML, from the stored outputs, without the network.

python tools/publish/make_book.py (make book)   the book lies in build/book; exit code 1 if Sphinx warns of anything
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BOOK = ROOT / "build" / "book"


def build(book: Path = BOOK) -> subprocess.CompletedProcess:
    """Build into the folder `book`, from scratch: Sphinx repeats no warning about a page that it has read before."""
    shutil.rmtree(book, ignore_errors=True)
    shutil.rmtree(ROOT / "docs" / "modules", ignore_errors=True)  # written anew, a page a module: see docs/modules.md
    return subprocess.run(
        [sys.executable, "-m", "sphinx", "-b", "html", "-q", "-W", "--keep-going", "-c", str(ROOT / "docs"),
         "-d", str(book.parent / "doctrees"), "-E", str(ROOT), str(book)],
        cwd=ROOT, capture_output=True, text=True)


def main() -> int:
    print("Building the book: a minute or two.", flush=True)
    start = time.monotonic()
    done = build()
    print(done.stdout + done.stderr, end="")
    if done.returncode:
        print("The book was NOT built cleanly: mend what is listed above.")
        return 1
    pages = len(list(BOOK.rglob("*.html")))
    print(f"{pages} pages in {time.monotonic() - start:.0f} s. Open {(BOOK / 'index.html').relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
