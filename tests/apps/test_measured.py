"""What is said of a model: short tables that hide nothing, a page, and a card with its figures and no path."""

import json
import re
from pathlib import Path

import pytest
from helpers import food

from mmsa_utils import MultimodalSentimentModel
from mmsa_utils.apps import align, card, evaluate, words
from mmsa_utils.apps.cli import main
from mmsa_utils.model.card import MARK

MOODS = ("negative", "neutral", "positive")


@pytest.fixture
def say(capfd):
    """Run a command that must succeed; its standard output."""

    def run(*given) -> str:
        code = main([str(word) for word in given])
        said = capfd.readouterr()
        assert code == 0, said.err
        return said.out

    return run


@pytest.fixture
def fail(capfd):
    def run(*given) -> str:
        assert main([str(word) for word in given]) == 1
        return capfd.readouterr().err

    return run


def table_of(folder: Path, labels: list, texts: list[str] | None = None) -> Path:
    lines = ["text,image,label"]
    for i, (post, label) in enumerate(zip(food(len(labels)), labels)):
        post.image.save(folder / f"{i}.png")
        lines.append(f'"{texts[i] if texts else post.text}",{i}.png,{label}')
    (folder / "posts.csv").write_text("\n".join(lines), encoding="utf8")
    return folder / "posts.csv"


# --- words ---


def test_columns_stand_under_each_other_whatever_the_signs():
    table = words.table(("class", "posts"), [("Freude", 7), ("怒り", 12), ("a\x1b[31m\nb", 3)])
    assert table.splitlines() == ["class     posts", "Freude        7", "怒り         12",
                                  "a\N{REPLACEMENT CHARACTER}[31m b      3"]


def test_a_strangers_text_steers_no_terminal():
    said = words.clean("\x1b]0;title\x07 red\u202e \r\n next" + "x" * 500)
    assert said.isprintable()
    assert len(said) <= 200


def test_a_figure_with_and_without_its_interval():
    assert words.figure(0.5) == "0.500"
    assert words.figure(0.5, (0.25, 0.75), 2) == "0.50 (0.25 to 0.75)"
    assert words.figure(None, (0, 1)) == "-"


# --- evaluate ---


@pytest.fixture(scope="module")
def measured() -> dict:
    return evaluate.evaluation(MultimodalSentimentModel(frozen=True), food(40), 3)


def test_evaluate_tells_all(say):
    result = json.loads(say("evaluate", "--posts", 60, "--mistakes", 2, "--json"))
    assert result["ceilings"] == pytest.approx({"text": 0.586, "image": 0.730, "additive": 0.938, "both": 0.98},
                                               abs=1e-3)
    assert set(result["alone"]) == {"text", "image"}
    assert set(result["classes"]) == set(result["confusion"]) == set(MOODS)
    assert {"agree", "contradict"} < set(result["slices"]["relation"])
    low, high = result["intervals"]["accuracy"]
    assert low < result["accuracy"] < high
    assert len(result["mistakes"]) <= 2


def test_in_words_it_is_short_and_whole(measured):
    said = evaluate.said(measured)
    assert max(map(len, said.splitlines())) <= 120
    assert len(said.splitlines()) < 60
    for part in ("text alone", "picture alone", "precision", "Truth (rows)", "contradict", "worst mistakes",
                 "macro-F1"):
        assert part in said
    assert "{" not in said


def test_two_posts_are_no_result(say):
    said = say("evaluate", "--posts", 2)
    assert "2 posts are no result" in said
    assert "(0.342 to 1.000)" in said or "(0.000 to 0.658)" in said or "(0.095 to 0.905)" in said


def test_many_classes_do_not_flood_a_terminal():
    names = tuple(f"class number {i}" for i in range(30))
    posts = [type(post)(post.text, post.image, i % 30) for i, post in enumerate(food(40))]
    said = evaluate.said(evaluate.evaluation(MultimodalSentimentModel("distilbert", None, classes=names), posts))
    assert max(map(len, said.splitlines())) <= 120
    assert "most often confused" in said


