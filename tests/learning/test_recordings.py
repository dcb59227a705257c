"""Recordings as features: what the file says, with what is off counted, and one split in memory at a time."""

import gc
import tracemalloc

import numpy as np
import pytest
import torch
from real_files import write_mmsa

from mmsa_utils.learning.recordings import load_mmsa
from mmsa_utils.posts.real.converted import convert


def test_splits_are_features_with_all_that_is_known(tmp_path):
    made = write_mmsa(tmp_path / "sims.pkl", "sims")
    found = load_mmsa(tmp_path / "sims.pkl")
    assert list(found) == ["train", "validation", "test"]
    assert found.name == "sims.pkl"
    assert not found.faults and not found.duplicates and not found.left_out  # noqa: PT018
    for name, key in (("train", "train"), ("validation", "valid"), ("test", "test")):
        features, part = found[name].check(), made[key]
        assert list(features.sides) == ["text", "image", "voice"]
        assert features.widths == {"text": 768, "image": 709, "voice": 33}
        for side, column in (("text", "text"), ("image", "vision"), ("voice", "audio")):
            assert features.sides[side].tokens.dtype == torch.float32
            np.testing.assert_array_equal(features.sides[side].tokens, part[column])
        np.testing.assert_array_equal(features.sides["voice"].mask.sum(1), part["audio_lengths"])
        np.testing.assert_array_equal(features.labels, part["regression_labels"])
        assert (features.ids, features.texts) == (tuple(part["id"]), tuple(part["raw_text"]))
        np.testing.assert_array_equal(np.array(features.side_labels, "f4"),
                                      np.stack([part[f"regression_labels_{letter}"] for letter in "TVA"], 1))
        some = features[torch.tensor([2, 0])]
        assert some.ids == (part["id"][2], part["id"][0])
        assert some.side_labels[1] == features.side_labels[0]
    with pytest.raises(KeyError, match="expected one of train"):
        found["valid"]


def test_sides_are_chosen_and_come_in_their_order(tmp_path):
    write_mmsa(tmp_path / "mosi.pkl", "mosi-aligned")
    assert list(load_mmsa(tmp_path / "mosi.pkl", sides=["voice", "text"])["test"].sides) == ["text", "voice"]
    write_mmsa(tmp_path / "mag.pkl", "mag")
    assert list(load_mmsa(tmp_path / "mag.pkl")["test"].sides) == ["image", "voice"]
    with pytest.raises(ValueError, match="mag.pkl has image and voice .* no 'text'"):
        load_mmsa(tmp_path / "mag.pkl", sides=["text"])
    with pytest.raises(ValueError, match="at least one"):
        load_mmsa(tmp_path / "mag.pkl", sides=[])


@pytest.mark.parametrize(("classes", "labels", "out"), [
    (None, [-3, -0.2, 0, 0.2, 3, 0, 1], {"no label": 1}), (3, [0, 0, 1, 2, 2, 1, 2], {"no label": 1}),
    (2, [0, 0, 1, 1, 1], {"no label": 1, "neutral": 2})])
def test_classes_are_the_signs_of_the_numbers(tmp_path, classes, labels, out):
    def change(made):
        made["train"]["regression_labels"] = np.array([-3, -0.2, 0, 0.2, 3, np.nan, -0.0, 1])

    write_mmsa(tmp_path / "mag.pkl", "mosi-aligned", change=change)
    found = load_mmsa(tmp_path / "mag.pkl", classes=classes)
    features = found["train"]
    np.testing.assert_allclose(features.labels, labels, rtol=1e-6)
    assert features.labels.dtype == (torch.float32 if classes is None else torch.int64)
    zeros = sum(float((split["regression_labels"] == 0).sum()) for split in
                write_mmsa(tmp_path / "again.pkl", "mosi-aligned", change=change).values())
    assert found.left_out == {**out, **({"neutral": zeros} if classes == 2 else {})}
    assert len(features.ids) == len(features.texts) == len(features)
    with pytest.raises(ValueError, match="2 or 3 classes"):
        load_mmsa(tmp_path / "mag.pkl", classes=7)


