"""Explorers of notebooks 05 and 06: scrub through a training run that was recorded epoch by epoch."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import ipywidgets
import numpy as np
import torch
from torch import Tensor, nn

from ..figures import panels, plots
from ..fusion.base import Fusion
from ..learning import metrics
from ..learning.alignment import head_answers
from ..learning.features import Features
from ..posts.post import BINARY_LABELS, LABELS, Post
from .explorer import Explorer, choice, slider

if TYPE_CHECKING:
    from IPython.display import Image as DisplayImage

CARDS = 6  # posts shown at once


def add_play(explorer: Explorer, control: ipywidgets.IntSlider, label: str, interval: int = 1200) -> Explorer:
    """Add buttons that move a slider by themselves, one step each `interval` milliseconds, as ``explorer.play``."""
    explorer.play = ipywidgets.Play(value=control.value, min=control.min, max=control.max, interval=interval,
                                    show_repeat=False, description=label)
    ipywidgets.link((explorer.play, "value"), (control, "value"))
    # Play shows no description of its own
    explorer.children[0].children += (ipywidgets.HBox([ipywidgets.Label(label), explorer.play]),)
    return explorer


def shown_epochs(count: int) -> list[int]:
    """The frames of a still picture: before training, after the first epoch, in the middle, at the end."""
    return sorted({0, min(1, count - 1), count // 2, count - 1})


def kept_epoch(history: Sequence[Mapping[str, float]]) -> int:
    """The epoch that `train` and `align` hand back: the trained one with the lowest validation loss."""
    return min(range(len(history)), key=lambda epoch: history[epoch]["loss"])


def scrubbed(history: Sequence[Mapping[str, float]], levels: Mapping[str, tuple[str, float] | None],
             width: int = 560) -> Callable[[int], str]:
    """The curves of a history as HTML, at an epoch. They are drawn once, so moving the marker over them costs nothing.

    Args:
        history: a row an epoch, from 0 on.
        levels: what to draw ("loss", "accuracy") → a dotted line in it: its name and height.
    """
    figure, axes = plots.new_figure(7.0, 2.5, 1, len(levels))
    for axis, (name, level) in zip(axes, levels.items()):
        plots.draw_history(axis, history, name, level, 9)
        axis.legend(frameon=False, fontsize=8)
    figure.draw_without_rendering()  # the first layout may move the axes to other numbers, the second has room for them
    drawn = panels.figure(plots.show(figure, f"{' and '.join(levels)} by epoch"), width)

    def at(epoch: int) -> str:
        marks, said = "", []
        for axis, name in zip(axes, levels):
            box, (first, last) = axis.get_position(), axis.get_xlim()
            left = box.x0 + box.width * (epoch - first) / (last - first)
            marks += (f'<div style="position:absolute;left:{left:.2%};top:{1 - box.y1:.2%};height:{box.height:.2%};'
                      f'border-left:2px solid {panels.GREY}"></div>')
            training = history[epoch].get(f"train_{name}", np.nan)
            said.append(f"{name} {history[epoch][name]:.2f}"
                        + f" (training {training:.2f})" * bool(np.isfinite(training)))
        return (f'<div style="position:relative;max-width:{width}px">{drawn}{marks}</div>'
                + panels.paragraph(f"At epoch {epoch}: {', '.join(said)}."))

    return at


# --- notebook 05: who changed sides ---

def changes(frames: Sequence[Tensor], labels: Tensor, epoch: int) -> dict[str, list[int]]:
    """Which posts to look at after an epoch.

    Args:
        frames: recorded probabilities, each (n, classes); frame 0 is from before training.
        labels: (n,).
        epoch: the frame to look at; at 0 there is nothing before it, so nothing has changed.

    Returns:
        Indices of the posts that ``changed sides`` (another answer than one epoch before), of those the ones that
        were ``put right`` and ``spoiled``, and all that are ``wrong now``; the largest swing first.
    """
    now = frames[epoch]
    past = frames[max(epoch - 1, 0)]
    swing = (now - past).abs().sum(-1)
    right, was_right, moved = now.argmax(-1) == labels, past.argmax(-1) == labels, now.argmax(-1) != past.argmax(-1)
    order = swing.argsort(descending=True, stable=True)
    chosen = {"changed sides": moved, "put right": moved & right, "spoiled": moved & was_right, "wrong now": ~right}
    return {name: order[mask[order]].tolist() for name, mask in chosen.items()}


def training_explorer(history: Sequence[Mapping[str, float]], frames: Sequence[Tensor], posts: Sequence[Post],
                      classes: Sequence[str] = BINARY_LABELS) -> Explorer:
    """Scrub through a recorded run of `train`: its curves, and what became of the posts that were watched.

    Args:
        history: epoch 0, measured by `evaluate` before training, then the rows from `train`.
        frames: one for each row: the probabilities (n, classes) that the model then gave to the watched posts.
        posts: the n watched posts; they should not be training posts.
        classes: names of the classes.

    Controls: ``epoch``, ``show`` (which of the posts), ``play``.

    Raises:
        ValueError: if history, frames and posts do not fit each other.
    """
    _check_lengths(history, frames, len(posts))
    history = [{**row, "epoch": epoch} for epoch, row in enumerate(history)]
    frames = [frame.detach().cpu() for frame in frames]
    labels = torch.tensor([post.label for post in posts])
    moves = [changes(frames, labels, epoch) for epoch in range(len(frames))]
    kept = kept_epoch(history)
    curves = scrubbed(history, {"loss": None, "accuracy": ("chance", 1 / len(classes))})

    def view(epoch: int, show: str) -> str:
        move, right = moves[epoch], metrics.accuracy(frames[epoch], labels)
        story = (f"Before training: {right:.0%} of the {len(posts)} watched posts are right." if epoch == 0 else
                 f"Epoch {epoch}: {_count(len(move['changed sides']), 'post')} changed sides, {len(move['put right'])} "
                 f"put right and {len(move['spoiled'])} spoiled. Of the {len(posts)} watched posts {right:.0%} are "
                 f"right now.")
        cards = [_card(posts[i], frames, i, epoch, classes) for i in move[show][:CARDS]]
        rest = len(move[show]) - len(cards)
        counts = metrics.confusion(frames[epoch], labels).tolist()
        return (panels.row(curves(epoch),
                           panels.heading("label (row) and answer (column)")
                           + panels.table(("", *classes), [(name, *line) for name, line in zip(classes, counts)]))
                + panels.row(panels.paragraph(story + " This is the epoch that train keeps." * (epoch == kept))
                             + panels.heading(f"{show}: {_count(len(move[show]), 'post')}"
                                              + f", the {CARDS} that moved most" * (rest > 0)))
                + panels.row(*cards))

    explorer = Explorer("Training explorer", {
        "epoch": slider("epoch", 0, 0, len(frames) - 1),
        "show": choice("show the posts", ["changed sides", "put right", "spoiled", "wrong now"], "changed sides"),
    }, view, lambda: _training_still(history, frames, posts, labels, classes))
    return add_play(explorer, explorer.epoch, "play the epochs")


def _card(post: Post, frames: Sequence[Tensor], index: int, epoch: int, classes: Sequence[str]) -> str:
    """A post with its label, and what the model says now and said one epoch before."""
    now, past = (_said(frames[e][index], classes) for e in (epoch, max(epoch - 1, 0)))
    mark = "right" if int(frames[epoch][index].argmax()) == post.label else "wrong"
    words = [f"“{post.text}”", f"label: {classes[post.label]}", f"answer: {now} ({mark})"]
    if epoch:
        words.append(f"before: {past}")
    picture = panels.picture(post.image, f"the picture of {post.text!r}", 72)
    return (f'<div style="display:flex;gap:8px;width:264px;max-width:100%;font-size:.92em">'
            f'<div style="flex:none">{picture}</div><div>{"".join(map(panels.paragraph, words))}</div></div>')


def _said(probabilities: Tensor, classes: Sequence[str]) -> str:
    answer = int(probabilities.argmax())
    return f"{classes[answer]} {float(probabilities[answer]):.2f}"


def _count(n: int, thing: str) -> str:
    return f"{n} {thing}{'s' * (n != 1)}"


def _check_lengths(history: Sequence, frames: Sequence[Tensor], n: int) -> None:
    if not frames or len(history) != len(frames):
        raise ValueError(f"got {len(history)} rows of history and {len(frames)} frames: expected one of each for every "
                         "epoch, epoch 0 (before training) first.")
    for epoch, frame in enumerate(frames):
        if frame.ndim != 2 or len(frame) != n:
            raise ValueError(f"frame {epoch} has the shape {tuple(frame.shape)}: expected one row of probabilities for "
                             f"each of the {n} posts.")


def _training_still(history, frames, posts, labels, classes) -> DisplayImage:
    """For some epochs: the confusion matrix, and the two posts that changed sides with the largest swing."""
    epochs = shown_epochs(len(frames))
    figure, axes = plots.new_figure(1.8 * (len(epochs) + 1), 4.9, 3, len(epochs) + 1)
    said = []
    for axis, name in zip(axes[:, 0], ("loss", "accuracy")):
        plots.draw_history(axis, history, name, size=7)
        for epoch in epochs:
            axis.axvline(epoch, color=plots.GREY, lw=0.8, ls=":")
    axes[2, 0].legend(*axes[0, 0].get_legend_handles_labels(), frameon=False, fontsize=8, loc="upper center")
    for axis in (axes[2, 0], axes[1, 1]):
        axis.axis("off")
    axes[1, 1].text(0.5, 0.5, "posts that\nchanged sides,\nlargest swing\nfirst", ha="center", va="center", fontsize=8)
    short = [name[:3] for name in classes]
    for column, epoch in enumerate(epochs, start=1):
        moved = changes(frames, labels, epoch)["changed sides"]
        right = metrics.accuracy(frames[epoch], labels)
        title = f"epoch {epoch}: {right:.0%} right\n{_count(len(moved), 'post')} changed sides"
        said.append(title.replace("\n", ", "))
        axis = axes[0, column]
        plots.draw_cells(axis, metrics.confusion(frames[epoch], labels), short, short, ".0f", 0, len(labels))
        axis.set_title(title, fontsize=8)
        axis.set_xlabel("answer", fontsize=7)
        axis.set_ylabel("label" if column == 1 else "", fontsize=7)
        for axis, i in zip(axes[1:, column], [*moved, None, None]):
            axis.axis("off")
            if i is not None:
                past, now = (_said(frames[e][i], classes) for e in (epoch - 1, epoch))
                words = [*textwrap.wrap(posts[i].text, 28), f"label {classes[labels[i]]}", f"{past} → {now}"]
                axis.imshow(np.asarray(posts[i].image))
                axis.set_title("\n".join(words), fontsize=6.5)
                said.append(f"“{posts[i].text}” (label {classes[labels[i]]}) went from {past} to {now}")
    return plots.show(figure, "A training run at some of its epochs: " + "; ".join(said) + ".", 90, 128)


# --- notebook 06: from a random head to an aligned one ---

def alignment_explorer(fusion: Fusion, heads: Sequence[nn.Module], features: Features, posts: Mapping[str, Post],
                       post_features: Features, classes: Sequence[str] = LABELS) -> Explorer:
    """Scrub through an alignment, from the random head on: what it says to a post, how good and how honest it is.

    Args:
        fusion: that the heads read.
        heads: recorded by ``align(..., on_epoch=lambda head: heads.append(copy.deepcopy(head)))``, the random one of
            epoch 0 first.
        features: of held-out posts, on which every head is measured.
        posts: name → a post that every head is asked about.
        post_features: of these posts, from `extract_features`, in their order.
        classes: names of the classes.

    Controls: ``epoch``, ``post``, ``play``. Every head is asked here, so that a move costs little.

    Raises:
        ValueError: without a head, or if there are not as many features as posts.
    """
    if not heads or len(posts) != len(post_features) or not posts:
        raise ValueError(f"got {_count(len(heads), 'head')}, {_count(len(posts), 'post')} and features of "
                         f"{len(post_features)}: expected at least one head, and as many features as posts.")
    frames = [head_answers(fusion, head, features) for head in heads]
    asked = [dict(zip(posts, head_answers(fusion, head, post_features))) for head in heads]
    history = [{"epoch": epoch, **metrics.summary(frame, features.labels)} for epoch, frame in enumerate(frames)]
    kept = kept_epoch(history)
    curves = scrubbed(history, {"accuracy": ("chance", 1 / len(classes)),
                                "loss": ("an even guess", float(np.log(len(classes))))})
    pictures = {name: panels.picture(post.image, name, 128) for name, post in posts.items()}

    @lru_cache
    def honesty(epoch: int) -> str:
        return panels.figure(plots.reliability_diagram({f"epoch {epoch}": (frames[epoch], features.labels)}), 230)

    def view(epoch: int, post: str) -> str:
        probabilities = dict(zip(classes, asked[epoch][post].tolist()))
        story = "The random head, before its first step." if epoch == 0 else f"After epoch {epoch}."
        story += f" {history[epoch]['accuracy']:.0%} of {len(features)} held-out posts are right."
        said = (pictures[post] + panels.paragraph(f"“{posts[post].text}”")
                + panels.mood(max(probabilities, key=probabilities.get)) + panels.bars(probabilities)
                + panels.paragraph(f"The label is {classes[posts[post].label]}.")
                + panels.paragraph(story + " This is the epoch that align keeps." * (epoch == kept)))
        return panels.row(f'<div style="max-width:264px">{said}</div>', curves(epoch), honesty(epoch))

    explorer = Explorer("Alignment explorer", {
        "epoch": slider("epoch", 0, 0, len(heads) - 1), "post": choice("post", list(posts), next(iter(posts))),
    }, view, lambda: _alignment_still(history, frames, features.labels, asked, posts, classes))
    return add_play(explorer, explorer.epoch, "play the epochs", 800)


def _alignment_still(history, frames, labels, asked, posts, classes) -> DisplayImage:
    """For some epochs: the probabilities of every asked post over a reliability diagram."""
    epochs = shown_epochs(len(history))
    figure, axes = plots.new_figure(2.1 * len(epochs), 1.15 * len(posts) + 2.5, len(posts) + 1, len(epochs))
    axes = np.reshape(axes, (len(posts) + 1, len(epochs)))
    said = []
    for column, epoch in zip(axes.T, epochs):
        row, part = history[epoch], []
        for axis, name in zip(column, posts):
            values = asked[epoch][name].tolist()
            bars = axis.barh(classes, values, color=[plots.LABEL_COLOURS.get(c, plots.BLUE) for c in classes])
            axis.bar_label(bars, fmt="%.2f", fontsize=7, padding=2)
            axis.set(xlim=(0, 1.3), xticks=[])
            axis.set_yticks(range(len(classes)), classes if epoch == 0 else [""] * len(classes), fontsize=7)
            axis.invert_yaxis()
            axis.set_title(name, fontsize=8)
            axis.spines[["top", "right", "bottom"]].set_visible(False)
            part.append(f"{name} " + ", ".join(f"{c} {v:.2f}" for c, v in zip(classes, values)))
        plots.draw_reliability(column[-1], metrics.reliability(frames[epoch], labels), 7)
        figures = f"accuracy {row['accuracy']:.2f}, calibration error {row['calibration_error']:.3f}"
        column[-1].set_title(figures.replace(", ", "\n"), fontsize=8)
        column[0].set_title(f"epoch {epoch}\n{next(iter(posts))}", fontsize=8)
        said.append(f"epoch {epoch}: {'; '.join(part)}; {figures}")
    return plots.show(figure, "An alignment at some of its epochs, probabilities of "
                      f"{' and '.join(posts)} over a reliability diagram. " + ". ".join(said) + ".", 80, 64)
