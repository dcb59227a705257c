"""Interrupted training goes on and ends with the same bits; a file that is off is never trusted."""

import os
import stat
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers import food, generators, killed, lasting, needs_fork
from safetensors.torch import load_file, save_file

from mmsa_utils.learning import runs
from mmsa_utils.learning.features import Features
from mmsa_utils.learning.alignment import align
from mmsa_utils.learning.batches import make_loader
from mmsa_utils.model.model import MultimodalSentimentModel
from mmsa_utils.learning.training import train

EPOCHS = 3
KILLS = int(os.environ.get("MMSA_KILLS", "30"))  # MMSA_KILLS=1000 for a long run


class Stopped(Exception):
    """An interruption, at the end of an epoch."""


def some(n: int, seed: int) -> Features:
    draw = torch.Generator().manual_seed(seed)
    text, image = torch.randn(n, 6, generator=draw), torch.randn(n, 6, generator=draw)
    return Features(text, image, (text[:, 0] * image[:, 0] > 0).long() + (image[:, 1] > 0).long())


def aligned(path=None, seed: int = 0, stop_at: int = 99, **options):
    heads = []

    def stop(head):
        heads.append(head)
        if len(heads) == stop_at:
            raise Stopped

    return align(some(300, 1), some(80, 2), hidden=8, epochs=EPOCHS, seed=seed, checkpoint=path, on_epoch=stop,
                 **options)


def trained(path=None, stop_at: int = 99, epochs: int = EPOCHS):
    model = MultimodalSentimentModel("bert", "resnet18", num_outputs=3)
    done = []

    def stop(net):
        done.append(net)
        if len(done) == stop_at:
            raise Stopped

    loader = make_loader(food(24), model, 8, shuffle=True, seed=3)
    history = train(model, loader, make_loader(food(12, "validation"), model), epochs=epochs, checkpoint=path,
                    on_epoch=stop, show_progress=False)
    return model, history


def same(a, b) -> bool:
    """The same weights, bit by bit, and the same history (NaN is as good as NaN)."""
    weights = all(torch.equal(x, y) for x, y in zip(a[0].state_dict().values(), b[0].state_dict().values()))
    return weights and repr(a[1]) == repr(b[1])


@pytest.fixture(scope="module")
def whole_training():
    return trained()


@pytest.mark.parametrize("stop_at", [1, 2, EPOCHS])
def test_training_goes_on_to_the_same_bits(tmp_path, stop_at, whole_training):
    path = tmp_path / "run.safetensors"
    before = generators()
    with pytest.raises(Stopped):
        trained(path, stop_at)
    assert same(trained(path), whole_training)
    assert same(trained(path), whole_training)  # over, and asked once more
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    assert generators() == before


@pytest.mark.parametrize("stop_at", [1, 2, 3, EPOCHS + 1])
def test_alignment_goes_on_to_the_same_bits(tmp_path, stop_at):
    path = tmp_path / "run.safetensors"
    with pytest.raises(Stopped):
        aligned(path, stop_at=stop_at)
    assert same(aligned(path), aligned())


def test_a_run_with_other_settings_is_refused(tmp_path):
    path = tmp_path / "run.safetensors"
    aligned(path)
    with pytest.raises(ValueError, match=r"another first weights, seed: delete"):
        aligned(path, seed=1)
    with pytest.raises(ValueError, match="another learning rate"):
        aligned(path, lr=1e-4)
    other = some(300, 7)
    with pytest.raises(ValueError, match="another features"):
        align(other, some(80, 2), hidden=8, epochs=EPOCHS, checkpoint=path)
    with pytest.raises(ValueError, match="another features"):
        align(replace(some(300, 1), labels=other.labels), some(80, 2), hidden=8, epochs=EPOCHS, checkpoint=path)


def test_a_training_of_other_posts_or_epochs_is_refused(tmp_path):
    path = tmp_path / "run.safetensors"
    trained(path, epochs=1)
    with pytest.raises(ValueError, match="another epochs"):
        trained(path, epochs=2)


