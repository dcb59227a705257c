"""Predictions for one post, for one side alone, and for tables without labels."""

import csv
import json
import os
import stat
from pathlib import Path

import pytest
import torch
from helpers import food, mini, save_image, save_text
from PIL import Image

from mmsa_utils import LABELS, MultimodalSentimentModel, Reader, load_model, load_posts, make_post
from mmsa_utils.apps.cli import main
from mmsa_utils.apps.table import contradiction
from mmsa_utils.learning.ahead import Batches, read_ahead

N = 70  # more than a batch


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Pictures and a table without labels."""
    place = tmp_path_factory.mktemp("posts")
    for i, post in enumerate(food(12)):
        post.image.save(place / f"{i}.png")
    Image.new("RGB", (60, 50), "red").save(place / "cut.jpg")
    (place / "cut.jpg").write_bytes((place / "cut.jpg").read_bytes()[:300])
    (place / "no.png").write_bytes(b"no picture")
    table(place / "posts.csv")
    return place


def table(path: Path, changes: dict[int, tuple[str, str]] | None = None, n: int = N,
          header: str = "text,image") -> Path:
    """A table of n posts, of which some are others; in row 2 stands the first."""
    with path.open("w", newline="", encoding="utf8") as file:
        writer = csv.writer(file)
        writer.writerow(header.split(","))
        for i in range(n):
            text, image = (changes or {}).get(i + 2, (food(12)[i % 12].text, f"{(5 * i) % 12}.png"))
            writer.writerow([text, image, "?"][:header.count(",") + 1])
    return path


@pytest.fixture(scope="module")
def tiny_folders(tmp_path_factory) -> tuple[str, str]:
    place = tmp_path_factory.mktemp("encoders")
    return str(save_text(place / "text", "distilbert")), str(save_image(place / "image"))


@pytest.fixture
def say(capfd):
    """A command's result."""

    def run(*words) -> dict:
        assert main([*map(str, words), "--json"]) == 0, capfd.readouterr().err
        return json.loads(capfd.readouterr().out)

    return run


@pytest.fixture
def fail(capfd):
    """What a command that fails says."""

    def run(*words) -> str:
        assert main([*map(str, words)]) == 1
        said = capfd.readouterr()
        assert said.out == ""
        return said.err[said.err.index("error: "):]

    return run


def rows_of(path: Path) -> list[dict]:
    with path.open(newline="", encoding="utf8") as file:
        return list(csv.DictReader(file))


# --- a table ---


def test_every_row_is_answered_as_by_itself(folder, tmp_path, say):
    result = say("predict", "--data", folder / "posts.csv", "--out", tmp_path / "answers.csv")
    rows = rows_of(tmp_path / "answers.csv")
    assert list(rows[0]) == ["row", "answer", "p_negative", "p_neutral", "p_positive", "text_alone", "text_alone_p",
                             "picture_alone", "picture_alone_p", "contradicts", "unfamiliar", "notes"]
    assert [row["row"] for row in rows] == [str(i) for i in range(2, N + 2)]
    model = load_model()
    posts = load_posts(folder / "posts.csv", labelled=False)
    expected = model.predict([post.text for post in posts], [post.image for post in posts])
    found = torch.tensor([[float(row[f"p_{name}"]) for name in LABELS] for row in rows])
    assert torch.allclose(found, expected, atol=2e-5)
    assert [row["answer"] for row in rows] == [LABELS[i] for i in expected.argmax(-1)]
    assert result["posts"] == N
    assert result["classes"] == {name: sum(row["answer"] == name for row in rows) for name in LABELS}
    reader = Reader(model)
    for i in (0, 5, N - 1):
        one = reader.read(posts[i].text, posts[i].image)
        assert (rows[i]["text_alone"], rows[i]["picture_alone"]) == (one.answers["text"], one.answers["picture"])
        assert float(rows[i]["text_alone_p"]) == pytest.approx(max(one.text), abs=1e-4)
        assert float(rows[i]["picture_alone_p"]) == pytest.approx(max(one.picture), abs=1e-4)
        assert rows[i]["contradicts"] == str(one.contradicts).lower()


