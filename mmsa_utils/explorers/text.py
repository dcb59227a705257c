"""The explorer of notebook 02: tokens, mask, attention and neighbours of whatever text a reader types."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from typing import TYPE_CHECKING

import ipywidgets
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ..encoders.base import masked_mean
from ..encoders.text import TextEncoder
from ..figures import panels, plots
from ..posts.post import is_blank
from .explorer import WIDE, Explorer, slider

if TYPE_CHECKING:
    from IPython.display import Image as DisplayImage

SHOWN = 16  # tokens drawn at most: more would not fit beside a second encoder
MAX_CHARACTERS = 2000  # of a text; an encoder reads far fewer


@dataclass(frozen=True)
class TextReading:
    """What an encoder makes of one text: its tokens, the padding included, and what the network did with them."""

    tokens: list[str]
    ids: list[int]
    mask: list[int]  # as the network was given it
    attention: Tensor  # (layers, heads, from token, to token)
    feature: Tensor  # (width,)
    padding: int  # tokens at the end that stand for nothing
    full: bool  # as many tokens as the encoder can read: of a longer text, the rest is lost


@torch.no_grad()
def read_text(encoder: TextEncoder, text: str, padding: int = 0, masked: bool = True) -> TextReading:
    """Read one text, with so many [PAD] tokens behind it as a longer neighbour in its batch would bring.

    Args:
        padding: fewer where the encoder has no room for them.
        masked: False forgets the mask: padding is then read and averaged as if it were words.

    Raises:
        ValueError: for an empty text.
    """
    if is_blank(text):
        raise ValueError("The text is empty: type at least one word.")
    ids = encoder.prepare([text.strip()[:MAX_CHARACTERS]])["input_ids"][0]
    full = len(ids) == encoder.max_tokens
    padding = min(padding, encoder.max_tokens - len(ids))
    ids = F.pad(ids, (0, padding), value=encoder.tokenizer.pad_token_id)
    mask = torch.ones_like(ids)
    if masked and padding:
        mask[-padding:] = 0
    output = encoder.net(input_ids=ids[None], attention_mask=mask[None], output_attentions=True)
    feature = masked_mean(output.last_hidden_state, mask[None])[0]
    return TextReading(encoder.tokenizer.convert_ids_to_tokens(ids.tolist()), ids.tolist(), mask.tolist(),
                   torch.cat(output.attentions), feature, padding, full)


def nearest_texts(feature: Tensor, features: Tensor, texts: Sequence[str], count: int = 5) -> list[tuple[float, str]]:
    """The texts whose features have the largest cosine with `feature`: (cosine, text), nearest first.

    Args:
        feature: (width,).
        features: (texts, width).
    """
    similar = F.cosine_similarity(features, feature[None])
    return [(similar[i].item(), texts[i]) for i in similar.topk(min(count, len(texts))).indices.tolist()]


def same_depth(layer: int, deepest: int, layers: int) -> int:
    """The layer of a network with `layers` layers that lies as deep as `layer` of `deepest`; counted from 1."""
    return math.ceil(layer * layers / deepest)


def attention_table(reading: TextReading, layer: int, head: int) -> str:
    """Tokens over their ids, their mask, and the attention of one head in percent, each row's token looking.

    Padding is looked at, or not, but its own looks are of no interest: it has columns and no rows.
    """
    real = len(reading.tokens) - reading.padding
    rows = list(range(min(real, SHOWN)))
    columns = rows + list(range(real, len(reading.tokens)))
    shares = reading.attention[layer - 1, head - 1][rows][:, columns]
    top = shares.max().item()  # only the shade is scaled by it
    cell = "padding:1px;min-width:1.45em;text-align:center;font-variant-numeric:tabular-nums;"
    name = "font-weight:400;padding:1px 6px 1px 0;text-align:right;white-space:nowrap;"
    ruled = "border-bottom:1px solid color-mix(in srgb, currentColor 40%, transparent)"
    head_row = "".join(f'<th scope="col" style="font-weight:400;padding:2px 0;vertical-align:bottom"><span style="'
                       f'writing-mode:vertical-rl;transform:rotate(180deg);text-align:left">'
                       f'{escape(reading.tokens[j])}</span></th>' for j in columns)
    body = ""
    for label, values in (("id", reading.ids), ("mask", reading.mask)):
        under = ruled if label == "mask" else ""
        cells = "".join(f'<td style="{cell}{under or "font-size:.7em"}">{values[j]}</td>' for j in columns)
        body += f'<tr><th scope="row" style="{name}{under}"><i>{label}</i></th>{cells}</tr>'
    for i, line in zip(rows, shares.tolist()):
        cells = "".join(f'<td style="{cell}background:color-mix(in srgb, {panels.BLUE} {70 * share / top:.0f}%, '
                        f'transparent)">{100 * share:.0f}</td>' for share in line)
        body += f'<tr><th scope="row" style="{name}">{escape(reading.tokens[i])}</th>{cells}</tr>'
    return (f'<div style="overflow-x:auto;max-width:100%" tabindex="0" role="group" aria-label="attention, in percent">'
            f'<table style="border-collapse:collapse;width:auto;margin:0;font-size:.9em;line-height:1.3"><tr><td></td>'
            f"{head_row}</tr>{body}</table></div>")


def text_explorer(encoders: Mapping[str, TextEncoder], texts: Sequence[str]) -> Explorer:
    """Type any text and see, for each encoder side by side, its tokens, mask, attention and nearest texts.

    Controls: ``text``, ``layer`` and ``head`` (counted from 1; an encoder with fewer layers shows the one that lies
    as deep), ``padding`` (tokens that a longer neighbour brings), ``masked`` (off forgets the attention mask).

    Args:
        encoders: name → encoder.
        texts: among which the nearest are looked for.

    Raises:
        ValueError: without an encoder or a text.
    """
    if not encoders or not texts:
        raise ValueError(f"got {len(encoders)} encoders and {len(texts)} texts, expected at least one of each.")
    texts = list(texts)
    with torch.no_grad():
        known = {name: torch.cat([encoder(**encoder.prepare(texts[i:i + 64])) for i in range(0, len(texts), 64)])
                 for name, encoder in encoders.items()}
    shapes = {name: (encoder.net.config.num_hidden_layers, encoder.net.config.num_attention_heads)
              for name, encoder in encoders.items()}
    deepest, most = (max(sizes) for sizes in zip(*shapes.values()))

    @lru_cache(maxsize=32)
    def read(name: str, text: str, padding: int, masked: bool) -> TextReading:
        return read_text(encoders[name], text, padding, masked)

    def neighbours(name: str, reading: TextReading) -> list[tuple[float, str]]:
        return nearest_texts(reading.feature, known[name], texts)

    def view(text: str, layer: int, head: int, padding: int, masked: bool) -> str:
        blocks = []
        for name, (layers, heads) in shapes.items():
            reading, alone = read(name, text, padding, masked), read(name, text, 0, True)
            own_layer, own_head = same_depth(layer, deepest, layers), min(head, heads)
            itself = F.cosine_similarity(reading.feature, alone.feature, dim=0)
            near = [(f"{cosine:.2f}", text) for cosine, text in neighbours(name, reading)]
            blocks.append(
                panels.heading(f"{name}: layer {own_layer} of {layers}, head {own_head} of {heads}")
                + attention_table(reading, own_layer, own_head) + _what_is_cut(name, reading)
                + panels.heading(f"nearest of {len(texts)} texts") + panels.table(("cosine", "text"), near)
                + panels.paragraph(f"Cosine with itself, read alone: {itself:.2f}"))
        return panels.row(*blocks)

    controls = {
        "text": ipywidgets.Text("This burger is delicious!", description="text", style=WIDE,
                                layout={"width": "420px", "max_width": "98%"}),
        "layer": slider("layer", min(3, deepest), 1, deepest), "head": slider("head", min(2, most), 1, most),
        "padding": slider("padding", 3, 0, 8),
        "masked": ipywidgets.Checkbox(True, description="pass the mask", indent=False, layout={"width": "max-content"})}
    return Explorer("Text explorer", controls, view, lambda: _two_depths(shapes, read, neighbours))


def _what_is_cut(name: str, reading: TextReading) -> str:
    """What of a long text is not read, or not shown."""
    remarks = ""
    if reading.full:
        remarks += panels.paragraph(f"The text fills all {len(reading.tokens)} places that {name} has; what does not "
                                    "fit is not read.")
    if len(reading.tokens) - reading.padding > SHOWN:
        remarks += panels.paragraph(f"Only the first {SHOWN} of {len(reading.tokens) - reading.padding} tokens are "
                                    "shown.")
    return remarks


def _two_depths(shapes: Mapping[str, tuple[int, int]], read: Callable, neighbours: Callable,
                text: str = "This burger is delicious!", padding: int = 4, head: int = 2) -> DisplayImage:
    """Each encoder in a row: attention in its first and last layer, nearest texts with the mask and without."""
    figure, axes = plots.new_figure(9.4, 2.5 * len(shapes), len(shapes), 4)
    figure.get_layout_engine().set(w_pad=0.06)  # type: ignore[call-arg]
    said = []
    for line, (name, (layers, heads)) in zip(np.atleast_2d(axes), shapes.items()):
        own_head = min(head, heads)
        reading = read(name, text, padding, True)
        real = len(reading.tokens) - padding
        for axis, layer in zip(line, (1, layers)):
            shares = reading.attention[layer - 1, own_head - 1, :real].numpy()
            plots.draw_cells(axis, shares, reading.tokens[:real], reading.tokens, "", 0, 1, 7)
            axis.tick_params("x", labelrotation=90)
            axis.set_title(f"{name}, layer {layer} of {layers}, head {own_head}", fontsize=8)
            most = shares.sum(0).argmax().item()
            said.append(f"{name} layer {layer} of {layers}, head {own_head}, looks most at {reading.tokens[most]}")
        for axis, masked in zip(line[2:], (True, False)):
            near = neighbours(name, read(name, text, padding, masked))
            title = "nearest, mask passed" if masked else f"mask forgotten, {padding} [PAD]"
            lines = [textwrap.fill(f"{cosine:.2f}  {text}", 34, subsequent_indent="         ") for cosine, text in near]
            axis.axis("off")
            axis.set_title(title, fontsize=8)
            axis.text(0, 0.97, "\n".join(lines), va="top", fontsize=7, transform=axis.transAxes)
            said.append(f"{name}, {title}: " + ", ".join(f"{text} ({cosine:.2f})" for cosine, text in near))
    return plots.show(figure, f"“{text}” with {padding} padding tokens. " + "; ".join(said) + ".", colours=64)
