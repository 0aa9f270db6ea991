"""Reading and writing single pictures (Pillow)."""

from __future__ import annotations

import contextlib
import logging
import threading
import warnings
from pathlib import Path
from types import TracebackType

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from gclf_live.errors import GclfError, SourceError
from gclf_live.media._quiet import quiet_stderr
from gclf_live.media._suffix import check_suffix
from gclf_live.media.missing import no_such_file
from gclf_live.records import U8, AnyPath
from gclf_live.whole_file import WholeFile

PICTURE_SUFFIXES = frozenset(
    {
        ".jpg",
        ".jpeg",
        ".jfif",
        ".png",
        ".webp",
        ".bmp",
        ".gif",
        ".tif",
        ".tiff",
        ".avif",
        ".ppm",
        ".pgm",
        ".jp2",
    }
)
"""Lower-case suffixes of files that are taken for pictures. A GIF is read as its first frame."""

_QUALITY = 95
# Pillow's own limit for a file that may be a decompression bomb: a quarter of a gigabyte of RGB.
_MAX_PIXELS = 89_478_485
_WHITE = (255, 255, 255, 255)
# Else Python prints what Pillow logs about a broken file, beside our own line about it.
logging.getLogger("PIL").addHandler(logging.NullHandler())


def read_picture(path: AnyPath) -> U8:
    """Read a picture file as it is meant to be seen.

    EXIF orientation is applied, transparency laid on white, grey, palette, CMYK and 16-bit pictures are
    converted; of an animation the first frame is taken.

    Args:
        path: any file that Pillow reads, under any name.

    Returns:
        uint8, shape (H, W, 3), BGR.

    Raises:
        SourceError: the file is missing, empty, broken, no picture, or larger than 89 megapixels.
    """
    path = Path(path)
    try:
        _refuse_pipe(path)
        with _pillow_warnings, Image.open(path) as picture:
            return _to_bgr(path, picture)
    except GclfError:
        raise
    except (FileNotFoundError, NotADirectoryError) as error:
        raise no_such_file(path) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large(path) from error
    except UnidentifiedImageError as error:
        empty = path.stat().st_size == 0
        why = "the file is empty" if empty else "it is no picture in a known format"
        raise _unreadable(path, why) from error
    except MemoryError as error:
        raise _unreadable(path, "there is not enough memory for it") from error
    except Exception as error:  # Pillow's decoders raise whatever their parsers stumble over
        raise _unreadable(path, _words(error)) from error


class _PillowWarnings:
    """Within it Pillow refuses what may be a decompression bomb, and no other warning is printed: what is
    wrong is said in our own line, or does not matter.

    Python's filters are those of the whole process. Of the threads that read pictures at one time the first
    changes them and the last puts them back; each for itself, they would put back those of one another.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._filters = contextlib.ExitStack()

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._filters.enter_context(warnings.catch_warnings())
                warnings.simplefilter("ignore")
                warnings.simplefilter("error", Image.DecompressionBombWarning)
            self._inside += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._filters.close()


_pillow_warnings = _PillowWarnings()


def _refuse_pipe(path: Path) -> None:
    """Pillow would wait for somebody to write to it."""
    if path.exists() and not path.is_file() and not path.is_dir():
        raise _unreadable(path, "it is a pipe or a device, not a file")


def write_picture(path: AnyPath, image: U8, *, overwrite: bool = False) -> None:
    """Write a picture in the format that its suffix names; the file appears only when it is whole.

    Args:
        path: where it goes.
        image: uint8, shape (H, W, 3), BGR.
        overwrite: replace a file that is there.

    Raises:
        OutputError: unknown suffix, the file exists, or it cannot be written.
    """
    path = Path(path)
    check_suffix(path, PICTURE_SUFFIXES)
    target = WholeFile(path, overwrite=overwrite)
    try:
        picture = Image.fromarray(np.ascontiguousarray(image[:, :, ::-1]))
        if path.suffix.lower() in {".jpg", ".jpeg", ".jfif"}:
            # Full colour resolution: thin coloured lines and text stay sharp.
            picture.save(target.temp, "JPEG", quality=_QUALITY, subsampling=0)
        else:
            picture.save(target.temp, quality=_QUALITY)
    except BaseException as error:
        target.discard()
        if isinstance(error, Exception):  # Pillow's encoders too raise whatever they stumble over
            raise target.error(error) from error
        raise
    target.commit()


def _to_bgr(path: Path, picture: Image.Image) -> U8:
    if picture.width * picture.height > _MAX_PIXELS:
        raise _too_large(path)
    with _silenced(picture):
        picture.load()
    upright = ImageOps.exif_transpose(picture)
    rgb = np.asarray(_to_rgb(upright), np.uint8)
    return np.ascontiguousarray(rgb[:, :, ::-1])


def _silenced(picture: Image.Image) -> contextlib.AbstractContextManager[None]:
    """libtiff prints what it does not like, and Pillow does not stop it."""
    return quiet_stderr() if picture.format == "TIFF" else contextlib.nullcontext()


def _to_rgb(picture: Image.Image) -> Image.Image:
    if picture.mode in {"F", "I"} or picture.mode.startswith("I;16"):
        return Image.fromarray(_deep_to_u8(np.asarray(picture))).convert("RGB")
    if picture.has_transparency_data:
        layer = picture.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, _WHITE), layer).convert("RGB")
    return picture.convert("RGB")


def _deep_to_u8(values: np.ndarray) -> U8:
    """Grey values of more than 8 bits as 8 bits; floats up to 1 are taken as a share of white."""
    top = 65535.0 if values.dtype.kind in "iu" else (1.0 if values.max(initial=0) <= 1 else 255.0)
    return np.asarray(np.clip(np.nan_to_num(values / top) * 255 + 0.5, 0, 255), np.uint8)


def _words(error: BaseException) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(str(text).split())


def _unreadable(path: Path, why: str) -> SourceError:
    return SourceError(f"cannot read {str(path)!r} as a picture: {why}. Give a JPEG, PNG, WebP or the like")


def _too_large(path: Path) -> SourceError:
    limit = _MAX_PIXELS // 1_000_000
    return SourceError(f"cannot read {str(path)!r}: it has over {limit} megapixels. Scale it down first")