def test_json_lines_hold_the_same(folder, tmp_path, say):
    for name in ("a.csv", "a.jsonl"):
        say("predict", "--data", table(folder / "few.csv", n=5), "--out", tmp_path / name)
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    rows = rows_of(tmp_path / "a.csv")
    assert [list(line) for line in lines] == [list(row) for row in rows]
    assert [[str(value).lower() for value in line.values()] for line in lines] == [
        [value.lower() for value in row.values()] for row in rows]
    assert all(isinstance(line["contradicts"], bool) for line in lines)


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_change_nothing(folder, tmp_path, say, workers):
    for n in (0, workers):
        say("predict", "--data", folder / "posts.csv", "--out", tmp_path / f"{n}.csv", "--workers", n)
    assert (tmp_path / "0.csv").read_bytes() == (tmp_path / f"{workers}.csv").read_bytes()


@pytest.mark.parametrize("start", ["spawn", "forkserver"])
def test_workers_may_be_started_in_any_way(folder, start):
    """What they are given can be pickled."""
    model = mini()
    loader = read_ahead(load_posts(folder / "posts.csv", labelled=False), model.prepare, 32, workers=1)
    loader.multiprocessing_context = start
    if start == "forkserver" and os.name == "nt":
        pytest.skip("there is none here")
    assert [batch.places for batch in loader] == [[*range(32)], [*range(32, 64)], [*range(64, N)]]


def test_no_picture_stays_in_memory(folder):
    """One is opened at a time, and only its tensor is kept."""
    model, opened = mini(), []
    posts = load_posts(folder / "posts.csv", labelled=False)

    class Watched:
        def __len__(self):
            return len(posts)

        def __getitem__(self, index):
            opened[:] = [picture for picture in opened if picture() is not None]
            assert len(opened) <= 1
            import weakref

            post = posts[index]
            opened.append(weakref.ref(post.image))
            return post

    batch = Batches(Watched(), model.prepare, 64)[0]
    assert {name: len(tensor) for name, tensor in batch.tensors.items()} == {
        "input_ids": 64, "attention_mask": 64, "pixel_values": 64}


def test_labels_are_not_looked_at_and_that_is_said(folder, tmp_path, capfd):
    labelled = table(folder / "labelled.csv", n=3, header="text,image,label")
    assert main(["predict", "--data", str(labelled), "--out", str(tmp_path / "a.csv")]) == 0
    assert "not looked at" in capfd.readouterr().err
    assert main(["predict", "--data", str(table(folder / "few.csv", n=3)), "--out", str(tmp_path / "b.csv")]) == 0
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


def test_notes_and_contradictions_stand_in_their_row(folder, tmp_path, say):
    make_post(2, -2, "burger", 3).image.save(folder / "awful.png")
    changes = {3: ("汉堡 is good", "0.png"), 4: ("so good " * 100, "1.png"),
               5: ("This burger is absolutely fantastic!", "awful.png")}
    result = say("predict", "--data", table(folder / "odd.csv", changes, n=5), "--out", tmp_path / "a.csv")
    rows = rows_of(tmp_path / "a.csv")
    assert [bool(row["notes"]) for row in rows] == [False, True, True, False, False]
    assert "汉" in rows[1]["notes"]
    assert "cut after 64 tokens" in rows[2]["notes"]
    assert rows[3]["contradicts"] == "true"
    assert (result["with_notes"], result["contradictions"]) == (2, sum(row["contradicts"] == "true" for row in rows))


def test_no_cell_can_be_a_formula(folder, tmp_path, say):
    changes = {i + 2: (text, "0.png") for i, text in enumerate(["=1+1 good", "+good", "-good", "@good", "\tgood"])}
    say("predict", "--data", table(folder / "formulas.csv", changes, n=5), "--out", tmp_path / "a.csv")
    cells = [cell for row in rows_of(tmp_path / "a.csv") for cell in row.values()]
    assert not [cell for cell in cells if cell[:1] in ("=", "+", "-", "@", "\t", "\r")]


# --- faults ---


FAULTS = {4: ("Good", "no.png"), 9: ("\x01", "0.png"), 40: ("Good", "gone.png"), 71: ("Good", "cut.jpg")}


