"""The words of the command line: every command with its options and examples."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from .. import __version__, processes
from . import engine_options, teachers
from .kinds import FUSIONS, count, fusion, fusions, seed

#: What --data may name where posts with labels are wanted.
_LABELLED = ("your own posts, CSV or JSON lines: text,image,label (and audio, for a voice); or a folder or zip with "
             "such a table and its files; or a known set: mvsa:FOLDER, twitter:FOLDER, memes:FOLDER, mmsa:FILE; "
             "or what extract has made, features:FOLDER")

Add = Callable[..., argparse.ArgumentParser]


def parser(prog: str = "python -m mmsa_utils") -> argparse.ArgumentParser:
    """Every command with its options.

    Args:
        prog: how the program was called.
    """
    top = argparse.ArgumentParser(prog=prog, description="Multimodal sentiment analysis: text and picture to mood.",
                                  epilog=f"{prog} COMMAND --help explains a command, with examples.")
    top.add_argument("--version", action="version", version=f"mmsa-utils {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, examples: str = "", **options: Any) -> argparse.ArgumentParser:
        """A command; each line of its examples is what stands behind the program's name."""
        calls = "".join(f"\n  {prog} {line.strip()}" for line in examples.strip().splitlines())
        return commands.add_parser(name, description=_sentence(options["help"]), epilog=calls and "examples:" + calls,
                                   formatter_class=argparse.RawDescriptionHelpFormatter, **options)

    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--seed", type=seed, default=0, metavar="N", help="of everything that is random (default 0)")
    common.add_argument("--json", action="store_true", help="print one JSON object; logs go to standard error")
    model = argparse.ArgumentParser(add_help=False)
    model.add_argument("--model", metavar="DIR",
                       help="a folder that train or align has written (default: the model that ships)")
    learning = _learning()

    _predict(add, common, model)
    _evaluate(add, common, model)
    _report(add, common, model)
    _train(add, common, learning)
    _align(add, common, learning)
    _compare(add, common)
    _convert(add)
    engine_options.extract(add, common, _table_options)
    _inspect(add, common, model)
    _export(add, common, model)
    _dashboard(add, model)
    teachers.grade(add)
    teachers.handout(add)
    add("doctor", parents=[common], help="check that everything is in place",
        examples="doctor")
    return top


def _sentence(help: str) -> str:
    return help[0].upper() + help[1:] + "."


def _learning() -> argparse.ArgumentParser:
    """The options of what makes a model."""
    words = argparse.ArgumentParser(add_help=False)
    words.add_argument("--pair", metavar="TEXT+IMAGE[+VOICE]", default="distilbert+vit",
                       help="the encoders, such as bert+resnet18, distilbert+vit (default), distilbert+vit+whisper or, "
                            "with --size full, clip+clip; each may be the folder of a Hugging Face model, or its name "
                            "at the hub")
    words.add_argument("--fusion", metavar="NAME", default="concat", type=fusion,
                       help=f"how the sides meet: {', '.join(FUSIONS)} (default concat)")
    words.add_argument("--modality-dropout", type=float, metavar="SHARE", default=0.0,
                       help="leave each side out of so many posts, so that the model learns to do without "
                            "(default 0: it is not to be asked about posts that lack a side)")
    words.add_argument("--size", choices=("mini", "full"), default="mini", help="of the encoders (default mini)")
    words.add_argument("--out", metavar="DIR", help="save the model here; what is under way is kept in DIR/unfinished, "
                                                   "and the same command goes on from there")
    return words


def _table_options(command: argparse._ActionsContainer, labelled: bool = True) -> None:
    """The options of a reader's own table of posts."""
    for column, what in (("text", "texts"), ("image", "pictures"), ("audio", "voices"),
                         *[("label", "labels")] * labelled):
        command.add_argument(f"--{column}-column", metavar="NAME", default=column,
                             help=f"the column with the {what} (default {column})")
    command.add_argument("--skip-faulty", action="store_true", help="go on without faulty rows, and name them")
    command.add_argument("--anywhere", action="store_true",
                         help="allow pictures and recordings outside of the table's folder")
    if not labelled:
        command.set_defaults(label_column="label")


