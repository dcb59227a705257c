"""Posts of a table made ready for a model batch by batch, ahead of it, whatever their number and their faults."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ..model.prepare import Preparation
from ..posts.post import Post, Posts


@dataclass
class Prepared:
    """Some posts, ready for a model."""

    places: list[int]  # of the posts that are in the batch
    texts: list[str]
    tensors: dict[str, Tensor]  # empty where all posts are faulty
    faults: dict[int, str]  # place → what is wrong with the post there


class Batches(Dataset):
    """The batches of a data set, each prepared when it is asked for: one picture after the other, of which none stays.

    A photograph takes some 40 MB as pixels and 48 KB when it is prepared, so a batch costs little more than one of
    them. Can be pickled, and holds no weights: a loader's workers get it at little cost.
    """

    def __init__(self, posts: Posts, prepare: Preparation, size: int):
        self.posts, self.prepare, self.size = posts, prepare, size

    def __len__(self) -> int:
        return -(-len(self.posts) // self.size)

    def __getitem__(self, index: int) -> Prepared:
        posts: list[Post] = []
        pictures: list[dict[str, Tensor]] = []
        batch = Prepared([], [], {}, {})
        steps: dict[str, Any] = dict(self.prepare.steps)
        image = steps.pop("image", None)
        for place in range(index * self.size, min(len(self.posts), (index + 1) * self.size)):
            try:
                post = self.posts[place]
            except (ValueError, OSError) as error:
                batch.faults[place] = str(error)
                continue
            if image:
                pictures.append(image([post.image]))
            posts.append(Post(post.text, None, post.label))
            batch.places.append(place)
        batch.texts = [post.text or "" for post in posts]
        if posts:
            for side, step in steps.items():
                batch.tensors.update(step([getattr(post, side) for post in posts]))
            for name in pictures[0] if pictures else ():
                batch.tensors[name] = torch.cat([picture[name] for picture in pictures])
        return batch


def _as_it_is(batch: Prepared) -> Prepared:
    return batch


def read_ahead(posts: Posts, prepare: Preparation, batch_size: int = 64, workers: int = 0) -> DataLoader:
    """The `Prepared` batches of a data set, in its order.

    Args:
        prepare: a model's.
        workers: processes that prepare batches beside this one, however they are started (fork, spawn or forkserver).
    """
    return DataLoader(Batches(posts, prepare, batch_size), batch_size=None, num_workers=workers,
                      collate_fn=_as_it_is)  # type: ignore[arg-type]
