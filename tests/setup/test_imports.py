"""Importing is cheap, and every public name is there, for Python and for editors."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from prose import ROOT

import mmsa_utils

CHEAP = """
import sys
import mmsa_utils, mmsa_utils.apps.cli
print({"torch", "numpy", "PIL", "transformers", "matplotlib", "scipy", "IPython", "ipywidgets"} & set(sys.modules))
import importlib, pkgutil
names = [module.name for module in pkgutil.walk_packages(mmsa_utils.__path__, "mmsa_utils.")]
for name in names:
    importlib.import_module(name)
print({"transformers", "torchvision", "matplotlib", "scipy", "gradio", "nbformat", "nbclient"} & set(sys.modules))
print(len(names))
"""


def test_what_is_imported_when():
    """The package and its command line load nothing; no module loads at its top what takes seconds."""
    done = subprocess.run([sys.executable, "-c", CHEAP], check=True, cwd=ROOT, capture_output=True, text=True)
    at_once, in_the_end, modules = done.stdout.split("\n", 2)
    assert at_once == in_the_end == "set()"
    assert int(modules) > 60


def test_every_public_name_is_there():
    assert len(mmsa_utils.__all__) > 60
    for name in mmsa_utils.__all__:
        assert name in dir(mmsa_utils)
        assert getattr(mmsa_utils, name) is not None
    with pytest.raises(AttributeError, match="no_such_name"):
        mmsa_utils.no_such_name  # noqa: B018


def test_editors_see_the_same_names_in_the_same_places():
    stub = ast.parse(Path(mmsa_utils.__file__).with_suffix(".pyi").read_text(encoding="utf8"))
    lines = [line for line in stub.body if isinstance(line, ast.ImportFrom)]
    told = {name.asname: line.module for line in lines for name in line.names}
    assert len(told) == sum(len(line.names) for line in lines)
    assert told == mmsa_utils._NAMES
