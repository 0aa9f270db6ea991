"""Pictures with faces in known places, and classifiers whose answers are known, for tests."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from gclf_live.faces.detector import FaceDetector
from gclf_live.geometry import CropSpec
from gclf_live.records import F32, U8, Predictions

PORTRAITS = Path(__file__).parent.parent / "samples" / "portraits"
CLASSES = ("female", "male")

RED = (0.55, 0.75, 1.0)
BLUE = (1.0, 0.75, 0.55)
"""Tints, as factors of blue, green and red: ``ColourClassifier`` calls red female and blue male."""


class ScriptedClock:
    """A clock that stands still but for what the test adds."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class ColourClassifier:
    """Calls a reddish crop female and a bluish one male, at odds of ``strength`` to 1.

    With a clock, every crop costs ``cost_s`` of its time.
    """

    classes = CLASSES
    crop_spec = CropSpec(32, 1.15)

    def __init__(
        self, *, strength: float = 50.0, clock: ScriptedClock | None = None, cost_s: float = 0.0
    ) -> None:
        self.strength = strength
        self.cost_s = cost_s
        self.batches: list[int] = []
        self._clock = clock

    def log_probabilities(self, crops: U8) -> F32:
        self.batches.append(len(crops))
        if self._clock is not None:
            self._clock.sleep(self.cost_s * len(crops))
        inner = crops[:, 8:24, 8:24].astype(np.float32)
        redness = (inner[..., 2] - inner[..., 0] * 1.25).mean(axis=(1, 2))
        odds = np.where(redness > 0, 1.0, -1.0) * np.log(self.strength)
        return np.stack([-np.log1p(np.exp(-odds)), -np.log1p(np.exp(odds))], axis=1).astype(np.float32)

    def predict(self, crops: U8) -> Predictions:
        return Predictions(self.classes, np.exp(self.log_probabilities(crops)).reshape(-1, 2))

    def warm_up(self, batch_sizes: Iterable[int] = (1,)) -> None:
        return


@cache
def portrait(name: str) -> U8:
    """A portrait of the samples: uint8, shape (H, W, 3), BGR."""
    return np.asarray(cv2.imread(str(PORTRAITS / f"{name}.jpg")), np.uint8)


@cache
def head(name: str) -> U8:
    """The square around a portrait's one face, 1.8 times as high as its box."""
    image = portrait(name)
    boxes = FaceDetector(max_side_px=640).detect(image).boxes
    x1, y1, x2, y2 = boxes[0]
    half = round(0.9 * float(y2 - y1))
    x, y = round(float(x1 + x2) / 2), round(float(y1 + y2) / 2)
    padded = cv2.copyMakeBorder(image, half, half, half, half, cv2.BORDER_REPLICATE)
    return np.asarray(padded[y : y + 2 * half, x : x + 2 * half], np.uint8)


@dataclass(frozen=True)
class Face:
    """A face to draw: whose, where its middle is, how high it is, and its tint."""

    name: str
    x_px: float
    y_px: float
    height_px: float = 80
    tint: tuple[float, float, float] = RED

    @property
    def box(self) -> F32:
        """About where a detector finds it: float32, shape (4,)."""
        half_h, half_w = self.height_px / 2, self.height_px * 0.37
        return np.array(
            [self.x_px - half_w, self.y_px - half_h, self.x_px + half_w, self.y_px + half_h], np.float32
        )


def scene(*faces: Face, width_px: int = 320, height_px: int = 240, backdrop: int = 150) -> U8:
    """Faces before a plain backdrop, which may stand out of the picture."""
    image = np.full((height_px, width_px, 3), backdrop, np.uint8)
    for face in faces:
        side = round(1.8 * face.height_px)
        patch = cv2.resize(head(face.name), (side, side), interpolation=cv2.INTER_AREA)
        patch = (patch * np.array(face.tint, np.float32)).astype(np.uint8)
        left, top = round(face.x_px - side / 2), round(face.y_px - side / 2)
        x1, y1, x2, y2 = max(0, left), max(0, top), min(width_px, left + side), min(height_px, top + side)
        if x2 > x1 and y2 > y1:
            image[y1:y2, x1:x2] = patch[y1 - top : y2 - top, x1 - left : x2 - left]
    return image


def save_tiny_weights(path: Path, classes: tuple[str, ...] = CLASSES) -> Path:
    """A checkpoint with random weights for crops of 32 px: its answers mean nothing, but never change."""
    # Only here: torch is slow to import, and most tests do without it.
    import torch

    from gclf_live.model.checkpoint import Checkpoint, CheckpointMeta, save_checkpoint
    from gclf_live.model.networks import build_network

    torch.manual_seed(7)
    meta = CheckpointMeta(
        architecture="resnet18",
        classes=classes,
        crop=CropSpec(32, 1.15),
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
        temperature=1.0,
    )
    save_checkpoint(path, Checkpoint(meta, build_network("resnet18", len(classes)).state_dict()))
    return path
