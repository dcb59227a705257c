"""The command line: one JSON object on standard output, logs and errors on standard error, honest exit codes."""

import contextlib
import io
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import helpers
import pytest
from helpers import food, quiet_environment

from mmsa_utils import __version__
from mmsa_utils.apps.cli import lines, main
from mmsa_utils.apps.commands import COMMANDS
from mmsa_utils.apps.options import check, parser
from mmsa_utils.learning.alignment import align
from mmsa_utils.learning.correction import correction_phase
from mmsa_utils.learning.evaluation import evaluate
from mmsa_utils.model.model import MultimodalSentimentModel

LABELS = ["negative", "neutral", "positive"]


def refuse(word: str) -> None:
    raise AssertionError(f"{word} is no JSON")


def strict_json(text: str) -> dict:
    """One JSON object and nothing else: no NaN, no second line."""
    assert text.endswith("\n")
    assert text.count("\n") == 1
    return json.loads(text, parse_constant=refuse)


@pytest.fixture
def say(capfd):
    """Run a command that must succeed; its standard output."""

    def run(*words) -> str:
        code = main([str(word) for word in words])
        said = capfd.readouterr()
        assert code == 0, said.err
        return said.out

    return run


@pytest.fixture
def fail(capfd):
    """Run a command that must fail; its message."""

    def run(*words) -> str:
        assert main([str(word) for word in words]) == 1
        said = capfd.readouterr()
        assert said.out == ""
        assert said.err.splitlines()[-1:] != []
        (line,) = (line for line in said.err.splitlines() if line.startswith("error: "))
        assert "Traceback" not in said.err
        return said.err[said.err.index(line) :]

    return run


