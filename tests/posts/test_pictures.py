"""Pictures of every kind are read as a person would see them, or refused by name, without danger."""

import io
import os
import struct
import sys
import types
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmsa_utils import burger_example, open_picture, photo_example, picture_from_bytes, to_rgb
from mmsa_utils.posts import pictures

RED, WHITE = (255, 0, 0), (255, 255, 255)


def red(mode: str = "RGB", size: tuple[int, int] = (8, 6)) -> Image.Image:
    return Image.new("RGB", size, RED).convert(mode)


def saved(image: Image.Image, path: Path, **options) -> Path:
    image.save(path, **options)
    return path


def middle(image: Image.Image) -> tuple[int, ...]:
    return image.getpixel((image.width // 2, image.height // 2))


def near(colour: tuple[int, ...], wanted: tuple[int, ...], by: int = 3) -> bool:
    return max(abs(a - b) for a, b in zip(colour, wanted)) <= by


# --- of every mode ---


@pytest.mark.parametrize(
    ("mode", "suffix", "wanted"),
    [
        ("RGB", ".png", RED),
        ("L", ".png", (76, 76, 76)),
        ("1", ".png", None),
        ("P", ".png", RED),
        ("P", ".gif", RED),
        ("RGBA", ".png", RED),
        ("RGBA", ".webp", RED),
        ("LA", ".png", (76, 76, 76)),
        ("CMYK", ".jpg", RED),
        ("CMYK", ".tif", RED),
        ("YCbCr", ".jpg", RED),
        ("RGB", ".bmp", RED),
    ],
)
def test_any_mode_becomes_rgb(tmp_path, mode, suffix, wanted):
    image = open_picture(saved(red(mode), tmp_path / f"picture{suffix}"))
    assert (image.mode, image.size) == ("RGB", (8, 6))
    assert wanted is None or near(middle(image), wanted)


@pytest.mark.parametrize(
    ("pixels", "suffix"),
    [
        (np.array([[0, 32768, 65535]], np.uint16), ".png"),
        (np.array([[0, 32768, 65535]], np.uint16), ".tif"),
        (np.array([[0, 32768, 65535]], np.int32), ".tif"),
        (np.array([[0, 0.5, 1]], np.float32), ".tif"),
    ],
)
def test_deep_greys_are_scaled_not_clipped(tmp_path, pixels, suffix):
    image = open_picture(saved(Image.fromarray(pixels), tmp_path / f"deep{suffix}"))
    assert image.mode == "RGB"
    assert np.asarray(image)[0, :, 0].tolist() == pytest.approx([0, 127, 255], abs=1)


def test_black_float_picture_stays_black(tmp_path):
    image = open_picture(saved(Image.fromarray(np.zeros((2, 2), np.float32)), tmp_path / "black.tif"))
    assert np.asarray(image).max() == 0


@pytest.mark.parametrize("values", [[np.nan] * 4, [np.inf, -np.inf, 0, 1], [-5, -4, -3, -2], [0, 0, 0, 0], [1e38] * 4])
def test_float_pictures_of_any_values(values):
    array = np.array(values, np.float32).reshape(2, 2)
    with np.errstate(invalid="raise"):
        assert to_rgb(Image.fromarray(array)).mode == "RGB"


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "L", "RGB"])
def test_transparent_parts_become_white(tmp_path, mode):
    options = {}
    if mode in ("RGBA", "LA"):
        image = red(mode)
        image.putalpha(0)
    else:
        image = red(mode)
        options["transparency"] = image.getpixel((0, 0))  # this colour is the transparent one
    assert middle(open_picture(saved(image, tmp_path / "clear.png", **options))) == WHITE


@pytest.mark.parametrize(("orientation", "size"), [(1, (8, 6)), (3, (8, 6)), (6, (6, 8)), (8, (6, 8))])
def test_picture_is_turned_as_its_exif_note_says(tmp_path, orientation, size):
    image = Image.new("RGB", (8, 6))
    image.putpixel((0, 0), WHITE)
    exif = Image.Exif()
    exif[0x0112] = orientation
    turned = open_picture(saved(image, tmp_path / "turned.png", exif=exif))
    assert turned.size == size
    corners = {1: (0, 0), 3: (7, 5), 6: (5, 0), 8: (0, 7)}
    assert turned.getpixel(corners[orientation]) == WHITE
    assert open_picture(saved(image, tmp_path / "turned.jpg", exif=exif)).size == size


