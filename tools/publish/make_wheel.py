"""Build the package's wheel, weights included: one file to upload to Google Colab, or to install anywhere.

python tools/publish/make_wheel.py [FOLDER]        into dist/ (make wheel), or into another folder

It is built from a copy of the sources, so that nothing left over from an earlier build gets in, and without the
internet: setuptools is in the environment.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def copy_sources(target: Path) -> Path:
    """Copy what the package is built from into a new folder."""
    shutil.copytree(ROOT / "mmsa_utils", target / "mmsa_utils", ignore=shutil.ignore_patterns("__pycache__", ".*"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy2(ROOT / name, target)
    return target


def build(folder: Path) -> Path:
    """Build the wheel into a folder, in the place of older ones; returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("mmsa_utils-*.whl"):
        old.unlink()
    with tempfile.TemporaryDirectory() as copy:
        sources = copy_sources(Path(copy))
        subprocess.run([sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps",
                        "--no-build-isolation", "--no-index", "--wheel-dir", str(folder), str(sources)], check=True)
    (wheel,) = folder.glob("mmsa_utils-*.whl")
    return wheel


def main() -> None:
    wheel = build(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "dist")
    shown = wheel.relative_to(ROOT).as_posix() if wheel.is_relative_to(ROOT) else wheel
    print(f"{shown}  {wheel.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
