"""Files as other people expect them: whole, and readable for whom the machine's umask allows."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def usual_modes(path: Path) -> None:
    """Give a file, or a folder and all below it, the permissions that `open` and `mkdir` would have given.

    safetensors and `tempfile` make files that their owner alone may read; in a shared folder a colleague then finds
    a model that is "not there".
    """
    with tempfile.TemporaryDirectory(dir=path.parent) as probe:  # asking for the umask itself would change it
        folder, file = Path(probe) / "folder", Path(probe) / "file"
        folder.mkdir()
        file.touch()
        modes = {True: folder.stat().st_mode & 0o7777, False: file.stat().st_mode & 0o7777}
    for found in (path, *path.rglob("*")) if path.is_dir() else (path,):
        if found.stat().st_mode & 0o7777 != modes[found.is_dir()]:
            os.chmod(found, modes[found.is_dir()])


def write_whole(path: Path, text: str) -> None:
    """Write a file in UTF-8: all of it, or nothing; several processes may do it at once."""
    made = path.with_name(f".unfinished-{os.getpid()}-{path.name}")
    try:
        made.write_text(text, encoding="utf8")
        os.replace(made, path)
    finally:
        made.unlink(missing_ok=True)
