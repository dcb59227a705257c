"""Pictures of any kind made into plain RGB, and files of them opened without danger."""

from __future__ import annotations

import io
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.JpegImagePlugin import JpegImageFile

from .picture_files import is_file as is_file
from .picture_files import missing_file

MAX_PIXELS = 40_000_000  # of an opened picture; a larger file is shrunk to that, or refused
MAX_DECODED = 66_000_000  # of a file that has to be decoded whole: some 260 MB for a moment
MAX_JPEG = 210_000_000  # of one that is shrunk while it is decoded: the largest that phones make
MAX_BYTES = 25 * 2**20  # of an uploaded file
#: What pictures are saved in. Pillow knows more, whose readers are rarely looked at; for EPS it starts Ghostscript.
FORMATS = ("PNG", "JPEG", "MPO", "GIF", "WEBP", "AVIF", "BMP", "TIFF", "JPEG2000", "PPM", "ICO", "HEIF")
_HEIC = (b"hei", b"hev", b"mif1", b"msf1")  # kinds of it that the head of a file may name


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
    """Open a picture file as RGB. One of more than MAX_PIXELS is shrunk to that.

    Raises:
        FileNotFoundError: if there is no such file; the message names the one that may be meant.
        PermissionError: if it may not be read.
        ValueError: if it is not a picture, is cut off, or is too large even to be shrunk; the message names it.
    """
    given, path = str(path), Path(path)
    if not is_file(path):
        raise missing_file(path, given)
    try:
        file = path.open("rb")
    except PermissionError:
        raise PermissionError(f"{path} may not be read by this account: change its permissions.") from None
    with file:
        return _decoded(file, str(path))


def picture_from_bytes(data: bytes, name: str = "the file", limit: int = MAX_BYTES) -> Image.Image:
    """Open an uploaded picture as RGB. One of more than MAX_PIXELS is shrunk to that.

    Args:
        data: what the file holds: bytes, or a memoryview of them.
        name: what messages call it; never a path of the machine that serves a page.
        limit: how many bytes it may have.

    Raises:
        ValueError: if it is larger, is not a picture, or is cut off; the message names it.
    """
    if memoryview(data).nbytes > limit:
        raise ValueError(f"{name} has more than {limit // 2**20} MB: save it again smaller.")
    return _decoded(io.BytesIO(data), name)


class _TooLarge(ValueError):
    """More pixels than are decoded; says so by itself."""


def _decoded(file: BinaryIO, name: str) -> Image.Image:
    """A picture as RGB; its size is checked in the header, before a pixel is decoded."""
    start = file.read(64)
    file.seek(0)
    if start[4:8] == b"ftyp" and b"avif" not in start and any(kind in start for kind in _HEIC):
        _know_heic(name)
    Image.init()  # a Pillow may come without some
    try:
        # Image.open refuses any file of 179 megapixels, which phones make; a JPEG need never be unpacked to that.
        with (JpegImageFile(file) if start.startswith(b"\xff\xd8\xff") else
              Image.open(file, formats=[kind for kind in FORMATS if kind in Image.OPEN])) as image:
            return to_rgb(_shrunk(image, name))
    except _TooLarge:
        raise
    except Image.DecompressionBombError as error:
        raise ValueError(f"{name} has too many pixels, expected at most {MAX_PIXELS // 10**6} megapixels: make it "
                         "smaller.") from error
    except UnidentifiedImageError as error:  # its own message would name an object in memory
        raise ValueError(f"{name} {_what_else(start)}") from error
    except Exception as error:  # what a damaged file sets off in the readers of all these formats has no kind in common
        raise ValueError(f"{name} cannot be read as a picture ({error}): save it again as JPEG or PNG.") from error


def _what_else(start: bytes) -> str:
    """What a file is that begins so, if it is no picture, and what to do."""
    if not start:
        return "cannot be read as a picture (it is empty, 0 bytes): save it again, or download it anew."
    if start.lstrip().lower().startswith((b"<!doctype html", b"<html")):
        return "cannot be read as a picture (it is a web page): download the picture that it shows."
    if start.startswith(b"PK\3\4"):
        return "cannot be read as a picture (it is a zip): unpack it, and name a picture."
    return "cannot be read as a picture (of no known kind): save it again as JPEG or PNG."


def _shrunk(image: Image.Image, name: str) -> Image.Image:
    """A picture, not decoded yet, with at most MAX_PIXELS pixels.

    A JPEG is shrunk while it is decoded, which costs no memory for what is left out; but a progressive one holds all of
    itself before that. What has to be decoded whole has a bound of its own.
    """
    pixels = image.width * image.height
    if pixels <= MAX_PIXELS:
        return image
    shrinks = image.format == "JPEG" and not image.info.get("progressive")
    plain = image.mode in ("RGB", "RGBA", "L", "LA", "CMYK", "YCbCr")
    most = MAX_JPEG if shrinks else MAX_DECODED if plain else MAX_PIXELS
    if pixels > max(most, MAX_PIXELS):
        raise _TooLarge(f"{name} has {image.width} x {image.height} pixels, expected at most "
                        f"{max(most, MAX_PIXELS) // 10**6} megapixels: make it smaller.")
    times = next(times for times in (2, 4, 8, 16) if pixels <= MAX_PIXELS * times**2)
    if shrinks:
        image.draft(None, (image.width // times, image.height // times))
        return image
    exif = image.getexif()
    small = image.reduce(times)
    if exif:
        small.info["exif"] = exif.tobytes()  # it says how the picture is to be turned
    return small


def _know_heic(name: str) -> None:
    """Teach Pillow to read HEIC, what iPhones take by default."""
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        raise ValueError(f"{name} is a HEIC picture, as iPhones take them: install what reads it "
                         "(pip install \"mmsa-utils[heic]\"), or save it as JPEG.") from None
    register_heif_opener()
