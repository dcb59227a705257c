"""Interrupted training goes on and ends with the same bits; a file that is off is never trusted."""

import os
import stat
from dataclasses import replace

import pytest
import torch
from helpers import food, generators
from safetensors.torch import load_file, save_file

from mmsa_utils import Concat, Encoded, Features, align, make_loader, random_head, train
from mmsa_utils.learning import runs

EPOCHS = 3


class Stopped(Exception):
    """An interruption, at the end of an epoch."""


def stopping(at: int):
    """A callback that interrupts a run after so many epochs; None for a run that nobody interrupts."""
    seen = []

    def stop(net):
        seen.append(net)
        if len(seen) == at:
            raise Stopped

    return stop if at else None


def some(n: int, seed: int) -> Features:
    draw = torch.Generator().manual_seed(seed)
    text, image = torch.randn(n, 6, generator=draw), torch.randn(n, 6, generator=draw)
    return Features({"text": Encoded.of(text), "image": Encoded.of(image)},
                    (text[:, 0] * image[:, 0] > 0).long() + (image[:, 1] > 0).long())


def aligned(path=None, seed: int = 0, stop_at: int = 0, data=None, **options):
    fusion = Concat({"text": 6, "image": 6})
    head = random_head(fusion.width, hidden=8, seed=seed)
    history = align(fusion, head, *(data or (some(300, 1), some(80, 2))), epochs=EPOCHS, seed=seed, checkpoint=path,
                    on_epoch=stopping(stop_at), **options)
    return head, history


@pytest.fixture
def trained(tiny):
    def run(path=None, stop_at: int = 0, epochs: int = EPOCHS, posts: int = 16):
        model = tiny(dropout=0.4)
        loader = make_loader(food(posts), model, 8, shuffle=True, seed=3)
        history = train(model, loader, make_loader(food(12, "validation"), model), epochs=epochs, checkpoint=path,
                        on_epoch=stopping(stop_at), show_progress=False)
        return model, history

    return run


def same(a, b) -> bool:
    """The same weights, bit by bit, and the same history (NaN is as good as NaN)."""
    weights = all(torch.equal(x, y) for x, y in zip(a[0].state_dict().values(), b[0].state_dict().values()))
    return weights and repr(a[1]) == repr(b[1])


@pytest.mark.parametrize("stop_at", [1, 2, EPOCHS])
def test_training_goes_on_to_the_same_bits(tmp_path, stop_at, trained):
    path = tmp_path / "run.safetensors"
    before = generators()
    with pytest.raises(Stopped):
        trained(path, stop_at)
    whole = trained()
    assert same(trained(path), whole)
    assert same(trained(path), whole)  # over, and asked once more
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
    with pytest.raises(ValueError, match="another .*features: delete"):
        aligned(path, data=(other, some(80, 2)))
    with pytest.raises(ValueError, match="another .*features: delete"):
        aligned(path, data=(replace(some(300, 1), labels=other.labels), some(80, 2)))
    kept = path.read_bytes()
    assert same(aligned(path), aligned())
    assert path.read_bytes() == kept


@pytest.mark.parametrize(("change", "name"), [({"epochs": 2}, "epochs"), ({"posts": 15}, "posts")])
def test_a_training_of_other_posts_or_epochs_is_refused(tmp_path, trained, change, name):
    path = tmp_path / "run.safetensors"
    trained(path, epochs=1)
    with pytest.raises(ValueError, match=f"another {name}"):
        trained(path, **{"epochs": 1, **change})


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
