"""The command line: its words, what it prints, and its exit codes. What a command does is in its own module."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from .commands import COMMANDS
from .common import check_out, unfinished


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns the exit code: 0 done, 1 it failed, 2 the call's words were off."""
    arguments = parser().parse_args(argv)
    try:
        check_out(arguments)
        result = COMMANDS[arguments.command](arguments)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except MemoryError as error:
        print(f"error: this machine's memory is not enough ({error}): ask for less, or close other programs.",
              file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"\n{stopped(arguments)}", file=sys.stderr)
        return 130
    if isinstance(result, int):  # it has printed for itself
        return result
    print(json.dumps(result) if arguments.json else "\n".join(lines(result)))
    return 0


def parser() -> argparse.ArgumentParser:
    """Every command with its options."""
    top = argparse.ArgumentParser(prog="python -m mmsa_utils", description="Multimodal sentiment analysis.")
    add = top.add_subparsers(dest="command", required=True).add_parser
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--seed", type=_seed, default=0, help="of everything that is random (default 0)")
    common.add_argument("--json", action="store_true", help="print one JSON object; logs go to standard error")
    learning = _learning()

    train = add("train", parents=[common, learning], help="train a pair end to end")
    train.add_argument("--binary", action=argparse.BooleanOptionalAction, default=None,
                       help="two classes and a single logit (default for bert+resnet18 only)")
    train.add_argument("--epochs", type=int, default=4, help="passes over the posts (default 4)")
    train.add_argument("--posts", type=int, default=2000, help="generated training posts (default 2000)")
    train.add_argument("--data", metavar="FILE", help="your own training posts, CSV or JSON lines: text,image,label")
    train.add_argument("--freeze", action="store_true", help="keep the encoders as they are")

    align = add("align", parents=[common, learning],
                help="the correction phase: align a random head on frozen encoders")
    align.add_argument("--seeds", type=int, default=5, help="heads to train, for the intervals (default 5)")
    align.add_argument("--posts", type=int, default=32000, help="posts to align on (default 32000)")
    align.add_argument("--test-posts", type=int, default=2000, help="posts in each test split (default 2000)")
    align.add_argument("--conflict", type=float, default=0.2, help="share of contradicting posts (default 0.2)")

    evaluate = add("evaluate", parents=[common], help="measure a saved model")
    evaluate.add_argument("--data", metavar="FILE", help="your own posts; without it, generated ones")
    evaluate.add_argument("--split", choices=("validation", "test", "unseen"), default="test")
    evaluate.add_argument("--posts", type=int, default=2000, help="generated posts (default 2000)")
    predict = add("predict", parents=[common], help="the mood of one post")
    predict.add_argument("--text", required=True)
    predict.add_argument("--image", required=True, metavar="FILE")
    dashboard = add("dashboard", help="a page to read posts on, served to this machine alone")
    dashboard.add_argument("--port", type=int, metavar="N", help="of the page (default: a free one)")
    dashboard.add_argument("--share", action="store_true",
                           help="through Gradio's public tunnel: needs --user and a password, which is asked for or "
                                "taken from the environment variable MMSA_PASSWORD")
    dashboard.add_argument("--user", metavar="NAME", help="demand this name, and a password, from every visitor")
    for command in (train, evaluate):
        command.add_argument("--anywhere", action="store_true", help="allow pictures outside of the table's folder")
    for command in (evaluate, predict, dashboard):
        command.add_argument("--model", metavar="DIR", help="from --out; without it, the model that ships")
    grade = add("grade", help="for teachers: run a folder of handed-in notebooks, write a grade book")
    grade.add_argument("folder", metavar="FOLDER", help="with notebooks (*.ipynb), also in folders of its own")
    grade.add_argument("--csv", metavar="FILE", required=True, help="the grade book: a row for each notebook")
    grade.add_argument("--seconds", type=float, default=300, help="that one notebook may take (default 300)")
    grade.add_argument("--memory", type=float, default=4000, metavar="MB", help="that one may hold (default 4000)")
    grade.add_argument("--jobs", type=int, default=1, metavar="N", help="notebooks at a time (default 1)")
    grade.add_argument("--json", action="store_true", help="print one JSON object, with what every check said")
    add("doctor", parents=[common], help="check that everything is in place")
    return top


def _learning() -> argparse.ArgumentParser:
    """The options of what makes a model."""
    words = argparse.ArgumentParser(add_help=False)
    words.add_argument("--pair", default="distilbert+vit",
                       help="text and image encoder, such as bert+resnet18 or distilbert+vit (default)")
    words.add_argument("--size", choices=("mini", "full"), default="mini", help="of the encoders (default mini)")
    words.add_argument("--out", metavar="DIR", help="save the model here; what is under way is kept in DIR/unfinished, "
                                                   "and the same command goes on from there")
    return words


def _seed(word: str) -> int:
    seed = int(word)
    if not 0 <= seed < 2**32:
        raise argparse.ArgumentTypeError(f"{seed} is no seed: expected a whole number from 0 to {2**32 - 1}")
    return seed


def stopped(arguments: argparse.Namespace) -> str:
    """What Ctrl-C has left, in a line."""
    kept = unfinished(arguments)
    if kept and kept.is_dir() and any(path.name[0] != "." for path in kept.iterdir()):
        return f"stopped. What was done is kept in {kept}: the same command goes on from there."
    if kept:
        return "stopped before anything was done that is worth keeping."
    if "out" in arguments:
        return "stopped; nothing was kept (--out DIR keeps what is done)."
    return "stopped; there was nothing to keep."


def lines(result: dict[str, Any], indent: str = "") -> list[str]:
    """A nested result as indented lines."""
    said = []
    for key, value in result.items():
        if isinstance(value, dict):
            said += [f"{indent}{key}:", *lines(value, indent + "  ")]
        elif not isinstance(value, list):
            said.append(f"{indent}{key}: {value:.4f}" if isinstance(value, float) else f"{indent}{key}: {value}")
    return said
