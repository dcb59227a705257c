"""Several processes learn what one learns: every post once, the same history, and any number may go on."""

import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import helpers
import pytest
import torch
from helpers import food, own_table
from together_worker import EPOCHS, KEY_BIASES, WORKS, broken_off, trained
from torch.utils.data import DataLoader

from mmsa_utils import MultimodalSentimentModel, make_loader, train
from mmsa_utils.apps import cli
from mmsa_utils.learning import together
from mmsa_utils.learning.together import Part, Team
from mmsa_utils.seeds import seeded

ROOT = Path(__file__).resolve().parents[2]


def started(monkeypatch, number: int, place: int) -> None:
    """As if torchrun had started this process as one of several."""
    monkeypatch.setenv("WORLD_SIZE", str(number))
    monkeypatch.setenv("RANK", str(place))
    monkeypatch.setenv("TORCH_CPP_LOG_LEVEL", "ERROR")  # what the command line sets is gone after the test


def one_of(number: int, place: int = 0, kind: str = "MULTI_CPU", end: bool = False, remainder: int = -1):
    """An accelerator, as far as `Team` asks."""
    return SimpleNamespace(num_processes=number, process_index=place, is_main_process=place == 0, split_batches=True,
                           distributed_type=SimpleNamespace(name=kind),
                           gradient_state=SimpleNamespace(end_of_dataloader=end, remainder=remainder))


# --- two real processes, in one start of them ---


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """→ the folder, and what each of two processes got in it."""
    pytest.importorskip("accelerate", reason="accelerate is not installed: pip install -e '.[scale]'")
    if os.name == "nt":
        pytest.skip("torchrun needs a torch that is built with libuv there")
    folder = tmp_path_factory.mktemp("together")
    helpers.save_text(folder / "bert")
    helpers.save_image(folder / "vit")
    helpers.save_image(folder / "resnet", "resnet")
    broken_off(folder / "one.safetensors", folder)
    environment = {**helpers.quiet_environment(), "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "",
                   "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])}
    words = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2",
             ROOT / "tests" / "together_worker.py", folder]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=300, cwd=folder)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "it/s" not in done.stderr  # no bars where none were asked for
    return folder, [torch.load(folder / f"{place}.pt") for place in range(2)]


def same(one, other, weights: float = 1e-6) -> None:
    """Far below what a step changes; in double precision little is left to rounding but the loss's single precision."""
    for row, twin in zip(one[0], other[0], strict=True):
        assert row == pytest.approx(twin, abs=1e-6)
    assert torch.allclose(one[1], other[1], rtol=0, atol=weights)


@pytest.mark.parametrize("name", WORKS)
def test_two_processes_learn_what_one_learns(two, name):
    folder, (found, _) = two
    posts, batch, options = WORKS[name]
    same(found[name], trained(folder, posts, batch, **options))
    first, last = found[name][0][0], found[name][0][-1]
    assert last["train_loss"] < first["train_loss"] - 0.01  # something was learned


def test_in_single_precision_too(two):
    folder, (found, _) = two
    same(found["single"], trained(folder, single=True), weights=1e-5)


