"""read_picture and write_picture."""

from __future__ import annotations

import unicodedata
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from media_makers import corner_names, corners, plain
from PIL import Image

from gclf_live.errors import OutputError, SourceError
from gclf_live.media.pictures import PICTURE_SUFFIXES, read_picture, write_picture

UPRIGHT = ("red", "green", "blue", "white")
# How a viewer must turn the stored pixels, by EXIF orientation; the inverse makes the test's input.
_STORED = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, 1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a, -1),
}


def _rgb(image: np.ndarray) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(image[:, :, ::-1]))


@pytest.mark.parametrize(
    ("suffix", "orientation"), [*(("jpg", i) for i in range(1, 9)), ("png", 6), ("webp", 6), ("tif", 6)]
)
def test_exif_orientation_is_honoured(tmp_path: Path, suffix: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"a.{suffix}"
    _rgb(_STORED[orientation](corners(60, 90))).save(path, exif=exif)
    image = read_picture(path)
    assert image.shape == (90, 60, 3)
    assert corner_names(image) == UPRIGHT


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_name_outside_ascii_is_read_and_written(tmp_path: Path, form: str) -> None:
    path = tmp_path / unicodedata.normalize(form, "Übung 你好") / unicodedata.normalize(form, "é’🎬.png")
    path.parent.mkdir()
    write_picture(path, corners(40, 30))
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    np.testing.assert_array_equal(read_picture(path), corners(40, 30))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "1", "P", "CMYK", "YCbCr", "LA", "I;16", "F"])
def test_every_pixel_format_becomes_bgr(tmp_path: Path, mode: str) -> None:
    white = Image.new("L", (8, 6), 255)
    if mode == "I;16":
        picture = Image.fromarray(np.full((6, 8), 65535, np.uint16))
    elif mode == "F":
        picture = Image.fromarray(np.full((6, 8), 1.0, np.float32))
    else:
        picture = white.convert("RGB").convert(mode)
    path = tmp_path / "a.tif"
    picture.save(path)
    image = read_picture(path)
    assert (image.shape, image.dtype) == ((6, 8, 3), np.uint8)
    assert image.min() >= 253


def test_16_bit_grey_keeps_its_brightness(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(np.full((6, 8), 32768, np.uint16)).save(path)
    assert set(np.unique(read_picture(path))) == {128}


def test_channels_are_blue_green_red(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.new("RGB", (4, 4), (10, 20, 30)).save(path)
    assert read_picture(path)[0, 0].tolist() == [30, 20, 10]


@pytest.mark.parametrize("suffix", ["png", "webp", "gif"])
def test_transparency_is_laid_on_white(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(path)
    assert read_picture(path).min() == 255


@pytest.mark.parametrize("suffix", ["gif", "webp", "png"])
def test_first_frame_of_an_animation_is_taken(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    frames = [Image.new("RGB", (16, 16), c) for c in ("red", "blue")]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=100, lossless=True)
    blue, green, red = read_picture(path)[8, 8].tolist()
    assert red > 240 > 15 > max(blue, green)


def _half_jpeg(path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (80, 80, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path, "JPEG")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _bomb(path: Path) -> None:
    """A PNG header that promises 60,000 x 60,000 pixels."""
    header = b"IHDR" + (60_000).to_bytes(4, "big") * 2 + bytes([8, 2, 0, 0, 0])
    data = b"\x89PNG\r\n\x1a\n" + (13).to_bytes(4, "big") + header + zlib.crc32(header).to_bytes(4, "big")
    data += (10).to_bytes(4, "big") + b"IDAT" + bytes(14)
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda p: None, "no such file"),
        (lambda p: p.mkdir(), "directory"),
        (lambda p: p.touch(), "empty"),
        (lambda p: p.write_text("<html>not found</html>"), "known format"),
        (_half_jpeg, "truncated"),
        (_bomb, "megapixels"),
    ],
    ids=["missing", "folder", "empty", "text", "half", "bomb"],
)
def test_what_is_no_picture_is_refused_in_one_line(tmp_path: Path, make, says: str) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "a.jpg"
    make(path)
    with pytest.raises(SourceError, match=says) as caught:
        read_picture(path)
    assert "a.jpg" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_picture_between_warning_and_error_of_pillow_is_refused_too(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.new("1", (10_000, 9_000)).save(path)
    with pytest.raises(SourceError, match="megapixels"):
        read_picture(path)


def test_threads_that_read_at_one_time_print_no_warning_and_leave_the_filters_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    # It promises five tags, and ends in the first: Pillow warns of that.
    exif = b"Exif\0\0II*\0\x08\0\0\0\x05\0\x12\x01\x03\0\x01\0\0\0\x01"
    _rgb(plain(64, 48, 90)).save(path, exif=exif)
    with warnings.catch_warnings(record=True) as printed:
        warnings.simplefilter("always")
        before = list(warnings.filters)
        with Image.open(path) as picture:
            picture.getexif()
        assert printed, "else this picture shows nothing"
        printed.clear()
        with ThreadPoolExecutor(8) as threads:
            shapes = {picture.shape for picture in threads.map(read_picture, [path] * 400)}
        assert shapes == {(48, 64, 3)}
        assert printed == []
        assert warnings.filters == before


@pytest.mark.parametrize("suffix", sorted(PICTURE_SUFFIXES - {".pgm"}))
def test_written_picture_reads_back(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    write_picture(path, corners(64, 48))
    assert corner_names(read_picture(path)) == UPRIGHT
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_jpeg_keeps_thin_coloured_lines(tmp_path: Path) -> None:
    image = plain(64, 64, 255)
    image[32] = (0, 0, 255)
    write_picture(tmp_path / "a.jpg", image)
    assert abs(read_picture(tmp_path / "a.jpg")[32].astype(int) - (0, 0, 255)).max() < 40


def test_existing_picture_is_kept_unless_overwrite(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"precious")
    with pytest.raises(OutputError, match="--overwrite"):
        write_picture(path, corners(8, 8))
    assert path.read_bytes() == b"precious"
    write_picture(path, corners(8, 8), overwrite=True)
    assert read_picture(path).shape == (8, 8, 3)


def test_unknown_suffix_names_the_allowed_ones(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"\.jpg"):
        write_picture(tmp_path / "a.doc", corners(8, 8))


def test_disk_that_refuses_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"a\.gif"):
        write_picture(tmp_path / "a.gif", plain(70_000, 2, 0))  # a GIF side ends at 65,535
    assert list(tmp_path.iterdir()) == []
