"""The explorer of notebook 04: how the fused vector comes about, piece by piece, and what each part weighs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import ipywidgets
import numpy as np
import torch
from torch import Tensor, nn

from ..encoders.pretrained import IMAGE_ENCODERS, SIZES, TEXT_ENCODERS
from ..encoders.table import load_image_encoder, load_text_encoder
from ..figures import panels, plots
from ..fusion.concat import join
from ..model.head import mlp_head, probabilities_of, random_head
from ..model.model import PAIRS
from ..posts.food import PIXELS, burger_example, make_post
from ..posts.post import Post
from ..seeds import seeded
from .explorer import WIDE, Explorer, choice, slider

if TYPE_CHECKING:
    from IPython.display import Image as DisplayImage

HIDDEN = (0, 16, 64, 256, 1024)
PASSES = 20  # through the head in training, to show how far its answers lie apart


@lru_cache
def encoder_counts(name: str, size: str) -> tuple[int, int]:
    """Width and parameters of an encoder, counted on the meta device: shapes without numbers, so nothing is loaded."""
    load = load_text_encoder if name in TEXT_ENCODERS else load_image_encoder
    with torch.device("meta"):
        encoder = load(name, size, pretrained=False)
    return encoder.width, sum(p.numel() for p in encoder.parameters())


@lru_cache
def part_counts(text: str, image: str, size: str, hidden: int) -> list[tuple[str, str, int]]:
    """Every part of a model with one output: its name, what goes in and comes out, its parameters.

    Raises:
        ValueError: for an unknown size.
    """
    (text_width, text_count), (image_width, image_count) = encoder_counts(text, size), encoder_counts(image, size)
    width = text_width + image_width
    with torch.device("meta"):
        layers = [layer for layer in mlp_head(width, 1, hidden).modules() if isinstance(layer, nn.Linear)]
    head = [(f"head, layer {i}", f"{layer.in_features:,} → {layer.out_features:,}",
             sum(p.numel() for p in layer.parameters())) for i, layer in enumerate(layers, 1)]
    return [(text, f"text → {text_width:,}", text_count), (image, f"picture → {image_width:,}", image_count),
            ("join", f"{text_width:,} + {image_width:,} → {width:,}", 0), *head]


@torch.no_grad()
def head_stages(head: nn.Sequential, joined: Tensor, seed: int | None = None) -> list[tuple[Tensor, Tensor]]:
    """What each linear layer of a head gets to read, and the logit that comes out at the end.

    Args:
        head: from `mlp_head`.
        joined: (1, width).
        seed: of dropout, for a pass in training; None for a pass that answers.

    Returns:
        Pairs of values (1, n) and, True where dropout has silenced one, (1, n).
    """
    head.train(seed is not None)
    stages, values = [], joined
    silenced = torch.zeros_like(values, dtype=torch.bool)
    with seeded(seed or 0):
        for layer in head:
            if isinstance(layer, nn.Dropout):
                factors = layer(torch.ones_like(values))  # 0, or what makes up for the silenced ones
                values, silenced = values * factors, factors == 0
                continue
            if isinstance(layer, nn.Linear):
                stages.append((values, silenced))
            values = layer(values)
            silenced = torch.zeros_like(values, dtype=torch.bool)
    return [*stages, (values, silenced)]


@torch.no_grad()
def training_logits(head: nn.Module, joined: Tensor) -> Tensor:
    """The logits of one post in PASSES passes with dropout on, (PASSES,)."""
    with seeded(0):
        return head.train()(joined.expand(PASSES, -1)).squeeze(-1)


def fusion_explorer() -> Explorer:
    """Put the fused vector of a post together, step by step, and count the parameters of every part.

    Real numbers at mini size; shapes and counts at full size, where nothing is downloaded.

    Controls: ``step`` (1 text feature, 2 normalised, 3 picture feature, 4 normalised, 5 joined, 6 hidden layers,
    7 logit), ``post``, ``text`` and ``image`` (encoders), ``size``, ``hidden`` (units of the head's hidden layers),
    ``dropout``, ``mode`` (0 answering, else the number of a pass in training).
    """
    pixels = PIXELS["mini"]
    posts = {"the burger": burger_example(pixels), "praise over an awful picture": make_post(2, -2, pixels=pixels),
             "nothing like the photo": make_post("opposite", 2, pixels=pixels)}
    texts, images = [post.text for post in posts.values()], [post.image for post in posts.values()]
    features: dict[str, Tensor] = {}  # encoder → (posts, width)
    with torch.no_grad():
        for name in TEXT_ENCODERS:
            encoder = load_text_encoder(name)
            features[name] = encoder(**encoder.prepare(texts))
        for name in IMAGE_ENCODERS:
            picture_encoder = load_image_encoder(name)
            features[name] = picture_encoder(**picture_encoder.prepare(images))
    for size in SIZES:  # counted now, so that no move has to wait
        for name in features:
            encoder_counts(name, size)
    names = list(posts)
    controls = {
        "step": slider("step", 1, 1, 7), "post": choice("post", names, names[0]),
        "text": choice("text encoder", tuple(TEXT_ENCODERS), "bert"),
        "image": choice("image encoder", tuple(IMAGE_ENCODERS), "resnet18"), "size": choice("size", SIZES, "mini"),
        "hidden": choice("hidden units", HIDDEN, 256),
        "dropout": ipywidgets.FloatSlider(value=0.2, min=0, max=0.9, step=0.1, description="dropout", style=WIDE,
                                          readout_format=".1f", layout={"width": "300px"}),
        "mode": choice("mode", [("answering", 0), *((f"training, pass {i}", i) for i in (1, 2, 3))], 0)}

    def view(step, post, text, image, size, hidden, dropout, mode) -> str:
        counts = part_counts(text, image, size, hidden)
        if size == "mini":
            row = slice(names.index(post), names.index(post) + 1)
            blocks = _real_blocks(features[text][row], features[image][row], hidden, dropout, mode)
        else:
            blocks = _empty_blocks(encoder_counts(text, size)[0], encoder_counts(image, size)[0], hidden, dropout, mode)
        return _beside(_post_line(posts[post], size) + panels.row(*blocks[:step - 1], _marked(blocks[step - 1])),
                       _counts_block(counts))

    def still() -> DisplayImage:
        return _fusion_picture(features["bert"][:1], features["resnet18"][:1], posts[names[0]])

    return Explorer("Fusion explorer", controls, view, still)


def _post_line(post: Post, size: str) -> str:
    about = panels.paragraph(f"“{post.text}”")
    if size == "full":
        about += panels.paragraph("Full size shows shapes and counts only: its networks are not loaded here.")
    return panels.row(panels.picture(post.image, f"{post.dish}, level {post.picture_level}", 64), about)


def _beside(main: str, side: str) -> str:
    """A wide block and a narrow one at its right; below it where the page is narrow."""
    return (f'<div style="display:flex;flex-wrap:wrap;gap:8px 24px;line-height:1.4"><div style="flex:1 1 340px;'
            f'min-width:0">{main}</div><div>{side}</div></div>')


def _marked(block: str) -> str:
    """The newest piece, behind a bar."""
    return f'<div style="border-left:4px solid currentColor;padding-left:6px;margin-left:-10px">{block}</div>'


def _strip(values: Tensor, name: str, colour: str = panels.GREY, silenced: Sequence[bool] = ()) -> str:
    """A vector (n,) as squares, with its figures under it."""
    heard = int((values > 0).sum())
    alt = f"{name}: {len(values)} numbers from {values.min():.2f} to {values.max():.2f}, {heard} of them positive"
    lost = sum(silenced)
    mean = round(values.mean().item(), 2) + 0.0  # no -0.00
    spread = f"mean {mean:+.2f}, spread {values.std(unbiased=False):.2f}, largest {values.max():.2f}"
    strip = panels.picture(plots.squares(values, colour, silenced), alt + f", {lost} silenced" * bool(lost), 320)
    spread += f"; {lost:,} of {len(values):,} silenced (×)" * bool(lost)
    return f'<div style="max-width:320px">{strip}{panels.paragraph(spread)}</div>'


def _real_blocks(text: Tensor, image: Tensor, hidden: int, dropout: float, mode: int) -> list[str]:
    """The seven steps for features (1, text width) and (1, image width), as HTML."""
    joined, split = join(text, image), text.shape[-1]
    head = random_head(joined.shape[-1], 1, hidden, dropout)
    *inside, (logit, _) = [(values[0], gone[0].tolist()) for values, gone in head_stages(head, joined, mode or None)]
    (values, gone), *layers = inside
    sides = [("text feature", text, panels.BLUE), ("text, layer-normed", join(text), panels.BLUE),
             ("picture feature", image, panels.ORANGE), ("picture, layer-normed", join(image), panels.ORANGE)]
    blocks = [panels.heading(f"{i} · {name} (1, {side.shape[-1]})") + _strip(side[0], name, colour)
              for i, (name, side, colour) in enumerate(sides, 1)]
    blocks.append(panels.heading(f"5 · joined: text over picture (1, {len(values)})")
                  + _strip(values[:split], "joined, text", panels.BLUE, gone[:split])
                  + _strip(values[split:], "joined, picture", panels.ORANGE, gone[split:]))
    drawn = [panels.heading(f"6 · hidden layer {i} (1, {hidden:,})")
             + _strip(values, f"hidden layer {i}", silenced=gone) for i, (values, gone) in enumerate(layers, 1)]
    blocks.append(panels.row(*drawn) if drawn else panels.heading("6 · no hidden layer: a linear head"))
    return [*blocks, _answer_block(head, joined, logit, dropout, mode)]


def _answer_block(head: nn.Sequential, joined: Tensor, logit: Tensor, dropout: float, mode: int) -> str:
    block = panels.heading("7 · logit (1, 1), and its sigmoid")
    block += panels.paragraph(f"logit {logit.item():+.3f}" + f", in training pass {mode}" * (mode > 0))
    block += panels.bars(dict(zip(("negative", "positive"), probabilities_of(logit[None])[0].tolist())))
    if not any(isinstance(layer, nn.Dropout) for layer in head):
        block += panels.paragraph("A linear head has no dropout: it answers the same in every pass.")
    else:
        passes = training_logits(head, joined)
        block += panels.paragraph(f"This post in {PASSES} training passes, dropout {dropout:.1f}: logits from "
                                  f"{passes.min():+.3f} to {passes.max():+.3f}.")
    return block + panels.paragraph("The head is untrained: its answer means nothing yet.")


def _empty_blocks(text: int, image: int, hidden: int, dropout: float, mode: int) -> list[str]:
    """The seven steps at full size, for these widths: shapes alone, as HTML."""

    def block(title: str, width: int, colour: str, drops: bool = False) -> str:
        bar = (f'<div style="width:{max(4, 320 * width / 1536):.0f}px;max-width:100%;height:12px;border-radius:2px;'
               f'background:{colour}"></div>')
        lost = f"; in training about {dropout * width:,.0f} of them are silenced" if drops and mode and hidden else ""
        return panels.heading(f"{title} (1, {width:,})") + bar + panels.paragraph(f"{width:,} numbers{lost}")

    layers = [block(f"6 · hidden layer {i}", hidden, panels.GREY, True) for i in (1, 2) if hidden]
    return [block("1 · text feature", text, panels.BLUE), block("2 · text, layer-normed", text, panels.BLUE),
            block("3 · picture feature", image, panels.ORANGE),
            block("4 · picture, layer-normed", image, panels.ORANGE),
            block("5 · joined: text over picture", text + image, panels.GREY, True),
            panels.row(*layers) if layers else panels.heading("6 · no hidden layer: a linear head"),
            panels.heading("7 · logit (1, 1)") + panels.paragraph("1 number")]


def _counts_block(counts: list[tuple[str, str, int]]) -> str:
    total, head = sum(row[2] for row in counts), sum(row[2] for row in counts[3:])
    rows = [(name, shape, f"{count:,}") for name, shape, count in counts]
    rows.append(("all", "", f"{total:,}"))
    return (panels.heading("parameters") + panels.table(("part", "width", "parameters"), rows)
            + panels.paragraph(f"The head holds {head / total:.1%} of them. Dropout holds none."))


def _fusion_picture(text: Tensor, image: Tensor, post: Post, dropout: float = 0.5) -> DisplayImage:
    """The steps for one post at mini size, an answer beside a pass in training, and the counts of four models."""
    joined, split = join(text, image), text.shape[-1]
    head = random_head(joined.shape[-1], 1, 256, dropout)
    blue, orange = plots.BLUE, plots.ORANGE
    drawn = [(title, [(vector, colour)], torch.zeros(len(vector), dtype=torch.bool)) for title, vector, colour in (
        ("1 text feature", text[0], blue), ("2 text, layer-normed", joined[0, :split], blue),
        ("3 picture feature", image[0], orange), ("4 picture, layer-normed", joined[0, split:], orange))]
    said = []
    for title, seed in (("answering", None), ("in training", 1)):
        (values, gone), (hidden, hidden_gone), *_, (logit, _) = head_stages(head, joined, seed)
        drawn += [(f"5 joined, {title}", [(values[0, :split], blue), (values[0, split:], orange)], gone[0]),
                  (f"6 hidden layer 1, {title}", [(hidden[0], plots.GREY)], hidden_gone[0])]
        said.append(f"7 logit {title} {logit.item():+.2f}")
        if seed is not None:
            said.append(f"dropout {dropout} silenced {int(gone.sum())} of {len(gone[0])} joined numbers and "
                        f"{int(hidden_gone.sum())} of {len(hidden[0])} in hidden layer 1")
    lines, counts = [], {}
    for size in SIZES:
        for pair in PAIRS.values():
            parts = part_counts(*pair, size, 256)
            total, in_head = (sum(count for *_, count in some) for some in (parts, parts[3:]))
            counts[f"{size} {'+'.join(pair)}"] = (total - in_head, in_head)
            lines.append(f"{size} {'+'.join(pair)}: {parts[2][1]}; {total:,} parameters, {in_head:,} in the head")
    figure, axes = plots.new_figure(7.4, 5.8, 5, 2)
    axes[0, 0].get_gridspec().set_height_ratios([4, 4, 8, 8, 10])
    for axis, (title, vectors, gone) in zip(np.ravel(axes), drawn):
        parts = gone.split([len(vector) for vector, _ in vectors])
        axis.imshow(np.vstack([np.asarray(plots.squares(vector, colour, lost))
                               for (vector, colour), lost in zip(vectors, parts)]))
        axis.set(xticks=[], yticks=[])
        axis.set_title(f"{title}: {len(gone)} numbers", fontsize=8)
    for axis, part, place in zip(axes[-1], ("in the encoders", "in the head"), (0, 1)):
        bars = axis.barh(list(counts), [count[place] for count in counts.values()], color=plots.GREY, height=0.6)
        axis.bar_label(bars, [f"{count[place] / 1e6:.2f}" for count in counts.values()], fontsize=7, padding=2)
        axis.set_title(f"million parameters {part}", fontsize=8)
        axis.tick_params(labelsize=7, labelleft=place == 0)
        axis.set(xticks=[])
        axis.margins(x=0.15)
        axis.invert_yaxis()
        axis.spines[["top", "right", "bottom"]].set_visible(False)
    steps = "; ".join(f"{title}: {len(gone)} numbers" for title, _, gone in drawn)
    return plots.show(figure, f"The fused vector of \"{post.text}\" step by step as squares, full for positive, hollow "
                      f"for negative numbers, crossed out where dropout silenced them. {steps}. {'; '.join(said)}. "
                      f"With 256 hidden units, {'; '.join(lines)}.")
