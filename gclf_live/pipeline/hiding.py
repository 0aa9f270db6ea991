"""Where the faces to hide are in a frame: wherever one was, may have been, or is about to be."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np

from gclf_live.faces.detector import FaceDetector
from gclf_live.output.canvas import Canvas, make_canvas
from gclf_live.pipeline.analysis import VideoAnalysis
from gclf_live.pipeline.paths import TrackPath
from gclf_live.pipeline.pictures import LARGEST_SIDE_PX
from gclf_live.records import F32, U8, Faces

LEAD_S = 0.5
"""A face is hidden this long before its first sighting and after its last, within its shot: it was there
before it was large, sharp or turned enough to be found."""
_SEARCHED_SIDE_PX = 640
_LEAST_SCORE = 0.5
"""Below what the tracks take for a face: a patch of wall that is blurred does no harm."""
_SPEED_FROM_S = 0.5
"""How a face moves is taken from two sightings that are at most this far apart."""


class HiddenFaces:
    """Hides every face of a video. Frames are asked for in order of their time.

    What is labelled must be certain, what is hidden must not be missed. Where a face was seen before and
    after, it is hidden in between, however long that is and whatever lies in front of it; and each frame is
    searched once more, for those that were there too briefly to be a track.
    """

    def __init__(self, analysis: VideoAnalysis) -> None:
        """Prepare for the frames of ``analysis``."""
        self._detector = FaceDetector(max_side_px=_SEARCHED_SIDE_PX, score_threshold=_LEAST_SCORE)
        self._cuts_s = np.array(analysis.cuts_s, np.float64)
        self._waiting = sorted(analysis.tracks, key=lambda track: track.pts_s[0], reverse=True)
        self._active: list[TrackPath] = []

    def hide(self, canvas: Canvas, image: U8, pts_s: float) -> None:
        """Make the faces of the frame at ``pts_s`` unrecognisable.

        Args:
            canvas: what is shown of the frame.
            image: the frame as it is, uint8, shape (H, W, 3), BGR; it may be what ``canvas`` draws on.
            pts_s: its time, later than that of the frame before.
        """
        _obscure(canvas, (*self.boxes(pts_s), *self._detector.detect(image).boxes.tolist()))

    def boxes(self, pts_s: float) -> Iterator[list[float]]:
        """``x1 y1 x2 y2`` in pixels of each tracked face at ``pts_s``, which must not go back."""
        while self._waiting and self._waiting[-1].pts_s[0] - LEAD_S <= pts_s:
            self._active.append(self._waiting.pop())
        self._active = [track for track in self._active if pts_s <= track.pts_s[-1] + LEAD_S]
        shot = self._shot(pts_s)
        for track in self._active:
            if self._shot(float(track.pts_s[0])) == shot:
                yield _box_at(track, pts_s).tolist()

    def _shot(self, pts_s: float) -> int:
        return int(np.searchsorted(self._cuts_s, pts_s, side="right"))


def hide_faces(image: U8, faces: Faces) -> None:
    """Make the faces of a picture unrecognisable, those too that are not certain enough for a label.

    Args:
        image: uint8, shape (H, W, 3), BGR; it is changed.
        faces: those that were found to be labelled.
    """
    detector = FaceDetector(max_side_px=LARGEST_SIDE_PX, score_threshold=_LEAST_SCORE)
    _obscure(make_canvas(image), (*faces.boxes.tolist(), *detector.detect(image).boxes.tolist()))


def _obscure(canvas: Canvas, boxes: Iterable[list[float]]) -> None:
    for x1, y1, x2, y2 in boxes:
        canvas.obscure((math.floor(x1), math.floor(y1), math.ceil(x2), math.ceil(y2)))


def _box_at(track: TrackPath, pts_s: float) -> F32:
    """A box, float32 (4,), that holds the face at a time between two sightings or beyond them."""
    times, boxes = track.pts_s, track.faces.boxes
    after = int(np.searchsorted(times, pts_s))
    if after in (0, len(times)):
        return _beyond(track, pts_s)
    before = after - 1
    share = np.float32((pts_s - times[before]) / (times[after] - times[before]))
    way = boxes[after] - boxes[before]
    # One that speeds up and brakes between two sightings is up to a quarter of the way off.
    return _grown(boxes[before] + share * way, float(np.abs(way).max()) / 4 if 0 < share < 1 else 0.0)


def _beyond(track: TrackPath, pts_s: float) -> F32:
    """From where the face was seen at last (or first) to where it would be had it gone on moving so."""
    times, boxes = track.pts_s, track.faces.boxes
    end, inner = (0, 1) if pts_s <= times[0] else (len(times) - 1, len(times) - 2)
    here = boxes[end]
    if len(times) < 2 or abs(times[end] - times[inner]) > _SPEED_FROM_S:
        return np.asarray(here, np.float32)
    speed = (boxes[end] - boxes[inner]) / np.float32(times[end] - times[inner])
    size = float((here[2:] - here[:2]).max())
    # The size of a face that leaves the picture jumps; it would seem to race away.
    moved = here + np.clip(speed * np.float32(pts_s - times[end]), -size, size)
    low, high = np.minimum(here[:2], moved[:2]), np.maximum(here[2:], moved[2:])
    return np.concatenate([low, high]).astype(np.float32)


def _grown(box: F32, by_px: float) -> F32:
    return np.asarray(box + np.array([-by_px, -by_px, by_px, by_px], np.float32), np.float32)
