"""Kept tracking libraries behind the interface of ``FaceTracker``, to be measured beside it.

``pip install trackers norfair``; neither is needed by gclf-live itself.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from gclf_live.errors import UsageError
from gclf_live.records import Faces, Tracks

_FPS = 30.0
"""Rate that libraries which count in frames are told."""
_MAX_GAP_S = 1.0
_STRONG = 0.6
_SMALLEST_IOU = 0.05


class Tracker(Protocol):
    """What is measured."""

    def update(self, faces: Faces, pts_s: float) -> Tracks:
        """As ``FaceTracker.update``."""


def load_rivals(package: str) -> dict[str, Callable[[], Tracker]]:
    """Trackers of ``trackers`` or ``norfair`` by name, each made anew by a call.

    Raises:
        UsageError: the package is not installed, or is none of these.
    """
    if package == "norfair":
        norfair = _require("norfair")
        return {"norfair, IoU": lambda: _Norfair(norfair)}
    if package == "trackers":
        trackers, ious, supervision = map(_require, ("trackers", "trackers.utils.iou", "supervision"))
        kinds = {"OC-SORT": "OCSORTTracker", "ByteTrack": "ByteTrackTracker", "SORT": "SORTTracker"}
        return {
            f"trackers, {kind}": _maker(trackers, ious, supervision, name) for kind, name in kinds.items()
        }
    raise UsageError(f"no adapter for {package!r}; allowed are trackers and norfair")


def _maker(trackers: Any, ious: Any, supervision: Any, name: str) -> Callable[[], Tracker]:
    options: dict[str, object] = {
        "lost_track_buffer": int(_FPS * _MAX_GAP_S),
        "frame_rate": _FPS,
        "minimum_consecutive_frames": 1,
        "minimum_iou_threshold": _SMALLEST_IOU,
        "iou": ious.GIoU(),  # finds faces again whose boxes no longer overlap
    }
    if name != "SORTTracker":
        options["high_conf_det_threshold"] = _STRONG
    if name != "OCSORTTracker":
        options["track_activation_threshold"] = _STRONG
    return lambda: _Roboflow(getattr(trackers, name)(**options), supervision)


class _Roboflow:
    """A tracker of the package ``trackers``."""

    def __init__(self, tracker: Any, supervision: Any) -> None:
        self._tracker, self._supervision = tracker, supervision

    def update(self, faces: Faces, pts_s: float) -> Tracks:
        detections = self._supervision.Detections(
            xyxy=faces.boxes,
            confidence=faces.scores,
            class_id=np.zeros(len(faces), np.int64),
            data={"position": np.arange(len(faces))},
        )
        found = self._tracker.update(detections, timestamp=pts_s)
        if not len(found):
            return Tracks.empty()
        ids = np.asarray(found.tracker_id, np.int64)
        known = ids >= 0
        # Its ids begin at 0, ours at 1.
        return Tracks(ids[known] + 1, faces.select(np.asarray(found.data["position"], np.int64)[known]))


class _Norfair:
    """The tracker of the package ``norfair``, which counts in frames."""

    def __init__(self, norfair: Any) -> None:
        self._norfair = norfair
        self._tracker = norfair.Tracker(
            "iou", distance_threshold=0.95, hit_counter_max=int(_FPS * _MAX_GAP_S), initialization_delay=0
        )
        self._before_s: float | None = None

    def update(self, faces: Faces, pts_s: float) -> Tracks:
        step_s = 0.0 if self._before_s is None else pts_s - self._before_s
        self._before_s = pts_s
        detections = [
            self._norfair.Detection(
                points=box.reshape(2, 2).astype(float), scores=np.repeat(score, 2), data=i
            )
            for i, (box, score) in enumerate(zip(faces.boxes, faces.scores, strict=True))
        ]
        objects = self._tracker.update(detections, period=max(1, round(step_s * _FPS)))
        ids = {
            item.last_detection.data: item.global_id
            for item in objects
            if any(item.last_detection is detection for detection in detections)
        }
        positions = np.array(sorted(ids), np.int64)
        return Tracks(np.array([ids[int(i)] for i in positions], np.int64), faces.select(positions))


def _require(package: str) -> Any:
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise UsageError(f"{package!r} cannot be imported ({error}); pip install trackers norfair") from error