def test_faults_are_counted_over_the_splits_and_named(tmp_path):
    def change(made):
        for part in made.values():
            part["audio"][:3, 0] = np.nan
        made["train"]["vision_lengths"][0] = 0

    write_mmsa(tmp_path / "mosi.pkl", change=change)
    found = load_mmsa(tmp_path / "mosi.pkl")
    assert found.faults == {"NaN in voice": 9, "wrong length of image": 1}
    assert found.examples == {"NaN in voice": ("train: train0$_$0", "train: train0$_$1", "train: train0$_$2",
                                               "validation: valid0$_$0", "validation: valid0$_$1"),
                              "wrong length of image": ("train: train0$_$0",)}
    for features in found.values():
        features.check()
        assert not features.sides["voice"].mask[:3, 0].any()


def test_duplicates_are_counted_and_dropped_on_demand(tmp_path):
    def change(made):
        made["train"]["id"][:2] = made["test"]["id"][:2]

    made = write_mmsa(tmp_path / "mosi.pkl", change=change)
    found = load_mmsa(tmp_path / "mosi.pkl")
    assert found.duplicates == {"train and test": 2}
    assert len(found["train"]) == 8
    found = load_mmsa(tmp_path / "mosi.pkl", drop_duplicates=True)
    assert found.left_out == {"duplicate": 2}
    assert found["train"].ids == tuple(made["train"]["id"][2:])
    np.testing.assert_array_equal(found["train"].sides["voice"].tokens, made["train"]["audio"][2:])
    np.testing.assert_array_equal(found["train"].labels, made["train"]["regression_labels"][2:])
    assert len(found["test"]) == 5


@pytest.mark.parametrize("kind", ["f4", "f8"])
def test_memory_is_bounded_by_the_split_in_hand(tmp_path, kind):
    write_mmsa(tmp_path / "sims.pkl", "simsv2", (20, 20, 20), kind=kind)
    one = sum(a * b * 4 * 20 for a, b in ((50, 768), (925, 25), (232, 177)))  # bytes in single precision
    load_mmsa(tmp_path / "sims.pkl")
    gc.collect()
    tracemalloc.start()
    found = load_mmsa(tmp_path / "sims.pkl")
    loaded = tracemalloc.get_traced_memory()[1]
    for name in found:
        assert found[name] is found[name]
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert loaded < 0.4 * one
    assert one < most < 1.4 * one


def test_a_converted_folder_takes_no_memory(tmp_path):
    write_mmsa(tmp_path / "sims.pkl", "simsv2", (20, 4, 4), kind="f4")
    convert(tmp_path / "sims.pkl", tmp_path / "sims")
    plain = dict(load_mmsa(tmp_path / "sims.pkl"))
    tracemalloc.start()
    mapped = dict(load_mmsa(tmp_path / "sims"))
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 0.4 * plain["train"].sides["voice"].tokens.nbytes * 4
    for name, features in mapped.items():
        for side in features.sides:
            assert torch.equal(features.sides[side].tokens, plain[name].sides[side].tokens)
            assert torch.equal(features.sides[side].mask, plain[name].sides[side].mask)
        assert (features.ids, features.texts, features.side_labels) == (
            plain[name].ids, plain[name].texts, plain[name].side_labels)
        assert torch.equal(features.labels, plain[name].labels)


def test_the_command_says_what_it_wrote(tmp_path, capsys):
    import argparse

    from mmsa_utils.apps.convert import run, said

    def change(made):
        made["train"]["audio"][0, 0] = np.inf

    write_mmsa(tmp_path / "mosi.pkl", change=change)
    result = run(argparse.Namespace(file=str(tmp_path / "mosi.pkl"), place=str(tmp_path / "mosi")))
    words = said(result)
    assert "train: 8 posts" in words
    assert "audio (8, 375, 5)" in words
    assert "infinity in voice: 1 posts" in words
    assert load_mmsa(tmp_path / "mosi").faults == {"infinity in voice": 1}
