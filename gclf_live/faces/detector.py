"""Face detection: YuNet through OpenCV (Wu, Peng, Yu 2023, doi:10.1007/s11633-023-1423-y)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import cv2
import numpy as np

from gclf_live.assets import DETECTOR, read_asset
from gclf_live.geometry import clip_boxes
from gclf_live.records import F32, U8, Faces

MODEL_FILE = DETECTOR
_SMALLEST_SIDE_PX = 16
_LOG_LEVEL_ERROR = 2


class FaceDetector:
    """Finds faces in BGR pictures of any size. Not thread-safe: one a thread.

    A face of about 10 px in the picture that the network sees is found, so ``max_side_px`` sets both
    the cost (proportional to the area) and the smallest face.
    """

    def __init__(
        self,
        *,
        score_threshold: float = 0.6,
        nms_threshold: float = 0.3,
        max_side_px: int | None = None,
        top_k: int = 5000,
    ) -> None:
        """Load the network.

        Args:
            score_threshold: faces below this confidence are dropped; in [0, 1].
            nms_threshold: of two boxes that overlap by a larger IoU the weaker one goes.
            max_side_px: larger pictures are detected at this longer side; None for full size.
            top_k: candidates kept before overlaps are removed.

        Raises:
            CheckpointError: the network's file is missing or is not the one that was shipped.
        """
        self.max_side_px = max_side_px
        # The very bytes that were checked; by name, the file could be another one by then.
        network = np.frombuffer(read_asset(MODEL_FILE), np.uint8)
        with _quiet_opencv():
            self._net = cv2.FaceDetectorYN.create(
                "onnx", network, np.empty(0, np.uint8), (320, 320), score_threshold, nms_threshold, top_k
            )
        self._size = (320, 320)

    def detect(self, image: U8) -> Faces:
        """Find the faces of one picture.

        Args:
            image: uint8, shape (H, W, 3), BGR.

        Returns:
            Faces in pixels of ``image``, strongest first, boxes cut at its edges. Landmarks may lie outside.
        """
        height, width = image.shape[:2]
        if min(height, width) < _SMALLEST_SIDE_PX:
            return Faces.empty()
        seen, scale = self._reduce(image)
        size = (seen.shape[1], seen.shape[0])
        if size != self._size:
            self._net.setInputSize(size)
            self._size = size
        _, found = self._net.detect(seen)
        if found is None:
            return Faces.empty()
        return _faces_from_rows(np.asarray(found, np.float32), scale, width_px=width, height_px=height)

    def _reduce(self, image: U8) -> tuple[U8, F32]:
        """The picture as the network sees it, and picture pixels per such pixel: float32 (2,), x and y."""
        height, width = image.shape[:2]
        factor = 1.0 if self.max_side_px is None else self.max_side_px / max(height, width)
        if factor >= 1:
            return image, np.ones(2, np.float32)
        size = (max(_SMALLEST_SIDE_PX, round(width * factor)), max(_SMALLEST_SIDE_PX, round(height * factor)))
        # Area averaging keeps small faces; it costs less than the network saves.
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        return np.asarray(small, np.uint8), np.array([width / size[0], height / size[1]], np.float32)


def _faces_from_rows(rows: F32, scale: F32, *, width_px: int, height_px: int) -> Faces:
    """YuNet's rows (x, y, width, height, five points, score) as faces, without those that are none."""
    rows = rows[np.isfinite(rows).all(axis=1)]
    boxes = np.concatenate([rows[:, :2], rows[:, :2] + rows[:, 2:4]], axis=1) * np.tile(scale, 2)
    boxes = clip_boxes(boxes, width_px=width_px, height_px=height_px)
    landmarks = (rows[:, 4:14].reshape(-1, 5, 2) * scale).astype(np.float32)
    scores = np.clip(rows[:, 14], 0, 1)
    keep = ((boxes[:, 2:] - boxes[:, :2]) >= 1).all(axis=1)
    order = np.argsort(-scores[keep], kind="stable")
    return Faces(boxes[keep], scores[keep], landmarks[keep]).select(order)


@contextlib.contextmanager
def _quiet_opencv() -> Iterator[None]:
    """OpenCV 5 warns at every model load that targets cannot be set; a user can do nothing about it."""
    # Up to 4.12 the functions are at the top of the module, and the levels have no names there.
    logging = getattr(cv2.utils, "logging", cv2)
    before = logging.getLogLevel()
    logging.setLogLevel(_LOG_LEVEL_ERROR)
    try:
        yield
    finally:
        logging.setLogLevel(before)
