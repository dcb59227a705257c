"""The command line: python -m mmsa_utils {train,align,evaluate,predict,dashboard,grade,colab,bench,doctor}."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .files import FilePosts


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns the exit code: 0 done, 1 it failed, 2 the call's words were off."""
    arguments = _parser().parse_args(argv)
    try:
        if arguments.command == "doctor":
            from . import doctor

            return doctor.main(json=arguments.json)
        if arguments.command == "dashboard":
            from . import app

            return app.main(arguments.model, arguments.port, arguments.share, arguments.user)
        _check_out(getattr(arguments, "out", None))
        result = _COMMANDS[arguments.command](arguments)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except MemoryError as error:
        print(f"error: this machine's memory is not enough ({error}): ask for less, or close other programs.",
              file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"\n{_stopped(arguments)}", file=sys.stderr)
        return 130
    if arguments.json:
        print(json.dumps(result))
    else:
        print("\n".join(_lines(result)))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m mmsa_utils", description="Multimodal sentiment analysis.")
    commands = parser.add_subparsers(dest="command", required=True)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--seed", type=_seed, default=0, help="of everything that is random (default 0)")
    common.add_argument("--json", action="store_true", help="print one JSON object; logs go to standard error")
    models = argparse.ArgumentParser(add_help=False)
    models.add_argument("--pair", default="distilbert+vit",
                        help="text and image encoder, such as bert+resnet18 or distilbert+vit (default)")
    models.add_argument("--size", choices=("mini", "full"), default="mini", help="of the encoders (default mini)")
    models.add_argument("--out", metavar="DIR", help="save the model here; what is under way is kept in "
                                                    "DIR/unfinished, and the same command goes on from there")

    train = commands.add_parser("train", parents=[common, models], help="train a pair end to end")
    train.add_argument("--binary", action=argparse.BooleanOptionalAction, default=None,
                       help="two classes and a single logit (default for bert+resnet18 only)")
    train.add_argument("--epochs", type=int, default=4, help="passes over the posts (default 4)")
    train.add_argument("--posts", type=int, default=2000, help="generated training posts (default 2000)")
    train.add_argument("--data", metavar="FILE", help="your own training posts, CSV or JSON lines: text,image,label")
    train.add_argument("--anywhere", action="store_true", help="allow pictures outside of the table's folder")
    train.add_argument("--freeze", action="store_true", help="keep the encoders as they are")

    align = commands.add_parser("align", parents=[common, models],
                                help="the correction phase: align a random head on frozen encoders")
    align.add_argument("--seeds", type=int, default=5, help="heads to train, for the intervals (default 5)")
    align.add_argument("--posts", type=int, default=32000, help="posts to align on (default 32000)")
    align.add_argument("--test-posts", type=int, default=2000, help="posts in each test split (default 2000)")
    align.add_argument("--conflict", type=float, default=0.2, help="share of contradicting posts (default 0.2)")

    evaluate = commands.add_parser("evaluate", parents=[common], help="measure a saved model")
    evaluate.add_argument("--data", metavar="FILE", help="your own posts; without it, generated ones")
    evaluate.add_argument("--anywhere", action="store_true", help="allow pictures outside of the table's folder")
    evaluate.add_argument("--split", choices=("validation", "test", "unseen"), default="test")
    evaluate.add_argument("--posts", type=int, default=2000, help="generated posts (default 2000)")
    predict = commands.add_parser("predict", parents=[common], help="the mood of one post")
    predict.add_argument("--text", required=True)
    predict.add_argument("--image", required=True, metavar="FILE")
    for command in (evaluate, predict):
        command.add_argument("--model", metavar="DIR", help="from --out; without it, the model that ships")
    dashboard = commands.add_parser("dashboard", help="a page to read posts on, served to this machine alone")
    dashboard.add_argument("--model", metavar="DIR", help="from --out; without it, the model that ships")
    dashboard.add_argument("--port", type=int, metavar="N", help="of the page (default: a free one)")
    dashboard.add_argument("--share", action="store_true",
                           help="through Gradio's public tunnel: needs --user and a password, which is asked for or "
                                "taken from the environment variable MMSA_PASSWORD")
    dashboard.add_argument("--user", metavar="NAME", help="demand this name, and a password, from every visitor")
    grade = commands.add_parser("grade", help="for teachers: run a folder of handed-in notebooks, write a grade book")
    grade.add_argument("folder", metavar="FOLDER", help="with notebooks (*.ipynb), also in folders of its own")
    grade.add_argument("--csv", metavar="FILE", required=True, help="the grade book: a row for each notebook")
    grade.add_argument("--seconds", type=float, default=300, help="that one notebook may take (default 300)")
    grade.add_argument("--memory", type=float, default=4000, metavar="MB", help="that one may hold (default 4000)")
    grade.add_argument("--jobs", type=int, default=1, metavar="N", help="notebooks at a time (default 1)")
    grade.add_argument("--json", action="store_true", help="print one JSON object, with what every check said")
    colab = commands.add_parser("colab", help="for whoever publishes the course: open its notebooks on Google Colab")
    where = colab.add_mutually_exclusive_group()
    where.add_argument("--repo", metavar="URL",
                       help="the course's public address, such as https://github.com/OWNER/NAME (or .../tree/BRANCH): "
                            "write it into pyproject.toml and the setup cells, and add links to Colab")
    where.add_argument("--undo", action="store_true", help="take the address and all links out again")
    colab.add_argument("--json", action="store_true", help="print one JSON object")
    bench = commands.add_parser("bench", help="measure speed, side by side with plain ways of doing the same")
    bench.add_argument("--quick", action="store_true", help="fewer rounds: quicker and rougher")
    bench.add_argument("--json", action="store_true", help="print one JSON object")
    commands.add_parser("doctor", parents=[common], help="check that everything is in place")
    return parser


