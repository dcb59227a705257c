"""The doctor tells the truth, and the list of checksums that it reads is up to date."""

import json
import sys

import pytest
from hash_weights import write_sums

from mmsa_utils.apps import doctor


def test_doctor_is_content(capsys, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert doctor.main() == 0
    lines = capsys.readouterr().out.splitlines()
    names = [line.removeprefix("[OK]").split(":")[0].strip() for line in lines if line.startswith("[OK]")]
    assert {
        "Python",
        "torch",
        "transformers",
        "torch with torchvision",
        "weights",
        "device",
        "free disk",
        "pictures",
    } <= set(names)
    assert not [line for line in lines if line.startswith("[FAIL]")]
    assert "[--]   model hub (not required): not asked, because HF_HUB_OFFLINE is set" in lines
    assert lines[-1] == "All that the course needs is here."


@pytest.mark.parametrize("harm", ["damage", "remove", "no list"])
def test_doctor_finds_harmed_weights(weights, harm, capsys):
    victim = sorted(weights.rglob("*.safetensors"))[0]
    if harm == "damage":
        data = bytearray(victim.read_bytes())
        data[-1] ^= 1
        victim.write_bytes(data)
    elif harm == "remove":
        victim.unlink()
    else:
        victim = weights / "SHA256SUMS"
        victim.unlink()
    assert doctor.main(weights=weights) == 1
    lines = capsys.readouterr().out.splitlines()
    (place,) = [number for number, line in enumerate(lines) if line.startswith("[FAIL] weights")]
    assert victim.name in lines[place]
    assert lines[place + 1].strip().startswith("-> git checkout")
    assert lines[-1] == "Not all that the course needs is here: see weights."


def test_doctor_speaks_json(capsys, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert doctor.main(json=True) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["ok"] is True
    assert said["verdict"] == "all that the course needs is here."
    assert set(said["checks"][0]) == {"name", "ok", "required", "detail", "remedy"}


def test_doctor_compares_versions(monkeypatch):
    monkeypatch.setattr(doctor.metadata, "requires", lambda name: ["torch>=99", "no-such-thing>=1", "x; extra == 'y'"])
    old, missing = doctor.check_packages()
    assert not old.ok
    assert ">=99" in old.detail
    assert not missing.ok
    assert "missing" in missing.detail
    assert "make run" in missing.remedy


def test_doctor_finds_a_package_that_is_there_and_does_not_load(monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    broken = {check.name: check for check in doctor.check_packages() if not check.ok}
    assert list(broken) == ["tqdm"]
    assert "is installed, and does not load" in broken["tqdm"].detail


def test_doctor_names_a_torchvision_for_another_torch(monkeypatch):
    import torchvision

    def nms(*anything):
        raise RuntimeError("operator torchvision::nms does not exist")

    monkeypatch.setattr(torchvision.ops, "nms", nms)
    check = doctor.check_torch_pair()
    assert not check.ok
    assert torchvision.__version__.partition("+")[0] in check.detail
    assert "torchvision::nms" in check.detail
    assert "torch torchvision" in check.remedy


@pytest.mark.parametrize(("versions", "shown"), [
    (("8.1.9", "4.0.16"), False), (("8.1.8", "4.0.16"), False), (("8.1.8", "4.0.15"), True),
    (("7.7.1", "3.6.10"), True)])
def test_doctor_knows_which_explorers_vs_code_shows(monkeypatch, versions, shown):
    monkeypatch.setattr(doctor.metadata, "version", dict(zip(("ipywidgets", "widgetsnbextension"), versions)).get)
    check = doctor.check_widgets()
    assert check.ok is shown
    assert not check.required


@pytest.mark.parametrize(("lacking", "ok"), [("jpg", False), ("zlib", False), ("webp", True)])
def test_doctor_looks_at_the_kinds_of_pictures(monkeypatch, lacking, ok):
    from PIL import features

    monkeypatch.setattr(features, "check", lambda part: part != lacking)
    check = doctor.check_pictures()
    assert check.ok is ok
    assert "and not" in check.detail


def test_doctor_without_a_hub(monkeypatch):
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    check = doctor.check_hub()
    assert not check.ok
    assert not check.required
    assert "127.0.0.1:9" in check.detail
    assert "HTTPS_PROXY" in check.remedy


def test_every_weights_file_has_its_checksum(weights):
    before = (weights / "SHA256SUMS").read_text(encoding="utf8")
    write_sums(weights)
    assert (weights / "SHA256SUMS").read_text(encoding="utf8") == before, "run python tools/pretrain/hash_weights.py"
