"""Where the first pass looks for faces: which frames it searches, and the searching, ahead of its use.

Three things go on side by side: a thread decodes, looks for shot cuts and chooses the frames; another one
searches them; the caller follows what was found. A search in one thread takes hardly longer than in several
and two thirds of their processor time (YuNet, 640x360: 9.3 ms against 8.8 ms and 13.8 ms on two cores), so
OpenCV keeps to one thread meanwhile.

Every other frame that is due may be left out. It is searched after all where the searches before and behind
it differ: see ``unchanged``.
"""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import cv2

from gclf_live.faces.detector import FaceDetector
from gclf_live.faces.shots import PREVIEW_PX, ShotCuts
from gclf_live.geometry import box_iou
from gclf_live.media.ahead import ReadAhead
from gclf_live.media.decoded import DecodedFrame
from gclf_live.pipeline.settings import AnalysisSettings
from gclf_live.profiling import Spans
from gclf_live.records import Faces

_DEPTH = 6
"""Glances that wait: four searches of 0.2 s of video each, and the frames between that may be left out."""
_COARSEST_S = 0.2
"""A face that is there for 0.3 s must fall on a search that is not left out."""
_UNCHANGED_IOU = 0.45

_holders: list[int] = []
"""OpenCV's own number of threads, then a 1 for each block that is open; empty where none is."""
_holders_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Glance:
    """A frame in which faces are looked for.

    Attributes:
        frame: the frame.
        pts_s: times of the frames since the last glance, this one's at the end; none where the frame was
            given before and is now searched after all.
        cut: a new shot begins with it.
        found: its faces, once they are; None where the search may be left out.
    """

    frame: DecodedFrame
    pts_s: tuple[float, ...]
    cut: bool
    found: Future[Faces] | None


@contextlib.contextmanager
def glances(
    frames: Iterator[DecodedFrame], settings: AnalysisSettings, spans: Spans, *, from_s: float = -math.inf
) -> Generator[Iterator[Glance], None, None]:
    """The glances at a video, in order, found ahead in threads of their own while the block lasts.

    Args:
        frames: in order of time; nobody else may use them meanwhile.
        settings: how often and how finely to search.
        spans: what the stages are timed with.
        from_s: earlier frames are shown to the shot-cut detector only.

    Yields:
        An iterator. It raises what ``frames`` raises.
    """
    with _one_opencv_thread(), ThreadPoolExecutor(1, initializer=_name_thread) as searcher:
        outlook = _Outlook(settings, searcher, spans)
        ahead = ReadAhead(outlook.over(frames, from_s), depth=_DEPTH, name="decode, first pass")
        with ahead:
            yield iter(ahead)


def unchanged(before: Faces, after: Faces) -> bool:
    """Whether a search between these two would tell nothing that interpolation does not.

    As many faces, and each of them where one was, within what a person moves while walking by: boxes that
    overlap by an IoU of 0.45 are shifted by 0.38 of their side. A face that comes or goes is looked for
    between, so the times of both are as fine as without leaving searches out.
    """
    if len(before) != len(after):
        return False
    if not len(after):
        return True
    overlap = box_iou(before.boxes, after.boxes)
    return bool(min(overlap.max(axis=0).min(), overlap.max(axis=1).min()) >= _UNCHANGED_IOU)


@contextlib.contextmanager
def _one_opencv_thread() -> Iterator[None]:
    """OpenCV counts its threads for the whole process: the last of several blocks gives it back its own."""
    with _holders_lock:
        if not _holders:
            _holders.append(cv2.getNumThreads())
            cv2.setNumThreads(1)
        _holders.append(1)
    try:
        yield
    finally:
        with _holders_lock:
            _holders.pop()
            if len(_holders) == 1:
                cv2.setNumThreads(_holders.pop())


def _name_thread() -> None:
    threading.current_thread().name = "search, first pass"


class _Outlook:
    """Chooses the frames; runs in the thread that decodes."""

    def __init__(self, settings: AnalysisSettings, searcher: ThreadPoolExecutor, spans: Spans) -> None:
        self._every_s = settings.detect_every_s
        self._may_leave_out = settings.skip_calm and 0 < 2 * settings.detect_every_s <= _COARSEST_S
        self._searcher, self._spans = searcher, spans
        self._detector = FaceDetector(max_side_px=settings.detection_side_px)
        self._cuts = ShotCuts()
        self._times: list[float] = []
        self._looked_s = -math.inf
        self._left_out = True

    def over(self, frames: Iterator[DecodedFrame], from_s: float) -> Iterator[Glance]:
        """The glances at all frames from ``from_s`` on."""
        before: DecodedFrame | None = None
        for frame in frames:
            cut = self._is_cut(frame)
            if frame.pts_s < from_s:
                continue
            if cut:
                yield from self._last_of_shot(before)
            self._times.append(frame.pts_s)
            if before is None or cut or frame.pts_s - self._looked_s >= self._every_s - 1e-3:
                leave_out = self._may_leave_out and not (before is None or cut or self._left_out)
                yield self._glance(frame, cut=cut, leave_out=leave_out)
            before = frame
        yield from self._last_of_shot(before)

    def _last_of_shot(self, frame: DecodedFrame | None) -> Iterator[Glance]:
        """The last frame before a cut or the end is searched whatever was before."""
        if frame is not None and (self._times or self._left_out):
            yield self._glance(frame, cut=False, leave_out=False)

    def _glance(self, frame: DecodedFrame, *, cut: bool, leave_out: bool) -> Glance:
        self._looked_s, self._left_out = frame.pts_s, leave_out
        times, self._times = tuple(self._times), []
        return Glance(frame, times, cut, None if leave_out else self._searcher.submit(self._search, frame))

    def _search(self, frame: DecodedFrame) -> Faces:
        with self._spans.span("decode"):
            image = frame.image
        with self._spans.span("detect"):
            return self._detector.detect(image)

    def _is_cut(self, frame: DecodedFrame) -> bool:
        with self._spans.span("decode"):  # frames are converted here, where and as far as they are needed
            preview = frame.preview(*PREVIEW_PX)
        with self._spans.span("shot cuts"):
            return self._cuts.is_cut(preview, frame.pts_s)
