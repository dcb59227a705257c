"""The explorer of notebook 03: what moves a picture's feature, and where the networks look."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from html import escape
from typing import TYPE_CHECKING, Any, NamedTuple

import ipywidgets
import numpy as np
import torch
from PIL import Image, ImageDraw, ImageEnhance
from torch import Tensor
from torch.nn import functional as F

from ..encoders.image import ImageEncoder
from ..figures import panels, plots
from ..posts.pictures import picture_from_bytes
from ..posts.scenes import DISHES, Scene, draw
from .explorer import WIDE, Explorer, choice, slider, uploaded

if TYPE_CHECKING:
    from IPython.display import Image as DisplayImage

FRESH, MOULDY = 0.9, -0.9  # freshness of the untouched dish, and of the one that stands as a yardstick
TIMES = ("untouched", "now")
NOW = "your change"
CIVIDIS = np.array([(0, 34, 78), (65, 77, 107), (124, 123, 120), (188, 175, 111), (254, 232, 56)])  # every fourth part


class Seen(NamedTuple):
    """What both networks make of a picture."""

    maps: list[Tensor]  # of the ResNet after each of its stages, (channels, rows, columns) each
    shares: Tensor  # of the ViT's [CLS] for each patch, in the last layer, mean over heads: (rows, columns) of patches
    features: dict[str, Tensor]  # "ResNet" and "ViT" → (width,)


def tinted(values, top: float) -> Image.Image:
    """Numbers from 0 to `top` as a picture, a pixel each: dark blue over grey to yellow, for every kind of eye.

    Args:
        values: (rows, columns).
    """
    places = np.clip(np.asarray(values, float) / max(top, 1e-9), 0, 1)
    channels = [np.interp(places, np.linspace(0, 1, len(CIVIDIS)), CIVIDIS[:, c]) for c in range(3)]
    return Image.fromarray(np.stack(channels, -1).astype(np.uint8))


def lit_patches(image: Image.Image, shares, pixels: int = 192) -> Image.Image:
    """The picture lit where the shares are large (by their square root: few have nearly all); the largest is framed.

    Args:
        shares: (rows of patches, columns of patches), not negative.
        pixels: width and height of what comes back.
    """
    shares = np.asarray(shares, float)
    lamp = Image.fromarray((255 * np.sqrt(shares / max(shares.max(), 1e-9))).astype(np.uint8))
    light = np.asarray(lamp.resize((pixels, pixels), Image.Resampling.NEAREST))[..., None] / 255
    image = image.resize((pixels, pixels), Image.Resampling.NEAREST)
    lit = Image.fromarray((np.asarray(image) * (0.25 + 0.75 * light)).astype(np.uint8))
    row, column = np.unravel_index(shares.argmax(), shares.shape)
    high, wide = pixels / shares.shape[0], pixels / shares.shape[1]
    box = (column * wide, row * high, (column + 1) * wide - 1, (row + 1) * high - 1)
    ImageDraw.Draw(lit).rectangle(box, outline="white", width=max(1, pixels // 64))
    return lit


def changed(image: Image.Image, light: float = 0, colour: float = 0, crop: float = 0) -> Image.Image:
    """The reader's own picture with other light and colour (-1 to 1) and cropped closer (0 to 1); 0 leaves it."""
    side = 1 - 0.6 * crop
    width, height = image.size
    left, top = (width * (1 - side) / 2, height * (1 - side) / 2)
    image = image.crop((round(left), round(top), round(left + width * side), round(top + height * side)))
    image = ImageEnhance.Color(image).enhance(1 + colour)
    return ImageEnhance.Brightness(image.resize((width, height))).enhance(1 + 0.7 * light)


def distance(a: Tensor, b: Tensor) -> float:
    """1 minus the cosine of two vectors: 0 for the same direction, 1 for nothing in common."""
    return max(0.0, 1 - F.cosine_similarity(a, b, dim=-1).item())


@torch.no_grad()
def look(resnet: ImageEncoder, vit: ImageEncoder, image: Image.Image) -> Seen:
    """Show a picture to both networks."""
    net = resnet.net
    stages = net.encoder.stages if hasattr(net, "encoder") else (net.layer1, net.layer2, net.layer3, net.layer4)
    maps: list[Tensor] = []
    hooks = [stage.register_forward_hook(lambda module, given, made: maps.append(made[0])) for stage in stages]
    try:
        resnet_feature = resnet(**resnet.prepare([image]))[0]
    finally:
        for hook in hooks:
            hook.remove()
    output = vit.net(**vit.prepare([image]), output_attentions=True)
    shares = output.attentions[-1][0, :, 0, 1:].mean(0)
    return Seen(maps, shares.reshape(math.isqrt(len(shares)), -1),
                {"ResNet": resnet_feature, "ViT": output.last_hidden_state[0, 0]})