@pytest.fixture(scope="session")
def photo(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("photo") / "photo.jpg"
    food(1)[0].image.save(path)
    return path


@pytest.fixture(scope="session")
def table(tmp_path_factory) -> Path:
    """Twenty posts of one's own."""
    folder = tmp_path_factory.mktemp("table")
    lines = ["text,image,label"]
    for i, post in enumerate(food(20)):
        post.image.save(folder / f"{i}.png")
        lines.append(f'"{post.text}",{i}.png,{LABELS[post.label]}')
    (folder / "posts.csv").write_text("\n".join(lines))
    return folder / "posts.csv"


@pytest.fixture(scope="session")
def tiny_pair(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("tiny")
    return f"{helpers.save_text(folder / 'bert')}+{helpers.save_image(folder / 'vit')}"


@pytest.fixture(scope="session")
def model(tmp_path_factory, tiny_pair) -> Path:
    text, image = tiny_pair.split("+")
    folder = tmp_path_factory.mktemp("model") / "saved"
    MultimodalSentimentModel(text, image, frozen=True).save_pretrained(folder)
    return folder


# --- help and usage ---


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command, capsys):
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0
    said = capsys.readouterr().out
    assert command in said
    assert ("--json" in said) == (command != "dashboard")  # which prints no result
    assert bool(re.search(r"--seed\b", said)) == (command not in ("dashboard", "grade", "handout", "convert"))


@pytest.mark.parametrize(
    "words",
    [[], ["sing"], ["predict"], ["predict", "--data", "posts.csv"], ["align", "--size", "huge"],
     ["train", "--epochs", "few"], ["evaluate", "--split", "train"], ["align", "--no-such-option"]],
)
def test_a_wrong_call_is_a_usage_error(words, capsys):
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "usage:" in said.err


def test_examples_are_calls_that_would_start(capsys):
    """Each line of examples is understood by the parser of its command."""
    lines = []
    for command in COMMANDS:
        with pytest.raises(SystemExit):
            main([command, "--help"])
        said = capsys.readouterr().out
        shown = filter(str.strip, said.partition("examples:")[2].splitlines())
        lines += [line.split("mmsa_utils ", 1)[1] for line in shown]
    assert {line.split()[0] for line in lines} == set(COMMANDS)
    for line in lines:
        arguments = parser().parse_args(shlex.split(line))
        assert check(arguments) == ""


def test_the_version_is_said(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out == f"mmsa-utils {__version__}\n"


@pytest.mark.parametrize(("called", "name"), [("/usr/bin/mmsa-utils", "mmsa-utils"), ("mmsa-utils.exe", "mmsa-utils"),
                                              ("/x/mmsa_utils/__main__.py", "python -m mmsa_utils")])
def test_the_program_is_called_as_it_was_called(called, name, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [called])
    with pytest.raises(SystemExit):
        main(["predict", "--help"])
    said = capsys.readouterr().out
    assert said.startswith(f"usage: {name} predict")
    assert f"\n  {name} predict --data" in said


def test_as_a_program(photo):
    """Through the front door, with the shipped model: what a reader types right after setup."""
    words = [sys.executable, "-m", "mmsa_utils", "predict", "--text", "This burger is delicious!", "--image", photo]
    done = subprocess.run([*words, "--json"], capture_output=True, text=True, env=quiet_environment(), timeout=120)
    assert done.returncode == 0, done.stderr
    answer = strict_json(done.stdout)
    assert set(answer) == {"label", "probs", "text_alone", "picture_alone", "contradicts", "unfamiliar", "remarks"}
    assert list(answer["probs"]) == LABELS
    assert sum(answer["probs"].values()) == pytest.approx(1, abs=1e-3)
    assert answer["label"] == max(answer["probs"], key=answer["probs"].get)


# --- predict and evaluate ---


def test_predict_in_words(say, photo, model):
    said = say("predict", "--text", "Good", "--image", photo, "--model", model)
    assert said.startswith("label: ")
    assert "  positive: 0." in said


@pytest.mark.parametrize("classes", [["negative", "positive"], ["joy", "anger", "fear", "none"]])
def test_predict_names_the_classes_of_the_model(say, photo, tiny_pair, tmp_path, classes):
    MultimodalSentimentModel(*tiny_pair.split("+"), classes=classes, frozen=True).save_pretrained(tmp_path / "m")
    answer = strict_json(say("predict", "--text", "Good", "--image", photo, "--model", tmp_path / "m", "--json"))
    assert list(answer["probs"]) == classes
    assert answer["label"] in classes


def test_predict_a_number_from_one_side(say, photo, tiny_pair, tmp_path):
    MultimodalSentimentModel(tiny_pair.split("+")[0], None, classes=None).save_pretrained(tmp_path / "m")
    answer = strict_json(say("predict", "--text", "Good", "--image", photo, "--model", tmp_path / "m", "--json"))
    assert isinstance(answer["number"], float)


def test_a_model_with_other_classes_is_not_measured_on_moods(fail, tiny_pair, tmp_path):
    MultimodalSentimentModel(*tiny_pair.split("+"), classes=["joy", "anger"]).save_pretrained(tmp_path / "m")
    assert "the model's classes are ('joy', 'anger')" in fail("evaluate", "--model", tmp_path / "m", "--posts", 5)


def test_evaluate_on_generated_posts(say, model):
    result = strict_json(say("evaluate", "--model", model, "--posts", 30, "--json"))
    assert result["posts"] == 30
    assert result["ceiling"] == pytest.approx(0.98)
    assert {"loss", "accuracy", "macro_f1", "calibration_error"} <= set(result)
    assert result == strict_json(say("evaluate", "--model", model, "--posts", 30, "--json"))
    assert result != strict_json(say("evaluate", "--model", model, "--posts", 30, "--seed", 1, "--json"))


def test_evaluate_on_ones_own_posts(say, model, table):
    result = strict_json(say("evaluate", "--model", model, "--data", table, "--json"))
    assert result["posts"] == 20
    assert "ceiling" not in result


# --- interrupted work ---


def test_an_interrupted_training_goes_on(say, tiny_pair, table, tmp_path, monkeypatch, capfd):
    words = ["train", "--pair", tiny_pair, "--data", table, "--epochs", 3, "--json", "--out"]
    fresh = strict_json(say(*words, tmp_path / "fresh"))
    done = []

    def pressed(*arguments, **options):
        done.append(1)
        if len(done) == 3:  # Ctrl-C while the third epoch is checked
            raise KeyboardInterrupt
        return evaluate(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr("mmsa_utils.learning.training.evaluate", pressed)
        assert main([str(word) for word in (*words, tmp_path / "out")]) == 130
    kept = tmp_path / "out" / "unfinished"
    assert f"kept in {kept}: the same command goes on from there" in capfd.readouterr().err
    assert [path.name for path in kept.iterdir()] == ["run.safetensors"]
    again = strict_json(say(*words, tmp_path / "out"))
    assert again["history"] == fresh["history"]
    assert again["test"] == fresh["test"]
    assert not kept.exists()


def test_without_a_place_an_interruption_says_that_nothing_is_kept(monkeypatch, capsys):
    def pressed(arguments):
        raise KeyboardInterrupt

    monkeypatch.setitem(COMMANDS, "train", pressed)
    assert main(["train"]) == 130
    assert "nothing was kept (--out DIR keeps what is done)" in capsys.readouterr().err


def test_an_interrupted_alignment_goes_on(tmp_path, tiny_pair, monkeypatch):
    def run(folder, stop_after: int = 0) -> dict:
        """The correction phase, given up when so many files are kept."""
        finished = correction_phase(*tiny_pair.split("+"), seeds=1, n_train=40, n_test=20, folder=folder,
                                    show_progress=False)
        return {key: value for key, value in finished[0].items() if key != "seconds"}

    monkeypatch.setattr("mmsa_utils.learning.correction.RANDOM_HEADS", 3)
    whole = run(tmp_path / "whole")
    kept = tmp_path / "kept"
    with pytest.MonkeyPatch.context() as patch:
        heads = []

        def align_a_few(*arguments, **options):
            heads.append(1)
            if len(heads) == 5:
                raise KeyboardInterrupt
            return align(*arguments, **options)

        patch.setattr("mmsa_utils.learning.correction.align", align_a_few)
        with pytest.raises(KeyboardInterrupt):
            run(kept)
    assert len(list(kept.glob("features-*"))) == 7
    assert len(list(kept.glob("*.safetensors"))) == 4
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mmsa_utils.learning.cache.extract_features", lambda *a, **o: pytest.fail("encoded again"))
        assert run(kept) == whole


# --- train ---


@pytest.mark.parametrize("binary", [True, False])
def test_train_on_ones_own_posts_then_predict(say, tiny_pair, table, photo, tmp_path, binary):
    classes = "--binary" if binary else "--no-binary"
    result = strict_json(say("train", "--pair", tiny_pair, "--data", table, "--epochs", 1, classes, "--out",
                             tmp_path / "out", "--json"))
    assert len(result["history"]) == 1
    assert 0 <= result["test"]["accuracy"] <= 1
    assert result["saved"] == str(tmp_path / "out")
    answer = strict_json(say("predict", "--text", "Good", "--image", photo, "--model", tmp_path / "out", "--json"))
    assert len(answer["probs"]) == (2 if binary else 3)


def test_train_on_generated_posts_is_binary_for_the_first_pair(say, monkeypatch):
    from mmsa_utils.posts import food as data

    original = data.FoodPosts
    monkeypatch.setattr(data, "FoodPosts", lambda n, *rest, **options: original(min(n, 24), *rest, **options))
    words = ("train", "--pair", "bert+resnet18", "--posts", 24, "--epochs", 1, "--freeze", "--json")
    result = strict_json(say(*words))
    assert (result["pair"], result["size"]) == ("bert+resnet18", "mini")
    assert result["test"]["loss"] < 2
    assert result == strict_json(say(*words))


# --- align ---


@pytest.fixture(scope="module")
def aligned(tmp_path_factory) -> tuple[dict, Path, str]:
    """A tiny correction phase: its report, where its model is, and what it said on standard error."""
    folder = tmp_path_factory.mktemp("aligned") / "out"
    out, log = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(log):
        code = main(["align", "--posts", "80", "--test-posts", "60", "--seeds", "2", "--out", str(folder), "--json"])
    assert code == 0, log.getvalue()
    return strict_json(out.getvalue()), folder, log.getvalue()


def test_align_reports_every_figure(aligned):
    report, _, _ = aligned
    assert {"before", "after", "unseen", "ceiling", "control", "slices", "burger", "calibration",
            "seconds"} <= set(report)
    for part, key in (("before", "accuracy"), ("after", "accuracy"), ("unseen", "accuracy"), ("control", "accuracy"),
                      ("text_only", "accuracy"), ("image_only", "accuracy"), ("burger", "positive"),
                      ("slices", "contradict"), ("slices", "refer"), ("calibration", "after")):
        figure = report[part][key]
        assert figure["low"] <= figure["mean"] <= figure["high"], part
    assert report["before"]["accuracy"]["mean"] == pytest.approx(1 / 3, abs=0.08)
    assert report["ceiling"]["both"] == pytest.approx(0.98)
    assert report["ceiling"]["both"] > report["ceiling"]["additive"] > report["ceiling"]["image"]
    assert report["seconds"] > 0


def test_an_aligned_model_is_saved_head_and_temperature(aligned, say, photo):
    report, folder, _ = aligned
    model = MultimodalSentimentModel.from_pretrained(folder)
    assert model.temperature.item() != 1
    assert model.frozen
    answer = strict_json(say("predict", "--text", "This burger is delicious!", "--image", photo, "--model", folder,
                             "--json"))
    assert list(answer["probs"]) == LABELS
    result = strict_json(say("evaluate", "--model", folder, "--posts", 60, "--json"))
    low, high = (report["after"]["accuracy"][end] for end in ("low", "high"))
    assert low - 0.2 <= result["accuracy"] <= high + 0.2  # one of the two seeds, on the same posts


def test_align_shows_its_progress_on_standard_error(aligned):
    _, _, log = aligned
    assert re.search(r"encode: .*\[\d\d:\d\d<\d\d:\d\d", log)  # with the time left
    assert "Traceback" not in log


def test_one_seed_has_no_interval(say, tiny_pair):
    report = strict_json(say("align", "--pair", tiny_pair, "--posts", 40, "--test-posts", 40, "--seeds", 1, "--json"))
    assert set(report["after"]["accuracy"]) == {"mean"}


# --- what cannot be done ---


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["align", "--pair", "bert"], "--pair is 'bert'"),
        (["align", "--pair", "bert+"], r"--pair is 'bert\+'"),
        (["align", "--pair", "brt+vit", "--posts", "5", "--test-posts", "5"], "'brt'"),
        (["align", "--seeds", "0"], "--seeds is 0"),
        (["align", "--posts", "0"], "n is 0"),
        (["align", "--test-posts", "0"], "n is 0"),
        (["align", "--conflict", "2", "--posts", "5"], "conflict is 2"),
        (["train", "--posts", "0"], "n is 0"),
        (["train", "--posts", "12", "--epochs", "0"], "epochs is 0"),
        (["train", "--data", "gone.csv"], r"no file gone\.csv"),
        (["evaluate", "--model", "gone"], "no folder gone"),
        (["predict", "--text", "Good", "--image", "gone.jpg"], r"no picture file gone\.jpg"),
        (["predict", "--text", "Good", "--image", "."], "no picture file"),
    ],
)
def test_bad_input_is_an_error_that_names_it(fail, monkeypatch, tmp_path, words, message):
    monkeypatch.chdir(tmp_path)
    assert re.search(message, fail(*words, "--json"))


