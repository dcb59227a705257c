"""What every figure begins and ends with: some axes, and a PNG with alt text."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from PIL import Image

if TYPE_CHECKING:
    from IPython.display import Image as DisplayImage
    from matplotlib.figure import Figure


def new_figure(width: float = 7.0, height: float = 3.0, rows: int = 1, columns: int = 1) -> tuple[Figure, Any]:
    """A figure of so many inches and its axes (an array when there are several); never drawn by itself."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows, columns)


def show(figure: Figure, alt: str, dpi: int = 90, colours: int = 256) -> DisplayImage:
    """Turn a figure into a PNG with alt text, to be the last line of a cell. Few colours keep the file small."""
    from IPython.display import Image as DisplayImage

    buffer, small = io.BytesIO(), io.BytesIO()
    figure.savefig(buffer, dpi=dpi, facecolor="white")
    Image.open(buffer).convert("RGB").quantize(colours, kmeans=1).save(small, "png", optimize=True)
    picture = DisplayImage(small.getvalue(), metadata={"alt": alt})
    picture.alt = alt  # set here, as IPython 7, which Colab has, takes no alt=
    return picture