def test_faulty_rows_are_named_and_nothing_is_written(folder, tmp_path, fail):
    said = fail("predict", "--data", table(folder / "faulty.csv", FAULTS), "--out", tmp_path / "a.csv")
    assert "row 9" in said  # what costs no time to look at comes before the work
    assert "row 40" in said
    assert list(tmp_path.iterdir()) == []
    damaged = {row: FAULTS[row] for row in (4, 71)}
    said = fail("predict", "--data", table(folder / "faulty.csv", damaged), "--out", tmp_path / "a.csv")
    assert "2 faulty rows" in said
    assert "row 4: " in said
    assert "row 71: " in said
    assert "--skip-faulty" in said
    assert list(tmp_path.iterdir()) == []


def test_faulty_rows_are_skipped_counted_and_named(folder, tmp_path, say):
    data = table(folder / "faulty.csv", FAULTS)
    result = say("predict", "--data", data, "--out", tmp_path / "a.csv", "--skip-faulty")
    assert result["posts"] == N - 4
    assert result["skipped"] == 4
    assert sorted(int(fault.split(":")[0].removeprefix("row ")) for fault in result["faults"]) == sorted(FAULTS)
    assert [int(row["row"]) for row in rows_of(tmp_path / "a.csv")] == [i for i in range(2, N + 2) if i not in FAULTS]


def test_many_faults_are_all_named_in_a_file(folder, tmp_path, say, fail):
    changes = dict.fromkeys(range(2, 40), ("Good", "no.png"))
    data = table(folder / "faulty.csv", changes)
    assert "faulty_rows.txt" in fail("predict", "--data", data, "--out", tmp_path / "a.csv")
    assert len((tmp_path / "faulty_rows.txt").read_text().splitlines()) == 38
    result = say("predict", "--data", data, "--out", tmp_path / "b.csv", "--skip-faulty")
    assert len(result["faults"]) == 11
    assert "38" in result["faults"][-1]


def test_a_table_without_a_single_good_row_is_an_error(folder, tmp_path, fail):
    data = table(folder / "faulty.csv", dict.fromkeys(range(2, 5), ("Good", "no.png")), n=3)
    assert "3 faulty rows" in fail("predict", "--data", data, "--out", tmp_path / "a.csv", "--skip-faulty")
    assert list(tmp_path.iterdir()) == []


def test_what_stood_there_stays_until_the_end(folder, tmp_path, fail, say):
    out = tmp_path / "a.csv"
    out.write_text("of last week")
    fail("predict", "--data", table(folder / "faulty.csv", {71: FAULTS[71]}), "--out", out)
    assert out.read_text() == "of last week"
    say("predict", "--data", table(folder / "few.csv", n=3), "--out", out)
    assert len(rows_of(out)) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]
    if os.name != "nt":
        (tmp_path / "b").touch()
        assert stat.S_IMODE(out.stat().st_mode) == stat.S_IMODE((tmp_path / "b").stat().st_mode)


def test_the_place_of_the_answers_is_looked_at_first(folder, tmp_path, fail, monkeypatch):
    monkeypatch.setattr("mmsa_utils.apps.table.own_posts", lambda *_, **__: pytest.fail("the work was begun"))
    data = folder / "posts.csv"
    assert "ends in .csv or .jsonl" in fail("predict", "--data", data, "--out", tmp_path / "a.xlsx")
    assert "the table itself" in fail("predict", "--data", data, "--out", data)
    assert len(rows_of(data)) == N
    (tmp_path / "a.csv").mkdir()
    assert "a folder" in fail("predict", "--data", data, "--out", tmp_path / "a.csv")


# --- other models ---


@pytest.mark.parametrize(("kind", "classes"), [("both", ("joy", "anger", "fear")), ("both", None), ("text", ("a", "b")),
                                               ("image", None)])
def test_tables_for_any_classes_and_sides(folder, tiny_folders, tmp_path, say, kind, classes):
    text, image = tiny_folders
    model = MultimodalSentimentModel(text if kind != "image" else None, image if kind != "text" else None,
                                     classes=classes)
    model.save_pretrained(tmp_path / "m")
    say("predict", "--data", table(folder / "few.csv", n=4), "--out", tmp_path / "a.csv", "--model", tmp_path / "m")
    rows = rows_of(tmp_path / "a.csv")
    assert len(rows) == 4
    alone = ["text_alone", "picture_alone"] if kind == "both" else []
    if classes is None:
        assert list(rows[0]) == ["row", "answer", *alone, "unfamiliar", "notes"]
        assert all(float(row["answer"]) == float(row["answer"]) for row in rows)
    else:
        assert [f"p_{name}" in rows[0] for name in classes] == [True] * len(classes)
        assert ("contradicts" in rows[0]) == (kind == "both")
        assert all(row["answer"] in classes for row in rows)


