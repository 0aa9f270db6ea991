"""The loop that most peers ship: everything for every frame, one face at a time."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path

import cv2
import numpy as np
import torch
from torchvision.models import resnet18

from gclf_live.faces.detector import MODEL_FILE
from gclf_live.records import U8

_SIDE_PX = 224
_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
_STD = np.array([0.229, 0.224, 0.225], np.float32)


class NaiveLoop:
    """YuNet at full size on every frame, one fp32 ResNet18 call a face at 224 px, OpenCV's mp4 writer.

    The weights are random: they cost the same as trained ones.
    """

    def __init__(self) -> None:
        """Load the detector and build the network."""
        # OpenCV 5 warns at every model load that targets cannot be set.
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)
        with as_file(files("gclf_live.assets") / MODEL_FILE) as path:
            self._detector = cv2.FaceDetectorYN.create(str(path), "", (320, 320), 0.6)
        self._network = resnet18(num_classes=2).eval()

    def annotate(self, video: Path, target: Path) -> int:
        """Write a copy with boxes and labels, without sound; returns the number of frames."""
        capture = cv2.VideoCapture(str(video))
        size = (int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)))
        rate = capture.get(cv2.CAP_PROP_FPS)
        writer = cv2.VideoWriter(str(target), cv2.VideoWriter.fourcc(*"mp4v"), rate, size)
        self._detector.setInputSize(size)
        count = 0
        while True:
            good, image = capture.read()
            if not good:
                break
            self._annotate_frame(np.asarray(image, np.uint8))
            writer.write(image)
            count += 1
        capture.release()
        writer.release()
        return count

    def _annotate_frame(self, image: U8) -> None:
        _, found = self._detector.detect(image)
        # All crops are cut before the first box is drawn.
        boxes = [] if found is None else [_corners(row, image) for row in np.asarray(found)]
        labels = [self._classify(image[y1:y2, x1:x2]) for x1, y1, x2, y2 in boxes]
        for (x1, y1, x2, y2), label in zip(boxes, labels, strict=True):
            cv2.rectangle(image, (x1, y1), (x2, y2), (0, 255, 0), 2)
            cv2.putText(image, label, (x1, y1 - 8), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (0, 255, 0), 2)

    def _classify(self, face: U8) -> str:
        pixels = cv2.cvtColor(cv2.resize(face, (_SIDE_PX, _SIDE_PX)), cv2.COLOR_BGR2RGB)
        scaled = ((pixels.astype(np.float32) / 255 - _MEAN) / _STD).astype(np.float32)
        with torch.no_grad():
            logits = self._network(torch.from_numpy(scaled.transpose(2, 0, 1).copy())[None])
        share = torch.softmax(logits, 1)[0]
        best = int(share.argmax())
        return f"{('female', 'male')[best]} {float(share[best]):.2f}"


def _corners(row: np.ndarray, image: U8) -> tuple[int, int, int, int]:
    """x1, y1, x2, y2 of one of YuNet's rows, within the picture and at least one pixel large."""
    height, width = image.shape[:2]
    x1, y1 = min(max(0, int(row[0])), width - 1), min(max(0, int(row[1])), height - 1)
    return (
        x1,
        y1,
        min(max(x1 + 1, int(row[0] + row[2])), width),
        min(max(y1 + 1, int(row[1] + row[3])), height),
    )
