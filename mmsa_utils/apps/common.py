"""What several commands share: where results go, what is said on the way, and how a reader's own posts are loaded.

Nothing heavy is imported at the top: the command line looks here before a command starts.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .kinds import is_parquet

if TYPE_CHECKING:
    from ..model.model import MultimodalSentimentModel
    from ..posts.own import FaultyRows, FilePosts


def log(message: str) -> None:
    """Say something that is not the result."""
    print(message, file=sys.stderr)


def check_out(arguments: argparse.Namespace) -> None:
    """Make the folder that --out names before the work starts, so that nothing is lost for want of a place."""
    folder = getattr(arguments, "out", None)
    if folder:
        make_folder(Path(folder), "--out")


def make_folder(folder: Path, option: str) -> None:
    """Make the folder that an option names, or that of its file, and see that it can be written into.

    Raises:
        OSError: if it cannot.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        file = next((place for place in (folder, *folder.parents) if place.is_file()), None)
        why = f"{file} is a file" if file else error.strerror or str(error)
        raise OSError(f"nothing can be written into the folder {folder} ({why}): name another place by {option}."
                      ) from error


def unfinished(arguments: argparse.Namespace) -> Path | None:
    """Where work under way is kept, so that a start after an interruption goes on there; None without --out."""
    out, parts = getattr(arguments, "out", None), getattr(arguments, "features", getattr(arguments, "answers", None))
    if out is None and parts and (arguments.command == "extract" or is_parquet(parts)):
        return Path(parts)
    return Path(out) / "unfinished" if out else None


def saved(model: MultimodalSentimentModel, arguments: argparse.Namespace, result: dict[str, Any]) -> dict[str, Any]:
    """Save a model where --out says, its figures in its card; returns the result, with the place of the model."""
    if arguments.out:
        from .card import figures

        spoken = ", synthesised voices" if "voice" in model.sides else ""
        source = ("A table of its owner's." if getattr(arguments, "data", None) else
                  f"Generated posts of food, data seed {arguments.seed}: drawn pictures, made-up texts{spoken}.")
        model.cpu().save_pretrained(arguments.out, model_card_kwargs={"figures": figures(result, source)})
        shutil.rmtree(unfinished(arguments), ignore_errors=True)
        result["saved"] = arguments.out
    return result


def pair_of(name: str) -> dict[str, Any]:
    """Side → encoder, for the names between which plus signs stand.

    Raises:
        ValueError: for fewer than a text and an image encoder, or more than a voice's besides.
    """
    from ..posts.post import SIDES

    names = [part.strip() for part in name.split("+")]
    if not all(names) or len(names) not in (2, len(SIDES)):
        raise ValueError(f"--pair is {name!r}: expected a text and an image encoder, such as distilbert+vit; and a "
                         "voice's, where there is one, such as distilbert+vit+whisper.")
    return dict(zip(SIDES, names))


#: What may stand before a colon in --data, and what lies behind it: known sets of real posts, and what extract makes.
REAL = {"mvsa": "FOLDER", "mmsa": "FILE", "twitter": "FOLDER", "memes": "FOLDER", "features": "FOLDER"}


def named_source(word: str) -> tuple[str | None, str]:
    """ "mvsa:FOLDER" → ("mvsa", "FOLDER"); of a table of one's own (None, its path), a drive's letter included."""
    kind, colon, place = word.partition(":")
    return (kind, place) if colon and kind in REAL else (None, word)


def own_posts(arguments: argparse.Namespace, classes: Sequence[str] | None = None, labelled: bool = True,
              check_pictures: bool = True, sides: Sequence[str] | None = None) -> FilePosts:
    """The reader's own posts, as the options of a table say; how many each class has, which sides are missing, and what
    was left out, is said.

    Args:
        sides: that the model at hand reads; None: those of --pair, which is to be trained. Then, without
            --modality-dropout, a row that lacks a side is faulty.

    Raises:
        ValueError: as `load_posts`; where more rows are faulty than an error can show, all are named in a file.
    """
    from ..posts.own import FaultyRows, load_posts

    learning = sides is None
    _refuse_streamed(Path(arguments.data), labelled)
    try:
        posts = load_posts(arguments.data, arguments.anywhere, show_progress=True, classes=classes, labelled=labelled,
                           skip_faulty=arguments.skip_faulty, text_column=arguments.text_column,
                           image_column=arguments.image_column, voice_column=arguments.audio_column,
                           label_column=arguments.label_column, check_pictures=check_pictures,
                           sides=tuple(pair_of(arguments.pair)) if sides is None else sides,
                           complete=learning and not getattr(arguments, "modality_dropout", True))
    except FaultyRows as error:
        raise refusal(error, arguments, "Mend them, or go on without them by --skip-faulty.", learning) from None
    say_left_out(posts.faults, arguments)
    counts = ", ".join(f"{number} {name}" for name, number in posts.counts().items())
    log(f"{len(posts)} posts" + (f": {counts}" if counts else ""))
    if posts.missing:
        log(missing_in_words(posts.missing, len(posts)))
    log("left out: " + (", ".join(f"{number} {reason}" for reason, number in posts.left_out.items()) or "none"))
    return posts


def _refuse_streamed(path: Path, labelled: bool) -> None:
    """Raise ValueError for a table, or a folder of its parts, of a kind that is read piece by piece alone."""
    from ..posts.tables import SUFFIXES

    try:
        there = path.iterdir() if path.is_dir() else [path] * path.is_file()
        kinds = {file.suffix.lower() for file in there}
    except OSError:  # the loader says what is wrong
        return
    if kinds & {".parquet", ".arrow", ".tar"} and not kinds & set(SUFFIXES):
        remedy = (f"by extract: give extract --data {path} --out features, and here --data features:features"
                  if labelled else "for answers as Parquet: give --out a name that ends in .parquet")
        raise ValueError(f"{path.name} is read piece by piece, {remedy}. Or save the table as .csv or .jsonl.")


def refusal(error: FaultyRows, arguments: argparse.Namespace, remedy: str, learning: bool) -> ValueError:
    """Faulty rows, as the command line refuses them."""
    learn = (f" A side is missing in {error.incomplete} of them: --modality-dropout 0.3 takes such posts too, and the "
             "model learns to do without.") if learning and error.incomplete else ""
    return ValueError(f"{error}\n{named_in_a_file(error.faults, arguments)}{remedy}{learn}")


def say_left_out(faults: list[str], arguments: argparse.Namespace) -> None:
    """Name faulty rows that were passed over."""
    if faults:
        log("\n".join(["faulty rows, left out:", *faults[:10], named_in_a_file(faults, arguments)]).rstrip())


def missing_in_words(missing: Mapping[str, int], n: int) -> str:
    """How many of n posts lack which side, such as "text missing in 12 of 300 posts"."""
    from ..posts.post import SUBJECTS

    return ", ".join(f"{SUBJECTS[side]} missing in {count}" for side, count in missing.items()) + f" of {n} posts"


def named_in_a_file(faults: list[str], arguments: argparse.Namespace) -> str:
    """Write faults that are too many to be shown into a file, in the folder of --out or in this one; says where."""
    if len(faults) <= 10:
        return ""
    beside = getattr(arguments, "answers", None) or getattr(arguments, "features", None) or ""
    path = Path(getattr(arguments, "out", None) or Path(beside).parent) / "faulty_rows.txt"
    try:
        path.write_text("\n".join(faults) + "\n", encoding="utf8", errors="replace")
    except OSError:  # a folder that nothing can be written into: the first ten have been shown
        return ""
    return f"All {len(faults)} of them are named in {path}. "
