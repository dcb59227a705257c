"""The command that looks a saved model over."""

import json

import pytest
import torch
from helpers import mini, own_table

from mmsa_utils.apps.cli import main


def told(capsys, *call):
    assert main(["inspect", *map(str, call), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_model_that_ships_is_sound_and_its_table_says_so(capsys):
    assert main(["inspect", "--posts", "24"]) == 0
    said = capsys.readouterr().out
    assert "24 posts, 23 checks: nothing is wrong that they would see" in said
    assert "\nsound      padding" in said
    assert "The page is" not in said


def test_a_model_that_looks_at_its_pictures_alone_is_found_out(tmp_path, capsys):
    model = mini()
    with torch.no_grad():  # what the head makes of the text is gone
        model.head[2].weight[:, :model.encoders["text"].width] = 0
    model.save_pretrained(tmp_path)
    result = told(capsys, "--model", tmp_path, "--posts", 24)
    ill = {found["check"]: found for found in result["findings"] if found["verdict"] == "ill"}
    assert result["ill"] == len(ill) > 0
    assert "ignored" in ill
    assert "text" in ill["ignored"]["saw"]
    assert result["findings"][0]["verdict"] == "ill"  # the worst first


def test_a_page_says_the_same_and_posts_of_the_training_are_found_and_shown(tmp_path, capsys):
    table, out = own_table(tmp_path), tmp_path / "new" / "inspection.html"
    result = told(capsys, "--data", table, "--train-data", table, "--posts", 6, "--out", out)
    found = next(one for one in result["findings"] if one["check"] == "repeated")
    assert (found["verdict"], found["number"], found["post"]) == ("ill", 1, 0)
    assert result["page"] == str(out)
    page = out.read_text(encoding="utf8")
    assert all(f"<h3>{found['check']}: {found['verdict']}</h3>" in page for found in result["findings"])
    for words in ("it shows most in post 1<", "distilbert + vit, mini", "6 of a table"):
        assert words in page
    assert [path.name for path in out.parent.iterdir()] == ["inspection.html"]


def test_a_page_in_the_place_of_a_folder_is_refused_before_the_work(tmp_path, capsys):
    assert main(["inspect", "--out", str(tmp_path)]) == 1
    assert "expected the name of a file" in capsys.readouterr().err


@pytest.mark.parametrize(("posts", "words"), [(0, "n is 0: expected at least one post"), (1, "there are 1 posts")])
def test_too_few_posts_are_refused(posts, words, capsys):
    assert main(["inspect", "--posts", str(posts)]) == 1
    assert words in capsys.readouterr().err
