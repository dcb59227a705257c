"""A job on a whole table: pieces to be worked on, each of which becomes a part in a folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..learning import parts
from ..posts.pieces import Piece, Table

Step = Callable[[Piece], tuple[Any, Mapping[str, int]]]  # a piece → a pyarrow table, and its tally


@dataclass(frozen=True)
class Job:
    """What is to be done. Can be pickled."""

    table: Table
    make: Callable[[], Step]  # loads the model: each worker calls it once
    folder: Path
    size: int
    done: frozenset[str]  # the names of parts that are there

    def pieces(self, place: int) -> Iterator[Piece]:
        """What is left to do of a file."""
        return (piece for piece in self.table.pieces(place, self.size) if piece.name not in self.done)

    def do(self, step: Step, piece: Piece) -> int:
        """Work on a piece and write its part; how many rows it had."""
        made, tally = step(piece)
        parts.write_part(self.folder, piece.name, made, tally)
        return len(piece.rows)


def here(job: Job) -> Iterator[int]:
    """Do a job in this process; the rows of each piece."""
    step: Step | None = None
    for place in range(len(job.table.files)):
        for piece in job.pieces(place):
            step = step or job.make()
            yield job.do(step, piece)