def test_animation_gives_its_first_frame(tmp_path):
    frames = [Image.new("RGB", (8, 6), colour) for colour in (RED, (0, 0, 255))]
    path = saved(frames[0], tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    assert middle(open_picture(path)) == RED


def test_smallest_picture(tmp_path):
    assert open_picture(saved(red(size=(1, 1)), tmp_path / "dot.png")).size == (1, 1)


def test_picture_file_is_closed(tmp_path):
    path = saved(red(), tmp_path / "picture.png")
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        image = open_picture(path)
        path.unlink()
        assert middle(image) == RED


@pytest.mark.parametrize("given", ["photo.jpg", np.zeros((4, 4, 3), np.uint8), None])
def test_to_rgb_refuses_what_is_no_pil_picture(given):
    with pytest.raises(TypeError, match=rf"got {type(given).__name__}.*open_picture"):
        to_rgb(given)


def test_a_picture_without_pixels_is_refused():
    with pytest.raises(ValueError, match="0 x 5 pixels"):
        to_rgb(Image.new("RGB", (0, 5)))


# --- that cannot be read ---


@pytest.mark.parametrize("content", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n", b"GIF89a"])
def test_no_picture_is_refused_by_name(tmp_path, content):
    path = tmp_path / "broken.jpg"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"broken\.jpg cannot be read as a picture .*save it again"):
        open_picture(path)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data", "ignore:Truncated File Read")
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".gif", ".bmp", ".tif", ".webp"])
def test_a_cut_off_picture_is_refused_wherever_it_is_cut(tmp_path, suffix):
    noise = np.random.default_rng(0).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    content = saved(Image.fromarray(noise), tmp_path / f"whole{suffix}").read_bytes()
    path = tmp_path / f"cut{suffix}"
    for length in range(0, len(content) - 40, max(1, len(content) // 60)):
        path.write_bytes(content[:length])
        try:
            open_picture(path)
        except ValueError as error:
            assert path.name in str(error)  # noqa: PT017
        else:  # formats with their directory at the end may be whole already
            assert length > len(content) // 2


@pytest.mark.skipif(os.name == "nt", reason="no pipes and links there")
def test_what_is_no_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    for name in ("pipe.png", "loop.png", "none.png", "nul\0.png", "x" * 5000, "/dev/zero", "/dev/null"):
        with pytest.raises(FileNotFoundError, match="there is no picture file .*check the path"):
            open_picture(tmp_path / name)
    for name in ("folder.png", "."):
        with pytest.raises(FileNotFoundError, match="there is no picture file .*it is a folder"):
            open_picture(tmp_path / name)


def png_that_claims(width: int, height: int) -> bytes:
    """A few bytes that say they are a picture of any size: what a decompression bomb looks like from outside."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
            + chunk(b"IEND", b""))


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize(("width", "height"), [(8200, 8200), (10_000, 10_000), (60_000, 60_000), (2**31 - 1, 1),
                                               (50_000, 1401), (1, 2**30)])
def test_a_huge_picture_is_refused_before_it_is_unpacked(tmp_path, width, height):
    (tmp_path / "bomb.png").write_bytes(png_that_claims(width, height))
    with pytest.raises(ValueError, match=r"bomb\.png has .*pixels, expected at most \d+ megapixels: make it smaller"):
        open_picture(tmp_path / "bomb.png")


def test_the_largest_picture_allowed_is_read(tmp_path, monkeypatch):
    path = saved(red(), tmp_path / "picture.png")
    monkeypatch.setattr(pictures, "MAX_PIXELS", 48)
    assert open_picture(path).size == (8, 6)
    monkeypatch.setattr(pictures, "MAX_PIXELS", 47)
    assert open_picture(path).size == (4, 3)
    monkeypatch.setattr(pictures, "MAX_DECODED", 47)
    with pytest.raises(ValueError, match="8 x 6 pixels"):
        open_picture(path)


def test_uploaded_bytes_are_opened_or_refused_by_name():
    burger, file = burger_example().image, io.BytesIO()
    burger.save(file, "png")
    data = file.getvalue()
    for given in (data, memoryview(data)):
        assert np.array_equal(picture_from_bytes(given), burger)
    with pytest.raises(ValueError, match=r"^the picture has more than 25 MB"):
        picture_from_bytes(b"\0" * (pictures.MAX_BYTES + 1), "the picture")
    for bad in (b"", b"not a picture", data[:300], b"<svg xmlns='http://www.w3.org/2000/svg'/>"):
        with pytest.raises(ValueError, match=r"^the file cannot be read as a picture \([^<]*\): save it again") as info:
            picture_from_bytes(bad)
        assert "0x" not in str(info.value)  # no object in memory is named


def test_the_picture_that_looks_like_a_photograph():
    photo = photo_example()
    assert (photo.mode, photo.size) == ("RGB", (160, 160))
    assert photo.tobytes() == photo_example().tobytes()
    assert len(np.unique(np.asarray(photo).reshape(-1, 3), axis=0)) > 5_000


@pytest.mark.parametrize("header", [b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n",
                                    b"8BPS\0\1" + bytes(40)], ids=["eps", "psd"])
def test_formats_of_no_photo_are_not_opened(header, monkeypatch):
    """EPS is a program: Pillow would start Ghostscript on it."""
    monkeypatch.setattr("subprocess.check_call", lambda *a, **o: pytest.fail("a program was started"))
    with pytest.raises(ValueError, match=r"upload\.png cannot be read as a picture \(of no known kind\)"):
        picture_from_bytes(header, "upload.png")


@pytest.mark.parametrize("error", [RuntimeError("Failed to decode frame 0"), struct.error("short"), IndexError(),
                                   NotImplementedError(), MemoryError()])
def test_whatever_a_decoder_raises_names_the_file(tmp_path, monkeypatch, error):
    saved(red(), tmp_path / "a.png")

    def decode(image):
        raise error

    monkeypatch.setattr("PIL.ImageOps.exif_transpose", decode)
    with pytest.raises(ValueError, match=r"a\.png cannot be read as a picture"):
        open_picture(tmp_path / "a.png")


# --- large ones, HEIC, and what may not be read ---


def test_a_large_jpeg_is_shrunk_while_it_is_decoded(tmp_path):
    """As phones take them, of 200 megapixels: Pillow itself refuses to open that many."""
    path = saved(Image.linear_gradient("L").resize((16_384, 12_288)), tmp_path / "phone.jpg", quality=50)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        image = open_picture(path)
    assert image.size == (4096, 3072)
    assert image.width * image.height <= pictures.MAX_PIXELS
    top, bottom = image.getpixel((2000, 5)), image.getpixel((2000, 3066))
    assert (top[0] < 10, bottom[0] > 245) == (True, True)


@pytest.mark.parametrize("options", [{"format": "png"}, {"format": "jpeg", "progressive": True}, {"format": "webp"}])
def test_other_large_pictures_are_shrunk_up_to_a_bound(tmp_path, monkeypatch, options):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = saved(red(size=(80, 60)), tmp_path / "a.img", exif=exif, **options)
    monkeypatch.setattr(pictures, "MAX_PIXELS", 2000)
    image = open_picture(path)
    assert image.size == (30, 40)  # turned, too
    assert near(middle(image), RED)
    monkeypatch.setattr(pictures, "MAX_DECODED", 4799)
    with pytest.raises(ValueError, match="has 80 x 60 pixels, expected at most .*: make it smaller"):
        open_picture(path)


def test_a_heic_is_read_where_the_extra_is_there_or_named(tmp_path, monkeypatch):
    path = tmp_path / "phone.jpg"  # whatever it is called
    path.write_bytes(b"\0\0\0\x24ftypheic\0\0\0\0mif1heic" + bytes(40))
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(ValueError, match=r"phone.jpg is a HEIC picture.*mmsa-utils\[heic\]"):
        open_picture(path)
    asked = []
    monkeypatch.setitem(sys.modules, "pillow_heif", types.SimpleNamespace(register_heif_opener=lambda: asked.append(1)))
    with pytest.raises(ValueError, match="cannot be read as a picture"):
        open_picture(path)
    assert asked == [1]


def test_a_real_heic(tmp_path):
    heif = pytest.importorskip("pillow_heif")
    heif.register_heif_opener()
    assert near(middle(open_picture(saved(red(size=(64, 48)), tmp_path / "a.heic"))), RED, by=6)


def test_what_may_not_be_read_is_said_to_be_so(tmp_path, monkeypatch):
    path = saved(red(), tmp_path / "a.png")
    true_open = Path.open

    def refused(self, *arguments, **options):
        if self == path:
            raise PermissionError(13, "Permission denied")
        return true_open(self, *arguments, **options)

    monkeypatch.setattr(Path, "open", refused)
    with pytest.raises(PermissionError, match=r"a\.png may not be read by this account"):
        open_picture(path)


@pytest.mark.parametrize("name", ["https://a.org/b.jpg", "http://a.org/b.jpg?x=1", "s3://bucket/b.png", "//a.org/b.jpg",
                                  "www.a.org/b.jpg"])
def test_an_address_is_no_path(name):
    with pytest.raises(ValueError, match=r"is an address on the web: download the picture and name the file\.$"):
        open_picture(name)