@pytest.mark.parametrize(("classes", "text", "image", "expected"), [
    (LABELS, 0, 2, True), (LABELS, 0, 1, False), (LABELS, 2, 2, False), (("Positive", "Negative"), 0, 1, True),
    (("joy", "anger", "fear"), 1, 2, True), (("joy", "anger"), 1, 1, False)])
def test_what_contradicts(classes, text, image, expected):
    said = {"text": torch.eye(len(classes))[text], "image": torch.eye(len(classes))[image]}
    assert contradiction(classes, said) == {"contradicts": expected}
    assert contradiction(None, said) == contradiction(classes, {"text": said["text"]}) == {}


# --- one post, and one side of it ---


def test_one_post_says_what_each_side_says(folder, say):
    text = food(12)[0].text
    result = say("predict", "--text", text, "--image", folder / "0.png")
    one = Reader(load_model()).read(text, Image.open(folder / "0.png"))
    assert result["label"] == one.answers["both"]
    for key, answer, probabilities in (("text_alone", one.answers["text"], one.text),
                                       ("picture_alone", one.answers["picture"], one.picture)):
        assert result[key]["label"] == answer
        assert list(result[key]["probs"].values()) == pytest.approx(probabilities, abs=2e-4)
    assert result["contradicts"] == one.contradicts
    assert result["remarks"] == []


@pytest.mark.parametrize("side", ["text", "image"])
def test_one_side_alone_is_an_average_and_said_to_be(folder, say, side):
    text = food(12)[0].text
    result = say("predict", *(("--text", text) if side == "text" else ("--image", folder / "0.png")))
    one = Reader(load_model()).read(text, Image.open(folder / "0.png"))
    expected = one.text if side == "text" else one.picture
    assert list(result["probs"].values()) == pytest.approx(expected, abs=2e-4)
    assert (result["side"], result["average_over"]) == (side, 32)
    other = "pictures" if side == "text" else "texts"
    assert f"an average over 32 other {other}" in result["remarks"][0]
    assert "contradicts" not in result


def test_remarks_of_one_post_are_said(folder, say, capfd):
    assert any("汉" in remark for remark in say("predict", "--text", "汉堡 is good")["remarks"])
    assert main(["predict", "--text", "good " * 100, "--image", str(folder / "0.png")]) == 0
    assert "cut after 64 tokens" in capfd.readouterr().out


def test_a_model_of_one_side_needs_no_average(folder, tiny_folders, tmp_path, say, fail):
    model = MultimodalSentimentModel(tiny_folders[0], None, classes=("a", "b")).eval()
    model.save_pretrained(tmp_path / "m")
    result = say("predict", "--text", "This burger", "--model", tmp_path / "m")
    assert list(result["probs"].values()) == pytest.approx(model.predict(["This burger"])[0].tolist(), abs=1e-4)
    assert "average_over" not in result
    assert "expected --text" in fail("predict", "--image", folder / "0.png", "--model", tmp_path / "m")


def test_a_number_from_one_side_of_two(folder, tiny_folders, tmp_path, say):
    MultimodalSentimentModel(*tiny_folders, classes=None).save_pretrained(tmp_path / "m")
    both = say("predict", "--text", "This burger", "--image", folder / "0.png", "--model", tmp_path / "m")
    alone = say("predict", "--text", "This burger", "--model", tmp_path / "m")
    assert alone["number"] == both["text_alone"]["number"]
    assert "contradicts" not in both


@pytest.mark.parametrize(("words", "message"), [
    ([], "give --text, --image or both"), (["--data", "x.csv"], "--out is missing"),
    (["--out", "x.csv"], "--data is missing"),
    (["--text", "Good", "--data", "x.csv", "--out", "y.csv"], "give one kind"),
    (["--text", "Good", "--workers", "2"], "are for a table"),
    (["--data", "x.csv", "--out", "y.csv", "--workers", "-1"], "too few")])
def test_words_that_do_not_go_together_are_a_usage_error(words, message, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["predict", *words])
    assert stop.value.code == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert message in said.err


def test_an_empty_text_is_called_the_text(folder, fail):
    assert "the text is ''" in fail("predict", "--text", "", "--image", folder / "0.png")
