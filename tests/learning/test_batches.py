"""Posts in batches: the tensors that a model asks for, in the order that the seed says."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers import food, generators, mini
from PIL import Image

from mmsa_utils import FoodPosts, Post, SyntheticDataset, evaluate, make_loader


class Plain:
    """What `make_loader` asks of a model."""

    def prepare(self, texts, images):
        return {
            "input_ids": torch.tensor([[len(text)] for text in texts]),
            "attention_mask": torch.ones(len(texts), 1, dtype=torch.long),
            "pixel_values": torch.stack([torch.from_numpy(np.array(image)).permute(2, 0, 1) for image in images]),
        }


def test_batches_carry_hugging_face_names():
    posts = FoodPosts(7, pixels=16)
    batches = list(make_loader(posts, Plain(), batch_size=4))
    assert [set(batch) for batch in batches] == [{"input_ids", "attention_mask", "pixel_values", "labels"}] * 2
    assert [tuple(batch["pixel_values"].shape) for batch in batches] == [(4, 3, 16, 16), (3, 3, 16, 16)]
    assert torch.cat([batch["labels"] for batch in batches]).tolist() == [post.label for post in posts]
    assert batches[0]["labels"].dtype == torch.int64


def test_batches_fit_the_model(tiny):
    batch = next(iter(make_loader(food(6), tiny(), batch_size=4)))
    assert set(batch) == {"input_ids", "attention_mask", "pixel_values", "labels"}
    assert batch["pixel_values"].shape == (4, 3, 32, 32)
    assert batch["input_ids"].shape == batch["attention_mask"].shape


def order(loader) -> list[int]:
    return torch.cat([batch["pixel_values"][:, 0, 0, 0] for batch in loader]).tolist()


def test_shuffling_is_new_each_epoch_and_repeats_with_the_seed():
    before = generators()
    posts = list(SyntheticDataset(64, pixels=2))
    plain = order(make_loader(posts, Plain()))
    loader = make_loader(posts, Plain(), shuffle=True, seed=1)
    first, second = order(loader), order(loader)
    assert len({tuple(plain), tuple(first), tuple(second)}) == 3
    assert sorted(first) == sorted(second) == sorted(plain)
    again = make_loader(posts, Plain(), shuffle=True, seed=1)
    assert (order(again), order(again)) == (first, second)
    assert order(make_loader(posts, Plain(), shuffle=True, seed=2)) != first
    assert generators() == before


@pytest.mark.parametrize("label", [3, -1, "positive", None, 1.5, float("nan"), [1], np.float64(1)])
def test_a_label_that_is_none_is_named_by_its_post(label):
    odd = replace(food(2)[1], label=label, text="the odd one")
    with pytest.raises(ValueError, match="label of the post 'the odd one' is .*: expected 0 to 2"):
        evaluate(mini(), make_loader([food(2)[0], odd], mini()))


def test_no_posts_are_refused():
    with pytest.raises(ValueError, match="the data set is empty"):
        make_loader([], Plain())
    assert len(make_loader([Post("hi", Image.new("RGB", (9, 7)), 1)], Plain(), 32)) == 1
