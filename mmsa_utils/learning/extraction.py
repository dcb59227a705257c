"""Extraction piece by piece: the features of a table of any length, as the rows of Arrow tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from ..model.model import MultimodalSentimentModel, load_model
from ..model.modes import evaluating
from ..model.prepare import Preparation
from ..posts.likeness import picture_digest, voice_digest
from ..posts.own import FilePosts
from ..posts.pieces import Piece, Table
from ..posts.post import SIDES, Post
from .ahead import Batches, Prepared
from .device import best_device
from .runs import digest

BATCH = 64  # posts


class Recipe(NamedTuple):
    """How to come by a model: from a folder, the shipped one, or with the encoders of a pair. Can be pickled."""

    folder: str | None = None
    pair: Mapping[str, str] | None = None  # side → encoder
    size: str = "mini"
    fusion: str = "concat"

    def model(self) -> MultimodalSentimentModel:
        """It, on the best device that is here."""
        if self.pair is None:
            return load_model(self.folder).to(best_device())
        encoders: dict[str, Any] = {side: self.pair.get(side) for side in SIDES}
        return MultimodalSentimentModel(**encoders, size=self.size, fusion=self.fusion, frozen=True).to(best_device())


def encoders_digest(model: MultimodalSentimentModel) -> dict[str, str]:
    """Side → what tells its encoder's weights from others."""
    return {side: digest(*encoder.state_dict().values()) for side, encoder in model.encoders.items()}


def numbered(piece: Piece, name: str, faults: Mapping[int, str]) -> dict[str, list]:
    """The first and the last columns of what is made of a piece: where each row stands, and what is wrong with it.

    Args:
        name: of the file.
    """
    return {"file": [name if isinstance(row, ValueError) else row.get("name") or name for _, row in piece.rows],
            "row": [number for number, _ in piece.rows],
            "fault": [faults.get(number) for number, _ in piece.rows]}


def tally_of(piece: Piece, posts: FilePosts, faults: Mapping[int, str]) -> dict[str, int]:
    """The tally of a piece: its rows, of which so many are posts and so many faulty; how many posts lack which side;
    and whether its last row stands for more of the file that could not be read.
    """
    lacking = Counter(f"without {side}" for row, number in zip(posts.rows, posts.numbers) if number not in faults
                      for side in posts.sides if getattr(row, side) is None)
    return {"rows": len(piece.rows), "posts": len(piece.rows) - len(faults), "faulty": len(faults),
            "unread": piece.unread, **lacking}


class Extraction:
    """A piece of a table → the features of its posts, as a pyarrow table and a tally. It holds the encoders.

    Columns: file, row; text, label (as they are written), picture_digest and voice_digest, where there are labels (to
    know posts again that are alike); for each side such as text_features a vector, FixedSizeList of float32, or where
    the fusion reads sequences a list of such vectors of float16, with text_mask; and fault, what is wrong with the row.
    Null: the post has no such side, or is faulty.
    """

    def __init__(self, table: Table, recipe: Recipe):
        self.table, self.model = table, recipe.model()

    @torch.no_grad()
    def __call__(self, piece: Piece) -> tuple[Any, dict[str, int]]:
        import pyarrow as pa

        posts, faults = self.table.posts(piece)
        places = {number: place for place, (number, _) in enumerate(piece.rows)}
        order = sorted(range(len(posts)), key=lambda i: len(posts.rows[i].text or ""))  # little padding in a batch
        watched = _Watched(posts.part(order), digests="label" in self.table.optional)
        found: dict[str, list[tuple[int, np.ndarray, np.ndarray]]] = {side: [] for side in self.model.sides}
        with evaluating(self.model):
            for batch in readable(watched, watched.posts.numbers, self.model.prepare, faults):
                sides = self.model.encode(**{name: tensor.to(self.model.device)
                                             for name, tensor in batch.tensors.items()})
                rows = [places[watched.posts.numbers[place]] for place in batch.places]
                for side, encoded in sides.items():
                    found[side] += zip(rows, encoded.tokens.float().cpu().numpy(), encoded.mask.cpu().numpy())
        columns = numbered(piece, self.table.files[piece.file].name, faults)
        made: dict[str, Any] = {"file": pa.array(columns["file"], pa.string()),
                                "row": pa.array(columns["row"], pa.int64())}
        cells = [{} if isinstance(row, ValueError) or number in faults else row for number, row in piece.rows]
        for what in ("text", "label"):
            if what in self.table.wanted or what in self.table.optional:
                made[what] = pa.array([None if row.get(what) is None else str(row[what]) for row in cells], pa.string())
        for what, known in watched.known.items():
            made[f"{what}_digest"] = pa.array([known.get(number) for number, _ in piece.rows], pa.binary())
        for side, encoder in self.model.encoders.items():
            made |= _columns(side, len(cells), encoder.width, self.model.fusion.sequences, found[side])
        made["fault"] = pa.array(columns["fault"], pa.string())
        return pa.table(made), tally_of(piece, posts, faults)