def test_a_bias_of_the_keys_moves_no_answer(two):
    model = MultimodalSentimentModel(str(two[0] / "bert"), str(two[0] / "vit"), hidden=16, dropout=0).double().eval()
    posts = food(5)
    asked = [[post.text for post in posts], [post.image for post in posts]]
    before = model.predict(*asked)
    biases = [value for name, value in model.named_parameters() if KEY_BIASES.search(name)]
    assert biases
    with torch.no_grad():
        for bias in biases:
            bias += 3 * torch.randn(bias.shape, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(before, model.predict(*asked), atol=1e-9)
    with torch.no_grad():
        model.head[-1].bias += torch.arange(3)
    assert not torch.allclose(before, model.predict(*asked), atol=1e-3)


def test_both_processes_end_alike(two):
    for name, (history, weights) in two[1][0].items():
        other = two[1][1][name]
        assert history == other[0], name  # they chose the same epoch
        assert torch.equal(weights, other[1]), name  # batch normalisation's numbers too


def test_a_batch_for_each_of_two_is_one_twice_as_large(two):
    found = two[1][0]
    same(found["a batch each"], found["odd"])


def test_two_go_on_after_one(two):
    folder, (found, _) = two
    same(found["after one"], found["odd"])
    assert not list(folder.glob("*.part"))


def test_one_goes_on_after_two(two, monkeypatch):
    folder, (found, _) = two
    seen = []
    epoch = train.__globals__["_Learning"].epoch
    monkeypatch.setattr(train.__globals__["_Learning"], "epoch",
                        lambda self, batches: seen.append(1) or epoch(self, batches))
    same(trained(folder, checkpoint=folder / "two.safetensors"), found["odd"])
    assert len(seen) == EPOCHS - 1


# --- every post once, whatever the numbers ---


@pytest.mark.parametrize("number", [1, 2, 3, 4])
@pytest.mark.parametrize("posts", [1, 2, 5, 11, 12, 13, 24, 25])
def test_each_post_counts_once_and_in_its_batch(number, posts):
    shards = pytest.importorskip("accelerate.data_loader").BatchSamplerShard
    batches = list(DataLoader(range(posts), 12, collate_fn=list))
    split = [list(shards(DataLoader(range(posts), 12).batch_sampler, number, place, split_batches=True))
             for place in range(number)]
    for i, batch in enumerate(batches):
        counted = []
        for place in range(number):
            last = i == len(batches) - 1
            team = Team(one_of(number, place, end=last, remainder=posts % 12))
            rows = split[place][i] if number > 1 else batch
            part = team.part(len(rows))
            assert part.whole == len(batch)
            counted += rows[:part.real]
        assert counted == batch


def test_one_process_is_given_all():
    batches = [{"labels": torch.zeros(3)}]
    alone = Team()
    assert alone.loader(batches) is batches
    assert alone.part(7) == Part(7, 7)
    assert alone.total(1.5, 2) == [1.5, 2]
    assert (alone.first, alone.gather, alone.share("x")) == (True, None, "x")


def drawn(team: Team, epoch: int, seed: int = 5) -> list[float]:
    """Random numbers of a process in an epoch, whatever it drew before."""
    with seeded(seed):
        torch.rand(epoch)
        team.reseed(seed, epoch, torch.device("cpu"))
        return torch.rand(3).tolist()


def test_processes_draw_differently_and_the_same_again():
    before = helpers.generators()
    found = [drawn(Team(one_of(2, place)), epoch, seed) for seed in (5, 2**32 - 1) for place in (0, 1)
             for epoch in (1, 2)]
    assert len({tuple(numbers) for numbers in found}) == 8
    assert found[0] == drawn(Team(one_of(2, 0)), 1)
    with seeded(5):
        torch.rand(1)
        assert drawn(Team(), 1) == torch.rand(3).tolist()  # one alone draws on
    assert helpers.generators() == before


# --- what is refused ---


def test_lists_and_batches_that_cannot_be_split_are_refused(tiny):
    team = Team(one_of(2))
    with pytest.raises(ValueError, match="a loader is a list: 2 processes share what make_loader gives"):
        team.loader([{"labels": torch.zeros(3)}])
    with pytest.raises(ValueError, match="the batch size is 7, for 2 processes: expected a multiple of 2"):
        team.loader(make_loader(food(20), tiny(), 7))


def test_an_accelerator_that_would_not_do_is_refused(monkeypatch):
    with pytest.raises(ValueError, match="works by FSDP: expected one in which each process holds the whole model"):
        Team(one_of(2, kind="FSDP"))
    started(monkeypatch, 2, 0)
    with pytest.raises(ValueError, match="knows of 1 processes, and 2 were started, each of which would train alone"):
        Team(one_of(1, kind="NO"))


def test_a_missing_package_is_named(monkeypatch, tiny):
    started(monkeypatch, 2, 0)
    monkeypatch.setattr(together, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match="2 processes need the package accelerate: install the extra scale"):
        train(tiny(), make_loader(food(8), tiny()), make_loader(food(8), tiny()), epochs=1)


# --- an accelerator in one process; parts of a batch; half precision ---


def learned(net, n: int = 20, **options):
    history = train(net, make_loader(food(n), net, 8, shuffle=True), make_loader(food(n), net, 8), epochs=2,
                    show_progress=False, **options)
    return history, torch.cat([tensor.flatten().double() for tensor in net.state_dict().values()])


@pytest.fixture
def accelerator():
    accelerate = pytest.importorskip("accelerate")
    yield accelerate.Accelerator(cpu=True)
    accelerate.state.AcceleratorState._reset_state(True)
    accelerate.state.GradientState._reset_state()


def test_an_accelerator_in_one_process_changes_no_bit(tiny, accelerator):
    one, other = learned(tiny(dropout=0.4)), learned(tiny(dropout=0.4), accelerator=accelerator)
    assert one[0] == other[0]
    assert torch.equal(one[1], other[1])


def still(net):
    """Without dropout and batch normalisation, which see other posts in smaller parts; in double precision."""
    for part in net.modules():
        if isinstance(part, torch.nn.Dropout):
            part.p = 0.0
    return net.double()


@pytest.mark.parametrize("parts", [2, 3, 100])
def test_a_batch_in_parts_is_the_same_step(tiny, parts, monkeypatch):
    sizes = []
    net = still(tiny(dropout=0, image=None))
    encode = type(net).encode
    monkeypatch.setattr(type(net), "encode", lambda self, **batch: sizes.append(len(batch["input_ids"])) or encode(
        self, **batch))
    whole, taken = learned(net), len(sizes)
    assert max(sizes) == 8
    again = learned(still(tiny(dropout=0, image=None)), accumulate=parts)
    for row, twin in zip(whole[0], again[0], strict=True):
        assert row == pytest.approx(twin, abs=1e-6)
    assert torch.allclose(whole[1], again[1], rtol=0, atol=1e-6)
    learning = [size for size in sizes[taken:] if size < 8]
    assert max(learning[:min(parts, 8)]) == -(-8 // parts)


def test_half_precision_is_near_and_not_the_same(tiny):
    exact, half = learned(tiny(dropout=0)), learned(tiny(dropout=0), precision="bf16")
    assert half[0] != exact[0]
    for row, twin in zip(exact[0], half[0]):
        assert row["train_loss"] == pytest.approx(twin["train_loss"], abs=0.05)
    assert learned(tiny(dropout=0), precision="fp32")[0] == exact[0]


def test_a_run_goes_on_in_its_own_precision(tiny, tmp_path):
    path = tmp_path / "run"
    half = learned(tiny(dropout=0), precision="bf16", checkpoint=path)
    assert learned(tiny(dropout=0), precision="bf16", checkpoint=path)[0] == half[0]
    with pytest.raises(ValueError, match="another precision"):
        learned(tiny(dropout=0), checkpoint=path)


@pytest.mark.parametrize(("options", "said"), [
    ({"accumulate": 0}, "accumulate 0: expected at least 1"),
    ({"precision": "fp8"}, "precision is 'fp8': expected one of auto, fp32, fp16, bf16")])
def test_what_cannot_be_is_refused(tiny, options, said):
    with pytest.raises(ValueError, match=said):
        learned(tiny(), **options)


# --- the command line ---


@pytest.fixture
def command(monkeypatch):
    """Makes the command train do something else."""
    def put(work):
        monkeypatch.setitem(cli.COMMANDS, "train", work)

    return put


def failing(arguments):
    print("lost in the noise")
    raise ValueError("the picture is gone")


@pytest.mark.parametrize(("place", "said"), [(0, "error: the picture is gone\n"),
                                             (1, "error: process 1: the picture is gone\n")])
def test_whoever_fails_says_so_once(place, said, monkeypatch, capsys, command):
    started(monkeypatch, 2, place)
    waits = []
    monkeypatch.setattr(time, "sleep", waits.append)
    command(failing)
    assert cli.main(["train"]) == 1
    out, err = capsys.readouterr()
    assert err == said
    assert waits == [cli.PATIENCE] * place  # the first speaks at once, and all are ended before the other speaks
    assert out == ("" if place else "lost in the noise\n")


def test_the_loss_of_another_is_no_traceback(monkeypatch, capsys, command):
    def lost(arguments):
        raise RuntimeError("[/pytorch/gloo/transport/tcp/pair.cc:547] Connection closed by peer [127.0.0.1]:1")

    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    command(lost)
    with pytest.raises(RuntimeError, match="gloo"):  # alone it would be something else
        cli.main(["train"])
    started(monkeypatch, 2, 0)
    assert cli.main(["train"]) == 1
    assert "another of the 2 processes ended" in capsys.readouterr().err


def test_other_commands_are_for_one_process(monkeypatch, capsys):
    started(monkeypatch, 2, 0)
    with pytest.raises(SystemExit) as end:
        cli.main(["evaluate"])
    assert end.value.code == 2
    assert "2 processes were started, and train alone is for several" in capsys.readouterr().err
    started(monkeypatch, 2, 1)
    with pytest.raises(SystemExit):
        cli.main(["evaluate"])
    assert capsys.readouterr().err == ""


def test_the_options_of_train_reach_it(monkeypatch, tmp_path, capsys):
    from mmsa_utils.apps import train as command

    told = {}

    def seen(model, loader, validation, **options):
        told.update(options, batch=loader.batch_size, workers=loader.num_workers)
        raise ValueError("enough")

    monkeypatch.setattr(command, "train", seen)
    own_table(tmp_path)
    words = ["train", "--data", str(tmp_path / "posts.csv"), "--batch-size", "6", "--accumulate", "2", "--precision",
             "bf16", "--workers", "1"]
    assert cli.main(words) == 1
    assert "error: enough" in capsys.readouterr().err
    assert {name: told[name] for name in ("batch", "workers", "accumulate", "precision")} == {
        "batch": 6, "workers": 1, "accumulate": 2, "precision": "bf16"}


def test_the_first_process_alone_measures_and_saves(monkeypatch, tmp_path, capsys):
    from mmsa_utils.apps import train as command

    ended = []
    monkeypatch.setattr(command, "start", lambda alone: SimpleNamespace(device=torch.device("cpu"),
                                                                        end_training=lambda: ended.append(1)))
    monkeypatch.setattr(command, "train", lambda *batches, **options: [])
    own_table(tmp_path)
    started(monkeypatch, 2, 1)
    out = tmp_path / "out"
    assert cli.main(["train", "--data", str(tmp_path / "posts.csv"), "--out", str(out)]) == 0
    assert ended == [1]
    assert not out.exists()
    assert capsys.readouterr() == ("", "")
