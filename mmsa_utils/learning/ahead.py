"""Posts of a table made ready for a model batch by batch, ahead of it, whatever their number and their faults."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ..model.prepare import Preparation
from ..model.remarks import Heard, heard
from ..posts.post import Post, Posts


@dataclass
class Prepared:
    """Some posts, ready for a model."""

    places: list[int]  # of the posts that are in the batch
    texts: list[str | None] = field(default_factory=list)
    heard: list[Heard | None] = field(default_factory=list)  # of each post's voice, where the model reads it
    tensors: dict[str, Tensor] = field(default_factory=dict)  # empty where all posts are faulty
    faults: dict[int, str] = field(default_factory=dict)  # place → what is wrong with the post there


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
        batch = Prepared([])

        def readable() -> Iterator[Post]:
            for place in range(index * self.size, min(len(self.posts), (index + 1) * self.size)):
                try:
                    post = self.posts[place]
                except (ValueError, OSError) as error:
                    batch.faults[place] = str(error)
                    continue
                batch.places.append(place)
                yield post

        posts, batch.heard, batch.tensors = in_turn(self.prepare, readable())
        batch.texts = [post.text for post in posts]
        return batch


def in_turn(prepare: Preparation, posts: Iterable[Post]) -> tuple[list[Post], list[Heard | None], dict[str, Tensor]]:
    """Make posts ready, one picture after the other, of which none stays in memory.

    Returns:
        The posts without their pictures and voices; what is to be said of each voice; the batch, empty for no posts.
    """
    steps, known, batch = dict(prepare.steps), [], {}
    image, voice = steps.pop("image", None), steps.get("voice")
    pictures: list[dict[str, Tensor] | None] = []
    for post in posts:
        if image:
            pictures.append(None if post.image is None else image([post.image]))
        known.append(replace(post, image=None))
        del post
    if known:
        for side, step in steps.items():
            batch.update(step([getattr(post, side) for post in known]))
        if image:
            batch.update(_joined(pictures, image))
    sounds = [heard(voice, post.voice) if voice and post.voice is not None else None for post in known]
    return [replace(post, voice=None) for post in known], sounds, batch


def _joined(pictures: list[dict[str, Tensor] | None], image: Callable[[list], dict[str, Tensor]]) -> dict[str, Tensor]:
    """Pictures that were prepared one by one, as a batch. What stands for a missing one, its encoder itself says."""
    there = [picture for picture in pictures if picture is not None]
    if len(there) == len(pictures):
        return {name: torch.cat([picture[name] for picture in there]) for name in there[0]}
    return {name: torch.cat([row if picture is None else picture.get(name, torch.ones_like(row))  # which are there
                             for picture in pictures]) for name, row in image([None]).items()}


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
