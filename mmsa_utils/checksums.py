"""Are the shipped weights unharmed? Their SHA-256 sums lie beside them in weights/SHA256SUMS."""

from __future__ import annotations

import hashlib
from pathlib import Path

WEIGHTS = Path(__file__).parent / "weights"


def sha256(path: Path) -> str:
    """Hex SHA-256 of a file's bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(2**20):  # a large file need not fit into memory
            digest.update(piece)
    return digest.hexdigest()


def listed(root: Path = WEIGHTS) -> dict[str, str]:
    """Relative file name → SHA-256, as root/SHA256SUMS has it (lines as `sha256sum` prints them)."""
    lines = (root / "SHA256SUMS").read_text(encoding="utf8").splitlines()
    return {name.lstrip("*"): digest for digest, name in (line.split(maxsplit=1) for line in lines if line.strip())}


def harmed(root: Path = WEIGHTS, folder: str = "") -> list[str]:
    """What is wrong with the listed files below root/folder, such as "bert/model.safetensors is damaged"."""
    faults = []
    for name, digest in listed(root).items():
        if name.startswith(folder and f"{folder}/"):
            if not (root / name).is_file():
                faults.append(f"{name} is missing")
            elif sha256(root / name) != digest:
                faults.append(f"{name} is damaged")
    return faults


def check_weights(folder: Path) -> None:
    """Compare the files of a shipped folder with their checksums.

    Raises:
        ValueError: naming the file that is missing or damaged, and the remedy.
    """
    there = (WEIGHTS / "SHA256SUMS").is_file()
    faults = harmed(WEIGHTS, folder.name) if there else ["SHA256SUMS is missing"]
    if faults:
        raise ValueError(f"the weights file {faults[0]}: restore it with `git checkout mmsa_utils/weights`, or install "
                         "mmsa-utils again.")