def readable(posts: Any, numbers: Sequence[int], prepare: Preparation, faults: dict[int, str]) -> Iterator[Prepared]:
    """The batches of posts that can be opened; what is wrong with the others is added to the faults.

    Args:
        numbers: the row of each post.
    """
    batches = Batches(posts, prepare, BATCH)
    for index in range(len(batches)):
        batch = batches[index]
        faults.update({numbers[place]: f"row {numbers[place]}: {fault}" for place, fault in batch.faults.items()})
        if batch.places:
            yield batch


class _Watched:
    """Posts of a table, of whose pictures and voices the digests are kept when they are opened."""

    def __init__(self, posts: FilePosts, digests: bool):
        self.posts = posts
        self.known: dict[str, dict[int, bytes]] = {
            {"image": "picture", "voice": "voice"}[side]: {} for side in posts.sides if side != "text" and digests}

    def __len__(self) -> int:
        return len(self.posts)

    def __getitem__(self, place: int) -> Post:
        post, number = self.posts[place], self.posts.numbers[place]
        if "picture" in self.known and post.image is not None:
            self.known["picture"][number] = picture_digest(post.image.convert("RGB")).tobytes()
        if "voice" in self.known and post.voice is not None:
            self.known["voice"][number] = voice_digest(post.voice).tobytes()
        return post


def _columns(side: str, n: int, width: int, sequences: bool,
             found: list[tuple[int, np.ndarray, np.ndarray]]) -> dict[str, Any]:
    """The columns of a side, from (row, tokens (tokens, width), mask (tokens,)) of those that have it."""
    import pyarrow as pa

    there = {row: (tokens, mask) for row, tokens, mask in found if mask.any()}
    if not sequences:
        vectors = np.zeros((n, width), np.float32)
        for row, (tokens, _) in there.items():
            vectors[row] = tokens[0]
        gone = np.array([row not in there for row in range(n)])
        return {f"{side}_features": pa.FixedSizeListArray.from_arrays(
            pa.array(vectors.reshape(-1)), width, mask=pa.array(gone))}
    lengths = {row: int(mask.nonzero()[0][-1]) + 1 for row, (_, mask) in there.items()}
    ends = np.cumsum([0, *(lengths.get(row, 0) for row in range(n))])
    kept = [(there[row][0][:lengths[row]], there[row][1][:lengths[row]]) for row in range(n) if row in there]
    gone = pa.array([row not in there for row in range(n)])
    flat = pa.array(np.concatenate([np.zeros((0, width), np.float16), *(one.astype(np.float16) for one, _ in kept)]
                                   ).reshape(-1))
    bits = pa.array(np.concatenate([np.zeros(0, bool), *(mask for _, mask in kept)]))
    offsets = pa.array(ends, pa.int32())
    return {f"{side}_features": pa.ListArray.from_arrays(offsets, pa.FixedSizeListArray.from_arrays(flat, width),
                                                         mask=gone),
            f"{side}_mask": pa.ListArray.from_arrays(offsets, bits, mask=gone)}
