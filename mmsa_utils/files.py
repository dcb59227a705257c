"""The reader's own posts: pictures of any kind made into plain RGB, and tables of posts from CSV or JSON lines."""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError
from torch.utils.data import Dataset

from .checksums import sha256
from .data import FoodPosts, Post, SyntheticDataset, check_text, is_blank
from .rules import LABELS

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
    if not _is_file(path):
        raise FileNotFoundError(f"there is no picture file {path}: check the path.")
    return _decoded(path, str(path))


def _is_file(path: Path) -> bool:
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


class FilePosts(Dataset):
    """Posts of a table; each picture is opened when its post is asked for."""

    classes = LABELS

    def __init__(self, rows: list[tuple[str, Path, int]]):
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Post:
        text, image, label = self.rows[index]
        return Post(text, open_picture(image), label)


def load_posts(path: str | Path, anywhere: bool = False, show_progress: bool = False) -> FilePosts:
    """Load your own posts from a table.

    Args:
        path: a ``.csv`` file with the columns text, image and label, or a ``.jsonl`` file with an object of these
            three keys a line. `image` is a picture's path, relative to the table; `label` is negative, neutral or
            positive, or 0, 1 or 2.
        anywhere: allow pictures outside of the table's folder. Without it a table from a stranger cannot reach for
            the other files of this machine.
        show_progress: every picture is opened once, to be sure of it; show how many are left.

    Returns:
        A data set of `Post`.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is empty or not such a table, or naming each faulty row (the CSV header is row 1).
    """
    from tqdm.auto import tqdm

    path = Path(path)
    if not _is_file(path):
        raise FileNotFoundError(f"there is no file {path}: expected a CSV or JSON-lines table of posts.")
    rows, faults = [], []
    for number, record in tqdm(list(_records(path)), desc="check", disable=not show_progress, leave=False):
        try:
            rows.append(_checked(record, path.parent, anywhere))
        except (ValueError, FileNotFoundError) as error:
            faults.append(f"row {number}: {error}")
    if faults:
        more = f"\n... and {len(faults) - 10} more" if len(faults) > 10 else ""
        raise ValueError(f"{path.name} has {len(faults)} faulty rows:\n" + "\n".join(faults[:10]) + more)
    if not rows:
        raise ValueError(f"{path.name} holds no posts: expected at least one row with text, image and label.")
    return FilePosts(rows)


def _records(path: Path) -> Iterator[tuple[int, dict]]:
    """Each row with its number, as a dict."""
    if path.suffix.lower() not in (".csv", ".jsonl"):
        raise ValueError(f"{path.name} is not a .csv or .jsonl file: save the table as one of these.")
    data = path.read_bytes()
    utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))  # what spreadsheets call "Unicode text"
    try:
        text = data.decode("utf-16" if utf16 else "utf-8-sig")  # -sig: they put a byte order mark in front
    except UnicodeDecodeError as error:
        raise ValueError(f"{path.name} is not UTF-8 text ({error}): save it with that encoding.") from error
    if path.suffix.lower() == ".csv":
        reader, rows = csv.reader(io.StringIO(text, newline=""), strict=True), []
        try:
            rows.extend(reader)
        except csv.Error as error:
            raise ValueError(f"{path.name} cannot be taken apart in row {len(rows) + 1} ({error}): is a quotation mark "
                             "left open, or alone in a text? Within quoted texts write it twice.") from error
        header = rows[0] if rows else []
        missing = {"text", "image", "label"} - set(header)
        if missing:
            raise ValueError(f"{path.name} lacks the column {', '.join(sorted(missing))}: expected text,image,label, "
                             "separated by commas.")
        twice = {name for name in ("text", "image", "label") if header.count(name) > 1}
        if twice:
            raise ValueError(f"{path.name} has the column {', '.join(sorted(twice))} more than once: keep one.")
        for number, row in enumerate(rows[1:], start=2):
            if any(row[len(header):]):
                raise ValueError(f"{path.name} row {number} has {len(row)} cells, and the header {len(header)}: put "
                                 "texts with commas in quotation marks.")
            if row:
                yield number, dict(zip(header, row))
        return
    for number, line in enumerate(text.split("\n"), start=1):  # splitlines would break at other marks within a text
        if line.strip():
            try:
                record = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise ValueError(f"{path.name} row {number} is not JSON ({error}).") from error
            if not isinstance(record, dict):
                raise ValueError(f"{path.name} row {number} is not an object with text, image and label.")
            yield number, record


def _checked(record: dict, folder: Path, anywhere: bool) -> tuple[str, Path, int]:
    given = [record.get(key) for key in ("text", "image", "label")]
    for key, value in zip(("text", "image"), given):
        if value is not None and not isinstance(value, str):
            raise ValueError(f"{key} is {repr(value)[:60]}: expected a string.")
    text, image, label = ("" if value is None else str(value).strip() for value in given)
    if is_blank(text):
        raise ValueError("the text is empty: expected at least one word.")
    check_text(text, "the text")
    if not image:
        raise ValueError("no picture is named: expected a path relative to the table.")
    if len(image) > 1000:
        raise ValueError(f"the picture's path has {len(image)} characters: expected one relative to the table.")
    if not (anywhere or _is_within(image, folder)):
        raise ValueError(f"the picture {image[:200]} may lie outside of the table's folder: name it relative to the "
                         "table, or allow any path with anywhere=True (--anywhere).")
    open_picture(folder / image)
    names = {name: i for i, name in enumerate(LABELS)} | {str(i): i for i in range(len(LABELS))}
    if label.lower() not in names:
        raise ValueError(f"label is {label[:60]!r}: expected {', '.join(LABELS)}, or 0, 1, 2.")
    return text, folder / image, names[label.lower()]


def _is_within(image: str, folder: Path) -> bool:
    """Whether a path is relative, without steps upwards, and not a link that leads out of the folder."""
    path = Path(image)
    try:
        return not (path.is_absolute() or path.drive or ".." in path.parts) and (
            (folder / path).resolve().is_relative_to(folder.resolve()))
    except (OSError, ValueError, RuntimeError):  # a loop of links, no name for a file: it will not be opened either
        return True


def identity(posts) -> str:
    """A checksum that tells posts from others: of generated ones' settings, of all others' content."""
    found = hashlib.sha256()
    if type(posts) in (FoodPosts, SyntheticDataset):
        found.update(repr((type(posts).__name__, sorted((name, repr(value)) for name, value in vars(posts).items()))
                          ).encode())
    elif type(posts) is FilePosts:
        for text, path, label in posts.rows:
            found.update(repr((text, label, sha256(path))).encode())
    else:
        for post in posts:
            found.update(repr((post.text, post.label, post.relation, post.text_kind, post.picture_level,
                               post.image.mode, post.image.size)).encode())
            found.update(post.image.tobytes())
    return found.hexdigest()[:32]
