"""Recording a live session in a thread of its own, so that encoding never delays the picture."""

from __future__ import annotations

import contextlib
import queue
import threading
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self, TypeAlias

import cv2
import numpy as np

from gclf_live.errors import GclfError
from gclf_live.media.writer import VideoWriter, bring_back_recordings
from gclf_live.profiling import NO_PROFILER, Spans
from gclf_live.records import U8

_TIME_BASE = Fraction(1, 90_000)
_WAITING = 8
"""Pictures that may wait for the encoder: a quarter of a second, 22 MB at 720p. When it cannot follow for
longer the session waits for it, and the source's stale frames are dropped and counted where they come in."""

_Item: TypeAlias = tuple[U8, float] | None


class Recorder:
    """Writes one mp4 from pictures that are handed over.

    Leaving the ``with`` block encodes what still waits and finishes the file. An exception, such as
    ``KeyboardInterrupt`` or that of a camera that was unplugged, finishes it as ``<stem>.partial.mp4``; where
    the file itself cannot be written any more, it has that name as far as it goes. A kill loses the last
    seconds.

    Attributes:
        brought_back: recordings in the same folder that were killed, as far as they go; they have a name now.
    """

    def __init__(
        self,
        path: Path,
        *,
        width_px: int,
        height_px: int,
        overwrite: bool = False,
        spans: Spans = NO_PROFILER,
    ) -> None:
        """Prepare the file; ``with`` starts the thread.

        Args:
            path: an ``.mp4``; it appears under this name only when it is whole.
            width_px, height_px: size of the pictures.
            overwrite: replace a file that is there.
            spans: what encoding is timed with.

        Raises:
            OutputError: the file exists or cannot be written.
        """
        self._size = (width_px, height_px)
        self.brought_back = bring_back_recordings(path.absolute().parent)
        self._writer = VideoWriter(
            path,
            width_px=width_px,
            height_px=height_px,
            time_base=_TIME_BASE,
            overwrite=overwrite,
            playable_throughout=True,
        )
        self._spans = spans
        self._waiting: queue.Queue[_Item] = queue.Queue(_WAITING)
        self._stop = threading.Event()
        self._error: BaseException | None = None
        self._count = 0
        self._thread = threading.Thread(target=self._run, name=f"record {path.name}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._spans.span("record"):
            self._end(failed=kind is not None)

    def _end(self, *, failed: bool) -> None:
        """Let what waits be encoded and finish the file; ``failed`` as for ``_finish``."""
        try:
            self._waiting.put(None)
            self._thread.join()
        except BaseException:  # Ctrl-C meanwhile: what waits is not encoded any more
            self._stop.set()
            self._writer.interrupt()
            self._waiting.put(None)
            self._thread.join()
            raise
        finally:
            self._finish(failed=failed)

    @property
    def result_path(self) -> Path | None:
        """Where the finished file is: the path, ``<stem>.partial.mp4``, or None while there is none."""
        return self._writer.result_path

    def write(self, image: U8, pts_s: float) -> None:
        """Hand over one frame, which must not be drawn on any more.

        Args:
            image: uint8, shape (H, W, 3), BGR. One of another size, as from a camera that was exchanged, is
                scaled to fit, undistorted, on black.
            pts_s: its time in seconds, later than that of the one before.

        Raises:
            OutputError: the file can no longer be written; the message says where what was written is.
        """
        if self._error is not None:
            raise self._error
        self._count += 1
        self._waiting.put((image, pts_s))

    def _run(self) -> None:
        """Encode until None comes. After an error the rest is taken and let go, so that nobody waits."""
        while (item := self._waiting.get()) is not None:
            if self._error is None and not self._stop.is_set():
                try:
                    with self._spans.span("record"):
                        self._writer.write(_fitted(item[0], self._size), item[1])
                except BaseException as error:  # it is raised again in the caller
                    self._error = error

    def _finish(self, *, failed: bool) -> None:
        """End the file; ``failed`` says that the block ended with an exception, which goes on."""
        failure = self._error
        if failure is not None:
            self._writer.__exit__(type(failure), failure, failure.__traceback__)
            if not failed:
                raise failure
            return
        if failed or not self._count:  # Without a frame there is no file, which here is no error.
            self._writer.interrupt()
        # What ended the block is what the caller has to see, not what went wrong while tidying up.
        with contextlib.suppress(GclfError) if failed else contextlib.nullcontext():
            self._writer.__exit__(None, None, None)


def _fitted(image: U8, size: tuple[int, int]) -> U8:
    """The picture in this width and height, with black beside or above it where its shape is another."""
    height, width = image.shape[:2]
    if (width, height) == size:
        return image
    scale = min(size[0] / width, size[1] / height)
    inner = (max(1, round(width * scale)), max(1, round(height * scale)))
    canvas = np.zeros((size[1], size[0], 3), np.uint8)
    left, top = (size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2
    scaled = cv2.resize(image, inner, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    canvas[top : top + inner[1], left : left + inner[0]] = scaled
    return canvas
