"""Text as small opaque bitmaps, rendered once and kept.

OpenCV's Hershey fonts know ASCII only, and class names are folder names in any script. DejaVu (it
comes with matplotlib) covers Latin, Greek, Cyrillic, Hebrew, Arabic and more; what it lacks, such
as Chinese, Japanese and Korean, is drawn with the font that OpenCV 5 carries.
"""

from __future__ import annotations

import importlib.util
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from gclf_live.records import U8

Colour: TypeAlias = tuple[int, int, int]
"""Blue, green, red, each 0 to 255."""

_Font: TypeAlias = ImageFont.FreeTypeFont | ImageFont.ImageFont
_FONT_FILE = "mpl-data/fonts/ttf/DejaVuSans-Bold.ttf"
_NO_CHARACTER = "\uffff"  # Unicode promises that this is never one, so a font shows its empty box.


class PlateStyle(NamedTuple):
    """How a plate looks.

    Attributes:
        size_px: height of the letters' em square in pixels.
        ink: colour of the letters.
        paper: colour of what is behind them.
    """

    size_px: int
    ink: Colour
    paper: Colour


def font_folder() -> Path | None:
    """The folder with matplotlib's TrueType fonts, found without importing matplotlib; None without one."""
    spec = importlib.util.find_spec("matplotlib")
    for location in (spec and spec.submodule_search_locations) or ():
        folder = (Path(location) / _FONT_FILE).parent
        if folder.is_dir():
            return folder
    return None


# 512 plates of a 4K frame are about 40 MB; of a 720p frame, 5 MB.
@lru_cache(maxsize=512)
def render_plate(text: str, style: PlateStyle) -> U8:
    """Render one line of text on a filled rectangle.

    Every plate of one size has the same height, whatever its text, so labels do not jump.

    Args:
        text: one line in any script. What cannot be printed becomes U+FFFD.
        style: size and colours.

    Returns:
        uint8, shape (H, W, 3), BGR, read-only: shared by all who ask for the same plate.
    """
    line = "".join(c if c.isprintable() else "\ufffd" for c in text)
    font = _font(style.size_px)
    cover = _pillow_cover(line, font) if _can_draw(line) else _opencv_cover(line, style.size_px)
    if cover is None:
        cover = _pillow_cover(line, font)
    pad = max(2, style.size_px // 4)
    alpha = np.pad(cover, ((pad // 2, pad // 2), (pad, pad)))[..., None].astype(np.float32) / 255
    ink, paper = np.array(style.ink, np.float32), np.array(style.paper, np.float32)
    plate = np.asarray(np.rint(paper + alpha * (ink - paper)), np.uint8)
    plate.setflags(write=False)
    return plate


@lru_cache(maxsize=16)
def _font(size_px: int) -> _Font:
    folder = font_folder()
    if folder is not None:
        return ImageFont.truetype(str(folder / Path(_FONT_FILE).name), size_px)
    return ImageFont.load_default(size_px)


def _can_draw(text: str) -> bool:
    """Whether the Pillow font has a glyph for every character."""
    return all(_has_glyph(c) for c in text)


@lru_cache(maxsize=4096)
def _has_glyph(character: str) -> bool:
    font = _font(20)
    return character.isspace() or bytes(font.getmask(character)) != bytes(font.getmask(_NO_CHARACTER))


def _line_height(font: _Font) -> tuple[int, int]:
    """Pixels above and below the base line."""
    if isinstance(font, ImageFont.FreeTypeFont):
        return font.getmetrics()
    return round(font.getbbox("Ag")[3]), 0


def _pillow_cover(text: str, font: _Font) -> U8:
    """How much of each pixel the letters cover: uint8 (H, W), 255 for all."""
    ascent, descent = _line_height(font)
    left, _, right, _ = font.getbbox(text)
    size = (max(1, int(np.ceil(right - min(left, 0)))), ascent + descent)
    canvas = Image.new("L", size)
    ImageDraw.Draw(canvas).text((-min(left, 0), 0), text, fill=255, font=font)
    return np.asarray(canvas, np.uint8)


def _opencv_cover(text: str, size_px: int) -> U8 | None:
    """The same with OpenCV 5's Unicode font; None where OpenCV is older."""
    font_face: Any = getattr(cv2, "FontFace", None)
    if font_face is None:
        return None
    face, drawing = font_face("uni"), _drawing()
    ascent, descent = _line_height(_font(size_px))
    _, _, width, _ = drawing.getTextSize((0, 0), text, (0, 0), face, size_px)
    # Room to spare at the right: putText wraps a line that reaches the edge.
    canvas = np.zeros((ascent + descent, width + 2 * size_px, 3), np.uint8)
    drawing.putText(canvas, text, (1, ascent), (255, 255, 255), face, size_px)
    return np.asarray(canvas[:, : width + 2, 0], np.uint8)


def _drawing() -> Any:
    """OpenCV without its types: those of version 4 do not know the functions of version 5."""
    return cv2
