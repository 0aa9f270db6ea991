"""What is drawn on a frame: boxes, labels, the status line and the help panel."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from gclf_live.output.canvas import BgrCanvas, Canvas, make_canvas
from gclf_live.output.label_places import Box, LabelPlaces
from gclf_live.output.plates import Colour, PlateStyle, render_plate
from gclf_live.output.rows import whole_percent
from gclf_live.records import F32, I420, U8, UNSURE, FrameResult

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
    (``image[:, ::-1]``) or a part of a larger picture will do. The frames of a video are drawn by one
    object, in order, so that a label that had to give way to another does not jump back and forth.
    """

    def __init__(self, *, track_ids: bool = False) -> None:
        """With ``track_ids``, a label starts with the number that its track has in the tables."""
        self._track_ids = track_ids
        self._places: tuple[tuple[int, int], LabelPlaces] | None = None

    def draw(self, picture: U8 | I420, result: FrameResult, *, status: str | None = None) -> None:
        """Draw one frame's faces in place.

        Args:
            picture: uint8, shape (H, W, 3), BGR, or the planes of a video frame; writable.
            result: faces in pixels of ``picture``.
            status: one line for the bottom left corner, such as frame rate and latency.

        Raises:
            ValueError: ``picture`` is something else, or read-only.
        """
        canvas = make_canvas(picture)
        shown = np.flatnonzero(np.isfinite(result.tracks.faces.boxes).all(axis=1))
        # Labels come after all boxes, so that no neighbour's line runs through the text.
        for i in shown:
            _draw_box(canvas, result.tracks.faces.boxes[i], _colour(result, int(i)))
        line = _status_plate(canvas, status) if status else None
        self._draw_labels(canvas, result, shown.tolist(), line)
        if line is not None:
            canvas.paste(line, 0, canvas.height_px - line.shape[0])

    def draw_help(self, picture: U8 | I420) -> None:
        """Draw the panel with the keys in the middle of ``picture``, in place; as for ``draw``."""
        canvas = make_canvas(picture)
        size = _text_size(canvas)
        panel = _help_panel(size)
        while size > 6 and (panel.shape[0] > canvas.height_px or panel.shape[1] > canvas.width_px):
            size -= 1
            panel = _help_panel(size)
        canvas.paste(panel, (canvas.width_px - panel.shape[1]) // 2, (canvas.height_px - panel.shape[0]) // 2)

    def draw_notice(self, picture: U8 | I420, text: str) -> None:
        """Draw a line of text at the top of ``picture``, in its middle, in place; as for ``draw``."""
        canvas = make_canvas(picture)
        plate = _status_plate(canvas, text)
        canvas.paste(plate, (canvas.width_px - plate.shape[1]) // 2, 0)

    def _draw_labels(
        self, canvas: Canvas, result: FrameResult, shown: list[int], status_line: U8 | None
    ) -> None:
        plates = [self._plate(canvas, result, i) for i in shown]
        taken: list[Box] = []
        if status_line is not None:
            height, width = status_line.shape[:2]
            taken.append((0, canvas.height_px - height, width, canvas.height_px))
        corners = self._places_in(canvas).choose(
            [int(result.tracks.ids[i]) for i in shown],
            [_pixels(result.tracks.faces.boxes[i]) for i in shown],
            [plate.shape[1::-1] for plate in plates],
            taken=taken,
        )
        for plate, (x, y) in zip(plates, corners, strict=True):
            canvas.paste(plate, x, y)

    def _places_in(self, canvas: Canvas) -> LabelPlaces:
        size = (canvas.width_px, canvas.height_px)
        if self._places is None or self._places[0] != size:
            self._places = (size, LabelPlaces(*size))
        return self._places[1]

    def _plate(self, canvas: Canvas, result: FrameResult, i: int) -> U8:
        x1, _, x2, _ = _pixels(result.tracks.faces.boxes[i])
        paper = _colour(result, i)
        size = _text_size(canvas)
        if x2 - x1 < 5 * size:  # In a crowd, full-size labels would hide the neighbours.
            size = max(10, size * 2 // 3)
        style = PlateStyle(size, _ink_on(paper), paper)
        return _fitting_plate(self._text(result, i), style, canvas.width_px)

    def _text(self, result: FrameResult, i: int) -> str:
        label = result.labels[i]
        text = f"#{int(result.tracks.ids[i])} {label}" if self._track_ids else label
        classes = result.predictions.classes
        if label == UNSURE or label not in classes:
            return text
        probability = float(result.predictions.probabilities[i, classes.index(label)])
        return f"{text} {whole_percent(probability)} %" if np.isfinite(probability) else text


def _colour(result: FrameResult, i: int) -> Colour:
    return label_colour(result.labels[i], result.predictions.classes)


def _text_size(canvas: Canvas) -> int:
    """Em height in pixels: 12 at 240 lines, 20 at 720, 60 at 2160."""
    return max(12, round(min(canvas.width_px, canvas.height_px) / 36))


def _status_plate(canvas: Canvas, status: str) -> U8:
    return _fitting_plate(status, PlateStyle(_text_size(canvas), _WHITE, _PANEL), canvas.width_px)


def _pixels(box: F32) -> tuple[int, int, int, int]:
    # Beyond this no picture reaches, and an int of any float32 would be too long for a slice.
    x1, y1, x2, y2 = (round(min(max(side, -1e6), 1e6)) for side in box.tolist())
    return x1, y1, x2, y2


def _ink_on(paper: Colour) -> Colour:
    """Black or white, whichever stands out more (relative luminance of WCAG 2.2, crossover at 0.179)."""
    linear = [(c / 255 / 12.92) if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in paper]
    luminance = 0.0722 * linear[0] + 0.7152 * linear[1] + 0.2126 * linear[2]
    return _BLACK if luminance > 0.179 else _WHITE


def _draw_box(canvas: Canvas, box: F32, colour: Colour) -> None:
    """A coloured frame inside the box with a thin dark edge on both sides, so it shows on any background."""
    x1, y1, x2, y2 = _pixels(box)
    x1, x2 = max(0, x1), min(canvas.width_px, x2)
    y1, y2 = max(0, y1), min(canvas.height_px, y2)
    if x2 <= x1 or y2 <= y1:
        return
    thickness = max(2, round(min(canvas.width_px, canvas.height_px) / 240))
    _outline(canvas, (x1 - 1, y1 - 1, x2 + 1, y2 + 1), thickness + 2, _PANEL)
    _outline(canvas, (x1, y1, x2, y2), thickness, colour)


def _outline(canvas: Canvas, box: tuple[int, int, int, int], thickness: int, colour: Colour) -> None:
    x1, y1, x2, y2 = box
    across = min(thickness, max(1, (x2 - x1) // 2))
    down = min(thickness, max(1, (y2 - y1) // 2))
    canvas.fill((x1, y1, x2, y1 + down), colour)
    canvas.fill((x1, y2 - down, x2, y2), colour)
    canvas.fill((x1, y1, x1 + across, y2), colour)
    canvas.fill((x2 - across, y1, x2, y2), colour)


def _fitting_plate(text: str, style: PlateStyle, width_px: int) -> U8:
    """The plate of ``text``, with smaller letters where it would be wider than the picture."""
    plate = render_plate(text, style)
    if plate.shape[1] <= width_px:
        return plate
    return render_plate(text, style._replace(size_px=max(6, style.size_px * width_px // plate.shape[1])))


@lru_cache(maxsize=8)
def _help_panel(size_px: int) -> U8:
    """All keys and what they do, in two columns: uint8, shape (H, W, 3)."""
    style = PlateStyle(size_px, _WHITE, _PANEL)
    cells = [(render_plate(key, style), render_plate(what, style)) for key, what in _HELP]
    line_px, gutter = cells[0][0].shape[0], size_px
    key_px = max(key.shape[1] for key, _ in cells)
    width = 3 * gutter + key_px + max(what.shape[1] for _, what in cells)
    panel: U8 = np.full((line_px * len(cells) + 2 * gutter, width, 3), _PANEL, np.uint8)
    canvas = BgrCanvas(panel)
    for row, (key, what) in enumerate(cells):
        canvas.paste(key, gutter, gutter + row * line_px)
        canvas.paste(what, 2 * gutter + key_px, gutter + row * line_px)
    return panel
