"""Is everything here that the course needs? `python -m mmsa_utils doctor` prints one line for each thing.

Nothing heavy is imported at the top: the doctor must be able to speak when a package is missing or broken.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
import urllib.error
import urllib.request
from dataclasses import asdict, dataclass
from importlib import import_module, metadata
from json import dumps
from pathlib import Path

from ..checksums import WEIGHTS, harmed, listed
from ..errors import in_short

REINSTALL = "run `make run` again, or: python -m pip install -c constraints.txt -e ."


@dataclass(frozen=True)
class Check:
    """What was looked at, how it was found, and what to do when it is not `ok`."""

    name: str
    ok: bool
    detail: str
    remedy: str = ""
    required: bool = True


def checks(weights: Path = WEIGHTS) -> list[Check]:
    """Run every check on this machine and on a folder of weights with its SHA256SUMS; in the order of printing."""
    torch = [check_torch_pair(), check_device()]
    return [check_python(), *check_packages(), *torch, check_pictures(), check_weights(weights), check_disk(),
            *check_memory(), check_widgets(), check_hub()]


def main(json: bool = False, weights: Path = WEIGHTS) -> int:
    """Print the findings, as lines or as one JSON object; return 1 if anything required fails, else 0."""
    found = checks(weights)
    missing = [check.name for check in found if check.required and not check.ok]
    verdict = (f"not all that the course needs is here: see {', '.join(missing)}." if missing else
               "all that the course needs is here.")
    if json:
        print(dumps({"ok": not missing, "verdict": verdict, "checks": [asdict(check) for check in found]}, indent=2))
        return int(bool(missing))
    for check in found:
        note = "" if check.required or check.ok else " (not required)"
        mark = "[OK]  " if check.ok else "[FAIL]" if check.required else "[--]  "
        print(f"{mark} {check.name}{note}: {check.detail}")
        if not check.ok:
            print(f"         -> {check.remedy}")
    print(verdict[0].upper() + verdict[1:])
    return int(bool(missing))


def check_python() -> Check:
    """Python 3.10 or newer."""
    detail = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    return Check("Python", sys.version_info >= (3, 10), detail, "install Python 3.10 or newer, then `make run`")


def check_packages() -> list[Check]:
    """One finding for each package that the installed mmsa-utils needs: there, new enough, and it loads."""
    from packaging.requirements import Requirement

    try:
        needs = [Requirement(line) for line in metadata.requires("mmsa-utils") or []]
    except metadata.PackageNotFoundError:
        return [Check("mmsa-utils", False, "the package is not installed", REINSTALL)]
    found = []
    for need in needs:
        if need.marker and not need.marker.evaluate({"extra": ""}):
            continue  # an extra, which only some need
        try:
            version = metadata.version(need.name)
            fits = need.specifier.contains(version, prereleases=True)
        except metadata.PackageNotFoundError:
            version, fits = "missing", False
        detail = f"{version} (wanted {need.specifier})"
        if fits and (error := _import_error(need.name)):
            fits, detail = False, f"{version} is installed, and does not load: {error}"
        found.append(Check(need.name, fits, detail, REINSTALL))
    return found


def _import_error(package: str) -> str:
    """Why a package that is installed does not load; nothing if it does, or has a line of its own."""
    if package in ("torch", "torchvision"):
        return ""
    try:
        import_module({"pillow": "PIL", "scikit-learn": "sklearn"}.get(package, package.replace("-", "_")))
    except Exception as error:  # a broken library fails in any way
        return in_short(error)
    return ""


def check_torch_pair() -> Check:
    """torch and torchvision were built for each other: torchvision's compiled operators load and run."""
    remedy = "install both at once, from one place: python -m pip install -c constraints.txt torch torchvision"
    try:
        import torch
        import torchvision

        torchvision.ops.nms(torch.zeros(1, 4), torch.zeros(1), 0.5)
        detail, ok = f"{torch.__version__} with {torchvision.__version__}", True
    except Exception as error:  # a mismatch shows as ImportError, RuntimeError or AttributeError
        both = " with ".join(f"{name} {_version(name)}" for name in ("torch", "torchvision"))
        detail, ok = f"{both}: they do not load together: {in_short(error)}", False
    return Check("torch with torchvision", ok, detail, remedy)


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "(missing)"