HARMS = {
    "cut": lambda data: data[: len(data) // 2],
    "header": lambda data: b"\xff" * 8 + data[8:],
    "flipped": lambda data: data[:-1] + bytes([data[-1] ^ 1]),
    "empty": lambda data: b"",
    "else": lambda data: b"hello",
}


@pytest.mark.parametrize("harm", HARMS)
def test_a_damaged_file_is_not_trusted(tmp_path, harm):
    path = tmp_path / "run.safetensors"
    with pytest.raises(Stopped):
        aligned(path, stop_at=3)
    path.write_bytes(HARMS[harm](path.read_bytes()))
    with pytest.warns(UserWarning, match=r"run\.safetensors is damaged .* starts anew"):
        again = aligned(path)
    assert same(again, aligned())


def test_a_file_of_weights_is_no_run(tmp_path):
    path = tmp_path / "run.safetensors"
    save_file({"a": torch.ones(2)}, path)
    with pytest.raises(ValueError, match="is damaged"):
        runs.read(path)


@pytest.mark.parametrize("state", [{"settings": {}}, [1, 2], "run", {}])
def test_a_run_of_another_version_starts_anew(tmp_path, state):
    path = tmp_path / "run.safetensors"
    runs.write(path, state)
    with pytest.warns(UserWarning, match=r"run\.safetensors was left by another version\. The run starts anew"):
        again = aligned(path)
    assert same(again, aligned())


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "new" / "file"
    state = {"a": [1, None, {"b": torch.tensor([[1.5, float("nan")]])}], 3: float("inf"), "t": torch.tensor(7),
             "bool": torch.tensor([True]), "empty": torch.zeros(0, 4)}
    runs.write(path, state)
    found = runs.read(path)
    assert list(found) == list(state)
    assert found[3] == float("inf")
    assert found["t"].item() == 7
    assert found["bool"].dtype == torch.bool
    assert found["empty"].shape == (0, 4)
    assert found["a"][2]["b"].isnan().tolist() == [[False, True]]
    assert load_file(path)  # plain safetensors: nothing in it can run
    assert runs.read(tmp_path / "none") is None


def test_a_place_where_nothing_can_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="cannot be kept in .* name another place"):
        aligned(tmp_path / "file" / "run.safetensors")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="permissions mean nothing here")
def test_a_read_only_folder(tmp_path):
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    with pytest.raises(OSError, match="cannot be kept in"):
        aligned(tmp_path / "run.safetensors")
    tmp_path.chmod(stat.S_IRWXU)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is always full")
def test_a_full_disk_leaves_the_last_epoch_in_place(tmp_path, monkeypatch):
    path = tmp_path / "run.safetensors"
    with pytest.raises(Stopped):
        aligned(path, stop_at=2)
    kept = path.read_bytes()
    part = path.with_name(path.name + ".part")

    def full(tensors, target, metadata):
        part.symlink_to("/dev/full")
        with open(part, "wb") as file:
            file.write(b"0" * 10**6)

    monkeypatch.setattr(runs, "save_file", full)
    with pytest.raises(OSError, match=r"No space left.*make room"):
        aligned(path)
    assert path.read_bytes() == kept
    assert not part.is_symlink()
    monkeypatch.undo()
    assert same(aligned(path), aligned())


@needs_fork
@pytest.mark.parametrize(("work", "number"), [(aligned, KILLS), (trained, KILLS // 10)], ids=["align", "train"])
def test_a_kill_at_any_moment(tmp_path, one_thread, work, number):
    """Kills -9 at moments spread over the run, each followed by a run that goes on."""
    fresh, kills, kept = work(), 0, 0
    for turn, share in enumerate(np.linspace(0.05, 1, number)):
        if turn % 5 == 0:  # measured anew, as the machine may have become slower or quicker
            whole = lasting(work, tmp_path / f"whole {turn}")
        path = tmp_path / f"{share:.4f}"
        kills += killed(share * whole, work, path)
        kept += path.exists()
        assert same(work(path), fresh)
    print(f"{kills} kills in time, {kept} of {number} runs had kept an epoch")
    assert kills >= number / 3  # the last ones may come too late
    assert kept >= number / 6
