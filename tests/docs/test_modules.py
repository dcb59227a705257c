"""docs/modules.md shows the whole house: every module once, under its room."""

import re

from prose import ROOT

PACKAGE = ROOT / "mmsa_utils"


def test_every_module_stands_once_under_its_room():
    page = (ROOT / "docs" / "modules.md").read_text(encoding="utf8")
    shown: dict[str, list[str]] = {}
    for title, body in re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", page, flags=re.DOTALL | re.MULTILINE):
        for name in re.findall(r"^   ([\w.]+)$", body, flags=re.MULTILINE):
            shown.setdefault(name, []).append(title)
    modules = {".".join(path.relative_to(PACKAGE).with_suffix("").parts) for path in PACKAGE.rglob("*.py")
               if path.name != "__init__.py"}
    assert len(modules) > 60
    assert sorted(shown) == sorted(modules)
    for name, titles in shown.items():
        room = name.rpartition(".")[0].partition(".")[0] or ("apps" if name == "__main__" else "ground")
        assert len(titles) == 1, name
        assert re.search(rf"\b{room}\b", titles[0]), f"{name} stands under {titles[0]}"
