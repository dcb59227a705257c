"""The command that looks a saved model over."""

import json

import pytest
import torch
from helpers import mini

from mmsa_utils.apps.cli import main


def told(capsys, *call):
    assert main(["inspect", *map(str, call), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_model_that_ships_is_sound_and_its_table_says_so(capsys):
    assert main(["inspect", "--posts", "24"]) == 0
    said = capsys.readouterr().out
    assert "24 posts, 23 checks: nothing is wrong that they would see" in said
    assert "\nsound      padding" in said


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


@pytest.mark.parametrize(("posts", "words"), [(0, "n is 0: expected at least one post"), (1, "there are 1 posts")])
def test_too_few_posts_are_refused(posts, words, capsys):
    assert main(["inspect", "--posts", str(posts)]) == 1
    assert words in capsys.readouterr().err
