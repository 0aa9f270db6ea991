"""Boxes and the one face crop that training and running share.

Boxes are float32, shape (N, 4): x1, y1, x2, y2 in pixels, x2 and y2 exclusive.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import cv2
import numpy as np

from gclf_live.records import F32, U8, Faces

# Where ArcFace's 112 px reference frame puts the right eye, left eye, nose tip and mouth corners
# (Deng et al. 2019, arXiv:1801.07698; values as published with its code), divided by 112.
_TEMPLATE = (
    np.array(
        [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]],
        np.float64,
    )
    / 112
)

BORDER_BGR = (104, 116, 124)
"""What a crop shows outside the picture: ImageNet's mean colour, which normalisation turns into about 0."""


class Alignment(StrEnum):
    """How a face is laid into its crop."""

    LANDMARKS = "landmarks"
    """Turned, scaled and shifted so that eyes, nose and mouth lie where ArcFace's frame has them."""
    BOX = "box"
    """The upright square around the detector's box."""


@dataclass(frozen=True, slots=True)
class CropSpec:
    """How a face becomes the network's input. Stored in the checkpoint, read from it everywhere.

    Attributes:
        size_px: side of the square crop.
        margin: side of the crop relative to ArcFace's frame (``landmarks``; that frame is about
            3.2 eye distances wide) or to the longer side of the box (``box``). More is more hair and chin.
        alignment: how the face is laid into the crop.
    """

    size_px: int
    margin: float
    alignment: Alignment = Alignment.LANDMARKS

    def __post_init__(self) -> None:
        if not 16 <= self.size_px <= 1024 or not 0.3 <= self.margin <= 4:
            raise ValueError(
                f"crop of {self.size_px} px with margin {self.margin}; allowed are 16 to 1024 px and 0.3 to 4"
            )


def box_iou(a: F32, b: F32) -> F32:
    """Intersection over union of every box of ``a`` (N, 4) with every box of ``b`` (M, 4): float32 (N, M)."""
    top_left = np.maximum(a[:, None, :2], b[None, :, :2])
    bottom_right = np.minimum(a[:, None, 2:], b[None, :, 2:])
    intersection = np.prod(np.clip(bottom_right - top_left, 0, None), axis=2)
    union = box_area(a)[:, None] + box_area(b)[None, :] - intersection
    return np.asarray(intersection / np.maximum(union, 1e-9), np.float32)


def box_area(boxes: F32) -> F32:
    """Area of each box in square pixels, 0 for one that is turned inside out: float32 (N,)."""
    return np.asarray(np.prod(np.clip(boxes[:, 2:] - boxes[:, :2], 0, None), axis=1), np.float32)


def clip_boxes(boxes: F32, *, width_px: int, height_px: int) -> F32:
    """The boxes cut at the edges of a picture of ``width_px`` x ``height_px``."""
    limit = np.array([width_px, height_px, width_px, height_px], np.float32)
    return np.asarray(np.clip(boxes, 0, limit), np.float32)


def crop_transform(box: F32, landmarks: F32, spec: CropSpec) -> F32:
    """The 2x3 matrix that maps picture pixels to pixels of the crop of one face.

    Args:
        box: float32, shape (4,).
        landmarks: float32, shape (5, 2), in the order of ``Faces.landmarks``.
        spec: the crop.

    Returns:
        float32, shape (2, 3), a similarity. Least squares over the five points in the complex plane
        (the closed form of Umeyama 1991 in two dimensions); the box's square where ``spec`` says so
        or where the landmarks fall onto one point.
    """
    if spec.alignment is Alignment.LANDMARKS:
        source = landmarks[:, 0].astype(np.float64) + 1j * landmarks[:, 1]
        wanted = ((_TEMPLATE - 0.5) / spec.margin + 0.5) * spec.size_px - 0.5
        target = wanted[:, 0] + 1j * wanted[:, 1]
        centred = source - source.mean()
        spread = float((abs(centred) ** 2).sum())
        if np.isfinite(spread) and spread > 1.0:
            a = (centred.conj() * (target - target.mean())).sum() / spread
            b = target.mean() - a * source.mean()
            return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]], np.float32)
    side = max(float(box[2] - box[0]), float(box[3] - box[1]), 1.0) * spec.margin
    scale = spec.size_px / side
    centre = (box[:2] + box[2:]) / 2 - 0.5
    shift = (spec.size_px - 1) / 2 - scale * centre
    return np.array([[scale, 0, shift[0]], [0, scale, shift[1]]], np.float32)


def crop_faces(image: U8, faces: Faces, spec: CropSpec) -> U8:
    """Cut every face out of a picture, before anything is drawn on it.

    Args:
        image: uint8, shape (H, W, 3), BGR.
        faces: N faces in pixels of ``image``.
        spec: size, margin and alignment.

    Returns:
        uint8, shape (N, size, size, 3), BGR. What lies outside the picture is ``BORDER_BGR``.
    """
    crops = np.empty((len(faces), spec.size_px, spec.size_px, 3), np.uint8)
    for i in range(len(faces)):
        matrix = crop_transform(faces.boxes[i], faces.landmarks[i], spec)
        crops[i] = _warp(image, matrix, spec.size_px)
    return crops


def _warp(image: U8, matrix: F32, size_px: int) -> U8:
    """Apply ``matrix`` to the part of ``image`` that it needs, without aliasing."""
    corners = np.array([[0, 0, 1], [size_px, 0, 1], [0, size_px, 1], [size_px, size_px, 1]], np.float64)
    inverse = cv2.invertAffineTransform(matrix.astype(np.float64))
    region = corners @ inverse.T
    low = np.clip(np.floor(region.min(axis=0)) - 2, 0, None).astype(int)
    high = np.minimum(np.ceil(region.max(axis=0)) + 2, image.shape[1::-1]).astype(int)
    if (high - low < 1).any():
        return np.full((size_px, size_px, 3), BORDER_BGR, np.uint8)
    part: U8 = image[low[1] : high[1], low[0] : high[0]]
    moved = matrix.astype(np.float64)
    moved[:, 2] += moved[:, :2] @ low
    # Bilinear sampling sees 2x2 pixels: a face more than twice as large is averaged down first.
    step = int(1 / max(float(np.hypot(moved[0, 0], moved[1, 0])), 1e-6))
    if step >= 2:
        small = (max(1, part.shape[1] // step), max(1, part.shape[0] // step))
        zoom = np.array([part.shape[1] / small[0], part.shape[0] / small[1]])
        part = np.asarray(cv2.resize(part, small, interpolation=cv2.INTER_AREA), np.uint8)
        moved[:, 2] += moved[:, :2] @ (zoom / 2 - 0.5)
        moved[:, :2] *= zoom
    warped = cv2.warpAffine(
        part,
        moved,
        (size_px, size_px),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=BORDER_BGR,
    )
    return np.asarray(warped, np.uint8)
