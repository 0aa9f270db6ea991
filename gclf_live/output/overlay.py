"""What is drawn on a frame: boxes, labels, the status line and the help panel."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from gclf_live.output.plates import Colour, PlateStyle, render_plate
from gclf_live.output.rows import whole_percent
from gclf_live.records import F32, U8, UNSURE, FrameResult

_WHITE: Colour = (255, 255, 255)
_BLACK: Colour = (0, 0, 0)
_PANEL: Colour = (40, 40, 40)

# Okabe and Ito 2008, "Color Universal Design": told apart with any common colour blindness.
_CLASS_COLOURS: dict[str, Colour] = {"female": (0, 94, 213), "male": (178, 114, 0)}
_OTHER_COLOURS: tuple[Colour, ...] = (
    (115, 158, 0),
    (167, 121, 204),
    (0, 159, 230),
    (233, 180, 86),
    (66, 228, 240),
)
_UNSURE_COLOUR: Colour = (125, 125, 125)

_HELP = (
    ("q, Esc", "quit"),
    ("space", "pause, go on"),
    ("s", "save a snapshot"),
    ("h", "show or hide this help"),
    ("", "labels: how a face is perceived, not who it is"),
)


def label_colour(label: str, classes: tuple[str, ...]) -> Colour:
    """The colour of a label: fixed for female, male and unsure, by position among the other classes.

    Args:
        label: a class name or ``unsure``.
        classes: all class names, in the order of the network's outputs.
    """
    if label in _CLASS_COLOURS:
        return _CLASS_COLOURS[label]
    others = [name for name in classes if name not in _CLASS_COLOURS]
    if label == UNSURE or label not in others:
        return _UNSURE_COLOUR
    return _OTHER_COLOURS[others.index(label) % len(_OTHER_COLOURS)]


class Overlay:
    """Draws results on frames. Sizes follow the shorter side of the picture, from 240 lines to 4K.

    Nothing is ever drawn outside the picture, and the array need not be contiguous: a mirrored view
    (``image[:, ::-1]``) or a part of a larger picture will do.
    """

    def __init__(self, *, track_ids: bool = False) -> None:
        """With ``track_ids``, a label starts with the number that its track has in the tables."""
        self._track_ids = track_ids

    def draw(self, image: U8, result: FrameResult, *, status: str | None = None) -> None:
        """Draw one frame's faces in place.

        Args:
            image: uint8, shape (H, W, 3), BGR, writable.
            result: faces in pixels of ``image``.
            status: one line for the bottom left corner, such as frame rate and latency.

        Raises:
            ValueError: ``image`` is something else, or read-only.
        """
        _check_image(image)
        shown = np.flatnonzero(np.isfinite(result.tracks.faces.boxes).all(axis=1))
        # Labels come after all boxes, so that no neighbour's line runs through the text.
        for i in shown:
            _draw_box(image, result.tracks.faces.boxes[i], _colour(result, int(i)))
        for i in shown:
            self._draw_label(image, result, int(i))
        if status:
            plate = _fitting_plate(status, PlateStyle(_text_size(image), _WHITE, _PANEL), image.shape[1])
            _paste(image, plate, 0, image.shape[0] - plate.shape[0])

    def draw_help(self, image: U8) -> None:
        """Draw the panel with the keys in the middle of the picture, in place.

        Args:
            image: uint8, shape (H, W, 3), BGR, writable.
        """
        _check_image(image)
        size = _text_size(image)
        panel = _help_panel(size)
        while size > 6 and (panel.shape[0] > image.shape[0] or panel.shape[1] > image.shape[1]):
            size -= 1
            panel = _help_panel(size)
        _paste(image, panel, (image.shape[1] - panel.shape[1]) // 2, (image.shape[0] - panel.shape[0]) // 2)

    def _draw_label(self, image: U8, result: FrameResult, i: int) -> None:
        x1, y1, x2, y2 = _pixels(result.tracks.faces.boxes[i])
        paper = _colour(result, i)
        size = _text_size(image)
        if x2 - x1 < 5 * size:  # In a crowd, full-size labels would hide the neighbours.
            size = max(10, size * 2 // 3)
        plate = _fitting_plate(self._text(result, i), PlateStyle(size, _ink_on(paper), paper), image.shape[1])
        y = y1 - plate.shape[0]
        if y < 0:
            y = y2 if y2 + plate.shape[0] <= image.shape[0] else y1
        _paste(image, plate, x1, y)

    def _text(self, result: FrameResult, i: int) -> str:
        label = result.labels[i]
        text = f"#{int(result.tracks.ids[i])} {label}" if self._track_ids else label
        classes = result.predictions.classes
        if label == UNSURE or label not in classes:
            return text
        probability = float(result.predictions.probabilities[i, classes.index(label)])
        return f"{text} {whole_percent(probability)} %" if np.isfinite(probability) else text


def _check_image(image: U8) -> None:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.flags.writeable:
        access = "" if image.flags.writeable else "read-only "
        raise ValueError(f"image is {access}{image.dtype} {image.shape}; it must be writable uint8 HxWx3")


def _colour(result: FrameResult, i: int) -> Colour:
    return label_colour(result.labels[i], result.predictions.classes)


def _text_size(image: U8) -> int:
    """Em height in pixels: 12 at 240 lines, 20 at 720, 60 at 2160."""
    return max(12, round(int(min(image.shape[:2])) / 36))


def _pixels(box: F32) -> tuple[int, int, int, int]:
    # Beyond this no picture reaches, and an int of any float32 would be too long for a slice.
    x1, y1, x2, y2 = (round(float(v)) for v in np.clip(box, -1e6, 1e6))
    return x1, y1, x2, y2


def _ink_on(paper: Colour) -> Colour:
    """Black or white, whichever stands out more (relative luminance of WCAG 2.2, crossover at 0.179)."""
    linear = [(c / 255 / 12.92) if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in paper]
    luminance = 0.0722 * linear[0] + 0.7152 * linear[1] + 0.2126 * linear[2]
    return _BLACK if luminance > 0.179 else _WHITE


def _draw_box(image: U8, box: F32, colour: Colour) -> None:
    """A coloured frame inside the box with a thin dark edge on both sides, so it shows on any background."""
    height, width = image.shape[:2]
    x1, y1, x2, y2 = _pixels(box)
    x1, x2 = max(0, x1), min(width, x2)
    y1, y2 = max(0, y1), min(height, y2)
    if x2 <= x1 or y2 <= y1:
        return
    thickness = max(2, round(min(height, width) / 240))
    _outline(image, (x1 - 1, y1 - 1, x2 + 1, y2 + 1), thickness + 2, _PANEL)
    _outline(image, (x1, y1, x2, y2), thickness, colour)


def _outline(image: U8, box: tuple[int, int, int, int], thickness: int, colour: Colour) -> None:
    x1, y1, x2, y2 = box
    across = min(thickness, max(1, (x2 - x1) // 2))
    down = min(thickness, max(1, (y2 - y1) // 2))
    left, top = max(0, x1), max(0, y1)
    image[top : max(0, y1 + down), left:x2] = colour
    image[max(0, y2 - down) : y2, left:x2] = colour
    image[top:y2, left : max(0, x1 + across)] = colour
    image[top:y2, max(0, x2 - across) : x2] = colour


def _fitting_plate(text: str, style: PlateStyle, width_px: int) -> U8:
    """The plate of ``text``, with smaller letters where it would be wider than the picture."""
    plate = render_plate(text, style)
    if plate.shape[1] <= width_px:
        return plate
    return render_plate(text, style._replace(size_px=max(6, style.size_px * width_px // plate.shape[1])))


def _paste(image: U8, plate: U8, x: int, y: int) -> None:
    """Copy ``plate`` to column ``x`` and row ``y``, moved inside the picture and cut if still too large."""
    height, width = image.shape[:2]
    x = max(0, min(x, width - plate.shape[1]))
    y = max(0, min(y, height - plate.shape[0]))
    target = image[y : y + plate.shape[0], x : x + plate.shape[1]]
    target[...] = plate[: target.shape[0], : target.shape[1]]


@lru_cache(maxsize=8)
def _help_panel(size_px: int) -> U8:
    """All keys and what they do, in two columns: uint8, shape (H, W, 3)."""
    style = PlateStyle(size_px, _WHITE, _PANEL)
    cells = [(render_plate(key, style), render_plate(what, style)) for key, what in _HELP]
    line_px, gutter = cells[0][0].shape[0], size_px
    key_px = max(key.shape[1] for key, _ in cells)
    width = 3 * gutter + key_px + max(what.shape[1] for _, what in cells)
    panel = np.full((line_px * len(cells) + 2 * gutter, width, 3), _PANEL, np.uint8)
    for row, (key, what) in enumerate(cells):
        _paste(panel, key, gutter, gutter + row * line_px)
        _paste(panel, what, 2 * gutter + key_px, gutter + row * line_px)
    return panel
