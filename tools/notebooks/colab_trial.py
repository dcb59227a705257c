"""Run notebooks as Google Colab would, on this machine and offline: its Jupyter, an empty folder, an uploaded wheel.

python tools/notebooks/colab_trial.py NOTEBOOK ...   a line for each; the executed copies lie under build/colab

The environment under build/colab holds Colab's versions of ipykernel, IPython and ipywidgets (from the package
registry, the first time). Everything else, torch and numpy included, it borrows from the environment that runs this.
mmsa_utils is not in it until a notebook's setup cell installs it; that nothing else has changed then is checked.
"""

from __future__ import annotations

import json
import os
import shutil
import site
import subprocess
import sys
import venv
from pathlib import Path

import execute

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / "build" / "colab"
PINS = ("ipykernel==6.17.1", "ipython==7.34.0", "ipywidgets==7.7.1", "widgetsnbextension==3.6.10",
        "ipython-genutils==0.2.0", "backcall==0.2.0", "pickleshare==0.7.5", "nest-asyncio==1.6.0",
        "decorator==4.4.2")
STATE = """
import importlib.metadata, json, os
found = {d.metadata["Name"]: d.version for d in reversed(list(importlib.metadata.distributions()))}
found.pop("mmsa-utils", None)  # what the environment that we borrow from says of it
for name in ("torch", "numpy"):
    path = importlib.metadata.distribution(name).locate_file(name + "/__init__.py")
    found[name + " file"] = [str(path), os.stat(path).st_mtime]
print(json.dumps(found, sort_keys=True))
"""


def make_environment(folder: Path) -> Path:
    """A new virtual environment that borrows the packages of this one, but not mmsa_utils; returns its Python.

    A folder that a .pth file names has its own .pth files left alone, and an editable install is one of those.
    """
    venv.EnvBuilder(clear=True, symlinks=os.name != "nt").create(folder)
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    own = subprocess.run([python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], check=True,
                         capture_output=True, text=True).stdout.strip()
    (Path(own) / "borrowed.pth").write_text("\n".join(site.getsitepackages()) + "\n", encoding="utf8")
    return python


def variables(folder: Path) -> dict[str, str]:
    """What makes a Python believe that it is Colab's (`folder` gets a google.colab), and pip stay offline."""
    package = folder / "google" / "colab"
    package.mkdir(parents=True, exist_ok=True)
    (package / "__init__.py").touch()
    (folder / "sitecustomize.py").write_text("import google.colab\n", encoding="utf8")  # Colab's kernel has it loaded
    return {"PYTHONPATH": str(folder), "PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull,
            "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PYDEVD_DISABLE_FILE_VALIDATION": "1",
            "PIP_NO_BUILD_ISOLATION": "0"}  # which pip reads as: no isolation (Colab's own fetches setuptools)


def state(python: Path, environment: dict[str, str]) -> dict:
    """Every installed package's version but mmsa_utils', and which files torch and numpy come from."""
    said = subprocess.run([python, "-c", STATE], env={**os.environ, **environment}, check=True, capture_output=True)
    return json.loads(said.stdout)


def installed(python: Path, environment: dict[str, str]) -> bool:
    """Whether mmsa_utils can be imported there."""
    code = "import importlib.util, sys; sys.exit(importlib.util.find_spec('mmsa_utils') is None)"
    return subprocess.run([python, "-c", code], env={**os.environ, **environment}, cwd=HOME).returncode == 0


def prepare() -> tuple[Path, dict[str, str]]:
    """The environment with Colab's pins, as the kernel that notebooks ask for; made once."""
    HOME.mkdir(parents=True, exist_ok=True)
    python = HOME / "env" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not (HOME / "env" / "ready").is_file():
        make_environment(HOME / "env")
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps",
                        "--ignore-installed", *PINS], check=True)
        (HOME / "env" / "ready").touch()
    environment = variables(HOME / "fake") | {"IPYTHONDIR": str(HOME / "ipython")}
    kernel = HOME / "kernels" / "python3"
    kernel.mkdir(parents=True, exist_ok=True)
    spec = {"argv": [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"], "language": "python",
            "display_name": "Python 3", "env": environment}
    (kernel / "kernel.json").write_text(json.dumps(spec, indent=1), encoding="utf8")
    os.environ["JUPYTER_PATH"] = str(HOME)  # comes before this environment's own kernel
    return python, environment


def try_out(path: Path, python: Path, environment: dict[str, str], wheel: Path) -> dict:
    """Run one notebook where nothing but the wheel lies beside it; returns its row, as in `execute.execute`.

    With "changed", the packages that are others than before; and "stderr".
    """
    import nbformat

    folder = HOME / "content"
    remove = [python, "-m", "pip", "uninstall", "--quiet", "--yes", "mmsa-utils"]
    subprocess.run(remove, env={**os.environ, **environment}, check=True, capture_output=True)
    if installed(python, environment):
        raise RuntimeError("mmsa_utils is there before the setup cell has run: is it installed without -e?")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    shutil.copy2(wheel, folder)
    book = nbformat.read(path, as_version=4)
    before = state(python, environment)
    row = execute.execute(book, folder)
    after = state(python, environment)
    nbformat.write(book, HOME / path.name)
    row["changed"] = sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
    row["stderr"] = [output.text for cell in book.cells for output in cell.get("outputs", [])
                     if output.get("name") == "stderr"]
    return row


def main(arguments: list[str]) -> int:
    if not arguments:
        print(__doc__)
        return 2
    execute.prepare_environment(os.environ)
    python, environment = prepare()
    subprocess.run([sys.executable, ROOT / "tools" / "publish" / "make_wheel.py", HOME], check=True)
    (wheel,) = HOME.glob("*.whl")
    versions = state(python, environment)
    good = True
    for path in map(Path, arguments):
        row = try_out(path, python, environment, wheel)
        good = good and row["ok"] and not row["changed"]
        print(f"{path.stem:28} {row['seconds']:6.1f} s  {row['peak_memory_mb']:5.0f} MB  "
              f"{'ok' if row['ok'] else 'FAILED'}  torch {versions['torch']}, numpy {versions['numpy']}: "
              f"{'CHANGED: ' + ', '.join(row['changed']) if row['changed'] else 'as before'}", flush=True)
        for words in row["stderr"] + [row["error"]] * (not row["ok"]):
            print(words, file=sys.stderr, flush=True)
    return int(not good)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
