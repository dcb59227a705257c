"""The wheel holds the whole package: every room, every weights file, py.typed, and nothing else."""

import zipfile

from prose import ROOT

PACKAGE = ROOT / "mmsa_utils"


def test_the_wheel_holds_the_package_and_nothing_else(wheel):
    files = {f"mmsa_utils/{path.relative_to(PACKAGE).as_posix()}": path for path in PACKAGE.rglob("*")
             if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith(".")}
    with zipfile.ZipFile(wheel) as held:
        names = {name for name in held.namelist() if ".dist-info/" not in name}
        assert names == set(files)
        assert all(held.read(name) == path.read_bytes() for name, path in files.items())
    rooms = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert {"posts", "encoders", "fusion", "model", "learning", "apps"} <= rooms
    assert all(f"mmsa_utils/{room}/__init__.py" in names for room in rooms)
    assert {"mmsa_utils/py.typed", "mmsa_utils/weights/bert/model.safetensors"} <= names
    assert wheel.stat().st_size < 15e6


def test_the_weights_are_small():
    sizes = [path.stat().st_size for path in (PACKAGE / "weights").rglob("*") if path.is_file()]
    assert len(sizes) > 20
    assert sum(sizes) <= 15e6
