"""The people in the sample clip: each portrait, where its face is, and its outline."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from gclf_live.errors import SourceError
from gclf_live.faces.detector import FaceDetector
from gclf_live.records import F32, U8

HERE = Path(__file__).resolve().parent
_Mask: TypeAlias = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Portrait:
    """One picture of one person.

    Attributes:
        name: file name without its suffix.
        person: who it is.
        label: ``female`` or ``male``.
        image: uint8, shape (H, W, 3), BGR.
        box: float32, shape (4,): the face as the detector sees it, x1, y1, x2, y2 in pixels of ``image``.
    """

    name: str
    person: str
    label: str
    image: U8
    box: F32


def load_cast(folder: Path = HERE) -> dict[str, Portrait]:
    """Read every portrait that ``folder/portraits.csv`` lists, by name, and find its face.

    Raises:
        SourceError: a picture cannot be read, or does not show exactly one face.
    """
    detector = FaceDetector()
    with (folder / "portraits.csv").open(newline="", encoding="utf-8") as table:
        rows = list(csv.DictReader(table))
    return {Path(row["file"]).stem: _load(folder / "portraits", row, detector) for row in rows}


def _load(folder: Path, row: dict[str, str], detector: FaceDetector) -> Portrait:
    path = folder / row["file"]
    image = cv2.imread(str(path))
    if image is None:
        raise SourceError(f"cannot read {path}, which portraits.csv lists; restore it or take out its row")
    pixels = np.asarray(image, np.uint8)
    faces = detector.detect(pixels)
    if len(faces) != 1:
        raise SourceError(f"{path} shows {len(faces)} faces; a portrait must show exactly one, so crop it")
    return Portrait(path.stem, row["person"], row["label"], pixels, faces.boxes[0])


def outline(portrait: Portrait) -> F32:
    """How much of each portrait pixel belongs to the person: float32, shape (H, W), in [0, 1].

    GrabCut (Rother, Kolmogorov, Blake 2004, doi:10.1145/1015706.1015720), told by the face box where
    head and shoulders must be, smoothed, and faded out towards the edges of the picture.
    """
    height, width = portrait.image.shape[:2]
    face_px = float(portrait.box[3] - portrait.box[1])
    # A face of 110 px shows every edge that matters, and takes a tenth of the time of the largest portrait.
    scale = min(1.0, 110 / face_px)
    small = cv2.resize(portrait.image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    person = _grab(np.asarray(small, np.uint8), portrait.box * np.float32(scale))
    large = cv2.resize(person.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    # A wide blur cut near one half rounds the jags off; a narrow one makes the edge soft again.
    rounded = cv2.GaussianBlur(large, (0, 0), 0.025 * face_px) > 0.6
    soft = cv2.GaussianBlur(rounded.astype(np.float32), (0, 0), 0.012 * face_px)
    return np.asarray(soft * _edge_fade(height, width), np.float32)


def _grab(image: U8, box: F32) -> _Mask:
    """The person around the face ``box``, in one piece without holes: uint8, shape (H, W), 0 or 1."""
    marks = _marks(image.shape[0], image.shape[1], box)
    # GrabCut seeds its colour clusters from OpenCV's global generator. The rectangle is not looked at.
    cv2.setRNGSeed(0)
    inside, outside = np.zeros((1, 65), np.float64), np.zeros((1, 65), np.float64)
    cv2.grabCut(image, marks, (0, 0, 0, 0), outside, inside, 5, cv2.GC_INIT_WITH_MASK)
    return _largest_filled(np.isin(marks, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8))


def _marks(image_height: int, image_width: int, box: F32) -> _Mask:
    """What is known before the cut: certain and likely person, likely and certain background."""
    x1, y1, x2, y2 = (float(edge) for edge in box)
    x, y, width, height = (x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1
    marks: _Mask = np.full((image_height, image_width), cv2.GC_BGD, np.uint8)

    def ellipse(mark: int, down: float, half_width: float, half_height: float) -> None:
        """Mark an ellipse; its place and half axes are in face widths and heights."""
        centre = (round(x), round(y + down * height))
        axes = (round(half_width * width), round(half_height * height))
        cv2.ellipse(marks, centre, axes, 0, 0, 360, mark, -1)

    ellipse(cv2.GC_PR_BGD, -0.1, 0.84, 0.92)
    ellipse(cv2.GC_PR_BGD, 2.2, 2.4, 1.75)
    ellipse(cv2.GC_PR_FGD, -0.08, 0.68, 0.72)
    ellipse(cv2.GC_PR_FGD, 2.2, 1.7, 1.4)
    ellipse(cv2.GC_FGD, -0.16, 0.5, 0.5)
    ellipse(cv2.GC_FGD, 0.1, 0.4, 0.5)
    ellipse(cv2.GC_FGD, 0.75, 0.5, 0.3)
    ellipse(cv2.GC_FGD, 2.1, 1.05, 1.15)
    return marks


def _largest_filled(mask: _Mask) -> _Mask:
    """The largest connected part of a 0/1 mask, its holes filled: badges and lenses belong to the person."""
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    largest = max(contours, key=cv2.contourArea)
    filled: _Mask = np.zeros_like(mask)
    cv2.drawContours(filled, [largest], -1, 1, -1)
    return filled


def _edge_fade(height: int, width: int) -> F32:
    """1 inside, falling smoothly to 0 at the left, right and lower edges, so that no straight cut shows."""
    x = np.arange(width, dtype=np.float64) + 0.5
    side = _smooth(np.asarray(np.minimum(x, width - x) / (0.08 * width), np.float64))
    y = np.arange(height, dtype=np.float64) + 0.5
    below = _smooth((height - y) / (0.22 * height))
    return np.asarray(below[:, None] * side[None, :], np.float32)


def _smooth(ramp: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """A ramp bent into smoothstep: 0 below 0, 1 above 1, flat at both ends."""
    t = np.clip(ramp, 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float64)
