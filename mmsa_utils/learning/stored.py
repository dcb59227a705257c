"""Features that were extracted into a folder of Parquet files, found again: mapped from the disk, not held in memory.

Parquet is packed and cannot be mapped itself. So the first who asks for a folder has its features written once as plain
arrays beside it (`_mapped`), a part at a time; from then on they are mapped.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from ..bars import progress
from ..disk import usual_modes
from ..encoders.base import Encoded
from ..posts.labels import read_labels
from ..posts.likeness import PICTURE_BYTES, VOICE_BYTES
from ..posts.own import Entry, FaultyRows, FilePosts, lacks
from ..posts.post import LABELS, SIDES
from .features import Features
from .parts import read_about, tallies

_MAPPED = "_mapped"
_BYTES = {"picture_digest": ("image", PICTURE_BYTES), "voice_digest": ("voice", VOICE_BYTES)}


class Stored(NamedTuple):
    """What a folder holds, post by post: faulty rows are left out, and posts of a mood that is no class."""

    features: Features
    posts: FilePosts  # the same posts: texts, labels and digests, no pictures; `numbers` are places in `features`
    about: dict[str, Any]  # what was said when they were extracted


def load_features(folder: str | Path, classes: Sequence[str] | None = LABELS, show_progress: bool = False) -> Features:
    """The features that ``python -m mmsa_utils extract`` has written into a folder, mapped from the disk.

    Args:
        classes: the names that labels may have, read as `load_posts` does. None: labels are not looked at.

    Returns:
        The features of all posts without a fault, in the order of the table, with their texts. Labels are -1 where the
        table had none.

    Raises:
        FaultyRows: for labels that cannot be read.
        ValueError: if the folder holds no features, or not all of them.
        OSError: if a part may not be read.
    """
    return load_stored(folder, classes, show_progress).features


def load_stored(folder: str | Path, classes: Sequence[str] | None = LABELS, show_progress: bool = False, *,
                skip_faulty: bool = False, complete: bool = False) -> Stored:
    """`load_features`, with what is known of the posts besides.

    Args:
        skip_faulty: leave out posts whose labels cannot be read, as `load_posts` does, and keep them in the `faults`.
        complete: a post that lacks a side is faulty.

    Raises:
        FaultyRows: naming each post that is faulty, unless they are to be skipped.
        ValueError: as `load_features`.
    """
    folder = Path(folder)
    about, sides, parts = _read(folder, show_progress)
    cells, names = _cells(parts), LABELS if classes is None else tuple(classes)
    n = len(next(iter(sides.values())).tokens)
    texts, labels = cells.get("text", [None] * n), cells.get("label", [None] * n)
    labelled = classes is not None and any(label is not None for label in labels)
    indices: list[int | None] = [None] * n
    wrong: dict[int, str] = {}
    left_out: dict[str, int] = {}
    if labelled:
        try:
            indices, wrong, left_out = read_labels(labels, names)
        except ValueError as error:
            raise ValueError(f"{folder}: {error}") from None
    wanted = [i for i in range(n) if not labelled or indices[i] is not None or i in wrong]
    lacking = _lacking(sides, wanted) if complete else {}
    found = {i: lacking.get(i) or wrong[i] for i in sorted({*wrong, *lacking})}
    kept = [i for i in wanted if i not in found]
    several = len(set(cells["file"])) > 1
    faults = [f"{cells['file'][i]} row {cells['row'][i]}: {fault}" if several else f"row {cells['row'][i]}: {fault}"
              for i, fault in found.items()]
    if faults and not (skip_faulty and kept):
        raise FaultyRows(str(folder), faults, len(lacking))
    left_out.update({"faulty rows": len(faults)} if faults else {})
    digests = {side: np.stack([np.frombuffer(cells[name][i] or bytes(size), np.uint8) for i in kept])
               for name, (side, size) in _BYTES.items() if name in cells and kept}
    posts = FilePosts([Entry(texts[i], None, indices[i]) for i in kept], names, sides=tuple(sides), left_out=left_out,
                      faults=faults,
                      digests=digests and {"image": np.zeros((len(kept), PICTURE_BYTES), np.uint8), **digests})
    features = Features(sides, torch.tensor([-1 if index is None else index for index in indices]),
                        texts=tuple(text or "" for text in texts))
    if len(kept) < n:
        features = features[torch.tensor(kept, dtype=torch.long)]
    return Stored(features, posts, about)


def _read(folder: Path, show_progress: bool) -> tuple[dict[str, Any], dict[str, Encoded], list[Path]]:
    """What was said of the features of a folder, these, mapped, and its parts: all of them, or an error."""
    about = read_about(folder)
    if "encoders" not in about:
        raise ValueError(f"the folder {folder} holds answers: expected features, as extract writes them.")
    if "complete" not in about:
        raise ValueError(f"the extraction into {folder} is not finished: give its command once more, and it goes on.")
    there, found = [side for side in SIDES if side in about["encoders"]], tallies(folder)
    parts = [folder / f"{name}.parquet" for name in found]
    n, expected = sum(tally["posts"] for tally in found.values()), about["complete"]["posts"]
    if n != expected:
        raise ValueError(f"of the {expected} posts that were extracted into {folder}, {n} are there: parts are "
                         "missing. Copy them all, or give extract's command once more, and it makes them anew.")
    if not (folder / _MAPPED).exists():
        _map(folder, parts, n, there, show_progress)
    sides = {side: Encoded(*(torch.from_numpy(np.load(folder / _MAPPED / f"{side}{end}.npy", mmap_mode="c",
                                                      allow_pickle=False)) for end in ("", "-mask")))
             for side in there}
    mapped = {len(encoded.tokens) for encoded in sides.values()}
    if mapped != {n}:
        raise ValueError(f"the arrays in {folder / _MAPPED} are of {max(mapped)} posts, and the parts beside them of "
                         f"{n}: remove that folder, and they are written anew.")
    return about, sides, parts


def _lacking(sides: dict[str, Encoded], places: Sequence[int]) -> dict[int, str]:
    """Place → what is wrong with a post that lacks a side, in the words of `load_posts`."""
    found: dict[int, str] = {}
    for side in reversed(list(sides)):  # of two, the first is named
        gone = np.flatnonzero(~sides[side].mask.any(1).numpy())
        found.update(dict.fromkeys(np.intersect1d(gone, places).tolist(), str(lacks(side, None))))
    return found


def _cells(parts: Sequence[Path]) -> dict[str, list]:
    """Column → what stands there, of the rows without a fault; none of the features."""
    import pyarrow.dataset as ds

    data = ds.dataset([str(path) for path in parts], format="parquet")
    wanted = [name for name in data.schema.names if not name.endswith(("_features", "_mask"))]
    table = data.to_table(wanted, filter=ds.field("fault").is_null())
    return {name: table[name].to_pylist() for name in wanted if name != "fault"}


def _map(folder: Path, parts: Sequence[Path], n: int, sides: list[str], show_progress: bool) -> None:
    """Write the features of n posts as arrays, a part at a time; the folder of them appears when all are there."""
    import pyarrow.parquet as pq

    if not n:
        raise ValueError(f"all rows in {folder} are faulty: there are no features.")
    made = Path(tempfile.mkdtemp(dir=folder, prefix=".unfinished-"))
    try:
        for side in sides:
            name = f"{side}_features"
            kind = pq.read_schema(parts[0]).field(name).type
            sequences = not hasattr(kind, "list_size")
            width = (kind.value_type if sequences else kind).list_size
            longest = max(_longest(path, name) for path in parts) if sequences else 1
            tokens = np.lib.format.open_memmap(made / f"{side}.npy", "w+", np.float16 if sequences else np.float32,
                                               (n, longest, width))
            mask = np.lib.format.open_memmap(made / f"{side}-mask.npy", "w+", np.bool_, (n, longest))
            start = 0
            for path in progress(parts, f"map {side}", show_progress):
                table = pq.read_table(path, columns=[name, *[f"{side}_mask"] * sequences, "fault"])
                table = table.filter(table["fault"].is_null())
                stop = start + len(table)
                _fill(table, side, width, tokens[start:stop], mask[start:stop])
                start = stop
            del tokens, mask
        usual_modes(made)
        os.replace(made, folder / _MAPPED)
    except OSError:
        if not (folder / _MAPPED).exists():  # else another process has just left the same
            raise
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _longest(path: Path, name: str) -> int:
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    column = pq.read_table(path, columns=[name.replace("_features", "_mask")]).column(0)
    return pc.max(pc.list_value_length(column)).as_py() or 1


def _fill(table: Any, side: str, width: int, tokens: np.ndarray, mask: np.ndarray) -> None:
    """Put a part's features into their rows of the arrays."""
    column = table[f"{side}_features"].combine_chunks()
    there = np.flatnonzero(column.is_valid().to_numpy(zero_copy_only=False))
    values = column.drop_null()
    if f"{side}_mask" not in table.column_names:
        tokens[there, 0] = values.flatten().to_numpy().reshape(-1, width)
        mask[there, 0] = True
        return
    vectors = values.flatten().flatten().to_numpy(zero_copy_only=False).reshape(-1, width)
    bits = table[f"{side}_mask"].combine_chunks().drop_null().flatten().to_numpy(zero_copy_only=False)
    ends = np.cumsum([0, *(len(one) for one in values)])
    for row, begin, end in zip(there, ends, ends[1:]):
        tokens[row, :end - begin], mask[row, :end - begin] = vectors[begin:end], bits[begin:end]