def _train(add: Add, common: argparse.ArgumentParser, learning: argparse.ArgumentParser) -> None:
    train = add("train", parents=[common, learning],
                help="train a model end to end, on your own posts or generated ones", examples="""
        train --pair bert+resnet18 --out my_model
        train --data posts.csv --out my_model
        train --data mvsa:MVSA_Single --out my_model
        train --data posts.csv --out my_model --size full --batch-size 64 --accumulate 4""")
    train.add_argument("--binary", action=argparse.BooleanOptionalAction, default=None,
                       help="two classes and a single logit (default for bert+resnet18 only)")
    train.add_argument("--epochs", type=int, metavar="N", default=4, help="passes over the posts (default 4)")
    train.add_argument("--posts", type=int, metavar="N", default=2000, help="generated training posts (default 2000)")
    train.add_argument("--data", metavar="FILE",
                       help=f"{_LABELLED} (default: generated posts); a part is kept back to test on")
    train.add_argument("--class-weights", choices=("balanced",),
                       help="balanced: rare classes count as much in the loss as frequent ones")
    train.add_argument("--freeze", action="store_true", help="keep the encoders as they are")
    train.add_argument("--batch-size", type=int, metavar="N", default=32,
                       help="posts of a step, shared among the processes that torchrun has started (default 32)")
    train.add_argument("--accumulate", type=int, metavar="N", default=1,
                       help="take a step's posts in N parts, where memory is short: the same step (default 1)")
    train.add_argument("--precision", choices=("auto", "fp32", "fp16", "bf16"), default="auto",
                       help="of the networks in training (default auto: fp16 on a CUDA card, fp32 elsewhere)")
    train.add_argument("--workers", type=count, default=0, metavar="N",
                       help="processes that prepare batches ahead, for each one that trains (default 0)")
    _table_options(train)


def _align(add: Add, common: argparse.ArgumentParser, learning: argparse.ArgumentParser) -> None:
    align = add("align", parents=[common, learning],
                help="the correction phase: align a random head on frozen encoders", examples="""
        align --seeds 1 --out my_model
        align --pair bert+resnet18 --posts 8000 --seeds 3
        align --data mmsa:unaligned_39.pkl --fusion attention --out my_model""")
    align.add_argument("--data", metavar="FILE", help=f"{_LABELLED} (default: generated posts)")
    align.add_argument("--seeds", type=int, metavar="N", default=5,
                       help="heads to train, for the intervals (default 5)")
    align.add_argument("--posts", type=int, metavar="N", default=32000, help="posts to align on (default 32000)")
    align.add_argument("--test-posts", type=int, metavar="N", default=2000,
                       help="posts in each test split (default 2000)")
    align.add_argument("--conflict", type=float, metavar="SHARE", default=0.2,
                       help="share of contradicting posts (default 0.2)")
    _table_options(align)


def _compare(add: Add, common: argparse.ArgumentParser) -> None:
    compare = add("compare", parents=[common],
                  help="every fusion on the same posts, features and budget, beside each ceiling; or, on real posts, "
                       "beside what costs nothing", examples="""
        compare
        compare --data places --fusions concat,attention --posts 4000 --seeds 3
        compare --data mvsa:MVSA_Single""")
    compare.add_argument("--data", metavar="WORLD", default="food",
                         help="food, places or spoken: generated posts, of one dish, of a table with four, or with a "
                              f"voice (default food); or {_LABELLED}")
    compare.add_argument("--fusions", metavar="NAMES", type=fusions,
                         help=f"with commas between them (default: {','.join(FUSIONS)})")
    compare.add_argument("--pair", metavar="TEXT+IMAGE[+VOICE]",
                         help="the encoders, kept frozen (default distilbert+vit, and +whisper for spoken posts)")
    compare.add_argument("--seeds", type=int, metavar="N", default=5, help="alignments of each (default 5)")
    compare.add_argument("--posts", type=int, metavar="N", default=8000, help="posts to align on (default 8000)")
    compare.add_argument("--test-posts", type=int, metavar="N", default=2000,
                         help="posts in each test split (default 2000)")
    compare.add_argument("--size", choices=("mini", "full"), default="mini", help="of the encoders (default mini)")
    compare.add_argument("--convention", metavar="NAME", default="mosi",
                         help="how numbers are counted: mosi (default), cmu-before-2019, cmu-since-2019 or sims")
    _table_options(compare)


