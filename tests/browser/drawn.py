"""What is drawn on the page, read from its picture; and a camera that says which frame it shows."""

from __future__ import annotations

import csv
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import Locator

from gclf_live.output.overlay import label_colour
from gclf_live.records import U8

SAMPLES = Path(__file__).parent.parent.parent / "samples"
CLASSES = ("female", "male")
FRAMES = 300
WIDTH_PX = 1280
_BITS = 9
_CELL_PX = 24
_FIRST_PX = 48
_SECOND = 30
_SMALLEST_PX = 24
"""Side of a box in the page's picture; what letters enclose is smaller, or no rectangle."""


@dataclass(frozen=True, slots=True)
class Box:
    """A face: its label, and its box in pixels of the camera's or the file's picture."""

    label: str
    x1: float
    y1: float
    x2: float
    y2: float

    def distance_px(self, other: Box) -> float:
        """The furthest that a side of one is from the same side of the other."""
        return max(
            abs(self.x1 - other.x1), abs(self.y1 - other.y1), abs(self.x2 - other.x2), abs(self.y2 - other.y2)
        )

    def meets(self, other: Box, *, margin_px: float) -> bool:
        """Whether they overlap, or nearly do."""
        return (
            self.x1 - margin_px < other.x2
            and other.x1 - margin_px < self.x2
            and self.y1 - margin_px < other.y2
            and other.y1 - margin_px < self.y2
        )


def write_camera(path: Path) -> None:
    """The sample clip as Motion JPEG for Chromium's fake camera, each frame with its number in squares."""
    with av.open(str(SAMPLES / "clip.mp4")) as clip, path.open("wb") as file:
        for number, frame in enumerate(clip.decode(video=0)):
            image = frame.to_ndarray(format="bgr24")
            for bit in range(-1, _BITS + 1):  # one that is always white, the number, one that is always black
                value = 255 if bit == -1 or (bit < _BITS and number >> bit & 1) else 0
                left = _FIRST_PX + (bit + 1) * _CELL_PX
                image[:_CELL_PX, left : left + _CELL_PX] = value
            done, jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 88])
            assert done
            file.write(jpeg.tobytes())


def picture_of(element: Locator) -> U8:
    """The element as it is on the screen, everything that lies over it included: BGR."""
    data = np.frombuffer(element.screenshot(), np.uint8)
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


def frame_number(picture: U8) -> int | None:
    """The number of the camera's frame in the picture; None where none is shown."""
    scale = picture.shape[1] / WIDTH_PX
    row = round(_CELL_PX / 2 * scale)
    middles = [round((_FIRST_PX + (i + 0.5) * _CELL_PX) * scale) for i in range(_BITS + 2)]
    values = [float(picture[row - 2 : row + 3, x - 2 : x + 3].mean()) for x in middles]
    if values[0] < 180 or values[-1] > 75:
        return None
    number = sum(1 << bit for bit, value in enumerate(values[1:-1]) if value > 127)
    return number if number < FRAMES else None


def drawn_boxes(picture: U8, *, width_px: int = WIDTH_PX) -> list[Box]:
    """The boxes of female and male faces, in pixels of the source, which is ``width_px`` wide."""
    scale = width_px / picture.shape[1]
    boxes = []
    for label in CLASSES:
        for x, y, width, height in _rings(picture, np.array(label_colour(label, CLASSES))):
            boxes.append(Box(label, x * scale, y * scale, (x + width) * scale, (y + height) * scale))
    return boxes


def _rings(picture: U8, colour: NDArray[np.int_]) -> list[tuple[int, int, int, int]]:
    """What outlines of exactly this colour enclose."""
    mask = (np.abs(picture.astype(np.int16) - colour).max(axis=2) <= 6).astype(np.uint8)
    contours, hierarchy = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    if hierarchy is None:
        return []
    outlines = zip(contours, hierarchy[0], strict=True)
    return [cv2.boundingRect(inner) for inner, relation in outlines if relation[3] >= 0 and _is_box(inner)]


def _is_box(outline: NDArray[np.int32]) -> bool:
    """Whether it is a rectangle, and larger than what letters enclose."""
    _, _, width, height = cv2.boundingRect(outline)
    return min(width, height) >= _SMALLEST_PX and cv2.contourArea(outline) > 0.85 * width * height


@cache
def _truth() -> dict[int, list[tuple[str, int, Box, float]]]:
    """Of each frame: person, track, box and how much of the face can be seen."""
    faces = defaultdict(list)
    with (SAMPLES / "clip_truth.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            x, y, width, height = (float(row[name]) for name in ("x_px", "y_px", "width_px", "height_px"))
            box = Box(row["label"], x, y, x + width, y + height)
            faces[int(row["frame"])].append((row["person"], int(row["track"]), box, float(row["visible"])))
    return faces


def clear_faces(number: int) -> list[tuple[str, Box]]:
    """Person and box of the faces of a frame that nothing hides, and that were there a second before."""
    there = _truth()[number]
    before = {track for _, track, _, visible in _truth().get(number - _SECOND, []) if visible > 0.9}
    return [
        (person, box)
        for person, track, box, visible in there
        if visible > 0.98
        and track in before
        and not any(box.meets(other, margin_px=30) for _, _, other, _ in there if other is not box)
    ]


def all_right(picture: U8, number: int, *, within_px: float = 30) -> bool:
    """Whether every clear face of the frame, two at least, has its box and the right label.

    Grace Hopper's label is a known mistake of the shipped weights, told in the README: her box counts only.
    """
    faces = clear_faces(number)
    boxes = drawn_boxes(picture)
    return len(faces) >= 2 and all(
        any(
            box.distance_px(face) <= within_px and (box.label == face.label or person == "Grace Hopper")
            for box in boxes
        )
        for person, face in faces
    )
