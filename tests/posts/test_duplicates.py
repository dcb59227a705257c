"""Posts that stand in two splits are counted and dropped, the test's never."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmsa_utils.posts.own import FilePosts
from mmsa_utils.posts.real.duplicates import across, without_duplicates


def picture(folder: Path, seed: int, quality: int = 95) -> Path:
    """A picture of its own for each seed; another quality is the same picture saved anew."""
    path = folder / f"{seed}_{quality}.jpg"
    cells = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    Image.fromarray(cells).resize((96, 96), Image.Resampling.BICUBIC).save(path, quality=quality)
    return path


@pytest.fixture
def splits(tmp_path) -> dict[str, FilePosts]:
    def one(text: str | None, seed: int | None, label: int | None, quality: int = 95) -> tuple:
        return text, None if seed is None else picture(tmp_path, seed, quality), label

    return {
        "train": FilePosts([one("Sunny day", 0, 2), one("alone", 1, 0), one("same text", 2, 1), one("twin", 3, 2),
                            one("twin", 3, 2), one(None, 4, 1), one("no picture", None, 1)]),
        "validation": FilePosts([one("other text", 1, 0, 70), one("fresh", 5, 1), one(None, None, 1)]),
        "test": FilePosts([one("  SUNNY   day", 0, 0, 80), one("Same Text", 6, 1), one("fresh", 7, None),
                           one("no picture", None, 1), one("last", 8, 2), one("last", 9, 2)]),
    }


def test_texts_pictures_and_both_are_counted_apart(splits):
    found = across(splits)
    zero = dict.fromkeys(found["test"], 0)
    assert found["train"] == {"posts": 7, "text": 3, "picture": 2, "both": 1, "text within": 2, "picture within": 2,
                              "both within": 2, "labelled otherwise": 1}
    assert found["validation"] == zero | {"posts": 3, "text": 1, "picture": 1}
    assert found["test"] == zero | {"posts": 6, "text": 4, "picture": 1, "both": 1, "text within": 2,
                                    "labelled otherwise": 1}


def test_train_loses_what_is_tested_and_the_test_stays_whole(splits):
    kept, dropped = without_duplicates(splits)
    assert dropped == {"train": 4, "validation": 1, "test": 0}
    assert [row.text for row in kept["train"].rows] == ["twin", "twin", None]
    assert [row.text for row in kept["validation"].rows] == ["other text", None]
    assert kept["test"] is splits["test"]
    after = across(kept)
    assert all(after[name][what] == 0 for name in kept for what in ("text", "picture", "both"))
    assert without_duplicates(kept)[1] == {"train": 0, "validation": 0, "test": 0}


def test_one_split_and_none(splits):
    assert across({"all": splits["test"]})["all"]["text"] == 0
    assert without_duplicates({"all": splits["test"]})[1] == {"all": 0}
    with pytest.raises(ValueError, match="no splits"):
        across({})