def check_pictures() -> Check:
    """Pillow opens the kinds of picture that posts come with."""
    remedy = "install Pillow from its wheel: python -m pip install --force-reinstall --only-binary :all: pillow"
    try:
        from PIL import features

        kinds = {name: bool(features.check(part)) for name, part in
                 {"JPEG": "jpg", "PNG": "zlib", "WebP": "webp"}.items()}
    except Exception as error:
        return Check("pictures", False, f"Pillow does not load: {in_short(error)}", remedy)
    words = ", ".join(name for name, there in kinds.items() if there)
    lacking = ", ".join(name for name, there in kinds.items() if not there)
    return Check("pictures", kinds["JPEG"] and kinds["PNG"],
                 f"Pillow opens {words or 'none'}" + f", and not {lacking}" * bool(lacking), remedy)


def check_weights(folder: Path = WEIGHTS) -> Check:
    """Every file that SHA256SUMS lists is there and unharmed."""
    remedy = "git checkout -- mmsa_utils/weights (in a clone), or install the package again"
    try:
        faults = harmed(folder)
        return Check("weights", not faults, "; ".join(faults) or f"{len(listed(folder))} files unharmed", remedy)
    except (OSError, ValueError) as error:  # the list itself is gone or garbled
        return Check("weights", False, f"cannot read {folder / 'SHA256SUMS'}: {in_short(error)}", remedy)


def check_device() -> Check:
    """Where the tensors will live; a CPU is enough."""
    try:
        import torch
    except Exception as error:
        return Check("device", False, f"torch does not load: {in_short(error)}", REINSTALL)
    if torch.cuda.is_available():
        return Check("device", True, f"CUDA, {torch.cuda.get_device_name()}")
    if torch.backends.mps.is_available():
        return Check("device", True, "MPS, Apple's GPU")
    return Check("device", True, f"CPU with {torch.get_num_threads()} threads (enough for size='mini')")


def check_disk(wanted: float = 2.0) -> Check:
    """At least `wanted` gigabytes free where the course is run."""
    free = shutil.disk_usage(Path.cwd()).free / 1e9
    remedy = f"free {wanted - free:.1f} GB more on this disk, or work on another one"
    return Check("free disk", free >= wanted, f"{free:.1f} GB (wanted {wanted:g} GB)", remedy)


def check_memory(wanted: float = 2.0) -> list[Check]:
    """At least `wanted` gigabytes of memory free; no finding without psutil, which the notebooks bring."""
    try:
        import psutil
    except Exception:
        return []
    free = psutil.virtual_memory().available / 1e9
    return [Check("free memory", free >= wanted, f"{free:.1f} GB (a notebook takes up to {wanted:.1f} GB)",
                  "close other programs, or shut kernels down that are no longer used", required=False)]


def check_widgets() -> Check:
    """The explorers' controls, which VS Code does not show in one version (its bug 17504); JupyterLab does."""
    versions = {name: _version(name) for name in ("ipywidgets", "widgetsnbextension")}
    ok = versions["ipywidgets"] != "8.1.9" and versions["widgetsnbextension"] != "4.0.16"
    detail = "shown" if ok else "not shown with ipywidgets 8.1.9; JupyterLab shows them"
    return Check("explorers in VS Code", ok, detail, "python -m pip install ipywidgets==8.1.8 "
                 "widgetsnbextension==4.0.15 jupyterlab-widgets==3.0.16, then start the kernel again", required=False)


def check_hub(seconds: float = 3.0) -> Check:
    """The model hub answers for a checkpoint that size='full' loads; size='mini' never asks it."""
    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
    ok, detail = True, f"{endpoint} answers"
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}:
        ok, detail = False, "not asked, because HF_HUB_OFFLINE is set"
    else:
        try:
            url = f"{endpoint}/bert-base-uncased/resolve/main/config.json"
            urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=seconds).close()
        except (OSError, ValueError) as error:
            # A hub that lacks this one model is a hub all the same.
            ok = isinstance(error, urllib.error.HTTPError) and error.code in (401, 404)
            detail = detail if ok else f"{endpoint} does not answer: {in_short(error)}"
    remedy = "only size='full' needs it: connect, set HTTPS_PROXY, or point HF_HOME and TORCH_HOME at filled caches"
    return Check("model hub", ok, detail, remedy, required=False)
