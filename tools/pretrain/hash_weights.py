"""Write mmsa_utils/weights/SHA256SUMS anew, which `python -m mmsa_utils doctor` checks the weights against.

Run it after the weights were trained: python tools/pretrain/hash_weights.py
"""

from pathlib import Path

from mmsa_utils.checksums import WEIGHTS, sha256

LOADED = {".safetensors", ".json"}


def write_sums(folder: Path) -> int:
    """List every file below `folder` that is loaded, as `sha256sum` prints it; return how many there are.

    Cards and licences are not listed: a word mended in one harms no model.
    """
    files = sorted(path for path in folder.rglob("*") if path.name == "vocab.txt" or path.suffix in LOADED)
    lines = [f"{sha256(path)}  {path.relative_to(folder).as_posix()}\n" for path in files]
    (folder / "SHA256SUMS").write_text("".join(lines), encoding="utf8", newline="\n")
    return len(files)


if __name__ == "__main__":
    print(f"{WEIGHTS.name}/SHA256SUMS: {write_sums(WEIGHTS)} files")
