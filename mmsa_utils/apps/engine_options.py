"""The words of what works on whole tables: the command `extract`, and the options of an engine."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from .kinds import FUSIONS, count, fusion, is_parquet

Add = Callable[..., argparse.ArgumentParser]
TableOptions = Callable[..., None]


def extract(add: Add, common: argparse.ArgumentParser, table_options: TableOptions) -> None:
    """The command `extract`."""
    words = add("extract", parents=[common],
                help="the features of a whole table, written once as Parquet: train and align take them by "
                     "--data features:FOLDER", examples="""
        extract --data posts.csv --out features
        extract --data shards --pair bert+resnet18 --out features --engine ray --workers 4""")
    words.add_argument("--data", metavar="FILE", required=True,
                       help="the posts: CSV, JSON lines, Parquet, an Arrow file, a tar of webdataset; or a folder of "
                            "such files, one that datasets has saved, or one of pictures")
    words.add_argument("--out", metavar="FOLDER", dest="features", required=True,
                       help="for the features, with labels as they are written; the same command goes on with what is "
                            "there")
    words.add_argument("--model", metavar="DIR", help="take the encoders of this model (default: those of --pair)")
    words.add_argument("--pair", metavar="TEXT+IMAGE[+VOICE]", default="distilbert+vit",
                       help="the encoders (default distilbert+vit)")
    words.add_argument("--size", choices=("mini", "full"), default="mini", help="of the encoders (default mini)")
    words.add_argument("--fusion", metavar="NAME", default="concat", type=fusion,
                       help=f"that the features are for, one of {', '.join(FUSIONS)}: a vector of each side, or for "
                            "attention and bottleneck all its tokens (default concat)")
    engine(words)
    table_options(words)


def engine(command: argparse._ActionsContainer, workers: bool = True) -> None:
    """Which engine does the work, and with how much.

    Args:
        workers: whether the command has no such option yet.
    """
    command.add_argument("--engine", choices=("ray",),
                         help="ray: by several processes, or machines (needs the extra scale; default: this process)")
    if workers:
        command.add_argument("--workers", type=count, default=0, metavar="N",
                             help="processes on Ray that hold the model (default: one for each GPU, or CPU but one)")
    command.add_argument("--address", metavar="ADDRESS",
                         help="of a Ray cluster that is there, or auto (default: one of this command's own)")


def check(arguments: argparse.Namespace) -> str:
    """What is off with the words of an engine, in a sentence; "" if nothing is."""
    if getattr(arguments, "engine", None) is None:
        if getattr(arguments, "address", None) is not None:
            return "--address is of a Ray cluster: give it with --engine ray"
        parquet = is_parquet(getattr(arguments, "answers", None))
        if "engine" in arguments and arguments.workers and (arguments.command == "extract" or parquet):
            return "--workers are processes on Ray here: give it with --engine ray"
        return ""
    if arguments.command == "predict" and not is_parquet(arguments.answers):
        return "--engine ray writes Parquet: give --data, and --out with a name that ends in .parquet"
    return ""
