"""Posts are taken from any kind of list, a few at a time; what is no list is named."""

import numpy as np
import pytest
import torch
from helpers import food, mini
from PIL import Image

TEXTS, PICTURES = [post.text for post in food(9)], [post.image for post in food(9)]


class Column:
    """A column of a table, as pandas has it: walked through by its values, whatever they are called, and never true."""

    ndim, shape = 1, (9,)

    def __init__(self, values: list):
        self.values = values

    def __len__(self) -> int:
        return len(self.values)

    def __iter__(self):
        return iter(self.values)

    def __getitem__(self, index):
        raise KeyError(index)  # by name, and not by place

    def __bool__(self) -> bool:
        raise ValueError("The truth value of a Series is ambiguous.")


def objects(items: list) -> np.ndarray:
    array = np.empty(len(items), object)
    array[:] = items
    return array


FORMS = {"tuples": (tuple(TEXTS), tuple(PICTURES)), "columns": (Column(TEXTS), Column(PICTURES)),
         "arrays": (np.array(TEXTS), objects(PICTURES)), "arrays of objects": (objects(TEXTS), objects(PICTURES)),
         "values": (dict(enumerate(TEXTS)).values(), PICTURES)}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("size", [1, 4, 9, 64])
def test_every_kind_of_list_gives_the_same(tiny, form, size):
    model = tiny()
    expected = model.predict(TEXTS, PICTURES)
    assert torch.allclose(model.predict(*FORMS[form], batch_size=size), expected, atol=1e-6)
    assert all(torch.equal(tensor, model.prepare(TEXTS, PICTURES)[name])
               for name, tensor in model.prepare(*FORMS[form]).items())


def test_batches_are_the_batches_that_one_would_make(tiny):
    model = tiny()
    parts = [model.predict(TEXTS[i:i + 4], PICTURES[i:i + 4]) for i in (0, 4, 8)]
    assert torch.equal(model.predict(TEXTS, PICTURES, batch_size=4), torch.cat(parts))


@pytest.mark.parametrize("size", [1, 2, 3, 4, 8, 9, 10])
def test_a_generator_is_asked_for_one_batch_at_a_time(tiny, size, monkeypatch):
    model, asked, most = tiny(), [], []
    forward = type(model).forward

    def counted(self, **batch):
        most.append(len(asked))
        asked.clear()
        return forward(self, **batch)

    def pictures():
        for picture in PICTURES:
            asked.append(1)
            yield picture

    expected = model.predict(TEXTS, PICTURES)
    monkeypatch.setattr(type(model), "forward", counted)
    assert torch.allclose(model.predict((text for text in TEXTS), pictures(), batch_size=size), expected, atol=1e-6)
    assert sum(most) == 9
    assert max(most) == min(size, 9)


def test_a_side_that_some_posts_lack_is_missing_in_any_form(tiny):
    model = tiny()
    some = [picture if i % 3 else None for i, picture in enumerate(PICTURES)]
    assert torch.allclose(model.predict(Column(TEXTS), objects(some), batch_size=4), model.predict(TEXTS, some),
                          atol=1e-6)
    assert torch.allclose(model.predict(Column(TEXTS), None, batch_size=4), model.predict(TEXTS, None), atol=1e-6)


NO_LISTS = {
    "one text": ("Good", PICTURES[:1], "a single text or picture"),
    "one text in bytes": (b"Good", PICTURES[:1], "a single text or picture"),
    "one picture": (["Good"], PICTURES[0], "a single text or picture"),
    "a dict": ({"text": "Good"}, PICTURES[:1], "texts are of the kind dict: expected a list"),
    "a set": (set(TEXTS[:1]), PICTURES[:1], "texts are of the kind set.*order"),
    "a number": (3, PICTURES[:1], "texts are of the kind int: expected a list"),
    "a frame": (np.array([["a"], ["b"]]), PICTURES[:2], r"texts are in one ndarray with 2 dimensions \(2, 1\).*column"),
    "pixels": (TEXTS[:2], np.zeros((2, 8, 8, 3), np.uint8), "pictures are in one ndarray with 4 dim.*Image.fromarray"),
    "fewer": (TEXTS[:3], PICTURES[:2], "got 3 texts and 2 pictures"),
    "fewer in an array": (np.array(TEXTS[:3]), PICTURES[:2], "got 3 texts and 2 pictures"),
    "fewer in a generator": ((text for text in TEXTS[:3]), iter(PICTURES[:2]), "got 3 texts and 2 pictures"),
    "none": (iter([]), iter([]), "got no posts"),
}


@pytest.mark.parametrize("case", NO_LISTS)
def test_what_is_no_list_of_posts_is_named(tiny, case):
    texts, pictures, words = NO_LISTS[case]
    with pytest.raises(ValueError, match=words):
        tiny().predict(texts, pictures)


def test_lists_that_part_after_a_whole_batch_are_named(tiny):
    with pytest.raises(ValueError, match="got 4 texts and 5 pictures"):
        tiny().predict(iter(TEXTS[:4]), iter(PICTURES[:5]), batch_size=4)
    with pytest.raises(ValueError, match="got 4 texts and 8 pictures or more"):
        tiny().predict(iter(TEXTS[:4]), iter(PICTURES), batch_size=4)


def test_a_fault_is_named_by_the_number_of_its_post():
    with pytest.raises(ValueError, match="^text 5 is ' '"):
        mini().predict([*TEXTS[:5], " ", *TEXTS[6:]], PICTURES, batch_size=2)
    with pytest.raises(ValueError, match="^post 5 has neither text nor image"):
        mini().predict([*TEXTS[:5], None], [*PICTURES[:5], None], batch_size=2)


@pytest.mark.parametrize("size", [2, 64])
def test_a_single_post_has_no_number(size):
    with pytest.raises(ValueError, match="^the text is ''"):
        mini().predict([""], PICTURES[:1], batch_size=size)
    with pytest.raises(ValueError, match="^the text is ''"):
        mini().prepare([""], PICTURES[:1])
    with pytest.raises(ValueError, match="^the post has neither"):
        mini().predict([None], [None], batch_size=size)


@pytest.mark.parametrize("size", [0, -1, 1.5, True, None])
def test_a_batch_has_a_size(size):
    with pytest.raises(ValueError, match="batch_size is"):
        mini().predict(["Good"], [Image.new("RGB", (9, 7))], batch_size=size)
