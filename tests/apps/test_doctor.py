"""The doctor tells the truth, and the list of checksums that it reads is up to date."""

import json

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
    } <= set(names)
    assert [line for line in lines if line.startswith("[FAIL]")] == [
        "[FAIL] model hub (not required): not asked, because HF_HUB_OFFLINE is set"
    ]


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


def test_doctor_speaks_json(capsys, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert doctor.main(json=True) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["ok"] is True
    assert set(said["checks"][0]) == {"name", "ok", "required", "detail", "remedy"}


def test_doctor_compares_versions(monkeypatch):
    monkeypatch.setattr(doctor.metadata, "requires", lambda name: ["torch>=99", "no-such-thing>=1", "x; extra == 'y'"])
    old, missing = doctor.check_packages()
    assert not old.ok
    assert ">=99" in old.detail
    assert not missing.ok
    assert "missing" in missing.detail
    assert "make run" in missing.remedy


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
