"""Webcams, through OpenCV."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np

from gclf_live.errors import SourceError
from gclf_live.records import U8

_PROBED = 10
_FIRST_TRIES = 10
# A USB camera may skip a picture now and then; this many in a row is the end of it.
_FAILURES = 5
# A driver that hangs answers only after ten seconds; it is not asked again.
_PATIENCE_S = 5.0


class SourceLostError(SourceError):
    """A source that was open, and is gone.

    Attributes:
        why: the cause in a few words.
    """

    def __init__(self, message: str, *, why: str) -> None:
        super().__init__(message)
        self.why = why


class FrameStream(Protocol):
    """Pictures, one after another, from something that is open.

    Attributes:
        width_px, height_px: size of the pictures.
        name: what to call it in a message.
    """

    width_px: int
    height_px: int
    name: str

    def read(self) -> U8 | None:
        """Wait for the next picture: uint8, shape (H, W, 3), BGR; None when the stream has ended.

        Raises:
            SourceError: the source failed; a ``SourceLostError`` says why in a few words as well.
        """

    def close(self) -> None:
        """Give the source back. May be called twice."""


class VideoCaptureLike(Protocol):
    """The part of ``cv2.VideoCapture`` that a camera needs."""

    def isOpened(self) -> bool: ...  # noqa: N802
    def read(self) -> tuple[bool, Any]: ...
    def set(self, propId: int, value: float) -> bool: ...  # noqa: N803
    def release(self) -> None: ...


CaptureFactory = Callable[[int], VideoCaptureLike]


def _open_capture(index: int) -> VideoCaptureLike:
    # OpenCV writes its own warnings to standard error, also later from `read`; ours say what to do.
    # Before version 5 its logging stands elsewhere; 0 is silent in both.
    getattr(cv2.utils, "logging", cv2).setLogLevel(0)
    backend = cv2.CAP_V4L2 if sys.platform == "linux" else cv2.CAP_ANY
    return cv2.VideoCapture(index, backend)


def open_camera(
    index: int,
    *,
    width_px: int = 1280,
    height_px: int = 720,
    fps: float = 30,
    suggest: bool = True,
    factory: CaptureFactory = _open_capture,
) -> FrameStream:
    """Open a camera and wait for its first picture.

    Args:
        index: number of the camera, from 0.
        width_px, height_px, fps: what to ask for; the camera gives the nearest that it has.
        suggest: name the cameras that are there where this one is not. On some systems that means to open
            each of them, which is no thing to repeat.
        factory: makes the capture object.

    Returns:
        The running camera, with the size it really has.

    Raises:
        SourceError: there is no such camera, it cannot be opened, or it gives no picture.
    """
    present = not _is_missing(index, factory)
    capture = factory(index) if present else None
    if capture is None or not capture.isOpened():
        if capture is not None:
            capture.release()
        if not suggest:
            raise SourceError(f"cannot open camera {index}: it is not there, or in use. Plug it in again")
        raise _cannot_open(index, list_cameras(factory))
    try:
        _configure(capture, width_px, height_px, fps)
        return _Camera(index, capture)
    except BaseException:
        capture.release()
        raise


def list_cameras(factory: CaptureFactory = _open_capture) -> list[int]:
    """Indices of the cameras that are there.

    On Linux the system is asked and no camera is opened; elsewhere, and with a ``factory``, the first
    ten indices are tried.
    """
    if factory is _open_capture and sys.platform == "linux":
        return sorted(_linux_cameras())
    return [index for index in range(_PROBED) if _opens(index, factory)]


def _is_missing(index: int, factory: CaptureFactory) -> bool:
    """Whether the system already knows that there is no such device, so that OpenCV need not try."""
    on_linux = factory is _open_capture and sys.platform == "linux"
    return on_linux and not Path(f"/dev/video{index}").exists()


def _linux_cameras() -> set[int]:
    """Video devices that deliver pictures: a camera has further nodes for metadata, whose index is not 0."""
    found = set()
    for device in Path("/dev").glob("video*"):
        if match := re.fullmatch(r"video([0-9]+)", device.name):
            node = Path("/sys/class/video4linux") / device.name / "index"
            if not node.exists() or node.read_text().strip() == "0":
                found.add(int(match[1]))
    return found


def _opens(index: int, factory: CaptureFactory) -> bool:
    capture = factory(index)
    try:
        return capture.isOpened()
    finally:
        capture.release()


def _cannot_open(index: int, found: list[int]) -> SourceError:
    if index in found:
        why = "it is there but does not open"
        return SourceError(
            f"cannot open camera {index}: {why}. Close other programs that use it, check permissions"
        )
    if not found:
        return SourceError(f"cannot open camera {index}: no cameras found. Plug one in, or use --source FILE")
    listed = ", ".join(map(str, found))
    return SourceError(
        f"cannot open camera {index}: no such camera; cameras found: {listed}. Try --camera {found[0]}"
    )


def _configure(capture: VideoCaptureLike, width_px: int, height_px: int, fps: float) -> None:
    # Uncompressed 720p does not fit USB 2 at 30 frames a second; nearly every webcam sends JPEG as well.
    capture.set(cv2.CAP_PROP_FOURCC, float(cv2.VideoWriter.fourcc(*"MJPG")))
    capture.set(cv2.CAP_PROP_FRAME_WIDTH, width_px)
    capture.set(cv2.CAP_PROP_FRAME_HEIGHT, height_px)
    capture.set(cv2.CAP_PROP_FPS, fps)
    capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)


class _Camera:
    """An open camera; see ``FrameStream``."""

    def __init__(self, index: int, capture: VideoCaptureLike) -> None:
        self.name = f"camera {index}"
        self._capture = capture
        first = self._grab(_FIRST_TRIES)
        if first is None:
            raise SourceError(f"{self.name} gives no picture. Close other programs that use it, or replug it")
        self._first: U8 | None = first
        self.height_px, self.width_px = first.shape[:2]

    def read(self) -> U8 | None:
        if self._first is not None:
            image, self._first = self._first, None
            return image
        grabbed = self._grab(_FAILURES)
        if grabbed is None:
            why = "it stopped sending pictures"
            raise SourceLostError(
                f"{self.name} stopped sending pictures. Plug it in again and start again", why=why
            )
        return grabbed

    def close(self) -> None:
        self._capture.release()

    def _grab(self, tries: int) -> U8 | None:
        end_s = time.monotonic() + _PATIENCE_S
        for attempt in range(tries):
            if attempt and time.monotonic() > end_s:
                break
            good, image = self._capture.read()
            if good and image is not None and image.size:
                return _as_bgr(np.asarray(image, np.uint8))
        return None


def _as_bgr(image: U8) -> U8:
    """Infrared and scientific cameras send grey, some drivers a fourth channel."""
    if image.ndim == 2 or image.shape[2] == 1:
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR), np.uint8)
    return np.ascontiguousarray(image[:, :, :3])