def _grid(columns: Sequence[str], rows: Mapping[str, Sequence[str]]) -> str:
    """Pictures in a table whose columns and rows have names."""
    small = 'style="font-weight:400;font-size:.85em;padding:1px 3px"'
    named = any(rows)  # a single row without a name needs no column for it
    head = ("<td></td>" if named else "") + "".join(f'<th scope="col" {small}>{escape(name)}</th>' for name in columns)
    body = "".join("<tr>" + (f'<th scope="row" {small}>{escape(name)}</th>' if named else "")
                   + "".join(f'<td style="padding:0 4px 4px 0">{block}</td>' for block in blocks) + "</tr>"
                   for name, blocks in rows.items())
    return f'<table style="border-collapse:collapse;width:auto;margin:0"><tr>{head}</tr>{body}</table>'


def picture_explorer(resnet: ImageEncoder, vit: ImageEncoder) -> Explorer:
    """Change one thing in a picture: feature maps of the ResNet, attention of the ViT, how far both features move.

    Controls: ``source`` (the drawn dish, or one's own picture), ``dish``, ``freshness`` (of the drawn one), ``light``,
    ``colour``, ``crop`` (all three 0 for untouched), ``stage`` (of the ResNet, from 1), ``upload``.
    """
    pixels = vit.net.config.image_size
    drawn, own = _known_pictures(resnet, vit, pixels)

    def view(source, dish, freshness, light, colour, crop, stage, upload) -> str:
        if source == "my own":
            file = uploaded(upload)
            if file is None:
                raise ValueError("There is no picture of yours yet: choose a file, or go back to the drawn dish.")
            image, before, known = own(*file)
            now, what = changed(image, light, colour, crop), "your picture"
        else:
            image, before, known = drawn(dish)
            now, what = draw(Scene(dish, freshness, colour, light, crop=crop, seed=3), pixels), dish
        return _change_view(what, (image, now), (before, look(resnet, vit, now)), known, stage)

    return Explorer("Picture explorer", _controls(), view, lambda: _changes(resnet, vit, pixels))


def _controls() -> dict[str, Any]:
    def fine(label: str, value: float, low: float) -> ipywidgets.FloatSlider:
        return ipywidgets.FloatSlider(value=value, min=low, max=1, step=0.05, description=label, style=WIDE,
                                      layout={"width": "300px"})

    controls = {
        "source": choice("picture", {"the drawn dish": "drawn", "my own": "my own"}, "drawn"),
        "dish": choice("dish", DISHES, "burger"), "freshness": fine("freshness", FRESH, -1),
        "light": fine("light", 0, -1), "colour": fine("colour", 0, -1), "crop": fine("crop", 0, 0),
        "stage": slider("ResNet stage", 1, 1, 4),
        "upload": ipywidgets.FileUpload(accept="image/*", multiple=False, description="choose a picture file",
                                        layout={"width": "max-content"})}

    def show_own(change: Any) -> None:
        if change["new"]:
            controls["source"].value = "my own"

    def only_drawn(change: Any) -> None:  # what one's own picture does not have
        for name in ("dish", "freshness"):
            controls[name].disabled = controls["source"].value == "my own"

    controls["upload"].observe(show_own, "value")
    controls["source"].observe(only_drawn, "value")
    return controls