def test_cut_texts_are_said(say, tmp_path, tiny):
    tiny().save_pretrained(tmp_path / "m")
    table = table_of(tmp_path, ["negative", "positive"] * 2, ["good", "burger " * 500, "good", "soup"])
    said = say("evaluate", "--model", tmp_path / "m", "--data", table)
    assert "1 of 4 texts was cut" in said
    assert "cut: longer than the model reads" in said


def test_a_model_of_any_classes_is_measured_on_a_table(say, fail, tmp_path, tiny):
    tiny(classes=("joy", "anger", "fear", "calm")).save_pretrained(tmp_path / "m")
    table = table_of(tmp_path, ["joy", "anger", "fear", "calm", "joy"])
    result = json.loads(say("evaluate", "--model", tmp_path / "m", "--data", table, "--json"))
    assert list(result["classes"]) == ["joy", "anger", "fear", "calm"]
    assert [row["posts"] for row in result["classes"].values()] == [2, 1, 1, 1]
    assert all("picture" in one for one in result["mistakes"])
    assert "the model's classes are ('joy', 'anger', 'fear', 'calm')" in fail("evaluate", "--model", tmp_path / "m")


def test_a_model_of_numbers_is_measured_on_generated_posts(say, fail, tmp_path, tiny):
    tiny(classes=None).save_pretrained(tmp_path / "m")
    result = json.loads(say("evaluate", "--model", tmp_path / "m", "--posts", 9, "--json"))
    assert result["mae"] > 0
    assert "too few" in result["remarks"][0]
    assert "mean absolute error" in say("evaluate", "--model", tmp_path / "m", "--posts", 9)
    assert "gives a number" in fail("evaluate", "--model", tmp_path / "m", "--data", table_of(tmp_path, ["positive"]))


def test_posts_that_were_learned_from_are_said(say, tmp_path):
    table = table_of(tmp_path, ["negative", "positive"] * 12)
    words = ("--data", table, "--json")
    say("train", "--pair", "bert+resnet18", "--epochs", 1, "--freeze", "--out", tmp_path / "out", *words)
    result = json.loads(say("evaluate", "--model", tmp_path / "out", *words))
    assert sum(result["seen"].values()) > 0
    assert any("learned from" in said for said in result["remarks"])


# --- align ---


REPORT = {
    "pair": "a+b", "size": "mini", "seeds": 2, "posts": {"train": 80, "validation": 10, "test": 60, "unseen": 60},
    "conflict": 0.2, "before": {"accuracy": {"mean": 0.33, "low": 0.32, "high": 0.34}}, "seconds": 2.0,
    "after": {name: {"mean": 0.95, "low": 0.8, "high": 1.1} for name in ("accuracy", "macro_f1", "loss")},
    "slices": {name: {"mean": 0.9, "low": 0.8, "high": 1.0} for name in (
        "agree", "soft", "contradict", "refer", "order")},
    "any_order": {"mean": 0.88, "low": 0.8, "high": 0.9},
    "unseen": {"accuracy": {"mean": 0.9, "low": 0.8, "high": 1},
               "random_encoders": {"mean": 0.6, "low": 0.5, "high": 0.7}},
    **{name: {"accuracy": {"mean": 0.5, "low": 0.4, "high": 0.6}} for name in (
        "text_only", "image_only", "additive", "control")},
    "burger": {"positive": {"mean": 0.9, "low": -1, "high": 3}}, "remarks": ["3 of 60 texts were cut."],
    "calibration": {"temperature": {"mean": 1.2, "low": 1.1, "high": 1.3},
                    "after": {"mean": 0.02, "low": 0, "high": 0.1}},
    "ceiling": {"text": 0.586, "image": 0.73, "text_any_order": 0.529, "any_order": 0.926, "additive": 0.938,
                "both": 0.98},
}


