"""Pictures of any kind made into plain RGB, and files of them opened without danger."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

MAX_PIXELS = 40_000_000  # more than a phone's photo, less than a decompression bomb
MAX_BYTES = 5 * 2**20  # of an uploaded file
#: What pictures are saved in. Pillow knows more, whose readers are rarely looked at; for EPS it starts Ghostscript.
FORMATS = ("PNG", "JPEG", "MPO", "GIF", "WEBP", "AVIF", "BMP", "TIFF", "JPEG2000", "PPM", "ICO")


def to_rgb(image: Image.Image) -> Image.Image:
    """Make a picture of any mode a plain RGB one, as a person would see it.

    Turned as its EXIF note says; transparent parts become white; 16-bit and float greys are scaled to 8 bits.

    Raises:
        TypeError: if it is not a PIL image.
        ValueError: if it has no pixels.
    """
    if not isinstance(image, Image.Image):
        raise TypeError(f"expected a PIL image, got {type(image).__name__}: open files with open_picture(path).")
    if 0 in image.size:
        raise ValueError(f"the picture is {image.width} x {image.height} pixels: expected at least one.")
    image = ImageOps.exif_transpose(image)
    if image.mode == "RGB" and not image.has_transparency_data:
        return image
    if image.mode.startswith(("I", "F")):
        grey = np.nan_to_num(np.asarray(image, dtype=np.float32))
        scale = 65535 if image.mode.startswith("I") else max(float(grey.max(initial=0)), 1e-9)
        image = Image.fromarray((255 * np.clip(grey / scale, 0, 1)).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def open_picture(path: str | Path) -> Image.Image:
    """Open a picture file as RGB.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is not a picture, is cut off, or has more than MAX_PIXELS pixels; the message names it.
    """
    path = Path(path)
    if not is_file(path):
        raise FileNotFoundError(f"there is no picture file {path}: check the path.")
    return _decoded(path, str(path))


def is_file(path: Path) -> bool:
    """Whether this is a file that can be read to its end: no folder, pipe or device, no name that cannot be."""
    try:
        return path.is_file()
    except (OSError, ValueError):  # too long a name, a NUL in it
        return False


def picture_from_bytes(data: bytes, name: str = "the file") -> Image.Image:
    """Open an uploaded picture as RGB: it has at most MAX_BYTES bytes and MAX_PIXELS pixels.

    Args:
        data: what the file holds: bytes, or a memoryview of them.
        name: what messages call it; never a path of the machine that serves a page.

    Raises:
        ValueError: if it is larger, is not a picture, or is cut off; the message names it.
    """
    if memoryview(data).nbytes > MAX_BYTES:
        raise ValueError(f"{name} has more than {MAX_BYTES // 2**20} MB: save it again smaller.")
    return _decoded(io.BytesIO(data), name)


def _decoded(source: Path | io.BytesIO, name: str) -> Image.Image:
    """A picture as RGB; its size is checked in the header, before a pixel is decoded."""
    Image.init()  # a Pillow may come without some
    try:
        with Image.open(source, formats=[kind for kind in FORMATS if kind in Image.OPEN]) as image:
            width, height = image.size
            if width * height > MAX_PIXELS:
                raise ValueError(f"{width} x {height} pixels, expected at most {MAX_PIXELS // 10**6} megapixels")
            return to_rgb(image)
    except UnidentifiedImageError as error:  # its own message would name an object in memory
        raise ValueError(f"{name} cannot be read as a picture (of no known kind): save it again as JPEG or PNG."
                         ) from error
    except Exception as error:  # what a damaged file sets off in the readers of all these formats has no kind in common
        raise ValueError(f"{name} cannot be read as a picture ({error}): save it again as JPEG or PNG.") from error