def _convert(add: Add) -> None:
    convert = add("convert", help="a pickle of features (MOSI, MOSEI, SIMS) into files that run nothing",
                  examples="convert unaligned_50.pkl --out mosi")
    convert.add_argument("file", metavar="FILE", help="the pickle; nothing in it is run")
    convert.add_argument("--out", metavar="FOLDER", dest="place", required=True,
                         help="a new folder for safetensors and JSON")
    convert.add_argument("--json", action="store_true", help="print one JSON object")


def _inspect(add: Add, common: argparse.ArgumentParser, model: argparse.ArgumentParser) -> None:
    inspect = add("inspect", parents=[common, model],
                  help="look a model over: what is planted, forgotten or left on in it, a check at a time", examples="""
        inspect
        inspect --model my_model --data labelled.csv --out inspection.html""")
    inspect.add_argument("--data", metavar="FILE", help=f"{_LABELLED} (default: generated ones)")
    inspect.add_argument("--split", choices=("validation", "test", "unseen"), default="test",
                         help="of generated posts, or of a known set (default test)")
    inspect.add_argument("--posts", type=count, metavar="N", default=64, help="how many to try it with (default 64)")
    inspect.add_argument("--train-data", metavar="FILE",
                         help="what it was trained on, as --data is given: whether any of the posts stand there too")
    inspect.add_argument("--out", metavar="FILE", dest="page", help="what was found as a page, too: one HTML file")
    _table_options(inspect)


def _measured(command: argparse.ArgumentParser) -> None:
    """The options of what measures a model."""
    command.add_argument("--data", metavar="FILE", help="your own posts with labels, or a known set of real ones, as "
                                                        "train takes them (default: generated ones)")
    command.add_argument("--split", choices=("validation", "test", "unseen"), default="test",
                         help="of generated posts, or of a known set (default test)")
    command.add_argument("--posts", type=int, metavar="N", default=2000, help="generated posts (default 2000)")
    command.add_argument("--mistakes", type=count, default=5, metavar="N", help="how many to show (default 5)")
    _table_options(command)


def _evaluate(add: Add, common: argparse.ArgumentParser, model: argparse.ArgumentParser) -> None:
    _measured(add("evaluate", parents=[common, model],
                  help="how good a model is: figures with intervals, by class; the worst mistakes", examples="""
        evaluate
        evaluate --split unseen
        evaluate --model my_model --data labelled.csv
        evaluate --data mvsa:MVSA_Single"""))


def _report(add: Add, common: argparse.ArgumentParser, model: argparse.ArgumentParser) -> None:
    report = add("report", parents=[common, model], help="an evaluation as one HTML page, with pictures", examples="""
        report --out report.html
        report --model my_model --data labelled.csv --out report.html""")
    report.add_argument("--out", metavar="FILE", dest="page", required=True, help="the page, one HTML file")
    _measured(report)