def test_align_prints_the_readmes_table():
    said = align.said(REPORT)
    assert 15 <= len(said.splitlines()) <= 25
    assert re.search(r"after: text and picture +0\.950 \(0\.800 to 1\.000\) +0\.980", said)
    assert re.search(r"text alone +0\.500 \(0\.400 to 0\.600\) +0\.586", said)
    assert re.search(r"words of the test texts shuffled +0\.880 \(0\.800 to 0\.900\) +0\.926", said)
    assert "-1" not in said
    assert "3 of 60 texts were cut." in said
    one = {**REPORT, "seeds": 1, "after": {name: {"mean": 0.95} for name in REPORT["after"]}}
    assert re.search(r"after: text and picture +0\.950 +0\.980", align.said(one))
    assert "one seed has no interval" in align.said(one)


# --- cards ---


def test_a_cards_figures_are_those_of_the_test(measured):
    private = "2 of 40 texts were cut after 64 tokens (“My neighbour”): what stands behind was not read."
    result = {"posts": {"train": {"negative": 12, "odd|name": 3}},
              "test": {**measured, "remarks": [*measured["remarks"], private]}}
    said = card.figures(result, "A table of its owner's.")
    assert "15: negative 12, odd\\|name 3" in said
    assert words.figure(measured["accuracy"], measured["intervals"]["accuracy"]) in said
    assert "no result" in said  # 40 posts of an untrained model
    assert "| picture alone, accuracy |" in said
    assert "neighbour" not in said
    said = card.figures(REPORT, "Generated posts.")
    assert "| after: text and picture | 0.950 (0.800 to 1.000) | 0.980 |" in said
    assert "| train | 80 |" in said


def test_a_trained_model_has_a_card_with_its_figures_and_no_path(say, tmp_path):
    table = table_of(tmp_path, ["negative", "positive"] * 12)
    say("train", "--pair", "bert+resnet18", "--data", table, "--epochs", 1, "--freeze", "--class-weights", "balanced",
        "--out", tmp_path / "out", "--json")
    text = (tmp_path / "out" / "README.md").read_text(encoding="utf8")
    for part in ("text encoder | bert, mini", "classes | negative, positive", "macro-F1", "A table of its owner's",
                 "test posts", "## Use and limits", "## Licence", "by version 0."):
        assert part in text
    assert str(tmp_path) not in text
    assert "posts.csv" not in text


def test_a_card_never_tells_of_another_model(tmp_path, tiny):
    model = tiny()
    model.save_pretrained(tmp_path, model_card_kwargs={"figures": "Accuracy 0.99"})
    assert "Accuracy 0.99" in (tmp_path / "README.md").read_text(encoding="utf8")
    model.save_pretrained(tmp_path)
    assert "No figures" in (tmp_path / "README.md").read_text(encoding="utf8")
    (tmp_path / "README.md").write_text("My own words.", encoding="utf8")
    model.save_pretrained(tmp_path)
    assert (tmp_path / "README.md").read_text(encoding="utf8") == "My own words."


def test_hostile_names_break_no_card(tmp_path, tiny):
    tiny(classes=("<script>|x", "{{ 7*7 }}\n# big")).save_pretrained(tmp_path)
    text = (tmp_path / "README.md").read_text(encoding="utf8")
    assert MARK in text
    assert "<script" not in text.replace("\\<script", "")
    assert "49" not in text
    assert "\n# big" not in text
    assert "tiny" not in text  # the folder of the encoders lies there


# --- report ---


def test_a_report_is_one_file_with_the_pictures_of_its_mistakes(say, fail, tmp_path):
    page = tmp_path / "new" / "report.html"
    said = say("report", "--posts", 40, "--split", "unseen", "--out", page)
    assert f"The page is {page}" in said
    text = page.read_text(encoding="utf8")
    result = json.loads(say("report", "--posts", 40, "--split", "unseen", "--mistakes", 2, "--out", page, "--json"))
    assert text.count("<img") == min(5, round(40 * (1 - result["accuracy"])))
    assert result["report"] == str(page)
    assert [path.name for path in page.parent.iterdir()] == ["report.html"]
    assert "is the folder" in fail("report", "--out", tmp_path)