@pytest.mark.parametrize("text", ["", "  "])
def test_an_empty_text_is_refused(fail, photo, model, text):
    assert "expected a string with at least one word" in fail("predict", "--text", text, "--image", photo,
                                                              "--model", model)


def test_a_broken_picture_is_refused_by_name(fail, tmp_path, model):
    (tmp_path / "photo.jpg").write_bytes(b"no picture")
    error = fail("predict", "--text", "Good", "--image", tmp_path / "photo.jpg", "--model", model)
    assert "photo.jpg cannot be read as a picture" in error


def test_faulty_rows_are_refused_by_number(fail, tmp_path, model):
    (tmp_path / "posts.csv").write_text("text,image,label\nGood,gone.png,2\n")
    assert "row 2: there is no picture file" in fail("evaluate", "--data", tmp_path / "posts.csv", "--model", model)


def test_too_few_posts_to_split_are_refused(fail, table, tmp_path):
    few = table.with_name("few.csv")
    few.write_text("\n".join(table.read_text().splitlines()[:5]))
    assert "4 posts are too few" in fail("train", "--data", few)


def test_a_place_that_cannot_be_written_is_an_error(fail, tiny_pair, tmp_path):
    (tmp_path / "file").write_text("")
    words = ("align", "--pair", tiny_pair, "--posts", 30, "--test-posts", 30, "--seeds", 1, "--out", tmp_path / "file")
    assert "file" in fail(*words)


@pytest.mark.parametrize("command", ["train", "align"])
def test_a_place_that_cannot_be_written_is_found_before_the_work(command, tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setitem(COMMANDS, command, lambda arguments: pytest.fail("the work was begun"))
    assert main([command, "--out", str(tmp_path / "file")]) == 1
    assert "file" in capsys.readouterr().err


def test_tiny_numbers_are_not_printed_as_nothing():
    assert lines({"a": 1.2e-7, "b": 0.0, "c": 0.98765, "d": 3}) == ["a: 1.2e-07", "b: 0.0000", "c: 0.9877", "d: 3"]