def _predict(add: Add, common: argparse.ArgumentParser, model: argparse.ArgumentParser) -> None:
    predict = add("predict", parents=[common, model], help="the mood of one post, or of every post of a table",
                  examples="""
        predict --text "This burger is delicious!" --image photo.jpg
        predict --text "This burger is delicious!"
        predict --text "What a glorious burger!" --audio said.wav
        predict --data posts.csv --out answers.csv
        predict --data posts.csv --out answers.jsonl --skip-faulty --workers 2
        predict --data shards --out answers.parquet --engine ray --workers 4""")
    one = predict.add_argument_group("one post", "All sides that the model reads, or some of them alone.")
    one.add_argument("--text", metavar="WORDS", help="what it says")
    one.add_argument("--image", metavar="FILE", help="its picture")
    one.add_argument("--audio", metavar="FILE",
                     help="what was said: WAV; FLAC, OGG or MP3 where the package soundfile is installed")
    many = predict.add_argument_group("a table of posts", "Labels are not needed, and not looked at.")
    many.add_argument("--data", metavar="FILE", help="the posts, CSV or JSON lines: text,image (and audio for a "
                                                     "voice), an empty cell where a side is missing; or a folder or "
                                                     "zip with such a table and its files. With --out NAME.parquet "
                                                     "also what extract reads: Parquet, Arrow, tar, a folder of them")
    many.add_argument("--out", metavar="FILE", dest="answers",
                      help="where their answers go, .csv or .jsonl: a row for each post, with its number in the "
                           "table; or a folder .parquet, for tables of any length and kind, with faulty rows named")
    many.add_argument("--workers", type=count, default=0, metavar="N",
                      help="processes that open pictures ahead; worth it for photographs (default 0); with --engine "
                           "ray, processes that hold the model")
    engine_options.engine(many, workers=False)
    _table_options(many, labelled=False)


def _export(add: Add, common: argparse.ArgumentParser, model: argparse.ArgumentParser) -> None:
    export = add("export", parents=[common, model],
                 help="a model as an ONNX file, to be used without torch (needs the extra onnx)", examples="""
        export --onnx exported/model.onnx
        export --model my_model --onnx exported/model.onnx""")
    export.add_argument("--onnx", metavar="FILE", required=True,
                        help="the file; what else is needed is written beside it, with a README")


def _dashboard(add: Add, model: argparse.ArgumentParser) -> None:
    dashboard = add("dashboard", parents=[model],
                    help="a page to read posts on, served to this machine alone (needs the extra dashboard)",
                    examples="""
        dashboard --open
        dashboard --model my_model --port 7860
        dashboard --host 0.0.0.0 --port 7860 --user me""")
    dashboard.add_argument("--port", type=int, metavar="N", help="of the page (default: a free one)")
    dashboard.add_argument("--open", action="store_true", help="open the page in the browser")
    dashboard.add_argument("--host", metavar="ADDRESS", default="127.0.0.1",
                           help="to listen at (default 127.0.0.1: this machine alone); any that others can reach, such "
                                "as 0.0.0.0, needs --user and a password")
    dashboard.add_argument("--share", action="store_true",
                           help="through Gradio's public tunnel: needs --user and a password, which is asked for or "
                                "taken from the environment variable MMSA_PASSWORD")
    dashboard.add_argument("--user", metavar="NAME", help="demand this name, and a password, from every visitor")


def check(arguments: argparse.Namespace) -> str:
    """What is off with a call's words taken together, in a sentence; "" if nothing is."""
    for name, option in (("data", "--data"), ("model", "--model"), ("out", "--out"), ("answers", "--out"),
                         ("onnx", "--onnx"), ("page", "--out"), ("place", "--out"), ("train_data", "--train-data"),
                         ("features", "--out"), ("points", "--points"), ("student", "--student"),
                         ("feedback", "--feedback")):
        if getattr(arguments, name, None) == "":  # an unset variable of a script: it must not mean "none given"
            return f"{option} is empty: expected a name"
    if processes.number() > 1 and arguments.command != "train":
        return f"{processes.number()} processes were started, and train alone is for several: start the same by itself"
    if arguments.command != "predict" or engine_options.check(arguments):
        return engine_options.check(arguments)
    one, table = (arguments.text, arguments.image, arguments.audio), (arguments.data, arguments.answers)
    if any(word is not None for word in one) and any(word is not None for word in table):
        return "--text, --image and --audio are for one post, --data and --out for a table: give one kind"
    if all(word is None for word in one) and None in table:
        return ("give --text, --image or both, and --audio for a voice, for one post; or --data and --out for a table"
                if table == (None, None)
                else f"a table needs both --data and --out: {'--data' if table[0] is None else '--out'} is missing")
    if table[0] is None and (arguments.skip_faulty or arguments.workers or arguments.anywhere):
        return "--skip-faulty, --workers and --anywhere are for a table: give them with --data"
    return ""
