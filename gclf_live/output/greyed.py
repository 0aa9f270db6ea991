"""The last picture of a source that sends none: grey and dim, so that nobody takes it for the present."""

from __future__ import annotations

import cv2
import numpy as np

from gclf_live.output.canvas import make_canvas
from gclf_live.output.plates import PlateStyle, render_plate
from gclf_live.records import U8

_WHITE, _PANEL = (255, 255, 255), (40, 40, 40)
_DIMMED = 0.6


def greyed(image: U8, text: str) -> U8:
    """A grey copy of a picture with a line of text in its middle.

    Args:
        image: uint8, shape (H, W, 3), BGR; it is left as it is.
        text: what to say, one line.

    Returns:
        uint8, shape (H, W, 3), BGR.
    """
    grey = cv2.convertScaleAbs(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), alpha=_DIMMED)
    picture = np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), np.uint8)
    canvas = make_canvas(picture)
    size_px = max(12, min(canvas.width_px, canvas.height_px) // 18)
    plate = render_plate(text, PlateStyle(size_px, _WHITE, _PANEL))
    if plate.shape[1] > canvas.width_px:
        fitting_px = max(6, size_px * canvas.width_px // plate.shape[1])
        plate = render_plate(text, PlateStyle(fitting_px, _WHITE, _PANEL))
    canvas.paste(plate, (canvas.width_px - plate.shape[1]) // 2, (canvas.height_px - plate.shape[0]) // 2)
    return picture