def _known_pictures(resnet: ImageEncoder, vit: ImageEncoder, pixels: int) -> tuple[Callable, Callable]:
    """Two functions: of a dish, and of the name and content of a file.

    Each gives the untouched picture, what both networks make of it (see `look`), and yardsticks for how far a feature
    moves: network → name → distance.
    """
    encoders = {"ResNet": resnet, "ViT": vit}

    @torch.no_grad()
    def features_of(**change) -> dict[str, Tensor]:
        pictures = [draw(replace(Scene(dish, FRESH, seed=3), **change), pixels) for dish in DISHES]
        return {name: torch.cat([encoder(**encoder.prepare(pictures[i:i + 8])) for i in range(0, len(pictures), 8)])
                for name, encoder in encoders.items()}

    untouched, replated, mouldy = features_of(), features_of(seed=4), features_of(freshness=MOULDY)

    def yardsticks(name: str, dish: str) -> dict[str, float]:
        at, features = DISHES.index(dish), untouched[name]
        others = [distance(features[at], other) for i, other in enumerate(features) if i != at]
        return {"another such plate": distance(features[at], replated[name][at]),
                "another dish (mean)": sum(others) / len(others),
                "gone mouldy": distance(features[at], mouldy[name][at])}

    @lru_cache(maxsize=len(DISHES))
    def drawn(dish: str):
        image = draw(Scene(dish, FRESH, seed=3), pixels)
        return image, look(resnet, vit, image), {name: yardsticks(name, dish) for name in encoders}

    @lru_cache(maxsize=1)  # a large file is opened once, not at each move of a slider
    def own(name: str, content: bytes):
        image = picture_from_bytes(content, name).resize((max(192, pixels),) * 2)
        seen, mirrored = look(resnet, vit, image), look(resnet, vit, image.transpose(Image.Transpose.FLIP_LEFT_RIGHT))
        burger = drawn("burger")[1].features
        return image, seen, {name: {"the same, mirrored": distance(feature, mirrored.features[name]),
                                    "the drawn burger": distance(feature, burger[name])}
                             for name, feature in seen.features.items()}

    return drawn, own


def _change_view(what: str, images: tuple[Image.Image, Image.Image], seen: tuple[Seen, Seen],
                 known: Mapping[str, Mapping[str, float]], stage: int) -> str:
    """A picture and what the networks make of it, untouched and now."""
    before, after = seen
    untouched = before.maps[stage - 1]
    liveliest = untouched.var((1, 2)).topk(4).indices.tolist()
    maps = {name: [panels.picture(tinted(one.maps[stage - 1][c], untouched[c].max().item()),
                                  f"feature map {c}, {name}", 56) for c in liveliest]
            for name, one in zip(TIMES, seen)}
    shares = after.shares
    row, column = divmod(int(shares.argmax()), shares.shape[1])
    moved = [panels.heading(f"how far the {name}'s feature moved")
             + panels.bars({NOW: distance(feature, after.features[name]), **known[name]},
                           {NOW: panels.ORANGE, **dict.fromkeys(known[name], panels.GREY)})
             for name, feature in before.features.items()]
    return panels.row(
        panels.heading("the picture")
        + _grid(TIMES, {"": [panels.picture(images[0], f"{what}, untouched", 128),
                             panels.picture(images[1], what, 128)]}),
        *moved,
        panels.heading(f"ResNet: four feature maps of stage {stage}")
        + _grid([f"no. {c}" for c in liveliest], maps),
        panels.heading("ViT: what [CLS] looks at")
        + _grid(TIMES, {"": [panels.picture(lit_patches(image, one.shares), f"attention, {name}", 128)
                             for image, one, name in zip(images, seen, TIMES)]})
        + panels.paragraph(f"Now most in row {row + 1}, column {column + 1}: {shares.max():.1%}; "
                           f"an even share is {1 / (shares.numel() + 1):.1%}."))


def _changes(resnet: ImageEncoder, vit: ImageEncoder, pixels: int) -> DisplayImage:
    """One change a column: the picture, the liveliest map of the ResNet's first stage, what the ViT looks at."""
    base = Scene("burger", FRESH, seed=3)
    scenes = {"untouched": base, "light -1": replace(base, light=-1), "colour -1": replace(base, colour=-1),
              "crop 1": replace(base, crop=1), "freshness 0": replace(base, freshness=0),
              f"freshness {MOULDY}": replace(base, freshness=MOULDY)}
    pictures = [draw(scene, pixels) for scene in scenes.values()]
    seen = [look(resnet, vit, picture) for picture in pictures]
    first = seen[0].maps[0]
    best = int(first.var((1, 2)).argmax())
    top = first[best].max().item()
    moved = {name: [distance(feature, other.features[name]) for other in seen]
             for name, feature in seen[0].features.items()}
    images = [*pictures, *(tinted(one.maps[0][best], top) for one in seen),
              *(lit_patches(picture, one.shares, 2 * pixels) for picture, one in zip(pictures, seen))]
    titles = [*scenes, *(f"{name} {value:.2f}" for name, values in moved.items() for value in values)]
    alt = "; ".join(f"{name}: ResNet {a:.2f}, ViT {b:.2f}" for name, a, b in zip(scenes, *moved.values()))
    return plots.picture_grid(images, titles, columns=len(scenes), inches=1.15, alt="A burger under six changes, over "
                              "a feature map of the ResNet and the attention of the ViT. How far the features moved, "
                              f"as 1 minus the cosine: {alt}.", colours=96)