def _train(arguments: argparse.Namespace) -> dict[str, Any]:
    from .data import PIXELS, FoodPosts, make_loader
    from .files import load_posts
    from .model import MultimodalSentimentModel
    from .training import best_device, evaluate, history_table, progress, train

    binary = arguments.pair == "bert+resnet18" if arguments.binary is None else arguments.binary
    seed = arguments.seed

    def generated(n: int, split: str) -> list:
        posts = FoodPosts(n, split, binary=binary, seed=seed, pixels=PIXELS[arguments.size])
        return list(progress(posts, f"draw {split} posts"))

    if arguments.data:
        posts = load_posts(arguments.data, arguments.anywhere, show_progress=True)
        train_posts, validation_posts, test_posts = _three_parts(posts, binary, seed)
    else:
        train_posts, validation_posts, test_posts = (
            generated(n, split) for n, split in
            ((arguments.posts, "train"), (max(1, arguments.posts // 4), "validation"), (1000, "test")))
    text, image = _pair(arguments.pair)
    model = MultimodalSentimentModel(text, image, arguments.size, num_outputs=1 if binary else 3,
                                     frozen=arguments.freeze, seed=seed).to(best_device())
    _log(f"{len(train_posts)} training posts, {len(validation_posts)} for validation, {len(test_posts)} for the test")
    history = train(model, make_loader(train_posts, model, shuffle=True, seed=seed),
                    make_loader(validation_posts, model, 64), epochs=arguments.epochs, seed=seed,
                    encoder_lr=1e-3 if arguments.size == "mini" else 2e-5,
                    checkpoint=arguments.out and _unfinished(arguments) / "run.safetensors")
    _log(history_table(history))
    result = {"pair": arguments.pair, "size": arguments.size, "history": history,
              "test": evaluate(model, make_loader(test_posts, model, 64), show_progress=True)}
    return _saved(model, arguments, result)


def _align(arguments: argparse.Namespace) -> dict[str, Any]:
    from .correction import correction_phase
    from .training import best_device

    if arguments.seeds < 1:
        raise ValueError(f"--seeds is {arguments.seeds}: expected at least 1.")
    report, model = correction_phase(*_pair(arguments.pair), arguments.size, seeds=arguments.seeds,
                                     n_train=arguments.posts, n_test=arguments.test_posts,
                                     conflict=arguments.conflict, data_seed=arguments.seed, device=best_device(),
                                     folder=_unfinished(arguments))
    return _saved(model, arguments, report)


def _evaluate(arguments: argparse.Namespace) -> dict[str, Any]:
    from .data import PIXELS, FoodPosts, make_loader
    from .files import load_posts
    from .model import load_model
    from .training import best_device, evaluate

    model = load_model(arguments.model).to(best_device())
    binary = model.num_outputs == 1
    result: dict[str, Any] = {}
    if arguments.data:
        posts = _relabelled(load_posts(arguments.data, arguments.anywhere, show_progress=True), binary)
    else:
        posts = FoodPosts(arguments.posts, arguments.split, binary=binary, seed=arguments.seed,
                          pixels=PIXELS[model.size])
        result["ceiling"] = posts.ceiling()
    return {"posts": len(posts), **evaluate(model, make_loader(posts, model, 64), show_progress=True), **result}


def _bench(arguments: argparse.Namespace) -> dict[str, Any]:
    from .bench import bench

    return bench(arguments.quick)


def _predict(arguments: argparse.Namespace) -> dict[str, Any]:
    from .files import open_picture
    from .model import load_model
    from .rules import BINARY_LABELS, LABELS

    picture = open_picture(arguments.image)
    model = load_model(arguments.model)
    probabilities = model.predict([arguments.text], [picture])[0]
    names = BINARY_LABELS if model.num_outputs == 1 else LABELS
    return {"label": names[int(probabilities.argmax())],
            "probs": {name: round(p, 4) for name, p in zip(names, probabilities.tolist())}}


def _grade(arguments: argparse.Namespace) -> dict[str, Any]:
    from .grading import grade

    try:
        return grade(arguments.folder, arguments.csv, arguments.seconds, arguments.memory, arguments.jobs, _log)
    except KeyboardInterrupt:  # it has said what is kept
        sys.exit(130)


def _colab(arguments: argparse.Namespace) -> dict[str, Any]:
    from pathlib import Path

    from . import colab

    root = Path.cwd()
    if arguments.repo is not None:
        colab.parts(arguments.repo)  # an empty one is a slip, and no --undo
    files = colab.write(root, "" if arguments.undo else arguments.repo)
    if arguments.repo and files:
        _log("Commit and push these files: the links work once they are at that address.")
    return {"address": colab.address_of(root) or "none", "files changed": len(files), "files": files}


_COMMANDS = {"train": _train, "align": _align, "evaluate": _evaluate, "predict": _predict, "bench": _bench,
             "grade": _grade, "colab": _colab}


def _seed(word: str) -> int:
    seed = int(word)
    if not 0 <= seed < 2**32:
        raise argparse.ArgumentTypeError(f"{seed} is no seed: expected a whole number from 0 to {2**32 - 1}")
    return seed


def _pair(name: str) -> tuple[str, str]:
    text, plus, image = name.partition("+")
    if not (text and plus and image):
        raise ValueError(f"--pair is {name!r}: expected a text and an image encoder, such as distilbert+vit.")
    return text, image


def _relabelled(posts: FilePosts, binary: bool) -> FilePosts:
    """A reader's posts; for two classes without the neutral ones."""
    from .files import FilePosts

    if not binary:
        return posts
    kept = FilePosts([(text, image, label // 2) for text, image, label in posts.rows if label != 1])
    if not kept.rows:
        raise ValueError("all posts are neutral: expected negative or positive ones for a model with two classes.")
    return kept


def _three_parts(posts: FilePosts, binary: bool, seed: int) -> tuple[FilePosts, ...]:
    """Shuffle a reader's posts into 70 % for training, 15 % for validation and 15 % for the test.

    None of their pictures is held in memory: photos take some 40 MB each.
    """
    import numpy as np

    from .files import FilePosts

    posts = _relabelled(posts, binary)
    if len(posts) < 10:
        raise ValueError(f"{len(posts)} posts are too few to split into three parts: expected at least 10.")
    order = np.random.default_rng(seed).permutation(len(posts))
    ends = [round(0.7 * len(posts)), round(0.85 * len(posts))]
    return tuple(FilePosts([posts.rows[i] for i in part]) for part in np.split(order, ends))


def _check_out(folder: str | None) -> None:
    """Make the folder that --out names before the work starts, so that nothing is lost for want of a place."""
    if folder:
        import tempfile

        os.makedirs(folder, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()  # raises an OSError where nothing can be written


def _unfinished(arguments: argparse.Namespace) -> Path | None:
    """Where work under way is kept, so that a start after an interruption goes on there; None without --out."""
    out = getattr(arguments, "out", None)
    return Path(out) / "unfinished" if out else None


def _stopped(arguments: argparse.Namespace) -> str:
    """What Ctrl-C has left, in a line."""
    kept = _unfinished(arguments)
    if kept and kept.is_dir() and any(path.name[0] != "." for path in kept.iterdir()):
        return f"stopped. What was done is kept in {kept}: the same command goes on from there."
    if kept:
        return "stopped before anything was done that is worth keeping."
    if "out" in arguments:
        return "stopped; nothing was kept (--out DIR keeps what is done)."
    return "stopped; there was nothing to keep."


def _saved(model, arguments: argparse.Namespace, result: dict[str, Any]) -> dict[str, Any]:
    if arguments.out:
        model.cpu().save_pretrained(arguments.out)
        shutil.rmtree(_unfinished(arguments), ignore_errors=True)
        result["saved"] = arguments.out
    return result


def _log(message: str) -> None:
    print(message, file=sys.stderr)


def _lines(result: dict[str, Any], indent: str = "") -> list[str]:
    """A nested result as indented lines."""
    lines = []
    for key, value in result.items():
        if isinstance(value, dict):
            lines += [f"{indent}{key}:", *_lines(value, indent + "  ")]
        elif not isinstance(value, list):
            lines.append(f"{indent}{key}: {value:.4f}" if isinstance(value, float) else f"{indent}{key}: {value}")
    return lines


if __name__ == "__main__":
    sys.exit(main())
